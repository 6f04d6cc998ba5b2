// SPDX-License-Identifier: GPL-2.0-only

#include <linux/hrtimer.h>
#include <linux/init.h>
#include <linux/ktime.h>
#include <linux/sched/signal.h>

#include "main.h"
#include "wait.h"

struct workqueue_struct *phi_wait_wq;

static void phi_waiter_cut(struct phi_tie *tie, int error,
			   struct list_head *loose)
{
	phi_waiter_fail(container_of(tie, struct phi_waiter, tie), error);
}

/**
 * phi_waiter_init() - prepare to wait through a handle
 * @w: The waiter.
 * @cs: Cspace of the handle.
 * @handle: The handle.
 * @cap: Capability of @handle; the caller keeps its reference.
 * @types: Types the call accepts.
 * @rights: Rights the call needs.
 *
 * Context: Any.
 */
void phi_waiter_init(struct phi_waiter *w, struct phi_cspace *cs, u64 handle,
		     struct phi_cap *cap, u32 types, u32 rights)
{
	INIT_LIST_HEAD(&w->node);
	INIT_HLIST_NODE(&w->tie.node);
	w->tie.cut = phi_waiter_cut;
	init_waitqueue_head(&w->wq);
	w->cs = cs;
	w->handle = handle;
	w->cap = cap;
	w->types = types;
	w->rights = rights;
	w->error = 0;
	w->woken = false;
}

/**
 * phi_waiter_check() - is the handle still good for this?
 * @w: The waiter.
 *
 * Context: Any but interrupts; the object's lock may be held.
 * Return: 0, or why not: -EBADF, -EKEYREVOKED, -EKEYEXPIRED.
 */
int phi_waiter_check(const struct phi_waiter *w)
{
	if (!phi_cspace_holds(w->cs, w->handle, w->cap))
		return -EBADF;
	return phi_cap_check(w->cap, w->types, w->rights);
}

/* Return: 0 to look again, -ETIMEDOUT or -ERESTARTSYS. */
static int phi_waiter_sleep(struct phi_waiter *w, u64 deadline_ns)
{
	ktime_t until = min_t(u64, deadline_ns ?: KTIME_MAX, KTIME_MAX);
	int ret = 0;
	DEFINE_WAIT(wait);

	prepare_to_wait(&w->wq, &wait, TASK_INTERRUPTIBLE);
	/* phi_waiter_wake() sets it first, then takes the lock of the queue. */
	if (!READ_ONCE(w->woken)) {
		if (signal_pending(current))
			ret = -ERESTARTSYS;
		else if (until == KTIME_MAX)
			schedule();
		else if (ktime_get() >= until ||
			 !schedule_hrtimeout_range(&until,
						   current->timer_slack_ns,
						   HRTIMER_MODE_ABS))
			ret = -ETIMEDOUT;
	}
	finish_wait(&w->wq, &wait);
	return ret;
}

/**
 * phi_waiter_block() - wait until woken
 * @w: The waiter. The caller ends with phi_waiter_unlink().
 * @list: Where wakers look for it.
 * @lock: Guards @list; held, released while asleep.
 * @deadline_ns: CLOCK_MONOTONIC; 0 = none.
 *
 * Context: Process context. May sleep.
 * Return: 0 to look again, -ETIMEDOUT, -ERESTARTSYS, or what makes the handle
 * useless.
 */
int phi_waiter_block(struct phi_waiter *w, struct list_head *list,
		     spinlock_t *lock, u64 deadline_ns)
{
	int ret;

	lockdep_assert_held(lock);
	if (list_empty(&w->node)) {
		list_add_tail(&w->node, list);
		if (hlist_unhashed(&w->tie.node))
			phi_tie_add(&w->tie, w->cap);
		ret = phi_waiter_check(w);
		if (ret)
			return ret;
	}
	WRITE_ONCE(w->woken, false);
	spin_unlock(lock);
	atomic_inc(&w->cs->waiting);
	ret = phi_waiter_sleep(w, deadline_ns);
	atomic_dec(&w->cs->waiting);
	spin_lock(lock);
	return w->error ?: ret;
}

/**
 * phi_waiter_wake() - let a waiter look again
 * @w: The waiter.
 *
 * The sleeper is woken with the hint that the waker is about to sleep.
 *
 * Context: Any but interrupts; the object's lock is held.
 */
void phi_waiter_wake(struct phi_waiter *w)
{
	WRITE_ONCE(w->woken, true);
	wake_up_sync(&w->wq);
}

/**
 * phi_waiter_fail() - make a waiter give up
 * @w: The waiter.
 * @error: Why, a negative errno.
 *
 * Context: Any but interrupts; the object's lock is held.
 */
void phi_waiter_fail(struct phi_waiter *w, int error)
{
	if (!w->error)
		w->error = error;
	WRITE_ONCE(w->woken, true);
	wake_up_all(&w->wq);
}

/**
 * phi_waiters_fail() - make some of those in a list give up
 * @list: The waiters; those who give up are taken out.
 * @error: Why, a negative errno.
 *
 * Context: Any but interrupts; the object's lock is held.
 * Return: True when there are more: release the lock, and do it again.
 */
bool phi_waiters_fail(struct list_head *list, int error)
{
	struct phi_waiter *w;

	for (int i = 0; i < PHI_STEP && !list_empty(list); i++) {
		w = list_first_entry(list, struct phi_waiter, node);
		list_del_init(&w->node);
		phi_waiter_fail(w, error);
	}
	return !list_empty(list);
}

/**
 * phi_tie_add() - have something end with a capability
 * @tie: The tie, in no list.
 * @cap: The capability, which the caller pins and checks once more after this.
 *
 * Context: Any but interrupts; the object's lock is held.
 */
void phi_tie_add(struct phi_tie *tie, struct phi_cap *cap)
{
	hlist_add_head(&tie->node, &cap->ties);
	/* Before that check; pairs with phi_ties_none(). */
	smp_mb();
}

/**
 * phi_ties_none() - does nothing end with a capability?
 * @cap: The capability; it is in no slot, or dead.
 *
 * Context: Any.
 * Return: True when there is nothing to cut: what is tied later finds the
 * capability gone.
 */
bool phi_ties_none(const struct phi_cap *cap)
{
	/* The end of @cap before its ties; pairs with phi_tie_add(). */
	smp_mb();
	return hlist_empty(&cap->ties);
}

/**
 * phi_ties_cut() - end some of what ends with a capability
 * @cap: The capability, of which no ties are made any more: it is in no slot,
 *       or dead.
 * @error: Why, a negative errno.
 * @loose: Out, memory to free when the caller has released the lock.
 *
 * Context: Any but interrupts; the object's lock is held.
 * Return: True when there are more: release the lock, and do it again.
 */
bool phi_ties_cut(struct phi_cap *cap, int error, struct list_head *loose)
{
	struct phi_tie *tie;

	for (int i = 0; i < PHI_STEP && !hlist_empty(&cap->ties); i++) {
		tie = hlist_entry(cap->ties.first, struct phi_tie, node);
		hlist_del_init(&tie->node);
		tie->cut(tie, error, loose);
	}
	return !hlist_empty(&cap->ties);
}

/**
 * phi_wait_init() - make the worker that wakes many waiters
 *
 * Context: Module load.
 * Return: 0 or -ENOMEM.
 */
int __init phi_wait_init(void)
{
	phi_wait_wq = alloc_workqueue("phi_wait", WQ_UNBOUND, 0);
	return phi_wait_wq ? 0 : -ENOMEM;
}

/**
 * phi_wait_exit() - wait for the last of its work
 *
 * Context: Module unload, or failed load. No file is open any more.
 */
void phi_wait_exit(void)
{
	destroy_workqueue(phi_wait_wq);
}
