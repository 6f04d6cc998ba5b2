// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The disassembler. Constants come first and all of them, so that the
 * assembler gives each the index that it has.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dis.h"
#include "opcode.h"

/* A text in quotes. */
void dis_text(struct mathis_buf *b, struct mathis_span t)
{
	mathis_buf_print(b, "\"");
	for (uint32_t i = 0; i < t.len; i++) {
		unsigned char c = t.data[i];

		if (c == '"' || c == '\\')
			mathis_buf_print(b, "\\%c", c);
		else if (c == '\n')
			mathis_buf_print(b, "\\n");
		else if (c == '\t')
			mathis_buf_print(b, "\\t");
		else if (c < ' ' || c == 0x7f)
			mathis_buf_print(b, "\\x%02x", c);
		else
			mathis_buf_put(b, c, 1);
	}
	mathis_buf_print(b, "\"");
}

/* A name without quotes, as the source has it; no control characters. */
void dis_name(struct mathis_buf *b, struct mathis_span t)
{
	for (uint32_t i = 0; i < t.len; i++) {
		unsigned char c = t.data[i];

		if (c < ' ' || c == 0x7f)
			mathis_buf_print(b, "\\x%02x", c);
		else
			mathis_buf_put(b, c, 1);
	}
}

/* Bytes in quotes. */
static void bytes(struct mathis_buf *b, struct mathis_span t)
{
	mathis_buf_print(b, "\"");
	for (uint32_t i = 0; i < t.len; i++)
		mathis_buf_print(b, "\\x%02x", (unsigned char)t.data[i]);
	mathis_buf_print(b, "\"");
}

/* A float that reads back with all its bits. */
void dis_float(struct mathis_buf *b, double d)
{
	uint64_t bits;
	char text[40];

	memcpy(&bits, &d, sizeof(bits));
	if (isnan(d)) {
		mathis_buf_print(b, "bits:0x%llx", (unsigned long long)bits);
		return;
	}
	snprintf(text, sizeof(text), "%.17g", d);
	mathis_buf_print(b, strpbrk(text, ".n") ? "%s" : "%s.0", text);
}

static void character(struct mathis_buf *b, uint32_t c)
{
	mathis_buf_print(b, "'\\u{%x}'", c);
}

static const char *kind_name(uint8_t kind)
{
	static const char *const names[] = {
		"none", "bool", "i8",  "i16", "i32", "i64",  "u8",
		"u16",	"u32",	"u64", "f32", "f64", "char",
	};

	if (kind < sizeof(names) / sizeof(*names))
		return names[kind];
	return kind == KIND_STR ? "str" : "bytes";
}

/* The value of a constant, as the assembler reads it. */
void dis_const(struct mathis_buf *b, const struct mathis_const *c)
{
	switch (c->kind) {
	case KIND_NONE:
		mathis_buf_print(b, "none");
		break;
	case KIND_BOOL:
		mathis_buf_print(b, c->i ? "true" : "false");
		break;
	case KIND_F32:
	case KIND_F64:
		dis_float(b, c->f);
		break;
	case KIND_CHAR:
		character(b, c->i);
		break;
	case KIND_STR:
		dis_text(b, c->s);
		break;
	case KIND_BYTES:
		bytes(b, c->s);
		break;
	default:
		mathis_buf_print(b, "%lld", (long long)c->i);
	}
}

static void put_consts(const struct mathis_module *m, struct mathis_buf *b)
{
	if (!m->n_consts)
		return;
	mathis_buf_print(b, ".constants:\n");
	for (uint32_t i = 0; i < m->n_consts; i++) {
		mathis_buf_print(b, "    %u: %s ", i,
				 kind_name(m->consts[i].kind));
		dis_const(b, &m->consts[i]);
		mathis_buf_print(b, "\n");
	}
	mathis_buf_print(b, "\n");
}

/* The next import of a function, at or behind function @f; they ascend. */
static uint32_t import_of(const struct mathis_module *m, uint32_t *f)
{
	while (*f < m->n_funcs && !(m->funcs[*f].flags & FUNC_EXTERN))
		++*f;
	return *f < m->n_funcs ? m->funcs[*f].import : MATHIS_NONE_IDX;
}

static void put_module(const struct mathis_module *m, struct mathis_buf *b)
{
	uint32_t f = 0;

	if (m->name != MATHIS_NONE_IDX) {
		mathis_buf_print(b, ".module ");
		dis_text(b, mathis_const_str(m, m->name));
		mathis_buf_print(b, "\n");
	}
	for (uint32_t i = 0; i < m->n_props; i++) {
		struct mathis_span key = mathis_const_str(m, m->props[2 * i]);

		mathis_buf_print(b, ".");
		dis_name(b, key);
		mathis_buf_print(b, " ");
		dis_text(b, mathis_const_str(m, m->props[2 * i + 1]));
		mathis_buf_print(b, "\n");
	}
	for (uint32_t i = 0; i < m->n_imports; i++) {
		struct mathis_span as =
			mathis_const_str(m, m->imports[i].alias);

		if (i == import_of(m, &f)) { /* as .extern */
			f++;
			continue;
		}
		mathis_buf_print(b, ".import ");
		dis_text(b, mathis_const_str(m, m->imports[i].module));
		mathis_buf_print(b, " as ");
		dis_name(b, as);
		mathis_buf_print(b, "\n");
	}
	for (uint32_t i = 0; i < m->n_exports; i++) {
		mathis_buf_print(b, ".export ");
		dis_text(b, mathis_const_str(m, m->exports[i].outer));
		mathis_buf_print(b, "\n");
	}
	for (uint32_t i = 0; i < m->n_files; i++) {
		mathis_buf_print(b, ".file ");
		dis_text(b, mathis_const_str(m, m->files[i]));
		mathis_buf_print(b, "\n");
	}
}

/* The name of a function, in quotes; its number, where it has none. */
static void func_name(struct mathis_buf *b, const struct mathis_module *m,
		      uint32_t i)
{
	if (i < m->n_funcs && m->funcs[i].name.len)
		dis_text(b, m->funcs[i].name);
	else if (i == m->entry)
		mathis_buf_print(b, "\"main\"");
	else
		mathis_buf_print(b, "\"f%u\"", i);
}

static void put_texts(struct mathis_buf *b, const char *directive,
		      const struct mathis_span *t, unsigned int n)
{
	if (!n)
		return;
	mathis_buf_print(b, "    %s [", directive);
	for (unsigned int i = 0; i < n; i++) {
		mathis_buf_print(b, i ? ", " : "");
		dis_text(b, t[i]);
	}
	mathis_buf_print(b, "]\n");
}

static void put_meta(const struct mathis_module *m, struct mathis_buf *b,
		     uint32_t i)
{
	const struct mathis_meta *meta;

	if (i == MATHIS_NONE_IDX)
		return;
	meta = &m->metas[i];
	/* The block is there even if empty: it says that there is meta. */
	mathis_buf_print(b, "    .ai_block ");
	dis_text(b, meta->block);
	mathis_buf_print(b, "\n");
	if (meta->intent.len) {
		mathis_buf_print(b, "    .ai_intent ");
		dis_text(b, meta->intent);
		mathis_buf_print(b, "\n");
	}
	if (meta->pure)
		mathis_buf_print(b, "    .ai_pure true\n");
	if (meta->complexity.len) {
		mathis_buf_print(b, "    .ai_complexity ");
		dis_text(b, meta->complexity);
		mathis_buf_print(b, "\n");
	}
	put_texts(b, ".ai_depends", meta->depends, meta->n_depends);
	put_texts(b, ".ai_effects", meta->depends + meta->n_depends,
		  meta->n_effects);
}

static void put_head(const struct mathis_module *m, struct mathis_buf *b,
		     uint32_t i)
{
	const struct mathis_func *f = &m->funcs[i];
	struct mathis_reader r = { f->params.data,
				   f->params.data + f->params.len, false };

	mathis_buf_print(b, "\n.func ");
	func_name(b, m, i);
	mathis_buf_print(b, "\n    .arity %u\n    .locals %u\n", f->arity,
			 f->locals);
	if (f->ret.data[0] != KIND_ANY) {
		struct mathis_reader ret = { f->ret.data,
					     f->ret.data + f->ret.len, false };

		mathis_buf_print(b, "    .returns ");
		dis_sig(b, m, &ret);
		mathis_buf_print(b, "\n");
	}
	if (f->n_params) {
		mathis_buf_print(b, "    .params (");
		for (unsigned int p = 0; p < f->n_params; p++) {
			mathis_buf_print(b, p ? ", " : "");
			dis_sig(b, m, &r);
		}
		mathis_buf_print(b, ")\n");
	}
	if (f->flags & FUNC_THROWS)
		mathis_buf_print(b, "    .throws\n");
	if (f->flags & FUNC_ASYNC)
		mathis_buf_print(b, "    .async\n");
	if (f->flags & FUNC_EXTERN) {
		mathis_buf_print(b, "    .extern ");
		dis_text(b, mathis_const_str(m, m->imports[f->import].module));
		mathis_buf_print(b, " ");
		dis_text(b, mathis_const_str(m, m->imports[f->import].symbol));
		mathis_buf_print(b, "\n");
	}
	put_meta(m, b, f->meta);
}

/* Offsets of the function that jumps lead to, a bit each; NULL: no memory. */
static uint8_t *find_labels(const struct mathis_module *m,
			    const struct mathis_func *f)
{
	uint8_t *labels = calloc(1, f->size / 8 + 1);
	struct mathis_insn insn;

	for (uint32_t at = 0; labels && at < f->size; at += insn.size) {
		const char *operands;
		int64_t to;

		if (mathis_read_insn(m->code + f->code + at, f->size - at,
				     &insn))
			break;
		operands = mathis_opcode(insn.op)->operands;
		to = at + insn.size + insn.arg[0];
		if (*operands == 'j' && to >= 0 && to <= f->size)
			labels[to / 8] |= 1 << (to % 8);
	}
	return labels;
}

static void put_operand(struct mathis_buf *b, const struct mathis_module *m,
			const struct mathis_func *f, char letter, int64_t arg,
			int64_t next)
{
	double d;

	switch (letter) {
	case 'f':
		if ((uint64_t)arg < m->n_funcs)
			func_name(b, m, arg);
		else
			mathis_buf_print(b, "%u", (unsigned int)arg);
		break;
	case 'j':
		if (next + arg >= 0 && next + arg <= f->size)
			mathis_buf_print(b, ".L%u", (unsigned int)(next + arg));
		else
			mathis_buf_print(b, "%d", (int)arg);
		break;
	case 'd':
		memcpy(&d, &arg, sizeof(d));
		dis_float(b, d);
		break;
	case 'i':
		mathis_buf_print(b, "0x%04x", (unsigned int)arg);
		break;
	default:
		mathis_buf_print(b, "%lld", (long long)arg);
	}
}

static int put_code(const struct mathis_module *m, struct mathis_buf *b,
		    const struct mathis_func *f, uint32_t *line)
{
	uint8_t *labels = find_labels(m, f);
	struct mathis_insn insn;
	int ret = labels ? 0 : -ENOMEM;

	for (uint32_t at = 0; !ret && at <= f->size; at += insn.size) {
		const struct mathis_opcode *op;

		if (labels[at / 8] & 1 << (at % 8))
			mathis_buf_print(b, ".L%u:\n", at);
		if (at == f->size)
			break;
		for (;
		     *line < m->n_lines && m->lines[*line].code <= f->code + at;
		     ++*line) {
			if (m->n_files > 1) {
				mathis_buf_print(b, "    .file ");
				dis_text(
					b,
					mathis_const_str(
						m,
						m->files[m->lines[*line].file]));
				mathis_buf_print(b, "\n");
			}
			mathis_buf_print(b, "    .line %u %u\n",
					 m->lines[*line].line,
					 m->lines[*line].column);
		}
		if (mathis_read_insn(m->code + f->code + at, f->size - at,
				     &insn)) {
			mathis_buf_print(b, "    ; no instruction: 0x%02x\n",
					 m->code[f->code + at]);
			ret = -EBADMSG;
			break;
		}
		op = mathis_opcode(insn.op);
		mathis_buf_print(b, "    %s", op->name);
		for (int i = 0; op->operands[i]; i++) {
			mathis_buf_print(b, " ");
			put_operand(b, m, f, op->operands[i], insn.arg[i],
				    at + insn.size);
		}
		mathis_buf_print(b, "\n");
	}
	free(labels);
	return ret;
}

int mathis_disassemble(const struct mathis_module *m, char **source)
{
	struct mathis_buf b = { 0 };
	uint32_t line = 0;
	int bad = 0;

	*source = NULL;
	put_consts(m, &b);
	put_module(m, &b);
	dis_types(m, &b);
	for (uint32_t i = 0; i < m->n_funcs; i++) {
		int ret;

		put_head(m, &b, i);
		ret = put_code(m, &b, &m->funcs[i], &line);
		mathis_buf_print(&b, ".end\n");
		if (ret == -ENOMEM)
			b.bad = true;
		bad = ret ?: bad;
	}
	mathis_buf_put(&b, 0, 1);
	if (b.bad) {
		mathis_buf_fini(&b);
		return -ENOMEM;
	}
	*source = (char *)b.data;
	return bad;
}
