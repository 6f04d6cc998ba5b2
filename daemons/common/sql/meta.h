/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFS_META_H
#define VDFS_META_H

#include <stddef.h>
#include <stdint.h>

/**
 * DOC: The database
 *
 * One SQLite file in WAL mode holds everything but the bytes of blobs: where
 * these lie, names, owners, collections and, as the truth that every index
 * can be built from, vectors.
 *
 * Writers share commits: what waits while a commit is being written to the
 * disk goes into the next one, each in a savepoint of its own, so that one
 * that fails undoes nothing but itself. A write has returned 0 only after
 * the commit it was in is on the disk (synchronous=FULL). Readers each see
 * one commit and wait for nobody.
 *
 * On a disk that is full, room is kept for changes that give some back, such as
 * deletes; as long as it is not there, all others fail with -ENOSPC.
 *
 * After a sync of the log that failed, every write fails with -EROFS: what
 * the disk holds is not known any more until the database is opened again.
 */

struct sqlite3;
struct sqlite3_stmt;
struct vdfs_meta;

/**
 * typedef vdfs_meta_fn - what is done to the database
 * @db: A connection inside a transaction; no BEGIN, COMMIT or ROLLBACK.
 * @arg: The caller's.
 *
 * A writer may be run again, when the commit that it shared has to be
 * split: it must set its results, not add to them. It does nothing slow. It
 * leaves its effects outside the database to vdfs_meta_after().
 *
 * Return: 0 or a negative errno, which undoes what it did.
 */
typedef int vdfs_meta_fn(struct sqlite3 *db, void *arg);

/* The effect of a change once it is on the disk; for @uid, by @n. */
typedef void vdfs_after_fn(void *arg, uint32_t uid, uint64_t n);

/*
 * Begins a text of a schema that is run only on a database that a version before
 * the number behind it made: it adds to tables what these now begin with.
 */
#define VDFS_META_BEFORE "-- before "
/*
 * The same for one that is opened read-only: views that stand in for its tables.
 * Rules that ask whether a table has a column look at the table itself.
 */
#define VDFS_META_STAND_IN "-- read-only, before "

#define VDFS_META_READ_ONLY 0x1U /* change nothing in the file */

int vdfs_meta_open(const char *path, const char *const *schemas,
		   struct vdfs_meta **out);
int vdfs_meta_open_flags(const char *path, uint32_t flags,
			 const char *const *schemas, struct vdfs_meta **out);
void vdfs_meta_close(struct vdfs_meta *meta);
int vdfs_meta_write(struct vdfs_meta *meta, vdfs_meta_fn *fn, void *arg);
/* A change that gives room back, for which some is kept; see room.c. */
int vdfs_meta_free(struct vdfs_meta *meta, vdfs_meta_fn *fn, void *arg);
/* In a change: do this once it is on the disk, and never if it is undone. */
int vdfs_meta_after(struct sqlite3 *db, vdfs_after_fn *fn, void *arg,
		    uint32_t uid, uint64_t n);
int vdfs_meta_reserve(struct vdfs_meta *meta);
int vdfs_meta_room(struct vdfs_meta *meta);
void vdfs_meta_lend(int dir);
int vdfs_meta_read(struct vdfs_meta *meta, vdfs_meta_fn *fn, void *arg);
int vdfs_meta_check(struct vdfs_meta *meta);
/* Before vdfs_meta_close(): put the log into the file; or leave it there. */
int vdfs_meta_settle(struct vdfs_meta *meta);
void vdfs_meta_keep_log(struct vdfs_meta *meta);
int vdfs_meta_errno(struct sqlite3 *db);

/**
 * struct vdfs_value - what is bound to one parameter of a statement
 * @type: enum vdfs_value_type.
 * @data: Bytes, valid until the statement is reset; NULL = SQL's NULL.
 * @n: The integer, or how many bytes.
 */
struct vdfs_value {
	enum vdfs_value_type {
		VDFS_VALUE_START,
		VDFS_VALUE_INT,
		VDFS_VALUE_BLOB,
		VDFS_VALUE_TEXT,
		VDFS_VALUE_END,
	} type;
	const void *data;
	int64_t n;
};

#define VDFS_INT(value) \
	((struct vdfs_value){ VDFS_VALUE_INT, NULL, (int64_t)(value) })
#define VDFS_BLOB(bytes, len) \
	((struct vdfs_value){ VDFS_VALUE_BLOB, (bytes), (int64_t)(len) })
#define VDFS_TEXT(string) ((struct vdfs_value){ VDFS_VALUE_TEXT, (string), -1 })
#define VDFS_VALUES(...)                                             \
	((const struct vdfs_value[]){ { VDFS_VALUE_START, NULL, 0 }, \
				      ##__VA_ARGS__,                 \
				      { VDFS_VALUE_END, NULL, 0 } })

/*
 * Statements are kept, prepared, by the address of their text, which has to
 * be a constant. vdfs_sql() is followed by vdfs_sql_next() until that
 * returns something other than 1; asking for the same statement again
 * restarts it, so no statement is nested in itself. vdfs_sql_run() does
 * both, for statements without rows. vdfs_sum(VALUE, ...) is a CRC-32C of
 * integers, bytes and NULLs.
 */
int vdfs_sql_bind(struct sqlite3 *db, struct sqlite3_stmt **out,
		  const char *sql, const struct vdfs_value *values);
int vdfs_sql_next(struct sqlite3_stmt *st);
uint64_t vdfs_sql_steps(void);
int vdfs_sql_exec(struct sqlite3 *db, const char *sql,
		  const struct vdfs_value *values);

#define vdfs_sql(db, out, sql, ...) \
	vdfs_sql_bind(db, out, sql, VDFS_VALUES(__VA_ARGS__))
#define vdfs_sql_run(db, sql, ...) \
	vdfs_sql_exec(db, sql, VDFS_VALUES(__VA_ARGS__))

#endif /* VDFS_META_H */
