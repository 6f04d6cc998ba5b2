// SPDX-License-Identifier: GPL-2.0-only

#include "kselftest_harness.h"

#include <poll.h>
#include <sys/epoll.h>

#include "phi_message.h"

FIXTURE(poll)
{
	int phi;
	uint64_t ep;
	int fd;
	struct phi_system_stats before;
};

FIXTURE_SETUP(poll)
{
	self->phi = do_open();
	ASSERT_LE(0, self->phi)
	{
		TH_LOG("is phi.ko loaded?");
	}
	ASSERT_EQ(0, do_stats(self->phi, &self->before));
	ASSERT_EQ(0, do_endpoint(self->phi, &self->ep));
	self->fd = do_endpoint_fd(self->phi, self->ep);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(poll)
{
	close(self->fd);
	close(self->phi);
	EXPECT_TRUE(do_restored(&self->before));
}

/* What is ready now. */
static int ready(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN | POLLOUT };

	poll(&pfd, 1, 0);
	return pfd.revents;
}

struct poller {
	pthread_t thread;
	pid_t tid;
	int fd;
	int events;
	int revents;
};

static void *poller_thread(void *arg)
{
	struct poller *poller = arg;
	struct pollfd pfd = { .fd = poller->fd, .events = poller->events };

	__atomic_store_n(&poller->tid, syscall(SYS_gettid), __ATOMIC_RELEASE);
	/* Without a limit: when time is up, poll() looks again by itself. */
	poller->revents = poll(&pfd, 1, -1) == 1 ? pfd.revents : 0;
	return NULL;
}

static void poller_start(struct poller *poller, int fd, int events)
{
	poller->fd = fd;
	poller->events = events;
	poller->tid = 0;
	pthread_create(&poller->thread, NULL, poller_thread, poller);
	while (!__atomic_load_n(&poller->tid, __ATOMIC_ACQUIRE))
		sched_yield();
	/* One that came back at once has its answer too. */
	thread_sleeps(poller->tid);
}

static int poller_join(struct poller *poller)
{
	pthread_join(poller->thread, NULL);
	return poller->revents;
}

TEST_F(poll, is_closed_on_exec)
{
	EXPECT_EQ(FD_CLOEXEC, fcntl(self->fd, F_GETFD));
}

TEST_F(poll, tells_of_messages_and_credit)
{
	EXPECT_EQ(POLLOUT, ready(self->fd));
	while (!do_send(self->phi, self->ep, "x", 1))
		;
	EXPECT_EQ(POLLIN, ready(self->fd));
	ASSERT_EQ(0, do_take(self->phi, self->ep));
	EXPECT_EQ(POLLIN | POLLOUT, ready(self->fd));
	while (!do_take(self->phi, self->ep))
		;
	EXPECT_EQ(POLLOUT, ready(self->fd));
}

TEST_F(poll, tells_each_right_its_own)
{
	uint64_t to, from;
	int out, in;

	ASSERT_EQ(0, do_derive(self->phi, self->ep, PHI_RIGHT_SEND, &to));
	ASSERT_EQ(0, do_derive(self->phi, self->ep, PHI_RIGHT_RECV, &from));
	out = do_endpoint_fd(self->phi, to);
	in = do_endpoint_fd(self->phi, from);
	ASSERT_LE(0, out);
	ASSERT_LE(0, in);
	ASSERT_EQ(0, do_send(self->phi, to, "x", 1));
	EXPECT_EQ(POLLOUT, ready(out));
	EXPECT_EQ(POLLIN, ready(in));
	close(out);
	close(in);
}

TEST_F(poll, wakes_for_a_message_and_for_credit)
{
	struct poller poller;

	poller_start(&poller, self->fd, POLLIN);
	ASSERT_EQ(0, do_send(self->phi, self->ep, "x", 1));
	EXPECT_EQ(POLLIN, poller_join(&poller));
	while (!do_send(self->phi, self->ep, "x", 1))
		;
	poller_start(&poller, self->fd, POLLOUT);
	ASSERT_EQ(0, do_take(self->phi, self->ep));
	EXPECT_EQ(POLLOUT, poller_join(&poller));
}

/* More than a call wakes by itself. */
#define EPOLLS 50

static bool all_hear(const int *epolls, unsigned int want)
{
	struct epoll_event event;

	for (int i = 0; i < EPOLLS; i++) {
		if (epoll_wait(epolls[i], &event, 1, 30000) != 1 ||
		    (event.events & want) != want)
			return false;
	}
	return true;
}

TEST_F(poll, wakes_all_epolls_of_a_file)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int epolls[EPOLLS];

	for (int i = 0; i < EPOLLS; i++) {
		epolls[i] = epoll_create1(EPOLL_CLOEXEC);
		ASSERT_LE(0, epolls[i]);
		ASSERT_EQ(0, epoll_ctl(epolls[i], EPOLL_CTL_ADD, self->fd,
				       &event));
	}
	for (int round = 0; round < 3; round++) {
		ASSERT_EQ(0, do_send(self->phi, self->ep, "x", 1));
		EXPECT_TRUE(all_hear(epolls, EPOLLIN));
		ASSERT_EQ(0, do_take(self->phi, self->ep));
	}
	ASSERT_EQ(0, do_drop(self->phi, self->ep));
	EXPECT_TRUE(all_hear(epolls, EPOLLERR | EPOLLHUP));
	/* The file goes while a work may still wake them. */
	close(self->fd);
	for (int i = 0; i < EPOLLS; i++)
		close(epolls[i]);
}

TEST_F(poll, wakes_at_death)
{
	struct poller poller;
	uint64_t to;
	int fd;

	ASSERT_EQ(0, do_derive(self->phi, self->ep, PHI_RIGHT_SEND, &to));
	fd = do_endpoint_fd(self->phi, to);
	ASSERT_LE(0, fd);
	poller_start(&poller, fd, POLLIN);
	ASSERT_EQ(0, do_drop(self->phi, self->ep));
	EXPECT_EQ(POLLHUP, poller_join(&poller));
	EXPECT_EQ(POLLHUP, ready(fd));
	EXPECT_EQ(POLLERR | POLLHUP, ready(self->fd));
	close(fd);
}

TEST_F(poll, wakes_when_the_capability_goes)
{
	struct poller poller;
	uint64_t to;
	int fd;

	/* Revoked. */
	ASSERT_EQ(0, do_derive(self->phi, self->ep, PHI_RIGHT_SEND, &to));
	fd = do_endpoint_fd(self->phi, to);
	ASSERT_LE(0, fd);
	poller_start(&poller, fd, POLLIN);
	ASSERT_EQ(0, do_revoke(self->phi, self->ep));
	EXPECT_EQ(POLLERR, poller_join(&poller));
	EXPECT_EQ(POLLOUT, ready(self->fd));
	close(fd);
	/* Dropped. */
	ASSERT_EQ(0, do_derive(self->phi, self->ep, PHI_RIGHT_SEND, &to));
	fd = do_endpoint_fd(self->phi, to);
	ASSERT_LE(0, fd);
	poller_start(&poller, fd, POLLIN);
	ASSERT_EQ(0, do_drop(self->phi, to));
	EXPECT_EQ(POLLERR, poller_join(&poller));
	close(fd);
	/* Expired. */
	ASSERT_EQ(0, do_derive_until(self->phi, self->ep, PHI_RIGHT_SEND,
				     boottime_ns() + 1500 * MS, 0, &to));
	fd = do_endpoint_fd(self->phi, to);
	ASSERT_LE(0, fd);
	poller_start(&poller, fd, POLLIN);
	EXPECT_EQ(POLLERR, poller_join(&poller));
	close(fd);
}

/* The file tells nothing to one who lost the right to know. */
TEST_F(poll, outlives_the_cspace)
{
	int fd = do_endpoint_fd(self->phi, self->ep);

	ASSERT_LE(0, fd);
	close(self->phi);
	EXPECT_EQ(POLLERR | POLLHUP, ready(fd));
	close(fd);
	self->phi = -1;
}

TEST_F(poll, epoll_and_close_in_either_order)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	int copy = dup(self->fd);

	ASSERT_LE(0, epoll);
	ASSERT_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD, self->fd, &event));
	EXPECT_EQ(0, epoll_wait(epoll, &event, 1, 0));
	ASSERT_EQ(0, do_send(self->phi, self->ep, "x", 1));
	EXPECT_EQ(1, epoll_wait(epoll, &event, 1, 1000));
	EXPECT_EQ(0, epoll_wait(epoll, &event, 1, 0));
	ASSERT_EQ(0, do_send(self->phi, self->ep, "x", 1));
	EXPECT_EQ(1, epoll_wait(epoll, &event, 1, 1000));
	/* The file first: the set forgets it. */
	close(self->fd);
	close(copy);
	ASSERT_EQ(0, do_send(self->phi, self->ep, "x", 1));
	EXPECT_EQ(0, epoll_wait(epoll, &event, 1, 0));
	/* The set first. */
	self->fd = do_endpoint_fd(self->phi, self->ep);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD, self->fd, &event));
	close(epoll);
	ASSERT_EQ(0, do_send(self->phi, self->ep, "x", 1));
	EXPECT_EQ(POLLIN | POLLOUT, ready(self->fd));
}

TEST_F(poll, refuses_bad_input)
{
	struct phi_endpoint_fd arg = { .endpoint = self->ep, .flags = 1 };
	uint64_t notify, bare;

	EXPECT_EQ(-EOPNOTSUPP, PHI_DO(self->phi, ENDPOINT_FD, &arg));
	arg.flags = 0;
	arg.pad = 1;
	EXPECT_EQ(-EINVAL, PHI_DO(self->phi, ENDPOINT_FD, &arg));
	EXPECT_EQ(-EBADF, do_endpoint_fd(self->phi, 0));
	ASSERT_EQ(0, do_notify(self->phi, &notify));
	EXPECT_EQ(-EINVAL, do_endpoint_fd(self->phi, notify));
	ASSERT_EQ(0, do_derive(self->phi, self->ep, PHI_RIGHT_GRANT, &bare));
	EXPECT_EQ(-EPERM, do_endpoint_fd(self->phi, bare));
}

TEST_HARNESS_MAIN
