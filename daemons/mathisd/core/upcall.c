// SPDX-License-Identifier: GPL-2.0-only
/*
 * Functions of programs, and their runs.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "core.h"
#include "session.h"
#include "upcall.h"

struct md_inbox *md_inbox_new(struct md_core *core)
{
	struct md_inbox *inbox = calloc(1, sizeof(*inbox));

	if (!inbox)
		return NULL;
	atomic_init(&inbox->refs, 1);
	inbox->core = core;
	TAILQ_INIT(&inbox->upcalls);
	SLIST_INIT(&inbox->drops);
	return inbox;
}

void md_inbox_put(struct md_inbox *inbox)
{
	if (atomic_fetch_sub(&inbox->refs, 1) == 1)
		free(inbox);
}

/* With the lock. */
static void wake(struct md_inbox *inbox)
{
	if (inbox->wake)
		inbox->wake(inbox);
}

struct md_func *md_func_take(struct md_call *c, struct mathis_item *item)
{
	struct md_core *core = c->session->core;
	struct md_inbox *inbox;
	struct md_func *f = calloc(1, sizeof(*f));
	int64_t slot;

	if (!f) {
		md_fail(c, MATHIS_OUT_OF_MEMORY, "no memory");
		return NULL;
	}
	/* The core may have stopped the call, and the program dropped it. */
	pthread_mutex_lock(&core->lock);
	inbox = c->session->inbox;
	slot = inbox->dead ? -1 : item->i;
	item->i = -1;
	if (slot >= 0)
		atomic_fetch_add(&inbox->refs, 1);
	pthread_mutex_unlock(&core->lock);
	if (slot < 0) {
		free(f);
		md_fail(c, MATHIS_CANCELLED, "the function is gone");
		return NULL;
	}
	atomic_init(&f->refs, 1);
	f->inbox = inbox;
	f->slot = (uint32_t)slot;
	f->arity = item->aux;
	return f;
}

struct md_func *md_func_get(struct md_func *func)
{
	atomic_fetch_add(&func->refs, 1);
	return func;
}

void md_func_put(struct md_func *func)
{
	struct md_inbox *inbox;
	bool dead;

	if (!func || atomic_fetch_sub(&func->refs, 1) != 1)
		return;
	inbox = func->inbox;
	pthread_mutex_lock(&inbox->core->lock);
	dead = inbox->dead;
	if (!dead) {
		SLIST_INSERT_HEAD(&inbox->drops, func, link);
		wake(inbox);
	}
	pthread_mutex_unlock(&inbox->core->lock);
	if (dead) {
		free(func);
		md_inbox_put(inbox);
	}
}

bool md_inbox_drop(struct md_inbox *inbox, uint32_t *slot)
{
	struct md_func *func;

	pthread_mutex_lock(&inbox->core->lock);
	func = SLIST_FIRST(&inbox->drops);
	if (func)
		SLIST_REMOVE_HEAD(&inbox->drops, link);
	pthread_mutex_unlock(&inbox->core->lock);
	if (!func)
		return false;
	*slot = func->slot;
	free(func);
	md_inbox_put(inbox);
	return true;
}

struct md_upcall *md_upcall_new(struct md_func *func)
{
	struct md_upcall *u = malloc(sizeof(*u));

	if (!u)
		return NULL;
	memset(u, 0, offsetof(struct md_upcall, pool));
	mathis_pool_init(&u->pool, MD_UPCALL_BYTES);
	atomic_init(&u->refs, 1);
	u->func = md_func_get(func);
	return u;
}

void md_upcall_put(struct md_upcall *u)
{
	if (atomic_fetch_sub(&u->refs, 1) != 1)
		return;
	md_func_put(u->func);
	mathis_pool_fini(&u->pool);
	free(u);
}

bool md_upcall_claim(struct md_upcall *u)
{
	struct md_inbox *inbox = u->func->inbox;
	struct md_core *core = inbox->core;
	bool claimed, armed;

	pthread_mutex_lock(&core->lock);
	claimed = u->state != MD_UPCALL_ENDED;
	armed = claimed && u->armed;
	if (claimed) {
		if (u->state == MD_UPCALL_WAITS)
			TAILQ_REMOVE(&inbox->upcalls, u, link);
		u->state = MD_UPCALL_ENDED;
		u->armed = false;
		inbox->n--;
	}
	pthread_mutex_unlock(&core->lock);
	if (armed && md_timer_remove(core, &u->timer))
		md_upcall_put(u);
	return claimed;
}

void md_upcall_done(struct md_upcall *u, int code)
{
	u->code = code;
	if (code == MATHIS_OK && u->pool.bad)
		u->code = MATHIS_OUT_OF_MEMORY;
	u->done(u);
	md_upcall_put(u);
}

static void fire(struct md_timer *timer)
{
	struct md_upcall *u =
		(struct md_upcall *)((char *)timer -
				     offsetof(struct md_upcall, timer));

	if (md_upcall_claim(u))
		md_upcall_done(u, MATHIS_TIMEOUT);
	md_upcall_put(u);
}

int md_upcall_start(struct md_upcall *u, uint64_t ms)
{
	struct md_inbox *inbox = u->func->inbox;
	struct md_core *core = inbox->core;
	int ret = 0;

	if (u->pool.bad)
		return -ENOMEM;
	pthread_mutex_lock(&core->lock);
	if (inbox->dead)
		ret = -EPIPE;
	else if (inbox->n >= MD_UPCALLS_MAX)
		ret = -EBUSY;
	u->timer.fire = fire;
	if (!ret && ms)
		ret = md_timer_arm(core, &u->timer, md_now() + ms * 1000000);
	if (!ret) {
		u->armed = ms;
		/* One for the timer, one for the end. */
		atomic_fetch_add(&u->refs, ms ? 2 : 1);
		inbox->n++;
		TAILQ_INSERT_TAIL(&inbox->upcalls, u, link);
		wake(inbox);
	}
	pthread_mutex_unlock(&core->lock);
	return ret;
}

struct md_upcall *md_inbox_next(struct md_inbox *inbox)
{
	struct md_upcall *u;

	pthread_mutex_lock(&inbox->core->lock);
	u = TAILQ_FIRST(&inbox->upcalls);
	if (u) {
		TAILQ_REMOVE(&inbox->upcalls, u, link);
		u->state = MD_UPCALL_RUNS;
		atomic_fetch_add(&u->refs, 1);
	}
	pthread_mutex_unlock(&inbox->core->lock);
	return u;
}

void md_inbox_end(struct md_inbox *inbox)
{
	struct md_upcall *u;
	uint32_t slot;

	pthread_mutex_lock(&inbox->core->lock);
	inbox->dead = true;
	inbox->wake = NULL;
	pthread_mutex_unlock(&inbox->core->lock);
	while ((u = md_inbox_next(inbox))) {
		if (md_upcall_claim(u))
			md_upcall_done(u, MATHIS_HANDLER);
		md_upcall_put(u);
	}
	while (md_inbox_drop(inbox, &slot))
		;
}
