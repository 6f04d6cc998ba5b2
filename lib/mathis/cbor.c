// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Values as CBOR (RFC 8949), for those outside of the machine. Each value has
 * one encoding: the shortest heads, floats of 64 bits, keys in the order of
 * their bytes. No other encoding of a head or order of keys is read.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "cbor.h"

void mathis_cbor_head(struct mathis_buf *b, unsigned int major, uint64_t n)
{
	unsigned int shift = n < 24	     ? 0 :
			     n <= UINT8_MAX  ? 1 :
			     n <= UINT16_MAX ? 2 :
			     n <= UINT32_MAX ? 4 :
					       8;

	if (!shift) {
		mathis_buf_put(b, major << 5 | n, 1);
		return;
	}
	mathis_buf_put(b,
		       major << 5 | (shift == 1 ? 24 :
				     shift == 2 ? 25 :
				     shift == 4 ? 26 :
						  27),
		       1);
	while (shift--)
		mathis_buf_put(b, n >> (8 * shift) & 0xff, 1);
}

static void put_tag(struct mathis_buf *b, uint64_t tag, uint64_t n)
{
	mathis_cbor_head(b, CBOR_TAG, tag);
	mathis_cbor_head(b, CBOR_ARRAY, n);
}

void mathis_cbor_float(struct mathis_buf *b, double d)
{
	uint64_t bits;

	memcpy(&bits, &d, sizeof(bits));
	if (isnan(d))
		bits = 0x7ff8000000000000;
	mathis_buf_put(b, CBOR_F64, 1);
	for (int shift = 56; shift >= 0; shift -= 8)
		mathis_buf_put(b, bits >> shift & 0xff, 1);
}

static int put(struct mathis_buf *b, struct mathis_value v, int depth);

static int put_items(struct mathis_buf *b, const struct mathis_seq *s,
		     int depth)
{
	int ret = 0;

	for (size_t i = 0; i < s->n && !ret; i++)
		ret = put(b, s->items[i], depth);
	return ret;
}

/* An entry of a map, encoded: where it stands, and the length of its key. */
struct entry {
	const uint8_t *data;
	size_t key;
	size_t size;
};

static int compare(const void *a, const void *b)
{
	const struct entry *x = a;
	const struct entry *y = b;
	size_t n = x->key < y->key ? x->key : y->key;
	int order = memcmp(x->data, y->data, n);

	return order ?: (x->key > y->key) - (x->key < y->key);
}

/* Encode entries one by one, then put them in the order of their keys. */
static int put_entries(struct mathis_buf *b, const struct mathis_map *map,
		       bool set, int depth)
{
	struct entry *entries = calloc(map->n + 1, sizeof(*entries));
	struct mathis_buf all = { 0 };
	int ret = entries ? 0 : -ENOMEM;
	size_t at = 0;

	for (size_t i = 0; i < map->n && !ret; i++) {
		size_t begin = all.size;

		ret = put(&all, map->entries[i].key, depth);
		if (ret)
			break;
		entries[i].key = all.size - begin;
		if (!set)
			ret = put(&all, map->entries[i].value, depth);
		entries[i].size = all.size - begin;
	}
	if (!ret && all.bad)
		ret = -ENOMEM;
	for (size_t i = 0; i < map->n && !ret; i++) {
		entries[i].data = all.data + at;
		at += entries[i].size;
	}
	if (!ret) {
		qsort(entries, map->n, sizeof(*entries), compare);
		for (size_t i = 0; i < map->n; i++)
			mathis_buf_add(b, entries[i].data, entries[i].size);
	}
	mathis_buf_fini(&all);
	free(entries);
	return ret;
}

static int put_enum(struct mathis_buf *b, struct mathis_value v, int depth)
{
	const struct mathis_enum *e = (const struct mathis_enum *)v.o;

	put_tag(b, CBOR_TAG_ENUM, 2 + e->has);
	mathis_cbor_head(b, CBOR_UINT, e->type);
	put(b, MATHIS_V(KIND_INT, e->number), depth);
	return e->has ? put(b, e->value, depth) : 0;
}

static int put_text(struct mathis_buf *b, struct mathis_value v)
{
	const struct mathis_str *s = mathis_str_of(v);

	if (s->len > CBOR_SIZE_MAX)
		return -E2BIG;
	mathis_cbor_head(b, v.kind == KIND_STR ? CBOR_TEXT : CBOR_BYTES,
			 s->len);
	mathis_buf_add(b, s->data, s->len);
	return 0;
}

static int put_container(struct mathis_buf *b, struct mathis_value v, int depth)
{
	switch (v.kind) {
	case KIND_LIST:
		mathis_cbor_head(b, CBOR_ARRAY, mathis_seq_of(v)->n);
		return put_items(b, mathis_seq_of(v), depth);
	case KIND_TUPLE:
		put_tag(b, CBOR_TAG_TUPLE, mathis_seq_of(v)->n);
		return put_items(b, mathis_seq_of(v), depth);
	case KIND_STRUCT:
		put_tag(b, CBOR_TAG_STRUCT, mathis_seq_of(v)->n + 1);
		mathis_cbor_head(b, CBOR_UINT, mathis_seq_of(v)->type);
		return put_items(b, mathis_seq_of(v), depth);
	case KIND_SET:
		put_tag(b, CBOR_TAG_SET, mathis_map_of(v)->n);
		return put_entries(b, mathis_map_of(v), true, depth);
	case KIND_MAP:
		mathis_cbor_head(b, CBOR_MAP, mathis_map_of(v)->n);
		return put_entries(b, mathis_map_of(v), false, depth);
	case KIND_ENUM:
		return put_enum(b, v, depth);
	default: /* what has a meaning inside of the machine alone */
		return -EINVAL;
	}
}

static int put(struct mathis_buf *b, struct mathis_value v, int depth)
{
	char text[4];

	if (depth > CBOR_DEPTH_MAX || b->size > CBOR_SIZE_MAX)
		return -E2BIG;
	switch (v.kind) {
	case KIND_NONE:
		mathis_buf_put(b, CBOR_NULL, 1);
		return 0;
	case KIND_BOOL:
		mathis_buf_put(b, v.i ? CBOR_TRUE : CBOR_FALSE, 1);
		return 0;
	case KIND_INT:
		mathis_cbor_head(b, v.i < 0 ? CBOR_NINT : CBOR_UINT,
				 v.i < 0 ? ~v.i : v.i);
		return 0;
	case KIND_FLOAT:
		mathis_cbor_float(b, v.f);
		return 0;
	case KIND_CHAR:
		mathis_cbor_head(b, CBOR_TAG, CBOR_TAG_CHAR);
		mathis_cbor_head(b, CBOR_TEXT, mathis_put_char(text, v.i));
		mathis_buf_add(b, text, mathis_put_char(text, v.i));
		return 0;
	case KIND_HANDLE:
		put_tag(b, CBOR_TAG_HANDLE, 3);
		mathis_cbor_head(b, CBOR_UINT, (uint64_t)v.i >> 24);
		mathis_cbor_head(b, CBOR_UINT, v.i & 0xffffff);
		mathis_cbor_head(b, CBOR_UINT, v.aux);
		return 0;
	case KIND_STR:
	case KIND_BYTES:
		return put_text(b, v);
	default:
		return put_container(b, v, depth + 1);
	}
}

int mathis_encode(struct mathis_value value, void **data, size_t *size)
{
	struct mathis_buf b = { 0 };
	int ret = put(&b, value, 0);

	*data = NULL;
	*size = 0;
	if (!ret && b.bad)
		ret = -ENOMEM;
	if (!ret && b.size > CBOR_SIZE_MAX)
		ret = -E2BIG;
	if (ret) {
		mathis_buf_fini(&b);
		return ret;
	}
	*data = b.data;
	*size = b.size;
	return 0;
}
