// SPDX-License-Identifier: GPL-2.0-only
/*
 * Endowments: a parent makes the cspace of a child and fills it before the child
 * executes a program.
 */

#include <linux/capability.h>
#include <linux/cleanup.h>
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "agent.h"
#include "compat.h"
#include "decision.h"
#include "dispatch.h"
#include "main.h"
#include "owner.h"
#include "process.h"

/* Takes NULL and ERR_PTR() too. */
static void phi_process_put(struct task_struct *task)
{
	if (!IS_ERR_OR_NULL(task))
		put_task_struct(task);
}

DEFINE_FREE(phi_process_put, struct task_struct *, phi_process_put(_T))
DEFINE_FREE(phi_cred_put, const struct cred *, put_cred(_T))

/**
 * phi_process_get() - the process behind a pidfd of the caller
 * @fd: The pidfd.
 *
 * Context: Process context. May sleep.
 * Return: Its first thread, referenced; or ERR_PTR() of -EBADF, of -EINVAL when
 * it is no pidfd of a process, of -ESRCH when no thread is left.
 */
struct task_struct *phi_process_get(int fd)
{
	struct file *file __free(fput) = fget(fd);
	struct task_struct *task;
	struct pid *pid;

	if (!file)
		return ERR_PTR(-EBADF);
	pid = phi_pidfd_pid(file);
	if (!pid)
		return ERR_PTR(-EINVAL);
	task = get_pid_task(pid, PIDTYPE_TGID);
	if (!task) {
		/* A thread that is not the first of its process. */
		bool thread = pid_has_task(pid, PIDTYPE_PID);

		return ERR_PTR(thread ? -EINVAL : -ESRCH);
	}
	if (atomic_read(&task->signal->live))
		return task;
	put_task_struct(task);
	return ERR_PTR(-ESRCH);
}

/*
 * May a cspace stand for others? For those of the same user who can do no more,
 * and if it may become anybody, for all who can do no more.
 */
static bool phi_process_within(const struct cred *cred, const struct cred *own)
{
	if (cred->user_ns != own->user_ns ||
	    !cap_issubset(cred->cap_permitted, own->cap_permitted))
		return false;
	return cap_raised(own->cap_effective, CAP_SETUID) ||
	       (uid_eq(cred->uid, own->uid) && uid_eq(cred->euid, own->euid) &&
		uid_eq(cred->fsuid, own->fsuid));
}

/*
 * Only a child that still runs the program of its parent takes what the caller
 * gives: nothing that trusts its environment. The kernel finds parents by
 * adoption too, and a program that another user wrote may have forked: that is
 * for phi_process_within() to see.
 */
static bool phi_process_ours(struct task_struct *task)
{
	/* After the credentials: an exec clears the flag before it sets them. */
	smp_rmb();
	guard(rcu)();
	return READ_ONCE(task->flags) & PF_FORKNOEXEC &&
	       same_thread_group(rcu_dereference(task->real_parent), current);
}

/*
 * Give the new cspace a child of a capability of the caller; a gift, in an
 * agent.
 */
static int phi_process_give(struct phi_cspace *cs, struct phi_cspace *to,
			    const struct phi_endowment *give, u64 expected,
			    struct list_head *gifts)
{
	struct phi_cap *child;
	u64 badge, handle;
	int ret;

	if (give->pad || give->rights & ~PHI_RIGHT_ALL)
		return -EINVAL;
	struct phi_cap *cap __free(phi_cap_put) = phi_cspace_lookup(
		cs, give->cap, PHI_TYPES_ANY & ~PHI_TYPES(REPLY),
		PHI_RIGHT_GRANT);
	if (IS_ERR(cap)) {
		phi_refuse_more(give->rights);
		return PTR_ERR(cap);
	}
	ret = phi_cap_badge(cap, give->badge, &badge);
	if (ret)
		return ret;
	child = gifts ? phi_gift_new(cap, give->rights, badge, give->expires_ns,
				     cs->user, to->user, gifts) :
			phi_cap_child(cap, cap->obj, give->rights, badge,
				      give->expires_ns, to->user);
	ret = phi_cspace_give(to, child, &handle);
	WARN_ON_ONCE(!ret && handle != expected);
	return ret;
}

static int phi_process_fill(struct phi_cspace *cs, struct phi_cspace *to,
			    const struct phi_process_endow *cmd,
			    struct phi_agent *agent, struct list_head *gifts)
{
	struct phi_endowment *caps __free(kfree) = memdup_array_user(
		u64_to_user_ptr(cmd->caps), cmd->ncaps, sizeof(*caps));
	int ret = 0;

	if (IS_ERR(caps))
		return PTR_ERR(no_free_ptr(caps));
	for (u32 i = 0; !ret && i < cmd->ncaps; i++)
		ret = phi_process_give(cs, to, &caps[i], PHI_ENDOWED(i),
				       agent ? gifts : NULL);
	return ret;
}

/* An empty cspace of a process, with the credentials it was seen with. */
static struct phi_cspace *phi_process_cspace(struct task_struct *task,
					     const struct cred *cred)
{
	struct pid *tgid = get_task_pid(task, PIDTYPE_TGID);
	struct phi_cspace *to;

	/* Another thread of the caller has waited for it. */
	if (!tgid)
		return ERR_PTR(-ESRCH);
	to = phi_cspace_new(tgid, cred);
	put_pid(tgid);
	return to;
}

/* Fill a cspace; with the gifts that are in it when the child has an agent. */
static int phi_process_stock(struct phi_cspace *cs, struct phi_cspace *to,
			     struct phi_agent *agent, u32 run,
			     const struct phi_process_endow *cmd)
{
	LIST_HEAD(gifts);
	int ret = 0;

	if (cmd->ncaps)
		ret = phi_process_fill(cs, to, cmd, agent, &gifts);
	if (!ret && agent)
		ret = phi_crew_accept(agent, &gifts, run);
	phi_gifts_free(&gifts);
	return ret;
}

/* A filled cspace of a child, behind a file. */
static struct file *phi_process_file(struct phi_cspace *cs,
				     struct task_struct *task,
				     const struct cred *cred,
				     struct phi_agent *agent, u32 run,
				     const struct phi_process_endow *cmd)
{
	struct phi_cspace *to = phi_process_cspace(task, cred);
	struct file *file;
	int ret;

	if (IS_ERR(to))
		return ERR_CAST(to);
	to->shared = cmd->flags & PHI_ENDOW_SHARED;
	ret = phi_crew_join(to, task);
	if (!ret)
		ret = phi_process_stock(cs, to, agent, run, cmd);
	file = ret ? ERR_PTR(ret) : phi_file_new(to);
	if (IS_ERR(file)) {
		phi_crew_leave(to);
		phi_cspace_close(to);
		phi_cspace_put(to);
		return file;
	}
	/* Its end from now on closes the cspace, which it did not before. */
	if (!atomic_read(&task->signal->live)) {
		fput(file);
		return ERR_PTR(-ESRCH);
	}
	return file;
}

/* The same, in the run of its agent that the child is seen alive in. */
static struct file *phi_process_prepare(struct phi_cspace *cs,
					const struct phi_process_endow *cmd)
{
	struct phi_agent *agent;
	struct file *file;
	u32 run = 0;

	struct task_struct *task __free(phi_process_put) =
		phi_process_get(cmd->pidfd);
	if (IS_ERR(task))
		return ERR_CAST(task);
	const struct cred *cred __free(phi_cred_put) = get_task_cred(task);
	if (!phi_process_ours(task) || !phi_process_within(cred, cs->cred))
		return ERR_PTR(phi_refuse_as(PHI_DECIDED_PROCESS, 0));
	agent = phi_agent_get(task);
	if (agent)
		run = atomic_read(&agent->runs);
	file = ERR_PTR(-ESRCH);
	/* After the run; an end of the child counts from here. */
	if (atomic_read(&task->signal->live))
		file = phi_process_file(cs, task, cred, agent, run, cmd);
	if (agent)
		phi_object_put(&agent->obj);
	return file;
}

/**
 * phi_process_endow() - PHI_IOC_PROCESS_ENDOW
 * @cs: The caller's cspace.
 * @arg: struct phi_process_endow.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int phi_process_endow(struct phi_cspace *cs, void *arg)
{
	struct phi_process_endow *cmd = arg;

	if (cmd->flags & ~PHI_ENDOW_SHARED)
		return -EOPNOTSUPP;
	if (cmd->pad || cmd->ncaps > PHI_ENDOW_MAX)
		return -EINVAL;
	cmd->fd = phi_frame_reserve(arg, phi_process_prepare(cs, cmd));
	return min(cmd->fd, 0);
}

/**
 * phi_process_endow_settle() - let the descriptor name its file
 * @cs: The caller's cspace.
 * @arg: struct phi_process_endow.
 * @told: The caller knows the descriptor.
 *
 * Context: Process context. May sleep.
 */
void phi_process_endow_settle(struct phi_cspace *cs, void *arg, bool told)
{
	struct phi_process_endow *cmd = arg;

	phi_frame_open(arg, cmd->fd, told);
}
