// SPDX-License-Identifier: GPL-2.0-only
/*
 * 0x1320, 0x1321: comma-separated values (RFC 4180).
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "serial.h"

struct reader {
	struct md_call *c;
	const char *p;
	const char *end;
	char delimiter;
	long line;
};

static int bad(struct reader *r, const char *text)
{
	md_detail(r->c, "line", mathis_item_int(r->line));
	return md_fail(r->c, MATHIS_FORMAT, "line %ld: %s", r->line, text);
}

/* The delimiter of the options, or 0, reported. */
static char delimiter_of(struct md_call *c)
{
	const struct mathis_item *opts = &c->args[1], *d = NULL;

	if (opts->kind == MATHIS_MAP)
		d = mathis_item_get(opts, "delimiter");
	if (!d || d->kind != MATHIS_STR)
		return ',';
	if (d->n == 1 && *d->text && !strchr("\"\r\n", *d->text))
		return *d->text;
	md_fail(c, MATHIS_ARG_RANGE,
		"a quote or an end of a line divides nothing");
	return 0;
}

static bool at_end_of_line(const struct reader *r)
{
	return r->p == r->end || *r->p == '\n' ||
	       (*r->p == '\r' && r->p + 1 < r->end && r->p[1] == '\n');
}

/* Text between quotes, the first of which has been read. */
static int quoted(struct reader *r, struct mathis_item *field)
{
	const char *begin = r->p;
	char *text;
	size_t n = 0;

	/* Without its quotes the text is no longer than with them. */
	while (r->p < r->end &&
	       (*r->p != '"' || (r->p + 1 < r->end && r->p[1] == '"'))) {
		r->line += *r->p == '\n';
		r->p += 1 + (*r->p == '"');
	}
	if (r->p == r->end)
		return bad(r, "a quote has no end");
	text = md_alloc(r->c, (size_t)(r->p - begin) + 1);
	if (!text)
		return MD_FAILED;
	for (const char *q = begin; q < r->p; q++) {
		text[n++] = *q;
		q += *q == '"';
	}
	r->p++;
	if (!at_end_of_line(r) && *r->p != r->delimiter)
		return bad(r, "text follows a quote");
	*field = (struct mathis_item){ .kind = MATHIS_STR,
				       .n = (uint32_t)n,
				       .text = text };
	return MD_DONE;
}

static int plain(struct reader *r, struct mathis_item *field)
{
	const char *begin = r->p;

	while (!at_end_of_line(r) && *r->p != r->delimiter) {
		if (*r->p == '"')
			return bad(r, "a quote inside of a field");
		r->p++;
	}
	*field = (struct mathis_item){ .kind = MATHIS_STR,
				       .n = (uint32_t)(r->p - begin),
				       .text = begin };
	return MD_DONE;
}

/* One row, which is not empty, and the end of its line. */
static int row(struct reader *r, struct mathis_item *list)
{
	struct mathis_item field;

	*list = mathis_item_seq(&r->c->pool, MATHIS_LIST, 4);
	for (;;) {
		int ret;

		if (r->p < r->end && *r->p == '"') {
			r->p++;
			ret = quoted(r, &field);
		} else {
			ret = plain(r, &field);
		}
		if (ret)
			return ret;
		mathis_item_add(&r->c->pool, list, field);
		if (at_end_of_line(r))
			break;
		r->p++;
	}
	if (r->p < r->end)
		r->p += *r->p == '\r' ? 2 : 1;
	r->line++;
	return MD_DONE;
}

/* A row as a map by the names of the first one. */
static int by_name(struct reader *r, const struct mathis_item *names,
		   struct mathis_item *list)
{
	struct mathis_item map;

	if (list->n != names->n) {
		r->line--;
		return bad(r, "the line has another count of fields");
	}
	map = mathis_item_seq(&r->c->pool, MATHIS_LIST, 2UL * list->n);
	for (uint32_t i = 0; i < list->n; i++) {
		mathis_item_add(&r->c->pool, &map, names->items[i]);
		mathis_item_add(&r->c->pool, &map, list->items[i]);
	}
	map.kind = MATHIS_MAP;
	map.n /= 2;
	*list = map;
	return MD_DONE;
}

/* Whether the names of the first row differ. */
static int check_names(struct reader *r, const struct mathis_item *names)
{
	struct mathis_item copy = mathis_item_copy(&r->c->pool, names);

	copy.kind = MATHIS_SET;
	if (!r->c->pool.bad && serial_unique(r->c, &copy))
		return bad(r, "a name comes twice");
	return MD_DONE;
}

int md_csv_parse(struct md_call *c)
{
	struct reader r = { .c = c, .p = c->args[0].text, .line = 1 };
	bool header = serial_flag(&c->args[1], "header"), named = false;
	struct mathis_item rows, list, names = MATHIS_ITEM_NONE;

	r.end = r.p + c->args[0].n;
	r.delimiter = delimiter_of(c);
	if (!r.delimiter)
		return MD_FAILED;
	rows = mathis_item_seq(&c->pool, MATHIS_LIST, 16);
	while (r.p < r.end) {
		if (at_end_of_line(&r)) {
			r.p += *r.p == '\r' ? 2 : 1;
			r.line++;
			continue;
		}
		if (row(&r, &list))
			return MD_FAILED;
		if (header && !named) {
			names = list;
			named = true;
			if (check_names(&r, &names))
				return MD_FAILED;
			continue;
		}
		if (header && by_name(&r, &names, &list))
			return MD_FAILED;
		mathis_item_add(&c->pool, &rows, list);
		if (c->pool.bad || md_stopped(c))
			break;
	}
	if (md_stopped(c))
		return MD_FAILED;
	if (c->pool.bad)
		return md_fail(c, MATHIS_OUT_OF_MEMORY, "no memory");
	return md_return(c, rows);
}

static void put_text(struct mathis_buf *b, const char *text, size_t n,
		     char delimiter, bool alone)
{
	bool quote = alone && !n;

	for (size_t i = 0; i < n && !quote; i++)
		quote = text[i] == delimiter || strchr("\"\r\n", text[i]);
	if (!quote) {
		mathis_buf_add(b, text, n);
		return;
	}
	mathis_buf_put(b, '"', 1);
	for (size_t i = 0; i < n; i++) {
		if (text[i] == '"')
			mathis_buf_put(b, '"', 1);
		mathis_buf_put(b, (uint8_t)text[i], 1);
	}
	mathis_buf_put(b, '"', 1);
}

static int put_field(struct md_call *c, struct mathis_buf *b,
		     const struct mathis_item *field, char delimiter,
		     bool alone)
{
	char text[40] = "";

	switch (field->kind) {
	case MATHIS_STR:
		put_text(b, field->text, field->n, delimiter, alone);
		return MD_DONE;
	case MATHIS_INT:
		snprintf(text, sizeof(text), "%lld", (long long)field->i);
		break;
	case MATHIS_FLOAT:
		for (int digits = 15; digits <= 17; digits++) {
			snprintf(text, sizeof(text), "%.*g", digits, field->f);
			if (strtod(text, NULL) == field->f)
				break;
		}
		break;
	case MATHIS_BOOL:
		snprintf(text, sizeof(text), "%s", field->i ? "true" : "false");
		break;
	case MATHIS_NONE:
		break;
	default:
		return md_fail(c, MATHIS_ARG_TYPE,
			       "fields are texts, numbers, bools and none");
	}
	put_text(b, text, strlen(text), delimiter, alone);
	return MD_DONE;
}

static int put_row(struct md_call *c, struct mathis_buf *b,
		   const struct mathis_item *list, char delimiter)
{
	if (list->kind != MATHIS_LIST || !list->n)
		return md_fail(c, MATHIS_ARG_TYPE, "a row is a list of fields");
	for (uint32_t i = 0; i < list->n; i++) {
		if (i)
			mathis_buf_put(b, (uint8_t)delimiter, 1);
		if (put_field(c, b, &list->items[i], delimiter, list->n == 1))
			return MD_FAILED;
	}
	mathis_buf_add(b, "\r\n", 2);
	return MD_DONE;
}

int md_csv_format(struct md_call *c)
{
	const struct mathis_item *rows = &c->args[0];
	char delimiter = delimiter_of(c);
	struct mathis_buf b = { 0 };
	int status = delimiter ? MD_DONE : MD_FAILED;

	for (uint32_t i = 0; i < rows->n && !status && b.size <= SERIAL_MAX;
	     i++)
		status = put_row(c, &b, &rows->items[i], delimiter);
	return serial_return(c, MATHIS_STR, &b, status);
}
