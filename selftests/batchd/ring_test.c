// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests over rings: many in flight, too many, too late, and a ring that
 * its client scribbles over.
 */
#include <errno.h>
#include <phi/ring.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "helper.h"

#define RW (PHI_RIGHT_READ | PHI_RIGHT_WRITE)

SHARED_DAEMON("--credits 16")

FIXTURE(ring)
{
	struct peer s;
	struct phi_batch *b;
};

FIXTURE_SETUP(ring)
{
	memset(self, 0, sizeof(*self));
}

FIXTURE_TEARDOWN(ring)
{
	phi_batch_close(self->b);
	peer_close(&self->s);
}

static int open_batch(struct peer *s, const struct daemon *from,
		      const char *model, size_t bytes, struct phi_batch **b)
{
	int ret = peer_unseal(s, from, model);

	if (!ret)
		ret = phi_region_create(s->phi, bytes, 0, &s->region);
	if (!ret)
		ret = phi_region_map(s->phi, s->region, PROT_READ | PROT_WRITE,
				     &s->mem, &s->len);
	if (!ret)
		ret = phi_batch_open(s->phi, s->model, PHI_BATCH_OPEN_RING,
				     in_seconds(30), b);
	if (ret)
		return ret;
	s->info = *phi_batch_info(*b);
	ret = phi_batch_region(*b, s->region, RW, in_seconds(30));
	if (ret < 0)
		return ret;
	s->slot = ret;
	return 0;
}

SLOW_TEST(ring, carries_many_requests_at_once)
{
	struct phi_batch_answer answers[16];
	struct phi_batch_request req;
	int sent = 0, taken = 0, got, i, most = 0;
	float *in, *out;

	ASSERT_EQ(0, open_batch(&self->s, &d, "identity", 65536, &self->b));
	in = self->s.mem;
	out = (float *)((char *)self->s.mem + 32768);
	for (i = 0; i < 1000; i++)
		in[i * 4 + 1] = i;
	while (taken < 1000) {
		peer_fill(&self->s, &req, 1, sent * 16, 32768 + sent * 16);
		req.head.tag = sent;
		if (sent < 1000 && !phi_batch_submit(self->b, &req)) {
			sent++;
			continue;
		}
		got = phi_batch_reap(self->b, answers, 16, in_seconds(30));
		ASSERT_LT(0, got);
		for (i = 0; i < got; i++) {
			ASSERT_EQ(0, answers[i].status);
			ASSERT_EQ(answers[i].tag, out[answers[i].tag * 4 + 1]);
			if (most < (int)answers[i].batch)
				most = answers[i].batch;
		}
		taken += got;
	}
	EXPECT_LT(1, most);
}

/* How long a request takes that is alone, once the unit is warm; 0 = failed. */
static uint64_t time_one(struct peer *s, struct phi_batch *b)
{
	struct phi_batch_request req;
	struct phi_batch_answer a;
	uint64_t start = 0;

	for (int i = 0; i < 3; i++) {
		peer_fill(s, &req, 1, 0, 131072);
		start = now();
		if (phi_batch_submit(b, &req) ||
		    phi_batch_reap(b, &a, 1, in_seconds(30)) != 1 || a.status)
			return 0;
	}
	return now() - start;
}

SLOW_TEST(ring, drops_what_is_too_late_and_keeps_count)
{
	int sent = 0, taken = 0, got, i, late = 0, done = 0, told = 0;
	struct phi_batch_answer answers[16];
	struct phi_batch_request req;
	uint64_t took;

	srandom(3);
	ASSERT_EQ(0, open_batch(&self->s, &d, "digits", 262144, &self->b));
	took = time_one(&self->s, self->b);
	ASSERT_NE(0, took);
	while (taken < 600) {
		peer_fill(&self->s, &req, 1 + sent % 4, 0, 131072);
		req.head.tag = sent;
		req.priority = sent % 3;
		/* Some in the past, most around what it takes. */
		req.deadline_ns =
			now() + random() % (40000000 + 4 * took) - 2000000;
		if (sent < 600 && !phi_batch_submit(self->b, &req)) {
			sent++;
			continue;
		}
		got = phi_batch_reap(self->b, answers, 16, in_seconds(30));
		ASSERT_LT(0, got);
		taken += got;
		for (i = 0; i < got; i++) {
			if (answers[i].status) {
				ASSERT_EQ(-ETIMEDOUT, answers[i].status);
				late++;
				told += !!answers[i].expected_ns;
			} else {
				done++;
			}
		}
	}
	EXPECT_LT(0, late);
	EXPECT_LT(0, told);
	EXPECT_LT(0, done);
}

/* A ring by hand, to break it. */
struct raw {
	struct phi_ring *ring;
	uint64_t bell;
	uint64_t mem_cap;
	unsigned char *mem;
	size_t len;
};

static int raw_ring(struct peer *s, uint32_t entries, uint64_t notify,
		    struct raw *raw)
{
	struct phi_batch_ring req = { .head.op = PHI_BATCH_RING,
				      .entries = entries };
	struct phi_bell bell = { .phi = s->phi, .fd = -1 };
	struct phi_batch_slot a;
	struct phi_msg_in in;
	void *mem;
	int ret;

	ret = peer_call(s, s->endpoint, &req, sizeof(req), notify,
			PHI_RIGHT_WRITE, &in);
	if (ret)
		return ret;
	memcpy(&a, in.data, sizeof(a));
	if (a.status)
		return a.status;
	raw->mem_cap = in.caps[0].cap;
	raw->bell = in.caps[1].cap;
	ret = phi_region_map(s->phi, raw->mem_cap, PROT_READ | PROT_WRITE, &mem,
			     &raw->len);
	if (ret)
		return ret;
	raw->mem = mem;
	bell.notify = raw->bell;
	return phi_ring_attach(mem, raw->len, &bell, -1, &raw->ring);
}

SLOW_TEST(ring, refuses_bad_rings)
{
	struct peer *s = &self->s;
	uint64_t notify;
	struct raw raw;

	ASSERT_EQ(0, peer_open(s, &d, "identity", 8192));
	ASSERT_EQ(0, phi_notify_create(s->phi, &notify));
	EXPECT_EQ(-EINVAL, raw_ring(s, 0, notify, &raw));
	EXPECT_EQ(-EINVAL, raw_ring(s, 4, notify, &raw));
	EXPECT_EQ(-EINVAL, raw_ring(s, 24, notify, &raw));
	EXPECT_EQ(-EINVAL, raw_ring(s, 2048, notify, &raw));
	EXPECT_EQ(-EINVAL, raw_ring(s, 64, 0, &raw));
	EXPECT_EQ(-EINVAL, raw_ring(s, 64, s->life, &raw));
	ASSERT_EQ(0, raw_ring(s, 64, notify, &raw));
	EXPECT_EQ(-EEXIST, raw_ring(s, 64, notify, &raw));
	/* It is not the client's to take away. */
	EXPECT_EQ(-EPERM, phi_cap_revoke(s->phi, raw.mem_cap));
}

SLOW_TEST(ring, more_than_the_credit_is_refused)
{
	struct peer *s = &self->s;
	struct phi_batch_request req;
	struct phi_batch_answer a;
	int i, refused = 0, done = 0;
	uint64_t notify, until;
	struct raw raw;

	ASSERT_EQ(0, peer_open(s, &d, "digits", 262144));
	ASSERT_EQ(0, phi_notify_create(s->phi, &notify));
	ASSERT_EQ(0, raw_ring(s, 128, notify, &raw));
	kill(d.pid, SIGSTOP);
	for (i = 0; i < 100; i++) {
		peer_fill(s, &req, 16, 0, 131072);
		ASSERT_EQ(0, phi_ring_send(raw.ring, &req, sizeof(req)));
	}
	kill(d.pid, SIGCONT);
	until = in_seconds(60);
	while (done + refused < 100 && now() < until) {
		if (phi_ring_recv(raw.ring, &a, sizeof(a)) < 0) {
			usleep(1000);
			continue;
		}
		ASSERT_TRUE(a.status == 0 || a.status == -EAGAIN);
		done += !a.status;
		refused += !!a.status;
	}
	EXPECT_EQ(100, done + refused);
	EXPECT_LE(16, done);
	EXPECT_LT(0, refused);
}

SLOW_TEST(ring, who_scribbles_over_it_loses_the_session)
{
	struct peer other, *s = &self->s;
	struct phi_batch_request req;
	struct phi_batch_answer a;
	uint64_t notify, until;
	struct raw raw;
	size_t i;
	int ret = 0;

	ASSERT_EQ(0, peer_open(s, &d, "identity", 8192));
	ASSERT_EQ(0, phi_notify_create(s->phi, &notify));
	ASSERT_EQ(0, raw_ring(s, 64, notify, &raw));
	for (i = 0; i < raw.len; i++)
		raw.mem[i] = 0xa5 ^ i;
	phi_notify_signal(s->phi, raw.bell, 1);
	peer_fill(s, &req, 1, 0, 4096);
	until = in_seconds(30);
	while (!ret && now() < until)
		ret = peer_infer(s, &req, &a);
	EXPECT_EQ(-EKEYREVOKED, ret);

	ASSERT_EQ(0, peer_open(&other, &d, "identity", 8192));
	peer_fill(&other, &req, 1, 0, 4096);
	EXPECT_EQ(0, peer_infer(&other, &req, &a));
	EXPECT_EQ(0, a.status);
	peer_close(&other);
}

SLOW_TEST(ring, who_takes_no_answers_loses_the_session)
{
	struct peer *s = &self->s;
	struct phi_batch_request req;
	struct phi_batch_answer a;
	uint64_t notify, until;
	struct raw raw;
	int sent = 0, ret = 0;

	ASSERT_EQ(0, peer_open(s, &d, "identity", 8192));
	ASSERT_EQ(0, phi_notify_create(s->phi, &notify));
	ASSERT_EQ(0, raw_ring(s, 8, notify, &raw));
	peer_fill(s, &req, 1, 0, 4096);
	until = in_seconds(30);
	/* One more than answers fit; then the ring's memory is gone. */
	while (sent < 9 && now() < until) {
		kill(d.pid, SIGSTOP);
		usleep(10000);
		while (sent < 9 &&
		       !phi_ring_send(raw.ring, &req, sizeof(req))) {
			sent++;
		}
		kill(d.pid, SIGCONT);
		/* Eight are no offence. */
		EXPECT_EQ(0, sent < 9 ? peer_infer(s, &req, &a) : 0);
	}
	EXPECT_EQ(9, sent);
	while (!ret && now() < until)
		ret = peer_infer(s, &req, &a);
	EXPECT_EQ(-EKEYREVOKED, ret);
}

TEST_HARNESS_MAIN
