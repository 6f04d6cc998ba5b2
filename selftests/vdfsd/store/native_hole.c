// SPDX-License-Identifier: GPL-2.0-only
/* Zeros, which holes of files become, are hashed once a byte, and others twice. */
#include <dlfcn.h>
#include <openssl/evp.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <kselftest_harness.h>

#include "vdfsd/store.h"

#define MIB ((size_t)1 << 20)
#define LEN (16 * MIB)

/* Bytes that were hashed, in all threads. */
static atomic_ulong hashed;

/* In the place of OpenSSL's, which calls it for whole contents as well. */
int EVP_DigestUpdate(EVP_MD_CTX *ctx, const void *data, size_t len)
{
	static int (*update)(EVP_MD_CTX *, const void *, size_t);

	if (!update)
		update = (int (*)(EVP_MD_CTX *, const void *,
				  size_t))dlsym(RTLD_NEXT, "EVP_DigestUpdate");
	atomic_fetch_add(&hashed, len);
	return update(ctx, data, len);
}

FIXTURE(hole)
{
	struct tree t;
	uint8_t *data;
};

FIXTURE_SETUP(hole)
{
	struct vdfs_hash hash;

	ASSERT_EQ(0, tree_make(&self->t, NULL));
	self->data = calloc(1, LEN);
	/* What is computed once for all. */
	ASSERT_EQ(0, put_bytes(self->t.store, &alice, self->data, 2 * MIB, 0,
			       "first", &hash));
}

FIXTURE_TEARDOWN(hole)
{
	tree_remove(&self->t);
	free(self->data);
}

static unsigned long put(FIXTURE_DATA(hole) * self)
{
	struct vdfs_hash hash, same;

	hashed = 0;
	if (put_bytes(self->t.store, &alice, self->data, LEN, 0, "f", &hash))
		return 0;
	return vdfs_hash_bytes(self->data, LEN, &same) ||
			       !vdfs_hash_equal(&hash, &same) ||
			       get_same(self->t.store, &alice, &hash,
					self->data, LEN) ?
		       0 :
		       hashed - LEN;
}

TEST_F(hole, zeros_are_hashed_once)
{
	unsigned long n = put(self);

	EXPECT_LE(LEN, n);
	EXPECT_GT(LEN + MIB, n);
}

/* Pieces with a byte of something else anywhere are no zeros. */
TEST_F(hole, bytes_between_them_are_kept)
{
	unsigned long n;

	self->data[0] = 1;
	self->data[5 * MIB - 1] = 2;
	self->data[LEN - 1] = 3;
	n = put(self);
	EXPECT_LE(LEN, n);
	EXPECT_GT(LEN + 3 * MIB, n);
}

TEST_F(hole, others_are_hashed_twice)
{
	free(self->data);
	self->data = random_bytes(LEN, 1);
	EXPECT_LE(2 * LEN, put(self));
}

TEST_HARNESS_MAIN
