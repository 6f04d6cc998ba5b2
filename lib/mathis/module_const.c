// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Sections of constants, of code, of symbols, imports, exports, properties.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "module.h"

bool mathis_is_str(const struct mathis_module *m, uint32_t idx)
{
	return idx < m->n_consts && m->consts[idx].kind == KIND_STR;
}

/* The text of a constant; empty where it is none. */
struct mathis_span mathis_const_str(const struct mathis_module *m, uint32_t idx)
{
	if (!mathis_is_str(m, idx))
		return (struct mathis_span){ "", 0 };
	return m->consts[idx].s;
}

/* A number of 1 << @shift bytes. */
static bool read_int(struct mathis_const *c, struct mathis_reader *r, int shift,
		     bool is_signed)
{
	int bits = 8 << shift;
	uint64_t v = mathis_get(r, 1 << shift);

	if (is_signed)
		c->i = (int64_t)(v << (64 - bits)) >> (64 - bits);
	else
		c->i = v;
	/* A value is an i64. */
	return is_signed || bits < 64 || v <= INT64_MAX;
}

static bool read_text(struct mathis_const *c, struct mathis_reader *r)
{
	uint32_t len = mathis_get(r, 4);
	const uint8_t *data = mathis_take(r, len);

	if (!data)
		return false;
	c->s.data = (const char *)data;
	c->s.len = len;
	return c->kind != KIND_STR || mathis_utf8(data, len);
}

static bool read_float(struct mathis_const *c, struct mathis_reader *r)
{
	uint64_t v = mathis_get(r, c->kind == KIND_F32 ? 4 : 8);

	if (c->kind == KIND_F32) {
		uint32_t bits = v;
		float f;

		memcpy(&f, &bits, sizeof(f));
		c->f = f;
	} else {
		memcpy(&c->f, &v, sizeof(v));
	}
	return true;
}

static bool read_const(struct mathis_const *c, struct mathis_reader *r)
{
	switch (c->kind) {
	case KIND_NONE:
		return true;
	case KIND_BOOL:
		c->i = mathis_get(r, 1);
		return c->i <= 1;
	case KIND_I8 ... KIND_I64:
		return read_int(c, r, c->kind - KIND_I8, true);
	case KIND_U8 ... KIND_U64:
		return read_int(c, r, c->kind - KIND_U8, false);
	case KIND_F32:
	case KIND_F64:
		return read_float(c, r);
	case KIND_CHAR:
		c->i = mathis_get(r, 4);
		return c->i <= 0x10ffff && (c->i & ~0x7ff) != 0xd800;
	case KIND_STR:
	case KIND_BYTES:
		return read_text(c, r);
	default:
		return false;
	}
}

int mathis_load_consts(struct mathis_module *m, struct mathis_part part)
{
	struct mathis_reader r = { part.data, part.data + part.size, false };
	const uint8_t *data;
	uint32_t size, left;
	int ret;

	m->consts =
		mathis_array(m, &r, &m->n_consts, 10, sizeof(*m->consts), &ret);
	if (!m->consts)
		return ret;
	data = r.p + 10UL * m->n_consts;
	size = part.data + part.size - data;
	left = size; /* bytes may not be shared: checks take time */
	for (uint32_t i = 0; i < m->n_consts; i++) {
		struct mathis_reader c;
		uint32_t offset, len;

		m->consts[i].kind = mathis_get(&r, 1);
		if (mathis_get(&r, 1))
			return mathis_bad(m, "constant %u has flags", i);
		offset = mathis_get(&r, 4);
		len = mathis_get(&r, 4);
		if (offset > size || len > size - offset || len > left)
			return mathis_bad(
				m, "constant %u is outside its section", i);
		left -= len;
		c = (struct mathis_reader){ data + offset, data + offset + len,
					    false };
		if (!read_const(&m->consts[i], &c) || c.bad || mathis_left(&c))
			return mathis_bad(m,
					  "constant %u, of kind %#x, is wrong",
					  i, m->consts[i].kind);
	}
	return 0;
}

int mathis_load_code(struct mathis_module *m, struct mathis_part part)
{
	struct mathis_reader r = { part.data, part.data + part.size, false };

	m->code_size = mathis_get(&r, 4);
	m->code = mathis_take(&r, m->code_size);
	if (r.bad || mathis_left(&r))
		return mathis_bad(m, "the code has another size than it says");
	return 0;
}

/* Symbols of functions give them their names; others are left alone. */
int mathis_load_symbols(struct mathis_module *m, struct mathis_part part)
{
	struct mathis_reader r = { part.data, part.data + part.size, false };
	uint32_t n = mathis_get(&r, 4);

	for (uint32_t i = 0; i < n && !r.bad; i++) {
		uint32_t name = mathis_get(&r, 4);
		unsigned int kind = mathis_get(&r, 1);
		uint32_t target;

		mathis_get(&r, 1);
		mathis_get(&r, 1);
		target = mathis_get(&r, 4);
		if (r.bad)
			break;
		if (!mathis_is_str(m, name))
			return mathis_bad(m, "symbol %u has no name", i);
		if (kind != SYMBOL_FUNC)
			continue;
		if (target >= m->n_funcs)
			return mathis_bad(m, "symbol %u is no function", i);
		m->funcs[target].name = m->consts[name].s;
	}
	if (r.bad || mathis_left(&r))
		return mathis_bad(m, "the symbols do not fill their section");
	return 0;
}

/* An index of a string constant, or none. */
static bool is_name(struct mathis_module *m, uint32_t idx)
{
	return idx == MATHIS_NONE_IDX || mathis_is_str(m, idx);
}

int mathis_load_imports(struct mathis_module *m, struct mathis_part part)
{
	struct mathis_reader r = { part.data, part.data + part.size, false };
	int ret;

	m->imports = mathis_array(m, &r, &m->n_imports, 13, sizeof(*m->imports),
				  &ret);
	if (ret)
		return ret;
	for (uint32_t i = 0; i < m->n_imports; i++) {
		struct mathis_import *im = &m->imports[i];

		im->module = mathis_get(&r, 4);
		im->symbol = mathis_get(&r, 4);
		im->alias = mathis_get(&r, 4);
		im->kind = mathis_get(&r, 1);
		if (!mathis_is_str(m, im->module) || !is_name(m, im->symbol) ||
		    !is_name(m, im->alias))
			return mathis_bad(m, "import %u has no name", i);
	}
	if (mathis_left(&r))
		return mathis_bad(m, "the imports do not fill their section");
	return 0;
}

#define NATIVE_NAME_MAX 250 /* bytes of module and symbol */

static bool names_func(const struct mathis_module *m,
		       const struct mathis_import *im)
{
	return im->kind == SYMBOL_FUNC && im->symbol != MATHIS_NONE_IDX &&
	       mathis_const_str(m, im->module).len +
			       mathis_const_str(m, im->symbol).len <=
		       NATIVE_NAME_MAX;
}

/* Imports of functions belong to the imported functions, in order. */
int mathis_load_externs(struct mathis_module *m)
{
	uint32_t at = 0;

	for (uint32_t i = 0; i < m->n_funcs; i++) {
		if (!(m->funcs[i].flags & FUNC_EXTERN))
			continue;
		while (at < m->n_imports && !names_func(m, &m->imports[at]))
			at++;
		if (at == m->n_imports)
			return mathis_bad(
				m, "function %u is imported from nowhere", i);
		m->funcs[i].import = at++;
	}
	return 0;
}

int mathis_load_exports(struct mathis_module *m, struct mathis_part part)
{
	struct mathis_reader r = { part.data, part.data + part.size, false };
	int ret;

	m->exports = mathis_array(m, &r, &m->n_exports, 13, sizeof(*m->exports),
				  &ret);
	if (ret)
		return ret;
	for (uint32_t i = 0; i < m->n_exports; i++) {
		struct mathis_export *ex = &m->exports[i];

		ex->inner = mathis_get(&r, 4);
		ex->outer = mathis_get(&r, 4);
		ex->kind = mathis_get(&r, 1);
		ex->target = mathis_get(&r, 4);
		if (!mathis_is_str(m, ex->inner) ||
		    !mathis_is_str(m, ex->outer))
			return mathis_bad(m, "export %u has no name", i);
		if (ex->kind == SYMBOL_FUNC && ex->target >= m->n_funcs)
			return mathis_bad(m, "export %u is no function", i);
	}
	if (mathis_left(&r))
		return mathis_bad(m, "the exports do not fill their section");
	return 0;
}

/* A custom section of another program is left alone. */
int mathis_load_custom(struct mathis_module *m, struct mathis_part part)
{
	struct mathis_reader r = { part.data, part.data + part.size, false };
	const uint8_t *magic = mathis_take(&r, 4);
	int ret;

	if (!magic || memcmp(magic, MATHIS_PROPS, 4))
		return 0;
	m->props = mathis_array(m, &r, &m->n_props, 8, 2 * sizeof(*m->props),
				&ret);
	if (ret)
		return ret;
	for (uint32_t i = 0; i < 2 * m->n_props; i++) {
		m->props[i] = mathis_get(&r, 4);
		if (!mathis_is_str(m, m->props[i]))
			return mathis_bad(m, "property %u is no text", i / 2);
	}
	if (mathis_left(&r))
		return mathis_bad(m,
				  "the properties do not fill their section");
	return 0;
}
