// SPDX-License-Identifier: GPL-2.0-only
/* The command line of vdfsd. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "options.h"
#include "serve_impl.h"
#include "worker.h"

static const struct option rows[] = {
	{ "store", required_argument, NULL, 's' },
	{ "mount", required_argument, NULL, 'm' },
	{ "quota", required_argument, NULL, 'q' },
	{ "share-content", no_argument, NULL, 'D' },
	{ "zstd", required_argument, NULL, 'z' },
	{ "remote", required_argument, NULL, 'S' },
	{ "remote-credentials", required_argument, NULL, 'C' },
	{ "remote-budget", required_argument, NULL, 'B' },
	{ "remote-ca", required_argument, NULL, 'A' },
	{ "remote-http", no_argument, NULL, 'H' },
	{ "remote-proxy", required_argument, NULL, 'P' },
	{ "remote-gc", no_argument, NULL, 'G' },
	{ "map-budget", required_argument, NULL, 'b' },
	{ "index-budget", required_argument, NULL, 'i' },
	{ "threads", required_argument, NULL, 't' },
	{ "build-threads", required_argument, NULL, 'T' },
	{ "no-phi", no_argument, NULL, 'n' },
	{ "check", no_argument, NULL, 'c' },
	{ "repair", no_argument, NULL, 'R' },
	{ "rebuild", no_argument, NULL, 'N' },
	{ "gc", no_argument, NULL, 'g' },
	{}
};

static const char help[] =
	"usage: vdfsd --store DIR [OPTION ...]\n"
	"  -s, --store DIR          directory of the store\n"
	"  -p, --publish DIR        write tokens to DIR/vdfs.token and, for readers,\n"
	"                           DIR/vdfs-read.token\n"
	"  -m, --mount DIR          mount the filesystem view there\n"
	"  -n, --no-phi             serve nothing but that, without /dev/phi\n"
	"  -q, --quota SIZE         bytes a user may store, unless set otherwise (any)\n"
	"  -D, --share-content      store once what several users have; each of them can\n"
	"                           find out what another one has\n"
	"  -z, --zstd LEVEL         compress, 1 to 19 (0: not at all)\n"
	"  -S, --remote URL         share blobs and names with other hosts, by the bucket\n"
	"                           s3://HOST[:PORT]/BUCKET[/PREFIX]\n"
	"  -C, --remote-credentials FILE\n"
	"                           its keys ($CREDENTIALS_DIRECTORY/s3)\n"
	"  -B, --remote-budget SIZE bytes of the bucket to keep here (all)\n"
	"  -A, --remote-ca FILE     PEM file of CAs that verify the server (the system's)\n"
	"  -H, --remote-http        without TLS\n"
	"  -P, --remote-proxy URL   over this proxy; the environment names none\n"
	"  -G, --remote-gc          delete blobs without a name there, and end\n"
	"  -b, --map-budget SIZE    memory for mapped blobs (a quarter of all)\n"
	"  -i, --index-budget SIZE  memory for indexes (a quarter of all)\n"
	"  -t, --threads N          calls served at once (16)\n"
	"  -T, --build-threads N    threads that build an index (one a processor)\n"
	"  -c, --check              compare all data with their hashes, and end\n"
	"  -R, --repair             ... and repair the damage where possible\n"
	"  -N, --rebuild            keep all that is stored whole and the database has\n"
	"                           lost, and end\n"
	"  -g, --gc                 delete data that nothing refers to, and end\n" OPTIONS_HELP
	"SIZE is in bytes; K, M, G and T are powers of 1024.\n";

static int set_number(struct vdfsd_options *o, int c, const char *text)
{
	uint64_t n = 0;
	int ret;

	switch (c) {
	case 'z':
		ret = options_number(text, 0, 19, &n);
		o->store_options.zstd = n;
		return ret;
	case 't':
		ret = options_number(text, 1, WORKERS_MAX, &n);
		o->threads = n;
		return ret;
	default:
		ret = options_number(text, 0, 1024, &n);
		o->build_threads = n;
		return ret;
	}
}

static int set_flag(struct vdfsd_options *o, int c)
{
	switch (c) {
	case 'n':
		o->no_phi = true;
		break;
	case 'c':
		o->check = true;
		break;
	case 'R':
		o->check = true;
		o->repair = true;
		break;
	case 'N':
		o->store_options.rebuild = true;
		break;
	case 'g':
		o->gc = true;
		break;
	case 'D':
		o->store_options.share = true;
		break;
	case 'H':
		o->remote_options.s3.http = true;
		break;
	default:
		o->remote_gc = true;
		break;
	}
	return 0;
}

static int set(void *own, int c, char *text)
{
	struct vdfsd_options *o = own;

	switch (c) {
	case 's':
		o->store = text;
		return *text ? 0 : -EINVAL;
	case 'm':
		o->mount = text;
		return 0;
	case 'q':
		return options_size(text, &o->store_options.quota);
	case 'b':
		return options_size(text, &o->map_budget);
	case 'i':
		return options_size(text, &o->index_budget);
	case 'B':
		return options_size(text, &o->remote_options.budget);
	case 'S':
		o->remote = text;
		return 0;
	case 'C':
		o->remote_options.s3.credentials = text;
		return 0;
	case 'A':
		o->remote_options.s3.ca = text;
		return 0;
	case 'P':
		o->remote_options.s3.proxy = text;
		return *text ? 0 : -EINVAL;
	case 'z':
	case 't':
	case 'T':
		return set_number(o, c, text);
	}
	return set_flag(o, c);
}

static const char *wrong(const void *own, const struct daemon_options *common)
{
	const struct vdfsd_options *o = own;

	if (!o->store)
		return "no --store is given";
	if (o->no_phi && !o->mount)
		return "--no-phi without --mount serves nothing";
	if (o->no_phi && common->publish.dir)
		return "--no-phi has nothing to --publish";
	if (!o->remote &&
	    (o->remote_gc || o->remote_options.budget ||
	     o->remote_options.s3.http || o->remote_options.s3.credentials ||
	     o->remote_options.s3.ca || o->remote_options.s3.proxy))
		return "--remote-... without --remote means nothing";
	if (o->store_options.rebuild && (o->check || o->gc || o->remote_gc))
		return "--rebuild does nothing else";
	if (o->remote && strchr(o->remote, '@'))
		return "--remote takes no keys; --remote-credentials names their file";
	if (o->remote_options.s3.http && o->remote_options.s3.ca)
		return "--remote-http has no use for --remote-ca";
	return NULL;
}

static const struct options_table table = {
	.name = "vdfsd",
	.version = PHI_VERSION,
	.rows = rows,
	.help = help,
	.set = set,
	.wrong = wrong,
};

/**
 * vdfsd_options_read() - read the command line
 * @argc: Its length.
 * @argv: Its words, which the options point into.
 * @o: Out.
 *
 * Context: Main thread.
 * Return: As options_read().
 */
int vdfsd_options_read(int argc, char **argv, struct vdfsd_options *o)
{
	uint64_t pages = sysconf(_SC_PHYS_PAGES);

	int ret;

	*o = (struct vdfsd_options){ .threads = 16 };
	o->map_budget = pages * sysconf(_SC_PAGESIZE) / 4;
	o->index_budget = o->map_budget;
	ret = options_read(argc, argv, &table, &o->common, o);
	/* A check that mends nothing changes nothing. */
	o->store_options.read_only = o->check && !o->repair && !o->gc &&
				     !o->remote_gc;
	return ret;
}
