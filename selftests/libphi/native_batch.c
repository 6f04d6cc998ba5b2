// SPDX-License-Identifier: GPL-2.0-only
/* The wire format of the batcher. Needs no module. */
#include <assert.h>
#include <errno.h>
#include <phi/batch.h>
#include <phi/phi.h>
#include <string.h>

#include "kselftest_harness.h"

/* Messages fit an endpoint, and no compiler may move their fields. */
static_assert(sizeof(struct phi_batch_tensor) == 48, "");
static_assert(sizeof(struct phi_batch_attach) == 24, "");
static_assert(sizeof(struct phi_batch_attached) == 128, "");
static_assert(sizeof(struct phi_batch_region) == 24, "");
static_assert(sizeof(struct phi_batch_slot) == 16, "");
static_assert(sizeof(struct phi_batch_ring) == 24, "");
static_assert(sizeof(struct phi_batch_request) == 128, "");
static_assert(sizeof(struct phi_batch_answer) == 48, "");
static_assert(sizeof(struct phi_batch_request) <= PHI_MSG_MAX, "");

static struct phi_batch_tensor images(void)
{
	return (struct phi_batch_tensor){
		.offset = 4096,
		.slot = 3,
		.dtype = PHI_DTYPE_U8,
		.ndim = 2,
		.shape = { 10, 784 },
	};
}

TEST(there_and_back)
{
	struct phi_batch_tensor wire = images();
	struct phi_batch_tensor again;
	struct phi_tensor t;

	ASSERT_EQ(0, phi_batch_tensor_get(&wire, 4096 + 7840, &t));
	EXPECT_EQ(4096, t.offset);
	EXPECT_EQ(784, t.strides[0]);
	EXPECT_EQ(7840, phi_tensor_bytes(&t));
	ASSERT_EQ(0, phi_batch_tensor_put(&t, 3, &again));
	EXPECT_EQ(0, memcmp(&wire, &again, sizeof(wire)));
}

TEST(get_refuses)
{
	struct phi_tensor t = { .dtype = 77 };
	struct phi_batch_tensor w;

	w = images();
	EXPECT_EQ(-ERANGE, phi_batch_tensor_get(&w, 4096 + 7839, &t));
	EXPECT_EQ(-ERANGE, phi_batch_tensor_get(&w, 0, &t));
	w.offset = UINT64_MAX - 100;
	EXPECT_EQ(-EOVERFLOW, phi_batch_tensor_get(&w, UINT64_MAX, &t));
	w = images();
	memset(w.shape, 0, sizeof(w.shape));
	w.ndim = 0;
	EXPECT_EQ(-EINVAL, phi_batch_tensor_get(&w, 1 << 20, &t));
	w = images();
	w.pad = 1;
	EXPECT_EQ(-EINVAL, phi_batch_tensor_get(&w, 1 << 20, &t));
	w = images();
	w.ndim = 0;
	EXPECT_EQ(-EINVAL, phi_batch_tensor_get(&w, 1 << 20, &t));
	w.ndim = 9;
	EXPECT_EQ(-EINVAL, phi_batch_tensor_get(&w, 1 << 20, &t));
	w = images();
	w.shape[7] = 1;
	EXPECT_EQ(-EINVAL, phi_batch_tensor_get(&w, 1 << 20, &t));
	w = images();
	w.dtype = 11;
	EXPECT_EQ(-EINVAL, phi_batch_tensor_get(&w, 1 << 20, &t));
	w = images();
	w.dtype = PHI_DTYPE_F32;
	w.offset = 2;
	EXPECT_EQ(-EINVAL, phi_batch_tensor_get(&w, 1 << 20, &t));
	w = images();
	w.ndim = 8;
	memset(w.shape, 0xff, sizeof(w.shape));
	EXPECT_EQ(-EOVERFLOW, phi_batch_tensor_get(&w, UINT64_MAX, &t));
	EXPECT_EQ(77, t.dtype);
}

TEST(put_refuses)
{
	struct phi_batch_tensor w = { .slot = 77 };
	int64_t shape[] = { 4, 6 };
	struct phi_tensor t;

	ASSERT_EQ(0, phi_tensor_dense(&t, PHI_DTYPE_U8, 2, shape, 0));
	ASSERT_EQ(0, phi_tensor_transpose(&t, 0, 1, &t));
	EXPECT_EQ(-EINVAL, phi_batch_tensor_put(&t, 0, &w));
	ASSERT_EQ(0, phi_tensor_dense(&t, PHI_DTYPE_U8, 0, NULL, 0));
	EXPECT_EQ(-EINVAL, phi_batch_tensor_put(&t, 0, &w));
	shape[0] = INT64_C(1) << 32;
	ASSERT_EQ(0, phi_tensor_dense(&t, PHI_DTYPE_U8, 1, shape, 0));
	EXPECT_EQ(-EINVAL, phi_batch_tensor_put(&t, 0, &w));
	t.dtype = 0;
	EXPECT_EQ(-EINVAL, phi_batch_tensor_put(&t, 0, &w));
	EXPECT_EQ(77, w.slot);
}

TEST_HARNESS_MAIN
