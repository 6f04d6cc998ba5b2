// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rows of the database that users have made, counted in the transactions that
 * make and drop them. Bytes of rows are charged to the quota of their user; of
 * names, whose rows are short, a quota allows so many.
 */
#include <errno.h>
#include <string.h>

#include "store_impl.h"

/* Names that any quota allows, and bytes of a quota for each one more. */
#define NAMES_MIN 1024
#define NAME_BYTES 4096

/**
 * vdfs_usage_limit() - how many rows a quota allows
 * @quota: Bytes; 0 = any.
 * @kind: Of rows.
 *
 * Context: Any.
 * Return: How many; 0 = any.
 */
uint64_t vdfs_usage_limit(uint64_t quota, enum vdfs_usage_kind kind)
{
	if (!quota || kind != VDFS_USAGE_NAMES)
		return 0;
	return NAMES_MIN + quota / NAME_BYTES;
}

/**
 * vdfs_usage_check() - whether a user may have the rows that it has
 * @db: A connection inside a transaction.
 * @store: The store.
 * @uid: The user.
 * @kind: Of rows.
 *
 * Context: Inside a vdfs_meta_fn that writes, after the user made a row.
 * Return: 0, -EDQUOT, or another negative errno.
 */
int vdfs_usage_check(struct sqlite3 *db, struct vdfs_store *store, uint32_t uid,
		     enum vdfs_usage_kind kind)
{
	uint64_t quota = store->options.quota, n, limit;
	struct sqlite3_stmt *st;
	int err;

	err = vdfs_sql(db, &st,
		       "SELECT n, (SELECT bytes FROM quota WHERE uid = ?1)\n"
		       "FROM usage WHERE uid = ?1 AND kind = ?2",
		       VDFS_INT(uid), VDFS_INT(kind));
	if (!err)
		err = vdfs_sql_next(st);
	if (err <= 0)
		return err;
	n = sqlite3_column_int64(st, 0);
	if (sqlite3_column_type(st, 1) != SQLITE_NULL)
		quota = sqlite3_column_int64(st, 1);
	sqlite3_reset(st);
	limit = vdfs_usage_limit(quota, kind);
	return limit && n > limit ? -EDQUOT : 0;
}

/**
 * vdfs_usage_add() - count rows that a user makes, or that go
 * @db: A connection inside a transaction.
 * @store: The store; NULL = whatever the quota.
 * @uid: The user.
 * @kind: Of rows.
 * @more: How many more there are, or less.
 *
 * Context: Inside a vdfs_meta_fn that writes.
 * Return: 0, -EDQUOT, or another negative errno.
 */
int vdfs_usage_add(struct sqlite3 *db, struct vdfs_store *store, uint32_t uid,
		   enum vdfs_usage_kind kind, struct vdfs_usage more)
{
	int err;

	if (!more.n && !more.bytes)
		return 0;
	err = vdfs_sql_run(db,
			   "INSERT INTO usage(uid, kind, n, bytes)\n"
			   "VALUES(?1, ?2, ?3, ?4)\n"
			   "ON CONFLICT(uid, kind) DO UPDATE SET\n"
			   "n = n + ?3, bytes = bytes + ?4",
			   VDFS_INT(uid), VDFS_INT(kind), VDFS_INT(more.n),
			   VDFS_INT(more.bytes));
	if (!err && more.bytes)
		err = vdfs_quota_charge(db, store, uid, more.bytes);
	return err;
}

/**
 * struct get - a question about a user's rows, and its answer
 * @uid: The user.
 * @out: By kind.
 */
struct get {
	uint32_t uid;
	struct vdfs_usage *out;
};

static int get(struct sqlite3 *db, void *arg)
{
	struct get *g = arg;
	struct sqlite3_stmt *st;
	int64_t kind;
	int err;

	memset(g->out, 0, VDFS_USAGES * sizeof(*g->out));
	err = vdfs_sql(db, &st,
		       "SELECT kind, n, bytes FROM usage\n"
		       "WHERE uid = ?",
		       VDFS_INT(g->uid));
	while (!err && (err = vdfs_sql_next(st)) > 0) {
		err = 0;
		kind = sqlite3_column_int64(st, 0);
		if (kind < 0 || kind >= VDFS_USAGES)
			continue;
		g->out[kind].n = sqlite3_column_int64(st, 1);
		g->out[kind].bytes = sqlite3_column_int64(st, 2);
	}
	return err;
}

/**
 * vdfs_usage_get() - count the rows that a user has made
 * @store: The store.
 * @uid: The user.
 * @out: By kind.
 *
 * Context: Any thread.
 * Return: 0 or a negative errno.
 */
int vdfs_usage_get(struct vdfs_store *store, uint32_t uid,
		   struct vdfs_usage out[VDFS_USAGES])
{
	struct get g = { .uid = uid, .out = out };

	return vdfs_meta_read(store->meta, get, &g);
}
