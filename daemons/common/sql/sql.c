// SPDX-License-Identifier: GPL-2.0-only
/* Statements, each prepared once a connection, and what SQLite's errors mean */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "meta_impl.h"

#define BUCKETS 128
/* All of a store and of its collections, and as many again. */
#define STATEMENTS_MAX 320
#define CACHE "vdfs-statements"

/**
 * struct vdfs_cached - a prepared statement
 * @sql: Its text, by whose address it is found.
 * @st: The statement.
 * @next: In its bucket.
 * @used: In the list of those to reset.
 * @in_use: It is in that list.
 */
struct vdfs_cached {
	const char *sql;
	struct sqlite3_stmt *st;
	struct vdfs_cached *next;
	struct vdfs_cached *used;
	bool in_use;
};

/**
 * struct vdfs_cache - the prepared statements of a connection
 * @bucket: By address of the text.
 * @used: Those that have been started and not been reset.
 * @n: How many there are.
 * @hand: Bucket where the search for one to forget goes on.
 */
struct vdfs_cache {
	struct vdfs_cached *bucket[BUCKETS];
	struct vdfs_cached *used;
	unsigned int n;
	unsigned int hand;
};

static void cache_free(void *data)
{
	struct vdfs_cache *cache = data;
	struct vdfs_cached *c, *next;
	unsigned int i;

	for (i = 0; i < BUCKETS; i++) {
		for (c = cache->bucket[i]; c; c = next) {
			next = c->next;
			sqlite3_finalize(c->st);
			free(c);
		}
	}
	free(cache);
}

static struct vdfs_cache *cache_of(struct sqlite3 *db)
{
	struct vdfs_cache *cache = sqlite3_get_clientdata(db, CACHE);

	if (cache)
		return cache;
	cache = calloc(1, sizeof(*cache));
	/* On failure SQLite has freed it. */
	if (cache && sqlite3_set_clientdata(db, CACHE, cache, cache_free))
		return NULL;
	return cache;
}

/* Forget a statement that is not started: buckets take turns. */
static void forget_one(struct vdfs_cache *cache)
{
	struct vdfs_cached **at, *c;
	unsigned int i;

	for (i = 0; i < BUCKETS; i++) {
		at = &cache->bucket[cache->hand++ % BUCKETS];
		while (*at && (*at)->in_use)
			at = &(*at)->next;
		c = *at;
		if (!c)
			continue;
		*at = c->next;
		sqlite3_finalize(c->st);
		free(c);
		cache->n--;
		return;
	}
}

/* The address may have been another statement's: its text decides. */
static int cached_prepare(struct sqlite3 *db, struct vdfs_cached *c,
			  const char *sql)
{
	if (c->st && !strcmp(sqlite3_sql(c->st), sql))
		return 0;
	sqlite3_finalize(c->st);
	c->st = NULL;
	if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &c->st,
			       NULL))
		return vdfs_meta_errno(db);
	return c->st ? 0 : -EINVAL;
}

static int cached_get(struct sqlite3 *db, const char *sql,
		      struct vdfs_cached **out)
{
	struct vdfs_cache *cache = cache_of(db);
	struct vdfs_cached **bucket, *c;
	int err;

	if (!cache)
		return -ENOMEM;
	bucket = &cache->bucket[((uintptr_t)sql >> 3) % BUCKETS];
	for (c = *bucket; c && c->sql != sql; c = c->next)
		;
	if (!c) {
		if (cache->n >= STATEMENTS_MAX)
			forget_one(cache);
		c = calloc(1, sizeof(*c));
		if (!c)
			return -ENOMEM;
		c->sql = sql;
		c->next = *bucket;
		*bucket = c;
		cache->n++;
	}
	err = cached_prepare(db, c, sql);
	if (err)
		return err;
	if (c->in_use) {
		sqlite3_reset(c->st);
	} else {
		c->in_use = true;
		c->used = cache->used;
		cache->used = c;
	}
	*out = c;
	return 0;
}

static int bind_one(struct sqlite3_stmt *st, int i, const struct vdfs_value *v)
{
	if (v->type == VDFS_VALUE_INT)
		return sqlite3_bind_int64(st, i, v->n);
	if (!v->data)
		return sqlite3_bind_null(st, i);
	if (v->type == VDFS_VALUE_TEXT)
		return sqlite3_bind_text(st, i, v->data, -1, SQLITE_STATIC);
	return sqlite3_bind_blob64(st, i, v->data, v->n, SQLITE_STATIC);
}

/**
 * vdfs_sql_bind() - start a statement
 * @db: A connection inside a transaction.
 * @out: The statement, before its first row.
 * @sql: Its text, a constant.
 * @values: Of its parameters, from VDFS_VALUES().
 *
 * Call it as vdfs_sql().
 *
 * Context: The thread the connection was given to.
 * Return: 0 or a negative errno.
 */
int vdfs_sql_bind(struct sqlite3 *db, struct sqlite3_stmt **out,
		  const char *sql, const struct vdfs_value *values)
{
	struct vdfs_cached *c;
	int i, err;

	*out = NULL;
	err = cached_get(db, sql, &c);
	if (err)
		return err;
	for (i = 1; values[i].type != VDFS_VALUE_END; i++) {
		if (bind_one(c->st, i, &values[i]))
			return vdfs_meta_errno(db);
	}
	*out = c->st;
	return 0;
}

/* Of this thread. */
static _Thread_local uint64_t steps;

/**
 * vdfs_sql_steps() - count the steps of statements
 *
 * Context: Any thread.
 * Return: How often this thread has stepped a statement.
 */
uint64_t vdfs_sql_steps(void)
{
	return steps;
}

/**
 * vdfs_sql_next() - go to a statement's next row
 * @st: From vdfs_sql().
 *
 * Context: The thread the connection was given to.
 * Return: 1 when there is a row, 0 when there is none left, or a negative
 * errno.
 */
int vdfs_sql_next(struct sqlite3_stmt *st)
{
	struct sqlite3 *db = sqlite3_db_handle(st);
	int rc = sqlite3_step(st);
	int err;

	steps++;
	if (rc == SQLITE_ROW)
		return 1;
	err = rc == SQLITE_DONE ? 0 : vdfs_meta_errno(db);
	sqlite3_reset(st);
	return err;
}

/**
 * vdfs_sql_exec() - run a statement to its end
 * @db: A connection inside a transaction.
 * @sql: Its text, a constant.
 * @values: Of its parameters, from VDFS_VALUES().
 *
 * Call it as vdfs_sql_run().
 *
 * Context: The thread the connection was given to.
 * Return: 0 or a negative errno.
 */
int vdfs_sql_exec(struct sqlite3 *db, const char *sql,
		  const struct vdfs_value *values)
{
	struct sqlite3_stmt *st;
	int err = vdfs_sql_bind(db, &st, sql, values);

	if (err)
		return err;
	do {
		err = vdfs_sql_next(st);
	} while (err > 0);
	return err;
}

/**
 * vdfs_sql_reset() - end all statements that have been started
 * @db: The connection.
 *
 * Context: The thread the connection was given to.
 */
void vdfs_sql_reset(struct sqlite3 *db)
{
	struct vdfs_cache *cache = sqlite3_get_clientdata(db, CACHE);
	struct vdfs_cached *c;

	if (!cache)
		return;
	for (c = cache->used; c; c = c->used) {
		sqlite3_reset(c->st);
		/* The values that were bound are the caller's and about to go. */
		sqlite3_clear_bindings(c->st);
		c->in_use = false;
	}
	cache->used = NULL;
}

/**
 * vdfs_sql_close() - close a connection and forget its statements
 * @db: The connection; NULL is nothing to do.
 *
 * Context: Its last user.
 */
void vdfs_sql_close(struct sqlite3 *db)
{
	if (!db)
		return;
	sqlite3_set_clientdata(db, CACHE, NULL, NULL);
	sqlite3_close(db);
}

/* A file that cannot grow is a full disk, whatever it is that says so. */
static int system_errno(struct sqlite3 *db, int otherwise)
{
	int err = sqlite3_system_errno(db);

	if (err == ENOSPC || err == EDQUOT || err == EFBIG)
		return -ENOSPC;
	return otherwise;
}

/**
 * vdfs_meta_errno() - what the last call of SQLite came to
 * @db: The connection; NULL when there was no memory for one.
 *
 * Context: The thread the connection was given to.
 * Return: 0 or a negative errno.
 */
int vdfs_meta_errno(struct sqlite3 *db)
{
	int code = db ? sqlite3_extended_errcode(db) : SQLITE_NOMEM;
	int err;

	if (code == SQLITE_IOERR_NOMEM)
		return -ENOMEM;
	if (code == SQLITE_IOERR_CORRUPTFS || code == SQLITE_IOERR_DATA)
		return -EBADMSG;
	switch (code & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_IOERR:
		return system_errno(db, -EIO);
	case SQLITE_CANTOPEN:
		/* ENOENT is of a second try, without making the file. */
		err = sqlite3_system_errno(db);
		return system_errno(db, err && err != ENOENT ? -err : -EIO);
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_FORMAT:
		return -EBADMSG;
	case SQLITE_CONSTRAINT:
		return -EEXIST;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return -EACCES;
	case SQLITE_TOOBIG:
		return -E2BIG;
	case SQLITE_INTERRUPT:
		return -ECANCELED;
	default:
		return -EINVAL;
	}
}
