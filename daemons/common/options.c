// SPDX-License-Identifier: GPL-2.0-only
/* Command lines of daemons. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"

#define OPTIONS_MAX 64

static const struct option common_rows[] = {
	{ "user", required_argument, NULL, 'u' },
	{ "publish", required_argument, NULL, 'p' },
	{ "audience", required_argument, NULL, 'a' },
	{ "mode", required_argument, NULL, 'o' },
	{ "ready-fd", required_argument, NULL, 'r' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "version", no_argument, NULL, 'V' },
	{ "help", no_argument, NULL, 'h' },
	{}
};

/**
 * struct option_list - all options of a daemon, as getopt_long() takes them
 * @rows: By name.
 * @n: How many.
 * @letters: By letter.
 * @end: End of @letters.
 */
struct option_list {
	struct option rows[OPTIONS_MAX];
	int n;
	char letters[2 * OPTIONS_MAX];
	char *end;
};

/**
 * options_number() - read a whole number
 * @text: Decimal digits and nothing else.
 * @min: Least value.
 * @max: Greatest value.
 * @out: Out; may be set on failure, too.
 *
 * Context: Any thread.
 * Return: 0 or -EINVAL.
 */
int options_number(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || errno || *end || *out < min ||
	    *out > max)
		return -EINVAL;
	return 0;
}

/**
 * options_real() - read a number with a fraction
 * @text: As strtod() takes it.
 * @min: Least value.
 * @max: Greatest value.
 * @out: Out; may be set on failure, too.
 *
 * Context: Any thread.
 * Return: 0 or -EINVAL.
 */
int options_real(const char *text, double min, double max, double *out)
{
	char *end;

	*out = strtod(text, &end);
	return end != text && !*end && *out >= min && *out <= max ? 0 : -EINVAL;
}

/**
 * options_size() - read a number of bytes
 * @text: Decimal digits; K, M, G or T behind them are powers of 1024.
 * @out: Out; unchanged on failure.
 *
 * Context: Any thread.
 * Return: 0 or -EINVAL.
 */
int options_size(const char *text, uint64_t *out)
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

static void add(struct option_list *list, const struct option *rows)
{
	for (; rows->name && list->n < OPTIONS_MAX - 1; rows++) {
		list->rows[list->n++] = *rows;
		*list->end++ = rows->val;
		if (rows->has_arg == required_argument)
			*list->end++ = ':';
	}
}

static int set(const struct options_table *table, struct daemon_options *o,
	       void *own, int c, char *text)
{
	uint64_t n = 0;
	int ret;

	switch (c) {
	case 'u':
		o->user = text;
		return 0;
	case 'p':
		o->publish.dir = text;
		return 0;
	case 'a':
		return publish_set_audience(&o->publish, text);
	case 'o':
		return publish_set_mode(&o->publish, text);
	case 'r':
		ret = options_number(text, 0, INT_MAX, &n);
		o->ready_fd = n;
		return ret;
	case 'v':
		o->verbose = true;
		return 0;
	}
	return table->set(own, c, text);
}

/**
 * options_read() - read the command line of a daemon
 * @argc: Its length.
 * @argv: Its words, which the options point into.
 * @table: Options there are.
 * @o: Out, those of all daemons.
 * @own: Out, those of this one; its defaults are set.
 *
 * Context: Main thread.
 * Return: 0; 1 when help or the version was printed; -EINVAL when the line is
 * wrong, and the reason was printed.
 */
int options_read(int argc, char **argv, const struct options_table *table,
		 struct daemon_options *o, void *own)
{
	struct option_list all = { .end = all.letters };
	const char *why;
	int c;

	*o = (struct daemon_options){ .ready_fd = -1, .publish.mode = 0644 };
	add(&all, common_rows);
	add(&all, table->rows);
	while ((c = getopt_long(argc, argv, all.letters, all.rows, NULL)) !=
	       -1) {
		if (c == 'h') {
			fputs(table->help, stdout);
			return 1;
		}
		if (c == 'V') {
			printf("%s %s\n", table->name, table->version);
			return 1;
		}
		if (c == '?')
			goto print_help;
		if (set(table, o, own, c, optarg)) {
			fprintf(stderr, "%s: -%c cannot be \"%s\"\n",
				table->name, c, optarg);
			goto print_help;
		}
	}
	why = optind < argc ? "too many words" :
	      table->wrong  ? table->wrong(own, o) :
			      NULL;
	if (!why)
		return 0;
	fprintf(stderr, "%s: %s\n", table->name, why);
print_help:
	fputs(table->help, stderr);
	return -EINVAL;
}
