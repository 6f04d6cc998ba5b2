// SPDX-License-Identifier: GPL-2.0-only
/*
 * Room to delete in, kept in a file beside the database. SQLite needs room for
 * a change that gives room back: in the log, and in the file for what is in the
 * log already. When there is none, the reserve is given up for such changes;
 * until it is back all others are refused, so that they cannot take it.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "meta_impl.h"

#define NAME "reserve"
#define RESERVE_MAX ((off_t)8 << 20)
#define RESERVE_MIN ((off_t)1 << 20)
/* A small disk keeps this part of itself. */
#define SHARE 8
/* The log is put into the file when it is this part of the reserve. */
#define LOG_SHARE 2
#define LOG_PAGES 1000
#define PAGE_BYTES 4096
#define BLOCK 512 /* of st_blocks: a copy may be a file with holes */
/* Steps in which unused pages of the file are given back. */
#define STEPS 64

/**
 * vdfs_meta_room_open() - find out how much room is to be kept
 * @meta: The database, to be opened to be written.
 *
 * Context: Before anyone else knows of @meta.
 * Return: 0 or a negative errno.
 */
int vdfs_meta_room_open(struct vdfs_meta *meta)
{
	char *slash = strrchr(meta->path, '/');
	struct statvfs st;
	off_t total;

	if (slash)
		*slash = '\0';
	meta->dir = open(slash ? meta->path : ".",
			 O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (slash)
		*slash = '/';
	if (meta->dir < 0 || fstatvfs(meta->dir, &st))
		return -errno;
	total = (off_t)st.f_blocks * (off_t)st.f_frsize;
	meta->reserve = total / SHARE & ~(off_t)(PAGE_BYTES - 1);
	if (meta->reserve < RESERVE_MIN)
		meta->reserve = RESERVE_MIN;
	if (meta->reserve > RESERVE_MAX)
		meta->reserve = RESERVE_MAX;
	return 0;
}

/**
 * vdfs_meta_lend() - give the reserve up for the time of opening
 * @dir: The directory of a database that is not open.
 *
 * Opening a database takes room too. vdfs_meta_reserve() takes the reserve back.
 *
 * Context: The caller sees to it that no other process has it open.
 */
void vdfs_meta_lend(int dir)
{
	struct statvfs st;

	if (!fstatvfs(dir, &st) &&
	    (off_t)st.f_bavail * (off_t)st.f_frsize < RESERVE_MIN)
		unlinkat(dir, NAME, 0);
}

/**
 * vdfs_meta_log_pages() - how long the log may get before it is put away
 * @meta: The database.
 *
 * Context: Any thread.
 * Return: Pages.
 */
int vdfs_meta_log_pages(const struct vdfs_meta *meta)
{
	off_t pages = meta->reserve / LOG_SHARE / PAGE_BYTES;

	return pages < LOG_PAGES ? (int)pages : LOG_PAGES;
}

/* Have the reserve; -ENOSPC when there is no room for it. The lock is held. */
static int make(struct vdfs_meta *meta)
{
	struct stat st;
	int fd, err = 0;

	fd = openat(meta->dir, NAME, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		err = -errno;
	else if (fstat(fd, &st) || st.st_size < meta->reserve ||
		 st.st_blocks * BLOCK < meta->reserve)
		err = -posix_fallocate(fd, 0, meta->reserve);
	if (fd >= 0)
		close(fd);
	if (err)
		unlinkat(meta->dir, NAME, 0);
	err = err == -ENOSPC || err == -EDQUOT ? -ENOSPC : 0;
	atomic_store(&meta->tight, err != 0);
	return err;
}

/**
 * vdfs_meta_reserve() - have the reserve, if there is room for it again
 * @meta: The database, open to be written.
 *
 * Context: Any thread.
 * Return: 0, or -ENOSPC while there is not.
 */
int vdfs_meta_reserve(struct vdfs_meta *meta)
{
	int err;

	/* The one who has given it up needs the room. */
	if (pthread_mutex_trylock(&meta->room))
		return -ENOSPC;
	err = make(meta);
	pthread_mutex_unlock(&meta->room);
	return err;
}

/**
 * vdfs_meta_room() - whether anything but a deletion may use the disk
 * @meta: The database, open to be written.
 *
 * Context: Any thread.
 * Return: 0, or -ENOSPC while the reserve is not there.
 */
int vdfs_meta_room(struct vdfs_meta *meta)
{
	return atomic_load(&meta->tight) ? vdfs_meta_reserve(meta) : 0;
}

/**
 * vdfs_meta_shrink() - give unused pages back to the disk
 * @meta: The database.
 *
 * Context: The committer, in no transaction.
 * Return: 0; 1 when there are none; or a negative errno.
 */
int vdfs_meta_shrink(struct vdfs_meta *meta)
{
	struct sqlite3 *db = meta->writer;
	int before = 0, after = 0;

	if (sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_TRUNCATE,
				      NULL, NULL) ||
	    vdfs_meta_unused(db, &before))
		return vdfs_meta_errno(db);
	if (before && sqlite3_exec(db, "PRAGMA incremental_vacuum(256)", NULL,
				   NULL, NULL))
		return vdfs_meta_errno(db);
	if (before && sqlite3_wal_checkpoint_v2(
			      db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL))
		return vdfs_meta_errno(db);
	return vdfs_meta_unused(db, &after) ?: after >= before;
}

/**
 * vdfs_meta_free() - change the database so that room comes of it
 * @meta: The database.
 * @fn: Function that changes it.
 * @arg: Its argument.
 *
 * Where the disk is too full even for that, it is given the reserve.
 *
 * Context: As vdfs_meta_write().
 * Return: As vdfs_meta_write().
 */
int vdfs_meta_free(struct vdfs_meta *meta, vdfs_meta_fn *fn, void *arg)
{
	int i, err = vdfs_meta_commit(meta, fn, arg);

	if (err != -ENOSPC && (err || !atomic_load(&meta->tight)))
		return err;
	pthread_mutex_lock(&meta->room);
	if (err) {
		atomic_store(&meta->tight, true);
		unlinkat(meta->dir, NAME, 0);
		vdfs_meta_commit(meta, NULL, NULL);
		err = vdfs_meta_commit(meta, fn, arg);
	}
	for (i = 0; i < STEPS && make(meta); i++) {
		if (vdfs_meta_commit(meta, NULL, NULL))
			break;
	}
	pthread_mutex_unlock(&meta->room);
	return err;
}
