// SPDX-License-Identifier: GPL-2.0-only
/* The loop of daemons, on io_uring and on epoll. Needs no module. */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <phi/service.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
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

/* What handlers work on; the loop is in it, so that they can end it. */
struct state {
	struct phi_service *s;
	struct phi_source *src;
	struct phi_source *other;
	struct phi_source *after; /* a job */
	int fd;
	int calls;
	int limit;
	uint32_t events;
	char log[64];
	uint64_t at[8];
};

FIXTURE(service)
{
	struct phi_service *s;
	struct state st;
	int pipe[2];
};

FIXTURE_VARIANT(service)
{
	unsigned int flags;
	const char *name;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(service, uring) {
	.flags = 0,
	.name = "io_uring",
};

FIXTURE_VARIANT_ADD(service, epoll) {
	.flags = PHI_SERVICE_EPOLL,
	.name = "epoll",
};

/* clang-format on */

static int late(void *arg)
{
	phi_service_exit(arg, -ETIME);
	return 0;
}

/* The kernel may have none, or refuse it to all. */
static bool has_uring(void)
{
	syscall(SYS_io_uring_setup, 1, NULL);
	return errno != ENOSYS && errno != EPERM;
}

FIXTURE_SETUP(service)
{
	struct phi_source *t;

	if (!variant->flags && !has_uring())
		SKIP(return, "no io_uring here");
	memset(&self->st, 0, sizeof(self->st));
	ASSERT_EQ(0, phi_service_new(variant->flags, &self->s));
	ASSERT_STREQ(variant->name, phi_service_backend(self->s));
	ASSERT_EQ(0, pipe2(self->pipe, O_NONBLOCK | O_CLOEXEC));
	self->st.s = self->s;
	self->st.fd = self->pipe[0];
	/* A loop that does not end by itself ends with ETIME. */
	ASSERT_EQ(0, phi_service_timer(self->s, late, self->s, &t));
	phi_source_set(t, now_ns() + 8000 * MS);
}

FIXTURE_TEARDOWN(service)
{
	phi_service_free(self->s);
	close(self->pipe[0]);
	close(self->pipe[1]);
}

static int drain(void *arg, uint32_t events)
{
	struct state *st = arg;
	char buf[64];

	st->calls++;
	st->events |= events;
	while (read(st->fd, buf, sizeof(buf)) > 0)
		;
	if (st->calls == st->limit)
		phi_service_exit(st->s, 0);
	return 0;
}

TEST(refuses)
{
	struct phi_service *s;

	EXPECT_EQ(-EOPNOTSUPP, phi_service_new(2, &s));
}

/* Where io_uring is forbidden the loop is epoll's, without being asked. */
TEST(falls_back_to_epoll)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { .len = ARRAY_SIZE(code), .filter = code };
	struct phi_service *s;

	ASSERT_EQ(0, prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	ASSERT_EQ(0, prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog));
	ASSERT_EQ(0, phi_service_new(0, &s));
	EXPECT_STREQ("epoll", phi_service_backend(s));
	phi_service_free(s);
}

TEST_F(service, bad_file)
{
	EXPECT_EQ(-EBADF,
		  phi_service_fd(self->s, -1, POLLIN, drain, NULL, NULL));
	EXPECT_EQ(-EBADF,
		  phi_service_fd(self->s, 1023, POLLIN, drain, NULL, NULL));
}

TEST_F(service, file_is_told_once_an_event)
{
	struct state *st = &self->st;

	/* There before the source is, then again from inside the loop. */
	ASSERT_EQ(1, write(self->pipe[1], "x", 1));
	ASSERT_EQ(0, phi_service_fd(self->s, st->fd, POLLIN, drain, st, NULL));
	st->limit = 1;
	ASSERT_EQ(0, phi_service_run(self->s));
	ASSERT_EQ(1, write(self->pipe[1], "x", 1));
	st->limit = 2;
	ASSERT_EQ(0, phi_service_run(self->s));
	EXPECT_EQ(2, st->calls);
	EXPECT_EQ(POLLIN, st->events);
	close(self->pipe[1]);
	st->limit = 3;
	ASSERT_EQ(0, phi_service_run(self->s));
	EXPECT_NE(0, st->events & POLLHUP);
	self->pipe[1] = -1;
}

static int again(void *arg, uint32_t events)
{
	struct state *st = arg;

	(void)events;
	if (++st->calls == st->limit)
		phi_service_exit(st->s, 0);
	return 1;
}

static int tick(void *arg)
{
	struct state *st = arg;

	st->at[0]++;
	if (st->at[0] == 3)
		phi_service_exit(st->s, 0);
	phi_source_set(st->other, now_ns() + MS);
	return 0;
}

/* A source that always has more starves neither timers nor other files. */
TEST_F(service, greedy_source_starves_nobody)
{
	struct state *st = &self->st;
	struct state greedy = { .s = self->s };
	int fd = eventfd(1, EFD_NONBLOCK);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, phi_service_fd(self->s, fd, POLLIN, again, &greedy, NULL));
	ASSERT_EQ(0, phi_service_fd(self->s, st->fd, POLLIN, drain, st, NULL));
	ASSERT_EQ(0, phi_service_timer(self->s, tick, st, &st->other));
	phi_source_set(st->other, now_ns() + MS);
	ASSERT_EQ(1, write(self->pipe[1], "x", 1));
	ASSERT_EQ(0, phi_service_run(self->s));
	EXPECT_EQ(1, st->calls);
	EXPECT_EQ(3, st->at[0]);
	EXPECT_LT(3, greedy.calls);
	phi_service_free(self->s);
	self->s = NULL;
	close(fd);
}

static int fails(void *arg, uint32_t events)
{
	(void)arg;
	(void)events;
	return -EDOM;
}

TEST_F(service, error_of_a_handler_ends_the_loop)
{
	ASSERT_EQ(1, write(self->pipe[1], "x", 1));
	ASSERT_EQ(0, phi_service_fd(self->s, self->pipe[0], POLLIN, fails, NULL,
				    NULL));
	EXPECT_EQ(-EDOM, phi_service_run(self->s));
}

static int frees_both(void *arg, uint32_t events)
{
	struct state *st = arg;

	(void)events;
	st->calls++;
	phi_source_free(st->src);
	phi_source_free(st->other);
	phi_source_free(st->other);
	phi_source_kick(st->after);
	return 1;
}

/* Lets the loop look at its files some more times, then ends it. */
static int some_turns(void *arg)
{
	struct state *st = arg;

	if (++st->limit < 20)
		return 1;
	phi_service_exit(st->s, -ETIME);
	return 0;
}

/* Both have an event in the same turn; the handler that runs first frees both. */
TEST_F(service, free_in_a_handler)
{
	struct state *st = &self->st;
	int fd = eventfd(1, EFD_NONBLOCK);

	ASSERT_LE(0, fd);
	ASSERT_EQ(1, write(self->pipe[1], "x", 1));
	ASSERT_EQ(0, phi_service_job(self->s, some_turns, st, &st->after));
	ASSERT_EQ(0, phi_service_fd(self->s, st->fd, POLLIN, frees_both, st,
				    &st->src));
	ASSERT_EQ(0, phi_service_fd(self->s, fd, POLLIN, frees_both, st,
				    &st->other));
	EXPECT_EQ(-ETIME, phi_service_run(self->s));
	EXPECT_EQ(1, st->calls);
	EXPECT_EQ(20, st->limit);
	close(fd);
}

/* A number that a new file reuses hears nothing of the old file. */
TEST_F(service, reused_file_number)
{
	struct state *st = &self->st;
	struct phi_source *t;
	struct state new = { .s = self->s };
	int fd = eventfd(1, EFD_NONBLOCK);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, phi_service_fd(self->s, fd, POLLIN, again, st, &st->src));
	phi_source_free(st->src);
	ASSERT_EQ(0, close(fd));
	new.fd = eventfd(0, EFD_NONBLOCK);
	ASSERT_EQ(fd, new.fd);
	ASSERT_EQ(0,
		  phi_service_fd(self->s, new.fd, POLLIN, drain, &new, NULL));
	ASSERT_EQ(0, phi_service_timer(self->s, late, self->s, &t));
	phi_source_set(t, now_ns() + 20 * MS);
	EXPECT_EQ(-ETIME, phi_service_run(self->s));
	EXPECT_EQ(0, new.calls);
	EXPECT_EQ(0, st->calls);
}

struct order {
	struct state *st;
	int number;
};

static int in_order(void *arg)
{
	struct order *o = arg;
	struct state *st = o->st;

	st->log[st->calls] = (char)('0' + o->number);
	st->at[st->calls++] = now_ns();
	if (st->calls == 3)
		phi_service_exit(st->s, 0);
	return 0;
}

TEST_F(service, timers_go_in_order)
{
	struct state *st = &self->st;
	struct phi_source *t[5];
	struct order o[5];
	uint64_t start = now_ns();

	for (int i = 0; i < 5; i++) {
		o[i] = (struct order){ st, i };
		ASSERT_EQ(0,
			  phi_service_timer(self->s, in_order, &o[i], &t[i]));
	}
	phi_source_set(t[0], start + 30 * MS);
	phi_source_set(t[1], start + 10 * MS);
	phi_source_set(t[2], start + 20 * MS);
	phi_source_set(t[3], start + 15 * MS);
	phi_source_set(t[3], 0); /* not any more */
	phi_source_set(t[4], start + 5 * MS);
	phi_source_set(t[4], start + 50 * MS); /* later, after the end */
	phi_source_kick(t[1]); /* means nothing to a timer */
	ASSERT_EQ(0, phi_service_run(self->s));
	EXPECT_STREQ("120", st->log);
	EXPECT_LE(start + 10 * MS, st->at[0]);
	EXPECT_LE(start + 20 * MS, st->at[1]);
	EXPECT_LE(start + 30 * MS, st->at[2]);
}

#define WAKES 20000

static atomic_int waker_done;

static void *waker(void *arg)
{
	struct state *st = arg;

	for (int i = 0; i < WAKES; i++) {
		__atomic_add_fetch(&st->limit, 1, __ATOMIC_SEQ_CST);
		phi_source_wake(st->src);
	}
	waker_done = 1;
	phi_source_wake(st->src);
	return NULL;
}

static int on_job(void *arg)
{
	struct state *st = arg;

	st->calls++;
	/* What was there at the last wake must be seen by this run. */
	if (waker_done)
		phi_service_exit(st->s,
				 __atomic_load_n(&st->limit,
						 __ATOMIC_SEQ_CST) == WAKES ?
					 0 :
					 -EIO);
	return 0;
}

TEST_F(service, jobs_are_woken_from_threads)
{
	struct state *st = &self->st;
	pthread_t thread;

	ASSERT_EQ(0, phi_service_job(self->s, on_job, st, &st->src));
	ASSERT_EQ(0, pthread_create(&thread, NULL, waker, st));
	EXPECT_EQ(0, phi_service_run(self->s));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_LE(1, st->calls);
	EXPECT_GE(WAKES + 1, st->calls);
}

static int three_times(void *arg)
{
	struct state *st = arg;

	if (++st->calls < 3)
		return 1;
	phi_service_exit(st->s, 0);
	return 0;
}

TEST_F(service, kick_runs_a_job)
{
	struct state *st = &self->st;

	ASSERT_EQ(0, phi_service_job(self->s, three_times, st, &st->src));
	phi_source_kick(st->src);
	phi_source_kick(st->src);
	EXPECT_EQ(0, phi_service_run(self->s));
	EXPECT_EQ(3, st->calls);
}

/* Wakes itself while it runs, as another thread may at that moment. */
static int wakes_itself(void *arg)
{
	struct state *st = arg;

	if (++st->calls < 3)
		phi_source_wake(st->src);
	else
		phi_service_exit(st->s, 0);
	return 0;
}

TEST_F(service, a_job_that_wakes_itself_runs_again)
{
	struct state *st = &self->st;

	ASSERT_EQ(0, phi_service_job(self->s, wakes_itself, st, &st->src));
	phi_source_wake(st->src);
	EXPECT_EQ(0, phi_service_run(self->s));
	EXPECT_EQ(3, st->calls);
}

#define MANY 1000

/* What is freed makes room: for files, jobs and timers, set or not. */
TEST_F(service, tables_do_not_grow)
{
	struct phi_source *src[4];
	uint32_t room = 0;
	int i, k;

	for (i = 0; i < MANY; i++) {
		ASSERT_EQ(0, phi_service_fd(self->s, self->pipe[0], POLLIN,
					    drain, &self->st, &src[0]));
		ASSERT_EQ(0,
			  phi_service_job(self->s, on_job, &self->st, &src[1]));
		ASSERT_EQ(0,
			  phi_service_timer(self->s, late, self->s, &src[2]));
		ASSERT_EQ(0,
			  phi_service_timer(self->s, late, self->s, &src[3]));
		phi_source_set(src[3], now_ns() + 3600 * 1000 * MS);
		phi_source_kick(src[1]);
		for (k = 0; k < 4; k++)
			phi_source_free(src[(i + k) % 4]);
		if (!i)
			room = self->s->room;
	}
	EXPECT_EQ(room, self->s->room);
	EXPECT_EQ(NULL, self->s->work);
	/* Nothing of them is left that would run. */
	ASSERT_EQ(0, phi_service_job(self->s, three_times, &self->st, &src[0]));
	phi_source_kick(src[0]);
	EXPECT_EQ(0, phi_service_run(self->s));
	EXPECT_EQ(NULL, self->s->dead);
}

static void reload(void *arg)
{
	struct state *st = arg;

	st->calls++;
	kill(getpid(), SIGTERM);
}

static void stopping(void *arg)
{
	struct state *st = arg;

	st->at[0] = now_ns();
	if (st->limit)
		phi_service_exit(st->s, -ECANCELED);
}

TEST_F(service, signals_reload_and_stop)
{
	ASSERT_EQ(0, phi_service_signals(self->s, reload, &self->st));
	EXPECT_EQ(-EEXIST, phi_service_signals(self->s, reload, &self->st));
	ASSERT_EQ(0, kill(getpid(), SIGHUP));
	EXPECT_EQ(0, phi_service_run(self->s));
	EXPECT_EQ(1, self->st.calls);
}

TEST_F(service, stop_is_graceful)
{
	struct state *st = &self->st;

	st->limit = 1;
	phi_service_on_stop(self->s, stopping, st, 1000 * MS);
	ASSERT_EQ(0, phi_service_signals(self->s, NULL, NULL));
	ASSERT_EQ(0, kill(getpid(), SIGINT));
	EXPECT_EQ(-ECANCELED, phi_service_run(self->s));
	EXPECT_NE(0, st->at[0]);
}

static void stops_again(void *arg)
{
	struct state *st = arg;

	st->calls++;
	phi_service_stop(st->s);
}

/* Who asks twice is in a hurry: the grace does not count. */
TEST_F(service, a_second_stop_ends_it_at_once)
{
	struct state *st = &self->st;

	phi_service_on_stop(self->s, stops_again, st, 3600 * 1000 * MS);
	ASSERT_EQ(0, phi_service_signals(self->s, NULL, NULL));
	ASSERT_EQ(0, kill(getpid(), SIGTERM));
	EXPECT_EQ(0, phi_service_run(self->s));
	EXPECT_EQ(1, st->calls);
}

static int leaves_it(void *arg, uint32_t events)
{
	struct state *st = arg;

	(void)events;
	st->calls++;
	phi_source_kick(st->after);
	return 0;
}

/* What is not read is not told again before more comes. */
TEST_F(service, file_that_is_left_is_told_once)
{
	struct state *st = &self->st;

	ASSERT_EQ(1, write(self->pipe[1], "x", 1));
	ASSERT_EQ(0, phi_service_job(self->s, some_turns, st, &st->after));
	ASSERT_EQ(0,
		  phi_service_fd(self->s, st->fd, POLLIN, leaves_it, st, NULL));
	EXPECT_EQ(-ETIME, phi_service_run(self->s));
	EXPECT_EQ(20, st->limit);
	EXPECT_EQ(1, st->calls);
}

TEST_F(service, grace_has_an_end)
{
	struct state *st = &self->st;

	phi_service_on_stop(self->s, stopping, st, 30 * MS);
	ASSERT_EQ(0, phi_service_signals(self->s, NULL, NULL));
	ASSERT_EQ(0, kill(getpid(), SIGTERM));
	EXPECT_EQ(0, phi_service_run(self->s));
	EXPECT_LE(st->at[0] + 30 * MS, now_ns());
}

TEST_HARNESS_MAIN
