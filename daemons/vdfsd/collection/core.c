// SPDX-License-Identifier: GPL-2.0-only
/* A collection in use: its locks, its references, its row. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collection_impl.h"

/* "#" stands for the number of the collection. */
static const char *const templates[SQL_COUNT] = {
	[SQL_ADD] = "INSERT INTO item_#(id, key, gen, metadata, vector)\n"
		    " VALUES(?1, ?2, ?3, ?4, ?5)\n"
		    " ON CONFLICT(key) DO NOTHING RETURNING id",
	[SQL_PUT] = "INSERT INTO item_#(id, key, gen, metadata, vector)\n"
		    " VALUES(?1, ?2, ?3, ?4, ?5)\n"
		    " ON CONFLICT(key) DO UPDATE SET gen = excluded.gen,\n"
		    " metadata = excluded.metadata, vector = excluded.vector\n"
		    " RETURNING id",
	[SQL_FIND] = "SELECT id FROM item_# WHERE key = ?1",
	[SQL_SET_VECTOR] = "UPDATE item_# SET gen = ?2, vector = ?3\n"
			   " WHERE id = ?1",
	[SQL_SET_METADATA] = "UPDATE item_# SET metadata = ?2 WHERE id = ?1",
	[SQL_DELETE] = "DELETE FROM item_# WHERE id = ?1",
	[SQL_GONE] = "INSERT OR REPLACE INTO gone_#(id, gen) VALUES(?1, ?2)",
	[SQL_GET] = "SELECT key, metadata, vector FROM item_# WHERE key = ?1",
	[SQL_WALK] = "SELECT key, metadata, vector FROM item_# WHERE key > ?1\n"
		     " ORDER BY key LIMIT ?2",
	[SQL_KEY] = "SELECT key FROM item_# WHERE id = ?1",
	[SQL_METADATA] = "SELECT metadata FROM item_# WHERE id = ?1",
	[SQL_CONTENT] = "SELECT metadata, vector FROM item_# WHERE id = ?1",
	[SQL_ROWS] = "SELECT id, vector FROM item_# WHERE id > ?1\n"
		     " ORDER BY id LIMIT ?2",
	[SQL_SINCE] = "SELECT id, vector, gen FROM item_#\n"
		      " WHERE (gen, id) > (?1, ?2) ORDER BY gen, id LIMIT ?3",
	[SQL_NEXT] = "SELECT id FROM item_# WHERE id >= ?1 ORDER BY id LIMIT 1",
	[SQL_GONE_SINCE] = "SELECT id FROM gone_# WHERE gen > ?1 AND id > ?2\n"
			   " ORDER BY id LIMIT ?3",
	[SQL_GONE_TRIM] =
		"DELETE FROM gone_# WHERE id IN\n"
		" (SELECT id FROM gone_# WHERE gen <= ?1 LIMIT 10000)",
};

static char *fill_in(const char *text, int64_t id)
{
	char *out = malloc(strlen(text) + 4 * 20);
	char *to = out;

	for (; out && *text; text++) {
		if (*text == '#')
			to += sprintf(to, "%lld", (long long)id);
		else
			*to++ = *text;
	}
	if (out)
		*to = '\0';
	return out;
}

static void init_locks(struct vdfs_core *core)
{
	pthread_rwlockattr_t attr;
	size_t i;

	/* Else a stream of writers would keep a save out for ever. */
	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(
		&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&core->gate, &attr);
	pthread_rwlockattr_destroy(&attr);
	pthread_mutex_init(&core->care, NULL);
	pthread_mutex_init(&core->graph_lock, NULL);
	pthread_mutex_init(&core->tune, NULL);
	for (i = 0; i < KEY_LOCKS; i++)
		pthread_mutex_init(&core->keys[i], NULL);
}

/**
 * vdfs_core_new() - make room for a collection
 * @db: Where.
 * @id: Number of its row.
 * @out: Out; it has one reference and neither parameters nor an index.
 *
 * Return: 0, or -ENOMEM.
 */
int vdfs_core_new(struct vdfs_db *db, int64_t id, struct vdfs_core **out)
{
	struct vdfs_core *core = calloc(1, sizeof(*core));
	size_t i;

	if (!core)
		return -ENOMEM;
	core->db = db;
	core->id = id;
	core->refs = 1;
	core->state = 1;
	core->behind = NOT_BEHIND;
	init_locks(core);
	for (i = 0; i < SQL_COUNT; i++) {
		core->sql[i] = fill_in(templates[i], id);
		if (!core->sql[i]) {
			vdfs_core_free(core);
			return -ENOMEM;
		}
	}
	*out = core;
	return 0;
}

/**
 * vdfs_core_free() - free a collection's memory
 * @core: That nobody refers to any more.
 */
void vdfs_core_free(struct vdfs_core *core)
{
	size_t i;

	vdfs_graph_put(core->graph);
	pthread_rwlock_destroy(&core->gate);
	pthread_mutex_destroy(&core->care);
	pthread_mutex_destroy(&core->graph_lock);
	pthread_mutex_destroy(&core->tune);
	for (i = 0; i < KEY_LOCKS; i++)
		pthread_mutex_destroy(&core->keys[i]);
	for (i = 0; i < SQL_COUNT; i++)
		free(core->sql[i]);
	free(core);
}

/**
 * vdfs_core_put() - give up a reference
 * @core: Freed with the last one.
 *
 * Context: Takes the lock of the db.
 */
void vdfs_core_put(struct vdfs_core *core)
{
	struct vdfs_db *db = core->db;
	bool last;

	pthread_mutex_lock(&db->lock);
	last = !--core->refs;
	pthread_mutex_unlock(&db->lock);
	if (last)
		vdfs_core_free(core);
}

/**
 * vdfs_core_state() - read the row of a collection
 * @core: Which.
 * @db: A connection inside a transaction.
 * @out: Out.
 *
 * Return: 0, -ENOENT when it was dropped, or another negative errno.
 */
int vdfs_core_state(const struct vdfs_core *core, struct sqlite3 *db,
		    struct vdfs_core_state *out)
{
	struct sqlite3_stmt *st;
	int ret;

	ret = vdfs_sql(db, &st,
		       "SELECT generation, next_id, items, log_from, stamp,\n"
		       " stamp_generation, old_stamp, old_generation\n"
		       " FROM collection WHERE id = ?1 AND name IS NOT NULL",
		       VDFS_INT(core->id));
	if (!ret)
		ret = vdfs_sql_next(st);
	if (ret <= 0)
		return ret ? ret : -ENOENT;
	out->generation = (uint64_t)sqlite3_column_int64(st, 0);
	out->next_id = (uint64_t)sqlite3_column_int64(st, 1);
	out->items = (uint64_t)sqlite3_column_int64(st, 2);
	out->log_from = (uint64_t)sqlite3_column_int64(st, 3);
	out->stamp[0] = (uint64_t)sqlite3_column_int64(st, 4);
	out->stamp_generation[0] = (uint64_t)sqlite3_column_int64(st, 5);
	out->stamp[1] = (uint64_t)sqlite3_column_int64(st, 6);
	out->stamp_generation[1] = (uint64_t)sqlite3_column_int64(st, 7);
	return 0;
}
