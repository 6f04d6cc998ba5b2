// SPDX-License-Identifier: GPL-2.0-only

#include <linux/cleanup.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>

#include "cap.h"
#include "quota.h"
#include "seal.h"

/* Ids of nodes; the first is 1. */
static atomic64_t phi_cap_ids;

/**
 * phi_cap_new() - make a root node
 * @obj: What it names.
 * @rights: PHI_RIGHT_*.
 * @badge: Its badge.
 * @user: Who pays for it.
 *
 * Takes its own references to @obj and @user.
 *
 * Context: Process context. May sleep.
 * Return: The node with a reference for the caller, or ERR_PTR() of -EDQUOT or
 * -ENOMEM.
 */
struct phi_cap *phi_cap_new(struct phi_object *obj, u32 rights, u64 badge,
			    struct phi_user *user)
{
	struct phi_cap *cap;
	int ret = phi_quota_charge(user, PHI_QUOTA_CAPS, 1);

	if (ret)
		return ERR_PTR(ret);
	cap = kzalloc(sizeof(*cap), GFP_KERNEL_ACCOUNT);
	if (!cap) {
		phi_quota_uncharge(user, PHI_QUOTA_CAPS, 1);
		return ERR_PTR(-ENOMEM);
	}
	kref_init(&cap->ref);
	phi_object_get(obj);
	cap->obj = obj;
	phi_user_hold(user);
	cap->user = user;
	cap->badge = badge;
	cap->id = atomic64_inc_return(&phi_cap_ids);
	cap->rights = rights;
	cap->depth = 1;
	return cap;
}

/**
 * phi_cap_child() - make a node that dies with another
 * @parent: What it is derived from. The caller has a reference.
 * @obj: What it names: that of @parent, or a service object behind it.
 * @rights: PHI_RIGHT_*; a subset of @parent's when it names the same object.
 * @badge: Its badge.
 * @expires_ns: CLOCK_BOOTTIME; 0 = as @parent. The earlier of the two counts.
 * @user: Who pays for it.
 *
 * Takes its own references. Whoever checked that @parent is live need not
 * worry about a revoke since: the child is dead too then.
 *
 * Context: Process context. May sleep.
 * Return: The node with a reference for the caller, or ERR_PTR() of -EPERM,
 * -ELOOP, -ENOSPC (@parent was revoked 2^32 - 1 times), -EDQUOT or -ENOMEM.
 */
struct phi_cap *phi_cap_child(struct phi_cap *parent, struct phi_object *obj,
			      u32 rights, u64 badge, u64 expires_ns,
			      struct phi_user *user)
{
	u32 version = atomic_read(&parent->version);
	struct phi_cap *cap;

	if (obj == parent->obj && rights & ~parent->rights)
		return ERR_PTR(-EPERM);
	if (parent->depth >= PHI_DEPTH_MAX)
		return ERR_PTR(-ELOOP);
	if (version == U32_MAX)
		return ERR_PTR(-ENOSPC);
	cap = phi_cap_new(obj, rights, badge, user);
	if (IS_ERR(cap))
		return cap;
	phi_cap_get(parent);
	cap->parent = parent;
	cap->parent_version = version;
	cap->depth = parent->depth + 1;
	cap->expires_ns = min_not_zero(expires_ns, parent->expires_ns);
	return cap;
}

/**
 * phi_cap_pay() - make another user pay for a node
 * @cap: The node. It is in no slot, and the caller is the one who puts it into
 *       one, or the one who has taken it out.
 * @user: Who pays from now on. NULL for nobody: nothing but its children and
 *        calls in progress keep it.
 *
 * Whoever holds a capability pays, so that nobody can make another's quota
 * run out by keeping what it was given.
 *
 * Context: Any but interrupts.
 * Return: 0, or -EDQUOT; who paid before still does then.
 */
int phi_cap_pay(struct phi_cap *cap, struct phi_user *user)
{
	struct phi_user *before = cap->user;

	if (user == before)
		return 0;
	if (user) {
		int ret = phi_quota_charge(user, PHI_QUOTA_CAPS, 1);

		if (ret)
			return ret;
		phi_user_hold(user);
	}
	cap->user = user;
	if (before) {
		phi_quota_uncharge(before, PHI_QUOTA_CAPS, 1);
		phi_user_put(before);
	}
	return 0;
}

/**
 * phi_cap_repay() - make the user pay again who paid before
 * @cap: The node, as for phi_cap_pay().
 * @user: Who paid for it until the call that is being undone, above the limit
 *        when the room was used meanwhile.
 *
 * Context: Any but interrupts.
 */
void phi_cap_repay(struct phi_cap *cap, struct phi_user *user)
{
	if (user == cap->user)
		return;
	phi_quota_recharge(user, PHI_QUOTA_CAPS, 1);
	phi_user_hold(user);
	phi_quota_uncharge(cap->user, PHI_QUOTA_CAPS, 1);
	phi_user_put(cap->user);
	cap->user = user;
}

/**
 * phi_cap_get() - take one more reference to a node
 * @cap: The node; the caller has a reference.
 *
 * Context: Any.
 */
void phi_cap_get(struct phi_cap *cap)
{
	kref_get(&cap->ref);
}

/**
 * phi_cap_tryget() - take a reference to a node that may be going away
 * @cap: The node, found under RCU.
 *
 * Context: Any, under rcu_read_lock().
 * Return: True when there is a reference now.
 */
bool phi_cap_tryget(struct phi_cap *cap)
{
	return kref_get_unless_zero(&cap->ref);
}

/**
 * phi_cap_put() - give back a reference to a node
 * @cap: The node, or NULL, or an ERR_PTR(). With its last reference go its
 *       object and its parent.
 *
 * Context: Process context. May sleep. No lock of this module is held.
 */
void phi_cap_put(struct phi_cap *cap)
{
	/* The chain to the root goes node by node, not by recursion. */
	while (!IS_ERR_OR_NULL(cap) &&
	       refcount_dec_and_test(&cap->ref.refcount)) {
		struct phi_cap *parent = cap->parent;

		if (cap->sealed)
			phi_seal_forget(cap);
		phi_object_put(cap->obj);
		phi_cap_pay(cap, NULL);
		kfree_rcu(cap, rcu);
		cap = parent;
	}
}

/**
 * phi_cap_live() - is a node neither revoked nor expired?
 * @cap: The node, held by a reference or found under RCU.
 *
 * The loads pair with the barrier in phi_cap_kill_children(): whoever takes
 * the lock that the second phase of a revoke takes, and checks after it, sees
 * the new version; whoever checked before is found by the second phase.
 *
 * Context: Any.
 * Return: 0, -EKEYREVOKED or -EKEYEXPIRED.
 */
int phi_cap_live(const struct phi_cap *cap)
{
	u64 expires_ns = cap->expires_ns;
	int ret = 0;

	/* A parent may be freed under a reader without a reference. */
	rcu_read_lock();
	for (; cap->parent; cap = cap->parent) {
		if (cap->parent_version != atomic_read(&cap->parent->version)) {
			ret = -EKEYREVOKED;
			break;
		}
	}
	rcu_read_unlock();
	if (!ret && expires_ns && ktime_get_boottime_ns() >= expires_ns)
		ret = -EKEYEXPIRED;
	return ret;
}

/**
 * phi_cap_check() - may a node be used so?
 * @cap: The node; the caller has a reference.
 * @types: Bits of the types it may have.
 * @rights: Rights it must have.
 *
 * Context: Any.
 * Return: 0; in this order -EKEYREVOKED, -EKEYEXPIRED, -EINVAL for another
 * type, -EPERM for a missing right.
 */
int phi_cap_check(const struct phi_cap *cap, u32 types, u32 rights)
{
	int ret = phi_cap_live(cap);

	if (ret)
		return ret;
	if (!(BIT(cap->obj->ops->type) & types))
		return -EINVAL;
	if (rights & ~cap->rights)
		return -EPERM;
	return 0;
}

/**
 * phi_cap_kill_children() - the first phase of a revoke
 * @cap: The node whose descendants die; it lives on.
 *
 * One increment, however many they are. The caller goes on to the second
 * phase, ops->revoked() of the object, which tears down what they had.
 *
 * Context: Any.
 */
void phi_cap_kill_children(struct phi_cap *cap)
{
	/* At U32_MAX there are no children and none are made. */
	atomic_add_unless(&cap->version, 1, (int)U32_MAX);
	/*
	 * Full barrier between the new version and what the second phase looks
	 * at (lists of mappings, waiters, queues). Pairs with the order in the
	 * fault handler, in recv, send, call and wait: they first put
	 * themselves where the second phase looks, then call phi_cap_live().
	 * One of the two sees the other.
	 */
	smp_mb__after_atomic();
}
