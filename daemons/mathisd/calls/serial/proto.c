// SPDX-License-Identifier: GPL-2.0-only
/*
 * 0x1314, 0x1317: descriptors of protobuf, read from the wire themselves.
 */
#include <stdio.h>
#include <stdlib.h>

#include "proto.h"

#define POOL_BYTES (32UL << 20)
#define NEST_MAX 32 /* messages declared in messages */
#define NAME_BYTES 1024

bool proto_varint(struct proto_in *in, uint64_t *n)
{
	*n = 0;
	for (unsigned int shift = 0; shift < 64 && in->p < in->end;
	     shift += 7) {
		uint8_t byte = *in->p++;

		/* The tenth byte has one bit. */
		if (shift == 63 && byte > 1)
			return false;
		*n |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return true;
	}
	return false;
}

static bool get_fixed(struct proto_in *in, unsigned int bytes, uint64_t *n)
{
	if ((size_t)(in->end - in->p) < bytes)
		return false;
	*n = 0;
	memcpy(n, in->p, bytes);
	in->p += bytes;
	return true;
}

bool proto_next(struct proto_in *in, uint32_t *number, enum proto_wire *wire,
		uint64_t *n, struct proto_in *part)
{
	uint64_t tag;

	if (!proto_varint(in, &tag) || tag > UINT32_MAX || !(tag >> 3))
		return false;
	*number = (uint32_t)tag >> 3;
	*wire = tag & 7;
	switch (*wire) {
	case WIRE_VARINT:
		return proto_varint(in, n);
	case WIRE_64:
		return get_fixed(in, 8, n);
	case WIRE_32:
		return get_fixed(in, 4, n);
	case WIRE_BYTES:
		if (!proto_varint(in, n) || *n > (uint64_t)(in->end - in->p))
			return false;
		*part = (struct proto_in){ in->p, in->p + *n };
		in->p += *n;
		return true;
	default:
		return false;
	}
}

enum proto_wire proto_wire_of(enum proto_type type)
{
	switch (type) {
	case PROTO_DOUBLE:
	case PROTO_FIXED64:
	case PROTO_SFIXED64:
		return WIRE_64;
	case PROTO_FLOAT:
	case PROTO_FIXED32:
	case PROTO_SFIXED32:
		return WIRE_32;
	case PROTO_STRING:
	case PROTO_MESSAGE:
	case PROTO_BYTES:
		return WIRE_BYTES;
	default:
		return WIRE_VARINT;
	}
}

/* Reads descriptors. */
struct loader {
	struct md_call *c;
	struct proto *types;
	bool proto3; /* the file that is read */
	int depth;
};

static int malformed(struct loader *l)
{
	return md_fail(l->c, MATHIS_FORMAT, "it is no FileDescriptorSet");
}

static int no_memory(struct loader *l)
{
	return md_fail(l->c, MATHIS_LIMIT, "the types have more than %lu MiB",
		       POOL_BYTES >> 20);
}

static struct proto_text text_of(const struct proto_in *part)
{
	return (struct proto_text){ (const char *)part->p,
				    (size_t)(part->end - part->p) };
}

/* Add an element to an array in the pool, which doubles; NULL without room. */
static void *add(struct loader *l, void **array, size_t *n, size_t size)
{
	void *more = *array;

	if (!(*n & (*n - 1))) {
		more = mathis_pool_alloc(&l->types->pool,
					 (*n ? 2 * *n : 1) * size);
		if (!more)
			return NULL;
		if (*n)
			memcpy(more, *array, *n * size);
		*array = more;
	}
	memset((char *)more + *n * size, 0, size);
	return (char *)more + (*n)++ * size;
}

/* ".scope.name" */
static int join(struct loader *l, struct proto_text scope,
		struct proto_text name, struct proto_text *out)
{
	char *text;

	if (!name.n || scope.n + name.n > NAME_BYTES ||
	    !mathis_utf8(name.p, name.n))
		return malformed(l);
	text = mathis_pool_alloc(&l->types->pool, scope.n + 1 + name.n);
	if (!text)
		return no_memory(l);
	memcpy(text, scope.p, scope.n);
	text[scope.n] = '.';
	memcpy(text + scope.n + 1, name.p, name.n);
	*out = (struct proto_text){ text, scope.n + 1 + name.n };
	return 0;
}

/* The text of a field of a message that is read. */
static int text_in(struct loader *l, struct proto_in in, uint32_t want,
		   struct proto_text *out)
{
	struct proto_in part;
	enum proto_wire wire;
	uint32_t number;
	uint64_t n;

	*out = (struct proto_text){ "", 0 };
	while (in.p < in.end) {
		if (!proto_next(&in, &number, &wire, &n, &part))
			return malformed(l);
		if (number == want && wire == WIRE_BYTES)
			*out = text_of(&part);
	}
	return 0;
}

/* The bool of a field of options: *value stays where it is missing. */
static int flag_in(struct loader *l, struct proto_in in, uint32_t want,
		   bool *value)
{
	struct proto_in part;
	enum proto_wire wire;
	uint32_t number;
	uint64_t n;

	while (in.p < in.end) {
		if (!proto_next(&in, &number, &wire, &n, &part))
			return malformed(l);
		if (number == want && wire == WIRE_VARINT)
			*value = n;
	}
	return 0;
}

static int read_value(struct loader *l, struct proto_in in,
		      struct proto_value *value)
{
	struct proto_in part;
	enum proto_wire wire;
	uint32_t number;
	uint64_t n;

	while (in.p < in.end) {
		if (!proto_next(&in, &number, &wire, &n, &part))
			return malformed(l);
		if (number == 1 && wire == WIRE_BYTES)
			value->name = text_of(&part);
		else if (number == 2 && wire == WIRE_VARINT)
			value->number = (int32_t)n;
	}
	return value->name.n && mathis_utf8(value->name.p, value->name.n) ?
		       0 :
		       malformed(l);
}

static int read_enum(struct loader *l, struct proto_text scope,
		     struct proto_in in)
{
	struct proto_enum *e = add(l, (void **)&l->types->enums,
				   &l->types->n_enums, sizeof(*e));
	struct proto_text name;
	struct proto_in part;
	enum proto_wire wire;
	uint32_t number;
	uint64_t n;

	if (!e)
		return no_memory(l);
	if (text_in(l, in, 1, &name) || join(l, scope, name, &e->name))
		return MD_FAILED;
	while (in.p < in.end) {
		struct proto_value *value;

		if (!proto_next(&in, &number, &wire, &n, &part))
			return malformed(l);
		if (number != 2 || wire != WIRE_BYTES)
			continue;
		value = add(l, (void **)&e->values, &e->n, sizeof(*value));
		if (!value)
			return no_memory(l);
		if (read_value(l, part, value))
			return MD_FAILED;
	}
	return 0;
}

/* One number of a field's descriptor. */
static void set_number(struct proto_field *f, uint32_t number, uint64_t n)
{
	switch (number) {
	case 3:
		f->number = (uint32_t)n;
		break;
	case 4:
		f->required = n == 2;
		f->repeated = n == 3;
		break;
	case 5:
		f->type = n <= PROTO_SINT64 ? (enum proto_type)n : 0;
		break;
	case 9:
		f->oneof = (int)(n & INT32_MAX);
		break;
	default:
		break;
	}
}

static int check_field(struct loader *l, struct proto_field *f)
{
	bool named = f->type == PROTO_MESSAGE || f->type == PROTO_ENUM;

	if (f->type == PROTO_GROUP)
		return md_fail(l->c, MATHIS_UNSUPPORTED, "a field is a group");
	if (!f->name.n || !mathis_utf8(f->name.p, f->name.n) || !f->type ||
	    !f->number || f->number >= 1U << 29 || named != !!f->type_name.n)
		return malformed(l);
	if (proto_wire_of(f->type) == WIRE_BYTES || !f->repeated)
		f->packed = false;
	return 0;
}

static int read_field(struct loader *l, struct proto_in in,
		      struct proto_field *f)
{
	struct proto_in part;
	enum proto_wire wire;
	uint32_t number;
	uint64_t n;

	f->oneof = -1;
	f->packed = l->proto3;
	while (in.p < in.end) {
		if (!proto_next(&in, &number, &wire, &n, &part))
			return malformed(l);
		if (wire == WIRE_VARINT)
			set_number(f, number, n);
		if (wire != WIRE_BYTES)
			continue;
		if (number == 1)
			f->name = text_of(&part);
		else if (number == 6)
			f->type_name = text_of(&part);
		else if (number == 8 && flag_in(l, part, 2, &f->packed))
			return MD_FAILED;
	}
	return check_field(l, f);
}

static int by_number(const void *a, const void *b)
{
	const struct proto_field *x = a, *y = b;

	return (x->number > y->number) - (x->number < y->number);
}

static int sort_fields(struct loader *l, struct proto_message *m)
{
	if (m->n)
		qsort(m->fields, m->n, sizeof(*m->fields), by_number);
	for (size_t i = 1; i < m->n; i++) {
		if (m->fields[i].number == m->fields[i - 1].number)
			return malformed(l);
	}
	return 0;
}

static int read_message(struct loader *l, struct proto_text scope,
			struct proto_in in)
{
	struct proto_message m = { .n = 0 }, *place;
	struct proto_in part, again = in;
	struct proto_text name;
	enum proto_wire wire;
	uint32_t number;
	uint64_t n;
	int ret = 0;

	if (l->depth == NEST_MAX)
		return malformed(l);
	l->depth++;
	if (text_in(l, in, 1, &name) || join(l, scope, name, &m.name))
		return MD_FAILED;
	while (!ret && again.p < again.end) {
		if (!proto_next(&again, &number, &wire, &n, &part))
			return malformed(l);
		if (wire != WIRE_BYTES)
			continue;
		if (number == 2) {
			struct proto_field *f =
				add(l, (void **)&m.fields, &m.n, sizeof(*f));

			ret = f ? read_field(l, part, f) : no_memory(l);
		} else if (number == 3) {
			ret = read_message(l, m.name, part);
		} else if (number == 4) {
			ret = read_enum(l, m.name, part);
		} else if (number == 7) {
			ret = flag_in(l, part, 7, &m.is_map);
		}
	}
	l->depth--;
	if (ret || sort_fields(l, &m))
		return MD_FAILED;
	place = add(l, (void **)&l->types->messages, &l->types->n_messages,
		    sizeof(*place));
	if (!place)
		return no_memory(l);
	*place = m;
	return 0;
}

static int read_file(struct loader *l, struct proto_in in)
{
	struct proto_text package, syntax, scope = { "", 0 };
	struct proto_in part;
	enum proto_wire wire;
	uint32_t number;
	uint64_t n;
	int ret = 0;

	if (text_in(l, in, 2, &package) || text_in(l, in, 12, &syntax) ||
	    (package.n && join(l, scope, package, &scope)))
		return MD_FAILED;
	l->proto3 = syntax.n == 6 && !memcmp(syntax.p, "proto3", 6);
	if (syntax.n && !l->proto3 &&
	    !(syntax.n == 6 && !memcmp(syntax.p, "proto2", 6)))
		return md_fail(l->c, MATHIS_UNSUPPORTED,
			       "a file is neither proto2 nor proto3");
	while (!ret && in.p < in.end) {
		if (!proto_next(&in, &number, &wire, &n, &part))
			return malformed(l);
		if (number == 4 && wire == WIRE_BYTES)
			ret = read_message(l, scope, part);
		else if (number == 5 && wire == WIRE_BYTES)
			ret = read_enum(l, scope, part);
	}
	return ret;
}

/* Compare names; all types begin with one. */
static int by_name(const void *a, const void *b)
{
	const struct proto_text *x = a, *y = b;
	int order = memcmp(x->p, y->p, x->n < y->n ? x->n : y->n);

	return order ?: (x->n > y->n) - (x->n < y->n);
}

static int sort(struct loader *l, void *types, size_t n, size_t size)
{
	if (n)
		qsort(types, n, size, by_name);
	for (size_t i = 1; i < n; i++) {
		const char *one = (char *)types + i * size;

		if (!by_name(one - size, one))
			return malformed(l);
	}
	return 0;
}

static void *find(const void *types, size_t n, size_t size,
		  const struct proto_text *name)
{
	return n && name->n ? bsearch(name, types, n, size, by_name) : NULL;
}

/* Let fields know the types that they name. */
static int connect(struct loader *l)
{
	struct proto *t = l->types;

	if (sort(l, t->messages, t->n_messages, sizeof(*t->messages)) ||
	    sort(l, t->enums, t->n_enums, sizeof(*t->enums)))
		return MD_FAILED;
	for (size_t i = 0; i < t->n_messages; i++) {
		struct proto_message *m = &t->messages[i];

		if (m->is_map && (m->n != 2 || m->fields[0].number != 1 ||
				  m->fields[1].number != 2))
			return malformed(l);
		for (size_t j = 0; j < m->n; j++) {
			struct proto_field *f = &m->fields[j];

			f->message = find(t->messages, t->n_messages,
					  sizeof(*t->messages), &f->type_name);
			f->names = find(t->enums, t->n_enums, sizeof(*t->enums),
					&f->type_name);
			if ((f->type == PROTO_MESSAGE && !f->message) ||
			    (f->type == PROTO_ENUM && !f->names))
				return md_fail(l->c, MATHIS_FORMAT,
					       "the type %.*s is not there",
					       f->type_name.n < 100 ?
						       (int)f->type_name.n :
						       100,
					       f->type_name.p);
		}
	}
	return 0;
}

static void free_types(struct md_object *object)
{
	struct proto *types = (struct proto *)object;

	mathis_pool_fini(&types->pool);
	free(types);
}

static int load(struct loader *l)
{
	struct mathis_item copy =
		mathis_item_copy(&l->types->pool, &l->c->args[0]);
	const uint8_t *p = (const uint8_t *)copy.text;
	struct proto_in in = { p, p + copy.n }, part;
	enum proto_wire wire;
	uint32_t number;
	uint64_t n;
	int ret = 0;

	if (l->types->pool.bad)
		return no_memory(l);
	while (!ret && in.p < in.end) {
		if (!proto_next(&in, &number, &wire, &n, &part))
			return malformed(l);
		if (number == 1 && wire == WIRE_BYTES)
			ret = read_file(l, part);
	}
	return ret ?: connect(l);
}

int md_protobuf_load(struct md_call *c)
{
	struct loader l = { .c = c, .types = calloc(1, sizeof(*l.types)) };

	if (!l.types)
		return md_fail(c, MATHIS_OUT_OF_MEMORY, "no memory");
	md_object_init(&l.types->base, free_types);
	mathis_pool_init(&l.types->pool, POOL_BYTES);
	if (!load(&l))
		return md_return_handle(c, MD_KIND_protobuf, &l.types->base);
	md_object_put(&l.types->base);
	return MD_FAILED;
}

int md_protobuf_close(struct md_call *c)
{
	return md_handle_close(c, MD_KIND_protobuf, &c->args[0]);
}

struct proto *proto_get(struct md_call *c, const struct proto_message **message)
{
	const struct mathis_item *name = &c->args[1];
	char text[NAME_BYTES + 2] = ".";
	struct proto_text key = { text, name->n + 1UL };
	struct proto *types =
		(struct proto *)md_handle_get(c, MD_KIND_protobuf, &c->args[0]);

	if (!types)
		return NULL;
	memcpy(text + 1, name->text, name->n);
	*message = find(types->messages, types->n_messages,
			sizeof(*types->messages), &key);
	if (*message)
		return types;
	md_object_put(&types->base);
	md_fail(c, MATHIS_NOT_FOUND, "there is no such message");
	return NULL;
}

const struct proto_field *proto_field(const struct proto_message *m,
				      uint32_t number)
{
	struct proto_field key = { .number = number };

	return m->n ? bsearch(&key, m->fields, m->n, sizeof(key), by_number) :
		      NULL;
}
