// SPDX-License-Identifier: GPL-2.0-only
/*
 * A client's session with the batcher, against one that the test plays, so
 * that it can die, lie and be slow.
 */
#include <errno.h>
#include <phi/batch.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "batcher.h"
#include "kselftest_harness.h"

#define MS 1000000ULL

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static uint64_t soon(void)
{
	return now_ns() + 20000 * MS;
}

FIXTURE(batch)
{
	struct batcher b;
	int joined;
	int phi;
	uint64_t model;
	uint64_t region;
	char *mem;
};

static void start(struct __test_metadata *_metadata,
		  struct _test_data_batch *self, enum vice vice)
{
	self->b.vice = vice;
	ASSERT_EQ(0, pthread_create(&self->b.thread, NULL, batcher, &self->b));
	self->joined = 0;
	pthread_barrier_wait(&self->b.ready);
	ASSERT_EQ(0, phi_cap_unseal(self->phi, &self->b.token, &self->model));
}

static void stop(struct _test_data_batch *self)
{
	if (self->joined)
		return;
	phi_source_wake(self->b.quit);
	pthread_join(self->b.thread, NULL);
	phi_service_free(self->b.s);
	phi_ring_free(self->b.ring);
	self->joined = 1;
}

FIXTURE_SETUP(batch)
{
	memset(&self->b, 0, sizeof(self->b));
	self->joined = 1;
	ASSERT_EQ(0, pthread_barrier_init(&self->b.ready, NULL, 2));
	self->phi = phi_open(0);
	ASSERT_LE(0, self->phi)
	{
		TH_LOG("is phi.ko loaded?");
	}
	ASSERT_EQ(0, phi_region_create(self->phi, 16384, 0, &self->region));
	ASSERT_EQ(0, phi_region_map(self->phi, self->region,
				    PROT_READ | PROT_WRITE, (void **)&self->mem,
				    NULL));
	for (int i = 0; i < 10 * 784; i++)
		self->mem[i] = (char)(i / 784 + 1);
}

FIXTURE_TEARDOWN(batch)
{
	stop(self);
	EXPECT_EQ(0, self->b.result);
	phi_close(self->phi);
}

/* One image of the ten, its results behind them. */
static struct phi_batch_request ask(uint32_t slot, uint32_t image)
{
	return (struct phi_batch_request){
		.head.tag = image + 100,
		.priority = PHI_BATCH_PRIORITY_NORMAL,
		.input = { .offset = image * 784,
			   .slot = slot,
			   .dtype = PHI_DTYPE_U8,
			   .ndim = 2,
			   .shape = { 1, 784 } },
		.output = { .offset = 8192 + image * SIDES * 4,
			    .slot = slot,
			    .dtype = PHI_DTYPE_F32,
			    .ndim = 2,
			    .shape = { 1, SIDES } },
	};
}

static float result(struct _test_data_batch *self, uint32_t image, int side)
{
	float f;

	memcpy(&f, self->mem + 8192 + (image * SIDES + side) * 4, 4);
	return f;
}

TEST_F(batch, calls)
{
	struct phi_batch_answer a;
	struct phi_batch_request req;
	struct phi_batch *b;
	int slot;

	start(_metadata, self, HONEST);
	EXPECT_EQ(-EOPNOTSUPP,
		  phi_batch_open(self->phi, self->model, 2, soon(), &b));
	ASSERT_EQ(0, phi_batch_open(self->phi, self->model, 0, soon(), &b));
	EXPECT_EQ(CREDITS, phi_batch_info(b)->credits);
	EXPECT_EQ(784, phi_batch_info(b)->input.shape[1]);
	EXPECT_EQ(PHI_DTYPE_F32, phi_batch_info(b)->output.dtype);

	EXPECT_EQ(-EINVAL, phi_batch_region(b, self->region, 0, soon()));
	EXPECT_EQ(-EINVAL,
		  phi_batch_region(b, self->region, PHI_RIGHT_ADMIN, soon()));
	EXPECT_EQ(-EBADF, phi_batch_region(b, 12345, PHI_RIGHT_READ, soon()));
	slot = phi_batch_region(b, self->region,
				PHI_RIGHT_READ | PHI_RIGHT_WRITE, soon());
	ASSERT_LE(0, slot);

	for (uint32_t i = 0; i < 10; i++) {
		req = ask((uint32_t)slot, i);
		ASSERT_EQ(0, phi_batch_infer(b, &req, &a));
		ASSERT_EQ(0, a.status);
		EXPECT_EQ(i + 100, a.tag);
		EXPECT_EQ((float)(784 * (i + 1) + 3), result(self, i, 3));
	}
	/* What the batcher refuses is an answer like any other. */
	req = ask((uint32_t)slot, 0);
	req.input.offset = 16384;
	ASSERT_EQ(0, phi_batch_infer(b, &req, &a));
	EXPECT_EQ(-ERANGE, a.status);

	/* Without a ring. */
	EXPECT_EQ(-EINVAL, phi_batch_submit(b, &req));
	EXPECT_EQ(-EINVAL, phi_batch_reap(b, &a, 1, 1));
	EXPECT_EQ(-EINVAL, phi_batch_fd(b));

	EXPECT_EQ(0, phi_batch_forget(b, (uint32_t)slot, soon()));
	EXPECT_EQ(-EBADF, phi_batch_forget(b, (uint32_t)slot, soon()));
	ASSERT_EQ(0, phi_batch_infer(b, &req, &a));
	EXPECT_EQ(-EBADF, a.status);
	phi_batch_close(b);
}

TEST_F(batch, ring)
{
	struct phi_batch_answer a[CREDITS];
	uint32_t sent = 0, got = 0;
	struct phi_batch *b;
	struct pollfd pfd = { .events = POLLIN };
	int slot, n;

	start(_metadata, self, HONEST);
	ASSERT_EQ(0, phi_batch_open(self->phi, self->model, PHI_BATCH_OPEN_RING,
				    soon(), &b));
	slot = phi_batch_region(b, self->region,
				PHI_RIGHT_READ | PHI_RIGHT_WRITE, soon());
	ASSERT_LE(0, slot);
	EXPECT_EQ(0, phi_batch_reap(b, a, CREDITS, soon()));
	EXPECT_EQ(-EINVAL, phi_batch_reap(b, a, 0, soon()));

	while (got < 2000) {
		for (; sent < 2000; sent++) {
			struct phi_batch_request req =
				ask((uint32_t)slot, sent % 10);

			req.head.tag = sent;
			n = phi_batch_submit(b, &req);
			if (n)
				break;
		}
		ASSERT_TRUE(sent == 2000 || n == -EAGAIN);
		ASSERT_GE(CREDITS, sent - got);
		n = phi_batch_reap(b, a, CREDITS, soon());
		ASSERT_LT(0, n);
		for (int i = 0; i < n; i++) {
			ASSERT_EQ(0, a[i].status);
			ASSERT_EQ(got++, a[i].tag);
		}
	}
	for (uint32_t i = 0; i < 10; i++) {
		EXPECT_EQ((float)(784 * (i + 1) + 9), result(self, i, 9));
	}
	/* The file becomes readable, for those who wait elsewhere. */
	pfd.fd = phi_batch_fd(b);
	for (int round = 0; round < 20; round++) {
		struct phi_batch_request req = ask((uint32_t)slot, 1);

		ASSERT_EQ(0, phi_batch_submit(b, &req));
		while ((n = phi_batch_reap(b, a, 1, 1)) == -ETIMEDOUT) {
			ASSERT_EQ(1, poll(&pfd, 1, 20000));
		}
		ASSERT_EQ(1, n);
	}
	phi_batch_close(b);
}

/* Whatever the batcher answers to ATTACH, the client is not fooled. */
TEST_F(batch, batcher_lies)
{
	static const enum vice vices[] = { WRONG_LENGTH, NO_CAP, WRONG_TYPE,
					   NO_CREDIT, NO_SHAPE };
	uint32_t before, after;
	struct phi_batch *b;

	for (size_t i = 0; i < ARRAY_SIZE(vices); i++) {
		ASSERT_EQ(0, phi_cap_list(self->phi, NULL, 0, &before));
		start(_metadata, self, vices[i]);
		EXPECT_EQ(-EPROTO, phi_batch_open(self->phi, self->model, 0,
						  soon(), &b));
		ASSERT_EQ(0, phi_cap_drop(self->phi, self->model));
		ASSERT_EQ(0, phi_cap_list(self->phi, NULL, 0, &after));
		EXPECT_EQ(before, after);
		stop(self);
		ASSERT_EQ(0, self->b.result);
	}
}

TEST_F(batch, batcher_is_silent)
{
	struct phi_batch_request req;
	struct phi_batch_answer a;
	struct phi_batch *b;

	start(_metadata, self, SILENT);
	ASSERT_EQ(0, phi_batch_open(self->phi, self->model, 0, soon(), &b));
	req = ask(0, 0);
	req.deadline_ns = now_ns() + MS;
	EXPECT_EQ(-ETIMEDOUT, phi_batch_infer(b, &req, &a));
	phi_batch_close(b);
}

TEST_F(batch, batcher_breaks_the_ring)
{
	static const enum vice vices[] = { RING_LENGTH, RING_UNASKED };
	struct phi_batch_request req;
	struct phi_batch_answer a;
	struct phi_batch *b;
	int ret = 0;

	for (size_t i = 0; i < ARRAY_SIZE(vices); i++) {
		start(_metadata, self, vices[i]);
		ASSERT_EQ(0, phi_batch_open(self->phi, self->model,
					    PHI_BATCH_OPEN_RING, soon(), &b));
		req = ask(0, 0);
		ASSERT_EQ(0, phi_batch_submit(b, &req));
		/* A second answer to one request is one too many. */
		for (int wait = 0; wait < 2000; wait++) {
			ret = phi_batch_reap(b, &a, 1, soon());
			if (ret < 0)
				break;
			usleep(1000);
		}
		EXPECT_EQ(-EPROTO, ret);
		phi_batch_close(b);
		stop(self);
	}
}

TEST_F(batch, batcher_dies)
{
	struct phi_batch_request req;
	struct phi_batch_answer a;
	struct phi_batch *b;

	start(_metadata, self, RING_DIES);
	ASSERT_EQ(0, phi_batch_open(self->phi, self->model, PHI_BATCH_OPEN_RING,
				    soon(), &b));
	req = ask(0, 0);
	ASSERT_EQ(0, phi_batch_submit(b, &req));
	EXPECT_EQ(-EPIPE, phi_batch_reap(b, &a, 1, soon()));
	EXPECT_EQ(-EPIPE, phi_batch_infer(b, &req, &a));
	EXPECT_EQ(-EPIPE,
		  phi_batch_region(b, self->region, PHI_RIGHT_READ, soon()));
	phi_batch_close(b);
	pthread_join(self->b.thread, NULL);
	phi_service_free(self->b.s);
	phi_ring_free(self->b.ring);
	self->joined = 1;
}

/* The batcher sees each session end, however it ends. */
TEST_F(batch, sessions_end)
{
	struct phi_batch *b[3];
	int phi;

	start(_metadata, self, HONEST);
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(0, phi_batch_open(self->phi, self->model, 0, soon(),
					    &b[i]));
	}
	phi = phi_open(0);
	ASSERT_LE(0, phi);
	ASSERT_EQ(0, phi_cap_unseal(phi, &self->b.token, &self->model));
	ASSERT_EQ(0, phi_batch_open(phi, self->model, 0, soon(), &b[2]));
	phi_batch_close(b[0]);
	/* This one just goes. */
	close(phi);
	for (int i = 0; i < 2000; i++) {
		if (__atomic_load_n(&self->b.gone, __ATOMIC_RELAXED) == 2)
			break;
		usleep(10000);
	}
	EXPECT_EQ(2, self->b.gone);
	stop(self);
	phi_batch_close(b[1]);
}

TEST_HARNESS_MAIN
