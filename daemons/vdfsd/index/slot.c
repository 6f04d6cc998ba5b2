// SPDX-License-Identifier: GPL-2.0-only
/* Slots: taking, filling, finding and giving away. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "graph.h"

static uint64_t mix(uint64_t x)
{
	/* The finalizer of splitmix64. */
	x += 0x9e3779b97f4a7c15ULL;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

/* Geometric, so that each level has 1 / m of the one below. */
static uint8_t level_of(const struct vdfs_index *ix, uint32_t slot)
{
	uint64_t r = mix(((uint64_t)ix->params.seed << 32) ^ slot);
	double u = ((double)(r >> 11) + 1) / 9007199254740993.0;
	double level = -log(u) / log(ix->params.m);

	return level < LEVELS_MAX - 1 ? (uint8_t)level : LEVELS_MAX - 1;
}

static void table_put(struct vdfs_index *ix, uint64_t id, uint32_t slot)
{
	size_t i = mix(id) & (ix->table_size - 1);

	while (ix->table[i] != NONE)
		i = (i + 1) & (ix->table_size - 1);
	ix->table[i] = slot;
	ix->table_used++;
}

/**
 * vdfs_slot_rehash() - make the table of ids large enough, and clean
 * @ix: The caller holds @grow or is alone.
 * @room: Ids that shall fit.
 *
 * Return: 0, or -ENOMEM with the table as it was.
 */
int vdfs_slot_rehash(struct vdfs_index *ix, size_t room)
{
	size_t size = 64;
	uint32_t *table;
	uint32_t slot;

	while (size < room * 2)
		size *= 2;
	table = malloc(size * sizeof(*table));
	if (!table)
		return -ENOMEM;
	memset(table, 0xff, size * sizeof(*table));
	free(ix->table);
	ix->table = table;
	ix->table_size = size;
	ix->table_used = 0;
	for (slot = 0; slot < atomic_load(&ix->slots); slot++)
		if (vdfs_flags(ix, slot) == NODE_LIVE ||
		    vdfs_flags(ix, slot) == NODE_TAKEN)
			table_put(ix, vdfs_node(ix, slot)->id, slot);
	return 0;
}

/**
 * vdfs_slot_find() - the slot of a live vector
 * @ix: The caller holds @grow.
 * @id: Number of the vector.
 *
 * Return: NONE when there is none.
 */
uint32_t vdfs_slot_find(struct vdfs_index *ix, uint64_t id)
{
	size_t i = mix(id) & (ix->table_size - 1);
	uint32_t slot;

	while ((slot = ix->table[i]) != NONE) {
		/* An entry may be left from a vector that is gone. */
		if (vdfs_node(ix, slot)->id == id &&
		    vdfs_flags(ix, slot) == NODE_LIVE)
			return slot;
		i = (i + 1) & (ix->table_size - 1);
	}
	return NONE;
}

static int grow_to(struct vdfs_index *ix, uint32_t slots, uint32_t uppers)
{
	size_t n = slots;
	int ret = 0;

	if (ix->row_bytes)
		ret = vdfs_arena_grow(&ix->rows, n * ix->row_bytes);
	if (!ret && ix->bits)
		ret = vdfs_arena_grow(&ix->codes, n * ix->code_stride);
	if (!ret)
		ret = vdfs_arena_grow(&ix->edges,
				      n * ix->m2 * sizeof(uint32_t));
	if (!ret)
		ret = vdfs_arena_grow(&ix->upper, (size_t)uppers *
							  ix->params.m *
							  sizeof(uint32_t));
	if (!ret)
		ret = vdfs_arena_grow(&ix->nodes, n * sizeof(struct vdfs_node));
	return ret;
}

static int new_slot(struct vdfs_index *ix, uint32_t *out)
{
	uint32_t slot = atomic_load(&ix->slots);
	uint8_t level = level_of(ix, slot);
	struct vdfs_node *node;
	int ret;

	if (slot >= ix->params.capacity)
		return -ENOSPC;
	ret = grow_to(ix, slot + 1, ix->uppers + level);
	if (ret)
		return ret;
	node = vdfs_node(ix, slot);
	node->level = level;
	node->upper = ix->uppers;
	ix->uppers += level;
	*out = slot;
	return 0;
}

/**
 * vdfs_slot_take() - a slot for a new vector
 * @ix: Where.
 * @id: Its id.
 * @slot: Out; nobody else knows it yet, its edges are none.
 *
 * Return: 0, -ENOSPC when the index is full, or -ENOMEM.
 */
int vdfs_slot_take(struct vdfs_index *ix, uint64_t id, uint32_t *slot)
{
	uint32_t level;
	int ret = 0;

	pthread_mutex_lock(&ix->grow);
	if ((ix->table_used + 1) * 10 > ix->table_size * 7)
		ret = vdfs_slot_rehash(ix, atomic_load(&ix->live) * 2 + 64);
	if (!ret && ix->free_n)
		*slot = ix->free_slots[--ix->free_n];
	else if (!ret)
		ret = new_slot(ix, slot);
	if (ret)
		goto out;
	vdfs_node(ix, *slot)->id = id;
	atomic_store(&vdfs_node(ix, *slot)->flags, NODE_TAKEN);
	atomic_store(&vdfs_node(ix, *slot)->mixed, 0);
	vdfs_node(ix, *slot)->joins = 0;
	atomic_store(&vdfs_node(ix, *slot)->head, NONE);
	atomic_store(&vdfs_node(ix, *slot)->next, NONE);
	for (level = 0; level <= vdfs_node(ix, *slot)->level; level++)
		vdfs_edges_set(ix, *slot, level, NULL, 0);
	table_put(ix, id, *slot);
	if (*slot == atomic_load(&ix->slots))
		atomic_store(&ix->slots, *slot + 1);
out:
	pthread_mutex_unlock(&ix->grow);
	return ret;
}

/**
 * vdfs_slot_release() - give slots away
 * @ix: Where; no edge leads to them, no search knows them.
 * @slots: shape [n].
 * @n: How many. Those there is no memory to remember stay unused.
 */
void vdfs_slot_release(struct vdfs_index *ix, const uint32_t *slots, size_t n)
{
	size_t i;

	pthread_mutex_lock(&ix->grow);
	if (ix->free_n + n > ix->free_cap) {
		size_t cap = ix->free_n + n;
		uint32_t *more = realloc(ix->free_slots, cap * sizeof(*more));

		if (more) {
			ix->free_slots = more;
			ix->free_cap = cap;
		}
	}
	for (i = 0; i < n; i++) {
		atomic_store(&vdfs_node(ix, slots[i])->flags, 0);
		if (ix->free_n < ix->free_cap)
			ix->free_slots[ix->free_n++] = slots[i];
	}
	if (n)
		atomic_fetch_add(&ix->released, 1);
	pthread_mutex_unlock(&ix->grow);
}

/* By the bits of the exponent, without a branch for each. */
static bool all_finite(const float *vector, size_t n)
{
	uint32_t bits, bad = 0;
	size_t d;

	for (d = 0; d < n; d++) {
		memcpy(&bits, vector + d, sizeof(bits));
		bad |= (bits & 0x7f800000) == 0x7f800000;
	}
	return !bad;
}

/**
 * vdfs_slot_prepare() - check a vector and make a probe of it
 * @ix: Where.
 * @s: Its @probe is set.
 * @vector: f32, shape [dim].
 *
 * Return: 0, or -EINVAL for a NaN or an infinity, a zero vector under
 * VDFS_COSINE, what is no integer of 8 bits under VDFS_I8, or too large
 * under VDFS_F16.
 */
int vdfs_slot_prepare(struct vdfs_index *ix, struct vdfs_scratch *s,
		      const float *vector)
{
	struct vdfs_probe *probe = &s->probe;
	bool ints = ix->params.type == VDFS_I8;
	bool half = ix->params.type == VDFS_F16;
	double norm = 0;
	size_t d;

	memcpy(probe->f32, vector, ix->params.dim * sizeof(*vector));
	if (!all_finite(vector, ix->params.dim))
		return -EINVAL;
	for (d = 0; ints && d < ix->params.dim; d++)
		if (vector[d] < -128 || vector[d] > 127 ||
		    vector[d] != rintf(vector[d]))
			return -EINVAL;
	/* Halfway to what would be the next number rounds up. */
	for (d = 0; half && d < ix->params.dim; d++)
		if (fabsf(vector[d]) >= 65520)
			return -EINVAL;
	if (ix->params.metric == VDFS_COSINE) {
		for (d = 0; d < ix->params.dim; d++)
			norm += (double)vector[d] * vector[d];
		if (norm == 0)
			return -EINVAL;
		norm = 1 / sqrt(norm);
		for (d = 0; d < ix->params.dim && !ints; d++)
			probe->f32[d] = (float)(vector[d] * norm);
	}
	if (s->codes && atomic_load(&ix->coded))
		vdfs_quant_probe(ix, probe);
	return 0;
}

/**
 * vdfs_slot_fill() - write a vector's rows
 * @ix: Where.
 * @probe: From vdfs_slot_prepare().
 * @slot: From vdfs_slot_take().
 */
void vdfs_slot_fill(struct vdfs_index *ix, const struct vdfs_probe *probe,
		    uint32_t slot)
{
	if (ix->row_bytes)
		vdfs_row_put(ix, slot, probe->f32);
	if (ix->bits && atomic_load(&ix->coded))
		vdfs_quant_encode(ix, probe->f32, vdfs_code(ix, slot));
}
