// SPDX-License-Identifier: GPL-2.0-only
/*
 * A daemon gives up root, new privileges, and all system calls but
 * those it needs once it is set up. It parses what strangers send.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/openat2.h>
#include <pwd.h>
#include <seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "confine.h"
#include "log.h"

/*
 * System calls of all daemons. None opens a file, a socket or a process.
 * io_uring is left out, for no filter sees its operations, which can do all
 * of that.
 */
static const int allowed[] = {
	SCMP_SYS(brk),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(close),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(epoll_pwait2),
	SCMP_SYS(eventfd2),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	SCMP_SYS(fcntl),
	SCMP_SYS(fstat),
	SCMP_SYS(futex),
	SCMP_SYS(getcpu),
	SCMP_SYS(getpid),
	SCMP_SYS(getrandom),
	SCMP_SYS(getrusage),
	SCMP_SYS(gettid),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(ioctl),
	SCMP_SYS(lseek),
	SCMP_SYS(madvise),
	SCMP_SYS(membarrier),
	SCMP_SYS(mmap),
	SCMP_SYS(mprotect),
	SCMP_SYS(mremap),
	SCMP_SYS(munmap),
	SCMP_SYS(nanosleep),
	SCMP_SYS(pread64),
	SCMP_SYS(preadv),
	SCMP_SYS(pwritev),
	SCMP_SYS(read),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(rseq),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sched_getaffinity),
	SCMP_SYS(sched_yield),
	SCMP_SYS(set_robust_list),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(tgkill),
	SCMP_SYS(unlink),
	SCMP_SYS(write),
	SCMP_SYS(writev),
};

/* Make a directory, and those on the way to it. */
static int make_dir(const char *path)
{
	char part[PATH_MAX];
	size_t i, len = strlen(path);

	if (len >= sizeof(part))
		return -ENAMETOOLONG;
	for (i = 1; i <= len; i++) {
		if (path[i] && path[i] != '/')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		if (mkdir(part, 0755) && errno != EEXIST)
			return -errno;
	}
	return 0;
}

static int is_empty(int fd)
{
	DIR *dir = fdopendir(fd);
	struct dirent *entry;
	int ret = 1;

	if (!dir) {
		ret = -errno;
		close(fd);
		return ret;
	}
	while (ret && (entry = readdir(dir)))
		ret = !strcmp(entry->d_name, ".") ||
		      !strcmp(entry->d_name, "..");
	closedir(dir);
	return ret;
}

/* Root changes no directory that a symbolic link leads to, not even a late one. */
static int open_plain(const char *path, struct stat *st)
{
	struct open_how how = { .flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
				.resolve = RESOLVE_NO_SYMLINKS };
	int fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
	int ret = fd;

	if (fd < 0 || fstat(fd, st))
		ret = -errno;
	if (ret == -ELOOP)
		say("give the path of %s without symbolic links", path);
	if (ret < 0 && fd >= 0)
		close(fd);
	return ret;
}

/* A directory in which another user has files stays that user's. */
static int take_dir(const char *path, const struct passwd *pw)
{
	struct stat st;
	int fd, ret;

	if (!stat(path, &st) && S_ISDIR(st.st_mode) && st.st_uid == pw->pw_uid)
		return 0;
	fd = open_plain(path, &st);
	if (fd < 0)
		return fd;
	if (st.st_uid == pw->pw_uid) {
		ret = 0;
	} else {
		ret = is_empty(dup(fd));
		if (!ret) {
			say("%s has files, and belongs to user %u", path,
			    st.st_uid);
			say("give another directory, or chown -R %s %s",
			    pw->pw_name, path);
			ret = -ENOTEMPTY;
		} else if (ret > 0) {
			ret = fchown(fd, pw->pw_uid, pw->pw_gid) ? -errno : 0;
		}
	}
	close(fd);
	return ret;
}

static int make_one(const char *path, const struct passwd *pw)
{
	int ret = make_dir(path);

	if (!ret && pw && !geteuid())
		ret = take_dir(path, pw);
	if (ret)
		say("cannot make %s: %s", path, strerror(-ret));
	return ret;
}

/* Shorter paths first: one is not empty any more once another is made in it. */
static int make_dirs(const char *const *dirs, size_t n, const struct passwd *pw)
{
	size_t len, next = 0, i;
	int ret = 0;

	for (len = 0; !ret && next != SIZE_MAX; len = next) {
		next = SIZE_MAX;
		for (i = 0; i < n && !ret; i++) {
			size_t mine = dirs[i] ? strlen(dirs[i]) : 0;

			if (dirs[i] && mine == len)
				ret = make_one(dirs[i], pw);
			else if (mine > len && mine < next)
				next = mine;
		}
	}
	return ret;
}

static int switch_user(const struct passwd *pw)
{
	if (initgroups(pw->pw_name, pw->pw_gid) ||
	    setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) ||
	    setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid)) {
		say("cannot become %s: %s", pw->pw_name, strerror(errno));
		return -errno;
	}
	return 0;
}

/**
 * confine_user() - become another user for good
 * @name: Name of the user; NULL to stay, which root may not.
 * @dirs: Directories to make for that user first, with those on the way;
 *        NULL ones are skipped.
 * @n: How many.
 *
 * A directory that is there has to be that user's, or empty and named without
 * symbolic links.
 *
 * Context: Main thread, before there are others.
 * Return: 0; -ENOENT for no such user; -EPERM for root, or when it takes
 * root; -ENOTEMPTY; -ELOOP; or another negative errno. The reason was logged.
 */
int confine_user(const char *name, const char *const *dirs, size_t n)
{
	struct passwd *pw = NULL;
	int ret;

	if (name) {
		errno = 0;
		pw = getpwnam(name);
		if (!pw) {
			ret = errno ? -errno : -ENOENT;
			say("there is no user %s: %s", name, strerror(-ret));
			return ret;
		}
	}
	if (pw ? !pw->pw_uid : !geteuid()) {
		say("does not run as root; give --user NAME");
		return -EPERM;
	}
	if (pw && geteuid() && geteuid() != pw->pw_uid) {
		say("only root can become %s", name);
		return -EPERM;
	}
	ret = make_dirs(dirs, n, pw);
	return !ret && pw && !geteuid() ? switch_user(pw) : ret;
}

/**
 * confine_privileges() - gain no privilege any more, by whatever program
 *
 * Nor can processes of the same user trace this one, or take its descriptors.
 *
 * Context: Main thread, before there are others.
 * Return: 0 or a negative errno, which was said.
 */
int confine_privileges(void)
{
	int ret = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ? -errno : 0;

	if (!ret && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		ret = -errno;
	if (ret)
		say("cannot give up privileges: %s", strerror(-ret));
	return ret;
}

/**
 * confine_calls() - give up all other system calls
 * @also: Calls to keep beside those that serving always takes.
 * @n: How many.
 *
 * They fail with EPERM from here on, in every thread, and none of these can
 * gain a privilege any more.
 *
 * Context: Main thread, when everything is set up.
 * Return: 0 or a negative errno.
 */
int confine_calls(const int *also, size_t n)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	size_t i;
	int ret;

	if (!ctx)
		return -ENOMEM;
	ret = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
	for (i = 0; !ret && i < sizeof(allowed) / sizeof(*allowed); i++)
		ret = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, allowed[i], 0);
	for (i = 0; !ret && i < n; i++)
		ret = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, also[i], 0);
	if (!ret)
		ret = seccomp_load(ctx);
	seccomp_release(ctx);
	return ret;
}
