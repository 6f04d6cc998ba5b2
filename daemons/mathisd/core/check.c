// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hold calls against their rows of calls.def.
 */
#include <stdio.h>
#include <stdlib.h>

#include "call.h"
#include "check.h"
#include "core.h"
#include "session.h"

static int check_count(struct md_call *c)
{
	const struct md_row *row = c->row;

	if (c->argc >= row->min && c->argc <= row->max)
		return MD_DONE;
	if (row->min == row->max)
		return md_fail(c, MATHIS_ARITY, "takes %u values, not %u",
			       row->min, c->argc);
	return md_fail(c, MATHIS_ARITY, "takes %u to %u values, not %u",
		       row->min, row->max, c->argc);
}

static int check_types(struct md_call *c)
{
	const struct md_type *t = c->row->args;
	struct md_misfit misfit;

	for (unsigned int i = 0; t; t = t->next, i++) {
		struct mathis_item *arg = &c->args[i];

		if (t->missing && arg->kind == MATHIS_NONE)
			*arg = t->value;
		else if (!md_type_fits(t, arg, &misfit))
			return md_fail(c, misfit.code, "argument %u: %s", i + 1,
				       misfit.text);
	}
	return MD_DONE;
}

int md_check_args(struct md_call *c)
{
	const char *right = c->row ? c->row->info->right : "";

	if (!c->row)
		return md_fail(c, MATHIS_BAD_SYSCALL, "nothing serves it");
	if (*right && !md_rights_any(&c->session->rights, right))
		return md_deny(c, right, NULL);
	if (check_count(c) || check_types(c))
		return MD_FAILED;
	if (!c->row->function)
		return md_fail(c, MATHIS_BAD_OPERATION,
			       "only a machine makes it");
	return MD_DONE;
}

void md_check_result(const struct md_call *c)
{
	struct md_misfit misfit;

	if (md_type_fits(c->row->result, &c->result, &misfit))
		return;
	fprintf(stderr, "mathisd: %s: the result: %s\n", c->row->info->name,
		misfit.text);
	abort();
}
