// SPDX-License-Identifier: GPL-2.0-only
/* Budgets: whatever is done at once, no more is spent than there was. */

#include "kselftest_harness.h"

#include <phi/phi.h>
#include <pthread.h>
#include <sys/mman.h>

#include "amounts.h"

#define THREADS 8
#define ROUNDS 300

FIXTURE(budget)
{
	int phi;
	uint64_t root;
	struct phi_system_stats before;
};

FIXTURE_SETUP(budget)
{
	ASSERT_EQ(0, do_baseline(&self->before))
	{
		TH_LOG("is phi.ko loaded?");
	}
	self->phi = do_open();
	ASSERT_LE(0, self->phi);
	ASSERT_EQ(0, do_budget(self->phi, 0, 100, 1000, &self->root));
}

FIXTURE_TEARDOWN(budget)
{
	close(self->phi);
	EXPECT_TRUE(do_restored(&self->before));
}

TEST_F(budget, reserve_then_settle)
{
	struct phi_cap_query query;
	uint64_t r;

	ASSERT_EQ(0, do_query(self->phi, self->root, &query));
	EXPECT_EQ(PHI_TYPE_BUDGET, query.type);
	ASSERT_EQ(0, do_reserve(self->phi, self->root, 60, 10, &r));
	EXPECT_TRUE(has(self->phi, self->root, CALLS, 100, 60, 0, 0));
	ASSERT_EQ(0, do_settle(self->phi, r, 25, 10));
	EXPECT_TRUE(has(self->phi, self->root, CALLS, 100, 0, 25, 0));
	EXPECT_TRUE(has(self->phi, self->root, TOKENS, 1000, 0, 10, 0));
	EXPECT_EQ(-ENOENT, do_settle(self->phi, r, 0, 0));
	/* Cancelled. */
	ASSERT_EQ(0, do_reserve(self->phi, self->root, 75, 0, &r));
	ASSERT_EQ(0, do_settle(self->phi, r, 0, 0));
	EXPECT_TRUE(has(self->phi, self->root, CALLS, 100, 0, 25, 0));
}

TEST_F(budget, of_the_library)
{
	uint64_t amount[PHI_BUDGET_KINDS] = { [PHI_BUDGET_CALLS] = 9 };
	uint64_t child, bell, r;
	struct phi_budget_query q;

	ASSERT_EQ(0, phi_budget_create(self->phi, self->root, amount, &child));
	ASSERT_EQ(0, do_notify(self->phi, &bell));
	ASSERT_EQ(0, phi_budget_watch(self->phi, child, bell, 1, 2));
	ASSERT_EQ(0, phi_budget_reserve(self->phi, child, amount, &r));
	EXPECT_EQ(3, bits_of(self->phi, bell));
	EXPECT_EQ(0, phi_budget_cancel(self->phi, r));
	EXPECT_EQ(-ENOENT, phi_budget_cancel(self->phi, r));
	ASSERT_EQ(0, phi_budget_grant(self->phi, child, self->root, amount));
	ASSERT_EQ(0, phi_budget_reserve(self->phi, child, amount, &r));
	ASSERT_EQ(0, phi_budget_settle(self->phi, r, amount));
	ASSERT_EQ(0, phi_budget_query(self->phi, child, &q));
	EXPECT_EQ(18, q.amount[CALLS]);
	EXPECT_EQ(9, q.spent[CALLS]);
}

TEST_F(budget, spent)
{
	struct phi_decision_query ask = {
		.flags = PHI_DECISION_BEFORE | PHI_DECISION_THREAD,
	};
	uint64_t r;

	ASSERT_EQ(0, do_reserve(self->phi, self->root, 30, 0, &r));
	/* All or nothing: there are tokens, and too few calls. */
	ASSERT_EQ(-EDQUOT, do_reserve(self->phi, self->root, 71, 1, &r));
	ASSERT_EQ(0, PHI_DO(self->phi, DECISION_QUERY, &ask));
	EXPECT_EQ(PHI_DECIDED_BUDGET, ask.decision.where);
	EXPECT_EQ(CALLS, ask.decision.kind);
	EXPECT_EQ(0, ask.decision.owner);
	EXPECT_EQ(71, ask.decision.asked);
	EXPECT_EQ(30, ask.decision.used);
	EXPECT_EQ(100, ask.decision.limit);
	EXPECT_EQ(self->root, ask.decision.handle);
	EXPECT_TRUE(has(self->phi, self->root, TOKENS, 1000, 0, 0, 0));
	/* The grant that the decision names lets it through. */
	ASSERT_EQ(0, do_grant_of(self->phi, self->root, self->root, 1));
	ASSERT_EQ(0, do_reserve(self->phi, self->root, 71, 1, &r));
	EXPECT_EQ(-EDQUOT, do_reserve(self->phi, self->root, 1, 0, &r));
}

TEST_F(budget, settle_more_than_reserved)
{
	uint64_t r, other;

	ASSERT_EQ(0, do_reserve(self->phi, self->root, 10, 0, &r));
	ASSERT_EQ(0, do_reserve(self->phi, self->root, 80, 0, &other));
	EXPECT_EQ(-EDQUOT, do_settle(self->phi, r, 21, 0));
	EXPECT_TRUE(has(self->phi, self->root, CALLS, 100, 90, 0, 0));
	EXPECT_EQ(-EDQUOT, do_settle(self->phi, r, 20, 1001));
	EXPECT_TRUE(has(self->phi, self->root, CALLS, 100, 90, 0, 0));
	EXPECT_EQ(0, do_settle(self->phi, r, 20, 5));
	EXPECT_TRUE(has(self->phi, self->root, CALLS, 100, 80, 20, 0));
	EXPECT_TRUE(has(self->phi, self->root, TOKENS, 1000, 0, 5, 0));
}

TEST_F(budget, overflow_and_negative)
{
	uint64_t huge, r, r2;

	EXPECT_EQ(-EINVAL, do_budget(self->phi, 0, PHI_BUDGET_MAX + 1, 0, &r));
	EXPECT_EQ(-EINVAL, do_budget(self->phi, 0, 0, (uint64_t)-1, &r));
	ASSERT_EQ(0, do_budget(self->phi, 0, PHI_BUDGET_MAX, 0, &huge));
	EXPECT_EQ(-EINVAL, do_reserve(self->phi, huge, (uint64_t)-1, 0, &r));
	EXPECT_EQ(-EINVAL, do_grant_of(self->phi, huge, huge, 1));
	EXPECT_EQ(-EINVAL, do_grant_of(self->phi, huge, huge, (uint64_t)-1));
	ASSERT_EQ(0, do_reserve(self->phi, huge, PHI_BUDGET_MAX, 0, &r));
	EXPECT_EQ(-EDQUOT, do_reserve(self->phi, huge, PHI_BUDGET_MAX, 0, &r2));
	EXPECT_EQ(-EDQUOT, do_reserve(self->phi, huge, 1, 0, &r2));
	EXPECT_EQ(-EINVAL, do_settle(self->phi, r, (uint64_t)-5, 0));
	EXPECT_TRUE(has(self->phi, huge, CALLS, PHI_BUDGET_MAX, PHI_BUDGET_MAX,
			0, 0));
	EXPECT_EQ(0, do_settle(self->phi, r, PHI_BUDGET_MAX, 0));
	EXPECT_TRUE(has(self->phi, huge, CALLS, PHI_BUDGET_MAX, 0,
			PHI_BUDGET_MAX, 0));
}

TEST_F(budget, below_another)
{
	uint64_t child, grandchild, other, r;

	ASSERT_EQ(0, do_budget(self->phi, self->root, 40, 0, &child));
	EXPECT_TRUE(has(self->phi, self->root, CALLS, 100, 0, 0, 40));
	EXPECT_EQ(-EDQUOT, do_budget(self->phi, self->root, 61, 0, &other));
	EXPECT_TRUE(has(self->phi, self->root, CALLS, 100, 0, 0, 40));
	ASSERT_EQ(0, do_budget(self->phi, child, 30, 0, &grandchild));
	EXPECT_EQ(-EDQUOT, do_reserve(self->phi, child, 11, 0, &r));
	EXPECT_EQ(-EDQUOT, do_reserve(self->phi, grandchild, 0, 1, &r));
	ASSERT_EQ(0, do_grant_of(self->phi, grandchild, child, 5));
	EXPECT_TRUE(has(self->phi, child, CALLS, 40, 0, 0, 35));
	EXPECT_EQ(-EDQUOT, do_grant_of(self->phi, grandchild, child, 6));
	EXPECT_EQ(-EINVAL, do_grant_of(self->phi, grandchild, self->root, 1));
	EXPECT_EQ(-EINVAL, do_grant_of(self->phi, child, child, 1));

	/* What the grandchild spent is the child's, the rest is free again. */
	ASSERT_EQ(0, do_reserve(self->phi, grandchild, 20, 0, &r));
	ASSERT_EQ(0, do_settle(self->phi, r, 12, 0));
	ASSERT_EQ(0, do_drop(self->phi, grandchild));
	EXPECT_TRUE(has(self->phi, child, CALLS, 40, 0, 12, 0));
	ASSERT_EQ(0, do_revoke(self->phi, self->root));
	EXPECT_EQ(-EKEYREVOKED, do_reserve(self->phi, child, 1, 0, &r));
	EXPECT_TRUE(has(self->phi, self->root, CALLS, 100, 0, 12, 0));
}

/* What a budget in the middle leaves goes to the one above it. */
TEST_F(budget, ends_before_what_is_below)
{
	uint64_t child, grandchild, r;

	ASSERT_EQ(0, do_budget(self->phi, self->root, 50, 0, &child));
	ASSERT_EQ(0, do_budget(self->phi, child, 20, 0, &grandchild));
	ASSERT_EQ(0, do_drop(self->phi, child));
	EXPECT_TRUE(has(self->phi, self->root, CALLS, 100, 0, 0, 20));
	ASSERT_EQ(0, do_reserve(self->phi, grandchild, 20, 0, &r));
	ASSERT_EQ(0, do_settle(self->phi, r, 7, 0));
	EXPECT_TRUE(has(self->phi, grandchild, CALLS, 20, 0, 7, 0));
	ASSERT_EQ(0, do_drop(self->phi, grandchild));
	EXPECT_TRUE(has(self->phi, self->root, CALLS, 100, 0, 7, 0));
}

TEST_F(budget, revoked_with_reservations)
{
	uint64_t child, r, r2;

	ASSERT_EQ(0, do_budget(self->phi, self->root, 50, 0, &child));
	ASSERT_EQ(0, do_reserve(self->phi, child, 20, 0, &r));
	ASSERT_EQ(0, do_reserve(self->phi, child, 10, 0, &r2));
	ASSERT_EQ(0, do_revoke(self->phi, self->root));
	EXPECT_TRUE(has(self->phi, self->root, CALLS, 100, 0, 0, 30));
	EXPECT_EQ(-EKEYREVOKED, do_settle(self->phi, r, 21, 0));
	EXPECT_EQ(0, do_settle(self->phi, r, 15, 0));
	EXPECT_TRUE(has(self->phi, self->root, CALLS, 100, 0, 0, 25));
	EXPECT_EQ(0, do_settle(self->phi, r2, 0, 0));
	EXPECT_TRUE(has(self->phi, self->root, CALLS, 100, 0, 15, 0));
}

TEST_F(budget, rights)
{
	uint64_t weak[3], out;
	const uint32_t rights[] = { PHI_RIGHT_READ, PHI_RIGHT_WRITE,
				    PHI_RIGHT_ADMIN };
	struct phi_budget_query q = {};

	for (int i = 0; i < 3; i++)
		ASSERT_EQ(0, do_derive(self->phi, self->root, rights[i],
				       &weak[i]));
	q.budget = weak[1];
	EXPECT_EQ(-EPERM, PHI_DO(self->phi, BUDGET_QUERY, &q));
	q.budget = weak[0];
	EXPECT_EQ(0, PHI_DO(self->phi, BUDGET_QUERY, &q));
	EXPECT_EQ(-EPERM, do_reserve(self->phi, weak[0], 1, 0, &out));
	EXPECT_EQ(0, do_reserve(self->phi, weak[1], 1, 0, &out));
	EXPECT_EQ(-EPERM, do_budget(self->phi, weak[1], 1, 0, &out));
	EXPECT_EQ(0, do_budget(self->phi, weak[2], 1, 0, &out));
	EXPECT_EQ(-EPERM, do_grant_of(self->phi, weak[2], self->root, 1));
	EXPECT_EQ(-EPERM, do_grant_of(self->phi, weak[0], weak[1], 1));
	EXPECT_EQ(0, do_grant_of(self->phi, weak[0], weak[2], 1));
	EXPECT_EQ(-EPERM, do_watch_of(self->phi, weak[1], 0, 0, 0));
	EXPECT_EQ(0, do_watch_of(self->phi, weak[2], 0, 0, 0));
}

TEST_F(budget, wrong_types)
{
	uint64_t notify, out;

	ASSERT_EQ(0, do_notify(self->phi, &notify));
	EXPECT_EQ(-EINVAL, do_budget(self->phi, notify, 1, 0, &out));
	EXPECT_EQ(-EBADF, do_budget(self->phi, 77, 1, 0, &out));
	EXPECT_EQ(-EINVAL, do_reserve(self->phi, notify, 1, 0, &out));
	EXPECT_EQ(-EINVAL, do_grant_of(self->phi, notify, self->root, 1));
	EXPECT_EQ(-EINVAL, do_grant_of(self->phi, self->root, notify, 1));
	EXPECT_EQ(-EINVAL, do_watch_of(self->phi, notify, 0, 0, 0));
	EXPECT_EQ(-EINVAL,
		  do_watch_of(self->phi, self->root, self->root, 1, 2));
	EXPECT_EQ(-EINVAL, do_watch_of(self->phi, self->root, notify, 0, 0));
	EXPECT_EQ(-EINVAL, do_watch_of(self->phi, self->root, 0, 1, 0));
	EXPECT_EQ(-ENOENT, do_settle(self->phi, 0, 0, 0));
}

TEST_F(budget, watch)
{
	uint64_t notify, child, r, r2;

	ASSERT_EQ(0, do_notify(self->phi, &notify));
	ASSERT_EQ(0, do_watch_of(self->phi, self->root, notify, 1, 2));
	ASSERT_EQ(0, do_reserve(self->phi, self->root, 79, 0, &r));
	EXPECT_EQ(0, bits_of(self->phi, notify));
	ASSERT_EQ(0, do_reserve(self->phi, self->root, 1, 0, &r2));
	EXPECT_EQ(1, bits_of(self->phi, notify));
	/* What goes below a mark comes to it again. */
	ASSERT_EQ(0, do_settle(self->phi, r, 0, 0));
	EXPECT_EQ(0, bits_of(self->phi, notify));
	ASSERT_EQ(0, do_budget(self->phi, self->root, 99, 0, &child));
	EXPECT_EQ(3, bits_of(self->phi, notify));
	ASSERT_EQ(0, do_drop(self->phi, child));
	ASSERT_EQ(0, do_reserve(self->phi, self->root, 0, 1000, &r));
	EXPECT_EQ(3, bits_of(self->phi, notify));
	/* To settle what was reserved reaches no mark anew. */
	ASSERT_EQ(0, do_settle(self->phi, r, 0, 1000));
	EXPECT_EQ(0, bits_of(self->phi, notify));

	ASSERT_EQ(0, do_watch_of(self->phi, self->root, 0, 0, 0));
	ASSERT_EQ(0, do_reserve(self->phi, self->root, 99, 0, &r));
	EXPECT_EQ(0, bits_of(self->phi, notify));
	ASSERT_EQ(0, do_settle(self->phi, r, 0, 0));
	/* With the capability of the notify ends the watch. */
	ASSERT_EQ(0, do_derive(self->phi, notify, PHI_RIGHT_WRITE, &child));
	ASSERT_EQ(0, do_watch_of(self->phi, self->root, child, 4, 8));
	ASSERT_EQ(0, do_drop(self->phi, child));
	ASSERT_EQ(0, do_reserve(self->phi, self->root, 99, 0, &r));
	EXPECT_EQ(0, bits_of(self->phi, notify));
}

static int not_the_maker(void *arg)
{
	struct phi_token *token = arg;
	uint64_t budget, out;
	int phi;

	if (become(60111))
		return -1;
	phi = do_open();
	if (phi < 0 || do_unseal(phi, token, &budget))
		return -2;
	if (do_budget(phi, budget, 5, 0, &out))
		return -3;
	return do_grant_of(phi, budget, budget, 1);
}

/* A holder of all rights raises nothing that another user made. */
TEST_F(budget, raised_by_its_maker_alone)
{
	struct phi_token token;

	ASSERT_EQ(0, do_seal(self->phi, self->root,
			     PHI_RIGHT_READ | PHI_RIGHT_WRITE | PHI_RIGHT_ADMIN,
			     0, 0, &token));
	EXPECT_EQ(-EPERM, in_child(not_the_maker, &token));
	EXPECT_TRUE(has(self->phi, self->root, CALLS, 100, 0, 0, 0));
}

static int reserve_and_die(void *arg)
{
	uint64_t budget, r;
	int phi = do_open();

	if (phi < 0 || do_unseal(phi, arg, &budget))
		return -1;
	if (do_reserve(phi, budget, 33, 0, &r) ||
	    do_reserve(phi, budget, 33, 0, &r) || do_settle(phi, r, 4, 0))
		return -2;
	kill(getpid(), SIGKILL);
	return 0;
}

/* A holder that dies leaves what it spent, and no reservation. */
TEST_F(budget, death_of_a_holder)
{
	struct phi_token token;

	ASSERT_EQ(0, do_seal(self->phi, self->root, PHI_RIGHT_WRITE, 0, 0,
			     &token));
	EXPECT_EQ(-ECHILD, in_child(reserve_and_die, &token));
	EXPECT_TRUE(has(self->phi, self->root, CALLS, 100, 0, 4, 0));
}

struct spender {
	int phi;
	uint64_t budget;
	uint64_t spent;
	bool wrong;
};

/* Spend odd amounts, through budgets of its own too, until nothing is left. */
static void *spend(void *arg)
{
	struct spender *s = arg;

	for (int i = 0; i < ROUNDS; i++) {
		uint64_t n = 1 + i % 7, r, child = 0;
		uint64_t from = s->budget;
		int ret;

		if (i % 3 == 0 && !do_budget(s->phi, s->budget, n, 0, &child))
			from = child;
		ret = do_reserve(s->phi, from, n, 0, &r);
		if (!ret) {
			uint64_t use = i % 5 ? n : n / 2;

			if (do_settle(s->phi, r, use, 0))
				s->wrong = true;
			else
				s->spent += use;
		} else if (ret != -EDQUOT) {
			s->wrong = true;
		}
		if (child)
			do_drop(s->phi, child);
	}
	return NULL;
}

/* Threads on one budget and on those below: the sum is exact. */
TEST_F(budget, fan_out)
{
	const uint64_t amount = 5000;
	struct spender s[THREADS] = {};
	pthread_t thread[THREADS];
	uint64_t root, below, spent = 0;

	ASSERT_EQ(0, do_budget(self->phi, 0, amount, 0, &root));
	ASSERT_EQ(0, do_budget(self->phi, root, 2000, 0, &below));
	for (int i = 0; i < THREADS; i++) {
		s[i].phi = self->phi;
		s[i].budget = i % 2 ? root : below;
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, spend, &s[i]));
	}
	for (int i = 0; i < THREADS; i++) {
		ASSERT_EQ(0, pthread_join(thread[i], NULL));
		EXPECT_FALSE(s[i].wrong);
		spent += s[i].spent;
	}
	EXPECT_GE(amount, spent);
	/* They asked for more than there was. */
	EXPECT_LT(amount - 10, spent);
	ASSERT_EQ(0, do_drop(self->phi, below));
	EXPECT_TRUE(has(self->phi, root, CALLS, amount, 0, spent, 0));
}

struct racer {
	int phi;
	uint64_t reservation;
	int ret;
};

static void *settle(void *arg)
{
	struct racer *r = arg;

	r->ret = do_settle(r->phi, r->reservation, 3, 0);
	return NULL;
}

/* Of two that settle one reservation, one does. */
TEST_F(budget, settled_once)
{
	for (int round = 0; round < 30; round++) {
		struct racer a = { .phi = self->phi }, b;
		pthread_t thread;

		ASSERT_EQ(0, do_reserve(self->phi, self->root, 3, 0,
					&a.reservation));
		b = a;
		ASSERT_EQ(0, pthread_create(&thread, NULL, settle, &a));
		settle(&b);
		ASSERT_EQ(0, pthread_join(thread, NULL));
		EXPECT_EQ(-ENOENT, a.ret + b.ret);
		EXPECT_TRUE(has(self->phi, self->root, CALLS, 100, 0,
				3 * (round + 1), 0));
	}
}

TEST_HARNESS_MAIN
