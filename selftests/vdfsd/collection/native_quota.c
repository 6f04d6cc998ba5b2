// SPDX-License-Identifier: GPL-2.0-only
/* The cost of items: the owner of the collection pays, byte by byte. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "daemons/vdfsd/collection/collection_impl.h"
#include "vdfsd/items.h"
#include "vdfsd/store.h"

#define QUOTA 10000
/* An item with a key of one byte, no metadata, and two elements. */
#define PLAIN (64 + 1 + 2 + 8)

static const float two[2] = { 1, 2 };

FIXTURE(quota)
{
	struct tree t;
	struct vdfs_db *db;
	struct vdfs_collection *c; /* of alice, opened by bob */
};

static int open_db(FIXTURE_DATA(quota) * self)
{
	int ret = items_in_tree(&self->t, &self->db);

	if (!ret)
		vdfs_db_set_store(self->db, self->t.store);
	return ret;
}

static void close_db(FIXTURE_DATA(quota) * self)
{
	vdfs_collection_put(self->c);
	vdfs_db_close(self->db);
	self->c = NULL;
	self->db = NULL;
}

FIXTURE_SETUP(quota)
{
	struct vdfs_store_options options = { .quota = QUOTA };
	struct vdfs_collection_params p = { .dim = 2, .mode = 0666 };

	ASSERT_EQ(0, tree_make(&self->t, &options));
	ASSERT_EQ(0, open_db(self));
	ASSERT_EQ(0, vdfs_collection_create(self->db, &alice, "c", &p));
	ASSERT_EQ(0, vdfs_collection_open(self->db, &bob, "c", NULL, NULL,
					  &self->c));
}

FIXTURE_TEARDOWN(quota)
{
	EXPECT_EQ(0, tree_faults(&self->t, 0));
	close_db(self);
	tree_remove(&self->t);
}

static struct vdfs_usage items_of(FIXTURE_DATA(quota) * self,
				  const struct vdfs_who *who)
{
	struct vdfs_usage usage[VDFS_USAGES] = { 0 };

	vdfs_usage_get(self->t.store, who->uid, usage);
	return usage[VDFS_USAGE_ITEMS];
}

static int64_t used(FIXTURE_DATA(quota) * self, const struct vdfs_who *who)
{
	uint64_t quota, used = 0;

	vdfs_quota_get(self->t.store, who->uid, &quota, &used);
	return (int64_t)used;
}

static int put(struct vdfs_collection *c, const char *key, const char *metadata,
	       uint32_t flags)
{
	struct vdfs_item item = {
		.key = key, .vector = two, .dim = 2, .metadata = metadata
	};

	return vdfs_collection_insert(c, &item, 1, flags, NULL);
}

TEST_F(quota, the_owner_pays_each_byte)
{
	struct vdfs_item item = { .key = "b", .metadata = "{\"a\":1}" };

	ASSERT_EQ(0, put(self->c, "a", NULL, 0));
	EXPECT_EQ(1, items_of(self, &alice).n);
	EXPECT_EQ(PLAIN, items_of(self, &alice).bytes);
	EXPECT_EQ(PLAIN, used(self, &alice));
	EXPECT_EQ(0, used(self, &bob));
	ASSERT_EQ(0, put(self->c, "b", "{\"a\":100}", 0));
	EXPECT_EQ(2 * PLAIN + 7, used(self, &alice));
	ASSERT_EQ(0, vdfs_collection_update(self->c, &item));
	EXPECT_EQ(2 * PLAIN + 5, used(self, &alice));
	/* Bytes count, not characters. */
	ASSERT_EQ(0,
		  put(self->c, "b", "{\"\303\251\":1}", VDFS_INSERT_REPLACE));
	EXPECT_EQ(2 * PLAIN + 6, used(self, &alice));
	ASSERT_EQ(0, put(self->c, "c", NULL, VDFS_INSERT_REPLACE));
	EXPECT_EQ(3, items_of(self, &alice).n);
	EXPECT_EQ(3 * PLAIN + 6, used(self, &alice));
	/* An insert that fails costs nothing. */
	EXPECT_EQ(-EEXIST, put(self->c, "c", "{\"a\":1}", 0));
	EXPECT_EQ(3 * PLAIN + 6, used(self, &alice));
	EXPECT_EQ(0, tree_faults(&self->t, 0));
	ASSERT_EQ(0, vdfs_collection_delete(self->c, "b"));
	ASSERT_EQ(0, vdfs_collection_delete(self->c, "b"));
	EXPECT_EQ(2 * PLAIN, used(self, &alice));
	EXPECT_EQ(2, items_of(self, &alice).n);
}

static int note(void *arg, const struct vdfs_item *item, float dist)
{
	(void)arg;
	(void)item;
	(void)dist;
	return 0;
}

TEST_F(quota, it_ends_what_an_owner_may_have)
{
	struct vdfs_item item = { .key = "a", .vector = two, .dim = 2 };
	char metadata[QUOTA];
	struct vdfs_hash hash;
	int len = QUOTA - 2 * PLAIN - 64;
	char key[2] = "d";

	snprintf(metadata, sizeof(metadata), "{\"a\":\"%*s\"}", len - 8, "");
	ASSERT_EQ(0, put(self->c, "a", metadata, 0));
	ASSERT_EQ(0, put(self->c, "b", NULL, 0));
	EXPECT_EQ(-EDQUOT, put(self->c, "c", NULL, 0));
	EXPECT_GE(QUOTA, used(self, &alice));
	EXPECT_EQ(-ENOENT, vdfs_collection_get(self->c, "c", note, NULL));
	/* A change of the same size is let, one that takes more is not. */
	EXPECT_EQ(0, vdfs_collection_update(self->c, &item));
	EXPECT_EQ(-EDQUOT, put(self->c, "b", metadata, VDFS_INSERT_REPLACE));
	/* Blobs and items are within one quota. */
	EXPECT_EQ(-EDQUOT, put_bytes(self->t.store, &alice, metadata, 100, 0,
				     "blob", &hash));
	EXPECT_EQ(0, put(self->c, "a", NULL, VDFS_INSERT_REPLACE));
	for (; *key < 'i'; ++*key)
		EXPECT_EQ(0, put(self->c, key, NULL, 0));
	EXPECT_EQ(7 * PLAIN, used(self, &alice));
}

/* Until an item is gone from the disk it is charged for. */
TEST_F(quota, a_drop_gives_it_back)
{
	char key[16];
	int i;

	for (i = 0; i < 50; i++) {
		snprintf(key, sizeof(key), "%d", i);
		ASSERT_EQ(0, put(self->c, key, NULL, 0));
	}
	ASSERT_EQ(0, vdfs_collection_drop(self->db, &alice, "c"));
	while (items_of(self, &alice).n)
		usleep(1000);
	EXPECT_EQ(0, used(self, &alice));
}

static int run_sql(struct sqlite3 *db, void *arg)
{
	return sqlite3_exec(db, arg, NULL, NULL, NULL) ? vdfs_meta_errno(db) :
							 0;
}

static int change(FIXTURE_DATA(quota) * self, const char *sql)
{
	return vdfs_meta_write(vdfs_store_meta(self->t.store), run_sql,
			       (void *)sql);
}

TEST_F(quota, a_check_counts)
{
	ASSERT_EQ(0, put(self->c, "a", NULL, 0));
	ASSERT_EQ(0, change(self, "UPDATE usage SET n = 7, bytes = 77\n"
				  "WHERE kind = 3 AND uid > 0"));
	/* The row that is there, the one that is not, and what it comes to. */
	EXPECT_EQ(3, tree_faults(&self->t, 0));
	EXPECT_LT(0, tree_faults(&self->t, VDFS_FSCK_REPAIR));
	EXPECT_EQ(0, tree_faults(&self->t, 0));
	EXPECT_EQ(1, items_of(self, &alice).n);
	EXPECT_EQ(PLAIN, items_of(self, &alice).bytes);
}

/* Items that were there before anybody was charged for some, once. */
TEST_F(quota, earlier_items_are_counted)
{
	int i;

	ASSERT_EQ(0, put(self->c, "a", NULL, 0));
	ASSERT_EQ(0, put(self->c, "b", NULL, 0));
	ASSERT_EQ(0, change(self, "DELETE FROM usage WHERE kind = 3;\n"
				  "UPDATE quota SET used = 0"));
	close_db(self);
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, tree_reopen(&self->t, NULL));
		EXPECT_EQ(2, items_of(self, &alice).n);
		EXPECT_EQ(2 * PLAIN, used(self, &alice));
	}
	ASSERT_EQ(0, open_db(self));
}

/* Values of indexed fields are bytes of the quota: the field is undone. */
TEST_F(quota, values_of_fields_are_charged)
{
	struct vdfs_usage rows[VDFS_USAGES];
	char metadata[2][2600], key[2] = "a";
	struct vdfs_item item = { .vector = two, .dim = 2, .key = key };
	uint64_t quota, used, before;

	memset(metadata, 'x', sizeof(metadata));
	memcpy(metadata[0], "{\"f\":\"", 6);
	memcpy(metadata[0] + 2500, "\"}", 3);
	item.metadata = metadata[0];
	for (; key[0] < 'd'; key[0]++)
		ASSERT_EQ(0,
			  vdfs_collection_insert(self->c, &item, 1, 0, NULL));
	ASSERT_EQ(0, vdfs_quota_get(self->t.store, alice.uid, &quota, &before));
	EXPECT_EQ(-EDQUOT,
		  vdfs_collection_index_field(self->c, "f", NULL, NULL));
	ASSERT_EQ(0, vdfs_usage_get(self->t.store, alice.uid, rows));
	EXPECT_EQ(0, rows[VDFS_USAGE_VALUES].n);
	EXPECT_EQ(0, rows[VDFS_USAGE_VALUES].bytes);
	ASSERT_EQ(0, vdfs_quota_get(self->t.store, alice.uid, &quota, &used));
	EXPECT_EQ(before, used);
	EXPECT_EQ(0, tree_faults(&self->t, 0));
	ASSERT_EQ(0, vdfs_collection_delete(self->c, "a"));
	ASSERT_EQ(0, vdfs_collection_delete(self->c, "b"));
	ASSERT_EQ(0, vdfs_collection_index_field(self->c, "f", NULL, NULL));
	ASSERT_EQ(0, vdfs_usage_get(self->t.store, alice.uid, rows));
	EXPECT_EQ(1, rows[VDFS_USAGE_VALUES].n);
	EXPECT_EQ(64 + 2494, rows[VDFS_USAGE_VALUES].bytes);
	/* The item alone would fit. */
	key[0] = 'e';
	EXPECT_EQ(-EDQUOT, vdfs_collection_insert(self->c, &item, 1, 0, NULL));
	ASSERT_EQ(0, vdfs_collection_delete(self->c, "c"));
	ASSERT_EQ(0, vdfs_usage_get(self->t.store, alice.uid, rows));
	EXPECT_EQ(0, rows[VDFS_USAGE_VALUES].bytes);
	EXPECT_EQ(0, tree_faults(&self->t, 0));
}

TEST_HARNESS_MAIN
