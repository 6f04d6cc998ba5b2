// SPDX-License-Identifier: GPL-2.0-only
/*
 * stat(2): the attributes, the calls that change them, and access by mode bits.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "view_impl.h"

#define BLOCK 512
#define IO_SIZE 65536
#define SECOND 1000000000LL

/* Numbers of what has no name in the store are from here on. */
#define VIRTUAL_INO (1ULL << 63)

static uint64_t hash_bytes(uint64_t h, const void *bytes, size_t len)
{
	const unsigned char *at = bytes;

	while (len--)
		h = (h ^ *at++) * 0x100000001b3ULL;
	return h;
}

/**
 * vdfs_virtual_ino() - a number for what the store has none for
 * @dir: Directory.
 * @name: In it.
 * @id: Number of the collection of that name, 0 = it is none.
 *
 * Return: The number: the same for the same path, unless there is another
 * collection on it, which may have the name of one that was dropped.
 */
uint64_t vdfs_virtual_ino(const struct vdfs_inode *dir, const char *name,
			  uint64_t id)
{
	uint64_t h = 0xcbf29ce484222325ULL;

	while (dir) {
		h = hash_bytes(h, name, strlen(name) + 1);
		h = hash_bytes(h, &id, sizeof(id));
		name = dir->name ? dir->name : "";
		id = dir->kind == VDFS_COLLECTION ? dir->st.ino : 0;
		dir = dir->parent;
	}
	return h | VIRTUAL_INO;
}

/**
 * vdfs_inode_ino() - the number of an inode
 * @inode: Which.
 *
 * Context: The lock is held where @inode may be moved.
 * Return: The number.
 */
uint64_t vdfs_inode_ino(const struct vdfs_inode *inode)
{
	if (inode->kind == VDFS_NAME || inode->kind == VDFS_NAMES)
		return inode->st.ino;
	if (!inode->parent)
		return FUSE_ROOT_ID | VIRTUAL_INO;
	return vdfs_virtual_ino(inode->parent, inode->name,
				inode->kind == VDFS_COLLECTION ? inode->st.ino :
								 0);
}

static struct timespec to_time(int64_t ns)
{
	struct timespec t = { .tv_sec = ns / SECOND, .tv_nsec = ns % SECOND };

	if (t.tv_nsec < 0) {
		t.tv_sec--;
		t.tv_nsec += SECOND;
	}
	return t;
}

static void fill_named(struct vdfs_inode *inode, struct stat *st)
{
	const struct vdfs_stage *stage = inode->stage;

	st->st_ino = inode->st.ino;
	st->st_mode = inode->st.mode;
	st->st_uid = inode->st.owner;
	/* The kernel lets nobody write to what (uid_t)-1 owns. */
	if (st->st_uid == UINT32_MAX)
		st->st_uid = VDFS_NOBODY;
	st->st_gid = inode->st.gid;
	if (st->st_gid == VDFS_GID_NONE)
		st->st_gid = VDFS_NOBODY;
	st->st_size = (off_t)inode->st.size;
	st->st_mtim = to_time(inode->st.mtime_ns);
	st->st_ctim = to_time(inode->st.ctime_ns);
	st->st_nlink = inode->linked;
	if (!stage)
		return;
	st->st_size = (off_t)stage->size;
	if (stage->dirty) {
		st->st_mtim = to_time(stage->mtime_ns);
		st->st_ctim = to_time(stage->ctime_ns);
	}
}

/**
 * vdfs_stat_inode() - what an inode is, as far as it is known already
 * @call: For whom.
 * @inode: Which.
 * @st: Out.
 *
 * Return: 0 or a negative errno.
 */
int vdfs_stat_inode(struct vdfs_call *call, struct vdfs_inode *inode,
		    struct stat *st)
{
	const struct vdfs_view *view = &vdfs_views[inode->kind];
	size_t len;
	char *text;
	int err = 0;

	memset(st, 0, sizeof(*st));
	st->st_mode = view->mode;
	st->st_nlink = 1;
	st->st_mtim = call->fuse->started;
	st->st_ctim = call->fuse->started;
	pthread_mutex_lock(&call->fuse->lock);
	if (inode->kind == VDFS_NAME || inode->kind == VDFS_NAMES) {
		fill_named(inode, st);
	} else {
		st->st_ino = vdfs_inode_ino(inode);
		st->st_size = (off_t)inode->st.size;
	}
	pthread_mutex_unlock(&call->fuse->lock);
	if (view->stat)
		err = view->stat(call, inode, st);
	if (!err && view->text && !view->no_size) {
		err = view->text(call, inode, &text, &len);
		if (!err) {
			st->st_size = (off_t)len;
			free(text);
		} else if (err == -ENOENT) {
			/* An item that is being written for the first time. */
			err = 0;
		}
	}
	if (call->fuse->read_only)
		st->st_mode &= ~0222U;
	st->st_atim = st->st_mtim;
	st->st_blksize = IO_SIZE;
	st->st_blocks = (st->st_size + BLOCK - 1) / BLOCK;
	return err;
}

/* Look again, when others may have changed the name. */
static int refresh(struct vdfs_call *call, struct vdfs_inode *inode)
{
	struct vdfs_who who;
	struct vdfs_stat st;
	int err;

	if (inode->kind != VDFS_NAME && inode->kind != VDFS_NAMES)
		return 0;
	who = vdfs_inode_at(call, inode);
	err = vdfs_name_stat(call->fuse->store, &who, "", &st);
	/* An open file keeps the attributes that it has. */
	if (err == -ESTALE || err == -ENOENT)
		return inode->kind == VDFS_NAME || !inode->linked ? 0 : -ESTALE;
	if (err)
		return err;
	pthread_mutex_lock(&call->fuse->lock);
	inode->st.mode = st.mode;
	inode->st.owner = st.owner;
	inode->st.gid = st.gid;
	if (!memcmp(&st.hash, &inode->st.hash, sizeof(st.hash)))
		inode->st.mtime_ns = st.mtime_ns;
	inode->st.ctime_ns = st.ctime_ns;
	pthread_mutex_unlock(&call->fuse->lock);
	return 0;
}

/**
 * vdfs_may() - may somebody do this, as far as mode bits tell?
 * @call: For whom.
 * @inode: Which.
 * @st: Its attributes.
 * @mask: R_OK, W_OK, X_OK.
 *
 * This is for opening, and for calls that ask before they do anything; of names
 * the store decides.
 *
 * Return: True if so.
 */
bool vdfs_may(struct vdfs_call *call, struct vdfs_inode *inode,
	      const struct stat *st, int mask)
{
	uint32_t gid = VDFS_GID_NONE;

	/* Nobody is in a group that is shown where there is none. */
	pthread_mutex_lock(&call->fuse->lock);
	if (inode->kind == VDFS_NAME || inode->kind == VDFS_NAMES)
		gid = inode->st.gid;
	pthread_mutex_unlock(&call->fuse->lock);
	return vdfs_name_may(&call->who, st->st_uid, gid, st->st_mode, mask);
}

/**
 * vdfs_inode_may() - may somebody do this with an inode, as it is by now?
 * @call: For whom.
 * @inode: Which.
 * @mask: R_OK, W_OK, X_OK.
 *
 * Return: 0, -EACCES, -EROFS, or another negative errno.
 */
int vdfs_inode_may(struct vdfs_call *call, struct vdfs_inode *inode, int mask)
{
	struct stat st;
	int err = refresh(call, inode);

	if (!err)
		err = vdfs_stat_inode(call, inode, &st);
	if (!err && (mask & W_OK) && call->fuse->read_only)
		err = -EROFS;
	if (!err && !vdfs_may(call, inode, &st, mask))
		err = -EACCES;
	return err;
}

static void reply_attr(struct vdfs_call *call, struct vdfs_inode *inode)
{
	struct stat st;
	int err = vdfs_stat_inode(call, inode, &st);

	if (err)
		fuse_reply_err(call->req, -err);
	else
		fuse_reply_attr(call->req, &st,
				inode->kind == VDFS_NAME ? VDFS_ATTR_TIMEOUT :
							   0);
}

void vdfs_op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct vdfs_call call = vdfs_call_of(req);
	struct vdfs_inode *inode = vdfs_inode_of(call.fuse, ino);
	int err = refresh(&call, inode);

	(void)fi;
	if (err)
		fuse_reply_err(req, -err);
	else
		reply_attr(&call, inode);
}

void vdfs_op_access(fuse_req_t req, fuse_ino_t ino, int mask)
{
	struct vdfs_call call = vdfs_call_of(req);
	struct vdfs_inode *inode = vdfs_inode_of(call.fuse, ino);
	int err = vdfs_inode_may(&call, inode, mask);

	fuse_reply_err(req, -err);
}

/* Times wait in a stage, so the right to set them is asked for before. */
static int check_change(struct vdfs_call *call, struct vdfs_inode *inode,
			int to_set)
{
	const int owners = FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_UID |
			   FUSE_SET_ATTR_GID | FUSE_SET_ATTR_MTIME |
			   FUSE_SET_ATTR_ATIME;
	const int now = FUSE_SET_ATTR_MTIME_NOW | FUSE_SET_ATTR_ATIME_NOW;
	const struct vdfs_who *who = &call->who;
	struct vdfs_stat st;

	pthread_mutex_lock(&call->fuse->lock);
	st = inode->st;
	pthread_mutex_unlock(&call->fuse->lock);
	if (who->admin || who->uid == st.owner)
		return 0;
	if (to_set & FUSE_SET_ATTR_MTIME_NOW)
		to_set &= ~FUSE_SET_ATTR_MTIME;
	if (to_set & FUSE_SET_ATTR_ATIME_NOW)
		to_set &= ~FUSE_SET_ATTR_ATIME;
	if (to_set & owners)
		return -EPERM;
	if ((to_set & now) &&
	    !vdfs_name_may(who, st.owner, st.gid, st.mode, W_OK))
		return -EACCES;
	return 0;
}

/* While content waits for its commit, so does the time. */
static bool keep_time(struct vdfs_fuse *fuse, struct vdfs_inode *inode,
		      int64_t mtime_ns)
{
	struct vdfs_stage *stage;
	bool kept;

	pthread_mutex_lock(&fuse->lock);
	stage = inode->stage;
	if (stage)
		stage->users++;
	pthread_mutex_unlock(&fuse->lock);
	if (!stage)
		return false;
	pthread_rwlock_wrlock(&stage->lock);
	kept = stage->dirty;
	if (kept)
		vdfs_stage_set_time(stage, mtime_ns);
	pthread_rwlock_unlock(&stage->lock);
	vdfs_file_put_stage(fuse, inode, stage, false);
	return kept;
}

static int change_owner(struct vdfs_call *call, struct vdfs_inode *inode,
			const struct stat *attr, int to_set)
{
	struct vdfs_who who = vdfs_inode_at(call, inode);
	int err;

	err = vdfs_name_chown(call->fuse->store, &who, "",
			      to_set & FUSE_SET_ATTR_UID ? attr->st_uid : ~0U,
			      to_set & FUSE_SET_ATTR_GID ? attr->st_gid : ~0U);
	return err ?: refresh(call, inode);
}

static int change(struct vdfs_call *call, struct vdfs_inode *inode,
		  const struct stat *attr, int to_set)
{
	struct vdfs_fuse *fuse = call->fuse;
	int64_t mtime_ns = INT64_MIN;
	struct vdfs_who who = vdfs_inode_at(call, inode);
	struct timespec t = attr->st_mtim;
	uint32_t mode = ~0U;
	int err;

	if (to_set & FUSE_SET_ATTR_MODE)
		mode = attr->st_mode & ~(mode_t)S_IFMT;
	if (to_set & FUSE_SET_ATTR_MTIME_NOW) {
		clock_gettime(CLOCK_REALTIME, &t);
		mtime_ns = VDFS_MTIME_NOW;
	} else if (to_set & FUSE_SET_ATTR_MTIME) {
		if (t.tv_sec >= INT64_MAX / SECOND ||
		    t.tv_sec <= INT64_MIN / SECOND)
			return -EOVERFLOW;
		mtime_ns = t.tv_sec * SECOND + t.tv_nsec;
	}
	if (mtime_ns != INT64_MIN &&
	    keep_time(fuse, inode, t.tv_sec * SECOND + t.tv_nsec))
		mtime_ns = INT64_MIN;
	if (mode == ~0U && mtime_ns == INT64_MIN)
		return 0;
	err = vdfs_name_change(fuse->store, &who, "", mode, mtime_ns);
	if (err)
		return err;
	/* Of a mode not all may have been taken. */
	err = refresh(call, inode);
	pthread_mutex_lock(&fuse->lock);
	if (mtime_ns != INT64_MIN)
		inode->st.mtime_ns = t.tv_sec * SECOND + t.tv_nsec;
	pthread_mutex_unlock(&fuse->lock);
	return err;
}

static int change_size(struct vdfs_call *call, struct vdfs_inode *inode,
		       uint64_t size, struct fuse_file_info *fi)
{
	struct vdfs_file *file = fi ? vdfs_file_of(fi) : NULL;

	if (file && !file->writes)
		return -EBADF;
	if (file && file->stage)
		return vdfs_stage_truncate(call->fuse, file->stage, &file->who,
					   size);
	if (file)
		return vdfs_text_truncate(file, size);
	if (inode->kind != VDFS_NAME)
		return -EPERM;
	return vdfs_file_truncate(call, inode, size);
}

void vdfs_op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr,
		     int to_set, struct fuse_file_info *fi)
{
	const int known = FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_UID |
			  FUSE_SET_ATTR_GID | FUSE_SET_ATTR_MTIME |
			  FUSE_SET_ATTR_MTIME_NOW | FUSE_SET_ATTR_ATIME |
			  FUSE_SET_ATTR_ATIME_NOW;
	struct vdfs_call call = vdfs_call_of(req);
	struct vdfs_inode *inode = vdfs_inode_of(call.fuse, ino);
	bool named = inode->kind == VDFS_NAME || inode->kind == VDFS_NAMES;
	int err = call.fuse->read_only ? -EROFS : 0;

	if (!err)
		err = refresh(&call, inode);
	if (!err && (to_set & known) && !named)
		err = -EPERM;
	if (!err && (to_set & known))
		err = check_change(&call, inode, to_set);
	if (!err && (to_set & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID)))
		err = change_owner(&call, inode, attr, to_set);
	if (!err && (to_set & FUSE_SET_ATTR_SIZE))
		err = change_size(&call, inode, (uint64_t)attr->st_size, fi);
	if (!err && (to_set & known))
		err = change(&call, inode, attr, to_set);
	if (err)
		fuse_reply_err(req, -err);
	else
		reply_attr(&call, inode);
}

void vdfs_op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct vdfs_call call = vdfs_call_of(req);
	uint64_t quota = 0, used = 0, room;
	struct vdfs_store *store;
	struct statvfs st;

	(void)ino;
	if (statvfs(call.fuse->stage_dir, &st) < 0) {
		fuse_reply_err(req, errno);
		return;
	}
	st.f_namemax = VDFS_ATTR_NAME_MAX;
	store = call.fuse->store;
	if (!vdfs_quota_get(store, call.who.uid, &quota, &used) && quota) {
		used += vdfs_charged(store, call.who.uid, VDFS_CHARGE_STAGED);
		room = quota > used ? (quota - used) / st.f_frsize : 0;
		st.f_blocks = quota / st.f_frsize;
		if (st.f_bfree > room)
			st.f_bfree = room;
		if (st.f_bavail > room)
			st.f_bavail = room;
	}
	fuse_reply_statfs(req, &st);
}
