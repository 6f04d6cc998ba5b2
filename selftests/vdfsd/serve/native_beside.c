// SPDX-License-Identifier: GPL-2.0-only
/*
 * What lists cost a user beside what others hide: steps of SQLite's machine are
 * compared, no times.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kselftest_harness.h>
#include <sqlite3.h>

#include <daemons/vdfsd/collection/collection.h>

#include "vdfsd/store.h"

#define HIDDEN 1000
#define MOST 2000
#define LARGE ((size_t)8 << 20)

/* Steps of this thread. */
static _Thread_local unsigned long work;

/* In the place of SQLite's, for the store. */
int sqlite3_step(sqlite3_stmt *st)
{
	static int (*step)(sqlite3_stmt *);
	int rc;

	if (!step)
		step = (int (*)(sqlite3_stmt *))dlsym(RTLD_NEXT,
						      "sqlite3_step");
	work -= (unsigned int)sqlite3_stmt_status(st, SQLITE_STMTSTATUS_VM_STEP,
						  0);
	rc = step(st);
	work += (unsigned int)sqlite3_stmt_status(st, SQLITE_STMTSTATUS_VM_STEP,
						  0);
	return rc;
}

/* Blobs that a list had. */
struct list {
	struct vdfs_hash seen[MOST];
	int n;
	uint64_t other; /* size that a blob may have but for numbers */
};

FIXTURE(beside)
{
	struct tree t;
	struct vdfs_db *db;
	struct list *list;
};

static int put_number(struct vdfs_store *store, const struct vdfs_who *who,
		      int number, const char *name)
{
	struct vdfs_hash hash;

	return put_bytes(store, who, &number, sizeof(number), 0, name, &hash);
}

/* Blobs @from to @to, named after @format or not at all. */
static int put_numbers(struct vdfs_store *store, const struct vdfs_who *who,
		       int from, int to, const char *format)
{
	char name[32];
	int err = 0;

	for (; !err && from < to; from++) {
		if (format)
			snprintf(name, sizeof(name), format, from);
		err = put_number(store, who, from, format ? name : NULL);
	}
	return err;
}

FIXTURE_SETUP(beside)
{
	struct vdfs_store *store;

	self->list = calloc(1, sizeof(*self->list));
	ASSERT_EQ(0, tree_make(&self->t, NULL));
	store = self->t.store;
	ASSERT_EQ(0, vdfs_db_open(vdfs_store_meta(store), self->t.dir, 1,
				  &self->db));
	ASSERT_EQ(0, put_numbers(store, &bob, 0, 3, NULL));
	ASSERT_EQ(0, put_numbers(store, &alice, 3, 5, "shown/%d"));
	ASSERT_EQ(0, put_numbers(store, &alice, 5, 6, "hidden/%d"));
	ASSERT_EQ(0,
		  vdfs_name_change(store, &alice, "hidden", 0700, INT64_MIN));
}

FIXTURE_TEARDOWN(beside)
{
	vdfs_db_close(self->db);
	tree_remove(&self->t);
	free(self->list);
}

static int note(void *arg, const struct vdfs_hash *hash, uint64_t size)
{
	struct list *list = arg;

	if ((size != sizeof(int) && size != list->other) || list->n == MOST ||
	    (list->n &&
	     memcmp(&list->seen[list->n - 1], hash, sizeof(*hash)) >= 0))
		return -EILSEQ;
	list->seen[list->n++] = *hash;
	return 0;
}

/* A user's list of blobs: its length, and its cost. */
static int list_as(FIXTURE_DATA(beside) * self, const struct vdfs_who *who,
		   unsigned long *cost)
{
	int err;

	self->list->n = 0;
	work = 0;
	err = vdfs_blob_list(self->t.store, who, NULL, note, self->list);
	*cost = work;
	return err ?: self->list->n;
}

static int list_blobs(FIXTURE_DATA(beside) * self, unsigned long *cost)
{
	return list_as(self, &bob, cost);
}

static bool has(FIXTURE_DATA(beside) * self, int number)
{
	struct vdfs_hash hash;
	int i;

	vdfs_hash_bytes(&number, sizeof(number), &hash);
	for (i = 0; i < self->list->n; i++) {
		if (vdfs_hash_equal(&self->list->seen[i], &hash))
			return true;
	}
	return false;
}

TEST_F(beside, blobs_that_others_hide_cost_nothing)
{
	unsigned long alone, with;

	ASSERT_EQ(5, list_blobs(self, &alone));
	ASSERT_EQ(0, put_numbers(self->t.store, &alice, 100, 100 + HIDDEN / 2,
				 NULL));
	ASSERT_EQ(0, put_numbers(self->t.store, &alice, 100 + HIDDEN / 2,
				 100 + HIDDEN, "hidden/%d"));
	ASSERT_EQ(5, list_blobs(self, &with));
	EXPECT_LT(0, alone);
	EXPECT_EQ(alone, with);
}

/* Neither do their pieces, whoever lists. */
TEST_F(beside, pieces_of_others_cost_nothing)
{
	unsigned long alone, with, all, all_with;
	struct vdfs_hash hash;
	uint8_t *data = random_bytes(LARGE, 3);

	ASSERT_EQ(5, list_blobs(self, &alone));
	ASSERT_EQ(6, list_as(self, &admin, &all));
	ASSERT_EQ(0, put_bytes(self->t.store, &alice, data, LARGE, 0, NULL,
			       &hash));
	ASSERT_EQ(5, list_blobs(self, &with));
	EXPECT_EQ(alone, with);
	self->list->other = LARGE;
	ASSERT_EQ(7, list_as(self, &admin, &all_with));
	/* The blob itself is one more. */
	EXPECT_GT(all + 64, all_with);
	free(data);
}

TEST_F(beside, names_of_others_cost_little)
{
	unsigned long alone, with;
	struct vdfs_hash hash;
	char name[32];
	int i, one = 3;

	ASSERT_EQ(0, vdfs_hash_bytes(&one, sizeof(one), &hash));
	ASSERT_EQ(5, list_blobs(self, &alone));
	for (i = 0; i < HIDDEN; i++) {
		snprintf(name, sizeof(name), "shown/n%d", i);
		ASSERT_EQ(0,
			  vdfs_name_link(self->t.store, &alice, name, &hash));
	}
	ASSERT_EQ(5, list_blobs(self, &with));
	/* 16 of them are looked at. */
	EXPECT_GT(alone + 16 * 64, with);
}

/* Long lists, whichever way they are made, and from their middle on. */
TEST_F(beside, all_that_a_user_may_see_is_listed)
{
	struct vdfs_store *store = self->t.store;
	struct vdfs_hash middle, last;
	unsigned long cost;
	int i;

	ASSERT_EQ(0, put_numbers(store, &alice, 100, 500, NULL));
	ASSERT_EQ(0, put_numbers(store, &bob, 500, 900, NULL));
	ASSERT_EQ(0, put_numbers(store, &alice, 800, 1200, "shown/%d"));
	ASSERT_EQ(0, put_numbers(store, &alice, 1200, 1600, "hidden/%d"));
	ASSERT_EQ(5 + 700, list_blobs(self, &cost));
	for (i = 0; i < 1600; i++) {
		ASSERT_EQ(i < 5 || (i >= 500 && i < 1200), has(self, i))
		{
			TH_LOG("blob %d", i);
		}
	}
	middle = self->list->seen[300];
	last = self->list->seen[704];
	self->list->n = 0;
	ASSERT_EQ(0, vdfs_blob_list(store, &bob, &middle, note, self->list));
	EXPECT_EQ(5 + 700 - 301, self->list->n);
	EXPECT_TRUE(
		vdfs_hash_equal(&last, &self->list->seen[self->list->n - 1]));
	self->list->n = 0;
	ASSERT_EQ(0, vdfs_blob_list(store, &bob, &last, note, self->list));
	EXPECT_EQ(0, self->list->n);
}

/* A directory of its own that others may not search, and a file of its own. */
TEST_F(beside, what_others_pay_for_is_listed_by_name)
{
	struct vdfs_store *store = self->t.store;
	unsigned long cost;

	ASSERT_EQ(0, put_numbers(store, &bob, 0, 1, "mine/b"));
	ASSERT_EQ(0, vdfs_name_change(store, &bob, "mine", 0777, INT64_MIN));
	ASSERT_EQ(0, put_numbers(store, &alice, 50, 51, "mine/a"));
	ASSERT_EQ(0, vdfs_name_change(store, &bob, "mine", 0700, INT64_MIN));
	ASSERT_EQ(6, list_blobs(self, &cost));
	EXPECT_TRUE(has(self, 50));
	ASSERT_EQ(0,
		  vdfs_name_change(store, &alice, "shown/3", 0600, INT64_MIN));
	ASSERT_EQ(5, list_blobs(self, &cost));
	EXPECT_FALSE(has(self, 3));
}

static int count_one(void *arg, const char *name,
		     const struct vdfs_collection_params *params,
		     uint64_t items)
{
	(void)name;
	(void)params;
	(void)items;
	++*(int *)arg;
	return 0;
}

static int create(FIXTURE_DATA(beside) * self, const struct vdfs_who *who,
		  int number, uint32_t mode)
{
	struct vdfs_collection_params p = { .dim = 1, .mode = mode };
	char name[16];

	snprintf(name, sizeof(name), "c%d", number);
	return vdfs_collection_create(self->db, who, name, &p);
}

static int list_collections(FIXTURE_DATA(beside) * self, unsigned long *cost)
{
	int err, n = 0;

	work = 0;
	err = vdfs_collection_list(self->db, &bob, count_one, &n);
	*cost = work;
	return err ?: n;
}

TEST_F(beside, collections_that_others_hide_cost_nothing)
{
	unsigned long alone, with;
	int i;

	ASSERT_EQ(0, create(self, &bob, 1, 0600));
	ASSERT_EQ(0, create(self, &bob, 2, 0644));
	ASSERT_EQ(0, create(self, &alice, 3, 0644));
	ASSERT_EQ(0, create(self, &alice, 4, 0622));
	ASSERT_EQ(4, list_collections(self, &alone));
	for (i = 5; i < 205; i++)
		ASSERT_EQ(0, create(self, &alice, i, 0600));
	ASSERT_EQ(4, list_collections(self, &with));
	EXPECT_LT(0, alone);
	EXPECT_EQ(alone, with);
}

TEST_HARNESS_MAIN
