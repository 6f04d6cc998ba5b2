// SPDX-License-Identifier: GPL-2.0-only
/*
 * batchd serves: right results to the right client, on a unit the kernel
 * chose, as an unprivileged process; and it stops and starts cleanly.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "helper.h"

SHARED_DAEMON("")

FIXTURE(serve)
{
	struct daemon own; /* of those tests that end it */
	struct peer s;
};

FIXTURE_SETUP(serve)
{
	memset(self, 0, sizeof(*self));
}

FIXTURE_TEARDOWN(serve)
{
	if (self->own.pid)
		daemon_stop(&self->own, SIGKILL);
}

SLOW_TEST(serve, says_what_a_model_takes_and_computes_it)
{
	struct peer *s = &self->s;
	struct phi_batch_answer a;
	struct phi_batch_request req;
	float *in, *out;
	int i;

	ASSERT_EQ(0, peer_open(s, &d, "identity", 8192));
	EXPECT_EQ(PHI_BATCH_VERSION, s->info.version);
	EXPECT_EQ(16, s->info.max_batch);
	EXPECT_EQ(64, s->info.credits);
	EXPECT_EQ(PHI_DTYPE_F32, s->info.input.dtype);
	EXPECT_EQ(2, s->info.input.ndim);
	EXPECT_EQ(0, s->info.input.shape[0]);
	EXPECT_EQ(4, s->info.input.shape[1]);
	EXPECT_EQ(PHI_DTYPE_F32, s->info.output.dtype);

	in = s->mem;
	out = (float *)((char *)s->mem + 4096);
	for (i = 0; i < 64; i++)
		in[i] = i + 0.5f;
	peer_fill(s, &req, 16, 0, 4096);
	ASSERT_EQ(0, peer_infer(s, &req, &a));
	EXPECT_EQ(0, a.status);
	EXPECT_EQ(16, a.batch);
	EXPECT_EQ(PHI_CHOSEN_BUILTIN, a.why);
	EXPECT_LT(a.unit, PHI_UNITS_MAX);
	EXPECT_NE(0, a.run_ns);
	EXPECT_EQ(0, memcmp(in, out, 64 * sizeof(float)));
	EXPECT_EQ(0, out[64]);
	peer_close(s);

	ASSERT_EQ(0, peer_open(s, &d, "fixed", 8192));
	EXPECT_EQ(1, s->info.max_batch);
	in = s->mem;
	in[0] = 21;
	peer_fill(s, &req, 1, 0, 4096);
	ASSERT_EQ(0, peer_infer(s, &req, &a));
	EXPECT_EQ(0, a.status);
	EXPECT_EQ(1, a.batch);
	out = (float *)((char *)s->mem + 4096);
	EXPECT_EQ(42, out[0]);
	peer_close(s);
}

/* Each with its own numbers; nobody ever sees another's. */
static int busy_client(const struct daemon *from, int id, int rounds)
{
	struct phi_batch_request req;
	struct phi_batch_answer a;
	struct peer s;
	float *in, *out;
	int i, j;

	if (peer_open(&s, from, "identity", 8192))
		return 1;
	in = s.mem;
	out = (float *)((char *)s.mem + 4096);
	for (i = 0; i < rounds; i++) {
		int rows = 1 + (i + id) % 3;

		for (j = 0; j < rows * 4; j++)
			in[j] = id * 10000 + i * 10 + j;
		peer_fill(&s, &req, rows, 0, 4096);
		if (peer_infer(&s, &req, &a) || a.status)
			return 2;
		if (memcmp(in, out, rows * 16))
			return 3;
	}
	peer_close(&s);
	return 0;
}

SLOW_TEST(serve, gives_each_client_its_own_rows)
{
	int i, status;

	for (i = 0; i < 4; i++) {
		if (!fork())
			_exit(busy_client(&d, i + 1, 60));
	}
	for (i = 0; i < 4; i++) {
		ASSERT_LT(0, wait(&status));
		EXPECT_EQ(0, status);
	}
}

SLOW_TEST(serve, runs_without_privilege)
{
	char text[128];

	ASSERT_TRUE(daemon_status(&d, "Uid", text, sizeof(text)));
	EXPECT_EQ(0, strncmp(text, "65534\t65534\t65534\t65534", 23));
	ASSERT_TRUE(daemon_status(&d, "CapEff", text, sizeof(text)));
	EXPECT_EQ(0, strtoull(text, NULL, 16));
	ASSERT_TRUE(daemon_status(&d, "NoNewPrivs", text, sizeof(text)));
	EXPECT_EQ('1', text[0]);
	ASSERT_TRUE(daemon_status(&d, "Seccomp", text, sizeof(text)));
	EXPECT_EQ('2', text[0]);
}

SLOW_TEST(serve, reports_its_units)
{
	struct phi_unit_query unit = { .load = PHI_UNIT_UNKNOWN };
	int tries, phi = phi_open(0);

	ASSERT_LE(0, phi);
	/* Two reports later there is a load, at least of this machine. */
	for (tries = 0; tries < 1200 && unit.load == PHI_UNIT_UNKNOWN;
	     tries++) {
		usleep(50000);
		ASSERT_EQ(0, phi_unit_query(phi, 0, &unit));
	}
	EXPECT_EQ(PHI_UNIT_CPU, unit.kind);
	EXPECT_EQ(65534, unit.uid);
	EXPECT_EQ(1, unit.healthy);
	EXPECT_NE(PHI_UNIT_UNKNOWN, unit.load);
	EXPECT_LE(unit.load, 1000000);
	EXPECT_EQ(0, strncmp((char *)unit.name, "cpu", 3));
	phi_close(phi);
}

SLOW_TEST(serve, stops_on_sigterm_with_its_books_in_order)
{
	struct phi_batch_request req;
	struct phi_batch_answer a;
	char path[128];

	ASSERT_EQ(0, daemon_start(&self->own, ""));
	ASSERT_EQ(0, peer_open(&self->s, &self->own, "identity", 8192));
	peer_fill(&self->s, &req, 1, 0, 4096);
	ASSERT_EQ(0, peer_infer(&self->s, &req, &a));
	snprintf(path, sizeof(path), "%s/identity.token", self->own.dir);
	EXPECT_EQ(0, access(path, R_OK));
	EXPECT_EQ(0, daemon_stop(&self->own, SIGTERM));
	EXPECT_EQ(-1, access(path, R_OK));
	self->own.pid = 0;
	EXPECT_EQ(-EPIPE, peer_infer(&self->s, &req, &a));
	peer_close(&self->s);
}

SLOW_TEST(serve, killed_it_leaves_nobody_waiting)
{
	struct phi_batch_request req;
	struct phi_batch_answer a;
	uint64_t start;

	ASSERT_EQ(0, daemon_start(&self->own, ""));
	ASSERT_EQ(0, peer_open(&self->s, &self->own, "identity", 8192));
	peer_fill(&self->s, &req, 1, 0, 4096);
	/* Stopped it takes no message: the call is under way when it dies. */
	kill(self->own.pid, SIGSTOP);
	if (!fork()) {
		usleep(300000);
		kill(self->own.pid, SIGKILL);
		_exit(0);
	}
	start = now();
	EXPECT_EQ(-EPIPE, peer_infer(&self->s, &req, &a));
	EXPECT_LT(now() - start, 10 * SECOND);
	EXPECT_EQ(-EPIPE, peer_infer(&self->s, &req, &a));
	peer_close(&self->s);
	daemon_stop(&self->own, SIGKILL);
	self->own.pid = 0;

	ASSERT_EQ(0, daemon_start(&self->own, "--units 1"));
	ASSERT_EQ(0, peer_open(&self->s, &self->own, "identity", 8192));
	ASSERT_EQ(0, peer_infer(&self->s, &req, &a));
	EXPECT_EQ(0, a.status);
	peer_close(&self->s);
}

TEST_HARNESS_MAIN
