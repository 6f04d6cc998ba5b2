// SPDX-License-Identifier: GPL-2.0-only
/* Walking the graph towards a vector. */
#include <string.h>

#include "graph.h"

/**
 * vdfs_pool_reset() - empty a pool
 * @pool: With room for @cap + 1.
 * @cap: How many it shall keep.
 */
void vdfs_pool_reset(struct vdfs_pool *pool, uint32_t cap)
{
	pool->size = 0;
	pool->next = 0;
	pool->cap = cap;
}

/**
 * vdfs_pool_insert() - offer a candidate
 * @pool: Where.
 * @dist: How far it is.
 * @slot: Which; not in the pool yet.
 *
 * Return: Whether it was kept.
 */
bool vdfs_pool_insert(struct vdfs_pool *pool, float dist, uint32_t slot)
{
	struct vdfs_cand *cand = pool->cand;
	uint32_t lo = 0;
	uint32_t hi = pool->size;

	if (hi == pool->cap && !(dist < cand[hi - 1].dist))
		return false;
	while (lo < hi) {
		uint32_t mid = (lo + hi) / 2;

		if (cand[mid].dist <= dist)
			lo = mid + 1;
		else
			hi = mid;
	}
	memmove(cand + lo + 1, cand + lo, (pool->size - lo) * sizeof(*cand));
	cand[lo].dist = dist;
	cand[lo].slot = slot;
	if (pool->size < pool->cap)
		pool->size++;
	if (lo < pool->next)
		pool->next = lo;
	return true;
}

static bool pool_next(struct vdfs_pool *pool, uint32_t *slot)
{
	uint32_t i = pool->next;

	while (i < pool->size && (pool->cand[i].slot & CAND_DONE))
		i++;
	if (i == pool->size) {
		pool->next = i;
		return false;
	}
	*slot = pool->cand[i].slot;
	pool->cand[i].slot |= CAND_DONE;
	pool->next = i + 1;
	return true;
}

static void measure_codes(const struct vdfs_index *ix, struct vdfs_scratch *s,
			  const struct vdfs_probe *probe, const uint32_t *slots,
			  size_t n, float *dist)
{
	struct vdfs_rows rows = { ix->codes.base, ix->code_stride, ix->code_n };
	float weight = probe->dot_weight;
	bool pair = probe->pair;
	size_t i;

	ix->kernel->dot_code_many[ix->codes_kind](probe->s8, &rows, slots, n,
						  s->hop_dot);
	for (i = 0; i < n; i++)
		dist[i] = weight * (probe->shift - (float)s->hop_dot[i]);
	for (i = 0; i < n; i++) {
		const struct vdfs_tail *tail = vdfs_tail(ix, slots[i]);

		if (vdfs_unit_i8(ix))
			dist[i] = dist[i] * tail->norm + probe->bias;
		else if (ix->params.type == VDFS_I8)
			dist[i] +=
				probe->norm_weight * tail->norm + probe->bias;
		else
			dist[i] = dist[i] * (pair ? tail->pair : tail->scale) +
				  probe->norm_weight * tail->norm + probe->bias;
	}
}

/**
 * vdfs_measure() - distances of the walk from the probe to some rows
 * @ix: Where.
 * @s: For its room.
 * @probe: From.
 * @slots: shape [n].
 * @n: At most the room of a hop.
 * @dist: Out, shape [n]; only their order means something.
 */
void vdfs_measure(const struct vdfs_index *ix, struct vdfs_scratch *s,
		  const struct vdfs_probe *probe, const uint32_t *slots,
		  size_t n, float *dist)
{
	struct vdfs_rows rows = { ix->rows.base, ix->row_bytes, ix->dim_f32 };
	uint32_t type = ix->params.type;
	size_t i;

	if (s->codes) {
		measure_codes(ix, s, probe, slots, n, dist);
		return;
	}
	if (ix->params.metric == VDFS_L2) {
		ix->kernel->l2_many[type](probe->f32, &rows, slots, n, dist);
		return;
	}
	ix->kernel->dot_many[type](probe->f32, &rows, slots, n, dist);
	for (i = 0; i < n; i++)
		dist[i] = -dist[i];
}

/**
 * vdfs_exact() - distance to an original
 * @ix: Where.
 * @probe: From.
 * @slot: To.
 *
 * Return: By the metric, as callers of the index see it.
 */
float vdfs_exact(const struct vdfs_index *ix, const struct vdfs_probe *probe,
		 uint32_t slot)
{
	uint32_t type = ix->params.type;
	const void *row;

	if (type == VDFS_I8)
		return vdfs_quant_exact_i8(ix, probe, slot);
	row = vdfs_row(ix, slot);
	if (ix->params.metric == VDFS_L2)
		return ix->kernel->l2[type](row, probe->f32, ix->dim_f32);
	if (ix->params.metric == VDFS_IP)
		return -ix->kernel->dot[type](row, probe->f32, ix->dim_f32);
	return 1 - ix->kernel->dot[type](row, probe->f32, ix->dim_f32);
}

/**
 * vdfs_edges_get() - a consistent enough copy of a row of edges
 * @ix: Where.
 * @slot: Slot whose edges are copied.
 * @level: On which level; @slot is on it.
 * @out: Out, shape [vdfs_edges_max()].
 *
 * Return: How many there are.
 */
uint32_t vdfs_edges_get(const struct vdfs_index *ix, uint32_t slot,
			uint32_t level, uint32_t *out)
{
	atomic_uint *row = vdfs_edges(ix, slot, level);
	uint32_t max = vdfs_edges_max(ix, level);
	uint32_t n;

	for (n = 0; n < max; n++) {
		/* Pairs with the release in vdfs_edges_set(). */
		out[n] = atomic_load_explicit(&row[n], memory_order_acquire);
		if (out[n] == NONE)
			break;
	}
	return n;
}

/**
 * vdfs_edges_set() - write a row of edges
 * @ix: Where.
 * @slot: Slot whose edges they become; the caller holds its lock or nobody
 *        knows it yet.
 * @level: On which level.
 * @edges: shape [n].
 * @n: At most vdfs_edges_max().
 */
void vdfs_edges_set(struct vdfs_index *ix, uint32_t slot, uint32_t level,
		    const uint32_t *edges, uint32_t n)
{
	atomic_uint *row = vdfs_edges(ix, slot, level);
	uint32_t max = vdfs_edges_max(ix, level);
	uint32_t i;

	/* Pairs with the acquire in vdfs_edges_get(). */
	for (i = 0; i < max; i++)
		atomic_store_explicit(&row[i], i < n ? edges[i] : NONE,
				      memory_order_release);
}

/**
 * vdfs_descend() - follow the best edge down the upper levels
 * @ix: Where.
 * @s: With the probe set.
 * @from: Where to begin.
 * @from_level: The first level to look at.
 * @to_level: The first that is left alone, less than @from_level to go at
 *            all.
 *
 * Return: The nearest vector met.
 */
struct vdfs_cand vdfs_descend(const struct vdfs_index *ix,
			      struct vdfs_scratch *s, struct vdfs_cand from,
			      uint32_t from_level, uint32_t to_level)
{
	uint32_t level, n, i;
	bool moved;

	for (level = from_level; level > to_level; level--) {
		do {
			moved = false;
			n = vdfs_edges_get(ix, from.slot, level, s->hop);
			vdfs_measure(ix, s, &s->probe, s->hop, n, s->hop_dist);
			for (i = 0; i < n; i++) {
				if (s->hop_dist[i] < from.dist) {
					from.dist = s->hop_dist[i];
					from.slot = s->hop[i];
					moved = true;
				}
			}
		} while (moved);
	}
	return from;
}

/* Whether @slot is looked at for the first time. */
static inline bool first_look(struct vdfs_scratch *s, uint32_t slot)
{
	uint64_t bit = 1ULL << (slot & 63);
	uint64_t *word = &s->seen[slot >> 6];

	if (*word & bit)
		return false;
	if (!*word)
		s->touched[s->touched_n++] = slot >> 6;
	*word |= bit;
	return true;
}

/**
 * vdfs_pass_over() - leave a node out of the next walk
 * @s: In which nothing was looked at yet.
 * @slot: Node; a walk does not look at it, nor at its edges.
 */
void vdfs_pass_over(struct vdfs_scratch *s, uint32_t slot)
{
	if (slot >> 6 < s->seen_words)
		first_look(s, slot);
}

static inline void offer_found(const struct vdfs_index *ix,
			       struct vdfs_scratch *s, float dist,
			       uint32_t slot, const struct vdfs_subset *subset)
{
	struct vdfs_pool *found = &s->found;

	if (found->size == found->cap &&
	    !(dist < found->cand[found->size - 1].dist))
		return;
	if (slot >> 6 >= subset->words ||
	    !(subset->nodes[slot >> 6] >> (slot & 63) & 1))
		return;
	/* Of twins one may be live, whatever became of the head. */
	if (vdfs_flags(ix, slot) != NODE_LIVE &&
	    vdfs_next_twin(ix, slot) == NONE)
		return;
	vdfs_pool_insert(found, dist, slot);
}

/* Lines of a row that are fetched as soon as it is known to be needed. */
#define HEAD 4
#define LINE 64

/*
 * Neighbours of @slot that were not looked at yet, to @s->hop from @n on.
 * Their rows are on the way from memory when this returns.
 */
static uint32_t hop(const struct vdfs_index *ix, struct vdfs_scratch *s,
		    uint32_t slot, uint32_t level, uint32_t n)
{
	const char *base = s->codes ? ix->codes.base : ix->rows.base;
	size_t stride = s->codes ? ix->code_stride : ix->row_bytes;
	size_t head = stride < HEAD * LINE ? stride : HEAD * LINE;
	atomic_uint *edges = vdfs_edges(ix, slot, level);
	uint32_t max = vdfs_edges_max(ix, level);
	uint32_t i, to;
	size_t at;

	for (i = 0; i < max; i++) {
		/* Pairs with the release in vdfs_edges_set(). */
		to = atomic_load_explicit(&edges[i], memory_order_acquire);
		if (to == NONE)
			break;
		/* A slot that came after this walk began has no bit. */
		if (to >> 6 >= s->seen_words || !first_look(s, to))
			continue;
		s->hop[n++] = to;
		for (at = 0; at < head; at += LINE)
			__builtin_prefetch(base + to * stride + at);
	}
	return n;
}

/* A candidate's own edges will be wanted soon. */
static inline void fetch_edges(const struct vdfs_index *ix, uint32_t slot,
			       uint32_t level)
{
	const char *edges = (const char *)vdfs_edges(ix, slot, level);

	__builtin_prefetch(edges);
	__builtin_prefetch(edges + LINE);
}

/**
 * vdfs_walk() - collect the nearest of one level
 * @ix: Where.
 * @s: With the probe set and the pool holding where to begin; the pool
 *     holds the result.
 * @level: Which.
 * @subset: NULL, or what may be found: then @s->found, which was reset,
 *          collects the heads of what is in it and live.
 */
void vdfs_walk(const struct vdfs_index *ix, struct vdfs_scratch *s,
	       uint32_t level, const struct vdfs_subset *subset)
{
	uint32_t slot, n, i;

	for (i = 0; i < s->pool.size; i++) {
		slot = s->pool.cand[i].slot;
		if (slot >> 6 < s->seen_words)
			first_look(s, slot);
		if (subset)
			offer_found(ix, s, s->pool.cand[i].dist, slot, subset);
	}
	/* Two at a time: the rows of one come while the other is measured. */
	while (pool_next(&s->pool, &slot)) {
		n = hop(ix, s, slot, level, 0);
		if (pool_next(&s->pool, &slot))
			n = hop(ix, s, slot, level, n);
		vdfs_measure(ix, s, &s->probe, s->hop, n, s->hop_dist);
		for (i = 0; i < n; i++) {
			if (vdfs_pool_insert(&s->pool, s->hop_dist[i],
					     s->hop[i]))
				fetch_edges(ix, s->hop[i], level);
			if (subset)
				offer_found(ix, s, s->hop_dist[i], s->hop[i],
					    subset);
		}
	}
}
