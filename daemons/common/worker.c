// SPDX-License-Identifier: GPL-2.0-only
/* Workers: threads that take calls, run and answer them, and free sessions. */
#include <errno.h>
#include <stdlib.h>

#include "base/pace.h"
#include "call.h"
#include "clock.h"
#include "daemon.h"
#include "log.h"
#include "session.h"
#include "worker.h"

static void run_call(struct worker *w, struct call *c)
{
	struct daemon *d = w->daemon;
	struct session *session = c->session;
	uint64_t since = clock_ns();
	int status;

	pace_enter(session->user->uid);
	status = d->kind->run(c, &w->stage);
	pace_leave();
	/* A call that is parked may be answered, and freed, by now. */
	pthread_mutex_lock(&d->lock);
	call_ran(session, clock_ns() - since);
	pthread_mutex_unlock(&d->lock);
	if (status != CALL_PARKED)
		d->kind->answer(c, status, &w->stage);
}

/* One piece of work, without the lock. Return: whether there was one. */
static bool work_once(struct worker *w)
{
	struct daemon *d = w->daemon;
	struct session *session = TAILQ_FIRST(&d->reap);
	struct call *c = session ? NULL : call_next(d);

	if (!session && !c)
		return false;
	if (session)
		TAILQ_REMOVE(&d->reap, session, reap);
	d->idle--;
	workers_suffice(d);
	pthread_mutex_unlock(&d->lock);
	if (session)
		session_free(session);
	else
		run_call(w, c);
	pthread_mutex_lock(&d->lock);
	d->idle++;
	return true;
}

/*
 * Wait for work. Calls that may not run may do so when a user is active no more,
 * of which nobody is told. With the lock held.
 */
static void wait_for_work(struct daemon *d)
{
	const struct user *first = TAILQ_FIRST(&d->active);
	struct timespec until;
	uint64_t ns;

	if (!first || TAILQ_EMPTY(&d->turns)) {
		pthread_cond_wait(&d->work, &d->lock);
		return;
	}
	ns = first->seen + USER_ACTIVE_NS + 1;
	until.tv_sec = (time_t)(ns / 1000000000);
	until.tv_nsec = (long)(ns % 1000000000);
	pthread_cond_clockwait(&d->work, &d->lock, CLOCK_MONOTONIC, &until);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct daemon *d = w->daemon;

	pthread_mutex_lock(&d->lock);
	for (;;) {
		if (work_once(w))
			continue;
		if (d->stop || d->nworkers > d->keep)
			break;
		wait_for_work(d);
	}
	d->idle--;
	d->nworkers--;
	pthread_mutex_unlock(&d->lock);
	stage_fini(&w->stage);
	pthread_mutex_lock(&d->lock);
	w->over = true;
	pthread_mutex_unlock(&d->lock);
	return NULL;
}

/* Start a thread where none runs. The lock is held. */
static int start(struct daemon *d, struct worker *w)
{
	int ret;

	if (w->started) {
		/* All that it has still to do is to let go of the lock. */
		pthread_join(w->thread, NULL);
		w->started = false;
	}
	w->daemon = d;
	w->over = false;
	ret = stage_init(&w->stage, d->kind->stage_len);
	if (ret)
		return ret;
	ret = -pthread_create(&w->thread, NULL, work, w);
	if (ret) {
		stage_fini(&w->stage);
		return ret;
	}
	w->started = true;
	d->nworkers++;
	d->idle++;
	return 0;
}

/* Is there a user that waits while none of its calls runs? */
static bool starved(struct daemon *d)
{
	struct user *user;

	TAILQ_FOREACH(user, &d->turns, turn)
	{
		if (!user->running)
			return true;
	}
	return false;
}

/**
 * workers_suffice() - start a worker where a user would wait for others' calls
 * @d: Daemon.
 *
 * Where none can be started the user waits for its turn. Such a worker ends
 * when it has nothing to do.
 *
 * Context: Under the lock.
 */
void workers_suffice(struct daemon *d)
{
	uint32_t i;

	if (!d->workers || d->stop || d->idle || !starved(d))
		return;
	for (i = 0; i < WORKERS_MAX; i++) {
		struct worker *w = &d->workers[i];

		if (w->started && !w->over)
			continue;
		if (start(d, w) && d->verbose)
			say("cannot start a thread for another user");
		return;
	}
}

/**
 * workers_start() - start the threads that run calls
 * @d: Daemon.
 * @n: How many, 1 to WORKERS_MAX. More run while users would have to wait for
 *     the calls of others.
 *
 * Context: Main thread.
 * Return: 0 or a negative errno; workers_stop() ends those that were started.
 */
int workers_start(struct daemon *d, uint32_t n)
{
	int ret = 0;

	pthread_mutex_lock(&d->lock);
	d->workers = calloc(WORKERS_MAX, sizeof(*d->workers));
	if (!d->workers)
		ret = -ENOMEM;
	d->keep = n;
	d->share = n > 1 ? n - 1 : 1;
	while (!ret && d->nworkers < n)
		ret = start(d, &d->workers[d->nworkers]);
	pthread_mutex_unlock(&d->lock);
	return ret;
}

/**
 * workers_stop() - let the workers finish the calls in line, and end
 * @d: Daemon.
 *
 * Context: Main thread.
 */
void workers_stop(struct daemon *d)
{
	uint32_t i;

	pace_rush(true);
	pthread_mutex_lock(&d->lock);
	d->stop = true;
	pthread_cond_broadcast(&d->work);
	pthread_mutex_unlock(&d->lock);
	for (i = 0; d->workers && i < WORKERS_MAX; i++) {
		struct worker *w = &d->workers[i];

		if (w->started)
			pthread_join(w->thread, NULL);
	}
	pace_rush(false);
	free(d->workers);
	d->workers = NULL;
}
