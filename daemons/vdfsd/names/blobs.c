// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where blobs are read: here, or first fetched from the remote that the store
 * is a cache of. Below this nothing waits for the network; route.c does the
 * same for names.
 */
#include <errno.h>

#include "names.h"
#include "store/away.h"

/* Fetches of one blob that leaves the cache again at once. */
#define FETCHES 4

/**
 * vdfs_blob_open() - open a blob to read
 * @store: The store.
 * @who: The user.
 * @hash: Of the blob.
 * @out: The blob; vdfs_blob_close() it.
 *
 * Context: Any thread. May wait for the network.
 * Return: 0, -ENOENT, -EREMOTEIO when only a remote had it, or another
 * negative errno.
 */
int vdfs_blob_open(struct vdfs_store *store, const struct vdfs_who *who,
		   const struct vdfs_hash *hash, struct vdfs_blob **out)
{
	const struct vdfs_away_ops *remote = vdfs_store_away(store);
	struct vdfs_object away;
	int i, ret;

	for (i = 0;; i++) {
		ret = vdfs_blob_open_here(store, who, hash, out, &away);
		if (ret != VDFS_BLOB_AWAY)
			break;
		if (!remote || i == FETCHES)
			return -EREMOTEIO;
		ret = remote->fetch(store, &away);
		if (ret)
			return ret;
	}
	if (!ret && remote)
		remote->used(store, hash);
	return ret;
}

/**
 * vdfs_blob_keep() - refer to a blob without naming it
 * @store: The store.
 * @who: The user, who may see it.
 * @hash: Of the blob.
 *
 * Context: Any thread. Waits for the disk, and may for the network.
 * Return: 0, -ENOENT, -EDQUOT, or another negative errno.
 */
int vdfs_blob_keep(struct vdfs_store *store, const struct vdfs_who *who,
		   const struct vdfs_hash *hash)
{
	struct vdfs_blob *blob = NULL;
	int err = vdfs_store_writable(store);

	/* Fetch it: the remote stores named blobs only, and this has no name. */
	if (!err && vdfs_store_away(store))
		err = vdfs_blob_open(store, who, hash, &blob);
	if (!err)
		err = vdfs_blob_keep_here(store, who, hash);
	vdfs_blob_close(blob);
	return err;
}
