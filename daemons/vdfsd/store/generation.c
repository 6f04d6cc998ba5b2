// SPDX-License-Identifier: GPL-2.0-only
/* Raising the generation of the database: numbers of objects do, and others. */
#include <errno.h>
#include <stdlib.h>

#include "store_impl.h"

#define HIGHEST "vdfs-generation"

/*
 * The highest generation that this connection has given to table store; more
 * than there is when that was undone. NULL when there is no memory.
 */
static int64_t *highest(struct sqlite3 *db)
{
	int64_t *kept = sqlite3_get_clientdata(db, HIGHEST);

	if (kept)
		return kept;
	kept = calloc(1, sizeof(*kept));
	/* On failure SQLite has freed it. */
	if (kept && sqlite3_set_clientdata(db, HIGHEST, kept, free))
		kept = NULL;
	return kept;
}

/* Give an object the number behind the generation. */
static int renumber(struct sqlite3 *db, int64_t *id, int64_t *kept)
{
	struct sqlite3_stmt *st;
	int err;

	err = vdfs_sql(db, &st, "SELECT generation FROM store");
	if (!err)
		err = vdfs_sql_next(st);
	if (err <= 0)
		return err ?: -EBADMSG;
	if (*kept < sqlite3_column_int64(st, 0))
		*kept = sqlite3_column_int64(st, 0);
	sqlite3_reset(st);
	if (*id > *kept)
		return 0;
	err = vdfs_sql_run(db, "UPDATE object SET id = ?2 WHERE id = ?1",
			   VDFS_INT(*id), VDFS_INT(*kept + 1));
	*id = *kept + 1;
	return err;
}

/**
 * vdfs_identity_number() - let the number of an object be a new generation
 * @db: A connection inside a transaction.
 * @id: Number of an object that was just made, and is referred to nowhere;
 *      higher than that of any object there is. Out: higher than any that an
 *      object ever had, and than the generation.
 *
 * Context: Inside a vdfs_meta_fn that writes.
 * Return: 0 or a negative errno.
 */
int vdfs_identity_number(struct sqlite3 *db, int64_t *id)
{
	int64_t *kept = highest(db);

	if (!kept)
		return -ENOMEM;
	return *kept && *id > *kept ? 0 : renumber(db, id, kept);
}

/**
 * vdfs_identity_raise() - raise the generation of the database
 * @db: A connection inside a transaction.
 * @generation: Out, what it is then; NULL when nobody asks.
 *
 * Context: Inside a vdfs_meta_fn that writes.
 * Return: 0 or a negative errno.
 */
int vdfs_identity_raise(struct sqlite3 *db, int64_t *generation)
{
	struct sqlite3_stmt *st;
	int64_t *kept = highest(db), raised;
	int err;

	if (!kept)
		return -ENOMEM;
	err = vdfs_sql(db, &st,
		       "UPDATE store SET generation = " VDFS_GENERATION " + 1\n"
		       "RETURNING generation");
	if (!err)
		err = vdfs_sql_next(st);
	if (err <= 0)
		return err ?: -EBADMSG;
	raised = sqlite3_column_int64(st, 0);
	if (generation)
		*generation = raised;
	if (*kept < raised)
		*kept = raised;
	return vdfs_sql_next(st);
}
