// SPDX-License-Identifier: GPL-2.0-only
/* The blob store: what goes in comes out, once for all who put it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <kselftest_harness.h>

#include "vdfsd/store.h"

#define MIB ((size_t)1 << 20)

static const size_t sizes[] = {
	0,	 1,   55,      4096,	64 << 10,     (64 << 10) + 1,
	MIB - 1, MIB, MIB + 1, 2 * MIB, 2 * MIB + 17, 10 * MIB,
};

#define SIZES 12

FIXTURE(store)
{
	struct tree t;
};

FIXTURE_VARIANT(store)
{
	struct vdfs_store_options options;
	uint32_t flags;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(store, plain) { .flags = 0 };
FIXTURE_VARIANT_ADD(store, whole) { .flags = VDFS_PUT_WHOLE };
FIXTURE_VARIANT_ADD(store, zstd) { .options = { .zstd = 3 } };
/* clang-format on */

FIXTURE_SETUP(store)
{
	ASSERT_EQ(0, tree_make(&self->t, &variant->options));
}

FIXTURE_TEARDOWN(store)
{
	tree_remove(&self->t);
}

TEST_F(store, gives_back_what_was_put)
{
	struct vdfs_hash hash[SIZES];
	uint8_t *data;
	int i;

	for (i = 0; i < SIZES; i++) {
		data = random_bytes(sizes[i], i);
		ASSERT_EQ(0, put_bytes(self->t.store, &alice, data, sizes[i],
				       variant->flags, NULL, &hash[i]));
		EXPECT_EQ(0, get_same(self->t.store, &alice, &hash[i], data,
				      sizes[i]))
		{
			TH_LOG("size %zu", sizes[i]);
		}
		free(data);
	}
	ASSERT_EQ(0, tree_reopen(&self->t, &variant->options));
	for (i = 0; i < SIZES; i++) {
		data = random_bytes(sizes[i], i);
		EXPECT_EQ(0, get_same(self->t.store, &alice, &hash[i], data,
				      sizes[i]))
		{
			TH_LOG("size %zu", sizes[i]);
		}
		free(data);
	}
}

/* Text, so that the variant with zstd has something to do. */
TEST_F(store, gives_back_what_compresses)
{
	size_t len = 3 * MIB, i;
	struct vdfs_hash hash;
	char *data = malloc(len);

	for (i = 0; i < len; i++)
		data[i] = "the quick brown fox "[(i + i / 1000) % 20];
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, put_bytes(self->t.store, &alice, data,
				       i ? len : MIB / 2, variant->flags, NULL,
				       &hash));
		EXPECT_EQ(0, get_same(self->t.store, &alice, &hash, data,
				      i ? len : MIB / 2));
	}
	free(data);
}

TEST_F(store, keeps_the_same_once)
{
	struct vdfs_store_stats before, after;
	struct vdfs_hash a, b;
	uint8_t *data;
	int i;

	for (i = 0; i < SIZES; i++) {
		data = random_bytes(sizes[i], 100 + i);
		ASSERT_EQ(0, put_bytes(self->t.store, &alice, data, sizes[i],
				       variant->flags, NULL, &a));
		ASSERT_EQ(0, vdfs_store_stats(self->t.store, &before));
		ASSERT_EQ(0, put_bytes(self->t.store, &alice, data, sizes[i],
				       variant->flags, "b", &b));
		ASSERT_EQ(0, vdfs_store_stats(self->t.store, &after));
		EXPECT_EQ(0, memcmp(&a, &b, sizeof(a)));
		EXPECT_EQ(before.blobs, after.blobs);
		EXPECT_EQ(before.objects, after.objects);
		EXPECT_EQ(before.object_bytes, after.object_bytes);
		EXPECT_EQ(before.disk_bytes, after.disk_bytes);
		free(data);
	}
}

TEST_F(store, an_aborted_put_leaves_nothing)
{
	struct vdfs_store_stats stats;
	struct vdfs_hash wrong = { { 1 } };
	struct vdfs_put *put;
	uint8_t *data;
	int i;

	for (i = 0; i < SIZES; i++) {
		data = random_bytes(sizes[i], 200 + i);
		ASSERT_EQ(0, vdfs_put_begin(self->t.store, &alice,
					    variant->flags, &put));
		ASSERT_EQ(0, vdfs_put_write(put, data, sizes[i]));
		vdfs_put_abort(put);
		ASSERT_EQ(0, vdfs_put_begin(self->t.store, &alice,
					    variant->flags, &put));
		ASSERT_EQ(0, vdfs_put_write(put, data, sizes[i]));
		EXPECT_EQ(-EBADMSG, vdfs_put_commit(put, &wrong, "n", NULL));
		ASSERT_EQ(0, vdfs_put_begin(self->t.store, &alice,
					    variant->flags, &put));
		ASSERT_EQ(0, vdfs_put_write(put, data, sizes[i]));
		EXPECT_EQ(-EINVAL, vdfs_put_commit(put, NULL, "../n", NULL));
		free(data);
	}
	ASSERT_EQ(0, vdfs_store_stats(self->t.store, &stats));
	EXPECT_EQ(0, stats.blobs);
	EXPECT_EQ(0, stats.objects);
	EXPECT_EQ(0, stats.names);
	EXPECT_EQ(
		0,
		tree_shell(
			&self->t,
			"test -z \"$(find object -type f ! -name identity)\""));
}

TEST_F(store, answers_for_the_content)
{
	/* FIPS 180-2, appendix B.1. */
	static const char *const abc =
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
	struct vdfs_hash expect, hash;
	char text[VDFS_HASH_TEXT];
	struct vdfs_put *put;

	ASSERT_EQ(0, vdfs_hash_parse(abc, &expect));
	ASSERT_EQ(0,
		  vdfs_put_begin(self->t.store, &alice, variant->flags, &put));
	ASSERT_EQ(0, vdfs_put_write(put, "abc", 3));
	ASSERT_EQ(0, vdfs_put_commit(put, &expect, NULL, &hash));
	vdfs_hash_print(&hash, text);
	EXPECT_STREQ(abc, text);
	EXPECT_EQ(-EINVAL, vdfs_hash_parse("ba78", &hash));
	EXPECT_EQ(-EINVAL,
		  vdfs_put_begin(self->t.store, &alice, 1U << 9, &put));
}

TEST_F(store, shows_blobs_to_those_who_may)
{
	struct vdfs_hash hash;
	struct vdfs_blob *blob;

	ASSERT_EQ(0, put_bytes(self->t.store, &alice, "x", 1, 0, NULL, &hash));
	EXPECT_EQ(-ENOENT, vdfs_blob_open(self->t.store, &bob, &hash, &blob));
	EXPECT_EQ(-ENOENT, vdfs_blob_keep(self->t.store, &bob, &hash));
	EXPECT_EQ(-ENOENT, vdfs_name_link(self->t.store, &bob, "n", &hash));
	EXPECT_EQ(0, get_same(self->t.store, &admin, &hash, "x", 1));
	ASSERT_EQ(0, vdfs_name_link(self->t.store, &alice, "d/n", &hash));
	EXPECT_EQ(0, get_same(self->t.store, &bob, &hash, "x", 1));
	ASSERT_EQ(0, vdfs_name_change(self->t.store, &alice, "d", 0700,
				      INT64_MIN));
	EXPECT_EQ(-ENOENT, vdfs_blob_open(self->t.store, &bob, &hash, &blob));
	ASSERT_EQ(0, vdfs_name_unlink(self->t.store, &alice, "d/n"));
	EXPECT_EQ(0, get_same(self->t.store, &alice, &hash, "x", 1));
	EXPECT_EQ(-ENOENT, vdfs_blob_drop(self->t.store, &bob, &hash));
	ASSERT_EQ(0, vdfs_blob_drop(self->t.store, &alice, &hash));
	EXPECT_EQ(-ENOENT, vdfs_blob_drop(self->t.store, &alice, &hash));
	EXPECT_EQ(-ENOENT, vdfs_blob_open(self->t.store, &alice, &hash, &blob));
	EXPECT_EQ(-ENOENT, vdfs_blob_open(self->t.store, &admin, &hash, &blob));
}

static int count_blob(void *arg, const struct vdfs_hash *hash, uint64_t size)
{
	struct vdfs_hash *last = arg;

	(void)size;
	if (memcmp(last, hash, sizeof(*hash)) >= 0)
		return -EILSEQ;
	*last = *hash;
	last[1].bytes[0]++;
	return 0;
}

TEST_F(store, lists_blobs_by_hash)
{
	struct vdfs_hash state[2] = {};
	struct vdfs_hash hash;
	int i;

	for (i = 0; i < 200; i++) {
		ASSERT_EQ(0, put_bytes(self->t.store, i % 2 ? &alice : &bob, &i,
				       sizeof(i), 0, NULL, &hash));
	}
	EXPECT_EQ(0, vdfs_blob_list(self->t.store, &alice, NULL, count_blob,
				    state));
	EXPECT_EQ(100, state[1].bytes[0]);
	memset(state, 0, sizeof(state));
	EXPECT_EQ(0, vdfs_blob_list(self->t.store, &admin, NULL, count_blob,
				    state));
	EXPECT_EQ(200, state[1].bytes[0]);
}

TEST_HARNESS_MAIN
