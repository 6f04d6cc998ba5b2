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
#include "hold.h"
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
 * @handle: Of the capability that they were taken through.
 * @amount: The amounts.
 * @live: It can be settled; under the lock of the tree.
 * @rcu: Frees it.
 */
struct phi_reservation {
	struct phi_ledger *ledger;
	u64 handle;
	u64 amount[PHI_BUDGET_KINDS];
	bool live;
	struct rcu_head rcu;
};

/* Numbers of reservations, of all cspaces. */
static atomic64_t phi_reservations;

/**
 * phi_ledger_of() - the accounts of a budget
 * @cap: A capability of type BUDGET, pinned.
 *
 * Context: Any.
 * Return: The ledger, which lasts as long as the pin.
 */
struct phi_ledger *phi_ledger_of(const struct phi_cap *cap)
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

/*
 * Calls look at their capability under the lock of the tree, and change the
 * accounts before they let go of it. Once the lock was taken after the end of
 * the capability, no call changes them through it.
 */
static void phi_budget_ended(struct phi_object *obj, struct phi_cap *cap)
{
	guard(phi_ledger)(container_of(obj, struct phi_budget, obj)->ledger);
}

static const struct phi_object_ops phi_budget_ops = {
	.type = PHI_TYPE_BUDGET,
	.free = phi_budget_free,
	.removed = phi_budget_ended,
	.dead = phi_budget_ended,
};

/*
 * Move amounts from the parent of a ledger into it, or from nowhere. The call
 * has the ledger through @to and its parent through @from.
 */
static int phi_ledger_fill(struct phi_ledger *ledger, const struct phi_hold *to,
			   const struct phi_hold *from, const u64 *amount,
			   struct phi_alarm *alarm)
{
	struct phi_ledger *parent = ledger->parent;
	struct phi_refusal why;
	int ret;

	scoped_guard(phi_ledger, ledger) {
		for (u32 i = 0; i < PHI_BUDGET_KINDS; i++) {
			if (amount[i] >
			    PHI_BUDGET_MAX - ledger->kinds[i].amount)
				return -EINVAL;
		}
		ret = phi_hold_check(to, &why) ?: phi_hold_check(from, &why);
		if (!ret && parent)
			ret = phi_hold_short(from, parent, amount, NULL, &why);
		if (ret)
			break;
		for (u32 i = 0; i < PHI_BUDGET_KINDS; i++) {
			ledger->kinds[i].amount += amount[i];
			if (parent)
				parent->kinds[i].given += amount[i];
		}
		/* It can only leave its own marks, which is no signal. */
		phi_ledger_marks(ledger);
		if (parent)
			*alarm = phi_ledger_alarm(parent);
	}
	return ret ? phi_refuse(ret, &why) : 0;
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
	struct phi_alarm alarm = {};
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
	/* Before anything is taken: nobody shall see amounts come and go. */
	if (parent && parent->depth >= PHI_DEPTH_MAX)
		return -ELOOP;

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
	ret = budget->ledger ?
		      phi_ledger_fill(budget->ledger, &(struct phi_hold){},
				      &(struct phi_hold){ .cs = cs,
							  .handle = cmd->parent,
							  .cap = parent },
				      cmd->amount, &alarm) :
		      -ENOMEM;
	if (!ret)
		ret = phi_budget_install(cs, budget, parent, &cmd->cap);
	/* After a failure this gives the amounts back. */
	phi_object_put(&budget->obj);
	if (ret && parent)
		phi_alarm_again(&alarm, phi_ledger_of(parent));
	phi_alarm_ring(&alarm);
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
static int phi_reservation_take(const struct phi_hold *hold,
				struct phi_reservation *res)
{
	struct phi_ledger *ledger = res->ledger;
	struct phi_alarm alarm = {};
	struct phi_refusal why;
	int ret;

	scoped_guard(phi_ledger, ledger) {
		ret = phi_hold_check(hold, &why);
		if (!ret)
			ret = phi_hold_short(hold, ledger, res->amount, NULL,
					     &why);
		if (ret)
			break;
		for (u32 i = 0; i < PHI_BUDGET_KINDS; i++)
			ledger->kinds[i].reserved += res->amount[i];
		res->live = true;
		alarm = phi_ledger_alarm(ledger);
	}
	phi_alarm_ring(&alarm);
	return ret ? phi_refuse(ret, &why) : 0;
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
	res->handle = cmd->budget;
	memcpy(res->amount, cmd->amount, sizeof(res->amount));
	number = atomic64_inc_return(&phi_reservations);
	ret = xa_insert(&cs->reservations, number, res, GFP_KERNEL_ACCOUNT);
	if (!ret)
		ret = phi_reservation_take(
			&(struct phi_hold){
				.cs = cs, .handle = cmd->budget, .cap = cap },
			res);
	if (ret)
		phi_reservation_free(cs, number, res);
	cmd->reservation = number;
	return ret;
}

static bool phi_reservation_over(const struct phi_reservation *res,
				 const u64 *amount)
{
	for (u32 i = 0; i < PHI_BUDGET_KINDS; i++) {
		if (amount[i] > res->amount[i])
			return true;
	}
	return false;
}

/*
 * Find the capability that a settlement needs: none, unless it takes more than
 * was reserved. A handle never leads to another one.
 */
static int phi_reservation_hold(struct phi_hold *hold, u64 number,
				const u64 *amount, struct phi_cap **cap)
{
	struct phi_refusal why;
	int ret;

	scoped_guard(rcu) {
		struct phi_reservation *res =
			xa_load(&hold->cs->reservations, number);

		if (!res)
			return -ENOENT;
		if (!phi_reservation_over(res, amount))
			return 0;
		hold->handle = res->handle;
	}
	ret = phi_cspace_glance(hold->cs, hold->handle, cap);
	hold->cap = *cap;
	if (!ret)
		return 0;
	/* The caller named no handle: it lost one. */
	ret = phi_hold_gone(&why, hold->handle,
			    ret == -EBADF ? -EKEYREVOKED : ret);
	return phi_refuse(ret, &why);
}

/* May a reservation, locked, be settled with amounts? */
static int phi_reservation_check(const struct phi_hold *hold,
				 const struct phi_reservation *res,
				 const u64 *amount, struct phi_refusal *why)
{
	int ret;

	if (!phi_reservation_over(res, amount))
		return 0;
	ret = phi_hold_check(hold, why);
	if (ret == -EBADF)
		return phi_hold_gone(why, hold->handle, -EKEYREVOKED);
	return ret   ?:
		       phi_hold_short(hold, res->ledger, amount, res->amount,
				      why);
}

/* Settle a reservation, which is not live any more when this returns 0. */
static int phi_reservation_end(const struct phi_hold *hold, u64 number,
			       const u64 *amount)
{
	struct phi_cspace *cs = hold->cs;
	struct phi_alarm alarm = {};
	struct phi_reservation *res;
	struct phi_ledger *ledger;
	struct phi_refusal why;
	int ret;

	scoped_guard(rcu) {
		res = xa_load(&cs->reservations, number);
		if (!res)
			return -ENOENT;
		ledger = res->ledger;
		guard(phi_ledger)(ledger);
		if (!res->live)
			return -ENOENT;
		ret = phi_reservation_check(hold, res, amount, &why);
		if (ret)
			break;
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
	if (ret)
		return phi_refuse(ret, &why);
	phi_reservation_free(cs, number, res);
	phi_alarm_ring(&alarm);
	return 0;
}

/* Cancel a reservation, if nobody has settled it. */
static void phi_reservation_cancel(struct phi_cspace *cs, u64 number)
{
	static const u64 none[PHI_BUDGET_KINDS];

	phi_reservation_end(&(struct phi_hold){ .cs = cs }, number, none);
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
	struct phi_budget_reserve *cmd = arg;

	if (!told)
		phi_reservation_cancel(cs, cmd->reservation);
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
	struct phi_cap *cap __free(phi_cap_put) = NULL;
	struct phi_budget_settle *cmd = arg;
	struct phi_hold hold = { .cs = cs };
	int ret;

	if (cmd->flags)
		return -EOPNOTSUPP;
	if (!phi_amounts_valid(cmd->amount))
		return -EINVAL;
	ret = phi_reservation_hold(&hold, cmd->reservation, cmd->amount, &cap);
	return ret ?: phi_reservation_end(&hold, cmd->reservation, cmd->amount);
}

/**
 * phi_budget_close() - cancel the reservations of a cspace
 * @cs: The cspace, at its release or at the end of its owner.
 *
 * Context: Process context. May sleep.
 */
void phi_budget_close(struct phi_cspace *cs)
{
	struct phi_reservation *res;
	unsigned long number;

	xa_for_each(&cs->reservations, number, res) {
		phi_reservation_cancel(cs, number);
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
	struct phi_hold to = { .cs = cs, .handle = cmd->budget };
	struct phi_hold from = { .cs = cs, .handle = cmd->parent };
	struct phi_alarm alarm = {};
	struct phi_ledger *ledger;
	int ret;

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
		return phi_refuse(-EPERM, &(struct phi_refusal){
						  .where = PHI_DECIDED_BUDGET,
						  .type = PHI_TYPE_BUDGET,
						  .owner = ledger->uid,
					  });
	to.cap = cap;
	from.cap = parent;
	ret = phi_ledger_fill(ledger, &to, &from, cmd->amount, &alarm);
	phi_alarm_ring(&alarm);
	return ret;
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
