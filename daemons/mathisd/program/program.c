// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls of a machine, served; a machine waits for those that end later.
 */
#include <errno.h>

#include "core/call.h"
#include "core/core.h"
#include "core/session.h"
#include "program.h"

/* Take the arguments out of the machine. */
static int take_args(struct mathis_call *call, struct md_call *c)
{
	bool copy = !c->row || c->row->info->mode != MATHIS_MODE_INLINE;

	for (unsigned int i = 0; i < call->argc; i++) {
		int ret = mathis_to_item(call->machine, call->args[i], &c->pool,
					 copy, &c->args[i]);

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
	ret = take_args(call, c);
	if (!ret && md_call_start(c) == MD_LATER)
		return -EINPROGRESS;
	if (!ret)
		ret = ended(call, c);
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
	if (ret)
		mathis_complete(m, c->ticket, MATHIS_MEMORY_LIMIT, v,
				"the result does not fit into the heap");
	else
		mathis_complete(m, c->ticket, code, v, NULL);
	md_call_put(c);
}

static bool complete_all(struct md_program *p)
{
	struct md_call *c = md_session_take(p->session);
	bool any = c;

	for (; c; c = md_session_take(p->session))
		complete(p, c);
	return any;
}

static void poll_calls(void *arg)
{
	complete_all(arg);
}

/* Under core->lock. */
static void wake(struct md_session *s)
{
	struct md_program *p = s->arg;

	pthread_cond_signal(&p->news);
}

void md_program_init(struct md_program *p, struct md_session *session,
		     struct mathis_host *host)
{
	p->session = session;
	p->machine = NULL;
	pthread_cond_init(&p->news, NULL);
	session->arg = p;
	session->wake = wake;
	host->arg = p;
	host->call = make_call;
	host->poll = poll_calls;
}

int md_program_run(struct md_program *p)
{
	struct md_session *s = p->session;
	int state;

	while ((state = mathis_run(p->machine)) == MATHIS_WAITS) {
		pthread_mutex_lock(&s->core->lock);
		while (TAILQ_EMPTY(&s->ended))
			pthread_cond_wait(&p->news, &s->core->lock);
		pthread_mutex_unlock(&s->core->lock);
		complete_all(p);
	}
	return state;
}

void md_program_fini(struct md_program *p)
{
	pthread_mutex_lock(&p->session->core->lock);
	p->session->wake = NULL;
	pthread_mutex_unlock(&p->session->core->lock);
	pthread_cond_destroy(&p->news);
}
