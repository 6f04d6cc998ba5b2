// SPDX-License-Identifier: GPL-2.0-only
/* Inferences: ask for a unit, or have the batcher run one. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "cli.h"
#include "out.h"

static const char *why_name(uint32_t why)
{
	switch (why) {
	case PHI_CHOSEN_BUILTIN:
		return "built in";
	case PHI_CHOSEN_POLICY:
		return "policy";
	default:
		return "unknown";
	}
}

static int infer_begin(struct args *args)
{
	struct phi_infer_begin batch = { .batch = 1 };
	uint64_t queued = 0;
	uint64_t deadline;
	uint64_t model;
	int ret;

	if (args_handle(args, 0, &model) ||
	    option_u32(args, "batch", UINT32_MAX, &batch.batch) ||
	    option_kind(args, "wanted", &batch.wanted) ||
	    option_when(args, "deadline", CLOCK_MONOTONIC, &deadline) ||
	    option_duration(args, "queued", &queued))
		return EXIT_USAGE;
	batch.model = model;
	batch.deadline_ns = deadline;
	batch.queued_ns = queued;
	ret = phi_infer_begin(args->phi, &batch);
	if (ret == -ENOENT)
		return fail_because(
			"phi unit list shows them; batchd registers some",
			"no healthy unit is open to this user",
			"begin a batch of %s", args->operand[0]);
	if (ret)
		return fail(ret, "begin a batch of %s", args->operand[0]);
	out_handle("ticket", batch.ticket);
	out_u64("batch", batch.batch);
	out_u64("unit", batch.unit);
	out_str("chosen_by", why_name(batch.why));
	out_ns("score_ns", batch.score_ns);
	return out_end();
}

static int infer_end(struct args *args)
{
	uint64_t run_ns;
	uint64_t ticket;
	uint64_t err = 0;
	int ret;

	if (args_handle(args, 0, &ticket) ||
	    option_u64(args, "error", 4095, &err))
		return EXIT_USAGE;
	ret = phi_infer_end(args->phi, ticket, -(int)err, &run_ns);
	if (ret)
		return fail(ret, "end the batch %s", args->operand[0]);
	out_ns("run_ns", run_ns);
	return out_end();
}

static int infer_select(struct args *args)
{
	struct phi_infer_select batch = { .batch = 1 };
	uint64_t deadline;
	uint64_t model;
	int ret;

	if (args_handle(args, 0, &model) ||
	    option_u32(args, "batch", UINT32_MAX, &batch.batch) ||
	    option_kind(args, "wanted", &batch.wanted) ||
	    option_when(args, "deadline", CLOCK_MONOTONIC, &deadline))
		return EXIT_USAGE;
	batch.model = model;
	batch.deadline_ns = deadline;
	ret = phi_infer_select(args->phi, &batch);
	if (ret == -ENOENT)
		return fail_because(
			"phi unit list shows them; batchd registers some",
			"no healthy unit is open to this user",
			"choose a unit for %s", args->operand[0]);
	if (ret)
		return fail(ret, "choose a unit for %s", args->operand[0]);
	out_u64("unit", batch.unit);
	out_str("chosen_by", why_name(batch.why));
	out_ns("score_ns", batch.score_ns);
	return out_end();
}

static const struct verb verbs[] = {
	{ "begin", infer_begin,
	  "CAP [--batch N] [--wanted KIND] [--deadline TIME] [--queued TIME]",
	  "ask leave for a batch of a model and charge the unit chosen",
	  HANDLES },
	{ "end", infer_end, "TICKET [--error ERRNO]",
	  "say that a batch is done, or failed", HANDLES },
	{ "select", infer_select,
	  "CAP [--batch N] [--wanted KIND] [--deadline TIME]",
	  "say which unit would run a batch now", HANDLES },
	{ "run", infer_run,
	  "MODEL INPUT [--output FILE] [--deadline TIME] [--priority N]",
	  "send a file of inputs to the batcher and print the outputs; MODEL is a handle or a file with a token",
	  VERB_PHI },
	{ 0 },
};

const struct noun infer_noun = {
	.name = "infer",
	.help = "inferences: choose a unit, run a model",
	.verbs = verbs,
};
