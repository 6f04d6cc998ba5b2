// SPDX-License-Identifier: GPL-2.0-only
/* Whatever changes of a name is seen by the time that it last changed. */
#include <sqlite3.h>

#include <kselftest_harness.h>

#include "daemons/common/sql/meta.h"
#include "vdfsd/store.h"

#define LONG_AGO 7

FIXTURE(times)
{
	struct tree t;
	struct vdfs_store *store;
	struct vdfs_hash hash;
};

FIXTURE_SETUP(times)
{
	ASSERT_EQ(0, tree_make(&self->t, NULL));
	self->store = self->t.store;
	ASSERT_EQ(0, put_bytes(self->store, &alice, "one", 3, 0, "d/f",
			       &self->hash));
	ASSERT_EQ(0, vdfs_name_mkdir(self->store, &alice, "e", 0755));
}

FIXTURE_TEARDOWN(times)
{
	tree_remove(&self->t);
}

static int age(struct sqlite3 *db, void *arg)
{
	(void)arg;
	return vdfs_sql_run(db, "UPDATE node SET ctime = ?, mtime = ?",
			    VDFS_INT(LONG_AGO), VDFS_INT(LONG_AGO));
}

/* All names last changed long ago. */
static int grow_old(FIXTURE_DATA(times) * self)
{
	return vdfs_meta_write(vdfs_store_meta(self->store), age, NULL);
}

static struct vdfs_stat stat_of(FIXTURE_DATA(times) * self, const char *path)
{
	struct vdfs_stat st = {};

	vdfs_name_stat(self->store, &admin, path, &st);
	return st;
}

static int chmod_it(FIXTURE_DATA(times) * self)
{
	return vdfs_name_change(self->store, &alice, "d/f", 0600, INT64_MIN);
}

static int set_time(FIXTURE_DATA(times) * self)
{
	return vdfs_name_change(self->store, &alice, "d/f", ~0U, LONG_AGO);
}

static int chown_it(FIXTURE_DATA(times) * self)
{
	return vdfs_name_chown(self->store, &admin, "d/f", bob.uid, ~0U);
}

static int set_attr(FIXTURE_DATA(times) * self)
{
	return vdfs_attr_set(self->store, &admin, "d/f", "a", "1", 1);
}

static int drop_attr(FIXTURE_DATA(times) * self)
{
	return vdfs_attr_set(self->store, &admin, "d/f", "a", NULL, 0);
}

static int move(FIXTURE_DATA(times) * self)
{
	return vdfs_name_rename(self->store, &admin, "d/f", "e/f", true) ?:
		       vdfs_name_rename(self->store, &admin, "e/f", "d/f",
					true);
}

/* The content was changed at a time that a user sets. */
static int place(FIXTURE_DATA(times) * self)
{
	struct vdfs_place place = { .ino = stat_of(self, "d/f").ino,
				    .mtime_ns = LONG_AGO };
	struct vdfs_stat st;

	return put_at(self->store, &admin, "two", &place, &st);
}

TEST_F(times, of_changes_that_are_none_of_the_content)
{
	static int (*const change[])(FIXTURE_DATA(times) *) = {
		chmod_it, set_time, set_attr, drop_attr, move, place, chown_it,
	};
	struct vdfs_stat st;
	size_t i;

	for (i = 0; i < sizeof(change) / sizeof(*change); i++) {
		ASSERT_EQ(0, grow_old(self));
		ASSERT_EQ(0, change[i](self));
		st = stat_of(self, "d/f");
		EXPECT_EQ(LONG_AGO, st.mtime_ns);
		EXPECT_LT(LONG_AGO, st.ctime_ns)
		{
			TH_LOG("change %zu", i);
		}
		EXPECT_EQ(LONG_AGO, stat_of(self, "").ctime_ns);
	}
}

TEST_F(times, of_changes_of_the_content)
{
	struct vdfs_hash hash;
	struct vdfs_stat st;

	ASSERT_EQ(0, grow_old(self));
	ASSERT_EQ(0, put_bytes(self->store, &alice, "two", 3, 0, "d/f", &hash));
	st = stat_of(self, "d/f");
	EXPECT_LT(LONG_AGO, st.mtime_ns);
	EXPECT_LT(LONG_AGO, st.ctime_ns);
	/* A directory's are the names in it. */
	EXPECT_EQ(LONG_AGO, stat_of(self, "d").ctime_ns);
	ASSERT_EQ(0, vdfs_name_link(self->store, &alice, "d/g", &hash));
	st = stat_of(self, "d");
	EXPECT_LT(LONG_AGO, st.mtime_ns);
	EXPECT_LT(LONG_AGO, st.ctime_ns);
	EXPECT_LT(LONG_AGO, stat_of(self, "d/g").ctime_ns);
	ASSERT_EQ(0, grow_old(self));
	ASSERT_EQ(0, vdfs_name_unlink(self->store, &alice, "d/g"));
	EXPECT_LT(LONG_AGO, stat_of(self, "d").ctime_ns);
	EXPECT_EQ(LONG_AGO, stat_of(self, "d/f").ctime_ns);
}

TEST_HARNESS_MAIN
