// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Values out of CBOR that nobody has checked; cbor.c says which encodings
 * there are. Each new object is kept, for the next one may collect.
 */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "buf.h"
#include "cbor.h"

struct decoder {
	struct mathis_machine *m;
	struct mathis_reader r;
};

/* The first byte, and the number of a head in its shortest form. */
static int get_head(struct decoder *d, unsigned int *first, uint64_t *n)
{
	unsigned int size;

	*first = mathis_get(&d->r, 1);
	if (d->r.bad)
		return -EBADMSG;
	*n = *first & 31;
	if (*n < 24 || *first >> 5 == CBOR_SIMPLE)
		return 0;
	if (*n > 27) /* of no known length */
		return -EBADMSG;
	size = 1U << (*n - 24);
	*n = 0;
	for (unsigned int i = 0; i < size; i++)
		*n = *n << 8 | mathis_get(&d->r, 1);
	if (d->r.bad || *n < 24 || (size > 1 && !(*n >> (4 * size))))
		return -EBADMSG;
	return 0;
}

/* A number of at most @max. */
static int get_uint(struct decoder *d, uint64_t max, uint64_t *n)
{
	unsigned int first;

	if (get_head(d, &first, n) || first >> 5 != CBOR_UINT || *n > max)
		return -EBADMSG;
	return 0;
}

/* The count of an array; each item takes a byte at least. */
static int get_array(struct decoder *d, uint64_t least, uint64_t *n)
{
	unsigned int first;

	if (get_head(d, &first, n) || first >> 5 != CBOR_ARRAY || *n < least ||
	    *n > mathis_left(&d->r))
		return -EBADMSG;
	return 0;
}

static int get_value(struct decoder *d, struct mathis_value *v, int depth);

static int get_int(uint64_t n, bool negative, struct mathis_value *v)
{
	if (n > INT64_MAX)
		return -EBADMSG;
	*v = MATHIS_V(KIND_INT, negative ? ~(int64_t)n : (int64_t)n);
	return 0;
}

static int get_text(struct decoder *d, uint8_t kind, uint64_t n,
		    struct mathis_value *v)
{
	const uint8_t *data = n <= mathis_left(&d->r) ? mathis_take(&d->r, n) :
							NULL;

	if (!data || (kind == KIND_STR && !mathis_utf8(data, n)))
		return -EBADMSG;
	if (mathis_make_text(d->m, kind, data, n, v))
		return -ENOMEM;
	return mathis_keep(d->m, *v);
}

/* The sign, exponent and fraction of 16 bits. */
static double half(unsigned int bits)
{
	int exponent = bits >> 10 & 31;
	int fraction = bits & 0x3ff;
	double d = exponent == 31 ? (fraction ? NAN : INFINITY) :
		   exponent	  ? ldexp(1024 + fraction, exponent - 25) :
				    ldexp(fraction, -24);

	return bits & 0x8000 ? -d : d;
}

static int get_float(struct decoder *d, int size, struct mathis_value *v)
{
	uint64_t bits = 0;
	uint32_t single;
	float f;

	for (int i = 0; i < size; i++)
		bits = bits << 8 | mathis_get(&d->r, 1);
	v->kind = KIND_FLOAT;
	if (size == 8) {
		memcpy(&v->f, &bits, sizeof(bits));
	} else if (size == 4) {
		single = bits;
		memcpy(&f, &single, sizeof(f));
		v->f = f;
	} else {
		v->f = half(bits);
	}
	return d->r.bad ? -EBADMSG : 0;
}

static int get_simple(struct decoder *d, unsigned int first,
		      struct mathis_value *v)
{
	switch (first) {
	case CBOR_FALSE:
	case CBOR_TRUE:
		*v = MATHIS_V(KIND_BOOL, first == CBOR_TRUE);
		return 0;
	case CBOR_NULL:
		*v = MATHIS_V(KIND_NONE, 0);
		return 0;
	case CBOR_F16:
		return get_float(d, 2, v);
	case CBOR_F32:
		return get_float(d, 4, v);
	case CBOR_F64:
		return get_float(d, 8, v);
	default:
		return -EBADMSG;
	}
}

/* A list, tuple or struct of @n items. */
static int get_seq(struct decoder *d, uint8_t kind, uint64_t n,
		   struct mathis_value *v, int depth)
{
	struct mathis_seq *s;
	int ret;

	if (mathis_make_seq(d->m, kind, n, v))
		return -ENOMEM;
	ret = mathis_keep(d->m, *v);
	s = mathis_seq_of(*v);
	for (uint64_t i = 0; i < n && !ret; i++) {
		ret = get_value(d, &s->items[i], depth);
		/* A list has only what was read. */
		s->n += kind == KIND_LIST && !ret;
	}
	return ret;
}

/* Entries, whose keys come in the order of their bytes, each once. */
static int get_entries(struct decoder *d, uint8_t kind, uint64_t n,
		       struct mathis_value *v, int depth)
{
	const uint8_t *last = NULL;
	size_t last_size = 0;
	int ret;

	if (n > CBOR_ENTRIES_MAX || n > mathis_left(&d->r))
		return -EBADMSG;
	if (mathis_make_map(d->m, kind, v))
		return -ENOMEM;
	ret = mathis_keep(d->m, *v);
	while (n-- && !ret) {
		struct mathis_value key, value = MATHIS_V(KIND_NONE, 0);
		const uint8_t *begin = d->r.p;
		size_t size, least;
		int order;

		ret = get_value(d, &key, depth);
		if (ret)
			break;
		size = d->r.p - begin;
		least = size < last_size ? size : last_size;
		order = last ? memcmp(last, begin, least) : -1;
		if (order > 0 || (!order && last_size >= size))
			return -EBADMSG;
		last = begin;
		last_size = size;
		if (kind == KIND_MAP)
			ret = get_value(d, &value, depth);
		if (!ret && mathis_map_set(d->m, mathis_map_of(*v), key, value))
			ret = d->m->error.code == MATHIS_ARG_TYPE ? -EBADMSG :
								    -ENOMEM;
	}
	return ret;
}

static int get_struct(struct decoder *d, struct mathis_value *v, int depth)
{
	const struct mathis_type *type;
	uint64_t n, id;
	int ret;

	if (get_array(d, 1, &n) || get_uint(d, UINT16_MAX, &id))
		return -EBADMSG;
	type = mathis_find_type(d->m->module, id);
	if (!type || type->kind != TYPE_STRUCT || type->n_fields != n - 1)
		return -EBADMSG;
	ret = get_seq(d, KIND_STRUCT, n - 1, v, depth);
	if (!ret)
		mathis_seq_of(*v)->type = id;
	return ret;
}

/* Whether a module, or Result, has a variant that goes with a value or not. */
bool mathis_is_variant(const struct mathis_module *m, uint32_t id,
		       int64_t number, bool has)
{
	const struct mathis_type *type = mathis_find_type(m, id);

	if (id == KIND_RESULT)
		return has && (number == 0 || number == 1);
	if (!type || type->kind != TYPE_ENUM)
		return false;
	for (unsigned int i = 0; i < type->n_fields; i++) {
		if (type->fields[i].number == number &&
		    !type->fields[i].sig.len == !has)
			return true;
	}
	return false;
}

static int get_enum(struct decoder *d, struct mathis_value *v, int depth)
{
	struct mathis_value number;
	uint64_t n, id;
	int ret;

	if (get_array(d, 2, &n) || n > 3 || get_uint(d, UINT16_MAX, &id))
		return -EBADMSG;
	ret = get_value(d, &number, depth);
	if (ret)
		return ret;
	if (number.kind != KIND_INT ||
	    !mathis_is_variant(d->m->module, id, number.i, n == 3))
		return -EBADMSG;
	if (mathis_make_enum(d->m, id, number.i, v))
		return -ENOMEM;
	ret = mathis_keep(d->m, *v);
	if (ret || n == 2)
		return ret;
	((struct mathis_enum *)v->o)->has = true;
	return get_value(d, &((struct mathis_enum *)v->o)->value, depth);
}

static int get_handle(struct decoder *d, struct mathis_value *v)
{
	uint64_t n, kind, slot, generation;

	if (get_array(d, 3, &n) || n != 3 || get_uint(d, UINT8_MAX, &kind) ||
	    get_uint(d, 0xffffff, &slot) ||
	    get_uint(d, UINT32_MAX, &generation))
		return -EBADMSG;
	*v = MATHIS_V(KIND_HANDLE, (int64_t)(kind << 24 | slot));
	v->aux = generation;
	return 0;
}

static int get_char(struct decoder *d, struct mathis_value *v)
{
	unsigned int first;
	const uint8_t *p;
	uint64_t n;
	char text[4];
	uint32_t c;

	if (get_head(d, &first, &n) || first >> 5 != CBOR_TEXT || n < 1 ||
	    n > 4)
		return -EBADMSG;
	p = mathis_take(&d->r, n);
	if (!p || !mathis_utf8(p, n))
		return -EBADMSG;
	c = n == 1 ? p[0] : p[0] & (0x7f >> n);
	for (uint64_t i = 1; i < n; i++)
		c = c << 6 | (p[i] & 0x3f);
	/* One character, not several. */
	if (mathis_put_char(text, c) != n || memcmp(text, p, n))
		return -EBADMSG;
	*v = MATHIS_V(KIND_CHAR, c);
	return 0;
}

static int get_tagged(struct decoder *d, uint64_t tag, struct mathis_value *v,
		      int depth)
{
	uint64_t n;

	switch (tag) {
	case CBOR_TAG_SET:
		return get_array(d, 0, &n) ?:
			       get_entries(d, KIND_SET, n, v, depth);
	case CBOR_TAG_TUPLE:
		return get_array(d, 0, &n) ?:
					     get_seq(d, KIND_TUPLE, n, v, depth);
	case CBOR_TAG_STRUCT:
		return get_struct(d, v, depth);
	case CBOR_TAG_ENUM:
		return get_enum(d, v, depth);
	case CBOR_TAG_HANDLE:
		return get_handle(d, v);
	case CBOR_TAG_CHAR:
		return get_char(d, v);
	default:
		return -EBADMSG;
	}
}

static int get_value(struct decoder *d, struct mathis_value *v, int depth)
{
	unsigned int first;
	uint64_t n;

	*v = MATHIS_V(KIND_NONE, 0);
	if (depth > CBOR_DEPTH_MAX || get_head(d, &first, &n))
		return -EBADMSG;
	switch (first >> 5) {
	case CBOR_UINT:
	case CBOR_NINT:
		return get_int(n, first >> 5 == CBOR_NINT, v);
	case CBOR_BYTES:
		return get_text(d, KIND_BYTES, n, v);
	case CBOR_TEXT:
		return get_text(d, KIND_STR, n, v);
	case CBOR_ARRAY:
		if (n > mathis_left(&d->r))
			return -EBADMSG;
		return get_seq(d, KIND_LIST, n, v, depth + 1);
	case CBOR_MAP:
		return get_entries(d, KIND_MAP, n, v, depth + 1);
	case CBOR_TAG:
		return get_tagged(d, n, v, depth + 1);
	default:
		return get_simple(d, first, v);
	}
}

int mathis_decode(struct mathis_machine *m, const void *data, size_t size,
		  struct mathis_value *value)
{
	struct decoder d = { m, { data, (const uint8_t *)data + size, false } };
	int ret;

	*value = MATHIS_V(KIND_NONE, 0);
	if (size > CBOR_SIZE_MAX)
		return -E2BIG;
	ret = get_value(&d, value, 0);
	if (!ret && mathis_left(&d.r))
		ret = -EBADMSG;
	if (ret)
		*value = MATHIS_V(KIND_NONE, 0);
	return ret;
}
