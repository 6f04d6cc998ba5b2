/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFS_KERNEL_H
#define VDFS_KERNEL_H

#include <stddef.h>
#include <stdint.h>

/**
 * DOC: Distance kernels
 *
 * The inner loops of the index, once for AVX-512, AVX2 and plain C, chosen
 * at run time by what the processor has. The integer ones give the same
 * bits everywhere; the float ones differ by rounding only.
 *
 * Rows are padded with zeros: f32 rows to VDFS_PAD_F32 elements, code rows
 * to VDFS_PAD_U8 bytes, and start on a multiple of 64 bytes.
 */

#define VDFS_PAD_F32 16
#define VDFS_PAD_U8 64

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

/**
 * struct vdfs_kernel - one set of inner loops
 * @name: "avx512", "avx2" or "scalar".
 * @l2: Squared L2 distance of two f32 rows of @n elements.
 * @dot: Inner product of two f32 rows of @n elements.
 * @l2_many: @l2 of query and each of @count rows by number; @out shape
 *           [count]. Fetches rows ahead of their use.
 * @dot_many: The same for @dot.
 * @dot_u8: Inner product of a u8 row and an s8 row of @n elements; exact.
 * @dot_u8_many: The same of one s8 query and @count u8 rows by number.
 */
struct vdfs_kernel {
	const char *name;
	float (*l2)(const float *a, const float *b, size_t n);
	float (*dot)(const float *a, const float *b, size_t n);
	void (*l2_many)(const float *query, const struct vdfs_rows *rows,
			const uint32_t *ids, size_t count, float *out);
	void (*dot_many)(const float *query, const struct vdfs_rows *rows,
			 const uint32_t *ids, size_t count, float *out);
	int32_t (*dot_u8)(const uint8_t *a, const int8_t *b, size_t n);
	void (*dot_u8_many)(const int8_t *query, const struct vdfs_rows *rows,
			    const uint32_t *ids, size_t count, int32_t *out);
};

extern const struct vdfs_kernel vdfs_kernel_scalar;
extern const struct vdfs_kernel vdfs_kernel_avx2;
extern const struct vdfs_kernel vdfs_kernel_avx512;

const struct vdfs_kernel *vdfs_kernel_best(void);
const struct vdfs_kernel *vdfs_kernel_named(const char *name);

#endif /* VDFS_KERNEL_H */
