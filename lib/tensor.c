// SPDX-License-Identifier: LGPL-2.1-or-later
/* Tensors as typed views of regions: see phi/tensor.h. */
#include <phi/tensor.h>
#include <stdlib.h>

#include "internal.h"

static const struct {
	const char *name;
	uint8_t size;
	uint8_t dl_code;
} dtypes[] = {
	[PHI_DTYPE_F32] = { "f32", 4, 2 },
	[PHI_DTYPE_F16] = { "f16", 2, 2 },
	[PHI_DTYPE_BF16] = { "bf16", 2, 4 },
	[PHI_DTYPE_F64] = { "f64", 8, 2 },
	[PHI_DTYPE_I8] = { "i8", 1, 0 },
	[PHI_DTYPE_U8] = { "u8", 1, 1 },
	[PHI_DTYPE_I16] = { "i16", 2, 0 },
	[PHI_DTYPE_I32] = { "i32", 4, 0 },
	[PHI_DTYPE_I64] = { "i64", 8, 0 },
	[PHI_DTYPE_BOOL] = { "bool", 1, 6 },
};

size_t phi_dtype_size(uint32_t dtype)
{
	return dtype < ARRAY_SIZE(dtypes) ? dtypes[dtype].size : 0;
}

const char *phi_dtype_name(uint32_t dtype)
{
	return phi_dtype_size(dtype) ? dtypes[dtype].name : "?";
}

/* Type, number of dimensions, and signs; what the rest relies on. */
static int sane(const struct phi_tensor *t)
{
	size_t size = phi_dtype_size(t->dtype);

	if (!size || t->ndim > PHI_TENSOR_NDIM_MAX || t->offset % size)
		return -EINVAL;
	for (uint32_t i = 0; i < t->ndim; i++) {
		if (t->shape[i] < 0 || t->strides[i] < 0)
			return -EINVAL;
	}
	return 0;
}

/* Product of lengths that are not negative; 0 wins over an overflow. */
static int64_t product(const int64_t *shape, uint32_t ndim)
{
	int64_t count = 1;
	bool over = false;

	for (uint32_t i = 0; i < ndim; i++) {
		if (!shape[i])
			return 0;
		over |= __builtin_mul_overflow(count, shape[i], &count);
	}
	return over ? -EOVERFLOW : count;
}

int64_t phi_tensor_count(const struct phi_tensor *t)
{
	int ret = sane(t);

	return ret ? ret : product(t->shape, t->ndim);
}

int64_t phi_tensor_bytes(const struct phi_tensor *t)
{
	int64_t count = phi_tensor_count(t);
	int64_t bytes;

	if (count < 0)
		return count;
	if (__builtin_mul_overflow(count, (int64_t)phi_dtype_size(t->dtype),
				   &bytes))
		return -EOVERFLOW;
	return bytes;
}

int phi_tensor_dense(struct phi_tensor *t, uint32_t dtype, uint32_t ndim,
		     const int64_t *shape, uint64_t offset)
{
	struct phi_tensor new = {
		.dtype = dtype,
		.ndim = ndim,
		.offset = offset,
	};
	int64_t stride = 1;
	int64_t bytes;

	if (ndim > PHI_TENSOR_NDIM_MAX)
		return -EINVAL;
	for (uint32_t i = 0; i < ndim; i++)
		new.shape[i] = shape[i];
	bytes = phi_tensor_bytes(&new);
	if (bytes < 0)
		return (int)bytes;

	for (uint32_t i = ndim; i-- > 0;) {
		new.strides[i] = stride;
		/* Only an empty tensor can overflow here; any stride does. */
		if (__builtin_mul_overflow(stride, new.shape[i], &stride))
			stride = 0;
	}
	*t = new;
	return 0;
}

int phi_tensor_check(const struct phi_tensor *t, uint64_t bytes)
{
	uint64_t size = phi_dtype_size(t->dtype);
	uint64_t last = 0;
	int64_t count;
	uint64_t end;

	/* A count that overflows is refused though strides may repeat. */
	count = phi_tensor_bytes(t);
	if (count < 0)
		return (int)count;
	if (!count)
		return t->offset <= bytes ? 0 : -ERANGE;

	for (uint32_t i = 0; i < t->ndim; i++) {
		uint64_t reach;

		if (__builtin_mul_overflow((uint64_t)t->shape[i] - 1,
					   (uint64_t)t->strides[i], &reach) ||
		    __builtin_add_overflow(last, reach, &last))
			return -EOVERFLOW;
	}
	if (__builtin_add_overflow(last, 1, &end) ||
	    __builtin_mul_overflow(end, size, &end) ||
	    __builtin_add_overflow(end, t->offset, &end))
		return -EOVERFLOW;
	return end <= bytes ? 0 : -ERANGE;
}

bool phi_tensor_contiguous(const struct phi_tensor *t)
{
	int64_t stride = 1;

	if (!phi_tensor_count(t))
		return true;
	for (uint32_t i = t->ndim; i-- > 0;) {
		if (t->shape[i] == 1)
			continue;
		if (t->strides[i] != stride)
			return false;
		stride *= t->shape[i];
	}
	return true;
}

int phi_tensor_slice(const struct phi_tensor *t, uint32_t dim, int64_t start,
		     int64_t count, int64_t step, struct phi_tensor *out)
{
	struct phi_tensor view = *t;

	if (sane(t) || dim >= t->ndim || step < 1)
		return -EINVAL;
	if (start < 0 || count < 0 || start > t->shape[dim])
		return -ERANGE;
	/* (count - 1) * step <= room - 1, without the product */
	if (count && (start == t->shape[dim] ||
		      count - 1 > (t->shape[dim] - start - 1) / step))
		return -ERANGE;

	view.shape[dim] = count;
	/* Where nothing is, the check did not bound the products. */
	if (phi_tensor_count(t) > 0 && count) {
		view.offset += (uint64_t)start * (uint64_t)t->strides[dim] *
			       phi_dtype_size(t->dtype);
	}
	if (count < 2 ||
	    __builtin_mul_overflow(t->strides[dim], step, &view.strides[dim]))
		view.strides[dim] = 1;
	*out = view;
	return 0;
}

int phi_tensor_index(const struct phi_tensor *t, uint32_t dim, int64_t index,
		     struct phi_tensor *out)
{
	struct phi_tensor view;
	int ret;

	ret = phi_tensor_slice(t, dim, index, 1, 1, &view);
	if (ret)
		return ret;
	view.ndim--;
	for (uint32_t i = dim; i < view.ndim; i++) {
		view.shape[i] = view.shape[i + 1];
		view.strides[i] = view.strides[i + 1];
	}
	*out = view;
	return 0;
}

int phi_tensor_transpose(const struct phi_tensor *t, uint32_t a, uint32_t b,
			 struct phi_tensor *out)
{
	struct phi_tensor view = *t;

	if (sane(t) || a >= t->ndim || b >= t->ndim)
		return -EINVAL;
	view.shape[a] = t->shape[b];
	view.strides[a] = t->strides[b];
	view.shape[b] = t->shape[a];
	view.strides[b] = t->strides[a];
	*out = view;
	return 0;
}

int phi_tensor_reshape(const struct phi_tensor *t, uint32_t ndim,
		       const int64_t *shape, struct phi_tensor *out)
{
	struct phi_tensor view;
	int ret;

	if (sane(t) || !phi_tensor_contiguous(t))
		return -EINVAL;
	ret = phi_tensor_dense(&view, t->dtype, ndim, shape, t->offset);
	if (ret)
		return ret;
	if (phi_tensor_count(&view) != phi_tensor_count(t))
		return -EINVAL;
	*out = view;
	return 0;
}

/*
 * How many trailing dimensions both sides lay out without gaps, and how many
 * elements that is: so much goes in one memcpy().
 */
static uint32_t dense_tail(const struct phi_tensor *a,
			   const struct phi_tensor *b, int64_t *run)
{
	uint32_t dim = a->ndim;

	*run = 1;
	while (dim > 0) {
		int64_t n = a->shape[dim - 1];

		if (n != 1 && (a->strides[dim - 1] != *run ||
			       b->strides[dim - 1] != *run))
			break;
		*run *= n;
		dim--;
	}
	return dim;
}

int phi_tensor_copy(const struct phi_tensor *to, void *to_base,
		    const struct phi_tensor *from, const void *from_base)
{
	size_t size = phi_dtype_size(to->dtype);
	const char *src = (const char *)from_base + from->offset;
	char *dst = (char *)to_base + to->offset;
	int64_t at[PHI_TENSOR_NDIM_MAX] = { 0 };
	uint32_t outer;
	int64_t run;

	if (sane(to) || sane(from) || to->dtype != from->dtype ||
	    to->ndim != from->ndim ||
	    memcmp(to->shape, from->shape, to->ndim * sizeof(*to->shape)))
		return -EINVAL;
	if (!phi_tensor_count(to))
		return 0;

	outer = dense_tail(to, from, &run);
	for (;;) {
		uint32_t dim = outer;
		int64_t d = 0;
		int64_t s = 0;

		for (uint32_t i = 0; i < outer; i++) {
			d += at[i] * to->strides[i];
			s += at[i] * from->strides[i];
		}
		memcpy(dst + (size_t)d * size, src + (size_t)s * size,
		       (size_t)run * size);

		/* Count up, the last of the outer dimensions fastest. */
		while (dim > 0 && ++at[dim - 1] == to->shape[dim - 1])
			at[--dim] = 0;
		if (!dim)
			return 0;
	}
}

/* The exported struct and what it points at, in one allocation. */
struct dl_export {
	struct phi_dlpack dl;
	int64_t shape[PHI_TENSOR_NDIM_MAX];
	int64_t strides[PHI_TENSOR_NDIM_MAX];
	void (*release)(void *arg);
	void *arg;
};

static void export_delete(struct phi_dlpack *dl)
{
	struct dl_export *e = dl->manager_ctx;

	if (e->release)
		e->release(e->arg);
	free(e);
}

int phi_tensor_dlpack(const struct phi_tensor *t, void *base,
		      void (*release)(void *arg), void *arg,
		      struct phi_dlpack **out)
{
	struct dl_export *e;

	if (sane(t))
		return -EINVAL;
	e = calloc(1, sizeof(*e));
	if (!e)
		return -ENOMEM;
	memcpy(e->shape, t->shape, sizeof(e->shape));
	memcpy(e->strides, t->strides, sizeof(e->strides));
	e->release = release;
	e->arg = arg;
	e->dl = (struct phi_dlpack){
		.data = base,
		.device_type = 1,
		.ndim = (int32_t)t->ndim,
		.code = dtypes[t->dtype].dl_code,
		.bits = (uint8_t)(8 * phi_dtype_size(t->dtype)),
		.lanes = 1,
		.shape = e->shape,
		.strides = e->strides,
		.byte_offset = t->offset,
		.manager_ctx = e,
		.deleter = export_delete,
	};
	*out = &e->dl;
	return 0;
}
