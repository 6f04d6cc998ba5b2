/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFS_KERNEL_H
#define VDFS_KERNEL_H

#include <stddef.h>
#include <stdint.h>

#include "types.h"

/**
 * DOC: Distance kernels
 *
 * The inner loops of the index, once for AVX-512, AVX2 and plain C, chosen
 * at run time by what the processor has. The integer ones give the same
 * bits everywhere; the float ones differ by rounding only.
 *
 * Rows of originals are padded with zeros to VDFS_PAD_F32 elements, codes to
 * 64 dimensions; how codes of 4 bits and fewer lie in memory is said in
 * vdfs_quant_layout(). Rows start anywhere.
 */

#define VDFS_PAD_F32 16
#define VDFS_PAD_CODE 64

/**
 * struct vdfs_rows - rows of one stride
 * @base: The first row.
 * @stride: Bytes from a row to the next.
 * @n: Elements of a row that count, a multiple of the padding.
 */
struct vdfs_rows {
	const char *base;
	size_t stride;
	size_t n;
};

typedef float (*vdfs_dist_fn)(const void *row, const float *query, size_t n);
typedef void (*vdfs_dist_many_fn)(const float *query,
				  const struct vdfs_rows *rows,
				  const uint32_t *ids, size_t count,
				  float *out);
typedef int32_t (*vdfs_dot_fn)(const uint8_t *row, const int8_t *query,
			       size_t n);
typedef void (*vdfs_spread_fn)(const uint8_t *row, int8_t *out, size_t n);
typedef void (*vdfs_dot_many_fn)(const int8_t *query,
				 const struct vdfs_rows *rows,
				 const uint32_t *ids, size_t count,
				 int32_t *out);

/**
 * struct vdfs_kernel - one set of inner loops
 * @name: "avx512", "avx2" or "scalar".
 * @l2: Squared L2 distance of a row of @n elements and a query, by the type
 *      of the row.
 * @dot: Inner product of the same.
 * @l2_many: @l2 of a query and each of @count rows by number; @out shape
 *           [count]. Fetches rows ahead of their use.
 * @dot_many: The same for @dot.
 * @dot_code: Inner product of @n unsigned codes and a query of signed bytes,
 *            by the kind of codes; exact.
 * @dot_code_many: The same of one query and @count rows by number.
 * @to_f16: Round @n elements, a multiple of VDFS_PAD_F32, to half precision.
 * @from_f16: And back.
 * @top: The largest magnitude among @n elements.
 * @to_s8: Round @n elements times @factor to signed bytes; they fit.
 * @spread: A row of codes as signed bytes by the kind of codes: twice the code
 *          less the middle, which is whole; of 8 bits once. @n as for
 *          @dot_code.
 * @sum: Of @n signed bytes.
 * @square: The sum of their squares.
 * @turn: Give @n elements, a power of two from 64 to VDFS_DIM_MAX, signs that
 *        follow from @seed, then a Hadamard transform that keeps lengths.
 */
struct vdfs_kernel {
	const char *name;
	vdfs_dist_fn l2[VDFS_F16 + 1];
	vdfs_dist_fn dot[VDFS_F16 + 1];
	vdfs_dist_many_fn l2_many[VDFS_F16 + 1];
	vdfs_dist_many_fn dot_many[VDFS_F16 + 1];
	vdfs_dot_fn dot_code[VDFS_CODES_KINDS];
	vdfs_dot_many_fn dot_code_many[VDFS_CODES_KINDS];
	void (*to_f16)(const float *from, void *to, size_t n);
	void (*from_f16)(const void *from, float *to, size_t n);
	float (*top)(const float *from, size_t n);
	void (*to_s8)(const float *from, float factor, int8_t *to, size_t n);
	vdfs_spread_fn spread[VDFS_CODES_KINDS];
	int32_t (*sum)(const int8_t *from, size_t n);
	int32_t (*square)(const int8_t *from, size_t n);
	void (*turn)(float *o, size_t n, uint64_t seed);
};

extern const struct vdfs_kernel vdfs_kernel_scalar;
extern const struct vdfs_kernel vdfs_kernel_avx2;
extern const struct vdfs_kernel vdfs_kernel_avx512;

const struct vdfs_kernel *vdfs_kernel_best(void);
const struct vdfs_kernel *vdfs_kernel_named(const char *name);

#endif /* VDFS_KERNEL_H */
