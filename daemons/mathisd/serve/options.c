// SPDX-License-Identifier: GPL-2.0-only
/* The command line of mathisd. */
#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "serve_impl.h"

#define MANIFESTS "/etc/phi/mathisd"

static const struct option rows[] = { { "manifests", required_argument, NULL,
					'm' },
				      {} };

static const char help[] =
	"usage: mathisd [OPTION ...]\n"
	"  -m, --manifests DIR      rights of users: DIR/NAME.json, and\n"
	"                           DIR/default.json of all others (" MANIFESTS
	")\n"
	"  -M, --metrics FILE       write figures there for Prometheus\n"
	"  -p, --publish DIR        write a token to DIR/" TOKEN_NAME
	".token\n" OPTIONS_HELP;

static int set(void *own, int c, char *text)
{
	struct server_options *o = own;

	if (c == 'm')
		o->manifests = text;
	else if (c == 'M' && *text == '/')
		o->metrics = text;
	else
		return -EINVAL;
	return 0;
}

static const struct options_table table = {
	.name = "mathisd",
	.version = PHI_VERSION,
	.rows = rows,
	.help = help,
	.set = set,
};

/**
 * mathisd_options_read() - read the command line
 * @argc: Its length.
 * @argv: Its words, which the options point into.
 * @o: Out.
 *
 * Context: Main thread.
 * Return: As options_read().
 */
int mathisd_options_read(int argc, char **argv, struct server_options *o)
{
	memset(o, 0, sizeof(*o));
	o->manifests = MANIFESTS;
	return options_read(argc, argv, &table, &o->common, o);
}
