// SPDX-License-Identifier: GPL-2.0-only
/* The row of a new collection, and room for the rows of its items. */
#include <errno.h>

#include "collection_impl.h"

static int one_number(struct sqlite3 *db, const char *sql, int64_t *out)
{
	struct sqlite3_stmt *st;
	int ret = vdfs_sql(db, &st, sql, VDFS_INT(VDFS_SPAN));

	if (!ret)
		ret = vdfs_sql_next(st);
	if (ret > 0) {
		*out = sqlite3_column_int64(st, 0);
		ret = vdfs_sql_next(st);
	}
	return ret;
}

/*
 * A base that no collection has, nor one whose items are still going: behind the
 * last one, and when there is no room any more between others. That of a row that
 * is damaged may be any number: a base here is a multiple of VDFS_SPAN.
 */
static int free_base(struct sqlite3 *db, int64_t *base)
{
	int64_t last = -VDFS_SPAN;
	int ret;

	ret = one_number(db, "SELECT ifnull(max(base), -?1) FROM collection",
			 &last);
	last = last < 0 ? -VDFS_SPAN : last - last % VDFS_SPAN;
	if (!ret && last > INT64_MAX - 2 * VDFS_SPAN + 1) {
		last = INT64_MAX;
		ret = one_number(
			db,
			"SELECT base FROM (SELECT -?1 AS base UNION ALL\n"
			" SELECT base FROM collection) AS has\n"
			" WHERE base BETWEEN -?1 AND 9223372036854775807 - 2 * ?1\n"
			" AND base % ?1 = 0 AND\n"
			" NOT EXISTS (SELECT 1 FROM collection AS next\n"
			" WHERE next.base >= has.base + ?1\n"
			" AND next.base < has.base + 2 * ?1) LIMIT 1",
			&last);
		if (!ret && last == INT64_MAX)
			ret = -ENOSPC;
	}
	*base = last + VDFS_SPAN;
	return ret;
}

/**
 * vdfs_row_add() - make the row of a collection
 * @db: A connection inside a transaction.
 * @name: Its name.
 * @p: See struct vdfs_collection_params.
 * @seed: Of its index.
 *
 * Context: Inside a vdfs_meta_fn that writes.
 * Return: 0, -EEXIST when the name is taken, or another negative errno.
 */
int vdfs_row_add(struct sqlite3 *db, const char *name,
		 const struct vdfs_collection_params *p, uint32_t seed)
{
	int64_t base;
	int ret = free_base(db, &base);

	if (ret)
		return ret;
	ret = vdfs_sql_run(db,
			   "INSERT INTO collection(name, owner, mode, dim,\n"
			   " metric, type, codes, m, ef_build, seed, base)\n"
			   " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10,\n"
			   " ?11)",
			   VDFS_TEXT(name), VDFS_INT(p->owner),
			   VDFS_INT(p->mode), VDFS_INT(p->dim),
			   VDFS_INT(p->metric), VDFS_INT(p->type),
			   VDFS_INT(p->codes), VDFS_INT(p->m),
			   VDFS_INT(p->ef_build), VDFS_INT(seed),
			   VDFS_INT(base));
	if (ret)
		return ret;
	return vdfs_sql_run(
		db,
		"UPDATE collection\n"
		" SET sum = " VDFS_COLLECTION_SUM("name") " WHERE id = ?1",
		VDFS_INT(sqlite3_last_insert_rowid(db)));
}
