// SPDX-License-Identifier: GPL-2.0-only
/*
 * The processors are divided among users: by clocks of the test, which stand
 * still but for what it says. Other users are threads that rest in their calls.
 */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "base/pace.h"

#define MS 1000000ULL
#define OTHERS 40
#define STEPS 100

/* The clocks, and how long threads have slept. */
static bool faked;
static uint64_t wall, cpu, all, slept;
static long taken;

/* In the place of the C library's. */
int clock_gettime(clockid_t id, struct timespec *out)
{
	uint64_t now = id == CLOCK_MONOTONIC ? wall : cpu;

	if (id == CLOCK_PROCESS_CPUTIME_ID)
		now = all;

	if (!faked)
		return (int)syscall(SYS_clock_gettime, id, out);
	out->tv_sec = (time_t)(now / (1000 * MS));
	out->tv_nsec = (long)(now % (1000 * MS));
	return 0;
}

int clock_nanosleep(clockid_t id, int flags, const struct timespec *at,
		    struct timespec *left)
{
	uint64_t until =
		(uint64_t)at->tv_sec * 1000 * MS + (uint64_t)at->tv_nsec;

	if (!faked)
		return -(int)syscall(SYS_clock_nanosleep, id, flags, at, left);
	if (until > wall) {
		slept += until - wall;
		/* The others have both processors. */
		all += 2 * (until - wall);
		wall = until;
	}
	return 0;
}

int getrusage(__rusage_who_t who, struct rusage *out)
{
	if (!faked)
		return (int)syscall(SYS_getrusage, who, out);
	*out = (struct rusage){ .ru_nivcsw = taken };
	return who == RUSAGE_THREAD ? 0 : -1;
}

/**
 * struct other - another thread that serves a user
 * @thread: It.
 * @uid: The user.
 * @there: It serves.
 * @leave: It is to end that.
 */
struct other {
	pthread_t thread;
	uint32_t uid;
	sem_t there;
	sem_t leave;
};

static void *serve(void *arg)
{
	struct other *o = arg;

	pace_enter(o->uid);
	sem_post(&o->there);
	sem_wait(&o->leave);
	pace_leave();
	return NULL;
}

FIXTURE(pace)
{
	struct other other[OTHERS];
	int n;
};

static void come(FIXTURE_DATA(pace) * self, uint32_t uid)
{
	struct other *o = &self->other[self->n++];

	o->uid = uid;
	sem_init(&o->there, 0, 0);
	sem_init(&o->leave, 0, 0);
	pthread_create(&o->thread, NULL, serve, o);
	sem_wait(&o->there);
}

static void go(FIXTURE_DATA(pace) * self)
{
	struct other *o = &self->other[--self->n];

	sem_post(&o->leave);
	pthread_join(o->thread, NULL);
}

FIXTURE_SETUP(pace)
{
	self->n = 0;
	faked = true;
	wall = 5000 * MS;
	cpu = 1000 * MS;
	all = 2000 * MS;
	slept = 0;
	pace_enter(1);
}

FIXTURE_TEARDOWN(pace)
{
	pace_leave();
	while (self->n)
		go(self);
	faked = false;
}

/* Others take the processor from it, which has one of two all the same. */
static void step(uint64_t ms)
{
	taken++;
	wall += ms * MS;
	cpu += ms * MS;
	all += 2 * ms * MS;
	pace_step();
}

static void compute(int steps)
{
	while (steps--)
		step(3);
}

/* From here on steps count. */
static void begin(FIXTURE_DATA(pace) * self, uint32_t others)
{
	uint32_t i;

	for (i = 0; i < others; i++)
		come(self, 2 + i);
	step(3);
	slept = 0;
}

TEST_F(pace, a_user_has_its_part)
{
	begin(self, 9);
	compute(STEPS);
	/* Ten users, two processors: five times as long. */
	EXPECT_EQ(STEPS * 3 * 4 * MS, slept);
	EXPECT_EQ(10 * STEPS * 3 * MS, 2 * (STEPS * 3 * MS + slept));
	/* Once they are gone it has all again. */
	while (self->n)
		go(self);
	compute(1);
	slept = 0;
	compute(STEPS);
	EXPECT_EQ(0, slept);
}

/* Users count for 10 ms after their calls, and no longer. */
TEST_F(pace, a_user_counts_a_moment_longer)
{
	begin(self, 9);
	while (self->n)
		go(self);
	wall += 37 * MS;
	all += 34 * MS;
	cpu += 37 * MS;
	step(3);
	/* Ten for a quarter of the time, and one for the rest. */
	EXPECT_EQ((10 * 10 + 30 - 40) * MS, slept);
}

TEST_F(pace, who_is_alone_never_sleeps)
{
	begin(self, 0);
	compute(STEPS);
	/* Other calls of the same user are not other users. */
	come(self, 1);
	come(self, 1);
	compute(STEPS);
	EXPECT_EQ(0, slept);
}

TEST_F(pace, nobody_sleeps_while_there_are_processors)
{
	int i;

	begin(self, 9);
	for (i = 0; i < STEPS; i++) {
		taken--;
		step(3);
	}
	EXPECT_EQ(0, slept);
}

TEST_F(pace, time_in_which_it_waited_counts)
{
	int i;

	begin(self, 9);
	for (i = 0; i < STEPS; i++) {
		wall += 12 * MS;
		all += 24 * MS;
		step(3);
	}
	EXPECT_EQ(0, slept);
}

/* Of another load on the machine each has its part, too. */
TEST_F(pace, parts_are_of_what_the_process_has)
{
	begin(self, 9);
	/* One processor is another process'. */
	all -= 2 * MS;
	step(3);
	EXPECT_EQ((3 * 10 * 3 / 4 - 3) * MS + MS / 2, slept);
}

TEST_F(pace, short_calls_are_free)
{
	int i;

	begin(self, 9);
	for (i = 0; i < STEPS; i++) {
		pace_leave();
		pace_enter(1);
		step(1);
	}
	EXPECT_EQ(0, slept);
}

TEST_F(pace, help_counts)
{
	begin(self, 9);
	EXPECT_EQ(1, pace_user());
	pace_helped(1, 2 * MS);
	pace_helped(7, 50 * MS);
	pace_helped(99, 50 * MS);
	pace_helped(-1, 50 * MS);
	compute(1);
	EXPECT_EQ((3 + 2) * 5 * MS - 3 * MS, slept);
	pace_leave();
	EXPECT_EQ(-1, pace_user());
	compute(10);
	EXPECT_EQ((3 + 2) * 5 * MS - 3 * MS, slept);
}

/* However many there are, each goes on: after a minute at most. */
TEST_F(pace, no_debt_is_endless)
{
	begin(self, OTHERS);
	step(5000);
	EXPECT_EQ(60000 * MS, slept);
}

/* With a lock it only counts, and the first step without pays for all. */
TEST_F(pace, who_holds_something_does_not_sleep)
{
	begin(self, 9);
	pace_hold();
	compute(STEPS);
	EXPECT_EQ(0, slept);
	pace_release();
	EXPECT_EQ(0, slept);
	pace_step();
	EXPECT_EQ(STEPS * 3 * 4 * MS, slept);
	pace_step();
	EXPECT_EQ(STEPS * 3 * 4 * MS, slept);
}

/* Time since the last step is not lost with the call, nor with its user. */
TEST_F(pace, the_end_of_a_call_is_owed)
{
	begin(self, 9);
	taken++;
	wall += 30 * MS;
	cpu += 30 * MS;
	all += 60 * MS;
	pace_leave();
	EXPECT_EQ(0, slept);
	wall += 20 * MS;
	pace_enter(1);
	pace_step();
	EXPECT_EQ((30 * 4 - 20) * MS, slept);
}

/* The first step counts what came before it, but not another's call. */
TEST_F(pace, the_first_step_counts)
{
	begin(self, 9);
	pace_leave();
	cpu += 500 * MS;
	pace_enter(1);
	step(3);
	EXPECT_EQ(3 * 4 * MS, slept);
}

TEST_F(pace, nobody_sleeps_at_the_end)
{
	begin(self, 9);
	pace_rush(true);
	compute(STEPS);
	EXPECT_EQ(0, slept);
	pace_rush(false);
	compute(1);
	EXPECT_LT(0, slept);
}

TEST_HARNESS_MAIN
