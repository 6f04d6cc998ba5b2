// SPDX-License-Identifier: GPL-2.0-only
/*
 * On which CPUs a thread runs.
 */

#include <linux/cleanup.h>
#include <linux/cpumask.h>
#include <linux/sched.h>
#include <linux/topology.h>
#include <linux/uaccess.h>

#include "dispatch.h"
#include "thread.h"
#include "unit.h"

/* The CPUs that a task may use. */
static void phi_task_cpus(struct task_struct *task, struct cpumask *cpus)
{
	guard(raw_spinlock_irqsave)(&task->pi_lock);
	cpumask_copy(cpus, &task->cpus_mask);
}

/*
 * The task executed a program meanwhile, which nobody may place: give it back
 * what it had, unless others have set that since.
 */
static void phi_task_unpin(struct task_struct *task, const struct cpumask *cpus,
			   const struct cpumask *had)
{
	bool ours;

	scoped_guard(raw_spinlock_irqsave, &task->pi_lock)
		ours = cpumask_equal(&task->cpus_mask, cpus);
	if (ours)
		set_cpus_allowed_ptr(task, had);
}

/*
 * Take the CPUs from a thread that are not among @cpus. None is ever added: the
 * kernel does not tell modules what the cpuset of a task allows, but a task has
 * nothing that is not allowed. A cpuset that changes between the look and the
 * change is overruled until it changes again. @had: Room for a mask.
 */
static int phi_thread_pin(struct phi_thread *thread, struct cpumask *cpus,
			  struct cpumask *had)
{
	int ret;

	guard(mutex)(&thread->placing);
	struct task_struct *task __free(phi_thread_task_put) =
		phi_thread_task(thread);
	if (!task)
		return -ESRCH;
	phi_task_cpus(task, had);
	if (!cpumask_and(cpus, cpus, had))
		return -EINVAL;
	if (cpumask_equal(cpus, had))
		return 0;
	ret = set_cpus_allowed_ptr(task, cpus);
	if (ret)
		return ret;
	/* From new credentials to the end of the registration it is in exec. */
	if (!task->in_execve && !READ_ONCE(thread->how))
		return 0;
	phi_task_unpin(task, cpus, had);
	return -ESRCH;
}

/* The CPUs near a unit. */
static int phi_thread_near(struct phi_cspace *cs, u64 handle,
			   struct cpumask *cpus)
{
	u32 node;

	struct phi_cap *unit __free(phi_cap_put) = phi_cspace_lookup(
		cs, handle, PHI_TYPES(DEVICE), PHI_RIGHT_READ);
	if (IS_ERR(unit))
		return PTR_ERR(unit);
	node = container_of(unit->obj, struct phi_unit, obj)->node;
	if (node == PHI_UNIT_UNKNOWN) {
		cpumask_copy(cpus, cpu_possible_mask);
		return 0;
	}
	if (node >= nr_node_ids || !node_online(node))
		return -EINVAL;
	cpumask_copy(cpus, cpumask_of_node(node));
	return 0;
}

static int phi_thread_cpus(struct phi_cspace *cs,
			   const struct phi_thread_place *cmd,
			   struct cpumask *cpus)
{
	u32 len = min_t(u32, cmd->len, cpumask_size());

	cpumask_clear(cpus);
	if (cmd->unit)
		return phi_thread_near(cs, cmd->unit, cpus);
	return copy_from_user(cpumask_bits(cpus), u64_to_user_ptr(cmd->cpus),
			      len) ?
		       -EFAULT :
		       0;
}

/**
 * phi_thread_place() - PHI_IOC_THREAD_PLACE
 * @cs: The caller's cspace.
 * @arg: struct phi_thread_place.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int phi_thread_place(struct phi_cspace *cs, void *arg)
{
	const struct phi_thread_place *cmd = arg;
	cpumask_var_t cpus, had;
	int ret;

	if (cmd->flags)
		return -EOPNOTSUPP;
	if (cmd->pad || cmd->len % sizeof(u64) ||
	    cmd->len > PHI_THREAD_CPUS_MAX)
		return -EINVAL;
	if (cmd->unit ? cmd->len || cmd->cpus : !cmd->len)
		return -EINVAL;
	struct phi_cap *cap __free(phi_cap_put) = phi_cspace_lookup(
		cs, cmd->thread, PHI_TYPES(THREAD), PHI_RIGHT_WRITE);
	if (IS_ERR(cap))
		return PTR_ERR(cap);
	if (!alloc_cpumask_var(&cpus, GFP_KERNEL_ACCOUNT))
		return -ENOMEM;
	if (!alloc_cpumask_var(&had, GFP_KERNEL_ACCOUNT)) {
		free_cpumask_var(cpus);
		return -ENOMEM;
	}
	ret = phi_thread_cpus(cs, cmd, cpus) ?:
		      phi_thread_pin(to_thread(cap->obj), cpus, had);
	free_cpumask_var(had);
	free_cpumask_var(cpus);
	return ret;
}
