// SPDX-License-Identifier: GPL-2.0-only
/* Zeros, which holes of files become, are hashed once a byte, and others twice. */
#include <dlfcn.h>
#include <errno.h>
#include <openssl/evp.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <kselftest_harness.h>

#include "daemons/vdfsd/store/put.h"
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

static int count_objects(struct sqlite3 *db, void *arg)
{
	struct sqlite3_stmt *st;
	int err = vdfs_sql(db, &st, "SELECT count(*) FROM object");

	if (!err)
		err = vdfs_sql_next(st);
	if (err > 0)
		*(int64_t *)arg = sqlite3_column_int64(st, 0);
	return err < 0 ? err : 0;
}

/* Bytes of @data, and zeros: which, the caller knows. */
struct run {
	size_t len;
	bool hole;
};

/* Put them in turn, over and over; what the caller knows is put into @data. */
static int put_runs(FIXTURE_DATA(hole) * self, const struct run *runs, size_t n,
		    struct vdfs_hash *out)
{
	struct vdfs_put *put;
	size_t at, i, len;
	int err = vdfs_put_begin(self->t.store, &alice, 0, &put);

	if (err)
		return err;
	for (at = 0, i = 0; !err && at < LEN; at += len, i++) {
		const struct run *run = &runs[i % n];

		len = run->len < LEN - at ? run->len : LEN - at;
		if (run->hole)
			memset(self->data + at, 0, len);
		err = run->hole ? vdfs_put_zeros(put, len) :
				  vdfs_put_write(put, self->data + at, len);
	}
	if (!err)
		return vdfs_put_commit(put, NULL, "runs", out);
	vdfs_put_abort(put);
	return err;
}

/* What is said to be zeros is what zeros are, cut into the same pieces. */
TEST_F(hole, that_are_known_are_the_same)
{
	static const struct run runs[][4] = {
		{ { LEN, true } },
		{ { 100, false }, { MIB, true }, { 7 * MIB, false } },
		{ { 3 * MIB + 7, true }, { 1, false }, { MIB / 2, true } },
		{ { 1000, true }, { 70000, false }, { 5, true } },
		{ { 2 * MIB, false }, { 5 * MIB, true }, { 4, true } },
	};
	static const size_t n[] = { 1, 3, 3, 3, 3 };
	struct vdfs_meta *meta = vdfs_store_meta(self->t.store);
	struct vdfs_hash known, same;
	int64_t before = 0, after = 0;
	size_t i;

	free(self->data);
	for (i = 0; i < sizeof(n) / sizeof(*n); i++) {
		self->data = random_bytes(LEN, i + 2);
		ASSERT_EQ(0, put_runs(self, runs[i], n[i], &known));
		EXPECT_EQ(0, get_same(self->t.store, &alice, &known, self->data,
				      LEN));
		ASSERT_EQ(0, vdfs_meta_read(meta, count_objects, &before));
		ASSERT_EQ(0, put_bytes(self->t.store, &alice, self->data, LEN,
				       0, "same", &same));
		EXPECT_TRUE(vdfs_hash_equal(&known, &same));
		ASSERT_EQ(0, vdfs_meta_read(meta, count_objects, &after));
		EXPECT_EQ(before, after);
		free(self->data);
	}
	self->data = NULL;
}

/* A small blob of zeros, too, and one that becomes large by them. */
TEST_F(hole, that_are_small)
{
	static const size_t len[] = { 0, 1, 5000, MIB - 1, MIB };
	struct vdfs_hash known, same;
	struct vdfs_put *put;
	size_t i;

	for (i = 0; i < sizeof(len) / sizeof(*len); i++) {
		ASSERT_EQ(0, vdfs_put_begin(self->t.store, &alice, 0, &put));
		ASSERT_EQ(0, vdfs_put_zeros(put, len[i] / 2));
		ASSERT_EQ(0, vdfs_put_zeros(put, len[i] - len[i] / 2));
		ASSERT_EQ(0, vdfs_put_commit(put, NULL, "small", &known));
		ASSERT_EQ(0, vdfs_hash_bytes(self->data, len[i], &same));
		EXPECT_TRUE(vdfs_hash_equal(&known, &same));
		EXPECT_EQ(0, get_same(self->t.store, &alice, &known, self->data,
				      len[i]));
	}
	ASSERT_EQ(0, vdfs_put_begin(self->t.store, &alice, 0, &put));
	ASSERT_EQ(0, vdfs_put_zeros(put, 1));
	EXPECT_EQ(-EFBIG, vdfs_put_zeros(put, INT64_MAX));
	EXPECT_EQ(-EFBIG, vdfs_put_zeros(put, 1));
	vdfs_put_abort(put);
}

TEST_F(hole, others_are_hashed_twice)
{
	free(self->data);
	self->data = random_bytes(LEN, 1);
	EXPECT_LE(2 * LEN, put(self));
}

TEST_HARNESS_MAIN
