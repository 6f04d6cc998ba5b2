/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFS_PACK_H
#define VDFS_PACK_H

#include <pthread.h>
#include <stdatomic.h>

#include "identity.h"
#include "object.h"

#define VDFS_SEGMENT_BYTES ((uint64_t)256 << 20)
#define VDFS_SEGMENT_HEAD 48 /* bytes before the first record */

/**
 * struct vdfs_segment - a file of a pack
 * @number: Its name.
 * @fd: The file.
 * @refs: Users of the structure, one of them the table of all; under
 *        packs.lock, as are the next three.
 * @writing: Records that are written and not yet committed or given up.
 * @end: Where the next record goes.
 * @sealed: Takes no more records.
 * @lock: Of what is below.
 * @change: A sync ended, for those who wait for an even or an odd one.
 * @upcoming: Number of the next sync; who asks now waits for that.
 * @done: Number of the last one that succeeded.
 * @syncing: Somebody is in fdatasync().
 * @failed: A sync failed; nothing written since the one before is safe.
 */
struct vdfs_segment {
	uint32_t number;
	int fd;
	unsigned int refs;
	unsigned int writing;
	uint64_t end;
	bool sealed;
	pthread_mutex_t lock; /* see above */
	pthread_cond_t change[2];
	uint64_t upcoming;
	uint64_t done;
	bool syncing;
	bool failed;
};

/**
 * struct vdfs_numbered - a segment in the table of all
 * @number: Its number, so that a search reads the table alone.
 * @segment: The segment.
 */
struct vdfs_numbered {
	uint32_t number;
	struct vdfs_segment *segment;
};

/**
 * struct vdfs_packs - all segments
 * @lock: Of the table, and of what its segments say.
 * @fd: Their directory.
 * @all: Every segment, by number.
 * @n: How many.
 * @room: For so many.
 * @active: The one that takes records, or NULL.
 * @last: Highest number ever seen.
 * @limit: Length at which a segment is full.
 * @failures: Syncs that failed since one succeeded.
 */
struct vdfs_packs {
	pthread_mutex_t lock; /* see above */
	int fd;
	struct vdfs_numbered *all;
	size_t n;
	size_t room;
	struct vdfs_segment *active;
	uint32_t last;
	uint64_t limit;
	atomic_uint failures;
};

int vdfs_packs_open(struct vdfs_store *store);
int vdfs_packs_resume(struct vdfs_store *store);
void vdfs_packs_close(struct vdfs_store *store);
struct vdfs_segment *vdfs_segment_get(struct vdfs_store *store,
				      uint32_t number);
void vdfs_segment_put(struct vdfs_store *store, struct vdfs_segment *seg);
int vdfs_segment_reserve(struct vdfs_store *store,
			 struct vdfs_record *const *out, unsigned int n);
int vdfs_segment_sync(struct vdfs_store *store, struct vdfs_segment *seg);
void vdfs_segment_seal(struct vdfs_store *store, struct vdfs_segment *seg);
int vdfs_segment_remove(struct vdfs_store *store, struct vdfs_segment *seg);
int vdfs_segment_begin(struct vdfs_store *store, struct vdfs_segment *seg);
int vdfs_segment_identity(struct vdfs_segment *seg,
			  uint8_t bytes[VDFS_IDENTITY_BYTES],
			  int64_t *generation);
bool vdfs_segment_sound(struct vdfs_segment *seg);
int vdfs_fsync_dir(int fd);

int vdfs_packs_add(struct vdfs_packs *packs, struct vdfs_segment *seg);
void vdfs_packs_drop(struct vdfs_packs *packs, struct vdfs_segment *seg);
struct vdfs_segment *vdfs_packs_find(const struct vdfs_packs *packs,
				     uint32_t from);
uint64_t vdfs_packs_bytes(struct vdfs_store *store);
uint32_t vdfs_packs_next(struct vdfs_store *store, uint32_t from);

#endif /* VDFS_PACK_H */
