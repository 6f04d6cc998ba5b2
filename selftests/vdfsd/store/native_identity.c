// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parts of a store that do not belong together: it is refused, by a check as by
 * a start, and nothing is changed in it.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include <sqlite3.h>

#include <kselftest_harness.h>

#include "daemons/vdfsd/store/store_impl.h"
#include "vdfsd/store.h"

#define MIB ((size_t)1 << 20)
#define SMALL 40 /* blobs */
#define LEN 5000 /* of each */

static const struct vdfs_store_options look = { .read_only = true };

FIXTURE(identity)
{
	struct tree t;
	uint8_t *data;
	struct vdfs_hash list;
	struct vdfs_hash whole;
	struct vdfs_hash small[SMALL];
};

static int put_small(FIXTURE_DATA(identity) * self, int i)
{
	return put_bytes(self->t.store, &alice, self->data + i, LEN, 0, NULL,
			 &self->small[i]);
}

/* Half of the small ones. */
FIXTURE_SETUP(identity)
{
	int i;

	ASSERT_EQ(0, tree_make(&self->t, NULL));
	self->data = random_bytes(2 * MIB, 7);
	for (i = 0; i < SMALL / 2; i++) {
		ASSERT_EQ(0, put_small(self, i));
	}
	ASSERT_EQ(0, put_bytes(self->t.store, &alice, self->data, 2 * MIB, 0,
			       "d/list", &self->list));
	ASSERT_EQ(0, put_bytes(self->t.store, &alice, self->data, MIB,
			       VDFS_PUT_WHOLE, "d/whole", &self->whole));
}

FIXTURE_TEARDOWN(identity)
{
	tree_remove(&self->t);
	free(self->data);
}

static void shut(FIXTURE_DATA(identity) * self)
{
	vdfs_store_close(self->t.store);
	self->t.store = NULL;
}

/* All that was put, and @n of the small ones, is there; nothing is at fault. */
static int sound(FIXTURE_DATA(identity) * self, int n)
{
	struct vdfs_fsck_result r;
	int i, err;

	err = get_same(self->t.store, &admin, &self->list, self->data, 2 * MIB);
	if (!err)
		err = get_same(self->t.store, &admin, &self->whole, self->data,
			       MIB);
	for (i = 0; !err && i < n; i++)
		err = get_same(self->t.store, &admin, &self->small[i],
			       self->data + i, LEN);
	if (!err)
		err = vdfs_fsck(self->t.store, 0, NULL, NULL, NULL, &r);
	return err ?: (int)r.faults;
}

#define SUMS                                                               \
	"find . -path ./graph -prune -o -type f ! -name '*sums' -print0 |" \
	"sort -z | xargs -0 sha256sum"

/* Refused by both, with @err, and not a byte is another one. */
static int refused(FIXTURE_DATA(identity) * self, int err)
{
	int ret;

	shut(self);
	if (tree_shell(&self->t, SUMS " >sums"))
		return -EIO;
	ret = tree_reopen(&self->t, &look);
	if (ret != err)
		return ret ?: 1;
	ret = tree_reopen(&self->t, NULL);
	if (ret != err)
		return ret ?: 2;
	return tree_shell(&self->t, SUMS " | cmp sums -");
}

static int run_sql(struct tree *t, const char *sql)
{
	struct sqlite3 *db;
	char path[128];
	int rc;

	snprintf(path, sizeof(path), "%s/meta.db", t->dir);
	if (sqlite3_open(path, &db))
		return -EIO;
	rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
	sqlite3_close(db);
	return rc;
}

TEST_F(identity, a_missing_database_is_refused)
{
	shut(self);
	ASSERT_EQ(0, tree_shell(&self->t, "mv meta.db saved"));
	EXPECT_EQ(0, refused(self, -EBADMSG));
	EXPECT_EQ(0, tree_shell(&self->t, "test ! -e meta.db"));
	ASSERT_EQ(0, tree_shell(&self->t, "mv saved meta.db"));
	ASSERT_EQ(0, tree_reopen(&self->t, NULL));
	EXPECT_EQ(0, sound(self, SMALL / 2));
}

TEST_F(identity, an_empty_database_is_refused)
{
	shut(self);
	ASSERT_EQ(0, tree_shell(&self->t, "mv meta.db saved; : >meta.db"));
	EXPECT_EQ(0, refused(self, -EBADMSG));
	/* One without tables, as SQLite leaves it that just made it. */
	ASSERT_EQ(0, run_sql(&self->t, "PRAGMA journal_mode = WAL"));
	ASSERT_EQ(0, tree_shell(&self->t, "test -s meta.db"));
	EXPECT_EQ(0, refused(self, -EBADMSG));
	ASSERT_EQ(0, tree_shell(&self->t, "mv saved meta.db"));
	ASSERT_EQ(0, tree_reopen(&self->t, NULL));
	EXPECT_EQ(0, sound(self, SMALL / 2));
}

/* What is only in the files of large blobs is looked for, too. */
TEST_F(identity, files_are_missed_as_packs_are)
{
	shut(self);
	ASSERT_EQ(0, tree_shell(&self->t, "mkdir saved;"
					  "mv meta.db pack/* saved"));
	EXPECT_EQ(0, refused(self, -EBADMSG));
	ASSERT_EQ(0, tree_shell(&self->t, "rm object/identity"));
	EXPECT_EQ(0, refused(self, -EBADMSG));
}

/* A log is never thrown away because there is no database beside it. */
TEST_F(identity, a_log_alone_is_refused)
{
	shut(self);
	ASSERT_EQ(0, tree_shell(&self->t,
				"rm -r meta.db pack/* object/*;"
				"head -c 9999 /dev/urandom >meta.db-wal"));
	EXPECT_EQ(0, refused(self, -EBADMSG));
}

TEST_F(identity, an_older_database_is_refused)
{
	int i;

	shut(self);
	ASSERT_EQ(0, tree_shell(&self->t, "cp meta.db old"));
	ASSERT_EQ(0, tree_reopen(&self->t, NULL));
	for (i = SMALL / 2; i < SMALL; i++) {
		ASSERT_EQ(0, put_small(self, i));
	}
	shut(self);
	ASSERT_EQ(0, tree_shell(&self->t, "mv meta.db new; mv old meta.db"));
	EXPECT_EQ(0, refused(self, -EBADMSG));
	ASSERT_EQ(0, tree_shell(&self->t, "mv new meta.db"));
	ASSERT_EQ(0, tree_reopen(&self->t, NULL));
	EXPECT_EQ(0, vdfs_gc(self->t.store, NULL, NULL, NULL));
	EXPECT_EQ(0, sound(self, SMALL));
}

/* Older by nothing but a change of names: it was opened since. */
TEST_F(identity, an_older_session_is_refused)
{
	shut(self);
	ASSERT_EQ(0, tree_shell(&self->t, "cp meta.db old"));
	ASSERT_EQ(0, tree_reopen(&self->t, NULL));
	shut(self);
	ASSERT_EQ(0, tree_shell(&self->t, "mv old meta.db"));
	EXPECT_EQ(0, refused(self, -EBADMSG));
}

/*
 * Copied while the store is in use, and put back after a crash: the files were
 * told of every commit since.
 */
TEST_F(identity, an_older_copy_of_the_same_session_is_refused)
{
	int i;

	ASSERT_EQ(0, tree_shell(&self->t, "mkdir old crash;"
					  "cp meta.db meta.db-wal old"));
	for (i = SMALL / 2; i < SMALL; i++) {
		ASSERT_EQ(0, put_small(self, i));
	}
	ASSERT_EQ(0,
		  tree_shell(&self->t, "cp -a lock meta.db* pack object crash;"
				       "cp old/* crash"));
	shut(self);
	ASSERT_EQ(0, tree_shell(&self->t, "mv crash/object/identity saved"));
	strcat(self->t.dir, "/crash");
	/* Not even one of the files has to say so. */
	ASSERT_EQ(0, tree_shell(&self->t, "mv ../saved object/identity"));
	EXPECT_EQ(0, refused(self, -EBADMSG));
	*strrchr(self->t.dir, '/') = '\0';
}

/* Another store, that was closed, beside this one. */
static int make_other(FIXTURE_DATA(identity) * self, struct tree *other)
{
	struct vdfs_hash hash;
	int err;

	shut(self);
	err = tree_make(other, NULL);
	if (!err)
		err = put_bytes(other->store, &bob, self->data, 2 * MIB, 0,
				"other", &hash);
	if (!err)
		err = put_bytes(other->store, &bob, self->data, MIB,
				VDFS_PUT_WHOLE, "whole", &hash);
	vdfs_store_close(other->store);
	other->store = NULL;
	return err;
}

/* A part is exchanged for that of another store, and back. */
TEST_F(identity, a_part_of_another_store_is_refused)
{
	static const char *const parts[] = { "meta.db", "pack", "object" };
	struct tree other;
	char line[256];
	int i;

	ASSERT_EQ(0, make_other(self, &other));
	for (i = 0; i < 3; i++) {
		snprintf(line, sizeof(line), "mv %s saved; cp -a %s/%s .",
			 parts[i], other.dir, parts[i]);
		ASSERT_EQ(0, tree_shell(&self->t, line));
		EXPECT_EQ(0, refused(self, -EBADMSG))
		{
			TH_LOG("%s", parts[i]);
		}
		snprintf(line, sizeof(line), "rm -r %s; mv saved %s", parts[i],
			 parts[i]);
		ASSERT_EQ(0, tree_shell(&self->t, line));
	}
	/* One segment alone. */
	snprintf(line, sizeof(line), "cp %s/pack/00000001 pack/00000001",
		 other.dir);
	ASSERT_EQ(0, tree_shell(&self->t, "cp pack/00000001 saved"));
	ASSERT_EQ(0, tree_shell(&self->t, line));
	EXPECT_EQ(0, refused(self, -EBADMSG));
	ASSERT_EQ(0, tree_shell(&self->t, "mv saved pack/00000001"));
	ASSERT_EQ(0, tree_reopen(&self->t, NULL));
	EXPECT_EQ(0, sound(self, SMALL / 2));
	tree_remove(&other);
}

/* As when the disk that it is on is not mounted. */
TEST_F(identity, an_empty_part_is_refused)
{
	static const char *const parts[] = { "pack", "object" };
	char line[256];
	int i;

	for (i = 0; i < 2; i++) {
		shut(self);
		snprintf(line, sizeof(line), "mv %s saved; mkdir %s", parts[i],
			 parts[i]);
		ASSERT_EQ(0, tree_shell(&self->t, line));
		EXPECT_EQ(0, refused(self, -EBADMSG));
		snprintf(line, sizeof(line), "rmdir %s; mv saved %s", parts[i],
			 parts[i]);
		ASSERT_EQ(0, tree_shell(&self->t, line));
	}
	ASSERT_EQ(0, tree_reopen(&self->t, NULL));
	EXPECT_EQ(0, sound(self, SMALL / 2));
}

TEST_F(identity, an_older_part_is_refused)
{
	static const char *const parts[] = { "pack", "object" };
	char line[256];
	int i;

	for (i = 0; i < 2; i++) {
		shut(self);
		snprintf(line, sizeof(line), "cp -a %s old", parts[i]);
		ASSERT_EQ(0, tree_shell(&self->t, line));
		ASSERT_EQ(0, tree_reopen(&self->t, NULL));
		shut(self);
		snprintf(line, sizeof(line), "mv %s new; mv old %s", parts[i],
			 parts[i]);
		ASSERT_EQ(0, tree_shell(&self->t, line));
		EXPECT_EQ(0, refused(self, -EBADMSG));
		snprintf(line, sizeof(line), "rm -r %s; mv new %s", parts[i],
			 parts[i]);
		ASSERT_EQ(0, tree_shell(&self->t, line));
	}
	ASSERT_EQ(0, tree_reopen(&self->t, NULL));
	EXPECT_EQ(0, sound(self, SMALL / 2));
}

/* A slot that a power cut tore leaves the other one. */
TEST_F(identity, survives_a_torn_slot)
{
	int i;

	for (i = 0; i < 2; i++) {
		shut(self);
		ASSERT_EQ(0, tree_flip(&self->t, "pack/identity", i * 512 + 9));
		ASSERT_EQ(0, tree_reopen(&self->t, NULL));
	}
	EXPECT_EQ(0, sound(self, SMALL / 2));
	shut(self);
	ASSERT_EQ(0, tree_flip(&self->t, "object/identity", 9));
	ASSERT_EQ(0, tree_flip(&self->t, "object/identity", 512 + 9));
	EXPECT_EQ(0, refused(self, -EBADMSG));
}

/*
 * Killed between the record and the commit: it is no older database. What was
 * acknowledged is there, the record is not cut off, the next ones go behind it.
 */
TEST_F(identity, a_torn_tail_is_no_older_database)
{
	struct vdfs_hash none;
	struct vdfs_record record;

	ASSERT_EQ(0, tree_shell(&self->t, "mkdir crash;"
					  "cp -a lock meta.db* object crash"));
	ASSERT_EQ(0, vdfs_hash_bytes("unknown", 7, &none));
	ASSERT_EQ(0, vdfs_record_write(self->t.store, &none, "unknown", 7,
				       &record));
	ASSERT_EQ(0, vdfs_segment_sync(self->t.store, record.segment));
	ASSERT_EQ(0, tree_shell(&self->t, "cp -a pack crash; cd crash;"
					  "head -c 99 meta.db >>pack/00000001;"
					  "stat -c %s pack/00000001 >size"));
	vdfs_record_end(self->t.store, &record, false);
	shut(self);
	strcat(self->t.dir, "/crash");
	ASSERT_EQ(0, tree_reopen(&self->t, &look));
	EXPECT_EQ(0, sound(self, SMALL / 2));
	ASSERT_EQ(0, tree_reopen(&self->t, NULL));
	EXPECT_EQ(0, tree_shell(&self->t,
				"stat -c %s pack/00000001 | cmp - size"));
	EXPECT_EQ(0, sound(self, SMALL / 2));
	ASSERT_EQ(0, put_small(self, SMALL / 2));
	EXPECT_EQ(0, tree_shell(&self->t, "stat -c %s pack/00000001 >now;"
					  "! cmp -s now size"));
	ASSERT_EQ(0, tree_reopen(&self->t, NULL));
	EXPECT_EQ(0, sound(self, SMALL / 2 + 1));
	*strrchr(self->t.dir, '/') = '\0';
}

/* The same as it would be after kill -9, commits and all. */
TEST_F(identity, a_crash_is_no_older_database)
{
	int i;

	for (i = SMALL / 2; i < SMALL; i++) {
		ASSERT_EQ(0, put_small(self, i));
	}
	ASSERT_EQ(0, vdfs_blob_drop(self->t.store, &alice,
				    &self->small[SMALL - 1]));
	ASSERT_EQ(0, vdfs_gc(self->t.store, NULL, NULL, NULL));
	ASSERT_EQ(0, tree_shell(&self->t,
				"mkdir crash;"
				"cp -a lock meta.db* pack object crash"));
	shut(self);
	strcat(self->t.dir, "/crash");
	ASSERT_EQ(0, tree_reopen(&self->t, NULL));
	EXPECT_EQ(0, sound(self, SMALL - 1));
	*strrchr(self->t.dir, '/') = '\0';
}

/* A check writes nothing, be there a log or none, on a disk that refuses it. */
TEST_F(identity, is_checked_on_a_read_only_disk)
{
	struct tree disk = { .store = NULL }, made;
	char line[256];
	int crash;

	if (unshare(CLONE_NEWNS))
		SKIP(return, "needs root, for a mount");
	mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
	snprintf(disk.dir, sizeof(disk.dir), "%s/disk", self->t.dir);
	for (crash = 0; crash < 2; crash++) {
		ASSERT_EQ(0, tree_shell(&self->t, "mkdir -p disk"));
		ASSERT_EQ(0, mount("tmpfs", disk.dir, "tmpfs", 0, "size=64m"));
		if (!crash)
			shut(self);
		else
			ASSERT_EQ(0, tree_reopen(&self->t, NULL));
		snprintf(line, sizeof(line),
			 "cp -a lock meta.db* pack object disk; %s",
			 crash ? "test -s disk/meta.db-wal" :
				 "test ! -e disk/meta.db-wal");
		ASSERT_EQ(0, tree_shell(&self->t, line));
		ASSERT_EQ(0, mount("none", disk.dir, NULL,
				   MS_REMOUNT | MS_RDONLY, NULL));
		ASSERT_EQ(0, tree_reopen(&disk, &look));
		made = self->t;
		self->t = disk;
		EXPECT_EQ(0, sound(self, SMALL / 2));
		vdfs_store_close(self->t.store);
		self->t = made;
		disk.store = NULL;
		/* Nor is there a lock where nobody ever had it open. */
		ASSERT_EQ(0, mount("none", disk.dir, NULL, MS_REMOUNT, NULL));
		ASSERT_EQ(0, tree_shell(&disk, "rm lock"));
		ASSERT_EQ(0, mount("none", disk.dir, NULL,
				   MS_REMOUNT | MS_RDONLY, NULL));
		ASSERT_EQ(0, tree_reopen(&disk, &look));
		vdfs_store_close(disk.store);
		disk.store = NULL;
		ASSERT_EQ(0, umount(disk.dir));
	}
}

/* The digit of the version that the name of a format ends with. */
static int make_later(struct tree *t, const char *name)
{
	char path[128];
	int fd, err;

	snprintf(path, sizeof(path), "%s/%s", t->dir, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = pwrite(fd, "9", 1, 7) == 1 ? 0 : -EIO;
	close(fd);
	return err;
}

/* A later version may mean something else by all that is in it. */
TEST_F(identity, a_later_version_is_refused)
{
	shut(self);
	ASSERT_EQ(0, tree_shell(&self->t, "mkdir saved;"
					  "cp -a meta.db pack object saved"));
	ASSERT_EQ(0, run_sql(&self->t, "PRAGMA user_version = 99"));
	EXPECT_EQ(0, refused(self, -EOPNOTSUPP));
	ASSERT_EQ(0, tree_shell(&self->t, "cp saved/meta.db ."));
	ASSERT_EQ(0, make_later(&self->t, "pack/00000001"));
	EXPECT_EQ(0, refused(self, -EOPNOTSUPP));
	ASSERT_EQ(0, tree_shell(&self->t, "cp saved/pack/00000001 pack"));
	ASSERT_EQ(0, make_later(&self->t, "object/identity"));
	EXPECT_EQ(0, refused(self, -EOPNOTSUPP));
	ASSERT_EQ(0, tree_shell(&self->t, "cp saved/object/identity object"));
	ASSERT_EQ(0, tree_reopen(&self->t, NULL));
	EXPECT_EQ(0, sound(self, SMALL / 2));
}

TEST_HARNESS_MAIN
