// SPDX-License-Identifier: GPL-2.0-only

#include "kselftest_harness.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/time.h>

#include "phi_message.h"

#define RIGHTS \
	(PHI_RIGHT_SEND | PHI_RIGHT_RECV | PHI_RIGHT_ADMIN | PHI_RIGHT_GRANT)

/* A server with an endpoint, and a client that may send to it. */
FIXTURE(send)
{
	int server;
	int client;
	uint64_t ep;
	uint64_t to;
	struct phi_system_stats before;
};

FIXTURE_SETUP(send)
{
	ASSERT_EQ(0, do_baseline(&self->before))
	{
		TH_LOG("is phi.ko loaded?");
	}
	ASSERT_EQ(0,
		  do_ends(&self->server, &self->client, &self->ep, &self->to));
}

FIXTURE_TEARDOWN(send)
{
	close(self->client);
	close(self->server);
	EXPECT_TRUE(do_restored(&self->before));
}

TEST_F(send, create_gives_all_rights_of_an_endpoint)
{
	struct phi_endpoint_create arg = { .flags = 1 };
	struct phi_cap_query query;

	EXPECT_EQ(-EOPNOTSUPP, PHI_DO(self->server, ENDPOINT_CREATE, &arg));
	ASSERT_EQ(0, do_query(self->server, self->ep, &query));
	EXPECT_EQ(PHI_TYPE_ENDPOINT, query.type);
	EXPECT_EQ(RIGHTS, query.rights);
	EXPECT_EQ(0, query.badge);
}

TEST_F(send, arrives_in_order_with_its_origin)
{
	char data[PHI_MSG_MAX];
	struct phi_recv arg;

	ASSERT_EQ(0, do_send(self->client, self->to, "one", 3));
	ASSERT_EQ(0, do_send(self->client, self->to, NULL, 0));
	ASSERT_EQ(0, do_send(self->client, self->to, "three", 5));

	memset(&arg, 0xff, sizeof(arg));
	ASSERT_EQ(0, do_recv(self->server, self->ep, data, 256, &arg));
	EXPECT_EQ(3, arg.len);
	EXPECT_EQ(0, memcmp(data, "one", 3));
	EXPECT_EQ(0, arg.ncaps);
	EXPECT_EQ(0, arg.badge);
	EXPECT_EQ(PHI_TYPE_ENDPOINT, arg.type);
	EXPECT_EQ(PHI_RIGHT_SEND, arg.rights);
	EXPECT_EQ(getpid(), (pid_t)arg.pid);
	EXPECT_EQ(geteuid(), arg.uid);
	EXPECT_EQ(0, arg.reply);
	for (int i = 0; i < PHI_MSG_CAPS_MAX; i++)
		EXPECT_EQ(0, arg.caps[i].cap);

	ASSERT_EQ(0, do_recv(self->server, self->ep, data, 256, &arg));
	EXPECT_EQ(0, arg.len);
	ASSERT_EQ(0, do_recv(self->server, self->ep, data, 256, &arg));
	EXPECT_EQ(5, arg.len);
	EXPECT_EQ(0, memcmp(data, "three", 5));
	EXPECT_EQ(-EAGAIN, do_recv(self->server, self->ep, data, 256, &arg));
}

TEST_F(send, shows_the_badge)
{
	struct phi_recv arg;
	uint64_t badged;
	char byte;

	ASSERT_EQ(0, do_derive_until(self->server, self->ep, RIGHTS, 0, 7777,
				     &badged));
	ASSERT_EQ(0, do_send(self->server, badged, "x", 1));
	ASSERT_EQ(0, do_drop(self->server, badged));
	ASSERT_EQ(0, do_recv(self->server, self->ep, &byte, 1, &arg));
	EXPECT_EQ(7777, arg.badge);
	EXPECT_EQ(RIGHTS, arg.rights);
}

TEST_F(send, too_long_for_the_room_stays_first)
{
	char data[PHI_MSG_MAX] = {};
	struct phi_recv arg;

	ASSERT_EQ(0, do_send(self->client, self->to, "0123456789", 10));
	ASSERT_EQ(0, do_send(self->client, self->to, "x", 1));
	EXPECT_EQ(-EMSGSIZE, do_recv(self->server, self->ep, data, 9, &arg));
	EXPECT_EQ(-EMSGSIZE, do_recv(self->server, self->ep, data, 0, &arg));
	EXPECT_EQ(0, data[0]);
	ASSERT_EQ(0, do_recv(self->server, self->ep, data, 10, &arg));
	EXPECT_EQ(0, memcmp(data, "0123456789", 10));
	ASSERT_EQ(0, do_recv(self->server, self->ep, data, 1, &arg));
}

TEST_F(send, carries_the_longest_and_no_more)
{
	char data[PHI_MSG_MAX + 1], back[PHI_MSG_MAX];
	struct phi_recv arg;

	memset(data, 'y', sizeof(data));
	ASSERT_EQ(0, do_send(self->client, self->to, data, PHI_MSG_MAX));
	EXPECT_EQ(-EINVAL,
		  do_send(self->client, self->to, data, PHI_MSG_MAX + 1));
	EXPECT_EQ(-EINVAL, do_send(self->client, self->to, data, UINT32_MAX));
	ASSERT_EQ(0, do_recv(self->server, self->ep, back, UINT32_MAX, &arg));
	EXPECT_EQ(PHI_MSG_MAX, arg.len);
	EXPECT_EQ(0, memcmp(data, back, PHI_MSG_MAX));
}

TEST_F(send, refuses_bad_input)
{
	struct phi_send arg = { .endpoint = self->to, .flags = 2 };

	EXPECT_EQ(-EOPNOTSUPP, PHI_DO(self->client, SEND, &arg));
	arg.flags = PHI_NONBLOCK;
	arg.ncaps = PHI_MSG_CAPS_MAX + 1;
	EXPECT_EQ(-EINVAL, PHI_DO(self->client, SEND, &arg));
	arg.ncaps = 0;
	arg.caps[0].rights = 1;
	EXPECT_EQ(-EINVAL, PHI_DO(self->client, SEND, &arg));
	arg.caps[0].rights = 0;
	arg.caps[3].cap = 1;
	EXPECT_EQ(-EINVAL, PHI_DO(self->client, SEND, &arg));
	arg.caps[3].cap = 0;
	EXPECT_EQ(-EFAULT, do_send(self->client, self->to, (void *)8, 1));
	EXPECT_EQ(-EAGAIN, do_take(self->server, self->ep));
	EXPECT_EQ(0, PHI_DO(self->client, SEND, &arg));
}

TEST_F(send, refuses_bad_handles)
{
	uint64_t notify, mute, dead, old;
	int other = do_open();

	ASSERT_EQ(0, do_notify(self->server, &notify));
	ASSERT_EQ(0, do_derive(self->server, self->ep, PHI_RIGHT_RECV, &mute));
	ASSERT_EQ(0, do_derive(self->server, mute, PHI_RIGHT_RECV, &dead));
	ASSERT_EQ(0, do_drop(self->server, dead));
	ASSERT_EQ(0, do_derive_until(self->server, self->ep, PHI_RIGHT_SEND,
				     boottime_ns() + 1, 0, &old));
	EXPECT_EQ(-EBADF, do_send(self->server, 0, "x", 1));
	EXPECT_EQ(-EBADF, do_send(self->server, dead, "x", 1));
	EXPECT_EQ(-EBADF, do_send(other, self->ep, "x", 1));
	EXPECT_EQ(-EINVAL, do_send(self->server, notify, "x", 1));
	EXPECT_EQ(-EPERM, do_send(self->server, mute, "x", 1));
	EXPECT_EQ(-EKEYEXPIRED, do_send(self->server, old, "x", 1));
	ASSERT_EQ(0, do_revoke(self->server, self->ep));
	EXPECT_EQ(-EKEYREVOKED, do_send(self->client, self->to, "x", 1));
	EXPECT_EQ(-EKEYREVOKED, do_send(self->server, mute, "x", 1));
	close(other);
}

TEST_F(send, recv_refuses_bad_input)
{
	struct phi_recv arg = { .endpoint = self->ep, .flags = 4 };
	uint64_t notify, deaf, file;

	EXPECT_EQ(-EOPNOTSUPP, PHI_DO(self->server, RECV, &arg));
	ASSERT_EQ(0, do_notify(self->server, &notify));
	ASSERT_EQ(0, do_mint(self->server, self->ep, PHI_TYPE_FILE,
			     PHI_RIGHT_ALL, 1, &file));
	ASSERT_EQ(0, do_derive(self->server, self->ep, PHI_RIGHT_SEND, &deaf));
	EXPECT_EQ(-EBADF, do_take(self->server, 0));
	EXPECT_EQ(-EINVAL, do_take(self->server, notify));
	EXPECT_EQ(-EINVAL, do_take(self->server, file));
	EXPECT_EQ(-EPERM, do_take(self->server, deaf));
	EXPECT_EQ(-EPERM, do_take(self->client, self->to));
}

TEST_F(send, recv_that_faults_keeps_the_message)
{
	char data[4] = {};
	struct phi_recv arg;

	ASSERT_EQ(0, do_send(self->client, self->to, "one", 4));
	ASSERT_EQ(0, do_send(self->client, self->to, "two", 4));
	EXPECT_EQ(-EFAULT, do_recv(self->server, self->ep, (void *)8, 4, &arg));
	EXPECT_EQ(-EFAULT, do_recv(self->server, self->ep, (void *)8, 4, &arg));
	ASSERT_EQ(0, do_recv(self->server, self->ep, data, 4, &arg));
	EXPECT_STREQ("one", data);
	ASSERT_EQ(0, do_recv(self->server, self->ep, data, 4, &arg));
	EXPECT_STREQ("two", data);
}

/* The handles in a struct that cannot be written back must not stay. */
TEST_F(send, recv_into_read_only_memory_leaks_nothing)
{
	struct phi_recv *arg = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint32_t count, before, after;
	uint64_t notify;

	ASSERT_NE(MAP_FAILED, arg);
	ASSERT_EQ(0, do_notify(self->server, &notify));
	ASSERT_EQ(0, do_list(self->server, NULL, 0, &count, &before));
	ASSERT_EQ(0, do_send_cap(self->server, self->ep, notify, 0,
				 PHI_RIGHT_ALL));
	arg->size = sizeof(*arg);
	arg->endpoint = self->ep;
	arg->flags = PHI_NONBLOCK;
	ASSERT_EQ(0, mprotect(arg, 4096, PROT_READ));
	EXPECT_EQ(-1, ioctl(self->server, PHI_IOC_RECV, arg));
	EXPECT_EQ(EFAULT, errno);
	ASSERT_EQ(0, do_list(self->server, NULL, 0, &count, &after));
	EXPECT_EQ(before, after);
	munmap(arg, 4096);
}

TEST_F(send, deadlines_are_kept)
{
	char data[8];
	struct phi_recv arg = {
		.endpoint = self->ep,
		.data = (uintptr_t)data,
		.len = sizeof(data),
	};
	uint64_t start = monotonic_ns();

	arg.deadline_ns = 1;
	EXPECT_EQ(-ETIMEDOUT, PHI_DO(self->server, RECV, &arg));
	arg.deadline_ns = start + 60 * MS;
	EXPECT_EQ(-ETIMEDOUT, PHI_DO(self->server, RECV, &arg));
	EXPECT_LE(start + 60 * MS, monotonic_ns());
	/* What is there is taken, however late. */
	ASSERT_EQ(0, do_send(self->client, self->to, "x", 1));
	arg.deadline_ns = 1;
	EXPECT_EQ(0, PHI_DO(self->server, RECV, &arg));
	/* One that lies too far in the future is none. */
	arg.len = sizeof(data);
	arg.deadline_ns = UINT64_MAX;
	struct job job = JOB(self->server, RECV, &arg);

	ASSERT_EQ(0, job_start(&job));
	ASSERT_EQ(0, do_send(self->client, self->to, "y", 1));
	EXPECT_EQ(0, job_join(&job));
	EXPECT_EQ('y', data[0]);
}

static void on_alarm(int sig)
{
	(void)sig;
}

/* Again and again, for the first may come too early; 0 stops them. */
static void alarm_in_ms(int ms, int flags)
{
	struct sigaction action = { .sa_handler = on_alarm, .sa_flags = flags };
	struct itimerval timer = { .it_value.tv_usec = ms * 1000,
				   .it_interval.tv_usec = ms * 1000 };

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

TEST_F(send, signals_interrupt_and_restart)
{
	struct phi_recv arg = { .endpoint = self->ep };

	alarm_in_ms(50, 0);
	EXPECT_EQ(-EINTR, PHI_DO(self->server, RECV, &arg));
	/* With SA_RESTART it goes on, to the same deadline. */
	arg.deadline_ns = monotonic_ns() + 150 * MS;
	alarm_in_ms(50, SA_RESTART);
	EXPECT_EQ(-ETIMEDOUT, PHI_DO(self->server, RECV, &arg));
	EXPECT_LE(arg.deadline_ns, monotonic_ns());
	alarm_in_ms(0, SA_RESTART);
}

TEST_HARNESS_MAIN
