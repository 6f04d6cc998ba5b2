// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The assembler: from lines to the functions that read them.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "asm.h"

static void vtell(struct mathis_asm *a, uint32_t line, int masm,
		  const char *fmt, va_list args)
{
	struct mathis_error e = {
		.code = MATHIS_FORMAT,
		.masm = masm,
		.line = line,
	};

	if (masm < ASM_UNUSED_LOCAL)
		a->errors++;
	if (a->errors > ASM_ERRORS || !a->tell)
		return;
	vsnprintf(e.text, sizeof(e.text), fmt, args);
	if (a->mode == IN_FUNC)
		snprintf(e.function, sizeof(e.function), "%.*s",
			 (int)a->func.name.len, a->func.name.data);
	a->tell(a->arg, &e);
}

/* Report what is wrong with the line that is read. */
void asm_error(struct mathis_asm *a, int masm, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vtell(a, a->line, masm, fmt, args);
	va_end(args);
}

void asm_error_at(struct mathis_asm *a, uint32_t line, int masm,
		  const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vtell(a, line, masm, fmt, args);
	va_end(args);
}

static void add_prop(struct mathis_asm *a, struct mathis_span word)
{
	struct mathis_span pair[2];

	pair[0].data = word.data + 1;
	pair[0].len = word.len - 1;
	if (asm_string(a, &pair[1]))
		mathis_buf_add(&a->props, pair, sizeof(pair));
}

static void module(struct mathis_asm *a, struct mathis_span word)
{
	(void)word;
	asm_string(a, &a->name);
}

/* ".import "MODULE" as NAME" */
static void import(struct mathis_asm *a, struct mathis_span word)
{
	struct asm_import im;

	if (!asm_string(a, &im.module) || !asm_word(a, &word))
		return;
	if (!asm_is(word, "as") || !asm_word(a, &im.alias)) {
		asm_error(a, ASM_SYNTAX, "expected \"as NAME\"");
		return;
	}
	mathis_buf_add(&a->imports, &im, sizeof(im));
}

static void export(struct mathis_asm *a, struct mathis_span word)
{
	struct asm_export ex = { .line = a->line };

	(void)word;
	if (asm_string(a, &ex.name))
		mathis_buf_add(&a->exports, &ex, sizeof(ex));
}

/* ".file "NAME"": the lines that .line names belong to it. */
static void file(struct mathis_asm *a, struct mathis_span word)
{
	struct mathis_span name;
	uint32_t n;

	(void)word;
	if (!asm_string(a, &name))
		return;
	if (!a->own_lines)
		a->files.size = 0;
	a->own_lines = true;
	if (a->flags & MATHIS_ASM_STRIP)
		return;
	n = ASM_N(a->files, mathis_span);
	for (a->file = 0; a->file < n; a->file++) {
		if (asm_same(*ASM_AT(a->files, mathis_span, a->file), name))
			return;
	}
	if (a->file > UINT16_MAX)
		asm_error(a, ASM_SYNTAX, "too many files");
	mathis_buf_add(&a->files, &name, sizeof(name));
}

/* ".constants:" and such: what the lines after it are. */
static void section(struct mathis_asm *a, struct mathis_span word)
{
	asm_expect(a, ':');
	a->mode = asm_is(word, ".constants") ? IN_CONSTS :
		  asm_is(word, ".types")     ? IN_TYPES :
					       IN_GLOBALS;
}

static void begin_func(struct mathis_asm *a, struct mathis_span word)
{
	(void)word;
	asm_begin_func(a);
}

static void begin_type(struct mathis_asm *a, struct mathis_span word)
{
	asm_begin_type(a, asm_is(word, ".struct") ? TYPE_STRUCT :
			  asm_is(word, ".enum")	  ? TYPE_ENUM :
						    TYPE_ALIAS);
}

static void global(struct mathis_asm *a, struct mathis_span word)
{
	asm_global_line(a, asm_is(word, ".const"));
}

static void end(struct mathis_asm *a, struct mathis_span word)
{
	(void)word;
	if (a->mode == IN_FUNC)
		asm_end_func(a);
	else
		a->mode = IN_TYPES;
}

#define BETWEEN (IN_MODULE | IN_CONSTS | IN_TYPES | IN_GLOBALS)

static const struct {
	const char *name;
	unsigned int modes;
	void (*run)(struct mathis_asm *a, struct mathis_span word);
} directives[] = {
	{ ".module", BETWEEN, module },
	{ ".version", BETWEEN, add_prop },
	{ ".author", BETWEEN, add_prop },
	{ ".description", BETWEEN, add_prop },
	{ ".import", BETWEEN, import },
	{ ".export", BETWEEN, export },
	{ ".file", BETWEEN | IN_FUNC, file },
	{ ".constants", BETWEEN, section },
	{ ".types", BETWEEN, section },
	{ ".globals", BETWEEN, section },
	{ ".struct", IN_TYPES, begin_type },
	{ ".enum", IN_TYPES, begin_type },
	{ ".alias", IN_TYPES, begin_type },
	{ ".mut", IN_GLOBALS, global },
	{ ".const", IN_GLOBALS, global },
	{ ".func", BETWEEN, begin_func },
	{ ".end", IN_FUNC | IN_STRUCT | IN_ENUM, end },
};

/* A line that begins with a period. */
static void read_directive(struct mathis_asm *a)
{
	const char *begin = a->p;
	struct mathis_span word;

	if (!asm_word(a, &word))
		return;
	if (a->mode == IN_FUNC && a->p < a->end && *a->p == ':') {
		a->p++;
		word.data++;
		word.len--;
		asm_label(a, word);
		asm_func_line(a);
		return;
	}
	if (a->mode == IN_FUNC && asm_func_directive(a, word))
		return;
	for (size_t i = 0; i < sizeof(directives) / sizeof(*directives); i++) {
		if (!asm_is(word, directives[i].name))
			continue;
		if (directives[i].modes & a->mode) {
			directives[i].run(a, word);
			return;
		}
		asm_error(a, ASM_SYNTAX, "%s cannot stand here",
			  directives[i].name);
		return;
	}
	asm_error(a, ASM_SYNTAX, "unknown directive %.*s", (int)(a->p - begin),
		  begin);
}

static void read_line(struct mathis_asm *a)
{
	unsigned int had = a->errors;

	if (asm_at_end(a))
		return;
	if (*a->p == '.') {
		read_directive(a);
	} else {
		switch (a->mode) {
		case IN_CONSTS:
			asm_const_line(a);
			break;
		case IN_STRUCT:
			asm_struct_line(a);
			break;
		case IN_ENUM:
			asm_enum_line(a);
			break;
		case IN_GLOBALS:
			asm_global_line(a, false);
			break;
		case IN_FUNC:
			asm_func_line(a);
			break;
		default:
			asm_error(a, ASM_SYNTAX, "no directive");
			return;
		}
	}
	if (a->errors == had && !asm_at_end(a))
		asm_error(a, ASM_SYNTAX, "the line goes on after its end");
}

bool asm_no_memory(const struct mathis_asm *a)
{
	return a->no_memory || a->consts.bad || a->types.bad ||
	       a->type_data.bad || a->field_names.bad || a->sigs.bad ||
	       a->globals.bad || a->funcs.bad || a->code.bad || a->fixes.bad ||
	       a->labels.bad || a->metas.bad || a->files.bad || a->lines.bad ||
	       a->imports.bad || a->exports.bad || a->props.bad;
}

static void read_source(struct mathis_asm *a, const char *source, size_t size)
{
	const char *end = source + size;

	while (source < end && a->errors <= ASM_ERRORS && !asm_no_memory(a)) {
		const char *eol = memchr(source, '\n', end - source) ?: end;

		a->line++;
		a->source = source;
		a->p = source;
		a->end = eol;
		read_line(a);
		source = eol < end ? eol + 1 : end;
	}
	if (a->mode & (IN_FUNC | IN_STRUCT | IN_ENUM)) {
		if (!asm_no_memory(a))
			asm_error_at(
				a, a->mode == IN_FUNC ? a->func.line : a->line,
				ASM_SYNTAX, "no .end");
		mathis_buf_fini(&a->meta.depends);
		mathis_buf_fini(&a->meta.effects);
	}
	if (asm_no_memory(a))
		return;
	for (size_t i = 0; i < ASM_N(a->consts, asm_const); i++) {
		if (!ASM_AT(a->consts, asm_const, i)->set)
			asm_error(a, ASM_SYNTAX, "constant %zu is left out", i);
	}
	asm_link(a);
}

void asm_fini(struct mathis_asm *a)
{
	while (a->chunks) {
		struct asm_chunk *next = a->chunks->next;

		free(a->chunks);
		a->chunks = next;
	}
	mathis_buf_fini(&a->consts);
	mathis_buf_fini(&a->types);
	mathis_buf_fini(&a->type_data);
	mathis_buf_fini(&a->field_names);
	mathis_buf_fini(&a->sigs);
	mathis_buf_fini(&a->globals);
	mathis_buf_fini(&a->funcs);
	mathis_buf_fini(&a->code);
	mathis_buf_fini(&a->fixes);
	mathis_buf_fini(&a->labels);
	mathis_buf_fini(&a->metas);
	mathis_buf_fini(&a->files);
	mathis_buf_fini(&a->lines);
	mathis_buf_fini(&a->imports);
	mathis_buf_fini(&a->exports);
	mathis_buf_fini(&a->props);
}

int mathis_assemble(const char *source, size_t size, const char *name,
		    unsigned int flags,
		    void (*tell)(void *arg, const struct mathis_error *error),
		    void *arg, void **file, size_t *file_size)
{
	struct mathis_asm a = {
		.mode = IN_MODULE, .flags = flags, .tell = tell, .arg = arg
	};
	struct mathis_buf out = { 0 };
	int ret = 0;

	*file = NULL;
	*file_size = 0;
	if (size > MATHIS_MODULE_MAX || !mathis_utf8(source, size)) {
		asm_error(&a, ASM_SYNTAX,
			  "the source is no UTF-8, or too long");
		return -EBADMSG;
	}
	if (name && !(flags & MATHIS_ASM_STRIP)) {
		struct mathis_span text = { name, strlen(name) };

		mathis_buf_add(&a.files, &text, sizeof(text));
	}
	read_source(&a, source, size);
	if (!a.errors && !asm_no_memory(&a))
		asm_write(&a, &out);
	if (asm_no_memory(&a) || out.bad)
		ret = -ENOMEM;
	else if (a.errors)
		ret = -EBADMSG;
	if (ret) {
		mathis_buf_fini(&out);
	} else {
		*file = out.data;
		*file_size = out.size;
	}
	asm_fini(&a);
	return ret;
}
