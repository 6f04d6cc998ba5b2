// SPDX-License-Identifier: GPL-2.0-only
/* Reading items, one or all. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collection_impl.h"

/* Items that a walk reads from one commit. */
#define STEP 256

/**
 * struct reading - items being given to someone
 * @core: The collection they are from.
 * @key: Which; for a walk, the last one that was given.
 * @vector: Room for one, f32, shape [dim].
 * @fn: To whom.
 * @arg: For @fn.
 * @n: Given of this step.
 */
struct reading {
	struct vdfs_core *core;
	char key[VDFS_KEY_MAX + 1];
	float *vector;
	vdfs_item_fn *fn;
	void *arg;
	unsigned int n;
};

/* key, metadata, vector, whether these are what was stored */
static int give(struct reading *r, struct sqlite3_stmt *st)
{
	const struct vdfs_collection_params *p = &r->core->params;
	struct vdfs_item item = {
		.key = (const char *)sqlite3_column_text(st, 0),
		.metadata = (const char *)sqlite3_column_text(st, 1),
		.vector = r->vector,
		.dim = p->dim,
	};
	int ret;

	if (!sqlite3_column_int(st, 3))
		return -EBADMSG;
	if (!item.key || !item.metadata)
		return -ENOMEM;
	ret = vdfs_vector_load(p, sqlite3_column_blob(st, 2),
			       (size_t)sqlite3_column_bytes(st, 2), r->vector);
	if (ret)
		return ret;
	snprintf(r->key, sizeof(r->key), "%s", item.key);
	r->n++;
	return r->fn(r->arg, &item, 0);
}

static int get_fn(struct sqlite3 *db, void *arg)
{
	struct reading *r = arg;
	struct vdfs_core_state state;
	struct sqlite3_stmt *st;
	int ret;

	ret = vdfs_core_state(r->core, db, &state);
	if (!ret)
		ret = vdfs_sql(db, &st, vdfs_item_sql[SQL_GET],
			       VDFS_INT(r->core->id), VDFS_TEXT(r->key));
	if (!ret)
		ret = vdfs_sql_next(st);
	if (ret <= 0)
		return ret ? ret : -ENOENT;
	return give(r, st);
}

static int walk_fn(struct sqlite3 *db, void *arg)
{
	struct reading *r = arg;
	char from[VDFS_KEY_MAX + 1];
	struct vdfs_core_state state;
	struct sqlite3_stmt *st;
	int ret;

	r->n = 0;
	memcpy(from, r->key, sizeof(from));
	ret = vdfs_core_state(r->core, db, &state);
	if (!ret)
		ret = vdfs_sql(db, &st, vdfs_item_sql[SQL_WALK],
			       VDFS_INT(r->core->id), VDFS_TEXT(from),
			       VDFS_INT(STEP));
	while (!ret) {
		ret = vdfs_sql_next(st);
		if (ret <= 0)
			return ret;
		ret = give(r, st);
	}
	return ret;
}

static int begin(struct reading *r, const struct vdfs_collection *c,
		 const char *key, vdfs_item_fn *fn, void *arg)
{
	memset(r, 0, sizeof(*r));
	if (!c->may_read)
		return -EACCES;
	if (strnlen(key, VDFS_KEY_MAX + 1) > VDFS_KEY_MAX)
		return -E2BIG;
	snprintf(r->key, sizeof(r->key), "%s", key);
	r->core = c->core;
	r->fn = fn;
	r->arg = arg;
	r->vector = malloc(c->core->params.dim * sizeof(*r->vector));
	return r->vector ? 0 : -ENOMEM;
}

/**
 * vdfs_collection_get() - read an item
 * @c: Where.
 * @key: Which.
 * @fn: Is given it.
 * @arg: For @fn.
 *
 * Return: The return value of @fn, -ENOENT when there is no such item, or
 * another negative errno; see collection.h.
 */
int vdfs_collection_get(struct vdfs_collection *c, const char *key,
			vdfs_item_fn *fn, void *arg)
{
	struct reading r;
	int ret;

	ret = vdfs_key_check(key);
	if (!ret)
		ret = begin(&r, c, key, fn, arg);
	if (ret)
		return ret;
	ret = vdfs_meta_read(c->core->db->meta, get_fn, &r);
	free(r.vector);
	return ret;
}

/**
 * vdfs_collection_walk() - read all items, by key
 * @c: Where.
 * @after: Only those behind this key; NULL = all.
 * @fn: Is given one after the other.
 * @arg: For @fn.
 *
 * An item that is changed meanwhile may be seen as it was, or as it is.
 *
 * Return: 0, the last return value of @fn, or a negative errno; see
 * collection.h.
 */
int vdfs_collection_walk(struct vdfs_collection *c, const char *after,
			 vdfs_item_fn *fn, void *arg)
{
	struct reading r;
	int ret;

	ret = begin(&r, c, after ? after : "", fn, arg);
	if (ret)
		return ret;
	do {
		ret = vdfs_meta_read(c->core->db->meta, walk_fn, &r);
	} while (!ret && r.n == STEP);
	free(r.vector);
	return ret;
}
