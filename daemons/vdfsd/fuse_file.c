// SPDX-License-Identifier: GPL-2.0-only
/* Open files: reading, writing, handing over what was written. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fuse_impl.h"

static void file_free(struct vdfs_fuse *fuse, struct vdfs_file *file)
{
	struct vdfs_inode *inode = file->inode;

	if (file->stage)
		vdfs_file_put_stage(fuse, inode, file->stage, file->writes);
	if (file->blob)
		vdfs_blob_close(file->blob);
	pthread_mutex_lock(&fuse->lock);
	LIST_REMOVE(file, all);
	if (!file->writes)
		inode->readers--;
	vdfs_inode_put_locked(fuse, inode);
	pthread_mutex_unlock(&fuse->lock);
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
		file_free(fuse, LIST_FIRST(&fuse->files));
}

static struct vdfs_file *file_new(struct vdfs_call *call,
				  struct vdfs_inode *inode, bool writes)
{
	struct vdfs_file *file = calloc(1, sizeof(*file));

	if (!file)
		return NULL;
	file->inode = inode;
	file->who = call->who;
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
	fi->noflush = !file->writes;
	if (vdfs_views[file->inode->kind].text)
		fi->direct_io = 1;
	return fuse_reply_open(call->req, fi);
}

/*
 * A new file is read as it grows, as is one without a name. Another that is
 * being written is looked up again.
 */
static int open_reader(struct vdfs_call *call, struct vdfs_file *file)
{
	struct vdfs_fuse *fuse = call->fuse;
	struct vdfs_inode *inode = file->inode;
	struct vdfs_hash hash;
	int err = 0;

	pthread_mutex_lock(&fuse->lock);
	hash = inode->st.hash;
	if (inode->stage && (inode->stage->fresh || !inode->linked)) {
		file->stage = inode->stage;
		file->stage->users++;
	} else if (inode->stage && inode->stage->writers) {
		vdfs_hint_clear(call);
		err = -ESTALE;
	}
	pthread_mutex_unlock(&fuse->lock);
	if (err || file->stage)
		return err;
	err = vdfs_blob_open(fuse->store, &call->who, &hash, &file->blob);
	return err == -ENOENT ? -ESTALE : err;
}

/* Send this thread to look for another inode. The lock is held. */
static int look_again(struct vdfs_call *call, struct vdfs_inode *inode,
		      struct vdfs_inode *writer)
{
	struct vdfs_inode *new = NULL;

	if (!writer && inode->linked) {
		new = vdfs_inode_new_locked(call->fuse, inode->parent,
					    inode->name, inode->kind,
					    &inode->st);
		writer = new;
	}
	if (!writer)
		return inode->linked ? -ENOMEM : -ESTALE;
	vdfs_hint_set(call, writer);
	if (new)
		vdfs_inode_put_locked(call->fuse, new);
	return -ESTALE;
}

/* Join the writers of an inode, or be the first. */
static int begin_writing(struct vdfs_call *call, struct vdfs_inode *inode,
			 struct vdfs_stage **out)
{
	struct vdfs_fuse *fuse = call->fuse;
	struct vdfs_blob *base = NULL;
	struct vdfs_stage *stage;
	struct vdfs_inode *writer;
	int err;

	err = vdfs_stage_new(&stage);
	if (!err)
		err = vdfs_blob_open(fuse->store, &call->who, &inode->st.hash,
				     &base);
	if (err) {
		vdfs_stage_free(stage);
		return err == -ENOENT ? -ESTALE : err;
	}
	vdfs_stage_begin(stage, base);

	pthread_mutex_lock(&fuse->lock);
	writer = vdfs_inode_writer(fuse, inode);
	if ((writer && writer != inode) || (!writer && inode->readers)) {
		err = look_again(call, inode, writer);
	} else {
		vdfs_hint_clear(call);
		if (!inode->stage) {
			inode->stage = stage;
			stage = NULL;
		}
		*out = inode->stage;
		(*out)->writers++;
		(*out)->users++;
	}
	pthread_mutex_unlock(&fuse->lock);
	vdfs_stage_free(stage);
	return err;
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
	bool last;

	pthread_mutex_lock(&fuse->lock);
	if (writes)
		stage->writers--;
	/* What the kernel has cached of it is no blob. */
	if (!stage->writers && stage->dirty)
		vdfs_inode_unlink_locked(fuse, inode);
	last = !--stage->users;
	if (last)
		inode->stage = NULL;
	if (stage->closing)
		pthread_cond_broadcast(&fuse->settled);
	pthread_mutex_unlock(&fuse->lock);
	if (last)
		vdfs_stage_free(stage);
}

/**
 * vdfs_file_commit() - hand over what was written
 * @call: One request.
 * @inode: Of which file; it has a stage that the caller uses.
 * @who: Who wrote.
 *
 * What was written to a file without a name is nobody's.
 *
 * Return: 0 when it is durable, or a negative errno; -ESTALE when the name
 * was taken away or given to another file behind the back of the view.
 */
int vdfs_file_commit(struct vdfs_call *call, struct vdfs_inode *inode,
		     const struct vdfs_who *who)
{
	struct vdfs_fuse *fuse = call->fuse;
	struct vdfs_stage *stage = inode->stage;
	char path[VDFS_PATH_MAX + 1];
	struct vdfs_hash hash;
	struct vdfs_stat st;
	int err = 0;

	pthread_mutex_lock(&stage->committing);
	if (!stage->dirty ||
	    vdfs_inode_path(fuse, inode, NULL, path) == -ESTALE)
		goto out;
	err = vdfs_name_stat(fuse->store, who, path, &st);
	if (err == -ENOENT || (!err && st.ino != inode->st.ino))
		err = -ESTALE;
	if (!err)
		err = vdfs_stage_put(fuse, stage, who, path, &hash);
	if (!err)
		err = vdfs_name_stat(fuse->store, who, path, &st);
	if (!err && st.ino == inode->st.ino) {
		pthread_mutex_lock(&fuse->lock);
		inode->st = st;
		inode->st.hash = hash;
		pthread_mutex_unlock(&fuse->lock);
	}
out:
	pthread_mutex_unlock(&stage->committing);
	return err;
}

/**
 * vdfs_file_truncate() - truncate a file that need not be open
 * @call: One request.
 * @inode: Of which file.
 * @size: To this.
 *
 * Return: 0 when it is durable, or a negative errno; after -ESTALE the
 * kernel looks again.
 */
int vdfs_file_truncate(struct vdfs_call *call, struct vdfs_inode *inode,
		       uint64_t size)
{
	struct vdfs_stage *stage;
	struct stat st;
	int err = vdfs_stat_inode(call, inode, &st);

	if (!err && !vdfs_may(&call->who, &st, W_OK))
		err = -EACCES;
	if (!err)
		err = begin_writing(call, inode, &stage);
	if (err)
		return err;
	err = vdfs_stage_truncate(call->fuse, stage, size);
	if (!err)
		err = vdfs_file_commit(call, inode, &call->who);
	vdfs_file_put_stage(call->fuse, inode, stage, true);
	return err;
}

static int open_writer(struct vdfs_call *call, struct vdfs_file *file,
		       int flags)
{
	int err = begin_writing(call, file->inode, &file->stage);

	if (!err && (flags & O_TRUNC))
		err = vdfs_stage_truncate(call->fuse, file->stage, 0);
	if (!err && (flags & O_TRUNC))
		file->stage->blank = true;
	return err;
}

void vdfs_op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct vdfs_call call = vdfs_call_of(req);
	struct vdfs_inode *inode = vdfs_inode_of(call.fuse, ino);
	bool writes = (fi->flags & (O_ACCMODE | O_TRUNC)) != O_RDONLY;
	struct vdfs_file *file;
	struct stat st;
	int mask, err;

	mask = writes ? W_OK : 0;
	if ((fi->flags & O_ACCMODE) != O_WRONLY)
		mask |= R_OK;
	err = vdfs_stat_inode(&call, inode, &st);
	if (!err && !vdfs_may(&call.who, &st, mask))
		err = -EACCES;
	if (!err && writes && call.fuse->read_only)
		err = -EROFS;
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
		file_free(call.fuse, file);
}

/* An empty blob stands behind a new name until there is more. */
static int create_name(struct vdfs_call *call, struct vdfs_inode *dir,
		       const char *name, mode_t mode, int flags,
		       struct vdfs_inode **out)
{
	struct vdfs_store *store = call->fuse->store;
	char path[VDFS_PATH_MAX + 1];
	struct vdfs_hash hash;
	struct vdfs_put *put;
	struct vdfs_stat st;
	int err = vdfs_inode_path(call->fuse, dir, name, path);

	if (err)
		return err;
	err = vdfs_name_stat(store, &call->who, path, &st);
	if (!err)
		return flags & O_EXCL ? -EEXIST : -ESTALE;
	if (err != -ENOENT)
		return err;
	err = vdfs_put_begin(store, &call->who, 0, &put);
	if (!err)
		err = vdfs_put_commit(put, NULL, path, &hash);
	if (!err && (mode & 0777) != VDFS_MODE_FILE)
		err = vdfs_name_change(store, &call->who, path, mode & 0777,
				       INT64_MIN);
	if (!err)
		err = vdfs_name_stat(store, &call->who, path, &st);
	if (err)
		return err;
	return vdfs_inode_new(call->fuse, dir, name, VDFS_NAME, &st, out);
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
	int err = create(&call, dir, name, mode, fi->flags, &inode);

	if (err) {
		fuse_reply_err(req, -err);
		return;
	}
	file = file_new(&call, inode, true);
	if (!file)
		err = -ENOMEM;
	else if (inode->kind == VDFS_NAME)
		err = begin_writing(&call, inode, &file->stage);
	if (!err && file->stage)
		file->stage->fresh = true;
	if (!err)
		err = vdfs_inode_entry(&call, inode, &entry);
	if (err) {
		fuse_reply_err(req, -err);
		if (file)
			file_free(call.fuse, file);
		vdfs_inode_put(call.fuse, inode);
		return;
	}
	fi->fh = (uintptr_t)file;
	fi->keep_cache = 1;
	fi->direct_io = !file->stage;
	vdfs_inode_looked_up(call.fuse, inode);
	if (fuse_reply_create(req, &entry, fi)) {
		file_free(call.fuse, file);
		vdfs_inode_forget(call.fuse, inode, 1);
	}
}

static ssize_t read_some(struct vdfs_file *file, char *buf, size_t size,
			 uint64_t offset)
{
	if (file->stage)
		return vdfs_stage_read(file->stage, buf, size, offset);
	if (file->blob)
		return vdfs_blob_read(file->blob, buf, size, offset);
	return (ssize_t)vdfs_text_read(file, buf, size, offset);
}

void vdfs_op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		  struct fuse_file_info *fi)
{
	struct vdfs_file *file = vdfs_file_of(fi);
	char *buf = malloc(size);
	size_t done = 0;
	ssize_t n = buf ? 1 : -ENOMEM;

	(void)ino;
	/* The kernel takes less than it asked for as the end of the file. */
	while (n > 0 && done < size) {
		n = read_some(file, buf + done, size - done,
			      (uint64_t)off + done);
		if (n > 0)
			done += (size_t)n;
	}
	if (n < 0 && !done)
		fuse_reply_err(req, (int)-n);
	else
		fuse_reply_buf(req, buf, done);
	free(buf);
}

void vdfs_op_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size,
		   off_t off, struct fuse_file_info *fi)
{
	struct vdfs_fuse *fuse = fuse_req_userdata(req);
	struct vdfs_file *file = vdfs_file_of(fi);
	int err;

	(void)ino;
	if (file->stage)
		err = vdfs_stage_write(fuse, file->stage, buf, size,
				       (uint64_t)off);
	else
		err = vdfs_text_write(file, buf, size, (uint64_t)off);
	if (err)
		fuse_reply_err(req, -err);
	else
		fuse_reply_write(req, size);
}

void vdfs_op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t off,
		       off_t len, struct fuse_file_info *fi)
{
	struct vdfs_fuse *fuse = fuse_req_userdata(req);
	struct vdfs_file *file = vdfs_file_of(fi);
	int err;

	(void)ino;
	if (mode || !file->stage)
		err = -EOPNOTSUPP;
	else
		err = vdfs_stage_allocate(fuse, file->stage,
					  (uint64_t)off + (uint64_t)len);
	fuse_reply_err(req, -err);
}

static int save(struct vdfs_call *call, struct vdfs_file *file)
{
	if (file->stage)
		return vdfs_file_commit(call, file->inode, &file->who);
	return vdfs_text_save(call, file);
}

void vdfs_op_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct vdfs_call call = vdfs_call_of(req);
	struct vdfs_file *file = vdfs_file_of(fi);
	int err = 0;

	(void)ino;
	if (file->stage && file->stage->blank)
		file->stage->closing = true;
	else if (file->writes)
		err = save(&call, file);
	fuse_reply_err(req, -err);
}

void vdfs_op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync,
		   struct fuse_file_info *fi)
{
	struct vdfs_call call = vdfs_call_of(req);
	struct vdfs_file *file = vdfs_file_of(fi);
	int err = 0;

	(void)ino;
	(void)datasync;
	if (file->stage || file->writes)
		err = save(&call, file);
	fuse_reply_err(req, -err);
}

void vdfs_op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct vdfs_call call = vdfs_call_of(req);
	struct vdfs_file *file = vdfs_file_of(fi);

	(void)ino;
	/* Only truncated, or written through a mapping since it was closed. */
	if (file->writes && file->stage && !file->stage->failed)
		vdfs_file_commit(&call, file->inode, &file->who);
	file_free(call.fuse, file);
	fuse_reply_err(req, 0);
}
