// SPDX-License-Identifier: GPL-2.0-only
/* Rings between two honest sides. Needs no module. */
#include <errno.h>
#include <fcntl.h>
#include <phi/ring.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kselftest_harness.h"

#define ENTRIES 16
#define BYTES 1024

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

FIXTURE(ring)
{
	size_t len;
	void *mem;
	int fd[2]; /* what each side waits on */
	struct phi_ring *side[2];
};

FIXTURE_SETUP(ring)
{
	struct phi_bell bell[2];
	int memfd;

	self->len = phi_ring_size(ENTRIES, BYTES);
	ASSERT_NE(0, self->len);
	memfd = memfd_create("ring", MFD_CLOEXEC);
	ASSERT_LE(0, memfd);
	ASSERT_EQ(0, ftruncate(memfd, (off_t)self->len));
	self->mem = mmap(NULL, self->len, PROT_READ | PROT_WRITE, MAP_SHARED,
			 memfd, 0);
	ASSERT_NE(MAP_FAILED, self->mem);
	close(memfd);
	for (int i = 0; i < 2; i++) {
		self->fd[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		ASSERT_LE(0, self->fd[i]);
	}
	for (int i = 0; i < 2; i++)
		bell[i] = (struct phi_bell){ .fd = self->fd[!i] };
	ASSERT_EQ(0, phi_ring_create(self->mem, self->len, ENTRIES, BYTES,
				     &bell[0], self->fd[0], &self->side[0]));
	ASSERT_EQ(0, phi_ring_attach(self->mem, self->len, &bell[1],
				     self->fd[1], &self->side[1]));
}

FIXTURE_TEARDOWN(ring)
{
	phi_ring_free(self->side[0]);
	phi_ring_free(self->side[1]);
	close(self->fd[0]);
	close(self->fd[1]);
	munmap(self->mem, self->len);
}

/* How often the bell of a side rang. */
static uint64_t rung(int fd)
{
	uint64_t n = 0;

	return read(fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

TEST(shapes)
{
	EXPECT_EQ(0, phi_ring_size(0, 1024));
	EXPECT_EQ(0, phi_ring_size(1, 1024));
	EXPECT_EQ(0, phi_ring_size(3, 1024));
	EXPECT_EQ(0, phi_ring_size(1 << 17, 1024));
	EXPECT_EQ(0, phi_ring_size(16, 0));
	EXPECT_EQ(0, phi_ring_size(16, 32));
	EXPECT_EQ(0, phi_ring_size(16, 1000));
	EXPECT_EQ(0, phi_ring_size(16, 1U << 31));
	EXPECT_EQ(0, phi_ring_size(16, 1024) % 128);
	EXPECT_LT(2ULL << 30, phi_ring_size(65536, 1U << 30));
}

TEST_F(ring, create_and_attach_refuse)
{
	struct phi_bell bell = { .fd = -1 };
	uint32_t *head = self->mem;
	struct phi_ring *r;
	uint32_t saved[4];

	EXPECT_EQ(-EINVAL, phi_ring_create(self->mem, self->len - 1, ENTRIES,
					   BYTES, &bell, -1, &r));
	EXPECT_EQ(-EINVAL, phi_ring_create(self->mem, self->len, 5, BYTES,
					   &bell, -1, &r));
	EXPECT_EQ(-EINVAL, phi_ring_create((char *)self->mem + 64, self->len, 2,
					   64, &bell, -1, &r));
	EXPECT_EQ(-EINVAL, phi_ring_attach((char *)self->mem + 64,
					   self->len - 64, &bell, -1, &r));
	EXPECT_EQ(-EPROTO,
		  phi_ring_attach(self->mem, self->len - 1, &bell, -1, &r));
	EXPECT_EQ(-EPROTO, phi_ring_attach(self->mem, 64, &bell, -1, &r));

	memcpy(saved, head, sizeof(saved));
	for (int i = 0; i < 4; i++) {
		for (int bit = 0; bit < 32; bit++) {
			head[i] ^= 1U << bit;
			EXPECT_EQ(-EPROTO, phi_ring_attach(self->mem, self->len,
							   &bell, -1, &r));
			head[i] = saved[i];
		}
	}
}

TEST_F(ring, order_and_lengths_both_ways)
{
	char buf[512], got[512];

	for (int round = 0; round < 2000; round++) {
		for (int i = 0; i < 2; i++) {
			uint32_t len = (uint32_t)(round * 7 + i) % 200;

			memset(buf, round + i, sizeof(buf));
			ASSERT_EQ(0, phi_ring_send(self->side[i], buf, len));
		}
		for (int i = 0; i < 2; i++) {
			uint32_t len = (uint32_t)(round * 7 + i) % 200;

			memset(buf, round + i, sizeof(buf));
			ASSERT_EQ((int)len, phi_ring_recv(self->side[!i], got,
							  sizeof(got)));
			ASSERT_EQ(0, memcmp(buf, got, len));
			ASSERT_EQ(-EAGAIN, phi_ring_recv(self->side[!i], got,
							 sizeof(got)));
		}
	}
	/* Nobody slept, so no bell rang and no system call was made. */
	EXPECT_EQ(0, rung(self->fd[0]));
	EXPECT_EQ(0, rung(self->fd[1]));
}

TEST_F(ring, full_by_entries)
{
	uint32_t got;

	EXPECT_EQ(self->fd[0], phi_ring_fd(self->side[0]));
	for (uint32_t i = 0; i < ENTRIES; i++) {
		ASSERT_EQ(0, phi_ring_send(self->side[0], &i, sizeof(i)));
	}
	EXPECT_EQ(-EAGAIN, phi_ring_send(self->side[0], &got, sizeof(got)));
	for (uint32_t i = 0; i < ENTRIES; i++) {
		ASSERT_EQ((int)sizeof(got),
			  phi_ring_recv(self->side[1], &got, sizeof(got)));
		ASSERT_EQ(i, got);
	}
	EXPECT_EQ(0, phi_ring_send(self->side[0], &got, sizeof(got)));
}

TEST_F(ring, full_by_bytes_and_too_long)
{
	char buf[BYTES];

	memset(buf, 1, sizeof(buf));
	EXPECT_EQ(-EMSGSIZE, phi_ring_send(self->side[0], buf, BYTES / 2 + 1));
	ASSERT_EQ(0, phi_ring_send(self->side[0], buf, BYTES / 2));
	ASSERT_EQ(0, phi_ring_send(self->side[0], buf, BYTES / 2));
	EXPECT_EQ(-EAGAIN, phi_ring_send(self->side[0], buf, 1));
	EXPECT_EQ(0, phi_ring_send(self->side[0], NULL, 0));

	EXPECT_EQ(-EMSGSIZE, phi_ring_recv(self->side[1], buf, 10));
	EXPECT_EQ(BYTES / 2, phi_ring_recv(self->side[1], buf, BYTES));
	EXPECT_EQ(0, phi_ring_send(self->side[0], buf, 300));
	/* 724 bytes free, but not in one piece. */
	EXPECT_EQ(BYTES / 2, phi_ring_recv(self->side[1], buf, BYTES));
	EXPECT_EQ(0, phi_ring_send(self->side[0], buf, BYTES / 2));
	EXPECT_EQ(-EAGAIN, phi_ring_send(self->side[0], buf, 300));
}

TEST_F(ring, in_place)
{
	const void *payload;
	uint32_t len;
	void *room;

	EXPECT_EQ(-EINVAL, phi_ring_commit(self->side[0]));
	EXPECT_EQ(-EINVAL, phi_ring_release(self->side[1]));
	ASSERT_EQ(0, phi_ring_reserve(self->side[0], 100, &room));
	EXPECT_EQ(0, (uintptr_t)room % 16);
	memset(room, 7, 100);
	EXPECT_EQ(-EAGAIN, phi_ring_peek(self->side[1], &payload, &len));
	ASSERT_EQ(0, phi_ring_commit(self->side[0]));
	EXPECT_EQ(-EINVAL, phi_ring_commit(self->side[0]));
	ASSERT_EQ(0, phi_ring_peek(self->side[1], &payload, &len));
	EXPECT_EQ(room, (void *)payload);
	EXPECT_EQ(100, len);
	ASSERT_EQ(0, phi_ring_release(self->side[1]));
	EXPECT_EQ(-EINVAL, phi_ring_release(self->side[1]));
}

TEST_F(ring, bell_rings_once_for_a_sleeper)
{
	uint32_t v;

	EXPECT_EQ(0, phi_ring_arm(self->side[1], PHI_RING_IN));
	for (v = 0; v < 5; v++)
		ASSERT_EQ(0, phi_ring_send(self->side[0], &v, sizeof(v)));
	EXPECT_EQ(1, rung(self->fd[1]));
	/* Something is there: not armed, so no bell for the next. */
	EXPECT_EQ(PHI_RING_IN, phi_ring_arm(self->side[1], PHI_RING_IN));
	ASSERT_EQ(0, phi_ring_send(self->side[0], &v, sizeof(v)));
	EXPECT_EQ(0, rung(self->fd[1]));
}

TEST_F(ring, writer_is_told_of_room)
{
	uint32_t v = 0;

	while (!phi_ring_send(self->side[0], &v, sizeof(v)))
		v++;
	ASSERT_EQ(ENTRIES, v);
	EXPECT_EQ(0, phi_ring_arm(self->side[0], PHI_RING_OUT));
	while (phi_ring_recv(self->side[1], &v, sizeof(v)) >= 0)
		;
	EXPECT_EQ(1, rung(self->fd[0]));
	EXPECT_EQ(PHI_RING_OUT, phi_ring_arm(self->side[0], PHI_RING_OUT));
	EXPECT_EQ(PHI_RING_OUT,
		  phi_ring_arm(self->side[0], PHI_RING_OUT | PHI_RING_IN));
}

/* Fewer than a quarter, and no more to read: told when the reader looks. */
TEST_F(ring, reader_that_looks_in_vain_wakes_the_writer)
{
	char buf[BYTES];

	memset(buf, 1, sizeof(buf));
	ASSERT_EQ(0, phi_ring_send(self->side[0], buf, BYTES / 2));
	ASSERT_EQ(0, phi_ring_send(self->side[0], buf, BYTES / 2));
	ASSERT_EQ(-EAGAIN, phi_ring_send(self->side[0], buf, 1));
	EXPECT_EQ(0, phi_ring_arm(self->side[0], PHI_RING_OUT));
	EXPECT_EQ(BYTES / 2, phi_ring_recv(self->side[1], buf, BYTES));
	EXPECT_EQ(BYTES / 2, phi_ring_recv(self->side[1], buf, BYTES));
	EXPECT_EQ(0, rung(self->fd[0]));
	EXPECT_EQ(-EAGAIN, phi_ring_recv(self->side[1], buf, BYTES));
	EXPECT_EQ(1, rung(self->fd[0]));
}

static int full_fd;

static void drain_full(int sig)
{
	(void)sig;
	rung(full_fd);
}

/* A counter that can take no more has woken the reader already. */
TEST_F(ring, a_full_bell_is_no_fault)
{
	struct sigaction sa = { .sa_handler = drain_full };
	struct itimerval soon = { .it_value.tv_usec = 20000 };
	uint64_t most = UINT64_MAX - 1;
	uint32_t v = 1;

	ASSERT_EQ(8, write(self->fd[1], &most, sizeof(most)));
	EXPECT_EQ(0, phi_ring_arm(self->side[1], PHI_RING_IN));
	EXPECT_EQ(0, phi_ring_send(self->side[0], &v, sizeof(v)));
	EXPECT_EQ(most, rung(self->fd[1]));
	EXPECT_EQ((int)sizeof(v), phi_ring_recv(self->side[1], &v, sizeof(v)));

	/* One that blocks is waited for, through a signal that empties it. */
	ASSERT_EQ(0, fcntl(self->fd[1], F_SETFL, 0));
	ASSERT_EQ(8, write(self->fd[1], &most, sizeof(most)));
	EXPECT_EQ(0, phi_ring_arm(self->side[1], PHI_RING_IN));
	full_fd = self->fd[1];
	ASSERT_EQ(0, sigaction(SIGALRM, &sa, NULL));
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &soon, NULL));
	EXPECT_EQ(0, phi_ring_send(self->side[0], &v, sizeof(v)));
	EXPECT_EQ(1, rung(self->fd[1]));
}

/* What is shorter than a head is not read beyond its end. */
TEST_F(ring, attach_reads_no_more_than_there_is)
{
	struct phi_bell bell = { .fd = -1 };
	struct phi_ring *r;
	void *part = NULL;

	ASSERT_EQ(0, posix_memalign(&part, 128, 8));
	memcpy(part, self->mem, 8);
	EXPECT_EQ(-EPROTO, phi_ring_attach(part, 8, &bell, -1, &r));
	free(part);
}

TEST_F(ring, wait_has_a_deadline)
{
	uint64_t t = now_ns();

	EXPECT_EQ(-ETIMEDOUT,
		  phi_ring_wait(self->side[1], PHI_RING_IN, t + 20000000));
	EXPECT_LE(20000000, now_ns() - t);
	EXPECT_EQ(-ETIMEDOUT, phi_ring_wait(self->side[1], PHI_RING_IN, 1));
	EXPECT_EQ(PHI_RING_OUT, phi_ring_wait(self->side[1], PHI_RING_OUT, 1));
	EXPECT_EQ(-EINVAL, phi_ring_wait(self->side[1], 0, 1));
	EXPECT_EQ(-EINVAL, phi_ring_wait(self->side[1], 4, 1));
	/* A message that is there counts, however late. */
	ASSERT_EQ(0, phi_ring_send(self->side[0], &t, sizeof(t)));
	EXPECT_EQ(PHI_RING_IN, phi_ring_wait(self->side[1], PHI_RING_IN, 1));
}

static void nothing(int sig)
{
	(void)sig;
}

TEST_F(ring, wait_ends_with_a_signal)
{
	struct sigaction sa = { .sa_handler = nothing };
	/* Again and again: the first may come before the wait. */
	struct itimerval soon = { .it_value.tv_usec = 20000,
				  .it_interval.tv_usec = 20000 };
	struct itimerval off = { 0 };

	ASSERT_EQ(0, sigaction(SIGALRM, &sa, NULL));
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &soon, NULL));
	EXPECT_EQ(-EINTR, phi_ring_wait(self->side[1], PHI_RING_IN,
					now_ns() + 60000000000));
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &off, NULL));
}

/* The other side empties our eventfd and makes it block: no hang. */
TEST_F(ring, quiet_never_blocks)
{
	ASSERT_EQ(0, fcntl(self->fd[1], F_SETFL, 0));
	alarm(50);
	phi_ring_quiet(self->side[1]);
	alarm(0);
}

TEST_F(ring, dead_bell_is_told_and_loses_nothing)
{
	struct phi_bell broken = { .fd = 1023 };
	struct phi_ring *r;
	uint32_t v = 9;

	ASSERT_EQ(0, phi_ring_attach(self->mem, self->len, &broken, -1, &r));
	EXPECT_EQ(0, phi_ring_arm(self->side[0], PHI_RING_IN));
	EXPECT_EQ(-EBADF, phi_ring_send(r, &v, sizeof(v)));
	v = 0;
	EXPECT_EQ((int)sizeof(v), phi_ring_recv(self->side[0], &v, sizeof(v)));
	EXPECT_EQ(9, v);
	phi_ring_free(r);
}

struct load {
	struct phi_ring *r;
	uint32_t count;
	unsigned int seed;
	int nap; /* sleep now and then, so that the other side does */
	uint32_t wrong;
};

static uint32_t make(unsigned char *buf, uint32_t n)
{
	uint32_t len = 4 + n * 2654435761U % 380;

	memcpy(buf, &n, 4);
	memset(buf + 4, (int)(n & 0xff), len - 4);
	return len;
}

static void rest(struct load *l)
{
	struct timespec ts = { .tv_nsec = 50000 };

	if (l->nap && !(rand_r(&l->seed) % 400))
		nanosleep(&ts, NULL);
}

static void *writer(void *arg)
{
	struct load *l = arg;
	unsigned char buf[512];

	for (uint32_t n = 0; n < l->count; n++) {
		uint32_t len = make(buf, n);
		int ret;

		rest(l);
		while ((ret = phi_ring_send(l->r, buf, len)) == -EAGAIN) {
			ret = phi_ring_wait(l->r, PHI_RING_OUT, 0);
			if (ret < 0)
				break;
		}
		if (ret) {
			l->wrong++;
			return NULL;
		}
	}
	return NULL;
}

static void *reader(void *arg)
{
	struct load *l = arg;
	unsigned char want[512], got[512];

	for (uint32_t n = 0; n < l->count; n++) {
		uint32_t len = make(want, n);
		int ret;

		rest(l);
		while ((ret = phi_ring_recv(l->r, got, 512)) == -EAGAIN) {
			ret = phi_ring_wait(l->r, PHI_RING_IN, 0);
			if (ret < 0)
				break;
		}
		if (ret != (int)len || memcmp(want, got, len)) {
			l->wrong++;
			return NULL;
		}
	}
	return NULL;
}

/* No deadline: a wake-up that is lost hangs, and the harness ends it. */
TEST_F_TIMEOUT(ring, two_threads, 120)
{
	for (int nap = 0; nap < 4; nap++) {
		struct load w = { self->side[0], 100000, 1, nap & 1, 0 };
		struct load r = { self->side[1], 100000, 2, nap & 2, 0 };
		pthread_t thread;

		phi_ring_spin(self->side[0], nap ? 0 : 100);
		phi_ring_spin(self->side[1], nap ? 0 : 100);
		ASSERT_EQ(0, pthread_create(&thread, NULL, writer, &w));
		reader(&r);
		ASSERT_EQ(0, pthread_join(thread, NULL));
		ASSERT_EQ(0, w.wrong);
		ASSERT_EQ(0, r.wrong);
	}
}

/* Fills a ring of @entries, and lets its writer wait. Returns how many went. */
static uint32_t fill_and_arm(struct phi_ring *r)
{
	uint32_t v = 0;

	while (!phi_ring_send(r, &v, sizeof(v)))
		v++;
	return phi_ring_arm(r, PHI_RING_OUT) ? 0 : v;
}

/* A quarter of the entries, rounded up: of four, one release is enough. */
TEST_F(ring, one_release_wakes_the_writer_of_a_short_ring)
{
	struct phi_bell bell[2] = { { .fd = self->fd[1] },
				    { .fd = self->fd[0] } };
	struct phi_ring *side[2];
	uint32_t v;

	ASSERT_EQ(0, phi_ring_create(self->mem, self->len, 4, 64, &bell[0],
				     self->fd[0], &side[0]));
	ASSERT_EQ(0, phi_ring_attach(self->mem, self->len, &bell[1],
				     self->fd[1], &side[1]));
	ASSERT_EQ(4, fill_and_arm(side[0]));
	ASSERT_EQ((int)sizeof(v), phi_ring_recv(side[1], &v, sizeof(v)));
	EXPECT_EQ(1, rung(self->fd[0]));
	phi_ring_free(side[0]);
	phi_ring_free(side[1]);
}

TEST_F(ring, a_quarter_released_wakes_the_writer)
{
	uint32_t v;

	ASSERT_EQ(ENTRIES, fill_and_arm(self->side[0]));
	for (int i = 1; i < ENTRIES / 4; i++) {
		ASSERT_EQ((int)sizeof(v),
			  phi_ring_recv(self->side[1], &v, sizeof(v)));
		EXPECT_EQ(0, rung(self->fd[0]));
	}
	ASSERT_EQ((int)sizeof(v), phi_ring_recv(self->side[1], &v, sizeof(v)));
	EXPECT_EQ(1, rung(self->fd[0]));
}

/* A reader that sleeps, or only looks, leaves no writer behind asleep. */
TEST_F(ring, reader_without_work_wakes_the_writer)
{
	const void *payload;
	uint32_t v, len;

	ASSERT_EQ(ENTRIES, fill_and_arm(self->side[0]));
	ASSERT_EQ((int)sizeof(v), phi_ring_recv(self->side[1], &v, sizeof(v)));
	EXPECT_EQ(0, rung(self->fd[0]));
	EXPECT_EQ(PHI_RING_IN, phi_ring_arm(self->side[1], PHI_RING_IN));
	EXPECT_EQ(1, rung(self->fd[0]));

	/* Two messages fill it by bytes; they are fewer than a quarter. */
	while (phi_ring_recv(self->side[1], &v, sizeof(v)) >= 0)
		;
	rung(self->fd[0]);
	ASSERT_EQ(0, phi_ring_reserve(self->side[0], BYTES / 2,
				      (void **)&payload));
	ASSERT_EQ(0, phi_ring_commit(self->side[0]));
	while (!phi_ring_reserve(self->side[0], BYTES / 4, (void **)&payload))
		ASSERT_EQ(0, phi_ring_commit(self->side[0]));
	EXPECT_EQ(0, phi_ring_arm(self->side[0], PHI_RING_OUT));
	while (!phi_ring_peek(self->side[1], &payload, &len))
		ASSERT_EQ(0, phi_ring_release(self->side[1]));
	EXPECT_EQ(1, rung(self->fd[0]));
}

/* Two processes answer each other; the child attaches by itself. */
TEST_F(ring, two_processes)
{
	struct phi_bell bell = { .fd = self->fd[0] };
	uint32_t got;
	int status;
	pid_t pid;

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		struct phi_ring *r;

		if (phi_ring_attach(self->mem, self->len, &bell, self->fd[1],
				    &r))
			_exit(1);
		for (uint32_t i = 0; i < 20000; i++) {
			if (phi_ring_wait(r, PHI_RING_IN,
					  now_ns() + 5000000000) < 0)
				_exit(2);
			if (phi_ring_recv(r, &got, 4) != 4 || got != i)
				_exit(3);
			got = ~got;
			if (phi_ring_send(r, &got, 4))
				_exit(4);
		}
		_exit(0);
	}
	for (uint32_t i = 0; i < 20000; i++) {
		ASSERT_EQ(0, phi_ring_send(self->side[0], &i, 4));
		ASSERT_LT(0, phi_ring_wait(self->side[0], PHI_RING_IN,
					   now_ns() + 5000000000));
		ASSERT_EQ(4, phi_ring_recv(self->side[0], &got, 4));
		ASSERT_EQ(~i, got);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

/* Without bell and eventfd both sides spin, with deadlines all the same. */
TEST_F(ring, without_bells)
{
	struct phi_bell none = { .fd = -1 };
	struct phi_ring *side[2];
	uint32_t v = 3;

	ASSERT_EQ(0, phi_ring_create(self->mem, self->len, ENTRIES, BYTES,
				     &none, -1, &side[0]));
	ASSERT_EQ(0,
		  phi_ring_attach(self->mem, self->len, &none, -1, &side[1]));
	EXPECT_EQ(-ETIMEDOUT,
		  phi_ring_wait(side[1], PHI_RING_IN, now_ns() + 1000000));
	ASSERT_EQ(0, phi_ring_send(side[0], &v, sizeof(v)));
	EXPECT_EQ(PHI_RING_IN, phi_ring_wait(side[1], PHI_RING_IN, 0));
	phi_ring_free(side[0]);
	phi_ring_free(side[1]);
}

TEST_HARNESS_MAIN
