/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFS_FILTER_H
#define VDFS_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collection.h"

/**
 * DOC: Filters
 *
 * A filter (see struct vdfs_search) is read into a list of nodes. From these a
 * WHERE clause over a column "metadata" is made. Values are bound, never written
 * into the text; names of fields are quoted, and those that cannot be are
 * refused. The value of a field and its JSON type are compared together, so that
 * 1, "1" and true are three things.
 *
 * SQLite looks for a field in all of an item, and for the next one again. So the
 * clause has VDFS_FILTER_CLAUSE nodes at most. Of a longer filter it lets
 * through all that matches and more: a part without room in the clause counts as
 * true there. Each item that it lets through is then read once, field by field, and
 * compared with all tests of a field at once (vdfs_matcher_matches()): that
 * takes as long as an item has fields, and as the filter has tests. Numbers are
 * read by SQLite there too, so both ways give the same answers.
 *
 * Where fields are indexed (field.c), a second clause over rows of these says
 * which items can match at all (vdfs_drive_new()).
 */

struct sqlite3;
struct sqlite3_stmt;
struct json_t;

#define VDFS_FILTER_DEPTH 32 /* filters inside filters */
#define VDFS_FILTER_CLAUSE 24
#define VDFS_FIELD_MAX 255

/**
 * struct vdfs_filter_value - what fields are compared with
 * @text: A string, or a real number as JSON; NULL for an integer.
 * @number: The integer.
 */
struct vdfs_filter_value {
	char *text;
	int64_t number;
};

enum vdfs_filter_type {
	VDFS_FILTER_TEXT,
	VDFS_FILTER_NUMBER,
	VDFS_FILTER_TRUE,
	VDFS_FILTER_FALSE,
	VDFS_FILTER_NULL,
	VDFS_FILTER_TYPES,
};

enum vdfs_filter_op {
	VDFS_FILTER_EQ,
	VDFS_FILTER_GT,
	VDFS_FILTER_GTE,
	VDFS_FILTER_LT,
	VDFS_FILTER_LTE,
};

/**
 * struct vdfs_filter_test - one field, compared with values of one type
 * @field: Its name or path.
 * @op: Between the field and the value.
 * @negated: Whether the test is that this does not hold.
 * @type: Of the values.
 * @value: Index of the first value.
 * @values: Values; of more than one the field is equal to any. 0 for true, false
 *          and null.
 * @next: Index of another test of the same field, plus 1; 0 = none. Only of a
 *        filter whose clause is not exact.
 */
struct vdfs_filter_test {
	char *field;
	enum vdfs_filter_op op;
	bool negated;
	enum vdfs_filter_type type;
	size_t value;
	size_t values;
	size_t next;
};

enum vdfs_filter_kind {
	VDFS_FILTER_ALL,
	VDFS_FILTER_ANY,
	VDFS_FILTER_TEST,
};

/**
 * struct vdfs_filter_node - a part of a filter; the parts within it follow
 * @kind: All of the parts within hold, or any of them; or it is a test.
 * @end: Index of the node behind the last part within.
 * @test: Index of the test.
 */
struct vdfs_filter_node {
	enum vdfs_filter_kind kind;
	size_t end;
	size_t test;
};

/**
 * struct vdfs_filter - a filter that was read; it does not change any more
 * @node: shape [@nodes]; the first one is all of it.
 * @nodes: How many.
 * @test: shape [@tests].
 * @tests: How many.
 * @value: shape [@values].
 * @values: How many.
 * @sql: The clause.
 * @len: Its length.
 * @room: Of @sql, in bytes.
 * @bound: Tests in @sql, in the order of their marks.
 * @bounds: How many.
 * @exact: The clause decides; else vdfs_matcher_matches() does.
 * @fields: Unless @exact: fields that are tested, an object within an object
 *          for each part of a path. The member "" is the index of the last test.
 */
struct vdfs_filter {
	struct vdfs_filter_node *node;
	size_t nodes;
	struct vdfs_filter_test *test;
	size_t tests;
	struct vdfs_filter_value *value;
	size_t values;
	char *sql;
	size_t len;
	size_t room;
	size_t bound[VDFS_FILTER_CLAUSE];
	size_t bounds;
	bool exact;
	struct json_t *fields;
};

/* filter_sql.c */
int vdfs_filter_clause(struct vdfs_filter *filter);
const char *vdfs_filter_sql(const struct vdfs_filter *filter);
int vdfs_filter_bind(const struct vdfs_filter *filter,
		     struct sqlite3_stmt *stmt, int first);
int vdfs_filter_bind_tests(const struct vdfs_filter *filter,
			   const size_t *bound, size_t bounds,
			   struct sqlite3_stmt *stmt, int *first);
char *vdfs_filter_path(const char *field);
const char *vdfs_filter_wrong_field(const char *field);

/* filter_match.c */
struct vdfs_matcher;
int vdfs_filter_fields(struct vdfs_filter *filter);
int vdfs_matcher_new(const struct vdfs_filter *filter, struct sqlite3 *db,
		     struct vdfs_matcher **out);
int vdfs_matcher_matches(struct vdfs_matcher *m, const char *metadata);
void vdfs_matcher_free(struct vdfs_matcher *m);

/**
 * struct vdfs_field - an indexed field
 * @id: Its number.
 * @name: Its name or path.
 */
struct vdfs_field {
	int64_t id;
	char *name;
};

/**
 * struct vdfs_fields - the indexed fields of a collection
 * @field: shape [n].
 * @n: How many.
 */
struct vdfs_fields {
	struct vdfs_field *field;
	size_t n;
};

/**
 * struct vdfs_drive - what indexed fields say about a filter
 * @sql: Clause over rows of field_value, true for one of each item that can
 *       match; NULL = they say nothing.
 * @bound: Tests in @sql, in the order of their marks.
 * @bounds: How many.
 * @alone: The items of these rows match, each has one row, and no other does.
 */
struct vdfs_drive {
	char *sql;
	size_t bound[VDFS_FILTER_CLAUSE];
	size_t bounds;
	bool alone;
};

/* filter_drive.c */
int vdfs_drive_new(const struct vdfs_filter *filter,
		   const struct vdfs_fields *fields, struct vdfs_drive *out);
void vdfs_drive_free(struct vdfs_drive *drive);

#endif /* VDFS_FILTER_H */
