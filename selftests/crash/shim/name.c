// SPDX-License-Identifier: GPL-2.0-only
/* Calls on names: files made, linked, renamed and taken away. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shim.h"

static bool there(const char *abs)
{
	struct stat st;

	return !lstat(abs, &st);
}

static int open_at(int dirfd, const char *name, int flags, mode_t mode)
{
	struct shim_call call = { .op.kind = CRASH_CREATE };
	bool unnamed = (flags & O_TMPFILE) == O_TMPFILE;
	struct stat st;
	long ret = -1;

	if (!(flags & (O_CREAT | O_TRUNC)) && !unnamed)
		return (int)syscall(SYS_openat, dirfd, name, flags, mode);
	if (!shim_at(call.abs, &call.path, dirfd, name))
		return (int)syscall(SYS_openat, dirfd, name, flags, mode);
	if (unnamed) {
		call.op.flags = CRASH_UNNAMED;
	} else if (there(call.abs)) {
		if (!(flags & O_TRUNC))
			return (int)syscall(SYS_openat, dirfd, name, flags,
					    mode);
		call.op.kind = CRASH_TRUNCATE;
	}
	if (shim_begin(&call) == SHIM_FAIL)
		return (int)shim_end(&call, -1);
	ret = syscall(SYS_openat, dirfd, name, flags, mode);
	if (ret >= 0 && !fstat((int)ret, &st))
		call.op.ino = st.st_ino;
	return (int)shim_end(&call, ret);
}

static mode_t mode_of(int flags, va_list ap)
{
	if (flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE)
		return va_arg(ap, mode_t);
	return 0;
}

SHIM_EXPORT int open(const char *name, int flags, ...)
{
	mode_t mode;
	va_list ap;

	va_start(ap, flags);
	mode = mode_of(flags, ap);
	va_end(ap);
	return open_at(AT_FDCWD, name, flags, mode);
}

SHIM_EXPORT int openat(int dirfd, const char *name, int flags, ...)
{
	mode_t mode;
	va_list ap;

	va_start(ap, flags);
	mode = mode_of(flags, ap);
	va_end(ap);
	return open_at(dirfd, name, flags, mode);
}

SHIM_EXPORT int creat(const char *name, mode_t mode)
{
	return open_at(AT_FDCWD, name, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

SHIM_EXPORT int truncate(const char *name, off_t len)
{
	int fd = open_at(AT_FDCWD, name, O_WRONLY, 0);
	int ret;

	if (fd < 0)
		return -1;
	ret = ftruncate(fd, len);
	close(fd);
	return ret;
}

SHIM_EXPORT int mkdirat(int dirfd, const char *name, mode_t mode)
{
	struct shim_call call = { .op.kind = CRASH_MKDIR };
	struct stat st;
	long ret = -1;

	if (!shim_at(call.abs, &call.path, dirfd, name) || there(call.abs))
		return (int)syscall(SYS_mkdirat, dirfd, name, mode);
	if (shim_begin(&call) != SHIM_FAIL) {
		ret = syscall(SYS_mkdirat, dirfd, name, mode);
		if (!ret && !lstat(call.abs, &st))
			call.op.ino = st.st_ino;
	}
	return (int)shim_end(&call, ret);
}

SHIM_EXPORT int mkdir(const char *name, mode_t mode)
{
	return mkdirat(AT_FDCWD, name, mode);
}

SHIM_EXPORT int unlinkat(int dirfd, const char *name, int flags)
{
	struct shim_call call = { .op.kind = flags & AT_REMOVEDIR ?
						     CRASH_RMDIR :
						     CRASH_UNLINK };
	long ret = -1;

	if (!shim_at(call.abs, &call.path, dirfd, name) || !there(call.abs))
		return (int)syscall(SYS_unlinkat, dirfd, name, flags);
	if (shim_begin(&call) != SHIM_FAIL)
		ret = syscall(SYS_unlinkat, dirfd, name, flags);
	return (int)shim_end(&call, ret);
}

SHIM_EXPORT int unlink(const char *name)
{
	return unlinkat(AT_FDCWD, name, 0);
}

SHIM_EXPORT int rmdir(const char *name)
{
	return unlinkat(AT_FDCWD, name, AT_REMOVEDIR);
}

SHIM_EXPORT int remove(const char *name)
{
	if (!unlinkat(AT_FDCWD, name, 0))
		return 0;
	return errno == EISDIR ? unlinkat(AT_FDCWD, name, AT_REMOVEDIR) : -1;
}

/* The way to name a file made by O_TMPFILE. */
static bool named_by_fd(const char *name, int *fd)
{
	return sscanf(name, "/proc/self/fd/%d", fd) == 1;
}

SHIM_EXPORT int linkat(int fromfd, const char *from, int tofd, const char *to,
		       int flags)
{
	struct shim_call call = { .op.kind = CRASH_LINK };
	int fd = fromfd, err;
	struct stat st;
	long ret = -1;

	if (!shim_at(call.abs, &call.path, tofd, to))
		return (int)syscall(SYS_linkat, fromfd, from, tofd, to, flags);
	if ((flags & AT_EMPTY_PATH && !*from) || named_by_fd(from, &fd))
		err = fstat(fd, &st);
	else
		err = fstatat(fromfd, from, &st,
			      flags & AT_SYMLINK_FOLLOW ? 0 :
							  AT_SYMLINK_NOFOLLOW);
	if (err)
		return -1;
	call.op.ino = st.st_ino;
	if (shim_begin(&call) != SHIM_FAIL)
		ret = syscall(SYS_linkat, fromfd, from, tofd, to, flags);
	return (int)shim_end(&call, ret);
}

SHIM_EXPORT int link(const char *from, const char *to)
{
	return linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
}

SHIM_EXPORT int renameat2(int fromfd, const char *from, int tofd,
			  const char *to, unsigned int flags)
{
	struct shim_call call = { .op.kind = flags & RENAME_EXCHANGE ?
						     CRASH_EXCHANGE :
						     CRASH_RENAME };
	long ret = -1;

	if (!shim_at(call.abs, &call.path, fromfd, from) ||
	    !shim_at(call.abs2, &call.path2, tofd, to))
		return (int)syscall(SYS_renameat2, fromfd, from, tofd, to,
				    flags);
	if (shim_begin(&call) != SHIM_FAIL)
		ret = syscall(SYS_renameat2, fromfd, from, tofd, to, flags);
	return (int)shim_end(&call, ret);
}

SHIM_EXPORT int renameat(int fromfd, const char *from, int tofd, const char *to)
{
	return renameat2(fromfd, from, tofd, to, 0);
}

SHIM_EXPORT int rename(const char *from, const char *to)
{
	return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0);
}

/* No store makes these, and the log has no word for them. */
SHIM_EXPORT int symlinkat(const char *target, int dirfd, const char *name)
{
	struct shim_call call = {};

	if (shim_at(call.abs, &call.path, dirfd, name)) {
		errno = EOPNOTSUPP;
		return -1;
	}
	return (int)syscall(SYS_symlinkat, target, dirfd, name);
}

SHIM_EXPORT int symlink(const char *target, const char *name)
{
	return symlinkat(target, AT_FDCWD, name);
}

/* What fortified programs call in place of open() with two arguments. */
int __open_2(const char *name, int flags);
int __open64_2(const char *name, int flags);
int __openat_2(int dirfd, const char *name, int flags);
int __openat64_2(int dirfd, const char *name, int flags);

SHIM_EXPORT int __open_2(const char *name, int flags)
{
	return open_at(AT_FDCWD, name, flags, 0);
}

SHIM_EXPORT int __open64_2(const char *name, int flags)
{
	return open_at(AT_FDCWD, name, flags, 0);
}

SHIM_EXPORT int __openat_2(int dirfd, const char *name, int flags)
{
	return open_at(dirfd, name, flags, 0);
}

SHIM_EXPORT int __openat64_2(int dirfd, const char *name, int flags)
{
	return open_at(dirfd, name, flags, 0);
}

#define AS(_name) __attribute__((alias(#_name)))

SHIM_EXPORT int open64(const char *name, int flags, ...) AS(open);
SHIM_EXPORT int openat64(int dirfd, const char *name, int flags, ...)
	AS(openat);
SHIM_EXPORT int creat64(const char *name, mode_t mode) AS(creat);
SHIM_EXPORT int truncate64(const char *name, off_t len) AS(truncate);
