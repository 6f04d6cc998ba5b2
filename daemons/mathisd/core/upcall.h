/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Upcalls: functions of a program that those who serve its calls run later,
 * each in a task of its own. The inbox of a session takes them; the thread of
 * the program empties it. It outlives the session where someone has a function
 * of it, and fails all upcalls from then on.
 */
#ifndef MATHISD_CORE_UPCALL_H
#define MATHISD_CORE_UPCALL_H

#include <mathis/item.h>
#include <stdatomic.h>
#include <sys/queue.h>

#include "timer.h"

#define MD_UPCALLS_MAX 1024 /* of a session, that have not ended */
#define MD_UPCALL_ARGS 4
#define MD_UPCALL_BYTES (16UL << 20)

struct md_call;
struct md_core;
struct md_inbox;

/**
 * struct md_func - a function of a program
 * @refs: References.
 * @inbox: The inbox of its program.
 * @slot: Of mathis_hold().
 * @arity: Values that it takes.
 */
struct md_func {
	SLIST_ENTRY(md_func) link; /* of inbox->drops */
	atomic_uint refs;
	struct md_inbox *inbox;
	uint32_t slot;
	unsigned int arity;
};

enum md_upcall_state {
	MD_UPCALL_WAITS, /* in the inbox */
	MD_UPCALL_RUNS,
	MD_UPCALL_ENDED,
};

/**
 * struct md_upcall - a run of a function
 * @args: The values, in @pool.
 * @n: Their count.
 * @done: Called once, in any thread, without a lock; must not block.
 * @own: Of the caller.
 * @code: MATHIS_OK, or Handler, Timeout, ... once @done is called.
 * @result: The result; with Handler the error of the program, or none.
 */
struct md_upcall {
	TAILQ_ENTRY(md_upcall) link; /* of inbox->upcalls */
	struct md_func *func;
	struct mathis_item args[MD_UPCALL_ARGS];
	unsigned int n;
	void (*done)(struct md_upcall *u);
	void *own;
	int code;
	struct mathis_item result;

	/* For core/ and program/. */
	atomic_uint refs;
	enum md_upcall_state state; /* under core->lock */
	bool armed;
	struct md_timer timer;
	struct mathis_pool pool;
};

TAILQ_HEAD(md_upcall_list, md_upcall);
SLIST_HEAD(md_func_list, md_func);

struct md_inbox {
	atomic_uint refs;
	struct md_core *core;
	/* Under core->lock. */
	bool dead;
	unsigned int n; /* that have not ended */
	struct md_upcall_list upcalls;
	struct md_func_list drops; /* functions that no one has any more */
	void (*wake)(struct md_inbox *inbox); /* under core->lock */
	void *arg;
};

/**
 * md_func_take() - keep a function that is an argument, or in one
 * @c: The call.
 * @item: The function.
 *
 * Return: The function, whose reference the caller has; NULL: reported.
 */
struct md_func *md_func_take(struct md_call *c, struct mathis_item *item);
struct md_func *md_func_get(struct md_func *func);
void md_func_put(struct md_func *func);

/* An upcall without values, or NULL without memory. It keeps the function. */
struct md_upcall *md_upcall_new(struct md_func *func);
/*
 * Run it, at most for @ms; 0: without a limit. Return 0: done() will follow; or
 * -EBUSY when there are too many, -EPIPE when the program has ended, -ENOMEM:
 * it will not. The caller has to put it in both cases.
 */
int md_upcall_start(struct md_upcall *u, uint64_t ms);
void md_upcall_put(struct md_upcall *u);
/* Claim the end of an upcall: false when it has ended. */
bool md_upcall_claim(struct md_upcall *u);
/* Call done() of an upcall that was claimed. */
void md_upcall_done(struct md_upcall *u, int code);

struct md_inbox *md_inbox_new(struct md_core *core);
void md_inbox_put(struct md_inbox *inbox);
/* No more upcalls; those that wait fail. */
void md_inbox_end(struct md_inbox *inbox);
/* The next one to be run, with a reference, or NULL. */
struct md_upcall *md_inbox_next(struct md_inbox *inbox);
/* A slot that the program is to drop: its function is freed. False: none. */
bool md_inbox_drop(struct md_inbox *inbox, uint32_t *slot);

#endif
