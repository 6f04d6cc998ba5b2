// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reasons of refusals, from where they are known to the end of the call.
 */

#include <linux/cleanup.h>
#include <linux/pid.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/timekeeping.h>

#include "cap.h"
#include "decision.h"
#include "quota.h"

/**
 * phi_refuse() - note why the current call is about to fail
 * @user: The account of the caller's cspace.
 * @error: Negative errno of the refusal.
 * @why: The reason.
 *
 * Context: Any; does nothing in interrupts and workers. Any lock may be held
 * that stands above the drafts lock in main.h.
 * Return: @error.
 */
int phi_refuse(struct phi_user *user, int error, const struct phi_refusal *why)
{
	struct phi_drafts *drafts = &user->drafts;
	struct phi_draft *draft = &drafts->draft[0];
	pid_t tid = task_pid_nr(current);

	/* Workers of io_uring are no kernel threads. */
	if (!in_task() || current->flags & PF_KTHREAD)
		return error;
	guard(spinlock)(&drafts->lock);
	for (u32 i = 0; i < PHI_DRAFTS; i++) {
		struct phi_draft *one = &drafts->draft[i];

		if (one->tid == tid) {
			draft = one;
			break;
		}
		/* A free one has the time 0. */
		if (one->time_ns < draft->time_ns)
			draft = one;
	}
	draft->error = error;
	draft->time_ns = ktime_get_ns();
	draft->why = *why;
	WRITE_ONCE(draft->tid, tid);
	return error;
}

/**
 * phi_refuse_more() - add rights to what the refused call takes
 * @user: As for phi_refuse().
 * @needs: Rights that the call asks for after the look-up that failed.
 *
 * The grant that a decision names has to do for all checks of the call, of
 * which phi_cspace_lookup() knows its own alone.
 *
 * Context: As phi_refuse().
 */
void phi_refuse_more(struct phi_user *user, u32 needs)
{
	struct phi_drafts *drafts = &user->drafts;
	pid_t tid = task_pid_nr(current);

	guard(spinlock)(&drafts->lock);
	for (u32 i = 0; i < PHI_DRAFTS; i++) {
		if (drafts->draft[i].tid == tid)
			drafts->draft[i].why.needs |= needs;
	}
}

/**
 * phi_refuse_right() - note that a capability lacks a right
 * @user: As for phi_refuse().
 * @cap: The capability, pinned.
 * @needs: Rights the call takes.
 *
 * Context: As phi_refuse().
 * Return: -EPERM.
 */
int phi_refuse_right(struct phi_user *user, const struct phi_cap *cap,
		     u32 needs)
{
	return phi_refuse(user, -EPERM,
			  &(struct phi_refusal){
				  .where = PHI_DECIDED_RIGHT,
				  .type = cap->type,
				  .rights = cap->rights,
				  .types = BIT(cap->type),
				  .needs = needs,
				  .badge = cap->badge,
			  });
}

/**
 * phi_refuse_badge() - note that a capability can give no other badge
 * @user: As for phi_refuse().
 * @cap: The capability, pinned.
 * @needs: Rights the call takes.
 *
 * Context: As phi_refuse().
 * Return: -EPERM.
 */
int phi_refuse_badge(struct phi_user *user, const struct phi_cap *cap,
		     u32 needs)
{
	return phi_refuse(user, -EPERM,
			  &(struct phi_refusal){
				  .where = PHI_DECIDED_BADGE,
				  .type = cap->type,
				  .rights = cap->rights,
				  .types = BIT(cap->type),
				  .needs = needs,
				  .badge = cap->badge,
			  });
}

/**
 * phi_refuse_handle() - note that no capability is behind a handle
 * @user: As for phi_refuse().
 * @handle: The handle.
 *
 * Context: As phi_refuse().
 * Return: -EBADF.
 */
int phi_refuse_handle(struct phi_user *user, u64 handle)
{
	return phi_refuse(user, -EBADF,
			  &(struct phi_refusal){
				  .where = PHI_DECIDED_HANDLE,
				  .types = ~0U,
				  .handle = handle,
				  .named = true,
			  });
}

/**
 * phi_refuse_as() - note a refusal that is about no capability
 * @user: As for phi_refuse().
 * @where: PHI_DECIDED_*.
 * @kind: See struct phi_decision.
 *
 * Context: As phi_refuse().
 * Return: -EPERM.
 */
int phi_refuse_as(struct phi_user *user, u32 where, u32 kind)
{
	return phi_refuse(user, -EPERM,
			  &(struct phi_refusal){ .where = where,
						 .kind = kind });
}

/* Has the current thread left any? Saves the lock where no call was refused. */
static bool phi_draft_any(const struct phi_drafts *drafts)
{
	pid_t tid = task_pid_nr(current);

	for (u32 i = 0; i < PHI_DRAFTS; i++) {
		if (READ_ONCE(drafts->draft[i].tid) == tid)
			return true;
	}
	return false;
}

/**
 * phi_draft_take() - take what the current thread has noted
 * @user: The account of the caller's cspace.
 * @start_ns: When the call began, CLOCK_MONOTONIC; a note from before is of
 *            another call, and is dropped.
 * @error: Result of the call; so is a note with another errno.
 * @why: Out, the reason.
 *
 * Context: Any but interrupts.
 * Return: False when there is no note on this call.
 */
bool phi_draft_take(struct phi_user *user, u64 start_ns, int error,
		    struct phi_refusal *why)
{
	struct phi_drafts *drafts = &user->drafts;
	pid_t tid = task_pid_nr(current);
	bool found = false;

	if (!phi_draft_any(drafts))
		return false;
	guard(spinlock)(&drafts->lock);
	for (u32 i = 0; i < PHI_DRAFTS; i++) {
		struct phi_draft *draft = &drafts->draft[i];

		if (draft->tid != tid)
			continue;
		found = draft->error == error && draft->time_ns >= start_ns;
		if (found)
			*why = draft->why;
		draft->tid = 0;
		draft->time_ns = 0;
		break;
	}
	return found;
}
