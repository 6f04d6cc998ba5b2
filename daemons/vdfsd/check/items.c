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

/* In this order: what one mends, the next ones count. */
const struct vdfs_rule vdfs_fsck_items[] = {
	{ "collections that are not what was stored, now root's alone",
	  "SELECT count(*) FROM collection WHERE " COLLECTION_WRONG,
	  { "UPDATE collection SET owner = 0, mode = 0,\n"
	    "name = ifnull(name, " LOST "),\n"
	    "base = ifnull((SELECT (min(item.id) >> 39) << 39 FROM item\n"
	    "WHERE item.collection = collection.id), base),\n" RENEWED
	    "WHERE " COLLECTION_WRONG,
	    COLLECTION_SUMMED } },
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
	{ "collections that miscount their items",
	  "SELECT count(*) FROM collection WHERE name IS NOT NULL\n"
	  "AND items != (SELECT count(*) FROM item\n"
	  "WHERE item.collection = collection.id) AND " ITEMS_MOVED,
	  { "UPDATE collection SET stamp = 0, old_stamp = 0,\n"
	    "items = (SELECT count(*) FROM item\n"
	    "WHERE item.collection = collection.id)\n"
	    "WHERE items != (SELECT count(*) FROM item\n"
	    "WHERE item.collection = collection.id)" } },
	{ "users whose items were miscounted",
	  "SELECT count(*) FROM (SELECT * FROM (SELECT * FROM " ITEMS "\n"
	  "EXCEPT SELECT * FROM " ITEMS_COUNTED ") UNION ALL SELECT * FROM\n"
	  "(SELECT * FROM " ITEMS_COUNTED " EXCEPT SELECT * FROM " ITEMS "))\n"
	  "WHERE " ITEMS_MOVED,
	  { "DELETE FROM usage WHERE uid >= 0 AND kind = 3",
	    "INSERT INTO usage(uid, kind, n, bytes) SELECT * FROM " ITEMS } },
	{ 0 },
};
