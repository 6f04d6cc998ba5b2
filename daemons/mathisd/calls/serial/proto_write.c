// SPDX-License-Identifier: GPL-2.0-only
/*
 * 0x1315: messages of protobuf.
 */
#include "proto.h"

static void put_varint(struct mathis_buf *b, uint64_t n)
{
	while (n > 0x7f) {
		mathis_buf_put(b, (n & 0x7f) | 0x80, 1);
		n >>= 7;
	}
	mathis_buf_put(b, n, 1);
}

static void put_tag(struct mathis_buf *b, const struct proto_field *f,
		    enum proto_wire wire)
{
	put_varint(b, (uint64_t)f->number << 3 | wire);
}

static int wrong(struct md_call *c, const struct proto_field *f, int code,
		 const char *text)
{
	return md_fail(c, code, "the field %.*s %s",
		       f->name.n < 100 ? (int)f->name.n : 100, f->name.p, text);
}

/* The int of a value of an enum. */
static int enum_number(struct md_call *c, const struct proto_field *f,
		       const struct mathis_item *v, int64_t *n)
{
	*n = v->i;
	if (v->kind != MATHIS_STR)
		return MD_DONE;
	for (size_t i = 0; i < f->names->n; i++) {
		const struct proto_value *one = &f->names->values[i];

		if (one->name.n == v->n &&
		    !memcmp(one->name.p, v->text, v->n)) {
			*n = one->number;
			return MD_DONE;
		}
	}
	return wrong(c, f, MATHIS_ARG_RANGE, "has a name that its enum lacks");
}

/* Whether an int is in the range of a type. */
static bool in_range(enum proto_type type, int64_t n)
{
	switch (type) {
	case PROTO_INT32:
	case PROTO_SINT32:
	case PROTO_SFIXED32:
	case PROTO_ENUM:
		return n >= INT32_MIN && n <= INT32_MAX;
	case PROTO_UINT32:
	case PROTO_FIXED32:
		return n >= 0 && n <= UINT32_MAX;
	case PROTO_UINT64:
	case PROTO_FIXED64:
		return n >= 0;
	default:
		return true;
	}
}

static int put_int(struct md_call *c, struct mathis_buf *b,
		   const struct proto_field *f, const struct mathis_item *v)
{
	bool zigzag = f->type == PROTO_SINT32 || f->type == PROTO_SINT64;
	int64_t n;

	if (v->kind != MATHIS_INT &&
	    !(v->kind == MATHIS_STR && f->type == PROTO_ENUM))
		return wrong(c, f, MATHIS_ARG_TYPE, "is an int");
	if (enum_number(c, f, v, &n))
		return MD_FAILED;
	if (!in_range(f->type, n))
		return wrong(c, f, MATHIS_ARG_RANGE, "has a smaller range");
	switch (proto_wire_of(f->type)) {
	case WIRE_64:
		mathis_buf_put(b, (uint64_t)n, 8);
		break;
	case WIRE_32:
		mathis_buf_put(b, (uint64_t)n & UINT32_MAX, 4);
		break;
	default:
		put_varint(b, zigzag ? (uint64_t)n << 1 ^ (uint64_t)(n >> 63) :
				       (uint64_t)n);
		break;
	}
	return MD_DONE;
}

static int put_float(struct md_call *c, struct mathis_buf *b,
		     const struct proto_field *f, const struct mathis_item *v)
{
	double d = v->kind == MATHIS_INT ? (double)v->i : v->f;
	float single = (float)d;
	uint64_t bits = 0;

	if (v->kind != MATHIS_INT && v->kind != MATHIS_FLOAT)
		return wrong(c, f, MATHIS_ARG_TYPE, "is a number");
	if (f->type == PROTO_DOUBLE)
		memcpy(&bits, &d, sizeof(d));
	else
		memcpy(&bits, &single, sizeof(single));
	mathis_buf_put(b, bits, f->type == PROTO_DOUBLE ? 8 : 4);
	return MD_DONE;
}

static int put_message(struct md_call *c, struct mathis_buf *b,
		       const struct proto_message *m,
		       const struct mathis_item *map);

/* A value without its tag, of a type that is no text and no message. */
static int put_scalar(struct md_call *c, struct mathis_buf *b,
		      const struct proto_field *f, const struct mathis_item *v)
{
	if (f->type == PROTO_DOUBLE || f->type == PROTO_FLOAT)
		return put_float(c, b, f, v);
	if (f->type != PROTO_BOOL)
		return put_int(c, b, f, v);
	if (v->kind != MATHIS_BOOL)
		return wrong(c, f, MATHIS_ARG_TYPE, "is a bool");
	mathis_buf_put(b, (uint64_t)v->i, 1);
	return MD_DONE;
}

/* Bytes behind their length. */
static void put_part(struct mathis_buf *b, const struct mathis_buf *part)
{
	put_varint(b, part->size);
	if (part->size)
		mathis_buf_add(b, part->data, part->size);
	b->bad |= part->bad;
}

static int put_one(struct md_call *c, struct mathis_buf *b,
		   const struct proto_field *f, const struct mathis_item *v)
{
	bool text = f->type == PROTO_STRING;
	struct mathis_buf part = { 0 };
	int ret;

	if (b->size > SERIAL_MAX)
		return md_fail(c, MATHIS_TOO_LARGE, "more than 16 MiB");
	put_tag(b, f, proto_wire_of(f->type));
	if (f->type == PROTO_MESSAGE) {
		if (v->kind != MATHIS_MAP)
			return wrong(c, f, MATHIS_ARG_TYPE, "is a map");
		ret = put_message(c, &part, f->message, v);
		put_part(b, &part);
		mathis_buf_fini(&part);
		return ret;
	}
	if (!text && f->type != PROTO_BYTES)
		return put_scalar(c, b, f, v);
	if (v->kind != (text ? MATHIS_STR : MATHIS_BYTES))
		return wrong(c, f, MATHIS_ARG_TYPE,
			     text ? "is a text" : "is bytes");
	put_varint(b, v->n);
	if (v->n)
		mathis_buf_add(b, v->text, v->n);
	return MD_DONE;
}

static int put_list(struct md_call *c, struct mathis_buf *b,
		    const struct proto_field *f, const struct mathis_item *v)
{
	struct mathis_buf part = { 0 };
	int ret = MD_DONE;

	if (v->kind != MATHIS_LIST)
		return wrong(c, f, MATHIS_ARG_TYPE, "is a list");
	for (uint32_t i = 0; i < v->n && !ret; i++)
		ret = f->packed ? put_scalar(c, &part, f, &v->items[i]) :
				  put_one(c, b, f, &v->items[i]);
	if (part.size) {
		put_tag(b, f, WIRE_BYTES);
		put_part(b, &part);
	}
	b->bad |= part.bad;
	mathis_buf_fini(&part);
	return ret;
}

/* A map: each pair is a message of a key and a value. */
static int put_map(struct md_call *c, struct mathis_buf *b,
		   const struct proto_field *f, const struct mathis_item *v)
{
	if (v->kind != MATHIS_MAP)
		return wrong(c, f, MATHIS_ARG_TYPE, "is a map");
	for (uint32_t i = 0; i < v->n; i++) {
		struct mathis_buf part = { 0 };
		int ret =
			put_one(c, &part, &f->message->fields[0], &v->items[2UL * i]) ?:
				put_one(c, &part, &f->message->fields[1],
					&v->items[2UL * i + 1]);

		put_tag(b, f, WIRE_BYTES);
		put_part(b, &part);
		mathis_buf_fini(&part);
		if (ret)
			return ret;
	}
	return MD_DONE;
}

static const struct mathis_item *value_of(const struct mathis_item *map,
					  const struct proto_field *f)
{
	for (uint32_t i = 0; i < map->n; i++) {
		const struct mathis_item *key = &map->items[2UL * i];

		if (key->kind == MATHIS_STR && key->n == f->name.n &&
		    !memcmp(key->text, f->name.p, key->n))
			return key + 1;
	}
	return NULL;
}

static int put_message(struct md_call *c, struct mathis_buf *b,
		       const struct proto_message *m,
		       const struct mathis_item *map)
{
	const struct proto_field *chosen = NULL;
	uint32_t known = 0;
	int ret = MD_DONE;

	for (size_t i = 0; i < m->n && !ret; i++) {
		const struct proto_field *f = &m->fields[i];
		const struct mathis_item *v = value_of(map, f);

		known += !!v;
		if (!v || v->kind == MATHIS_NONE) {
			if (f->required)
				ret = wrong(c, f, MATHIS_FORMAT, "is required");
			continue;
		}
		if (f->oneof >= 0 && chosen && chosen->oneof == f->oneof)
			return wrong(
				c, f, MATHIS_FORMAT,
				"is one of several, of which one is there");
		if (f->oneof >= 0)
			chosen = f;
		if (f->message && f->message->is_map)
			ret = put_map(c, b, f, v);
		else
			ret = f->repeated ? put_list(c, b, f, v) :
					    put_one(c, b, f, v);
	}
	if (!ret && known < map->n)
		ret = md_fail(c, MATHIS_NOT_FOUND,
			      "the message lacks a field that the map has");
	return ret;
}

int md_protobuf_encode(struct md_call *c)
{
	const struct proto_message *m;
	struct proto *types = proto_get(c, &m);
	struct mathis_buf b = { 0 };
	int status;

	if (!types)
		return MD_FAILED;
	status = put_message(c, &b, m, &c->args[2]);
	md_object_put(&types->base);
	return serial_return(c, MATHIS_BYTES, &b, status);
}
