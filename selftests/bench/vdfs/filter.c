// SPDX-License-Identifier: GPL-2.0-only
/*
 * Searches among some of the vectors: a share of them drawn at random, or
 * those nearest to one place, so that most queries come from elsewhere. Each
 * engine with its own filter; by looking at all that match; and by asking for
 * so many that enough of them match.
 */
#include <err.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#define QUERIES 100
#define POST_MAX 10000 /* asked for at most, to filter them afterwards */

#define PERCENTS 3
#define EFS 6

static const unsigned int percents[PERCENTS] = { 1, 10, 50 };
static const unsigned int efs[EFS] = { 10, 20, 50, 100, 200, 400 };

enum method { INSIDE, SCAN, AFTER, METHODS };

static const char *const method_name[] = { "inside", "scan", "after" };

struct row {
	double seconds;
	double recall;
};

struct trial {
	const struct bench_options *opt;
	const struct bench_set *set;
	const struct bench_filter *filter;
	const struct bench_index *index;
	uint32_t *truth; /* shape [queries][BENCH_K] */
	float *near;
	uint32_t *ids; /* shape [queries][BENCH_K] */
};

static int by_value(const void *a, const void *b)
{
	float x = *(const float *)a;
	float y = *(const float *)b;

	return (x > y) - (x < y);
}

/* The distance within which @n vectors lie of vector @from. */
static float *around(const struct bench_set *set, size_t from, size_t n,
		     float *limit)
{
	float *dist = bench_alloc(set->n, sizeof(*dist));
	float *sorted = bench_alloc(set->n, sizeof(*sorted));
	size_t i;

	for (i = 0; i < set->n; i++)
		dist[i] = bench_distance(set->base + i * set->dim,
					 set->base + from * set->dim, set->dim);
	memcpy(sorted, dist, set->n * sizeof(*dist));
	qsort(sorted, set->n, sizeof(*sorted), by_value);
	*limit = sorted[n];
	free(sorted);
	return dist;
}

static void make_filter(const struct bench_set *set, unsigned int percent,
			bool near, struct bench_filter *f)
{
	size_t want = set->n * percent / 100;
	uint64_t state = percent;
	float limit = 0;
	float *dist = near ? around(set, set->n / 3, want, &limit) : NULL;
	size_t i;

	f->n = 0;
	f->bits = bench_alloc(set->n / 64 + 1, sizeof(*f->bits));
	f->ids = bench_alloc(set->n, sizeof(*f->ids));
	for (i = 0; i < set->n; i++) {
		bool in = near ? dist[i] < limit :
				 bench_random(&state) % 100 < percent;

		if (!in)
			continue;
		f->bits[i >> 6] |= 1ULL << (i & 63);
		f->ids[f->n++] = (uint32_t)i;
	}
	free(dist);
}

static bool matches(const struct bench_filter *f, uint32_t id)
{
	return f->bits[id >> 6] >> (id & 63) & 1;
}

/* Ask for more and more until enough of the answers match. */
static int search_after(const struct trial *t, struct bench_ask *ask,
			uint32_t *ids)
{
	static __thread uint32_t many[POST_MAX];
	size_t most = t->set->n < POST_MAX ? t->set->n : POST_MAX;
	size_t want = 2 * BENCH_K * t->set->n / t->filter->n;
	int i, got;
	int kept = 0;

	for (;; want *= 4) {
		ask->k = (uint32_t)(want < most ? want : most);
		ask->ef = ask->k;
		got = t->index->engine->search(t->index->ix, ask, many);
		kept = 0;
		for (i = 0; i < got && kept < BENCH_K; i++)
			if (matches(t->filter, many[i]))
				ids[kept++] = many[i];
		if (kept == BENCH_K || ask->k == most)
			return kept;
	}
}

static void run(const struct trial *t, enum method how, unsigned int ef,
		void *limit, struct row *best)
{
	const struct bench_engine *engine = t->index->engine;
	double start = bench_now(t->opt->cpu_clock);
	double took;
	size_t q;

	for (q = 0; q < t->set->queries; q++) {
		uint32_t *ids = t->ids + q * BENCH_K;
		struct bench_ask ask = {
			.query = t->set->query + q * t->set->dim,
			.k = BENCH_K,
			.ef = ef,
			.filter = limit,
		};
		int got;

		if (how == AFTER)
			got = search_after(t, &ask, ids);
		else if (how == SCAN)
			got = engine->scan(t->index->ix, &ask, ids);
		else
			got = engine->search(t->index->ix, &ask, ids);
		if (got < 0)
			errx(1, "%s: a search with a filter failed",
			     engine->name);
		for (; got < BENCH_K; got++)
			ids[got] = UINT32_MAX;
	}
	took = bench_now(t->opt->cpu_clock) - start;
	if (best->seconds > 0 && took >= best->seconds)
		return;
	best->seconds = took;
	best->recall = bench_recall(t->set, t->ids, t->truth, t->near, BENCH_K);
}

static void run_engine(struct trial *t, struct row best[METHODS][EFS])
{
	const struct bench_engine *engine = t->index->engine;
	void *limit;
	size_t i;

	if (!engine->limit)
		return;
	limit = engine->limit(t->index->ix, t->filter);
	for (i = 0; i < EFS; i++)
		run(t, INSIDE, efs[i], limit, &best[INSIDE][i]);
	if (engine->scan)
		run(t, SCAN, 0, limit, &best[SCAN][0]);
	/* So slow that once is enough. */
	if (best[AFTER][0].seconds <= 0)
		run(t, AFTER, 0, NULL, &best[AFTER][0]);
	engine->unlimit(limit);
}

static void report(const struct trial *t, const char *kind,
		   unsigned int percent, const struct bench_engine *engine,
		   struct row best[METHODS][EFS])
{
	unsigned int m;
	size_t i;

	for (m = 0; m < METHODS; m++) {
		for (i = 0; i < EFS; i++) {
			if (best[m][i].seconds <= 0)
				continue;
			fprintf(t->opt->out,
				"filter %s %s %u %s %s %u %.5f %.1f\n",
				t->set->name, kind, percent, engine->name,
				method_name[m], m == INSIDE ? efs[i] : 0,
				best[m][i].recall,
				(double)t->set->queries / best[m][i].seconds);
		}
	}
	fflush(t->opt->out);
}

static bool wanted(const struct trial *t, const struct bench_engine *engine)
{
	size_t i;

	for (i = 0; t->opt->few[i]; i++)
		if (t->opt->few[i] == engine)
			return true;
	return false;
}

static void one_filter(struct trial *t, const struct bench_index *index,
		       unsigned int percent, bool near)
{
	struct row best[BENCH_ENGINES_MAX][METHODS][EFS] = { 0 };
	struct bench_filter filter;
	unsigned int r;
	size_t e;

	make_filter(t->set, percent, near, &filter);
	t->filter = &filter;
	bench_nearest(t->set, &filter, BENCH_K, t->truth, t->near);
	for (r = 0; r < t->opt->rounds; r++) {
		for (e = 0; t->opt->engine[e]; e++) {
			t->index = &index[e];
			if (wanted(t, index[e].engine))
				run_engine(t, best[e]);
		}
	}
	for (e = 0; t->opt->engine[e]; e++)
		report(t, near ? "near" : "random", percent, t->opt->engine[e],
		       best[e]);
	free(filter.bits);
	free(filter.ids);
}

/* All of this for all engines that were built. */
void bench_filters(const struct bench_options *opt, const struct bench_set *set,
		   const struct bench_index *index)
{
	struct bench_set few = *set;
	struct trial t = { .opt = opt, .set = &few };
	size_t i;

	if (few.queries > QUERIES)
		few.queries = QUERIES;
	t.truth = bench_alloc(few.queries * BENCH_K, 4);
	t.near = bench_alloc(few.queries * BENCH_K, sizeof(float));
	t.ids = bench_alloc(few.queries * BENCH_K, 4);
	bench_pin(0, 1);
	for (i = 0; i < PERCENTS; i++) {
		one_filter(&t, index, percents[i], false);
		one_filter(&t, index, percents[i], true);
	}
	free(t.truth);
	free(t.near);
	free(t.ids);
}
