// SPDX-License-Identifier: GPL-2.0-only
/* Checking a store: the database, every byte, and every count. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "check_impl.h"

/**
 * vdfs_fsck_fault() - count faults and report them
 * @f: The check.
 * @n: How many.
 * @format: As for printf(), one line.
 *
 * Context: The check's thread.
 */
void vdfs_fsck_fault(struct vdfs_fsck *f, uint64_t n, const char *format, ...)
{
	char line[256];
	va_list args;

	f->result.faults += n;
	if (!f->report)
		return;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	f->report(f->arg, line);
}

/**
 * vdfs_fsck_read() - count bytes that were read
 * @f: The check.
 * @bytes: How many.
 *
 * Context: The check's thread.
 * Return: 0, or -ECANCELED when it shall stop.
 */
int vdfs_fsck_read(struct vdfs_fsck *f, uint64_t bytes)
{
	f->result.bytes += bytes;
	if (f->total < f->result.bytes)
		f->total = f->result.bytes;
	if (f->progress && !f->progress(f->arg, f->result.bytes, f->total))
		return -ECANCELED;
	return 0;
}

/**
 * vdfs_fsck_bad() - remember a damaged object
 * @f: The check.
 * @object: Its row.
 *
 * Context: The check's thread.
 * Return: 0 or -ENOMEM.
 */
int vdfs_fsck_bad(struct vdfs_fsck *f, int64_t object)
{
	int64_t *bad = f->bad;

	/* Room doubles, at powers of two. */
	if (!(f->n_bad & (f->n_bad + 1)))
		bad = realloc(bad, 2 * (f->n_bad + 1) * sizeof(*bad));
	if (!bad)
		return -ENOMEM;
	f->bad = bad;
	bad[f->n_bad++] = object;
	return 0;
}

/* Names of a damaged blob go, with what their users pay for them. */
static int hide_names(struct sqlite3 *db, struct vdfs_store *store, int64_t id)
{
	struct vdfs_name_node node;
	struct sqlite3_stmt *st;
	int err;

	for (;;) {
		err = vdfs_sql(db, &st,
			       "SELECT ino FROM node WHERE object = ? LIMIT 1",
			       VDFS_INT(id));
		if (!err)
			err = vdfs_sql_next(st);
		if (err <= 0)
			return err;
		err = vdfs_node_load(db, sqlite3_column_int64(st, 0), &node);
		sqlite3_reset(st);
		if (!err)
			err = vdfs_name_delete(db, store, &node);
		if (err)
			return err;
	}
}

static int hide_one(struct sqlite3 *db, struct vdfs_store *store, int64_t id)
{
	struct vdfs_object object;
	int err;

	err = vdfs_object_load(db, id, &object);
	if (err)
		return err == -ENOENT ? 0 : err;
	err = hide_names(db, store, id);
	if (err)
		return err;
	err = vdfs_sql_run(db,
			   "UPDATE quota SET used = used - ?2 WHERE uid IN\n"
			   "(SELECT uid FROM ref WHERE object = ?1)",
			   VDFS_INT(id), VDFS_INT(object.size));
	if (!err)
		err = vdfs_sql_run(db, "DELETE FROM ref WHERE object = ?",
				   VDFS_INT(id));
	/* A put of the same bytes must not be given the damaged object. */
	if (!err)
		err = vdfs_sql_run(db,
				   "UPDATE object SET hash = NULL, users = 0\n"
				   "WHERE id = ?",
				   VDFS_INT(id));
	return err;
}

static int hide(struct sqlite3 *db, void *arg)
{
	struct vdfs_fsck *f = arg;
	size_t i;
	int err = 0;

	/* Those puts were acknowledged: what they mended must not be hidden. */
	if (vdfs_store_mended(f->store) != f->mended)
		return -EAGAIN;
	for (i = 0; !err && i < f->n_bad; i++)
		err = hide_one(db, f->store, f->bad[i]);
	return err;
}

static int sum_up(struct sqlite3 *db, void *arg)
{
	struct vdfs_fsck *f = arg;
	struct sqlite3_stmt *st;
	int err;

	err = vdfs_sql(db, &st,
		       "SELECT total(size), total(size *\n"
		       "(users = 0 AND parts = 0 AND kind != 2)) FROM object");
	if (!err)
		err = vdfs_sql_next(st);
	if (err <= 0)
		return err ?: -EBADMSG;
	f->total = sqlite3_column_int64(st, 0);
	f->result.garbage = sqlite3_column_int64(st, 1);
	return 0;
}

/* A database that cannot be read is a fault, and ends the check. */
static int check_meta(struct vdfs_fsck *f)
{
	int err = vdfs_meta_check(vdfs_store_meta(f->store));

	if (err == -EBADMSG)
		vdfs_fsck_fault(
			f, 1,
			"meta.db: damaged; restore it, or what sqlite3 meta.db .recover gives");
	return err;
}

/* Some of what is damaged was put once more meanwhile; which is not known. */
static int hide_none(struct vdfs_fsck *f)
{
	vdfs_fsck_fault(
		f, 1,
		"damaged blobs were stored again meanwhile: none is taken out of sight, check once more");
	return 0;
}

static int run(struct vdfs_fsck *f)
{
	int err;

	err = check_meta(f);
	if (!err)
		err = vdfs_meta_read(vdfs_store_meta(f->store), sum_up, f);
	if (!err)
		err = vdfs_fsck_packs(f);
	if (!err)
		err = vdfs_fsck_objects(f);
	if (!err && f->n_bad && f->flags & VDFS_FSCK_REPAIR) {
		err = vdfs_meta_write(vdfs_store_meta(f->store), hide, f);
		if (!err)
			f->result.repaired += f->n_bad;
		else if (err == -EAGAIN)
			err = hide_none(f);
	}
	if (!err)
		err = vdfs_fsck_rows(f);
	/* Told by the line there was for it. */
	return err == -EBADMSG && f->result.faults ? 0 : err;
}

/**
 * vdfs_fsck() - check all of a store
 * @store: The store.
 * @flags: VDFS_FSCK_REPAIR: a damaged blob loses its names and whoever kept
 *         it, so that it can be put once more; counts are made right.
 * @report: Called with a line for each fault; NULL = nobody.
 * @progress: To tell how far it is, and to stop it; NULL = nobody.
 * @arg: Argument of both.
 * @out: Counts of blobs, bytes and faults.
 *
 * Context: Any thread, beside everything but gc.
 * Return: 0 when all was looked at, whatever was found; -ECANCELED, or
 * another negative errno.
 */
int vdfs_fsck(struct vdfs_store *store, uint32_t flags,
	      void (*report)(void *arg, const char *line),
	      vdfs_store_progress *progress, void *arg,
	      struct vdfs_fsck_result *out)
{
	struct vdfs_fsck f = { .store = store,
			       .flags = flags,
			       .report = report,
			       .progress = progress,
			       .arg = arg };
	int err;

	if (flags & ~VDFS_FSCK_REPAIR)
		return -EINVAL;
	err = flags & VDFS_FSCK_REPAIR ? vdfs_store_writable(store) : 0;
	if (err)
		return err;
	vdfs_gc_hold(store);
	f.mended = vdfs_store_mended(store);
	err = run(&f);
	vdfs_gc_release(store);
	free(f.bad);
	if (out)
		*out = f.result;
	return err;
}
