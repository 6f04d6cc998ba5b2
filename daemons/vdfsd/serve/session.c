// SPDX-License-Identifier: GPL-2.0-only
/* Sessions: who may ask, and what goes when they go. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "serve_impl.h"

/* Sessions of one user at most. */
#define USER_SESSIONS 64

/* Under the lock. */
static struct user *user_get(struct server *s, uint32_t uid)
{
	struct user *user;

	LIST_FOREACH(user, &s->users, link)
	{
		if (user->uid == uid)
			break;
	}
	if (!user) {
		user = calloc(1, sizeof(*user));
		if (!user)
			return NULL;
		user->uid = uid;
		TAILQ_INIT(&user->waiting);
		LIST_INSERT_HEAD(&s->users, user, link);
	}
	user->refs++;
	return user;
}

/* Under the lock. */
static void user_put(struct user *user)
{
	if (--user->refs || user->running)
		return;
	LIST_REMOVE(user, link);
	free(user);
}

/**
 * user_done() - a worker has run a call
 * @user: Whose it was; gone when it was the last.
 *
 * Context: Under the lock.
 */
void user_done(struct user *user)
{
	if (--user->running || user->refs)
		return;
	LIST_REMOVE(user, link);
	free(user);
}

/* Give the session a place; under the lock. */
static int session_seat(struct server *s, struct session *session, uint32_t uid)
{
	uint32_t i;

	for (i = 0; i < SERVER_SESSIONS_MAX && s->sessions[i]; i++)
		;
	if (i == SERVER_SESSIONS_MAX)
		return -ENOSPC;
	session->user = user_get(s, uid);
	if (!session->user)
		return -ENOMEM;
	if (session->user->refs > USER_SESSIONS) {
		user_put(session->user);
		return -EDQUOT;
	}
	session->index = i;
	/* The place is in the low bits, so that a badge finds it. */
	session->badge = ++s->next_badge * SERVER_SESSIONS_MAX + i;
	s->sessions[i] = session;
	s->nsessions++;
	return 0;
}

/* The client's own endpoint died, or was taken from us: it is gone. */
static int session_died(void *arg, uint32_t events)
{
	if (events & (POLLHUP | POLLERR))
		session_close(arg);
	return 0;
}

static void session_unseat(struct session *session)
{
	struct server *s = session->server;

	pthread_mutex_lock(&s->lock);
	s->sessions[session->index] = NULL;
	s->nsessions--;
	user_put(session->user);
	pthread_mutex_unlock(&s->lock);
}

/* The capability it is given, and the news of its death. */
static int session_wire(struct session *session)
{
	struct server *s = session->server;
	int ret;

	/* With ADMIN, so that the end of the session takes it back. */
	ret = phi_cap_derive(s->phi, s->endpoint,
			     PHI_RIGHT_SEND | PHI_RIGHT_ADMIN | PHI_RIGHT_GRANT,
			     0, session->badge, &session->cap);
	if (ret)
		return ret;
	ret = phi_service_fd(s->service, session->life_fd, 0, session_died,
			     session, &session->life_source);
	if (ret)
		phi_cap_drop(s->phi, session->cap);
	return ret;
}

/**
 * session_open() - begin a session
 * @s: Daemon.
 * @in: The message that asks for it; its capability becomes the session's.
 * @read_only: Nothing may change.
 * @out: Out.
 *
 * Context: Main thread.
 * Return: 0; -EINVAL without an ENDPOINT of its own; -ENOSPC; -EDQUOT; or
 * another negative errno.
 */
int session_open(struct server *s, const struct phi_msg_in *in, bool read_only,
		 struct session **out)
{
	struct session *session;
	int ret;

	if (in->ncaps != 1 || in->caps[0].type != PHI_TYPE_ENDPOINT ||
	    !(in->caps[0].rights & PHI_RIGHT_SEND))
		return -EINVAL;
	session = calloc(1, sizeof(*session));
	if (!session)
		return -ENOMEM;
	session->server = s;
	session->refs = 1;
	session->pid = in->pid;
	session->read_only = read_only;
	session->who.uid = in->uid;
	session->who.admin = !in->uid || in->uid == s->uid;
	session->life = in->caps[0].cap;
	ret = slots_init(session);
	if (ret)
		goto free_session;
	session->life_fd = phi_endpoint_fd(s->phi, session->life);
	if (session->life_fd < 0) {
		ret = session->life_fd;
		goto free_slots;
	}
	pthread_mutex_lock(&s->lock);
	ret = session_seat(s, session, in->uid);
	pthread_mutex_unlock(&s->lock);
	if (ret)
		goto close_life;
	ret = session_wire(session);
	if (ret)
		goto unseat;
	*out = session;
	return 0;
unseat:
	session_unseat(session);
close_life:
	close(session->life_fd);
free_slots:
	slots_fini(session);
free_session:
	free(session);
	return ret;
}

/**
 * session_find() - whose message is it?
 * @s: Daemon.
 * @badge: Badge of the message.
 *
 * Context: Main thread, which alone begins and ends sessions.
 * Return: The session, or NULL when it ended.
 */
struct session *session_find(struct server *s, uint64_t badge)
{
	struct session *session = s->sessions[badge % SERVER_SESSIONS_MAX];

	return session && session->badge == badge ? session : NULL;
}

/**
 * session_close() - end a session
 * @session: Session.
 *
 * What of it waits is taken out; what runs ends by itself, jobs soon.
 *
 * Context: Main thread.
 */
void session_close(struct session *session)
{
	struct server *s = session->server;
	struct call_list dropped = TAILQ_HEAD_INITIALIZER(dropped);
	struct call *c, *next;
	uint32_t i;

	if (s->options.verbose)
		say("session %llu of pid %u ends",
		    (unsigned long long)session->badge, session->pid);
	pthread_mutex_lock(&s->lock);
	session->dead = true;
	s->sessions[session->index] = NULL;
	s->nsessions--;
	for (c = TAILQ_FIRST(&session->user->waiting); c; c = next) {
		next = TAILQ_NEXT(c, link);
		if (c->session != session)
			continue;
		call_unqueue(c);
		TAILQ_INSERT_TAIL(&dropped, c, link);
	}
	for (i = 0; i < PHI_VDFS_JOBS; i++) {
		if (session->slots[KIND_JOB][i].id)
			job_cancel(session->slots[KIND_JOB][i].ptr);
	}
	pthread_mutex_unlock(&s->lock);
	while ((c = TAILQ_FIRST(&dropped))) {
		TAILQ_REMOVE(&dropped, c, link);
		call_cancel(c, -EPIPE);
	}
	/* At the end of all it dies with the endpoint: EPIPE, not a revoke. */
	if (!s->stopping)
		phi_cap_revoke(s->phi, session->cap);
	phi_cap_drop(s->phi, session->cap);
	phi_source_free(session->life_source);
	close(session->life_fd);
	phi_cap_drop(s->phi, session->life);
	session_put(session);
}

/**
 * session_put() - drop a reference to a session
 * @session: Session; a worker frees it, with all that takes.
 *
 * Context: Any thread, without the lock.
 */
void session_put(struct session *session)
{
	struct server *s = session->server;

	pthread_mutex_lock(&s->lock);
	if (!--session->refs) {
		TAILQ_INSERT_TAIL(&s->reap, session, reap);
		pthread_cond_signal(&s->work);
	}
	pthread_mutex_unlock(&s->lock);
}

/**
 * session_free() - free a session that nobody refers to
 * @session: Out of server.reap.
 *
 * Context: Any thread, without the lock. May wait for the disk.
 */
void session_free(struct session *session)
{
	struct server *s = session->server;

	slots_fini(session);
	region_put(s, session->region);
	pthread_mutex_lock(&s->lock);
	user_put(session->user);
	pthread_mutex_unlock(&s->lock);
	free(session);
}

/**
 * region_put() - drop a reference to a staging region
 * @s: Daemon.
 * @region: Region, or NULL.
 *
 * Context: Any thread, without the lock.
 */
void region_put(struct server *s, struct region *region)
{
	bool last;

	if (!region)
		return;
	pthread_mutex_lock(&s->lock);
	last = !--region->refs;
	pthread_mutex_unlock(&s->lock);
	if (!last)
		return;
	phi_region_unmap(region->addr, region->len);
	phi_cap_drop(s->phi, region->cap);
	free(region);
}
