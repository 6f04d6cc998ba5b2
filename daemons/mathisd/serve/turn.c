// SPDX-License-Identifier: GPL-2.0-only
/* Turns: of users, and of the clients of each. */
#include <errno.h>

#include "serve_impl.h"

/* A turn; one call may exceed it. */
#define TURN_NS 200000

/**
 * mathisd_ready() - let a client have a turn
 * @client: Session with a ring.
 *
 * Context: Main thread.
 */
void mathisd_ready(struct client *client)
{
	struct mathisd_user *user = user_of(client);
	struct server *s = server_of(client);

	if (client->ready || !client->ring)
		return;
	client->ready = true;
	if (TAILQ_EMPTY(&user->ready))
		TAILQ_INSERT_TAIL(&s->turns, user, at.turn);
	TAILQ_INSERT_TAIL(&user->ready, client, at.turn);
	phi_source_kick(s->turn);
}

static void unready(struct client *client)
{
	struct mathisd_user *user = user_of(client);

	if (!client->ready)
		return;
	client->ready = false;
	TAILQ_REMOVE(&user->ready, client, at.turn);
	if (TAILQ_EMPTY(&user->ready))
		TAILQ_REMOVE(&server_of(client)->turns, user, at.turn);
}

/**
 * mathisd_news() - a call of a client has ended, or an upcall waits
 * @client: Session that is not over.
 *
 * Context: Any thread, under the core's lock.
 */
void mathisd_news(struct client *client)
{
	struct server *s = server_of(client);
	bool first;

	pthread_mutex_lock(&s->news_lock);
	first = !client->has_news;
	if (first) {
		client->has_news = true;
		TAILQ_INSERT_TAIL(&s->news, client, at.news);
	}
	pthread_mutex_unlock(&s->news_lock);
	if (first)
		phi_source_wake(s->turn);
}

/**
 * mathisd_forget() - take a client out of all lists
 * @client: Session that is over: no news follows.
 *
 * Context: Main thread.
 */
void mathisd_forget(struct client *client)
{
	struct server *s = server_of(client);

	unready(client);
	pthread_mutex_lock(&s->news_lock);
	if (client->has_news)
		TAILQ_REMOVE(&s->news, client, at.news);
	client->has_news = false;
	pthread_mutex_unlock(&s->news_lock);
}

/* Clients with news are ready. */
static void take_news(struct server *s)
{
	struct client *client;

	pthread_mutex_lock(&s->news_lock);
	while ((client = TAILQ_FIRST(&s->news))) {
		TAILQ_REMOVE(&s->news, client, at.news);
		client->has_news = false;
		mathisd_ready(client);
	}
	pthread_mutex_unlock(&s->news_lock);
}

/* Why a session has to end, for the log; NULL: its client is dead. */
static const char *fault(int err)
{
	return err == -ESRCH || err == -EKEYREVOKED ? NULL :
	       err == -ENOMEM			    ? "no memory" :
						      "it broke its ring";
}

/**
 * mathisd_turn() - give the next user's next client its turn
 * @arg: Server.
 *
 * Context: Main thread.
 * Return: 1 when others wait, else 0.
 */
int mathisd_turn(void *arg)
{
	struct server *s = arg;
	struct mathisd_user *user;
	struct client *client;
	bool more = false;
	int ret;

	take_news(s);
	user = TAILQ_FIRST(&s->turns);
	if (!user)
		return 0;
	client = TAILQ_FIRST(&user->ready);
	unready(client);
	if (!TAILQ_EMPTY(&user->ready)) {
		TAILQ_REMOVE(&s->turns, user, at.turn);
		TAILQ_INSERT_TAIL(&s->turns, user, at.turn);
	}
	ret = mathisd_pump(client, clock_ns() + TURN_NS, &more);
	if (ret)
		session_close(&client->base, fault(ret));
	else if (more)
		mathisd_ready(client);
	return !TAILQ_EMPTY(&s->turns);
}
