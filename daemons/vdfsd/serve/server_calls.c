// SPDX-License-Identifier: GPL-2.0-only
/* System calls of the store and the view, beside those of common/confine.c. */
#include <seccomp.h>
#include <string.h>

#include "confine.h"
#include "serve.h"

/*
 * Files are opened, for that is where the store is; no socket is, unless
 * there is a bucket to be reached, and no program is run.
 */
static const int calls[] = {
	SCMP_SYS(access),
	SCMP_SYS(chmod),
	SCMP_SYS(clone),
	SCMP_SYS(clone3),
	SCMP_SYS(copy_file_range),
	SCMP_SYS(dup),
	SCMP_SYS(faccessat),
	SCMP_SYS(faccessat2),
	SCMP_SYS(fadvise64),
	SCMP_SYS(fallocate),
	SCMP_SYS(fchmod),
	SCMP_SYS(fdatasync),
	SCMP_SYS(flock),
	SCMP_SYS(fstatfs),
	SCMP_SYS(fsync),
	SCMP_SYS(ftruncate),
	SCMP_SYS(getcwd),
	SCMP_SYS(getdents64),
	SCMP_SYS(getegid),
	SCMP_SYS(geteuid),
	SCMP_SYS(getgid),
	SCMP_SYS(getrusage),
	SCMP_SYS(getuid),
	SCMP_SYS(linkat),
	SCMP_SYS(lstat),
	SCMP_SYS(memfd_create),
	SCMP_SYS(mincore),
	SCMP_SYS(mkdir),
	SCMP_SYS(mkdirat),
	SCMP_SYS(msync),
	SCMP_SYS(newfstatat),
	SCMP_SYS(open),
	SCMP_SYS(openat),
	SCMP_SYS(pipe2),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(prctl),
	SCMP_SYS(pwrite64),
	SCMP_SYS(readahead),
	SCMP_SYS(readlink),
	SCMP_SYS(readlinkat),
	SCMP_SYS(readv),
	SCMP_SYS(rename),
	SCMP_SYS(renameat),
	SCMP_SYS(renameat2),
	SCMP_SYS(rmdir),
	SCMP_SYS(sched_setaffinity),
	SCMP_SYS(splice),
	SCMP_SYS(stat),
	SCMP_SYS(statfs),
	SCMP_SYS(statx),
	SCMP_SYS(sync_file_range),
	SCMP_SYS(sysinfo),
	SCMP_SYS(tee),
	SCMP_SYS(umask),
	SCMP_SYS(uname),
	SCMP_SYS(unlinkat),
	SCMP_SYS(utimensat),
	SCMP_SYS(vmsplice),
	SCMP_SYS(wait4),
};

/* For libcurl and the resolver. */
static const int network_calls[] = {
	SCMP_SYS(bind),	       SCMP_SYS(connect),    SCMP_SYS(getpeername),
	SCMP_SYS(getsockname), SCMP_SYS(getsockopt), SCMP_SYS(recvfrom),
	SCMP_SYS(recvmmsg),    SCMP_SYS(recvmsg),    SCMP_SYS(sendmmsg),
	SCMP_SYS(sendmsg),     SCMP_SYS(sendto),     SCMP_SYS(setsockopt),
	SCMP_SYS(shutdown),    SCMP_SYS(socket),     SCMP_SYS(socketpair),
};

/**
 * vdfsd_confine() - give up all system calls but those that serving takes
 * @network: Connections may be made.
 *
 * Context: Main thread, when everything is set up.
 * Return: 0 or a negative errno.
 */
int vdfsd_confine(bool network)
{
	const size_t n = sizeof(calls) / sizeof(*calls);
	int all[sizeof(calls) / sizeof(*calls) +
		sizeof(network_calls) / sizeof(*network_calls)];

	memcpy(all, calls, sizeof(calls));
	memcpy(all + n, network_calls, sizeof(network_calls));
	return confine_calls(all, network ? sizeof(all) / sizeof(*all) : n);
}
