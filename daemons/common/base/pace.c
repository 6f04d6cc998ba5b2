// SPDX-License-Identifier: GPL-2.0-only
/* The processors are divided among users: see pace.h. */
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>
#include <time.h>

#include "pace.h"

/* A step that took less time than this is not looked at. */
#define STEP_NS 2000000ULL
/* A sleep is no longer: all go on, however many users there are. */
#define SLEEP_NS 100000000ULL
/* A user who calls again so soon wants to compute meanwhile, too. */
#define LINGER_NS 10000000ULL
/* Users with calls at a time; the calls of others are not paced. */
#define USERS 512

/**
 * struct paced - a user with calls, or who had one a moment ago
 * @uid: Its number.
 * @calls: How many threads serve it.
 * @left: When the last one had, by CLOCK_MONOTONIC, if none does; 0 = that is
 *        longer ago, and the place free.
 * @helped: Processor time that others took for it, since its last step.
 * @until: When it may go on, by CLOCK_MONOTONIC.
 */
struct paced {
	uint32_t uid;
	unsigned int calls;
	uint64_t left;
	uint64_t helped;
	uint64_t until;
};

/* Of the process. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of all below */
static struct paced paced[USERS];
static size_t places; /* that were ever used */
static uint64_t users; /* in places */
static uint64_t sum; /* nanoseconds in which each of them had one */
static uint64_t sum_at; /* when that was so */

/**
 * struct pace - what a thread does for a user
 * @user: The user; NULL = nothing.
 * @wall: When its last step ended, by CLOCK_MONOTONIC.
 * @cpu: Its processor time then; 0 = it has made none.
 * @all: That of the process then.
 * @taken: How often the kernel had taken the processor from it.
 * @sum: The sum then.
 */
static _Thread_local struct pace {
	struct paced *user;
	uint64_t wall;
	uint64_t cpu;
	uint64_t all;
	long taken;
	uint64_t sum;
} mine;

static uint64_t read_clock(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return (uint64_t)now.tv_sec * 1000000000ULL + (uint64_t)now.tv_nsec;
}

static long times_taken(void)
{
	struct rusage usage;

	return getrusage(RUSAGE_THREAD, &usage) ? 0 : usage.ru_nivcsw;
}

/* With the lock held. */
static void add_up(uint64_t now)
{
	uint64_t end;
	size_t i;

	if (now <= sum_at)
		return;
	sum += users * (now - sum_at);
	for (i = 0; i < places; i++) {
		end = paced[i].left + LINGER_NS;
		if (paced[i].calls || !paced[i].left || end > now)
			continue;
		sum -= now - (end > sum_at ? end : sum_at);
		paced[i].left = 0;
		users--;
	}
	sum_at = now;
}

/* With the lock held: the place of a user, or a free one; NULL = none. */
static struct paced *place_of(uint32_t uid, bool make)
{
	struct paced *place = NULL;
	size_t i;

	for (i = 0; i < places; i++) {
		bool used = paced[i].calls || paced[i].left;

		if (used && paced[i].uid == uid)
			return &paced[i];
		if (!used && !place)
			place = &paced[i];
	}
	if (!make)
		return NULL;
	if (!place && places < USERS)
		place = &paced[places++];
	if (place) {
		*place = (struct paced){ .uid = uid };
		users++;
	}
	return place;
}

/**
 * pace_enter() - begin to serve a user
 * @uid: The user.
 *
 * Context: A thread that serves nobody.
 */
void pace_enter(uint32_t uid)
{
	mine = (struct pace){ .wall = read_clock(CLOCK_MONOTONIC) };
	pthread_mutex_lock(&lock);
	add_up(mine.wall);
	mine.user = place_of(uid, true);
	if (mine.user)
		mine.user->calls++;
	pthread_mutex_unlock(&lock);
}

/**
 * pace_leave() - undo pace_enter()
 *
 * Context: The same thread.
 */
void pace_leave(void)
{
	if (!mine.user)
		return;
	pthread_mutex_lock(&lock);
	add_up(read_clock(CLOCK_MONOTONIC));
	if (!--mine.user->calls)
		mine.user->left = sum_at;
	pthread_mutex_unlock(&lock);
	mine.user = NULL;
}

/*
 * When the user will have had no more than its part, if the process goes on as it
 * did since the last step: @cpu of the @all that it took, by so many users.
 */
static uint64_t due(uint64_t now, uint64_t cpu, uint64_t all)
{
	struct paced *user = mine.user;

	pthread_mutex_lock(&lock);
	add_up(now);
	cpu += user->helped;
	user->helped = 0;
	if (user->until < mine.wall)
		user->until = mine.wall;
	/* The time since then, times the users, is what the sum says. */
	user->until += (uint64_t)((double)(sum - mine.sum) * (double)cpu /
				  (double)(all > cpu ? all : cpu));
	if (user->until > now + SLEEP_NS)
		user->until = now + SLEEP_NS;
	now = user->until;
	pthread_mutex_unlock(&lock);
	return now;
}

static void sleep_until(uint64_t ns)
{
	const struct timespec at = {
		.tv_sec = (time_t)(ns / 1000000000ULL),
		.tv_nsec = (long)(ns % 1000000000ULL),
	};

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

/**
 * pace_step() - let others compute, if the user has had more than they
 *
 * Costs little where nothing long is done. As long as the kernel does not take
 * the processor from the thread there is enough for all.
 *
 * Context: Any thread, with no lock that others wait for. May sleep.
 */
void pace_step(void)
{
	uint64_t now, cpu, all, until;
	long taken;

	if (!mine.user)
		return;
	now = read_clock(CLOCK_MONOTONIC);
	if (now - mine.wall < STEP_NS)
		return;
	cpu = read_clock(CLOCK_THREAD_CPUTIME_ID);
	all = read_clock(CLOCK_PROCESS_CPUTIME_ID);
	taken = times_taken();
	until = now;
	/* The first step is nobody's: it says from where on to count. */
	if (mine.cpu && taken != mine.taken && cpu > mine.cpu)
		until = due(now, cpu - mine.cpu, all - mine.all);
	if (until > now) {
		sleep_until(until);
		now = read_clock(CLOCK_MONOTONIC);
	}
	mine.wall = now;
	mine.cpu = cpu;
	mine.all = read_clock(CLOCK_PROCESS_CPUTIME_ID);
	mine.taken = taken;
	pthread_mutex_lock(&lock);
	add_up(now);
	mine.sum = sum;
	pthread_mutex_unlock(&lock);
}

/**
 * pace_user() - whom this thread serves
 *
 * Context: Any thread.
 * Return: The user, or -1.
 */
int64_t pace_user(void)
{
	return mine.user ? (int64_t)mine.user->uid : -1;
}

/**
 * pace_time() - read the processor time of this thread
 *
 * Context: Any thread.
 * Return: Nanoseconds.
 */
uint64_t pace_time(void)
{
	return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

/**
 * pace_helped() - note that another thread has computed for a user
 * @uid: The user, or -1.
 * @ns: Its processor time.
 *
 * Context: Any thread.
 */
void pace_helped(int64_t uid, uint64_t ns)
{
	struct paced *user;

	if (uid < 0)
		return;
	pthread_mutex_lock(&lock);
	user = place_of((uint32_t)uid, false);
	if (user)
		user->helped += ns;
	pthread_mutex_unlock(&lock);
}
