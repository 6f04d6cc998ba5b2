// SPDX-License-Identifier: GPL-2.0-only
/*
 * Workers: each takes the first call of the next session of the owner whose turn
 * it is. The sessions of one owner have at most half of the workers.
 */
#include <errno.h>

#include "core.h"
#include "session.h"
#include "worker.h"

#define SHARE (MD_WORKERS_MAX / 2)

/* The call whose turn it is, or NULL. With the lock. */
static struct md_call *next_call(struct md_core *core)
{
	struct md_owner *owner;
	struct md_session *s;
	struct md_call *c;

	TAILQ_FOREACH(owner, &core->turns, turn)
	{
		if (owner->running < SHARE)
			break;
	}
	if (!owner)
		return NULL;
	s = TAILQ_FIRST(&owner->sessions);
	c = TAILQ_FIRST(&s->queue);
	md_worker_unqueue(core, c);
	if (s->has_turn) {
		TAILQ_REMOVE(&owner->sessions, s, turn);
		TAILQ_INSERT_TAIL(&owner->sessions, s, turn);
	}
	if (owner->has_turn) {
		TAILQ_REMOVE(&core->turns, owner, turn);
		TAILQ_INSERT_TAIL(&core->turns, owner, turn);
	}
	owner->running++;
	s->running++;
	return c;
}

static void run_call(struct md_core *core, struct md_call *c)
{
	struct md_session *s = c->session;
	enum md_status status;

	c->state = MD_RUNS;
	atomic_fetch_add(&c->refs, 1);
	pthread_mutex_unlock(&core->lock);
	/* Results that wait to be taken are many: it makes no more of them. */
	if (atomic_load(&s->n_bytes) > MD_SESSION_BYTES)
		status = md_fail(c, MATHIS_LIMIT, MD_SESSION_FULL,
				 MD_SESSION_BYTES >> 20);
	else
		status = c->row->function(c);
	/* Before its end is known, so that a session without calls has none. */
	pthread_mutex_lock(&core->lock);
	s->running--;
	s->owner->running--;
	/* It may have been what kept the next call of the owner waiting. */
	if (s->owner->has_turn)
		pthread_cond_signal(&core->work);
	pthread_mutex_unlock(&core->lock);
	if (status != MD_LATER)
		md_finish(c, status);
	md_call_put(c);
	pthread_mutex_lock(&core->lock);
}

static void *work(void *arg)
{
	struct md_core *core = arg;

	pthread_mutex_lock(&core->lock);
	while (!core->stop) {
		struct md_call *c = next_call(core);

		if (c) {
			run_call(core, c);
			continue;
		}
		core->idle++;
		pthread_cond_wait(&core->work, &core->lock);
		core->idle--;
	}
	pthread_mutex_unlock(&core->lock);
	return NULL;
}

int md_worker_queue(struct md_core *core, struct md_call *c)
{
	struct md_session *s = c->session;
	struct md_owner *owner = s->owner;

	/* A worker that is called counts as idle until it takes a call. */
	if (core->queued >= core->idle && core->n_workers < MD_WORKERS_MAX) {
		pthread_t *thread = &core->workers[core->n_workers];

		if (!pthread_create(thread, NULL, work, core))
			core->n_workers++;
	}
	if (!core->n_workers)
		return -EAGAIN;
	c->state = MD_QUEUED;
	TAILQ_INSERT_TAIL(&s->queue, c, wait);
	core->queued++;
	if (!s->has_turn) {
		s->has_turn = true;
		TAILQ_INSERT_TAIL(&owner->sessions, s, turn);
	}
	if (!owner->has_turn) {
		owner->has_turn = true;
		TAILQ_INSERT_TAIL(&core->turns, owner, turn);
	}
	pthread_cond_signal(&core->work);
	return 0;
}

void md_worker_unqueue(struct md_core *core, struct md_call *c)
{
	struct md_session *s = c->session;
	struct md_owner *owner = s->owner;

	TAILQ_REMOVE(&s->queue, c, wait);
	core->queued--;
	if (!TAILQ_EMPTY(&s->queue))
		return;
	TAILQ_REMOVE(&owner->sessions, s, turn);
	s->has_turn = false;
	if (TAILQ_EMPTY(&owner->sessions)) {
		TAILQ_REMOVE(&core->turns, owner, turn);
		owner->has_turn = false;
	}
}

void md_workers_stop(struct md_core *core)
{
	pthread_mutex_lock(&core->lock);
	core->stop = true;
	pthread_cond_broadcast(&core->work);
	pthread_mutex_unlock(&core->lock);
	for (unsigned int i = 0; i < core->n_workers; i++)
		pthread_join(core->workers[i], NULL);
}
