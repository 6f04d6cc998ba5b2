/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PHI_KCAP_H
#define _PHI_KCAP_H

#include <linux/cleanup.h>
#include <linux/list.h>
#include <linux/llist.h>
#include <linux/rbtree.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/rhashtable-types.h>
#include <linux/spinlock_types.h>
#include <linux/types.h>
#include <linux/workqueue_types.h>

#include "object.h"

struct phi_cspace;

/**
 * DOC: Derivation and revocation
 *
 * Each capability is a node of a tree. A child remembers the version its
 * parent had; a node is live while every node on the way to the root still
 * has the version its child remembers. A revoke is therefore one atomic
 * increment, however many capabilities it kills, and a check is at most
 * PHI_DEPTH_MAX loads.
 *
 * A revoke of one node alone changes the version that this node remembers, to
 * one that its parent does not have: one store, which its siblings outlive.
 *
 * The increment or the store is what readers see. The revoke then sweeps the
 * dead nodes, which it finds through the lists of children: each is unlinked
 * from its parent and ends, which lets go of its object. A node whose time is
 * up is swept by a worker. A derivation checks its parent under the lock of the
 * tree, so no child is added below a node that a sweep has passed.
 *
 * A node has one owner: who made it, a slot or a message. The owner passes it
 * on, or releases it. A node ends when its owner releases it or when it dies,
 * whichever is first; it has an object until then, and for as long as calls
 * in progress pin it. A stub remains: that of a dead node keeps nothing but
 * itself, and its owner frees it; that of a node which was released while it
 * had children goes with the last of them. The user of the owner pays for a
 * node and for its stub.
 *
 * phi_cap_tryget(), phi_cap_get() and phi_cap_put() handle pins; only with a
 * pin may @obj be followed. phi_stub_get() and phi_stub_put() keep the memory
 * alone. A node may also be read under RCU. Functions that return a node fail
 * with ERR_PTR(), never with NULL; phi_cap_put() and phi_cap_release() take
 * NULL and ERR_PTR() as kfree() takes NULL.
 */

/**
 * struct phi_cap - a node of the derivation tree
 * @ref: The owner, each child, and one for all of @pins.
 * @pins: Calls in progress, and one until the node ends.
 * @version: Times its children were revoked; stays at U32_MAX once there, and
 *           no child is made from then on.
 * @parent_version: The version @parent had when this one was derived, or
 *                  another one once this node was killed alone. Written under
 *                  the lock of the tree.
 * @parent: NULL for a root; referenced. A grave once a sweep unlinked it, or a
 *          root was killed: the version of a grave matches that of no child.
 * @root: The node whose @lock guards the links between the nodes of a tree.
 * @obj: The object it names; referenced until that has ended and has no pins.
 * @ops: Of @obj; may be followed without a pin.
 * @user: The account it is charged to, referenced. Written by the owner, under
 *        the lock of the expiries when it expires.
 * @badge: See struct phi_cap_derive.
 * @expires_ns: CLOCK_BOOTTIME; 0 = never. The minimum along the chain.
 * @id: For tokens and queries, by phi_cap_id(): 0 until somebody asks for it in
 *      the slot where it is now, then at random.
 * @type: Of @obj.
 * @rights: PHI_RIGHT_*.
 * @depth: 1 for a root.
 * @held: True while a slot of a cspace holds it. Written under that cspace's
 *        lock; at most one slot holds a node.
 * @sealed: True while tokens may name it by @id, as @held.
 * @counted: For the type of @obj, under a lock of its own: the node counts
 *           among those that make an endpoint receive or a port open.
 * @mapped: A MEMORY capability was mapped through, under its region's lock.
 * @first: Of a MEMORY capability: its first page of the region. Written before
 *         a slot holds it, as is @pages.
 * @pages: How many are its own, 0 = those of the whole region.
 * @ended: The owner has released it, or it has died.
 * @lock: Of the tree, in a root; unused in others.
 * @watched: Number of the first of its watches, 0 = none. Under the watch lock.
 * @children: Nodes derived from it, the dead ones first, then in the order of
 *            their @parent_version.
 * @sibling: In @children of @parent; empty when it is not linked.
 * @expiry: In the tree of nodes that expire, from derivation to end.
 * @token: In the table of sealed nodes.
 * @ties: Ties that are cut when it leaves its slot or dies, struct phi_tie,
 *        under a lock of the type's own.
 * @posts: Messages sent with it that are queued, under the endpoint's lock.
 * @rcu: Frees it.
 * @expired: In the list of its user, from its expiry until a worker ends it,
 *           with a reference.
 *
 * Fields whose line names no change keep their value from birth.
 */
struct phi_cap {
	refcount_t ref;
	refcount_t pins;
	atomic_t version;
	u32 parent_version;
	struct phi_cap *parent;
	struct phi_cap *root;
	struct phi_object *obj;
	const struct phi_object_ops *ops;
	struct phi_user *user;
	u64 badge;
	u64 expires_ns;
	u64 id;
	u8 type;
	u8 rights;
	u8 depth;
	bool held;
	bool sealed;
	bool counted;
	bool mapped;
	bool ended;
	u32 first;
	u32 pages;
	spinlock_t lock; /* see main.h */
	u32 watched;
	struct list_head children;
	struct list_head sibling;
	struct rb_node expiry;
	struct rhash_head token;
	struct hlist_head ties;
	struct hlist_head posts;
	union {
		struct rcu_head rcu;
		struct llist_node expired;
	};
};

/* Nodes; the caller owns what it makes. kmod/node.c. */
struct phi_cap *phi_cap_new(struct phi_object *obj, u32 rights, u64 badge,
			    struct phi_user *user);
struct phi_cap *phi_cap_child(struct phi_cap *parent, struct phi_object *obj,
			      u32 rights, u64 badge, u64 expires_ns,
			      struct phi_user *user);
struct phi_cap *phi_cap_sibling(struct phi_cap *cap, u32 rights,
				struct phi_user *user);
int phi_cap_pay(struct phi_cap *cap, struct phi_user *user);
void phi_cap_repay(struct phi_cap *cap, struct phi_user *user);
void phi_cap_end(struct phi_cap *cap);
void phi_cap_release(struct phi_cap *cap);
void phi_cap_get(struct phi_cap *cap);
bool phi_cap_tryget(struct phi_cap *cap);
void phi_cap_put(struct phi_cap *cap);
void phi_stub_get(struct phi_cap *cap);
void phi_stub_put(struct phi_cap *cap);
int phi_cap_live(const struct phi_cap *cap);
u64 phi_cap_id(struct phi_cap *cap);
bool phi_cap_below(const struct phi_cap *cap, const struct phi_cap *top);
int phi_cap_check(const struct phi_cap *cap, u32 types, u32 rights);

/* Its attributes. kmod/cap.c. */
int phi_cap_badge(const struct phi_cap *parent, u64 badge, u64 *out);

/* Their death. kmod/sweep.c. */
void phi_cap_revoke_children(struct phi_cap *cap);
void phi_cap_kill(struct phi_cap *cap);
void phi_expiry_sweep(struct work_struct *work);
bool phi_sweep_queue(struct work_struct *work);

/* Their watches. kmod/watch.c. */
void phi_watch_end(struct phi_cap *cap);
void phi_watches_tell(struct work_struct *work);
void phi_watch_exit(void);

/* The links of a tree, for node.c and sweep.c. */
struct phi_cap *phi_tree_lock(struct phi_cap *cap);
void phi_tree_unlock(struct phi_cap *root);
struct phi_cap *phi_tree_unlink(struct phi_cap *root, struct phi_cap *cap);
struct phi_cap *phi_tree_bury(struct phi_cap *root, struct phi_cap *cap);
void phi_tree_kill(struct phi_cap *root, struct phi_cap *cap);
void phi_expiry_add(struct phi_cap *cap);
void phi_expiry_remove(struct phi_cap *cap);
void phi_expiry_pay(struct phi_cap *cap, struct phi_user *user);

/*
 * Of a few instructions that take no lock: with preemption off, which costs
 * the fewest.
 */
DEFINE_LOCK_GUARD_0(phi_rcu, rcu_read_lock_sched(), rcu_read_unlock_sched())

DEFINE_FREE(phi_cap_put, struct phi_cap *, phi_cap_put(_T))
DEFINE_FREE(phi_cap_release, struct phi_cap *, phi_cap_release(_T))

#endif /* _PHI_KCAP_H */
