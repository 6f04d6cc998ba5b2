// SPDX-License-Identifier: GPL-2.0-only
/* The module: its version, and what exists. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "out.h"

#define BAR 20

static const struct {
	uint64_t bit;
	const char *name;
} features[] = {
	{ PHI_FEATURE_URING, "uring" },
	{ PHI_FEATURE_KFUNC, "kfunc" },
	{ PHI_FEATURE_SCHED_EXT, "sched_ext" },
};

void system_info_fields(const struct phi_system_info *info)
{
	size_t i;

	out_u64("abi", info->abi);
	out_u64("calls", info->calls);
	out_section("features");
	for (i = 0; i < ARRAY_SIZE(features); i++)
		out_bool(features[i].name, info->features & features[i].bit);
	out_close();
}

static void bar(char *text, uint64_t used, uint64_t limit)
{
	uint64_t full = limit ? (uint64_t)((double)used / (double)limit * BAR) :
				0;
	uint64_t i;

	/* Show at least one mark when anything is used. */
	if (used && !full)
		full = 1;
	if (full > BAR)
		full = BAR;
	for (i = 0; i < BAR; i++)
		text[i] = i < full ? '#' : '.';
	text[BAR] = '\0';
}

void system_stats_fields(const struct phi_system_stats *stats)
{
	char text[BAR + 1];
	unsigned int i;

	out_section("objects");
	out_u64("all", stats->objects[0]);
	for (i = 1; i <= PHI_TYPE_AGENT; i++) {
		if (stats->objects[i] || out_json)
			out_u64(type_name(i), stats->objects[i]);
	}
	out_u64("cspaces", stats->cspaces);
	out_close();

	out_table("quotas", "none");
	for (i = 0; i < PHI_QUOTAS; i++) {
		out_row();
		out_str("of", quota_name(i));
		out_u64("used", stats->used[i]);
		out_u64("limit", stats->limit[i]);
		if (out_json) {
			out_u64("quota", stats->quota[i]);
			out_u64("all_used", stats->host_used[i]);
			out_u64("all_limit", stats->host_limit[i]);
		} else {
			bar(text, stats->used[i], stats->limit[i]);
			out_str("share", text);
		}
		out_close();
	}
	out_close();
}

static int system_info(struct args *args)
{
	struct phi_system_info info;
	int ret = phi_system_info(args->phi, &info);

	if (ret)
		return fail(ret, "ask the module for its version");
	system_info_fields(&info);
	return out_end();
}

static int system_stats(struct args *args)
{
	struct phi_system_stats stats;
	int ret = phi_system_stats(args->phi, &stats);

	if (ret)
		return fail(ret, "ask the module for its figures");
	system_stats_fields(&stats);
	return out_end();
}

static const struct verb verbs[] = {
	{ "info", system_info, "", "version and features of the module",
	  VERB_PHI },
	{ "stats", system_stats, "",
	  "objects on the host, and the quotas of this user", VERB_PHI },
	{ 0 },
};

const struct noun system_noun = {
	.name = "system",
	.help = "the module: version, features, objects, quotas",
	.verbs = verbs,
};
