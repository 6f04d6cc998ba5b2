// SPDX-License-Identifier: GPL-2.0-only
/* The state that all daemons have, before the first client and at the end. */
#include <time.h>

#include "daemon.h"

/**
 * daemon_init() - set up a daemon without clients
 * @d: Zeroed.
 * @kind: Its own part.
 *
 * Context: Main thread, before there are others.
 */
void daemon_init(struct daemon *d, const struct daemon_kind *kind)
{
	pthread_condattr_t attr;

	d->kind = kind;
	d->credits = kind->credits;
	d->share = 1;
	d->phi = -1;
	pthread_mutex_init(&d->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&d->work, &attr);
	pthread_cond_init(&d->jobs_done, &attr);
	pthread_condattr_destroy(&attr);
	LIST_INIT(&d->users);
	TAILQ_INIT(&d->turns);
	TAILQ_INIT(&d->active);
	TAILQ_INIT(&d->reap);
}

/**
 * daemon_refuse_new() - refuse new sessions and calls from now on
 * @d: Daemon that ends.
 *
 * Context: Main thread.
 */
void daemon_refuse_new(struct daemon *d)
{
	pthread_mutex_lock(&d->lock);
	d->stopping = true;
	pthread_mutex_unlock(&d->lock);
}

/**
 * daemon_end_sessions() - end all sessions
 * @d: Daemon without workers and jobs.
 *
 * Context: Main thread.
 */
void daemon_end_sessions(struct daemon *d)
{
	uint32_t i;

	for (i = 0; i < DAEMON_SESSIONS_MAX; i++) {
		if (d->sessions[i])
			session_close(d->sessions[i], NULL);
	}
}
