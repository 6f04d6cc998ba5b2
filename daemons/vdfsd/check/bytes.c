// SPDX-License-Identifier: GPL-2.0-only
/* Reading every object, and every blob, and comparing it with its hash. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check_impl.h"
#include "store/away.h"

#define BATCH 256 /* objects looked up in one transaction */

/**
 * struct walk - objects that are looked at
 * @after: From behind this row on.
 * @lists: Lists, or everything else.
 * @n: Out, how many.
 * @object: Out.
 */
struct walk {
	int64_t after;
	bool lists;
	unsigned int n;
	struct vdfs_object object[BATCH];
};

static int find_objects(struct sqlite3 *db, void *arg)
{
	struct walk *w = arg;
	struct sqlite3_stmt *st;
	int64_t id[BATCH];
	unsigned int i, n = 0;
	int err;

	err = vdfs_sql(db, &st,
		       "SELECT id FROM object WHERE id > ? AND (kind = 2) = ?\n"
		       "AND hash IS NOT NULL ORDER BY id LIMIT ?",
		       VDFS_INT(w->after), VDFS_INT(w->lists), VDFS_INT(BATCH));
	while (!err && (err = vdfs_sql_next(st)) > 0) {
		id[n++] = sqlite3_column_int64(st, 0);
		err = 0;
	}
	for (i = 0; !err && i < n; i++)
		err = vdfs_object_load(db, id[i], &w->object[i]);
	w->n = n;
	return err;
}

/* Read a record and compare it with its hash, not with its checksum alone. */
static int check_record(struct vdfs_fsck *f, const struct vdfs_object *object)
{
	struct vdfs_hash hash;
	void *buf;
	int err;

	if (object->size > VDFS_LARGE)
		return -EBADMSG;
	buf = malloc(object->size ?: 1);
	if (!buf)
		return -ENOMEM;
	err = vdfs_record_read(f->store, object, buf);
	if (!err)
		err = vdfs_hash_bytes(buf, object->size, &hash);
	if (!err && !vdfs_hash_equal(&hash, &object->hash))
		err = -EBADMSG;
	free(buf);
	return err == -ESTALE ? -EBADMSG : err;
}

static int hash_blob(struct vdfs_fsck *f, struct vdfs_blob *blob, void *buf,
		     struct evp_md_ctx_st *ctx)
{
	struct vdfs_hash hash;
	uint64_t at = 0;
	ssize_t n;
	int err;

	while ((n = vdfs_blob_read(blob, buf, VDFS_LARGE, at)) > 0) {
		err = vdfs_hash_more(ctx, buf, n);
		if (!err)
			err = vdfs_fsck_read(f, n);
		if (err)
			return err;
		at += n;
	}
	if (n < 0)
		return n;
	err = vdfs_hash_end(ctx, &hash);
	if (!err && !vdfs_hash_equal(&hash, vdfs_blob_hash(blob)))
		err = -EBADMSG;
	return err;
}

/* Read a list or a file as whoever opens it would. */
static int check_blob(struct vdfs_fsck *f, const struct vdfs_object *object)
{
	struct evp_md_ctx_st *ctx;
	struct vdfs_blob *blob;
	void *buf;
	int err;

	err = vdfs_blob_open_row(f->store, object, &blob);
	if (err)
		return err == -ENOENT || err == VDFS_BLOB_AWAY ? 0 : err;
	buf = malloc(VDFS_LARGE);
	ctx = vdfs_hash_new();
	err = buf && ctx ? hash_blob(f, blob, buf, ctx) : -ENOMEM;
	vdfs_hash_free(ctx);
	free(buf);
	vdfs_blob_close(blob);
	return err;
}

static int tell(struct vdfs_fsck *f, const struct vdfs_object *object)
{
	char text[VDFS_HASH_TEXT];

	vdfs_hash_print(&object->hash, text);
	if (object->kind == VDFS_RECORD)
		vdfs_fsck_fault(f, 1, "%s %s: damaged, in pack/%08u at %llu",
				object->users ? "blob" : "part", text,
				object->segment,
				(unsigned long long)object->place);
	else
		vdfs_fsck_fault(f, 1, "blob %s: damaged, %s", text,
				object->kind == VDFS_FILE ?
					"in a file of its own" :
					"in one of its parts");
	if (object->users)
		f->result.damaged++;
	return vdfs_fsck_bad(f, object->id);
}

static int check_one(struct vdfs_fsck *f, const struct vdfs_object *object)
{
	int err;

	/* Bytes in the remote are checked when they are fetched. */
	if (object->kind == VDFS_AWAY)
		return 0;
	if (object->users)
		f->result.blobs++;
	else if (object->kind != VDFS_RECORD)
		return 0;
	if (object->kind != VDFS_RECORD) {
		err = check_blob(f, object);
	} else {
		err = check_record(f, object);
		if (!err)
			err = vdfs_fsck_read(f, object->size);
	}
	/* Bytes that cannot be read count as damaged. */
	return err == -EBADMSG || err == -EIO ? tell(f, object) : err;
}

static int check_all(struct vdfs_fsck *f, struct walk *w)
{
	unsigned int i;
	int err;

	w->after = 0;
	do {
		err = vdfs_meta_read(vdfs_store_meta(f->store), find_objects,
				     w);
		for (i = 0; !err && i < w->n; i++)
			err = check_one(f, &w->object[i]);
		if (w->n)
			w->after = w->object[w->n - 1].id;
	} while (!err && w->n == BATCH);
	return err;
}

/**
 * vdfs_fsck_objects() - check what objects and blobs contain
 * @f: The check.
 *
 * Context: The check's thread.
 * Return: 0 or a negative errno.
 */
int vdfs_fsck_objects(struct vdfs_fsck *f)
{
	struct walk *w = calloc(1, sizeof(*w));
	int err;

	if (!w)
		return -ENOMEM;
	err = check_all(f, w);
	w->lists = true;
	if (!err)
		err = check_all(f, w);
	free(w);
	return err;
}
