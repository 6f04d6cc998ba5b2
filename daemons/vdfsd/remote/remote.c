// SPDX-License-Identifier: GPL-2.0-only
/*
 * A bucket that a store is a cache of.
 *
 * remote_blob: blobs with their last use, that the bucket has, as far as is
 *	known; they may leave the disk.
 * remote_name: what the bucket last said of names that are nodes here.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "remote_impl.h"

#define GRACE_S 86400
#define FRESH_MS 5000
#define PIECE ((uint64_t)64 << 20)

const struct vdfs_who vdfs_remote_admin = { .uid = 0,
					    .gid = VDFS_GID_NONE,
					    .admin = true };

static const char *const schema[] = {
	"CREATE TABLE IF NOT EXISTS remote_blob(hash BLOB PRIMARY KEY,\n"
	" used INTEGER NOT NULL) WITHOUT ROWID",
	"CREATE TABLE IF NOT EXISTS remote_name(path BLOB PRIMARY KEY,\n"
	" ino INTEGER NOT NULL, body TEXT NOT NULL, etag TEXT NOT NULL)\n"
	" WITHOUT ROWID",
	"CREATE INDEX IF NOT EXISTS remote_name_ino ON remote_name(ino)",
	"CREATE INDEX IF NOT EXISTS ref_object ON ref(object)",
	NULL,
};

/**
 * vdfs_remote_now() - a clock for how long things hold
 *
 * Context: Any.
 * Return: Milliseconds.
 */
int64_t vdfs_remote_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/**
 * vdfs_remote_say() - tell what is wrong
 * @remote: The remote.
 * @format: As for printf(), without a newline.
 *
 * Context: Any thread.
 */
void vdfs_remote_say(struct vdfs_remote *remote, const char *format, ...)
{
	const struct vdfs_s3_options *o = &remote->options.s3;
	char line[512], *c;
	va_list args;

	if (!o->say)
		return;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	/* Users and buckets choose paths: none of them begins a line. */
	for (c = line; *c; c++) {
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	}
	o->say(o->arg, line);
}

static void detach(struct vdfs_store *store)
{
	struct vdfs_remote *remote = vdfs_store_remote(store);

	vdfs_store_set_remote(store, NULL, NULL);
	vdfs_s3_close(remote->s3);
	pthread_cond_destroy(&remote->change);
	pthread_mutex_destroy(&remote->lock);
	pthread_mutex_destroy(&remote->puts_lock);
	pthread_cond_destroy(&remote->free);
	pthread_mutex_destroy(&remote->names);
	free(remote);
}

static const struct vdfs_name_ops name_ops = {
	.commit = vdfs_remote_commit,
	.commit_at = vdfs_remote_commit_at,
	.change = vdfs_remote_change,
	.look = vdfs_remote_look,
};

static const struct vdfs_away_ops ops = {
	.names = &name_ops,
	.fetch = vdfs_remote_fetch,
	.used = vdfs_remote_used,
	.detach = detach,
};

static int make_tables(struct sqlite3 *db, void *arg)
{
	const char *const *sql;
	int err = 0;

	(void)arg;
	for (sql = schema; !err && *sql; sql++)
		err = vdfs_sql_run(db, *sql);
	return err;
}

static int prepare(struct vdfs_remote *remote)
{
	int err;

	err = vdfs_meta_write(vdfs_store_meta(remote->store), make_tables,
			      NULL);
	if (!err)
		err = vdfs_quota_set(remote->store, &vdfs_remote_admin,
				     VDFS_REMOTE_UID, 0);
	/* Drop the references of puts that were killed. */
	return err ?: vdfs_remote_unkeep(remote);
}

/**
 * vdfs_remote_attach() - let a store be a cache of a bucket
 * @store: The store, which nobody uses yet.
 * @url: s3://HOST[:PORT]/BUCKET[/PREFIX]
 * @options: How; their strings need not stay.
 *
 * The bucket need not be reachable yet.
 *
 * Context: Before the store's other threads.
 * Return: 0, -EBUSY when it is one already, -EROFS when nothing may change in
 * the store, -EINVAL when URL or credentials are not well formed, or another
 * negative errno.
 */
int vdfs_remote_attach(struct vdfs_store *store, const char *url,
		       const struct vdfs_remote_options *options)
{
	struct vdfs_s3_options s3 = options->s3;
	struct vdfs_remote *remote;
	int err = vdfs_store_writable(store);

	if (!err && vdfs_store_remote(store))
		err = -EBUSY;
	if (err)
		return err;
	remote = calloc(1, sizeof(*remote));
	if (!remote)
		return -ENOMEM;
	remote->store = store;
	remote->options = *options;
	remote->options.fresh_ms = options->fresh_ms ?: FRESH_MS;
	remote->options.grace_s = options->grace_s ?: GRACE_S;
	remote->options.piece = options->piece ?: PIECE;
	pthread_mutex_init(&remote->names, NULL);
	pthread_cond_init(&remote->free, NULL);
	pthread_mutex_init(&remote->puts_lock, NULL);
	pthread_mutex_init(&remote->lock, NULL);
	pthread_cond_init(&remote->change, NULL);
	s3.url = url;
	err = vdfs_s3_open(&s3, &remote->s3);
	vdfs_store_set_remote(store, NULL, remote);
	if (!err)
		err = prepare(remote);
	if (err) {
		detach(store);
		return err;
	}
	vdfs_store_set_remote(store, &ops, remote);
	return 0;
}
