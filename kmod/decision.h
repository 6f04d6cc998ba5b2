/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PHI_KDECISION_H
#define _PHI_KDECISION_H

#include <linux/types.h>
#include <linux/uidgid.h>
#include <phi/decision.h>

struct phi_cap;
struct phi_cspace;
struct phi_hook_call;
struct task_struct;

/**
 * DOC: Decisions
 *
 * The code that refuses knows why, but not on behalf of which call; the
 * dispatcher knows the call. So each call has a draft on the stack of its
 * thread, which phi_refuse() finds and fills, and phi_decide() makes the record
 * of it when the call ends with that errno. So the record goes to the user that
 * was refused, whose account ever had too little, and no other thread's refusal
 * takes its place.
 *
 * Drafts need no allocation, so code under a spinlock may refuse too. Records
 * are in logs, one for each user that was ever refused, which outlive the
 * account: the process that was refused has often ended when someone asks.
 */

/**
 * struct phi_tasks - a process and its thread, by number
 * @pid: The process.
 * @tid: The thread.
 */
struct phi_tasks {
	pid_t pid;
	pid_t tid;
};

/**
 * struct phi_asker - who makes a call, as far as decisions say it
 * @uid: The user of the cspace.
 * @agent: Number of the agent, 0 = none.
 * @host: The thread in the initial pid namespace.
 * @own: The thread in its own, which a record shall not keep.
 * @ns: Inode number of its own.
 * @start_ns: When the thread began, CLOCK_BOOTTIME: its numbers are used again.
 */
struct phi_asker {
	kuid_t uid;
	u64 agent;
	struct phi_tasks host;
	struct phi_tasks own;
	unsigned int ns;
	u64 start_ns;
};

/**
 * struct phi_refusal - why something was refused
 * @where: PHI_DECIDED_*; this and the rest as in struct phi_decision.
 * @type: PHI_TYPE_*.
 * @rights: PHI_RIGHT_*.
 * @types: Bits of PHI_TYPE_*.
 * @needs: PHI_RIGHT_*.
 * @kind: Quota or privilege.
 * @rule: Of a policy.
 * @owner: Account that had too little.
 * @named: @handle was refused, be it 0; else the one that the call is about.
 * @handle: The handle, if @named.
 * @badge: Badge of the capability.
 * @asked: Amount the call would have taken.
 * @used: Amount in use.
 * @limit: Limit of both.
 * @program: Name of the policy's program.
 */
struct phi_refusal {
	u32 where;
	u32 type;
	u32 rights;
	u32 types;
	u32 needs;
	u32 kind;
	u32 rule;
	kuid_t owner;
	bool named;
	u64 handle;
	u64 badge;
	u64 asked;
	u64 used;
	u64 limit;
	char program[PHI_NAME_MAX];
};

/**
 * struct phi_draft - why a call that runs is about to be refused
 * @node: Among the calls that run.
 * @task: The thread, which alone uses the next ones.
 * @error: The negative errno; 0 = nothing was refused.
 * @why: The reason, with @error.
 */
struct phi_draft {
	struct hlist_node node;
	struct task_struct *task;
	int error;
	struct phi_refusal why;
};

void phi_asker_self(struct phi_asker *asker, kuid_t uid, u64 agent);
void phi_draft_begin(struct phi_draft *draft);
void phi_draft_end(struct phi_draft *draft);
int phi_refuse(int error, const struct phi_refusal *why);
void phi_refuse_more(u32 needs);
int phi_refuse_right(const struct phi_cap *cap, u32 needs);
int phi_refuse_badge(const struct phi_cap *cap, u32 needs);
int phi_refuse_handle(u64 handle);
int phi_refuse_as(u32 where, u32 kind);
void phi_decide(const struct phi_hook_call *call, const struct phi_draft *draft,
		int error);
int phi_decide_foreign(u32 nr);

#endif /* _PHI_KDECISION_H */
