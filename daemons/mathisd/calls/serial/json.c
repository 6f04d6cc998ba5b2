// SPDX-License-Identifier: GPL-2.0-only
/*
 * JSON (RFC 8259) between items and yyjson. All of yyjson's memory is the
 * call's, so that it counts, and texts need no copies.
 */
#include <math.h>
#include <mathis/cbor.h>
#include <stdio.h>

#include "json.h"

static void *take(void *c, size_t n)
{
	return md_alloc(c, n);
}

static void *take_more(void *c, void *old, size_t old_n, size_t n)
{
	void *p = n > old_n ? md_alloc(c, n) : old;

	if (p && p != old && old_n)
		memcpy(p, old, old_n);
	return p;
}

/* The end of the call frees it. */
static void leave(void *c, void *p)
{
	(void)c;
	(void)p;
}

yyjson_alc json_memory(struct md_call *c)
{
	return (yyjson_alc){ take, take_more, leave, c };
}

static struct mathis_item text_item(yyjson_val *v)
{
	const char *text = yyjson_is_raw(v) ? yyjson_get_raw(v) :
					      yyjson_get_str(v);

	return (struct mathis_item){ .kind = MATHIS_STR,
				     .n = (uint32_t)yyjson_get_len(v),
				     .text = text };
}

static int outside(struct md_call *c, struct json_how how,
		   struct mathis_item text, struct mathis_item *item)
{
	if (!how.big)
		return md_fail(c, MATHIS_ARG_RANGE,
			       "a number is too big: \"%.*s\"",
			       text.n < 40 ? (int)text.n : 40, text.text);
	*item = text;
	return MD_DONE;
}

static int number(struct md_call *c, yyjson_val *v, struct json_how how,
		  struct mathis_item *item)
{
	char digits[24];
	uint64_t u;

	if (yyjson_is_raw(v))
		return outside(c, how, text_item(v), item);
	if (yyjson_is_real(v)) {
		*item = mathis_item_float(yyjson_get_real(v));
		return MD_DONE;
	}
	u = yyjson_get_uint(v);
	if (yyjson_is_sint(v) || u <= INT64_MAX) {
		*item = mathis_item_int(yyjson_get_sint(v));
		return MD_DONE;
	}
	snprintf(digits, sizeof(digits), "%lu", (unsigned long)u);
	return outside(c, how, md_text(c, digits), item);
}

static int container(struct md_call *c, yyjson_val *v, struct json_how how,
		     int depth, struct mathis_item *item)
{
	bool map = yyjson_is_obj(v);
	size_t n = yyjson_get_len(v) * (map ? 2 : 1);
	yyjson_val *part = unsafe_yyjson_get_first(v);

	if (depth >= SERIAL_DEPTH)
		return md_fail(c, MATHIS_TOO_LARGE,
			       "values nest deeper than %d", SERIAL_DEPTH);
	*item = mathis_item_seq(&c->pool, map ? MATHIS_MAP : MATHIS_LIST, n);
	if (c->pool.bad)
		return md_fail(c, MATHIS_OUT_OF_MEMORY, "it is too much");
	for (size_t i = 0; i < n; i++) {
		if (json_item(c, part, how, depth + 1, &item->items[i]))
			return MD_FAILED;
		part = unsafe_yyjson_get_next(part);
	}
	item->n = (uint32_t)yyjson_get_len(v);
	if (map && serial_unique(c, item) && how.unique)
		return md_fail(c, MATHIS_FORMAT, "a key comes twice");
	return MD_DONE;
}

int json_item(struct md_call *c, yyjson_val *v, struct json_how how, int depth,
	      struct mathis_item *item)
{
	switch (yyjson_get_type(v)) {
	case YYJSON_TYPE_BOOL:
		*item = mathis_item_bool(yyjson_get_bool(v));
		return MD_DONE;
	case YYJSON_TYPE_NUM:
	case YYJSON_TYPE_RAW:
		return number(c, v, how, item);
	case YYJSON_TYPE_STR:
		*item = text_item(v);
		return MD_DONE;
	case YYJSON_TYPE_ARR:
	case YYJSON_TYPE_OBJ:
		return container(c, v, how, depth, item);
	default:
		*item = MATHIS_ITEM_NONE;
		return MD_DONE;
	}
}

static yyjson_mut_val *refuse(struct md_call *c, int code, const char *text)
{
	md_fail(c, code, "%s", text);
	return NULL;
}

static yyjson_mut_val *char_value(yyjson_mut_doc *doc, uint32_t u)
{
	char text[4];

	return yyjson_mut_strncpy(doc, text, mathis_put_char(text, u));
}

/* The empty text of an item may have no address. */
static yyjson_mut_val *text_value(yyjson_mut_doc *doc,
				  const struct mathis_item *item)
{
	return yyjson_mut_strn(doc, item->n ? item->text : "", item->n);
}

static yyjson_mut_val *container_value(struct md_call *c, yyjson_mut_doc *doc,
				       const struct mathis_item *item)
{
	bool map = item->kind == MATHIS_MAP;
	yyjson_mut_val *v = map ? yyjson_mut_obj(doc) : yyjson_mut_arr(doc);

	for (size_t i = 0; v && i < mathis_item_parts(item); i++) {
		const struct mathis_item *part = &item->items[i];
		yyjson_mut_val *key = NULL, *value;

		if (map) {
			if (part->kind != MATHIS_STR)
				return refuse(c, MATHIS_ARG_TYPE,
					      "keys of JSON are texts");
			key = text_value(doc, part);
			part = &item->items[++i];
		}
		value = json_value(c, doc, part);
		if (!value || (map ? !yyjson_mut_obj_add(v, key, value) :
				     !yyjson_mut_arr_append(v, value)))
			return NULL;
	}
	return v;
}

yyjson_mut_val *json_value(struct md_call *c, yyjson_mut_doc *doc,
			   const struct mathis_item *item)
{
	switch (item->kind) {
	case MATHIS_NONE:
		return yyjson_mut_null(doc);
	case MATHIS_BOOL:
		return yyjson_mut_bool(doc, item->i);
	case MATHIS_INT:
		return yyjson_mut_sint(doc, item->i);
	case MATHIS_FLOAT:
		if (!isfinite(item->f))
			return refuse(c, MATHIS_ARG_RANGE,
				      "JSON has neither NaN nor infinity");
		return yyjson_mut_real(doc, item->f);
	case MATHIS_CHAR:
		return char_value(doc, (uint32_t)item->i);
	case MATHIS_STR:
		return text_value(doc, item);
	case MATHIS_LIST:
	case MATHIS_TUPLE:
	case MATHIS_SET:
	case MATHIS_MAP:
		return container_value(c, doc, item);
	default:
		return refuse(c, MATHIS_ARG_TYPE,
			      "JSON has no such values: write bytes as text");
	}
}
