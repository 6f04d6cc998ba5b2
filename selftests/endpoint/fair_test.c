// SPDX-License-Identifier: GPL-2.0-only
/*
 * One user beside another at an endpoint: turns go by user, files are paid for
 * and all of them are woken, however many there are.
 */

#include "kselftest_harness.h"

#include <poll.h>
#include <sys/epoll.h>

#include "phi_message.h"

#define CSPACES 40
#define FILES 40

FIXTURE(fair)
{
	int phi;
	uint64_t ep;
	struct phi_system_stats before;
	struct phi_token token;
};

FIXTURE_SETUP(fair)
{
	self->phi = do_open();
	ASSERT_LE(0, self->phi)
	{
		TH_LOG("is phi.ko loaded?");
	}
	ASSERT_EQ(0, do_endpoint(self->phi, &self->ep));
	ASSERT_EQ(0, do_stats(self->phi, &self->before));
	ASSERT_EQ(0, do_seal(self->phi, self->ep, PHI_RIGHT_SEND, 0, 0,
			     &self->token));
}

FIXTURE_TEARDOWN(fair)
{
	EXPECT_TRUE(do_settled(self->phi, &self->before));
	close(self->phi);
}

struct sender {
	const struct phi_token *token;
	uid_t uid;
	int cspaces;
	int messages; /* from each */
	char name;
};

static int send_all(void *arg)
{
	const struct sender *s = arg;
	int ret = become(s->uid);

	for (int i = 0; !ret && i < s->cspaces; i++) {
		char data[2] = { s->name, (char)i };
		int phi = do_open();
		uint64_t to;

		ret = phi < 0 ? phi : do_unseal(phi, s->token, &to);
		for (int n = 0; !ret && n < s->messages; n++)
			ret = do_send(phi, to, data, sizeof(data));
	}
	return ret;
}

/* However many cspaces a user has, another waits for one message of it. */
TEST_F(fair, turns_are_by_user)
{
	struct sender many = { &self->token, 1001, CSPACES, 2, 'm' };
	struct sender one = { &self->token, 1002, 1, 3, 'o' };
	struct phi_recv recv;
	char data[2], order[8] = {};

	ASSERT_EQ(0, in_child(send_all, &many));
	ASSERT_EQ(0, in_child(send_all, &one));
	for (int i = 0; i < 7; i++) {
		ASSERT_EQ(0, do_recv(self->phi, self->ep, data, 2, &recv));
		order[i] = data[0];
	}
	EXPECT_STREQ("momomom", order);
	while (!do_take(self->phi, self->ep))
		;
}

/* And its own cspaces take turns among themselves. */
TEST_F(fair, then_by_cspace)
{
	struct sender two = { &self->token, 1001, 2, 3, 't' };
	struct phi_recv recv;
	char data[2];

	ASSERT_EQ(0, in_child(send_all, &two));
	for (int i = 0; i < 6; i++) {
		ASSERT_EQ(0, do_recv(self->phi, self->ep, data, 2, &recv));
		EXPECT_EQ(i % 2, data[1]);
	}
}

TEST_F(fair, files_are_paid_for)
{
	uint64_t used = self->before.used[PHI_QUOTA_CAPS];
	struct phi_system_stats now;
	uint64_t limit = self->before.limit[PHI_QUOTA_CAPS];
	int fd[3];

	for (int i = 0; i < 3; i++) {
		fd[i] = do_endpoint_fd(self->phi, self->ep);
		ASSERT_LE(0, fd[i]);
		ASSERT_EQ(0, do_stats(self->phi, &now));
		EXPECT_EQ(used + i + 1, now.used[PHI_QUOTA_CAPS]);
	}
	ASSERT_EQ(0, do_limit("quota_caps", used + 3));
	EXPECT_EQ(-EDQUOT, do_endpoint_fd(self->phi, self->ep));
	ASSERT_EQ(0, do_limit("quota_caps", limit));
	for (int i = 0; i < 3; i++)
		close(fd[i]);
}

static uint64_t caps_used(int phi)
{
	struct phi_system_stats now;

	return do_stats(phi, &now) ? ~0ULL : now.used[PHI_QUOTA_CAPS];
}

/* Until their handle goes, in whatever way, or the endpoint dies. */
TEST_F(fair, watches_are_paid_for)
{
	struct phi_endpoint_watch watch = { .bits = 1 };
	const uint64_t limit = self->before.limit[PHI_QUOTA_CAPS];
	uint64_t used, ep;

	ASSERT_EQ(0, do_notify(self->phi, (uint64_t *)&watch.notify));
	ASSERT_EQ(0, do_endpoint(self->phi, &ep));
	for (int way = 0; way < 3; way++) {
		ASSERT_EQ(0, do_derive(self->phi, ep, PHI_RIGHT_SEND,
				       (uint64_t *)&watch.endpoint));
		used = caps_used(self->phi);
		for (int i = 0; i < 3; i++) {
			ASSERT_EQ(0, PHI_DO(self->phi, ENDPOINT_WATCH, &watch));
			EXPECT_EQ(used + i + 1, caps_used(self->phi));
		}
		ASSERT_EQ(0, do_limit("quota_caps", used + 3));
		EXPECT_EQ(-EDQUOT, PHI_DO(self->phi, ENDPOINT_WATCH, &watch));
		ASSERT_EQ(0, do_limit("quota_caps", limit));
		if (way)
			ASSERT_EQ(0, (way == 1 ? do_revoke : do_drop)(self->phi,
								      ep));
		/* A worker has signalled, and gives them back, when it died. */
		for (int i = 0; way == 2 && i < 3000; i++) {
			if (caps_used(self->phi) == used)
				break;
			usleep(10000);
		}
		EXPECT_EQ(way ? used : used + 3, caps_used(self->phi));
		ASSERT_EQ(0, do_drop(self->phi, watch.endpoint));
	}
	EXPECT_EQ(self->before.used[PHI_QUOTA_CAPS], caps_used(self->phi) - 1);
	/* They hear of it all the same. */
	ASSERT_EQ(0, do_bits(self->phi, watch.notify, 1, &ep));
	ASSERT_EQ(0, do_drop(self->phi, watch.notify));
}

/* A set of files of the endpoint; reports what they wait for once each. */
static int watch_files(int phi, uint64_t ep, uint32_t events, int *fds)
{
	int set = epoll_create1(EPOLL_CLOEXEC);

	for (int i = 0; i < FILES; i++) {
		struct epoll_event event = {
			.events = events | EPOLLONESHOT,
			.data.u32 = i,
		};

		fds[i] = do_endpoint_fd(phi, ep);
		if (fds[i] < 0 || epoll_ctl(set, EPOLL_CTL_ADD, fds[i], &event))
			return -1;
	}
	return set;
}

/* Wait until all have reported. Return: what they all did. */
static uint32_t all_report(int set)
{
	struct epoll_event events[FILES];
	uint32_t all = ~0U;
	int n;

	for (int count = 0; count < FILES; count += n) {
		n = epoll_wait(set, events, FILES, -1);
		if (n < 0)
			return 0;
		for (int i = 0; i < n; i++)
			all &= events[i].events;
	}
	return all;
}

TEST_F(fair, all_files_hear_of_a_message)
{
	int fds[FILES], set = watch_files(self->phi, self->ep, EPOLLIN, fds);

	ASSERT_LE(0, set);
	ASSERT_EQ(0, do_send(self->phi, self->ep, "x", 1));
	EXPECT_EQ(EPOLLIN, all_report(set));
	ASSERT_EQ(0, do_take(self->phi, self->ep));
	for (int i = 0; i < FILES; i++)
		close(fds[i]);
	close(set);
}

TEST_F(fair, all_files_hear_of_credit)
{
	int fds[FILES], set;

	while (!do_send(self->phi, self->ep, "x", 1))
		;
	set = watch_files(self->phi, self->ep, EPOLLOUT, fds);
	ASSERT_LE(0, set);
	ASSERT_EQ(0, do_take(self->phi, self->ep));
	EXPECT_EQ(EPOLLOUT, all_report(set));
	while (!do_take(self->phi, self->ep))
		;
	for (int i = 0; i < FILES; i++)
		close(fds[i]);
	close(set);
}

TEST_F(fair, all_files_and_watches_hear_of_death)
{
	struct phi_endpoint_watch watch = {};
	int fds[FILES], set;
	uint64_t ep, to;

	ASSERT_EQ(0, do_endpoint(self->phi, &ep));
	ASSERT_EQ(0, do_derive(self->phi, ep, PHI_RIGHT_SEND, &to));
	ASSERT_EQ(0, do_notify(self->phi, (uint64_t *)&watch.notify));
	set = watch_files(self->phi, to, 0, fds);
	ASSERT_LE(0, set);
	watch.endpoint = to;
	for (int i = 0; i < FILES; i++) {
		watch.bits = 1ULL << i;
		ASSERT_EQ(0, PHI_DO(self->phi, ENDPOINT_WATCH, &watch));
	}
	ASSERT_EQ(0, do_drop(self->phi, ep));
	EXPECT_EQ(EPOLLHUP, all_report(set));
	ASSERT_EQ(0, do_all_bits(self->phi, watch.notify, (1ULL << FILES) - 1));
	for (int i = 0; i < FILES; i++)
		close(fds[i]);
	close(set);
	ASSERT_EQ(0, do_drop(self->phi, to));
	ASSERT_EQ(0, do_drop(self->phi, watch.notify));
}

/* What a revoke ends, however much hangs on the capability. */
TEST_F(fair, all_files_hear_of_a_revoke)
{
	int fds[FILES], set;
	uint64_t to;

	ASSERT_EQ(0, do_derive(self->phi, self->ep, PHI_RIGHT_SEND, &to));
	set = watch_files(self->phi, to, 0, fds);
	ASSERT_LE(0, set);
	for (int i = 0; i < 20; i++)
		ASSERT_EQ(0, do_send(self->phi, to, "x", 1));
	ASSERT_EQ(0, do_send(self->phi, self->ep, "mine", 4));
	ASSERT_EQ(0, do_revoke(self->phi, self->ep));
	EXPECT_EQ(EPOLLERR, all_report(set));
	EXPECT_EQ(0, do_take(self->phi, self->ep));
	EXPECT_EQ(-EAGAIN, do_take(self->phi, self->ep));
	for (int i = 0; i < FILES; i++)
		close(fds[i]);
	close(set);
	ASSERT_EQ(0, do_drop(self->phi, to));
}

TEST_HARNESS_MAIN
