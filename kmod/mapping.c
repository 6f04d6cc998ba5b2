// SPDX-License-Identifier: GPL-2.0-only

#include <linux/cleanup.h>
#include <linux/compat.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>

#include "compat.h"
#include "cspace.h"
#include "hook.h"
#include "main.h"
#include "region.h"
#include "slot.h"
#include "trace.h"

/* Pages put into the page table at one fault, aligned to as many. */
#define PHI_FAULT_AROUND 16UL

/*
 * An mmap() offset: the generation of a handle above its index. mmap2() of a
 * 32-bit program carries 32 bits of pages: the index and the lower half of the
 * generation, which stand for the handle that has them now.
 */
#define PHI_INDEX_BITS 16
#define PHI_INDEX_MASK ((1UL << PHI_INDEX_BITS) - 1)
#define PHI_OFFSET_BITS (PHI_INDEX_BITS + 32)
#define PHI_OFFSET_COMPAT GENMASK_ULL(31, 0)

/* Offsets of an inode, in pages; they must stay positive as bytes. */
#define PHI_PGOFF_MAX (1UL << (63 - PAGE_SHIFT))

/*
 * Expiry goes by CLOCK_BOOTTIME, the workqueue's timers stand still while the
 * machine sleeps. So none is set further ahead than this: that is how late
 * pages may go after a resume. New faults are refused at once.
 */
#define PHI_EXPIRE_STEP_NS (10 * NSEC_PER_SEC)

/* Its own, so that unloading can wait for what still runs. */
static struct workqueue_struct *phi_region_wq;

/**
 * struct phi_mapping - what one mmap() of a region made
 * @ref: Areas it consists of, and a sweep at work on it.
 * @node: In @region's mappings, or in the list of the sweep that killed it.
 * @region: Its bookkeeping is referenced, its pages through @cap.
 * @cap: What it was made through; referenced until death.
 * @mm: The address space it was made in, for comparison only. No other ever
 *      has pages through it.
 * @base: First offset of its window in the region's inode, in pages.
 * @dead: Set for good under @region's lock.
 */
struct phi_mapping {
	refcount_t ref;
	struct list_head node;
	struct phi_region *region;
	struct phi_cap *cap;
	struct mm_struct *mm;
	pgoff_t base;
	bool dead;
};

/**
 * phi_mapping_offset() - say what to give mmap() for a handle
 * @handle: The handle.
 *
 * Context: In a call of the process that is going to map it.
 * Return: The offset, in bytes; one that mmap2() can carry, for a 32-bit call.
 */
u64 phi_mapping_offset(u64 handle)
{
	u64 pgoff = (handle >> 32 << PHI_INDEX_BITS) |
		    (handle & PHI_INDEX_MASK);

	if (in_compat_syscall())
		pgoff &= PHI_OFFSET_COMPAT;
	return pgoff << PAGE_SHIFT;
}

/* The handle that an offset stands for, 0 when it stands for none. */
static u64 phi_mapping_handle(struct phi_cspace *cs, unsigned long pgoff)
{
	u64 handle;

	if (in_compat_syscall()) {
		handle = phi_slot_handle(cs, pgoff & PHI_INDEX_MASK);
		return phi_mapping_offset(handle) >> PAGE_SHIFT == pgoff ?
			       handle :
			       0;
	}
	return (u64)(pgoff >> PHI_INDEX_BITS) << 32 | (pgoff & PHI_INDEX_MASK);
}

/* The last area is gone, or the sweep is done with a dead mapping. */
static void phi_mapping_put(struct phi_mapping *mapping)
{
	struct phi_region *region = mapping->region;
	struct phi_cap *cap = NULL;

	if (!refcount_dec_and_test(&mapping->ref))
		return;
	down_write(&region->lock);
	if (!mapping->dead) {
		list_del(&mapping->node);
		region->mapped--;
		cap = mapping->cap;
	}
	up_write(&region->lock);

	phi_cap_put(cap);
	kfree(mapping);
	phi_region_unref(region);
}

/* Look again when the first of the mappings' capabilities expires. */
static void phi_mapping_arm(struct phi_region *region, u64 expires_ns)
{
	u64 now = ktime_get_boottime_ns();
	u64 wait = expires_ns > now ? expires_ns - now : 0;

	lockdep_assert_held_write(&region->lock);
	if (!expires_ns)
		return;
	if (region->expires_ns && region->expires_ns <= expires_ns)
		return;
	region->expires_ns = expires_ns;
	wait = min_t(u64, wait, PHI_EXPIRE_STEP_NS);
	mod_delayed_work(phi_region_wq, &region->expire,
			 nsecs_to_jiffies(wait) + 1);
}

/* Return: whether it was alive until now; it is the caller's to zap then. */
static bool phi_mapping_kill(struct phi_mapping *mapping)
{
	lockdep_assert_held_write(&mapping->region->lock);
	/* Its last area went away; phi_mapping_put() waits for the lock. */
	if (!refcount_inc_not_zero(&mapping->ref))
		return false;
	mapping->dead = true;
	mapping->region->mapped--;
	return true;
}

/**
 * phi_mapping_sweep() - kill mappings and take their pages away
 * @region: The region. The caller keeps it from going away until the lock is
 *          let go.
 * @gone: Kill those made through this capability; NULL: those whose
 *        capability was revoked or expired.
 *
 * Whoever revokes first counts up the version of a node, then calls this.
 * A fault that held the lock before sees its page zapped here; one that takes
 * it later sees the version, or the mapping dead. The lock is kept, shared,
 * until the zap is done, so that a second sweep which finds nothing left to
 * kill does not return before the first has taken the pages.
 *
 * Context: Process context. May sleep. May drop the last reference to the
 * region's object unless the caller has one.
 */
void phi_mapping_sweep(struct phi_region *region, const struct phi_cap *gone)
{
	struct phi_mapping *mapping;
	struct phi_mapping *next;
	u64 expires_ns = 0;
	LIST_HEAD(dead);

	down_write(&region->lock);
	list_for_each_entry_safe(mapping, next, &region->mappings, node) {
		const struct phi_cap *cap = mapping->cap;

		cond_resched();
		if (gone ? cap == gone : phi_cap_live(cap) < 0) {
			if (phi_mapping_kill(mapping))
				list_move(&mapping->node, &dead);
		} else if (cap->expires_ns) {
			expires_ns = min_not_zero(expires_ns, cap->expires_ns);
		}
	}
	region->expires_ns = 0;
	phi_mapping_arm(region, expires_ns);
	downgrade_write(&region->lock);
	list_for_each_entry(mapping, &dead, node)
		unmap_mapping_pages(region->file->f_mapping, mapping->base,
				    region->nr, true);
	up_read(&region->lock);

	list_for_each_entry_safe(mapping, next, &dead, node) {
		phi_trace(phi_region_zap, &region->obj,
			  region->nr << PAGE_SHIFT);
		phi_cap_put(mapping->cap);
		phi_mapping_put(mapping);
	}
}

static void phi_mapping_expire(struct work_struct *work)
{
	phi_mapping_sweep(container_of(to_delayed_work(work), struct phi_region,
				       expire),
			  NULL);
}

/**
 * phi_mapping_start() - make a new region ready to be mapped
 * @region: The region.
 *
 * Context: Any.
 */
void phi_mapping_start(struct phi_region *region)
{
	init_rwsem(&region->lock);
	INIT_LIST_HEAD(&region->mappings);
	INIT_DELAYED_WORK(&region->expire, phi_mapping_expire);
}

/**
 * phi_mapping_stop() - wait for the work of a region that is going away
 * @region: The region; it has no mapping alive.
 *
 * Context: Process context. May sleep.
 */
void phi_mapping_stop(struct phi_region *region)
{
	/* The work itself put the last reference: it does not look again. */
	if (current_work() == &region->expire.work)
		cancel_delayed_work(&region->expire);
	else
		cancel_delayed_work_sync(&region->expire);
}

/*
 * A mapping was cut in two or moved; or fork() copies it, although it is
 * VM_DONTCOPY, because of MADV_DOFORK. A child gets an area without a mapping
 * then, where every touch is SIGBUS; VM_WIPEONFORK keeps fork() from copying
 * page table entries to it after this call.
 */
static void phi_mapping_open(struct vm_area_struct *vma)
{
	struct phi_mapping *mapping = vma->vm_private_data;

	if (!mapping)
		return;
	if (vma->vm_mm == mapping->mm) {
		refcount_inc(&mapping->ref);
		return;
	}
	vm_flags_set(vma, VM_WIPEONFORK | VM_DONTCOPY);
	vma->vm_private_data = NULL;
}

static void phi_mapping_close(struct vm_area_struct *vma)
{
	struct phi_mapping *mapping = vma->vm_private_data;

	if (mapping)
		phi_mapping_put(mapping);
}

/* Whether pages may go into the mapping's page tables. */
static bool phi_mapping_alive(const struct phi_mapping *mapping)
{
	lockdep_assert_held(&mapping->region->lock);
	return !mapping->dead && !phi_cap_live(mapping->cap);
}

static vm_fault_t phi_mapping_insert(struct vm_area_struct *vma,
				     unsigned long addr)
{
	const struct phi_mapping *mapping = vma->vm_private_data;
	const struct phi_region *region = mapping->region;
	pgoff_t i = linear_page_index(vma, addr) - mapping->base;

	if (i >= region->nr)
		return VM_FAULT_SIGBUS;
	if (region->flags & PHI_REGION_DMA)
		return vmf_insert_page(vma, addr, region->pages[i]);
	return vmf_insert_pfn(vma, addr, page_to_pfn(region->pages[i]));
}

/*
 * Nobody can hold the lock for long, so this waits for it with whatever lock
 * the kernel has taken around a fault: a sweep never takes that one.
 */
static vm_fault_t phi_mapping_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct phi_mapping *mapping = vma->vm_private_data;
	unsigned long around = PHI_FAULT_AROUND * PAGE_SIZE;
	unsigned long addr = vmf->address & PAGE_MASK;
	unsigned long at = ALIGN_DOWN(addr, around);
	unsigned long end = min(at + around, vma->vm_end);
	vm_fault_t ret;

	if (!mapping)
		return VM_FAULT_SIGBUS;
	guard(rwsem_read)(&mapping->region->lock);
	if (!phi_mapping_alive(mapping))
		return VM_FAULT_SIGBUS;
	ret = phi_mapping_insert(vma, addr);
	if (ret != VM_FAULT_NOPAGE)
		return ret;
	/* The neighbours are a bonus: whatever fails there is left out. */
	for (at = max(at, vma->vm_start); at < end; at += PAGE_SIZE) {
		if (phi_mapping_insert(vma, at) != VM_FAULT_NOPAGE)
			break;
	}
	return VM_FAULT_NOPAGE;
}

/* An entry that is there already but lacks something: let it be split. */
static vm_fault_t phi_mapping_huge_fault(struct vm_fault *vmf,
					 unsigned int order)
{
	struct vm_area_struct *vma = vmf->vma;
	struct phi_mapping *mapping = vma->vm_private_data;
	unsigned long addr = vmf->address & PMD_MASK;
	struct page *page;
	pgoff_t i;

	if (!mapping)
		return VM_FAULT_SIGBUS;
	if (order != HPAGE_PMD_ORDER || !pmd_none(vmf->orig_pmd) ||
	    addr < vma->vm_start || addr + PMD_SIZE > vma->vm_end)
		return VM_FAULT_FALLBACK;
	i = linear_page_index(vma, addr) - mapping->base;
	if (i >= mapping->region->nr || !IS_ALIGNED(i, HPAGE_PMD_NR))
		return VM_FAULT_FALLBACK;

	guard(rwsem_read)(&mapping->region->lock);
	if (!phi_mapping_alive(mapping))
		return VM_FAULT_SIGBUS;
	page = mapping->region->pages[i];
	if (compound_order(page) != HPAGE_PMD_ORDER)
		return VM_FAULT_FALLBACK;
	return phi_insert_huge(vmf, page_to_pfn(page));
}

/*
 * Called under RCU, where the region's lock cannot be taken, so it maps
 * nothing; phi_mapping_fault() does. It is here because the kernel calls
 * fault() under the lock of the area alone only where this exists.
 */
static vm_fault_t phi_mapping_map_pages(struct vm_fault *vmf, pgoff_t start,
					pgoff_t end)
{
	return 0;
}

/* No ->access: what get_user_pages() does not get, a debugger does not. */
static const struct vm_operations_struct phi_mapping_vm_ops = {
	.open = phi_mapping_open,
	.close = phi_mapping_close,
	.fault = phi_mapping_fault,
	.huge_fault = phi_mapping_huge_fault,
	.map_pages = phi_mapping_map_pages,
};

/* No hardware gives write or execute access without read access. */
static u32 phi_mapping_rights(unsigned long vm_flags)
{
	u32 rights = PHI_RIGHT_MAP;

	if (vm_flags & (VM_READ | VM_WRITE | VM_EXEC))
		rights |= PHI_RIGHT_READ;
	if (vm_flags & VM_WRITE)
		rights |= PHI_RIGHT_WRITE;
	if (vm_flags & VM_EXEC)
		rights |= PHI_RIGHT_EXEC;
	return rights;
}

/* What mprotect() must not give the area later on. */
static unsigned long phi_mapping_never(u32 rights)
{
	unsigned long never = 0;

	if (!(rights & PHI_RIGHT_READ))
		return VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC;
	if (!(rights & PHI_RIGHT_WRITE))
		never |= VM_MAYWRITE;
	if (!(rights & PHI_RIGHT_EXEC))
		never |= VM_MAYEXEC;
	return never;
}

/* A mapping that is not yet among its region's. */
static struct phi_mapping *phi_mapping_new(struct phi_region *region)
{
	struct phi_mapping *mapping =
		kzalloc(sizeof(*mapping), GFP_KERNEL_ACCOUNT);

	if (!mapping)
		return ERR_PTR(-ENOMEM);
	mapping->mm = current->mm;
	mapping->region = region;
	kref_get(&region->ref);
	refcount_set(&mapping->ref, 1);
	return mapping;
}

/*
 * The offsets of a new mapping: the next ones that no one had yet, where huge
 * pages fit. When they have all been used, some day, it starts over; at worst
 * a sweep then takes pages from a mapping alive too, which faults them back.
 */
static pgoff_t phi_mapping_window(struct phi_region *region)
{
	unsigned long span = ALIGN(region->nr, HPAGE_PMD_NR);
	pgoff_t base = region->window;

	lockdep_assert_held_write(&region->lock);
	region->window += span;
	if (region->window > PHI_PGOFF_MAX - span)
		region->window = 0;
	return base;
}

/*
 * Put it among its region's, unless the capability left its slot or died
 * since @cap was found. A revoke, an expiry or a drop after this point finds
 * the mapping in the list; the checks find an earlier one. They take no
 * reference: its last put would free the region under its own lock.
 */
static int phi_mapping_join(struct phi_mapping *mapping, struct phi_cspace *cs,
			    u64 handle, struct phi_cap *cap)
{
	struct phi_region *region = mapping->region;
	int ret;

	down_write(&region->lock);
	ret = phi_cspace_holds(cs, handle, cap) ? phi_cap_live(cap) : -EBADF;
	if (!ret) {
		phi_cap_get(cap);
		mapping->cap = cap;
		mapping->base = phi_mapping_window(region);
		list_add(&mapping->node, &region->mappings);
		region->mapped++;
		phi_mapping_arm(region, cap->expires_ns);
	}
	up_write(&region->lock);
	if (ret) {
		mapping->dead = true;
		phi_mapping_put(mapping);
	}
	return ret;
}

/*
 * Map what a handle names. Nothing is put into the page tables here: the area
 * can be found by a zap only after ->mmap() returns.
 */
static int phi_mapping_map(struct phi_cspace *cs, u64 handle,
			   struct vm_area_struct *vma)
{
	struct phi_mapping *mapping;
	struct phi_region *region;
	unsigned long kind;
	int ret;

	/* Keeps the region whatever becomes of the mapping meanwhile. */
	struct phi_cap *cap __free(phi_cap_put) =
		phi_cspace_lookup(cs, handle, PHI_TYPES(MEMORY),
				  phi_mapping_rights(vma->vm_flags));
	if (IS_ERR(cap))
		return PTR_ERR(cap);
	region = to_region(cap->obj);
	if (vma_pages(vma) > region->nr)
		return -EINVAL;

	mapping = phi_mapping_new(region);
	if (IS_ERR(mapping))
		return PTR_ERR(mapping);
	ret = phi_mapping_join(mapping, cs, handle, cap);
	if (ret)
		return ret;

	kind = region->flags & PHI_REGION_DMA ? VM_MIXEDMAP : VM_PFNMAP;
	vm_flags_mod(vma, kind | VM_DONTEXPAND | VM_DONTDUMP | VM_DONTCOPY,
		     phi_mapping_never(cap->rights));
	vma->vm_pgoff = mapping->base;
	vma->vm_ops = &phi_mapping_vm_ops;
	vma->vm_private_data = mapping;
	vma_set_file(vma, region->file);
	return 0;
}

/**
 * phi_region_mmap() - mmap() of /dev/phi
 * @file: The file; its private data is the cspace.
 * @vma: The area; its offset says which handle.
 *
 * Passes the hooks as a call does, under the number PHI_NR_REGION_MAP.
 *
 * Context: Process context, mmap_lock held exclusively. May sleep.
 * Return: 0; -EPERM when the cspace is another process's or a right is
 * missing, -EINVAL for a private or too long mapping or a bad offset,
 * -ENOMEM, the error of phi_cspace_lookup(), or the errno of a policy.
 */
int phi_region_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct phi_cspace *cs = file->private_data;
	struct phi_hook_call call;
	u64 handle;
	int ret;

	ret = phi_cspace_allowed(cs);
	if (ret)
		return ret;
	if (!(vma->vm_flags & VM_MAYSHARE) || vma->vm_pgoff >> PHI_OFFSET_BITS)
		return -EINVAL;
	handle = phi_mapping_handle(cs, vma->vm_pgoff);
	ret = phi_hook_enter(&call, cs, PHI_NR_REGION_MAP, handle);
	if (!ret)
		ret = phi_mapping_map(cs, handle, vma);
	phi_hook_leave(&call, ret);
	return ret;
}

/**
 * phi_region_area() - choose an address for mmap() of /dev/phi
 * @file: The file.
 * @addr: What the caller would like, 0 = any.
 * @len: Length.
 * @pgoff: The offset; it tells of a handle, nothing of the memory.
 * @flags: MAP_*.
 *
 * Huge pages can be mapped where address and offset into the region have the
 * same remainder, so ask for that.
 *
 * Context: Process context, mmap_lock held exclusively.
 * Return: The address or a negative errno.
 */
unsigned long phi_region_area(struct file *file, unsigned long addr,
			      unsigned long len, unsigned long pgoff,
			      unsigned long flags)
{
	return thp_get_unmapped_area(file, addr, len, 0, flags);
}

/**
 * phi_region_init() - make the workqueue that ends mappings
 *
 * Context: Module load.
 * Return: 0 or -ENOMEM.
 */
int __init phi_region_init(void)
{
	phi_region_wq = alloc_workqueue("phi_region", WQ_UNBOUND, 0);
	return phi_region_wq ? 0 : -ENOMEM;
}

/**
 * phi_region_exit() - wait for the last of its work
 *
 * Context: Module unload, or failed load. No region is left.
 */
void phi_region_exit(void)
{
	destroy_workqueue(phi_region_wq);
}
