// SPDX-License-Identifier: GPL-2.0-only
/*
 * The engine on ONNX Runtime's C API, which is opened with dlopen(): the
 * daemon starts, and says what is missing, on a host without it.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine_ort.h"
#include "quiet.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define STRING(x) #x
#define EXPANDED(x) STRING(x)

/* Upstream's soname, Debian's (it has the minor version), the newest. */
static const char *const ort_libraries[] = {
	"libonnxruntime.so.1",
	("libonnxruntime.so.1." EXPANDED(ORT_API_VERSION)),
	"libonnxruntime.so",
};

/*
 * @values holds the tensors that were made so far, by rows: making them again
 * for each run would cost more than a small model's run.
 */
struct engine_binding {
	struct engine_model *model;
	OrtIoBinding *io;
	void *in;
	void *out;
	uint32_t rows;
	uint32_t bound;
	struct {
		OrtValue **of;
	} values[2];
};

static const struct {
	uint32_t dtype;
	ONNXTensorElementDataType ort;
	size_t size;
} engine_types[] = {
	{ PHI_DTYPE_F32, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, 4 },
	{ PHI_DTYPE_F16, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16, 2 },
	{ PHI_DTYPE_BF16, ONNX_TENSOR_ELEMENT_DATA_TYPE_BFLOAT16, 2 },
	{ PHI_DTYPE_F64, ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE, 8 },
	{ PHI_DTYPE_U8, ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8, 1 },
	{ PHI_DTYPE_I8, ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8, 1 },
	{ PHI_DTYPE_I16, ONNX_TENSOR_ELEMENT_DATA_TYPE_INT16, 2 },
	{ PHI_DTYPE_I32, ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32, 4 },
	{ PHI_DTYPE_I64, ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64, 8 },
	{ PHI_DTYPE_BOOL, ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL, 1 },
};

/**
 * ort_errno() - turn a status of ONNX Runtime into an errno
 * @api: Its calls.
 * @status: Result of one of them; released.
 * @why: Out, its text.
 * @whylen: Room at @why.
 *
 * Context: Any thread.
 * Return: 0 or a negative errno.
 */
int ort_errno(const OrtApi *api, OrtStatus *status, char *why, size_t whylen)
{
	int ret;

	if (!status)
		return 0;
	switch (api->GetErrorCode(status)) {
	case ORT_NO_SUCHFILE:
		ret = -ENOENT;
		break;
	case ORT_INVALID_ARGUMENT:
		ret = -EINVAL;
		break;
	case ORT_INVALID_PROTOBUF:
	case ORT_INVALID_GRAPH:
	case ORT_NO_MODEL:
		ret = -EBADMSG;
		break;
	case ORT_NOT_IMPLEMENTED:
		ret = -EOPNOTSUPP;
		break;
	default:
		ret = -EIO;
		break;
	}
	if (why && whylen)
		snprintf(why, whylen, "%s", api->GetErrorMessage(status));
	api->ReleaseStatus(status);
	return ret;
}

static int engine_open_library(struct engine *engine, const char *library,
			       char *why, size_t whylen)
{
	const OrtApiBase *(*base)(void);
	size_t i;

	if (library)
		engine->lib = dlopen(library, RTLD_NOW | RTLD_LOCAL);
	for (i = 0; !library && !engine->lib && i < ARRAY_SIZE(ort_libraries);
	     i++)
		engine->lib = dlopen(ort_libraries[i], RTLD_NOW | RTLD_LOCAL);
	if (!engine->lib) {
		snprintf(why, whylen, "%s", dlerror());
		return -ENOENT;
	}
	*(void **)&base = dlsym(engine->lib, "OrtGetApiBase");
	if (!base) {
		snprintf(why, whylen, "this library is not ONNX Runtime");
		return -EINVAL;
	}
	engine->version = base()->GetVersionString();
	engine->api = base()->GetApi(ORT_API_VERSION);
	if (!engine->api) {
		snprintf(why, whylen,
			 "ONNX Runtime %s is older than its header (API %d)",
			 engine->version, ORT_API_VERSION);
		return -EPROTONOSUPPORT;
	}
	return 0;
}

/**
 * engine_new() - open the inference library
 * @out: Out, the engine.
 * @library: File to open, or NULL for the system's.
 * @why: Out, what went wrong, when it fails.
 * @whylen: Room at @why.
 *
 * Context: Before other threads write to standard error, which is off for
 * a moment.
 * Return: 0, or -ENOENT, -EINVAL, -EPROTONOSUPPORT, -ENOMEM, -EIO.
 */
int engine_new(struct engine **out, const char *library, char *why,
	       size_t whylen)
{
	struct engine *engine = calloc(1, sizeof(*engine));
	int saved, ret;

	if (!engine)
		return -ENOMEM;
	saved = quiet_begin();
	ret = engine_open_library(engine, library, why, whylen);
	if (!ret)
		ret = ort_errno(engine->api,
				engine->api->CreateEnv(ORT_LOGGING_LEVEL_FATAL,
						       "batchd", &engine->env),
				why, whylen);
	quiet_end(saved);
	if (!ret)
		ret = ort_errno(engine->api,
				engine->api->CreateCpuMemoryInfo(
					OrtArenaAllocator, OrtMemTypeDefault,
					&engine->memory),
				why, whylen);
	if (ret) {
		engine_put(engine);
		return ret;
	}
	engine->loud = true;
	*out = engine;
	return 0;
}

/**
 * engine_put() - close the inference library
 * @engine: From engine_new(), or NULL; all its models are unloaded.
 *
 * Context: Any thread.
 */
void engine_put(struct engine *engine)
{
	if (!engine)
		return;
	if (engine->memory)
		engine->api->ReleaseMemoryInfo(engine->memory);
	if (engine->env)
		engine->api->ReleaseEnv(engine->env);
	/* The library stays: its threads and atexit handlers do not end. */
	free(engine);
}

/**
 * engine_version() - version of the library
 * @engine: From engine_new().
 *
 * Context: Any thread.
 * Return: Its version, as text.
 */
const char *engine_version(const struct engine *engine)
{
	return engine->version;
}

/* Fill in a row from a tensor's type; the first dimension is the batch. */
static int tensor_describe(const OrtApi *api, OrtTypeInfo *type,
			   struct engine_tensor *tensor, int64_t *batch,
			   char *why, size_t whylen)
{
	const OrtTensorTypeAndShapeInfo *info = NULL;
	int64_t dims[ENGINE_DIMS_MAX + 1];
	ONNXTensorElementDataType ort;
	size_t ndim, i;
	int ret;

	ret = ort_errno(api, api->CastTypeInfoToTensorInfo(type, &info), why,
			whylen);
	if (!ret && !info)
		ret = -EOPNOTSUPP;
	if (!ret)
		ret = ort_errno(api, api->GetTensorElementType(info, &ort), why,
				whylen);
	if (!ret)
		ret = ort_errno(api, api->GetDimensionsCount(info, &ndim), why,
				whylen);
	if (ret)
		return ret;
	if (!ndim || ndim > ENGINE_DIMS_MAX + 1) {
		snprintf(why, whylen, "\"%s\" has %zu dimensions", tensor->name,
			 ndim);
		return -EOPNOTSUPP;
	}
	ret = ort_errno(api, api->GetDimensions(info, dims, ndim), why, whylen);
	if (ret)
		return ret;

	for (i = 0; i < ARRAY_SIZE(engine_types); i++) {
		if (engine_types[i].ort == ort)
			break;
	}
	if (i == ARRAY_SIZE(engine_types)) {
		snprintf(why, whylen, "\"%s\" has elements of type %d",
			 tensor->name, ort);
		return -EOPNOTSUPP;
	}
	tensor->dtype = engine_types[i].dtype;
	tensor->row_bytes = engine_types[i].size;
	tensor->ndim = ndim - 1;
	*batch = dims[0] < 0 ? 0 : dims[0];
	for (i = 1; i < ndim; i++) {
		tensor->dims[i - 1] = dims[i];
		if (dims[i] < 1 || dims[i] > INT32_MAX ||
		    __builtin_mul_overflow(tensor->row_bytes, dims[i],
					   &tensor->row_bytes)) {
			snprintf(why, whylen,
				 "\"%s\" has no fixed length in dimension %zu",
				 tensor->name, i);
			return -EOPNOTSUPP;
		}
	}
	return 0;
}

/**
 * ort_describe() - describe the only input or output of a model
 * @model: With a session.
 * @output: 0 for the input, 1 for the output.
 * @batch: Out, its first dimension, 0 = any.
 * @why: Out, what is wrong with it.
 * @whylen: Room at @why.
 *
 * Context: Any thread.
 * Return: 0 or a negative errno.
 */
int ort_describe(struct engine_model *model, int output, int64_t *batch,
		 char *why, size_t whylen)
{
	struct engine_tensor *tensor = output ? &model->info.out :
						&model->info.in;
	const OrtApi *api = model->engine->api;
	OrtSession *session = model->session;
	OrtAllocator *allocator;
	OrtTypeInfo *type = NULL;
	char *name = NULL;
	size_t count;
	int ret;

	ret = ort_errno(api,
			output ? api->SessionGetOutputCount(session, &count) :
				 api->SessionGetInputCount(session, &count),
			why, whylen);
	if (ret)
		return ret;
	if (count != 1) {
		snprintf(why, whylen, "it has %zu %s, not one", count,
			 output ? "outputs" : "inputs");
		return -EOPNOTSUPP;
	}
	ret = ort_errno(api, api->GetAllocatorWithDefaultOptions(&allocator),
			why, whylen);
	if (!ret)
		ret = ort_errno(api,
				output ? api->SessionGetOutputName(
						 session, 0, allocator, &name) :
					 api->SessionGetInputName(
						 session, 0, allocator, &name),
				why, whylen);
	if (ret)
		return ret;
	if (strlen(name) >= sizeof(tensor->name)) {
		snprintf(why, whylen, "the name \"%.32s...\" is too long",
			 name);
		ret = -ENAMETOOLONG;
	} else {
		memcpy(tensor->name, name, strlen(name) + 1);
	}
	allocator->Free(allocator, name);
	if (!ret)
		ret = ort_errno(api,
				output ? api->SessionGetOutputTypeInfo(
						 session, 0, &type) :
					 api->SessionGetInputTypeInfo(session,
								      0, &type),
				why, whylen);
	if (!ret)
		ret = tensor_describe(api, type, tensor, batch, why, whylen);
	if (type)
		api->ReleaseTypeInfo(type);
	return ret;
}

/**
 * engine_model_info() - what a model takes and gives
 * @model: From engine_load().
 *
 * Context: Any thread.
 * Return: Its description, valid as long as @model.
 */
const struct engine_info *engine_model_info(const struct engine_model *model)
{
	return &model->info;
}

/**
 * engine_bind() - tie a model to buffers
 * @model: From engine_load().
 * @in: Room for @rows rows of input.
 * @out: Room for @rows rows of output.
 * @rows: Most rows in a run, at least 1.
 * @binding: Out, the binding.
 *
 * Context: Any thread; a binding is used by one thread at a time.
 * Return: 0, -ENOMEM or -EIO.
 */
int engine_bind(struct engine_model *model, void *in, void *out, uint32_t rows,
		struct engine_binding **binding)
{
	struct engine_binding *b = calloc(1, sizeof(*b));
	int ret = -ENOMEM;

	if (!b)
		return ret;
	b->model = model;
	b->in = in;
	b->out = out;
	b->rows = rows;
	b->values[0].of = calloc(rows + 1, sizeof(OrtValue *));
	b->values[1].of = calloc(rows + 1, sizeof(OrtValue *));
	if (b->values[0].of && b->values[1].of)
		ret = ort_errno(model->engine->api,
				model->engine->api->CreateIoBinding(
					model->session, &b->io),
				NULL, 0);
	if (ret) {
		engine_unbind(b);
		return ret;
	}
	*binding = b;
	return 0;
}

/**
 * engine_unbind() - undo engine_bind()
 * @binding: From engine_bind(), or NULL.
 *
 * Context: Any thread, while no run uses it.
 */
void engine_unbind(struct engine_binding *binding)
{
	const OrtApi *api;
	uint32_t i;
	int side;

	if (!binding)
		return;
	api = binding->model->engine->api;
	if (binding->io)
		api->ReleaseIoBinding(binding->io);
	for (side = 0; side < 2; side++) {
		for (i = 0; binding->values[side].of && i <= binding->rows;
		     i++) {
			if (binding->values[side].of[i])
				api->ReleaseValue(binding->values[side].of[i]);
		}
		free(binding->values[side].of);
	}
	free(binding);
}

/* The first @rows rows of one of the buffers as a tensor, made once. */
static int binding_value(struct engine_binding *b, int side, uint32_t rows,
			 char *why, size_t whylen)
{
	const struct engine_tensor *row = side ? &b->model->info.out :
						 &b->model->info.in;
	struct engine *engine = b->model->engine;
	int64_t shape[ENGINE_DIMS_MAX + 1];
	size_t i;

	if (b->values[side].of[rows])
		return 0;
	for (i = 0; engine_types[i].dtype != row->dtype; i++)
		;
	shape[0] = rows;
	memcpy(shape + 1, row->dims, row->ndim * sizeof(shape[0]));
	return ort_errno(engine->api,
			 engine->api->CreateTensorWithDataAsOrtValue(
				 engine->memory, side ? b->out : b->in,
				 rows * row->row_bytes, shape, row->ndim + 1,
				 engine_types[i].ort,
				 &b->values[side].of[rows]),
			 why, whylen);
}

static int binding_select(struct engine_binding *b, uint32_t rows, char *why,
			  size_t whylen)
{
	const OrtApi *api = b->model->engine->api;
	int ret;

	ret = binding_value(b, 0, rows, why, whylen);
	if (!ret)
		ret = binding_value(b, 1, rows, why, whylen);
	if (!ret)
		ret = ort_errno(api,
				api->BindInput(b->io, b->model->info.in.name,
					       b->values[0].of[rows]),
				why, whylen);
	if (!ret)
		ret = ort_errno(api,
				api->BindOutput(b->io, b->model->info.out.name,
						b->values[1].of[rows]),
				why, whylen);
	b->bound = ret ? 0 : rows;
	return ret;
}

/**
 * engine_run() - run a model on the first rows of its buffers
 * @binding: From engine_bind().
 * @rows: 1 to what engine_bind() was given.
 * @why: Out, what went wrong, when it fails; may be NULL.
 * @whylen: Room at @why.
 *
 * Context: One thread at a time for a binding.
 * Return: 0, -EINVAL for @rows out of range, or the engine's error.
 */
int engine_run(struct engine_binding *binding, uint32_t rows, char *why,
	       size_t whylen)
{
	struct engine_model *model = binding->model;
	const OrtApi *api = model->engine->api;
	int ret = 0;

	if (!rows || rows > binding->rows ||
	    (model->info.batch && rows != model->info.batch))
		return -EINVAL;
	if (binding->bound != rows)
		ret = binding_select(binding, rows, why, whylen);
	if (!ret)
		ret = ort_errno(api,
				api->RunWithBinding(model->session, NULL,
						    binding->io),
				why, whylen);
	return ret;
}
