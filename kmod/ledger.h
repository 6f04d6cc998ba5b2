/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PHI_LEDGER_H
#define _PHI_LEDGER_H

#include <linux/cleanup.h>
#include <linux/kref.h>
#include <linux/rcupdate.h>
#include <linux/spinlock.h>
#include <phi/budget.h>

#include "cap.h"

/**
 * struct phi_amounts - one account of a ledger
 * @amount: Of the ledger, in all.
 * @reserved: Of it, in reservations.
 * @spent: Of it, spent.
 * @given: Of it, in ledgers below.
 *
 * The sum of the last three is at most @amount, which is at most
 * PHI_BUDGET_MAX.
 */
struct phi_amounts {
	u64 amount;
	u64 reserved;
	u64 spent;
	u64 given;
};

/**
 * struct phi_ledger - the accounts of a budget
 * @ref: The budget, reservations, and ledgers below.
 * @lock: In a root: guards all of the tree.
 * @root: The topmost one; itself for a root.
 * @parent: The one above, referenced; NULL for a root.
 * @uid: The user that made it.
 * @kinds: The accounts, by PHI_BUDGET_*.
 * @closed: The budget is gone: what gets free belongs to @parent.
 * @notify: Stub of the notify to signal, referenced; NULL = none.
 * @notify_id: Its number then.
 * @low: Bits at 80 %.
 * @out: Bits at 100 %.
 * @is_low: Kinds that are at 80 %, bit by kind.
 * @is_out: Kinds that are at 100 %.
 * @rcu: Frees it.
 *
 * A ledger outlives its budget as long as it has reservations or ledgers below.
 */
struct phi_ledger {
	struct kref ref;
	spinlock_t lock; /* leaf; see main.h */
	struct phi_ledger *root;
	struct phi_ledger *parent;
	kuid_t uid;
	struct phi_amounts kinds[PHI_BUDGET_KINDS];
	bool closed;
	struct phi_cap *notify;
	u64 notify_id;
	u64 low;
	u64 out;
	u8 is_low;
	u8 is_out;
	struct rcu_head rcu;
};

/**
 * struct phi_alarm - bits to signal when the lock is free
 * @notify: Stub of the notify, referenced; NULL = none.
 * @id: Its number when the watch was made.
 * @bits: The bits.
 */
struct phi_alarm {
	struct phi_cap *notify;
	u64 id;
	u64 bits;
};

/**
 * phi_ledger_lock() - lock the tree of a ledger
 * @ledger: Any ledger of it, referenced.
 *
 * Context: Any but interrupts.
 */
static inline void phi_ledger_lock(struct phi_ledger *ledger)
{
	spin_lock(&ledger->root->lock);
}

/**
 * phi_ledger_unlock() - unlock the tree of a ledger
 * @ledger: As for phi_ledger_lock().
 *
 * Context: Any but interrupts.
 */
static inline void phi_ledger_unlock(struct phi_ledger *ledger)
{
	spin_unlock(&ledger->root->lock);
}

DEFINE_LOCK_GUARD_1(phi_ledger, struct phi_ledger, phi_ledger_lock(_T->lock),
		    phi_ledger_unlock(_T->lock))

/**
 * phi_amounts_free() - the part of an amount that can be reserved or given
 * @kind: The account, locked.
 *
 * Context: Any.
 * Return: How much.
 */
static inline u64 phi_amounts_free(const struct phi_amounts *kind)
{
	return kind->amount - kind->reserved - kind->spent - kind->given;
}

/* The accounts of the budget that a capability names; kmod/budget.c. */
struct phi_ledger *phi_ledger_of(const struct phi_cap *cap);

struct phi_ledger *phi_ledger_new(kuid_t uid, struct phi_ledger *parent);
void phi_ledger_put(struct phi_ledger *ledger);
u32 phi_ledger_short(const struct phi_ledger *ledger, const u64 *amount,
		     const u64 *held);
void phi_ledger_back(struct phi_ledger *ledger, u32 i, u64 n);
u64 phi_ledger_marks(struct phi_ledger *ledger);
struct phi_alarm phi_ledger_alarm(struct phi_ledger *ledger);
void phi_alarm_again(struct phi_alarm *alarm, struct phi_ledger *ledger);
void phi_alarm_ring(const struct phi_alarm *alarm);

#endif /* _PHI_LEDGER_H */
