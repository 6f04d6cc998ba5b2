// SPDX-License-Identifier: GPL-2.0-only
/* Changes of the same key one after the other, of different keys at a time. */
#include <string.h>

#include "collection_impl.h"

/* FNV-1a */
static unsigned int key_lock(const char *key)
{
	uint64_t hash = 0xcbf29ce484222325ULL;

	for (; *key; key++)
		hash = (hash ^ (unsigned char)*key) * 0x100000001b3ULL;
	return (unsigned int)(hash >> 32) % KEY_LOCKS;
}

/* While an index learns its codes only one may add to it. */
static bool must_be_alone(struct vdfs_core *core)
{
	struct vdfs_graph *graph = vdfs_graph_get(core);
	bool alone = vdfs_graph_untrained(core, graph->ix);

	vdfs_graph_put(graph);
	return alone;
}

/**
 * vdfs_turn_begin() - wait for those that change the same keys
 * @turn: Out: the locks, to be given to vdfs_turn_end().
 * @core: The collection.
 * @items: Items that change, shape [n].
 * @n: How many.
 *
 * Context: See collection_impl.h.
 */
void vdfs_turn_begin(struct vdfs_turn *turn, struct vdfs_core *core,
		     const struct vdfs_item *items, size_t n)
{
	size_t i;

	memset(turn, 0, sizeof(*turn));
	pthread_rwlock_rdlock(&core->gate);
	turn->alone = must_be_alone(core);
	if (turn->alone) {
		pthread_rwlock_unlock(&core->gate);
		pthread_rwlock_wrlock(&core->gate);
	}
	for (i = 0; i < n && !turn->alone; i++) {
		unsigned int lock = key_lock(items[i].key);

		turn->locks[lock / 64] |= 1ULL << (lock % 64);
	}
	for (i = 0; i < KEY_LOCKS; i++)
		if (turn->locks[i / 64] >> (i % 64) & 1)
			pthread_mutex_lock(&core->keys[i]);
	atomic_fetch_add(&core->started, 1);
}

/**
 * vdfs_turn_end() - let others change the same keys
 * @turn: The locks.
 * @core: The collection.
 *
 * Context: The thread that began.
 */
void vdfs_turn_end(struct vdfs_turn *turn, struct vdfs_core *core)
{
	size_t i;

	atomic_fetch_add(&core->ended, 1);
	for (i = 0; i < KEY_LOCKS; i++)
		if (turn->locks[i / 64] >> (i % 64) & 1)
			pthread_mutex_unlock(&core->keys[i]);
	pthread_rwlock_unlock(&core->gate);
	/* When this fails, the next search tries again. */
	vdfs_graph_recover(core);
}
