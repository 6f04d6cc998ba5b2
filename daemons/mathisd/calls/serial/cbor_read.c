// SPDX-License-Identifier: GPL-2.0-only
/*
 * 0x1311: CBOR (RFC 8949) that anyone wrote, as items: heads of any length,
 * texts and containers whose end is marked, keys in any order.
 */
#include <math.h>
#include <mathis/cbor.h>

#include "serial.h"

#define OPEN 31 /* in a head: a break ends it */
#define BREAK 0xff
#define UNDEFINED 0xf7

struct in {
	struct md_call *c;
	const uint8_t *p;
	const uint8_t *begin;
	const uint8_t *end;
	bool any_tag;
};

struct head {
	uint8_t first;
	bool open;
	uint64_t n;
};

static int bad(struct in *in, const char *text)
{
	int64_t at = in->p - in->begin;

	md_detail(in->c, "offset", mathis_item_int(at));
	return md_fail(in->c, MATHIS_FORMAT, "byte %ld: %s", (long)at, text);
}

static int get_head(struct in *in, struct head *h)
{
	unsigned int low, size;

	if (in->p == in->end)
		return bad(in, "it ends too early");
	h->first = *in->p++;
	low = h->first & 31;
	h->n = low;
	h->open = low == OPEN;
	if (low < 24 || h->open)
		return MD_DONE;
	if (low > 27)
		return bad(in, "a head of no known length");
	size = 1U << (low - 24);
	if ((size_t)(in->end - in->p) < size)
		return bad(in, "it ends too early");
	for (h->n = 0; size; size--)
		h->n = h->n << 8 | *in->p++;
	return MD_DONE;
}

/* Whether a break is next, which is taken. */
static bool ended(struct in *in)
{
	if (in->p == in->end || *in->p != BREAK)
		return false;
	in->p++;
	return true;
}

static int get(struct in *in, int depth, struct mathis_item *item);

/* Parts of a text whose end is marked: one text. */
static int get_parts(struct in *in, unsigned int major,
		     struct mathis_item *item)
{
	struct mathis_buf b = { 0 };
	struct head h;
	int ret = MD_DONE;

	while (!ret && !ended(in)) {
		ret = get_head(in, &h);
		if (ret)
			break;
		if (h.first >> 5 != major || h.open ||
		    h.n > (uint64_t)(in->end - in->p) ||
		    (major == CBOR_TEXT && !mathis_utf8(in->p, h.n))) {
			ret = bad(in, "this is no part of the text");
			break;
		}
		mathis_buf_add(&b, in->p, h.n);
		in->p += h.n;
	}
	*item = mathis_item_text(&in->c->pool, item->kind, b.data, b.size);
	if (b.bad)
		ret = md_fail(in->c, MATHIS_OUT_OF_MEMORY, "no memory");
	mathis_buf_fini(&b);
	return ret;
}

static int get_text(struct in *in, const struct head *h,
		    struct mathis_item *item)
{
	unsigned int major = h->first >> 5;

	item->kind = major == CBOR_TEXT ? MATHIS_STR : MATHIS_BYTES;
	if (h->open)
		return get_parts(in, major, item);
	if (h->n > (uint64_t)(in->end - in->p))
		return bad(in, "it ends too early");
	if (major == CBOR_TEXT && !mathis_utf8(in->p, h->n))
		return bad(in, "the text is no UTF-8");
	item->n = (uint32_t)h->n;
	item->text = (const char *)in->p;
	in->p += h->n;
	return MD_DONE;
}

/* Items of a container; each takes a byte at least. */
static int get_items(struct in *in, const struct head *h, uint32_t kind,
		     int depth, struct mathis_item *item)
{
	uint64_t left = (uint64_t)(in->end - in->p);
	bool keyed = kind == MATHIS_MAP || kind == MATHIS_SET;
	unsigned int each = kind == MATHIS_MAP ? 2 : 1;
	struct mathis_item part;

	if (depth >= SERIAL_DEPTH)
		return md_fail(in->c, MATHIS_TOO_LARGE,
			       "values nest deeper than %d", SERIAL_DEPTH);
	if (!h->open && h->n > left / each)
		return bad(in, "it ends too early");
	*item = mathis_item_seq(&in->c->pool, MATHIS_LIST,
				h->open ? 0 : h->n * each);
	for (uint64_t i = 0; h->open ? !ended(in) : i < h->n * each; i++) {
		if (get(in, depth + 1, &part))
			return MD_FAILED;
		if (keyed && i % each == 0 && !serial_is_key(&part))
			return md_fail(in->c, MATHIS_UNSUPPORTED,
				       "no value has such a key");
		mathis_item_add(&in->c->pool, item, part);
		if (in->c->pool.bad)
			return md_fail(in->c, MATHIS_OUT_OF_MEMORY,
				       "no memory");
	}
	if (item->n % each)
		return bad(in, "a key has no value");
	item->kind = kind;
	item->n /= each;
	if (keyed && serial_unique(in->c, item))
		return bad(in, "a key comes twice");
	return MD_DONE;
}

static int get_char(struct in *in, struct mathis_item *item)
{
	const unsigned char *t = (const unsigned char *)item->text;
	char again[4];
	uint32_t u;

	if (item->kind != MATHIS_STR || !item->n || item->n > 4)
		return bad(in, "this is not one character");
	u = item->n == 1 ? t[0] : t[0] & (0x7fU >> item->n);
	for (uint32_t i = 1; i < item->n; i++)
		u = u << 6 | (t[i] & 0x3f);
	if (mathis_put_char(again, u) != item->n || memcmp(again, t, item->n))
		return bad(in, "this is not one character");
	*item = (struct mathis_item){ .kind = MATHIS_CHAR, .i = u };
	return MD_DONE;
}

static int get_tagged(struct in *in, uint64_t tag, int depth,
		      struct mathis_item *item)
{
	struct head h;

	if (tag == CBOR_TAG_TUPLE || tag == CBOR_TAG_SET) {
		if (get_head(in, &h))
			return MD_FAILED;
		if (h.first >> 5 != CBOR_ARRAY)
			return bad(in, "this tag stands before an array");
		return get_items(
			in, &h, tag == CBOR_TAG_SET ? MATHIS_SET : MATHIS_TUPLE,
			depth, item);
	}
	if (tag != CBOR_TAG_CHAR && !in->any_tag)
		return md_fail(in->c, MATHIS_UNSUPPORTED,
			       "no value has tag %lu", (unsigned long)tag);
	if (depth >= SERIAL_DEPTH)
		return md_fail(in->c, MATHIS_TOO_LARGE,
			       "values nest deeper than %d", SERIAL_DEPTH);
	if (get(in, depth + 1, item))
		return MD_FAILED;
	return tag == CBOR_TAG_CHAR ? get_char(in, item) : MD_DONE;
}

/* The sign, exponent and fraction of 16 bits. */
static double half(unsigned int bits)
{
	int exponent = bits >> 10 & 31, fraction = bits & 0x3ff;
	double f = exponent == 31 ? (fraction ? NAN : INFINITY) :
		   exponent	  ? ldexp(1024 + fraction, exponent - 25) :
				    ldexp(fraction, -24);

	return bits & 0x8000 ? -f : f;
}

static int get_simple(struct in *in, const struct head *h,
		      struct mathis_item *item)
{
	uint32_t bits = (uint32_t)h->n;
	double f;
	float single;

	switch (h->first) {
	case CBOR_FALSE:
	case CBOR_TRUE:
		*item = mathis_item_bool(h->first == CBOR_TRUE);
		return MD_DONE;
	case CBOR_NULL:
	case UNDEFINED:
		*item = MATHIS_ITEM_NONE;
		return MD_DONE;
	case CBOR_F16:
		*item = mathis_item_float(half(bits));
		return MD_DONE;
	case CBOR_F32:
		memcpy(&single, &bits, sizeof(single));
		*item = mathis_item_float((double)single);
		return MD_DONE;
	case CBOR_F64:
		memcpy(&f, &h->n, sizeof(f));
		*item = mathis_item_float(f);
		return MD_DONE;
	case BREAK:
		return bad(in, "nothing is to end here");
	default:
		return md_fail(in->c, MATHIS_UNSUPPORTED,
			       "no value is simple value %u", bits);
	}
}

static int get(struct in *in, int depth, struct mathis_item *item)
{
	struct head h;
	unsigned int major;

	*item = MATHIS_ITEM_NONE;
	if (get_head(in, &h))
		return MD_FAILED;
	major = h.first >> 5;
	if (h.open && (major < CBOR_BYTES || major == CBOR_TAG))
		return bad(in, "a number of no length");
	switch (major) {
	case CBOR_UINT:
	case CBOR_NINT:
		if (h.n > INT64_MAX)
			return md_fail(in->c, MATHIS_ARG_RANGE,
				       "a number is too big");
		*item = mathis_item_int(major == CBOR_NINT ? ~(int64_t)h.n :
							     (int64_t)h.n);
		return MD_DONE;
	case CBOR_BYTES:
	case CBOR_TEXT:
		return get_text(in, &h, item);
	case CBOR_ARRAY:
		return get_items(in, &h, MATHIS_LIST, depth, item);
	case CBOR_MAP:
		return get_items(in, &h, MATHIS_MAP, depth, item);
	case CBOR_TAG:
		return get_tagged(in, h.n, depth, item);
	default:
		return get_simple(in, &h, item);
	}
}

int md_cbor_decode(struct md_call *c)
{
	const uint8_t *p = (const uint8_t *)c->args[0].text;
	struct in in = { c, p, p, p + c->args[0].n,
			 serial_flag(&c->args[1], "tags") };
	struct mathis_item item;

	if (get(&in, 0, &item))
		return MD_FAILED;
	if (in.p != in.end)
		return bad(&in, "more bytes follow");
	return md_return(c, item);
}
