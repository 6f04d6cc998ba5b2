// SPDX-License-Identifier: GPL-2.0-only
/*
 * The index of a collection: who holds it, and its file. The file carries a
 * random stamp, which the collection's row knows with the generation it
 * stands for; so neither another store's file, nor one that is newer or
 * older than the database, is ever taken for the right one. The row gets a
 * new stamp before the file is replaced and remembers the one before:
 * whichever file a crash leaves is known. A checksum holds stamps and generations
 * together: where they are not what was stored, no file is known.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "collection_impl.h"

/* Bringing one vector up to date takes as long as writing so many bytes. */
#define BYTES_A_CHANGE 250000

static void kept_free(struct vdfs_kept *kept)
{
	if (!kept)
		return;
	vdfs_subset_free(kept->subset);
	free(kept->filter);
	free(kept);
}

/**
 * vdfs_graph_new() - wrap an index
 * @ix: It belongs to the graph from then on.
 *
 * Return: With one reference; NULL, and @ix freed, when there is no memory.
 */
struct vdfs_graph *vdfs_graph_new(struct vdfs_index *ix)
{
	struct vdfs_graph *graph = calloc(1, sizeof(*graph));

	if (!graph) {
		vdfs_index_free(ix);
		return NULL;
	}
	graph->ix = ix;
	graph->refs = 1;
	pthread_mutex_init(&graph->lock, NULL);
	return graph;
}

/**
 * vdfs_graph_get() - take hold of a collection's index
 * @core: The collection.
 *
 * Return: To be given to vdfs_graph_put().
 */
struct vdfs_graph *vdfs_graph_get(struct vdfs_core *core)
{
	struct vdfs_graph *graph;

	pthread_mutex_lock(&core->graph_lock);
	graph = core->graph;
	pthread_mutex_lock(&graph->lock);
	graph->refs++;
	pthread_mutex_unlock(&graph->lock);
	pthread_mutex_unlock(&core->graph_lock);
	return graph;
}

/**
 * vdfs_graph_put() - let go of an index
 * @graph: Freed by the last holder; NULL is allowed.
 */
void vdfs_graph_put(struct vdfs_graph *graph)
{
	unsigned int refs;
	size_t i;

	if (!graph)
		return;
	pthread_mutex_lock(&graph->lock);
	refs = --graph->refs;
	pthread_mutex_unlock(&graph->lock);
	if (refs)
		return;
	for (i = 0; i < KEPT; i++)
		kept_free(graph->kept[i]);
	pthread_mutex_destroy(&graph->lock);
	vdfs_index_free(graph->ix);
	free(graph);
}

/**
 * vdfs_graph_swap() - give a collection another index
 * @core: The collection; the caller holds its gate alone, or is alone.
 * @graph: The new one; the reference goes to @core.
 */
void vdfs_graph_swap(struct vdfs_core *core, struct vdfs_graph *graph)
{
	struct vdfs_graph *old;

	pthread_mutex_lock(&core->graph_lock);
	old = core->graph;
	core->graph = graph;
	pthread_mutex_unlock(&core->graph_lock);
	vdfs_graph_put(old);
}

/**
 * vdfs_graph_path() - where a collection's index is saved
 * @core: The collection.
 * @suffix: Behind the name.
 * @path: Out.
 * @len: Room for it; a path that is too long is cut, so that opening it fails.
 */
void vdfs_graph_path(const struct vdfs_core *core, const char *suffix,
		     char *path, size_t len)
{
	if ((size_t)snprintf(path, len, "%s/%lld.graph%s", core->db->dir,
			     (long long)core->id, suffix) >= len)
		*path = '\0';
}

/**
 * struct look - the row of a collection, wanted
 * @core: The collection.
 * @state: Out.
 */
struct look {
	struct vdfs_core *core;
	struct vdfs_core_state state;
};

static int look_fn(struct sqlite3 *db, void *arg)
{
	struct look *look = arg;

	return vdfs_core_state(look->core, db, &look->state);
}

/* The row, without its stamps where they are not what was stored. */
static int look_for_file(struct sqlite3 *db, void *arg)
{
	struct look *look = arg;
	struct sqlite3_stmt *st;
	int ret;

	ret = vdfs_core_state(look->core, db, &look->state);
	if (!ret)
		ret = vdfs_sql(db, &st,
			       "SELECT 1 FROM collection WHERE id = ?1\n"
			       " AND stamp_sum = " VDFS_STAMP_SUM,
			       VDFS_INT(look->core->id));
	if (!ret)
		ret = vdfs_sql_next(st);
	if (ret > 0)
		return vdfs_sql_next(st);
	look->state.stamp[0] = 0;
	look->state.stamp[1] = 0;
	return ret;
}

static bool fits(const struct vdfs_core *core, struct vdfs_index *ix)
{
	const struct vdfs_params *is = vdfs_index_params(ix);
	const struct vdfs_collection_params *want = &core->params;

	/* Bytes are their own codes, whatever was asked for. */
	if (is->codes != want->codes && want->type != VDFS_I8)
		return false;
	return is->dim == want->dim && is->metric == want->metric &&
	       is->type == want->type && is->m == want->m &&
	       is->ef_build == want->ef_build && is->seed == core->seed;
}

/* The saved index, if it is one, and the generation it stands for. */
static int load_saved(struct vdfs_core *core,
		      const struct vdfs_core_state *state,
		      vdfs_progress_fn *progress, void *arg,
		      struct vdfs_index **out)
{
	char path[PATH_MAX];
	int ret = -ENOENT;
	int i;

	vdfs_graph_path(core, "", path, sizeof(path));
	for (i = 0; i < 2; i++) {
		uint64_t generation = state->stamp_generation[i];

		if (!state->stamp[i] || generation > state->generation ||
		    generation < state->log_from)
			continue;
		ret = vdfs_index_load_room(path, state->stamp[i],
					   core->db->room, progress, arg, out);
		if (ret == -ESTALE)
			continue;
		if (!ret && !fits(core, *out)) {
			vdfs_index_free(*out);
			*out = NULL;
			return -EBADMSG;
		}
		if (!ret) {
			core->stamp = state->stamp[i];
			core->saved = generation;
		}
		return ret;
	}
	return ret;
}

/* Bring a saved index up to date; anything odd means it is not used. */
static int revive(struct vdfs_core *core, const struct vdfs_core_state *state,
		  struct vdfs_index **ix)
{
	struct vdfs_index *old = *ix;
	struct vdfs_index_stats stats;
	int ret;

	ret = vdfs_graph_follow(core, ix, core->saved);
	if (*ix != old)
		vdfs_index_free(old);
	if (ret)
		return ret;
	vdfs_index_stats(*ix, &stats);
	return stats.live == state->items ? 0 : -EBADMSG;
}

/**
 * vdfs_graph_load() - get the index of a collection that is being opened
 * @core: The collection; nobody else uses it yet.
 * @progress: NULL, or told how far it is.
 * @arg: For @progress.
 *
 * From the file, brought up to date; rebuilt when that fails.
 *
 * Return: 0, -ECANCELED when @progress said so, or another negative errno.
 */
int vdfs_graph_load(struct vdfs_core *core, vdfs_progress_fn *progress,
		    void *arg)
{
	struct look look = { .core = core };
	struct vdfs_index *ix = NULL;
	struct vdfs_graph *graph;
	uint64_t generation;
	int ret;

	ret = vdfs_meta_read(core->db->meta, look_for_file, &look);
	if (ret)
		return ret;
	ret = load_saved(core, &look.state, progress, arg, &ix);
	if (ret == -ECANCELED)
		return ret;
	if (!ret && revive(core, &look.state, &ix)) {
		vdfs_index_free(ix);
		ix = NULL;
	}
	if (!ix) {
		core->stamp = 0;
		core->saved = 0;
		ret = vdfs_graph_build(core, &generation, progress, arg, &ix);
		if (ret)
			return ret;
		core->changes = look.state.items;
	}
	graph = vdfs_graph_new(ix);
	if (!graph)
		return -ENOMEM;
	vdfs_graph_swap(core, graph);
	/* Do not lose an index that was expensive to build. */
	if (!core->stamp && vdfs_graph_worth_saving(core))
		vdfs_graph_save(core);
	return 0;
}

/**
 * vdfs_graph_worth_saving() - would the next start be faster
 * @core: The collection.
 *
 * Return: Whether writing the file takes less time than to do again what
 * has changed since it was written.
 */
bool vdfs_graph_worth_saving(struct vdfs_core *core)
{
	uint64_t changes = atomic_load(&core->changes);
	struct vdfs_index_stats stats;
	struct vdfs_graph *graph;

	if (atomic_load(&core->dropped) || atomic_load(&core->stale))
		return false;
	graph = vdfs_graph_get(core);
	vdfs_index_stats(graph->ix, &stats);
	vdfs_graph_put(graph);
	return changes * BYTES_A_CHANGE > stats.bytes;
}

/**
 * struct mark - a stamp on its way into the row
 * @core: The collection.
 * @stamp: The new one.
 * @generation: The generation up to which the new file has all changes.
 * @old_stamp: That of the file there is.
 * @old_generation: The generation that belongs to @old_stamp.
 * @more: Out: there may be more to trim.
 */
struct mark {
	struct vdfs_core *core;
	uint64_t stamp;
	uint64_t generation;
	uint64_t old_stamp;
	uint64_t old_generation;
	bool more;
};

static int mark_fn(struct sqlite3 *db, void *arg)
{
	const struct mark *mark = arg;
	int ret;

	ret = vdfs_sql_run(db,
			   "UPDATE collection SET stamp = ?2,\n"
			   " stamp_generation = ?3, old_stamp = ?4,\n"
			   " old_generation = ?5,\n"
			   " stamp_sum = vdfs_sum(id, ?2, ?3, ?4, ?5)\n"
			   " WHERE id = ?1 AND name IS NOT NULL AND seed = ?6",
			   VDFS_INT(mark->core->id), VDFS_INT(mark->stamp),
			   VDFS_INT(mark->generation),
			   VDFS_INT(mark->old_stamp),
			   VDFS_INT(mark->old_generation),
			   VDFS_INT(mark->core->seed));
	if (!ret && !sqlite3_changes(db))
		ret = -ENOENT;
	return ret;
}

static int trim_fn(struct sqlite3 *db, void *arg)
{
	struct mark *mark = arg;
	int ret;

	ret = vdfs_sql_run(
		db,
		"UPDATE collection SET log_from = max(log_from, ?2)\n"
		" WHERE id = ?1 AND name IS NOT NULL AND seed = ?3",
		VDFS_INT(mark->core->id), VDFS_INT(mark->generation),
		VDFS_INT(mark->core->seed));
	if (!ret && !sqlite3_changes(db))
		ret = -ENOENT;
	if (!ret)
		ret = vdfs_sql_run(db, vdfs_item_sql[SQL_GONE_TRIM],
				   VDFS_INT(vdfs_row(mark->core, 0)),
				   VDFS_INT(vdfs_row_end(mark->core)),
				   VDFS_INT(mark->generation));
	mark->more = sqlite3_changes(db) > 0;
	return ret;
}

/* Find the generation that the index contains once all writers are done. */
static int settle(struct vdfs_core *core, uint64_t *generation,
		  uint64_t *changes, struct vdfs_graph **graph)
{
	struct look look = { .core = core };
	int ret;

	pthread_rwlock_wrlock(&core->gate);
	ret = vdfs_graph_recover_locked(core);
	if (!ret)
		ret = vdfs_meta_read(core->db->meta, look_fn, &look);
	if (!ret) {
		*generation = look.state.generation;
		*changes = atomic_load(&core->changes);
		*graph = vdfs_graph_get(core);
	}
	pthread_rwlock_unlock(&core->gate);
	return ret;
}

static int save(struct vdfs_core *core)
{
	struct mark mark = {
		.core = core,
		.old_stamp = core->stamp,
		.old_generation = core->saved,
	};
	struct vdfs_graph *graph;
	char path[PATH_MAX];
	uint64_t changes;
	int ret;

	if (getrandom(&mark.stamp, sizeof(mark.stamp), 0) < 0)
		return -errno;
	mark.stamp |= 1;
	ret = settle(core, &mark.generation, &changes, &graph);
	if (ret)
		return ret;
	vdfs_graph_path(core, "", path, sizeof(path));
	ret = vdfs_meta_write(core->db->meta, mark_fn, &mark);
	if (!ret)
		ret = vdfs_index_save(graph->ix, path, mark.stamp);
	vdfs_graph_put(graph);
	if (ret)
		return ret;
	core->stamp = mark.stamp;
	core->saved = mark.generation;
	atomic_fetch_sub(&core->changes, changes);
	do {
		ret = vdfs_meta_write(core->db->meta, trim_fn, &mark);
	} while (!ret && mark.more);
	if (atomic_load(&core->dropped)) {
		unlink(path);
		ret = -ENOENT;
	}
	return ret;
}

/**
 * vdfs_graph_save() - write a collection's index to its file
 * @core: The collection. Writers wait for a moment, and while the index is
 *        written.
 *
 * Return: 0 or a negative errno: the old file is good still.
 */
int vdfs_graph_save(struct vdfs_core *core)
{
	int ret = -ENOENT;

	pthread_mutex_lock(&core->care);
	if (!atomic_load(&core->dropped) && !atomic_load(&core->stale))
		ret = save(core);
	pthread_mutex_unlock(&core->care);
	return ret;
}
