// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of a session.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "core.h"
#include "session.h"
#include "upcall.h"

struct md_own {
	struct md_own *next;
	const struct md_own_kind *kind;
	char state[] __attribute__((aligned(16)));
};

struct md_session *md_session_new(struct md_core *core)
{
	struct md_session *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->base = getcwd(NULL, 0);
	s->inbox = md_inbox_new(core);
	if (!s->base || !s->inbox) {
		if (s->inbox)
			md_inbox_put(s->inbox);
		free(s->base);
		free(s);
		return NULL;
	}
	s->core = core;
	atomic_init(&s->refs, 1);
	pthread_mutex_init(&s->lock, NULL);
	TAILQ_INIT(&s->calls);
	TAILQ_INIT(&s->queue);
	TAILQ_INIT(&s->ended);
	for (int i = 0; i < 3; i++)
		s->console[i] = -1;
	return s;
}

void *md_session_own(struct md_session *s, const struct md_own_kind *kind)
{
	struct md_own *own;

	pthread_mutex_lock(&s->lock);
	own = s->owns;
	while (own && own->kind != kind)
		own = own->next;
	if (!own) {
		own = calloc(1, sizeof(*own) + kind->size);
		if (own) {
			own->kind = kind;
			if (kind->init)
				kind->init(own->state);
			own->next = s->owns;
			s->owns = own;
		}
	}
	pthread_mutex_unlock(&s->lock);
	return own ? own->state : NULL;
}

void md_session_task_ended(struct md_session *s, uint64_t task)
{
	struct md_own *own;

	/* States are added at the front, and stay. */
	pthread_mutex_lock(&s->lock);
	own = s->owns;
	pthread_mutex_unlock(&s->lock);
	for (; own; own = own->next) {
		if (own->kind->task_ended)
			own->kind->task_ended(own->state, task);
	}
}

struct md_call *md_session_take(struct md_session *s)
{
	struct md_call *c;

	pthread_mutex_lock(&s->core->lock);
	c = TAILQ_FIRST(&s->ended);
	if (c)
		TAILQ_REMOVE(&s->ended, c, wait);
	pthread_mutex_unlock(&s->core->lock);
	return c;
}

/* A call under way, with a reference, or NULL: any, or that with a ticket. */
static struct md_call *find_call(struct md_session *s, const uint64_t *ticket)
{
	struct md_call *c;

	pthread_mutex_lock(&s->core->lock);
	TAILQ_FOREACH(c, &s->calls, link)
	{
		if (!ticket || c->ticket == *ticket)
			break;
	}
	if (c)
		atomic_fetch_add(&c->refs, 1);
	pthread_mutex_unlock(&s->core->lock);
	return c;
}

int md_session_cancel(struct md_session *s, uint64_t ticket)
{
	struct md_call *c = find_call(s, &ticket);

	if (!c)
		return -ENOENT;
	md_call_stop(c, MATHIS_CANCELLED);
	md_call_put(c);
	return 0;
}

void md_session_end(struct md_session *s)
{
	struct md_call *c;

	pthread_mutex_lock(&s->core->lock);
	s->wake = NULL;
	pthread_mutex_unlock(&s->core->lock);
	pthread_mutex_lock(&s->lock);
	s->dead = true;
	pthread_mutex_unlock(&s->lock);
	while ((c = find_call(s, NULL))) {
		md_call_stop(c, MATHIS_CANCELLED);
		md_call_put(c);
	}
	md_inbox_end(s->inbox);
	while ((c = md_session_take(s)))
		md_call_put(c);
	md_session_put(s);
}

void md_session_put(struct md_session *s)
{
	struct md_own *own;

	if (atomic_fetch_sub(&s->refs, 1) != 1)
		return;
	md_handles_fini(&s->handles);
	while ((own = s->owns)) {
		s->owns = own->next;
		if (own->kind->fini)
			own->kind->fini(own->state);
		free(own);
	}
	md_inbox_put(s->inbox);
	md_rights_fini(&s->rights);
	pthread_mutex_destroy(&s->lock);
	free(s->base);
	free(s);
}
