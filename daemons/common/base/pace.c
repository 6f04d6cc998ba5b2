// SPDX-License-Identifier: GPL-2.0-only
/* The processors are divided among users: see pace.h. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <time.h>

#include "pace.h"

/* A step that took less time than this is not looked at. */
#define STEP_NS 2000000ULL
/* A sleep is no longer: then it looks whether the process ends. */
#define SLEEP_NS 100000000ULL
/* A user owes no more than this, however many users there are. */
#define DEBT_NS 60000000000ULL
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
 * @until: When it may go on, by CLOCK_MONOTONIC. Its place is not another's
 *         before.
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
static atomic_bool rushed; /* nobody sleeps, for the process ends */

/**
 * struct pace - what a thread does for a user
 * @user: The user; NULL = nothing.
 * @wall: When its last step ended, by CLOCK_MONOTONIC.
 * @cpu: Its processor time then, or before, when it served another one.
 * @all: That of the process then; 0 = nobody looked.
 * @taken: How often the kernel had taken the processor from it.
 * @sum: The sum then.
 * @held: So many times it was asked not to sleep.
 */
static _Thread_local struct pace {
	struct paced *user;
	uint64_t wall;
	uint64_t cpu;
	uint64_t all;
	long taken;
	uint64_t sum;
	unsigned int held;
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

static bool is_counted(const struct paced *place)
{
	return place->calls || place->left;
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

/* With the lock held: the place of a user who has one; NULL = none. */
static struct paced *find(uint32_t uid)
{
	size_t i;

	for (i = 0; i < places; i++) {
		if (paced[i].uid == uid &&
		    (is_counted(&paced[i]) || paced[i].until > sum_at))
			return &paced[i];
	}
	return NULL;
}

/* With the lock held: a place that is free; NULL = none. */
static struct paced *make(uint32_t uid)
{
	size_t i = 0;

	while (i < places && (is_counted(&paced[i]) || paced[i].until > sum_at))
		i++;
	if (i == USERS)
		return NULL;
	places += i == places;
	paced[i] = (struct paced){ .uid = uid };
	return &paced[i];
}

/**
 * pace_enter() - begin to serve a user
 * @uid: The user.
 *
 * Context: A thread that serves nobody.
 */
void pace_enter(uint32_t uid)
{
	struct paced *user;

	mine.wall = read_clock(CLOCK_MONOTONIC);
	mine.all = 0;
	mine.held = 0;
	pthread_mutex_lock(&lock);
	add_up(mine.wall);
	user = find(uid);
	if (!user)
		user = make(uid);
	if (user) {
		users += !is_counted(user);
		user->calls++;
	}
	mine.user = user;
	mine.sum = sum;
	pthread_mutex_unlock(&lock);
}

/*
 * With the lock held: let a user wait until it had no more than its part, if the
 * process goes on as it did since the last step: @cpu of the @all that it took,
 * by so many users.
 */
static void owe(struct paced *user, uint64_t now, uint64_t cpu, uint64_t all)
{
	uint64_t until = user->until;

	cpu += user->helped;
	user->helped = 0;
	if (until < mine.wall)
		until = mine.wall;
	/* The time since then, times the users, is what the sum says. */
	until += (uint64_t)((double)(sum - mine.sum) * (double)cpu /
			    (double)(all > cpu ? all : cpu));
	if (until > now + DEBT_NS)
		until = now + DEBT_NS;
	__atomic_store_n(&user->until, until, __ATOMIC_RELAXED);
}

static uint64_t due(void)
{
	return __atomic_load_n(&mine.user->until, __ATOMIC_RELAXED);
}

/*
 * Count what the thread computed since the last step. Of its first one it is not
 * known how much the process did meanwhile: at most all that it could.
 */
static void count(uint64_t now)
{
	uint64_t cpu = read_clock(CLOCK_THREAD_CPUTIME_ID), used;
	uint64_t all = read_clock(CLOCK_PROCESS_CPUTIME_ID);
	long taken = times_taken();
	uint64_t whole = mine.all ? all - mine.all :
				    (uint64_t)get_nprocs() * (now - mine.wall);

	used = cpu - mine.cpu;
	/* Before that, it may have served another one. */
	if (used > now - mine.wall)
		used = now - mine.wall;
	pthread_mutex_lock(&lock);
	add_up(now);
	if (taken != mine.taken && used)
		owe(mine.user, now, used, whole);
	mine.sum = sum;
	pthread_mutex_unlock(&lock);
	mine.wall = now;
	mine.cpu = cpu;
	mine.all = all;
	mine.taken = taken;
}

/**
 * pace_leave() - undo pace_enter()
 *
 * The user owes what was computed since the last step: its next call sleeps.
 *
 * Context: The same thread.
 */
void pace_leave(void)
{
	uint64_t now;

	if (!mine.user)
		return;
	now = read_clock(CLOCK_MONOTONIC);
	if (now - mine.wall >= STEP_NS)
		count(now);
	pthread_mutex_lock(&lock);
	add_up(now);
	if (!--mine.user->calls)
		mine.user->left = sum_at;
	pthread_mutex_unlock(&lock);
	mine.user = NULL;
}

static void sleep_until(uint64_t ns)
{
	const struct timespec at = {
		.tv_sec = (time_t)(ns / 1000000000ULL),
		.tv_nsec = (long)(ns % 1000000000ULL),
	};

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

/* Sleep while the user owes time to others. */
static void settle(uint64_t now)
{
	uint64_t until = due();

	if (until <= now || atomic_load(&rushed))
		return;
	while (now < until && !atomic_load(&rushed)) {
		sleep_until(until < now + SLEEP_NS ? until : now + SLEEP_NS);
		now = read_clock(CLOCK_MONOTONIC);
	}
	mine.wall = now;
	mine.all = read_clock(CLOCK_PROCESS_CPUTIME_ID);
	pthread_mutex_lock(&lock);
	add_up(now);
	mine.sum = sum;
	pthread_mutex_unlock(&lock);
}

/**
 * pace_step() - let others compute, if the user has had more than they
 *
 * Costs little where nothing long is done. As long as the kernel does not take
 * the processor from the thread there is enough for all. Between pace_hold() and
 * pace_release() it notes what the user owes, and does not sleep.
 *
 * Context: Any thread, with no lock that others wait for. May sleep.
 */
void pace_step(void)
{
	uint64_t now;

	if (!mine.user)
		return;
	now = read_clock(CLOCK_MONOTONIC);
	if (now - mine.wall >= STEP_NS)
		count(now);
	if (!mine.held)
		settle(now);
}

/**
 * pace_hold() - have a lock, or a transaction, with which nobody is to sleep
 *
 * Context: Any thread; before it takes the lock.
 */
void pace_hold(void)
{
	mine.held++;
}

/**
 * pace_release() - undo a pace_hold()
 *
 * It does not sleep, for others may still hold: pace_step() does, when they are
 * gone.
 *
 * Context: The same thread; behind the lock.
 */
void pace_release(void)
{
	mine.held--;
}

/**
 * pace_rush() - let nobody sleep
 * @rush: From now on; false = sleep again.
 *
 * Context: Any thread. Those that sleep go on within a tenth of a second.
 */
void pace_rush(bool rush)
{
	atomic_store(&rushed, rush);
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
	user = find((uint32_t)uid);
	if (user)
		user->helped += ns;
	pthread_mutex_unlock(&lock);
}
