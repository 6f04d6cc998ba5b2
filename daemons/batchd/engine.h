/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BATCHD_ENGINE_H
#define BATCHD_ENGINE_H

#include <phi/tensor.h>
#include <stddef.h>
#include <stdint.h>

/**
 * DOC: The engine that runs models
 *
 * An engine loads models that have one input and one output tensor, whose
 * first dimension is the batch. A binding ties a model to a pair of buffers
 * of the caller: a run reads rows from one and writes rows to the other, and
 * copies nothing.
 */

/* Dimensions of a row: the batch is one more. */
#define ENGINE_DIMS_MAX (PHI_TENSOR_NDIM_MAX - 1)

/* Longest name of a tensor, final NUL included. */
#define ENGINE_NAME_MAX 64

struct engine;
struct engine_model;
struct engine_binding;

/**
 * struct engine_tensor - what one row of a tensor looks like
 * @name: The model's name for it.
 * @dtype: PHI_DTYPE_*.
 * @ndim: Dimensions of a row; 0 for a scalar.
 * @dims: Their lengths, each at least 1.
 * @row_bytes: Length of a row, never 0.
 */
struct engine_tensor {
	char name[ENGINE_NAME_MAX];
	uint32_t dtype;
	uint32_t ndim;
	int64_t dims[ENGINE_DIMS_MAX];
	size_t row_bytes;
};

/**
 * struct engine_info - what a model takes and gives
 * @in: A row of its input.
 * @out: A row of its output.
 * @batch: Rows it must have in a run; 0 = any number.
 */
struct engine_info {
	struct engine_tensor in;
	struct engine_tensor out;
	uint32_t batch;
};

int engine_new(struct engine **out, const char *library, char *why,
	       size_t whylen);
void engine_put(struct engine *engine);
const char *engine_version(const struct engine *engine);

int engine_load(struct engine *engine, const char *path,
		struct engine_model **out, char *why, size_t whylen);
int engine_load_bytes(struct engine *engine, const void *bytes, size_t len,
		      struct engine_model **out, char *why, size_t whylen);
int engine_convert(struct engine *engine, const char *path, const char *to,
		   char *why, size_t whylen);
void engine_unload(struct engine_model *model);
const struct engine_info *engine_model_info(const struct engine_model *model);

int engine_bind(struct engine_model *model, void *in, void *out, uint32_t rows,
		struct engine_binding **binding);
void engine_unbind(struct engine_binding *binding);
int engine_run(struct engine_binding *binding, uint32_t rows, char *why,
	       size_t whylen);

#endif /* BATCHD_ENGINE_H */
