// SPDX-License-Identifier: GPL-2.0-only
/* Everything at a glance. */
#include <errno.h>
#include <string.h>
#include <sys/utsname.h>

#include "cli.h"
#include "out.h"
#include "policy.h"

static int status(struct args *args)
{
	struct phi_system_stats stats;
	struct phi_system_info info;
	struct utsname host;
	int ret;

	ret = phi_system_info(args->phi, &info);
	if (ret)
		return fail(ret, "ask the module for its version");
	ret = phi_system_stats(args->phi, &stats);
	if (ret)
		return fail(ret, "ask the module for its figures");

	uname(&host);
	out_str("module", "loaded");
	out_str("kernel", host.release);
	system_info_fields(&info);
	system_stats_fields(&stats);
	ret = unit_table(args->phi);
	if (ret)
		return fail(ret, "list the units");
	ret = model_table(args->phi);
	if (ret)
		return fail(ret, "list the models");
	policy_table();
	return out_end();
}

static const struct verb verbs[] = {
	{ "", status, "",
	  "show the module, objects, quotas, units, models and policies",
	  VERB_PHI },
	{ 0 },
};

const struct noun status_noun = {
	.name = "status",
	.help = "the module, objects, quotas, units, models and policies",
	.verbs = verbs,
};
