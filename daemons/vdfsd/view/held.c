// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ranges of files that are locked. One that conflicts with another is found
 * in a tree, what an owner or an open file has by a hash: nobody goes over what
 * others hold. One that waits does so for a lock, and is looked at again when
 * that goes.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>

#include "held_impl.h"
#include "store/charge.h"

#define RANGES_MAX 4096 /* of one owner in one file */

static unsigned int bucket(uint64_t number)
{
	return (number * 0x9e3779b97f4a7c15ULL) >> (64 - VDFS_LOCK_BUCKET_BITS);
}

/**
 * vdfs_lock_own() - the list that locks of one owner in one file are in
 * @locks: The locks of the view.
 * @lock: Its file and owner.
 *
 * Return: The list, which others are in too by chance.
 */
struct vdfs_lock_list *vdfs_lock_own(struct vdfs_locks *locks,
				     const struct vdfs_lock *lock)
{
	uint64_t ino = bucket(lock->ino);

	return &locks->own[bucket(lock->owner ^ ino << 32)];
}

/**
 * vdfs_lock_via() - the list that locks of one request or open file are in
 * @locks: The locks of the view.
 * @lock: Its request; where it has none its open file.
 *
 * Return: The list, which others are in too by chance.
 */
struct vdfs_lock_list *vdfs_lock_via(struct vdfs_locks *locks,
				     const struct vdfs_lock *lock)
{
	return &locks->via[bucket(lock->req ? (uintptr_t)lock->req : lock->fh)];
}

/* The locks of a file, NULL = there are none. */
static struct vdfs_lock_file *file_of(struct vdfs_locks *locks,
				      const struct vdfs_lock *lock)
{
	struct vdfs_lock_file *file;

	LIST_FOREACH(file, &locks->file[bucket(lock->ino)], link)
	{
		if (file->ino == lock->ino && file->flock == lock->flock)
			break;
	}
	return file;
}

static struct vdfs_range **set_of(const struct vdfs_lock *lock)
{
	return &lock->file->held[lock->type == F_WRLCK];
}

/* A lock is held from here on. */
static void hold(struct vdfs_locks *locks, struct vdfs_lock *lock)
{
	locks->chance ^= locks->chance << 13;
	locks->chance ^= locks->chance >> 7;
	locks->chance ^= locks->chance << 17;
	lock->range.rank = locks->chance;
	lock->req = NULL;
	lock->blocked = NULL;
	vdfs_range_add(set_of(lock), &lock->range);
	TAILQ_INSERT_HEAD(vdfs_lock_own(locks, lock), lock, own);
	TAILQ_INSERT_HEAD(vdfs_lock_via(locks, lock), lock, via);
}

/* A lock goes, or becomes another: those that wait for it try again. */
static void let_go(struct vdfs_locks *locks, struct vdfs_lock *lock)
{
	vdfs_line_join(&locks->again, &lock->blocked);
}

static void file_put(struct vdfs_lock_file *file)
{
	if (file->held[0] || file->held[1])
		return;
	LIST_REMOVE(file, link);
	free(file);
}

/**
 * vdfs_lock_free() - free a lock that is in no list
 * @locks: The locks of the view.
 * @lock: The lock; its user is charged for it no more.
 */
void vdfs_lock_free(struct vdfs_locks *locks, struct vdfs_lock *lock)
{
	vdfs_uncharge(locks->store, lock->uid, VDFS_CHARGE_LOCKS,
		      lock->charged);
	free(lock);
}

/* A lock is held no more. The file stays, for the caller to put. */
static void drop(struct vdfs_locks *locks, struct vdfs_lock *lock)
{
	let_go(locks, lock);
	vdfs_range_remove(set_of(lock), &lock->range);
	TAILQ_REMOVE(vdfs_lock_own(locks, lock), lock, own);
	TAILQ_REMOVE(vdfs_lock_via(locks, lock), lock, via);
	vdfs_lock_free(locks, lock);
}

/**
 * vdfs_lock_drop() - let go of a lock
 * @locks: The locks of the view.
 * @lock: One that is held. Those that wait for it are in locks.again
 *        afterwards.
 */
void vdfs_lock_drop(struct vdfs_locks *locks, struct vdfs_lock *lock)
{
	struct vdfs_lock_file *file = lock->file;

	drop(locks, lock);
	file_put(file);
}

static struct vdfs_lock *lock_of(const struct vdfs_range *range)
{
	return (void *)((uintptr_t)range - offsetof(struct vdfs_lock, range));
}

static bool is_of_another(const struct vdfs_range *range, const void *arg)
{
	const struct vdfs_lock *want = arg;

	return lock_of(range)->owner != want->owner;
}

/**
 * vdfs_lock_conflict() - find a lock that keeps another from being granted
 * @locks: The locks of the view.
 * @want: The other.
 *
 * Return: One of them, or NULL.
 */
struct vdfs_lock *vdfs_lock_conflict(struct vdfs_locks *locks,
				     const struct vdfs_lock *want)
{
	struct vdfs_lock_file *file = file_of(locks, want);
	struct vdfs_range *found = NULL;
	int type;

	/* Those to read are in the way of one to write alone. */
	for (type = want->type == F_RDLCK;
	     file && want->type != F_UNLCK && type < 2 && !found; type++)
		found = vdfs_range_find(file->held[type], want->range.start,
					want->range.end, is_of_another, want);
	return found ? lock_of(found) : NULL;
}

/**
 * vdfs_lock_same_owner() - whether two locks are of one owner, kind and file
 * @lock: The one.
 * @want: The other.
 *
 * Return: Whether they are.
 */
bool vdfs_lock_same_owner(const struct vdfs_lock *lock,
			  const struct vdfs_lock *want)
{
	return lock->ino == want->ino && lock->flock == want->flock &&
	       lock->owner == want->owner;
}

static bool overlap(const struct vdfs_lock *a, const struct vdfs_lock *b)
{
	return a->range.start <= b->range.end && b->range.start <= a->range.end;
}

/* Take @want out of a range of the same owner; @rest may become its end. */
static void cut(struct vdfs_locks *locks, struct vdfs_lock *lock,
		const struct vdfs_lock *want, struct vdfs_lock **rest)
{
	bool before = lock->range.start < want->range.start;
	bool after = lock->range.end > want->range.end;

	if (!before && !after) {
		drop(locks, lock);
		return;
	}
	let_go(locks, lock);
	vdfs_range_remove(set_of(lock), &lock->range);
	if (before && after) {
		struct vdfs_lock *end = *rest;

		*rest = NULL;
		*end = *lock;
		end->uid = want->uid;
		end->range.start = want->range.end + 1;
		hold(locks, end);
	}
	if (before)
		lock->range.end = want->range.start - 1;
	else
		lock->range.start = want->range.end + 1;
	vdfs_range_add(set_of(lock), &lock->range);
}

/* How many ranges more there are when @want is granted, before any go. */
static unsigned int more_ranges(const struct vdfs_lock_list *own,
				const struct vdfs_lock *want,
				unsigned int *ranges)
{
	unsigned int more = want->type != F_UNLCK;
	const struct vdfs_lock *lock;

	*ranges = 0;
	TAILQ_FOREACH(lock, own, own)
	{
		if (!vdfs_lock_same_owner(lock, want))
			continue;
		++*ranges;
		/* In its middle: two remain of it. */
		if (lock->range.start < want->range.start &&
		    lock->range.end > want->range.end)
			more++;
	}
	return more;
}

/**
 * vdfs_lock_charge() - charge for the ranges that a lock will take
 * @locks: The locks of the view.
 * @want: One that is not held.
 *
 * A change that takes none is always granted. One that has waited was charged, and within
 * the limit of ranges, before it did: it is granted, unless its owner has another
 * range divided by it meanwhile.
 *
 * Return: 0, or -ENOLCK when its user or owner may have no more.
 */
int vdfs_lock_charge(struct vdfs_locks *locks, struct vdfs_lock *want)
{
	const struct vdfs_lock_list *own = vdfs_lock_own(locks, want);
	unsigned int ranges, more = more_ranges(own, want, &ranges);

	if (more <= want->charged)
		return 0;
	if ((!want->charged && ranges >= RANGES_MAX) ||
	    vdfs_charge(locks->store, want->uid, VDFS_CHARGE_LOCKS,
			more - want->charged))
		return -ENOLCK;
	want->charged = more;
	return 0;
}

/**
 * vdfs_lock_next() - take the next one that may be granted by now
 * @locks: The locks of the view.
 *
 * Return: The first that came of those whose blocker let go, or NULL.
 */
struct vdfs_lock *vdfs_lock_next(struct vdfs_locks *locks)
{
	struct vdfs_waiter *first = locks->again;

	if (!first)
		return NULL;
	vdfs_line_remove(&locks->again, first);
	return (void *)((uintptr_t)first - offsetof(struct vdfs_lock, place));
}

/* The locks of a file, made if there are none; NULL without memory. */
static struct vdfs_lock_file *file_get(struct vdfs_locks *locks,
				       const struct vdfs_lock *want)
{
	struct vdfs_lock_file *file = file_of(locks, want);

	if (file)
		return file;
	file = calloc(1, sizeof(*file));
	if (!file)
		return NULL;
	file->ino = want->ino;
	file->flock = want->flock;
	LIST_INSERT_HEAD(&locks->file[bucket(file->ino)], file, link);
	return file;
}

/**
 * vdfs_lock_grant() - replace what an owner has in a range
 * @locks: The locks of the view.
 * @want: The range, in whose way nothing is, and what it becomes. The
 *        granted one takes over its charge. Those that wait for what goes are in
 *        locks.again afterwards.
 *
 * Return: 0, -ENOLCK or -ENOMEM, and nothing has changed.
 */
int vdfs_lock_grant(struct vdfs_locks *locks, struct vdfs_lock *want)
{
	struct vdfs_lock_list *own = vdfs_lock_own(locks, want);
	struct vdfs_lock *lock, *next, *rest = malloc(sizeof(*rest));
	struct vdfs_lock *new = malloc(sizeof(*new));
	struct vdfs_lock_file *file = file_get(locks, want);
	int err = rest && new && file ? vdfs_lock_charge(locks, want) : -ENOMEM;
	unsigned int took = 0;

	if (err)
		goto free;
	for (lock = TAILQ_FIRST(own); lock; lock = next) {
		next = TAILQ_NEXT(lock, own);
		if (vdfs_lock_same_owner(lock, want) && overlap(lock, want))
			cut(locks, lock, want, &rest);
	}
	if (want->type != F_UNLCK) {
		*new = *want;
		new->charged = 1;
		new->file = file;
		hold(locks, new);
		new = NULL;
		took++;
	}
	took += !rest;
	/* It may have waited to divide a range that is there no more. */
	if (want->charged > took)
		vdfs_uncharge(locks->store, want->uid, VDFS_CHARGE_LOCKS,
			      want->charged - took);
	want->charged = 0;
free:
	if (file)
		file_put(file);
	free(rest);
	free(new);
	return err;
}
