// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "serve_impl.h"

static const struct option long_options[] = {
	{ "store", required_argument, NULL, 's' },
	{ "user", required_argument, NULL, 'u' },
	{ "publish", required_argument, NULL, 'p' },
	{ "audience", required_argument, NULL, 'a' },
	{ "mode", required_argument, NULL, 'o' },
	{ "mount", required_argument, NULL, 'm' },
	{ "quota", required_argument, NULL, 'q' },
	{ "zstd", required_argument, NULL, 'z' },
	{ "remote", required_argument, NULL, 'S' },
	{ "remote-credentials", required_argument, NULL, 'C' },
	{ "remote-budget", required_argument, NULL, 'B' },
	{ "remote-ca", required_argument, NULL, 'A' },
	{ "remote-http", no_argument, NULL, 'H' },
	{ "remote-gc", no_argument, NULL, 'G' },
	{ "map-budget", required_argument, NULL, 'b' },
	{ "index-budget", required_argument, NULL, 'i' },
	{ "threads", required_argument, NULL, 't' },
	{ "build-threads", required_argument, NULL, 'T' },
	{ "ready-fd", required_argument, NULL, 'r' },
	{ "no-phi", no_argument, NULL, 'n' },
	{ "check", no_argument, NULL, 'c' },
	{ "repair", no_argument, NULL, 'R' },
	{ "gc", no_argument, NULL, 'g' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "version", no_argument, NULL, 'V' },
	{ "help", no_argument, NULL, 'h' },
	{}
};

static const char short_options[] =
	"s:u:p:a:o:m:q:z:S:C:B:A:HGb:i:t:T:r:ncRgvVh";

static void print_help(FILE *to)
{
	fputs("usage: vdfsd --store DIR [OPTION ...]\n"
	      "  -s, --store DIR          where everything is kept\n"
	      "  -u, --user NAME          become this user; needed for root\n"
	      "  -p, --publish DIR        write tokens to DIR/vdfs.token and, for readers,\n"
	      "                           DIR/vdfs-read.token\n"
	      "  -a, --audience USER      only this user may unseal them (anyone)\n"
	      "  -o, --mode MODE          mode of the token files, octal (0644)\n"
	      "  -m, --mount DIR          mount the filesystem view there\n"
	      "  -n, --no-phi             serve nothing but that, without /dev/phi\n"
	      "  -q, --quota SIZE         what a user may store, unless set otherwise (any)\n"
	      "  -z, --zstd LEVEL         compress, 1 to 19 (0: not at all)\n"
	      "  -S, --remote URL         share blobs and names with other hosts, by the bucket\n"
	      "                           s3://HOST[:PORT]/BUCKET[/PREFIX]\n"
	      "  -C, --remote-credentials FILE\n"
	      "                           its keys ($CREDENTIALS_DIRECTORY/s3)\n"
	      "  -B, --remote-budget SIZE bytes of the bucket to keep here (all)\n"
	      "  -A, --remote-ca FILE     certificates its own has to come from (the system's)\n"
	      "  -H, --remote-http        without TLS\n"
	      "  -G, --remote-gc          take away there what has no name, and end\n"
	      "  -b, --map-budget SIZE    memory for mapped blobs (a quarter of all)\n"
	      "  -i, --index-budget SIZE  memory for indexes (a quarter of all)\n"
	      "  -t, --threads N          calls served at once (16)\n"
	      "  -T, --build-threads N    threads that build an index (one a processor)\n"
	      "  -r, --ready-fd FD        write a line there when ready\n"
	      "  -c, --check              compare all with what was stored, and end\n"
	      "  -R, --repair             ... and mend what can be\n"
	      "  -g, --gc                 take away what nothing refers to, and end\n"
	      "  -v, --verbose            log each session\n"
	      "  -V, --version            print the version\n"
	      "  -h, --help               this text\n"
	      "SIZE is in bytes; K, M, G and T are powers of 1024.\n",
	      to);
}

static int number(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || errno || *end || *out < min ||
	    *out > max)
		return -EINVAL;
	return 0;
}

static int size(const char *text, uint64_t *out)
{
	static const char units[] = "KMGT";
	const char *unit;
	char *end;
	uint64_t n;
	int shift;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || errno)
		return -EINVAL;
	if (*end) {
		unit = strchr(units, *end);
		if (!unit || end[1])
			return -EINVAL;
		shift = 10 * (unit - units + 1);
		if (n > UINT64_MAX >> shift)
			return -EINVAL;
		n <<= shift;
	}
	*out = n;
	return 0;
}

static int set_number(struct options *o, int c, const char *text)
{
	uint64_t n = 0;
	int ret;

	switch (c) {
	case 'z':
		ret = number(text, 0, 19, &n);
		o->store_options.zstd = n;
		return ret;
	case 't':
		ret = number(text, 1, SERVER_THREADS_MAX, &n);
		o->threads = n;
		return ret;
	case 'T':
		ret = number(text, 0, 1024, &n);
		o->build_threads = n;
		return ret;
	default:
		ret = number(text, 0, INT_MAX, &n);
		o->ready_fd = n;
		return ret;
	}
}

static int set_flag(struct options *o, int c)
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
	case 'g':
		o->gc = true;
		break;
	case 'H':
		o->remote_options.s3.http = true;
		break;
	case 'G':
		o->remote_gc = true;
		break;
	default:
		o->verbose = true;
		break;
	}
	return 0;
}

static int set(struct options *o, int c, const char *text)
{
	switch (c) {
	case 's':
		o->store = text;
		return *text ? 0 : -EINVAL;
	case 'u':
		o->user = text;
		return 0;
	case 'p':
		o->publish.dir = text;
		return 0;
	case 'm':
		o->mount = text;
		return 0;
	case 'a':
		return publish_set_audience(&o->publish, text);
	case 'o':
		return publish_set_mode(&o->publish, text);
	case 'q':
		return size(text, &o->store_options.quota);
	case 'b':
		return size(text, &o->map_budget);
	case 'i':
		return size(text, &o->index_budget);
	case 'B':
		return size(text, &o->remote_options.budget);
	case 'S':
		o->remote = text;
		return 0;
	case 'C':
		o->remote_options.s3.credentials = text;
		return 0;
	case 'A':
		o->remote_options.s3.ca = text;
		return 0;
	case 'z':
	case 't':
	case 'T':
	case 'r':
		return set_number(o, c, text);
	}
	return set_flag(o, c);
}

static const char *wrong(const struct options *o, bool extra)
{
	if (extra)
		return "too many words";
	if (!o->store)
		return "no --store is given";
	if (o->no_phi && !o->mount)
		return "--no-phi without --mount serves nothing";
	if (o->no_phi && o->publish.dir)
		return "--no-phi has nothing to --publish";
	if (!o->remote &&
	    (o->remote_gc || o->remote_options.budget ||
	     o->remote_options.s3.http || o->remote_options.s3.credentials ||
	     o->remote_options.s3.ca))
		return "--remote-... without --remote means nothing";
	if (o->remote_options.s3.http && o->remote_options.s3.ca)
		return "--remote-http has no use for --remote-ca";
	return NULL;
}

/**
 * options_parse() - read the command line
 * @argc: Its length.
 * @argv: Its words, which the options point into.
 * @o: Out.
 *
 * Context: Main thread.
 * Return: 0; 1 when help or the version was printed; -EINVAL when it is wrong,
 * which was said.
 */
int options_parse(int argc, char **argv, struct options *o)
{
	uint64_t pages = sysconf(_SC_PHYS_PAGES);
	const char *why;
	int c, index = 0;

	*o = (struct options){ .threads = 16, .ready_fd = -1 };
	o->publish.mode = 0644;
	o->map_budget = pages * sysconf(_SC_PAGESIZE) / 4;
	o->index_budget = o->map_budget;
	while ((c = getopt_long(argc, argv, short_options, long_options,
				&index)) != -1) {
		if (c == 'h') {
			print_help(stdout);
			return 1;
		}
		if (c == 'V') {
			puts("vdfsd " PHI_VERSION);
			return 1;
		}
		if (c == '?') {
			print_help(stderr);
			return -EINVAL;
		}
		if (set(o, c, optarg)) {
			fprintf(stderr, "vdfsd: -%c cannot be \"%s\"\n", c,
				optarg);
			print_help(stderr);
			return -EINVAL;
		}
	}
	why = wrong(o, optind < argc);
	if (!why)
		return 0;
	fprintf(stderr, "vdfsd: %s\n", why);
	print_help(stderr);
	return -EINVAL;
}
