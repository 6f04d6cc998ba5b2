// SPDX-License-Identifier: GPL-2.0-only
/*
 * 0x1316: messages of protobuf as maps.
 */
#include "proto.h"

/* Fields of a message: what came of them. */
struct message {
	const struct proto_message *type;
	struct mathis_item *values; /* one each */
	struct proto_in
		*wholes; /* of messages that stand once: all their parts */
	bool *there;
};

static int malformed(struct md_call *c)
{
	return md_fail(c, MATHIS_FORMAT, "it is no such message");
}

static struct mathis_item float_item(const struct proto_field *f, uint64_t n)
{
	uint32_t bits = (uint32_t)n;
	float single;
	double d;

	memcpy(&single, &bits, sizeof(single));
	memcpy(&d, &n, sizeof(d));
	return mathis_item_float(f->type == PROTO_FLOAT ? (double)single : d);
}

/* An enum is its name, or the int of one that is not known. */
static struct mathis_item enum_item(struct md_call *c,
				    const struct proto_field *f, int32_t n)
{
	for (size_t i = 0; i < f->names->n; i++) {
		const struct proto_value *v = &f->names->values[i];

		if (v->number == n)
			return mathis_item_text(&c->pool, MATHIS_STR, v->name.p,
						v->name.n);
	}
	return mathis_item_int(n);
}

/* The item of a number. */
static int number_item(struct md_call *c, const struct proto_field *f,
		       uint64_t n, struct mathis_item *item)
{
	switch (f->type) {
	case PROTO_DOUBLE:
	case PROTO_FLOAT:
		*item = float_item(f, n);
		return MD_DONE;
	case PROTO_BOOL:
		*item = mathis_item_bool(n);
		return MD_DONE;
	case PROTO_ENUM:
		*item = enum_item(c, f, (int32_t)n);
		return MD_DONE;
	case PROTO_INT32:
	case PROTO_SFIXED32:
		*item = mathis_item_int((int32_t)n);
		return MD_DONE;
	case PROTO_UINT32:
	case PROTO_FIXED32:
		*item = mathis_item_int((uint32_t)n);
		return MD_DONE;
	case PROTO_SINT32:
		n &= UINT32_MAX;
		*item = mathis_item_int((int32_t)(n >> 1 ^ -(n & 1)));
		return MD_DONE;
	case PROTO_SINT64:
		*item = mathis_item_int((int64_t)(n >> 1 ^ -(n & 1)));
		return MD_DONE;
	case PROTO_UINT64:
	case PROTO_FIXED64:
		if (n > INT64_MAX)
			return md_fail(c, MATHIS_ARG_RANGE,
				       "a number is too big");
		*item = mathis_item_int((int64_t)n);
		return MD_DONE;
	default:
		*item = mathis_item_int((int64_t)n);
		return MD_DONE;
	}
}

static int get_message(struct md_call *c, const struct proto_message *type,
		       const struct proto_in *part, int depth,
		       struct mathis_item *item);

static int part_item(struct md_call *c, const struct proto_field *f,
		     const struct proto_in *part, int depth,
		     struct mathis_item *item)
{
	size_t n = (size_t)(part->end - part->p);

	if (f->type == PROTO_MESSAGE)
		return get_message(c, f->message, part, depth + 1, item);
	if (f->type == PROTO_STRING && !mathis_utf8(part->p, n))
		return md_fail(c, MATHIS_ENCODING, "a text is no UTF-8");
	*item = (struct mathis_item){
		.kind = f->type == PROTO_STRING ? MATHIS_STR : MATHIS_BYTES,
		.n = (uint32_t)n,
		.text = (const char *)part->p,
	};
	return MD_DONE;
}

/* All numbers of a packed list. */
static int unpack(struct md_call *c, const struct proto_field *f,
		  struct proto_in part, struct mathis_item *list)
{
	enum proto_wire wire = proto_wire_of(f->type);
	size_t size = wire == WIRE_64 ? 8 : 4;
	struct mathis_item one;

	while (part.p < part.end) {
		uint64_t n = 0;

		if (wire == WIRE_VARINT) {
			if (!proto_varint(&part, &n))
				return malformed(c);
		} else {
			if ((size_t)(part.end - part.p) < size)
				return malformed(c);
			memcpy(&n, part.p, size);
			part.p += size;
		}
		if (number_item(c, f, n, &one))
			return MD_FAILED;
		mathis_item_add(&c->pool, list, one);
		if (c->pool.bad)
			return md_fail(c, MATHIS_OUT_OF_MEMORY, "no memory");
	}
	return MD_DONE;
}

/* A pair of a map: a key or value that is missing is zero. */
static int add_pair(struct md_call *c, const struct proto_field *f,
		    const struct proto_in *part, int depth,
		    struct mathis_item *map)
{
	static const struct proto_in none = { NULL, NULL };
	struct mathis_item pair, values[2];

	if (get_message(c, f->message, part, depth + 1, &pair))
		return MD_FAILED;
	for (int i = 0; i < 2; i++) {
		const struct proto_field *field = &f->message->fields[i];
		const struct mathis_item *v = NULL;

		for (uint32_t j = 0; j < pair.n && !v; j++) {
			const struct mathis_item *k = &pair.items[2UL * j];

			if (k->n == field->name.n &&
			    !memcmp(k->text, field->name.p, k->n))
				v = k + 1;
		}
		if (v)
			values[i] = *v;
		else if (proto_wire_of(field->type) == WIRE_BYTES ?
				 part_item(c, field, &none, depth, &values[i]) :
				 number_item(c, field, 0, &values[i]))
			return MD_FAILED;
	}
	map->kind = MATHIS_LIST;
	map->n *= 2;
	mathis_item_add(&c->pool, map, values[0]);
	mathis_item_add(&c->pool, map, values[1]);
	map->kind = MATHIS_MAP;
	map->n /= 2;
	return MD_DONE;
}

/* A message that comes again goes on where the one before ended. */
static int add_part(struct md_call *c, struct proto_in *whole, bool there,
		    const struct proto_in *part)
{
	size_t old = there ? (size_t)(whole->end - whole->p) : 0;
	size_t n = (size_t)(part->end - part->p);
	uint8_t *both;

	if (!old) {
		*whole = *part;
		return MD_DONE;
	}
	both = md_alloc(c, old + n);
	if (!both)
		return MD_FAILED;
	memcpy(mempcpy(both, whole->p, old), part->p, n);
	*whole = (struct proto_in){ both, both + old + n };
	return MD_DONE;
}

/* Note a field of the wire. */
static int take(struct md_call *c, struct message *m, size_t at,
		enum proto_wire wire, uint64_t n, const struct proto_in *part,
		int depth)
{
	const struct proto_field *f = &m->type->fields[at];
	bool fits = wire == proto_wire_of(f->type);
	bool packed = f->repeated && wire == WIRE_BYTES && !fits;
	bool is_map = f->message && f->message->is_map;
	struct mathis_item *v = &m->values[at], one;
	bool was_there = m->there[at];

	/* A field in another form is one that is not known. */
	if (!fits && !packed)
		return MD_DONE;
	if (f->repeated && !was_there)
		*v = mathis_item_seq(&c->pool,
				     is_map ? MATHIS_MAP : MATHIS_LIST, 2);
	m->there[at] = true;
	for (size_t i = 0; f->oneof >= 0 && i < m->type->n; i++) {
		if (i != at && m->type->fields[i].oneof == f->oneof)
			m->there[i] = false;
	}
	if (f->message && !f->repeated)
		return add_part(c, &m->wholes[at], was_there, part);
	if (is_map)
		return add_pair(c, f, part, depth, v);
	if (packed)
		return unpack(c, f, *part, v);
	if (wire == WIRE_BYTES ? part_item(c, f, part, depth, &one) :
				 number_item(c, f, n, &one))
		return MD_FAILED;
	if (f->repeated)
		mathis_item_add(&c->pool, v, one);
	else
		*v = one;
	return MD_DONE;
}

/* The map of all that has come. */
static int finish(struct md_call *c, struct message *m, int depth,
		  struct mathis_item *item)
{
	*item = mathis_item_seq(&c->pool, MATHIS_LIST, 8);
	for (size_t i = 0; i < m->type->n; i++) {
		const struct proto_field *f = &m->type->fields[i];
		struct mathis_item *v = &m->values[i];

		if (!m->there[i] && f->required)
			return md_fail(c, MATHIS_FORMAT,
				       "a required field is missing");
		if (!m->there[i])
			continue;
		if (f->message && !f->repeated &&
		    get_message(c, f->message, &m->wholes[i], depth + 1, v))
			return MD_FAILED;
		if (f->message && f->message->is_map)
			serial_unique(c, v);
		mathis_item_add(&c->pool, item,
				mathis_item_text(&c->pool, MATHIS_STR,
						 f->name.p, f->name.n));
		mathis_item_add(&c->pool, item, *v);
	}
	item->kind = MATHIS_MAP;
	item->n /= 2;
	if (c->pool.bad)
		return md_fail(c, MATHIS_OUT_OF_MEMORY, "no memory");
	return MD_DONE;
}

static int get_message(struct md_call *c, const struct proto_message *type,
		       const struct proto_in *part, int depth,
		       struct mathis_item *item)
{
	struct message m = { .type = type };
	struct proto_in in = *part, inner;
	const struct proto_field *f;
	enum proto_wire wire;
	uint32_t number;
	uint64_t n = 0;

	if (depth >= SERIAL_DEPTH)
		return md_fail(c, MATHIS_TOO_LARGE,
			       "messages nest deeper than %d", SERIAL_DEPTH);
	m.values = md_alloc(c, (type->n + 1) * sizeof(*m.values));
	m.wholes = md_alloc(c, (type->n + 1) * sizeof(*m.wholes));
	m.there = md_alloc(c, type->n + 1);
	if (!m.values || !m.wholes || !m.there)
		return MD_FAILED;
	memset(m.there, 0, type->n + 1);
	while (in.p < in.end) {
		if (!proto_next(&in, &number, &wire, &n, &inner))
			return malformed(c);
		f = proto_field(type, number);
		if (f && take(c, &m, (size_t)(f - type->fields), wire, n,
			      &inner, depth))
			return MD_FAILED;
		if (c->pool.bad)
			return md_fail(c, MATHIS_OUT_OF_MEMORY, "no memory");
		if (md_stopped(c))
			return MD_FAILED;
	}
	return finish(c, &m, depth, item);
}

int md_protobuf_decode(struct md_call *c)
{
	const uint8_t *p = (const uint8_t *)c->args[2].text;
	const struct proto_in in = { p, p + c->args[2].n };
	const struct proto_message *m;
	struct proto *types = proto_get(c, &m);
	struct mathis_item item;
	int status;

	if (!types)
		return MD_FAILED;
	status = get_message(c, m, &in, 0, &item);
	md_object_put(&types->base);
	return status ?: md_return(c, item);
}
