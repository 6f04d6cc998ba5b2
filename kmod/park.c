// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls whose thread leaves the kernel for a moment: it is stopped, frozen or
 * traced, or has work to do. The kernel then makes the same call again, which
 * must take the answer and not ask a second time.
 */

#include <linux/cleanup.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "charge.h"
#include "dispatch.h"
#include "endpoint.h"
#include "quota.h"

/**
 * struct phi_parked - a call to go on with
 * @caller: The call; the reference of its thread.
 * @tid: The thread, referenced.
 * @purse: Pays for the call if the thread does not come back, or NULL.
 * @uarg: Where its struct is.
 * @cmd: A copy of that struct.
 * @data: The message.
 */
struct phi_parked {
	struct phi_caller *caller;
	struct pid *tid;
	struct phi_purse *purse;
	void __user *uarg;
	struct phi_call cmd;
	u8 data[PHI_MSG_MAX];
};

static void phi_parked_free(struct phi_cspace *cs, struct phi_parked *parked)
{
	put_pid(parked->tid);
	phi_purse_put(parked->purse);
	kfree(parked);
	phi_quota_uncharge(cs->user, PHI_QUOTA_BYTES, sizeof(*parked));
}

/* Nobody comes back for the answer. */
static void phi_parked_abandon(struct phi_cspace *cs, struct phi_parked *parked)
{
	if (!parked)
		return;
	phi_caller_leave(parked->caller);
	phi_charge_late(no_free_ptr(parked->purse), parked->cmd.len);
	phi_parked_free(cs, parked);
}

static struct phi_parked *phi_parked_new(struct phi_cspace *cs,
					 struct phi_frame *frame)
{
	const struct phi_call *cmd = (void *)frame->arg;
	struct phi_parked *parked;

	if (phi_quota_charge(cs->user, PHI_QUOTA_BYTES, sizeof(*parked)))
		return NULL;
	parked = kmalloc(sizeof(*parked), GFP_KERNEL_ACCOUNT);
	if (!parked || copy_from_user(parked->data, u64_to_user_ptr(cmd->data),
				      cmd->len)) {
		kfree(parked);
		phi_quota_uncharge(cs->user, PHI_QUOTA_BYTES, sizeof(*parked));
		return NULL;
	}
	parked->tid = get_pid(task_pid(current));
	parked->purse = phi_agent_purse(current);
	parked->uarg = frame->uarg;
	parked->cmd = *cmd;
	return parked;
}

/* A handler may have run and made another call from the same place. */
static bool phi_parked_same(const struct phi_parked *parked,
			    struct phi_frame *frame)
{
	const struct phi_call *cmd = (void *)frame->arg;
	u8 data[PHI_MSG_MAX];

	return parked->tid == task_pid(current) &&
	       parked->uarg == frame->uarg &&
	       !memcmp(&parked->cmd, cmd, sizeof(*cmd)) &&
	       !copy_from_user(data, u64_to_user_ptr(cmd->data), cmd->len) &&
	       !memcmp(parked->data, data, cmd->len);
}

/* Has no thread of a cspace a call to go on with? */
static bool phi_park_none(const struct phi_cspace *cs)
{
	/* Others may park now, but what a thread parked itself it sees. */
	return data_race(xa_empty(&cs->parked));
}

/**
 * phi_park() - keep a call until its thread makes it again
 * @cs: The caller's cspace.
 * @frame: The call.
 * @caller: Waits for the answer; the reference of the thread goes over.
 *
 * A thread has one such call in a cspace at most.
 *
 * Context: Process context. May sleep. No lock of this module is held.
 * Return: False when it cannot be kept; @caller is still the thread's then.
 */
bool phi_park(struct phi_cspace *cs, struct phi_frame *frame,
	      struct phi_caller *caller)
{
	struct phi_parked *parked = phi_parked_new(cs, frame);
	void *old;

	if (!parked)
		return false;
	parked->caller = caller;
	phi_caller_rest(caller);
	old = xa_store(&cs->parked, current->pid, parked, GFP_KERNEL_ACCOUNT);
	if (xa_is_err(old)) {
		phi_parked_free(cs, parked);
		return false;
	}
	/* That of a thread that had the number before. */
	phi_parked_abandon(cs, old);
	return true;
}

/**
 * phi_park_resume() - go on with a call that was made before
 * @cs: The caller's cspace.
 * @frame: The call.
 *
 * Another call of the thread ends the one that was parked.
 *
 * Context: Process context. May sleep. No lock of this module is held.
 * Return: The call that was given to phi_park(), or NULL for a new call.
 */
struct phi_caller *phi_park_resume(struct phi_cspace *cs,
				   struct phi_frame *frame)
{
	struct phi_caller *caller = NULL;
	struct phi_parked *parked;

	if (phi_park_none(cs))
		return NULL;
	parked = xa_erase(&cs->parked, current->pid);
	if (!parked)
		return NULL;
	if (phi_parked_same(parked, frame)) {
		caller = parked->caller;
		phi_caller_return(caller);
		phi_parked_free(cs, parked);
	} else {
		phi_parked_abandon(cs, parked);
	}
	return caller;
}

/**
 * phi_park_forget() - the thread makes a call other than CALL
 * @cs: The caller's cspace.
 *
 * The kernel makes a parked call again before the thread runs. So a handler
 * has run instead: its signal came after phi_park_due(), and ended the call.
 *
 * Context: Process context. May sleep. No lock of this module is held.
 */
void phi_park_forget(struct phi_cspace *cs)
{
	if (!phi_park_none(cs))
		phi_parked_abandon(cs, xa_erase(&cs->parked, current->pid));
}

/**
 * phi_park_close() - abandon all that is parked in a cspace
 * @cs: The cspace, at its release or at the end of its owner.
 *
 * Context: Process context. May sleep. No lock of this module is held.
 */
void phi_park_close(struct phi_cspace *cs)
{
	struct phi_parked *parked;
	unsigned long nr;

	xa_for_each(&cs->parked, nr, parked) {
		phi_parked_abandon(cs, xa_erase(&cs->parked, nr));
		cond_resched();
	}
}

/**
 * phi_park_due() - is the thread only wanted for a moment?
 *
 * Context: Process context, with a signal or work pending.
 * Return: False when a handler will run or the thread ends, and in a worker of
 * io_uring, which is cancelled.
 */
bool phi_park_due(void)
{
	/* A thread's own does not change while the thread runs here. */
	struct sighand_struct *sighand =
		rcu_dereference_protected(current->sighand, true);
	bool handled = false;
	sigset_t pending;

	if (fatal_signal_pending(current) || current->flags & PF_IO_WORKER)
		return false;
	spin_lock_irq(&sighand->siglock);
	sigorsets(&pending, &current->pending.signal,
		  &current->signal->shared_pending.signal);
	sigandnsets(&pending, &pending, &current->blocked);
	for (int sig = 1; sig <= _NSIG && !handled; sig++) {
		__sighandler_t handler = sighand->action[sig - 1].sa.sa_handler;

		handled = sigismember(&pending, sig) && handler != SIG_DFL &&
			  handler != SIG_IGN;
	}
	spin_unlock_irq(&sighand->siglock);
	return !handled;
}
