// SPDX-License-Identifier: GPL-2.0-only
/* Groups of names: to whom their bits apply, and who gives a name to whom. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "daemons/vdfsd/store/usage.h"
#include "vdfsd/store.h"

#define STAFF 2001
#define OTHER 2002
#define QUOTA 100000

static int asked;

static int in_staff(const struct vdfs_who *who, uint32_t gid)
{
	asked++;
	return gid == who->groups;
}

/* Her group is her own, and she is in STAFF too; so is he, as a first group. */
static const struct vdfs_who member = { .uid = 1001,
					.gid = 1001,
					.in_group = in_staff,
					.groups = STAFF };

static const struct vdfs_who first = { .uid = 1002, .gid = STAFF };

static const struct vdfs_who stranger = { .uid = 1004,
					  .gid = 1004,
					  .in_group = in_staff,
					  .groups = OTHER };

static int in_unknown(const struct vdfs_who *who, uint32_t gid)
{
	(void)who;
	(void)gid;
	return -ESRCH;
}

/* She may be in STAFF, for all that is known. */
static const struct vdfs_who unknown = { .uid = 1004,
					 .gid = 1004,
					 .in_group = in_unknown };

FIXTURE(group)
{
	struct tree t;
	struct vdfs_store *store;
	struct vdfs_hash hash;
};

FIXTURE_SETUP(group)
{
	ASSERT_EQ(0, tree_make(&self->t, NULL));
	self->store = self->t.store;
	ASSERT_EQ(0, put_bytes(self->store, &carol, "three", 5, 0, "d/f",
			       &self->hash));
	ASSERT_EQ(0, vdfs_name_chown(self->store, &admin, "d", ~0U, STAFF));
	ASSERT_EQ(0, vdfs_name_chown(self->store, &admin, "d/f", ~0U, STAFF));
}

FIXTURE_TEARDOWN(group)
{
	struct vdfs_fsck_result result;

	EXPECT_EQ(0, vdfs_fsck(self->store, 0, NULL, NULL, NULL, &result));
	EXPECT_EQ(0, result.faults);
	tree_remove(&self->t);
}

static int chmod_as(FIXTURE_DATA(group) * self, const struct vdfs_who *who,
		    const char *path, uint32_t mode)
{
	return vdfs_name_change(self->store, who, path, mode, INT64_MIN);
}

static struct vdfs_stat stat_of(FIXTURE_DATA(group) * self, const char *path)
{
	struct vdfs_stat st = {};

	vdfs_name_stat(self->store, &admin, path, &st);
	return st;
}

static int opens(FIXTURE_DATA(group) * self, const struct vdfs_who *who)
{
	struct vdfs_blob *blob;
	int err = vdfs_blob_open(self->store, who, &self->hash, &blob);

	if (!err)
		vdfs_blob_close(blob);
	return err;
}

TEST_F(group, members_have_its_bits)
{
	struct vdfs_stat st;
	struct vdfs_hash hash;

	ASSERT_EQ(0, chmod_as(self, &carol, "d", 0710));
	ASSERT_EQ(0, chmod_as(self, &carol, "d/f", 0640));
	EXPECT_EQ(0, opens(self, &member));
	EXPECT_EQ(0, opens(self, &first));
	EXPECT_EQ(-EACCES, vdfs_name_stat(self->store, &stranger, "d/f", &st));
	EXPECT_EQ(-EACCES,
		  put_bytes(self->store, &member, "x", 1, 0, "d/f", &hash));
	EXPECT_EQ(-EACCES, vdfs_name_mkdir(self->store, &first, "d/e", 0755));
	ASSERT_EQ(0, chmod_as(self, &carol, "d", 0730));
	EXPECT_EQ(0, vdfs_name_mkdir(self->store, &first, "d/e", 0755));
	ASSERT_EQ(0, chmod_as(self, &carol, "d/f", 0660));
	EXPECT_EQ(0, put_bytes(self->store, &member, "x", 1, 0, "d/f", &hash));
}

/* Whatever those of others are, and those of the owner come before both. */
TEST_F(group, members_have_no_other_bits)
{
	struct vdfs_stat st;

	ASSERT_EQ(0, chmod_as(self, &carol, "d", 0701));
	EXPECT_EQ(0, vdfs_name_stat(self->store, &stranger, "d/f", &st));
	EXPECT_EQ(-EACCES, vdfs_name_stat(self->store, &member, "d/f", &st));
	EXPECT_EQ(-EACCES, vdfs_name_stat(self->store, &first, "d/f", &st));
	ASSERT_EQ(0, vdfs_name_chown(self->store, &admin, "d", 1002, ~0U));
	ASSERT_EQ(0, chmod_as(self, &first, "d", 0071));
	EXPECT_EQ(-EACCES, vdfs_name_stat(self->store, &first, "d/f", &st));
}

/* It is a look at /proc, where a program reads what all may read. */
TEST_F(group, is_asked_for_where_it_decides)
{
	struct vdfs_stat st;

	asked = 0;
	EXPECT_EQ(0, vdfs_name_stat(self->store, &stranger, "d/f", &st));
	EXPECT_EQ(0, opens(self, &stranger));
	EXPECT_EQ(0, asked);
	ASSERT_EQ(0, chmod_as(self, &carol, "d", 0750));
	EXPECT_EQ(-EACCES, vdfs_name_stat(self->store, &stranger, "d/f", &st));
	EXPECT_EQ(1, asked);
}

static int read_as(FIXTURE_DATA(group) * self, const struct vdfs_who *who)
{
	struct vdfs_stat st;
	int err = vdfs_name_stat(self->store, who, "d/f", &st);

	if (!err && !vdfs_name_may(who, st.owner, st.gid, st.mode, R_OK))
		err = -EPERM;
	return err;
}

/* Neither the bits of the group nor those of others are hers alone. */
TEST_F(group, that_is_not_known_gives_what_both_give)
{
	static const uint32_t modes[] = { 0640, 0604, 0600 };
	struct vdfs_stat st;
	int i;

	ASSERT_EQ(0, chmod_as(self, &carol, "d", 0755));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, chmod_as(self, &carol, "d/f", modes[i]));
		EXPECT_EQ(-EPERM, read_as(self, &unknown));
	}
	EXPECT_EQ(0, read_as(self, &carol));
	ASSERT_EQ(0, chmod_as(self, &carol, "d/f", 0644));
	EXPECT_EQ(0, read_as(self, &unknown));
	ASSERT_EQ(0, chmod_as(self, &carol, "d/f", 0604));
	EXPECT_EQ(0, read_as(self, &stranger));
	EXPECT_EQ(-EPERM, read_as(self, &member));
	ASSERT_EQ(0, chmod_as(self, &carol, "d", 0705));
	EXPECT_EQ(-EACCES, vdfs_name_stat(self->store, &unknown, "d/f", &st));
	/* What gives her something has to be known. */
	ASSERT_EQ(0, vdfs_name_mkdir(self->store, &unknown, "u", 0755));
	EXPECT_EQ(-EPERM,
		  vdfs_name_chown(self->store, &unknown, "u", ~0U, STAFF));
}

/* Names of before there were groups are in none; nobody is in that. */
TEST_F(group, none_has_no_members)
{
	const struct vdfs_who none = { .uid = 1004,
				       .gid = VDFS_GID_NONE,
				       .in_group = in_staff,
				       .groups = VDFS_GID_NONE };
	struct vdfs_stat st;

	ASSERT_EQ(0, vdfs_name_mkdir(self->store, &none, "n", 0755));
	EXPECT_EQ(VDFS_GID_NONE, stat_of(self, "n").gid);
	ASSERT_EQ(0, vdfs_name_chown(self->store, &admin, "n", 1001, ~0U));
	ASSERT_EQ(0, vdfs_name_mkdir(self->store, &member, "n/e", 0755));
	ASSERT_EQ(0, chmod_as(self, &member, "n", 0710));
	EXPECT_EQ(-EACCES, vdfs_name_stat(self->store, &none, "n/e", &st));
}

TEST_F(group, is_that_of_the_maker)
{
	struct vdfs_place place = { .path = "x/placed",
				    .mode = 07644,
				    .mtime_ns = INT64_MIN };
	struct vdfs_hash hash;
	struct vdfs_stat st;

	ASSERT_EQ(0, put_bytes(self->store, &first, "x", 1, 0, "x/y/f", &hash));
	EXPECT_EQ(STAFF, stat_of(self, "x").gid);
	EXPECT_EQ(STAFF, stat_of(self, "x/y").gid);
	EXPECT_EQ(STAFF, stat_of(self, "x/y/f").gid);
	ASSERT_EQ(0, put_at(self->store, &first, "x", &place, &st));
	EXPECT_EQ(STAFF, st.gid);
	EXPECT_EQ(S_IFREG | 01644, st.mode);
	ASSERT_EQ(0, vdfs_name_mkdir(self->store, &first, "x/z", 02755));
	EXPECT_EQ(STAFF, stat_of(self, "x/z").gid);
	EXPECT_EQ(S_IFDIR | 0755, stat_of(self, "x/z").mode);
}

TEST_F(group, is_that_of_a_directory_with_setgid)
{
	struct vdfs_place place = { .path = "d/placed",
				    .mode = 0644,
				    .mtime_ns = INT64_MIN };
	struct vdfs_store *store = self->store;
	struct vdfs_hash hash;
	struct vdfs_stat st;

	ASSERT_EQ(0, chmod_as(self, &admin, "d", 02777));
	ASSERT_EQ(0, put_bytes(store, &bob, "x", 1, 0, "d/x/y", &hash));
	EXPECT_EQ(STAFF, stat_of(self, "d/x").gid);
	EXPECT_EQ(S_IFDIR | 02755, stat_of(self, "d/x").mode);
	EXPECT_EQ(STAFF, stat_of(self, "d/x/y").gid);
	EXPECT_EQ(S_IFREG | 0644, stat_of(self, "d/x/y").mode);
	ASSERT_EQ(0, vdfs_name_mkdir(store, &bob, "d/z", 0700));
	EXPECT_EQ(STAFF, stat_of(self, "d/z").gid);
	EXPECT_EQ(S_IFDIR | 02700, stat_of(self, "d/z").mode);
	ASSERT_EQ(0, vdfs_name_link(store, &bob, "d/l", &hash));
	EXPECT_EQ(STAFF, stat_of(self, "d/l").gid);
	ASSERT_EQ(0, put_at(store, &bob, "x", &place, &st));
	EXPECT_EQ(STAFF, st.gid);
	/* A name that comes from elsewhere keeps its own. */
	ASSERT_EQ(0, put_bytes(store, &bob, "x", 1, 0, "e", &hash));
	ASSERT_EQ(0, vdfs_name_rename(store, &bob, "e", "d/e", false));
	EXPECT_EQ(bob.gid, stat_of(self, "d/e").gid);
}

TEST_F(group, setgid_is_for_members)
{
	ASSERT_EQ(0, vdfs_name_mkdir(self->store, &member, "m", 0755));
	EXPECT_EQ(0, chmod_as(self, &member, "m", 02755));
	EXPECT_EQ(S_IFDIR | 02755, stat_of(self, "m").mode);
	/* Given to a group of hers it stays; it can be given again. */
	ASSERT_EQ(0, vdfs_name_chown(self->store, &member, "m", ~0U, STAFF));
	EXPECT_EQ(S_IFDIR | 02755, stat_of(self, "m").mode);
	EXPECT_EQ(0, chmod_as(self, &member, "m", 02700));
	EXPECT_EQ(S_IFDIR | 02700, stat_of(self, "m").mode);
	/* Of a group that she is not in she may set all other bits. */
	ASSERT_EQ(0, vdfs_name_chown(self->store, &admin, "m", ~0U, OTHER));
	EXPECT_EQ(0, chmod_as(self, &member, "m", 03775));
	EXPECT_EQ(S_IFDIR | 01775, stat_of(self, "m").mode);
	EXPECT_EQ(0, chmod_as(self, &admin, "m", 03775));
	EXPECT_EQ(S_IFDIR | 03775, stat_of(self, "m").mode);
	/* No file runs as its group. */
	EXPECT_EQ(-EPERM, chmod_as(self, &carol, "d/f", 02755));
	EXPECT_EQ(-EPERM, chmod_as(self, &admin, "d/f", 02644));
}

TEST_F(group, is_changed_by_an_owner_who_is_in_it)
{
	struct vdfs_store *store = self->store;

	ASSERT_EQ(0, vdfs_name_mkdir(store, &member, "m", 0755));
	EXPECT_EQ(0, vdfs_name_chown(store, &member, "m", ~0U, STAFF));
	EXPECT_EQ(STAFF, stat_of(self, "m").gid);
	EXPECT_EQ(-EPERM, vdfs_name_chown(store, &member, "m", ~0U, OTHER));
	EXPECT_EQ(-EPERM, vdfs_name_chown(store, &first, "m", ~0U, STAFF));
	EXPECT_EQ(0, vdfs_name_chown(store, &member, "m", 1001, 1001));
	EXPECT_EQ(1001, stat_of(self, "m").gid);
	/* To leave it as it is takes no group. */
	ASSERT_EQ(0, vdfs_name_chown(store, &admin, "m", ~0U, OTHER));
	EXPECT_EQ(0, vdfs_name_chown(store, &member, "m", 1001, OTHER));
	EXPECT_EQ(-EPERM, vdfs_name_chown(store, &member, "m", 1002, ~0U));
	EXPECT_EQ(-EPERM, vdfs_name_chown(store, &first, "m", 1002, ~0U));
	EXPECT_EQ(1001, stat_of(self, "m").owner);
}

static uint64_t used_by(FIXTURE_DATA(group) * self, uint32_t uid)
{
	uint64_t quota, used = ~0ULL;

	vdfs_quota_get(self->store, uid, &quota, &used);
	return used;
}

static int64_t made_by(FIXTURE_DATA(group) * self, uint32_t uid,
		       enum vdfs_usage_kind kind)
{
	struct vdfs_usage usage[VDFS_USAGES] = {};

	vdfs_usage_get(self->store, uid, usage);
	return usage[kind].n;
}

TEST_F(group, a_new_owner_pays)
{
	struct vdfs_store *store = self->store;
	uint64_t all = used_by(self, carol.uid);

	ASSERT_EQ(5, all);
	ASSERT_EQ(0, vdfs_attr_set(store, &carol, "d/f", "a", "1", 1));
	all = used_by(self, carol.uid);
	EXPECT_EQ(0, vdfs_name_chown(store, &admin, "d/f", bob.uid, STAFF));
	EXPECT_EQ(bob.uid, stat_of(self, "d/f").owner);
	EXPECT_EQ(0, used_by(self, carol.uid));
	EXPECT_EQ(all, used_by(self, bob.uid));
	EXPECT_EQ(1, made_by(self, carol.uid, VDFS_USAGE_NAMES));
	EXPECT_EQ(1, made_by(self, bob.uid, VDFS_USAGE_NAMES));
	EXPECT_EQ(0, made_by(self, carol.uid, VDFS_USAGE_ATTRS));
	EXPECT_EQ(1, made_by(self, bob.uid, VDFS_USAGE_ATTRS));
	/* A directory is a name. */
	EXPECT_EQ(0, vdfs_name_chown(store, &admin, "d", bob.uid, ~0U));
	EXPECT_EQ(0, made_by(self, carol.uid, VDFS_USAGE_NAMES));
	EXPECT_EQ(2, made_by(self, bob.uid, VDFS_USAGE_NAMES));
	EXPECT_EQ(0, vdfs_name_unlink(store, &bob, "d/f"));
	EXPECT_EQ(0, used_by(self, bob.uid));
}

/* Those who pay for what they gave to another's name are not asked. */
TEST_F(group, other_payers_go_on_paying)
{
	struct vdfs_store *store = self->store;
	struct vdfs_hash hash;

	ASSERT_EQ(0, chmod_as(self, &carol, "d/f", 0666));
	ASSERT_EQ(0, put_bytes(store, &bob, "bobs", 4, 0, "d/f", &hash));
	ASSERT_EQ(0, vdfs_attr_set(store, &alice, "d/f", "a", "1", 1));
	ASSERT_EQ(4, used_by(self, bob.uid));
	ASSERT_EQ(66, used_by(self, alice.uid));
	ASSERT_EQ(0, vdfs_name_chown(store, &admin, "d/f", alice.uid, ~0U));
	EXPECT_EQ(4, used_by(self, bob.uid));
	EXPECT_EQ(66, used_by(self, alice.uid));
	ASSERT_EQ(0, vdfs_name_chown(store, &admin, "d/f", bob.uid, ~0U));
	EXPECT_EQ(70, used_by(self, bob.uid));
	EXPECT_EQ(0, used_by(self, alice.uid));
	ASSERT_EQ(0, vdfs_name_chown(store, &admin, "d/f", carol.uid, ~0U));
	EXPECT_EQ(70, used_by(self, carol.uid));
	EXPECT_EQ(0, used_by(self, bob.uid));
}

TEST_F(group, a_new_owner_has_room)
{
	struct vdfs_store *store = self->store;
	char value[3000] = {};
	uint32_t uid = bob.uid;

	ASSERT_EQ(0, vdfs_quota_set(store, &admin, uid, 4));
	EXPECT_EQ(-EDQUOT, vdfs_name_chown(store, &admin, "d/f", uid, ~0U));
	EXPECT_EQ(carol.uid, stat_of(self, "d/f").owner);
	EXPECT_EQ(5, used_by(self, carol.uid));
	EXPECT_EQ(0, used_by(self, uid));
	ASSERT_EQ(0, vdfs_attr_set(store, &carol, "d/f", "a", value, 3000));
	ASSERT_EQ(0, vdfs_quota_set(store, &admin, uid, 3000));
	EXPECT_EQ(-EDQUOT, vdfs_name_chown(store, &admin, "d/f", uid, ~0U));
	ASSERT_EQ(0, vdfs_quota_set(store, &admin, uid, 4000));
	EXPECT_EQ(0, vdfs_name_chown(store, &admin, "d/f", uid, ~0U));
}

TEST_F(group, a_new_owner_has_room_for_names)
{
	uint64_t i, limit = vdfs_usage_limit(1, VDFS_USAGE_NAMES);
	char name[32];

	ASSERT_EQ(0, vdfs_quota_set(self->store, &admin, bob.uid, 1));
	for (i = 0; i < limit; i++) {
		snprintf(name, sizeof(name), "%d", (int)i);
		ASSERT_EQ(0, vdfs_name_mkdir(self->store, &bob, name, 0755));
	}
	EXPECT_EQ(-EDQUOT,
		  vdfs_name_chown(self->store, &admin, "d", bob.uid, ~0U));
	EXPECT_EQ(1, made_by(self, carol.uid, VDFS_USAGE_NAMES) - 1);
	EXPECT_EQ(0, vdfs_name_rmdir(self->store, &bob, "0"));
	EXPECT_EQ(0, vdfs_name_chown(self->store, &admin, "d", bob.uid, ~0U));
}

TEST_F(group, owners_that_cannot_be)
{
	struct vdfs_store *store = self->store;

	EXPECT_EQ(-EINVAL,
		  vdfs_name_chown(store, &admin, "d", VDFS_UID_MAX + 1, ~0U));
	EXPECT_EQ(0, vdfs_name_chown(store, &admin, "d", VDFS_UID_MAX, ~0U));
	EXPECT_EQ(-EBUSY, vdfs_name_chown(store, &admin, "", 1001, ~0U));
	EXPECT_EQ(-EBUSY, vdfs_name_chown(store, &admin, "", ~0U, STAFF));
	EXPECT_EQ(-ENOENT, vdfs_name_chown(store, &admin, "x", 1001, ~0U));
	EXPECT_EQ(0, vdfs_name_chown(store, &admin, "d", carol.uid, ~0U));
}

TEST_HARNESS_MAIN
