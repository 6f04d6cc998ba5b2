// SPDX-License-Identifier: LGPL-2.1-or-later
/* Budgets: see uapi/phi/budget.h. */
#include "internal.h"

int phi_budget_create(int phi, uint64_t parent,
		      const uint64_t amount[PHI_BUDGET_KINDS], uint64_t *cap)
{
	struct phi_budget_create arg = {
		.size = sizeof(arg),
		.parent = parent,
	};
	int ret;

	memcpy(arg.amount, amount, sizeof(arg.amount));
	ret = phi_ioctl(phi, PHI_IOC_BUDGET_CREATE, &arg);
	if (!ret)
		*cap = arg.cap;
	return ret;
}

int phi_budget_query(int phi, uint64_t budget, struct phi_budget_query *out)
{
	struct phi_budget_query arg = {
		.size = sizeof(arg),
		.budget = budget,
	};
	int ret = phi_ioctl(phi, PHI_IOC_BUDGET_QUERY, &arg);

	if (!ret)
		*out = arg;
	return ret;
}

int phi_budget_reserve(int phi, uint64_t budget,
		       const uint64_t amount[PHI_BUDGET_KINDS],
		       uint64_t *reservation)
{
	struct phi_budget_reserve arg = {
		.size = sizeof(arg),
		.budget = budget,
	};
	int ret;

	memcpy(arg.amount, amount, sizeof(arg.amount));
	ret = phi_ioctl(phi, PHI_IOC_BUDGET_RESERVE, &arg);
	if (!ret)
		*reservation = arg.reservation;
	return ret;
}

int phi_budget_settle(int phi, uint64_t reservation,
		      const uint64_t amount[PHI_BUDGET_KINDS])
{
	struct phi_budget_settle arg = {
		.size = sizeof(arg),
		.reservation = reservation,
	};

	memcpy(arg.amount, amount, sizeof(arg.amount));
	return phi_ioctl(phi, PHI_IOC_BUDGET_SETTLE, &arg);
}

int phi_budget_cancel(int phi, uint64_t reservation)
{
	static const uint64_t none[PHI_BUDGET_KINDS];

	return phi_budget_settle(phi, reservation, none);
}

int phi_budget_grant(int phi, uint64_t budget, uint64_t parent,
		     const uint64_t amount[PHI_BUDGET_KINDS])
{
	struct phi_budget_grant arg = {
		.size = sizeof(arg),
		.budget = budget,
		.parent = parent,
	};

	memcpy(arg.amount, amount, sizeof(arg.amount));
	return phi_ioctl(phi, PHI_IOC_BUDGET_GRANT, &arg);
}

int phi_budget_watch(int phi, uint64_t budget, uint64_t notify, uint64_t low,
		     uint64_t spent)
{
	struct phi_budget_watch arg = {
		.size = sizeof(arg),
		.budget = budget,
		.notify = notify,
		.low = low,
		.spent = spent,
	};

	return phi_ioctl(phi, PHI_IOC_BUDGET_WATCH, &arg);
}
