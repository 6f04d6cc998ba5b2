/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFS_VIEW_RANGE_IMPL_H
#define VDFS_VIEW_RANGE_IMPL_H

#include <stdbool.h>
#include <stdint.h>

/**
 * struct vdfs_range - a range of bytes in a set of them
 * @left: Ranges before it,
 * @right: and behind.
 * @start: First byte.
 * @end: Last byte.
 * @most: The highest @end of it and of all below it.
 * @rank: Drawn by chance: no range below it has a higher one, so that the
 *        depth is a few times the logarithm of their number.
 *
 * The owner of a set, a pointer to its first range, has it locked.
 */
struct vdfs_range {
	struct vdfs_range *left;
	struct vdfs_range *right;
	uint64_t start;
	uint64_t end;
	uint64_t most;
	uint64_t rank;
};

typedef bool vdfs_range_fn(const struct vdfs_range *range, const void *arg);

void vdfs_range_add(struct vdfs_range **set, struct vdfs_range *range);
void vdfs_range_remove(struct vdfs_range **set, struct vdfs_range *range);
struct vdfs_range *vdfs_range_find(struct vdfs_range *set, uint64_t start,
				   uint64_t end, vdfs_range_fn *fn,
				   const void *arg);

#endif /* VDFS_VIEW_RANGE_IMPL_H */
