// SPDX-License-Identifier: GPL-2.0-only
/* Damaged rows of collections before any check has run: nobody gets what they say. */
#include <errno.h>
#include <stdio.h>

#include <kselftest_harness.h>

#include "daemons/common/sql/meta.h"
#include "daemons/vdfsd/collection/collection.h"
#include "vdfsd/items.h"
#include "vdfsd/store.h"

#define ITEMS 20

FIXTURE(damage)
{
	struct tree t;
	struct vdfs_db *db;
};

FIXTURE_SETUP(damage)
{
	struct vdfs_collection_params p = { .dim = 1, .mode = 0600 };
	struct vdfs_collection *c;
	char key[8];
	int i;

	ASSERT_EQ(0, tree_make(&self->t, NULL));
	ASSERT_EQ(0, items_in_tree(&self->t, &self->db));
	ASSERT_EQ(0, vdfs_collection_create(self->db, &alice, "c", &p));
	ASSERT_EQ(0,
		  vdfs_collection_open(self->db, &alice, "c", NULL, NULL, &c));
	for (i = 0; i < ITEMS; i++) {
		float x = (float)i;

		snprintf(key, sizeof(key), "k%d", i);
		ASSERT_EQ(0, items_put(c, key, &x, 1, "{\"f\":1}"));
	}
	ASSERT_EQ(0, vdfs_collection_index_field(c, "f", NULL, NULL));
	vdfs_collection_put(c);
}

FIXTURE_TEARDOWN(damage)
{
	vdfs_db_close(self->db);
	tree_remove(&self->t);
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

static int open_close(FIXTURE_DATA(damage) * self, const struct vdfs_who *who)
{
	struct vdfs_collection *c = NULL;
	int ret = vdfs_collection_open(self->db, who, "c", NULL, NULL, &c);

	vdfs_collection_put(c);
	return ret;
}

/* Before any check has run: it is neither opened, nor shown, nor dropped. */
TEST_F(damage, a_damaged_collection_lets_nobody_in)
{
	static const char *const changes[][2] = {
		{ "UPDATE collection SET mode = mode | 4 WHERE name = 'c'",
		  "UPDATE collection SET mode = mode & ~4 WHERE name = 'c'" },
		{ "UPDATE collection SET dim = 2 WHERE name = 'c'",
		  "UPDATE collection SET dim = 1 WHERE name = 'c'" },
		{ "UPDATE collection SET metric = metric + 1 WHERE name = 'c'",
		  "UPDATE collection SET metric = metric - 1 WHERE name = 'c'" },
		{ "UPDATE collection SET seed = seed - 1 WHERE name = 'c'",
		  "UPDATE collection SET seed = seed + 1 WHERE name = 'c'" },
	};
	struct vdfs_collection_params p;
	char name[VDFS_COLLECTION_NAME_MAX + 1] = "";
	size_t i;

	for (i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
		ASSERT_EQ(0, tree_change(&self->t, changes[i][0]));
		EXPECT_EQ(-EBADMSG, open_close(self, &alice))
		{
			TH_LOG("%s", changes[i][0]);
		}
		EXPECT_EQ(-EBADMSG, open_close(self, &admin));
		EXPECT_EQ(-ENOENT, open_close(self, &bob));
		EXPECT_EQ(-EBADMSG,
			  vdfs_collection_look(self->db, &alice, "c", &p));
		EXPECT_EQ(-EBADMSG,
			  vdfs_collection_drop(self->db, &alice, "c"));
		EXPECT_EQ(0, vdfs_collection_list(self->db, &bob, note_name,
						  name));
		EXPECT_STREQ("", name);
		ASSERT_EQ(0, tree_change(&self->t, changes[i][1]));
		EXPECT_EQ(0, open_close(self, &alice));
	}
}

static int get(struct vdfs_collection *c, const char *key)
{
	int n = 0;

	return vdfs_collection_get(c, key, count, &n);
}

static int search_vectors(struct vdfs_collection *c)
{
	float x = 3;
	int n = 0;
	struct vdfs_search how = {
		.vector = &x, .dim = 1, .k = 100, .vectors = true
	};
	int ret = vdfs_collection_search(c, &how, count, &n);

	return ret ? ret : n;
}

/* Before any check has run, and also what is changed of it in part. */
TEST_F(damage, a_damaged_item_is_not_read)
{
	struct vdfs_item item = { .key = "k3", .metadata = "{\"f\":1}" };
	struct vdfs_collection *c;
	float x = 3;
	int n = 0;

	ASSERT_EQ(0,
		  vdfs_collection_open(self->db, &alice, "c", NULL, NULL, &c));
	ASSERT_EQ(0, tree_change(&self->t,
				 "UPDATE item SET metadata = '{\"f\":2}'\n"
				 "WHERE key = 'k3'"));
	EXPECT_EQ(-EBADMSG, get(c, "k3"));
	EXPECT_EQ(0, get(c, "k4"));
	EXPECT_EQ(-EBADMSG, vdfs_collection_walk(c, NULL, count, &n));
	EXPECT_EQ(-EBADMSG, search_vectors(c));
	/* No part of it makes the rest what was stored. */
	EXPECT_EQ(-EBADMSG, vdfs_collection_update(c, &item));
	item.metadata = NULL;
	item.vector = &x;
	item.dim = 1;
	EXPECT_EQ(-EBADMSG, vdfs_collection_update(c, &item));
	/* An index that is made of the rows is made without. */
	EXPECT_EQ(0, vdfs_collection_rebuild(c, NULL, NULL));
	EXPECT_EQ(ITEMS - 1, search_vectors(c));
	item.metadata = "{\"f\":1}";
	ASSERT_EQ(0, vdfs_collection_insert(c, &item, 1, VDFS_INSERT_REPLACE,
					    NULL));
	EXPECT_EQ(0, get(c, "k3"));
	EXPECT_EQ(ITEMS, search_vectors(c));
	vdfs_collection_put(c);
	EXPECT_EQ(0, tree_faults(&self->t, 0));
}

TEST_HARNESS_MAIN
