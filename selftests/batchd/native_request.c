// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests: each error of one that is wrong, late or too much, and that nothing
 * of a cancelled one remains.
 */
#include <errno.h>
#include <stddef.h>

#include <kselftest_harness.h>

#include "rig.h"

#define HOUR (3600 * 1000000000ULL)

FIXTURE(request)
{
	struct rig rig;
	struct client *c;
	struct queue *q;
	struct phi_batch_request wire;
	uint64_t expected;
};

FIXTURE_SETUP(request)
{
	struct rig *rig = &self->rig;

	ASSERT_EQ(0, rig_init(rig));
	self->c = rig->client[0];
	self->q = &rig->models[0].queue;
	rig_fill(&self->wire, 5, 1, rig->in, rig->out);
	self->expected = 0;
}

FIXTURE_TEARDOWN(request)
{
	EXPECT_TRUE(rig_fini(&self->rig));
}

static int submit(struct client *c, const struct phi_batch_request *wire,
		  uint64_t *expected)
{
	return request_submit(c, wire, 0, expected);
}

/* A refused request changes one counter alone. */
static bool untouched(const struct client *c, const struct queue *q)
{
	return c->base.refs == 1 && !c->credit.used && !c->slots[0].uses &&
	       !c->slots[1].uses && !user_of(c)->share.used && !q->rows &&
	       !q->stats.accepted;
}

TEST_F(request, takes_what_it_uses)
{
	self->wire.input.shape[0] = RIG_BATCH;
	self->wire.output.shape[0] = RIG_BATCH;
	ASSERT_EQ(0, submit(self->c, &self->wire, &self->expected));
	EXPECT_EQ(RIG_BATCH, self->q->rows);
	EXPECT_EQ(RIG_BATCH, user_of(self->c)->share.used);
	EXPECT_EQ(1, self->c->credit.used);
	EXPECT_EQ(2, self->c->base.refs);
	EXPECT_EQ(1, self->c->slots[0].uses);
	EXPECT_EQ(1, self->c->slots[1].uses);
	/* One region may be both. */
	rig_fill(&self->wire, 6, 1, self->rig.out, self->rig.out);
	ASSERT_EQ(0, submit(self->c, &self->wire, &self->expected));
	EXPECT_EQ(3, self->c->slots[1].uses);
}

/* clang-format off */
#define WRONG(_type, _field, _value, _err)                              \
	{                                                               \
		#_field " " #_value,                                    \
		offsetof(struct phi_batch_request, _field),             \
		sizeof(_type),                                          \
		(_value), (_err),                                       \
	}
/* clang-format on */

/* Each row spoils one field of a valid request of one row. */
static const struct {
	const char *what;
	size_t at;
	size_t len;
	uint64_t value;
	int err;
} wrong[] = {
	WRONG(__u32, head.flags, 1, -EINVAL),
	WRONG(__u32, pad, 1, -EINVAL),
	WRONG(__u32, priority, PHI_BATCH_PRIORITY_HIGH + 1, -EINVAL),
	WRONG(__u32, priority, UINT32_MAX, -EINVAL),
	WRONG(__u8, input.dtype, 0, -EINVAL),
	WRONG(__u8, input.dtype, PHI_DTYPE_I32, -EINVAL),
	WRONG(__u8, input.dtype, PHI_DTYPE_F16, -EINVAL),
	WRONG(__u8, input.dtype, UINT8_MAX, -EINVAL),
	WRONG(__u8, output.dtype, PHI_DTYPE_I32, -EINVAL),
	WRONG(__u8, input.ndim, 0, -EINVAL),
	WRONG(__u8, input.ndim, 1, -EINVAL),
	WRONG(__u8, input.ndim, 3, -EINVAL),
	WRONG(__u8, input.ndim, PHI_TENSOR_NDIM_MAX + 1, -EINVAL),
	WRONG(__u8, input.ndim, UINT8_MAX, -EINVAL),
	WRONG(__u8, output.ndim, 0, -EINVAL),
	WRONG(__u8, output.ndim, 3, -EINVAL),
	WRONG(__u8, output.ndim, PHI_TENSOR_NDIM_MAX + 1, -EINVAL),
	WRONG(__u16, input.pad, 1, -EINVAL),
	WRONG(__u16, output.pad, 1, -EINVAL),
	WRONG(__u32, input.shape[0], 0, -EINVAL),
	WRONG(__u32, input.shape[0], 2, -EINVAL),
	WRONG(__u32, output.shape[0], 0, -EINVAL),
	WRONG(__u32, output.shape[0], 2, -EINVAL),
	WRONG(__u32, input.shape[0], UINT32_MAX, -EINVAL),
	WRONG(__u32, input.shape[1], 0, -EINVAL),
	WRONG(__u32, input.shape[1], RIG_WIDTH - 1, -EINVAL),
	WRONG(__u32, output.shape[1], RIG_WIDTH - 1, -EINVAL),
	WRONG(__u32, input.shape[1], RIG_WIDTH + 1, -EINVAL),
	WRONG(__u32, input.shape[2], 1, -EINVAL),
	WRONG(__u32, input.shape[1], UINT32_MAX, -ERANGE),
	WRONG(__u32, input.slot, 2, -EBADF),
	WRONG(__u32, output.slot, 2, -EBADF),
	WRONG(__u32, input.slot, PHI_BATCH_SLOTS, -EBADF),
	WRONG(__u32, output.slot, UINT32_MAX, -EBADF),
	WRONG(__u64, input.offset, 2, -EINVAL),
	WRONG(__u64, input.offset, (RIG_BATCH - 1) * 16 + 4, -ERANGE),
	WRONG(__u64, output.offset, (RIG_BATCH - 1) * 16 + 4, -ERANGE),
	WRONG(__u64, input.offset, RIG_BATCH * 16, -ERANGE),
	WRONG(__u64, input.offset, 1ULL << 32, -ERANGE),
	WRONG(__u64, output.offset, UINT64_MAX - 3, -ERANGE),
	/* The region of the input cannot be written. */
	WRONG(__u32, output.slot, 0, -EPERM),
};

TEST_F(request, refuses_what_is_wrong)
{
	struct phi_batch_request bad;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		bad = self->wire;
		memcpy((char *)&bad + wrong[i].at, &wrong[i].value,
		       wrong[i].len);
		EXPECT_EQ(wrong[i].err, submit(self->c, &bad, &self->expected))
		{
			TH_LOG("%s", wrong[i].what);
		}
		ASSERT_TRUE(untouched(self->c, self->q));
	}
	self->c->slots[0].rights = PHI_RIGHT_WRITE;
	EXPECT_EQ(-EPERM, submit(self->c, &self->wire, &self->expected));
	self->c->slots[0].rights = PHI_RIGHT_READ;
	EXPECT_TRUE(untouched(self->c, self->q));
	EXPECT_EQ(0, self->expected);
}

TEST_F(request, keeps_to_the_batch_and_the_region)
{
	/* The last row of each region, then all rows and one more. */
	self->wire.input.offset = (RIG_BATCH - 1) * 16;
	self->wire.output.offset = (RIG_BATCH - 1) * 16;
	EXPECT_EQ(0, submit(self->c, &self->wire, &self->expected));
	self->c->model->max_batch = RIG_BATCH + 1;
	rig_fill(&self->wire, 6, RIG_BATCH + 1, self->rig.in, self->rig.out);
	EXPECT_EQ(-ERANGE, submit(self->c, &self->wire, &self->expected));
	self->c->model->max_batch = RIG_BATCH - 1;
	rig_fill(&self->wire, 6, RIG_BATCH, self->rig.in, self->rig.out);
	EXPECT_EQ(-EINVAL, submit(self->c, &self->wire, &self->expected));
	rig_fill(&self->wire, 6, RIG_BATCH - 1, self->rig.in, self->rig.out);
	EXPECT_EQ(0, submit(self->c, &self->wire, &self->expected));
	EXPECT_EQ(2, self->q->stats.accepted);
}

/* A client has its credits, a user its rows, and a line is as long as it is. */
TEST_F(request, keeps_to_its_shares)
{
	struct rig *rig = &self->rig;
	struct rig_region *in = &rig->in[2], *out = &rig->out[2];
	int i;

	for (i = 0; i < RIG_CREDITS; i++) {
		EXPECT_EQ(0, submit(self->c, &self->wire, &self->expected));
	}
	EXPECT_EQ(-EAGAIN, submit(self->c, &self->wire, &self->expected));
	EXPECT_EQ(RIG_CREDITS + 1, self->c->base.refs);
	EXPECT_EQ(RIG_CREDITS, self->c->slots[0].uses);

	/* Another session of the user has what the user has left. */
	rig_fill(&self->wire, 7, RIG_BATCH, in, out);
	EXPECT_EQ(0, submit(rig->client[2], &self->wire, &self->expected));
	EXPECT_EQ(-EAGAIN,
		  submit(rig->client[2], &self->wire, &self->expected));
	rig_fill(&self->wire, 7, RIG_BATCH - RIG_CREDITS, in, out);
	EXPECT_EQ(0, submit(rig->client[2], &self->wire, &self->expected));
	EXPECT_EQ(RIG_ROWS / 2, user_of(self->c)->share.used);
	EXPECT_EQ(2, self->q->stats.refused);

	/* A cancelled request returns its credit and its rows. */
	request_cancel_all(&rig->b, self->c);
	EXPECT_EQ(0, self->c->credit.used);
	EXPECT_EQ(RIG_ROWS / 2 - RIG_CREDITS, user_of(self->c)->share.used);
}

TEST_F(request, waits_by_priority)
{
	struct queue_item *head;

	self->wire.priority = PHI_BATCH_PRIORITY_LOW;
	ASSERT_EQ(0, submit(self->c, &self->wire, &self->expected));
	self->wire.priority = PHI_BATCH_PRIORITY_HIGH;
	self->wire.head.tag = 6;
	ASSERT_EQ(0, submit(self->c, &self->wire, &self->expected));
	head = queue_head(self->q);
	ASSERT_NE(NULL, head);
	EXPECT_EQ(6, ((struct request *)head)->tag);
	EXPECT_EQ(self->c, ((struct request *)head)->client);
}

/* A batch of any size takes an hour here. */
TEST_F(request, is_refused_when_it_would_be_late)
{
	struct curve *curve = &self->rig.models[0].curve[0];

	self->wire.deadline_ns = clock_ns() + HOUR / 2;
	/* Without a measurement no request is late. */
	EXPECT_EQ(0, submit(self->c, &self->wire, &self->expected));
	curve_add(curve, RIG_BATCH, HOUR);
	EXPECT_EQ(-ETIMEDOUT, submit(self->c, &self->wire, &self->expected));
	EXPECT_EQ(HOUR, self->expected);
	EXPECT_EQ(1, self->q->stats.refused);
	EXPECT_EQ(1, self->c->credit.used);
	self->wire.deadline_ns = clock_ns() + 2 * HOUR;
	self->expected = 0;
	EXPECT_EQ(0, submit(self->c, &self->wire, &self->expected));
	EXPECT_EQ(0, self->expected);
	/* The batch that runs and the time to answer count. */
	self->rig.b.options.slack_ns = HOUR;
	EXPECT_EQ(-ETIMEDOUT, submit(self->c, &self->wire, &self->expected));
	EXPECT_EQ(2 * HOUR, self->expected);
	self->rig.b.options.slack_ns = 0;
	self->rig.b.runners[0]->free_ns = clock_ns() + 5 * HOUR;
	self->wire.deadline_ns = clock_ns() + 5 * HOUR;
	EXPECT_EQ(-ETIMEDOUT, submit(self->c, &self->wire, &self->expected));
	EXPECT_LT(5 * HOUR, self->expected);
	EXPECT_GE(6 * HOUR, self->expected);
	self->rig.b.runners[0]->free_ns = 0;
	EXPECT_EQ(2, self->q->stats.accepted);
}

/* Another model delays it by its line, at most by its own time. */
TEST_F(request, waits_for_the_other_model)
{
	struct model *other = &self->rig.models[1];

	curve_add(&self->rig.models[0].curve[0], RIG_BATCH, HOUR);
	curve_add(&other->curve[0], RIG_BATCH, HOUR / 4);
	self->c->model = other;
	ASSERT_EQ(0, submit(self->c, &self->wire, &self->expected));
	self->c->model = &self->rig.models[0];
	self->wire.deadline_ns = clock_ns() + HOUR / 2;
	EXPECT_EQ(-ETIMEDOUT, submit(self->c, &self->wire, &self->expected));
	EXPECT_EQ(HOUR + HOUR / 4, self->expected);
	memset(&other->curve[0], 0, sizeof(other->curve[0]));
	curve_add(&other->curve[0], RIG_BATCH, 9 * HOUR);
	EXPECT_EQ(-ETIMEDOUT, submit(self->c, &self->wire, &self->expected));
	EXPECT_EQ(2 * HOUR, self->expected);
}

TEST_F(request, comes_too_late_for_a_daemon_that_stops)
{
	self->c->base.dead = true;
	EXPECT_EQ(-ECANCELED, submit(self->c, &self->wire, &self->expected));
	self->c->base.dead = false;
	daemon_refuse_new(&self->rig.b.daemon);
	EXPECT_EQ(-ECANCELED, submit(self->c, &self->wire, &self->expected));
	EXPECT_TRUE(untouched(self->c, self->q));
}

/* Messages that get their answer without a batch. */
TEST_F(request, is_answered_when_it_is_refused)
{
	struct phi_batch_answer a;
	struct rig *rig = &self->rig;

	batchd_submit(self->c, &self->wire, sizeof(self->wire) - 1, 0);
	ASSERT_EQ(0, rig_answer(rig, 0, &a));
	EXPECT_EQ(-EINVAL, a.status);
	EXPECT_EQ(5, a.tag);
	EXPECT_EQ(PHI_UNIT_UNKNOWN, a.unit);
	batchd_submit(self->c, &self->wire, 3, 0);
	ASSERT_EQ(0, rig_answer(rig, 0, &a));
	EXPECT_EQ(-EINVAL, a.status);
	EXPECT_EQ(0, a.tag);
	self->wire.head.op = PHI_BATCH_FORGET;
	batchd_submit(self->c, &self->wire, sizeof(self->wire), 0);
	ASSERT_EQ(0, rig_answer(rig, 0, &a));
	EXPECT_EQ(-EINVAL, a.status);
	self->wire.head.op = PHI_BATCH_INFER;
	EXPECT_TRUE(untouched(self->c, self->q));

	curve_add(&rig->models[0].curve[0], 1, HOUR);
	self->wire.deadline_ns = clock_ns() + 1;
	batchd_submit(self->c, &self->wire, sizeof(self->wire), 0);
	ASSERT_EQ(0, rig_answer(rig, 0, &a));
	EXPECT_EQ(-ETIMEDOUT, a.status);
	EXPECT_EQ(HOUR, a.expected_ns);
	self->wire.deadline_ns = 0;
	batchd_submit(self->c, &self->wire, sizeof(self->wire), 0);
	EXPECT_EQ(-EAGAIN, rig_answer(rig, 0, &a));
	EXPECT_EQ(1, self->q->stats.accepted);
}

TEST_F(request, is_cancelled_with_its_client_alone)
{
	struct phi_batch_answer a;
	struct rig *rig = &self->rig;
	uint64_t before = clock_ns();

	ASSERT_EQ(0, submit(self->c, &self->wire, &self->expected));
	self->c->model = &rig->models[1];
	self->wire.head.tag = 6;
	ASSERT_EQ(0, submit(self->c, &self->wire, &self->expected));
	self->c->model = &rig->models[0];
	rig_fill(&self->wire, 7, 1, &rig->in[1], &rig->out[1]);
	ASSERT_EQ(0, submit(rig->client[1], &self->wire, &self->expected));

	request_cancel_all(&rig->b, self->c);
	ASSERT_EQ(0, rig_answer(rig, 0, &a));
	EXPECT_EQ(-ECANCELED, a.status);
	EXPECT_EQ(5, a.tag);
	EXPECT_EQ(PHI_UNIT_UNKNOWN, a.unit);
	EXPECT_EQ(0, a.batch);
	EXPECT_GE(clock_ns() - before, a.queue_ns);
	ASSERT_EQ(0, rig_answer(rig, 0, &a));
	EXPECT_EQ(6, a.tag);
	EXPECT_EQ(-EAGAIN, rig_answer(rig, 0, &a));
	EXPECT_EQ(-EAGAIN, rig_answer(rig, 1, &a));
	EXPECT_EQ(1, self->q->stats.dropped);
	EXPECT_EQ(1, rig->models[1].queue.stats.dropped);
	EXPECT_EQ(1, self->c->base.refs);
	EXPECT_EQ(0, self->c->slots[0].uses);

	request_cancel_all(&rig->b, NULL);
	ASSERT_EQ(0, rig_answer(rig, 1, &a));
	EXPECT_EQ(7, a.tag);
}

/* The answer waits for rows that run; the others do not run. */
TEST_F(request, is_cancelled_while_it_runs)
{
	struct queue_slice slice;
	struct phi_batch_answer a;
	uint32_t n;

	rig_fill(&self->wire, 5, 3, self->rig.in, self->rig.out);
	ASSERT_EQ(0, submit(self->c, &self->wire, &self->expected));
	ASSERT_EQ(2, queue_bind(self->q, 2, clock_ns(), &slice, &n));
	request_cancel_all(&self->rig.b, self->c);
	EXPECT_EQ(-EAGAIN, rig_answer(&self->rig, 0, &a));
	EXPECT_EQ(NULL, queue_head(self->q));
	EXPECT_EQ(1, self->c->slots[1].uses);
	ASSERT_TRUE(queue_unbind(self->q, &slice, 0));
	request_end(slice.item);
	ASSERT_EQ(0, rig_answer(&self->rig, 0, &a));
	EXPECT_EQ(-ECANCELED, a.status);
	EXPECT_EQ(1, self->q->stats.dropped);
}

TEST_HARNESS_MAIN
