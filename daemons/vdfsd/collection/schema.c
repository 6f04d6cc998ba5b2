// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tables of collections. Each has two of its own, made and dropped with
 * it (collection.c): item_N, and gone_N with the ids of deleted items.
 *
 * collection: name is NULL once it was dropped, until its items are gone.
 *	stamp, old_stamp: what the file of its index may be marked with, and
 *	the generations of these; log_from: gone_N is complete after this one.
 */
#include "collection.h"

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
	" old_generation INTEGER NOT NULL DEFAULT 0);";
