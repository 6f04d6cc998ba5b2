// SPDX-License-Identifier: GPL-2.0-only
/* Filters that are too long for a clause; see filter_impl.h. */
#include <errno.h>
#include <jansson.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "filter_impl.h"
#include "sql/meta.h"

/* SQLite reads no JSON whose lists and objects are nested deeper. */
#define LEVELS 1001

enum column {
	KEY,
	TYPE,
	ATOM,
	ID,
	PARENT,
};

/**
 * struct number - a number as SQLite reads it
 * @real: It is no integer.
 * @i: The integer.
 * @d: Else the number.
 */
struct number {
	bool real;
	int64_t i;
	double d;
};

/**
 * struct level - a list or object that the present value lies in
 * @id: Its number in the item.
 * @fields: Tested fields of it; NULL = none.
 */
struct level {
	int64_t id;
	json_t *fields;
};

/**
 * struct vdfs_matcher - a filter, and the item that it is compared with
 * @filter: The filter.
 * @db: Connection that reads the item.
 * @number: Values that are numbers, by the index of the value.
 * @holds: Whether the comparison of a test holds, by the index of the test.
 * @level: From the item inwards.
 * @levels: How many.
 */
struct vdfs_matcher {
	const struct vdfs_filter *filter;
	struct sqlite3 *db;
	struct number *number;
	bool *holds;
	struct level level[LEVELS];
	size_t levels;
};

/* The object of tested fields for a path; NULL = no memory. */
static json_t *enter_path(json_t *fields, const char *path)
{
	while (fields && *path) {
		size_t len = strcspn(path, ".");
		json_t *next = json_object_getn(fields, path, len);

		if (!next) {
			next = json_object();
			if (json_object_setn_new(fields, path, len, next))
				next = NULL;
		}
		fields = next;
		path += len + (path[len] == '.');
	}
	return fields;
}

/**
 * vdfs_filter_fields() - list the tests of each field of a filter
 * @filter: Filter whose clause is not exact.
 *
 * Return: 0 or -ENOMEM.
 */
int vdfs_filter_fields(struct vdfs_filter *filter)
{
	size_t i;

	filter->fields = json_object();
	for (i = 0; i < filter->tests; i++) {
		struct vdfs_filter_test *test = &filter->test[i];
		json_t *fields = enter_path(filter->fields, test->field);
		json_t *last = json_object_get(fields, "");

		test->next = last ? json_integer_value(last) + 1 : 0;
		if (!fields || json_object_set_new(fields, "", json_integer(i)))
			return -ENOMEM;
	}
	return filter->fields ? 0 : -ENOMEM;
}

static void get_number(struct sqlite3_stmt *st, int column, struct number *out)
{
	out->real = sqlite3_column_type(st, column) == SQLITE_FLOAT;
	if (out->real)
		out->d = sqlite3_column_double(st, column);
	else
		out->i = sqlite3_column_int64(st, column);
}

static int read_number(struct vdfs_matcher *m, size_t at)
{
	struct sqlite3_stmt *st;
	int ret;

	ret = vdfs_sql(m->db, &st, "SELECT json_extract(?,'$')",
		       VDFS_TEXT(m->filter->value[at].text));
	if (!ret)
		ret = vdfs_sql_next(st);
	if (ret <= 0)
		return ret ? ret : -EIO;
	get_number(st, 0, &m->number[at]);
	return 0;
}

static int read_numbers(struct vdfs_matcher *m)
{
	const struct vdfs_filter *f = m->filter;
	size_t i, v;
	int ret = 0;

	for (i = 0; i < f->tests; i++) {
		const struct vdfs_filter_test *test = &f->test[i];

		for (v = test->value; v < test->value + test->values; v++) {
			m->number[v].i = f->value[v].number;
			if (test->type == VDFS_FILTER_NUMBER &&
			    f->value[v].text && !ret)
				ret = read_number(m, v);
		}
	}
	return ret;
}

/**
 * vdfs_matcher_new() - get ready to compare items with a filter
 * @filter: The filter; it must stay.
 * @db: A connection inside a transaction, until vdfs_matcher_free().
 * @out: Out: the matcher; NULL when the clause of the filter decides alone.
 *
 * Return: 0 or a negative errno.
 */
int vdfs_matcher_new(const struct vdfs_filter *filter, struct sqlite3 *db,
		     struct vdfs_matcher **out)
{
	struct vdfs_matcher *m;
	int ret;

	*out = NULL;
	if (filter->exact)
		return 0;
	m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	m->filter = filter;
	m->db = db;
	m->number = calloc(filter->values + 1, sizeof(*m->number));
	m->holds = calloc(filter->tests + 1, sizeof(*m->holds));
	ret = m->number && m->holds ? read_numbers(m) : -ENOMEM;
	if (ret)
		vdfs_matcher_free(m);
	else
		*out = m;
	return ret;
}

/**
 * vdfs_matcher_free() - end comparing
 * @m: The matcher; NULL is allowed.
 */
void vdfs_matcher_free(struct vdfs_matcher *m)
{
	if (!m)
		return;
	free(m->number);
	free(m->holds);
	free(m);
}

/* An integer and another number, of which neither is rounded. */
static int order_mixed(int64_t i, double d)
{
	int64_t whole;

	if (d >= 0x1p63)
		return -1;
	if (d < -0x1p63)
		return 1;
	whole = (int64_t)d;
	if (i != whole)
		return i < whole ? -1 : 1;
	return ((double)whole > d) - ((double)whole < d);
}

static int order_numbers(const struct number *a, const struct number *b)
{
	if (a->real && b->real)
		return (a->d > b->d) - (a->d < b->d);
	if (a->real)
		return -order_mixed(b->i, a->d);
	if (b->real)
		return order_mixed(a->i, b->d);
	return (a->i > b->i) - (a->i < b->i);
}

static int order_texts(const char *a, size_t a_len, const char *b)
{
	size_t b_len = strlen(b);
	int order = memcmp(a, b, a_len < b_len ? a_len : b_len);

	return order ? order : (a_len > b_len) - (a_len < b_len);
}

static bool in_order(enum vdfs_filter_op op, int order)
{
	switch (op) {
	case VDFS_FILTER_GT:
		return order > 0;
	case VDFS_FILTER_GTE:
		return order >= 0;
	case VDFS_FILTER_LT:
		return order < 0;
	case VDFS_FILTER_LTE:
		return order <= 0;
	default:
		return !order;
	}
}

/* Whether the value of the row compares to a value of a test of its type. */
static bool compares(struct vdfs_matcher *m, struct sqlite3_stmt *st,
		     const struct vdfs_filter_test *test, size_t value)
{
	struct number number;
	const char *text;
	int order;

	if (test->type == VDFS_FILTER_NUMBER) {
		get_number(st, ATOM, &number);
		order = order_numbers(&number, &m->number[value]);
	} else {
		text = (const char *)sqlite3_column_text(st, ATOM);
		order = order_texts(text ? text : "",
				    (size_t)sqlite3_column_bytes(st, ATOM),
				    m->filter->value[value].text);
	}
	return in_order(test->op, order);
}

/* The type of the row; VDFS_FILTER_TYPES = a list or an object. */
static enum vdfs_filter_type row_type(struct sqlite3_stmt *st)
{
	static const struct {
		const char *name;
		enum vdfs_filter_type type;
	} types[] = {
		{ "text", VDFS_FILTER_TEXT },
		{ "integer", VDFS_FILTER_NUMBER },
		{ "real", VDFS_FILTER_NUMBER },
		{ "true", VDFS_FILTER_TRUE },
		{ "false", VDFS_FILTER_FALSE },
		{ "null", VDFS_FILTER_NULL },
	};
	const char *name = (const char *)sqlite3_column_text(st, TYPE);
	size_t i;

	for (i = 0; name && i < sizeof(types) / sizeof(*types); i++)
		if (!strcmp(name, types[i].name))
			return types[i].type;
	return VDFS_FILTER_TYPES;
}

/* All tests of the field whose value the row is. */
static void test_field(struct vdfs_matcher *m, struct sqlite3_stmt *st,
		       enum vdfs_filter_type type, const json_t *last)
{
	size_t i, v;

	for (i = json_integer_value(last) + 1; i;
	     i = m->filter->test[i - 1].next) {
		const struct vdfs_filter_test *test = &m->filter->test[i - 1];
		bool *holds = &m->holds[i - 1];

		if (test->type != type)
			continue;
		*holds = !test->values;
		for (v = 0; v < test->values && !*holds; v++)
			*holds = compares(m, st, test, test->value + v);
	}
}

/* The tested fields at and below the row; NULL = none. */
static json_t *fields_of(struct vdfs_matcher *m, struct sqlite3_stmt *st)
{
	json_t *around = m->level[m->levels - 1].fields;
	const char *key;

	if (!around || sqlite3_column_type(st, KEY) != SQLITE_TEXT)
		return NULL;
	key = (const char *)sqlite3_column_text(st, KEY);
	/* No field has an empty name: that of the object is its tests. */
	if (!key || !*key)
		return NULL;
	return json_object_getn(around, key,
				(size_t)sqlite3_column_bytes(st, KEY));
}

/* A value within the item; values within it come next. */
static int look_at(struct vdfs_matcher *m, struct sqlite3_stmt *st)
{
	enum vdfs_filter_type type = row_type(st);
	json_t *fields = m->filter->fields;
	json_t *last;

	if (sqlite3_column_type(st, PARENT) != SQLITE_NULL) {
		int64_t parent = sqlite3_column_int64(st, PARENT);

		while (m->levels && m->level[m->levels - 1].id != parent)
			m->levels--;
		if (!m->levels)
			return -EBADMSG;
		fields = fields_of(m, st);
	}
	if (type == VDFS_FILTER_TYPES) {
		if (m->levels == LEVELS)
			return -EBADMSG;
		m->level[m->levels].id = sqlite3_column_int64(st, ID);
		m->level[m->levels++].fields = fields;
		return 0;
	}
	last = json_object_get(fields, "");
	if (last)
		test_field(m, st, type, last);
	return 0;
}

static bool node_holds(const struct vdfs_matcher *m, size_t at)
{
	const struct vdfs_filter *f = m->filter;
	const struct vdfs_filter_node *node = &f->node[at];
	bool any = node->kind == VDFS_FILTER_ANY;

	if (node->kind == VDFS_FILTER_TEST)
		return m->holds[node->test] != f->test[node->test].negated;
	for (at++; at < node->end; at = f->node[at].end)
		if (node_holds(m, at) == any)
			return any;
	return !any;
}

/**
 * vdfs_matcher_matches() - whether an item matches the filter
 * @m: The matcher.
 * @metadata: Of the item.
 *
 * Return: 1 when it does, 0 when it does not, or a negative errno.
 */
int vdfs_matcher_matches(struct vdfs_matcher *m, const char *metadata)
{
	struct sqlite3_stmt *st;
	int ret;

	memset(m->holds, 0, m->filter->tests * sizeof(*m->holds));
	m->levels = 0;
	ret = vdfs_sql(m->db, &st,
		       "SELECT key, type, atom, id, parent FROM json_tree(?)",
		       VDFS_TEXT(metadata));
	while (!ret) {
		ret = vdfs_sql_next(st);
		if (ret <= 0)
			return ret ? ret : node_holds(m, 0);
		ret = look_at(m, st);
	}
	return ret;
}
