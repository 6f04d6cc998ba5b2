// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Sections of functions, of their descriptions, and of lines.
 */
#include <errno.h>
#include <stdlib.h>

#include "buf.h"
#include "module.h"

#define DEBUG_SUM 32 /* bytes of a source's checksum */

static bool read_params(struct mathis_func *f, struct mathis_reader *r)
{
	struct mathis_sig sig;

	f->params.data = r->p;
	for (unsigned int i = 0; i < f->n_params; i++) {
		if (mathis_read_sig(r, &sig))
			return false;
	}
	f->params.len = r->p - f->params.data;
	return true;
}

int mathis_load_funcs(struct mathis_module *m, struct mathis_part part)
{
	struct mathis_reader r = { part.data, part.data + part.size, false };
	uint32_t end = 0;
	int ret;

	m->funcs =
		mathis_array(m, &r, &m->n_funcs, 22, sizeof(*m->funcs), &ret);
	if (ret)
		return ret;
	if (m->n_funcs > UINT16_MAX + 1)
		return mathis_bad(m, "more functions than CALL can name");
	for (uint32_t i = 0; i < m->n_funcs; i++) {
		struct mathis_func *f = &m->funcs[i];

		/* Names are symbols; other assemblers count up here. */
		mathis_get(&r, 4);
		f->flags = mathis_get(&r, 2);
		f->arity = mathis_get(&r, 1);
		f->locals = mathis_get(&r, 1);
		if (mathis_read_sig(&r, &f->ret))
			return mathis_bad(m, "function %u has no result", i);
		f->n_params = mathis_get(&r, 1);
		if (!read_params(f, &r))
			return mathis_bad(m, "function %u has no parameters",
					  i);
		f->code = mathis_get(&r, 4);
		f->size = mathis_get(&r, 4);
		f->meta = mathis_get(&r, 4);
		if (r.bad || (f->n_params && f->n_params != f->arity))
			return mathis_bad(m, "function %u is wrong", i);
		if (f->code < end || f->code > m->code_size ||
		    f->size > m->code_size - f->code)
			return mathis_bad(m, "function %u is outside the code",
					  i);
		if (f->flags & FUNC_EXTERN && (f->size || f->locals))
			return mathis_bad(m, "function %u is imported", i);
		end = f->code + f->size;
		if (f->meta != MATHIS_NONE_IDX && f->meta >= m->n_metas)
			return mathis_bad(m,
					  "function %u has no description %u",
					  i, f->meta);
	}
	if (mathis_left(&r))
		return mathis_bad(m, "the functions do not fill their section");
	return 0;
}

/* The function that holds an offset of the code, or NULL; they are sorted. */
const struct mathis_func *mathis_func_at(const struct mathis_module *m,
					 uint32_t code)
{
	uint32_t low = 0;
	uint32_t high = m->n_funcs;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (m->funcs[mid].code + m->funcs[mid].size <= code)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == m->n_funcs || code < m->funcs[low].code)
		return NULL;
	return &m->funcs[low];
}

static bool read_text(struct mathis_reader *r, struct mathis_span *t)
{
	t->len = mathis_get(r, 4);
	t->data = (const char *)mathis_take(r, t->len);
	return t->data && mathis_utf8(t->data, t->len);
}

/* As many texts as the count before them, after those read before. */
static int read_texts(struct mathis_reader *r, struct mathis_meta *meta,
		      uint16_t *count)
{
	unsigned int had = meta->n_depends;
	unsigned int n = mathis_get(r, 2);
	struct mathis_span *more;

	if (r->bad || n > mathis_left(r) / 4)
		return -EBADMSG;
	if (!n)
		return 0;
	more = realloc(meta->depends, (had + n) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	meta->depends = more;
	for (unsigned int i = 0; i < n; i++) {
		if (!read_text(r, &more[had + i]))
			return -EBADMSG;
	}
	*count = n;
	return 0;
}

static int read_meta(struct mathis_reader *r, struct mathis_meta *meta)
{
	unsigned int pure;
	int ret;

	if (!read_text(r, &meta->block) || !read_text(r, &meta->intent))
		return -EBADMSG;
	pure = mathis_get(r, 1);
	meta->pure = pure;
	if (pure > 1 || !read_text(r, &meta->complexity))
		return -EBADMSG;
	ret = read_texts(r, meta, &meta->n_depends);
	if (!ret)
		ret = read_texts(r, meta, &meta->n_effects);
	return ret;
}

/* Each description follows its own entry; its offset is always 0. */
int mathis_load_meta(struct mathis_module *m, struct mathis_part part)
{
	struct mathis_reader r = { part.data, part.data + part.size, false };
	int ret;

	m->metas =
		mathis_array(m, &r, &m->n_metas, 13, sizeof(*m->metas), &ret);
	if (ret)
		return ret;
	for (uint32_t i = 0; i < m->n_metas; i++) {
		struct mathis_meta *meta = &m->metas[i];
		struct mathis_reader d;
		uint32_t offset, len;

		meta->target_kind = mathis_get(&r, 1);
		meta->target = mathis_get(&r, 4);
		offset = mathis_get(&r, 4);
		len = mathis_get(&r, 4);
		d.p = mathis_take(&r, len);
		if (!d.p || offset)
			return mathis_bad(m, "description %u is outside", i);
		d.end = d.p + len;
		d.bad = false;
		ret = read_meta(&d, meta);
		if (ret == -ENOMEM)
			return mathis_fail(m->error, ret, MATHIS_OUT_OF_MEMORY,
					   "no memory");
		if (ret || d.bad || mathis_left(&d))
			return mathis_bad(m, "description %u is wrong", i);
	}
	if (mathis_left(&r))
		return mathis_bad(m, "descriptions do not fill their section");
	return 0;
}

static int read_lines(struct mathis_module *m, struct mathis_reader *r)
{
	uint32_t last = 0;
	int ret;

	m->lines = mathis_array(m, r, &m->n_lines, 12, sizeof(*m->lines), &ret);
	if (ret)
		return ret;
	for (uint32_t i = 0; i < m->n_lines; i++) {
		struct mathis_line *l = &m->lines[i];

		l->code = mathis_get(r, 4);
		l->file = mathis_get(r, 2);
		l->line = mathis_get(r, 4);
		l->column = mathis_get(r, 2);
		if (l->code < last || l->code >= m->code_size ||
		    l->file >= m->n_files)
			return mathis_bad(m, "line %u is wrong", i);
		last = l->code;
	}
	return 0;
}

int mathis_load_debug(struct mathis_module *m, struct mathis_part part)
{
	struct mathis_reader r = { part.data, part.data + part.size, false };
	uint32_t names;
	int ret;

	m->files = mathis_array(m, &r, &m->n_files, 4 + DEBUG_SUM,
				sizeof(*m->files), &ret);
	if (ret)
		return ret;
	for (uint32_t i = 0; i < m->n_files; i++) {
		m->files[i] = mathis_get(&r, 4);
		mathis_take(&r, DEBUG_SUM);
		if (!mathis_is_str(m, m->files[i]))
			return mathis_bad(m, "source %u has no name", i);
	}
	ret = read_lines(m, &r);
	if (ret)
		return ret;
	names = mathis_get(&r, 4);
	for (uint32_t i = 0; i < names && !r.bad; i++) {
		struct mathis_sig sig;

		mathis_take(&r, 9);
		if (mathis_read_sig(&r, &sig))
			return mathis_bad(m, "the name of local %u is wrong",
					  i);
	}
	if (r.bad || mathis_left(&r))
		return mathis_bad(m, "the lines do not fill their section");
	return 0;
}

/* The line that an offset of the code belongs to, or NULL; they are sorted. */
const struct mathis_line *mathis_find_line(const struct mathis_module *m,
					   uint32_t code)
{
	const struct mathis_func *f = mathis_func_at(m, code);
	uint32_t low = 0;
	uint32_t high = m->n_lines;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (m->lines[mid].code <= code)
			low = mid + 1;
		else
			high = mid;
	}
	if (!f || !low || m->lines[low - 1].code < f->code)
		return NULL;
	return &m->lines[low - 1];
}
