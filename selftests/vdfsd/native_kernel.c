// SPDX-License-Identifier: GPL-2.0-only
/* The distance kernels, against plain C and against numbers by hand. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <kselftest_harness.h>

#include <daemons/vdfsd/kernel.h>

#include "vectors.h"

#define ROWS 40
#define N_F32 208
#define N_U8 192

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

TEST_F(kernel, agrees_with_plain_c)
{
	const struct vdfs_kernel *c = &vdfs_kernel_scalar;
	size_t n;

	for (n = VDFS_PAD_F32; n <= N_F32; n += VDFS_PAD_F32) {
		EXPECT_LT(fabsf(self->kernel->l2(self->f32, self->query, n) -
				c->l2(self->f32, self->query, n)),
			  0.0001f);
		EXPECT_LT(fabsf(self->kernel->dot(self->f32, self->query, n) -
				c->dot(self->f32, self->query, n)),
			  0.0001f);
	}
	for (n = VDFS_PAD_U8; n <= N_U8; n += VDFS_PAD_U8) {
		EXPECT_EQ(c->dot_u8(self->u8, self->query8, n),
			  self->kernel->dot_u8(self->u8, self->query8, n));
	}
}

/* The largest products there are must not saturate on the way. */
TEST_F(kernel, does_not_saturate)
{
	memset(self->u8, 255, N_U8);
	memset(self->query8, -128, N_U8);
	EXPECT_EQ(-128 * 255 * N_U8,
		  self->kernel->dot_u8(self->u8, self->query8, N_U8));
	memset(self->query8, 127, N_U8);
	EXPECT_EQ(127 * 255 * N_U8,
		  self->kernel->dot_u8(self->u8, self->query8, N_U8));
}

TEST_F(kernel, many_is_one_by_one)
{
	struct vdfs_rows f32 = { (char *)self->f32, N_F32 * sizeof(float),
				 N_F32 };
	struct vdfs_rows u8 = { (char *)self->u8, N_U8, N_U8 };
	float l2[ROWS], dot[ROWS];
	int32_t dot8[ROWS];
	size_t count, i;

	for (count = 0; count <= ROWS; count++) {
		self->kernel->l2_many(self->query, &f32, self->ids, count, l2);
		self->kernel->dot_many(self->query, &f32, self->ids, count,
				       dot);
		self->kernel->dot_u8_many(self->query8, &u8, self->ids, count,
					  dot8);
		for (i = 0; i < count; i++) {
			const float *row = self->f32 + self->ids[i] * N_F32;
			const uint8_t *row8 = self->u8 + self->ids[i] * N_U8;

			EXPECT_EQ(self->kernel->l2(row, self->query, N_F32),
				  l2[i]);
			EXPECT_EQ(self->kernel->dot(row, self->query, N_F32),
				  dot[i]);
			EXPECT_EQ(self->kernel->dot_u8(row8, self->query8,
						       N_U8),
				  dot8[i]);
		}
	}
}

TEST(numbers_by_hand)
{
	_Alignas(64) float a[16] = { 1, 2, 3 };
	_Alignas(64) float b[16] = { 3, 2, 1 };

	EXPECT_EQ(8.0f, vdfs_kernel_best()->l2(a, b, 16));
	EXPECT_EQ(10.0f, vdfs_kernel_best()->dot(a, b, 16));
	EXPECT_EQ(NULL, vdfs_kernel_named("abacus"));
}

TEST_HARNESS_MAIN
