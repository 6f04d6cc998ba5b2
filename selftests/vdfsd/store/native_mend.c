// SPDX-License-Identifier: GPL-2.0-only
/*
 * What was damaged on the disk is put once more: then it is whole, for all
 * who refer to it, with no check and no repair.
 */
#include <errno.h>
#include <string.h>

#include <kselftest_harness.h>

#include "daemons/vdfsd/store/store_impl.h"
#include "vdfsd/store.h"

#define MIB ((size_t)1 << 20)
#define SMALL 9000
#define LIST (2 * MIB)
#define WHOLE (3 * MIB)

static const struct vdfs_store_options sharing = { .share = true };

FIXTURE(mend)
{
	struct tree t;
	uint8_t *data;
	struct vdfs_hash small;
	struct vdfs_hash list;
	struct vdfs_hash whole;
};

FIXTURE_SETUP(mend)
{
	struct vdfs_store *store;

	ASSERT_EQ(0, tree_make(&self->t, &sharing));
	store = self->t.store;
	self->data = random_bytes(WHOLE, 1);
	ASSERT_EQ(0, put_bytes(store, &alice, self->data, SMALL, 0, "small",
			       &self->small));
	ASSERT_EQ(0, put_bytes(store, &alice, self->data, LIST, 0, "list",
			       &self->list));
	ASSERT_EQ(0, put_bytes(store, &bob, self->data, WHOLE, VDFS_PUT_WHOLE,
			       "whole", &self->whole));
}

FIXTURE_TEARDOWN(mend)
{
	free(self->data);
	tree_remove(&self->t);
}

static int flip_small(FIXTURE_DATA(mend) * self, off_t at)
{
	struct vdfs_object object;

	if (object_of(self->t.store, &self->small, &object))
		return -ENOENT;
	return tree_flip(&self->t, "pack/00000001", (off_t)object.place + at);
}

static int flip_whole(FIXTURE_DATA(mend) * self)
{
	struct vdfs_object object = { .hash = self->whole,
				      .user = VDFS_COMMON };
	char path[VDFS_FILE_PATH + 16] = "object/";

	vdfs_file_path(&object, path + 7);
	return tree_flip(&self->t, path, MIB);
}

static int get(FIXTURE_DATA(mend) * self, const struct vdfs_who *who,
	       const struct vdfs_hash *hash, size_t len)
{
	return get_same(self->t.store, who, hash, self->data, len);
}

static int put(FIXTURE_DATA(mend) * self, const struct vdfs_who *who,
	       size_t len, uint32_t flags)
{
	struct vdfs_hash hash;

	return put_bytes(self->t.store, who, self->data, len, flags, NULL,
			 &hash);
}

static uint64_t faults(FIXTURE_DATA(mend) * self)
{
	struct vdfs_fsck_result result = { .faults = 1000 };

	vdfs_fsck(self->t.store, 0, NULL, NULL, NULL, &result);
	return result.faults;
}

/* All of it is there, now, after a collection, and when opened again. */
static void expect_whole(struct __test_metadata *_metadata,
			 FIXTURE_DATA(mend) * self)
{
	int i;

	for (i = 0; i < 2; i++) {
		EXPECT_EQ(0, get(self, &alice, &self->small, SMALL));
		EXPECT_EQ(0, get(self, &alice, &self->list, LIST));
		EXPECT_EQ(0, get(self, &bob, &self->whole, WHOLE));
		EXPECT_EQ(0, faults(self));
		EXPECT_EQ(0, vdfs_gc(self->t.store, NULL, NULL, NULL));
		ASSERT_EQ(0, tree_reopen(&self->t, &sharing));
	}
}

TEST_F(mend, a_small_one)
{
	struct vdfs_blob *open;
	char byte;

	ASSERT_EQ(0, flip_small(self, 1000));
	ASSERT_EQ(0,
		  vdfs_blob_open(self->t.store, &alice, &self->small, &open));
	EXPECT_EQ(-EBADMSG, vdfs_blob_read(open, &byte, 1, 5));
	/* Another user has it as well, and has its own copy of the file. */
	EXPECT_EQ(0, put(self, &bob, SMALL, 0));
	EXPECT_EQ(1, vdfs_blob_read(open, &byte, 1, 5));
	EXPECT_EQ(self->data[5], (uint8_t)byte);
	vdfs_blob_close(open);
	EXPECT_EQ(0, get(self, &bob, &self->small, SMALL));
	expect_whole(_metadata, self);
}

TEST_F(mend, a_damaged_head)
{
	ASSERT_EQ(0, flip_small(self, 9));
	EXPECT_EQ(-EBADMSG, get(self, &alice, &self->small, SMALL));
	EXPECT_EQ(0, put(self, &alice, SMALL, 0));
	expect_whole(_metadata, self);
}

TEST_F(mend, a_list)
{
	ASSERT_EQ(0, tree_flip(&self->t, "pack/00000001", MIB + MIB / 2));
	EXPECT_EQ(-EBADMSG, get(self, &alice, &self->list, LIST));
	EXPECT_EQ(0, put(self, &bob, LIST, 0));
	EXPECT_EQ(0, get(self, &bob, &self->list, LIST));
	expect_whole(_metadata, self);
}

/* What two share is mended for both by who puts one. */
TEST_F(mend, a_part_of_two_lists)
{
	struct vdfs_hash other;

	self->data[LIST]++;
	ASSERT_EQ(0, put_bytes(self->t.store, &bob, self->data, LIST + 1, 0,
			       "other", &other));
	ASSERT_EQ(0, tree_flip(&self->t, "pack/00000001", MIB / 2));
	EXPECT_EQ(-EBADMSG, get(self, &alice, &self->list, LIST));
	EXPECT_EQ(-EBADMSG, get(self, &bob, &other, LIST + 1));
	EXPECT_EQ(0, put(self, &bob, LIST + 1, 0));
	EXPECT_EQ(0, get(self, &bob, &other, LIST + 1));
	self->data[LIST]--;
	expect_whole(_metadata, self);
}

TEST_F(mend, a_file)
{
	ASSERT_EQ(0, flip_whole(self));
	EXPECT_EQ(-EBADMSG, get(self, &bob, &self->whole, WHOLE));
	EXPECT_EQ(0, put(self, &alice, WHOLE, VDFS_PUT_WHOLE));
	expect_whole(_metadata, self);
}

TEST_F(mend, a_lost_file)
{
	ASSERT_EQ(0, tree_shell(&self->t, "rm -r object/[0-9a-f]*"));
	ASSERT_EQ(0, tree_reopen(&self->t, &sharing));
	EXPECT_EQ(-EBADMSG, get(self, &bob, &self->whole, WHOLE));
	EXPECT_EQ(0, put(self, &bob, WHOLE, VDFS_PUT_WHOLE));
	expect_whole(_metadata, self);
}

/* Under the feet of one who knows that it was there. */
TEST_F(mend, a_lost_directory)
{
	ASSERT_EQ(0, tree_shell(&self->t, "rm -r object/[0-9a-f]*"));
	EXPECT_EQ(0, put(self, &bob, WHOLE, VDFS_PUT_WHOLE));
	expect_whole(_metadata, self);
}

TEST_F(mend, a_lost_directory_by_a_list)
{
	ASSERT_EQ(0, tree_shell(&self->t, "rm -r object/[0-9a-f]*"));
	EXPECT_EQ(0, put(self, &bob, WHOLE, 0));
	expect_whole(_metadata, self);
}

/* As a crash leaves it that comes while a file takes another's place. */
TEST_F(mend, what_was_beside_a_file_goes)
{
	const char *make = "for f in object/*/*; do echo x >$f.new; done";
	const char *look = "! ls object/*/*.new 2>/dev/null";

	ASSERT_EQ(0, tree_shell(&self->t, make));
	ASSERT_EQ(0, flip_whole(self));
	EXPECT_EQ(0, put(self, &alice, WHOLE, VDFS_PUT_WHOLE));
	EXPECT_EQ(0, tree_shell(&self->t, look));
	ASSERT_EQ(0, tree_shell(&self->t, make));
	expect_whole(_metadata, self);
	EXPECT_EQ(0, tree_shell(&self->t, look));
}

/* Put in the other form than the stored one. */
TEST_F(mend, a_file_by_a_list)
{
	ASSERT_EQ(0, flip_whole(self));
	EXPECT_EQ(0, put(self, &alice, WHOLE, 0));
	EXPECT_EQ(0, get(self, &alice, &self->whole, WHOLE));
	expect_whole(_metadata, self);
}

TEST_F(mend, a_list_by_a_file)
{
	ASSERT_EQ(0, tree_flip(&self->t, "pack/00000001", MIB + MIB / 2));
	EXPECT_EQ(0, put(self, &bob, LIST, VDFS_PUT_WHOLE));
	EXPECT_EQ(0, get(self, &bob, &self->list, LIST));
	EXPECT_EQ(0, get(self, &alice, &self->list, LIST));
}

TEST_F(mend, a_lost_segment)
{
	vdfs_store_close(self->t.store);
	self->t.store = NULL;
	ASSERT_EQ(0, tree_shell(&self->t, "rm pack/00000001"));
	ASSERT_EQ(0, tree_reopen(&self->t, &sharing));
	EXPECT_EQ(0, put(self, &alice, SMALL, 0));
	EXPECT_EQ(0, put(self, &alice, LIST, 0));
	expect_whole(_metadata, self);
}

static int drop_a_part(struct sqlite3 *db, void *arg)
{
	(void)arg;
	return vdfs_sql_run(db, "DELETE FROM part WHERE start =\n"
				"(SELECT start FROM part ORDER BY start\n"
				"LIMIT 1 OFFSET 3)");
}

TEST_F(mend, a_list_that_lost_a_part)
{
	ASSERT_EQ(0, vdfs_meta_write(self->t.store->meta, drop_a_part, NULL));
	EXPECT_EQ(-EBADMSG, get(self, &alice, &self->list, LIST));
	EXPECT_EQ(0, put(self, &bob, LIST, 0));
	EXPECT_EQ(0, get(self, &bob, &self->list, LIST));
	EXPECT_EQ(0, get(self, &alice, &self->list, LIST));
}

/* What is whole is not written once more. */
TEST_F(mend, nothing_that_is_whole)
{
	struct vdfs_store_stats before, after;

	ASSERT_EQ(0, vdfs_store_stats(self->t.store, &before));
	ASSERT_EQ(0, tree_shell(&self->t, "stat -c %s pack/* >size"));
	EXPECT_EQ(0, put(self, &bob, SMALL, 0));
	EXPECT_EQ(0, put(self, &bob, LIST, 0));
	EXPECT_EQ(0, put(self, &bob, LIST, VDFS_PUT_WHOLE));
	EXPECT_EQ(0, tree_shell(&self->t, "stat -c %s pack/* | cmp - size"));
	EXPECT_EQ(0, put(self, &alice, WHOLE, 0));
	EXPECT_EQ(0, put(self, &alice, WHOLE, VDFS_PUT_WHOLE));
	ASSERT_EQ(0, vdfs_gc(self->t.store, NULL, NULL, NULL));
	ASSERT_EQ(0, vdfs_store_stats(self->t.store, &after));
	EXPECT_EQ(before.objects, after.objects);
	EXPECT_EQ(before.object_bytes, after.object_bytes);
}

/* Put what fsck has found damaged, before it takes that out of sight. */
static bool put_meanwhile(void *arg, uint64_t done, uint64_t total)
{
	(void)total;
	if (done && put(arg, &bob, SMALL, 0))
		abort();
	return true;
}

TEST_F(mend, beside_a_repair)
{
	struct vdfs_fsck_result result;
	struct vdfs_stat st;

	ASSERT_EQ(0, flip_small(self, 1000));
	ASSERT_EQ(0, vdfs_fsck(self->t.store, VDFS_FSCK_REPAIR, NULL,
			       put_meanwhile, self, &result));
	EXPECT_EQ(1, result.damaged);
	EXPECT_EQ(0, vdfs_name_stat(self->t.store, &alice, "small", &st));
	EXPECT_EQ(0, get(self, &bob, &self->small, SMALL));
	expect_whole(_metadata, self);
}

TEST_HARNESS_MAIN
