// SPDX-License-Identifier: GPL-2.0-only
/*
 * Open directories. Entries are numbered as they are read, a batch at a
 * time, and kept until the directory is closed or read from the start
 * again: every offset stays what it was, whatever happens meanwhile.
 *
 * There is no readdirplus: what it saves is lookups, and names are not
 * cached.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "view_impl.h"

/* "." and "..". */
#define DOTS 2

/**
 * vdfs_listing_add() - one more entry
 * @listing: Of which directory.
 * @name: Its name.
 * @ino: Its number.
 * @mode: Its type.
 *
 * Return: 0 or -ENOMEM.
 */
int vdfs_listing_add(struct vdfs_listing *listing, const char *name,
		     uint64_t ino, mode_t mode)
{
	struct vdfs_listed *entry = listing->entry;
	size_t room = listing->room;

	if (listing->count == room) {
		room = room ? 2 * room : 64;
		entry = reallocarray(entry, room, sizeof(*entry));
		if (!entry)
			return -ENOMEM;
		listing->entry = entry;
		listing->room = room;
	}
	entry = &entry[listing->count];
	entry->name = strdup(name);
	if (!entry->name)
		return -ENOMEM;
	entry->ino = ino;
	entry->mode = mode;
	listing->count++;
	return 0;
}

/**
 * vdfs_listing_last() - behind which entry to go on
 * @listing: Of which directory.
 *
 * Return: The name of the last one, NULL at the start.
 */
const char *vdfs_listing_last(const struct vdfs_listing *listing)
{
	if (listing->count <= DOTS)
		return NULL;
	return listing->entry[listing->count - 1].name;
}

static void clear(struct vdfs_listing *listing)
{
	size_t i;

	for (i = 0; i < listing->count; i++)
		free(listing->entry[i].name);
	listing->count = 0;
	listing->done = false;
}

static int add_dots(struct vdfs_listing *listing)
{
	struct vdfs_inode *dir = listing->inode;
	uint64_t ino[2] = { 0, 0 };
	int i, err;

	for (i = 0; i < 2; i++) {
		ino[i] = vdfs_inode_ino(dir);
		if (dir->parent)
			dir = dir->parent;
	}
	err = vdfs_listing_add(listing, ".", ino[0], S_IFDIR);
	return err ? err : vdfs_listing_add(listing, "..", ino[1], S_IFDIR);
}

static void listing_free(struct vdfs_fuse *fuse, struct vdfs_listing *listing)
{
	clear(listing);
	free(listing->entry);
	pthread_mutex_lock(&fuse->lock);
	LIST_REMOVE(listing, all);
	vdfs_inode_put_locked(fuse, listing->inode);
	pthread_mutex_unlock(&fuse->lock);
	vdfs_uncharge(fuse->store, listing->uid, VDFS_CHARGE_DIRS, 1);
	pthread_mutex_destroy(&listing->lock);
	free(listing);
}

/**
 * vdfs_listings_fini() - close what users still have open
 * @fuse: Of which view; nobody serves it any more.
 */
void vdfs_listings_fini(struct vdfs_fuse *fuse)
{
	while (!LIST_EMPTY(&fuse->listings))
		listing_free(fuse, LIST_FIRST(&fuse->listings));
}

void vdfs_op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct vdfs_call call = vdfs_call_of(req);
	struct vdfs_inode *inode = vdfs_inode_of(call.fuse, ino);
	struct vdfs_store *store = call.fuse->store;
	struct vdfs_listing *listing;
	int err = vdfs_inode_may(&call, inode, R_OK);

	if (!err)
		err = vdfs_charge(store, call.who.uid, VDFS_CHARGE_DIRS, 1);
	if (err) {
		fuse_reply_err(req, -err);
		return;
	}
	listing = calloc(1, sizeof(*listing));
	if (!listing) {
		vdfs_uncharge(store, call.who.uid, VDFS_CHARGE_DIRS, 1);
		fuse_reply_err(req, ENOMEM);
		return;
	}
	listing->uid = call.who.uid;
	pthread_mutex_init(&listing->lock, NULL);
	pthread_mutex_lock(&call.fuse->lock);
	inode->refs++;
	listing->inode = inode;
	LIST_INSERT_HEAD(&call.fuse->listings, listing, all);
	pthread_mutex_unlock(&call.fuse->lock);
	fi->fh = (uintptr_t)listing;
	if (fuse_reply_open(req, fi))
		listing_free(call.fuse, listing);
}

/* Have entry @at, if there are so many. */
static int fetch(struct vdfs_call *call, struct vdfs_listing *listing,
		 size_t at)
{
	const struct vdfs_view *view = &vdfs_views[listing->inode->kind];
	int err = 0;

	if (!listing->count)
		err = add_dots(listing);
	while (!err && at >= listing->count && !listing->done) {
		if (view->list)
			err = view->list(call, listing);
		else
			listing->done = true;
	}
	return err;
}

void vdfs_op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		     struct fuse_file_info *fi)
{
	struct vdfs_listing *listing = (struct vdfs_listing *)(uintptr_t)fi->fh;
	struct vdfs_call call = vdfs_call_of(req);
	char *buf = malloc(size);
	size_t used = 0, need, at = (size_t)off;
	int err = buf ? 0 : -ENOMEM;

	(void)ino;
	pthread_mutex_lock(&listing->lock);
	if (!at)
		clear(listing);
	while (!err) {
		struct vdfs_listed *entry;
		struct stat st = {};

		err = fetch(&call, listing, at);
		if (err || at >= listing->count)
			break;
		entry = &listing->entry[at];
		st.st_ino = entry->ino;
		st.st_mode = entry->mode;
		need = fuse_add_direntry(req, buf + used, size - used,
					 entry->name, &st, (off_t)at + 1);
		if (need > size - used)
			break;
		used += need;
		at++;
	}
	pthread_mutex_unlock(&listing->lock);
	/* Entries that were found before an error are returned first. */
	if (err && !used)
		fuse_reply_err(req, -err);
	else
		fuse_reply_buf(req, buf, used);
	free(buf);
}

void vdfs_op_releasedir(fuse_req_t req, fuse_ino_t ino,
			struct fuse_file_info *fi)
{
	struct vdfs_listing *listing = (struct vdfs_listing *)(uintptr_t)fi->fh;
	struct vdfs_fuse *fuse = fuse_req_userdata(req);

	(void)ino;
	listing_free(fuse, listing);
	fuse_reply_err(req, 0);
}

/* Every change of a name is on the disk before it is acknowledged. */
void vdfs_op_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync,
		      struct fuse_file_info *fi)
{
	(void)ino;
	(void)datasync;
	(void)fi;
	fuse_reply_err(req, 0);
}
