// SPDX-License-Identifier: GPL-2.0-only
/*
 * The segments of a store, by number. Every read of a record looks for its
 * segment, and a store of some terabytes has thousands of them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store_impl.h"

#define ROOM_FIRST 64

/* Where a number is, or would be. */
static size_t place_of(const struct vdfs_packs *packs, uint32_t number)
{
	size_t low = 0, high = packs->n, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (packs->all[middle].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/**
 * vdfs_packs_add() - add a segment
 * @packs: All segments.
 * @seg: A new one, of a number that no other has.
 *
 * Context: With packs->lock held, or nobody else there.
 * Return: 0 or -ENOMEM.
 */
int vdfs_packs_add(struct vdfs_packs *packs, struct vdfs_segment *seg)
{
	size_t at = place_of(packs, seg->number);
	size_t room = packs->room ? 2 * packs->room : ROOM_FIRST;
	struct vdfs_numbered *all = packs->all;

	if (packs->n == packs->room) {
		all = reallocarray(all, room, sizeof(*all));
		if (!all)
			return -ENOMEM;
		packs->all = all;
		packs->room = room;
	}
	memmove(all + at + 1, all + at, (packs->n++ - at) * sizeof(*all));
	all[at] = (struct vdfs_numbered){ seg->number, seg };
	if (seg->number > packs->last)
		packs->last = seg->number;
	return 0;
}

/**
 * vdfs_packs_drop() - take a segment out
 * @packs: All segments.
 * @seg: One of them.
 *
 * Context: With packs->lock held.
 */
void vdfs_packs_drop(struct vdfs_packs *packs, struct vdfs_segment *seg)
{
	size_t at = place_of(packs, seg->number);

	packs->n--;
	memmove(packs->all + at, packs->all + at + 1,
		(packs->n - at) * sizeof(*packs->all));
	if (packs->active == seg)
		packs->active = NULL;
}

/**
 * vdfs_packs_find() - find a segment
 * @packs: All segments.
 * @from: Its number.
 *
 * Context: With packs->lock held, or nobody else there.
 * Return: The one of the lowest number there is from @from on, or NULL.
 */
struct vdfs_segment *vdfs_packs_find(const struct vdfs_packs *packs,
				     uint32_t from)
{
	size_t at = place_of(packs, from);

	return at < packs->n ? packs->all[at].segment : NULL;
}

/**
 * vdfs_packs_bytes() - how long all segments are
 * @store: The store.
 *
 * Context: Any thread.
 * Return: Bytes.
 */
uint64_t vdfs_packs_bytes(struct vdfs_store *store)
{
	struct vdfs_packs *packs = &store->packs;
	uint64_t bytes = 0;
	size_t i;

	pthread_mutex_lock(&packs->lock);
	for (i = 0; i < packs->n; i++)
		bytes += packs->all[i].segment->end;
	pthread_mutex_unlock(&packs->lock);
	return bytes;
}

/**
 * vdfs_packs_next() - go through the segments
 * @store: The store.
 * @from: From this number on.
 *
 * Context: Any thread.
 * Return: The lowest number there is from @from on, or 0.
 */
uint32_t vdfs_packs_next(struct vdfs_store *store, uint32_t from)
{
	struct vdfs_packs *packs = &store->packs;
	struct vdfs_segment *seg;
	uint32_t number;

	pthread_mutex_lock(&packs->lock);
	seg = vdfs_packs_find(packs, from);
	number = seg ? seg->number : 0;
	pthread_mutex_unlock(&packs->lock);
	return number;
}
