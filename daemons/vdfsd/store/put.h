/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFS_PUT_H
#define VDFS_PUT_H

#include "store.h"

/* For rooms above, before the commit. */
struct vdfs_store *vdfs_put_store(const struct vdfs_put *put);
const struct vdfs_who *vdfs_put_who(const struct vdfs_put *put);
/* The user that the blob belongs to from here on. */
void vdfs_put_change_who(struct vdfs_put *put, const struct vdfs_who *who);
/* Why it cannot succeed, or 0. */
int vdfs_put_error(const struct vdfs_put *put);
/* Zeros are the next bytes. */
int vdfs_put_zeros(struct vdfs_put *put, uint64_t len);
/* The caller has charged the user for so many bytes of it, as staged. */
void vdfs_put_covered(struct vdfs_put *put, uint64_t bytes);
/* It brings the bytes of an object that is away, and changes nothing else. */
void vdfs_put_fills(struct vdfs_put *put, const struct vdfs_object *object);

#endif /* VDFS_PUT_H */
