// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where BPF programs attach, and the functions they may call.
 */

#include <linux/bpf.h>
#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/err.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/sched.h>

#include "compat.h"
#include "cspace.h"
#include "hook.h"
#include "main.h"
#include "model.h"
#include "service.h"
#include "unit.h"

/**
 * struct phi_hook_now - the call a policy is being asked about
 * @call: The call.
 * @asked: A policy asked for the capability.
 * @error: What the lookup gave.
 * @cap: What it found; put when sleeping is allowed again.
 */
struct phi_hook_now {
	struct phi_hook_call *call;
	bool asked;
	int error;
	struct phi_cap *cap;
};

static DEFINE_PER_CPU(struct phi_hook_now *, phi_hook_now);

__bpf_hook_start();

/**
 * phi_hook_syscall_enter() - a call is about to run
 * @call: The call.
 *
 * Context: Process context, preemption off.
 * Return: 0 to let it run, or the negative errno it fails with.
 */
__weak noinline int phi_hook_syscall_enter(struct phi_hook_call *call)
{
	return 0;
}

/**
 * phi_hook_syscall_exit() - a call is done
 * @call: The call.
 * @result: What it returns.
 *
 * Context: Process context.
 */
__weak noinline void phi_hook_syscall_exit(struct phi_hook_call *call,
					   long result)
{
}

/**
 * phi_hook_infer_pre() - a batch is about to begin
 * @infer: The batch.
 *
 * Context: Process context.
 * Return: 0 to let it run, the most inputs it may have, or the negative errno
 * that INFER_BEGIN fails with.
 */
__weak noinline int phi_hook_infer_pre(struct phi_hook_infer *infer)
{
	return 0;
}

/**
 * phi_hook_select_unit() - a unit is about to be chosen
 * @infer: The batch; @unit is the built-in choice, @units what is open.
 *
 * Context: Process context.
 * Return: Number of a unit plus 1; anything else keeps the built-in choice.
 */
__weak noinline int phi_hook_select_unit(struct phi_hook_infer *infer)
{
	return 0;
}

/**
 * phi_hook_infer_post() - a batch has ended
 * @infer: The batch, with its run time and result.
 *
 * Context: Process context.
 */
__weak noinline void phi_hook_infer_post(struct phi_hook_infer *infer)
{
}

__bpf_hook_end();

/**
 * phi_hook_errno() - what a policy's verdict makes a call return
 * @verdict: What the policy returned.
 *
 * Context: Any.
 * Return: 0, or a negative errno that the caller may see. A verdict that is
 * none of these must not read as success, nor restart the call.
 */
int phi_hook_errno(int verdict)
{
	return verdict <= 0 && verdict > -ERESTARTSYS ? verdict : -EPERM;
}

/**
 * phi_hook_enter() - ask the policies about a call
 * @call: The call.
 *
 * Context: Process context. May sleep when a policy looked at the capability.
 * Return: 0, or the negative errno that the call fails with.
 */
int phi_hook_enter(struct phi_hook_call *call)
{
	struct phi_hook_now now = { .call = call };
	int verdict;

	/* No other call can take the place of this one meanwhile. */
	preempt_disable();
	this_cpu_write(phi_hook_now, &now);
	verdict = phi_hook_syscall_enter(call);
	this_cpu_write(phi_hook_now, NULL);
	preempt_enable();

	phi_cap_put(now.cap);
	return phi_hook_errno(verdict);
}

__bpf_kfunc_start_defs();

/**
 * bpf_phi_call_cap() - look at the capability that a call is about
 * @info: Out.
 *
 * For programs on phi_hook_syscall_enter(). The first use in a call looks the
 * handle up; calls that no policy is curious about do not pay for it.
 *
 * Context: Within phi_hook_enter().
 * Return: 0; -ENOENT when the call has no capability or this is no call, or
 * the errno it is going to fail with, as -EBADF or -EKEYREVOKED.
 */
__bpf_kfunc int bpf_phi_call_cap(struct phi_cap_info *info)
{
	struct phi_hook_now *now;
	int ret = -ENOENT;

	preempt_disable();
	now = this_cpu_read(phi_hook_now);
	if (now && now->call->handle) {
		if (!now->asked)
			now->error = phi_cspace_glance(
				now->call->cs, now->call->handle, &now->cap);
		now->asked = true;
		ret = now->error ?: phi_cap_live(now->cap);
	}
	if (!ret)
		*info = (struct phi_cap_info){
			.type = now->cap->obj->ops->type,
			.rights = now->cap->rights,
			.badge = now->cap->badge,
			.expires_ns = now->cap->expires_ns,
			.depth = now->cap->depth,
		};
	preempt_enable();
	return ret;
}

/**
 * bpf_phi_unit_stat() - the figures of a unit
 * @id: Its number.
 * @stat: Out.
 *
 * Context: Any.
 * Return: 0, or -ENOENT when there is no such unit.
 */
__bpf_kfunc int bpf_phi_unit_stat(u32 id, struct phi_unit_stat *stat)
{
	return phi_unit_stat(id, stat);
}

/**
 * bpf_phi_unit_average() - how long a model runs on a unit
 * @model: Number of the model.
 * @unit: Number of the unit.
 *
 * Context: Any.
 * Return: Nanoseconds per input, 0 when it never ran there.
 */
__bpf_kfunc u64 bpf_phi_unit_average(u32 model, u32 unit)
{
	return phi_model_average(model, unit);
}

/**
 * bpf_phi_rate_take() - take one token from a bucket
 * @bucket: The bucket, which the caller keeps, in a map: when it will be full
 *          again, CLOCK_MONOTONIC. 0 is a full one.
 * @per_second: Tokens that come each second, at least 1.
 * @burst: Tokens it holds, at least 1.
 *
 * One word says all of a bucket, so that any number of CPUs may take from it
 * without a lock.
 *
 * Context: Any.
 * Return: 0 when a token was taken, else nanoseconds until there is one.
 */
__bpf_kfunc u64 bpf_phi_rate_take(u64 *bucket, u64 per_second, u64 burst)
{
	u64 period, depth, now, full, next;

	period = div64_u64(NSEC_PER_SEC, clamp(per_second, 1, NSEC_PER_SEC));
	depth = period * clamp(burst, 1, U32_MAX);
	now = ktime_get_mono_fast_ns();
	full = READ_ONCE(*bucket);
	do {
		/* After a lower limit it may be emptier than it can be now. */
		if (full > now + depth) {
			cmpxchg(bucket, full, now + depth);
			return period;
		}
		next = max(full, now) + period;
		if (next - now > depth)
			return next - now - depth;
	} while (!try_cmpxchg(bucket, &full, next));
	return 0;
}

/**
 * bpf_phi_thread_infers() - is a thread inside an inference
 * @pid: Its number in the initial pid namespace. Not the thread itself: a
 *       module has types of its own, which the verifier takes for others
 *       than the kernel's where they could not be told to be the same.
 *
 * Context: Any.
 * Return: Inferences it has begun and that have not ended.
 */
__bpf_kfunc u32 bpf_phi_thread_infers(u32 pid)
{
	return phi_infer_running(pid);
}

/**
 * bpf_phi_port_open() - does a NETWORK capability open a port
 * @proto: IPPROTO_TCP or IPPROTO_UDP.
 * @port: The port, in the byte order of the host.
 *
 * Context: Any.
 * Return: True when a live capability opens it.
 */
__bpf_kfunc bool bpf_phi_port_open(u8 proto, u16 port)
{
	return phi_service_port_open(proto, port);
}

__bpf_kfunc_end_defs();

BTF_KFUNCS_START(phi_verdict_ids)
BTF_ID_FLAGS(func, phi_hook_syscall_enter)
BTF_ID_FLAGS(func, phi_hook_infer_pre)
BTF_ID_FLAGS(func, phi_hook_select_unit)
BTF_KFUNCS_END(phi_verdict_ids)

BTF_KFUNCS_START(phi_kfunc_ids)
BTF_ID_FLAGS(func, bpf_phi_call_cap)
BTF_ID_FLAGS(func, bpf_phi_unit_stat)
BTF_ID_FLAGS(func, bpf_phi_unit_average)
BTF_ID_FLAGS(func, bpf_phi_rate_take)
BTF_ID_FLAGS(func, bpf_phi_thread_infers)
BTF_ID_FLAGS(func, bpf_phi_port_open)
BTF_KFUNCS_END(phi_kfunc_ids)

static const struct btf_kfunc_id_set phi_verdict_set = {
	.owner = THIS_MODULE,
	.set = &phi_verdict_ids,
};

static const struct btf_kfunc_id_set phi_kfunc_set = {
	.owner = THIS_MODULE,
	.set = &phi_kfunc_ids,
};

/*
 * Programs that may call the kfuncs. The first stands for those on LSM hooks
 * and perf events too: a set may be registered once for what they share.
 */
static const enum bpf_prog_type phi_kfunc_users[] = {
	BPF_PROG_TYPE_TRACING,	  BPF_PROG_TYPE_XDP,
	BPF_PROG_TYPE_SCHED_CLS,  BPF_PROG_TYPE_SYSCALL,
	BPF_PROG_TYPE_STRUCT_OPS,
};

/**
 * phi_hook_init() - let BPF programs see the hooks and the kfuncs
 *
 * The kernel takes the registrations back when the module's type information
 * goes, and programs that use it keep the module loaded.
 *
 * Context: Module load.
 * Return: 0 or a negative errno.
 */
int phi_hook_init(void)
{
	u32 i;
	int ret;

	ret = register_btf_fmodret_id_set(&phi_verdict_set);
	for (i = 0; !ret && i < ARRAY_SIZE(phi_kfunc_users); i++)
		ret = register_btf_kfunc_id_set(phi_kfunc_users[i],
						&phi_kfunc_set);
	return ret;
}

/**
 * phi_hook_exit() - nothing to take back, see phi_hook_init()
 *
 * Context: Module unload.
 */
void phi_hook_exit(void)
{
}
