// SPDX-License-Identifier: GPL-2.0-only
/*
 * Inboxes: where a process, or an agent, takes capabilities that others give it
 * by its pidfd or its handle. A grant is a message to that endpoint.
 */

#include <linux/cleanup.h>
#include <linux/hashtable.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "decision.h"
#include "dispatch.h"
#include "endpoint.h"
#include "hook.h"
#include "inbox.h"
#include "process.h"
#include "quota.h"

/**
 * struct phi_inbox - an endpoint that takes what others grant
 * @node: In the table, or not.
 * @tgid: The process that has it, that of the cspace, referenced; NULL for an
 *        agent.
 * @agent: Number of the agent, 0 for a process.
 * @exec: The program that the process executed, by the kernel's count; 0 for an
 *        agent. No grant finds the inbox once the process executes another.
 * @cap: To send there; the inbox owns it.
 */
struct phi_inbox {
	struct hlist_node node;
	struct pid *tgid;
	u64 agent;
	u64 exec;
	struct phi_cap *cap;
};

/* By process or agent; 16384 cspaces of one user are four in each. */
static DEFINE_HASHTABLE(phi_inboxes, 12);
static DEFINE_SPINLOCK(phi_inbox_lock); /* see main.h; with cspaces' inbox */

static u64 phi_inbox_key(const struct pid *tgid, u64 agent)
{
	return agent ?: (unsigned long)tgid;
}

static struct phi_inbox *phi_inbox_find(const struct pid *tgid, u64 agent,
					u64 exec)
{
	struct phi_inbox *inbox;

	lockdep_assert_held(&phi_inbox_lock);
	hash_for_each_possible(phi_inboxes, inbox, node,
			       phi_inbox_key(tgid, agent)) {
		if (inbox->tgid == tgid && inbox->agent == agent &&
		    inbox->exec == exec)
			return inbox;
	}
	return NULL;
}

/* Takes NULL and ERR_PTR() too. */
static void phi_inbox_free(struct phi_inbox *inbox)
{
	struct phi_endpoint *ep;

	if (IS_ERR_OR_NULL(inbox))
		return;
	if (!IS_ERR_OR_NULL(inbox->cap) && phi_cap_tryget(inbox->cap)) {
		ep = phi_endpoint_behind(inbox->cap);
		phi_cap_end(inbox->cap);
		/* A grant that is on its way arrives before this, or never. */
		spin_lock(&ep->lock);
		spin_unlock(&ep->lock);
		phi_cap_put(inbox->cap);
	}
	phi_cap_release(inbox->cap);
	put_pid(inbox->tgid);
	kfree(inbox);
}

DEFINE_FREE(phi_inbox_free, struct phi_inbox *, phi_inbox_free(_T))

/*
 * An inbox in no table: of the agent, or when it is 0 of the process of @cs,
 * which is the caller then.
 */
static struct phi_inbox *phi_inbox_new(struct phi_cspace *cs, u64 endpoint,
				       u64 agent)
{
	struct phi_cap *cap __free(phi_cap_put) =
		phi_cspace_lookup(cs, endpoint, PHI_TYPES(ENDPOINT),
				  PHI_RIGHT_SEND | PHI_RIGHT_GRANT);
	if (IS_ERR(cap))
		return ERR_CAST(cap);
	struct phi_inbox *inbox __free(phi_inbox_free) =
		kzalloc(sizeof(*inbox), GFP_KERNEL_ACCOUNT);
	if (!inbox)
		return ERR_PTR(-ENOMEM);
	inbox->agent = agent;
	inbox->tgid = agent ? NULL : get_pid(cs->tgid);
	inbox->exec = agent ? 0 : current->self_exec_id;
	inbox->cap = phi_cap_child(cap, cap->obj, PHI_RIGHT_SEND, cap->badge, 0,
				   cs->user);
	if (IS_ERR(inbox->cap))
		return ERR_CAST(inbox->cap);
	return_ptr(inbox);
}

/*
 * Put @inbox, or nothing, in the place of the one that @cs has, which must not
 * be that of its process unless @any is set. Return: 0, with the one before in
 * @inbox to free; or -EPERM, -EEXIST, -EBADF.
 */
static int phi_inbox_swap(struct phi_cspace *cs, struct phi_inbox **inbox,
			  bool any)
{
	struct phi_inbox *fresh = *inbox;
	struct phi_inbox *other;

	guard(spinlock)(&phi_inbox_lock);
	if (fresh && READ_ONCE(cs->closed))
		return -EBADF;
	if (!any && cs->inbox && cs->inbox->tgid)
		return phi_refuse_as(PHI_DECIDED_CSPACE, 0);
	other = fresh ? phi_inbox_find(fresh->tgid, fresh->agent, fresh->exec) :
			NULL;
	if (other && other != cs->inbox)
		return -EEXIST;
	if (cs->inbox)
		hash_del(&cs->inbox->node);
	if (fresh)
		hash_add(phi_inboxes, &fresh->node,
			 phi_inbox_key(fresh->tgid, fresh->agent));
	swap(cs->inbox, *inbox);
	return 0;
}

/**
 * phi_inbox_close() - take back the inbox of a cspace
 * @cs: The cspace, closed: it sets none any more.
 *
 * Context: Process context. May sleep. No lock of this module is held.
 */
void phi_inbox_close(struct phi_cspace *cs)
{
	struct phi_inbox *inbox = NULL;

	phi_inbox_swap(cs, &inbox, true);
	phi_inbox_free(inbox);
}

/**
 * phi_inbox_evict() - let no grant find the inbox of an agent
 * @agent: Number of the agent.
 *
 * The cspace that has the inbox keeps it, unused, until it closes or names
 * another.
 *
 * Context: Process context.
 * Return: Whether it had one.
 */
bool phi_inbox_evict(u64 agent)
{
	struct phi_inbox *inbox;

	guard(spinlock)(&phi_inbox_lock);
	inbox = phi_inbox_find(NULL, agent, 0);
	if (inbox)
		hash_del(&inbox->node);
	return inbox;
}

/**
 * phi_cspace_inbox() - PHI_IOC_CSPACE_INBOX
 * @cs: The caller's cspace.
 * @arg: struct phi_cspace_inbox.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int phi_cspace_inbox(struct phi_cspace *cs, void *arg)
{
	struct phi_cspace_inbox *cmd = arg;
	bool owned = phi_cspace_owned(cs);
	u64 agent = 0;

	if (cmd->flags & ~PHI_INBOX_AGENT)
		return -EOPNOTSUPP;
	if (!(cmd->flags & PHI_INBOX_AGENT) && !owned)
		return phi_refuse_as(PHI_DECIDED_CSPACE, 0);
	if (cmd->flags & PHI_INBOX_AGENT && cmd->endpoint) {
		agent = phi_agent_current(NULL);
		if (!agent)
			return -ENOENT;
	}
	struct phi_inbox *inbox __free(phi_inbox_free) =
		cmd->endpoint ? phi_inbox_new(cs, cmd->endpoint, agent) : NULL;
	if (IS_ERR(inbox))
		return PTR_ERR(inbox);
	return phi_inbox_swap(cs, &inbox, owned);
}

/*
 * The process behind a pidfd of the caller, referenced, which program it
 * executes, and whose it is; or ERR_PTR().
 */
static struct pid *phi_grant_process(int fd, u64 *exec,
				     struct phi_hook_target *to)
{
	struct task_struct *task = phi_process_get(fd);
	struct pid *pid;

	if (IS_ERR(task))
		return ERR_CAST(task);
	*exec = READ_ONCE(task->self_exec_id);
	to->tgid = task_tgid_nr(task);
	to->agent = phi_agent_of(task, NULL);
	pid = get_task_pid(task, PIDTYPE_TGID);
	put_task_struct(task);
	/* Its last thread has ended, and was waited for, since. */
	return pid ?: ERR_PTR(-ESRCH);
}

/* A capability to the inbox of @tgid or @agent, pinned, or ERR_PTR(-EPIPE). */
static struct phi_cap *phi_grant_lookup(const struct pid *tgid, u64 agent,
					u64 exec)
{
	struct phi_inbox *inbox;

	guard(spinlock)(&phi_inbox_lock);
	inbox = phi_inbox_find(tgid, agent, exec);
	if (!inbox || !phi_cap_tryget(inbox->cap))
		return ERR_PTR(-EPIPE);
	return inbox->cap;
}

/* A capability to the receiver's inbox, pinned, or ERR_PTR(). */
static struct phi_cap *phi_grant_inbox(struct phi_cspace *cs,
				       const struct phi_cap_grant *cmd,
				       struct phi_hook_target *to)
{
	struct phi_cap *inbox;
	struct pid *tgid;
	u64 exec = 0;

	if (!cmd->agent) {
		tgid = phi_grant_process(cmd->pidfd, &exec, to);
		if (IS_ERR(tgid))
			return ERR_CAST(tgid);
		inbox = phi_grant_lookup(tgid, 0, exec);
		put_pid(tgid);
		return inbox;
	}
	if (cmd->pidfd != -1)
		return ERR_PTR(-EINVAL);
	struct phi_cap *agent __free(phi_cap_put) = phi_cspace_lookup(
		cs, cmd->agent, PHI_TYPES(AGENT), PHI_RIGHT_READ);
	if (IS_ERR(agent))
		return ERR_CAST(agent);
	to->agent = phi_agent_id(agent->obj);
	return phi_grant_lookup(NULL, to->agent, 0);
}

/**
 * phi_cap_grant_aim() - find out who receives a grant
 * @cs: The caller's cspace.
 * @arg: struct phi_cap_grant.
 * @to: Out.
 *
 * Leaves a capability to the inbox in the frame, pinned, or ERR_PTR().
 *
 * Context: Process context. May sleep.
 */
void phi_cap_grant_aim(struct phi_cspace *cs, void *arg,
		       struct phi_hook_target *to)
{
	struct phi_cap *inbox;

	*to = (struct phi_hook_target){ .uid = -1 };
	inbox = phi_grant_inbox(cs, arg, to);
	if (!IS_ERR(inbox))
		to->uid = __kuid_val(inbox->user->uid);
	phi_frame_of(arg)->cap = inbox;
}

/**
 * phi_cap_grant() - PHI_IOC_CAP_GRANT
 * @cs: The caller's cspace.
 * @arg: struct phi_cap_grant.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int phi_cap_grant(struct phi_cspace *cs, void *arg)
{
	struct phi_cap_grant *cmd = arg;
	const struct phi_xfer caps[PHI_MSG_CAPS_MAX] = { cmd->give };
	const struct phi_parcel parcel = {
		.data = cmd->data,
		.len = cmd->len,
		.ncaps = 1,
		.caps = caps,
	};
	struct phi_message *msg;
	struct phi_moves moves;
	struct phi_waiter w;
	int ret;

	/* Found by phi_cap_grant_aim(), before the policies were asked. */
	struct phi_cap *inbox __free(phi_cap_put) = phi_frame_of(arg)->cap;
	if (cmd->flags)
		return -EOPNOTSUPP;
	if (IS_ERR(inbox))
		return PTR_ERR(inbox);
	msg = phi_message_new(cs, inbox, &parcel, &moves);
	if (IS_ERR(msg))
		return PTR_ERR(msg);
	msg->grant = true;
	/* It never waits, so the handle is never looked at. */
	phi_waiter_init(&w, cs, 0, inbox, PHI_TYPES_SEND, PHI_RIGHT_SEND);
	ret = phi_queue_post(phi_endpoint_behind(inbox), &w, msg, &moves,
			     PHI_NONBLOCK, 0);
	if (!ret) {
		phi_frame_sent(arg, cmd->len);
		return 0;
	}
	phi_message_free(msg);
	/* The inbox has come to its end, whatever the reason. */
	return ret == -EKEYREVOKED || ret == -EKEYEXPIRED ? -EPIPE : ret;
}
