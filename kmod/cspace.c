// SPDX-License-Identifier: GPL-2.0-only

#include <linux/capability.h>
#include <linux/cleanup.h>
#include <linux/nospec.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "cspace.h"
#include "decision.h"
#include "quota.h"
#include "slot.h"

static atomic64_t phi_cspaces;
static atomic64_t phi_cspace_ids;

/**
 * phi_cspace_new() - make an empty cspace
 * @tgid: The process that it belongs to.
 * @cred: The credentials that it uses; their user is charged an object.
 *
 * Takes its own references.
 *
 * Context: Process context. May sleep.
 * Return: The cspace with one reference, or ERR_PTR() of -EDQUOT or -ENOMEM.
 */
struct phi_cspace *phi_cspace_new(struct pid *tgid, const struct cred *cred)
{
	struct phi_user *user = phi_user_get(cred->euid);
	struct phi_cspace *cs;
	int ret;

	if (IS_ERR(user))
		return ERR_CAST(user);
	ret = phi_quota_charge(user, PHI_QUOTA_OBJECTS, 1);
	if (ret)
		goto put_user;
	ret = -ENOMEM;
	cs = kzalloc(sizeof(*cs), GFP_KERNEL_ACCOUNT);
	if (!cs)
		goto uncharge;
	cs->user = user;
	kref_init(&cs->ref);
	spin_lock_init(&cs->lock);
	xa_init_flags(&cs->parked, XA_FLAGS_ACCOUNT);
	xa_init_flags(&cs->tickets, XA_FLAGS_ACCOUNT);
	xa_init_flags(&cs->reservations, XA_FLAGS_ACCOUNT);
	INIT_LIST_HEAD(&cs->crew);
	cs->free = PHI_SLOTS_MAX;
	cs->id = atomic64_inc_return(&phi_cspace_ids);
	cs->tgid = get_pid(tgid);
	cs->cred = get_cred(cred);
	atomic64_inc(&phi_cspaces);
	return cs;

uncharge:
	phi_quota_uncharge(user, PHI_QUOTA_OBJECTS, 1);
put_user:
	phi_user_put(user);
	return ERR_PTR(ret);
}

/**
 * phi_cspace_get() - take one more reference to a cspace
 * @cs: The cspace; the caller has a reference.
 *
 * Context: Any.
 */
void phi_cspace_get(struct phi_cspace *cs)
{
	kref_get(&cs->ref);
}

static void phi_cspace_release(struct kref *ref)
{
	struct phi_cspace *cs = container_of(ref, struct phi_cspace, ref);

	WARN_ON_ONCE(cs->used);
	WARN_ON_ONCE(!xa_empty(&cs->tickets));
	WARN_ON_ONCE(!xa_empty(&cs->reservations));
	phi_slots_free(cs);
	WARN_ON_ONCE(!xa_empty(&cs->parked));
	xa_destroy(&cs->parked);
	xa_destroy(&cs->tickets);
	xa_destroy(&cs->reservations);
	put_cred(cs->cred);
	put_pid(cs->tgid);
	phi_quota_uncharge(cs->user, PHI_QUOTA_OBJECTS, 1);
	phi_user_put(cs->user);
	kfree(cs);
	atomic64_dec(&phi_cspaces);
}

/**
 * phi_cspace_put() - give back a reference to a cspace
 * @cs: The cspace, or NULL, or an ERR_PTR(). It was closed before the last
 *      reference goes.
 *
 * Context: Process context.
 */
void phi_cspace_put(struct phi_cspace *cs)
{
	if (!IS_ERR_OR_NULL(cs))
		kref_put(&cs->ref, phi_cspace_release);
}

/**
 * phi_cspace_count() - count cspaces
 *
 * Context: Any.
 * Return: How many there are on the host, closed ones in use included.
 */
u64 phi_cspace_count(void)
{
	return atomic64_read(&phi_cspaces);
}

/**
 * phi_cspace_owned() - does a cspace belong to the current process?
 * @cs: The cspace.
 *
 * Context: Process context.
 * Return: True for the process that opened it, whatever it executes now.
 */
bool phi_cspace_owned(const struct phi_cspace *cs)
{
	return cs->tgid == task_tgid(current);
}

/**
 * phi_cspace_allowed() - may the current process use a cspace?
 * @cs: The cspace.
 *
 * Context: Process context.
 * Return: 0, or -EPERM.
 */
int phi_cspace_allowed(struct phi_cspace *cs)
{
	if (phi_cspace_owned(cs) || READ_ONCE(cs->shared))
		return 0;
	return -EPERM;
}

/**
 * phi_cspace_capable() - has the opener of a cspace a privilege of the host?
 * @cs: The cspace.
 * @capability: CAP_*.
 *
 * Asks for the credentials at the time of the open, not for those of whoever
 * was handed the file, nor for what the opener has become.
 *
 * Context: Process context.
 * Return: True when it has it in the initial user namespace.
 */
bool phi_cspace_capable(const struct phi_cspace *cs, int capability)
{
	const struct cred *old = override_creds(cs->cred);
	bool capable_ = ns_capable(&init_user_ns, capability);

	revert_creds(old);
	return capable_;
}

/**
 * phi_cspace_glance() - what is behind a handle, from where one may not sleep
 * @cs: The cspace.
 * @handle: The handle.
 * @found: Out, NULL or a pinned node, which the caller puts where it may
 *         sleep, also when the handle turned out to be stale.
 *
 * The slot may be emptied and filled again at any moment, so it is looked at
 * again with the pin.
 *
 * Context: Any.
 * Return: 0 when @found is what the handle names, which may be dead;
 * -EKEYREVOKED or -EKEYEXPIRED when it is dead and has ended; else -EBADF.
 */
int phi_cspace_glance(struct phi_cspace *cs, u64 handle, struct phi_cap **found)
{
	struct phi_slot *slot;
	struct phi_cap *cap;

	*found = NULL;
	guard(phi_rcu)();
	slot = phi_slot_find(cs, handle);
	cap = slot ? rcu_dereference_sched(slot->cap) : NULL;
	if (!cap)
		return -EBADF;
	if (phi_cap_tryget(cap))
		*found = cap;
	/*
	 * The slot's node before its generation. Pairs with the release in
	 * phi_slot_fill(): who sees a later node sees its generation too. And
	 * the pins of a node before its slot: a node that its owner released
	 * was taken out of the slot first.
	 */
	smp_rmb();
	if (READ_ONCE(slot->gen) != PHI_HANDLE_GEN(handle) ||
	    rcu_access_pointer(slot->cap) != cap)
		return -EBADF;
	return *found ? 0 : phi_cap_live(cap) ?: -EKEYREVOKED;
}

/**
 * phi_cspace_holds() - does a handle still lead to a capability?
 * @cs: The cspace.
 * @handle: The handle.
 * @cap: Capability of @handle so far; the caller has a reference.
 *
 * It takes no reference, so it can be asked under a lock.
 *
 * Context: Any.
 * Return: True when it does, dead or alive.
 */
bool phi_cspace_holds(struct phi_cspace *cs, u64 handle,
		      const struct phi_cap *cap)
{
	struct phi_slot *slot;

	guard(phi_rcu)();
	slot = phi_slot_find(cs, handle);
	return slot && rcu_access_pointer(slot->cap) == cap;
}

/* Note why a handle was refused. */
static noinline void phi_cspace_refuse(u64 handle, const struct phi_cap *cap,
				       u32 types, u32 rights, int error)
{
	struct phi_refusal why = {
		.handle = handle,
		.named = true,
		.types = types,
		.needs = rights,
	};

	if (cap) {
		why.type = cap->type;
		why.rights = cap->rights;
		why.badge = cap->badge;
	}
	switch (error) {
	case -EBADF:
		why.where = PHI_DECIDED_HANDLE;
		break;
	case -EINVAL:
		why.where = PHI_DECIDED_TYPE;
		break;
	case -EPERM:
		why.where = PHI_DECIDED_RIGHT;
		break;
	case -EKEYEXPIRED:
		why.where = PHI_DECIDED_EXPIRED;
		break;
	default:
		why.where = PHI_DECIDED_REVOKED;
	}
	phi_refuse(error, &why);
}

/**
 * phi_cspace_lookup() - the capability behind a handle
 * @cs: The cspace.
 * @handle: The handle.
 * @types: Bits of the types it may have, PHI_TYPES().
 * @rights: Rights it must have.
 *
 * Context: Process context. May sleep.
 * Return: The node with a pin for the caller; or ERR_PTR(), in this order, of
 * -EBADF, -EKEYREVOKED, -EKEYEXPIRED, -EINVAL for another type, -EPERM for a
 * missing right.
 */
struct phi_cap *phi_cspace_lookup(struct phi_cspace *cs, u64 handle, u32 types,
				  u32 rights)
{
	struct phi_cap *cap;
	int ret = phi_cspace_glance(cs, handle, &cap);

	if (!ret)
		ret = phi_cap_check(cap, types, rights);
	if (!ret)
		return cap;
	/* The slot of a stale handle has another capability now. */
	phi_cspace_refuse(handle, ret == -EBADF ? NULL : cap, types, rights,
			  ret);
	phi_cap_put(cap);
	return ERR_PTR(ret);
}

static int phi_cspace_fill(struct phi_cspace *cs, struct phi_cap *cap,
			   bool pinned, u64 *handle)
{
	for (;;) {
		u32 page;
		int ret;

		spin_lock(&cs->lock);
		ret = phi_slot_fill(cs, cap, pinned, handle, &page);
		spin_unlock(&cs->lock);
		if (ret != -EAGAIN)
			return ret;
		ret = phi_slots_grow(cs, page);
		if (ret)
			return ret;
	}
}

/**
 * phi_cspace_install() - put a capability into a free slot
 * @cs: The cspace; its user pays for the node from now on.
 * @cap: The node, in no slot. The caller owns it, and no longer when this
 *       succeeds: another thread may have dropped it when this returns.
 * @handle: Out, its new name.
 *
 * Context: Process context. May sleep.
 * Return: 0; -EDQUOT, -ENOSPC when every slot is taken, -ENOMEM, or -EBADF
 * when the cspace is closed.
 */
int phi_cspace_install(struct phi_cspace *cs, struct phi_cap *cap, u64 *handle)
{
	int ret = phi_cap_pay(cap, cs->user);
	bool pinned;

	if (ret)
		return ret;
	pinned = cap->ops->installed && phi_cap_tryget(cap);
	ret = phi_cspace_fill(cs, cap, pinned, handle);
	if (pinned)
		phi_cap_put(cap);
	return ret;
}

/**
 * phi_cspace_give() - put a capability into a free slot, or release it
 * @cs: The cspace; its user pays for the node from now on.
 * @cap: The node, in no slot. The caller owned it. Or an ERR_PTR().
 * @handle: Out, its new name.
 *
 * Context: Process context. May sleep. No lock of this module is held.
 * Return: 0, the error in @cap, or that of phi_cspace_install().
 */
int phi_cspace_give(struct phi_cspace *cs, struct phi_cap *cap, u64 *handle)
{
	int ret;

	if (IS_ERR(cap))
		return PTR_ERR(cap);
	ret = phi_cspace_install(cs, cap, handle);
	if (ret)
		phi_cap_release(cap);
	return ret;
}

/**
 * phi_cspace_install_new() - give a cspace the first capability to an object
 * @cs: The cspace; its user pays for the capability.
 * @obj: The object. The capability takes its own reference.
 * @rights: PHI_RIGHT_*.
 * @badge: Its badge.
 * @handle: Out, its name.
 *
 * Context: Process context. May sleep.
 * Return: 0 or the error of phi_cap_new() or phi_cspace_install().
 */
int phi_cspace_install_new(struct phi_cspace *cs, struct phi_object *obj,
			   u32 rights, u64 badge, u64 *handle)
{
	return phi_cspace_give(cs, phi_cap_new(obj, rights, badge, cs->user),
			       handle);
}

/* A dead one has gone through ops->dead, which does the same. */
static void phi_cap_removed(struct phi_cap *cap)
{
	if (!cap->ops->removed || !phi_cap_tryget(cap))
		return;
	cap->ops->removed(cap->obj, cap);
	phi_cap_put(cap);
}

/**
 * phi_cspace_remove() - take a capability out of its slot
 * @cs: The cspace.
 * @handle: The handle; it is never used again, for anything else either.
 *
 * Context: Process context. May sleep. No lock of this module is held.
 * Return: The node, which the caller owns, or ERR_PTR(-EBADF).
 */
struct phi_cap *phi_cspace_remove(struct phi_cspace *cs, u64 handle)
{
	struct phi_cap *cap;

	scoped_guard(spinlock, &cs->lock)
		cap = phi_slot_empty(cs, handle);
	if (!cap)
		return ERR_PTR(-EBADF);
	phi_watch_end(cap);
	phi_cap_removed(cap);
	return cap;
}

/**
 * phi_cspace_drop() - forget a handle
 * @cs: The cspace.
 * @handle: The handle.
 *
 * Context: Process context. May sleep. No lock of this module is held.
 * Return: 0 or -EBADF.
 */
int phi_cspace_drop(struct phi_cspace *cs, u64 handle)
{
	struct phi_cap *cap = phi_cspace_remove(cs, handle);

	if (IS_ERR(cap))
		return PTR_ERR(cap);
	phi_cap_release(cap);
	return 0;
}

/**
 * phi_cspace_close() - drop every capability of a cspace
 * @cs: The cspace. Nothing can be installed any more.
 *
 * Context: Process context. May sleep. No lock of this module is held.
 */
void phi_cspace_close(struct phi_cspace *cs)
{
	u32 top;

	spin_lock(&cs->lock);
	cs->closed = true;
	top = cs->top;
	spin_unlock(&cs->lock);
	for (u32 index = 0; index < top; index++) {
		u64 handle = phi_slot_handle(cs, index);

		if (handle)
			phi_cspace_drop(cs, handle);
		cond_resched();
	}
}
