/* SPDX-License-Identifier: GPL-2.0-only */
/* Options --allow-RIGHT and --deny-RIGHT. */
#ifndef MATHIS_RIGHTS_H
#define MATHIS_RIGHTS_H

#include <getopt.h>
#include <stddef.h>

struct md_rights;

/* Values of the options are below this; there are as many at most. */
#define RIGHTS_OPTIONS 512

/* Fill in the options for rights, then @n others, then an empty one. */
void rights_options(struct option *options, const struct option *others,
		    size_t n);
/* Add what an option says: 0, or -EINVAL, of which the reason was printed. */
int rights_set(struct md_rights *rights, int opt, const char *params);

#endif
