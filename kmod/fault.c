// SPDX-License-Identifier: GPL-2.0-only

#include <linux/cleanup.h>
#include <linux/mm.h>
#include <linux/pagemap.h>

#include "cap.h"
#include "compat.h"
#include "region.h"

/* Pages put into the page table at one fault, aligned to as many. */
#define PHI_FAULT_AROUND 16UL

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

/**
 * phi_mapping_alive() - may pages go into a mapping's page tables?
 * @mapping: The mapping; its region's lock is held.
 *
 * Context: Any.
 * Return: False when it is dead, or will be because its capability is.
 */
bool phi_mapping_alive(const struct phi_mapping *mapping)
{
	lockdep_assert_held(&mapping->region->lock);
	return !mapping->dead && !phi_cap_live(mapping->cap);
}

/**
 * phi_mapping_insert() - put a page into the page table
 * @vma: The area, which has a mapping, alive; its region's lock is held.
 * @addr: Of the page.
 * @shared: Put it there read-only; the mapping is a sharer.
 *
 * An entry that is there already stays.
 *
 * Context: At a fault. May sleep.
 * Return: VM_FAULT_NOPAGE or another VM_FAULT_*.
 */
vm_fault_t phi_mapping_insert(struct vm_area_struct *vma, unsigned long addr,
			      bool shared)
{
	const struct phi_mapping *mapping = vma->vm_private_data;
	const struct phi_region *region = mapping->region;
	pgoff_t i = linear_page_index(vma, addr) - mapping->base;
	vm_flags_t flags = vma->vm_flags;
	struct page *page;

	if (i >= mapping->nr)
		return VM_FAULT_SIGBUS;
	page = region->pages[mapping->first + i];
	if (!page)
		return VM_FAULT_SIGBUS;
	if (mapping->pin)
		return vmf_insert_page(vma, addr, page);
	if (shared)
		flags &= ~VM_WRITE;
	/* The area's own protection lacks write access; see pfn_mkwrite(). */
	return vmf_insert_pfn_prot(vma, addr, page_to_pfn(page),
				   vm_get_page_prot(flags));
}

/*
 * Put a page in place unless that takes more than the lock held shared. Return:
 * as phi_mapping_insert(), and 0 for a shared page that is to be written, or is
 * new to the mapping.
 */
static vm_fault_t phi_mapping_try(struct vm_area_struct *vma,
				  unsigned long addr, bool write)
{
	const struct phi_mapping *mapping = vma->vm_private_data;
	const struct phi_region *region = mapping->region;
	pgoff_t i = linear_page_index(vma, addr) - mapping->base;
	struct page *page =
		i < mapping->nr ? region->pages[mapping->first + i] : NULL;
	bool shared = page && phi_page_shared(region, page);

	if (shared && (write || list_empty(&mapping->sharing)))
		return 0;
	return phi_mapping_insert(vma, addr, shared);
}

/*
 * Put the page of a fault in place and, as a bonus, its neighbours; whatever
 * fails there is left out. Return: as phi_mapping_try().
 */
static vm_fault_t phi_mapping_insert_around(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	unsigned long around = PHI_FAULT_AROUND * PAGE_SIZE;
	unsigned long addr = vmf->address & PAGE_MASK;
	unsigned long at = ALIGN_DOWN(addr, around);
	unsigned long end = min(at + around, vma->vm_end);
	vm_fault_t ret;

	ret = phi_mapping_try(vma, addr, vmf->flags & FAULT_FLAG_WRITE);
	if (ret != VM_FAULT_NOPAGE)
		return ret;
	for (at = max(at, vma->vm_start); at < end; at += PAGE_SIZE) {
		if (phi_mapping_try(vma, at, false) & ~VM_FAULT_NOPAGE)
			break;
	}
	return VM_FAULT_NOPAGE;
}

/*
 * Nobody can hold the lock for long, so this waits for it with whatever lock
 * the kernel has taken around a fault: a sweep never takes that one.
 */
static vm_fault_t phi_mapping_fault(struct vm_fault *vmf)
{
	struct phi_mapping *mapping = vmf->vma->vm_private_data;
	vm_fault_t ret = VM_FAULT_SIGBUS;

	if (!mapping)
		return VM_FAULT_SIGBUS;
	down_read(&mapping->region->lock);
	if (phi_mapping_alive(mapping))
		ret = phi_mapping_insert_around(vmf);
	up_read(&mapping->region->lock);
	return ret ?: phi_share_fault(vmf);
}

/*
 * A write to a page that is in place read-only: it was shared, or the area was
 * not writable until mprotect(). The kernel would make that entry writable
 * without the region's lock, so it is replaced here.
 */
static vm_fault_t phi_mapping_mkwrite(struct vm_fault *vmf)
{
	if (!vmf->vma->vm_private_data)
		return VM_FAULT_SIGBUS;
	return phi_share_fault(vmf);
}

/* Are the pages from @i on one huge page, and is any of them shared? */
static bool phi_region_huge(const struct phi_region *region, pgoff_t i,
			    bool *shared)
{
	struct page *page = region->pages[i];

	*shared = false;
	if (!page || !IS_ALIGNED(page_to_pfn(page), HPAGE_PMD_NR))
		return false;
	for (unsigned long k = 0; k < HPAGE_PMD_NR; k++) {
		if (region->pages[i + k] != page + k)
			return false;
		*shared = *shared || phi_page_shared(region, page + k);
	}
	return true;
}

/*
 * With the lock held exclusively, nobody else puts an entry there: all do it
 * under the lock.
 */
static vm_fault_t phi_mapping_insert_huge(struct vm_fault *vmf, pgoff_t i)
{
	struct phi_mapping *mapping = vmf->vma->vm_private_data;
	bool write = vmf->vma->vm_flags & VM_WRITE;
	pmd_t pmd = pmdp_get_lockless(vmf->pmd);
	bool shared;

	lockdep_assert_held_write(&mapping->region->lock);
	if (!pmd_none(pmd) && !pmd_leaf(pmd))
		return VM_FAULT_FALLBACK;
	if (!phi_region_huge(mapping->region, i, &shared))
		return VM_FAULT_FALLBACK;
	if (shared &&
	    (vmf->flags & FAULT_FLAG_WRITE || !phi_share_join(mapping)))
		return VM_FAULT_FALLBACK;
	return phi_insert_huge(vmf, page_to_pfn(mapping->region->pages[i]),
			       write && !shared);
}

/* A huge page that is in place and not to be written as one is split then. */
static vm_fault_t phi_mapping_huge_fault(struct vm_fault *vmf,
					 unsigned int order)
{
	struct vm_area_struct *vma = vmf->vma;
	struct phi_mapping *mapping = vma->vm_private_data;
	unsigned long addr = vmf->address & PMD_MASK;
	pgoff_t i;

	if (!mapping)
		return VM_FAULT_SIGBUS;
	if (order != HPAGE_PMD_ORDER || addr < vma->vm_start ||
	    addr + PMD_SIZE > vma->vm_end)
		return VM_FAULT_FALLBACK;
	i = linear_page_index(vma, addr) - mapping->base;
	if (i + HPAGE_PMD_NR > mapping->nr ||
	    !IS_ALIGNED(mapping->first + i, HPAGE_PMD_NR))
		return VM_FAULT_FALLBACK;

	guard(rwsem_write)(&mapping->region->lock);
	if (!phi_mapping_alive(mapping))
		return VM_FAULT_SIGBUS;
	return phi_mapping_insert_huge(vmf, mapping->first + i);
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

/* No ->access: a debugger reaches what get_user_pages() reaches, no more. */
const struct vm_operations_struct phi_mapping_vm_ops = {
	.open = phi_mapping_open,
	.close = phi_mapping_close,
	.fault = phi_mapping_fault,
	.huge_fault = phi_mapping_huge_fault,
	.map_pages = phi_mapping_map_pages,
	.pfn_mkwrite = phi_mapping_mkwrite,
};

/* A DMA region has no shared pages, and pins take its pages one by one. */
const struct vm_operations_struct phi_mapping_dma_vm_ops = {
	.open = phi_mapping_open,
	.close = phi_mapping_close,
	.fault = phi_mapping_fault,
	.map_pages = phi_mapping_map_pages,
};
