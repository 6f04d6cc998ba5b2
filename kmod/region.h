/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PHI_KREGION_H
#define _PHI_KREGION_H

#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mm_types.h>
#include <linux/rbtree.h>
#include <linux/refcount.h>
#include <linux/rwsem.h>
#include <linux/spinlock_types.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "cap.h"

struct phi_cspace;

/**
 * DOC: Regions and their mappings
 *
 * A region allocates its pages when it is created and none at a fault, so an
 * access never fails for want of memory.
 *
 * A mapping is what one mmap() made, in however many pieces munmap(),
 * mprotect() and mremap() have since cut it. It belongs to the capability it
 * was made through, and dies with it: when that is revoked, expires, is
 * dropped or moves away. Death is for good, and a dead mapping keeps only
 * this bookkeeping alive, no page.
 *
 * A snapshot is a region whose pages are those of another. A page has one
 * reference of each region that has it, and counts the further ones in its
 * private field, for anyone may refer to a page for a moment. While there is
 * one, nobody has the page writable: the snapshot zapped what was mapped, and
 * it is mapped read-only since. The first to write puts a copy into its own
 * region. Pages of huge pages have references of their own, so that one page in
 * a huge page can be copied; 512 pages that follow each other are mapped as a
 * huge page while nobody has. Shared pages are in at most PHI_SHARERS_MAX
 * mappings of a region, where the writer has to zap its page.
 *
 * The mappings of a region are in a tree by capability: the end of one visits
 * the mappings made through it, however many others there are.
 *
 * All regions and mappings go through files of the module's own: each region
 * has an inode to itself, so that zapping it touches no one else's mappings,
 * and each mapping a window of that inode's offsets to itself, so that killing
 * one leaves the pages of the others in place.
 *
 * Pins: a mapping of a DMA region made with PHI_RIGHT_PIN is VM_MIXEDMAP, and
 * get_user_pages() works on it; any other mapping is VM_PFNMAP, where it fails
 * with EFAULT. Neither zapping nor munmap() ends a pin. So a capability with
 * PHI_RIGHT_PIN that was mapped leaves orphans behind when it leaves its slot
 * or dies, a root like any other, and a revoke or expiry then has
 * phi_pins_detach() take every pinned page that it reached out of the region
 * and put a copy in its place. The detached page stays charged to the creator until its last pin
 * is gone; no event says when, so a work item looks again and again.
 */

/**
 * struct phi_region - memory that several processes may map
 * @obj: Object of MEMORY capabilities; its end frees the pages.
 * @ref: @obj, each mapping, and @reap while @detached is not empty. Keeps this
 *       struct, @file and @user, not the pages.
 * @user: Pays for the pages, referenced; same as @obj.user, which ends earlier.
 * @flags: PHI_REGION_*.
 * @nr: Length in pages.
 * @charged: Pages charged to @user: those in @pages and in @detached.
 * @pages: Each of them, with a reference; of a REVOCABLE region those of a huge
 *         page follow each other. NULL where a detached page could not be
 *         replaced: SIGBUS.
 * @file: Of an inode of its own; never has a descriptor.
 * @lock: Taken shared to put a page into an address space or take pages out,
 *        exclusively to change what is below.
 * @mappings: Those alive, by @cap.
 * @mapped: Mappings alive.
 * @shared: It is a snapshot or one was made of it: some of @pages may be those
 *          of another region too.
 * @depth: Snapshots from one to the next until this one; 0 = it is none.
 * @sharers: Mappings that may have shared pages in place, by @sharing.
 * @nsharers: How many.
 * @window: Where the window of the next mapping begins, in pages.
 * @orphans: A capability whose mappings could be pinned left its slot or died:
 *           its pins may have outlived it.
 * @orphans_from: The first page that one of those capabilities gave access to,
 *                and so may be pinned.
 * @orphans_to: Behind the last.
 * @orphans_ns: When the first of those capabilities expires, 0 = never.
 *              CLOCK_BOOTTIME.
 * @orphans_due: Detaches what is pinned then.
 * @detached: Pages taken out of @pages while somebody pinned them, by lru.
 * @pinned: How many.
 * @reap: Frees those whose pins are gone.
 * @reap_delay: Of the next look of @reap, in jiffies.
 * @adopted: The memory that it adopted, or NULL for pages of its own; adopt.c.
 * @words_lock: Guards the next ones.
 * @words: Threads that wait for a word, by its number, the first one first.
 * @word_waiters: Those of them that sleep, struct phi_waiter.
 * @words_since: Waits so far.
 * @lost: Pages left @pages without a copy, and no revoke has said so yet.
 * @waiting: Calls that wait for @pinned to become 0.
 * @unpinned: Where they wait.
 */
struct phi_region {
	struct phi_object obj;
	struct kref ref;
	struct phi_user *user;
	u32 flags;
	unsigned long nr;
	unsigned long charged;
	struct page **pages;
	struct file *file;
	struct rw_semaphore lock; /* see main.h */
	struct rb_root mappings;
	u32 mapped;
	bool shared;
	u8 depth;
	struct list_head sharers;
	u32 nsharers;
	pgoff_t window;
	bool orphans;
	unsigned long orphans_from;
	unsigned long orphans_to;
	u64 orphans_ns;
	struct delayed_work orphans_due;
	struct list_head detached;
	unsigned long pinned;
	struct delayed_work reap;
	unsigned long reap_delay;
	struct phi_adopted *adopted;
	spinlock_t words_lock; /* see main.h */
	struct rb_root words;
	struct list_head word_waiters;
	u64 words_since;
	bool lost;
	atomic_t waiting;
	wait_queue_head_t unpinned;
};

#define to_region(_obj) container_of(_obj, struct phi_region, obj)

/* Mappings of a region that may have shared pages in place at a time. */
#define PHI_SHARERS_MAX 64

/**
 * phi_page_sharers() - how many regions have a page besides the first?
 * @page: A page that a region allocated. It is freed with 0 there.
 *
 * Context: Any.
 * Return: The counter.
 */
static inline atomic_long_t *phi_page_sharers(struct page *page)
{
	return (atomic_long_t *)&page->private;
}

/**
 * phi_page_shared() - does another region have a page too?
 * @region: A region that has it; its lock is held.
 * @page: The page.
 *
 * Others may give the page up meanwhile; only who holds the lock can share it.
 *
 * Context: Any.
 * Return: False when what is written to @page shows in @region alone.
 */
static inline bool phi_page_shared(const struct phi_region *region,
				   struct page *page)
{
	/* Others have read it before the last of them gave it up. */
	return region->shared &&
	       atomic_long_read_acquire(phi_page_sharers(page));
}

/**
 * phi_region_pages() - count the pages that a capability gives access to
 * @cap: A MEMORY capability, pinned.
 *
 * Context: Any.
 * Return: Pages from @cap->first on.
 */
static inline unsigned long phi_region_pages(const struct phi_cap *cap)
{
	return cap->pages ?: to_region(cap->obj)->nr;
}

/**
 * struct phi_mapping - what one mmap() of a region made
 * @ref: Areas it consists of, and a sweep at work on it.
 * @region: Its bookkeeping is referenced, its pages through @cap.
 * @cap: Capability it was made through; referenced until death.
 * @user: Pays one PHI_QUOTA_CAPS for it until death, referenced; then NULL.
 * @mm: The address space it was made in, for comparison only. No other ever
 *      has pages through it.
 * @base: First offset of its window in the region's inode, in pages.
 * @first: The page of the region that is there.
 * @nr: Pages of the region from there on that it may have.
 * @pin: get_user_pages() works on it.
 * @dead: Set for good under @region's lock.
 * @sharing: In @region's list of sharers, or empty; until death.
 * @node: In the list of the sweep that killed it.
 * @by_cap: In @region's tree until death.
 */
struct phi_mapping {
	refcount_t ref;
	struct phi_region *region;
	struct phi_cap *cap;
	struct phi_user *user;
	struct mm_struct *mm;
	pgoff_t base;
	unsigned long first;
	unsigned long nr;
	bool pin;
	bool dead;
	struct list_head sharing;
	struct list_head node;
	struct rb_node by_cap;
};

struct phi_region *
phi_region_new(struct phi_user *user, u32 flags, unsigned long nr,
	       int (*fill)(struct phi_region *region, const void *from),
	       const void *from);
void phi_region_unref(struct phi_region *region);
void phi_region_uncharge(struct phi_region *region, unsigned long nr);
struct page *phi_region_alloc(gfp_t zero);
int phi_region_access(struct phi_cap *cap, u64 offset, void *bytes, u32 len,
		      bool write);

/* mapping.c */
u64 phi_mapping_offset(u64 handle);
void phi_mapping_cut(struct phi_region *region, struct phi_cap *cap);
u32 phi_mapping_count(struct phi_region *region, const struct phi_cap *cap);
void phi_mapping_put(struct phi_mapping *mapping);

/* fault.c */
extern const struct vm_operations_struct phi_mapping_vm_ops;
extern const struct vm_operations_struct phi_mapping_dma_vm_ops;
bool phi_mapping_alive(const struct phi_mapping *mapping);
vm_fault_t phi_mapping_insert(struct vm_area_struct *vma, unsigned long addr,
			      bool shared);

/* share.c */

/**
 * struct phi_sharing - what a snapshot is made of
 * @cs: Cspace of @handle.
 * @handle: The handle.
 * @cap: Its capability, pinned; to a region of the REVOCABLE class.
 */
struct phi_sharing {
	struct phi_cspace *cs;
	u64 handle;
	const struct phi_cap *cap;
};

int phi_share_pages(struct phi_region *to, const void *from);
void phi_share_put(struct page *page);
void phi_share_copy(struct phi_region *region, unsigned long i,
		    struct page *copy);
bool phi_share_join(struct phi_mapping *mapping);
void phi_share_leave(struct phi_mapping *mapping);
vm_fault_t phi_share_fault(struct vm_fault *vmf);

/* adopt.c */
void phi_adopted_free(struct phi_region *region);

/* word.c */
void phi_word_cut(struct phi_region *region, struct phi_cap *cap, int error);

/* pin.c */
void phi_pins_start(struct phi_region *region);
void phi_pins_stop(struct phi_region *region);
void phi_pins_orphan(struct phi_region *region, const struct phi_cap *cap);
void phi_pins_detach(struct phi_region *region);
void phi_pins_inherit(struct phi_region *region);
int phi_pins_wait(struct phi_region *region);

extern struct workqueue_struct *phi_region_wq;

#endif /* _PHI_KREGION_H */
