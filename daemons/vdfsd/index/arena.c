// SPDX-License-Identifier: GPL-2.0-only
/* Memory that grows and never moves; see arena.h. */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "arena.h"

/* A huge page, by which large arenas grow; small ones double, by pages. */
#define STEP ((size_t)2 << 20)
#define PAGE ((size_t)4096)
/* An arena larger than this gets a whole huge page. */
#define SMALL ((size_t)256 << 10)

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

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

/* So that many small steps cost little and an arena is half full or fuller. */
static size_t next_size(size_t usable, size_t bytes)
{
	size_t more = usable < STEP ? usable * 2 : usable + usable / 8;
	size_t want = more > bytes ? more : bytes;

	return round_up(want, want <= SMALL ? PAGE : STEP);
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
	char *from = arena->base + arena->usable;
	size_t want;

	if (bytes <= arena->usable)
		return 0;
	if (bytes > arena->reserved)
		return -ENOMEM;
	want = next_size(arena->usable, bytes);
	if (want > arena->reserved)
		want = arena->reserved;
	if (mprotect(from, want - arena->usable, PROT_READ | PROT_WRITE))
		return -ENOMEM;
	if (want > SMALL)
		madvise(arena->base, want, MADV_HUGEPAGE);
	/* Small pages in use become a part of the first huge one. */
	if (want > SMALL && arena->usable && arena->usable < STEP)
		madvise(arena->base, STEP, MADV_COLLAPSE);
	arena->usable = want;
	return 0;
}

/**
 * vdfs_arena_read() - fill a part of an arena from a file
 * @arena: From vdfs_arena_init(); made usable up to the end of the part.
 * @at: Where the part begins.
 * @fd: Open for reading.
 * @offset: Where in the file.
 * @bytes: Length.
 *
 * Read, not mapped: memory of a file comes in small pages, which costs
 * searches a third of their speed in a large index, and would be gone if
 * someone truncated it.
 *
 * Return: 0, -EBADMSG when the file is too short, or a negative errno.
 */
int vdfs_arena_read(struct vdfs_arena *arena, size_t at, int fd, size_t offset,
		    size_t bytes)
{
	size_t done = 0;
	ssize_t got;
	int ret;

	ret = vdfs_arena_grow(arena, at + bytes);
	while (!ret && done < bytes) {
		got = pread(fd, arena->base + at + done, bytes - done,
			    (off_t)(offset + done));
		if (got > 0)
			done += (size_t)got;
		else if (!got)
			ret = -EBADMSG;
		else if (errno != EINTR)
			ret = -errno;
	}
	return ret;
}
