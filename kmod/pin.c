// SPDX-License-Identifier: GPL-2.0-only

#include <linux/highmem.h>
#include <linux/jiffies.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/timekeeping.h>

#include "quota.h"
#include "region.h"

/* Detached pages that one run of the work looks at. */
#define PHI_REAP_PAGES 1024UL

/* The longest pause between two looks, with and without a call that waits. */
#define PHI_REAP_WAITED msecs_to_jiffies(10)
#define PHI_REAP_IDLE msecs_to_jiffies(250)

/*
 * Expiry goes by CLOCK_BOOTTIME, the workqueue's timers stand still while the
 * machine sleeps. So none is set further ahead than this: that is how late
 * pinned pages may leave a region after a resume.
 */
#define PHI_ORPHANS_STEP_NS (10 * NSEC_PER_SEC)

/*
 * Does anybody but the region and page tables refer to a page? Called with the
 * lock held exclusively, so that the page gains no entry in a page table; it
 * may lose one meanwhile, hence the count before the mapcount.
 */
static bool phi_page_pinned(struct page *page)
{
	int refs = page_count(page);

	smp_rmb(); /* with the put after the rmap's end in munmap() */
	return refs > 1 + folio_mapcount(page_folio(page));
}

/* Of the pages that those capabilities gave access to which were lost. */
static unsigned long phi_pins_count(const struct phi_region *region)
{
	unsigned long n = 0;

	for (unsigned long i = region->orphans_from; i < region->orphans_to;
	     i++) {
		n += region->pages[i] && phi_page_pinned(region->pages[i]);
		cond_resched();
	}
	return n;
}

/* Keep a page, and its charge, until nobody else refers to it. */
static void phi_pins_keep(struct phi_region *region, unsigned long i)
{
	lockdep_assert_held_write(&region->lock);
	list_add_tail(&region->pages[i]->lru, &region->detached);
	region->pages[i] = NULL;
	if (!region->pinned)
		kref_get(&region->ref);
	/* phi_pins_gone() takes no lock. */
	WRITE_ONCE(region->pinned, region->pinned + 1);
}

static void phi_pins_arm(struct phi_region *region)
{
	lockdep_assert_held_write(&region->lock);
	if (!region->pinned)
		return;
	region->reap_delay = 1;
	mod_delayed_work(phi_region_wq, &region->reap, 1);
}

/* Put a copy in the place of each pinned page. Return: pages without one. */
static unsigned long phi_pins_replace(struct phi_region *region,
				      struct list_head *spare)
{
	unsigned long lost = 0;

	for (unsigned long i = region->orphans_from; i < region->orphans_to;
	     i++) {
		struct page *old = region->pages[i];
		struct page *copy;

		cond_resched();
		if (!old || !phi_page_pinned(old))
			continue;
		phi_pins_keep(region, i);
		copy = list_first_entry_or_null(spare, struct page, lru);
		if (!copy) {
			lost++;
			continue;
		}
		list_del(&copy->lru);
		copy_highpage(copy, old);
		region->pages[i] = copy;
		region->charged++;
		phi_quota_force(region->user, PHI_QUOTA_PAGES, 1);
	}
	return lost;
}

/*
 * Detach with @have pages in @spare, which must do when @final. Return: how
 * many it takes, when those are too few; 0 when it is done.
 */
static unsigned long phi_pins_try(struct phi_region *region,
				  struct list_head *spare, unsigned long have,
				  bool final, unsigned long *lost)
{
	unsigned long n;

	down_write(&region->lock);
	n = phi_pins_count(region);
	if (n) {
		/* From here on only what is pinned already stays pinned. */
		unmap_mapping_pages(region->file->f_mapping, 0, 0, true);
		n = phi_pins_count(region);
	}
	if (n > have && !final) {
		up_write(&region->lock);
		return n;
	}
	if (n)
		*lost = phi_pins_replace(region, spare);
	phi_pins_arm(region);
	WRITE_ONCE(region->orphans, false);
	region->orphans_ns = 0;
	region->orphans_from = 0;
	region->orphans_to = 0;
	up_write(&region->lock);
	return 0;
}

/**
 * phi_pins_detach() - take pinned pages out of a region
 * @region: The region. The mappings of the dead are zapped.
 *
 * A pin does not say through which capability it was made. So every pinned
 * page goes that one of the lost capabilities gave access to, those that live
 * holders pinned too, and its pins stay with the old page. The new one has the
 * bytes that the old one had.
 *
 * Memory is allocated without the lock. Live holders may pin more meanwhile,
 * so this repeats; it ends at the latest with a spare page for each.
 *
 * Where memory is short, pages leave without a copy, and touching them is
 * SIGBUS; @region->lost says so to the next revoke that ends.
 *
 * Context: Process context. May sleep.
 */
void phi_pins_detach(struct phi_region *region)
{
	unsigned long have = 0;
	unsigned long lost = 0;
	unsigned long want;
	bool final = false;
	struct page *page;
	struct page *next;
	LIST_HEAD(spare);

	while ((want = phi_pins_try(region, &spare, have, final, &lost))) {
		for (; have < want && !final; have++) {
			page = phi_region_alloc(0);
			if (page)
				list_add(&page->lru, &spare);
			final = !page || fatal_signal_pending(current);
			cond_resched();
		}
	}
	list_for_each_entry_safe(page, next, &spare, lru)
		__free_page(page);
	if (lost)
		WRITE_ONCE(region->lost, true);
}

static void phi_orphans_arm(struct phi_region *region)
{
	u64 now = ktime_get_boottime_ns();
	u64 wait;

	lockdep_assert_held_write(&region->lock);
	wait = region->orphans_ns > now ? region->orphans_ns - now : 0;
	wait = min_t(u64, wait, PHI_ORPHANS_STEP_NS);
	mod_delayed_work(phi_region_wq, &region->orphans_due,
			 wait ? nsecs_to_jiffies(wait) + 1 : 0);
}

static void phi_orphans_expire(struct work_struct *work)
{
	struct phi_region *region = container_of(
		to_delayed_work(work), struct phi_region, orphans_due);
	bool due;

	down_write(&region->lock);
	due = region->orphans_ns &&
	      region->orphans_ns <= ktime_get_boottime_ns();
	if (region->orphans_ns && !due)
		phi_orphans_arm(region);
	up_write(&region->lock);
	if (due)
		phi_pins_detach(region);
}

/**
 * phi_pins_orphan() - pins may outlive a capability
 * @region: The region; its lock is held exclusively.
 * @cap: The capability, which left its slot or died.
 *
 * The next revoke detaches what is pinned, and so does the expiry.
 *
 * Context: Process context.
 */
void phi_pins_orphan(struct phi_region *region, const struct phi_cap *cap)
{
	unsigned long from = cap->first;
	unsigned long to = from + (cap->pages ?: region->nr);
	u64 expires_ns = cap->expires_ns;

	lockdep_assert_held_write(&region->lock);
	if (region->orphans) {
		from = min(from, region->orphans_from);
		to = max(to, region->orphans_to);
	}
	region->orphans_from = from;
	region->orphans_to = to;
	/* phi_region_reclaim() looks without the lock. */
	WRITE_ONCE(region->orphans, true);
	if (!expires_ns)
		return;
	if (region->orphans_ns && region->orphans_ns <= expires_ns)
		return;
	region->orphans_ns = expires_ns;
	phi_orphans_arm(region);
}

/**
 * phi_pins_stop() - wait for the work of a region that is going away
 * @region: The region; it has no mapping alive.
 *
 * Context: Process context. May sleep.
 */
void phi_pins_stop(struct phi_region *region)
{
	cancel_delayed_work_sync(&region->orphans_due);
}

/**
 * phi_pins_inherit() - keep the pinned pages of a region that ends
 * @region: The region; no mapping is alive. They leave its array.
 *
 * Context: Process context. May sleep.
 */
void phi_pins_inherit(struct phi_region *region)
{
	if (!(region->flags & PHI_REGION_DMA) || !region->pages)
		return;
	down_write(&region->lock);
	for (unsigned long i = 0; i < region->nr; i++) {
		if (region->pages[i] && page_count(region->pages[i]) > 1)
			phi_pins_keep(region, i);
		cond_resched();
	}
	phi_pins_arm(region);
	up_write(&region->lock);
}

/* Free detached pages that nobody refers to any more. Return: how many. */
static unsigned long phi_pins_free(struct phi_region *region)
{
	unsigned long look = min(region->pinned, PHI_REAP_PAGES);
	unsigned long n = 0;

	lockdep_assert_held_write(&region->lock);
	while (look--) {
		struct page *page =
			list_first_entry(&region->detached, struct page, lru);

		if (page_count(page) > 1) {
			list_move_tail(&page->lru, &region->detached);
			continue;
		}
		list_del(&page->lru);
		__free_page(page);
		n++;
	}
	return n;
}

static void phi_pins_reap(struct work_struct *work)
{
	struct phi_region *region =
		container_of(to_delayed_work(work), struct phi_region, reap);
	unsigned long longest;
	unsigned long n;
	bool done;

	down_write(&region->lock);
	n = phi_pins_free(region);
	phi_region_uncharge(region, n);
	/* Release: a call that stops waiting finds the quota given back. */
	smp_store_release(&region->pinned, region->pinned - n);
	done = !region->pinned;
	if (done) {
		/* It has the last reference, and nothing queues it now. */
		cancel_delayed_work(&region->reap);
	} else {
		longest = atomic_read(&region->waiting) ? PHI_REAP_WAITED :
							  PHI_REAP_IDLE;
		region->reap_delay = n ? 1 :
					 min(region->reap_delay * 2, longest);
		mod_delayed_work(phi_region_wq, &region->reap,
				 region->reap_delay);
	}
	up_write(&region->lock);
	if (!done)
		return;
	wake_up_all(&region->unpinned);
	phi_region_unref(region);
}

/**
 * phi_pins_start() - make a new region ready to lose pinned pages
 * @region: The region.
 *
 * Context: Any.
 */
void phi_pins_start(struct phi_region *region)
{
	INIT_LIST_HEAD(&region->detached);
	INIT_DELAYED_WORK(&region->reap, phi_pins_reap);
	INIT_DELAYED_WORK(&region->orphans_due, phi_orphans_expire);
	init_waitqueue_head(&region->unpinned);
}

static bool phi_pins_gone(struct phi_region *region)
{
	/* Pairs with the release that counts pages as unpinned. */
	return !smp_load_acquire(&region->pinned);
}

/**
 * phi_pins_wait() - wait until no detached page is pinned any more
 * @region: The region.
 *
 * Context: Process context. May sleep.
 * Return: 0 or -ERESTARTSYS.
 */
int phi_pins_wait(struct phi_region *region)
{
	int ret;

	atomic_inc(&region->waiting);
	down_write(&region->lock);
	phi_pins_arm(region);
	up_write(&region->lock);
	ret = wait_event_interruptible(region->unpinned, phi_pins_gone(region));
	atomic_dec(&region->waiting);
	return ret;
}
