/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
#ifndef _PHI_REGION_H
#define _PHI_REGION_H

#include <phi/base.h>

/**
 * DOC: Regions
 *
 * A region is zeroed memory that several processes may map. Its pages are
 * the module's, so that revoking a capability takes them out of every
 * address space that mapped them through it, at once; touching them then is
 * SIGBUS.
 *
 * A pin is a reference to a page that get_user_pages() took: of O_DIRECT in
 * progress, of vmsplice(), of a registered io_uring buffer, of a device that
 * VFIO mapped. It outlives the mapping that it was made through, and a revoke
 * cannot end it.
 *
 * Pages of a REVOCABLE region cannot be pinned: those calls fail with EFAULT.
 * Pages of a DMA region can be pinned through a capability with
 * PHI_RIGHT_PIN; through one without it the calls fail with EFAULT as well.
 * Shared futexes fail with EFAULT on both: the pages belong to no file and to no
 * process. REGION_WAIT and REGION_WAKE do what they do. Private futexes work, in
 * the threads of one process.
 *
 * When a capability with PHI_RIGHT_PIN that was mapped is revoked or expires,
 * each page that it gave access to and that is pinned then leaves the region,
 * and a copy of it takes its place. A pin that stays refers to the old page:
 * who has it can read what the page held at the revoke, and what is written
 * through the pin reaches nobody. This holds for every pin of these pages, also
 * of live holders and of the creator: buffers registered before have to be
 * registered again. The old page is charged to the creator until its last pin
 * is gone, and not used again before. When memory for the copies is short,
 * pages are lost instead: the revoke returns ENOMEM, its capabilities are dead
 * all the same, and touching such a page is SIGBUS.
 *
 * A holder who drops such a capability or moves it to another cspace has lost
 * it too, also the creator: the next revoke through any capability to the
 * region takes the pinned pages that it reached out as above, whatever it
 * kills. So the receiver of a region that moved with all its rights has it for
 * itself after one revoke. Where nobody lost a capability that could pin, a
 * revoke leaves the pins of those who keep theirs alone, also when they have
 * unmapped the region since.
 */

/*
 * Right on a DMA region: get_user_pages() works on mappings made with it. The
 * creator of a DMA region has it and gives it away by name; see above.
 */
#define PHI_RIGHT_PIN PHI_RIGHT_SEND

/* Flags of struct phi_region_create. */
#define PHI_REGION_DMA (1U << 0)

/* In @region_flags of REGION_INFO: made by REGION_ADOPT. */
#define PHI_REGION_ADOPTED (1U << 1)

/**
 * struct phi_region_create - ioctl(PHI_IOC_REGION_CREATE)
 * @size: sizeof(struct phi_region_create).
 * @flags: 0 or PHI_REGION_DMA.
 * @bytes: Length; a non-zero multiple of the page size.
 * @cap: Out, handle with READ, WRITE, EXEC, MAP, ADMIN and GRANT, and PIN when
 *       the region is a DMA region.
 *
 * Make a zeroed region. All its pages are allocated when the call returns:
 * touching it never fails for want of memory. They are charged to the caller's
 * quota, else EDQUOT, and to its memory cgroup, else ENOMEM. They do not count
 * in the resident set of a process that maps them.
 */
struct phi_region_create {
	__u32 size;
	__u32 flags;
	__aligned_u64 bytes;
	__aligned_u64 cap;
};

#define PHI_IOC_REGION_CREATE _IO(PHI_IOC_MAGIC, 0x20)

/**
 * struct phi_region_info - ioctl(PHI_IOC_REGION_INFO)
 * @size: sizeof(struct phi_region_info).
 * @flags: Must be 0.
 * @cap: MEMORY handle.
 * @bytes: Out, length of what @cap gives access to: the region or a slice.
 * @offset: Out, what to give mmap() as its offset on this /dev/phi file.
 * @region_flags: Out, PHI_REGION_*.
 * @rights: Out, rights of @cap.
 * @mappings: Out, mappings of the region that exist now, in all processes.
 * @pinned: Out, pages that left the region and are still pinned.
 *
 * mmap() needs MAP; and READ, WRITE and EXEC for PROT_READ, PROT_WRITE and
 * PROT_EXEC, else EPERM; mprotect() cannot add them later (EACCES). No
 * hardware gives write or execute access alone: both need READ as well. The
 * mapping starts at the first byte of the region, or of the slice, and must be
 * MAP_SHARED.
 * A child made by fork() does not inherit it. A mapping counts as a capability
 * of the cspace's user while it lives: EDQUOT. To policies mmap() is a call of
 * the number PHI_NR_REGION_MAP about @cap.
 *
 * A 32-bit program gets an @offset that mmap2() can carry. It stands for @cap
 * until its slot was emptied 65536 times; in between it is EBADF.
 *
 * A mapping belongs to the capability it was made through. It dies for good
 * when that is revoked, dropped, moved to another cspace, or expires.
 */
struct phi_region_info {
	__u32 size;
	__u32 flags;
	__aligned_u64 cap;
	__aligned_u64 bytes;
	__aligned_u64 offset;
	__u32 region_flags;
	__u32 rights;
	__u32 mappings;
	__u32 pinned;
};

#define PHI_IOC_REGION_INFO _IO(PHI_IOC_MAGIC, 0x22)

/* Snapshots that may be made one of the other. */
#define PHI_SNAPSHOT_DEPTH_MAX 8

/**
 * struct phi_region_snapshot - ioctl(PHI_IOC_REGION_SNAPSHOT)
 * @size: sizeof(struct phi_region_snapshot).
 * @flags: Must be 0.
 * @cap: MEMORY handle with READ and ADMIN, to a region or a slice.
 * @out: Out, handle of a new region with READ, WRITE, EXEC, MAP, ADMIN and
 *       GRANT, as long as what @cap gives access to.
 *
 * Make a region that holds what @cap's pages hold at this moment. Both are
 * independent from then on, in their bytes, their capabilities and their ends.
 * They share each page until one of them writes it: that fault copies the page,
 * for the side that writes. A store that another thread has in progress is in
 * the snapshot whole or not at all, as far as the machine stores it whole.
 *
 * The call takes an array of the new region's pages and the mapped pages out of
 * all page tables, whose holders fault them back; it copies none. That, and the
 * copies that holders of the old region pay for when they write, is why @cap
 * needs ADMIN. A page that is shared is copied for a reader as well where 64
 * mappings of the region read shared pages already.
 *
 * All pages of the new region are charged to the caller's quota at once, else
 * EDQUOT: a later write is not refused for that. A copy is charged to the memory
 * cgroup of the process that writes, when it writes. Where that has no memory
 * left the write is SIGBUS; it succeeds once there is some.
 *
 * Fails with EOPNOTSUPP for a DMA region, and for an adopted one: a device, or
 * the process that the memory is of, writes without a fault that could copy.
 * Fails with ELOOP when @cap's region is the PHI_SNAPSHOT_DEPTH_MAX-th snapshot
 * of a snapshot.
 */
struct phi_region_snapshot {
	__u32 size;
	__u32 flags;
	__aligned_u64 cap;
	__aligned_u64 out;
};

#define PHI_IOC_REGION_SNAPSHOT _IO(PHI_IOC_MAGIC, 0x23)

/**
 * struct phi_region_slice - ioctl(PHI_IOC_REGION_SLICE)
 * @size: sizeof(struct phi_region_slice).
 * @flags: Must be 0.
 * @cap: MEMORY handle to derive from.
 * @offset: First byte of the slice, counted from the first byte that @cap
 *          gives access to; a multiple of the page size.
 * @bytes: Length; a non-zero multiple of the page size.
 * @rights: Rights of the new capability, a subset of those of @cap.
 * @pad: Must be 0.
 * @expires_ns: CLOCK_BOOTTIME, nanoseconds; 0 = as @cap. The earlier of this
 *              and the expiry of @cap counts.
 * @out: Out, the new handle.
 *
 * Derive a capability to some of the pages: CAP_DERIVE, where the child, and
 * what is derived from it, maps and pins nothing outside the slice. To others
 * its first byte is the first byte of a region of @bytes.
 *
 * The pages stay those of one region: CAP_SAME says so of two slices, and the
 * creator of the region pays for them for as long as any capability lives.
 * @mappings and @pinned of REGION_INFO count in the whole region.
 *
 * Fails with EINVAL when the slice is not inside of what @cap gives access to,
 * EPERM when @rights are more than those of @cap, and ELOOP when @cap is
 * already PHI_DEPTH_MAX deep.
 */
struct phi_region_slice {
	__u32 size;
	__u32 flags;
	__aligned_u64 cap;
	__aligned_u64 offset;
	__aligned_u64 bytes;
	__u32 rights;
	__u32 pad;
	__aligned_u64 expires_ns;
	__aligned_u64 out;
};

#define PHI_IOC_REGION_SLICE _IO(PHI_IOC_MAGIC, 0x28)

/* Flag of struct phi_region_adopt: memory of the caller, not of a memfd. */
#define PHI_ADOPT_PRIVATE (1U << 0)

/**
 * struct phi_region_adopt - ioctl(PHI_IOC_REGION_ADOPT)
 * @size: sizeof(struct phi_region_adopt).
 * @flags: 0 or PHI_ADOPT_PRIVATE.
 * @start: First byte in the memfd, or the address; a multiple of the page size.
 * @bytes: Length; a non-zero multiple of the page size.
 * @fd: The memfd, open for reading; -1 with PHI_ADOPT_PRIVATE.
 * @pad: Must be 0.
 * @cap: Out, handle with READ, MAP, ADMIN and GRANT; and WRITE, unless the memfd
 *       is not open for writing or has F_SEAL_WRITE or F_SEAL_FUTURE_WRITE.
 *
 * Make a region of memory that exists already, without a copy: what either side
 * writes, the other sees. The region is REVOCABLE, and a revoke takes the pages
 * out of what was mapped through it. It does not touch what is not the
 * region's: the memfd, its mappings and the caller's own memory stay with
 * those who have them. Adopt to give away, not to take away.
 *
 * The memfd must have F_SEAL_SHRINK, so that it keeps the pages, and must hold
 * the whole range: holes become pages. A hole that is punched later parts the
 * memfd from the region, which keeps its pages. While the region lives and has
 * pages of the memfd, F_SEAL_WRITE cannot be added (EBUSY). It can where all of
 * them were punched out, and F_SEAL_FUTURE_WRITE can be added at any time: the
 * region stays writable then, as mappings do.
 *
 * With PHI_ADOPT_PRIVATE the range must be writable, anonymous memory of the
 * calling process. A child made by fork() gets copies; munmap() leaves the
 * pages to the region. They are charged to RLIMIT_MEMLOCK of the caller's
 * user until the region ends, whoever ends it, else EDQUOT; a process with
 * CAP_IPC_LOCK has no limit there.
 *
 * In both cases the pages are charged to the caller's quota, cannot be swapped
 * out while the region lives, and stay charged to the memory cgroup that they
 * are of. A huge page is kept, and charged, whole where the range has a part of
 * it; once for each such part where the pages between are others.
 *
 * Fails with EINVAL for pages of other files, of hugetlbfs or of DAX, for a
 * memfd without the seal, and for a range that is not inside; with EFAULT where
 * the caller has no memory, or not its own; with EBADF when @fd is not open.
 */
struct phi_region_adopt {
	__u32 size;
	__u32 flags;
	__aligned_u64 start;
	__aligned_u64 bytes;
	__s32 fd;
	__u32 pad;
	__aligned_u64 cap;
};

#define PHI_IOC_REGION_ADOPT _IO(PHI_IOC_MAGIC, 0x29)

/**
 * struct phi_region_wait - ioctl(PHI_IOC_REGION_WAIT)
 * @size: sizeof(struct phi_region_wait).
 * @flags: 0 or PHI_NONBLOCK.
 * @cap: MEMORY handle with READ.
 * @offset: Of a word of 32 bits, in bytes, counted from the first byte that
 *          @cap gives access to; a multiple of 4.
 * @value: Wait only while the word holds this.
 * @pad: Must be 0.
 * @deadline_ns: CLOCK_MONOTONIC; 0 = wait for ever.
 *
 * Wait until REGION_WAKE wakes the word, if it holds @value; else return at
 * once. The comparison and the begin of the wait are one step: a thread that
 * stores another value and then wakes finds the waiter, or the waiter finds the
 * new value. A return of 0 says that one of both happened; the caller looks at
 * the word again.
 *
 * The word is one of the region's, whichever handles, slices and processes it
 * is reached through. Neither side has to have the region mapped.
 *
 * Fails with EAGAIN when the word holds @value and PHI_NONBLOCK was given, and
 * with EBADF, EKEYREVOKED or EKEYEXPIRED as soon as @cap is gone. EFAULT: the
 * region has lost that page.
 */
struct phi_region_wait {
	__u32 size;
	__u32 flags;
	__aligned_u64 cap;
	__aligned_u64 offset;
	__u32 value;
	__u32 pad;
	__aligned_u64 deadline_ns;
};

#define PHI_IOC_REGION_WAIT _IO(PHI_IOC_MAGIC, 0x2c)

/**
 * struct phi_region_wake - ioctl(PHI_IOC_REGION_WAKE)
 * @size: sizeof(struct phi_region_wake).
 * @flags: Must be 0.
 * @cap: MEMORY handle with WRITE.
 * @offset: Of the word, as for REGION_WAIT.
 * @count: Threads to wake at most, those first that wait longest; not 0.
 * @woken: Out, how many were woken.
 *
 * Wake threads that wait for a word. Its cost is that of the threads that it
 * wakes: those that wait for other words are not looked at.
 */
struct phi_region_wake {
	__u32 size;
	__u32 flags;
	__aligned_u64 cap;
	__aligned_u64 offset;
	__u32 count;
	__u32 woken;
};

#define PHI_IOC_REGION_WAKE _IO(PHI_IOC_MAGIC, 0x2d)

/* Number of mmap() for policies and in traces; no ioctl has it. */
#define PHI_NR_REGION_MAP 0x21

#endif /* _PHI_REGION_H */
