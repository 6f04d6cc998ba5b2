/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFS_TEST_ITEMS_H
#define VDFS_TEST_ITEMS_H

#include <daemons/common/sql/meta.h>
#include <daemons/vdfsd/collection/collection.h>
#include <daemons/vdfsd/serve/open.h>

#define ITEMS_MAX 20000

/**
 * struct items_db - a database in a folder of its own
 * @dir: The folder.
 * @meta: Its database.
 * @db: Its collections.
 */
struct items_db {
	char dir[64];
	struct vdfs_meta *meta;
	struct vdfs_db *db;
};

/**
 * struct items_answers - what a search or a walk gave
 * @n: How many.
 * @key: Of each.
 * @dist: Of each.
 * @metadata: Of the last one.
 * @vector: Of the last one, when it came with one.
 */
struct items_answers {
	size_t n;
	char (*key)[VDFS_KEY_MAX + 1];
	float *dist;
	char metadata[1024];
	float vector[256];
};

extern const struct vdfs_who items_me;

struct tree;

/* The collections of a store that is open, with vdfs_db_close() at the end. */
int items_in_tree(const struct tree *t, struct vdfs_db **db);

int items_make(struct items_db *db);
int items_open(struct items_db *db);
void items_shut(struct items_db *db);
void items_remove(struct items_db *db);
int items_reopen(struct items_db *db);
char *items_path(const struct items_db *db, const char *name);
struct items_answers *items_answers(void);
void items_forget(struct items_answers *a);
vdfs_item_fn items_collect;
int items_search(struct vdfs_collection *c, const float *vector, uint32_t dim,
		 uint32_t k, const char *filter, struct items_answers *out);
int items_put(struct vdfs_collection *c, const char *key, const float *vector,
	      uint32_t dim, const char *metadata);
int items_fill(struct vdfs_collection *c, const float *rows, uint32_t dim,
	       size_t from, size_t to);
int items_count(const struct items_db *db, const char *query);

#endif /* VDFS_TEST_ITEMS_H */
