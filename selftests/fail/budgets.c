// SPDX-License-Identifier: GPL-2.0-only
/*
 * Scenes of the calls on budgets.
 */

#include "scene.h"

SET(budget_create, budget_create)
{
	arg->amount[PHI_BUDGET_CALLS] = 10;
}

/* A budget to work on, in the place of the notify. */
static int make_budget(struct stage *s)
{
	struct phi_budget_create arg = { .amount = { 10 } };
	int ret = PHI_DO(s->phi, BUDGET_CREATE, &arg);

	s->ticket = arg.cap;
	return ret;
}

/* What the budget has reserved and spent of calls. */
static bool has_calls(struct stage *s, uint64_t reserved, uint64_t spent)
{
	struct phi_budget_query arg = { .budget = s->ticket };

	return !PHI_DO(s->phi, BUDGET_QUERY, &arg) &&
	       arg.reserved[PHI_BUDGET_CALLS] == reserved &&
	       arg.spent[PHI_BUDGET_CALLS] == spent;
}

SET(below, budget_create)
{
	arg->parent = s->ticket;
	arg->amount[PHI_BUDGET_CALLS] = 10;
}

static int set_budget_below(struct stage *s)
{
	return make_budget(s) ?: set_below(s);
}

SET(read_budget, budget_query)
{
	arg->budget = s->ticket;
}

static int set_budget_query(struct stage *s)
{
	return make_budget(s) ?: set_read_budget(s);
}

SET(reserve, budget_reserve)
{
	arg->budget = s->ticket;
	arg->amount[PHI_BUDGET_CALLS] = 10;
}

static int set_budget_reserve(struct stage *s)
{
	return make_budget(s) ?: set_reserve(s);
}

static bool seen_budget_reserve(struct stage *s)
{
	return has_calls(s, 10, 0);
}

SET(settle, budget_settle)
{
	arg->amount[PHI_BUDGET_CALLS] = 4;
}

static int set_budget_settle(struct stage *s)
{
	struct phi_budget_reserve arg = { .amount = { 10 } };
	struct phi_budget_settle *settle = (void *)s->arg;
	int ret = make_budget(s);

	arg.budget = s->ticket;
	ret = ret ?: PHI_DO(s->phi, BUDGET_RESERVE, &arg);
	ret = ret ?: set_settle(s);
	settle->reservation = arg.reservation;
	return ret;
}

static bool seen_budget_settle(struct stage *s)
{
	return has_calls(s, 0, 4);
}

SET(raise, budget_grant)
{
	arg->budget = s->ticket;
	arg->parent = s->ticket;
	arg->amount[PHI_BUDGET_CALLS] = 1;
}

static int set_budget_grant(struct stage *s)
{
	return make_budget(s) ?: set_raise(s);
}

SET(listen, budget_watch)
{
	arg->budget = s->ticket;
	arg->notify = s->notify;
	arg->low = 5;
}

static int set_budget_watch(struct stage *s)
{
	return make_budget(s) ?: set_listen(s);
}

static bool seen_budget_watch(struct stage *s)
{
	struct phi_budget_reserve arg = { .budget = s->ticket,
					  .amount = { 9 } };

	return !PHI_DO(s->phi, BUDGET_RESERVE, &arg) && has_bits(s);
}

const struct scene budget_scenes[] = {
	SCENE(BUDGET_CREATE, budget_create),
	SCENE(BUDGET_CREATE, budget_below),
	SCENE(BUDGET_QUERY, budget_query),
	SCENE(BUDGET_RESERVE, budget_reserve, SEEN(budget_reserve)),
	SCENE(BUDGET_SETTLE, budget_settle, SEEN(budget_settle)),
	SCENE(BUDGET_GRANT, budget_grant),
	SCENE(BUDGET_WATCH, budget_watch, SEEN(budget_watch)),
	{},
};
