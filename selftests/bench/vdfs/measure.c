// SPDX-License-Identifier: GPL-2.0-only
/*
 * Building, and recall against speed. Engines take turns at every step, so
 * that whatever else the machine does meets them all alike.
 */
#include <err.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#define WARM_UP 100 /* queries before those that count */
#define SAMPLES 20000 /* latencies kept of one figure */

static void cache_path(const struct bench_options *opt,
		       const struct bench_set *set, const char *engine,
		       char path[512])
{
	snprintf(path, 512, "%s/%s-%zu-%08x-%s-%u-%u.index", opt->cache,
		 set->name, set->n, set->truth[0] * 31 + set->truth[1], engine,
		 opt->how.m, opt->how.ef_build);
}

struct built {
	double seconds;
	size_t bytes;
	size_t rows;
};

static void add_chunk(const struct bench_options *opt,
		      const struct bench_set *set, struct bench_index *index,
		      const uint32_t *ids, size_t from, size_t n,
		      struct built *b)
{
	size_t rss = bench_rss();
	double start = bench_now(false);
	double cpu = bench_now(true);

	if (index->engine->add(index->ix, ids + from,
			       set->base + from * set->dim, n,
			       opt->build_threads))
		errx(1, "%s cannot add vectors", index->engine->name);
	b->seconds += opt->cpu_clock && opt->build_threads == 1 ?
			      bench_now(true) - cpu :
			      bench_now(false) - start;
	b->bytes += bench_rss() - rss;
	b->rows += n;
}

static bool take_from_cache(const struct bench_options *opt,
			    const struct bench_set *set,
			    struct bench_index *index)
{
	char path[512];

	if (!opt->keep || !index->engine->load)
		return false;
	cache_path(opt, set, index->engine->name, path);
	index->ix = index->engine->load(index->engine, set, path);
	return index->ix;
}

static void report_build(const struct bench_options *opt,
			 const struct bench_set *set,
			 const struct bench_engine *engine,
			 const struct built *b)
{
	fprintf(opt->out, "build %s %s %u %zu %.3f %.0f %.1f\n", set->name,
		engine->name, opt->build_threads, b->rows, b->seconds,
		(double)b->rows / b->seconds,
		(double)b->bytes / (double)b->rows);
	fflush(opt->out);
}

/* An index of all vectors by each engine, in pieces that take turns. */
void bench_build(const struct bench_options *opt, const struct bench_set *set,
		 struct bench_index *index)
{
	struct built built[BENCH_ENGINES_MAX] = { 0 };
	uint32_t *ids = bench_alloc(set->n, sizeof(*ids));
	char path[512];
	size_t i, e, c;

	for (i = 0; i < set->n; i++)
		ids[i] = (uint32_t)i;
	bench_pin(0, opt->build_threads);
	for (c = 0; c < opt->chunks; c++) {
		size_t from = set->n * c / opt->chunks;
		size_t to = set->n * (c + 1) / opt->chunks;

		for (e = 0; opt->engine[e]; e++) {
			index[e].engine = opt->engine[e];
			if (!c && !take_from_cache(opt, set, &index[e])) {
				size_t rss = bench_rss();

				index[e].ix = opt->engine[e]->open(
					opt->engine[e], set, set->n, &opt->how);
				built[e].bytes = bench_rss() - rss;
			} else if (!built[e].rows) {
				continue;
			}
			add_chunk(opt, set, &index[e], ids, from, to - from,
				  &built[e]);
		}
		fprintf(stderr, "%s: built %zu of %zu\n", set->name, to,
			set->n);
	}
	for (e = 0; opt->engine[e]; e++) {
		if (!built[e].rows)
			continue;
		report_build(opt, set, opt->engine[e], &built[e]);
		cache_path(opt, set, opt->engine[e]->name, path);
		if (opt->keep && opt->engine[e]->save)
			opt->engine[e]->save(index[e].ix, path);
	}
	free(ids);
}

/**
 * struct pace - one figure of one engine
 * @opt: What was asked for.
 * @set: Queries.
 * @index: Engine.
 * @ask: What to ask.
 * @ids: Out, shape [queries][BENCH_K], those of the last pass.
 * @passes: How often each query is asked.
 * @next: The first query that no thread has taken.
 * @lock: Guards what follows.
 * @seconds: Of the slowest thread.
 * @sample: Seconds that single queries took.
 * @samples: How many.
 */
struct pace {
	const struct bench_options *opt;
	const struct bench_set *set;
	const struct bench_index *index;
	struct bench_ask ask;
	uint32_t *ids;
	size_t passes;
	atomic_size_t next;
	atomic_uint cpu;
	pthread_barrier_t ready;
	pthread_mutex_t lock;
	double seconds;
	float *sample;
	size_t samples;
};

static void run_queries(struct pace *p)
{
	const struct bench_set *set = p->set;
	struct bench_ask ask = p->ask;
	size_t q, i;

	while ((i = atomic_fetch_add(&p->next, 1)) < set->queries * p->passes) {
		double start = bench_now(false);
		int got;

		q = i % set->queries;
		ask.query = set->query + q * set->dim;
		got = p->index->engine->search(p->index->ix, &ask,
					       p->ids + q * BENCH_K);
		for (; got >= 0 && got < BENCH_K; got++)
			p->ids[q * BENCH_K + (size_t)got] = UINT32_MAX;
		if (i < SAMPLES)
			p->sample[i] = (float)(bench_now(false) - start);
	}
}

static void *run_thread(void *arg)
{
	struct pace *p = arg;
	double start, took;

	bench_pin(atomic_fetch_add(&p->cpu, 1), 1);
	pthread_barrier_wait(&p->ready);
	start = bench_now(p->opt->cpu_clock);
	run_queries(p);
	took = bench_now(p->opt->cpu_clock) - start;
	pthread_mutex_lock(&p->lock);
	if (took > p->seconds)
		p->seconds = took;
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

static void run_threads(struct pace *p, unsigned int threads)
{
	pthread_t thread[BENCH_THREADS_MAX];
	unsigned int i;

	atomic_store(&p->next, 0);
	atomic_store(&p->cpu, 0);
	p->seconds = 0;
	pthread_barrier_init(&p->ready, NULL, threads);
	for (i = 0; i < threads; i++)
		if (pthread_create(&thread[i], NULL, run_thread, p))
			errx(1, "cannot start a thread");
	for (i = 0; i < threads; i++)
		pthread_join(thread[i], NULL);
	pthread_barrier_destroy(&p->ready);
}

static void run_at_once(struct pace *p, unsigned int threads)
{
	bool cpu_clock = p->opt->cpu_clock && threads == 1;
	double start;
	size_t i;

	/* Single queries first, for the latency. */
	p->passes = 1;
	run_threads(p, 1);
	p->ask.query = p->set->query;
	bench_pin(0, threads);
	start = bench_now(cpu_clock);
	for (i = 0; i < 2; i++)
		p->index->engine->search_all(p->index->ix, &p->ask,
					     p->set->queries, threads, p->ids);
	p->seconds = bench_now(cpu_clock) - start;
	p->passes = 2;
}

static int by_value(const void *a, const void *b)
{
	float x = *(const float *)a;
	float y = *(const float *)b;

	return (x > y) - (x < y);
}

struct point {
	double qps;
	double recall;
	double p50;
	double p99;
};

/* How often all are asked so that it takes long enough; warms up besides. */
static void choose_passes(struct pace *p, unsigned int threads)
{
	struct bench_set few = *p->set;
	const struct bench_set *all = p->set;
	double each;

	few.queries = few.queries < WARM_UP ? few.queries : WARM_UP;
	p->set = &few;
	p->passes = 1;
	run_threads(p, 1);
	p->set = all;
	each = p->seconds / (double)few.queries / threads;
	p->passes =
		1 + (size_t)(p->opt->seconds / (each * (double)all->queries));
}

static void measure(struct pace *p, unsigned int threads, struct point *best)
{
	double qps;

	choose_passes(p, threads);
	if (p->index->engine->search_all)
		run_at_once(p, threads);
	else
		run_threads(p, threads);
	qps = (double)(p->set->queries * p->passes) / p->seconds;
	if (qps <= best->qps)
		return;
	p->samples = p->set->queries * p->passes;
	if (p->index->engine->search_all)
		p->samples = p->set->queries;
	if (p->samples > SAMPLES)
		p->samples = SAMPLES;
	qsort(p->sample, p->samples, sizeof(*p->sample), by_value);
	best->qps = qps;
	best->p50 = (double)p->sample[p->samples / 2];
	best->p99 = (double)p->sample[p->samples * 99 / 100];
	best->recall = bench_recall(p->set, p->ids, p->set->truth, p->set->near,
				    BENCH_TRUTH);
}

static void report(const struct bench_options *opt, const struct bench_set *set,
		   const struct bench_engine *engine, unsigned int threads,
		   unsigned int ef, const struct point *at)
{
	fprintf(opt->out, "curve %s %s %u %u %.5f %.1f %.1f %.1f\n", set->name,
		engine->name, threads, ef, at->recall, at->qps,
		at->p50 * 1000000, at->p99 * 1000000);
	fflush(opt->out);
}

/* Recall and speed for each ef, engine and number of threads. */
void bench_curves(const struct bench_options *opt, const struct bench_set *set,
		  const struct bench_index *index)
{
	struct point best[8][32][BENCH_ENGINES_MAX] = { 0 };
	struct pace p = {
		.opt = opt,
		.set = set,
		.ask = { .k = BENCH_K, .rerank = opt->rerank },
		.ids = bench_alloc(set->queries * BENCH_K, 4),
		.sample = bench_alloc(SAMPLES, sizeof(float)),
	};
	unsigned int r, t, f, e;

	pthread_mutex_init(&p.lock, NULL);
	for (r = 0; r < opt->rounds; r++)
		for (t = 0; opt->threads[t]; t++)
			for (f = 0; opt->ef[f]; f++)
				for (e = 0; opt->engine[e]; e++) {
					p.index = &index[e];
					p.ask.ef = opt->ef[f];
					measure(&p, opt->threads[t],
						&best[t][f][e]);
				}
	for (t = 0; opt->threads[t]; t++)
		for (e = 0; opt->engine[e]; e++)
			for (f = 0; opt->ef[f]; f++)
				report(opt, set, opt->engine[e],
				       opt->threads[t], opt->ef[f],
				       &best[t][f][e]);
	free(p.ids);
	free(p.sample);
}
