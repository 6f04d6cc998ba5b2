// SPDX-License-Identifier: GPL-2.0-only
/*
 * The arithmetic of the built-in choice against cases worked out by hand from
 * uapi/phi/infer.h. kmod/select.c is compiled as it is.
 */

#include "kselftest_harness.h"

#include "kmod/select.c"

#define MS 1000000ULL
#define S 1000000000ULL

/* An idle unit of which nothing is known but 1 ms an input. */
static struct phi_candidate idle(__u32 id)
{
	return (struct phi_candidate){
		.id = id,
		.kind = PHI_UNIT_CPU,
		.node = PHI_UNIT_UNKNOWN,
		.capacity = 1,
		.load = PHI_UNIT_UNKNOWN,
		.temperature = PHI_UNIT_UNKNOWN,
		.average_ns = MS,
	};
}

static struct phi_wish wish(__u32 batch)
{
	return (struct phi_wish){
		.batch = batch,
		.node = PHI_UNIT_UNKNOWN,
		.now_ns = 100 * S,
	};
}

TEST(idle_unit_scores_its_run_time)
{
	struct phi_candidate unit = idle(0);
	struct phi_wish w = wish(8);

	EXPECT_EQ(8 * MS, phi_select_score(&unit, &w));
}

TEST(batches_beyond_capacity_wait)
{
	struct phi_candidate unit = idle(0);
	struct phi_wish w = wish(1);

	unit.capacity = 4;
	unit.in_flight = 3;
	EXPECT_EQ(MS, phi_select_score(&unit, &w));
	/* One more than fits: a quarter of a run. */
	unit.in_flight = 4;
	EXPECT_EQ(MS + MS / 4, phi_select_score(&unit, &w));
	unit.in_flight = 11;
	EXPECT_EQ(MS + 2 * MS, phi_select_score(&unit, &w));
}

TEST(load_counts_above_full)
{
	struct phi_candidate unit = idle(0);
	struct phi_wish w = wish(1);

	unit.load = 0;
	EXPECT_EQ(MS, phi_select_score(&unit, &w));
	unit.load = 1000;
	EXPECT_EQ(MS, phi_select_score(&unit, &w));
	unit.load = 1500;
	EXPECT_EQ(MS + MS / 2, phi_select_score(&unit, &w));
	unit.load = 10000;
	EXPECT_EQ(10 * MS, phi_select_score(&unit, &w));
	unit.load = 4000000000U;
	EXPECT_EQ(10 * MS, phi_select_score(&unit, &w));
	unit.load = PHI_UNIT_UNKNOWN;
	EXPECT_EQ(MS, phi_select_score(&unit, &w));
}

TEST(heat_counts_above_85_degrees)
{
	struct phi_candidate unit = idle(0);
	struct phi_wish w = wish(1);

	unit.temperature = 85000;
	EXPECT_EQ(MS, phi_select_score(&unit, &w));
	unit.temperature = 95000;
	EXPECT_EQ(MS + MS / 4, phi_select_score(&unit, &w));
	unit.temperature = 125000;
	EXPECT_EQ(2 * MS, phi_select_score(&unit, &w));
	unit.temperature = 200000;
	EXPECT_EQ(2 * MS, phi_select_score(&unit, &w));
}

TEST(other_node_costs_a_tenth)
{
	struct phi_candidate unit = idle(0);
	struct phi_wish w = wish(1);

	unit.node = 1;
	EXPECT_EQ(MS, phi_select_score(&unit, &w));
	w.node = 1;
	EXPECT_EQ(MS, phi_select_score(&unit, &w));
	w.node = 0;
	EXPECT_EQ(MS + MS / 10, phi_select_score(&unit, &w));
	unit.node = PHI_UNIT_UNKNOWN;
	EXPECT_EQ(MS, phi_select_score(&unit, &w));
}

TEST(other_kind_costs_a_tenth)
{
	struct phi_candidate unit = idle(0);
	struct phi_wish w = wish(1);

	w.wanted = PHI_UNIT_CPU;
	EXPECT_EQ(MS, phi_select_score(&unit, &w));
	w.wanted = PHI_UNIT_GPU;
	EXPECT_EQ(MS + MS / 10, phi_select_score(&unit, &w));
}

TEST(missed_deadline_costs_ten_runs)
{
	struct phi_candidate unit = idle(0);
	struct phi_wish w = wish(1);

	w.deadline_ns = w.now_ns + MS;
	EXPECT_EQ(MS, phi_select_score(&unit, &w));
	w.deadline_ns--;
	EXPECT_EQ(11 * MS, phi_select_score(&unit, &w));
	w.deadline_ns = 1; /* long past */
	EXPECT_EQ(11 * MS, phi_select_score(&unit, &w));
}

TEST(deadline_counts_the_queue_but_not_taste)
{
	struct phi_candidate unit = idle(0);
	struct phi_wish w = wish(1);

	/* On another node: 1.1 ms as a score, but it ends after 1 ms. */
	unit.node = 1;
	w.node = 0;
	w.deadline_ns = w.now_ns + MS;
	EXPECT_EQ(MS + MS / 10, phi_select_score(&unit, &w));
	unit.in_flight = 1;
	EXPECT_EQ(12 * MS + MS / 10, phi_select_score(&unit, &w));
}

TEST(everything_at_once)
{
	struct phi_candidate unit = idle(0);
	struct phi_wish w = wish(3);

	/* RUN 2100; the queue 700, the load 1050, the heat 525 */
	unit.average_ns = 700;
	unit.capacity = 3;
	unit.in_flight = 3;
	unit.load = 1500;
	unit.temperature = 95000;
	unit.node = 2;
	w.node = 3;
	w.wanted = PHI_UNIT_TPU;
	w.deadline_ns = w.now_ns + 4374;
	EXPECT_EQ(2100 + 700 + 1050 + 525 + 21000 + 210 + 210,
		  phi_select_score(&unit, &w));
	w.deadline_ns++;
	EXPECT_EQ(2100 + 700 + 1050 + 525 + 210 + 210,
		  phi_select_score(&unit, &w));
}

TEST(scores_stop_at_the_largest_number)
{
	struct phi_candidate unit = idle(0);
	struct phi_wish w = wish(65536);

	unit.average_ns = ~0ULL;
	unit.in_flight = ~0U;
	unit.load = 10000;
	unit.temperature = 125000;
	w.deadline_ns = 1;
	EXPECT_EQ(~0ULL, phi_select_score(&unit, &w));
	unit.in_flight = 0;
	unit.passed = ~0U;
	EXPECT_EQ(~0ULL / ~0U, phi_select_score(&unit, &w));
	unit.average_ns = PHI_PACE_MAX_NS;
	unit.in_flight = 4096;
	EXPECT_LT(PHI_PACE_MAX_NS, phi_select_score(&unit, &w));
}

TEST(lowest_wins_and_ties_go_to_the_first)
{
	struct phi_candidate units[3] = { idle(4), idle(9), idle(17) };
	struct phi_wish w = wish(1);
	__u64 score = 42;

	EXPECT_EQ(-1, phi_select_best(units, 0, &w, &score));
	EXPECT_EQ(42, score);
	EXPECT_EQ(0, phi_select_best(units, 3, &w, &score));
	EXPECT_EQ(MS, score);
	units[1].average_ns = MS - 1;
	EXPECT_EQ(1, phi_select_best(units, 3, &w, &score));
	EXPECT_EQ(MS - 1, score);
	units[2].average_ns = MS - 1;
	EXPECT_EQ(1, phi_select_best(units, 3, &w, &score));
	units[0].average_ns = 1;
	EXPECT_EQ(0, phi_select_best(units, 3, &w, &score));
}

TEST(passed_over_units_age)
{
	struct phi_candidate unit = idle(0);
	struct phi_wish w = wish(3);

	/* 16/17 of 3 ms and 16/32, rounded down */
	unit.passed = 16;
	EXPECT_EQ(3 * MS, phi_select_score(&unit, &w));
	unit.passed = 17;
	EXPECT_EQ(2823529, phi_select_score(&unit, &w));
	unit.passed = 32;
	EXPECT_EQ(3 * MS / 2, phi_select_score(&unit, &w));
	/* The whole sum ages, but not while the unit is full. */
	unit.load = 2000;
	EXPECT_EQ(3 * MS, phi_select_score(&unit, &w));
	unit.load = 0;
	unit.in_flight = 1;
	EXPECT_EQ(6 * MS, phi_select_score(&unit, &w));
	EXPECT_EQ(1, phi_select_passed(0));
	EXPECT_EQ(~0U, phi_select_passed(~0U - 1));
	EXPECT_EQ(~0U, phi_select_passed(~0U));
}

/* A unit whose batches, of so many inputs each, took so long. */
static struct phi_candidate paced(__u32 id, __u64 run_ns, __u32 inputs)
{
	struct phi_candidate unit = idle(id);

	phi_select_learn(&unit.pace, run_ns, inputs);
	unit.average_ns = phi_select_average(&unit.pace);
	return unit;
}

TEST(unknown_units_get_the_mean_of_the_known)
{
	struct phi_candidate units[4] = { paced(0, 100, 1), idle(1),
					  paced(2, 201, 1), idle(3) };

	units[1].average_ns = 0;
	units[3].average_ns = 0;
	phi_select_fill(units, 4, 1);
	EXPECT_EQ(100, units[0].average_ns);
	EXPECT_EQ(150, units[1].average_ns);
	EXPECT_EQ(201, units[2].average_ns);
	EXPECT_EQ(150, units[3].average_ns);

	units[1].average_ns = 0;
	phi_select_fill(units + 1, 1, 1);
	EXPECT_EQ(PHI_GUESS_NS, units[1].average_ns);
	phi_select_fill(NULL, 0, 1);
}

TEST(small_batches_say_little_about_large_ones)
{
	/* Averages 10, 90, 20 and 500 */
	struct phi_candidate units[5] = { paced(0, 320, 32), paced(1, 90, 1),
					  paced(2, 320, 16), paced(3, 500, 1),
					  idle(4) };

	/* Nobody has run such a batch: what is known must do, mean 155. */
	units[4].average_ns = 0;
	phi_select_fill(units, 5, 100);
	EXPECT_EQ(10, units[0].average_ns);
	EXPECT_EQ(90, units[1].average_ns);
	EXPECT_EQ(20, units[2].average_ns);
	EXPECT_EQ(500, units[3].average_ns);
	EXPECT_EQ(155, units[4].average_ns);
	/* Two have: their mean, 15, but unit 3 needs 500 / 32 at least. */
	units[4].average_ns = 0;
	phi_select_fill(units, 5, 32);
	EXPECT_EQ(10, units[0].average_ns);
	EXPECT_EQ(15, units[1].average_ns);
	EXPECT_EQ(20, units[2].average_ns);
	EXPECT_EQ(15, units[3].average_ns);
	EXPECT_EQ(15, units[4].average_ns);
	units[3] = paced(3, 1000, 1);
	phi_select_fill(units, 5, 32);
	EXPECT_EQ(31, units[3].average_ns);
	/* One that looks quicker even so keeps its own. */
	units[1] = paced(1, 7, 1);
	phi_select_fill(units, 5, 32);
	EXPECT_EQ(7, units[1].average_ns);
	/* What ran larger ones counts as it is. */
	units[1] = paced(1, 90, 1);
	phi_select_fill(units, 5, 2);
	EXPECT_EQ(90, units[1].average_ns);
}

TEST(means_move_by_an_eighth)
{
	struct phi_pace pace = {};

	EXPECT_EQ(0, phi_select_average(&pace));
	phi_select_learn(&pace, 801, 2);
	EXPECT_EQ(801, pace.run_ns);
	EXPECT_EQ(2048, pace.inputs);
	EXPECT_EQ(400, phi_select_average(&pace));
	/* 801 + 1599 / 8 = 1000; 2048 + 2048 / 8 = 2304 */
	phi_select_learn(&pace, 2400, 4);
	EXPECT_EQ(1000, pace.run_ns);
	EXPECT_EQ(2304, pace.inputs);
	EXPECT_EQ(444, phi_select_average(&pace));
	/* 1000 - 1000 / 8 = 875; 2304 - 1280 / 8 = 2144 */
	phi_select_learn(&pace, 0, 1);
	EXPECT_EQ(875, pace.run_ns);
	EXPECT_EQ(2144, pace.inputs);
	EXPECT_EQ(417, phi_select_average(&pace));
}

TEST(means_have_limits)
{
	struct phi_pace pace = {};

	phi_select_learn(&pace, 0, 65536);
	EXPECT_EQ(1, phi_select_average(&pace));
	pace = (struct phi_pace){};
	phi_select_learn(&pace, ~0ULL, 1);
	EXPECT_EQ(PHI_PACE_MAX_NS, phi_select_average(&pace));
	phi_select_learn(&pace, ~0ULL, 1);
	EXPECT_EQ(PHI_PACE_MAX_NS, phi_select_average(&pace));
}

TEST(averages_converge)
{
	struct phi_pace pace = {};
	int i;

	phi_select_learn(&pace, 100 * MS, 1);
	for (i = 0; i < 200; i++)
		phi_select_learn(&pace, 32 * MS, 32);
	EXPECT_GE(MS + MS / 1000, phi_select_average(&pace));
	EXPECT_LE(MS - MS / 1000, phi_select_average(&pace));
}

/* What two units really need: so much for a batch, so much for an input. */
struct truth {
	__u64 fixed;
	__u64 each;
};

/*
 * Give one batch to one of two units, let it end, and learn from it, as
 * kmod/infer.c does. Returns the unit.
 */
static int turn(struct phi_candidate *units, const struct truth *truth,
		__u32 batch)
{
	struct phi_candidate filled[2] = { units[0], units[1] };
	struct phi_wish w = wish(batch);
	struct phi_candidate *unit;
	__u64 score;
	int best;

	phi_select_fill(filled, 2, batch);
	best = phi_select_best(filled, 2, &w, &score);
	unit = &units[best];
	if (unit->passed > PHI_PASSED_FREE)
		unit->pace = (struct phi_pace){};
	phi_select_learn(&unit->pace,
			 truth[best].fixed + truth[best].each * batch, batch);
	unit->average_ns = phi_select_average(&unit->pace);
	unit->passed = 0;
	units[!best].passed = phi_select_passed(units[!best].passed);
	return best;
}

TEST(starved_unit_recovers)
{
	const struct truth truth[2] = { { 0, MS }, { 0, MS - 1 } };
	struct phi_candidate units[2] = { paced(0, 16 * MS, 16),
					  paced(1, 320 * MS, 16) };
	int i;

	/* Looks 20 times slower once; 16 * 20 batches, and it is tried. */
	for (i = 0; i <= 320; i++)
		ASSERT_EQ(0, turn(units, truth, 16));
	EXPECT_EQ(1, turn(units, truth, 16));
	EXPECT_EQ(MS - 1, units[1].average_ns);
	/* It is the better one in truth, and so it stays. */
	for (i = 0; i < 16; i++)
		EXPECT_EQ(1, turn(units, truth, 16));
}

TEST(equal_units_are_both_used)
{
	const struct truth truth[2] = { { MS, MS }, { MS, MS } };
	struct phi_candidate units[2] = { idle(0), idle(1) };
	int i, second = 0;

	units[0].average_ns = 0;
	units[1].average_ns = 0;
	for (i = 0; i < 180; i++)
		second += turn(units, truth, 8);
	/* Of equals the first, but every 18th goes to the other. */
	EXPECT_EQ(10, second);
}

TEST(single_input_does_not_poison)
{
	const struct truth truth[2] = { { 20 * MS, MS }, { 20 * MS, MS } };
	struct phi_candidate units[2] = { paced(0, 52 * MS, 32),
					  paced(1, 21 * MS, 1) };
	struct phi_candidate unit = units[0];

	/* 21 ms an input against 1.6, but all of it is the fixed cost. */
	units[0].load = 1100;
	EXPECT_EQ(1, turn(units, truth, 32));

	/* 48.1 ms over 28.1 inputs: 1.7, where a mean of ratios has 4. */
	phi_select_learn(&unit.pace, 21 * MS, 1);
	EXPECT_EQ(48125000, unit.pace.run_ns);
	EXPECT_EQ(28800, unit.pace.inputs);
	EXPECT_EQ(1711111, phi_select_average(&unit.pace));
}

TEST(slower_unit_gets_few_batches)
{
	const struct truth truth[2] = { { 0, 4 * MS }, { 0, MS } };
	struct phi_candidate units[2] = { idle(0), idle(1) };
	int i, slow = 0;

	units[0].average_ns = 0;
	units[1].average_ns = 0;
	for (i = 0; i < 6600; i++)
		slow += !turn(units, truth, 8);
	/* One in 4 * 16 + 1 or so, and what it took to find out. */
	EXPECT_LE(95, slow);
	EXPECT_GE(125, slow);
}

TEST_HARNESS_MAIN
