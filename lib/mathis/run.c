// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A machine from its making to its end, and which task runs next.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "machine.h"

/* The value of a constant of the module: 0 or RUN_THROWS. */
static int make_const(struct mathis_machine *m, const struct mathis_const *c,
		      struct mathis_value *v)
{
	switch (c->kind) {
	case KIND_STR:
	case KIND_BYTES:
		return mathis_make_text(m, c->kind, c->s.data, c->s.len, v);
	case KIND_F32:
	case KIND_F64:
		*v = mathis_float(c->f);
		return 0;
	case KIND_NONE:
	case KIND_BOOL:
	case KIND_CHAR:
		*v = MATHIS_V(c->kind, c->kind == KIND_NONE ? 0 : c->i);
		return 0;
	default:
		*v = MATHIS_V(KIND_INT, c->i);
		return 0;
	}
}

static int make_consts(struct mathis_machine *m)
{
	const struct mathis_module *module = m->module;

	m->consts = calloc(module->n_consts + 1, sizeof(*m->consts));
	m->globals = calloc(module->n_globals + 1, sizeof(*m->globals));
	if (!m->consts || !m->globals)
		return -ENOMEM;
	for (uint32_t i = 0; i < module->n_consts; i++) {
		if (make_const(m, &module->consts[i], &m->consts[i]))
			return -ENOMEM;
	}
	for (uint32_t i = 0; i < module->n_globals; i++) {
		uint32_t init = module->globals[i].init;

		if (init != MATHIS_NONE_IDX)
			m->globals[i] = m->consts[init];
	}
	return 0;
}

int mathis_machine_new(const struct mathis_module *module,
		       const struct mathis_limits *limits,
		       const struct mathis_host *host,
		       struct mathis_machine **machine)
{
	struct mathis_machine *m;

	*machine = NULL;
	if (!module->verified || module->arity != (host ? host->arity : NULL))
		return -EINVAL;
	m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	m->module = module;
	if (host)
		m->host = *host;
	if (limits)
		m->limits = *limits;
	if (!m->limits.stack)
		m->limits.stack = STACK_DEFAULT;
	if (!m->limits.heap)
		m->limits.heap = HEAP_DEFAULT;
	m->threshold = m->limits.heap;
	m->state = MATHIS_READY;
	m->last_ready = &m->ready;
	if (make_consts(m)) {
		mathis_machine_free(m);
		return -ENOMEM;
	}
	m->threshold = 0;
	m->fuel = INT64_MAX;
	if (m->limits.fuel && m->limits.fuel < INT64_MAX)
		m->fuel = m->limits.fuel;
	*machine = m;
	return 0;
}

void mathis_machine_free(struct mathis_machine *m)
{
	if (!m)
		return;
	mathis_free_objects(m);
	free(m->consts);
	free(m->globals);
	free(m->kept);
	free(m->calls);
	free(m->holds);
	free(m);
}

static int find_func(const struct mathis_module *module, const char *name)
{
	if (!name)
		return module->entry < module->n_funcs ? (int)module->entry :
							 -ENOENT;
	for (uint32_t i = 0; i < module->n_funcs; i++) {
		struct mathis_span s = module->funcs[i].name;

		if (s.len == strlen(name) && !memcmp(s.data, name, s.len))
			return i;
	}
	return -ENOENT;
}

int mathis_start(struct mathis_machine *m, const char *function,
		 const struct mathis_value *args, unsigned int argc)
{
	struct mathis_value func = { .kind = KIND_FUNC };
	int i = find_func(m->module, function);
	int64_t fuel = m->fuel;
	struct mathis_task *t;
	int ret = 0;

	if (m->main)
		return -EBUSY;
	if (i < 0 || m->module->funcs[i].flags & FUNC_EXTERN)
		return -ENOENT;
	if (m->module->funcs[i].arity != argc || m->module->funcs[i].captured)
		return -EINVAL;
	func.aux = i;
	if (mathis_new_task(m, &t) || mathis_begin(m, t, func, args, argc))
		ret = -ENOMEM;
	else
		m->main = t;
	/* The embedder started the function: the program pays no fuel for it. */
	m->fuel = fuel;
	return ret;
}

/* The task that has been ready for longest, or NULL. */
static struct mathis_task *next_task(struct mathis_machine *m)
{
	struct mathis_task *t;

	do {
		t = m->ready;
		if (!t)
			return NULL;
		m->ready = t->next_ready;
		if (!m->ready)
			m->last_ready = &m->ready;
	} while (t->state != TASK_READY); /* a branch that was dropped */
	return t;
}

/* Run a task until it stops: 0, or RUN_NO_FUEL. */
static int run_task(struct mathis_machine *m)
{
	struct mathis_task *t = m->task;

	t->state = TASK_RUNS;
	if (t->raise) {
		t->raise = false;
		t->drop = false;
		m->ip = mathis_top_frame(t)->ip - 1;
		mathis_raise(m, t->caught);
		if (mathis_unwind(m) == RUN_SWITCH)
			return 0;
	}
	return mathis_loop(m) == RUN_NO_FUEL ? RUN_NO_FUEL : 0;
}

int mathis_run(struct mathis_machine *m)
{
	if (!m->main)
		return -EINVAL;
	m->n_kept = 0;
	while (m->state != MATHIS_DONE && m->state != MATHIS_FAILED) {
		if (!m->task)
			m->task = next_task(m);
		if (!m->task && (m->n_calls || m->n_held))
			return MATHIS_WAITS;
		if (!m->task) {
			m->ip = NULL;
			mathis_panic(m, MATHIS_NOT_READY,
				     "all tasks wait for each other");
			break;
		}
		if (m->fuel <= 0 || run_task(m))
			return MATHIS_NO_FUEL;
		m->task = NULL;
		if (m->host.poll) {
			m->host.poll(m->host.arg);
			m->n_kept = 0;
		}
	}
	return m->state;
}

void mathis_fuel_add(struct mathis_machine *m, uint64_t fuel)
{
	if (fuel > INT64_MAX ||
	    __builtin_add_overflow(m->fuel, (int64_t)fuel, &m->fuel))
		m->fuel = INT64_MAX;
}

int64_t mathis_fuel(const struct mathis_machine *m)
{
	return m->fuel;
}

uint64_t mathis_heap(const struct mathis_machine *m)
{
	return m->bytes;
}

struct mathis_value mathis_result(const struct mathis_machine *m)
{
	return m->main ? m->main->result : MATHIS_V(KIND_NONE, 0);
}

const struct mathis_error *mathis_error(const struct mathis_machine *m)
{
	return &m->error;
}
