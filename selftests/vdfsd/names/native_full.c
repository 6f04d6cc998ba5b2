// SPDX-License-Identifier: GPL-2.0-only
/* A disk that is full: what users have on it they can take away. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "vdfsd/store.h"

#define MANY 4000

FIXTURE(full)
{
	struct tree t;
	struct tree disk;
	struct vdfs_hash hash;
	char value[VDFS_ATTR_VALUE_MAX];
};

FIXTURE_SETUP(full)
{
	struct tree *disk = &self->disk;

	ASSERT_EQ(0, tree_make(&self->t, NULL));
	if (unshare(CLONE_NEWNS))
		SKIP(return, "needs root, for a mount");
	/* In a chroot this fails, and is not needed. */
	mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
	snprintf(disk->dir, sizeof(disk->dir), "%s/disk", self->t.dir);
	ASSERT_EQ(0, mkdir(disk->dir, 0700));
	ASSERT_EQ(0, mount("tmpfs", disk->dir, "tmpfs", 0, "size=24m"));
	ASSERT_EQ(0, tree_reopen(disk, NULL));
	ASSERT_EQ(0,
		  put_bytes(disk->store, &bob, "one", 3, 0, "f", &self->hash));
}

FIXTURE_TEARDOWN(full)
{
	vdfs_store_close(self->disk.store);
	umount(self->disk.dir);
	tree_remove(&self->t);
}

static int set(FIXTURE_DATA(full) * self, int i, bool remove)
{
	char name[32];

	snprintf(name, sizeof(name), "user.%d", i);
	return vdfs_attr_set(self->disk.store, &bob, "f", name,
			     remove ? NULL : self->value,
			     remove ? 0 : sizeof(self->value));
}

/* Attributes until there is no room for one more. Return: how many. */
static int fill(FIXTURE_DATA(full) * self)
{
	int i, err = 0;

	for (i = 0; !err && i < MANY; i++) {
		memcpy(self->value, &i, sizeof(i));
		err = set(self, i, false);
	}
	return err == -ENOSPC ? i - 1 : -1;
}

/* Bytes of any other program, as many as there is room for. */
static int fill_rest(const struct tree *t)
{
	static const char bytes[4096];
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/other", t->dir);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (fd < 0)
		return -errno;
	while (write(fd, bytes, sizeof(bytes)) > 0)
		;
	close(fd);
	return 0;
}

TEST_F(full, what_fills_it_can_be_taken_away)
{
	int i, n = fill(self);

	ASSERT_LT(100, n);
	for (i = 0; i < n; i++)
		ASSERT_EQ(0, set(self, i, true));
	/* And then there is room again. */
	EXPECT_EQ(0, set(self, 0, false));
	EXPECT_LE(n * 9 / 10, fill(self));
	EXPECT_EQ(0, vdfs_name_unlink(self->disk.store, &bob, "f"));
}

TEST_F(full, nor_is_a_restart_in_the_way)
{
	struct vdfs_gc_result gc;
	int n = fill(self);

	ASSERT_LT(100, n);
	ASSERT_EQ(0, fill_rest(&self->disk));
	ASSERT_EQ(0, tree_reopen(&self->disk, NULL));
	EXPECT_EQ(0, vdfs_gc(self->disk.store, NULL, NULL, &gc));
	ASSERT_EQ(0, set(self, 0, true));
	ASSERT_EQ(0, tree_reopen(&self->disk, NULL));
	ASSERT_EQ(0, vdfs_name_unlink(self->disk.store, &bob, "f"));
	EXPECT_EQ(0, vdfs_gc(self->disk.store, NULL, NULL, &gc));
	EXPECT_EQ(1, gc.blobs);
}

/* Whoever fills it, and however often a user tries to go on. */
TEST_F(full, room_to_delete_is_not_given_to_others)
{
	int i, n = fill(self);

	ASSERT_LT(100, n);
	for (i = 0; i < 100; i++) {
		ASSERT_EQ(0, fill_rest(&self->disk));
		ASSERT_EQ(0, set(self, i, true));
		/* What it gave up may be taken again, and no more. */
		while (!set(self, MANY + i, false))
			ASSERT_GT(MANY, i++);
	}
	ASSERT_EQ(0, vdfs_name_unlink(self->disk.store, &admin, "f"));
}

/* A little room, but not as much as is kept: it is for deletions alone. */
TEST_F(full, what_is_kept_is_for_deletions)
{
	struct tree *disk = &self->disk;
	struct vdfs_hash hash;
	struct vdfs_put *put;

	ASSERT_EQ(0, set(self, 0, false));
	ASSERT_EQ(0, set(self, 1, false));
	ASSERT_EQ(0, tree_shell(disk, "rm reserve"));
	ASSERT_EQ(0, fill_rest(disk));
	ASSERT_EQ(0, tree_shell(disk, "truncate -s -1M other"));
	ASSERT_EQ(0, tree_reopen(disk, NULL));
	EXPECT_EQ(-ENOSPC, set(self, 2, false));
	EXPECT_EQ(-ENOSPC, vdfs_put_begin(disk->store, &bob, 0, &put));
	EXPECT_EQ(-ENOSPC, vdfs_name_mkdir(disk->store, &bob, "dir", 0755));
	EXPECT_EQ(0, set(self, 0, true));
	EXPECT_EQ(-ENOSPC, set(self, 2, false));
	EXPECT_EQ(0, vdfs_name_unlink(disk->store, &bob, "f"));
	/* As soon as there is room, all goes on. */
	ASSERT_EQ(0, tree_shell(disk, "rm other"));
	EXPECT_EQ(0, put_bytes(disk->store, &bob, "x", 1, 0, "f", &hash));
	EXPECT_EQ(0, tree_shell(disk, "test -s reserve"));
}

TEST_HARNESS_MAIN
