// SPDX-License-Identifier: GPL-2.0-only
/* The tables that collections share: each sees its own rows, and only these. */
#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include <daemons/common/sql/meta_impl.h>
#include <daemons/vdfsd/collection/collection_impl.h>

#include "vdfsd/items.h"

#define MANY 1000
#define LAST_BASE (INT64_MAX - VDFS_SPAN + 1)

static const struct vdfs_who other = { .uid = 1001 };
static const float one[1] = { 1 };

FIXTURE(tables)
{
	struct items_db db;
	struct items_answers *a;
};

FIXTURE_SETUP(tables)
{
	self->a = items_answers();
	ASSERT_EQ(0, items_make(&self->db));
}

FIXTURE_TEARDOWN(tables)
{
	items_remove(&self->db);
	items_forget(self->a);
}

static int make(FIXTURE_DATA(tables) * self, const struct vdfs_who *who,
		const char *name, struct vdfs_collection **c)
{
	struct vdfs_collection_params p = { .dim = 1 };
	int ret = vdfs_collection_create(self->db.db, who, name, &p);

	return ret || !c ? ret :
			   vdfs_collection_open(self->db.db, who, name, NULL,
						NULL, c);
}

static int run_sql(struct sqlite3 *db, void *arg)
{
	return sqlite3_exec(db, arg, NULL, NULL, NULL) ? vdfs_meta_errno(db) :
							 0;
}

static int change(FIXTURE_DATA(tables) * self, const char *sql)
{
	return vdfs_meta_write(self->db.meta, run_sql, (void *)sql);
}

/* Make the numbers of the collection @name the last ones that there are. */
static int move_to_end(FIXTURE_DATA(tables) * self, const char *name)
{
	char sql[128];

	snprintf(sql, sizeof(sql),
		 "UPDATE collection SET base = %lld WHERE name = '%s'",
		 (long long)LAST_BASE, name);
	return change(self, sql);
}

/* The schema is what every connection reads again when it has changed. */
TEST_F(tables, collections_leave_the_schema_alone)
{
	struct vdfs_collection *c;
	int tables, version, i;
	char name[16];

	tables = items_count(&self->db, "SELECT count(*) FROM sqlite_schema");
	version = items_count(&self->db, "PRAGMA schema_version");
	for (i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "c%d", i);
		ASSERT_EQ(0, make(self, &items_me, name, i ? NULL : &c));
	}
	ASSERT_EQ(0, items_put(c, "k", one, 1, "{\"f\":1}"));
	ASSERT_EQ(0, vdfs_collection_index_field(c, "f", NULL, NULL));
	vdfs_collection_put(c);
	for (i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "c%d", i);
		ASSERT_EQ(0,
			  vdfs_collection_drop(self->db.db, &items_me, name));
	}
	ASSERT_EQ(0, items_reopen(&self->db));
	EXPECT_EQ(tables,
		  items_count(&self->db, "SELECT count(*) FROM sqlite_schema"));
	EXPECT_EQ(version, items_count(&self->db, "PRAGMA schema_version"));
}

static int total(struct vdfs_collection *c, const char *filter,
		 struct items_answers *a)
{
	int ret = items_search(c, one, 1, 100, filter, a);

	return ret ? ret : (int)a->n;
}

static int walked(struct vdfs_collection *c, struct items_answers *a)
{
	int ret;

	a->n = 0;
	ret = vdfs_collection_walk(c, NULL, items_collect, a);
	return ret ? ret : (int)a->n;
}

/* The same keys, values and fields beside each other. */
TEST_F(tables, each_has_its_own_items)
{
	struct vdfs_collection *c[3];
	char name[8], metadata[16];
	int i, j;

	for (i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "c%d", i);
		ASSERT_EQ(0,
			  make(self, i == 1 ? &other : &items_me, name, &c[i]));
		ASSERT_EQ(0,
			  vdfs_collection_index_field(c[i], "f", NULL, NULL));
	}
	for (j = 0; j < 4; j++) {
		for (i = 0; i < 3; i++) {
			snprintf(name, sizeof(name), "k%d", j);
			snprintf(metadata, sizeof(metadata),
				 "{\"f\":1,\"g\":%d}", i);
			ASSERT_EQ(0, items_put(c[i], name, one, 1, metadata));
		}
	}
	ASSERT_EQ(0, vdfs_collection_delete(c[0], "k0"));
	ASSERT_EQ(0, vdfs_collection_delete(c[2], "k3"));
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(i == 1 ? 4 : 3, total(c[i], NULL, self->a));
		EXPECT_EQ(i == 1 ? 4 : 3, total(c[i], "{\"f\":1}", self->a));
		snprintf(metadata, sizeof(metadata), "{\"g\":%d}", i);
		EXPECT_EQ(i == 1 ? 4 : 3, total(c[i], metadata, self->a));
		EXPECT_EQ(0, total(c[i], "{\"g\":7}", self->a));
		EXPECT_EQ(i == 1 ? 4 : 3, walked(c[i], self->a));
		ASSERT_EQ(0, vdfs_collection_rebuild(c[i], NULL, NULL));
		EXPECT_EQ(i == 1 ? 4 : 3, total(c[i], NULL, self->a));
	}
	for (i = 0; i < 3; i++)
		vdfs_collection_put(c[i]);
}

/* A collection has so many numbers, and does not go on with others' numbers. */
TEST_F(tables, numbers_end)
{
	struct vdfs_collection *c, *next;

	ASSERT_EQ(0, make(self, &items_me, "c", &c));
	ASSERT_EQ(0, make(self, &other, "next", &next));
	ASSERT_EQ(0, items_put(next, "first", one, 1, NULL));
	ASSERT_EQ(0,
		  change(self, "UPDATE collection SET next_id =\n" VDFS_SPAN_SQL
			       " - 1 WHERE name = 'c'"));
	ASSERT_EQ(0, items_put(c, "last", one, 1, NULL));
	EXPECT_EQ(-ENOSPC, items_put(c, "more", one, 1, NULL));
	EXPECT_EQ(1, total(c, NULL, self->a));
	ASSERT_EQ(0, vdfs_collection_rebuild(c, NULL, NULL));
	EXPECT_EQ(1, total(c, NULL, self->a));
	EXPECT_STREQ("last", self->a->key[0]);
	EXPECT_EQ(1, total(c, "{}", self->a));
	EXPECT_EQ(1, total(next, "{}", self->a));
	EXPECT_STREQ("first", self->a->key[0]);
	vdfs_collection_put(next);
	vdfs_collection_put(c);
}

/* Those of collections that are gone are used again, and no others. */
TEST_F(tables, numbers_are_used_again)
{
	struct vdfs_collection *c;

	ASSERT_EQ(0, make(self, &items_me, "a", NULL));
	ASSERT_EQ(0, make(self, &items_me, "b", NULL));
	ASSERT_EQ(0, make(self, &items_me, "c", NULL));
	ASSERT_EQ(0, make(self, &items_me, "end", NULL));
	ASSERT_EQ(0, move_to_end(self, "end"));
	ASSERT_EQ(0, change(self, "DELETE FROM collection WHERE name = 'b'"));
	ASSERT_EQ(0, make(self, &items_me, "d", &c));
	EXPECT_EQ(VDFS_SPAN, c->core->base);
	/* Its number is new, for a file of the old one may be there. */
	EXPECT_EQ(5, c->core->id);
	vdfs_collection_put(c);
	ASSERT_EQ(0, change(self, "DELETE FROM collection WHERE name = 'a'"));
	ASSERT_EQ(0, make(self, &items_me, "e", &c));
	EXPECT_EQ(0, c->core->base);
	vdfs_collection_put(c);
	ASSERT_EQ(0, make(self, &items_me, "f", &c));
	EXPECT_EQ(3 * VDFS_SPAN, c->core->base);
	vdfs_collection_put(c);
}

/* A name that something else took away is no drop: nothing is deleted. */
TEST_F(tables, a_name_that_is_lost_is_no_drop)
{
	struct vdfs_collection *c;

	ASSERT_EQ(0, make(self, &items_me, "c", &c));
	ASSERT_EQ(0, items_put(c, "k", one, 1, NULL));
	vdfs_collection_put(c);
	ASSERT_EQ(0, change(self, "UPDATE collection SET name = NULL"));
	/* The one that is dropped after it is the sign that it was passed. */
	ASSERT_EQ(0, make(self, &items_me, "d", NULL));
	ASSERT_EQ(0, vdfs_collection_drop(self->db.db, &items_me, "d"));
	while (items_count(&self->db, "SELECT count(*) FROM collection") > 1)
		usleep(1000);
	EXPECT_EQ(1, items_count(&self->db, "SELECT count(*) FROM item"));
}

/* So many items, of so many bytes, that they go in more than two steps. */
#define LARGE 200
#define LONG 60000

/* Another writer, who comes while the first items of a dropped one go. */
struct between {
	struct vdfs_meta *meta;
	pthread_t thread;
	int commits;
	int left;
};

static int count_left(struct sqlite3 *db, void *arg)
{
	struct between *b = arg;
	struct sqlite3_stmt *st;
	int ret = vdfs_sql(db, &st, "SELECT count(*) FROM item");

	if (!ret)
		ret = vdfs_sql_next(st);
	if (ret > 0)
		b->left = sqlite3_column_int(st, 0);
	return ret < 0 ? ret : 0;
}

static void *write_between(void *arg)
{
	struct between *b = arg;

	vdfs_meta_write(b->meta, count_left, b);
	return NULL;
}

/* The drop is the first commit; the second one has the first step. */
static int on_commit(void *arg)
{
	struct between *b = arg;
	bool waits = false;

	if (++b->commits != 2)
		return 0;
	if (pthread_create(&b->thread, NULL, write_between, b))
		abort();
	while (!waits) {
		pthread_mutex_lock(&b->meta->lock);
		waits = b->meta->first;
		pthread_mutex_unlock(&b->meta->lock);
	}
	return 0;
}

static int fill_large(struct vdfs_collection *c)
{
	char *metadata = malloc(LONG + 16);
	char key[16];
	int i, ret = 0;

	snprintf(metadata, LONG + 16, "{\"a\":\"%*s\"}", LONG, "");
	for (i = 0; i < LARGE && !ret; i++) {
		snprintf(key, sizeof(key), "%d", i);
		ret = items_put(c, key, one, 1, metadata);
	}
	free(metadata);
	return ret;
}

TEST_F(tables, a_drop_lets_others_write)
{
	struct between b = { .meta = self->db.meta };
	struct vdfs_collection *c;

	ASSERT_EQ(0, make(self, &items_me, "c", &c));
	ASSERT_EQ(0, fill_large(c));
	vdfs_collection_put(c);
	sqlite3_commit_hook(self->db.meta->writer, on_commit, &b);
	ASSERT_EQ(0, vdfs_collection_drop(self->db.db, &items_me, "c"));
	while (items_count(&self->db, "SELECT count(*) FROM collection"))
		usleep(1000);
	ASSERT_EQ(0, pthread_join(b.thread, NULL));
	sqlite3_commit_hook(self->db.meta->writer, NULL, NULL);
	/* Some had gone, and some were there still. */
	EXPECT_LT(0, b.left);
	EXPECT_GT(LARGE, b.left);
}

/* Commits of the writer from the second on, the first of which is refused. */
static int refuse_second(void *arg)
{
	int *commits = arg;

	return ++*commits == 2;
}

TEST_F(tables, a_drop_that_failed_goes_on)
{
	struct vdfs_collection *c;
	int commits = 0;

	ASSERT_EQ(0, make(self, &items_me, "c", &c));
	ASSERT_EQ(0, items_put(c, "k", one, 1, NULL));
	vdfs_collection_put(c);
	sqlite3_commit_hook(self->db.meta->writer, refuse_second, &commits);
	ASSERT_EQ(0, vdfs_collection_drop(self->db.db, &items_me, "c"));
	while (items_count(&self->db, "SELECT count(*) FROM collection"))
		usleep(1000);
	sqlite3_commit_hook(self->db.meta->writer, NULL, NULL);
	EXPECT_LT(2, commits);
	EXPECT_EQ(0, items_count(&self->db, "SELECT count(*) FROM item"));
}

TEST_HARNESS_MAIN
