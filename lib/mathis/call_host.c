// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Calls by number: those that the machine makes itself, and the embedder's.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "machine.h"

void mathis_event(struct mathis_machine *m, enum mathis_event event,
		  const char *fmt, ...)
{
	char text[512];
	va_list args;

	if (!m->host.event)
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	m->host.event(m->host.arg, event, text);
}

int mathis_call_fail(struct mathis_call *call, int code, const char *fmt, ...)
{
	const char *name = call->native ?: mathis_call_name(call->id);
	char text[200];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (name)
		mathis_throw(call->machine, code, "%.200s: %s", name, text);
	else
		mathis_throw(call->machine, code, "call 0x%04x: %s", call->id,
			     text);
	return -ECANCELED;
}

int mathis_call_throw(struct mathis_call *call, struct mathis_value error)
{
	mathis_raise(call->machine, error);
	return -ECANCELED;
}

/* Replace @argc values by Ok(v) or Err(v). */
static int put_result(struct mathis_machine *m, unsigned int argc,
		      struct mathis_value v, bool failed)
{
	struct mathis_value result;
	int ret;

	mathis_pin(m, v);
	ret = mathis_make_enum(m, KIND_RESULT, failed, &result);
	m->n_pins--;
	if (ret)
		return ret;
	((struct mathis_enum *)result.o)->has = true;
	((struct mathis_enum *)result.o)->value = v;
	return mathis_replace(m, argc, result);
}

/* The error that was thrown, as a value that nothing else refers to. */
static int catch_error(struct mathis_machine *m, struct mathis_value *v)
{
	struct mathis_error e = m->error;

	m->n_pins = 0;
	if (m->has_thrown) {
		*v = m->thrown;
		m->has_thrown = false;
		return 0;
	}
	return mathis_error_value(m, e.code, e.text, v);
}

/* A call whose result is a task: @t is that task, and a root. */
static int put_future(struct mathis_machine *m, struct mathis_task *t,
		      struct mathis_call *call, int ret)
{
	struct mathis_value v = call->result;

	if (ret == -EINPROGRESS) {
		mathis_add_call(m, t);
	} else {
		if (ret && catch_error(m, &v))
			return RUN_THROWS;
		mathis_end_task(m, t, v, ret != 0);
	}
	return mathis_replace(m, call->argc, mathis_ref(KIND_TASK, t));
}

/* A call that the machine makes itself, with the bits of its result. */
static int do_own(struct mathis_machine *m, uint16_t id, unsigned int argc,
		  const struct mathis_own *own)
{
	struct mathis_call call = { .argc = argc };
	struct mathis_task *future = NULL;
	int ret;

	if (id & CALL_FUTURE && mathis_new_task(m, &future))
		return RUN_THROWS;
	ret = mathis_run_own(m, own, future);
	if (ret == RUN_SWITCH)
		return ret;
	if (!ret) {
		call.result = TOP(0);
		call.argc = 1;
	}
	if (future) {
		ret = put_future(m, future, &call, ret);
	} else if (id & CALL_RESULT) {
		if (ret && catch_error(m, &call.result))
			return RUN_THROWS;
		ret = put_result(m, call.argc, call.result, ret != 0);
	}
	if (ret || (id & CALL_NUMBER) != CALL_TASK_YIELD)
		return ret;
	mathis_make_ready(m, m->task);
	return RUN_SWITCH;
}

static int host_call(struct mathis_machine *m, struct mathis_call *call)
{
	mathis_throw(m, MATHIS_IO, "the call failed");
	if (call->native ? !m->host.native : !m->host.call)
		return mathis_call_fail(call, MATHIS_DENIED, "not allowed");
	return call->native ? m->host.native(m->host.arg, call) :
			      m->host.call(m->host.arg, call);
}

/* Ask the embedder to end a call of a task; @gone: the task ends at once. */
void mathis_cancel(struct mathis_machine *m, struct mathis_task *t, bool gone)
{
	if (gone)
		mathis_remove_call(m, t);
	if (m->host.cancel)
		m->host.cancel(m->host.arg, t->id);
}

/* Ask the embedder, with the @argc values on top of the stack. */
static int ask_host(struct mathis_machine *m, uint16_t id, unsigned int argc,
		    const char *native)
{
	struct mathis_task *t = m->task;
	struct mathis_task *future = NULL;
	struct mathis_call call = { .machine = m,
				    .id = id & CALL_NUMBER,
				    .argc = argc,
				    .args = t->stack + t->sp - argc,
				    .task = t->id,
				    .native = native };
	struct mathis_value v;
	int ret;

	if (id & CALL_FUTURE && mathis_new_task(m, &future))
		return RUN_THROWS;
	call.ticket = future ? future->id : t->id;
	ret = host_call(m, &call);
	m->n_kept = 0;
	t->told |= call.tell;
	if (future)
		return put_future(m, future, &call, ret);
	if (ret == -EINPROGRESS) {
		t->call = id;
		t->argc = argc;
		mathis_add_call(m, t);
		return RUN_SWITCH;
	}
	if (!(id & CALL_RESULT))
		return ret ? RUN_THROWS : mathis_replace(m, argc, call.result);
	v = call.result;
	if (ret && catch_error(m, &v))
		return RUN_THROWS;
	return put_result(m, argc, v, ret != 0);
}

/* Make a call with the @argc values on top of the stack. */
int mathis_do_call(struct mathis_machine *m, uint16_t id, unsigned int argc)
{
	const struct mathis_own *own = mathis_find_own(id & CALL_NUMBER, argc);

	if (own)
		return do_own(m, id, argc, own);
	return ask_host(m, id, argc, NULL);
}

int mathis_complete(struct mathis_machine *m, uint64_t ticket, int code,
		    struct mathis_value value, const char *text)
{
	struct mathis_task *t = mathis_find_call(m, ticket);
	int ret = t ? mathis_end_call(m, t, code, value, text) : -ENOENT;

	/* Not even that error fits: the call would be in progress for ever. */
	if (ret == -ENOMEM && code == MATHIS_MEMORY_LIMIT)
		mathis_panic(m, code, "%s", text ?: "no memory");
	return ret;
}

/* End the call of a task: 0 or -ENOMEM. */
int mathis_end_call(struct mathis_machine *m, struct mathis_task *t, int code,
		    struct mathis_value value, const char *text)
{
	struct mathis_task *was = m->task;

	mathis_pin(m, value);
	if (code != MATHIS_OK && code != MATHIS_THROWN) {
		memset(&m->error, 0, sizeof(m->error));
		if (mathis_error_value(m, code, text ?: "", &value)) {
			m->n_pins = 0;
			return -ENOMEM;
		}
		mathis_pin(m, value);
	} else if (code == MATHIS_THROWN) {
		/* For the text of an error that no one awaits. */
		mathis_raise(m, value);
		m->has_thrown = false;
	}
	if (!t->n_frames) {
		mathis_end_task(m, t, value, code != MATHIS_OK);
	} else {
		m->task = t;
		if (t->call & CALL_RESULT) {
			if (put_result(m, t->argc, value, code != MATHIS_OK)) {
				m->task = was;
				m->n_pins = 0;
				return -ENOMEM;
			}
		} else if (code != MATHIS_OK) {
			t->raise = true;
			t->caught = value;
		} else {
			mathis_replace(m, t->argc, value);
		}
		/* With @raise a snapshot has to know of the value. */
		if (!t->raise) {
			t->sp -= t->drop;
			t->drop = false;
		}
		m->task = was;
		mathis_make_ready(m, t);
	}
	m->n_pins = 0;
	mathis_remove_call(m, t);
	return 0;
}

/* SYSCALL, SYSCALL_N */
int op_syscall(struct mathis_machine *m, const uint8_t *arg)
{
	uint16_t id = mathis_arg16(arg);

	return mathis_do_call(m, id,
			      arg[-1] == OP_SYSCALL_N ?
				      arg[2] :
				      mathis_call_arity(&m->host, id));
}

/* NATIVE_CALL: an imported function, which the embedder has. */
int op_native_call(struct mathis_machine *m, const uint8_t *arg)
{
	const struct mathis_func *f = &m->module->funcs[mathis_arg16(arg)];
	char name[MATHIS_NATIVE_NAME];

	mathis_import_name(m->module, f, name, sizeof(name));
	return ask_host(m, 0, f->arity, name);
}

/* AI_CALL, AI_EMBED, AI_SIMILARITY: calls of their own. */
int op_ai_call(struct mathis_machine *m, const uint8_t *arg)
{
	static const char *const models[] = { "default", "fast", "smart",
					      "local" };
	struct mathis_task *t = m->task;
	struct mathis_value v;

	if (arg[-1] == OP_AI_EMBED)
		return mathis_do_call(m, CALL_EMBED, 1);
	if (arg[-1] == OP_AI_SIMILARITY)
		return mathis_do_call(m, CALL_SIMILARITY, 2);
	if (mathis_room(m, t, 2) || mathis_make_text(m, KIND_STR, models[*arg],
						     strlen(models[*arg]), &v))
		return RUN_THROWS;
	mathis_replace(m, 0, v);
	mathis_replace(m, 0, MATHIS_V(KIND_NONE, 0));
	return mathis_do_call(m, CALL_COMPLETE, 3);
}

/* AI_LOG: log(severity, message); its result is dropped. */
int op_ai_log(struct mathis_machine *m, const uint8_t *arg)
{
	struct mathis_task *t = m->task;
	struct mathis_value message = TOP(0);
	int ret;

	if (mathis_room(m, t, 1))
		return RUN_THROWS;
	t->stack[t->sp - 1] = MATHIS_V(KIND_INT, *arg);
	t->stack[t->sp++] = message;
	ret = mathis_do_call(m, CALL_LOG, 2);
	if (!ret)
		t->sp--;
	t->drop = ret == RUN_SWITCH;
	return ret;
}
