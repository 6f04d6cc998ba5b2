// SPDX-License-Identifier: GPL-2.0-only
/* The command line of batchd. */
#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "settings.h"

#define MS 1000000ULL
#define VDFS_TOKEN "/run/phi/vdfs/vdfs-read.token"

static const struct option rows[] = {
	{ "model", required_argument, NULL, 'm' },
	{ "units", required_argument, NULL, 'n' },
	{ "shared", no_argument, NULL, 's' },
	{ "window", required_argument, NULL, 'w' },
	{ "slack", required_argument, NULL, 'l' },
	{ "credits", required_argument, NULL, 'c' },
	{ "queue", required_argument, NULL, 'q' },
	{ "engine", required_argument, NULL, 'e' },
	{ "vdfs", required_argument, NULL, 'd' },
	{ "convert", required_argument, NULL, 'C' },
	{}
};

static const char help[] =
	"usage: batchd --model NAME=FILE[:MAX_BATCH] ... [OPTION ...]\n"
	"  -m, --model NAME=FILE[:N]\n"
	"                           serve a model, batches of N at most (128)\n"
	"  -p, --publish DIR        write a token for each model to DIR/NAME.token\n"
	"  -n, --units N            runners to start (one a processor)\n"
	"  -s, --shared             units serve every user; needs privilege\n"
	"  -w, --window MS          wait this long for a fuller batch, 0 to 5 (0)\n"
	"  -l, --slack MS           keep this much before a deadline (0.2)\n"
	"  -c, --credits N          requests in flight of one session (64)\n"
	"  -q, --queue N            inputs waiting for one model (8192)\n"
	"  -e, --engine FILE        ONNX Runtime library to open\n"
	"  -d, --vdfs FILE          token of vdfsd, for models vdfs:NAME and\n"
	"                           vdfs:sha256:HEX (" VDFS_TOKEN ")\n"
	"  -C, --convert IN=OUT     write a model in ONNX Runtime's format, and end\n" OPTIONS_HELP;

static int set_number(struct batchd_options *o, int c, const char *text)
{
	double v = 0;
	int ret;

	switch (c) {
	case 'n':
		ret = options_real(text, 1, BATCHD_UNITS_MAX, &v);
		o->units = ret ? 0 : v;
		return ret;
	case 'w':
		ret = options_real(text, 0, 5, &v);
		o->window_ns = ret ? 0 : v * MS;
		return ret;
	case 'l':
		ret = options_real(text, 0, 1000, &v);
		o->slack_ns = ret ? 0 : v * MS;
		return ret;
	case 'c':
		ret = options_real(text, 1, 1024, &v);
		o->credits = ret ? 0 : v;
		return ret;
	default:
		ret = options_real(text, 2, 1 << 20, &v);
		o->queue_rows = ret ? 0 : v;
		return ret;
	}
}

static int set(void *own, int c, char *text)
{
	struct settings *s = own;

	switch (c) {
	case 'm':
		if (s->nmodels == BATCHD_MODELS_MAX)
			return -EINVAL;
		s->models[s->nmodels++] = text;
		return 0;
	case 's':
		s->options.shared = true;
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
	return set_number(&s->options, c, text);
}

static const char *wrong(const void *own, const struct daemon_options *common)
{
	const struct settings *s = own;

	(void)common;
	return s->nmodels || s->convert ? NULL : "no --model is given";
}

static const struct options_table table = {
	.name = "batchd",
	.version = PHI_VERSION,
	.rows = rows,
	.help = help,
	.set = set,
	.wrong = wrong,
};

/**
 * batchd_options_read() - read the command line
 * @argc: Its length.
 * @argv: Its words, which the settings point into.
 * @s: Out.
 *
 * Context: Main thread.
 * Return: As options_read().
 */
int batchd_options_read(int argc, char **argv, struct settings *s)
{
	memset(s, 0, sizeof(*s));
	s->options = (struct batchd_options){ .slack_ns = MS / 5,
					      .credits = 64,
					      .queue_rows = 8192,
					      .vdfs = VDFS_TOKEN };
	return options_read(argc, argv, &table, &s->common, s);
}
