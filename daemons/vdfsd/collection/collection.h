/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFS_COLLECTION_H
#define VDFS_COLLECTION_H

#include "index/index.h"
#include "store/store.h"

/**
 * DOC: Collections
 *
 * A collection holds items: a key, a vector and metadata, a JSON object. The
 * database has the truth; each collection in use has an index (index.h) in
 * memory, saved beside the database as a cache and brought up to date, or
 * built again, when it is opened. An acknowledged change is on the disk and is
 * found by every search that begins afterwards.
 *
 * A collection has an owner and mode bits as names have: others may search
 * it with 0004 and change it with 0002. Its owner is charged for each item,
 * though another user put it there: 64 bytes, the key, the metadata and the
 * vector, until the item is gone from the disk.
 *
 * Beside the errors of store.h:
 *   EBADMSG    its row is damaged: vdfsd --repair mends that
 *   EDQUOT     the user has as many collections as it may; the collection as
 *              many indexed fields; its owner as many bytes
 *   EEXIST     the name is taken by other parameters; the key is taken
 *   EINVAL     a number out of range, metadata that is no JSON object, a
 *              filter that makes no sense (vdfs_filter_check() says why)
 *   ENOENT     it was dropped meanwhile, or changed by a repair: open it again
 *   EDOM       an element that is no finite number, or does not fit int8 or
 *              f16; a vector without direction where the metric is cosine,
 *              one so long that distances to it overflow where it is not
 *   EMSGSIZE   a vector of another length than the collection's
 *   E2BIG      a key, metadata or filter too long
 */

#define VDFS_COLLECTION_NAME_MAX 64 /* a-z 0-9 _ - */
#define VDFS_COLLECTIONS_MAX 1024 /* of one user */
#define VDFS_KEY_MAX 255 /* bytes, any but NUL, at least one */
#define VDFS_METADATA_MAX 65536
#define VDFS_FILTER_MAX 16384
#define VDFS_FIELDS_MAX 64 /* that are indexed, of one collection */
#define VDFS_COLLECTION_MODE 0644U

struct vdfs_db;

/* The tables of collections; statements that may be run again. */
extern const char vdfs_schema_collection[];
/* Columns that earlier versions lack; then rows that were in other tables. */
extern const char vdfs_schema_collection_base[];
extern const char vdfs_schema_collection_stamps[];
/* Stands in for the last of them where an earlier version is only read. */
extern const char vdfs_schema_collection_read_only[];
extern const char vdfs_schema_field_read_only[];
int vdfs_collection_upgrade(struct vdfs_meta *meta);

struct vdfs_collection;
struct vdfs_filter;

#define VDFS_WHY_MAX 160 /* enough for any reason */

/**
 * struct vdfs_collection_params - what a collection is, fixed when made
 * @dim: Elements of a vector, 1 to VDFS_DIM_MAX.
 * @metric: enum vdfs_metric.
 * @type: enum vdfs_type.
 * @codes: enum vdfs_codes.
 * @m: See struct vdfs_params; 0 = 16.
 * @ef_build: See struct vdfs_params; 0 = 200.
 * @mode: Permission bits.
 * @owner: Out only.
 * @id: Out only: its number, which no other ever has, whatever it is called.
 */
struct vdfs_collection_params {
	uint32_t dim;
	uint32_t metric;
	uint32_t type;
	uint32_t codes;
	uint32_t m;
	uint32_t ef_build;
	uint32_t mode;
	uint32_t owner;
	int64_t id;
};

/**
 * struct vdfs_item - one item
 * @key: Unique in the collection.
 * @vector: f32, shape [dim]; NULL in an update = leave.
 * @dim: Its length.
 * @metadata: JSON object as text; NULL = {}, in an update = leave.
 */
struct vdfs_item {
	const char *key;
	const float *vector;
	uint32_t dim;
	const char *metadata;
};

/**
 * struct vdfs_search - one search in a collection
 * @vector: f32, shape [dim].
 * @dim: Its length.
 * @k: Answers wanted, 1 to VDFS_K_MAX.
 * @ef: See struct vdfs_query; 0 = by @recall.
 * @recall: Wanted share of the true nearest, above 0 to 1: ef is what
 *          reached it on a sample of the collection; 1, or more than any ef
 *          is sure to reach = look at all, the answers are exact. 0 = 0.95.
 * @filter: JSON text, NULL = none: {"field": value} or {"field": {"$op":
 *          value, ...}, ...}, $op one of $eq $ne $gt $gte $lt $lte $in;
 *          {"$and": [...]}, {"$or": [...]}. A field that is not there is
 *          unequal to everything and neither above nor below anything. A
 *          field may be a path, "a.b". Values of different types are
 *          unequal and not ordered.
 * @read: @filter as vdfs_filter_new() read it, for several searches; NULL = it
 *        is read for this one.
 * @vectors: Answers come with their vectors.
 * @over: NULL, or is asked now and then while @filter is looked up: true = the
 *        answers are of no use any more. Cheap.
 * @of: For @over.
 */
struct vdfs_search {
	const float *vector;
	uint32_t dim;
	uint32_t k;
	uint32_t ef;
	float recall;
	const char *filter;
	const struct vdfs_filter *read;
	bool vectors;
	bool (*over)(void *of);
	void *of;
};

/**
 * typedef vdfs_item_fn - one item of an answer or a list
 * @arg: The caller's.
 * @item: Valid during the call.
 * @dist: By the metric, the less the nearer; 0 in lists.
 *
 * Return: 0 to go on; anything else ends it and is returned.
 */
typedef int vdfs_item_fn(void *arg, const struct vdfs_item *item, float dist);

/* @dir: where graphs are saved; @threads: for builds, 0 = all processors. */
int vdfs_db_open(struct vdfs_meta *meta, const char *dir, unsigned int threads,
		 struct vdfs_db **out);
/*
 * Memory for indexes; a quarter of the machine's unless it is set. Those of
 * collections that nobody has open go first, the longest unused before others.
 */
void vdfs_db_set_budget(struct vdfs_db *db, uint64_t bytes);
/* Before the first change: owners' items are within their quotas of @store. */
void vdfs_db_set_store(struct vdfs_db *db, struct vdfs_store *store);
/* Let go now what is above the budget; else a thread does, soon. */
void vdfs_db_trim(struct vdfs_db *db);
/* Collections whose index is in memory, and what all of them take. */
size_t vdfs_db_loaded(struct vdfs_db *db, uint64_t *bytes);
/* Saves what is worth saving. */
void vdfs_db_close(struct vdfs_db *db);

/* One that exists with the same parameters is no error. */
int vdfs_collection_create(struct vdfs_db *db, const struct vdfs_who *who,
			   const char *name,
			   const struct vdfs_collection_params *params);
/* Loads or builds its index when it is not there yet. */
int vdfs_collection_open(struct vdfs_db *db, const struct vdfs_who *who,
			 const char *name, vdfs_progress_fn *progress,
			 void *arg, struct vdfs_collection **out);
void vdfs_collection_put(struct vdfs_collection *c);
/* How many a user has made; whoever may do what with them. */
int vdfs_collection_count(struct vdfs_db *db, uint32_t uid, uint32_t *out);
int vdfs_collection_drop(struct vdfs_db *db, const struct vdfs_who *who,
			 const char *name);
/* Look up one name, however many there are. */
int vdfs_collection_look(struct vdfs_db *db, const struct vdfs_who *who,
			 const char *name,
			 struct vdfs_collection_params *params);
int vdfs_collection_list(struct vdfs_db *db, const struct vdfs_who *who,
			 int (*fn)(void *arg, const char *name,
				   const struct vdfs_collection_params *params,
				   uint64_t items),
			 void *arg);

#define VDFS_INSERT_REPLACE 0x1U /* a key that is taken is given the new item */
#define VDFS_INSERT_CHECK 0x2U /* say whether it would fail, store nothing */

/* All or none; @failed: NULL, or out: the item that was the reason. */
int vdfs_collection_insert(struct vdfs_collection *c,
			   const struct vdfs_item *items, size_t n,
			   uint32_t flags, size_t *failed);
int vdfs_collection_update(struct vdfs_collection *c,
			   const struct vdfs_item *item);
/* One that is not there is no error. */
int vdfs_collection_delete(struct vdfs_collection *c, const char *key);
int vdfs_collection_get(struct vdfs_collection *c, const char *key,
			vdfs_item_fn *fn, void *arg);
/* Read a filter, or say at @why, of @len bytes, what is wrong with it. */
int vdfs_filter_check(const char *json, char *why, size_t len);
int vdfs_filter_new(const char *json, char *why, size_t len,
		    struct vdfs_filter **out);
void vdfs_filter_free(struct vdfs_filter *filter);
/* Nearest first, equal ones by key. */
int vdfs_collection_search(struct vdfs_collection *c,
			   const struct vdfs_search *search, vdfs_item_fn *fn,
			   void *arg);
/* All items by key, from behind @after on (NULL = all); for export. */
int vdfs_collection_walk(struct vdfs_collection *c, const char *after,
			 vdfs_item_fn *fn, void *arg);
/* Let filters on a field be answered without looking at every item. */
int vdfs_collection_index_field(struct vdfs_collection *c, const char *field,
				vdfs_progress_fn *progress, void *arg);
/* Rebuild its index from the database. */
int vdfs_collection_rebuild(struct vdfs_collection *c,
			    vdfs_progress_fn *progress, void *arg);
int vdfs_collection_save(struct vdfs_collection *c);

/**
 * struct vdfs_collection_stats - what a collection holds
 * @items: Items.
 * @deleted: Vectors deleted and not yet repaired away.
 * @index_bytes: Memory of its index.
 * @generation: Grows with every change.
 * @saved: Generation of the index on the disk; 0 = none.
 */
struct vdfs_collection_stats {
	uint64_t items;
	uint64_t deleted;
	uint64_t index_bytes;
	uint64_t generation;
	uint64_t saved;
};

int vdfs_collection_stats(struct vdfs_collection *c,
			  struct vdfs_collection_stats *out);
const struct vdfs_collection_params *
vdfs_collection_params(const struct vdfs_collection *c);
/* A user who may only write opens a collection too. */
bool vdfs_collection_may_read(const struct vdfs_collection *c);

#endif /* VDFS_COLLECTION_H */
