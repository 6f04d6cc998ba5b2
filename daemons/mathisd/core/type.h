/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Types of arguments and results, as mathis/calls.h writes them.
 */
#ifndef MATHISD_CORE_TYPE_H
#define MATHISD_CORE_TYPE_H

#include <mathis/item.h>

#define MD_ANY 0xff /* a kind that fits every value */

/**
 * struct md_type - a type, or one alternative of a type
 * @kind: Of enum mathis_value_kind, or MD_ANY.
 * @handle: Kind of a handle; 0: any.
 * @optional: Or none.
 * @missing: An argument that may be missing.
 * @min: The least int, or bytes or items of others.
 * @max: The most.
 * @name: Name of an argument or key, not terminated.
 * @name_len: Its bytes.
 * @other: The next alternative.
 * @of: The first type inside: the element, the keys, the parts of a tuple.
 * @exact: @of lists all parts or keys.
 * @next: The type behind it in the same list.
 * @value: Of an argument that is missing.
 */
struct md_type {
	uint8_t kind;
	uint8_t handle;
	bool optional;
	bool missing;
	bool exact;
	int64_t min;
	int64_t max;
	const char *name;
	uint32_t name_len;
	struct md_type *other;
	struct md_type *of;
	struct md_type *next;
	struct mathis_item value;
};

/* Why a value does not fit. */
struct md_misfit {
	int code; /* of enum mathis_code */
	char text[160];
};

/*
 * Read a type, or the types of arguments, into a pool. Return the types; NULL
 * when it is empty, or on an error: then *@at is where it stands, else NULL.
 */
struct md_type *md_type_args(struct mathis_pool *pool, const char *text,
			     const char **at);
struct md_type *md_type_read(struct mathis_pool *pool, const char *text,
			     const char **at);

/* Whether a value fits; else @misfit tells why. */
bool md_type_fits(const struct md_type *type, const struct mathis_item *item,
		  struct md_misfit *misfit);

const char *md_item_kind(const struct mathis_item *item);

#endif
