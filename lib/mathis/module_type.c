// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Sections of types and of globals, and the signatures of types.
 */
#include <errno.h>
#include <stdlib.h>

#include "module.h"

#define FIELD_LEAST 10 /* bytes of a field or variant */

static bool skip_sig(struct mathis_reader *r, int depth)
{
	unsigned int kind = mathis_get(r, 1);
	unsigned int n;

	if (r->bad || depth > SIG_DEPTH)
		return false;
	switch (kind) {
	case KIND_NONE ... KIND_CHAR:
	case KIND_STR:
	case KIND_BYTES:
	case KIND_PTR ... KIND_ITERATOR:
	case KIND_ANY:
		return true;
	case KIND_LIST:
	case KIND_SET:
	case KIND_OPTION:
		n = 1;
		break;
	case KIND_MAP:
	case KIND_RESULT:
		n = 2;
		break;
	case KIND_TUPLE:
		n = mathis_get(r, 1);
		break;
	case KIND_FUNC: /* the parameters, then the result */
		n = mathis_get(r, 1) + 1;
		break;
	case KIND_STRUCT:
		mathis_get(r, 4);
		return !r->bad;
	default:
		return false;
	}
	while (n--) {
		if (!skip_sig(r, depth + 1))
			return false;
	}
	return true;
}

/* Read a signature: 0, or -EBADMSG. */
int mathis_read_sig(struct mathis_reader *r, struct mathis_sig *sig)
{
	sig->data = r->p;
	if (!skip_sig(r, 0))
		return -EBADMSG;
	sig->len = r->p - sig->data;
	return 0;
}

static bool is_const(const struct mathis_module *m, uint32_t idx)
{
	return idx == MATHIS_NONE_IDX || idx < m->n_consts;
}

static bool read_field(struct mathis_module *m, struct mathis_reader *r,
		       struct mathis_field *f)
{
	f->name = mathis_get(r, 4);
	if (mathis_read_sig(r, &f->sig))
		return false;
	f->flags = mathis_get(r, 1);
	f->init = mathis_get(r, 4);
	return !r->bad && mathis_is_str(m, f->name) && is_const(m, f->init);
}

static bool read_variant(struct mathis_module *m, struct mathis_reader *r,
			 struct mathis_field *f)
{
	unsigned int has;

	f->init = MATHIS_NONE_IDX;
	f->name = mathis_get(r, 4);
	f->number = mathis_get(r, 8);
	has = mathis_get(r, 1);
	if (has > 1 || (has && mathis_read_sig(r, &f->sig)))
		return false;
	return !r->bad && mathis_is_str(m, f->name);
}

static int read_type(struct mathis_module *m, struct mathis_type *t,
		     struct mathis_reader *r)
{
	if (t->kind == TYPE_ALIAS)
		return mathis_read_sig(r, &t->sig);
	if (t->kind != TYPE_STRUCT && t->kind != TYPE_ENUM)
		return -EBADMSG;
	t->n_fields = mathis_get(r, 2);
	if (r->bad || t->n_fields > mathis_left(r) / FIELD_LEAST)
		return -EBADMSG;
	if (!t->n_fields)
		return 0;
	t->fields = calloc(t->n_fields, sizeof(*t->fields));
	if (!t->fields)
		return -ENOMEM;
	for (unsigned int i = 0; i < t->n_fields; i++) {
		if (t->kind == TYPE_STRUCT ? !read_field(m, r, &t->fields[i]) :
					     !read_variant(m, r, &t->fields[i]))
			return -EBADMSG;
		if (t->fields[i].init == MATHIS_NONE_IDX)
			t->needs = i + 1;
	}
	return 0;
}

/* A module's type by its number, or NULL. */
const struct mathis_type *mathis_find_type(const struct mathis_module *m,
					   uint32_t id)
{
	if (id >= MATHIS_TYPE_FIRST && id - MATHIS_TYPE_FIRST < m->n_types)
		return &m->types[id - MATHIS_TYPE_FIRST];
	return NULL;
}

int mathis_load_types(struct mathis_module *m, struct mathis_part part)
{
	struct mathis_reader r = { part.data, part.data + part.size, false };
	const uint8_t *data;
	uint32_t count = 0;
	uint32_t size, left;
	int ret;

	m->types = mathis_array(m, &r, &count, 18, sizeof(*m->types), &ret);
	if (!m->types)
		return ret;
	data = r.p + 18UL * count;
	size = part.data + part.size - data;
	left = size; /* bytes may not be shared: fields take memory */
	for (uint32_t i = 0; i < count; i++) {
		struct mathis_type *t = &m->types[i];
		uint32_t id = mathis_get(&r, 4);
		struct mathis_reader d;
		uint32_t offset, len;

		t->kind = mathis_get(&r, 1);
		t->name = mathis_get(&r, 4);
		t->flags = mathis_get(&r, 1);
		offset = mathis_get(&r, 4);
		len = mathis_get(&r, 4);
		if (id != MATHIS_TYPE_FIRST + i || id > UINT16_MAX)
			return mathis_bad(m, "type %u has the number %#x", i,
					  id);
		t->id = id;
		if (!mathis_is_str(m, t->name) || offset > size ||
		    len > size - offset || len > left)
			return mathis_bad(m, "type %u is outside its section",
					  i);
		left -= len;
		d = (struct mathis_reader){ data + offset, data + offset + len,
					    false };
		m->n_types = i + 1;
		ret = read_type(m, t, &d);
		if (ret == -ENOMEM)
			return mathis_fail(m->error, ret, MATHIS_OUT_OF_MEMORY,
					   "no memory");
		if (ret || d.bad || mathis_left(&d))
			return mathis_bad(m, "type %u is wrong", i);
	}
	return 0;
}

int mathis_load_globals(struct mathis_module *m, struct mathis_part part)
{
	struct mathis_reader r = { part.data, part.data + part.size, false };
	int ret;

	m->globals = mathis_array(m, &r, &m->n_globals, 10, sizeof(*m->globals),
				  &ret);
	if (ret)
		return ret;
	for (uint32_t i = 0; i < m->n_globals; i++) {
		struct mathis_global *g = &m->globals[i];
		unsigned int flags;

		g->name = mathis_get(&r, 4);
		if (mathis_read_sig(&r, &g->sig))
			return mathis_bad(m, "global %u has no type", i);
		flags = mathis_get(&r, 1);
		g->init = mathis_get(&r, 4);
		g->fixed = flags;
		if (r.bad || flags > 1 || !mathis_is_str(m, g->name) ||
		    !is_const(m, g->init))
			return mathis_bad(m, "global %u is wrong", i);
	}
	if (mathis_left(&r))
		return mathis_bad(m, "the globals do not fill their section");
	return 0;
}
