// SPDX-License-Identifier: GPL-2.0-only
/* Names: /names and what is done to directories. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "view_impl.h"

/**
 * vdfs_inode_at() - a user whose paths begin at an inode
 * @call: For whom.
 * @inode: Of a name or a directory below /names.
 *
 * The kernel found this name once, wherever it is by now. Its path may be that
 * of another.
 *
 * Return: The user.
 */
struct vdfs_who vdfs_inode_at(struct vdfs_call *call,
			      const struct vdfs_inode *inode)
{
	struct vdfs_who who = call->who;

	pthread_mutex_lock(&call->fuse->lock);
	who.at = inode->st.ino;
	pthread_mutex_unlock(&call->fuse->lock);
	return who;
}

/**
 * vdfs_inode_place() - the place that an inode has, or had
 * @call: For whom.
 * @inode: Of a file below /names.
 * @who: Out: the user; paths begin in its directory.
 * @name: Out: the name in there.
 */
void vdfs_inode_place(struct vdfs_call *call, const struct vdfs_inode *inode,
		      struct vdfs_who *who, char name[VDFS_PATH_MAX + 1])
{
	*who = call->who;
	pthread_mutex_lock(&call->fuse->lock);
	who->at = inode->parent->st.ino;
	snprintf(name, VDFS_PATH_MAX + 1, "%s", inode->name);
	pthread_mutex_unlock(&call->fuse->lock);
}

static enum vdfs_view_kind kind_of(const struct vdfs_stat *st)
{
	return S_ISDIR(st->mode) ? VDFS_NAMES : VDFS_NAME;
}

int vdfs_names_lookup(struct vdfs_call *call, struct vdfs_inode *dir,
		      const char *name, struct vdfs_inode **out)
{
	struct vdfs_who who = vdfs_inode_at(call, dir);
	struct vdfs_stat st;
	int err;

	vdfs_inode_settle(call->fuse, dir, name);
	err = vdfs_name_stat(call->fuse->store, &who, name, &st);
	if (err == -ENOENT)
		vdfs_hint_look(call, dir, name, NULL);
	if (err)
		return err;
	vdfs_inode_follow(call->fuse, dir, name, st.ino);
	/* A directory is seen on the way to what a thread looks for. */
	if (!S_ISDIR(st.mode) && vdfs_hint_look(call, dir, name, &st))
		return vdfs_hint_own(call, dir, name, &st, out);
	return vdfs_inode_find(call, dir, name, kind_of(&st), &st, out);
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

static int add_name(void *arg, const char *name, const struct vdfs_stat *st)
{
	struct batch *batch = arg;
	int err = vdfs_listing_add(batch->listing, name, st->ino, st->mode);

	if (err)
		return err;
	return --batch->left ? 0 : 1;
}

int vdfs_names_list(struct vdfs_call *call, struct vdfs_listing *listing)
{
	struct batch batch = { listing, VDFS_LIST_BATCH };
	struct vdfs_who who = vdfs_inode_at(call, listing->inode);
	int err = vdfs_name_list(call->fuse->store, &who, "",
				 vdfs_listing_last(listing), add_name, &batch);

	/* One that was taken away is empty. */
	if (err == -ESTALE)
		err = 0;
	if (!err)
		listing->done = true;
	return err < 0 ? err : 0;
}

int vdfs_names_unlink(struct vdfs_call *call, struct vdfs_inode *dir,
		      const char *name)
{
	struct vdfs_who who = vdfs_inode_at(call, dir);

	return vdfs_name_unlink(call->fuse->store, &who, name);
}

void vdfs_op_mkdir(fuse_req_t req, fuse_ino_t ino, const char *name,
		   mode_t mode)
{
	struct vdfs_call call = vdfs_call_of(req);
	struct vdfs_inode *dir = vdfs_inode_of(call.fuse, ino), *inode;
	struct vdfs_who who = vdfs_inode_at(&call, dir);
	int err = 0;

	if (call.fuse->read_only)
		err = -EROFS;
	else if (dir->kind != VDFS_NAMES)
		err = -EPERM;
	if (!err)
		err = vdfs_name_mkdir(call.fuse->store, &who, name, mode);
	if (!err)
		err = vdfs_names_lookup(&call, dir, name, &inode);
	if (err)
		fuse_reply_err(req, -err);
	else
		vdfs_reply_inode(&call, inode);
}

void vdfs_op_unlink(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	struct vdfs_call call = vdfs_call_of(req);
	struct vdfs_inode *dir = vdfs_inode_of(call.fuse, ino);
	const struct vdfs_view *view = &vdfs_views[dir->kind];
	int err = -EPERM;

	if (call.fuse->read_only)
		err = -EROFS;
	else if (view->unlink)
		err = view->unlink(&call, dir, name);
	if (!err)
		vdfs_inode_unlink(call.fuse, dir, name);
	vdfs_hint_done(&call);
	fuse_reply_err(req, -err);
}

void vdfs_op_rmdir(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	struct vdfs_call call = vdfs_call_of(req);
	struct vdfs_inode *dir = vdfs_inode_of(call.fuse, ino);
	struct vdfs_who who = vdfs_inode_at(&call, dir);
	int err = 0;

	if (call.fuse->read_only)
		err = -EROFS;
	else if (dir->kind != VDFS_NAMES)
		err = -EPERM;
	if (!err)
		err = vdfs_name_rmdir(call.fuse->store, &who, name);
	if (!err)
		vdfs_inode_unlink(call.fuse, dir, name);
	fuse_reply_err(req, -err);
}

static int rename_name(struct vdfs_call *call, struct vdfs_inode *dir,
		       const char *name, struct vdfs_inode *new_dir,
		       const char *new_name, unsigned int flags)
{
	struct vdfs_who who = vdfs_inode_at(call, dir);
	struct vdfs_who to = vdfs_inode_at(call, new_dir);
	struct vdfs_fuse *fuse = call->fuse;
	int err;

	if (fuse->read_only)
		return -EROFS;
	/* Programs copy what cannot be moved. */
	if (dir->kind != VDFS_NAMES || new_dir->kind != VDFS_NAMES)
		return -EXDEV;
	if (flags & ~RENAME_NOREPLACE)
		return -EINVAL;
	err = vdfs_name_rename_to(fuse->store, &who, name, to.at, new_name,
				  flags & RENAME_NOREPLACE);
	if (!err && (dir != new_dir || strcmp(name, new_name)))
		vdfs_inode_move(fuse, dir, name, new_dir, new_name);
	return err;
}

void vdfs_op_rename(fuse_req_t req, fuse_ino_t ino, const char *name,
		    fuse_ino_t new_ino, const char *new_name,
		    unsigned int flags)
{
	struct vdfs_call call = vdfs_call_of(req);
	int err = rename_name(&call, vdfs_inode_of(call.fuse, ino), name,
			      vdfs_inode_of(call.fuse, new_ino), new_name,
			      flags);

	vdfs_hint_done(&call);
	fuse_reply_err(req, -err);
}

static int link_name(struct vdfs_call *call, struct vdfs_inode *inode,
		     struct vdfs_inode *dir, const char *name,
		     struct vdfs_inode **out)
{
	struct vdfs_store *store = call->fuse->store;
	struct vdfs_who who = vdfs_inode_at(call, dir);
	struct vdfs_stat st;
	int err;

	if (call->fuse->read_only)
		return -EROFS;
	if (dir->kind != VDFS_NAMES || inode->kind != VDFS_HASH)
		return -EPERM;
	err = vdfs_name_stat(store, &who, name, &st);
	if (err != -ENOENT)
		return err ? err : -EEXIST;
	err = vdfs_name_link(store, &who, name, &inode->st.hash);
	return err ? err : vdfs_names_lookup(call, dir, name, out);
}

/*
 * A blob is given a name. Two names of one file there are not: programs that
 * ask for that copy when they are refused, and compare inode numbers when
 * they are not.
 */
void vdfs_op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t new_ino,
		  const char *name)
{
	struct vdfs_call call = vdfs_call_of(req);
	struct vdfs_inode *new;
	int err = link_name(&call, vdfs_inode_of(call.fuse, ino),
			    vdfs_inode_of(call.fuse, new_ino), name, &new);

	if (err)
		fuse_reply_err(req, -err);
	else
		vdfs_reply_inode(&call, new);
}

void vdfs_op_symlink(fuse_req_t req, const char *target, fuse_ino_t ino,
		     const char *name)
{
	(void)target;
	(void)ino;
	(void)name;
	fuse_reply_err(req, EPERM);
}

/* Plain files are made by open(2). */
void vdfs_op_mknod(fuse_req_t req, fuse_ino_t ino, const char *name,
		   mode_t mode, dev_t dev)
{
	(void)ino;
	(void)name;
	(void)mode;
	(void)dev;
	fuse_reply_err(req, EPERM);
}
