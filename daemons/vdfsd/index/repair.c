// SPDX-License-Identifier: GPL-2.0-only
/*
 * Leading the graph around deleted vectors, so that their slots can be used
 * again. After "FreshDiskANN" (Singh et al., 2021), algorithm 4: a vector with
 * an edge to a deleted one chooses again from its other neighbours and those
 * of the deleted one. Where much is gone at once, that finds too little: the
 * rest of a region may lead to itself alone. Such a vector is linked once
 * more as if it were new, for walks still pass through deleted ones.
 */
#include <errno.h>
#include <stdlib.h>

#include "graph.h"

/* Candidates of one vector at most. */
#define CAND_MAX 1024
/* A vector that lost this share of its edges is linked again. */
#define LOST_SHARE 4
/* Vectors between two calls of progress(). */
#define CHUNK 4096

static bool gone(const uint64_t *victims, uint32_t n, uint32_t slot)
{
	return slot < n && victims[slot >> 6] >> (slot & 63) & 1;
}

static int by_slot(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a;
	uint32_t y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* Neighbours that stay, and neighbours of those that do not. */
static uint32_t gather(struct vdfs_index *ix, const uint64_t *victims,
		       uint32_t slots, uint32_t slot, uint32_t level,
		       uint32_t *out, uint32_t *lost)
{
	uint32_t mine[2 * 64], theirs[2 * 64];
	uint32_t n = vdfs_edges_get(ix, slot, level, mine);
	uint32_t count = 0;
	uint32_t i, j, k, m;

	*lost = 0;
	for (i = 0; i < n; i++) {
		if (!gone(victims, slots, mine[i])) {
			out[count++] = mine[i];
			continue;
		}
		++*lost;
		m = vdfs_edges_get(ix, mine[i], level, theirs);
		for (j = 0; j < m && count < CAND_MAX; j++)
			if (theirs[j] != slot &&
			    !gone(victims, slots, theirs[j]))
				out[count++] = theirs[j];
	}
	qsort(out, count, sizeof(*out), by_slot);
	for (i = 0, k = 0; i < count; i++)
		if (!k || out[k - 1] != out[i])
			out[k++] = out[i];
	return k;
}

/* As many neighbours as before: the nearest of those not chosen fill up. */
static uint32_t fill_up(const struct vdfs_cand *cand, uint32_t n,
			uint32_t *edges, uint32_t chosen, uint32_t want)
{
	uint32_t first = chosen;
	uint32_t i, j;

	for (i = 0; i < n && chosen < want; i++) {
		for (j = 0; j < first && edges[j] != cand[i].slot; j++)
			continue;
		if (j == first)
			edges[chosen++] = cand[i].slot;
	}
	return chosen;
}

/* Returns whether more is to be done for it than to look around. */
static bool repair_level(struct vdfs_index *ix, struct vdfs_scratch *s,
			 const uint64_t *victims, uint32_t slots, uint32_t slot,
			 uint32_t level)
{
	uint32_t near[CAND_MAX + 2 * 64], edges[2 * 64];
	struct vdfs_cand cand[CAND_MAX + 2 * 64];
	struct vdfs_probe probe;
	uint32_t n, i, part, had, lost, chosen;

	vdfs_lock(ix, slot);
	had = vdfs_edges_get(ix, slot, level, edges);
	n = gather(ix, victims, slots, slot, level, near, &lost);
	if (!lost) {
		vdfs_unlock(ix, slot);
		return false;
	}
	probe = vdfs_probe_row(ix, s, slot);
	for (i = 0; i < n; i += part) {
		uint32_t j;

		part = n - i < 256 ? n - i : 256;
		vdfs_measure(ix, s, &probe, near + i, part, s->hop_dist);
		for (j = 0; j < part; j++) {
			cand[i + j].dist = s->hop_dist[j];
			cand[i + j].slot = near[i + j];
		}
	}
	vdfs_sort(cand, n, slot);
	chosen = vdfs_select(ix, s, slot, cand, n, vdfs_edges_max(ix, level),
			     edges);
	chosen = fill_up(cand, n, edges, chosen, had);
	vdfs_edges_set(ix, slot, level, edges, chosen);
	vdfs_unlock(ix, slot);
	/* A neighbour that lost the only edge to it gets one back. */
	for (i = 0; i < chosen; i++)
		vdfs_link_back(ix, s, edges[i], slot, level);
	return lost * LOST_SHARE >= had;
}

/* A node of the graph that no repair takes out of it. */
static bool stays(const struct vdfs_index *ix, uint32_t slot)
{
	uint8_t flags = vdfs_flags(ix, slot);

	return flags == NODE_LIVE || flags == NODE_GHOST;
}

/* Walks must not begin at a vector that goes: take the highest that stays. */
static void move_entry(struct vdfs_index *ix, const uint64_t *victims,
		       uint32_t slots)
{
	uint64_t entry = atomic_load(&ix->entry);
	uint64_t best = ~0ULL;
	uint32_t slot;

	if (entry == ~0ULL || !gone(victims, slots, (uint32_t)entry))
		return;
	for (slot = 0; slot < slots; slot++) {
		uint64_t mine = (uint64_t)vdfs_node(ix, slot)->level << 32 |
				slot;

		if (!stays(ix, slot) || !vdfs_is_head(ix, slot))
			continue;
		if (best == ~0ULL || mine >> 32 > best >> 32)
			best = mine;
	}
	atomic_store(&ix->entry, best);
}

/*
 * Whether a deleted vector can leave; a head cannot while twins of it live.
 * Ghosts are not counted among the deleted, for no repair frees them.
 */
static bool may_leave(struct vdfs_index *ix, uint32_t slot)
{
	struct vdfs_node *node = vdfs_node(ix, slot);
	uint8_t flags = vdfs_flags(ix, slot);

	if (flags != NODE_DELETED && flags != NODE_GHOST)
		return false;
	if (vdfs_is_head(ix, slot)) {
		if (vdfs_next_twin(ix, slot) != NONE) {
			if (flags == NODE_DELETED)
				atomic_fetch_sub(&ix->deleted, 1);
			atomic_store(&node->flags, NODE_GHOST);
			return false;
		}
		vdfs_twin_leave(ix, slot);
	}
	if (flags == NODE_GHOST) {
		atomic_store(&node->flags, NODE_DELETED);
		atomic_fetch_add(&ix->deleted, 1);
	}
	return true;
}

static uint32_t *find_victims(struct vdfs_index *ix, uint32_t slots,
			      uint64_t *victims, size_t *count)
{
	uint32_t *list = malloc(((size_t)slots + 1) * sizeof(*list));
	uint32_t slot;

	*count = 0;
	if (!list)
		return NULL;
	pthread_mutex_lock(&ix->grow);
	vdfs_twin_prune(ix, slots);
	for (slot = 0; slot < slots; slot++) {
		if (!may_leave(ix, slot))
			continue;
		victims[slot >> 6] |= 1ULL << (slot & 63);
		list[(*count)++] = slot;
	}
	pthread_mutex_unlock(&ix->grow);
	return list;
}

static int sweep(struct vdfs_index *ix, struct vdfs_scratch *s,
		 const uint64_t *victims, uint32_t slots,
		 vdfs_progress_fn *progress, void *arg)
{
	uint32_t slot, level, epoch;
	bool much;

	for (slot = 0; slot < slots; slot++) {
		if (progress && slot % CHUNK == 0 &&
		    !progress(arg, slot, slots))
			return -ECANCELED;
		if (gone(victims, slots, slot) || !vdfs_flags(ix, slot))
			continue;
		/* Twins have no edges. */
		if (vdfs_head(ix, slot) != NONE && !vdfs_is_head(ix, slot))
			continue;
		epoch = vdfs_readers_enter(ix);
		much = false;
		for (level = 0; level <= vdfs_node(ix, slot)->level; level++)
			much |= repair_level(ix, s, victims, slots, slot,
					     level);
		if (much && stays(ix, slot)) {
			vdfs_look_from(ix, s, slot);
			vdfs_link(ix, s, slot);
		}
		vdfs_readers_leave(ix, epoch);
	}
	return 0;
}

static int repair_locked(struct vdfs_index *ix, vdfs_progress_fn *progress,
			 void *arg)
{
	struct vdfs_scratch *s = vdfs_scratch_get(ix, ix->params.ef_build);
	uint32_t slots = atomic_load(&ix->slots);
	uint64_t *victims = calloc(slots / 64 + 1, sizeof(*victims));
	uint32_t *list = NULL;
	size_t count = 0;
	int ret = -ENOMEM;

	if (!s || !victims)
		goto out;
	vdfs_scratch_writes(ix, s);
	/* Writers that began before may still link to a victim. */
	pthread_rwlock_wrlock(&ix->writers);
	list = find_victims(ix, slots, victims, &count);
	if (list && atomic_load(&ix->coded))
		move_entry(ix, victims, slots);
	pthread_rwlock_unlock(&ix->writers);
	if (!list)
		goto out;
	ret = 0;
	if (count && atomic_load(&ix->coded))
		ret = sweep(ix, s, victims, slots, progress, arg);
	if (!ret && count) {
		vdfs_readers_wait(ix);
		vdfs_slot_release(ix, list, count);
		atomic_fetch_sub(&ix->deleted, count);
	}
	if (!ret && progress)
		progress(arg, slots, slots);
out:
	free(list);
	free(victims);
	if (s)
		vdfs_scratch_put(ix, s);
	return ret;
}

/**
 * vdfs_index_repair() - lead the graph around what was deleted
 * @ix: Where; searches, adds and deletes may go on.
 * @progress: NULL, or called now and then.
 * @arg: For @progress.
 *
 * Return: 0; -ECANCELED when @progress said so: nothing is lost, the next
 * repair starts over; -ENOMEM.
 */
int vdfs_index_repair(struct vdfs_index *ix, vdfs_progress_fn *progress,
		      void *arg)
{
	int ret;

	pthread_mutex_lock(&ix->repairing);
	ret = repair_locked(ix, progress, arg);
	pthread_mutex_unlock(&ix->repairing);
	return ret;
}
