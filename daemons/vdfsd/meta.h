/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFS_META_H
#define VDFS_META_H

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
 */

struct sqlite3;
struct vdfs_meta;

/**
 * typedef vdfs_meta_fn - what is done to the database
 * @db: A connection inside a transaction; no BEGIN, COMMIT or ROLLBACK.
 * @arg: The caller's.
 *
 * A writer may be run again, when the commit that it shared has to be
 * split: it must set its results, not add to them. It does nothing slow.
 *
 * Return: 0 or a negative errno, which undoes what it did.
 */
typedef int vdfs_meta_fn(struct sqlite3 *db, void *arg);

int vdfs_meta_open(const char *path, struct vdfs_meta **out);
void vdfs_meta_close(struct vdfs_meta *meta);
int vdfs_meta_write(struct vdfs_meta *meta, vdfs_meta_fn *fn, void *arg);
int vdfs_meta_read(struct vdfs_meta *meta, vdfs_meta_fn *fn, void *arg);
int vdfs_meta_check(struct vdfs_meta *meta);
int vdfs_meta_errno(struct sqlite3 *db);

/* The tables of each noun; statements that may be run again. */
extern const char vdfs_schema_blob[];
extern const char vdfs_schema_name[];
extern const char vdfs_schema_collection[];

#endif /* VDFS_META_H */
