// SPDX-License-Identifier: GPL-2.0-only
/*
 * The command line's rights: two options for each right of the dispatcher, and
 * two for all of them.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <core/rights.h>

#include "rights.h"

#define NAME_BYTES 48
#define FIRST 256 /* no letter has the value of an option */

/* Names of the options, even ones allow, odd ones deny; the last two: all. */
static char names[RIGHTS_OPTIONS][NAME_BYTES];
static size_t n_names;

static void add_name(const char *right)
{
	static const char *const ways[] = { "allow", "deny" };

	for (int i = 0; i < 2 && n_names < RIGHTS_OPTIONS - FIRST; i++)
		snprintf(names[n_names++], NAME_BYTES, "%s-%s", ways[i], right);
}

void rights_options(struct option *options, const struct option *others,
		    size_t n)
{
	const struct md_right *all;
	size_t n_rights;

	all = md_rights_all(&n_rights);
	n_names = 0;
	for (size_t i = 0; i < n_rights; i++)
		add_name(all[i].name);
	add_name("all");
	for (size_t i = 0; i < n_names; i++)
		*options++ = (struct option){ names[i], optional_argument, NULL,
					      FIRST + (int)i };
	memcpy(options, others, n * sizeof(*others));
	memset(options + n, 0, sizeof(*options));
}

int rights_set(struct md_rights *rights, int opt, const char *params)
{
	const char *name;
	int ret;

	/* getopt_long() has said what is wrong. */
	if (opt < FIRST || (size_t)(opt - FIRST) >= n_names)
		return -EINVAL;
	name = names[opt - FIRST];
	ret = md_rights_add(rights, opt % 2, strchr(name, '-') + 1, params);
	if (ret)
		fprintf(stderr, "mathis: --%s%s%s: %s\n", name,
			params ? "=" : "", params ?: "",
			ret == -EINVAL ? "it takes no such parameter" :
					 strerror(-ret));
	return ret ? -EINVAL : 0;
}
