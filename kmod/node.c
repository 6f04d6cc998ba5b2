// SPDX-License-Identifier: GPL-2.0-only

#include <linux/cleanup.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>

#include "cap.h"
#include "decision.h"
#include "main.h"
#include "quota.h"

/* REPLY nodes: used again at once, so who pins one looks at its slot again. */
static struct kmem_cache *phi_reply_nodes;

/**
 * phi_node_init() - make the cache of REPLY nodes
 *
 * Context: Module load.
 * Return: 0 or -ENOMEM.
 */
int __init phi_node_init(void)
{
	phi_reply_nodes =
		KMEM_CACHE(phi_cap, SLAB_ACCOUNT | SLAB_TYPESAFE_BY_RCU);
	return phi_reply_nodes ? 0 : -ENOMEM;
}

/**
 * phi_node_exit() - give the cache back
 *
 * Context: Module unload, or failed load. No node is left.
 */
void phi_node_exit(void)
{
	kmem_cache_destroy(phi_reply_nodes);
}

/* All 0 but the pins, which a late reader may look at. */
static struct phi_cap *phi_node_alloc(u32 type)
{
	struct phi_cap *cap;

	if (type != PHI_TYPE_REPLY)
		return kzalloc(sizeof(*cap), GFP_KERNEL_ACCOUNT);
	cap = kmem_cache_alloc(phi_reply_nodes, GFP_KERNEL_ACCOUNT);
	if (cap)
		memset_after(cap, 0, pins);
	return cap;
}

/*
 * The parents of dead nodes that a sweep unlinked. No child remembers this
 * version, so that readers on their way up find those nodes dead.
 */
static struct phi_cap phi_grave_revoked = { .version = ATOMIC_INIT(-1) };
static struct phi_cap phi_grave_expired = { .version = ATOMIC_INIT(-1) };

static struct phi_cap *phi_node_new(struct phi_object *obj, u32 rights,
				    u64 badge, struct phi_user *user)
{
	struct phi_cap *cap;
	int ret = phi_quota_charge(user, PHI_QUOTA_CAPS, 1);

	if (ret)
		return ERR_PTR(ret);
	cap = phi_node_alloc(obj->ops->type);
	if (!cap) {
		phi_quota_uncharge(user, PHI_QUOTA_CAPS, 1);
		return ERR_PTR(-ENOMEM);
	}
	refcount_set(&cap->ref, 2);
	spin_lock_init(&cap->lock);
	INIT_LIST_HEAD(&cap->children);
	INIT_LIST_HEAD(&cap->sibling);
	RB_CLEAR_NODE(&cap->expiry);
	phi_object_get(obj);
	cap->obj = obj;
	cap->ops = obj->ops;
	phi_user_hold(user);
	cap->user = user;
	cap->root = cap;
	cap->badge = badge;
	cap->type = obj->ops->type;
	cap->rights = rights;
	cap->depth = 1;
	smp_wmb(); /* all of it before the pins, for phi_cap_tryget() */
	refcount_set(&cap->pins, 1);
	return cap;
}

/**
 * phi_cap_new() - make a root node
 * @obj: The object it names.
 * @rights: PHI_RIGHT_*.
 * @badge: Its badge.
 * @user: The account to charge.
 *
 * Takes its own references to @obj and @user.
 *
 * Context: Process context. May sleep.
 * Return: The node, which the caller owns, or ERR_PTR() of -EDQUOT or
 * -ENOMEM.
 */
struct phi_cap *phi_cap_new(struct phi_object *obj, u32 rights, u64 badge,
			    struct phi_user *user)
{
	return phi_node_new(obj, rights, badge, user);
}

/**
 * phi_tree_lock() - lock the tree of a node
 * @cap: The node; the caller has a reference or a pin.
 *
 * A sweep unlinks dead nodes, which are the roots of nothing from then on.
 *
 * Context: Any but interrupts.
 * Return: The root, which stays @cap's for as long as it is locked.
 */
struct phi_cap *phi_tree_lock(struct phi_cap *cap)
{
	struct phi_cap *root;

	/*
	 * A root stays one, so its memory is the caller's. This acquire, and
	 * the one below, pair with the release of phi_tree_bury(), which holds
	 * another lock.
	 */
	if (smp_load_acquire(&cap->root) == cap) {
		spin_lock(&cap->lock);
		return cap;
	}
	guard(rcu)();
	for (;;) {
		/* Pairs with the release of phi_tree_bury(), as above. */
		root = smp_load_acquire(&cap->root);
		spin_lock(&root->lock);
		if (root == READ_ONCE(cap->root))
			return root;
		spin_unlock(&root->lock);
	}
}

/**
 * phi_tree_unlock() - unlock a tree
 * @root: Return value of phi_tree_lock().
 *
 * Context: Any but interrupts.
 */
void phi_tree_unlock(struct phi_cap *root)
{
	spin_unlock(&root->lock);
}

/**
 * phi_tree_unlink() - take a node out of its tree
 * @root: Its root, locked.
 * @cap: The node, without children.
 *
 * Context: Under the lock of the tree.
 * Return: Its parent, whose reference the caller puts without the lock; NULL
 * when there was none or another caller was first.
 */
struct phi_cap *phi_tree_unlink(struct phi_cap *root, struct phi_cap *cap)
{
	lockdep_assert_held(&root->lock);
	WARN_ON_ONCE(!list_empty(&cap->children));
	if (list_empty(&cap->sibling))
		return NULL;
	list_del_init(&cap->sibling);
	return cap->parent;
}

/**
 * phi_tree_bury() - take a dead node out of its tree
 * @root: Its root, locked.
 * @cap: The node, without children; it stays as dead as it is.
 *
 * Context: Under the lock of the tree.
 * Return: As phi_tree_unlink().
 */
struct phi_cap *phi_tree_bury(struct phi_cap *root, struct phi_cap *cap)
{
	int cause = phi_cap_live(cap);
	struct phi_cap *parent = phi_tree_unlink(root, cap);

	if (parent) {
		WRITE_ONCE(cap->parent, cause == -EKEYEXPIRED ?
						&phi_grave_expired :
						&phi_grave_revoked);
		/*
		 * A thread that reads this root finds the links as they are
		 * now.
		 */
		smp_store_release(&cap->root, cap);
	}
	return parent;
}

/**
 * phi_tree_kill() - kill one node, and with it what is derived from it
 * @root: Its root, locked.
 * @cap: The node, pinned or referenced. Nothing happens when it is dead.
 *
 * Context: Under the lock of the tree.
 */
void phi_tree_kill(struct phi_cap *root, struct phi_cap *cap)
{
	u32 version = cap->parent_version;

	lockdep_assert_held(&root->lock);
	if (phi_cap_live(cap))
		return;
	if (!cap->parent) {
		WRITE_ONCE(cap->parent, &phi_grave_revoked);
		return;
	}
	/*
	 * The parent has had the one before, and the other is so far away that
	 * a revoke of the parent sweeps the node first. A grave has neither.
	 */
	WRITE_ONCE(cap->parent_version, version ? version - 1 : U32_MAX - 1);
	list_move(&cap->sibling, &cap->parent->children);
}

/* Link a new node below @parent, which the caller pins, or find that dead. */
static int phi_tree_link(struct phi_cap *cap, struct phi_cap *parent)
{
	struct phi_cap *root = phi_tree_lock(parent);
	u32 version = atomic_read(&parent->version);
	int ret = phi_cap_live(parent);

	if (!ret && version == U32_MAX)
		ret = -ENOSPC;
	if (!ret) {
		refcount_inc(&parent->ref);
		cap->parent = parent;
		cap->parent_version = version;
		cap->root = root;
		/* Versions only grow: the list stays in their order. */
		list_add_tail(&cap->sibling, &parent->children);
		if (cap->expires_ns)
			phi_expiry_add(cap);
	}
	phi_tree_unlock(root);
	return ret;
}

/**
 * phi_cap_child() - make a node that dies with another
 * @parent: The node it is derived from; the caller has a pin.
 * @obj: The object it names: that of @parent, or a service object behind it.
 * @rights: PHI_RIGHT_*; a subset of @parent's when it names the same object.
 * @badge: Its badge.
 * @expires_ns: CLOCK_BOOTTIME; 0 = as @parent. The earlier of the two counts.
 * @user: The account to charge.
 *
 * Takes its own references.
 *
 * Context: Process context. May sleep.
 * Return: The node, which the caller owns, or ERR_PTR() of -EPERM, -ELOOP,
 * -EKEYREVOKED, -EKEYEXPIRED, -ENOSPC (@parent was revoked 2^32 - 1 times),
 * -EDQUOT or -ENOMEM.
 */
struct phi_cap *phi_cap_child(struct phi_cap *parent, struct phi_object *obj,
			      u32 rights, u64 badge, u64 expires_ns,
			      struct phi_user *user)
{
	struct phi_cap *cap;
	int ret;

	if (obj == parent->obj && rights & ~parent->rights)
		return ERR_PTR(phi_refuse_right(parent, rights));
	if (parent->depth >= PHI_DEPTH_MAX)
		return ERR_PTR(-ELOOP);
	cap = phi_node_new(obj, rights, badge, user);
	if (IS_ERR(cap))
		return cap;
	cap->depth = parent->depth + 1;
	if (obj == parent->obj) {
		cap->first = parent->first;
		cap->pages = parent->pages;
	}
	cap->expires_ns = min_not_zero(expires_ns, parent->expires_ns);
	ret = phi_tree_link(cap, parent);
	if (ret) {
		phi_cap_release(cap);
		return ERR_PTR(ret);
	}
	return cap;
}

/* Link a new node beside @cap, which the caller pins, or find that dead. */
static int phi_tree_link_beside(struct phi_cap *twin, struct phi_cap *cap)
{
	struct phi_cap *root = phi_tree_lock(cap);
	int ret = phi_cap_live(cap);

	if (!ret && cap->parent) {
		refcount_inc(&cap->parent->ref);
		twin->parent = cap->parent;
		/* As @cap is live, no sibling has a later version. */
		twin->parent_version = cap->parent_version;
		twin->root = root;
		list_add_tail(&twin->sibling, &cap->parent->children);
		if (twin->expires_ns)
			phi_expiry_add(twin);
	}
	phi_tree_unlock(root);
	return ret;
}

/**
 * phi_cap_sibling() - make a weaker node that stands in for another
 * @cap: The node, which its owner is about to release; the caller has a pin.
 * @rights: PHI_RIGHT_*, a subset of @cap's.
 * @user: The account to charge.
 *
 * It dies with what @cap dies with. Unlike a child it keeps no stub of @cap,
 * for which the owner of @cap would pay.
 *
 * Context: Process context. May sleep.
 * Return: The node, which the caller owns, or ERR_PTR() of -EPERM,
 * -EKEYREVOKED, -EKEYEXPIRED, -EDQUOT or -ENOMEM.
 */
struct phi_cap *phi_cap_sibling(struct phi_cap *cap, u32 rights,
				struct phi_user *user)
{
	struct phi_cap *twin;
	int ret;

	if (rights & ~cap->rights)
		return ERR_PTR(phi_refuse_right(cap, rights));
	twin = phi_node_new(cap->obj, rights, cap->badge, user);
	if (IS_ERR(twin))
		return twin;
	twin->depth = cap->depth;
	twin->first = cap->first;
	twin->pages = cap->pages;
	twin->expires_ns = cap->expires_ns;
	ret = phi_tree_link_beside(twin, cap);
	if (ret) {
		phi_cap_release(twin);
		return ERR_PTR(ret);
	}
	return twin;
}

/* The account of a node is another from now on. */
static void phi_node_charge(struct phi_cap *cap, struct phi_user *user)
{
	phi_user_hold(user);
	if (cap->expires_ns)
		phi_expiry_pay(cap, user);
	else
		cap->user = user;
}

/**
 * phi_cap_pay() - make another user pay for a node
 * @cap: The node; the caller owns it.
 * @user: The account to charge from now on.
 *
 * The holder of a capability pays for it, so that nobody can use up the quota
 * of another by keeping what that one gave.
 *
 * Context: Any but interrupts.
 * Return: 0, or -EDQUOT; who paid before still does then.
 */
int phi_cap_pay(struct phi_cap *cap, struct phi_user *user)
{
	struct phi_user *before = cap->user;
	int ret;

	if (user == before)
		return 0;
	ret = phi_quota_charge(user, PHI_QUOTA_CAPS, 1);
	if (ret)
		return ret;
	phi_node_charge(cap, user);
	phi_quota_uncharge(before, PHI_QUOTA_CAPS, 1);
	phi_user_put(before);
	return 0;
}

/**
 * phi_cap_repay() - make the user pay again who paid before
 * @cap: The node, as for phi_cap_pay().
 * @user: The account that was charged until the call that is being undone,
 *        above the limit when the room was used meanwhile.
 *
 * Context: Any but interrupts.
 */
void phi_cap_repay(struct phi_cap *cap, struct phi_user *user)
{
	struct phi_user *before = cap->user;

	if (user == before)
		return;
	phi_quota_force(user, PHI_QUOTA_CAPS, 1);
	phi_node_charge(cap, user);
	phi_quota_uncharge(before, PHI_QUOTA_CAPS, 1);
	phi_user_put(before);
}

/**
 * phi_cap_end() - let a node give up its object
 * @cap: The node; the caller owns it, or it is dead and the caller has a
 *       reference. Nothing happens when it has ended before.
 *
 * Context: Process context. May sleep. No lock of this module is held.
 */
void phi_cap_end(struct phi_cap *cap)
{
	if (xchg(&cap->ended, true))
		return;
	if (cap->expires_ns)
		phi_expiry_remove(cap);
	phi_cap_put(cap);
}

/**
 * phi_cap_release() - give up a node that one owns
 * @cap: The node, or NULL, or an ERR_PTR(). Its children live on.
 *
 * Context: Process context. May sleep. No lock of this module is held.
 */
void phi_cap_release(struct phi_cap *cap)
{
	if (IS_ERR_OR_NULL(cap))
		return;
	phi_cap_end(cap);
	phi_stub_put(cap);
}

/**
 * phi_cap_get() - pin a node once more
 * @cap: The node; the caller has a pin.
 *
 * Context: Any.
 */
void phi_cap_get(struct phi_cap *cap)
{
	refcount_inc(&cap->pins);
}

/**
 * phi_cap_tryget() - pin a node that may have ended
 * @cap: The node, found under RCU, or referenced.
 *
 * Context: Any.
 * Return: True when it is pinned now.
 */
bool phi_cap_tryget(struct phi_cap *cap)
{
	return refcount_inc_not_zero(&cap->pins);
}

/**
 * phi_cap_put() - give back a pin
 * @cap: The node, or NULL, or an ERR_PTR(). With the last pin goes its object.
 *
 * Context: Process context. May sleep. No lock of this module is held.
 */
void phi_cap_put(struct phi_cap *cap)
{
	if (IS_ERR_OR_NULL(cap) || !refcount_dec_and_test(&cap->pins))
		return;
	phi_object_put(cap->obj);
	phi_stub_put(cap);
}

/**
 * phi_stub_get() - take a reference that keeps the memory of a node alone
 * @cap: The node; the caller has a reference or a pin.
 *
 * Context: Any.
 */
void phi_stub_get(struct phi_cap *cap)
{
	refcount_inc(&cap->ref);
}

/* A node is about to be freed. Return: its parent, to be put. */
static struct phi_cap *phi_node_leave(struct phi_cap *cap)
{
	struct phi_cap *parent;
	struct phi_cap *root;

	if (!cap->parent)
		return NULL;
	root = phi_tree_lock(cap);
	parent = phi_tree_unlink(root, cap);
	phi_tree_unlock(root);
	return parent;
}

/**
 * phi_stub_put() - give back a reference to the memory of a node
 * @cap: The node, or NULL. With its last reference goes that to its parent.
 *
 * Context: Any but interrupts. The lock of the tree is not held.
 */
void phi_stub_put(struct phi_cap *cap)
{
	/* The chain to the root goes node by node, not by recursion. */
	while (cap && refcount_dec_and_test(&cap->ref)) {
		struct phi_cap *parent = phi_node_leave(cap);

		phi_quota_uncharge(cap->user, PHI_QUOTA_CAPS, 1);
		phi_user_put(cap->user);
		if (cap->type == PHI_TYPE_REPLY)
			kmem_cache_free(phi_reply_nodes, cap);
		else
			kfree_rcu(cap, rcu);
		cap = parent;
	}
}

/* Why a node whose parent has another version is dead. */
static int phi_cap_cause(const struct phi_cap *parent)
{
	return parent == &phi_grave_expired ? -EKEYEXPIRED : -EKEYREVOKED;
}

/**
 * phi_cap_live() - is a node neither revoked nor expired?
 * @cap: The node, referenced, pinned or found under RCU.
 *
 * The loads pair with the barriers in phi_cap_revoke_children() and
 * phi_cap_kill(): a caller that has taken the lock that the second phase of a
 * revoke takes sees the new version; the second phase finds what a caller did
 * before.
 *
 * Context: Any.
 * Return: 0, -EKEYREVOKED or -EKEYEXPIRED.
 */
int phi_cap_live(const struct phi_cap *cap)
{
	u64 expires_ns = cap->expires_ns;
	const struct phi_cap *parent;

	/* A root that was killed alone has a grave for a parent. */
	if (!READ_ONCE(cap->parent))
		return 0;
	/* A parent may be freed under a reader of a node that is unlinked. */
	guard(phi_rcu)();
	while ((parent = READ_ONCE(cap->parent))) {
		if (READ_ONCE(cap->parent_version) !=
		    atomic_read(&parent->version))
			return phi_cap_cause(parent);
		cap = parent;
	}
	if (expires_ns && ktime_get_boottime_ns() >= expires_ns)
		return -EKEYEXPIRED;
	return 0;
}

/**
 * phi_cap_below() - was a node derived from another?
 * @cap: The node, pinned.
 * @top: The other, pinned.
 *
 * Context: Any.
 * Return: True when @top is on the way from @cap to its root, while @cap lives.
 */
bool phi_cap_below(const struct phi_cap *cap, const struct phi_cap *top)
{
	/* As in phi_cap_live(). */
	guard(phi_rcu)();
	while ((cap = READ_ONCE(cap->parent))) {
		if (cap == top)
			return true;
	}
	return false;
}

/**
 * phi_cap_check() - may a node be used so?
 * @cap: The node; the caller has a pin.
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
	if (!(BIT(cap->type) & types))
		return -EINVAL;
	if (rights & ~cap->rights)
		return -EPERM;
	return 0;
}
