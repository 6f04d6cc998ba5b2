// SPDX-License-Identifier: GPL-2.0-only
/* What a store that is a cache of a bucket believes of it, and takes back. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <kselftest_harness.h>

#include "daemons/common/sql/meta.h"
#include "daemons/vdfsd/names/node.h"
#include "daemons/vdfsd/store/away.h"
#include "vdfsd/pair.h"

#define MIB ((size_t)1 << 20)

FIXTURE(cache)
{
	struct pair p;
};

FIXTURE_SETUP(cache)
{
	ASSERT_EQ(0, pair_make(&self->p));
}

FIXTURE_TEARDOWN(cache)
{
	EXPECT_EQ(0, no_fault(&self->p.here));
	EXPECT_EQ(0, no_fault(&self->p.there));
	pair_remove(&self->p);
}

/*
 * The disk fails at the second run of a change, the one behind what the
 * bucket was told.
 */
static const struct vdfs_name_change *real;
static int runs;
static int (*really)(struct vdfs_store *store,
		     const struct vdfs_name_change *change);

static int fail_second(struct sqlite3 *db, void *arg)
{
	return runs++ ? -EIO : real->fn(db, arg);
}

static int change_and_fail(struct vdfs_store *store,
			   const struct vdfs_name_change *change)
{
	struct vdfs_name_change copy = *change;

	real = change;
	runs = 0;
	copy.fn = fail_second;
	return really(store, &copy);
}

static void let_commits_fail(struct vdfs_store *store)
{
	static struct vdfs_away_ops ops;
	static struct vdfs_name_ops names;

	ops = *vdfs_store_away(store);
	names = *ops.names;
	really = names.change;
	names.change = change_and_fail;
	ops.names = &names;
	vdfs_store_set_remote(store, &ops, vdfs_store_remote(store));
}

/* The bucket says what it said before, on every host. */
TEST_F_TIMEOUT(cache, takes_back_what_could_not_be_committed, 120)
{
	struct vdfs_store *here = self->p.here.store;
	struct vdfs_hash hash;
	struct vdfs_stat st;
	struct tree *t;
	int i;

	ASSERT_EQ(0, put_bytes(here, &alice, "old", 3, 0, "d/x", &hash));
	ASSERT_EQ(0, put_bytes(here, &alice, "more", 4, 0, "d/e/y", &hash));
	let_commits_fail(here);
	EXPECT_EQ(-EIO, put_bytes(here, &alice, "new", 3, 0, "d/x", &hash));
	EXPECT_EQ(2, runs);
	EXPECT_EQ(-EIO, put_bytes(here, &alice, "new", 3, 0, "d/new", &hash));
	EXPECT_EQ(-EIO, vdfs_name_mkdir(here, &alice, "d/dir", 0755));
	EXPECT_EQ(-EIO, vdfs_name_unlink(here, &alice, "d/x"));
	EXPECT_EQ(-EIO, vdfs_name_rename(here, &alice, "d/e", "f", false));
	EXPECT_EQ(-EIO, vdfs_name_change(here, &alice, "d/x", 0600, INT64_MIN));
	pair_get_old();
	for (i = 0; i < 2; i++) {
		t = i ? &self->p.there : &self->p.here;
		EXPECT_EQ(0, name_same(t, &bob, "d/x", "old", 3));
		EXPECT_EQ(0, name_same(t, &bob, "d/e/y", "more", 4));
		EXPECT_EQ(-ENOENT,
			  vdfs_name_stat(t->store, &alice, "d/new", &st));
		EXPECT_EQ(-ENOENT,
			  vdfs_name_stat(t->store, &alice, "d/dir", &st));
		EXPECT_EQ(-ENOENT,
			  vdfs_name_stat(t->store, &alice, "f/y", &st));
	}
}

static int find_name(struct sqlite3 *db, void *arg)
{
	struct sqlite3_stmt *st;
	int err;

	err = vdfs_sql(db, &st, "SELECT 1 FROM remote_name WHERE path = ?",
		       VDFS_BLOB(arg, strlen(arg)));
	return err ?: vdfs_sql_next(st);
}

/* A host forgets what it took away; what failed leaves it nothing to keep. */
TEST_F_TIMEOUT(cache, nothing_is_left_of_what_is_gone, 120)
{
	struct vdfs_store *here = self->p.here.store;
	struct vdfs_store_stats stats;
	struct vdfs_hash hash;
	char path[] = "a";

	ASSERT_EQ(0, put_bytes(here, &alice, "a", 1, 0, path, &hash));
	EXPECT_EQ(1, vdfs_meta_read(vdfs_store_meta(here), find_name, path));
	ASSERT_EQ(0, vdfs_name_unlink(here, &alice, path));
	EXPECT_EQ(0, vdfs_meta_read(vdfs_store_meta(here), find_name, path));
	bucket_stop(&self->p.b);
	EXPECT_NE(0, put_bytes(here, &alice, "new", 3, 0, "b", &hash));
	ASSERT_EQ(0, vdfs_store_stats(here, &stats));
	EXPECT_EQ(0, stats.objects);
	ASSERT_EQ(0, bucket_start(&self->p.b));
}

/* Pieces of a blob too are garbage at once, when it has left. */
TEST_F_TIMEOUT(cache, evicted_pieces_are_no_objects_any_more, 120)
{
	struct vdfs_store_stats stats;
	uint8_t *data[2];
	struct vdfs_hash hash;
	char name[8];
	int i;

	self->p.options.budget = 3 * MIB;
	ASSERT_EQ(0, pair_reopen(&self->p, &self->p.here));
	for (i = 0; i < 2; i++) {
		data[i] = random_bytes(2 * MIB, i);
		snprintf(name, sizeof(name), "n%d", i);
		ASSERT_EQ(0, put_bytes(self->p.here.store, &alice, data[i],
				       2 * MIB, 0, name, &hash));
		free(data[i]);
	}
	ASSERT_EQ(0, vdfs_store_stats(self->p.here.store, &stats));
	EXPECT_LT(stats.disk_bytes, 3 * MIB);
}

static int count_row(struct sqlite3 *db, void *arg)
{
	struct sqlite3_stmt *st;
	int err;

	err = vdfs_sql(db, &st, "SELECT 1 FROM remote_blob WHERE hash = ?",
		       VDFS_BLOB(arg, sizeof(struct vdfs_hash)));
	return err ?: vdfs_sql_next(st);
}

/* Whether a host believes that the bucket has a blob. */
static int believes(struct tree *t, struct vdfs_hash *hash)
{
	return vdfs_meta_read(vdfs_store_meta(t->store), count_row, hash);
}

static void sleep_s(int s)
{
	struct timespec t = { .tv_sec = s };

	nanosleep(&t, NULL);
}

/* A blob that the bucket has lost is not sent away to it. */
TEST_F_TIMEOUT(cache, keeps_what_the_bucket_does_not, 120)
{
	struct vdfs_store *here;
	uint8_t *data = random_bytes(MIB, 1);
	struct vdfs_remote_gc_result gc;
	struct vdfs_hash kept, named, more;
	char name[8];
	int i;

	self->p.options.grace_s = 1;
	self->p.options.budget = 2 * MIB;
	ASSERT_EQ(0, pair_reopen(&self->p, &self->p.here));
	here = self->p.here.store;
	ASSERT_EQ(0, put_bytes(here, &alice, data, MIB, 0, "x", &kept));
	ASSERT_EQ(0, put_bytes(here, &alice, "named", 5, 0, "y", &named));
	ASSERT_EQ(0, vdfs_blob_keep(here, &alice, &kept));
	ASSERT_EQ(0, vdfs_name_unlink(here, &alice, "x"));
	EXPECT_EQ(1, believes(&self->p.here, &kept));
	sleep_s(2);
	ASSERT_EQ(0, vdfs_remote_gc(here, &gc));
	EXPECT_EQ(1, gc.deleted);
	EXPECT_EQ(MIB, gc.bytes);
	EXPECT_EQ(0, believes(&self->p.here, &kept));
	EXPECT_EQ(1, believes(&self->p.here, &named));
	/* Others fill the cache. */
	for (i = 0; i < 4; i++) {
		uint8_t *other = random_bytes(MIB, 10 + i);

		snprintf(name, sizeof(name), "n%d", i);
		ASSERT_EQ(0,
			  put_bytes(here, &alice, other, MIB, 0, name, &more));
		free(other);
	}
	EXPECT_EQ(1, believes(&self->p.here, &more));
	bucket_stop(&self->p.b);
	EXPECT_EQ(0, get_same(here, &alice, &kept, data, MIB));
	ASSERT_EQ(0, bucket_start(&self->p.b));
	pair_get_old();
	/* With a name again it is sent again. */
	ASSERT_EQ(0, vdfs_name_link(here, &alice, "z", &kept));
	EXPECT_EQ(1, believes(&self->p.here, &kept));
	EXPECT_EQ(0, name_same(&self->p.there, &alice, "z", data, MIB));
	free(data);
}

/* The room is there at once: nobody has to collect garbage first. */
TEST_F_TIMEOUT(cache, evicted_files_leave_the_disk, 120)
{
	const char *files =
		"test $(find object -type f ! -name identity | wc -l) = %d";
	uint8_t *data[3];
	struct vdfs_hash hash;
	char line[80], name[8];
	int i;

	self->p.options.budget = 3 * MIB;
	ASSERT_EQ(0, pair_reopen(&self->p, &self->p.here));
	for (i = 0; i < 3; i++) {
		data[i] = random_bytes(2 * MIB, i);
		snprintf(name, sizeof(name), "n%d", i);
		ASSERT_EQ(0, put_bytes(self->p.here.store, &alice, data[i],
				       2 * MIB, VDFS_PUT_WHOLE, name, &hash));
		snprintf(line, sizeof(line), files, 1);
		EXPECT_EQ(0, tree_shell(&self->p.here, line));
	}
	/* The one that was used last stays. */
	bucket_stop(&self->p.b);
	EXPECT_EQ(0, get_same(self->p.here.store, &alice, &hash, data[2],
			      2 * MIB));
	ASSERT_EQ(0, bucket_start(&self->p.b));
	pair_get_old();
	for (i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		EXPECT_EQ(0, name_same(&self->p.here, &alice, name, data[i],
				       2 * MIB));
		free(data[i]);
	}
}

/* A cache that is full keeps what was opened last, not what came last. */
TEST_F_TIMEOUT(cache, evicts_what_was_not_used_longest, 120)
{
	struct vdfs_store *here;
	uint8_t *data[3];
	struct vdfs_hash hash[3];
	char name[8];
	int i;

	self->p.options.budget = 2 * MIB + MIB / 2;
	ASSERT_EQ(0, pair_reopen(&self->p, &self->p.here));
	here = self->p.here.store;
	for (i = 0; i < 3; i++) {
		data[i] = random_bytes(MIB, i);
		snprintf(name, sizeof(name), "n%d", i);
		ASSERT_EQ(0, put_bytes(here, &alice, data[i], MIB, 0, name,
				       &hash[i]));
		if (i == 2)
			bucket_stop(&self->p.b);
		/* The first is used between the second and the third. */
		EXPECT_EQ(0, get_same(here, &alice, &hash[0], data[0], MIB));
	}
	EXPECT_EQ(0, get_same(here, &alice, &hash[0], data[0], MIB));
	EXPECT_NE(0, get_same(here, &alice, &hash[1], data[1], MIB));
	EXPECT_EQ(0, get_same(here, &alice, &hash[2], data[2], MIB));
	for (i = 0; i < 3; i++)
		free(data[i]);
}

/* When the blob in the bucket was written, in the server's seconds. */
static int64_t written(FIXTURE_DATA(cache) * self, const struct vdfs_hash *hash)
{
	char text[VDFS_HASH_TEXT], key[96];
	struct vdfs_s3_info info = { 0 };

	vdfs_hash_print(hash, text);
	snprintf(key, sizeof(key), "blob/%s", text);
	return vdfs_s3_head(self->p.s3, key, &info) ? -1 : info.modified;
}

/*
 * A blob without a name is garbage after the grace time. One that gets a name
 * when half of that has passed is written again, so that it is young.
 */
TEST_F_TIMEOUT(cache, writes_again_what_may_be_garbage_soon, 120)
{
	struct vdfs_store *here;
	struct vdfs_remote_gc_result gc;
	struct vdfs_hash hash;
	int64_t first;

	self->p.options.grace_s = 1000;
	ASSERT_EQ(0, pair_reopen(&self->p, &self->p.here));
	here = self->p.here.store;
	ASSERT_EQ(0, put_bytes(here, &alice, "a", 1, 0, "a", &hash));
	first = written(self, &hash);
	ASSERT_LT(0, first);
	ASSERT_EQ(0, vdfs_name_unlink(here, &alice, "a"));
	sleep_s(3);
	/* Not yet. */
	ASSERT_EQ(0, vdfs_remote_gc(here, &gc));
	EXPECT_EQ(1, gc.young);
	EXPECT_EQ(0, gc.deleted);
	ASSERT_EQ(0, put_bytes(here, &alice, "a", 1, 0, "b", &hash));
	EXPECT_EQ(first, written(self, &hash));
	self->p.options.grace_s = 4;
	ASSERT_EQ(0, pair_reopen(&self->p, &self->p.here));
	here = self->p.here.store;
	ASSERT_EQ(0, put_bytes(here, &alice, "a", 1, 0, "c", &hash));
	EXPECT_LT(first, written(self, &hash));
	/* However old, what has a name stays. */
	sleep_s(5);
	ASSERT_EQ(0, vdfs_remote_gc(here, &gc));
	EXPECT_EQ(0, gc.deleted);
	pair_get_old();
	EXPECT_EQ(0, name_same(&self->p.there, &bob, "c", "a", 1));
}

TEST_HARNESS_MAIN
