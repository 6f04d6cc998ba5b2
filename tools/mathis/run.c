// SPDX-License-Identifier: GPL-2.0-only
/*
 * mathis run - a program, alone in this process, with the console for its
 * only right.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "console.h"

static int set_limit(const char *name, uint64_t max, uint64_t *limit)
{
	char *end;

	errno = 0;
	*limit = strtoull(optarg, &end, 0);
	if (!errno && *end == '\0' && *limit && *limit <= max &&
	    optarg[0] != '-')
		return 0;
	fprintf(stderr, "mathis: --%s: no number from 1 to %llu: %s\n", name,
		(unsigned long long)max, optarg);
	return -EINVAL;
}

enum { CONSOLE, NO_CONSOLE, TRACE, FUEL, HEAP, STACK };

static int parse(int argc, char **argv, struct console *console,
		 struct mathis_limits *limits)
{
	static const struct option options[] = {
		{ "allow-console", no_argument, NULL, CONSOLE },
		{ "deny-console", no_argument, NULL, NO_CONSOLE },
		{ "trace", no_argument, NULL, TRACE },
		{ "fuel", required_argument, NULL, FUEL },
		{ "heap", required_argument, NULL, HEAP },
		{ "stack", required_argument, NULL, STACK },
		{ 0 },
	};
	uint64_t stack = 0;
	int ret = 0;
	int opt;

	while (!ret &&
	       (opt = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		switch (opt) {
		case CONSOLE:
			console->allowed = true;
			break;
		case NO_CONSOLE:
			console->allowed = false;
			break;
		case TRACE:
			console->trace = true;
			break;
		case FUEL:
			ret = set_limit("fuel", INT64_MAX, &limits->fuel);
			break;
		case HEAP:
			ret = set_limit("heap", 1ULL << 40, &limits->heap);
			break;
		case STACK:
			ret = set_limit("stack", 1U << 24, &stack);
			break;
		default:
			ret = -EINVAL;
		}
	}
	limits->stack = stack;
	return ret;
}

/* Start main with its arguments, as a list where it takes one. */
static int start(struct mathis_machine *m, char **args)
{
	struct mathis_value list;
	int ret = mathis_start(m, NULL, NULL, 0);

	if (ret != -EINVAL)
		return ret;
	ret = mathis_new_list(m, &list);
	for (; *args && !ret; args++) {
		struct mathis_value text;

		ret = mathis_new_str(m, *args, strlen(*args), &text);
		if (!ret)
			ret = mathis_list_add(m, list, text);
	}
	return ret ?: mathis_start(m, NULL, &list, 1);
}

static int report_start(const char *name, int ret)
{
	fprintf(stderr, "%s: %s\n", name,
		ret == -ENOENT ? "the module has no function" :
		ret == -EINVAL ? "main takes neither nothing nor a list" :
		ret == -EILSEQ ? "an argument is no UTF-8" :
				 "no memory");
	return EXIT_BAD;
}

/* An int that main returns is the exit status, if it can be one. */
static int report_end(const char *name, struct mathis_machine *m, int state)
{
	struct mathis_value v = mathis_result(m);

	if (fflush(stdout)) {
		fprintf(stderr, "mathis: %s\n", strerror(errno));
		return EXIT_BAD;
	}
	switch (state) {
	case MATHIS_DONE:
		return v.kind == MATHIS_INT && v.i >= 0 && v.i <= 255 ? v.i : 0;
	case MATHIS_NO_FUEL:
		fprintf(stderr, "%s: Fuel: the fuel is spent\n", name);
		return EXIT_BAD;
	default:
		print_error(name, mathis_error(m));
		return EXIT_BAD;
	}
}

static int run(const char *name, const struct mathis_module *module,
	       char **args, const struct mathis_limits *limits,
	       struct console *console)
{
	struct mathis_host host = { .arg = console,
				    .trace = console->trace,
				    .call = console_call,
				    .event = console_event };
	struct mathis_machine *m;
	int status;
	int ret;

	ret = mathis_machine_new(module, limits, &host, &m);
	if (ret) {
		fprintf(stderr, "mathis: %s\n", strerror(-ret));
		return EXIT_BAD;
	}
	ret = start(m, args);
	status = ret ? report_start(name, ret) :
		       report_end(name, m, mathis_run(m));
	mathis_machine_free(m);
	return status;
}

int cmd_run(int argc, char **argv)
{
	struct console console = { .allowed = true };
	struct mathis_limits limits = { 0 };
	struct mathis_error error = { 0 };
	struct mathis_module *module;
	int status = EXIT_BAD;

	if (parse(argc, argv, &console, &limits) || optind == argc)
		return EXIT_USAGE;
	if (load_input(argv[optind], 0, &module))
		return EXIT_BAD;
	if (mathis_verify(module, NULL, &error))
		print_error(argv[optind], &error);
	else
		status = run(argv[optind], module, argv + optind + 1, &limits,
			     &console);
	mathis_unload(module);
	return status;
}
