// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Numbers: arithmetic, bits, comparison. An i64 never wraps: what does not
 * fit is an error. An i64 beside an f64 becomes one.
 */
#include <math.h>
#include <string.h>

#include "machine.h"

static int overflow(struct mathis_machine *m)
{
	return mathis_throw(m, MATHIS_ARG_RANGE,
			    "the result does not fit into an i64");
}

static int by_zero(struct mathis_machine *m)
{
	return mathis_throw(m, MATHIS_ARG_RANGE, "division by zero");
}

static bool power(int64_t base, int64_t exponent, int64_t *result)
{
	*result = 1;
	while (exponent) {
		if (exponent & 1 &&
		    __builtin_mul_overflow(*result, base, result))
			return false;
		exponent >>= 1;
		if (exponent && __builtin_mul_overflow(base, base, &base))
			return false;
	}
	return true;
}

static int divide(struct mathis_machine *m, int op, int64_t a, int64_t b,
		  int64_t *r)
{
	if (!b)
		return by_zero(m);
	if (b == -1) {
		*r = 0;
		if (op != OP_MOD && __builtin_sub_overflow(0, a, r))
			return overflow(m);
		return 0;
	}
	*r = op == OP_MOD ? a % b : a / b;
	if (op == OP_FLOOR_DIV && a % b && (a ^ b) < 0)
		--*r;
	return 0;
}

static int of_ints(struct mathis_machine *m, int op, int64_t a, int64_t b)
{
	bool bad = false;
	int64_t r = 0;

	switch (op) {
	case OP_ADD:
	case OP_I64_ADD:
		bad = __builtin_add_overflow(a, b, &r);
		break;
	case OP_SUB:
		bad = __builtin_sub_overflow(a, b, &r);
		break;
	case OP_MUL:
		bad = __builtin_mul_overflow(a, b, &r);
		break;
	case OP_POW:
		if (b < 0)
			return mathis_throw(m, MATHIS_ARG_RANGE,
					    "a negative power of an i64");
		bad = !power(a, b, &r);
		break;
	default:
		if (divide(m, op, a, b, &r))
			return RUN_THROWS;
	}
	return bad ? overflow(m) : mathis_replace(m, 2, MATHIS_V(KIND_INT, r));
}

static double of_floats(int op, double a, double b)
{
	switch (op) {
	case OP_ADD:
	case OP_F64_ADD:
		return a + b;
	case OP_SUB:
		return a - b;
	case OP_MUL:
		return a * b;
	case OP_DIV:
		return a / b;
	case OP_FLOOR_DIV:
		return floor(a / b);
	case OP_POW:
		return pow(a, b);
	default:
		return fmod(a, b);
	}
}

static bool is_number(struct mathis_value v)
{
	return v.kind == KIND_INT || v.kind == KIND_FLOAT;
}

static double to_float(struct mathis_value v)
{
	return v.kind == KIND_INT ? (double)v.i : v.f;
}

static int of_one(struct mathis_machine *m, int op, struct mathis_value v)
{
	if (op == OP_NEG && v.kind == KIND_INT) {
		if (v.i == INT64_MIN)
			return overflow(m);
		return mathis_replace(m, 1, MATHIS_V(KIND_INT, -v.i));
	}
	if (op == OP_NEG && v.kind == KIND_FLOAT)
		return mathis_replace(m, 1, mathis_float(-v.f));
	if (op == OP_I64_TO_F64 && v.kind == KIND_INT)
		return mathis_replace(m, 1, mathis_float(v.i));
	if (op != OP_F64_TO_I64 || v.kind != KIND_FLOAT)
		return mathis_type_error(m, "the number", v);
	if (!(v.f > -9223372036854777856.0 && v.f < 9223372036854775808.0))
		return overflow(m);
	return mathis_replace(m, 1, MATHIS_V(KIND_INT, (int64_t)v.f));
}

/* A ptr and a distance. */
static int move_ptr(struct mathis_machine *m, struct mathis_value p, int64_t by)
{
	int64_t to;

	if (__builtin_add_overflow((int64_t)p.aux, by, &to) || to < 0 ||
	    to > UINT32_MAX)
		return mathis_throw(m, MATHIS_BAD_ADDRESS,
				    "a ptr to no memory");
	p.aux = to;
	return mathis_replace(m, 2, p);
}

int op_arith(struct mathis_machine *m, const uint8_t *arg)
{
	int op = arg[-1];
	struct mathis_value a, b = TOP(0);

	if (op == OP_NEG || op == OP_I64_TO_F64 || op == OP_F64_TO_I64)
		return of_one(m, op, b);
	a = TOP(1);
	if (a.kind == KIND_INT && b.kind == KIND_INT && op != OP_F64_ADD)
		return of_ints(m, op, a.i, b.i);
	if (is_number(a) && is_number(b) && op != OP_I64_ADD)
		return mathis_replace(
			m, 2,
			mathis_float(of_floats(op, to_float(a), to_float(b))));
	if (op == OP_ADD && a.kind == b.kind &&
	    (a.kind == KIND_STR || a.kind == KIND_BYTES || a.kind == KIND_LIST))
		return op_concat(m, arg);
	if (a.kind == KIND_PTR && b.kind == KIND_INT && op == OP_ADD)
		return move_ptr(m, a, b.i);
	if (a.kind == KIND_PTR && b.kind == KIND_INT && op == OP_SUB &&
	    b.i != INT64_MIN)
		return move_ptr(m, a, -b.i);
	return mathis_type_error(m, "the number", is_number(a) ? b : a);
}

int op_equal(struct mathis_machine *m, const uint8_t *arg)
{
	uint64_t most = mathis_most_work(m);
	uint64_t left = most;
	int equal = mathis_equal(TOP(1), TOP(0), 0, &left);

	mathis_charge(m, most - left);
	if (equal < 0)
		return mathis_work_error(m, equal);
	return mathis_replace(m, 2,
			      MATHIS_V(KIND_BOOL, equal == (arg[-1] == OP_EQ)));
}

static int order_of_texts(struct mathis_machine *m, struct mathis_str *a,
			  struct mathis_str *b)
{
	size_t n = a->len < b->len ? a->len : b->len;
	int order = memcmp(a->data, b->data, n);

	mathis_charge(m, n);
	return order ?: (a->len > b->len) - (a->len < b->len);
}

/* -1, 0, 1; 2 beside a NaN; RUN_THROWS - 1 after mathis_throw(). */
#define NO_ORDER 2
#define FAILED (RUN_THROWS - 1)
static int find_order(struct mathis_machine *m, struct mathis_value a,
		      struct mathis_value b)
{
	if (is_number(a) && is_number(b)) {
		/* Exact: 64 bits of an i64 fit. */
		long double x = a.kind == KIND_INT ? a.i : a.f;
		long double y = b.kind == KIND_INT ? b.i : b.f;

		return isnan(x) || isnan(y) ? NO_ORDER : (x > y) - (x < y);
	}
	if (a.kind == KIND_CHAR && b.kind == KIND_CHAR)
		return (a.i > b.i) - (a.i < b.i);
	if (a.kind == b.kind && (a.kind == KIND_STR || a.kind == KIND_BYTES)) {
		int o = order_of_texts(m, mathis_str_of(a), mathis_str_of(b));

		return (o > 0) - (o < 0);
	}
	mathis_throw(m, MATHIS_ARG_TYPE, "%s and %s have no order",
		     mathis_kind_name(a.kind), mathis_kind_name(b.kind));
	return FAILED;
}

int op_compare(struct mathis_machine *m, const uint8_t *arg)
{
	int o = find_order(m, TOP(1), TOP(0));
	bool is;

	if (o == FAILED)
		return RUN_THROWS;
	switch (arg[-1]) {
	case OP_LT:
		is = o == -1;
		break;
	case OP_LE:
		is = o <= 0;
		break;
	case OP_GT:
		is = o == 1;
		break;
	case OP_GE:
		is = o == 0 || o == 1;
		break;
	default:
		if (o == NO_ORDER)
			return mathis_throw(m, MATHIS_ARG_RANGE,
					    "a NaN has no order");
		return mathis_replace(m, 2, MATHIS_V(KIND_INT, o));
	}
	return mathis_replace(m, 2, MATHIS_V(KIND_BOOL, is));
}

int op_logic(struct mathis_machine *m, const uint8_t *arg)
{
	struct mathis_value a, b = TOP(0);

	if (b.kind != KIND_BOOL)
		return mathis_type_error(m, "a condition", b);
	if (arg[-1] == OP_NOT)
		return mathis_replace(m, 1, MATHIS_V(KIND_BOOL, !b.i));
	a = TOP(1);
	if (a.kind != KIND_BOOL)
		return mathis_type_error(m, "a condition", a);
	return mathis_replace(
		m, 2,
		MATHIS_V(KIND_BOOL, arg[-1] == OP_AND ? a.i & b.i : a.i | b.i));
}

static int do_shift(struct mathis_machine *m, int op, int64_t a, int64_t by)
{
	if (by < 0 || by > 63)
		return mathis_throw(m, MATHIS_ARG_RANGE, "a shift by %lld",
				    (long long)by);
	if (op == OP_SHL)
		a = (int64_t)((uint64_t)a << by);
	else if (op == OP_SHR)
		a >>= by;
	else
		a = (int64_t)((uint64_t)a >> by);
	return mathis_replace(m, 2, MATHIS_V(KIND_INT, a));
}

int op_bits(struct mathis_machine *m, const uint8_t *arg)
{
	struct mathis_value a, b = TOP(0);

	if (b.kind != KIND_INT)
		return mathis_type_error(m, "the number", b);
	if (arg[-1] == OP_BIT_NOT)
		return mathis_replace(m, 1, MATHIS_V(KIND_INT, ~b.i));
	a = TOP(1);
	if (a.kind != KIND_INT)
		return mathis_type_error(m, "the number", a);
	switch (arg[-1]) {
	case OP_BIT_AND:
		return mathis_replace(m, 2, MATHIS_V(KIND_INT, a.i & b.i));
	case OP_BIT_OR:
		return mathis_replace(m, 2, MATHIS_V(KIND_INT, a.i | b.i));
	case OP_BIT_XOR:
		return mathis_replace(m, 2, MATHIS_V(KIND_INT, a.i ^ b.i));
	default:
		return do_shift(m, arg[-1], a.i, b.i);
	}
}
