// SPDX-License-Identifier: GPL-2.0-only

#include "kselftest_harness.h"

#include "phi_message.h"

#define CREDITS 64

/* A server with an endpoint, and two clients that may send to it. */
FIXTURE(credit)
{
	int server;
	int client[2];
	uint64_t ep;
	uint64_t to[2];
};

FIXTURE_SETUP(credit)
{
	self->server = do_open();
	ASSERT_LE(0, self->server)
	{
		TH_LOG("is phi.ko loaded?");
	}
	ASSERT_EQ(0, do_endpoint(self->server, &self->ep));
	for (int i = 0; i < 2; i++) {
		self->client[i] = do_open();
		ASSERT_LE(0, self->client[i]);
		ASSERT_EQ(0, do_give(self->server, self->ep, PHI_RIGHT_SEND,
				     self->client[i], &self->to[i]));
	}
}

FIXTURE_TEARDOWN(credit)
{
	close(self->client[0]);
	close(self->client[1]);
	close(self->server);
}

/* Send until the credit is spent. Return: how many went. */
static int fill(int phi, uint64_t to)
{
	int n = 0;

	while (!do_send(phi, to, "hostile", 7))
		n++;
	return n;
}

TEST_F(credit, ends_and_comes_back)
{
	EXPECT_EQ(CREDITS, fill(self->client[0], self->to[0]));
	EXPECT_EQ(-EAGAIN, do_send(self->client[0], self->to[0], "x", 1));
	ASSERT_EQ(0, do_take(self->server, self->ep));
	EXPECT_EQ(0, do_send(self->client[0], self->to[0], "x", 1));
	EXPECT_EQ(-EAGAIN, do_send(self->client[0], self->to[0], "x", 1));
	for (int i = 0; i < CREDITS; i++)
		ASSERT_EQ(0, do_take(self->server, self->ep));
	EXPECT_EQ(-EAGAIN, do_take(self->server, self->ep));
	EXPECT_EQ(CREDITS, fill(self->client[0], self->to[0]));
}

TEST_F(credit, of_one_is_no_concern_of_another)
{
	char data[16] = {};
	struct phi_recv arg;

	fill(self->client[0], self->to[0]);
	ASSERT_EQ(0, do_send(self->client[1], self->to[1], "mine", 4));
	/* Not behind the 64 of the other either. */
	ASSERT_EQ(0, do_recv(self->server, self->ep, data, 16, &arg));
	EXPECT_EQ(7, arg.len);
	ASSERT_EQ(0, do_recv(self->server, self->ep, data, 16, &arg));
	EXPECT_EQ(4, arg.len);
	EXPECT_EQ(0, memcmp(data, "mine", 4));
}

TEST_F(credit, sleeper_is_woken)
{
	struct phi_send arg = { .endpoint = self->to[0] };
	struct job job = JOB(self->client[0], SEND, &arg);

	fill(self->client[0], self->to[0]);
	ASSERT_EQ(0, job_start(&job));
	ASSERT_EQ(0, do_take(self->server, self->ep));
	EXPECT_EQ(0, job_join(&job));
}

TEST_F(credit, each_sleeper_gets_one)
{
	struct phi_send arg[3] = {};
	struct job job[3];

	fill(self->client[0], self->to[0]);
	for (int i = 0; i < 3; i++) {
		arg[i].endpoint = self->to[0];
		job[i] = JOB(self->client[0], SEND, &arg[i]);
		ASSERT_EQ(0, job_start(&job[i]));
	}
	for (int i = 0; i < CREDITS + 3; i++) {
		struct phi_recv recv = { .endpoint = self->ep };
		char data[16];

		recv.data = (uintptr_t)data;
		recv.len = sizeof(data);
		ASSERT_EQ(0, PHI_DO(self->server, RECV, &recv));
	}
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(0, job_join(&job[i]));
	EXPECT_EQ(-EAGAIN, do_take(self->server, self->ep));
}

TEST_F(credit, wait_has_a_deadline)
{
	struct phi_send arg = {
		.endpoint = self->to[0],
		.deadline_ns = monotonic_ns() + 50 * MS,
	};

	fill(self->client[0], self->to[0]);
	EXPECT_EQ(-ETIMEDOUT, PHI_DO(self->client[0], SEND, &arg));
	EXPECT_LE(arg.deadline_ns, monotonic_ns());
	for (int i = 0; i < CREDITS; i++)
		ASSERT_EQ(0, do_take(self->server, self->ep));
	EXPECT_EQ(-EAGAIN, do_take(self->server, self->ep));
}

TEST_F(credit, comes_back_when_the_queue_is_flushed)
{
	uint64_t weak;

	ASSERT_EQ(0, do_derive(self->server, self->ep,
			       PHI_RIGHT_SEND | PHI_RIGHT_ADMIN, &weak));
	EXPECT_EQ(CREDITS, fill(self->server, self->ep));
	EXPECT_EQ(-EAGAIN, do_send(self->server, weak, "x", 1));
	ASSERT_EQ(0, do_take(self->server, self->ep));
	ASSERT_EQ(0, do_send(self->server, weak, "x", 1));
	ASSERT_EQ(0, do_revoke(self->server, self->ep));
	EXPECT_EQ(0, do_send(self->server, self->ep, "y", 1));
}

static int set_quota_bytes(const char *value)
{
	int fd = open("/sys/module/phi/parameters/quota_bytes", O_WRONLY);
	ssize_t n = write(fd, value, strlen(value));

	close(fd);
	return n > 0 ? 0 : -1;
}

/* As another user, so that nobody else's charges are in the way. */
static int spend_bytes(void *arg)
{
	uint64_t ep, notify;
	char data[PHI_MSG_MAX] = {};
	struct phi_system_stats stats;
	int phi, n = 0, ret;

	(void)arg;
	if (become(4242))
		return -1;
	phi = do_open();
	if (phi < 0 || do_endpoint(phi, &ep) || do_notify(phi, &notify))
		return -2;
	while (!(ret = do_send(phi, ep, data, sizeof(data))))
		n++;
	if (ret != -EDQUOT)
		return -8;
	/* What is left is too little for one without data then. */
	while (!(ret = do_send(phi, ep, NULL, 0)))
		n++;
	if (ret != -EDQUOT)
		return -9;
	if (do_stats(phi, &stats) || !stats.used[PHI_QUOTA_BYTES] ||
	    stats.used[PHI_QUOTA_BYTES] > 4096)
		return -3;
	/* Nothing of a refused message stays, nor of one that is refused. */
	if (do_send_cap(phi, ep, notify, PHI_XFER_MOVE, PHI_RIGHT_ALL) !=
		    -EDQUOT ||
	    do_probe(phi, notify))
		return -4;
	if (do_take(phi, ep) || do_send(phi, ep, data, sizeof(data)))
		return -5;
	for (int i = 0; i < n; i++) {
		if (do_take(phi, ep))
			return -6;
	}
	if (do_stats(phi, &stats) || stats.used[PHI_QUOTA_BYTES])
		return -7;
	return n;
}

TEST_F(credit, bytes_are_charged_and_given_back)
{
	int n;

	ASSERT_EQ(0, set_quota_bytes("4096"));
	n = in_child(spend_bytes, NULL);
	ASSERT_EQ(0, set_quota_bytes("16777216"));
	EXPECT_LT(4, n);
	EXPECT_GE(16, n);
}

TEST_HARNESS_MAIN
