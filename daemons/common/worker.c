// SPDX-License-Identifier: GPL-2.0-only
/* Workers: threads that take calls, run and answer them, and free sessions. */
#include <errno.h>
#include <stdlib.h>

#include "call.h"
#include "daemon.h"
#include "session.h"
#include "worker.h"

static void run_call(struct worker *w, struct call *c)
{
	struct daemon *d = w->daemon;
	struct session *session = c->session;
	int status = d->kind->run(c, &w->stage);

	/* A call that is parked may be answered, and freed, by now. */
	pthread_mutex_lock(&d->lock);
	call_ran(session);
	pthread_mutex_unlock(&d->lock);
	if (status != CALL_PARKED)
		d->kind->answer(c, status, &w->stage);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct daemon *d = w->daemon;
	struct session *session;
	struct call *c;

	pthread_mutex_lock(&d->lock);
	for (;;) {
		session = TAILQ_FIRST(&d->reap);
		if (session) {
			TAILQ_REMOVE(&d->reap, session, reap);
			pthread_mutex_unlock(&d->lock);
			session_free(session);
			pthread_mutex_lock(&d->lock);
			continue;
		}
		c = call_next(d);
		if (c) {
			pthread_mutex_unlock(&d->lock);
			run_call(w, c);
			pthread_mutex_lock(&d->lock);
			continue;
		}
		if (d->stop)
			break;
		pthread_cond_wait(&d->work, &d->lock);
	}
	pthread_mutex_unlock(&d->lock);
	return NULL;
}

/**
 * workers_start() - start the threads that run calls
 * @d: Daemon.
 * @n: How many, 1 to WORKERS_MAX.
 *
 * Context: Main thread.
 * Return: 0 or a negative errno; workers_stop() ends those that were started.
 */
int workers_start(struct daemon *d, uint32_t n)
{
	uint32_t i;
	int ret;

	d->workers = calloc(n, sizeof(*d->workers));
	if (!d->workers)
		return -ENOMEM;
	for (i = 0; i < n; i++) {
		struct worker *w = &d->workers[i];

		w->daemon = d;
		ret = stage_init(&w->stage, d->kind->stage_len);
		if (ret)
			return ret;
		ret = -pthread_create(&w->thread, NULL, work, w);
		if (ret) {
			stage_fini(&w->stage);
			return ret;
		}
		pthread_mutex_lock(&d->lock);
		d->nworkers++;
		pthread_mutex_unlock(&d->lock);
	}
	return 0;
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

	pthread_mutex_lock(&d->lock);
	d->stop = true;
	pthread_cond_broadcast(&d->work);
	pthread_mutex_unlock(&d->lock);
	for (i = 0; i < d->nworkers; i++) {
		pthread_join(d->workers[i].thread, NULL);
		stage_fini(&d->workers[i].stage);
	}
	pthread_mutex_lock(&d->lock);
	d->nworkers = 0;
	pthread_mutex_unlock(&d->lock);
	free(d->workers);
	d->workers = NULL;
}
