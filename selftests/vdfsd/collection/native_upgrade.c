// SPDX-License-Identifier: GPL-2.0-only
/*
 * Collections of a store in which each had tables of its own are taken over,
 * also when that is interrupted. See selftests/data/vdfs/README.md.
 */
#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include <kselftest_harness.h>

#include "daemons/common/sql/meta_impl.h"
#include "daemons/vdfsd/collection/collection_impl.h"
#include "vdfsd/items.h"
#include "vdfsd/store.h"

#define ITEMS 3000

FIXTURE(upgrade)
{
	struct tree t;
	struct items_db db;
	struct items_answers *a;
	struct vdfs_collection *c;
};

static int close_all(FIXTURE_DATA(upgrade) * self)
{
	vdfs_collection_put(self->c);
	vdfs_db_close(self->db.db);
	vdfs_store_close(self->t.store);
	self->c = NULL;
	self->db.db = NULL;
	self->t.store = NULL;
	return 0;
}

/* A load asks too, with a total of 0. */
static bool count_calls(void *arg, uint64_t done, uint64_t total)
{
	(void)done;
	*(int *)arg += total > 0;
	return true;
}

/* Open the store and "docs"; @builds: how often its index was built. */
static int open_all(FIXTURE_DATA(upgrade) * self, int *builds)
{
	char graphs[80];
	int ret = tree_reopen(&self->t, NULL);

	*builds = 0;
	snprintf(graphs, sizeof(graphs), "%s/graph", self->t.dir);
	if (!ret)
		ret = vdfs_db_open(vdfs_store_meta(self->t.store), graphs, 1,
				   &self->db.db);
	return ret ? ret :
		     vdfs_collection_open(self->db.db, &alice, "docs",
					  count_calls, builds, &self->c);
}

FIXTURE_SETUP(upgrade)
{
	char line[512];

	self->a = items_answers();
	self->c = NULL;
	self->t.store = NULL;
	memset(&self->db, 0, sizeof(self->db));
	snprintf(self->t.dir, sizeof(self->t.dir), "/tmp/vdfs-store-XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->t.dir));
	snprintf(self->db.dir, sizeof(self->db.dir), "%s", self->t.dir);
	snprintf(line, sizeof(line),
		 "cd ${PHI_BUILD:-build}/../selftests/data/vdfs &&\n"
		 "tar -xJf version-3.tar.xz -C %s",
		 self->t.dir);
	ASSERT_EQ(0, system(line));
}

FIXTURE_TEARDOWN(upgrade)
{
	close_all(self);
	tree_remove(&self->t);
	items_forget(self->a);
}

/* Items that a search lets through, the first of which is at @at. */
static int found(struct vdfs_collection *c, float at, const char *filter,
		 struct items_answers *a)
{
	float v[4] = { at, at + 0.25f, at + 0.5f, at + 0.75f };
	int ret = items_search(c, v, 4, VDFS_K_MAX, filter, a);

	return ret ? ret : (int)a->n;
}

/* All that was in "docs" is there, and nothing that was deleted. */
static int docs_sound(FIXTURE_DATA(upgrade) * self)
{
	int ret = 0;

	if (found(self->c, 7, "{\"n\":7}", self->a) != 1 ||
	    strcmp("k007", self->a->key[0]) || self->a->dist[0] != 0)
		ret |= 1;
	if (found(self->c, 3, "{\"n\":3}", self->a) ||
	    found(self->c, 3, "{\"lang\":\"de\",\"n\":{\"$lt\":30}}",
		  self->a) != 9)
		ret |= 2;
	if (found(self->c, 0, "{\"it's.n\":7}", self->a) != 1 ||
	    strcmp("k3000", self->a->key[0]))
		ret |= 4;
	self->a->n = 0;
	if (vdfs_collection_walk(self->c, NULL, items_collect, self->a) ||
	    self->a->n != ITEMS)
		ret |= 8;
	return ret;
}

static int rows(FIXTURE_DATA(upgrade) * self, const char *query)
{
	return items_count(&self->db, query);
}

#define OLD                                                                 \
	"SELECT count(*) FROM sqlite_schema\n"                              \
	"WHERE name LIKE 'item\\_%_' ESCAPE '\\' AND name GLOB '*[0-9]*'\n" \
	"OR name GLOB 'gone_*'"

TEST_F(upgrade, items_are_taken_over)
{
	int builds;

	ASSERT_LT(3, rows(self, OLD));
	ASSERT_EQ(0, open_all(self, &builds));
	/* The saved index goes on: items have the numbers that they had. */
	EXPECT_EQ(0, builds);
	EXPECT_EQ(0, docs_sound(self));
	EXPECT_EQ(0, rows(self, OLD));
	/* Both indexed fields are. */
	EXPECT_EQ(2, rows(self, "SELECT count(*) FROM field"));
	EXPECT_EQ(ITEMS, rows(self, "SELECT count(*) FROM field_value"));
	EXPECT_EQ(0, rows(self, "SELECT count(*) FROM collection\n"
				"WHERE sum IS NULL OR base IS NULL"));
	close_all(self);
	ASSERT_EQ(0, open_all(self, &builds));
	EXPECT_EQ(0, builds);
	EXPECT_EQ(0, docs_sound(self));
}

TEST_F(upgrade, others_and_rights_are_kept)
{
	const char *metadata = "{\"a\":\"it's \\\"so\\\"\"}";
	float nine[4] = { 9 };
	struct vdfs_collection *halves;
	int builds;

	ASSERT_EQ(0, open_all(self, &builds));
	EXPECT_EQ(0646, vdfs_collection_params(self->c)->mode);
	EXPECT_EQ(-ENOENT, vdfs_collection_open(self->db.db, &alice, "halves",
						NULL, NULL, &halves));
	ASSERT_EQ(0, vdfs_collection_open(self->db.db, &bob, "halves", NULL,
					  NULL, &halves));
	EXPECT_EQ(3, found(halves, 2, NULL, self->a));
	EXPECT_STREQ("k002", self->a->key[0]);
	EXPECT_EQ(3, found(halves, 2, metadata, self->a));
	EXPECT_STREQ(metadata, self->a->metadata);
	EXPECT_EQ(0, items_put(halves, "k9", nine, 4, NULL));
	EXPECT_EQ(4, found(halves, 9, NULL, self->a));
	vdfs_collection_put(halves);
}

/* Versions before set no limit to them. */
TEST_F(upgrade, fields_without_end_do_not_stop_it)
{
	static const char make[] =
		"id=$(sqlite3 meta.db \"SELECT id FROM collection\n"
		"WHERE name = 'docs'\")\n"
		"for i in $(seq 70); do\n"
		"echo \"CREATE INDEX item_${id}_field_f$i\n"
		"ON item_$id(json_extract(metadata, '\\$.f$i'));\"\n"
		"done | sqlite3 meta.db";
	int builds;

	ASSERT_EQ(0, tree_shell(&self->t, make));
	ASSERT_EQ(0, open_all(self, &builds));
	EXPECT_EQ(0, rows(self, OLD));
	EXPECT_EQ(VDFS_FIELDS_MAX, rows(self, "SELECT count(*) FROM field"));
	EXPECT_EQ(0, docs_sound(self));
}

/* One that was dropped, and whose items were still there, goes. */
TEST_F(upgrade, a_dropped_one_goes)
{
	int builds;

	ASSERT_EQ(0, open_all(self, &builds));
	while (rows(self, "SELECT count(*) FROM collection") > 2)
		usleep(1000);
	EXPECT_EQ(ITEMS + 3, rows(self, "SELECT count(*) FROM item"));
	EXPECT_EQ(1, rows(self, "SELECT count(*) FROM gone"));
}

static int fail_later(void *arg)
{
	return --*(int *)arg < 0;
}

/* As if it was killed behind the commit that is number @commits. */
static int interrupted(FIXTURE_DATA(upgrade) * self, int commits)
{
	int ret = vdfs_meta_open(items_path(&self->db, "meta.db"), vdfs_schemas,
				 &self->db.meta);

	if (ret)
		return ret;
	sqlite3_commit_hook(self->db.meta->writer, fail_later, &commits);
	ret = vdfs_collection_upgrade(self->db.meta);
	sqlite3_commit_hook(self->db.meta->writer, NULL, NULL);
	vdfs_meta_close(self->db.meta);
	return ret;
}

TEST_F(upgrade, it_goes_on_where_it_was)
{
	int builds, commits, moved = 0, now;

	for (commits = 0; commits < 3; commits++) {
		ASSERT_NE(0, interrupted(self, commits));
		now = rows(self, "SELECT count(*) FROM item");
		EXPECT_EQ(commits > 0, now > moved);
		EXPECT_GT(ITEMS, now);
		EXPECT_EQ(ITEMS,
			  now + rows(self, "SELECT count(*) FROM item_1"));
		moved = now;
	}
	/* All items of the first one, but not what else it has. */
	ASSERT_NE(0, interrupted(self, 3));
	EXPECT_EQ(0, rows(self, "SELECT count(*) FROM item_1"));
	EXPECT_EQ(0, rows(self, "SELECT count(*) FROM field"));
	ASSERT_EQ(0, open_all(self, &builds));
	EXPECT_EQ(0, builds);
	EXPECT_EQ(0, docs_sound(self));
	EXPECT_EQ(0, rows(self, OLD));
}

/* A damaged item of another, with a number behind those that have moved. */
TEST_F(upgrade, an_item_of_another_takes_none_away)
{
	int builds;

	ASSERT_NE(0, interrupted(self, 1));
	ASSERT_EQ(0, tree_shell(&self->t,
				"sqlite3 meta.db \"INSERT INTO item SELECT\n"
				"base + 900000, 77, 'x', 1, 0, '{}', x'00'\n"
				"FROM collection WHERE name = 'docs'\"\n"
				"rm -r graph"));
	ASSERT_EQ(0, open_all(self, &builds));
	EXPECT_LT(0, builds);
	EXPECT_EQ(0, docs_sound(self));
}

/* Without a daemon that may write nothing moves. */
TEST_F(upgrade, a_look_leaves_it_as_it_is)
{
	static const struct vdfs_store_options look = { .read_only = true };
	struct vdfs_fsck_result r;

	ASSERT_EQ(0, tree_shell(&self->t, "sha256sum meta.db >sum"));
	ASSERT_EQ(0, tree_reopen(&self->t, &look));
	ASSERT_EQ(0, vdfs_fsck(self->t.store, 0, NULL, NULL, NULL, &r));
	EXPECT_EQ(0, r.faults);
	vdfs_store_close(self->t.store);
	self->t.store = NULL;
	EXPECT_EQ(0, tree_shell(&self->t, "sha256sum -c --quiet sum"));
}

TEST_HARNESS_MAIN
