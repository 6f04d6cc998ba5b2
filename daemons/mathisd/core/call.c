// SPDX-License-Identifier: GPL-2.0-only
/*
 * A call from its beginning to its end.
 *
 * References: one of the caller; one of the function that serves it, dropped by
 * md_finish(); one of the worker while the function runs. A call that a
 * worker or md_finish() will end is listed, in session->calls.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "check.h"
#include "core.h"
#include "session.h"
#include "worker.h"

struct md_call *md_call_new(struct md_session *s, uint16_t id,
			    unsigned int argc)
{
	const struct md_row *row = md_core_row(s->core, id);
	unsigned int n = row && row->max > argc ? row->max : argc;
	struct md_call *c = malloc(sizeof(*c));

	if (!c)
		return NULL;
	memset(c, 0, offsetof(struct md_call, pool));
	mathis_pool_init(&c->pool, MD_CALL_BYTES);
	memset(&c->result, 0, sizeof(*c) - offsetof(struct md_call, result));
	c->args = mathis_pool_alloc(&c->pool, n * sizeof(*c->args));
	if (!c->args) {
		mathis_pool_fini(&c->pool);
		free(c);
		return NULL;
	}
	memset(c->args, 0, n * sizeof(*c->args));
	c->session = s;
	c->row = row;
	c->argc = argc;
	c->stop_fd = -1;
	atomic_init(&c->refs, 1);
	atomic_fetch_add(&s->refs, 1);
	c->state = MD_RUNS;
	return c;
}

static void uncharge(struct md_call *c)
{
	atomic_fetch_sub(&c->session->n_bytes, c->charged);
	md_share_give(c->session->owner, c->charged);
	c->charged = 0;
}

void md_call_empty(struct md_call *c)
{
	uncharge(c);
	mathis_pool_fini(&c->pool);
	mathis_pool_init(&c->pool, MD_CALL_BYTES);
	c->args = NULL;
	c->argc = 0;
}

void md_call_put(struct md_call *c)
{
	struct md_session *s = c->session;

	if (atomic_fetch_sub(&c->refs, 1) != 1)
		return;
	if (c->drop)
		c->drop(c);
	if (c->stop_fd >= 0)
		close(c->stop_fd);
	if (c->counted)
		atomic_fetch_sub(&s->n_calls, 1);
	uncharge(c);
	mathis_pool_fini(&c->pool);
	free(c);
	md_session_put(s);
}

static void fire(struct md_timer *timer)
{
	struct md_call *c = (struct md_call *)((char *)timer -
					       offsetof(struct md_call, timer));

	md_call_stop(c, MATHIS_TIMEOUT);
	md_call_put(c);
}

/* Charge for what a call has by now: what its owner has, and @session. */
static uint64_t charge(struct md_call *c, uint64_t *session)
{
	uint64_t more = c->pool.used - c->charged;
	struct md_session *s = c->session;

	c->charged += more;
	*session = atomic_fetch_add(&s->n_bytes, more) + more;
	return md_share_add(s->owner, more);
}

enum md_status md_call_charge(struct md_call *c)
{
	uint64_t session;
	uint64_t owner = charge(c, &session);

	if (session > MD_SESSION_BYTES)
		return md_fail(c, MATHIS_LIMIT, MD_SESSION_FULL,
			       MD_SESSION_BYTES >> 20);
	if (owner > MD_OWNER_BYTES)
		return md_fail(
			c, MATHIS_LIMIT,
			"the sessions of the user have more than %llu MiB",
			MD_OWNER_BYTES >> 20);
	return MD_DONE;
}

/* Count a call, until it is put: MD_DONE, or MD_FAILED with too many. */
static enum md_status count(struct md_call *c)
{
	c->counted = true;
	if (atomic_fetch_add(&c->session->n_calls, 1) >= MD_CALLS_MAX)
		return md_fail(c, MATHIS_LIMIT,
			       "more than %d calls are under way",
			       MD_CALLS_MAX);
	return md_call_charge(c);
}

/* The result of a function, looked at. */
static enum md_status look_at(struct md_call *c, enum md_status status)
{
	uint64_t session;

	charge(c, &session);
	if (status == MD_DONE && c->pool.bad)
		return md_fail(c, MATHIS_OUT_OF_MEMORY,
			       "the result is too large, or memory is short");
	if (status == MD_DONE && c->session->core->strict)
		md_check_result(c);
	return status;
}

/* A listed call has ended. With the lock. */
static void end_listed(struct md_call *c)
{
	struct md_session *s = c->session;

	c->state = MD_ENDED;
	md_session_unlist(s, c);
	TAILQ_INSERT_TAIL(&s->ended, c, wait);
	if (s->wake)
		s->wake(s);
}

bool md_finish(struct md_call *c, enum md_status status)
{
	struct md_core *core = c->session->core;
	bool armed = false;
	bool taken;

	status = look_at(c, status);
	pthread_mutex_lock(&core->lock);
	taken = !c->by_core;
	if (taken) {
		c->status = status;
		c->state = MD_ENDED;
		armed = c->armed;
		c->armed = false;
		if (c->listed)
			end_listed(c);
	}
	pthread_mutex_unlock(&core->lock);
	if (armed && md_timer_remove(core, &c->timer))
		md_call_put(c);
	/* No one will hear of a handle that it opened. */
	if (!taken && c->opened.kind == MATHIS_HANDLE)
		md_handle_close(c, (enum md_kind)(c->opened.i >> 24),
				&c->opened);
	md_call_put(c);
	return taken && status == MD_DONE;
}

void md_call_stop(struct md_call *c, int code)
{
	struct md_core *core = c->session->core;
	void (*cancel)(struct md_call *c) = NULL;
	bool queued = false;
	bool armed = false;

	pthread_mutex_lock(&core->lock);
	if (c->state != MD_ENDED) {
		atomic_store(&c->stop, code);
		if (c->stop_fd >= 0)
			eventfd_write(c->stop_fd, 1);
		queued = c->state == MD_QUEUED;
		if (queued)
			md_worker_unqueue(core, c);
		cancel = c->cancel;
		armed = c->armed;
		c->armed = false;
		c->by_core = true;
		c->status = MD_FAILED;
		end_listed(c);
	}
	pthread_mutex_unlock(&core->lock);
	if (armed && md_timer_remove(core, &c->timer))
		md_call_put(c);
	/* The function will end it too, unless it has not begun. */
	if (queued)
		md_call_put(c);
	else if (cancel)
		cancel(c);
}

int md_later(struct md_call *c, void (*cancel)(struct md_call *c), void *own)
{
	struct md_core *core = c->session->core;

	pthread_mutex_lock(&core->lock);
	if (!atomic_load(&c->stop)) {
		c->cancel = cancel;
		c->own = own;
	}
	pthread_mutex_unlock(&core->lock);
	return md_stopped(c) ? MD_FAILED : MD_LATER;
}

/* Give a call that is being listed its deadline. With the lock. */
static int arm(struct md_call *c)
{
	uint64_t ms = c->session->call_ms;
	uint64_t most = md_now() + ms * 1000000;
	int ret;

	/* The caller may only ask for less. */
	if (ms && (!c->deadline || c->deadline > most))
		c->deadline = most;
	if (!c->deadline)
		return 0;
	c->timer.fire = fire;
	ret = md_timer_arm(c->session->core, &c->timer, c->deadline);
	if (ret)
		return ret;
	c->armed = true;
	atomic_fetch_add(&c->refs, 1);
	return 0;
}

/* List a call that ends later: its status, or MD_LATER. */
static enum md_status list(struct md_call *c, bool queue)
{
	struct md_session *s = c->session;
	struct md_core *core = s->core;
	enum md_status status = MD_LATER;
	int ret = 0;

	pthread_mutex_lock(&core->lock);
	if (c->state == MD_ENDED) {
		status = c->status;
	} else if (queue && md_worker_queue(core, c)) {
		status = MD_FAILED;
	} else {
		c->listed = true;
		md_session_list(s, c);
		ret = arm(c);
	}
	pthread_mutex_unlock(&core->lock);
	if (ret)
		md_call_stop(c, MATHIS_OUT_OF_MEMORY);
	return status;
}

static enum md_status start_worker(struct md_call *c)
{
	atomic_fetch_add(&c->refs, 1);
	if (list(c, true) == MD_LATER)
		return MD_LATER;
	md_call_put(c);
	c->status = MD_FAILED;
	return md_fail(c, MATHIS_LIMIT, "no thread starts");
}

static enum md_status start_inline(struct md_call *c)
{
	enum md_status status;

	atomic_fetch_add(&c->refs, 1);
	status = c->row->function(c);
	if (status == MD_LATER)
		return list(c, false);
	status = look_at(c, status);
	c->status = status;
	md_call_put(c);
	return status;
}

enum md_status md_call_start(struct md_call *c)
{
	c->began = c->session->trace ? md_now() : 0;
	if (count(c) || md_check_args(c)) {
		c->status = MD_FAILED;
		return MD_FAILED;
	}
	if (c->row->info->mode == MATHIS_MODE_WORKER)
		return start_worker(c);
	return start_inline(c);
}
