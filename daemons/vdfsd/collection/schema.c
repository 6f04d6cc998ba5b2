// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tables of collections. All collections share them: a table for each would
 * be read again by every connection whenever a collection is made.
 *
 * collection: name is NULL once it was dropped, until its items are gone.
 *	base: its items have the VDFS_SPAN numbers behind this one; the next
 *	collection may have the base of one that is gone, but never its id.
 *	stamp, old_stamp: what the file of its index may be marked with, and
 *	the generations of these; log_from: gone is complete after this one.
 *	fields: how many are indexed. sum is over what never changes, and the
 *	name; stamp_sum over stamps and their generations, once there are any.
 * item: id is the base of its collection and its number there. The columns that
 *	most statements want are before the long ones. The checksum is over all.
 * gone: deleted items, by the ids that they had.
 * field: what is indexed, see field.c; path as SQLite wants it.
 * field_value: for each item that has such a field, its kind (and whose) and its
 *	value.
 * field_making: fields whose values are not complete, see field_make.c.
 *
 * Up to version 4 each collection had tables of its own, which upgrade.c empties
 * and drops.
 */
#include "collection.h"
#include "collection_impl.h"

const char vdfs_schema_collection_base[] = VDFS_META_BEFORE
	"5\n"
	"ALTER TABLE collection ADD COLUMN base INTEGER;\n"
	"ALTER TABLE collection ADD COLUMN fields INTEGER NOT NULL DEFAULT 0;\n"
	"ALTER TABLE collection ADD COLUMN sum INTEGER;\n"
	"UPDATE collection SET base = nth * " VDFS_SPAN_SQL " FROM\n"
	" (SELECT id AS of, row_number() OVER (ORDER BY id) - 1 AS nth\n"
	"  FROM collection) WHERE id = of;\n"
	"UPDATE collection SET sum = " VDFS_COLLECTION_SUM("name") ";";

const char vdfs_schema_collection_stamps[] = VDFS_META_BEFORE
	"8\n"
	"ALTER TABLE collection ADD COLUMN stamp_sum INTEGER;\n"
	"UPDATE collection SET stamp_sum = " VDFS_STAMP_SUM ";";

const char vdfs_schema_collection_read_only[] = VDFS_META_STAND_IN
	"8\n"
	"CREATE TEMP VIEW collection AS\n"
	" SELECT *, NULL AS stamp_sum FROM main.collection;";

const char vdfs_schema_field_read_only[] = VDFS_META_STAND_IN
	"9\n"
	"CREATE TEMP VIEW field_making AS\n"
	" SELECT NULL AS field, NULL AS made_to WHERE 0;";

const char vdfs_schema_collection[] =
	"CREATE TABLE IF NOT EXISTS collection(\n"
	" id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE,\n"
	" owner INTEGER NOT NULL, mode INTEGER NOT NULL,\n"
	" dim INTEGER NOT NULL, metric INTEGER NOT NULL,\n"
	" type INTEGER NOT NULL, codes INTEGER NOT NULL,\n"
	" m INTEGER NOT NULL, ef_build INTEGER NOT NULL,\n"
	" seed INTEGER NOT NULL,\n"
	" generation INTEGER NOT NULL DEFAULT 0,\n"
	" next_id INTEGER NOT NULL DEFAULT 1,\n"
	" items INTEGER NOT NULL DEFAULT 0,\n"
	" log_from INTEGER NOT NULL DEFAULT 0,\n"
	" stamp INTEGER NOT NULL DEFAULT 0,\n"
	" stamp_generation INTEGER NOT NULL DEFAULT 0,\n"
	" old_stamp INTEGER NOT NULL DEFAULT 0,\n"
	" old_generation INTEGER NOT NULL DEFAULT 0,\n"
	" base INTEGER, fields INTEGER NOT NULL DEFAULT 0, sum INTEGER,\n"
	" stamp_sum INTEGER);\n"
	"CREATE UNIQUE INDEX IF NOT EXISTS collection_base\n"
	" ON collection(base);\n"
	"CREATE INDEX IF NOT EXISTS collection_owner ON collection(owner);\n"
	"CREATE INDEX IF NOT EXISTS collection_shown ON collection(name)\n"
	" WHERE " VDFS_COLLECTION_SHOWN ";\n"
	"CREATE TABLE IF NOT EXISTS item(\n"
	" id INTEGER PRIMARY KEY, collection INTEGER NOT NULL,\n"
	" key TEXT NOT NULL, gen INTEGER NOT NULL, sum INTEGER NOT NULL,\n"
	" metadata TEXT NOT NULL, vector BLOB NOT NULL);\n"
	"CREATE UNIQUE INDEX IF NOT EXISTS item_key ON item(collection, key);\n"
	"CREATE INDEX IF NOT EXISTS item_gen ON item(collection, gen);\n"
	"CREATE TABLE IF NOT EXISTS gone(\n"
	" id INTEGER PRIMARY KEY, gen INTEGER NOT NULL);\n"
	"CREATE TABLE IF NOT EXISTS field(\n"
	" id INTEGER PRIMARY KEY, collection INTEGER NOT NULL,\n"
	" name TEXT NOT NULL, path TEXT NOT NULL, UNIQUE(collection, name));\n"
	"CREATE TABLE IF NOT EXISTS field_value(\n"
	" kind INTEGER NOT NULL, value NOT NULL, item INTEGER NOT NULL,\n"
	" PRIMARY KEY(kind, value, item)) WITHOUT ROWID;\n"
	"CREATE TABLE IF NOT EXISTS field_making(field INTEGER PRIMARY KEY,\n"
	" made_to INTEGER NOT NULL);";
