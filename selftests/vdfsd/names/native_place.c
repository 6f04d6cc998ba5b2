// SPDX-License-Identifier: GPL-2.0-only
/* Puts that become the content of one name and no other. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include <kselftest_harness.h>

#include "vdfsd/store.h"

FIXTURE(place)
{
	struct tree t;
	struct vdfs_store *store;
	struct vdfs_stat st;
};

FIXTURE_SETUP(place)
{
	const struct vdfs_place new = { .path = "dir/file",
					.mode = 0640,
					.mtime_ns = 12345 };

	ASSERT_EQ(0, tree_make(&self->t, NULL));
	self->store = self->t.store;
	ASSERT_EQ(0, vdfs_name_mkdir(self->store, &alice, "dir", 0755));
	ASSERT_EQ(0, put_at(self->store, &alice, "one", &new, &self->st));
}

FIXTURE_TEARDOWN(place)
{
	struct vdfs_fsck_result result;

	EXPECT_EQ(0, vdfs_fsck(self->store, 0, NULL, NULL, NULL, &result));
	EXPECT_EQ(0, result.faults);
	tree_remove(&self->t);
}

TEST_F(place, new_ones)
{
	struct vdfs_place new = { .path = "dir/file", .mtime_ns = INT64_MIN };
	struct vdfs_stat st;

	ASSERT_EQ(0, vdfs_name_stat(self->store, &alice, "dir/file", &st));
	EXPECT_EQ(0, memcmp(&st, &self->st, sizeof(st)));
	EXPECT_EQ(S_IFREG | 0640, st.mode);
	EXPECT_EQ(12345, st.mtime_ns);
	EXPECT_EQ(3, st.size);
	EXPECT_EQ(alice.uid, st.owner);

	EXPECT_EQ(-EEXIST, put_at(self->store, &alice, "x", &new, &st));
	new.path = "";
	EXPECT_EQ(-EEXIST, put_at(self->store, &alice, "x", &new, &st));
	new.path = "dir/../file";
	EXPECT_EQ(-EINVAL, put_at(self->store, &alice, "x", &new, &st));
	new.path = "nowhere/file";
	EXPECT_EQ(-ENOENT, put_at(self->store, &alice, "x", &new, &st));
	new.path = "dir/other";
	EXPECT_EQ(-EACCES, put_at(self->store, &bob, "x", &new, &st));
	EXPECT_EQ(-ENOENT,
		  vdfs_name_stat(self->store, &alice, "dir/other", &st));
	EXPECT_EQ(0, put_at(self->store, &alice, "x", &new, &st));
	EXPECT_LT(12345, st.mtime_ns);
}

TEST_F(place, follows_the_name)
{
	struct vdfs_place there = { .ino = self->st.ino,
				    .mtime_ns = INT64_MIN };
	struct vdfs_stat st, now;

	ASSERT_EQ(0,
		  vdfs_name_rename(self->store, &alice, "dir", "moved", false));
	ASSERT_EQ(0, put_at(self->store, &alice, "second", &there, &st));
	ASSERT_EQ(0, vdfs_name_stat(self->store, &alice, "moved/file", &now));
	EXPECT_EQ(0, memcmp(&st, &now, sizeof(st)));
	EXPECT_EQ(6, st.size);
	EXPECT_EQ(S_IFREG | 0640, st.mode);
	EXPECT_EQ(-ENOENT, vdfs_name_stat(self->store, &alice, "dir", &st));
	EXPECT_EQ(-EACCES, put_at(self->store, &bob, "x", &there, &st));
}

TEST_F(place, gone)
{
	struct vdfs_place there = { .ino = self->st.ino,
				    .mtime_ns = INT64_MIN };
	struct vdfs_hash hash;
	struct vdfs_stat st;

	/* One that is called so again is another. */
	ASSERT_EQ(0, vdfs_name_unlink(self->store, &alice, "dir/file"));
	EXPECT_EQ(-ESTALE, put_at(self->store, &alice, "x", &there, &st));
	ASSERT_EQ(0, put_bytes(self->store, &alice, "new", 3, 0, "dir/file",
			       &hash));
	EXPECT_EQ(-ESTALE, put_at(self->store, &alice, "x", &there, &st));
	ASSERT_EQ(0, vdfs_name_stat(self->store, &alice, "dir/file", &st));
	EXPECT_EQ(0, memcmp(&hash, &st.hash, sizeof(hash)));

	ASSERT_EQ(0, vdfs_name_stat(self->store, &alice, "dir", &st));
	there.ino = st.ino;
	EXPECT_EQ(-EISDIR, put_at(self->store, &alice, "x", &there, &st));
}

TEST_HARNESS_MAIN
