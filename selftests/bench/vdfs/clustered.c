// SPDX-License-Identifier: GPL-2.0-only
/*
 * Vectors that lie the way embeddings do: a thousand clusters of unequal size
 * and width, whose centres share some directions, each stretched
 * along directions of its own, with a little noise in all. Every row depends
 * on its number alone, so any part can be made at any time.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

#define CLUSTERS 1000
#define SHARED 48 /* directions that the centres differ in */
#define OWN 48 /* directions of one cluster */
#define DECAY 0.98f /* of the width from one direction to the next */
#define NOISE 0.3f
#define QUERY_FIRST (1ULL << 40) /* queries are rows too far off to be base */

struct mixture {
	size_t dim;
	float *centre; /* shape [CLUSTERS][dim] */
	float *axis; /* shape [CLUSTERS][OWN][dim] */
	uint64_t *ends; /* shape [CLUSTERS]: share of all, added up */
};

/* Near enough to a normal deviate: four uniform ones out of one number. */
static float deviate(uint64_t *state)
{
	uint64_t r = bench_random(state);
	uint32_t sum = (uint32_t)(r & 0xffff) + (uint32_t)(r >> 16 & 0xffff) +
		       (uint32_t)(r >> 32 & 0xffff) + (uint32_t)(r >> 48);

	return ((float)sum - 131070) * (1.7320508f / 65536);
}

static void draw_axes(struct mixture *mix, float *axis, size_t n, float width,
		      uint64_t *state)
{
	float length = width / sqrtf((float)mix->dim);
	size_t i, d;

	for (i = 0; i < n; i++) {
		for (d = 0; d < mix->dim; d++)
			axis[i * mix->dim + d] = length * deviate(state);
		length *= DECAY;
	}
}

static void add_along(float *row, const float *axis, size_t n, size_t dim,
		      uint64_t *state)
{
	size_t i, d;

	for (i = 0; i < n; i++) {
		float far = deviate(state);

		for (d = 0; d < dim; d++)
			row[d] += far * axis[i * dim + d];
	}
}

static struct mixture *mixture_new(size_t dim)
{
	struct mixture *mix = bench_alloc(1, sizeof(*mix));
	float *shared = bench_alloc(SHARED * dim, sizeof(float));
	uint64_t state = 20130611;
	double share[CLUSTERS];
	double all = 0;
	double sum = 0;
	size_t c;

	mix->dim = dim;
	mix->centre = bench_alloc(CLUSTERS * dim, sizeof(float));
	mix->axis = bench_alloc(CLUSTERS * OWN * dim, sizeof(float));
	mix->ends = bench_alloc(CLUSTERS, sizeof(*mix->ends));
	draw_axes(mix, shared, SHARED, 1, &state);
	for (c = 0; c < CLUSTERS; c++) {
		float width = 1.2f + 0.1f * fabsf(deviate(&state));

		add_along(mix->centre + c * dim, shared, SHARED, dim, &state);
		draw_axes(mix, mix->axis + c * OWN * dim, OWN, width, &state);
		share[c] = 1 / sqrt((double)(c + 20));
		all += share[c];
	}
	for (c = 0; c < CLUSTERS; c++) {
		sum += share[c] / all;
		mix->ends[c] = c + 1 < CLUSTERS ?
				       (uint64_t)(sum * 4294967296.0) :
				       1ULL << 32;
	}
	free(shared);
	return mix;
}

static void mixture_free(struct mixture *mix)
{
	free(mix->centre);
	free(mix->axis);
	free(mix->ends);
	free(mix);
}

static void draw_row(const struct mixture *mix, uint64_t number, float *row)
{
	uint64_t state = number * 0xd1342543de82ef95ULL + 7;
	uint64_t pick = bench_random(&state) >> 32;
	size_t low = 0;
	size_t high = CLUSTERS - 1;
	size_t d;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (mix->ends[mid] > pick)
			high = mid;
		else
			low = mid + 1;
	}
	memcpy(row, mix->centre + low * mix->dim, mix->dim * sizeof(*row));
	add_along(row, mix->axis + low * OWN * mix->dim, OWN, mix->dim, &state);
	for (d = 0; d < mix->dim; d++)
		row[d] += NOISE / sqrtf((float)mix->dim) * deviate(&state);
}

struct rows {
	const struct mixture *mix;
	uint64_t first;
	float *rows;
};

static void draw_rows(void *arg, size_t from, size_t to)
{
	struct rows *r = arg;
	size_t i;

	for (i = from; i < to; i++)
		draw_row(r->mix, r->first + i, r->rows + i * r->mix->dim);
}

/* Rows @first to @first + @n - 1 of this endless set. */
void bench_clustered_rows(float *rows, uint64_t first, size_t n, size_t dim)
{
	struct mixture *mix = mixture_new(dim);
	struct rows r = { mix, first, rows };
	unsigned int threads = (unsigned int)sysconf(_SC_NPROCESSORS_ONLN);

	bench_parallel(threads, n, 1000, draw_rows, &r);
	mixture_free(mix);
}

void bench_set_clustered(struct bench_set *set, size_t n, size_t dim,
			 size_t queries)
{
	snprintf(set->name, sizeof(set->name), "clustered-%zu", dim);
	set->n = n;
	set->dim = dim;
	set->queries = queries;
	set->base = bench_alloc(n * dim, sizeof(float));
	set->query = bench_alloc(queries * dim, sizeof(float));
	bench_clustered_rows(set->base, 0, n, dim);
	bench_clustered_rows(set->query, QUERY_FIRST, queries, dim);
}
