// SPDX-License-Identifier: GPL-2.0-only
/*
 * Segments: files to which records are appended. One sync serves all threads
 * that wait for the sync of their records. A record is part of the store when a
 * row of the database refers to it. A crash may leave others behind the last such
 * record: they stay until gc moves the live ones away. Nothing is cut off, for it
 * could be the database that is wrong.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store_impl.h"

#define OPEN_MAX 512 /* files kept open that nobody reads */
#define NAME_LEN 9

#define HEAD VDFS_SEGMENT_HEAD

/**
 * vdfs_fsync_dir() - make a directory's entries durable
 * @fd: The directory.
 *
 * Context: Any thread.
 * Return: 0 or a negative errno.
 */
int vdfs_fsync_dir(int fd)
{
	return fsync(fd) ? -errno : 0;
}

/**
 * vdfs_pwrite_all() - write all of it
 * @fd: File.
 * @data: Bytes.
 * @len: How many.
 * @offset: Where to.
 *
 * Context: Any thread.
 * Return: 0 or a negative errno, -ENOSPC for all kinds of no room.
 */
int vdfs_pwrite_all(int fd, const void *data, size_t len, uint64_t offset)
{
	const char *p = data;

	while (len) {
		ssize_t n = pwrite(fd, p, len, offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EFBIG || errno == EDQUOT ? -ENOSPC :
								   -errno;
		if (!n)
			return -EIO;
		p += n;
		len -= n;
		offset += n;
	}
	return 0;
}

static void segment_name(uint32_t number, char name[NAME_LEN + 2])
{
	snprintf(name, NAME_LEN + 2, "%08u", number);
}

static void segment_free(struct vdfs_segment *seg)
{
	if (seg->fd >= 0)
		close(seg->fd);
	pthread_cond_destroy(&seg->change[0]);
	pthread_cond_destroy(&seg->change[1]);
	pthread_mutex_destroy(&seg->lock);
	free(seg);
}

static struct vdfs_segment *segment_new(struct vdfs_packs *packs,
					uint32_t number)
{
	struct vdfs_segment *seg = calloc(1, sizeof(*seg));

	if (!seg)
		return NULL;
	seg->number = number;
	seg->fd = -1;
	seg->refs = 1;
	seg->sealed = true;
	pthread_mutex_init(&seg->lock, NULL);
	pthread_cond_init(&seg->change[0], NULL);
	pthread_cond_init(&seg->change[1], NULL);
	seg->upcoming = 1;
	if (vdfs_packs_add(packs, seg)) {
		segment_free(seg);
		return NULL;
	}
	return seg;
}

static int segment_open(struct vdfs_store *store, struct vdfs_segment *seg)
{
	char name[NAME_LEN + 2];
	int flags = store->options.read_only ? O_RDONLY : O_RDWR;

	if (seg->fd >= 0)
		return 0;
	segment_name(seg->number, name);
	seg->fd = openat(store->packs.fd, name, flags | O_CLOEXEC);
	return seg->fd < 0 ? -errno : 0;
}

/**
 * vdfs_segment_get() - find a segment
 * @store: The store.
 * @number: Of the segment.
 *
 * Context: Any thread.
 * Return: It, open, with a reference; NULL and errno, which is ESTALE when it
 * is not there.
 */
struct vdfs_segment *vdfs_segment_get(struct vdfs_store *store, uint32_t number)
{
	struct vdfs_packs *packs = &store->packs;
	struct vdfs_segment *seg;
	int err;

	pthread_mutex_lock(&packs->lock);
	seg = vdfs_packs_find(packs, number);
	if (seg && seg->number == number)
		err = segment_open(store, seg);
	else
		err = -ESTALE;
	if (!err)
		seg->refs++;
	pthread_mutex_unlock(&packs->lock);
	errno = err == -ENOENT ? ESTALE : -err;
	return err ? NULL : seg;
}

/**
 * vdfs_segment_put() - give up a reference
 * @store: The store.
 * @seg: NULL is nothing to do.
 *
 * Context: Any thread.
 */
void vdfs_segment_put(struct vdfs_store *store, struct vdfs_segment *seg)
{
	struct vdfs_packs *packs = &store->packs;
	bool last;

	if (!seg)
		return;
	pthread_mutex_lock(&packs->lock);
	last = !--seg->refs;
	if (seg->refs == 1 && packs->active != seg && seg->fd >= OPEN_MAX) {
		close(seg->fd);
		seg->fd = -1;
	}
	pthread_mutex_unlock(&packs->lock);
	if (last)
		segment_free(seg);
}

/* A sync failed: what the disk holds of this segment is not known. */
static void sync_failed(struct vdfs_store *store, struct vdfs_segment *seg)
{
	struct vdfs_packs *packs = &store->packs;

	pthread_mutex_lock(&packs->lock);
	seg->sealed = true;
	if (packs->active == seg)
		packs->active = NULL;
	if (++packs->failures > 1)
		atomic_store(&store->failed, true);
	pthread_mutex_unlock(&packs->lock);
	/* For whoever opens the store next. */
	fchmod(seg->fd, 0400);
}

/* With packs->lock held. */
static int segment_create(struct vdfs_store *store, struct vdfs_segment **out)
{
	struct vdfs_packs *packs = &store->packs;
	struct vdfs_segment *seg;
	char name[NAME_LEN + 2];
	int err;

	if (packs->last >= 99999999)
		return -ENOSPC;
	seg = segment_new(packs, packs->last + 1);
	if (!seg)
		return -ENOMEM;
	segment_name(seg->number, name);
	seg->fd = openat(packs->fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
			 0600);
	err = seg->fd < 0 ? -errno : vdfs_segment_begin(store, seg);
	if (!err && (fdatasync(seg->fd) || fsync(packs->fd))) {
		err = errno == ENOSPC || errno == EDQUOT ? -ENOSPC : -EIO;
		if (err == -EIO && ++packs->failures > 1)
			atomic_store(&store->failed, true);
	}
	if (err) {
		vdfs_packs_drop(packs, seg);
		if (seg->fd >= 0)
			unlinkat(packs->fd, name, 0);
		segment_free(seg);
		return err;
	}
	seg->end = HEAD;
	seg->sealed = false;
	*out = seg;
	return 0;
}

/* With packs->lock held: how many of the records go behind the others. */
static unsigned int fitting(struct vdfs_packs *packs, struct vdfs_segment *seg,
			    struct vdfs_record *const *out, unsigned int n)
{
	uint64_t end = seg->end;
	unsigned int i;

	for (i = 0; i < n; i++) {
		end += out[i]->stored;
		/* One that is larger than a segment has one of its own. */
		if (end > packs->limit && end - out[i]->stored > HEAD)
			break;
	}
	return i;
}

/**
 * vdfs_segment_reserve() - take room for records
 * @store: The store.
 * @out: Them, with their length; set to where they go, side by side.
 * @n: How many; at least 1.
 *
 * Context: Any thread. vdfs_record_end() gives each up.
 * Return: How many of them have room, at least 1, or a negative errno.
 */
int vdfs_segment_reserve(struct vdfs_store *store,
			 struct vdfs_record *const *out, unsigned int n)
{
	struct vdfs_packs *packs = &store->packs;
	struct vdfs_segment *seg;
	unsigned int i, fit = 0;
	int err = 0;

	pthread_mutex_lock(&packs->lock);
	seg = packs->active;
	if (seg)
		fit = fitting(packs, seg, out, n);
	if (seg && !fit)
		seg->sealed = true;
	if (!fit) {
		err = segment_create(store, &seg);
		packs->active = err ? NULL : seg;
		if (!err)
			fit = fitting(packs, seg, out, n);
	}
	for (i = 0; i < fit; i++) {
		out[i]->segment = seg;
		out[i]->place = seg->end;
		seg->end += out[i]->stored;
		seg->writing++;
		seg->refs++;
	}
	pthread_mutex_unlock(&packs->lock);
	return err ?: (int)fit;
}

/* With seg->lock held, which is given up while the disk is at it. */
static int lead_sync(struct vdfs_store *store, struct vdfs_segment *seg)
{
	uint64_t number = seg->upcoming++;
	int err;

	seg->syncing = true;
	pthread_mutex_unlock(&seg->lock);
	err = fdatasync(seg->fd) ? -errno : 0;
	if (err)
		sync_failed(store, seg);
	pthread_mutex_lock(&seg->lock);
	seg->syncing = false;
	if (err)
		seg->failed = true;
	else
		seg->done = number;
	pthread_cond_broadcast(&seg->change[number % 2]);
	/* One of those who came meanwhile leads the next. */
	if (err)
		pthread_cond_broadcast(&seg->change[seg->upcoming % 2]);
	else
		pthread_cond_signal(&seg->change[seg->upcoming % 2]);
	return err;
}

/**
 * vdfs_segment_sync() - make what was written to a segment durable
 * @store: The store.
 * @seg: The segment, to which the caller's record has been written.
 *
 * One who asks syncs for all who have asked by then.
 *
 * Context: Any thread. Waits for the disk.
 * Return: 0 or a negative errno; then the record is lost.
 */
int vdfs_segment_sync(struct vdfs_store *store, struct vdfs_segment *seg)
{
	uint64_t mine;
	int err = 0;

	pthread_mutex_lock(&seg->lock);
	mine = seg->upcoming;
	while (seg->done < mine && !seg->failed) {
		if (seg->syncing)
			pthread_cond_wait(&seg->change[mine % 2], &seg->lock);
		else
			err = lead_sync(store, seg);
	}
	if (seg->done < mine)
		err = err == -ENOSPC || err == -EDQUOT ? -ENOSPC : -EIO;
	pthread_mutex_unlock(&seg->lock);
	if (!err && atomic_load(&store->packs.failures))
		atomic_store(&store->packs.failures, 0);
	return err;
}

/**
 * vdfs_segment_seal() - let a segment take no more records
 * @store: The store.
 * @seg: The segment.
 *
 * Context: Any thread.
 */
void vdfs_segment_seal(struct vdfs_store *store, struct vdfs_segment *seg)
{
	struct vdfs_packs *packs = &store->packs;

	pthread_mutex_lock(&packs->lock);
	seg->sealed = true;
	if (packs->active == seg)
		packs->active = NULL;
	pthread_mutex_unlock(&packs->lock);
}

/**
 * vdfs_segment_remove() - delete a segment
 * @store: The store.
 * @seg: One that is sealed, and nothing in the database refers to.
 *
 * Those who still read it go on.
 *
 * Context: Any thread.
 * Return: 0 or a negative errno.
 */
int vdfs_segment_remove(struct vdfs_store *store, struct vdfs_segment *seg)
{
	struct vdfs_packs *packs = &store->packs;
	char name[NAME_LEN + 2];
	int err = 0;

	segment_name(seg->number, name);
	if (unlinkat(packs->fd, name, 0) && errno != ENOENT)
		err = -errno;
	if (err)
		return err;
	pthread_mutex_lock(&packs->lock);
	vdfs_packs_drop(packs, seg);
	pthread_mutex_unlock(&packs->lock);
	vdfs_segment_put(store, seg);
	return 0;
}

/* A segment whose sync failed was made read-only. */
static bool may_append(struct vdfs_segment *seg)
{
	struct stat st;

	return !fstat(seg->fd, &st) && st.st_mode & 0200 &&
	       vdfs_segment_sound(seg);
}

/**
 * struct tail - where the last record of a segment ends
 * @number: Of the segment.
 * @end: Out; 0 when it has none.
 */
struct tail {
	uint32_t number;
	uint64_t end;
};

static int find_tail(struct sqlite3 *db, void *arg)
{
	struct tail *tail = arg;
	struct sqlite3_stmt *st;
	int err;

	tail->end = 0;
	err = vdfs_sql(db, &st,
		       "SELECT place + stored FROM object WHERE segment = ?\n"
		       "ORDER BY place DESC LIMIT 1",
		       VDFS_INT(tail->number));
	if (!err)
		err = vdfs_sql_next(st);
	if (err > 0)
		tail->end = sqlite3_column_int64(st, 0);
	return err < 0 ? err : 0;
}

/**
 * vdfs_packs_resume() - go on with the last segment
 * @store: The store, to be written, whose parts belong together.
 *
 * New records go behind all that is in it: behind the last one that the
 * database knows a crash may have left others.
 *
 * Context: Before anyone else uses it.
 * Return: 0 or a negative errno.
 */
int vdfs_packs_resume(struct vdfs_store *store)
{
	struct vdfs_packs *packs = &store->packs;
	struct vdfs_segment *seg = vdfs_packs_find(packs, packs->last);
	struct tail tail = { .number = packs->last };
	int err;

	if (!seg)
		return 0;
	err = vdfs_meta_read(store->meta, find_tail, &tail);
	if (!err)
		err = segment_open(store, seg);
	if (err)
		return err;
	if (tail.end > seg->end || seg->end >= packs->limit || !may_append(seg))
		return 0;
	/* The daemon that made it may have died before it synced this. */
	err = vdfs_fsync_dir(packs->fd);
	if (err)
		return err;
	seg->sealed = false;
	packs->active = seg;
	return 0;
}

static int list_segment(struct vdfs_store *store, const char *name)
{
	struct vdfs_segment *seg;
	struct stat st;
	uint32_t number;
	int len = 0;

	if (sscanf(name, "%8u%n", &number, &len) != 1 || len != 8 || name[len])
		return 0;
	if (fstatat(store->packs.fd, name, &st, 0))
		return -errno;
	seg = segment_new(&store->packs, number);
	if (!seg)
		return -ENOMEM;
	seg->end = st.st_size;
	return 0;
}

/**
 * vdfs_packs_open() - find the segments of a store
 * @store: The store, with its pack directory.
 *
 * Context: Before anyone else uses it.
 * Return: 0 or a negative errno.
 */
int vdfs_packs_open(struct vdfs_store *store)
{
	struct vdfs_packs *packs = &store->packs;
	struct dirent *entry;
	int err = 0, fd;
	DIR *dir;

	packs->limit = VDFS_SEGMENT_BYTES;
	fd = openat(packs->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		err = -errno;
		if (fd >= 0)
			close(fd);
		return err;
	}
	for (errno = 0; !err && (entry = readdir(dir)); errno = 0)
		err = list_segment(store, entry->d_name);
	if (!err && errno)
		err = -errno;
	closedir(dir);
	return err;
}

/**
 * vdfs_packs_close() - close all segments
 * @store: The store.
 *
 * Context: After its last user.
 */
void vdfs_packs_close(struct vdfs_store *store)
{
	struct vdfs_packs *packs = &store->packs;

	while (packs->n)
		segment_free(packs->all[--packs->n].segment);
	free(packs->all);
	packs->all = NULL;
	packs->room = 0;
	packs->active = NULL;
}
