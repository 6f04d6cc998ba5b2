/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PHI_KTHREAD_H
#define _PHI_KTHREAD_H

#include <linux/mutex.h>
#include <linux/rhashtable-types.h>
#include <linux/sched/task.h>
#include <linux/workqueue.h>

#include "service.h"

/**
 * DOC: Threads
 *
 * A THREAD object is a task that registered itself. The table of registered
 * tasks, which refers to no object, is looked up by the kernel's tracepoints
 * sched_process_exit and sched_process_exec: they end the registration in the
 * task's own context. Until then the object has a reference to the task; a
 * dead one keeps only how it ended, whoever still names it.
 *
 * It begins as a service object does, for its messages go to an endpoint; one
 * without has NULL there, and no capability with SEND.
 */

/**
 * struct phi_thread - a registered thread
 * @service: Head.
 * @lock: Guards what changes: that of the endpoint, where there is one, because
 *        those who wait through one capability are tied to it under one lock.
 * @own: The lock when there is no endpoint.
 * @key: The task, as the key of the table; never followed.
 * @node: In the table until it ends.
 * @task: The task, referenced; NULL once it has ended.
 * @signo: Signal after a message, 0 = none. Set once.
 * @how: PHI_THREAD_*.
 * @left: The thread has left a status.
 * @status: That one, or how it ended.
 * @class: PHI_THREAD_*; read under RCU too, as is the next one.
 * @deadline_ns: CLOCK_MONOTONIC, 0 = none.
 * @joiners: Threads in THREAD_JOIN.
 * @end: Wakes them; with a reference.
 * @placing: One placement at a time; outer to the locks of the scheduler.
 * @rcu: Frees it.
 */
struct phi_thread {
	struct phi_service service;
	spinlock_t *lock; /* @own, or that of the endpoint */
	spinlock_t own; /* see main.h */
	struct task_struct *key;
	struct rhash_head node;
	struct task_struct *task;
	u32 signo;
	u32 how;
	bool left;
	s64 status;
	u32 class;
	u64 deadline_ns;
	struct list_head joiners;
	struct work_struct end;
	struct mutex placing; /* see main.h */
	struct rcu_head rcu;
};

#define to_thread(_obj) container_of(_obj, struct phi_thread, service.obj)

/* The table of registered tasks; kmod/task.c. */
int phi_task_add(struct phi_thread *thread);
void phi_task_remove(struct phi_thread *thread);
struct phi_thread *phi_task_find(const struct task_struct *task);
struct phi_thread *phi_task_get(const struct task_struct *task);

/* Takes NULL too. */
static inline void phi_thread_task_put(struct task_struct *task)
{
	if (task)
		put_task_struct(task);
}

DEFINE_FREE(phi_thread_task_put, struct task_struct *, phi_thread_task_put(_T))

/* kmod/thread.c */
struct task_struct *phi_thread_task(struct phi_thread *thread);
void phi_thread_ended(struct phi_thread *thread, u32 how, s64 status);

#endif /* _PHI_KTHREAD_H */
