/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PHI_TENSOR_H
#define PHI_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * DOC: Tensors
 *
 * A tensor is a typed view of a region: it says where in the region its
 * elements lie, and owns nothing. A descriptor that came from someone else
 * must be copied and then pass phi_tensor_check() before anything is
 * reached through it.
 */

#define PHI_TENSOR_NDIM_MAX 8

/* Types of elements. */
#define PHI_DTYPE_F32 1
#define PHI_DTYPE_F16 2
#define PHI_DTYPE_BF16 3
#define PHI_DTYPE_F64 4
#define PHI_DTYPE_I8 5
#define PHI_DTYPE_U8 6
#define PHI_DTYPE_I16 7
#define PHI_DTYPE_I32 8
#define PHI_DTYPE_I64 9
#define PHI_DTYPE_BOOL 10

/**
 * struct phi_tensor - where the elements of a tensor lie
 * @dtype: PHI_DTYPE_*.
 * @ndim: Dimensions, 0 (one element) to PHI_TENSOR_NDIM_MAX.
 * @offset: Bytes from the region's start to the element with all indices 0;
 *          a multiple of the element's size.
 * @shape: Elements along each dimension; 0 makes the tensor empty.
 * @strides: Elements from one index to the next, by dimension; 0 repeats.
 *
 * Neither shapes nor strides are negative. Past @ndim both are ignored.
 */
struct phi_tensor {
	uint32_t dtype;
	uint32_t ndim;
	uint64_t offset;
	int64_t shape[PHI_TENSOR_NDIM_MAX];
	int64_t strides[PHI_TENSOR_NDIM_MAX];
};

/**
 * phi_dtype_size() - bytes of one element
 * @dtype: PHI_DTYPE_*.
 *
 * Context: Any thread.
 * Return: 1, 2, 4 or 8; 0 when there is no such type.
 */
size_t phi_dtype_size(uint32_t dtype);

/**
 * phi_dtype_name() - name of a type, as "f32"
 * @dtype: PHI_DTYPE_*.
 *
 * Context: Any thread.
 * Return: A constant string; "?" when there is no such type.
 */
const char *phi_dtype_name(uint32_t dtype);

/**
 * phi_tensor_dense() - describe a row-major tensor without gaps
 * @t: Out.
 * @dtype: PHI_DTYPE_*.
 * @ndim: Dimensions.
 * @shape: @ndim lengths; may be NULL when @ndim is 0.
 * @offset: Bytes from the region's start.
 *
 * Context: Any thread.
 * Return: 0; -EINVAL for an unknown type, too many dimensions, a negative
 * length or a misaligned offset; -EOVERFLOW when its bytes are more than an
 * int64_t counts.
 */
int phi_tensor_dense(struct phi_tensor *t, uint32_t dtype, uint32_t ndim,
		     const int64_t *shape, uint64_t offset);

/**
 * phi_tensor_check() - does every element lie inside the region?
 * @t: Tensor; a private copy when it came from someone else.
 * @bytes: Length of the region.
 *
 * Context: Any thread.
 * Return: 0; -EINVAL when the descriptor makes no sense; -EOVERFLOW when its
 * extent cannot be counted; -ERANGE when an element lies outside.
 */
int phi_tensor_check(const struct phi_tensor *t, uint64_t bytes);

/**
 * phi_tensor_count() - number of elements
 * @t: Tensor.
 *
 * Context: Any thread.
 * Return: The product of its shape, 1 without dimensions, or -EINVAL or
 * -EOVERFLOW.
 */
int64_t phi_tensor_count(const struct phi_tensor *t);

/**
 * phi_tensor_bytes() - bytes of its elements, repeated ones each time
 * @t: Tensor.
 *
 * Context: Any thread.
 * Return: Bytes a dense copy takes, or -EINVAL or -EOVERFLOW.
 */
int64_t phi_tensor_bytes(const struct phi_tensor *t);

/**
 * phi_tensor_contiguous() - is it row-major without gaps?
 * @t: A tensor that passed phi_tensor_check().
 *
 * Strides of dimensions of length 1 do not matter, and none do when it is
 * empty.
 *
 * Context: Any thread.
 * Return: Whether one memcpy() of phi_tensor_bytes() copies it.
 */
bool phi_tensor_contiguous(const struct phi_tensor *t);

/**
 * phi_tensor_slice() - take part of one dimension
 * @t: A tensor that passed phi_tensor_check().
 * @dim: Which dimension.
 * @start: First index.
 * @count: How many, 0 allowed.
 * @step: From one to the next, at least 1.
 * @out: Out, the view; may be @t.
 *
 * Context: Any thread.
 * Return: 0, -EINVAL for a bad dimension or step, -ERANGE when an index lies
 * outside.
 */
int phi_tensor_slice(const struct phi_tensor *t, uint32_t dim, int64_t start,
		     int64_t count, int64_t step, struct phi_tensor *out);

/**
 * phi_tensor_index() - fix the index of one dimension, which goes away
 * @t: A tensor that passed phi_tensor_check().
 * @dim: Which dimension.
 * @index: Its index.
 * @out: Out, the view with one dimension less; may be @t.
 *
 * Context: Any thread.
 * Return: 0, -EINVAL for a bad dimension, -ERANGE for a bad index.
 */
int phi_tensor_index(const struct phi_tensor *t, uint32_t dim, int64_t index,
		     struct phi_tensor *out);

/**
 * phi_tensor_transpose() - swap two dimensions
 * @t: Tensor.
 * @a: Dimension.
 * @b: Dimension.
 * @out: Out, the view; may be @t.
 *
 * Context: Any thread.
 * Return: 0 or -EINVAL.
 */
int phi_tensor_transpose(const struct phi_tensor *t, uint32_t a, uint32_t b,
			 struct phi_tensor *out);

/**
 * phi_tensor_reshape() - see the same elements in another shape
 * @t: A contiguous tensor that passed phi_tensor_check().
 * @ndim: Dimensions of the view.
 * @shape: Their lengths; the product must stay the same.
 * @out: Out, the view; may be @t.
 *
 * Context: Any thread.
 * Return: 0, -EINVAL when the count differs or @t is not contiguous, or
 * -EOVERFLOW.
 */
int phi_tensor_reshape(const struct phi_tensor *t, uint32_t ndim,
		       const int64_t *shape, struct phi_tensor *out);

/**
 * phi_tensor_copy() - copy elements between two layouts
 * @to: Where to.
 * @to_base: The address its region is mapped at.
 * @from: Where from, of the same type and shape.
 * @from_base: The address its region is mapped at.
 *
 * Both must have passed phi_tensor_check(); they may not overlap.
 *
 * Context: Any thread.
 * Return: 0, or -EINVAL when type or shape differ.
 */
int phi_tensor_copy(const struct phi_tensor *to, void *to_base,
		    const struct phi_tensor *from, const void *from_base);

/**
 * struct phi_dlpack - a DLManagedTensor of DLPack, field by field
 * @data: Start of the region; @byte_offset leads to the first element.
 * @device_type: 1, the CPU.
 * @device_id: 0.
 * @ndim: Dimensions.
 * @code: Kind of number: 0 signed, 1 unsigned, 2 float, 4 bfloat, 6 bool.
 * @bits: Bits of one element.
 * @lanes: 1.
 * @shape: @ndim lengths.
 * @strides: @ndim strides in elements.
 * @byte_offset: Bytes from @data to the first element.
 * @manager_ctx: Private to the producer.
 * @deleter: The consumer calls it once, when it is done.
 *
 * Cast a pointer to it to DLPack's own type where that is declared.
 */
struct phi_dlpack {
	void *data;
	int32_t device_type;
	int32_t device_id;
	int32_t ndim;
	uint8_t code;
	uint8_t bits;
	uint16_t lanes;
	int64_t *shape;
	int64_t *strides;
	uint64_t byte_offset;
	void *manager_ctx;
	void (*deleter)(struct phi_dlpack *self);
};

/**
 * phi_tensor_dlpack() - export a tensor as DLPack describes it
 * @t: A tensor that passed phi_tensor_check().
 * @base: The address its region is mapped at.
 * @release: Called with @arg when the consumer is done; may be NULL.
 * @arg: For @release.
 * @out: Out, for the consumer, who calls its deleter once.
 *
 * The memory is the CPU's. It must stay mapped until @release is called.
 *
 * Context: Any thread.
 * Return: 0, -EINVAL for an unknown type, or -ENOMEM.
 */
int phi_tensor_dlpack(const struct phi_tensor *t, void *base,
		      void (*release)(void *arg), void *arg,
		      struct phi_dlpack **out);

#ifdef __cplusplus
}
#endif

#endif /* PHI_TENSOR_H */
