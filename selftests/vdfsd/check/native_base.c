// SPDX-License-Identifier: GPL-2.0-only
/*
 * Collections whose base is damaged: the numbers of their items are among those
 * of another user's, who loses nothing by that.
 */
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "daemons/common/sql/meta.h"
#include "daemons/vdfsd/collection/collection.h"
#include "vdfsd/items.h"
#include "vdfsd/store.h"

#define ITEMS 20
#define SPAN "549755813888"
/* What an earlier repair has approved. */
#define REBASE(who, to)                                                \
	"UPDATE collection SET (base, sum) = (SELECT new, vdfs_sum(\n" \
	"id, name, owner, mode, dim, metric, type, codes, m,\n"        \
	"ef_build, seed, new) FROM (SELECT " to " AS new))\n"          \
	"WHERE name = '" who "'"
/* From here on there are the items of the second collection. */
#define HALF "274877906944"

/* Collections 1, empty, of bob; and 2 of alice. */
FIXTURE(base)
{
	struct tree t;
	struct vdfs_db *db;
};

static void close_db(FIXTURE_DATA(base) * self)
{
	vdfs_db_close(self->db);
	self->db = NULL;
}

static int insert(struct vdfs_collection *c, const char *key, float x)
{
	struct vdfs_item item = {
		.key = key, .vector = &x, .dim = 1, .metadata = "{\"f\":1}"
	};

	return vdfs_collection_insert(c, &item, 1, 0, NULL);
}

FIXTURE_SETUP(base)
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
		snprintf(key, sizeof(key), "k%d", i);
		ASSERT_EQ(0, insert(c, key, (float)i));
	}
	ASSERT_EQ(0, vdfs_collection_index_field(c, "f", NULL, NULL));
	ASSERT_EQ(0, insert(c, "gone", 0));
	ASSERT_EQ(0, vdfs_collection_delete(c, "gone"));
	vdfs_collection_put(c);
}

FIXTURE_TEARDOWN(base)
{
	close_db(self);
	tree_remove(&self->t);
}

/**
 * struct question - a number that is asked for
 * @sql: A statement with one row.
 * @n: Out.
 */
struct question {
	const char *sql;
	int64_t n;
};

static int ask(struct sqlite3 *db, void *arg)
{
	struct question *q = arg;
	struct sqlite3_stmt *st;
	int ret = vdfs_sql(db, &st, q->sql);

	if (!ret)
		ret = vdfs_sql_next(st);
	if (ret <= 0)
		return ret ? ret : -ENODATA;
	q->n = sqlite3_column_int64(st, 0);
	return vdfs_sql_next(st);
}

static int64_t number(FIXTURE_DATA(base) * self, const char *sql)
{
	struct question q = { .sql = sql };

	return vdfs_meta_read(vdfs_store_meta(self->t.store), ask, &q) ? -1 :
									 q.n;
}

/* Until all that was dropped is gone; one that cannot go is tried again. */
static void wait_for_purge(FIXTURE_DATA(base) * self)
{
	int i;

	for (i = 0; i < 9000; i++) {
		if (!number(self, "SELECT count(*) FROM collection\n"
				  "WHERE name IS NULL"))
			break;
		usleep(1000);
	}
}

static int count(void *arg, const struct vdfs_item *item, float dist)
{
	(void)item;
	(void)dist;
	++*(int *)arg;
	return 0;
}

/* How many items a search of "c" finds. */
static int found(FIXTURE_DATA(base) * self, const struct vdfs_who *who,
		 const char *filter)
{
	float x = 0;
	int n = 0;
	struct vdfs_search how = {
		.vector = &x, .dim = 1, .k = 100, .filter = filter
	};
	struct vdfs_collection *c;
	int ret;

	ret = vdfs_collection_open(self->db, who, "c", NULL, NULL, &c);
	if (ret)
		return ret;
	ret = vdfs_collection_search(c, &how, count, &n);
	vdfs_collection_put(c);
	return ret ? ret : n;
}

static uint64_t repaired(FIXTURE_DATA(base) * self)
{
	uint64_t n = tree_faults(&self->t, VDFS_FSCK_REPAIR);

	return n && n < UINT64_MAX ? tree_faults(&self->t, 0) : UINT64_MAX;
}

TEST_F(base, dropping_an_empty_collection_takes_no_items)
{
	ASSERT_EQ(0, tree_change(&self->t,
				 "UPDATE collection SET base = " HALF "\n"
				 "WHERE name = 'b'"));
	EXPECT_EQ(0, repaired(self));
	EXPECT_EQ(0, vdfs_collection_drop(self->db, &admin, "b"));
	wait_for_purge(self);
	EXPECT_EQ(ITEMS, found(self, &alice, NULL));
	EXPECT_EQ(ITEMS, found(self, &alice, "{\"f\":1}"));
	EXPECT_EQ(0, tree_faults(&self->t, 0));
}

/* A base of 0 is what a column without a value reads as. */
TEST_F(base, a_purge_takes_what_is_its_own)
{
	static const char *const changes[] = {
		REBASE("b", HALF),
		REBASE("b", "NULL"),
		REBASE("b", "-1"),
	};
	struct vdfs_collection_params p = { .dim = 1 };
	size_t i;

	/* Then the items of alice are behind 0. */
	ASSERT_EQ(0, vdfs_collection_drop(self->db, &bob, "b"));
	wait_for_purge(self);
	ASSERT_EQ(0, tree_change(&self->t, REBASE("c", "0")));
	ASSERT_LT(0, tree_faults(&self->t, VDFS_FSCK_REPAIR));
	for (i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
		ASSERT_EQ(0, vdfs_collection_create(self->db, &bob, "b", &p));
		ASSERT_EQ(0, tree_change(&self->t,
					 "INSERT OR REPLACE INTO gone\n"
					 "SELECT base + 21, 1 FROM collection\n"
					 "WHERE name = 'c'"));
		ASSERT_EQ(0, tree_change(&self->t, changes[i]));
		EXPECT_EQ(0, vdfs_collection_drop(self->db, &bob, "b"));
		wait_for_purge(self);
		EXPECT_EQ(ITEMS, number(self, "SELECT count(*) FROM item"));
		EXPECT_EQ(1, number(self, "SELECT count(*) FROM gone"));
	}
}

/* An item that is not what was stored says nothing of where the others are. */
TEST_F(base, a_damaged_item_is_not_asked)
{
	ASSERT_EQ(0, tree_change(&self->t,
				 "UPDATE item SET id = 5 WHERE key = 'k3'"));
	ASSERT_EQ(0, tree_change(&self->t, "UPDATE collection SET mode = 438\n"
					   "WHERE name = 'c'"));
	EXPECT_EQ(0, repaired(self));
	EXPECT_EQ(ITEMS - 1, found(self, &admin, NULL));
	EXPECT_EQ(0, number(self, "SELECT base FROM collection\n"
				  "WHERE name = 'b'"));
}

/* Its checksum is right; so its owner keeps it. */
TEST_F(base, a_base_that_none_may_have_is_replaced)
{
	static const char *const changes[] = {
		REBASE("c", "NULL"),
		REBASE("c", "base + 4"),
		REBASE("c", "-" SPAN),
		REBASE("c", "x'00'"),
	};
	size_t i;

	for (i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
		ASSERT_EQ(0, tree_change(&self->t, changes[i]));
		EXPECT_LT(0, tree_faults(&self->t, 0));
		EXPECT_EQ(0, repaired(self))
		{
			TH_LOG("%s", changes[i]);
		}
		EXPECT_EQ(ITEMS, found(self, &alice, NULL));
		EXPECT_EQ(ITEMS, found(self, &alice, "{\"f\":1}"));
	}
}

/* None of them has items that say where it was. */
TEST_F(base, each_empty_collection_gets_a_base_of_its_own)
{
	struct vdfs_collection_params p = { .dim = 1 };
	struct vdfs_collection *c;
	char name[2] = "d";

	for (; *name < 'h'; ++*name)
		ASSERT_EQ(0, vdfs_collection_create(self->db, &bob, name, &p));
	ASSERT_EQ(0, tree_change(&self->t,
				 "UPDATE collection SET base =\n"
				 "base + 1 + (1 << 62) WHERE name != 'c'"));
	EXPECT_EQ(0, repaired(self));
	for (*name = 'd'; *name < 'h'; ++*name) {
		ASSERT_EQ(0, vdfs_collection_open(self->db, &admin, name, NULL,
						  NULL, &c));
		EXPECT_EQ(0, insert(c, "k", 1));
		vdfs_collection_put(c);
	}
	EXPECT_EQ(0, tree_faults(&self->t, 0));
	EXPECT_EQ(ITEMS, found(self, &alice, NULL));
}

/* The collection had another base while some of its items came. */
TEST_F(base, an_item_comes_back_among_the_others)
{
	ASSERT_EQ(0, tree_change(&self->t,
				 REBASE("c", "base | 1125899906842624")));
	ASSERT_EQ(0,
		  tree_change(&self->t, "UPDATE collection SET generation =\n"
					"generation + 1, next_id = 90"));
	ASSERT_EQ(0, tree_change(&self->t,
				 "UPDATE item SET id = id + 1125899906842624,\n"
				 "sum = vdfs_sum(id + 1125899906842624,\n"
				 "collection, key, gen, metadata, vector)\n"
				 "WHERE key IN ('k3', 'k4')"));
	EXPECT_EQ(0, repaired(self));
	EXPECT_EQ(ITEMS, found(self, &alice, NULL));
	EXPECT_EQ(ITEMS, found(self, &alice, "{\"f\":1}"));
	EXPECT_EQ(ITEMS,
		  number(self, "SELECT count(*) FROM item\n"
			       "WHERE id >> 39 = 1125899906842624 >> 39\n"
			       "OR id >> 39 = 2049"));
}

/* The collection of none of these is found by what its row says. */
TEST_F(base, a_damaged_row_is_not_opened)
{
	static const char *const changes[][2] = {
		{ "UPDATE collection SET base = NULL WHERE name = 'c'",
		  "UPDATE collection SET base = " SPAN " WHERE name = 'c'" },
		{ "UPDATE collection SET base = x'00' WHERE name = 'c'",
		  "UPDATE collection SET base = " SPAN " WHERE name = 'c'" },
		{ "UPDATE collection SET base = base + 4 WHERE name = 'c'",
		  "UPDATE collection SET base = base - 4 WHERE name = 'c'" },
		{ "UPDATE collection SET base = -base WHERE name = 'c'",
		  "UPDATE collection SET base = -base WHERE name = 'c'" },
		{ "UPDATE collection SET seed = seed + (1 << 40)\n"
		  "WHERE name = 'c'",
		  "UPDATE collection SET seed = seed - (1 << 40)\n"
		  "WHERE name = 'c'" },
		{ "UPDATE collection SET seed = -seed - 1 WHERE name = 'c'",
		  "UPDATE collection SET seed = -seed - 1 WHERE name = 'c'" },
		{ "UPDATE collection SET seed = seed || ' '\n"
		  "|| char(0) WHERE name = 'c'",
		  "UPDATE collection SET seed = CAST(seed AS INTEGER)\n"
		  "WHERE name = 'c'" },
	};
	size_t i;

	for (i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
		close_db(self);
		ASSERT_EQ(0, items_in_tree(&self->t, &self->db));
		ASSERT_EQ(0, tree_change(&self->t, changes[i][0]));
		EXPECT_EQ(-EBADMSG, found(self, &alice, NULL))
		{
			TH_LOG("%s", changes[i][0]);
		}
		ASSERT_EQ(0, tree_change(&self->t, changes[i][1]));
		EXPECT_EQ(ITEMS, found(self, &alice, NULL));
	}
}

/* The last base is no multiple, or below them all. */
TEST_F(base, a_new_collection_is_not_among_others)
{
	static const char *const changes[] = {
		REBASE("c", "base + 4"),
		REBASE("c", "9223372036854775807"),
		"UPDATE collection SET base = id - 9223372036854775807",
	};
	struct vdfs_collection_params p = { .dim = 1 };
	size_t i;

	for (i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
		ASSERT_EQ(0, tree_change(&self->t, changes[i]));
		ASSERT_EQ(0, vdfs_collection_create(self->db, &bob, "d", &p));
		EXPECT_EQ(1,
			  number(self, "SELECT base >= 0 AND base % " SPAN
				       " = 0 AND NOT EXISTS (SELECT 1\n"
				       "FROM collection AS has WHERE\n"
				       "has.id != collection.id AND has.base\n"
				       ">> 39 = collection.base >> 39)\n"
				       "FROM collection WHERE name = 'd'"))
		{
			TH_LOG("%s", changes[i]);
		}
		ASSERT_EQ(0, vdfs_collection_drop(self->db, &bob, "d"));
		wait_for_purge(self);
	}
}

TEST_HARNESS_MAIN
