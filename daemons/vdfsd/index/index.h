/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFS_INDEX_H
#define VDFS_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/types.h"

/**
 * DOC: The nearest-neighbour index
 *
 * A hierarchical navigable small world graph (Malkov and Yashunin, "Efficient
 * and robust approximate nearest neighbor search using HNSW graphs", 2016)
 * over f32, f16 or int8 vectors. With codes the walk reads 8, 4, 3, 2 or 1 bits
 * a dimension and the best candidates are ranked again by the originals.
 *
 * Searching takes no lock and may run beside any writer. Adding, deleting
 * and repairing may run in any number of threads. Saving waits for writers
 * and holds them off.
 *
 * A vector is known by the id its owner gives it. Equal distances are
 * ordered by id. Nothing here is durable: the index can always be built
 * again from the vectors.
 */

#define VDFS_K_MAX 10000
#define VDFS_TRAIN_MIN 1000 /* vectors from which codes are made */
#define VDFS_INDEX_K_MAX 16384 /* of the index itself, to look behind ties */

/**
 * struct vdfs_params - what an index is, fixed when it is made
 * @dim: Elements of a vector, 1 to VDFS_DIM_MAX.
 * @metric: enum vdfs_metric.
 * @type: enum vdfs_type.
 * @codes: enum vdfs_codes; VDFS_I8 is its own code.
 * @m: Edges a new vector is given on each level, 4 to 64; level 0 keeps
 *     up to twice as many.
 * @ef_build: Candidates looked at for them, @m to 2000; 32 and an eighth of
 *            the vectors there are, or @m, where that is less.
 * @capacity: Vectors it may hold, deleted ones included until repaired.
 * @seed: Of the levels.
 */
struct vdfs_params {
	uint32_t dim;
	uint32_t metric;
	uint32_t type;
	uint32_t codes;
	uint32_t m;
	uint32_t ef_build;
	uint32_t capacity;
	uint32_t seed;
};

struct vdfs_index;

/**
 * struct vdfs_subset - vectors that a search is limited to
 *
 * Made once for a filter and used for many searches, until a repair has
 * given slots of the index away: then searches fail with -ESTALE.
 */
struct vdfs_subset;

/**
 * struct vdfs_query - one search
 * @vector: f32, shape [dim]; for VDFS_I8 rounded to integers.
 * @k: Answers wanted, 1 to VDFS_INDEX_K_MAX.
 * @ef: Candidates kept while walking, raised to @k; 0 = 64.
 * @rerank: With codes, how many of the best are ranked by the originals;
 *          raised to @k, 0 = 3 * @k, with 2 bits 5 and with 1 bit 10 * @k.
 * @subset: NULL for all. A small one is scanned one by one.
 * @without: NULL, or the id of a vector that is passed over, with its copies,
 *           as if it were not in the graph: a search for it is one for a vector
 *           that the graph has never seen.
 */
struct vdfs_query {
	const float *vector;
	uint32_t k;
	uint32_t ef;
	uint32_t rerank;
	const struct vdfs_subset *subset;
	const uint64_t *without;
};

/**
 * struct vdfs_index_stats - what an index holds
 * @live: Vectors that searches can return.
 * @deleted: Vectors deleted and not yet repaired away.
 * @bytes: Memory in use.
 * @levels: Levels of the graph.
 * @coded: Codes are learnt, or it has none.
 */
struct vdfs_index_stats {
	uint64_t live;
	uint64_t deleted;
	uint64_t bytes;
	uint32_t levels;
	bool coded;
};

/**
 * typedef vdfs_progress_fn - how far a long job is
 * @arg: The caller's.
 * @done: Vectors done.
 * @total: Of so many; 0 = it only asks whether to go on.
 *
 * Return: False to stop the job.
 */
typedef bool vdfs_progress_fn(void *arg, uint64_t done, uint64_t total);

int vdfs_index_new(const struct vdfs_params *params, struct vdfs_index **out);
void vdfs_index_free(struct vdfs_index *ix);
const struct vdfs_params *vdfs_index_params(const struct vdfs_index *ix);
void vdfs_index_stats(struct vdfs_index *ix, struct vdfs_index_stats *out);
/* Free what searches and writers left for the next ones. */
void vdfs_index_rest(struct vdfs_index *ix);

int vdfs_index_add(struct vdfs_index *ix, uint64_t id, const float *vector);
int vdfs_index_build(struct vdfs_index *ix, const uint64_t *ids,
		     const float *rows, size_t n, unsigned int threads,
		     vdfs_progress_fn *progress, void *arg);
int vdfs_index_delete(struct vdfs_index *ix, uint64_t id);
int vdfs_index_repair(struct vdfs_index *ix, vdfs_progress_fn *progress,
		      void *arg);
int vdfs_index_get(struct vdfs_index *ix, uint64_t id, float *vector);
bool vdfs_index_has(struct vdfs_index *ix, uint64_t id);

int vdfs_subset_new(struct vdfs_index *ix, const uint64_t *ids, size_t n,
		    struct vdfs_subset **out);
void vdfs_subset_free(struct vdfs_subset *subset);
size_t vdfs_subset_size(const struct vdfs_subset *subset);

int vdfs_index_search(struct vdfs_index *ix, const struct vdfs_query *query,
		      uint64_t *ids, float *dist);
int vdfs_index_scan(struct vdfs_index *ix, const struct vdfs_query *query,
		    uint64_t *ids, float *dist);

int vdfs_index_save(struct vdfs_index *ix, const char *path,
		    uint64_t generation);
int vdfs_index_load(const char *path, uint64_t generation,
		    struct vdfs_index **out);
int vdfs_index_load_room(const char *path, uint64_t generation, uint32_t room,
			 vdfs_progress_fn *progress, void *arg,
			 struct vdfs_index **out);

#endif /* VDFS_INDEX_H */
