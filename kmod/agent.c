// SPDX-License-Identifier: GPL-2.0-only
/*
 * Agents: cgroups that policies know by a number.
 */

#include <linux/atomic.h>
#include <linux/cgroup.h>
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/xarray.h>
#include <phi.h>

#include "cspace.h"
#include "decision.h"
#include "dispatch.h"
#include "hook.h"
#include "main.h"
#include "name.h"

/**
 * struct phi_agent - a registered cgroup
 * @obj: Object of AGENT capabilities.
 * @id: Its number.
 * @parent: Number of the agent above whose holder allowed this one, 0 = none.
 * @cgroup: Referenced, so that its id cannot pass to another one.
 * @name: For people.
 * @rcu: Frees it.
 */
struct phi_agent {
	struct phi_object obj;
	u64 id;
	u64 parent;
	struct cgroup *cgroup;
	u8 name[PHI_NAME_MAX];
	struct rcu_head rcu;
};

/* By id of the cgroup. */
static DEFINE_XARRAY(phi_agents);
static atomic64_t phi_agent_ids;
/* How many there are: without any, calls look no further. */
static atomic_t phi_agent_count;

/**
 * phi_agent_of() - whose process it is
 * @task: Any thread of the process, referenced.
 *
 * On the way up from the cgroup of the process, an agent counts in place of
 * those below it, unless its holder allowed the one right below: whoever makes
 * an agent inside another's cgroup, before or after, does not get out of it.
 *
 * Context: Process context.
 * Return: Number of the agent; 0 = none.
 */
u64 phi_agent_of(struct task_struct *task)
{
	u64 found = 0, parent = 0;
	struct cgroup *cgroup;

	if (!atomic_read(&phi_agent_count))
		return 0;
	guard(rcu)();
	for (cgroup = task_dfl_cgroup(task); cgroup;
	     cgroup = cgroup_parent(cgroup)) {
		const struct phi_agent *agent =
			xa_load(&phi_agents, cgroup_id(cgroup));

		if (!agent)
			continue;
		if (agent->id != parent)
			found = agent->id;
		parent = agent->parent;
	}
	return found;
}

/**
 * phi_agent_current() - whose process is running
 *
 * Context: Process context.
 * Return: Number of the agent, as phi_agent_of() says; 0 = none.
 */
u64 phi_agent_current(void)
{
	return phi_agent_of(current);
}

/* Number of the nearest agent above a cgroup, 0 = none. */
static u64 phi_agent_above(struct cgroup *cgroup)
{
	guard(rcu)();
	while ((cgroup = cgroup_parent(cgroup))) {
		const struct phi_agent *agent =
			xa_load(&phi_agents, cgroup_id(cgroup));

		if (agent)
			return agent->id;
	}
	return 0;
}

static void phi_agent_free(struct phi_object *obj)
{
	struct phi_agent *agent = container_of(obj, struct phi_agent, obj);

	if (agent->id) {
		xa_erase(&phi_agents, cgroup_id(agent->cgroup));
		atomic_dec(&phi_agent_count);
	}
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
	return ret ? phi_refuse_as(cs->user, PHI_DECIDED_FILE, 0) : 0;
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
	int ret;

	agent->id = atomic64_inc_return(&phi_agent_ids);
	ret = xa_insert(&phi_agents, cgroup_id(agent->cgroup), agent,
			GFP_KERNEL_ACCOUNT);
	if (ret) {
		agent->id = 0;
		return ret == -EBUSY ? -EEXIST : ret;
	}
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
	*id = container_of(cap->obj, struct phi_agent, obj)->id;
	return 0;
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
		return phi_refuse_as(cs->user, PHI_DECIDED_AGENT, 0);
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
	memcpy(agent->name, cmd->name, sizeof(agent->name));
	agent->parent = parent;
	ret = phi_agent_place(agent, cs, cmd->cgroup);
	if (!ret) {
		cmd->id = agent->id;
		ret = phi_cspace_install_new(cs, &agent->obj,
					     PHI_RIGHT_READ | PHI_RIGHT_ADMIN |
						     PHI_RIGHT_GRANT,
					     0, &cmd->cap);
	}
	phi_object_put(&agent->obj);
	return ret;
}

/**
 * phi_agent_init() - make ready for agents
 *
 * Context: Module load.
 * Return: 0.
 */
int phi_agent_init(void)
{
	return 0;
}

/**
 * phi_agent_exit() - nothing is open any more, so no agent is left
 *
 * Context: Module unload.
 */
void phi_agent_exit(void)
{
	WARN_ON(!xa_empty(&phi_agents));
}
