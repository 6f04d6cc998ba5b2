// SPDX-License-Identifier: GPL-2.0-only
/* When services start and stop; see engine.h. */
#include <errno.h>
#include <string.h>

#include "engine.h"

/**
 * init_engine_find() - find a service
 * @e: Engine.
 * @name: Its name.
 *
 * Context: The engine's thread.
 * Return: Its index or -ENOENT.
 */
int init_engine_find(const struct init_engine *e, const char *name)
{
	uint32_t i;

	for (i = 0; i < e->n; i++) {
		if (!strcmp(e->services[i].config->name, name))
			return (int)i;
	}
	return -ENOENT;
}

static void enter(struct init_service *s, enum phi_init_state state,
		  uint64_t due, uint64_t now)
{
	s->state = state;
	s->due = due;
	s->since = now;
}

/* Does it have processes? */
static bool alive(const struct init_service *s)
{
	return s->state == PHI_INIT_STARTING || s->state == PHI_INIT_UP ||
	       s->state == PHI_INIT_STOPPING;
}

/* Has it ended, with nothing to come by itself? */
static bool at_rest(const struct init_service *s)
{
	return s->state == PHI_INIT_DOWN || s->state == PHI_INIT_DONE ||
	       s->state == PHI_INIT_FAILED;
}

static bool must_stop(const struct init_service *s)
{
	return !s->wanted || s->cycle;
}

static bool same_group(const struct init_service *a,
		       const struct init_service *b)
{
	return *a->config->group && !strcmp(a->config->group, b->config->group);
}

/* Does service d come after service i, and with @needed require it? */
static bool comes_after(const struct init_engine *e, uint32_t d, uint32_t i,
			bool needed)
{
	const struct init_service *s = &e->services[d];
	uint32_t k;

	for (k = 0; k < s->config->nafter; k++) {
		if (s->after[k] == i && (!needed || s->config->after[k].needed))
			return true;
	}
	return false;
}

/* Want it; begin again after an end. */
static void want_one(struct init_service *s, uint64_t now)
{
	s->wanted = true;
	if (at_rest(s)) {
		enter(s, PHI_INIT_DOWN, 0, now);
	} else if (s->state == PHI_INIT_BACKOFF) {
		s->due = now;
	} else if (s->state == PHI_INIT_STOPPING && s->asked) {
		s->cycle = true;
		return;
	} else {
		return;
	}
	s->why = NULL;
	s->quick = 0;
	s->window = 0;
}

/**
 * init_engine_want() - have a service run, and those that it requires
 * @e: Engine.
 * @i: Service.
 * @now: CLOCK_MONOTONIC.
 *
 * One that has ended or failed is started again; one that waits to be, at
 * once.
 *
 * Context: The engine's thread; init_engine_step() follows.
 */
void init_engine_want(struct init_engine *e, uint32_t i, uint64_t now)
{
	bool need[INIT_SERVICES_MAX] = { false };
	uint32_t k, n;

	/* Backwards in the order, one is marked before those it needs. */
	need[i] = true;
	for (n = e->n; n--;) {
		struct init_service *s = &e->services[e->order[n]];

		if (!need[e->order[n]])
			continue;
		if (e->order[n] == i || s->state != PHI_INIT_DONE)
			want_one(s, now);
		for (k = 0; k < s->config->nafter; k++) {
			if (s->config->after[k].needed)
				need[s->after[k]] = true;
		}
	}
}

/**
 * init_engine_unwant() - have a service stop, and those that require it
 * @e: Engine.
 * @i: Service.
 *
 * Context: The engine's thread; init_engine_step() follows.
 */
void init_engine_unwant(struct init_engine *e, uint32_t i)
{
	bool stop[INIT_SERVICES_MAX] = { false };
	uint32_t n, k;

	stop[i] = true;
	for (n = 0; n < e->n; n++) {
		uint32_t d = e->order[n];

		for (k = 0; k < n && !stop[d]; k++)
			stop[d] = stop[e->order[k]] &&
				  comes_after(e, d, e->order[k], true);
		if (stop[d]) {
			e->services[d].wanted = false;
			e->services[d].cycle = false;
		}
	}
}

/**
 * init_engine_cycle() - stop and start a service
 * @e: Engine.
 * @i: Service.
 * @now: CLOCK_MONOTONIC.
 *
 * Context: The engine's thread; init_engine_step() follows.
 */
void init_engine_cycle(struct init_engine *e, uint32_t i, uint64_t now)
{
	struct init_service *s = &e->services[i];

	init_engine_want(e, i, now);
	s->cycle = alive(s);
}

/**
 * init_engine_ready() - a service that starts is ready
 * @e: Engine.
 * @i: Service.
 * @now: CLOCK_MONOTONIC.
 *
 * Context: The engine's thread; init_engine_step() follows.
 */
void init_engine_ready(struct init_engine *e, uint32_t i, uint64_t now)
{
	if (e->services[i].state == PHI_INIT_STARTING)
		enter(&e->services[i], PHI_INIT_UP, 0, now);
}

/**
 * init_engine_ending() - the process of a service has ended, others may not
 * @e: Engine.
 * @i: Service, whose other processes the owner ends.
 * @now: CLOCK_MONOTONIC.
 *
 * Context: The engine's thread; init_engine_gone() follows, later.
 */
void init_engine_ending(struct init_engine *e, uint32_t i, uint64_t now)
{
	struct init_service *s = &e->services[i];

	if (s->state == PHI_INIT_STOPPING)
		s->due = 0;
	else
		enter(s, PHI_INIT_STOPPING, 0, now);
}

/* It failed: take its group along, and wait, or give up. */
static void start_again(struct init_engine *e, struct init_service *s,
			uint64_t now)
{
	const struct init_config *c = s->config;
	uint32_t i;

	s->quick = now - s->started < c->delay_max_ns ? s->quick + 1 : 1;
	s->restarts++;
	enter(s, PHI_INIT_BACKOFF, now + init_backoff_delay(c, s->quick - 1),
	      now);
	for (i = 0; c->all && i < e->n; i++) {
		struct init_service *other = &e->services[i];

		if (other != s && same_group(s, other) && alive(other))
			other->cycle = true;
	}
}

static void give_up(struct init_service *s, const char *why, uint64_t now)
{
	s->why = why;
	s->wanted = false;
	s->cycle = false;
	enter(s, PHI_INIT_FAILED, 0, now);
}

/**
 * init_engine_gone() - nothing of a service runs any more
 * @e: Engine.
 * @i: Service.
 * @status: How it ended: exit status, 128 + signal, or a negative errno when
 *          it was not started.
 * @now: CLOCK_MONOTONIC.
 *
 * Context: The engine's thread; init_engine_step() follows.
 */
void init_engine_gone(struct init_engine *e, uint32_t i, int status,
		      uint64_t now)
{
	struct init_service *s = &e->services[i];
	bool failed = status || s->late;
	bool asked = s->asked;

	s->status = status;
	s->why = s->late ? "it was not ready in time" : NULL;
	s->asked = false;
	s->late = false;
	if (asked || !s->wanted) {
		s->cycle = false;
		enter(s, PHI_INIT_DOWN, 0, now);
	} else if (s->config->restart == INIT_ALWAYS ||
		   (s->config->restart == INIT_ON_FAILURE && failed)) {
		s->cycle = false;
		start_again(e, s, now);
	} else if (failed) {
		give_up(s, s->why, now);
	} else {
		s->wanted = false;
		s->cycle = false;
		enter(s, PHI_INIT_DONE, 0, now);
	}
}

/*
 * Whether the services in After= and Requires= let this one start. Return: 1 to
 * start now, 0 to wait, -ECANCELED when a required service failed.
 */
static int may_start(const struct init_engine *e, const struct init_service *s)
{
	uint32_t i;

	for (i = 0; i < s->config->nafter; i++) {
		const struct init_service *a = &e->services[s->after[i]];
		bool needed = s->config->after[i].needed;

		if (a->state == PHI_INIT_UP && !must_stop(a))
			continue;
		if (a->state == PHI_INIT_DONE)
			continue;
		if (a->state == PHI_INIT_FAILED && needed)
			return -ECANCELED;
		if (!needed && at_rest(a) && !a->wanted)
			continue;
		return 0;
	}
	/* A group starts when all of it has stopped. */
	for (i = 0; i < e->n; i++) {
		const struct init_service *other = &e->services[i];

		if (other != s && same_group(s, other) && other->cycle)
			return 0;
	}
	return 1;
}

static bool try_start(struct init_engine *e, uint32_t i, uint64_t now)
{
	struct init_service *s = &e->services[i];
	int ret;

	if (must_stop(s) || (s->state != PHI_INIT_DOWN &&
			     (s->state != PHI_INIT_BACKOFF || s->due > now)))
		return false;
	ret = may_start(e, s);
	if (!ret)
		return false;
	if (ret < 0) {
		give_up(s, "a service that it requires has failed", now);
		return true;
	}
	if (init_backoff_spent(s, now)) {
		give_up(s,
			"it was started too often, see StartLimitBurst=", now);
		return true;
	}
	s->started = now;
	enter(s, PHI_INIT_STARTING,
	      s->config->start_ns && s->config->type != INIT_SIMPLE ?
		      now + s->config->start_ns :
		      0,
	      now);
	ret = e->ops->start(e->arg, i);
	if (ret)
		init_engine_gone(e, i, ret, now);
	else if (s->config->type == INIT_SIMPLE)
		init_engine_ready(e, i, now);
	return true;
}

static bool try_stop(struct init_engine *e, uint32_t i, uint64_t now)
{
	struct init_service *s = &e->services[i];
	uint32_t d;

	if (!must_stop(s) || at_rest(s) || s->asked)
		return false;
	for (d = 0; d < e->n; d++) {
		if (alive(&e->services[d]) && must_stop(&e->services[d]) &&
		    comes_after(e, d, i, false))
			return false;
	}
	if (s->state == PHI_INIT_BACKOFF) {
		s->cycle = false;
		enter(s, PHI_INIT_DOWN, 0, now);
		return true;
	}
	s->asked = true;
	if (s->state == PHI_INIT_STOPPING)
		return true;
	enter(s, PHI_INIT_STOPPING, now + s->config->stop_ns, now);
	e->ops->stop(e->arg, i, false);
	return true;
}

/* Its time to start or to stop is over. */
static void expire(struct init_engine *e, uint32_t i, uint64_t now)
{
	struct init_service *s = &e->services[i];

	if (!s->due || s->due > now ||
	    (s->state != PHI_INIT_STARTING && s->state != PHI_INIT_STOPPING))
		return;
	if (s->state == PHI_INIT_STARTING)
		s->late = true;
	enter(s, PHI_INIT_STOPPING, 0, now);
	e->ops->stop(e->arg, i, true);
}

/* The next time at which something is due, 0 = none. */
static uint64_t next_due(const struct init_engine *e, uint64_t now)
{
	uint64_t next = 0;
	uint32_t i;

	for (i = 0; i < e->n; i++) {
		uint64_t due = e->services[i].due;

		/* One that waits for others is started by their events. */
		if (due > now && (!next || due < next))
			next = due;
	}
	return next;
}

/**
 * init_engine_step() - start and stop all that may be now
 * @e: Engine.
 * @now: CLOCK_MONOTONIC.
 *
 * Context: The engine's thread.
 * Return: Time of the next step, unless something happens before; 0 = none.
 */
uint64_t init_engine_step(struct init_engine *e, uint64_t now)
{
	bool changed = true;
	uint32_t i;

	for (i = 0; i < e->n; i++)
		expire(e, i, now);
	/* Each turn moves a service on; a start that fails waits 1 ms or more. */
	while (changed) {
		changed = false;
		for (i = e->n; i--;)
			changed |= try_stop(e, e->order[i], now);
		for (i = 0; i < e->n; i++)
			changed |= try_start(e, e->order[i], now);
	}
	return next_due(e, now);
}

/**
 * init_engine_idle() - has everything ended?
 * @e: Engine.
 *
 * Context: The engine's thread.
 * Return: Whether no service runs, ends or waits to be started again.
 */
bool init_engine_idle(const struct init_engine *e)
{
	uint32_t i;

	for (i = 0; i < e->n; i++) {
		if (!at_rest(&e->services[i]))
			return false;
	}
	return true;
}
