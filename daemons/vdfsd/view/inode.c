// SPDX-License-Identifier: GPL-2.0-only
/* Inodes of the view: the table, paths. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cached_impl.h"

#define BUCKETS_MIN 256
#define CLOSING_NS 50000000

/**
 * vdfs_inode_hash() - a number for a name
 * @dir: Directory.
 * @name: In it.
 *
 * Return: The number; others may have it too.
 */
uint64_t vdfs_inode_hash(const struct vdfs_inode *dir, const char *name)
{
	uint64_t h = (uintptr_t)dir >> 4;

	for (; *name; name++)
		h = (h ^ (unsigned char)*name) * 0x100000001b3ULL;
	return h ^ h >> 32;
}

static size_t bucket_of(struct vdfs_fuse *fuse, const struct vdfs_inode *dir,
			const char *name)
{
	return vdfs_inode_hash(dir, name) & (fuse->buckets - 1);
}

/* A table that cannot grow gets slower, that is all. */
static void grow(struct vdfs_fuse *fuse)
{
	struct vdfs_inode **old = fuse->table, *inode, *next;
	size_t buckets = fuse->buckets, i;
	struct vdfs_inode **table = calloc(2 * buckets, sizeof(*table));

	if (!table)
		return;
	fuse->table = table;
	fuse->buckets = 2 * buckets;
	for (i = 0; i < buckets; i++) {
		for (inode = old[i]; inode; inode = next) {
			size_t b = bucket_of(fuse, inode->parent, inode->name);

			next = inode->next;
			inode->next = table[b];
			table[b] = inode;
		}
	}
	free(old);
}

static void link_locked(struct vdfs_fuse *fuse, struct vdfs_inode *inode)
{
	size_t b;

	if (fuse->inodes >= fuse->buckets)
		grow(fuse);
	b = bucket_of(fuse, inode->parent, inode->name);
	inode->next = fuse->table[b];
	fuse->table[b] = inode;
	inode->linked = true;
	fuse->inodes++;
}

static void unlink_locked(struct vdfs_fuse *fuse, struct vdfs_inode *inode)
{
	struct vdfs_inode **at;

	at = &fuse->table[bucket_of(fuse, inode->parent, inode->name)];
	while (*at != inode)
		at = &(*at)->next;
	*at = inode->next;
	inode->linked = false;
	fuse->inodes--;
}

/**
 * vdfs_inode_called() - has an inode this name, or had it?
 * @inode: Which.
 * @dir: Directory.
 * @name: In it.
 *
 * Context: fuse->lock is held.
 * Return: True if so.
 */
bool vdfs_inode_called(const struct vdfs_inode *inode,
		       const struct vdfs_inode *dir, const char *name)
{
	return inode->parent == dir && !strcmp(inode->name, name);
}

/**
 * vdfs_inodes_init() - make the table, with nothing but the root in it
 * @fuse: Of which view.
 *
 * Return: 0 or -ENOMEM.
 */
int vdfs_inodes_init(struct vdfs_fuse *fuse)
{
	fuse->root = calloc(1, sizeof(*fuse->root));
	fuse->table = calloc(BUCKETS_MIN, sizeof(struct vdfs_inode *));
	if (!fuse->root || !fuse->table) {
		free(fuse->root);
		free(fuse->table);
		return -ENOMEM;
	}
	fuse->buckets = BUCKETS_MIN;
	fuse->root->kind = VDFS_VIEW_ROOT;
	fuse->root->refs = 1;
	LIST_INIT(&fuse->all);
	LIST_INIT(&fuse->files);
	LIST_INIT(&fuse->listings);
	return 0;
}

/**
 * vdfs_inodes_fini() - free what the kernel had no time to forget
 * @fuse: Of which view; nothing is open.
 */
void vdfs_inodes_fini(struct vdfs_fuse *fuse)
{
	struct vdfs_inode *inode;

	while (!LIST_EMPTY(&fuse->all)) {
		inode = LIST_FIRST(&fuse->all);
		LIST_REMOVE(inode, all);
		vdfs_cached_remove(fuse, inode);
		free(inode->name);
		free(inode);
	}
	free(fuse->table);
	free(fuse->root);
}

/**
 * vdfs_inode_of() - the inode behind a number of libfuse
 * @fuse: Of which view.
 * @ino: Number.
 *
 * Return: The inode; the kernel holds it for as long as the request lasts.
 */
struct vdfs_inode *vdfs_inode_of(struct vdfs_fuse *fuse, fuse_ino_t ino)
{
	return ino == FUSE_ROOT_ID ? fuse->root :
				     (struct vdfs_inode *)(uintptr_t)ino;
}

/**
 * vdfs_inode_new_locked() - one more inode of a name
 * @call: For whom, who is charged for it.
 * @dir: Directory.
 * @name: In it.
 * @kind: Kind of the inode.
 * @st: Attributes of the name, NULL where they do not matter.
 *
 * Context: fuse->lock is held.
 * Return: The inode with a reference, NULL without memory, or when the user has
 * so many.
 */
struct vdfs_inode *vdfs_inode_new_locked(struct vdfs_call *call,
					 struct vdfs_inode *dir,
					 const char *name,
					 enum vdfs_view_kind kind,
					 const struct vdfs_stat *st)
{
	struct vdfs_inode *inode = calloc(1, sizeof(*inode));
	struct vdfs_fuse *fuse = call->fuse;

	if (!inode)
		return NULL;
	inode->uid = call->who.uid;
	inode->name = strdup(name);
	if (!inode->name || vdfs_cached_add(fuse, inode)) {
		free(inode->name);
		free(inode);
		return NULL;
	}
	inode->parent = dir;
	dir->refs++;
	inode->kind = kind;
	inode->refs = 1;
	inode->serial = ++fuse->serial;
	if (st)
		inode->st = *st;
	link_locked(fuse, inode);
	LIST_INSERT_HEAD(&fuse->all, inode, all);
	return inode;
}

/**
 * vdfs_inode_is() - is an inode what a name stands for?
 * @inode: Of a file.
 * @st: The name.
 *
 * Context: fuse->lock is held.
 * Return: True if so.
 */
bool vdfs_inode_is(const struct vdfs_inode *inode, const struct vdfs_stat *st)
{
	return inode->st.ino == st->ino &&
	       !memcmp(&inode->st.hash, &st->hash, sizeof(st->hash));
}

/* Is it shown to those who look for what the name stands for? */
static bool shows(const struct vdfs_inode *inode, enum vdfs_view_kind kind,
		  const struct vdfs_stat *st)
{
	const struct vdfs_stage *stage = inode->stage;

	if (inode->kind != kind || inode->own)
		return false;
	if (!st)
		return true;
	if (inode->st.ino != st->ino)
		return false;
	if (kind != VDFS_NAME)
		return true;
	if (stage && stage->writers)
		return stage->fresh;
	return !(stage && stage->dirty) && vdfs_inode_is(inode, st);
}

/* The inode that a name shows, NULL without one. */
static struct vdfs_inode *shown(struct vdfs_fuse *fuse,
				const struct vdfs_inode *dir, const char *name,
				enum vdfs_view_kind kind,
				const struct vdfs_stat *st)
{
	struct vdfs_inode *inode = fuse->table[bucket_of(fuse, dir, name)];

	while (inode &&
	       !(vdfs_inode_called(inode, dir, name) && shows(inode, kind, st)))
		inode = inode->next;
	return inode;
}

static struct vdfs_inode *find_locked(struct vdfs_call *call,
				      struct vdfs_inode *dir, const char *name,
				      enum vdfs_view_kind kind,
				      const struct vdfs_stat *st)
{
	struct vdfs_inode *inode = shown(call->fuse, dir, name, kind, st);

	if (!inode)
		return vdfs_inode_new_locked(call, dir, name, kind, st);
	inode->refs++;
	/* With a stage it keeps the blob it began as until a commit. */
	if (st && !inode->stage)
		inode->st = *st;
	return inode;
}

/**
 * vdfs_inode_fresh_locked() - the inode of a file that is being made
 * @fuse: Of which view.
 * @dir: Directory.
 * @name: In it.
 * @st: Attributes of the name.
 *
 * Context: fuse->lock is held.
 * Return: The inode with a reference, NULL if the file was made before.
 */
struct vdfs_inode *vdfs_inode_fresh_locked(struct vdfs_fuse *fuse,
					   const struct vdfs_inode *dir,
					   const char *name,
					   const struct vdfs_stat *st)
{
	struct vdfs_inode *inode = shown(fuse, dir, name, VDFS_NAME, st);

	if (!inode || !inode->stage || !inode->stage->writers)
		return NULL;
	inode->refs++;
	return inode;
}

/**
 * vdfs_inode_find() - the inode of a name that exists
 * @call: For whom.
 * @dir: Directory.
 * @name: In it.
 * @kind: Kind of the inode.
 * @st: Attributes of the name, NULL where they do not matter.
 * @out: Out: with a reference.
 *
 * Return: 0 or -ENOMEM.
 */
int vdfs_inode_find(struct vdfs_call *call, struct vdfs_inode *dir,
		    const char *name, enum vdfs_view_kind kind,
		    const struct vdfs_stat *st, struct vdfs_inode **out)
{
	struct vdfs_fuse *fuse = call->fuse;

	pthread_mutex_lock(&fuse->lock);
	*out = NULL;
	if (kind == VDFS_NAME)
		*out = vdfs_hint_find_locked(call, dir, name);
	if (!*out) {
		*out = find_locked(call, dir, name, kind, st);
	} else {
		(*out)->refs++;
		if ((*out)->own)
			(*out)->st = *st;
	}
	pthread_mutex_unlock(&fuse->lock);
	return *out ? 0 : -ENOMEM;
}

/**
 * vdfs_inode_new() - one more inode of a name
 * @call: For whom.
 * @dir: Directory.
 * @name: In it.
 * @kind: Kind of the inode.
 * @st: Attributes of the name.
 * @out: Out: with a reference.
 *
 * Return: 0 or -ENOMEM.
 */
int vdfs_inode_new(struct vdfs_call *call, struct vdfs_inode *dir,
		   const char *name, enum vdfs_view_kind kind,
		   const struct vdfs_stat *st, struct vdfs_inode **out)
{
	struct vdfs_fuse *fuse = call->fuse;

	pthread_mutex_lock(&fuse->lock);
	*out = vdfs_inode_new_locked(call, dir, name, kind, st);
	pthread_mutex_unlock(&fuse->lock);
	return *out ? 0 : -ENOMEM;
}

/**
 * vdfs_inode_put_locked() - give a reference back
 * @fuse: Of which view.
 * @inode: To which.
 *
 * Context: fuse->lock is held.
 */
void vdfs_inode_put_locked(struct vdfs_fuse *fuse, struct vdfs_inode *inode)
{
	while (inode && !--inode->refs) {
		struct vdfs_inode *dir = inode->parent;

		if (inode->linked)
			unlink_locked(fuse, inode);
		LIST_REMOVE(inode, all);
		vdfs_cached_remove(fuse, inode);
		free(inode->name);
		free(inode);
		inode = dir;
	}
}

/**
 * vdfs_inode_put() - give a reference back
 * @fuse: Of which view.
 * @inode: To which.
 */
void vdfs_inode_put(struct vdfs_fuse *fuse, struct vdfs_inode *inode)
{
	pthread_mutex_lock(&fuse->lock);
	vdfs_inode_put_locked(fuse, inode);
	pthread_mutex_unlock(&fuse->lock);
}

/**
 * vdfs_inode_forget() - the kernel forgot lookups
 * @fuse: Of which view.
 * @inode: Of which.
 * @lookups: How many.
 */
void vdfs_inode_forget(struct vdfs_fuse *fuse, struct vdfs_inode *inode,
		       uint64_t lookups)
{
	if (inode == fuse->root)
		return;
	pthread_mutex_lock(&fuse->lock);
	inode->lookups -= lookups;
	if (!inode->lookups)
		vdfs_inode_put_locked(fuse, inode);
	pthread_mutex_unlock(&fuse->lock);
}

/**
 * vdfs_inode_unlink_locked() - let no path lead to an inode any more
 * @fuse: Of which view.
 * @inode: Which.
 *
 * Context: fuse->lock is held.
 */
void vdfs_inode_unlink_locked(struct vdfs_fuse *fuse, struct vdfs_inode *inode)
{
	if (inode->linked)
		unlink_locked(fuse, inode);
}

/**
 * vdfs_inode_unlink() - a name is no more
 * @fuse: Of which view.
 * @dir: Directory.
 * @name: In it.
 */
void vdfs_inode_unlink(struct vdfs_fuse *fuse, struct vdfs_inode *dir,
		       const char *name)
{
	struct vdfs_inode *inode, *next;

	pthread_mutex_lock(&fuse->lock);
	inode = fuse->table[bucket_of(fuse, dir, name)];
	for (; inode; inode = next) {
		next = inode->next;
		if (vdfs_inode_called(inode, dir, name))
			unlink_locked(fuse, inode);
	}
	pthread_mutex_unlock(&fuse->lock);
}

/* Give a linked inode, or one that was, another name, if there is memory. */
static void relink_locked(struct vdfs_fuse *fuse, struct vdfs_inode *inode,
			  struct vdfs_inode *to, const char *new_name)
{
	struct vdfs_inode *from = inode->parent;
	char *copy = strdup(new_name);

	if (inode->linked)
		unlink_locked(fuse, inode);
	if (!copy)
		return;
	free(inode->name);
	inode->name = copy;
	inode->parent = to;
	to->refs++;
	vdfs_inode_put_locked(fuse, from);
	link_locked(fuse, inode);
}

/**
 * vdfs_inode_follow() - let those who write a file be where its name is
 * @fuse: Of which view.
 * @dir: Directory.
 * @name: In it.
 * @ino: Number of the file that is there; others may have renamed it.
 */
void vdfs_inode_follow(struct vdfs_fuse *fuse, struct vdfs_inode *dir,
		       const char *name, uint64_t ino)
{
	struct vdfs_inode *inode;

	pthread_mutex_lock(&fuse->lock);
	LIST_FOREACH(inode, &fuse->staged[ino % VDFS_STAGED], staged)
	{
		if (inode->st.ino == ino && inode->linked &&
		    !vdfs_inode_called(inode, dir, name))
			relink_locked(fuse, inode, dir, name);
	}
	pthread_mutex_unlock(&fuse->lock);
}

/**
 * vdfs_inode_move() - a name is another
 * @fuse: Of which view.
 * @from: Directory.
 * @name: In it.
 * @to: New directory.
 * @new_name: In that one.
 *
 * Without memory for the new name its inodes lose their path, and are looked
 * up again.
 */
void vdfs_inode_move(struct vdfs_fuse *fuse, struct vdfs_inode *from,
		     const char *name, struct vdfs_inode *to,
		     const char *new_name)
{
	struct vdfs_inode *inode, *next, *moved = NULL;

	vdfs_inode_unlink(fuse, to, new_name);
	pthread_mutex_lock(&fuse->lock);
	inode = fuse->table[bucket_of(fuse, from, name)];
	for (; inode; inode = next) {
		next = inode->next;
		if (!vdfs_inode_called(inode, from, name))
			continue;
		unlink_locked(fuse, inode);
		inode->next = moved;
		moved = inode;
	}
	for (inode = moved; inode; inode = next) {
		next = inode->next;
		relink_locked(fuse, inode, to, new_name);
	}
	pthread_mutex_unlock(&fuse->lock);
}

static bool written(const struct vdfs_inode *inode)
{
	const struct vdfs_stage *stage = inode->stage;

	return stage && stage->writers && !stage->ended;
}

/**
 * vdfs_inode_writer() - the inode that the writers of a name share
 * @fuse: Of which view.
 * @inode: Any inode of the name.
 *
 * Context: fuse->lock is held.
 * Return: The inode, NULL when nobody writes.
 */
struct vdfs_inode *vdfs_inode_writer(struct vdfs_fuse *fuse,
				     struct vdfs_inode *inode)
{
	struct vdfs_inode *other;

	if (written(inode) || !inode->linked)
		return written(inode) ? inode : NULL;
	other = fuse->table[bucket_of(fuse, inode->parent, inode->name)];
	for (; other; other = other->next) {
		if (vdfs_inode_called(other, inode->parent, inode->name) &&
		    written(other) && other->st.ino == inode->st.ino)
			return other;
	}
	return NULL;
}

static struct vdfs_stage *closing(struct vdfs_fuse *fuse,
				  struct vdfs_inode *dir, const char *name)
{
	struct vdfs_inode *inode = fuse->table[bucket_of(fuse, dir, name)];

	for (; inode; inode = inode->next) {
		struct vdfs_stage *stage = inode->stage;

		if (vdfs_inode_called(inode, dir, name) && stage &&
		    stage->blank && stage->dirty && stage->closing)
			return stage;
	}
	return NULL;
}

/**
 * vdfs_inode_settle() - wait for a truncated file to be closed
 * @fuse: Of which view.
 * @dir: Directory.
 * @name: In it.
 *
 * If it is not within a moment, it is in use.
 */
void vdfs_inode_settle(struct vdfs_fuse *fuse, struct vdfs_inode *dir,
		       const char *name)
{
	struct vdfs_stage *stage;
	struct timespec until;
	int err = 0;

	pthread_mutex_lock(&fuse->lock);
	if (closing(fuse, dir, name)) {
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += CLOSING_NS;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		while (!err && closing(fuse, dir, name))
			err = pthread_cond_timedwait(&fuse->settled,
						     &fuse->lock, &until);
		stage = closing(fuse, dir, name);
		if (stage)
			stage->closing = false;
	}
	pthread_mutex_unlock(&fuse->lock);
}
