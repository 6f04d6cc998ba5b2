// SPDX-License-Identifier: GPL-2.0-only

#include <linux/cleanup.h>
#include <linux/compat.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "cspace.h"
#include "decision.h"
#include "hook.h"
#include "main.h"
#include "quota.h"
#include "region.h"
#include "slot.h"
#include "trace.h"

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

/* Its own, so that unloading can wait for the work that still runs. */
struct workqueue_struct *phi_region_wq;

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

/* Take a mapping out of the tree. */
static void phi_mapping_unlink(struct phi_mapping *mapping)
{
	struct phi_region *region = mapping->region;

	lockdep_assert_held_write(&region->lock);
	if (!RB_EMPTY_NODE(&mapping->by_cap)) {
		rb_erase(&mapping->by_cap, &region->mappings);
		RB_CLEAR_NODE(&mapping->by_cap);
	}
	phi_share_leave(mapping);
}

/* Does get_user_pages() work on mappings made through a capability? */
static bool phi_mapping_pins(const struct phi_cap *cap)
{
	return to_region(cap->obj)->flags & PHI_REGION_DMA &&
	       cap->rights & PHI_RIGHT_PIN;
}

/* Called once at death, and again when it is freed. */
static void phi_mapping_uncharge(struct phi_mapping *mapping)
{
	if (!mapping->user)
		return;
	phi_quota_uncharge(mapping->user, PHI_QUOTA_CAPS, 1);
	phi_user_put(mapping->user);
	mapping->user = NULL;
}

/**
 * phi_mapping_put() - the last area is gone, or the sweep is done with it
 * @mapping: The mapping; the caller gives back one reference.
 *
 * Context: Process context. May sleep. May free the region's object.
 */
void phi_mapping_put(struct phi_mapping *mapping)
{
	struct phi_region *region = mapping->region;
	struct phi_cap *cap = NULL;

	if (!refcount_dec_and_test(&mapping->ref))
		return;
	down_write(&region->lock);
	if (!mapping->dead) {
		phi_mapping_unlink(mapping);
		region->mapped--;
		cap = mapping->cap;
	}
	up_write(&region->lock);

	phi_cap_put(cap);
	phi_mapping_uncharge(mapping);
	kfree(mapping);
	phi_region_unref(region);
}

/* Move a mapping to a sweep's list, unless phi_mapping_put() ends it now. */
static void phi_mapping_kill(struct phi_mapping *mapping,
			     struct list_head *dead)
{
	phi_mapping_unlink(mapping);
	/* phi_mapping_put() waits for the lock. */
	if (!refcount_inc_not_zero(&mapping->ref))
		return;
	mapping->dead = true;
	mapping->region->mapped--;
	list_add_tail(&mapping->node, dead);
}

/*
 * Take the pages of dead mappings away. Called with the lock held exclusively,
 * returns without it. It is kept, shared, until the zap is done, so that a
 * second sweep which finds nothing left to kill does not return before the
 * first has taken the pages.
 */
static void phi_mapping_zap(struct phi_region *region, struct list_head *dead)
{
	struct phi_mapping *mapping;

	downgrade_write(&region->lock);
	list_for_each_entry(mapping, dead, node)
		unmap_mapping_pages(region->file->f_mapping, mapping->base,
				    mapping->nr, true);
	up_read(&region->lock);
}

/* May drop the last reference to the region's object. */
static void phi_mapping_bury(struct phi_region *region, struct list_head *dead)
{
	struct phi_mapping *mapping;
	struct phi_mapping *next;

	list_for_each_entry_safe(mapping, next, dead, node) {
		phi_trace(phi_region_zap, &region->obj,
			  mapping->nr << PAGE_SHIFT);
		phi_mapping_uncharge(mapping);
		phi_cap_put(mapping->cap);
		phi_mapping_put(mapping);
	}
}

static int phi_mapping_cmp_cap(const void *cap, const struct rb_node *node)
{
	const void *of = rb_entry(node, struct phi_mapping, by_cap)->cap;

	if (cap == of)
		return 0;
	return cap < of ? -1 : 1;
}

/**
 * phi_mapping_count() - count the mappings made through a capability
 * @region: The region.
 * @cap: A capability to it, pinned.
 *
 * Context: Process context. May sleep.
 * Return: How many there are.
 */
u32 phi_mapping_count(struct phi_region *region, const struct phi_cap *cap)
{
	struct rb_node *node;
	u32 n = 0;

	guard(rwsem_read)(&region->lock);
	rb_for_each(node, cap, &region->mappings, phi_mapping_cmp_cap) n++;
	return n;
}

/**
 * phi_mapping_cut() - kill the mappings made through a capability
 * @region: The region.
 * @cap: A capability to it that left its slot or died. Keeps the region.
 *
 * A fault that held the lock before this has its page zapped here; a later one
 * finds the mapping dead. Pins may stay, also of mappings that ended before;
 * a revoke and expiry take them away, now or later.
 *
 * Context: Process context. May sleep.
 */
void phi_mapping_cut(struct phi_region *region, struct phi_cap *cap)
{
	struct rb_node *node;
	LIST_HEAD(dead);

	/*
	 * The end of @cap before @mapped. Pairs with phi_mapping_join(): that
	 * one sees the end, or is seen here.
	 */
	smp_mb();
	if (!READ_ONCE(cap->mapped))
		return;
	down_write(&region->lock);
	while ((node = rb_find(cap, &region->mappings, phi_mapping_cmp_cap))) {
		struct phi_mapping *mapping =
			rb_entry(node, struct phi_mapping, by_cap);

		phi_mapping_kill(mapping, &dead);
		cond_resched();
	}
	if (phi_mapping_pins(cap))
		phi_pins_orphan(region, cap);
	phi_mapping_zap(region, &dead);
	phi_mapping_bury(region, &dead);
}

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

/* Flags that mprotect() must not give the area later on. */
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

/* A mapping in no list yet. The cspace's user pays. */
static struct phi_mapping *phi_mapping_new(struct phi_cspace *cs,
					   const struct phi_cap *cap)
{
	struct phi_region *region = to_region(cap->obj);
	struct phi_mapping *mapping;
	int ret = phi_quota_charge(cs->user, PHI_QUOTA_CAPS, 1);

	if (ret)
		return ERR_PTR(ret);
	mapping = kzalloc(sizeof(*mapping), GFP_KERNEL_ACCOUNT);
	if (!mapping) {
		phi_quota_uncharge(cs->user, PHI_QUOTA_CAPS, 1);
		return ERR_PTR(-ENOMEM);
	}
	mapping->user = cs->user;
	phi_user_hold(cs->user);
	mapping->mm = current->mm;
	mapping->pin = phi_mapping_pins(cap);
	mapping->region = region;
	mapping->first = cap->first;
	mapping->nr = phi_region_pages(cap);
	kref_get(&region->ref);
	RB_CLEAR_NODE(&mapping->by_cap);
	INIT_LIST_HEAD(&mapping->sharing);
	refcount_set(&mapping->ref, 1);
	return mapping;
}

/*
 * The offsets of a new mapping: the next ones that no one had yet, where huge
 * pages fit. When they have all been used, some day, it starts over; at worst
 * a sweep then takes pages from a mapping alive too, which faults them back.
 */
static pgoff_t phi_mapping_window(const struct phi_mapping *mapping)
{
	struct phi_region *region = mapping->region;
	unsigned long span = ALIGN(mapping->nr, HPAGE_PMD_NR);
	pgoff_t base = region->window;

	lockdep_assert_held_write(&region->lock);
	region->window += span;
	if (region->window > PHI_PGOFF_MAX - span)
		region->window = 0;
	return base;
}

static bool phi_mapping_before(struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct phi_mapping, by_cap)->cap <
	       rb_entry(b, struct phi_mapping, by_cap)->cap;
}

/* Put it where phi_mapping_cut() looks. */
static void phi_mapping_link(struct phi_mapping *mapping, struct phi_cap *cap)
{
	struct phi_region *region = mapping->region;

	lockdep_assert_held_write(&region->lock);
	phi_cap_get(cap);
	mapping->cap = cap;
	mapping->base = phi_mapping_window(mapping);
	region->mapped++;
	rb_add(&mapping->by_cap, &region->mappings, phi_mapping_before);
}

/*
 * Link it, unless the capability left its slot or died since @cap was found.
 * A later drop, revoke or expiry finds the mapping in its list; an earlier one
 * is seen here. Nothing is put under the lock.
 */
static int phi_mapping_join(struct phi_mapping *mapping, struct phi_cspace *cs,
			    u64 handle, struct phi_cap *cap)
{
	struct phi_region *region = mapping->region;
	int ret;

	down_write(&region->lock);
	WRITE_ONCE(cap->mapped, true);
	/* Before the look at the capability; see phi_mapping_cut(). */
	smp_mb();
	ret = phi_cspace_holds(cs, handle, cap) ? phi_cap_live(cap) : -EBADF;
	if (!ret)
		phi_mapping_link(mapping, cap);
	else
		mapping->dead = true;
	up_write(&region->lock);
	if (ret)
		phi_mapping_put(mapping);
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
	int ret;

	/* Keeps the region whatever becomes of the mapping meanwhile. */
	struct phi_cap *cap __free(phi_cap_put) =
		phi_cspace_lookup(cs, handle, PHI_TYPES(MEMORY),
				  phi_mapping_rights(vma->vm_flags));
	if (IS_ERR(cap))
		return PTR_ERR(cap);
	region = to_region(cap->obj);
	if (vma_pages(vma) > phi_region_pages(cap))
		return -EINVAL;

	mapping = phi_mapping_new(cs, cap);
	if (IS_ERR(mapping))
		return PTR_ERR(mapping);
	ret = phi_mapping_join(mapping, cs, handle, cap);
	if (ret)
		return ret;

	vm_flags_mod(vma,
		     (mapping->pin ? VM_MIXEDMAP : VM_PFNMAP) | VM_DONTEXPAND |
			     VM_DONTDUMP | VM_DONTCOPY,
		     phi_mapping_never(cap->rights));
	vma->vm_pgoff = mapping->base;
	vma->vm_ops = region->flags & PHI_REGION_DMA ? &phi_mapping_dma_vm_ops :
						       &phi_mapping_vm_ops;
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
 * -EDQUOT, -ENOMEM, the error of phi_cspace_lookup(), or the errno of a policy.
 */
int phi_region_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct phi_cspace *cs = file->private_data;
	struct phi_hook_call call;
	struct phi_draft draft;
	u64 handle;
	int ret;

	if (phi_cspace_allowed(cs))
		return phi_decide_foreign(PHI_NR_REGION_MAP);
	if (!(vma->vm_flags & VM_MAYSHARE) || vma->vm_pgoff >> PHI_OFFSET_BITS)
		return -EINVAL;
	handle = phi_mapping_handle(cs, vma->vm_pgoff);
	phi_draft_begin(&draft);
	ret = phi_hook_enter(&call, cs, PHI_NR_REGION_MAP, handle, NULL);
	if (!ret)
		ret = phi_mapping_map(cs, handle, vma);
	if (ret < 0)
		phi_decide(&call, &draft, ret);
	phi_draft_end(&draft);
	phi_hook_leave(&call, ret);
	return ret;
}

/**
 * phi_region_area() - choose an address for mmap() of /dev/phi
 * @file: The file.
 * @addr: Address that the caller would like, 0 = any.
 * @len: Length.
 * @pgoff: The offset; it names a handle, not a place in the memory.
 * @flags: MAP_*.
 *
 * Huge pages can be mapped where address and offset into the region have the
 * same remainder, so ask for that.
 *
 * Context: Process context, mmap_lock held exclusively.
 * Return: The address; -EPERM when the cspace is another process's, or another
 * negative errno.
 */
unsigned long phi_region_area(struct file *file, unsigned long addr,
			      unsigned long len, unsigned long pgoff,
			      unsigned long flags)
{
	struct phi_cspace *cs = file->private_data;
	pgoff_t first = 0;

	if (phi_cspace_allowed(cs))
		return phi_decide_foreign(PHI_NR_REGION_MAP);

	/* mmap() looks the handle up again; it may name another by then. */
	struct phi_cap *cap __free(phi_cap_put) = phi_cspace_lookup(
		cs, phi_mapping_handle(cs, pgoff), PHI_TYPES(MEMORY), 0);
	if (!IS_ERR(cap))
		first = cap->first;
	return thp_get_unmapped_area(file, addr, len, first, flags);
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
