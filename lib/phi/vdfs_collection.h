/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PHI_VDFS_COLLECTION_H
#define PHI_VDFS_COLLECTION_H

#include <phi/vdfs.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The second half of phi/vdfs.h: items with vectors. */

/**
 * struct phi_vdfs_item - one item of a collection
 * @key: Unique in the collection.
 * @vector: f32, shape [dim]; NULL in an update = leave, in a result = it was
 *          not asked for.
 * @dim: Its length.
 * @metadata: JSON object; NULL = {}, in an update = leave, in a result = it
 *            was not asked for.
 */
struct phi_vdfs_item {
	const char *key;
	const float *vector;
	uint32_t dim;
	const char *metadata;
};

#define PHI_VDFS_WHY_MAX 160 /* bytes of a reason, its NUL included */

/**
 * struct phi_vdfs_search - a search
 * @vectors: f32, shape [n][dim].
 * @n: Vectors to search for, each by itself, at least 1.
 * @dim: Length of one.
 * @k: Answers wanted to each.
 * @ef: Candidates to keep while searching; 0 = by @recall.
 * @recall: Wanted share of the true nearest, above 0 to 1; 1 = exact, 0 =
 *          0.95. Where the index is not sure to reach it the search looks at
 *          every item instead: it is exact then, and takes as long as 1.
 * @filter: JSON; NULL = none.
 * @want: PHI_VDFS_VECTORS, PHI_VDFS_METADATA: what to return beside keys.
 * @why: NULL, or room for PHI_VDFS_WHY_MAX bytes: when the search fails with
 *       EINVAL, what is wrong with @filter and where; "" when it is a number.
 */
struct phi_vdfs_search {
	const float *vectors;
	uint32_t n;
	uint32_t dim;
	uint32_t k;
	uint32_t ef;
	float recall;
	const char *filter;
	uint32_t want;
	char *why;
};

/**
 * typedef phi_vdfs_item_fn - one item of an answer
 * @arg: The caller's.
 * @item: Valid during the call.
 * @query: Which vector of the search it answers; 0 in lists.
 * @dist: By the metric, the less the nearer; 0 in lists.
 *
 * Return: 0 to go on; anything else ends it and is returned.
 */
typedef int phi_vdfs_item_fn(void *arg, const struct phi_vdfs_item *item,
			     uint32_t query, float dist);

/**
 * typedef phi_vdfs_collection_fn - one collection of a list
 * @arg: The caller's.
 * @name: Its name.
 * @params: Its parameters.
 * @items: How many it holds.
 *
 * Return: 0 to go on; anything else ends the list and is returned.
 */
typedef int phi_vdfs_collection_fn(void *arg, const char *name,
				   const struct phi_vdfs_params *params,
				   uint64_t items);

/**
 * phi_vdfs_collection_create() - make a collection
 * @v: Session.
 * @name: a-z 0-9 _ -, at most 64.
 * @params: Its parameters; one that exists with the same parameters is no
 *          error.
 *
 * Context: Any thread. Waits for the daemon.
 * Return: 0 or a negative errno.
 */
int phi_vdfs_collection_create(struct phi_vdfs *v, const char *name,
			       const struct phi_vdfs_params *params);

/**
 * phi_vdfs_collection_drop() - delete a collection with all that is in it
 * @v: Session.
 * @name: Its name.
 *
 * Context: Any thread. Waits for the daemon.
 * Return: 0 or a negative errno.
 */
int phi_vdfs_collection_drop(struct phi_vdfs *v, const char *name);

/**
 * phi_vdfs_collection_list() - list the collections that the caller may see
 * @v: Session.
 * @fn: Called with each; it makes no calls.
 * @arg: For @fn.
 *
 * Context: Any thread. Waits for the daemon.
 * Return: 0, what @fn returned, or a negative errno.
 */
int phi_vdfs_collection_list(struct phi_vdfs *v, phi_vdfs_collection_fn *fn,
			     void *arg);

/**
 * phi_vdfs_collection_open() - get ready to use a collection
 * @v: Session.
 * @name: Its name.
 * @progress: Called now and then while its index is loaded or built; may be
 *            NULL.
 * @arg: For @progress.
 * @id: Out, for the functions below.
 * @params: Out, what it is; may be NULL.
 *
 * Context: Any thread. Waits until its index is there.
 * Return: 0 or a negative errno.
 */
int phi_vdfs_collection_open(struct phi_vdfs *v, const char *name,
			     phi_vdfs_progress *progress, void *arg,
			     uint64_t *id, struct phi_vdfs_params *params);

/**
 * phi_vdfs_collection_close() - be done with a collection
 * @v: Session.
 * @id: From phi_vdfs_collection_open().
 *
 * Context: Any thread. Waits for the daemon.
 * Return: 0 or a negative errno.
 */
int phi_vdfs_collection_close(struct phi_vdfs *v, uint64_t id);

/**
 * phi_vdfs_collection_insert() - add items, all or none
 * @v: Session.
 * @id: Collection.
 * @items: Items.
 * @n: How many.
 * @flags: PHI_VDFS_REPLACE: a key that is taken gets the new item.
 *         PHI_VDFS_CHECK: store nothing, and return what an insert would
 *         return now. The check does not find a key that stands twice in
 *         @items. It does not write, so it does not return the errors of a
 *         write to the store: -ENOSPC, -EIO, -EROFS, -EBUSY, -ENOMEM.
 * @failed: Out, when it fails for one of them: which; may be NULL.
 *
 * Context: Any thread. Waits for the daemon.
 * Return: 0; -EEXIST for a key that is taken; -EMSGSIZE for a vector of
 * another length, or too much for one call; or another negative errno.
 */
int phi_vdfs_collection_insert(struct phi_vdfs *v, uint64_t id,
			       const struct phi_vdfs_item *items, size_t n,
			       unsigned int flags, size_t *failed);

/**
 * phi_vdfs_collection_update() - change an item
 * @v: Session.
 * @id: Collection.
 * @item: Its key, and what is new.
 *
 * Context: Any thread. Waits for the daemon.
 * Return: 0, -ENOENT without such an item, or another negative errno.
 */
int phi_vdfs_collection_update(struct phi_vdfs *v, uint64_t id,
			       const struct phi_vdfs_item *item);

/**
 * phi_vdfs_collection_delete() - remove an item
 * @v: Session.
 * @id: Collection.
 * @key: Its key; one that is not there is no error.
 *
 * Context: Any thread. Waits for the daemon.
 * Return: 0 or a negative errno.
 */
int phi_vdfs_collection_delete(struct phi_vdfs *v, uint64_t id,
			       const char *key);

/**
 * phi_vdfs_collection_get() - read an item
 * @v: Session.
 * @id: Collection.
 * @key: Its key.
 * @fn: Called with it; it makes no calls.
 * @arg: For @fn.
 *
 * Context: Any thread. Waits for the daemon.
 * Return: 0, -ENOENT without such an item, what @fn returned, or another
 * negative errno.
 */
int phi_vdfs_collection_get(struct phi_vdfs *v, uint64_t id, const char *key,
			    phi_vdfs_item_fn *fn, void *arg);

/**
 * phi_vdfs_collection_search() - find the nearest items
 * @v: Session.
 * @id: Collection.
 * @search: Vectors, number of answers, filter, effort.
 * @fn: Called with each answer, the nearest first, equal ones by key, one
 *      vector of the search after the other; it makes no calls.
 * @arg: For @fn.
 *
 * Context: Any thread. Waits for the daemon.
 * Return: 0, what @fn returned, or a negative errno.
 */
int phi_vdfs_collection_search(struct phi_vdfs *v, uint64_t id,
			       const struct phi_vdfs_search *search,
			       phi_vdfs_item_fn *fn, void *arg);

/**
 * phi_vdfs_collection_walk() - read all items
 * @v: Session.
 * @id: Collection.
 * @want: PHI_VDFS_VECTORS, PHI_VDFS_METADATA: what to read beside keys.
 * @fn: Called with each, in the order of keys; it makes no calls.
 * @arg: For @fn.
 *
 * Context: Any thread. Waits for the daemon.
 * Return: 0, what @fn returned, or a negative errno.
 */
int phi_vdfs_collection_walk(struct phi_vdfs *v, uint64_t id, uint32_t want,
			     phi_vdfs_item_fn *fn, void *arg);

/**
 * phi_vdfs_collection_index_field() - make filters on a field fast
 * @v: Session.
 * @id: Collection.
 * @field: Its path, "a.b".
 *
 * Context: Any thread. Waits for the daemon.
 * Return: 0 or a negative errno.
 */
int phi_vdfs_collection_index_field(struct phi_vdfs *v, uint64_t id,
				    const char *field);

/**
 * phi_vdfs_collection_rebuild() - rebuild the index of a collection
 * @v: Session.
 * @id: Collection.
 * @progress: Called now and then; may be NULL.
 * @arg: For @progress.
 *
 * Context: Any thread. Waits until it is done.
 * Return: 0 or a negative errno.
 */
int phi_vdfs_collection_rebuild(struct phi_vdfs *v, uint64_t id,
				phi_vdfs_progress *progress, void *arg);

/**
 * phi_vdfs_collection_save() - save the index, for a faster start
 * @v: Session.
 * @id: Collection.
 *
 * Context: Any thread. Waits for the daemon.
 * Return: 0 or a negative errno.
 */
int phi_vdfs_collection_save(struct phi_vdfs *v, uint64_t id);

/**
 * phi_vdfs_collection_stats() - read what a collection holds
 * @v: Session.
 * @id: Collection.
 * @out: Out.
 *
 * Context: Any thread. Waits for the daemon.
 * Return: 0 or a negative errno.
 */
int phi_vdfs_collection_stats(struct phi_vdfs *v, uint64_t id,
			      struct phi_vdfs_collection_stats *out);

#ifdef __cplusplus
}
#endif

#endif /* PHI_VDFS_COLLECTION_H */
