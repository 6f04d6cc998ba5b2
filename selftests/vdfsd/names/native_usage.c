// SPDX-License-Identifier: GPL-2.0-only
/* The cost of names and attributes, and to whom. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <sqlite3.h>

#include <kselftest_harness.h>

#include "daemons/vdfsd/store/usage.h"
#include "sql/meta.h"
#include "vdfsd/store.h"

#define KIB 1024U
#define QUOTA (1024 * KIB)

FIXTURE(usage)
{
	struct tree t;
	struct vdfs_store *store;
	char value[VDFS_ATTR_VALUE_MAX];
};

FIXTURE_SETUP(usage)
{
	struct vdfs_store_options options = { .quota = QUOTA };

	ASSERT_EQ(0, tree_make(&self->t, &options));
	self->store = self->t.store;
}

FIXTURE_TEARDOWN(usage)
{
	struct vdfs_fsck_result result;

	EXPECT_EQ(0, vdfs_fsck(self->store, 0, NULL, NULL, NULL, &result));
	EXPECT_EQ(0, result.faults);
	tree_remove(&self->t);
}

static struct vdfs_usage usage_of(FIXTURE_DATA(usage) * self,
				  const struct vdfs_who *who,
				  enum vdfs_usage_kind kind)
{
	struct vdfs_usage usage[VDFS_USAGES] = { [VDFS_USAGE_NAMES].n = -1 };

	vdfs_usage_get(self->store, who->uid, usage);
	return usage[kind];
}

static int64_t names_of(FIXTURE_DATA(usage) * self, const struct vdfs_who *who)
{
	return usage_of(self, who, VDFS_USAGE_NAMES).n;
}

static int64_t attrs_of(FIXTURE_DATA(usage) * self, const struct vdfs_who *who)
{
	return usage_of(self, who, VDFS_USAGE_ATTRS).n;
}

static uint64_t used_by(FIXTURE_DATA(usage) * self, const struct vdfs_who *who)
{
	uint64_t quota, used = ~0ULL;

	vdfs_quota_get(self->store, who->uid, &quota, &used);
	return used;
}

TEST_F(usage, names_are_counted)
{
	struct vdfs_store *store = self->store;
	struct vdfs_hash hash;

	ASSERT_EQ(0, put_bytes(store, &bob, "one", 3, 0, "a/b/one", &hash));
	EXPECT_EQ(3, names_of(self, &bob));
	EXPECT_EQ(0, names_of(self, &alice));
	ASSERT_EQ(0, put_bytes(store, &bob, "two", 3, 0, "a/b/one", &hash));
	ASSERT_EQ(0, vdfs_name_link(store, &bob, "a/two", &hash));
	ASSERT_EQ(0, vdfs_name_mkdir(store, &bob, "c", 0777));
	EXPECT_EQ(5, names_of(self, &bob));
	ASSERT_EQ(0, vdfs_name_link(store, &alice, "c/hers", &hash));
	EXPECT_EQ(1, names_of(self, &alice));
	/* By a rename, and whoever takes it away. */
	ASSERT_EQ(0, vdfs_name_rename(store, &bob, "a/two", "c/hers", false));
	EXPECT_EQ(0, names_of(self, &alice));
	EXPECT_EQ(5, names_of(self, &bob));
	ASSERT_EQ(0, vdfs_name_unlink(store, &alice, "c/hers"));
	ASSERT_EQ(0, vdfs_name_rmdir(store, &bob, "c"));
	EXPECT_EQ(3, names_of(self, &bob));
}

/* A quota of bytes allows only so many names of empty blobs. */
TEST_F(usage, names_are_limited_by_user)
{
	uint64_t i, limit = vdfs_usage_limit(QUOTA, VDFS_USAGE_NAMES);
	struct vdfs_store *store = self->store;
	struct vdfs_hash hash;
	struct vdfs_stat st;
	char name[32];
	const struct vdfs_place place = { .path = "more",
					  .mode = 0644,
					  .mtime_ns = INT64_MIN };

	ASSERT_EQ(0, put_bytes(store, &bob, "", 0, 0, NULL, &hash));
	for (i = 0; i < limit; i++) {
		snprintf(name, sizeof(name), "%lu", (unsigned long)i);
		ASSERT_EQ(0, vdfs_name_link(store, &bob, name, &hash));
	}
	EXPECT_EQ(-EDQUOT, vdfs_name_link(store, &bob, "more", &hash));
	EXPECT_EQ(-EDQUOT, vdfs_name_mkdir(store, &bob, "more", 0755));
	EXPECT_EQ(-EDQUOT, put_bytes(store, &bob, "", 0, 0, "more", &hash));
	EXPECT_EQ(-EDQUOT, put_at(store, &bob, "", &place, &st));
	EXPECT_EQ(-ENOENT, vdfs_name_stat(store, &bob, "more", &st));
	EXPECT_EQ(limit, (uint64_t)names_of(self, &bob));
	/* What is there can be changed, and others go on. */
	EXPECT_EQ(0, put_bytes(store, &bob, "new", 3, 0, "1", &hash));
	EXPECT_EQ(0, vdfs_name_mkdir(store, &alice, "more", 0755));
	ASSERT_EQ(0, vdfs_name_unlink(store, &bob, "7"));
	EXPECT_EQ(0, vdfs_name_mkdir(store, &bob, "room", 0755));
	/* Where there is no quota, nor is there a limit. */
	ASSERT_EQ(0, vdfs_quota_set(store, &admin, bob.uid, 0));
	EXPECT_EQ(0, vdfs_name_mkdir(store, &bob, "another", 0755));
}

TEST_F(usage, attributes_are_within_the_quota)
{
	struct vdfs_store *store = self->store;
	struct vdfs_hash hash;
	uint64_t used;
	char name[32];
	int i, err = 0;

	ASSERT_EQ(0, put_bytes(store, &bob, "one", 3, 0, "one", &hash));
	for (i = 0; !err; i++) {
		snprintf(name, sizeof(name), "user.%d", i);
		ASSERT_GT(1000, i);
		err = vdfs_attr_set(store, &bob, "one", name, self->value,
				    sizeof(self->value));
	}
	EXPECT_EQ(-EDQUOT, err);
	EXPECT_EQ(QUOTA / VDFS_ATTR_VALUE_MAX, i);
	EXPECT_EQ(i - 1, attrs_of(self, &bob));
	used = used_by(self, &bob);
	EXPECT_LT((i - 1) * VDFS_ATTR_VALUE_MAX, used);
	EXPECT_GE(QUOTA, used);
	/* They leave as much for blobs as blobs for them. */
	EXPECT_EQ(-EDQUOT, put_bytes(store, &bob, self->value,
				     sizeof(self->value), 0, NULL, &hash));
	/* A smaller value gives room back, and so does none. */
	ASSERT_EQ(0, vdfs_attr_set(store, &bob, "one", "user.0", "x", 1));
	EXPECT_EQ(used - sizeof(self->value) + 1, used_by(self, &bob));
	ASSERT_EQ(0, vdfs_attr_set(store, &bob, "one", "user.0", NULL, 0));
	EXPECT_EQ(i - 2, attrs_of(self, &bob));
	EXPECT_EQ(-ENODATA,
		  vdfs_attr_set(store, &bob, "one", "user.0", NULL, 0));
	EXPECT_EQ(0, put_bytes(store, &bob, self->value, sizeof(self->value), 0,
			       NULL, &hash));
	/* With the name go its attributes. */
	ASSERT_EQ(0, vdfs_name_unlink(store, &bob, "one"));
	EXPECT_EQ(0, attrs_of(self, &bob));
	EXPECT_EQ(sizeof(self->value), used_by(self, &bob));
}

/* A name that others may write is no way to spend its owner's quota. */
TEST_F(usage, who_writes_to_another_users_name_pays)
{
	struct vdfs_store *store = self->store;
	struct vdfs_hash hash;
	struct vdfs_stat st;
	struct vdfs_place place = { .mtime_ns = INT64_MIN };

	ASSERT_EQ(0, put_bytes(store, &alice, "hers", 4, 0, "f", &hash));
	ASSERT_EQ(0, vdfs_name_change(store, &alice, "f", 0666, INT64_MIN));
	ASSERT_EQ(0, put_bytes(store, &bob, "longer", 6, 0, "f", &hash));
	ASSERT_EQ(0, vdfs_name_stat(store, &alice, "f", &st));
	EXPECT_EQ(alice.uid, st.owner);
	EXPECT_EQ(0, used_by(self, &alice));
	EXPECT_EQ(6, used_by(self, &bob));
	/* As open files write. */
	place.ino = st.ino;
	ASSERT_EQ(0, put_at(store, &admin, "longest", &place, &st));
	EXPECT_EQ(0, used_by(self, &bob));
	EXPECT_EQ(7, used_by(self, &admin));
	ASSERT_EQ(0, put_bytes(store, &bob, "by put", 6, 0, "f", &hash));
	EXPECT_EQ(0, used_by(self, &admin));
	EXPECT_EQ(6, used_by(self, &bob));
	/* One who may not have more changes nothing. */
	ASSERT_EQ(0, vdfs_quota_set(store, &admin, bob.uid, 7));
	EXPECT_EQ(-EDQUOT,
		  put_bytes(store, &bob, "eight by", 8, 0, "f", &hash));
	EXPECT_EQ(6, used_by(self, &bob));
	/* The same for attributes, and who replaces one pays for it. */
	ASSERT_EQ(0, vdfs_quota_set(store, &admin, bob.uid, QUOTA));
	ASSERT_EQ(0, vdfs_attr_set(store, &bob, "f", "user.x", "value", 5));
	ASSERT_EQ(0, vdfs_attr_set(store, &alice, "f", "user.y", "value", 5));
	EXPECT_EQ(1, attrs_of(self, &bob));
	EXPECT_EQ(1, attrs_of(self, &alice));
	ASSERT_EQ(0, vdfs_attr_set(store, &alice, "f", "user.x", "hers", 4));
	EXPECT_EQ(0, attrs_of(self, &bob));
	EXPECT_EQ(2, attrs_of(self, &alice));
	ASSERT_EQ(0, vdfs_attr_set(store, &bob, "f", "user.y", "his", 3));
	EXPECT_EQ(1, attrs_of(self, &bob));
	/* The owner can end all of that, whoever pays. */
	ASSERT_EQ(0, put_bytes(store, &alice, "hers", 4, 0, "f", &hash));
	ASSERT_EQ(0, vdfs_name_unlink(store, &alice, "f"));
	EXPECT_EQ(0, used_by(self, &alice));
	EXPECT_EQ(0, used_by(self, &bob));
	EXPECT_EQ(0, attrs_of(self, &bob));
}

static int forget_counts(struct sqlite3 *db, void *arg)
{
	(void)arg;
	return vdfs_sql_run(db, "DELETE FROM usage") ?:
		       vdfs_sql_run(db, "UPDATE quota SET used = 3");
}

static int spoil_counts(struct sqlite3 *db, void *arg)
{
	(void)arg;
	return vdfs_sql_run(db, "UPDATE usage SET n = n + 1 WHERE uid >= 0") ?:
		       vdfs_sql_run(db, "INSERT INTO payer\n"
					"VALUES(99, x'', 1002)");
}

/* A store of before they were counted is counted when it is opened. */
TEST_F(usage, older_stores_are_counted)
{
	struct vdfs_meta *meta = vdfs_store_meta(self->store);
	struct vdfs_store_options options = { .quota = QUOTA };
	struct vdfs_hash hash;
	uint64_t used;
	int i;

	ASSERT_EQ(0, put_bytes(self->store, &bob, "one", 3, 0, "a/f", &hash));
	ASSERT_EQ(0, vdfs_attr_set(self->store, &bob, "a/f", "x", "value", 5));
	used = used_by(self, &bob);
	ASSERT_EQ(0, vdfs_meta_write(meta, forget_counts, NULL));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, tree_reopen(&self->t, &options));
		self->store = self->t.store;
		EXPECT_EQ(2, names_of(self, &bob));
		EXPECT_EQ(1, attrs_of(self, &bob));
		EXPECT_EQ(used, used_by(self, &bob));
	}
}

TEST_F(usage, a_check_counts_again)
{
	struct vdfs_meta *meta = vdfs_store_meta(self->store);
	struct vdfs_fsck_result result;
	struct vdfs_hash hash;

	ASSERT_EQ(0, put_bytes(self->store, &bob, "one", 3, 0, "a/f", &hash));
	ASSERT_EQ(0, vdfs_attr_set(self->store, &bob, "a/f", "x", "value", 5));
	ASSERT_EQ(0, vdfs_meta_write(meta, spoil_counts, NULL));
	ASSERT_EQ(0, vdfs_fsck(self->store, VDFS_FSCK_REPAIR, NULL, NULL, NULL,
			       &result));
	/* Two kinds that are wrong, and right ones that are missing; a payer. */
	EXPECT_EQ(5, result.faults);
	EXPECT_EQ(2, names_of(self, &bob));
	EXPECT_EQ(1, attrs_of(self, &bob));
}

TEST_HARNESS_MAIN
