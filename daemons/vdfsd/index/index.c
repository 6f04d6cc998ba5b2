// SPDX-License-Identifier: GPL-2.0-only
/* An index: making it, adding to it, deleting from it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "graph.h"

/*
 * With fewer vectors, equal ones counted once, the codes are not learnt yet and
 * searches scan. Codes that were learnt from copies of one vector fit no other;
 * but with so many times as many vectors a scan takes too long.
 */
#define TRAIN_TIMES 64

static bool params_ok(const struct vdfs_params *p)
{
	return p->dim >= 1 && p->dim <= VDFS_DIM_MAX &&
	       p->metric <= VDFS_COSINE && p->type <= VDFS_F16 &&
	       p->codes < VDFS_CODES_KINDS && p->m >= 4 && p->m <= 64 &&
	       p->ef_build >= p->m && p->ef_build <= 2000 && p->capacity >= 1 &&
	       p->capacity < CAND_DONE;
}

static size_t round_up(size_t n, size_t to)
{
	return (n + to - 1) / to * to;
}

static void set_layout(struct vdfs_index *ix)
{
	ix->dim_f32 = round_up(ix->params.dim, VDFS_PAD_F32);
	switch (ix->params.type) {
	case VDFS_I8:
		/* It is its own code. */
		ix->params.codes = VDFS_CODES_8;
		break;
	case VDFS_F16:
		ix->row_bytes = ix->dim_f32 * sizeof(uint16_t);
		break;
	default:
		ix->row_bytes = ix->dim_f32 * sizeof(float);
	}
	vdfs_quant_layout(ix, ix->params.codes);
}

static int reserve(struct vdfs_index *ix)
{
	size_t n = ix->params.capacity;
	int ret = 0;

	if (ix->row_bytes)
		ret = vdfs_arena_init(&ix->rows, n * ix->row_bytes);
	if (!ret && vdfs_has_codes(ix))
		ret = vdfs_arena_init(&ix->codes, n * ix->code_stride);
	if (!ret)
		ret = vdfs_arena_init(&ix->edges,
				      n * ix->m2 * sizeof(uint32_t));
	/* A slot has 1 / (m - 1) upper levels on average; be generous. */
	if (!ret)
		ret = vdfs_arena_init(&ix->upper, (n + 1024) * 2 *
							  sizeof(uint32_t) *
							  ix->params.m);
	if (!ret)
		ret = vdfs_arena_init(&ix->nodes, n * sizeof(struct vdfs_node));
	return ret;
}

/**
 * vdfs_index_new() - make an empty index
 * @params: See there.
 * @out: Out, to be given to vdfs_index_free().
 *
 * Return: 0, -EINVAL when a parameter is out of range, or -ENOMEM.
 */
int vdfs_index_new(const struct vdfs_params *params, struct vdfs_index **out)
{
	struct vdfs_index *ix;
	size_t i;

	if (!params_ok(params))
		return -EINVAL;
	ix = calloc(1, sizeof(*ix));
	if (!ix)
		return -ENOMEM;
	ix->params = *params;
	ix->kernel = vdfs_kernel_best();
	ix->m2 = params->m * 2;
	set_layout(ix);
	ix->step = 1;
	ix->coded = params->type == VDFS_I8 || !vdfs_has_codes(ix);
	ix->twins.codes = ix->coded && ix->bits > 1;
	ix->entry = ~0ULL;
	for (i = 0; i < LOCKS; i++)
		atomic_flag_clear(&ix->locks[i]);
	pthread_mutex_init(&ix->grow, NULL);
	pthread_rwlock_init(&ix->writers, NULL);
	pthread_mutex_init(&ix->repairing, NULL);
	pthread_mutex_init(&ix->pool_lock, NULL);
	ix->mean = calloc(params->dim, sizeof(*ix->mean));
	if (!ix->mean || reserve(ix) || vdfs_slot_rehash(ix, 0)) {
		vdfs_index_free(ix);
		return -ENOMEM;
	}
	*out = ix;
	return 0;
}

/**
 * vdfs_index_free() - free an index
 * @ix: That nobody uses any more; NULL is allowed.
 */
void vdfs_index_free(struct vdfs_index *ix)
{
	if (!ix)
		return;
	vdfs_index_rest(ix);
	vdfs_arena_fini(&ix->rows);
	vdfs_arena_fini(&ix->codes);
	vdfs_arena_fini(&ix->edges);
	vdfs_arena_fini(&ix->upper);
	vdfs_arena_fini(&ix->nodes);
	pthread_mutex_destroy(&ix->grow);
	pthread_rwlock_destroy(&ix->writers);
	pthread_mutex_destroy(&ix->repairing);
	pthread_mutex_destroy(&ix->pool_lock);
	free(ix->mean);
	free(ix->table);
	free(ix->twins.entry);
	free(ix->free_slots);
	free(ix);
}

/**
 * vdfs_index_params() - what the index was made with
 * @ix: Which.
 *
 * Return: Valid as long as @ix is.
 */
const struct vdfs_params *vdfs_index_params(const struct vdfs_index *ix)
{
	return &ix->params;
}

/**
 * vdfs_index_stats() - what the index holds
 * @ix: Which.
 * @out: Out.
 */
void vdfs_index_stats(struct vdfs_index *ix, struct vdfs_index_stats *out)
{
	uint64_t entry = atomic_load(&ix->entry);

	pthread_mutex_lock(&ix->grow);
	out->live = atomic_load(&ix->live);
	out->deleted = atomic_load(&ix->deleted);
	out->coded = atomic_load(&ix->coded);
	out->levels = entry == ~0ULL ? 0 : (uint32_t)(entry >> 32) + 1;
	out->bytes = ix->rows.usable + ix->codes.usable + ix->edges.usable +
		     ix->upper.usable + ix->nodes.usable +
		     ix->table_size * sizeof(*ix->table) +
		     ix->twins.size * sizeof(*ix->twins.entry) + sizeof(*ix);
	pthread_mutex_unlock(&ix->grow);
}

/* Make @slot a node of the graph, or hang it from its twin. */
static void place(struct vdfs_index *ix, struct vdfs_scratch *s, uint32_t slot)
{
	bool due = true;
	uint32_t head = vdfs_twin_join(ix, slot, &due);
	uint32_t node = head == NONE ? slot : head;
	uint32_t epoch;

	if (head != NONE)
		vdfs_twin_wait(ix, head);
	if (!due)
		return;
	epoch = vdfs_readers_enter(ix);
	vdfs_link(ix, s, node);
	vdfs_readers_leave(ix, epoch);
	if (head == NONE)
		vdfs_twin_linked(ix, slot);
}

/* Put @slot into the graph, and an older vector of the same id out. */
static void publish(struct vdfs_index *ix, struct vdfs_scratch *s,
		    uint32_t slot)
{
	struct vdfs_node *node = vdfs_node(ix, slot);
	uint32_t old;

	if (atomic_load(&ix->coded))
		place(ix, s, slot);
	else
		vdfs_twin_note(ix, slot);
	pthread_mutex_lock(&ix->grow);
	old = vdfs_slot_find(ix, node->id);
	if (old != NONE) {
		atomic_store(&vdfs_node(ix, old)->flags, NODE_DELETED);
		atomic_fetch_add(&ix->deleted, 1);
		atomic_fetch_sub(&ix->live, 1);
	}
	atomic_store(&node->flags, NODE_LIVE);
	atomic_fetch_add(&ix->live, 1);
	pthread_mutex_unlock(&ix->grow);
}

/* Learn the codes from the vectors so far, and build their graph. */
static int first_codes(struct vdfs_index *ix, struct vdfs_scratch *s)
{
	uint32_t n = atomic_load(&ix->slots);
	size_t dim = ix->params.dim;
	size_t rows_n = 0;
	uint32_t slot;
	float *rows;
	int ret;

	/* A row is written padded, into the place of the next. */
	rows = malloc((atomic_load(&ix->heads) * dim + ix->dim_f32) *
		      sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	for (slot = 0; slot < n && rows_n < atomic_load(&ix->heads); slot++)
		if (vdfs_twin_first(ix, slot))
			vdfs_row_get(ix, slot, rows + rows_n++ * dim);
	ret = vdfs_quant_train(ix, rows, rows_n);
	for (slot = 0; slot < n && !ret; slot++) {
		vdfs_row_get(ix, slot, rows);
		vdfs_quant_encode(ix, rows, vdfs_code(ix, slot));
	}
	free(rows);
	if (ret)
		return ret;
	vdfs_twin_rehash(ix, ix->bits > 1);
	for (slot = 0; slot < n; slot++) {
		if (vdfs_flags(ix, slot) != NODE_LIVE)
			continue;
		vdfs_look_from(ix, s, slot);
		place(ix, s, slot);
	}
	/* Subsets do not know the heads of what was no node before. */
	atomic_fetch_add(&ix->released, 1);
	atomic_store(&ix->coded, true);
	return 0;
}

static int add_locked(struct vdfs_index *ix, struct vdfs_scratch *s,
		      uint64_t id, const float *vector)
{
	uint32_t slot;
	int ret;

	ret = vdfs_slot_prepare(ix, s, vector);
	if (ret)
		return ret;
	ret = vdfs_slot_take(ix, id, &slot);
	if (ret)
		return ret;
	vdfs_slot_fill(ix, &s->probe, slot);
	if (atomic_load(&ix->coded))
		vdfs_look_from(ix, s, slot);
	publish(ix, s, slot);
	return 0;
}

static bool is_ripe(struct vdfs_index *ix)
{
	uint64_t live = atomic_load(&ix->live);

	return !atomic_load(&ix->coded) && live >= VDFS_TRAIN_MIN &&
	       (atomic_load(&ix->heads) >= VDFS_TRAIN_MIN ||
		live >= VDFS_TRAIN_MIN * TRAIN_TIMES);
}

static int maybe_train(struct vdfs_index *ix, struct vdfs_scratch *s)
{
	int ret = 0;

	if (!is_ripe(ix))
		return 0;
	pthread_rwlock_wrlock(&ix->writers);
	if (is_ripe(ix))
		ret = first_codes(ix, s);
	pthread_rwlock_unlock(&ix->writers);
	return ret;
}

/**
 * vdfs_index_add() - add a vector, or replace one
 * @ix: Where.
 * @id: Its id; an older vector of that id is deleted.
 * @vector: f32, shape [dim].
 *
 * Return: 0; -EINVAL for a NaN, an infinity, a zero vector under
 * VDFS_COSINE, no small integer under VDFS_I8, or what VDFS_F16 cannot hold;
 * -ENOSPC when the capacity is reached; -ENOMEM.
 */
int vdfs_index_add(struct vdfs_index *ix, uint64_t id, const float *vector)
{
	struct vdfs_scratch *s;
	int ret;

	s = vdfs_scratch_get(ix, ix->params.ef_build);
	if (!s)
		return -ENOMEM;
	pthread_rwlock_rdlock(&ix->writers);
	vdfs_scratch_writes(ix, s);
	ret = add_locked(ix, s, id, vector);
	pthread_rwlock_unlock(&ix->writers);
	if (!ret)
		ret = maybe_train(ix, s);
	vdfs_scratch_put(ix, s);
	return ret;
}

/**
 * vdfs_index_delete() - delete a vector
 * @ix: Where.
 * @id: Number of the vector. No search that begins after the return finds it.
 *
 * Return: 0, or -ENOENT.
 */
int vdfs_index_delete(struct vdfs_index *ix, uint64_t id)
{
	uint32_t slot;

	pthread_mutex_lock(&ix->grow);
	slot = vdfs_slot_find(ix, id);
	if (slot != NONE) {
		atomic_store(&vdfs_node(ix, slot)->flags, NODE_DELETED);
		atomic_fetch_sub(&ix->live, 1);
		atomic_fetch_add(&ix->deleted, 1);
	}
	pthread_mutex_unlock(&ix->grow);
	return slot == NONE ? -ENOENT : 0;
}

/**
 * vdfs_index_has() - is there a vector of that id
 * @ix: Where.
 * @id: Number of a vector.
 *
 * Return: Whether a search could return it.
 */
bool vdfs_index_has(struct vdfs_index *ix, uint64_t id)
{
	bool has;

	pthread_mutex_lock(&ix->grow);
	has = vdfs_slot_find(ix, id) != NONE;
	pthread_mutex_unlock(&ix->grow);
	return has;
}

/* The row is padded, @vector need not be. */
static void get_f16(const struct vdfs_index *ix, uint32_t slot, float *vector)
{
	float row[VDFS_DIM_MAX];

	vdfs_row_get(ix, slot, row);
	memcpy(vector, row, ix->params.dim * sizeof(*row));
}

/**
 * vdfs_index_get() - read a vector back
 * @ix: Where.
 * @id: Number of the vector.
 * @vector: Out, f32, shape [dim]; of length 1 under VDFS_COSINE, unless the
 *          type is VDFS_I8.
 *
 * Return: 0, or -ENOENT.
 */
int vdfs_index_get(struct vdfs_index *ix, uint64_t id, float *vector)
{
	uint32_t slot;
	size_t d;

	pthread_mutex_lock(&ix->grow);
	slot = vdfs_slot_find(ix, id);
	if (slot != NONE && ix->params.type == VDFS_F32)
		memcpy(vector, vdfs_row(ix, slot),
		       ix->params.dim * sizeof(*vector));
	else if (slot != NONE && ix->params.type == VDFS_F16)
		get_f16(ix, slot, vector);
	else if (slot != NONE)
		for (d = 0; d < ix->params.dim; d++)
			vector[d] = (float)vdfs_code(ix, slot)[d] - 128;
	pthread_mutex_unlock(&ix->grow);
	return slot == NONE ? -ENOENT : 0;
}
