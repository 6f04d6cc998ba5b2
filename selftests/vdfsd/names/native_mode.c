// SPDX-License-Identifier: GPL-2.0-only
/* What the mode bits of a name let its owner and others do; groups: native_group.c */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "vdfsd/store.h"

FIXTURE(mode)
{
	struct tree t;
	struct vdfs_store *store;
	struct vdfs_hash hash;
};

FIXTURE_SETUP(mode)
{
	ASSERT_EQ(0, tree_make(&self->t, NULL));
	self->store = self->t.store;
	ASSERT_EQ(0, put_bytes(self->store, &alice, "one", 3, 0, "d/f",
			       &self->hash));
	ASSERT_EQ(0, vdfs_name_mkdir(self->store, &carol, "shared", 0777));
}

FIXTURE_TEARDOWN(mode)
{
	struct vdfs_fsck_result result;

	EXPECT_EQ(0, vdfs_fsck(self->store, 0, NULL, NULL, NULL, &result));
	EXPECT_EQ(0, result.faults);
	tree_remove(&self->t);
}

static int chmod_as(FIXTURE_DATA(mode) * self, const struct vdfs_who *who,
		    const char *path, uint32_t mode)
{
	return vdfs_name_change(self->store, who, path, mode, INT64_MIN);
}

static uint32_t mode_of(FIXTURE_DATA(mode) * self, const char *path)
{
	struct vdfs_stat st;

	return vdfs_name_stat(self->store, &admin, path, &st) ? 0 : st.mode;
}

/* The last of the entries. */
static int see(void *arg, const char *name, const struct vdfs_stat *st)
{
	(void)name;
	*(struct vdfs_stat *)arg = *st;
	return 0;
}

static int list(FIXTURE_DATA(mode) * self, const struct vdfs_who *who,
		const char *path, struct vdfs_stat *st)
{
	memset(st, 0, sizeof(*st));
	return vdfs_name_list(self->store, who, path, NULL, see, st);
}

/* A name in a directory is made and taken away again. */
static int make(FIXTURE_DATA(mode) * self, const struct vdfs_who *who)
{
	int err = vdfs_name_mkdir(self->store, who, "d/new", 0755);

	return err ?: vdfs_name_rmdir(self->store, who, "d/new");
}

/* Bits of all others, or of the owner, and not those of a group. */
TEST_F(mode, directories)
{
	static const struct {
		uint32_t bits;
		int list;
		int look;
		int make;
	} rows[] = {
		{ 0, -EACCES, -EACCES, -EACCES },  { 01, -EACCES, 0, -EACCES },
		{ 02, -EACCES, -EACCES, -EACCES }, { 03, -EACCES, 0, 0 },
		{ 04, 0, -EACCES, -EACCES },	   { 05, 0, 0, -EACCES },
		{ 06, 0, -EACCES, -EACCES },	   { 07, 0, 0, 0 },
	};
	struct vdfs_stat st;
	size_t i, who;

	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		for (who = 0; who < 2; who++) {
			const struct vdfs_who *user = who ? &bob : &alice;
			uint32_t shift = who ? 0 : 6;
			uint32_t mode = rows[i].bits << shift;

			/* All bits that are not this user's say the opposite. */
			mode |= ~rows[i].bits << (6 - shift) &
				07 << (6 - shift);
			mode |= (~rows[i].bits & 07) << 3;
			ASSERT_EQ(0, chmod_as(self, &alice, "d", mode));
			EXPECT_EQ(rows[i].list, list(self, user, "d", &st))
			{
				TH_LOG("mode %o, user %u", mode, user->uid);
			}
			/* Attributes of entries take a look-up. */
			if (!rows[i].list) {
				EXPECT_NE(0, st.ino);
				EXPECT_EQ(rows[i].look ? 0 : 3, st.size);
				EXPECT_EQ(rows[i].look ? 0 : alice.uid,
					  st.owner);
			}
			EXPECT_EQ(rows[i].look,
				  vdfs_name_stat(self->store, user, "d/f",
						 &st));
			EXPECT_EQ(rows[i].make, make(self, user));
			EXPECT_EQ(0, make(self, &admin));
		}
	}
}

static int opens(FIXTURE_DATA(mode) * self, const struct vdfs_who *who)
{
	struct vdfs_blob *blob;
	int err = vdfs_blob_open(self->store, who, &self->hash, &blob);

	if (!err)
		vdfs_blob_close(blob);
	return err;
}

static int attr(FIXTURE_DATA(mode) * self, const struct vdfs_who *who)
{
	ssize_t n = vdfs_attr_get(self->store, who, "d/f", "x", NULL, 0);

	return n < 0 ? (int)n : 0;
}

TEST_F(mode, files)
{
	struct vdfs_store *store = self->store;
	struct vdfs_stat st;
	struct vdfs_hash hash;

	ASSERT_EQ(0, vdfs_attr_set(store, &alice, "d/f", "x", "1", 1));
	ASSERT_EQ(0, chmod_as(self, &alice, "d/f", 0640));
	EXPECT_EQ(-ENOENT, opens(self, &bob));
	EXPECT_EQ(-EACCES, attr(self, &bob));
	EXPECT_EQ(-EACCES, vdfs_attr_set(store, &bob, "d/f", "x", "2", 1));
	EXPECT_EQ(-EACCES, put_bytes(store, &bob, "x", 1, 0, "d/f", &hash));
	EXPECT_EQ(0, vdfs_name_stat(store, &bob, "d/f", &st));
	ASSERT_EQ(0, chmod_as(self, &alice, "d/f", 0604));
	EXPECT_EQ(0, opens(self, &bob));
	EXPECT_EQ(0, attr(self, &bob));
	EXPECT_EQ(-EACCES, put_bytes(store, &bob, "x", 1, 0, "d/f", &hash));
	/* It takes a path there, too. */
	ASSERT_EQ(0, chmod_as(self, &alice, "d", 0744));
	EXPECT_EQ(-ENOENT, opens(self, &bob));
	EXPECT_EQ(-EACCES, attr(self, &bob));
	ASSERT_EQ(0, chmod_as(self, &alice, "d", 0711));
	EXPECT_EQ(0, opens(self, &bob));
	ASSERT_EQ(0, chmod_as(self, &alice, "d/f", 0602));
	EXPECT_EQ(-EACCES, attr(self, &bob));
	EXPECT_EQ(0, vdfs_attr_set(store, &bob, "d/f", "x", "2", 1));
	/* Its owner has bits as well, and may change them. */
	ASSERT_EQ(0, chmod_as(self, &alice, "d/f", 0));
	EXPECT_EQ(-EACCES, attr(self, &alice));
	EXPECT_EQ(-EACCES, put_bytes(store, &alice, "x", 1, 0, "d/f", &hash));
	EXPECT_EQ(0, attr(self, &admin));
	EXPECT_EQ(0, chmod_as(self, &alice, "d/f", 0600));
	EXPECT_EQ(0, put_bytes(store, &alice, "x", 1, 0, "d/f", &hash));
}

/* The right to write is that of when it was opened. */
TEST_F(mode, a_place_that_was_granted)
{
	struct vdfs_place place = { .mtime_ns = INT64_MIN };
	struct vdfs_stat st;

	ASSERT_EQ(0, vdfs_name_stat(self->store, &alice, "d/f", &st));
	place.ino = st.ino;
	ASSERT_EQ(0, chmod_as(self, &alice, "d/f", 0400));
	EXPECT_EQ(-EACCES, put_at(self->store, &bob, "x", &place, &st));
	EXPECT_EQ(-EACCES, put_at(self->store, &alice, "x", &place, &st));
	place.granted = true;
	EXPECT_EQ(0, put_at(self->store, &alice, "x", &place, &st));
}

TEST_F(mode, bits_that_are_kept)
{
	EXPECT_EQ(0, chmod_as(self, &alice, "d", 01777));
	EXPECT_EQ(S_IFDIR | 01777, mode_of(self, "d"));
	EXPECT_EQ(-EPERM, chmod_as(self, &alice, "d", 05777));
	EXPECT_EQ(-EPERM, chmod_as(self, &alice, "d/f", 04755));
	EXPECT_EQ(-EPERM, chmod_as(self, &admin, "d/f", 06755));
	EXPECT_EQ(S_IFDIR | 01777, mode_of(self, "d"));
	EXPECT_EQ(S_IFREG | 0644, mode_of(self, "d/f"));
	ASSERT_EQ(0, vdfs_name_mkdir(self->store, &alice, "d/s", 01770));
	EXPECT_EQ(S_IFDIR | 01770, mode_of(self, "d/s"));
	EXPECT_EQ(S_IFDIR | 01777, mode_of(self, ""));
	EXPECT_EQ(-EACCES, chmod_as(self, &bob, "d", 0777));
}

/* Each takes away its own, and the owner of the directory all. */
TEST_F(mode, sticky)
{
	static const char *const user[] = { "d/a", "d/b", "d/c" };
	static const struct vdfs_who *const who[] = { &alice, &bob, &carol };
	struct vdfs_store *store = self->store;
	struct vdfs_hash hash;
	size_t i;

	ASSERT_EQ(0, chmod_as(self, &alice, "d", 01777));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0,
			  put_bytes(store, who[i], "x", 1, 0, user[i], &hash));
		/* Writing a file is not taking its name away. */
		ASSERT_EQ(0, chmod_as(self, who[i], user[i], 0666));
	}
	EXPECT_EQ(-EACCES, vdfs_name_unlink(store, &carol, "d/b"));
	EXPECT_EQ(-EACCES,
		  vdfs_name_rename(store, &carol, "d/b", "d/x", false));
	EXPECT_EQ(-EACCES,
		  vdfs_name_rename(store, &carol, "d/c", "d/b", false));
	EXPECT_EQ(-EACCES, vdfs_attr_set(store, &carol, "d", "x", "1", 1));
	EXPECT_EQ(0, vdfs_name_rename(store, &carol, "d/c", "d/d", false));
	EXPECT_EQ(0, vdfs_name_unlink(store, &carol, "d/d"));
	EXPECT_EQ(0, vdfs_name_rename(store, &alice, "d/b", "d/a", false));
	EXPECT_EQ(0, vdfs_name_unlink(store, &alice, "d/a"));
	EXPECT_EQ(-EACCES, vdfs_name_unlink(store, &carol, "d/f"));
	ASSERT_EQ(0, chmod_as(self, &alice, "d", 0777));
	EXPECT_EQ(0, vdfs_name_unlink(store, &carol, "d/f"));
	/* The root is sticky. */
	EXPECT_EQ(-EACCES, vdfs_name_rmdir(store, &bob, "shared"));
	EXPECT_EQ(0, vdfs_name_rmdir(store, &carol, "shared"));
}

/* A directory that looks empty is. */
TEST_F(mode, a_private_file_in_a_shared_directory)
{
	struct vdfs_hash hash;
	struct vdfs_stat st;

	ASSERT_EQ(0, put_bytes(self->store, &bob, "x", 1, 0, "shared/planted",
			       &hash));
	ASSERT_EQ(0, chmod_as(self, &bob, "shared/planted", 0600));
	EXPECT_EQ(-ENOTEMPTY, vdfs_name_rmdir(self->store, &carol, "shared"));
	EXPECT_EQ(0, list(self, &carol, "shared", &st));
	EXPECT_EQ(S_IFREG | 0600, st.mode);
	EXPECT_EQ(0, vdfs_name_unlink(self->store, &carol, "shared/planted"));
	EXPECT_EQ(0, vdfs_name_rmdir(self->store, &carol, "shared"));
}

/* Nobody is left to pay for what is out of reach. */
TEST_F(mode, what_is_carried_away)
{
	struct vdfs_store *store = self->store;
	struct vdfs_hash hash;

	ASSERT_EQ(0, vdfs_name_mkdir(store, &bob, "bobs", 0700));
	ASSERT_EQ(0, put_bytes(store, &alice, "x", 1, 0, "shared/d/f", &hash));
	ASSERT_EQ(0, put_bytes(store, &alice, "x", 1, 0, "shared/f", &hash));
	EXPECT_EQ(-EACCES,
		  vdfs_name_rename(store, &bob, "shared/d", "bobs/d", false));
	EXPECT_EQ(-EXDEV,
		  vdfs_name_rename(store, &bob, "shared/f", "bobs/f", false));
	/* Within the directory all who may write it may. */
	EXPECT_EQ(0,
		  vdfs_name_rename(store, &bob, "shared/d", "shared/e", false));
	EXPECT_EQ(0,
		  vdfs_name_rename(store, &bob, "shared/f", "shared/g", false));
	EXPECT_EQ(0, vdfs_name_rename(store, &alice, "shared/e", "d/e", false));
	ASSERT_EQ(0, chmod_as(self, &alice, "shared/g", 0646));
	EXPECT_EQ(0,
		  vdfs_name_rename(store, &bob, "shared/g", "bobs/g", false));
	EXPECT_EQ(0, vdfs_name_rename(store, &admin, "bobs/g", "d/g", false));
}

TEST_F(mode, times)
{
	struct vdfs_store *store = self->store;
	struct vdfs_stat st;

	ASSERT_EQ(0, vdfs_name_change(store, &alice, "d/f", 0666, 5));
	EXPECT_EQ(-EACCES, vdfs_name_change(store, &bob, "d/f", ~0U, 6));
	EXPECT_EQ(-EACCES,
		  vdfs_name_change(store, &bob, "d/f", 0777, VDFS_MTIME_NOW));
	ASSERT_EQ(0, vdfs_name_stat(store, &alice, "d/f", &st));
	EXPECT_EQ(5, st.mtime_ns);
	EXPECT_EQ(0, vdfs_name_change(store, &bob, "d/f", ~0U, VDFS_MTIME_NOW));
	ASSERT_EQ(0, vdfs_name_stat(store, &alice, "d/f", &st));
	EXPECT_LT(5, st.mtime_ns);
	EXPECT_GT(VDFS_MTIME_NOW, st.mtime_ns);
	ASSERT_EQ(0, chmod_as(self, &alice, "d/f", 0644));
	EXPECT_EQ(-EACCES,
		  vdfs_name_change(store, &bob, "d/f", ~0U, VDFS_MTIME_NOW));
}

TEST_HARNESS_MAIN
