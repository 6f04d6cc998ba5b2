/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BATCHD_ENGINE_ORT_H
#define BATCHD_ENGINE_ORT_H

#include <onnxruntime_c_api.h>
#include <stdbool.h>

#include "engine.h"

/* Shared by the files of the engine on ONNX Runtime. */

/**
 * struct engine - the library
 * @lib: From dlopen().
 * @api: Its calls.
 * @version: As text.
 * @env: Made once.
 * @memory: Where our tensors are.
 * @loud: It will write to standard error at the next chance.
 */
struct engine {
	void *lib;
	const OrtApi *api;
	const char *version;
	OrtEnv *env;
	OrtMemoryInfo *memory;
	bool loud;
};

/**
 * struct engine_model - a model
 * @engine: Its library.
 * @session: It, ready to run.
 * @info: Its input and output.
 */
struct engine_model {
	struct engine *engine;
	OrtSession *session;
	struct engine_info info;
};

int ort_errno(const OrtApi *api, OrtStatus *status, char *why, size_t whylen);
int ort_describe(struct engine_model *model, int output, int64_t *batch,
		 char *why, size_t whylen);

#endif /* BATCHD_ENGINE_ORT_H */
