/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFS_VIEW_HELD_IMPL_H
#define VDFS_VIEW_HELD_IMPL_H

#include <sys/queue.h>

#include "line_impl.h"
#include "range_impl.h"
#include "view_impl.h"

#define VDFS_LOCK_BUCKET_BITS 12
#define VDFS_LOCK_BUCKETS (1U << VDFS_LOCK_BUCKET_BITS)

struct vdfs_lock;
TAILQ_HEAD(vdfs_lock_list, vdfs_lock);

/**
 * struct vdfs_lock_file - locks of one kind in one file
 * @link: In its bucket.
 * @ino: Of the file.
 * @flock: As struct vdfs_lock has it.
 * @held: To read, and to write: they are in the way of different ones.
 */
struct vdfs_lock_file {
	LIST_ENTRY(vdfs_lock_file) link;
	uint64_t ino;
	bool flock;
	struct vdfs_range *held[2];
};

LIST_HEAD(vdfs_lock_file_list, vdfs_lock_file);

/**
 * struct vdfs_lock - a range that somebody has locked, or wants to
 * @own: With others of its owner, while it is held.
 * @via: With others that came by its open file; of one that waits, with others
 *       by @req.
 * @done: Of one that has waited, with others to be answered.
 * @place: Of one that waits, in blocker.blocked.
 * @range: First and last byte; in file.held while it is held.
 * @file: Where it is held.
 * @ino: Of the file.
 * @uid: The user who is charged,
 * @charged: and for how many ranges: 1 while it is held; while it waits as many
 *           as it will take.
 * @flock: By flock(2): locks of the two kinds do not see each other.
 * @owner: As the kernel names it, a process or an open file.
 * @fh: The open file that it came by.
 * @type: F_RDLCK, F_WRLCK; F_UNLCK = take it away.
 * @pid: Process, for F_GETLK.
 * @blocked: Those that wait for it, in the order in which they came.
 * @req: Request that waits for it, NULL once it is held.
 * @blocker: A lock that keeps it from being granted, of others that may.
 * @result: Answer to @req, 0 or a negative errno.
 */
struct vdfs_lock {
	TAILQ_ENTRY(vdfs_lock) own;
	TAILQ_ENTRY(vdfs_lock) via;
	TAILQ_ENTRY(vdfs_lock) done;
	struct vdfs_waiter place;
	struct vdfs_range range;
	struct vdfs_lock_file *file;
	uint64_t ino;
	uint32_t uid;
	unsigned int charged;
	bool flock;
	uint64_t owner;
	uint64_t fh;
	int type;
	pid_t pid;
	struct vdfs_waiter *blocked;
	fuse_req_t req;
	struct vdfs_lock *blocker;
	int result;
};

/**
 * struct vdfs_locks - the locks of a view
 * @store: Where users are charged for them.
 * @lock: Guards all of it. fuse->lock is not taken inside.
 * @file: Files with locks, by their number.
 * @own: Locks that are held, by file and owner.
 * @via: The same by open file, and those that wait by their request.
 * @again: Those whose blocker let go, in the order in which they came.
 * @came: lock.place.came of the last one.
 * @chance: State of what draws ranks.
 *
 * No list has what a user who is not concerned holds, but for chance.
 */
struct vdfs_locks {
	struct vdfs_store *store;
	pthread_mutex_t lock;
	struct vdfs_lock_file_list file[VDFS_LOCK_BUCKETS];
	struct vdfs_lock_list own[VDFS_LOCK_BUCKETS];
	struct vdfs_lock_list via[VDFS_LOCK_BUCKETS];
	struct vdfs_waiter *again;
	uint64_t came;
	uint64_t chance;
};

/* Under vdfs_locks.lock, all of them. */
struct vdfs_lock_list *vdfs_lock_own(struct vdfs_locks *locks,
				     const struct vdfs_lock *lock);
struct vdfs_lock_list *vdfs_lock_via(struct vdfs_locks *locks,
				     const struct vdfs_lock *lock);
bool vdfs_lock_same_owner(const struct vdfs_lock *lock,
			  const struct vdfs_lock *want);
int vdfs_lock_charge(struct vdfs_locks *locks, struct vdfs_lock *want);
struct vdfs_lock *vdfs_lock_next(struct vdfs_locks *locks);
struct vdfs_lock *vdfs_lock_conflict(struct vdfs_locks *locks,
				     const struct vdfs_lock *want);
int vdfs_lock_grant(struct vdfs_locks *locks, struct vdfs_lock *want);
void vdfs_lock_drop(struct vdfs_locks *locks, struct vdfs_lock *lock);
void vdfs_lock_free(struct vdfs_locks *locks, struct vdfs_lock *lock);

#endif /* VDFS_VIEW_HELD_IMPL_H */
