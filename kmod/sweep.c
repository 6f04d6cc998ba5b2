// SPDX-License-Identifier: GPL-2.0-only
/*
 * The death of capabilities: revokes, and a worker of each user for what
 * expires. Both sweep: they unlink the dead nodes below one, leaves first, and
 * end them.
 */

#include <linux/cleanup.h>
#include <linux/hrtimer.h>
#include <linux/llist.h>
#include <linux/sched.h>
#include <linux/timekeeping.h>
#include <linux/workqueue.h>

#include "cap.h"
#include "compat.h"
#include "main.h"
#include "quota.h"
#include "trace.h"

/* Nodes that expire, the next first, until they end. */
static struct rb_root_cached phi_expiries = RB_ROOT_CACHED;
static DEFINE_SPINLOCK(phi_expiry_lock); /* see main.h */
static struct hrtimer phi_expiry_timer;
static struct work_struct phi_expiry_work;
/* Its own, so that unloading can wait for what still runs. */
static struct workqueue_struct *phi_sweep_wq;

/**
 * phi_sweep_queue() - have work done that follows the end of capabilities
 * @work: The work. Unloading waits for it.
 *
 * Context: Any.
 * Return: False when it was queued before and has not begun.
 */
bool phi_sweep_queue(struct work_struct *work)
{
	return queue_work(phi_sweep_wq, work);
}

/* A child of @cap that a revoke has killed; @all: any child. */
static struct phi_cap *phi_sweep_child(struct phi_cap *cap, bool all)
{
	struct phi_cap *child = list_first_entry_or_null(
		&cap->children, struct phi_cap, sibling);

	/* The oldest are first: when this one lives, all do. */
	if (child && !all &&
	    child->parent_version == atomic_read(&cap->version))
		return NULL;
	return child;
}

/* Each step starts at the top: a sweep beside this one may unlink nodes. */
static struct phi_cap *phi_sweep_leaf(struct phi_cap *top, bool all)
{
	struct phi_cap *leaf = phi_sweep_child(top, all);
	struct phi_cap *child;

	while (leaf && (child = phi_sweep_child(leaf, true)))
		leaf = child;
	return leaf;
}

/*
 * End a dead node, of which the caller has a reference, and unlink it. Another
 * sweep may do the same: each returns when nothing can be done through the
 * node any more.
 */
static void phi_sweep_node(struct phi_cap *cap)
{
	struct phi_cap *parent;
	struct phi_cap *root;

	if (cap->ops->dead && phi_cap_tryget(cap)) {
		cap->ops->dead(cap->obj, cap);
		phi_cap_put(cap);
	}
	phi_cap_end(cap);
	phi_watch_end(cap);
	root = phi_tree_lock(cap);
	parent = phi_tree_bury(root, cap);
	phi_tree_unlock(root);
	phi_stub_put(parent);
}

/* Return: whether there was a dead node below @top. */
static bool phi_sweep_step(struct phi_cap *top, bool all)
{
	struct phi_cap *root = phi_tree_lock(top);
	struct phi_cap *leaf = phi_sweep_leaf(top, all);
	struct phi_cap *parent = NULL;
	bool freed = leaf && !refcount_inc_not_zero(&leaf->ref);

	/* The thread that frees a node waits for the lock; nothing uses it. */
	if (freed)
		parent = phi_tree_unlink(root, leaf);
	phi_tree_unlock(root);
	if (freed) {
		phi_stub_put(parent);
	} else if (leaf) {
		phi_sweep_node(leaf);
		phi_stub_put(leaf);
	}
	return leaf;
}

/**
 * phi_cap_revoke_children() - kill everything derived from a capability
 * @cap: The node; the caller has a pin. It lives on.
 *
 * One increment kills them, however many they are. The second phase ends the
 * mappings, waiters and messages of each of them.
 *
 * Context: Process context. May sleep. No lock of this module is held.
 */
void phi_cap_revoke_children(struct phi_cap *cap)
{
	/* At U32_MAX there are no children and none are made. */
	atomic_add_unless(&cap->version, 1, (int)U32_MAX);
	/*
	 * Full barrier between the new version and what the second phase looks
	 * at (children, mappings, waiters, queues). Pairs with the order in the
	 * derivation, the fault handler, in recv, send, call and wait: they
	 * first put themselves where the second phase looks, or take its lock,
	 * then call phi_cap_live(). One of the two sees the other.
	 */
	smp_mb__after_atomic();
	phi_trace(phi_cap_revoke, cap);
	while (phi_sweep_step(cap, false))
		cond_resched();
}

/**
 * phi_cap_kill() - kill a capability and everything derived from it
 * @cap: The node; the caller has a pin, or a reference to one that was released.
 *       Its siblings live on.
 *
 * One store kills them. When this returns they have ended, also where another
 * thread has killed them.
 *
 * Context: Process context. May sleep. No lock of this module is held.
 */
void phi_cap_kill(struct phi_cap *cap)
{
	struct phi_cap *root = phi_tree_lock(cap);

	phi_tree_kill(root, cap);
	phi_tree_unlock(root);
	/*
	 * Full barrier between the store and what the second phase looks at, as
	 * in phi_cap_revoke_children().
	 */
	smp_mb();
	phi_trace(phi_cap_revoke, cap);
	while (phi_sweep_step(cap, true))
		cond_resched();
	phi_sweep_node(cap);
}

/**
 * phi_expiry_pay() - change who pays for a node that expires
 * @cap: The node; the caller owns it.
 * @user: The account, with a reference for the node.
 *
 * Context: Any but interrupts.
 */
void phi_expiry_pay(struct phi_cap *cap, struct phi_user *user)
{
	/* The worker reads it. */
	guard(spinlock)(&phi_expiry_lock);
	cap->user = user;
}

static bool phi_expiry_less(struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct phi_cap, expiry)->expires_ns <
	       rb_entry(b, struct phi_cap, expiry)->expires_ns;
}

static void phi_expiry_arm(u64 expires_ns)
{
	lockdep_assert_held(&phi_expiry_lock);
	hrtimer_start(&phi_expiry_timer,
		      ns_to_ktime(min_t(u64, expires_ns, KTIME_MAX)),
		      HRTIMER_MODE_ABS);
}

/**
 * phi_expiry_add() - have a node swept when it expires
 * @cap: The node, which has not ended and expires.
 *
 * Context: Under the lock of its tree.
 */
void phi_expiry_add(struct phi_cap *cap)
{
	guard(spinlock)(&phi_expiry_lock);
	if (rb_add_cached(&cap->expiry, &phi_expiries, phi_expiry_less))
		phi_expiry_arm(cap->expires_ns);
}

/**
 * phi_expiry_remove() - a node ends, before it expires or after
 * @cap: The node.
 *
 * Context: Any but interrupts.
 */
void phi_expiry_remove(struct phi_cap *cap)
{
	guard(spinlock)(&phi_expiry_lock);
	if (RB_EMPTY_NODE(&cap->expiry))
		return;
	rb_erase_cached(&cap->expiry, &phi_expiries);
	RB_CLEAR_NODE(&cap->expiry);
}

/* The next node that has expired, referenced; or NULL, with the timer set. */
static struct phi_cap *phi_expiry_next(void)
{
	struct rb_node *first;
	struct phi_cap *cap;

	lockdep_assert_held(&phi_expiry_lock);
	first = rb_first_cached(&phi_expiries);
	if (!first)
		return NULL;
	cap = rb_entry(first, struct phi_cap, expiry);
	if (cap->expires_ns > ktime_get_boottime_ns()) {
		phi_expiry_arm(cap->expires_ns);
		return NULL;
	}
	/* It has not ended, or waits for the lock in phi_expiry_remove(). */
	phi_stub_get(cap);
	rb_erase_cached(first, &phi_expiries);
	RB_CLEAR_NODE(first);
	return cap;
}

/* Give the next node that has expired to the worker of who pays for it. */
static bool phi_expiry_deal(void)
{
	struct phi_user *user;
	struct phi_cap *cap;

	scoped_guard(spinlock, &phi_expiry_lock) {
		cap = phi_expiry_next();
		if (!cap)
			return false;
		user = cap->user;
		phi_user_hold(user);
	}
	llist_add(&cap->expired, &user->expired);
	/* The reference is the work's while it is queued or runs. */
	if (!phi_sweep_queue(&user->sweep))
		phi_user_put(user);
	return true;
}

static void phi_expiry_run(struct work_struct *work)
{
	while (phi_expiry_deal())
		cond_resched();
}

/* Every node below an expired one has expired too. */
static void phi_expiry_end(struct phi_cap *cap)
{
	while (phi_sweep_step(cap, true))
		cond_resched();
	phi_sweep_node(cap);
	phi_stub_put(cap);
}

/**
 * phi_expiry_sweep() - end the expired nodes that one user pays for
 * @work: In its account. Other users' nodes wait for none of these.
 *
 * Context: Process context. May sleep. Puts a reference to the account.
 */
void phi_expiry_sweep(struct work_struct *work)
{
	struct phi_user *user = container_of(work, struct phi_user, sweep);
	struct llist_node *list =
		llist_reverse_order(llist_del_all(&user->expired));
	struct phi_cap *cap;
	struct phi_cap *next;

	llist_for_each_entry_safe(cap, next, list, expired) {
		phi_expiry_end(cap);
		cond_resched();
	}
	phi_user_put(user);
}

static enum hrtimer_restart phi_expiry_due(struct hrtimer *timer)
{
	queue_work(phi_sweep_wq, &phi_expiry_work);
	return HRTIMER_NORESTART;
}

/**
 * phi_sweep_init() - make the worker that sweeps what expires
 *
 * Context: Module load.
 * Return: 0 or -ENOMEM.
 */
int __init phi_sweep_init(void)
{
	INIT_WORK(&phi_expiry_work, phi_expiry_run);
	phi_hrtimer_setup(&phi_expiry_timer, phi_expiry_due, CLOCK_BOOTTIME,
			  HRTIMER_MODE_ABS);
	phi_sweep_wq = alloc_workqueue("phi_sweep", WQ_UNBOUND, 0);
	return phi_sweep_wq ? 0 : -ENOMEM;
}

/**
 * phi_sweep_exit() - wait for the last of its work
 *
 * Context: Module unload, or failed load. Every node has ended, or the worker
 * is about to end it.
 */
void phi_sweep_exit(void)
{
	hrtimer_cancel(&phi_expiry_timer);
	destroy_workqueue(phi_sweep_wq);
	WARN_ON(!RB_EMPTY_ROOT(&phi_expiries.rb_root));
	phi_watch_exit();
}
