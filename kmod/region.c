// SPDX-License-Identifier: GPL-2.0-only

#include <linux/anon_inodes.h>
#include <linux/cleanup.h>
#include <linux/file.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "dispatch.h"
#include "quota.h"
#include "region.h"

#define PHI_REGION_RIGHTS                                                    \
	(PHI_RIGHT_READ | PHI_RIGHT_WRITE | PHI_RIGHT_EXEC | PHI_RIGHT_MAP | \
	 PHI_RIGHT_ADMIN | PHI_RIGHT_GRANT)

/* Pages of the caller's account; failing is better than killing someone. */
#define PHI_REGION_GFP \
	(GFP_KERNEL_ACCOUNT | __GFP_ZERO | __GFP_NOWARN | __GFP_RETRY_MAYFAIL)

/* A huge page is worth having but not worth a long search. */
#define PHI_REGION_GFP_HUGE \
	(GFP_KERNEL_ACCOUNT | __GFP_ZERO | __GFP_NOWARN | __GFP_NORETRY)

/*
 * Nothing: the file is there for its inode, and to keep the module loaded.
 * It has no mmap() in particular; the only way in is phi_region_mmap().
 */
static const struct file_operations phi_region_fops = {
	.owner = THIS_MODULE,
};

static void phi_region_release(struct kref *ref)
{
	kfree(container_of(ref, struct phi_region, ref));
}

/**
 * phi_region_unref() - let go of the struct
 * @region: Its pages may be gone already.
 *
 * Context: Process context.
 */
void phi_region_unref(struct phi_region *region)
{
	kref_put(&region->ref, phi_region_release);
}

/*
 * A page that someone else still pins stays theirs: this drops the region's
 * reference, and the last one frees it.
 */
static void phi_region_free_pages(struct phi_region *region)
{
	unsigned int order;
	unsigned long i;

	if (!region->pages)
		return;
	for (i = 0; i < region->nr && region->pages[i]; i += 1UL << order) {
		order = compound_order(region->pages[i]);
		__free_pages(region->pages[i], order);
		cond_resched();
	}
	kvfree(region->pages);
}

/* Also undoes half of phi_region_new(). No mapping is alive. */
static void phi_region_free(struct phi_object *obj)
{
	struct phi_region *region = to_region(obj);

	phi_mapping_stop(region);
	phi_region_free_pages(region);
	if (!IS_ERR_OR_NULL(region->file))
		fput(region->file);
	phi_quota_uncharge(obj->user, PHI_QUOTA_PAGES, region->charged);
	phi_object_fini(obj);
	phi_region_unref(region);
}

static void phi_region_removed(struct phi_object *obj, struct phi_cap *cap)
{
	phi_mapping_sweep(to_region(obj), cap);
}

static void phi_region_revoked(struct phi_object *obj)
{
	phi_mapping_sweep(to_region(obj), NULL);
}

static const struct phi_object_ops phi_region_ops = {
	.type = PHI_TYPE_MEMORY,
	.free = phi_region_free,
	.removed = phi_region_removed,
	.revoked = phi_region_revoked,
};

/*
 * A huge page of a DMA region is split, for its parts are pinned and given
 * back one by one. Return: pages put at @i, 0 when there is no huge page.
 */
static unsigned long phi_region_fill_huge(struct phi_region *region,
					  unsigned long i)
{
	bool dma = region->flags & PHI_REGION_DMA;
	struct page *page;
	unsigned long k;

	page = alloc_pages(PHI_REGION_GFP_HUGE | (dma ? 0 : __GFP_COMP),
			   HPAGE_PMD_ORDER);
	if (!page)
		return 0;
	if (dma)
		split_page(page, HPAGE_PMD_ORDER);
	for (k = 0; k < HPAGE_PMD_NR; k++)
		region->pages[i + k] = page + k;
	return HPAGE_PMD_NR;
}

static int phi_region_fill(struct phi_region *region)
{
	unsigned long i = 0;
	unsigned long got;
	bool huge = true;

	while (i < region->nr) {
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();

		if (huge && IS_ALIGNED(i, HPAGE_PMD_NR) &&
		    region->nr - i >= HPAGE_PMD_NR) {
			got = phi_region_fill_huge(region, i);
			huge = got;
			i += got;
			continue;
		}
		region->pages[i] = alloc_page(PHI_REGION_GFP);
		if (!region->pages[i])
			return -ENOMEM;
		i++;
	}
	return 0;
}

/* What phi_region_new() does once the object can undo it. */
static int phi_region_setup(struct phi_region *region)
{
	int ret;

	ret = phi_quota_charge(region->obj.user, PHI_QUOTA_PAGES, region->nr);
	if (ret)
		return ret;
	region->charged = region->nr;

	/* More than an int's worth of bytes, a region of 1 TiB, is ENOMEM. */
	region->pages = kvcalloc(region->nr, sizeof(*region->pages),
				 GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!region->pages)
		return -ENOMEM;
	ret = phi_region_fill(region);
	if (ret)
		return ret;

	region->file = anon_inode_create_getfile(
		"[phi-region]", &phi_region_fops, NULL, O_RDWR, NULL);
	return PTR_ERR_OR_ZERO(region->file);
}

static void phi_region_put(struct phi_region *region)
{
	if (!IS_ERR_OR_NULL(region))
		phi_object_put(&region->obj);
}

DEFINE_FREE(phi_region_put, struct phi_region *, phi_region_put(_T))

static struct phi_region *phi_region_new(struct phi_user *user, u32 flags,
					 unsigned long nr)
{
	struct phi_region *region =
		kzalloc(sizeof(*region), GFP_KERNEL_ACCOUNT);
	int ret;

	if (!region)
		return ERR_PTR(-ENOMEM);
	kref_init(&region->ref);
	region->flags = flags;
	region->nr = nr;
	phi_mapping_start(region);
	ret = phi_object_init(&region->obj, &phi_region_ops, user);
	if (ret) {
		phi_region_unref(region);
		return ERR_PTR(ret);
	}
	ret = phi_region_setup(region);
	if (ret) {
		phi_region_put(region);
		return ERR_PTR(ret);
	}
	return region;
}

/**
 * phi_region_create() - ioctl(PHI_IOC_REGION_CREATE)
 * @cs: The caller's cspace; its user pays.
 * @arg: struct phi_region_create.
 *
 * Context: Process context. May sleep.
 * Return: 0; -EOPNOTSUPP for an unknown flag, -EINVAL for a bad length,
 * -EDQUOT or -ENOMEM when there is not enough, -EINTR when killed meanwhile,
 * or the error of phi_cspace_install_new().
 */
int phi_region_create(struct phi_cspace *cs, void *arg)
{
	struct phi_region_create *cmd = arg;

	if (cmd->flags & ~PHI_REGION_DMA)
		return -EOPNOTSUPP;
	if (!cmd->bytes || !PAGE_ALIGNED(cmd->bytes))
		return -EINVAL;

	struct phi_region *region __free(phi_region_put) =
		phi_region_new(cs->user, cmd->flags, cmd->bytes >> PAGE_SHIFT);
	if (IS_ERR(region))
		return PTR_ERR(region);
	return phi_cspace_install_new(cs, &region->obj, PHI_REGION_RIGHTS, 0,
				      &cmd->cap);
}

/**
 * phi_region_info() - ioctl(PHI_IOC_REGION_INFO)
 * @cs: The caller's cspace.
 * @arg: struct phi_region_info.
 *
 * Context: Process context. May sleep.
 * Return: 0; -EOPNOTSUPP for a flag, -EINVAL for padding, or the error of
 * phi_cspace_lookup().
 */
int phi_region_info(struct phi_cspace *cs, void *arg)
{
	struct phi_region_info *cmd = arg;
	struct phi_region *region;

	if (cmd->flags)
		return -EOPNOTSUPP;
	if (cmd->pad)
		return -EINVAL;

	struct phi_cap *cap __free(phi_cap_put) =
		phi_cspace_lookup(cs, cmd->cap, PHI_TYPES(MEMORY), 0);
	if (IS_ERR(cap))
		return PTR_ERR(cap);

	region = to_region(cap->obj);
	cmd->bytes = (u64)region->nr << PAGE_SHIFT;
	cmd->offset = phi_mapping_offset(cmd->cap);
	cmd->region_flags = region->flags;
	cmd->rights = cap->rights;
	guard(rwsem_read)(&region->lock);
	cmd->mappings = region->mapped;
	return 0;
}
