// SPDX-License-Identifier: GPL-2.0-only
/*
 * mathis run - a program, alone in this process, with the rights that the
 * command line gives it.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <calls/calls.h>
#include <program/program.h>

#include "cli.h"
#include "rights.h"

struct run {
	struct md_program program; /* first: what the machine calls gets it */
	bool trace;
};

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

enum { TRACE = RIGHTS_OPTIONS, FUEL, HEAP, STACK, DEADLINE };

static int parse(int argc, char **argv, struct run *run,
		 struct md_session *session, struct mathis_limits *limits)
{
	static const struct option own[] = {
		{ "trace", no_argument, NULL, TRACE },
		{ "fuel", required_argument, NULL, FUEL },
		{ "heap", required_argument, NULL, HEAP },
		{ "stack", required_argument, NULL, STACK },
		{ "deadline", required_argument, NULL, DEADLINE },
	};
	struct option options[RIGHTS_OPTIONS + sizeof(own) / sizeof(*own) + 1];
	uint64_t stack = 0;
	int ret = 0;
	int opt;

	rights_options(options, own, sizeof(own) / sizeof(*own));
	while (!ret &&
	       (opt = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		switch (opt) {
		case TRACE:
			run->trace = true;
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
		case DEADLINE:
			ret = set_limit("deadline", INT32_MAX,
					&session->call_ms);
			break;
		default:
			ret = rights_set(&session->rights, opt, optarg);
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

/* Print a report of the program; @arg is the struct run. */
static void hear(void *arg, enum mathis_event event, const char *text)
{
	static const char *const names[] = {
		[MATHIS_EVENT_CALL] = "call",
		[MATHIS_EVENT_RETURN] = "return",
		[MATHIS_EVENT_TRACE] = "trace",
		[MATHIS_EVENT_BREAKPOINT] = "breakpoint",
		[MATHIS_EVENT_EXPLAIN] = "explain",
		[MATHIS_EVENT_PROFILE] = "profile",
		[MATHIS_EVENT_HINT] = "hint",
		[MATHIS_EVENT_LOST] = "a task failed",
	};
	const struct run *run = arg;

	/* TRACE prints, as far as the program may; lost errors are seen. */
	if (!run->trace && event != MATHIS_EVENT_LOST &&
	    !(event == MATHIS_EVENT_TRACE &&
	      md_rights_any(&run->program.session->rights, "console")))
		return;
	fprintf(stderr, "mathis: %s: ", names[event]);
	print_text(stderr, text);
	fputc('\n', stderr);
}

static int run_module(const char *name, const struct mathis_module *module,
		      char **args, const struct mathis_limits *limits,
		      struct run *run, struct md_session *session)
{
	struct mathis_host host = { .trace = run->trace, .event = hear };
	struct md_program *p = &run->program;
	int status;
	int ret;

	md_program_init(p, session, &host);
	ret = mathis_machine_new(module, limits, &host, &p->machine);
	if (ret) {
		fprintf(stderr, "mathis: %s\n", strerror(-ret));
		status = EXIT_BAD;
	} else {
		ret = start(p->machine, args);
		status = ret ? report_start(name, ret) :
			       report_end(name, p->machine, md_program_run(p));
	}
	md_program_fini(p);
	mathis_machine_free(p->machine);
	return status;
}

static int load_and_run(char **argv, struct run *run,
			struct md_session *session,
			const struct mathis_limits *limits)
{
	struct mathis_error error = { 0 };
	struct mathis_module *module;
	int status = EXIT_BAD;

	if (load_input(argv[0], 0, &module))
		return EXIT_BAD;
	if (mathis_verify(module, NULL, &error))
		print_error(argv[0], &error);
	else
		status = run_module(argv[0], module, argv + 1, limits, run,
				    session);
	mathis_unload(module);
	return status;
}

static int run_in(struct md_session *session, int argc, char **argv)
{
	struct mathis_limits limits = { 0 };
	struct run run = { 0 };
	int ret;

	for (int i = 0; i < 3; i++)
		session->console[i] = i;
	ret = md_rights_add(&session->rights, false, "console", NULL);
	if (!ret)
		ret = parse(argc, argv, &run, session, &limits);
	if (ret || optind == argc)
		return EXIT_USAGE;
	return load_and_run(argv + optind, &run, session, &limits);
}

int cmd_run(int argc, char **argv)
{
	struct md_session *session = NULL;
	struct md_misfit error = { 0 };
	struct md_core *core;
	int status = EXIT_BAD;
	int ret = md_calls_core(&core, &error);

	if (!ret)
		session = md_session_new(core);
	if (session) {
		status = run_in(session, argc, argv);
		md_session_end(session);
	} else {
		fprintf(stderr, "mathis: %s\n",
			ret == -EINVAL ? error.text : strerror(ENOMEM));
	}
	md_core_free(core);
	return status;
}
