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
#include <core/manifest.h>
#include <program/program.h>

#include "cli.h"
#include "remote.h"
#include "rights.h"
#include "trace.h"

struct run {
	struct md_program program; /* first: what the machine calls gets it */
	bool trace;
	struct mathis_limits limits;
	char *names[MODULES_MAX]; /* the program, then what is linked to it */
	size_t n_names;
	const char *save; /* the file of a snapshot, or NULL */
	const char *load;
	bool daemon; /* mathisd makes the calls */
	const char *token; /* the file of its token, or NULL */
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

enum {
	TRACE = RIGHTS_OPTIONS,
	FUEL,
	HEAP,
	STACK,
	DEADLINE,
	LINK,
	SAVE,
	LOAD,
	MANIFEST,
	DAEMON,
};

static int add_module(struct run *run, char *name)
{
	if (run->n_names == MODULES_MAX) {
		fprintf(stderr, "mathis: more than %d modules\n", MODULES_MAX);
		return -EINVAL;
	}
	run->names[run->n_names++] = name;
	return 0;
}

/* Let a program do what a manifest says, and nothing that it has no word of. */
static int add_manifest(struct md_session *session, const char *path)
{
	struct md_manifest m = { .base = NULL };
	char why[MD_MANIFEST_WHY];
	int ret = md_manifest_read(&m, path, why);

	if (ret) {
		fprintf(stderr, "mathis: %s: %s\n", path, why);
		md_manifest_fini(&m);
		return -EINVAL;
	}
	md_rights_fini(&session->rights);
	session->rights = m.rights;
	if (m.base) {
		free(session->base);
		session->base = m.base;
	}
	if (m.call_ms)
		session->call_ms = m.call_ms;
	return 0;
}

static int parse(int argc, char **argv, struct run *run,
		 struct md_session *session)
{
	static const struct option own[] = {
		{ "trace", no_argument, NULL, TRACE },
		{ "fuel", required_argument, NULL, FUEL },
		{ "heap", required_argument, NULL, HEAP },
		{ "stack", required_argument, NULL, STACK },
		{ "deadline", required_argument, NULL, DEADLINE },
		{ "link", required_argument, NULL, LINK },
		{ "snapshot", required_argument, NULL, SAVE },
		{ "restore", required_argument, NULL, LOAD },
		{ "manifest", required_argument, NULL, MANIFEST },
		{ "daemon", optional_argument, NULL, DAEMON },
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
			session->trace = trace_call;
			break;
		case FUEL:
			ret = set_limit("fuel", INT64_MAX, &run->limits.fuel);
			break;
		case HEAP:
			ret = set_limit("heap", 1ULL << 40, &run->limits.heap);
			break;
		case STACK:
			ret = set_limit("stack", 1U << 24, &stack);
			break;
		case DEADLINE:
			ret = set_limit("deadline", INT32_MAX,
					&session->call_ms);
			break;
		case LINK:
			ret = add_module(run, optarg);
			break;
		case SAVE:
			run->save = optarg;
			break;
		case LOAD:
			run->load = optarg;
			break;
		case MANIFEST:
			ret = add_manifest(session, optarg);
			break;
		case DAEMON:
			run->daemon = true;
			run->token = optarg;
			break;
		default:
			ret = rights_set(&session->rights, opt, optarg);
		}
	}
	run->limits.stack = stack;
	/* Only the end of the fuel stops a program that could go on. */
	if (ret || optind == argc || (run->save && !run->limits.fuel) ||
	    (run->load && optind + 1 != argc))
		return ret ?: -EINVAL;
	run->names[0] = argv[optind];
	return 0;
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

/* Write the program down that has no fuel left. */
static int save(const struct run *run, struct mathis_machine *m)
{
	size_t size;
	void *data;
	int status;

	if (mathis_snapshot(m, &data, &size)) {
		fputs("mathis: no memory\n", stderr);
		return EXIT_BAD;
	}
	status = write_output(run->save, data, size);
	free(data);
	return status ?: EXIT_SAVED;
}

/* Go on with a program that was written down: 0, or what was printed. */
static int restore(const struct run *run, const struct mathis_module *module,
		   const struct mathis_host *host, struct mathis_machine **m)
{
	struct mathis_limits limits = run->limits;
	struct mathis_error error = { 0 };
	char *data;
	size_t size;
	int ret = read_input(run->load, &data, &size);

	if (ret)
		return ret;
	limits.fuel = 0;
	ret = mathis_restore(module, &limits, host, data, size, m, &error);
	free(data);
	if (ret) {
		print_error(run->load, &error);
		return ret;
	}
	/* The fuel is that of the command line, whatever was left. */
	mathis_fuel_add(*m, -(uint64_t)mathis_fuel(*m));
	mathis_fuel_add(*m, run->limits.fuel ?: INT64_MAX);
	return 0;
}

/* Make the machine, at its begin or where it was written down. */
static int make_machine(struct run *run, const struct mathis_module *module,
			const struct mathis_host *host, char **args)
{
	struct md_program *p = &run->program;
	int ret;

	if (run->load)
		return restore(run, module, host, &p->machine) ? EXIT_BAD : 0;
	ret = mathis_machine_new(module, &run->limits, host, &p->machine);
	if (ret) {
		fprintf(stderr, "mathis: %s\n", strerror(-ret));
		return EXIT_BAD;
	}
	ret = start(p->machine, args);
	return ret ? report_start(run->names[0], ret) : 0;
}

static int run_module(struct run *run, const struct mathis_module *module,
		      char **args, struct md_session *session)
{
	struct mathis_host host = { .trace = run->trace, .event = hear };
	struct md_program *p = &run->program;
	int status;
	int state;

	md_program_init(p, session, &host);
	status = make_machine(run, module, &host, args);
	if (!status) {
		state = md_program_run(p);
		status = state == MATHIS_NO_FUEL && run->save ?
				 save(run, p->machine) :
				 report_end(run->names[0], p->machine, state);
	}
	md_program_fini(p);
	mathis_machine_free(p->machine);
	return status;
}

static int run_in(struct md_session *session, struct remote **remote, int argc,
		  char **argv)
{
	struct run run = { .n_names = 1 };
	struct mathis_module *module;
	int status = EXIT_BAD;
	int ret;

	for (int i = 0; i < 3; i++)
		session->console[i] = i;
	ret = md_rights_add(&session->rights, false, "console", NULL);
	if (!ret)
		ret = parse(argc, argv, &run, session);
	if (ret)
		return EXIT_USAGE;
	if (!load_program(run.names, run.n_names, &module) &&
	    (!run.daemon || !remote_open(session, run.token, remote)))
		status = run_module(&run, module, argv + optind + 1, session);
	mathis_unload(module);
	return status;
}

int cmd_run(int argc, char **argv)
{
	struct md_session *session = NULL;
	struct remote *remote = NULL;
	struct md_misfit error = { 0 };
	struct md_core *core;
	int status = EXIT_BAD;
	int ret = md_calls_core(&core, &error);

	if (!ret)
		session = md_session_new(core);
	if (session) {
		status = run_in(session, &remote, argc, argv);
		md_session_end(session);
		remote_close(remote);
	} else {
		fprintf(stderr, "mathis: %s\n",
			ret == -EINVAL ? error.text : strerror(ENOMEM));
	}
	md_core_free(core);
	return status;
}
