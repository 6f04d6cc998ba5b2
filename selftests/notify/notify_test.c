// SPDX-License-Identifier: GPL-2.0-only

#include "kselftest_harness.h"

#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "phi_message.h"

#define RIGHTS \
	(PHI_RIGHT_READ | PHI_RIGHT_WRITE | PHI_RIGHT_ADMIN | PHI_RIGHT_GRANT)

FIXTURE(notify)
{
	int phi;
	uint64_t notify;
	struct phi_system_stats before;
};

FIXTURE_SETUP(notify)
{
	self->phi = do_open();
	ASSERT_LE(0, self->phi)
	{
		TH_LOG("is phi.ko loaded?");
	}
	ASSERT_EQ(0, do_stats(self->phi, &self->before));
	ASSERT_EQ(0, do_notify(self->phi, &self->notify));
}

FIXTURE_TEARDOWN(notify)
{
	close(self->phi);
	EXPECT_TRUE(do_restored(&self->before));
}

static int do_bind(int phi, uint64_t notify, int fd)
{
	struct phi_notify_bind arg = { .notify = notify, .eventfd = fd };

	return PHI_DO(phi, NOTIFY_BIND, &arg);
}

/* What an eventfd counts, 0 when nothing. */
static uint64_t count(int fd)
{
	uint64_t n;

	return read(fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

TEST_F(notify, create_gives_all_rights)
{
	struct phi_notify_create arg = { .flags = 1 };
	struct phi_cap_query query;

	EXPECT_EQ(-EOPNOTSUPP, PHI_DO(self->phi, NOTIFY_CREATE, &arg));
	ASSERT_EQ(0, do_query(self->phi, self->notify, &query));
	EXPECT_EQ(PHI_TYPE_NOTIFY, query.type);
	EXPECT_EQ(RIGHTS, query.rights);
}

TEST_F(notify, bits_add_up_and_are_taken_by_mask)
{
	uint64_t bits;

	EXPECT_EQ(-EAGAIN, do_bits(self->phi, self->notify, ~0ULL, &bits));
	ASSERT_EQ(0, do_signal(self->phi, self->notify, 1));
	ASSERT_EQ(0, do_signal(self->phi, self->notify, 6));
	ASSERT_EQ(0, do_signal(self->phi, self->notify, 1ULL << 63));
	EXPECT_EQ(-EAGAIN, do_bits(self->phi, self->notify, 8, &bits));
	ASSERT_EQ(0, do_bits(self->phi, self->notify, 10, &bits));
	EXPECT_EQ(2, bits);
	ASSERT_EQ(0, do_bits(self->phi, self->notify, ~0ULL, &bits));
	EXPECT_EQ(5 | 1ULL << 63, bits);
	EXPECT_EQ(-EAGAIN, do_bits(self->phi, self->notify, ~0ULL, &bits));
}

TEST_F(notify, signal_and_wait_refuse_bad_input)
{
	struct phi_notify_signal signal = { .notify = self->notify,
					    .bits = 1,
					    .flags = 1 };
	struct phi_notify_wait wait = { .notify = self->notify,
					.mask = 1,
					.flags = 2 };
	uint64_t mute, deaf, ep, old, bits;
	int other = do_open();

	EXPECT_EQ(-EOPNOTSUPP, PHI_DO(self->phi, NOTIFY_SIGNAL, &signal));
	EXPECT_EQ(-EOPNOTSUPP, PHI_DO(self->phi, NOTIFY_WAIT, &wait));
	EXPECT_EQ(-EINVAL, do_signal(self->phi, self->notify, 0));
	EXPECT_EQ(-EINVAL, do_bits(self->phi, self->notify, 0, &bits));
	ASSERT_EQ(0, do_endpoint(self->phi, &ep));
	ASSERT_EQ(0, do_derive(self->phi, self->notify,
			       RIGHTS & ~PHI_RIGHT_WRITE, &mute));
	ASSERT_EQ(0, do_derive(self->phi, self->notify,
			       RIGHTS & ~PHI_RIGHT_READ, &deaf));
	ASSERT_EQ(0, do_derive_until(self->phi, self->notify, RIGHTS,
				     boottime_ns() + 1, 0, &old));
	EXPECT_EQ(-EBADF, do_signal(self->phi, 0, 1));
	EXPECT_EQ(-EBADF, do_bits(self->phi, 0, 1, &bits));
	EXPECT_EQ(-EBADF, do_signal(other, self->notify, 1));
	EXPECT_EQ(-EINVAL, do_signal(self->phi, ep, 1));
	EXPECT_EQ(-EINVAL, do_bits(self->phi, ep, 1, &bits));
	EXPECT_EQ(-EPERM, do_signal(self->phi, mute, 1));
	EXPECT_EQ(-EPERM, do_bits(self->phi, deaf, 1, &bits));
	EXPECT_EQ(-EKEYEXPIRED, do_signal(self->phi, old, 1));
	ASSERT_EQ(0, do_revoke(self->phi, self->notify));
	EXPECT_EQ(-EKEYREVOKED, do_signal(self->phi, deaf, 1));
	EXPECT_EQ(-EKEYREVOKED, do_bits(self->phi, mute, 1, &bits));
	close(other);
}

TEST_F(notify, waiter_sleeps_until_its_bits_come)
{
	struct phi_notify_wait arg = { .notify = self->notify, .mask = 6 };
	struct job job = JOB(self->phi, NOTIFY_WAIT, &arg);
	uint64_t bits;

	ASSERT_EQ(0, job_start(&job));
	ASSERT_EQ(0, do_signal(self->phi, self->notify, 1));
	EXPECT_TRUE(thread_sleeps(job.tid));
	ASSERT_EQ(0, do_signal(self->phi, self->notify, 4));
	EXPECT_EQ(0, job_join(&job));
	EXPECT_EQ(4, arg.bits);
	ASSERT_EQ(0, do_bits(self->phi, self->notify, ~0ULL, &bits));
	EXPECT_EQ(1, bits);
}

TEST_F(notify, one_bit_wakes_one_of_many)
{
	struct phi_notify_wait arg[3] = {};
	struct job job[3];
	uint64_t bits;

	for (int i = 0; i < 3; i++) {
		arg[i].notify = self->notify;
		arg[i].mask = 1;
		job[i] = JOB(self->phi, NOTIFY_WAIT, &arg[i]);
		ASSERT_EQ(0, job_start(&job[i]));
	}
	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(0, do_signal(self->phi, self->notify, 1));
		/* Until somebody took it. */
		while (!do_bits(self->phi, self->notify, 1, &bits)) {
			ASSERT_EQ(0, do_signal(self->phi, self->notify, 1));
			usleep(1000);
		}
	}
	for (int i = 0; i < 3; i++) {
		EXPECT_EQ(0, job_join(&job[i]));
		EXPECT_EQ(1, arg[i].bits);
	}
}

/* More waiters than one signal looks at, each for a bit of its own. */
TEST_F_TIMEOUT(notify, signal_reaches_the_last_of_many, 120)
{
	struct phi_notify_wait arg[64] = {};
	struct job job[64];

	for (int i = 0; i < 64; i++) {
		arg[i].notify = self->notify;
		arg[i].mask = 1ULL << i;
		arg[i].deadline_ns = monotonic_ns() + 60000 * MS;
		job[i] = JOB(self->phi, NOTIFY_WAIT, &arg[i]);
		ASSERT_EQ(0, job_start(&job[i]));
	}
	/* The last first: the signal looks at others, which stay. */
	for (int i = 63; i >= 0; i -= 9) {
		ASSERT_EQ(0, do_signal(self->phi, self->notify, 1ULL << i));
		EXPECT_EQ(0, job_join(&job[i]));
		EXPECT_EQ(1ULL << i, arg[i].bits);
	}
	ASSERT_EQ(0, do_signal(self->phi, self->notify, ~0ULL));
	for (int i = 0; i < 64; i++) {
		if (i % 9 == 0)
			continue;
		EXPECT_EQ(0, job_join(&job[i]));
		EXPECT_EQ(1ULL << i, arg[i].bits);
	}
}

TEST_F(notify, wait_has_a_deadline)
{
	struct phi_notify_wait arg = {
		.notify = self->notify,
		.mask = 1,
		.deadline_ns = monotonic_ns() + 50 * MS,
	};

	EXPECT_EQ(-ETIMEDOUT, PHI_DO(self->phi, NOTIFY_WAIT, &arg));
	EXPECT_LE(arg.deadline_ns, monotonic_ns());
	ASSERT_EQ(0, do_signal(self->phi, self->notify, 1));
	EXPECT_EQ(0, PHI_DO(self->phi, NOTIFY_WAIT, &arg));
}

static void on_alarm(int sig)
{
	(void)sig;
}

TEST_F(notify, wait_is_interrupted)
{
	struct phi_notify_wait arg = { .notify = self->notify, .mask = 1 };
	struct sigaction action = { .sa_handler = on_alarm };

	sigaction(SIGALRM, &action, NULL);
	/* Again and again, for the first may come too early. */
	ualarm(30000, 30000);
	EXPECT_EQ(-EINTR, PHI_DO(self->phi, NOTIFY_WAIT, &arg));
	ualarm(0, 0);
}

TEST_F(notify, waiter_hears_of_the_end_of_its_capability)
{
	struct phi_notify_wait arg = { .mask = 1 };
	struct job job = JOB(self->phi, NOTIFY_WAIT, &arg);
	uint64_t weak, bits;

	ASSERT_EQ(0, do_derive(self->phi, self->notify, PHI_RIGHT_READ, &weak));
	arg.notify = weak;
	ASSERT_EQ(0, job_start(&job));
	ASSERT_EQ(0, do_revoke(self->phi, self->notify));
	EXPECT_EQ(-EKEYREVOKED, job_join(&job));
	ASSERT_EQ(0, do_derive(self->phi, self->notify, PHI_RIGHT_READ, &weak));
	arg.notify = weak;
	ASSERT_EQ(0, job_start(&job));
	ASSERT_EQ(0, do_drop(self->phi, weak));
	EXPECT_EQ(-EBADF, job_join(&job));
	ASSERT_EQ(0, do_derive_until(self->phi, self->notify, PHI_RIGHT_READ,
				     boottime_ns() + 1000 * MS, 0, &weak));
	arg.notify = weak;
	EXPECT_EQ(-EKEYEXPIRED, PHI_DO(self->phi, NOTIFY_WAIT, &arg));
	/* None of them took a bit along. */
	ASSERT_EQ(0, do_signal(self->phi, self->notify, 1));
	EXPECT_EQ(0, do_bits(self->phi, self->notify, 1, &bits));
}

TEST_F(notify, eventfd_counts_signals)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int next = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	ASSERT_EQ(0, do_bind(self->phi, self->notify, fd));
	EXPECT_EQ(0, poll(&pfd, 1, 0));
	ASSERT_EQ(0, do_signal(self->phi, self->notify, 1));
	ASSERT_EQ(0, do_signal(self->phi, self->notify, 1));
	EXPECT_EQ(1, poll(&pfd, 1, 0));
	EXPECT_EQ(2, count(fd));
	/* The next one hears at once of what is there; the first no more. */
	ASSERT_EQ(0, do_bind(self->phi, self->notify, next));
	EXPECT_EQ(1, count(next));
	ASSERT_EQ(0, do_signal(self->phi, self->notify, 1));
	EXPECT_EQ(0, count(fd));
	EXPECT_EQ(1, count(next));
	ASSERT_EQ(0, do_bind(self->phi, self->notify, -1));
	ASSERT_EQ(0, do_signal(self->phi, self->notify, 1));
	EXPECT_EQ(0, count(next));
	close(fd);
	close(next);
}

TEST_F(notify, eventfd_outlives_neither)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	ASSERT_EQ(0, do_bind(self->phi, self->notify, fd));
	close(fd);
	/* The binding has a reference of its own. */
	ASSERT_EQ(0, do_signal(self->phi, self->notify, 1));
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ASSERT_EQ(0, do_bind(self->phi, self->notify, fd));
	EXPECT_EQ(1, count(fd));
	ASSERT_EQ(0, do_drop(self->phi, self->notify));
	EXPECT_EQ(0, count(fd));
	close(fd);
}

TEST_F(notify, binding_ends_with_the_capability)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	uint64_t lent;

	ASSERT_EQ(0,
		  do_derive(self->phi, self->notify, PHI_RIGHT_ADMIN, &lent));
	ASSERT_EQ(0, do_bind(self->phi, lent, fd));
	ASSERT_EQ(0, do_signal(self->phi, self->notify, 1));
	EXPECT_EQ(1, count(fd));
	ASSERT_EQ(0, do_revoke(self->phi, self->notify));
	ASSERT_EQ(0, do_signal(self->phi, self->notify, 1));
	EXPECT_EQ(0, count(fd));
	/* Dropped. */
	ASSERT_EQ(0,
		  do_derive(self->phi, self->notify, PHI_RIGHT_ADMIN, &lent));
	ASSERT_EQ(0, do_bind(self->phi, lent, fd));
	EXPECT_EQ(1, count(fd));
	ASSERT_EQ(0, do_drop(self->phi, lent));
	ASSERT_EQ(0, do_signal(self->phi, self->notify, 1));
	EXPECT_EQ(0, count(fd));
	/* Expired. */
	ASSERT_EQ(0, do_derive_until(self->phi, self->notify, PHI_RIGHT_ADMIN,
				     boottime_ns() + 1000 * MS, 0, &lent));
	ASSERT_EQ(0, do_bind(self->phi, lent, fd));
	EXPECT_EQ(1, count(fd));
	usleep(1100000);
	ASSERT_EQ(0, do_signal(self->phi, self->notify, 1));
	EXPECT_EQ(0, count(fd));
	close(fd);
}

/* An eventfd in the epoll set of an epoll set wakes through both. */
TEST_F(notify, eventfd_wakes_a_loop)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int inner = epoll_create1(EPOLL_CLOEXEC);
	int outer = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event = { .events = EPOLLIN };

	ASSERT_EQ(0, epoll_ctl(inner, EPOLL_CTL_ADD, fd, &event));
	ASSERT_EQ(0, epoll_ctl(outer, EPOLL_CTL_ADD, inner, &event));
	ASSERT_EQ(0, do_bind(self->phi, self->notify, fd));
	EXPECT_EQ(0, epoll_wait(outer, &event, 1, 0));
	ASSERT_EQ(0, do_signal(self->phi, self->notify, 1));
	EXPECT_EQ(1, epoll_wait(outer, &event, 1, 1000));
	close(outer);
	close(inner);
	close(fd);
}

TEST_F(notify, bind_refuses_bad_input)
{
	struct phi_notify_bind arg = { .notify = self->notify, .flags = 1 };
	int fd = eventfd(0, EFD_CLOEXEC);
	uint64_t weak, ep;
	int pipe_fd[2];

	EXPECT_EQ(-EOPNOTSUPP, PHI_DO(self->phi, NOTIFY_BIND, &arg));
	arg.flags = 0;
	arg.eventfd = fd;
	arg.pad = 1;
	EXPECT_EQ(-EINVAL, PHI_DO(self->phi, NOTIFY_BIND, &arg));
	EXPECT_EQ(-EINVAL, do_bind(self->phi, self->notify, -2));
	ASSERT_EQ(0, pipe(pipe_fd));
	EXPECT_EQ(-EINVAL, do_bind(self->phi, self->notify, pipe_fd[0]));
	close(pipe_fd[0]);
	close(pipe_fd[1]);
	EXPECT_EQ(-EBADF, do_bind(self->phi, self->notify, pipe_fd[0]));
	EXPECT_EQ(-EBADF, do_bind(self->phi, 0, fd));
	ASSERT_EQ(0, do_endpoint(self->phi, &ep));
	EXPECT_EQ(-EINVAL, do_bind(self->phi, ep, fd));
	ASSERT_EQ(0, do_derive(self->phi, self->notify,
			       RIGHTS & ~PHI_RIGHT_ADMIN, &weak));
	EXPECT_EQ(-EPERM, do_bind(self->phi, weak, fd));
	close(fd);
}

TEST_HARNESS_MAIN
