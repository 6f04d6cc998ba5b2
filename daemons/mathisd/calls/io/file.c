// SPDX-License-Identifier: GPL-2.0-only
/*
 * 0x0001 to 0x0008: files by handle. The offset is the handle's own.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "calls/calls.h"
#include "core/path.h"
#include "file.h"

static void free_file(struct md_object *object)
{
	struct file *f = (struct file *)object;

	close(f->fd);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

struct file *file_get(struct md_call *c)
{
	return (struct file *)md_handle_get(c, MD_KIND_file, &c->args[0]);
}

static int open_flags(int64_t flags)
{
	int how = (flags & 3) == 3   ? O_RDWR :
		  flags & FILE_WRITE ? O_WRONLY :
				       O_RDONLY;

	how |= flags & FILE_CREATE ? O_CREAT : 0;
	how |= flags & FILE_TRUNCATE ? O_TRUNC : 0;
	return how | (flags & FILE_APPEND ? O_APPEND : 0);
}

static int check_flags(struct md_call *c)
{
	int64_t flags = c->args[1].i;

	if (flags & ~(FILE_READ | FILE_WRITE | FILE_CREATE | FILE_TRUNCATE |
		      FILE_APPEND))
		return md_fail(c, MATHIS_ARG_RANGE, "unknown flags: 0x%llx",
			       (unsigned long long)flags);
	if (!(flags & (FILE_READ | FILE_WRITE)))
		return md_fail(c, MATHIS_ARG_RANGE,
			       "the flags have neither read nor write");
	if (flags & (FILE_CREATE | FILE_TRUNCATE | FILE_APPEND) &&
	    !(flags & FILE_WRITE))
		return md_fail(c, MATHIS_ARG_RANGE,
			       "create, truncate and append need write");
	return MD_DONE;
}

int file_return(struct md_call *c, int fd, int64_t flags)
{
	struct stat st;
	struct file *f;

	f = calloc(1, sizeof(*f));
	if (!f || fstat(fd, &st) || S_ISDIR(st.st_mode)) {
		free(f);
		close(fd);
		return f ? md_fail(c, MATHIS_UNSUPPORTED, "it is a folder") :
			   md_fail(c, MATHIS_OUT_OF_MEMORY, "no memory");
	}
	md_object_init(&f->base, free_file);
	pthread_mutex_init(&f->lock, NULL);
	f->fd = fd;
	f->reads = flags & FILE_READ;
	f->writes = flags & FILE_WRITE;
	f->appends = flags & FILE_APPEND;
	f->seeks = S_ISREG(st.st_mode);
	return md_return_handle(c, MD_KIND_file, &f->base);
}

int md_io_open(struct md_call *c)
{
	const char *path = md_cstr(c, 0);
	int64_t flags = c->args[1].i;
	int fd;

	if (!path || check_flags(c))
		return MD_FAILED;
	fd = md_path_open(c, path, open_flags(flags), 0640);
	return fd < 0 ? MD_FAILED : file_return(c, fd, flags);
}

/* A file without offsets needs no lock, and may make a call wait. */
static void lock_offset(struct file *f)
{
	if (f->seeks)
		pthread_mutex_lock(&f->lock);
}

static void unlock_offset(struct file *f)
{
	if (f->seeks)
		pthread_mutex_unlock(&f->lock);
}

/* Wait until a file that is not regular may go on. */
static int wait_for(struct md_call *c, const struct file *f, short events)
{
	if (f->seeks || !(errno == EAGAIN || errno == EINTR))
		return md_fail_errno(c, errno, "the file");
	return md_wait(c, f->fd, events, -1);
}

static int read_some(struct md_call *c, struct file *f, size_t len)
{
	char *data = md_alloc(c, len);
	ssize_t n;

	if (!data)
		return MD_FAILED;
	for (;;) {
		n = f->seeks ? pread(f->fd, data, len, f->offset) :
			       read(f->fd, data, len);
		if (n >= 0)
			break;
		if (wait_for(c, f, POLLIN))
			return MD_FAILED;
	}
	if (f->seeks)
		f->offset += n;
	return md_return_own(c, MATHIS_BYTES, data, (size_t)n);
}

int md_io_read(struct md_call *c)
{
	struct file *f = file_get(c);
	int ret;

	if (!f)
		return MD_FAILED;
	if (!f->reads) {
		ret = md_fail(c, MATHIS_BAD_OPERATION,
			      "the file is open to be written only");
	} else {
		lock_offset(f);
		ret = read_some(c, f, (size_t)c->args[1].i);
		unlock_offset(f);
	}
	md_object_put(&f->base);
	return ret;
}

static ssize_t write_some(struct file *f, const char *data, size_t n)
{
	if (f->appends || !f->seeks)
		return write(f->fd, data, n);
	return pwrite(f->fd, data, n, f->offset);
}

static int write_all(struct md_call *c, struct file *f)
{
	const struct mathis_item *data = &c->args[1];
	size_t done = 0;

	while (done < data->n) {
		ssize_t n = write_some(f, data->text + done, data->n - done);

		if (n > 0) {
			done += (size_t)n;
			if (f->seeks)
				f->offset += n;
		} else if (wait_for(c, f, POLLOUT)) {
			md_detail(c, "written", mathis_item_int((int64_t)done));
			return MD_FAILED;
		}
	}
	return md_return_int(c, data->n);
}

int md_io_write(struct md_call *c)
{
	struct file *f = file_get(c);
	int ret;

	if (!f)
		return MD_FAILED;
	if (!f->writes) {
		ret = md_fail(c, MATHIS_BAD_OPERATION,
			      "the file is open to be read only");
	} else {
		lock_offset(f);
		ret = write_all(c, f);
		unlock_offset(f);
	}
	md_object_put(&f->base);
	return ret;
}

int md_io_close(struct md_call *c)
{
	return md_handle_close(c, MD_KIND_file, &c->args[0]);
}

static int seek(struct md_call *c, struct file *f)
{
	int64_t from = 0;
	struct stat st;

	if (!f->seeks)
		return md_fail(c, MATHIS_UNSUPPORTED,
			       "the file has no offsets");
	if (c->args[2].i == 1) {
		from = f->offset;
	} else if (c->args[2].i == 2) {
		if (fstat(f->fd, &st))
			return md_fail_errno(c, errno, "the file");
		from = st.st_size;
	}
	if (__builtin_add_overflow(from, c->args[1].i, &from) || from < 0)
		return md_fail(c, MATHIS_ARG_RANGE,
			       "the offset is negative or too large");
	f->offset = from;
	return md_return_int(c, from);
}

int md_io_seek(struct md_call *c)
{
	struct file *f = file_get(c);
	int ret;

	if (!f)
		return MD_FAILED;
	lock_offset(f);
	ret = seek(c, f);
	unlock_offset(f);
	md_object_put(&f->base);
	return ret;
}

int md_io_flush(struct md_call *c)
{
	struct file *f = file_get(c);
	int ret = MD_DONE;

	if (!f)
		return MD_FAILED;
	/* A pipe has nothing to flush. */
	if (f->seeks && fdatasync(f->fd))
		ret = md_fail_errno(c, errno, "the file");
	md_object_put(&f->base);
	return ret;
}

static int64_t ns(const struct statx_timestamp *t)
{
	return t->tv_sec * 1000000000 + t->tv_nsec;
}

const char *file_type(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return "file";
	case S_IFDIR:
		return "dir";
	case S_IFLNK:
		return "link";
	case S_IFIFO:
		return "fifo";
	case S_IFSOCK:
		return "socket";
	case S_IFCHR:
		return "char";
	default:
		return "block";
	}
}

int file_stat(struct md_call *c, int flags)
{
	const char *path = md_cstr(c, 0);
	struct mathis_item map;
	struct statx st;
	int fd, ret;

	fd = path ? md_path_find(c, "fs.read", path, flags) : -1;
	if (fd < 0)
		return MD_FAILED;
	ret = statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME,
		    &st);
	if (ret)
		md_fail_errno(c, errno, "the file");
	close(fd);
	if (ret)
		return MD_FAILED;
	map = mathis_item_seq(&c->pool, MATHIS_MAP, 16);
#define PUT(_key, _value) mathis_item_put(&c->pool, &map, _key, _value)
	PUT("size", mathis_item_int((int64_t)st.stx_size));
	PUT("type", md_text(c, file_type(st.stx_mode)));
	PUT("mode", mathis_item_int(st.stx_mode & 07777));
	PUT("mtime_ns", mathis_item_int(ns(&st.stx_mtime)));
	PUT("atime_ns", mathis_item_int(ns(&st.stx_atime)));
	PUT("ctime_ns", mathis_item_int(ns(&st.stx_ctime)));
	if (st.stx_mask & STATX_BTIME)
		PUT("btime_ns", mathis_item_int(ns(&st.stx_btime)));
	PUT("nlink", mathis_item_int(st.stx_nlink));
#undef PUT
	return md_return(c, map);
}

int md_io_stat(struct md_call *c)
{
	return file_stat(c, 0);
}

int md_io_exists(struct md_call *c)
{
	const char *path = md_cstr(c, 0);
	int fd = path ? md_path_find(c, "fs.read", path, 0) : -1;

	if (fd < 0)
		return path && c->code == MATHIS_NOT_FOUND ?
			       md_return_bool(c, false) :
			       MD_FAILED;
	close(fd);
	return md_return_bool(c, true);
}
