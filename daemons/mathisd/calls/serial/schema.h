/* SPDX-License-Identifier: GPL-2.0-only */
/* JSON Schema: a value against a schema, between its files. */
#ifndef MATHISD_CALLS_SERIAL_SCHEMA_H
#define MATHISD_CALLS_SERIAL_SCHEMA_H

#include "serial.h"

#define SCHEMA_DEPTH 256 /* of schemas in schemas, references too */
#define SCHEMA_STEPS 1000000 /* keywords that are applied, values compared */
#define SCHEMA_ERRORS 100

/* Where a value is: a key or an index below another place. */
struct schema_place {
	const struct schema_place *up;
	const struct mathis_item *key; /* NULL: @index */
	uint32_t index;
};

struct schema {
	struct md_call *c;
	const struct mathis_item *root;
	uint64_t steps;
	int depth;
	int quiet; /* in a schema whose errors are not those of the value */
	struct mathis_item errors;
};

/* Answers; MD_FAILED, which was reported, has all bits: so answers are or-ed. */
enum { FITS = 0, MISFITS = 1 };

/* Count steps: FITS, or MD_FAILED where they are too many. */
int schema_charge(struct schema *s, uint64_t steps);

/* Hold a value against a schema. */
int schema_check(struct schema *s, const struct mathis_item *schema,
		 const struct mathis_item *value,
		 const struct schema_place *at);
/* The keywords that need no other schema. */
int schema_check_plain(struct schema *s, const struct mathis_item *schema,
		       const struct mathis_item *value,
		       const struct schema_place *at);
/* Note what is wrong at a place: MISFITS or MD_FAILED. */
int schema_wrong(struct schema *s, const struct schema_place *at,
		 const char *text);
/* Whether two values are equal as JSON: FITS, MISFITS or MD_FAILED. */
int schema_equal(struct schema *s, const struct mathis_item *a,
		 const struct mathis_item *b);
/* A schema that is none. */
int schema_bad(struct schema *s, const char *keyword);
/* A number that is not negative, of a keyword: FITS; MISFITS: it is missing. */
int schema_count(struct schema *s, const struct mathis_item *schema,
		 const char *keyword, uint64_t *n);

static inline bool schema_is_number(const struct mathis_item *v)
{
	return v->kind == MATHIS_INT || v->kind == MATHIS_FLOAT;
}

/* Tuples and sets are arrays, as json_stringify writes them. */
static inline bool schema_is_array(const struct mathis_item *v)
{
	return v->kind == MATHIS_LIST || v->kind == MATHIS_TUPLE ||
	       v->kind == MATHIS_SET;
}

#endif
