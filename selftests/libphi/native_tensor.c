// SPDX-License-Identifier: GPL-2.0-only
/* Tensors: bounds, views, copies, DLPack. Needs no module. */
#include <errno.h>
#include <phi/tensor.h>
#include <stdlib.h>
#include <string.h>

#include "kselftest_harness.h"

#define BIG (INT64_C(1) << 62)

static struct phi_tensor f32(uint32_t ndim, int64_t a, int64_t b, int64_t c)
{
	int64_t shape[] = { a, b, c };
	struct phi_tensor t = { 0 };

	if (phi_tensor_dense(&t, PHI_DTYPE_F32, ndim, shape, 0))
		abort();
	return t;
}

TEST(types)
{
	static const struct {
		uint32_t dtype;
		size_t size;
		const char *name;
	} want[] = {
		{ PHI_DTYPE_F32, 4, "f32" },
		{ PHI_DTYPE_F16, 2, "f16" },
		{ PHI_DTYPE_BF16, 2, "bf16" },
		{ PHI_DTYPE_F64, 8, "f64" },
		{ PHI_DTYPE_I8, 1, "i8" },
		{ PHI_DTYPE_U8, 1, "u8" },
		{ PHI_DTYPE_I16, 2, "i16" },
		{ PHI_DTYPE_I32, 4, "i32" },
		{ PHI_DTYPE_I64, 8, "i64" },
		{ PHI_DTYPE_BOOL, 1, "bool" },
		{ 0, 0, "?" },
		{ 11, 0, "?" },
		{ UINT32_MAX, 0, "?" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		EXPECT_EQ(want[i].size, phi_dtype_size(want[i].dtype));
		EXPECT_STREQ(want[i].name, phi_dtype_name(want[i].dtype));
	}
}

TEST(dense_strides_and_counts)
{
	struct phi_tensor t = f32(3, 2, 3, 4);

	EXPECT_EQ(12, t.strides[0]);
	EXPECT_EQ(4, t.strides[1]);
	EXPECT_EQ(1, t.strides[2]);
	EXPECT_EQ(24, phi_tensor_count(&t));
	EXPECT_EQ(96, phi_tensor_bytes(&t));
	EXPECT_TRUE(phi_tensor_contiguous(&t));
	EXPECT_EQ(0, phi_tensor_check(&t, 96));
	EXPECT_EQ(-ERANGE, phi_tensor_check(&t, 95));

	EXPECT_EQ(0, phi_tensor_dense(&t, PHI_DTYPE_I64, 0, NULL, 8));
	EXPECT_EQ(1, phi_tensor_count(&t));
	EXPECT_EQ(0, phi_tensor_check(&t, 16));
	EXPECT_EQ(-ERANGE, phi_tensor_check(&t, 15));
}

TEST(dense_refuses)
{
	int64_t shape[9] = { 1, 1, 1, 1, 1, 1, 1, 1, 1 };
	struct phi_tensor t = { .dtype = 77 };

	EXPECT_EQ(-EINVAL, phi_tensor_dense(&t, 0, 1, shape, 0));
	EXPECT_EQ(-EINVAL, phi_tensor_dense(&t, 11, 1, shape, 0));
	EXPECT_EQ(-EINVAL, phi_tensor_dense(&t, PHI_DTYPE_U8, 9, shape, 0));
	EXPECT_EQ(-EINVAL, phi_tensor_dense(&t, PHI_DTYPE_F32, 1, shape, 2));
	shape[0] = -1;
	EXPECT_EQ(-EINVAL, phi_tensor_dense(&t, PHI_DTYPE_U8, 1, shape, 0));
	shape[0] = BIG;
	EXPECT_EQ(-EOVERFLOW, phi_tensor_dense(&t, PHI_DTYPE_F32, 1, shape, 0));
	shape[1] = 4;
	EXPECT_EQ(-EOVERFLOW, phi_tensor_dense(&t, PHI_DTYPE_U8, 2, shape, 0));
	EXPECT_EQ(77, t.dtype);
}

TEST(check_refuses)
{
	struct phi_tensor t = f32(2, 4, 8, 0);
	struct phi_tensor bad;

	bad = t;
	bad.strides[0] = -8;
	EXPECT_EQ(-EINVAL, phi_tensor_check(&bad, 1 << 20));
	bad = t;
	bad.shape[1] = -1;
	EXPECT_EQ(-EINVAL, phi_tensor_check(&bad, 1 << 20));
	bad = t;
	bad.offset = 1;
	EXPECT_EQ(-EINVAL, phi_tensor_check(&bad, 1 << 20));
	bad = t;
	bad.ndim = UINT32_MAX;
	EXPECT_EQ(-EINVAL, phi_tensor_check(&bad, 1 << 20));
	bad = t;
	bad.strides[0] = BIG;
	EXPECT_EQ(-EOVERFLOW, phi_tensor_check(&bad, UINT64_MAX));
	bad = t;
	bad.strides[0] = INT64_MAX;
	bad.shape[0] = 3;
	EXPECT_EQ(-EOVERFLOW, phi_tensor_check(&bad, UINT64_MAX));
	bad = t;
	bad.offset = UINT64_MAX - 3;
	EXPECT_EQ(-EOVERFLOW, phi_tensor_check(&bad, UINT64_MAX));
	bad = t;
	bad.shape[0] = BIG;
	bad.strides[0] = 0;
	EXPECT_EQ(-EOVERFLOW, phi_tensor_check(&bad, UINT64_MAX));
	bad = t;
	bad.offset = 4;
	EXPECT_EQ(-ERANGE, phi_tensor_check(&bad, 4 * 8 * 4));
	EXPECT_EQ(0, phi_tensor_check(&bad, 4 * 8 * 4 + 4));
}

TEST(empty_tensors)
{
	struct phi_tensor t = f32(2, 0, 5, 0);

	EXPECT_EQ(0, phi_tensor_count(&t));
	EXPECT_EQ(0, phi_tensor_check(&t, 0));
	EXPECT_TRUE(phi_tensor_contiguous(&t));
	t.offset = 8;
	EXPECT_EQ(-ERANGE, phi_tensor_check(&t, 4));
	/* The other dimensions are not bounded by a check; no overflow. */
	t.offset = 0;
	t.shape[1] = INT64_MAX;
	t.strides[1] = INT64_MAX;
	ASSERT_EQ(0, phi_tensor_check(&t, 0));
	EXPECT_EQ(0, phi_tensor_slice(&t, 1, 9, 5, 7, &t));
	EXPECT_EQ(0, phi_tensor_check(&t, 0));
}

TEST(views)
{
	struct phi_tensor t = f32(3, 4, 5, 6);
	struct phi_tensor v;

	ASSERT_EQ(0, phi_tensor_slice(&t, 0, 1, 2, 1, &v));
	EXPECT_EQ(30 * 4, v.offset);
	EXPECT_EQ(2, v.shape[0]);
	EXPECT_TRUE(phi_tensor_contiguous(&v));
	EXPECT_EQ(0, phi_tensor_check(&v, 480));

	ASSERT_EQ(0, phi_tensor_slice(&t, 1, 0, 3, 2, &v));
	EXPECT_EQ(12, v.strides[1]);
	EXPECT_FALSE(phi_tensor_contiguous(&v));
	EXPECT_EQ(0, phi_tensor_check(&v, 480));

	ASSERT_EQ(0, phi_tensor_index(&t, 1, 4, &v));
	EXPECT_EQ(2, v.ndim);
	EXPECT_EQ(24 * 4, v.offset);
	EXPECT_EQ(6, v.shape[1]);
	EXPECT_EQ(0, phi_tensor_check(&v, 480));

	ASSERT_EQ(0, phi_tensor_transpose(&t, 0, 2, &v));
	EXPECT_EQ(6, v.shape[0]);
	EXPECT_EQ(1, v.strides[0]);
	EXPECT_FALSE(phi_tensor_contiguous(&v));

	ASSERT_EQ(0, phi_tensor_reshape(&t, 2, (int64_t[]){ 20, 6 }, &v));
	EXPECT_EQ(6, v.strides[0]);
	EXPECT_EQ(-EINVAL, phi_tensor_reshape(&t, 2, (int64_t[]){ 20, 7 }, &v));
	EXPECT_EQ(0, phi_tensor_transpose(&t, 0, 1, &t));
	EXPECT_EQ(-EINVAL, phi_tensor_reshape(&t, 1, (int64_t[]){ 120 }, &v));
}

TEST(views_refuse)
{
	struct phi_tensor t = f32(2, 4, 5, 0);
	struct phi_tensor v = { .dtype = 77 };

	EXPECT_EQ(-EINVAL, phi_tensor_slice(&t, 2, 0, 1, 1, &v));
	EXPECT_EQ(-EINVAL, phi_tensor_slice(&t, 0, 0, 1, 0, &v));
	EXPECT_EQ(-ERANGE, phi_tensor_slice(&t, 0, -1, 1, 1, &v));
	EXPECT_EQ(-ERANGE, phi_tensor_slice(&t, 0, 0, 5, 1, &v));
	EXPECT_EQ(-ERANGE, phi_tensor_slice(&t, 0, 1, 2, 3, &v));
	EXPECT_EQ(-ERANGE, phi_tensor_slice(&t, 0, 4, 1, 1, &v));
	EXPECT_EQ(-ERANGE, phi_tensor_slice(&t, 0, 4, 1, 2, &v));
	EXPECT_EQ(-ERANGE, phi_tensor_slice(&t, 0, 0, INT64_MAX, 1, &v));
	EXPECT_EQ(-ERANGE, phi_tensor_slice(&t, 0, 1, 2, INT64_MAX, &v));
	EXPECT_EQ(-ERANGE, phi_tensor_slice(&t, 0, INT64_MAX, 1, 1, &v));
	EXPECT_EQ(-ERANGE, phi_tensor_index(&t, 0, 4, &v));
	EXPECT_EQ(-EINVAL, phi_tensor_index(&t, 7, 0, &v));
	EXPECT_EQ(-EINVAL, phi_tensor_transpose(&t, 0, 2, &v));
	EXPECT_EQ(77, v.dtype);
	EXPECT_EQ(0, phi_tensor_slice(&t, 0, 4, 0, 1, &v));
	EXPECT_EQ(0, phi_tensor_check(&v, 80));
}

/* Every layout of a 3x4x5 block, against indexing by hand. */
TEST(copy_between_layouts)
{
	struct phi_tensor from = f32(3, 3, 4, 5);
	float src[60], dst[60];

	for (int i = 0; i < 60; i++)
		src[i] = (float)i;
	for (uint32_t a = 0; a < 3; a++) {
		for (uint32_t b = 0; b < 3; b++) {
			struct phi_tensor to = from;

			ASSERT_EQ(0, phi_tensor_transpose(&to, a, b, &to));
			ASSERT_EQ(0, phi_tensor_dense(&to, to.dtype, 3,
						      to.shape, 0));
			ASSERT_EQ(0, phi_tensor_transpose(&to, a, b, &to));
			memset(dst, 0xff, sizeof(dst));
			ASSERT_EQ(0, phi_tensor_copy(&to, dst, &from, src));
			for (int i = 0; i < 60; i++) {
				int64_t x = i / 20, y = i / 5 % 4, z = i % 5;
				int64_t at = x * to.strides[0] +
					     y * to.strides[1] +
					     z * to.strides[2];

				ASSERT_EQ(src[i], dst[at]);
			}
		}
	}
}

TEST(copy_slices_and_repeats)
{
	struct phi_tensor all = f32(2, 4, 6, 0);
	struct phi_tensor part, to, row;
	float src[24], dst[8];

	for (int i = 0; i < 24; i++)
		src[i] = (float)i;
	ASSERT_EQ(0, phi_tensor_slice(&all, 0, 1, 2, 2, &part));
	ASSERT_EQ(0, phi_tensor_slice(&part, 1, 1, 3, 2, &part));
	to = f32(2, 2, 3, 0);
	ASSERT_EQ(0, phi_tensor_copy(&to, dst, &part, src));
	EXPECT_EQ(7, dst[0]);
	EXPECT_EQ(11, dst[2]);
	EXPECT_EQ(19, dst[3]);
	EXPECT_EQ(23, dst[5]);

	/* A stride of 0 repeats one row. */
	row = f32(2, 4, 2, 0);
	row.strides[0] = 0;
	to = f32(2, 4, 2, 0);
	ASSERT_EQ(0, phi_tensor_check(&row, 8));
	ASSERT_EQ(0, phi_tensor_copy(&to, dst, &row, src));
	EXPECT_EQ(0, dst[6]);
	EXPECT_EQ(1, dst[7]);

	EXPECT_EQ(-EINVAL, phi_tensor_copy(&to, dst, &part, src));
	row.dtype = PHI_DTYPE_I32;
	EXPECT_EQ(-EINVAL, phi_tensor_copy(&to, dst, &row, src));
}

/* Whatever passes the check stays inside: ASan watches the buffer. */
TEST(random_descriptors_stay_inside)
{
	static const int64_t odd[] = { 0,	  1,  2,	3,
				       7,	  64, 1 << 20,	BIG,
				       INT64_MAX, -1, INT64_MIN };
	unsigned int passed = 0;
	unsigned int seed = 1;
	char *mem = malloc(512);

	ASSERT_NE(NULL, mem);
	memset(mem, 1, 512);
	for (int n = 0; n < 300000; n++) {
		struct phi_tensor t = {
			.dtype = (uint32_t)rand_r(&seed) % 12,
			.ndim = (uint32_t)rand_r(&seed) % 10,
			.offset = (uint64_t)(rand_r(&seed) % 600),
		};
		struct phi_tensor out;
		int64_t bytes;
		void *copy;

		for (int i = 0; i < PHI_TENSOR_NDIM_MAX; i++) {
			int pick = rand_r(&seed);

			t.shape[i] = pick & 8 ? odd[pick / 16 % 11] : pick % 4;
			pick = rand_r(&seed);
			t.strides[i] = pick & 8 ? odd[pick / 16 % 11] :
						  pick % 9;
		}
		if (phi_tensor_check(&t, 512))
			continue;
		bytes = phi_tensor_bytes(&t);
		ASSERT_LE(0, bytes);
		if (bytes > 1 << 16)
			continue;
		passed++;
		copy = malloc((size_t)bytes + 1);
		ASSERT_NE(NULL, copy);
		ASSERT_EQ(0,
			  phi_tensor_dense(&out, t.dtype, t.ndim, t.shape, 0));
		ASSERT_EQ(0, phi_tensor_copy(&out, copy, &t, mem));
		for (int64_t i = 0; i < bytes; i++) {
			ASSERT_EQ(1, ((char *)copy)[i]);
		}
		free(copy);
	}
	free(mem);
	EXPECT_LT(1000, passed);
}

static void count(void *arg)
{
	++*(int *)arg;
}

TEST(dlpack)
{
	struct phi_tensor t = f32(2, 3, 4, 0);
	struct phi_dlpack *dl;
	int released = 0;
	float mem[20];

	t.offset = 16;
	ASSERT_EQ(0, phi_tensor_dlpack(&t, mem, count, &released, &dl));
	EXPECT_EQ((void *)&mem[0], dl->data);
	EXPECT_EQ(1, dl->device_type);
	EXPECT_EQ(2, dl->ndim);
	EXPECT_EQ(2, dl->code);
	EXPECT_EQ(32, dl->bits);
	EXPECT_EQ(1, dl->lanes);
	EXPECT_EQ(3, dl->shape[0]);
	EXPECT_EQ(4, dl->strides[0]);
	EXPECT_EQ(16, dl->byte_offset);
	EXPECT_EQ(0, released);
	dl->deleter(dl);
	EXPECT_EQ(1, released);

	ASSERT_EQ(0, phi_tensor_dlpack(&t, mem, NULL, NULL, &dl));
	dl->deleter(dl);
	t.dtype = 0;
	EXPECT_EQ(-EINVAL, phi_tensor_dlpack(&t, mem, NULL, NULL, &dl));
}

TEST_HARNESS_MAIN
