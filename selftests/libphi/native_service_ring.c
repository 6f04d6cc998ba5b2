// SPDX-License-Identifier: GPL-2.0-only
/* Rings in the loop of a daemon, and readiness. No module. */
#include <errno.h>
#include <poll.h>
#include <phi/service.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "lib/service_impl.h"

#define MS 1000000ULL

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static int late(void *arg)
{
	phi_service_exit(arg, -ETIME);
	return 0;
}

/* A loop that has one side of a ring; the test has the other. */
FIXTURE(loop)
{
	struct phi_service *s;
	struct phi_source *src;
	struct phi_source *job;
	struct phi_ring *mine;
	struct phi_ring *theirs;
	uint32_t *mem;
	size_t len;
	int fd[2];
	uint32_t want;
	int busy;
	int broken;
};

FIXTURE_VARIANT(loop)
{
	unsigned int flags;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(loop, uring) {
	.flags = 0,
};

FIXTURE_VARIANT_ADD(loop, epoll) {
	.flags = PHI_SERVICE_EPOLL,
};

/* clang-format on */

FIXTURE_SETUP(loop)
{
	struct phi_source *t;
	struct phi_bell bell = { 0 };

	self->len = phi_ring_size(64, 4096);
	self->mem = aligned_alloc(128, self->len);
	ASSERT_NE(NULL, self->mem);
	for (int i = 0; i < 2; i++) {
		self->fd[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		ASSERT_LE(0, self->fd[i]);
	}
	bell.fd = self->fd[1];
	ASSERT_EQ(0, phi_ring_create(self->mem, self->len, 64, 4096, &bell,
				     self->fd[0], &self->mine));
	bell.fd = self->fd[0];
	ASSERT_EQ(0, phi_ring_attach(self->mem, self->len, &bell, self->fd[1],
				     &self->theirs));
	self->want = 0;
	self->busy = 0;
	self->broken = 0;
	ASSERT_EQ(0, phi_service_new(variant->flags, &self->s));
	ASSERT_EQ(0, phi_service_timer(self->s, late, self->s, &t));
	phi_source_set(t, now_ns() + 20000 * MS);
}

FIXTURE_TEARDOWN(loop)
{
	phi_service_free(self->s);
	phi_ring_free(self->mine);
	phi_ring_free(self->theirs);
	close(self->fd[0]);
	close(self->fd[1]);
	free(self->mem);
}

#define ROUNDS 50000
#define LAST UINT32_MAX

static int echo(void *arg, const void *payload, uint32_t len)
{
	struct _test_data_loop *self = arg;
	uint32_t n;
	int ret;

	if (len != sizeof(n))
		return -EBADMSG;
	memcpy(&n, payload, sizeof(n));
	if (n == LAST) {
		phi_service_exit(self->s, 0);
		return 0;
	}
	if (n != self->want)
		return -EILSEQ;
	ret = phi_ring_send(self->mine, &n, sizeof(n));
	if (!ret)
		self->want++;
	return ret == -EAGAIN ? -ENOBUFS : ret;
}

/* Windows of messages, with pauses in which both sides fall asleep. */
static void *asker(void *arg)
{
	struct _test_data_loop *self = arg;
	uint32_t sent = 0, got = 0, n;
	struct timespec nap = { .tv_nsec = 200000 };

	while (got < ROUNDS) {
		while (sent < ROUNDS && sent - got < 32) {
			if (phi_ring_send(self->theirs, &sent, sizeof(sent)))
				break;
			sent++;
		}
		if (!(got % 1000))
			nanosleep(&nap, NULL);
		if (phi_ring_wait(self->theirs, PHI_RING_IN,
				  now_ns() + 10000 * MS) < 0)
			return "no answer came";
		while (phi_ring_recv(self->theirs, &n, sizeof(n)) ==
		       (int)sizeof(n)) {
			if (n != got++)
				return "answers out of order";
		}
	}
	n = LAST;
	return phi_ring_send(self->theirs, &n, sizeof(n)) ? "full" : NULL;
}

TEST_F(loop, answers_a_ring)
{
	pthread_t thread;
	void *complaint;

	ASSERT_EQ(0, phi_service_ring(self->s, self->mine, echo, self, NULL));
	ASSERT_EQ(0, pthread_create(&thread, NULL, asker, self));
	EXPECT_EQ(0, phi_service_run(self->s));
	ASSERT_EQ(0, pthread_join(thread, &complaint));
	EXPECT_EQ(NULL, complaint)
	{
		TH_LOG("%s", (char *)complaint);
	}
	EXPECT_EQ(ROUNDS, self->want);
}

static int busy(void *arg, const void *payload, uint32_t len)
{
	struct _test_data_loop *self = arg;
	uint32_t n;

	if (!payload) {
		self->broken++;
		phi_service_exit(self->s, 0);
		return 0;
	}
	if (len != sizeof(n))
		return -EBADMSG;
	memcpy(&n, payload, sizeof(n));
	if (!self->busy++) {
		phi_source_kick(self->job);
		return -EAGAIN;
	}
	if (n != self->want++)
		return -EILSEQ;
	if (n == 9)
		phi_service_exit(self->s, 0);
	return 0;
}

static int unbusy(void *arg)
{
	struct _test_data_loop *self = arg;

	phi_source_kick(self->src);
	return 0;
}

/* A handler that is busy leaves the message, and gets it again. */
TEST_F(loop, ring_can_be_put_off)
{
	ASSERT_EQ(0, phi_service_job(self->s, unbusy, self, &self->job));
	ASSERT_EQ(0, phi_service_ring(self->s, self->mine, busy, self,
				      &self->src));
	for (uint32_t i = 0; i < 10; i++) {
		ASSERT_EQ(0, phi_ring_send(self->theirs, &i, sizeof(i)));
	}
	EXPECT_EQ(0, phi_service_run(self->s));
	EXPECT_EQ(11, self->busy);
	EXPECT_EQ(10, self->want);
}

/* Frees its source and its ring, with more messages in it, and goes on. */
static int frees_its_ring(void *arg, const void *payload, uint32_t len)
{
	struct _test_data_loop *self = arg;

	(void)payload;
	(void)len;
	self->busy++;
	phi_source_free(self->src);
	phi_ring_free(self->mine);
	self->mine = NULL;
	memset(self->mem, 0xff, self->len);
	phi_source_kick(self->job);
	return (int)self->want;
}

/* The loop has had some more turns, in which it would use the ring. */
static int some_turns(void *arg)
{
	struct _test_data_loop *self = arg;

	if (++self->broken < 20)
		return 1;
	phi_service_exit(self->s, -ECANCELED);
	return 0;
}

TEST_F(loop, ring_freed_in_its_handler)
{
	ASSERT_EQ(0, phi_service_job(self->s, some_turns, self, &self->job));
	ASSERT_EQ(0, phi_service_ring(self->s, self->mine, frees_its_ring, self,
				      &self->src));
	for (uint32_t i = 0; i < 10; i++) {
		ASSERT_EQ(0, phi_ring_send(self->theirs, &i, sizeof(i)));
	}
	EXPECT_EQ(-ECANCELED, phi_service_run(self->s));
	EXPECT_EQ(1, self->busy);
	EXPECT_EQ(20, self->broken);
}

/* What the handler says counts, though its source is no more. */
TEST_F(loop, ring_freed_by_a_handler_that_fails)
{
	self->want = (uint32_t)-EILSEQ;
	ASSERT_EQ(0, phi_service_job(self->s, some_turns, self, &self->job));
	ASSERT_EQ(0, phi_service_ring(self->s, self->mine, frees_its_ring, self,
				      &self->src));
	ASSERT_EQ(0, phi_ring_send(self->theirs, &self->want, 4));
	EXPECT_EQ(-EILSEQ, phi_service_run(self->s));
	EXPECT_EQ(1, self->busy);
}

/* Sends the next message itself, so that the ring is never empty. */
static int feeds_itself(void *arg, const void *payload, uint32_t len)
{
	struct _test_data_loop *self = arg;

	(void)payload;
	(void)len;
	self->busy++;
	return phi_ring_send(self->theirs, &self->busy, sizeof(self->busy));
}

TEST_F(loop, greedy_ring_starves_nobody)
{
	ASSERT_EQ(0, phi_service_ring(self->s, self->mine, feeds_itself, self,
				      &self->src));
	ASSERT_EQ(0, phi_service_job(self->s, some_turns, self, &self->job));
	phi_source_kick(self->job);
	ASSERT_EQ(0, phi_ring_send(self->theirs, &self->want, 4));
	EXPECT_EQ(-ECANCELED, phi_service_run(self->s));
	EXPECT_EQ(20, self->broken);
	EXPECT_LT(20, self->busy);
}

TEST_F(loop, broken_ring_is_told_once)
{
	size_t words = self->len / 4;

	ASSERT_EQ(0, phi_service_ring(self->s, self->mine, busy, self,
				      &self->src));
	/* Spoil everything but the head: indices and descriptors. */
	for (size_t i = 32; i < words; i++)
		self->mem[i] = 0x99999999;
	EXPECT_EQ(0, phi_service_run(self->s));
	phi_source_kick(self->src);
	ASSERT_EQ(0, phi_service_job(self->s, late, self->s, &self->job));
	phi_source_kick(self->job);
	EXPECT_EQ(-ETIME, phi_service_run(self->s));
	EXPECT_EQ(1, self->broken);
}

TEST_F(loop, ring_needs_something_to_wait_on)
{
	struct phi_bell none = { .fd = -1 };
	struct phi_ring *r;

	ASSERT_EQ(0, phi_ring_attach(self->mem, self->len, &none, -1, &r));
	EXPECT_EQ(-EINVAL, phi_service_ring(self->s, r, busy, self, NULL));
	phi_ring_free(r);
}

static int no_event(void *arg, uint32_t events)
{
	(void)arg;
	(void)events;
	return 0;
}

/* Sources that go leave their places to those that come. */
TEST_F(loop, tables_do_not_grow)
{
	struct phi_source *src;
	uint32_t room = 0;
	int pair[2];

	for (int i = 0; i < 1000; i++) {
		ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
		ASSERT_EQ(0, phi_service_fd(self->s, pair[0], POLLIN, no_event,
					    NULL, &src));
		phi_source_free(src);
		close(pair[0]);
		close(pair[1]);
		if (!i)
			room = self->s->room;
	}
	EXPECT_EQ(room, self->s->room);
}

TEST(ready_by_file)
{
	char line[16] = "";
	int fd[2];

	unsetenv("NOTIFY_SOCKET");
	EXPECT_EQ(0, phi_service_tell("READY=1"));
	EXPECT_EQ(0, phi_service_ready(-1));
	ASSERT_EQ(0, pipe(fd));
	EXPECT_EQ(0, phi_service_ready(fd[1]));
	EXPECT_EQ(8, read(fd[0], line, sizeof(line)));
	EXPECT_STREQ("READY=1\n", line);
	/* It was closed. */
	EXPECT_EQ(0, read(fd[0], line, sizeof(line)));
	EXPECT_EQ(-EBADF, phi_service_ready(1023));
}

TEST(ready_by_socket)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	char line[16] = "";
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	ASSERT_LE(0, fd);
	snprintf(addr.sun_path + 1, sizeof(addr.sun_path) - 1,
		 "phi-native-service-%d", getpid());
	ASSERT_EQ(0, bind(fd, (struct sockaddr *)&addr,
			  (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
				      1 + strlen(addr.sun_path + 1))));
	addr.sun_path[0] = '@';
	setenv("NOTIFY_SOCKET", addr.sun_path, 1);
	EXPECT_EQ(0, phi_service_ready(-1));
	EXPECT_EQ(7, recv(fd, line, sizeof(line), 0));
	EXPECT_STREQ("READY=1", line);

	setenv("NOTIFY_SOCKET", "relative", 1);
	EXPECT_EQ(-EINVAL, phi_service_tell("READY=1"));
	setenv("NOTIFY_SOCKET", "/nowhere/notify", 1);
	EXPECT_EQ(-ENOENT, phi_service_ready(-1));
	close(fd);
}

TEST_HARNESS_MAIN
