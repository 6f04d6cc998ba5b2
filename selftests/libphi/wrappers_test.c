// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every function of libphi that is one call of /dev/phi: arguments reach the
 * kernel in their places, and results come back in theirs.
 */
#include <errno.h>
#include <fcntl.h>
#include <phi/phi.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kselftest_harness.h"

#define MS 1000000ULL

static uint64_t now_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static uint64_t soon(void)
{
	return now_ns(CLOCK_MONOTONIC) + 10000 * MS;
}

FIXTURE(calls)
{
	int phi;
	long page;
};

FIXTURE_SETUP(calls)
{
	self->page = sysconf(_SC_PAGESIZE);
	self->phi = phi_open(0);
	ASSERT_LE(0, self->phi)
	{
		TH_LOG("phi_open: %s; is phi.ko loaded?", strerror(-self->phi));
	}
}

FIXTURE_TEARDOWN(calls)
{
	EXPECT_EQ(0, phi_close(self->phi));
}

TEST_F(calls, open_and_close)
{
	uint64_t cap;
	int status;
	int shared;
	pid_t pid;

	EXPECT_EQ(-EOPNOTSUPP, phi_open(2));
	EXPECT_EQ(FD_CLOEXEC, fcntl(self->phi, F_GETFD));
	shared = phi_open(PHI_OPEN_SHARED);
	ASSERT_LE(0, shared);
	EXPECT_EQ(0, fcntl(shared, F_GETFD));

	/* Another process may use the one and not the other. */
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		if (phi_endpoint_create(self->phi, &cap) != -EPERM)
			_exit(1);
		_exit(phi_endpoint_create(shared, &cap) ? 2 : 0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, phi_close(shared));
	EXPECT_EQ(-EBADF, phi_close(shared));
}

TEST_F(calls, cspace_share)
{
	uint64_t cap;
	int status;
	pid_t pid;

	EXPECT_EQ(0, phi_cspace_share(self->phi, true));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(phi_endpoint_create(self->phi, &cap) ? 1 : 0);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, phi_cspace_share(self->phi, false));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(phi_endpoint_create(self->phi, &cap) == -EPERM ? 0 : 1);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

TEST_F(calls, caps)
{
	uint64_t expires = now_ns(CLOCK_BOOTTIME) + 60000 * MS;
	struct phi_cap_query q;
	uint64_t root, child, one, other, list[8];
	uint32_t total;

	ASSERT_EQ(0, phi_endpoint_create(self->phi, &root));
	ASSERT_EQ(0, phi_cap_derive(self->phi, root,
				    PHI_RIGHT_SEND | PHI_RIGHT_ADMIN, expires,
				    42, &child));
	EXPECT_EQ(-EPERM, phi_cap_derive(self->phi, child, PHI_RIGHT_RECV, 0, 0,
					 &root));
	ASSERT_EQ(0, phi_cap_query(self->phi, child, &q));
	EXPECT_EQ(PHI_TYPE_ENDPOINT, q.type);
	EXPECT_EQ(PHI_RIGHT_SEND | PHI_RIGHT_ADMIN, q.rights);
	EXPECT_EQ(2, q.depth);
	EXPECT_EQ(expires, q.expires_ns);
	EXPECT_EQ(42, q.badge);

	EXPECT_EQ(1, phi_cap_same(self->phi, root, child));
	EXPECT_EQ(-EBADF, phi_cap_same(self->phi, root, 12345));

	EXPECT_EQ(0, phi_cap_list(self->phi, NULL, 0, &total));
	EXPECT_EQ(2, total);
	EXPECT_EQ(2, phi_cap_list(self->phi, list, 8, NULL));
	EXPECT_TRUE(list[0] == root || list[1] == root);
	EXPECT_TRUE(list[0] == child || list[1] == child);

	EXPECT_EQ(0, phi_cap_revoke(self->phi, root));
	EXPECT_EQ(0, phi_cap_revoke_wait(self->phi, root));
	ASSERT_EQ(0,
		  phi_cap_derive(self->phi, root, PHI_RIGHT_SEND, 0, 0, &one));
	ASSERT_EQ(0, phi_cap_derive(self->phi, root, PHI_RIGHT_SEND, 0, 0,
				    &other));
	EXPECT_EQ(0, phi_cap_revoke_one(self->phi, root, one));
	EXPECT_EQ(-EKEYREVOKED, phi_cap_query(self->phi, one, &q));
	EXPECT_EQ(0, phi_cap_query(self->phi, other, &q));
	EXPECT_EQ(-EKEYREVOKED, phi_cap_query(self->phi, child, &q));
	EXPECT_EQ(0, phi_cap_drop(self->phi, child));
	EXPECT_EQ(-EBADF, phi_cap_drop(self->phi, child));
}

TEST_F(calls, tokens)
{
	uint32_t before = 0, after = 0;
	struct phi_cap_query q;
	struct phi_aios_token aios;
	struct phi_token token;
	uint64_t cap, again;

	ASSERT_EQ(0, phi_region_create(self->phi, self->page, 0, &cap));
	ASSERT_EQ(0,
		  phi_cap_seal(self->phi, cap, PHI_RIGHT_READ, 0, 0, &token));
	EXPECT_EQ(PHI_TYPE_MEMORY, token.type);
	ASSERT_EQ(0, phi_cap_unseal(self->phi, &token, &again));
	EXPECT_EQ(1, phi_cap_same(self->phi, cap, again));
	ASSERT_EQ(0, phi_cap_query(self->phi, again, &q));
	EXPECT_EQ(PHI_RIGHT_READ, q.rights);
	token.mac[31] ^= 1;
	EXPECT_EQ(-EKEYREJECTED, phi_cap_unseal(self->phi, &token, &again));
	token.mac[31] ^= 1;

	/* The same in the encoding of AIOS. */
	ASSERT_EQ(0, phi_cap_seal_aios(self->phi, cap, PHI_RIGHT_READ, 0, 0,
				       &aios));
	ASSERT_EQ(0, phi_cap_unseal_aios(self->phi, &aios, &again));
	EXPECT_EQ(1, phi_cap_same(self->phi, cap, again));
	aios.mac[63] ^= 1;
	EXPECT_EQ(-EKEYREJECTED, phi_cap_unseal_aios(self->phi, &aios, &again));

	/* For another uid. */
	ASSERT_EQ(0, phi_cap_seal(self->phi, cap, PHI_RIGHT_READ, getuid() + 2,
				  0, &token));
	EXPECT_EQ(-EKEYREJECTED, phi_cap_unseal(self->phi, &token, &again));

	/* A token survives one change of the key, not two. */
	ASSERT_EQ(0,
		  phi_cap_seal(self->phi, cap, PHI_RIGHT_READ, 0, 0, &token));
	ASSERT_EQ(0, phi_cap_rekey(self->phi, &before));
	EXPECT_EQ(0, phi_cap_unseal(self->phi, &token, &again));
	ASSERT_EQ(0, phi_cap_rekey(self->phi, &after));
	EXPECT_NE(before, after);
	EXPECT_EQ(-EKEYREJECTED, phi_cap_unseal(self->phi, &token, &again));
	EXPECT_EQ(0, phi_cap_rekey(self->phi, NULL));
}

TEST_F(calls, regions)
{
	struct phi_region_info info;
	uint64_t cap, child;
	char *mem, *ro;
	size_t len;

	EXPECT_EQ(-EINVAL, phi_region_create(self->phi, 1, 0, &cap));
	EXPECT_EQ(-EOPNOTSUPP,
		  phi_region_create(self->phi, self->page, 1 << 9, &cap));
	ASSERT_EQ(0, phi_region_create(self->phi, 3 * self->page,
				       PHI_REGION_DMA, &cap));
	ASSERT_EQ(0, phi_region_map(self->phi, cap, PROT_READ | PROT_WRITE,
				    (void **)&mem, &len));
	EXPECT_EQ(3 * (size_t)self->page, len);
	mem[len - 1] = 7;

	ASSERT_EQ(0,
		  phi_cap_derive(self->phi, cap, PHI_RIGHT_READ | PHI_RIGHT_MAP,
				 0, 0, &child));
	EXPECT_EQ(-EPERM,
		  phi_region_map(self->phi, child, PROT_READ | PROT_WRITE,
				 (void **)&ro, NULL));
	ASSERT_EQ(0, phi_region_map(self->phi, child, PROT_READ, (void **)&ro,
				    NULL));
	EXPECT_EQ(7, ro[len - 1]);

	ASSERT_EQ(0,
		  phi_region_slice(self->phi, cap, 2 * (uint64_t)self->page,
				   (uint64_t)self->page,
				   PHI_RIGHT_READ | PHI_RIGHT_MAP, 0, &child));
	ASSERT_EQ(0, phi_region_info(self->phi, child, &info));
	EXPECT_EQ((uint64_t)self->page, info.bytes);
	EXPECT_EQ(PHI_RIGHT_READ | PHI_RIGHT_MAP, info.rights);
	EXPECT_EQ(-EPERM,
		  phi_region_slice(self->phi, child, 0, (uint64_t)self->page,
				   PHI_RIGHT_WRITE, 0, &child));

	ASSERT_EQ(0, phi_region_info(self->phi, cap, &info));
	EXPECT_EQ(len, info.bytes);
	EXPECT_EQ(PHI_REGION_DMA, info.region_flags);
	EXPECT_EQ(2, info.mappings);
	EXPECT_EQ(0, phi_region_unmap(ro, len));
	ASSERT_EQ(0, phi_region_info(self->phi, cap, &info));
	EXPECT_EQ(1, info.mappings);
	EXPECT_EQ(-EBADF,
		  phi_region_map(self->phi, 99, PROT_READ, (void **)&ro, NULL));
	EXPECT_EQ(-EINVAL, phi_region_unmap(mem + 1, len));
}

TEST_F(calls, messages)
{
	struct phi_msg msg = { .data = "hello", .len = 5 };
	struct phi_msg_in in;
	uint64_t ep, tx, region;

	ASSERT_EQ(0, phi_endpoint_create(self->phi, &ep));
	ASSERT_EQ(0, phi_cap_derive(self->phi, ep, PHI_RIGHT_SEND, 0, 9, &tx));
	ASSERT_EQ(0, phi_region_create(self->phi, self->page, 0, &region));

	EXPECT_EQ(-EAGAIN, phi_recv(self->phi, ep, &in, PHI_NONBLOCK, 0));
	EXPECT_EQ(-ETIMEDOUT, phi_recv(self->phi, ep, &in, 0,
				       now_ns(CLOCK_MONOTONIC) + MS));
	msg.ncaps = 1;
	msg.caps[0].cap = region;
	msg.caps[0].rights = PHI_RIGHT_READ;
	ASSERT_EQ(0, phi_send(self->phi, tx, &msg, 0, soon()));
	ASSERT_EQ(0, phi_recv(self->phi, ep, &in, 0, soon()));
	EXPECT_EQ(5, in.len);
	EXPECT_EQ(0, memcmp("hello", in.data, 5));
	EXPECT_EQ(1, in.ncaps);
	EXPECT_EQ(PHI_TYPE_MEMORY, in.caps[0].type);
	EXPECT_EQ(PHI_RIGHT_READ, in.caps[0].rights);
	EXPECT_EQ(1, phi_cap_same(self->phi, region, in.caps[0].cap));
	EXPECT_EQ(9, in.badge);
	EXPECT_EQ(PHI_TYPE_ENDPOINT, in.type);
	EXPECT_EQ(PHI_RIGHT_SEND, in.rights);
	EXPECT_EQ((uint32_t)getpid(), in.pid);
	EXPECT_EQ(getuid(), in.uid);
	EXPECT_EQ(0, in.reply);

	ASSERT_EQ(0, phi_send(self->phi, tx, &msg, 0, soon()));
	ASSERT_EQ(0, phi_recv(self->phi, ep, &in, PHI_RECV_NOCAPS, soon()));
	EXPECT_EQ(0, in.ncaps);

	/* Longer than the limits: the kernel says so, nothing is overrun. */
	msg.len = PHI_MSG_MAX + 1;
	EXPECT_EQ(-EINVAL, phi_send(self->phi, tx, &msg, 0, soon()));
	msg.len = 5;
	msg.ncaps = UINT32_MAX;
	EXPECT_EQ(-EINVAL, phi_send(self->phi, tx, &msg, 0, soon()));
	EXPECT_EQ(-EINVAL, phi_reply(self->phi, tx, &msg));
	msg.ncaps = 0;
	EXPECT_EQ(-EPERM, phi_recv(self->phi, tx, &in, PHI_NONBLOCK, 0));
}

static void on_alarm(int sig)
{
	(void)sig;
}

TEST_F(calls, signals_end_a_wait)
{
	struct sigaction sa = { .sa_handler = on_alarm };
	/* Again and again: the first may come before the wait. */
	struct itimerval tv = { .it_value.tv_usec = 50000,
				.it_interval.tv_usec = 50000 };
	struct itimerval off = { 0 };
	struct phi_msg_in in;
	uint64_t ep;

	ASSERT_EQ(0, phi_endpoint_create(self->phi, &ep));
	ASSERT_EQ(0, sigaction(SIGALRM, &sa, NULL));
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &tv, NULL));
	EXPECT_EQ(-EINTR, phi_recv(self->phi, ep, &in, 0, soon()));
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &off, NULL));
}

struct server {
	int phi;
	uint64_t ep;
	uint64_t patience; /* of one who calls and gives up */
	int result;
};

/* Answers with the request's bytes turned, three by reply_recv. */
static void *serve(void *arg)
{
	struct server *s = arg;
	struct phi_msg_in in = { 0 };
	struct phi_msg msg = { .len = 4 };
	uint32_t n;

	s->result = phi_recv(s->phi, s->ep, &in, 0, soon());
	for (int i = 0; i < 3 && !s->result; i++) {
		memcpy(&n, in.data, 4);
		n = ~n;
		msg.data = &n;
		s->result = phi_reply_recv(s->phi, in.reply, &msg, s->ep, &in,
					   0, soon());
		if (!s->result && in.reply_error)
			s->result = in.reply_error;
	}
	if (s->result)
		return NULL;
	msg.data = "bye!";
	msg.ncaps = 1;
	msg.caps[0].cap = s->ep;
	msg.caps[0].rights = PHI_RIGHT_SEND;
	s->result = phi_reply(s->phi, in.reply, &msg);
	return NULL;
}

TEST_F(calls, call_and_reply)
{
	struct server s = { .phi = self->phi };
	struct phi_msg msg = { .len = 4 };
	struct phi_msg_in in;
	pthread_t thread;
	uint32_t got;

	ASSERT_EQ(0, phi_endpoint_create(self->phi, &s.ep));
	ASSERT_EQ(0, pthread_create(&thread, NULL, serve, &s));
	for (uint32_t n = 0; n < 3; n++) {
		msg.data = &n;
		memset(&in, 0xff, sizeof(in));
		ASSERT_EQ(0, phi_call(self->phi, s.ep, &msg, &in, 0, soon()));
		ASSERT_EQ(4, in.len);
		memcpy(&got, in.data, 4);
		EXPECT_EQ(~n, got);
		EXPECT_EQ(0, in.ncaps);
		EXPECT_EQ(0, in.reply);
		EXPECT_EQ(0, in.reply_error);
	}
	ASSERT_EQ(0, phi_call(self->phi, s.ep, &msg, &in, 0, soon()));
	EXPECT_EQ(0, memcmp("bye!", in.data, 4));
	EXPECT_EQ(1, in.ncaps);
	EXPECT_EQ(PHI_RIGHT_SEND, in.caps[0].rights);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, s.result);
	EXPECT_EQ(-ETIMEDOUT, phi_call(self->phi, s.ep, &msg, &in, 0,
				       now_ns(CLOCK_MONOTONIC) + MS));
	/* The request went with its caller. */
	EXPECT_EQ(-EAGAIN, phi_recv(self->phi, s.ep, &in, PHI_NONBLOCK, 0));
}

/* Calls and gives up. */
static void *give_up(void *arg)
{
	struct server *s = arg;
	struct phi_msg msg = { .data = "hurry", .len = 5 };
	struct phi_msg_in in;

	s->result = phi_call(s->phi, s->ep, &msg, &in, 0,
			     now_ns(CLOCK_MONOTONIC) + s->patience);
	return NULL;
}

TEST_F(calls, reply_too_late)
{
	struct server s = { .phi = self->phi };
	struct phi_msg msg = { 0 };
	struct phi_msg_in in;
	pthread_t thread;
	int ret = -ETIMEDOUT;

	ASSERT_EQ(0, phi_endpoint_create(self->phi, &s.ep));
	/* Longer and longer, until the deadline leaves time to receive it. */
	for (s.patience = 50 * MS; ret == -ETIMEDOUT; s.patience *= 2) {
		ASSERT_GT(60000 * MS, s.patience);
		ASSERT_EQ(0, pthread_create(&thread, NULL, give_up, &s));
		ret = phi_recv(self->phi, s.ep, &in, 0,
			       now_ns(CLOCK_MONOTONIC) + s.patience);
		ASSERT_EQ(0, pthread_join(thread, NULL));
		EXPECT_EQ(-ETIMEDOUT, s.result);
	}
	ASSERT_EQ(0, ret);
	EXPECT_EQ(-EPIPE, phi_reply(self->phi, in.reply, &msg));
	EXPECT_EQ(-EBADF, phi_reply(self->phi, in.reply, &msg));
}

TEST_F(calls, endpoint_fd_and_watch)
{
	struct phi_msg msg = { .data = "x", .len = 1 };
	uint64_t ep, tx, notify, bits = 0;
	struct pollfd pfd;

	ASSERT_EQ(0, phi_endpoint_create(self->phi, &ep));
	ASSERT_EQ(0, phi_cap_derive(self->phi, ep, PHI_RIGHT_SEND, 0, 0, &tx));
	ASSERT_EQ(0, phi_notify_create(self->phi, &notify));
	ASSERT_EQ(0, phi_endpoint_watch(self->phi, tx, notify, 0x10));
	EXPECT_EQ(-EINVAL, phi_endpoint_watch(self->phi, tx, notify, 0));

	pfd.fd = phi_endpoint_fd(self->phi, ep);
	pfd.events = POLLIN;
	ASSERT_LE(0, pfd.fd);
	EXPECT_EQ(FD_CLOEXEC, fcntl(pfd.fd, F_GETFD));
	EXPECT_EQ(0, poll(&pfd, 1, 0));
	ASSERT_EQ(0, phi_send(self->phi, tx, &msg, 0, soon()));
	EXPECT_EQ(1, poll(&pfd, 1, 1000));
	EXPECT_EQ(-EBADF, phi_endpoint_fd(self->phi, 12345));

	ASSERT_EQ(0, phi_cap_drop(self->phi, ep));
	EXPECT_EQ(0,
		  phi_notify_wait(self->phi, notify, ~0ULL, 0, soon(), &bits));
	EXPECT_EQ(0x10, bits);
	close(pfd.fd);
}

TEST_F(calls, notifies)
{
	uint64_t notify, bits = 77, count = 0;
	int fd = eventfd(0, EFD_NONBLOCK);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, phi_notify_create(self->phi, &notify));
	EXPECT_EQ(-EAGAIN, phi_notify_wait(self->phi, notify, 1, PHI_NONBLOCK,
					   0, &bits));
	EXPECT_EQ(-ETIMEDOUT,
		  phi_notify_wait(self->phi, notify, 1, 0,
				  now_ns(CLOCK_MONOTONIC) + MS, &bits));
	EXPECT_EQ(77, bits);
	ASSERT_EQ(0, phi_notify_signal(self->phi, notify, 0x6));
	ASSERT_EQ(0, phi_notify_wait(self->phi, notify, 0x3, 0, soon(), &bits));
	EXPECT_EQ(0x2, bits);
	EXPECT_EQ(-EINVAL, phi_notify_signal(self->phi, notify, 0));

	ASSERT_EQ(0, phi_notify_bind(self->phi, notify, fd));
	EXPECT_EQ((ssize_t)sizeof(count), read(fd, &count, sizeof(count)));
	ASSERT_EQ(0, phi_notify_bind(self->phi, notify, -1));
	ASSERT_EQ(0, phi_notify_signal(self->phi, notify, 0x1));
	EXPECT_EQ(-1, read(fd, &count, sizeof(count)));
	close(fd);
}

TEST_F(calls, units_models_and_inferences)
{
	struct phi_infer_select select = { .batch = 4 };
	struct phi_infer_begin begin = { .batch = 4 };
	uint64_t unit, ep, model, mid = 0, run_ns = 0;
	struct phi_model_query mq;
	struct phi_unit_query uq;
	uint32_t uid = 99;

	EXPECT_EQ(-EINVAL, phi_unit_register(self->phi, "", PHI_UNIT_CPU, 0, 1,
					     0, &uid, &unit));
	EXPECT_EQ(-EINVAL, phi_unit_register(self->phi, NULL, PHI_UNIT_CPU, 0,
					     1, 0, &uid, &unit));
	EXPECT_EQ(-EINVAL,
		  phi_unit_register(self->phi,
				    "a name of thirty-two characters.",
				    PHI_UNIT_CPU, 0, 1, 0, &uid, &unit));
	ASSERT_EQ(0, phi_unit_register(self->phi,
				       "a name of 31 characters is fine",
				       PHI_UNIT_GPU, PHI_UNIT_UNKNOWN, 3, 0,
				       &uid, &unit));
	ASSERT_EQ(0, phi_unit_update(self->phi, unit, 250, 45000,
				     PHI_UNIT_UNKNOWN, true));
	ASSERT_EQ(0, phi_unit_query(self->phi, uid, &uq));
	EXPECT_EQ(uid, uq.id);
	EXPECT_EQ(PHI_UNIT_GPU, uq.kind);
	EXPECT_EQ(3, uq.capacity);
	EXPECT_EQ(250, uq.load);
	EXPECT_EQ(45000, uq.temperature);
	EXPECT_EQ(PHI_UNIT_UNKNOWN, uq.power);
	EXPECT_EQ(1, uq.healthy);
	EXPECT_STREQ("a name of 31 characters is fine", (char *)uq.name);
	EXPECT_EQ(-ENOENT, phi_unit_query(self->phi, PHI_UNITS_MAX, &uq));

	ASSERT_EQ(0, phi_endpoint_create(self->phi, &ep));
	ASSERT_EQ(0, phi_model_register(self->phi, ep, 5, "digits", 16, &mid,
					&model));
	ASSERT_EQ(0, phi_model_query(self->phi, mid, &mq));
	EXPECT_EQ(mid, mq.id);
	EXPECT_EQ(16, mq.max_batch);
	EXPECT_STREQ("digits", (char *)mq.name);
	EXPECT_EQ(-EINVAL,
		  phi_model_register(self->phi, ep, 5, "", 16, NULL, &model));

	select.model = model;
	ASSERT_EQ(0, phi_infer_select(self->phi, &select));
	EXPECT_EQ(uid, select.unit);
	begin.model = model;
	ASSERT_EQ(0, phi_infer_begin(self->phi, &begin));
	EXPECT_EQ(4, begin.batch);
	EXPECT_EQ(uid, begin.unit);
	EXPECT_NE(0, begin.why);
	ASSERT_EQ(0, phi_infer_end(self->phi, begin.ticket, 0, &run_ns));
	EXPECT_NE(0, run_ns);
	EXPECT_EQ(-ENOENT, phi_infer_end(self->phi, begin.ticket, 0, NULL));
	ASSERT_EQ(0, phi_model_query(self->phi, mid, &mq));
	EXPECT_EQ(4, mq.items);

	/* A batch that failed counts as failed. */
	begin.batch = 2;
	ASSERT_EQ(0, phi_infer_begin(self->phi, &begin));
	ASSERT_EQ(0, phi_infer_end(self->phi, begin.ticket, -EIO, NULL));
	ASSERT_EQ(0, phi_model_query(self->phi, mid, &mq));
	EXPECT_EQ(1, mq.failed);
	EXPECT_EQ(4, mq.items);
}

TEST_F(calls, mint)
{
	uint64_t ep, cap;
	struct phi_cap_query q;

	ASSERT_EQ(0, phi_endpoint_create(self->phi, &ep));
	ASSERT_EQ(0,
		  phi_cap_mint(self->phi, ep, PHI_TYPE_NETWORK, PHI_RIGHT_SEND,
			       PHI_NETWORK_BADGE(6, 80), &cap));
	ASSERT_EQ(0, phi_cap_query(self->phi, cap, &q));
	EXPECT_EQ(PHI_TYPE_NETWORK, q.type);
	EXPECT_EQ(PHI_RIGHT_SEND, q.rights);
	EXPECT_EQ(PHI_NETWORK_BADGE(6, 80), q.badge);
	EXPECT_EQ(-EINVAL, phi_cap_mint(self->phi, ep, PHI_TYPE_MEMORY,
					PHI_RIGHT_SEND, 1, &cap));
}

TEST_F(calls, agents)
{
	uint64_t id = 0, cap;
	int dir;

	mkdir("/sys/fs/cgroup/phi-wrappers", 0755);
	dir = open("/sys/fs/cgroup/phi-wrappers", O_RDONLY | O_DIRECTORY);
	ASSERT_LE(0, dir);
	EXPECT_EQ(-EINVAL,
		  phi_agent_register(self->phi, dir, "", 0, &id, &cap));
	ASSERT_EQ(0,
		  phi_agent_register(self->phi, dir, "tester", 0, &id, &cap));
	EXPECT_NE(0, id);
	EXPECT_EQ(-EEXIST,
		  phi_agent_register(self->phi, dir, "again", 0, NULL, &cap));
	close(dir);
	rmdir("/sys/fs/cgroup/phi-wrappers");
}

TEST_F(calls, system)
{
	struct phi_system_stats before, after;
	struct phi_system_info info;
	uint64_t cap;

	ASSERT_EQ(0, phi_system_info(self->phi, &info));
	EXPECT_EQ(PHI_ABI_VERSION, info.abi);
	EXPECT_LT(30, info.calls);
	ASSERT_EQ(0, phi_system_stats(self->phi, &before));
	ASSERT_EQ(0, phi_region_create(self->phi, 2 * self->page, 0, &cap));
	ASSERT_EQ(0, phi_system_stats(self->phi, &after));
	EXPECT_EQ(before.used[PHI_QUOTA_PAGES] + 2,
		  after.used[PHI_QUOTA_PAGES]);
	EXPECT_EQ(before.used[PHI_QUOTA_CAPS] + 1, after.used[PHI_QUOTA_CAPS]);
	EXPECT_LT(0, after.limit[PHI_QUOTA_PAGES]);
	EXPECT_LE(1, after.cspaces);
}

TEST_HARNESS_MAIN
