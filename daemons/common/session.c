// SPDX-License-Identifier: GPL-2.0-only
/* Sessions: the clients of a daemon, and what goes when they go. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "call.h"
#include "daemon.h"
#include "handle.h"
#include "log.h"
#include "session.h"
#include "user.h"

/* Sessions at most when the daemon does not say. */
#define SESSIONS_MAX 1024

/* Give the session a place and a user; under the lock. */
static int session_seat(struct daemon *d, struct session *session)
{
	const struct daemon_kind *kind = d->kind;
	uint32_t i = d->place;

	if (d->nsessions >= (kind->sessions ? kind->sessions : SESSIONS_MAX))
		return -ENOSPC;
	while (d->sessions[i])
		i = (i + 1) % DAEMON_SESSIONS_MAX;
	session->user = user_get(d, session->uid);
	if (!session->user)
		return -ENOMEM;
	if (session->user->sessions >
	    (kind->user_sessions ? kind->user_sessions : USER_SESSIONS_MAX)) {
		user_put(d, session->user);
		return -EDQUOT;
	}
	session->index = i;
	/* The place is in the low bits, so that a badge finds it. */
	session->badge = ++d->next_badge * DAEMON_SESSIONS_MAX + i;
	d->sessions[i] = session;
	d->place = (i + 1) % DAEMON_SESSIONS_MAX;
	d->nsessions++;
	return 0;
}

/* Under the lock. */
static void session_unseat(struct session *session)
{
	struct daemon *d = session->daemon;

	d->sessions[session->index] = NULL;
	d->nsessions--;
}

/* The client's own endpoint died, or was revoked: the client is gone. */
static int session_died(void *arg, uint32_t events)
{
	if (events & (POLLHUP | POLLERR))
		session_close(arg, NULL);
	return 0;
}

/* The capability it is given, and the watch on its life. */
static int session_wire(struct session *session)
{
	struct daemon *d = session->daemon;
	int ret;

	/* With ADMIN, so that the end of the session can revoke it. */
	ret = phi_cap_derive(d->phi, d->endpoint,
			     PHI_RIGHT_SEND | PHI_RIGHT_ADMIN | PHI_RIGHT_GRANT,
			     0, session->badge, &session->cap);
	if (ret)
		return ret;
	ret = phi_service_fd(d->service, session->life_fd, 0, session_died,
			     session, &session->life_source);
	if (ret)
		phi_cap_drop(d->phi, session->cap);
	return ret;
}

/**
 * session_open() - begin a session
 * @d: Daemon.
 * @in: The message that asks for it; its capability becomes the session's.
 * @out: Out.
 *
 * Context: Main thread.
 * Return: 0; -ECANCELED when the daemon stops; -EINVAL without an ENDPOINT of
 * the client's own; -ENOSPC; -EDQUOT; or another negative errno.
 */
int session_open(struct daemon *d, const struct phi_msg_in *in,
		 struct session **out)
{
	struct session *session;
	int ret;

	if (d->stopping)
		return -ECANCELED;
	if (in->ncaps != 1 || in->caps[0].type != PHI_TYPE_ENDPOINT ||
	    !(in->caps[0].rights & PHI_RIGHT_SEND))
		return -EINVAL;
	session = calloc(1, d->kind->session_size);
	if (!session)
		return -ENOMEM;
	session->daemon = d;
	session->refs = 1;
	session->pid = in->pid;
	session->uid = in->uid;
	session->life = in->caps[0].cap;
	ret = handles_init(session);
	if (ret)
		goto free_session;
	session->life_fd = phi_endpoint_fd(d->phi, session->life);
	if (session->life_fd < 0) {
		ret = session->life_fd;
		goto fini_handles;
	}
	pthread_mutex_lock(&d->lock);
	ret = session_seat(d, session);
	pthread_mutex_unlock(&d->lock);
	if (ret)
		goto close_life;
	ret = session_wire(session);
	if (ret)
		goto unseat;
	*out = session;
	return 0;
unseat:
	pthread_mutex_lock(&d->lock);
	session_unseat(session);
	user_put(d, session->user);
	pthread_mutex_unlock(&d->lock);
close_life:
	close(session->life_fd);
fini_handles:
	handles_fini(session);
free_session:
	free(session);
	return ret;
}

/**
 * session_welcome() - answer the message that began a session
 * @session: Session; closed when the client cannot be answered.
 * @reply: REPLY handle of the message.
 * @answer: The answer, which the session's ENDPOINT goes with.
 * @len: Its length.
 * @what: Rest of the line in a verbose log, such as ", read-only".
 *
 * Context: Main thread.
 */
void session_welcome(struct session *session, uint64_t reply,
		     const void *answer, size_t len, const char *what)
{
	struct phi_msg msg = { .data = answer, .len = len, .ncaps = 1 };
	struct daemon *d = session->daemon;
	int ret;

	msg.caps[0].cap = session->cap;
	msg.caps[0].rights = PHI_RIGHT_SEND;
	if (d->verbose)
		say("session %llu: pid %u, uid %u%s",
		    (unsigned long long)session->badge, session->pid,
		    session->uid, what);
	ret = phi_reply(d->phi, reply, &msg);
	if (!ret)
		return;
	session_close(session, NULL);
	if (ret != -EPIPE)
		phi_cap_drop(d->phi, reply);
}

/**
 * session_find() - find the session of a message
 * @d: Daemon.
 * @badge: Badge of the message.
 *
 * Context: Main thread, which alone begins and ends sessions.
 * Return: The session, or NULL when it ended.
 */
struct session *session_find(struct daemon *d, uint64_t badge)
{
	struct session *session = d->sessions[badge % DAEMON_SESSIONS_MAX];

	return session && session->badge == badge ? session : NULL;
}

/* Take the session's calls that wait out of the line; under the lock. */
static void take_waiting(struct session *session, struct call_list *out)
{
	struct call *c, *next;

	for (c = TAILQ_FIRST(&session->user->waiting); c; c = next) {
		next = TAILQ_NEXT(c, link);
		if (c->session != session)
			continue;
		call_unqueue(c);
		TAILQ_INSERT_TAIL(out, c, link);
	}
}

/**
 * session_close() - end a session
 * @session: Session.
 * @fault: The rule that its client broke, for the log; or NULL.
 *
 * Its calls that wait are answered with EPIPE; calls that run end by
 * themselves, jobs soon.
 *
 * Context: Main thread.
 */
void session_close(struct session *session, const char *fault)
{
	struct call_list dropped = TAILQ_HEAD_INITIALIZER(dropped);
	struct daemon *d = session->daemon;
	struct call *c;

	if (fault || d->verbose)
		say("session %llu of pid %u ends%s%s",
		    (unsigned long long)session->badge, session->pid,
		    fault ? ": " : "", fault ? fault : "");
	pthread_mutex_lock(&d->lock);
	session->dead = true;
	session_unseat(session);
	take_waiting(session, &dropped);
	handles_cancel(session);
	pthread_mutex_unlock(&d->lock);
	while ((c = TAILQ_FIRST(&dropped))) {
		TAILQ_REMOVE(&dropped, c, link);
		d->kind->answer(c, -EPIPE, NULL);
	}
	/* When the daemon ends it dies with the endpoint: EPIPE, no revoke. */
	if (!d->stopping)
		phi_cap_revoke(d->phi, session->cap);
	phi_cap_drop(d->phi, session->cap);
	phi_source_free(session->life_source);
	close(session->life_fd);
	phi_cap_drop(d->phi, session->life);
	if (d->kind->ended)
		d->kind->ended(session);
	session_put(session);
}

/**
 * session_is_dead() - has a session ended?
 * @session: The caller holds it.
 *
 * Context: Any thread, without the lock.
 * Return: True when nobody gets the answers of its calls any more.
 */
bool session_is_dead(struct session *session)
{
	bool dead;

	pthread_mutex_lock(&session->daemon->lock);
	dead = session->dead;
	pthread_mutex_unlock(&session->daemon->lock);
	return dead;
}

/**
 * session_put() - drop a reference to a session
 * @session: Session; with the last one a worker frees it, or the caller where
 *           there are no workers.
 *
 * Context: Any thread, without the lock.
 */
void session_put(struct session *session)
{
	struct daemon *d = session->daemon;
	bool last, here;

	pthread_mutex_lock(&d->lock);
	last = !--session->refs;
	here = last && !d->nworkers;
	if (last && !here) {
		TAILQ_INSERT_TAIL(&d->reap, session, reap);
		pthread_cond_signal(&d->work);
	}
	pthread_mutex_unlock(&d->lock);
	if (here)
		session_free(session);
}

/**
 * session_free() - free a session without references
 * @session: In no list.
 *
 * Context: Any thread, without the lock. May wait for the disk.
 */
void session_free(struct session *session)
{
	struct daemon *d = session->daemon;

	handles_fini(session);
	if (d->kind->freed)
		d->kind->freed(session);
	pthread_mutex_lock(&d->lock);
	user_put(d, session->user);
	pthread_mutex_unlock(&d->lock);
	free(session);
}
