// SPDX-License-Identifier: GPL-2.0-only
/* A collection in use: its locks, its references, its row. */
#include <errno.h>
#include <stdlib.h>

#include "collection_impl.h"

#define SUM(gen, metadata, vector) \
	"vdfs_sum(id, collection, key, " gen ", " metadata ", " vector ")"

/*
 * ?1 is a collection, or a row of one; see vdfs_row(). Searches for rows by
 * their numbers name the collection too: a damaged row of another may be among
 * them.
 */
/* Whether an item is what was stored. */
#define IS_RIGHT "sum IS " SUM("gen", "metadata", "vector")

const char *const vdfs_item_sql[SQL_COUNT] = {
	[SQL_ADD] = "INSERT INTO item(collection, id, key, gen, metadata,\n"
		    " vector, sum)\n"
		    " VALUES(?1, ?2, ?3, ?4, ?5, ?6,\n"
		    " vdfs_sum(?2, ?1, ?3, ?4, ?5, ?6))\n"
		    " ON CONFLICT(collection, key) DO NOTHING",
	[SQL_FIND] = "SELECT id, octet_length(metadata) FROM item\n"
		     " WHERE collection = ?1 AND key = ?2",
	[SQL_SET] = "UPDATE item SET gen = ?2, metadata = ?3, vector = ?4,\n"
		    " sum = " SUM("?2", "?3", "?4") " WHERE id = ?1",
	[SQL_SET_VECTOR] = "UPDATE item SET gen = ?2, vector = ?3,\n"
			   " sum = " SUM("?2", "metadata",
					 "?3") " WHERE id = ?1 AND " IS_RIGHT,
	[SQL_SET_METADATA] =
		"UPDATE item SET metadata = ?2,\n"
		" sum = " SUM("gen", "?2",
			      "vector") " WHERE id = ?1 AND " IS_RIGHT,
	[SQL_DELETE] = "DELETE FROM item WHERE id = ?1",
	[SQL_GONE] = "INSERT OR REPLACE INTO gone(id, gen) VALUES(?1, ?2)",
	[SQL_GET] = "SELECT key, metadata, vector, " IS_RIGHT " FROM item\n"
		    " WHERE collection = ?1 AND key = ?2",
	[SQL_WALK] = "SELECT key, metadata, vector, " IS_RIGHT " FROM item\n"
		     " WHERE collection = ?1 AND key > ?2\n"
		     " ORDER BY key LIMIT ?3",
	[SQL_KEY] = "SELECT key FROM item WHERE id = ?1",
	[SQL_METADATA] = "SELECT metadata FROM item WHERE id = ?1",
	[SQL_CONTENT] = "SELECT metadata, vector, " IS_RIGHT "\n"
			" FROM item WHERE id = ?1",
	[SQL_ROWS] = "SELECT id, vector FROM item WHERE id > ?1 AND id <= ?2\n"
		     " AND +collection = ?4 AND " IS_RIGHT "\n"
		     " ORDER BY id LIMIT ?3",
	[SQL_SINCE] = "SELECT id, vector, gen FROM item\n"
		      " WHERE collection = ?1 AND (gen, id) > (?2, ?3)\n"
		      " AND " IS_RIGHT "\n"
		      " ORDER BY gen, id LIMIT ?4",
	[SQL_NEXT] = "SELECT id FROM item WHERE id >= ?1 AND id <= ?2\n"
		     " AND +collection = ?3 ORDER BY id LIMIT 1",
	[SQL_GONE_SINCE] = "SELECT id FROM gone WHERE id > ?1 AND id <= ?2\n"
			   " AND gen > ?3 ORDER BY id LIMIT ?4",
	[SQL_GONE_TRIM] =
		"DELETE FROM gone WHERE id IN (SELECT id FROM gone\n"
		" WHERE id > ?1 AND id <= ?2 AND gen <= ?3 LIMIT 10000)",
};

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

	if (!core)
		return -ENOMEM;
	core->db = db;
	core->id = id;
	core->refs = 1;
	core->state = 1;
	core->behind = NOT_BEHIND;
	init_locks(core);
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
 * Return: 0, -ENOENT when it was dropped or changed by a repair, or another
 * negative errno.
 */
int vdfs_core_state(const struct vdfs_core *core, struct sqlite3 *db,
		    struct vdfs_core_state *out)
{
	struct sqlite3_stmt *st;
	int ret;

	ret = vdfs_sql(db, &st,
		       "SELECT generation, next_id, items, log_from, stamp,\n"
		       " stamp_generation, old_stamp, old_generation, fields\n"
		       " FROM collection WHERE id = ?1 AND name IS NOT NULL\n"
		       " AND seed = ?2 AND base = ?3",
		       VDFS_INT(core->id), VDFS_INT(core->seed),
		       VDFS_INT(core->base));
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
	out->fields = (uint64_t)sqlite3_column_int64(st, 8);
	return 0;
}
