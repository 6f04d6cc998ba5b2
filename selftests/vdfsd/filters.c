// SPDX-License-Identifier: GPL-2.0-only
/* Random items and filters, and which of them match. */
#include <string.h>

#include "filters.h"
#include "vectors.h"

static json_t *random_scalar(uint64_t *state)
{
	static const char *const text[] = { "",	 "1",	 "a",	     "ab",
					    "B", "true", "\xc3\xa9", "it's" };

	switch (vectors_random(state) % 6) {
	case 0:
		return json_null();
	case 1:
		return json_boolean(vectors_random(state) >> 63);
	case 2:
		return json_integer((int)(vectors_random(state) >> 61) - 3);
	case 3:
		return json_real((double)(vectors_random(state) >> 60) / 4 - 2);
	default:
		return json_string(text[vectors_random(state) >> 61]);
	}
}

/* An item, with fields that filters_random() asks for. */
json_t *filters_metadata(uint64_t *state)
{
	static const char *const field[] = { "a", "b", "it's", "x y" };
	json_t *json = json_object();
	json_t *inner = json_object();
	size_t i;

	for (i = 0; i < 4; i++) {
		switch (vectors_random(state) % 8) {
		case 0:
			break;
		case 1:
			json_object_set_new(json, field[i],
					    json_pack("[i]", 1));
			break;
		case 2:
			json_object_set_new(json, field[i],
					    json_pack("{s:i}", "n", 1));
			break;
		default:
			json_object_set_new(json, field[i],
					    random_scalar(state));
		}
	}
	json_object_set_new(inner, "n", random_scalar(state));
	json_object_set_new(json, "in", inner);
	return json;
}

static json_t *random_clause(uint64_t *state)
{
	static const char *const op[] = { "$eq", "$ne",	 "$gt", "$gte",
					  "$lt", "$lte", "$in" };
	const char *o = op[vectors_random(state) % 7];
	json_t *value = random_scalar(state);
	json_t *list;

	if (!strcmp(o, "$in")) {
		list = json_array();
		json_array_append_new(list, value);
		while (vectors_random(state) >> 62)
			json_array_append_new(list, random_scalar(state));
		return json_pack("{s:o}", o, list);
	}
	if (o[1] == 'g' || o[1] == 'l')
		while (!json_is_string(value) && !json_is_number(value)) {
			json_decref(value);
			value = random_scalar(state);
		}
	if (!strcmp(o, "$eq") && vectors_random(state) >> 63)
		return value;
	return json_pack("{s:o}", o, value);
}

static json_t *random_filter(uint64_t *state, int depth)
{
	static const char *const field[] = { "a", "b", "it's", "x y", "in.n" };
	json_t *json = json_object();
	json_t *list;

	if (depth < 3 && vectors_random(state) >> 63) {
		list = json_array();
		do {
			json_array_append_new(list,
					      random_filter(state, depth + 1));
		} while (vectors_random(state) >> 62);
		json_object_set_new(
			json, vectors_random(state) >> 63 ? "$and" : "$or",
			list);
	}
	do {
		json_object_set_new(json, field[vectors_random(state) % 5],
				    random_clause(state));
	} while (!(vectors_random(state) >> 62));
	return json;
}

json_t *filters_random(uint64_t *state)
{
	return random_filter(state, 0);
}

/* 0, or 2 when they cannot be compared; else their order in @order. */
static int compare(const json_t *a, const json_t *b, int *order)
{
	double x, y;

	if (json_is_number(a) && json_is_number(b)) {
		x = json_number_value(a);
		y = json_number_value(b);
		*order = (x > y) - (x < y);
		return 0;
	}
	if (json_typeof(a) != json_typeof(b) || json_is_object(a) ||
	    json_is_array(a))
		return 2;
	*order = json_is_string(a) ?
			 strcmp(json_string_value(a), json_string_value(b)) :
			 0;
	return 0;
}

static bool holds(const char *op, const json_t *have, json_t *want)
{
	bool comparable;
	int order = 1;
	size_t i;

	if (!strcmp(op, "$in")) {
		for (i = 0; i < json_array_size(want); i++)
			if (holds("$eq", have, json_array_get(want, i)))
				return true;
		return false;
	}
	comparable = have && !compare(have, want, &order);
	if (!strcmp(op, "$ne"))
		return !comparable || order;
	if (!comparable)
		return false;
	if (!strcmp(op, "$eq"))
		return !order;
	if (!strcmp(op, "$gt"))
		return order > 0;
	if (!strcmp(op, "$gte"))
		return order >= 0;
	return !strcmp(op, "$lt") ? order < 0 : order <= 0;
}

static bool clause_holds(json_t *metadata, const char *field, json_t *clause)
{
	const json_t *have =
		strcmp(field, "in.n") ?
			json_object_get(metadata, field) :
			json_object_get(json_object_get(metadata, "in"), "n");
	json_t *want;
	const char *op;
	size_t i;

	if (!strcmp(field, "$and") || !strcmp(field, "$or")) {
		bool any = field[1] == 'o';

		for (i = 0; i < json_array_size(clause); i++)
			if (filters_match(metadata,
					  json_array_get(clause, i)) == any)
				return any;
		return !any;
	}
	if (!json_is_object(clause))
		return holds("$eq", have, clause);
	json_object_foreach(clause, op, want)
		if (!holds(op, have, want))
			return false;
	return true;
}

/* Whether an item matches, as vdfs_search says it. */
bool filters_match(json_t *metadata, json_t *filter)
{
	const char *field;
	json_t *clause;

	json_object_foreach(filter, field, clause)
		if (!clause_holds(metadata, field, clause))
			return false;
	return true;
}
