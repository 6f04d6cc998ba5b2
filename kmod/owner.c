// SPDX-License-Identifier: GPL-2.0-only
/*
 * The end of the process that owns a cspace. The file may stay open elsewhere,
 * in a process that can do nothing with it, so its release is not enough.
 */

#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "dispatch.h"
#include "inbox.h"
#include "owner.h"

static void phi_owner_close(struct phi_cspace *cs)
{
	if (READ_ONCE(cs->shared))
		return;
	phi_infer_close(cs);
	phi_budget_close(cs);
	phi_park_close(cs);
	phi_cspace_close(cs);
	phi_inbox_close(cs);
}

/* A process is a thread group: dead when no thread of it is left. */
static bool phi_owner_dead(const struct phi_cspace *cs)
{
	struct task_struct *task = get_pid_task(cs->tgid, PIDTYPE_TGID);
	bool dead = !task || !atomic_read(&task->signal->live);

	if (task)
		put_task_struct(task);
	return dead;
}

static void phi_owner_work(struct work_struct *work)
{
	struct phi_cspace *cs = container_of(work, struct phi_cspace, end_work);

	if (phi_owner_dead(cs))
		phi_owner_close(cs);
	phi_cspace_put(cs);
}

/*
 * Wakes those who poll a pidfd of the owner, at the end of the process and now
 * and then before. The kernel calls it with interrupts off.
 */
static int phi_owner_wake(struct wait_queue_entry *wait, unsigned int mode,
			  int flags, void *key)
{
	struct phi_cspace *cs = container_of(wait, struct phi_cspace, end_wait);

	phi_cspace_get(cs);
	/* The one that is queued already sees the same. */
	if (!schedule_work(&cs->end_work))
		phi_cspace_put(cs);
	return 0;
}

/**
 * phi_owner_watch() - close a cspace when its owner ends
 * @cs: The cspace of a file that is being opened.
 *
 * Context: Process context.
 */
void phi_owner_watch(struct phi_cspace *cs)
{
	INIT_WORK(&cs->end_work, phi_owner_work);
	init_waitqueue_func_entry(&cs->end_wait, phi_owner_wake);
	add_wait_queue(&cs->tgid->wait_pidfd, &cs->end_wait);
}

/**
 * phi_owner_unwatch() - undo phi_owner_watch()
 * @cs: The cspace of a file that is being released.
 *
 * Context: Process context. May sleep. No lock of this module is held.
 */
void phi_owner_unwatch(struct phi_cspace *cs)
{
	remove_wait_queue(&cs->tgid->wait_pidfd, &cs->end_wait);
	if (cancel_work_sync(&cs->end_work))
		phi_cspace_put(cs);
}

/**
 * phi_owner_flush() - a process lets go of a descriptor of a cspace
 * @cs: The cspace.
 *
 * When the owner ends, its peers hear of it before its parent does. A thread
 * that ends with a table of files of its own is not the end of its process.
 *
 * Context: Process context. May sleep. No lock of this module is held.
 */
void phi_owner_flush(struct phi_cspace *cs)
{
	if (current->flags & PF_EXITING && phi_cspace_owned(cs) &&
	    !atomic_read(&current->signal->live))
		phi_owner_close(cs);
}
