/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PHI_KREGION_H
#define _PHI_KREGION_H

#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mm_types.h>
#include <linux/rwsem.h>
#include <linux/workqueue.h>

#include "object.h"

/**
 * DOC: Regions and their mappings
 *
 * A region owns its pages from birth to death; nothing is allocated when one
 * is touched, so touching never fails for want of memory.
 *
 * A mapping is what one mmap() made, in however many pieces munmap(),
 * mprotect() and mremap() have since cut it. It belongs to the capability it
 * was made through, and dies with it: when that is revoked, expires, is
 * dropped or moves away. Death is for good, and a dead mapping keeps only
 * this bookkeeping alive, no page.
 *
 * All regions and mappings go through files of the module's own: each region
 * has an inode to itself, so that zapping it touches no one else's mappings,
 * and each mapping a window of that inode's offsets to itself, so that killing
 * one leaves the pages of the others in place.
 */

/**
 * struct phi_region - memory that several processes may map
 * @obj: What capabilities name; its end frees the pages.
 * @ref: @obj and each mapping. Keeps this struct, not the pages.
 * @flags: PHI_REGION_*.
 * @nr: Length in pages.
 * @charged: Pages charged to @obj.user: @nr, or 0 if that failed.
 * @pages: Each of them; of a REVOCABLE region some are parts of huge pages.
 * @file: Of an inode of its own; never has a descriptor.
 * @lock: Taken shared to put a page into an address space or take pages out,
 *        exclusively to change what is below.
 * @mappings: Those alive.
 * @mapped: How many.
 * @window: Where the window of the next mapping begins, in pages.
 * @expires_ns: When @expire is to look next, 0 = never. CLOCK_BOOTTIME.
 * @expire: Kills the mappings whose capabilities expired.
 */
struct phi_region {
	struct phi_object obj;
	struct kref ref;
	u32 flags;
	unsigned long nr;
	unsigned long charged;
	struct page **pages;
	struct file *file;
	struct rw_semaphore lock; /* see main.h */
	struct list_head mappings;
	u32 mapped;
	pgoff_t window;
	u64 expires_ns;
	struct delayed_work expire;
};

#define to_region(_obj) container_of(_obj, struct phi_region, obj)

void phi_region_unref(struct phi_region *region);

/* mapping.c */
u64 phi_mapping_offset(u64 handle);
void phi_mapping_start(struct phi_region *region);
void phi_mapping_stop(struct phi_region *region);
void phi_mapping_sweep(struct phi_region *region, const struct phi_cap *gone);

#endif /* _PHI_KREGION_H */
