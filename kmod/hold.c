// SPDX-License-Identifier: GPL-2.0-only
/*
 * Capabilities that calls must have until they have changed a budget.
 */

#include "cspace.h"
#include "decision.h"
#include "hold.h"
#include "ledger.h"

/**
 * phi_hold_gone() - tell why a capability leads nowhere any more
 * @why: Out, the reason.
 * @handle: Its handle.
 * @error: -EBADF, -EKEYREVOKED or -EKEYEXPIRED.
 *
 * Context: Any.
 * Return: @error.
 */
int phi_hold_gone(struct phi_refusal *why, u64 handle, int error)
{
	*why = (struct phi_refusal){
		.where = error == -EBADF       ? PHI_DECIDED_HANDLE :
			 error == -EKEYEXPIRED ? PHI_DECIDED_EXPIRED :
						 PHI_DECIDED_REVOKED,
		.types = PHI_TYPES(BUDGET),
		.handle = handle,
		.named = true,
	};
	return error;
}

/**
 * phi_hold_check() - has a call still its capability?
 * @hold: The capability.
 * @why: Out with an error, the reason.
 *
 * Context: Under the lock that ops->dead and ops->removed of a budget take.
 * Return: 0, -EBADF, -EKEYREVOKED or -EKEYEXPIRED.
 */
int phi_hold_check(const struct phi_hold *hold, struct phi_refusal *why)
{
	int ret;

	if (!hold->cap)
		return 0;
	ret = phi_cspace_holds(hold->cs, hold->handle, hold->cap) ?
		      phi_cap_live(hold->cap) :
		      -EBADF;
	return ret ? phi_hold_gone(why, hold->handle, ret) : 0;
}

/**
 * phi_hold_short() - has a ledger too little for a call?
 * @hold: The capability to it.
 * @ledger: The ledger, locked.
 * @amount: Amounts that are asked for.
 * @held: Amounts that are reserved for them already, or NULL.
 * @why: Out with an error, the reason. It tells how much there is only where
 *       the capability has READ.
 *
 * Context: Any but interrupts.
 * Return: 0 or -EDQUOT.
 */
int phi_hold_short(const struct phi_hold *hold, const struct phi_ledger *ledger,
		   const u64 *amount, const u64 *held, struct phi_refusal *why)
{
	u32 i = phi_ledger_short(ledger, amount, held);
	const struct phi_amounts *kind;

	if (i >= PHI_BUDGET_KINDS)
		return 0;
	*why = (struct phi_refusal){
		.where = PHI_DECIDED_BUDGET,
		.type = PHI_TYPE_BUDGET,
		.kind = i,
		.owner = ledger->uid,
		.handle = hold->handle,
		.named = true,
		.asked = amount[i],
	};
	if (hold->cap->rights & PHI_RIGHT_READ) {
		kind = &ledger->kinds[i];
		why->used = kind->amount - phi_amounts_free(kind) -
			    (held ? held[i] : 0);
		why->limit = kind->amount;
	}
	return -EDQUOT;
}
