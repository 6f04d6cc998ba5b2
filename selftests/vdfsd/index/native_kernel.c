// SPDX-License-Identifier: GPL-2.0-only
/* The distance kernels, against plain C and against numbers by hand. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <kselftest_harness.h>

#include <daemons/vdfsd/index/kernel/kernel.h>

#include "vdfsd/vectors.h"

#define ROWS 40
#define N_F32 208
#define N_U8 320

FIXTURE(kernel)
{
	const struct vdfs_kernel *kernel;
	float *f32;
	uint8_t *u8;
	float *query;
	int8_t *query8;
	uint32_t ids[ROWS];
};

FIXTURE_VARIANT(kernel)
{
	const char *name;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(kernel, scalar) { .name = "scalar" };
FIXTURE_VARIANT_ADD(kernel, avx2) { .name = "avx2" };
FIXTURE_VARIANT_ADD(kernel, avx512) { .name = "avx512" };
/* clang-format on */

FIXTURE_SETUP(kernel)
{
	uint64_t state = 7;
	size_t i;

	self->kernel = vdfs_kernel_named(variant->name);
	if (!self->kernel)
		SKIP(return, "this processor has no %s", variant->name);
	self->f32 = aligned_alloc(64, ROWS * N_F32 * sizeof(float));
	self->u8 = aligned_alloc(64, ROWS * N_U8);
	self->query = aligned_alloc(64, N_F32 * sizeof(float));
	self->query8 = aligned_alloc(64, N_U8);
	ASSERT_TRUE(self->f32 && self->u8 && self->query && self->query8);
	for (i = 0; i < ROWS * N_F32; i++)
		self->f32[i] = vectors_uniform(&state) - 0.5f;
	for (i = 0; i < ROWS * N_U8; i++)
		self->u8[i] = (uint8_t)(vectors_random(&state) >> 56);
	for (i = 0; i < N_F32; i++)
		self->query[i] = vectors_uniform(&state) - 0.5f;
	for (i = 0; i < N_U8; i++)
		self->query8[i] = (int8_t)(vectors_random(&state) >> 56);
	for (i = 0; i < ROWS; i++)
		self->ids[i] = (uint32_t)(ROWS - 1 - i);
}

FIXTURE_TEARDOWN(kernel)
{
	free(self->f32);
	free(self->u8);
	free(self->query);
	free(self->query8);
}

TEST_F(kernel, floats_agree_with_plain_c)
{
	const struct vdfs_kernel *c = &vdfs_kernel_scalar;
	uint16_t half[N_F32];
	size_t n, t;

	c->to_f16(self->f32, half, N_F32);
	for (n = VDFS_PAD_F32; n <= N_F32; n += VDFS_PAD_F32) {
		for (t = VDFS_F32; t <= VDFS_F16; t += VDFS_F16 - VDFS_F32) {
			const void *row = t == VDFS_F16 ? (void *)half :
							  self->f32;

			EXPECT_LT(
				fabsf(self->kernel->l2[t](row, self->query, n) -
				      c->l2[t](row, self->query, n)),
				0.0001f);
			EXPECT_LT(fabsf(self->kernel->dot[t](row, self->query,
							     n) -
					c->dot[t](row, self->query, n)),
				  0.0001f);
		}
	}
}

TEST_F(kernel, codes_agree_with_plain_c)
{
	const struct vdfs_kernel *c = &vdfs_kernel_scalar;
	size_t n, kind, i;

	for (kind = VDFS_CODES_8; kind < VDFS_CODES_KINDS; kind++)
		for (n = VDFS_PAD_CODE; n <= N_U8; n += VDFS_PAD_CODE)
			for (i = 0; i < 8; i++)
				EXPECT_EQ(c->dot_code[kind](self->u8 + i * 32,
							    self->query8, n),
					  self->kernel->dot_code[kind](
						  self->u8 + i * 32,
						  self->query8, n));
}

/* The layout that vdfs_quant_layout() states, one dimension at a time. */
TEST_F(kernel, finds_each_dimension_of_a_code)
{
	static const size_t lengths[] = { 64, 128, 192, 256 };
	uint8_t row[128];
	int8_t one[256];
	size_t i, d, n;

	for (i = 0; i < 4; i++) {
		n = lengths[i];
		for (d = 0; d < n; d++) {
			size_t half = d / 128 * 128 + 64 == n ? 32 : 64;

			memset(one, 0, sizeof(one));
			one[d] = 3;
			memset(row, 0, sizeof(row));
			row[d / 128 * 64 + d % 128 % half] =
				d % 128 < half ? 5 : 5 << 4;
			EXPECT_EQ(15, self->kernel->dot_code[VDFS_CODES_4](
					      row, one, n));
			memset(row, 0, sizeof(row));
			row[d / 64 * 24 + d % 16] =
				(uint8_t)(1 << (d % 64 / 16 * 2));
			row[d / 64 * 24 + 16 + d % 64 / 8] =
				(uint8_t)(1 << (d % 8));
			EXPECT_EQ(15, self->kernel->dot_code[VDFS_CODES_3](
					      row, one, n));
			memset(row, 0, sizeof(row));
			row[d / 64 * 16 + d % 16] =
				(uint8_t)(2 << (d % 64 / 16 * 2));
			EXPECT_EQ(6, self->kernel->dot_code[VDFS_CODES_2](
					     row, one, n));
			memset(row, 0, sizeof(row));
			row[d / 8] = (uint8_t)(1 << (d % 8));
			EXPECT_EQ(3, self->kernel->dot_code[VDFS_CODES_1](
					     row, one, n));
		}
	}
}

/* The largest products there are must not saturate on the way. */
TEST_F(kernel, does_not_saturate)
{
	static const int32_t top[] = { 0, 255, 15, 1, 3, 7 };
	size_t kind;

	memset(self->u8, 255, N_U8);
	for (kind = VDFS_CODES_8; kind < VDFS_CODES_KINDS; kind++) {
		memset(self->query8, -128, N_U8);
		EXPECT_EQ(-128 * top[kind] * N_U8,
			  self->kernel->dot_code[kind](self->u8, self->query8,
						       N_U8));
		memset(self->query8, 127, N_U8);
		EXPECT_EQ(127 * top[kind] * N_U8,
			  self->kernel->dot_code[kind](self->u8, self->query8,
						       N_U8));
	}
}

TEST_F(kernel, many_is_one_by_one)
{
	struct vdfs_rows f32 = { (char *)self->f32, N_F32 * sizeof(float),
				 N_F32 };
	struct vdfs_rows u8 = { (char *)self->u8, N_U8, N_U8 };
	float l2[ROWS], dot[ROWS];
	int32_t code[ROWS];
	size_t count, i, kind;

	for (count = 0; count <= ROWS; count++) {
		self->kernel->l2_many[VDFS_F32](self->query, &f32, self->ids,
						count, l2);
		self->kernel->dot_many[VDFS_F32](self->query, &f32, self->ids,
						 count, dot);
		for (i = 0; i < count; i++) {
			const float *row = self->f32 + self->ids[i] * N_F32;

			EXPECT_EQ(self->kernel->l2[VDFS_F32](row, self->query,
							     N_F32),
				  l2[i]);
			EXPECT_EQ(self->kernel->dot[VDFS_F32](row, self->query,
							      N_F32),
				  dot[i]);
		}
		for (kind = VDFS_CODES_8; kind < VDFS_CODES_KINDS; kind++) {
			self->kernel->dot_code_many[kind](
				self->query8, &u8, self->ids, count, code);
			for (i = 0; i < count; i++)
				EXPECT_EQ(
					self->kernel->dot_code[kind](
						self->u8 + self->ids[i] * N_U8,
						self->query8, N_U8),
					code[i]);
		}
	}
}

/* Every number of half precision, there and back, and what lies between. */
TEST_F(kernel, halves_are_those_of_ieee_754)
{
	/* The last has no other mark than what is no result. */
	const struct {
		float from;
		uint16_t to;
	} known[] = {
		{ 0, 0 },
		{ -0.0f, 0x8000 },
		{ 1, 0x3c00 },
		{ -2, 0xc000 },
		{ 65504, 0x7bff },
		{ 65519.9f, 0x7bff },
		{ 65520, 0x7c00 },
		{ ldexpf(1, -24), 1 },
		{ ldexpf(1, -25), 0 },
		{ ldexpf(3, -26), 1 },
		{ ldexpf(1, -14), 0x0400 },
		{ ldexpf(1023, -24), 0x3ff },
		{ 2049, 0x6800 },
		{ 2051, 0x6802 },
		{ 1 + ldexpf(1, -11), 0x3c00 },
		{ 1 + ldexpf(3, -11), 0x3c02 },
		{ 0, 0xffff },
	};
	uint16_t half[VDFS_PAD_F32], back[VDFS_PAD_F32];
	float single[VDFS_PAD_F32];
	uint32_t bits, i;

	for (bits = 0; bits < 0x10000; bits += VDFS_PAD_F32) {
		if ((bits & 0x7c00) == 0x7c00)
			continue;
		for (i = 0; i < VDFS_PAD_F32; i++)
			half[i] = (uint16_t)(bits + i);
		self->kernel->from_f16(half, single, VDFS_PAD_F32);
		self->kernel->to_f16(single, back, VDFS_PAD_F32);
		EXPECT_EQ(0, memcmp(half, back, sizeof(half)));
	}
	for (i = 0; known[i].to != 0xffff; i++) {
		memset(single, 0, sizeof(single));
		single[0] = known[i].from;
		self->kernel->to_f16(single, half, VDFS_PAD_F32);
		EXPECT_EQ(known[i].to, half[0]);
	}
}

TEST_F(kernel, rounds_to_signed_bytes)
{
	int8_t want[VDFS_PAD_F32], got[VDFS_PAD_F32];
	float top = 0;
	size_t i, d;

	for (i = 0; i + VDFS_PAD_F32 <= N_F32; i += VDFS_PAD_F32) {
		const float *from = self->f32 + i;

		for (d = 0; d < VDFS_PAD_F32; d++)
			want[d] = (int8_t)lrintf(from[d] * 250);
		self->kernel->to_s8(from, 250, got, VDFS_PAD_F32);
		EXPECT_EQ(0, memcmp(want, got, sizeof(got)));
	}
	for (i = 0; i < N_F32; i++)
		top = fmaxf(top, fabsf(self->f32[i]));
	EXPECT_EQ(top, self->kernel->top(self->f32, N_F32));
	self->f32[N_F32 - 1] = -9;
	EXPECT_EQ(9, self->kernel->top(self->f32, N_F32));
}

/* What it is spread to, against the inner products with one dimension. */
TEST_F(kernel, spreads_each_dimension_of_a_code)
{
	static const int middle[] = { 0, 128, 15, 1, 3, 7 };
	int8_t one[N_U8] = { 0 };
	int8_t out[N_U8];
	size_t kind, n, d;

	for (kind = VDFS_CODES_8; kind < VDFS_CODES_KINDS; kind++) {
		int times = kind == VDFS_CODES_8 ? 1 : 2;

		for (n = VDFS_PAD_CODE; n <= N_U8; n += VDFS_PAD_CODE) {
			self->kernel->spread[kind](self->u8, out, n);
			for (d = 0; d < n; d++) {
				one[d] = 1;
				EXPECT_EQ(self->kernel->dot_code[kind](self->u8,
								       one, n) *
							  times -
						  middle[kind],
					  out[d]);
				one[d] = 0;
			}
		}
	}
}

TEST_F(kernel, sums_bytes)
{
	int32_t sum = 0, square = 0;
	size_t n;

	for (n = 0; n < N_U8; n++) {
		if (n % VDFS_PAD_CODE == 0) {
			EXPECT_EQ(sum, self->kernel->sum(self->query8, n));
			EXPECT_EQ(square,
				  self->kernel->square(self->query8, n));
		}
		sum += self->query8[n];
		square += self->query8[n] * self->query8[n];
	}
	memset(self->query8, -128, N_U8);
	EXPECT_EQ(-128 * N_U8, self->kernel->sum(self->query8, N_U8));
	EXPECT_EQ(128 * 128 * N_U8, self->kernel->square(self->query8, N_U8));
}

/* Each dimension goes to all, with the signs of a Hadamard matrix. */
TEST_F(kernel, turns_by_a_hadamard_matrix)
{
	float row[VDFS_DIM_MAX], first[VDFS_DIM_MAX];
	float norm;
	size_t n, d, i;

	for (n = 64; n <= VDFS_DIM_MAX; n *= 2) {
		norm = 1 / sqrtf((float)n);
		for (d = 0; d < n; d += n / 16 + 1) {
			memset(row, 0, sizeof(row));
			row[d] = 1;
			self->kernel->turn(row, n, 3);
			EXPECT_EQ(norm, fabsf(row[0]));
			for (i = 0; i < n; i++) {
				int odd = __builtin_parityll(d & i);

				EXPECT_EQ(odd ? -row[0] : row[0], row[i]);
			}
		}
		for (d = 0; d < n; d++)
			row[d] = self->f32[d % N_F32];
		memcpy(first, row, sizeof(row));
		self->kernel->turn(row, n, 4);
		vdfs_kernel_scalar.turn(first, n, 4);
		/* What one processor coded another can read. */
		EXPECT_EQ(0, memcmp(first, row, n * sizeof(*row)));
		self->kernel->turn(first, n, 5);
		self->kernel->turn(row, n, 6);
		EXPECT_NE(0, memcmp(first, row, n * sizeof(*row)));
	}
}

TEST(numbers_by_hand)
{
	_Alignas(64) float a[16] = { 1, 2, 3 };
	_Alignas(64) float b[16] = { 3, 2, 1 };

	EXPECT_EQ(8.0f, vdfs_kernel_best()->l2[VDFS_F32](a, b, 16));
	EXPECT_EQ(10.0f, vdfs_kernel_best()->dot[VDFS_F32](a, b, 16));
	EXPECT_EQ(NULL, vdfs_kernel_named("abacus"));
}

TEST_HARNESS_MAIN
