/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PHI_KCAP_H
#define _PHI_KCAP_H

#include <linux/kref.h>
#include <linux/rcupdate.h>
#include <linux/types.h>

#include "object.h"

struct phi_cspace;

/**
 * DOC: Derivation and revocation
 *
 * Each capability is a node. A child remembers the version its parent had;
 * a node is live while every node on the way to the root still has the
 * version its child remembers. So revoking is one atomic increment, however
 * many capabilities it kills, and checking is at most PHI_DEPTH_MAX loads.
 *
 * A node may be read under RCU or with a reference; @obj may be followed with
 * a reference only. Its fields never change, but for @version, @user,
 * @held and @sealed.
 *
 * References: no function here or in cspace.h uses up a reference of its
 * caller. What makes or finds a node returns one that the caller puts;
 * phi_cspace_install() takes its own, phi_cspace_remove() hands out the one
 * that the slot had. Functions that return a pointer fail with ERR_PTR(), never
 * with NULL, and phi_cap_put() takes NULL and ERR_PTR() as kfree() takes NULL.
 */

/**
 * struct phi_cap - a node of the derivation tree
 * @ref: The slot or message that holds it, its children, calls in progress.
 * @version: Times its children were revoked; stays at U32_MAX once there, and
 *           no child is made from then on.
 * @parent_version: The version @parent had when this one was derived.
 * @parent: NULL for a root; referenced.
 * @obj: What it names; referenced.
 * @user: Who pays for it, referenced: the sender in flight, then whoever's slot
 *        it is in. NULL once it is dropped and only its children keep it.
 * @badge: See struct phi_cap_derive.
 * @expires_ns: CLOCK_BOOTTIME; 0 = never. The minimum along the chain.
 * @id: For tokens; never used twice.
 * @rights: PHI_RIGHT_*.
 * @depth: 1 for a root.
 * @held: True while a slot of a cspace holds it: a token only works then.
 *        Written under that cspace's lock; at most one slot holds a node.
 * @sealed: True once a token was made of it: it is in the table of seal.c.
 * @link: For the type of @obj, from ops->installed to ops->removed, under a
 *        lock of the type's own; zeroed when made.
 * @rcu: Frees it.
 */
struct phi_cap {
	struct kref ref;
	atomic_t version;
	u32 parent_version;
	struct phi_cap *parent;
	struct phi_object *obj;
	struct phi_user *user;
	u64 badge;
	u64 expires_ns;
	u64 id;
	u8 rights;
	u8 depth;
	bool held;
	bool sealed;
	struct hlist_node link;
	struct rcu_head rcu;
};

struct phi_cap *phi_cap_new(struct phi_object *obj, u32 rights, u64 badge,
			    struct phi_user *user);
struct phi_cap *phi_cap_child(struct phi_cap *parent, struct phi_object *obj,
			      u32 rights, u64 badge, u64 expires_ns,
			      struct phi_user *user);
int phi_cap_pay(struct phi_cap *cap, struct phi_user *user);
void phi_cap_repay(struct phi_cap *cap, struct phi_user *user);
void phi_cap_get(struct phi_cap *cap);
bool phi_cap_tryget(struct phi_cap *cap);
void phi_cap_put(struct phi_cap *cap);
int phi_cap_live(const struct phi_cap *cap);
int phi_cap_check(const struct phi_cap *cap, u32 types, u32 rights);
void phi_cap_kill_children(struct phi_cap *cap);

DEFINE_FREE(phi_cap_put, struct phi_cap *, phi_cap_put(_T))

#endif /* _PHI_KCAP_H */
