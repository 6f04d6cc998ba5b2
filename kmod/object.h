/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PHI_OBJECT_H
#define _PHI_OBJECT_H

#include <linux/kref.h>
#include <linux/types.h>
#include <phi.h>

struct phi_cap;
struct phi_object;
struct phi_user;

/**
 * DOC: Objects
 *
 * An object is anything that a capability can name. It lives as long as a
 * capability to it has not ended, or a call in progress uses one, or another
 * object refers to it. Handles and messages that have a dead capability keep
 * no object: its memory and the quota of its maker are free when the last live
 * one goes.
 */

/**
 * struct phi_object_ops - what a type of object does when things happen
 * @type: PHI_TYPE_*.
 * @free: The last reference is gone. May sleep. Frees the memory.
 * @installed: A capability to it was put in a slot of a cspace. Optional;
 *             may be called under the cspace's lock, so it must not sleep.
 * @removed: A capability to it was taken out of a slot: dropped, moved into
 *           a message, or its cspace closed. Optional. May sleep; no lock
 *           is held. May be called beside @dead for one capability.
 * @dead: A capability to it was revoked or has expired, in a slot, in a
 *        message or without either: tear down its mappings, wake its waiters,
 *        flush what it has queued. Optional. May sleep; no lock is held. May
 *        be called more than once, and beside itself; each returns when
 *        nothing can be done through the capability any more. Called for each
 *        dead capability, so its cost must not depend on what others have.
 * @reclaim: After a revoke: returns the errno that the revoke has, which is
 *           done all the same; with @wait, when nothing that was revoked has
 *           pages of the object pinned any more. Optional. May sleep; no lock
 *           is held.
 */
struct phi_object_ops {
	u32 type;
	void (*free)(struct phi_object *obj);
	void (*installed)(struct phi_object *obj, struct phi_cap *cap);
	void (*removed)(struct phi_object *obj, struct phi_cap *cap);
	void (*dead)(struct phi_object *obj, struct phi_cap *cap);
	int (*reclaim)(struct phi_object *obj, bool wait);
};

/**
 * struct phi_object - the head of everything a capability can name
 * @ref: Nodes and objects that refer to it.
 * @ops: Operations of its type.
 * @user: The account it is charged to, referenced.
 */
struct phi_object {
	struct kref ref;
	const struct phi_object_ops *ops;
	struct phi_user *user;
};

/*
 * init() charges one PHI_QUOTA_OBJECTS to @user, takes a reference to it and
 * starts with one reference to the object; when it fails there is nothing to
 * undo. ops->free() calls fini(), then frees the memory.
 */
int phi_object_init(struct phi_object *obj, const struct phi_object_ops *ops,
		    struct phi_user *user);
void phi_object_fini(struct phi_object *obj);
void phi_object_get(struct phi_object *obj);
void phi_object_put(struct phi_object *obj);
u64 phi_object_count(u32 type);

#endif /* _PHI_OBJECT_H */
