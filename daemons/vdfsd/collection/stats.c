// SPDX-License-Identifier: GPL-2.0-only
/* Looking after a collection by hand. */
#include <errno.h>

#include "collection_impl.h"

/**
 * vdfs_collection_rebuild() - rebuild the index from the database
 * @c: The collection; changes and searches go on.
 * @progress: NULL, or told how far it is.
 * @arg: For @progress.
 *
 * Return: 0, -ECANCELED when @progress said so, or another negative errno;
 * see collection.h.
 */
int vdfs_collection_rebuild(struct vdfs_collection *c,
			    vdfs_progress_fn *progress, void *arg)
{
	int ret;

	if (!c->may_write)
		return -EACCES;
	ret = vdfs_graph_rebuild(c->core, progress, arg);
	return ret ? ret : vdfs_graph_save(c->core);
}

/**
 * vdfs_collection_save() - save the index, for a fast start
 * @c: The collection.
 *
 * Return: 0 or a negative errno, see collection.h.
 */
int vdfs_collection_save(struct vdfs_collection *c)
{
	return c->may_write ? vdfs_graph_save(c->core) : -EACCES;
}

/**
 * struct row - the row of a collection, wanted
 * @core: The collection.
 * @state: Out.
 */
struct row {
	const struct vdfs_core *core;
	struct vdfs_core_state state;
};

static int stats_fn(struct sqlite3 *db, void *arg)
{
	struct row *row = arg;

	return vdfs_core_state(row->core, db, &row->state);
}

/**
 * vdfs_collection_stats() - what a collection holds
 * @c: Which.
 * @out: Out.
 *
 * Return: 0 or a negative errno, see collection.h.
 */
int vdfs_collection_stats(struct vdfs_collection *c,
			  struct vdfs_collection_stats *out)
{
	struct row row = { .core = c->core };
	struct vdfs_index_stats stats;
	struct vdfs_graph *graph;
	int ret;

	ret = vdfs_meta_read(c->core->db->meta, stats_fn, &row);
	if (ret)
		return ret;
	graph = vdfs_graph_get(c->core);
	vdfs_index_stats(graph->ix, &stats);
	vdfs_graph_put(graph);
	out->items = row.state.items;
	out->deleted = stats.deleted;
	out->index_bytes = stats.bytes;
	out->generation = row.state.generation;
	out->saved = atomic_load(&c->core->saved);
	return 0;
}

/**
 * vdfs_collection_owned() - count a user's collections inside a transaction
 * @db: A connection.
 * @owned: A struct vdfs_owned.
 *
 * Context: Inside a vdfs_meta_fn.
 * Return: 0 or a negative errno.
 */
int vdfs_collection_owned(struct sqlite3 *db, void *owned)
{
	struct vdfs_owned *c = owned;
	struct sqlite3_stmt *st;
	int ret;

	ret = vdfs_sql(db, &st,
		       "SELECT count(*) FROM collection\n"
		       " WHERE owner = ?1 AND name IS NOT NULL",
		       VDFS_INT(c->uid));
	if (!ret)
		ret = vdfs_sql_next(st);
	if (ret <= 0)
		return ret ? ret : -EBADMSG;
	c->n = (uint32_t)sqlite3_column_int64(st, 0);
	sqlite3_reset(st);
	return 0;
}

/**
 * vdfs_collection_count() - count the collections of a user
 * @db: Where.
 * @uid: The user.
 * @out: Out.
 *
 * Return: 0 or a negative errno.
 */
int vdfs_collection_count(struct vdfs_db *db, uint32_t uid, uint32_t *out)
{
	struct vdfs_owned c = { .uid = uid };
	int ret = vdfs_meta_read(db->meta, vdfs_collection_owned, &c);

	*out = c.n;
	return ret;
}
