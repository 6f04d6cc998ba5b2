// SPDX-License-Identifier: GPL-2.0-only

#include <linux/cleanup.h>
#include <linux/pid_namespace.h>
#include <linux/string.h>
#include <linux/user_namespace.h>

#include "dispatch.h"
#include "endpoint.h"

/**
 * phi_send() - PHI_IOC_SEND
 * @cs: The caller's cspace.
 * @arg: struct phi_send.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int phi_send(struct phi_cspace *cs, void *arg)
{
	struct phi_send *cmd = arg;
	const struct phi_parcel parcel = {
		.data = cmd->data,
		.len = cmd->len,
		.ncaps = cmd->ncaps,
		.caps = cmd->caps,
	};
	struct phi_message *msg;
	struct phi_moves moves;
	struct phi_waiter w;
	int ret;

	if (cmd->flags & ~PHI_NONBLOCK)
		return -EOPNOTSUPP;

	struct phi_cap *cap __free(phi_cap_put) = phi_cspace_lookup(
		cs, cmd->endpoint, PHI_TYPES_SEND, PHI_RIGHT_SEND);
	if (IS_ERR(cap))
		return PTR_ERR(cap);
	msg = phi_message_new(cs, cap, &parcel, &moves);
	if (IS_ERR(msg))
		return PTR_ERR(msg);
	phi_waiter_init(&w, cs, cmd->endpoint, cap, PHI_TYPES_SEND,
			PHI_RIGHT_SEND);
	ret = phi_queue_post(phi_endpoint_behind(cap), &w, msg, &moves,
			     cmd->flags, cmd->deadline_ns);
	if (ret)
		phi_message_free(msg);
	return ret;
}

/* The capability to receive with, or ERR_PTR(). */
static struct phi_cap *phi_recv_prepare(struct phi_cspace *cs,
					const struct phi_recv *cmd)
{
	if (cmd->flags & ~(PHI_NONBLOCK | PHI_RECV_NOCAPS))
		return ERR_PTR(-EOPNOTSUPP);
	return phi_cspace_lookup(cs, cmd->endpoint, PHI_TYPES(ENDPOINT),
				 PHI_RIGHT_RECV);
}

/* Say where a message comes from, in the terms of the receiver. */
static void phi_recv_describe(struct phi_cspace *cs, struct phi_recv *cmd,
			      const struct phi_message *msg)
{
	cmd->badge = msg->via->badge;
	cmd->type = msg->via->obj->ops->type;
	cmd->rights = msg->via->rights;
	cmd->pid = pid_nr_ns(msg->pid, ns_of_pid(cs->tgid));
	cmd->uid = from_kuid_munged(cs->cred->user_ns, msg->uid);
}

static int phi_recv_finish(struct phi_cspace *cs, struct phi_recv *cmd,
			   struct phi_cap *cap)
{
	struct phi_endpoint *ep = phi_endpoint_of(cap->obj);
	bool nocaps = cmd->flags & PHI_RECV_NOCAPS;
	struct phi_message *msg;
	struct phi_waiter w;
	int ret;

	phi_waiter_init(&w, cs, cmd->endpoint, cap, PHI_TYPES(ENDPOINT),
			PHI_RIGHT_RECV);
	msg = phi_queue_take(ep, &w, cmd->len, cmd->flags, cmd->deadline_ns);
	if (IS_ERR(msg))
		return PTR_ERR(msg);
	memset(cmd->caps, 0, sizeof(cmd->caps));
	ret = phi_message_unpack(cs, msg, cmd->data, nocaps ? NULL : cmd->caps,
				 &cmd->reply);
	if (ret) {
		phi_queue_return(ep, msg);
		return ret;
	}
	cmd->len = msg->len;
	cmd->ncaps = nocaps ? 0 : msg->ncaps;
	phi_recv_describe(cs, cmd, msg);
	phi_queue_done(ep, msg);
	return 0;
}

/**
 * phi_recv() - PHI_IOC_RECV
 * @cs: The caller's cspace.
 * @arg: struct phi_recv.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int phi_recv(struct phi_cspace *cs, void *arg)
{
	struct phi_recv *cmd = arg;

	struct phi_cap *cap __free(phi_cap_put) = phi_recv_prepare(cs, cmd);
	if (IS_ERR(cap))
		return PTR_ERR(cap);
	return phi_recv_finish(cs, cmd, cap);
}

/**
 * phi_recv_undo() - the outputs of a receive could not be written
 * @cs: The caller's cspace.
 * @arg: struct phi_recv.
 *
 * Context: Process context. May sleep.
 */
void phi_recv_undo(struct phi_cspace *cs, void *arg)
{
	struct phi_recv *cmd = arg;

	phi_message_undo(cs, cmd->reply, cmd->ncaps, cmd->caps);
}

/**
 * phi_reply_recv() - PHI_IOC_REPLY_RECV
 * @cs: The caller's cspace.
 * @arg: struct phi_reply_recv.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int phi_reply_recv(struct phi_cspace *cs, void *arg)
{
	struct phi_reply_recv *cmd = arg;
	int ret;

	if (cmd->flags)
		return -EOPNOTSUPP;
	if (cmd->pad || cmd->reply.size != sizeof(cmd->reply) ||
	    cmd->recv.size != sizeof(cmd->recv))
		return -EINVAL;

	/* What is wrong with the receive shows before anything is answered. */
	struct phi_cap *cap __free(phi_cap_put) =
		phi_recv_prepare(cs, &cmd->recv);
	if (IS_ERR(cap))
		return PTR_ERR(cap);
	ret = phi_reply(cs, &cmd->reply);
	if (ret && ret != -EPIPE)
		return ret;
	cmd->reply_error = ret;
	ret = phi_recv_finish(cs, &cmd->recv, cap);
	/* The answer must not go out a second time. */
	return ret == -ERESTARTSYS ? -EINTR : ret;
}

/**
 * phi_reply_recv_undo() - the outputs could not be written
 * @cs: The caller's cspace.
 * @arg: struct phi_reply_recv.
 *
 * Context: Process context. May sleep.
 */
void phi_reply_recv_undo(struct phi_cspace *cs, void *arg)
{
	struct phi_reply_recv *cmd = arg;

	phi_recv_undo(cs, &cmd->recv);
}
