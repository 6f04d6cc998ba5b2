// SPDX-License-Identifier: GPL-2.0-only
/* Large blobs in a bucket: several objects, of which one is in memory. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "vdfsd/pair.h"
#include "vdfsd/way.h"

#define MIB ((size_t)1 << 20)

FIXTURE(pieces)
{
	struct pair p;
};

FIXTURE_SETUP(pieces)
{
	ASSERT_EQ(0, pair_make(&self->p));
}

FIXTURE_TEARDOWN(pieces)
{
	pair_remove(&self->p);
}

/* The objects of blobs: how many, and the length of all and of the longest. */
struct objects {
	int n;
	uint64_t size;
	uint64_t longest;
};

static int count(void *arg, const char *key, const struct vdfs_s3_info *info)
{
	struct objects *o = arg;

	(void)key;
	o->n++;
	o->size += info->size;
	if (info->size > o->longest)
		o->longest = info->size;
	return 0;
}

static int use_pieces(struct pair *p, uint64_t bytes)
{
	p->options.piece = bytes;
	return pair_reopen(p, &p->here) ?: pair_reopen(p, &p->there);
}

TEST_F_TIMEOUT(pieces, at_every_length, 120)
{
	static const size_t sizes[] = { MIB - 1, MIB, MIB + 1, 3 * MIB,
					3 * MIB + 5 };
	static const int objects[] = { 1, 1, 2, 3, 4 };
	struct timespec t = { .tv_sec = 3 };
	struct objects o, all = { 0 };
	struct vdfs_remote_gc_result gc;
	struct vdfs_hash hash;
	char name[] = "x0";
	uint8_t *data[5];
	int i;

	self->p.options.grace_s = 2;
	ASSERT_EQ(0, use_pieces(&self->p, MIB));
	for (i = 0; i < 5; i++) {
		name[1] = (char)('0' + i);
		data[i] = random_bytes(sizes[i], i);
		ASSERT_EQ(0, put_bytes(self->p.here.store, &alice, data[i],
				       sizes[i], 0, name, &hash));
		memset(&o, 0, sizeof(o));
		EXPECT_EQ(0,
			  vdfs_s3_list(self->p.s3, "blob/", false, count, &o));
		EXPECT_EQ(objects[i], o.n - all.n);
		EXPECT_EQ(sizes[i], o.size - all.size);
		EXPECT_LE(o.longest, MIB);
		all = o;
	}
	pair_get_old();
	for (i = 0; i < 5; i++) {
		name[1] = (char)('0' + i);
		EXPECT_EQ(0, name_same(&self->p.there, &bob, name, data[i],
				       sizes[i]));
		free(data[i]);
		ASSERT_EQ(0,
			  vdfs_name_unlink(self->p.here.store, &alice, name));
	}
	/* All objects go with the names. */
	nanosleep(&t, NULL);
	ASSERT_EQ(0, vdfs_remote_gc(self->p.here.store, &gc));
	EXPECT_EQ(5, gc.blobs);
	EXPECT_EQ(5, gc.deleted);
	EXPECT_EQ(all.size, gc.bytes);
	memset(&o, 0, sizeof(o));
	EXPECT_EQ(0, vdfs_s3_list(self->p.s3, "blob/", false, count, &o));
	EXPECT_EQ(0, o.n);
	EXPECT_EQ(0, no_fault(&self->p.here));
	EXPECT_EQ(0, no_fault(&self->p.there));
}

/* The key of a piece, below the prefix and below the bucket. */
static void key_of(const struct vdfs_hash *hash, int piece, char key[128],
		   char whole[160])
{
	char text[VDFS_HASH_TEXT];

	vdfs_hash_print(hash, text);
	snprintf(key, 128, "blob/%s.%d", text, piece);
	snprintf(whole, 160, "some/prefix/%s", key);
}

TEST_F_TIMEOUT(pieces, damaged_and_missing, 120)
{
	uint8_t *data = random_bytes(3 * MIB, 1);
	char key[128], whole[160];
	struct vdfs_s3_info was, is;
	struct timespec t = { .tv_sec = 2 };
	struct vdfs_hash hash;

	ASSERT_EQ(0, use_pieces(&self->p, MIB));
	ASSERT_EQ(0, put_bytes(self->p.here.store, &alice, data, 3 * MIB, 0,
			       "x", &hash));
	key_of(&hash, 1, key, whole);
	ASSERT_EQ(0, vdfs_s3_head(self->p.s3, key, &was));
	key_of(&hash, 3, key, whole);
	ASSERT_EQ(0, bucket_do(&self->p.b, "PUT", whole, "short"));
	EXPECT_EQ(-EBADMSG,
		  name_same(&self->p.there, &bob, "x", data, 3 * MIB));
	ASSERT_EQ(0, bucket_do(&self->p.b, "DELETE", whole, NULL));
	EXPECT_EQ(-EIO, name_same(&self->p.there, &bob, "x", data, 3 * MIB));
	EXPECT_EQ(0, no_fault(&self->p.there));
	/* As an upload that broke off: pieces that arrived are not sent again. */
	nanosleep(&t, NULL);
	ASSERT_EQ(0, put_bytes(self->p.here.store, &alice, data, 3 * MIB, 0,
			       "y", &hash));
	EXPECT_EQ(0, name_same(&self->p.there, &bob, "x", data, 3 * MIB));
	key_of(&hash, 1, key, whole);
	ASSERT_EQ(0, vdfs_s3_head(self->p.s3, key, &is));
	EXPECT_EQ(was.modified, is.modified);
	key_of(&hash, 3, key, whole);
	ASSERT_EQ(0, vdfs_s3_head(self->p.s3, key, &is));
	EXPECT_LT(was.modified, is.modified);
	/* The first one too is looked for. */
	key_of(&hash, 1, key, whole);
	ASSERT_EQ(0, bucket_do(&self->p.b, "DELETE", whole, NULL));
	ASSERT_EQ(0, put_bytes(self->p.here.store, &alice, data, 3 * MIB, 0,
			       "z", &hash));
	EXPECT_EQ(0, vdfs_s3_head(self->p.s3, key, &is));
	free(data);
}

/* Let a store use the bucket over a proxy. */
static int use_way(struct pair *p, struct tree *t, struct way *way)
{
	int err = way_open(way, &p->b);

	snprintf(p->b.url, sizeof(p->b.url),
		 "s3://127.0.0.1:%u/bucket/some/prefix", way->port);
	p->options.s3.tries = 4;
	return err ?: pair_reopen(p, t);
}

TEST_F_TIMEOUT(pieces, over_a_way_that_breaks_off, 120)
{
	uint8_t *data = random_bytes(3 * MIB, 1);
	struct vdfs_hash hash;
	/* Later and later, then no more. */
	struct way way = { .bad = 3, .step = 300000 };

	ASSERT_EQ(0, use_pieces(&self->p, MIB));
	ASSERT_EQ(0, put_bytes(self->p.here.store, &alice, data, 3 * MIB, 0,
			       "x", &hash));
	ASSERT_EQ(0, use_way(&self->p, &self->p.there, &way));
	EXPECT_EQ(0, name_same(&self->p.there, &bob, "x", data, 3 * MIB));
	EXPECT_LT(3, atomic_load(&way.state->connections));
	way_close(&way);
	EXPECT_EQ(0, no_fault(&self->p.there));
	free(data);
}

/* What was sent of an object does not count: it is sent from its start. */
TEST_F_TIMEOUT(pieces, uploads_over_a_way_that_breaks_off, 120)
{
	uint8_t *data = random_bytes(3 * MIB, 2);
	struct way way = { .bad = 3, .step = 300000, .upward = 1 };
	struct vdfs_s3_info info;
	struct vdfs_hash hash;
	char key[128], whole[160];
	int i;

	ASSERT_EQ(0, use_pieces(&self->p, MIB));
	ASSERT_EQ(0, use_way(&self->p, &self->p.here, &way));
	ASSERT_EQ(0, put_bytes(self->p.here.store, &alice, data, 3 * MIB, 0,
			       "x", &hash));
	EXPECT_LT(3, atomic_load(&way.state->connections));
	for (i = 1; i <= 3; i++) {
		key_of(&hash, i, key, whole);
		ASSERT_EQ(0, vdfs_s3_head(self->p.s3, key, &info));
		EXPECT_EQ(MIB, info.size);
	}
	way_close(&way);
	EXPECT_EQ(0, name_same(&self->p.there, &bob, "x", data, 3 * MIB));
	EXPECT_EQ(0, no_fault(&self->p.here));
	free(data);
}

/* A mebibyte that is like no other. */
static void fill(uint64_t *block, uint64_t i)
{
	uint64_t x = (i + 1) * 0x9e3779b97f4a7c15ULL;
	size_t k;

	for (k = 0; k < MIB / 8; k++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		block[k] = x;
	}
}

static int put_large(struct vdfs_store *store, size_t blocks, size_t more,
		     struct vdfs_hash *out)
{
	uint64_t *block = malloc(MIB);
	struct vdfs_put *put;
	size_t i;
	int err;

	err = vdfs_put_begin(store, &alice, 0, &put);
	for (i = 0; !err && i <= blocks; i++) {
		fill(block, i);
		err = vdfs_put_write(put, block, i < blocks ? MIB : more);
	}
	free(block);
	return err ?: vdfs_put_commit(put, NULL, "large", out);
}

static int same_large(struct vdfs_store *store, const struct vdfs_hash *hash,
		      size_t blocks, size_t more)
{
	uint64_t *want = malloc(MIB), *got = malloc(MIB);
	struct vdfs_blob *blob = NULL;
	size_t i, n;
	int err;

	err = vdfs_blob_open(store, &alice, hash, &blob);
	for (i = 0; !err && i <= blocks; i++) {
		fill(want, i);
		n = i < blocks ? MIB : more;
		if (vdfs_blob_read(blob, got, n, i * MIB) != (ssize_t)n ||
		    memcmp(want, got, n))
			err = -EILSEQ;
	}
	if (!err && vdfs_blob_size(blob) != blocks * MIB + more)
		err = -EILSEQ;
	vdfs_blob_close(blob);
	free(want);
	free(got);
	return err;
}

/* The most memory there was since the last call, in KiB. */
static long peak(void)
{
	FILE *file = fopen("/proc/self/status", "r");
	char line[256];
	long most = -1;
	int fd;

	while (file && fgets(line, sizeof(line), file))
		sscanf(line, "VmHWM: %ld", &most);
	if (file)
		fclose(file);
	fd = open("/proc/self/clear_refs", O_WRONLY);
	if (fd >= 0 && write(fd, "5", 1) != 1)
		most = -1;
	close(fd);
	return most;
}

/* With pieces as long as they really are; $CHECK_S3_MIB may ask for more. */
TEST_F_TIMEOUT(pieces, a_large_blob, 300)
{
	const char *text = getenv("CHECK_S3_MIB");
	size_t blocks = text ? atoi(text) : 96;
	struct objects o = { 0 };
	struct vdfs_hash hash;
	struct vdfs_stat st;
	long before, sent, came;

	peak();
	before = peak();
	ASSERT_EQ(0, put_large(self->p.here.store, blocks, 12345, &hash));
	sent = peak();
	ASSERT_EQ(0, vdfs_s3_list(self->p.s3, "blob/", false, count, &o));
	EXPECT_EQ((int)blocks / 64 + 1, o.n);
	EXPECT_EQ(blocks * MIB + 12345, o.size);
	ASSERT_EQ(0, vdfs_name_stat(self->p.there.store, &alice, "large", &st));
	EXPECT_EQ(0, memcmp(&hash, &st.hash, sizeof(hash)));
	ASSERT_EQ(0, same_large(self->p.there.store, &hash, blocks, 12345));
	came = peak();
	printf("# %zu MiB: at most %ld, %ld, %ld KiB\n", blocks, before, sent,
	       came);
	ASSERT_LT(0, before);
#ifndef __SANITIZE_ADDRESS__
	EXPECT_LT(sent - before, 40 << 10);
	EXPECT_LT(came - before, 40 << 10);
#endif
}

TEST_HARNESS_MAIN
