// SPDX-License-Identifier: GPL-2.0-only
/* Damage: what a reader is told, what fsck tells, and what it can mend. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <kselftest_harness.h>

#include "daemons/vdfsd/store/store_impl.h"
#include "vdfsd/store.h"

#define MIB ((size_t)1 << 20)

FIXTURE(fsck)
{
	struct tree t;
	uint8_t *data;
	struct vdfs_hash small;
	struct vdfs_hash list;
	struct vdfs_hash whole;
	char lines[2048];
};

FIXTURE_SETUP(fsck)
{
	struct vdfs_store *store;

	ASSERT_EQ(0, tree_make(&self->t, NULL));
	store = self->t.store;
	self->data = random_bytes(3 * MIB, 1);
	ASSERT_EQ(0, put_bytes(store, &alice, self->data, 9000, 0, "small",
			       &self->small));
	ASSERT_EQ(0, put_bytes(store, &alice, self->data, 2 * MIB, 0, "d/list",
			       &self->list));
	ASSERT_EQ(0, put_bytes(store, &bob, self->data, 3 * MIB, VDFS_PUT_WHOLE,
			       "whole", &self->whole));
}

FIXTURE_TEARDOWN(fsck)
{
	free(self->data);
	tree_remove(&self->t);
}

static void add_line(void *arg, const char *line)
{
	char *lines = arg;
	size_t n = strlen(lines);

	snprintf(lines + n, 2048 - n, "%s\n", line);
}

static struct vdfs_fsck_result check(FIXTURE_DATA(fsck) * self, uint32_t flags)
{
	struct vdfs_fsck_result result = {};

	self->lines[0] = '\0';
	if (vdfs_fsck(self->t.store, flags, add_line, NULL, self->lines,
		      &result))
		result.faults = 1000;
	return result;
}

static bool told_of(FIXTURE_DATA(fsck) * self, const struct vdfs_hash *hash)
{
	char text[VDFS_HASH_TEXT];

	vdfs_hash_print(hash, text);
	return strstr(self->lines, text);
}

static uint64_t place_of(FIXTURE_DATA(fsck) * self,
			 const struct vdfs_hash *hash)
{
	struct vdfs_object object;

	if (object_of(self->t.store, hash, &object))
		return 0;
	return object.place;
}

TEST_F(fsck, finds_nothing_where_nothing_is)
{
	struct vdfs_fsck_result result = check(self, 0);

	EXPECT_EQ(0, result.faults);
	EXPECT_EQ(3, result.blobs);
	EXPECT_LE(5 * MIB, result.bytes);
	EXPECT_STREQ("", self->lines);
}

TEST_F(fsck, names_a_damaged_record)
{
	struct vdfs_store *store = self->t.store;
	struct vdfs_fsck_result result;
	struct vdfs_stat st;

	ASSERT_EQ(0, tree_flip(&self->t, "pack/00000001",
			       place_of(self, &self->small) + 1000));
	EXPECT_EQ(-EBADMSG,
		  get_same(store, &alice, &self->small, self->data, 9000));
	result = check(self, 0);
	EXPECT_EQ(1, result.faults);
	EXPECT_EQ(1, result.damaged);
	EXPECT_TRUE(told_of(self, &self->small));
	result = check(self, VDFS_FSCK_REPAIR);
	EXPECT_EQ(1, result.repaired);
	EXPECT_EQ(-ENOENT, vdfs_name_stat(store, &alice, "small", &st));
	EXPECT_EQ(0, check(self, 0).faults);
	/* It can be stored again, and is whole then. */
	ASSERT_EQ(0, put_bytes(store, &alice, self->data, 9000, 0, "small",
			       &self->small));
	EXPECT_EQ(0, get_same(store, &alice, &self->small, self->data, 9000));
	ASSERT_EQ(0, vdfs_gc(store, NULL, NULL, NULL));
	EXPECT_EQ(0, check(self, 0).faults);
}

TEST_F(fsck, names_a_damaged_head)
{
	ASSERT_EQ(0, tree_flip(&self->t, "pack/00000001",
			       place_of(self, &self->small) + 9));
	EXPECT_EQ(-EBADMSG, get_same(self->t.store, &alice, &self->small,
				     self->data, 9000));
	EXPECT_EQ(1, check(self, 0).damaged);
	EXPECT_TRUE(told_of(self, &self->small));
}

TEST_F(fsck, names_a_blob_with_a_damaged_part)
{
	struct vdfs_store *store = self->t.store;
	struct vdfs_fsck_result result;

	ASSERT_EQ(0, tree_flip(&self->t, "pack/00000001", MIB + MIB / 2));
	EXPECT_EQ(-EBADMSG,
		  get_same(store, &alice, &self->list, self->data, 2 * MIB));
	result = check(self, VDFS_FSCK_REPAIR);
	EXPECT_EQ(2, result.faults);
	EXPECT_EQ(1, result.damaged);
	EXPECT_TRUE(told_of(self, &self->list));
	EXPECT_EQ(0, check(self, 0).faults);
	ASSERT_EQ(0, put_bytes(store, &alice, self->data, 2 * MIB, 0, NULL,
			       &self->list));
	EXPECT_EQ(0, get_same(store, &alice, &self->list, self->data, 2 * MIB));
	ASSERT_EQ(0, vdfs_gc(store, NULL, NULL, NULL));
	EXPECT_EQ(0, get_same(store, &alice, &self->list, self->data, 2 * MIB));
	EXPECT_EQ(0, check(self, 0).faults);
}

TEST_F(fsck, names_a_damaged_file)
{
	char path[VDFS_FILE_PATH + 16] = "object/", buf[100];
	struct vdfs_object object;
	struct vdfs_blob *blob;

	ASSERT_EQ(0, object_of(self->t.store, &self->whole, &object));
	vdfs_file_path(&object, path + 7);
	ASSERT_EQ(0, tree_flip(&self->t, path, 2 * MIB));
	ASSERT_EQ(0, vdfs_blob_open(self->t.store, &bob, &self->whole, &blob));
	EXPECT_EQ(100, vdfs_blob_read(blob, buf, 100, 0));
	EXPECT_EQ(-EBADMSG, vdfs_blob_read(blob, buf, 100, 2 * MIB + 50));
	vdfs_blob_close(blob);
	EXPECT_EQ(1, check(self, 0).damaged);
	EXPECT_TRUE(told_of(self, &self->whole));
	ASSERT_EQ(0, tree_shell(&self->t, "rm -r object/[0-9a-f]*"));
	EXPECT_EQ(-EBADMSG,
		  vdfs_blob_open(self->t.store, &bob, &self->whole, &blob));
	EXPECT_EQ(1, check(self, VDFS_FSCK_REPAIR).repaired);
	EXPECT_EQ(0, check(self, 0).faults);
}

TEST_F(fsck, survives_a_damaged_segment_head)
{
	struct vdfs_hash hash;

	ASSERT_EQ(0, tree_flip(&self->t, "pack/00000001", 3));
	ASSERT_EQ(0, tree_reopen(&self->t, NULL));
	EXPECT_EQ(1, check(self, 0).faults);
	EXPECT_NE(NULL, strstr(self->lines, "pack/00000001"));
	EXPECT_EQ(0, get_same(self->t.store, &alice, &self->list, self->data,
			      2 * MIB));
	ASSERT_EQ(0,
		  put_bytes(self->t.store, &alice, "new", 3, 0, NULL, &hash));
	EXPECT_EQ(0, get_same(self->t.store, &alice, &hash, "new", 3));
	EXPECT_EQ(0, tree_shell(&self->t, "test -s pack/00000002"));
}

TEST_F(fsck, survives_a_truncated_segment)
{
	struct vdfs_hash hash;

	vdfs_store_close(self->t.store);
	self->t.store = NULL;
	ASSERT_EQ(0, tree_shell(&self->t, "truncate -s 1M pack/00000001"));
	ASSERT_EQ(0, tree_reopen(&self->t, NULL));
	EXPECT_EQ(0, get_same(self->t.store, &alice, &self->small, self->data,
			      9000));
	EXPECT_EQ(-EBADMSG, get_same(self->t.store, &alice, &self->list,
				     self->data, 2 * MIB));
	/* What comes now must not be where the lost bytes should be. */
	ASSERT_EQ(0,
		  put_bytes(self->t.store, &alice, "new", 3, 0, NULL, &hash));
	EXPECT_EQ(0, tree_shell(&self->t, "test -s pack/00000002"));
	EXPECT_LT(1, check(self, VDFS_FSCK_REPAIR).faults);
	EXPECT_NE(NULL, strstr(self->lines, "bytes short"));
	EXPECT_EQ(0, get_same(self->t.store, &alice, &hash, "new", 3));
}

TEST_F(fsck, survives_a_lost_segment)
{
	vdfs_store_close(self->t.store);
	self->t.store = NULL;
	ASSERT_EQ(0, tree_shell(&self->t, "rm pack/00000001"));
	ASSERT_EQ(0, tree_reopen(&self->t, NULL));
	EXPECT_EQ(-EBADMSG, get_same(self->t.store, &alice, &self->small,
				     self->data, 9000));
	EXPECT_EQ(-EBADMSG, get_same(self->t.store, &alice, &self->list,
				     self->data, 2 * MIB));
	EXPECT_EQ(2, check(self, VDFS_FSCK_REPAIR).damaged);
	EXPECT_EQ(0, check(self, 0).faults);
}

/* It could be of a database that is newer: it stays until gc moves the rest. */
TEST_F(fsck, goes_on_behind_a_torn_tail)
{
	struct vdfs_hash hash;

	vdfs_store_close(self->t.store);
	self->t.store = NULL;
	ASSERT_EQ(0,
		  tree_shell(&self->t, "head -c 9999 meta.db >>pack/00000001;"
				       "cp pack/00000001 before"));
	ASSERT_EQ(0, tree_reopen(&self->t, NULL));
	ASSERT_EQ(0,
		  put_bytes(self->t.store, &alice, "new", 3, 0, NULL, &hash));
	EXPECT_EQ(0, get_same(self->t.store, &alice, &hash, "new", 3));
	EXPECT_EQ(0, tree_shell(&self->t, "cmp before pack/00000001 2>said;"
					  "grep -q 'EOF on before' said"));
	EXPECT_EQ(0, check(self, 0).faults);
	EXPECT_EQ(0, get_same(self->t.store, &alice, &self->list, self->data,
			      2 * MIB));
}

static int miscount(struct sqlite3 *db, void *arg)
{
	(void)arg;
	return vdfs_sql_run(db, "UPDATE object SET users = users + 3\n"
				"WHERE kind = 0 AND users > 0") ?:
	       vdfs_sql_run(db, "UPDATE object SET parts = 0") ?:
	       vdfs_sql_run(db, "UPDATE quota SET used = used * 2") ?:
	       vdfs_sql_run(db, "UPDATE ref SET names = 9 WHERE uid = 1001") ?:
	       vdfs_sql_run(db, "INSERT INTO attr VALUES(999, x'61', x'', 0)") ?:
	       vdfs_sql_run(db, "DELETE FROM node WHERE name = x'64'");
}

TEST_F(fsck, counts_again)
{
	uint64_t quota, used;
	struct vdfs_stat st;
	int left = 0;

	ASSERT_EQ(0, vdfs_meta_write(self->t.store->meta, miscount, NULL));
	EXPECT_LT(5, check(self, 0).faults);
	EXPECT_LT(5, check(self, VDFS_FSCK_REPAIR).repaired);
	EXPECT_EQ(0, check(self, 0).faults);
	ASSERT_EQ(0, vdfs_quota_get(self->t.store, alice.uid, &quota, &used));
	EXPECT_EQ(2 * MIB + 9000, used);
	/* What was in a directory that is gone is in the root. */
	for (int i = 1; i < 10; i++) {
		char name[16];

		snprintf(name, sizeof(name), "lost-%d", i);
		left += !vdfs_name_stat(self->t.store, &alice, name, &st);
	}
	EXPECT_EQ(1, left);
	ASSERT_EQ(0, vdfs_gc(self->t.store, NULL, NULL, NULL));
	EXPECT_EQ(0, get_same(self->t.store, &alice, &self->list, self->data,
			      2 * MIB));
}

TEST_F(fsck, refuses_a_damaged_database)
{
	vdfs_store_close(self->t.store);
	self->t.store = NULL;
	ASSERT_EQ(0, tree_flip(&self->t, "meta.db", 3));
	EXPECT_EQ(-EBADMSG, tree_reopen(&self->t, NULL));
	EXPECT_EQ(NULL, self->t.store);
	ASSERT_EQ(0, tree_flip(&self->t, "meta.db", 3));
	ASSERT_EQ(0, tree_reopen(&self->t, NULL));
	EXPECT_EQ(0, check(self, 0).faults);
}

/* The log of a store that crashed is what was acknowledged last. */
TEST_F(fsck, misses_a_lost_log)
{
	struct vdfs_store_options look = { .read_only = true };
	struct tree copy = { .store = NULL };
	struct vdfs_hash hash;

	ASSERT_EQ(0, tree_reopen(&self->t, NULL));
	ASSERT_EQ(0,
		  put_bytes(self->t.store, &alice, "last", 4, 0, NULL, &hash));
	snprintf(copy.dir, sizeof(copy.dir), "%s/copy", self->t.dir);
	ASSERT_EQ(0,
		  tree_shell(&self->t, "mkdir copy;"
				       "cp -a lock meta.db* pack object copy"));
	ASSERT_EQ(0, tree_reopen(&copy, NULL));
	EXPECT_EQ(0, get_same(copy.store, &alice, &hash, "last", 4));
	vdfs_store_close(copy.store);

	/* Closed, it has none, and needs none. */
	ASSERT_EQ(0, tree_shell(&copy, "test ! -e meta.db-wal"));
	copy.store = NULL;
	ASSERT_EQ(0, tree_reopen(&copy, NULL));
	vdfs_store_close(copy.store);
	copy.store = NULL;

	ASSERT_EQ(0, tree_shell(&copy, "cp ../lock ../meta.db .;"
				       "rm -f meta.db-*"));
	EXPECT_EQ(-EBADMSG, tree_reopen(&copy, NULL));
	EXPECT_EQ(-EBADMSG, tree_reopen(&copy, &look));
	/* Without the mark there is still the identity. */
	ASSERT_EQ(0, tree_shell(&copy, "rm lock"));
	EXPECT_EQ(-EBADMSG, tree_reopen(&copy, NULL));
	EXPECT_EQ(-EBADMSG, tree_reopen(&copy, &look));
}

TEST_F(fsck, is_open_once)
{
	struct vdfs_store *second = NULL;

	EXPECT_EQ(-EBUSY, vdfs_store_open(self->t.dir, NULL, &second));
	EXPECT_EQ(NULL, second);
}

TEST_F(fsck, read_only_changes_nothing)
{
	struct vdfs_store_options look = { .read_only = true };
	struct vdfs_put *put;

	ASSERT_EQ(0, tree_reopen(&self->t, NULL));
	vdfs_store_close(self->t.store);
	self->t.store = NULL;
	ASSERT_EQ(0, tree_shell(&self->t, "echo junk >>pack/00000001;"
					  "sha256sum meta.db pack/* >../$$.sum;"
					  "mv ../$$.sum sum"));
	ASSERT_EQ(0, tree_reopen(&self->t, &look));
	EXPECT_EQ(0, get_same(self->t.store, &alice, &self->list, self->data,
			      2 * MIB));
	EXPECT_EQ(-EROFS, vdfs_put_begin(self->t.store, &alice, 0, &put));
	EXPECT_EQ(-EROFS, vdfs_name_mkdir(self->t.store, &alice, "x", 0755));
	EXPECT_EQ(-EROFS, vdfs_gc(self->t.store, NULL, NULL, NULL));
	EXPECT_EQ(-EROFS, vdfs_fsck(self->t.store, VDFS_FSCK_REPAIR, NULL, NULL,
				    NULL, NULL));
	EXPECT_EQ(0, check(self, 0).faults);
	vdfs_store_close(self->t.store);
	self->t.store = NULL;
	EXPECT_EQ(0, tree_shell(&self->t, "sha256sum -c --quiet sum"));
}

/* A put that is larger than the room there is, then one that is not. */
static int overfill(struct vdfs_store *store, uint32_t flags, size_t len)
{
	uint8_t *data = random_bytes(len, 55);
	struct vdfs_hash hash;
	int err;

	err = put_bytes(store, &alice, data, len, flags, "large", &hash);
	if (err == -ENOSPC)
		err = put_bytes(store, &alice, data, 5000, 0, NULL, &hash);
	else
		err = -EILSEQ;
	if (!err)
		err = get_same(store, &alice, &hash, data, 5000);
	free(data);
	return err;
}

TEST_F(fsck, goes_on_after_no_space)
{
	struct rlimit limit = { 4 * MIB, RLIM_INFINITY }, before;
	struct vdfs_stat st;

	signal(SIGXFSZ, SIG_IGN);
	ASSERT_EQ(0, getrlimit(RLIMIT_FSIZE, &before));
	ASSERT_EQ(0, setrlimit(RLIMIT_FSIZE, &limit));
	EXPECT_EQ(0, overfill(self->t.store, 0, 10 * MIB));
	EXPECT_EQ(0, overfill(self->t.store, VDFS_PUT_WHOLE, 10 * MIB));
	ASSERT_EQ(0, setrlimit(RLIMIT_FSIZE, &before));
	EXPECT_EQ(-ENOENT, vdfs_name_stat(self->t.store, &alice, "large", &st));
	EXPECT_EQ(0, check(self, 0).faults);
	EXPECT_EQ(0, get_same(self->t.store, &alice, &self->list, self->data,
			      2 * MIB));
}

/* A disk of its own, which really is full. */
TEST_F(fsck, goes_on_after_a_full_disk)
{
	struct tree t;
	struct vdfs_hash hash, last;
	uint32_t flags;
	int i;

	if (unshare(CLONE_NEWNS))
		SKIP(return, "needs root, for a mount");
	/* In a chroot this fails, and is not needed. */
	mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
	snprintf(t.dir, sizeof(t.dir), "%s/disk", self->t.dir);
	ASSERT_EQ(0, mkdir(t.dir, 0700));
	ASSERT_EQ(0, mount("tmpfs", t.dir, "tmpfs", 0, "size=8m"));
	t.store = NULL;
	ASSERT_EQ(0, tree_reopen(&t, NULL));
	for (i = 0; i < 3; i++) {
		for (flags = 0; flags <= VDFS_PUT_WHOLE; flags++) {
			EXPECT_EQ(0, overfill(t.store, flags, 12 * MIB));
		}
	}
	/* By many small ones, until there is no room for a page. */
	for (i = 0; i < 5000; i++) {
		int err;

		memcpy(self->data, &i, sizeof(i));
		err = put_bytes(t.store, &alice, self->data, 4096, 0, NULL,
				&hash);
		if (err) {
			EXPECT_EQ(-ENOSPC, err);
			break;
		}
		last = hash;
	}
	EXPECT_GT(5000, i);
	EXPECT_LT(200, i);
	ASSERT_EQ(0, tree_reopen(&t, NULL));
	ASSERT_EQ(0, vdfs_blob_drop(t.store, &alice, &last));
	ASSERT_EQ(0, vdfs_gc(t.store, NULL, NULL, NULL));
	EXPECT_EQ(0, put_bytes(t.store, &alice, "again", 5, 0, NULL, &hash));
	vdfs_store_close(t.store);
	EXPECT_EQ(0, umount(t.dir));
}

TEST_HARNESS_MAIN
