// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tables of blobs.
 *
 * object: what bytes are kept as, each once a user; its hash, with the user in
 *	4 bytes behind it unless it is common, is NULL while it is being put, or
 *	when it was found damaged. A blob is an object with
 *	users; they have an index of their own, for pieces are many more. Objects
 *	with neither users nor parts are garbage. By kind:
 *	0 a record: in a pack, from place on, stored bytes with its header
 *	1 a file of its own; block has the checksums of its blocks
 *	2 a list of others; part says which, by where they start
 *	3 away: the remote has it, and nothing is here
 * ref: why a user is charged for a blob: so many names, or it is kept.
 * quota: what a user may and does have; bytes NULL = as the store says. Used
 *	are the sizes of the blobs it refers to, and the bytes of its rows. The
 *	checksum is over what was set, the rest can be recounted:
 * usage: how many rows of a kind a user has made, see usage.h. With a uid of
 *	-1: rows of that kind are counted.
 * store: one row: its identity, and generations; see identity.h.
 */
#include "sql/meta.h"
#include "store.h"

const char vdfs_schema_blob_quotas[] = VDFS_META_BEFORE
	"6\n"
	"ALTER TABLE quota ADD COLUMN bytes_sum INTEGER;\n"
	"UPDATE quota SET bytes_sum = vdfs_sum(uid, bytes)\n"
	"WHERE bytes IS NOT NULL;";

const char vdfs_schema_blob[] =
	"CREATE TABLE IF NOT EXISTS object(id INTEGER PRIMARY KEY,\n"
	" hash BLOB UNIQUE, size INTEGER NOT NULL, kind INTEGER NOT NULL,\n"
	" users INTEGER NOT NULL, parts INTEGER NOT NULL,\n"
	" segment INTEGER, place INTEGER, stored INTEGER);\n"
	"CREATE INDEX IF NOT EXISTS object_place\n"
	" ON object(segment, place, stored) WHERE segment IS NOT NULL;\n"
	"CREATE INDEX IF NOT EXISTS object_blob\n"
	" ON object(hash) WHERE users > 0;\n"
	"CREATE INDEX IF NOT EXISTS object_dead\n"
	" ON object(id) WHERE users = 0 AND parts = 0;\n"
	"CREATE TABLE IF NOT EXISTS part(list INTEGER NOT NULL,\n"
	" start INTEGER NOT NULL, object INTEGER NOT NULL,\n"
	" PRIMARY KEY(list, start)) WITHOUT ROWID;\n"
	"CREATE TABLE IF NOT EXISTS block(object INTEGER NOT NULL,\n"
	" start INTEGER NOT NULL, sums BLOB NOT NULL,\n"
	" PRIMARY KEY(object, start)) WITHOUT ROWID;\n"
	"CREATE TABLE IF NOT EXISTS ref(uid INTEGER NOT NULL,\n"
	" object INTEGER NOT NULL, names INTEGER NOT NULL,\n"
	" kept INTEGER NOT NULL, PRIMARY KEY(uid, object)) WITHOUT ROWID;\n"
	"CREATE TABLE IF NOT EXISTS quota(uid INTEGER PRIMARY KEY,\n"
	" bytes INTEGER, used INTEGER NOT NULL, bytes_sum INTEGER);\n"
	"CREATE TABLE IF NOT EXISTS usage(uid INTEGER NOT NULL,\n"
	" kind INTEGER NOT NULL, n INTEGER NOT NULL, bytes INTEGER NOT NULL,\n"
	" PRIMARY KEY(uid, kind)) WITHOUT ROWID;\n"
	"CREATE TABLE IF NOT EXISTS store(id INTEGER PRIMARY KEY,\n"
	" identity BLOB NOT NULL, generation INTEGER NOT NULL,\n"
	" opened INTEGER NOT NULL, legacy INTEGER NOT NULL);\n"
	"INSERT OR IGNORE INTO store VALUES(1, randomblob(16), 0, 0, 0);";
