// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Errors while a program runs: where they came from, and who catches them.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "machine.h"

/* Fill in where the instruction stands that runs. */
static void locate(struct mathis_machine *m)
{
	const struct mathis_module *module = m->module;
	struct mathis_error *e = &m->error;
	const struct mathis_line *line;
	const struct mathis_func *f;
	uint32_t at;

	if (!m->task || !m->task->n_frames || !m->ip)
		return;
	f = mathis_top_frame(m->task)->func;
	at = m->ip - module->fast;
	e->offset = at - f->code;
	if (f->name.len)
		snprintf(e->function, sizeof(e->function), "%.*s",
			 (int)f->name.len, f->name.data);
	else
		snprintf(e->function, sizeof(e->function), "#%u",
			 (unsigned int)(f - module->funcs));
	line = mathis_find_line(module, at);
	if (!line)
		return;
	e->line = line->line;
	snprintf(e->file, sizeof(e->file), "%.*s",
		 (int)mathis_const_str(module, module->files[line->file]).len,
		 mathis_const_str(module, module->files[line->file]).data);
}

static void note(struct mathis_machine *m, int code, const char *fmt,
		 va_list args)
{
	memset(&m->error, 0, sizeof(m->error));
	m->error.code = code;
	vsnprintf(m->error.text, sizeof(m->error.text), fmt, args);
	m->has_thrown = false;
}

/* The instruction that runs fails; a TRY block may catch it. */
int mathis_throw(struct mathis_machine *m, int code, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	note(m, code, fmt, args);
	va_end(args);
	locate(m);
	return RUN_THROWS;
}

int mathis_type_error(struct mathis_machine *m, const char *what,
		      struct mathis_value v)
{
	return mathis_throw(m, MATHIS_ARG_TYPE, "%s cannot be a %s", what,
			    mathis_kind_name(v.kind));
}

/* A comparison, search or hash failed. */
int mathis_work_error(struct mathis_machine *m, int ret)
{
	if (ret == MATHIS_TOO_DEEP)
		return mathis_throw(m, MATHIS_LIMIT,
				    "containers nest deeper than %d",
				    MATHIS_NEST);
	return mathis_throw(m, MATHIS_LIMIT,
			    "it compares or hashes more than %llu bytes",
			    (unsigned long long)mathis_most_work(m));
}

/* The program ends; nothing catches it. */
int mathis_panic(struct mathis_machine *m, int code, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	note(m, code, fmt, args);
	va_end(args);
	locate(m);
	m->state = MATHIS_FAILED;
	return RUN_SWITCH;
}

/* The text of an error map, for those who read about it. */
static void describe(struct mathis_machine *m, struct mathis_value error)
{
	struct mathis_map *map = mathis_map_of(error);

	m->error.code = MATHIS_THROWN;
	mathis_show(error, m->error.text, sizeof(m->error.text));
	mathis_charge(m, strlen(m->error.text));
	if (error.kind != KIND_MAP)
		return;
	mathis_charge(m, map->n * sizeof(*map->entries));
	for (size_t i = 0; i < map->n; i++) {
		struct mathis_entry *e = &map->entries[i];
		size_t n;
		const char *key = mathis_text(e->key, &n);

		if (key && !strcmp(key, "code") && e->value.kind == KIND_INT)
			m->error.code = e->value.i;
		if (key && !strcmp(key, "message") && e->value.kind == KIND_STR)
			snprintf(m->error.text, sizeof(m->error.text), "%.*s",
				 (int)sizeof(m->error.text) - 1,
				 mathis_text(e->value, &n));
	}
}

/* THROW, or the error of a task that another awaits. */
int mathis_raise(struct mathis_machine *m, struct mathis_value error)
{
	memset(&m->error, 0, sizeof(m->error));
	describe(m, error);
	locate(m);
	m->thrown = error;
	m->has_thrown = true;
	return RUN_THROWS;
}

/* A map of code, name and message. */
int mathis_error_value(struct mathis_machine *m, int code, const char *text,
		       struct mathis_value *value)
{
	const char *name = mathis_code_name(code);
	size_t n = strlen(text);
	size_t pins = m->n_pins;
	struct mathis_value v;
	int ret = RUN_THROWS;

	if (mathis_make_map(m, KIND_MAP, value))
		return RUN_THROWS;
	mathis_pin(m, *value);
	if (mathis_map_put(m, mathis_map_of(*value), "code",
			   MATHIS_V(KIND_INT, code)))
		goto out;
	if (mathis_make_text(m, KIND_STR, name, strlen(name), &v))
		goto out;
	mathis_pin(m, v);
	if (mathis_map_put(m, mathis_map_of(*value), "name", v))
		goto out;
	/* Where the text was cut, a character may have been. */
	while (!mathis_utf8(text, n))
		n--;
	if (mathis_make_text(m, KIND_STR, text, n, &v))
		goto out;
	mathis_pin(m, v);
	ret = mathis_map_put(m, mathis_map_of(*value), "message", v);
out:
	m->n_pins = pins;
	return ret;
}

/* Go on at the innermost TRY block; without one, the task ends. */
int mathis_unwind(struct mathis_machine *m)
{
	struct mathis_task *t = m->task;
	struct mathis_error error = m->error;
	struct mathis_value v = m->thrown;
	struct mathis_try *try;

	m->n_pins = 0;
	if (!m->has_thrown &&
	    mathis_error_value(m, error.code, error.text, &v)) {
		/* Not even the error fits into memory. */
		m->error = error;
		m->state = MATHIS_FAILED;
		return RUN_SWITCH;
	}
	m->error = error;
	m->has_thrown = false;
	mathis_drop_fork(m, t);
	if (!t->n_tries) {
		mathis_end_task(m, t, v, true);
		return RUN_SWITCH;
	}
	try = &t->tries[--t->n_tries];
	t->n_frames = try->frame + 1;
	t->sp = try->depth;
	mathis_top_frame(t)->ip = try->handler;
	t->caught = v;
	return 0;
}
