// SPDX-License-Identifier: GPL-2.0-only
/* Filters as SQL; see filter_impl.h. */
#include <errno.h>
#include <jansson.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collection.h"
#include "filter_impl.h"

/**
 * struct bound - a value behind a "?"
 * @text: A string, or a real number as JSON; NULL for an integer.
 * @number: The integer.
 */
struct bound {
	char *text;
	json_int_t number;
};

/**
 * struct vdfs_filter - see filter_impl.h
 * @sql: The clause so far.
 * @len: Its length.
 * @room: Of @sql.
 * @bound: Values, in the order of their marks.
 * @n: How many.
 * @bound_room: Of @bound.
 */
struct vdfs_filter {
	char *sql;
	size_t len;
	size_t room;
	struct bound *bound;
	size_t n;
	size_t bound_room;
};

/**
 * struct parser - a filter being read
 * @filter: The filter that it becomes.
 * @why: Where the reason goes when it is refused.
 * @why_len: Room for it.
 * @depth: Filters around the present one.
 */
struct parser {
	struct vdfs_filter *filter;
	char *why;
	size_t why_len;
	int depth;
};

/**
 * struct term - one of several that are joined by AND or OR
 * @field: Field whose value is compared; NULL = @value is a filter of its own.
 * @op: How it is compared; NULL = as @value says.
 * @value: With what.
 */
struct term {
	const char *field;
	const char *op;
	json_t *value;
};

static int emit_filter(struct parser *p, json_t *json);

__attribute__((format(printf, 2, 3))) static int refuse(struct parser *p,
							const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (p->why_len)
		vsnprintf(p->why, p->why_len, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static int emit(struct parser *p, const char *text)
{
	struct vdfs_filter *f = p->filter;
	size_t len = strlen(text);

	if (f->len + len + 1 > f->room) {
		size_t room = (f->len + len + 1) * 2;
		char *more = realloc(f->sql, room);

		if (!more)
			return -ENOMEM;
		f->sql = more;
		f->room = room;
	}
	memcpy(f->sql + f->len, text, len + 1);
	f->len += len;
	return 0;
}

static int bind_later(struct parser *p, char *text, json_int_t number)
{
	struct vdfs_filter *f = p->filter;

	if (f->n == f->bound_room) {
		size_t room = f->bound_room * 2 + 8;
		struct bound *more = realloc(f->bound, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		f->bound = more;
		f->bound_room = room;
	}
	f->bound[f->n].text = text;
	f->bound[f->n++].number = number;
	return 0;
}

/* NULL when it may be a field; else what is wrong with it. */
static const char *wrong_name(const char *field)
{
	const char *c;

	if (!*field || strlen(field) > VDFS_FIELD_MAX)
		return "a field's name has 1 to 255 bytes";
	if (*field == '$')
		return "there is no such operator";
	if (*field == '.' || field[strlen(field) - 1] == '.' ||
	    strstr(field, ".."))
		return "a part of the path is empty";
	for (c = field; *c; c++)
		if (*c == '"' || *c == '\\' || (unsigned char)*c < ' ')
			return "a field with quotes, backslashes or control characters";
	return NULL;
}

/* FUNCTION(metadata,'$."a"."b"') for the path a.b, quotes doubled. */
static char *path_sql(const char *function, const char *field)
{
	char *out = malloc(strlen(function) + strlen(field) * 3 + 24);
	char *to = out;

	if (!out)
		return NULL;
	to += sprintf(to, "%s(metadata,'$.\"", function);
	for (; *field; field++) {
		if (*field == '.') {
			to = stpcpy(to, "\".\"");
			continue;
		}
		if (*field == '\'')
			*to++ = '\'';
		*to++ = *field;
	}
	memcpy(to, "\"')", 4);
	return out;
}

static int emit_path(struct parser *p, const char *function, const char *field)
{
	char *sql = path_sql(function, field);
	int ret = sql ? emit(p, sql) : -ENOMEM;

	free(sql);
	return ret;
}

/* The fewest digits that are this number, as people write it. */
static char *real_text(double number)
{
	char text[40];
	int digits;

	for (digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, number);
		if (strtod(text, NULL) == number)
			break;
	}
	return strdup(text);
}

/* The other side of a comparison. SQLite reads both numbers the same way. */
static int emit_value(struct parser *p, json_t *value)
{
	bool real = json_is_real(value);
	char *text = NULL;
	int ret;

	if (json_is_boolean(value))
		return emit(p, json_is_true(value) ? "1" : "0");
	if (json_is_null(value))
		return emit(p, "NULL");
	if (!json_is_integer(value)) {
		text = real ? real_text(json_real_value(value)) :
			      strdup(json_string_value(value));
		if (!text)
			return -ENOMEM;
	}
	ret = bind_later(p, text, json_integer_value(value));
	if (ret)
		free(text);
	return ret ? ret : emit(p, real ? "json_extract(?,'$')" : "?");
}

static const char *types_of(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_STRING:
		return "='text'";
	case JSON_INTEGER:
	case JSON_REAL:
		return " IN('integer','real')";
	case JSON_TRUE:
		return "='true'";
	case JSON_FALSE:
		return "='false'";
	default:
		return "='null'";
	}
}

/* The field, an operator, what @values holds of the type of @like. */
static int emit_typed(struct parser *p, const char *field, const char *op,
		      json_t *like, json_t **values, size_t n)
{
	size_t i;
	int ret;

	ret = emit(p, "(");
	if (!ret)
		ret = emit_path(p, "json_extract", field);
	if (!ret)
		ret = emit(p, json_is_null(like) ? " IS " : op);
	if (!ret && n > 1)
		ret = emit(p, "(");
	for (i = 0; i < n && !ret; i++) {
		if (i)
			ret = emit(p, ",");
		if (!ret)
			ret = emit_value(p, values[i]);
	}
	if (!ret && n > 1)
		ret = emit(p, ")");
	if (!ret)
		ret = emit(p, " AND ");
	if (!ret)
		ret = emit_path(p, "json_type", field);
	if (!ret)
		ret = emit(p, types_of(like));
	return ret ? ret : emit(p, ")");
}

static bool is_scalar(const json_t *value)
{
	return !json_is_object(value) && !json_is_array(value);
}

/* One comparison for each type that is in the list. */
static int emit_in(struct parser *p, const char *field, json_t *list)
{
	size_t total = json_array_size(list);
	json_t **same = malloc((total + 1) * sizeof(json_t *));
	const char *seen[6];
	size_t i, j, n;
	size_t types = 0;
	int ret;

	if (!same)
		return -ENOMEM;
	ret = emit(p, "(");
	for (i = 0; i < total && !ret; i++) {
		const char *type = types_of(json_array_get(list, i));

		for (j = 0; j < types && strcmp(seen[j], type); j++)
			continue;
		if (j < types)
			continue;
		seen[types++] = type;
		for (j = i, n = 0; j < total; j++)
			if (!strcmp(types_of(json_array_get(list, j)), type))
				same[n++] = json_array_get(list, j);
		/* True, false and null are each what they are once. */
		if (!json_is_string(same[0]) && !json_is_number(same[0]))
			n = 1;
		if (types > 1)
			ret = emit(p, " OR ");
		if (!ret)
			ret = emit_typed(p, field, n > 1 ? " IN" : "=", same[0],
					 same, n);
	}
	free(same);
	if (!ret && !types)
		ret = emit(p, "0");
	return ret ? ret : emit(p, ")");
}

static int refuse_in(struct parser *p, const char *field, json_t *list)
{
	size_t i;

	if (!json_is_array(list))
		return refuse(p, "\"%.64s\": $in wants a list", field);
	for (i = 0; i < json_array_size(list); i++)
		if (!is_scalar(json_array_get(list, i)))
			return refuse(
				p,
				"\"%.64s\": $in, value %zu: neither objects nor lists can be compared",
				field, i + 1);
	return 0;
}

static int emit_op(struct parser *p, const struct term *term)
{
	static const char *const order[][2] = {
		{ "$gt", ">" },
		{ "$gte", ">=" },
		{ "$lt", "<" },
		{ "$lte", "<=" },
	};
	json_t *value = term->value;
	bool equal = !strcmp(term->op, "$eq");
	size_t i;
	int ret;

	if (!strcmp(term->op, "$in")) {
		ret = refuse_in(p, term->field, value);
		return ret ? ret : emit_in(p, term->field, value);
	}
	if (equal || !strcmp(term->op, "$ne")) {
		if (!is_scalar(value))
			return refuse(
				p,
				"\"%.64s\": neither objects nor lists can be compared",
				term->field);
		ret = emit(p, "(");
		if (!ret)
			ret = emit_typed(p, term->field, "=", value, &value, 1);
		return ret ? ret : emit(p, equal ? ")" : " IS NOT TRUE)");
	}
	for (i = 0; i < 4 && strcmp(term->op, order[i][0]); i++)
		continue;
	if (i == 4)
		return refuse(p, "\"%.64s\": there is no operator \"%.32s\"",
			      term->field, term->op);
	if (!json_is_number(value) && !json_is_string(value))
		return refuse(p, "\"%.64s\": %s wants a number or a string",
			      term->field, term->op);
	return emit_typed(p, term->field, order[i][1], value, &value, 1);
}

static int emit_terms(struct parser *p, const struct term *terms, size_t n,
		      const char *joint);

/* {"field": {"$op": value, ...}}, or {"field": value}. */
static int emit_field(struct parser *p, const struct term *term)
{
	const char *wrong = wrong_name(term->field);
	struct term one = { term->field, "$eq", term->value };
	struct term *terms;
	const char *op;
	json_t *value;
	size_t n = 0;
	int ret;

	if (wrong)
		return refuse(p, "\"%.64s\": %s", term->field, wrong);
	if (!json_is_object(term->value))
		return emit_op(p, &one);
	if (!json_object_size(term->value))
		return refuse(p, "\"%.64s\": an operator is missing",
			      term->field);
	terms = calloc(json_object_size(term->value), sizeof(*terms));
	if (!terms)
		return -ENOMEM;
	json_object_foreach(term->value, op, value)
		terms[n++] = (struct term){ term->field, op, value };
	ret = emit_terms(p, terms, n, " AND ");
	free(terms);
	return ret;
}

static int emit_list(struct parser *p, const char *op, json_t *list)
{
	size_t n = json_array_size(list);
	struct term *terms;
	size_t i;
	int ret;

	if (!n)
		return refuse(p, "%s wants a list of at least one filter", op);
	terms = calloc(n, sizeof(*terms));
	if (!terms)
		return -ENOMEM;
	for (i = 0; i < n; i++)
		terms[i].value = json_array_get(list, i);
	ret = emit_terms(p, terms, n, op[1] == 'a' ? " AND " : " OR ");
	free(terms);
	return ret;
}

static int emit_term(struct parser *p, const struct term *term)
{
	if (!term->field)
		return emit_filter(p, term->value);
	if (term->op)
		return emit_op(p, term);
	if (!strcmp(term->field, "$and") || !strcmp(term->field, "$or"))
		return emit_list(p, term->field, term->value);
	return emit_field(p, term);
}

/* As a balanced tree: SQLite bounds the depth of an expression. */
static int emit_terms(struct parser *p, const struct term *terms, size_t n,
		      const char *joint)
{
	int ret;

	if (n == 1)
		return emit_term(p, terms);
	ret = emit(p, "(");
	if (!ret)
		ret = emit_terms(p, terms, n / 2, joint);
	if (!ret)
		ret = emit(p, joint);
	if (!ret)
		ret = emit_terms(p, terms + n / 2, n - n / 2, joint);
	return ret ? ret : emit(p, ")");
}

static int emit_filter(struct parser *p, json_t *json)
{
	struct term *terms;
	const char *field;
	json_t *value;
	size_t n = 0;
	int ret;

	if (!json_is_object(json))
		return refuse(p, "a filter is an object: {\"field\": value}");
	if (!json_object_size(json))
		return emit(p, "1");
	if (p->depth == VDFS_FILTER_DEPTH)
		return refuse(p, "more than %d filters inside each other",
			      VDFS_FILTER_DEPTH);
	terms = calloc(json_object_size(json), sizeof(*terms));
	if (!terms)
		return -ENOMEM;
	json_object_foreach(json, field, value)
		terms[n++] = (struct term){ field, NULL, value };
	p->depth++;
	ret = emit_terms(p, terms, n, " AND ");
	p->depth--;
	free(terms);
	return ret;
}

/**
 * vdfs_filter_new() - read a filter
 * @json: See struct vdfs_search.
 * @why: Out, when it is refused: the reason, for people.
 * @len: Room for it; VDFS_WHY_MAX is enough, 0 is allowed.
 * @out: Out, to be given to vdfs_filter_free().
 *
 * Return: 0, -EINVAL when it makes no sense, -E2BIG when it is longer than
 * VDFS_FILTER_MAX, or -ENOMEM.
 */
int vdfs_filter_new(const char *json, char *why, size_t len,
		    struct vdfs_filter **out)
{
	struct parser p = { .why = why, .why_len = len };
	size_t bytes = strnlen(json, VDFS_FILTER_MAX + 1);
	json_error_t error;
	json_t *root;
	int ret;

	if (bytes > VDFS_FILTER_MAX) {
		refuse(&p, "a filter has at most %d bytes", VDFS_FILTER_MAX);
		return -E2BIG;
	}
	root = json_loadb(json, bytes, JSON_REJECT_DUPLICATES, &error);
	if (!root && json_error_code(&error) == json_error_out_of_memory)
		return -ENOMEM;
	if (!root)
		return refuse(&p, "line %d, column %d: %.100s", error.line,
			      error.column, error.text);
	p.filter = calloc(1, sizeof(*p.filter));
	ret = p.filter ? emit_filter(&p, root) : -ENOMEM;
	json_decref(root);
	if (ret) {
		vdfs_filter_free(p.filter);
		return ret;
	}
	*out = p.filter;
	return 0;
}

/**
 * vdfs_filter_free() - forget a filter
 * @filter: Which; NULL is allowed.
 */
void vdfs_filter_free(struct vdfs_filter *filter)
{
	size_t i;

	if (!filter)
		return;
	for (i = 0; i < filter->n; i++)
		free(filter->bound[i].text);
	free(filter->bound);
	free(filter->sql);
	free(filter);
}

/**
 * vdfs_filter_check() - does a filter make sense
 * @json: See struct vdfs_search.
 * @why: Out, when it does not: the reason, for people.
 * @len: Room for it; VDFS_WHY_MAX is enough, 0 is allowed.
 *
 * Return: As vdfs_filter_new().
 */
int vdfs_filter_check(const char *json, char *why, size_t len)
{
	struct vdfs_filter *filter;
	int ret = vdfs_filter_new(json, why, len, &filter);

	if (!ret)
		vdfs_filter_free(filter);
	return ret;
}

/**
 * vdfs_filter_sql() - the filter as a WHERE clause
 * @filter: Which.
 *
 * Return: Valid as long as @filter; values are marked "?".
 */
const char *vdfs_filter_sql(const struct vdfs_filter *filter)
{
	return filter->sql;
}

/**
 * vdfs_filter_bind() - give a statement the filter's values
 * @filter: Filter whose clause is in @stmt; it must stay while @stmt runs.
 * @stmt: Which.
 * @first: Number of the first mark of the clause.
 *
 * Return: 0, or -ENOMEM.
 */
int vdfs_filter_bind(const struct vdfs_filter *filter, sqlite3_stmt *stmt,
		     int first)
{
	size_t i;
	int ret = SQLITE_OK;

	for (i = 0; i < filter->n && ret == SQLITE_OK; i++) {
		const struct bound *b = &filter->bound[i];
		int at = first + (int)i;

		if (b->text)
			ret = sqlite3_bind_text(stmt, at, b->text, -1,
						SQLITE_STATIC);
		else
			ret = sqlite3_bind_int64(stmt, at, b->number);
	}
	return ret == SQLITE_OK ? 0 : -ENOMEM;
}

/**
 * vdfs_filter_index() - what to index for filters on a field
 * @field: Its name or path.
 *
 * Return: Expressions for CREATE INDEX, to be freed; NULL when the name
 * cannot be one (errno EINVAL), or there is no memory (ENOMEM).
 */
char *vdfs_filter_index(const char *field)
{
	char *value = NULL;
	char *type = NULL;
	char *both = NULL;

	if (wrong_name(field)) {
		errno = EINVAL;
		return NULL;
	}
	value = path_sql("json_extract", field);
	type = path_sql("json_type", field);
	if (value && type)
		both = malloc(strlen(value) + strlen(type) + 2);
	if (both)
		sprintf(both, "%s,%s", value, type);
	else
		errno = ENOMEM;
	free(value);
	free(type);
	return both;
}
