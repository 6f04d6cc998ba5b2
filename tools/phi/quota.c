// SPDX-License-Identifier: GPL-2.0-only
/* Which quota an EDQUOT of the module speaks of. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"

/* The cspace that failed, and what its call needs of each quota. */
static int asked = -1;
static uint64_t needs[PHI_QUOTAS];

/* Of a cspace being opened, which takes one object: there is none to ask. */
static const char opening[] =
	"objects: all used; drop some, or raise quota_objects or total_objects, see phi_quota(7)";

/* Of a limit that phi_system_stats() does not tell. */
static const char *hidden;

void quota_asks(int phi)
{
	asked = phi;
}

void quota_needs(unsigned int quota, uint64_t n)
{
	needs[quota] = n;
}

void quota_hides(const char *hint)
{
	hidden = hint;
}

/* Would the call exceed it? */
static bool exceeds(const struct phi_system_stats *stats, unsigned int quota)
{
	uint64_t need = needs[quota] ? needs[quota] : 1;
	uint64_t used = stats->used[quota];

	return used > stats->limit[quota] || need > stats->limit[quota] - used;
}

static double share(const struct phi_system_stats *stats, unsigned int quota)
{
	return stats->limit[quota] ? (double)stats->used[quota] /
					     (double)stats->limit[quota] :
				     1;
}

/* The one that it exceeds. Return: PHI_QUOTAS for none. */
static unsigned int exceeded(const struct phi_system_stats *stats)
{
	unsigned int i;

	for (i = 0; i < PHI_QUOTAS; i++) {
		if (exceeds(stats, i))
			break;
	}
	return i;
}

static unsigned int nearest(const struct phi_system_stats *stats)
{
	unsigned int found = 0;
	unsigned int i;

	for (i = 1; i < PHI_QUOTAS; i++) {
		if (share(stats, i) > share(stats, found))
			found = i;
	}
	return found;
}

/* As it is by default for pages, whose quota follows the total. */
static bool limited_by_total(const struct phi_system_stats *stats,
			     unsigned int quota)
{
	return stats->limit[quota] < stats->quota[quota] ||
	       stats->quota[quota] >= stats->host_limit[quota];
}

const char *quota_hint(void)
{
	static char text[256];
	struct phi_system_stats stats;
	unsigned int i;

	if (asked < 0)
		return opening;
	if (phi_system_stats(asked, &stats))
		return NULL;
	i = exceeded(&stats);
	if (i == PHI_QUOTAS && hidden)
		return hidden;
	if (i == PHI_QUOTAS)
		i = nearest(&stats);
	snprintf(
		text, sizeof(text),
		"%s: %" PRIu64 " of %" PRIu64
		" used; drop what is not needed, or raise the module parameter %s_%s, see phi_quota(7)",
		quota_name(i), (uint64_t)stats.used[i],
		(uint64_t)stats.limit[i],
		limited_by_total(&stats, i) ? "total" : "quota",
		quota_parameter(i));
	return text;
}
