// SPDX-License-Identifier: GPL-2.0-only
/*
 * Budgets: amounts that are reserved, then settled.
 */

#include <linux/atomic.h>
#include <linux/cleanup.h>
#include <linux/kref.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/xarray.h>

#include "cspace.h"
#include "decision.h"
#include "dispatch.h"
#include "ledger.h"
#include "quota.h"

/**
 * struct phi_budget - what a BUDGET capability names
 * @obj: The object.
 * @ledger: Its accounts, referenced.
 */
struct phi_budget {
	struct phi_object obj;
	struct phi_ledger *ledger;
};

/**
 * struct phi_reservation - amounts that wait to be settled
 * @ledger: Where they were taken, referenced.
 * @amount: The amounts.
 * @live: It can be settled; under the lock of the tree.
 * @rcu: Frees it.
 */
struct phi_reservation {
	struct phi_ledger *ledger;
	u64 amount[PHI_BUDGET_KINDS];
	bool live;
	struct rcu_head rcu;
};

/* Numbers of reservations, of all cspaces. */
static atomic64_t phi_reservations;

static struct phi_ledger *phi_ledger_of(const struct phi_cap *cap)
{
	return container_of(cap->obj, struct phi_budget, obj)->ledger;
}

static bool phi_amounts_valid(const u64 *amount)
{
	for (u32 i = 0; i < PHI_BUDGET_KINDS; i++) {
		if (amount[i] > PHI_BUDGET_MAX)
			return false;
	}
	return true;
}

static void phi_budget_free(struct phi_object *obj)
{
	struct phi_budget *budget = container_of(obj, struct phi_budget, obj);
	struct phi_ledger *ledger = budget->ledger;

	if (ledger) {
		scoped_guard(phi_ledger, ledger) {
			ledger->closed = true;
			for (u32 i = 0; i < PHI_BUDGET_KINDS; i++)
				phi_ledger_back(
					ledger, i,
					phi_amounts_free(&ledger->kinds[i]));
		}
		phi_ledger_put(ledger);
	}
	phi_object_fini(obj);
	kfree(budget);
}

static const struct phi_object_ops phi_budget_ops = {
	.type = PHI_TYPE_BUDGET,
	.free = phi_budget_free,
};

/* Note which kind a ledger has too little of. */
static int phi_budget_refuse(struct phi_cspace *cs, u64 handle, kuid_t owner,
			     const struct phi_amounts *had, u32 i, u64 asked)
{
	return phi_refuse(cs->user, -EDQUOT,
			  &(struct phi_refusal){
				  .where = PHI_DECIDED_BUDGET,
				  .type = PHI_TYPE_BUDGET,
				  .kind = i,
				  .owner = owner,
				  .handle = handle,
				  .named = true,
				  .asked = asked,
				  .used = had->amount - phi_amounts_free(had),
				  .limit = had->amount,
			  });
}

/* Move amounts from the parent of a ledger into it, or from nowhere. */
static int phi_ledger_fill(struct phi_cspace *cs, u64 handle,
			   struct phi_ledger *ledger, const u64 *amount)
{
	struct phi_ledger *parent = ledger->parent;
	struct phi_amounts had = {};
	struct phi_alarm alarm = {};
	u32 at = PHI_BUDGET_KINDS;

	scoped_guard(phi_ledger, ledger) {
		for (u32 i = 0; i < PHI_BUDGET_KINDS; i++) {
			if (amount[i] >
			    PHI_BUDGET_MAX - ledger->kinds[i].amount)
				return -EINVAL;
		}
		if (parent)
			at = phi_ledger_short(parent, amount, NULL);
		if (at < PHI_BUDGET_KINDS) {
			had = parent->kinds[at];
			break;
		}
		for (u32 i = 0; i < PHI_BUDGET_KINDS; i++) {
			ledger->kinds[i].amount += amount[i];
			if (parent)
				parent->kinds[i].given += amount[i];
		}
		/* It can only leave its own marks, which is no signal. */
		phi_ledger_marks(ledger);
		if (parent)
			alarm = phi_ledger_alarm(parent);
	}
	if (at < PHI_BUDGET_KINDS)
		return phi_budget_refuse(cs, handle, parent->uid, &had, at,
					 amount[at]);
	phi_alarm_ring(&alarm);
	return 0;
}

/* Give a cspace the first capability to a budget, below that of its parent. */
static int phi_budget_install(struct phi_cspace *cs, struct phi_budget *budget,
			      struct phi_cap *parent, u64 *handle)
{
	const u32 rights = PHI_RIGHT_READ | PHI_RIGHT_WRITE | PHI_RIGHT_ADMIN |
			   PHI_RIGHT_GRANT;

	if (!parent)
		return phi_cspace_install_new(cs, &budget->obj, rights, 0,
					      handle);
	return phi_cspace_give(
		cs, phi_cap_child(parent, &budget->obj, rights, 0, 0, cs->user),
		handle);
}

/**
 * phi_budget_create() - PHI_IOC_BUDGET_CREATE
 * @cs: The caller's cspace.
 * @arg: struct phi_budget_create.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int phi_budget_create(struct phi_cspace *cs, void *arg)
{
	struct phi_budget_create *cmd = arg;
	struct phi_budget *budget;
	int ret;

	if (cmd->flags)
		return -EOPNOTSUPP;
	if (!phi_amounts_valid(cmd->amount))
		return -EINVAL;
	struct phi_cap *parent __free(phi_cap_put) =
		cmd->parent ?
			phi_cspace_lookup(cs, cmd->parent, PHI_TYPES(BUDGET),
					  PHI_RIGHT_ADMIN) :
			NULL;
	if (IS_ERR(parent))
		return PTR_ERR(parent);

	budget = kzalloc(sizeof(*budget), GFP_KERNEL_ACCOUNT);
	if (!budget)
		return -ENOMEM;
	ret = phi_object_init(&budget->obj, &phi_budget_ops, cs->user);
	if (ret) {
		kfree(budget);
		return ret;
	}
	budget->ledger = phi_ledger_new(phi_cspace_uid(cs),
					parent ? phi_ledger_of(parent) : NULL);
	ret = budget->ledger ? phi_ledger_fill(cs, cmd->parent, budget->ledger,
					       cmd->amount) :
			       -ENOMEM;
	if (!ret)
		ret = phi_budget_install(cs, budget, parent, &cmd->cap);
	phi_object_put(&budget->obj);
	return ret;
}

/**
 * phi_budget_query() - PHI_IOC_BUDGET_QUERY
 * @cs: The caller's cspace.
 * @arg: struct phi_budget_query.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int phi_budget_query(struct phi_cspace *cs, void *arg)
{
	struct phi_budget_query *cmd = arg;

	if (cmd->flags)
		return -EOPNOTSUPP;
	struct phi_cap *cap __free(phi_cap_put) = phi_cspace_lookup(
		cs, cmd->budget, PHI_TYPES(BUDGET), PHI_RIGHT_READ);
	if (IS_ERR(cap))
		return PTR_ERR(cap);
	struct phi_ledger *ledger = phi_ledger_of(cap);

	guard(phi_ledger)(ledger);
	for (u32 i = 0; i < PHI_BUDGET_KINDS; i++) {
		cmd->amount[i] = ledger->kinds[i].amount;
		cmd->reserved[i] = ledger->kinds[i].reserved;
		cmd->spent[i] = ledger->kinds[i].spent;
		cmd->given[i] = ledger->kinds[i].given;
	}
	return 0;
}

/* Take the amounts of a reservation out of its ledger. */
static int phi_reservation_take(struct phi_cspace *cs, u64 handle,
				struct phi_reservation *res)
{
	struct phi_ledger *ledger = res->ledger;
	struct phi_amounts had = {};
	struct phi_alarm alarm = {};
	u32 at;

	scoped_guard(phi_ledger, ledger) {
		at = phi_ledger_short(ledger, res->amount, NULL);
		if (at < PHI_BUDGET_KINDS) {
			had = ledger->kinds[at];
			break;
		}
		for (u32 i = 0; i < PHI_BUDGET_KINDS; i++)
			ledger->kinds[i].reserved += res->amount[i];
		res->live = true;
		alarm = phi_ledger_alarm(ledger);
	}
	if (at < PHI_BUDGET_KINDS)
		return phi_budget_refuse(cs, handle, ledger->uid, &had, at,
					 res->amount[at]);
	phi_alarm_ring(&alarm);
	return 0;
}

/* Forget a reservation that is not live, or was never. */
static void phi_reservation_free(struct phi_cspace *cs, u64 number,
				 struct phi_reservation *res)
{
	xa_erase(&cs->reservations, number);
	phi_ledger_put(res->ledger);
	phi_quota_uncharge(cs->user, PHI_QUOTA_OBJECTS, 1);
	kfree_rcu(res, rcu);
}

/**
 * phi_budget_reserve() - PHI_IOC_BUDGET_RESERVE
 * @cs: The caller's cspace.
 * @arg: struct phi_budget_reserve.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int phi_budget_reserve(struct phi_cspace *cs, void *arg)
{
	struct phi_budget_reserve *cmd = arg;
	struct phi_reservation *res;
	u64 number;
	int ret;

	if (cmd->flags)
		return -EOPNOTSUPP;
	if (!phi_amounts_valid(cmd->amount))
		return -EINVAL;
	struct phi_cap *cap __free(phi_cap_put) = phi_cspace_lookup(
		cs, cmd->budget, PHI_TYPES(BUDGET), PHI_RIGHT_WRITE);
	if (IS_ERR(cap))
		return PTR_ERR(cap);
	ret = phi_quota_charge(cs->user, PHI_QUOTA_OBJECTS, 1);
	if (ret)
		return ret;
	res = kzalloc(sizeof(*res), GFP_KERNEL_ACCOUNT);
	if (!res) {
		phi_quota_uncharge(cs->user, PHI_QUOTA_OBJECTS, 1);
		return -ENOMEM;
	}
	res->ledger = phi_ledger_of(cap);
	kref_get(&res->ledger->ref);
	memcpy(res->amount, cmd->amount, sizeof(res->amount));
	number = atomic64_inc_return(&phi_reservations);
	ret = xa_insert(&cs->reservations, number, res, GFP_KERNEL_ACCOUNT);
	if (!ret)
		ret = phi_reservation_take(cs, cmd->budget, res);
	if (ret)
		phi_reservation_free(cs, number, res);
	cmd->reservation = number;
	return ret;
}

/* Settle a reservation, which is not live any more when this returns 0. */
static int phi_reservation_end(struct phi_cspace *cs, u64 number,
			       const u64 *amount)
{
	struct phi_reservation *res;
	struct phi_amounts had = {};
	struct phi_ledger *ledger;
	struct phi_alarm alarm;
	kuid_t owner;
	u32 at;

	scoped_guard(rcu) {
		res = xa_load(&cs->reservations, number);
		if (!res)
			return -ENOENT;
		ledger = res->ledger;
		guard(phi_ledger)(ledger);
		if (!res->live)
			return -ENOENT;
		owner = ledger->uid;
		at = phi_ledger_short(ledger, amount, res->amount);
		if (at < PHI_BUDGET_KINDS) {
			had = ledger->kinds[at];
			had.reserved -= res->amount[at];
			break;
		}
		for (u32 i = 0; i < PHI_BUDGET_KINDS; i++) {
			ledger->kinds[i].reserved -= res->amount[i];
			ledger->kinds[i].spent += amount[i];
			if (amount[i] < res->amount[i])
				phi_ledger_back(ledger, i,
						res->amount[i] - amount[i]);
		}
		res->live = false;
		alarm = phi_ledger_alarm(ledger);
	}
	if (at < PHI_BUDGET_KINDS)
		return phi_budget_refuse(cs, 0, owner, &had, at, amount[at]);
	phi_reservation_free(cs, number, res);
	phi_alarm_ring(&alarm);
	return 0;
}

/**
 * phi_budget_reserve_settle() - cancel a reservation that nobody knows
 * @cs: The caller's cspace.
 * @arg: struct phi_budget_reserve.
 * @told: The caller knows its number.
 *
 * Context: Process context. May sleep.
 */
void phi_budget_reserve_settle(struct phi_cspace *cs, void *arg, bool told)
{
	static const u64 none[PHI_BUDGET_KINDS];
	struct phi_budget_reserve *cmd = arg;

	if (!told)
		phi_reservation_end(cs, cmd->reservation, none);
}

/**
 * phi_budget_settle() - PHI_IOC_BUDGET_SETTLE
 * @cs: The caller's cspace.
 * @arg: struct phi_budget_settle.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int phi_budget_settle(struct phi_cspace *cs, void *arg)
{
	struct phi_budget_settle *cmd = arg;

	if (cmd->flags)
		return -EOPNOTSUPP;
	if (!phi_amounts_valid(cmd->amount))
		return -EINVAL;
	return phi_reservation_end(cs, cmd->reservation, cmd->amount);
}

/**
 * phi_budget_close() - cancel the reservations of a cspace
 * @cs: The cspace, at its release or at the end of its owner.
 *
 * Context: Process context. May sleep.
 */
void phi_budget_close(struct phi_cspace *cs)
{
	static const u64 none[PHI_BUDGET_KINDS];
	struct phi_reservation *res;
	unsigned long number;

	xa_for_each(&cs->reservations, number, res) {
		phi_reservation_end(cs, number, none);
		cond_resched();
	}
}

/**
 * phi_budget_grant() - PHI_IOC_BUDGET_GRANT
 * @cs: The caller's cspace.
 * @arg: struct phi_budget_grant.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int phi_budget_grant(struct phi_cspace *cs, void *arg)
{
	struct phi_budget_grant *cmd = arg;
	struct phi_ledger *ledger;

	if (cmd->flags)
		return -EOPNOTSUPP;
	if (!phi_amounts_valid(cmd->amount))
		return -EINVAL;
	struct phi_cap *cap __free(phi_cap_put) = phi_cspace_lookup(
		cs, cmd->budget, PHI_TYPES(BUDGET), PHI_RIGHT_READ);
	if (IS_ERR(cap))
		return PTR_ERR(cap);
	struct phi_cap *parent __free(phi_cap_put) = phi_cspace_lookup(
		cs, cmd->parent, PHI_TYPES(BUDGET), PHI_RIGHT_ADMIN);
	if (IS_ERR(parent))
		return PTR_ERR(parent);
	ledger = phi_ledger_of(cap);
	if (phi_ledger_of(parent) != (ledger->parent ?: ledger))
		return -EINVAL;
	if (!ledger->parent && !uid_eq(ledger->uid, phi_cspace_uid(cs)))
		return phi_refuse(cs->user, -EPERM,
				  &(struct phi_refusal){
					  .where = PHI_DECIDED_BUDGET,
					  .type = PHI_TYPE_BUDGET,
					  .owner = ledger->uid,
				  });
	return phi_ledger_fill(cs, cmd->parent, ledger, cmd->amount);
}

/**
 * phi_budget_watch() - PHI_IOC_BUDGET_WATCH
 * @cs: The caller's cspace.
 * @arg: struct phi_budget_watch.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int phi_budget_watch(struct phi_cspace *cs, void *arg)
{
	struct phi_budget_watch *cmd = arg;
	struct phi_ledger *ledger;
	struct phi_cap *stub = NULL;

	if (cmd->flags)
		return -EOPNOTSUPP;
	if (!cmd->notify != !(cmd->low | cmd->spent))
		return -EINVAL;
	struct phi_cap *cap __free(phi_cap_put) = phi_cspace_lookup(
		cs, cmd->budget, PHI_TYPES(BUDGET), PHI_RIGHT_ADMIN);
	if (IS_ERR(cap))
		return PTR_ERR(cap);
	struct phi_cap *notify __free(phi_cap_put) =
		cmd->notify ?
			phi_cspace_lookup(cs, cmd->notify, PHI_TYPES(NOTIFY),
					  PHI_RIGHT_WRITE) :
			NULL;
	if (IS_ERR(notify))
		return PTR_ERR(notify);
	ledger = phi_ledger_of(cap);
	if (notify) {
		phi_stub_get(notify);
		stub = notify;
	}
	scoped_guard(phi_ledger, ledger) {
		swap(ledger->notify, stub);
		ledger->notify_id = notify ? READ_ONCE(notify->id) : 0;
		ledger->low = cmd->low;
		ledger->out = cmd->spent;
	}
	phi_stub_put(stub);
	return 0;
}
