// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Calls by number that the machine makes itself. Each finds its values on the
 * stack and replaces them by its result, as an instruction does.
 */
#include <string.h>

#include "machine.h"

#define OWN_END 1 /* in a task on the stack: a wait of the machine's own */

static int put_none(struct mathis_machine *m, size_t n)
{
	return mathis_replace(m, n, MATHIS_V(KIND_NONE, 0));
}

/* io_emit: a byte becomes a list, for ADD to join to another. */
static int emit(struct mathis_machine *m)
{
	struct mathis_value byte = TOP(0);
	struct mathis_value v;

	if (byte.kind != KIND_INT)
		return mathis_type_error(m, "a byte", byte);
	if (byte.i < 0 || byte.i > UINT8_MAX)
		return mathis_throw(m, MATHIS_ARG_RANGE, "no byte: %lld",
				    (long long)byte.i);
	if (mathis_make_seq(m, KIND_LIST, 1, &v))
		return RUN_THROWS;
	mathis_seq_of(v)->items[0] = byte;
	mathis_seq_of(v)->n = 1;
	return mathis_replace(m, 1, v);
}

/* task_spawn: a function and the list of its values */
static int spawn(struct mathis_machine *m)
{
	struct mathis_value func = TOP(1);
	struct mathis_value list = TOP(0);
	struct mathis_task *t;

	if (func.kind != KIND_FUNC || list.kind != KIND_LIST)
		return mathis_type_error(m, "a function or its values",
					 func.kind == KIND_FUNC ? list : func);
	if (mathis_seq_of(list)->n != m->module->funcs[func.aux].arity)
		return mathis_throw(m, MATHIS_ARITY,
				    "the function takes %u values, not %zu",
				    m->module->funcs[func.aux].arity,
				    mathis_seq_of(list)->n);
	if (mathis_new_task(m, &t) ||
	    mathis_begin(m, t, func, mathis_seq_of(list)->items,
			 mathis_seq_of(list)->n))
		return RUN_THROWS;
	return mathis_replace(m, 2, mathis_ref(KIND_TASK, t));
}

/* mem_stats: {bytes, limit, fuel} */
static int mem_stats(struct mathis_machine *m)
{
	struct mathis_value v;
	int ret;

	if (mathis_make_map(m, KIND_MAP, &v))
		return RUN_THROWS;
	mathis_pin(m, v);
	ret = mathis_map_put(m, mathis_map_of(v), "bytes",
			     MATHIS_V(KIND_INT, m->bytes));
	if (!ret)
		ret = mathis_map_put(m, mathis_map_of(v), "limit",
				     MATHIS_V(KIND_INT, m->limits.heap));
	if (!ret)
		ret = mathis_map_put(m, mathis_map_of(v), "fuel",
				     MATHIS_V(KIND_INT, m->fuel));
	m->n_pins--;
	return ret ?: mathis_replace(m, 0, v);
}

static int chan_new(struct mathis_machine *m)
{
	struct mathis_value v;

	if (mathis_make_channel(m, TOP(0), &v))
		return RUN_THROWS;
	return mathis_replace(m, 1, v);
}

static int chan_close(struct mathis_machine *m)
{
	return mathis_close_channel(m, TOP(0)) ?: put_none(m, 1);
}

static int chan_send(struct mathis_machine *m)
{
	return op_send(m, NULL) ?: put_none(m, 0);
}

static int chan_recv(struct mathis_machine *m)
{
	return op_recv(m, NULL);
}

/*
 * The task on top of the stack, whose end is that of a wait. Milliseconds become
 * one first: the future of a call that sleeps, which is marked as the machine's.
 */
static int take_end(struct mathis_machine *m, struct mathis_task **end)
{
	struct mathis_value *at = &m->task->stack[m->task->sp - 1];
	struct mathis_value ms = *at;
	int ret;

	if (ms.kind == KIND_INT) {
		if (mathis_room(m, m->task, 1))
			return RUN_THROWS;
		m->task->stack[m->task->sp++] = ms;
		ret = mathis_do_call(m, CALL_SLEEP | CALL_FUTURE, 1);
		m->task->sp--;
		if (ret)
			return ret;
		at = &m->task->stack[m->task->sp - 1];
		*at = m->task->stack[m->task->sp];
		at->aux = OWN_END;
		/* No one else hears how it ends. */
		((struct mathis_task *)at->o)->awaited = true;
	}
	if (at->kind != KIND_TASK)
		return mathis_type_error(m, "milliseconds or a task", *at);
	*end = (struct mathis_task *)at->o;
	return 0;
}

/* The wait is over: the machine's call need not go on. */
static void drop_end(struct mathis_machine *m)
{
	struct mathis_value v = TOP(0);
	struct mathis_task *end = (struct mathis_task *)v.o;

	if (v.kind == KIND_TASK && v.aux == OWN_END && end->state == TASK_CALLS)
		mathis_cancel(m, end, false);
}

/* A call that slept and failed never began to wait. */
static bool end_failed(struct mathis_machine *m, const struct mathis_task *end)
{
	return TOP(0).aux == OWN_END && end->failed;
}

static int chan_recv_until(struct mathis_machine *m)
{
	struct mathis_value v = TOP(1);
	struct mathis_channel *c = (struct mathis_channel *)v.o;
	struct mathis_task *end;
	int ret;

	if (v.kind != KIND_CHANNEL)
		return mathis_type_error(m, "a channel", v);
	if (!c->n && !c->closed) {
		ret = take_end(m, &end);
		if (ret)
			return ret;
		if (end->state != TASK_ENDED)
			return mathis_park(m,
					   (struct mathis_wait *
					    *[]){ &c->waiters, &end->waiters },
					   2);
		return end_failed(m, end) ? mathis_raise(m, end->result) :
					    put_none(m, 2);
	}
	drop_end(m);
	m->task->sp--;
	ret = op_recv(m, NULL);
	m->task->sp += !!ret;
	return ret;
}

static int task_await_until(struct mathis_machine *m)
{
	struct mathis_value v = TOP(1);
	struct mathis_task *t = (struct mathis_task *)v.o;
	struct mathis_task *end;
	int ret;

	if (v.kind == KIND_TASK && t->state != TASK_ENDED && t != m->task) {
		ret = take_end(m, &end);
		if (ret)
			return ret;
		if (end->state != TASK_ENDED)
			return mathis_await_either(m, t, end);
		if (end_failed(m, end))
			return mathis_raise(m, end->result);
		return mathis_throw(m, MATHIS_TIMEOUT,
				    "the task has not ended");
	}
	drop_end(m);
	m->task->sp--;
	ret = op_await(m, NULL);
	m->task->sp += !!ret;
	return ret;
}

/* chan_select: what SELECT does with a list; the pair as a tuple */
static int chan_select(struct mathis_machine *m)
{
	struct mathis_value list = TOP(0);
	struct mathis_value pair;
	uint8_t n;
	int ret;

	if (list.kind != KIND_LIST)
		return mathis_type_error(m, "a list of channels", list);
	if (mathis_seq_of(list)->n < 1 || mathis_seq_of(list)->n > UINT8_MAX)
		return mathis_throw(m, MATHIS_ARG_RANGE,
				    "a list of 1 to %d channels, not %zu",
				    UINT8_MAX, mathis_seq_of(list)->n);
	n = mathis_seq_of(list)->n;
	if (mathis_make_seq(m, KIND_TUPLE, 2, &pair))
		return RUN_THROWS;
	mathis_pin(m, pair);
	ret = mathis_room(m, m->task, n + 1U);
	if (!ret) {
		memcpy(&m->task->stack[m->task->sp], mathis_seq_of(list)->items,
		       n * sizeof(pair));
		m->task->sp += n;
		ret = op_select(m, &n);
		if (ret)
			m->task->sp -= n; /* the list is on top again */
	}
	m->n_pins--;
	if (ret)
		return ret;
	mathis_seq_of(pair)->items[0] = TOP(1);
	mathis_seq_of(pair)->items[1] = TOP(0);
	return mathis_replace(m, 3, pair);
}

static int task_yield(struct mathis_machine *m)
{
	return put_none(m, 0);
}

static int gc_collect(struct mathis_machine *m)
{
	mathis_collect(m);
	return put_none(m, 0);
}

static int task_self(struct mathis_machine *m)
{
	return mathis_replace(m, 0, MATHIS_V(KIND_INT, m->task->id));
}

static int task_await(struct mathis_machine *m)
{
	return op_await(m, NULL);
}

static int task_status(struct mathis_machine *m)
{
	static const char *const names[] = {
		[TASK_READY] = "ready", [TASK_RUNS] = "runs",
		[TASK_WAITS] = "waits", [TASK_CALLS] = "calls",
		[TASK_RESTS] = "rests", [TASK_ENDED] = "done",
	};
	struct mathis_value v = TOP(0);
	struct mathis_task *t = (struct mathis_task *)v.o;
	const char *name;

	if (v.kind != KIND_TASK)
		return mathis_type_error(m, "a task", v);
	name = t->state == TASK_ENDED && t->failed ? "failed" : names[t->state];
	if (mathis_make_text(m, KIND_STR, name, strlen(name), &v))
		return RUN_THROWS;
	return mathis_replace(m, 1, v);
}

/* Take a task out of the line of those that are ready. */
static void unready(struct mathis_machine *m, struct mathis_task *t)
{
	struct mathis_task **at = &m->ready;

	while (*at && *at != t)
		at = &(*at)->next_ready;
	if (!*at)
		return;
	*at = t->next_ready;
	if (!*at)
		m->last_ready = at;
}

/* End a task where it is. */
static int task_kill(struct mathis_machine *m)
{
	struct mathis_value v = TOP(0);
	struct mathis_task *t = (struct mathis_task *)v.o;
	struct mathis_value error;

	if (v.kind != KIND_TASK)
		return mathis_type_error(m, "a task", v);
	if (t->state == TASK_ENDED)
		return put_none(m, 1);
	if (mathis_error_value(m, MATHIS_CANCELLED, "the task was killed",
			       &error))
		return RUN_THROWS;
	mathis_pin(m, error);
	if (t->state == TASK_READY)
		unready(m, t);
	else if (t->state == TASK_WAITS)
		mathis_unpark(t);
	else if (t->state == TASK_CALLS)
		mathis_cancel(m, t, true);
	mathis_raise(m, error); /* for the text, if it is main */
	m->has_thrown = false;
	t->awaited = true; /* no event says that it was lost */
	mathis_end_task(m, t, error, true);
	m->n_pins = 0;
	/* It was the running task, or has forked it. */
	return m->task->state == TASK_ENDED ? RUN_SWITCH : put_none(m, 1);
}

/* future_cancel: the call ends later, with Cancelled */
static int future_cancel(struct mathis_machine *m)
{
	struct mathis_value v = TOP(0);
	struct mathis_task *t = (struct mathis_task *)v.o;
	bool calls;

	if (v.kind != KIND_TASK)
		return mathis_type_error(m, "a task", v);
	calls = t->state == TASK_CALLS && !t->n_frames;
	if (calls)
		mathis_cancel(m, t, false);
	return mathis_replace(m, 1, MATHIS_V(KIND_BOOL, calls));
}

static const struct mathis_own {
	uint16_t id;
	uint8_t argc;
	bool waits; /* it may run again, and cannot be a future */
	int (*run)(struct mathis_machine *m);
} calls[] = {
	{ 0x0020, 1, false, emit },
	{ 0x0300, 2, false, spawn },
	{ 0x0301, 1, true, task_kill },
	{ 0x0302, 1, true, task_await },
	{ 0x0302, 2, true, task_await_until },
	{ 0x0303, 1, false, task_status },
	{ CALL_TASK_YIELD, 0, false, task_yield },
	{ 0x0305, 0, false, task_self },
	{ 0x0404, 0, false, mem_stats },
	{ 0x0405, 0, false, gc_collect },
	{ 0x0500, 1, false, chan_new },
	{ 0x0501, 2, true, chan_send },
	{ 0x0502, 1, true, chan_recv },
	{ 0x0502, 2, true, chan_recv_until },
	{ 0x0503, 1, false, chan_close },
	{ 0x0504, 1, true, chan_select },
	{ 0x0522, 1, true, task_await },
	{ 0x0523, 1, false, future_cancel },
};

const struct mathis_own *mathis_find_own(uint16_t id, unsigned int argc)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		if (calls[i].id == id && calls[i].argc == argc)
			return &calls[i];
	}
	return NULL;
}

int mathis_run_own(struct mathis_machine *m, const struct mathis_own *own,
		   bool future)
{
	if (future && own->waits)
		return mathis_throw(m, MATHIS_UNSUPPORTED,
				    "it waits for a task: spawn one for it");
	return own->run(m);
}
