// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"

#define MS 1000000ULL
#define VDFS_TOKEN "/run/phi/vdfs/vdfs-read.token"

static const struct option long_options[] = {
	{ "model", required_argument, NULL, 'm' },
	{ "user", required_argument, NULL, 'u' },
	{ "publish", required_argument, NULL, 'p' },
	{ "audience", required_argument, NULL, 'a' },
	{ "mode", required_argument, NULL, 'o' },
	{ "units", required_argument, NULL, 'n' },
	{ "shared", no_argument, NULL, 's' },
	{ "window", required_argument, NULL, 'w' },
	{ "slack", required_argument, NULL, 'l' },
	{ "credits", required_argument, NULL, 'c' },
	{ "queue", required_argument, NULL, 'q' },
	{ "ready-fd", required_argument, NULL, 'r' },
	{ "engine", required_argument, NULL, 'e' },
	{ "vdfs", required_argument, NULL, 'd' },
	{ "convert", required_argument, NULL, 'C' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "version", no_argument, NULL, 'V' },
	{ "help", no_argument, NULL, 'h' },
	{}
};

static void print_help(FILE *to)
{
	fputs("usage: batchd --model NAME=FILE[:MAX_BATCH] ... [OPTION ...]\n"
	      "  -m, --model NAME=FILE[:N]  serve a model, batches of N at most (128)\n"
	      "  -u, --user NAME            become this user; needed for root\n"
	      "  -p, --publish DIR          write a token for each model to DIR/NAME.token\n"
	      "  -a, --audience USER        only this user may unseal them (anyone)\n"
	      "  -o, --mode MODE            mode of the token files, octal (0644)\n"
	      "  -n, --units N              runners to start (one a processor)\n"
	      "  -s, --shared               units serve every user; needs privilege\n"
	      "  -w, --window MS            wait this long for a fuller batch, 0 to 5 (0)\n"
	      "  -l, --slack MS             keep this much before a deadline (0.2)\n"
	      "  -c, --credits N            requests in flight of one session (64)\n"
	      "  -q, --queue N              inputs waiting for one model (8192)\n"
	      "  -r, --ready-fd FD          write a line there when ready\n"
	      "  -e, --engine FILE          ONNX Runtime library to open\n"
	      "  -d, --vdfs FILE            token of vdfsd, for models vdfs:NAME and\n"
	      "                             vdfs:sha256:HEX (" VDFS_TOKEN ")\n"
	      "  -C, --convert IN=OUT       write a model in ONNX Runtime's format, and end\n"
	      "  -v, --verbose              log each session\n"
	      "  -V, --version              print the version\n"
	      "  -h, --help                 this text\n",
	      to);
}

/* A number from @min to @max; -1 when it is none. */
static double number(const char *text, double min, double max)
{
	char *end;
	double value = strtod(text, &end);

	return end == text || *end || !(value >= min && value <= max) ? -1 :
									value;
}

static int set_number(struct settings *s, int c, const char *text)
{
	struct options *o = &s->options;
	double v;

	switch (c) {
	case 'n':
		v = number(text, 1, BATCHD_UNITS_MAX);
		o->units = v;
		break;
	case 'w':
		v = number(text, 0, 5);
		o->window_ns = v * MS;
		break;
	case 'l':
		v = number(text, 0, 1000);
		o->slack_ns = v * MS;
		break;
	case 'c':
		v = number(text, 1, 1024);
		o->credits = v;
		break;
	case 'q':
		v = number(text, 2, 1 << 20);
		o->queue_rows = v;
		break;
	default:
		v = number(text, 0, INT_MAX);
		s->ready_fd = v;
		break;
	}
	return v < 0 ? -EINVAL : 0;
}

static int set(struct settings *s, int c, char *text)
{
	switch (c) {
	case 'm':
		if (s->nmodels == BATCHD_MODELS_MAX)
			return -EINVAL;
		s->models[s->nmodels++] = text;
		return 0;
	case 'u':
		s->user = text;
		return 0;
	case 'p':
		s->options.publish.dir = text;
		return 0;
	case 'a':
		return publish_set_audience(&s->options.publish, text);
	case 'o':
		return publish_set_mode(&s->options.publish, text);
	case 's':
		s->options.shared = true;
		return 0;
	case 'v':
		s->options.verbose = true;
		return 0;
	case 'e':
		s->engine = text;
		return 0;
	case 'd':
		s->options.vdfs = text;
		return 0;
	case 'C':
		s->convert = text;
		return 0;
	}
	return set_number(s, c, text);
}

/**
 * options_parse() - read the command line
 * @argc: Its length.
 * @argv: Its words, which the settings point into.
 * @s: Out.
 *
 * Context: Main thread.
 * Return: 0; 1 when help or the version was printed; -EINVAL when it is wrong,
 * which was said.
 */
int options_parse(int argc, char **argv, struct settings *s)
{
	int c, index = 0;

	memset(s, 0, sizeof(*s));
	s->ready_fd = -1;
	s->options = (struct options){ .slack_ns = MS / 5,
				       .credits = 64,
				       .queue_rows = 8192,
				       .vdfs = VDFS_TOKEN,
				       .publish.mode = 0644 };
	while ((c = getopt_long(argc, argv, "m:u:p:a:o:n:sw:l:c:q:r:e:d:C:vVh",
				long_options, &index)) != -1) {
		if (c == 'h') {
			print_help(stdout);
			return 1;
		}
		if (c == 'V') {
			puts("batchd " PHI_VERSION);
			return 1;
		}
		if (c == '?') {
			print_help(stderr);
			return -EINVAL;
		}
		if (set(s, c, optarg)) {
			fprintf(stderr, "batchd: -%c cannot be \"%s\"\n", c,
				optarg);
			print_help(stderr);
			return -EINVAL;
		}
	}
	if (optind < argc || (!s->nmodels && !s->convert)) {
		fprintf(stderr, "batchd: %s\n",
			optind < argc ? "too many words" :
					"no --model is given");
		print_help(stderr);
		return -EINVAL;
	}
	return 0;
}
