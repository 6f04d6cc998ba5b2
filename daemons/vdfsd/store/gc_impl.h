/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFS_GC_IMPL_H
#define VDFS_GC_IMPL_H

#include "store_impl.h"

/**
 * struct vdfs_gc - a collection of garbage in progress
 * @store: The store, whose gc lock is held.
 * @result: Counts so far.
 * @progress: To tell, or NULL.
 * @arg: Its argument.
 * @done: Steps done.
 * @total: Of so many.
 */
struct vdfs_gc {
	struct vdfs_store *store;
	struct vdfs_gc_result result;
	vdfs_store_progress *progress;
	void *arg;
	uint64_t done;
	uint64_t total;
};

int vdfs_gc_step(struct vdfs_gc *gc, uint64_t steps);

/* gc_object.c, gc_pack.c, gc_file.c */
int vdfs_gc_run_objects(struct vdfs_gc *gc);
int vdfs_gc_run_packs(struct vdfs_gc *gc);
int vdfs_gc_run_files(struct vdfs_gc *gc);

#endif /* VDFS_GC_IMPL_H */
