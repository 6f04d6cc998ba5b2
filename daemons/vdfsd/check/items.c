// SPDX-License-Identifier: GPL-2.0-only
/* Rules between the rows of collections and of their items. */
#include "check_impl.h"

/* Whether the rows of a collection or of an item are others than were stored. */
#define COLLECTION_SUM                                                \
	"vdfs_sum(id, name, owner, mode, dim, metric, type, codes,\n" \
	"m, ef_build, seed, base)"
#define COLLECTION_WRONG "sum IS NOT " COLLECTION_SUM
#define ITEM_WRONG \
	"sum IS NOT vdfs_sum(id, collection, key, gen, metadata, vector)"
/*
 * A collection whose index, loaded or saved, is of no use any more: with another
 * seed it has another index. COLLECTION_SUMMED makes its checksum then.
 */
#define RENEWED                                   \
	"stamp = 0, old_stamp = 0, sum = NULL,\n" \
	"seed = (seed + 1 + abs(random() % 4294967295)) & 4294967295\n"
#define COLLECTION_SUMMED \
	"UPDATE collection SET sum = " COLLECTION_SUM "\nWHERE sum IS NULL"

/* A base that leaves no room for items, or has them among those of others. */
#define BASE_WRONG                                   \
	"typeof(base) != 'integer' OR base < 0 OR\n" \
	"base % 549755813888 != 0"
/*
 * Statements that give each collection without a base one that no other has:
 * where most of its items are, counting those that are what was stored; and for
 * one without items the first span that nobody uses. The name collection.id
 * makes SQLite look again for each row.
 */
#define BASE_OF_ITEMS                                                \
	"UPDATE OR IGNORE collection SET base = (SELECT span FROM\n" \
	"(SELECT id >> 39 << 39 AS span, count(*) AS n FROM item\n"  \
	"WHERE item.collection = collection.id AND NOT (" ITEM_WRONG \
	")\nGROUP BY 1) WHERE span >= 0 AND NOT EXISTS\n"            \
	"(SELECT 1 FROM collection AS has WHERE has.base >= span\n"  \
	"AND has.base < span + 549755813888)\n"                      \
	"ORDER BY n DESC, span LIMIT 1)\nWHERE base IS NULL"
#define BASE_FREE                                                      \
	"UPDATE collection SET base = (SELECT min(span) FROM\n"        \
	"(SELECT 0 AS span UNION ALL\n"                                \
	"SELECT ((base >> 39) + 1) << 39 FROM collection AS has\n"     \
	"WHERE base IS NOT NULL UNION ALL\n"                           \
	"SELECT ((max(id) >> 39) + 1) << 39 FROM item)\n"              \
	"WHERE span >= 0 AND collection.id IS NOT NULL AND\n"          \
	"NOT EXISTS (SELECT 1 FROM collection AS has\n"                \
	"WHERE has.base >= span AND has.base < span + 549755813888)\n" \
	"AND NOT EXISTS (SELECT 1 FROM item WHERE item.id > span\n"    \
	"AND item.id < span + 549755813888))\nWHERE base IS NULL"

/* A name from its number; where a user has one like that, one that none has. */
#define LOST                                                     \
	"'lost-' || id || CASE WHEN EXISTS(SELECT 1\n"           \
	"FROM collection AS has WHERE has.name = 'lost-' ||\n"   \
	"collection.id) THEN '-' || lower(hex(randomblob(8)))\n" \
	"ELSE '' END\n"
/* Nobody could drop it; a newline is what an earlier version allowed. */
#define UNFIT                                               \
	"name IS NOT NULL AND (typeof(name) != 'text' OR\n" \
	"octet_length(name) NOT BETWEEN 1 AND 64 OR\n"      \
	"octet_length(name) != length(name) OR\n"           \
	"name GLOB '*[^a-z0-9_' || char(10) || '-]*')"

/* Rows of a table with the numbers of a collection's items. */
#define RANGE(table) \
	"FROM " table " WHERE id > base\nAND id < base + 549755813888"
/* The last number that an item of a collection has or had. */
#define LAST_ID                                          \
	"max(ifnull((SELECT max(id) " RANGE(             \
		"item") "), base),\n"                    \
			"ifnull((SELECT max(id) " RANGE( \
				"gone") "), base)) - base"
/* Items that are not among the numbers of their collection. */
#define OUTSIDE                                                     \
	"FROM item JOIN collection ON collection.id = collection\n" \
	"WHERE item.id NOT BETWEEN base + 1 AND base + 549755813887"
/* The last generation that one of its rows was written in. */
#define LAST_GEN                                        \
	"max(ifnull((SELECT max(gen) FROM item\n"       \
	"WHERE item.collection = collection.id), 0),\n" \
	"ifnull((SELECT max(gen) " RANGE("gone") "), 0))"
#define ID_RIGHT "next_id BETWEEN 1 + " LAST_ID " AND 549755813888"
#define GEN_MAX "4611686018427387903"
/*
 * Counts that no checksum has, for they change with every item. A greater number
 * or generation than there could be is no harm, as long as it does not run out.
 */
#define MISCOUNTED                                                    \
	"name IS NOT NULL AND (NOT " ID_RIGHT "\n"                    \
	"OR generation NOT BETWEEN max(log_from, stamp_generation,\n" \
	"old_generation, " LAST_GEN ") AND " GEN_MAX "\n"             \
	"OR min(log_from, stamp_generation, old_generation) < 0)"

/* Whether the indexes that were saved are others than the row says. */
#define STAMPS_WRONG                                            \
	"(stamp != 0 OR old_stamp != 0) AND stamp_sum IS NOT\n" \
	"vdfs_sum(id, stamp, stamp_generation, old_stamp, old_generation)"

/* Rows of the log of deleted items that none has written. */
#define GONE_WRONG                                                    \
	"SELECT gone.id FROM gone LEFT JOIN collection\n"             \
	"ON base = gone.id >> 39 << 39 WHERE collection.id IS NULL\n" \
	"OR gone.id - base NOT BETWEEN 1 AND next_id - 1\n"           \
	"OR gone.gen NOT BETWEEN 1 AND generation\n"                  \
	"OR EXISTS (SELECT 1 FROM item WHERE item.id = gone.id)"

/* See vdfs_filter_path(). */
#define PATH "'$.\"' || replace(name, '.', '\".\"') || '\"'"
#define FIELD_WRONG \
	"path IS NOT " PATH "\nOR collection NOT IN (SELECT id FROM collection)"

/* Rows of field_value that there are to be, see field.c of collections. */
#define METADATA "CASE WHEN json_valid(metadata) THEN metadata END"
#define AT                                                      \
	"CASE WHEN path = '$.\"' || replace(field.name, '.',\n" \
	"'\".\"') || '\"' THEN path ELSE '$' END"
#define VALUES                                                        \
	"SELECT kind, ifnull(value, 0) AS value, item FROM\n"         \
	"(SELECT field.id * 8 + CASE json_type(" METADATA ", " AT     \
	")\nWHEN 'integer' THEN 1 WHEN 'real' THEN 1\n"               \
	"WHEN 'text' THEN 2 WHEN 'true' THEN 3 WHEN 'false' THEN 4\n" \
	"WHEN 'null' THEN 5 END AS kind,\n"                           \
	"json_extract(" METADATA ", " AT ") AS value,\n"              \
	"item.id AS item FROM field JOIN collection\n"                \
	"ON collection.id = field.collection CROSS JOIN item\n"       \
	"WHERE item.id > base AND item.id < base + 549755813888\n"    \
	"AND item.collection = collection.id\n"                       \
	"AND field.id NOT IN (SELECT field FROM field_making))\n"     \
	"WHERE kind IS NOT NULL"

/* Those of fields that are complete. */
#define MADE "kind / 8 NOT IN (SELECT field FROM field_making)"
#define MAKING_WRONG "field NOT IN (SELECT id FROM field)"

/* Whether field_value has the row "want". */
#define HAS                                                       \
	"EXISTS (SELECT 1 FROM field_value AS has\n"              \
	"WHERE has.kind = want.kind AND has.value = want.value\n" \
	"AND has.item = want.item)"

/* All items of an earlier version are where they are now, and counted. */
#define ITEMS_MOVED "EXISTS (SELECT 1 FROM usage WHERE uid = -1 AND kind = 3)"

/* The same of items of collections: their owners pay, see collection.h. */
#define ITEMS                                                    \
	"(SELECT owner AS uid, 3 AS kind, count(*) AS n,\n"      \
	"sum(64 + octet_length(key) + octet_length(metadata)\n"  \
	"+ length(vector)) AS bytes FROM item JOIN collection\n" \
	"ON collection.id = item.collection GROUP BY owner)"
#define ITEMS_COUNTED                                             \
	"(SELECT uid, kind, n, bytes FROM usage WHERE uid >= 0\n" \
	"AND kind = 3 AND (n != 0 OR bytes != 0))"

/* And of values of their indexed fields. */
#define FIELDS_CHARGED \
	"EXISTS (SELECT 1 FROM usage WHERE uid = -1 AND kind = 4)"
#define FIELDS                                                      \
	"(SELECT owner AS uid, 4 AS kind, count(*) AS n,\n"         \
	"sum(64 + octet_length(value)) AS bytes FROM field_value\n" \
	"JOIN field ON field.id = field_value.kind / 8\n"           \
	"JOIN collection ON collection.id = field.collection\n"     \
	"GROUP BY owner)"
#define FIELDS_COUNTED                                            \
	"(SELECT uid, kind, n, bytes FROM usage WHERE uid >= 0\n" \
	"AND kind = 4 AND (n != 0 OR bytes != 0))"

/* In this order: what one mends, the next ones count. */
const struct vdfs_rule vdfs_fsck_items[] = {
	{ "collections that are not what was stored, now root's alone",
	  "SELECT count(*) FROM collection WHERE " COLLECTION_WRONG,
	  { "UPDATE collection SET owner = 0, mode = 0, base = NULL,\n"
	    "name = ifnull(name, " LOST "),\n" RENEWED
	    "WHERE " COLLECTION_WRONG,
	    BASE_OF_ITEMS, BASE_FREE, COLLECTION_SUMMED } },
	{ "collections with a base that none may have",
	  "SELECT count(*) FROM collection WHERE " BASE_WRONG,
	  { "UPDATE collection SET base = NULL,\n" RENEWED "WHERE " BASE_WRONG,
	    BASE_OF_ITEMS, BASE_FREE, COLLECTION_SUMMED } },
	{ "collections with names that none may have, now lost-N",
	  "SELECT count(*) FROM collection WHERE " UNFIT,
	  { "UPDATE collection SET sum = NULL, name = " LOST "WHERE " UNFIT,
	    COLLECTION_SUMMED } },
	{ "items that are not what was stored",
	  "SELECT count(*) FROM item WHERE " ITEM_WRONG,
	  { "UPDATE collection SET " RENEWED "WHERE id IN\n"
	    "(SELECT collection FROM item WHERE " ITEM_WRONG ") OR base IN\n"
	    "(SELECT id >> 39 << 39 FROM item WHERE " ITEM_WRONG ")",
	    COLLECTION_SUMMED,
	    "DELETE FROM field_value WHERE item IN\n"
	    "(SELECT id FROM item WHERE " ITEM_WRONG ")",
	    "DELETE FROM item WHERE " ITEM_WRONG } },
	{ "items with a number that their collection does not have",
	  "SELECT count(*) " OUTSIDE,
	  { "UPDATE collection SET " RENEWED "WHERE id IN\n"
	    "(SELECT collection.id " OUTSIDE ") OR base IN\n"
	    "(SELECT item.id >> 39 << 39 " OUTSIDE ")",
	    COLLECTION_SUMMED,
	    "UPDATE item SET id = to_id, sum =\n"
	    "vdfs_sum(to_id, collection, key, gen, metadata, vector) FROM\n"
	    "(SELECT item.id AS old, base + " LAST_ID " + row_number() OVER\n"
	    "(PARTITION BY collection.id ORDER BY item.id) AS to_id\n" OUTSIDE
	    ") WHERE id = old" } },
	{ "collections that miscount their items",
	  "SELECT count(*) FROM collection WHERE name IS NOT NULL\n"
	  "AND items != (SELECT count(*) FROM item\n"
	  "WHERE item.collection = collection.id) AND " ITEMS_MOVED,
	  { "UPDATE collection SET stamp = 0, old_stamp = 0,\n"
	    "items = (SELECT count(*) FROM item\n"
	    "WHERE item.collection = collection.id)\n"
	    "WHERE items != (SELECT count(*) FROM item\n"
	    "WHERE item.collection = collection.id)" } },
	{ "deleted items that are not what was logged",
	  "SELECT count(*) FROM (" GONE_WRONG ")",
	  { "UPDATE collection SET " RENEWED "WHERE base IN\n"
	    "(SELECT id >> 39 << 39 FROM (" GONE_WRONG "))",
	    COLLECTION_SUMMED,
	    "DELETE FROM gone WHERE id IN (" GONE_WRONG ")" } },
	{ "collections whose saved index is not what was stored",
	  "SELECT count(*) FROM collection WHERE " STAMPS_WRONG,
	  { "UPDATE collection SET stamp = 0, old_stamp = 0\n"
	    "WHERE " STAMPS_WRONG } },
	{ "collections whose numbers are not those of their items",
	  "SELECT count(*) FROM collection WHERE " MISCOUNTED,
	  { "UPDATE collection SET log_from = 0, stamp_generation = 0,\n"
	    "old_generation = 0, next_id = CASE WHEN " ID_RIGHT "\n"
	    "THEN next_id ELSE 1 + " LAST_ID " END,\n"
	    "generation = 1 + max(" LAST_GEN ", CASE WHEN generation\n"
	    "< " GEN_MAX " THEN generation ELSE 0 END),\n" RENEWED
	    "WHERE " MISCOUNTED,
	    COLLECTION_SUMMED } },
	{ "fields that are not what was indexed, now not indexed",
	  "SELECT count(*) FROM field WHERE " FIELD_WRONG,
	  { "DELETE FROM field WHERE " FIELD_WRONG } },
	{ "collections that miscount their indexed fields",
	  "SELECT count(*) FROM collection WHERE name IS NOT NULL AND fields\n"
	  "!= (SELECT count(*) FROM field WHERE field.collection = collection.id)",
	  { "UPDATE collection SET fields = (SELECT count(*) FROM field\n"
	    "WHERE field.collection = collection.id)" } },
	{ "fields that are being indexed, and are not there",
	  "SELECT count(*) FROM field_making WHERE " MAKING_WRONG,
	  { "DELETE FROM field_making WHERE " MAKING_WRONG } },
	{ "values of indexed fields that are not those of the items",
	  "SELECT (SELECT count(*) FROM field_value WHERE " MADE ")\n"
	  "+ ifnull(sum(\n"
	  "CASE WHEN " HAS " THEN -1 ELSE 1 END), 0)\n"
	  "FROM (" VALUES ") AS want",
	  { "DELETE FROM field_value WHERE " MADE "\n"
	    "AND (kind, value, item) NOT IN (" VALUES ")",
	    "INSERT INTO field_value(kind, value, item)\n"
	    "SELECT * FROM (" VALUES ") AS want WHERE NOT " HAS } },
	{ "users whose items were miscounted",
	  "SELECT count(*) FROM (SELECT * FROM (SELECT * FROM " ITEMS "\n"
	  "EXCEPT SELECT * FROM " ITEMS_COUNTED ") UNION ALL SELECT * FROM\n"
	  "(SELECT * FROM " ITEMS_COUNTED " EXCEPT SELECT * FROM " ITEMS "))\n"
	  "WHERE " ITEMS_MOVED,
	  { "DELETE FROM usage WHERE uid >= 0 AND kind = 3",
	    "INSERT INTO usage(uid, kind, n, bytes) SELECT * FROM " ITEMS } },
	{ "users whose values of indexed fields were miscounted",
	  "SELECT count(*) FROM (SELECT * FROM (SELECT * FROM " FIELDS "\n"
	  "EXCEPT SELECT * FROM " FIELDS_COUNTED ") UNION ALL SELECT * FROM\n"
	  "(SELECT * FROM " FIELDS_COUNTED " EXCEPT SELECT * FROM " FIELDS
	  "))\n"
	  "WHERE " FIELDS_CHARGED,
	  { "DELETE FROM usage WHERE uid >= 0 AND kind = 4",
	    "INSERT INTO usage(uid, kind, n, bytes) SELECT * FROM " FIELDS } },
	{ 0 },
};
