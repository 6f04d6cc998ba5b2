/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PHI_CHARGE_H
#define _PHI_CHARGE_H

#include <linux/cleanup.h>
#include <linux/kref.h>
#include <linux/rcupdate.h>
#include <phi/budget.h>

struct phi_agent;
struct phi_cap;
struct phi_ledger;
struct task_struct;

/**
 * DOC: Charges
 *
 * An agent that AGENT_CHARGE gave a budget has a purse: a capability below the
 * one that the caller had, so that revoking that one ends it, and the accounts
 * themselves. The module takes from them what the agent's processes do, in two
 * steps as a caller of BUDGET_RESERVE does: what a call may come to is reserved
 * before it, under the lock of the tree that the check of the capability needs,
 * and what it came to is spent after it. So no number of calls side by side
 * spends more than there is.
 */

/**
 * struct phi_purse - a budget that an agent is charged to
 * @ref: The agent, and charges.
 * @cap: Its capability, owned.
 * @ledger: The accounts, referenced.
 * @rcu: Frees it.
 */
struct phi_purse {
	struct kref ref;
	struct phi_cap *cap;
	struct phi_ledger *ledger;
	struct rcu_head rcu;
};

/**
 * struct phi_charge - amounts that wait for the end of what they are for
 * @purse: Where they were taken, referenced; NULL = nothing was.
 * @amount: The amounts.
 */
struct phi_charge {
	struct phi_purse *purse;
	u64 amount[PHI_BUDGET_KINDS];
};

void phi_purse_put(struct phi_purse *purse);
int phi_charge_take(struct phi_charge *charge, struct phi_purse *purse);
void phi_charge_settle(struct phi_charge *charge, const u64 *used);
int phi_charge_call(struct phi_charge *charge, struct phi_purse *purse,
		    u64 moved);
void phi_charge_called(struct phi_charge *charge, u64 calls, u64 moved);
void phi_charge_late(struct phi_purse *purse, u64 moved);
int phi_charge_time(struct phi_charge *charge, u64 ns);
void phi_charge_timed(struct phi_charge *charge, u64 ns);

struct phi_purse *phi_agent_purse(struct task_struct *task);
void phi_agent_uncharge(struct phi_agent *agent);

DEFINE_FREE(phi_purse_put, struct phi_purse *, phi_purse_put(_T))

#endif /* _PHI_CHARGE_H */
