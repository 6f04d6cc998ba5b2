/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFS_GRAPH_H
#define VDFS_GRAPH_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

#include "arena.h"
#include "index.h"
#include "index/kernel/kernel.h"

/**
 * DOC: Layout
 *
 * A vector has a slot, a number that indexes every arena. Edges are slots:
 * rows of @m2 numbers for level 0, NONE behind the last, so that one or two
 * cache lines hold all neighbours; rows of @m in another arena for the few
 * vectors on higher levels.
 *
 * A row of edges is written under the slot's lock, number by number, and
 * read without: a reader may see some old and some new edges, all of which
 * lead to vectors that were complete before they were named (the release in
 * vdfs_edges_set() pairs with the acquire in vdfs_edges_get()).
 *
 * A deleted vector stays as a stepping stone until a repair has led all
 * edges around it; its slot is used again once every search that might have
 * seen it is over (vdfs_readers_wait()).
 *
 * Equal vectors are one node, see twin.c: the head alone has edges, the
 * others hang in a chain from it. A deleted head whose chain has live vectors
 * stays in the graph as a ghost.
 */

#define NONE UINT32_MAX
#define LEVELS_MAX 16
#define LOCKS 4096

/* struct vdfs_node flags. */
#define NODE_LIVE 1U
#define NODE_DELETED 2U
#define NODE_TAKEN 3U /* being written; searches may pass through it */
#define NODE_GHOST 4U /* deleted, but the head of live twins */

#define TWIN_EXACT 0x80000000U /* in @head: its original is the head's */

/**
 * struct vdfs_node - what a slot is, beside its rows
 * @id: The owner's name of the vector.
 * @upper: First row of its edges above level 0, in @upper of the index.
 * @level: Highest level it is on.
 * @flags: NODE_*; 0 = the slot is free.
 * @mixed: Some twin of this head has another original.
 * @joins: Twins that joined this head, modulo 256.
 * @head: Slot of the head, its own when it is one; NONE = not linked yet.
 * @next: The next twin of the chain, NONE = the last.
 */
struct vdfs_node {
	uint64_t id;
	uint32_t upper;
	uint8_t level;
	atomic_uchar flags;
	atomic_uchar mixed;
	uint8_t joins;
	atomic_uint head;
	atomic_uint next;
};

/**
 * struct vdfs_twins - heads by what writers compare, open addressing
 * @entry: A head and its hash; NONE = never used. As long as codes are not
 *         learnt there are no heads: the first of each content.
 * @size: A power of two, or 0.
 * @used: Entries not NONE.
 * @codes: Codes are compared, not originals.
 */
struct vdfs_twins {
	struct vdfs_twin_entry {
		uint32_t slot;
		uint32_t hash;
	} *entry;
	size_t size;
	size_t used;
	bool codes;
};

/**
 * struct vdfs_tail - behind the codes of a row
 * @norm: Square of its distance from the mean; for VDFS_I8 and cosine, one
 *        by its length.
 * @scale: Value of one step of its code.
 * @square: For VDFS_I8, in place of @scale: the sum of the squares, exact.
 * @pair: In place of @scale where the other vector is a row too: the length of
 *        the vector by that of its code, so that a row is at distance 0 of
 *        itself. Not there for VDFS_I8, nor for codes of 1 bit, which writers
 *        do not use.
 */
struct vdfs_tail {
	float norm;
	union {
		float scale;
		int32_t square;
	};
	float pair;
};

/* Without @pair it ends there. */
#define TAIL_SHORT offsetof(struct vdfs_tail, pair)

/**
 * struct vdfs_cand - a vector and how far it is
 * @dist: By the measure of the walk: only the order means something.
 * @slot: Which; CAND_DONE is set when its edges were followed.
 */
struct vdfs_cand {
	float dist;
	uint32_t slot;
};

#define CAND_DONE 0x80000000U

/**
 * struct vdfs_pool - the best candidates so far, sorted
 * @cand: Room for @cap and one more.
 * @size: How many there are.
 * @cap: How many are kept.
 * @next: The first whose edges were not followed.
 */
struct vdfs_pool {
	struct vdfs_cand *cand;
	uint32_t size;
	uint32_t cap;
	uint32_t next;
};

/**
 * struct vdfs_probe - a vector prepared to be compared with rows
 * @f32: shape [dim], padded with zeros; normalised for VDFS_COSINE.
 * @s8: The same as signed codes, padded with zeros, when there are codes.
 * @norm_weight: The walk's distance is @norm_weight * norm of the row
 * @dot_weight: - @dot_weight * scale of the row
 * @shift: * (inner product of the codes - @shift)
 * @bias: + @bias.
 * @sum: Of @s8.
 * @square: Of @s8.
 * @pair: It is a row: @pair of the tails counts, not @scale.
 */
struct vdfs_probe {
	float *f32;
	int8_t *s8;
	float norm_weight;
	float dot_weight;
	float shift;
	float bias;
	int32_t sum;
	int32_t square;
	bool pair;
};

/**
 * struct vdfs_scratch - what a thread needs while it walks
 * @probe: The vector it looks for.
 * @other: A second one, to compare rows with each other.
 * @pool: Where the walk collects.
 * @found: Results of a filtered walk.
 * @room: Candidates that @pool and @found have room for.
 * @seen: A bit for each slot that was looked at.
 * @seen_words: Words of @seen.
 * @touched: Which words are not 0.
 * @touched_n: How many.
 * @hop: Slots of one hop.
 * @hop_dist: Their distances.
 * @hop_dot: Inner products on the way to these.
 * @codes: Whether it walks on codes.
 * @without: Head that searches pass over, or NONE.
 * @next: Other scratches that are free.
 */
struct vdfs_scratch {
	struct vdfs_probe probe;
	struct vdfs_probe other;
	struct vdfs_pool pool;
	struct vdfs_pool found;
	uint32_t room;
	uint64_t *seen;
	size_t seen_words;
	uint32_t *touched;
	size_t touched_n;
	uint32_t hop[256];
	float hop_dist[256];
	int32_t hop_dot[256];
	bool codes;
	uint32_t without;
	struct vdfs_scratch *next;
};

/**
 * struct vdfs_index - see index.h
 * @params: As given.
 * @kernel: Chosen at the start.
 * @dim_f32: @params.dim padded for rows of originals.
 * @row_bytes: Bytes of such a row.
 * @bits: Of a dimension in a code; 0 = no codes. During a build writers may
 *        have codes where searches have none, see build.c; it changes with
 *        @writers held for writing.
 * @codes_kind: enum vdfs_codes, as @bits.
 * @code_n: Dimensions of a code, padded.
 * @code_stride: Bytes of a code row, its tail included, padded.
 * @code_middle: The code of 0.
 * @turned: Whether vectors are turned before they are coded.
 * @tail: Where the tail is in a code row.
 * @m2: Edges of a row of level 0.
 * @rows: Originals in f32 or f16, none for VDFS_I8.
 * @codes: Code rows, none for VDFS_CODES_NONE.
 * @edges: Edges of level 0.
 * @upper: Edges above.
 * @nodes: struct vdfs_node of each slot.
 * @mean: shape [dim], taken off before coding.
 * @step: Value of 1 in a code, in root mean squares of the row.
 * @coded: Set once @mean and @step are known.
 * @slots: Slots ever used.
 * @uppers: Rows of @upper ever used.
 * @live: Vectors that can be found.
 * @deleted: Vectors that await repair.
 * @entry: Level of the graph in the high 32 bits, slot where walks begin
 *         in the low; ~0 = empty.
 * @locks: Guard rows of edges, by slot modulo LOCKS.
 * @grow: Guards the arenas' growth, @free_slots, the id table, @twins, the
 *        chains and @joins of the nodes.
 * @writers: Read by adders, written by those who need them to be gone.
 * @repairing: One repair at a time.
 * @table: Slot by hash of id, NONE = never used, open addressing.
 * @table_size: A power of two.
 * @table_used: Entries not NONE.
 * @twins: Heads by content.
 * @heads: How many nodes the graph has, or contents there are as long as
 *         codes are not learnt.
 * @released: Times that slots were given away, for subsets.
 * @free_slots: Stack of slots to use again.
 * @free_n: How many.
 * @free_cap: Room for so many.
 * @epoch: Which of @readers new searches count in.
 * @readers: Searches on their way.
 * @pool_lock: Guards @scratches.
 * @scratches: Free ones.
 */
struct vdfs_index {
	struct vdfs_params params;
	const struct vdfs_kernel *kernel;
	size_t dim_f32;
	size_t row_bytes;
	uint32_t bits;
	uint32_t codes_kind;
	size_t code_n;
	size_t code_stride;
	float code_middle;
	bool turned;
	size_t tail;
	uint32_t m2;
	struct vdfs_arena rows;
	struct vdfs_arena codes;
	struct vdfs_arena edges;
	struct vdfs_arena upper;
	struct vdfs_arena nodes;
	float *mean;
	float step;
	atomic_bool coded;
	atomic_uint slots;
	uint32_t uppers;
	atomic_ulong live;
	atomic_ulong deleted;
	atomic_ulong entry;
	atomic_flag locks[LOCKS];
	pthread_mutex_t grow;
	pthread_rwlock_t writers;
	pthread_mutex_t repairing;
	uint32_t *table;
	size_t table_size;
	size_t table_used;
	struct vdfs_twins twins;
	atomic_ulong heads;
	atomic_ulong released;
	uint32_t *free_slots;
	size_t free_n;
	size_t free_cap;
	atomic_uint epoch;
	atomic_ulong readers[2];
	pthread_mutex_t pool_lock;
	struct vdfs_scratch *scratches;
};

static inline struct vdfs_node *vdfs_node(const struct vdfs_index *ix,
					  uint32_t slot)
{
	return (struct vdfs_node *)ix->nodes.base + slot;
}

static inline void *vdfs_row(const struct vdfs_index *ix, uint32_t slot)
{
	return ix->rows.base + slot * ix->row_bytes;
}

static inline uint8_t *vdfs_code(const struct vdfs_index *ix, uint32_t slot)
{
	return (uint8_t *)ix->codes.base + slot * ix->code_stride;
}

static inline const struct vdfs_tail *vdfs_tail(const struct vdfs_index *ix,
						uint32_t slot)
{
	return (const void *)(vdfs_code(ix, slot) + ix->tail);
}

static inline uint8_t vdfs_flags(const struct vdfs_index *ix, uint32_t slot)
{
	return atomic_load_explicit(&vdfs_node(ix, slot)->flags,
				    memory_order_acquire);
}

/* The head of a vector's twins; NONE while it is not linked. */
static inline uint32_t vdfs_head(const struct vdfs_index *ix, uint32_t slot)
{
	uint32_t head = atomic_load(&vdfs_node(ix, slot)->head);

	return head == NONE ? NONE : head & ~TWIN_EXACT;
}

static inline bool vdfs_is_head(const struct vdfs_index *ix, uint32_t slot)
{
	return atomic_load(&vdfs_node(ix, slot)->head) == slot;
}

static inline uint32_t vdfs_next_twin(const struct vdfs_index *ix,
				      uint32_t slot)
{
	/* Pairs with the release when a twin is put into the chain. */
	return atomic_load_explicit(&vdfs_node(ix, slot)->next,
				    memory_order_acquire);
}

/* Bytes of the tail of a code row. */
static inline size_t vdfs_tail_bytes(const struct vdfs_index *ix)
{
	return ix->params.type == VDFS_I8 || ix->bits == 1 ?
		       TAIL_SHORT :
		       sizeof(struct vdfs_tail);
}

/* Whether searches walk on codes. */
static inline bool vdfs_has_codes(const struct vdfs_index *ix)
{
	return ix->params.codes != VDFS_CODES_NONE;
}

/* Whether rows of int8 count as if they were unit vectors. */
static inline bool vdfs_unit_i8(const struct vdfs_index *ix)
{
	return ix->params.type == VDFS_I8 && ix->params.metric == VDFS_COSINE;
}

static inline atomic_uint *vdfs_edges(const struct vdfs_index *ix,
				      uint32_t slot, uint32_t level)
{
	atomic_uint *rows;

	if (!level) {
		rows = (atomic_uint *)ix->edges.base;
		return rows + (size_t)slot * ix->m2;
	}
	rows = (atomic_uint *)ix->upper.base;
	return rows +
	       ((size_t)vdfs_node(ix, slot)->upper + level - 1) * ix->params.m;
}

static inline uint32_t vdfs_edges_max(const struct vdfs_index *ix,
				      uint32_t level)
{
	return level ? ix->params.m : ix->m2;
}

/**
 * struct vdfs_subset - see index.h
 * @bits: A bit for each slot that is in it.
 * @nodes: A bit for each head that has a twin in it, or is.
 * @words: Words of @bits and of @nodes.
 * @slots: The same as @bits, as a list, shape [n].
 * @n: How many.
 * @heads: Bits in @nodes.
 * @released: That of the index when it was made.
 */
struct vdfs_subset {
	uint64_t *bits;
	uint64_t *nodes;
	size_t words;
	uint32_t *slots;
	size_t n;
	size_t heads;
	uint64_t released;
};

/* quant.c */
void vdfs_quant_layout(struct vdfs_index *ix, uint32_t codes);
int vdfs_quant_train(struct vdfs_index *ix, const float *rows, size_t n);
void vdfs_quant_encode(const struct vdfs_index *ix, const float *vector,
		       uint8_t *row);
void vdfs_quant_probe(const struct vdfs_index *ix, struct vdfs_probe *probe);
void vdfs_quant_probe_row(const struct vdfs_index *ix, uint32_t slot,
			  struct vdfs_probe *probe);
float vdfs_quant_exact_i8(const struct vdfs_index *ix,
			  const struct vdfs_probe *probe, uint32_t slot);

/* walk.c */
void vdfs_pool_reset(struct vdfs_pool *pool, uint32_t cap);
bool vdfs_pool_insert(struct vdfs_pool *pool, float dist, uint32_t slot);
void vdfs_measure(const struct vdfs_index *ix, struct vdfs_scratch *s,
		  const struct vdfs_probe *probe, const uint32_t *slots,
		  size_t n, float *dist);
float vdfs_exact(const struct vdfs_index *ix, const struct vdfs_probe *probe,
		 uint32_t slot);
uint32_t vdfs_edges_get(const struct vdfs_index *ix, uint32_t slot,
			uint32_t level, uint32_t *out);
void vdfs_edges_set(struct vdfs_index *ix, uint32_t slot, uint32_t level,
		    const uint32_t *edges, uint32_t n);
struct vdfs_cand vdfs_descend(const struct vdfs_index *ix,
			      struct vdfs_scratch *s, struct vdfs_cand from,
			      uint32_t from_level, uint32_t to_level);
void vdfs_pass_over(struct vdfs_scratch *s, uint32_t slot);
void vdfs_walk(const struct vdfs_index *ix, struct vdfs_scratch *s,
	       uint32_t level, const struct vdfs_subset *subset);

/* twin.c */
uint32_t vdfs_twin_join(struct vdfs_index *ix, uint32_t slot, bool *due);
void vdfs_twin_wait(const struct vdfs_index *ix, uint32_t head);
void vdfs_twin_linked(struct vdfs_index *ix, uint32_t head);
void vdfs_twin_prune(struct vdfs_index *ix, uint32_t slots);
void vdfs_twin_leave(struct vdfs_index *ix, uint32_t head);
void vdfs_twin_note(struct vdfs_index *ix, uint32_t slot);
bool vdfs_twin_first(struct vdfs_index *ix, uint32_t slot);
void vdfs_twin_rehash(struct vdfs_index *ix, bool codes);
bool vdfs_twin_check(const struct vdfs_index *ix, uint32_t slots);

/* link.c */
void vdfs_link(struct vdfs_index *ix, struct vdfs_scratch *s, uint32_t slot);
void vdfs_look_from(struct vdfs_index *ix, struct vdfs_scratch *s,
		    uint32_t slot);
void vdfs_link_back(struct vdfs_index *ix, struct vdfs_scratch *s,
		    uint32_t slot, uint32_t to, uint32_t level);
struct vdfs_probe vdfs_probe_row(struct vdfs_index *ix, struct vdfs_scratch *s,
				 uint32_t slot);
void vdfs_sort(struct vdfs_cand *cand, uint32_t n, uint32_t owner);
uint32_t vdfs_select(struct vdfs_index *ix, struct vdfs_scratch *s,
		     uint32_t owner, const struct vdfs_cand *cand, uint32_t n,
		     uint32_t max, uint32_t *out);
void vdfs_lock(struct vdfs_index *ix, uint32_t slot);
void vdfs_unlock(struct vdfs_index *ix, uint32_t slot);

/* scratch.c */
struct vdfs_scratch *vdfs_scratch_get(struct vdfs_index *ix, uint32_t ef);
bool vdfs_scratch_fit(const struct vdfs_index *ix, struct vdfs_scratch *s,
		      uint32_t ef);
void vdfs_scratch_writes(const struct vdfs_index *ix, struct vdfs_scratch *s);
void vdfs_scratch_put(struct vdfs_index *ix, struct vdfs_scratch *s);
void vdfs_scratch_forget(struct vdfs_scratch *s);
uint32_t vdfs_readers_enter(struct vdfs_index *ix);
void vdfs_readers_leave(struct vdfs_index *ix, uint32_t epoch);
void vdfs_readers_wait(struct vdfs_index *ix);

/* row.c */
void vdfs_row_put(const struct vdfs_index *ix, uint32_t slot,
		  const float *vector);
void vdfs_row_get(const struct vdfs_index *ix, uint32_t slot, float *vector);

/* slot.c */
int vdfs_slot_take(struct vdfs_index *ix, uint64_t id, uint32_t *slot);
void vdfs_slot_release(struct vdfs_index *ix, const uint32_t *slots, size_t n);
uint32_t vdfs_slot_find(struct vdfs_index *ix, uint64_t id);
int vdfs_slot_rehash(struct vdfs_index *ix, size_t room);
int vdfs_slot_prepare(struct vdfs_index *ix, struct vdfs_scratch *s,
		      const float *vector);
void vdfs_slot_fill(struct vdfs_index *ix, const struct vdfs_probe *probe,
		    uint32_t slot);

#endif /* VDFS_GRAPH_H */
