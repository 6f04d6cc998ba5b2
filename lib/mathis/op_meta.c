// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Programs about themselves: assertions, marks, descriptions of functions,
 * calls.
 */
#include <stdio.h>
#include <string.h>

#include "machine.h"

static struct mathis_span label(struct mathis_machine *m, const uint8_t *arg)
{
	return mathis_const_str(m->module, mathis_arg16(arg));
}

int op_panic(struct mathis_machine *m, const uint8_t *arg)
{
	char text[200];

	(void)arg;
	mathis_charge(m, sizeof(m->error.text));
	if (TOP(0).kind == KIND_STR)
		return mathis_panic(m, MATHIS_CRASH, "%.*s",
				    (int)sizeof(m->error.text),
				    mathis_str_of(TOP(0))->data);
	mathis_show(TOP(0), text, sizeof(text));
	return mathis_panic(m, MATHIS_CRASH, "%s", text);
}

int op_unreachable(struct mathis_machine *m, const uint8_t *arg)
{
	(void)arg;
	return mathis_panic(m, MATHIS_CRASH, "UNREACHABLE was reached");
}

/* ASSERT, AI_ASSERT, AI_INVARIANT */
int op_assert(struct mathis_machine *m, const uint8_t *arg)
{
	struct mathis_value v = TOP(0);
	struct mathis_span text = label(m, arg);

	if (v.kind != KIND_BOOL)
		return mathis_type_error(m, "a condition", v);
	if (!v.i)
		return mathis_panic(m, MATHIS_CRASH, "assertion: %.*s",
				    (int)text.len, text.data);
	m->task->sp--;
	return 0;
}

/* Instructions that take no value, and that an embedder hears of. */
int op_mark(struct mathis_machine *m, const uint8_t *arg)
{
	struct mathis_span text = { "", 0 };
	enum mathis_event event;

	switch (arg[-1]) {
	case OP_AI_EXPLAIN_START:
	case OP_AI_EXPLAIN_END:
		event = MATHIS_EVENT_EXPLAIN;
		break;
	case OP_PROFILE_START:
	case OP_PROFILE_END:
		event = MATHIS_EVENT_PROFILE;
		break;
	default:
		event = MATHIS_EVENT_HINT;
	}
	if (arg[-1] != OP_AI_EXPLAIN_END)
		text = label(m, arg);
	mathis_event(m, event, "%.*s", (int)text.len, text.data);
	return 0;
}

int op_breakpoint(struct mathis_machine *m, const uint8_t *arg)
{
	(void)arg;
	mathis_event(m, MATHIS_EVENT_BREAKPOINT, "%s", "");
	return 0;
}

int op_trace(struct mathis_machine *m, const uint8_t *arg)
{
	char text[256];

	(void)arg;
	mathis_show(TOP(0), text, sizeof(text));
	mathis_charge(m, strlen(text));
	mathis_event(m, MATHIS_EVENT_TRACE, "%s", text);
	return 0;
}

int op_ai_learn(struct mathis_machine *m, const uint8_t *arg)
{
	struct mathis_span text = label(m, arg);
	char value[256];

	mathis_show(TOP(0), value, sizeof(value));
	mathis_charge(m, strlen(value));
	mathis_event(m, MATHIS_EVENT_HINT, "%.*s: %s", (int)text.len, text.data,
		     value);
	m->task->sp--;
	return 0;
}

static const struct mathis_meta *meta_of(struct mathis_machine *m)
{
	const struct mathis_func *f = mathis_top_frame(m->task)->func;

	return f->meta == MATHIS_NONE_IDX ? NULL : &m->module->metas[f->meta];
}

/* Push a value; the verifier has proved that there is room. */
static int push(struct mathis_machine *m, struct mathis_value v)
{
	m->task->stack[m->task->sp++] = v;
	return 0;
}

static int span_value(struct mathis_machine *m, struct mathis_span s,
		      struct mathis_value *v)
{
	return mathis_make_text(m, KIND_STR, s.data, s.len, v);
}

/* A list of @n texts. */
static int list_value(struct mathis_machine *m, const struct mathis_span *s,
		      unsigned int n, struct mathis_value *v)
{
	int ret = 0;

	if (mathis_make_seq(m, KIND_LIST, n, v))
		return RUN_THROWS;
	mathis_pin(m, *v);
	for (unsigned int i = 0; i < n && !ret; i++) {
		struct mathis_value text;

		ret = span_value(m, s[i], &text);
		if (!ret)
			mathis_seq_of(*v)->items[mathis_seq_of(*v)->n++] = text;
	}
	m->n_pins--;
	return ret;
}

int op_intent(struct mathis_machine *m, const uint8_t *arg)
{
	const struct mathis_meta *meta = meta_of(m);
	struct mathis_value v;

	(void)arg;
	if (span_value(m, meta ? meta->intent : (struct mathis_span){ "", 0 },
		       &v))
		return RUN_THROWS;
	return push(m, v);
}

/* GET_DEPENDS, GET_EFFECTS */
int op_depends(struct mathis_machine *m, const uint8_t *arg)
{
	const struct mathis_meta *meta = meta_of(m);
	bool effects = arg[-1] == OP_GET_EFFECTS;
	const struct mathis_span *s = NULL;
	unsigned int n = 0;
	struct mathis_value v;

	if (meta) {
		s = meta->depends + (effects ? meta->n_depends : 0);
		n = effects ? meta->n_effects : meta->n_depends;
	}
	if (list_value(m, s, n, &v))
		return RUN_THROWS;
	return push(m, v);
}

/* Put a text into a map that is pinned. */
static int put_span(struct mathis_machine *m, struct mathis_value map,
		    const char *key, struct mathis_span s)
{
	struct mathis_value v;
	int ret;

	if (span_value(m, s, &v))
		return RUN_THROWS;
	mathis_pin(m, v);
	ret = mathis_map_put(m, mathis_map_of(map), key, v);
	m->n_pins--;
	return ret;
}

static int put_list(struct mathis_machine *m, struct mathis_value map,
		    const char *key, const struct mathis_span *s,
		    unsigned int n)
{
	struct mathis_value v;
	int ret;

	if (list_value(m, s, n, &v))
		return RUN_THROWS;
	mathis_pin(m, v);
	ret = mathis_map_put(m, mathis_map_of(map), key, v);
	m->n_pins--;
	return ret;
}

int op_block_meta(struct mathis_machine *m, const uint8_t *arg)
{
	static const struct mathis_meta none = { 0 };
	const struct mathis_meta *meta = meta_of(m) ?: &none;
	struct mathis_value v;
	int ret;

	(void)arg;
	if (mathis_make_map(m, KIND_MAP, &v))
		return RUN_THROWS;
	mathis_pin(m, v);
	ret = put_span(m, v, "block", meta->block);
	if (!ret)
		ret = put_span(m, v, "intent", meta->intent);
	if (!ret)
		ret = put_span(m, v, "complexity", meta->complexity);
	if (!ret)
		ret = mathis_map_put(m, mathis_map_of(v), "pure",
				     MATHIS_V(KIND_BOOL, meta->pure));
	if (!ret)
		ret = put_list(m, v, "depends", meta->depends, meta->n_depends);
	if (!ret)
		ret = put_list(m, v, "effects", meta->depends + meta->n_depends,
			       meta->n_effects);
	m->n_pins--;
	return ret ?: push(m, v);
}

/* {function, line} of a frame. */
static int frame_value(struct mathis_machine *m, const struct mathis_frame *f,
		       struct mathis_value *v)
{
	const struct mathis_line *line;
	struct mathis_span name = f->func->name;
	int ret;

	line = mathis_find_line(m->module, f->ip - m->module->fast - 1);
	if (!name.len)
		name.data = "";
	if (mathis_make_map(m, KIND_MAP, v))
		return RUN_THROWS;
	mathis_pin(m, *v);
	ret = put_span(m, *v, "function", name);
	if (!ret)
		ret = mathis_map_put(m, mathis_map_of(*v), "line",
				     MATHIS_V(KIND_INT, line ? line->line : 0));
	m->n_pins--;
	return ret;
}

#define CALLSTACK_MAX 100

/* The innermost call first, at most CALLSTACK_MAX. */
int op_callstack(struct mathis_machine *m, const uint8_t *arg)
{
	struct mathis_task *t = m->task;
	struct mathis_value v;
	int ret = 0;

	(void)arg;
	if (mathis_make_seq(m, KIND_LIST, 0, &v))
		return RUN_THROWS;
	mathis_pin(m, v);
	for (size_t i = 0; i < t->n_frames && i < CALLSTACK_MAX && !ret; i++) {
		struct mathis_value one;

		ret = frame_value(m, &t->frames[t->n_frames - 1 - i], &one);
		if (ret)
			break;
		mathis_pin(m, one);
		ret = mathis_seq_add(m, mathis_seq_of(v), one);
		m->n_pins--;
	}
	m->n_pins--;
	return ret ?: push(m, v);
}

/* Parameters and locals by their number: "0", "1" and on. */
int op_locals_info(struct mathis_machine *m, const uint8_t *arg)
{
	const struct mathis_frame *f = mathis_top_frame(m->task);
	struct mathis_value v;
	int ret = 0;

	(void)arg;
	if (mathis_make_map(m, KIND_MAP, &v))
		return RUN_THROWS;
	mathis_pin(m, v);
	for (int i = 0; i < f->func->arity + f->func->locals && !ret; i++) {
		char name[16];

		snprintf(name, sizeof(name), "%d", i);
		ret = mathis_map_put(m, mathis_map_of(v), name,
				     m->task->stack[f->base + i]);
	}
	m->n_pins--;
	return ret ?: push(m, v);
}
