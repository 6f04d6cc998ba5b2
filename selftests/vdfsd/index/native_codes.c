// SPDX-License-Identifier: GPL-2.0-only
/* Codes of each width, at the dimensions that are hard for their layout. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <kselftest_harness.h>

#include <daemons/vdfsd/index/graph.h>

#include "vdfsd/vectors.h"

#define ROWS 40

FIXTURE(codes)
{
	struct vdfs_index *ix;
	struct vdfs_probe probe;
	float *rows;
	uint8_t *code;
	size_t dim;
};

FIXTURE_VARIANT(codes)
{
	enum vdfs_codes codes;
	double worst; /* error of an inner product, by the lengths */
};

/* clang-format off */
FIXTURE_VARIANT_ADD(codes, of_8) { VDFS_CODES_8, 0.006 };
FIXTURE_VARIANT_ADD(codes, of_4) { VDFS_CODES_4, 0.05 };
FIXTURE_VARIANT_ADD(codes, of_3) { VDFS_CODES_3, 0.04 };
FIXTURE_VARIANT_ADD(codes, of_2) { VDFS_CODES_2, 0.06 };
FIXTURE_VARIANT_ADD(codes, of_1) { VDFS_CODES_1, 0.12 };
/* clang-format on */

static const size_t dims[] = { 1,   2,	 15,  63,  64,	 65,  127,
			       128, 129, 191, 784, 1100, 8192 };

FIXTURE_SETUP(codes)
{
	memset(self, 0, sizeof(*self));
}

static void forget(FIXTURE_DATA(codes) * self)
{
	vdfs_index_free(self->ix);
	free(self->probe.f32);
	free(self->probe.s8);
	free(self->rows);
	free(self->code);
	memset(self, 0, sizeof(*self));
}

FIXTURE_TEARDOWN(codes)
{
	forget(self);
}

/* Rows of one dimension, and room for one code that is no byte too long. */
static int begin(FIXTURE_DATA(codes) * self,
		 const FIXTURE_VARIANT(codes) * variant, size_t dim)
{
	struct vdfs_params p = { .dim = (uint32_t)dim,
				 .codes = variant->codes,
				 .m = 8,
				 .ef_build = 40,
				 .capacity = ROWS,
				 .seed = 9 };
	uint64_t state = dim;
	size_t i;

	forget(self);
	self->dim = dim;
	if (vdfs_index_new(&p, &self->ix))
		return -1;
	self->rows = malloc(ROWS * dim * sizeof(float));
	self->code = malloc(self->ix->code_stride);
	self->probe.f32 = calloc(self->ix->dim_f32, sizeof(float));
	self->probe.s8 = calloc(self->ix->code_n, 1);
	if (!self->rows || !self->code || !self->probe.f32 || !self->probe.s8)
		return -1;
	/* Most of the length in the first few dimensions, as data has it. */
	for (i = 0; i < ROWS * dim; i++)
		self->rows[i] = (vectors_uniform(&state) - 0.5f) /
				(1 + (float)(i % dim) / 20);
	return vdfs_quant_train(self->ix, self->rows, ROWS);
}

static void ask(FIXTURE_DATA(codes) * self, const float *from)
{
	memcpy(self->probe.f32, from, self->dim * sizeof(*from));
	vdfs_quant_probe(self->ix, &self->probe);
}

TEST_F(codes, kernels_agree_at_every_dimension)
{
	static const char *const names[] = { "scalar", "avx2", "avx512" };
	int8_t all[VDFS_DIM_MAX], out[VDFS_DIM_MAX];
	int times = variant->codes == VDFS_CODES_8 ? 1 : 2;
	size_t i, k, n, d, r;

	for (i = 0; i < ARRAY_SIZE(dims); i++) {
		ASSERT_EQ(0, begin(self, variant, dims[i]));
		n = self->ix->code_n;
		ask(self, self->rows);
		for (r = 0; r < 4; r++) {
			int64_t want = 0;

			vdfs_quant_encode(self->ix, self->rows + r * dims[i],
					  self->code);
			vdfs_kernel_scalar.spread[variant->codes](self->code,
								  all, n);
			for (d = 0; d < n; d++) {
				double level = all[d] / (double)times;

				level += (double)self->ix->code_middle;
				want += (int64_t)level * self->probe.s8[d];
			}
			for (k = 0; k < ARRAY_SIZE(names); k++) {
				const struct vdfs_kernel *kernel =
					vdfs_kernel_named(names[k]);

				if (!kernel)
					continue;
				EXPECT_EQ(want,
					  kernel->dot_code[variant->codes](
						  self->code, self->probe.s8,
						  n))
				{
					TH_LOG("%s, %zu dimensions", names[k],
					       dims[i]);
				}
				kernel->spread[variant->codes](self->code, out,
							       n);
				EXPECT_EQ(0, memcmp(all, out, n));
			}
		}
	}
}

/* The distance of the walk, of the codes and of the probe. */
static double estimate(const FIXTURE_DATA(codes) * self)
{
	const struct vdfs_probe *probe = &self->probe;
	const struct vdfs_tail *tail =
		(const void *)(self->code + self->ix->tail);
	int32_t dot;

	dot = self->ix->kernel->dot_code[self->ix->codes_kind](
		self->code, probe->s8, self->ix->code_n);
	return (double)(probe->norm_weight * tail->norm -
			probe->dot_weight * tail->scale *
				((float)dot - probe->shift) +
			probe->bias);
}

static double exact(const FIXTURE_DATA(codes) * self, const float *row,
		    double *lengths)
{
	double sum = 0, a = 0, b = 0;
	size_t d;

	for (d = 0; d < self->dim; d++) {
		double x = (double)(row[d] - self->ix->mean[d]);
		double y = (double)(self->probe.f32[d] - self->ix->mean[d]);

		sum += (x - y) * (x - y);
		a += x * x;
		b += y * y;
	}
	*lengths = sqrt(a * b);
	return sum;
}

/* How far from right distances to the rows are, in parts of their lengths. */
static double error_of(FIXTURE_DATA(codes) * self, size_t dim)
{
	double lengths, off, error = 0;
	size_t r;

	for (r = 1; r < ROWS; r++) {
		const float *row = self->rows + r * dim;

		vdfs_quant_encode(self->ix, row, self->code);
		off = exact(self, row, &lengths) - estimate(self);
		error += off * off / (4 * lengths * lengths);
	}
	return sqrt(error / (ROWS - 1));
}

/* The probe of a row is as far from a row like it as their lengths differ. */
TEST_F(codes, rows_are_at_no_distance_from_themselves)
{
	struct vdfs_index *ix;
	struct vdfs_scratch *s;
	struct vdfs_params p = { .dim = 100,
				 .codes = variant->codes,
				 .m = 8,
				 .ef_build = 50,
				 .capacity = 2000,
				 .seed = 1 };
	float *rows = vectors_clustered(1200, 100, 10, 4);
	struct vdfs_probe probe;
	uint32_t slot = 7, other = 8;
	float self_dist, dist;
	uint64_t i;

	ASSERT_EQ(0, vdfs_index_new(&p, &ix));
	for (i = 0; i < 1200; i++) {
		ASSERT_EQ(0, vdfs_index_add(ix, i, rows + i * 100));
	}
	s = vdfs_scratch_get(ix, 10);
	ASSERT_NE(NULL, s);
	vdfs_scratch_writes(ix, s);
	probe = vdfs_probe_row(ix, s, slot);
	vdfs_measure(ix, s, &probe, &slot, 1, &self_dist);
	vdfs_measure(ix, s, &probe, &other, 1, &dist);
	EXPECT_GT(0.0001 * (double)dist, fabs((double)self_dist))
	{
		TH_LOG("%g, another %g", (double)self_dist, (double)dist);
	}
	vdfs_scratch_put(ix, s);
	vdfs_index_free(ix);
	free(rows);
}

/* Fewer bits say less, but each width says what it can. */
TEST_F(codes, distances_are_about_right)
{
	double error;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(dims); i++) {
		if (dims[i] < 100)
			continue;
		ASSERT_EQ(0, begin(self, variant, dims[i]));
		ask(self, self->rows);
		error = error_of(self, dims[i]);
		EXPECT_GT(variant->worst, error)
		{
			TH_LOG("%zu dimensions: %f", dims[i], error);
		}
	}
}

/* A row as a probe is the vector that its code stands for. */
TEST_F(codes, looks_from_a_row_as_from_its_vector)
{
	double error;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(dims); i++) {
		if (dims[i] < 100)
			continue;
		ASSERT_EQ(0, begin(self, variant, dims[i]));
		ASSERT_EQ(0, vdfs_arena_grow(&self->ix->codes,
					     self->ix->code_stride));
		vdfs_quant_encode(self->ix, self->rows, vdfs_code(self->ix, 0));
		memcpy(self->probe.f32, self->rows, dims[i] * sizeof(float));
		vdfs_quant_probe_row(self->ix, 0, &self->probe);
		error = error_of(self, dims[i]);
		EXPECT_GT(2 * variant->worst, error)
		{
			TH_LOG("%zu dimensions: %f", dims[i], error);
		}
	}
}

/* What is all zeros, or all alike, has codes and no distance of its own. */
TEST_F(codes, takes_what_has_no_length)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(dims); i++) {
		ASSERT_EQ(0, begin(self, variant, dims[i]));
		memset(self->rows, 0, ROWS * dims[i] * sizeof(float));
		ASSERT_EQ(0, vdfs_quant_train(self->ix, self->rows, ROWS));
		vdfs_quant_encode(self->ix, self->rows, self->code);
		ask(self, self->rows);
		EXPECT_EQ(0.0, estimate(self));
	}
}

TEST_HARNESS_MAIN
