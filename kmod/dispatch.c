// SPDX-License-Identifier: GPL-2.0-only

#include <linux/build_bug.h>
#include <linux/nospec.h>
#include <linux/uaccess.h>
#include <phi.h>

#include "dispatch.h"
#include "hook.h"

/* clang-format off */
/*
 * A row: the ioctl, the name that its struct and its handler share, the last
 * field of its first version, and what is special about it.
 */
#define PHI_OP(_cmd, _call, _last, ...)                                \
	[_IOC_NR(_cmd)] = {                                            \
		.size = sizeof(struct phi_##_call) +                   \
			BUILD_BUG_ON_ZERO(sizeof(struct phi_##_call) > \
					  PHI_ARG_MAX),                \
		.min = offsetofend(struct phi_##_call, _last),         \
		.run = phi_##_call,                                    \
		__VA_ARGS__                                            \
	}
#define ON(_call, _field) .target = offsetof(struct phi_##_call, _field)
#define MAKES(_call, _field) .made = offsetof(struct phi_##_call, _field)
#define UNDO(_call) .undo = phi_##_call##_undo
#define WAITS(_call, _flags) .waits = offsetof(struct phi_##_call, _flags)

static const struct phi_op phi_ops[] = {
	PHI_OP(PHI_IOC_SEND, send, caps, ON(send, endpoint),
	       WAITS(send, flags)),
	PHI_OP(PHI_IOC_RECV, recv, caps, ON(recv, endpoint), UNDO(recv),
	       WAITS(recv, flags)),
	PHI_OP(PHI_IOC_CALL, call, reply_caps, ON(call, endpoint), UNDO(call),
	       .waits = PHI_WAITS),
	PHI_OP(PHI_IOC_REPLY, reply, caps, ON(reply, reply)),
	PHI_OP(PHI_IOC_REPLY_RECV, reply_recv, pad,
	       ON(reply_recv, recv.endpoint), UNDO(reply_recv),
	       WAITS(reply_recv, recv.flags)),
	PHI_OP(PHI_IOC_NOTIFY_CREATE, notify_create, cap,
	       MAKES(notify_create, cap)),
	PHI_OP(PHI_IOC_NOTIFY_SIGNAL, notify_signal, bits,
	       ON(notify_signal, notify)),
	PHI_OP(PHI_IOC_NOTIFY_WAIT, notify_wait, bits,
	       ON(notify_wait, notify), WAITS(notify_wait, flags)),
	PHI_OP(PHI_IOC_NOTIFY_BIND, notify_bind, pad, ON(notify_bind, notify)),
	PHI_OP(PHI_IOC_ENDPOINT_CREATE, endpoint_create, cap,
	       MAKES(endpoint_create, cap)),
	PHI_OP(PHI_IOC_ENDPOINT_FD, endpoint_fd, pad,
	       ON(endpoint_fd, endpoint), UNDO(endpoint_fd)),
	PHI_OP(PHI_IOC_ENDPOINT_WATCH, endpoint_watch, bits,
	       ON(endpoint_watch, endpoint)),

	PHI_OP(PHI_IOC_CAP_DERIVE, cap_derive, out, ON(cap_derive, cap),
	       MAKES(cap_derive, out)),
	PHI_OP(PHI_IOC_CAP_REVOKE, cap_revoke, cap, ON(cap_revoke, cap)),
	PHI_OP(PHI_IOC_CAP_DROP, cap_drop, cap, ON(cap_drop, cap)),
	PHI_OP(PHI_IOC_CAP_QUERY, cap_query, badge, ON(cap_query, cap)),
	PHI_OP(PHI_IOC_CAP_SEAL, cap_seal, token, ON(cap_seal, cap)),
	PHI_OP(PHI_IOC_CAP_UNSEAL, cap_unseal, out, MAKES(cap_unseal, out)),
	PHI_OP(PHI_IOC_CAP_SAME, cap_same, pad, ON(cap_same, a)),
	PHI_OP(PHI_IOC_CAP_LIST, cap_list, total),
	PHI_OP(PHI_IOC_CSPACE_SHARE, cspace_share, pad),
	PHI_OP(PHI_IOC_CAP_REKEY, cap_rekey, pad),
	PHI_OP(PHI_IOC_CAP_MINT, cap_mint, out, ON(cap_mint, endpoint),
	       MAKES(cap_mint, out)),

	PHI_OP(PHI_IOC_REGION_CREATE, region_create, cap,
	       MAKES(region_create, cap)),
	PHI_OP(PHI_IOC_REGION_INFO, region_info, pad, ON(region_info, cap)),

	PHI_OP(PHI_IOC_AGENT_REGISTER, agent_register, cap,
	       MAKES(agent_register, cap)),

	PHI_OP(PHI_IOC_UNIT_REGISTER, unit_register, cap,
	       MAKES(unit_register, cap)),
	PHI_OP(PHI_IOC_UNIT_UPDATE, unit_update, healthy,
	       ON(unit_update, cap)),
	PHI_OP(PHI_IOC_UNIT_QUERY, unit_query, name),
	PHI_OP(PHI_IOC_MODEL_REGISTER, model_register, cap,
	       ON(model_register, endpoint), MAKES(model_register, cap)),
	PHI_OP(PHI_IOC_INFER_BEGIN, infer_begin, ticket,
	       ON(infer_begin, model), UNDO(infer_begin)),
	PHI_OP(PHI_IOC_INFER_END, infer_end, run_ns),
	PHI_OP(PHI_IOC_INFER_SELECT, infer_select, score_ns,
	       ON(infer_select, model)),
	PHI_OP(PHI_IOC_MODEL_QUERY, model_query, name),

	PHI_OP(PHI_IOC_SYSTEM_INFO, system_info, features),
	PHI_OP(PHI_IOC_SYSTEM_STATS, system_stats, limit),
};

/* clang-format on */

/**
 * phi_dispatch_count() - count the calls
 *
 * Context: Any.
 * Return: How many calls this module has.
 */
u32 phi_dispatch_count(void)
{
	u32 n = 0;

	for (u32 nr = 0; nr < ARRAY_SIZE(phi_ops); nr++)
		n += !!phi_ops[nr].run;
	return n;
}

static u64 phi_arg_handle(const void *arg, u16 offset)
{
	return offset ? *(const u64 *)(arg + offset) : 0;
}

/* Run a call between the hooks. */
static int phi_run(struct phi_cspace *cs, const struct phi_op *op, void *arg)
{
	struct phi_hook_call call;
	int ret;

	ret = phi_hook_enter(&call, cs, op - phi_ops,
			     phi_arg_handle(arg, op->target));
	if (!ret)
		ret = op->run(cs, arg);
	phi_hook_leave(&call, ret);
	return ret;
}

static void phi_undo(struct phi_cspace *cs, const struct phi_op *op, void *arg)
{
	if (op->undo)
		op->undo(cs, arg);
	else if (op->made)
		phi_cspace_drop(cs, phi_arg_handle(arg, op->made));
}

/* May it wait for what others do? */
static bool phi_op_waits(const struct phi_op *op, const void *arg)
{
	if (!op->waits || op->waits == PHI_WAITS)
		return op->waits;
	return !(*(const u32 *)(arg + op->waits) & PHI_NONBLOCK);
}

/**
 * phi_dispatch() - run one call
 * @cs: The cspace of the file that it came through.
 * @nr: Its number.
 * @uarg: Its struct, in the memory of the current process.
 * @nowait: Do nothing at all when the call may wait for others.
 *
 * Context: Process context. May sleep. No lock is held, unless @nowait.
 * Return: 0 or a negative errno; see uapi/phi/base.h. -EAGAIN when it may wait
 * and must not.
 */
long phi_dispatch(struct phi_cspace *cs, unsigned int nr, void __user *uarg,
		  bool nowait)
{
	u64 arg[PHI_ARG_MAX / sizeof(u64)];
	const struct phi_op *op;
	u32 size;
	int ret;

	if (nr >= ARRAY_SIZE(phi_ops))
		return -ENOTTY;
	op = &phi_ops[array_index_nospec(nr, ARRAY_SIZE(phi_ops))];
	if (!op->run)
		return -ENOTTY;
	ret = phi_cspace_allowed(cs);
	if (ret)
		return ret;

	if (get_user(size, (u32 __user *)uarg))
		return -EFAULT;
	if (size < op->min || size > PAGE_SIZE)
		return size < op->min ? -EINVAL : -E2BIG;
	ret = copy_struct_from_user(arg, op->size, uarg, size);
	if (ret)
		return ret;
	if (nowait && phi_op_waits(op, arg))
		return -EAGAIN;

	ret = phi_run(cs, op, arg);
	if (ret)
		return ret;
	if (copy_to_user(uarg, arg, min_t(u32, size, op->size))) {
		phi_undo(cs, op, arg);
		return -EFAULT;
	}
	return 0;
}
