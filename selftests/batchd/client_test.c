// SPDX-License-Identifier: GPL-2.0-only
/*
 * The client of libphi and batchd: sessions with and without a ring, and what
 * a client sees when batchd stops, or is killed, under its hands.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "helper.h"

FIXTURE(client)
{
	struct daemon d;
	struct peer s; /* for its cspace and its MODEL handle only */
	struct phi_batch *b;
	uint64_t region;
	float *mem;
	uint32_t slot;
};

FIXTURE_SETUP(client)
{
	int slot;

	ASSERT_EQ(0, daemon_start(&self->d, ""))
	{
		TH_LOG("is phi.ko loaded, and batchd built?");
	}
	ASSERT_EQ(0, peer_unseal(&self->s, &self->d, "identity"));
	ASSERT_EQ(0, phi_batch_open(self->s.phi, self->s.model,
				    PHI_BATCH_OPEN_RING, in_seconds(20),
				    &self->b));
	ASSERT_EQ(0, phi_region_create(self->s.phi, 8192, 0, &self->region));
	ASSERT_EQ(0, phi_region_map(self->s.phi, self->region,
				    PROT_READ | PROT_WRITE, (void **)&self->mem,
				    NULL));
	slot = phi_batch_region(self->b, self->region,
				PHI_RIGHT_READ | PHI_RIGHT_WRITE,
				in_seconds(20));
	ASSERT_LE(0, slot);
	self->slot = (uint32_t)slot;
}

FIXTURE_TEARDOWN(client)
{
	phi_batch_close(self->b);
	if (self->d.pid)
		daemon_stop(&self->d, SIGKILL);
}

/* Row @at of the first half of the region, to the same of the second. */
static struct phi_batch_request row(struct _test_data_client *self, int at)
{
	int64_t shape[] = { 1, 4 };
	struct phi_batch_request req = {
		.head.tag = (uint64_t)at,
		.priority = PHI_BATCH_PRIORITY_NORMAL,
	};
	struct phi_tensor t;

	phi_tensor_dense(&t, PHI_DTYPE_F32, 2, shape, (uint64_t)at * 16);
	phi_batch_tensor_put(&t, self->slot, &req.input);
	t.offset += 4096;
	phi_batch_tensor_put(&t, self->slot, &req.output);
	return req;
}

TEST_F(client, many_over_the_ring)
{
	uint32_t credits = phi_batch_info(self->b)->credits;
	struct phi_batch_answer a[64];
	int sent = 0, got = 0, n = 0;

	for (int i = 0; i < 256 * 4; i++)
		self->mem[i] = (float)i;
	while (got < 256) {
		for (; sent < 256; sent++) {
			struct phi_batch_request req = row(self, sent);

			n = phi_batch_submit(self->b, &req);
			if (n)
				break;
		}
		ASSERT_TRUE(sent == 256 || n == -EAGAIN);
		ASSERT_GE(credits, (uint32_t)(sent - got));
		n = phi_batch_reap(self->b, a, 64, in_seconds(20));
		ASSERT_LT(0, n);
		for (int i = 0; i < n; i++, got++) {
			float *out = self->mem + 1024 + a[i].tag * 4;

			ASSERT_EQ(0, a[i].status);
			ASSERT_EQ(0, memcmp(self->mem + a[i].tag * 4, out, 16));
			ASSERT_LE(1, a[i].batch);
		}
	}
	EXPECT_EQ(0, phi_batch_reap(self->b, a, 64, in_seconds(20)));
	EXPECT_EQ(0, phi_batch_forget(self->b, self->slot, in_seconds(20)));
	EXPECT_EQ(-EBADF,
		  phi_batch_forget(self->b, self->slot, in_seconds(20)));
}

TEST_F(client, one_by_call)
{
	struct phi_batch_request req = row(self, 3);
	struct phi_batch_answer a;

	self->mem[3 * 4] = 17;
	ASSERT_EQ(0, phi_batch_infer(self->b, &req, &a));
	EXPECT_EQ(0, a.status);
	EXPECT_EQ(3, a.tag);
	EXPECT_EQ(17, self->mem[1024 + 3 * 4]);
	req.output.shape[0] = 2;
	ASSERT_EQ(0, phi_batch_infer(self->b, &req, &a));
	EXPECT_EQ(-EINVAL, a.status);
	req = row(self, 3);
	req.input.slot = self->slot + 1;
	ASSERT_EQ(0, phi_batch_infer(self->b, &req, &a));
	EXPECT_EQ(-EBADF, a.status);
}

/* Keep asking until batchd is gone; no answer may be lost on the way. */
static int ask_until_gone(struct _test_data_client *self, int sig)
{
	struct phi_batch_answer a[64];
	int asked = 0;
	int n;

	for (int turn = 0; turn < 100000; turn++) {
		struct phi_batch_request req = row(self, turn % 256);

		n = phi_batch_submit(self->b, &req);
		if (n && n != -EAGAIN)
			return n;
		if (++asked == 200)
			kill(self->d.pid, sig);
		if (!n)
			continue;
		n = phi_batch_reap(self->b, a, 64, in_seconds(20));
		if (n <= 0)
			return n;
		for (int i = 0; i < n; i++) {
			if (a[i].status && a[i].status != -ECANCELED)
				return a[i].status;
		}
	}
	return -ETIME;
}

TEST_F(client, batchd_stops)
{
	struct phi_batch_request req = row(self, 0);
	struct phi_batch_answer a;

	/* A SIGBUS would end this test. */
	EXPECT_EQ(-EPIPE, ask_until_gone(self, SIGTERM));
	EXPECT_EQ(-EPIPE, phi_batch_infer(self->b, &req, &a));
}

TEST_F(client, batchd_is_killed)
{
	struct phi_batch_request req = row(self, 0);
	struct phi_batch_answer a;

	EXPECT_EQ(-EPIPE, ask_until_gone(self, SIGKILL));
	EXPECT_EQ(-EPIPE, phi_batch_infer(self->b, &req, &a));
}

TEST_HARNESS_MAIN
