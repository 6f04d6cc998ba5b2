// SPDX-License-Identifier: GPL-2.0-only
/* Loading models into ONNX Runtime: from files, or where they lie in memory. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine_ort.h"
#include "quiet.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Bytes 4 to 7 of a model in ONNX Runtime's own format. */
#define ORT_MARK "ORTM"

/* Where a model is: @path, or @len bytes at @bytes. */
struct source {
	const char *path;
	const void *bytes;
	size_t len;
	const char *convert_to;
};

/*
 * These make a session use a model where it lies: the graph, the weights, and
 * no second copy of them in an order that suits the processor better. Only ONNX
 * Runtime's own format can be used so; one in ONNX's is parsed, which copies
 * the weights.
 */
static const char *const in_place[][2] = {
	{ "session.use_ort_model_bytes_directly", "1" },
	{ "session.use_ort_model_bytes_for_initializers", "1" },
	{ "session.disable_prepacking", "1" },
};

static const char *const convert[][2] = {
	{ "session.save_model_format", "ORT" },
};

static int set_entries(const OrtApi *api, OrtSessionOptions *options,
		       const char *const (*entries)[2], size_t n, char *why,
		       size_t whylen)
{
	int ret = 0;
	size_t i;

	for (i = 0; i < n && !ret; i++)
		ret = ort_errno(api,
				api->AddSessionConfigEntry(
					options, entries[i][0], entries[i][1]),
				why, whylen);
	return ret;
}

static bool is_ort_format(const struct source *from)
{
	return from->bytes && from->len > 8 &&
	       !memcmp((const char *)from->bytes + 4, ORT_MARK, 4);
}

/*
 * One thread a run: a unit is one runner, and more units are more runners.
 * Two sessions that spread over all processors would fight for them.
 */
static int set_options(const OrtApi *api, OrtSessionOptions *options,
		       const struct source *from, char *why, size_t whylen)
{
	int ret;

	ret = ort_errno(api, api->SetIntraOpNumThreads(options, 1), why,
			whylen);
	if (!ret)
		ret = ort_errno(api, api->SetInterOpNumThreads(options, 1), why,
				whylen);
	if (!ret)
		ret = ort_errno(api,
				api->SetSessionLogSeverityLevel(
					options, ORT_LOGGING_LEVEL_FATAL),
				why, whylen);
	if (!ret && is_ort_format(from))
		ret = set_entries(api, options, in_place, ARRAY_SIZE(in_place),
				  why, whylen);
	if (ret || !from->convert_to)
		return ret;
	ret = set_entries(api, options, convert, ARRAY_SIZE(convert), why,
			  whylen);
	/* Optimize for all processors of this kind, not for this one alone. */
	if (!ret)
		ret = ort_errno(api,
				api->SetSessionGraphOptimizationLevel(
					options, ORT_ENABLE_EXTENDED),
				why, whylen);
	if (!ret)
		ret = ort_errno(api,
				api->SetOptimizedModelFilePath(
					options, from->convert_to),
				why, whylen);
	return ret;
}

static OrtStatus *create(struct engine_model *model, OrtSessionOptions *options,
			 const struct source *from)
{
	struct engine *engine = model->engine;

	if (from->path)
		return engine->api->CreateSession(engine->env, from->path,
						  options, &model->session);
	return engine->api->CreateSessionFromArray(
		engine->env, from->bytes, from->len, options, &model->session);
}

static int session_new(struct engine_model *model, const struct source *from,
		       char *why, size_t whylen)
{
	struct engine *engine = model->engine;
	const OrtApi *api = engine->api;
	OrtSessionOptions *options = NULL;
	int saved = -1;
	int ret;

	ret = ort_errno(api, api->CreateSessionOptions(&options), why, whylen);
	if (!ret)
		ret = set_options(api, options, from, why, whylen);
	if (engine->loud)
		saved = quiet_begin();
	if (!ret)
		ret = ort_errno(api, create(model, options, from), why, whylen);
	if (engine->loud)
		quiet_end(saved);
	engine->loud = false;
	if (options)
		api->ReleaseSessionOptions(options);
	return ret;
}

static int load(struct engine *engine, const struct source *from,
		struct engine_model **out, char *why, size_t whylen)
{
	struct engine_model *model = calloc(1, sizeof(*model));
	int64_t in = 0, result = 0;
	int ret;

	if (!model)
		return -ENOMEM;
	model->engine = engine;
	ret = session_new(model, from, why, whylen);
	if (!ret)
		ret = ort_describe(model, 0, &in, why, whylen);
	if (!ret)
		ret = ort_describe(model, 1, &result, why, whylen);
	if (!ret && (in != result || in > UINT16_MAX)) {
		snprintf(why, whylen,
			 "input and output differ in their first dimension");
		ret = -EOPNOTSUPP;
	}
	if (ret) {
		engine_unload(model);
		return ret;
	}
	model->info.batch = in;
	*out = model;
	return 0;
}

/**
 * engine_load() - load a model
 * @engine: From engine_new().
 * @path: File, in ONNX's or ONNX Runtime's format.
 * @out: Out, the model.
 * @why: Out, what went wrong, when it fails.
 * @whylen: Room at @why.
 *
 * Context: One thread at a time; the first one before other threads write to
 * standard error. Takes milliseconds.
 * Return: 0, -ENOENT (no such file), -EBADMSG (not a model), -EOPNOTSUPP (a
 * model that cannot be batched), or another negative errno.
 */
int engine_load(struct engine *engine, const char *path,
		struct engine_model **out, char *why, size_t whylen)
{
	struct source from = { .path = path };

	return load(engine, &from, out, why, whylen);
}

/**
 * engine_load_bytes() - load a model that is in memory
 * @engine: From engine_new().
 * @bytes: It; of one in ONNX Runtime's own format the weights are used where
 *         they lie, so it stays until the model is unloaded. Of one in ONNX's
 *         they are copied.
 * @len: Its length.
 * @out: Out, the model.
 * @why: Out, what went wrong, when it fails.
 * @whylen: Room at @why.
 *
 * Context: As engine_load().
 * Return: As engine_load().
 */
int engine_load_bytes(struct engine *engine, const void *bytes, size_t len,
		      struct engine_model **out, char *why, size_t whylen)
{
	struct source from = { .bytes = bytes, .len = len };

	return load(engine, &from, out, why, whylen);
}

/**
 * engine_convert() - write a model in ONNX Runtime's own format
 * @engine: From engine_new().
 * @path: File to read.
 * @to: File to write.
 * @why: Out, what went wrong, when it fails.
 * @whylen: Room at @why.
 *
 * Context: As engine_load().
 * Return: As engine_load().
 */
int engine_convert(struct engine *engine, const char *path, const char *to,
		   char *why, size_t whylen)
{
	struct source from = { .path = path, .convert_to = to };
	struct engine_model *model;
	int ret;

	ret = load(engine, &from, &model, why, whylen);
	if (!ret)
		engine_unload(model);
	return ret;
}

/**
 * engine_unload() - forget a model
 * @model: From engine_load(), or NULL; all its bindings are gone.
 *
 * Context: Any thread.
 */
void engine_unload(struct engine_model *model)
{
	if (!model)
		return;
	if (model->session)
		model->engine->api->ReleaseSession(model->session);
	free(model);
}
