// SPDX-License-Identifier: GPL-2.0-only
/* Garbage: what goes, what stays, and who comes in between. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "daemons/vdfsd/store/store_impl.h"
#include "vdfsd/store.h"

#define MIB ((size_t)1 << 20)
#define SMALL_BLOBS 600

FIXTURE(gc)
{
	struct tree t;
};

static void print_line(void *arg, const char *line)
{
	(void)arg;
	printf("# %s\n", line);
}

FIXTURE_SETUP(gc)
{
	ASSERT_EQ(0, tree_make(&self->t, NULL));
}

FIXTURE_TEARDOWN(gc)
{
	struct vdfs_fsck_result result;

	if (self->t.store) {
		EXPECT_EQ(0, vdfs_fsck(self->t.store, 0, print_line, NULL, NULL,
				       &result));
		EXPECT_EQ(0, result.faults);
	}
	tree_remove(&self->t);
}

TEST_F(gc, takes_what_nothing_refers_to)
{
	static const uint32_t flags[] = { 0, 0, VDFS_PUT_WHOLE };
	static const size_t size[] = { 5000, 3 * MIB, 3 * MIB };
	struct vdfs_gc_result result;
	struct vdfs_store_stats stats;
	struct vdfs_hash hash;
	uint8_t *data;
	int i;

	for (i = 0; i < 3; i++) {
		data = random_bytes(size[i], i);
		ASSERT_EQ(0, put_bytes(self->t.store, &alice, data, size[i],
				       flags[i], NULL, &hash));
		ASSERT_EQ(0, vdfs_gc(self->t.store, NULL, NULL, &result));
		EXPECT_EQ(0, result.blobs);
		EXPECT_EQ(0, get_same(self->t.store, &alice, &hash, data,
				      size[i]));
		ASSERT_EQ(0, vdfs_blob_drop(self->t.store, &alice, &hash));
		ASSERT_EQ(0, vdfs_gc(self->t.store, NULL, NULL, &result));
		EXPECT_EQ(1, result.blobs);
		EXPECT_LE(1, result.objects);
		EXPECT_LE(size[i], result.bytes);
		free(data);
	}
	ASSERT_EQ(0, vdfs_store_stats(self->t.store, &stats));
	EXPECT_EQ(0, stats.blobs);
	EXPECT_EQ(0, stats.objects);
	EXPECT_EQ(0, tree_shell(&self->t, "rm */identity;"
					  "! find pack object -type f|grep ."));
}

TEST_F(gc, leaves_what_is_open)
{
	struct vdfs_gc_result result;
	struct vdfs_blob *blob;
	struct vdfs_hash hash;
	size_t len = 3 * MIB;
	uint8_t *data, *buf;
	uint32_t flags;

	for (flags = 0; flags <= VDFS_PUT_WHOLE; flags++) {
		data = random_bytes(len, 7);
		buf = malloc(len);
		ASSERT_EQ(0, put_bytes(self->t.store, &alice, data, len, flags,
				       NULL, &hash));
		ASSERT_EQ(0,
			  vdfs_blob_open(self->t.store, &alice, &hash, &blob));
		ASSERT_EQ(0, vdfs_blob_drop(self->t.store, &alice, &hash));
		ASSERT_EQ(0, vdfs_gc(self->t.store, NULL, NULL, &result));
		EXPECT_EQ(0, result.objects);
		ASSERT_EQ(len, vdfs_blob_read(blob, buf, len, 0));
		EXPECT_EQ(0, memcmp(buf, data, len));
		vdfs_blob_close(blob);
		ASSERT_EQ(0, vdfs_gc(self->t.store, NULL, NULL, &result));
		EXPECT_EQ(1, result.blobs);
		free(data);
		free(buf);
	}
}

TEST_F(gc, near_duplicates_share)
{
	size_t len = 8 * MIB, extra = 100, cut = 3 * MIB + 11;
	struct vdfs_store_stats before, after;
	uint8_t *a = random_bytes(len, 1);
	uint8_t *b = malloc(len + extra);
	struct vdfs_hash ha, hb;

	memcpy(b, a, cut);
	memset(b + cut, 'x', extra);
	memcpy(b + cut + extra, a + cut, len - cut);
	ASSERT_EQ(0, put_bytes(self->t.store, &alice, a, len, 0, NULL, &ha));
	ASSERT_EQ(0, vdfs_store_stats(self->t.store, &before));
	ASSERT_EQ(0, put_bytes(self->t.store, &alice, b, len + extra, 0, NULL,
			       &hb));
	ASSERT_EQ(0, vdfs_store_stats(self->t.store, &after));
	EXPECT_GT(before.object_bytes + MIB, after.object_bytes);
	EXPECT_EQ(2, after.blobs);

	ASSERT_EQ(0, vdfs_blob_drop(self->t.store, &alice, &ha));
	ASSERT_EQ(0, vdfs_gc(self->t.store, NULL, NULL, NULL));
	EXPECT_EQ(0, get_same(self->t.store, &alice, &hb, b, len + extra));
	EXPECT_EQ(0, put_bytes(self->t.store, &alice, a, len, 0, NULL, &ha));
	EXPECT_EQ(0, get_same(self->t.store, &alice, &ha, a, len));
	free(a);
	free(b);
}

/* Most of each segment dies; the rest has to move. */
TEST_F(gc, moves_what_lives_among_the_dead)
{
	struct vdfs_hash hash[SMALL_BLOBS];
	struct vdfs_blob *blob;
	struct vdfs_gc_result result;
	uint8_t *data, buf[4096];
	int i;

	self->t.store->packs.limit = 256 << 10;
	for (i = 0; i < SMALL_BLOBS; i++) {
		data = random_bytes(4096, i);
		ASSERT_EQ(0, put_bytes(self->t.store, &alice, data, 4096, 0,
				       NULL, &hash[i]));
		free(data);
	}
	ASSERT_EQ(0, tree_shell(&self->t, "test $(ls pack | wc -l) -ge 9"));
	ASSERT_EQ(0, vdfs_blob_open(self->t.store, &alice, &hash[20], &blob));
	for (i = 0; i < SMALL_BLOBS; i++) {
		if (i % 10)
			ASSERT_EQ(0, vdfs_blob_drop(self->t.store, &alice,
						    &hash[i]));
	}
	ASSERT_EQ(0, vdfs_gc(self->t.store, NULL, NULL, &result));
	EXPECT_EQ(SMALL_BLOBS * 9 / 10, result.blobs);
	EXPECT_LE(SMALL_BLOBS * 8 / 10 * 4096, result.bytes);
	EXPECT_EQ(0,
		  tree_shell(&self->t, "test $(du -sk pack|cut -f1) -lt 600"));
	/* One that was open when its segment went. */
	data = random_bytes(4096, 20);
	EXPECT_EQ(4096, vdfs_blob_read(blob, buf, 4096, 0));
	EXPECT_EQ(0, memcmp(buf, data, 4096));
	free(data);
	vdfs_blob_close(blob);
	ASSERT_EQ(0, tree_reopen(&self->t, NULL));
	for (i = 0; i < SMALL_BLOBS; i += 10) {
		data = random_bytes(4096, i);
		EXPECT_EQ(0, get_same(self->t.store, &alice, &hash[i], data,
				      4096));
		free(data);
	}
}

/* What cannot be read cannot move: its segment stays, for fsck to report. */
TEST_F(gc, keeps_a_segment_with_damaged_records)
{
	const char *there = "test -e pack/00000001";
	struct vdfs_hash hash[SMALL_BLOBS];
	struct vdfs_fsck_result result;
	struct vdfs_object object;
	uint8_t *data;
	int i;

	for (i = 0; i < SMALL_BLOBS; i++) {
		data = random_bytes(4096, i);
		ASSERT_EQ(0, put_bytes(self->t.store, &alice, data, 4096, 0,
				       NULL, &hash[i]));
		free(data);
	}
	for (i = 0; i < SMALL_BLOBS; i++) {
		if (i % 10)
			ASSERT_EQ(0, vdfs_blob_drop(self->t.store, &alice,
						    &hash[i]));
	}
	ASSERT_EQ(0, object_of(self->t.store, &hash[20], &object));
	ASSERT_EQ(1, object.segment);
	ASSERT_EQ(0, tree_flip(&self->t, "pack/00000001", object.place + 1000));
	ASSERT_EQ(0, vdfs_gc(self->t.store, NULL, NULL, NULL));
	EXPECT_EQ(0, tree_shell(&self->t, there));
	for (i = 0; i < SMALL_BLOBS; i += 10) {
		data = random_bytes(4096, i);
		EXPECT_EQ(i == 20 ? -EBADMSG : 0,
			  get_same(self->t.store, &alice, &hash[i], data,
				   4096));
		free(data);
	}
	ASSERT_EQ(0, vdfs_fsck(self->t.store, 0, NULL, NULL, NULL, &result));
	EXPECT_EQ(1, result.faults);
	EXPECT_EQ(1, result.damaged);
	/* The others have moved, so it goes with the last that is in it. */
	ASSERT_EQ(0, vdfs_blob_drop(self->t.store, &alice, &hash[20]));
	ASSERT_EQ(0, vdfs_gc(self->t.store, NULL, NULL, NULL));
	EXPECT_NE(0, tree_shell(&self->t, there));
}

/* A list that was half committed when its process died. */
TEST_F(gc, takes_what_a_crash_left)
{
	struct vdfs_store_stats stats;
	struct vdfs_gc_result result;
	struct vdfs_put *put;
	uint8_t *zeros;
	int i, status;
	pid_t pid;

	vdfs_store_close(self->t.store);
	self->t.store = NULL;
	pid = fork();
	if (!pid) {
		zeros = calloc(1, MIB);
		if (vdfs_store_open(self->t.dir, NULL, &self->t.store) ||
		    vdfs_put_begin(self->t.store, &alice, 0, &put))
			_exit(1);
		for (i = 0; i < 300; i++) {
			if (vdfs_put_write(put, zeros, MIB))
				_exit(1);
		}
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
	ASSERT_EQ(0, tree_reopen(&self->t, NULL));
	ASSERT_EQ(0, vdfs_store_stats(self->t.store, &stats));
	EXPECT_EQ(0, stats.blobs);
	EXPECT_EQ(1, stats.objects);
	ASSERT_EQ(0, tree_shell(&self->t, "mkdir -p object/ab"));
	ASSERT_EQ(0,
		  tree_shell(&self->t, "echo x >object/ab/$(printf %062d 0)"));
	ASSERT_EQ(0, vdfs_gc(self->t.store, NULL, NULL, &result));
	EXPECT_EQ(0, result.blobs);
	EXPECT_EQ(1, result.objects);
	ASSERT_EQ(0, vdfs_store_stats(self->t.store, &stats));
	EXPECT_EQ(0, stats.objects);
	EXPECT_EQ(
		0,
		tree_shell(&self->t,
			   "! find object -type f ! -name identity | grep ."));
}

static bool stop_at_once(void *arg, uint64_t done, uint64_t total)
{
	(void)arg;
	return done > total;
}

TEST_F(gc, stops_when_told)
{
	struct vdfs_gc_result result;

	EXPECT_EQ(-ECANCELED,
		  vdfs_gc(self->t.store, stop_at_once, NULL, &result));
	EXPECT_EQ(0, vdfs_gc(self->t.store, NULL, NULL, &result));
}

/* Until one of the files is gone. */
static bool stop_behind_one(void *arg, uint64_t done, uint64_t total)
{
	(void)done;
	(void)total;
	return !tree_shell(arg, "[ $(ls object/ab | wc -l) = 3 ]");
}

/* However many files there are, who stops it waits for one of them. */
TEST_F(gc, stops_between_files)
{
	struct vdfs_gc_result result;

	ASSERT_EQ(0, tree_shell(&self->t,
				"mkdir -p object/ab; for i in 1 2 3; do\n"
				"echo x >object/ab/$(printf %062d $i); done"));
	EXPECT_EQ(-ECANCELED,
		  vdfs_gc(self->t.store, stop_behind_one, &self->t, &result));
	EXPECT_EQ(2, result.bytes);
	EXPECT_EQ(0, tree_shell(&self->t, "[ $(ls object/ab | wc -l) = 2 ]"));
	EXPECT_EQ(0, vdfs_gc(self->t.store, NULL, NULL, &result));
	EXPECT_EQ(4, result.bytes);
}

/**
 * struct race - those who put and drop the same, and gc
 * @store: The store.
 * @stop: The collector is to end.
 * @wrong: What went wrong, of all of them.
 * @rounds: How often it went well.
 */
struct race {
	struct vdfs_store *store;
	atomic_bool stop;
	atomic_int wrong;
	atomic_int rounds;
};

#define CONTENTS 6
#define RACE_ROUNDS 16 /* of each thread that puts */

static void *collector(void *arg)
{
	struct race *r = arg;

	while (!atomic_load(&r->stop)) {
		if (vdfs_gc(r->store, NULL, NULL, NULL))
			atomic_fetch_add(&r->wrong, 1);
	}
	return NULL;
}

static int put_check_drop(struct race *r, const struct vdfs_who *who, int i)
{
	size_t len = (i % 3 ? 2 * MIB : 9000) + i;
	uint8_t *data = random_bytes(len, i);
	struct vdfs_hash hash;
	int err;

	err = put_bytes(r->store, who, data, len,
			i % 3 == 2 ? VDFS_PUT_WHOLE : 0, NULL, &hash);
	if (!err)
		err = get_same(r->store, who, &hash, data, len);
	if (!err)
		err = vdfs_blob_drop(r->store, who, &hash);
	free(data);
	return err;
}

static void *putter(void *arg)
{
	static atomic_uint next;
	struct race *r = arg;
	struct vdfs_who who = { .uid = 2000 + atomic_fetch_add(&next, 1) };
	int i;

	for (i = who.uid; i < (int)who.uid + RACE_ROUNDS; i++) {
		if (put_check_drop(r, &who, i % CONTENTS))
			atomic_fetch_add(&r->wrong, 1);
		else
			atomic_fetch_add(&r->rounds, 1);
	}
	return NULL;
}

TEST_F(gc, loses_nothing_to_a_race)
{
	struct race r = { .store = self->t.store };
	struct vdfs_store_stats stats;
	pthread_t thread[5];
	int i;

	self->t.store->packs.limit = 4 * MIB;
	for (i = 0; i < 5; i++) {
		ASSERT_EQ(0, pthread_create(&thread[i], NULL,
					    i ? putter : collector, &r));
	}
	for (i = 1; i < 5; i++)
		pthread_join(thread[i], NULL);
	atomic_store(&r.stop, true);
	pthread_join(thread[0], NULL);
	EXPECT_EQ(0, atomic_load(&r.wrong));
	EXPECT_EQ(4 * RACE_ROUNDS, atomic_load(&r.rounds));
	ASSERT_EQ(0, vdfs_gc(self->t.store, NULL, NULL, NULL));
	ASSERT_EQ(0, vdfs_store_stats(self->t.store, &stats));
	EXPECT_EQ(0, stats.objects);
}

TEST_HARNESS_MAIN
