// SPDX-License-Identifier: GPL-2.0-only
/*
 * Read types, and hold values against them.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "handle.h"
#include "type.h"

static const struct {
	const char *name;
	uint8_t kind;
} kinds[] = {
	{ "any", MD_ANY },	     { "none", MATHIS_NONE },
	{ "bool", MATHIS_BOOL },     { "i64", MATHIS_INT },
	{ "f64", MATHIS_FLOAT },     { "char", MATHIS_CHAR },
	{ "str", MATHIS_STR },	     { "bytes", MATHIS_BYTES },
	{ "list", MATHIS_LIST },     { "map", MATHIS_MAP },
	{ "set", MATHIS_SET },	     { "tuple", MATHIS_TUPLE },
	{ "struct", MATHIS_STRUCT }, { "enum", MATHIS_ENUM },
	{ "func", MATHIS_FUNC },     { "handle", MATHIS_HANDLE },
	{ "task", MATHIS_TASK },     { "channel", MATHIS_CHANNEL },
};

#define N_KINDS (sizeof(kinds) / sizeof(*kinds))

const char *md_item_kind(const struct mathis_item *item)
{
	for (size_t i = 1; i < N_KINDS; i++) {
		if (kinds[i].kind == item->kind)
			return kinds[i].name;
	}
	return "value of the machine";
}

struct reader {
	struct mathis_pool *pool;
	const char *p;
	bool bad;
};

static void blanks(struct reader *r)
{
	while (*r->p == ' ')
		r->p++;
}

static bool accept(struct reader *r, const char *text)
{
	size_t n = strlen(text);

	blanks(r);
	if (r->bad || strncmp(r->p, text, n))
		return false;
	r->p += n;
	return true;
}

static void expect(struct reader *r, const char *text)
{
	if (!accept(r, text))
		r->bad = true;
}

/* A word: where it begins, and its bytes. */
static const char *word(struct reader *r, uint32_t *n)
{
	const char *begin;

	blanks(r);
	begin = r->p;
	while (isalnum((unsigned char)*r->p) || *r->p == '_')
		r->p++;
	*n = r->p - begin;
	if (!*n)
		r->bad = true;
	return begin;
}

static int64_t number(struct reader *r)
{
	int64_t n;
	char *end;

	blanks(r);
	errno = 0;
	n = strtoll(r->p, &end, 0);
	if (errno || end == r->p)
		r->bad = true;
	r->p = end;
	return n;
}

/* "[MIN..MAX]" */
static void range(struct reader *r, struct md_type *t)
{
	t->min = t->kind == MATHIS_INT ? INT64_MIN : 0;
	t->max = INT64_MAX;
	if (!accept(r, "["))
		return;
	if (!accept(r, "..")) {
		t->min = number(r);
		expect(r, "..");
	}
	if (!accept(r, "]")) {
		t->max = number(r);
		expect(r, "]");
	}
}

static struct md_type *type(struct reader *r);

/* Types of a list, up to @end; @named: with their names. */
static void parts(struct reader *r, struct md_type *t, const char *end,
		  bool named)
{
	struct md_type **last = &t->of;

	do {
		uint32_t len = 0;
		const char *name = named ? word(r, &len) : NULL;

		*last = type(r);
		if (!*last)
			return;
		(*last)->name = name;
		(*last)->name_len = len;
		last = &(*last)->next;
	} while (accept(r, ","));
	expect(r, end);
	t->exact = named || t->kind == MATHIS_TUPLE;
}

static void inside(struct reader *r, struct md_type *t)
{
	uint32_t n;
	const char *name;

	if (t->kind == MATHIS_HANDLE && accept(r, "<")) {
		name = word(r, &n);
		t->handle = md_kind_find(name, n);
		if (!t->handle)
			r->bad = true;
		expect(r, ">");
	} else if (t->kind == MATHIS_MAP && accept(r, "{")) {
		parts(r, t, "}", true);
	} else if ((t->kind == MATHIS_LIST || t->kind == MATHIS_SET ||
		    t->kind == MATHIS_TUPLE) &&
		   accept(r, "<")) {
		parts(r, t, ">", false);
	}
	range(r, t);
}

/* A type with its alternatives, or NULL. */
static struct md_type *type(struct reader *r)
{
	struct md_type *t = mathis_pool_alloc(r->pool, sizeof(*t));
	const char *name;
	uint32_t n;
	size_t i = 0;

	if (!t) {
		r->bad = true;
		return NULL;
	}
	memset(t, 0, sizeof(*t));
	name = word(r, &n);
	while (i < N_KINDS &&
	       (strlen(kinds[i].name) != n || memcmp(kinds[i].name, name, n)))
		i++;
	if (i == N_KINDS)
		r->bad = true;
	else
		t->kind = kinds[i].kind;
	if (!r->bad)
		inside(r, t);
	if (accept(r, "|"))
		t->other = type(r);
	/* The last alternative has read what follows all of them. */
	t->optional = accept(r, "?") || (t->other && t->other->optional);
	return r->bad ? NULL : t;
}

/* "= LITERAL" */
static void literal(struct reader *r, struct md_type *t)
{
	uint32_t n;
	const char *name;

	if (t->kind == MATHIS_INT) {
		t->value = mathis_item_int(number(r));
	} else if (t->kind == MATHIS_BOOL) {
		name = word(r, &n);
		t->value = mathis_item_bool(n == 4 && !memcmp(name, "true", n));
	} else if (t->kind == MATHIS_STR) {
		name = word(r, &n);
		t->value = mathis_item_text(r->pool, MATHIS_STR, name, n);
	} else {
		r->bad = true;
	}
}

struct md_type *md_type_args(struct mathis_pool *pool, const char *text,
			     const char **at)
{
	struct reader r = { pool, text, false };
	struct md_type *first = NULL;
	struct md_type **last = &first;

	*at = NULL;
	blanks(&r);
	if (!*r.p)
		return NULL;
	do {
		uint32_t n;
		const char *name = word(&r, &n);
		struct md_type *t = type(&r);

		if (!t)
			break;
		t->name = name;
		t->name_len = n;
		t->missing = t->optional;
		if (accept(&r, "=")) {
			literal(&r, t);
			t->missing = true;
		}
		*last = t;
		last = &t->next;
	} while (accept(&r, ","));
	if (!r.bad && !*r.p)
		return first;
	*at = r.p;
	return NULL;
}

struct md_type *md_type_read(struct mathis_pool *pool, const char *text,
			     const char **at)
{
	struct reader r = { pool, text, false };
	struct md_type *t = type(&r);

	*at = t && !*r.p ? NULL : r.p;
	return *at ? NULL : t;
}

static bool fits(const struct md_type *t, const struct mathis_item *item,
		 struct md_misfit *misfit, const char *where,
		 uint32_t where_len);

static bool misfit_range(struct md_misfit *m, const struct md_type *t,
			 int64_t n, const char *what)
{
	m->code = MATHIS_ARG_RANGE;
	if (t->max == INT64_MAX)
		snprintf(m->text, sizeof(m->text), "%s%lld is less than %lld",
			 what, (long long)n, (long long)t->min);
	else
		snprintf(m->text, sizeof(m->text),
			 "%s%lld is not from %lld to %lld", what, (long long)n,
			 (long long)t->min, (long long)t->max);
	return false;
}

/* Whether the size, or an int, is in range. */
static bool in_range(const struct md_type *t, const struct mathis_item *item,
		     struct md_misfit *m)
{
	int64_t n = item->n;
	const char *what = "";

	switch (item->kind) {
	case MATHIS_INT:
		n = item->i;
		break;
	case MATHIS_STR:
	case MATHIS_BYTES:
		what = "the size ";
		break;
	case MATHIS_LIST:
	case MATHIS_SET:
	case MATHIS_MAP:
		what = "the length ";
		break;
	default:
		return true;
	}
	return (n >= t->min && n <= t->max) || misfit_range(m, t, n, what);
}

static bool fits_keys(const struct md_type *t, const struct mathis_item *item,
		      struct md_misfit *m)
{
	uint32_t known = 0;

	for (const struct md_type *k = t->of; k; k = k->next) {
		const struct mathis_item *value = NULL;

		for (uint32_t i = 0; i < item->n && !value; i++) {
			const struct mathis_item *key = &item->items[2UL * i];

			if (key->kind == MATHIS_STR && key->n == k->name_len &&
			    !memcmp(key->text, k->name, key->n))
				value = key + 1;
		}
		known += !!value;
		if (!value && k->optional)
			continue;
		if (!value) {
			m->code = MATHIS_ARG_TYPE;
			snprintf(m->text, sizeof(m->text),
				 "key %.*s is missing", (int)k->name_len,
				 k->name);
			return false;
		}
		if (!fits(k, value, m, k->name, k->name_len))
			return false;
	}
	if (known == item->n)
		return true;
	m->code = MATHIS_ARG_TYPE;
	snprintf(m->text, sizeof(m->text), "a key is not known");
	return false;
}

static bool fits_inside(const struct md_type *t, const struct mathis_item *item,
			struct md_misfit *m)
{
	const struct md_type *of = t->of;

	if (!of)
		return true;
	if (t->kind == MATHIS_MAP)
		return fits_keys(t, item, m);
	for (uint32_t i = 0; i < item->n; i++) {
		if (!of || !fits(of, &item->items[i], m, "an element", 10))
			break;
		of = t->exact ? of->next : of;
		if (i + 1 == item->n && (!t->exact || !of))
			return true;
	}
	if (!item->n && !t->exact)
		return true;
	if (m->code)
		return false;
	m->code = MATHIS_ARG_TYPE;
	snprintf(m->text, sizeof(m->text), "a tuple of another length");
	return false;
}

static bool fits(const struct md_type *t, const struct mathis_item *item,
		 struct md_misfit *misfit, const char *where,
		 uint32_t where_len)
{
	if (item->kind == MATHIS_NONE && t->optional)
		return true;
	for (const struct md_type *a = t; a; a = a->other) {
		if (a->kind == MD_ANY)
			return true;
		if (a->kind != item->kind ||
		    (a->handle && a->handle != item->i >> 24))
			continue;
		if (!in_range(a, item, misfit))
			return false;
		return fits_inside(a, item, misfit);
	}
	misfit->code = MATHIS_ARG_TYPE;
	snprintf(misfit->text, sizeof(misfit->text), "%.*s cannot be %s%s",
		 (int)where_len, where,
		 item->kind == MATHIS_HANDLE ?
			 md_kind_name(item->i >> 24 & 0xff) :
			 md_item_kind(item),
		 item->kind == MATHIS_HANDLE ? " handle" : "");
	return false;
}

bool md_type_fits(const struct md_type *type, const struct mathis_item *item,
		  struct md_misfit *misfit)
{
	const char *name = type->name ?: "the value";

	misfit->code = MATHIS_OK;
	return fits(type, item, misfit, name,
		    type->name ? type->name_len : strlen(name));
}
