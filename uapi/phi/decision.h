/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
#ifndef _PHI_DECISION_H
#define _PHI_DECISION_H

#include <phi/base.h>

/**
 * DOC: Decisions
 *
 * A decision is the record of a refusal: who asked for what, where it was
 * refused, and the narrowest grant that would have let it through. The module
 * makes one for each call that fails with
 *
 *  EPERM, EKEYREVOKED, EKEYEXPIRED, EKEYREJECTED, EDQUOT   always
 *  EBADF      when no capability is behind a handle
 *  EINVAL     when a capability is of another type than the call takes
 *  any errno  when a BPF policy returned it
 *
 * and none for other errors, such as malformed arguments, EPIPE, EAGAIN or
 * ENOMEM, which no grant would change. A call that succeeds makes none.
 *
 * Each user has a log of the last PHI_DECISIONS_KEPT refusals of cspaces that
 * it opened. A new decision replaces the oldest one in the log of the same
 * user, and never one of another user. Logs together take at most a 64th of
 * the memory: then the log of a user that has no cspace makes room for a new
 * one. When there is none, the refusals of a further user are not recorded.
 */

/* Decisions in the log of one user. */
#define PHI_DECISIONS_KEPT 128

/* Where it was decided, struct phi_decision @where. */
#define PHI_DECIDED_CALL 0 /* in the call; nothing more is known */
#define PHI_DECIDED_HANDLE 1 /* no capability is behind the handle */
#define PHI_DECIDED_TYPE 2 /* the capability is of another type */
#define PHI_DECIDED_RIGHT 3 /* it lacks a right */
#define PHI_DECIDED_BADGE 4 /* it has a badge, and cannot give another */
#define PHI_DECIDED_REVOKED 5 /* it was revoked */
#define PHI_DECIDED_EXPIRED 6 /* it has expired */
#define PHI_DECIDED_TOKEN 7 /* the sealed token does not verify */
#define PHI_DECIDED_CSPACE 8 /* the cspace belongs to another process */
#define PHI_DECIDED_PRIVILEGE 9 /* the opener lacks CAP_* number @kind */
#define PHI_DECIDED_FILE 10 /* the opener may not write the cgroup directory */
#define PHI_DECIDED_AGENT 11 /* another agent is above the cgroup */
#define PHI_DECIDED_QUOTA 12 /* the quota @kind of user @owner is spent */
#define PHI_DECIDED_HOOK 13 /* a BPF policy: @program, @rule */
#define PHI_DECIDED_PROCESS 14 /* no child that runs the caller's program */
#define PHI_DECIDED_BUDGET 15 /* a budget of @owner has too little of @kind */

/* struct phi_decision @kind of the limit of the module parameter quota_units. */
#define PHI_DECISION_UNITS 0x100
/* And of RLIMIT_MEMLOCK, in pages; @owner is the user that locks them. */
#define PHI_DECISION_MEMLOCK 0x101

/**
 * struct phi_decision - the record of one refusal
 * @id: Its number, never 0. The upper half is the user whose log has it, as
 *      numbered in the initial user namespace; the lower half counts from 1,
 *      and begins again after 2^32 - 1, in the same order.
 * @time_ns: CLOCK_BOOTTIME, nanoseconds.
 * @agent: Number of the agent that was refused, 0 = none.
 * @handle: The handle that was refused, in the cspace of the caller; 0 = none.
 * @badge: Badge of the capability.
 * @asked: With PHI_DECIDED_QUOTA and _BUDGET: how much the call would have taken.
 * @used: How much was in use before.
 * @limit: The limit then. With PHI_DECIDED_BUDGET both are 0 for a capability
 *         without READ.
 * @call: Number of the call.
 * @error: Its result, a negative errno.
 * @where: PHI_DECIDED_*.
 * @uid: The user that opened the cspace.
 * @pid: The process; 0 when the pid namespace of the reader is neither its own
 *       nor the initial one.
 * @tid: The thread; a worker's for a call that io_uring ran in one.
 * @type: PHI_TYPE_* of the capability, 0 when there is none any more.
 * @rights: PHI_RIGHT_* that it has.
 * @types: Types that the call takes for @handle, 1 << PHI_TYPE_*; 0 = it takes
 *         no capability.
 * @needs: PHI_RIGHT_* that it takes. A live capability of one of @types with
 *         @needs is the narrowest grant.
 * @kind: PHI_QUOTA_* or PHI_DECISION_*, PHI_BUDGET_*, or number of a CAP_*.
 * @owner: With PHI_DECIDED_QUOTA: whose quota it is; with PHI_DECIDED_BUDGET: who
 *         made the budget. The grant is @asked of @kind; with EPERM, a call of
 *         that user.
 * @rule: Number that the policy gave to bpf_phi_rule(), 0 = it named no rule.
 * @pad: 0.
 * @program: Name of the policy's program; empty when it named no rule.
 *
 * Uids and pids are those of the reader's namespaces.
 */
struct phi_decision {
	__aligned_u64 id;
	__aligned_u64 time_ns;
	__aligned_u64 agent;
	__aligned_u64 handle;
	__aligned_u64 badge;
	__aligned_u64 asked;
	__aligned_u64 used;
	__aligned_u64 limit;
	__u32 call;
	__s32 error;
	__u32 where;
	__u32 uid;
	__u32 pid;
	__u32 tid;
	__u32 type;
	__u32 rights;
	__u32 types;
	__u32 needs;
	__u32 kind;
	__u32 owner;
	__u32 rule;
	__u32 pad;
	__u8 program[PHI_NAME_MAX];
};

/* Flags of struct phi_decision_query. */
#define PHI_DECISION_AFTER (1U << 0) /* the first one with a higher number */
#define PHI_DECISION_BEFORE (1U << 1) /* the last one with a lower number */
#define PHI_DECISION_THREAD (1U << 2) /* of the calling thread alone */
#define PHI_DECISION_ALL (1U << 3) /* of all users; for CAP_SYS_ADMIN */

/**
 * struct phi_decision_query - ioctl(PHI_IOC_DECISION_QUERY)
 * @size: sizeof(struct phi_decision_query).
 * @flags: PHI_DECISION_*; AFTER and BEFORE exclude each other, EINVAL.
 * @id: Number of a decision, or with AFTER and BEFORE where to begin; 0 with
 *      BEFORE begins at the end.
 * @agent: AGENT handle with ADMIN: decisions on that agent, of all users; 0 =
 *         on any agent and none.
 * @lost: Out, how many decisions of the user of @decision its log has lost
 *        because newer ones replaced them; 0 where those of one agent are read.
 * @decision: Out.
 *
 * Read a decision: of the caller's user, and within an agent only those on that
 * agent. With PHI_DECISION_ALL those of all users, EPERM unless the opener of
 * the cspace had CAP_SYS_ADMIN in the initial user namespace.
 * Fails with ENOENT when there is none, or it was replaced.
 *
 * A loop with AFTER reads all decisions, those of a user in the order of their
 * time; BEFORE reads them backwards.
 */
struct phi_decision_query {
	__u32 size;
	__u32 flags;
	__aligned_u64 id;
	__aligned_u64 agent;
	__aligned_u64 lost;
	struct phi_decision decision;
};

/* Of the system, for decisions are on calls of every noun. */
#define PHI_IOC_DECISION_QUERY _IO(PHI_IOC_MAGIC, 0xf2)

#endif /* _PHI_DECISION_H */
