// SPDX-License-Identifier: GPL-2.0-only
/* Content that is being written, in a file without a name. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "view_impl.h"
#include "store/put.h"

#define PIECE (1U << 20)
#define JUMP (64U << 20)
#define HOLE_STEP ((uint64_t)16 << 20) /* between two looks at a signal */

/**
 * vdfs_stage_new() - begin without content
 * @store: Where those who write are charged.
 * @out: Out: the stage.
 *
 * Return: 0 or -ENOMEM.
 */
int vdfs_stage_new(struct vdfs_store *store, struct vdfs_stage **out)
{
	struct vdfs_stage *stage = calloc(1, sizeof(*stage));

	if (!stage)
		return -ENOMEM;
	stage->store = store;
	pthread_rwlock_init(&stage->lock, NULL);
	pthread_mutex_init(&stage->committing, NULL);
	stage->fd = -1;
	*out = stage;
	return 0;
}

/**
 * vdfs_stage_begin() - begin as a blob is
 * @stage: Nothing was done to it yet.
 * @base: The blob, which is the stage's from now on; NULL = nothing.
 */
void vdfs_stage_begin(struct vdfs_stage *stage, struct vdfs_blob *base)
{
	stage->base = base;
	stage->size = base ? vdfs_blob_size(base) : 0;
}

/**
 * vdfs_stage_free() - forget what was not committed
 * @stage: Nobody uses it any more. May be NULL.
 */
void vdfs_stage_free(struct vdfs_stage *stage)
{
	if (!stage)
		return;
	if (stage->fd >= 0)
		close(stage->fd);
	if (stage->base)
		vdfs_blob_close(stage->base);
	vdfs_stage_uncharge(stage);
	pthread_rwlock_destroy(&stage->lock);
	pthread_mutex_destroy(&stage->committing);
	free(stage);
}

static int write_all(int fd, const char *buf, size_t len, uint64_t offset)
{
	while (len) {
		ssize_t n = pwrite(fd, buf, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		buf += n;
		len -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

static bool is_zeros(const char *buf, size_t len)
{
	return !buf[0] && !memcmp(buf, buf + 1, len - 1);
}

/* Zeros become a hole: they take no room, and are not read again. */
static int copy_base(struct vdfs_blob *base, int fd, uint64_t end)
{
	char *buf = malloc(PIECE);
	uint64_t at = 0;
	int err = buf ? 0 : -ENOMEM;

	while (!err && at < end) {
		size_t want = end - at < PIECE ? end - at : PIECE;
		ssize_t n = vdfs_blob_read(base, buf, want, at);

		if (n <= 0)
			err = n ? (int)n : -EIO;
		else if (!is_zeros(buf, (size_t)n))
			err = write_all(fd, buf, (size_t)n, at);
		if (!err)
			at += (uint64_t)n;
	}
	free(buf);
	if (!err && ftruncate(fd, (off_t)end) < 0)
		err = -errno;
	return err;
}

/*
 * Have a file, with what the blob has before @keep and so long that it can be
 * @size. The lock is held.
 */
static int load(struct vdfs_fuse *fuse, struct vdfs_stage *stage,
		const struct vdfs_who *who, uint64_t keep, uint64_t size)
{
	int fd, err;

	if (size < stage->size && size < keep)
		size = stage->size < keep ? stage->size : keep;
	err = vdfs_stage_charge(stage, who, size);
	if (err || stage->fd >= 0)
		return err;
	fd = open(fuse->stage_dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0) {
		err = -errno;
		vdfs_stage_trim(stage, 0);
		return err;
	}
	if (stage->base) {
		if (keep > vdfs_blob_size(stage->base))
			keep = vdfs_blob_size(stage->base);
		err = copy_base(stage->base, fd, keep);
	}
	if (err) {
		close(fd);
		vdfs_stage_trim(stage, 0);
		return err;
	}
	if (stage->base)
		vdfs_blob_close(stage->base);
	stage->base = NULL;
	stage->fd = fd;
	return 0;
}

/*
 * A hole takes no room here, but all of it is hashed and stored when it is
 * committed: a jump is not to lead farther than the disk does.
 */
static int check_jump(struct vdfs_fuse *fuse, struct vdfs_stage *stage,
		      uint64_t end)
{
	struct statvfs st;

	if (end > INT64_MAX)
		return -EFBIG;
	/* Room that is kept for deletions is not taken here either. */
	if (vdfs_store_room(fuse->store))
		return -ENOSPC;
	if (end <= stage->size || end - stage->size < JUMP)
		return 0;
	if (statvfs(fuse->stage_dir, &st) < 0)
		return -errno;
	return end / st.f_frsize > st.f_bavail ? -ENOSPC : 0;
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/* The lock is held. */
static void changed(struct vdfs_stage *stage)
{
	vdfs_stage_set_time(stage, now_ns());
	stage->dirty = true;
	stage->blank = false;
	stage->failed = false;
	stage->refused = 0;
}

/**
 * vdfs_stage_set_time() - note when a file was written
 * @stage: The content being written, whose lock is held.
 * @mtime_ns: CLOCK_REALTIME, or as a user sets it.
 *
 * Context: Any thread.
 */
void vdfs_stage_set_time(struct vdfs_stage *stage, int64_t mtime_ns)
{
	stage->mtime_ns = mtime_ns;
	stage->ctime_ns = now_ns();
}

/*
 * A file that was truncated to be written, and could not be, keeps its content.
 * The lock is held.
 */
static void refuse(struct vdfs_stage *stage, int err)
{
	if (stage->blank)
		stage->refused = err;
}

/**
 * vdfs_stage_read() - read the bytes staged so far
 * @stage: Which.
 * @buf: Out.
 * @len: Room in it.
 * @offset: Where to begin.
 *
 * Return: Bytes, 0 at the end, or a negative errno.
 */
ssize_t vdfs_stage_read(struct vdfs_stage *stage, void *buf, size_t len,
			uint64_t offset)
{
	ssize_t n = 0;

	pthread_rwlock_rdlock(&stage->lock);
	if (stage->fd >= 0) {
		n = pread(stage->fd, buf, len, (off_t)offset);
		if (n < 0)
			n = -errno;
	} else if (stage->base) {
		n = vdfs_blob_read(stage->base, buf, len, offset);
	}
	pthread_rwlock_unlock(&stage->lock);
	return n;
}

/**
 * vdfs_stage_write() - write
 * @fuse: Of which view.
 * @stage: Which.
 * @who: The user who writes.
 * @buf: Bytes to write.
 * @len: Number of these.
 * @offset: Where.
 *
 * Return: 0, -ENOSPC, -EDQUOT, or another negative errno.
 */
int vdfs_stage_write(struct vdfs_fuse *fuse, struct vdfs_stage *stage,
		     const struct vdfs_who *who, const void *buf, size_t len,
		     uint64_t offset)
{
	int err;

	pthread_rwlock_wrlock(&stage->lock);
	err = check_jump(fuse, stage, offset + len);
	if (!err)
		err = load(fuse, stage, who, UINT64_MAX, offset + len);
	if (!err)
		err = write_all(stage->fd, buf, len, offset);
	if (!err) {
		if (offset + len > stage->size)
			stage->size = offset + len;
		changed(stage);
	} else {
		refuse(stage, err);
	}
	pthread_rwlock_unlock(&stage->lock);
	return err;
}

/**
 * vdfs_stage_truncate() - cut, or lengthen with zeros
 * @fuse: Of which view.
 * @stage: Which.
 * @who: The user who does.
 * @size: To this.
 *
 * Return: 0 or a negative errno.
 */
int vdfs_stage_truncate(struct vdfs_fuse *fuse, struct vdfs_stage *stage,
			const struct vdfs_who *who, uint64_t size)
{
	int err;

	pthread_rwlock_wrlock(&stage->lock);
	err = check_jump(fuse, stage, size);
	if (!err)
		err = load(fuse, stage, who, size, size);
	if (!err && ftruncate(stage->fd, (off_t)size) < 0)
		err = -errno;
	if (!err) {
		stage->size = size;
		vdfs_stage_trim(stage, size);
		changed(stage);
	}
	pthread_rwlock_unlock(&stage->lock);
	return err;
}

/**
 * vdfs_stage_allocate() - be at least so long
 * @fuse: Of which view.
 * @stage: Which.
 * @who: The user who wants it.
 * @end: Bytes.
 *
 * Return: 0 or a negative errno.
 */
int vdfs_stage_allocate(struct vdfs_fuse *fuse, struct vdfs_stage *stage,
			const struct vdfs_who *who, uint64_t end)
{
	int err;

	pthread_rwlock_wrlock(&stage->lock);
	err = check_jump(fuse, stage, end);
	if (!err)
		err = load(fuse, stage, who, UINT64_MAX, end);
	if (!err)
		err = -posix_fallocate(stage->fd, 0, (off_t)end);
	if (!err && end > stage->size) {
		stage->size = end;
		changed(stage);
	} else if (err) {
		refuse(stage, err);
	}
	pthread_rwlock_unlock(&stage->lock);
	return err;
}

/*
 * Where data or a hole begins, @at or behind; the end where there is none. A file
 * system that does not tell has data everywhere.
 */
static uint64_t seek_to(const struct vdfs_stage *stage, uint64_t at, int whence)
{
	off_t found = lseek(stage->fd, (off_t)at, whence);

	if (found < 0)
		return whence == SEEK_DATA && errno != ENXIO ? at : stage->size;
	return (uint64_t)found < stage->size ? (uint64_t)found : stage->size;
}

/* Put the next bytes, up to @end, which are data: how many, or an errno. */
static ssize_t put_data(struct vdfs_stage *stage, struct vdfs_put *put,
			char *buf, uint64_t at, uint64_t end)
{
	size_t want = end - at < PIECE ? (size_t)(end - at) : PIECE;
	ssize_t n;
	int err;

	do {
		n = pread(stage->fd, buf, want, (off_t)at);
	} while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n ? -errno : -EIO;
	err = vdfs_put_write(put, buf, (size_t)n);
	return err ? err : n;
}

static ssize_t put_zeros(struct vdfs_put *put, uint64_t len)
{
	int err;

	if (len > HOLE_STEP)
		len = HOLE_STEP;
	err = vdfs_put_zeros(put, len);
	return err ? err : (ssize_t)len;
}

/* Holes are not read. */
static int put_content(struct vdfs_call *call, struct vdfs_stage *stage,
		       struct vdfs_put *put)
{
	char *buf = malloc(PIECE);
	uint64_t at = 0, data = 0, hole = 0;
	ssize_t n = buf ? 0 : -ENOMEM;

	while (n >= 0 && at < stage->size) {
		if (at >= hole) {
			data = seek_to(stage, at, SEEK_DATA);
			hole = seek_to(stage, data, SEEK_HOLE);
		}
		n = at < data ? put_zeros(put, data - at) :
				put_data(stage, put, buf, at, hole);
		at += n > 0 ? (uint64_t)n : 0;
		if (n >= 0 && vdfs_call_killed(call))
			n = -EINTR;
	}
	free(buf);
	return n < 0 ? (int)n : 0;
}

/**
 * vdfs_stage_put() - make the staged bytes a blob, and a name's content
 * @call: The request.
 * @stage: Which; it is dirty.
 * @who: For whom.
 * @ino: Number of the name.
 * @st: Out: what the name is then.
 *
 * Context: @committing of the stage is held. Writers wait.
 * Return: 0; -EINTR when the thread that asks was killed, and whoever closes the
 * file last has to try again; or another negative errno. Then the stage is as it
 * was.
 */
int vdfs_stage_put(struct vdfs_call *call, struct vdfs_stage *stage,
		   const struct vdfs_who *who, uint64_t ino,
		   struct vdfs_stat *st)
{
	struct vdfs_place place = { .ino = ino, .granted = true };
	struct vdfs_put *put;
	int err;

	pthread_rwlock_rdlock(&stage->lock);
	place.mtime_ns = stage->mtime_ns;
	err = vdfs_put_begin(call->fuse->store, who, 0, &put);
	if (!err) {
		vdfs_put_covered(put, vdfs_stage_share(stage, who));
		err = put_content(call, stage, put);
		if (err)
			vdfs_put_abort(put);
		else
			err = vdfs_put_commit_at(put, &place, st);
	}
	if (!err) {
		stage->dirty = false;
		stage->fresh = false;
		stage->blank = false;
	}
	stage->failed = err && err != -EINTR;
	pthread_rwlock_unlock(&stage->lock);
	return err;
}
