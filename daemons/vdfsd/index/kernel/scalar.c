// SPDX-License-Identifier: GPL-2.0-only
/* Distance kernels for any processor; see kernel.h. */
#include <math.h>
#include <string.h>

#include "kernel.h"

/* Half precision to single, by the bits of IEEE 754. */
static float from_half(uint16_t h)
{
	uint32_t sign = (uint32_t)(h & 0x8000) << 16;
	uint32_t exponent = h >> 10 & 31;
	uint32_t bits = sign | (uint32_t)(h & 0x7fff) << 13;
	const float tiny = 1.0f / (1 << 24);
	float f;

	if (!exponent) {
		f = (float)(h & 0x3ff) * tiny;
		return sign ? -f : f;
	}
	/* The exponent's bias is 127 in place of 15. */
	bits += exponent == 31 ? 0x70000000 : 0x38000000;
	memcpy(&f, &bits, sizeof(f));
	return f;
}

/* Single precision to half, to the nearest, ties to even. */
static uint16_t to_half(float f)
{
	uint32_t bits, rest, half;
	int shift = 13;

	memcpy(&bits, &f, sizeof(bits));
	half = bits >> 16 & 0x8000;
	bits &= 0x7fffffff;
	if (bits > 0x7f800000)
		return (uint16_t)(half | 0x7e00);
	if (bits >= 0x47800000)
		return (uint16_t)(half | 0x7c00);
	if (bits < 0x33000000)
		return (uint16_t)half;
	if (bits < 0x38800000) {
		/* Too small for an exponent: the leading 1 is written out. */
		shift += 113 - (int)(bits >> 23);
		bits = (bits & 0x7fffff) | 0x800000;
	} else {
		bits -= 0x38000000;
	}
	rest = bits & ((1U << shift) - 1);
	bits >>= shift;
	if (rest > 1U << (shift - 1) ||
	    (rest == 1U << (shift - 1) && (bits & 1)))
		bits++;
	return (uint16_t)(half | bits);
}

static void to_f16(const float *from, void *to, size_t n)
{
	uint16_t *out = to;
	size_t i;

	for (i = 0; i < n; i++)
		out[i] = to_half(from[i]);
}

static void from_f16(const void *from, float *to, size_t n)
{
	const uint16_t *in = from;
	size_t i;

	for (i = 0; i < n; i++)
		to[i] = from_half(in[i]);
}

static float top(const float *from, size_t n)
{
	float most = 0;
	size_t i;

	for (i = 0; i < n; i++)
		most = fmaxf(most, fabsf(from[i]));
	return most;
}

static void to_s8(const float *from, float factor, int8_t *to, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		to[i] = (int8_t)lrintf(from[i] * factor);
}

static float l2_f32(const void *row, const float *query, size_t n)
{
	const float *a = row;
	float sum = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		float d = a[i] - query[i];

		sum += d * d;
	}
	return sum;
}

static float l2_f16(const void *row, const float *query, size_t n)
{
	const uint16_t *a = row;
	float sum = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		float d = from_half(a[i]) - query[i];

		sum += d * d;
	}
	return sum;
}

static float dot_f32(const void *row, const float *query, size_t n)
{
	const float *a = row;
	float sum = 0;
	size_t i;

	for (i = 0; i < n; i++)
		sum += a[i] * query[i];
	return sum;
}

static float dot_f16(const void *row, const float *query, size_t n)
{
	const uint16_t *a = row;
	float sum = 0;
	size_t i;

	for (i = 0; i < n; i++)
		sum += from_half(a[i]) * query[i];
	return sum;
}

static int32_t dot_u8(const uint8_t *row, const int8_t *query, size_t n)
{
	int32_t sum = 0;
	size_t i;

	for (i = 0; i < n; i++)
		sum += (int32_t)row[i] * query[i];
	return sum;
}

static int32_t dot_u4(const uint8_t *row, const int8_t *query, size_t n)
{
	size_t half = 64;
	int32_t sum = 0;
	size_t i, j;

	for (i = 0; i < n; i += 2 * half) {
		if (i + half == n)
			half = 32;
		for (j = 0; j < half; j++)
			sum += (row[i / 2 + j] & 15) * query[i + j] +
			       (row[i / 2 + j] >> 4) * query[i + half + j];
	}
	return sum;
}

static int32_t dot_u3(const uint8_t *row, const int8_t *query, size_t n)
{
	int32_t sum = 0;
	size_t i, j;

	for (i = 0; i < n; i += 64, row += 24)
		for (j = 0; j < 64; j++)
			sum += ((row[j % 16] >> (j / 16 * 2) & 3) +
				(row[16 + j / 8] >> (j % 8) & 1) * 4) *
			       query[i + j];
	return sum;
}

static int32_t dot_u2(const uint8_t *row, const int8_t *query, size_t n)
{
	int32_t sum = 0;
	size_t i, j;

	for (i = 0; i < n; i += 64, row += 16)
		for (j = 0; j < 64; j++)
			sum += (row[j % 16] >> (j / 16 * 2) & 3) * query[i + j];
	return sum;
}

static int32_t dot_u1(const uint8_t *row, const int8_t *query, size_t n)
{
	int32_t sum = 0;
	size_t i;

	for (i = 0; i < n; i++)
		sum += row[i / 8] >> (i % 8) & 1 ? query[i] : 0;
	return sum;
}

#include "many.h"
#include "plain.h"

const struct vdfs_kernel vdfs_kernel_scalar = {
	.name = "scalar",
	KERNEL_LOOPS,
};
