/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFS_ARENA_H
#define VDFS_ARENA_H

#include <stddef.h>

/**
 * struct vdfs_arena - memory that grows and never moves
 * @base: Start of the address space set aside for it.
 * @reserved: Length of that.
 * @usable: Bytes from @base on that may be touched; zero when new.
 *
 * Readers may use what was usable when they looked, while it grows.
 */
struct vdfs_arena {
	char *base;
	size_t reserved;
	size_t usable;
};

int vdfs_arena_init(struct vdfs_arena *arena, size_t reserve);
void vdfs_arena_fini(struct vdfs_arena *arena);
int vdfs_arena_grow(struct vdfs_arena *arena, size_t bytes);
int vdfs_arena_read(struct vdfs_arena *arena, size_t at, int fd, size_t offset,
		    size_t bytes);

#endif /* VDFS_ARENA_H */
