// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * One module of several: constants, types and globals get new numbers, and
 * link_func.c puts these into the code. The assembler's writer writes the file.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "link.h"

#define LINK_MAX (UINT16_MAX + 1U) /* things that operands can name */

int link_fail(struct linker *l, int err, const char *fmt, ...)
{
	va_list args;

	if (!l->error)
		return err;
	memset(l->error, 0, sizeof(*l->error));
	l->error->code = err == -ENOENT ? MATHIS_NOT_FOUND : MATHIS_FORMAT;
	va_start(args, fmt);
	vsnprintf(l->error->text, sizeof(l->error->text), fmt, args);
	va_end(args);
	return err;
}

uint32_t link_const(const struct linker *l, size_t k, uint32_t i)
{
	return i == MATHIS_NONE_IDX ? i : l->maps[k].consts[i];
}

static uint32_t add_number(struct linker *l, const struct mathis_const *c)
{
	struct mathis_buf b = { 0 };
	size_t size = c->kind == KIND_BOOL ? 1 : c->kind == KIND_CHAR ? 4 : 0;
	uint64_t bits = c->i;
	float f = c->f;
	uint32_t i;

	if (c->kind >= KIND_I8 && c->kind <= KIND_U64)
		size = 1U << (c->kind < KIND_U8 ? c->kind - KIND_I8 :
						  c->kind - KIND_U8);
	if (c->kind == KIND_F64) {
		memcpy(&bits, &c->f, sizeof(bits));
		size = 8;
	} else if (c->kind == KIND_F32) {
		bits = 0;
		memcpy(&bits, &f, sizeof(f));
		size = 4;
	}
	mathis_buf_put(&b, bits, size);
	l->a.no_memory |= b.bad;
	i = asm_add_const(&l->a, c->kind, b.data, b.size);
	mathis_buf_fini(&b);
	return i;
}

static uint32_t add_const(struct linker *l, const struct mathis_const *c)
{
	/* In the file of the module the length stands before the text. */
	if (c->kind == KIND_STR || c->kind == KIND_BYTES)
		return asm_add_const(&l->a, c->kind, c->s.data - 4,
				     c->s.len + 4);
	return add_number(l, c);
}

unsigned int link_parts(unsigned int kind, struct mathis_reader *r)
{
	switch (kind) {
	case KIND_LIST:
	case KIND_SET:
	case KIND_OPTION:
		return 1;
	case KIND_MAP:
	case KIND_RESULT:
		return 2;
	case KIND_TUPLE:
		return mathis_get(r, 1);
	case KIND_FUNC:
		return mathis_get(r, 1) + 1;
	default:
		return 0;
	}
}

static void put_sig(struct linker *l, size_t k, struct mathis_reader *r,
		    struct mathis_buf *out)
{
	unsigned int kind = mathis_get(r, 1);
	unsigned int n = link_parts(kind, r);
	uint32_t id;

	mathis_buf_put(out, kind, 1);
	if (kind == KIND_TUPLE || kind == KIND_FUNC) {
		mathis_buf_put(out, n - (kind == KIND_FUNC), 1);
	} else if (kind == KIND_STRUCT) {
		id = mathis_get(r, 4);
		if (mathis_find_type(l->modules[k], id))
			id = l->maps[k].types[id - MATHIS_TYPE_FIRST];
		mathis_buf_put(out, id, 4);
	}
	while (n--)
		put_sig(l, k, r, out);
}

void link_sig(struct linker *l, size_t k, struct mathis_sig sig,
	      struct mathis_buf *out)
{
	struct mathis_reader r = { sig.data, sig.data + sig.len, false };

	while (mathis_left(&r))
		put_sig(l, k, &r, out);
}

static void put_fields(struct linker *l, size_t k, const struct mathis_type *t)
{
	struct mathis_buf *out = &l->a.type_data;

	if (t->kind == TYPE_ALIAS) {
		link_sig(l, k, t->sig, out);
		return;
	}
	mathis_buf_put(out, t->n_fields, 2);
	for (unsigned int i = 0; i < t->n_fields; i++) {
		const struct mathis_field *f = &t->fields[i];

		mathis_buf_put(out, link_const(l, k, f->name), 4);
		if (t->kind == TYPE_STRUCT) {
			link_sig(l, k, f->sig, out);
			mathis_buf_put(out, f->flags, 1);
			mathis_buf_put(out, link_const(l, k, f->init), 4);
		} else {
			mathis_buf_put(out, f->number, 8);
			mathis_buf_put(out, f->sig.len != 0, 1);
			link_sig(l, k, f->sig, out);
		}
	}
}

/* An earlier type with the name and the bytes of the last one, or that one. */
static uint32_t find_same(const struct linker *l, uint32_t last)
{
	const struct mathis_buf *data = &l->a.type_data;
	struct asm_type *t = ASM_AT(l->a.types, asm_type, last);
	size_t size = data->size - t->data;

	for (uint32_t i = 0; i < last; i++) {
		struct asm_type *old = ASM_AT(l->a.types, asm_type, i);

		if (old->kind == t->kind && asm_same(old->name, t->name) &&
		    old[1].data - old->data == size &&
		    !memcmp(data->data + old->data, data->data + t->data, size))
			return i;
	}
	return last;
}

static void add_type(struct linker *l, size_t k, uint32_t i)
{
	const struct mathis_module *m = l->modules[k];
	uint32_t last = ASM_N(l->a.types, asm_type);
	struct asm_type t = { .name = mathis_const_str(m, m->types[i].name),
			      .kind = m->types[i].kind,
			      .n_fields = m->types[i].n_fields,
			      .data = l->a.type_data.size };
	uint32_t same;

	mathis_buf_add(&l->a.types, &t, sizeof(t));
	l->maps[k].types[i] = MATHIS_TYPE_FIRST + last;
	put_fields(l, k, &m->types[i]);
	if (l->a.types.bad || l->a.type_data.bad)
		return;
	same = find_same(l, last);
	if (same == last)
		return;
	l->maps[k].types[i] = MATHIS_TYPE_FIRST + same;
	l->a.types.size -= sizeof(t);
	l->a.type_data.size = t.data;
}

static void add_globals(struct linker *l, size_t k)
{
	const struct mathis_module *m = l->modules[k];

	l->maps[k].globals = ASM_N(l->a.globals, asm_global);
	for (uint32_t i = 0; i < m->n_globals; i++) {
		const struct mathis_global *old = &m->globals[i];
		struct asm_global g = { .name = mathis_const_str(m, old->name),
					.sig = l->a.sigs.size,
					.init = link_const(l, k, old->init),
					.fixed = old->fixed };

		link_sig(l, k, old->sig, &l->a.sigs);
		g.sig_len = l->a.sigs.size - g.sig;
		mathis_buf_add(&l->a.globals, &g, sizeof(g));
	}
}

/* Each type gets a number before another one names it. */
static int add_things(struct linker *l, size_t k)
{
	const struct mathis_module *m = l->modules[k];
	struct link_map *map = &l->maps[k];

	map->consts = calloc(m->n_consts + 1UL, sizeof(*map->consts));
	map->types = calloc(m->n_types + 1UL, sizeof(*map->types));
	map->funcs = calloc(m->n_funcs + 1UL, sizeof(*map->funcs));
	if (!map->consts || !map->types || !map->funcs)
		return -ENOMEM;
	for (uint32_t i = 0; i < m->n_consts; i++)
		map->consts[i] = add_const(l, &m->consts[i]);
	for (uint32_t i = 0; i < m->n_types; i++)
		map->types[i] =
			MATHIS_TYPE_FIRST + ASM_N(l->a.types, asm_type) + i;
	for (uint32_t i = 0; i < m->n_types; i++)
		add_type(l, k, i);
	add_globals(l, k);
	return 0;
}

static int check(struct linker *l)
{
	uint64_t consts = 0, types = 0, globals = 0, funcs = 0;

	for (size_t k = 0; k < l->n; k++) {
		const struct mathis_module *m = l->modules[k];

		if (!m->verified)
			return link_fail(l, -EINVAL,
					 "a module is not verified");
		consts += m->n_consts;
		types += m->n_types;
		globals += m->n_globals;
		funcs += m->n_funcs;
		for (size_t i = 0; i < k; i++) {
			struct mathis_span name = mathis_const_str(m, m->name);

			if (name.len &&
			    asm_same(name,
				     mathis_const_str(l->modules[i],
						      l->modules[i]->name)))
				return link_fail(l, -EBADMSG,
						 "two modules are named %.*s",
						 (int)name.len, name.data);
		}
	}
	if (consts > LINK_MAX || types > LINK_MAX - MATHIS_TYPE_FIRST - 1 ||
	    globals > LINK_MAX || funcs > LINK_MAX)
		return link_fail(
			l, -E2BIG,
			"the modules have too many constants, types, globals or functions");
	return 0;
}

/* Add the name, properties, exports and imports of the program alone. */
static void add_program(struct linker *l)
{
	const struct mathis_module *m = l->modules[0];

	l->a.name = mathis_const_str(m, m->name);
	for (uint32_t i = 0; i < 2 * m->n_props; i++) {
		struct mathis_span s = mathis_const_str(m, m->props[i]);

		mathis_buf_add(&l->a.props, &s, sizeof(s));
	}
	for (uint32_t i = 0; i < m->n_exports; i++) {
		struct asm_export ex = { .name = mathis_const_str(
						 m, m->exports[i].inner) };

		if (m->exports[i].kind != SYMBOL_FUNC ||
		    asm_same(ex.name, m->funcs[m->exports[i].target].name))
			mathis_buf_add(&l->a.exports, &ex, sizeof(ex));
	}
	for (uint32_t i = 0; i < m->n_imports; i++) {
		struct asm_import im = {
			.module = mathis_const_str(m, m->imports[i].module),
			.alias = mathis_const_str(m, m->imports[i].alias)
		};

		if (m->imports[i].symbol == MATHIS_NONE_IDX)
			mathis_buf_add(&l->a.imports, &im, sizeof(im));
	}
}

static int link_all(struct linker *l, struct mathis_buf *out)
{
	int ret = check(l);

	for (size_t k = 0; k < l->n && !ret; k++)
		ret = add_things(l, k);
	if (!ret)
		ret = link_funcs(l);
	if (ret)
		return ret;
	add_program(l);
	if (!asm_no_memory(&l->a))
		asm_write(&l->a, out);
	if (asm_no_memory(&l->a) || out->bad)
		return -ENOMEM;
	return l->a.errors ? link_fail(l, -EBADMSG, "an export has no target") :
			     0;
}

int mathis_link(const struct mathis_module *const *modules, size_t n,
		void **file, size_t *size, struct mathis_error *error)
{
	struct linker l = { .modules = modules, .n = n, .error = error };
	struct mathis_buf out = { 0 };
	int ret = -ENOMEM;

	*file = NULL;
	*size = 0;
	l.maps = calloc(n, sizeof(*l.maps));
	if (l.maps)
		ret = link_all(&l, &out);
	for (size_t k = 0; k < n && l.maps; k++) {
		free(l.maps[k].consts);
		free(l.maps[k].types);
		free(l.maps[k].funcs);
	}
	free(l.maps);
	asm_fini(&l.a);
	if (ret == -ENOMEM)
		link_fail(&l, ret, "no memory");
	if (ret) {
		mathis_buf_fini(&out);
		return ret;
	}
	*file = out.data;
	*size = out.size;
	return 0;
}
