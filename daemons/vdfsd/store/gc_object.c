// SPDX-License-Identifier: GPL-2.0-only
/*
 * Objects that nothing refers to: claimed, so that no put can come to rely
 * on them, dropped from the database in a commit, and only then from the
 * disk. Killed anywhere, it leaves rows without references or bytes without
 * rows, and the next one finds both.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gc_impl.h"

#define BATCH 256 /* objects dropped in one commit */
#define PARTS 4096 /* parts of lists dropped in one commit */

/**
 * struct batch - objects to drop in one commit
 * @store: The store.
 * @lists: Lists, or everything else.
 * @after: From behind this row on.
 * @n: How many.
 * @object: The objects, shape [n].
 * @claimed: It may be dropped.
 * @dropped: It was, wholly.
 * @touched: Something of it was.
 * @generation: Of the database then.
 */
struct batch {
	struct vdfs_store *store;
	bool lists;
	int64_t after;
	unsigned int n;
	struct vdfs_object object[BATCH];
	bool claimed[BATCH];
	bool dropped[BATCH];
	bool touched[BATCH];
	int64_t generation;
};

static bool has_hash(const struct vdfs_object *object)
{
	static const struct vdfs_hash none;

	return !vdfs_hash_equal(&object->hash, &none);
}

static int find_dead(struct sqlite3 *db, void *arg)
{
	struct batch *b = arg;
	struct sqlite3_stmt *st;
	int64_t id[BATCH];
	unsigned int i, n = 0;
	int err;

	err = vdfs_sql(db, &st,
		       "SELECT id FROM object WHERE users = 0 AND parts = 0\n"
		       "AND id > ? AND (kind = 2) = ? ORDER BY id LIMIT ?",
		       VDFS_INT(b->after), VDFS_INT(b->lists), VDFS_INT(BATCH));
	while (!err && (err = vdfs_sql_next(st)) > 0) {
		id[n++] = sqlite3_column_int64(st, 0);
		err = 0;
	}
	for (i = 0; !err && i < n; i++)
		err = vdfs_object_load(db, id[i], &b->object[i]);
	b->n = n;
	return err;
}

/* Drop parts of a list; @left says how many more this commit may. */
static int drop_parts(struct sqlite3 *db, int64_t list, int64_t *left)
{
	struct sqlite3_stmt *st;
	int64_t last = -1;
	int err;

	err = vdfs_sql(db, &st,
		       "SELECT start, object FROM part WHERE list = ?\n"
		       "ORDER BY start LIMIT ?",
		       VDFS_INT(list), VDFS_INT(*left));
	while (!err && (err = vdfs_sql_next(st)) > 0) {
		last = sqlite3_column_int64(st, 0);
		--*left;
		err = vdfs_sql_run(db,
				   "UPDATE object SET parts = parts - 1\n"
				   "WHERE id = ?",
				   VDFS_INT(sqlite3_column_int64(st, 1)));
	}
	if (err || last < 0)
		return err;
	return vdfs_sql_run(db,
			    "DELETE FROM part WHERE list = ? AND start <= ?",
			    VDFS_INT(list), VDFS_INT(last));
}

static int drop_one(struct sqlite3 *db, const struct vdfs_object *object,
		    int64_t *left, bool *dropped)
{
	int64_t id = object->id;
	int err = 0;

	if (object->kind == VDFS_LIST) {
		err = drop_parts(db, id, left);
		if (!err && !*left)
			/* Some may be left, so nobody may find it. */
			return vdfs_sql_run(db,
					    "UPDATE object SET hash = NULL\n"
					    "WHERE id = ?",
					    VDFS_INT(id));
	}
	if (!err && object->kind == VDFS_FILE)
		err = vdfs_sql_run(db, "DELETE FROM block WHERE object = ?",
				   VDFS_INT(id));
	if (!err)
		err = vdfs_sql_run(db, "DELETE FROM object WHERE id = ?",
				   VDFS_INT(id));
	*dropped = !err;
	return err;
}

static int drop_dead(struct sqlite3 *db, void *arg)
{
	struct batch *b = arg;
	int64_t left = PARTS;
	struct vdfs_object now;
	unsigned int i;
	int err;

	err = vdfs_identity_raise(db, &b->generation);
	memset(b->dropped, 0, sizeof(b->dropped));
	memset(b->touched, 0, sizeof(b->touched));
	for (i = 0; !err && left && i < b->n; i++) {
		if (!b->claimed[i])
			continue;
		err = vdfs_object_load(db, b->object[i].id, &now);
		if (err == -ENOENT) {
			err = 0;
			continue;
		}
		/* Moved or revived since it was found. */
		if (err || now.users || now.parts ||
		    !vdfs_hash_equal(&now.hash, &b->object[i].hash) ||
		    vdfs_put_makes(b->store, now.id))
			continue;
		b->object[i] = now;
		b->touched[i] = true;
		err = drop_one(db, &now, &left, &b->dropped[i]);
	}
	return err;
}

/* An object that somebody has open stays, and its user goes on paying. */
static void claim_all(struct batch *b)
{
	const struct vdfs_object *object;
	unsigned int i;

	for (i = 0; i < b->n; i++) {
		object = &b->object[i];
		b->claimed[i] = !has_hash(object) ||
				!vdfs_claim_unused(b->store, &object->hash);
		if (!b->claimed[i] && object->user != VDFS_COMMON)
			vdfs_litter_keep(&b->store->charges,
					 (uint32_t)object->user, object->size);
	}
}

static void unclaim_all(struct batch *b)
{
	unsigned int i;

	for (i = 0; i < b->n; i++) {
		if (b->claimed[i] && has_hash(&b->object[i]))
			vdfs_unclaim(b->store, &b->object[i].hash);
	}
}

/* The commit is durable: what it dropped may leave the disk. */
static int give_back(struct vdfs_gc *gc, const struct vdfs_object *object)
{
	struct vdfs_gc_result *result = &gc->result;

	if (object->kind == VDFS_LIST || object->kind == VDFS_AWAY)
		return 0;
	result->objects++;
	if (object->kind == VDFS_RECORD) {
		vdfs_record_punch(gc->store, object);
		return 0;
	}
	result->bytes += object->size;
	return has_hash(object) ? vdfs_file_unlink(gc->store, object) : 0;
}

/* Returns whether it has changed anything, or a negative errno. */
static int run_batch(struct vdfs_gc *gc, struct batch *b, bool blobs)
{
	bool changed = false;
	unsigned int i;
	int err;

	err = vdfs_meta_read(b->store->meta, find_dead, b);
	if (err || !b->n)
		return err;
	claim_all(b);
	err = vdfs_store_write(b->store, drop_dead, b);
	if (!err)
		vdfs_identity_note(b->store, b->generation);
	for (i = 0; !err && i < b->n; i++) {
		changed = changed || b->touched[i];
		if (!b->dropped[i])
			continue;
		if (blobs && has_hash(&b->object[i]))
			gc->result.blobs++;
		err = give_back(gc, &b->object[i]);
	}
	unclaim_all(b);
	if (!err)
		err = vdfs_gc_step(gc, b->n);
	return err ?: changed;
}

/* All that is dead and of one sort, until nothing of it can be dropped. */
static int run_sort(struct vdfs_gc *gc, struct batch *b, bool lists, bool blobs)
{
	bool changed;
	int ret;

	b->lists = lists;
	do {
		changed = false;
		b->after = 0;
		do {
			ret = run_batch(gc, b, blobs);
			if (ret < 0)
				return ret;
			changed = changed || ret;
			if (b->n)
				b->after = b->object[b->n - 1].id;
		} while (b->n == BATCH);
	} while (changed);
	return 0;
}

/**
 * vdfs_gc_run_objects() - drop the objects that nothing refers to
 * @gc: The collection.
 *
 * Context: With the store's gc lock.
 * Return: 0 or a negative errno.
 */
int vdfs_gc_run_objects(struct vdfs_gc *gc)
{
	struct batch *b = calloc(1, sizeof(*b));
	int err;

	if (!b)
		return -ENOMEM;
	b->store = gc->store;
	err = run_sort(gc, b, false, true);
	if (!err)
		err = run_sort(gc, b, true, true);
	/* Then the parts of the lists that went. */
	if (!err)
		err = run_sort(gc, b, false, false);
	free(b);
	return err;
}

/**
 * vdfs_gc_objects() - drop the objects that nothing refers to, in passing
 * @store: The store.
 *
 * Does nothing when somebody is at it already.
 *
 * Context: Any thread.
 * Return: 0 or a negative errno.
 */
int vdfs_gc_objects(struct vdfs_store *store)
{
	struct vdfs_gc gc = { .store = store };
	int err = vdfs_store_writable(store);

	if (err || pthread_mutex_trylock(&store->gc))
		return err;
	err = vdfs_gc_run_objects(&gc);
	pthread_mutex_unlock(&store->gc);
	return err;
}
