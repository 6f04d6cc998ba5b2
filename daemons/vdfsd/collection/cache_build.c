// SPDX-License-Identifier: GPL-2.0-only
/* The index of a collection: building it, and keeping up with the database. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/pace.h"
#include "collection_impl.h"

/* Fewer are added by one thread: starting others takes as long. */
#define MANY 32

/**
 * struct batch - some items on their way from the database
 * @core: The collection they are from.
 * @sql: Which statement gives them: id, vector, and with SQL_SINCE gen.
 * @generation: Where to go on, for SQL_SINCE and SQL_GONE_SINCE.
 * @id: Where to go on.
 * @room: Of what follows.
 * @n: How many there are.
 * @ids: shape [n].
 * @rows: f32, shape [n][dim].
 */
struct batch {
	struct vdfs_core *core;
	enum vdfs_core_sql sql;
	uint64_t generation;
	uint64_t id;
	size_t room;
	size_t n;
	uint64_t *ids;
	float *rows;
};

static int batch_init(struct batch *batch, struct vdfs_core *core)
{
	size_t bytes = core->params.dim * sizeof(float);

	batch->core = core;
	batch->room = BATCH_BYTES / bytes;
	if (batch->room > BATCH_MAX)
		batch->room = BATCH_MAX;
	batch->ids = malloc(batch->room * sizeof(*batch->ids));
	batch->rows = malloc(batch->room * bytes);
	return batch->ids && batch->rows ? 0 : -ENOMEM;
}

static void batch_fini(struct batch *batch)
{
	free(batch->ids);
	free(batch->rows);
}

static int take_row(struct batch *batch, struct sqlite3_stmt *st)
{
	const struct vdfs_collection_params *params = &batch->core->params;
	float *row = batch->rows + batch->n * params->dim;

	batch->id = vdfs_number(batch->core, sqlite3_column_int64(st, 0));
	batch->ids[batch->n] = batch->id;
	batch->n++;
	if (batch->sql == SQL_GONE_SINCE)
		return 0;
	if (batch->sql == SQL_SINCE)
		batch->generation = (uint64_t)sqlite3_column_int64(st, 2);
	return vdfs_vector_load(params, sqlite3_column_blob(st, 1),
				(size_t)sqlite3_column_bytes(st, 1), row);
}

static int batch_sql(struct batch *batch, struct sqlite3 *db,
		     struct sqlite3_stmt **st)
{
	const char *sql = vdfs_item_sql[batch->sql];
	struct vdfs_value row = VDFS_INT(vdfs_row(batch->core, batch->id));
	struct vdfs_value end = VDFS_INT(vdfs_row_end(batch->core));

	switch (batch->sql) {
	case SQL_ROWS:
		return vdfs_sql(db, st, sql, row, end, VDFS_INT(batch->room),
				VDFS_INT(batch->core->id));
	case SQL_SINCE:
		return vdfs_sql(db, st, sql, VDFS_INT(batch->core->id),
				VDFS_INT(batch->generation), row,
				VDFS_INT(batch->room));
	default:
		return vdfs_sql(db, st, sql, row, end,
				VDFS_INT(batch->generation),
				VDFS_INT(batch->room));
	}
}

static int batch_fn(struct sqlite3 *db, void *arg)
{
	struct batch *batch = arg;
	struct vdfs_core_state state;
	struct sqlite3_stmt *st;
	int ret;

	batch->n = 0;
	ret = vdfs_core_state(batch->core, db, &state);
	if (!ret)
		ret = batch_sql(batch, db, &st);
	while (!ret) {
		ret = vdfs_sql_next(st);
		if (ret <= 0)
			return ret;
		ret = take_row(batch, st);
	}
	return ret;
}

/* The next items; none when @n is 0 afterwards. */
static int batch_next(struct batch *batch)
{
	return vdfs_meta_read(batch->core->db->meta, batch_fn, batch);
}

/**
 * vdfs_graph_untrained() - does the index not know its codes yet
 * @core: The collection.
 * @ix: The index.
 *
 * It learns them from the first vectors; a thread that adds these must be
 * alone.
 *
 * Return: Whether that is still to come, or may be.
 */
bool vdfs_graph_untrained(const struct vdfs_core *core, struct vdfs_index *ix)
{
	struct vdfs_index_stats stats;

	if (core->params.codes == VDFS_CODES_NONE ||
	    core->params.type == VDFS_I8)
		return false;
	vdfs_index_stats(ix, &stats);
	return !stats.coded;
}

/**
 * vdfs_graph_apply() - put vectors into an index
 * @core: The collection of @ix.
 * @ix: The index.
 * @ids: shape [n], each once; what has such an id is replaced.
 * @rows: f32, shape [n][dim].
 * @n: How many.
 * @alone: No one else adds meanwhile.
 *
 * Return: 0, -ENOSPC when the index is full, -ENOMEM. Some may be in then.
 */
int vdfs_graph_apply(struct vdfs_core *core, struct vdfs_index *ix,
		     const uint64_t *ids, const float *rows, size_t n,
		     bool alone)
{
	bool few = n < MANY;
	size_t i;
	int ret = 0;

	/* Codes that were learnt from a few vectors do not fit the rest. */
	if (n < VDFS_TRAIN_MIN && alone && vdfs_graph_untrained(core, ix))
		few = true;
	if (!few)
		return vdfs_index_build(ix, ids, rows, n, core->db->threads,
					NULL, NULL);
	for (i = 0; i < n && !ret; i++)
		ret = vdfs_index_add(ix, ids[i], rows + i * core->params.dim);
	return ret;
}

static int count_fn(struct sqlite3 *db, void *arg)
{
	struct batch *batch = arg;
	struct vdfs_core_state state;
	int ret = vdfs_core_state(batch->core, db, &state);

	batch->generation = state.generation;
	batch->n = state.items;
	batch->id = state.next_id;
	return ret;
}

static int new_index(const struct vdfs_core *core, uint64_t items,
		     struct vdfs_index **out)
{
	const struct vdfs_collection_params *p = &core->params;
	uint64_t capacity = items + items / 2 + core->db->room;
	struct vdfs_params params = {
		.dim = p->dim,
		.metric = p->metric,
		.type = p->type,
		.codes = p->codes,
		.m = p->m,
		.ef_build = p->ef_build,
		.seed = core->seed,
	};

	if (capacity > INT32_MAX)
		capacity = INT32_MAX;
	params.capacity = (uint32_t)capacity;
	return vdfs_index_new(&params, out);
}

/* Items spread evenly over all ids, as many as there is room for. */
static int sample_fn(struct sqlite3 *db, void *arg)
{
	struct batch *batch = arg;
	uint64_t step = batch->generation / batch->room;
	struct vdfs_core_state state;
	struct sqlite3_stmt *st;
	uint64_t from = 0;
	int ret;

	batch->n = 0;
	ret = vdfs_core_state(batch->core, db, &state);
	if (ret)
		return ret;
	do {
		ret = vdfs_sql(db, &st, vdfs_item_sql[SQL_ROWS],
			       VDFS_INT(vdfs_row(batch->core, from)),
			       VDFS_INT(vdfs_row_end(batch->core)), VDFS_INT(1),
			       VDFS_INT(batch->core->id));
		if (!ret)
			ret = vdfs_sql_next(st);
		if (ret <= 0)
			return ret;
		ret = take_row(batch, st);
		from = batch->id + step;
	} while (!ret && batch->n < batch->room);
	return ret;
}

/* Add what the index lacks of a batch. */
static int add_missing(struct batch *batch, struct vdfs_index *ix)
{
	uint32_t dim = batch->core->params.dim;
	size_t n = 0;
	size_t i;

	for (i = 0; i < batch->n; i++) {
		if (vdfs_index_has(ix, batch->ids[i]))
			continue;
		batch->ids[n] = batch->ids[i];
		if (n < i)
			memcpy(batch->rows + n * dim, batch->rows + i * dim,
			       dim * sizeof(*batch->rows));
		n++;
	}
	return vdfs_graph_apply(batch->core, ix, batch->ids, batch->rows, n,
				true);
}

/* Codes are to be learnt from all of a collection, not from its beginning. */
static int add_sample(struct batch *batch, struct vdfs_index *ix,
		      uint64_t next_id)
{
	int ret;

	batch->sql = SQL_ROWS;
	batch->generation = next_id;
	ret = vdfs_meta_read(batch->core->db->meta, sample_fn, batch);
	return ret ? ret : add_missing(batch, ix);
}

static int add_all(struct batch *batch, struct vdfs_index *ix, uint64_t items,
		   vdfs_progress_fn *progress, void *arg)
{
	uint64_t done = 0;
	int ret;

	batch->sql = SQL_ROWS;
	batch->id = 0;
	for (;;) {
		ret = batch_next(batch);
		if (ret || !batch->n)
			return ret;
		done += batch->n;
		ret = add_missing(batch, ix);
		if (ret)
			return ret;
		pace_step();
		if (done > items)
			items = done;
		if (progress && !progress(arg, done, items))
			return -ECANCELED;
	}
}

/**
 * vdfs_graph_build() - build an index from the database
 * @core: The collection; it may be changed meanwhile.
 * @generation: Out: changes after this one may be missing.
 * @progress: NULL, or told how far it is.
 * @arg: For @progress.
 * @out: Out, to be given to vdfs_index_free().
 *
 * Return: 0, -ECANCELED when @progress said so, or another negative errno.
 */
int vdfs_graph_build(struct vdfs_core *core, uint64_t *generation,
		     vdfs_progress_fn *progress, void *arg,
		     struct vdfs_index **out)
{
	struct batch batch = { .core = core };
	struct vdfs_index *ix = NULL;
	uint64_t items, next_id;
	int ret;

	ret = vdfs_meta_read(core->db->meta, count_fn, &batch);
	if (ret)
		return ret;
	*generation = batch.generation;
	items = batch.n;
	next_id = batch.id;
	ret = batch_init(&batch, core);
	if (!ret)
		ret = new_index(core, items, &ix);
	if (!ret && vdfs_graph_untrained(core, ix) && items > batch.room)
		ret = add_sample(&batch, ix, next_id);
	if (!ret)
		ret = add_all(&batch, ix, items, progress, arg);
	batch_fini(&batch);
	if (ret)
		vdfs_index_free(ix);
	else
		*out = ix;
	return ret;
}

/* The same index with room for as many again; through a file. */
static int grow(struct vdfs_core *core, struct vdfs_index *ix,
		struct vdfs_index **out)
{
	char path[PATH_MAX];
	int ret;

	vdfs_graph_path(core, ".larger", path, sizeof(path));
	ret = vdfs_index_save(ix, path, 1);
	if (!ret)
		ret = vdfs_index_load_room(path, 1,
					   vdfs_index_params(ix)->capacity,
					   NULL, NULL, out);
	unlink(path);
	return ret;
}

/* Where many were deleted their room may do; it did not when this is @again. */
static int make_room(struct vdfs_core *core, struct vdfs_index **ix,
		     const struct vdfs_index *keep, bool again)
{
	struct vdfs_index_stats stats;
	struct vdfs_index *larger;
	int ret;

	vdfs_index_stats(*ix, &stats);
	if (!again && stats.deleted > stats.live / 4)
		return vdfs_index_repair(*ix, NULL, NULL);
	ret = grow(core, *ix, &larger);
	if (ret)
		return ret;
	if (*ix != keep)
		vdfs_index_free(*ix);
	*ix = larger;
	return 0;
}

static int follow(struct batch *batch, struct vdfs_index **ix, uint64_t from)
{
	const struct vdfs_index *keep = *ix;
	bool again;
	size_t i;
	int ret;

	batch->sql = SQL_SINCE;
	batch->generation = from;
	batch->id = VDFS_SPAN - 1;
	while (!(ret = batch_next(batch)) && batch->n) {
		again = false;
		while ((ret = vdfs_graph_apply(batch->core, *ix, batch->ids,
					       batch->rows, batch->n, true))) {
			if (ret == -ENOSPC)
				ret = make_room(batch->core, ix, keep, again);
			if (ret)
				return ret;
			again = true;
		}
	}
	batch->sql = SQL_GONE_SINCE;
	batch->generation = from;
	batch->id = 0;
	while (!ret && !(ret = batch_next(batch)) && batch->n)
		for (i = 0; i < batch->n; i++)
			vdfs_index_delete(*ix, batch->ids[i]);
	return ret;
}

/**
 * vdfs_graph_follow() - bring an index up to date from the database
 * @core: The collection; nobody changes it meanwhile.
 * @ix: The index; it is replaced by another when it was too small, and then
 *      the old one is the caller's still.
 * @from: The generation it has for certain, not before the log begins.
 *
 * Return: 0 or a negative errno.
 */
int vdfs_graph_follow(struct vdfs_core *core, struct vdfs_index **ix,
		      uint64_t from)
{
	struct batch batch = { 0 };
	int ret;

	ret = batch_init(&batch, core);
	if (!ret)
		ret = follow(&batch, ix, from);
	batch_fini(&batch);
	return ret;
}

/**
 * vdfs_graph_recover_locked() - let the index follow where it could not
 * @core: The collection; the caller holds the gate alone.
 *
 * Return: 0 when the index has all there is, or a negative errno.
 */
int vdfs_graph_recover_locked(struct vdfs_core *core)
{
	unsigned long from = atomic_load(&core->behind);
	struct vdfs_index *old, *ix;
	struct vdfs_graph *graph;
	uint64_t generation;
	int ret;

	if (from == NOT_BEHIND)
		return 0;
	old = core->graph->ix;
	ix = old;
	ret = vdfs_graph_follow(core, &ix, from);
	if (ret && ix != old)
		vdfs_index_free(ix);
	if (ret && ret != -ENOENT)
		ret = vdfs_graph_build(core, &generation, NULL, NULL, &ix);
	if (ret)
		return ret;
	if (ix != old) {
		graph = vdfs_graph_new(ix);
		if (!graph)
			return -ENOMEM;
		vdfs_graph_swap(core, graph);
	}
	atomic_store(&core->behind, NOT_BEHIND);
	return 0;
}

/**
 * vdfs_graph_recover() - let the index follow where it could not
 * @core: The collection.
 *
 * Return: 0 when the index has all that was acknowledged, or a negative
 * errno.
 */
int vdfs_graph_recover(struct vdfs_core *core)
{
	int ret;

	if (atomic_load(&core->behind) == NOT_BEHIND)
		return 0;
	pace_hold();
	pthread_rwlock_wrlock(&core->gate);
	ret = vdfs_graph_recover_locked(core);
	pthread_rwlock_unlock(&core->gate);
	pace_release();
	return ret;
}

/**
 * vdfs_graph_rebuild() - rebuild an index and use it
 * @core: The collection; changes and searches go on.
 * @progress: NULL, or told how far it is.
 * @arg: For @progress.
 *
 * Return: 0, -ECANCELED when @progress said so, or another negative errno:
 * the old one stays in use.
 */
int vdfs_graph_rebuild(struct vdfs_core *core, vdfs_progress_fn *progress,
		       void *arg)
{
	struct vdfs_index *ix, *old;
	struct vdfs_graph *graph;
	uint64_t generation;
	int ret;

	pace_hold();
	pthread_mutex_lock(&core->care);
	ret = vdfs_graph_build(core, &generation, progress, arg, &ix);
	if (ret)
		goto out;
	pthread_rwlock_wrlock(&core->gate);
	old = ix;
	ret = vdfs_graph_follow(core, &ix, generation);
	if (ix != old)
		vdfs_index_free(old);
	graph = ret ? NULL : vdfs_graph_new(ix);
	if (graph) {
		vdfs_graph_swap(core, graph);
		atomic_store(&core->behind, NOT_BEHIND);
	} else if (ret) {
		vdfs_index_free(ix);
	} else {
		ret = -ENOMEM;
	}
	pthread_rwlock_unlock(&core->gate);
out:
	pthread_mutex_unlock(&core->care);
	pace_release();
	pace_step();
	return ret;
}
