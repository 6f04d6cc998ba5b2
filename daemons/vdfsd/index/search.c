// SPDX-License-Identifier: GPL-2.0-only
/* Searching, with and without a subset. */
#include <errno.h>
#include <stdlib.h>

#include "graph.h"

#define EF_DEFAULT 64
/* Candidates of a walk with a subset at most. */
#define EF_MAX VDFS_INDEX_K_MAX
/*
 * Rows that a walk looks at for each candidate it keeps, about ten, and they
 * come twice as slowly as those of a scan, which lie in order.
 */
#define LOOKS 20
/* A walk that found too few of a subset is tried with so many times more. */
#define FARTHER 2

/**
 * struct vdfs_answer - one result
 * @dist: Exact.
 * @id: The owner's name.
 */
struct vdfs_answer {
	float dist;
	uint64_t id;
};

/* Worse comes first: the root of the heap is the one to lose. */
static bool worse(const struct vdfs_answer *a, const struct vdfs_answer *b)
{
	if (a->dist != b->dist)
		return a->dist > b->dist;
	return a->id > b->id;
}

static void sift(struct vdfs_answer *heap, uint32_t n, uint32_t i)
{
	struct vdfs_answer x = heap[i];
	uint32_t child;

	while ((child = 2 * i + 1) < n) {
		if (child + 1 < n && worse(&heap[child + 1], &heap[child]))
			child++;
		if (!worse(&heap[child], &x))
			break;
		heap[i] = heap[child];
		i = child;
	}
	heap[i] = x;
}

/* Keep the best @k of what is offered, in a heap. */
static void keep(struct vdfs_answer *heap, uint32_t *n, uint32_t k,
		 struct vdfs_answer answer)
{
	uint32_t i;

	if (*n == k) {
		if (!worse(&heap[0], &answer))
			return;
		heap[0] = answer;
		sift(heap, k, 0);
		return;
	}
	for (i = (*n)++; i; i = (i - 1) / 2) {
		if (!worse(&answer, &heap[(i - 1) / 2]))
			break;
		heap[i] = heap[(i - 1) / 2];
	}
	heap[i] = answer;
}

static void hand_over(struct vdfs_answer *heap, uint32_t n, uint64_t *ids,
		      float *dist)
{
	while (n) {
		ids[n - 1] = heap[0].id;
		dist[n - 1] = heap[0].dist;
		heap[0] = heap[--n];
		if (n)
			sift(heap, n, 0);
	}
}

static void offer_exact(const struct vdfs_index *ix,
			const struct vdfs_scratch *s, uint32_t slot,
			struct vdfs_answer *heap, uint32_t *n, uint32_t k)
{
	struct vdfs_answer answer;

	if (vdfs_flags(ix, slot) != NODE_LIVE)
		return;
	answer.dist = vdfs_exact(ix, &s->probe, slot);
	answer.id = vdfs_node(ix, slot)->id;
	keep(heap, n, k, answer);
}

static uint32_t scan(const struct vdfs_index *ix, struct vdfs_scratch *s,
		     const struct vdfs_query *query, struct vdfs_answer *heap)
{
	const struct vdfs_subset *subset = query->subset;
	uint32_t slots = atomic_load(&ix->slots);
	uint32_t n = 0;
	uint32_t i;

	if (!subset) {
		for (i = 0; i < slots; i++)
			if (s->without == NONE ||
			    vdfs_head(ix, i) != s->without)
				offer_exact(ix, s, i, heap, &n, query->k);
		return n;
	}
	for (i = 0; i < subset->n; i++) {
		if (i + 4 < subset->n && ix->row_bytes)
			__builtin_prefetch(vdfs_row(ix, subset->slots[i + 4]));
		offer_exact(ix, s, subset->slots[i], heap, &n, query->k);
	}
	return n;
}

/* Candidates that may be found, wanted. */
static uint32_t wanted(const struct vdfs_query *query)
{
	uint32_t ef = query->ef ? query->ef : EF_DEFAULT;

	return ef < query->k ? query->k : ef;
}

static uint32_t ef_of(const struct vdfs_index *ix,
		      const struct vdfs_query *query)
{
	uint64_t live = atomic_load(&ix->live);
	uint64_t nodes = atomic_load(&ix->heads);
	uint64_t ef = wanted(query);

	/* Only every so many candidates may be found. */
	if (query->subset && query->subset->heads)
		ef = ef * (nodes < live ? nodes : live) / query->subset->heads +
		     1;
	return ef < EF_MAX ? (uint32_t)ef : EF_MAX;
}

static uint32_t rerank_of(const struct vdfs_index *ix,
			  const struct vdfs_query *query, uint32_t found)
{
	static const uint32_t times[] = {
		[VDFS_CODES_8] = 3, [VDFS_CODES_4] = 3,	 [VDFS_CODES_3] = 3,
		[VDFS_CODES_2] = 5, [VDFS_CODES_1] = 10,
	};
	uint32_t n = query->rerank;

	if (!n)
		n = times[ix->params.codes] * query->k;

	if (!vdfs_has_codes(ix) || n < query->k)
		n = query->k;
	return n < found ? n : found;
}

/* Walk from the entry; returns where the candidates are. */
static struct vdfs_pool *walk(const struct vdfs_index *ix,
			      struct vdfs_scratch *s,
			      const struct vdfs_query *query, uint32_t ef)
{
	uint64_t entry = atomic_load(&ix->entry);
	struct vdfs_cand from = { .slot = (uint32_t)entry };

	vdfs_pool_reset(&s->pool, ef);
	vdfs_pool_reset(&s->found, ef);
	if (entry == ~0ULL)
		return &s->pool;
	vdfs_measure(ix, s, &s->probe, &from.slot, 1, &from.dist);
	from = vdfs_descend(ix, s, from, (uint32_t)(entry >> 32), 0);
	if (s->without != NONE)
		vdfs_pass_over(s, s->without);
	vdfs_pool_insert(&s->pool, from.dist, from.slot);
	vdfs_walk(ix, s, 0, query->subset);
	return query->subset ? &s->found : &s->pool;
}

/* The processor streams the rest of a long row in by itself. */
static inline void fetch_row(const struct vdfs_index *ix, uint32_t slot)
{
	const char *row = vdfs_row(ix, slot);
	size_t i;

	for (i = 0; i < ix->row_bytes && i < 1024; i += 64)
		__builtin_prefetch(row + i);
}

static bool is_in(const struct vdfs_subset *subset, uint32_t slot)
{
	return !subset || (slot >> 6 < subset->words &&
			   subset->bits[slot >> 6] >> (slot & 63) & 1);
}

/* A head and all that hang from it. */
static void offer_twins(const struct vdfs_index *ix,
			const struct vdfs_scratch *s,
			const struct vdfs_query *query, uint32_t head,
			struct vdfs_answer *heap, uint32_t *n)
{
	float dist = vdfs_exact(ix, &s->probe, head);
	struct vdfs_answer answer;
	uint32_t slot;

	if (*n == query->k && dist > heap[0].dist &&
	    !atomic_load(&vdfs_node(ix, head)->mixed))
		return;
	for (slot = head; slot != NONE; slot = vdfs_next_twin(ix, slot)) {
		const struct vdfs_node *node = vdfs_node(ix, slot);

		if (vdfs_flags(ix, slot) != NODE_LIVE ||
		    !is_in(query->subset, slot))
			continue;
		answer.dist = dist;
		if (slot != head && !(atomic_load(&node->head) & TWIN_EXACT))
			answer.dist = vdfs_exact(ix, &s->probe, slot);
		answer.id = node->id;
		keep(heap, n, query->k, answer);
	}
}

static uint32_t rank(const struct vdfs_index *ix, struct vdfs_scratch *s,
		     const struct vdfs_query *query,
		     const struct vdfs_pool *pool, struct vdfs_answer *heap)
{
	uint32_t want = rerank_of(ix, query, pool->size);
	uint32_t n = 0;
	uint32_t seen = 0;
	float last = 0;
	uint32_t i;

	for (i = 0; i < pool->size; i++) {
		uint32_t slot = pool->cand[i].slot & ~CAND_DONE;

		/* Those as near as the last one count: the id decides. */
		if (seen >= want && pool->cand[i].dist > last)
			break;
		if (vdfs_flags(ix, slot) != NODE_LIVE &&
		    vdfs_next_twin(ix, slot) == NONE)
			continue;
		last = pool->cand[i].dist;
		seen++;
		if (i + 2 < pool->size)
			fetch_row(ix, pool->cand[i + 2].slot & ~CAND_DONE);
		if (vdfs_next_twin(ix, slot) == NONE)
			offer_exact(ix, s, slot, heap, &n, query->k);
		else
			offer_twins(ix, s, query, slot, heap, &n);
	}
	return n;
}

/* Lines of memory, and the wait for the first. */
static uint64_t cost_of_row(size_t bytes)
{
	return bytes / 64 + 4;
}

/*
 * The fewer are in a subset, the less a scan of them costs, and the more a
 * walk that is to come across @ef of all.
 */
static bool scan_is_cheaper(const struct vdfs_index *ix,
			    const struct vdfs_query *query, uint32_t ef)
{
	size_t row = ix->row_bytes ? ix->row_bytes : ix->code_stride;
	size_t step = vdfs_has_codes(ix) ? ix->code_stride : row;

	if (!atomic_load(&ix->coded) || atomic_load(&ix->live) <= query->k)
		return true;
	return query->subset &&
	       query->subset->n * cost_of_row(row) <=
		       (uint64_t)ef * LOOKS * cost_of_row(step);
}

/*
 * Everything nearer than the last candidate was followed. Where few of the
 * subset are as near as that, it keeps away from the query, and what was found
 * farther off was found by chance.
 */
static bool found_enough(const struct vdfs_scratch *s,
			 const struct vdfs_query *query)
{
	const struct vdfs_pool *found = &s->found;
	uint32_t want = wanted(query);
	uint32_t n = 0;
	float reach;

	if (!query->subset || s->pool.size < s->pool.cap)
		return true;
	if (want > query->subset->heads)
		want = (uint32_t)query->subset->heads;
	reach = s->pool.cand[s->pool.size - 1].dist;
	while (n < found->size && found->cand[n].dist <= reach)
		n++;
	return n >= want / 2;
}

/* Returns what a walk found; NULL where a scan is better. */
static const struct vdfs_pool *walk_far(const struct vdfs_index *ix,
					struct vdfs_scratch *s,
					const struct vdfs_query *query,
					uint32_t ef)
{
	const struct vdfs_pool *pool;

	for (;;) {
		if (scan_is_cheaper(ix, query, ef) ||
		    !vdfs_scratch_fit(ix, s, ef))
			return NULL;
		pool = walk(ix, s, query, ef);
		if (found_enough(s, query) || ef >= EF_MAX)
			return pool;
		vdfs_scratch_forget(s);
		ef = ef < EF_MAX / FARTHER ? ef * FARTHER : EF_MAX;
	}
}

static uint32_t walk_or_scan(const struct vdfs_index *ix,
			     struct vdfs_scratch *s,
			     const struct vdfs_query *query, uint32_t ef,
			     struct vdfs_answer *heap)
{
	const struct vdfs_pool *pool = walk_far(ix, s, query, ef);
	uint64_t have = atomic_load(&ix->live);
	uint32_t n = pool ? rank(ix, s, query, pool, heap) : 0;

	if (query->subset && query->subset->n < have)
		have = query->subset->n;
	/* Deleted ones may have crowded the pool: never fewer than exist. */
	if (n < query->k && n < have)
		n = scan(ix, s, query, heap);
	return n;
}

/* A node of upper levels is on the way to others, and cannot be left out. */
static int find_without(struct vdfs_index *ix, struct vdfs_scratch *s,
			uint64_t id)
{
	uint32_t slot;

	pthread_mutex_lock(&ix->grow);
	slot = vdfs_slot_find(ix, id);
	s->without = slot == NONE ? NONE : vdfs_head(ix, slot);
	pthread_mutex_unlock(&ix->grow);
	if (s->without == NONE || vdfs_node(ix, s->without)->level ||
	    (uint32_t)atomic_load(&ix->entry) == s->without)
		return -ENOENT;
	return 0;
}

static int run(struct vdfs_index *ix, const struct vdfs_query *query,
	       bool exact, uint64_t *ids, float *dist)
{
	struct vdfs_answer *heap;
	struct vdfs_scratch *s;
	uint32_t epoch, ef;
	int ret;

	if (!query->k || query->k > VDFS_INDEX_K_MAX)
		return -EINVAL;
	ef = ef_of(ix, query);
	heap = malloc(query->k * sizeof(*heap));
	s = vdfs_scratch_get(ix, ef);
	if (!heap || !s) {
		free(heap);
		if (s)
			vdfs_scratch_put(ix, s);
		return -ENOMEM;
	}
	epoch = vdfs_readers_enter(ix);
	ret = vdfs_slot_prepare(ix, s, query->vector);
	s->without = NONE;
	if (!ret && query->without)
		ret = find_without(ix, s, *query->without);
	if (!ret && query->subset &&
	    query->subset->released != atomic_load(&ix->released))
		ret = -ESTALE;
	if (!ret)
		ret = (int)(exact ? scan(ix, s, query, heap) :
				    walk_or_scan(ix, s, query, ef, heap));
	vdfs_readers_leave(ix, epoch);
	if (ret > 0)
		hand_over(heap, (uint32_t)ret, ids, dist);
	vdfs_scratch_put(ix, s);
	free(heap);
	return ret;
}

/**
 * vdfs_index_search() - the nearest vectors, very likely
 * @ix: Where.
 * @query: Vector, number of answers, and what bounds the search.
 * @ids: Out, shape [k], nearest first, equal ones by id.
 * @dist: Out, shape [k], exact distances by the metric.
 *
 * Return: Answers written, @k unless fewer exist; -EINVAL for a @k out of
 * range or a vector that could not be added; -ESTALE when the subset has to
 * be made again; -ENOENT when there is no @without, or no way around it;
 * -ENOMEM.
 */
int vdfs_index_search(struct vdfs_index *ix, const struct vdfs_query *query,
		      uint64_t *ids, float *dist)
{
	return run(ix, query, false, ids, dist);
}

/**
 * vdfs_index_scan() - the nearest vectors for certain, by looking at all
 * @ix: Where.
 * @query: As for vdfs_index_search().
 * @ids: As for vdfs_index_search().
 * @dist: As for vdfs_index_search().
 *
 * Return: As for vdfs_index_search().
 */
int vdfs_index_scan(struct vdfs_index *ix, const struct vdfs_query *query,
		    uint64_t *ids, float *dist)
{
	return run(ix, query, true, ids, dist);
}

/* The caller holds @grow. */
static void subset_add(const struct vdfs_index *ix, struct vdfs_subset *subset,
		       uint32_t slot)
{
	uint32_t head = vdfs_head(ix, slot);
	uint64_t bit = 1ULL << (slot & 63);

	if (subset->bits[slot >> 6] & bit)
		return;
	subset->bits[slot >> 6] |= bit;
	subset->slots[subset->n++] = slot;
	/* As long as there is no graph, it is scanned. */
	if (head == NONE)
		head = slot;
	bit = 1ULL << (head & 63);
	subset->heads += !(subset->nodes[head >> 6] & bit);
	subset->nodes[head >> 6] |= bit;
}

/**
 * vdfs_subset_new() - prepare to search among some vectors
 * @ix: Where.
 * @ids: shape [n]; those that are not there are passed over.
 * @n: How many.
 * @out: Out.
 *
 * Return: 0, or -ENOMEM.
 */
int vdfs_subset_new(struct vdfs_index *ix, const uint64_t *ids, size_t n,
		    struct vdfs_subset **out)
{
	struct vdfs_subset *subset = calloc(1, sizeof(*subset));
	size_t i;

	if (!subset)
		return -ENOMEM;
	pthread_mutex_lock(&ix->grow);
	subset->released = atomic_load(&ix->released);
	subset->words = atomic_load(&ix->slots) / 64 + 1;
	subset->bits = calloc(subset->words, sizeof(*subset->bits));
	subset->nodes = calloc(subset->words, sizeof(*subset->nodes));
	subset->slots = malloc((n + 1) * sizeof(*subset->slots));
	if (!subset->bits || !subset->nodes || !subset->slots) {
		pthread_mutex_unlock(&ix->grow);
		vdfs_subset_free(subset);
		return -ENOMEM;
	}
	for (i = 0; i < n; i++) {
		uint32_t slot = vdfs_slot_find(ix, ids[i]);

		if (slot != NONE)
			subset_add(ix, subset, slot);
	}
	pthread_mutex_unlock(&ix->grow);
	*out = subset;
	return 0;
}

/**
 * vdfs_subset_free() - free a subset
 * @subset: That no search uses; NULL is allowed.
 */
void vdfs_subset_free(struct vdfs_subset *subset)
{
	if (!subset)
		return;
	free(subset->bits);
	free(subset->nodes);
	free(subset->slots);
	free(subset);
}

/**
 * vdfs_subset_size() - how many vectors are in it
 * @subset: Which.
 *
 * Return: Those that were there when it was made.
 */
size_t vdfs_subset_size(const struct vdfs_subset *subset)
{
	return subset->n;
}
