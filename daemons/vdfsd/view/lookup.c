// SPDX-License-Identifier: GPL-2.0-only
/* From names to inodes and back; what is in the root of the view. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "view_impl.h"

static const struct {
	const char *name;
	enum vdfs_view_kind kind;
} tops[] = {
	{ "README", VDFS_README },
	{ "by-hash", VDFS_HASHES },
	{ "collections", VDFS_COLLECTIONS },
	{ "names", VDFS_NAMES },
};

#define TOPS ARRAY_SIZE(tops)

static int root_lookup(struct vdfs_call *call, struct vdfs_inode *dir,
		       const char *name, struct vdfs_inode **out)
{
	struct vdfs_stat st;
	size_t i;
	int err;

	for (i = 0; i < TOPS && strcmp(tops[i].name, name); i++)
		;
	if (i == TOPS)
		return -ENOENT;
	if (tops[i].kind != VDFS_NAMES)
		return vdfs_inode_find(call, dir, name, tops[i].kind, NULL,
				       out);
	err = vdfs_name_stat(call->fuse->store, &call->who, "", &st);
	if (err)
		return err;
	return vdfs_inode_find(call, dir, name, VDFS_NAMES, &st, out);
}

static int root_list(struct vdfs_call *call, struct vdfs_listing *listing)
{
	struct vdfs_stat st;
	size_t i;
	int err = vdfs_name_stat(call->fuse->store, &call->who, "", &st);

	for (i = 0; i < TOPS && !err; i++) {
		uint64_t ino =
			vdfs_virtual_ino(listing->inode, tops[i].name, 0);

		if (tops[i].kind == VDFS_NAMES)
			ino = st.ino;
		err = vdfs_listing_add(listing, tops[i].name, ino,
				       vdfs_views[tops[i].kind].mode);
	}
	listing->done = true;
	return err;
}

const struct vdfs_view vdfs_views[VDFS_KINDS] = {
	[VDFS_VIEW_ROOT] = {
		.mode = S_IFDIR | 0555,
		.lookup = root_lookup,
		.list = root_list,
	},
	[VDFS_README] = {
		.mode = S_IFREG | 0444,
		.text = vdfs_readme_text,
	},
	[VDFS_NAMES] = {
		.mode = S_IFDIR,
		.lookup = vdfs_names_lookup,
		.list = vdfs_names_list,
		.unlink = vdfs_names_unlink,
	},
	[VDFS_NAME] = {
		.mode = S_IFREG,
	},
	[VDFS_HASHES] = {
		.mode = S_IFDIR | 0777,
		.lookup = vdfs_hashes_lookup,
		.list = vdfs_hashes_list,
		.unlink = vdfs_hashes_unlink,
	},
	[VDFS_HASH] = {
		.mode = S_IFREG | 0444,
	},
	[VDFS_COLLECTIONS] = {
		.mode = S_IFDIR | 0555,
		.lookup = vdfs_collections_lookup,
		.list = vdfs_collections_list,
	},
	[VDFS_COLLECTION] = {
		.mode = S_IFDIR | 0555,
		.lookup = vdfs_view_collection_lookup,
		.list = vdfs_view_collection_list,
		.stat = vdfs_view_collection_stat,
	},
	[VDFS_INFO] = {
		.mode = S_IFREG | 0444,
		.text = vdfs_info_text,
	},
	[VDFS_ITEMS] = {
		.mode = S_IFDIR | 0777,
		.lookup = vdfs_items_lookup,
		.list = vdfs_items_list,
		.stat = vdfs_view_collection_stat,
		.unlink = vdfs_items_unlink,
	},
	[VDFS_ITEM] = {
		.mode = S_IFREG | 0666,
		.stat = vdfs_view_collection_stat,
		.text = vdfs_item_text,
		.save = vdfs_item_save,
	},
	[VDFS_SEARCHES] = {
		.mode = S_IFDIR | 0555,
		.lookup = vdfs_searches_lookup,
	},
	[VDFS_SEARCH] = {
		.mode = S_IFDIR | 0555,
		.lookup = vdfs_search_lookup,
		.list = vdfs_search_list,
	},
	[VDFS_RESULT] = {
		.mode = S_IFLNK | 0777,
	},
	[VDFS_WHYS] = {
		.mode = S_IFDIR | 0555,
		.lookup = vdfs_whys_lookup,
	},
	[VDFS_WHY] = {
		.mode = S_IFREG | 0444,
		.stat = vdfs_view_collection_stat,
		.text = vdfs_why_text,
		.no_size = true,
	},
};

/**
 * vdfs_inode_looked_up() - the kernel will know an inode from now on
 * @fuse: Of which view.
 * @inode: Which; the reference becomes the kernel's.
 */
void vdfs_inode_looked_up(struct vdfs_fuse *fuse, struct vdfs_inode *inode)
{
	pthread_mutex_lock(&fuse->lock);
	if (inode->lookups++)
		inode->refs--;
	pthread_mutex_unlock(&fuse->lock);
}

/**
 * vdfs_inode_entry() - report an inode to the kernel
 * @call: For whom.
 * @inode: Which.
 * @entry: Out.
 *
 * Names are not cached: the store has other users.
 *
 * Return: 0 or a negative errno.
 */
int vdfs_inode_entry(struct vdfs_call *call, struct vdfs_inode *inode,
		     struct fuse_entry_param *entry)
{
	memset(entry, 0, sizeof(*entry));
	entry->ino = (uintptr_t)inode;
	entry->generation = inode->serial;
	if (inode->kind == VDFS_NAME)
		entry->attr_timeout = VDFS_ATTR_TIMEOUT;
	return vdfs_stat_inode(call, inode, &entry->attr);
}

/**
 * vdfs_reply_inode() - answer a lookup
 * @call: Which.
 * @inode: The inode that was found; the reference is consumed.
 */
void vdfs_reply_inode(struct vdfs_call *call, struct vdfs_inode *inode)
{
	struct fuse_entry_param entry;
	int err = vdfs_inode_entry(call, inode, &entry);

	if (err) {
		vdfs_inode_put(call->fuse, inode);
		fuse_reply_err(call->req, -err);
		return;
	}
	vdfs_inode_looked_up(call->fuse, inode);
	if (fuse_reply_entry(call->req, &entry))
		vdfs_inode_forget(call->fuse, inode, 1);
}

void vdfs_op_lookup(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	struct vdfs_call call = vdfs_call_of(req);
	struct vdfs_inode *dir = vdfs_inode_of(call.fuse, ino), *inode;
	const struct vdfs_view *view = &vdfs_views[dir->kind];
	int err = view->lookup ? view->lookup(&call, dir, name, &inode) :
				 -ENOTDIR;

	if (err)
		fuse_reply_err(req, -err);
	else
		vdfs_reply_inode(&call, inode);
}

void vdfs_op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t lookups)
{
	struct vdfs_fuse *fuse = fuse_req_userdata(req);

	vdfs_inode_forget(fuse, vdfs_inode_of(fuse, ino), lookups);
	fuse_reply_none(req);
}

void vdfs_op_forget_multi(fuse_req_t req, size_t count,
			  struct fuse_forget_data *forgets)
{
	struct vdfs_fuse *fuse = fuse_req_userdata(req);
	size_t i;

	for (i = 0; i < count; i++)
		vdfs_inode_forget(fuse, vdfs_inode_of(fuse, forgets[i].ino),
				  forgets[i].nlookup);
	fuse_reply_none(req);
}

void vdfs_op_readlink(fuse_req_t req, fuse_ino_t ino)
{
	struct vdfs_call call = vdfs_call_of(req);
	struct vdfs_inode *inode = vdfs_inode_of(call.fuse, ino);
	char *target;
	int err;

	if (inode->kind != VDFS_RESULT) {
		fuse_reply_err(req, EINVAL);
		return;
	}
	err = vdfs_result_target(&call, inode, &target);
	if (err) {
		fuse_reply_err(req, -err);
		return;
	}
	fuse_reply_readlink(req, target);
	free(target);
}
