// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs by chance against a second, plain interpreter: the generator keeps
 * the stack and the locals that each instruction should leave, computed in
 * 128 bits, and the machine must end with the same.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kselftest_harness.h>

#include "machine.h"
#include "sample.h"

#define DEPTH 12
#define LOCALS 4

/* What a value should be: none, bool or i64. */
struct expect {
	int kind;
	__int128 n;
};

struct model {
	uint64_t state;
	char *p;
	unsigned int labels;
	unsigned int depth;
	struct expect stack[DEPTH];
	struct expect locals[LOCALS];
};

static uint32_t chance(struct model *o, uint32_t n)
{
	o->state = o->state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (o->state >> 33) % n;
}

static void say(struct model *o, const char *text)
{
	o->p += sprintf(o->p, "%s\n", text);
}

static void push(struct model *o, int kind, __int128 n)
{
	o->stack[o->depth++] = (struct expect){ kind, n };
}

static void push_number(struct model *o)
{
	static const int64_t numbers[] = { 0,  1,   -1,	 2,	    7,
					   63, 255, -10, INT64_MAX, INT64_MIN };
	int64_t n = chance(o, 3) ? numbers[chance(o, 10)] :
				   (int64_t)chance(o, 100000) - 50000;

	o->p += sprintf(o->p, "CONST_I64 %lld\n", (long long)n);
	push(o, MATHIS_INT, n);
}

static void push_any(struct model *o)
{
	int i = chance(o, LOCALS);

	switch (chance(o, 6)) {
	case 0:
		say(o, "CONST_NONE");
		push(o, MATHIS_NONE, 0);
		break;
	case 1:
		say(o, "CONST_TRUE");
		push(o, MATHIS_BOOL, 1);
		break;
	case 2:
		say(o, "CONST_FALSE");
		push(o, MATHIS_BOOL, 0);
		break;
	case 3:
		o->p += sprintf(o->p, "GET_LOCAL %d\n", i);
		o->stack[o->depth++] = o->locals[i];
		break;
	default:
		push_number(o);
	}
}

/* Round down, whatever the signs are. */
static __int128 floor_div(__int128 a, __int128 b)
{
	__int128 q = a / b;

	return q * b != a && (a < 0) != (b < 0) ? q - 1 : q;
}

/* The low 64 bits, with their sign. */
static __int128 wrap(__int128 n)
{
	return (int64_t)(uint64_t)n;
}

static const char *const binary[] = {
	"ADD",	  "SUB",     "MUL", "DIV", "MOD",  "FLOOR_DIV", "BIT_AND",
	"BIT_OR", "BIT_XOR", "SHL", "SHR", "USHR", "EQ",	"NE",
	"LT",	  "LE",	     "GT",  "GE",  "CMP",  "I64_ADD",
};

/* The result of an operation on numbers; false where it is an error. */
static bool compute(int op, __int128 a, __int128 b, struct expect *r)
{
	__int128 power = b >= 0 && b < 64 ? (__int128)1 << b : 0;
	bool divides = op >= 3 && op <= 5;
	bool shifts = op >= 9 && op <= 11;
	const __int128 results[] = {
		a + b,
		a - b,
		a * b,
		divides && b ? a / b : 0,
		divides && b ? a - a / b * b : 0,
		divides && b ? floor_div(a, b) : 0,
		a & b,
		a | b,
		a ^ b,
		shifts ? wrap(a * power) : 0,
		shifts && power ? floor_div(a, power) : 0,
		shifts && power ? wrap((__int128)((uint64_t)a) / power) : 0,
		a == b,
		a != b,
		(a < b),
		(a <= b),
		(a > b),
		(a >= b),
		(a > b) - (a < b),
		a + b,
	};

	r->kind = op >= 12 && op <= 17 ? MATHIS_BOOL : MATHIS_INT;
	r->n = results[op];
	return (!divides || b) && (!shifts || power) && r->n >= INT64_MIN &&
	       r->n <= INT64_MAX;
}

/* An operation on the two values on top, if it has a result. */
static void put_binary(struct model *o)
{
	struct expect r = { .kind = MATHIS_BOOL };
	int op = chance(o, sizeof(binary) / sizeof(*binary));
	struct expect *a, *b;

	if (chance(o, 4) && o->depth < DEPTH - 2) {
		push_number(o);
		push_number(o);
	}
	a = &o->stack[o->depth - 2];
	b = &o->stack[o->depth - 1];

	if (a->kind == MATHIS_BOOL && b->kind == MATHIS_BOOL) {
		bool both = chance(o, 2);

		say(o, both ? "AND" : "OR");
		r.n = both ? a->n && b->n : a->n || b->n;
	} else if (a->kind == MATHIS_INT && b->kind == MATHIS_INT) {
		if (!compute(op, a->n, b->n, &r))
			return;
		say(o, binary[op]);
	} else {
		say(o, "EQ");
		r.n = a->kind == b->kind && a->n == b->n;
	}
	o->depth--;
	*a = r;
}

static void put_unary(struct model *o)
{
	struct expect *a = &o->stack[o->depth - 1];

	if (a->kind == MATHIS_BOOL) {
		say(o, "NOT");
		a->n = !a->n;
	} else if (a->kind == MATHIS_NONE || chance(o, 2)) {
		say(o, "IS_SOME");
		*a = (struct expect){ MATHIS_BOOL, a->kind != MATHIS_NONE };
	} else if (a->n != INT64_MIN) {
		say(o, chance(o, 2) ? "NEG" : "NEG NEG BIT_NOT BIT_NOT NEG");
		a->n = -a->n;
	}
}

static void put_move(struct model *o)
{
	struct expect *top = &o->stack[o->depth - 1];
	struct expect one = *top;
	int i = chance(o, LOCALS);

	switch (chance(o, o->depth >= 3 ? 6 : o->depth >= 2 ? 5 : 3)) {
	case 0:
		say(o, "DUP");
		o->stack[o->depth++] = one;
		break;
	case 1:
		say(o, "POP");
		o->depth--;
		break;
	case 2:
		o->p += sprintf(o->p, "SET_LOCAL %d\n", i);
		o->locals[i] = one;
		o->depth--;
		break;
	case 3:
		say(o, "SWAP");
		*top = top[-1];
		top[-1] = one;
		break;
	case 4:
		say(o, "OVER");
		o->stack[o->depth++] = top[-1];
		break;
	default:
		say(o, "ROT");
		one = top[-2];
		top[-2] = top[-1];
		top[-1] = *top;
		*top = one;
	}
}

/* A jump over code that must not run, or through code that must. */
static void put_jump(struct model *o)
{
	struct expect *a = &o->stack[o->depth - 1];
	bool is = a->kind == MATHIS_NONE;
	bool other = chance(o, 2);
	const char *name = other ? "JUMP_IF_SOME" : "JUMP_IF_NONE";
	unsigned int l = o->labels++;

	if (a->kind == MATHIS_BOOL) {
		is = a->n;
		name = other ? "JUMP_IF_FALSE" : "JUMP_IF_TRUE";
	}
	o->depth--;
	if (is != other)
		o->p += sprintf(o->p, "%s .l%u UNREACHABLE\n.l%u: NOP\n", name,
				l, l);
	else
		o->p += sprintf(o->p,
				"%s .l%u JUMP .m%u\n.l%u: UNREACHABLE\n"
				".m%u: NOP\n",
				name, l, l, l, l);
}

/* Instructions that the machine fuses, if their values are numbers. */
static void put_fused(struct model *o)
{
	static const int ops[] = { 0, 1, 2, 12, 13, 14, 15, 16, 17 };
	int a = chance(o, LOCALS), b = chance(o, LOCALS);
	bool constant = chance(o, 2);
	int64_t k = (int64_t)chance(o, 100) - 50;
	__int128 other = constant ? k : o->locals[b].n;
	int op = ops[chance(o, 9)];
	unsigned int l = o->labels++;
	struct expect r;

	if (o->locals[a].kind != MATHIS_INT ||
	    (!constant && o->locals[b].kind != MATHIS_INT) ||
	    !compute(op, o->locals[a].n, other, &r))
		return;
	o->p += sprintf(o->p, "GET_LOCAL %d ", a);
	if (constant)
		o->p += sprintf(o->p, "CONST_I64 %lld ", (long long)k);
	else
		o->p += sprintf(o->p, "GET_LOCAL %d ", b);
	o->p += sprintf(o->p, "%s\n", binary[op]);
	if (op < 3 && chance(o, 2)) {
		o->p += sprintf(o->p, "SET_LOCAL %d\n", b);
		o->locals[b] = r;
	} else if (op < 3) {
		o->stack[o->depth++] = r;
	} else if (chance(o, 2)) {
		o->p += sprintf(o->p,
				"JUMP_IF_%s .l%u UNREACHABLE\n.l%u: NOP\n",
				r.n ? "TRUE" : "FALSE", l, l);
	} else {
		o->p += sprintf(
			o->p,
			"JUMP_IF_%s .l%u JUMP .m%u\n.l%u: UNREACHABLE\n.m%u: NOP\n",
			r.n ? "FALSE" : "TRUE", l, l, l, l);
	}
}

/* A program of @n instructions that returns all values as a tuple. */
static void make(struct model *o, char *source, int n)
{
	memset(o->locals, 0, sizeof(o->locals));
	o->depth = 0;
	o->p = source;
	say(o, ".func main\n.locals 4");
	while (n--) {
		unsigned int kind = chance(o, 9);

		if (kind == 8 && o->depth < DEPTH)
			put_fused(o);
		else if (o->depth < 2 || (kind < 3 && o->depth < DEPTH - 2))
			push_any(o);
		else if (kind < 5)
			put_binary(o);
		else if (kind == 5)
			put_unary(o);
		else if (kind == 6 && o->depth < DEPTH - 1)
			put_move(o);
		else
			put_jump(o);
	}
	o->p += sprintf(o->p, "MAKE_TUPLE %u RET\n.end\n", o->depth);
}

static bool is_expected(const struct model *o, struct mathis_value tuple)
{
	struct mathis_value v;

	for (unsigned int i = 0; i < o->depth; i++) {
		if (mathis_list_at(tuple, i, &v) ||
		    (int)v.kind != o->stack[i].kind ||
		    (v.kind != MATHIS_NONE && v.i != o->stack[i].n))
			return false;
	}
	return mathis_list_at(tuple, o->depth, &v) == -ERANGE;
}

TEST(a_second_interpreter_agrees)
{
	struct model o = { .state = 1 };

	for (int i = 0; i < 1600; i++) {
		struct mathis_module *module;
		struct mathis_machine *m;
		char source[8192];
		char text[512];
		bool same;

		make(&o, source, 60);
		ASSERT_EQ(0, sample_load(source, &module));
		/* Each second one without fused instructions. */
		if (i % 2)
			memcpy(module->fast, module->code, module->code_size);
		ASSERT_EQ(0, mathis_machine_new(module, NULL, NULL, &m));
		ASSERT_EQ(0, mathis_start(m, NULL, NULL, 0));
		ASSERT_EQ(MATHIS_DONE, mathis_run(m))
		{
			TH_LOG("%s%s", source, mathis_error(m)->text);
		}
		mathis_show(mathis_result(m), text, sizeof(text));
		same = is_expected(&o, mathis_result(m));
		mathis_machine_free(m);
		mathis_unload(module);
		ASSERT_TRUE(same)
		{
			TH_LOG("%s%s", source, text);
		}
	}
}

TEST_HARNESS_MAIN
