/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
#ifndef _PHI_BUDGET_H
#define _PHI_BUDGET_H

#include <phi/base.h>

/**
 * DOC: Budgets
 *
 * A budget has an amount of each kind. A budget without a parent has the amounts
 * that its maker names; a budget with a parent takes its amounts out of what
 * the parent has free, so all that is spent below a budget together can never
 * be more than its amounts. Free is what is not reserved, spent or given to
 * budgets below.
 *
 * Spending has two steps: BUDGET_RESERVE takes amounts out of what is free,
 * all or nothing, and BUDGET_SETTLE turns what was used of them into spent and
 * the rest into free. A reservation belongs to the cspace that made it; its end
 * cancels it. The module does both by itself for agents that AGENT_CHARGE gave a
 * budget, see agent.h.
 *
 * When the last live capability of a budget is dropped or revoked, what it has
 * free goes back to its parent in that call; what is reserved does so when it is
 * settled, and what is spent stays spent.
 */

/* Kinds of amounts. */
#define PHI_BUDGET_CALLS 0 /* calls */
#define PHI_BUDGET_MOVED 1 /* bytes moved */
#define PHI_BUDGET_KEPT 2 /* bytes kept */
#define PHI_BUDGET_UNIT 3 /* nanoseconds of execution units */
#define PHI_BUDGET_TOKENS 4 /* tokens of models */
#define PHI_BUDGET_MONEY 5 /* millionths of the unit of currency */
#define PHI_BUDGET_SPAWNS 6 /* agents spawned */
#define PHI_BUDGET_KINDS 7

/* Highest amount; a higher one, as a negative number is, is EINVAL. */
#define PHI_BUDGET_MAX 0x7fffffffffffffffULL

/**
 * struct phi_budget_create - ioctl(PHI_IOC_BUDGET_CREATE)
 * @size: sizeof(struct phi_budget_create).
 * @flags: Must be 0.
 * @parent: BUDGET handle with ADMIN to take the amounts from; 0 = none.
 * @amount: Amounts, by PHI_BUDGET_*.
 * @cap: Out, BUDGET handle with READ, WRITE, ADMIN and GRANT. It dies with that
 *       of @parent.
 *
 * Fails with EDQUOT when @parent has less free of one kind, and takes nothing;
 * with ELOOP when @parent is PHI_DEPTH_MAX deep.
 */
struct phi_budget_create {
	__u32 size;
	__u32 flags;
	__aligned_u64 parent;
	__aligned_u64 amount[PHI_BUDGET_KINDS];
	__aligned_u64 cap;
};

#define PHI_IOC_BUDGET_CREATE _IO(PHI_IOC_MAGIC, 0x66)

/**
 * struct phi_budget_query - ioctl(PHI_IOC_BUDGET_QUERY)
 * @size: sizeof(struct phi_budget_query).
 * @flags: Must be 0.
 * @budget: BUDGET handle with READ.
 * @amount: Out, amounts, by PHI_BUDGET_*.
 * @reserved: Out, reserved and not settled.
 * @spent: Out, settled, also by budgets below that have ended.
 * @given: Out, given to budgets below.
 *
 * All are of one moment.
 */
struct phi_budget_query {
	__u32 size;
	__u32 flags;
	__aligned_u64 budget;
	__aligned_u64 amount[PHI_BUDGET_KINDS];
	__aligned_u64 reserved[PHI_BUDGET_KINDS];
	__aligned_u64 spent[PHI_BUDGET_KINDS];
	__aligned_u64 given[PHI_BUDGET_KINDS];
};

#define PHI_IOC_BUDGET_QUERY _IO(PHI_IOC_MAGIC, 0x67)

/**
 * struct phi_budget_reserve - ioctl(PHI_IOC_BUDGET_RESERVE)
 * @size: sizeof(struct phi_budget_reserve).
 * @flags: Must be 0.
 * @budget: BUDGET handle with WRITE.
 * @amount: Amounts, by PHI_BUDGET_*.
 * @reservation: Out, its number in this cspace, never 0.
 *
 * Take amounts out of what is free. Fails with EDQUOT when less is free of one
 * kind, and takes nothing. A reservation counts as an object of the caller.
 */
struct phi_budget_reserve {
	__u32 size;
	__u32 flags;
	__aligned_u64 budget;
	__aligned_u64 amount[PHI_BUDGET_KINDS];
	__aligned_u64 reservation;
};

#define PHI_IOC_BUDGET_RESERVE _IO(PHI_IOC_MAGIC, 0x68)

/**
 * struct phi_budget_settle - ioctl(PHI_IOC_BUDGET_SETTLE)
 * @size: sizeof(struct phi_budget_settle).
 * @flags: Must be 0.
 * @reservation: Number from BUDGET_RESERVE, else ENOENT.
 * @amount: Amounts used; all 0 cancels the reservation.
 *
 * End a reservation: @amount is spent, and the rest of the reservation is
 * free. When more was used than reserved, the difference comes out of what is
 * free; when that is less, EDQUOT, and the reservation stays as it is, as it
 * does with EINVAL. A reservation can be settled after its budget was revoked,
 * but for no more than was reserved: EKEYREVOKED when the capability that it
 * was made with was revoked, dropped or moved, EKEYEXPIRED when it has expired.
 */
struct phi_budget_settle {
	__u32 size;
	__u32 flags;
	__aligned_u64 reservation;
	__aligned_u64 amount[PHI_BUDGET_KINDS];
};

#define PHI_IOC_BUDGET_SETTLE _IO(PHI_IOC_MAGIC, 0x69)

/**
 * struct phi_budget_grant - ioctl(PHI_IOC_BUDGET_GRANT)
 * @size: sizeof(struct phi_budget_grant).
 * @flags: Must be 0.
 * @budget: BUDGET handle with READ.
 * @parent: BUDGET handle with ADMIN to the budget that @budget was made from,
 *          else EINVAL. For a budget without a parent: @budget, with ADMIN, by
 *          the user that made it, else EPERM.
 * @amount: Amounts to add, by PHI_BUDGET_*.
 *
 * Raise the amounts of a budget by what comes out of its parent. Fails with
 * EDQUOT when @parent has less free of one kind, and with EINVAL when an amount
 * would exceed PHI_BUDGET_MAX; both change nothing.
 */
struct phi_budget_grant {
	__u32 size;
	__u32 flags;
	__aligned_u64 budget;
	__aligned_u64 parent;
	__aligned_u64 amount[PHI_BUDGET_KINDS];
};

#define PHI_IOC_BUDGET_GRANT _IO(PHI_IOC_MAGIC, 0x6a)

/**
 * struct phi_budget_watch - ioctl(PHI_IOC_BUDGET_WATCH)
 * @size: sizeof(struct phi_budget_watch).
 * @flags: Must be 0.
 * @budget: BUDGET handle with ADMIN.
 * @notify: NOTIFY handle with WRITE; 0 ends the watch.
 * @low: Bits to signal when 80 % of an amount are not free any more.
 * @spent: Bits to signal when nothing of an amount is free any more.
 *
 * A budget has one watch; another one replaces it. It signals when an amount
 * comes to the mark, and again when it went below and comes back; not for
 * amounts of 0, nor for marks that were reached before. It ends when the
 * capability of @notify is dropped, moved or dies. EINVAL when no bit is set
 * with @notify, or one without.
 */
struct phi_budget_watch {
	__u32 size;
	__u32 flags;
	__aligned_u64 budget;
	__aligned_u64 notify;
	__aligned_u64 low;
	__aligned_u64 spent;
};

#define PHI_IOC_BUDGET_WATCH _IO(PHI_IOC_MAGIC, 0x6b)

#endif /* _PHI_BUDGET_H */
