// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where BPF programs attach, and the functions they may call.
 */

#include <linux/bpf.h>
#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/kallsyms.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/string.h>

#include "compat.h"
#include "cspace.h"
#include "decision.h"
#include "hook.h"
#include "main.h"
#include "model.h"
#include "service.h"
#include "trace.h"
#include "unit.h"

/**
 * struct phi_hook_now - the call a policy is being asked about
 * @call: The call.
 * @asked: A policy asked for the capability.
 * @error: Result of the lookup.
 * @cap: Capability it found; put when sleeping is allowed again.
 */
struct phi_hook_now {
	struct phi_hook_call *call;
	bool asked;
	int error;
	struct phi_cap *cap;
};

static DEFINE_PER_CPU(struct phi_hook_now *, phi_hook_now);

/* The hooks that may refuse, as bits of what is at work on a CPU. */
#define PHI_ASKS_CALL BIT(0)
#define PHI_ASKS_INFER BIT(1)
#define PHI_ASKS_UNIT BIT(2)

static DEFINE_PER_CPU(u32, phi_hook_asks);

/**
 * struct phi_hook_rule - the rule that a policy named last
 * @rule: Its number; 0 = none.
 * @at: Where the program called bpf_phi_rule(), if it did.
 */
struct phi_hook_rule {
	u32 rule;
	unsigned long at;
};

/* Of the hook that is at work on a CPU. */
static DEFINE_PER_CPU(struct phi_hook_rule, phi_hook_rules);

/* In phi_hook_unit_ask(): what the caller has in flight. */
static DEFINE_PER_CPU(const struct phi_share *, phi_hook_shares);

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
 * @result: Its return value.
 *
 * Context: Process context, preemption off.
 */
__weak noinline void phi_hook_syscall_exit(struct phi_hook_call *call,
					   long result)
{
}

/**
 * phi_hook_infer_pre() - a batch is about to begin
 * @infer: The batch.
 *
 * Context: Process context, preemption off.
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
 * Context: Process context, preemption off.
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
 * Context: Process context, preemption off.
 */
__weak noinline void phi_hook_infer_post(struct phi_hook_infer *infer)
{
}

__bpf_hook_end();

/* The errno of a verdict: none may restart the call. */
static int phi_hook_errno(int verdict)
{
	return verdict <= 0 && verdict > -ERESTARTSYS ? verdict : -EPERM;
}

/*
 * Turn preemption off to ask a hook. False when the hook is at work on this
 * CPU already: its programs would be skipped, which must not read as consent.
 */
static bool phi_hook_begin(u32 ask)
{
	preempt_disable();
	if (WARN_ON_ONCE(this_cpu_read(phi_hook_asks) & ask)) {
		preempt_enable();
		return false;
	}
	this_cpu_or(phi_hook_asks, ask);
	this_cpu_write(phi_hook_rules.rule, 0);
	return true;
}

/*
 * Name the program that an address is in: the kernel calls it
 * bpf_prog_TAG_NAME, where TAG has 16 digits.
 */
static void phi_hook_program(unsigned long at, char *name, size_t room)
{
	static const char prefix[] = "bpf_prog_";
	char symbol[KSYM_SYMBOL_LEN];
	char *from = symbol + sizeof(prefix) - 1 + 2 * BPF_TAG_SIZE + 1;

	sprint_symbol_no_offset(symbol, at);
	if (!str_has_prefix(symbol, prefix) ||
	    strlen(symbol) < (size_t)(from - symbol))
		return;
	strscpy(name, from, min(room, strcspn(from, " ") + 1));
}

/* Note who refuses, while the program cannot go: with preemption off. */
static noinline void phi_hook_draft(int verdict)
{
	unsigned long at = this_cpu_read(phi_hook_rules.at);
	struct phi_refusal why = {
		.where = PHI_DECIDED_HOOK,
		.rule = this_cpu_read(phi_hook_rules.rule),
	};

	if (why.rule)
		phi_hook_program(at, why.program, sizeof(why.program));
	phi_refuse(phi_hook_errno(verdict), &why);
}

static void phi_hook_end(u32 ask)
{
	this_cpu_and(phi_hook_asks, ~ask);
	preempt_enable();
}

/* Ask the policies about a call that is described. */
static int phi_hook_ask(struct phi_hook_call *call)
{
	struct phi_hook_now now = { .call = call };
	int verdict = -EPERM;

	if (phi_hook_begin(PHI_ASKS_CALL)) {
		this_cpu_write(phi_hook_now, &now);
		verdict = phi_hook_syscall_enter(call);
		this_cpu_write(phi_hook_now, NULL);
		if (unlikely(verdict))
			phi_hook_draft(verdict);
		phi_hook_end(PHI_ASKS_CALL);
	}
	phi_cap_put(now.cap);
	return phi_hook_errno(verdict);
}

/* Describe a call as the current thread makes it. */
static bool phi_hook_describe(struct phi_hook_call *call, struct phi_cspace *cs,
			      u32 nr, u64 handle)
{
	bool killed;

	*call = (struct phi_hook_call){
		.nr = nr,
		.uid = __kuid_val(phi_cspace_uid(cs)),
		.tgid = task_tgid_nr(current),
		.task_uid = __kuid_val(current_uid()),
		.task_euid = __kuid_val(current_euid()),
		.agent = phi_agent_current(&killed),
		.handle = handle,
		.start_ns = ktime_get_ns(),
		.cs = cs,
	};
	return killed;
}

/**
 * phi_hook_enter() - describe a call, and ask the policies about it
 * @call: Out, the call.
 * @cs: The caller.
 * @nr: Number of the call.
 * @handle: The handle it is about, 0 = none.
 * @to: The receiver of what it gives, or NULL.
 *
 * phi_hook_leave() follows, whatever they say.
 *
 * Context: Process context. May sleep when a policy looked at the capability.
 * Return: 0, or the negative errno that the call fails with.
 */
int phi_hook_enter(struct phi_hook_call *call, struct phi_cspace *cs, u32 nr,
		   u64 handle, const struct phi_hook_target *to)
{
	bool killed = phi_hook_describe(call, cs, nr, handle);

	if (to) {
		call->to_uid = to->uid;
		call->to_tgid = to->tgid;
		call->to_agent = to->agent;
	}
	phi_trace(phi_call_enter, call);
	return killed ? -ESRCH : phi_hook_ask(call);
}

/**
 * phi_hook_check() - describe a foreign call, and ask the policies about it
 * @call: Out, the call.
 * @cs: The cspace of the process that asks.
 * @asker: The client that it asks for, or NULL when it is its own call. It stays
 *         as long as @call.
 * @check: The question.
 *
 * phi_hook_leave() follows, whatever they say.
 *
 * Context: As phi_hook_enter().
 * Return: 0, or the negative errno that the check fails with.
 */
int phi_hook_check(struct phi_hook_call *call, struct phi_cspace *cs,
		   const struct phi_asker *asker, const struct phi_check *check)
{
	bool killed = phi_hook_describe(
		call, cs, PHI_CALL_FOREIGN + check->call, check->cap);

	if (asker) {
		call->via = call->tgid;
		call->uid = __kuid_val(asker->uid);
		call->tgid = asker->host.pid;
		call->agent = asker->agent;
		call->asker = asker;
	}
	call->bytes = check->bytes;
	call->arg = check->arg;
	phi_trace(phi_call_enter, call);
	return killed ? -ESRCH : phi_hook_ask(call);
}

/**
 * phi_hook_leave() - show the policies what became of a call
 * @call: The call, from phi_hook_enter().
 * @result: Its return value.
 *
 * Context: Process context.
 */
void phi_hook_leave(struct phi_hook_call *call, long result)
{
	scoped_guard(preempt) {
		phi_hook_syscall_exit(call, result);
	}
	phi_trace(phi_call_exit, call, result);
}

/**
 * phi_hook_infer_ask() - ask the policies about a batch
 * @infer: The batch; they may have made it smaller.
 *
 * Context: Process context.
 * Return: 0, or the negative errno that INFER_BEGIN fails with.
 */
int phi_hook_infer_ask(struct phi_hook_infer *infer)
{
	int verdict = -EPERM;

	if (phi_hook_begin(PHI_ASKS_INFER)) {
		verdict = phi_hook_infer_pre(infer);
		if (verdict < 0)
			phi_hook_draft(verdict);
		phi_hook_end(PHI_ASKS_INFER);
	}
	if (verdict < 0)
		return phi_hook_errno(verdict);
	if (verdict && verdict < infer->batch)
		infer->batch = verdict;
	return 0;
}

/**
 * phi_hook_unit_ask() - ask the policies for a unit
 * @infer: The batch.
 * @shares: Batches that the caller has in flight, for bpf_phi_unit_stat().
 *
 * Context: Process context.
 * Return: Number of a unit plus 1, 0 to keep the built-in choice, or -EPERM
 * when no policy can be asked.
 */
int phi_hook_unit_ask(struct phi_hook_infer *infer,
		      const struct phi_share *shares)
{
	int verdict;

	if (!phi_hook_begin(PHI_ASKS_UNIT))
		return -EPERM;
	this_cpu_write(phi_hook_shares, shares);
	verdict = phi_hook_select_unit(infer);
	this_cpu_write(phi_hook_shares, NULL);
	phi_hook_end(PHI_ASKS_UNIT);
	/* Nothing else of it is a refusal. */
	return max(verdict, 0);
}

/**
 * phi_hook_infer_told() - show the policies a batch that has ended
 * @infer: The batch, with its run time and result.
 *
 * Context: Process context.
 */
void phi_hook_infer_told(struct phi_hook_infer *infer)
{
	phi_trace(phi_infer_end, infer);
	guard(preempt)();
	phi_hook_infer_post(infer);
}

__bpf_kfunc_start_defs();

/**
 * bpf_phi_call_cap() - look at the capability that a call is about
 * @info: Out.
 *
 * For programs on phi_hook_syscall_enter(). The first use in a call looks the
 * handle up; calls that no policy is curious about do not pay for it. An
 * interrupt that comes meanwhile is no part of the call, and sees none.
 *
 * Context: Any; finds something only in the task within phi_hook_enter().
 * Return: 0; -ENOENT when the call has no capability or this is no call, or
 * the errno it is going to fail with, as -EBADF or -EKEYREVOKED.
 */
__bpf_kfunc int bpf_phi_call_cap(struct phi_cap_info *info)
{
	struct phi_hook_now *now;
	int ret = -ENOENT;

	preempt_disable();
	now = in_task() ? this_cpu_read(phi_hook_now) : NULL;
	if (now && now->call->handle) {
		if (!now->asked) {
			/* For a program on what the lookup itself calls. */
			now->asked = true;
			now->error = -ENOENT;
			now->error = phi_cspace_glance(
				now->call->cs, now->call->handle, &now->cap);
		}
		ret = now->error ?: phi_cap_live(now->cap);
	}
	if (!ret)
		*info = (struct phi_cap_info){
			.type = now->cap->type,
			.rights = now->cap->rights,
			.badge = now->cap->badge,
			.expires_ns = now->cap->expires_ns,
			.depth = now->cap->depth,
		};
	preempt_enable();
	return ret;
}

/**
 * bpf_phi_rule() - name the rule by which a policy refuses
 * @rule: Its number, of the policy's own choice; 0 takes the name back.
 *
 * For programs on the hooks with a verdict, just before they refuse: of several
 * calls the last counts, also that of another program that let the call pass.
 *
 * Context: Any; has an effect only in the task that asks a hook.
 */
__bpf_kfunc void bpf_phi_rule(u32 rule)
{
	guard(preempt)();
	if (!in_task() || !this_cpu_read(phi_hook_asks))
		return;
	this_cpu_write(phi_hook_rules.rule, rule);
	this_cpu_write(phi_hook_rules.at, _RET_IP_);
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
	const struct phi_share *shares;

	guard(preempt)();
	shares = in_task() ? this_cpu_read(phi_hook_shares) : NULL;
	return phi_unit_stat(id, shares, stat);
}

/**
 * bpf_phi_unit_average() - how long a model runs on a unit
 * @model: Number of the model.
 * @unit: Number of the unit.
 *
 * Context: Any.
 * Return: Nanoseconds per input, 0 when it never ran there.
 */
__bpf_kfunc u64 bpf_phi_unit_average(u64 model, u32 unit)
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
 * bpf_phi_thread_stat() - how urgent a thread is
 * @pid: Its number in the initial pid namespace, as above.
 * @stat: Out.
 *
 * Context: Any.
 * Return: 0, or -ENOENT when the thread is not registered.
 */
__bpf_kfunc int bpf_phi_thread_stat(u32 pid, struct phi_thread_stat *stat)
{
	return phi_thread_describe(pid, stat);
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
BTF_ID_FLAGS(func, bpf_phi_rule)
BTF_ID_FLAGS(func, bpf_phi_unit_stat)
BTF_ID_FLAGS(func, bpf_phi_unit_average)
BTF_ID_FLAGS(func, bpf_phi_rate_take)
BTF_ID_FLAGS(func, bpf_phi_thread_infers)
BTF_ID_FLAGS(func, bpf_phi_thread_stat)
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
