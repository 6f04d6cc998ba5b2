/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFS_GC_H
#define VDFS_GC_H

#include "store.h"

/* Between them no garbage is collected, and no other check runs. */
void vdfs_gc_stop(struct vdfs_store *store);
void vdfs_gc_allow(struct vdfs_store *store);
/* The same for as long as a check takes; no put waits for a collection. */
void vdfs_gc_hold(struct vdfs_store *store);
void vdfs_gc_release(struct vdfs_store *store);
int vdfs_gc_objects(struct vdfs_store *store);
/* How often a put took the place of what was damaged. */
unsigned long vdfs_store_mended(struct vdfs_store *store);

#endif /* VDFS_GC_H */
