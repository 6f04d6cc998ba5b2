// SPDX-License-Identifier: GPL-2.0-only
/*
 * The batching policy: what it decides case by case, and what comes of it in
 * a simulated hour of Poisson arrivals.
 */
#include <math.h>
#include <stdlib.h>

#include <kselftest.h>
#include <kselftest_harness.h>

#include "batch.h"
#include "curve.h"
#include "queue.h"

#define US 1000ULL
#define MS (1000 * US)

/* A perceptron, as measured: 23 us alone, 5.5 times the throughput at 128. */
static void learn_perceptron(struct curve *curve)
{
	static const struct {
		uint32_t rows;
		uint64_t ns;
	} measured[] = {
		{ 1, 23 * US },	  { 2, 25 * US },    { 4, 30 * US },
		{ 8, 46 * US },	  { 16, 76 * US },   { 32, 142 * US },
		{ 64, 276 * US }, { 128, 540 * US },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(measured); i++)
		curve_add(curve, measured[i].rows, measured[i].ns);
}

TEST(curve_knows_nothing_at_first)
{
	struct curve curve = {};

	EXPECT_EQ(0, curve_ns(&curve, 1));
	EXPECT_EQ(64, curve_knee(&curve, 64));
}

TEST(curve_draws_lines_between_points)
{
	struct curve curve = {};

	curve_add(&curve, 2, 20 * US);
	curve_add(&curve, 8, 50 * US);
	EXPECT_EQ(20 * US, curve_ns(&curve, 1));
	EXPECT_EQ(20 * US, curve_ns(&curve, 2));
	EXPECT_EQ(35 * US, curve_ns(&curve, 5));
	EXPECT_EQ(50 * US, curve_ns(&curve, 8));
	EXPECT_EQ(100 * US, curve_ns(&curve, 16));
}

/* A larger batch that was measured faster predicts no more than the smaller. */
TEST(falling_curve_stays_between_its_points)
{
	struct curve curve = {};
	uint32_t rows;

	curve_add(&curve, 2, 50 * US);
	curve_add(&curve, 8, 20 * US);
	EXPECT_EQ(50 * US, curve_ns(&curve, 2));
	EXPECT_EQ(20 * US, curve_ns(&curve, 8));
	for (rows = 3; rows < 8; rows++) {
		EXPECT_GE(50 * US, curve_ns(&curve, rows));
		EXPECT_LE(20 * US, curve_ns(&curve, rows));
	}
}

TEST(curve_follows_a_change)
{
	struct curve curve = {};
	int i;

	curve_add(&curve, 4, 100 * US);
	for (i = 0; i < 100; i++)
		curve_add(&curve, 4, 300 * US);
	EXPECT_GT(curve_ns(&curve, 4), 295 * US);
	EXPECT_LE(curve_ns(&curve, 4), 300 * US);
}

TEST(curve_takes_the_largest_batch)
{
	/* A sanitizer sees what is written behind it. */
	struct curve *curve = calloc(1, sizeof(*curve));

	curve_add(curve, 65536, 100 * US);
	curve_add(curve, UINT32_MAX, 100 * US);
	EXPECT_NE(0, curve_ns(curve, UINT32_MAX));
	EXPECT_NE(0, curve->point[CURVE_POINTS - 1].rows);
	free(curve);
}

TEST(knee_is_where_batching_stops_to_pay)
{
	struct curve gemm = {}, hurt = {};

	learn_perceptron(&gemm);
	EXPECT_EQ(32, curve_knee(&gemm, 128));
	EXPECT_EQ(16, curve_knee(&gemm, 16));

	curve_add(&hurt, 1, 391 * US);
	curve_add(&hurt, 8, 8 * 372 * US);
	curve_add(&hurt, 32, 32 * 528 * US);
	EXPECT_EQ(1, curve_knee(&hurt, 32));
}

TEST(greedy_dispatches_what_is_there)
{
	struct curve curve = {};
	struct batch_view view = { .max = 128, .curve = &curve };

	learn_perceptron(&curve);
	EXPECT_EQ(0, batch_decide(&view).rows);
	EXPECT_EQ(0, batch_decide(&view).until_ns);
	view.rows = 3;
	EXPECT_EQ(3, batch_decide(&view).rows);
	view.rows = 100;
	EXPECT_EQ(32, batch_decide(&view).rows);
}

TEST(probe_looks_past_the_knee)
{
	struct curve curve = {};
	struct batch_view view = { .max = 128, .curve = &curve, .rows = 100 };
	int i;

	/* An unlucky measurement at 2 hides that 4 and more would pay. */
	learn_perceptron(&curve);
	for (i = 0; i < 50; i++) {
		curve_add(&curve, 1, 1 * US);
	}
	EXPECT_EQ(1, batch_decide(&view).rows);
	view.probe = true;
	EXPECT_EQ(2, batch_decide(&view).rows);
	for (i = 0; i < 50; i++) {
		curve_add(&curve, 2, 1 * US);
	}
	EXPECT_EQ(4, batch_decide(&view).rows);
	view.max = 3;
	EXPECT_EQ(3, batch_decide(&view).rows);
	view.rows = 1;
	EXPECT_EQ(1, batch_decide(&view).rows);
}

TEST(window_waits_but_not_past_a_deadline)
{
	struct curve curve = {};
	struct batch_view view = { .max = 128,
				   .curve = &curve,
				   .rows = 3,
				   .window_ns = 2 * MS,
				   .oldest_ns = 10 * MS,
				   .now_ns = 10 * MS };

	learn_perceptron(&curve);
	EXPECT_EQ(0, batch_decide(&view).rows);
	EXPECT_EQ(12 * MS, batch_decide(&view).until_ns);
	view.now_ns = 12 * MS;
	EXPECT_EQ(3, batch_decide(&view).rows);

	view.now_ns = 10 * MS;
	view.slack_ns = 100 * US;
	view.deadline_ns = 11 * MS;
	EXPECT_EQ(0, batch_decide(&view).rows);
	EXPECT_EQ(11 * MS - 100 * US - curve_ns(&curve, 3),
		  batch_decide(&view).until_ns);

	/* A deadline at the start of time leaves no time to wait. */
	view.deadline_ns = 1;
	EXPECT_EQ(3, batch_decide(&view).rows);

	/* A full batch waits for nobody. */
	view.deadline_ns = 0;
	view.rows = 32;
	EXPECT_EQ(32, batch_decide(&view).rows);
}

TEST(batch_shrinks_for_the_first_deadline)
{
	struct curve curve = {};
	struct batch_view view = {
		.max = 32, .curve = &curve, .rows = 32, .now_ns = MS
	};

	learn_perceptron(&curve);
	view.deadline_ns = MS + 80 * US;
	EXPECT_EQ(16, batch_decide(&view).rows);
	view.deadline_ns = MS + 23 * US;
	EXPECT_EQ(1, batch_decide(&view).rows);
	/* Late in any case: nobody gains from a small batch. */
	view.deadline_ns = MS + 10 * US;
	EXPECT_EQ(32, batch_decide(&view).rows);
}

TEST(expectation_counts_whole_rounds)
{
	struct curve curve = {};
	struct batch_view view = { .max = 32, .curve = &curve };
	uint64_t full;

	EXPECT_EQ(0, batch_expect_ns(&view, 1, 1, MS));
	learn_perceptron(&curve);
	full = curve_ns(&curve, 32);
	EXPECT_EQ(curve_ns(&curve, 1), batch_expect_ns(&view, 1, 1, 0));
	view.rows = 64;
	EXPECT_EQ(2 * full + curve_ns(&curve, 1) + 7,
		  batch_expect_ns(&view, 1, 1, 7));
	EXPECT_EQ(full + curve_ns(&curve, 1), batch_expect_ns(&view, 1, 2, 0));
	view.slack_ns = 9;
	EXPECT_EQ(3 * full + 9, batch_expect_ns(&view, 32, 1, 0));
	EXPECT_EQ(2 * full + 9, batch_expect_ns(&view, 32, 2, 0));
}

/* One simulated unit, and what its users saw. */
struct sim {
	struct curve curve;
	struct queue queue;
	struct queue_credit credit;
	struct queue_credit share;
	uint64_t window_ns;
	uint32_t max;
	uint64_t now_ns;
	uint64_t *waits;
	size_t nwaits;
	uint64_t batches;
};

static int by_size(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static uint64_t percentile(struct sim *sim, double p)
{
	return sim->waits[(size_t)(p * (sim->nwaits - 1))];
}

static uint64_t next_gap(double rate)
{
	return -log(1 - drand48()) / rate * 1e9;
}

/* Dispatch once if there is something to; returns whether the unit worked. */
static bool sim_step(struct sim *sim, uint64_t *until)
{
	struct batch_view view = { .now_ns = sim->now_ns,
				   .rows = sim->queue.rows,
				   .max = sim->max,
				   .oldest_ns = queue_oldest_ns(&sim->queue),
				   .window_ns = sim->window_ns,
				   .curve = &sim->curve };
	struct batch_verdict verdict = batch_decide(&view);
	struct queue_slice slices[128];
	uint32_t i, n, rows;

	*until = verdict.until_ns;
	if (!verdict.rows)
		return false;
	rows = queue_bind(&sim->queue, verdict.rows, sim->now_ns, slices, &n);
	sim->now_ns += curve_ns(&sim->curve, rows);
	sim->batches++;
	for (i = 0; i < n; i++) {
		if (queue_unbind(&sim->queue, &slices[i], 0)) {
			sim->waits[sim->nwaits++] =
				sim->now_ns - slices[i].item->arrived_ns;
			free(slices[i].item);
		}
	}
	return true;
}

static void simulate(struct sim *sim, double rate, size_t requests)
{
	uint64_t arrival = next_gap(rate), until;
	size_t sent = 0;

	queue_init(&sim->queue, requests);
	sim->credit.limit = requests;
	sim->share.limit = requests;
	sim->waits = calloc(requests, sizeof(*sim->waits));
	sim->nwaits = 0;
	sim->now_ns = 0;
	while (sim->nwaits < requests) {
		while (sent < requests && arrival <= sim->now_ns) {
			struct queue_item *item = calloc(1, sizeof(*item));

			item->rows = 1;
			item->credit = &sim->credit;
			item->share = &sim->share;
			queue_push(&sim->queue, item, arrival);
			sent++;
			arrival += next_gap(rate);
		}
		if (!sim_step(sim, &until)) {
			sim->now_ns = sent < requests ? arrival : until;
			if (until && until < sim->now_ns)
				sim->now_ns = until;
		}
	}
	qsort(sim->waits, sim->nwaits, sizeof(*sim->waits), by_size);
}

TEST(greedy_carries_six_times_the_load)
{
	struct sim sim = {};

	srand48(1);
	learn_perceptron(&sim.curve);

	/* 60 000 a second is more than single runs can do (43 000) ... */
	sim.max = 1;
	simulate(&sim, 60000, 50000);
	EXPECT_GT(percentile(&sim, 0.99), 100 * MS);
	free(sim.waits);

	/* ... and no trouble for batches that form while the unit works. */
	sim.max = 128;
	sim.batches = 0;
	simulate(&sim, 180000, 200000);
	EXPECT_LT(percentile(&sim, 0.99), 2 * MS);
	EXPECT_LT(sim.batches, 200000 / 8);
	EXPECT_TRUE(queue_balanced(&sim.queue));
	EXPECT_EQ(200000, sim.queue.stats.done);
	EXPECT_EQ(0, sim.credit.used);
	free(sim.waits);
}

TEST(window_costs_latency_when_there_is_no_load)
{
	uint64_t greedy;
	struct sim sim = { .max = 128 };

	srand48(2);
	learn_perceptron(&sim.curve);
	simulate(&sim, 100, 2000);
	greedy = percentile(&sim, 0.5);
	EXPECT_LT(greedy, 30 * US);
	free(sim.waits);

	sim.window_ns = 5 * MS;
	sim.batches = 0;
	simulate(&sim, 100, 2000);
	EXPECT_GT(percentile(&sim, 0.5), 3 * MS);
	EXPECT_LT(percentile(&sim, 1), 6 * MS);
	free(sim.waits);
}

TEST_HARNESS_MAIN
