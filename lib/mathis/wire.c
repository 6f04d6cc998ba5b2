// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Items as CBOR, handles and functions too, for those who serve calls in
 * another process. The order of keys is kept.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "cbor.h"
#include "wire.h"

#define TAG_FUNC 0x4d04 /* [slot, values that it takes] */

static void put_tag(struct mathis_buf *b, uint64_t tag, uint64_t n)
{
	mathis_cbor_head(b, CBOR_TAG, tag);
	mathis_cbor_head(b, CBOR_ARRAY, n);
}

static void put_text(struct mathis_buf *b, unsigned int major, const char *text,
		     size_t n)
{
	mathis_cbor_head(b, major, n);
	if (n)
		mathis_buf_add(b, text, n);
}

static void put_handle(struct mathis_buf *b, const struct mathis_item *item)
{
	put_tag(b, CBOR_TAG_HANDLE, 3);
	mathis_cbor_head(b, CBOR_UINT, (uint64_t)item->i >> 24);
	mathis_cbor_head(b, CBOR_UINT, item->i & 0xffffff);
	mathis_cbor_head(b, CBOR_UINT, item->aux);
}

static void put_func(struct mathis_buf *b, const struct mathis_item *item)
{
	put_tag(b, TAG_FUNC, 2);
	mathis_cbor_head(b, CBOR_UINT, (uint64_t)item->i);
	mathis_cbor_head(b, CBOR_UINT, item->aux);
}

/* The head of a container; 0 or -EINVAL. */
static int put_begin(struct mathis_buf *b, const struct mathis_item *item)
{
	switch (item->kind) {
	case MATHIS_LIST:
		mathis_cbor_head(b, CBOR_ARRAY, item->n);
		return 0;
	case MATHIS_MAP:
		mathis_cbor_head(b, CBOR_MAP, item->n);
		return 0;
	case MATHIS_SET:
		put_tag(b, CBOR_TAG_SET, item->n);
		return 0;
	case MATHIS_TUPLE:
		put_tag(b, CBOR_TAG_TUPLE, item->n);
		return 0;
	case MATHIS_STRUCT:
		put_tag(b, CBOR_TAG_STRUCT, (uint64_t)item->n + 1);
		mathis_cbor_head(b, CBOR_UINT, item->aux);
		return 0;
	case MATHIS_ENUM:
		put_tag(b, CBOR_TAG_ENUM, (uint64_t)item->n + 1);
		mathis_cbor_head(b, CBOR_UINT, item->aux);
		return 0;
	default:
		return -EINVAL;
	}
}

static int put(struct mathis_buf *b, const struct mathis_item *item, int depth);

static int put_parts(struct mathis_buf *b, const struct mathis_item *item,
		     int depth)
{
	size_t parts = mathis_item_parts(item);
	int ret = depth > CBOR_DEPTH_MAX ? -E2BIG : put_begin(b, item);

	for (size_t i = 0; i < parts && !ret; i++)
		ret = put(b, &item->items[i], depth);
	return ret;
}

static int put(struct mathis_buf *b, const struct mathis_item *item, int depth)
{
	char text[4];

	if (b->size > MATHIS_WIRE_MAX)
		return -E2BIG;
	switch (item->kind) {
	case MATHIS_NONE:
		mathis_buf_put(b, CBOR_NULL, 1);
		return 0;
	case MATHIS_BOOL:
		mathis_buf_put(b, item->i ? CBOR_TRUE : CBOR_FALSE, 1);
		return 0;
	case MATHIS_INT:
		mathis_cbor_head(b, item->i < 0 ? CBOR_NINT : CBOR_UINT,
				 (uint64_t)(item->i < 0 ? ~item->i : item->i));
		return 0;
	case MATHIS_FLOAT:
		mathis_cbor_float(b, item->f);
		return 0;
	case MATHIS_CHAR:
		mathis_cbor_head(b, CBOR_TAG, CBOR_TAG_CHAR);
		put_text(b, CBOR_TEXT, text,
			 mathis_put_char(text, (uint32_t)item->i));
		return 0;
	case MATHIS_STR:
		put_text(b, CBOR_TEXT, item->text, item->n);
		return 0;
	case MATHIS_BYTES:
		put_text(b, CBOR_BYTES, item->text, item->n);
		return 0;
	case MATHIS_HANDLE:
		put_handle(b, item);
		return 0;
	case MATHIS_FUNC:
		put_func(b, item);
		return 0;
	default:
		return put_parts(b, item, depth + 1);
	}
}

int mathis_wire_put(struct mathis_buf *buf, const struct mathis_item *item)
{
	int ret = put(buf, item, 0);

	return !ret && buf->size > MATHIS_WIRE_MAX ? -E2BIG : ret;
}

struct in {
	const uint8_t *p;
	const uint8_t *end;
	struct mathis_pool *pool;
};

static int get_head(struct in *in, unsigned int *major, uint64_t *n)
{
	unsigned int low, size;

	if (in->p == in->end)
		return -EBADMSG;
	*major = *in->p >> 5;
	low = *in->p++ & 31;
	*n = low;
	if (low < 24)
		return 0;
	size = 1U << (low - 24);
	if (low > 27 || (size_t)(in->end - in->p) < size)
		return -EBADMSG;
	for (*n = 0; size; size--)
		*n = *n << 8 | *in->p++;
	return 0;
}

/* A number that stands where one has to. */
static int get_uint(struct in *in, uint64_t max, uint64_t *n)
{
	unsigned int major;
	int ret = get_head(in, &major, n);

	return !ret && (major != CBOR_UINT || *n > max) ? -EBADMSG : ret;
}

static int get_text(struct in *in, uint32_t kind, uint64_t n,
		    struct mathis_item *item)
{
	if (n > (uint64_t)(in->end - in->p) ||
	    (kind == MATHIS_STR && !mathis_utf8(in->p, n)))
		return -EBADMSG;
	*item = mathis_item_text(in->pool, kind, in->p, n);
	in->p += n;
	return in->pool->bad ? -ENOMEM : 0;
}

/* An entry of a map or set where it stands. */
struct key {
	const uint8_t *data;
	size_t size;
};

static int compare(const void *a, const void *b)
{
	const struct key *x = a, *y = b;

	if (x->size != y->size)
		return x->size < y->size ? -1 : 1;
	return memcmp(x->data, y->data, x->size);
}

/* Whether no key comes twice: each has one encoding, or almost. */
static int check_keys(struct key *keys, size_t n)
{
	if (n)
		qsort(keys, n, sizeof(*keys), compare);
	for (size_t i = 1; i < n; i++) {
		if (!compare(&keys[i - 1], &keys[i]))
			return -EBADMSG;
	}
	return 0;
}

static int get(struct in *in, int depth, struct mathis_item *item);

/* @n entries of @each items; each item takes a byte at least. */
static int get_items(struct in *in, uint32_t kind, uint64_t n, int depth,
		     struct mathis_item *item)
{
	unsigned int each = kind == MATHIS_MAP ? 2 : 1;
	bool keyed = kind == MATHIS_MAP || kind == MATHIS_SET;
	struct key *keys = NULL;
	int ret = 0;

	if (depth > CBOR_DEPTH_MAX)
		return -E2BIG;
	if (n > (uint64_t)(in->end - in->p) / each)
		return -EBADMSG;
	*item = mathis_item_seq(in->pool, MATHIS_LIST, n * each);
	if (in->pool->bad)
		return -ENOMEM;
	if (keyed && n) {
		keys = calloc(n, sizeof(*keys));
		ret = keys ? 0 : -ENOMEM;
	}
	for (uint64_t i = 0; i < n * each && !ret; i++) {
		const uint8_t *begin = in->p;
		struct mathis_item part;

		ret = get(in, depth, &part);
		if (ret)
			break;
		mathis_item_add(in->pool, item, part);
		if (keyed && !(i % each))
			keys[i / each] = (struct key){ begin, in->p - begin };
		ret = in->pool->bad ? -ENOMEM : 0;
	}
	item->kind = kind;
	item->n = (uint32_t)n;
	if (!ret && keyed)
		ret = check_keys(keys, n);
	free(keys);
	return ret;
}

static int get_char(struct in *in, struct mathis_item *item)
{
	const unsigned char *t;
	unsigned int major;
	char again[4];
	uint64_t n;
	uint32_t u;
	int ret = get_head(in, &major, &n);

	if (ret)
		return ret;
	if (major != CBOR_TEXT || !n || n > 4 ||
	    n > (uint64_t)(in->end - in->p))
		return -EBADMSG;
	t = in->p;
	u = n == 1 ? t[0] : t[0] & (0x7fU >> n);
	for (uint64_t i = 1; i < n; i++)
		u = u << 6 | (t[i] & 0x3f);
	if (!mathis_utf8(t, n) || mathis_put_char(again, u) != n ||
	    memcmp(again, t, n))
		return -EBADMSG;
	in->p += n;
	*item = (struct mathis_item){ .kind = MATHIS_CHAR, .i = u };
	return 0;
}

static int get_handle(struct in *in, struct mathis_item *item)
{
	uint64_t kind, slot, generation;

	if (get_uint(in, UINT8_MAX, &kind) || get_uint(in, 0xffffff, &slot) ||
	    get_uint(in, UINT32_MAX, &generation))
		return -EBADMSG;
	*item = (struct mathis_item){ .kind = MATHIS_HANDLE,
				      .aux = (uint32_t)generation,
				      .i = (int64_t)(kind << 24 | slot) };
	return 0;
}

static int get_func(struct in *in, struct mathis_item *item)
{
	uint64_t slot, arity;

	if (get_uint(in, INT32_MAX, &slot) || get_uint(in, UINT8_MAX, &arity))
		return -EBADMSG;
	*item = (struct mathis_item){ .kind = MATHIS_FUNC,
				      .aux = (uint32_t)arity,
				      .i = (int64_t)slot };
	return 0;
}

/* A struct or an enum: its type stands before its parts. */
static int get_typed(struct in *in, uint32_t kind, uint64_t n, int depth,
		     struct mathis_item *item)
{
	uint64_t type;
	int ret;

	if (!n || (kind == MATHIS_ENUM && (n < 2 || n > 3)) ||
	    get_uint(in, UINT32_MAX, &type))
		return -EBADMSG;
	ret = get_items(in, kind, n - 1, depth, item);
	item->aux = (uint32_t)type;
	if (!ret && kind == MATHIS_ENUM && item->items[0].kind != MATHIS_INT)
		return -EBADMSG;
	return ret;
}

static int get_tagged(struct in *in, uint64_t tag, int depth,
		      struct mathis_item *item)
{
	unsigned int major;
	uint64_t n;

	if (tag == CBOR_TAG_CHAR)
		return get_char(in, item);
	if (get_head(in, &major, &n) || major != CBOR_ARRAY)
		return -EBADMSG;
	switch (tag) {
	case CBOR_TAG_SET:
		return get_items(in, MATHIS_SET, n, depth, item);
	case CBOR_TAG_TUPLE:
		return get_items(in, MATHIS_TUPLE, n, depth, item);
	case CBOR_TAG_STRUCT:
		return get_typed(in, MATHIS_STRUCT, n, depth, item);
	case CBOR_TAG_ENUM:
		return get_typed(in, MATHIS_ENUM, n, depth, item);
	case CBOR_TAG_HANDLE:
		return n == 3 ? get_handle(in, item) : -EBADMSG;
	case TAG_FUNC:
		return n == 2 ? get_func(in, item) : -EBADMSG;
	default:
		return -EBADMSG;
	}
}

static int get_simple(uint8_t first, uint64_t n, struct mathis_item *item)
{
	double f;

	switch (first) {
	case CBOR_FALSE:
	case CBOR_TRUE:
		*item = mathis_item_bool(first == CBOR_TRUE);
		return 0;
	case CBOR_NULL:
		*item = MATHIS_ITEM_NONE;
		return 0;
	case CBOR_F64:
		memcpy(&f, &n, sizeof(f));
		*item = mathis_item_float(f);
		return 0;
	default:
		return -EBADMSG;
	}
}

static int get(struct in *in, int depth, struct mathis_item *item)
{
	const uint8_t *first = in->p;
	unsigned int major;
	uint64_t n;

	*item = MATHIS_ITEM_NONE;
	if (get_head(in, &major, &n))
		return -EBADMSG;
	switch (major) {
	case CBOR_UINT:
	case CBOR_NINT:
		if (n > INT64_MAX)
			return -EBADMSG;
		*item = mathis_item_int(major == CBOR_NINT ? ~(int64_t)n :
							     (int64_t)n);
		return 0;
	case CBOR_BYTES:
		return get_text(in, MATHIS_BYTES, n, item);
	case CBOR_TEXT:
		return get_text(in, MATHIS_STR, n, item);
	case CBOR_ARRAY:
		return get_items(in, MATHIS_LIST, n, depth + 1, item);
	case CBOR_MAP:
		return get_items(in, MATHIS_MAP, n, depth + 1, item);
	case CBOR_TAG:
		return get_tagged(in, n, depth + 1, item);
	default:
		return get_simple(*first, n, item);
	}
}

int mathis_wire_get(const void *data, size_t size, struct mathis_pool *pool,
		    struct mathis_item *item)
{
	struct in in = { data, (const uint8_t *)data + size, pool };
	int ret = get(&in, 0, item);

	return !ret && in.p != in.end ? -EBADMSG : ret;
}

void mathis_wire_funcs(const void *data, size_t size,
		       void (*found)(void *arg, uint32_t slot), void *arg)
{
	struct in in = { data, (const uint8_t *)data + size, NULL };
	struct mathis_item func;
	unsigned int major;
	uint64_t n, two;

	while (!get_head(&in, &major, &n)) {
		if (major == CBOR_BYTES || major == CBOR_TEXT) {
			if (n > (uint64_t)(in.end - in.p))
				return;
			in.p += n;
		} else if (major == CBOR_TAG && n == TAG_FUNC) {
			if (get_head(&in, &major, &two) || get_func(&in, &func))
				return;
			found(arg, (uint32_t)func.i);
		}
	}
}
