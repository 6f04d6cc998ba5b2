// SPDX-License-Identifier: GPL-2.0-only
/* Blobs without names: who keeps them. */
#include <errno.h>

#include "store_impl.h"

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
