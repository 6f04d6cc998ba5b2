// SPDX-License-Identifier: GPL-2.0-only
/* Blobs so large that threads help with them. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "daemons/vdfsd/store/store_impl.h"
#include "vdfsd/store.h"

#define MIB ((size_t)1 << 20)
#define LARGE (40 * MIB + 12345) /* pieces are committed before it ends */

FIXTURE(put)
{
	struct tree t;
	uint8_t *data;
	struct vdfs_hash hash;
};

FIXTURE_VARIANT(put)
{
	unsigned int helpers;
	uint32_t flags;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(put, alone) { .helpers = 0 };
FIXTURE_VARIANT_ADD(put, helped) { .helpers = 1 };
FIXTURE_VARIANT_ADD(put, helped_by_many) { .helpers = VDFS_HELPERS };
FIXTURE_VARIANT_ADD(put, whole) { .helpers = 2, .flags = VDFS_PUT_WHOLE };
/* clang-format on */

FIXTURE_SETUP(put)
{
	ASSERT_EQ(0, tree_make(&self->t, NULL));
	/* Whatever this machine has. */
	self->t.store->helpers.wanted = variant->helpers;
	self->data = random_bytes(LARGE, 1);
	ASSERT_EQ(0, vdfs_hash_bytes(self->data, LARGE, &self->hash));
}

FIXTURE_TEARDOWN(put)
{
	free(self->data);
	tree_remove(&self->t);
}

TEST_F_TIMEOUT(put, stores_a_large_blob_once, 120)
{
	struct vdfs_store_stats once, twice;
	struct vdfs_hash hash;

	ASSERT_EQ(0, put_bytes(self->t.store, &alice, self->data, LARGE,
			       variant->flags, "a", &hash));
	EXPECT_EQ(0, memcmp(&self->hash, &hash, sizeof(hash)));
	ASSERT_EQ(0, vdfs_store_stats(self->t.store, &once));
	EXPECT_EQ(0, get_same(self->t.store, &alice, &hash, self->data, LARGE));
	ASSERT_EQ(0, put_bytes(self->t.store, &alice, self->data, LARGE,
			       variant->flags, "b", &hash));
	EXPECT_EQ(0, memcmp(&self->hash, &hash, sizeof(hash)));
	ASSERT_EQ(0, vdfs_store_stats(self->t.store, &twice));
	EXPECT_EQ(once.objects, twice.objects);
	EXPECT_EQ(once.disk_bytes, twice.disk_bytes);
	ASSERT_EQ(0, tree_reopen(&self->t, NULL));
	EXPECT_EQ(0, get_same(self->t.store, &alice, &hash, self->data, LARGE));
}

/* With the end of a window everywhere between two pieces. */
TEST_F_TIMEOUT(put, stores_every_length, 120)
{
	struct vdfs_hash hash, want;
	size_t len;

	for (len = 2 * MIB - 2; len < 5 * MIB; len += 333333) {
		ASSERT_EQ(0, vdfs_hash_bytes(self->data, len, &want));
		ASSERT_EQ(0, put_bytes(self->t.store, &alice, self->data, len,
				       variant->flags, NULL, &hash));
		EXPECT_EQ(0, memcmp(&want, &hash, sizeof(hash)));
		EXPECT_EQ(0, get_same(self->t.store, &alice, &hash, self->data,
				      len));
	}
}

TEST_F_TIMEOUT(put, leaves_nothing_behind, 120)
{
	struct vdfs_store_stats stats;
	struct vdfs_hash hash;
	struct vdfs_put *put;
	size_t len;

	ASSERT_EQ(0, put_bytes(self->t.store, &alice, "x", 1, 0, "n", &hash));
	for (len = 3 * MIB; len < LARGE; len *= 2) {
		ASSERT_EQ(0, vdfs_put_begin(self->t.store, &alice,
					    variant->flags, &put));
		ASSERT_EQ(0, vdfs_put_write(put, self->data, len));
		vdfs_put_abort(put);
	}
	ASSERT_EQ(0,
		  vdfs_put_begin(self->t.store, &alice, variant->flags, &put));
	ASSERT_EQ(0, vdfs_put_write(put, self->data, LARGE));
	EXPECT_EQ(-ENOTDIR, vdfs_put_commit(put, NULL, "n/such", NULL));
	ASSERT_EQ(0, vdfs_store_stats(self->t.store, &stats));
	EXPECT_EQ(1, stats.objects);
	EXPECT_GT(4096, stats.disk_bytes);
}

/* A put as the daemon fills it: through the descriptor of its windows. */
static int put_direct(FIXTURE_DATA(put) * self, uint32_t flags, size_t len,
		      size_t piece, struct vdfs_hash *hash)
{
	struct vdfs_space space;
	struct vdfs_put *put;
	size_t done, n;
	int err;

	err = vdfs_put_begin(self->t.store, &alice, flags, &put);
	for (done = 0; !err && done < len; done += n) {
		err = vdfs_put_space(put, &space);
		if (err || space.fd < 0)
			break;
		n = len - done < piece ? len - done : piece;
		if (n > space.len)
			n = space.len;
		if (pwrite(space.fd, self->data + done, n, (off_t)space.at) !=
		    (ssize_t)n)
			return -EIO;
		err = vdfs_put_filled(put, n);
	}
	return err ?: vdfs_put_commit(put, NULL, "direct", hash);
}

TEST_F_TIMEOUT(put, takes_bytes_in_its_windows, 120)
{
	static const size_t pieces[] = { MIB, 333333, 3 * MIB };
	struct vdfs_store_stats once, twice;
	struct vdfs_hash hash;
	size_t i;

	ASSERT_EQ(0, put_bytes(self->t.store, &alice, self->data, LARGE,
			       variant->flags, "a", NULL));
	ASSERT_EQ(0, vdfs_store_stats(self->t.store, &once));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, put_direct(self, variant->flags, LARGE, pieces[i],
					&hash));
		EXPECT_EQ(0, memcmp(&self->hash, &hash, sizeof(hash)));
	}
	/* The same pieces, wherever the windows ended. */
	ASSERT_EQ(0, vdfs_store_stats(self->t.store, &twice));
	EXPECT_EQ(once.disk_bytes, twice.disk_bytes);
	EXPECT_EQ(0, get_same(self->t.store, &alice, &hash, self->data, LARGE));
}

/* Bytes that change before they are hashed are stored as they are by then. */
TEST_F(put, copies_nothing_that_it_need_not)
{
	char text[] = "these are the only ones";
	struct vdfs_hash hash, want;
	struct vdfs_space space;
	struct vdfs_put *put;

	ASSERT_EQ(0,
		  vdfs_put_begin(self->t.store, &alice, variant->flags, &put));
	ASSERT_EQ(0, vdfs_put_lend(put, text, sizeof(text)));
	text[0]++;
	ASSERT_EQ(0, vdfs_hash_bytes(text, sizeof(text), &want));
	ASSERT_EQ(0, vdfs_put_commit(put, NULL, "lent", &hash));
	EXPECT_EQ(0, memcmp(&want, &hash, sizeof(hash)));
	EXPECT_EQ(0,
		  get_same(self->t.store, &alice, &hash, text, sizeof(text)));
	/* More bytes than these are added to a copy. */
	ASSERT_EQ(0,
		  vdfs_put_begin(self->t.store, &alice, variant->flags, &put));
	ASSERT_EQ(0, vdfs_put_lend(put, text, 5));
	ASSERT_EQ(0, vdfs_put_write(put, text + 5, sizeof(text) - 5));
	memset(text, 0, 5);
	ASSERT_EQ(0, vdfs_put_commit(put, &want, "lent", NULL));
	/* A large one is in the window that it was given. */
	ASSERT_EQ(0,
		  vdfs_put_begin(self->t.store, &alice, variant->flags, &put));
	ASSERT_EQ(0, vdfs_put_space(put, &space));
	ASSERT_LE(MIB, space.len);
	memcpy((char *)space.mem + space.at, self->data, MIB);
	ASSERT_EQ(0, vdfs_put_filled(put, MIB));
	self->data[7]++;
	((uint8_t *)space.mem)[space.at + 7]++;
	ASSERT_EQ(0, vdfs_hash_bytes(self->data, MIB, &want));
	ASSERT_EQ(0, vdfs_put_commit(put, NULL, "large", &hash));
	EXPECT_EQ(0, memcmp(&want, &hash, sizeof(hash)));
	EXPECT_EQ(0, get_same(self->t.store, &alice, &hash, self->data, MIB));
}

TEST_F(put, that_lacks_bytes_is_not_stored)
{
	struct vdfs_store_stats stats;
	struct vdfs_space space;
	struct vdfs_put *put;

	ASSERT_EQ(0,
		  vdfs_put_begin(self->t.store, &alice, variant->flags, &put));
	ASSERT_EQ(0, vdfs_put_space(put, &space));
	ASSERT_EQ(0, vdfs_put_filled(put, MIB));
	vdfs_put_spoil(put, -EFAULT);
	EXPECT_EQ(-EFAULT, vdfs_put_space(put, &space));
	EXPECT_EQ(-EFAULT, vdfs_put_filled(put, 1));
	EXPECT_EQ(-EFAULT, vdfs_put_commit(put, NULL, "a", NULL));
	ASSERT_EQ(0, vdfs_store_stats(self->t.store, &stats));
	EXPECT_EQ(0, stats.blobs);
}

/*
 * A file that takes all writes, and no sync. Not the system's own, for the
 * store takes away the permission to write to a segment that failed.
 */
static int open_null(const struct tree *t)
{
	char path[80];
	int fd;

	snprintf(path, sizeof(path), "%s/null", t->dir);
	if (mknod(path, S_IFCHR | 0600, makedev(1, 3)))
		return -1;
	fd = open(path, O_RDWR | O_CLOEXEC);
	unlink(path);
	return fd;
}

/* What threads had committed before is garbage, and found to be. */
TEST_F_TIMEOUT(put, fails_with_its_disk, 120)
{
	struct vdfs_store_stats stats;
	struct vdfs_hash hash;
	struct vdfs_put *put;
	int null;

	/* A file has no groups of pieces. */
	if (variant->flags)
		return;
	ASSERT_EQ(0, vdfs_put_begin(self->t.store, &alice, 0, &put));
	ASSERT_EQ(0, vdfs_put_write(put, self->data, 16 * MIB));
	null = open_null(&self->t);
	ASSERT_LE(0, null);
	ASSERT_LE(0, dup2(null, self->t.store->packs.active->fd));
	close(null);
	if (vdfs_put_write(put, self->data + 16 * MIB, LARGE - 16 * MIB))
		vdfs_put_abort(put);
	else
		EXPECT_EQ(-EIO, vdfs_put_commit(put, NULL, "a", NULL));
	ASSERT_EQ(0, vdfs_store_stats(self->t.store, &stats));
	EXPECT_EQ(0, stats.blobs);
	EXPECT_EQ(0, stats.objects);
	ASSERT_EQ(0, put_bytes(self->t.store, &alice, self->data, LARGE, 0, "a",
			       &hash));
	EXPECT_EQ(0, get_same(self->t.store, &alice, &hash, self->data, LARGE));
}

/**
 * struct crowd - some who put at the same time
 * @store: The store.
 * @data: What they put, each from somewhere else on.
 * @flags: How.
 */
struct crowd {
	struct vdfs_store *store;
	const uint8_t *data;
	uint32_t flags;
};

static void *put_most(void *arg)
{
	static atomic_uint next;
	const struct crowd *crowd = arg;
	/* Two have the same. */
	size_t from = atomic_fetch_add(&next, 1) / 2 * 300000;
	struct vdfs_hash hash;
	intptr_t err;

	err = put_bytes(crowd->store, &alice, crowd->data + from, LARGE - from,
			crowd->flags, NULL, &hash);
	if (!err)
		err = get_same(crowd->store, &alice, &hash, crowd->data + from,
			       LARGE - from);
	return (void *)err;
}

TEST_F_TIMEOUT(put, shares_helpers, 300)
{
	struct crowd crowd = { self->t.store, self->data, variant->flags };
	struct vdfs_store_stats stats;
	pthread_t thread[4];
	void *ret;
	int i;

	for (i = 0; i < 4; i++)
		ASSERT_EQ(0,
			  pthread_create(&thread[i], NULL, put_most, &crowd));
	for (i = 0; i < 4; i++) {
		pthread_join(thread[i], &ret);
		EXPECT_EQ(NULL, ret);
	}
	ASSERT_EQ(0, vdfs_store_stats(self->t.store, &stats));
	EXPECT_EQ(2, stats.blobs);
	if (!variant->flags) {
		EXPECT_GT(LARGE + 2 * MIB, stats.object_bytes);
	}
}

TEST_HARNESS_MAIN
