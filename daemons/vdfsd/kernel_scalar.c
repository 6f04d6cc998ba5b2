// SPDX-License-Identifier: GPL-2.0-only
/* Distance kernels for any processor; see kernel.h. */
#include "kernel.h"

static float l2(const float *a, const float *b, size_t n)
{
	float sum = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		float d = a[i] - b[i];

		sum += d * d;
	}
	return sum;
}

static float dot(const float *a, const float *b, size_t n)
{
	float sum = 0;
	size_t i;

	for (i = 0; i < n; i++)
		sum += a[i] * b[i];
	return sum;
}

static int32_t dot_u8(const uint8_t *a, const int8_t *b, size_t n)
{
	int32_t sum = 0;
	size_t i;

	for (i = 0; i < n; i++)
		sum += (int32_t)a[i] * b[i];
	return sum;
}

#include "kernel_many.h"

const struct vdfs_kernel vdfs_kernel_scalar = {
	.name = "scalar",
	.l2 = l2,
	.dot = dot,
	.l2_many = l2_many,
	.dot_many = dot_many,
	.dot_u8 = dot_u8,
	.dot_u8_many = dot_u8_many,
};
