// SPDX-License-Identifier: GPL-2.0-only
/* A client of the batcher: a file of inputs in, outputs out. */
#include <errno.h>
#include <fcntl.h>
#include <phi/batch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "out_tree.h"

#define SHOWN_MAX 16
#define INPUT_MAX (1UL << 32)

/* One run: the session, what it sends and where that lies. */
struct run {
	int phi;
	struct phi_batch *batch;
	const struct phi_batch_attached *info;
	uint64_t region;
	unsigned char *mem; /* room for max inputs, then for their outputs */
	size_t mem_len;
	size_t out_at; /* where the outputs begin in mem */
	int slot;
	size_t in_bytes; /* of one input */
	size_t out_bytes; /* of one output */
	uint32_t max; /* inputs in one request */
	uint64_t span; /* of a deadline, 0 = none */
	uint32_t priority;
};

/* Bytes of one input or output: all lengths but the first. */
static size_t one_bytes(const struct phi_batch_tensor *t)
{
	size_t bytes = phi_dtype_size(t->dtype);
	int i;

	for (i = 1; i < t->ndim && i < PHI_TENSOR_NDIM_MAX; i++) {
		if (__builtin_mul_overflow(bytes, t->shape[i], &bytes))
			return 0;
	}
	return bytes <= INPUT_MAX ? bytes : 0;
}

/* A handle, or a file with a token. */
static int find_model(const struct args *args, uint64_t *model)
{
	const char *text = args->operand[0];

	if (!strncmp(text, "0x", 2))
		return args_handle(args, 0, model);
	return token_unseal(args->phi, text, model);
}

static int share_memory(struct run *run, size_t inputs)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t bytes;
	void *addr;
	int ret;

	run->max = run->info->max_batch;
	if (run->max > inputs)
		run->max = (uint32_t)inputs;
	run->out_at = (run->max * run->in_bytes + page - 1) / page * page;
	bytes = run->out_at + run->max * run->out_bytes;
	bytes = (bytes + page - 1) / page * page;

	ret = phi_region_create(run->phi, bytes, 0, &run->region);
	if (ret)
		return fail(ret, "make a region of %zu bytes", bytes);
	ret = phi_region_map(run->phi, run->region, PROT_READ | PROT_WRITE,
			     &addr, &run->mem_len);
	if (ret)
		return fail(ret, "map the region");
	run->mem = addr;
	run->slot = phi_batch_region(run->batch, run->region,
				     PHI_RIGHT_READ | PHI_RIGHT_WRITE,
				     now_ns(CLOCK_MONOTONIC) + 10000000000);
	if (run->slot < 0)
		return fail(run->slot, "give the region to the batcher");
	return EXIT_OK;
}

static int refused(const struct phi_batch_answer *answer)
{
	switch (-answer->status) {
	case ETIMEDOUT:
		if (answer->expected_ns)
			return fail_because("give it more with --deadline",
					    "the deadline is too near",
					    "run the model: it would take %s",
					    duration_text(answer->expected_ns));
		return fail_because("give it more with --deadline",
				    "the deadline passed", "run the model");
	case EAGAIN:
		return fail_because("try again later",
				    "the batcher's queue is full",
				    "run the model");
	case EIO:
		return fail_because("the batcher's log says more",
				    "the model failed", "run the model");
	case ECANCELED:
		return fail_because("try again when it is back",
				    "the batcher is stopping", "run the model");
	default:
		return fail(answer->status, "run the model");
	}
}

/* Send up to run->max inputs and take their outputs. */
static int run_some(struct run *run, const void *in, uint32_t n, void *out,
		    struct phi_batch_answer *answer)
{
	struct phi_batch_request req = { .priority = run->priority };
	int ret;

	if (run->span)
		req.deadline_ns = now_ns(CLOCK_MONOTONIC) + run->span;
	req.input = run->info->input;
	req.input.slot = (uint32_t)run->slot;
	req.input.shape[0] = n;
	req.output = run->info->output;
	req.output.slot = (uint32_t)run->slot;
	req.output.offset = run->out_at;
	req.output.shape[0] = n;

	memcpy(run->mem, in, n * run->in_bytes);
	ret = phi_batch_infer(run->batch, &req, answer);
	if (ret)
		return fail(ret, "reach the batcher");
	if (answer->status)
		return refused(answer);
	memcpy(out, run->mem + run->out_at, n * run->out_bytes);
	return EXIT_OK;
}

static double element(const void *data, uint32_t dtype, size_t i)
{
	switch (dtype) {
	case PHI_DTYPE_F32:
		return ((const float *)data)[i];
	case PHI_DTYPE_F64:
		return ((const double *)data)[i];
	case PHI_DTYPE_I8:
		return ((const int8_t *)data)[i];
	case PHI_DTYPE_I16:
		return ((const int16_t *)data)[i];
	case PHI_DTYPE_I32:
		return ((const int32_t *)data)[i];
	case PHI_DTYPE_I64:
		return (double)((const int64_t *)data)[i];
	case PHI_DTYPE_F16:
	case PHI_DTYPE_BF16:
		/* No C type here: shown as the bits. */
		return ((const uint16_t *)data)[i];
	default:
		return ((const uint8_t *)data)[i];
	}
}

static size_t greatest(const void *data, uint32_t dtype, size_t n)
{
	size_t best = 0;
	size_t i;

	for (i = 1; i < n; i++) {
		if (element(data, dtype, i) > element(data, dtype, best))
			best = i;
	}
	return best;
}

static void out_values(const char *key, const void *data, uint32_t dtype,
		       size_t n)
{
	json_t *list = json_array();
	char text[SHOWN_MAX * 12 + 8];
	size_t used = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		json_array_append_new(list, json_real(element(data, dtype, i)));
		if (i < SHOWN_MAX)
			used += (size_t)snprintf(text + used,
						 sizeof(text) - used, "%.4g ",
						 element(data, dtype, i));
	}
	snprintf(text + used, sizeof(text) - used, "%s",
		 n > SHOWN_MAX ? "..." : "");
	out_value(key, list, text);
}

static int print_outputs(const struct run *run, const unsigned char *out,
			 size_t inputs, const struct phi_batch_answer *answer)
{
	uint32_t dtype = run->info->output.dtype;
	size_t n = run->out_bytes / phi_dtype_size(dtype);
	const unsigned char *one;
	size_t i;

	out_u64("inputs", inputs);
	out_u64("unit", answer->unit);
	out_str("chosen_by",
		answer->why == PHI_CHOSEN_POLICY ? "policy" : "built in");
	out_u64("batch", answer->batch);
	out_ns("queue_ns", answer->queue_ns);
	out_ns("run_ns", answer->run_ns);
	out_table("outputs", "none");
	for (i = 0; i < inputs; i++) {
		one = out + i * run->out_bytes;
		out_row();
		out_u64("input", i);
		out_u64("greatest", greatest(one, dtype, n));
		out_values("values", one, dtype, n);
		out_close();
	}
	out_close();
	return out_end();
}

static int save(const char *path, const void *out, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	int ret;

	if (fd < 0)
		return fail_because(NULL, strerror(errno), "write %s", path);
	ret = write_all(fd, out, len);
	if (close(fd) && !ret)
		ret = -errno;
	return ret ? fail_because(NULL, strerror(-ret), "write %s", path) :
		     EXIT_OK;
}

static int run_all(struct run *run, const struct args *args,
		   const unsigned char *in, size_t len)
{
	const char *path = args_option(args, "output");
	struct phi_batch_answer answer = { 0 };
	bool tell = isatty(STDERR_FILENO);
	uint64_t told = now_ns(CLOCK_MONOTONIC);
	size_t inputs = len / run->in_bytes;
	unsigned char *out;
	uint32_t n;
	size_t i;
	int ret;

	ret = share_memory(run, inputs);
	if (ret)
		return ret;
	out = must(malloc(inputs * run->out_bytes + 1));
	for (i = 0; i < inputs && !ret; i += n) {
		n = inputs - i > run->max ? run->max : (uint32_t)(inputs - i);
		ret = run_some(run, in + i * run->in_bytes, n,
			       out + i * run->out_bytes, &answer);
		if (tell && now_ns(CLOCK_MONOTONIC) - told > 1000000000) {
			told = now_ns(CLOCK_MONOTONIC);
			fprintf(stderr, "\r%zu of %zu inputs", i + n, inputs);
		}
	}
	if (tell)
		fputs("\r\033[K", stderr);
	if (!ret && path)
		ret = save(path, out, inputs * run->out_bytes);
	else if (!ret)
		ret = print_outputs(run, out, inputs, &answer);
	free(out);
	return ret;
}

static int open_and_run(struct run *run, const struct args *args,
			uint64_t model, const void *in, size_t len)
{
	int ret;

	ret = phi_batch_open(run->phi, model, 0,
			     now_ns(CLOCK_MONOTONIC) + 10000000000,
			     &run->batch);
	if (ret == -ETIMEDOUT)
		return fail_because("see whether batchd still works",
				    "it did not answer for 10 s",
				    "reach the batcher");
	if (ret)
		return fail(ret, "open a session with the batcher");
	run->info = phi_batch_info(run->batch);
	run->in_bytes = one_bytes(&run->info->input);
	run->out_bytes = one_bytes(&run->info->output);
	if (!run->in_bytes || !run->out_bytes || !run->info->max_batch)
		return fail(-EPROTO, "understand the model's shape");
	if (!len || len % run->in_bytes)
		return usage_error(
			args,
			"%s has %zu bytes, which is no multiple of an input's %zu",
			args->operand[1], len, run->in_bytes);
	ret = run_all(run, args, in, len);
	if (run->slot >= 0)
		phi_batch_forget(run->batch, (uint32_t)run->slot,
				 now_ns(CLOCK_MONOTONIC) + 1000000000);
	return ret;
}

int infer_run(struct args *args)
{
	struct run run = { .phi = args->phi, .slot = -1 };
	uint64_t model;
	void *in;
	size_t len;
	int ret;

	run.priority = PHI_BATCH_PRIORITY_NORMAL;
	if (option_duration(args, "deadline", &run.span) ||
	    option_u32(args, "priority", PHI_BATCH_PRIORITY_HIGH,
		       &run.priority))
		return EXIT_USAGE;
	ret = read_file(args->operand[1], INPUT_MAX, &in, &len);
	if (ret)
		return fail_because(NULL, strerror(-ret), "read %s",
				    args->operand[1]);
	ret = find_model(args, &model);
	if (!ret) {
		ret = open_and_run(&run, args, model, in, len);
		phi_batch_close(run.batch);
		if (run.mem)
			phi_region_unmap(run.mem, run.mem_len);
		if (run.region)
			phi_cap_drop(run.phi, run.region);
		if (strncmp(args->operand[0], "0x", 2))
			phi_cap_drop(run.phi, model);
	}
	free(in);
	return ret;
}
