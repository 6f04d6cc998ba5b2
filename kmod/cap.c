// SPDX-License-Identifier: GPL-2.0-only

#include <linux/cleanup.h>
#include <linux/minmax.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "decision.h"
#include "dispatch.h"
#include "hook.h"
#include "service.h"
#include "slot.h"

/**
 * phi_cap_badge() - the badge of what is derived from a capability
 * @parent: The capability, pinned.
 * @badge: The badge that was asked for; 0 = that of @parent.
 * @out: Out, the badge.
 *
 * Context: Any.
 * Return: 0; -EINVAL when @parent is no ENDPOINT, -EPERM when it has a badge.
 */
int phi_cap_badge(const struct phi_cap *parent, u64 badge, u64 *out)
{
	*out = badge ?: parent->badge;
	if (!badge)
		return 0;
	if (parent->type != PHI_TYPE_ENDPOINT)
		return -EINVAL;
	return parent->badge ? phi_refuse_badge(parent, 0) : 0;
}

/**
 * phi_cap_derive() - PHI_IOC_CAP_DERIVE
 * @cs: The caller's cspace.
 * @arg: struct phi_cap_derive.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int phi_cap_derive(struct phi_cspace *cs, void *arg)
{
	struct phi_cap_derive *cmd = arg;
	u64 badge;
	int ret;

	if (cmd->flags)
		return -EOPNOTSUPP;
	if (cmd->pad)
		return -EINVAL;

	struct phi_cap *parent __free(phi_cap_put) = phi_cspace_lookup(
		cs, cmd->cap, PHI_TYPES_ANY & ~PHI_TYPES(REPLY), 0);
	if (IS_ERR(parent)) {
		phi_refuse_more(cmd->rights);
		return PTR_ERR(parent);
	}
	ret = phi_cap_badge(parent, cmd->badge, &badge);
	if (ret)
		return ret;

	return phi_cspace_give(cs,
			       phi_cap_child(parent, parent->obj, cmd->rights,
					     badge, cmd->expires_ns, cs->user),
			       &cmd->out);
}

/* Let an object do what it does after a revoke of capabilities to it. */
static int phi_cap_reclaim(struct phi_cap *cap, u32 flags)
{
	if (!cap->ops->reclaim)
		return 0;
	return cap->ops->reclaim(cap->obj, flags & PHI_REVOKE_WAIT);
}

/*
 * Kill the capability behind a handle, which is @cap or below it.
 *
 * A stop, a debugger and some handlers have the kernel make the call again. It
 * finds @child dead then, and waits on for the pins of the region of both. When
 * @child is @cap nothing is left to wait through, so the call ends.
 */
static int phi_cap_revoke_one(struct phi_cspace *cs, struct phi_cap *cap,
			      u64 handle, u32 flags)
{
	struct phi_cap *child __free(phi_cap_put) =
		phi_cspace_lookup(cs, handle, PHI_TYPES_ANY, 0);
	bool held;
	int ret;

	if (IS_ERR(child)) {
		if (PTR_ERR(child) == -EKEYREVOKED && flags & PHI_REVOKE_WAIT)
			return phi_cap_reclaim(cap, flags);
		return PTR_ERR(child);
	}
	if (child != cap && !phi_cap_below(child, cap))
		return phi_cap_live(child) ?: -EINVAL;
	phi_cap_kill(child);
	/* After the barrier in there; pairs with phi_message_move(). */
	held = phi_cspace_holds(cs, handle, child);
	ret = phi_cap_reclaim(child, flags);
	if (ret == -ERESTARTSYS && child == cap)
		ret = -EINTR;
	return held ? ret : phi_refuse_handle(handle);
}

/**
 * phi_cap_revoke() - PHI_IOC_CAP_REVOKE
 * @cs: The caller's cspace.
 * @arg: struct phi_cap_revoke.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int phi_cap_revoke(struct phi_cspace *cs, void *arg)
{
	struct phi_cap_revoke *cmd = arg;

	if (cmd->flags & ~(PHI_REVOKE_WAIT | PHI_REVOKE_ONE))
		return -EOPNOTSUPP;
	if (cmd->child && !(cmd->flags & PHI_REVOKE_ONE))
		return -EINVAL;

	struct phi_cap *cap __free(phi_cap_put) =
		phi_cspace_lookup(cs, cmd->cap, PHI_TYPES_ANY, PHI_RIGHT_ADMIN);
	if (IS_ERR(cap))
		return PTR_ERR(cap);
	if (cmd->flags & PHI_REVOKE_ONE)
		return phi_cap_revoke_one(cs, cap, cmd->child, cmd->flags);
	phi_cap_revoke_children(cap);
	return phi_cap_reclaim(cap, cmd->flags);
}

/**
 * phi_cap_drop() - PHI_IOC_CAP_DROP
 * @cs: The caller's cspace.
 * @arg: struct phi_cap_drop.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int phi_cap_drop(struct phi_cspace *cs, void *arg)
{
	struct phi_cap_drop *cmd = arg;

	if (cmd->flags)
		return -EOPNOTSUPP;
	if (phi_cspace_drop(cs, cmd->cap))
		return phi_refuse_handle(cmd->cap);
	return 0;
}

/* Number the way from a node to its root: 0 for what no slot holds. */
static void phi_cap_way(struct phi_cap *cap, u64 ids[PHI_DEPTH_MAX])
{
	memset(ids, 0, PHI_DEPTH_MAX * sizeof(*ids));
	/* As in phi_cap_live(). */
	guard(phi_rcu)();
	for (u32 i = 0; cap && i < PHI_DEPTH_MAX; i++) {
		if (READ_ONCE(cap->held))
			ids[i] = phi_cap_id(cap);
		cap = READ_ONCE(cap->parent);
	}
}

/**
 * phi_cap_query() - PHI_IOC_CAP_QUERY
 * @cs: The caller's cspace.
 * @arg: struct phi_cap_query.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int phi_cap_query(struct phi_cspace *cs, void *arg)
{
	struct phi_cap_query *cmd = arg;

	if (cmd->flags)
		return -EOPNOTSUPP;

	struct phi_cap *cap __free(phi_cap_put) =
		phi_cspace_lookup(cs, cmd->cap, PHI_TYPES_ANY, 0);
	if (IS_ERR(cap))
		return PTR_ERR(cap);
	cmd->type = cap->type;
	cmd->rights = cap->rights;
	cmd->depth = cap->depth;
	cmd->version = atomic_read(&cap->version);
	cmd->expires_ns = cap->expires_ns;
	cmd->badge = cap->badge;
	phi_cap_way(cap, cmd->ids);
	return 0;
}

/**
 * phi_cap_same() - PHI_IOC_CAP_SAME
 * @cs: The caller's cspace.
 * @arg: struct phi_cap_same.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int phi_cap_same(struct phi_cspace *cs, void *arg)
{
	struct phi_cap_same *cmd = arg;

	if (cmd->flags)
		return -EOPNOTSUPP;
	if (cmd->pad)
		return -EINVAL;

	struct phi_cap *a __free(phi_cap_put) =
		phi_cspace_lookup(cs, cmd->a, PHI_TYPES_ANY, 0);
	if (IS_ERR(a))
		return PTR_ERR(a);
	struct phi_cap *b __free(phi_cap_put) =
		phi_cspace_lookup(cs, cmd->b, PHI_TYPES_ANY, 0);
	if (IS_ERR(b))
		return PTR_ERR(b);
	cmd->same = a->obj == b->obj;
	return 0;
}

/**
 * phi_cap_list() - PHI_IOC_CAP_LIST
 * @cs: The caller's cspace.
 * @arg: struct phi_cap_list.
 *
 * The list may or may not show handles that other threads install or drop
 * meanwhile.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int phi_cap_list(struct phi_cspace *cs, void *arg)
{
	struct phi_cap_list *cmd = arg;
	u64 __user *out = u64_to_user_ptr(cmd->handles);
	u64 some[32];
	u32 done = 0;
	u32 top = READ_ONCE(cs->top);

	if (cmd->flags)
		return -EOPNOTSUPP;
	for (u32 index = 0; index < top && done < cmd->count;) {
		u32 n = 0;

		for (; index < top && n < ARRAY_SIZE(some); index++) {
			u64 handle = phi_slot_handle(cs, index);

			if (handle)
				some[n++] = handle;
		}
		n = min(n, cmd->count - done);
		if (copy_to_user(out + done, some, n * sizeof(*some)))
			return -EFAULT;
		done += n;
		cond_resched();
	}
	cmd->count = done;
	cmd->total = READ_ONCE(cs->used);
	return 0;
}

/**
 * phi_cap_mint() - PHI_IOC_CAP_MINT
 * @cs: The caller's cspace.
 * @arg: struct phi_cap_mint.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int phi_cap_mint(struct phi_cspace *cs, void *arg)
{
	struct phi_cap_mint *cmd = arg;

	if (cmd->flags)
		return -EOPNOTSUPP;
	if (cmd->type != PHI_TYPE_FILE && cmd->type != PHI_TYPE_NETWORK)
		return -EINVAL;
	if (cmd->rights & ~(u32)PHI_RIGHT_ALL)
		return -EINVAL;

	struct phi_cap *endpoint __free(phi_cap_put) = phi_cspace_lookup(
		cs, cmd->endpoint, PHI_TYPES(ENDPOINT), PHI_RIGHT_ADMIN);
	if (IS_ERR(endpoint)) {
		phi_refuse_more(cmd->rights & PHI_RIGHTS_SERVICE);
		return PTR_ERR(endpoint);
	}
	return phi_service_mint(cs, endpoint, cmd);
}

/**
 * phi_cspace_share() - PHI_IOC_CSPACE_SHARE
 * @cs: The caller's cspace.
 * @arg: struct phi_cspace_share.
 *
 * Context: Process context.
 * Return: 0 or a negative errno.
 */
int phi_cspace_share(struct phi_cspace *cs, void *arg)
{
	struct phi_cspace_share *cmd = arg;

	if (cmd->flags)
		return -EOPNOTSUPP;
	if (cmd->pad || cmd->shared > 1)
		return -EINVAL;
	if (!phi_cspace_owned(cs))
		return phi_refuse_as(PHI_DECIDED_CSPACE, 0);
	WRITE_ONCE(cs->shared, cmd->shared);
	return 0;
}
