// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Frames: calls, returns, TRY blocks.
 */
#include <endian.h>
#include <stdio.h>
#include <string.h>

#include "machine.h"

/* Make room for @n values above the stack of a task: 0 or RUN_THROWS. */
int mathis_room(struct mathis_machine *m, struct mathis_task *t, size_t n)
{
	size_t want = t->sp + n;
	size_t room = t->room ? t->room * 2 : 32;
	struct mathis_value *more;

	if (want <= t->room)
		return 0;
	if (want > m->limits.stack)
		return mathis_throw(m, MATHIS_LIMIT,
				    "the stack is limited to %u values",
				    m->limits.stack);
	if (room < want)
		room = want;
	more = mathis_resize(m, t->stack, t->room * sizeof(*more),
			     room * sizeof(*more));
	if (!more)
		return RUN_THROWS;
	t->stack = more;
	t->room = room;
	return 0;
}

int mathis_add_frame(struct mathis_machine *m, struct mathis_task *t)
{
	size_t room = t->room_frames ? t->room_frames * 2 : 8;
	struct mathis_frame *more;

	if (t->n_frames < t->room_frames)
		return 0;
	/* A frame is worth four values: it needs none of its own. */
	if (t->n_frames * 4 >= m->limits.stack)
		return mathis_throw(m, MATHIS_LIMIT,
				    "%zu calls inside of each other",
				    t->n_frames);
	more = mathis_resize(m, t->frames, t->room_frames * sizeof(*more),
			     room * sizeof(*more));
	if (!more)
		return RUN_THROWS;
	t->frames = more;
	t->room_frames = room;
	return 0;
}

/* "MODULE:SYMBOL" */
void mathis_import_name(const struct mathis_module *module,
			const struct mathis_func *f, char *name, size_t size)
{
	const struct mathis_import *im = &module->imports[f->import];
	struct mathis_span of = mathis_const_str(module, im->module);
	struct mathis_span symbol = mathis_const_str(module, im->symbol);

	snprintf(name, size, "%.*s:%.*s", (int)of.len, of.data, (int)symbol.len,
		 symbol.data);
}

static int not_linked(struct mathis_machine *m, const struct mathis_func *f)
{
	char name[MATHIS_NATIVE_NAME];

	mathis_import_name(m->module, f, name, sizeof(name));
	return mathis_throw(m, MATHIS_NOT_FOUND, "%.200s is not linked", name);
}

static void clear_locals(struct mathis_task *t, const struct mathis_func *f)
{
	for (unsigned int i = 0; i < f->locals; i++)
		t->stack[t->sp++] = MATHIS_V(KIND_NONE, 0);
}

static void trace(struct mathis_machine *m, const struct mathis_func *f)
{
	if (m->host.trace)
		mathis_event(m, MATHIS_EVENT_CALL, "%.*s", (int)f->name.len,
			     f->name.data ?: "");
}

/*
 * Call a function whose values are on top of the stack of @t; its result is
 * to go to depth @ret.
 */
int mathis_enter(struct mathis_machine *m, struct mathis_task *t, uint32_t func,
		 struct mathis_closure *closure, uint32_t ret)
{
	const struct mathis_func *f = &m->module->funcs[func];

	if (f->flags & FUNC_EXTERN)
		return not_linked(m, f);
	if (mathis_room(m, t, f->locals + (size_t)f->depth + 1) ||
	    mathis_add_frame(m, t))
		return RUN_THROWS;
	t->frames[t->n_frames++] = (struct mathis_frame){
		.func = f,
		.ip = m->module->fast + f->code,
		.closure = closure,
		.base = t->sp - f->arity,
		.ret = ret,
	};
	clear_locals(t, f);
	trace(m, f);
	return 0;
}

int op_call(struct mathis_machine *m, const uint8_t *arg)
{
	struct mathis_task *t = m->task;

	return mathis_enter(m, t, mathis_arg16(arg), NULL, t->sp - arg[2]);
}

/* Call what @func refers to, with the @argc values on top of the stack. */
static int enter_value(struct mathis_machine *m, struct mathis_value func,
		       unsigned int argc, uint32_t ret)
{
	const struct mathis_func *f = &m->module->funcs[func.aux];

	if (f->arity != argc)
		return mathis_throw(m, MATHIS_ARITY,
				    "%.*s takes %u values, not %u",
				    (int)f->name.len, f->name.data ?: "",
				    f->arity, argc);
	return mathis_enter(m, m->task, func.aux,
			    (struct mathis_closure *)func.o, ret);
}

int op_call_indirect(struct mathis_machine *m, const uint8_t *arg)
{
	struct mathis_value func = TOP(*arg);

	if (func.kind != KIND_FUNC)
		return mathis_type_error(m, "a function", func);
	return enter_value(m, func, *arg, m->task->sp - *arg - 1);
}

static bool is_named(struct mathis_machine *m, const struct mathis_func *f,
		     const struct mathis_str *name)
{
	if (f->name.len != name->len)
		return false;
	mathis_charge(m, name->len);
	return !name->len || !memcmp(f->name.data, name->data, name->len);
}

/* [name, arguments] -> [result] */
int op_reflect_call(struct mathis_machine *m, const uint8_t *arg)
{
	struct mathis_value name = TOP(1);
	struct mathis_value list = TOP(0);
	struct mathis_value func = { .kind = KIND_FUNC };
	struct mathis_task *t = m->task;
	uint32_t ret = t->sp - 2;
	size_t n;

	(void)arg;
	if (name.kind != KIND_STR || list.kind != KIND_LIST)
		return mathis_type_error(m, "a name or arguments",
					 name.kind == KIND_STR ? list : name);
	mathis_charge(m, m->module->n_funcs * sizeof(*m->module->funcs));
	while (func.aux < m->module->n_funcs &&
	       !is_named(m, &m->module->funcs[func.aux], mathis_str_of(name)))
		func.aux++;
	if (func.aux == m->module->n_funcs ||
	    m->module->funcs[func.aux].captured)
		return mathis_throw(m, MATHIS_NOT_FOUND, "no function %.200s",
				    mathis_str_of(name)->data);
	n = mathis_seq_of(list)->n;
	if (n > UINT8_MAX)
		return mathis_throw(m, MATHIS_ARITY, "%zu values", n);
	if (mathis_room(m, t, n))
		return RUN_THROWS;
	if (n)
		memcpy(t->stack + t->sp, mathis_seq_of(list)->items,
		       n * sizeof(*t->stack));
	t->sp += n;
	return enter_value(m, func, n, ret);
}

int op_tail_call(struct mathis_machine *m, const uint8_t *arg)
{
	const struct mathis_func *f = &m->module->funcs[mathis_arg16(arg)];
	struct mathis_task *t = m->task;
	struct mathis_frame *frame = mathis_top_frame(t);

	if (f->flags & FUNC_EXTERN)
		return not_linked(m, f);
	if (mathis_room(m, t, f->locals + (size_t)f->depth + 1))
		return RUN_THROWS;
	memmove(t->stack + frame->base, t->stack + t->sp - f->arity,
		f->arity * sizeof(*t->stack));
	t->sp = frame->base + f->arity;
	frame->func = f;
	frame->ip = m->module->fast + f->code;
	frame->closure = NULL;
	clear_locals(t, f);
	trace(m, f);
	return 0;
}

int op_ret(struct mathis_machine *m, const uint8_t *arg)
{
	struct mathis_task *t = m->task;
	struct mathis_value result = TOP(0);

	(void)arg;
	if (m->host.trace)
		mathis_event(m, MATHIS_EVENT_RETURN, "%.*s",
			     (int)mathis_top_frame(t)->func->name.len,
			     mathis_top_frame(t)->func->name.data ?: "");
	t->sp = mathis_top_frame(t)->ret;
	t->stack[t->sp++] = result;
	t->n_frames--;
	while (t->n_tries && t->tries[t->n_tries - 1].frame >= t->n_frames)
		t->n_tries--;
	if (t->n_frames)
		return 0;
	mathis_end_task(m, t, result, false);
	return RUN_SWITCH;
}

int op_make_closure(struct mathis_machine *m, const uint8_t *arg)
{
	struct mathis_task *t = m->task;
	struct mathis_closure *c;
	unsigned int n = arg[2];
	struct mathis_value v;

	c = mathis_alloc(m, sizeof(*c) + n * sizeof(*c->captured), KIND_FUNC);
	if (!c)
		return RUN_THROWS;
	c->n = n;
	memcpy(c->captured, t->stack + t->sp - n, n * sizeof(*c->captured));
	v = mathis_ref(KIND_FUNC, c);
	v.aux = mathis_arg16(arg);
	return mathis_replace(m, n, v);
}

/* Make room for one TRY block more: 0 or RUN_THROWS. */
int mathis_add_try(struct mathis_machine *m, struct mathis_task *t)
{
	size_t room = t->room_tries ? t->room_tries * 2 : 4;
	struct mathis_try *more;

	if (t->n_tries < t->room_tries)
		return 0;
	more = mathis_resize(m, t->tries, t->room_tries * sizeof(*more),
			     room * sizeof(*more));
	if (!more)
		return RUN_THROWS;
	t->tries = more;
	t->room_tries = room;
	return 0;
}

int op_try_start(struct mathis_machine *m, const uint8_t *arg)
{
	struct mathis_task *t = m->task;
	int32_t offset;

	if (mathis_add_try(m, t))
		return RUN_THROWS;
	memcpy(&offset, arg, sizeof(offset));
	t->tries[t->n_tries++] = (struct mathis_try){
		.frame = t->n_frames - 1,
		.depth = t->sp,
		.handler = mathis_top_frame(t)->ip + (int32_t)le32toh(offset),
	};
	return 0;
}

int op_try_end(struct mathis_machine *m, const uint8_t *arg)
{
	(void)arg;
	m->task->n_tries--;
	return 0;
}

int op_catch(struct mathis_machine *m, const uint8_t *arg)
{
	struct mathis_task *t = m->task;

	(void)arg;
	t->stack[t->sp++] = t->caught;
	t->caught = MATHIS_V(KIND_NONE, 0);
	return 0;
}

int op_throw(struct mathis_machine *m, const uint8_t *arg)
{
	(void)arg;
	return mathis_raise(m, TOP(0));
}
