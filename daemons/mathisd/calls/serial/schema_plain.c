// SPDX-License-Identifier: GPL-2.0-only
/*
 * JSON Schema: keywords that hold one value against numbers and names.
 */
#include <math.h>
#include <stdio.h>

#include "schema.h"

static double number_of(const struct mathis_item *v)
{
	return v->kind == MATHIS_INT ? (double)v->i : v->f;
}

/* Compare an int with a float exactly. */
static int compare_mixed(int64_t i, double f)
{
	double whole = floor(f);

	if (f >= 9223372036854775808.0)
		return -1;
	if (f < -9223372036854775808.0)
		return 1;
	if (i != (int64_t)whole)
		return i < (int64_t)whole ? -1 : 1;
	return f > whole ? -1 : 0;
}

static int compare(const struct mathis_item *a, const struct mathis_item *b)
{
	if (a->kind == MATHIS_INT && b->kind == MATHIS_INT)
		return (a->i > b->i) - (a->i < b->i);
	if (a->kind == MATHIS_INT)
		return compare_mixed(a->i, b->f);
	if (b->kind == MATHIS_INT)
		return -compare_mixed(b->i, a->f);
	return (a->f > b->f) - (a->f < b->f);
}

static int equal_maps(struct schema *s, const struct mathis_item *a,
		      const struct mathis_item *b)
{
	int ret = FITS;

	for (uint32_t i = 0; i < a->n && !ret; i++) {
		const struct mathis_item *key = &a->items[2UL * i];
		const struct mathis_item *other = NULL;

		for (uint32_t j = 0; j < b->n && !other; j++) {
			if (schema_equal(s, key, &b->items[2UL * j]) == FITS)
				other = &b->items[2UL * j + 1];
		}
		ret = other ? schema_equal(s, key + 1, other) : MISFITS;
	}
	return ret;
}

int schema_equal(struct schema *s, const struct mathis_item *a,
		 const struct mathis_item *b)
{
	int ret = FITS;

	if (schema_charge(s, 1))
		return MD_FAILED;
	if (schema_is_number(a) && schema_is_number(b))
		return compare(a, b) ? MISFITS : FITS;
	if (schema_is_array(a) && schema_is_array(b)) {
		if (a->n != b->n)
			return MISFITS;
		for (uint32_t i = 0; i < a->n && !ret; i++)
			ret = schema_equal(s, &a->items[i], &b->items[i]);
		return ret;
	}
	if (a->kind != b->kind)
		return MISFITS;
	switch (a->kind) {
	case MATHIS_NONE:
		return FITS;
	case MATHIS_STR:
	case MATHIS_BYTES:
		return a->n == b->n && !memcmp(a->text, b->text, a->n) ?
			       FITS :
			       MISFITS;
	case MATHIS_MAP:
		return a->n == b->n ? equal_maps(s, a, b) : MISFITS;
	default:
		return a->i == b->i ? FITS : MISFITS;
	}
}

static bool is_type(const struct mathis_item *value,
		    const struct mathis_item *name)
{
	switch (value->kind) {
	case MATHIS_NONE:
		return mathis_item_is(name, "null");
	case MATHIS_BOOL:
		return mathis_item_is(name, "boolean");
	case MATHIS_STR:
		return mathis_item_is(name, "string");
	case MATHIS_MAP:
		return mathis_item_is(name, "object");
	case MATHIS_INT:
		return mathis_item_is(name, "integer") ||
		       mathis_item_is(name, "number");
	case MATHIS_FLOAT:
		return mathis_item_is(name, "number") ||
		       (mathis_item_is(name, "integer") && isfinite(value->f) &&
			value->f == floor(value->f));
	default:
		return schema_is_array(value) && mathis_item_is(name, "array");
	}
}

static bool is_type_name(const struct mathis_item *name)
{
	static const char *const names[] = { "null",   "boolean", "string",
					     "object", "integer", "number",
					     "array" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (mathis_item_is(name, names[i]))
			return true;
	}
	return false;
}

static int check_type(struct schema *s, const struct mathis_item *schema,
		      const struct mathis_item *value,
		      const struct schema_place *at)
{
	const struct mathis_item *type = mathis_item_get(schema, "type");
	bool fits = false;

	if (!type)
		return FITS;
	if (type->kind == MATHIS_STR && is_type_name(type)) {
		fits = is_type(value, type);
	} else if (type->kind == MATHIS_LIST) {
		for (uint32_t i = 0; i < type->n; i++) {
			if (!is_type_name(&type->items[i]))
				return schema_bad(s, "type");
			fits = fits || is_type(value, &type->items[i]);
		}
	} else {
		return schema_bad(s, "type");
	}
	return fits ? FITS : schema_wrong(s, at, "it has another type");
}

static int check_values(struct schema *s, const struct mathis_item *schema,
			const struct mathis_item *value,
			const struct schema_place *at)
{
	const struct mathis_item *one = mathis_item_get(schema, "const");
	const struct mathis_item *list = mathis_item_get(schema, "enum");
	int ret = one ? schema_equal(s, one, value) : FITS;

	if (ret == MISFITS)
		ret = schema_wrong(s, at, "it is not the value of const");
	if (ret == MD_FAILED || !list)
		return ret;
	if (list->kind != MATHIS_LIST)
		return schema_bad(s, "enum");
	for (uint32_t i = 0; i < list->n; i++) {
		int same = schema_equal(s, &list->items[i], value);

		if (same != MISFITS)
			return same ?: ret;
	}
	return schema_wrong(s, at, "it is none of the values of enum");
}

/* Whether a number is a multiple: exactly for ints. */
static bool is_multiple(const struct mathis_item *value,
			const struct mathis_item *of)
{
	double q;

	if (value->kind == MATHIS_INT && of->kind == MATHIS_INT)
		return value->i % of->i == 0;
	q = number_of(value) / number_of(of);
	return isfinite(q) && q == floor(q);
}

static int check_number(struct schema *s, const struct mathis_item *schema,
			const struct mathis_item *value,
			const struct schema_place *at)
{
	static const struct {
		const char *keyword;
		int sign; /* of a comparison with what the keyword says */
		bool equal;
		const char *text;
	} bounds[] = {
		{ "minimum", 1, true, "it is less than minimum" },
		{ "maximum", -1, true, "it is more than maximum" },
		{ "exclusiveMinimum", 1, false,
		  "it is not more than exclusiveMinimum" },
		{ "exclusiveMaximum", -1, false,
		  "it is not less than exclusiveMaximum" },
	};
	const struct mathis_item *of = mathis_item_get(schema, "multipleOf");
	int ret = FITS;

	for (size_t i = 0; i < sizeof(bounds) / sizeof(*bounds); i++) {
		const struct mathis_item *bound =
			mathis_item_get(schema, bounds[i].keyword);
		int order;

		if (!bound)
			continue;
		if (!schema_is_number(bound))
			return schema_bad(s, bounds[i].keyword);
		order = compare(value, bound);
		if (order == bounds[i].sign || (!order && bounds[i].equal))
			continue;
		ret = schema_wrong(s, at, bounds[i].text);
		if (ret == MD_FAILED)
			return ret;
	}
	if (!of)
		return ret;
	if (!schema_is_number(of) || !(number_of(of) > 0))
		return schema_bad(s, "multipleOf");
	return is_multiple(value, of) ?
		       ret :
		       schema_wrong(s, at, "it is no multiple");
}

/* Hold a count against two keywords. */
static int check_count(struct schema *s, const struct mathis_item *schema,
		       const char *least, const char *most, uint64_t n,
		       const struct schema_place *at)
{
	uint64_t bound;
	int ret = schema_count(s, schema, least, &bound), wrong = FITS;
	char text[64];

	if (ret == FITS && n < bound) {
		snprintf(text, sizeof(text), "it has less than %s", least);
		wrong = schema_wrong(s, at, text);
	}
	if (ret == MD_FAILED || wrong == MD_FAILED)
		return MD_FAILED;
	ret = schema_count(s, schema, most, &bound);
	if (ret == FITS && n > bound) {
		snprintf(text, sizeof(text), "it has more than %s", most);
		wrong = schema_wrong(s, at, text);
	}
	return ret == MD_FAILED ? ret : wrong;
}

static uint64_t characters(const struct mathis_item *text)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < text->n; i++)
		n += (text->text[i] & 0xc0) != 0x80;
	return n;
}

static int check_unique(struct schema *s, const struct mathis_item *schema,
			const struct mathis_item *value,
			const struct schema_place *at)
{
	const struct mathis_item *flag = mathis_item_get(schema, "uniqueItems");

	if (!flag)
		return FITS;
	if (flag->kind != MATHIS_BOOL)
		return schema_bad(s, "uniqueItems");
	for (uint32_t i = 0; flag->i && i < value->n; i++) {
		for (uint32_t j = 0; j < i; j++) {
			int same = schema_equal(s, &value->items[i],
						&value->items[j]);

			if (same == FITS)
				return schema_wrong(s, at,
						    "an element comes twice");
			if (same == MD_FAILED)
				return same;
		}
	}
	return FITS;
}

int schema_check_plain(struct schema *s, const struct mathis_item *schema,
		       const struct mathis_item *value,
		       const struct schema_place *at)
{
	int ret = check_type(s, schema, value, at);

	if (ret != MD_FAILED)
		ret |= check_values(s, schema, value, at);
	if (ret == MD_FAILED)
		return ret;
	if (schema_is_number(value))
		return ret | check_number(s, schema, value, at);
	if (value->kind == MATHIS_STR)
		return ret | check_count(s, schema, "minLength", "maxLength",
					 characters(value), at);
	if (value->kind == MATHIS_MAP)
		return ret | check_count(s, schema, "minProperties",
					 "maxProperties", value->n, at);
	if (!schema_is_array(value))
		return ret;
	ret |= check_count(s, schema, "minItems", "maxItems", value->n, at);
	return ret == MD_FAILED ? ret :
				  ret | check_unique(s, schema, value, at);
}
