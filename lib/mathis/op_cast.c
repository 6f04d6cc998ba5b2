// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Types of values while a program runs, and CAST from one to another.
 */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "cbor.h"

/* The number of a value's type. */
static uint32_t type_of(struct mathis_value v)
{
	if (v.kind == KIND_STRUCT)
		return mathis_seq_of(v)->type;
	if (v.kind == KIND_ENUM)
		return ((struct mathis_enum *)v.o)->type;
	return v.kind;
}

/* All integers are i64, all floats f64. */
static uint32_t plain(uint32_t type)
{
	if (type >= KIND_I8 && type <= KIND_U64)
		return KIND_INT;
	return type == KIND_F32 ? KIND_FLOAT : type;
}

int op_get_type(struct mathis_machine *m, const uint8_t *arg)
{
	(void)arg;
	return mathis_replace(m, 1, MATHIS_V(KIND_INT, type_of(TOP(0))));
}

int op_get_type_name(struct mathis_machine *m, const uint8_t *arg)
{
	const struct mathis_type *type =
		mathis_find_type(m->module, type_of(TOP(0)));
	const char *name = mathis_kind_name(TOP(0).kind);
	struct mathis_span text = { name, strlen(name) };
	struct mathis_value v;

	(void)arg;
	if (type)
		text = mathis_const_str(m->module, type->name);
	if (mathis_make_text(m, KIND_STR, text.data, text.len, &v))
		return RUN_THROWS;
	return mathis_replace(m, 1, v);
}

/* TYPE_EQ, INSTANCE_OF: types have no subtypes; STRUCT and ENUM mean any. */
int op_type_eq(struct mathis_machine *m, const uint8_t *arg)
{
	uint32_t want = plain(mathis_arg16(arg));
	struct mathis_value v = TOP(0);
	bool is = type_of(v) == want || v.kind == want;

	return mathis_replace(m, 1, MATHIS_V(KIND_BOOL, is));
}

static int no_cast(struct mathis_machine *m, struct mathis_value v,
		   const char *to)
{
	return mathis_throw(m, MATHIS_ARG_TYPE, "a %s does not become a %s",
			    mathis_kind_name(v.kind), to);
}

/* A str, zero-terminated, as a number alone; NULL for an empty one. */
static const char *digits(struct mathis_value v)
{
	const char *s = mathis_str_of(v)->data;

	return *s && !isspace((unsigned char)*s) ? s : NULL;
}

static int parse_int(struct mathis_machine *m, struct mathis_value v,
		     int64_t *i)
{
	const char *s = digits(v);
	char *end = NULL;

	errno = 0;
	if (s)
		*i = strtoll(s, &end, 10);
	if (!s || end != s + mathis_str_of(v)->len)
		return mathis_throw(m, MATHIS_FORMAT, "no whole number: %.40s",
				    mathis_str_of(v)->data);
	if (errno)
		return mathis_throw(m, MATHIS_ARG_RANGE,
				    "the number does not fit into an i64");
	return 0;
}

static int to_int(struct mathis_machine *m, struct mathis_value v,
		  uint32_t type)
{
	int bits = 8 << (type < KIND_U8 ? type - KIND_I8 : type - KIND_U8);
	int64_t i = v.i;

	if (v.kind == KIND_STR) {
		if (parse_int(m, v, &i))
			return RUN_THROWS;
	} else if (v.kind == KIND_FLOAT) {
		if (!(v.f > -9223372036854777856.0 &&
		      v.f < 9223372036854775808.0))
			return mathis_throw(m, MATHIS_ARG_RANGE,
					    "%g does not fit", v.f);
		i = v.f;
	} else if (v.kind == KIND_ENUM) {
		i = ((struct mathis_enum *)v.o)->number;
	} else if (v.kind != KIND_INT && v.kind != KIND_BOOL &&
		   v.kind != KIND_CHAR) {
		return no_cast(m, v, "number");
	}
	if (type >= KIND_U8 ? i < 0 || (bits < 64 && i >> bits) :
			      i >> (bits - 1) != (i < 0 ? -1 : 0))
		return mathis_throw(m, MATHIS_ARG_RANGE,
				    "%lld does not fit into %d bits",
				    (long long)i, bits);
	return mathis_replace(m, 1, MATHIS_V(KIND_INT, i));
}

static int to_float(struct mathis_machine *m, struct mathis_value v,
		    uint32_t type)
{
	double d = v.f;
	char *end;

	if (v.kind == KIND_INT) {
		d = v.i;
	} else if (v.kind == KIND_STR) {
		const char *s = digits(v);

		d = s ? strtod(s, &end) : 0;
		if (!s || end != s + mathis_str_of(v)->len)
			return mathis_throw(m, MATHIS_FORMAT,
					    "no number: %.40s",
					    mathis_str_of(v)->data);
	} else if (v.kind != KIND_FLOAT) {
		return no_cast(m, v, "number");
	}
	return mathis_replace(m, 1,
			      mathis_float(type == KIND_F32 ? (float)d : d));
}

/* The shortest digits that read back as the same number. */
static void print_float(char *text, size_t size, double d)
{
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, size, "%.*g", digits, d);
		if (strtod(text, NULL) == d)
			break;
	}
	if (isnan(d))
		snprintf(text, size, "nan");
	else if (!strpbrk(text, ".en"))
		strcat(text, ".0");
}

/* A character as UTF-8: its bytes. */
size_t mathis_put_char(char *text, uint32_t c)
{
	static const uint8_t first[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

	for (size_t i = n - 1; i > 0; i--, c >>= 6)
		text[i] = 0x80 | (c & 0x3f);
	text[0] = first[n] | c;
	return n;
}

static int to_str(struct mathis_machine *m, struct mathis_value v)
{
	char text[64];
	size_t n;

	switch (v.kind) {
	case KIND_STR:
		return 0;
	case KIND_BYTES:
		if (!mathis_utf8(mathis_str_of(v)->data, mathis_str_of(v)->len))
			return mathis_throw(m, MATHIS_ENCODING,
					    "the bytes are no UTF-8");
		if (mathis_make_text(m, KIND_STR, mathis_str_of(v)->data,
				     mathis_str_of(v)->len, &v))
			return RUN_THROWS;
		return mathis_replace(m, 1, v);
	case KIND_CHAR:
		n = mathis_put_char(text, v.i);
		break;
	case KIND_NONE:
	case KIND_BOOL:
	case KIND_INT:
		mathis_show(v, text, sizeof(text));
		n = strlen(text);
		break;
	case KIND_FLOAT:
		print_float(text, sizeof(text), v.f);
		n = strlen(text);
		break;
	default:
		return no_cast(m, v, "str");
	}
	if (mathis_make_text(m, KIND_STR, text, n, &v))
		return RUN_THROWS;
	return mathis_replace(m, 1, v);
}

/* A str becomes its bytes; a list, of its numbers from 0 to 255. */
static int to_bytes(struct mathis_machine *m, struct mathis_value v)
{
	struct mathis_value b;
	size_t n;

	if (v.kind == KIND_STR) {
		if (mathis_make_text(m, KIND_BYTES, mathis_str_of(v)->data,
				     mathis_str_of(v)->len, &b))
			return RUN_THROWS;
		return mathis_replace(m, 1, b);
	}
	if (v.kind != KIND_LIST && v.kind != KIND_TUPLE)
		return v.kind == KIND_BYTES ? 0 : no_cast(m, v, "bytes");
	n = mathis_seq_of(v)->n;
	if (mathis_make_text(m, KIND_BYTES, NULL, n, &b))
		return RUN_THROWS;
	for (size_t i = 0; i < n; i++) {
		struct mathis_value one = mathis_seq_of(v)->items[i];

		if (one.kind != KIND_INT || one.i < 0 || one.i > UINT8_MAX)
			return mathis_throw(m, MATHIS_ARG_RANGE,
					    "element %zu is no byte", i);
		mathis_str_of(b)->data[i] = one.i;
	}
	return mathis_replace(m, 1, b);
}

static int to_char(struct mathis_machine *m, struct mathis_value v)
{
	if (v.kind == KIND_CHAR)
		return 0;
	if (v.kind != KIND_INT)
		return no_cast(m, v, "char");
	if (v.i < 0 || v.i > 0x10ffff || (v.i & ~0x7ff) == 0xd800)
		return mathis_throw(m, MATHIS_ARG_RANGE, "no character %lld",
				    (long long)v.i);
	v.kind = KIND_CHAR;
	return mathis_replace(m, 1, v);
}

/* The elements of a collection, the keys of a map: a list or tuple. */
static int to_seq(struct mathis_machine *m, struct mathis_value v, uint8_t kind)
{
	struct mathis_value s;
	size_t n;

	if (v.kind == KIND_MAP || v.kind == KIND_SET)
		n = mathis_map_of(v)->n;
	else if (v.kind == KIND_LIST || v.kind == KIND_TUPLE)
		n = mathis_seq_of(v)->n;
	else if (v.kind == KIND_BYTES)
		n = mathis_str_of(v)->len;
	else
		return no_cast(m, v, kind == KIND_LIST ? "list" : "tuple");
	if (mathis_make_seq(m, kind, n, &s))
		return RUN_THROWS;
	for (size_t i = 0; i < n; i++) {
		struct mathis_value *to = &mathis_seq_of(s)->items[i];

		if (v.kind == KIND_BYTES)
			*to = MATHIS_V(KIND_INT,
				       (uint8_t)mathis_str_of(v)->data[i]);
		else if (v.kind == KIND_MAP || v.kind == KIND_SET)
			*to = mathis_map_of(v)->entries[i].key;
		else
			*to = mathis_seq_of(v)->items[i];
	}
	mathis_seq_of(s)->n = n;
	return mathis_replace(m, 1, s);
}

static int to_set(struct mathis_machine *m, struct mathis_value v)
{
	struct mathis_value s;
	int ret = 0;

	if (v.kind == KIND_SET)
		return 0;
	if (v.kind != KIND_LIST && v.kind != KIND_TUPLE)
		return no_cast(m, v, "set");
	if (mathis_make_map(m, KIND_SET, &s))
		return RUN_THROWS;
	mathis_pin(m, s);
	for (size_t i = 0; i < mathis_seq_of(v)->n && !ret; i++)
		ret = mathis_map_set(m, mathis_map_of(s),
				     mathis_seq_of(v)->items[i],
				     MATHIS_V(KIND_NONE, 0));
	m->n_pins--;
	return ret ?: mathis_replace(m, 1, s);
}

/* A number becomes the variant of an enum that has it, and no value. */
static int to_enum(struct mathis_machine *m, struct mathis_value v,
		   const struct mathis_type *type)
{
	if (type->kind != TYPE_ENUM || v.kind != KIND_INT)
		return no_cast(m, v, "value of this type");
	for (unsigned int i = 0; i < type->n_fields; i++) {
		const struct mathis_field *f = &type->fields[i];

		if (f->number != v.i || f->sig.len)
			continue;
		if (mathis_make_enum(m, type->id, v.i, &v))
			return RUN_THROWS;
		return mathis_replace(m, 1, v);
	}
	return mathis_throw(m, MATHIS_ARG_RANGE, "no variant %lld",
			    (long long)v.i);
}

/* Bytes that a conversion reads. */
static uint64_t bytes_of(struct mathis_value v)
{
	switch (v.kind) {
	case KIND_STR:
	case KIND_BYTES:
		return mathis_str_of(v)->len;
	case KIND_LIST:
	case KIND_TUPLE:
		return mathis_seq_of(v)->n * sizeof(v);
	case KIND_MAP:
	case KIND_SET:
		return mathis_map_of(v)->n * sizeof(struct mathis_entry);
	default:
		return 0;
	}
}

int op_cast(struct mathis_machine *m, const uint8_t *arg)
{
	uint32_t type = mathis_arg16(arg);
	struct mathis_value v = TOP(0);

	mathis_charge(m, bytes_of(v));
	if (type >= KIND_I8 && type <= KIND_U64)
		return to_int(m, v, type);
	if (type_of(v) == type && type != KIND_FLOAT)
		return 0;
	if (type >= MATHIS_TYPE_FIRST)
		return to_enum(m, v, mathis_find_type(m->module, type));
	switch (type) {
	case KIND_F32:
	case KIND_F64:
		return to_float(m, v, type);
	case KIND_CHAR:
		return to_char(m, v);
	case KIND_STR:
		return to_str(m, v);
	case KIND_BYTES:
		return to_bytes(m, v);
	case KIND_LIST:
	case KIND_TUPLE:
		return to_seq(m, v, type);
	case KIND_SET:
		return to_set(m, v);
	default:
		return no_cast(m, v, mathis_kind_name(type));
	}
}
