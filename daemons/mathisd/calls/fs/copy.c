// SPDX-License-Identifier: GPL-2.0-only
/*
 * 0x0604, 0x0605: copies of files, and temporary files.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "calls/calls.h"
#include "calls/io/file.h"
#include "place.h"

#define STEP (8U << 20) /* between two looks whether the call is to stop */
#define BLOCK 65536

/* Write bytes that were read: 0, or -1 and errno. */
static int write_all(int fd, const char *data, size_t n)
{
	while (n) {
		ssize_t done = write(fd, data, n);

		if (done < 0 && errno != EINTR)
			return -1;
		data += done < 0 ? 0 : done;
		n -= done < 0 ? 0 : (size_t)done;
	}
	return 0;
}

/* Copy a step: its bytes, 0 at the end, or -1 and errno. */
static ssize_t copy_step(int in, int out, bool *plain, char *block)
{
	ssize_t n;

	if (!*plain) {
		n = copy_file_range(in, NULL, out, NULL, STEP, 0);
		if (n >= 0 || (errno != EXDEV && errno != EINVAL &&
			       errno != ENOSYS && errno != EOPNOTSUPP))
			return n;
		*plain = true;
	}
	do
		n = read(in, block, BLOCK);
	while (n < 0 && errno == EINTR);
	return n > 0 && write_all(out, block, (size_t)n) ? -1 : n;
}

static int copy_all(struct md_call *c, int in, int out, int64_t *total)
{
	char *block = md_alloc(c, BLOCK);
	bool plain = false;
	ssize_t n;

	if (!block)
		return MD_FAILED;
	for (;;) {
		if (md_stopped(c))
			return MD_FAILED;
		n = copy_step(in, out, &plain, block);
		if (n < 0)
			return md_fail_errno(c, errno, "the copy");
		if (!n)
			return MD_DONE;
		*total += n;
	}
}

/* Copy into a new file, which then gets the name. */
static int copy_to(struct md_call *c, int in, const struct place *to)
{
	char temp[NAME_MAX + 1];
	int64_t total = 0;
	struct stat st;
	int out, ret;

	if (fstat(in, &st))
		return md_fail_errno(c, errno, "the file");
	if (!S_ISREG(st.st_mode))
		return md_fail(c, MATHIS_UNSUPPORTED, "it is no regular file");
	out = place_temp(to->folder, ".mathis-", temp);
	if (out < 0)
		return md_fail_errno(c, errno, "the copy");
	ret = copy_all(c, in, out, &total);
	if (!ret && (fchmod(out, st.st_mode & 0777) ||
		     renameat(to->folder, temp, to->folder, to->name)))
		ret = md_fail_errno(c, errno, "the copy");
	if (ret)
		unlinkat(to->folder, temp, 0);
	close(out);
	return ret ?: md_return_int(c, total);
}

int md_fs_copy(struct md_call *c)
{
	const char *path = md_cstr(c, 0);
	int in = path ? md_path_open(c, path, O_RDONLY, 0) : -1;
	struct place to;
	int ret;

	if (in < 0)
		return MD_FAILED;
	ret = place_of(c, 1, &to);
	if (!ret) {
		ret = copy_to(c, in, &to);
		place_close(&to);
	}
	close(in);
	return ret;
}

/* A file was made: return its path and handle. */
static int return_temp(struct md_call *c, const char *folder, const char *name,
		       int fd)
{
	char path[PATH_MAX + NAME_MAX + 2];
	struct mathis_item map;
	size_t n = strlen(folder);

	snprintf(path, sizeof(path), "%s%s%s", folder,
		 n && folder[n - 1] == '/' ? "" : "/", name);
	if (file_return(c, fd, FILE_READ | FILE_WRITE))
		return MD_FAILED;
	map = mathis_item_seq(&c->pool, MATHIS_MAP, 2);
	mathis_item_put(&c->pool, &map, "path", md_text(c, path));
	mathis_item_put(&c->pool, &map, "file", c->result);
	return md_return(c, map);
}

int md_fs_tempfile(struct md_call *c)
{
	const char *folder = md_cstr(c, 0);
	char path[PATH_MAX + 2], name[NAME_MAX + 1];
	struct place p;
	int fd;

	if (!folder)
		return MD_FAILED;
	/* Any name in the folder shows whether it may be written. */
	snprintf(path, sizeof(path), "%.*s/x", PATH_MAX - 1, folder);
	if (place_find(c, path, &p))
		return MD_FAILED;
	fd = place_temp(p.folder, "tmp-", name);
	if (fd < 0)
		md_fail_errno(c, errno, "the file");
	place_close(&p);
	return fd < 0 ? MD_FAILED : return_temp(c, folder, name, fd);
}
