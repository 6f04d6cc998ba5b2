/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFS_HOLE_H
#define VDFS_HOLE_H

#include "store.h"

/**
 * struct vdfs_hole - the piece that zeros are cut into
 * @len: How long it is.
 * @hash: Of it.
 */
struct vdfs_hole {
	size_t len;
	struct vdfs_hash hash;
};

/* NULL without memory. */
const struct vdfs_hole *vdfs_hole(void);
/* Whether @len bytes are that piece; at once where the first is not 0. */
bool vdfs_hole_is(const uint8_t *data, size_t len);
/* Whether what has this hash and length is that piece. */
bool vdfs_hole_named(const struct vdfs_hash *hash, uint64_t len);

#endif /* VDFS_HOLE_H */
