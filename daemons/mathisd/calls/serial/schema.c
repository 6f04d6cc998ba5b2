// SPDX-License-Identifier: GPL-2.0-only
/*
 * 0x1304: JSON Schema 2020-12: keywords that apply other schemas.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "schema.h"

int schema_bad(struct schema *s, const char *keyword)
{
	return md_fail(s->c, MATHIS_FORMAT, "%s is not as a schema has it",
		       keyword);
}

int schema_charge(struct schema *s, uint64_t steps)
{
	s->steps += steps;
	if (s->steps <= SCHEMA_STEPS)
		return FITS;
	return md_fail(s->c, MATHIS_LIMIT, "more than %d steps", SCHEMA_STEPS);
}

/* The steps of a JSON pointer to a place. */
static void put_place(struct mathis_buf *b, const struct schema_place *at)
{
	if (!at)
		return;
	put_place(b, at->up);
	mathis_buf_put(b, '/', 1);
	if (!at->key) {
		mathis_buf_print(b, "%u", at->index);
		return;
	}
	for (uint32_t i = 0; i < at->key->n; i++) {
		char ch = at->key->text[i];

		if (ch == '~' || ch == '/')
			mathis_buf_add(b, ch == '~' ? "~0" : "~1", 2);
		else
			mathis_buf_put(b, (uint8_t)ch, 1);
	}
}

int schema_wrong(struct schema *s, const struct schema_place *at,
		 const char *text)
{
	struct mathis_pool *pool = &s->c->pool;
	struct mathis_buf b = { 0 };
	struct mathis_item map;

	if (s->quiet || s->errors.n == SCHEMA_ERRORS)
		return MISFITS;
	put_place(&b, at);
	map = mathis_item_seq(pool, MATHIS_MAP, 2);
	mathis_item_put(pool, &map, "path",
			mathis_item_text(pool, MATHIS_STR, b.data, b.size));
	mathis_item_put(pool, &map, "message", md_text(s->c, text));
	mathis_item_add(pool, &s->errors, map);
	mathis_buf_fini(&b);
	if (pool->bad || b.bad)
		return md_fail(s->c, MATHIS_OUT_OF_MEMORY, "no memory");
	return MISFITS;
}

int schema_count(struct schema *s, const struct mathis_item *schema,
		 const char *keyword, uint64_t *n)
{
	const struct mathis_item *v = mathis_item_get(schema, keyword);

	if (!v)
		return MISFITS;
	if (v->kind == MATHIS_INT && v->i >= 0)
		*n = (uint64_t)v->i;
	else if (v->kind == MATHIS_FLOAT && v->f >= 0 && v->f < 0x1p53 &&
		 v->f == floor(v->f))
		*n = (uint64_t)v->f;
	else
		return schema_bad(s, keyword);
	return FITS;
}

/* A keyword whose value is a map, or a list; FITS: *v is it, or NULL. */
static int get(struct schema *s, const struct mathis_item *schema,
	       const char *keyword, uint32_t kind, const struct mathis_item **v)
{
	*v = mathis_item_get(schema, keyword);
	return *v && (*v)->kind != kind ? schema_bad(s, keyword) : FITS;
}

/* Whether a value fits, without a word about why not. */
static int ask(struct schema *s, const struct mathis_item *schema,
	       const struct mathis_item *value, const struct schema_place *at)
{
	int ret;

	s->quiet++;
	ret = schema_check(s, schema, value, at);
	s->quiet--;
	return ret;
}

/* The count of the schemas of a list that fit, or MD_FAILED. */
static int count_fits(struct schema *s, const struct mathis_item *list,
		      const struct mathis_item *value,
		      const struct schema_place *at)
{
	int n = 0;

	for (uint32_t i = 0; i < list->n; i++) {
		int ret = ask(s, &list->items[i], value, at);

		if (ret == MD_FAILED)
			return ret;
		n += ret == FITS;
	}
	return n;
}

static int check_all(struct schema *s, const struct mathis_item *schema,
		     const struct mathis_item *value,
		     const struct schema_place *at)
{
	const struct mathis_item *all, *any, *one;
	int ret = FITS, n;

	if (get(s, schema, "allOf", MATHIS_LIST, &all) ||
	    get(s, schema, "anyOf", MATHIS_LIST, &any) ||
	    get(s, schema, "oneOf", MATHIS_LIST, &one))
		return MD_FAILED;
	for (uint32_t i = 0; all && i < all->n; i++) {
		n = schema_check(s, &all->items[i], value, at);
		if (n == MD_FAILED)
			return n;
		ret |= n;
	}
	n = any ? count_fits(s, any, value, at) : 1;
	if (!n)
		ret |= schema_wrong(s, at, "it fits none of anyOf");
	if (n == MD_FAILED || ret == MD_FAILED)
		return MD_FAILED;
	n = one ? count_fits(s, one, value, at) : 1;
	if (n == MD_FAILED)
		return n;
	if (n == 1)
		return ret;
	return schema_wrong(s, at,
			    n ? "it fits more than one of oneOf" :
				"it fits none of oneOf");
}

/* not, if, then, else */
static int check_if(struct schema *s, const struct mathis_item *schema,
		    const struct mathis_item *value,
		    const struct schema_place *at)
{
	const struct mathis_item *no = mathis_item_get(schema, "not");
	const struct mathis_item *cond = mathis_item_get(schema, "if");
	const struct mathis_item *next;
	int ret = no ? ask(s, no, value, at) : MISFITS;

	if (ret == FITS)
		ret = schema_wrong(s, at, "it fits what it must not");
	else if (ret == MISFITS)
		ret = FITS;
	if (ret == MD_FAILED || !cond)
		return ret;
	switch (ask(s, cond, value, at)) {
	case FITS:
		next = mathis_item_get(schema, "then");
		break;
	case MISFITS:
		next = mathis_item_get(schema, "else");
		break;
	default:
		return MD_FAILED;
	}
	if (next) {
		int more = schema_check(s, next, value, at);

		ret = more == MD_FAILED ? more : ret | more;
	}
	return ret;
}

/* contains, minContains, maxContains */
static int check_contains(struct schema *s, const struct mathis_item *schema,
			  const struct mathis_item *value,
			  const struct schema_place *at)
{
	const struct mathis_item *one = mathis_item_get(schema, "contains");
	uint64_t n = 0, least = 1, most = UINT64_MAX;

	if (!one)
		return FITS;
	if (schema_count(s, schema, "minContains", &least) == MD_FAILED ||
	    schema_count(s, schema, "maxContains", &most) == MD_FAILED)
		return MD_FAILED;
	for (uint32_t i = 0; i < value->n; i++) {
		int ret = ask(s, one, &value->items[i], at);

		if (ret == MD_FAILED)
			return ret;
		n += ret == FITS;
	}
	return n >= least && n <= most ?
		       FITS :
		       schema_wrong(
			       s, at,
			       "too few or too many elements fit contains");
}

static int check_array(struct schema *s, const struct mathis_item *schema,
		       const struct mathis_item *value,
		       const struct schema_place *at)
{
	const struct mathis_item *rest = mathis_item_get(schema, "items");
	const struct mathis_item *first;
	int ret = FITS;

	if (get(s, schema, "prefixItems", MATHIS_LIST, &first))
		return MD_FAILED;
	for (uint32_t i = 0; i < value->n; i++) {
		const struct mathis_item *of =
			first && i < first->n ? &first->items[i] : rest;
		struct schema_place here = { .up = at, .index = i };
		int one = of ? schema_check(s, of, &value->items[i], &here) :
			       FITS;

		if (one == MD_FAILED)
			return one;
		ret |= one;
	}
	return ret | check_contains(s, schema, value, at);
}

static const struct mathis_item *member(const struct mathis_item *map,
					const struct mathis_item *key)
{
	for (uint32_t i = 0; map && i < map->n; i++) {
		const struct mathis_item *k = &map->items[2UL * i];

		if (k->kind == MATHIS_STR && key->kind == MATHIS_STR &&
		    k->n == key->n && !memcmp(k->text, key->text, k->n))
			return k + 1;
	}
	return NULL;
}

/* Whether an object has all keys of a list. */
static int check_required(struct schema *s, const struct mathis_item *list,
			  const struct mathis_item *value,
			  const struct schema_place *at)
{
	int ret = FITS;

	if (list && list->kind != MATHIS_LIST)
		return schema_bad(s, "required");
	if (list && schema_charge(s, (uint64_t)list->n * value->n / 16))
		return MD_FAILED;
	for (uint32_t i = 0; list && i < list->n; i++) {
		struct schema_place here = { .up = at, .key = &list->items[i] };

		if (here.key->kind != MATHIS_STR)
			return schema_bad(s, "required");
		if (member(value, here.key))
			continue;
		ret = schema_wrong(s, &here, "it is missing");
		if (ret == MD_FAILED)
			return ret;
	}
	return ret;
}

/* dependentRequired, dependentSchemas */
static int check_dependent(struct schema *s, const struct mathis_item *schema,
			   const struct mathis_item *value,
			   const struct schema_place *at)
{
	const struct mathis_item *names, *schemas;
	int ret = FITS, more;

	if (get(s, schema, "dependentRequired", MATHIS_MAP, &names) ||
	    get(s, schema, "dependentSchemas", MATHIS_MAP, &schemas) ||
	    (names && schema_charge(s, (uint64_t)names->n * value->n / 16)) ||
	    (schemas && schema_charge(s, (uint64_t)schemas->n * value->n / 16)))
		return MD_FAILED;
	for (uint32_t i = 0; names && i < names->n; i++) {
		if (!member(value, &names->items[2UL * i]))
			continue;
		more = check_required(s, &names->items[2UL * i + 1], value, at);
		if (more == MD_FAILED)
			return more;
		ret |= more;
	}
	for (uint32_t i = 0; schemas && i < schemas->n; i++) {
		if (!member(value, &schemas->items[2UL * i]))
			continue;
		more = schema_check(s, &schemas->items[2UL * i + 1], value, at);
		if (more == MD_FAILED)
			return more;
		ret |= more;
	}
	return ret;
}

static int check_object(struct schema *s, const struct mathis_item *schema,
			const struct mathis_item *value,
			const struct schema_place *at)
{
	const struct mathis_item *rest =
		mathis_item_get(schema, "additionalProperties");
	const struct mathis_item *names =
		mathis_item_get(schema, "propertyNames");
	const struct mathis_item *of;
	int ret = check_required(s, mathis_item_get(schema, "required"), value,
				 at);
	int more = ret == MD_FAILED ? ret :
				      check_dependent(s, schema, value, at);

	if (more == MD_FAILED || get(s, schema, "properties", MATHIS_MAP, &of))
		return MD_FAILED;
	ret |= more;
	if (of && schema_charge(s, (uint64_t)of->n * value->n / 16))
		return MD_FAILED;
	for (uint32_t i = 0; i < value->n; i++) {
		const struct mathis_item *key = &value->items[2UL * i];
		const struct mathis_item *one = member(of, key) ?: rest;
		struct schema_place here = { .up = at, .key = key };

		if (key->kind != MATHIS_STR)
			return md_fail(s->c, MATHIS_UNSUPPORTED,
				       "a key is no text");
		more = one ? schema_check(s, one, key + 1, &here) : FITS;
		if (more != MD_FAILED && names)
			more |= schema_check(s, names, key, &here);
		if (more == MD_FAILED)
			return more;
		ret |= more;
	}
	return ret;
}

/* The schema that "#", "#/a/b" or "#anchor" names, or NULL, reported. */
static const struct mathis_item *find(struct schema *s,
				      const struct mathis_item *ref)
{
	const struct mathis_item *at = s->root;
	const char *p = ref->text, *end = p + ref->n;
	char key[256];

	if (ref->kind != MATHIS_STR || !ref->n || *p != '#') {
		md_fail(s->c, MATHIS_UNSUPPORTED,
			"a reference leads out of the schema");
		return NULL;
	}
	for (p++; at && p < end;) {
		size_t n = 0;

		if (*p++ != '/')
			at = NULL;
		while (p < end && *p != '/' && n < sizeof(key) - 1) {
			bool escaped = *p == '~' && p + 1 < end &&
				       (p[1] == '0' || p[1] == '1');

			key[n++] = !escaped ? *p : p[1] == '0' ? '~' : '/';
			p += 1 + escaped;
		}
		key[n] = 0;
		if (at && at->kind == MATHIS_MAP)
			at = mathis_item_get(at, key);
		else if (at && at->kind == MATHIS_LIST && n &&
			 strspn(key, "0123456789") == n && n < 9 &&
			 (uint32_t)atoi(key) < at->n)
			at = &at->items[atoi(key)];
		else
			at = NULL;
	}
	if (!at)
		md_fail(s->c, MATHIS_NOT_FOUND, "no schema is at \"%.*s\"",
			ref->n < 100 ? (int)ref->n : 100, ref->text);
	return at;
}

static int check_keywords(struct schema *s, const struct mathis_item *schema)
{
	static const char *const missing[] = {
		"pattern",	 "patternProperties",	  "$dynamicRef",
		"$recursiveRef", "unevaluatedProperties", "unevaluatedItems",
	};

	for (size_t i = 0; i < sizeof(missing) / sizeof(*missing); i++) {
		if (mathis_item_get(schema, missing[i]))
			return md_fail(s->c, MATHIS_UNSUPPORTED,
				       "the keyword %s is not supported",
				       missing[i]);
	}
	return FITS;
}

static int check_map(struct schema *s, const struct mathis_item *schema,
		     const struct mathis_item *value,
		     const struct schema_place *at)
{
	const struct mathis_item *ref = mathis_item_get(schema, "$ref");
	int ret = FITS;

	if (check_keywords(s, schema))
		return MD_FAILED;
	if (ref) {
		ref = find(s, ref);
		ret = ref ? schema_check(s, ref, value, at) : MD_FAILED;
	}
	if (ret != MD_FAILED)
		ret |= schema_check_plain(s, schema, value, at);
	if (ret != MD_FAILED)
		ret |= check_all(s, schema, value, at);
	if (ret != MD_FAILED)
		ret |= check_if(s, schema, value, at);
	if (ret != MD_FAILED && schema_is_array(value))
		ret |= check_array(s, schema, value, at);
	if (ret != MD_FAILED && value->kind == MATHIS_MAP)
		ret |= check_object(s, schema, value, at);
	return ret;
}

int schema_check(struct schema *s, const struct mathis_item *schema,
		 const struct mathis_item *value, const struct schema_place *at)
{
	int ret;

	if (schema->kind == MATHIS_BOOL)
		return schema->i ? FITS :
				   schema_wrong(s, at, "nothing may be here");
	if (schema->kind != MATHIS_MAP)
		return md_fail(s->c, MATHIS_FORMAT,
			       "a schema is a map or a bool");
	if (schema_charge(s, 1 + schema->n / 8) || md_stopped(s->c))
		return MD_FAILED;
	if (s->depth == SCHEMA_DEPTH)
		return md_fail(s->c, MATHIS_LIMIT,
			       "schemas nest deeper than %d", SCHEMA_DEPTH);
	s->depth++;
	ret = check_map(s, schema, value, at);
	s->depth--;
	return ret;
}

int md_json_schema_validate(struct md_call *c)
{
	struct schema s = { .c = c, .root = &c->args[1] };
	struct mathis_item map;
	int ret;

	s.errors = mathis_item_seq(&c->pool, MATHIS_LIST, 4);
	ret = schema_check(&s, s.root, &c->args[0], NULL);
	if (ret == MD_FAILED)
		return ret;
	map = mathis_item_seq(&c->pool, MATHIS_MAP, 2);
	mathis_item_put(&c->pool, &map, "valid", mathis_item_bool(ret == FITS));
	mathis_item_put(&c->pool, &map, "errors", s.errors);
	return md_return(c, map);
}
