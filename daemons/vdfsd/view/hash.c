// SPDX-License-Identifier: GPL-2.0-only
/* Blobs by their hash: /by-hash. */
#include <errno.h>
#include <sys/stat.h>

#include "view_impl.h"

int vdfs_hashes_lookup(struct vdfs_call *call, struct vdfs_inode *dir,
		       const char *name, struct vdfs_inode **out)
{
	struct vdfs_stat st = {};
	struct vdfs_blob *blob;
	int err = vdfs_hash_parse(name, &st.hash);

	if (err)
		return -ENOENT;
	err = vdfs_blob_open(call->fuse->store, &call->who, &st.hash, &blob);
	if (err)
		return err;
	st.size = vdfs_blob_size(blob);
	vdfs_blob_close(blob);
	return vdfs_inode_find(call, dir, name, VDFS_HASH, &st, out);
}

/**
 * struct batch - entries still to be read
 * @listing: Where to.
 * @left: How many more.
 */
struct batch {
	struct vdfs_listing *listing;
	unsigned int left;
};

static int add_blob(void *arg, const struct vdfs_hash *hash, uint64_t size)
{
	struct batch *batch = arg;
	char text[VDFS_HASH_TEXT];
	int err;

	(void)size;
	vdfs_hash_print(hash, text);
	err = vdfs_listing_add(batch->listing, text,
			       vdfs_virtual_ino(batch->listing->inode, text, 0),
			       S_IFREG);
	if (err)
		return err;
	return --batch->left ? 0 : 1;
}

int vdfs_hashes_list(struct vdfs_call *call, struct vdfs_listing *listing)
{
	struct batch batch = { listing, VDFS_LIST_BATCH };
	const char *last = vdfs_listing_last(listing);
	struct vdfs_hash after;
	int err = last ? vdfs_hash_parse(last, &after) : 0;

	if (!err)
		err = vdfs_blob_list(call->fuse->store, &call->who,
				     last ? &after : NULL, add_blob, &batch);
	if (!err)
		listing->done = true;
	return err < 0 ? err : 0;
}

/* The user keeps it no longer; names that stand for it do. */
int vdfs_hashes_unlink(struct vdfs_call *call, struct vdfs_inode *dir,
		       const char *name)
{
	struct vdfs_hash hash;
	int err = vdfs_hash_parse(name, &hash);

	(void)dir;
	return err ? -ENOENT :
		     vdfs_blob_drop(call->fuse->store, &call->who, &hash);
}
