// SPDX-License-Identifier: GPL-2.0-only

#include <linux/cleanup.h>
#include <linux/list.h>
#include <linux/minmax.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "main.h"
#include "message.h"
#include "quota.h"
#include "words.h"

/* Messages up to this length have a cache. */
#define PHI_MESSAGE_SHORT 64U

static struct kmem_cache *phi_messages;

/*
 * A cache with a constructor does not zero what it hands out. All of a message
 * is written anyway.
 */
static void phi_message_blank(void *msg)
{
}

/**
 * phi_message_init() - make the cache of short messages
 *
 * Context: Module load.
 * Return: 0 or -ENOMEM.
 */
int __init phi_message_init(void)
{
	phi_messages = kmem_cache_create("phi_message",
					 struct_size_t(struct phi_message, data,
						       PHI_MESSAGE_SHORT),
					 0, SLAB_ACCOUNT, phi_message_blank);
	return phi_messages ? 0 : -ENOMEM;
}

/**
 * phi_message_exit() - give the cache back
 *
 * Context: Module unload, or failed load. No message is left.
 */
void phi_message_exit(void)
{
	kmem_cache_destroy(phi_messages);
}

static struct phi_message *phi_message_alloc(struct phi_cspace *cs, u32 len)
{
	size_t bytes = struct_size_t(struct phi_message, data,
				     max(len, PHI_MESSAGE_SHORT));
	struct phi_message *msg;
	int ret = phi_quota_charge(cs->user, PHI_QUOTA_BYTES, bytes);

	if (ret)
		return ERR_PTR(ret);
	if (len <= PHI_MESSAGE_SHORT)
		msg = kmem_cache_alloc(phi_messages, GFP_KERNEL_ACCOUNT);
	else
		msg = kmalloc(bytes, GFP_KERNEL_ACCOUNT);
	if (!msg) {
		phi_quota_uncharge(cs->user, PHI_QUOTA_BYTES, bytes);
		return ERR_PTR(-ENOMEM);
	}
	memset(msg, 0, offsetof(struct phi_message, data));
	INIT_LIST_HEAD(&msg->node);
	phi_user_hold(cs->user);
	msg->user = cs->user;
	msg->charged = bytes;
	msg->pid = get_pid(cs->tgid);
	msg->uid = phi_cspace_uid(cs);
	msg->len = len;
	return msg;
}

/**
 * phi_message_free() - destroy a message and what is in it
 * @msg: The message, in no queue, without a credit; or NULL, or an ERR_PTR().
 *
 * A caller that waits for its answer gets EPIPE, when nobody told it worse.
 *
 * Context: Process context. May sleep. No lock of this module is held.
 */
void phi_message_free(struct phi_message *msg)
{
	if (IS_ERR_OR_NULL(msg))
		return;
	phi_cap_release(msg->reply);
	for (u32 i = 0; i < msg->ncaps; i++)
		phi_cap_release(msg->caps[i]);
	phi_cap_put(msg->via);
	phi_quota_uncharge(msg->user, PHI_QUOTA_BYTES, msg->charged);
	phi_user_put(msg->user);
	put_pid(msg->pid);
	if (msg->len <= PHI_MESSAGE_SHORT)
		kmem_cache_free(phi_messages, msg);
	else
		kfree(msg);
}

/* Two moves of one handle, or a move of the one that is used up anyway. */
static bool phi_parcel_clashes(const struct phi_parcel *parcel, u32 nth)
{
	const struct phi_xfer *x = &parcel->caps[nth];

	if (x->cap && x->cap == parcel->reserved)
		return true;
	if (!(x->flags & PHI_XFER_MOVE))
		return false;
	for (u32 i = 0; i < nth; i++) {
		if (parcel->caps[i].cap == x->cap &&
		    parcel->caps[i].flags & PHI_XFER_MOVE)
			return true;
	}
	return false;
}

static int phi_parcel_check(const struct phi_parcel *parcel)
{
	const struct phi_xfer *caps = parcel->caps;
	size_t unused;

	if (parcel->len > PHI_MSG_MAX || parcel->ncaps > PHI_MSG_CAPS_MAX)
		return -EINVAL;
	unused = (PHI_MSG_CAPS_MAX - parcel->ncaps) * sizeof(*caps);
	if (!phi_words_zero(caps + parcel->ncaps, unused))
		return -EINVAL;
	for (u32 i = 0; i < parcel->ncaps; i++) {
		if (caps[i].flags & ~PHI_XFER_MOVE)
			return -EOPNOTSUPP;
		if (caps[i].rights & ~PHI_RIGHT_ALL ||
		    phi_parcel_clashes(parcel, i))
			return -EINVAL;
	}
	return 0;
}

/* Put what arrives into the message, and what leaves into the moves. */
static int phi_message_add(struct phi_message *msg, struct phi_cspace *cs,
			   const struct phi_xfer *x, struct phi_moves *moves)
{
	bool move = x->flags & PHI_XFER_MOVE;
	struct phi_cap *given;

	struct phi_cap *cap __free(phi_cap_put) =
		phi_cspace_lookup(cs, x->cap, PHI_TYPES_ANY, PHI_RIGHT_GRANT);
	if (IS_ERR(cap))
		return PTR_ERR(cap);
	if (cap->type == PHI_TYPE_REPLY && !move)
		return -EINVAL;
	if (!move)
		given = phi_cap_child(cap, cap->obj, cap->rights & x->rights,
				      cap->badge, 0, cs->user);
	else if (cap->rights & ~x->rights)
		given = phi_cap_sibling(cap, cap->rights & x->rights, cs->user);
	else
		given = NULL;
	if (IS_ERR(given))
		return PTR_ERR(given);
	if (move) {
		moves->handle[moves->count] = x->cap;
		moves->place[moves->count++] = msg->ncaps;
	}
	msg->caps[msg->ncaps++] = given;
	return 0;
}

/**
 * phi_message_new() - make a message
 * @cs: The sender's cspace; its user pays.
 * @via: The capability it will be sent with, or NULL.
 * @parcel: Bytes and handles that go into it.
 * @moves: Out, for phi_message_move().
 *
 * Copies are made here. A capability that moves stays in its slot until
 * phi_message_move().
 *
 * Context: Process context. May sleep.
 * Return: The message, or ERR_PTR().
 */
struct phi_message *phi_message_new(struct phi_cspace *cs, struct phi_cap *via,
				    const struct phi_parcel *parcel,
				    struct phi_moves *moves)
{
	int ret = phi_parcel_check(parcel);

	if (ret)
		return ERR_PTR(ret);

	struct phi_message *msg __free(phi_message_free) =
		phi_message_alloc(cs, parcel->len);
	if (IS_ERR(msg))
		return_ptr(msg);
	ret = phi_words_get(msg->data, u64_to_user_ptr(parcel->data),
			    parcel->len);
	if (ret)
		return ERR_PTR(ret);
	moves->count = 0;
	for (u32 i = 0; i < parcel->ncaps; i++) {
		ret = phi_message_add(msg, cs, &parcel->caps[i], moves);
		if (ret)
			return ERR_PTR(ret);
	}
	if (via) {
		phi_cap_get(via);
		msg->via = via;
	}
	return_ptr(msg);
}

/* Back into a slot; the old handle is gone for good. */
static void phi_message_restore(struct phi_cspace *cs, struct phi_cap *cap)
{
	u64 handle;

	/* Fails when the cspace closes or another thread filled it. */
	if (phi_cspace_give(cs, cap, &handle))
		pr_debug("a capability that could not move is lost\n");
}

/*
 * A weaker node goes in the stead of one that has left its slot. A thread that
 * kills the latter alone does not see the former: either this function finds the
 * one that left dead, or that thread finds its slot empty.
 */
static void phi_message_replace(struct phi_cap *left, struct phi_cap *twin)
{
	/* The slot before the check; pairs with phi_cap_revoke_one(). */
	smp_mb();
	if (phi_cap_live(left) && phi_cap_tryget(twin)) {
		phi_cap_kill(twin);
		phi_cap_put(twin);
	}
	phi_cap_release(left);
}

/**
 * phi_message_move() - take what moves out of the sender's slots
 * @cs: The sender's cspace.
 * @msg: The message; it is certain to be accepted.
 * @moves: Handles of the capabilities that move.
 *
 * It fails only when another thread of the sender takes one away at this very
 * moment; those before it get new handles then.
 *
 * Context: Process context. May sleep. No lock of this module is held.
 * Return: 0 or -EBADF.
 */
int phi_message_move(struct phi_cspace *cs, struct phi_message *msg,
		     const struct phi_moves *moves)
{
	struct phi_cap *left[PHI_MSG_CAPS_MAX];

	for (u32 i = 0; i < moves->count; i++) {
		left[i] = phi_cspace_remove(cs, moves->handle[i]);
		if (IS_ERR(left[i])) {
			int ret = PTR_ERR(left[i]);

			while (i--)
				phi_message_restore(cs, left[i]);
			return ret;
		}
	}
	for (u32 i = 0; i < moves->count; i++) {
		struct phi_cap **place = &msg->caps[moves->place[i]];

		if (*place)
			phi_message_replace(left[i], *place);
		else
			*place = left[i];
	}
	msg->moved = moves->count;
	return 0;
}

/*
 * Take back one that was installed. One that another thread of the receiver has
 * seized meanwhile is out of the message: no two slots may hold one capability.
 */
static struct phi_cap *phi_message_regain(struct phi_cspace *cs,
					  const struct phi_message *msg,
					  u64 handle)
{
	struct phi_cap *cap = phi_cspace_remove(cs, handle);

	if (IS_ERR(cap))
		return NULL;
	phi_cap_repay(cap, msg->user);
	return cap;
}

/**
 * phi_message_repack() - take back what a receiver was given
 * @cs: The receiver's cspace.
 * @msg: The message; its sender pays again for what is in it.
 * @ncaps: Of @caps.
 * @caps: Handles that phi_message_unpack() made.
 * @reply: Handle of the REPLY that was in @msg, or 0.
 *
 * Context: Process context. May sleep. No lock of this module is held.
 */
void phi_message_repack(struct phi_cspace *cs, struct phi_message *msg,
			u32 ncaps, const struct phi_xferred *caps, u64 reply)
{
	if (reply)
		msg->reply = phi_message_regain(cs, msg, reply);
	while (ncaps--) {
		if (caps[ncaps].cap)
			msg->caps[ncaps] =
				phi_message_regain(cs, msg, caps[ncaps].cap);
	}
}

/* Install the capabilities, all or none. */
static int phi_message_install(struct phi_cspace *cs, struct phi_message *msg,
			       struct phi_xferred *caps)
{
	struct phi_cap *cap;
	int ret;

	for (u32 i = 0; i < msg->ncaps; i++) {
		cap = msg->caps[i];
		memset(&caps[i], 0, sizeof(caps[i]));
		if (!cap)
			continue;
		caps[i].type = cap->type;
		caps[i].rights = cap->rights;
		ret = phi_cspace_install(cs, cap, &caps[i].cap);
		if (ret) {
			phi_message_repack(cs, msg, i, caps, 0);
			return ret;
		}
		msg->caps[i] = NULL;
	}
	return 0;
}

/**
 * phi_message_unpack() - give a message to its receiver
 * @cs: The receiver's cspace.
 * @msg: The message. Capabilities that arrive are the receiver's.
 * @data: Pointer to room for its bytes.
 * @caps: Out, the first @msg->ncaps; NULL to leave the capabilities.
 * @reply: Out, the REPLY handle or 0; NULL for an answer.
 *
 * All of it arrives, or nothing.
 *
 * Context: Process context. May sleep. No lock of this module is held.
 * Return: 0, -EFAULT, -EDQUOT, -ENOSPC, -ENOMEM or -EBADF.
 */
int phi_message_unpack(struct phi_cspace *cs, struct phi_message *msg, u64 data,
		       struct phi_xferred *caps, u64 *reply)
{
	int ret;

	ret = phi_words_put(u64_to_user_ptr(data), msg->data, msg->len);
	if (ret)
		return ret;
	if (caps && msg->ncaps)
		ret = phi_message_install(cs, msg, caps);
	if (ret || !reply)
		return ret;
	*reply = 0;
	if (msg->reply)
		ret = phi_cspace_install(cs, msg->reply, reply);
	if (!ret)
		msg->reply = NULL;
	else if (caps)
		phi_message_repack(cs, msg, msg->ncaps, caps, 0);
	return ret;
}
