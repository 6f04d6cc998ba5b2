// SPDX-License-Identifier: GPL-2.0-only
/* What begins before, and ends after, all clients. */
#include "serve_impl.h"

/**
 * server_init() - make a daemon that nobody knows yet
 * @s: Zeroed but for its options.
 *
 * Context: Main thread, before there are others.
 */
void server_init(struct server *s)
{
	s->phi = -1;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->work, NULL);
	pthread_cond_init(&s->jobs_done, NULL);
	LIST_INIT(&s->users);
	TAILQ_INIT(&s->turns);
	TAILQ_INIT(&s->reap);
	LIST_INIT(&s->maps);
	TAILQ_INIT(&s->lru);
}

/**
 * server_stop() - answer whoever waits, end jobs, workers and sessions
 * @s: Daemon, to which no message comes any more.
 *
 * Context: Main thread.
 */
void server_stop(struct server *s)
{
	struct session *session;
	uint32_t i;

	pthread_mutex_lock(&s->lock);
	s->stopping = true;
	pthread_mutex_unlock(&s->lock);
	if (s->workers) {
		jobs_wait(s);
		workers_stop(s);
	}
	for (i = 0; i < SERVER_SESSIONS_MAX; i++) {
		if (s->sessions[i])
			session_close(s->sessions[i]);
	}
	while ((session = TAILQ_FIRST(&s->reap))) {
		TAILQ_REMOVE(&s->reap, session, reap);
		session_free(session);
	}
	map_free_all(s);
}
