// SPDX-License-Identifier: GPL-2.0-only
/* Giving a vector its edges. */
#include <sched.h>
#include <stdlib.h>

#include "graph.h"

/*
 * In a small index consider FEW candidates plus one in SHARE of its vectors.
 * More would be most of the index.
 */
#define FEW 32
#define SHARE 8

/**
 * vdfs_lock() - hold the edges of a slot
 * @ix: Where.
 * @slot: Slot to lock; one at a time, since slots share locks.
 */
void vdfs_lock(struct vdfs_index *ix, uint32_t slot)
{
	atomic_flag *lock = &ix->locks[slot % LOCKS];

	while (atomic_flag_test_and_set_explicit(lock, memory_order_acquire))
		sched_yield();
}

/**
 * vdfs_unlock() - let them go
 * @ix: Where.
 * @slot: Slot to unlock.
 */
void vdfs_unlock(struct vdfs_index *ix, uint32_t slot)
{
	atomic_flag_clear_explicit(&ix->locks[slot % LOCKS],
				   memory_order_release);
}

/**
 * vdfs_probe_row() - look from a row
 * @ix: Where.
 * @s: Its @other is used up.
 * @slot: Slot whose row the probe is.
 *
 * Return: A probe that points into @s and @ix.
 */
struct vdfs_probe vdfs_probe_row(struct vdfs_index *ix, struct vdfs_scratch *s,
				 uint32_t slot)
{
	struct vdfs_probe probe = s->other;

	if (s->codes)
		vdfs_quant_probe_row(ix, slot, &probe);
	if (ix->params.type == VDFS_F32)
		probe.f32 = vdfs_row(ix, slot);
	else if (ix->params.type == VDFS_F16 && !s->codes)
		vdfs_row_get(ix, slot, probe.f32);
	return probe;
}

/**
 * vdfs_look_from() - make a vector the one that a walk looks for
 * @ix: Where, coded.
 * @s: For a writer; its @probe is set.
 * @slot: Slot whose row becomes the probe.
 *
 * It is what its row holds, rounded as all the others are, so that equal
 * vectors are at distance 0 of each other.
 */
void vdfs_look_from(struct vdfs_index *ix, struct vdfs_scratch *s,
		    uint32_t slot)
{
	if (ix->row_bytes)
		vdfs_row_get(ix, slot, s->probe.f32);
	if (s->codes)
		vdfs_quant_probe_row(ix, slot, &s->probe);
}

/*
 * Equal distances are compared as if each pair of vectors had a small random
 * distance of its own: any odd multiplier.
 */
static uint32_t tie_of(uint32_t a, uint32_t b)
{
	return (a ^ b) * 0x9e3779b1U;
}

/**
 * vdfs_select() - which of the candidates become neighbours
 * @ix: Where.
 * @s: Its @other is used up.
 * @owner: Slot whose neighbours they become.
 * @cand: shape [n], nearest first, in the order of vdfs_sort().
 * @n: How many.
 * @max: Most to choose.
 * @out: Out, shape [max].
 *
 * The heuristic of the paper (algorithm 4): one that is nearer to a chosen
 * one than to the vector itself is left out, since it is reached that way.
 * Where both are equally near, tie_of() decides. If all of many equidistant
 * vectors were chosen, they would fill each other's rows and none would keep
 * an edge to anything farther off.
 *
 * Return: How many were chosen.
 */
uint32_t vdfs_select(struct vdfs_index *ix, struct vdfs_scratch *s,
		     uint32_t owner, const struct vdfs_cand *cand, uint32_t n,
		     uint32_t max, uint32_t *out)
{
	uint32_t chosen = 0;
	uint32_t i, c;

	for (i = 0; i < n && chosen < max; i++) {
		uint32_t slot = cand[i].slot & ~CAND_DONE;
		struct vdfs_probe probe;

		if (vdfs_flags(ix, slot) == NODE_DELETED)
			continue;
		if (chosen)
			probe = vdfs_probe_row(ix, s, slot);
		for (c = 0; c < chosen; c++) {
			float between;

			vdfs_measure(ix, s, &probe, &out[c], 1, &between);
			if (between < cand[i].dist)
				break;
			if (between == cand[i].dist &&
			    tie_of(slot, out[c]) < tie_of(slot, owner))
				break;
		}
		if (c == chosen)
			out[chosen++] = slot;
	}
	return chosen;
}

static int by_dist(const void *a, const void *b, void *owner)
{
	const struct vdfs_cand *x = a;
	const struct vdfs_cand *y = b;
	uint32_t i, j;

	if (x->dist != y->dist)
		return x->dist < y->dist ? -1 : 1;
	i = tie_of(x->slot, *(const uint32_t *)owner);
	j = tie_of(y->slot, *(const uint32_t *)owner);
	return (i > j) - (i < j);
}

/**
 * vdfs_sort() - put candidates in order
 * @cand: shape [n]; nearest first afterwards.
 * @n: How many.
 * @owner: Slot whose neighbours they may become.
 *
 * Of many equal vectors each owner prefers others; if all preferred the same
 * few, no edge would lead to the rest.
 */
void vdfs_sort(struct vdfs_cand *cand, uint32_t n, uint32_t owner)
{
	qsort_r(cand, n, sizeof(*cand), by_dist, &owner);
}

/**
 * vdfs_link_back() - give a vector one more neighbour
 * @ix: Where.
 * @s: Its hop and @other are used up.
 * @slot: Slot whose neighbour @to becomes.
 * @to: The neighbour.
 * @level: On which level.
 *
 * When its row is full, all are weighed again.
 */
void vdfs_link_back(struct vdfs_index *ix, struct vdfs_scratch *s,
		    uint32_t slot, uint32_t to, uint32_t level)
{
	uint32_t max = vdfs_edges_max(ix, level);
	struct vdfs_cand cand[2 * 64 + 1];
	uint32_t edges[2 * 64 + 1];
	struct vdfs_probe probe;
	uint32_t n, i;

	vdfs_lock(ix, slot);
	n = vdfs_edges_get(ix, slot, level, edges);
	for (i = 0; i < n; i++)
		if (edges[i] == to)
			goto out;
	edges[n++] = to;
	if (n > max) {
		probe = vdfs_probe_row(ix, s, slot);
		vdfs_measure(ix, s, &probe, edges, n, s->hop_dist);
		for (i = 0; i < n; i++) {
			cand[i].dist = s->hop_dist[i];
			cand[i].slot = edges[i];
		}
		vdfs_sort(cand, n, slot);
		n = vdfs_select(ix, s, slot, cand, n, max, edges);
	}
	vdfs_edges_set(ix, slot, level, edges, n);
out:
	vdfs_unlock(ix, slot);
}

static uint32_t candidates(const struct vdfs_index *ix)
{
	uint32_t n = FEW + atomic_load(&ix->slots) / SHARE;

	n = n < ix->params.m ? ix->params.m : n;
	return n < ix->params.ef_build ? n : ix->params.ef_build;
}

static void link_level(struct vdfs_index *ix, struct vdfs_scratch *s,
		       uint32_t slot, uint32_t level, struct vdfs_cand *from)
{
	uint32_t edges[2 * 64];
	uint32_t n, i;

	vdfs_pool_reset(&s->pool, candidates(ix));
	vdfs_pool_insert(&s->pool, from->dist, from->slot);
	vdfs_walk(ix, s, level, NULL);
	vdfs_scratch_forget(s);
	*from = s->pool.cand[0];
	from->slot &= ~CAND_DONE;

	/* Another writer may have led here already. */
	for (i = 0, n = 0; i < s->pool.size; i++)
		if ((s->pool.cand[i].slot & ~CAND_DONE) != slot)
			s->pool.cand[n++] = s->pool.cand[i];
	n = vdfs_select(ix, s, slot, s->pool.cand, n, ix->params.m, edges);
	for (i = 0; i < n; i++) {
		vdfs_link_back(ix, s, slot, edges[i], level);
		vdfs_link_back(ix, s, edges[i], slot, level);
	}
}

/**
 * vdfs_link() - make a vector part of the graph
 * @ix: Where.
 * @s: With the probe set to the vector.
 * @slot: Filled.
 */
void vdfs_link(struct vdfs_index *ix, struct vdfs_scratch *s, uint32_t slot)
{
	uint64_t mine = (uint64_t)vdfs_node(ix, slot)->level << 32 | slot;
	uint64_t entry = ~0ULL;
	uint32_t level = vdfs_node(ix, slot)->level;
	uint32_t top;
	struct vdfs_cand from;
	uint32_t l;

	if (atomic_compare_exchange_strong(&ix->entry, &entry, mine))
		return;
	top = (uint32_t)(entry >> 32);
	from.slot = (uint32_t)entry;
	vdfs_measure(ix, s, &s->probe, &from.slot, 1, &from.dist);
	from = vdfs_descend(ix, s, from, top, level);
	for (l = level < top ? level : top;; l--) {
		link_level(ix, s, slot, l, &from);
		if (!l)
			break;
	}
	while (mine >> 32 > entry >> 32)
		if (atomic_compare_exchange_weak(&ix->entry, &entry, mine))
			break;
}
