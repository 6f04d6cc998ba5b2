// SPDX-License-Identifier: GPL-2.0-only
/* How a store learns what is in its bucket, and what it does not take over. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <kselftest_harness.h>

#include "vdfsd/pair.h"
#include "vdfsd/way.h"

FIXTURE(learn)
{
	struct pair p;
	struct vdfs_hash hash;
};

FIXTURE_SETUP(learn)
{
	ASSERT_EQ(0, pair_make(&self->p));
	ASSERT_EQ(0, put_bytes(self->p.here.store, &alice, "one", 3, 0, "d/x",
			       &self->hash));
	ASSERT_EQ(0, put_bytes(self->p.here.store, &alice, "two", 3, 0, "d/y",
			       &self->hash));
}

FIXTURE_TEARDOWN(learn)
{
	EXPECT_EQ(0, no_fault(&self->p.here));
	EXPECT_EQ(0, no_fault(&self->p.there));
	pair_remove(&self->p);
}

/* Write a name into the bucket behind the client's back. */
static int describe(FIXTURE_DATA(learn) * self, const char *key, uint64_t size,
		    int64_t owner)
{
	char text[VDFS_HASH_TEXT], body[256], whole[64];

	vdfs_hash_print(&self->hash, text);
	snprintf(whole, sizeof(whole), "some/prefix/name/%s", key);
	snprintf(body, sizeof(body),
		 "{\"hash\":\"%s\",\"size\":%llu,\"owner\":%lld,\"mode\":420}",
		 text, (unsigned long long)size, (long long)owner);
	return bucket_do(&self->p.b, "PUT", whole, body);
}

static int count(void *arg, const char *name, const struct vdfs_stat *st)
{
	(void)name;
	(void)st;
	++*(int *)arg;
	return 0;
}

/* A list is compared with what it said before. */
TEST_F_TIMEOUT(learn, what_went_from_a_list, 120)
{
	int n = 0;

	EXPECT_EQ(0, vdfs_name_list(self->p.there.store, &bob, "d", NULL, count,
				    &n));
	EXPECT_EQ(2, n);
	ASSERT_EQ(0, vdfs_name_unlink(self->p.here.store, &alice, "d/x"));
	pair_get_old();
	n = 0;
	EXPECT_EQ(0, vdfs_name_list(self->p.there.store, &bob, "d", NULL, count,
				    &n));
	EXPECT_EQ(1, n);
}

/* A list of what is known costs no request for each name in it. */
TEST_F_TIMEOUT(learn, names_that_stay_are_not_asked_for, 120)
{
	struct tree *there = &self->p.there;
	struct way way = { .match = "/name/d/" };
	char name[16], url[sizeof(self->p.b.url)];
	int i, n = 0;

	for (i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "d/n%d", i);
		ASSERT_EQ(0, put_bytes(self->p.here.store, &alice, "n", 1, 0,
				       name, NULL));
	}
	EXPECT_EQ(0, vdfs_name_list(there->store, &bob, "d", NULL, count, &n));
	EXPECT_EQ(22, n);
	stpcpy(url, self->p.b.url);
	ASSERT_EQ(0, way_open(&way, &self->p.b));
	snprintf(self->p.b.url, sizeof(url),
		 "s3://127.0.0.1:%u/bucket/some/prefix", way.port);
	ASSERT_EQ(0, pair_reopen(&self->p, there));
	pair_get_old();
	n = 0;
	EXPECT_EQ(0, vdfs_name_list(there->store, &bob, "d", NULL, count, &n));
	EXPECT_EQ(22, n);
	EXPECT_LT(0, atomic_load(&way.state->connections));
	EXPECT_GT(10, atomic_load(&way.state->connections));
	way_close(&way);
	stpcpy(self->p.b.url, url);
	ASSERT_EQ(0, pair_reopen(&self->p, there));
}

TEST_F_TIMEOUT(learn, who_owns_it_and_how_long_it_is, 120)
{
	struct vdfs_store *here = self->p.here.store;
	struct vdfs_stat st;

	ASSERT_EQ(0, describe(self, "n1", 3, 7));
	EXPECT_EQ(0, vdfs_name_stat(here, &bob, "n1", &st));
	EXPECT_EQ(7, st.owner);
	EXPECT_EQ(3, st.size);
	ASSERT_EQ(0, describe(self, "n2", 4, 7));
	EXPECT_EQ(-EBADMSG, vdfs_name_stat(here, &bob, "n2", &st));
	ASSERT_EQ(0, describe(self, "n3", 3, -1));
	EXPECT_EQ(-EINVAL, vdfs_name_stat(here, &bob, "n3", &st));
	ASSERT_EQ(0, describe(self, "n4", 3, 4294967294));
	EXPECT_EQ(-EINVAL, vdfs_name_stat(here, &bob, "n4", &st));
}

/* The bucket has lost a directory, and not what is in it. */
TEST_F_TIMEOUT(learn, a_directory_that_is_not_empty_stays, 120)
{
	struct vdfs_s3_info info;
	struct vdfs_hash hash;

	ASSERT_EQ(0, vdfs_s3_head(self->p.s3, "name/d_", &info));
	ASSERT_EQ(0,
		  bucket_do(&self->p.b, "DELETE", "some/prefix/name/d_", NULL));
	pair_get_old();
	EXPECT_EQ(0, put_bytes(self->p.here.store, &alice, "new", 3, 0, "d/z",
			       &hash));
	EXPECT_EQ(0, name_same(&self->p.here, &alice, "d/y", "two", 3));
	pair_get_old();
	EXPECT_EQ(0, name_same(&self->p.there, &alice, "d/z", "new", 3));
	EXPECT_EQ(0, name_same(&self->p.there, &alice, "d/y", "two", 3));
}

/* Nothing is garbage before each key is a name. */
TEST_F_TIMEOUT(learn, a_key_that_is_no_name, 120)
{
	static const char *const keys[] = { "q_00r", "q_0", "q_zz", "q//r" };
	char whole[64];
	size_t i;

	EXPECT_EQ(0, vdfs_remote_gc(self->p.here.store, NULL));
	for (i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		ASSERT_EQ(0, describe(self, keys[i], 3, 7));
		EXPECT_EQ(-EINVAL, vdfs_remote_gc(self->p.here.store, NULL));
		snprintf(whole, sizeof(whole), "some/prefix/name/%s", keys[i]);
		ASSERT_EQ(0, bucket_do(&self->p.b, "DELETE", whole, NULL));
	}
	EXPECT_EQ(0, vdfs_remote_gc(self->p.here.store, NULL));
}

TEST_HARNESS_MAIN
