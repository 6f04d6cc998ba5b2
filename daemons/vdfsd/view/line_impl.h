/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFS_VIEW_LINE_IMPL_H
#define VDFS_VIEW_LINE_IMPL_H

#include <stdint.h>

/**
 * struct vdfs_waiter - a place in a line of those who wait
 * @behind: The first of those that came later and hang from this place.
 * @next: Another one that hangs from the same place as this one.
 * @back: The one whose @behind or @next this one is; NULL = it is the first.
 * @came: When it began to wait, as a number.
 *
 * A line is a pointer to its first place, NULL while nobody waits: a pairing
 * heap by @came. The owner of the line has it locked.
 */
struct vdfs_waiter {
	struct vdfs_waiter *behind;
	struct vdfs_waiter *next;
	struct vdfs_waiter *back;
	uint64_t came;
};

void vdfs_line_add(struct vdfs_waiter **line, struct vdfs_waiter *waiter);
void vdfs_line_join(struct vdfs_waiter **line, struct vdfs_waiter **other);
void vdfs_line_remove(struct vdfs_waiter **line, struct vdfs_waiter *waiter);

#endif /* VDFS_VIEW_LINE_IMPL_H */
