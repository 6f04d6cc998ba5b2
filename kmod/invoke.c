// SPDX-License-Identifier: GPL-2.0-only
/*
 * Operations on whatever a capability names. Most of them are other calls, made
 * with a capability and two buffers; the policies see those too.
 */

#include <linux/cleanup.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "decision.h"
#include "dispatch.h"
#include "endpoint.h"
#include "hook.h"
#include "model.h"
#include "notify.h"
#include "region.h"
#include "unit.h"

/**
 * struct phi_invoked - an operation on its way
 * @cs: The caller's cspace.
 * @cmd: The call.
 * @cap: The capability, pinned.
 * @outer: The frame of the call.
 * @inner: That of the call that it stands for, empty but for @uarg.
 */
struct phi_invoked {
	struct phi_cspace *cs;
	struct phi_cap_invoke *cmd;
	struct phi_cap *cap;
	struct phi_frame *outer;
	struct phi_frame *inner;
};

/**
 * struct phi_invoke_op - one row of the table in uapi/phi/cap.h
 * @op: PHI_OP_*.
 * @types: Bits of the types that have it.
 * @rights: Rights it needs.
 * @in_min: Fewest bytes in.
 * @in_max: Most.
 * @out: Room that it needs, 0 for none or what comes.
 * @outs: Whether anything comes out.
 * @run: Does it. Sets the length out of the call.
 */
struct phi_invoke_op {
	u32 op;
	u32 types;
	u32 rights;
	u32 in_min;
	u32 in_max;
	u32 out;
	bool outs;
	int (*run)(struct phi_invoked *v);
};

static int phi_invoke_in(const struct phi_invoked *v, void *to, u32 from,
			 u32 len)
{
	const void __user *in = u64_to_user_ptr(v->cmd->in);

	return copy_from_user(to, in + from, len) ? -EFAULT : 0;
}

static int phi_invoke_out(struct phi_invoked *v, const void *from, u32 len)
{
	if (copy_to_user(u64_to_user_ptr(v->cmd->out), from, len))
		return -EFAULT;
	v->cmd->out_len = len;
	return 0;
}

/* Read or write some bytes of a region; to policies as if it was mapped. */
static int phi_invoke_bytes(struct phi_invoked *v, u64 offset, void *bytes,
			    u32 len, bool write)
{
	struct phi_hook_call call;
	int ret;

	ret = phi_hook_enter(&call, v->cs, PHI_NR_REGION_MAP, v->cmd->cap,
			     NULL);
	if (!ret)
		ret = phi_region_access(v->cap, offset, bytes, len, write);
	phi_hook_leave(&call, ret);
	return ret;
}

static int phi_invoke_read(struct phi_invoked *v)
{
	u32 len = v->cmd->out_len;
	u64 offset;
	int ret;

	if (len > PHI_INVOKE_MAX)
		return -EINVAL;
	void *bytes __free(kfree) = kmalloc(PHI_INVOKE_MAX, GFP_KERNEL_ACCOUNT);
	if (!bytes)
		return -ENOMEM;
	ret = phi_invoke_in(v, &offset, 0, sizeof(offset));
	if (!ret)
		ret = phi_invoke_bytes(v, offset, bytes, len, false);
	return ret ?: phi_invoke_out(v, bytes, len);
}

static int phi_invoke_write(struct phi_invoked *v)
{
	u32 len = v->cmd->in_len - sizeof(u64);
	u64 offset;
	int ret;

	void *bytes __free(kfree) = kmalloc(PHI_INVOKE_MAX, GFP_KERNEL_ACCOUNT);
	if (!bytes)
		return -ENOMEM;
	ret = phi_invoke_in(v, &offset, 0, sizeof(offset));
	if (!ret)
		ret = phi_invoke_in(v, bytes, sizeof(offset), len);
	return ret ?: phi_invoke_bytes(v, offset, bytes, len, true);
}

static int phi_invoke_signal(struct phi_invoked *v)
{
	struct phi_notify_signal *signal = (void *)v->inner->arg;
	u64 bits;
	int ret = phi_invoke_in(v, &bits, 0, sizeof(bits));

	if (ret)
		return ret;
	*signal = (struct phi_notify_signal){
		.size = sizeof(*signal),
		.notify = v->cmd->cap,
		.bits = bits,
	};
	return phi_dispatch_as(v->cs, PHI_IOC_NOTIFY_SIGNAL, v->inner);
}

static int phi_invoke_poll(struct phi_invoked *v)
{
	struct phi_notify_wait *wait = (void *)v->inner->arg;
	u64 mask;
	int ret = phi_invoke_in(v, &mask, 0, sizeof(mask));

	if (ret)
		return ret;
	*wait = (struct phi_notify_wait){
		.size = sizeof(*wait),
		.flags = PHI_NONBLOCK,
		.notify = v->cmd->cap,
		.mask = mask,
	};
	ret = phi_dispatch_as(v->cs, PHI_IOC_NOTIFY_WAIT, v->inner);
	if (ret)
		return ret;
	ret = phi_invoke_out(v, &wait->bits, sizeof(wait->bits));
	if (ret) {
		phi_notify_wait_settle(v->cs, wait, false);
		return ret;
	}
	/* Put back if the length cannot be told. */
	v->outer->cap = v->inner->cap;
	v->outer->bits = wait->bits;
	return 0;
}

static int phi_invoke_region(struct phi_invoked *v)
{
	struct phi_region_info *info = (void *)v->inner->arg;
	int ret;

	*info = (struct phi_region_info){
		.size = sizeof(*info),
		.cap = v->cmd->cap,
	};
	ret = phi_dispatch_as(v->cs, PHI_IOC_REGION_INFO, v->inner);
	return ret ?: phi_invoke_out(v, info, sizeof(*info));
}

static int phi_invoke_unit(struct phi_invoked *v)
{
	struct phi_unit_query *query = (void *)v->inner->arg;
	int ret = phi_unit_id(v->cap);
	u32 id = ret;

	if (ret < 0)
		return ret;
	*query = (struct phi_unit_query){ .size = sizeof(*query), .id = id };
	ret = phi_dispatch_as(v->cs, PHI_IOC_UNIT_QUERY, v->inner);
	return ret ?: phi_invoke_out(v, query, sizeof(*query));
}

static int phi_invoke_model(struct phi_invoked *v)
{
	struct phi_model_query *query = (void *)v->inner->arg;
	u64 id = phi_model_of(v->cap)->id;
	int ret;

	*query = (struct phi_model_query){ .size = sizeof(*query), .id = id };
	ret = phi_dispatch_as(v->cs, PHI_IOC_MODEL_QUERY, v->inner);
	/* It has left the table, and this is another one. */
	if (!ret && query->id != id)
		ret = -ENOENT;
	return ret ?: phi_invoke_out(v, query, sizeof(*query));
}

static int phi_invoke_agent(struct phi_invoked *v)
{
	struct phi_agent_figures figures;

	phi_agent_describe(v->cap->obj, &figures);
	return phi_invoke_out(v, &figures, sizeof(figures));
}

static int phi_invoke_send(struct phi_invoked *v)
{
	struct phi_send *send = (void *)v->inner->arg;

	*send = (struct phi_send){
		.size = sizeof(*send),
		.flags = v->cmd->flags,
		.endpoint = v->cmd->cap,
		.data = v->cmd->in,
		.len = v->cmd->in_len,
		.deadline_ns = v->cmd->deadline_ns,
	};
	return phi_dispatch_as(v->cs, PHI_IOC_SEND, v->inner);
}

/* Capabilities that come with the answer have no place to go. */
static int phi_invoke_call(struct phi_invoked *v)
{
	struct phi_call *call = (void *)v->inner->arg;
	int ret;

	*call = (struct phi_call){
		.size = sizeof(*call),
		.flags = v->cmd->flags,
		.endpoint = v->cmd->cap,
		.data = v->cmd->in,
		.len = v->cmd->in_len,
		.deadline_ns = v->cmd->deadline_ns,
		.reply_data = v->cmd->out,
		.reply_len = v->cmd->out_len,
	};
	ret = phi_dispatch_as(v->cs, PHI_IOC_CALL, v->inner);
	if (ret)
		return ret;
	v->cmd->out_len = call->reply_len;
	phi_call_settle(v->cs, call, false);
	return 0;
}

static int phi_invoke_answer(struct phi_invoked *v)
{
	struct phi_reply *reply = (void *)v->inner->arg;

	*reply = (struct phi_reply){
		.size = sizeof(*reply),
		.reply = v->cmd->cap,
		.data = v->cmd->in,
		.len = v->cmd->in_len,
	};
	return phi_dispatch_as(v->cs, PHI_IOC_REPLY, v->inner);
}

static const struct phi_invoke_op phi_invoke_ops[] = {
	{ PHI_OP_READ, PHI_TYPES(MEMORY), PHI_RIGHT_READ, sizeof(u64),
	  sizeof(u64), 0, true, phi_invoke_read },
	{ PHI_OP_WRITE, PHI_TYPES(MEMORY), PHI_RIGHT_WRITE, sizeof(u64),
	  sizeof(u64) + PHI_INVOKE_MAX, 0, false, phi_invoke_write },
	{ PHI_OP_SIGNAL, PHI_TYPES(NOTIFY), PHI_RIGHT_WRITE, sizeof(u64),
	  sizeof(u64), 0, false, phi_invoke_signal },
	{ PHI_OP_POLL, PHI_TYPES(NOTIFY), PHI_RIGHT_READ, sizeof(u64),
	  sizeof(u64), sizeof(u64), true, phi_invoke_poll },
	{ PHI_OP_QUERY, PHI_TYPES(MEMORY), 0, 0, 0,
	  sizeof(struct phi_region_info), true, phi_invoke_region },
	{ PHI_OP_QUERY, PHI_TYPES(DEVICE), PHI_RIGHT_READ, 0, 0,
	  sizeof(struct phi_unit_query), true, phi_invoke_unit },
	{ PHI_OP_QUERY, PHI_TYPES(MODEL), 0, 0, 0,
	  sizeof(struct phi_model_query), true, phi_invoke_model },
	{ PHI_OP_QUERY, PHI_TYPES(AGENT), PHI_RIGHT_READ, 0, 0,
	  sizeof(struct phi_agent_figures), true, phi_invoke_agent },
	{ PHI_OP_SEND, PHI_TYPES_SEND, PHI_RIGHT_SEND, 0, PHI_MSG_MAX, 0, false,
	  phi_invoke_send },
	{ PHI_OP_CALL, PHI_TYPES_SEND, PHI_RIGHT_SEND, 0, PHI_MSG_MAX, 0, true,
	  phi_invoke_call },
	{ PHI_OP_ANSWER, PHI_TYPES(REPLY), PHI_RIGHT_SEND, 0, PHI_MSG_MAX, 0,
	  false, phi_invoke_answer },
};

/* The row for an operation on a capability; NULL when its type has none. */
static const struct phi_invoke_op *phi_invoke_find(u32 op, u32 type)
{
	for (u32 i = 0; i < ARRAY_SIZE(phi_invoke_ops); i++) {
		if (phi_invoke_ops[i].op == op &&
		    phi_invoke_ops[i].types & BIT(type))
			return &phi_invoke_ops[i];
	}
	return NULL;
}

/* Return: 0, or why the buffers do not suit the operation. */
static int phi_invoke_check(const struct phi_invoke_op *op,
			    const struct phi_cap_invoke *cmd)
{
	bool sends = op->types == PHI_TYPES_SEND;

	if (cmd->flags && !sends)
		return -EOPNOTSUPP;
	if (cmd->deadline_ns && !sends)
		return -EINVAL;
	if (cmd->in_len < op->in_min || cmd->in_len > op->in_max)
		return -EINVAL;
	if (cmd->out_len && !op->outs)
		return -EINVAL;
	return cmd->out_len < op->out ? -EMSGSIZE : 0;
}

/**
 * phi_cap_invoke() - PHI_IOC_CAP_INVOKE
 * @cs: The caller's cspace.
 * @arg: struct phi_cap_invoke.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int phi_cap_invoke(struct phi_cspace *cs, void *arg)
{
	struct phi_cap_invoke *cmd = arg;
	/* Each operation sets the struct of its call. */
	struct phi_frame inner __attribute__((__uninitialized__));
	const struct phi_invoke_op *op;
	struct phi_invoked v = {
		.cs = cs,
		.cmd = cmd,
		.outer = phi_frame_of(arg),
		.inner = &inner,
	};
	int ret;

	if (cmd->op != PHI_OP_CALL)
		phi_park_forget(cs);
	v.outer->cap = NULL;
	if (cmd->flags & ~PHI_NONBLOCK)
		return -EOPNOTSUPP;
	if (cmd->pad)
		return -EINVAL;

	struct phi_cap *cap __free(phi_cap_put) =
		phi_cspace_lookup(cs, cmd->cap, PHI_TYPES_ANY, 0);
	if (IS_ERR(cap))
		return PTR_ERR(cap);
	op = phi_invoke_find(cmd->op, cap->type);
	if (!op)
		return -EINVAL;
	if (op->rights & ~cap->rights)
		return phi_refuse_right(cap, op->rights);
	ret = phi_invoke_check(op, cmd);
	if (ret)
		return ret;
	/* Without a result its copy cannot fail after the work is done. */
	v.outer->silent = !op->outs;
	inner.uarg = v.outer->uarg;
	v.cap = cap;
	inner.left = false;
	ret = op->run(&v);
	if (inner.left || !ret)
		phi_frame_sent(arg, inner.left ? inner.sent : cmd->in_len);
	return ret;
}

/**
 * phi_cap_invoke_settle() - put bits back that nobody heard of
 * @cs: The caller's cspace.
 * @arg: struct phi_cap_invoke.
 * @told: The caller knows the length of what came out.
 *
 * Context: Process context. May sleep.
 */
void phi_cap_invoke_settle(struct phi_cspace *cs, void *arg, bool told)
{
	struct phi_frame *frame = phi_frame_of(arg);

	if (frame->cap && !told)
		phi_notify_set(frame->cap->obj, frame->bits);
	phi_cap_put(frame->cap);
}
