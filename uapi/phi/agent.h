/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
#ifndef _PHI_AGENT_H
#define _PHI_AGENT_H

#include <phi/base.h>

/**
 * DOC: Agents
 *
 * An agent is a set of processes that policies know by one number: those of
 * a cgroup and its children. A process cannot leave its cgroup on its own,
 * so it cannot shed the number by fork() or by another open of /dev/phi.
 *
 * Nor by an agent of its own: below the cgroup of an agent, only a holder of
 * that agent's capability with ADMIN makes another. Of nested agents the
 * innermost counts whose makers had such a capability, each of the next agent
 * above it. One that was made before the agent above it, or whose next above is
 * gone while a further one is there, counts as the one above.
 *
 * An agent has what its processes start with, see process.h. However its last
 * process ends, all of that is revoked then, with what was derived from it; so
 * it is when the registration ends. AGENT_KILL ends the agent for good.
 */

/**
 * struct phi_agent_register - ioctl(PHI_IOC_AGENT_REGISTER)
 * @size: sizeof(struct phi_agent_register).
 * @flags: Must be 0.
 * @cgroup: File of a cgroup v2 directory that the caller may write to, else
 *          EPERM.
 * @pad: Must be 0.
 * @id: Out, the agent's number, never 0, never used again until the module
 *      is loaded again.
 * @name: For people; NUL-terminated, not empty, the rest zero.
 * @cap: Out, AGENT handle with READ, ADMIN and GRANT.
 * @parent: AGENT handle with ADMIN of the nearest agent above the cgroup; 0
 *          when none is. Anything else is EPERM.
 *
 * The registration lasts until the last live handle is dropped or revoked.
 * Fails with EEXIST when the cgroup is an agent already, ESRCH when the one
 * above was killed.
 */
struct phi_agent_register {
	__u32 size;
	__u32 flags;
	__s32 cgroup;
	__u32 pad;
	__aligned_u64 id;
	__u8 name[PHI_NAME_MAX];
	__aligned_u64 cap;
	__aligned_u64 parent;
};

#define PHI_IOC_AGENT_REGISTER _IO(PHI_IOC_MAGIC, 0x60)

/**
 * struct phi_agent_kill - ioctl(PHI_IOC_AGENT_KILL)
 * @size: sizeof(struct phi_agent_kill).
 * @flags: Must be 0.
 * @agent: AGENT handle with ADMIN.
 * @agents: Out, agents that ended: this one and those below it, killed ones not
 *          counted.
 * @cspaces: Out, cspaces of their processes that were closed.
 * @handles: Out, handles there.
 * @given: Out, capabilities that their processes started with, of which they or
 *         others still had something.
 * @mappings: Out, mappings of regions that ended.
 * @calls: Out, threads that waited in a call on one of the cspaces.
 * @endpoints: Out, endpoints that nobody receives from any more.
 * @pad: Must be 0.
 *
 * End an agent and all agents below it for good. When the call returns, every
 * call of one of their processes fails with ESRCH, every cspace that such a
 * process opened or started with is closed, and every capability in it is
 * killed, as is every one that a process started with, with all that was derived
 * from them, whoever has it. It does not end the processes: the caller writes 1
 * to cgroup.kill of the cgroup, as phi_agent_kill() of libphi does.
 *
 * A cspace that was opened outside of the agents is not theirs; a killed agent
 * cannot use it.
 */
struct phi_agent_kill {
	__u32 size;
	__u32 flags;
	__aligned_u64 agent;
	__u32 agents;
	__u32 cspaces;
	__u32 handles;
	__u32 given;
	__u32 mappings;
	__u32 calls;
	__u32 endpoints;
	__u32 pad;
};

#define PHI_IOC_AGENT_KILL _IO(PHI_IOC_MAGIC, 0x61)

/* State of an agent outside of the reader's cgroup namespace. */
#define PHI_AGENT_HIDDEN 0
/* State of an agent that has no process, and may have one again. */
#define PHI_AGENT_EMPTY 1
/* State of an agent that has processes. */
#define PHI_AGENT_RUNS 2
/* State of an agent that AGENT_KILL has ended. */
#define PHI_AGENT_KILLED 3

/* Flag of AGENT_QUERY: the first agent whose number is @id or more. */
#define PHI_AGENT_NEXT (1U << 1)

/**
 * struct phi_agent_query - ioctl(PHI_IOC_AGENT_QUERY)
 * @size: sizeof(struct phi_agent_query).
 * @flags: 0 or PHI_AGENT_NEXT.
 * @path: Pointer to @room bytes that receive the cgroup of the agent, from the
 *        root of the caller's cgroup namespace, NUL-terminated.
 * @room: Bytes at @path; 0 = none.
 * @state: Out, PHI_AGENT_HIDDEN and so on.
 * @id: Number of the agent; Out, the one that was found.
 * @parent: Out, number of the agent above whose holder allowed it, 0 = none.
 * @uid: Out, the user who registered it, in the caller's user namespace.
 * @runs: Out, times that its last process has ended.
 * @cspaces: Out, cspaces that its processes opened or started with.
 * @gifts: Out, capabilities that processes started with and that end with it.
 * @name: Out.
 *
 * Look at an agent, or with PHI_AGENT_NEXT at one after the other. Of one that
 * is outside of the caller's cgroup namespace only the number is told. Fails
 * with ENOENT when there is no such agent, EMSGSIZE when @room is too small.
 */
struct phi_agent_query {
	__u32 size;
	__u32 flags;
	__aligned_u64 path;
	__u32 room;
	__u32 state;
	__aligned_u64 id;
	__aligned_u64 parent;
	__u32 uid;
	__u32 runs;
	__u32 cspaces;
	__u32 gifts;
	__u8 name[PHI_NAME_MAX];
};

#define PHI_IOC_AGENT_QUERY _IO(PHI_IOC_MAGIC, 0x62)

/**
 * struct phi_agent_watch - ioctl(PHI_IOC_AGENT_WATCH)
 * @size: sizeof(struct phi_agent_watch).
 * @flags: Must be 0.
 * @agent: AGENT handle with READ.
 * @notify: NOTIFY handle with WRITE.
 * @bits: Bits to signal there, not 0.
 * @runs: Times that the last process of the agent has ended, as far as the
 *        caller knows, see AGENT_QUERY; when it is more, it signals at once.
 * @pad: Must be 0.
 *
 * Become a supervisor: signal bits of a notify once, when the last process of
 * the agent has ended and what it was given is revoked, or when the agent is
 * killed. The watch ends without a signal when the registration ends. It counts
 * as a capability of the caller's user. ENOSPC when PHI_WATCHES_MAX watches are
 * on the agent.
 */
struct phi_agent_watch {
	__u32 size;
	__u32 flags;
	__aligned_u64 agent;
	__aligned_u64 notify;
	__aligned_u64 bits;
	__u32 runs;
	__u32 pad;
};

#define PHI_IOC_AGENT_WATCH _IO(PHI_IOC_MAGIC, 0x63)

/**
 * struct phi_agent_open - ioctl(PHI_IOC_AGENT_OPEN)
 * @size: sizeof(struct phi_agent_open).
 * @flags: Must be 0.
 * @cgroup: File of a cgroup v2 directory that the caller may write to, else
 *          EPERM.
 * @pad: Must be 0.
 * @id: Out, number of the agent.
 * @cap: Out, AGENT handle with READ, ADMIN and GRANT.
 *
 * Get a handle to the agent that a cgroup is, as it was registered. A process
 * inside an agent opens only those below that: EPERM. ENOENT when the cgroup is
 * no agent.
 */
struct phi_agent_open {
	__u32 size;
	__u32 flags;
	__s32 cgroup;
	__u32 pad;
	__aligned_u64 id;
	__aligned_u64 cap;
};

#define PHI_IOC_AGENT_OPEN _IO(PHI_IOC_MAGIC, 0x64)

/**
 * struct phi_agent_evict - ioctl(PHI_IOC_AGENT_EVICT)
 * @size: sizeof(struct phi_agent_evict).
 * @flags: Must be 0.
 * @agent: AGENT handle with ADMIN.
 *
 * Take the inbox from an agent, whichever process named it: a process that has
 * left the agent keeps its inbox otherwise. A process of the agent may name one
 * again. ENOENT when it has none.
 */
struct phi_agent_evict {
	__u32 size;
	__u32 flags;
	__aligned_u64 agent;
};

#define PHI_IOC_AGENT_EVICT _IO(PHI_IOC_MAGIC, 0x65)

/**
 * struct phi_agent_charge - ioctl(PHI_IOC_AGENT_CHARGE)
 * @size: sizeof(struct phi_agent_charge).
 * @flags: Must be 0.
 * @agent: AGENT handle with ADMIN.
 * @budget: BUDGET handle with WRITE and GRANT; 0 = the agent has none any more.
 *
 * Charge to a budget what the processes of an agent do: one of PHI_BUDGET_CALLS
 * for each call and each check of CALL_CHECK, of PHI_BUDGET_MOVED the bytes of
 * messages, of CAP_INVOKE and of checks, of PHI_BUDGET_UNIT the time from
 * INFER_BEGIN to INFER_END. Kinds that the budget has nothing of are not to be
 * had at all.
 *
 * The most that a call can come to is reserved before it runs, and what it came
 * to is spent; a call that fails is a call too, and bytes that it sent before
 * that are spent as well. When less is free, the call fails with EDQUOT, and with
 * EKEYREVOKED or EKEYEXPIRED when the capability that @budget was has ended: both
 * do nothing and leave a decision. A batch reserves what the model took on that
 * unit so far; one that runs longer takes the rest out of what is free, until
 * nothing is. CAP_DROP, BUDGET_QUERY, BUDGET_SETTLE, INFER_END and DECISION_QUERY
 * are not charged.
 *
 * Of nested agents that have budgets the innermost pays whose budget comes out
 * of that of each next agent above; one that does not is paid for by that agent.
 * AGENT_KILL drops what the agent has of @budget; afterwards this fails with
 * ESRCH.
 */
struct phi_agent_charge {
	__u32 size;
	__u32 flags;
	__aligned_u64 agent;
	__aligned_u64 budget;
};

#define PHI_IOC_AGENT_CHARGE _IO(PHI_IOC_MAGIC, 0x6c)

#endif /* _PHI_AGENT_H */
