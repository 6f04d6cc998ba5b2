// SPDX-License-Identifier: GPL-2.0-only

#include <linux/build_bug.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/nospec.h>
#include <linux/uaccess.h>
#include <phi.h>

#include "charge.h"
#include "decision.h"
#include "dispatch.h"
#include "hook.h"
#include "words.h"

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
#define SETTLES(_call) .settle = phi_##_call##_settle
#define WAITS(_call, _flags) .waits = offsetof(struct phi_##_call, _flags)
#define SENDS(_call, _len) \
	.sends = offsetof(struct phi_##_call, _len), .most = PHI_MSG_MAX
#define TAKES(_call, _len) \
	.takes = offsetof(struct phi_##_call, _len), .most = PHI_MSG_MAX
#define OUT(_call, _first, _final)                        \
	.out = offsetof(struct phi_##_call, _first),      \
	.out_end = offsetofend(struct phi_##_call, _final)

static const struct phi_op phi_ops[] = {
	PHI_OP(PHI_IOC_SEND, send, caps, ON(send, endpoint),
	       WAITS(send, flags), SENDS(send, len)),
	PHI_OP(PHI_IOC_RECV, recv, caps, ON(recv, endpoint),
	       OUT(recv, len, caps), SETTLES(recv), WAITS(recv, flags),
	       TAKES(recv, len)),
	PHI_OP(PHI_IOC_CALL, call, reply_caps, ON(call, endpoint),
	       OUT(call, reply_len, reply_caps), SETTLES(call),
	       .waits = PHI_WAITS, .sends = offsetof(struct phi_call, len),
	       TAKES(call, reply_len)),
	PHI_OP(PHI_IOC_REPLY, reply, caps, ON(reply, reply),
	       SENDS(reply, len)),
	PHI_OP(PHI_IOC_REPLY_RECV, reply_recv, pad,
	       ON(reply_recv, recv.endpoint),
	       OUT(reply_recv, recv.len, reply_error), SETTLES(reply_recv),
	       WAITS(reply_recv, recv.flags),
	       .sends = offsetof(struct phi_reply_recv, reply.len),
	       TAKES(reply_recv, recv.len)),
	PHI_OP(PHI_IOC_NOTIFY_CREATE, notify_create, cap,
	       OUT(notify_create, cap, cap), MAKES(notify_create, cap)),
	PHI_OP(PHI_IOC_NOTIFY_SIGNAL, notify_signal, bits,
	       ON(notify_signal, notify)),
	PHI_OP(PHI_IOC_NOTIFY_WAIT, notify_wait, bits,
	       ON(notify_wait, notify), OUT(notify_wait, bits, bits),
	       SETTLES(notify_wait), WAITS(notify_wait, flags)),
	PHI_OP(PHI_IOC_NOTIFY_BIND, notify_bind, pad, ON(notify_bind, notify)),
	PHI_OP(PHI_IOC_ENDPOINT_CREATE, endpoint_create, cap,
	       OUT(endpoint_create, cap, cap), MAKES(endpoint_create, cap)),
	PHI_OP(PHI_IOC_ENDPOINT_FD, endpoint_fd, pad,
	       ON(endpoint_fd, endpoint), OUT(endpoint_fd, fd, fd),
	       SETTLES(endpoint_fd)),
	PHI_OP(PHI_IOC_ENDPOINT_WATCH, endpoint_watch, bits,
	       ON(endpoint_watch, endpoint)),

	PHI_OP(PHI_IOC_CAP_DERIVE, cap_derive, out, ON(cap_derive, cap),
	       OUT(cap_derive, out, out), MAKES(cap_derive, out)),
	PHI_OP(PHI_IOC_CAP_REVOKE, cap_revoke, cap, ON(cap_revoke, cap),
	       WAITS(cap_revoke, flags), .waits_if = PHI_REVOKE_WAIT),
	PHI_OP(PHI_IOC_CAP_GRANT, cap_grant, pidfd, ON(cap_grant, give),
	       .aim = phi_cap_grant_aim, SENDS(cap_grant, len)),
	PHI_OP(PHI_IOC_CAP_DROP, cap_drop, cap, ON(cap_drop, cap),
	       .free = true),
	PHI_OP(PHI_IOC_CAP_QUERY, cap_query, badge, ON(cap_query, cap),
	       OUT(cap_query, type, ids)),
	PHI_OP(PHI_IOC_CAP_INVOKE, cap_invoke, deadline_ns, ON(cap_invoke, cap),
	       OUT(cap_invoke, out_len, out_len), SETTLES(cap_invoke),
	       .waits = PHI_WAITS,
	       .sends = offsetof(struct phi_cap_invoke, in_len),
	       .takes = offsetof(struct phi_cap_invoke, out_len),
	       .most = PHI_INVOKE_MAX),
	PHI_OP(PHI_IOC_CAP_SEAL, cap_seal, token, ON(cap_seal, cap)),
	PHI_OP(PHI_IOC_CAP_UNSEAL, cap_unseal, out, OUT(cap_unseal, out, out),
	       MAKES(cap_unseal, out)),
	PHI_OP(PHI_IOC_CAP_SAME, cap_same, pad, ON(cap_same, a),
	       OUT(cap_same, same, same)),
	PHI_OP(PHI_IOC_CAP_LIST, cap_list, total,
	       OUT(cap_list, count, total)),
	PHI_OP(PHI_IOC_CSPACE_SHARE, cspace_share, pad),
	PHI_OP(PHI_IOC_CSPACE_INBOX, cspace_inbox, endpoint,
	       ON(cspace_inbox, endpoint)),
	PHI_OP(PHI_IOC_CAP_REKEY, cap_rekey, pad,
	       OUT(cap_rekey, key_id, key_id),
	       SETTLES(cap_rekey)),
	PHI_OP(PHI_IOC_CAP_MINT, cap_mint, out, ON(cap_mint, endpoint),
	       OUT(cap_mint, out, out), MAKES(cap_mint, out)),
	PHI_OP(PHI_IOC_CAP_WATCH, cap_watch, gone, ON(cap_watch, cap)),

	PHI_OP(PHI_IOC_REGION_CREATE, region_create, cap,
	       OUT(region_create, cap, cap), MAKES(region_create, cap)),
	PHI_OP(PHI_IOC_REGION_INFO, region_info, pinned, ON(region_info, cap),
	       OUT(region_info, bytes, pinned)),
	PHI_OP(PHI_IOC_REGION_SNAPSHOT, region_snapshot, out,
	       ON(region_snapshot, cap), OUT(region_snapshot, out, out),
	       MAKES(region_snapshot, out)),
	PHI_OP(PHI_IOC_REGION_SLICE, region_slice, out, ON(region_slice, cap),
	       OUT(region_slice, out, out), MAKES(region_slice, out)),
	PHI_OP(PHI_IOC_REGION_ADOPT, region_adopt, cap,
	       OUT(region_adopt, cap, cap), MAKES(region_adopt, cap)),
	PHI_OP(PHI_IOC_REGION_WAIT, region_wait, deadline_ns,
	       ON(region_wait, cap), WAITS(region_wait, flags)),
	PHI_OP(PHI_IOC_REGION_WAKE, region_wake, woken, ON(region_wake, cap),
	       OUT(region_wake, woken, woken)),

	PHI_OP(PHI_IOC_THREAD_REGISTER, thread_register, cap,
	       ON(thread_register, endpoint), OUT(thread_register, cap, cap),
	       MAKES(thread_register, cap)),
	PHI_OP(PHI_IOC_THREAD_PLACE, thread_place, pad,
	       ON(thread_place, thread)),
	PHI_OP(PHI_IOC_THREAD_YIELD, thread_yield, pad,
	       ON(thread_yield, thread), OUT(thread_yield, yielded, yielded)),
	PHI_OP(PHI_IOC_THREAD_SIGNAL, thread_signal, pad,
	       ON(thread_signal, thread), SENDS(thread_signal, len)),
	PHI_OP(PHI_IOC_THREAD_JOIN, thread_join, status,
	       ON(thread_join, thread), OUT(thread_join, how, status),
	       WAITS(thread_join, flags)),
	PHI_OP(PHI_IOC_THREAD_EXIT, thread_exit, status),
	PHI_OP(PHI_IOC_THREAD_QUERY, thread_query, signo,
	       ON(thread_query, thread), OUT(thread_query, tid, signo)),
	PHI_OP(PHI_IOC_THREAD_CLASS, thread_class, deadline_ns,
	       ON(thread_class, thread)),

	PHI_OP(PHI_IOC_PROCESS_ENDOW, process_endow, pad,
	       OUT(process_endow, fd, fd), SETTLES(process_endow)),

	PHI_OP(PHI_IOC_AGENT_REGISTER, agent_register, cap,
	       ON(agent_register, parent), OUT(agent_register, id, cap),
	       MAKES(agent_register, cap)),
	PHI_OP(PHI_IOC_AGENT_KILL, agent_kill, pad, ON(agent_kill, agent),
	       OUT(agent_kill, agents, endpoints)),
	PHI_OP(PHI_IOC_AGENT_QUERY, agent_query, name,
	       OUT(agent_query, state, name)),
	PHI_OP(PHI_IOC_AGENT_WATCH, agent_watch, pad, ON(agent_watch, agent)),
	PHI_OP(PHI_IOC_AGENT_OPEN, agent_open, cap, OUT(agent_open, id, cap),
	       MAKES(agent_open, cap)),
	PHI_OP(PHI_IOC_AGENT_CHARGE, agent_charge, budget,
	       ON(agent_charge, agent)),
	PHI_OP(PHI_IOC_AGENT_EVICT, agent_evict, agent, ON(agent_evict, agent)),

	PHI_OP(PHI_IOC_BUDGET_CREATE, budget_create, cap,
	       ON(budget_create, parent), OUT(budget_create, cap, cap),
	       MAKES(budget_create, cap)),
	PHI_OP(PHI_IOC_BUDGET_QUERY, budget_query, given,
	       ON(budget_query, budget), OUT(budget_query, amount, given),
	       .free = true),
	PHI_OP(PHI_IOC_BUDGET_RESERVE, budget_reserve, reservation,
	       ON(budget_reserve, budget),
	       OUT(budget_reserve, reservation, reservation),
	       SETTLES(budget_reserve)),
	PHI_OP(PHI_IOC_BUDGET_SETTLE, budget_settle, amount, .free = true),
	PHI_OP(PHI_IOC_BUDGET_GRANT, budget_grant, amount,
	       ON(budget_grant, budget)),
	PHI_OP(PHI_IOC_BUDGET_WATCH, budget_watch, spent,
	       ON(budget_watch, budget)),

	PHI_OP(PHI_IOC_UNIT_REGISTER, unit_register, cap,
	       OUT(unit_register, id, cap), MAKES(unit_register, cap)),
	PHI_OP(PHI_IOC_UNIT_UPDATE, unit_update, healthy,
	       ON(unit_update, cap)),
	PHI_OP(PHI_IOC_UNIT_QUERY, unit_query, name,
	       OUT(unit_query, id, name)),
	PHI_OP(PHI_IOC_MODEL_REGISTER, model_register, cap,
	       ON(model_register, endpoint), OUT(model_register, id, cap),
	       MAKES(model_register, cap)),
	PHI_OP(PHI_IOC_INFER_BEGIN, infer_begin, ticket,
	       ON(infer_begin, model), OUT(infer_begin, batch, ticket),
	       SETTLES(infer_begin)),
	PHI_OP(PHI_IOC_INFER_END, infer_end, run_ns,
	       OUT(infer_end, run_ns, run_ns), SETTLES(infer_end),
	       .free = true),
	PHI_OP(PHI_IOC_INFER_SELECT, infer_select, score_ns,
	       ON(infer_select, model), OUT(infer_select, unit, score_ns)),
	PHI_OP(PHI_IOC_MODEL_QUERY, model_query, name,
	       OUT(model_query, id, name)),

	PHI_OP(PHI_IOC_CALL_CHECK, call_check, refused,
	       ON(call_check, session), OUT(call_check, refused, refused)),
	PHI_OP(PHI_IOC_SESSION_CREATE, session_create, cap,
	       OUT(session_create, cap, cap), MAKES(session_create, cap)),

	PHI_OP(PHI_IOC_SYSTEM_INFO, system_info, features,
	       OUT(system_info, abi, features)),
	PHI_OP(PHI_IOC_SYSTEM_STATS, system_stats, limit,
	       OUT(system_stats, objects, host_limit)),
	PHI_OP(PHI_IOC_DECISION_QUERY, decision_query, decision,
	       ON(decision_query, agent),
	       OUT(decision_query, lost, decision), .free = true),
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

static bool phi_same_page(const void __user *to, size_t len)
{
	unsigned long first = (unsigned long)to;

	return !((first ^ (first + len - 1)) & PAGE_MASK);
}

/* Write a byte back as it is. */
static bool phi_byte_writable(u8 __user *at)
{
	u8 byte;

	return !get_user(byte, at) && !put_user(byte, at);
}

/**
 * phi_frame_writable() - prove that the caller's memory can be written
 * @to: Where to, in the memory of the current process.
 * @len: Bytes, at most a page.
 *
 * Writes bytes back as they are, one in each page.
 *
 * Context: Process context. May sleep. No lock is held.
 * Return: False when a write there would fail.
 */
bool phi_frame_writable(void __user *to, size_t len)
{
	if (!len)
		return true;
	return phi_byte_writable(to) &&
	       (phi_same_page(to, len) || phi_byte_writable(to + len - 1));
}

/**
 * phi_frame_reserve() - reserve a descriptor for a file
 * @arg: Argument of the handler.
 * @file: The file, or ERR_PTR(). The frame keeps it until phi_frame_open().
 *
 * Context: Process context. May sleep.
 * Return: The descriptor; or a negative errno, with the file given back.
 */
int phi_frame_reserve(void *arg, struct file *file)
{
	int fd;

	if (IS_ERR(file))
		return PTR_ERR(file);
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		fput(file);
	else
		phi_frame_of(arg)->file = file;
	return fd;
}

/**
 * phi_frame_open() - let a reserved descriptor name the file in hand
 * @arg: Argument of the handler, which left the file in the frame.
 * @fd: The descriptor.
 * @told: The caller knows the descriptor; else both go.
 *
 * Until then the descriptor is nobody's: another thread cannot close it.
 *
 * Context: Process context. May sleep.
 */
void phi_frame_open(void *arg, int fd, bool told)
{
	struct file *file = phi_frame_of(arg)->file;

	if (told) {
		fd_install(fd, file);
	} else {
		put_unused_fd(fd);
		fput(file);
	}
}

/* The same for outputs, whose bytes are known. */
static bool phi_out_writable(u8 __user *to, const u8 *from, size_t len)
{
	if (!len)
		return true;
	return !put_user(*from, to) && (phi_same_page(to, len) ||
					!put_user(from[len - 1], to + len - 1));
}

/* Run a call, and write back what it says. */
static int phi_do(struct phi_cspace *cs, const struct phi_op *op,
		  struct phi_frame *frame, u32 size)
{
	void __user *out = frame->uarg + op->out;
	u32 end = min_t(u32, size, op->out_end);
	u32 len = end > op->out ? end - op->out : 0;
	int ret;

	if (!phi_out_writable(out, (u8 *)frame->arg + op->out, len))
		return -EFAULT;
	frame->silent = !len;
	frame->left = false;
	frame->sent = 0;
	ret = op->run(cs, frame->arg);
	if (ret)
		return ret;
	if (!frame->silent)
		ret = phi_words_put(out, (u8 *)frame->arg + op->out, len);
	if (op->settle)
		op->settle(cs, frame->arg, !ret);
	else if (ret && op->made)
		phi_cspace_drop(cs, phi_arg_handle(frame->arg, op->made));
	return ret;
}

static u64 phi_op_count(const struct phi_op *op, const void *arg, u16 offset)
{
	return offset ? min_t(u32, *(const u32 *)(arg + offset), op->most) : 0;
}

/* Bytes that a call may move. */
static u64 phi_op_moves(const struct phi_op *op, const void *arg)
{
	return phi_op_count(op, arg, op->sends) +
	       phi_op_count(op, arg, op->takes);
}

/* Bytes that a call has moved. */
static u64 phi_op_moved(const struct phi_op *op, const struct phi_frame *frame,
			int ret)
{
	/* Nobody reserved what the row of the call does not name. */
	WARN_ON_ONCE(frame->left && !op->sends);
	return frame->sent +
	       (ret ? 0 : phi_op_count(op, frame->arg, op->takes));
}

/* Run a call at the expense of the agent of the process, if it has a budget. */
static int phi_do_charged(struct phi_cspace *cs, const struct phi_op *op,
			  struct phi_frame *frame, u32 size)
{
	/* phi_charge_call() sets what is read. */
	struct phi_charge charge __attribute__((__uninitialized__));
	int ret;

	struct phi_purse *purse __free(phi_purse_put) =
		op->free ? NULL : phi_agent_purse(current);
	if (likely(!purse))
		return phi_do(cs, op, frame, size);
	ret = phi_charge_call(&charge, purse, phi_op_moves(op, frame->arg));
	if (ret) {
		if (op->aim)
			phi_cap_put(frame->cap);
		return ret;
	}
	ret = phi_do(cs, op, frame, size);
	/* One that did nothing yet, and is restarted, pays when it comes again. */
	phi_charge_called(&charge, ret > -ERESTARTSYS || frame->left,
			  phi_op_moved(op, frame, ret));
	return ret;
}

/* Run a call between the hooks. */
static int phi_run(struct phi_cspace *cs, const struct phi_op *op,
		   struct phi_frame *frame, u32 size)
{
	/* phi_draft_begin() sets what is read. */
	struct phi_draft draft __attribute__((__uninitialized__));
	struct phi_hook_target to;
	struct phi_hook_call call;
	int ret;

	phi_draft_begin(&draft);
	if (op->aim)
		op->aim(cs, frame->arg, &to);
	ret = phi_hook_enter(&call, cs, op - phi_ops,
			     phi_arg_handle(frame->arg, op->target),
			     op->aim ? &to : NULL);
	if (!ret)
		ret = phi_do_charged(cs, op, frame, size);
	else if (op->aim)
		phi_cap_put(frame->cap);
	if (unlikely(ret < 0))
		phi_decide(&call, &draft, ret);
	phi_draft_end(&draft);
	phi_hook_leave(&call, ret);
	return ret;
}

/**
 * phi_dispatch_as() - run a call that stands behind another one
 * @cs: The caller's cspace.
 * @cmd: PHI_IOC_*.
 * @frame: The call, its struct complete. After 0 its settle() is the caller's
 *         work, and so is writing back what it says.
 *
 * The policies see it as if it had been made by itself.
 *
 * Context: Process context. May sleep. No lock of this module is held.
 * Return: 0 or a negative errno.
 */
int phi_dispatch_as(struct phi_cspace *cs, unsigned int cmd,
		    struct phi_frame *frame)
{
	const struct phi_op *op = &phi_ops[_IOC_NR(cmd)];
	struct phi_hook_call call;
	int ret;

	ret = phi_hook_enter(&call, cs, _IOC_NR(cmd),
			     phi_arg_handle(frame->arg, op->target), NULL);
	frame->left = false;
	frame->sent = 0;
	if (!ret)
		ret = op->run(cs, frame->arg);
	phi_hook_leave(&call, ret);
	return ret;
}

/* May it wait for what others do? */
static bool phi_op_waits(const struct phi_op *op, const void *arg)
{
	u32 flags;

	if (!op->waits || op->waits == PHI_WAITS)
		return op->waits;
	flags = *(const u32 *)(arg + op->waits);
	return op->waits_if ? flags & op->waits_if : !(flags & PHI_NONBLOCK);
}

/**
 * phi_dispatch() - run one call
 * @cs: The cspace of the file that it came through.
 * @nr: Its number.
 * @uarg: Its struct, in the memory of the current process.
 * @nowait: Do nothing at all when the call may wait for others.
 *
 * Context: Process context. May sleep. No lock is held, unless @nowait.
 * Return: 0 or a negative errno; see uapi/phi/base.h. -EIOCBQUEUED when it may
 * wait and must not.
 */
long phi_dispatch(struct phi_cspace *cs, unsigned int nr, void __user *uarg,
		  bool nowait)
{
	/* No code reads the bytes that copy_struct_from_user() leaves unset. */
	struct phi_frame frame __attribute__((__uninitialized__));
	const struct phi_op *op;
	u32 size;
	int ret;

	if (nr >= ARRAY_SIZE(phi_ops))
		return -ENOTTY;
	op = &phi_ops[array_index_nospec(nr, ARRAY_SIZE(phi_ops))];
	if (!op->run)
		return -ENOTTY;
	if (phi_cspace_allowed(cs))
		return phi_decide_foreign(nr);

	frame.uarg = uarg;
	if (get_user(size, (u32 __user *)uarg))
		return -EFAULT;
	if (size < op->min || size > PAGE_SIZE)
		return size < op->min ? -EINVAL : -E2BIG;
	/* A caller of this version, the common case, has no tail to look at. */
	if (likely(size == op->size))
		ret = phi_words_get(frame.arg, uarg, op->size);
	else
		ret = copy_struct_from_user(frame.arg, op->size, uarg, size);
	if (ret)
		return ret;
	if (nowait && phi_op_waits(op, frame.arg))
		return -EIOCBQUEUED;
	return phi_run(cs, op, &frame, size);
}
