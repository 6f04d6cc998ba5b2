// SPDX-License-Identifier: GPL-2.0-only
/*
 * The accounts of budgets, and the trees they are in.
 */

#include <linux/slab.h>

#include "ledger.h"
#include "notify.h"

/**
 * phi_ledger_new() - make a ledger without amounts
 * @uid: The user that makes it.
 * @parent: The ledger above, or NULL.
 *
 * Context: Process context. May sleep.
 * Return: The ledger with one reference, or NULL.
 */
struct phi_ledger *phi_ledger_new(kuid_t uid, struct phi_ledger *parent)
{
	struct phi_ledger *ledger =
		kzalloc(sizeof(*ledger), GFP_KERNEL_ACCOUNT);

	if (!ledger)
		return NULL;
	kref_init(&ledger->ref);
	spin_lock_init(&ledger->lock);
	ledger->uid = uid;
	ledger->root = parent ? parent->root : ledger;
	ledger->parent = parent;
	if (parent)
		kref_get(&parent->ref);
	return ledger;
}

/**
 * phi_ledger_marks() - see which marks a ledger has come to
 * @ledger: The ledger, locked, whose accounts have changed.
 *
 * Context: Any but interrupts.
 * Return: The bits to signal for marks it was not at before.
 */
u64 phi_ledger_marks(struct phi_ledger *ledger)
{
	u64 bits = 0;

	lockdep_assert_held(&ledger->root->lock);
	for (u32 i = 0; i < PHI_BUDGET_KINDS; i++) {
		u64 amount = ledger->kinds[i].amount;
		u64 left = phi_amounts_free(&ledger->kinds[i]);
		bool low = amount && left <= amount / 5;
		bool out = amount && !left;

		if (low && !(ledger->is_low & BIT(i)))
			bits |= ledger->low;
		if (out && !(ledger->is_out & BIT(i)))
			bits |= ledger->out;
		ledger->is_low = (ledger->is_low & ~BIT(i)) | low << i;
		ledger->is_out = (ledger->is_out & ~BIT(i)) | out << i;
	}
	return bits;
}

/**
 * phi_ledger_alarm() - see whom to signal at which marks
 * @ledger: The ledger, locked, whose accounts have changed.
 *
 * Context: Any but interrupts.
 * Return: The bits to signal, for phi_alarm_ring() without the lock.
 */
struct phi_alarm phi_ledger_alarm(struct phi_ledger *ledger)
{
	struct phi_alarm alarm = { .bits = phi_ledger_marks(ledger) };

	if (alarm.bits && ledger->notify) {
		phi_stub_get(ledger->notify);
		alarm.notify = ledger->notify;
		alarm.id = ledger->notify_id;
	}
	return alarm;
}

/**
 * phi_alarm_again() - look again at the marks that a failed call had come to
 * @alarm: From phi_ledger_alarm(); keeps the bits of marks that another call
 *         has come to meanwhile, which found them reached.
 * @ledger: The ledger, after its amounts were given back.
 *
 * Context: Process context. The tree is not locked.
 */
void phi_alarm_again(struct phi_alarm *alarm, struct phi_ledger *ledger)
{
	guard(phi_ledger)(ledger);
	alarm->bits &= (ledger->is_low ? ledger->low : 0) |
		       (ledger->is_out ? ledger->out : 0);
}

/**
 * phi_alarm_ring() - signal bits through a capability that may be dead
 * @alarm: From phi_ledger_alarm().
 *
 * Context: Process context. May sleep. No lock of this module is held.
 */
void phi_alarm_ring(const struct phi_alarm *alarm)
{
	struct phi_cap *notify = alarm->notify;

	if (!notify)
		return;
	if (phi_cap_tryget(notify)) {
		/* It has another number where it was moved to. */
		if (READ_ONCE(notify->held) &&
		    READ_ONCE(notify->id) == alarm->id &&
		    !phi_cap_live(notify) && alarm->bits)
			phi_notify_set(notify->obj, alarm->bits);
		phi_cap_put(notify);
	}
	phi_stub_put(notify);
}

static void phi_ledger_release(struct kref *ref)
{
	struct phi_ledger *ledger = container_of(ref, struct phi_ledger, ref);
	struct phi_ledger *parent = ledger->parent;

	if (parent) {
		/* The parent has spent what this one had. */
		guard(phi_ledger)(parent);
		for (u32 i = 0; i < PHI_BUDGET_KINDS; i++) {
			struct phi_amounts *kind = &ledger->kinds[i];

			WARN_ON_ONCE(kind->reserved || kind->given ||
				     kind->amount != kind->spent);
			parent->kinds[i].given -= kind->spent;
			parent->kinds[i].spent += kind->spent;
		}
	}
	phi_stub_put(ledger->notify);
	kfree_rcu(ledger, rcu);
}

/**
 * phi_ledger_put() - give back a reference to a ledger
 * @ledger: The ledger, or NULL.
 *
 * The chain to the root goes ledger by ledger: at most PHI_DEPTH_MAX.
 *
 * Context: Any but interrupts. No tree of ledgers is locked.
 */
void phi_ledger_put(struct phi_ledger *ledger)
{
	while (ledger) {
		struct phi_ledger *parent = ledger->parent;

		if (!kref_put(&ledger->ref, phi_ledger_release))
			return;
		ledger = parent;
	}
}

/**
 * phi_ledger_back() - pass on what has become free in a ledger
 * @ledger: The ledger, locked.
 * @i: PHI_BUDGET_*.
 * @n: How much; it belongs to the nearest ledger above that is open.
 *
 * Context: Any but interrupts.
 */
void phi_ledger_back(struct phi_ledger *ledger, u32 i, u64 n)
{
	lockdep_assert_held(&ledger->root->lock);
	for (; ledger->closed && ledger->parent; ledger = ledger->parent) {
		ledger->kinds[i].amount -= n;
		ledger->parent->kinds[i].given -= n;
		phi_ledger_marks(ledger->parent);
	}
}

/**
 * phi_ledger_short() - find a kind of which a ledger has too little
 * @ledger: The ledger, locked.
 * @amount: Amounts that are asked for.
 * @held: Amounts that are reserved for them already, or NULL.
 *
 * Context: Any but interrupts.
 * Return: The first such kind, or PHI_BUDGET_KINDS when there is none.
 */
u32 phi_ledger_short(const struct phi_ledger *ledger, const u64 *amount,
		     const u64 *held)
{
	u32 i;

	lockdep_assert_held(&ledger->root->lock);
	for (i = 0; i < PHI_BUDGET_KINDS; i++) {
		u64 had = held ? held[i] : 0;

		if (amount[i] > had &&
		    amount[i] - had > phi_amounts_free(&ledger->kinds[i]))
			break;
	}
	return i;
}
