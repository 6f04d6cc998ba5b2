// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of a session.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "core.h"
#include "session.h"
#include "upcall.h"

struct md_own {
	struct md_own *next;
	const struct md_own_kind *kind;
	char state[] __attribute__((aligned(16)));
};

static struct md_owner *owner_new(void)
{
	struct md_owner *owner = calloc(1, sizeof(*owner));

	if (!owner)
		return NULL;
	atomic_init(&owner->refs, 1);
	TAILQ_INIT(&owner->sessions);
	return owner;
}

static void owner_put(struct md_owner *owner)
{
	if (owner && atomic_fetch_sub(&owner->refs, 1) == 1)
		free(owner);
}

void md_session_share(struct md_session *s, struct md_owner *owner)
{
	atomic_fetch_add(&owner->refs, 1);
	owner_put(s->owner);
	s->owner = owner;
}

struct md_session *md_session_new(struct md_core *core)
{
	struct md_session *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->base = getcwd(NULL, 0);
	s->inbox = md_inbox_new(core);
	s->owner = owner_new();
	s->slots = calloc(MD_CALL_SLOTS, sizeof(*s->slots));
	s->n_slots = MD_CALL_SLOTS;
	if (!s->base || !s->inbox || !s->slots || !s->owner ||
	    getrandom(&s->seed, sizeof(s->seed), 0) != sizeof(s->seed)) {
		if (s->inbox)
			md_inbox_put(s->inbox);
		owner_put(s->owner);
		free(s->slots);
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

/* The first state: others are added in front of it, and it stays. */
static struct md_own *first_own(struct md_session *s)
{
	struct md_own *own;

	pthread_mutex_lock(&s->lock);
	own = s->owns;
	pthread_mutex_unlock(&s->lock);
	return own;
}

void md_session_task_ended(struct md_session *s, uint64_t task)
{
	for (struct md_own *own = first_own(s); own; own = own->next) {
		if (own->kind->task_ended)
			own->kind->task_ended(own->state, task);
	}
}

void md_session_task_moved(struct md_session *s, uint64_t from, uint64_t to)
{
	for (struct md_own *own = first_own(s); own; own = own->next) {
		if (own->kind->task_moved)
			own->kind->task_moved(own->state, from, to);
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

/* A client that does not know the seed cannot fill one slot. */
static struct md_call_slot *find_slot(struct md_session *s, uint64_t ticket)
{
	uint64_t mixed = (ticket ^ s->seed) * 0xff51afd7ed558ccdU;

	mixed = (mixed ^ mixed >> 32) * 0xc4ceb9fe1a85ec53U;
	return &s->slots[(mixed ^ mixed >> 32) % s->n_slots];
}

/* Twice the slots. Without memory there are only fewer. */
static void grow(struct md_session *s)
{
	struct md_call_slot *more = calloc(s->n_slots * 2, sizeof(*more));
	struct md_call *c;

	if (!more)
		return;
	free(s->slots);
	s->slots = more;
	s->n_slots *= 2;
	TAILQ_FOREACH(c, &s->calls, link)
	LIST_INSERT_HEAD(find_slot(s, c->ticket), c, same);
}

void md_session_list(struct md_session *s, struct md_call *c)
{
	if (s->n_listed >= s->n_slots)
		grow(s);
	TAILQ_INSERT_TAIL(&s->calls, c, link);
	LIST_INSERT_HEAD(find_slot(s, c->ticket), c, same);
	s->n_listed++;
}

void md_session_unlist(struct md_session *s, struct md_call *c)
{
	TAILQ_REMOVE(&s->calls, c, link);
	LIST_REMOVE(c, same);
	s->n_listed--;
}

/* A call under way, with a reference, or NULL: any, or that with a ticket. */
static struct md_call *find_call(struct md_session *s, const uint64_t *ticket)
{
	struct md_call *c;

	pthread_mutex_lock(&s->core->lock);
	c = ticket ? LIST_FIRST(find_slot(s, *ticket)) : TAILQ_FIRST(&s->calls);
	while (c && ticket && c->ticket != *ticket)
		c = LIST_NEXT(c, same);
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

bool md_session_busy(struct md_session *s)
{
	bool busy;

	pthread_mutex_lock(&s->core->lock);
	busy = s->n_listed || s->running;
	pthread_mutex_unlock(&s->core->lock);
	return busy;
}

void md_session_stop(struct md_session *s)
{
	struct md_call *c;

	while ((c = find_call(s, NULL))) {
		md_call_stop(c, MATHIS_CANCELLED);
		md_call_put(c);
	}
}

void md_session_renew_inbox(struct md_session *s)
{
	struct md_inbox *old = s->inbox;
	struct md_inbox *inbox = md_inbox_new(s->core);

	if (!inbox)
		return;
	pthread_mutex_lock(&s->core->lock);
	s->inbox = inbox;
	pthread_mutex_unlock(&s->core->lock);
	md_inbox_put(old);
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
	md_session_stop(s);
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
	owner_put(s->owner);
	md_rights_fini(&s->rights);
	pthread_mutex_destroy(&s->lock);
	free(s->slots);
	free(s->base);
	free(s);
}
