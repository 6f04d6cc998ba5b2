/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sessions: a program or a client, with its rights and what it holds.
 */
#ifndef MATHISD_CORE_SESSION_H
#define MATHISD_CORE_SESSION_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "call.h"
#include "handle.h"
#include "rights.h"

#define MD_CALLS_MAX 4096 /* of a session, until they are put */
#define MD_SESSION_BYTES (256UL << 20) /* of all these, before one begins */
#define MD_SESSION_FULL "the calls of the session have more than %lu MiB"
#define MD_CALL_SLOTS 64 /* for tickets, at first */
#define MD_CALL_BYTES (64UL << 20) /* of arguments and result */

struct md_core;
struct md_inbox;
struct md_own;
struct md_owner;

/**
 * struct md_own_kind - state that a category keeps for each session
 * @size: Its bytes, zero at first.
 * @init: Prepares it, or NULL.
 * @fini: Drops what it has when the session ends, or NULL.
 * @task_ended: A task of the program ended, of which a call had set md_call.tell;
 *	or NULL. Runs in the thread of the program.
 * @task_moved: Such a task goes on as another, which gets what it has; or NULL.
 *	Runs in the thread of the program.
 */
struct md_own_kind {
	size_t size;
	void (*init)(void *state);
	void (*fini)(void *state);
	void (*task_ended)(void *state, uint64_t task);
	void (*task_moved)(void *state, uint64_t from, uint64_t to);
};

struct md_session {
	TAILQ_ENTRY(md_session) turn; /* of owner->sessions */
	struct md_owner *owner;
	struct md_core *core;
	atomic_uint refs; /* its maker, and each call */
	atomic_uint n_calls; /* that were begun and not put */
	atomic_ulong n_bytes; /* that these have */
	struct md_inbox *inbox; /* for functions of its program */
	struct md_rights rights;
	char *base; /* folder that paths begin at, absolute */
	int console[3]; /* input, output, errors; -1: none */
	uint64_t call_ms; /* deadline of each call; 0: none */
	/*
	 * Hear that a call ended which md_call_start() left to later, or NULL.
	 * Runs in any thread, under core->lock, and must not block.
	 */
	void (*wake)(struct md_session *s);
	void *arg; /* of @wake */
	/* Hear of each call that ended, in its caller's thread, or NULL. */
	void (*trace)(struct md_session *s, struct md_call *c);

	pthread_mutex_t lock; /* guards the next three */
	bool dead;
	struct md_handles handles;
	struct md_own *owns;

	/* Under core->lock. */
	struct md_call_list calls; /* under way */
	struct md_call_slot *slots; /* these by ticket */
	size_t n_slots;
	uint64_t seed; /* that tickets are mixed with */
	size_t n_listed; /* in @calls */
	struct md_call_list queue; /* of these, for a worker */
	struct md_call_list ended; /* for the caller to take */
	unsigned int running; /* by workers */
	bool has_turn;
};

/* Begin a session without rights, or NULL without memory. */
struct md_session *md_session_new(struct md_core *core);
/* Let a session that has made no call belong to the owner of another. */
void md_session_share(struct md_session *s, struct md_owner *owner);
/*
 * End a session: its calls are cancelled, its handles closed once no call uses
 * them. The caller must not touch it afterwards.
 */
void md_session_end(struct md_session *s);
void md_session_put(struct md_session *s);
/* A call is under way, or has ended: list it or not. With core->lock. */
void md_session_list(struct md_session *s, struct md_call *c);
void md_session_unlist(struct md_session *s, struct md_call *c);
/* Cancel all calls; those that md_session_take() gives then have ended. */
void md_session_stop(struct md_session *s);
/* Whether calls are under way, or functions of calls that were stopped run. */
bool md_session_busy(struct md_session *s);
/* The inbox of the next program, if there is memory; the old one has ended. */
void md_session_renew_inbox(struct md_session *s);

/* The state of a category; NULL without memory. */
void *md_session_own(struct md_session *s, const struct md_own_kind *kind);

/* A task ended: tell the states that have a function for it. */
void md_session_task_ended(struct md_session *s, uint64_t task);
/* A task goes on as another: tell the states that have a function for it. */
void md_session_task_moved(struct md_session *s, uint64_t from, uint64_t to);

/* A call that has ended, which the caller puts; NULL: none has. */
struct md_call *md_session_take(struct md_session *s);
/* End the call with a ticket with Cancelled: -ENOENT when none is under way. */
int md_session_cancel(struct md_session *s, uint64_t ticket);

#endif
