// SPDX-License-Identifier: GPL-2.0-only

#include <linux/cleanup.h>
#include <linux/llist.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/xarray.h>

#include "dispatch.h"
#include "endpoint.h"
#include "notify.h"
#include "quota.h"

/*
 * The watches of capabilities, by number. A capability has the number of its
 * first one, which fits where a pointer would make each of them longer.
 */
static struct xarray phi_watches =
	XARRAY_INIT(phi_watches, XA_FLAGS_ALLOC1 | XA_FLAGS_ACCOUNT);
static DEFINE_SPINLOCK(phi_watch_lock); /* see main.h; their lists */

/*
 * The event of a watch has come: a worker of who made it signals, so that no
 * revoke takes the longer the more others wait for its signals. The watch is
 * in no list, and the worker's from now on.
 */
static void phi_watch_tell(struct phi_watch *watch, u64 bits)
{
	struct phi_user *user = watch->user;

	watch->bits = bits;
	/* The reference is the work's while it is queued or runs. */
	phi_user_hold(user);
	llist_add(&watch->told, &user->told);
	if (!phi_sweep_queue(&user->tell))
		phi_user_put(user);
}

/* One whose endpoint died before its capability still signals. */
static void phi_watch_cut(struct phi_tie *tie, int error,
			  struct list_head *loose)
{
	struct phi_watch *watch = container_of(tie, struct phi_watch, tie);

	if (phi_endpoint_behind(watch->through)->dead) {
		list_del_init(&watch->node);
		phi_watch_tell(watch, watch->bits);
	} else {
		list_move(&watch->node, loose);
	}
}

/**
 * phi_watch_new() - make a watch, in no list
 * @user: The account to charge, as for a capability.
 * @through: To hear of an endpoint's death: its capability that was shown. NULL
 *           to hear of the end of a capability.
 * @notify: Notify capability to signal.
 * @bits: Bits to set there.
 *
 * Takes its own references.
 *
 * Context: Process context. May sleep.
 * Return: The watch, or ERR_PTR() of -EDQUOT or -ENOMEM.
 */
struct phi_watch *phi_watch_new(struct phi_user *user, struct phi_cap *through,
				struct phi_cap *notify, u64 bits)
{
	struct phi_watch *watch;
	int ret = phi_quota_charge(user, PHI_QUOTA_CAPS, 1);

	if (ret)
		return ERR_PTR(ret);
	watch = kzalloc(sizeof(*watch), GFP_KERNEL_ACCOUNT);
	if (!watch) {
		phi_quota_uncharge(user, PHI_QUOTA_CAPS, 1);
		return ERR_PTR(-ENOMEM);
	}
	INIT_LIST_HEAD(&watch->node);
	watch->tie.cut = phi_watch_cut;
	if (through)
		phi_cap_get(through);
	watch->through = through;
	phi_stub_get(notify);
	watch->notify = notify;
	watch->bits = bits;
	phi_user_hold(user);
	watch->user = user;
	return watch;
}

/**
 * phi_watch_free() - destroy a watch
 * @watch: The watch, in no list that others see; or NULL, or an ERR_PTR().
 *
 * Context: Process context. May sleep. No lock of this module is held.
 */
void phi_watch_free(struct phi_watch *watch)
{
	if (IS_ERR_OR_NULL(watch))
		return;
	if (watch->id)
		xa_erase(&phi_watches, watch->id);
	phi_cap_put(watch->through);
	phi_stub_put(watch->notify);
	phi_quota_uncharge(watch->user, PHI_QUOTA_CAPS, 1);
	phi_user_put(watch->user);
	kfree(watch);
}

/**
 * phi_watches_free() - destroy a list of watches
 * @watches: The list, which nobody else sees.
 *
 * Context: Process context. May sleep. No lock of this module is held.
 */
void phi_watches_free(struct list_head *watches)
{
	struct phi_watch *watch, *next;

	list_for_each_entry_safe(watch, next, watches, node)
		phi_watch_free(watch);
	INIT_LIST_HEAD(watches);
}

/**
 * phi_watches_fire() - hand watches whose event has come to their users' workers
 * @watches: The list, which nobody else sees; empty afterwards.
 *
 * Context: Process context.
 */
void phi_watches_fire(struct list_head *watches)
{
	struct phi_watch *watch;
	struct phi_watch *next;

	list_for_each_entry_safe(watch, next, watches, node) {
		list_del_init(&watch->node);
		phi_watch_tell(watch, watch->bits);
	}
}

static void phi_watch_fire(struct phi_watch *watch)
{
	struct phi_cap *notify = watch->notify;

	if (!phi_cap_tryget(notify))
		return;
	if (!phi_cap_live(notify))
		phi_notify_set(notify->obj, watch->bits);
	phi_cap_put(notify);
}

/**
 * phi_watches_tell() - signal for the watches of one user whose event has come
 * @work: In its account. They signal in the order of their events, and other
 *        users' watches wait for none of these.
 *
 * Context: Process context. May sleep. Puts a reference to the account.
 */
void phi_watches_tell(struct work_struct *work)
{
	struct phi_user *user = container_of(work, struct phi_user, tell);
	struct llist_node *list =
		llist_reverse_order(llist_del_all(&user->told));
	struct phi_watch *watch;
	struct phi_watch *next;

	llist_for_each_entry_safe(watch, next, list, told) {
		phi_watch_fire(watch);
		phi_watch_free(watch);
		cond_resched();
	}
	phi_user_put(user);
}

static int phi_watch_link(struct phi_endpoint *ep, struct phi_watch *watch,
			  const struct phi_waiter *w)
{
	int ret;

	lockdep_assert_held(&ep->lock);
	phi_tie_add(&watch->tie, watch->through);
	ret = phi_waiter_check(w);
	if (!ret && ep->dead)
		ret = -EPIPE;
	if (!ret)
		list_add_tail(&watch->node, &ep->watches);
	else
		hlist_del_init(&watch->tie.node);
	return ret;
}

/**
 * phi_watch_add() - let the death of an endpoint find a watch
 * @ep: The endpoint.
 * @watch: The watch; the endpoint's when it returns 0.
 * @w: The handle it was made with.
 *
 * Context: Process context.
 * Return: 0, -EPIPE when the endpoint is dead, or what makes the handle
 * useless.
 */
int phi_watch_add(struct phi_endpoint *ep, struct phi_watch *watch,
		  const struct phi_waiter *w)
{
	guard(spinlock)(&ep->lock);
	return phi_watch_link(ep, watch, w);
}

/* Hand some of the watches of a dead endpoint over. Return: are there more? */
static bool phi_watches_step(struct phi_endpoint *ep)
{
	struct phi_watch *watch;

	guard(spinlock)(&ep->lock);
	for (int i = 0; i < PHI_STEP && !list_empty(&ep->watches); i++) {
		watch = list_first_entry(&ep->watches, struct phi_watch, node);
		hlist_del_init(&watch->tie.node);
		list_del_init(&watch->node);
		phi_watch_tell(watch, watch->bits);
	}
	return !list_empty(&ep->watches);
}

/**
 * phi_watches_hand() - hand the watches of an endpoint to their users' workers
 * @work: In the endpoint, which is dead.
 *
 * Context: Process context. May sleep. Puts a reference to the endpoint.
 */
void phi_watches_hand(struct work_struct *work)
{
	struct phi_endpoint *ep =
		container_of(work, struct phi_endpoint, watch_work);

	while (phi_watches_step(ep))
		cond_resched();
	phi_object_put(&ep->obj);
}

/**
 * phi_watches_bury() - let those who watch an endpoint hear of its death
 * @ep: The endpoint, dead, its queue empty. Called once.
 *
 * Context: Process context. May sleep.
 */
void phi_watches_bury(struct phi_endpoint *ep)
{
	/* None is added to a dead endpoint, which is gone at once then. */
	if (list_empty_careful(&ep->watches))
		return;
	phi_object_get(&ep->obj);
	phi_sweep_queue(&ep->watch_work);
}

/* A watch of the end of a capability, in no list. */
static struct phi_watch *phi_watch_numbered(struct phi_user *user,
					    struct phi_cap *notify, u64 revoked,
					    u64 expired)
{
	struct phi_watch *watch __free(phi_watch_free) =
		phi_watch_new(user, NULL, notify, revoked);
	u32 id;
	int ret;

	if (IS_ERR(watch))
		return_ptr(watch);
	ret = xa_alloc(&phi_watches, &id, watch, xa_limit_32b,
		       GFP_KERNEL_ACCOUNT);
	if (ret)
		return ERR_PTR(ret);
	watch->id = id;
	watch->expired = expired;
	return_ptr(watch);
}

/* Will a watch never signal, whatever happens? */
static bool phi_watch_mute(const struct phi_watch *watch)
{
	return READ_ONCE(watch->notify->ended) || phi_cap_live(watch->notify);
}

/* Count the watches of @cap. Those that will never signal go to @mute. */
static u32 phi_watch_count(struct phi_cap *cap, struct list_head *mute)
{
	u32 *link = &cap->watched;
	struct phi_watch *watch;
	u32 n = 0;

	lockdep_assert_held(&phi_watch_lock);
	while (*link) {
		watch = xa_load(&phi_watches, *link);
		if (phi_watch_mute(watch)) {
			WRITE_ONCE(*link, watch->next);
			list_add(&watch->node, mute);
		} else {
			link = &watch->next;
			n++;
		}
	}
	return n;
}

/*
 * Return: 0, -ENOSPC, or what makes the handle of @w useless. The caller frees
 * @mute without the lock.
 */
static int phi_watch_join(struct phi_watch *watch, const struct phi_waiter *w,
			  struct list_head *mute)
{
	struct phi_cap *cap = w->cap;
	int ret;

	guard(spinlock)(&phi_watch_lock);
	if (phi_watch_count(cap, mute) >= PHI_WATCHES_MAX)
		return -ENOSPC;
	watch->next = cap->watched;
	WRITE_ONCE(cap->watched, watch->id);
	/* Before the check; pairs with phi_watch_end(). */
	smp_mb();
	ret = phi_waiter_check(w);
	if (ret)
		WRITE_ONCE(cap->watched, watch->next);
	return ret;
}

/*
 * The bits that a watch signals for a capability that is dead as @error says. A
 * revoke may come when its time is up and before a worker sees that. Both have
 * happened then, and a watch of either signals.
 */
static u64 phi_watch_told(const struct phi_watch *watch,
			  const struct phi_cap *cap, int error)
{
	bool due = cap->expires_ns &&
		   ktime_get_boottime_ns() >= cap->expires_ns;

	if (due && watch->expired)
		return watch->expired;
	return error == -EKEYREVOKED ? watch->bits : 0;
}

/**
 * phi_watch_end() - a capability leaves its slot, or dies
 * @cap: The capability. Its watches go, with a signal when it is dead.
 *
 * Context: Process context. May sleep. No lock of this module is held.
 */
void phi_watch_end(struct phi_cap *cap)
{
	struct phi_watch *watch;
	struct phi_watch *next;
	LIST_HEAD(watches);
	int error;

	/* The end of @cap before its watches; pairs with phi_watch_join(). */
	smp_mb();
	if (!READ_ONCE(cap->watched))
		return;
	scoped_guard(spinlock, &phi_watch_lock) {
		for (u32 id = cap->watched; id; id = watch->next) {
			watch = xa_load(&phi_watches, id);
			list_add(&watch->node, &watches);
		}
		WRITE_ONCE(cap->watched, 0);
	}
	error = phi_cap_live(cap);
	list_for_each_entry_safe(watch, next, &watches, node) {
		u64 bits = error ? phi_watch_told(watch, cap, error) : 0;

		if (!bits)
			continue;
		list_del_init(&watch->node);
		phi_watch_tell(watch, bits);
	}
	phi_watches_free(&watches);
}

/*
 * Let the death of an endpoint find @gone, and the end of a capability @end,
 * unless that is NULL: both or none. Return: as phi_watch_add().
 */
static int phi_watch_both(struct phi_watch *gone, struct phi_watch *end,
			  const struct phi_waiter *w, struct list_head *mute)
{
	struct phi_endpoint *ep = phi_endpoint_behind(w->cap);
	int joined = 0;
	int ret;

	guard(spinlock)(&ep->lock);
	ret = phi_watch_link(ep, gone, w);
	if (end && (!ret || ret == -EPIPE))
		joined = phi_watch_join(end, w, mute);
	if (joined && !ret) {
		list_del_init(&gone->node);
		hlist_del_init(&gone->tie.node);
	}
	return joined ?: ret;
}

/**
 * phi_cap_watch() - PHI_IOC_CAP_WATCH
 * @cs: The caller's cspace.
 * @arg: struct phi_cap_watch.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int phi_cap_watch(struct phi_cspace *cs, void *arg)
{
	struct phi_cap_watch *cmd = arg;
	u32 types = cmd->gone ? PHI_TYPES_SEND : PHI_TYPES_ANY;
	struct phi_watch *gone __free(phi_watch_free) = NULL;
	struct phi_watch *end __free(phi_watch_free) = NULL;
	struct phi_waiter w;
	LIST_HEAD(mute);
	int ret;

	if (cmd->flags)
		return -EOPNOTSUPP;
	if (!(cmd->revoked | cmd->expired | cmd->gone))
		return -EINVAL;

	struct phi_cap *cap __free(phi_cap_put) =
		phi_cspace_lookup(cs, cmd->cap, types, 0);
	if (IS_ERR(cap))
		return PTR_ERR(cap);
	struct phi_cap *notify __free(phi_cap_put) = phi_cspace_lookup(
		cs, cmd->notify, PHI_TYPES(NOTIFY), PHI_RIGHT_WRITE);
	if (IS_ERR(notify))
		return PTR_ERR(notify);
	if (cmd->revoked | cmd->expired)
		end = phi_watch_numbered(cs->user, notify, cmd->revoked,
					 cmd->expired);
	if (IS_ERR(end))
		return PTR_ERR(end);
	if (cmd->gone)
		gone = phi_watch_new(cs->user, cap, notify, cmd->gone);
	if (IS_ERR(gone))
		return PTR_ERR(gone);
	phi_waiter_init(&w, cs, cmd->cap, cap, types, 0);
	ret = gone ? phi_watch_both(gone, end, &w, &mute) :
		     phi_watch_join(end, &w, &mute);
	phi_watches_free(&mute);
	if (ret && ret != -EPIPE)
		return ret;
	/* From here on they may have fired, and be gone. */
	retain_and_null_ptr(end);
	if (ret)
		phi_notify_set(notify->obj, cmd->gone);
	else
		retain_and_null_ptr(gone);
	return 0;
}

/**
 * phi_watch_exit() - see that all watches are gone
 *
 * Context: Module unload, or failed load. No file is open any more.
 */
void phi_watch_exit(void)
{
	WARN_ON(!xa_empty(&phi_watches));
}
