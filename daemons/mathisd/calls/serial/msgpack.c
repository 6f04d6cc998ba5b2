// SPDX-License-Identifier: GPL-2.0-only
/*
 * 0x1312, 0x1313: MessagePack.
 */
#include <math.h>
#include <mathis/cbor.h>

#include "serial.h"

/* First bytes. */
enum first {
	FIXMAP = 0x80,
	FIXARRAY = 0x90,
	FIXSTR = 0xa0,
	NIL = 0xc0,
	FALSE = 0xc2,
	BIN8 = 0xc4,
	EXT8 = 0xc7,
	EXT32 = 0xc9,
	F32 = 0xca,
	F64,
	UINT8,
	UINT64 = 0xcf,
	INT8,
	INT64 = 0xd3,
	FIXEXT1,
	FIXEXT16 = 0xd8,
	STR8,
	ARRAY16 = 0xdc,
	MAP16 = 0xde,
	NEGATIVE = 0xe0,
};

static void put_number(struct mathis_buf *b, unsigned int first, uint64_t n,
		       unsigned int log)
{
	mathis_buf_put(b, first + log, 1);
	for (int shift = (8 << log) - 8; shift >= 0; shift -= 8)
		mathis_buf_put(b, n >> shift & 0xff, 1);
}

static unsigned int log_of(uint64_t n)
{
	return n <= UINT8_MAX  ? 0 :
	       n <= UINT16_MAX ? 1 :
	       n <= UINT32_MAX ? 2 :
				 3;
}

static void put_int(struct mathis_buf *b, int64_t i)
{
	unsigned int log;

	if (i >= 0 && i < 128) {
		mathis_buf_put(b, (uint64_t)i, 1);
	} else if (i >= 0) {
		put_number(b, UINT8, (uint64_t)i, log_of((uint64_t)i));
	} else if (i >= -32) {
		mathis_buf_put(b, (uint64_t)i & 0xff, 1);
	} else {
		/* The sign needs a bit. */
		log = log_of((uint64_t)~i << 1);
		put_number(b, INT8, (uint64_t)i, log);
	}
}

static void put_float(struct mathis_buf *b, double f)
{
	uint64_t bits = 0x7ff8000000000000;

	if (!isnan(f))
		memcpy(&bits, &f, sizeof(bits));
	put_number(b, F64 - 3, bits, 3);
}

static void put_text(struct mathis_buf *b, uint32_t kind, const void *text,
		     uint32_t n)
{
	if (kind == MATHIS_STR && n < 32)
		mathis_buf_put(b, FIXSTR | n, 1);
	else
		put_number(b, kind == MATHIS_STR ? STR8 : BIN8, n, log_of(n));
	if (n)
		mathis_buf_add(b, text, n);
}

static int put(struct md_call *c, struct mathis_buf *b,
	       const struct mathis_item *item);

static int put_items(struct md_call *c, struct mathis_buf *b,
		     const struct mathis_item *item, unsigned int fix,
		     unsigned int first)
{
	size_t n = mathis_item_parts(item);
	int ret = MD_DONE;

	if (item->n < 16)
		mathis_buf_put(b, fix | item->n, 1);
	else
		put_number(b, first - 1, item->n,
			   item->n <= UINT16_MAX ? 1 : 2);
	for (size_t i = 0; i < n && !ret; i++)
		ret = put(c, b, &item->items[i]);
	return ret;
}

static int put(struct md_call *c, struct mathis_buf *b,
	       const struct mathis_item *item)
{
	char text[4];

	if (b->size > SERIAL_MAX)
		return md_fail(c, MATHIS_TOO_LARGE, "more than 16 MiB");
	switch (item->kind) {
	case MATHIS_NONE:
		mathis_buf_put(b, NIL, 1);
		return MD_DONE;
	case MATHIS_BOOL:
		mathis_buf_put(b, (uint64_t)(FALSE + item->i), 1);
		return MD_DONE;
	case MATHIS_INT:
		put_int(b, item->i);
		return MD_DONE;
	case MATHIS_FLOAT:
		put_float(b, item->f);
		return MD_DONE;
	case MATHIS_CHAR:
		put_text(b, MATHIS_STR, text,
			 (uint32_t)mathis_put_char(text, (uint32_t)item->i));
		return MD_DONE;
	case MATHIS_STR:
	case MATHIS_BYTES:
		put_text(b, item->kind, item->text, item->n);
		return MD_DONE;
	case MATHIS_LIST:
	case MATHIS_TUPLE:
		return put_items(c, b, item, FIXARRAY, ARRAY16);
	case MATHIS_MAP:
		return put_items(c, b, item, FIXMAP, MAP16);
	default:
		return md_fail(c, MATHIS_ARG_TYPE,
			       "MessagePack has no such value");
	}
}

int md_msgpack_encode(struct md_call *c)
{
	struct mathis_buf b = { 0 };
	int status = put(c, &b, &c->args[0]);

	return serial_return(c, MATHIS_BYTES, &b, status);
}

struct in {
	struct md_call *c;
	const uint8_t *p;
	const uint8_t *begin;
	const uint8_t *end;
};

static int bad(struct in *in, const char *text)
{
	int64_t at = in->p - in->begin;

	md_detail(in->c, "offset", mathis_item_int(at));
	return md_fail(in->c, MATHIS_FORMAT, "byte %ld: %s", (long)at, text);
}

/* A number of 1 << @log bytes. */
static int get_number(struct in *in, unsigned int log, uint64_t *n)
{
	unsigned int size = 1U << log;

	*n = 0;
	if ((size_t)(in->end - in->p) < size)
		return bad(in, "it ends too early");
	for (; size; size--)
		*n = *n << 8 | *in->p++;
	return MD_DONE;
}

static int get_text(struct in *in, uint32_t kind, uint64_t n,
		    struct mathis_item *item)
{
	if (n > (uint64_t)(in->end - in->p))
		return bad(in, "it ends too early");
	if (kind == MATHIS_STR && !mathis_utf8(in->p, n))
		return bad(in, "the text is no UTF-8");
	item->kind = kind;
	item->n = (uint32_t)n;
	item->text = (const char *)in->p;
	in->p += n;
	return MD_DONE;
}

static int get(struct in *in, int depth, struct mathis_item *item);

static int get_items(struct in *in, uint32_t kind, uint64_t n, int depth,
		     struct mathis_item *item)
{
	unsigned int each = kind == MATHIS_MAP ? 2 : 1;
	struct mathis_item part;

	if (depth >= SERIAL_DEPTH)
		return md_fail(in->c, MATHIS_TOO_LARGE,
			       "values nest deeper than %d", SERIAL_DEPTH);
	if (n > (uint64_t)(in->end - in->p) / each)
		return bad(in, "it ends too early");
	*item = mathis_item_seq(&in->c->pool, MATHIS_LIST, n * each);
	for (uint64_t i = 0; i < n * each; i++) {
		if (get(in, depth + 1, &part))
			return MD_FAILED;
		if (i % each == 0 && each == 2 && !serial_is_key(&part))
			return md_fail(in->c, MATHIS_UNSUPPORTED,
				       "no value has such a key");
		mathis_item_add(&in->c->pool, item, part);
		if (in->c->pool.bad)
			return md_fail(in->c, MATHIS_OUT_OF_MEMORY,
				       "no memory");
	}
	item->kind = kind;
	item->n /= each;
	if (each == 2 && serial_unique(in->c, item))
		return bad(in, "a key comes twice");
	return MD_DONE;
}

static int get_int(struct in *in, unsigned int first, struct mathis_item *item)
{
	bool has_sign = first >= INT8;
	unsigned int log = first - (has_sign ? INT8 : UINT8);
	uint64_t n;

	if (get_number(in, log, &n))
		return MD_FAILED;
	if (!has_sign && n > INT64_MAX)
		return md_fail(in->c, MATHIS_ARG_RANGE, "a number is too big");
	if (has_sign && log < 3)
		n = (uint64_t)((int64_t)(n << (64 - (8 << log))) >>
			       (64 - (8 << log)));
	*item = mathis_item_int((int64_t)n);
	return MD_DONE;
}

static int get_float(struct in *in, unsigned int first,
		     struct mathis_item *item)
{
	uint64_t n;
	uint32_t half;
	float single;
	double f;

	if (get_number(in, first == F32 ? 2 : 3, &n))
		return MD_FAILED;
	half = (uint32_t)n;
	memcpy(&single, &half, sizeof(single));
	memcpy(&f, &n, sizeof(f));
	*item = mathis_item_float(first == F32 ? (double)single : f);
	return MD_DONE;
}

/* A value that has a length behind its first byte. */
static int get_long(struct in *in, unsigned int first, int depth,
		    struct mathis_item *item)
{
	bool is_bin = first < EXT8, is_text = is_bin || first < ARRAY16;
	unsigned int log = is_bin  ? first - BIN8 :
			   is_text ? first - STR8 :
				     1 + (first & 1);
	uint64_t n;

	if (get_number(in, log, &n))
		return MD_FAILED;
	if (is_text)
		return get_text(in, is_bin ? MATHIS_BYTES : MATHIS_STR, n,
				item);
	return get_items(in, first < MAP16 ? MATHIS_LIST : MATHIS_MAP, n, depth,
			 item);
}

static int get(struct in *in, int depth, struct mathis_item *item)
{
	unsigned int first;

	*item = MATHIS_ITEM_NONE;
	if (in->p == in->end)
		return bad(in, "it ends too early");
	first = *in->p++;
	if (first < FIXMAP || first >= NEGATIVE) {
		*item = mathis_item_int((int8_t)first);
		return MD_DONE;
	}
	if (first < FIXARRAY)
		return get_items(in, MATHIS_MAP, first & 15, depth, item);
	if (first < FIXSTR)
		return get_items(in, MATHIS_LIST, first & 15, depth, item);
	if (first < NIL)
		return get_text(in, MATHIS_STR, first & 31, item);
	if (first == NIL)
		return MD_DONE;
	if (first < FALSE)
		return bad(in, "no value begins so");
	if (first < BIN8) {
		*item = mathis_item_bool(first - FALSE);
		return MD_DONE;
	}
	if ((first >= EXT8 && first <= EXT32) ||
	    (first >= FIXEXT1 && first <= FIXEXT16))
		return md_fail(in->c, MATHIS_UNSUPPORTED,
			       "no value is an extension");
	if (first == F32 || first == F64)
		return get_float(in, first, item);
	if (first >= UINT8 && first <= INT64)
		return get_int(in, first, item);
	return get_long(in, first, depth, item);
}

int md_msgpack_decode(struct md_call *c)
{
	const uint8_t *p = (const uint8_t *)c->args[0].text;
	struct in in = { c, p, p, p + c->args[0].n };
	struct mathis_item item;

	if (get(&in, 0, &item))
		return MD_FAILED;
	if (in.p != in.end)
		return bad(&in, "more bytes follow");
	return md_return(c, item);
}
