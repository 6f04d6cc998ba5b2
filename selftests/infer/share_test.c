// SPDX-License-Identifier: GPL-2.0-only
/*
 * What users do to each other on a shared unit.
 */

#include "kselftest_harness.h"

#include "infer_ioctl.h"

FIXTURE(share)
{
	int phi;
	uint64_t unit;
	uint64_t model;
	uint32_t unit_id;
	uint64_t model_id;
	struct phi_system_stats before;
};

FIXTURE_SETUP(share)
{
	self->phi = do_open();
	ASSERT_LE(0, self->phi)
	{
		TH_LOG("is phi.ko loaded?");
	}
	ASSERT_EQ(0, do_stats(self->phi, &self->before));
	ASSERT_EQ(0, do_unit(self->phi, PHI_UNIT_CPU, 2, &self->unit_id,
			     &self->unit));
	ASSERT_EQ(0, do_model(self->phi, 32, 7, &self->model_id, &self->model));
}

/* Whatever a test did, closing gives it all back. */
FIXTURE_TEARDOWN(share)
{
	close(self->phi);
	EXPECT_TRUE(do_restored(&self->before));
}

static uint32_t in_flight(int phi, uint32_t unit)
{
	struct phi_unit_query query;

	return do_unit_query(phi, unit, &query) ? ~0U : query.in_flight;
}

/* Give another user's file a capability to run the model. */
static int lend_model(int phi, uint64_t model, int other, uint64_t *cap)
{
	struct phi_token token;

	return do_seal(phi, model, PHI_RIGHT_EXEC, 0, 0, &token) ?:
		       do_unseal(other, &token, cap);
}

#define FLOOD 1000

/* Begin batches that nobody runs, until something refuses. */
static int flood(int phi, uint64_t model)
{
	struct phi_infer_begin begin;
	int n;

	for (n = 0; n < FLOOD; n++) {
		if (do_begin(phi, model, 1, &begin))
			break;
	}
	return n;
}

TEST_F(share, others_count_no_more_than_capacity)
{
	struct phi_infer_select select;
	struct phi_infer_begin begin;
	struct phi_unit_query unit;
	uint64_t model, more, id;
	int phi[2];

	phi[0] = do_open_as(60001);
	phi[1] = do_open_as(60002);
	ASSERT_LE(0, phi[0]);
	ASSERT_LE(0, phi[1]);
	ASSERT_EQ(0, do_model(phi[0], 1, 0, &id, &model));
	ASSERT_EQ(0, do_model(phi[1], 1, 0, &id, &more));

	/* The unit runs two: full, and one more waits for half a run. */
	EXPECT_EQ(FLOOD, flood(phi[0], model));
	EXPECT_EQ(FLOOD, in_flight(self->phi, self->unit_id));
	ASSERT_EQ(0, do_select(self->phi, self->model, 1, &select));
	EXPECT_EQ(1500000, select.score_ns);
	/* The one who began them waits for all of them. */
	ASSERT_EQ(0, do_select(phi[0], model, 1, &select));
	EXPECT_EQ(1000000 + 1000000ULL * (FLOOD + 1 - 2) / 2, select.score_ns);
	/* Each other user takes its turn, and a part of one counts as that. */
	ASSERT_EQ(0, do_begin(phi[1], more, 1, &begin));
	ASSERT_EQ(0, do_select(self->phi, self->model, 1, &select));
	EXPECT_EQ(2000000, select.score_ns);
	EXPECT_EQ(0, do_end(phi[1], begin.ticket, 0));

	/* What was never run leaves no figures behind. */
	close(phi[0]);
	ASSERT_EQ(0, do_select(self->phi, self->model, 1, &select));
	EXPECT_EQ(1000000, select.score_ns);
	ASSERT_EQ(0, do_unit_query(self->phi, self->unit_id, &unit));
	EXPECT_EQ(0, unit.in_flight);
	EXPECT_EQ(1, unit.batches);
	EXPECT_EQ(1, unit.items);
	close(phi[1]);
}

TEST_F(share, shares_follow_the_unit_not_its_number)
{
	struct phi_infer_select select;
	struct phi_infer_begin old, new;
	uint64_t model, model_id;
	int phi = do_open_as(60001);
	uint32_t id;

	ASSERT_LE(0, phi);
	ASSERT_EQ(0, do_model(phi, 1, 0, &model_id, &model));
	ASSERT_EQ(0, do_begin(phi, model, 1, &old));
	ASSERT_EQ(0, do_drop(self->phi, self->unit));
	ASSERT_EQ(0, do_unit(self->phi, PHI_UNIT_CPU, 1, &id, &self->unit));
	ASSERT_EQ(self->unit_id, id);
	ASSERT_EQ(0, do_select(self->phi, self->model, 1, &select));
	EXPECT_EQ(1000000, select.score_ns);
	ASSERT_EQ(0, do_begin(phi, model, 1, &new));
	EXPECT_EQ(0, do_end(phi, old.ticket, 0));
	/* The new one counts, the end of the old one changes nothing. */
	ASSERT_EQ(0, do_select(self->phi, self->model, 1, &select));
	EXPECT_EQ(2000000, select.score_ns);
	EXPECT_EQ(0, do_end(phi, new.ticket, 0));
	ASSERT_EQ(0, do_select(self->phi, self->model, 1, &select));
	EXPECT_EQ(1000000, select.score_ns);
	close(phi);
}

TEST_F(share, others_teach_a_model_nothing)
{
	struct phi_infer_select before, after;
	struct phi_infer_begin begin;
	uint64_t model, unit;
	int phi = do_open_as(60001), i;
	uint32_t id;

	ASSERT_LE(0, phi);
	ASSERT_EQ(0, lend_model(self->phi, self->model, phi, &model));
	ASSERT_EQ(0, do_select(self->phi, self->model, 1, &before));
	ASSERT_EQ(0, do_begin(phi, model, 1, &begin));
	usleep(20000);
	ASSERT_EQ(0, do_end(phi, begin.ticket, 0));
	ASSERT_EQ(0, do_select(self->phi, self->model, 1, &after));
	EXPECT_EQ(before.score_ns, after.score_ns);

	/* Nor do theirs age the unit that they were not given to. */
	ASSERT_EQ(0, do_unit(self->phi, PHI_UNIT_GPU, 2, &id, &unit));
	for (i = 0; i < 100; i++) {
		ASSERT_EQ(0, do_begin(phi, model, 1, &begin));
		EXPECT_EQ(self->unit_id, begin.unit);
		ASSERT_EQ(0, do_end(phi, begin.ticket, 0));
	}
	ASSERT_EQ(0, do_select(self->phi, self->model, 1, &after));
	EXPECT_EQ(self->unit_id, after.unit);
	EXPECT_EQ(before.score_ns, after.score_ns);
	close(phi);
}

TEST_HARNESS_MAIN
