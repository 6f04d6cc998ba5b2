/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Calls: what functions that serve them, md_NAME(), see of them.
 *
 * Such a function finds its arguments checked against calls.def, those that
 * are missing filled in: c->args has one for each that calls.def names. It sets
 * c->result and returns MD_DONE, or returns md_fail(), which reports an error,
 * or returns MD_LATER: some thread then calls md_finish() once. INLINE functions
 * must not block. WORKER functions run in a thread of their own and wait by
 * md_wait() alone, for a call can be cancelled or pass its deadline at any
 * moment.
 */
#ifndef MATHISD_CORE_CALL_H
#define MATHISD_CORE_CALL_H

#include <mathis/calls.h>
#include <mathis/item.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>

#include "handle.h"
#include "timer.h"

struct md_session;
struct md_row;

enum md_status {
	MD_FAILED = -1,
	MD_DONE = 0,
	MD_LATER = 1,
};

enum md_state {
	MD_QUEUED, /* for a worker */
	MD_RUNS, /* in a function, or until md_finish() */
	MD_ENDED, /* it has a result or an error */
};

struct md_call {
	TAILQ_ENTRY(md_call) link; /* of session->calls */
	LIST_ENTRY(md_call) same; /* of a slot of session->slots */
	TAILQ_ENTRY(md_call) wait; /* of session->queue or ->ended */
	struct md_session *session;
	const struct md_row *row;
	struct mathis_item *args;
	unsigned int argc; /* that the caller gave */
	bool has_funcs; /* perhaps, in @args */
	struct mathis_pool pool; /* of arguments, result and error */
	struct mathis_item result;
	struct mathis_item opened; /* the handle that it opened, or none */

	int code; /* of enum mathis_code */
	struct mathis_item detail; /* a map, or none */
	uint32_t retry_after_ms; /* 0: a repetition does not help */
	char message[200];

	uint64_t ticket; /* of the caller */
	uint64_t task; /* of the program, that makes it; 0: no program does */
	bool tell; /* the function wants md_own_kind.task_ended of @task */
	uint64_t deadline; /* CLOCK_MONOTONIC, ns; 0: that of the session */
	void *own; /* of the function that serves it */
	void (*drop)(struct md_call *c); /* frees @own with the call; or NULL */
	uint64_t began; /* CLOCK_MONOTONIC, ns, where calls are traced */

	bool counted; /* in session->n_calls */
	uint64_t charged; /* to session->n_bytes */
	atomic_uint refs;
	atomic_int stop; /* Cancelled or Timeout: the function is to end */

	/* For core/ alone, under core->lock. */
	enum md_state state;
	enum md_status status; /* once it has ended */
	bool by_core; /* it was stopped: what its function does is dropped */
	bool listed;
	bool armed; /* @timer waits, with a reference */
	int stop_fd; /* readable once @stop is set; -1 */
	void (*cancel)(struct md_call *c); /* of a call that ends later */
	struct md_timer timer;
};

TAILQ_HEAD(md_call_list, md_call);
LIST_HEAD(md_call_slot, md_call);

/**
 * md_fail() - say why a call fails
 * @c: The call.
 * @code: Of enum mathis_code.
 * @fmt: One line, as printf() takes it: no secret, no path that the program
 *	did not name.
 *
 * Return: MD_FAILED.
 */
int md_fail(struct md_call *c, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/**
 * md_fail_errno() - fail with an error of the system
 * @c: The call.
 * @err: errno, positive: it becomes the code, and detail.errno.
 * @what: The thing that failed, such as the path that the program named.
 *
 * Return: MD_FAILED.
 */
int md_fail_errno(struct md_call *c, int err, const char *what);

/* Add to the detail of the error that the call is about to fail with. */
void md_detail(struct md_call *c, const char *key, struct mathis_item value);

/* Set the result, and return MD_DONE, or MD_FAILED without memory. */
int md_return_int(struct md_call *c, int64_t i);
int md_return_bool(struct md_call *c, bool b);
int md_return_float(struct md_call *c, double f);
int md_return_str(struct md_call *c, const char *data, size_t n);
int md_return_bytes(struct md_call *c, const void *data, size_t n);
/* The same of bytes that md_alloc() gave: MATHIS_STR or MATHIS_BYTES. */
int md_return_own(struct md_call *c, uint32_t kind, const char *data, size_t n);
int md_return(struct md_call *c, struct mathis_item item);

/* Items in the pool of the call, for results and details. */
struct mathis_item md_text(struct md_call *c, const char *text);
struct mathis_item md_bytes(struct md_call *c, const void *data, size_t n);
void *md_alloc(struct md_call *c, size_t n);

/* An argument that was given, and is not none. */
static inline bool md_given(const struct md_call *c, unsigned int i)
{
	return c->args[i].kind != MATHIS_NONE;
}

/* The text of an argument with a zero behind it; NULL: reported. */
const char *md_cstr(struct md_call *c, unsigned int i);

/*
 * Wait in a worker for events of poll() on a file: MD_DONE once one came, or
 * MD_FAILED when the call is to stop, which was reported. @ms: at most so long,
 * -1: for ever; when it has passed, MD_LATER. @fd -1: for the time alone.
 */
int md_wait(struct md_call *c, int fd, short events, int ms);
/* Whether the call is to stop; then it was reported. */
bool md_stopped(struct md_call *c);

/*
 * Before a function returns what this returns, and arranges for md_finish():
 * @cancel, which runs once the call was stopped, in any thread, has to see to it
 * that md_finish() comes soon. MD_LATER, or MD_FAILED: it was stopped already.
 */
int md_later(struct md_call *c, void (*cancel)(struct md_call *c), void *own);
/*
 * The end of a call whose function returned MD_LATER: its result or error has
 * been set. The call must not be touched afterwards. False: no one gets the
 * result, for the call was stopped before, or has failed.
 */
bool md_finish(struct md_call *c, enum md_status status);

/* The error as a map: code, name, call, message, detail, retryable, ... */
struct mathis_item md_error_item(struct md_call *c, struct mathis_pool *pool);

/* For those who make calls: embed.c and the daemon. */

/**
 * md_call_new() - begin a call
 * @s: The session, which the call keeps.
 * @id: Number of the call.
 * @argc: Count of arguments; c->args has room for as many.
 *
 * Return: The call, whose reference the caller holds; NULL without memory.
 */
struct md_call *md_call_new(struct md_session *s, uint16_t id,
			    unsigned int argc);
/*
 * Charge the session and its owner with what the call has by now: MD_DONE, or
 * MD_FAILED, which was reported, when they have too much. It is given back with
 * the call.
 */
enum md_status md_call_charge(struct md_call *c);
/* Free the arguments of a call that does not begin. */
void md_call_empty(struct md_call *c);
/* Check and serve it, here or in a worker: MD_LATER when it has not ended. */
enum md_status md_call_start(struct md_call *c);
void md_call_put(struct md_call *c);
/* End a call with Cancelled or Timeout. */
void md_call_stop(struct md_call *c, int code);

#endif
