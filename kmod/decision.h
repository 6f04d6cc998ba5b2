/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PHI_KDECISION_H
#define _PHI_KDECISION_H

#include <linux/spinlock_types.h>
#include <linux/types.h>
#include <linux/uidgid.h>
#include <phi/decision.h>

struct phi_cap;
struct phi_cspace;
struct phi_hook_call;
struct phi_user;

/**
 * DOC: Decisions
 *
 * The code that refuses knows why, but not on behalf of which call; the
 * dispatcher knows the call. So phi_refuse() leaves a draft with the account of
 * the caller, under the number of the thread, and phi_decide() makes the record
 * of it when the call ends with that errno. Both run only on the way of a
 * refusal. A draft whose call went on and succeeded is older than the thread's
 * next call, and is never used.
 *
 * Drafts need no allocation, so code under a spinlock may refuse too. Records
 * are in logs, one for each user that was ever refused, which outlive the
 * account: the process that was refused has often ended when someone asks.
 */

/* Threads of one user between refusal and record at a time. */
#define PHI_DRAFTS 16

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
 * struct phi_draft - a refusal whose call has not ended
 * @tid: The thread, in the initial pid namespace; 0 = free.
 * @error: The negative errno.
 * @time_ns: CLOCK_MONOTONIC.
 * @why: The reason.
 */
struct phi_draft {
	pid_t tid;
	int error;
	u64 time_ns;
	struct phi_refusal why;
};

/**
 * struct phi_drafts - the drafts of one account
 * @lock: Guards the rest.
 * @draft: At most one for each thread.
 */
struct phi_drafts {
	spinlock_t lock; /* leaf; see main.h */
	struct phi_draft draft[PHI_DRAFTS];
};

int phi_refuse(struct phi_user *user, int error, const struct phi_refusal *why);
void phi_refuse_more(struct phi_user *user, u32 needs);
int phi_refuse_right(struct phi_user *user, const struct phi_cap *cap,
		     u32 needs);
int phi_refuse_badge(struct phi_user *user, const struct phi_cap *cap,
		     u32 needs);
int phi_refuse_handle(struct phi_user *user, u64 handle);
int phi_refuse_as(struct phi_user *user, u32 where, u32 kind);
bool phi_draft_take(struct phi_user *user, u64 start_ns, int error,
		    struct phi_refusal *why);
void phi_decide(const struct phi_hook_call *call, int error);
int phi_decide_foreign(u32 nr);

#endif /* _PHI_KDECISION_H */
