// SPDX-License-Identifier: GPL-2.0-only
/*
 * Waits for words of regions. A waiter is in a tree by its word, in the order
 * of arrival, so that a wake looks at those of its own word alone. Waiters lie
 * on the stacks of their threads.
 */

#include <linux/cleanup.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/rbtree.h>
#include <linux/sched.h>

#include "dispatch.h"
#include "region.h"
#include "wait.h"

/**
 * struct phi_word_waiter - a thread that waits for a word
 * @w: Its place in the list of the region's waiters.
 * @by_word: In the tree until a wake takes it out.
 * @word: Number of the word in the region.
 * @since: Which of all waits of the region it is.
 */
struct phi_word_waiter {
	struct phi_waiter w;
	struct rb_node by_word;
	u64 word;
	u64 since;
};

static struct phi_word_waiter *phi_word_waiter_of(const struct rb_node *node)
{
	return rb_entry(node, struct phi_word_waiter, by_word);
}

static bool phi_word_before(struct rb_node *a, const struct rb_node *b)
{
	return phi_word_waiter_of(a)->word < phi_word_waiter_of(b)->word;
}

static int phi_word_cmp(const void *key, const struct rb_node *node)
{
	u64 of = phi_word_waiter_of(node)->word;
	u64 word = *(const u64 *)key;

	if (word == of)
		return 0;
	return word < of ? -1 : 1;
}

/**
 * phi_word_cut() - end the waits through a capability
 * @region: The region.
 * @cap: A capability to it that left its slot or died.
 * @error: Error of these waits, a negative errno.
 *
 * Context: Process context. May sleep.
 */
void phi_word_cut(struct phi_region *region, struct phi_cap *cap, int error)
{
	LIST_HEAD(none);
	bool more;

	if (phi_ties_none(cap))
		return;
	do {
		scoped_guard(spinlock, &region->words_lock)
			more = phi_ties_cut(cap, error, &none);
		cond_resched();
	} while (more);
}

/* Which word of the region is at a byte of what a capability gives? */
static int phi_word_at(const struct phi_cap *cap, u64 offset, u64 *word)
{
	if (!IS_ALIGNED(offset, sizeof(u32)) ||
	    offset >> PAGE_SHIFT >= phi_region_pages(cap))
		return -EINVAL;
	*word = (((u64)cap->first << PAGE_SHIFT) + offset) / sizeof(u32);
	return 0;
}

/*
 * Put a waiter into the tree if its word holds @value. A waker has stored
 * the word before it takes the lock: it finds the waiter, or the waiter finds
 * the new value. No word stored after the end of the handle is compared.
 * Return: 1 when it is in the tree, 0 when the value is another, or why the
 * handle is of no use.
 */
static int phi_word_enter(struct phi_region *region, struct phi_word_waiter *ww,
			  u32 value)
{
	u64 at = ww->word * sizeof(u32);
	struct page *page;
	bool same;
	int ret;
	u32 *map;

	guard(rwsem_read)(&region->lock);
	page = region->pages[at >> PAGE_SHIFT];
	if (!page)
		return phi_waiter_check(&ww->w) ?: -EFAULT;
	map = kmap_local_page(page);
	scoped_guard(spinlock, &region->words_lock) {
		same = READ_ONCE(map[offset_in_page(at) / sizeof(u32)]) ==
		       value;
		/* A word stored after the end of the handle is not compared. */
		smp_rmb();
		ret = phi_waiter_check(&ww->w);
		if (!ret && same) {
			ww->since = ++region->words_since;
			rb_add(&ww->by_word, &region->words, phi_word_before);
		}
	}
	kunmap_local(map);
	return ret ?: same;
}

/* Sleep until a wake takes the waiter out of the tree. */
static int phi_word_sleep(struct phi_region *region, struct phi_word_waiter *ww,
			  const struct phi_region_wait *cmd)
{
	int ret = 0;

	guard(spinlock)(&region->words_lock);
	while (!ret && !RB_EMPTY_NODE(&ww->by_word)) {
		ret = -EAGAIN;
		if (!(cmd->flags & PHI_NONBLOCK))
			ret = phi_waiter_block(&ww->w, &region->word_waiters,
					       &region->words_lock,
					       cmd->deadline_ns);
	}
	phi_waiter_unlink(&ww->w);
	if (RB_EMPTY_NODE(&ww->by_word))
		return 0;
	rb_erase(&ww->by_word, &region->words);
	return ret;
}

/**
 * phi_region_wait() - ioctl(PHI_IOC_REGION_WAIT)
 * @cs: The caller's cspace.
 * @arg: struct phi_region_wait.
 *
 * Context: Process context. May sleep.
 * Return: 0; -EOPNOTSUPP for a flag, -EINVAL for a bad offset or padding,
 * -EFAULT for a page that the region has lost, -EAGAIN, -ETIMEDOUT,
 * -ERESTARTSYS, or the error of phi_cspace_lookup(), also when the capability
 * ends meanwhile.
 */
int phi_region_wait(struct phi_cspace *cs, void *arg)
{
	struct phi_region_wait *cmd = arg;
	struct phi_word_waiter ww = {};
	struct phi_region *region;
	int ret;

	if (cmd->flags & ~PHI_NONBLOCK)
		return -EOPNOTSUPP;
	if (cmd->pad)
		return -EINVAL;

	struct phi_cap *cap __free(phi_cap_put) = phi_cspace_lookup(
		cs, cmd->cap, PHI_TYPES(MEMORY), PHI_RIGHT_READ);
	if (IS_ERR(cap))
		return PTR_ERR(cap);
	ret = phi_word_at(cap, cmd->offset, &ww.word);
	if (ret)
		return ret;
	region = to_region(cap->obj);
	phi_waiter_init(&ww.w, cs, cmd->cap, cap, PHI_TYPES(MEMORY),
			PHI_RIGHT_READ);
	ret = phi_word_enter(region, &ww, cmd->value);
	return ret > 0 ? phi_word_sleep(region, &ww, cmd) : ret;
}

/*
 * Wake some of those who wait for a word since @until or longer. Return: true
 * when there are more.
 */
static bool phi_word_wake(struct phi_region *region, u64 word, u64 until,
			  struct phi_region_wake *cmd)
{
	struct phi_word_waiter *ww;
	struct rb_node *node;

	lockdep_assert_held(&region->words_lock);
	for (int i = 0; i < PHI_STEP && cmd->woken < cmd->count; i++) {
		node = rb_find_first(&word, &region->words, phi_word_cmp);
		if (!node)
			return false;
		ww = phi_word_waiter_of(node);
		/* A thread that was woken and waits again is not counted. */
		if (ww->since > until)
			return false;
		rb_erase(node, &region->words);
		RB_CLEAR_NODE(node);
		phi_waiter_wake(&ww->w);
		cmd->woken++;
	}
	return cmd->woken < cmd->count;
}

/**
 * phi_region_wake() - ioctl(PHI_IOC_REGION_WAKE)
 * @cs: The caller's cspace.
 * @arg: struct phi_region_wake.
 *
 * Context: Process context. May sleep.
 * Return: 0; -EOPNOTSUPP for a flag, -EINVAL for a bad offset or count, or the
 * error of phi_cspace_lookup().
 */
int phi_region_wake(struct phi_cspace *cs, void *arg)
{
	struct phi_region_wake *cmd = arg;
	struct phi_region *region;
	bool more;
	u64 until;
	u64 word;
	int ret;

	if (cmd->flags)
		return -EOPNOTSUPP;
	if (!cmd->count)
		return -EINVAL;

	struct phi_cap *cap __free(phi_cap_put) = phi_cspace_lookup(
		cs, cmd->cap, PHI_TYPES(MEMORY), PHI_RIGHT_WRITE);
	if (IS_ERR(cap))
		return PTR_ERR(cap);
	ret = phi_word_at(cap, cmd->offset, &word);
	if (ret)
		return ret;
	region = to_region(cap->obj);
	cmd->woken = 0;
	scoped_guard(spinlock, &region->words_lock)
		until = region->words_since;
	do {
		scoped_guard(spinlock, &region->words_lock)
			more = phi_word_wake(region, word, until, cmd);
		cond_resched();
	} while (more);
	return 0;
}
