// SPDX-License-Identifier: GPL-2.0-only

#include <linux/cleanup.h>
#include <linux/sched.h>
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

	/* A poller that just cut its tie may still be at work under the lock. */
	scoped_guard(spinlock, &ep->lock)
		phi_credits_free(ep);
	WARN_ON_ONCE(!list_empty(&ep->active) || !list_empty(&ep->watches) ||
		     !xa_empty(&ep->credits) || !xa_empty(&ep->turns));
	xa_destroy(&ep->credits);
	xa_destroy(&ep->turns);
	phi_object_fini(obj);
	kfree_rcu(ep, rcu);
}

/*
 * Nobody can receive any more: wake those who wait, a few at a time. Nobody is
 * added to a dead endpoint, so these are the last.
 */
static void phi_endpoint_bury(struct phi_endpoint *ep)
{
	bool more;

	phi_service_bury(ep);
	do {
		scoped_guard(spinlock, &ep->lock)
			more = phi_waiters_fail(&ep->receivers, -EPIPE) |
			       phi_pollers_hang_up(ep);
		cond_resched();
	} while (more);
	phi_queue_flush(ep);
	phi_watches_bury(ep);
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
	WRITE_ONCE(ep->dead, true);
	return true;
}

/* Free the messages that were sent with a revoked capability. */
static void phi_endpoint_recall(struct phi_endpoint *ep, struct phi_cap *cap)
{
	struct phi_message *msg;

	do {
		scoped_guard(spinlock, &ep->lock)
			msg = phi_queue_recall(ep, cap);
		phi_message_free(msg);
		cond_resched();
	} while (msg);
}

/**
 * phi_endpoint_cut() - end what ends with a capability
 * @obj: The endpoint, or the one behind the service object of @cap.
 * @cap: The capability, which has left its slot or died.
 * @error: Why: -EBADF, -EKEYREVOKED or -EKEYEXPIRED.
 *
 * Context: Process context. May sleep.
 */
void phi_endpoint_cut(struct phi_object *obj, struct phi_cap *cap, int error)
{
	struct phi_endpoint *ep = phi_endpoint_of(obj);
	bool more = !phi_ties_none(cap);
	LIST_HEAD(watches);

	while (more) {
		scoped_guard(spinlock, &ep->lock)
			more = phi_ties_cut(cap, error, &watches);
		phi_watches_free(&watches);
		cond_resched();
	}
	if (error == -EKEYREVOKED)
		phi_endpoint_recall(ep, cap);
}

static void phi_endpoint_lose(struct phi_object *obj, struct phi_cap *cap,
			      int error)
{
	struct phi_endpoint *ep = phi_endpoint_of(obj);
	bool last = false;

	if (cap->rights & PHI_RIGHT_RECV) {
		scoped_guard(spinlock, &ep->lock)
			last = phi_endpoint_uncount(ep, cap);
	}
	phi_endpoint_cut(obj, cap, error);
	if (last)
		phi_endpoint_bury(ep);
}

static void phi_endpoint_removed(struct phi_object *obj, struct phi_cap *cap)
{
	phi_endpoint_lose(obj, cap, -EBADF);
}

static void phi_endpoint_cap_dead(struct phi_object *obj, struct phi_cap *cap)
{
	phi_endpoint_lose(obj, cap, phi_cap_live(cap) ?: -EKEYREVOKED);
}

static const struct phi_object_ops phi_endpoint_ops = {
	.type = PHI_TYPE_ENDPOINT,
	.free = phi_endpoint_free,
	.installed = phi_endpoint_installed,
	.removed = phi_endpoint_removed,
	.dead = phi_endpoint_cap_dead,
};

/**
 * phi_mailbox_new() - make an endpoint
 * @user: The account it is charged to.
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
	INIT_LIST_HEAD(&ep->late_in);
	INIT_LIST_HEAD(&ep->late_out);
	INIT_WORK(&ep->late_work, phi_pollers_late);
	INIT_LIST_HEAD(&ep->watches);
	INIT_WORK(&ep->watch_work, phi_watches_hand);
	INIT_LIST_HEAD(&ep->services);
	ret = phi_object_init(&ep->obj, &phi_endpoint_ops, user);
	if (ret) {
		kfree(ep);
		return ERR_PTR(ret);
	}
	return ep;
}
