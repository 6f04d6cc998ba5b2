// SPDX-License-Identifier: GPL-2.0-only
/* Threads that have registered. */
#include <errno.h>
#include <phi/threads.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "out.h"

static const char *const how_words[] = {
	[PHI_THREAD_RUNS] = "runs",
	[PHI_THREAD_EXITED] = "exited",
	[PHI_THREAD_KILLED] = "killed",
	[PHI_THREAD_EXECED] = "execed",
};

static const char *const class_words[] = {
	[PHI_THREAD_NORMAL] = "normal",
	[PHI_THREAD_INFER] = "infer",
	[PHI_THREAD_BACKGROUND] = "background",
};

static const char *how_name(uint32_t how)
{
	return how < ARRAY_SIZE(how_words) ? how_words[how] : "unknown";
}

/*
 * The thread is the command itself, which stays until its input ends, so that
 * other commands of the session have it to work on.
 */
static int thread_register(struct args *args)
{
	uint64_t endpoint = 0, badge = 0, status = 0, cap;
	uint32_t signo = 0;
	char byte;
	int ret;

	if (option_u64(args, "endpoint", UINT64_MAX, &endpoint) ||
	    option_u64(args, "badge", UINT64_MAX, &badge) ||
	    option_u64(args, "status", INT64_MAX, &status) ||
	    option_u32(args, "signal", 64, &signo))
		return EXIT_USAGE;
	ret = phi_thread_register(args->phi, endpoint, badge, signo, &cap);
	if (ret)
		return fail(ret, "register the thread");
	out_handle("cap", cap);
	out_only();
	ret = out_end();
	if (ret)
		return ret;
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	ret = phi_thread_exit(args->phi, (int64_t)status);
	return ret ? fail(ret, "leave a status") : EXIT_OK;
}

static void query_fields(const struct phi_thread_query *q)
{
	out_str("state", how_name(q->how));
	out_u64("tid", q->tid);
	out_u64("pid", q->pid);
	out_u64("cpus", q->cpus);
	out_str("class", q->class < ARRAY_SIZE(class_words) ?
				 class_words[q->class] :
				 "unknown");
	out_u64("deadline_ns", q->deadline_ns);
	out_u64("signal", q->signo);
	out_i64("status", q->status);
}

static int thread_query(struct args *args)
{
	struct phi_thread_query q;
	uint64_t cap;
	int ret;

	if (args_handle(args, 0, &cap))
		return EXIT_USAGE;
	ret = phi_thread_query(args->phi, cap, &q);
	if (ret)
		return fail(ret, "look at %s", args->operand[0]);
	query_fields(&q);
	return out_end();
}

static int thread_list(struct args *args)
{
	struct phi_thread_query q;
	struct phi_cap_query info;
	uint64_t *handles;
	int i, n;

	n = caps_all(args->phi, &handles);
	if (n < 0) {
		free(handles);
		return fail(n, "list the capabilities");
	}
	out_table("threads", "no threads in this session");
	for (i = 0; i < n; i++) {
		if (phi_cap_query(args->phi, handles[i], &info) ||
		    info.type != PHI_TYPE_THREAD ||
		    phi_thread_query(args->phi, handles[i], &q))
			continue;
		out_row();
		out_handle("cap", handles[i]);
		query_fields(&q);
		out_close();
	}
	out_close();
	free(handles);
	return out_end();
}

static int thread_join(struct args *args)
{
	unsigned int flags = args_option(args, "nonblock") ? PHI_NONBLOCK : 0;
	uint64_t deadline, cap;
	int64_t status;
	uint32_t how;
	int ret;

	if (args_handle(args, 0, &cap) ||
	    option_when(args, "timeout", CLOCK_MONOTONIC, &deadline))
		return EXIT_USAGE;
	wait_begin("the end of a thread");
	ret = phi_thread_join(args->phi, cap, flags, deadline, &how, &status);
	wait_end();
	if (ret)
		return fail(ret, "wait for %s", args->operand[0]);
	out_str("how", how_name(how));
	out_i64("status", status);
	return out_end();
}

/* Read a list of CPUs, such as 0-3,8. */
static int cpus_parse(const struct args *args, const char *text, uint64_t *mask)
{
	const char *at = text;
	unsigned long first, last;
	char *end;

	do {
		first = strtoul(at, &end, 10);
		last = first;
		if (end != at && *end == '-') {
			at = end + 1;
			last = strtoul(at, &end, 10);
		}
		if (end == at || (*end && *end != ',') || last < first ||
		    last >= PHI_THREAD_CPUS_MAX * 8)
			return usage_error(args, "'%s' is no list like 0-3,8",
					   text);
		for (; first <= last; first++)
			mask[first / 64] |= 1ULL << first % 64;
		at = end + 1;
	} while (*end);
	return EXIT_OK;
}

static int thread_place(struct args *args)
{
	uint64_t mask[PHI_THREAD_CPUS_MAX / 8] = { 0 };
	const char *cpus = args_option(args, "cpus");
	uint64_t unit = 0, cap;
	int ret;

	if (args_handle(args, 0, &cap) ||
	    option_u64(args, "near", UINT64_MAX, &unit) ||
	    (cpus && cpus_parse(args, cpus, mask)))
		return EXIT_USAGE;
	if (cpus && unit)
		return usage_error(args,
				   "--cpus and --near exclude each other");
	if (!cpus && !unit)
		return usage_error(args, "--cpus or --near is missing");
	ret = unit ? phi_thread_place_near(args->phi, cap, unit) :
		     phi_thread_place(args->phi, cap, mask, sizeof(mask));
	return ret ? fail(ret, "place %s", args->operand[0]) : EXIT_OK;
}

static int thread_yield(struct args *args)
{
	uint64_t cap;
	int ret;

	if (args_handle(args, 0, &cap))
		return EXIT_USAGE;
	ret = phi_thread_yield(args->phi, cap);
	if (ret < 0)
		return fail(ret, "yield to %s", args->operand[0]);
	out_bool("yielded", ret);
	return out_end();
}

static int thread_signal(struct args *args)
{
	const char *text = args->n > 1 ? args->operand[1] : "";
	uint64_t cap;
	int ret;

	if (args_handle(args, 0, &cap))
		return EXIT_USAGE;
	ret = phi_thread_signal(args->phi, cap, text, strlen(text));
	return ret ? fail(ret, "send to %s", args->operand[0]) : EXIT_OK;
}

static int thread_class(struct args *args)
{
	uint64_t deadline, cap;
	uint32_t word;
	int ret;

	if (args_handle(args, 0, &cap) ||
	    option_when(args, "deadline", CLOCK_MONOTONIC, &deadline))
		return EXIT_USAGE;
	for (word = 0; word < ARRAY_SIZE(class_words); word++) {
		if (!strcmp(class_words[word], args->operand[1]))
			break;
	}
	if (word == ARRAY_SIZE(class_words))
		return usage_error(args,
				   "'%s' is not normal, infer or background",
				   args->operand[1]);
	ret = phi_thread_class(args->phi, cap, word, deadline);
	return ret ? fail(ret, "set the class of %s", args->operand[0]) :
		     EXIT_OK;
}

static const struct verb verbs[] = {
	{ "register", thread_register,
	  "[--endpoint CAP] [--badge N] [--signal N] [--status N]",
	  "be a thread to work on, until the input ends", HANDLES },
	{ "list", thread_list, "", "list the threads of the session", HANDLES },
	{ "query", thread_query, "CAP", "look at a thread", HANDLES },
	{ "join", thread_join, "CAP [--nonblock] [--timeout TIME]",
	  "wait for the end of a thread", HANDLES },
	{ "place", thread_place, "CAP [--cpus LIST] [--near UNIT]",
	  "let it run on some of its CPUs alone", HANDLES },
	{ "yield", thread_yield, "CAP", "yield the CPU to it", HANDLES },
	{ "signal", thread_signal, "CAP [DATA]",
	  "send it a message, and wake it", HANDLES },
	{ "class", thread_class, "CAP CLASS [--deadline TIME]",
	  "say how urgent it is: normal, infer or background", HANDLES },
	{ 0 },
};

const struct noun thread_noun = {
	.name = "thread",
	.help = "threads that registered: join, place, signal them",
	.verbs = verbs,
};
