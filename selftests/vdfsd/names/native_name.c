// SPDX-License-Identifier: GPL-2.0-only
/* Names: paths, who may do what, moves, attributes, and what it all costs. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <linux/limits.h>

#include <kselftest_harness.h>

#include "vdfsd/store.h"

#define DEEP 500

FIXTURE(name)
{
	struct tree t;
	struct vdfs_store *store;
	struct vdfs_hash one;
	struct vdfs_hash two;
};

FIXTURE_SETUP(name)
{
	ASSERT_EQ(0, tree_make(&self->t, NULL));
	self->store = self->t.store;
	ASSERT_EQ(0, put_bytes(self->store, &alice, "one", 3, 0, "a/one",
			       &self->one));
	ASSERT_EQ(0, put_bytes(self->store, &alice, "two!", 4, 0, "a/b/two",
			       &self->two));
}

FIXTURE_TEARDOWN(name)
{
	struct vdfs_fsck_result result;

	EXPECT_EQ(0, vdfs_fsck(self->store, 0, NULL, NULL, NULL, &result));
	EXPECT_EQ(0, result.faults);
	tree_remove(&self->t);
}

static int stat_of(FIXTURE_DATA(name) * self, const struct vdfs_who *who,
		   const char *path)
{
	struct vdfs_stat st;

	return vdfs_name_stat(self->store, who, path, &st);
}

TEST_F(name, paths_are_checked)
{
	char path[VDFS_PATH_MAX + 2];

	EXPECT_EQ(0, vdfs_name_check(""));
	EXPECT_EQ(0, vdfs_name_check("a"));
	EXPECT_EQ(0, vdfs_name_check("a/.b/..c/\n \xff"));
	EXPECT_EQ(-EINVAL, vdfs_name_check("/"));
	EXPECT_EQ(-EINVAL, vdfs_name_check("/a"));
	EXPECT_EQ(-EINVAL, vdfs_name_check("a/"));
	EXPECT_EQ(-EINVAL, vdfs_name_check("a//b"));
	EXPECT_EQ(-EINVAL, vdfs_name_check("."));
	EXPECT_EQ(-EINVAL, vdfs_name_check(".."));
	EXPECT_EQ(-EINVAL, vdfs_name_check("a/../b"));
	EXPECT_EQ(-EINVAL, vdfs_name_check("a/."));
	memset(path, 'x', sizeof(path));
	path[255] = '\0';
	EXPECT_EQ(0, vdfs_name_check(path));
	path[255] = 'x';
	path[256] = '\0';
	EXPECT_EQ(-ENAMETOOLONG, vdfs_name_check(path));
	for (size_t i = 1; i < sizeof(path); i += 2) {
		path[i] = '/';
		path[i - 1] = 'x';
	}
	path[VDFS_PATH_MAX] = '\0';
	path[256] = 'x';
	EXPECT_EQ(0, vdfs_name_check(path));
	path[VDFS_PATH_MAX] = 'x';
	path[VDFS_PATH_MAX + 1] = '\0';
	EXPECT_EQ(-ENAMETOOLONG, vdfs_name_check(path));
}

TEST_F(name, stat_says_what_it_is)
{
	struct vdfs_stat st, again;

	ASSERT_EQ(0, vdfs_name_stat(self->store, &alice, "a/b/two", &st));
	EXPECT_EQ(0, memcmp(&self->two, &st.hash, sizeof(st.hash)));
	EXPECT_EQ(4, st.size);
	EXPECT_EQ(alice.uid, st.owner);
	EXPECT_EQ(S_IFREG | VDFS_MODE_FILE, st.mode);
	ASSERT_EQ(0,
		  vdfs_name_link(self->store, &alice, "a/b/two", &self->one));
	ASSERT_EQ(0, vdfs_name_stat(self->store, &alice, "a/b/two", &again));
	EXPECT_EQ(st.ino, again.ino);
	EXPECT_EQ(3, again.size);
	EXPECT_LE(st.mtime_ns, again.mtime_ns);
	ASSERT_EQ(0, vdfs_name_stat(self->store, &bob, "", &st));
	EXPECT_EQ(S_IFDIR, st.mode & S_IFMT);
	ASSERT_EQ(0, vdfs_name_stat(self->store, &bob, "a", &st));
	EXPECT_EQ(S_IFDIR | VDFS_MODE_DIR, st.mode);
	EXPECT_EQ(0, st.size);
	EXPECT_EQ(-ENOENT, stat_of(self, &alice, "a/none"));
	EXPECT_EQ(-ENOTDIR, stat_of(self, &alice, "a/one/x"));
	EXPECT_EQ(-EINVAL, stat_of(self, &alice, "a/"));
}

static int collect(void *arg, const char *name, const struct vdfs_stat *st)
{
	char *list = arg;

	(void)st;
	strcat(strcat(list, name), " ");
	return strlen(list) > 5000 ? -E2BIG : 0;
}

TEST_F(name, lists_in_the_order_of_bytes)
{
	char list[6000] = "", name[32], expect[6000] = "";
	int i;

	ASSERT_EQ(0,
		  vdfs_name_list(self->store, &bob, "a", NULL, collect, list));
	EXPECT_STREQ("b one ", list);
	list[0] = '\0';
	ASSERT_EQ(0,
		  vdfs_name_list(self->store, &bob, "a", "b", collect, list));
	EXPECT_STREQ("one ", list);
	for (i = 400; i-- > 0;) {
		snprintf(name, sizeof(name), "many/%04d", i);
		ASSERT_EQ(0, vdfs_name_link(self->store, &alice, name,
					    &self->one));
	}
	for (i = 0; i < 400; i++) {
		snprintf(name, sizeof(name), "%04d ", i);
		strcat(expect, name);
	}
	list[0] = '\0';
	ASSERT_EQ(0,
		  vdfs_name_list(self->store, &bob, "many", "", collect, list));
	EXPECT_STREQ(expect, list);
	EXPECT_EQ(-ENOTDIR, vdfs_name_list(self->store, &bob, "a/one", NULL,
					   collect, list));
	EXPECT_EQ(-ENOENT,
		  vdfs_name_list(self->store, &bob, "x", NULL, collect, list));
}

TEST_F(name, mkdir_and_rmdir)
{
	struct vdfs_store *store = self->store;

	EXPECT_EQ(0, vdfs_name_mkdir(store, &bob, "x/y/z", 0700));
	EXPECT_EQ(-EEXIST, vdfs_name_mkdir(store, &bob, "x/y", 0755));
	EXPECT_EQ(-EEXIST, vdfs_name_mkdir(store, &bob, "a/one", 0755));
	EXPECT_EQ(-EEXIST, vdfs_name_mkdir(store, &bob, "", 0755));
	EXPECT_EQ(-ENOTDIR, vdfs_name_mkdir(store, &alice, "a/one/x", 0755));
	EXPECT_EQ(-EACCES, vdfs_name_mkdir(store, &bob, "a/x", 0755));
	EXPECT_EQ(-ENOTEMPTY, vdfs_name_rmdir(store, &bob, "x/y"));
	EXPECT_EQ(-EACCES, vdfs_name_rmdir(store, &alice, "x/y"));
	EXPECT_EQ(-EACCES, vdfs_name_rmdir(store, &alice, "x/y/z/w"));
	EXPECT_EQ(0, vdfs_name_rmdir(store, &bob, "x/y/z"));
	EXPECT_EQ(-ENOENT, vdfs_name_rmdir(store, &bob, "x/y/z"));
	EXPECT_EQ(-ENOTDIR, vdfs_name_rmdir(store, &alice, "a/one"));
	EXPECT_EQ(-EISDIR, vdfs_name_unlink(store, &alice, "a/b"));
	EXPECT_EQ(-EBUSY, vdfs_name_rmdir(store, &admin, ""));
	EXPECT_EQ(-EISDIR, vdfs_name_unlink(store, &admin, ""));
}

TEST_F(name, only_those_who_may)
{
	struct vdfs_store *store = self->store;
	struct vdfs_hash hash;

	ASSERT_EQ(0, put_bytes(store, &bob, "bob", 3, 0, NULL, &hash));
	EXPECT_EQ(-EACCES, vdfs_name_link(store, &bob, "a/one", &hash));
	EXPECT_EQ(-EACCES, vdfs_name_link(store, &bob, "a/new", &hash));
	EXPECT_EQ(-EACCES, vdfs_name_link(store, &bob, "a/n/new", &hash));
	EXPECT_EQ(-EACCES, vdfs_name_unlink(store, &bob, "a/one"));
	EXPECT_EQ(-EACCES,
		  vdfs_name_change(store, &bob, "a/one", 0666, INT64_MIN));
	EXPECT_EQ(-EACCES,
		  vdfs_name_rename(store, &bob, "a/one", "one", false));
	EXPECT_EQ(-ENOENT, vdfs_name_link(store, &alice, "x", &hash));
	EXPECT_EQ(-EISDIR, vdfs_name_link(store, &alice, "a/b", &self->one));
	EXPECT_EQ(-EISDIR, vdfs_name_link(store, &alice, "", &self->one));

	/* The root is everybody's, what is in it is not. */
	ASSERT_EQ(0, vdfs_name_link(store, &alice, "top", &self->one));
	EXPECT_EQ(-EACCES, vdfs_name_unlink(store, &bob, "top"));
	EXPECT_EQ(-EACCES, vdfs_name_rename(store, &bob, "top", "mine", false));
	EXPECT_EQ(-EACCES, vdfs_name_link(store, &bob, "top", &hash));

	/* 0002 lets others in, 0004 lets them see. */
	ASSERT_EQ(0, vdfs_name_change(store, &alice, "a", 0777, INT64_MIN));
	EXPECT_EQ(0, vdfs_name_link(store, &bob, "a/bob", &hash));
	EXPECT_EQ(-EACCES, vdfs_name_change(store, &bob, "a", 0755, INT64_MIN));
	ASSERT_EQ(0, vdfs_name_change(store, &alice, "a/b", 0700, INT64_MIN));
	EXPECT_EQ(0, stat_of(self, &bob, "a/b"));
	EXPECT_EQ(-EACCES, stat_of(self, &bob, "a/b/two"));
	EXPECT_EQ(-EACCES, stat_of(self, &bob, "a/b/none"));
	EXPECT_EQ(-EACCES, vdfs_name_link(store, &bob, "a/b/new", &hash));
	EXPECT_EQ(-EISDIR, vdfs_name_link(store, &bob, "a/b", &hash));
	EXPECT_EQ(0, stat_of(self, &alice, "a/b/two"));
	EXPECT_EQ(0, stat_of(self, &admin, "a/b/two"));

	char list[100] = "";

	ASSERT_EQ(0, vdfs_name_list(store, &bob, "a", NULL, collect, list));
	EXPECT_STREQ("b bob one ", list);
}

TEST_F(name, renames_as_rename_does)
{
	struct vdfs_store *store = self->store;
	struct vdfs_stat before, after;

	ASSERT_EQ(0, vdfs_name_stat(store, &alice, "a/b", &before));
	EXPECT_EQ(0, vdfs_name_rename(store, &alice, "a/b", "c", false));
	EXPECT_EQ(-ENOENT, stat_of(self, &alice, "a/b/two"));
	EXPECT_EQ(0, stat_of(self, &alice, "c/two"));
	ASSERT_EQ(0, vdfs_name_stat(store, &alice, "c", &after));
	EXPECT_EQ(before.ino, after.ino);
	EXPECT_EQ(-EEXIST,
		  vdfs_name_rename(store, &alice, "c/two", "a/one", true));
	EXPECT_EQ(0, vdfs_name_rename(store, &alice, "c/two", "a/one", false));
	ASSERT_EQ(0, vdfs_name_stat(store, &alice, "a/one", &after));
	EXPECT_EQ(4, after.size);
	EXPECT_EQ(0, vdfs_name_rename(store, &alice, "a/one", "a/one", false));
	EXPECT_EQ(-ENOENT, vdfs_name_rename(store, &alice, "no", "a/x", false));
	EXPECT_EQ(-ENOENT,
		  vdfs_name_rename(store, &alice, "a/one", "no/x", false));
	EXPECT_EQ(-EISDIR,
		  vdfs_name_rename(store, &alice, "a/one", "c", false));
	EXPECT_EQ(-ENOTDIR,
		  vdfs_name_rename(store, &alice, "c", "a/one", false));
	EXPECT_EQ(-ENOTEMPTY, vdfs_name_rename(store, &alice, "c", "a", false));
	EXPECT_EQ(-EINVAL, vdfs_name_rename(store, &alice, "a", "a/x", false));
	EXPECT_EQ(-EBUSY, vdfs_name_rename(store, &alice, "", "x", false));
	EXPECT_EQ(-EBUSY, vdfs_name_rename(store, &alice, "a", "", false));
	ASSERT_EQ(0, vdfs_name_mkdir(store, &alice, "d", 0755));
	EXPECT_EQ(0, vdfs_name_rename(store, &alice, "a", "d", false));
	EXPECT_EQ(0, stat_of(self, &alice, "d/one"));
	EXPECT_EQ(-EINVAL,
		  vdfs_name_rename(store, &alice, "a/../x", "y", false));
}

static int text_same(FIXTURE_DATA(name) * self, const char *path,
		     const char *text)
{
	struct vdfs_stat st;

	return vdfs_name_stat(self->store, &admin, path, &st) ?:
		       get_same(self->store, &admin, &st.hash, text,
				strlen(text));
}

/* A rename that replaces a name removes it, which needs the same right. */
TEST_F(name, renames_onto_what_may_go_only)
{
	struct vdfs_store *store = self->store;
	struct vdfs_hash hash;

	ASSERT_EQ(0, vdfs_name_change(store, &alice, "a", 0777, INT64_MIN));
	ASSERT_EQ(0, vdfs_name_link(store, &alice, "mine", &self->one));
	ASSERT_EQ(0, put_bytes(store, &carol, "c", 1, 0, "carols", &hash));
	/* The root lets everybody make names, and remove only their own. */
	ASSERT_EQ(0, put_bytes(store, &bob, "top", 3, 0, "top", &hash));
	EXPECT_EQ(-EACCES,
		  vdfs_name_rename(store, &alice, "mine", "top", false));
	/* The directory is another's. */
	ASSERT_EQ(0, put_bytes(store, &bob, "in", 2, 0, "dir/in", &hash));
	EXPECT_EQ(-EACCES,
		  vdfs_name_rename(store, &alice, "mine", "dir/in", false));
	EXPECT_EQ(-EACCES,
		  vdfs_name_rename(store, &alice, "mine", "dir/new", false));
	/* The directory is hers and sticky, then it is the name of another. */
	ASSERT_EQ(0, put_bytes(store, &bob, "hidden", 6, 0, "a/h", &hash));
	ASSERT_EQ(0, vdfs_name_change(store, &bob, "a/h", 0600, INT64_MIN));
	ASSERT_EQ(0, vdfs_name_change(store, &alice, "a", 01777, INT64_MIN));
	EXPECT_EQ(-EACCES,
		  vdfs_name_rename(store, &carol, "carols", "a/h", false));
	EXPECT_EQ(0, text_same(self, "mine", "one"));
	EXPECT_EQ(0, text_same(self, "top", "top"));
	EXPECT_EQ(0, text_same(self, "dir/in", "in"));
	EXPECT_EQ(0, text_same(self, "a/h", "hidden"));
	/* Bob may replace them all. */
	EXPECT_EQ(0, vdfs_name_rename(store, &bob, "top", "a/h", false));
	EXPECT_EQ(0, vdfs_name_rename(store, &bob, "a/h", "dir/in", false));
	EXPECT_EQ(0, text_same(self, "dir/in", "top"));
}

TEST_F(name, attributes)
{
	struct vdfs_store *store = self->store;
	char buf[64], *big = calloc(1, VDFS_ATTR_VALUE_MAX + 1);
	char name[VDFS_ATTR_NAME_MAX + 2];

	EXPECT_EQ(0, vdfs_attr_set(store, &alice, "a/one", "user.b", "xyz", 3));
	EXPECT_EQ(0, vdfs_attr_set(store, &alice, "a/one", "user.a", "", 0));
	EXPECT_EQ(3, vdfs_attr_get(store, &bob, "a/one", "user.b", buf, 64));
	EXPECT_EQ(0, memcmp(buf, "xyz", 3));
	EXPECT_EQ(3, vdfs_attr_get(store, &bob, "a/one", "user.b", NULL, 0));
	EXPECT_EQ(-ERANGE,
		  vdfs_attr_get(store, &bob, "a/one", "user.b", buf, 2));
	EXPECT_EQ(0, vdfs_attr_get(store, &bob, "a/one", "user.a", buf, 64));
	EXPECT_EQ(-ENODATA, vdfs_attr_get(store, &bob, "a/one", "c", buf, 64));
	EXPECT_EQ(-ENOENT, vdfs_attr_get(store, &bob, "a/no", "c", buf, 64));
	EXPECT_EQ(14, vdfs_attr_list(store, &bob, "a/one", buf, 64));
	EXPECT_EQ(0, memcmp(buf, "user.a\0user.b", 14));
	EXPECT_EQ(14, vdfs_attr_list(store, &bob, "a/one", NULL, 0));
	EXPECT_EQ(-ERANGE, vdfs_attr_list(store, &bob, "a/one", buf, 13));
	EXPECT_EQ(-EACCES, vdfs_attr_set(store, &bob, "a/one", "c", "", 0));
	EXPECT_EQ(-EINVAL, vdfs_attr_set(store, &alice, "a/one", "", "", 0));
	EXPECT_EQ(0, vdfs_attr_set(store, &alice, "a/one", "big", big,
				   VDFS_ATTR_VALUE_MAX));
	EXPECT_EQ(-E2BIG, vdfs_attr_set(store, &alice, "a/one", "big", big,
					VDFS_ATTR_VALUE_MAX + 1));
	memset(name, 'n', sizeof(name));
	name[VDFS_ATTR_NAME_MAX + 1] = '\0';
	EXPECT_EQ(-ENAMETOOLONG,
		  vdfs_attr_set(store, &alice, "a/one", name, "", 0));
	name[VDFS_ATTR_NAME_MAX] = '\0';
	EXPECT_EQ(0, vdfs_attr_set(store, &alice, "a/one", name, "", 0));
	EXPECT_EQ(0, vdfs_attr_set(store, &alice, "a/one", name, NULL, 0));
	EXPECT_EQ(-ENODATA,
		  vdfs_attr_set(store, &alice, "a/one", name, NULL, 0));

	/* They go with the name, and stay when its value changes. */
	ASSERT_EQ(0, vdfs_name_link(store, &alice, "a/one", &self->two));
	EXPECT_EQ(3, vdfs_attr_get(store, &bob, "a/one", "user.b", buf, 64));
	ASSERT_EQ(0, vdfs_name_rename(store, &alice, "a/one", "a/b/1", false));
	EXPECT_EQ(3, vdfs_attr_get(store, &bob, "a/b/1", "user.b", buf, 64));
	ASSERT_EQ(0, vdfs_name_unlink(store, &alice, "a/b/1"));
	ASSERT_EQ(0, vdfs_name_link(store, &alice, "a/b/1", &self->two));
	EXPECT_EQ(0, vdfs_attr_list(store, &bob, "a/b/1", buf, 64));
	free(big);
}

TEST_F(name, attributes_have_an_end)
{
	char name[VDFS_ATTR_NAME_MAX + 1];
	size_t n = 0;
	int i, err = 0;

	memset(name, 'n', sizeof(name));
	name[VDFS_ATTR_NAME_MAX] = '\0';
	for (i = 0; !err && i < 1000; i++) {
		snprintf(name, 8, "%07d", i);
		name[7] = 'n';
		err = vdfs_attr_set(self->store, &alice, "a", name, "", 0);
		n += err ? 0 : strlen("user.") + sizeof(name);
	}
	EXPECT_EQ(-E2BIG, err);
	EXPECT_LT(200, i);
	/* The view lists all of them, and one of its own, by listxattr(2). */
	EXPECT_GE(XATTR_LIST_MAX, n + sizeof("user.vdfs.hash"));
	EXPECT_LT(XATTR_LIST_MAX, n + 2 * sizeof(name));
}

static uint64_t used_by(FIXTURE_DATA(name) * self, const struct vdfs_who *who)
{
	uint64_t quota, used = ~0ULL;

	vdfs_quota_get(self->store, who->uid, &quota, &used);
	return used;
}

TEST_F(name, quotas_count_a_blob_once_a_user)
{
	struct vdfs_store *store = self->store;
	struct vdfs_hash hash;
	uint64_t quota, used;

	EXPECT_EQ(7, used_by(self, &alice));
	ASSERT_EQ(0, vdfs_name_link(store, &alice, "again", &self->one));
	ASSERT_EQ(0, vdfs_blob_keep(store, &alice, &self->one));
	/* One more name does not end that. */
	ASSERT_EQ(0, vdfs_name_link(store, &alice, "more", &self->one));
	ASSERT_EQ(0, vdfs_name_unlink(store, &alice, "more"));
	EXPECT_EQ(7, used_by(self, &alice));
	EXPECT_EQ(0, used_by(self, &bob));
	ASSERT_EQ(0, vdfs_name_link(store, &bob, "bobs", &self->one));
	EXPECT_EQ(3, used_by(self, &bob));
	ASSERT_EQ(0, vdfs_name_unlink(store, &alice, "again"));
	ASSERT_EQ(0, vdfs_name_unlink(store, &alice, "a/one"));
	EXPECT_EQ(7, used_by(self, &alice));
	ASSERT_EQ(0, vdfs_blob_drop(store, &alice, &self->one));
	EXPECT_EQ(4, used_by(self, &alice));

	EXPECT_EQ(-EACCES, vdfs_quota_set(store, &bob, bob.uid, 10));
	ASSERT_EQ(0, vdfs_quota_set(store, &admin, bob.uid, 10));
	ASSERT_EQ(0, vdfs_quota_get(store, bob.uid, &quota, &used));
	EXPECT_EQ(10, quota);
	EXPECT_EQ(0, put_bytes(store, &bob, "1234567", 7, 0, "b7", &hash));
	EXPECT_EQ(-EDQUOT, put_bytes(store, &bob, "x", 1, 0, "b8", &hash));
	EXPECT_EQ(-EDQUOT, vdfs_blob_keep(store, &bob, &self->two));
	EXPECT_EQ(-ENOENT, stat_of(self, &bob, "b8"));
	EXPECT_EQ(10, used_by(self, &bob));
	/* Replacing needs room for the difference only. */
	EXPECT_EQ(0, put_bytes(store, &bob, "7654321", 7, 0, "b7", &hash));
	EXPECT_EQ(10, used_by(self, &bob));
	ASSERT_EQ(0, vdfs_quota_set(store, &admin, bob.uid, 0));
	EXPECT_EQ(0, put_bytes(store, &bob, "x", 1, 0, "b8", &hash));
}

/* Whoever removes a name, its owner no longer pays for it. */
TEST_F(name, removal_by_another_uncharges_the_owner)
{
	struct vdfs_store *store = self->store;
	struct vdfs_hash hash;

	ASSERT_EQ(0, vdfs_name_change(store, &alice, "a", 0777, INT64_MIN));
	ASSERT_EQ(0, put_bytes(store, &bob, "12345", 5, 0, "a/bobs", &hash));
	EXPECT_EQ(7, used_by(self, &alice));
	EXPECT_EQ(5, used_by(self, &bob));
	ASSERT_EQ(0, vdfs_name_unlink(store, &bob, "a/one"));
	EXPECT_EQ(4, used_by(self, &alice));
	EXPECT_EQ(5, used_by(self, &bob));
	/* A rename that replaces a name removes it as well. */
	ASSERT_EQ(0, put_bytes(store, &alice, "one", 3, 0, "a/one", &hash));
	EXPECT_EQ(7, used_by(self, &alice));
	ASSERT_EQ(0, vdfs_name_rename(store, &bob, "a/bobs", "a/one", false));
	EXPECT_EQ(4, used_by(self, &alice));
	EXPECT_EQ(5, used_by(self, &bob));
	ASSERT_EQ(0, vdfs_name_unlink(store, &admin, "a/one"));
	EXPECT_EQ(4, used_by(self, &alice));
	EXPECT_EQ(0, used_by(self, &bob));
}

/* SQLite has signed numbers: what would be a negative one is refused. */
TEST_F(name, quotas_are_not_negative)
{
	uint64_t quota, used;

	ASSERT_EQ(0, vdfs_quota_set(self->store, &admin, bob.uid, INT64_MAX));
	EXPECT_EQ(-EINVAL, vdfs_quota_set(self->store, &admin, bob.uid,
					  (uint64_t)INT64_MAX + 1));
	EXPECT_EQ(-EINVAL,
		  vdfs_quota_set(self->store, &admin, bob.uid, UINT64_MAX));
	ASSERT_EQ(0, vdfs_quota_get(self->store, bob.uid, &quota, &used));
	EXPECT_EQ(INT64_MAX, quota);
}

TEST_F(name, quotas_have_a_default)
{
	struct vdfs_store_options options = { .quota = 100 };
	struct vdfs_hash hash;
	char data[101] = "";
	struct vdfs_put *put;
	uint64_t quota, used;
	int i, err = 0;

	ASSERT_EQ(0, tree_reopen(&self->t, &options));
	self->store = self->t.store;
	EXPECT_EQ(-EDQUOT,
		  put_bytes(self->store, &bob, data, 101, 0, NULL, &hash));
	EXPECT_EQ(0, put_bytes(self->store, &bob, data, 100, 0, NULL, &hash));
	/* A large one is refused while it comes. */
	ASSERT_EQ(0, vdfs_put_begin(self->store, &alice, 0, &put));
	for (i = 0; !err && i < 200000; i++)
		err = vdfs_put_write(put, data, sizeof(data));
	EXPECT_EQ(-EDQUOT, err);
	EXPECT_GT(100000, i);
	vdfs_put_abort(put);
	ASSERT_EQ(0, vdfs_quota_get(self->store, 77, &quota, &used));
	EXPECT_EQ(100, quota);
	EXPECT_EQ(0, used);
}

TEST_F(name, goes_as_deep_as_a_path_can)
{
	char path[VDFS_PATH_MAX + 1] = "";
	struct vdfs_hash hash;
	int i;

	for (i = 0; i < DEEP; i++)
		strcat(path, "d/");
	strcat(path, "f");
	ASSERT_EQ(0, put_bytes(self->store, &bob, "deep", 4, 0, path, &hash));
	EXPECT_EQ(0, stat_of(self, &alice, path));
	EXPECT_EQ(0, get_same(self->store, &alice, &hash, "deep", 4));
}

/**
 * struct race - those who move the same name back and forth
 * @store: The store.
 * @stop: They shall end.
 * @moved: How often one did.
 * @wrong: Anything but that or -ENOENT.
 */
struct race {
	struct vdfs_store *store;
	atomic_bool stop;
	atomic_int moved;
	atomic_int wrong;
};

static void *mover(void *arg)
{
	struct race *r = arg;
	int i, err;

	for (i = 0; !atomic_load(&r->stop); i++) {
		err = vdfs_name_rename(r->store, &alice, i % 2 ? "a" : "z",
				       i % 2 ? "z" : "a", true);
		if (!err)
			atomic_fetch_add(&r->moved, 1);
		else if (err != -ENOENT)
			atomic_fetch_add(&r->wrong, 1);
	}
	return NULL;
}

/* Wherever it is, it is in one place, with all that is in it. */
TEST_F(name, moves_race)
{
	struct race r = { .store = self->store };
	pthread_t thread[4];
	struct vdfs_stat st;
	int i;

	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, mover, &r));
	}
	while (atomic_load(&r.moved) < 50 && !atomic_load(&r.wrong))
		sched_yield();
	atomic_store(&r.stop, true);
	for (i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	EXPECT_LE(50, atomic_load(&r.moved));
	EXPECT_EQ(0, atomic_load(&r.wrong));
	EXPECT_EQ(1,
		  !vdfs_name_stat(self->store, &alice, "a/b/two", &st) +
			  !vdfs_name_stat(self->store, &alice, "z/b/two", &st));
}

TEST_HARNESS_MAIN
