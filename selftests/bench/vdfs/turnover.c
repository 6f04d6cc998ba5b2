// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ten times over, three tenths of the vectors go and as many others come. The
 * recall afterwards stands beside that of an index made of what is left.
 */
#include <err.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#define VECTORS 20000 /* at most */
#define TURNS 10
#define EF 100

/**
 * struct pool - vectors that are in, and those that wait outside
 * @set: All of them.
 * @id: shape [set->n]: those inside first.
 * @in: How many are inside.
 * @rows: shape [in][dim], those that come in, side by side.
 * @truth: shape [queries][BENCH_K].
 * @near: Their distances.
 */
struct pool {
	struct bench_set set;
	uint32_t *id;
	size_t in;
	float *rows;
	uint32_t *truth;
	float *near;
};

/* Those outside change places with as many inside, drawn at random. */
static void swap_some(struct pool *p, uint64_t *state)
{
	size_t i;

	for (i = p->in; i < p->set.n; i++) {
		size_t other = bench_random(state) % p->in;
		uint32_t id = p->id[other];

		/* What came in this turn stays; look on for one that was in. */
		while (id & 1U << 31) {
			other = (other + 1) % p->in;
			id = p->id[other];
		}
		p->id[other] = p->id[i] | 1U << 31;
		p->id[i] = id;
	}
	for (i = 0; i < p->in; i++)
		p->id[i] &= ~(1U << 31);
}

static void find_truth(struct pool *p)
{
	struct bench_filter inside = { .ids = p->id, .n = p->in };

	bench_nearest(&p->set, &inside, BENCH_K, p->truth, p->near);
}

static double recall(const struct bench_options *opt, const struct pool *p,
		     const struct bench_index *index)
{
	uint32_t *ids = bench_alloc(p->set.queries * BENCH_K, sizeof(*ids));
	struct bench_ask ask = { .k = BENCH_K,
				 .ef = EF,
				 .rerank = opt->rerank };
	double share = -1;

	if (bench_search_all(index, &p->set, &ask, ids) >= 0)
		share = bench_recall(&p->set, ids, p->truth, p->near, BENCH_K);
	free(ids);
	return share;
}

static const float *gather(struct pool *p, const uint32_t *ids, size_t n)
{
	size_t dim = p->set.dim;
	size_t i;

	for (i = 0; i < n; i++)
		memcpy(p->rows + i * dim, p->set.base + ids[i] * dim,
		       dim * sizeof(float));
	return p->rows;
}

static int turn(const struct bench_options *opt, struct pool *p,
		const struct bench_index *index, const uint32_t *gone,
		const uint32_t *come, size_t n)
{
	const struct bench_engine *engine = index->engine;
	const float *rows = gather(p, come, n);
	size_t i;

	for (i = 0; i < n; i++)
		if (engine->remove(index->ix, gone[i]))
			return -1;
	if (engine->repair && engine->repair(index->ix))
		return -1;
	return engine->add(index->ix, come, rows, n, opt->build_threads);
}

static void *fresh(const struct bench_options *opt, struct pool *p,
		   const struct bench_engine *engine)
{
	void *ix = engine->open(engine, &p->set, p->in, &opt->how);

	if (engine->add(ix, p->id, gather(p, p->id, p->in), p->in,
			opt->build_threads))
		errx(1, "%s cannot add vectors", engine->name);
	return ix;
}

static void one_engine(const struct bench_options *opt, struct pool *p,
		       const struct bench_engine *engine)
{
	struct bench_index index = { .engine = engine };
	size_t n = p->set.n - p->in;
	uint32_t *come = bench_alloc(n, sizeof(*come));
	uint64_t state = 1;
	double seconds = 0;
	int t, ret = 0;
	size_t i;

	for (i = 0; i < p->set.n; i++)
		p->id[i] = (uint32_t)i;
	index.ix = fresh(opt, p, engine);
	for (t = 0; t <= TURNS && !ret; t++) {
		find_truth(p);
		fprintf(opt->out, "turnover %s %s %d %.5f %.2f\n", p->set.name,
			engine->name, t, recall(opt, p, &index), seconds);
		fflush(opt->out);
		if (t == TURNS)
			break;
		memcpy(come, p->id + p->in, n * sizeof(*come));
		swap_some(p, &state);
		seconds = -bench_now(opt->cpu_clock);
		ret = turn(opt, p, &index, p->id + p->in, come, n);
		seconds += bench_now(opt->cpu_clock);
	}
	if (ret)
		fprintf(opt->out, "turnover %s %s failed %d 0\n", p->set.name,
			engine->name, t);
	engine->close(index.ix);
	if (!ret) {
		index.ix = fresh(opt, p, engine);
		fprintf(opt->out, "turnover %s %s fresh %.5f 0\n", p->set.name,
			engine->name, recall(opt, p, &index));
		engine->close(index.ix);
	}
	free(come);
}

/* For all engines that can delete. */
void bench_turnover(const struct bench_options *opt,
		    const struct bench_set *set)
{
	struct bench_options churn = *opt;
	struct pool p = { .set = *set };
	size_t e;

	if (p.set.n > VECTORS)
		p.set.n = VECTORS;
	p.in = p.set.n * 10 / 13;
	p.id = bench_alloc(p.set.n, sizeof(*p.id));
	p.rows = bench_alloc(p.in * p.set.dim, sizeof(float));
	p.truth = bench_alloc(p.set.queries * BENCH_K, sizeof(*p.truth));
	p.near = bench_alloc(p.set.queries * BENCH_K, sizeof(float));
	churn.how.churn = true;
	for (e = 0; opt->few[e]; e++)
		if (opt->few[e]->remove)
			one_engine(&churn, &p, opt->few[e]);
	free(p.id);
	free(p.rows);
	free(p.truth);
	free(p.near);
}
