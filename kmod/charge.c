// SPDX-License-Identifier: GPL-2.0-only
/*
 * Charges: the module spends from the budget of an agent what its processes do.
 */

#include <linux/atomic.h>
#include <linux/cgroup.h>
#include <linux/err.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "agent.h"
#include "charge.h"
#include "decision.h"
#include "dispatch.h"
#include "hold.h"
#include "ledger.h"

/* How many purses there are: without any, calls look no further. */
static atomic_t phi_purses;

static void phi_purse_release(struct kref *ref)
{
	struct phi_purse *purse = container_of(ref, struct phi_purse, ref);

	atomic_dec(&phi_purses);
	phi_cap_release(purse->cap);
	phi_ledger_put(purse->ledger);
	kfree_rcu(purse, rcu);
}

/**
 * phi_purse_put() - give back a reference to a purse
 * @purse: The purse, or NULL, or an ERR_PTR().
 *
 * Context: Process context. May sleep. No lock of this module is held.
 */
void phi_purse_put(struct phi_purse *purse)
{
	if (!IS_ERR_OR_NULL(purse))
		kref_put(&purse->ref, phi_purse_release);
}

/* A purse of a budget, with one reference, or ERR_PTR(). */
static struct phi_purse *phi_purse_new(struct phi_cspace *cs, u64 budget)
{
	struct phi_purse *purse;

	struct phi_cap *cap __free(phi_cap_put) =
		phi_cspace_lookup(cs, budget, PHI_TYPES(BUDGET),
				  PHI_RIGHT_WRITE | PHI_RIGHT_GRANT);
	if (IS_ERR(cap))
		return ERR_CAST(cap);
	purse = kzalloc(sizeof(*purse), GFP_KERNEL_ACCOUNT);
	if (!purse)
		return ERR_PTR(-ENOMEM);
	kref_init(&purse->ref);
	purse->cap = phi_cap_child(
		cap, cap->obj, cap->rights & (PHI_RIGHT_READ | PHI_RIGHT_WRITE),
		cap->badge, 0, cs->user);
	if (IS_ERR(purse->cap)) {
		struct phi_cap *error = purse->cap;

		kfree(purse);
		return ERR_CAST(error);
	}
	purse->ledger = phi_ledger_of(cap);
	kref_get(&purse->ledger->ref);
	atomic_inc(&phi_purses);
	return purse;
}

/* Was all that one purse has taken from the other, or are they the same? */
static bool phi_purse_below(const struct phi_purse *purse,
			    const struct phi_purse *above)
{
	const struct phi_ledger *ledger = purse->ledger;

	while (ledger && ledger != above->ledger)
		ledger = ledger->parent;
	return ledger;
}

/* As phi_agent_purse(), which may be going. */
static struct phi_purse *phi_purse_find(struct task_struct *task)
{
	struct phi_purse *found = NULL;
	struct cgroup *cgroup;

	for (cgroup = task_dfl_cgroup(task); cgroup;
	     cgroup = cgroup_parent(cgroup)) {
		const struct phi_agent *agent = phi_agent_at(cgroup);
		struct phi_purse *purse = agent ? READ_ONCE(agent->purse) :
						  NULL;

		if (purse && !(found && phi_purse_below(found, purse)))
			found = purse;
	}
	return found;
}

/**
 * phi_agent_purse() - the purse that a process is charged to
 * @task: Any thread of the process, referenced.
 *
 * On the way up from its cgroup, the purse of an agent counts in place of those
 * below it that do not come out of it: what an agent makes below itself does
 * not release it.
 *
 * Context: Process context.
 * Return: The purse, referenced; or NULL.
 */
struct phi_purse *phi_agent_purse(struct task_struct *task)
{
	struct phi_purse *purse;

	if (!atomic_read(&phi_purses))
		return NULL;
	guard(rcu)();
	/* One that is going was replaced, or its agent is going too. */
	do {
		purse = phi_purse_find(task);
	} while (purse && !kref_get_unless_zero(&purse->ref));
	return purse;
}

/**
 * phi_agent_uncharge() - let an agent have no budget any more
 * @agent: The agent.
 *
 * Context: Process context. May sleep. No lock of this module is held.
 */
void phi_agent_uncharge(struct phi_agent *agent)
{
	phi_purse_put(xchg(&agent->purse, NULL));
}

/**
 * phi_agent_charge() - PHI_IOC_AGENT_CHARGE
 * @cs: The caller's cspace.
 * @arg: struct phi_agent_charge.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int phi_agent_charge(struct phi_cspace *cs, void *arg)
{
	struct phi_agent_charge *cmd = arg;
	struct phi_agent *agent;
	struct phi_purse *purse;

	if (cmd->flags)
		return -EOPNOTSUPP;
	struct phi_cap *cap __free(phi_cap_put) = phi_cspace_lookup(
		cs, cmd->agent, PHI_TYPES(AGENT), PHI_RIGHT_ADMIN);
	if (IS_ERR(cap))
		return PTR_ERR(cap);
	agent = to_agent(cap->obj);
	if (READ_ONCE(agent->killed))
		return -ESRCH;
	purse = cmd->budget ? phi_purse_new(cs, cmd->budget) : NULL;
	if (IS_ERR(purse))
		return PTR_ERR(purse);
	phi_purse_put(xchg(&agent->purse, purse));
	/* AGENT_KILL looks for a purse after it has said so. */
	if (!READ_ONCE(agent->killed))
		return 0;
	phi_agent_uncharge(agent);
	return -ESRCH;
}

/**
 * phi_charge_take() - reserve amounts
 * @charge: Its @amount is what to take; its @purse is set when this succeeds.
 * @purse: Where to take it, referenced, or NULL for nowhere.
 *
 * Context: Process context. May sleep. No lock of this module is held.
 * Return: 0, -EDQUOT, -EKEYREVOKED or -EKEYEXPIRED, with the refusal noted.
 */
int phi_charge_take(struct phi_charge *charge, struct phi_purse *purse)
{
	struct phi_alarm alarm = {};
	struct phi_refusal why;
	int ret;

	charge->purse = NULL;
	if (!purse)
		return 0;
	scoped_guard(phi_ledger, purse->ledger) {
		const struct phi_hold hold = { .cap = purse->cap };

		ret = phi_cap_live(purse->cap);
		ret = ret ? phi_hold_gone(&why, 0, ret) :
			    phi_hold_short(&hold, purse->ledger, charge->amount,
					   NULL, &why);
		if (ret)
			break;
		for (u32 i = 0; i < PHI_BUDGET_KINDS; i++)
			purse->ledger->kinds[i].reserved += charge->amount[i];
		alarm = phi_ledger_alarm(purse->ledger);
	}
	if (ret)
		return phi_refuse(ret, &why);
	kref_get(&purse->ref);
	charge->purse = purse;
	phi_alarm_ring(&alarm);
	return 0;
}

/**
 * phi_charge_settle() - spend what was used of reserved amounts
 * @charge: From phi_charge_take(); ends.
 * @used: Amounts that were used. The part above the reserved ones comes out of
 *        the free ones, until nothing is free.
 *
 * Context: Process context. May sleep. No lock of this module is held.
 */
void phi_charge_settle(struct phi_charge *charge, const u64 *used)
{
	struct phi_purse *purse = charge->purse;
	struct phi_alarm alarm;

	if (!purse)
		return;
	charge->purse = NULL;
	scoped_guard(phi_ledger, purse->ledger) {
		for (u32 i = 0; i < PHI_BUDGET_KINDS; i++) {
			struct phi_amounts *kind = &purse->ledger->kinds[i];
			u64 spent;

			kind->reserved -= charge->amount[i];
			spent = min(used[i], charge->amount[i]);
			kind->spent += spent;
			if (used[i] > spent)
				kind->spent += min(used[i] - spent,
						   phi_amounts_free(kind));
			else
				phi_ledger_back(purse->ledger, i,
						charge->amount[i] - spent);
		}
		alarm = phi_ledger_alarm(purse->ledger);
	}
	phi_alarm_ring(&alarm);
	phi_purse_put(purse);
}

/**
 * phi_charge_call() - take one call, and the bytes that it may move
 * @charge: Out.
 * @purse: As for phi_charge_take().
 * @moved: Bytes.
 *
 * Context: As phi_charge_take().
 * Return: As phi_charge_take().
 */
int phi_charge_call(struct phi_charge *charge, struct phi_purse *purse,
		    u64 moved)
{
	charge->purse = NULL;
	if (!purse)
		return 0;
	memset(charge->amount, 0, sizeof(charge->amount));
	charge->amount[PHI_BUDGET_CALLS] = 1;
	charge->amount[PHI_BUDGET_MOVED] = moved;
	return phi_charge_take(charge, purse);
}

/**
 * phi_charge_called() - spend a call, and the bytes that it moved
 * @charge: From phi_charge_call().
 * @calls: 1, or 0 for a call that comes again.
 * @moved: Bytes.
 *
 * Context: As phi_charge_settle().
 */
void phi_charge_called(struct phi_charge *charge, u64 calls, u64 moved)
{
	const u64 used[PHI_BUDGET_KINDS] = {
		[PHI_BUDGET_CALLS] = calls,
		[PHI_BUDGET_MOVED] = moved,
	};

	phi_charge_settle(charge, used);
}

/**
 * phi_charge_late() - spend a call of which nobody learns how it ends
 * @purse: Pays for it out of what is free; its reference is given back. Or NULL.
 * @moved: Bytes that it moved.
 *
 * Context: As phi_charge_settle().
 */
void phi_charge_late(struct phi_purse *purse, u64 moved)
{
	struct phi_charge charge = { .purse = purse };

	phi_charge_called(&charge, 1, moved);
}

/**
 * phi_charge_time() - take the time of a unit for the current process
 * @charge: Out.
 * @ns: Nanoseconds that a batch is expected to run, 0 = not known.
 *
 * Takes at least one, so that no batch begins when nothing is left.
 *
 * Context: As phi_charge_take().
 * Return: As phi_charge_take().
 */
int phi_charge_time(struct phi_charge *charge, u64 ns)
{
	struct phi_purse *purse __free(phi_purse_put) =
		phi_agent_purse(current);

	memset(charge, 0, sizeof(*charge));
	charge->amount[PHI_BUDGET_UNIT] = max(ns, 1);
	return phi_charge_take(charge, purse);
}

/**
 * phi_charge_timed() - spend the time of a unit
 * @charge: From phi_charge_time(), also of one that failed.
 * @ns: Nanoseconds that it ran.
 *
 * Context: As phi_charge_settle().
 */
void phi_charge_timed(struct phi_charge *charge, u64 ns)
{
	const u64 used[PHI_BUDGET_KINDS] = { [PHI_BUDGET_UNIT] = ns };

	phi_charge_settle(charge, used);
}
