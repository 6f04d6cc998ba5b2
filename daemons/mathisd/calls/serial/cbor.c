// SPDX-License-Identifier: GPL-2.0-only
/*
 * 0x1310: CBOR of items: for one value the bytes that mathis_encode() writes.
 */
#include <math.h>
#include <mathis/cbor.h>
#include <stdlib.h>

#include "serial.h"

static void put_head(struct mathis_buf *b, unsigned int major, uint64_t n)
{
	unsigned int log = n <= UINT8_MAX  ? 0 :
			   n <= UINT16_MAX ? 1 :
			   n <= UINT32_MAX ? 2 :
					     3;

	if (n < 24) {
		mathis_buf_put(b, major << 5 | n, 1);
		return;
	}
	mathis_buf_put(b, major << 5 | (24 + log), 1);
	for (int shift = (8 << log) - 8; shift >= 0; shift -= 8)
		mathis_buf_put(b, n >> shift & 0xff, 1);
}

static void put_text(struct mathis_buf *b, unsigned int major, const char *text,
		     size_t n)
{
	put_head(b, major, n);
	if (n)
		mathis_buf_add(b, text, n);
}

static void put_float(struct mathis_buf *b, double f)
{
	uint64_t bits = 0x7ff8000000000000;

	if (!isnan(f))
		memcpy(&bits, &f, sizeof(bits));
	mathis_buf_put(b, CBOR_F64, 1);
	for (int shift = 56; shift >= 0; shift -= 8)
		mathis_buf_put(b, bits >> shift & 0xff, 1);
}

static int put(struct md_call *c, struct mathis_buf *b,
	       const struct mathis_item *item);

/* An entry of a map or set that has been written. */
struct entry {
	const uint8_t *data;
	size_t key;
	size_t size;
};

static int compare(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int order = memcmp(x->data, y->data, x->key < y->key ? x->key : y->key);

	return order ?: (x->key > y->key) - (x->key < y->key);
}

/* Write entries one by one, then put them in the order of their keys. */
static int put_entries(struct md_call *c, struct mathis_buf *b,
		       const struct mathis_item *item)
{
	size_t each = item->kind == MATHIS_MAP ? 2 : 1, at = 0;
	struct entry *entries = md_alloc(c, (item->n + 1) * sizeof(*entries));
	struct mathis_buf all = { 0 };
	int ret = entries ? MD_DONE : MD_FAILED;

	for (size_t i = 0; i < item->n && !ret; i++) {
		size_t begin = all.size;

		ret = put(c, &all, &item->items[each * i]);
		entries[i].key = all.size - begin;
		if (!ret && each == 2)
			ret = put(c, &all, &item->items[2 * i + 1]);
		entries[i].size = all.size - begin;
	}
	b->bad |= all.bad;
	for (size_t i = 0; i < item->n && !ret && !b->bad; i++) {
		entries[i].data = all.data + at;
		at += entries[i].size;
	}
	if (!ret && !b->bad && item->n) {
		qsort(entries, item->n, sizeof(*entries), compare);
		for (size_t i = 0; i < item->n; i++)
			mathis_buf_add(b, entries[i].data, entries[i].size);
	}
	mathis_buf_fini(&all);
	return ret;
}

static int put_items(struct md_call *c, struct mathis_buf *b,
		     const struct mathis_item *item)
{
	int ret = MD_DONE;

	put_head(b, CBOR_ARRAY, item->n);
	for (uint32_t i = 0; i < item->n && !ret; i++)
		ret = put(c, b, &item->items[i]);
	return ret;
}

static int put_container(struct md_call *c, struct mathis_buf *b,
			 const struct mathis_item *item)
{
	switch (item->kind) {
	case MATHIS_TUPLE:
		put_head(b, CBOR_TAG, CBOR_TAG_TUPLE);
		return put_items(c, b, item);
	case MATHIS_LIST:
		return put_items(c, b, item);
	case MATHIS_SET:
		put_head(b, CBOR_TAG, CBOR_TAG_SET);
		put_head(b, CBOR_ARRAY, item->n);
		return put_entries(c, b, item);
	case MATHIS_MAP:
		put_head(b, CBOR_MAP, item->n);
		return put_entries(c, b, item);
	default:
		return md_fail(
			c, MATHIS_ARG_TYPE,
			"handles, functions, structs and enums mean nothing elsewhere");
	}
}

static int put(struct md_call *c, struct mathis_buf *b,
	       const struct mathis_item *item)
{
	char text[4];

	if (b->size > SERIAL_MAX)
		return md_fail(c, MATHIS_TOO_LARGE, "more than 16 MiB");
	switch (item->kind) {
	case MATHIS_NONE:
		mathis_buf_put(b, CBOR_NULL, 1);
		return MD_DONE;
	case MATHIS_BOOL:
		mathis_buf_put(b, item->i ? CBOR_TRUE : CBOR_FALSE, 1);
		return MD_DONE;
	case MATHIS_INT:
		put_head(b, item->i < 0 ? CBOR_NINT : CBOR_UINT,
			 (uint64_t)(item->i < 0 ? ~item->i : item->i));
		return MD_DONE;
	case MATHIS_FLOAT:
		put_float(b, item->f);
		return MD_DONE;
	case MATHIS_CHAR:
		put_head(b, CBOR_TAG, CBOR_TAG_CHAR);
		put_text(b, CBOR_TEXT, text,
			 mathis_put_char(text, (uint32_t)item->i));
		return MD_DONE;
	case MATHIS_STR:
		put_text(b, CBOR_TEXT, item->text, item->n);
		return MD_DONE;
	case MATHIS_BYTES:
		put_text(b, CBOR_BYTES, item->text, item->n);
		return MD_DONE;
	default:
		return put_container(c, b, item);
	}
}

int md_cbor_encode(struct md_call *c)
{
	struct mathis_buf b = { 0 };
	int status = put(c, &b, &c->args[0]);

	return serial_return(c, MATHIS_BYTES, &b, status);
}
