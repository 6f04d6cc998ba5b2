// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rows of collections that something else than vdfsd has changed: the check
 * finds each, and a repair gives nobody more than there was.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "daemons/common/sql/meta.h"
#include "daemons/vdfsd/collection/collection.h"
#include "vdfsd/items.h"
#include "vdfsd/store.h"

#define ITEMS 20

FIXTURE(items)
{
	struct tree t;
	struct vdfs_db *db;
};

static void close_db(FIXTURE_DATA(items) * self)
{
	vdfs_db_close(self->db);
	self->db = NULL;
}

FIXTURE_SETUP(items)
{
	struct vdfs_collection_params p = { .dim = 1, .mode = 0600 };
	struct vdfs_collection *c;
	char key[8];
	int i;

	ASSERT_EQ(0, tree_make(&self->t, NULL));
	ASSERT_EQ(0, items_in_tree(&self->t, &self->db));
	ASSERT_EQ(0, vdfs_collection_create(self->db, &bob, "b", &p));
	ASSERT_EQ(0, vdfs_collection_create(self->db, &alice, "c", &p));
	ASSERT_EQ(0,
		  vdfs_collection_open(self->db, &alice, "c", NULL, NULL, &c));
	for (i = 0; i < ITEMS; i++) {
		float x = (float)i;
		struct vdfs_item item = { .key = key,
					  .vector = &x,
					  .dim = 1,
					  .metadata = "{\"f\":1}" };

		snprintf(key, sizeof(key), "k%d", i);
		ASSERT_EQ(0, vdfs_collection_insert(c, &item, 1, 0, NULL));
	}
	ASSERT_EQ(0, vdfs_collection_index_field(c, "f", NULL, NULL));
	ASSERT_EQ(0, vdfs_collection_save(c));
	vdfs_collection_put(c);
	close_db(self);
}

FIXTURE_TEARDOWN(items)
{
	close_db(self);
	tree_remove(&self->t);
}

/* There and back: each column is in the checksum. */
TEST_F(items, each_column_is_checked)
{
	static const char *const changes[][2] = {
		{ "UPDATE item SET metadata = '{\"f\":2}' WHERE key = 'k3'",
		  "UPDATE item SET metadata = '{\"f\":1}' WHERE key = 'k3'" },
		{ "UPDATE item SET key = 'kx' WHERE key = 'k3'",
		  "UPDATE item SET key = 'k3' WHERE key = 'kx'" },
		{ "UPDATE item SET gen = gen + 1 WHERE key = 'k3'",
		  "UPDATE item SET gen = gen - 1 WHERE key = 'k3'" },
		{ "UPDATE item SET id = id + 99 WHERE key = 'k3'",
		  "UPDATE item SET id = id - 99 WHERE key = 'k3'" },
		{ "UPDATE collection SET owner = owner + 1 WHERE name = 'b'",
		  "UPDATE collection SET owner = owner - 1 WHERE name = 'b'" },
		{ "UPDATE collection SET mode = mode | 4 WHERE name = 'b'",
		  "UPDATE collection SET mode = mode & ~4 WHERE name = 'b'" },
		{ "UPDATE collection SET dim = 3 WHERE name = 'b'",
		  "UPDATE collection SET dim = 1 WHERE name = 'b'" },
		{ "UPDATE collection SET name = 'd' WHERE name = 'b'",
		  "UPDATE collection SET name = 'b' WHERE name = 'd'" },
		{ "UPDATE collection SET base = base | 1125899906842624\n"
		  "WHERE name = 'c'",
		  "UPDATE collection SET base = base & ~1125899906842624\n"
		  "WHERE name = 'c'" },
		{ "UPDATE collection SET items = items + 1 WHERE name = 'c'",
		  "UPDATE collection SET items = items - 1 WHERE name = 'c'" },
	};
	size_t i;

	EXPECT_EQ(0, tree_faults(&self->t, 0));
	for (i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
		ASSERT_EQ(0, tree_change(&self->t, changes[i][0]));
		EXPECT_LT(0, tree_faults(&self->t, 0))
		{
			TH_LOG("%s", changes[i][0]);
		}
		ASSERT_EQ(0, tree_change(&self->t, changes[i][1]));
		EXPECT_EQ(0, tree_faults(&self->t, 0));
	}
}

static int count(void *arg, const struct vdfs_item *item, float dist)
{
	(void)item;
	(void)dist;
	++*(int *)arg;
	return 0;
}

/* The name of the last one. */
static int note_name(void *arg, const char *name,
		     const struct vdfs_collection_params *params,
		     uint64_t items)
{
	(void)params;
	(void)items;
	snprintf(arg, VDFS_COLLECTION_NAME_MAX + 1, "%s", name);
	return 0;
}

static int found(struct vdfs_collection *c, const char *filter)
{
	float x = 0;
	int n = 0;
	struct vdfs_search how = {
		.vector = &x, .dim = 1, .k = 100, .filter = filter
	};
	int ret = vdfs_collection_search(c, &how, count, &n);

	return ret ? ret : n;
}

/* Others of the collection are what they were, for its owner alone. */
TEST_F(items, a_damaged_item_is_dropped)
{
	struct vdfs_collection *c;

	ASSERT_EQ(0,
		  tree_change(&self->t, "UPDATE item SET vector = x'00000041'\n"
					"WHERE key = 'k3'"));
	EXPECT_LT(0, tree_faults(&self->t, VDFS_FSCK_REPAIR));
	EXPECT_EQ(0, tree_faults(&self->t, 0));
	ASSERT_EQ(0, items_in_tree(&self->t, &self->db));
	ASSERT_EQ(0,
		  vdfs_collection_open(self->db, &alice, "c", NULL, NULL, &c));
	EXPECT_EQ(ITEMS - 1, found(c, NULL));
	EXPECT_EQ(ITEMS - 1, found(c, "{\"f\":1}"));
	EXPECT_EQ(-ENOENT, vdfs_collection_get(c, "k3", count, NULL));
	vdfs_collection_put(c);
}

/* Nobody but root may, until root says who. */
TEST_F(items, a_damaged_collection_is_roots)
{
	struct vdfs_collection *c;

	ASSERT_EQ(
		0,
		tree_change(&self->t,
			    "UPDATE collection SET mode = 438,\n"
			    "base = base | 1125899906842624 WHERE name = 'c'"));
	EXPECT_LT(0, tree_faults(&self->t, VDFS_FSCK_REPAIR));
	EXPECT_EQ(0, tree_faults(&self->t, 0));
	ASSERT_EQ(0, items_in_tree(&self->t, &self->db));
	EXPECT_EQ(-ENOENT,
		  vdfs_collection_open(self->db, &bob, "c", NULL, NULL, &c));
	EXPECT_EQ(-ENOENT,
		  vdfs_collection_open(self->db, &alice, "c", NULL, NULL, &c));
	ASSERT_EQ(0,
		  vdfs_collection_open(self->db, &admin, "c", NULL, NULL, &c));
	EXPECT_EQ(ITEMS, found(c, NULL));
	vdfs_collection_put(c);
}

/* It is not taken for one that was dropped, and its items stay. */
TEST_F(items, a_lost_name_is_given_back)
{
	struct vdfs_collection *c;

	ASSERT_EQ(0, tree_change(&self->t, "UPDATE collection SET name = NULL\n"
					   "WHERE name = 'c'"));
	EXPECT_LT(0, tree_faults(&self->t, VDFS_FSCK_REPAIR));
	EXPECT_EQ(0, tree_faults(&self->t, 0));
	ASSERT_EQ(0, items_in_tree(&self->t, &self->db));
	ASSERT_EQ(0, vdfs_collection_open(self->db, &admin, "lost-2", NULL,
					  NULL, &c));
	EXPECT_EQ(ITEMS, found(c, NULL));
	vdfs_collection_put(c);
}

/* A user has what a lost one would be called: it has another name. */
TEST_F(items, a_name_that_none_may_have_is_replaced)
{
	static const char *const changes[] = {
		"UPDATE collection SET name = 'C' WHERE name = 'c'",
		"UPDATE collection SET name = CAST(x'6300' AS TEXT)\n"
		"WHERE name = 'c'",
		"UPDATE collection SET name = CAST(x'e3' AS TEXT)\n"
		"WHERE name = 'c'",
		"UPDATE collection SET name = x'63' WHERE name = 'c'",
		"UPDATE collection SET name = '' WHERE name = 'c'",
	};
	struct vdfs_collection_params p = { .dim = 1 };
	size_t i;

	ASSERT_EQ(0, items_in_tree(&self->t, &self->db));
	for (i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
		char name[24];

		ASSERT_EQ(0, tree_change(&self->t, changes[i]));
		EXPECT_LT(0, tree_faults(&self->t, 0));
		EXPECT_LT(0, tree_faults(&self->t, VDFS_FSCK_REPAIR));
		EXPECT_EQ(0, tree_faults(&self->t, 0));
		snprintf(name, sizeof(name), "lost-%zu", i + 2);
		EXPECT_EQ(0, vdfs_collection_drop(self->db, &admin, name))
		{
			TH_LOG("%s", changes[i]);
		}
		ASSERT_EQ(0, vdfs_collection_create(self->db, &alice, "c", &p));
	}
}

/* An earlier version has taken such a name for that of root's collection. */
TEST_F(items, a_name_that_was_summed_is_replaced)
{
	char name[65];
	struct vdfs_collection_params p = { .dim = 1 };

	ASSERT_EQ(0, items_in_tree(&self->t, &self->db));
	ASSERT_EQ(0, vdfs_collection_create(self->db, &bob, "lost-2", &p));
	ASSERT_EQ(0,
		  tree_change(
			  &self->t,
			  "UPDATE collection SET name = 'C', sum =\n"
			  "vdfs_sum(id, 'C', owner, mode, dim, metric, type,\n"
			  "codes, m, ef_build, seed, base) WHERE name = 'c'"));
	EXPECT_EQ(1, tree_faults(&self->t, 0));
	EXPECT_EQ(1, tree_faults(&self->t, VDFS_FSCK_REPAIR));
	EXPECT_EQ(0, tree_faults(&self->t, 0));
	name[0] = '\0';
	ASSERT_EQ(0, vdfs_collection_list(self->db, &alice, note_name, name));
	EXPECT_EQ(0, strncmp(name, "lost-2-", 7));
	EXPECT_EQ(0, vdfs_collection_drop(self->db, &alice, name));
	EXPECT_EQ(0, vdfs_collection_drop(self->db, &bob, "lost-2"));
}

/* That they may have newlines in them was once allowed. */
TEST_F(items, a_name_of_an_earlier_version_is_none_of_these)
{
	ASSERT_EQ(
		0,
		tree_change(&self->t,
			    "UPDATE collection SET name = 'c' || char(10),\n"
			    "sum = vdfs_sum(id, 'c' || char(10), owner, mode,\n"
			    "dim, metric, type, codes, m, ef_build, seed,\n"
			    "base) WHERE name = 'c'"));
	EXPECT_EQ(0, tree_faults(&self->t, 0));
	ASSERT_EQ(0, items_in_tree(&self->t, &self->db));
	EXPECT_EQ(0, vdfs_collection_drop(self->db, &alice, "c\n"));
}

static struct vdfs_collection *open_c(FIXTURE_DATA(items) * self,
				      const struct vdfs_who *who)
{
	struct vdfs_collection *c = NULL;

	if (!self->db && items_in_tree(&self->t, &self->db))
		return NULL;
	vdfs_collection_open(self->db, who, "c", NULL, NULL, &c);
	return c;
}

static int nearest(struct vdfs_collection *c, float x)
{
	int n = 0;
	struct vdfs_search how = { .vector = &x, .dim = 1, .k = 1 };
	int ret = vdfs_collection_search(c, &how, count, &n);

	return ret ? ret : n;
}

static int get(struct vdfs_collection *c, const char *key)
{
	int n = 0;

	return vdfs_collection_get(c, key, count, &n);
}

static int insert(struct vdfs_collection *c, const char *key)
{
	float x = 7;
	struct vdfs_item item = { .key = key, .vector = &x, .dim = 1 };

	return vdfs_collection_insert(c, &item, 1, 0, NULL);
}

/* Its vector would be in the way of others for as long as it is loaded. */
TEST_F(items, no_ghost_of_a_damaged_item_stays)
{
	struct vdfs_collection *before = open_c(self, &alice), *c;

	ASSERT_NE(NULL, before);
	ASSERT_EQ(0,
		  tree_change(&self->t, "UPDATE item SET vector = x'00000041'\n"
					"WHERE key = 'k3'"));
	EXPECT_LT(0, tree_faults(&self->t, VDFS_FSCK_REPAIR));
	EXPECT_EQ(-ENOENT, nearest(before, 3));
	EXPECT_EQ(-ENOENT, get(before, "k4"));
	EXPECT_EQ(-ENOENT, insert(before, "new"));
	EXPECT_EQ(-ENOENT, vdfs_collection_save(before));
	c = open_c(self, &alice);
	ASSERT_NE(NULL, c);
	EXPECT_EQ(1, nearest(c, 3));
	EXPECT_EQ(0, insert(c, "new"));
	EXPECT_EQ(0, vdfs_collection_save(c));
	EXPECT_EQ(-ENOENT, vdfs_collection_save(before));
	vdfs_collection_put(before);
	vdfs_collection_put(c);
	/* What is saved is what was opened last. */
	close_db(self);
	c = open_c(self, &alice);
	ASSERT_NE(NULL, c);
	EXPECT_EQ(1, nearest(c, 3));
	EXPECT_EQ(ITEMS, found(c, NULL));
	EXPECT_EQ(0, tree_faults(&self->t, 0));
	vdfs_collection_put(c);
}

/* The row says that it is of another collection than it is. */
TEST_F(items, no_ghost_of_a_moved_item_stays)
{
	struct vdfs_collection *c = open_c(self, &alice);

	ASSERT_NE(NULL, c);
	vdfs_collection_put(c);
	ASSERT_EQ(0, tree_change(&self->t, "UPDATE item SET collection = 77\n"
					   "WHERE key = 'k3'"));
	EXPECT_LT(0, tree_faults(&self->t, VDFS_FSCK_REPAIR));
	EXPECT_EQ(0, tree_faults(&self->t, 0));
	c = open_c(self, &alice);
	ASSERT_NE(NULL, c);
	EXPECT_EQ(1, nearest(c, 3));
	vdfs_collection_put(c);
}

/* Who had it open does not keep what the repair took. */
TEST_F(items, a_repair_reaches_who_has_it_open)
{
	struct vdfs_collection *before = open_c(self, &alice), *c;

	ASSERT_NE(NULL, before);
	ASSERT_EQ(
		0,
		tree_change(&self->t,
			    "UPDATE collection SET owner = owner + 1,\n"
			    "base = base | 1125899906842624 WHERE name = 'c'"));
	EXPECT_LT(0, tree_faults(&self->t, VDFS_FSCK_REPAIR));
	EXPECT_EQ(-ENOENT, insert(before, "new"));
	EXPECT_EQ(-ENOENT, nearest(before, 3));
	EXPECT_EQ(NULL, open_c(self, &alice));
	c = open_c(self, &admin);
	ASSERT_NE(NULL, c);
	EXPECT_EQ(ITEMS, found(c, NULL));
	EXPECT_EQ(0, insert(c, "new"));
	/* Root pays for it now. */
	EXPECT_EQ(0, tree_faults(&self->t, 0));
	vdfs_collection_put(before);
	vdfs_collection_put(c);
}

/*
 * Counts that change with the collection are in no checksum: rows say what they
 * can be. Each of these is found, mended, and in nobody's way then.
 */
TEST_F(items, counts_are_checked_and_mended)
{
	static const char *const changes[] = {
		"UPDATE collection SET next_id = next_id - 1\n"
		"WHERE name = 'c'",
		"UPDATE collection SET next_id = 0\n"
		"WHERE name = 'c'",
		"UPDATE collection SET next_id = next_id | 549755813888 * 2\n"
		"WHERE name = 'c'",
		"UPDATE collection SET generation = generation - 1\n"
		"WHERE name = 'c'",
		"UPDATE collection SET generation = 0\n"
		"WHERE name = 'c'",
		"UPDATE collection SET generation =\n"
		"generation | 4611686018427387904\n"
		"WHERE name = 'c'",
		"UPDATE collection SET generation = -generation\n"
		"WHERE name = 'c'",
		"UPDATE collection SET log_from = log_from + 1024\n"
		"WHERE name = 'c'",
		"UPDATE collection SET stamp_generation =\n"
		"stamp_generation + 1024\n"
		"WHERE name = 'c'",
		"UPDATE collection SET old_generation = generation + 1024\n"
		"WHERE name = 'c'",
		"UPDATE collection SET stamp_generation =\n"
		"stamp_generation - 1 WHERE name = 'c'",
		"UPDATE collection SET stamp = stamp + 8 WHERE name = 'c'",
		"UPDATE collection SET old_stamp = 7 WHERE name = 'c'",
		"UPDATE collection SET stamp_sum = 8 WHERE name = 'c'",
		"UPDATE collection SET fields = fields - 1\n"
		"WHERE name = 'c'",
		"UPDATE collection SET fields = fields + 64\n"
		"WHERE name = 'c'",
		"UPDATE field SET path = '$.\"g\"' WHERE collection = 2",
		"UPDATE field SET path = '$[' WHERE collection = 2",
		"UPDATE field SET name = 'g' WHERE collection = 2",
		"UPDATE field SET collection = 1 WHERE collection = 2",
		"UPDATE field SET collection = 7 WHERE collection = 2",
		"UPDATE field SET id = id + 1 WHERE collection = 2",
		"DELETE FROM field WHERE collection = 2",
		"UPDATE field_value SET value = 2 WHERE item =\n"
		"(SELECT id FROM item WHERE key = 'k3')",
		"UPDATE field_value SET kind = kind + 1 WHERE item =\n"
		"(SELECT id FROM item WHERE key = 'k3')",
		"UPDATE field_value SET item = item + 1000 WHERE item =\n"
		"(SELECT id FROM item WHERE key = 'k3')",
		"DELETE FROM field_value WHERE item =\n"
		"(SELECT id FROM item WHERE key = 'k3')",
		"UPDATE gone SET id = id - 1",
		"UPDATE gone SET id = id + 8",
		"UPDATE gone SET id = id + 549755813888 * 64",
		"UPDATE gone SET gen = gen + 1024",
		"UPDATE gone SET gen = 0",
	};
	struct vdfs_collection *c;
	char key[8];
	size_t i;

	for (i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
		c = open_c(self, &alice);
		ASSERT_NE(NULL, c);
		EXPECT_EQ(0, vdfs_collection_index_field(c, "f", NULL, NULL));
		snprintf(key, sizeof(key), "x%zu", i);
		EXPECT_EQ(0, insert(c, "gone"));
		EXPECT_EQ(0, vdfs_collection_delete(c, "gone"));
		vdfs_collection_put(c);
		EXPECT_EQ(0, tree_faults(&self->t, 0));
		ASSERT_EQ(0, tree_change(&self->t, changes[i]));
		EXPECT_LT(0, tree_faults(&self->t, 0))
		{
			TH_LOG("%s", changes[i]);
		}
		EXPECT_LT(0, tree_faults(&self->t, VDFS_FSCK_REPAIR));
		EXPECT_EQ(0, tree_faults(&self->t, 0))
		{
			TH_LOG("%s", changes[i]);
		}
		c = open_c(self, &alice);
		ASSERT_NE(NULL, c);
		EXPECT_EQ(0, insert(c, key));
		EXPECT_EQ(ITEMS + i + 1, found(c, NULL));
		EXPECT_EQ(ITEMS, found(c, "{\"f\":1}"));
		EXPECT_EQ(0, vdfs_collection_save(c));
		vdfs_collection_put(c);
	}
	close_db(self);
	c = open_c(self, &alice);
	ASSERT_NE(NULL, c);
	EXPECT_EQ(ITEMS + i, found(c, NULL));
	vdfs_collection_put(c);
}

/* A big table is not written once more for one row. */
TEST_F(items, one_wrong_value_is_one_row_less_and_one_more)
{
	static const char *const made[] = {
		"CREATE TABLE touched(n)",
		"CREATE TRIGGER takes AFTER DELETE ON field_value\n"
		"BEGIN INSERT INTO touched VALUES(1); END",
		"CREATE TRIGGER gives AFTER INSERT ON field_value\n"
		"BEGIN INSERT INTO touched VALUES(2); END",
		"UPDATE field_value SET value = 2 WHERE item =\n"
		"(SELECT id FROM item WHERE key = 'k3')",
	};
	char name[VDFS_COLLECTION_NAME_MAX + 1] = "";
	size_t i;

	for (i = 0; i < sizeof(made) / sizeof(*made); i++)
		ASSERT_EQ(0, tree_change(&self->t, made[i]));
	EXPECT_EQ(2, tree_faults(&self->t, VDFS_FSCK_REPAIR));
	EXPECT_EQ(0, tree_faults(&self->t, 0));
	ASSERT_EQ(0, tree_change(&self->t, "UPDATE collection SET name =\n"
					   "(SELECT count(*) || '-' || sum(n)\n"
					   "FROM touched) WHERE name = 'b'"));
	ASSERT_EQ(0, items_in_tree(&self->t, &self->db));
	EXPECT_EQ(0, vdfs_collection_list(self->db, &bob, note_name, name));
	EXPECT_STREQ("2-3", name);
}

static int keep_key(void *arg, const struct vdfs_item *item, float dist)
{
	(void)dist;
	snprintf(arg, VDFS_KEY_MAX + 1, "%s", item->key);
	return 0;
}

/* A saved index stands for one generation, whatever the row says of it. */
TEST_F(items, an_index_of_another_generation_is_not_used)
{
	char graph[80], copy[80], key[VDFS_KEY_MAX + 1] = "";
	float x = 100;
	struct vdfs_item item = { .key = "k3", .vector = &x, .dim = 1 };
	struct vdfs_search how = { .vector = &x, .dim = 1, .k = 1 };
	struct vdfs_collection *c = open_c(self, &alice);

	snprintf(graph, sizeof(graph), "%s/graph/2.graph", self->t.dir);
	snprintf(copy, sizeof(copy), "%s/copy", self->t.dir);
	ASSERT_NE(NULL, c);
	ASSERT_EQ(0, vdfs_collection_save(c));
	ASSERT_EQ(0, link(graph, copy));
	ASSERT_EQ(0, vdfs_collection_update(c, &item));
	vdfs_collection_put(c);
	close_db(self);
	ASSERT_EQ(0, rename(copy, graph));
	ASSERT_EQ(0, tree_change(&self->t, "UPDATE collection SET\n"
					   "stamp_generation = generation,\n"
					   "old_generation = generation\n"
					   "WHERE name = 'c'"));
	EXPECT_EQ(1, tree_faults(&self->t, 0));
	c = open_c(self, &alice);
	ASSERT_NE(NULL, c);
	ASSERT_EQ(0, vdfs_collection_search(c, &how, keep_key, key));
	EXPECT_STREQ("k3", key);
	vdfs_collection_put(c);
}

TEST_HARNESS_MAIN
