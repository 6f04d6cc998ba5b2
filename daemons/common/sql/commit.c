// SPDX-License-Identifier: GPL-2.0-only
/* Writes in groups: one thread, one commit for all that waited. */
#include <errno.h>
#include <semaphore.h>
#include <stdlib.h>

#include "meta_impl.h"

/**
 * struct vdfs_request - a write that waits for its commit
 * @fn: Makes the change; NULL = nothing but a vdfs_meta_shrink() after others.
 * @arg: Its argument.
 * @next: In the queue, then in the group.
 * @err: Result, 0 or a negative errno.
 * @done: Posted then; its owner returns, and the request is gone.
 */
struct vdfs_request {
	vdfs_meta_fn *fn;
	void *arg;
	struct vdfs_request *next;
	int err;
	sem_t done;
};

/* SQLite has given up the whole transaction, as it does when it must. */
static bool rolled_back(struct sqlite3 *db)
{
	return sqlite3_get_autocommit(db);
}

/* Run one request so that it leaves everything or nothing. */
static int run_one(struct vdfs_meta *meta, struct vdfs_request *r)
{
	struct vdfs_after **after = meta->after_last;
	struct sqlite3 *db = meta->writer;
	int err;

	if (!r->fn)
		return 0;
	err = vdfs_sql_run(db, "SAVEPOINT request");
	if (err)
		return err;
	err = r->fn(db, r->arg);
	vdfs_sql_reset(db);
	if (err || rolled_back(db))
		vdfs_meta_after_end(meta, after, false);
	if (rolled_back(db))
		return err ?: -EIO;
	if (err && vdfs_sql_run(db, "ROLLBACK TO request"))
		return -EIO;
	if (vdfs_sql_run(db, "RELEASE request"))
		return -EIO;
	return err;
}

static void roll_back(struct sqlite3 *db)
{
	vdfs_sql_reset(db);
	if (!rolled_back(db))
		vdfs_sql_run(db, "ROLLBACK");
	vdfs_sql_reset(db);
}

static int commit(struct vdfs_meta *meta)
{
	struct sqlite3 *db = meta->writer;
	int code, err;

	err = vdfs_sql_run(db, "COMMIT");
	if (!err) {
		vdfs_sql_reset(db);
		return 0;
	}
	code = sqlite3_extended_errcode(db);
	if (code == SQLITE_IOERR_FSYNC || code == SQLITE_IOERR_DIR_FSYNC) {
		/* The next sync would succeed, and mean nothing. */
		pthread_mutex_lock(&meta->lock);
		meta->broken = true;
		pthread_mutex_unlock(&meta->lock);
	}
	roll_back(db);
	return err;
}

/*
 * One commit for the list from @first up to but not @end. Returns the
 * request at which SQLite rolled all back, with its error set, or NULL.
 */
static struct vdfs_request *run_group(struct vdfs_meta *meta,
				      struct vdfs_request *first,
				      struct vdfs_request *end)
{
	struct sqlite3 *db = meta->writer;
	struct vdfs_request *r;
	int err = meta->broken ? -EROFS : vdfs_sql_run(db, "BEGIN IMMEDIATE");

	for (r = first; !err && r != end; r = r->next) {
		r->err = run_one(meta, r);
		if (rolled_back(db)) {
			vdfs_sql_reset(db);
			vdfs_meta_after_end(meta, &meta->after, false);
			return r;
		}
	}
	if (!err)
		err = commit(meta);
	else
		roll_back(db);
	vdfs_meta_after_end(meta, &meta->after, !err);
	for (r = first; err && r != end; r = r->next)
		r->err = err;
	return NULL;
}

/* When one has undone them all, the others are run on their own. */
static void run_all(struct vdfs_meta *meta, struct vdfs_request *first)
{
	struct vdfs_request *culprit = run_group(meta, first, NULL);
	struct vdfs_request *r;

	for (r = first; culprit && r; r = r->next) {
		if (r != culprit)
			run_group(meta, r, r->next);
	}
}

static void *committer(void *arg)
{
	struct vdfs_meta *meta = arg;
	struct vdfs_request *first, *r, *next;

	pthread_mutex_lock(&meta->lock);
	for (;;) {
		while (!meta->first && !meta->stop)
			pthread_cond_wait(&meta->work, &meta->lock);
		first = meta->first;
		if (!first)
			break;
		meta->first = NULL;
		meta->last = &meta->first;
		pthread_mutex_unlock(&meta->lock);

		run_all(meta, first);
		for (r = first; r; r = r->next) {
			if (!r->fn && !r->err)
				r->err = vdfs_meta_shrink(meta);
		}

		for (r = first; r; r = next) {
			next = r->next;
			sem_post(&r->done);
		}
		pthread_mutex_lock(&meta->lock);
	}
	pthread_mutex_unlock(&meta->lock);
	return NULL;
}

/**
 * vdfs_meta_start() - start the thread that commits
 * @meta: With its writer's connection.
 *
 * Context: Before anyone else knows of @meta.
 * Return: 0 or a negative errno.
 */
int vdfs_meta_start(struct vdfs_meta *meta)
{
	int err;

	meta->last = &meta->first;
	err = vdfs_meta_after_begin(meta);
	if (!err)
		err = -pthread_create(&meta->committer, NULL, committer, meta);
	meta->started = !err;
	return err;
}

/**
 * vdfs_meta_stop() - end the thread that commits
 * @meta: Nobody writes any more.
 *
 * Context: After the last user.
 */
void vdfs_meta_stop(struct vdfs_meta *meta)
{
	if (!meta->started)
		return;
	pthread_mutex_lock(&meta->lock);
	meta->stop = true;
	pthread_cond_signal(&meta->work);
	pthread_mutex_unlock(&meta->lock);
	pthread_join(meta->committer, NULL);
	meta->started = false;
}

/**
 * vdfs_meta_commit() - change the database, whether there is a reserve or not
 * @meta: The database.
 * @fn: Makes the change, in a thread of the database; NULL: vdfs_meta_shrink().
 * @arg: Its argument.
 *
 * Context: As vdfs_meta_write().
 * Return: As vdfs_meta_write(), or vdfs_meta_shrink().
 */
int vdfs_meta_commit(struct vdfs_meta *meta, vdfs_meta_fn *fn, void *arg)
{
	struct vdfs_request r = { .fn = fn, .arg = arg };

	if (!meta->writer)
		return -EROFS;
	sem_init(&r.done, 0, 0);
	pthread_mutex_lock(&meta->lock);
	*meta->last = &r;
	meta->last = &r.next;
	pthread_cond_signal(&meta->work);
	pthread_mutex_unlock(&meta->lock);
	while (sem_wait(&r.done))
		; /* a signal */
	sem_destroy(&r.done);
	return r.err;
}

/**
 * vdfs_meta_write() - change the database
 * @meta: The database.
 * @fn: Makes the change, in a thread of the database.
 * @arg: Its argument.
 *
 * Context: Any thread but inside a vdfs_meta_fn that writes. Waits for the
 * disk.
 * Return: The result of @fn; 0 means that it is on the disk. A commit that
 * failed returns its error to all that shared it: -ENOSPC, -EIO; and then,
 * when a sync failed, -EROFS for ever.
 */
int vdfs_meta_write(struct vdfs_meta *meta, vdfs_meta_fn *fn, void *arg)
{
	return vdfs_meta_room(meta) ?: vdfs_meta_commit(meta, fn, arg);
}
