// SPDX-License-Identifier: GPL-2.0-only
/*
 * The true neighbours, by looking at all vectors with a few lines of C that
 * no engine shares. They are kept in a file named after what they belong to.
 */
#include <err.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "bench.h"

#define LANES 16
#define BLOCK 256 /* vectors that stay in the cache for all queries */
#define SAME 1.000001f /* as near as, for sums rounded in another order */

/* Squared, always summed in the same order. */
float bench_distance(const float *a, const float *b, size_t dim)
{
	float sum[LANES] = { 0 };
	float all = 0;
	size_t i, l;

	for (i = 0; i + LANES <= dim; i += LANES) {
		for (l = 0; l < LANES; l++) {
			float d = a[i + l] - b[i + l];

			sum[l] += d * d;
		}
	}
	for (l = 0; i + l < dim; l++)
		sum[l] += (a[i + l] - b[i + l]) * (a[i + l] - b[i + l]);
	for (l = 0; l < LANES; l++)
		all += sum[l];
	return all;
}

struct scan {
	const struct bench_set *set;
	const struct bench_filter *filter;
	size_t k;
	uint32_t *ids;
	float *dist;
};

/* Nearest first; equal ones by id, which come in ascending order. */
static void insert(float *dist, uint32_t *ids, size_t k, float d, uint32_t id)
{
	size_t at = k - 1;

	while (at && dist[at - 1] > d) {
		dist[at] = dist[at - 1];
		ids[at] = ids[at - 1];
		at--;
	}
	dist[at] = d;
	ids[at] = id;
}

static void scan(void *arg, size_t from, size_t to)
{
	struct scan *s = arg;
	const struct bench_set *set = s->set;
	size_t n = s->filter ? s->filter->n : set->n;
	size_t block, q, i;

	for (i = from * s->k; i < to * s->k; i++) {
		s->dist[i] = INFINITY;
		s->ids[i] = UINT32_MAX;
	}
	for (block = 0; block < n; block += BLOCK) {
		for (q = from; q < to; q++) {
			const float *query = set->query + q * set->dim;
			float *dist = s->dist + q * s->k;

			for (i = block; i < n && i < block + BLOCK; i++) {
				size_t id = s->filter ? s->filter->ids[i] : i;
				float d = bench_distance(
					query, set->base + id * set->dim,
					set->dim);

				if (d < dist[s->k - 1])
					insert(dist, s->ids + q * s->k, s->k, d,
					       (uint32_t)id);
			}
		}
	}
}

/* The @k nearest of each query: shape [queries][k]. */
void bench_nearest(const struct bench_set *set,
		   const struct bench_filter *filter, size_t k, uint32_t *ids,
		   float *dist)
{
	struct scan s = { set, filter, k, ids, dist };
	unsigned int threads = (unsigned int)sysconf(_SC_NPROCESSORS_ONLN);

	bench_parallel(threads, set->queries, 64, scan, &s);
}

static uint32_t checksum(const void *data, size_t len, uint32_t sum)
{
	return (uint32_t)crc32_z(sum, data, len);
}

static bool from_file(struct bench_set *set, const char *path)
{
	size_t n = set->queries * BENCH_TRUTH;
	FILE *f = fopen(path, "r");
	bool ok;

	if (!f)
		return false;
	ok = fread(set->truth, sizeof(*set->truth), n, f) == n &&
	     fread(set->near, sizeof(*set->near), n, f) == n;
	fclose(f);
	return ok;
}

static void to_file(const struct bench_set *set, const char *path)
{
	size_t n = set->queries * BENCH_TRUTH;
	FILE *f = fopen(path, "w");

	if (!f || fwrite(set->truth, sizeof(*set->truth), n, f) != n ||
	    fwrite(set->near, sizeof(*set->near), n, f) != n)
		warn("cannot keep the true answers in %s", path);
	if (f)
		fclose(f);
}

/* Find out, or look up in the folder @cache, what the answers are. */
void bench_truth(struct bench_set *set, const char *cache)
{
	char path[512];
	uint32_t sum;

	set->truth = bench_alloc(set->queries * BENCH_TRUTH, 4);
	set->near = bench_alloc(set->queries * BENCH_TRUTH, sizeof(float));
	sum = checksum(set->base, set->n * set->dim * sizeof(float), 0);
	sum = checksum(set->query, set->queries * set->dim * sizeof(float),
		       sum);
	snprintf(path, sizeof(path), "%s/%s-%zu-%zu-%08x.truth", cache,
		 set->name, set->n, set->queries, sum);
	if (from_file(set, path))
		return;
	fprintf(stderr, "%s: finding the true neighbours of %zu queries\n",
		set->name, set->queries);
	bench_nearest(set, NULL, BENCH_TRUTH, set->truth, set->near);
	to_file(set, path);
}

/*
 * How many dimensions the data has where a query looks: the maximum likelihood
 * estimate of Levina and Bickel from the distances of the true neighbours.
 */
double bench_dimension(const struct bench_set *set)
{
	double sum = 0;
	size_t terms = 0;
	size_t q, i;

	for (q = 0; q < set->queries; q++) {
		const float *near = set->near + q * BENCH_TRUTH;
		float last = near[BENCH_TRUTH - 1];

		for (i = 0; i + 1 < BENCH_TRUTH; i++) {
			if (near[i] <= 0 || !(last < INFINITY))
				continue;
			/* Half, as these are squares. */
			sum += log((double)last / (double)near[i]) / 2;
			terms++;
		}
	}
	return sum > 0 ? (double)terms / sum : 0;
}

static bool is_near(const struct bench_set *set, size_t q, uint32_t id,
		    const uint32_t *truth, const float *near, size_t stride,
		    float far)
{
	size_t i;

	if (id >= set->n)
		return false;
	if (set->base)
		return bench_distance(set->query + q * set->dim,
				      set->base + id * set->dim,
				      set->dim) <= far;
	for (i = 0; i < stride && near[q * stride + i] <= far; i++)
		if (truth[q * stride + i] == id)
			return true;
	return false;
}

/*
 * Share of the BENCH_K nearest that are among the answers: those as near as
 * the last true one count. @near has @stride distances a query.
 */
double bench_recall(const struct bench_set *set, const uint32_t *ids,
		    const uint32_t *truth, const float *near, size_t stride)
{
	size_t hit = 0;
	size_t all = 0;
	size_t q, i;

	for (q = 0; q < set->queries; q++) {
		size_t have = 0;
		float far;

		while (have < BENCH_K && truth[q * stride + have] != UINT32_MAX)
			have++;
		if (!have)
			continue;
		far = near[q * stride + have - 1] * SAME;
		for (i = 0; i < BENCH_K; i++)
			hit += is_near(set, q, ids[q * BENCH_K + i], truth,
				       near, stride, far);
		all += have;
	}
	return all ? (double)hit / (double)all : 1;
}
