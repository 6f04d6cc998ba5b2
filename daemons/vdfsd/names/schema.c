// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tables of names.
 *
 * node: a name; object NULL = directory. The root is VDFS_ROOT. The checksum of
 *	a row is over all but its number, that of an attribute over all of it.
 *	A gid of 4294967295 is no group.
 * payer: the user charged for an attribute of a node, or, in a row with an empty
 *	name, for its content. A node without a row is charged to its owner.
 *
 * Names and attributes that an older daemon made are counted, once. It let an
 * owner do all with its names, and others go where they could read; so they are
 * given modes that say this. It knew no groups, so they have none, and nobody
 * gains a right. A row that was damaged before stays so.
 */
#include "names.h"
#include "store/object.h"

/* The checksum of a name in stores without groups, and without ctime. */
#define SUM_WITHOUT_GROUP "vdfs_sum(parent, name, object, owner, mode, mtime)"
#define SUM_WITHOUT_CTIME \
	"vdfs_sum(parent, name, object, owner, mode, mtime, gid)"

const char vdfs_schema_name_sums[] = VDFS_META_BEFORE
	"3\n"
	"ALTER TABLE node ADD COLUMN sum INTEGER;\n"
	"ALTER TABLE attr ADD COLUMN sum INTEGER;\n"
	"UPDATE node SET mode = CASE WHEN object IS NULL\n"
	" THEN (mode & ~1) | 448 | ((mode & 4) >> 2) ELSE mode | 384 END\n"
	"WHERE ino != 1;\n"
	"UPDATE node SET sum = " SUM_WITHOUT_GROUP ";\n"
	"UPDATE attr SET sum = vdfs_sum(ino, name, value);";

const char vdfs_schema_name_groups[] = VDFS_META_BEFORE
	"4\n"
	"ALTER TABLE node ADD COLUMN\n"
	" gid INTEGER NOT NULL DEFAULT 4294967295;\n"
	"UPDATE node SET sum = " SUM_WITHOUT_CTIME "\n"
	"WHERE sum IS " SUM_WITHOUT_GROUP ";";

const char vdfs_schema_name_changed[] = VDFS_META_BEFORE
	"7\n"
	"ALTER TABLE node ADD COLUMN ctime INTEGER NOT NULL DEFAULT 0;\n"
	"UPDATE node SET ctime = mtime,\n" VDFS_NODE_SUM(
		"parent", "name", "object", "owner", "mode", "mtime", "gid",
		"mtime") "WHERE sum IS " SUM_WITHOUT_CTIME ";";

const char vdfs_schema_name_groups_read_only[] = VDFS_META_STAND_IN
	"4\n"
	"CREATE TEMP VIEW node AS SELECT *, 4294967295 AS gid,\n"
	" mtime AS ctime FROM main.node;";

const char vdfs_schema_name_read_only[] = VDFS_META_STAND_IN
	"7\n"
	"CREATE TEMP VIEW IF NOT EXISTS node AS\n"
	" SELECT *, mtime AS ctime FROM main.node;";

const char vdfs_schema_name[] =
	"CREATE TABLE IF NOT EXISTS node(\n"
	" ino INTEGER PRIMARY KEY AUTOINCREMENT, parent INTEGER NOT NULL,\n"
	" name BLOB NOT NULL, object INTEGER, owner INTEGER NOT NULL,\n"
	" mode INTEGER NOT NULL, mtime INTEGER NOT NULL, sum INTEGER,\n"
	" gid INTEGER NOT NULL DEFAULT 4294967295,\n"
	" ctime INTEGER NOT NULL DEFAULT 0);\n"
	"CREATE UNIQUE INDEX IF NOT EXISTS node_name ON node(parent, name);\n"
	"CREATE INDEX IF NOT EXISTS node_object\n"
	" ON node(object) WHERE object IS NOT NULL;\n"
	"CREATE TABLE IF NOT EXISTS attr(ino INTEGER NOT NULL,\n"
	" name BLOB NOT NULL, value BLOB NOT NULL, sum INTEGER,\n"
	" PRIMARY KEY(ino, name)) WITHOUT ROWID;\n"
	"INSERT OR IGNORE INTO\n"
	" node(ino, parent, name, owner, mode, mtime, gid, ctime, sum)\n"
	" VALUES(1, 0, x'', 4294967295, 16895, 0, 4294967295, 0,\n"
	"  vdfs_sum(0, x'', NULL, 4294967295, 16895, 0, 4294967295, 0));\n"
	"CREATE TABLE IF NOT EXISTS payer(ino INTEGER NOT NULL,\n"
	" name BLOB NOT NULL, uid INTEGER NOT NULL,\n"
	" PRIMARY KEY(ino, name)) WITHOUT ROWID;\n"
	"INSERT INTO usage(uid, kind, n, bytes)\n"
	" SELECT owner, 1, count(*), 0 FROM (SELECT 1 WHERE NOT EXISTS\n"
	"  (SELECT 1 FROM usage WHERE uid = -1 AND kind = 1))\n"
	" CROSS JOIN node WHERE ino != 1 GROUP BY owner;\n"
	"INSERT INTO usage(uid, kind, n, bytes)\n"
	" SELECT owner, 2, count(*), sum(n) FROM\n"
	"  (SELECT owner, 64 + length(attr.name) + length(value) AS n\n"
	"  FROM (SELECT 1 WHERE NOT EXISTS\n"
	"  (SELECT 1 FROM usage WHERE uid = -1 AND kind = 2))\n"
	"  CROSS JOIN attr JOIN node USING(ino) LIMIT -1) GROUP BY owner;\n"
	"INSERT INTO quota(uid, used)\n"
	" SELECT uid, bytes FROM usage WHERE kind = 2 AND NOT EXISTS\n"
	"  (SELECT 1 FROM usage WHERE uid = -1 AND kind = 2)\n"
	" ON CONFLICT(uid) DO UPDATE SET used = used + excluded.used;\n"
	"INSERT OR IGNORE INTO usage VALUES(-1, 1, 0, 0), (-1, 2, 0, 0);";
