// SPDX-License-Identifier: GPL-2.0-only
/*
 * Agents: cgroups that policies know by a number.
 */

#include <linux/atomic.h>
#include <linux/cgroup.h>
#include <linux/cleanup.h>
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/nsproxy.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/xarray.h>
#include <phi.h>

#include "agent.h"
#include "charge.h"
#include "decision.h"
#include "dispatch.h"
#include "hook.h"
#include "inbox.h"
#include "main.h"
#include "name.h"
#include "quota.h"
#include "wait.h"

/* Of a new handle. */
#define PHI_RIGHTS_AGENT (PHI_RIGHT_READ | PHI_RIGHT_ADMIN | PHI_RIGHT_GRANT)

/* By id of the cgroup. */
static DEFINE_XARRAY(phi_agents);
/* By number. */
static DEFINE_XARRAY(phi_agent_numbers);
static atomic64_t phi_agent_ids;
/* How many there are: without any, calls look no further. */
static atomic_t phi_agent_count;

/**
 * phi_agent_at() - the agent that a cgroup is
 * @cgroup: The cgroup.
 *
 * Context: Any, under RCU.
 * Return: The agent, which may be going; or NULL.
 */
struct phi_agent *phi_agent_at(struct cgroup *cgroup)
{
	return xa_load(&phi_agents, cgroup_id(cgroup));
}

/*
 * Whose process is @task? On the way up from its cgroup, an agent counts in
 * place of those below it, unless its holder allowed the one right below: an
 * agent registered inside another's cgroup, earlier or later, does not release
 * its processes from the outer one. @killed: Out, an agent on the way was killed.
 */
static struct phi_agent *phi_agent_find(struct task_struct *task, bool *killed)
{
	struct phi_agent *found = NULL;
	struct cgroup *cgroup;
	u64 parent = 0;

	for (cgroup = task_dfl_cgroup(task); cgroup;
	     cgroup = cgroup_parent(cgroup)) {
		struct phi_agent *agent = phi_agent_at(cgroup);

		if (!agent)
			continue;
		if (agent->id != parent)
			found = agent;
		parent = agent->parent;
		*killed |= READ_ONCE(agent->killed);
	}
	return found;
}

/**
 * phi_agent_of() - whose process it is
 * @task: Any thread of the process, referenced.
 * @killed: Out, that agent or one above it was killed; may be NULL.
 *
 * Context: Process context.
 * Return: Number of the agent; 0 = none.
 */
u64 phi_agent_of(struct task_struct *task, bool *killed)
{
	const struct phi_agent *agent;
	bool ignored;

	if (!killed)
		killed = &ignored;
	*killed = false;
	if (!atomic_read(&phi_agent_count))
		return 0;
	guard(rcu)();
	agent = phi_agent_find(task, killed);
	return agent ? agent->id : 0;
}

/**
 * phi_agent_current() - whose process is running
 * @killed: Out, that agent or one above it was killed; may be NULL.
 *
 * Context: Process context.
 * Return: Number of the agent; 0 = none.
 */
u64 phi_agent_current(bool *killed)
{
	return phi_agent_of(current, killed);
}

/**
 * phi_agent_get() - the agent of a process
 * @task: The process, referenced.
 *
 * Context: Any.
 * Return: The agent, referenced; or NULL.
 */
struct phi_agent *phi_agent_get(struct task_struct *task)
{
	struct phi_agent *agent;
	bool killed = false;

	if (!atomic_read(&phi_agent_count))
		return NULL;
	guard(rcu)();
	agent = phi_agent_find(task, &killed);
	return agent && kref_get_unless_zero(&agent->obj.ref) ? agent : NULL;
}

/* Number of the nearest agent above a cgroup, 0 = none. */
static u64 phi_agent_above(struct cgroup *cgroup)
{
	guard(rcu)();
	while ((cgroup = cgroup_parent(cgroup))) {
		const struct phi_agent *agent = phi_agent_at(cgroup);

		if (agent)
			return agent->id;
	}
	return 0;
}

static void phi_agent_free(struct phi_object *obj)
{
	struct phi_agent *agent = to_agent(obj);

	if (agent->id) {
		xa_erase(&phi_agent_numbers, agent->id);
		xa_erase(&phi_agents, cgroup_id(agent->cgroup));
		atomic_dec(&phi_agent_count);
	}
	phi_agent_uncharge(agent);
	phi_crew_free(agent);
	if (agent->cgroup)
		cgroup_put(agent->cgroup);
	phi_object_fini(obj);
	kfree_rcu(agent, rcu);
}

static const struct phi_object_ops phi_agent_ops = {
	.type = PHI_TYPE_AGENT,
	.free = phi_agent_free,
};

/**
 * phi_agent_id() - the number of an agent
 * @obj: An object of type AGENT.
 *
 * Context: Any.
 * Return: Its number, never 0.
 */
u64 phi_agent_id(const struct phi_object *obj)
{
	return container_of(obj, struct phi_agent, obj)->id;
}

/**
 * phi_agent_describe() - say what an agent is
 * @obj: An object of type AGENT.
 * @figures: Out.
 *
 * Context: Any.
 */
void phi_agent_describe(const struct phi_object *obj,
			struct phi_agent_figures *figures)
{
	const struct phi_agent *agent =
		container_of(obj, struct phi_agent, obj);

	*figures = (struct phi_agent_figures){
		.id = agent->id,
		.parent = agent->parent,
	};
	memcpy(figures->name, agent->name, sizeof(figures->name));
}

/* May the opener of @cs write to the directory? */
static int phi_agent_permission(struct phi_cspace *cs, struct file *file)
{
	const struct cred *old = override_creds(cs->cred);
	int ret;

	ret = inode_permission(file_mnt_idmap(file), file_inode(file),
			       MAY_WRITE);
	revert_creds(old);
	return ret ? phi_refuse_as(PHI_DECIDED_FILE, 0) : 0;
}

/* The cgroup behind a file of the caller's, referenced. */
static struct cgroup *phi_agent_cgroup(struct phi_cspace *cs, int fd)
{
	struct file *file __free(fput) = fget(fd);
	struct inode *inode;
	int ret;

	if (!file)
		return ERR_PTR(-EBADF);
	inode = file_inode(file);
	if (inode->i_sb->s_magic != CGROUP2_SUPER_MAGIC ||
	    !S_ISDIR(inode->i_mode))
		return ERR_PTR(-EINVAL);
	ret = phi_agent_permission(cs, file);
	if (ret)
		return ERR_PTR(ret);
	/* The number of the inode is the id; fails on a removed cgroup. */
	return cgroup_get_from_id(inode->i_ino);
}

/* Give an agent a number that was never used, and list its cgroup. */
static int phi_agent_publish(struct phi_agent *agent)
{
	u64 id = atomic64_inc_return(&phi_agent_ids);
	int ret = xa_reserve(&phi_agent_numbers, id, GFP_KERNEL_ACCOUNT);

	if (ret)
		return ret;
	agent->id = id;
	ret = xa_insert(&phi_agents, cgroup_id(agent->cgroup), agent,
			GFP_KERNEL_ACCOUNT);
	if (ret) {
		xa_release(&phi_agent_numbers, id);
		agent->id = 0;
		return ret == -EBUSY ? -EEXIST : ret;
	}
	/* The entry is there: it asks for no memory. */
	xa_store(&phi_agent_numbers, id, agent, GFP_KERNEL_ACCOUNT);
	atomic_inc(&phi_agent_count);
	return 0;
}

/* The number of the agent behind a handle with ADMIN; no handle is 0. */
static int phi_agent_parent(struct phi_cspace *cs, u64 handle, u64 *id)
{
	*id = 0;
	if (!handle)
		return 0;
	struct phi_cap *cap __free(phi_cap_put) = phi_cspace_lookup(
		cs, handle, PHI_TYPES(AGENT), PHI_RIGHT_ADMIN);
	if (IS_ERR(cap))
		return PTR_ERR(cap);
	*id = to_agent(cap->obj)->id;
	return READ_ONCE(to_agent(cap->obj)->killed) ? -ESRCH : 0;
}

/* Find the cgroup of a new agent, and list it there. */
static int phi_agent_place(struct phi_agent *agent, struct phi_cspace *cs,
			   int fd)
{
	struct cgroup *cgroup = phi_agent_cgroup(cs, fd);

	if (IS_ERR(cgroup))
		return PTR_ERR(cgroup);
	agent->cgroup = cgroup;
	if (phi_agent_above(cgroup) != agent->parent)
		return phi_refuse_as(PHI_DECIDED_AGENT, 0);
	return phi_agent_publish(agent);
}

/**
 * phi_agent_register() - PHI_IOC_AGENT_REGISTER
 * @cs: The caller.
 * @arg: struct phi_agent_register.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int phi_agent_register(struct phi_cspace *cs, void *arg)
{
	struct phi_agent_register *cmd = arg;
	struct phi_agent *agent;
	u64 parent;
	int ret;

	if (cmd->flags)
		return -EOPNOTSUPP;
	if (cmd->pad || !phi_name_valid(cmd->name))
		return -EINVAL;
	ret = phi_agent_parent(cs, cmd->parent, &parent);
	if (ret)
		return ret;

	agent = kzalloc(sizeof(*agent), GFP_KERNEL_ACCOUNT);
	if (!agent)
		return -ENOMEM;
	ret = phi_object_init(&agent->obj, &phi_agent_ops, cs->user);
	if (ret) {
		kfree(agent);
		return ret;
	}
	phi_crew_start(agent);
	memcpy(agent->name, cmd->name, sizeof(agent->name));
	agent->parent = parent;
	ret = phi_agent_place(agent, cs, cmd->cgroup);
	if (!ret) {
		cmd->id = agent->id;
		ret = phi_cspace_install_new(cs, &agent->obj, PHI_RIGHTS_AGENT,
					     0, &cmd->cap);
	}
	phi_object_put(&agent->obj);
	return ret;
}

/*
 * May the caller open the agent of a cgroup? A process inside an agent opens
 * only those below it, so that an agent has no power over itself, nor over
 * those beside it that belong to the same user.
 */
static bool phi_agent_below_caller(struct cgroup *target)
{
	struct cgroup *cgroup;

	guard(rcu)();
	for (cgroup = task_dfl_cgroup(current); cgroup;
	     cgroup = cgroup_parent(cgroup)) {
		if (phi_agent_at(cgroup))
			return cgroup != target &&
			       cgroup_is_descendant(target, cgroup);
	}
	return true;
}

/**
 * phi_agent_open() - PHI_IOC_AGENT_OPEN
 * @cs: The caller.
 * @arg: struct phi_agent_open.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int phi_agent_open(struct phi_cspace *cs, void *arg)
{
	struct phi_agent_open *cmd = arg;
	struct phi_agent *agent;
	struct cgroup *cgroup;
	int ret = -EPERM;

	if (cmd->flags)
		return -EOPNOTSUPP;
	if (cmd->pad)
		return -EINVAL;
	cgroup = phi_agent_cgroup(cs, cmd->cgroup);
	if (IS_ERR(cgroup))
		return PTR_ERR(cgroup);
	scoped_guard(rcu) {
		agent = phi_agent_at(cgroup);
		if (agent && !kref_get_unless_zero(&agent->obj.ref))
			agent = NULL;
	}
	if (!agent) {
		cgroup_put(cgroup);
		return -ENOENT;
	}
	if (phi_agent_below_caller(cgroup)) {
		cmd->id = agent->id;
		ret = phi_cspace_install_new(cs, &agent->obj, PHI_RIGHTS_AGENT,
					     0, &cmd->cap);
	}
	phi_object_put(&agent->obj);
	cgroup_put(cgroup);
	return ret;
}

/* Some agents below one that are not killed yet. Return: how many. */
static int phi_agent_batch(struct phi_agent *top,
			   struct phi_agent *batch[PHI_STEP])
{
	struct cgroup_subsys_state *css = NULL;
	int n = 0;

	guard(rcu)();
	while (n < PHI_STEP &&
	       (css = css_next_descendant_pre(css, &top->cgroup->self))) {
		struct phi_agent *agent = phi_agent_at(css->cgroup);

		if (agent && !READ_ONCE(agent->killed) &&
		    kref_get_unless_zero(&agent->obj.ref))
			batch[n++] = agent;
	}
	return n;
}

/**
 * phi_agent_kill() - PHI_IOC_AGENT_KILL
 * @cs: The caller.
 * @arg: struct phi_agent_kill.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int phi_agent_kill(struct phi_cspace *cs, void *arg)
{
	struct phi_agent_kill *cmd = arg;
	struct phi_agent *batch[PHI_STEP];
	struct phi_agent *top;
	int n;

	if (cmd->flags)
		return -EOPNOTSUPP;
	if (cmd->pad)
		return -EINVAL;

	struct phi_cap *cap __free(phi_cap_put) = phi_cspace_lookup(
		cs, cmd->agent, PHI_TYPES(AGENT), PHI_RIGHT_ADMIN);
	if (IS_ERR(cap))
		return PTR_ERR(cap);
	top = to_agent(cap->obj);
	*cmd = (struct phi_agent_kill){ .size = cmd->size,
					.agent = cmd->agent };
	phi_crew_kill(top, cmd);
	while ((n = phi_agent_batch(top, batch))) {
		while (n--) {
			phi_crew_kill(batch[n], cmd);
			phi_object_put(&batch[n]->obj);
		}
		cond_resched();
	}
	return 0;
}

/**
 * phi_agent_evict() - PHI_IOC_AGENT_EVICT
 * @cs: The caller.
 * @arg: struct phi_agent_evict.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int phi_agent_evict(struct phi_cspace *cs, void *arg)
{
	struct phi_agent_evict *cmd = arg;

	if (cmd->flags)
		return -EOPNOTSUPP;
	struct phi_cap *cap __free(phi_cap_put) = phi_cspace_lookup(
		cs, cmd->agent, PHI_TYPES(AGENT), PHI_RIGHT_ADMIN);
	if (IS_ERR(cap))
		return PTR_ERR(cap);
	return phi_inbox_evict(to_agent(cap->obj)->id) ? 0 : -ENOENT;
}

/* The agent with a number, or the next one, referenced; or NULL. */
static struct phi_agent *phi_agent_nth(u64 id, bool next)
{
	unsigned long at = id;
	struct phi_agent *agent;

	guard(rcu)();
	agent = next ? xa_find(&phi_agent_numbers, &at, ULONG_MAX, XA_PRESENT) :
		       xa_load(&phi_agent_numbers, at);
	return agent && kref_get_unless_zero(&agent->obj.ref) ? agent : NULL;
}

static u32 phi_agent_state(const struct phi_agent *agent)
{
	if (READ_ONCE(agent->killed))
		return PHI_AGENT_KILLED;
	return cgroup_is_populated(agent->cgroup) ? PHI_AGENT_RUNS :
						    PHI_AGENT_EMPTY;
}

/* The way from the root of the reader's cgroup namespace. */
static int phi_agent_path(const struct phi_agent *agent,
			  struct cgroup_namespace *ns, u64 to, u32 room)
{
	char *path __free(kfree) = NULL;
	int len;

	if (!room)
		return 0;
	path = kmalloc(PATH_MAX, GFP_KERNEL_ACCOUNT);
	if (!path)
		return -ENOMEM;
	len = cgroup_path_ns(agent->cgroup, path, PATH_MAX, ns);
	if (len < 0 || len >= PATH_MAX || len >= room)
		return -EMSGSIZE;
	return copy_to_user(u64_to_user_ptr(to), path, len + 1) ? -EFAULT : 0;
}

/* Say what a reader may see of an agent: nothing, outside its namespace. */
static int phi_agent_answer(struct phi_agent *agent,
			    struct phi_agent_query *cmd)
{
	struct cgroup_namespace *ns = current->nsproxy->cgroup_ns;

	cmd->id = agent->id;
	cmd->state = PHI_AGENT_HIDDEN;
	if (!cgroup_is_descendant(agent->cgroup, ns->root_cset->dfl_cgrp))
		return 0;
	cmd->parent = agent->parent;
	cmd->state = phi_agent_state(agent);
	cmd->uid = from_kuid_munged(current_user_ns(), agent->obj.user->uid);
	cmd->runs = atomic_read(&agent->runs);
	cmd->cspaces = READ_ONCE(agent->nr_cspaces);
	cmd->gifts = READ_ONCE(agent->nr_gifts);
	memcpy(cmd->name, agent->name, sizeof(cmd->name));
	return phi_agent_path(agent, ns, cmd->path, cmd->room);
}

/**
 * phi_agent_query() - PHI_IOC_AGENT_QUERY
 * @cs: The caller.
 * @arg: struct phi_agent_query.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int phi_agent_query(struct phi_cspace *cs, void *arg)
{
	struct phi_agent_query *cmd = arg;
	struct phi_agent *agent;
	int ret;

	if (cmd->flags & ~PHI_AGENT_NEXT)
		return -EOPNOTSUPP;
	agent = phi_agent_nth(cmd->id, cmd->flags & PHI_AGENT_NEXT);
	if (!agent)
		return -ENOENT;
	cmd->parent = 0;
	cmd->uid = 0;
	cmd->runs = 0;
	cmd->cspaces = 0;
	cmd->gifts = 0;
	memset(cmd->name, 0, sizeof(cmd->name));
	ret = phi_agent_answer(agent, cmd);
	phi_object_put(&agent->obj);
	return ret;
}

/**
 * phi_agent_init() - make ready for agents
 *
 * Context: Module load.
 * Return: 0 or a negative errno.
 */
int __init phi_agent_init(void)
{
	return phi_crew_init();
}

/**
 * phi_agent_exit() - wait for the last work of agents
 *
 * Context: Module unload. Nothing is open any more, so no agent is left.
 */
void phi_agent_exit(void)
{
	phi_crew_exit();
	WARN_ON(!xa_empty(&phi_agent_numbers));
	WARN_ON(!xa_empty(&phi_agents));
}
