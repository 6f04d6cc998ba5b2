/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFS_VIEW_CACHED_IMPL_H
#define VDFS_VIEW_CACHED_IMPL_H

#include <signal.h>

#include "view_impl.h"

struct vdfs_cached *vdfs_cached_new(struct vdfs_fuse *fuse);
void vdfs_cached_free(struct vdfs_cached *cached);
int vdfs_cached_start(struct vdfs_cached *cached);
void vdfs_cached_stop(struct vdfs_cached *cached);
int vdfs_cached_add(struct vdfs_fuse *fuse, struct vdfs_inode *inode);
void vdfs_cached_remove(struct vdfs_fuse *fuse, struct vdfs_inode *inode);

#endif /* VDFS_VIEW_CACHED_IMPL_H */
