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
	struct page *page;

	if (i >= mapping->nr)
		return VM_FAULT_SIGBUS;
	page = region->pages[mapping->first + i];
	if (!page)
		return VM_FAULT_SIGBUS;
	if (mapping->pin)
		return vmf_insert_page(vma, addr, page);
	return vmf_insert_pfn(vma, addr, page_to_pfn(page));
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
	if (i + HPAGE_PMD_NR > mapping->nr ||
	    !IS_ALIGNED(mapping->first + i, HPAGE_PMD_NR))
		return VM_FAULT_FALLBACK;

	guard(rwsem_read)(&mapping->region->lock);
	if (!phi_mapping_alive(mapping))
		return VM_FAULT_SIGBUS;
	page = mapping->region->pages[mapping->first + i];
	if (!page || compound_order(page) != HPAGE_PMD_ORDER)
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

/* No ->access: a debugger reaches what get_user_pages() reaches, no more. */
const struct vm_operations_struct phi_mapping_vm_ops = {
	.open = phi_mapping_open,
	.close = phi_mapping_close,
	.fault = phi_mapping_fault,
	.huge_fault = phi_mapping_huge_fault,
	.map_pages = phi_mapping_map_pages,
};
