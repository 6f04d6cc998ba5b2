// SPDX-License-Identifier: GPL-2.0-only
/* The command line of initd. */
#include <string.h>

#include "initd.h"

static const struct option rows[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "run", required_argument, NULL, 'd' },
	{ "cgroup", required_argument, NULL, 'g' },
	{ "check", no_argument, NULL, 'C' },
	{}
};

static const char help[] =
	"usage: initd [OPTION ...]\n"
	"  -c, --config DIR         files of the services (/etc/phi/init)\n"
	"  -d, --run DIR            where its sockets are (/run/phi/init)\n"
	"  -g, --cgroup DIR         cgroup v2 directory for it and the services\n"
	"                           (the one that it was started in)\n"
	"  -C, --check              read the files, say what is wrong, and end\n"
	"  -u, --user NAME          become this user; needed for root\n"
	"  -r, --ready-fd FD        write a line there when ready\n"
	"  -v, --verbose            log what the services write\n"
	"  -V, --version            print the version\n"
	"  -h, --help               this text\n";

static int set(void *own, int c, char *text)
{
	struct init_options *o = own;

	switch (c) {
	case 'c':
		o->config = text;
		return 0;
	case 'd':
		o->run = text;
		return 0;
	case 'g':
		o->cgroup = text;
		return 0;
	default:
		o->check = true;
		return 0;
	}
}

/* Paths of sockets have to fit into their addresses. */
#define RUN_MAX 64

static const char *wrong(const void *own, const struct daemon_options *common)
{
	const struct init_options *o = own;

	if (common->publish.dir || common->publish.audience ||
	    common->publish.mode != 0644)
		return "there are no tokens to publish";
	if (*o->run != '/' || strlen(o->run) > RUN_MAX)
		return "--run is no path of at most 64 bytes that begins with '/'";
	return NULL;
}

static const struct options_table table = {
	.name = "initd",
	.version = PHI_VERSION,
	.rows = rows,
	.help = help,
	.set = set,
	.wrong = wrong,
};

/**
 * init_options_read() - read the command line
 * @argc: Its length.
 * @argv: Its words, which the options point into.
 * @o: Out.
 *
 * Context: Main thread.
 * Return: As options_read().
 */
int init_options_read(int argc, char **argv, struct init_options *o)
{
	*o = (struct init_options){ .config = "/etc/phi/init",
				    .run = "/run/phi/init" };
	return options_read(argc, argv, &table, &o->common, o);
}
