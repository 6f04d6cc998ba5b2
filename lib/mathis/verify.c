// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The verifier. It walks each function once for its instructions and their
 * operands, then along all its paths for the depth of the stack and the TRY
 * blocks, both of which are the same however an instruction is reached. The
 * interpreter relies on all of it and checks none of it again.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "verify.h"

#define DEPTH_MAX 65535

int verify_refuse(struct verifier *v, uint32_t at, const char *fmt, ...)
{
	const struct mathis_line *line;
	struct mathis_error *e = v->error;
	va_list args;

	if (!e)
		return -ENOEXEC;
	memset(e, 0, sizeof(*e));
	e->code = MATHIS_VERIFY;
	e->offset = at;
	if (v->f && v->f->name.len)
		snprintf(e->function, sizeof(e->function), "%.*s",
			 (int)v->f->name.len, v->f->name.data);
	else if (v->f)
		snprintf(e->function, sizeof(e->function), "#%u", v->index);
	line = v->f ? mathis_find_line(v->m, v->f->code + at) : NULL;
	if (line) {
		struct mathis_span file =
			mathis_const_str(v->m, v->m->files[line->file]);

		e->line = line->line;
		snprintf(e->file, sizeof(e->file), "%.*s", (int)file.len,
			 file.data);
	}
	va_start(args, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, args);
	va_end(args);
	return -ENOEXEC;
}

static void decode(const struct verifier *v, uint32_t at,
		   struct mathis_insn *insn)
{
	mathis_read_insn(v->m->code + v->f->code + at, v->f->size - at, insn);
}

/* Find where instructions begin. */
static int find_insns(struct verifier *v)
{
	struct mathis_insn insn;

	for (uint32_t at = 0; at < v->f->size; at += insn.size) {
		const uint8_t *code = v->m->code + v->f->code + at;
		int ret = mathis_read_insn(code, v->f->size - at, &insn);

		if (ret == -ENOENT)
			return verify_refuse(v, at, "0x%02x is no instruction",
					     *code);
		if (ret)
			return verify_refuse(v, at,
					     "the instruction is cut off");
		v->states[at].begins = true;
		ret = verify_operands(v, at, &insn);
		if (ret)
			return ret;
	}
	return 0;
}

static uint32_t pops(const struct verifier *v, const struct mathis_insn *insn)
{
	int n = mathis_opcode(insn->op)->pops;

	if (n != MATHIS_OP_VAR)
		return n;
	switch (insn->op) {
	case OP_CALL_INDIRECT:
		return insn->arg[0] + 1;
	case OP_CALL:
	case OP_TAIL_CALL:
	case OP_MAKE_CLOSURE:
	case OP_MAKE_STRUCT:
	case OP_SYSCALL_N:
		return insn->arg[1];
	case OP_MAKE_MAP:
		return 2 * insn->arg[0];
	case OP_SYSCALL:
		return mathis_call_arity(v->host, insn->arg[0]);
	case OP_SPAWN:
	case OP_NATIVE_CALL:
		return v->m->funcs[insn->arg[0]].arity;
	default:
		return insn->arg[0];
	}
}

static uint32_t pushes(const struct mathis_insn *insn)
{
	int n = mathis_opcode(insn->op)->pushes;

	return n == MATHIS_OP_VAR ? insn->arg[0] : n;
}

/* Control goes on at @to. */
static int reach(struct verifier *v, uint32_t at, int64_t to,
		 struct verify_state state)
{
	struct verify_state *s;
	bool catches;

	if (to < 0 || to > v->f->size)
		return verify_refuse(v, at, "a jump out of the function");
	if (to == v->f->size)
		return verify_refuse(v, at, "control falls off the end");
	s = &v->states[to];
	if (!s->begins)
		return verify_refuse(v, at, "a jump into an instruction");
	catches = v->m->code[v->f->code + to] == OP_CATCH;
	if (state.handler != catches)
		return verify_refuse(
			v, at,
			state.handler ? "the handler is no CATCH" :
					"CATCH is reached without an error");
	if (!s->reached) {
		state.begins = true;
		state.reached = true;
		*s = state;
		v->work[v->n_work++] = to;
		return 0;
	}
	if (s->depth != state.depth)
		return verify_refuse(
			v, at,
			"offset %u is reached with %u and with %u values",
			(uint32_t)to, s->depth, state.depth);
	if (s->outer != state.outer)
		return verify_refuse(v, at,
				     "offset %u is reached from two blocks",
				     (uint32_t)to);
	return 0;
}

/* The least depth inside of a block: that of its start. */
static uint32_t floor_of(const struct verifier *v, uint32_t outer)
{
	return outer == VERIFY_NO_TRY ? 0 : v->states[outer].depth;
}

/* The instruction that begins the block around, or -1. */
static int begins(const struct verifier *v, uint32_t outer)
{
	return outer == VERIFY_NO_TRY ? -1 : v->m->code[v->f->code + outer];
}

/* A branch comes to its AI_MERGE, or fails: it returns to no one. */
static int check_fork(struct verifier *v, uint32_t at, uint32_t outer)
{
	for (; outer != VERIFY_NO_TRY; outer = v->states[outer].outer) {
		if (begins(v, outer) == OP_AI_FORK)
			return verify_refuse(v, at, "RET before AI_MERGE");
	}
	return 0;
}

/* How TRY blocks, and those from AI_FORK to AI_MERGE, nest. */
static int check_try(struct verifier *v, uint32_t at,
		     const struct mathis_insn *insn, struct verify_state *state)
{
	struct verify_state handler = *state;

	switch (insn->op) {
	case OP_TRY_START:
		handler.handler = true;
		state->outer = at;
		return reach(v, at, (int64_t)at + insn->size + insn->arg[0],
			     handler);
	case OP_AI_FORK:
		state->outer = at;
		return 0;
	case OP_RET:
		return check_fork(v, at, state->outer);
	case OP_AI_MERGE:
		if (begins(v, state->outer) != OP_AI_FORK)
			return verify_refuse(v, at, "AI_MERGE without AI_FORK");
		state->outer = v->states[state->outer].outer;
		return 0;
	case OP_TRY_END:
		if (begins(v, state->outer) != OP_TRY_START)
			return verify_refuse(v, at,
					     "TRY_END without TRY_START");
		state->outer = v->states[state->outer].outer;
		return 0;
	case OP_TAIL_CALL:
		if (state->outer != VERIFY_NO_TRY)
			return verify_refuse(
				v, at,
				"TAIL_CALL in a TRY block, or before AI_MERGE");
		return 0;
	}
	return 0;
}

static int step(struct verifier *v, uint32_t at)
{
	struct verify_state state = v->states[at];
	struct mathis_func *f = &v->m->funcs[v->index];
	struct mathis_insn insn;
	uint32_t least, n;
	int64_t next;
	int ret;

	decode(v, at, &insn);
	next = (int64_t)at + insn.size;
	state.handler = false;
	least = floor_of(v, state.outer);
	n = pops(v, &insn);
	if (state.depth < least + n)
		return verify_refuse(v, at, "%s takes %u values of %u",
				     mathis_opcode(insn.op)->name, n,
				     state.depth - least);
	/* The handler of a TRY block is reached before its own pushes. */
	ret = check_try(v, at, &insn, &state);
	if (ret)
		return ret;
	state.depth += pushes(&insn) - n;
	if (state.depth > DEPTH_MAX)
		return verify_refuse(v, at, "more than %u values", DEPTH_MAX);
	if (state.depth > f->depth)
		f->depth = state.depth;
	if (mathis_opcode(insn.op)->operands[0] == 'j' &&
	    insn.op != OP_TRY_START) {
		struct verify_state taken = state;

		taken.depth -= insn.op == OP_JUMP_IF_DONE;
		ret = reach(v, at, next + insn.arg[0], taken);
		if (ret)
			return ret;
	}
	if (mathis_opcode(insn.op)->flags == MATHIS_OP_ENDS)
		return 0;
	return reach(v, at, next, state);
}

static int verify_func(struct verifier *v)
{
	struct verify_state start = { .outer = VERIFY_NO_TRY };
	int ret;

	if (v->f->flags & FUNC_EXTERN)
		return 0;
	if (!v->f->size)
		return verify_refuse(v, 0, "a function without instructions");
	v->states = calloc(v->f->size, sizeof(*v->states));
	v->work = calloc(v->f->size, sizeof(*v->work));
	v->n_work = 0;
	if (!v->states || !v->work)
		ret = mathis_fail(v->error, -ENOMEM, MATHIS_OUT_OF_MEMORY,
				  "no memory");
	else
		ret = find_insns(v);
	if (!ret)
		ret = reach(v, 0, 0, start);
	while (!ret && v->n_work)
		ret = step(v, v->work[--v->n_work]);
	free(v->work);
	return ret;
}

/* The states of each offset of a verified function, from malloc(), or NULL. */
struct verify_state *mathis_states(const struct mathis_module *m,
				   const struct mathis_host *host,
				   uint32_t func)
{
	struct verifier v = { .m = (struct mathis_module *)m,
			      .host = host,
			      .f = &m->funcs[func],
			      .index = func };

	if (verify_func(&v)) {
		free(v.states);
		return NULL;
	}
	return v.states;
}

/* Count the values that each function captures. */
static int find_captures(struct verifier *v)
{
	struct mathis_insn insn;
	bool *made = calloc(v->m->n_funcs + 1, sizeof(*made));
	int ret = made ? 0 : -ENOMEM;

	for (v->index = 0; !ret && v->index < v->m->n_funcs; v->index++) {
		v->f = &v->m->funcs[v->index];
		for (uint32_t at = 0; at < v->f->size;) {
			const uint8_t *code = v->m->code + v->f->code + at;
			struct mathis_func *f;

			at += mathis_insn_size(*code);
			if (*code != OP_MAKE_CLOSURE || at > v->f->size)
				continue;
			mathis_read_insn(code, mathis_insn_size(*code), &insn);
			if (insn.arg[0] >= v->m->n_funcs)
				continue;
			f = &v->m->funcs[insn.arg[0]];
			if (made[insn.arg[0]] && f->captured != insn.arg[1]) {
				ret = verify_refuse(
					v, code - v->m->code - v->f->code,
					"function %d captures %u values elsewhere",
					(int)insn.arg[0], f->captured);
				break;
			}
			f->captured = insn.arg[1];
			made[insn.arg[0]] = true;
		}
	}
	if (ret == -ENOMEM)
		mathis_fail(v->error, ret, MATHIS_OUT_OF_MEMORY, "no memory");
	free(made);
	return ret;
}

int mathis_verify(struct mathis_module *m, const struct mathis_host *host,
		  struct mathis_error *error)
{
	struct verifier v = { .m = m, .host = host, .error = error };
	int ret = find_captures(&v);

	for (v.index = 0; !ret && v.index < m->n_funcs; v.index++) {
		v.f = &m->funcs[v.index];
		v.states = NULL;
		ret = verify_func(&v);
		free(v.states);
	}
	if (!ret && mathis_fuse(m))
		ret = mathis_fail(error, -ENOMEM, MATHIS_OUT_OF_MEMORY,
				  "no memory");
	m->verified = !ret;
	m->arity = host ? host->arity : NULL;
	return ret;
}
