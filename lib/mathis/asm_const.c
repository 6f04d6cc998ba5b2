// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Constants of the source: the lines of .constants, and those that
 * instructions bring. Equal ones are kept once.
 */
#include <string.h>

#include "asm.h"

static const struct {
	const char *name;
	uint8_t kind;
} kinds[] = {
	{ "none", KIND_NONE }, { "bool", KIND_BOOL }, { "i8", KIND_I8 },
	{ "i16", KIND_I16 },   { "i32", KIND_I32 },   { "i64", KIND_I64 },
	{ "u8", KIND_U8 },     { "u16", KIND_U16 },   { "u32", KIND_U32 },
	{ "u64", KIND_U64 },   { "f32", KIND_F32 },   { "f64", KIND_F64 },
	{ "char", KIND_CHAR }, { "str", KIND_STR },   { "bytes", KIND_BYTES },
};

/* The kind of a plain type's name, or -1. */
int asm_kind_of(struct mathis_span word)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		if (asm_is(word, kinds[i].name))
			return kinds[i].kind;
	}
	return -1;
}

/* The index of a constant, which is added if there is none like it. */
uint32_t asm_add_const(struct mathis_asm *a, uint8_t kind, const void *data,
		       size_t n)
{
	struct mathis_span text = { data, n };
	struct asm_const c = { .kind = kind, .set = true };
	uint32_t count = ASM_N(a->consts, asm_const);

	for (uint32_t i = 0; i < count; i++) {
		struct asm_const *old = ASM_AT(a->consts, asm_const, i);

		if (old->set && old->kind == kind && asm_same(old->data, text))
			return i;
	}
	c.data = asm_keep(a, data, n);
	mathis_buf_add(&a->consts, &c, sizeof(c));
	return count;
}

/* A text as constants have it: its length, then its bytes. */
static struct mathis_span encode(struct mathis_asm *a, struct mathis_span text)
{
	struct mathis_buf b = { 0 };
	struct mathis_span coded;

	mathis_buf_put(&b, text.len, 4);
	mathis_buf_add(&b, text.data, text.len);
	a->no_memory |= b.bad;
	coded = asm_keep(a, b.data, b.size);
	mathis_buf_fini(&b);
	return coded;
}

uint32_t asm_add_str(struct mathis_asm *a, struct mathis_span text)
{
	struct mathis_span coded = encode(a, text);

	return asm_add_const(a, KIND_STR, coded.data, coded.len);
}

static bool int_literal(struct mathis_asm *a, uint8_t kind, uint8_t *bytes)
{
	int bits = 8 << (kind - (kind < KIND_U8 ? KIND_I8 : KIND_U8));
	uint64_t max = UINT64_MAX >> (64 - bits);
	int64_t min = 0;
	int64_t v;

	if (kind < KIND_U8) {
		max >>= 1;
		min = -(int64_t)max - 1;
	} else if (kind == KIND_U64) {
		max = INT64_MAX;
	}
	if (!asm_int(a, min, max, &v))
		return false;
	memcpy(bytes, &v, sizeof(v));
	return true;
}

static bool float_literal(struct mathis_asm *a, uint8_t kind, uint8_t *bytes)
{
	double d;
	float f;

	if (!asm_float(a, &d))
		return false;
	f = d;
	if (kind == KIND_F32)
		memcpy(bytes, &f, sizeof(f));
	else
		memcpy(bytes, &d, sizeof(d));
	return true;
}

static bool text_literal(struct mathis_asm *a, uint8_t kind,
			 struct mathis_span *data)
{
	struct mathis_span text;

	if (!asm_peek(a, '"')) {
		asm_error(a, ASM_TYPE, "expected a text");
		return false;
	}
	if (kind == KIND_STR ? !asm_string(a, &text) : !asm_bytes(a, &text))
		return false;
	*data = encode(a, text);
	return true;
}

/* The kind that a literal has by its looks. */
static uint8_t looks_like(struct mathis_asm *a)
{
	struct mathis_asm ahead = *a;
	struct mathis_span word;

	if (asm_peek(a, '"'))
		return KIND_STR;
	if (asm_peek(a, '\''))
		return KIND_CHAR;
	if (asm_at_end(&ahead) || !asm_word(&ahead, &word))
		return KIND_I64;
	if (asm_is(word, "true") || asm_is(word, "false"))
		return KIND_BOOL;
	if (asm_is(word, "none"))
		return KIND_NONE;
	if (asm_is(word, "inf") || asm_is(word, "nan") || asm_is(word, "-inf"))
		return KIND_F64;
	if (memchr(word.data, '.', word.len))
		return KIND_F64;
	return KIND_I64;
}

/*
 * A literal of @kind, or, if that is KIND_ANY, of the kind it looks like:
 * its kind, and its bytes as constants have them.
 */
bool asm_literal(struct mathis_asm *a, uint8_t kind, uint8_t *found,
		 struct mathis_span *data)
{
	static const uint8_t sizes[] = { 0, 1, 1, 2, 4, 8, 1, 2, 4, 8, 4, 8, 4 };
	uint8_t bytes[8] = { 0 };
	struct mathis_span word;
	uint32_t c;
	bool b;

	if (kind == KIND_ANY)
		kind = looks_like(a);
	*found = kind;
	switch (kind) {
	case KIND_NONE:
		if (!asm_at_end(a) &&
		    (!asm_word(a, &word) || !asm_is(word, "none"))) {
			asm_error(a, ASM_TYPE, "expected none");
			return false;
		}
		break;
	case KIND_BOOL:
		if (!asm_bool(a, &b))
			return false;
		bytes[0] = b;
		break;
	case KIND_I8 ... KIND_U64:
		if (!int_literal(a, kind, bytes))
			return false;
		break;
	case KIND_F32:
	case KIND_F64:
		if (!float_literal(a, kind, bytes))
			return false;
		break;
	case KIND_CHAR:
		if (!asm_char(a, &c))
			return false;
		memcpy(bytes, &c, sizeof(c));
		break;
	default:
		return text_literal(a, kind, data);
	}
	*data = asm_keep(a, bytes, sizes[kind]);
	return true;
}

/* "INDEX: TYPE VALUE" */
void asm_const_line(struct mathis_asm *a)
{
	struct asm_const c = { .set = true };
	struct asm_const *old;
	struct mathis_span word;
	int64_t idx;
	int kind;

	if (!asm_int(a, 0, UINT16_MAX, &idx) || !asm_expect(a, ':') ||
	    !asm_word(a, &word))
		return;
	kind = asm_kind_of(word);
	if (kind < 0) {
		asm_error(a, ASM_TYPE, "no constant has the type %.*s",
			  (int)word.len, word.data);
		return;
	}
	if (!asm_literal(a, kind, &c.kind, &c.data))
		return;
	while (ASM_N(a->consts, asm_const) <= (size_t)idx &&
	       mathis_buf_add(&a->consts, NULL, sizeof(c)))
		;
	if (a->consts.bad)
		return;
	old = ASM_AT(a->consts, asm_const, idx);
	if (old->set)
		asm_error(a, ASM_SYNTAX, "constant %d is there already",
			  (int)idx);
	*old = c;
}
