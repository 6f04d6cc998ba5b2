// SPDX-License-Identifier: GPL-2.0-only
/*
 * Many vectors of one byte an element: made, compared and added in pieces, so
 * that only the index has to fit in memory.
 */
#include <err.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#define PIECE 250000 /* vectors */
#define QUERIES 200
#define QUERY_FIRST (1ULL << 41)
#define WIDEST 6 /* standard deviations that a byte has room for */

/* Draw rows and make integers of -127..127 of them. */
static void draw(float *rows, uint64_t first, size_t n, size_t dim, float *step)
{
	double sum = 0;
	size_t i;

	bench_clustered_rows(rows, first, n, dim);
	if (*step <= 0) {
		for (i = 0; i < n * dim; i++)
			sum += (double)rows[i] * (double)rows[i];
		*step = 127 / (WIDEST * (float)sqrt(sum / (double)(n * dim)));
	}
	for (i = 0; i < n * dim; i++)
		rows[i] = fminf(fmaxf(rintf(rows[i] * *step), -127), 127);
}

/* Put the nearest of a piece among the nearest of those before. */
static void merge(struct bench_set *set, const uint32_t *ids, const float *near,
		  size_t first)
{
	size_t q, i, at;

	for (q = 0; q < set->queries; q++) {
		uint32_t *have = set->truth + q * BENCH_TRUTH;
		float *dist = set->near + q * BENCH_TRUTH;

		for (i = 0; i < BENCH_TRUTH; i++) {
			float d = near[q * BENCH_TRUTH + i];

			if (d >= dist[BENCH_TRUTH - 1])
				break;
			for (at = BENCH_TRUTH - 1; at && dist[at - 1] > d;
			     at--) {
				dist[at] = dist[at - 1];
				have[at] = have[at - 1];
			}
			dist[at] = d;
			have[at] = ids[q * BENCH_TRUTH + i] + (uint32_t)first;
		}
	}
}

static double put_in(const struct bench_options *opt, struct bench_index *index,
		     const struct bench_set *piece, size_t first)
{
	uint32_t *ids = bench_alloc(piece->n, sizeof(*ids));
	double start;
	size_t i;

	for (i = 0; i < piece->n; i++)
		ids[i] = (uint32_t)(first + i);
	bench_pin(0, opt->build_threads);
	start = bench_now(false);
	if (index->engine->add(index->ix, ids, piece->base, piece->n,
			       opt->build_threads))
		errx(1, "%s cannot add vectors", index->engine->name);
	free(ids);
	return bench_now(false) - start;
}

/* Build @n vectors with the first of the engines, and search them. */
void bench_scale(const struct bench_options *opt, size_t n, size_t dim)
{
	struct bench_set set = { .queries = QUERIES, .dim = dim };
	struct bench_index index = { .engine = opt->engine[0] };
	struct bench_set piece;
	size_t answers = QUERIES * (size_t)BENCH_TRUTH;
	uint32_t *ids = bench_alloc(answers, sizeof(*ids));
	float *near = bench_alloc(answers, sizeof(*near));
	double seconds = 0;
	float step = 0;
	size_t at, rss;

	snprintf(set.name, sizeof(set.name), "scale-%zu", dim);
	set.query = bench_alloc(QUERIES * dim, sizeof(float));
	set.truth = bench_alloc(answers, sizeof(*set.truth));
	set.near = bench_alloc(answers, sizeof(float));
	for (at = 0; at < answers; at++)
		set.near[at] = INFINITY;
	piece = set;
	piece.base = bench_alloc(PIECE * dim, sizeof(float));
	draw(piece.base, 0, PIECE, dim, &step);
	draw(set.query, QUERY_FIRST, QUERIES, dim, &step);
	rss = bench_rss();
	for (at = 0; at < n; at += piece.n) {
		piece.n = n - at < PIECE ? n - at : PIECE;
		draw(piece.base, at, piece.n, dim, &step);
		if (!at)
			index.ix = index.engine->open(index.engine, &piece, n,
						      &opt->how);
		bench_nearest(&piece, NULL, BENCH_TRUTH, ids, near);
		merge(&set, ids, near, at);
		seconds += put_in(opt, &index, &piece, at);
		fprintf(stderr, "%s: %zu of %zu in %.0f s\n", set.name,
			at + piece.n, n, seconds);
	}
	set.n = n;
	fprintf(opt->out, "set %s %zu %zu %zu l2 %.1f\n", set.name, set.n,
		set.queries, set.dim, bench_dimension(&set));
	fprintf(opt->out, "build %s %s %u %zu %.3f %.0f %.1f\n", set.name,
		index.engine->name, opt->build_threads, n, seconds,
		(double)n / seconds, (double)(bench_rss() - rss) / (double)n);
	bench_curves(opt, &set, &index);
	index.engine->close(index.ix);
	free(piece.base);
	free(ids);
	free(near);
	bench_set_free(&set);
}
