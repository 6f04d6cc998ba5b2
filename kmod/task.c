// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table of the tasks that have registered as threads, and how they leave it.
 */

#include <linux/binfmts.h>
#include <linux/rcupdate.h>
#include <linux/rhashtable.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/tracepoint.h>
#include <phi.h>

#include "compat.h"
#include "main.h"
#include "thread.h"

static struct rhashtable phi_tasks;

static const struct rhashtable_params phi_task_params = {
	.key_len = sizeof_field(struct phi_thread, key),
	.key_offset = offsetof(struct phi_thread, key),
	.head_offset = offsetof(struct phi_thread, node),
	.automatic_shrinking = true,
};

/* The kernel's tracepoints. */
static struct tracepoint *phi_exits;
static struct tracepoint *phi_execs;

/**
 * phi_task_add() - enter a thread into the table
 * @thread: The thread, its @key set.
 *
 * Context: Process context. May sleep.
 * Return: 0, -EEXIST when its task is there already, or -ENOMEM.
 */
int phi_task_add(struct phi_thread *thread)
{
	int ret = rhashtable_lookup_insert_fast(&phi_tasks, &thread->node,
						phi_task_params);

	return !ret || ret == -EEXIST ? ret : -ENOMEM;
}

/**
 * phi_task_remove() - take a thread out of the table
 * @thread: The thread, which is there.
 *
 * Context: Any but interrupts.
 */
void phi_task_remove(struct phi_thread *thread)
{
	WARN_ON_ONCE(rhashtable_remove_fast(&phi_tasks, &thread->node,
					    phi_task_params));
}

/**
 * phi_task_find() - the thread of a task, from where one takes no lock
 * @task: The task.
 *
 * Context: Under rcu_read_lock(), which must be held for as long as the thread
 * is used.
 * Return: The thread, which may be about to go, or NULL.
 */
struct phi_thread *phi_task_find(const struct task_struct *task)
{
	return rhashtable_lookup(&phi_tasks, &task, phi_task_params);
}

/**
 * phi_task_get() - the thread of a task
 * @task: The task.
 *
 * Context: Any.
 * Return: The thread, referenced, or NULL.
 */
struct phi_thread *phi_task_get(const struct task_struct *task)
{
	struct phi_thread *thread;

	guard(rcu)();
	thread = phi_task_find(task);
	if (thread && !kref_get_unless_zero(&thread->service.obj.ref))
		thread = NULL;
	return thread;
}

/* In the task itself, with preemption off; its exit code is known. */
static void phi_task_exits(void *data, PHI_EXIT_ARGS)
{
	struct phi_thread *thread = phi_task_get(task);
	u32 code = task->exit_code;

	if (!thread)
		return;
	if (code & 0x7f)
		phi_thread_ended(thread, PHI_THREAD_KILLED, code & 0x7f);
	else
		phi_thread_ended(thread, PHI_THREAD_EXITED, code >> 8 & 0xff);
}

/* The same: what others may do was agreed to by another program. */
static void phi_task_execs(void *data, struct task_struct *task, pid_t old_pid,
			   struct linux_binprm *bprm)
{
	struct phi_thread *thread = phi_task_get(task);

	if (thread)
		phi_thread_ended(thread, PHI_THREAD_EXECED, 0);
}

static void __init phi_task_tracepoint(struct tracepoint *tp, void *unused)
{
	if (!strcmp(tp->name, "sched_process_exit"))
		phi_exits = tp;
	if (!strcmp(tp->name, "sched_process_exec"))
		phi_execs = tp;
}

static int __init phi_task_probe(void)
{
	int ret;

	for_each_kernel_tracepoint(phi_task_tracepoint, NULL);
	if (!phi_exits || !phi_execs)
		return -ENOENT;
	ret = tracepoint_probe_register(phi_exits, phi_task_exits, NULL);
	if (ret)
		return ret;
	ret = tracepoint_probe_register(phi_execs, phi_task_execs, NULL);
	if (ret) {
		tracepoint_probe_unregister(phi_exits, phi_task_exits, NULL);
		tracepoint_synchronize_unregister();
	}
	return ret;
}

/**
 * phi_task_init() - hear of the ends of threads
 *
 * Context: Module load.
 * Return: 0, -ENOMEM, or -ENOENT when the kernel does not say.
 */
int __init phi_task_init(void)
{
	int ret = rhashtable_init(&phi_tasks, &phi_task_params);

	if (ret)
		return ret;
	ret = phi_task_probe();
	if (ret)
		rhashtable_destroy(&phi_tasks);
	return ret;
}

/**
 * phi_task_exit() - undo phi_task_init()
 *
 * Context: Module unload, or failed load. No file is open any more.
 */
void phi_task_exit(void)
{
	tracepoint_probe_unregister(phi_execs, phi_task_execs, NULL);
	tracepoint_probe_unregister(phi_exits, phi_task_exits, NULL);
	tracepoint_synchronize_unregister();
	WARN_ON(atomic_read(&phi_tasks.nelems));
	rhashtable_destroy(&phi_tasks);
}
