/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PHI_HOOK_H
#define _PHI_HOOK_H

#include <linux/types.h>

struct phi_agent_figures;
struct phi_asker;
struct phi_cap;
struct phi_cap_mint;
struct phi_check;
struct phi_cspace;
struct phi_object;
struct phi_share;
struct task_struct;
struct phi_user;

/**
 * DOC: Hooks
 *
 * BPF programs attach to these functions with fmod_ret (where they return a
 * verdict) or fentry, by plain bpftool. Each is noinline and weak, so that
 * the compiler cannot fold its constant return value into its callers; a
 * verdict would be lost then without an error.
 *
 * The kernel guards each program against recursion, per CPU: one that was
 * preempted on a CPU is skipped for every other task there, and a skipped one
 * reads as 0. So no code calls a hook directly. phi_hook_enter(),
 * phi_hook_leave(), phi_hook_infer_ask(), phi_hook_unit_ask() and
 * phi_hook_infer_told() call it with preemption off; interrupts make no calls,
 * and a program has one place of attachment, so none is ever skipped. A
 * module sees neither the programs on its functions nor their counts of
 * misses. It marks, per CPU, which of the three hooks with a verdict are
 * running. A program is skipped only when its hook is called while the same
 * hook is running on that CPU; such a call is refused without asking a program.
 *
 * Beside the hooks are the tracepoints of trace.h, which phi_trace() emits
 * with preemption off for the same reason. phi_hook_enter() and
 * phi_hook_leave() emit phi_call_enter and phi_call_exit.
 *
 * A call passes phi_hook_enter(), which asks phi_hook_syscall_enter() with the
 * call published on this CPU: bpf_phi_call_cap() finds it there, because the
 * verifier of newer kernels trusts no argument of a traced function. mmap() of
 * a region passes it too, as the call PHI_NR_REGION_MAP. CAP_INVOKE passes it
 * twice: by its own number, and by that of the call that its operation stands
 * for, PHI_NR_REGION_MAP for the bytes of a region. CAP_GRANT sends a
 * message: a policy that judges SEND and CALL must judge it too. CALL_CHECK
 * passes it by its own number, and once for each check, by phi_hook_check().
 *
 * A policy that refuses names the rule it goes by with bpf_phi_rule(); the
 * decision on the call has the number and the name of the program. Programs that
 * name none refuse all the same.
 *
 * A verdict of -511 to -1 is the errno that the call fails with. Any other
 * verdict of phi_hook_syscall_enter() but 0, and any other negative one of
 * phi_hook_infer_pre(), is no errno a caller may see, and refuses with EPERM.
 */

/**
 * struct phi_hook_call - one call on its way
 * @nr: Number of the call, or PHI_NR_REGION_MAP; for the check of a foreign call
 *      PHI_CALL_FOREIGN plus its number.
 * @uid: The user whose cspace it is: the effective one of the process when it
 *       opened /dev/phi. All three are in the initial user namespace.
 * @tgid: The calling process, in the initial pid namespace.
 * @task_uid: The real user of the calling thread now.
 * @task_euid: Its effective user now. Both differ from @uid where a process
 *             changed its user, or its cspace is shared.
 * @to_uid: For CAP_GRANT: the user whose cspace has the inbox of the receiver,
 *          -1 when there is no such inbox; for other calls 0.
 * @to_tgid: For CAP_GRANT: the process that receives, in the initial pid
 *           namespace; 0 when the receiver is an agent, and for other calls.
 * @via: For a check on behalf of a client: the process that asks, in the initial
 *       pid namespace. @uid, @tgid and @agent are then the client's, @task_* of
 *       the thread that asks, and @handle one of its handles. Else 0.
 * @to_agent: For CAP_GRANT: number of the agent that receives, or that the
 *            process which does belongs to; 0 = none.
 * @agent: Number of the agent the process belongs to, 0 = none.
 * @handle: The handle the call is about, 0 = none.
 * @start_ns: CLOCK_MONOTONIC at entry.
 * @cs: The caller's cspace, for the kfuncs.
 * @asker: For decisions: the client, or NULL for the calling thread.
 * @bytes: For a check, as @arg: see struct phi_check; else 0.
 * @arg: Summary of the arguments; see struct phi_check.
 */
struct phi_hook_call {
	u32 nr;
	u32 uid;
	u32 tgid;
	u32 task_uid;
	u32 task_euid;
	u32 to_uid;
	u32 to_tgid;
	u32 via;
	u64 to_agent;
	u64 agent;
	u64 handle;
	u64 start_ns;
	struct phi_cspace *cs;
	const struct phi_asker *asker;
	u64 bytes;
	u64 arg;
};

/**
 * struct phi_hook_target - who receives what a call gives
 * @uid: As @to_uid of struct phi_hook_call, and so on.
 * @tgid: As @to_tgid.
 * @agent: As @to_agent.
 */
struct phi_hook_target {
	u32 uid;
	u32 tgid;
	u64 agent;
};

/**
 * struct phi_hook_infer - one batch on its way
 * @model: Number of the model.
 * @batch: Inputs in it.
 * @wanted: Kind of unit liked best, PHI_UNIT_ANY = none.
 * @unit: Unit chosen; in phi_hook_select_unit() what the built-in choice is.
 * @uid: The caller, in the initial user namespace.
 * @node: NUMA node of the caller.
 * @result: In phi_hook_infer_post(): 0 or a negative errno.
 * @agent: Number of the agent it belongs to, 0 = none.
 * @deadline_ns: CLOCK_MONOTONIC, 0 = none.
 * @queued_ns: How long the oldest input waited before the call.
 * @run_ns: In phi_hook_infer_post(): how long it ran.
 * @units: Units open to the caller and healthy, bit by id; 0 until
 *         phi_hook_select_unit().
 * @name: The model's name.
 */
struct phi_hook_infer {
	u64 model;
	u32 batch;
	u32 wanted;
	u32 unit;
	u32 uid;
	u32 node;
	s32 result;
	u64 agent;
	u64 deadline_ns;
	u64 queued_ns;
	u64 run_ns;
	u64 units;
	char name[32];
};

/**
 * struct phi_cap_info - a capability, as bpf_phi_call_cap() reports it
 * @type: PHI_TYPE_*.
 * @rights: PHI_RIGHT_*.
 * @badge: See struct phi_cap_derive.
 * @expires_ns: CLOCK_BOOTTIME; 0 = never.
 * @depth: 1 for a root.
 * @pad: 0.
 */
struct phi_cap_info {
	u32 type;
	u32 rights;
	u64 badge;
	u64 expires_ns;
	u32 depth;
	u32 pad;
};

/**
 * struct phi_unit_stat - a unit, as bpf_phi_unit_stat() reports it
 * @kind: See struct phi_unit_query for this and all below.
 * @node: NUMA node.
 * @capacity: Batches it runs at once.
 * @in_flight: Batches begun and not ended. To phi_hook_select_unit() as the
 *             built-in choice counts them for the caller, see uapi/phi/infer.h.
 * @load: As reported.
 * @temperature: As reported.
 * @power: As reported.
 * @healthy: As reported.
 * @batches: Batches ended well.
 * @items: Inputs in them.
 * @run_ns: Time in them.
 */
struct phi_unit_stat {
	u32 kind;
	u32 node;
	u32 capacity;
	u32 in_flight;
	u32 load;
	u32 temperature;
	u32 power;
	u32 healthy;
	u64 batches;
	u64 items;
	u64 run_ns;
};

/**
 * struct phi_thread_stat - a registered thread, as bpf_phi_thread_stat() says
 * @deadline_ns: CLOCK_MONOTONIC, 0 = none.
 * @class: PHI_THREAD_*.
 * @pad: 0.
 */
struct phi_thread_stat {
	u64 deadline_ns;
	u32 class;
	u32 pad;
};

int phi_hook_enter(struct phi_hook_call *call, struct phi_cspace *cs, u32 nr,
		   u64 handle, const struct phi_hook_target *to);
int phi_hook_check(struct phi_hook_call *call, struct phi_cspace *cs,
		   const struct phi_asker *asker,
		   const struct phi_check *check);
void phi_hook_leave(struct phi_hook_call *call, long result);
int phi_hook_infer_ask(struct phi_hook_infer *infer);
int phi_hook_unit_ask(struct phi_hook_infer *infer,
		      const struct phi_share *shares);
void phi_hook_infer_told(struct phi_hook_infer *infer);

/* Where programs attach; called by the six above alone. */
int phi_hook_syscall_enter(struct phi_hook_call *call);
void phi_hook_syscall_exit(struct phi_hook_call *call, long result);
int phi_hook_infer_pre(struct phi_hook_infer *infer);
int phi_hook_select_unit(struct phi_hook_infer *infer);
void phi_hook_infer_post(struct phi_hook_infer *infer);

/* The agent of the current process; kmod/agent.c. */
u64 phi_agent_current(bool *killed);

/* The same of another process, 0 = none. */
u64 phi_agent_of(struct task_struct *task, bool *killed);

/* Number of an agent, an object of type AGENT. */
u64 phi_agent_id(const struct phi_object *obj);

/* Its figures, for CAP_INVOKE; kmod/agent.c. */
void phi_agent_describe(const struct phi_object *obj,
			struct phi_agent_figures *figures);

/* Inferences that a thread has begun and that have not ended; kmod/infer.c. */
u32 phi_infer_running(pid_t pid);

/* A registered thread; kmod/thread.c. */
int phi_thread_describe(pid_t pid, struct phi_thread_stat *stat);

/* Service objects (FILE, NETWORK); kmod/service.c. */
int phi_service_mint(struct phi_cspace *cs, struct phi_cap *endpoint,
		     struct phi_cap_mint *cmd);

#endif /* _PHI_HOOK_H */
