// SPDX-License-Identifier: GPL-2.0-only
/*
 * Clients that ask for nonsense, lie, vanish and take their memory away: each
 * gets its error, and a good client beside them its results. One batchd
 * serves all tests.
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
#define RWM (RW | PHI_RIGHT_MAP)

SHARED_DAEMON("--verbose")

FIXTURE(hostile)
{
	struct peer s;
};

FIXTURE_SETUP(hostile)
{
	ASSERT_EQ(0, peer_open(&self->s, &d, "identity", 16384));
}

/* After whatever was done to it, it serves as before. */
FIXTURE_TEARDOWN(hostile)
{
	struct phi_batch_request req;
	struct phi_batch_answer a;
	struct peer s;
	float *in, *out;

	peer_close(&self->s);
	ASSERT_EQ(0, peer_open(&s, &d, "identity", 8192));
	in = s.mem;
	out = (float *)((char *)s.mem + 4096);
	in[3] = 99;
	peer_fill(&s, &req, 1, 0, 4096);
	EXPECT_EQ(0, peer_infer(&s, &req, &a));
	EXPECT_EQ(0, a.status);
	EXPECT_EQ(99, out[3]);
	peer_close(&s);
}

/* The status of a request in which one thing is wrong. */
#define REFUSED(_want, _change)                               \
	do {                                                  \
		struct phi_batch_request req;                 \
		struct phi_batch_answer a;                    \
		peer_fill(&self->s, &req, 2, 0, 8192);        \
		_change;                                      \
		EXPECT_EQ(0, peer_infer(&self->s, &req, &a)); \
		EXPECT_EQ(_want, a.status);                   \
		EXPECT_EQ(PHI_UNIT_UNKNOWN, a.unit);          \
	} while (0)

SLOW_TEST(hostile, requests_that_make_no_sense)
{
	REFUSED(-EINVAL, req.head.flags = 1);
	REFUSED(-EINVAL, req.pad = 1);
	REFUSED(-EINVAL, req.priority = 3);
	REFUSED(-EINVAL, req.input.shape[0] = 0);
	REFUSED(-EINVAL, req.input.shape[0] = 17);
	REFUSED(-EINVAL, req.input.shape[0] = 3);
	REFUSED(-EINVAL, req.output.shape[0] = 3);
	REFUSED(-EINVAL, req.input.shape[1] = 5);
	REFUSED(-EINVAL, req.output.shape[1] = 3);
	REFUSED(-EINVAL, req.input.shape[2] = 1);
	REFUSED(-EINVAL, req.input.ndim = 1);
	REFUSED(-EINVAL, req.input.ndim = 0);
	REFUSED(-EINVAL, req.input.ndim = 9);
	REFUSED(-EINVAL, req.input.ndim = 255);
	REFUSED(-EINVAL, req.input.dtype = PHI_DTYPE_I32);
	REFUSED(-EINVAL, req.output.dtype = 0);
	REFUSED(-EINVAL, req.input.dtype = 200);
	REFUSED(-EINVAL, req.input.pad = 1);
	REFUSED(-EINVAL, req.output.pad = 1);
	REFUSED(-EINVAL, req.input.offset = 2);
	REFUSED(-EINVAL, (req.input.shape[0] = UINT32_MAX,
			  req.output.shape[0] = UINT32_MAX));
}

SLOW_TEST(hostile, requests_that_reach_too_far)
{
	uint32_t slot;

	REFUSED(-EBADF, req.input.slot = 1);
	REFUSED(-EBADF, req.output.slot = 16);
	REFUSED(-EBADF, req.input.slot = UINT32_MAX);
	REFUSED(-ERANGE, req.input.offset = 16384);
	REFUSED(-ERANGE, req.input.offset = 16384 - 28);
	REFUSED(-ERANGE, req.output.offset = 16384 - 28);
	REFUSED(-ERANGE, req.input.offset = 1ULL << 40);
	REFUSED(-ERANGE, req.input.offset = UINT64_MAX - 15);
	REFUSED(-ERANGE, req.output.offset = UINT64_MAX - 31);

	ASSERT_EQ(0, peer_region(&self->s, self->s.region,
				 PHI_RIGHT_READ | PHI_RIGHT_MAP, &slot));
	REFUSED(-EPERM, req.output.slot = slot);
}

static int32_t message(struct peer *s, uint64_t to, const void *data,
		       uint32_t len, uint64_t cap, uint32_t rights)
{
	struct phi_msg_in in;
	int32_t status;
	int ret = peer_call(s, to, data, len, cap, rights, &in);

	if (ret)
		return ret;
	memcpy(&status, in.data, sizeof(status));
	return in.len < sizeof(status) ? -EPROTO : status;
}

SLOW_TEST(hostile, messages_that_make_no_sense)
{
	struct phi_batch_attach attach = { .head.op = PHI_BATCH_ATTACH,
					   .version = PHI_BATCH_VERSION };
	struct phi_batch_region region = { .head.op = PHI_BATCH_REGION };
	struct peer *s = &self->s;
	char bytes[PHI_MSG_MAX] = {};
	struct phi_batch_request req;

	peer_fill(s, &req, 1, 0, 8192);
	/* To the model only ATTACH goes, with an endpoint to live by. */
	EXPECT_EQ(-EINVAL, message(s, s->model, &req, sizeof(req), 0, 0));
	EXPECT_EQ(-EINVAL, message(s, s->model, NULL, 0, 0, 0));
	EXPECT_EQ(-EINVAL,
		  message(s, s->model, &attach, 8, s->life, PHI_RIGHT_SEND));
	EXPECT_EQ(-EINVAL, message(s, s->model, &attach, sizeof(attach), 0, 0));
	EXPECT_EQ(-EINVAL, message(s, s->model, &attach, sizeof(attach),
				   s->region, PHI_RIGHT_READ));
	EXPECT_EQ(-EINVAL, message(s, s->model, &attach, sizeof(attach),
				   s->life, PHI_RIGHT_RECV));
	attach.version = 2;
	EXPECT_EQ(-EPROTONOSUPPORT,
		  message(s, s->model, &attach, sizeof(attach), s->life,
			  PHI_RIGHT_SEND));
	attach.version = PHI_BATCH_VERSION;
	attach.pad = 1;
	EXPECT_EQ(-EINVAL, message(s, s->model, &attach, sizeof(attach),
				   s->life, PHI_RIGHT_SEND));
	attach.pad = 0;
	attach.head.flags = 1;
	EXPECT_EQ(-EINVAL, message(s, s->model, &attach, sizeof(attach),
				   s->life, PHI_RIGHT_SEND));

	/* To the session everything else, each of its own length. */
	attach.head.flags = 0;
	EXPECT_EQ(-EINVAL, message(s, s->endpoint, &attach, sizeof(attach),
				   s->life, PHI_RIGHT_SEND));
	EXPECT_EQ(-EINVAL, message(s, s->endpoint, bytes, 0, 0, 0));
	EXPECT_EQ(-EINVAL, message(s, s->endpoint, bytes, 3, 0, 0));
	EXPECT_EQ(-EINVAL, message(s, s->endpoint, bytes, 256, 0, 0));
	EXPECT_EQ(-EINVAL,
		  message(s, s->endpoint, &req, sizeof(req) - 1, 0, 0));
	memcpy(bytes, &req, sizeof(req));
	EXPECT_EQ(-EINVAL, message(s, s->endpoint, bytes, 256, 0, 0));

	EXPECT_EQ(-EINVAL,
		  message(s, s->endpoint, &region, sizeof(region), 0, 0));
	EXPECT_EQ(-EINVAL, message(s, s->endpoint, &region, sizeof(region),
				   s->life, PHI_RIGHT_SEND));
	EXPECT_EQ(-EPERM, message(s, s->endpoint, &region, sizeof(region),
				  s->region, PHI_RIGHT_WRITE | PHI_RIGHT_MAP));
	EXPECT_EQ(-EPERM, message(s, s->endpoint, &region, sizeof(region),
				  s->region, RW));
	region.pad = 1;
	EXPECT_EQ(-EINVAL, message(s, s->endpoint, &region, sizeof(region),
				   s->region, RWM));
	region.pad = 0;
	region.slot = 1;
	EXPECT_EQ(-EINVAL, message(s, s->endpoint, &region, sizeof(region),
				   s->region, RWM));
	region.slot = 0;
	region.head.flags = 1;
	EXPECT_EQ(-EINVAL, message(s, s->endpoint, &region, sizeof(region),
				   s->region, RWM));
}

SLOW_TEST(hostile, slots_run_out_and_come_back)
{
	struct peer *s = &self->s;
	uint32_t slot, i;

	for (i = 1; i < PHI_BATCH_SLOTS; i++) {
		ASSERT_EQ(0, peer_region(s, s->region, RWM, &slot));
		EXPECT_EQ(i, slot);
	}
	EXPECT_EQ(-ENOSPC, peer_region(s, s->region, RWM, &slot));
	EXPECT_EQ(-EBADF, peer_forget(s, 16));
	EXPECT_EQ(0, peer_forget(s, 5));
	EXPECT_EQ(-EBADF, peer_forget(s, 5));
	REFUSED(-EBADF, req.input.slot = 5);
	EXPECT_EQ(0, peer_region(s, s->region, RWM, &slot));
	EXPECT_EQ(5, slot);
}

SLOW_TEST(hostile, sessions_of_one_user_run_out)
{
	struct peer *s = calloc(70, sizeof(*s));
	int i, ret = 0;

	for (i = 0; i < 70 && !ret; i++) {
		ASSERT_EQ(0, peer_unseal(&s[i], &d, "identity"));
		ret = peer_attach(&s[i]);
	}
	EXPECT_EQ(-EDQUOT, ret);
	/* One is the fixture's; the last one here was refused. */
	EXPECT_EQ(64, i);
	while (i--)
		peer_close(&s[i]);
	free(s);
}

/* The owner takes its region back while requests on it are under way. */
static int revoker(void)
{
	struct phi_batch_request req;
	struct phi_batch_answer a;
	int i, faults = 0;
	struct peer s;

	if (peer_open(&s, &d, "identity", 16384))
		return 100;
	for (i = 0; i < 40; i++) {
		peer_fill(&s, &req, 1 + i % 16, 0, 8192);
		if (i % 2 && phi_cap_revoke(s.phi, s.region))
			return 101;
		if (peer_infer(&s, &req, &a))
			return 102;
		if (a.status && a.status != -EFAULT)
			return 103;
		faults += a.status == -EFAULT;
		if (!(i % 2))
			continue;
		if (a.status != -EFAULT)
			return 104;
		if (peer_forget(&s, s.slot) ||
		    peer_region(&s, s.region, RWM, &s.slot))
			return 105;
	}
	peer_close(&s);
	return faults == 20 ? 0 : 106;
}

SLOW_TEST(hostile, a_revoked_region_costs_only_its_owner)
{
	float *in = self->s.mem, *out = (float *)((char *)self->s.mem + 8192);
	struct phi_batch_request req;
	struct phi_batch_answer a;
	int i, status, done = 0;
	pid_t pid = fork();

	if (!pid)
		_exit(revoker());
	for (i = 0; !done || i < 50; i++) {
		in[0] = i;
		in[7] = -i;
		peer_fill(&self->s, &req, 2, 0, 8192);
		ASSERT_EQ(0, peer_infer(&self->s, &req, &a));
		ASSERT_EQ(0, a.status);
		ASSERT_EQ(i, out[0]);
		ASSERT_EQ(-i, out[7]);
		if (!done)
			done = waitpid(pid, &status, WNOHANG);
	}
	EXPECT_EQ(0, status);
}

/* Dies with its ring full of requests; another thread of it pulls memory. */
static void die_in_flight(int how)
{
	struct phi_batch_request req;
	struct peer raw;
	struct phi_batch *b;
	uint64_t model;
	int i;

	if (peer_open(&raw, &d, "digits", 64 * 4096))
		_exit(1);
	model = raw.model;
	if (phi_batch_open(raw.phi, model, PHI_BATCH_OPEN_RING, in_seconds(30),
			   &b))
		_exit(2);
	raw.info = *phi_batch_info(b);
	raw.slot = phi_batch_region(b, raw.region, RW, in_seconds(30));
	for (i = 0; i < 64; i++) {
		peer_fill(&raw, &req, 16, i % 16 * 8192, 32 * 4096);
		if (phi_batch_submit(b, &req))
			break;
	}
	if (how == 0)
		kill(getpid(), SIGKILL);
	if (how == 1)
		phi_cap_revoke(raw.phi, raw.region);
	_exit(i == 64 ? 0 : 3);
}

SLOW_TEST(hostile, dying_clients_leave_nothing_behind)
{
	int i, status;

	/* More than one user may have at a time. */
	for (i = 0; i < 40; i++) {
		pid_t pid = fork();

		if (!pid)
			die_in_flight(i % 3);
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		if (i % 3) {
			ASSERT_EQ(0, status);
		} else {
			ASSERT_TRUE(WIFSIGNALED(status));
		}
	}
}

TEST_HARNESS_MAIN
