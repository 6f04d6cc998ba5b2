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

static bool spend(uint64_t *left, uint64_t bytes)
{
	if (bytes > *left) {
		*left = 0;
		return false;
	}
	*left -= bytes;
	return true;
}

static int seq_equal(struct mathis_seq *a, struct mathis_seq *b, int depth,
		     uint64_t *left)
{
	if (a == b)
		return 1;
	if (a->n != b->n || a->type != b->type)
		return 0;
	for (size_t i = 0; i < a->n; i++) {
		int ret = mathis_equal(a->items[i], b->items[i], depth, left);

		if (ret != 1)
			return ret;
	}
	return 1;
}

static int map_equal(struct mathis_map *a, struct mathis_map *b, int depth,
		     uint64_t *left)
{
	if (a == b)
		return 1;
	if (a->n != b->n)
		return 0;
	for (size_t i = 0; i < a->n; i++) {
		struct mathis_entry *e;
		int ret = mathis_map_find(b, a->entries[i].key,
					  a->entries[i].hash, left, &e);

		if (ret || !e)
			return ret;
		ret = mathis_equal(a->entries[i].value, e->value, depth, left);
		if (ret != 1)
			return ret;
	}
	return 1;
}

static int enum_equal(struct mathis_value a, struct mathis_value b, int depth,
		      uint64_t *left)
{
	struct mathis_enum *x = (struct mathis_enum *)a.o;
	struct mathis_enum *y = (struct mathis_enum *)b.o;

	if (x->type != y->type || x->number != y->number || x->has != y->has)
		return 0;
	return x->has ? mathis_equal(x->value, y->value, depth, left) : 1;
}

int mathis_equal(struct mathis_value a, struct mathis_value b, int depth,
		 uint64_t *left)
{
	if (!spend(left, 16))
		return MATHIS_TOO_MUCH;
	if (a.kind != b.kind) {
		if (a.kind == KIND_INT && b.kind == KIND_FLOAT)
			return (long double)a.i == (long double)b.f;
		if (a.kind == KIND_FLOAT && b.kind == KIND_INT)
			return (long double)a.f == (long double)b.i;
		return 0;
	}
	if (depth > MATHIS_NEST)
		return MATHIS_TOO_DEEP;
	switch (a.kind) {
	case KIND_NONE:
		return 1;
	case KIND_FLOAT:
		return a.f == b.f;
	case KIND_STR:
	case KIND_BYTES:
		if (mathis_str_of(a)->len != mathis_str_of(b)->len)
			return 0;
		if (!spend(left, mathis_str_of(a)->len))
			return MATHIS_TOO_MUCH;
		return !memcmp(mathis_str_of(a)->data, mathis_str_of(b)->data,
			       mathis_str_of(a)->len);
	case KIND_LIST:
	case KIND_TUPLE:
	case KIND_STRUCT:
		return seq_equal(mathis_seq_of(a), mathis_seq_of(b), depth + 1,
				 left);
	case KIND_MAP:
	case KIND_SET:
		return map_equal(mathis_map_of(a), mathis_map_of(b), depth + 1,
				 left);
	case KIND_ENUM:
		return enum_equal(a, b, depth + 1, left);
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
		uint64_t *left)
{
	uint32_t h = 2166136261U ^ v.kind;

	int ret;

	if (!spend(left, 16))
		return MATHIS_TOO_MUCH;
	if (depth > MATHIS_NEST)
		return MATHIS_TOO_DEEP;
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
		if (v.f == floor(v.f) && v.f >= -0x1p63 && v.f < 0x1p63) {
			v = MATHIS_V(KIND_INT, (int64_t)v.f);
			h = 2166136261U ^ v.kind;
		}
		break;
	case KIND_STR:
	case KIND_BYTES:
		if (!spend(left, mathis_str_of(v)->len))
			return MATHIS_TOO_MUCH;
		*hash = hash_bytes(h, mathis_str_of(v)->data,
				   mathis_str_of(v)->len);
		return 0;
	case KIND_TUPLE:
		for (size_t i = 0; i < mathis_seq_of(v)->n; i++) {
			uint32_t one;

			ret = mathis_hash(mathis_seq_of(v)->items[i], depth + 1,
					  &one, left);
			if (ret)
				return ret;
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

/* Text that is at least @size bytes, or whole. */
struct shown {
	struct mathis_buf b;
	size_t size;
};

static void show(struct shown *to, struct mathis_value v, int depth);

static void show_seq(struct shown *to, struct mathis_value v, int depth)
{
	struct mathis_seq *s = mathis_seq_of(v);
	struct mathis_buf *b = &to->b;

	mathis_buf_print(b, v.kind == KIND_LIST	 ? "[" :
			    v.kind == KIND_TUPLE ? "(" :
						   "struct(");
	for (size_t i = 0; i < s->n && b->size < to->size; i++) {
		mathis_buf_print(b, i ? ", " : "");
		if (depth >= SHOW_NEST || i >= SHOW_ITEMS) {
			mathis_buf_print(b, "...");
			break;
		}
		show(to, s->items[i], depth + 1);
	}
	mathis_buf_print(b, v.kind == KIND_LIST ? "]" : ")");
}

static void show_map(struct shown *to, struct mathis_value v, int depth)
{
	struct mathis_map *m = mathis_map_of(v);
	struct mathis_buf *b = &to->b;

	mathis_buf_print(b, "{");
	for (size_t i = 0; i < m->n && b->size < to->size; i++) {
		mathis_buf_print(b, i ? ", " : "");
		if (depth >= SHOW_NEST || i >= SHOW_ITEMS) {
			mathis_buf_print(b, "...");
			break;
		}
		show(to, m->entries[i].key, depth + 1);
		if (v.kind == KIND_SET)
			continue;
		mathis_buf_print(b, ": ");
		show(to, m->entries[i].value, depth + 1);
	}
	mathis_buf_print(b, "}");
}

static void show_enum(struct shown *to, struct mathis_value v, int depth)
{
	struct mathis_enum *e = (struct mathis_enum *)v.o;
	struct mathis_buf *b = &to->b;

	if (e->type == KIND_RESULT)
		mathis_buf_print(b, e->number ? "Err" : "Ok");
	else
		mathis_buf_print(b, "enum %lld", (long long)e->number);
	if (!e->has)
		return;
	mathis_buf_print(b, "(");
	if (depth < SHOW_NEST)
		show(to, e->value, depth + 1);
	mathis_buf_print(b, ")");
}

static void show(struct shown *to, struct mathis_value v, int depth)
{
	struct mathis_buf *b = &to->b;
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
		show_seq(to, v, depth);
		break;
	case KIND_MAP:
	case KIND_SET:
		show_map(to, v, depth);
		break;
	case KIND_ENUM:
		show_enum(to, v, depth);
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
	struct shown s = { .size = size };
	size_t n;

	show(&s, value, 0);
	n = s.b.bad ? 0 : s.b.size;
	if (n >= size)
		n = size - 4;
	if (n)
		memcpy(out, s.b.data, n);
	memcpy(out + n, n < s.b.size || s.b.bad ? "..." : "",
	       n < s.b.size || s.b.bad ? 4 : 1);
	mathis_buf_fini(&s.b);
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
