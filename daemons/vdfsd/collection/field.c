// SPDX-License-Identifier: GPL-2.0-only
/*
 * Indexed fields. A row of field_value for each item that has such a field with
 * a value that can be compared: the value, behind its kind, which is eight times
 * the number of the field and 1 for a number, 2 for a string, 3 for true, 4 for
 * false, 5 for null. They are in one table for all collections: the index of one
 * user is neither in the schema that others read, nor updated when they write.
 * Their owner is charged for them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "collection_impl.h"

/* Damaged metadata has no fields: then it can still be replaced and deleted. */
#define METADATA "CASE WHEN json_valid(metadata) THEN metadata END"

/* Values of items from ?2 to ?3 for the fields that match. */
#define VALUES(fields)                                                    \
	"SELECT kind, ifnull(value, 0), item FROM\n"                      \
	" (SELECT field.id * 8 + CASE json_type(" METADATA ", path)\n"    \
	"  WHEN 'integer' THEN 1 WHEN 'real' THEN 1 WHEN 'text' THEN 2\n" \
	"  WHEN 'true' THEN 3 WHEN 'false' THEN 4 WHEN 'null' THEN 5\n"   \
	"  END AS kind, json_extract(" METADATA ", path) AS value,\n"     \
	"  item.id AS item FROM field CROSS JOIN item\n"                  \
	"  WHERE " fields " AND item.id >= ?2 AND item.id <= ?3\n"        \
	"  AND +item.collection = field.collection)\n"                    \
	" WHERE kind IS NOT NULL"

#define STORE(fields)                                                    \
	"INSERT OR IGNORE INTO field_value(kind, value, item)\n" VALUES( \
		fields) "\n RETURNING " VDFS_VALUE_COST

/* Rows that a statement has made, or taken away where @n is -1. */
static int count(struct sqlite3_stmt *st, int n, struct vdfs_usage *more)
{
	int ret;

	while ((ret = vdfs_sql_next(st)) > 0) {
		more->n += n;
		more->bytes += n * sqlite3_column_int64(st, 0);
	}
	return ret;
}

/**
 * vdfs_fields_store() - note the fields of items that were written
 * @db: A connection inside a transaction.
 * @collection: Their collection.
 * @from: Row of the first one.
 * @to: Row of the last one.
 * @more: The values that are noted are added to it.
 *
 * Context: Inside a vdfs_meta_fn that writes.
 * Return: 0 or a negative errno.
 */
int vdfs_fields_store(struct sqlite3 *db, int64_t collection, int64_t from,
		      int64_t to, struct vdfs_usage *more)
{
	struct sqlite3_stmt *st;
	int ret;

	ret = vdfs_sql(db, &st, STORE("field.collection = ?1"),
		       VDFS_INT(collection), VDFS_INT(from), VDFS_INT(to));
	return ret ? ret : count(st, 1, more);
}

/**
 * vdfs_fields_forget() - forget the fields of items that are about to change
 * @db: A connection inside a transaction.
 * @collection: Their collection.
 * @from: Row of the first one.
 * @to: Row of the last one.
 * @more: The values that go are taken from it.
 *
 * Context: Inside a vdfs_meta_fn that writes.
 * Return: 0 or a negative errno.
 */
int vdfs_fields_forget(struct sqlite3 *db, int64_t collection, int64_t from,
		       int64_t to, struct vdfs_usage *more)
{
	struct sqlite3_stmt *st;
	int ret;

	ret = vdfs_sql(
		db, &st,
		"DELETE FROM field_value\n"
		" WHERE (kind, value, item) IN (" VALUES(
			"field.collection = ?1") ")\n"
						 " RETURNING " VDFS_VALUE_COST,
		VDFS_INT(collection), VDFS_INT(from), VDFS_INT(to));
	return ret ? ret : count(st, -1, more);
}

/**
 * vdfs_field_store() - note one field of items, where that was not done yet
 * @db: A connection inside a transaction.
 * @field: Number of the field.
 * @from: Row of the first item.
 * @to: Row of the last one.
 * @more: The values that are noted are added to it.
 *
 * Context: Inside a vdfs_meta_fn that writes.
 * Return: 0 or a negative errno.
 */
int vdfs_field_store(struct sqlite3 *db, int64_t field, int64_t from,
		     int64_t to, struct vdfs_usage *more)
{
	struct sqlite3_stmt *st;
	int ret;

	ret = vdfs_sql(db, &st, STORE("field.id = ?1"), VDFS_INT(field),
		       VDFS_INT(from), VDFS_INT(to));
	return ret ? ret : count(st, 1, more);
}

/**
 * vdfs_field_drop() - forget some values of a field
 * @db: A connection inside a transaction.
 * @field: Number of the field.
 * @most: How many.
 * @more: The values that go are taken from it.
 *
 * Context: Inside a vdfs_meta_fn that writes.
 * Return: 0 or a negative errno.
 */
int vdfs_field_drop(struct sqlite3 *db, int64_t field, int64_t most,
		    struct vdfs_usage *more)
{
	struct sqlite3_stmt *st;
	int ret;

	ret = vdfs_sql(db, &st,
		       "DELETE FROM field_value\n"
		       " WHERE (kind, value, item) IN\n"
		       " (SELECT kind, value, item FROM field_value\n"
		       "  WHERE kind >= ?1 AND kind < ?1 + 8 LIMIT ?2)\n"
		       " RETURNING " VDFS_VALUE_COST,
		       VDFS_INT(field * 8), VDFS_INT(most));
	return ret ? ret : count(st, -1, more);
}

/**
 * vdfs_fields_load() - find out by which fields a filter may search
 * @db: A connection inside a transaction.
 * @collection: Number of the collection.
 * @out: Out, to be given to vdfs_fields_free() whatever is returned.
 *
 * Context: Inside a vdfs_meta_fn.
 * Return: 0 or a negative errno.
 */
int vdfs_fields_load(struct sqlite3 *db, int64_t collection,
		     struct vdfs_fields *out)
{
	struct sqlite3_stmt *st;
	struct vdfs_field *more;
	int ret;

	out->field = NULL;
	out->n = 0;
	ret = vdfs_sql(db, &st,
		       "SELECT id, name FROM field WHERE collection = ?1\n"
		       " AND id NOT IN (SELECT field FROM field_making)",
		       VDFS_INT(collection));
	while (!ret && (ret = vdfs_sql_next(st)) > 0) {
		more = realloc(out->field, (out->n + 1) * sizeof(*more));
		if (!more)
			return -ENOMEM;
		out->field = more;
		more += out->n;
		more->id = sqlite3_column_int64(st, 0);
		more->name = strdup((const char *)sqlite3_column_text(st, 1));
		if (!more->name)
			return -ENOMEM;
		out->n++;
		ret = 0;
	}
	return ret;
}

/**
 * vdfs_fields_free() - forget which fields are indexed
 * @fields: From vdfs_fields_load().
 */
void vdfs_fields_free(struct vdfs_fields *fields)
{
	while (fields->n)
		free(fields->field[--fields->n].name);
	free(fields->field);
	fields->field = NULL;
}
