// SPDX-License-Identifier: GPL-2.0-only
/* Reading filters; see filter_impl.h. */
#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "filter_impl.h"

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

static int read_filter(struct parser *p, json_t *json);

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

/* An array with room for one more than @n; it grows at the powers of two. */
static void *room_for(void *array, size_t n, size_t size)
{
	if (n & (n - 1))
		return array;
	return reallocarray(array, n ? 2 * n : 1, size);
}

static int begin_node(struct parser *p, enum vdfs_filter_kind kind, size_t *at)
{
	struct vdfs_filter *f = p->filter;
	struct vdfs_filter_node *more;

	more = room_for(f->node, f->nodes, sizeof(*more));
	if (!more)
		return -ENOMEM;
	f->node = more;
	*at = f->nodes++;
	f->node[*at] = (struct vdfs_filter_node){
		.kind = kind,
		.end = f->nodes,
	};
	return 0;
}

static void end_node(struct parser *p, size_t at)
{
	p->filter->node[at].end = p->filter->nodes;
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

static int add_value(struct parser *p, const json_t *json)
{
	struct vdfs_filter *f = p->filter;
	struct vdfs_filter_value *more;
	struct vdfs_filter_value value = {
		.number = json_integer_value(json),
	};

	more = room_for(f->value, f->values, sizeof(*more));
	if (!more)
		return -ENOMEM;
	f->value = more;
	if (!json_is_integer(json)) {
		value.text = json_is_real(json) ?
				     real_text(json_real_value(json)) :
				     strdup(json_string_value(json));
		if (!value.text)
			return -ENOMEM;
	}
	f->value[f->values++] = value;
	f->test[f->tests - 1].values++;
	return 0;
}

static enum vdfs_filter_type type_of(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_STRING:
		return VDFS_FILTER_TEXT;
	case JSON_INTEGER:
	case JSON_REAL:
		return VDFS_FILTER_NUMBER;
	case JSON_TRUE:
		return VDFS_FILTER_TRUE;
	case JSON_FALSE:
		return VDFS_FILTER_FALSE;
	default:
		return VDFS_FILTER_NULL;
	}
}

static int begin_test(struct parser *p, const struct vdfs_filter_test *test)
{
	struct vdfs_filter *f = p->filter;
	struct vdfs_filter_test *more;
	char *field;
	size_t at;
	int ret;

	ret = begin_node(p, VDFS_FILTER_TEST, &at);
	if (ret)
		return ret;
	more = room_for(f->test, f->tests, sizeof(*more));
	if (!more)
		return -ENOMEM;
	f->test = more;
	field = strdup(test->field);
	if (!field)
		return -ENOMEM;
	f->node[at].test = f->tests;
	f->test[f->tests] = *test;
	f->test[f->tests].field = field;
	f->test[f->tests++].value = f->values;
	return 0;
}

/* The members of the list that are of the type of the test. */
static int add_test(struct parser *p, const struct vdfs_filter_test *test,
		    json_t *list)
{
	json_t *value;
	size_t i;
	int ret;

	ret = begin_test(p, test);
	if (test->type != VDFS_FILTER_TEXT && test->type != VDFS_FILTER_NUMBER)
		return ret;
	json_array_foreach(list, i, value)
		if (!ret && type_of(value) == test->type)
			ret = add_value(p, value);
	return ret;
}

static bool is_scalar(const json_t *value)
{
	return !json_is_object(value) && !json_is_array(value);
}

/* One test for each type that is in the list. */
static int add_in(struct parser *p, const char *field, json_t *list)
{
	bool seen[VDFS_FILTER_TYPES] = { false };
	struct vdfs_filter_test test = { .field = (char *)field };
	json_t *value;
	size_t i, at;
	int ret;

	json_array_foreach(list, i, value)
		seen[type_of(value)] = true;
	ret = begin_node(p, VDFS_FILTER_ANY, &at);
	if (ret)
		return ret;
	for (; test.type < VDFS_FILTER_TYPES && !ret; test.type++)
		if (seen[test.type])
			ret = add_test(p, &test, list);
	end_node(p, at);
	return ret;
}

static int read_in(struct parser *p, const char *field, json_t *list)
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
	return add_in(p, field, list);
}

static int read_one(struct parser *p, struct vdfs_filter_test *test,
		    json_t *value)
{
	int ret;

	test->type = type_of(value);
	ret = begin_test(p, test);
	if (!ret && (test->type == VDFS_FILTER_TEXT ||
		     test->type == VDFS_FILTER_NUMBER))
		ret = add_value(p, value);
	return ret;
}

/* {"$op": value} of a field. */
static int read_op(struct parser *p, const char *field, const char *op,
		   json_t *value)
{
	static const char *const order[] = {
		[VDFS_FILTER_GT] = "$gt",
		[VDFS_FILTER_GTE] = "$gte",
		[VDFS_FILTER_LT] = "$lt",
		[VDFS_FILTER_LTE] = "$lte",
	};
	struct vdfs_filter_test test = { .field = (char *)field };

	if (!strcmp(op, "$in"))
		return read_in(p, field, value);
	test.negated = !strcmp(op, "$ne");
	if (test.negated || !strcmp(op, "$eq")) {
		if (!is_scalar(value))
			return refuse(
				p,
				"\"%.64s\": neither objects nor lists can be compared",
				field);
		return read_one(p, &test, value);
	}
	for (test.op = VDFS_FILTER_GT; test.op <= VDFS_FILTER_LTE; test.op++)
		if (!strcmp(op, order[test.op]))
			break;
	if (test.op > VDFS_FILTER_LTE)
		return refuse(p, "\"%.64s\": there is no operator \"%.32s\"",
			      field, op);
	if (!json_is_number(value) && !json_is_string(value))
		return refuse(p, "\"%.64s\": %s wants a number or a string",
			      field, op);
	return read_one(p, &test, value);
}

/* {"field": {"$op": value, ...}}, or {"field": value}. */
static int read_field(struct parser *p, const char *field, json_t *json)
{
	const char *wrong = vdfs_filter_wrong_field(field);
	const char *op;
	json_t *value;
	size_t at = 0;
	size_t n = json_object_size(json);
	int ret = 0;

	if (wrong)
		return refuse(p, "\"%.64s\": %s", field, wrong);
	if (!json_is_object(json))
		return read_op(p, field, "$eq", json);
	if (!n)
		return refuse(p, "\"%.64s\": an operator is missing", field);
	if (n > 1)
		ret = begin_node(p, VDFS_FILTER_ALL, &at);
	json_object_foreach(json, op, value)
		if (!ret)
			ret = read_op(p, field, op, value);
	if (n > 1 && !ret)
		end_node(p, at);
	return ret;
}

static int read_list(struct parser *p, enum vdfs_filter_kind kind,
		     const char *op, json_t *list)
{
	json_t *value;
	size_t i;
	size_t at = 0;
	size_t n = json_array_size(list);
	int ret = 0;

	if (!n)
		return refuse(p, "%s wants a list of at least one filter", op);
	if (n > 1)
		ret = begin_node(p, kind, &at);
	json_array_foreach(list, i, value)
		if (!ret)
			ret = read_filter(p, value);
	if (n > 1 && !ret)
		end_node(p, at);
	return ret;
}

static int read_member(struct parser *p, const char *name, json_t *value)
{
	if (!strcmp(name, "$and"))
		return read_list(p, VDFS_FILTER_ALL, name, value);
	if (!strcmp(name, "$or"))
		return read_list(p, VDFS_FILTER_ANY, name, value);
	return read_field(p, name, value);
}

static int read_filter(struct parser *p, json_t *json)
{
	const char *name;
	json_t *value;
	size_t at = 0;
	size_t n = json_object_size(json);
	int ret = 0;

	if (!json_is_object(json))
		return refuse(p, "a filter is an object: {\"field\": value}");
	if (n && p->depth == VDFS_FILTER_DEPTH)
		return refuse(p, "more than %d filters inside each other",
			      VDFS_FILTER_DEPTH);
	if (n != 1)
		ret = begin_node(p, VDFS_FILTER_ALL, &at);
	p->depth++;
	json_object_foreach(json, name, value)
		if (!ret)
			ret = read_member(p, name, value);
	p->depth--;
	if (n != 1 && !ret)
		end_node(p, at);
	return ret;
}

static int read_all(struct parser *p, json_t *root)
{
	int ret;

	p->filter = calloc(1, sizeof(*p->filter));
	if (!p->filter)
		return -ENOMEM;
	ret = read_filter(p, root);
	if (!ret)
		ret = vdfs_filter_clause(p->filter);
	if (!ret && !p->filter->exact)
		ret = vdfs_filter_fields(p->filter);
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
	ret = read_all(&p, root);
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
	for (i = 0; i < filter->tests; i++)
		free(filter->test[i].field);
	for (i = 0; i < filter->values; i++)
		free(filter->value[i].text);
	json_decref(filter->fields);
	free(filter->node);
	free(filter->test);
	free(filter->value);
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
