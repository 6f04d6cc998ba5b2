// SPDX-License-Identifier: GPL-2.0-only

#include <linux/cleanup.h>
#include <linux/slab.h>

#include "endpoint.h"
#include "notify.h"
#include "quota.h"

static void phi_watch_cut(struct phi_tie *tie, int error,
			  struct list_head *loose)
{
	list_move(&container_of(tie, struct phi_watch, tie)->node, loose);
}

/**
 * phi_watch_new() - make a watch, in no list
 * @user: The account to charge, as for a capability.
 * @through: The endpoint's capability that was shown.
 * @notify: Notify capability to signal when the endpoint dies.
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
 * @watch: The watch, in no list that others see.
 *
 * Context: Process context. May sleep. No lock of this module is held.
 */
void phi_watch_free(struct phi_watch *watch)
{
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
 * phi_watches_fire() - signal what a list of watches names
 * @watches: The list, which nobody else sees.
 *
 * Context: Process context.
 */
void phi_watches_fire(struct list_head *watches)
{
	struct phi_watch *watch;

	list_for_each_entry(watch, watches, node) {
		struct phi_cap *notify = watch->notify;

		if (!phi_cap_tryget(notify))
			continue;
		if (!phi_cap_live(notify))
			phi_notify_set(notify->obj, watch->bits);
		phi_cap_put(notify);
	}
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
	int ret;

	guard(spinlock)(&ep->lock);
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
 * phi_watches_take() - take some of the watches of an endpoint
 * @ep: The endpoint; its lock is held.
 * @watches: Out, an empty list.
 *
 * Context: Any but interrupts.
 * Return: True when there are more: release the lock, and do it again.
 */
bool phi_watches_take(struct phi_endpoint *ep, struct list_head *watches)
{
	struct phi_watch *watch;

	for (int i = 0; i < PHI_STEP && !list_empty(&ep->watches); i++) {
		watch = list_first_entry(&ep->watches, struct phi_watch, node);
		hlist_del_init(&watch->tie.node);
		list_move_tail(&watch->node, watches);
	}
	return !list_empty(&ep->watches);
}
