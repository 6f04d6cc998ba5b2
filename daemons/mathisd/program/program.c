// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls of a machine, served; a machine waits for those that end later.
 */
#include <errno.h>
#include <mathis/upcall.h>

#include "core/call.h"
#include "core/core.h"
#include "core/session.h"
#include "core/upcall.h"
#include "program.h"
#include "upcall_impl.h"

/* Drop functions that no one has taken. With core->lock, or alone. */
void md_program_drop_funcs(struct mathis_machine *m, struct mathis_item *item)
{
	size_t parts = mathis_item_parts(item);

	if (item->kind == MATHIS_FUNC && item->i >= 0) {
		mathis_drop(m, (uint32_t)item->i);
		item->i = -1;
	}
	for (size_t i = 0; i < parts; i++)
		md_program_drop_funcs(m, &item->items[i]);
}

static void drop_args(struct mathis_machine *m, struct md_call *c)
{
	struct md_core *core = c->session->core;

	if (!c->has_funcs)
		return;
	pthread_mutex_lock(&core->lock);
	for (unsigned int i = 0; i < c->argc; i++)
		md_program_drop_funcs(m, &c->args[i]);
	pthread_mutex_unlock(&core->lock);
}

/* Take the arguments out of the machine. */
static int take_args(struct mathis_call *call, struct md_call *c)
{
	bool copy = !c->row || c->row->info->mode != MATHIS_MODE_INLINE;

	for (unsigned int i = 0; i < call->argc; i++) {
		int ret = mathis_to_item(call->machine, call->args[i], &c->pool,
					 copy, &c->args[i]);

		c->has_funcs |= c->args[i].kind == MATHIS_FUNC ||
				mathis_item_parts(&c->args[i]);

		/* A value of the machine alone has no type that is allowed. */
		if (ret == -EINVAL && c->args[i].kind == call->args[i].kind &&
		    c->args[i].kind != MATHIS_LIST &&
		    c->args[i].kind != MATHIS_MAP)
			continue;
		if (ret == -EINVAL)
			return mathis_call_fail(
				call, MATHIS_ARG_TYPE,
				"argument %u has a value of the machine in it",
				i + 1);
		if (ret == -E2BIG)
			return mathis_call_fail(
				call, MATHIS_LIMIT,
				"argument %u is too deep or too large", i + 1);
		if (ret)
			return mathis_call_fail(
				call, MATHIS_LIMIT,
				"the arguments have more than %lu bytes, or memory is short",
				MD_CALL_BYTES);
	}
	return 0;
}

/* The error of a call as a value of the machine: 0 or -errno. */
static int error_value(struct mathis_machine *m, struct md_call *c,
		       struct mathis_value *v)
{
	struct mathis_pool pool;
	struct mathis_item item;
	int ret;

	mathis_pool_init(&pool, 65536);
	item = md_error_item(c, &pool);
	ret = pool.bad ? -ENOMEM : mathis_from_item(m, &item, v);
	mathis_pool_fini(&pool);
	return ret;
}

static int no_memory(struct mathis_call *call)
{
	return mathis_call_fail(call, MATHIS_MEMORY_LIMIT,
				"the result does not fit into the heap");
}

static int ended(struct mathis_call *call, struct md_call *c)
{
	struct mathis_value error;

	if (c->session->trace)
		c->session->trace(c->session, c);
	if (c->status == MD_DONE)
		return mathis_from_item(call->machine, &c->result,
					&call->result) ?
			       no_memory(call) :
			       0;
	if (error_value(call->machine, c, &error))
		return no_memory(call);
	return mathis_call_throw(call, error);
}

static int make_call(void *arg, struct mathis_call *call)
{
	struct md_program *p = arg;
	struct md_call *c = md_call_new(p->session, call->id, call->argc);
	int ret;

	if (!c)
		return mathis_call_fail(call, MATHIS_OUT_OF_MEMORY,
					"no memory");
	c->ticket = call->ticket;
	c->task = call->task;
	ret = take_args(call, c);
	if (!ret) {
		enum md_status status = md_call_start(c);

		call->tell = c->row &&
			     c->row->info->mode == MATHIS_MODE_INLINE &&
			     c->tell;
		if (status == MD_LATER)
			return -EINPROGRESS;
		ret = ended(call, c);
	}
	drop_args(call->machine, c);
	md_call_put(c);
	return ret;
}

/* Give the machine what a call that ended later came to. */
static void complete(struct md_program *p, struct md_call *c)
{
	struct mathis_machine *m = p->machine;
	struct mathis_value v = { 0 };
	int code = MATHIS_OK;
	int ret;

	if (p->session->trace)
		p->session->trace(p->session, c);
	if (c->status == MD_DONE) {
		ret = mathis_from_item(m, &c->result, &v);
	} else {
		ret = error_value(m, c, &v);
		code = MATHIS_THROWN;
	}
	if (!ret)
		ret = mathis_complete(m, c->ticket, code, v, NULL);
	if (ret && ret != -ENOENT)
		mathis_complete(m, c->ticket, MATHIS_MEMORY_LIMIT, v,
				"the result does not fit into the heap");
	drop_args(m, c);
	md_call_put(c);
}

/* A task goes on as another, with what it holds. */
static void task_moved(void *arg, uint64_t from, uint64_t to)
{
	struct md_program *p = arg;

	md_session_task_moved(p->session, from, to);
}

/* The call may end before this returns: its end is news. */
static void cancel_call(void *arg, uint64_t ticket)
{
	struct md_program *p = arg;

	md_session_cancel(p->session, ticket);
}

/* All that came since: ends of calls, upcalls, functions to be dropped. */
static void take_news(void *arg)
{
	struct md_program *p = arg;
	struct md_call *c;

	if (!atomic_exchange(&p->has_news, false))
		return;
	while ((c = md_session_take(p->session)))
		complete(p, c);
	md_program_upcalls(p);
}

/* Under core->lock. */
static void tell(struct md_program *p)
{
	atomic_store(&p->has_news, true);
	pthread_cond_signal(&p->news);
}

static void wake(struct md_session *s)
{
	tell(s->arg);
}

static void wake_inbox(struct md_inbox *inbox)
{
	tell(inbox->arg);
}

void md_program_init(struct md_program *p, struct md_session *session,
		     struct mathis_host *host)
{
	p->session = session;
	p->machine = NULL;
	TAILQ_INIT(&p->runs);
	atomic_init(&p->has_news, false);
	pthread_cond_init(&p->news, NULL);
	session->arg = p;
	session->wake = wake;
	session->inbox->arg = p;
	session->inbox->wake = wake_inbox;
	host->arg = p;
	host->call = make_call;
	host->poll = take_news;
	host->cancel = cancel_call;
	host->ended = md_program_task_ended;
	host->moved = task_moved;
}

int md_program_run(struct md_program *p)
{
	struct md_session *s = p->session;
	int state;

	while ((state = mathis_run(p->machine)) == MATHIS_WAITS) {
		pthread_mutex_lock(&s->core->lock);
		while (!atomic_load(&p->has_news))
			pthread_cond_wait(&p->news, &s->core->lock);
		pthread_mutex_unlock(&s->core->lock);
		take_news(p);
	}
	return state;
}

void md_program_fini(struct md_program *p)
{
	struct md_session *s = p->session;
	struct md_call *c;

	pthread_mutex_lock(&s->core->lock);
	s->wake = NULL;
	pthread_mutex_unlock(&s->core->lock);
	/* Their tickets and functions are those of this machine. */
	md_session_stop(s);
	while ((c = md_session_take(s))) {
		drop_args(p->machine, c);
		md_call_put(c);
	}
	md_inbox_end(s->inbox);
	md_program_end_upcalls(p);
	md_session_renew_inbox(s);
	pthread_cond_destroy(&p->news);
}
