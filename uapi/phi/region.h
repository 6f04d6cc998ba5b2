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
 * A REVOCABLE region gives no pages to get_user_pages(): O_DIRECT, vmsplice()
 * and io_uring registered buffers on it fail with EFAULT. A DMA region
 * does; a page that a device or another subsystem still pins is not used
 * again until that pin is gone. Shared futexes fail with EFAULT on both.
 */

/* Flags of struct phi_region_create. */
#define PHI_REGION_DMA (1U << 0)

/**
 * struct phi_region_create - ioctl(PHI_IOC_REGION_CREATE)
 * @size: sizeof(struct phi_region_create).
 * @flags: 0 or PHI_REGION_DMA.
 * @bytes: Length; a non-zero multiple of the page size.
 * @cap: Out, handle with READ, WRITE, EXEC, MAP, ADMIN and GRANT.
 *
 * Make a zeroed region. All its pages are there when the call returns:
 * touching it never fails for want of memory.
 * Fails with EDQUOT when the caller's quota is spent.
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
 * @bytes: Out, length of the region.
 * @offset: Out, what to give mmap() as its offset on this /dev/phi file.
 * @region_flags: Out, PHI_REGION_*.
 * @rights: Out, rights of @cap.
 * @mappings: Out, mappings of the region that exist now, in all processes.
 * @pad: Must be 0.
 *
 * mmap() needs MAP; and READ, WRITE and EXEC for PROT_READ, PROT_WRITE and
 * PROT_EXEC, else EPERM; mprotect() cannot add them later (EACCES). No
 * hardware gives write or execute access alone: both need READ as well. The
 * mapping starts at the region's first byte and must be MAP_SHARED.
 * A child made by fork() does not inherit it. To policies mmap() is a call of
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
	__u32 pad;
};

#define PHI_IOC_REGION_INFO _IO(PHI_IOC_MAGIC, 0x22)

/* Number of mmap() for policies and in traces; no ioctl has it. */
#define PHI_NR_REGION_MAP 0x21

#endif /* _PHI_REGION_H */
