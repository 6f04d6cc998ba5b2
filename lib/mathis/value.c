// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Values of all kinds: names, equality, hashes, and text for a reader.
 */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "dis.h"
#include "value.h"

static const struct {
	uint8_t kind;
	const char *name;
} names[] = {
	{ KIND_NONE, "none" },	       { KIND_BOOL, "bool" },
	{ KIND_INT, "i64" },	       { KIND_FLOAT, "f64" },
	{ KIND_CHAR, "char" },	       { KIND_STR, "str" },
	{ KIND_BYTES, "bytes" },       { KIND_LIST, "list" },
	{ KIND_MAP, "map" },	       { KIND_SET, "set" },
	{ KIND_TUPLE, "tuple" },       { KIND_STRUCT, "struct" },
	{ KIND_ENUM, "enum" },	       { KIND_FUNC, "func" },
	{ KIND_PTR, "ptr" },	       { KIND_HANDLE, "handle" },
	{ KIND_TASK, "task" },	       { KIND_CHANNEL, "channel" },
	{ KIND_ITERATOR, "iterator" },
};

const char *mathis_kind_name(uint32_t kind)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (names[i].kind == kind)
			return names[i].name;
	}
	return "?";
}

static int seq_equal(struct mathis_seq *a, struct mathis_seq *b, int depth,
		     uint64_t *work)
{
	if (a == b)
		return 1;
	if (a->n != b->n || a->type != b->type)
		return 0;
	for (size_t i = 0; i < a->n; i++) {
		int ret = mathis_equal(a->items[i], b->items[i], depth, work);

		if (ret != 1)
			return ret;
	}
	return 1;
}

static int map_equal(struct mathis_map *a, struct mathis_map *b, int depth,
		     uint64_t *work)
{
	if (a == b)
		return 1;
	if (a->n != b->n)
		return 0;
	for (size_t i = 0; i < a->n; i++) {
		struct mathis_entry *e = mathis_map_find(
			b, a->entries[i].key, a->entries[i].hash, work);
		int ret;

		if (!e)
			return 0;
		ret = mathis_equal(a->entries[i].value, e->value, depth, work);
		if (ret != 1)
			return ret;
	}
	return 1;
}

static int enum_equal(struct mathis_value a, struct mathis_value b, int depth,
		      uint64_t *work)
{
	struct mathis_enum *x = (struct mathis_enum *)a.o;
	struct mathis_enum *y = (struct mathis_enum *)b.o;

	if (x->type != y->type || x->number != y->number || x->has != y->has)
		return 0;
	return x->has ? mathis_equal(x->value, y->value, depth, work) : 1;
}

int mathis_equal(struct mathis_value a, struct mathis_value b, int depth,
		 uint64_t *work)
{
	*work += 16;
	if (a.kind != b.kind) {
		if (a.kind == KIND_INT && b.kind == KIND_FLOAT)
			return (long double)a.i == (long double)b.f;
		if (a.kind == KIND_FLOAT && b.kind == KIND_INT)
			return (long double)a.f == (long double)b.i;
		return 0;
	}
	if (depth > MATHIS_NEST)
		return -1;
	switch (a.kind) {
	case KIND_NONE:
		return 1;
	case KIND_FLOAT:
		return a.f == b.f;
	case KIND_STR:
	case KIND_BYTES:
		if (mathis_str_of(a)->len != mathis_str_of(b)->len)
			return 0;
		*work += mathis_str_of(a)->len;
		return !memcmp(mathis_str_of(a)->data, mathis_str_of(b)->data,
			       mathis_str_of(a)->len);
	case KIND_LIST:
	case KIND_TUPLE:
	case KIND_STRUCT:
		return seq_equal(mathis_seq_of(a), mathis_seq_of(b), depth + 1,
				 work);
	case KIND_MAP:
	case KIND_SET:
		return map_equal(mathis_map_of(a), mathis_map_of(b), depth + 1,
				 work);
	case KIND_ENUM:
		return enum_equal(a, b, depth + 1, work);
	default:
		return a.i == b.i && a.aux == b.aux;
	}
}

/* FNV-1a, 32 bits. */
static uint32_t hash_bytes(uint32_t h, const void *data, size_t n)
{
	const uint8_t *p = data;

	while (n--)
		h = (h ^ *p++) * 16777619U;
	return h;
}

int mathis_hash(struct mathis_value v, int depth, uint32_t *hash,
		uint64_t *work)
{
	uint32_t h = 2166136261U ^ v.kind;

	*work += 16;
	if (depth > MATHIS_NEST)
		return -1;
	switch (v.kind) {
	case KIND_BOOL:
	case KIND_INT:
	case KIND_CHAR:
	case KIND_HANDLE:
	case KIND_FUNC:
	case KIND_TASK:
	case KIND_CHANNEL:
		break;
	case KIND_FLOAT:
		if (isnan(v.f))
			return -1;
		/* Equal to an int: the same key. */
		if (v.f == floor(v.f) && fabs(v.f) < 9.2e18) {
			v = MATHIS_V(KIND_INT, (int64_t)v.f);
			h = 2166136261U ^ v.kind;
		}
		break;
	case KIND_STR:
	case KIND_BYTES:
		*work += mathis_str_of(v)->len;
		*hash = hash_bytes(h, mathis_str_of(v)->data,
				   mathis_str_of(v)->len);
		return 0;
	case KIND_TUPLE:
		for (size_t i = 0; i < mathis_seq_of(v)->n; i++) {
			uint32_t one;

			if (mathis_hash(mathis_seq_of(v)->items[i], depth + 1,
					&one, work))
				return -1;
			h = hash_bytes(h, &one, sizeof(one));
		}
		*hash = h;
		return 0;
	case KIND_ENUM:
		if (((struct mathis_enum *)v.o)->has)
			return -1;
		v.i = ((struct mathis_enum *)v.o)->number;
		break;
	default:
		return -1;
	}
	h = hash_bytes(h, &v.i, sizeof(v.i));
	*hash = hash_bytes(h, &v.aux, sizeof(v.aux));
	return 0;
}

#define SHOW_NEST 4
#define SHOW_ITEMS 32
#define SHOW_BYTES 1024

static void show(struct mathis_buf *b, struct mathis_value v, int depth);

static void show_seq(struct mathis_buf *b, struct mathis_value v, int depth)
{
	struct mathis_seq *s = mathis_seq_of(v);

	mathis_buf_print(b, v.kind == KIND_LIST	 ? "[" :
			    v.kind == KIND_TUPLE ? "(" :
						   "struct(");
	for (size_t i = 0; i < s->n; i++) {
		mathis_buf_print(b, i ? ", " : "");
		if (depth >= SHOW_NEST || i >= SHOW_ITEMS) {
			mathis_buf_print(b, "...");
			break;
		}
		show(b, s->items[i], depth + 1);
	}
	mathis_buf_print(b, v.kind == KIND_LIST ? "]" : ")");
}

static void show_map(struct mathis_buf *b, struct mathis_value v, int depth)
{
	struct mathis_map *m = mathis_map_of(v);

	mathis_buf_print(b, "{");
	for (size_t i = 0; i < m->n; i++) {
		mathis_buf_print(b, i ? ", " : "");
		if (depth >= SHOW_NEST || i >= SHOW_ITEMS) {
			mathis_buf_print(b, "...");
			break;
		}
		show(b, m->entries[i].key, depth + 1);
		if (v.kind == KIND_SET)
			continue;
		mathis_buf_print(b, ": ");
		show(b, m->entries[i].value, depth + 1);
	}
	mathis_buf_print(b, "}");
}

static void show_enum(struct mathis_buf *b, struct mathis_value v, int depth)
{
	struct mathis_enum *e = (struct mathis_enum *)v.o;

	if (e->type == KIND_RESULT)
		mathis_buf_print(b, e->number ? "Err" : "Ok");
	else
		mathis_buf_print(b, "enum %lld", (long long)e->number);
	if (!e->has)
		return;
	mathis_buf_print(b, "(");
	if (depth < SHOW_NEST)
		show(b, e->value, depth + 1);
	mathis_buf_print(b, ")");
}

static void show(struct mathis_buf *b, struct mathis_value v, int depth)
{
	struct mathis_span text;

	switch (v.kind) {
	case KIND_NONE:
		mathis_buf_print(b, "none");
		break;
	case KIND_BOOL:
		mathis_buf_print(b, v.i ? "true" : "false");
		break;
	case KIND_INT:
		mathis_buf_print(b, "%lld", (long long)v.i);
		break;
	case KIND_FLOAT:
		if (isnan(v.f))
			mathis_buf_print(b, "nan");
		else
			dis_float(b, v.f);
		break;
	case KIND_CHAR:
		mathis_buf_print(b, "'\\u{%x}'", (unsigned int)v.i);
		break;
	case KIND_STR:
		text.data = mathis_str_of(v)->data;
		text.len = mathis_str_of(v)->len;
		if (text.len > SHOW_BYTES)
			text.len = SHOW_BYTES;
		dis_text(b, text);
		break;
	case KIND_BYTES:
		mathis_buf_print(b, "bytes(%zu)", mathis_str_of(v)->len);
		break;
	case KIND_LIST:
	case KIND_TUPLE:
	case KIND_STRUCT:
		show_seq(b, v, depth);
		break;
	case KIND_MAP:
	case KIND_SET:
		show_map(b, v, depth);
		break;
	case KIND_ENUM:
		show_enum(b, v, depth);
		break;
	case KIND_FUNC:
		mathis_buf_print(b, "func %u", v.aux);
		break;
	default:
		mathis_buf_print(b, "%s", mathis_kind_name(v.kind));
	}
}

void mathis_show(struct mathis_value value, char *out, size_t size)
{
	struct mathis_buf b = { 0 };
	size_t n;

	show(&b, value, 0);
	n = b.bad ? 0 : b.size;
	if (n >= size)
		n = size - 4;
	if (n)
		memcpy(out, b.data, n);
	memcpy(out + n, n < b.size || b.bad ? "..." : "",
	       n < b.size || b.bad ? 4 : 1);
	mathis_buf_fini(&b);
}

const char *mathis_text(struct mathis_value value, size_t *size)
{
	*size = 0;
	if (value.kind != KIND_STR && value.kind != KIND_BYTES)
		return NULL;
	*size = mathis_str_of(value)->len;
	return mathis_str_of(value)->data;
}

int mathis_list_at(struct mathis_value list, size_t i,
		   struct mathis_value *value)
{
	if (list.kind != KIND_LIST && list.kind != KIND_TUPLE)
		return -EINVAL;
	if (i >= mathis_seq_of(list)->n)
		return -ERANGE;
	*value = mathis_seq_of(list)->items[i];
	return 0;
}
