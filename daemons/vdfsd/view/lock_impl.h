/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFS_VIEW_LOCK_IMPL_H
#define VDFS_VIEW_LOCK_IMPL_H

#include "view_impl.h"

struct vdfs_locks *vdfs_locks_new(struct vdfs_store *store);
void vdfs_locks_free(struct vdfs_locks *locks);
void vdfs_locks_close(struct vdfs_fuse *fuse, fuse_ino_t ino, uint64_t owner,
		      uint64_t fh);
void vdfs_op_flock(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
		   int op);
void vdfs_op_getlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
		   struct flock *range);
void vdfs_op_setlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
		   struct flock *range, int sleep);

#endif /* VDFS_VIEW_LOCK_IMPL_H */
