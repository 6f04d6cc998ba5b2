// SPDX-License-Identifier: GPL-2.0-only

#include <linux/anon_inodes.h>
#include <linux/cleanup.h>
#include <linux/file.h>
#include <linux/gfp.h>
#include <linux/highmem.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "decision.h"
#include "dispatch.h"
#include "quota.h"
#include "region.h"

#define PHI_REGION_RIGHTS                                                    \
	(PHI_RIGHT_READ | PHI_RIGHT_WRITE | PHI_RIGHT_EXEC | PHI_RIGHT_MAP | \
	 PHI_RIGHT_ADMIN | PHI_RIGHT_GRANT)

/* Pages of the caller's account; failing is better than killing someone. */
#define PHI_REGION_GFP (GFP_KERNEL_ACCOUNT | __GFP_NOWARN | __GFP_RETRY_MAYFAIL)

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
	struct phi_region *region = container_of(ref, struct phi_region, ref);

	if (!IS_ERR_OR_NULL(region->file))
		fput(region->file);
	phi_user_put(region->user);
	kfree(region);
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

/**
 * phi_region_uncharge() - give pages back to the account that pays for them
 * @region: The region.
 * @nr: How many of its pages are gone.
 *
 * Context: Any. The caller keeps others from changing @region's charge.
 */
void phi_region_uncharge(struct phi_region *region, unsigned long nr)
{
	region->charged -= nr;
	phi_quota_uncharge(region->user, PHI_QUOTA_PAGES, nr);
}

/**
 * phi_region_alloc() - allocate one page for a region
 * @zero: __GFP_ZERO, or 0 when the caller is going to write all of it.
 *
 * Context: Process context. May sleep.
 * Return: The page, or NULL.
 */
struct page *phi_region_alloc(gfp_t zero)
{
	return alloc_page(PHI_REGION_GFP | zero);
}

/* A half-made region has holes. Pages that another region has too stay. */
static void phi_region_free_pages(struct phi_region *region)
{
	unsigned long i;

	if (!region->pages)
		return;
	if (region->adopted)
		phi_adopted_free(region);
	for (i = 0; i < region->nr; i++) {
		if (region->pages[i] && !(region->flags & PHI_REGION_ADOPTED))
			phi_share_put(region->pages[i]);
		cond_resched();
	}
	kvfree(region->pages);
	region->pages = NULL;
}

/* Also undoes half of phi_region_new(). No mapping is alive. */
static void phi_region_free(struct phi_object *obj)
{
	struct phi_region *region = to_region(obj);

	phi_pins_stop(region);
	phi_pins_inherit(region);
	phi_region_free_pages(region);
	down_write(&region->lock);
	phi_region_uncharge(region, region->charged - region->pinned);
	up_write(&region->lock);
	phi_object_fini(obj);
	phi_region_unref(region);
}

static void phi_region_removed(struct phi_object *obj, struct phi_cap *cap)
{
	phi_word_cut(to_region(obj), cap, -EBADF);
	phi_mapping_cut(to_region(obj), cap);
}

static void phi_region_dead(struct phi_object *obj, struct phi_cap *cap)
{
	phi_word_cut(to_region(obj), cap, phi_cap_live(cap) ?: -EKEYREVOKED);
	phi_mapping_cut(to_region(obj), cap);
}

static int phi_region_reclaim(struct phi_object *obj, bool wait)
{
	struct phi_region *region = to_region(obj);

	/* Pins of what died, or was dropped before. */
	if (READ_ONCE(region->orphans))
		phi_pins_detach(region);
	if (xchg(&region->lost, false))
		return -ENOMEM;
	return wait ? phi_pins_wait(region) : 0;
}

static const struct phi_object_ops phi_region_ops = {
	.type = PHI_TYPE_MEMORY,
	.free = phi_region_free,
	.removed = phi_region_removed,
	.dead = phi_region_dead,
	.reclaim = phi_region_reclaim,
};

/*
 * A huge page is split, for its parts are shared, pinned and given back one by
 * one. Return: pages put at @i, 0 when there is no huge page.
 */
static unsigned long phi_region_fill_huge(struct phi_region *region,
					  unsigned long i)
{
	struct page *page;
	unsigned long k;

	page = alloc_pages(PHI_REGION_GFP_HUGE, HPAGE_PMD_ORDER);
	if (!page)
		return 0;
	split_page(page, HPAGE_PMD_ORDER);
	for (k = 0; k < HPAGE_PMD_NR; k++) {
		/* Nobody cleared it but in the first one. */
		set_page_private(page + k, 0);
		region->pages[i + k] = page + k;
	}
	return HPAGE_PMD_NR;
}

static int phi_region_fill(struct phi_region *region, const void *from)
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
		region->pages[i] = phi_region_alloc(__GFP_ZERO);
		if (!region->pages[i])
			return -ENOMEM;
		i++;
	}
	return 0;
}

/* The part of phi_region_new() that the object can undo. */
static int phi_region_setup(struct phi_region *region,
			    int (*fill)(struct phi_region *region,
					const void *from),
			    const void *from)
{
	int ret;

	ret = phi_quota_charge(region->user, PHI_QUOTA_PAGES, region->nr);
	if (ret)
		return ret;
	region->charged = region->nr;

	/* More than an int's worth of bytes, a region of 1 TiB, is ENOMEM. */
	region->pages = kvcalloc(region->nr, sizeof(*region->pages),
				 GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!region->pages)
		return -ENOMEM;
	ret = fill(region, from);
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

/**
 * phi_region_new() - make a region
 * @user: The account to charge.
 * @flags: PHI_REGION_*.
 * @nr: Its length in pages, not 0.
 * @fill: Puts all pages into the array. When it fails, the pages that it put
 *        there are freed as those of a whole region.
 * @from: Argument of @fill.
 *
 * Context: Process context. May sleep.
 * Return: The region, whose object the caller puts, or ERR_PTR() of -EDQUOT,
 * -ENOMEM, or what @fill returned.
 */
struct phi_region *
phi_region_new(struct phi_user *user, u32 flags, unsigned long nr,
	       int (*fill)(struct phi_region *region, const void *from),
	       const void *from)
{
	struct phi_region *region =
		kzalloc(sizeof(*region), GFP_KERNEL_ACCOUNT);
	int ret;

	if (!region)
		return ERR_PTR(-ENOMEM);
	kref_init(&region->ref);
	region->flags = flags;
	region->nr = nr;
	phi_user_hold(user);
	region->user = user;
	init_rwsem(&region->lock);
	region->mappings = RB_ROOT;
	INIT_LIST_HEAD(&region->sharers);
	spin_lock_init(&region->words_lock);
	region->words = RB_ROOT;
	INIT_LIST_HEAD(&region->word_waiters);
	phi_pins_start(region);
	ret = phi_object_init(&region->obj, &phi_region_ops, user);
	if (ret) {
		phi_region_unref(region);
		return ERR_PTR(ret);
	}
	ret = phi_region_setup(region, fill, from);
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
	u32 rights = PHI_REGION_RIGHTS;

	if (cmd->flags & ~PHI_REGION_DMA)
		return -EOPNOTSUPP;
	if (!cmd->bytes || !PAGE_ALIGNED(cmd->bytes))
		return -EINVAL;

	struct phi_region *region __free(phi_region_put) =
		phi_region_new(cs->user, cmd->flags, cmd->bytes >> PAGE_SHIFT,
			       phi_region_fill, NULL);
	if (IS_ERR(region))
		return PTR_ERR(region);
	if (region->flags & PHI_REGION_DMA)
		rights |= PHI_RIGHT_PIN;
	return phi_cspace_install_new(cs, &region->obj, rights, 0, &cmd->cap);
}

/**
 * phi_region_snapshot() - ioctl(PHI_IOC_REGION_SNAPSHOT)
 * @cs: The caller's cspace; its user pays.
 * @arg: struct phi_region_snapshot.
 *
 * Context: Process context. May sleep.
 * Return: 0; -EOPNOTSUPP for a flag or a region of another class, -ELOOP when too many
 * snapshots were made of each other, -EDQUOT or -ENOMEM, or the error of
 * phi_cspace_lookup(), phi_share_pages() or phi_cspace_install_new().
 */
int phi_region_snapshot(struct phi_cspace *cs, void *arg)
{
	struct phi_region_snapshot *cmd = arg;
	struct phi_region *of;

	if (cmd->flags)
		return -EOPNOTSUPP;

	struct phi_cap *cap __free(phi_cap_put) =
		phi_cspace_lookup(cs, cmd->cap, PHI_TYPES(MEMORY),
				  PHI_RIGHT_READ | PHI_RIGHT_ADMIN);
	if (IS_ERR(cap))
		return PTR_ERR(cap);
	of = to_region(cap->obj);
	if (of->flags & (PHI_REGION_DMA | PHI_REGION_ADOPTED))
		return -EOPNOTSUPP;
	if (of->depth >= PHI_SNAPSHOT_DEPTH_MAX)
		return -ELOOP;

	struct phi_region *region __free(phi_region_put) = phi_region_new(
		cs->user, of->flags, phi_region_pages(cap), phi_share_pages,
		&(struct phi_sharing){
			.cs = cs, .handle = cmd->cap, .cap = cap });
	if (IS_ERR(region))
		return PTR_ERR(region);
	return phi_cspace_install_new(cs, &region->obj, PHI_REGION_RIGHTS, 0,
				      &cmd->out);
}

/**
 * phi_region_info() - ioctl(PHI_IOC_REGION_INFO)
 * @cs: The caller's cspace.
 * @arg: struct phi_region_info.
 *
 * Context: Process context. May sleep.
 * Return: 0; -EOPNOTSUPP for a flag, or the error of phi_cspace_lookup().
 */
int phi_region_info(struct phi_cspace *cs, void *arg)
{
	struct phi_region_info *cmd = arg;
	struct phi_region *region;

	if (cmd->flags)
		return -EOPNOTSUPP;

	struct phi_cap *cap __free(phi_cap_put) =
		phi_cspace_lookup(cs, cmd->cap, PHI_TYPES(MEMORY), 0);
	if (IS_ERR(cap))
		return PTR_ERR(cap);

	region = to_region(cap->obj);
	cmd->bytes = (u64)phi_region_pages(cap) << PAGE_SHIFT;
	cmd->offset = phi_mapping_offset(cmd->cap);
	cmd->region_flags = region->flags;
	cmd->rights = cap->rights;
	guard(rwsem_read)(&region->lock);
	cmd->mappings = region->mapped;
	cmd->pinned = min_t(unsigned long, region->pinned, U32_MAX);
	return 0;
}

/*
 * Copy to or from pages that lie one after the other in a region. A shared one
 * that is written takes a page of @spare. Return: -EAGAIN when there is none.
 */
static int phi_region_copy(struct phi_region *region, u64 at, void *bytes,
			   u32 len, bool write, struct page **spare)
{
	while (len) {
		unsigned long i = at >> PAGE_SHIFT;
		u32 offset = offset_in_page(at);
		u32 n = min_t(u32, len, PAGE_SIZE - offset);

		if (!region->pages[i])
			return -ENOMEM;
		if (write && phi_page_shared(region, region->pages[i])) {
			if (!spare)
				return -EAGAIN;
			phi_share_copy(region, i, *spare);
			*spare++ = NULL;
		}
		if (write)
			memcpy_to_page(region->pages[i], offset, bytes, n);
		else
			memcpy_from_page(bytes, region->pages[i], offset, n);
		at += n;
		bytes += n;
		len -= n;
	}
	return 0;
}

/* As below, under the region's lock. */
static int phi_region_touch(struct phi_cap *cap, u64 offset, void *bytes,
			    u32 len, bool write, struct page **spare)
{
	u64 at = ((u64)cap->first << PAGE_SHIFT) + offset;
	int ret;

	/* The end of @cap waits for the lock, as it does for a mapping. */
	WRITE_ONCE(cap->mapped, true);
	/* Before the check; pairs with phi_mapping_cut(). */
	smp_mb();
	ret = phi_cap_live(cap);
	return ret   ?:
		       phi_region_copy(to_region(cap->obj), at, bytes, len,
				       write, spare);
}

/* Write bytes of which some pages are shared with a snapshot. */
static int phi_region_unshare(struct phi_cap *cap, u64 offset, void *bytes,
			      u32 len)
{
	/* So few bytes that they are in two pages at most. */
	struct page *spare[2] = { phi_region_alloc(0), phi_region_alloc(0) };
	int ret = -ENOMEM;

	if (spare[0] && spare[1]) {
		guard(rwsem_write)(&to_region(cap->obj)->lock);
		ret = phi_region_touch(cap, offset, bytes, len, true, spare);
	}
	for (int i = 0; i < 2; i++) {
		if (spare[i])
			__free_page(spare[i]);
	}
	return ret;
}

/**
 * phi_region_access() - read or write bytes of a region
 * @cap: A MEMORY capability, pinned; the caller has checked its rights.
 * @offset: Of the first byte in what @cap gives access to.
 * @bytes: Where they go or come from.
 * @len: How many, PHI_INVOKE_MAX at most.
 * @write: Whether to write.
 *
 * Context: Process context. May sleep.
 * Return: 0; -EINVAL when some are outside, -ENOMEM where the region lost a
 * page or a copy would need one, or what @cap has died of.
 */
int phi_region_access(struct phi_cap *cap, u64 offset, void *bytes, u32 len,
		      bool write)
{
	u64 end = (u64)phi_region_pages(cap) << PAGE_SHIFT;
	int ret;

	if (offset > end || len > end - offset)
		return -EINVAL;
	scoped_guard(rwsem_read, &to_region(cap->obj)->lock)
		ret = phi_region_touch(cap, offset, bytes, len, write, NULL);
	return ret == -EAGAIN ? phi_region_unshare(cap, offset, bytes, len) :
				ret;
}

/* Are there @nr pages at @first in what a capability gives access to? */
static bool phi_region_covers(const struct phi_cap *cap, u64 first, u64 nr)
{
	/* Bytes were shifted: the sum of two such does not overflow. */
	return nr && first + nr <= phi_region_pages(cap);
}

/**
 * phi_region_slice() - ioctl(PHI_IOC_REGION_SLICE)
 * @cs: The caller's cspace.
 * @arg: struct phi_region_slice.
 *
 * Context: Process context. May sleep.
 * Return: 0; -EOPNOTSUPP for a flag, -EINVAL for a slice that is not inside,
 * or the error of phi_cspace_lookup(), phi_cap_child() or phi_cspace_give().
 */
int phi_region_slice(struct phi_cspace *cs, void *arg)
{
	struct phi_region_slice *cmd = arg;
	u64 first = cmd->offset >> PAGE_SHIFT;
	u64 nr = cmd->bytes >> PAGE_SHIFT;
	struct phi_cap *child;

	if (cmd->flags)
		return -EOPNOTSUPP;
	if (cmd->pad || !PAGE_ALIGNED(cmd->offset | cmd->bytes))
		return -EINVAL;

	struct phi_cap *parent __free(phi_cap_put) =
		phi_cspace_lookup(cs, cmd->cap, PHI_TYPES(MEMORY), 0);
	if (IS_ERR(parent)) {
		phi_refuse_more(cmd->rights);
		return PTR_ERR(parent);
	}
	if (!phi_region_covers(parent, first, nr))
		return -EINVAL;
	child = phi_cap_child(parent, parent->obj, cmd->rights, parent->badge,
			      cmd->expires_ns, cs->user);
	if (!IS_ERR(child)) {
		child->first = parent->first + first;
		child->pages = nr;
	}
	return phi_cspace_give(cs, child, &cmd->out);
}
