// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls: from a message to the thread that serves it, and back. Users take
 * turns.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "clock.h"
#include "daemon.h"
#include "log.h"
#include "session.h"
#include "worker.h"

/* Calls that are together shorter than this are turns of the same length. */
#define TURN_NS 50000000ULL

/**
 * call_send() - answer a message
 * @d: Daemon.
 * @reply: REPLY handle; gone afterwards.
 * @msg: The answer.
 *
 * A caller that died or gave up gets nothing.
 *
 * Context: Any thread, without the lock.
 * Return: 0, also when nobody waits any more; or a negative errno.
 */
int call_send(struct daemon *d, uint64_t reply, const struct phi_msg *msg)
{
	int ret = phi_reply(d->phi, reply, msg);

	if (!ret || ret == -EPIPE)
		return 0;
	phi_cap_drop(d->phi, reply);
	/* A client can provoke this as often as it likes. */
	if (d->verbose)
		say("cannot reply: %s", strerror(-ret));
	return ret;
}

/**
 * call_reply() - answer a message with bytes alone
 * @d: Daemon.
 * @reply: REPLY handle; gone afterwards.
 * @data: The answer.
 * @len: Its length.
 *
 * Context: Any thread, without the lock.
 */
void call_reply(struct daemon *d, uint64_t reply, const void *data, size_t len)
{
	struct phi_msg msg = { .data = data, .len = len };

	call_send(d, reply, &msg);
}

/**
 * call_free() - free a call that was answered
 * @c: Call, in no list.
 *
 * Context: Any thread, without the lock.
 */
void call_free(struct call *c)
{
	struct session *session = c->session;
	struct daemon *d = session->daemon;

	if (c->cap)
		phi_cap_drop(d->phi, c->cap);
	if (d->kind->fini)
		d->kind->fini(c);
	pthread_mutex_lock(&d->lock);
	session->calls--;
	pthread_mutex_unlock(&d->lock);
	free(c);
	session_put(session);
}

/* Forget users of whom the last call came long ago. */
static void forget_inactive(struct daemon *d, uint64_t now)
{
	struct user *old;

	while ((old = TAILQ_FIRST(&d->active)) &&
	       old->seen + USER_ACTIVE_NS < now) {
		TAILQ_REMOVE(&d->active, old, active);
		old->seen = 0;
		d->nactive--;
		/* More calls of the others may run. */
		pthread_cond_broadcast(&d->work);
	}
}

/* A call of the user came. */
static void note_active(struct daemon *d, struct user *user)
{
	uint64_t now = clock_ns();

	if (user->seen)
		TAILQ_REMOVE(&d->active, user, active);
	else
		d->nactive++;
	user->seen = now;
	TAILQ_INSERT_TAIL(&d->active, user, active);
	forget_inactive(d, now);
}

/**
 * call_requeue() - put a call in line, also one that was parked
 * @c: Call, in no list.
 *
 * Context: Under the lock.
 */
void call_requeue(struct call *c)
{
	struct daemon *d = c->session->daemon;
	struct user *user = c->session->user;

	note_active(d, user);
	if (TAILQ_EMPTY(&user->waiting)) {
		TAILQ_INSERT_TAIL(&d->turns, user, turn);
		/* Time in which it asked for nothing is not saved up. */
		if (!user->running && user->used < d->used)
			user->used = d->used;
	}
	TAILQ_INSERT_TAIL(&user->waiting, c, link);
	workers_suffice(d);
	pthread_cond_signal(&d->work);
}

/**
 * call_unqueue() - take a call out of its line
 * @c: Call.
 *
 * Context: Under the lock.
 */
void call_unqueue(struct call *c)
{
	struct user *user = c->session->user;

	TAILQ_REMOVE(&user->waiting, c, link);
	if (TAILQ_EMPTY(&user->waiting))
		TAILQ_REMOVE(&c->session->daemon->turns, user, turn);
}

/*
 * So many calls of one user may run. Long ones do not end when others come, so
 * those that came a moment ago count too.
 */
static uint32_t share_of_each(const struct daemon *d)
{
	uint32_t share = d->nactive > 1 ? d->keep / d->nactive : d->share;

	if (!d->keep || share > d->share)
		return d->share;
	return share ? share : 1;
}

/*
 * Whose turn is it? Of those that used the least time, in steps of a turn, the
 * one that waits longest.
 */
static struct user *next_user(struct daemon *d)
{
	struct user *user, *best = NULL;
	uint32_t share;

	if (!TAILQ_EMPTY(&d->turns))
		forget_inactive(d, clock_ns());
	share = share_of_each(d);
	TAILQ_FOREACH(user, &d->turns, turn)
	{
		if (user->running < share &&
		    (!best || user->used / TURN_NS < best->used / TURN_NS))
			best = user;
	}
	return best;
}

/**
 * call_next() - take the next call out of the line, users in turn
 * @d: Daemon.
 *
 * Context: Under the lock. The caller holds the call's session, also when the
 * call itself is freed, and owes a call_ran().
 * Return: The call, or NULL when none may run now.
 */
struct call *call_next(struct daemon *d)
{
	struct user *user = next_user(d);
	struct call *c;

	if (!user)
		return NULL;
	c = TAILQ_FIRST(&user->waiting);
	call_unqueue(c);
	if (!TAILQ_EMPTY(&user->waiting)) {
		TAILQ_REMOVE(&d->turns, user, turn);
		TAILQ_INSERT_TAIL(&d->turns, user, turn);
	}
	user->running++;
	if (d->used < user->used)
		d->used = user->used;
	c->session->refs++;
	return c;
}

/**
 * call_ran() - undo call_next()
 * @session: Session of the call.
 * @ns: Nanoseconds since then.
 *
 * Context: Under the lock, in a worker.
 */
void call_ran(struct session *session, uint64_t ns)
{
	struct daemon *d = session->daemon;
	struct user *user = session->user;

	/* It may have been what kept this user's next call waiting. */
	user->running--;
	user->used += ns;
	if (!TAILQ_EMPTY(&user->waiting))
		pthread_cond_signal(&d->work);
	if (!--session->refs)
		TAILQ_INSERT_TAIL(&d->reap, session, reap);
}

/* Give a message to the workers; its capability goes with it. */
static int queue(struct session *session, const struct op *op,
		 const struct phi_msg_in *in)
{
	struct daemon *d = session->daemon;
	struct call *c = calloc(1, d->kind->call_size);
	bool full;

	if (!c)
		return -ENOMEM;
	c->session = session;
	c->op = op;
	c->reply = in->reply;
	if (op->takes) {
		c->cap = in->caps[0].cap;
		c->type = in->caps[0].type;
		c->rights = in->caps[0].rights;
	}
	pthread_mutex_lock(&d->lock);
	full = session->calls >= d->credits;
	if (!full) {
		session->refs++;
		session->calls++;
		d->kind->begin(c, in);
		call_requeue(c);
	}
	pthread_mutex_unlock(&d->lock);
	if (full)
		free(c);
	return full ? -EAGAIN : 0;
}

/* Serve a message of a session; tells whether its capability was taken. */
static int serve(struct session *session, const struct op *op,
		 const struct phi_msg_in *in, bool *taken)
{
	int ret;

	if (!session)
		return -EPIPE;
	if (!op || op->attach || in->len != op->request ||
	    (op->takes && in->ncaps != 1))
		return -EINVAL;
	ret = session->daemon->kind->check(session, op, in);
	if (ret)
		return ret;
	if (op->writes && session->read_only)
		return -EROFS;
	if (op->now) {
		*taken = op->now(session, in);
		return 0;
	}
	ret = queue(session, op, in);
	*taken = !ret && op->takes;
	return ret;
}

static int attach(struct daemon *d, const struct op *op,
		  const struct phi_msg_in *in, bool *taken)
{
	if (!op || !op->attach || in->len != op->request)
		return -EINVAL;
	return d->kind->attach(d, in, taken);
}

/**
 * dispatch() - serve a message, or find the thread that will
 * @d: Daemon.
 * @in: The message; the capabilities it carries are taken or dropped.
 *
 * The badge, which the kernel vouches for, says who sent it: a session, or
 * anyone through what is published.
 *
 * Context: Main thread.
 */
void dispatch(struct daemon *d, const struct phi_msg_in *in)
{
	const struct daemon_kind *kind = d->kind;
	const struct wire_head *head = (const void *)in->data;
	const struct op *op = NULL;
	bool taken = false;
	uint32_t i;
	int ret = 0;

	if (in->len >= sizeof(*head))
		op = kind->op(head->op);
	/* A sender that waits for no answer gets no work done. */
	if (in->reply && kind->published(d, in))
		ret = attach(d, op, in, &taken);
	else if (in->reply)
		ret = serve(session_find(d, in->badge), op, in, &taken);
	if (ret)
		kind->refuse(d, op, in, ret);
	for (i = 0; !taken && i < in->ncaps; i++)
		phi_cap_drop(d->phi, in->caps[i].cap);
}
