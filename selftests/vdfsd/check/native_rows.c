// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rows of names that something else than vdfsd has changed: the check finds
 * each, and a repair gives nobody more than there was.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>

#include <kselftest_harness.h>

#include "daemons/vdfsd/store/store_impl.h"
#include "vdfsd/store.h"

#define LINES 4096 /* bytes of them */

FIXTURE(rows)
{
	struct tree t;
	char lines[LINES];
};

FIXTURE_SETUP(rows)
{
	ASSERT_EQ(0, tree_make(&self->t, NULL));
	ASSERT_EQ(0, put_bytes(self->t.store, &alice, "one", 3, 0, "d/e/one",
			       NULL));
	ASSERT_EQ(0,
		  put_bytes(self->t.store, &alice, "two", 3, 0, "f/two", NULL));
	ASSERT_EQ(0, vdfs_attr_set(self->t.store, &alice, "f/two", "lang", "de",
				   2));
	ASSERT_EQ(0, vdfs_name_change(self->t.store, &alice, "d", 0700,
				      INT64_MIN));
}

FIXTURE_TEARDOWN(rows)
{
	tree_remove(&self->t);
}

static int run_sql(struct sqlite3 *db, void *arg)
{
	return sqlite3_exec(db, arg, NULL, NULL, NULL) ? vdfs_meta_errno(db) :
							 0;
}

/* Change rows, as if their bytes on the disk had become others. */
static int change(FIXTURE_DATA(rows) * self, const char *sql)
{
	return vdfs_meta_write(self->t.store->meta, run_sql, (void *)sql);
}

static void note(void *arg, const char *line)
{
	char *lines = arg;
	size_t len = strlen(lines);

	snprintf(lines + len, LINES - len, "%s\n", line);
}

static uint64_t faults(FIXTURE_DATA(rows) * self, uint32_t flags)
{
	struct vdfs_fsck_result r = {};

	self->lines[0] = '\0';
	if (vdfs_fsck(self->t.store, flags, note, NULL, self->lines, &r))
		return UINT64_MAX;
	return r.faults;
}

TEST_F(rows, each_column_of_a_name_is_checked)
{
	static const char *const changes[][2] = {
		{ "UPDATE node SET mode = mode | 4 WHERE name = x'64'",
		  "UPDATE node SET mode = mode & ~4 WHERE name = x'64'" },
		{ "UPDATE node SET owner = 1002 WHERE name = x'64'",
		  "UPDATE node SET owner = 1001 WHERE name = x'64'" },
		{ "UPDATE node SET gid = 1002 WHERE name = x'64'",
		  "UPDATE node SET gid = 1001 WHERE name = x'64'" },
		{ "UPDATE node SET ctime = ctime + 1",
		  "UPDATE node SET ctime = ctime - 1" },
		{ "UPDATE node SET mtime = mtime + 1",
		  "UPDATE node SET mtime = mtime - 1" },
		{ "UPDATE node SET name = x'65' WHERE name = x'64'",
		  "UPDATE node SET name = x'64'\n"
		  "WHERE name = x'65' AND parent = 1" },
		{ "UPDATE node SET parent = 1 WHERE name = x'65'",
		  "UPDATE node SET parent = (SELECT ino FROM node\n"
		  "WHERE name = x'64') WHERE name = x'65'" },
	};
	int i;

	EXPECT_EQ(0, faults(self, 0));
	for (i = 0; i < 7; i++) {
		ASSERT_EQ(0, change(self, changes[i][0]));
		EXPECT_LT(0, faults(self, 0))
		{
			TH_LOG("%s", changes[i][0]);
		}
		EXPECT_NE(NULL, strstr(self->lines, "names that are not what"));
		ASSERT_EQ(0, change(self, changes[i][1]));
		EXPECT_EQ(0, faults(self, 0));
	}
}

TEST_F(rows, an_attribute_is_checked)
{
	char value[2];

	ASSERT_EQ(0, change(self, "UPDATE attr SET value = x'6465'"));
	EXPECT_EQ(0, faults(self, 0));
	ASSERT_EQ(0, change(self, "UPDATE attr SET value = x'6475'"));
	EXPECT_EQ(1, faults(self, 0));
	ASSERT_EQ(0, change(self, "UPDATE attr SET value = x'6465'"));
	ASSERT_EQ(0, change(self, "UPDATE attr SET name = x'6c616e66'"));
	EXPECT_EQ(1, faults(self, 0));
	EXPECT_LT(0, faults(self, VDFS_FSCK_REPAIR));
	EXPECT_EQ(0, faults(self, 0));
	EXPECT_EQ(-ENODATA, vdfs_attr_get(self->t.store, &alice, "f/two",
					  "lanf", value, 2));
}

/* Of what it was there is no record: only the administrator may say. */
TEST_F(rows, a_repair_opens_nothing)
{
	struct vdfs_stat st;

	ASSERT_EQ(0, change(self, "UPDATE node SET mode = mode | 5\n"
				  "WHERE name = x'64'"));
	ASSERT_EQ(0, vdfs_name_stat(self->t.store, &bob, "d/e/one", &st));
	EXPECT_LT(0, faults(self, VDFS_FSCK_REPAIR));
	EXPECT_EQ(0, faults(self, 0));
	EXPECT_NE(0, vdfs_name_stat(self->t.store, &bob, "d/e/one", &st));
	EXPECT_NE(0, vdfs_name_stat(self->t.store, &alice, "d/e/one", &st));
	ASSERT_EQ(0, vdfs_name_stat(self->t.store, &bob, "d", &st));
	EXPECT_EQ(VDFS_GID_NONE, st.gid);
	ASSERT_EQ(0, vdfs_name_stat(self->t.store, &admin, "d", &st));
	EXPECT_EQ(S_IFDIR | 0700, st.mode);
	EXPECT_EQ(0, vdfs_name_stat(self->t.store, &admin, "d/e/one", &st));
}

/* The root is what every root is. */
TEST_F(rows, the_root_is_mended)
{
	struct vdfs_stat before, after;

	ASSERT_EQ(0, vdfs_name_stat(self->t.store, &alice, "", &before));
	ASSERT_EQ(0,
		  change(self, "UPDATE node SET owner = 1002, mode = 16832,\n"
			       "parent = 5 WHERE ino = 1"));
	EXPECT_LT(0, faults(self, VDFS_FSCK_REPAIR));
	EXPECT_EQ(0, faults(self, 0));
	ASSERT_EQ(0, vdfs_name_stat(self->t.store, &alice, "", &after));
	EXPECT_EQ(before.mode, after.mode);
	EXPECT_EQ(before.owner, after.owner);
}

/* Each row is sound, and says what cannot be: nobody comes there any more. */
TEST_F(rows, a_circle_is_found)
{
	static const char *const circles[] = {
		"UPDATE node SET parent = ino WHERE name = x'64'",
		"UPDATE node SET parent = (SELECT ino FROM node\n"
		"WHERE name = x'65') WHERE name = x'64'",
	};
	static const char resum[] =
		"UPDATE node SET sum =\n"
		"vdfs_sum(parent, name, object, owner, mode, mtime, gid, ctime)";
	struct vdfs_stat st;
	char name[32];
	int i, j, left;

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, change(self, circles[i]));
		ASSERT_EQ(0, change(self, resum));
		EXPECT_EQ(3, faults(self, 0));
		EXPECT_NE(NULL, strstr(self->lines, "circle"));
		EXPECT_EQ(3, faults(self, VDFS_FSCK_REPAIR));
		EXPECT_EQ(0, faults(self, 0));
		for (j = 0, left = 0; j < 20; j++) {
			snprintf(name, sizeof(name), "lost-%d", j);
			left += !vdfs_name_stat(self->t.store, &alice, name,
						&st);
		}
		EXPECT_EQ(1, left);
		/* Back to where it was. */
		ASSERT_EQ(0, change(self,
				    "UPDATE node SET parent = 1,\n"
				    "name = x'64'\n"
				    "WHERE CAST(name AS TEXT) LIKE 'lost-%'"));
		ASSERT_LT(0, faults(self, 0));
		ASSERT_EQ(0, change(self, resum));
		EXPECT_EQ(0, faults(self, 0));
		EXPECT_EQ(0, vdfs_name_stat(self->t.store, &alice, "d/e/one",
					    &st));
	}
}

/* A user who has foreseen what a lost name will be called is not in the way. */
TEST_F(rows, a_lost_name_is_found_beside_one_like_it)
{
	struct vdfs_stat one, other;
	char name[32];

	ASSERT_EQ(0, vdfs_name_stat(self->t.store, &alice, "d/e/one", &one));
	snprintf(name, sizeof(name), "lost-%llu", (unsigned long long)one.ino);
	ASSERT_EQ(0, put_bytes(self->t.store, &bob, "mine", 4, 0, name, NULL));
	ASSERT_EQ(0, change(self,
			    "UPDATE node SET parent = 999,\n"
			    "sum = vdfs_sum(999, name, object, owner, mode,\n"
			    "mtime, gid, ctime) WHERE name = x'6f6e65'"));
	EXPECT_EQ(1, faults(self, VDFS_FSCK_REPAIR));
	EXPECT_EQ(0, faults(self, 0));
	ASSERT_EQ(0, vdfs_name_stat(self->t.store, &bob, name, &other));
	EXPECT_EQ(bob.uid, other.owner);
	/* It has its number still, and another name. */
	ASSERT_EQ(0,
		  change(self, "UPDATE node SET name = x'7a',\n"
			       "sum = vdfs_sum(parent, x'7a', object, owner,\n"
			       "mode, mtime, gid, ctime) WHERE parent = 1 AND\n"
			       "CAST(name AS TEXT) LIKE 'lost-%-%'"));
	ASSERT_EQ(0, vdfs_name_stat(self->t.store, &alice, "z", &other));
	EXPECT_EQ(one.ino, other.ino);
	EXPECT_EQ(alice.uid, other.owner);
}

TEST_F(rows, a_quota_that_nobody_set_is_found)
{
	static const char *const changes[] = {
		"UPDATE quota SET bytes = 999 WHERE uid = 1001",
		"UPDATE quota SET bytes = NULL WHERE uid = 1001",
		"UPDATE quota SET bytes_sum = NULL WHERE uid = 1001",
	};
	uint64_t quota, used;
	int i;

	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, vdfs_quota_set(self->t.store, &admin, alice.uid,
					    1 << 20));
		EXPECT_EQ(0, faults(self, 0));
		ASSERT_EQ(0, change(self, changes[i]));
		EXPECT_EQ(1, faults(self, VDFS_FSCK_REPAIR));
		EXPECT_NE(NULL, strstr(self->lines, "quota"));
		EXPECT_EQ(0, faults(self, 0));
		ASSERT_EQ(0, vdfs_quota_get(self->t.store, alice.uid, &quota,
					    &used));
		EXPECT_EQ(0, quota);
	}
}

static atomic_bool writes, may_end;

static int wait_for_end(struct sqlite3 *db, void *arg)
{
	(void)db;
	(void)arg;
	atomic_store(&writes, true);
	while (!atomic_load(&may_end))
		sched_yield();
	return 0;
}

static void *write_long(void *arg)
{
	return (void *)(intptr_t)vdfs_meta_write(arg, wait_for_end, NULL);
}

/* It would wait for the writer, who waits for its end. */
TEST_F_TIMEOUT(rows, a_repair_of_what_is_sound_is_no_writer, 10)
{
	pthread_t writer;
	void *ret;

	ASSERT_EQ(0, pthread_create(&writer, NULL, write_long,
				    self->t.store->meta));
	while (!atomic_load(&writes))
		sched_yield();
	EXPECT_EQ(0, faults(self, VDFS_FSCK_REPAIR));
	atomic_store(&may_end, true);
	ASSERT_EQ(0, pthread_join(writer, &ret));
	EXPECT_EQ(NULL, ret);
}

static bool stop(void *arg, uint64_t done, uint64_t total)
{
	(void)total;
	/* All bytes were read: only rules are left. */
	return ++*(int *)arg < 5 || !done;
}

/* The rules before the end hold, those behind it were not looked at. */
TEST_F(rows, it_ends_between_rules)
{
	int steps = 0;

	EXPECT_EQ(-ECANCELED, vdfs_fsck(self->t.store, VDFS_FSCK_REPAIR, NULL,
					stop, &steps, NULL));
	EXPECT_EQ(5, steps);
}

/* Every change of a name keeps its row sound. */
TEST_F(rows, changes_keep_them_sound)
{
	struct vdfs_store *store = self->t.store;

	ASSERT_EQ(0, vdfs_name_rename(store, &alice, "d/e/one", "f/one", 0));
	ASSERT_EQ(0, vdfs_name_rename(store, &alice, "d", "f/d", 0));
	ASSERT_EQ(0, put_bytes(store, &alice, "three", 5, 0, "f/one", NULL));
	ASSERT_EQ(0, vdfs_name_change(store, &alice, "f/one", 0600, 77));
	ASSERT_EQ(0, vdfs_name_mkdir(store, &alice, "g/h", 0700));
	ASSERT_EQ(0, vdfs_attr_set(store, &alice, "f/two", "lang", "en", 2));
	EXPECT_EQ(0, faults(self, 0));
}

TEST_HARNESS_MAIN
