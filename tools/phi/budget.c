// SPDX-License-Identifier: GPL-2.0-only
/* Budgets: amounts that agents may spend. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "out.h"

static const char *const kind_words[PHI_BUDGET_KINDS] = {
	[PHI_BUDGET_CALLS] = "calls",	[PHI_BUDGET_MOVED] = "moved",
	[PHI_BUDGET_KEPT] = "kept",	[PHI_BUDGET_UNIT] = "unit",
	[PHI_BUDGET_TOKENS] = "tokens", [PHI_BUDGET_MONEY] = "money",
	[PHI_BUDGET_SPAWNS] = "spawns",
};

static const char hint[] =
	"phi why names the kind and the budget that has too little";

const char *budget_name(unsigned int kind)
{
	return kind < PHI_BUDGET_KINDS ? kind_words[kind] : "unknown";
}

/* Read operands from @i on: calls=100 tokens=2K. */
static int amounts(struct args *args, int i, uint64_t *amount)
{
	char word[16];
	unsigned int kind;
	size_t len;

	memset(amount, 0, PHI_BUDGET_KINDS * sizeof(*amount));
	for (; i < args->n; i++) {
		const char *text = args->operand[i];

		len = strcspn(text, "=");
		for (kind = 0; kind < PHI_BUDGET_KINDS; kind++) {
			if (strlen(kind_words[kind]) == len &&
			    !strncmp(kind_words[kind], text, len))
				break;
		}
		if (kind == PHI_BUDGET_KINDS || !text[len])
			return usage_error(
				args,
				"'%s' is no amount like calls=100; kinds are calls, moved, kept, unit, tokens, money and spawns",
				text);
		snprintf(word, sizeof(word), "%s", kind_words[kind]);
		if (args_u64(args, word, text + len + 1, PHI_BUDGET_MAX,
			     &amount[kind]))
			return EXIT_USAGE;
	}
	return EXIT_OK;
}

static int create(struct args *args)
{
	uint64_t amount[PHI_BUDGET_KINDS];
	uint64_t parent = 0, cap;
	int ret;

	if (option_u64(args, "parent", UINT64_MAX, &parent) ||
	    amounts(args, 0, amount))
		return EXIT_USAGE;
	quota_hides(hint);
	ret = phi_budget_create(args->phi, parent, amount, &cap);
	if (ret)
		return fail(ret, "make a budget");
	out_handle("cap", cap);
	out_only();
	return out_end();
}

static int show(struct args *args)
{
	struct phi_budget_query q;
	unsigned int kind;
	uint64_t budget;
	int ret;

	if (args_handle(args, 0, &budget))
		return EXIT_USAGE;
	ret = phi_budget_query(args->phi, budget, &q);
	if (ret)
		return fail(ret, "read the budget");
	out_table("budget", "none");
	for (kind = 0; kind < PHI_BUDGET_KINDS; kind++) {
		out_row();
		out_str("of", kind_words[kind]);
		out_u64("amount", q.amount[kind]);
		out_u64("spent", q.spent[kind]);
		out_u64("reserved", q.reserved[kind]);
		out_u64("given", q.given[kind]);
		out_u64("free", q.amount[kind] - q.spent[kind] -
					q.reserved[kind] - q.given[kind]);
		out_close();
	}
	out_close();
	return out_end();
}

static int grant(struct args *args)
{
	uint64_t amount[PHI_BUDGET_KINDS];
	uint64_t budget, parent;
	int ret;

	if (args_handle(args, 0, &budget))
		return EXIT_USAGE;
	parent = budget;
	if (option_u64(args, "parent", UINT64_MAX, &parent) ||
	    amounts(args, 1, amount))
		return EXIT_USAGE;
	quota_hides(hint);
	ret = phi_budget_grant(args->phi, budget, parent, amount);
	return ret ? fail(ret, "raise the budget") : EXIT_OK;
}

static int reserve(struct args *args)
{
	uint64_t amount[PHI_BUDGET_KINDS];
	uint64_t budget, number;
	int ret;

	if (args_handle(args, 0, &budget) || amounts(args, 1, amount))
		return EXIT_USAGE;
	quota_hides(hint);
	ret = phi_budget_reserve(args->phi, budget, amount, &number);
	if (ret)
		return fail(ret, "take the amounts");
	out_u64("reservation", number);
	out_only();
	return out_end();
}

static int settle(struct args *args)
{
	uint64_t amount[PHI_BUDGET_KINDS];
	uint64_t number;
	int ret;

	if (args_u64(args, "number", args->operand[0], UINT64_MAX, &number) ||
	    amounts(args, 1, amount))
		return EXIT_USAGE;
	quota_hides(hint);
	ret = phi_budget_settle(args->phi, number, amount);
	return ret ? fail(ret, "end the reservation") : EXIT_OK;
}

static int watch(struct args *args)
{
	uint64_t budget, notify = 0, low = 0, spent = 0;
	int ret;

	if (args_handle(args, 0, &budget) ||
	    (args->n > 1 && args_handle(args, 1, &notify)) ||
	    option_u64(args, "low", UINT64_MAX, &low) ||
	    option_u64(args, "spent", UINT64_MAX, &spent))
		return EXIT_USAGE;
	ret = phi_budget_watch(args->phi, budget, notify, low, spent);
	return ret ? fail(ret, "signal when it runs low") : EXIT_OK;
}

static const struct verb verbs[] = {
	{ "create", create, "[KIND=AMOUNT]... [--parent BUDGET]",
	  "make a budget, out of its parent's or of your own", HANDLES },
	{ "show", show, "BUDGET", "show what it has, and where that is",
	  HANDLES },
	{ "query", show, "BUDGET", "the same as show", HANDLES },
	{ "grant", grant, "BUDGET KIND=AMOUNT... [--parent BUDGET]",
	  "add to a budget, out of its parent", HANDLES },
	{ "reserve", reserve, "BUDGET KIND=AMOUNT...",
	  "take amounts, until they are settled", HANDLES },
	{ "settle", settle, "RESERVATION [KIND=AMOUNT]...",
	  "say what was used of them; nothing cancels", HANDLES },
	{ "watch", watch, "BUDGET [NOTIFY] [--low BITS] [--spent BITS]",
	  "signal bits at 80 % and at 100 %", HANDLES },
	{ 0 },
};

const struct noun budget_noun = {
	.name = "budget",
	.help = "amounts that may be spent: calls, bytes, tokens, money",
	.verbs = verbs,
};
