// SPDX-License-Identifier: GPL-2.0-only
/*
 * Twins: vectors that the graph cannot tell apart are one node of it. The
 * first of them, the head, has the edges; the others hang in a chain from it
 * and a search offers them with it. Were each a node, equal ones would fill
 * each other's rows and no edge would lead out of them.
 *
 * Two vectors are twins when what writers compare is equal byte by byte: the
 * codes, or the originals where writers have no codes. Twins by codes have as
 * good as one length, and may differ as originals; TWIN_EXACT says that one
 * does not.
 */
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "graph.h"

/* An entry of the table whose head has gone. */
#define TOMB (NONE - 1)
#define SIZE_MIN 16
/* Of a square of a length as f32: its exponent and 9 bits of the fraction stay. */
#define LENGTH_SHIFT 14

/* The bytes that two twins share. */
static const void *view(const struct vdfs_index *ix, uint32_t slot,
			size_t *bytes)
{
	if (ix->twins.codes) {
		*bytes = ix->tail;
		return vdfs_code(ix, slot);
	}
	*bytes = ix->row_bytes;
	return vdfs_row(ix, slot);
}

/*
 * Of vectors that differ by less than a thousandth in length the distance by
 * codes, near 0, is little but the rounding of it.
 */
static uint32_t length_class(const struct vdfs_index *ix, uint32_t slot)
{
	uint32_t bits;

	if (!ix->twins.codes || ix->params.type == VDFS_I8)
		return 0;
	memcpy(&bits, &vdfs_tail(ix, slot)->norm, sizeof(bits));
	return bits >> LENGTH_SHIFT;
}

static uint32_t hash_of(const struct vdfs_index *ix, uint32_t slot)
{
	uint64_t h = ix->params.seed + 0x9e3779b97f4a7c15ULL +
		     length_class(ix, slot);
	size_t bytes, at;
	const char *from = view(ix, slot, &bytes);
	uint64_t word;

	for (at = 0; at < bytes; at += sizeof(word)) {
		size_t part = bytes - at < sizeof(word) ? bytes - at :
							  sizeof(word);

		word = 0;
		memcpy(&word, from + at, part);
		h = (h ^ word) * 0xbf58476d1ce4e5b9ULL;
		h ^= h >> 32;
	}
	return (uint32_t)h;
}

static bool same_view(const struct vdfs_index *ix, uint32_t a, uint32_t b)
{
	size_t bytes;
	const void *x = view(ix, a, &bytes);

	return !memcmp(x, view(ix, b, &bytes), bytes) &&
	       length_class(ix, a) == length_class(ix, b);
}

static void table_put(struct vdfs_twins *t, uint32_t slot, uint32_t hash)
{
	size_t i = hash & (t->size - 1);

	while (t->entry[i].slot != NONE)
		i = (i + 1) & (t->size - 1);
	t->entry[i].slot = slot;
	t->entry[i].hash = hash;
	t->used++;
}

/* A table without tombs; one that is not had leaves the old one. */
static bool table_resize(struct vdfs_twins *t, size_t heads)
{
	struct vdfs_twin_entry *old = t->entry;
	size_t old_size = t->size;
	size_t size = SIZE_MIN;
	size_t i;

	while (size < heads * 2)
		size *= 2;
	t->entry = malloc(size * sizeof(*t->entry));
	if (!t->entry) {
		t->entry = old;
		return false;
	}
	memset(t->entry, 0xff, size * sizeof(*t->entry));
	t->size = size;
	t->used = 0;
	for (i = 0; i < old_size; i++)
		if (old[i].slot < TOMB)
			table_put(t, old[i].slot, old[i].hash);
	free(old);
	return true;
}

static struct vdfs_twin_entry *table_find(struct vdfs_index *ix, uint32_t slot,
					  uint32_t hash)
{
	struct vdfs_twins *t = &ix->twins;
	size_t i = hash & (t->size - 1);

	for (; t->size && t->entry[i].slot != NONE; i = (i + 1) & (t->size - 1))
		if (t->entry[i].slot != TOMB && t->entry[i].hash == hash &&
		    same_view(ix, t->entry[i].slot, slot))
			return &t->entry[i];
	return NULL;
}

/* Whether the number of twins is a power of two again. */
static bool chain(struct vdfs_index *ix, uint32_t head, uint32_t slot)
{
	struct vdfs_node *first = vdfs_node(ix, head);
	struct vdfs_node *node = vdfs_node(ix, slot);
	uint32_t bit = TWIN_EXACT;

	if (ix->row_bytes &&
	    memcmp(vdfs_row(ix, head), vdfs_row(ix, slot), ix->row_bytes)) {
		bit = 0;
		atomic_store(&first->mixed, 1);
	}
	atomic_store(&node->head, head | bit);
	atomic_store(&node->next, atomic_load(&first->next));
	/* Pairs with the acquire of searches in vdfs_next_twin(). */
	atomic_store_explicit(&first->next, slot, memory_order_release);
	first->joins++;
	return !(first->joins & (first->joins - 1));
}

/* Without memory it is a head that no twin finds. */
static void enter(struct vdfs_index *ix, uint32_t slot, uint32_t hash)
{
	struct vdfs_twins *t = &ix->twins;

	atomic_fetch_add(&ix->heads, 1);
	if ((t->used + 1) * 10 > t->size * 7)
		table_resize(t, atomic_load(&ix->heads) * 2);
	if (t->used + 1 < t->size)
		table_put(t, slot, hash);
}

/**
 * vdfs_twin_join() - find the head of a new vector's twins
 * @ix: Where, coded; the caller holds @writers.
 * @slot: Filled, and in no chain yet.
 * @due: Out, when there is a head: it should be linked once more. One that came
 *       early and lies apart knows few of those that came since; each copy,
 *       were it a node, would have found more of them.
 *
 * Return: The head that @slot hangs from now, for vdfs_twin_wait(); NONE when
 * it is a head itself: the caller links it and calls vdfs_twin_linked().
 */
uint32_t vdfs_twin_join(struct vdfs_index *ix, uint32_t slot, bool *due)
{
	uint32_t hash = hash_of(ix, slot);
	struct vdfs_twin_entry *twin;
	uint32_t head = NONE;

	pthread_mutex_lock(&ix->grow);
	twin = table_find(ix, slot, hash);
	if (twin) {
		head = twin->slot;
		*due = chain(ix, head, slot);
	} else {
		enter(ix, slot, hash);
	}
	pthread_mutex_unlock(&ix->grow);
	return head;
}

/**
 * vdfs_twin_wait() - until searches can reach a head
 * @ix: Where.
 * @head: From vdfs_twin_join(); another writer may be linking it.
 */
void vdfs_twin_wait(const struct vdfs_index *ix, uint32_t head)
{
	while (atomic_load(&vdfs_node(ix, head)->head) != head)
		sched_yield();
}

/**
 * vdfs_twin_linked() - searches can reach a head
 * @ix: Where.
 * @head: The head, with its edges.
 */
void vdfs_twin_linked(struct vdfs_index *ix, uint32_t head)
{
	atomic_store(&vdfs_node(ix, head)->head, head);
}

/* Take deleted twins out of the chain of a head. */
static void prune(struct vdfs_index *ix, uint32_t head)
{
	atomic_uint *at = &vdfs_node(ix, head)->next;
	uint32_t slot;

	while ((slot = atomic_load(at)) != NONE) {
		struct vdfs_node *node = vdfs_node(ix, slot);

		/* A search that is at @slot goes on from there. */
		if (vdfs_flags(ix, slot) == NODE_DELETED)
			atomic_store(at, atomic_load(&node->next));
		else
			at = &node->next;
	}
}

/**
 * vdfs_twin_prune() - take deleted twins out of all chains
 * @ix: Where; the caller holds @writers alone, and @grow.
 * @slots: Slots to look at.
 */
void vdfs_twin_prune(struct vdfs_index *ix, uint32_t slots)
{
	uint32_t slot;

	for (slot = 0; slot < slots; slot++)
		if (vdfs_flags(ix, slot) && vdfs_is_head(ix, slot))
			prune(ix, slot);
}

/**
 * vdfs_twin_leave() - a deleted head will not be in the graph any longer
 * @ix: Where; the caller holds @writers alone, and @grow.
 * @head: Head whose chain is empty; no vector joins it from now on.
 */
void vdfs_twin_leave(struct vdfs_index *ix, uint32_t head)
{
	struct vdfs_twins *t = &ix->twins;
	size_t i = hash_of(ix, head) & (t->size - 1);

	for (; t->size && t->entry[i].slot != NONE; i = (i + 1) & (t->size - 1))
		if (t->entry[i].slot == head) {
			t->entry[i].slot = TOMB;
			atomic_fetch_sub(&ix->heads, 1);
			return;
		}
}

/**
 * vdfs_twin_note() - count a vector of an index without a graph
 * @ix: Where, codes are not learnt; the caller holds @writers or is alone.
 * @slot: Filled.
 */
void vdfs_twin_note(struct vdfs_index *ix, uint32_t slot)
{
	uint32_t hash = hash_of(ix, slot);

	pthread_mutex_lock(&ix->grow);
	if (!table_find(ix, slot, hash))
		enter(ix, slot, hash);
	pthread_mutex_unlock(&ix->grow);
}

/**
 * vdfs_twin_first() - was no equal vector noted before
 * @ix: Where, codes are not learnt; the caller holds @writers alone.
 * @slot: Given to vdfs_twin_note().
 *
 * Return: True as well where that is not known.
 */
bool vdfs_twin_first(struct vdfs_index *ix, uint32_t slot)
{
	struct vdfs_twin_entry *twin = table_find(ix, slot, hash_of(ix, slot));

	return !twin || twin->slot == slot;
}

/**
 * vdfs_twin_rehash() - enter all heads into the table once more
 * @ix: Where; the caller is the only writer. Either the index was loaded, or
 *      writers compare something else than before.
 * @codes: They compare codes from now on.
 *
 * Heads that have become equal stay two nodes. Without memory the table is
 * empty: what is added is linked, whether it has a twin or not.
 */
void vdfs_twin_rehash(struct vdfs_index *ix, bool codes)
{
	uint32_t slots = atomic_load(&ix->slots);
	struct vdfs_twins *t = &ix->twins;
	size_t heads = 0;
	uint32_t slot;

	for (slot = 0; slot < slots; slot++)
		heads += vdfs_flags(ix, slot) && vdfs_is_head(ix, slot);
	free(t->entry);
	memset(t, 0, sizeof(*t));
	t->codes = codes;
	atomic_store(&ix->heads, heads);
	if (!table_resize(t, heads * 2))
		return;
	for (slot = 0; slot < slots; slot++)
		if (vdfs_flags(ix, slot) && vdfs_is_head(ix, slot))
			table_put(t, slot, hash_of(ix, slot));
}

/* Whether each live vector is a head or hangs from one, once. */
static bool chains_ok(const struct vdfs_index *ix, uint32_t slots,
		      uint64_t *seen)
{
	uint32_t slot, at;

	for (slot = 0; slot < slots; slot++) {
		if (!vdfs_flags(ix, slot) || !vdfs_is_head(ix, slot))
			continue;
		for (at = slot; at != NONE; at = vdfs_next_twin(ix, at)) {
			if (at >= slots || seen[at >> 6] >> (at & 63) & 1 ||
			    vdfs_head(ix, at) != slot)
				return false;
			seen[at >> 6] |= 1ULL << (at & 63);
		}
	}
	for (slot = 0; slot < slots; slot++)
		if (vdfs_flags(ix, slot) == NODE_LIVE &&
		    !(seen[slot >> 6] >> (slot & 63) & 1))
			return false;
	return true;
}

/**
 * vdfs_twin_check() - do chains that were read from a file make sense
 * @ix: Coded, with its nodes.
 * @slots: How many.
 *
 * Return: Whether a walk of them ends and meets every live vector once. False
 * too when there is no memory to look.
 */
bool vdfs_twin_check(const struct vdfs_index *ix, uint32_t slots)
{
	uint64_t *seen = calloc(slots / 64 + 1, sizeof(*seen));
	bool ok = seen && chains_ok(ix, slots, seen);

	free(seen);
	return ok;
}
