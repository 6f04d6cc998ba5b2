// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzzes filters: what is accepted as one is a clause that SQLite takes, and
 * it changes nothing. It lets through what matches field by field, and nothing
 * else where it is exact.
 */
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemons/vdfsd/collection/filter_impl.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct sqlite3 *db;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	if (sqlite3_open(":memory:", &db) ||
	    sqlite3_exec(
		    db,
		    "CREATE TABLE item (id INTEGER PRIMARY KEY, metadata);\n"
		    "INSERT INTO item (metadata) VALUES ('{}'),\n"
		    "('{\"a\":1,\"b\":{\"c\":\"x\"},\"d\":[true,null]}')",
		    NULL, NULL, NULL))
		abort();
	return 0;
}

static void fail(const char *what, const char *sql)
{
	fprintf(stderr, "%s: %s: %s\n", what, sqlite3_errmsg(db), sql);
	abort();
}

static bool matches(struct vdfs_filter *filter, const char *metadata)
{
	struct vdfs_matcher *m;
	int ret;

	if (!filter->fields && vdfs_filter_fields(filter))
		abort();
	filter->exact = false;
	if (vdfs_matcher_new(filter, db, &m))
		fail("numbers", metadata);
	ret = vdfs_matcher_matches(m, metadata);
	if (ret < 0)
		fail("match", metadata);
	vdfs_matcher_free(m);
	return ret;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *json = malloc(size + 1), *sql, why[VDFS_WHY_MAX];
	struct vdfs_filter *filter;
	struct sqlite3_stmt *st = NULL;
	bool exact, sql_has, has;
	int rc;

	if (!json)
		abort();
	memcpy(json, data, size);
	json[size] = 0;
	if (vdfs_filter_new(json, why, sizeof(why), &filter)) {
		free(json);
		return 0;
	}
	sql = sqlite3_mprintf("SELECT (%s) IS TRUE, metadata FROM item",
			      vdfs_filter_sql(filter));
	if (!sql || sqlite3_prepare_v2(db, sql, -1, &st, NULL))
		fail("prepare", sql);
	if (!sqlite3_stmt_readonly(st))
		fail("it writes", sql);
	if (vdfs_filter_bind(filter, st, 1))
		fail("bind", sql);
	exact = filter->exact;
	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		sql_has = sqlite3_column_int(st, 0);
		has = matches(filter, (const char *)sqlite3_column_text(st, 1));
		if (exact ? sql_has != has : sql_has < has)
			fail("two answers", sql);
	}
	if (rc != SQLITE_DONE)
		fail("step", sql);
	sqlite3_finalize(st);
	sqlite3_free(sql);
	vdfs_filter_free(filter);
	free(json);
	return 0;
}
