/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFS_STAGE_IMPL_H
#define VDFS_STAGE_IMPL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/queue.h>

#include "names/names.h"

struct vdfs_call;
struct vdfs_fuse;

/**
 * struct vdfs_stage_share - what one user is charged for a stage
 * @link: In the list of the stage.
 * @uid: The user.
 * @bytes: How much.
 */
struct vdfs_stage_share {
	LIST_ENTRY(vdfs_stage_share) link;
	uint32_t uid;
	uint64_t bytes;
};

/**
 * struct vdfs_stage - content that is being written
 * @store: Where its users are charged.
 * @shares: Their charges; guarded by @lock.
 * @charged: All of these together, at least the length of the file.
 * @lock: Guards @fd, @base; writers of the content hold it exclusively.
 * @committing: One commit at a time.
 * @fd: File without a name, -1 while all is as in @base.
 * @base: The blob it began as, NULL = empty.
 * @size: Bytes.
 * @dirty: Not committed yet.
 * @failed: The last commit failed, and nothing was written since.
 * @refused: Why nothing could be written since it became @blank, or 0.
 * @fresh: Of a name that it made and that was never committed.
 * @blank: Nothing was done to it but to truncate it when it was opened.
 * @closing: And then it was closed, or a copy of its descriptor was.
 * @mtime_ns: When it was written last, or as a user set it since.
 * @ctime_ns: When either was.
 * @writers: Open files that write. Guarded by fuse->lock, as are:
 * @closers: Those of @writers that are being closed.
 * @users: Open files.
 * @ended: The last that wrote is being closed: nobody joins any more.
 */
struct vdfs_stage {
	struct vdfs_store *store;
	LIST_HEAD(, vdfs_stage_share) shares;
	uint64_t charged;
	pthread_rwlock_t lock;
	pthread_mutex_t committing;
	int fd;
	struct vdfs_blob *base;
	atomic_ulong size;
	atomic_bool dirty;
	atomic_bool failed;
	atomic_int refused;
	atomic_bool fresh;
	atomic_bool blank;
	atomic_bool closing;
	atomic_long mtime_ns;
	atomic_long ctime_ns;
	unsigned int writers;
	unsigned int closers;
	unsigned int users;
	bool ended;
};

/* stage.c */
int vdfs_stage_new(struct vdfs_store *store, struct vdfs_stage **out);
void vdfs_stage_free(struct vdfs_stage *stage);
void vdfs_stage_begin(struct vdfs_stage *stage, struct vdfs_blob *base);
ssize_t vdfs_stage_read(struct vdfs_stage *stage, void *buf, size_t len,
			uint64_t offset);
int vdfs_stage_write(struct vdfs_fuse *fuse, struct vdfs_stage *stage,
		     const struct vdfs_who *who, const void *buf, size_t len,
		     uint64_t offset);
int vdfs_stage_truncate(struct vdfs_fuse *fuse, struct vdfs_stage *stage,
			const struct vdfs_who *who, uint64_t size);
int vdfs_stage_allocate(struct vdfs_fuse *fuse, struct vdfs_stage *stage,
			const struct vdfs_who *who, uint64_t end);
void vdfs_stage_set_time(struct vdfs_stage *stage, int64_t mtime_ns);
int vdfs_stage_put(struct vdfs_call *call, struct vdfs_stage *stage,
		   const struct vdfs_who *who, uint64_t ino,
		   struct vdfs_stat *st);

/* stage_charge.c */
int vdfs_stage_charge(struct vdfs_stage *stage, const struct vdfs_who *who,
		      uint64_t size);
void vdfs_stage_trim(struct vdfs_stage *stage, uint64_t size);
uint64_t vdfs_stage_share(struct vdfs_stage *stage, const struct vdfs_who *who);
void vdfs_stage_uncharge(struct vdfs_stage *stage);

#endif /* VDFS_STAGE_IMPL_H */
