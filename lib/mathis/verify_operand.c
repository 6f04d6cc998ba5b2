// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The operands of an instruction: what they name is there, and of the right
 * kind.
 */
#include "verify.h"

static int check_local(struct verifier *v, uint32_t at, int64_t i)
{
	int n = v->f->arity + v->f->locals;

	if (i < n)
		return 0;
	return verify_refuse(v, at, "local %d of %d", (int)i, n);
}

static int check_global(struct verifier *v, uint32_t at,
			const struct mathis_insn *insn)
{
	int64_t i = insn->arg[0];

	if (i >= v->m->n_globals)
		return verify_refuse(v, at, "global %d of %u", (int)i,
				     v->m->n_globals);
	if (insn->op == OP_SET_GLOBAL && v->m->globals[i].fixed)
		return verify_refuse(v, at, "global %d never changes", (int)i);
	return 0;
}

static int check_constant(struct verifier *v, uint32_t at, char letter,
			  int64_t i)
{
	if (i >= v->m->n_consts)
		return verify_refuse(v, at, "constant %d of %u", (int)i,
				     v->m->n_consts);
	if (letter == 's' && v->m->consts[i].kind != KIND_STR)
		return verify_refuse(v, at, "constant %d is no text", (int)i);
	return 0;
}

/* Kinds that values have. */
static bool is_kind(int64_t i)
{
	switch (i) {
	case KIND_NONE:
	case KIND_BOOL:
	case KIND_I8 ... KIND_F64:
	case KIND_CHAR:
	case KIND_STR:
	case KIND_BYTES:
	case KIND_LIST ... KIND_TUPLE:
	case KIND_STRUCT:
	case KIND_ENUM:
	case KIND_RESULT ... KIND_ITERATOR:
		return true;
	}
	return false;
}

static int check_type(struct verifier *v, uint32_t at,
		      const struct mathis_insn *insn)
{
	int64_t id = insn->arg[0];
	const struct mathis_type *t = mathis_find_type(v->m, id);
	unsigned int n = insn->arg[1];

	if (!t && (id >= MATHIS_TYPE_FIRST || !is_kind(id)))
		return verify_refuse(v, at, "type %#x is unknown", (int)id);
	if (t && t->kind == TYPE_ALIAS)
		return verify_refuse(v, at, "type %#x is an alias", (int)id);
	if (insn->op != OP_MAKE_STRUCT)
		return 0;
	if (!t || t->kind != TYPE_STRUCT)
		return verify_refuse(v, at, "type %#x is no struct", (int)id);
	if (n > t->n_fields)
		return verify_refuse(v, at, "%u values for %u fields", n,
				     t->n_fields);
	if (n < t->needs)
		return verify_refuse(v, at,
				     "field %u has no value and no default",
				     t->needs - 1U);
	return 0;
}

static int check_func(struct verifier *v, uint32_t at,
		      const struct mathis_insn *insn)
{
	int64_t i = insn->arg[0];
	const struct mathis_func *f;

	if (i >= v->m->n_funcs)
		return verify_refuse(v, at, "function %d of %u", (int)i,
				     v->m->n_funcs);
	f = &v->m->funcs[i];
	if (insn->op == OP_MAKE_CLOSURE && !(f->flags & FUNC_EXTERN))
		return 0;
	if (insn->op == OP_MAKE_CLOSURE)
		return verify_refuse(v, at, "function %d is imported", (int)i);
	if (f->captured)
		return verify_refuse(v, at, "function %d captures values",
				     (int)i);
	if (insn->op == OP_NATIVE_CALL && !(f->flags & FUNC_EXTERN))
		return verify_refuse(v, at, "function %d is not imported",
				     (int)i);
	if ((insn->op == OP_CALL || insn->op == OP_TAIL_CALL) &&
	    insn->arg[1] != f->arity)
		return verify_refuse(v, at,
				     "function %d takes %u values, not %d",
				     (int)i, f->arity, (int)insn->arg[1]);
	return 0;
}

/* Numbers that only some instructions limit. */
static int check_number(struct verifier *v, uint32_t at,
			const struct mathis_insn *insn)
{
	int64_t n = insn->arg[0];

	switch (insn->op) {
	case OP_MEM_LOAD:
	case OP_MEM_STORE:
		if (n == 1 || n == 2 || n == 4 || n == 8)
			return 0;
		return verify_refuse(v, at, "no number has %d bytes", (int)n);
	case OP_AI_LOG:
		if (n <= 4)
			return 0;
		return verify_refuse(v, at, "severity %d", (int)n);
	case OP_AI_CALL:
		if (n <= 3)
			return 0;
		return verify_refuse(v, at, "model %d", (int)n);
	case OP_SELECT:
	case OP_AI_DECIDE:
	case OP_AI_FORK:
		if (n)
			return 0;
		return verify_refuse(v, at, "%s of nothing",
				     mathis_opcode(insn->op)->name);
	}
	return 0;
}

int verify_operands(struct verifier *v, uint32_t at,
		    const struct mathis_insn *insn)
{
	const char *operands = mathis_opcode(insn->op)->operands;
	int ret = 0;

	for (int i = 0; operands[i] && !ret; i++) {
		switch (operands[i]) {
		case 'c':
		case 's':
			ret = check_constant(v, at, operands[i], insn->arg[i]);
			break;
		case 'l':
			ret = check_local(v, at, insn->arg[i]);
			break;
		case 'u':
			if (insn->arg[i] >= v->f->captured)
				ret = verify_refuse(v, at,
						    "captured value %d of %u",
						    (int)insn->arg[i],
						    v->f->captured);
			break;
		case 'g':
			ret = check_global(v, at, insn);
			break;
		case 't':
			ret = check_type(v, at, insn);
			break;
		case 'f':
			ret = check_func(v, at, insn);
			break;
		case 'i':
			if (insn->op == OP_SYSCALL &&
			    mathis_call_arity(v->host, insn->arg[i]) < 0)
				ret = verify_refuse(
					v, at,
					"call 0x%04x is unknown: SYSCALL_N says its values",
					(unsigned int)insn->arg[i]);
			break;
		case 'b':
		case 'n':
			ret = check_number(v, at, insn);
			break;
		}
	}
	return ret;
}
