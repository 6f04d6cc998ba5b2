// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The file that the assembler writes.
 */
#include <string.h>

#include "asm.h"

#define HEADER 32
#define ROW 16

static void put_consts(struct mathis_asm *a, struct mathis_buf *b)
{
	size_t n = ASM_N(a->consts, asm_const);
	uint32_t at = 0;

	mathis_buf_put(b, n, 4);
	for (size_t i = 0; i < n; i++) {
		struct asm_const *c = ASM_AT(a->consts, asm_const, i);

		mathis_buf_put(b, c->kind, 1);
		mathis_buf_put(b, 0, 1);
		mathis_buf_put(b, at, 4);
		mathis_buf_put(b, c->data.len, 4);
		at += c->data.len;
	}
	for (size_t i = 0; i < n; i++) {
		struct asm_const *c = ASM_AT(a->consts, asm_const, i);

		mathis_buf_add(b, c->data.data, c->data.len);
	}
}

static void put_types(struct mathis_asm *a, struct mathis_buf *b)
{
	size_t n = ASM_N(a->types, asm_type);

	mathis_buf_put(b, n, 4);
	for (size_t i = 0; i < n; i++) {
		struct asm_type *t = ASM_AT(a->types, asm_type, i);
		uint32_t end = i + 1 < n ? t[1].data : a->type_data.size;

		mathis_buf_put(b, MATHIS_TYPE_FIRST + i, 4);
		mathis_buf_put(b, t->kind, 1);
		mathis_buf_put(b, asm_add_str(a, t->name), 4);
		mathis_buf_put(b, 0, 1);
		mathis_buf_put(b, t->data, 4);
		mathis_buf_put(b, end - t->data, 4);
	}
	mathis_buf_add(b, a->type_data.data, a->type_data.size);
}

static void put_globals(struct mathis_asm *a, struct mathis_buf *b)
{
	size_t n = ASM_N(a->globals, asm_global);

	if (!n)
		return;
	mathis_buf_put(b, n, 4);
	for (size_t i = 0; i < n; i++) {
		struct asm_global *g = ASM_AT(a->globals, asm_global, i);

		mathis_buf_put(b, asm_add_str(a, g->name), 4);
		mathis_buf_add(b, a->sigs.data + g->sig, g->sig_len);
		mathis_buf_put(b, g->fixed, 1);
		mathis_buf_put(b, g->init, 4);
	}
}

static void put_funcs(struct mathis_asm *a, struct mathis_buf *b)
{
	size_t n = ASM_N(a->funcs, asm_func);

	mathis_buf_put(b, n, 4);
	for (size_t i = 0; i < n; i++) {
		struct asm_func *f = ASM_AT(a->funcs, asm_func, i);

		mathis_buf_put(b, i, 4);
		mathis_buf_put(b, f->flags, 2);
		mathis_buf_put(b, f->arity, 1);
		mathis_buf_put(b, f->locals, 1);
		mathis_buf_add(b, a->sigs.data + f->ret, f->ret_len);
		mathis_buf_put(b, f->n_params, 1);
		mathis_buf_add(b, a->sigs.data + f->params, f->params_len);
		mathis_buf_put(b, f->code, 4);
		mathis_buf_put(b, f->size, 4);
		mathis_buf_put(b, f->meta, 4);
	}
}

static void put_code(struct mathis_asm *a, struct mathis_buf *b)
{
	mathis_buf_put(b, a->code.size, 4);
	mathis_buf_add(b, a->code.data, a->code.size);
}

static void put_metas(struct mathis_asm *a, struct mathis_buf *b)
{
	if (!a->n_metas)
		return;
	mathis_buf_put(b, a->n_metas, 4);
	mathis_buf_add(b, a->metas.data, a->metas.size);
}

static void put_debug(struct mathis_asm *a, struct mathis_buf *b)
{
	size_t files = ASM_N(a->files, mathis_span);
	size_t n = ASM_N(a->lines, mathis_line);

	if (!files)
		return;
	mathis_buf_put(b, files, 4);
	for (size_t i = 0; i < files; i++) {
		mathis_buf_put(
			b, asm_add_str(a, *ASM_AT(a->files, mathis_span, i)),
			4);
		mathis_buf_add(b, NULL, 32); /* no sum of the source */
	}
	mathis_buf_put(b, n, 4);
	for (size_t i = 0; i < n; i++) {
		struct mathis_line *l = ASM_AT(a->lines, mathis_line, i);

		mathis_buf_put(b, l->code, 4);
		mathis_buf_put(b, l->file, 2);
		mathis_buf_put(b, l->line, 4);
		mathis_buf_put(b, l->column, 2);
	}
	mathis_buf_put(b, 0, 4);
}

static void put_symbols(struct mathis_asm *a, struct mathis_buf *b)
{
	size_t n = ASM_N(a->funcs, asm_func);

	if (a->flags & MATHIS_ASM_STRIP || !n)
		return;
	mathis_buf_put(b, n, 4);
	for (size_t i = 0; i < n; i++) {
		mathis_buf_put(
			b, asm_add_str(a, ASM_AT(a->funcs, asm_func, i)->name),
			4);
		mathis_buf_put(b, SYMBOL_FUNC, 1);
		mathis_buf_put(b, 0, 1);
		mathis_buf_put(b, SECTION_FUNCS, 1);
		mathis_buf_put(b, i, 4);
	}
}

static bool is_extern(const struct asm_func *f)
{
	return f->flags & FUNC_EXTERN;
}

/* Those of functions come first, in the order of the functions. */
static void put_imports(struct mathis_asm *a, struct mathis_buf *b)
{
	size_t n = ASM_N(a->imports, asm_import);
	size_t externs = 0;

	for (size_t i = 0; i < ASM_N(a->funcs, asm_func); i++)
		externs += is_extern(ASM_AT(a->funcs, asm_func, i));
	if (!n && !externs)
		return;
	mathis_buf_put(b, n + externs, 4);
	for (size_t i = 0; i < ASM_N(a->funcs, asm_func); i++) {
		struct asm_func *f = ASM_AT(a->funcs, asm_func, i);

		if (!is_extern(f))
			continue;
		mathis_buf_put(b, asm_add_str(a, f->module), 4);
		mathis_buf_put(b, asm_add_str(a, f->symbol), 4);
		mathis_buf_put(b, MATHIS_NONE_IDX, 4);
		mathis_buf_put(b, SYMBOL_FUNC, 1);
	}
	for (size_t i = 0; i < n; i++) {
		struct asm_import *im = ASM_AT(a->imports, asm_import, i);

		mathis_buf_put(b, asm_add_str(a, im->module), 4);
		mathis_buf_put(b, MATHIS_NONE_IDX, 4);
		mathis_buf_put(b, asm_add_str(a, im->alias), 4);
		mathis_buf_put(b, SYMBOL_FUNC, 1);
	}
}

/* The kind and the index of an exported name: a function, type or global. */
static uint8_t export_of(struct mathis_asm *a, struct asm_export *ex,
			 uint32_t *target)
{
	int found;

	for (size_t i = 0; i < ASM_N(a->funcs, asm_func); i++) {
		*target = i;
		if (asm_same(ASM_AT(a->funcs, asm_func, i)->name, ex->name))
			return SYMBOL_FUNC;
	}
	found = asm_find_type(a, ex->name);
	*target = found;
	if (found >= 0)
		return SYMBOL_TYPE;
	found = asm_find_global(a, ex->name);
	*target = found;
	if (found >= 0)
		return SYMBOL_GLOBAL;
	asm_error_at(a, ex->line, ASM_NAME, "%.*s is not defined",
		     (int)ex->name.len, ex->name.data);
	return 0;
}

static void put_exports(struct mathis_asm *a, struct mathis_buf *b)
{
	size_t n = ASM_N(a->exports, asm_export);

	if (!n)
		return;
	mathis_buf_put(b, n, 4);
	for (size_t i = 0; i < n; i++) {
		struct asm_export *ex = ASM_AT(a->exports, asm_export, i);
		uint32_t name = asm_add_str(a, ex->name);
		uint32_t target;
		uint8_t kind = export_of(a, ex, &target);

		mathis_buf_put(b, name, 4);
		mathis_buf_put(b, name, 4);
		mathis_buf_put(b, kind, 1);
		mathis_buf_put(b, target, 4);
	}
}

static void put_props(struct mathis_asm *a, struct mathis_buf *b)
{
	size_t n = ASM_N(a->props, mathis_span);

	if (!n)
		return;
	mathis_buf_add(b, MATHIS_PROPS, 4);
	mathis_buf_put(b, n / 2, 4);
	for (size_t i = 0; i < n; i++)
		mathis_buf_put(
			b, asm_add_str(a, *ASM_AT(a->props, mathis_span, i)),
			4);
}

static const struct {
	uint8_t nr;
	bool always;
	uint32_t flag;
	void (*put)(struct mathis_asm *a, struct mathis_buf *b);
} parts[] = {
	{ SECTION_CONST, true, 0, put_consts },
	{ SECTION_TYPES, true, 0, put_types },
	{ SECTION_GLOBALS, false, 0, put_globals },
	{ SECTION_FUNCS, true, 0, put_funcs },
	{ SECTION_CODE, true, 0, put_code },
	{ SECTION_META, false, FILE_META, put_metas },
	{ SECTION_DEBUG, false, FILE_DEBUG, put_debug },
	{ SECTION_SYMBOLS, false, FILE_SYMBOLS, put_symbols },
	{ SECTION_IMPORTS, false, 0, put_imports },
	{ SECTION_EXPORTS, false, 0, put_exports },
	{ SECTION_CUSTOM, false, 0, put_props },
};

#define N_PARTS (sizeof(parts) / sizeof(*parts))

/* The offset of the module's name in the section of constants, or 0. */
static uint32_t name_offset(struct mathis_asm *a)
{
	size_t n = ASM_N(a->consts, asm_const);
	uint32_t offset = 4 + 10 * n;
	uint32_t name;

	if (!a->name.len)
		return 0;
	name = asm_add_str(a, a->name);
	for (uint32_t i = 0; i < name; i++)
		offset += ASM_AT(a->consts, asm_const, i)->data.len;
	return offset;
}

static uint32_t entry(struct mathis_asm *a)
{
	if (a->entry)
		return a->entry - 1;
	for (size_t i = 0; i < ASM_N(a->funcs, asm_func); i++) {
		if (asm_is(ASM_AT(a->funcs, asm_func, i)->name, "main"))
			return i;
	}
	return 0;
}

/*
 * The names that other sections hold become constants before these are put,
 * and after those of the source, whose indices it chose.
 */
static void add_names(struct mathis_asm *a)
{
	if (a->name.len)
		asm_add_str(a, a->name);
	for (size_t i = 0; i < ASM_N(a->props, mathis_span); i++)
		asm_add_str(a, *ASM_AT(a->props, mathis_span, i));
	for (size_t i = 0; i < ASM_N(a->files, mathis_span); i++)
		asm_add_str(a, *ASM_AT(a->files, mathis_span, i));
	for (size_t i = 0; i < ASM_N(a->exports, asm_export); i++)
		asm_add_str(a, ASM_AT(a->exports, asm_export, i)->name);
	for (size_t i = 0; i < ASM_N(a->imports, asm_import); i++) {
		asm_add_str(a, ASM_AT(a->imports, asm_import, i)->module);
		asm_add_str(a, ASM_AT(a->imports, asm_import, i)->alias);
	}
	for (size_t i = 0; i < ASM_N(a->funcs, asm_func); i++) {
		if (!is_extern(ASM_AT(a->funcs, asm_func, i)))
			continue;
		asm_add_str(a, ASM_AT(a->funcs, asm_func, i)->module);
		asm_add_str(a, ASM_AT(a->funcs, asm_func, i)->symbol);
	}
	if (a->flags & MATHIS_ASM_STRIP)
		return;
	for (size_t i = 0; i < ASM_N(a->funcs, asm_func); i++)
		asm_add_str(a, ASM_AT(a->funcs, asm_func, i)->name);
}

void asm_write(struct mathis_asm *a, struct mathis_buf *file)
{
	struct mathis_buf data[N_PARTS] = { 0 };
	unsigned int n = 0;
	uint32_t flags = 0;
	uint32_t at;

	add_names(a);
	for (size_t i = 0; i < N_PARTS; i++) {
		parts[i].put(a, &data[i]);
		n += parts[i].always || data[i].size;
		flags |= data[i].size ? parts[i].flag : 0;
		file->bad |= data[i].bad;
	}
	at = HEADER + ROW * n;
	mathis_buf_add(file, "MASM", 4);
	mathis_buf_put(file, 1, 2);
	mathis_buf_put(file, 0, 2);
	mathis_buf_put(file, flags, 4);
	mathis_buf_put(file, n, 2);
	mathis_buf_put(file, entry(a), 4);
	mathis_buf_put(file, name_offset(a), 4);
	mathis_buf_put(file, 0, 8); /* no time: the same bytes each time */
	mathis_buf_put(file, 0, 2);
	for (size_t i = 0; i < N_PARTS; i++) {
		if (!parts[i].always && !data[i].size)
			continue;
		mathis_buf_put(file, parts[i].nr, 1);
		mathis_buf_put(file, 0, 3);
		mathis_buf_put(file, at, 4);
		mathis_buf_put(file, data[i].size, 4);
		mathis_buf_put(file, mathis_crc32(data[i].data, data[i].size),
			       4);
		at += data[i].size;
	}
	for (size_t i = 0; i < N_PARTS; i++) {
		mathis_buf_add(file, data[i].data, data[i].size);
		mathis_buf_fini(&data[i]);
	}
	mathis_buf_put(file, 1, 1);
	if (!file->bad)
		mathis_buf_put(file, mathis_crc32(file->data, file->size), 4);
}
