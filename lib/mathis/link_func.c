// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Functions of linked modules: which one an import means, and code with the
 * new numbers of what its operands name. Operands keep their size: jumps lead
 * to where they led.
 */
#include <errno.h>
#include <string.h>

#include "link.h"
#include "opcode.h"

/* Whether two types fit: any fits all; types of modules go by their names. */
static bool same_type(const struct mathis_module *a, struct mathis_reader *x,
		      const struct mathis_module *b, struct mathis_reader *y)
{
	unsigned int n;
	struct mathis_sig skipped;
	const struct mathis_type *s, *t;
	uint8_t kind = *x->p;

	if (kind == KIND_ANY || *y->p == KIND_ANY)
		return !mathis_read_sig(x, &skipped) &&
		       !mathis_read_sig(y, &skipped);
	if (mathis_get(x, 1) != mathis_get(y, 1))
		return false;
	n = link_parts(kind, x);
	if (link_parts(kind, y) != n)
		return false;
	if (kind == KIND_STRUCT) {
		s = mathis_find_type(a, mathis_get(x, 4));
		t = mathis_find_type(b, mathis_get(y, 4));
		return s && t &&
		       asm_same(mathis_const_str(a, s->name),
				mathis_const_str(b, t->name));
	}
	while (n--) {
		if (!same_type(a, x, b, y))
			return false;
	}
	return true;
}

static bool same_types(const struct mathis_module *a,
		       const struct mathis_func *f,
		       const struct mathis_module *b,
		       const struct mathis_func *g)
{
	struct mathis_reader x = { f->ret.data, f->ret.data + f->ret.len,
				   false };
	struct mathis_reader y = { g->ret.data, g->ret.data + g->ret.len,
				   false };

	if (!same_type(a, &x, b, &y))
		return false;
	if (!f->n_params || !g->n_params)
		return true;
	x = (struct mathis_reader){ f->params.data,
				    f->params.data + f->params.len, false };
	y = (struct mathis_reader){ g->params.data,
				    g->params.data + g->params.len, false };
	for (unsigned int i = 0; i < f->n_params; i++) {
		if (!same_type(a, &x, b, &y))
			return false;
	}
	return true;
}

/* The module that a function is imported from; l->n: none of those here. */
static size_t module_of(const struct linker *l, size_t k,
			const struct mathis_func *f)
{
	const struct mathis_module *m = l->modules[k];
	struct mathis_span name =
		mathis_const_str(m, m->imports[f->import].module);
	size_t i = name.len ? 0 : l->n;

	while (i < l->n &&
	       !asm_same(mathis_const_str(l->modules[i], l->modules[i]->name),
			 name))
		i++;
	return i;
}

/* The exported function that an import means, of module @of. */
static int find_export(struct linker *l, size_t k, const struct mathis_func *f,
		       size_t of, uint32_t *target)
{
	const struct mathis_module *m = l->modules[k];
	const struct mathis_module *lib = l->modules[of];
	struct mathis_span module = mathis_const_str(lib, lib->name);
	struct mathis_span symbol =
		mathis_const_str(m, m->imports[f->import].symbol);
	const struct mathis_func *g;
	uint32_t i = 0;

	while (i < lib->n_exports &&
	       (lib->exports[i].kind != SYMBOL_FUNC ||
		!asm_same(mathis_const_str(lib, lib->exports[i].outer),
			  symbol)))
		i++;
	if (i == lib->n_exports)
		return link_fail(l, -ENOENT, "%.*s exports no function %.*s",
				 (int)module.len, module.data, (int)symbol.len,
				 symbol.data);
	*target = lib->exports[i].target;
	g = &lib->funcs[*target];
	if (g->flags & FUNC_EXTERN || g->captured)
		return link_fail(l, -EBADMSG,
				 "%.*s:%.*s is imported itself, or a closure",
				 (int)module.len, module.data, (int)symbol.len,
				 symbol.data);
	if (g->arity != f->arity)
		return link_fail(l, -EBADMSG,
				 "%.*s:%.*s takes %u values, not %u",
				 (int)module.len, module.data, (int)symbol.len,
				 symbol.data, g->arity, f->arity);
	if (!same_types(m, f, lib, g))
		return link_fail(l, -EBADMSG, "%.*s:%.*s has other types",
				 (int)module.len, module.data, (int)symbol.len,
				 symbol.data);
	return 0;
}

/* Number the functions that stay, then the imports by what they mean. */
static int number_funcs(struct linker *l)
{
	uint32_t count = 0;

	for (size_t k = 0; k < l->n; k++) {
		for (uint32_t i = 0; i < l->modules[k]->n_funcs; i++) {
			const struct mathis_func *f = &l->modules[k]->funcs[i];

			if (!(f->flags & FUNC_EXTERN) ||
			    module_of(l, k, f) == l->n)
				l->maps[k].funcs[i] = count++;
		}
	}
	for (size_t k = 0; k < l->n; k++) {
		for (uint32_t i = 0; i < l->modules[k]->n_funcs; i++) {
			const struct mathis_func *f = &l->modules[k]->funcs[i];
			uint32_t target = 0;
			size_t of;
			int ret;

			if (!(f->flags & FUNC_EXTERN))
				continue;
			of = module_of(l, k, f);
			if (of == l->n)
				continue;
			ret = find_export(l, k, f, of, &target);
			if (ret)
				return ret;
			l->maps[k].funcs[i] = l->maps[of].funcs[target];
		}
	}
	return 0;
}

/* The new number of what an operand names. */
static int64_t renumber(const struct linker *l, size_t k, char letter,
			int64_t arg)
{
	switch (letter) {
	case 'c':
	case 's':
		return l->maps[k].consts[arg];
	case 'g':
		return l->maps[k].globals + arg;
	case 'f':
		return l->maps[k].funcs[arg];
	case 't':
		return arg < MATHIS_TYPE_FIRST ?
			       arg :
			       l->maps[k].types[arg - MATHIS_TYPE_FIRST];
	}
	return arg;
}

/* The embedder alone has functions for NATIVE_CALL. */
static int put_insn(struct linker *l, size_t k, const struct mathis_insn *insn)
{
	const char *operands = mathis_opcode(insn->op)->operands;
	const struct mathis_module *m = l->modules[k];

	if (insn->op == OP_NATIVE_CALL &&
	    module_of(l, k, &m->funcs[insn->arg[0]]) != l->n)
		return link_fail(l, -EBADMSG,
				 "NATIVE_CALL of a function that a module has");
	mathis_buf_put(&l->a.code, insn->op, 1);
	for (int i = 0; operands[i]; i++)
		mathis_buf_put(&l->a.code,
			       renumber(l, k, operands[i], insn->arg[i]),
			       mathis_operand_size(operands[i]));
	return 0;
}

static void put_lines(struct linker *l, size_t k, const struct mathis_func *f,
		      uint32_t *line)
{
	const struct mathis_module *m = l->modules[k];
	uint32_t code = l->a.code.size;

	for (; *line < m->n_lines && m->lines[*line].code < f->code + f->size;
	     ++*line) {
		struct mathis_line one = m->lines[*line];

		if (one.code < f->code)
			continue;
		one.code += code - f->code;
		one.file += l->maps[k].files;
		mathis_buf_add(&l->a.lines, &one, sizeof(one));
	}
}

/* The name of a function: MODULE:NAME unless it is one of the program. */
static struct mathis_span name_of(struct linker *l, size_t k,
				  const struct mathis_func *f)
{
	const struct mathis_module *m = l->modules[k];
	struct mathis_span module = mathis_const_str(m, m->name);
	struct mathis_span name = { f->name.data ?: "", f->name.len };
	struct mathis_buf b = { 0 };

	if (!k || !name.len)
		return name;
	mathis_buf_add(&b, module.data, module.len);
	mathis_buf_add(&b, ":", 1);
	mathis_buf_add(&b, name.data, name.len);
	l->a.no_memory |= b.bad;
	name = asm_keep(&l->a, b.data, b.size);
	mathis_buf_fini(&b);
	return name;
}

static int add_func(struct linker *l, size_t k, const struct mathis_func *f,
		    uint32_t *line)
{
	const struct mathis_module *m = l->modules[k];
	struct mathis_insn insn;
	struct asm_func g = { .name = name_of(l, k, f),
			      .flags = f->flags,
			      .arity = f->arity,
			      .locals = f->locals,
			      .n_params = f->n_params,
			      .code = l->a.code.size,
			      .size = f->size,
			      .meta = MATHIS_NONE_IDX };
	int ret = 0;

	if (f->flags & FUNC_EXTERN) {
		g.module = mathis_const_str(m, m->imports[f->import].module);
		g.symbol = mathis_const_str(m, m->imports[f->import].symbol);
	}
	if (f->meta != MATHIS_NONE_IDX)
		g.meta = l->maps[k].metas + f->meta;
	g.ret = l->a.sigs.size;
	link_sig(l, k, f->ret, &l->a.sigs);
	g.ret_len = l->a.sigs.size - g.ret;
	g.params = l->a.sigs.size;
	link_sig(l, k, f->params, &l->a.sigs);
	g.params_len = l->a.sigs.size - g.params;
	put_lines(l, k, f, line);
	for (uint32_t at = 0; at < f->size && !ret; at += insn.size) {
		mathis_read_insn(m->code + f->code + at, f->size - at, &insn);
		ret = put_insn(l, k, &insn);
	}
	mathis_buf_add(&l->a.funcs, &g, sizeof(g));
	return ret;
}

static void put_text(struct mathis_buf *b, struct mathis_span s)
{
	mathis_buf_put(b, s.len, 4);
	mathis_buf_add(b, s.data, s.len);
}

static void add_metas(struct linker *l, size_t k)
{
	const struct mathis_module *m = l->modules[k];
	struct mathis_buf *b = &l->a.metas;

	l->maps[k].metas = l->a.n_metas;
	for (uint32_t i = 0; i < m->n_metas; i++) {
		const struct mathis_meta *meta = &m->metas[i];
		uint32_t target = meta->target;
		size_t begin;

		if (meta->target_kind == SYMBOL_FUNC && target < m->n_funcs)
			target = l->maps[k].funcs[target];
		mathis_buf_put(b, meta->target_kind, 1);
		mathis_buf_put(b, target, 4);
		mathis_buf_put(b, 0, 8);
		begin = b->size;
		put_text(b, meta->block);
		put_text(b, meta->intent);
		mathis_buf_put(b, meta->pure, 1);
		put_text(b, meta->complexity);
		mathis_buf_put(b, meta->n_depends, 2);
		for (unsigned int j = 0; j < meta->n_depends; j++)
			put_text(b, meta->depends[j]);
		mathis_buf_put(b, meta->n_effects, 2);
		for (unsigned int j = 0; j < meta->n_effects; j++)
			put_text(b, meta->depends[meta->n_depends + j]);
		mathis_buf_set(b, begin - 4, b->size - begin, 4);
	}
	l->a.n_metas += m->n_metas;
}

static int add_funcs(struct linker *l, size_t k)
{
	const struct mathis_module *m = l->modules[k];
	uint32_t line = 0;
	int ret = 0;

	l->maps[k].files = ASM_N(l->a.files, mathis_span);
	for (uint32_t i = 0; i < m->n_files; i++) {
		struct mathis_span s = mathis_const_str(m, m->files[i]);

		mathis_buf_add(&l->a.files, &s, sizeof(s));
	}
	if (ASM_N(l->a.files, mathis_span) > UINT16_MAX)
		return link_fail(l, -E2BIG, "the modules have too many files");
	add_metas(l, k);
	for (uint32_t i = 0; i < m->n_funcs && !ret; i++) {
		const struct mathis_func *f = &m->funcs[i];

		if (!(f->flags & FUNC_EXTERN) || module_of(l, k, f) == l->n)
			ret = add_func(l, k, f, &line);
	}
	return ret;
}

int link_funcs(struct linker *l)
{
	const struct mathis_module *m = l->modules[0];
	int ret = number_funcs(l);

	for (size_t k = 0; k < l->n && !ret; k++)
		ret = add_funcs(l, k);
	if (!ret && m->entry < m->n_funcs)
		l->a.entry = l->maps[0].funcs[m->entry] + 1;
	return ret;
}
