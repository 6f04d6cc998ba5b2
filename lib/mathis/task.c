// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Green tasks. A task runs until it ends, waits, yields or spends the fuel. A
 * waiting task is in the wait list of each task and channel that it waits for.
 * An event there makes all tasks of that list ready; each repeats its
 * instruction.
 */
#include <string.h>

#include "machine.h"

void mathis_make_ready(struct mathis_machine *m, struct mathis_task *t)
{
	t->state = TASK_READY;
	t->next_ready = NULL;
	*m->last_ready = t;
	m->last_ready = &t->next_ready;
}

/* Take a task out of all lists that it waits in. */
void mathis_unpark(struct mathis_task *t)
{
	for (size_t i = 0; i < t->n_waits; i++) {
		struct mathis_wait *w = &t->waits[i];

		if (!w->prev)
			continue;
		*w->prev = w->next;
		if (w->next)
			w->next->prev = w->prev;
		w->prev = NULL;
	}
}

/*
 * The running task waits for @n things and then runs its instruction again.
 * Returns RUN_SWITCH or RUN_THROWS.
 */
int mathis_park(struct mathis_machine *m, struct mathis_wait ***lists, size_t n)
{
	struct mathis_task *t = m->task;

	if (t->n_waits < n) {
		struct mathis_wait *more;

		more = mathis_resize(m, t->waits, t->n_waits * sizeof(*more),
				     n * sizeof(*more));
		if (!more)
			return RUN_THROWS;
		memset(more + t->n_waits, 0, (n - t->n_waits) * sizeof(*more));
		t->waits = more;
		t->n_waits = n;
	}
	for (size_t i = 0; i < n; i++) {
		struct mathis_wait **at = lists[i];

		/* Those that came first are woken first. */
		for (; *at; at = &(*at)->next)
			m->fuel--;
		t->waits[i] = (struct mathis_wait){ NULL, at, t };
		*at = &t->waits[i];
	}
	mathis_top_frame(t)->ip = m->ip;
	t->state = TASK_WAITS;
	return RUN_SWITCH;
}

void mathis_wake(struct mathis_machine *m, struct mathis_wait **list)
{
	while (*list) {
		struct mathis_task *t = (*list)->task;

		m->fuel--;
		mathis_unpark(t);
		mathis_make_ready(m, t);
	}
}

/* A task without a function; a root until it ends. */
int mathis_new_task(struct mathis_machine *m, struct mathis_task **task)
{
	struct mathis_task *t = mathis_alloc(m, sizeof(*t), KIND_TASK);

	if (!t)
		return RUN_THROWS;
	t->id = ++m->last_id;
	t->next = m->tasks;
	t->prev = &m->tasks;
	if (t->next)
		t->next->prev = &t->next;
	m->tasks = t;
	*task = t;
	return 0;
}

/* A task that has ended, or that nothing can wake any more. */
void mathis_forget(struct mathis_task *t)
{
	*t->prev = t->next;
	if (t->next)
		t->next->prev = t->prev;
	t->state = TASK_ENDED;
}

void mathis_free_stack(struct mathis_machine *m, struct mathis_task *t)
{
	mathis_resize(m, t->stack, t->room * sizeof(*t->stack), 0);
	mathis_resize(m, t->frames, t->room_frames * sizeof(*t->frames), 0);
	mathis_resize(m, t->tries, t->room_tries * sizeof(*t->tries), 0);
	t->stack = NULL;
	t->frames = NULL;
	t->tries = NULL;
	t->room = 0;
	t->sp = 0;
	t->n_frames = 0;
	t->room_frames = 0;
	t->n_tries = 0;
	t->room_tries = 0;
}

/* Give a task its function and values, and make it ready: 0 or RUN_THROWS. */
int mathis_begin(struct mathis_machine *m, struct mathis_task *t,
		 struct mathis_value func, const struct mathis_value *args,
		 unsigned int argc)
{
	if (mathis_room(m, t, argc + 1))
		goto failed;
	if (argc)
		memcpy(t->stack, args, argc * sizeof(*args));
	t->sp = argc;
	if (mathis_enter(m, t, func.aux, (struct mathis_closure *)func.o, 0))
		goto failed;
	mathis_make_ready(m, t);
	return 0;
failed:
	mathis_forget(t);
	return RUN_THROWS;
}

/* The program ends with its first task. */
static void end_program(struct mathis_machine *m, bool failed)
{
	m->state = failed ? MATHIS_FAILED : MATHIS_DONE;
}

void mathis_end_task(struct mathis_machine *m, struct mathis_task *t,
		     struct mathis_value result, bool failed)
{
	t->result = result;
	t->failed = failed;
	t->yielded = true;
	t->merged = false;
	t->caught = MATHIS_V(KIND_NONE, 0);
	mathis_drop_fork(m, t);
	mathis_forget(t);
	mathis_free_stack(m, t);
	if (t == m->main)
		end_program(m, failed);
	else if (failed && !t->waiters && !t->awaited)
		mathis_event(m, MATHIS_EVENT_LOST, "%s", m->error.text);
	if (t->told && m->host.ended)
		m->host.ended(m->host.arg, t->id, result, failed);
	mathis_wake(m, &t->waiters);
}

int op_halt(struct mathis_machine *m, const uint8_t *arg)
{
	(void)arg;
	m->main->result = MATHIS_V(KIND_NONE, 0);
	end_program(m, false);
	return RUN_SWITCH;
}

/* SPAWN: a task of a function that captures nothing. */
int op_spawn(struct mathis_machine *m, const uint8_t *arg)
{
	struct mathis_value func = { .kind = KIND_FUNC,
				     .aux = mathis_arg16(arg) };
	unsigned int argc = m->module->funcs[func.aux].arity;
	struct mathis_task *t;

	if (mathis_new_task(m, &t) ||
	    mathis_begin(m, t, func, m->task->stack + m->task->sp - argc, argc))
		return RUN_THROWS;
	return mathis_replace(m, argc, mathis_ref(KIND_TASK, t));
}

/*
 * Wait for the end of a task, or its YIELD, and wake it if it rests; or for the
 * end of another, if there is one.
 */
static int wait_for(struct mathis_machine *m, struct mathis_task *t,
		    struct mathis_task *other)
{
	struct mathis_wait **lists[] = { &t->waiters,
					 other ? &other->waiters : NULL };
	int ret = mathis_park(m, lists, other ? 2 : 1);

	if (ret == RUN_SWITCH && t->state == TASK_RESTS && !t->merged)
		mathis_make_ready(m, t);
	return ret;
}

/* Let the running task await one, or the end of another: RUN_SWITCH or RUN_THROWS. */
int mathis_await_either(struct mathis_machine *m, struct mathis_task *t,
			struct mathis_task *other)
{
	int ret = wait_for(m, t, other);

	if (ret == RUN_SWITCH) {
		t->awaited = true;
		/* Drop a value that nobody resumes it for. */
		t->yielded = t->yielded && t->resumer;
	}
	return ret;
}

int op_await(struct mathis_machine *m, const uint8_t *arg)
{
	struct mathis_value v = TOP(0);
	struct mathis_task *t = (struct mathis_task *)v.o;

	(void)arg;
	if (v.kind != KIND_TASK)
		return mathis_type_error(m, "a task", v);
	if (t->state == TASK_ENDED) {
		t->yielded = false;
		return t->failed ? mathis_raise(m, t->result) :
				   mathis_replace(m, 1, t->result);
	}
	if (t == m->task)
		return mathis_throw(m, MATHIS_BAD_OPERATION,
				    "a task awaits itself");
	return mathis_await_either(m, t, NULL);
}

/*
 * YIELD: the task rests until RESUME takes the value, whichever of the two
 * comes first. One that is awaited, or that cannot be resumed, lets others
 * run and goes on.
 */
int op_yield(struct mathis_machine *m, const uint8_t *arg)
{
	struct mathis_task *t = m->task;

	(void)arg;
	t->result = TOP(0);
	t->sp--;
	if (t == m->main || (t->awaited && !t->resumer)) {
		mathis_make_ready(m, t);
		return RUN_SWITCH;
	}
	t->state = TASK_RESTS;
	t->yielded = true;
	mathis_wake(m, &t->waiters);
	return RUN_SWITCH;
}

int op_resume(struct mathis_machine *m, const uint8_t *arg)
{
	struct mathis_value v = TOP(1);
	struct mathis_task *t = (struct mathis_task *)v.o;
	int ret;

	(void)arg;
	if (v.kind != KIND_TASK)
		return mathis_type_error(m, "a task", v);
	if (TOP(0).kind != KIND_NONE)
		return mathis_type_error(
			m, "the value for YIELD, which takes none,", TOP(0));
	if (t == m->task || (t->resumer && t->resumer != m->task))
		return mathis_throw(m, MATHIS_BAD_OPERATION,
				    "the task is being resumed");
	if (t->yielded) {
		t->resumer = NULL;
		t->yielded = false;
		return t->failed ? mathis_raise(m, t->result) :
				   mathis_replace(m, 2, t->result);
	}
	if (t->state == TASK_ENDED)
		return mathis_throw(m, MATHIS_CLOSED, "the task has ended");
	ret = wait_for(m, t, NULL);
	if (ret == RUN_SWITCH)
		t->resumer = m->task;
	return ret;
}
