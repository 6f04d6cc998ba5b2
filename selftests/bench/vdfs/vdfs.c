// SPDX-License-Identifier: GPL-2.0-only
/* Our own engine, once for each way it can keep vectors. */
#include <err.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "daemons/vdfsd/index/index.h"

/**
 * struct ours - an index and how integers are made of what it is given
 * @ix: The index.
 * @dim: Elements.
 * @scale: 0 where it takes vectors as they are.
 * @offset: Taken away before.
 */
struct ours {
	struct vdfs_index *ix;
	size_t dim;
	float scale;
	float offset;
};

/* Integers of 8 bits stay; of others such are made that use the range. */
static void learn_range(struct ours *o, const struct bench_set *set)
{
	bool whole = true;
	float low = INFINITY;
	float high = -INFINITY;
	size_t i;

	for (i = 0; i < set->n * set->dim; i++) {
		float x = set->base[i];

		low = fminf(low, x);
		high = fmaxf(high, x);
		whole = whole && x == rintf(x);
	}
	o->scale = 1;
	if (whole && low >= -128 && high <= 127)
		return;
	o->offset = whole && low >= 0 && high <= 255 ? 128 : (low + high) / 2;
	if (!whole || high > 255 || low < 0)
		o->scale = high > low ? 254 / (high - low) : 1;
}

static void convert(const struct ours *o, float *to, const float *from,
		    size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		to[i] = rintf((from[i] - o->offset) * o->scale);
}

static void *ours_open(const struct bench_engine *self,
		       const struct bench_set *set, size_t capacity,
		       const struct bench_how *how)
{
	struct ours *o = bench_alloc(1, sizeof(*o));
	struct vdfs_params params = {
		.dim = (uint32_t)set->dim,
		.metric = set->cosine ? VDFS_COSINE : VDFS_L2,
		.type = (uint32_t)self->variant[0],
		.codes = (uint32_t)self->variant[1],
		.m = how->m,
		.ef_build = how->ef_build,
		.capacity = (uint32_t)capacity,
		.seed = 1,
	};
	int ret;

	o->dim = set->dim;
	if (params.type == VDFS_I8) {
		params.metric = VDFS_L2;
		learn_range(o, set);
	}
	ret = vdfs_index_new(&params, &o->ix);
	if (ret)
		errx(1, "%s: vdfs_index_new: %s", self->name, strerror(-ret));
	return o;
}

static void ours_close(void *ix)
{
	struct ours *o = ix;

	vdfs_index_free(o->ix);
	free(o);
}

static int ours_add(void *ix, const uint32_t *ids, const float *rows, size_t n,
		    unsigned int threads)
{
	struct ours *o = ix;
	uint64_t *wide = bench_alloc(n, sizeof(*wide));
	float *made = NULL;
	size_t i;
	int ret;

	for (i = 0; i < n; i++)
		wide[i] = ids[i];
	if (o->scale > 0) {
		made = bench_alloc(n * o->dim, sizeof(*made));
		convert(o, made, rows, n * o->dim);
	}
	ret = vdfs_index_build(o->ix, wide, made ? made : rows, n, threads,
			       NULL, NULL);
	free(made);
	free(wide);
	if (ret)
		warnx("vdfs_index_build: %s", strerror(-ret));
	return ret ? -1 : 0;
}

static int ask(struct ours *o, const struct bench_ask *ask, bool scan,
	       uint32_t *ids)
{
	struct vdfs_query query = {
		.vector = ask->query,
		.k = ask->k,
		.ef = ask->ef,
		.rerank = ask->rerank,
		.subset = ask->filter,
	};
	float made[o->scale > 0 ? o->dim : 1];
	uint64_t wide[ask->k];
	float dist[ask->k];
	int i, got;

	if (o->scale > 0) {
		convert(o, made, ask->query, o->dim);
		query.vector = made;
	}
	got = scan ? vdfs_index_scan(o->ix, &query, wide, dist) :
		     vdfs_index_search(o->ix, &query, wide, dist);
	for (i = 0; i < got; i++)
		ids[i] = (uint32_t)wide[i];
	return got;
}

static int ours_search(void *ix, const struct bench_ask *one, uint32_t *ids)
{
	return ask(ix, one, false, ids);
}

static int ours_scan(void *ix, const struct bench_ask *one, uint32_t *ids)
{
	return ask(ix, one, true, ids);
}

static void *ours_limit(void *ix, const struct bench_filter *filter)
{
	struct ours *o = ix;
	uint64_t *wide = bench_alloc(filter->n, sizeof(*wide));
	struct vdfs_subset *subset;
	size_t i;

	for (i = 0; i < filter->n; i++)
		wide[i] = filter->ids[i];
	if (vdfs_subset_new(o->ix, wide, filter->n, &subset))
		errx(1, "no memory for a subset");
	free(wide);
	return subset;
}

static void ours_unlimit(void *filter)
{
	vdfs_subset_free(filter);
}

static int ours_remove(void *ix, uint32_t id)
{
	struct ours *o = ix;

	return vdfs_index_delete(o->ix, id) ? -1 : 0;
}

static int ours_repair(void *ix)
{
	struct ours *o = ix;

	return vdfs_index_repair(o->ix, NULL, NULL) ? -1 : 0;
}

#define OURS(_name, _type, _codes)            \
	{                                     \
		.name = _name,                \
		.variant = { _type, _codes }, \
		.open = ours_open,            \
		.close = ours_close,          \
		.add = ours_add,              \
		.search = ours_search,        \
		.limit = ours_limit,          \
		.unlimit = ours_unlimit,      \
		.scan = ours_scan,            \
		.remove = ours_remove,        \
		.repair = ours_repair,        \
	}

const struct bench_engine bench_vdfs[] = {
	OURS("vdfs", VDFS_F32, VDFS_CODES_NONE),
	OURS("vdfs-8", VDFS_F32, VDFS_CODES_8),
	OURS("vdfs-4", VDFS_F32, VDFS_CODES_4),
	OURS("vdfs-3", VDFS_F32, VDFS_CODES_3),
	OURS("vdfs-2", VDFS_F32, VDFS_CODES_2),
	OURS("vdfs-1", VDFS_F32, VDFS_CODES_1),
	OURS("vdfs-f16", VDFS_F16, VDFS_CODES_NONE),
	OURS("vdfs-i8", VDFS_I8, VDFS_CODES_NONE),
	{ .name = NULL },
};
