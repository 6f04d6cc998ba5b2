// SPDX-License-Identifier: GPL-2.0-only
/* Stores on other file systems than a disk's: each works, or is refused. */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <linux/magic.h>

#include <kselftest_harness.h>

#include "daemons/vdfsd/store/store_impl.h"
#include "vdfsd/files.h"
#include "vdfsd/store.h"

#define MIB ((size_t)1 << 20)
#define KINDS 3 /* of blobs */

FIXTURE(disk)
{
	char top[32];
	struct tree t;
	uint8_t *data;
	struct vdfs_hash hash[KINDS];
};

static const size_t lens[KINDS] = { 3000, MIB + MIB / 2, MIB + 5 };

FIXTURE_SETUP(disk)
{
	if (unshare(CLONE_NEWNS))
		SKIP(return, "needs root, for a mount");
	/* In a chroot this fails, and is not needed. */
	mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
	snprintf(self->top, sizeof(self->top), "/tmp/vdfs-disk-XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->top));
	ASSERT_EQ(0, mount("tmpfs", self->top, "tmpfs", 0, "size=64m"));
	snprintf(self->t.dir, sizeof(self->t.dir), "%s/store", self->top);
	self->t.store = NULL;
	self->data = random_bytes(2 * MIB, 3);
}

FIXTURE_TEARDOWN(disk)
{
	vdfs_store_close(self->t.store);
	umount2(self->top, MNT_DETACH);
	remove_tree(self->top);
	free(self->data);
}

static int put_all(FIXTURE_DATA(disk) * self)
{
	int i, err = 0;

	for (i = 0; !err && i < KINDS; i++)
		err = put_bytes(self->t.store, &alice, self->data, lens[i],
				i == 2 ? VDFS_PUT_WHOLE : 0, NULL,
				&self->hash[i]);
	return err;
}

static int all_there(FIXTURE_DATA(disk) * self)
{
	int i, err = 0;

	for (i = 0; !err && i < KINDS; i++)
		err = get_same(self->t.store, &alice, &self->hash[i],
			       self->data, lens[i]);
	return err;
}

/* All that a store does to its disk: it stores, reads, deletes and checks. */
static int use(FIXTURE_DATA(disk) * self)
{
	struct vdfs_fsck_result r = { 0 };
	int err, i;

	err = put_all(self);
	for (i = 0; !err && i < KINDS; i++)
		err = vdfs_blob_drop(self->t.store, &alice, &self->hash[i]);
	err = err ?: vdfs_gc(self->t.store, NULL, NULL, NULL);
	err = err ?: put_all(self);
	err = err ?: tree_reopen(&self->t, NULL);
	err = err ?: all_there(self);
	err = err ?: vdfs_fsck(self->t.store, 0, NULL, NULL, NULL, &r);
	return err ?: (int)r.faults;
}

/* Lay a file system over the directory "store": what it was, and changes. */
static int lay_over(FIXTURE_DATA(disk) * self)
{
	char option[512];

	snprintf(option, sizeof(option),
		 "mkdir -p %s/lower %s/upper %s/work && cp -a %s/. %s/lower",
		 self->top, self->top, self->top, self->t.dir, self->top);
	if (system(option))
		return -EIO;
	snprintf(option, sizeof(option),
		 "lowerdir=%s/lower,upperdir=%s/upper,workdir=%s/work",
		 self->top, self->top, self->top);
	return mount("overlay", self->t.dir, "overlay", 0, option) ? -errno : 0;
}

TEST_F(disk, memory_will_do)
{
	ASSERT_EQ(0, tree_reopen(&self->t, NULL));
	EXPECT_EQ(0, use(self));
}

TEST_F(disk, an_overlay_will_do)
{
	int err;

	ASSERT_EQ(0, mkdir(self->t.dir, 0700));
	err = lay_over(self);
	if (err == -ENODEV || err == -EPERM)
		SKIP(return, "no overlays in this kernel");
	ASSERT_EQ(0, err);
	ASSERT_EQ(0, tree_reopen(&self->t, NULL));
	EXPECT_EQ(0, use(self));
}

/* An image of a container has a store in it: opening it copies files up. */
TEST_F(disk, so_will_a_store_below_an_overlay)
{
	int err;

	ASSERT_EQ(0, tree_reopen(&self->t, NULL));
	ASSERT_EQ(0, put_all(self));
	vdfs_store_close(self->t.store);
	self->t.store = NULL;
	err = lay_over(self);
	if (err == -ENODEV || err == -EPERM)
		SKIP(return, "no overlays in this kernel");
	ASSERT_EQ(0, err);
	ASSERT_EQ(0, tree_reopen(&self->t, NULL));
	EXPECT_EQ(0, all_there(self));
	EXPECT_EQ(0, use(self));
}

TEST_F(disk, what_cannot_be_written_is_only_looked_at)
{
	const struct vdfs_store_options look = { .read_only = true };
	struct vdfs_fsck_result r = { 0 };

	ASSERT_EQ(0, tree_reopen(&self->t, NULL));
	ASSERT_EQ(0, put_all(self));
	vdfs_store_close(self->t.store);
	self->t.store = NULL;
	ASSERT_EQ(0,
		  mount("none", self->top, NULL, MS_REMOUNT | MS_RDONLY, NULL));
	EXPECT_EQ(-EROFS, tree_reopen(&self->t, NULL));
	ASSERT_EQ(0, tree_reopen(&self->t, &look));
	EXPECT_EQ(0, all_there(self));
	EXPECT_EQ(0, vdfs_fsck(self->t.store, 0, NULL, NULL, NULL, &r));
	EXPECT_EQ(0, r.faults);
}

TEST(disks_of_several_hosts_are_named)
{
	EXPECT_STREQ("NFS", vdfs_disk_shared(0x6969));
	EXPECT_STREQ("SMB", vdfs_disk_shared(0xff534d42));
	EXPECT_STREQ("9P", vdfs_disk_shared(V9FS_MAGIC));
	EXPECT_EQ(NULL, vdfs_disk_shared(TMPFS_MAGIC));
	EXPECT_EQ(NULL, vdfs_disk_shared(EXT4_SUPER_MAGIC));
	EXPECT_EQ(NULL, vdfs_disk_shared(OVERLAYFS_SUPER_MAGIC));
}

TEST_HARNESS_MAIN
