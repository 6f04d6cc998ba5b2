// SPDX-License-Identifier: GPL-2.0-only
/* Databases with collections to test with, and what these answer. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "files.h"
#include "items.h"
#include "store.h"

const struct vdfs_who items_me = { .uid = 1000 };

/* Path of a file in the folder; valid until the next call. */
char *items_path(const struct items_db *db, const char *name)
{
	static char path[400];

	snprintf(path, sizeof(path), "%s/%s", db->dir, name);
	return path;
}

int items_open(struct items_db *db)
{
	int ret = vdfs_meta_open(items_path(db, "meta.db"), vdfs_schemas,
				 &db->meta);

	if (!ret)
		ret = vdfs_db_open(db->meta, db->dir, 2, &db->db);
	return ret;
}

int items_make(struct items_db *db)
{
	memset(db, 0, sizeof(*db));
	snprintf(db->dir, sizeof(db->dir), "/tmp/phi-items-XXXXXX");
	return mkdtemp(db->dir) ? items_open(db) : -1;
}

void items_shut(struct items_db *db)
{
	vdfs_db_close(db->db);
	vdfs_meta_close(db->meta);
	db->db = NULL;
	db->meta = NULL;
}

int items_reopen(struct items_db *db)
{
	items_shut(db);
	return items_open(db);
}

void items_remove(struct items_db *db)
{
	items_shut(db);
	remove_tree(db->dir);
}

struct items_answers *items_answers(void)
{
	struct items_answers *a = calloc(1, sizeof(*a));

	if (a)
		a->key = calloc(ITEMS_MAX, sizeof(*a->key));
	if (a)
		a->dist = calloc(ITEMS_MAX, sizeof(*a->dist));
	if (!a || !a->key || !a->dist)
		abort();
	return a;
}

void items_forget(struct items_answers *a)
{
	free(a->key);
	free(a->dist);
	free(a);
}

int items_collect(void *arg, const struct vdfs_item *item, float dist)
{
	struct items_answers *a = arg;
	uint32_t d;

	if (a->n == ITEMS_MAX)
		abort();
	snprintf(a->key[a->n], sizeof(a->key[a->n]), "%s", item->key);
	a->dist[a->n++] = dist;
	snprintf(a->metadata, sizeof(a->metadata), "%s", item->metadata);
	for (d = 0; item->vector && d < item->dim && d < 256; d++)
		a->vector[d] = item->vector[d];
	return 0;
}

/* All that there is, for certain. */
int items_search(struct vdfs_collection *c, const float *vector, uint32_t dim,
		 uint32_t k, const char *filter, struct items_answers *out)
{
	struct vdfs_search search = {
		.vector = vector,
		.dim = dim,
		.k = k,
		.recall = 1,
		.filter = filter,
	};

	out->n = 0;
	return vdfs_collection_search(c, &search, items_collect, out);
}

int items_put(struct vdfs_collection *c, const char *key, const float *vector,
	      uint32_t dim, const char *metadata)
{
	struct vdfs_item item = {
		.key = key,
		.vector = vector,
		.dim = dim,
		.metadata = metadata,
	};

	return vdfs_collection_insert(c, &item, 1, 0, NULL);
}

/* Items @from to @to - 1, by the names of their numbers. */
int items_fill(struct vdfs_collection *c, const float *rows, uint32_t dim,
	       size_t from, size_t to)
{
	size_t n = to - from;
	struct vdfs_item *item = calloc(n, sizeof(*item));
	char(*key)[24] = calloc(n, sizeof(*key));
	size_t i;
	int ret;

	if (!item || !key)
		abort();
	for (i = 0; i < n; i++) {
		snprintf(key[i], sizeof(key[i]), "%06zu", from + i);
		item[i].key = key[i];
		item[i].vector = rows + (from + i) * dim;
		item[i].dim = dim;
	}
	ret = vdfs_collection_insert(c, item, n, 0, NULL);
	free(item);
	free(key);
	return ret;
}

/* The number that a query gives. */
int items_count(const struct items_db *db, const char *query)
{
	sqlite3_stmt *st;
	sqlite3 *sql;
	int n;

	if (sqlite3_open(items_path(db, "meta.db"), &sql) ||
	    sqlite3_prepare_v2(sql, query, -1, &st, NULL) ||
	    sqlite3_step(st) != SQLITE_ROW)
		abort();
	n = sqlite3_column_int(st, 0);
	sqlite3_finalize(st);
	sqlite3_close(sql);
	return n;
}

int items_in_tree(const struct tree *t, struct vdfs_db **db)
{
	char graphs[80];

	snprintf(graphs, sizeof(graphs), "%s/graph", t->dir);
	return vdfs_db_open(vdfs_store_meta(t->store), graphs, 1, db);
}
