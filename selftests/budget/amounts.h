/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _SELFTESTS_AMOUNTS_H
#define _SELFTESTS_AMOUNTS_H

#include "phi_message.h"

#define CALLS PHI_BUDGET_CALLS
#define TOKENS PHI_BUDGET_TOKENS

static inline int do_budget(int phi, uint64_t parent, uint64_t calls,
			    uint64_t tokens, uint64_t *cap)
{
	struct phi_budget_create arg = { .parent = parent };
	int ret;

	arg.amount[CALLS] = calls;
	arg.amount[TOKENS] = tokens;
	ret = PHI_DO(phi, BUDGET_CREATE, &arg);
	*cap = arg.cap;
	return ret;
}

static inline int do_reserve(int phi, uint64_t budget, uint64_t calls,
			     uint64_t tokens, uint64_t *reservation)
{
	struct phi_budget_reserve arg = { .budget = budget };
	int ret;

	arg.amount[CALLS] = calls;
	arg.amount[TOKENS] = tokens;
	ret = PHI_DO(phi, BUDGET_RESERVE, &arg);
	*reservation = arg.reservation;
	return ret;
}

static inline int do_settle(int phi, uint64_t reservation, uint64_t calls,
			    uint64_t tokens)
{
	struct phi_budget_settle arg = { .reservation = reservation };

	arg.amount[CALLS] = calls;
	arg.amount[TOKENS] = tokens;
	return PHI_DO(phi, BUDGET_SETTLE, &arg);
}

static inline int do_grant_of(int phi, uint64_t budget, uint64_t parent,
			      uint64_t calls)
{
	struct phi_budget_grant arg = { .budget = budget, .parent = parent };

	arg.amount[CALLS] = calls;
	return PHI_DO(phi, BUDGET_GRANT, &arg);
}

static inline int do_watch_of(int phi, uint64_t budget, uint64_t notify,
			      uint64_t low, uint64_t spent)
{
	struct phi_budget_watch arg = {
		.budget = budget,
		.notify = notify,
		.low = low,
		.spent = spent,
	};

	return PHI_DO(phi, BUDGET_WATCH, &arg);
}

/* Compare the accounts of a kind; prints what differs. */
static inline bool has(int phi, uint64_t budget, unsigned int kind,
		       uint64_t amount, uint64_t reserved, uint64_t spent,
		       uint64_t given)
{
	struct phi_budget_query q = { .budget = budget };
	int ret = PHI_DO(phi, BUDGET_QUERY, &q);

	if (!ret && q.amount[kind] == amount && q.reserved[kind] == reserved &&
	    q.spent[kind] == spent && q.given[kind] == given)
		return true;
	printf("# %d: amount %llu, reserved %llu, spent %llu, given %llu\n",
	       ret, (unsigned long long)q.amount[kind],
	       (unsigned long long)q.reserved[kind],
	       (unsigned long long)q.spent[kind],
	       (unsigned long long)q.given[kind]);
	return false;
}

/* The bits that are set, which are taken. */
static inline uint64_t bits_of(int phi, uint64_t notify)
{
	uint64_t bits;

	return do_bits(phi, notify, ~0ULL, &bits) ? 0 : bits;
}

#endif /* _SELFTESTS_AMOUNTS_H */
