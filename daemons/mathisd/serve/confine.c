// SPDX-License-Identifier: GPL-2.0-only
/* System calls of the calls, beside those of common/confine.c. */
#include <seccomp.h>

#include "confine.h"
#include "serve_impl.h"

/*
 * Files are opened, for programs may have a right to; no socket is, and no
 * program is run. Threads start when there is work for them.
 */
static const int calls[] = {
	SCMP_SYS(access),
	SCMP_SYS(chmod),
	SCMP_SYS(clone),
	SCMP_SYS(clone3),
	SCMP_SYS(copy_file_range),
	SCMP_SYS(dup),
	SCMP_SYS(epoll_create1),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_wait),
	SCMP_SYS(faccessat),
	SCMP_SYS(faccessat2),
	SCMP_SYS(fallocate),
	SCMP_SYS(fchmod),
	SCMP_SYS(fdatasync),
	SCMP_SYS(flock),
	SCMP_SYS(fstatfs),
	SCMP_SYS(fsync),
	SCMP_SYS(ftruncate),
	SCMP_SYS(getcwd),
	SCMP_SYS(getdents64),
	SCMP_SYS(geteuid),
	SCMP_SYS(getuid),
	SCMP_SYS(inotify_add_watch),
	SCMP_SYS(inotify_init1),
	SCMP_SYS(linkat),
	SCMP_SYS(lstat),
	SCMP_SYS(memfd_create),
	SCMP_SYS(mkdirat),
	SCMP_SYS(mlock),
	SCMP_SYS(munlock),
	SCMP_SYS(newfstatat),
	SCMP_SYS(open),
	SCMP_SYS(openat),
	SCMP_SYS(openat2),
	SCMP_SYS(pipe2),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(prctl),
	SCMP_SYS(pwrite64),
	SCMP_SYS(pwritev2),
	SCMP_SYS(readlink),
	SCMP_SYS(readlinkat),
	SCMP_SYS(readv),
	SCMP_SYS(rename),
	SCMP_SYS(renameat),
	SCMP_SYS(renameat2),
	SCMP_SYS(stat),
	SCMP_SYS(statx),
	SCMP_SYS(symlinkat),
	SCMP_SYS(sysinfo),
	SCMP_SYS(umask),
	SCMP_SYS(uname),
	SCMP_SYS(unlinkat),
	SCMP_SYS(utimensat),
};

/**
 * mathisd_confine() - give up all system calls but those that serving takes
 * @d: Daemon.
 *
 * Context: Main thread, when everything is set up.
 * Return: 0 or a negative errno.
 */
int mathisd_confine(struct daemon *d)
{
	(void)d;
	return confine_calls(calls, sizeof(calls) / sizeof(*calls));
}
