// SPDX-License-Identifier: GPL-2.0-only
/*
 * 0x0607, 0x0608, 0x060C to 0x060E: modes, sizes, locks, and links themselves.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "calls/calls.h"
#include "calls/io/file.h"
#include "core/path.h"

int md_fs_chmod(struct md_call *c)
{
	const char *path = md_cstr(c, 0);
	int fd = path ? md_path_find(c, "fs.write", path, 0) : -1;
	char link[32];
	int ret;

	if (fd < 0)
		return MD_FAILED;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ret = md_path_plain(c, fd);
	if (!ret && chmod(link, (mode_t)c->args[1].i))
		ret = md_fail_errno(c, errno, "the mode");
	close(fd);
	return ret;
}

int md_fs_truncate(struct md_call *c)
{
	const char *path = md_cstr(c, 0);
	int fd = path ? md_path_open(c, path, O_WRONLY, 0) : -1;
	int ret = MD_DONE;
	struct stat st;

	if (fd < 0)
		return MD_FAILED;
	if (fstat(fd, &st))
		ret = md_fail_errno(c, errno, "the file");
	else if (!S_ISREG(st.st_mode))
		ret = md_fail(c, MATHIS_UNSUPPORTED, "it is no regular file");
	else if (ftruncate(fd, c->args[1].i))
		ret = md_fail_errno(c, errno, "the size");
	close(fd);
	return ret;
}

/* Lock or unlock a file, at once. */
static int set_lock(struct md_call *c, int how)
{
	struct file *f = file_get(c);
	int ret = MD_DONE;

	if (!f)
		return MD_FAILED;
	if (!f->seeks)
		ret = md_fail(c, MATHIS_UNSUPPORTED, "it is no regular file");
	else if (flock(f->fd, how | LOCK_NB))
		ret = errno == EWOULDBLOCK ?
			      MD_LATER :
			      md_fail_errno(c, errno, "the lock");
	md_object_put(&f->base);
	return ret;
}

int md_fs_lock(struct md_call *c)
{
	int ret = set_lock(c, c->args[1].i ? LOCK_SH : LOCK_EX);

	return ret == MD_FAILED ? ret : md_return_bool(c, ret == MD_DONE);
}

int md_fs_unlock(struct md_call *c)
{
	return set_lock(c, LOCK_UN);
}

int md_fs_lstat(struct md_call *c)
{
	return file_stat(c, O_NOFOLLOW);
}
