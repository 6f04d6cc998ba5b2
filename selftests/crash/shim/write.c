// SPDX-License-Identifier: GPL-2.0-only
/* Calls on an open file: its bytes, its length, its way to the disk. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shim.h"

static uint64_t ino_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? 0 : st.st_ino;
}

static off_t position(int fd)
{
	struct stat st;

	if (fcntl(fd, F_GETFL) & O_APPEND && !fstat(fd, &st))
		return st.st_size;
	return lseek(fd, 0, SEEK_CUR);
}

static long raw_write(int fd, const struct iovec *iov, int n, off_t offset)
{
	if (offset < 0)
		return syscall(SYS_writev, fd, iov, n);
	return syscall(SYS_pwritev, fd, iov, n, offset, 0L);
}

/**
 * shim_write() - any of the calls that write
 * @fd: File.
 * @iov: What.
 * @n: Parts of it.
 * @offset: Where; negative = where the file stands.
 *
 * Return: As writev(2).
 */
long shim_write(int fd, const struct iovec *iov, int n, off_t offset)
{
	struct shim_call call = { .op.kind = CRASH_WRITE };
	struct iovec flat;
	long ret = -1;
	char *data;
	int i;

	if (!shim_on())
		return raw_write(fd, iov, n, offset);
	if (n == 1 && shim_is_notes(fd)) {
		shim_note(iov->iov_base, iov->iov_len);
		return raw_write(fd, iov, n, offset);
	}
	if (!shim_fd(&call, fd))
		return raw_write(fd, iov, n, offset);
	for (i = 0; i < n; i++)
		call.op.len += iov[i].iov_len;
	data = malloc(call.op.len + 1);
	if (!data)
		abort();
	flat.iov_base = data;
	flat.iov_len = 0;
	for (i = 0; i < n; i++) {
		memcpy(data + flat.iov_len, iov[i].iov_base, iov[i].iov_len);
		flat.iov_len += iov[i].iov_len;
	}
	call.data = data;
	switch (shim_begin(&call)) {
	case SHIM_HALF:
		flat.iov_len = (flat.iov_len + 1) / 2;
		__attribute__((fallthrough));
	case SHIM_GO:
		call.op.ino = ino_of(fd);
		call.op.offset = (uint64_t)(offset < 0 ? position(fd) : offset);
		ret = raw_write(fd, &flat, 1, offset);
		call.op.len = ret < 0 ? 0 : (uint64_t)ret;
		shim_torn();
		break;
	case SHIM_FAIL:
		call.op.len = 0;
		break;
	}
	ret = shim_end(&call, ret);
	free(data);
	return ret;
}

SHIM_EXPORT ssize_t write(int fd, const void *buf, size_t len)
{
	return shim_write(fd, &(struct iovec){ (void *)buf, len }, 1, -1);
}

SHIM_EXPORT ssize_t writev(int fd, const struct iovec *iov, int n)
{
	return shim_write(fd, iov, n, -1);
}

SHIM_EXPORT ssize_t pwrite(int fd, const void *buf, size_t len, off_t offset)
{
	return shim_write(fd, &(struct iovec){ (void *)buf, len }, 1, offset);
}

SHIM_EXPORT ssize_t pwritev(int fd, const struct iovec *iov, int n,
			    off_t offset)
{
	return shim_write(fd, iov, n, offset);
}

SHIM_EXPORT ssize_t pwritev2(int fd, const struct iovec *iov, int n,
			     off_t offset, int flags)
{
	if (flags) {
		errno = EOPNOTSUPP;
		return -1;
	}
	return shim_write(fd, iov, n, offset);
}

/* Copies that pass by the program go through it, so that they are seen. */
static ssize_t copy(int in, off_t *from, int out, off_t *to, size_t len)
{
	char buf[65536];
	struct iovec iov = { .iov_base = buf };
	ssize_t n;

	if (len > sizeof(buf))
		len = sizeof(buf);
	n = from ? pread(in, buf, len, *from) : read(in, buf, len);
	if (n <= 0)
		return n;
	iov.iov_len = (size_t)n;
	n = shim_write(out, &iov, 1, to ? *to : -1);
	if (n > 0 && from)
		*from += n;
	if (n > 0 && to)
		*to += n;
	return n;
}

SHIM_EXPORT ssize_t sendfile(int out, int in, off_t *offset, size_t len)
{
	struct shim_call call = {};

	if (!shim_fd(&call, out))
		return syscall(SYS_sendfile, out, in, offset, len);
	return copy(in, offset, out, NULL, len);
}

SHIM_EXPORT ssize_t copy_file_range(int in, off_t *from, int out, off_t *to,
				    size_t len, unsigned int flags)
{
	struct shim_call call = {};

	if (!shim_fd(&call, out))
		return syscall(SYS_copy_file_range, in, from, out, to, len,
			       flags);
	return copy(in, from, out, to, len);
}

SHIM_EXPORT int ftruncate(int fd, off_t len)
{
	struct shim_call call = { .op = { .kind = CRASH_TRUNCATE,
					  .offset = (uint64_t)len } };
	long ret = -1;

	if (!shim_fd(&call, fd))
		return (int)syscall(SYS_ftruncate, fd, len);
	if (shim_begin(&call) != SHIM_FAIL) {
		call.op.ino = ino_of(fd);
		ret = syscall(SYS_ftruncate, fd, len);
	}
	return (int)shim_end(&call, ret);
}

/* Without a change of length or content it is no operation on the disk. */
SHIM_EXPORT int fallocate(int fd, int mode, off_t offset, off_t len)
{
	struct shim_call call = { .op = { .kind = CRASH_ZERO,
					  .offset = (uint64_t)offset,
					  .len = (uint64_t)len } };
	struct stat st;
	long ret = -1;

	if (!shim_fd(&call, fd))
		return (int)syscall(SYS_fallocate, fd, mode, offset, len);
	if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE |
		     FALLOC_FL_ZERO_RANGE)) {
		errno = EOPNOTSUPP;
		return -1;
	}
	if (shim_begin(&call) == SHIM_FAIL)
		return (int)shim_end(&call, -1);
	call.op.ino = ino_of(fd);
	if (!(mode & ~FALLOC_FL_KEEP_SIZE)) {
		call.op.kind = CRASH_TRUNCATE;
		if (fstat(fd, &st) || mode ||
		    (uint64_t)(offset + len) < (uint64_t)st.st_size)
			call.op.offset = (uint64_t)st.st_size;
		else
			call.op.offset = (uint64_t)(offset + len);
		call.op.len = 0;
	}
	ret = syscall(SYS_fallocate, fd, mode, offset, len);
	return (int)shim_end(&call, ret);
}

SHIM_EXPORT int posix_fallocate(int fd, off_t offset, off_t len)
{
	return fallocate(fd, 0, offset, len) ? errno : 0;
}

static int sync_one(int fd, long nr)
{
	struct shim_call call = { .op.kind = CRASH_SYNC };
	long ret = -1;

	if (!shim_fd(&call, fd))
		return (int)syscall(nr, fd);
	call.op.ino = ino_of(fd);
	if (shim_begin(&call) != SHIM_FAIL)
		ret = syscall(nr, fd);
	return (int)shim_end(&call, ret);
}

SHIM_EXPORT int fsync(int fd)
{
	return sync_one(fd, SYS_fsync);
}

SHIM_EXPORT int fdatasync(int fd)
{
	return sync_one(fd, SYS_fdatasync);
}

SHIM_EXPORT int syncfs(int fd)
{
	struct shim_call call = { .op.kind = CRASH_SYNC_ALL };
	long ret = -1;

	if (!shim_fd(&call, fd))
		return (int)syscall(SYS_syncfs, fd);
	if (shim_begin(&call) != SHIM_FAIL)
		ret = syscall(SYS_syncfs, fd);
	return (int)shim_end(&call, ret);
}

SHIM_EXPORT void sync(void)
{
	struct shim_call call = { .op.kind = CRASH_SYNC_ALL, .path = "" };

	if (!shim_on()) {
		syscall(SYS_sync);
		return;
	}
	if (shim_begin(&call) != SHIM_FAIL)
		syscall(SYS_sync);
	shim_end(&call, 0);
}

/* It makes no promise that outlives a power cut, so it is none here. */
SHIM_EXPORT int sync_file_range(int fd, off_t offset, off_t len,
				unsigned int flags)
{
	return (int)syscall(SYS_sync_file_range, fd, offset, len, flags);
}

/*
 * What is written through a mapping would escape the log. SQLite's -shm is
 * not looked at after a crash.
 */
SHIM_EXPORT void *mmap(void *addr, size_t len, int prot, int flags, int fd,
		       off_t offset)
{
	struct shim_call call = {};
	size_t n;

	if (fd >= 0 && prot & PROT_WRITE && !(flags & MAP_PRIVATE) &&
	    shim_fd(&call, fd)) {
		n = strlen(call.path);
		if (n < 4 || strcmp(call.path + n - 4, "-shm")) {
			dprintf(STDERR_FILENO,
				"crash shim: %s is written through a mapping\n",
				call.path);
			abort();
		}
	}
	return (void *)syscall(SYS_mmap, addr, len, prot, flags, fd, offset);
}

#define AS(_name) __attribute__((alias(#_name)))

SHIM_EXPORT ssize_t pwrite64(int fd, const void *buf, size_t n, off_t offset)
	AS(pwrite);
SHIM_EXPORT ssize_t pwritev64(int fd, const struct iovec *iov, int n,
			      off_t offset) AS(pwritev);
SHIM_EXPORT ssize_t pwritev64v2(int fd, const struct iovec *iov, int n,
				off_t offset, int flags) AS(pwritev2);
SHIM_EXPORT ssize_t sendfile64(int out, int in, off_t *offset, size_t len)
	AS(sendfile);
SHIM_EXPORT int ftruncate64(int fd, off_t len) AS(ftruncate);
SHIM_EXPORT int fallocate64(int fd, int mode, off_t offset, off_t len)
	AS(fallocate);
SHIM_EXPORT int posix_fallocate64(int fd, off_t offset, off_t len)
	AS(posix_fallocate);
SHIM_EXPORT void *mmap64(void *addr, size_t len, int prot, int flags, int fd,
			 off_t offset) AS(mmap);
