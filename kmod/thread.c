// SPDX-License-Identifier: GPL-2.0-only
/*
 * Threads that others may join, signal, place and yield to.
 */

#include <linux/capability.h>
#include <linux/cleanup.h>
#include <linux/pid.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "decision.h"
#include "dispatch.h"
#include "endpoint.h"
#include "hook.h"
#include "thread.h"
#include "wait.h"

/* Of the capability that THREAD_REGISTER makes; SEND with an endpoint. */
#define PHI_THREAD_RIGHTS                                                      \
	(PHI_RIGHT_READ | PHI_RIGHT_WRITE | PHI_RIGHT_EXEC | PHI_RIGHT_ADMIN | \
	 PHI_RIGHT_GRANT)

static void phi_thread_free(struct phi_object *obj)
{
	struct phi_thread *thread = to_thread(obj);

	if (thread->task) {
		phi_task_remove(thread);
		put_task_struct(thread->task);
	}
	phi_service_fini(&thread->service);
	kfree_rcu(thread, rcu);
}

/* Through this capability nobody waits, and no message is queued, any more. */
static void phi_thread_cut(struct phi_object *obj, struct phi_cap *cap,
			   int error)
{
	struct phi_thread *thread = to_thread(obj);
	bool more = true;
	LIST_HEAD(none);

	if (thread->service.endpoint) {
		phi_endpoint_cut(thread->service.endpoint, cap, error);
		return;
	}
	if (phi_ties_none(cap))
		return;
	while (more) {
		scoped_guard(spinlock, thread->lock)
			more = phi_ties_cut(cap, error, &none);
		cond_resched();
	}
}

static void phi_thread_removed(struct phi_object *obj, struct phi_cap *cap)
{
	phi_thread_cut(obj, cap, -EBADF);
}

static void phi_thread_dead(struct phi_object *obj, struct phi_cap *cap)
{
	phi_thread_cut(obj, cap, phi_cap_live(cap) ?: -EKEYREVOKED);
}

static const struct phi_object_ops phi_thread_ops = {
	.type = PHI_TYPE_THREAD,
	.free = phi_thread_free,
	.removed = phi_thread_removed,
	.dead = phi_thread_dead,
};

/* Wake some of the joiners of a thread that has ended. Return: are there more? */
static bool phi_thread_wake(struct phi_thread *thread)
{
	struct phi_waiter *w;

	guard(spinlock)(thread->lock);
	for (int i = 0; i < PHI_STEP && !list_empty(&thread->joiners); i++) {
		w = list_first_entry(&thread->joiners, struct phi_waiter, node);
		list_del_init(&w->node);
		phi_waiter_wake(w);
	}
	return !list_empty(&thread->joiners);
}

static void phi_thread_work(struct work_struct *work)
{
	struct phi_thread *thread = container_of(work, struct phi_thread, end);

	while (phi_thread_wake(thread))
		cond_resched();
	phi_object_put(&thread->service.obj);
}

/**
 * phi_thread_ended() - the task of a thread ends, or becomes another program
 * @thread: The thread, in the table; takes over a reference.
 * @how: PHI_THREAD_*.
 * @status: Its status, unless it exits and has left one.
 *
 * Context: In that task, once. Does not sleep.
 */
void phi_thread_ended(struct phi_thread *thread, u32 how, s64 status)
{
	struct task_struct *task = thread->task;

	phi_task_remove(thread);
	scoped_guard(spinlock, thread->lock) {
		if (how != PHI_THREAD_EXITED || !thread->left)
			thread->status = status;
		WRITE_ONCE(thread->how, how);
		thread->task = NULL;
	}
	put_task_struct(task);
	queue_work(phi_wait_wq, &thread->end);
}

/**
 * phi_thread_task() - the task of a thread
 * @thread: The thread.
 *
 * Context: Any but interrupts.
 * Return: The task, referenced; NULL when it has ended.
 */
struct task_struct *phi_thread_task(struct phi_thread *thread)
{
	guard(spinlock)(thread->lock);
	return thread->task ? get_task_struct(thread->task) : NULL;
}

static int phi_thread_check(const struct phi_thread_register *cmd)
{
	if (cmd->flags)
		return -EOPNOTSUPP;
	if (cmd->pad || cmd->signo >= SIGRTMIN || cmd->signo == SIGKILL ||
	    cmd->signo == SIGSTOP)
		return -EINVAL;
	if (!cmd->endpoint && (cmd->badge || cmd->signo))
		return -EINVAL;
	/* A worker of io_uring is no thread of the program. */
	return current->flags & (PF_USER_WORKER | PF_IO_WORKER) ? -EINVAL : 0;
}

/* The thread that calls, in the table. @endpoint may be NULL. */
static struct phi_thread *phi_thread_new(struct phi_cspace *cs,
					 struct phi_cap *endpoint, u32 signo)
{
	struct phi_thread *thread =
		kzalloc(sizeof(*thread), GFP_KERNEL_ACCOUNT);
	int ret;

	if (!thread)
		return ERR_PTR(-ENOMEM);
	ret = phi_service_init(&thread->service, &phi_thread_ops, endpoint,
			       cs->user);
	if (ret) {
		kfree(thread);
		return ERR_PTR(ret);
	}
	spin_lock_init(&thread->own);
	thread->lock = endpoint ? &phi_endpoint_of(endpoint->obj)->lock :
				  &thread->own;
	thread->signo = signo;
	thread->key = current;
	INIT_LIST_HEAD(&thread->joiners);
	INIT_WORK(&thread->end, phi_thread_work);
	mutex_init(&thread->placing);
	ret = phi_task_add(thread);
	if (ret) {
		phi_object_put(&thread->service.obj);
		return ERR_PTR(ret);
	}
	/* Only the task itself ends it. */
	thread->task = get_task_struct(current);
	return thread;
}

/**
 * phi_thread_register() - PHI_IOC_THREAD_REGISTER
 * @cs: The caller's cspace.
 * @arg: struct phi_thread_register.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int phi_thread_register(struct phi_cspace *cs, void *arg)
{
	struct phi_thread_register *cmd = arg;
	struct phi_cap *endpoint __free(phi_cap_put) = NULL;
	u32 rights = PHI_THREAD_RIGHTS;
	struct phi_thread *thread;
	int ret = phi_thread_check(cmd);

	if (!ret && cmd->endpoint) {
		rights |= PHI_RIGHT_SEND;
		endpoint = phi_cspace_lookup(cs, cmd->endpoint,
					     PHI_TYPES(ENDPOINT),
					     PHI_RIGHT_ADMIN);
		if (IS_ERR(endpoint)) {
			phi_refuse_more(rights & PHI_RIGHTS_SERVICE);
			return PTR_ERR(endpoint);
		}
		ret = phi_service_check(endpoint, rights, cmd->badge);
	}
	if (ret)
		return ret;
	thread = phi_thread_new(cs, endpoint, cmd->signo);
	if (IS_ERR(thread))
		return PTR_ERR(thread);
	ret = endpoint ? phi_service_install(cs, &thread->service, endpoint,
					     rights, cmd->badge, 0, &cmd->cap) :
			 phi_cspace_install_new(cs, &thread->service.obj,
						rights, 0, &cmd->cap);
	phi_object_put(&thread->service.obj);
	return ret;
}

/**
 * phi_thread_yield() - PHI_IOC_THREAD_YIELD
 * @cs: The caller's cspace.
 * @arg: struct phi_thread_yield.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int phi_thread_yield(struct phi_cspace *cs, void *arg)
{
	struct phi_thread_yield *cmd = arg;

	if (cmd->flags)
		return -EOPNOTSUPP;
	if (cmd->pad)
		return -EINVAL;
	struct phi_cap *cap __free(phi_cap_put) = phi_cspace_lookup(
		cs, cmd->thread, PHI_TYPES(THREAD), PHI_RIGHT_EXEC);
	if (IS_ERR(cap))
		return PTR_ERR(cap);
	struct task_struct *task __free(phi_thread_task_put) =
		phi_thread_task(to_thread(cap->obj));
	if (!task)
		return -ESRCH;
	/* Negative when both have their CPUs to themselves. */
	cmd->yielded = yield_to(task, true) > 0;
	return 0;
}

/* Interrupt what a thread waits in, as it asked for. */
static void phi_thread_rouse(struct phi_thread *thread)
{
	struct task_struct *task __free(phi_thread_task_put) =
		thread->signo ? phi_thread_task(thread) : NULL;

	if (task)
		send_sig(thread->signo, task, 0);
}

/**
 * phi_thread_signal() - PHI_IOC_THREAD_SIGNAL
 * @cs: The caller's cspace.
 * @arg: struct phi_thread_signal.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int phi_thread_signal(struct phi_cspace *cs, void *arg)
{
	static const struct phi_xfer none[PHI_MSG_CAPS_MAX];
	const struct phi_thread_signal *cmd = arg;
	const struct phi_parcel parcel = {
		.data = cmd->data,
		.len = cmd->len,
		.caps = none,
	};
	struct phi_thread *thread;
	struct phi_message *msg;
	struct phi_moves moves;
	struct phi_waiter w;
	int ret;

	if (cmd->flags)
		return -EOPNOTSUPP;
	if (cmd->pad)
		return -EINVAL;
	struct phi_cap *cap __free(phi_cap_put) = phi_cspace_lookup(
		cs, cmd->thread, PHI_TYPES(THREAD), PHI_RIGHT_SEND);
	if (IS_ERR(cap))
		return PTR_ERR(cap);
	thread = to_thread(cap->obj);
	if (READ_ONCE(thread->how))
		return -ESRCH;
	msg = phi_message_new(cs, cap, &parcel, &moves);
	if (IS_ERR(msg))
		return PTR_ERR(msg);
	phi_waiter_init(&w, cs, cmd->thread, cap, PHI_TYPES(THREAD),
			PHI_RIGHT_SEND);
	ret = phi_queue_post(phi_endpoint_behind(cap), &w, msg, &moves,
			     PHI_NONBLOCK, 0);
	if (ret) {
		phi_message_free(msg);
		return ret;
	}
	phi_frame_sent(arg, cmd->len);
	phi_thread_rouse(thread);
	return 0;
}

/* Wait until a thread has ended. */
static int phi_thread_await(struct phi_thread *thread, struct phi_waiter *w,
			    struct phi_thread_join *cmd)
{
	int ret;

	guard(spinlock)(thread->lock);
	if (thread->task == current)
		return -EINVAL;
	/* A revoke may have been through since the look-up. */
	ret = phi_cap_live(w->cap);
	while (!w->error) {
		if ((ret == -ETIMEDOUT || ret == -ERESTARTSYS) && thread->how)
			ret = 0;
		if (ret || thread->how)
			break;
		ret = -EAGAIN;
		if (!(cmd->flags & PHI_NONBLOCK))
			ret = phi_waiter_block(w, &thread->joiners,
					       thread->lock, cmd->deadline_ns);
	}
	phi_waiter_unlink(w);
	cmd->how = thread->how;
	cmd->status = thread->status;
	return w->error ?: ret;
}

/**
 * phi_thread_join() - PHI_IOC_THREAD_JOIN
 * @cs: The caller's cspace.
 * @arg: struct phi_thread_join.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int phi_thread_join(struct phi_cspace *cs, void *arg)
{
	struct phi_thread_join *cmd = arg;
	struct phi_waiter w;

	if (cmd->flags & ~PHI_NONBLOCK)
		return -EOPNOTSUPP;
	if (cmd->pad)
		return -EINVAL;
	struct phi_cap *cap __free(phi_cap_put) = phi_cspace_lookup(
		cs, cmd->thread, PHI_TYPES(THREAD), PHI_RIGHT_READ);
	if (IS_ERR(cap))
		return PTR_ERR(cap);
	phi_waiter_init(&w, cs, cmd->thread, cap, PHI_TYPES(THREAD),
			PHI_RIGHT_READ);
	return phi_thread_await(to_thread(cap->obj), &w, cmd);
}

/**
 * phi_thread_exit() - PHI_IOC_THREAD_EXIT
 * @cs: The caller's cspace.
 * @arg: struct phi_thread_exit.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int phi_thread_exit(struct phi_cspace *cs, void *arg)
{
	const struct phi_thread_exit *cmd = arg;
	struct phi_thread *thread;

	if (cmd->flags)
		return -EOPNOTSUPP;
	thread = phi_task_get(current);
	if (!thread)
		return -ENOENT;
	scoped_guard(spinlock, thread->lock) {
		thread->left = true;
		thread->status = cmd->status;
	}
	phi_object_put(&thread->service.obj);
	return 0;
}

/**
 * phi_thread_query() - PHI_IOC_THREAD_QUERY
 * @cs: The caller's cspace.
 * @arg: struct phi_thread_query.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int phi_thread_query(struct phi_cspace *cs, void *arg)
{
	struct pid_namespace *ns = ns_of_pid(cs->tgid);
	struct phi_thread_query *cmd = arg;
	struct phi_thread *thread;

	if (cmd->flags)
		return -EOPNOTSUPP;
	struct phi_cap *cap __free(phi_cap_put) = phi_cspace_lookup(
		cs, cmd->thread, PHI_TYPES(THREAD), PHI_RIGHT_READ);
	if (IS_ERR(cap))
		return PTR_ERR(cap);
	thread = to_thread(cap->obj);
	guard(spinlock)(thread->lock);
	cmd->how = thread->how;
	cmd->status = thread->how ? thread->status : 0;
	cmd->class = thread->class;
	cmd->deadline_ns = thread->deadline_ns;
	cmd->signo = thread->signo;
	cmd->tid = 0;
	cmd->pid = 0;
	cmd->cpus = 0;
	if (!thread->task)
		return 0;
	cmd->tid = task_pid_nr_ns(thread->task, ns);
	cmd->pid = task_tgid_nr_ns(thread->task, ns);
	cmd->cpus = cpumask_weight(&thread->task->cpus_mask);
	return 0;
}

static int phi_thread_classify(struct phi_thread *thread,
			       const struct phi_thread_class *cmd)
{
	guard(spinlock)(thread->lock);
	if (thread->how)
		return -ESRCH;
	WRITE_ONCE(thread->class, cmd->class);
	WRITE_ONCE(thread->deadline_ns, cmd->deadline_ns);
	return 0;
}

/**
 * phi_thread_class() - PHI_IOC_THREAD_CLASS
 * @cs: The caller's cspace.
 * @arg: struct phi_thread_class.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int phi_thread_class(struct phi_cspace *cs, void *arg)
{
	const struct phi_thread_class *cmd = arg;
	struct phi_thread *thread;
	int ret;

	if (cmd->flags)
		return -EOPNOTSUPP;
	if (cmd->pad || cmd->class > PHI_THREAD_BACKGROUND)
		return -EINVAL;
	if (cmd->thread) {
		struct phi_cap *cap __free(phi_cap_put) = phi_cspace_lookup(
			cs, cmd->thread, PHI_TYPES(THREAD), PHI_RIGHT_WRITE);
		if (IS_ERR(cap))
			return PTR_ERR(cap);
		thread = to_thread(cap->obj);
		phi_object_get(&thread->service.obj);
	} else {
		thread = phi_task_get(current);
		if (!thread)
			return -ENOENT;
	}
	if (cmd->class == PHI_THREAD_INFER &&
	    !phi_cspace_capable(cs, CAP_SYS_NICE))
		ret = phi_refuse_as(PHI_DECIDED_PRIVILEGE, CAP_SYS_NICE);
	else
		ret = phi_thread_classify(thread, cmd);
	phi_object_put(&thread->service.obj);
	return ret;
}

/**
 * phi_thread_describe() - how urgent a thread is, for policies
 * @pid: Its number in the initial pid namespace, any value.
 * @stat: Out.
 *
 * Context: Any.
 * Return: 0, or -ENOENT when no such thread is registered.
 */
int phi_thread_describe(pid_t pid, struct phi_thread_stat *stat)
{
	const struct phi_thread *thread;
	const struct task_struct *task;

	guard(rcu)();
	task = pid_task(find_pid_ns(pid, &init_pid_ns), PIDTYPE_PID);
	thread = task ? phi_task_find(task) : NULL;
	if (!thread)
		return -ENOENT;
	stat->deadline_ns = READ_ONCE(thread->deadline_ns);
	stat->class = READ_ONCE(thread->class);
	stat->pad = 0;
	return 0;
}
