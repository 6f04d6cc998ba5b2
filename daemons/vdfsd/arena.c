// SPDX-License-Identifier: GPL-2.0-only
/* Memory that grows and never moves; see arena.h. */
#include <errno.h>
#include <sys/mman.h>

#include "arena.h"

/* A huge page, and also how much an arena grows by at least. */
#define STEP ((size_t)2 << 20)

static size_t round_up(size_t n, size_t to)
{
	return (n + to - 1) / to * to;
}

/**
 * vdfs_arena_init() - set address space aside
 * @arena: Not yet in use.
 * @reserve: Most bytes it may ever grow to.
 *
 * Return: 0, or -ENOMEM.
 */
int vdfs_arena_init(struct vdfs_arena *arena, size_t reserve)
{
	void *base;

	reserve = round_up(reserve + 1, STEP);
	base = mmap(NULL, reserve, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (base == MAP_FAILED)
		return -ENOMEM;
	arena->base = base;
	arena->reserved = reserve;
	arena->usable = 0;
	return 0;
}

/**
 * vdfs_arena_fini() - give it all back
 * @arena: From vdfs_arena_init(), or zeroed.
 */
void vdfs_arena_fini(struct vdfs_arena *arena)
{
	if (arena->base)
		munmap(arena->base, arena->reserved);
	arena->base = NULL;
}

/**
 * vdfs_arena_grow() - make more of it usable
 * @arena: From vdfs_arena_init(); the caller holds off other growers.
 * @bytes: That must be usable afterwards.
 *
 * Return: 0, or -ENOMEM.
 */
int vdfs_arena_grow(struct vdfs_arena *arena, size_t bytes)
{
	size_t want = round_up(bytes, STEP);
	char *from = arena->base + arena->usable;

	if (bytes <= arena->usable)
		return 0;
	if (want > arena->reserved)
		return -ENOMEM;
	/* Grow by an eighth, so that many small steps cost little. */
	if (want < arena->usable + arena->usable / 8)
		want = round_up(arena->usable + arena->usable / 8, STEP);
	if (want > arena->reserved)
		want = arena->reserved;
	if (mprotect(from, want - arena->usable, PROT_READ | PROT_WRITE))
		return -ENOMEM;
	madvise(from, want - arena->usable, MADV_HUGEPAGE);
	arena->usable = want;
	return 0;
}

/**
 * vdfs_arena_map() - begin an empty arena with a part of a file
 * @arena: Nothing in it usable yet.
 * @fd: Open for reading; changes to the memory do not reach it.
 * @offset: A multiple of STEP is fastest, of a page is needed.
 * @bytes: Length.
 *
 * Return: 0, or a negative errno.
 */
int vdfs_arena_map(struct vdfs_arena *arena, int fd, size_t offset,
		   size_t bytes)
{
	size_t room = round_up(bytes, STEP);
	size_t pages = round_up(bytes, 4096);
	char *rest = arena->base + pages;

	if (!bytes)
		return 0;
	if (room > arena->reserved)
		return -ENOMEM;
	if (mmap(arena->base, bytes, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_FIXED, fd, (off_t)offset) == MAP_FAILED)
		return -errno;
	if (room > pages &&
	    mprotect(rest, room - pages, PROT_READ | PROT_WRITE))
		return -ENOMEM;
	arena->usable = room;
	return 0;
}
