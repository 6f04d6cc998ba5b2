/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PHI_HOLD_H
#define _PHI_HOLD_H

#include <linux/types.h>

struct phi_cap;
struct phi_cspace;
struct phi_ledger;
struct phi_refusal;

/**
 * struct phi_hold - a capability that a call takes amounts through
 * @cs: The caller's cspace.
 * @handle: The handle.
 * @cap: The capability, pinned; NULL for amounts that come from nowhere.
 */
struct phi_hold {
	struct phi_cspace *cs;
	u64 handle;
	const struct phi_cap *cap;
};

int phi_hold_gone(struct phi_refusal *why, u64 handle, int error);
int phi_hold_check(const struct phi_hold *hold, struct phi_refusal *why);
int phi_hold_short(const struct phi_hold *hold, const struct phi_ledger *ledger,
		   const u64 *amount, const u64 *held, struct phi_refusal *why);

#endif /* _PHI_HOLD_H */
