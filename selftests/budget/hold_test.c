// SPDX-License-Identifier: GPL-2.0-only
/* Budgets: a capability that ended, or lacks a right, takes and shows no more. */

#include "kselftest_harness.h"

#include <phi/phi.h>

#include "amounts.h"

FIXTURE(hold)
{
	int phi;
	uint64_t root;
	struct phi_system_stats before;
};

FIXTURE_SETUP(hold)
{
	ASSERT_EQ(0, do_baseline(&self->before))
	{
		TH_LOG("is phi.ko loaded?");
	}
	self->phi = do_open();
	ASSERT_LE(0, self->phi);
	ASSERT_EQ(0, do_budget(self->phi, 0, 100, 1000, &self->root));
}

FIXTURE_TEARDOWN(hold)
{
	close(self->phi);
	EXPECT_TRUE(do_restored(&self->before));
}

/* Who has lost the capability settles what it reserved, and takes no more. */
TEST_F(hold, revoked_holder_takes_no_more)
{
	struct phi_decision_query ask = {
		.flags = PHI_DECISION_BEFORE | PHI_DECISION_THREAD,
	};
	uint64_t lent, dropped, r, r2;

	ASSERT_EQ(0, do_derive(self->phi, self->root, PHI_RIGHT_WRITE, &lent));
	ASSERT_EQ(0,
		  do_derive(self->phi, self->root, PHI_RIGHT_WRITE, &dropped));
	ASSERT_EQ(0, do_reserve(self->phi, lent, 1, 0, &r));
	ASSERT_EQ(0, do_reserve(self->phi, dropped, 1, 0, &r2));
	ASSERT_EQ(0, do_drop(self->phi, dropped));
	EXPECT_EQ(-EKEYREVOKED, do_settle(self->phi, r2, 2, 0));
	ASSERT_EQ(0, do_revoke(self->phi, self->root));
	EXPECT_EQ(-EKEYREVOKED, do_settle(self->phi, r, 99, 0));
	ASSERT_EQ(0, PHI_DO(self->phi, DECISION_QUERY, &ask));
	EXPECT_EQ(PHI_DECIDED_REVOKED, ask.decision.where);
	EXPECT_EQ(lent, ask.decision.handle);
	EXPECT_EQ(0, ask.decision.limit);
	EXPECT_EQ(-EKEYREVOKED, do_settle(self->phi, r, 1, 1));
	EXPECT_TRUE(has(self->phi, self->root, CALLS, 100, 2, 0, 0));
	EXPECT_EQ(0, do_settle(self->phi, r, 1, 0));
	EXPECT_EQ(0, do_settle(self->phi, r2, 0, 0));
	EXPECT_TRUE(has(self->phi, self->root, CALLS, 100, 0, 1, 0));
}

/* A decision tells what a budget has to who may read that. */
TEST_F(hold, not_told_without_read)
{
	struct phi_decision_query ask = {
		.flags = PHI_DECISION_BEFORE | PHI_DECISION_THREAD,
	};
	uint64_t weak, r, r2;

	ASSERT_EQ(0, do_derive(self->phi, self->root,
			       PHI_RIGHT_WRITE | PHI_RIGHT_ADMIN, &weak));
	ASSERT_EQ(0, do_reserve(self->phi, weak, 30, 0, &r));
	ASSERT_EQ(-EDQUOT, do_reserve(self->phi, weak, 71, 0, &r2));
	ASSERT_EQ(0, PHI_DO(self->phi, DECISION_QUERY, &ask));
	EXPECT_EQ(weak, ask.decision.handle);
	EXPECT_EQ(71, ask.decision.asked);
	EXPECT_EQ(0, ask.decision.used);
	EXPECT_EQ(0, ask.decision.limit);
	ASSERT_EQ(-EDQUOT, do_settle(self->phi, r, 101, 0));
	ask.id = 0;
	ASSERT_EQ(0, PHI_DO(self->phi, DECISION_QUERY, &ask));
	EXPECT_EQ(weak, ask.decision.handle);
	EXPECT_EQ(101, ask.decision.asked);
	EXPECT_EQ(0, ask.decision.limit);
	ASSERT_EQ(-EDQUOT, do_budget(self->phi, weak, 71, 0, &r2));
	ASSERT_EQ(0, PHI_DO(self->phi, DECISION_QUERY, &ask));
	EXPECT_EQ(71, ask.decision.asked);
	EXPECT_EQ(0, ask.decision.limit);
}

/* A budget that cannot be made for its depth sets off no alarm. */
TEST_F(hold, no_alarm_for_what_fails)
{
	uint64_t deep = self->root, notify, out;
	struct phi_cap_query query;

	do {
		ASSERT_EQ(0,
			  do_derive(self->phi, deep,
				    PHI_RIGHT_READ | PHI_RIGHT_ADMIN, &deep));
		ASSERT_EQ(0, do_query(self->phi, deep, &query));
	} while (query.depth < PHI_DEPTH_MAX);
	ASSERT_EQ(0, do_notify(self->phi, &notify));
	ASSERT_EQ(0, do_watch_of(self->phi, self->root, notify, 1, 2));
	EXPECT_EQ(-ELOOP, do_budget(self->phi, deep, 100, 0, &out));
	EXPECT_EQ(0, bits_of(self->phi, notify));
	EXPECT_TRUE(has(self->phi, self->root, CALLS, 100, 0, 0, 0));
}

TEST_HARNESS_MAIN
