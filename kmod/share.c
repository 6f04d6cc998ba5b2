// SPDX-License-Identifier: GPL-2.0-only
/* Pages that a region and its snapshots share until one of them is written. */

#include <linux/cleanup.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/pagemap.h>

#include "cap.h"
#include "cspace.h"
#include "region.h"

/**
 * phi_share_pages() - let a new region have the pages of another
 * @to: The new region, which nobody else knows; its array is empty.
 * @of: struct phi_sharing.
 *
 * Mappings of the other region fault their pages back, read-only.
 *
 * Context: Process context. May sleep.
 * Return: 0; -EBADF when the handle is gone, or what its capability died of.
 */
int phi_share_pages(struct phi_region *to, const void *of)
{
	const struct phi_sharing *sharing = of;
	const struct phi_cap *cap = sharing->cap;
	struct phi_region *from = to_region(cap->obj);
	int ret;

	guard(rwsem_write)(&from->lock);
	unmap_mapping_pages(from->file->f_mapping, 0, 0, true);
	/*
	 * A write after the end of @cap waits for the lock, or came before
	 * the zap, and the end is seen here.
	 */
	ret = phi_cspace_holds(sharing->cs, sharing->handle, cap) ?
		      phi_cap_live(cap) :
		      -EBADF;
	if (ret)
		return ret;
	from->shared = true;
	to->shared = true;
	to->depth = from->depth + 1;
	for (unsigned long i = 0; i < to->nr; i++) {
		struct page *page = from->pages[cap->first + i];

		get_page(page);
		atomic_long_inc(phi_page_sharers(page));
		to->pages[i] = page;
		cond_resched();
	}
	return 0;
}

/**
 * phi_share_put() - a region gives up a page that others may have
 * @page: The page, which the region has neither mapped nor in its array.
 *
 * Context: Process context.
 */
void phi_share_put(struct page *page)
{
	/* 0 stays: this was the last one. */
	atomic_long_dec_if_positive(phi_page_sharers(page));
	__free_page(page);
}

/**
 * phi_share_join() - let a mapping have shared pages in place
 * @mapping: The mapping, alive; its region's lock is held exclusively.
 *
 * Context: Process context.
 * Return: False when as many mappings have some already.
 */
bool phi_share_join(struct phi_mapping *mapping)
{
	struct phi_region *region = mapping->region;

	lockdep_assert_held_write(&region->lock);
	if (!list_empty(&mapping->sharing))
		return true;
	if (region->nsharers >= PHI_SHARERS_MAX)
		return false;
	region->nsharers++;
	list_add_tail(&mapping->sharing, &region->sharers);
	return true;
}

/**
 * phi_share_leave() - a mapping ends
 * @mapping: The mapping; its region's lock is held exclusively until its pages
 *           are gone.
 *
 * Context: Process context.
 */
void phi_share_leave(struct phi_mapping *mapping)
{
	lockdep_assert_held_write(&mapping->region->lock);
	if (list_empty(&mapping->sharing))
		return;
	list_del_init(&mapping->sharing);
	mapping->region->nsharers--;
}

static void phi_share_zap(const struct phi_mapping *mapping, unsigned long i)
{
	if (i - mapping->first < mapping->nr)
		unmap_mapping_pages(mapping->region->file->f_mapping,
				    mapping->base + i - mapping->first, 1,
				    true);
}

/**
 * phi_share_copy() - give a region its own page in the place of a shared one
 * @region: The region; its lock is held exclusively.
 * @i: Number of the page.
 * @copy: The new page, whatever is in it.
 *
 * Context: Process context.
 */
void phi_share_copy(struct phi_region *region, unsigned long i,
		    struct page *copy)
{
	struct page *old = region->pages[i];
	struct phi_mapping *mapping;

	lockdep_assert_held_write(&region->lock);
	copy_highpage(copy, old);
	list_for_each_entry(mapping, &region->sharers, sharing)
		phi_share_zap(mapping, i);
	region->pages[i] = copy;
	/* After the copy and the zap: another region may write it from now. */
	phi_share_put(old);
}

/*
 * Put a page in place as the fault asks for, with what is in @spare for a copy.
 * Return: 0 when it takes a page and there is none.
 */
static vm_fault_t phi_share_settle(struct vm_fault *vmf, struct page **spare)
{
	struct phi_mapping *mapping = vmf->vma->vm_private_data;
	struct phi_region *region = mapping->region;
	unsigned long i = vmf->pgoff - mapping->base;
	bool write = vmf->flags & FAULT_FLAG_WRITE;
	bool shared;

	guard(rwsem_write)(&region->lock);
	if (!phi_mapping_alive(mapping) || i >= mapping->nr)
		return VM_FAULT_SIGBUS;
	i += mapping->first;
	shared = phi_page_shared(region, region->pages[i]);
	if (shared && (write || !phi_share_join(mapping))) {
		if (!*spare)
			return 0;
		phi_share_copy(region, i, *spare);
		*spare = NULL;
		shared = false;
	} else if (write) {
		/* It is in place, but read-only. */
		phi_share_zap(mapping, i);
	}
	return phi_mapping_insert(vmf->vma, vmf->address & PAGE_MASK, shared);
}

/**
 * phi_share_fault() - a fault that a page in place does not end
 * @vmf: The fault: it writes a page that is shared or was, or it reads a shared
 *       one through a mapping that has none.
 *
 * The faulting process's memory cgroup pays for the copy.
 *
 * Context: Process context, the area locked. May sleep.
 * Return: VM_FAULT_NOPAGE, or VM_FAULT_SIGBUS when the mapping is dead or there
 * is no memory.
 */
vm_fault_t phi_share_fault(struct vm_fault *vmf)
{
	struct page *spare = NULL;
	vm_fault_t ret = phi_share_settle(vmf, &spare);

	if (ret)
		return ret;
	spare = phi_region_alloc(0);
	if (!spare)
		return VM_FAULT_SIGBUS;
	ret = phi_share_settle(vmf, &spare);
	if (spare)
		__free_page(spare);
	/* The kernel would take 0 for a page to map, or an entry to open. */
	return ret ?: VM_FAULT_NOPAGE;
}
