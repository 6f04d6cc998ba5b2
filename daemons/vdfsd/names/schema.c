// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tables of names.
 *
 * node: a name; object NULL = directory. The root is VDFS_ROOT.
 */
#include "names.h"

const char vdfs_schema_name[] =
	"CREATE TABLE IF NOT EXISTS node(\n"
	" ino INTEGER PRIMARY KEY AUTOINCREMENT, parent INTEGER NOT NULL,\n"
	" name BLOB NOT NULL, object INTEGER, owner INTEGER NOT NULL,\n"
	" mode INTEGER NOT NULL, mtime INTEGER NOT NULL);\n"
	"CREATE UNIQUE INDEX IF NOT EXISTS node_name ON node(parent, name);\n"
	"CREATE INDEX IF NOT EXISTS node_object\n"
	" ON node(object) WHERE object IS NOT NULL;\n"
	"CREATE TABLE IF NOT EXISTS attr(ino INTEGER NOT NULL,\n"
	" name BLOB NOT NULL, value BLOB NOT NULL,\n"
	" PRIMARY KEY(ino, name)) WITHOUT ROWID;\n"
	"INSERT OR IGNORE INTO node(ino, parent, name, owner, mode, mtime)\n"
	" VALUES(1, 0, x'', 4294967295, 16895, 0);";
