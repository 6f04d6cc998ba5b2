// SPDX-License-Identifier: GPL-2.0-only
/* Blobs without names: who keeps them, and which there are. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store_impl.h"

#define PAGE 256 /* blobs listed in one transaction */

/**
 * struct keep - a blob to keep or to drop
 * @store: The store.
 * @who: For whom.
 * @hash: Of the blob.
 * @drop: Which.
 */
struct keep {
	struct vdfs_store *store;
	const struct vdfs_who *who;
	const struct vdfs_hash *hash;
	bool drop;
};

static int keep(struct sqlite3 *db, void *arg)
{
	struct keep *k = arg;
	struct vdfs_object object;
	int err;

	if (k->drop) {
		err = vdfs_ref_find(db, k->who->uid, k->hash, true, &object);
		return err ?: vdfs_ref_drop(db, k->store, k->who->uid, &object);
	}
	err = vdfs_blob_find(db, k->store, k->who, k->hash, &object);
	return err ?: vdfs_ref_keep(db, k->store, k->who->uid, &object);
}

/**
 * vdfs_blob_keep_here() - refer to a blob without naming it
 * @store: The store.
 * @who: The user, who may see it.
 * @hash: Of the blob, whose bytes are here.
 *
 * Context: Any thread. Waits for the disk.
 * Return: 0, -ENOENT, -EDQUOT, or another negative errno.
 */
int vdfs_blob_keep_here(struct vdfs_store *store, const struct vdfs_who *who,
			const struct vdfs_hash *hash)
{
	struct keep k = { .store = store, .who = who, .hash = hash };
	int err = vdfs_store_writable(store);

	return err ?: vdfs_meta_write(store->meta, keep, &k);
}

/**
 * vdfs_blob_drop() - undo a vdfs_blob_keep() or a put without a name
 * @store: The store.
 * @who: The user.
 * @hash: Of the blob.
 *
 * Context: Any thread. Waits for the disk.
 * Return: 0, -ENOENT when the user does not keep it, or another negative
 * errno.
 */
int vdfs_blob_drop(struct vdfs_store *store, const struct vdfs_who *who,
		   const struct vdfs_hash *hash)
{
	struct keep k = {
		.store = store, .who = who, .hash = hash, .drop = true
	};

	return vdfs_store_writable(store) ?: vdfs_store_write(store, keep, &k);
}

/**
 * struct page - a part of the list of blobs
 * @store: The store.
 * @who: For whom.
 * @after: From behind these keys on.
 * @from: Length of that: 0 = from the first.
 * @n: Out, how many.
 * @object: Out.
 */
struct page {
	struct vdfs_store *store;
	const struct vdfs_who *who;
	uint8_t after[VDFS_OBJECT_LAST];
	size_t from;
	unsigned int n;
	struct vdfs_object object[PAGE];
};

static int fill_page(struct sqlite3 *db, void *arg)
{
	struct page *p = arg;
	struct sqlite3_stmt *st;
	int err;

	p->n = 0;
	err = vdfs_sql(db, &st,
		       "SELECT id, hash, size FROM object\n"
		       "WHERE hash > ? AND users > 0 ORDER BY hash",
		       VDFS_BLOB(p->after, p->from));
	while (!err && (err = vdfs_sql_next(st)) > 0) {
		struct vdfs_object *object = &p->object[p->n];

		memset(object, 0, sizeof(*object));
		if (sqlite3_column_bytes(st, 1) < (int)sizeof(object->hash))
			return -EBADMSG;
		object->id = sqlite3_column_int64(st, 0);
		memcpy(&object->hash, sqlite3_column_blob(st, 1),
		       sizeof(object->hash));
		object->size = sqlite3_column_int64(st, 2);
		object->users = 1;
		/* Of several users' blobs of one content one is listed. */
		if (p->n && vdfs_hash_equal(&object->hash, &object[-1].hash)) {
			err = 0;
			continue;
		}
		err = vdfs_blob_visible(db, p->store, p->who, object);
		if (err > 0) {
			p->n++;
			err = 0;
		}
		if (err || p->n == PAGE)
			break;
	}
	return err;
}

/**
 * vdfs_blob_list() - list the blobs a user may see
 * @store: The store.
 * @who: The user.
 * @after: From behind this hash on; NULL = all.
 * @fn: Called for each, in the order of hashes.
 * @arg: Its argument.
 *
 * Blobs that come or go meanwhile may be listed or not.
 *
 * Context: Any thread; @fn may use the store.
 * Return: 0, what @fn returned, or a negative errno.
 */
int vdfs_blob_list(struct vdfs_store *store, const struct vdfs_who *who,
		   const struct vdfs_hash *after, vdfs_blob_fn *fn, void *arg)
{
	struct page *p = malloc(sizeof(*p));
	unsigned int i;
	int err;

	if (!p)
		return -ENOMEM;
	p->store = store;
	p->who = who;
	p->from = after ? sizeof(p->after) : 0;
	if (after)
		vdfs_object_last(after, p->after);
	do {
		err = vdfs_meta_read(store->meta, fill_page, p);
		for (i = 0; !err && i < p->n; i++)
			err = fn(arg, &p->object[i].hash, p->object[i].size);
		if (p->n) {
			vdfs_object_last(&p->object[p->n - 1].hash, p->after);
			p->from = sizeof(p->after);
		}
	} while (!err && p->n == PAGE);
	free(p);
	return err;
}
