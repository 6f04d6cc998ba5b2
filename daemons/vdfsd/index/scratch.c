// SPDX-License-Identifier: GPL-2.0-only
/* Memory that a walk needs, and the count of searches under way. */
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "graph.h"

static void scratch_free(struct vdfs_scratch *s)
{
	free(s->probe.f32);
	free(s->probe.s8);
	free(s->other.f32);
	free(s->other.s8);
	free(s->pool.cand);
	free(s->found.cand);
	free(s->seen);
	free(s->touched);
	free(s);
}

static bool probe_init(const struct vdfs_index *ix, struct vdfs_probe *probe)
{
	/* A build may bring codes that are not there yet. */
	size_t s8 = ix->code_n > ix->dim_f32 ? ix->code_n : ix->dim_f32;
	size_t f32 = (ix->dim_f32 * sizeof(float) + 63) & ~(size_t)63;

	s8 = (s8 + 63) & ~(size_t)63;
	probe->f32 = aligned_alloc(64, f32);
	probe->s8 = aligned_alloc(64, s8);
	if (!probe->f32 || !probe->s8)
		return false;
	memset(probe->f32, 0, f32);
	memset(probe->s8, 0, s8);
	return true;
}

static struct vdfs_scratch *scratch_new(const struct vdfs_index *ix)
{
	struct vdfs_scratch *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	if (!probe_init(ix, &s->probe) || !probe_init(ix, &s->other)) {
		scratch_free(s);
		return NULL;
	}
	return s;
}

static bool pool_room(struct vdfs_pool *pool, uint32_t room)
{
	struct vdfs_cand *cand;

	cand = realloc(pool->cand, ((size_t)room + 1) * sizeof(*cand));
	if (!cand)
		return false;
	pool->cand = cand;
	return true;
}

/**
 * vdfs_scratch_fit() - make room
 * @ix: Where.
 * @s: In which nothing is looked at.
 * @ef: For so many candidates, and a bit for every slot there is now.
 *
 * Return: False when there is no memory; what room there was is left.
 */
bool vdfs_scratch_fit(const struct vdfs_index *ix, struct vdfs_scratch *s,
		      uint32_t ef)
{
	size_t words = atomic_load(&ix->slots) / 64 + 1;

	if (s->room < ef) {
		if (!pool_room(&s->pool, ef) || !pool_room(&s->found, ef))
			return false;
		s->room = ef;
	}
	if (words > s->seen_words) {
		size_t more = words + words / 4;
		uint64_t *seen = calloc(more, sizeof(*seen));
		uint32_t *touched = malloc(more * sizeof(*touched));

		if (!seen || !touched) {
			free(seen);
			free(touched);
			return false;
		}
		free(s->seen);
		free(s->touched);
		s->seen = seen;
		s->touched = touched;
		s->seen_words = more;
	}
	return true;
}

/**
 * vdfs_scratch_get() - borrow what a walk needs
 * @ix: Where.
 * @ef: Candidates it shall keep at most.
 *
 * Return: NULL when there is no memory.
 */
struct vdfs_scratch *vdfs_scratch_get(struct vdfs_index *ix, uint32_t ef)
{
	struct vdfs_scratch *s;

	pthread_mutex_lock(&ix->pool_lock);
	s = ix->scratches;
	if (s)
		ix->scratches = s->next;
	pthread_mutex_unlock(&ix->pool_lock);
	if (!s)
		s = scratch_new(ix);
	if (!s)
		return NULL;
	if (!vdfs_scratch_fit(ix, s, ef)) {
		scratch_free(s);
		return NULL;
	}
	s->codes = vdfs_has_codes(ix);
	return s;
}

/**
 * vdfs_scratch_writes() - use it to give vectors their edges
 * @ix: Where; the caller holds @writers or @repairing.
 * @s: From vdfs_scratch_get().
 *
 * Codes of 1 bit are too coarse for that: the originals are used.
 */
void vdfs_scratch_writes(const struct vdfs_index *ix, struct vdfs_scratch *s)
{
	s->codes = ix->bits > 1;
}

/**
 * vdfs_scratch_forget() - nothing was looked at
 * @s: Of a walk that is over.
 */
void vdfs_scratch_forget(struct vdfs_scratch *s)
{
	size_t i;

	for (i = 0; i < s->touched_n; i++)
		s->seen[s->touched[i]] = 0;
	s->touched_n = 0;
}

/**
 * vdfs_scratch_put() - give it back
 * @ix: Where it is from.
 * @s: From vdfs_scratch_get().
 */
void vdfs_scratch_put(struct vdfs_index *ix, struct vdfs_scratch *s)
{
	vdfs_scratch_forget(s);
	pthread_mutex_lock(&ix->pool_lock);
	s->next = ix->scratches;
	ix->scratches = s;
	pthread_mutex_unlock(&ix->pool_lock);
}

/**
 * vdfs_index_rest() - free what searches and writers left for the next ones
 * @ix: Which.
 *
 * Context: Any thread; walks on their way keep theirs.
 */
void vdfs_index_rest(struct vdfs_index *ix)
{
	struct vdfs_scratch *s, *next;

	pthread_mutex_lock(&ix->pool_lock);
	s = ix->scratches;
	ix->scratches = NULL;
	pthread_mutex_unlock(&ix->pool_lock);
	for (; s; s = next) {
		next = s->next;
		scratch_free(s);
	}
}

/**
 * vdfs_readers_enter() - a search begins
 * @ix: Where.
 *
 * No slot that it can reach is reused until it leaves.
 *
 * Return: For vdfs_readers_leave().
 */
uint32_t vdfs_readers_enter(struct vdfs_index *ix)
{
	uint32_t epoch;

	for (;;) {
		epoch = atomic_load(&ix->epoch) & 1;
		atomic_fetch_add(&ix->readers[epoch], 1);
		/* Pairs with the flip in vdfs_readers_wait(). */
		if ((atomic_load(&ix->epoch) & 1) == epoch)
			return epoch;
		atomic_fetch_sub(&ix->readers[epoch], 1);
	}
}

/**
 * vdfs_readers_leave() - a search is over
 * @ix: Where.
 * @epoch: From vdfs_readers_enter().
 */
void vdfs_readers_leave(struct vdfs_index *ix, uint32_t epoch)
{
	atomic_fetch_sub(&ix->readers[epoch], 1);
}

/**
 * vdfs_readers_wait() - until every search that is on its way is over
 * @ix: Where; the caller holds @repairing.
 */
void vdfs_readers_wait(struct vdfs_index *ix)
{
	/* Pairs with the second look in vdfs_readers_enter(). */
	uint32_t epoch = atomic_fetch_add(&ix->epoch, 1) & 1;

	while (atomic_load(&ix->readers[epoch]))
		sched_yield();
}
