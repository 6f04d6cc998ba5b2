// SPDX-License-Identifier: GPL-2.0-only
/*
 * The crews of agents: their cspaces, their gifts, and how both end.
 */

#include <linux/cgroup.h>
#include <linux/cleanup.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/tracepoint.h>

#include "agent.h"
#include "charge.h"
#include "dispatch.h"
#include "endpoint.h"
#include "hook.h"
#include "inbox.h"
#include "region.h"
#include "notify.h"
#include "slot.h"

/**
 * struct phi_gift - a capability that a process of an agent started with
 * @node: In the agent's gifts, or in a list of one call.
 * @cap: The node between giver and process; a reference.
 * @run: The run of the agent that it was made in.
 */
struct phi_gift {
	struct list_head node;
	struct phi_cap *cap;
	u32 run;
};

static DEFINE_SPINLOCK(phi_agents_lock); /* see main.h */
/* Gifts to agents that are no more. Under the lock. */
static LIST_HEAD(phi_orphans);
static void phi_orphans_end(struct work_struct *work);
static DECLARE_WORK(phi_orphans_work, phi_orphans_end);
/* Its own, so that unloading can wait for the work that still runs. */
static struct workqueue_struct *phi_crew_wq;
/* The kernel's cgroup_notify_populated. */
static struct tracepoint *phi_populated;

/**
 * phi_gift_new() - make a capability for a process of an agent
 * @cap: The giver's capability, pinned.
 * @rights: As for phi_cap_child(), and so are the next two.
 * @badge: Its badge.
 * @expires_ns: When it expires.
 * @giver: Pays for the gift.
 * @user: Pays for the capability.
 * @gifts: Gets the gift, which lasts until phi_gifts_free().
 *
 * Context: Process context. May sleep.
 * Return: The capability of the process, which the caller owns, or the error of
 * phi_cap_child().
 */
struct phi_cap *phi_gift_new(struct phi_cap *cap, u32 rights, u64 badge,
			     u64 expires_ns, struct phi_user *giver,
			     struct phi_user *user, struct list_head *gifts)
{
	struct phi_gift *gift = kmalloc(sizeof(*gift), GFP_KERNEL_ACCOUNT);
	struct phi_cap *child;

	if (!gift)
		return ERR_PTR(-ENOMEM);
	gift->cap =
		phi_cap_child(cap, cap->obj, rights, badge, expires_ns, giver);
	if (IS_ERR(gift->cap)) {
		child = gift->cap;
		kfree(gift);
		return child;
	}
	child = phi_cap_child(gift->cap, cap->obj, rights, badge, 0, user);
	phi_stub_get(gift->cap);
	phi_cap_release(gift->cap);
	list_add_tail(&gift->node, gifts);
	return child;
}

/**
 * phi_gifts_free() - forget gifts, which stay as alive as they are
 * @gifts: A list that nobody else sees; empty afterwards.
 *
 * Context: Process context. May sleep. No lock of this module is held.
 */
void phi_gifts_free(struct list_head *gifts)
{
	struct phi_gift *gift, *next;

	list_for_each_entry_safe(gift, next, gifts, node) {
		phi_stub_put(gift->cap);
		kfree(gift);
		cond_resched();
	}
	INIT_LIST_HEAD(gifts);
}

/* Of how many gifts is something left? */
static u32 phi_gifts_count(struct list_head *gifts)
{
	struct phi_gift *gift;
	u32 n = 0;

	list_for_each_entry(gift, gifts, node) {
		if (!phi_cap_live(gift->cap))
			n += !list_empty(&gift->cap->children);
		cond_resched();
	}
	return n;
}

/* Kill gifts, and forget them. */
static void phi_gifts_kill(struct list_head *gifts)
{
	struct phi_gift *gift;

	list_for_each_entry(gift, gifts, node) {
		phi_cap_kill(gift->cap);
		cond_resched();
	}
	phi_gifts_free(gifts);
}

static void phi_orphans_end(struct work_struct *work)
{
	LIST_HEAD(gifts);

	scoped_guard(spinlock, &phi_agents_lock)
		list_splice_init(&phi_orphans, &gifts);
	phi_gifts_kill(&gifts);
}

/*
 * Look at some gifts in turn, and take out those of which nothing is left:
 * nothing comes below a released node that has no child.
 */
static void phi_gifts_prune(struct phi_agent *agent, struct list_head *gone)
{
	lockdep_assert_held(&phi_agents_lock);
	for (int i = 0; i < PHI_STEP && !list_empty(&agent->gifts); i++) {
		struct phi_gift *gift =
			list_first_entry(&agent->gifts, struct phi_gift, node);

		if (list_empty(&gift->cap->children)) {
			list_move(&gift->node, gone);
			agent->nr_gifts--;
		} else {
			list_move_tail(&gift->node, &agent->gifts);
		}
	}
}

/**
 * phi_crew_accept() - let gifts end with the run of an agent
 * @agent: The agent, referenced.
 * @gifts: Gifts; the agent's from now on, or killed.
 * @run: Value of @agent->runs before a process of the agent was seen alive.
 *
 * Context: Process context. May sleep. No lock of this module is held.
 * Return: 0, or -ESRCH when that run has ended, or the agent was killed.
 */
int phi_crew_accept(struct phi_agent *agent, struct list_head *gifts, u32 run)
{
	struct phi_gift *gift;
	LIST_HEAD(gone);
	u32 n = 0;
	bool late;

	list_for_each_entry(gift, gifts, node) {
		gift->run = run;
		n++;
	}
	scoped_guard(spinlock, &phi_agents_lock) {
		late = agent->killed || atomic_read(&agent->runs) != run;
		if (!late) {
			phi_gifts_prune(agent, &gone);
			list_splice_tail_init(gifts, &agent->gifts);
			agent->nr_gifts += n;
		}
	}
	phi_gifts_free(&gone);
	phi_gifts_kill(gifts);
	return late ? -ESRCH : 0;
}

/**
 * phi_crew_join() - make a cspace one of the crew of a process
 * @cs: The cspace of a file that is being made.
 * @task: The process.
 *
 * Context: Process context. May sleep.
 * Return: 0, or -ESRCH when the agent of the process was killed.
 */
int phi_crew_join(struct phi_cspace *cs, struct task_struct *task)
{
	struct phi_agent *agent = phi_agent_get(task);
	int ret = 0;

	if (!agent)
		return 0;
	scoped_guard(spinlock, &phi_agents_lock) {
		if (agent->killed) {
			ret = -ESRCH;
		} else {
			cs->agent = agent;
			list_add_tail(&cs->crew, &agent->cspaces);
			agent->nr_cspaces++;
		}
	}
	phi_object_put(&agent->obj);
	return ret;
}

/* Take a cspace out of its crew. */
static void phi_crew_remove(struct phi_cspace *cs)
{
	lockdep_assert_held(&phi_agents_lock);
	if (!cs->agent)
		return;
	list_del_init(&cs->crew);
	cs->agent->nr_cspaces--;
	cs->agent = NULL;
}

/**
 * phi_crew_leave() - undo phi_crew_join()
 * @cs: The cspace of a file that is being released.
 *
 * Context: Process context.
 */
void phi_crew_leave(struct phi_cspace *cs)
{
	guard(spinlock)(&phi_agents_lock);
	phi_crew_remove(cs);
}

/* The next cspace of a crew, referenced and taken out; or NULL. */
static struct phi_cspace *phi_crew_next(struct phi_agent *agent)
{
	struct phi_cspace *cs;

	guard(spinlock)(&phi_agents_lock);
	cs = list_first_entry_or_null(&agent->cspaces, struct phi_cspace, crew);
	if (cs) {
		/* Its release waits for the lock. */
		phi_cspace_get(cs);
		phi_crew_remove(cs);
	}
	return cs;
}

/* End a capability of a crew, and count what ends with it. */
static void phi_crew_end_cap(struct phi_cap *cap,
			     struct phi_agent_kill *receipt)
{
	bool receives = cap->type == PHI_TYPE_ENDPOINT &&
			cap->rights & PHI_RIGHT_RECV &&
			!phi_endpoint_dead(cap->obj);

	if (cap->type == PHI_TYPE_MEMORY)
		receipt->mappings +=
			phi_mapping_count(to_region(cap->obj), cap);
	phi_cap_kill(cap);
	if (receives && phi_endpoint_dead(cap->obj))
		receipt->endpoints++;
}

/* Close a cspace of a crew, whoever has its file. */
static void phi_crew_close(struct phi_cspace *cs,
			   struct phi_agent_kill *receipt)
{
	u32 top = READ_ONCE(cs->top);

	receipt->cspaces++;
	receipt->calls += atomic_read(&cs->waiting);
	for (u32 index = 0; index < top; index++) {
		u64 handle = phi_slot_handle(cs, index);
		struct phi_cap *cap = NULL;

		receipt->handles += handle != 0;
		if (handle && !phi_cspace_glance(cs, handle, &cap))
			phi_crew_end_cap(cap, receipt);
		phi_cap_put(cap);
		cond_resched();
	}
	phi_infer_close(cs);
	phi_budget_close(cs);
	phi_park_close(cs);
	phi_cspace_close(cs);
	phi_inbox_close(cs);
}

static void phi_crew_signal(struct phi_agent *agent)
{
	LIST_HEAD(watches);

	scoped_guard(spinlock, &phi_agents_lock) {
		list_splice_init(&agent->watches, &watches);
		agent->nr_watches = 0;
	}
	phi_watches_fire(&watches);
}

/**
 * phi_crew_kill() - end the crew of an agent for good
 * @agent: The agent, referenced.
 * @receipt: Counts of all that ended are added to it.
 *
 * Context: Process context. May sleep. No lock of this module is held.
 */
void phi_crew_kill(struct phi_agent *agent, struct phi_agent_kill *receipt)
{
	struct phi_cspace *cs;
	LIST_HEAD(gifts);

	scoped_guard(spinlock, &phi_agents_lock) {
		receipt->agents += !agent->killed;
		/* Pairs with phi_agent_current(): no call begins after this. */
		WRITE_ONCE(agent->killed, true);
	}
	/* It may have gifts in hand. */
	flush_work(&agent->empty);
	scoped_guard(spinlock, &phi_agents_lock) {
		list_splice_init(&agent->gifts, &gifts);
		agent->nr_gifts = 0;
	}
	receipt->given += phi_gifts_count(&gifts);
	while ((cs = phi_crew_next(agent))) {
		phi_crew_close(cs, receipt);
		phi_cspace_put(cs);
		cond_resched();
	}
	phi_gifts_kill(&gifts);
	phi_inbox_evict(agent->id);
	/* No call is left to pay for, whoever still names the agent. */
	phi_agent_uncharge(agent);
	phi_crew_signal(agent);
}

/**
 * phi_agent_watch() - PHI_IOC_AGENT_WATCH
 * @cs: The caller's cspace.
 * @arg: struct phi_agent_watch.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int phi_agent_watch(struct phi_cspace *cs, void *arg)
{
	struct phi_agent_watch *cmd = arg;
	struct phi_agent *agent;
	bool full = false, late;

	if (cmd->flags)
		return -EOPNOTSUPP;
	if (cmd->pad || !cmd->bits)
		return -EINVAL;

	struct phi_cap *cap __free(phi_cap_put) = phi_cspace_lookup(
		cs, cmd->agent, PHI_TYPES(AGENT), PHI_RIGHT_READ);
	if (IS_ERR(cap))
		return PTR_ERR(cap);
	struct phi_cap *notify __free(phi_cap_put) = phi_cspace_lookup(
		cs, cmd->notify, PHI_TYPES(NOTIFY), PHI_RIGHT_WRITE);
	if (IS_ERR(notify))
		return PTR_ERR(notify);
	struct phi_watch *watch __free(phi_watch_free) =
		phi_watch_new(cs->user, NULL, notify, cmd->bits);
	if (IS_ERR(watch))
		return PTR_ERR(watch);
	agent = to_agent(cap->obj);
	scoped_guard(spinlock, &phi_agents_lock) {
		/* Those who end a run count it, then take the lock. */
		late = agent->killed || atomic_read(&agent->runs) > cmd->runs;
		full = agent->nr_watches >= PHI_WATCHES_MAX;
		if (!late && !full) {
			list_add_tail(&watch->node, &agent->watches);
			agent->nr_watches++;
			retain_and_null_ptr(watch);
		}
	}
	if (late)
		phi_notify_set(notify->obj, cmd->bits);
	return !late && full ? -ENOSPC : 0;
}

/*
 * Sort out the gifts of the run that goes on, if one has begun. Return: how
 * many.
 */
static u32 phi_gifts_keep(struct list_head *gifts, u32 run,
			  struct list_head *later)
{
	struct phi_gift *gift, *next;
	u32 n = 0;

	list_for_each_entry_safe(gift, next, gifts, node) {
		if (gift->run == run) {
			list_move_tail(&gift->node, later);
			n++;
		}
		cond_resched();
	}
	return n;
}

/* Some runs of an agent have ended. */
static void phi_crew_emptied(struct work_struct *work)
{
	struct phi_agent *agent = container_of(work, struct phi_agent, empty);
	int events = atomic_read(&agent->empties);
	LIST_HEAD(gifts);
	LIST_HEAD(later);
	u32 n;

	scoped_guard(spinlock, &phi_agents_lock) {
		list_splice_init(&agent->gifts, &gifts);
		agent->nr_gifts = 0;
	}
	n = phi_gifts_keep(&gifts, atomic_read(&agent->runs), &later);
	phi_gifts_kill(&gifts);
	scoped_guard(spinlock, &phi_agents_lock) {
		if (!agent->killed) {
			list_splice_init(&later, &agent->gifts);
			agent->nr_gifts += n;
		}
	}
	phi_gifts_kill(&later);
	phi_crew_signal(agent);
	if (atomic_sub_return(events, &agent->empties))
		queue_work(phi_crew_wq, &agent->empty);
	else
		phi_object_put(&agent->obj);
}

/*
 * A cgroup, with those below it, has its first process or has lost its last.
 * The kernel calls it with a lock of the cgroups held and interrupts off.
 */
static void phi_crew_populated(void *data, struct cgroup *cgroup,
			       const char *path, int populated)
{
	struct phi_agent *agent;

	if (populated)
		return;
	guard(rcu)();
	agent = phi_agent_at(cgroup);
	if (!agent)
		return;
	atomic_inc(&agent->runs);
	if (atomic_fetch_inc(&agent->empties))
		return;
	/* An agent that goes kills all gifts itself. */
	if (kref_get_unless_zero(&agent->obj.ref))
		queue_work(phi_crew_wq, &agent->empty);
}

/**
 * phi_crew_start() - make an agent ready for a crew
 * @agent: An agent that is being made.
 *
 * Context: Any.
 */
void phi_crew_start(struct phi_agent *agent)
{
	INIT_WORK(&agent->empty, phi_crew_emptied);
	INIT_LIST_HEAD(&agent->cspaces);
	INIT_LIST_HEAD(&agent->gifts);
	INIT_LIST_HEAD(&agent->watches);
}

/**
 * phi_crew_free() - give up the crew of an agent
 * @agent: An agent whose last reference is gone; nothing finds it any more.
 *
 * Its cspaces stay; a worker kills its gifts, lest agents that are gifts to
 * agents free each other by recursion.
 *
 * Context: Process context. May sleep. No lock of this module is held.
 */
void phi_crew_free(struct phi_agent *agent)
{
	bool more;

	do {
		scoped_guard(spinlock, &phi_agents_lock) {
			for (int i = 0;
			     i < PHI_STEP && !list_empty(&agent->cspaces); i++)
				phi_crew_remove(list_first_entry(
					&agent->cspaces, struct phi_cspace,
					crew));
			more = !list_empty(&agent->cspaces);
		}
		cond_resched();
	} while (more);
	phi_watches_free(&agent->watches);
	if (list_empty(&agent->gifts))
		return;
	scoped_guard(spinlock, &phi_agents_lock)
		list_splice_tail_init(&agent->gifts, &phi_orphans);
	queue_work(phi_crew_wq, &phi_orphans_work);
}

static void __init phi_crew_find(struct tracepoint *tp, void *found)
{
	if (!strcmp(tp->name, "cgroup_notify_populated"))
		*(struct tracepoint **)found = tp;
}

/**
 * phi_crew_init() - hear of the ends of processes
 *
 * Context: Module load.
 * Return: 0, -ENOMEM, or -ENOENT when the kernel does not say.
 */
int __init phi_crew_init(void)
{
	int ret = -ENOENT;

	phi_crew_wq = alloc_workqueue("phi_crew", WQ_UNBOUND, 0);
	if (!phi_crew_wq)
		return -ENOMEM;
	for_each_kernel_tracepoint(phi_crew_find, &phi_populated);
	if (phi_populated)
		ret = tracepoint_probe_register(phi_populated,
						phi_crew_populated, NULL);
	if (ret)
		destroy_workqueue(phi_crew_wq);
	return ret;
}

/**
 * phi_crew_exit() - undo phi_crew_init()
 *
 * Context: Module unload, or failed load. No file is open any more.
 */
void phi_crew_exit(void)
{
	tracepoint_probe_unregister(phi_populated, phi_crew_populated, NULL);
	tracepoint_synchronize_unregister();
	destroy_workqueue(phi_crew_wq);
	WARN_ON(!list_empty(&phi_orphans));
}
