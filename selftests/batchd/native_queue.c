// SPDX-License-Identifier: GPL-2.0-only
/*
 * The line of a model: order, bounds, slices, deadlines, counters, and the
 * fairness between models.
 */
#include <errno.h>
#include <stdlib.h>

#include <kselftest_harness.h>

#include "queue.h"

FIXTURE(queue)
{
	struct queue q;
	struct queue_credit credit;
	struct queue_credit share;
	struct queue_item items[8];
	struct queue_slice slices[64];
	uint32_t n;
};

FIXTURE_SETUP(queue)
{
	int i;

	queue_init(&self->q, 32);
	self->credit = (struct queue_credit){ .limit = 4 };
	self->share = (struct queue_credit){ .limit = 24 };
	for (i = 0; i < 8; i++) {
		self->items[i] = (struct queue_item){ .credit = &self->credit,
						      .share = &self->share,
						      .rows = 1,
						      .level = 1 };
	}
}

FIXTURE_TEARDOWN(queue)
{
	EXPECT_TRUE(queue_balanced(&self->q));
	EXPECT_EQ(self->q.stats.waiting + self->q.stats.running,
		  self->credit.used);
}

TEST_F(queue, serves_by_priority_then_arrival)
{
	static const int order[] = { 2, 0, 1, 3 };
	uint32_t i;

	self->items[1].level = 0;
	self->items[2].level = 3;
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, queue_push(&self->q, &self->items[order[i]],
					100 + i));
	}
	EXPECT_EQ(100, queue_oldest_ns(&self->q));
	EXPECT_EQ(1, queue_ahead(&self->q, 0));
	EXPECT_EQ(3, queue_ahead(&self->q, 1));
	EXPECT_EQ(4, queue_ahead(&self->q, 3));
	EXPECT_EQ(4, queue_bind(&self->q, 9, 200, self->slices, &self->n));
	ASSERT_EQ(4, self->n);
	EXPECT_EQ(&self->items[1], self->slices[0].item);
	EXPECT_EQ(&self->items[0], self->slices[1].item);
	EXPECT_EQ(&self->items[3], self->slices[2].item);
	EXPECT_EQ(&self->items[2], self->slices[3].item);
	for (i = 0; i < 4; i++) {
		EXPECT_TRUE(queue_unbind(&self->q, &self->slices[i], 0));
	}
	EXPECT_EQ(4, self->q.stats.done);
	EXPECT_EQ(0, self->share.used);
	EXPECT_EQ(NULL, queue_head(&self->q));
	EXPECT_EQ(UINT64_MAX, queue_oldest_ns(&self->q));
}

TEST_F(queue, refuses_what_is_too_much)
{
	struct queue_credit other = { .limit = 100 };
	uint32_t i;

	self->items[0].rows = 0;
	EXPECT_EQ(-EINVAL, queue_push(&self->q, &self->items[0], 1));
	self->items[0].rows = 1;
	self->items[0].level = QUEUE_LEVELS;
	EXPECT_EQ(-EINVAL, queue_push(&self->q, &self->items[0], 1));
	self->items[1].rows = 25;
	EXPECT_EQ(-EDQUOT, queue_push(&self->q, &self->items[1], 1));
	self->items[1].rows = 24;
	EXPECT_EQ(0, queue_push(&self->q, &self->items[1], 1));
	EXPECT_EQ(-EDQUOT, queue_push(&self->q, &self->items[2], 1));

	/* Another user has its own share, of a line that fills up. */
	for (i = 2; i < 6; i++) {
		self->items[i].share = &other;
	}
	self->items[2].rows = 9;
	EXPECT_EQ(-EAGAIN, queue_push(&self->q, &self->items[2], 1));
	self->items[2].rows = UINT32_MAX;
	EXPECT_EQ(-EDQUOT, queue_push(&self->q, &self->items[2], 1));
	self->items[2].rows = 6;
	EXPECT_EQ(0, queue_push(&self->q, &self->items[2], 1));
	EXPECT_EQ(0, queue_push(&self->q, &self->items[3], 1));
	EXPECT_EQ(0, queue_push(&self->q, &self->items[4], 1));
	/* There is room, but four requests are all the client may have. */
	EXPECT_EQ(-EDQUOT, queue_push(&self->q, &self->items[5], 1));
	EXPECT_EQ(7, self->q.stats.refused);
	EXPECT_EQ(4, self->q.stats.accepted);
}

/* As many as a number can say do not wrap around. */
TEST_F(queue, refuses_the_most_rows_there_can_be)
{
	struct queue_credit all = { .limit = UINT32_MAX };

	ASSERT_EQ(0, queue_push(&self->q, &self->items[0], 1));
	self->items[1].share = &all;
	self->items[1].rows = UINT32_MAX;
	EXPECT_EQ(-EAGAIN, queue_push(&self->q, &self->items[1], 1));
}

/* The oldest may be in any level. */
TEST_F(queue, knows_the_oldest)
{
	self->items[0].level = 0;
	self->items[1].level = 2;
	ASSERT_EQ(0, queue_push(&self->q, &self->items[0], 100));
	ASSERT_EQ(0, queue_push(&self->q, &self->items[1], 200));
	EXPECT_EQ(100, queue_oldest_ns(&self->q));
	self->items[2].level = 3;
	ASSERT_EQ(0, queue_push(&self->q, &self->items[2], 50));
	EXPECT_EQ(50, queue_oldest_ns(&self->q));
}

TEST_F(queue, spreads_a_request_over_batches)
{
	struct queue_slice first, second;

	self->items[0].rows = 5;
	queue_push(&self->q, &self->items[0], 1);
	queue_push(&self->q, &self->items[1], 2);
	EXPECT_EQ(3, queue_bind(&self->q, 3, 10, &first, &self->n));
	EXPECT_EQ(1, self->n);
	EXPECT_EQ(0, first.first);
	EXPECT_EQ(3, queue_bind(&self->q, 8, 11, self->slices, &self->n));
	ASSERT_EQ(2, self->n);
	second = self->slices[0];
	EXPECT_EQ(3, second.first);
	EXPECT_EQ(2, second.count);
	/* The second half ends before the first: not done yet. */
	EXPECT_FALSE(queue_unbind(&self->q, &second, 0));
	EXPECT_TRUE(queue_unbind(&self->q, &self->slices[1], 0));
	EXPECT_TRUE(queue_unbind(&self->q, &first, 0));
	EXPECT_EQ(10, self->items[0].started_ns);
	EXPECT_EQ(0, self->share.used);
}

TEST_F(queue, runs_nothing_more_of_a_failed_request)
{
	struct queue_slice a, b;

	self->items[0].rows = 6;
	queue_push(&self->q, &self->items[0], 1);
	queue_bind(&self->q, 2, 10, &a, &self->n);
	queue_bind(&self->q, 2, 10, &b, &self->n);
	EXPECT_FALSE(queue_unbind(&self->q, &a, -EFAULT));
	EXPECT_EQ(0, self->q.rows);
	EXPECT_EQ(0, queue_bind(&self->q, 2, 10, self->slices, &self->n));
	EXPECT_TRUE(queue_unbind(&self->q, &b, -EIO));
	EXPECT_EQ(-EFAULT, self->items[0].status);
	EXPECT_EQ(1, self->q.stats.failed);
	EXPECT_EQ(0, self->share.used);
}

TEST_F(queue, expires_what_has_not_started)
{
	struct queue_slice slice;

	self->items[0].deadline_ns = 50;
	self->items[0].rows = 2;
	self->items[1].deadline_ns = 60;
	self->items[2].deadline_ns = 0;
	queue_push(&self->q, &self->items[0], 1);
	queue_push(&self->q, &self->items[1], 1);
	queue_push(&self->q, &self->items[2], 1);
	EXPECT_EQ(NULL, queue_expire(&self->q, 49));
	queue_bind(&self->q, 1, 49, &slice, &self->n);
	/* The first has started: its end is awaited. */
	EXPECT_EQ(NULL, queue_expire(&self->q, 55));
	queue_unbind(&self->q, &slice, 0);
	queue_bind(&self->q, 1, 55, &slice, &self->n);
	EXPECT_TRUE(queue_unbind(&self->q, &slice, 0));
	EXPECT_EQ(&self->items[1], queue_expire(&self->q, 60));
	EXPECT_EQ(-ETIMEDOUT, self->items[1].status);
	EXPECT_EQ(NULL, queue_expire(&self->q, 1000));
	EXPECT_EQ(1, self->q.stats.expired);
	EXPECT_EQ(1, self->share.used);
}

TEST_F(queue, takes_out_of_the_line)
{
	struct queue_slice slice;

	self->items[2].rows = 3;
	queue_push(&self->q, &self->items[2], 1);
	queue_push(&self->q, &self->items[0], 1);
	queue_push(&self->q, &self->items[1], 1);
	EXPECT_TRUE(queue_fail(&self->q, &self->items[0], -ECANCELED));
	EXPECT_TRUE(queue_fail(&self->q, &self->items[1], -EPERM));
	EXPECT_EQ(-EPERM, self->items[1].status);
	EXPECT_EQ(1, self->q.stats.dropped);
	EXPECT_EQ(1, self->q.stats.failed);
	EXPECT_EQ(3, self->q.rows);

	/* What runs is waited for. */
	queue_bind(&self->q, 1, 5, &slice, &self->n);
	EXPECT_FALSE(queue_fail(&self->q, &self->items[2], -ECANCELED));
	EXPECT_EQ(0, self->q.rows);
	EXPECT_EQ(3, self->share.used);
	EXPECT_TRUE(queue_unbind(&self->q, &slice, 0));
	EXPECT_EQ(2, self->q.stats.dropped);
	EXPECT_EQ(0, self->share.used);
}

TEST(fair_turns_share_time_not_batches)
{
	struct queue a, b, idle;
	struct queue *queues[] = { &a, &b, &idle };
	uint64_t cost[] = { 100, 700, 0 };
	uint64_t time[3] = {};
	uint32_t next = 0;
	int i;

	queue_init(&a, 1);
	queue_init(&b, 1);
	queue_init(&idle, 1);
	for (i = 0; i < 8000; i++) {
		uint32_t turn = queue_turn(queues, cost, 3, &next);

		ASSERT_GT(2, turn);
		time[turn] += cost[turn];
	}
	EXPECT_LE(llabs((long long)time[0] - (long long)time[1]), 1400);

	/* Who comes back from idle gets no time for the past. */
	cost[2] = 100;
	time[0] = 0;
	time[2] = 0;
	for (i = 0; i < 1500; i++) {
		uint32_t turn = queue_turn(queues, cost, 3, &next);

		time[turn] += cost[turn];
	}
	EXPECT_LE(llabs((long long)time[0] - (long long)time[2]), 1400);

	cost[0] = 0;
	cost[1] = 0;
	cost[2] = 0;
	EXPECT_EQ(3, queue_turn(queues, cost, 3, &next));
}

/* A queue that was empty saves up no turns. */
TEST(idle_queues_have_no_claim)
{
	struct queue a, b;
	struct queue *queues[] = { &a, &b };
	uint64_t cost[] = { 700, 100 };
	uint32_t next = 0;
	int i;

	queue_init(&a, 1);
	queue_init(&b, 1);
	for (i = 0; i < 100 && !b.deficit_ns; i++)
		queue_turn(queues, cost, 2, &next);
	ASSERT_LT(0, b.deficit_ns);
	cost[1] = 0;
	EXPECT_EQ(0, queue_turn(queues, cost, 2, &next));
	EXPECT_EQ(0, b.deficit_ns);
}

/* Whatever happens in whatever order, the counters add up. */
TEST(counters_do_not_drift)
{
	struct queue_credit credits[3] = { { 12, 0 }, { 6, 0 }, { 3, 0 } };
	struct queue_credit share = { .limit = 60 };
	struct queue_slice running[32], slices[16];
	uint32_t nrunning = 0, n, i;
	struct queue_item *item;
	struct queue q;
	uint64_t now;

	srandom(7);
	queue_init(&q, 64);
	for (now = 1; now < 400000; now++) {
		switch (random() % 4) {
		case 0:
		case 1:
			item = calloc(1, sizeof(*item));
			item->credit = &credits[random() % 3];
			item->share = &share;
			item->rows = 1 + random() % 6;
			item->level = random() % QUEUE_LEVELS;
			item->deadline_ns = now + random() % 40;
			if (queue_push(&q, item, now))
				free(item);
			break;
		case 2:
			while ((item = queue_expire(&q, now)))
				free(item);
			if (nrunning > 16)
				break;
			queue_bind(&q, 1 + random() % 16, now, slices, &n);
			for (i = 0; i < n; i++)
				running[nrunning++] = slices[i];
			break;
		default:
			if (!nrunning)
				break;
			i = random() % nrunning;
			item = running[i].item;
			if (queue_unbind(&q, &running[i],
					 random() % 5 ? 0 : -EIO))
				free(item);
			running[i] = running[--nrunning];
		}
		if (now % 1000 == 0) {
			ASSERT_TRUE(queue_balanced(&q));
		}
	}
	while (nrunning) {
		item = running[--nrunning].item;
		if (queue_unbind(&q, &running[nrunning], 0))
			free(item);
	}
	while ((item = queue_head(&q))) {
		EXPECT_TRUE(queue_fail(&q, item, -ECANCELED));
		free(item);
	}
	EXPECT_TRUE(queue_balanced(&q));
	EXPECT_EQ(0, q.rows);
	EXPECT_EQ(0, q.stats.waiting);
	EXPECT_EQ(0, q.stats.running);
	EXPECT_EQ(0, share.used);
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(0, credits[i].used);
	}
	EXPECT_GT(q.stats.expired, 1000);
	EXPECT_GT(q.stats.done, 1000);
	EXPECT_GT(q.stats.refused, 1000);
}

TEST_HARNESS_MAIN
