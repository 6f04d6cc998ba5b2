/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef INITD_ENGINE_H
#define INITD_ENGINE_H

#include "config.h"

/**
 * DOC: When services start and stop
 *
 * The engine decides and does nothing else: it is told what happened, and
 * asks its owner to start and to stop. All of its functions run in one thread
 * and take the time from their caller.
 */

/**
 * struct init_service - a service, as the engine sees it
 * @config: Its settings.
 * @state: Where it is.
 * @wanted: It is meant to run.
 * @cycle: It stops, to be started again with its group or by hand.
 * @asked: The end that comes was asked for.
 * @late: The end that comes is one of a service that was not ready in time.
 * @due: Time at which the state ends, CLOCK_MONOTONIC; 0 = none.
 * @since: Time at which the state began.
 * @started: Time of its last start.
 * @quick: Ends in a row, each soon after the start.
 * @window: Start of the time in which starts are counted.
 * @starts: Starts since then.
 * @restarts: Times that it was started again by itself.
 * @status: How it ended last: exit status, 128 + signal, or a negative errno.
 * @why: Why it failed, or NULL.
 * @after: Indices of the services that it comes after, in the order of its
 *         settings.
 */
struct init_service {
	struct init_config *config;
	enum phi_init_state state;
	bool wanted;
	bool cycle;
	bool asked;
	bool late;
	uint64_t due;
	uint64_t since;
	uint64_t started;
	uint32_t quick;
	uint64_t window;
	uint64_t starts;
	uint32_t restarts;
	int status;
	const char *why;
	uint16_t after[INIT_AFTER_MAX];
};

/**
 * struct init_ops - the owner's part
 * @start: Start a service; 0, or a negative errno when nothing of it is left.
 * @stop: Ask a service to end, or with @hard end it. init_engine_gone()
 *        follows, later.
 */
struct init_ops {
	int (*start)(void *arg, uint32_t i);
	void (*stop)(void *arg, uint32_t i, bool hard);
};

/**
 * struct init_engine - all services
 * @services: They.
 * @n: How many.
 * @order: Their indices, each after those that it comes after.
 * @ops: The owner's part.
 * @arg: For @ops.
 */
struct init_engine {
	struct init_service services[INIT_SERVICES_MAX];
	uint32_t n;
	uint16_t order[INIT_SERVICES_MAX];
	const struct init_ops *ops;
	void *arg;
};

/* order.c */
int init_order(struct init_engine *e, struct init_fault *fault);

/* engine.c */
int init_engine_find(const struct init_engine *e, const char *name);
void init_engine_want(struct init_engine *e, uint32_t i, uint64_t now);
void init_engine_unwant(struct init_engine *e, uint32_t i);
void init_engine_cycle(struct init_engine *e, uint32_t i, uint64_t now);
void init_engine_ready(struct init_engine *e, uint32_t i, uint64_t now);
void init_engine_ending(struct init_engine *e, uint32_t i, uint64_t now);
void init_engine_gone(struct init_engine *e, uint32_t i, int status,
		      uint64_t now);
uint64_t init_engine_step(struct init_engine *e, uint64_t now);
bool init_engine_idle(const struct init_engine *e);

/* backoff.c */
uint64_t init_backoff_delay(const struct init_config *c, uint32_t quick);
bool init_backoff_spent(struct init_service *s, uint64_t now);

#endif /* INITD_ENGINE_H */
