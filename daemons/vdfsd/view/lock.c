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

#include "held_impl.h"
#include "lock_impl.h"
#include "store/charge.h"
#include "view_impl.h"

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
	locks->chance = (uintptr_t)locks;
	pthread_mutex_init(&locks->lock, NULL);
	for (i = 0; i < VDFS_LOCK_BUCKETS; i++) {
		TAILQ_INIT(&locks->own[i]);
		TAILQ_INIT(&locks->via[i]);
	}
	return locks;
}

/* Answer all that are granted or given up, without the lock. */
static void answer(struct vdfs_locks *locks, struct vdfs_lock_list *done)
{
	struct vdfs_lock *lock;

	while ((lock = TAILQ_FIRST(done))) {
		TAILQ_REMOVE(done, lock, done);
		fuse_reply_err(lock->req, -lock->result);
		vdfs_lock_free(locks, lock);
	}
}

/**
 * vdfs_locks_free() - let go of all locks; who waits is interrupted
 * @locks: Of a view that nobody serves any more; NULL is fine.
 */
void vdfs_locks_free(struct vdfs_locks *locks)
{
	struct vdfs_lock_list done = TAILQ_HEAD_INITIALIZER(done);
	struct vdfs_lock *lock;
	size_t i;

	if (!locks)
		return;
	for (i = 0; i < VDFS_LOCK_BUCKETS; i++) {
		while ((lock = TAILQ_FIRST(&locks->own[i])))
			vdfs_lock_drop(locks, lock);
	}
	while ((lock = vdfs_lock_next(locks))) {
		lock->result = -EINTR;
		TAILQ_INSERT_TAIL(&done, lock, done);
	}
	answer(locks, &done);
	pthread_mutex_destroy(&locks->lock);
	free(locks);
}

/* One more waits for a lock that is held. */
static void block(struct vdfs_lock *blocker, struct vdfs_lock *lock)
{
	lock->blocker = blocker;
	vdfs_line_add(&blocker->blocked, &lock->place);
}

/* Grant what waited for what was let go. */
static void wake(struct vdfs_locks *locks, struct vdfs_lock_list *done)
{
	struct vdfs_lock *lock, *blocker;

	while ((lock = vdfs_lock_next(locks))) {
		blocker = vdfs_lock_conflict(locks, lock);
		if (blocker) {
			block(blocker, lock);
			continue;
		}
		lock->result = vdfs_lock_grant(locks, lock);
		TAILQ_REMOVE(vdfs_lock_via(locks, lock), lock, via);
		TAILQ_INSERT_TAIL(done, lock, done);
	}
}

/* The kernel gave a request up. Called with a lock of libfuse. */
static void interrupted(fuse_req_t req, void *arg)
{
	struct vdfs_locks *locks = arg;
	struct vdfs_lock_list done = TAILQ_HEAD_INITIALIZER(done);
	struct vdfs_lock *lock, of = { .req = req };

	pthread_mutex_lock(&locks->lock);
	TAILQ_FOREACH(lock, vdfs_lock_via(locks, &of), via)
	{
		if (lock->req != req)
			continue;
		vdfs_line_remove(&lock->blocker->blocked, &lock->place);
		TAILQ_REMOVE(vdfs_lock_via(locks, lock), lock, via);
		lock->result = -EINTR;
		TAILQ_INSERT_TAIL(&done, lock, done);
		break;
	}
	pthread_mutex_unlock(&locks->lock);
	answer(locks, &done);
}

/* Lock now, or note the request as one that waits: -EINPROGRESS. */
static int lock_or_wait(struct vdfs_locks *locks, struct vdfs_lock *want)
{
	struct vdfs_lock *copy, *blocker = vdfs_lock_conflict(locks, want);
	int err;

	if (!blocker)
		return vdfs_lock_grant(locks, want);
	if (!want->req)
		return -EAGAIN;
	/* Before that, the function that was set had nothing to find. */
	if (fuse_req_interrupted(want->req))
		return -EINTR;
	copy = malloc(sizeof(*copy));
	if (!copy)
		return -ENOMEM;
	*copy = *want;
	err = vdfs_lock_charge(locks, copy);
	if (err) {
		free(copy);
		return err;
	}
	copy->place.came = ++locks->came;
	TAILQ_INSERT_TAIL(vdfs_lock_via(locks, copy), copy, via);
	block(blocker, copy);
	return -EINPROGRESS;
}

/* @req: To be answered; @want has it as well if it may wait. */
static void set(fuse_req_t req, struct vdfs_locks *locks,
		struct vdfs_lock *want)
{
	struct vdfs_lock_list done = TAILQ_HEAD_INITIALIZER(done);
	struct vdfs_lock off = *want;
	int err = 0;

	off.type = F_UNLCK;
	if (want->req)
		fuse_req_interrupt_func(req, interrupted, locks);
	pthread_mutex_lock(&locks->lock);
	/* flock(2) lets go of the one kind before it asks for the other. */
	if (want->flock && want->type != F_UNLCK)
		err = vdfs_lock_grant(locks, &off);
	if (!err)
		err = lock_or_wait(locks, want);
	wake(locks, &done);
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
	struct vdfs_lock want = { .ino = number_of(fuse, ino),
				  .uid = fuse_req_ctx(req)->uid,
				  .flock = true,
				  .owner = fi->lock_owner,
				  .fh = fi->fh,
				  .range.end = UINT64_MAX };

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

static struct vdfs_lock range_of(fuse_req_t req, fuse_ino_t ino,
				 const struct fuse_file_info *fi,
				 const struct flock *range)
{
	uint64_t start = (uint64_t)range->l_start;

	return (struct vdfs_lock){
		.ino = number_of(fuse_req_userdata(req), ino),
		.uid = fuse_req_ctx(req)->uid,
		.owner = fi->lock_owner,
		.fh = fi->fh,
		.range.start = start,
		/* No length is up to the end, wherever that will be. */
		.range.end = range->l_len ? start + (uint64_t)range->l_len - 1 :
					    UINT64_MAX,
		.type = range->l_type,
		.pid = range->l_pid,
	};
}

void vdfs_op_setlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
		   struct flock *range, int sleep)
{
	struct vdfs_fuse *fuse = fuse_req_userdata(req);
	struct vdfs_lock want = range_of(req, ino, fi, range);

	if (sleep)
		want.req = req;
	set(req, fuse->locks, &want);
}

void vdfs_op_getlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
		   struct flock *range)
{
	struct vdfs_fuse *fuse = fuse_req_userdata(req);
	struct vdfs_lock want = range_of(req, ino, fi, range), *lock;

	pthread_mutex_lock(&fuse->locks->lock);
	lock = vdfs_lock_conflict(fuse->locks, &want);
	if (lock) {
		range->l_type = (short)lock->type;
		range->l_start = (off_t)lock->range.start;
		range->l_len = lock->range.end == UINT64_MAX ?
				       0 :
				       (off_t)(lock->range.end -
					       lock->range.start + 1);
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
	struct vdfs_lock of = { .ino = number_of(fuse, ino),
				.owner = owner,
				.fh = fh };
	struct vdfs_lock_list *list = fh ? vdfs_lock_via(locks, &of) :
					   vdfs_lock_own(locks, &of);
	struct vdfs_lock_list done = TAILQ_HEAD_INITIALIZER(done);
	struct vdfs_lock *lock, *next;

	pthread_mutex_lock(&locks->lock);
	for (lock = TAILQ_FIRST(list); lock; lock = next) {
		next = fh ? TAILQ_NEXT(lock, via) : TAILQ_NEXT(lock, own);
		if (fh ? lock->req || lock->fh != fh || lock->ino != of.ino :
			 !vdfs_lock_same_owner(lock, &of))
			continue;
		vdfs_lock_drop(locks, lock);
	}
	wake(locks, &done);
	pthread_mutex_unlock(&locks->lock);
	answer(locks, &done);
}
