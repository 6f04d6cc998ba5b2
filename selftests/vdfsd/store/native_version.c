// SPDX-License-Identifier: GPL-2.0-only
/*
 * A store that an earlier version made is taken over, once, when its parts fit
 * each other. See selftests/data/vdfs/README.md.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "daemons/common/base/crc.h"
#include "daemons/common/sql/meta.h"
#include "vdfsd/store.h"

#define MIB ((size_t)1 << 20)
#define LIST (3 * MIB / 2)
#define WHOLE (MIB + 17)

static const struct vdfs_store_options look = { .read_only = true };
static const struct vdfs_store_options again = { .rebuild = true };

FIXTURE(version)
{
	struct tree t;
	char *text;
};

FIXTURE_SETUP(version)
{
	char line[512];
	size_t i;

	self->text = malloc(2 * MIB);
	for (i = 0; i < 2 * MIB; i++)
		self->text[i] = "the quick brown fox "[(i + i / 1000) % 20];
	self->t.store = NULL;
	snprintf(self->t.dir, sizeof(self->t.dir), "/tmp/vdfs-store-XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->t.dir));
	snprintf(line, sizeof(line),
		 "cd ${PHI_BUILD:-build}/../selftests/data/vdfs &&\n"
		 "tar -xJf version-1.tar.xz -C %s",
		 self->t.dir);
	ASSERT_EQ(0, system(line));
}

FIXTURE_TEARDOWN(version)
{
	tree_remove(&self->t);
	free(self->text);
}

static int get_name(FIXTURE_DATA(version) * self, const struct vdfs_who *who,
		    const char *name, size_t len)
{
	struct vdfs_stat st;
	int err = vdfs_name_stat(self->t.store, who, name, &st);

	return err ?: get_same(self->t.store, who, &st.hash, self->text, len);
}

/* All that is in it is there. */
static int sound(FIXTURE_DATA(version) * self)
{
	struct vdfs_fsck_result r;
	struct vdfs_hash hash;
	struct vdfs_stat st;
	char value[2];
	int err;

	err = get_name(self, &alice, "old/small", 3000);
	if (!err)
		err = get_name(self, &alice, "old/list", LIST);
	if (!err)
		err = get_name(self, &bob, "whole", WHOLE);
	if (!err)
		err = vdfs_hash_bytes(self->text, 70, &hash);
	if (!err)
		err = get_same(self->t.store, &bob, &hash, self->text, 70);
	if (!err && !vdfs_name_stat(self->t.store, &bob, "old/small", &st))
		err = -EPERM;
	if (!err && vdfs_attr_get(self->t.store, &alice, "old/small",
				  "user.lang", value, 2) != 2)
		err = -ENODATA;
	if (!err)
		err = vdfs_fsck(self->t.store, 0, NULL, NULL, NULL, &r);
	return err ?: (int)r.faults;
}

#define SUMS \
	"find . -type f ! -name sums -print0 | sort -z | xargs -0 sha256sum"

TEST_F(version, is_taken_over)
{
	struct vdfs_hash hash;

	/* A check leaves it what it is. */
	ASSERT_EQ(0, tree_shell(&self->t, SUMS " >sums"));
	ASSERT_EQ(0, tree_reopen(&self->t, &look));
	EXPECT_EQ(0, sound(self));
	vdfs_store_close(self->t.store);
	self->t.store = NULL;
	EXPECT_EQ(0, tree_shell(&self->t, SUMS " | cmp sums -"));

	ASSERT_EQ(0, tree_reopen(&self->t, NULL));
	EXPECT_EQ(0, sound(self));
	EXPECT_EQ(0, tree_shell(&self->t, "test -s pack/identity"));
	ASSERT_EQ(0, put_bytes(self->t.store, &alice, "new", 3, 0, "n", &hash));
	ASSERT_EQ(0, vdfs_gc(self->t.store, NULL, NULL, NULL));
	ASSERT_EQ(0, tree_reopen(&self->t, NULL));
	EXPECT_EQ(0, get_same(self->t.store, &alice, &hash, "new", 3));
	EXPECT_EQ(0, sound(self));
}

/* Another one of the old version, with a head that says so. */
static int copy_segment(struct tree *t)
{
	struct {
		char magic[8];
		uint32_t number;
		uint32_t crc;
	} head = { "VDFSPAK1", 2, 0 };
	char path[128];
	int fd, err;

	snprintf(path, sizeof(path), "%s/pack/00000002", t->dir);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	head.crc = vdfs_crc32c(0, &head, 12);
	err = write(fd, &head, sizeof(head)) == sizeof(head) ? 0 : -EIO;
	close(fd);
	return err;
}

/* From then on it is like any other: one of before is an older copy. */
TEST_F(version, is_taken_over_once)
{
	ASSERT_EQ(0, tree_shell(&self->t, "cp meta.db old"));
	ASSERT_EQ(0, tree_reopen(&self->t, NULL));
	vdfs_store_close(self->t.store);
	self->t.store = NULL;
	ASSERT_EQ(0, tree_shell(&self->t, "mv meta.db new; mv old meta.db"));
	EXPECT_EQ(-EBADMSG, tree_reopen(&self->t, NULL));
	EXPECT_EQ(-EBADMSG, tree_reopen(&self->t, &look));
	ASSERT_EQ(0, tree_shell(&self->t, "mv new meta.db"));
	/* A segment without an identity that was not there then. */
	ASSERT_EQ(0, copy_segment(&self->t));
	EXPECT_EQ(-EBADMSG, tree_reopen(&self->t, NULL));
	EXPECT_EQ(-EBADMSG, tree_reopen(&self->t, &look));
	ASSERT_EQ(0, tree_shell(&self->t, "rm pack/00000002"));
	ASSERT_EQ(0, tree_reopen(&self->t, NULL));
	EXPECT_EQ(0, sound(self));
}

TEST_F(version, is_refused_without_its_database)
{
	ASSERT_EQ(0, tree_shell(&self->t, "mv meta.db saved"));
	EXPECT_EQ(-EBADMSG, tree_reopen(&self->t, NULL));
	EXPECT_EQ(-EBADMSG, tree_reopen(&self->t, &look));
	ASSERT_EQ(0, tree_shell(&self->t, "mv saved meta.db"));
	ASSERT_EQ(0, tree_reopen(&self->t, NULL));
	EXPECT_EQ(0, sound(self));
}

#define MORE "cp pack/00000001 saved; tail -c +17 saved >>pack/00000001;"

/* Dead records may be whole, and so may those that a kill left. */
TEST_F(version, is_taken_over_with_more_than_it_knows)
{
	ASSERT_EQ(0, tree_shell(&self->t, MORE "touch meta.db"));
	ASSERT_EQ(0, tree_reopen(&self->t, &look));
	EXPECT_EQ(0, sound(self));
	ASSERT_EQ(0, tree_reopen(&self->t, NULL));
	EXPECT_EQ(0, sound(self));
	ASSERT_EQ(0, vdfs_gc(self->t.store, NULL, NULL, NULL));
	ASSERT_EQ(0, tree_reopen(&self->t, NULL));
	EXPECT_EQ(0, sound(self));
}

#define SET_MODE(mode, where) \
	"sqlite3 meta.db 'UPDATE node SET mode = " mode " WHERE " where "'"

/* The modes say what they let the owner and others do before. */
TEST_F(version, keeps_what_its_modes_let_users_do)
{
	struct vdfs_stat st;

	ASSERT_EQ(0, tree_shell(&self->t, SET_MODE("mode & ~511", "ino != 1")));
	ASSERT_EQ(0,
		  tree_shell(&self->t, SET_MODE("mode | 4", "object IS NULL")));
	ASSERT_EQ(0, tree_reopen(&self->t, NULL));
	EXPECT_EQ(0, get_name(self, &alice, "old/small", 3000));
	ASSERT_EQ(0, vdfs_name_stat(self->t.store, &alice, "old", &st));
	EXPECT_EQ(0705, st.mode & 0777);
	ASSERT_EQ(0, vdfs_name_stat(self->t.store, &bob, "whole", &st));
	EXPECT_EQ(0600, st.mode & 0777);
}

/**
 * struct old - a version before this one
 * @sum: What gives each name the checksum that it had.
 * @make: The rest, for the sqlite3 command.
 */
struct old {
	const char *sum;
	const char *make;
};

#define TO_VERSION_8 "DROP INDEX object_blob;"
#define TO_VERSION_7 \
	TO_VERSION_8 "ALTER TABLE collection DROP COLUMN stamp_sum;"
#define TO_VERSION_6 TO_VERSION_7 "ALTER TABLE node DROP COLUMN ctime;"
#define TO_VERSION_3                                 \
	TO_VERSION_6                                 \
	"ALTER TABLE node DROP COLUMN gid;"          \
	"ALTER TABLE quota DROP COLUMN bytes_sum;"   \
	"DROP INDEX collection_base;"                \
	"ALTER TABLE collection DROP COLUMN base;"   \
	"ALTER TABLE collection DROP COLUMN fields;" \
	"ALTER TABLE collection DROP COLUMN sum;"

static const struct old old[] = {
	{ "UPDATE node SET sum =\n"
	  "vdfs_sum(parent, name, object, owner, mode, mtime)",
	  "sqlite3 meta.db '" TO_VERSION_3 "PRAGMA user_version = 3'" },
	{ "UPDATE node SET sum =\n"
	  "vdfs_sum(parent, name, object, owner, mode, mtime, gid)",
	  "sqlite3 meta.db '" TO_VERSION_6 "PRAGMA user_version = 6'" },
};

static int sum_as_before(struct sqlite3 *db, void *arg)
{
	const struct old *version = arg;

	return vdfs_sql_run(db, version->sum);
}

/* Make of it what an earlier version made. */
static int make_old(struct tree *t, const struct old *version)
{
	int err = tree_reopen(t, NULL);

	if (!err)
		err = vdfs_quota_set(t->store, &admin, carol.uid, 7 * MIB);
	if (!err)
		err = vdfs_meta_write(vdfs_store_meta(t->store), sum_as_before,
				      (void *)version);
	vdfs_store_close(t->store);
	t->store = NULL;
	return err ?: tree_shell(t, version->make);
}

/* Its names are in no group, and changed when their content did. */
TEST_F(version, gets_groups_and_times)
{
	uint64_t quota, used;
	struct vdfs_hash hash;
	struct vdfs_stat st;
	size_t i;

	for (i = 0; i < sizeof(old) / sizeof(*old); i++) {
		ASSERT_EQ(0, make_old(&self->t, &old[i]));
		ASSERT_EQ(0, tree_shell(&self->t, SUMS " >sums"));
		ASSERT_EQ(0, tree_reopen(&self->t, &look));
		EXPECT_EQ(0, sound(self));
		ASSERT_EQ(0,
			  vdfs_name_stat(self->t.store, &alice, "whole", &st));
		EXPECT_EQ(VDFS_GID_NONE, st.gid);
		EXPECT_EQ(st.mtime_ns, st.ctime_ns);
		vdfs_store_close(self->t.store);
		self->t.store = NULL;
		EXPECT_EQ(0, tree_shell(&self->t, SUMS " | cmp sums -"));

		ASSERT_EQ(0, tree_reopen(&self->t, NULL));
		EXPECT_EQ(0, sound(self));
		ASSERT_EQ(0,
			  vdfs_name_stat(self->t.store, &alice, "whole", &st));
		EXPECT_EQ(VDFS_GID_NONE, st.gid);
		EXPECT_EQ(st.mtime_ns, st.ctime_ns);
		ASSERT_EQ(0, put_bytes(self->t.store, &alice, "new", 3, 0,
				       "old/n", &hash));
		ASSERT_EQ(0,
			  vdfs_name_stat(self->t.store, &alice, "old/n", &st));
		EXPECT_EQ(alice.gid, st.gid);
		ASSERT_EQ(0, tree_reopen(&self->t, NULL));
		EXPECT_EQ(0, sound(self));
		EXPECT_EQ(0, vdfs_quota_get(self->t.store, carol.uid, &quota,
					    &used));
		EXPECT_EQ(7 * MIB, quota);
	}
}

#define HAS_INDEX                                                        \
	"test \"$(sqlite3 meta.db 'SELECT count(*) FROM sqlite_schema\n" \
	"WHERE name = \"object_blob\"; PRAGMA user_version')\" = "

/* Lists of blobs pass over the pieces of others since then. */
TEST_F(version, gets_an_index_of_blobs)
{
	ASSERT_EQ(0, tree_reopen(&self->t, NULL));
	vdfs_store_close(self->t.store);
	self->t.store = NULL;
	ASSERT_EQ(0, tree_shell(&self->t, "sqlite3 meta.db '" TO_VERSION_8
					  "PRAGMA user_version = 8'"));
	ASSERT_EQ(0, tree_reopen(&self->t, &look));
	EXPECT_EQ(0, sound(self));
	vdfs_store_close(self->t.store);
	self->t.store = NULL;
	EXPECT_EQ(0, tree_shell(&self->t, HAS_INDEX "\"$(printf '0\\n8')\""));
	ASSERT_EQ(0, tree_reopen(&self->t, NULL));
	EXPECT_EQ(0, sound(self));
	EXPECT_EQ(0, tree_shell(&self->t, HAS_INDEX "\"$(printf '1\\n9')\""));
}

/* A checksum that is made anew would make a damaged row a sound one. */
TEST_F(version, keeps_a_row_damaged)
{
	struct vdfs_fsck_result r;
	size_t i;

	for (i = 0; i < sizeof(old) / sizeof(*old); i++) {
		ASSERT_EQ(0, make_old(&self->t, &old[i]));
		ASSERT_EQ(0, tree_shell(&self->t,
					SET_MODE("(mode | 4) - (mode & 4)",
						 "object IS NULL")));
		ASSERT_EQ(0, tree_reopen(&self->t, NULL));
		ASSERT_EQ(0, vdfs_fsck(self->t.store, 0, NULL, NULL, NULL, &r));
		EXPECT_LT(0, r.faults);
	}
}

/* Whole records that are much younger than the database. */
TEST_F(version, is_refused_with_a_database_of_before)
{
	struct vdfs_rebuild_result r;

	ASSERT_EQ(0,
		  tree_shell(&self->t, MORE "touch -d '2 hours ago' meta.db"));
	EXPECT_EQ(-EBADMSG, tree_reopen(&self->t, NULL));
	EXPECT_EQ(-EBADMSG, tree_reopen(&self->t, &look));
	ASSERT_EQ(0, tree_reopen(&self->t, &again));
	ASSERT_EQ(0, vdfs_rebuild(self->t.store, 0, NULL, NULL, &r));
	/* It knew them all, elsewhere. */
	EXPECT_EQ(0, r.records);
	ASSERT_EQ(0, tree_reopen(&self->t, NULL));
	EXPECT_EQ(0, sound(self));
}

/* A tail that a crash tore is none of that. */
TEST_F(version, is_taken_over_with_a_torn_tail)
{
	ASSERT_EQ(0, tree_shell(&self->t, "cp pack/00000001 saved;"
					  "tail -c +17 saved >more;"
					  "head -c 90 more >>pack/00000001"));
	ASSERT_EQ(0, tree_reopen(&self->t, NULL));
	EXPECT_EQ(0, sound(self));
}

/* The packs of another store are seen by what is in them. */
TEST_F(version, is_refused_with_other_packs)
{
	ASSERT_EQ(0, tree_shell(&self->t,
				"head -c 16 pack/00000001 >new;"
				"tail -c +17 pack/00000001 | tr ' ' x >>new;"
				"mv new pack/00000001"));
	EXPECT_EQ(-EBADMSG, tree_reopen(&self->t, NULL));
}

TEST_HARNESS_MAIN
