// SPDX-License-Identifier: GPL-2.0-only
/* Filters as SQL; see filter_impl.h. */
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "filter_impl.h"

/**
 * struct clause - a filter on its way to SQL
 * @filter: The filter.
 * @left: Nodes that there is room for.
 */
struct clause {
	struct vdfs_filter *filter;
	size_t left;
};

static int emit(struct clause *c, const char *text)
{
	struct vdfs_filter *f = c->filter;
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

/**
 * vdfs_filter_wrong_field() - why a name cannot be that of a field
 * @field: Its name or path.
 *
 * Return: The reason, for people; NULL when it can.
 */
const char *vdfs_filter_wrong_field(const char *field)
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

/**
 * vdfs_filter_path() - where SQLite finds a field in metadata
 * @field: Its name or path.
 *
 * Return: $."a"."b" for a.b, to be freed; NULL when the name cannot be one
 * (errno EINVAL), or there is no memory (ENOMEM).
 */
char *vdfs_filter_path(const char *field)
{
	char *out = NULL;
	char *to;

	errno = vdfs_filter_wrong_field(field) ? EINVAL : ENOMEM;
	if (errno != EINVAL)
		out = malloc(strlen(field) * 3 + 8);
	if (!out)
		return NULL;
	to = stpcpy(out, "$.\"");
	for (; *field; field++) {
		if (*field == '.')
			to = stpcpy(to, "\".\"");
		else
			*to++ = *field;
	}
	memcpy(to, "\"", 2);
	return out;
}

/* FUNCTION(metadata,'$."a"."b"') for the path a.b, quotes doubled. */
static int emit_path(struct clause *c, const char *function, const char *field)
{
	char *path = vdfs_filter_path(field);
	char *sql = path ? sqlite3_mprintf("%s(metadata,%Q)", function, path) :
			   NULL;
	int ret = sql ? emit(c, sql) : -ENOMEM;

	sqlite3_free(sql);
	free(path);
	return ret;
}

/* The other side of a comparison. SQLite reads both numbers the same way. */
static int emit_values(struct clause *c, const struct vdfs_filter_test *test)
{
	const struct vdfs_filter *f = c->filter;
	size_t i;
	int ret = 0;

	switch (test->type) {
	case VDFS_FILTER_TRUE:
		return emit(c, "1");
	case VDFS_FILTER_FALSE:
		return emit(c, "0");
	case VDFS_FILTER_NULL:
		return emit(c, "NULL");
	default:
		break;
	}
	for (i = 0; i < test->values && !ret; i++) {
		bool real = test->type == VDFS_FILTER_NUMBER &&
			    f->value[test->value + i].text;

		ret = i ? emit(c, ",") : 0;
		if (!ret)
			ret = emit(c, real ? "json_extract(?,'$')" : "?");
	}
	return ret;
}

/* The field, an operator, what it is compared with, and of which type. */
static int emit_test(struct clause *c, size_t at)
{
	static const char *const type[] = {
		[VDFS_FILTER_TEXT] = "='text'",
		[VDFS_FILTER_NUMBER] = " IN('integer','real')",
		[VDFS_FILTER_TRUE] = "='true'",
		[VDFS_FILTER_FALSE] = "='false'",
		[VDFS_FILTER_NULL] = "='null'",
	};
	static const char *const op[] = {
		[VDFS_FILTER_EQ] = "=",	  [VDFS_FILTER_GT] = ">",
		[VDFS_FILTER_GTE] = ">=", [VDFS_FILTER_LT] = "<",
		[VDFS_FILTER_LTE] = "<=",
	};
	const struct vdfs_filter_test *test = &c->filter->test[at];
	bool null = test->type == VDFS_FILTER_NULL;
	bool list = test->values > 1;
	int ret;

	c->filter->bound[c->filter->bounds++] = at;
	ret = emit(c, test->negated ? "((" : "(");
	if (!ret)
		ret = emit_path(c, "json_extract", test->field);
	if (!ret)
		ret = emit(c, null ? " IS " : list ? " IN(" : op[test->op]);
	if (!ret)
		ret = emit_values(c, test);
	if (!ret)
		ret = emit(c, list ? ") AND " : " AND ");
	if (!ret)
		ret = emit_path(c, "json_type", test->field);
	if (!ret)
		ret = emit(c, type[test->type]);
	return ret ? ret : emit(c, test->negated ? ") IS NOT TRUE)" : ")");
}

/* Of all that have to hold some can be left out, of any that may hold none. */
static bool fits(const struct clause *c, size_t at)
{
	const struct vdfs_filter_node *node = &c->filter->node[at];
	size_t n = node->kind == VDFS_FILTER_ALL ? 1 : node->end - at;

	return n <= c->left;
}

static int emit_node(struct clause *c, size_t at)
{
	const struct vdfs_filter_node *node = &c->filter->node[at];
	bool all = node->kind == VDFS_FILTER_ALL;
	size_t child;
	bool some = false;
	int ret;

	c->left--;
	if (node->kind == VDFS_FILTER_TEST)
		return emit_test(c, node->test);
	ret = emit(c, "(");
	for (child = at + 1; child < node->end && !ret;
	     child = c->filter->node[child].end) {
		if (!fits(c, child)) {
			c->filter->exact = false;
			continue;
		}
		if (some)
			ret = emit(c, all ? " AND " : " OR ");
		if (!ret)
			ret = emit_node(c, child);
		some = true;
	}
	if (!ret && !some)
		ret = emit(c, all ? "1" : "0");
	return ret ? ret : emit(c, ")");
}

/**
 * vdfs_filter_clause() - make the WHERE clause of a filter
 * @filter: The filter, of which all nodes are there.
 *
 * Return: 0 or -ENOMEM.
 */
int vdfs_filter_clause(struct vdfs_filter *filter)
{
	struct clause c = { .filter = filter, .left = VDFS_FILTER_CLAUSE };

	filter->exact = fits(&c, 0);
	return filter->exact ? emit_node(&c, 0) : emit(&c, "1");
}

/**
 * vdfs_filter_sql() - the filter as a WHERE clause
 * @filter: Which.
 *
 * Return: Valid as long as @filter; values are marked "?". Where the filter is
 * not exact it lets through more than matches.
 */
const char *vdfs_filter_sql(const struct vdfs_filter *filter)
{
	return filter->sql;
}

static int bind_value(const struct vdfs_filter_value *value, sqlite3_stmt *stmt,
		      int at)
{
	if (value->text)
		return sqlite3_bind_text(stmt, at, value->text, -1,
					 SQLITE_STATIC);
	return sqlite3_bind_int64(stmt, at, value->number);
}

/**
 * vdfs_filter_bind_tests() - give a statement the values of some tests
 * @filter: Filter of the tests; it must stay while @stmt runs.
 * @bound: Indexes of the tests, in the order of their marks.
 * @bounds: How many.
 * @stmt: The statement.
 * @first: In and out: number of the next mark.
 *
 * Return: 0, or -ENOMEM.
 */
int vdfs_filter_bind_tests(const struct vdfs_filter *filter,
			   const size_t *bound, size_t bounds,
			   sqlite3_stmt *stmt, int *first)
{
	const struct vdfs_filter_test *test;
	size_t i, v;
	int ret = SQLITE_OK;

	for (i = 0; i < bounds; i++) {
		test = &filter->test[bound[i]];
		for (v = 0; v < test->values && ret == SQLITE_OK; v++)
			ret = bind_value(&filter->value[test->value + v], stmt,
					 (*first)++);
	}
	return ret == SQLITE_OK ? 0 : -ENOMEM;
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
	return vdfs_filter_bind_tests(filter, filter->bound, filter->bounds,
				      stmt, &first);
}
