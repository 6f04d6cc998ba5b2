// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stores up to version 4: each collection had an item_N and a gone_N of its own,
 * and an index item_N_field_F for each field. Their rows move to the tables that
 * all share, some in a transaction; a table that is still there has rows that
 * did not, so this goes on after a crash where it was.
 */
#include <errno.h>
#include <stdio.h>

#include "collection_impl.h"

/* Items that move in one transaction. */
#define MOVE_STEP 500

/**
 * struct moving - a collection whose rows move
 * @core: Its id and base.
 * @after: The id of the one before, or 0.
 * @more: It has items still.
 */
struct moving {
	struct vdfs_core core;
	int64_t after;
	bool more;
};

static int execute(struct sqlite3 *db, char *sql)
{
	int ret = 0;

	if (!sql)
		return -ENOMEM;
	if (sqlite3_exec(db, sql, NULL, NULL, NULL))
		ret = vdfs_meta_errno(db);
	sqlite3_free(sql);
	return ret;
}

/* The next collection that has a table of its own. */
static int find(struct sqlite3 *db, void *arg)
{
	struct moving *m = arg;
	struct sqlite3_stmt *st;
	int ret;

	m->core.id = 0;
	ret = vdfs_sql(db, &st,
		       "SELECT id, base FROM collection\n"
		       " WHERE id > ? AND EXISTS\n"
		       " (SELECT 1 FROM sqlite_schema WHERE type = 'table'\n"
		       "  AND name = 'item_' || id) ORDER BY id LIMIT 1",
		       VDFS_INT(m->after));
	if (!ret)
		ret = vdfs_sql_next(st);
	if (ret > 0) {
		m->core.id = sqlite3_column_int64(st, 0);
		m->core.base = sqlite3_column_int64(st, 1);
	}
	return ret < 0 ? ret : 0;
}

static int move_items(struct sqlite3 *db, struct moving *m)
{
	long long id = m->core.id;
	long long base = m->core.base;
	int ret;

	ret = execute(db, sqlite3_mprintf(
				  "INSERT INTO item(id, collection, key, gen,\n"
				  " sum, metadata, vector)\n"
				  " SELECT %lld + id, %lld, key, gen,\n"
				  " vdfs_sum(%lld + id, %lld, key, gen,\n"
				  " metadata, vector), metadata, vector\n"
				  " FROM item_%lld ORDER BY id LIMIT %d",
				  base, id, base, id, id, MOVE_STEP));
	m->more = sqlite3_changes(db) > 0;
	if (ret || !m->more)
		return ret;
	return execute(
		db, sqlite3_mprintf("DELETE FROM item_%lld WHERE id <=\n"
				    " (SELECT max(id) - %lld FROM item\n"
				    "  WHERE id > %lld AND id < %lld + %lld\n"
				    "  AND +collection = %lld)",
				    id, base, base, base, (long long)VDFS_SPAN,
				    id));
}

/*
 * Earlier versions let a user index any number of fields. Those that are too
 * many are not indexed any more: searches find the same without.
 */
static int move_fields(struct sqlite3 *db, const struct moving *m)
{
	char prefix[48];
	struct sqlite3_stmt *st;
	int len, ret;

	len = snprintf(prefix, sizeof(prefix), "item_%lld_field_",
		       (long long)m->core.id);
	ret = vdfs_sql(db, &st,
		       "SELECT substr(name, ?2 + 1) FROM sqlite_schema\n"
		       " WHERE type = 'index' AND substr(name, 1, ?2) = ?1",
		       VDFS_TEXT(prefix), VDFS_INT(len));
	while (!ret && (ret = vdfs_sql_next(st)) > 0)
		ret = vdfs_field_make(db, &m->core,
				      (const char *)sqlite3_column_text(st, 0));
	if (ret < 0)
		sqlite3_reset(st);
	return ret == -EDQUOT ? 0 : ret;
}

static int move_rest(struct sqlite3 *db, const struct moving *m)
{
	long long id = m->core.id;
	int ret;

	ret = execute(db,
		      sqlite3_mprintf("INSERT INTO gone(id, gen)\n"
				      " SELECT %lld + id, gen FROM gone_%lld",
				      (long long)m->core.base, id));
	if (!ret)
		ret = move_fields(db, m);
	return ret ? ret :
		     execute(db, sqlite3_mprintf("DROP TABLE item_%lld;\n"
						 "DROP TABLE gone_%lld",
						 id, id));
}

static int step(struct sqlite3 *db, void *arg)
{
	struct moving *m = arg;
	int ret = move_items(db, m);

	return ret || m->more ? ret : move_rest(db, m);
}

/**
 * struct charging - rows that came before their owners were charged for any
 * @kind: Of these, see usage.h.
 * @sql: Counts them, and notes that it did.
 * @done: It has.
 */
struct charging {
	enum vdfs_usage_kind kind;
	const char *sql;
	bool done;
};

#define CHARGE(rows)                                   \
	"INSERT INTO usage(uid, kind, n, bytes)\n"     \
	" SELECT owner, ?, count(*), sum(cost) FROM\n" \
	" (" rows ") GROUP BY owner"

static int is_charged(struct sqlite3 *db, void *arg)
{
	struct charging *c = arg;
	struct sqlite3_stmt *st;
	int ret;

	ret = vdfs_sql(db, &st,
		       "SELECT 1 FROM usage WHERE uid = -1 AND kind = ?",
		       VDFS_INT(c->kind));
	if (!ret)
		ret = vdfs_sql_next(st);
	c->done = ret > 0;
	return ret < 0 ? ret : 0;
}

static int charge(struct sqlite3 *db, void *arg)
{
	const struct charging *c = arg;

	return vdfs_sql_run(db, c->sql, VDFS_INT(c->kind)) ?:
	       vdfs_sql_run(db,
			    "INSERT INTO quota(uid, used)\n"
			    " SELECT uid, bytes FROM usage WHERE kind = ?\n"
			    " ON CONFLICT(uid) DO UPDATE\n"
			    " SET used = used + excluded.used",
			    VDFS_INT(c->kind)) ?:
	       vdfs_sql_run(db, "INSERT INTO usage VALUES(-1, ?, 0, 0)",
			    VDFS_INT(c->kind));
}

static int charge_once(struct vdfs_meta *meta)
{
	struct charging rows[] = {
		{ VDFS_USAGE_ITEMS,
		  CHARGE("SELECT owner, " VDFS_ITEM_COST " AS cost\n"
			 " FROM item JOIN collection\n"
			 " ON collection.id = item.collection"),
		  false },
		{ VDFS_USAGE_VALUES,
		  CHARGE("SELECT owner, " VDFS_VALUE_COST " AS cost\n"
			 " FROM field_value JOIN field\n"
			 " ON field.id = kind / 8 JOIN collection\n"
			 " ON collection.id = field.collection"),
		  false },
	};
	size_t i;
	int ret = 0;

	for (i = 0; !ret && i < sizeof(rows) / sizeof(*rows); i++) {
		ret = vdfs_meta_read(meta, is_charged, &rows[i]);
		if (!ret && !rows[i].done)
			ret = vdfs_meta_free(meta, charge, &rows[i]);
	}
	return ret;
}

/**
 * vdfs_collection_upgrade() - take over collections of earlier versions
 * @meta: The database, opened to be written. Nobody uses collections yet.
 *
 * On a full disk it takes the room that is kept for deletions, for these begin
 * with opening the store.
 *
 * Context: Before the first vdfs_db_open().
 * Return: 0 or a negative errno: what has moved by then stays.
 */
int vdfs_collection_upgrade(struct vdfs_meta *meta)
{
	struct moving m = {};
	int ret;

	for (;;) {
		ret = vdfs_meta_read(meta, find, &m);
		if (!ret && !m.core.id)
			return charge_once(meta);
		if (ret)
			return ret;
		do {
			ret = vdfs_meta_free(meta, step, &m);
		} while (!ret && m.more);
		if (ret)
			return ret;
		m.after = m.core.id;
	}
}
