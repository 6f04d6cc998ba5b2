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
	unit.average_ns = PHI_AVERAGE_MAX_NS;
	unit.in_flight = 4096;
	EXPECT_LT(PHI_AVERAGE_MAX_NS, phi_select_score(&unit, &w));
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

TEST(unknown_units_get_the_mean_of_the_known)
{
	struct phi_candidate units[4] = { idle(0), idle(1), idle(2), idle(3) };

	units[0].average_ns = 100;
	units[1].average_ns = 0;
	units[2].average_ns = 201;
	units[3].average_ns = 0;
	phi_select_fill(units, 4);
	EXPECT_EQ(100, units[0].average_ns);
	EXPECT_EQ(150, units[1].average_ns);
	EXPECT_EQ(201, units[2].average_ns);
	EXPECT_EQ(150, units[3].average_ns);

	units[0].average_ns = 0;
	phi_select_fill(units, 1);
	EXPECT_EQ(PHI_GUESS_NS, units[0].average_ns);
	phi_select_fill(NULL, 0);
}

TEST(averages_move_by_an_eighth)
{
	EXPECT_EQ(800, phi_select_average(0, 800));
	EXPECT_EQ(900, phi_select_average(800, 1600));
	EXPECT_EQ(700, phi_select_average(796, 28));
	/* 0 counts as 1 ns. */
	EXPECT_EQ(701, phi_select_average(800, 0));
	EXPECT_EQ(800, phi_select_average(800, 807));
	EXPECT_EQ(1, phi_select_average(0, 0));
	EXPECT_EQ(PHI_AVERAGE_MAX_NS, phi_select_average(0, ~0ULL));
	EXPECT_EQ(PHI_AVERAGE_MAX_NS,
		  phi_select_average(PHI_AVERAGE_MAX_NS, ~0ULL));
}

TEST(averages_converge)
{
	__u64 average = phi_select_average(0, 100 * MS);
	int i;

	for (i = 0; i < 200; i++)
		average = phi_select_average(average, MS);
	EXPECT_GE(MS + 8, average);
	EXPECT_LE(MS, average);
}

TEST_HARNESS_MAIN
