// SPDX-License-Identifier: GPL-2.0-only
/* Changing items: to the database, then to the index, then the answer. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "collection_impl.h"

/* Repair when one in so many was deleted: few at a time leave no islands. */
#define REPAIR_SHARE 20
#define REPAIR_MIN 100

/**
 * struct change - a write on its way
 * @core: Where.
 * @items: shape [n].
 * @n: How many.
 * @flags: VDFS_INSERT_*.
 * @stored: Room for a vector as the database has it.
 * @ids: Out, shape [n]: ids of the items.
 * @rows: Room for the vectors, shape [n][dim].
 * @generation: Out: the transaction's.
 * @fresh: Out: items that were not there before.
 * @more: Out: what the owner is charged for beside what it was,
 * @values: and for values of indexed fields.
 * @failed: Out: the item that was the reason.
 */
struct change {
	struct vdfs_core *core;
	const struct vdfs_item *items;
	size_t n;
	uint32_t flags;
	void *stored;
	uint64_t *ids;
	float *rows;
	uint64_t generation;
	uint64_t fresh;
	struct vdfs_usage more;
	struct vdfs_usage values;
	size_t failed;
};

/**
 * struct found - an item that is there
 * @id: Its number.
 * @metadata: Length of its metadata, in bytes.
 */
struct found {
	uint64_t id;
	int64_t metadata;
};

/* The index does not have what this generation changed. */
static void fall_behind(struct vdfs_core *core, uint64_t generation)
{
	unsigned long was = atomic_load(&core->behind);

	while (generation - 1 < was &&
	       !atomic_compare_exchange_weak(&core->behind, &was,
					     generation - 1))
		continue;
}

static void maybe_repair(struct vdfs_core *core, struct vdfs_index *ix)
{
	struct vdfs_index_stats stats;

	vdfs_index_stats(ix, &stats);
	if (stats.deleted >= REPAIR_MIN &&
	    stats.deleted * REPAIR_SHARE >= stats.live + stats.deleted)
		vdfs_care_ask(core, WORK_REPAIR);
}

/* Leave only the last of what has the same id, in the order of ids. */
static int by_id_and_place(const void *a, const void *b)
{
	const uint64_t *x = a;
	const uint64_t *y = b;

	if (x[0] != y[0])
		return x[0] < y[0] ? -1 : 1;
	return (x[1] > y[1]) - (x[1] < y[1]);
}

static size_t last_of_each(struct change *change, uint64_t (*order)[2])
{
	size_t i, n = 0;

	for (i = 0; i < change->n; i++) {
		order[i][0] = change->ids[i];
		order[i][1] = i;
	}
	qsort(order, change->n, sizeof(*order), by_id_and_place);
	for (i = 0; i < change->n; i++) {
		if (i + 1 < change->n && order[i + 1][0] == order[i][0])
			continue;
		order[n][0] = order[i][0];
		order[n++][1] = order[i][1];
	}
	return n;
}

static int apply(struct change *change, struct vdfs_graph *graph, bool alone)
{
	const struct vdfs_collection_params *p = &change->core->params;
	uint64_t(*order)[2] = malloc(change->n * sizeof(*order));
	size_t i, n;
	int ret;

	if (!order)
		return -ENOMEM;
	n = last_of_each(change, order);
	for (i = 0; i < n; i++) {
		change->ids[i] = order[i][0];
		/* As it will be read from the database. */
		vdfs_vector_store(p, change->items[order[i][1]].vector,
				  change->stored);
		vdfs_vector_load(p, change->stored, vdfs_vector_bytes(p),
				 change->rows + i * p->dim);
	}
	free(order);
	ret = vdfs_graph_apply(change->core, graph->ix, change->ids,
			       change->rows, n, alone);
	atomic_fetch_add(&change->core->changes, n);
	return ret;
}

/* Commit, then let the index know; what is committed stays so. */
static int carry_out(struct change *change, vdfs_meta_fn *fn)
{
	struct vdfs_core *core = change->core;
	struct vdfs_graph *graph;
	struct vdfs_turn turn;
	int ret;

	vdfs_turn_begin(&turn, core, change->items, change->n);
	ret = vdfs_meta_write(core->db->meta, fn, change);
	if (!ret && change->rows) {
		graph = vdfs_graph_get(core);
		if (apply(change, graph, turn.alone))
			fall_behind(core, change->generation);
		if (change->fresh < change->n)
			maybe_repair(core, graph->ix);
		vdfs_graph_put(graph);
	}
	vdfs_turn_end(&turn, core);
	return ret;
}

static int change_init(struct change *change)
{
	const struct vdfs_collection_params *p = &change->core->params;

	change->stored = malloc(vdfs_vector_bytes(p));
	change->ids = malloc(change->n * sizeof(*change->ids));
	change->rows = malloc(change->n * p->dim * sizeof(*change->rows));
	return change->stored && change->ids && change->rows ? 0 : -ENOMEM;
}

static void change_fini(struct change *change)
{
	free(change->stored);
	free(change->ids);
	free(change->rows);
}

static int set_state(struct change *change, struct sqlite3 *db,
		     const struct vdfs_core_state *state)
{
	int ret;

	change->generation = state->generation;
	ret = vdfs_sql_run(db,
			   "UPDATE collection SET generation = ?2,\n"
			   " next_id = ?3, items = ?4 WHERE id = ?1",
			   VDFS_INT(change->core->id),
			   VDFS_INT(state->generation),
			   VDFS_INT(state->next_id), VDFS_INT(state->items));
	if (!ret)
		ret = vdfs_usage_add(db, change->core->db->store,
				     change->core->params.owner,
				     VDFS_USAGE_ITEMS, change->more);
	return ret ? ret :
		     vdfs_usage_add(db, change->core->db->store,
				    change->core->params.owner,
				    VDFS_USAGE_VALUES, change->values);
}

/* The item with a key; -ENOENT when there is none. */
static int find_item(const struct vdfs_core *core, struct sqlite3 *db,
		     const char *key, struct found *out)
{
	struct sqlite3_stmt *st;
	int ret;

	ret = vdfs_sql(db, &st, vdfs_item_sql[SQL_FIND], VDFS_INT(core->id),
		       VDFS_TEXT(key));
	if (!ret)
		ret = vdfs_sql_next(st);
	if (ret <= 0)
		return ret ? ret : -ENOENT;
	out->id = vdfs_number(core, sqlite3_column_int64(st, 0));
	out->metadata = sqlite3_column_int64(st, 1);
	sqlite3_reset(st);
	return 0;
}

/* Change what the owner is charged for, by an item that comes or goes. */
static void count_item(struct change *change, const char *key, int64_t metadata,
		       int n)
{
	const struct vdfs_collection_params *p = &change->core->params;

	change->more.n += n;
	change->more.bytes += n * (VDFS_ITEM_BESIDE + (int64_t)strlen(key) +
				   metadata + (int64_t)vdfs_vector_bytes(p));
}

static const char *metadata_of(const struct vdfs_item *item)
{
	return item->metadata ? item->metadata : "{}";
}

static int store_fields(struct change *change, struct sqlite3 *db,
			const struct vdfs_core_state *state, uint64_t id)
{
	const struct vdfs_core *core = change->core;
	int64_t row = vdfs_row(core, id);

	return state->fields ? vdfs_fields_store(db, core->id, row, row,
						 &change->values) :
			       0;
}

static int forget_fields(struct change *change, struct sqlite3 *db,
			 const struct vdfs_core_state *state, uint64_t id)
{
	const struct vdfs_core *core = change->core;
	int64_t row = vdfs_row(core, id);

	return state->fields ? vdfs_fields_forget(db, core->id, row, row,
						  &change->values) :
			       0;
}

/* The vector of @item is in @change->stored. */
static int add_item(struct change *change, struct sqlite3 *db,
		    const struct vdfs_item *item, struct vdfs_core_state *state)
{
	const struct vdfs_core *core = change->core;
	int ret;

	if (state->next_id >= VDFS_SPAN)
		return -ENOSPC;
	ret = vdfs_sql_run(
		db, vdfs_item_sql[SQL_ADD], VDFS_INT(core->id),
		VDFS_INT(vdfs_row(core, state->next_id)), VDFS_TEXT(item->key),
		VDFS_INT(state->generation), VDFS_TEXT(metadata_of(item)),
		VDFS_BLOB(change->stored, vdfs_vector_bytes(&core->params)));
	if (ret)
		return ret;
	if (!sqlite3_changes(db))
		return -EEXIST;
	state->next_id++;
	state->items++;
	change->fresh++;
	count_item(change, item->key, (int64_t)strlen(metadata_of(item)), 1);
	return 0;
}

static int replace_item(struct change *change, struct sqlite3 *db,
			const struct vdfs_item *item, const struct found *old,
			const struct vdfs_core_state *state)
{
	const struct vdfs_core *core = change->core;
	int ret = forget_fields(change, db, state, old->id);

	if (ret)
		return ret;
	change->more.bytes +=
		(int64_t)strlen(metadata_of(item)) - old->metadata;
	return vdfs_sql_run(
		db, vdfs_item_sql[SQL_SET], VDFS_INT(vdfs_row(core, old->id)),
		VDFS_INT(state->generation), VDFS_TEXT(metadata_of(item)),
		VDFS_BLOB(change->stored, vdfs_vector_bytes(&core->params)));
}

static int put_item(struct change *change, struct sqlite3 *db, size_t i,
		    struct vdfs_core_state *state)
{
	const struct vdfs_item *item = &change->items[i];
	const struct vdfs_core *core = change->core;
	struct found old = { 0 };
	int ret = -ENOENT;

	vdfs_vector_store(&core->params, item->vector, change->stored);
	if (change->flags & VDFS_INSERT_REPLACE)
		ret = find_item(core, db, item->key, &old);
	if (!ret) {
		ret = replace_item(change, db, item, &old, state);
	} else if (ret == -ENOENT) {
		old.id = state->next_id;
		ret = add_item(change, db, item, state);
	}
	change->ids[i] = old.id;
	return ret ? ret : store_fields(change, db, state, old.id);
}

static int insert_fn(struct sqlite3 *db, void *arg)
{
	struct change *change = arg;
	struct vdfs_core_state state;
	size_t i;
	int ret;

	change->fresh = 0;
	change->more = (struct vdfs_usage){ 0 };
	change->values = (struct vdfs_usage){ 0 };
	ret = vdfs_core_state(change->core, db, &state);
	state.generation++;
	for (i = 0; i < change->n && !ret; i++) {
		change->failed = i;
		ret = put_item(change, db, i, &state);
	}
	return ret ? ret : set_state(change, db, &state);
}

static int check_item(const struct vdfs_core *core,
		      const struct vdfs_item *item, bool update)
{
	int ret = vdfs_key_check(item->key);

	if (!ret && !item->vector && !update)
		ret = -EINVAL;
	if (!ret && item->vector)
		ret = vdfs_vector_check(&core->params, item->vector, item->dim);
	return ret ? ret : vdfs_metadata_check(item->metadata);
}

/* Whether a collection is still there, and takes keys that an insert brings. */
static int takes_fn(struct sqlite3 *db, void *arg)
{
	struct change *change = arg;
	struct vdfs_core_state state;
	struct found old;
	size_t i;
	int ret;

	ret = vdfs_core_state(change->core, db, &state);
	if (change->flags & VDFS_INSERT_REPLACE)
		return ret;
	for (i = 0; i < change->n && !ret; i++) {
		change->failed = i;
		ret = find_item(change->core, db, change->items[i].key, &old);
		ret = ret == -ENOENT ? 0 : ret ? ret : -EEXIST;
	}
	return ret;
}

/* Return the error that an insert without VDFS_INSERT_CHECK would return. */
static int check_only(struct change *change)
{
	return vdfs_meta_read(change->core->db->meta, takes_fn, change);
}

/* Everything is looked at before anything is touched. */
static int check_items(struct change *change)
{
	size_t i;
	int ret = 0;

	for (i = 0; i < change->n && !ret; i++) {
		change->failed = i;
		ret = check_item(change->core, &change->items[i], false);
	}
	return ret;
}

/**
 * vdfs_collection_insert() - put items into a collection
 * @c: Where.
 * @items: shape [n].
 * @n: How many; some thousand at a time are fastest.
 * @flags: VDFS_INSERT_*.
 * @failed: NULL, or out when an item was the reason that it failed: which.
 *
 * All or none of them. A key that is there already, or comes twice, is
 * -EEXIST; with VDFS_INSERT_REPLACE the last item with a key stays. With
 * VDFS_INSERT_CHECK nothing is stored, and a key that comes twice is not seen.
 *
 * Return: 0 or a negative errno, see collection.h.
 */
int vdfs_collection_insert(struct vdfs_collection *c,
			   const struct vdfs_item *items, size_t n,
			   uint32_t flags, size_t *failed)
{
	struct change change = {
		.core = c->core,
		.items = items,
		.n = n,
		.flags = flags,
	};
	int ret;

	if (flags & ~(VDFS_INSERT_REPLACE | VDFS_INSERT_CHECK))
		return -EINVAL;
	if (!c->may_write)
		return -EACCES;
	if (atomic_load(&c->core->dropped))
		return -ENOENT;
	if (!n)
		return 0;
	ret = check_items(&change);
	if (!ret && (flags & VDFS_INSERT_CHECK)) {
		ret = check_only(&change);
	} else if (!ret) {
		ret = change_init(&change);
		if (!ret)
			ret = carry_out(&change, insert_fn);
		change_fini(&change);
	}
	if (ret && failed)
		*failed = change.failed;
	return ret;
}

/* A damaged item is not made a sound one: it is replaced, or deleted. */
static int changed(struct sqlite3 *db)
{
	return sqlite3_changes(db) ? 0 : -EBADMSG;
}

static int set_metadata(struct change *change, struct sqlite3 *db,
			const struct vdfs_core_state *state,
			const struct found *old)
{
	const char *metadata = change->items->metadata;
	const struct vdfs_core *core = change->core;
	int ret = forget_fields(change, db, state, old->id);

	if (!ret)
		ret = vdfs_sql_run(db, vdfs_item_sql[SQL_SET_METADATA],
				   VDFS_INT(vdfs_row(core, old->id)),
				   VDFS_TEXT(metadata));
	if (!ret)
		ret = changed(db);
	change->more.bytes += (int64_t)strlen(metadata) - old->metadata;
	return ret ? ret : store_fields(change, db, state, old->id);
}

static int update_fn(struct sqlite3 *db, void *arg)
{
	struct change *change = arg;
	const struct vdfs_item *item = change->items;
	const struct vdfs_core *core = change->core;
	struct vdfs_core_state state;
	struct found old;
	int ret;

	change->more = (struct vdfs_usage){ 0 };
	change->values = (struct vdfs_usage){ 0 };
	ret = vdfs_core_state(core, db, &state);
	if (!ret)
		ret = find_item(core, db, item->key, &old);
	if (ret)
		return ret;
	state.generation++;
	if (item->vector) {
		change->ids[0] = old.id;
		vdfs_vector_store(&core->params, item->vector, change->stored);
		ret = vdfs_sql_run(db, vdfs_item_sql[SQL_SET_VECTOR],
				   VDFS_INT(vdfs_row(core, old.id)),
				   VDFS_INT(state.generation),
				   VDFS_BLOB(change->stored,
					     vdfs_vector_bytes(&core->params)));
		if (!ret)
			ret = changed(db);
	}
	if (!ret && item->metadata)
		ret = set_metadata(change, db, &state, &old);
	return ret ? ret : set_state(change, db, &state);
}

/**
 * vdfs_collection_update() - change an item
 * @c: Where.
 * @item: Its key, and what is to be new of it.
 *
 * Return: 0, -ENOENT when there is no such item, or another negative errno;
 * see collection.h.
 */
int vdfs_collection_update(struct vdfs_collection *c,
			   const struct vdfs_item *item)
{
	struct change change = {
		.core = c->core,
		.items = item,
		.n = 1,
	};
	int ret;

	if (!c->may_write)
		return -EACCES;
	if (atomic_load(&c->core->dropped))
		return -ENOENT;
	ret = check_item(c->core, item, true);
	if (!ret && item->vector)
		ret = change_init(&change);
	if (!ret)
		ret = carry_out(&change, update_fn);
	change_fini(&change);
	return ret;
}

static int delete_fn(struct sqlite3 *db, void *arg)
{
	struct change *change = arg;
	const struct vdfs_core *core = change->core;
	struct vdfs_core_state state;
	struct found old;
	int ret;

	change->ids[0] = 0;
	change->more = (struct vdfs_usage){ 0 };
	change->values = (struct vdfs_usage){ 0 };
	ret = vdfs_core_state(core, db, &state);
	if (ret)
		return ret;
	ret = find_item(core, db, change->items->key, &old);
	if (ret)
		return ret == -ENOENT ? 0 : ret;
	change->ids[0] = old.id;
	state.generation++;
	state.items--;
	count_item(change, change->items->key, old.metadata, -1);
	ret = forget_fields(change, db, &state, old.id);
	if (!ret)
		ret = vdfs_sql_run(db, vdfs_item_sql[SQL_DELETE],
				   VDFS_INT(vdfs_row(core, old.id)));
	if (!ret)
		ret = vdfs_sql_run(db, vdfs_item_sql[SQL_GONE],
				   VDFS_INT(vdfs_row(core, old.id)),
				   VDFS_INT(state.generation));
	return ret ? ret : set_state(change, db, &state);
}

/**
 * vdfs_collection_delete() - take an item out of a collection
 * @c: Where.
 * @key: Which; one that is not there is no error.
 *
 * Return: 0 or a negative errno, see collection.h.
 */
int vdfs_collection_delete(struct vdfs_collection *c, const char *key)
{
	const struct vdfs_item item = { .key = key };
	uint64_t id;
	struct change change = {
		.core = c->core,
		.items = &item,
		.n = 1,
		.ids = &id,
	};
	struct vdfs_graph *graph;
	struct vdfs_turn turn;
	int ret;

	if (!c->may_write)
		return -EACCES;
	if (atomic_load(&c->core->dropped))
		return -ENOENT;
	ret = vdfs_key_check(key);
	if (ret)
		return ret;
	vdfs_turn_begin(&turn, c->core, &item, 1);
	ret = vdfs_meta_free(c->core->db->meta, delete_fn, &change);
	if (!ret && id) {
		graph = vdfs_graph_get(c->core);
		vdfs_index_delete(graph->ix, id);
		maybe_repair(c->core, graph->ix);
		vdfs_graph_put(graph);
		atomic_fetch_add(&c->core->changes, 1);
	}
	vdfs_turn_end(&turn, c->core);
	return ret;
}
