/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MATHISD_SERVE_IMPL_H
#define MATHISD_SERVE_IMPL_H

#include <mathis/pipe.h>
#include <mathis/wire.h>
#include <phi/phi.h>
#include <phi/ring.h>
#include <phi/service.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>

#include "call.h"
#include "calls/calls.h"
#include "clock.h"
#include "core/upcall.h"
#include "daemon.h"
#include "log.h"
#include "manifest.h"
#include "options.h"
#include "session.h"
#include "user.h"

/**
 * DOC: The server
 *
 * The main thread has all rings. A client whose bell rang, or a call of which
 * has ended, is ready; users with clients that are ready take turns (turn.c),
 * and so do the clients of each. In its turn a client is sent what it waits
 * for, then some of its messages are served (pump.c): calls in batches, after
 * one check of all of them. Calls that take long run in threads of the core.
 *
 * server.news_lock guards the list of clients with news from these threads; it
 * is taken last.
 */

/* Calls that are checked at once. */
#define BATCH_MAX PHI_CHECKS_MAX

/* How often figures are written. */
#define METRICS_NS 10000000000ULL

/* Badge of the capability that the published token is of. */
#define BADGE_OPEN 1
#define TOKEN_NAME "mathisd"

TAILQ_HEAD(client_list, client);

/**
 * struct run - an upcall that the client was told to run
 * @number: Its name for the client.
 * @upcall: Holds a reference.
 */
struct run {
	TAILQ_ENTRY(run) link; /* of client.runs */
	uint64_t number;
	struct md_upcall *upcall;
};

TAILQ_HEAD(run_list, run);

/**
 * struct client_place - where a client is listed
 * @turn: In user.ready, while client.ready.
 * @news: In server.news, while client.has_news, under news_lock.
 */
struct client_place {
	TAILQ_ENTRY(client) turn;
	TAILQ_ENTRY(client) news;
};

/**
 * struct client - a session
 * @base: As of every daemon.
 * @md: Its rights, handles and calls.
 * @at: Lists.
 * @ready: Its turn comes.
 * @has_news: A call of it has ended, or an upcall waits.
 * @check: SESSION of the client's process; 0: without a module no call is checked.
 * @pipe: Messages over @ring.
 * @held: Bytes of @ring and @pipe that its owner was charged with.
 * @ring_cap: Memory of @ring.
 * @ring_bell: The NOTIFY that the client signals.
 * @ring_peer: The NOTIFY that it waits for.
 * @ring_fd: @ring_bell adds to it.
 * @ring_source: Serves it.
 * @done: Calls that have ended, not by @md, and were not told.
 * @runs: Upcalls that it runs.
 * @nruns: Their count.
 * @number: Source of their numbers.
 * @drops: Slots of functions that it may forget.
 */
struct client {
	struct session base;
	struct md_session *md;
	struct client_place at;
	bool ready;
	bool has_news;
	uint64_t check;
	struct mathis_pipe pipe;
	uint64_t held;
	struct phi_ring *ring;
	void *ring_mem;
	size_t ring_len;
	uint64_t ring_cap;
	uint64_t ring_bell;
	uint64_t ring_peer;
	int ring_fd;
	struct phi_source *ring_source;
	struct md_call_list done;
	struct run_list runs;
	uint32_t nruns;
	uint64_t number;
	struct mathis_buf drops;
};

/**
 * struct user_place - where a user is listed
 * @turn: In server.turns, while some of its clients are ready.
 */
struct user_place {
	TAILQ_ENTRY(mathisd_user) turn;
};

/**
 * struct mathisd_user - a user
 * @base: As of every daemon.
 * @at: Lists.
 * @ready: These clients.
 * @clients: Its sessions that have not ended.
 * @owner: Of these, which hold it; NULL: there are none.
 */
struct mathisd_user {
	struct user base;
	struct user_place at;
	struct client_list ready;
	unsigned int clients;
	struct md_owner *owner;
};

TAILQ_HEAD(mathisd_users, mathisd_user);

/**
 * struct batch - calls that are checked together
 * @calls: The calls.
 * @n: Their count.
 */
struct batch {
	struct md_call *calls[BATCH_MAX];
	unsigned int n;
};

/**
 * struct stats - figures since the server began
 * @sessions: Sessions that began.
 * @calls: Calls that ended.
 * @denied: Of these, those without the right for it, or that a policy refused.
 * @limited: Refused because of a limit.
 * @stopped: Cancelled or too late.
 * @failed: Failed for another reason.
 * @upcalls: Functions that clients were told to run.
 * @checks: Batches of calls that the kernel was asked about.
 */
struct stats {
	uint64_t sessions;
	uint64_t calls;
	uint64_t denied;
	uint64_t limited;
	uint64_t stopped;
	uint64_t failed;
	uint64_t upcalls;
	uint64_t checks;
};

/**
 * struct server_options - the command line
 * @common: Options that all daemons have.
 * @manifests: Folder of manifests.
 * @metrics: File for figures, or NULL.
 */
struct server_options {
	struct daemon_options common;
	const char *manifests;
	const char *metrics;
};

/**
 * struct server - the daemon
 * @daemon: As every daemon.
 * @core: Serves calls.
 * @manifests: Rights of users.
 * @published: The capability that tokens are of.
 * @turn: Job of the loop that gives turns.
 * @turns: Users whose turn comes.
 * @batch: Of the client whose turn it is.
 * @stats: Figures.
 * @metrics: Timer that writes them.
 * @metrics_error: Its last error, or 0.
 * @news_lock: Guards @news.
 * @news: Clients of which calls have ended.
 */
struct server {
	struct daemon daemon;
	struct server_options options;
	struct md_core *core;
	struct manifests manifests;
	uint64_t published;
	struct phi_source *turn;
	struct mathisd_users turns;
	struct batch batch;
	struct stats stats;
	struct phi_source *metrics;
	int metrics_error;
	pthread_mutex_t news_lock; /* taken last */
	struct client_list news;
};

static inline struct server *server_of(const struct client *client)
{
	return (struct server *)client->base.daemon;
}

static inline struct mathisd_user *user_of(const struct client *client)
{
	return (struct mathisd_user *)client->base.user;
}

/* server.c */
int mathisd_init(struct server *s);
void mathisd_fini(struct server *s);

/* confine.c */
int mathisd_confine(struct daemon *d);

/* dispatch.c */
extern const struct daemon_kind mathisd_kind;

/* options.c */
int mathisd_options_read(int argc, char **argv, struct server_options *o);

/* client.c */
int mathisd_client_init(struct client *client);
void mathisd_client_ended(struct client *client);

/* channel.c */
int mathisd_channel_open(struct client *client,
			 const struct mathis_wire_open *wire,
			 const struct phi_msg_in *in);
int mathisd_channel_serve(struct client *client, uint32_t bytes);
void mathisd_channel_charge(struct client *client);
void mathisd_channel_revoke(struct client *client);
void mathisd_channel_close(struct client *client);

/* turn.c */
int mathisd_turn(void *arg);
void mathisd_ready(struct client *client);
void mathisd_news(struct client *client);
void mathisd_forget(struct client *client);

/* pump.c */
int mathisd_pump(struct client *client, uint64_t until, bool *more);
void mathisd_drop_funcs(struct client *client, struct mathis_item *item);

/* message.c */
int mathisd_message(struct client *client, const struct mathis_wire *head,
		    const void *data);
int mathisd_run_batch(struct client *client);

/* check.c */
int mathisd_check(struct client *client, struct batch *batch);

/* metrics.c */
void mathisd_count(struct server *s, const struct md_call *c);
int mathisd_metrics_write(const struct server *s, const char *path);
int mathisd_metrics(void *arg);

/* upcall.c */
int mathisd_upcall_send(struct client *client, bool *sent);
int mathisd_upcall_answer(struct client *client, const struct mathis_wire *head,
			  const void *data);
void mathisd_upcalls_end(struct client *client);

#endif /* MATHISD_SERVE_IMPL_H */
