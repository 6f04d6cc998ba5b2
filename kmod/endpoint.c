// SPDX-License-Identifier: GPL-2.0-only

#include <linux/cleanup.h>
#include <linux/poll.h>
#include <linux/slab.h>

#include "dispatch.h"
#include "endpoint.h"
#include "notify.h"
#include "quota.h"
#include "service.h"

/**
 * struct phi_watch - a wish to hear of an endpoint's death
 * @node: In the watches of the endpoint, or of whoever frees it.
 * @through: The endpoint's capability that was shown; referenced. With it
 *           goes the watch.
 * @notify: What to signal; referenced.
 * @bits: What to set there.
 * @user: Who pays for it, as for a capability; referenced.
 */
struct phi_watch {
	struct list_head node;
	struct phi_cap *through;
	struct phi_cap *notify;
	u64 bits;
	struct phi_user *user;
};

static struct phi_watch *phi_watch_new(struct phi_user *user,
				       struct phi_cap *through,
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
	phi_cap_get(through);
	watch->through = through;
	phi_cap_get(notify);
	watch->notify = notify;
	watch->bits = bits;
	phi_user_hold(user);
	watch->user = user;
	return watch;
}

static void phi_watch_free(struct phi_watch *watch)
{
	phi_cap_put(watch->through);
	phi_cap_put(watch->notify);
	phi_quota_uncharge(watch->user, PHI_QUOTA_CAPS, 1);
	phi_user_put(watch->user);
	kfree(watch);
}

/* What was notified of, or need not be any more. */
static void phi_watches_free(struct list_head *watches)
{
	struct phi_watch *watch, *next;

	list_for_each_entry_safe(watch, next, watches, node)
		phi_watch_free(watch);
}

static void phi_watches_fire(struct list_head *watches)
{
	struct phi_watch *watch;

	list_for_each_entry(watch, watches, node) {
		if (!phi_cap_live(watch->notify))
			phi_notify_set(watch->notify->obj, watch->bits);
	}
}

/**
 * phi_endpoint_of() - the endpoint that an object is
 * @obj: An object of type ENDPOINT.
 *
 * Context: Any.
 * Return: The endpoint.
 */
struct phi_endpoint *phi_endpoint_of(struct phi_object *obj)
{
	return container_of(obj, struct phi_endpoint, obj);
}

/**
 * phi_endpoint_behind() - where messages sent with a capability go
 * @cap: A capability of one of PHI_TYPES_SEND.
 *
 * Context: Any.
 * Return: The endpoint; it lives as long as @cap does.
 */
struct phi_endpoint *phi_endpoint_behind(struct phi_cap *cap)
{
	struct phi_object *obj = cap->obj;

	if (obj->ops->type != PHI_TYPE_ENDPOINT)
		obj = container_of(obj, struct phi_service, obj)->endpoint;
	return phi_endpoint_of(obj);
}

/**
 * phi_endpoint_dead() - can nobody receive from an endpoint any more?
 * @obj: The endpoint, referenced or found under RCU.
 *
 * Context: Any.
 * Return: True when it is dead.
 */
bool phi_endpoint_dead(struct phi_object *obj)
{
	return READ_ONCE(phi_endpoint_of(obj)->dead);
}

static void phi_endpoint_free(struct phi_object *obj)
{
	struct phi_endpoint *ep = phi_endpoint_of(obj);

	phi_credits_free(ep);
	WARN_ON_ONCE(!list_empty(&ep->active) || !list_empty(&ep->watches) ||
		     !xa_empty(&ep->credits));
	xa_destroy(&ep->credits);
	phi_object_fini(obj);
	kfree_rcu(ep, rcu);
}

/* Nobody can receive any more: tell those who wait, under the lock. */
static void phi_endpoint_kill(struct phi_endpoint *ep)
{
	struct phi_credit *credit;
	struct phi_poller *poller;
	unsigned long id;

	lockdep_assert_held(&ep->lock);
	WRITE_ONCE(ep->dead, true);
	phi_waiters_fail(&ep->receivers, -EPIPE);
	xa_for_each(&ep->credits, id, credit)
		phi_waiters_fail(&credit->senders, -EPIPE);
	list_for_each_entry(poller, &ep->files, w.node)
		wake_up_poll(&poller->w.wq, EPOLLHUP);
}

/* What kill() leaves for when the lock is released. */
static void phi_endpoint_bury(struct phi_endpoint *ep)
{
	LIST_HEAD(watches);

	phi_queue_flush(ep);
	/* None are added to a dead one, so these are the last. */
	scoped_guard(spinlock, &ep->lock)
		list_splice_init(&ep->watches, &watches);
	phi_watches_fire(&watches);
	phi_watches_free(&watches);
}

static void phi_endpoint_installed(struct phi_object *obj, struct phi_cap *cap)
{
	struct phi_endpoint *ep = phi_endpoint_of(obj);

	if (!(cap->rights & PHI_RIGHT_RECV))
		return;
	guard(spinlock)(&ep->lock);
	if (phi_cap_live(cap) != -EKEYREVOKED)
		hlist_add_head(&cap->link, &ep->caps);
}

/* Those who wait through a capability that left its slot give up. */
static void phi_endpoint_forget(struct phi_endpoint *ep, struct phi_cap *cap,
				struct list_head *watches)
{
	struct phi_watch *watch, *next;
	struct phi_credit *credit;
	unsigned long id;

	lockdep_assert_held(&ep->lock);
	phi_waiters_removed(&ep->receivers, cap);
	phi_waiters_removed(&ep->callers, cap);
	phi_waiters_removed(&ep->files, cap);
	xa_for_each(&ep->credits, id, credit)
		phi_waiters_removed(&credit->senders, cap);
	list_for_each_entry_safe(watch, next, &ep->watches, node) {
		if (watch->through == cap)
			list_move(&watch->node, watches);
	}
}

/**
 * phi_endpoint_unwait() - a capability to a service object left its slot
 * @obj: The endpoint behind the service object.
 * @cap: The capability.
 *
 * Context: Process context. May sleep.
 */
void phi_endpoint_unwait(struct phi_object *obj, struct phi_cap *cap)
{
	struct phi_endpoint *ep = phi_endpoint_of(obj);
	LIST_HEAD(watches);

	scoped_guard(spinlock, &ep->lock)
		phi_endpoint_forget(ep, cap, &watches);
	phi_watches_free(&watches);
}

static void phi_endpoint_removed(struct phi_object *obj, struct phi_cap *cap)
{
	struct phi_endpoint *ep = phi_endpoint_of(obj);
	bool last = false;
	LIST_HEAD(watches);

	scoped_guard(spinlock, &ep->lock) {
		phi_endpoint_forget(ep, cap, &watches);
		if (!hlist_unhashed(&cap->link)) {
			hlist_del_init(&cap->link);
			last = hlist_empty(&ep->caps) && !ep->dead;
		}
		if (last)
			phi_endpoint_kill(ep);
	}
	phi_watches_free(&watches);
	if (last)
		phi_endpoint_bury(ep);
}

/* Revoked capabilities stay in their slots, but cannot receive. */
static bool phi_endpoint_deserted(struct phi_endpoint *ep)
{
	struct hlist_node *next;
	struct phi_cap *cap;

	lockdep_assert_held(&ep->lock);
	if (ep->dead)
		return false;
	hlist_for_each_entry_safe(cap, next, &ep->caps, link) {
		if (phi_cap_live(cap) == -EKEYREVOKED)
			hlist_del_init(&cap->link);
	}
	return hlist_empty(&ep->caps);
}

static void phi_endpoint_revoked(struct phi_object *obj)
{
	struct phi_endpoint *ep = phi_endpoint_of(obj);
	struct phi_watch *watch, *next;
	struct phi_credit *credit;
	LIST_HEAD(watches);
	unsigned long id;
	bool last;

	scoped_guard(spinlock, &ep->lock) {
		phi_waiters_revoked(&ep->receivers);
		phi_waiters_revoked(&ep->callers);
		phi_waiters_revoked(&ep->files);
		xa_for_each(&ep->credits, id, credit)
			phi_waiters_revoked(&credit->senders);
		list_for_each_entry_safe(watch, next, &ep->watches, node) {
			if (phi_cap_live(watch->through))
				list_move(&watch->node, &watches);
		}
		last = phi_endpoint_deserted(ep);
		if (last)
			phi_endpoint_kill(ep);
	}
	phi_watches_free(&watches);
	if (last)
		phi_endpoint_bury(ep);
	else
		phi_queue_flush(ep);
}

static const struct phi_object_ops phi_endpoint_ops = {
	.type = PHI_TYPE_ENDPOINT,
	.free = phi_endpoint_free,
	.installed = phi_endpoint_installed,
	.removed = phi_endpoint_removed,
	.revoked = phi_endpoint_revoked,
};

/**
 * phi_endpoint_create() - PHI_IOC_ENDPOINT_CREATE
 * @cs: The caller's cspace.
 * @arg: struct phi_endpoint_create.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int phi_endpoint_create(struct phi_cspace *cs, void *arg)
{
	struct phi_endpoint_create *cmd = arg;
	struct phi_endpoint *ep;
	int ret;

	if (cmd->flags)
		return -EOPNOTSUPP;
	ep = kzalloc(sizeof(*ep), GFP_KERNEL_ACCOUNT);
	if (!ep)
		return -ENOMEM;
	spin_lock_init(&ep->lock);
	INIT_HLIST_HEAD(&ep->caps);
	INIT_LIST_HEAD(&ep->active);
	xa_init_flags(&ep->credits, XA_FLAGS_ACCOUNT);
	INIT_LIST_HEAD(&ep->idle);
	INIT_LIST_HEAD(&ep->receivers);
	INIT_LIST_HEAD(&ep->callers);
	INIT_LIST_HEAD(&ep->files);
	INIT_LIST_HEAD(&ep->pollers);
	INIT_LIST_HEAD(&ep->watches);
	ret = phi_object_init(&ep->obj, &phi_endpoint_ops, cs->user);
	if (ret) {
		kfree(ep);
		return ret;
	}
	ret = phi_cspace_install_new(cs, &ep->obj,
				     PHI_RIGHT_SEND | PHI_RIGHT_RECV |
					     PHI_RIGHT_ADMIN | PHI_RIGHT_GRANT,
				     0, &cmd->cap);
	phi_object_put(&ep->obj);
	return ret;
}

/* Return: 0, -EPIPE when it is dead, or why the handle is of no use. */
static int phi_watch_add(struct phi_endpoint *ep, struct phi_watch *watch,
			 const struct phi_waiter *w)
{
	int ret;

	guard(spinlock)(&ep->lock);
	ret = phi_waiter_check(w);
	if (ret)
		return ret;
	if (ep->dead)
		return -EPIPE;
	list_add_tail(&watch->node, &ep->watches);
	return 0;
}

/**
 * phi_endpoint_watch() - PHI_IOC_ENDPOINT_WATCH
 * @cs: The caller's cspace.
 * @arg: struct phi_endpoint_watch.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int phi_endpoint_watch(struct phi_cspace *cs, void *arg)
{
	struct phi_endpoint_watch *cmd = arg;
	struct phi_watch *watch;
	struct phi_waiter w;
	int ret;

	if (cmd->flags)
		return -EOPNOTSUPP;
	if (!cmd->bits)
		return -EINVAL;

	struct phi_cap *cap __free(phi_cap_put) =
		phi_cspace_lookup(cs, cmd->endpoint, PHI_TYPES(ENDPOINT), 0);
	if (IS_ERR(cap))
		return PTR_ERR(cap);
	struct phi_cap *notify __free(phi_cap_put) = phi_cspace_lookup(
		cs, cmd->notify, PHI_TYPES(NOTIFY), PHI_RIGHT_WRITE);
	if (IS_ERR(notify))
		return PTR_ERR(notify);
	watch = phi_watch_new(cs->user, cap, notify, cmd->bits);
	if (IS_ERR(watch))
		return PTR_ERR(watch);
	phi_waiter_init(&w, cs, cmd->endpoint, cap, PHI_TYPES(ENDPOINT), 0);
	ret = phi_watch_add(phi_endpoint_of(cap->obj), watch, &w);
	if (!ret)
		return 0;
	phi_watch_free(watch);
	if (ret != -EPIPE)
		return ret;
	phi_notify_set(notify->obj, cmd->bits);
	return 0;
}
