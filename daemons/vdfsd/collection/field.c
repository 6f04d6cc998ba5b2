// SPDX-License-Identifier: GPL-2.0-only
/*
 * Indexed fields. A row of field_value for each item that has such a field with
 * a value that can be compared: the value, behind its kind, which is eight times
 * the number of the field and 1 for a number, 2 for a string, 3 for true, 4 for
 * false, 5 for null. They are in one table for all collections: the index of one
 * user is neither in the schema that others read, nor updated when they write.
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

/**
 * vdfs_fields_store() - note the fields of items that were written
 * @db: A connection inside a transaction.
 * @collection: Their collection.
 * @from: Row of the first one.
 * @to: Row of the last one.
 *
 * Context: Inside a vdfs_meta_fn that writes.
 * Return: 0 or a negative errno.
 */
int vdfs_fields_store(struct sqlite3 *db, int64_t collection, int64_t from,
		      int64_t to)
{
	return vdfs_sql_run(
		db,
		"INSERT OR IGNORE INTO field_value(kind, value, item)\n" VALUES(
			"field.collection = ?1"),
		VDFS_INT(collection), VDFS_INT(from), VDFS_INT(to));
}

/**
 * vdfs_fields_forget() - forget the fields of items that are about to change
 * @db: A connection inside a transaction.
 * @collection: Their collection.
 * @from: Row of the first one.
 * @to: Row of the last one.
 *
 * Context: Inside a vdfs_meta_fn that writes.
 * Return: 0 or a negative errno.
 */
int vdfs_fields_forget(struct sqlite3 *db, int64_t collection, int64_t from,
		       int64_t to)
{
	return vdfs_sql_run(db,
			    "DELETE FROM field_value\n"
			    " WHERE (kind, value, item) IN (" VALUES(
				    "field.collection = ?1") ")",
			    VDFS_INT(collection), VDFS_INT(from), VDFS_INT(to));
}

static int has_field(struct sqlite3 *db, int64_t collection, const char *name)
{
	struct sqlite3_stmt *st;
	int ret;

	ret = vdfs_sql(
		db, &st,
		"SELECT 1 FROM field WHERE collection = ?1 AND name = ?2",
		VDFS_INT(collection), VDFS_TEXT(name));
	if (!ret)
		ret = vdfs_sql_next(st);
	if (ret > 0)
		sqlite3_reset(st);
	return ret;
}

static int add_field(struct sqlite3 *db, const struct vdfs_core *core,
		     const char *name)
{
	char *path = vdfs_filter_path(name);
	int ret;

	if (!path)
		return -errno;
	ret = vdfs_sql_run(db,
			   "INSERT INTO field(collection, name, path)\n"
			   " VALUES(?1, ?2, ?3)",
			   VDFS_INT(core->id), VDFS_TEXT(name),
			   VDFS_TEXT(path));
	free(path);
	if (!ret)
		ret = vdfs_sql_run(db,
				   "UPDATE collection SET fields = fields + 1\n"
				   " WHERE id = ?1",
				   VDFS_INT(core->id));
	/* In the order of the table: it grows at its end. */
	return ret ? ret :
		     vdfs_sql_run(
			     db,
			     "INSERT INTO field_value(kind, value, item)\n" VALUES(
				     "field.id = ?1") " ORDER BY 1, 2, 3",
			     VDFS_INT(sqlite3_last_insert_rowid(db)),
			     VDFS_INT(vdfs_row(core, 0)),
			     VDFS_INT(vdfs_row_end(core)));
}

/**
 * vdfs_field_make() - index a field of all items
 * @db: A connection inside a transaction.
 * @core: The collection; its id and base are enough.
 * @name: Name or path of the field; one that is indexed stays so.
 *
 * Context: Inside a vdfs_meta_fn that writes.
 * Return: 0, -EDQUOT when so many are indexed already, -EINVAL when it cannot
 * be a field, or another negative errno.
 */
int vdfs_field_make(struct sqlite3 *db, const struct vdfs_core *core,
		    const char *name)
{
	struct sqlite3_stmt *st;
	int64_t n;
	int ret = has_field(db, core->id, name);

	if (ret)
		return ret < 0 ? ret : 0;
	ret = vdfs_sql(db, &st, "SELECT fields FROM collection WHERE id = ?1",
		       VDFS_INT(core->id));
	if (!ret)
		ret = vdfs_sql_next(st);
	if (ret <= 0)
		return ret ? ret : -ENOENT;
	n = sqlite3_column_int64(st, 0);
	sqlite3_reset(st);
	return n < VDFS_FIELDS_MAX ? add_field(db, core, name) : -EDQUOT;
}

/**
 * vdfs_fields_load() - find out which fields of a collection are indexed
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
		       "SELECT id, name FROM field WHERE collection = ?1",
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
