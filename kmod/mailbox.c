// SPDX-License-Identifier: GPL-2.0-only

#include <linux/cleanup.h>
#include <linux/poll.h>
#include <linux/slab.h>

#include "endpoint.h"
#include "service.h"

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
		     !xa_empty(&ep->credits) || !xa_empty(&ep->turns));
	xa_destroy(&ep->credits);
	xa_destroy(&ep->turns);
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

	phi_service_bury(ep);
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
	/* One that dies after this is found counted by its death. */
	if (phi_cap_live(cap))
		return;
	cap->counted = true;
	ep->recvs++;
}

/* A capability cannot receive any more. Return: whether it was the last. */
static bool phi_endpoint_uncount(struct phi_endpoint *ep, struct phi_cap *cap)
{
	lockdep_assert_held(&ep->lock);
	if (!cap->counted)
		return false;
	cap->counted = false;
	if (--ep->recvs || ep->dead)
		return false;
	phi_endpoint_kill(ep);
	return true;
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
	LIST_HEAD(watches);
	bool last;

	scoped_guard(spinlock, &ep->lock) {
		phi_endpoint_forget(ep, cap, &watches);
		last = phi_endpoint_uncount(ep, cap);
	}
	phi_watches_free(&watches);
	if (last)
		phi_endpoint_bury(ep);
}

static void phi_endpoint_cap_dead(struct phi_object *obj, struct phi_cap *cap)
{
	struct phi_endpoint *ep = phi_endpoint_of(obj);
	bool last;

	scoped_guard(spinlock, &ep->lock)
		last = phi_endpoint_uncount(ep, cap);
	if (last)
		phi_endpoint_bury(ep);
}

static void phi_endpoint_revoked(struct phi_object *obj)
{
	struct phi_endpoint *ep = phi_endpoint_of(obj);
	struct phi_watch *watch, *next;
	struct phi_credit *credit;
	LIST_HEAD(watches);
	unsigned long id;

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
	}
	phi_watches_free(&watches);
	phi_queue_flush(ep);
}

static const struct phi_object_ops phi_endpoint_ops = {
	.type = PHI_TYPE_ENDPOINT,
	.free = phi_endpoint_free,
	.installed = phi_endpoint_installed,
	.removed = phi_endpoint_removed,
	.dead = phi_endpoint_cap_dead,
	.revoked = phi_endpoint_revoked,
};

/**
 * phi_mailbox_new() - make an endpoint
 * @user: Who pays for it.
 *
 * Context: Process context. May sleep.
 * Return: The endpoint with a reference for the caller, or ERR_PTR() of
 * -EDQUOT or -ENOMEM.
 */
struct phi_endpoint *phi_mailbox_new(struct phi_user *user)
{
	struct phi_endpoint *ep = kzalloc(sizeof(*ep), GFP_KERNEL_ACCOUNT);
	int ret;

	if (!ep)
		return ERR_PTR(-ENOMEM);
	spin_lock_init(&ep->lock);
	INIT_LIST_HEAD(&ep->active);
	xa_init_flags(&ep->credits, XA_FLAGS_ACCOUNT);
	xa_init_flags(&ep->turns, XA_FLAGS_ACCOUNT);
	INIT_LIST_HEAD(&ep->idle);
	INIT_LIST_HEAD(&ep->receivers);
	INIT_LIST_HEAD(&ep->callers);
	INIT_LIST_HEAD(&ep->files);
	INIT_LIST_HEAD(&ep->pollers);
	INIT_LIST_HEAD(&ep->watches);
	INIT_LIST_HEAD(&ep->services);
	ret = phi_object_init(&ep->obj, &phi_endpoint_ops, user);
	if (ret) {
		kfree(ep);
		return ERR_PTR(ret);
	}
	return ep;
}
