// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reasons of refusals, from where they are known to the end of the call.
 */

#include <linux/cleanup.h>
#include <linux/hash.h>
#include <linux/list.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/spinlock.h>

#include "cap.h"
#include "decision.h"

/* A thread that waits in a call lengthens one list, of its own. */
#define PHI_DRAFT_BITS 12

/**
 * struct phi_drafts - the drafts of some calls that run
 * @lock: Guards @list, but not what the drafts say.
 * @list: The drafts.
 */
struct phi_drafts {
	spinlock_t lock; /* leaf; see main.h */
	struct hlist_head list;
};

/* By thread. */
static struct phi_drafts phi_drafts[1 << PHI_DRAFT_BITS] = {
	[0 ...(1 << PHI_DRAFT_BITS) - 1] = {
		.lock = __SPIN_LOCK_UNLOCKED(phi_drafts.lock),
	},
};

static struct phi_drafts *phi_drafts_of(const struct task_struct *task)
{
	return &phi_drafts[hash_ptr(task, PHI_DRAFT_BITS)];
}

/**
 * phi_draft_begin() - let the current thread note refusals
 * @draft: Where to, until phi_draft_end(). Of those of a thread the newest
 *         counts: a check within CALL_CHECK has its own.
 *
 * Context: Process context.
 */
void phi_draft_begin(struct phi_draft *draft)
{
	struct phi_drafts *drafts = phi_drafts_of(current);

	draft->task = current;
	draft->error = 0;
	guard(spinlock)(&drafts->lock);
	hlist_add_head(&draft->node, &drafts->list);
}

/**
 * phi_draft_end() - undo phi_draft_begin()
 * @draft: The draft, of the current thread.
 *
 * Context: Process context.
 */
void phi_draft_end(struct phi_draft *draft)
{
	struct phi_drafts *drafts = phi_drafts_of(current);

	guard(spinlock)(&drafts->lock);
	hlist_del(&draft->node);
}

/* The draft of the call that the current thread runs, or NULL. */
static struct phi_draft *phi_draft_mine(void)
{
	struct phi_drafts *drafts = phi_drafts_of(current);
	struct phi_draft *draft;

	/* An interrupt's refusal is none of the thread that it stops. */
	if (!in_task())
		return NULL;
	guard(spinlock)(&drafts->lock);
	hlist_for_each_entry(draft, &drafts->list, node) {
		if (draft->task == current)
			return draft;
	}
	return NULL;
}

/**
 * phi_refuse() - note why the current call is about to fail
 * @error: Negative errno of the refusal.
 * @why: The reason.
 *
 * Context: Any; does nothing in interrupts, and in workers that run no call.
 * Any lock may be held that stands above the draft locks in main.h.
 * Return: @error.
 */
int phi_refuse(int error, const struct phi_refusal *why)
{
	struct phi_draft *draft = phi_draft_mine();

	if (draft) {
		draft->error = error;
		draft->why = *why;
	}
	return error;
}

/**
 * phi_refuse_more() - add rights to what the refused call takes
 * @needs: Rights that the call asks for after the look-up that failed.
 *
 * The grant that a decision names has to do for all checks of the call, of
 * which phi_cspace_lookup() knows its own alone.
 *
 * Context: As phi_refuse().
 */
void phi_refuse_more(u32 needs)
{
	struct phi_draft *draft = phi_draft_mine();

	if (draft && draft->error)
		draft->why.needs |= needs;
}

/* Note that a capability, as it is, does not do. */
static int phi_refuse_cap(u32 where, const struct phi_cap *cap, u32 needs)
{
	return phi_refuse(-EPERM, &(struct phi_refusal){
					  .where = where,
					  .type = cap->type,
					  .rights = cap->rights,
					  .types = BIT(cap->type),
					  .needs = needs,
					  .badge = cap->badge,
				  });
}

/**
 * phi_refuse_right() - note that a capability lacks a right
 * @cap: The capability, pinned.
 * @needs: Rights the call takes.
 *
 * Context: As phi_refuse().
 * Return: -EPERM.
 */
int phi_refuse_right(const struct phi_cap *cap, u32 needs)
{
	return phi_refuse_cap(PHI_DECIDED_RIGHT, cap, needs);
}

/**
 * phi_refuse_badge() - note that a capability can give no other badge
 * @cap: The capability, pinned.
 * @needs: Rights the call takes.
 *
 * Context: As phi_refuse().
 * Return: -EPERM.
 */
int phi_refuse_badge(const struct phi_cap *cap, u32 needs)
{
	return phi_refuse_cap(PHI_DECIDED_BADGE, cap, needs);
}

/**
 * phi_refuse_handle() - note that no capability is behind a handle
 * @handle: The handle.
 *
 * Context: As phi_refuse().
 * Return: -EBADF.
 */
int phi_refuse_handle(u64 handle)
{
	return phi_refuse(-EBADF, &(struct phi_refusal){
					  .where = PHI_DECIDED_HANDLE,
					  .types = ~0U,
					  .handle = handle,
					  .named = true,
				  });
}

/**
 * phi_refuse_as() - note a refusal that is about no capability
 * @where: PHI_DECIDED_*.
 * @kind: See struct phi_decision.
 *
 * Context: As phi_refuse().
 * Return: -EPERM.
 */
int phi_refuse_as(u32 where, u32 kind)
{
	return phi_refuse(-EPERM, &(struct phi_refusal){ .where = where,
							 .kind = kind });
}
