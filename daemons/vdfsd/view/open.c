// SPDX-License-Identifier: GPL-2.0-only
/* Opening files: which inode a reader and a writer get; see view_impl.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "view_impl.h"
#include "query_impl.h"

#define TRIES 100
/* The kernel's __FMODE_EXEC: execve(2) opens the file, to read it. */
#define OPEN_EXEC 0x20

/*
 * Look an inode's name up: its attributes by then, and its blob, held. A user
 * pays for what it writes, and sees what it pays for: so who may not read a file
 * replaces it whole, or not at all.
 */
static int look(struct vdfs_call *call, struct vdfs_inode *inode,
		struct vdfs_stat *st, struct vdfs_blob **blob)
{
	struct vdfs_fuse *fuse = call->fuse;
	char name[VDFS_PATH_MAX + 1];
	struct vdfs_who who;
	int i, err = -ENOENT;

	for (i = 0; i < TRIES && err == -ENOENT; i++) {
		vdfs_inode_place(call, inode, &who, name);
		err = vdfs_name_stat(fuse->store, &who, name, st);
		if (err)
			return err;
		if (S_ISDIR(st->mode))
			return -ESTALE;
		err = vdfs_blob_open(fuse->store, &call->who, &st->hash, blob);
		if (err == -ENOENT && !vdfs_name_may(&call->who, st->owner,
						     st->gid, st->mode, R_OK))
			return -EACCES;
	}
	return err == -ENOENT ? -ESTALE : err;
}

static int look_again_to_read(struct vdfs_call *call, struct vdfs_inode *inode)
{
	struct vdfs_fuse *fuse = call->fuse;
	struct vdfs_hint old = {};
	struct vdfs_inode *new;
	struct vdfs_blob *blob;
	struct vdfs_stat st;
	int err = look(call, inode, &st, &blob);

	if (err)
		return err;
	pthread_mutex_lock(&fuse->lock);
	new = vdfs_inode_new_locked(call, inode->parent, inode->name, VDFS_NAME,
				    &st);
	if (new)
		vdfs_hint_set_locked(call, new, NULL, blob, &old);
	pthread_mutex_unlock(&fuse->lock);
	vdfs_hint_drop(fuse, &old);
	if (!new)
		vdfs_blob_close(blob);
	return new ? -ESTALE : -ENOMEM;
}

/* Read what is being written, if something is. */
static bool read_stage(struct vdfs_fuse *fuse, struct vdfs_file *file, bool any)
{
	struct vdfs_stage *stage;

	pthread_mutex_lock(&fuse->lock);
	stage = file->inode->stage;
	if (stage && (any || stage->fresh)) {
		file->stage = stage;
		stage->users++;
	}
	pthread_mutex_unlock(&fuse->lock);
	return file->stage;
}

/*
 * A new file is read as it grows. Of another that is being written there is
 * what it was before, unless it has no name any more.
 */
static int open_reader(struct vdfs_call *call, struct vdfs_file *file)
{
	struct vdfs_fuse *fuse = call->fuse;
	struct vdfs_inode *inode = file->inode;
	struct vdfs_hint hint;
	struct vdfs_hash hash;
	bool insists, written;
	int err = -ENOENT;

	insists = vdfs_hint_take(call, inode, &hint);
	file->blob = hint.blob;
	hint.blob = NULL;
	vdfs_hint_drop(fuse, &hint);
	if (file->blob || read_stage(fuse, file, insists))
		return 0;

	pthread_mutex_lock(&fuse->lock);
	hash = inode->st.hash;
	written = inode->stage && inode->stage->writers;
	pthread_mutex_unlock(&fuse->lock);
	if (!written)
		err = vdfs_blob_open(fuse->store, &call->who, &hash,
				     &file->blob);
	if (err == -ENOENT && inode->kind == VDFS_NAME)
		err = look_again_to_read(call, inode);
	if (err == -ENOENT && read_stage(fuse, file, true))
		err = 0;
	return err;
}

/*
 * Join those who write a name: here, or at the inode they share, where a
 * place is held. The lock is held.
 *
 * Return: 0, -ESTALE to look again, -ENOENT when nobody writes.
 */
static int join(struct vdfs_call *call, struct vdfs_inode *inode,
		struct vdfs_stage **out, struct vdfs_hint *old)
{
	struct vdfs_inode *writer = vdfs_inode_writer(call->fuse, inode);

	if (!writer)
		return -ENOENT;
	writer->stage->writers++;
	writer->stage->users++;
	if (writer == inode) {
		*out = inode->stage;
		return 0;
	}
	writer->refs++;
	vdfs_hint_set_locked(call, writer, writer->stage, NULL, old);
	return -ESTALE;
}

static void begin_stage(struct vdfs_fuse *fuse, struct vdfs_inode *inode,
			struct vdfs_stage *stage)
{
	inode->stage = stage;
	LIST_INSERT_HEAD(&fuse->staged[inode->st.ino % VDFS_STAGED], inode,
			 staged);
}

/*
 * Be the first to write, at @inode or, if others read that, at another: one
 * of the name's content, which is @st if @inode is not (@other).
 *
 * Return: As join(); -EAGAIN when @inode is not any more.
 */
static int first(struct vdfs_call *call, struct vdfs_inode *inode, bool other,
		 const struct vdfs_stat *st, struct vdfs_stage *stage,
		 struct vdfs_stage **out)
{
	struct vdfs_fuse *fuse = call->fuse;
	struct vdfs_hint old = {};
	int err;

	pthread_mutex_lock(&fuse->lock);
	err = join(call, inode, out, &old);
	if (err == -ENOENT && !other && !inode->readers && !inode->stage) {
		begin_stage(fuse, inode, stage);
		*out = stage;
		err = 0;
	} else if (err == -ENOENT && !other && !inode->linked) {
		err = -EAGAIN;
	} else if (err == -ENOENT) {
		inode = vdfs_inode_new_locked(call, inode->parent, inode->name,
					      VDFS_NAME,
					      other ? st : &inode->st);
		err = inode ? -ESTALE : -ENOMEM;
		if (inode) {
			begin_stage(fuse, inode, stage);
			vdfs_hint_set_locked(call, inode, stage, NULL, &old);
		}
	} else {
		inode = NULL;
	}
	if (inode && inode->stage == stage) {
		stage->writers++;
		stage->users++;
		stage = NULL;
	}
	pthread_mutex_unlock(&fuse->lock);
	vdfs_hint_drop(fuse, &old);
	vdfs_stage_free(stage);
	return err;
}

/* A stage for the first who writes; @held is the content, or NULL. */
static int stage_of(struct vdfs_call *call, struct vdfs_inode *inode,
		    bool empty, struct vdfs_blob **held, bool *other,
		    struct vdfs_stat *st, struct vdfs_stage **stage)
{
	struct vdfs_blob *base = NULL;
	struct vdfs_hash hash;
	int err = 0;

	pthread_mutex_lock(&call->fuse->lock);
	hash = inode->st.hash;
	pthread_mutex_unlock(&call->fuse->lock);
	if (!*other && !empty) {
		base = *held;
		*held = NULL;
	}
	if (!*other && !empty && !base)
		err = vdfs_blob_open(call->fuse->store, &call->who, &hash,
				     &base);
	if (err == -ENOENT)
		*other = true;
	if (*other)
		err = look(call, inode, st, &base);
	if (!err)
		err = vdfs_stage_new(call->fuse->store, stage);
	if (err)
		vdfs_blob_close(base);
	else
		vdfs_stage_begin(*stage, base);
	return err;
}

/**
 * vdfs_file_begin() - be one of those who write a file
 * @call: One request.
 * @inode: Of which file.
 * @empty: The content will be discarded.
 * @out: Out: the stage that all of them share.
 *
 * Return: 0, or a negative errno; after -ESTALE the kernel looks again.
 */
int vdfs_file_begin(struct vdfs_call *call, struct vdfs_inode *inode,
		    bool empty, struct vdfs_stage **out)
{
	struct vdfs_fuse *fuse = call->fuse;
	struct vdfs_hint hint, old = {};
	struct vdfs_stage *stage;
	struct vdfs_stat st = {};
	struct vdfs_blob *held;
	bool other = false;
	int err;

	vdfs_hint_take(call, inode, &hint);
	*out = hint.stage;
	hint.stage = NULL;
	held = hint.blob;
	hint.blob = NULL;
	vdfs_hint_drop(fuse, &hint);
	if (*out)
		return 0;

	pthread_mutex_lock(&fuse->lock);
	err = join(call, inode, out, &old);
	pthread_mutex_unlock(&fuse->lock);
	vdfs_hint_drop(fuse, &old);

	while (err == -ENOENT || err == -EAGAIN) {
		if (err == -EAGAIN)
			other = true;
		err = stage_of(call, inode, empty, &held, &other, &st, &stage);
		if (err)
			break;
		err = first(call, inode, other, &st, stage, out);
	}
	if (held)
		vdfs_blob_close(held);
	return err;
}

static void put_stage(struct vdfs_fuse *fuse, struct vdfs_inode *inode,
		      struct vdfs_stage *stage, bool writes, bool closes)
{
	bool last;

	pthread_mutex_lock(&fuse->lock);
	stage->writers -= writes;
	stage->closers -= closes;
	/* The pages that the kernel has cached of it belong to no blob. */
	if (!stage->writers && stage->dirty)
		vdfs_inode_unlink_locked(fuse, inode);
	last = !--stage->users;
	if (last && inode->stage == stage) {
		LIST_REMOVE(inode, staged);
		inode->stage = NULL;
	}
	if (stage->closing)
		pthread_cond_broadcast(&fuse->settled);
	pthread_mutex_unlock(&fuse->lock);
	if (last)
		vdfs_stage_free(stage);
}

/**
 * vdfs_file_put_stage() - use a stage no longer
 * @fuse: Of which view.
 * @inode: Of which file.
 * @stage: Its stage.
 * @writes: It was written through.
 */
void vdfs_file_put_stage(struct vdfs_fuse *fuse, struct vdfs_inode *inode,
			 struct vdfs_stage *stage, bool writes)
{
	put_stage(fuse, inode, stage, writes, false);
}

/**
 * vdfs_file_free() - close a file
 * @fuse: Of which view.
 * @file: Which.
 */
void vdfs_file_free(struct vdfs_fuse *fuse, struct vdfs_file *file)
{
	struct vdfs_inode *inode = file->inode;

	if (file->stage)
		put_stage(fuse, inode, file->stage, file->writes, file->closes);
	if (file->blob)
		vdfs_blob_close(file->blob);
	pthread_mutex_lock(&fuse->lock);
	LIST_REMOVE(file, all);
	if (!file->writes)
		inode->readers--;
	vdfs_inode_put_locked(fuse, inode);
	pthread_mutex_unlock(&fuse->lock);
	vdfs_uncharge(fuse->store, file->who.uid, VDFS_CHARGE_FILES, 1);
	pthread_mutex_destroy(&file->lock);
	free(file->text);
	free(file);
}

/**
 * vdfs_files_fini() - close what users still have open
 * @fuse: Of which view; nobody serves it any more.
 */
void vdfs_files_fini(struct vdfs_fuse *fuse)
{
	while (!LIST_EMPTY(&fuse->files))
		vdfs_file_free(fuse, LIST_FIRST(&fuse->files));
}

/* A file that the user may open, before anything is made for it. */
static int charge_file(const struct vdfs_call *call)
{
	return vdfs_charge(call->fuse->store, call->who.uid, VDFS_CHARGE_FILES,
			   1);
}

static void uncharge_file(const struct vdfs_call *call)
{
	vdfs_uncharge(call->fuse->store, call->who.uid, VDFS_CHARGE_FILES, 1);
}

/* The file has the charge, or it ends. */
static struct vdfs_file *file_new(struct vdfs_call *call,
				  struct vdfs_inode *inode, bool writes)
{
	struct vdfs_file *file = calloc(1, sizeof(*file));

	if (!file) {
		uncharge_file(call);
		return NULL;
	}
	file->inode = inode;
	file->who = call->who;
	file->who.in_group = NULL;
	file->writes = writes;
	pthread_mutex_init(&file->lock, NULL);
	pthread_mutex_lock(&call->fuse->lock);
	LIST_INSERT_HEAD(&call->fuse->files, file, all);
	inode->refs++;
	if (!writes)
		inode->readers++;
	pthread_mutex_unlock(&call->fuse->lock);
	return file;
}

static int reply_open(struct vdfs_call *call, struct vdfs_file *file,
		      struct fuse_file_info *fi)
{
	fi->fh = (uintptr_t)file;
	/* The content of an inode changes by the kernel's own hand alone. */
	fi->keep_cache = 1;
	if (vdfs_views[file->inode->kind].text)
		fi->direct_io = 1;
	return fuse_reply_open(call->req, fi);
}

static int open_writer(struct vdfs_call *call, struct vdfs_file *file,
		       int flags)
{
	bool empty = flags & O_TRUNC;
	int err = vdfs_file_begin(call, file->inode, empty, &file->stage);

	if (!err && empty)
		err = vdfs_stage_truncate(call->fuse, file->stage, &call->who,
					  0);
	if (!err && empty)
		file->stage->blank = true;
	return err;
}

void vdfs_op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct vdfs_call call = vdfs_call_of(req);
	struct vdfs_inode *inode = vdfs_inode_of(call.fuse, ino);
	bool writes = (fi->flags & (O_ACCMODE | O_TRUNC)) != O_RDONLY;
	struct vdfs_file *file;
	int mask, err;

	mask = writes ? W_OK : 0;
	if ((fi->flags & O_ACCMODE) != O_WRONLY)
		mask |= R_OK;
	if (fi->flags & OPEN_EXEC)
		mask |= X_OK;
	vdfs_hint_done(&call);
	err = vdfs_inode_may(&call, inode, mask);
	if (!err)
		err = charge_file(&call);
	file = err ? NULL : file_new(&call, inode, writes);
	if (!file) {
		fuse_reply_err(req, err ? -err : ENOMEM);
		return;
	}
	if (vdfs_views[inode->kind].text)
		err = vdfs_text_open(&call, file, fi->flags);
	else if (!writes)
		err = open_reader(&call, file);
	else if (inode->kind == VDFS_NAME)
		err = open_writer(&call, file, fi->flags);
	else
		err = -EPERM;
	if (err)
		fuse_reply_err(req, -err);
	if (err || reply_open(&call, file, fi))
		vdfs_file_free(call.fuse, file);
}

/* An empty blob stands behind a new name until there is more. */
static int create_name(struct vdfs_call *call, struct vdfs_inode *dir,
		       const char *name, mode_t mode, int flags,
		       struct vdfs_inode **out)
{
	struct vdfs_who who = vdfs_inode_at(call, dir);
	struct vdfs_place place = {
		.dir = who.at, .path = name, .mode = mode, .mtime_ns = INT64_MIN
	};
	struct vdfs_put *put;
	struct vdfs_stat st;
	int err;

	err = vdfs_put_begin(call->fuse->store, &call->who, 0, &put);
	if (!err)
		err = vdfs_put_commit_at(put, &place, &st);
	/* Somebody else was faster: the kernel looks again. */
	if (err == -EEXIST && !(flags & O_EXCL))
		err = -ESTALE;
	return err ? err : vdfs_inode_new(call, dir, name, VDFS_NAME, &st, out);
}

static int create(struct vdfs_call *call, struct vdfs_inode *dir,
		  const char *name, mode_t mode, int flags,
		  struct vdfs_inode **out)
{
	char key[VDFS_KEY_MAX + 1];
	int err;

	if (call->fuse->read_only)
		return -EROFS;
	if (dir->kind == VDFS_NAMES)
		return create_name(call, dir, name, mode, flags, out);
	if (dir->kind != VDFS_ITEMS)
		return -EPERM;
	err = vdfs_inode_may(call, dir, W_OK | X_OK);
	if (!err)
		err = vdfs_key_decode(name, strlen(name), key, sizeof(key));
	return err ? err :
		     vdfs_inode_find(call, dir, name, VDFS_ITEM, NULL, out);
}

void vdfs_op_create(fuse_req_t req, fuse_ino_t ino, const char *name,
		    mode_t mode, struct fuse_file_info *fi)
{
	struct vdfs_call call = vdfs_call_of(req);
	struct vdfs_inode *dir = vdfs_inode_of(call.fuse, ino), *inode;
	struct fuse_entry_param entry;
	struct vdfs_file *file;
	int err = charge_file(&call);

	if (!err) {
		err = create(&call, dir, name, mode, fi->flags, &inode);
		if (err)
			uncharge_file(&call);
	}
	if (err) {
		fuse_reply_err(req, -err);
		return;
	}
	vdfs_hint_done(&call);
	file = file_new(&call, inode, true);
	if (!file)
		err = -ENOMEM;
	else if (inode->kind == VDFS_NAME)
		err = vdfs_file_begin(&call, inode, true, &file->stage);
	if (!err && file->stage)
		file->stage->fresh = true;
	if (!err)
		err = vdfs_inode_entry(&call, inode, &entry);
	if (err) {
		fuse_reply_err(req, -err);
		if (file)
			vdfs_file_free(call.fuse, file);
		vdfs_inode_put(call.fuse, inode);
		return;
	}
	fi->fh = (uintptr_t)file;
	fi->keep_cache = 1;
	fi->direct_io = !file->stage;
	vdfs_inode_looked_up(call.fuse, inode);
	if (fuse_reply_create(req, &entry, fi)) {
		vdfs_file_free(call.fuse, file);
		vdfs_inode_forget(call.fuse, inode, 1);
	}
}
