// SPDX-License-Identifier: GPL-2.0-only
/* Open files: reading, writing, handing over what was written. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/pace.h"
#include "lock_impl.h"
#include "view_impl.h"

/**
 * vdfs_file_commit() - hand over what was written
 * @call: One request.
 * @inode: Of which file; it has a stage that the caller uses.
 * @who: The user who wrote.
 *
 * The bytes go where the name is by now. When somebody removed the name, they
 * are dropped; the writer gets -ESTALE where another host may have removed it,
 * for there the name may have moved.
 *
 * Return: 0 when it is durable, or a negative errno.
 */
int vdfs_file_commit(struct vdfs_call *call, struct vdfs_inode *inode,
		     const struct vdfs_who *who)
{
	struct vdfs_fuse *fuse = call->fuse;
	struct vdfs_stage *stage = inode->stage;
	struct vdfs_stat st = {};
	uint64_t ino;
	int err = 0;

	pace_hold();
	pthread_mutex_lock(&stage->committing);
	pthread_mutex_lock(&fuse->lock);
	ino = inode->linked ? inode->st.ino : 0;
	pthread_mutex_unlock(&fuse->lock);
	if (stage->refused)
		err = stage->refused;
	else if (stage->dirty && ino)
		err = vdfs_stage_put(call, stage, who, ino, &st);
	pthread_mutex_lock(&fuse->lock);
	if (err == -ESTALE) {
		vdfs_inode_unlink_locked(fuse, inode);
		if (!vdfs_store_shared(fuse->store))
			err = 0;
	} else if (!err && st.ino) {
		inode->st = st;
	}
	pthread_mutex_unlock(&fuse->lock);
	pthread_mutex_unlock(&stage->committing);
	pace_release();
	pace_step();
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

	if (!err && !vdfs_may(call, inode, &st, W_OK))
		err = -EACCES;
	if (!err)
		err = vdfs_file_begin(call, inode, size == 0, &stage);
	if (err)
		return err;
	err = vdfs_stage_truncate(call->fuse, stage, &call->who, size);
	if (!err)
		err = vdfs_file_commit(call, inode, &call->who);
	vdfs_file_put_stage(call->fuse, inode, stage, true);
	return err;
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
		err = vdfs_stage_write(fuse, file->stage, &file->who, buf, size,
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
		err = vdfs_stage_allocate(fuse, file->stage, &file->who,
					  (uint64_t)off + (uint64_t)len);
	fuse_reply_err(req, -err);
}

static int save(struct vdfs_call *call, struct vdfs_file *file)
{
	if (file->stage)
		return vdfs_file_commit(call, file->inode, &file->who);
	return vdfs_text_save(call, file);
}

/* A process that was killed does not wait: the release hands it over. */
static bool leaves(const struct vdfs_call *call, const struct vdfs_stage *stage)
{
	return stage && stage->dirty && vdfs_call_dying(call);
}

void vdfs_op_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct vdfs_call call = vdfs_call_of(req);
	struct vdfs_file *file = vdfs_file_of(fi);
	int err = 0;

	if (file->stage && file->stage->blank)
		file->stage->closing = true;
	else if (file->writes && !leaves(&call, file->stage))
		err = save(&call, file);
	/* Then whoever has waited for them sees it. */
	vdfs_locks_close(call.fuse, ino, fi->lock_owner, 0);
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
	/* A reader hands nothing over that another user writes, and pays for. */
	if (file->writes)
		err = save(&call, file);
	fuse_reply_err(req, -err);
}

void vdfs_op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct vdfs_call call = vdfs_call_of(req);
	struct vdfs_file *file = vdfs_file_of(fi);
	struct vdfs_stage *stage = file->stage;
	bool last = false;

	if (stage && file->writes) {
		pthread_mutex_lock(&call.fuse->lock);
		/* Of those that close beside each other the last one commits. */
		last = ++stage->closers == stage->writers;
		file->closes = true;
		stage->ended = last;
		pthread_mutex_unlock(&call.fuse->lock);
	}
	/* Only truncated, or written through a mapping since it was closed. */
	if (last && !stage->failed)
		vdfs_file_commit(&call, file->inode, &file->who);
	vdfs_locks_close(call.fuse, ino, 0, fi->fh);
	vdfs_file_free(call.fuse, file);
	fuse_reply_err(req, 0);
}
