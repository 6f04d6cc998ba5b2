// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sessions: processes for which a dispatcher asks whether they may make calls
 * that this module does not know.
 */

#include <linux/cleanup.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <phi.h>

#include "charge.h"
#include "cspace.h"
#include "decision.h"
#include "dispatch.h"
#include "hook.h"

/**
 * struct phi_session - a process that others may ask for
 * @obj: Object of SESSION capabilities.
 * @pid: The process, referenced.
 * @exec: Which of its programs made the session.
 * @asker: How decisions know it; its agent is looked up at each check.
 */
struct phi_session {
	struct phi_object obj;
	struct pid *pid;
	u64 exec;
	struct phi_asker asker;
};

/* Takes NULL too. */
static void phi_session_task_put(struct task_struct *task)
{
	if (task)
		put_task_struct(task);
}

DEFINE_FREE(phi_session_task_put, struct task_struct *,
	    phi_session_task_put(_T))

static struct phi_session *phi_session_of(struct phi_object *obj)
{
	return container_of(obj, struct phi_session, obj);
}

static void phi_session_free(struct phi_object *obj)
{
	struct phi_session *session = phi_session_of(obj);

	put_pid(session->pid);
	phi_object_fini(obj);
	kfree(session);
}

static const struct phi_object_ops phi_session_ops = {
	.type = PHI_TYPE_SESSION,
	.free = phi_session_free,
};

/**
 * phi_session_create() - PHI_IOC_SESSION_CREATE
 * @cs: The caller's cspace.
 * @arg: struct phi_session_create.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int phi_session_create(struct phi_cspace *cs, void *arg)
{
	struct phi_session_create *cmd = arg;
	struct phi_session *session;
	int ret;

	if (cmd->flags)
		return -EOPNOTSUPP;
	session = kzalloc(sizeof(*session), GFP_KERNEL_ACCOUNT);
	if (!session)
		return -ENOMEM;
	ret = phi_object_init(&session->obj, &phi_session_ops, cs->user);
	if (ret) {
		kfree(session);
		return ret;
	}
	session->pid = get_pid(task_tgid(current));
	session->exec = current->self_exec_id;
	phi_asker_self(&session->asker, phi_cspace_uid(cs), 0);
	ret = phi_cspace_install_new(cs, &session->obj,
				     PHI_RIGHT_EXEC | PHI_RIGHT_ADMIN |
					     PHI_RIGHT_GRANT,
				     0, &cmd->cap);
	phi_object_put(&session->obj);
	return ret;
}

/* A thread of a process that runs, referenced: the first may have ended. */
static struct task_struct *phi_session_thread(const struct phi_session *session)
{
	struct task_struct *leader, *task;

	guard(rcu)();
	leader = pid_task(session->pid, PIDTYPE_TGID);
	if (!leader)
		return NULL;
	for_each_thread(leader, task) {
		if (!(READ_ONCE(task->flags) & PF_EXITING))
			return get_task_struct(task);
	}
	return NULL;
}

/* The client of a session, while its program runs and may make calls. */
static int phi_session_asker(const struct phi_session *session,
			     struct phi_asker *asker, struct phi_purse **purse)
{
	struct task_struct *task __free(phi_session_task_put) =
		phi_session_thread(session);
	bool killed;

	if (!task || READ_ONCE(task->self_exec_id) != session->exec)
		return -ESRCH;
	*asker = session->asker;
	asker->agent = phi_agent_of(task, &killed);
	if (killed)
		return -ESRCH;
	*purse = phi_agent_purse(task);
	return 0;
}

static bool phi_check_valid(const struct phi_check *check)
{
	return check->call < PHI_CALL_FOREIGN &&
	       check->type <= PHI_TYPE_SESSION &&
	       !(check->rights & ~PHI_RIGHT_ALL) &&
	       (check->cap || !(check->type | check->rights));
}

/* Has the caller the capability that a foreign call is about? */
static int phi_check_cap(struct phi_cspace *cs, const struct phi_check *check)
{
	struct phi_cap *cap;

	if (!check->cap)
		return 0;
	cap = phi_cspace_lookup(cs, check->cap,
				check->type ? BIT(check->type) : PHI_TYPES_ANY,
				check->rights);
	if (IS_ERR(cap))
		return PTR_ERR(cap);
	phi_cap_put(cap);
	return 0;
}

/* Make one check, as phi_dispatch() makes a call. */
static int phi_check_run(struct phi_cspace *cs, const struct phi_asker *asker,
			 struct phi_purse *purse, const struct phi_check *check)
{
	struct phi_charge charge;
	/* phi_draft_begin() sets what is read. */
	struct phi_draft draft __attribute__((__uninitialized__));
	struct phi_hook_call call;
	int ret;

	phi_draft_begin(&draft);
	ret = phi_hook_check(&call, cs, asker, check);
	if (!ret)
		ret = phi_charge_call(&charge, purse, check->bytes);
	if (!ret) {
		ret = phi_check_cap(cs, check);
		phi_charge_called(&charge, 1, ret ? 0 : check->bytes);
	}
	if (ret)
		phi_decide(&call, &draft, ret);
	phi_draft_end(&draft);
	phi_hook_leave(&call, ret);
	return ret;
}

/* Make all checks, and say what came of each. */
static int phi_checks_run(struct phi_cspace *cs, const struct phi_asker *asker,
			  struct phi_purse *purse, struct phi_check *checks,
			  struct phi_call_check *cmd)
{
	struct phi_check __user *to = u64_to_user_ptr(cmd->checks);
	u32 refused = 0;

	for (u32 i = 0; i < cmd->count; i++) {
		checks[i].result = phi_check_run(cs, asker, purse, &checks[i]);
		refused += !!checks[i].result;
	}
	for (u32 i = 0; i < cmd->count; i++) {
		if (put_user(checks[i].result, &to[i].result))
			return -EFAULT;
	}
	cmd->refused = refused;
	return 0;
}

/**
 * phi_call_check() - PHI_IOC_CALL_CHECK
 * @cs: The caller's cspace.
 * @arg: struct phi_call_check.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int phi_call_check(struct phi_cspace *cs, void *arg)
{
	struct phi_call_check *cmd = arg;
	void __user *from = u64_to_user_ptr(cmd->checks);
	size_t bytes = cmd->count * sizeof(struct phi_check);
	struct phi_asker asker;
	int ret;

	if (cmd->flags)
		return -EOPNOTSUPP;
	struct phi_cap *cap __free(phi_cap_put) =
		cmd->session ?
			phi_cspace_lookup(cs, cmd->session, PHI_TYPES(SESSION),
					  PHI_RIGHT_EXEC) :
			NULL;
	if (IS_ERR(cap))
		return PTR_ERR(cap);
	if (!cmd->count || cmd->count > PHI_CHECKS_MAX)
		return -EINVAL;
	struct phi_purse *purse __free(phi_purse_put) =
		cap ? NULL : phi_agent_purse(current);
	ret = cap ? phi_session_asker(phi_session_of(cap->obj), &asker,
				      &purse) :
		    0;
	if (ret)
		return ret;

	/* A copy: what was checked is what is run. */
	struct phi_check *checks __free(kfree) =
		kmalloc(bytes, GFP_KERNEL_ACCOUNT);
	if (!checks)
		return -ENOMEM;
	static_assert(PHI_CHECKS_MAX * sizeof(*checks) <= PAGE_SIZE);
	if (copy_from_user(checks, from, bytes))
		return -EFAULT;
	for (u32 i = 0; i < cmd->count; i++) {
		if (!phi_check_valid(&checks[i]))
			return -EINVAL;
	}
	if (!phi_frame_writable(from, bytes))
		return -EFAULT;
	return phi_checks_run(cs, cap ? &asker : NULL, purse, checks, cmd);
}
