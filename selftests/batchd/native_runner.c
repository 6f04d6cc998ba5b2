// SPDX-License-Identifier: GPL-2.0-only
/*
 * A runner with real models: the answers of the requests in its batches, and
 * the run times that it keeps. Batches start from tickets, like those that
 * another runner began; the thread ends with the last one.
 */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include <kselftest.h>
#include <kselftest_harness.h>

#include "rig.h"

#define UNTOUCHED (-7.0f)

FIXTURE(runner)
{
	struct rig rig;
	uint64_t before; /* the first request came */
};

/* No two rows of all clients are alike. */
static float value(int client, uint32_t row)
{
	return 100 * (client + 1) + row;
}

FIXTURE_SETUP(runner)
{
	struct rig *rig = &self->rig;
	uint32_t row, k;
	int i;

	ASSERT_EQ(0, rig_init(rig));
	self->before = clock_ns();
	for (i = 0; i < RIG_CLIENTS; i++) {
		for (row = 0; row < RIG_BATCH; row++) {
			for (k = 0; k < RIG_WIDTH; k++) {
				rig->in[i].mem[row * RIG_WIDTH + k] =
					value(i, row) + k / 8.0f;
				rig->out[i].mem[row * RIG_WIDTH + k] =
					UNTOUCHED;
			}
		}
	}
}

FIXTURE_TEARDOWN(runner)
{
	EXPECT_TRUE(rig_fini(&self->rig));
}

#define SUBMIT(_client, _tag, _rows) \
	ASSERT_EQ(0, submit(&self->rig, _client, _tag, _rows))

static int submit(struct rig *rig, int i, uint64_t tag, uint32_t rows)
{
	struct phi_batch_request wire;
	uint64_t expected;

	rig_fill(&wire, tag, rows, &rig->in[i], &rig->out[i]);
	return request_submit(rig->client[i], &wire, 0, &expected);
}

/* Does the output hold these rows of the client, and nothing behind them? */
static bool ran(const struct rig_region *out, int client, uint32_t rows,
		float factor)
{
	uint32_t row, k;

	for (row = 0; row < RIG_BATCH; row++) {
		for (k = 0; k < RIG_WIDTH; k++) {
			float want = row < rows ? factor * (value(client, row) +
							    k / 8.0f) :
						  UNTOUCHED;

			if (out->mem[row * RIG_WIDTH + k] != want)
				return false;
		}
	}
	return true;
}

static bool learnt(const struct curve *curve)
{
	return curve_ns(curve, 1) != 0;
}

/* Take an answer; is it this one? A request of no batch has no unit. */
static bool answered(FIXTURE_DATA(runner) * self, int client, uint64_t tag,
		     int status, uint32_t batch)
{
	struct phi_batch_answer a = {};
	int ret = rig_answer(&self->rig, client, &a);

	if (!ret && a.tag == tag && a.status == status && a.batch == batch &&
	    a.unit == (batch ? RIG_UNIT : PHI_UNIT_UNKNOWN) &&
	    a.why == (batch ? PHI_CHOSEN_POLICY : 0) &&
	    a.queue_ns <= clock_ns() - self->before)
		return true;
	ksft_print_msg("%d: tag %llu status %d batch %u unit %u why %u\n", ret,
		       (unsigned long long)a.tag, a.status, a.batch, a.unit,
		       a.why);
	return false;
}

TEST_F(runner, gives_each_its_rows)
{
	struct model *model = &self->rig.models[0];
	uint64_t spent;

	SUBMIT(0, 1, 3);
	SUBMIT(1, 2, 5);
	SUBMIT(2, 3, 1);
	rig_ticket(&self->rig, model, 9);
	ASSERT_EQ(0, rig_run(&self->rig));
	spent = clock_ns() - self->before;
	EXPECT_TRUE(answered(self, 0, 1, 0, 9));
	EXPECT_TRUE(answered(self, 1, 2, 0, 9));
	EXPECT_TRUE(answered(self, 2, 3, 0, 9));
	EXPECT_TRUE(ran(&self->rig.out[0], 0, 3, 1));
	EXPECT_TRUE(ran(&self->rig.out[1], 1, 5, 1));
	EXPECT_TRUE(ran(&self->rig.out[2], 2, 1, 1));
	EXPECT_EQ(3, model->queue.stats.done);
	/* One sample of nine rows, for this unit and model alone. */
	EXPECT_EQ(1, model->batches);
	EXPECT_EQ(9, model->rows);
	EXPECT_EQ(9 * 256, model->curve[0].point[3].rows);
	EXPECT_LT(0, model->curve[0].point[3].ns);
	EXPECT_GE(spent, model->curve[0].point[3].ns);
	EXPECT_FALSE(learnt(&model->curve[1]));
	EXPECT_FALSE(learnt(&self->rig.models[1].curve[0]));
}

/* Each model has buffers of its own in a runner. */
TEST_F(runner, runs_the_model_that_was_asked)
{
	struct model *other = &self->rig.models[1];

	SUBMIT(0, 1, 1);
	self->rig.client[1]->model = other;
	SUBMIT(1, 2, 1);
	rig_ticket(&self->rig, other, 1);
	ASSERT_EQ(0, rig_run(&self->rig));
	EXPECT_TRUE(answered(self, 1, 2, 0, 1));
	EXPECT_TRUE(ran(&self->rig.out[1], 1, 1, 2));
	EXPECT_TRUE(ran(&self->rig.out[0], 0, 0, 1));
	EXPECT_TRUE(learnt(&other->curve[0]));
	EXPECT_FALSE(learnt(&self->rig.models[0].curve[0]));
	rig_ticket(&self->rig, &self->rig.models[0], 1);
	ASSERT_EQ(0, rig_run(&self->rig));
	EXPECT_TRUE(answered(self, 0, 1, 0, 1));
	EXPECT_TRUE(ran(&self->rig.out[0], 0, 1, 1));
}

TEST_F(runner, spreads_a_request_over_batches)
{
	struct model *model = &self->rig.models[0];

	SUBMIT(0, 1, 5);
	SUBMIT(1, 2, 2);
	rig_ticket(&self->rig, model, 2);
	ASSERT_EQ(0, rig_run(&self->rig));
	EXPECT_TRUE(ran(&self->rig.out[0], 0, 2, 1));
	EXPECT_EQ(1, model->queue.stats.running);
	/* Its last rows run in one batch with the other's first. */
	rig_ticket(&self->rig, model, 4);
	rig_ticket(&self->rig, model, 1);
	ASSERT_EQ(0, rig_run(&self->rig));
	EXPECT_TRUE(answered(self, 0, 1, 0, 4));
	EXPECT_TRUE(answered(self, 1, 2, 0, 4));
	EXPECT_TRUE(ran(&self->rig.out[0], 0, 5, 1));
	EXPECT_TRUE(ran(&self->rig.out[1], 1, 2, 1));
	EXPECT_EQ(3, model->batches);
	EXPECT_EQ(7, model->rows);
}

/* One request of all rows, or many of one. */
TEST_F(runner, runs_as_many_as_a_batch_holds)
{
	struct model *model = &self->rig.models[0];
	uint32_t i;

	SUBMIT(1, 9, RIG_BATCH);
	rig_ticket(&self->rig, model, RIG_BATCH);
	ASSERT_EQ(0, rig_run(&self->rig));
	EXPECT_TRUE(answered(self, 1, 9, 0, RIG_BATCH));
	EXPECT_TRUE(ran(&self->rig.out[1], 1, RIG_BATCH, 1));
	for (i = 0; i < RIG_CREDITS; i++) {
		SUBMIT(0, i, 1);
		SUBMIT(1, i, 1);
	}
	for (i = 0; i < RIG_BATCH - 2 * RIG_CREDITS; i++)
		SUBMIT(2, i, 1);
	rig_ticket(&self->rig, model, RIG_BATCH);
	ASSERT_EQ(0, rig_run(&self->rig));
	for (i = 0; i < RIG_CREDITS; i++) {
		EXPECT_TRUE(answered(self, 0, i, 0, RIG_BATCH));
		EXPECT_TRUE(answered(self, 1, i, 0, RIG_BATCH));
	}
	for (i = 0; i < RIG_BATCH - 2 * RIG_CREDITS; i++) {
		EXPECT_TRUE(answered(self, 2, i, 0, RIG_BATCH));
	}
	EXPECT_TRUE(ran(&self->rig.out[0], 0, 1, 1));
	EXPECT_TRUE(ran(&self->rig.out[2], 2, 1, 1));
	/* A batch may be smaller than its ticket. */
	SUBMIT(0, 7, 1);
	rig_ticket(&self->rig, model, RIG_BATCH);
	ASSERT_EQ(0, rig_run(&self->rig));
	EXPECT_TRUE(answered(self, 0, 7, 0, 1));
	EXPECT_EQ(3, model->batches);
}

TEST_F(runner, tells_each_member_of_a_batch_that_failed)
{
	struct model *model = &self->rig.models[1];
	int i;

	for (i = 0; i < RIG_CLIENTS; i++)
		self->rig.client[i]->model = model;
	SUBMIT(0, 1, 1);
	SUBMIT(1, 2, 1);
	rig_ticket(&self->rig, model, RIG_FAILS);
	ASSERT_EQ(0, rig_run(&self->rig));
	EXPECT_TRUE(answered(self, 0, 1, -EIO, RIG_FAILS));
	EXPECT_TRUE(answered(self, 1, 2, -EIO, RIG_FAILS));
	EXPECT_TRUE(ran(&self->rig.out[0], 0, 0, 2));
	EXPECT_TRUE(ran(&self->rig.out[1], 1, 0, 2));
	EXPECT_EQ(2, model->queue.stats.failed);
	EXPECT_EQ(0, model->batches);
	EXPECT_EQ(0, model->rows);
	EXPECT_FALSE(learnt(&model->curve[0]));
	/* One of two rows fails with its second; the next succeeds. */
	SUBMIT(2, 3, 2);
	SUBMIT(0, 4, 1);
	SUBMIT(1, 5, 1);
	rig_ticket(&self->rig, model, 1);
	rig_ticket(&self->rig, model, RIG_FAILS);
	rig_ticket(&self->rig, model, 1);
	ASSERT_EQ(0, rig_run(&self->rig));
	EXPECT_TRUE(answered(self, 2, 3, -EIO, RIG_FAILS));
	EXPECT_TRUE(answered(self, 0, 4, -EIO, RIG_FAILS));
	EXPECT_TRUE(answered(self, 1, 5, 0, 1));
	EXPECT_TRUE(ran(&self->rig.out[2], 2, 1, 2));
	EXPECT_TRUE(ran(&self->rig.out[1], 1, 1, 2));
	EXPECT_EQ(2, model->batches);
	EXPECT_EQ(1, model->queue.stats.done);
	EXPECT_EQ(4, model->queue.stats.failed);
}

/* After an error no more rows of a request run. */
TEST_F(runner, runs_no_more_of_what_failed)
{
	struct model *model = &self->rig.models[0];

	SUBMIT(0, 1, 4);
	ASSERT_EQ(0, ftruncate(self->rig.in[0].fd, 0));
	rig_ticket(&self->rig, model, 2);
	rig_ticket(&self->rig, model, 2);
	ASSERT_EQ(0, rig_run(&self->rig));
	EXPECT_TRUE(answered(self, 0, 1, -EFAULT, 2));
	EXPECT_EQ(1, model->batches);
	EXPECT_EQ(2, model->rows);
	EXPECT_EQ(1, model->queue.stats.failed);
}

/* Lost memory fails the requests of its owner alone. */
TEST_F(runner, fails_who_takes_memory_away)
{
	struct model *model = &self->rig.models[0];
	struct slot *slot = &self->rig.client[2]->slots[self->rig.out[2].slot];

	SUBMIT(0, 1, 2);
	SUBMIT(1, 2, 3);
	SUBMIT(2, 3, 1);
	ASSERT_EQ(0, ftruncate(self->rig.in[0].fd, 0));
	ASSERT_EQ(0, mprotect(slot->addr, slot->len, PROT_READ));
	rig_ticket(&self->rig, model, 6);
	ASSERT_EQ(0, rig_run(&self->rig));
	EXPECT_TRUE(answered(self, 0, 1, -EFAULT, 6));
	EXPECT_TRUE(answered(self, 1, 2, 0, 6));
	EXPECT_TRUE(answered(self, 2, 3, -EFAULT, 6));
	/* A request whose input was not read gets no output. */
	EXPECT_TRUE(ran(&self->rig.out[0], 0, 0, 1));
	EXPECT_TRUE(ran(&self->rig.out[1], 1, 3, 1));
	EXPECT_EQ(1, model->queue.stats.done);
	EXPECT_EQ(2, model->queue.stats.failed);
	EXPECT_EQ(1, model->batches);
}

/* The deadline of the first in line, and of one hidden behind it. */
TEST_F(runner, does_not_run_what_is_late)
{
	struct model *model = &self->rig.models[0];

	SUBMIT(0, 1, 1);
	queue_head(&model->queue)->deadline_ns = 1;
	SUBMIT(1, 2, 1);
	rig_ticket(&self->rig, model, 1);
	ASSERT_EQ(0, rig_run(&self->rig));
	EXPECT_TRUE(answered(self, 0, 1, -ETIMEDOUT, 0));
	EXPECT_TRUE(answered(self, 1, 2, 0, 1));
	EXPECT_TRUE(ran(&self->rig.out[0], 0, 0, 1));
	EXPECT_TRUE(ran(&self->rig.out[1], 1, 1, 1));
	EXPECT_EQ(1, model->queue.stats.expired);
	EXPECT_EQ(1, model->batches);

	SUBMIT(0, 3, 1);
	SUBMIT(2, 4, 1);
	TAILQ_NEXT(queue_head(&model->queue), link)->deadline_ns = 1;
	rig_ticket(&self->rig, model, 1);
	ASSERT_EQ(0, rig_run(&self->rig));
	EXPECT_TRUE(answered(self, 0, 3, 0, 1));
	EXPECT_TRUE(answered(self, 2, 4, -ETIMEDOUT, 0));
	EXPECT_EQ(2, model->queue.stats.expired);
}

/* A ticket without rows ends, and no batch runs. */
TEST_F(runner, runs_no_empty_batch)
{
	struct model *model = &self->rig.models[0];

	SUBMIT(0, 1, 1);
	queue_head(&model->queue)->deadline_ns = 1;
	rig_ticket(&self->rig, model, 1);
	rig_ticket(&self->rig, model, 1);
	ASSERT_EQ(0, rig_run(&self->rig));
	EXPECT_TRUE(answered(self, 0, 1, -ETIMEDOUT, 0));
	EXPECT_EQ(0, model->promised);
	EXPECT_EQ(0, model->batches);
	EXPECT_FALSE(learnt(&model->curve[0]));
}

/* INFER_BEGIN fails: here with EBADF, without a cspace. */
TEST_F(runner, tells_each_member_of_a_batch_that_was_refused)
{
	struct runner *r = self->rig.b.runners[0];
	struct model *model = &self->rig.models[0];
	struct daemon *d = &self->rig.b.daemon;
	int i;

	SUBMIT(0, 1, 1);
	SUBMIT(1, 2, 2);
	SUBMIT(2, 3, 1);
	ASSERT_EQ(0, runner_start(r));
	for (i = 0; i < RIG_CLIENTS; i++) {
		ASSERT_EQ(PHI_RING_IN,
			  phi_ring_wait(self->rig.far[i], PHI_RING_IN, 0));
	}
	pthread_mutex_lock(&d->lock);
	d->stop = true;
	pthread_cond_broadcast(&d->work);
	pthread_mutex_unlock(&d->lock);
	runner_join(r);
	for (i = 0; i < RIG_CLIENTS; i++) {
		EXPECT_TRUE(answered(self, i, i + 1, -EBADF, 0));
		EXPECT_TRUE(ran(&self->rig.out[i], i, 0, 1));
	}
	EXPECT_EQ(3, model->queue.stats.failed);
	EXPECT_EQ(0, model->promised);
	EXPECT_EQ(0, model->batches);
}

TEST_HARNESS_MAIN
