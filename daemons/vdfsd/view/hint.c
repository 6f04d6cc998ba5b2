// SPDX-License-Identifier: GPL-2.0-only
/*
 * The inode that a repeated lookup of a thread returns; see view_impl.h.
 *
 * The kernel looks again once, so the second time has to be the last: what
 * the thread will find is held for it, a place among the writers or the blob
 * it is going to read, which others may take the name away from meanwhile.
 */
#include <errno.h>
#include <string.h>

#include "view_impl.h"

/**
 * vdfs_hint_drop() - hold something no longer
 * @fuse: Of which view.
 * @hint: The hint; it is in no table any more. May be empty.
 */
void vdfs_hint_drop(struct vdfs_fuse *fuse, struct vdfs_hint *hint)
{
	if (!hint->inode)
		return;
	if (hint->stage)
		vdfs_file_put_stage(fuse, hint->inode, hint->stage, true);
	if (hint->blob)
		vdfs_blob_close(hint->blob);
	pthread_mutex_lock(&fuse->lock);
	if (hint->reads)
		hint->inode->readers--;
	vdfs_inode_put_locked(fuse, hint->inode);
	pthread_mutex_unlock(&fuse->lock);
	memset(hint, 0, sizeof(*hint));
}

/**
 * vdfs_hints_fini() - nobody will look again
 * @fuse: Of which view.
 */
void vdfs_hints_fini(struct vdfs_fuse *fuse)
{
	size_t i;

	for (i = 0; i < VDFS_HINTS; i++)
		vdfs_hint_drop(fuse, &fuse->hints[i]);
}

/*
 * The entry of this thread, NULL without one. The lock is held. A number that
 * another user's thread had before is another thread's.
 */
static struct vdfs_hint *mine(struct vdfs_call *call)
{
	struct vdfs_hint *hint = call->fuse->hints;
	size_t i;

	for (i = 0; i < VDFS_HINTS; i++, hint++) {
		if (hint->inode && hint->tid == call->tid &&
		    hint->uid == call->who.uid)
			return hint;
	}
	return NULL;
}

/* Take an entry out of the table. The lock is held. */
static void take(struct vdfs_hint *hint, struct vdfs_hint *out)
{
	*out = *hint;
	memset(hint, 0, sizeof(*hint));
	if (out->inode)
		out->inode->own = false;
}

/**
 * vdfs_hint_take() - what was held for this thread
 * @call: Its request.
 * @inode: The inode that it opens.
 * @hint: Out: the hint that was held, if it is about @inode; to be dropped.
 *
 * Return: True if the thread was told to look again, and did not: it has no
 * path but a descriptor, /proc/self/fd/N.
 */
bool vdfs_hint_take(struct vdfs_call *call, const struct vdfs_inode *inode,
		    struct vdfs_hint *hint)
{
	struct vdfs_fuse *fuse = call->fuse;
	struct vdfs_hint *held;
	bool again = false;

	memset(hint, 0, sizeof(*hint));
	pthread_mutex_lock(&fuse->lock);
	held = mine(call);
	if (held) {
		again = !held->inode->own;
		take(held, hint);
	}
	pthread_mutex_unlock(&fuse->lock);
	if (!hint->inode || hint->inode == inode)
		return false;
	vdfs_hint_drop(fuse, hint);
	return again;
}

/* An entry for this thread: its own, one that is free, the oldest. */
static struct vdfs_hint *room(struct vdfs_call *call)
{
	struct vdfs_fuse *fuse = call->fuse;
	struct vdfs_hint *hint = mine(call);
	size_t i;

	for (i = 0; i < VDFS_HINTS && !hint; i++) {
		if (!fuse->hints[i].inode)
			hint = &fuse->hints[i];
	}
	return hint ?: &fuse->hints[fuse->next_hint++ % VDFS_HINTS];
}

/**
 * vdfs_hint_set_locked() - hold something for this thread
 * @call: Its request.
 * @inode: The inode that it will find. This and the next two references are the
 *         hint's.
 * @stage: A place among those who write it, or NULL.
 * @blob: The blob that it will read there, or NULL.
 * @old: Out: a hint that there is no room for any more; to be dropped.
 *
 * Context: fuse->lock is held.
 */
void vdfs_hint_set_locked(struct vdfs_call *call, struct vdfs_inode *inode,
			  struct vdfs_stage *stage, struct vdfs_blob *blob,
			  struct vdfs_hint *old)
{
	struct vdfs_hint *hint = room(call);

	take(hint, old);
	hint->tid = call->tid;
	hint->uid = call->who.uid;
	hint->inode = inode;
	hint->stage = stage;
	hint->blob = blob;
	hint->reads = blob;
	if (blob)
		inode->readers++;
}

/**
 * vdfs_hint_find_locked() - what is held for this thread under a name
 * @call: Its request.
 * @dir: Directory.
 * @name: In it.
 *
 * Context: fuse->lock is held.
 * Return: The inode, NULL if nothing is.
 */
struct vdfs_inode *vdfs_hint_find_locked(struct vdfs_call *call,
					 const struct vdfs_inode *dir,
					 const char *name)
{
	struct vdfs_hint *hint = mine(call);

	return hint && vdfs_inode_called(hint->inode, dir, name) ? hint->inode :
								   NULL;
}

/*
 * Note what a thread sees. Was it another file when it looked before? Of
 * threads of other namespaces that is not known: they have no number.
 */
static bool moved(struct vdfs_call *call, const struct vdfs_inode *dir,
		  const char *name, uint64_t ino)
{
	struct vdfs_seen *seen = &call->fuse->seen[call->tid % VDFS_SEEN];
	uint64_t path = vdfs_inode_hash(dir, name);
	bool same = call->tid && seen->tid == call->tid && seen->path == path;
	bool other = same && seen->ino != ino;

	seen->tid = call->tid;
	seen->path = path;
	seen->ino = ino;
	return other;
}

/**
 * vdfs_hint_look() - note what a thread sees
 * @call: For whom.
 * @dir: Directory.
 * @name: In it.
 * @st: Attributes of the name, NULL = there is none.
 *
 * When it looked before, did nothing with what it saw, and that was another
 * file, the kernel may have found its walk outdated by itself, and will not
 * look a third time.
 *
 * Return: True if so, and it needs an inode of its own.
 */
bool vdfs_hint_look(struct vdfs_call *call, const struct vdfs_inode *dir,
		    const char *name, const struct vdfs_stat *st)
{
	struct vdfs_fuse *fuse = call->fuse;
	struct vdfs_inode *held;
	bool due;

	pthread_mutex_lock(&fuse->lock);
	due = moved(call, dir, name, st ? st->ino : 0);
	held = vdfs_hint_find_locked(call, dir, name);
	if (held)
		due = held->own && st && !vdfs_inode_is(held, st);
	pthread_mutex_unlock(&fuse->lock);
	return due;
}

/**
 * vdfs_hint_done() - a thread did something with what it saw
 * @call: Its request.
 */
void vdfs_hint_done(struct vdfs_call *call)
{
	struct vdfs_fuse *fuse = call->fuse;
	struct vdfs_seen *seen = &fuse->seen[call->tid % VDFS_SEEN];

	pthread_mutex_lock(&fuse->lock);
	if (seen->tid == call->tid)
		seen->tid = 0;
	pthread_mutex_unlock(&fuse->lock);
}

/**
 * vdfs_hint_own() - show a thread an inode that nobody else is shown
 * @call: Its lookup.
 * @dir: Directory.
 * @name: In it.
 * @st: Attributes of the name, which is a file's.
 * @out: Out: with a reference.
 *
 * Whether it will read or write is not known yet, and with an inode of its
 * own it can do both. A file that is being made is read and written where
 * that happens.
 *
 * Return: 0 or -ENOMEM.
 */
int vdfs_hint_own(struct vdfs_call *call, struct vdfs_inode *dir,
		  const char *name, const struct vdfs_stat *st,
		  struct vdfs_inode **out)
{
	struct vdfs_fuse *fuse = call->fuse;
	struct vdfs_blob *blob = NULL;
	struct vdfs_hint old = {};

	/* A user that may only write does without. */
	if (vdfs_blob_open(fuse->store, &call->who, &st->hash, &blob))
		blob = NULL;
	pthread_mutex_lock(&fuse->lock);
	*out = vdfs_inode_fresh_locked(fuse, dir, name, st);
	if (!*out) {
		*out = vdfs_inode_new_locked(call, dir, name, VDFS_NAME, st);
		if (*out) {
			vdfs_hint_set_locked(call, *out, NULL, blob, &old);
			(*out)->own = true;
			(*out)->refs++;
			blob = NULL;
		}
	}
	pthread_mutex_unlock(&fuse->lock);
	vdfs_hint_drop(fuse, &old);
	if (blob)
		vdfs_blob_close(blob);
	return *out ? 0 : -ENOMEM;
}
