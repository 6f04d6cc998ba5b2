// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Types and globals of the source.
 */
#include "asm.h"

/* Names of types whose number is that of enum mathis_kind. */
static const struct {
	const char *name;
	uint8_t kind;
	uint8_t inner; /* types between < and > */
} composites[] = {
	{ "List", KIND_LIST, 1 }, { "Set", KIND_SET, 1 },
	{ "Map", KIND_MAP, 2 },	  { "Option", KIND_OPTION, 1 },
	{ "any", KIND_ANY, 0 },	  { "Result", KIND_RESULT, 2 },
	{ "ptr", KIND_PTR, 0 },	  { "handle", KIND_HANDLE, 0 },
	{ "task", KIND_TASK, 0 }, { "channel", KIND_CHANNEL, 0 },
	{ "usize", KIND_U64, 0 }, { "iterator", KIND_ITERATOR, 0 },
};

/* The kind of the name of a composite type, such as List, or -1. */
int asm_composite_of(struct mathis_span word)
{
	for (size_t i = 0; i < sizeof(composites) / sizeof(*composites); i++) {
		if (composites[i].kind != KIND_ANY &&
		    composites[i].kind != KIND_OPTION &&
		    asm_is(word, composites[i].name))
			return composites[i].kind;
	}
	if (asm_is(word, "Tuple"))
		return KIND_TUPLE;
	return asm_is(word, "Func") ? KIND_FUNC : -1;
}

/* The index of a type of the module, or -1. */
int asm_find_type(struct mathis_asm *a, struct mathis_span name)
{
	for (size_t i = 0; i < ASM_N(a->types, asm_type); i++) {
		if (asm_same(ASM_AT(a->types, asm_type, i)->name, name))
			return i;
	}
	return -1;
}

/* The index that a field has in each struct that has it: -1 none, -2 several. */
int asm_find_field(struct mathis_asm *a, struct mathis_span name)
{
	int found = -1;

	for (size_t i = 0; i < ASM_N(a->types, asm_type); i++) {
		struct asm_type *t = ASM_AT(a->types, asm_type, i);

		for (int j = 0; t->kind == TYPE_STRUCT && j < t->n_fields;
		     j++) {
			if (!asm_same(*ASM_AT(a->field_names, mathis_span,
					      t->fields + j),
				      name))
				continue;
			if (found >= 0 && found != j)
				return -2;
			found = j;
		}
	}
	return found;
}

int asm_find_global(struct mathis_asm *a, struct mathis_span name)
{
	for (size_t i = 0; i < ASM_N(a->globals, asm_global); i++) {
		if (asm_same(ASM_AT(a->globals, asm_global, i)->name, name))
			return i;
	}
	return -1;
}

static bool sig(struct mathis_asm *a, struct mathis_buf *out, int depth);

/* Types between brackets: their number goes to @count where that is a place. */
static bool sig_list(struct mathis_asm *a, struct mathis_buf *out, char close,
		     int depth)
{
	size_t count = out->size;
	unsigned int n = 0;

	mathis_buf_put(out, 0, 1);
	while (!asm_peek(a, close)) {
		if (++n > UINT8_MAX || asm_at_end(a)) {
			asm_error(a, ASM_SYNTAX, "the types have no end");
			return false;
		}
		if (!sig(a, out, depth))
			return false;
	}
	mathis_buf_set(out, count, n, 1);
	return asm_expect(a, close);
}

/* "Func<(A, B) -> C>", after its name */
static bool sig_func(struct mathis_asm *a, struct mathis_buf *out, int depth)
{
	struct mathis_span arrow;

	mathis_buf_put(out, KIND_FUNC, 1);
	return asm_expect(a, '<') && asm_expect(a, '(') &&
	       sig_list(a, out, ')', depth) && asm_word(a, &arrow) &&
	       asm_expect(a, '>') && sig(a, out, depth) && asm_expect(a, '>');
}

static bool sig_composite(struct mathis_asm *a, struct mathis_buf *out,
			  size_t i, int depth)
{
	unsigned int n = composites[i].inner;

	mathis_buf_put(out, composites[i].kind, 1);
	if (!n)
		return true;
	if (!asm_expect(a, '<'))
		return false;
	while (n--) {
		if (!sig(a, out, depth))
			return false;
	}
	return asm_expect(a, '>');
}

static bool sig(struct mathis_asm *a, struct mathis_buf *out, int depth)
{
	struct mathis_span word;
	int found;

	if (depth > SIG_DEPTH) {
		asm_error(a, ASM_SYNTAX, "more than %d types in each other",
			  SIG_DEPTH);
		return false;
	}
	if (!asm_word(a, &word))
		return false;
	found = asm_kind_of(word);
	if (found >= 0) {
		mathis_buf_put(out, found, 1);
		return true;
	}
	for (size_t i = 0; i < sizeof(composites) / sizeof(*composites); i++) {
		if (asm_is(word, composites[i].name))
			return sig_composite(a, out, i, depth + 1);
	}
	if (asm_is(word, "Tuple")) {
		mathis_buf_put(out, KIND_TUPLE, 1);
		return asm_expect(a, '<') && sig_list(a, out, '>', depth + 1);
	}
	if (asm_is(word, "Func"))
		return sig_func(a, out, depth + 1);
	found = asm_find_type(a, word);
	if (found < 0) {
		asm_error(a, ASM_NAME, "type %.*s is not defined above",
			  (int)word.len, word.data);
		return false;
	}
	mathis_buf_put(out, KIND_STRUCT, 1);
	mathis_buf_put(out, MATHIS_TYPE_FIRST + found, 4);
	return true;
}

/* Append the signature of the type that comes. */
bool asm_sig(struct mathis_asm *a, struct mathis_buf *out)
{
	return sig(a, out, 0);
}

/* ".struct NAME", ".enum NAME", ".alias NAME = TYPE", after the directive */
void asm_begin_type(struct mathis_asm *a, uint8_t kind)
{
	struct asm_type t = { .kind = kind, .data = a->type_data.size };
	struct mathis_span name;

	if (!asm_word(a, &name))
		return;
	if (asm_find_type(a, name) >= 0) {
		asm_error(a, ASM_SYNTAX, "type %.*s is there already",
			  (int)name.len, name.data);
		return;
	}
	if (ASM_N(a->types, asm_type) >= UINT16_MAX - MATHIS_TYPE_FIRST) {
		asm_error(a, ASM_SYNTAX, "too many types");
		return;
	}
	t.name = name;
	t.fields = ASM_N(a->field_names, mathis_span);
	mathis_buf_add(&a->types, &t, sizeof(t));
	asm_add_str(a, name);
	if (kind == TYPE_ALIAS) {
		if (asm_expect(a, '='))
			asm_sig(a, &a->type_data);
		return;
	}
	mathis_buf_put(&a->type_data, 0, 2);
	a->mode = kind == TYPE_STRUCT ? IN_STRUCT : IN_ENUM;
}

/* Count one more name in the type that is read. */
static bool add_field(struct mathis_asm *a, struct mathis_span *name)
{
	struct asm_type *t;

	if (!asm_word(a, name) || !a->types.size || a->types.bad)
		return false;
	t = ASM_AT(a->types, asm_type, ASM_N(a->types, asm_type) - 1);
	if (t->n_fields == UINT16_MAX) {
		asm_error(a, ASM_SYNTAX, "too many fields");
		return false;
	}
	t->n_fields++;
	mathis_buf_set(&a->type_data, t->data, t->n_fields, 2);
	return mathis_buf_add(&a->field_names, name, sizeof(*name));
}

/* "= LITERAL", of the type whose signature is @sig: a constant, or none. */
static uint32_t init(struct mathis_asm *a, const struct mathis_buf *out,
		     size_t sig)
{
	uint8_t kind = out->bad ? KIND_ANY : out->data[sig];
	struct mathis_span data;

	if (!asm_accept(a, '='))
		return MATHIS_NONE_IDX;
	if (kind > KIND_CHAR && kind != KIND_STR && kind != KIND_BYTES)
		kind = KIND_ANY;
	if (!asm_literal(a, kind, &kind, &data))
		return MATHIS_NONE_IDX;
	return asm_add_const(a, kind, data.data, data.len);
}

/* "NAME: TYPE", "NAME: TYPE = LITERAL" */
void asm_struct_line(struct mathis_asm *a)
{
	struct mathis_buf *out = &a->type_data;
	struct mathis_span name;
	size_t sig;

	if (!add_field(a, &name) || !asm_expect(a, ':'))
		return;
	mathis_buf_put(out, asm_add_str(a, name), 4);
	sig = out->size;
	if (!asm_sig(a, out))
		return;
	mathis_buf_put(out, 0, 1);
	mathis_buf_put(out, init(a, out, sig), 4);
}

/* "NAME", "NAME = NUMBER", "NAME(value: TYPE)" */
void asm_enum_line(struct mathis_asm *a)
{
	struct mathis_buf *out = &a->type_data;
	struct mathis_span name, value;
	struct asm_type *t;
	int64_t number;
	size_t at;

	if (!add_field(a, &name))
		return;
	t = ASM_AT(a->types, asm_type, ASM_N(a->types, asm_type) - 1);
	number = t->n_fields - 1;
	mathis_buf_put(out, asm_add_str(a, name), 4);
	if (asm_accept(a, '(')) {
		at = out->size;
		mathis_buf_put(out, number, 8);
		mathis_buf_put(out, 1, 1);
		if (asm_word(a, &value) && asm_expect(a, ':') &&
		    asm_sig(a, out) && asm_expect(a, ')') &&
		    asm_accept(a, '=') &&
		    asm_int(a, INT64_MIN, INT64_MAX, &number))
			mathis_buf_set(out, at, number, 8);
		return;
	}
	if (asm_accept(a, '=') && !asm_int(a, INT64_MIN, INT64_MAX, &number))
		return;
	mathis_buf_put(out, number, 8);
	mathis_buf_put(out, 0, 1);
}

/* "NAME: TYPE", "NAME: TYPE = LITERAL" */
void asm_global_line(struct mathis_asm *a, bool fixed)
{
	struct asm_global g = { .fixed = fixed, .sig = a->sigs.size };

	if (!asm_word(a, &g.name) || !asm_expect(a, ':') ||
	    !asm_sig(a, &a->sigs))
		return;
	g.sig_len = a->sigs.size - g.sig;
	if (asm_find_global(a, g.name) >= 0) {
		asm_error(a, ASM_SYNTAX, "global %.*s is there already",
			  (int)g.name.len, g.name.data);
		return;
	}
	if (ASM_N(a->globals, asm_global) > UINT16_MAX) {
		asm_error(a, ASM_SYNTAX, "too many globals");
		return;
	}
	g.init = init(a, &a->sigs, g.sig);
	asm_add_str(a, g.name);
	mathis_buf_add(&a->globals, &g, sizeof(g));
}
