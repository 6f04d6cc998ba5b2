// SPDX-License-Identifier: GPL-2.0-only
/*
 * flock(2) and the locks of fcntl(2). A file has several inodes, one for each
 * content and one for its writers, so the kernel, which locks inodes, cannot
 * keep them: here they belong to the number of a file.
 *
 * A request that waits holds no thread. It is answered when what it waits for
 * was granted, or when the kernel says that the caller was interrupted.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/queue.h>

#include "lock_impl.h"
#include "store/charge.h"
#include "view_impl.h"

#define BUCKETS 256
#define RANGES_MAX 4096 /* of one owner in one file */

/**
 * struct lock - a range that somebody has locked, or wants to
 * @all: In its bucket.
 * @ino: Of the file.
 * @uid: The user who is charged.
 * @flock: By flock(2): locks of the two kinds do not see each other.
 * @owner: As the kernel names it, a process or an open file.
 * @fh: The open file that it came by.
 * @start: First byte.
 * @end: Last byte.
 * @type: F_RDLCK, F_WRLCK; F_UNLCK = take it away.
 * @pid: Process, for F_GETLK.
 * @req: Request that waits for it, NULL once it is held.
 * @result: Answer to @req, 0 or a negative errno.
 */
struct lock {
	TAILQ_ENTRY(lock) all;
	uint64_t ino;
	uint32_t uid;
	bool flock;
	uint64_t owner;
	uint64_t fh;
	uint64_t start;
	uint64_t end;
	int type;
	pid_t pid;
	fuse_req_t req;
	int result;
};

TAILQ_HEAD(lock_list, lock);

/**
 * struct vdfs_locks - the locks of a view
 * @store: Where users are charged for them.
 * @lock: Guards all of it. fuse->lock is not taken inside.
 * @held: By file.
 * @waiting: By file, in the order in which they came.
 */
struct vdfs_locks {
	struct vdfs_store *store;
	pthread_mutex_t lock;
	struct lock_list held[BUCKETS];
	struct lock_list waiting[BUCKETS];
};

/**
 * vdfs_locks_new() - begin without a lock
 * @store: Where users are charged for them.
 *
 * Return: The locks, NULL without memory.
 */
struct vdfs_locks *vdfs_locks_new(struct vdfs_store *store)
{
	struct vdfs_locks *locks = calloc(1, sizeof(*locks));
	size_t i;

	if (!locks)
		return NULL;
	locks->store = store;
	pthread_mutex_init(&locks->lock, NULL);
	for (i = 0; i < BUCKETS; i++) {
		TAILQ_INIT(&locks->held[i]);
		TAILQ_INIT(&locks->waiting[i]);
	}
	return locks;
}

static void lock_free(struct vdfs_locks *locks, struct lock *lock)
{
	vdfs_uncharge(locks->store, lock->uid, VDFS_CHARGE_LOCKS, 1);
	free(lock);
}

/* Answer all that are granted or given up, without the lock. */
static void answer(struct vdfs_locks *locks, struct lock_list *done)
{
	struct lock *lock;

	while ((lock = TAILQ_FIRST(done))) {
		TAILQ_REMOVE(done, lock, all);
		fuse_reply_err(lock->req, -lock->result);
		lock_free(locks, lock);
	}
}

/**
 * vdfs_locks_free() - let go of all locks; who waits is interrupted
 * @locks: Of a view that nobody serves any more; NULL is fine.
 */
void vdfs_locks_free(struct vdfs_locks *locks)
{
	struct lock *lock;
	size_t i;

	if (!locks)
		return;
	for (i = 0; i < BUCKETS; i++) {
		TAILQ_FOREACH(lock, &locks->waiting[i], all)
		lock->result = -EINTR;
		answer(locks, &locks->waiting[i]);
		while ((lock = TAILQ_FIRST(&locks->held[i]))) {
			TAILQ_REMOVE(&locks->held[i], lock, all);
			lock_free(locks, lock);
		}
	}
	pthread_mutex_destroy(&locks->lock);
	free(locks);
}

static bool same_file(const struct lock *a, const struct lock *b)
{
	return a->ino == b->ino && a->flock == b->flock;
}

static bool overlap(const struct lock *a, const struct lock *b)
{
	return a->start <= b->end && b->start <= a->end;
}

/* Find a lock that keeps another from being granted, NULL = none. */
static struct lock *conflict(struct vdfs_locks *locks, const struct lock *want)
{
	struct lock *lock;

	if (want->type == F_UNLCK)
		return NULL;
	TAILQ_FOREACH(lock, &locks->held[want->ino % BUCKETS], all)
	{
		if (same_file(lock, want) && lock->owner != want->owner &&
		    overlap(lock, want) &&
		    (lock->type == F_WRLCK || want->type == F_WRLCK))
			return lock;
	}
	return NULL;
}

/* Is @lock the owner's of @want, and do they have bytes in common? */
static bool owned(const struct lock *lock, const struct lock *want)
{
	return same_file(lock, want) && lock->owner == want->owner &&
	       overlap(lock, want);
}

/* Take @want out of a range of the same owner; @rest may become its end. */
static void cut(struct vdfs_locks *locks, struct lock_list *held,
		struct lock *lock, const struct lock *want, struct lock **rest)
{
	bool before = lock->start < want->start;
	bool after = lock->end > want->end;

	if (before && after) {
		struct lock *end = *rest;

		*rest = NULL;
		*end = *lock;
		end->uid = want->uid;
		end->start = want->end + 1;
		TAILQ_INSERT_HEAD(held, end, all);
	}
	if (before) {
		lock->end = want->start - 1;
	} else if (after) {
		lock->start = want->end + 1;
	} else {
		TAILQ_REMOVE(held, lock, all);
		lock_free(locks, lock);
	}
}

/* How many ranges more there are when @want is granted, before any go. */
static unsigned int more_ranges(const struct lock_list *held,
				const struct lock *want, unsigned int *ranges)
{
	unsigned int more = want->type != F_UNLCK;
	const struct lock *lock;

	*ranges = 0;
	TAILQ_FOREACH(lock, held, all)
	{
		*ranges += same_file(lock, want) && lock->owner == want->owner;
		/* In its middle: two remain of it. */
		if (owned(lock, want) && lock->start < want->start &&
		    lock->end > want->end)
			more++;
	}
	return more;
}

/* Charge for ranges: what takes none is always granted. */
static int charge(struct vdfs_locks *locks, const struct lock *want,
		  const struct lock_list *held, unsigned int *more)
{
	unsigned int ranges;

	*more = more_ranges(held, want, &ranges);
	if (!*more)
		return 0;
	if (ranges >= RANGES_MAX ||
	    vdfs_charge(locks->store, want->uid, VDFS_CHARGE_LOCKS, *more))
		return -ENOLCK;
	return 0;
}

/* Replace what the owner has in a range. Nothing is in the way. */
static int grant(struct vdfs_locks *locks, const struct lock *want)
{
	struct lock_list *held = &locks->held[want->ino % BUCKETS];
	struct lock *lock, *next, *rest = malloc(sizeof(*rest));
	struct lock *new = malloc(sizeof(*new));
	unsigned int more = 0;
	int err = rest && new ? charge(locks, want, held, &more) : -ENOMEM;

	if (err) {
		free(rest);
		free(new);
		return err;
	}
	for (lock = TAILQ_FIRST(held); lock; lock = next) {
		next = TAILQ_NEXT(lock, all);
		if (owned(lock, want))
			cut(locks, held, lock, want, &rest);
	}
	free(rest);
	if (want->type == F_UNLCK) {
		free(new);
		return 0;
	}
	*new = *want;
	new->req = NULL;
	TAILQ_INSERT_HEAD(held, new, all);
	return 0;
}

/* Grant what waited for a file, now that something was let go. */
static void wake(struct vdfs_locks *locks, uint64_t ino, struct lock_list *done)
{
	struct lock_list *waiting = &locks->waiting[ino % BUCKETS];
	struct lock *lock, *next;

	for (lock = TAILQ_FIRST(waiting); lock; lock = next) {
		next = TAILQ_NEXT(lock, all);
		if (lock->ino != ino || conflict(locks, lock))
			continue;
		lock->result = grant(locks, lock);
		TAILQ_REMOVE(waiting, lock, all);
		TAILQ_INSERT_TAIL(done, lock, all);
	}
}

/* The kernel gave a request up. Called with a lock of libfuse. */
static void interrupted(fuse_req_t req, void *arg)
{
	struct vdfs_locks *locks = arg;
	struct lock_list done = TAILQ_HEAD_INITIALIZER(done);
	struct lock *lock = NULL;
	size_t i;

	pthread_mutex_lock(&locks->lock);
	for (i = 0; i < BUCKETS && !lock; i++) {
		TAILQ_FOREACH(lock, &locks->waiting[i], all)
		{
			if (lock->req != req)
				continue;
			TAILQ_REMOVE(&locks->waiting[i], lock, all);
			lock->result = -EINTR;
			TAILQ_INSERT_TAIL(&done, lock, all);
			break;
		}
	}
	pthread_mutex_unlock(&locks->lock);
	answer(locks, &done);
}

/* Lock now, or note the request as one that waits: -EINPROGRESS. */
static int lock_or_wait(struct vdfs_locks *locks, const struct lock *want)
{
	struct lock *copy;

	if (!conflict(locks, want))
		return grant(locks, want);
	if (!want->req)
		return -EAGAIN;
	/* Before that, the function that was set had nothing to find. */
	if (fuse_req_interrupted(want->req))
		return -EINTR;
	copy = malloc(sizeof(*copy));
	if (!copy)
		return -ENOMEM;
	if (vdfs_charge(locks->store, want->uid, VDFS_CHARGE_LOCKS, 1)) {
		free(copy);
		return -ENOLCK;
	}
	*copy = *want;
	TAILQ_INSERT_TAIL(&locks->waiting[want->ino % BUCKETS], copy, all);
	return -EINPROGRESS;
}

/* @req: To be answered; @want has it as well if it may wait. */
static void set(fuse_req_t req, struct vdfs_locks *locks,
		const struct lock *want)
{
	struct lock_list done = TAILQ_HEAD_INITIALIZER(done);
	struct lock off = *want;
	int err = 0;

	off.type = F_UNLCK;
	if (want->req)
		fuse_req_interrupt_func(req, interrupted, locks);
	pthread_mutex_lock(&locks->lock);
	/* flock(2) lets go of the one kind before it asks for the other. */
	if (want->flock && want->type != F_UNLCK)
		err = grant(locks, &off);
	if (!err)
		err = lock_or_wait(locks, want);
	wake(locks, want->ino, &done);
	pthread_mutex_unlock(&locks->lock);
	answer(locks, &done);
	if (err != -EINPROGRESS)
		fuse_reply_err(req, -err);
}

static uint64_t number_of(struct vdfs_fuse *fuse, fuse_ino_t ino)
{
	uint64_t number;

	pthread_mutex_lock(&fuse->lock);
	number = vdfs_inode_ino(vdfs_inode_of(fuse, ino));
	pthread_mutex_unlock(&fuse->lock);
	return number;
}

void vdfs_op_flock(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
		   int op)
{
	struct vdfs_fuse *fuse = fuse_req_userdata(req);
	struct lock want = { .ino = number_of(fuse, ino),
			     .uid = fuse_req_ctx(req)->uid,
			     .flock = true,
			     .owner = fi->lock_owner,
			     .fh = fi->fh,
			     .end = UINT64_MAX };

	switch (op & ~LOCK_NB) {
	case LOCK_SH:
		want.type = F_RDLCK;
		break;
	case LOCK_EX:
		want.type = F_WRLCK;
		break;
	default:
		want.type = F_UNLCK;
		break;
	}
	if (!(op & LOCK_NB))
		want.req = req;
	set(req, fuse->locks, &want);
}

static struct lock range_of(fuse_req_t req, fuse_ino_t ino,
			    const struct fuse_file_info *fi,
			    const struct flock *range)
{
	uint64_t start = (uint64_t)range->l_start;

	return (struct lock){
		.ino = number_of(fuse_req_userdata(req), ino),
		.uid = fuse_req_ctx(req)->uid,
		.owner = fi->lock_owner,
		.fh = fi->fh,
		.start = start,
		/* No length is up to the end, wherever that will be. */
		.end = range->l_len ? start + (uint64_t)range->l_len - 1 :
				      UINT64_MAX,
		.type = range->l_type,
		.pid = range->l_pid,
	};
}

void vdfs_op_setlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
		   struct flock *range, int sleep)
{
	struct vdfs_fuse *fuse = fuse_req_userdata(req);
	struct lock want = range_of(req, ino, fi, range);

	if (sleep)
		want.req = req;
	set(req, fuse->locks, &want);
}

void vdfs_op_getlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
		   struct flock *range)
{
	struct vdfs_fuse *fuse = fuse_req_userdata(req);
	struct lock want = range_of(req, ino, fi, range), *lock;

	pthread_mutex_lock(&fuse->locks->lock);
	lock = conflict(fuse->locks, &want);
	if (lock) {
		range->l_type = (short)lock->type;
		range->l_start = (off_t)lock->start;
		range->l_len = lock->end == UINT64_MAX ?
				       0 :
				       (off_t)(lock->end - lock->start + 1);
		range->l_pid = lock->pid;
	} else {
		range->l_type = F_UNLCK;
	}
	pthread_mutex_unlock(&fuse->locks->lock);
	fuse_reply_lock(req, range);
}

/**
 * vdfs_locks_close() - let go of what a descriptor held
 * @fuse: Of which view.
 * @ino: Its inode.
 * @owner: Process that closes it; its locks of fcntl(2) go.
 * @fh: 0, or the open file that nobody has any more; all its locks go.
 */
void vdfs_locks_close(struct vdfs_fuse *fuse, fuse_ino_t ino, uint64_t owner,
		      uint64_t fh)
{
	struct vdfs_locks *locks = fuse->locks;
	uint64_t number = number_of(fuse, ino);
	struct lock_list *held = &locks->held[number % BUCKETS];
	struct lock_list done = TAILQ_HEAD_INITIALIZER(done);
	struct lock *lock, *next;

	pthread_mutex_lock(&locks->lock);
	for (lock = TAILQ_FIRST(held); lock; lock = next) {
		next = TAILQ_NEXT(lock, all);
		if (lock->ino != number)
			continue;
		if (fh ? lock->fh != fh : lock->flock || lock->owner != owner)
			continue;
		TAILQ_REMOVE(held, lock, all);
		lock_free(locks, lock);
	}
	wake(locks, number, &done);
	pthread_mutex_unlock(&locks->lock);
	answer(locks, &done);
}
