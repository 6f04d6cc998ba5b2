// SPDX-License-Identifier: GPL-2.0-only
/* The command line, parsed by the usage of its verb; see cli.h. */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "out.h"
#include "out_tree.h"

#define NAME_MAX_LEN 32

/* One item of a usage line. */
struct item {
	char name[NAME_MAX_LEN]; /* of an option, without dashes */
	bool option;
	bool value; /* an option that has one */
	bool needed;
	bool many;
	bool command; /* CMD: no options after it */
	char word[NAME_MAX_LEN]; /* of an operand or a value, e.g. CAP */
};

/* Take the next item off a usage line; false at its end. */
static bool next_item(const char **usage, struct item *item)
{
	const char *p = *usage + strspn(*usage, " ");
	size_t len = strcspn(p, " ");
	size_t name;

	memset(item, 0, sizeof(*item));
	if (!len)
		return false;

	item->needed = *p != '[';
	p += !item->needed;
	len -= !item->needed;
	item->option = !strncmp(p, "--", 2);
	item->command = !strncmp(p, "CMD", 3);
	item->value = item->option && !memchr(p, ']', len);
	if (item->option) {
		name = strcspn(p + 2, " ]");
		if (name >= NAME_MAX_LEN)
			name = NAME_MAX_LEN - 1;
		memcpy(item->name, p + 2, name);
	}
	if (item->value) {
		p += len;
		p += strspn(p, " ");
		len = strcspn(p, " ");
	}
	item->many = memmem(p, len, "...", 3);
	name = strspn(p, "ABCDEFGHIJKLMNOPQRSTUVWXYZ=:/");
	if (name >= NAME_MAX_LEN)
		name = NAME_MAX_LEN - 1;
	memcpy(item->word, p, name);
	if (!strncmp(p, "on|off", 6))
		memcpy(item->word, "ON", sizeof("ON"));
	*usage = p + len;
	return true;
}

void usage_words(const char *usage,
		 void (*each)(const char *option, const char *word))
{
	struct item item;

	while (next_item(&usage, &item)) {
		if (!item.option || item.value)
			each(item.option ? item.name : NULL, item.word);
		else
			each(item.name, NULL);
	}
}

const char *args_name(const struct args *args)
{
	static char name[80];
	const char *verb = args->verb ? args->verb->name : "";

	snprintf(name, sizeof(name), "phi %s%s%s", args->noun->name,
		 *verb ? " " : "", verb);
	return name;
}

int usage_error(const struct args *args, const char *fmt, ...)
{
	char *hint;
	char *why;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&why, fmt, ap) < 0)
		why = NULL;
	va_end(ap);
	if (asprintf(&hint, "usage: %s %s\n       %s --help says more",
		     args_name(args), args->verb->usage, args_name(args)) < 0)
		hint = NULL;
	bad_usage(args_name(args), must(why), must(hint));
	free(why);
	free(hint);
	return EXIT_USAGE;
}

static bool find_option(const struct args *args, const char *name,
			struct item *item)
{
	const char *usage = args->verb->usage;

	while (next_item(&usage, item)) {
		if (item->option && !strcmp(item->name, name))
			return true;
	}
	return false;
}

static int count_option(const struct args *args, const char *name)
{
	int count = 0;
	int i;

	for (i = 0; i < args->ngiven; i++)
		count += !strcmp(args->given[i].name, name);
	return count;
}

/*
 * Is --json among the options, those after a fault too? The words after CMD
 * are not phi's; a value may count as a word here, which ends the search
 * early.
 */
static bool find_json(int command, int argc, char **argv)
{
	int words = 0;
	int i;

	for (i = 0; i < argc && strcmp(argv[i], "--"); i++) {
		if (argv[i][0] != '-')
			words++;
		else if (!strcmp(argv[i], "--json"))
			return true;
		if (command >= 0 && words > command)
			break;
	}
	return false;
}

/* argv[i] begins with dashes; take it and its value. */
static int take_option(struct args *args, int argc, char **argv, int *i)
{
	char *name = argv[*i] + 2;
	struct item item;
	char *value;

	if (argv[*i][1] != '-')
		return usage_error(args, "there is no option %s", argv[*i]);
	value = strchr(name, '=');
	if (!strcmp(name, "json")) {
		out_json = true;
		return EXIT_OK;
	}
	if (!strcmp(name, "help")) {
		args->help = true;
		return EXIT_OK;
	}
	if (value)
		*value++ = '\0';
	if (!find_option(args, name, &item))
		return usage_error(args, "there is no option --%s", name);
	if (item.value && !value) {
		if (*i + 1 >= argc)
			return usage_error(args, "--%s needs a value", name);
		value = argv[++*i];
	} else if (!item.value && value) {
		return usage_error(args, "--%s has no value", name);
	}
	if (!item.many && count_option(args, name))
		return usage_error(args, "--%s was given twice", name);
	if (args->ngiven == GIVEN_MAX)
		return usage_error(args, "more than %d options", GIVEN_MAX);
	args->given[args->ngiven].name = name;
	args->given[args->ngiven++].value = value;
	return EXIT_OK;
}

/* Compare the arguments with the usage of the verb. */
static int check(const struct args *args)
{
	const char *usage = args->verb->usage;
	struct item item;
	bool many = false;
	int least = 0;
	int most = 0;

	while (next_item(&usage, &item)) {
		if (item.option) {
			if (item.needed && !count_option(args, item.name))
				return usage_error(args, "--%s is missing",
						   item.name);
			continue;
		}
		least += item.needed;
		most++;
		many |= item.many;
	}
	if (args->n < least)
		return usage_error(args, "%d operand%s missing",
				   least - args->n,
				   least - args->n == 1 ? " is" : "s are");
	if (args->n > most && !many)
		return usage_error(args, "'%s' is one operand too many",
				   args->operand[most]);
	return EXIT_OK;
}

/* Which operand is CMD, after which there are no options; -1 = none. */
static int command_operand(const char *usage)
{
	struct item item;
	int n = 0;

	while (next_item(&usage, &item)) {
		if (item.command)
			return n;
		n += !item.option;
	}
	return -1;
}

int args_parse(struct args *args, int argc, char **argv)
{
	int command = command_operand(args->verb->usage);
	bool options = true;
	char *arg;
	int ret;
	int i;

	args->phi = -1;
	args->operand = argv;
	errors_json = out_json || find_json(command, argc, argv);
	for (i = 0; i < argc; i++) {
		arg = argv[i];
		if (!options || arg[0] != '-' || !strcmp(arg, "-")) {
			if (args->n == command)
				options = false;
			argv[args->n++] = arg;
		} else if (!strcmp(arg, "--")) {
			options = false;
		} else if (!strcmp(arg, "-h")) {
			args->help = true;
		} else {
			ret = take_option(args, argc, argv, &i);
			if (ret)
				return ret;
		}
	}
	argv[args->n] = NULL;
	return args->help ? EXIT_OK : check(args);
}

const char *args_option(const struct args *args, const char *name)
{
	int i;

	for (i = args->ngiven - 1; i >= 0; i--) {
		if (!strcmp(args->given[i].name, name))
			return args->given[i].value ? args->given[i].value : "";
	}
	return NULL;
}

static unsigned int suffix_shift(char suffix)
{
	switch (suffix) {
	case 'K':
		return 10;
	case 'M':
		return 20;
	case 'G':
		return 30;
	default:
		return 0;
	}
}

int args_u64(const struct args *args, const char *what, const char *text,
	     uint64_t max, uint64_t *out)
{
	unsigned int shift;
	uint64_t value;
	char *end;

	if (!isdigit((unsigned char)*text))
		return usage_error(args, "%s '%s' is not a number", what, text);
	errno = 0;
	value = strtoull(text, &end, 0);
	shift = suffix_shift(*end);
	if (shift)
		end++;
	if (*end)
		return usage_error(args, "%s '%s' is not a number", what, text);
	if (errno || value > (UINT64_MAX >> shift) || value << shift > max)
		return usage_error(args, "%s %s is too big, %llu at most", what,
				   text, (unsigned long long)max);
	*out = value << shift;
	return EXIT_OK;
}

int args_handle(const struct args *args, int i, uint64_t *out)
{
	return args_u64(args, "handle", args->operand[i], UINT64_MAX, out);
}

int option_u64(const struct args *args, const char *name, uint64_t max,
	       uint64_t *out)
{
	const char *text = args_option(args, name);
	char what[NAME_MAX_LEN + 2];

	if (!text)
		return EXIT_OK;
	snprintf(what, sizeof(what), "--%s", name);
	return args_u64(args, what, text, max, out);
}

int option_u32(const struct args *args, const char *name, uint32_t max,
	       uint32_t *out)
{
	uint64_t value = *out;
	int ret = option_u64(args, name, max, &value);

	*out = (uint32_t)value;
	return ret;
}

int option_duration(const struct args *args, const char *name, uint64_t *ns)
{
	static const struct {
		const char *suffix;
		double ns;
	} units[] = {
		{ "", 1e9 },	 { "s", 1e9 },	  { "ms", 1e6 },
		{ "us", 1e3 },	 { "ns", 1 },	  { "m", 60e9 },
		{ "min", 60e9 }, { "h", 3600e9 }, { "d", 86.4e12 },
	};
	const char *text = args_option(args, name);
	double value;
	size_t i;
	char *end;

	if (!text)
		return EXIT_OK;
	value = strtod(text, &end);
	for (i = 0; i < ARRAY_SIZE(units); i++) {
		if (end == text || strcmp(end, units[i].suffix))
			continue;
		value *= units[i].ns;
		if (!(value >= 0) || value > 9e18)
			break;
		*ns = (uint64_t)value;
		return EXIT_OK;
	}
	return usage_error(args, "--%s '%s' is no time span like 20s or 300ms",
			   name, text);
}

int option_when(const struct args *args, const char *name, int clock,
		uint64_t *ns)
{
	uint64_t span = 0;
	int ret;

	*ns = 0;
	ret = option_duration(args, name, &span);
	if (!ret && args_option(args, name))
		*ns = now_ns(clock) + span;
	return ret;
}

int option_rights(const struct args *args, uint32_t *rights)
{
	const char *text = args_option(args, "rights");

	if (!text || rights_parse(text, rights))
		return EXIT_OK;
	return usage_error(
		args,
		"--rights '%s': words out of read, write, exec, map, send, recv, admin and grant, with commas between; or all, or none",
		text);
}

int option_kind(const struct args *args, const char *name, uint32_t *kind)
{
	const char *text = args_option(args, name);
	uint32_t k;

	if (!text)
		return EXIT_OK;
	for (k = PHI_UNIT_CPU; k <= PHI_UNIT_TPU; k++) {
		if (!strcmp(text, kind_name(k))) {
			*kind = k;
			return EXIT_OK;
		}
	}
	return usage_error(args, "--%s '%s' is not cpu, gpu or tpu", name,
			   text);
}
