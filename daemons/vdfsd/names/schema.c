// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tables of names.
 *
 * node: a name; object NULL = directory. The root is VDFS_ROOT. The checksum of
 *	a row is over all but its number, that of an attribute over all of it.
 * payer: the user charged for an attribute of a node, or, in a row with an empty
 *	name, for its content. A node without a row is charged to its owner.
 *
 * Names and attributes that an older daemon made are counted, once. It let an
 * owner do all with its names, and others go where they could read; so they are
 * given modes that say this.
 */
#include "names.h"
#include "store/object.h"

const char vdfs_schema_name_sums[] = VDFS_META_BEFORE
	"3\n"
	"ALTER TABLE node ADD COLUMN sum INTEGER;\n"
	"ALTER TABLE attr ADD COLUMN sum INTEGER;\n"
	"UPDATE node SET mode = CASE WHEN object IS NULL\n"
	" THEN (mode & ~1) | 448 | ((mode & 4) >> 2) ELSE mode | 384 END\n"
	"WHERE ino != 1;\n"
	"UPDATE node SET\n" VDFS_NODE_SUM(
		"parent", "name", "object", "owner", "mode",
		"mtime") ";"
			 "UPDATE attr SET sum = vdfs_sum(ino, name, value);";

const char vdfs_schema_name[] =
	"CREATE TABLE IF NOT EXISTS node(\n"
	" ino INTEGER PRIMARY KEY AUTOINCREMENT, parent INTEGER NOT NULL,\n"
	" name BLOB NOT NULL, object INTEGER, owner INTEGER NOT NULL,\n"
	" mode INTEGER NOT NULL, mtime INTEGER NOT NULL, sum INTEGER);\n"
	"CREATE UNIQUE INDEX IF NOT EXISTS node_name ON node(parent, name);\n"
	"CREATE INDEX IF NOT EXISTS node_object\n"
	" ON node(object) WHERE object IS NOT NULL;\n"
	"CREATE TABLE IF NOT EXISTS attr(ino INTEGER NOT NULL,\n"
	" name BLOB NOT NULL, value BLOB NOT NULL, sum INTEGER,\n"
	" PRIMARY KEY(ino, name)) WITHOUT ROWID;\n"
	"INSERT OR IGNORE INTO\n"
	" node(ino, parent, name, owner, mode, mtime, sum)\n"
	" VALUES(1, 0, x'', 4294967295, 16895, 0,\n"
	"  vdfs_sum(0, x'', NULL, 4294967295, 16895, 0));\n"
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
