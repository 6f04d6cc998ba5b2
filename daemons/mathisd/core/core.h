/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The dispatcher: the table of calls, worker threads, timers, watches.
 *
 * core->lock guards turns, workers, timers, watches, and the calls of all
 * sessions. It is taken last; nobody holds it over a function that serves a
 * call.
 */
#ifndef MATHISD_CORE_CORE_H
#define MATHISD_CORE_CORE_H

#include <mathis/calls.h>
#include <mathis/item.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/queue.h>

#include "call.h"
#include "timer.h"
#include "type.h"
#include "watch.h"

#define MD_WORKERS_MAX 16

struct md_session;
TAILQ_HEAD(md_session_list, md_session);
TAILQ_HEAD(md_owner_list, md_owner);

/**
 * struct md_owner - whom sessions belong to: the unit of turns for workers
 * @refs: Its sessions.
 * @sessions: Those with calls that wait for a worker.
 * @running: Its calls that workers run.
 * @has_turn: It is in core->turns.
 * @bytes: Memory of its calls, messages and rings, and of mem_alloc.
 *
 * All but @refs and @bytes under core->lock.
 */
struct md_owner {
	TAILQ_ENTRY(md_owner) turn; /* of core->turns */
	atomic_uint refs;
	struct md_session_list sessions;
	unsigned int running;
	bool has_turn;
	atomic_ullong bytes;
};

#define MD_OWNER_BYTES (512ULL << 20)

/* Charge an owner: what it has then, which may be more than MD_OWNER_BYTES. */
static inline uint64_t md_share_add(struct md_owner *owner, uint64_t n)
{
	return atomic_fetch_add(&owner->bytes, n) + n;
}

static inline void md_share_give(struct md_owner *owner, uint64_t n)
{
	atomic_fetch_sub(&owner->bytes, n);
}

/* Charge an owner, unless it would have more than MD_OWNER_BYTES. */
static inline bool md_share_take(struct md_owner *owner, uint64_t n)
{
	if (md_share_add(owner, n) <= MD_OWNER_BYTES)
		return true;
	md_share_give(owner, n);
	return false;
}

static inline uint64_t md_share_left(struct md_owner *owner)
{
	uint64_t bytes = atomic_load(&owner->bytes);

	return bytes < MD_OWNER_BYTES ? MD_OWNER_BYTES - bytes : 0;
}

typedef int md_function(struct md_call *c);

/**
 * struct md_serve - what serves a call
 * @id: Number of the call.
 * @function: Serves it.
 */
struct md_serve {
	uint16_t id;
	md_function *function;
};

/**
 * struct md_row - a call
 * @info: Its row of calls.def.
 * @function: Serves it.
 * @args: Types of its arguments.
 * @min: Arguments that cannot be missing.
 * @max: Arguments.
 * @result: Type of its result.
 * @secret: It takes or gives handles of secrets, perhaps instead of their bytes.
 */
struct md_row {
	const struct mathis_call_info *info;
	md_function *function;
	struct md_type *args;
	unsigned int min;
	unsigned int max;
	struct md_type *result;
	bool secret;
};

struct md_core {
	struct mathis_pool pool; /* of the types */
	struct md_row *rows;
	size_t n_rows;
	uint16_t *index; /* row plus 1 by number */
	bool strict; /* end the program when a result has a wrong type */
	bool confined; /* the process may run no program */

	pthread_mutex_t lock; /* see above */
	pthread_cond_t work;
	struct md_owner_list turns; /* with calls that wait for a worker */
	pthread_t workers[MD_WORKERS_MAX];
	unsigned int n_workers;
	unsigned int idle;
	unsigned int queued; /* calls that no worker has taken */
	bool stop;
	struct md_timers timers;
	struct md_watches watches;
};

/**
 * md_core_new() - make a dispatcher
 * @serve: Functions that serve calls.
 * @n: Their count.
 * @core: Out, the dispatcher, which the caller frees; NULL on failure.
 * @error: Out, the reason of -EINVAL.
 *
 * Return: 0; -EINVAL for a row of calls.def with a type that cannot be read,
 * or that nothing serves; -ENOMEM.
 */
int md_core_new(const struct md_serve *serve, size_t n, struct md_core **core,
		struct md_misfit *error);
/* Free a dispatcher whose sessions have ended; wait for its threads. */
void md_core_free(struct md_core *core);
/* The row of a call that is served, or NULL. */
const struct md_row *md_core_row(const struct md_core *core, uint16_t id);

uint64_t md_now(void);

#endif
