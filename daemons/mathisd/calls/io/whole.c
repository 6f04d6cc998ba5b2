// SPDX-License-Identifier: GPL-2.0-only
/*
 * 0x0015 to 0x0018: whole files.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "calls/calls.h"
#include "core/path.h"

#define WHOLE_MAX (16U << 20)

/* Read to the end: 0, or MD_FAILED. */
static int read_all(struct md_call *c, int fd, char **data, size_t *n)
{
	size_t room = 65536;
	struct stat st;
	ssize_t got;

	if (fstat(fd, &st))
		return md_fail_errno(c, errno, "the file");
	if (!S_ISREG(st.st_mode))
		return md_fail(c, MATHIS_UNSUPPORTED, "it is no regular file");
	if (st.st_size >= (off_t)room)
		room = (size_t)(st.st_size < WHOLE_MAX ? st.st_size :
							 WHOLE_MAX) +
		       1;
	*n = 0;
	*data = md_alloc(c, room);
	while (*data) {
		got = read(fd, *data + *n, room - *n);
		if (got < 0 && errno != EINTR)
			return md_fail_errno(c, errno, "the file");
		if (!got)
			return MD_DONE;
		*n += got > 0 ? (size_t)got : 0;
		if (*n > WHOLE_MAX)
			return md_fail(c, MATHIS_LIMIT,
				       "the file has more than %u bytes",
				       WHOLE_MAX);
		if (*n == room) {
			char *more = md_alloc(c, room * 2);

			if (more)
				memcpy(more, *data, *n);
			*data = more;
			room *= 2;
		}
	}
	return MD_FAILED;
}

static int read_whole(struct md_call *c, uint32_t kind)
{
	const char *path = md_cstr(c, 0);
	int fd = path ? md_path_open(c, path, O_RDONLY, 0) : -1;
	char *data = NULL;
	size_t n = 0;
	int ret;

	if (fd < 0)
		return MD_FAILED;
	ret = read_all(c, fd, &data, &n);
	close(fd);
	return ret ?: md_return_own(c, kind, data, n);
}

int md_io_read_file(struct md_call *c)
{
	return read_whole(c, MATHIS_STR);
}

int md_io_read_file_bin(struct md_call *c)
{
	return read_whole(c, MATHIS_BYTES);
}

static int write_all(int fd, const char *data, size_t n)
{
	while (n) {
		ssize_t done = write(fd, data, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return -1;
		data += done;
		n -= (size_t)done;
	}
	return 0;
}

/* Write a new file and let it take the place of @name: 0, or -1 and errno. */
static int replace(int folder, const char *name, const char *data, size_t n)
{
	char part[40];
	struct stat st;
	mode_t mode = 0666;
	bool there = !fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW);
	uint64_t random;
	int fd, saved;

	if (there && !S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode)) {
		errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
		return -1;
	}
	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return -1;
	snprintf(part, sizeof(part), ".mathis-%016llx",
		 (unsigned long long)random);
	fd = openat(folder, part,
		    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd < 0)
		return -1;
	if (!(there && S_ISREG(st.st_mode) && fchmod(fd, st.st_mode & 0777)) &&
	    !write_all(fd, data, n) && !fsync(fd) &&
	    !renameat(folder, part, folder, name)) {
		close(fd);
		return 0;
	}
	saved = errno;
	unlinkat(folder, part, 0);
	close(fd);
	errno = saved;
	return -1;
}

static int write_whole(struct md_call *c, const char *data, size_t n)
{
	const char *path = md_cstr(c, 0);
	char name[NAME_MAX + 1];
	int folder, ret = MD_DONE;

	folder = path ? md_path_parent(c, "fs.write", path, name) : -1;
	if (folder < 0)
		return MD_FAILED;
	if (replace(folder, name, data, n))
		ret = md_fail_errno(c, errno, "the file");
	close(folder);
	return ret;
}

int md_io_write_file(struct md_call *c)
{
	return write_whole(c, c->args[1].text, c->args[1].n);
}

int md_io_write_file_bin(struct md_call *c)
{
	const struct mathis_item *data = &c->args[1];
	char *bytes;

	if (data->kind == MATHIS_BYTES)
		return write_whole(c, data->text, data->n);
	bytes = md_alloc(c, data->n);
	if (!bytes)
		return MD_FAILED;
	for (uint32_t i = 0; i < data->n; i++)
		bytes[i] = (char)data->items[i].i;
	return write_whole(c, bytes, data->n);
}
