// SPDX-License-Identifier: GPL-2.0-only
/* Indexed fields: which filters they answer, and that they follow the items. */
#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include <kselftest_harness.h>

#include <daemons/vdfsd/collection/filter_impl.h>

#include "vdfsd/items.h"

/* A look at the index of a field. */
#define LOOK "SEARCH field_value USING PRIMARY KEY (kind=?"

static const float origin[1] = { 0 };

FIXTURE(field)
{
	struct items_db db;
	struct vdfs_collection *c;
	struct items_answers *a;
};

FIXTURE_SETUP(field)
{
	struct vdfs_collection_params p = { .dim = 1 };

	self->a = items_answers();
	ASSERT_EQ(0, items_make(&self->db));
	ASSERT_EQ(0, vdfs_collection_create(self->db.db, &items_me, "c", &p));
	ASSERT_EQ(0, vdfs_collection_open(self->db.db, &items_me, "c", NULL,
					  NULL, &self->c));
}

FIXTURE_TEARDOWN(field)
{
	vdfs_collection_put(self->c);
	items_remove(&self->db);
	items_forget(self->a);
}

static size_t count(struct vdfs_collection *c, const char *filter,
		    struct items_answers *a)
{
	int ret = items_search(c, origin, 1, 1000, filter, a);

	return ret ? (size_t)ret : a->n;
}

/* EXPLAIN QUERY PLAN of a filter, where the field f @has an index or not. */
static void plan(const struct items_db *db, bool has, const char *json,
		 char *out, size_t len)
{
	struct vdfs_field f = { .id = 1, .name = (char *)"f" };
	struct vdfs_fields fields = { .field = &f, .n = has };
	struct vdfs_filter *filter;
	struct vdfs_drive drive;
	sqlite3_stmt *st;
	sqlite3 *sql;
	char *text;

	if (vdfs_filter_new(json, NULL, 0, &filter) ||
	    vdfs_drive_new(filter, &fields, &drive) ||
	    sqlite3_open(items_path(db, "meta.db"), &sql))
		abort();
	text = sqlite3_mprintf(
		"EXPLAIN QUERY PLAN\n"
		"%s SELECT item FROM field_value WHERE %s%s",
		drive.alone ? "" : "SELECT id FROM item WHERE id IN(",
		drive.sql ? drive.sql : "1", drive.alone ? "" : ")");
	if (sqlite3_prepare_v2(sql, text, -1, &st, NULL))
		abort();
	*out = '\0';
	while (drive.sql && sqlite3_step(st) == SQLITE_ROW)
		strncat(out, (const char *)sqlite3_column_text(st, 3),
			len - strlen(out) - 1);
	sqlite3_finalize(st);
	sqlite3_free(text);
	sqlite3_close(sql);
	vdfs_drive_free(&drive);
	vdfs_filter_free(filter);
}

TEST_F(field, answers_filters)
{
	static const char *const indexed[] = {
		"{\"f\":1}",
		"{\"f\":\"x\"}",
		"{\"f\":true}",
		"{\"f\":null}",
		"{\"f\":{\"$gt\":1.5,\"$lt\":7}}",
		"{\"f\":{\"$in\":[1,2,\"x\"]}}",
		"{\"$or\":[{\"f\":1},{\"f\":\"y\"}]}",
		"{\"$and\":[{\"g\":1},{\"f\":\"y\"}]}",
	};
	static const char *const others[] = {
		"{\"g\":1}",
		"{\"f\":{\"$ne\":1}}",
		"{\"$or\":[{\"f\":1},{\"g\":1}]}",
	};
	char text[2000];
	size_t i;

	plan(&self->db, false, indexed[0], text, sizeof(text));
	EXPECT_EQ(NULL, strstr(text, "field_value"));
	for (i = 0; i < sizeof(indexed) / sizeof(*indexed); i++) {
		plan(&self->db, true, indexed[i], text, sizeof(text));
		EXPECT_NE(NULL, strstr(text, LOOK))
		{
			TH_LOG("%s: %s", indexed[i], text);
		}
		EXPECT_EQ(NULL, strstr(text, "SCAN"));
		/* It answers for the type too: no item is looked at. */
		EXPECT_EQ(i > 6, !!strstr(text, "SEARCH item"))
		{
			TH_LOG("%s: %s", indexed[i], text);
		}
	}
	for (i = 0; i < sizeof(others) / sizeof(*others); i++) {
		plan(&self->db, true, others[i], text, sizeof(text));
		EXPECT_EQ(NULL, strstr(text, "field_value"));
	}
}

/* Both bounds are in the one look at the index. */
TEST_F(field, uses_both_bounds_of_a_field)
{
	char text[2000];

	plan(&self->db, true, "{\"f\":{\"$gt\":1,\"$lt\":7}}", text,
	     sizeof(text));
	EXPECT_NE(NULL, strstr(text, "kind=? AND value>? AND value<?"))
	{
		TH_LOG("%s", text);
	}
}

/* Rows of an index, counted in the database. */
static int values(const struct items_db *db)
{
	return items_count(db, "SELECT count(*) FROM field_value");
}

/* Each way an item changes: what is found is what it is now. */
TEST_F(field, follows_its_items)
{
	struct vdfs_item item = { .key = "a", .metadata = "{\"f\":2}" };
	struct vdfs_item other = { .key = "a", .vector = origin, .dim = 1 };

	ASSERT_EQ(0, items_put(self->c, "a", origin, 1, "{\"f\":1}"));
	ASSERT_EQ(0, items_put(self->c, "b", origin, 1, "{\"f\":[1]}"));
	ASSERT_EQ(0, vdfs_collection_index_field(self->c, "f"));
	EXPECT_EQ(1, values(&self->db));
	ASSERT_EQ(0, items_put(self->c, "c", origin, 1, "{\"f\":1}"));
	ASSERT_EQ(0, items_put(self->c, "d", origin, 1, NULL));
	EXPECT_EQ(2, count(self->c, "{\"f\":1}", self->a));
	ASSERT_EQ(0, vdfs_collection_update(self->c, &item));
	EXPECT_EQ(1, count(self->c, "{\"f\":1}", self->a));
	EXPECT_EQ(1, count(self->c, "{\"f\":2}", self->a));
	/* Its vector alone. */
	other.metadata = NULL;
	ASSERT_EQ(0, vdfs_collection_update(self->c, &other));
	EXPECT_EQ(1, count(self->c, "{\"f\":2}", self->a));
	other.metadata = "{\"f\":\"x\"}";
	ASSERT_EQ(0, vdfs_collection_insert(self->c, &other, 1,
					    VDFS_INSERT_REPLACE, NULL));
	EXPECT_EQ(0, count(self->c, "{\"f\":2}", self->a));
	EXPECT_EQ(1, count(self->c, "{\"f\":\"x\"}", self->a));
	EXPECT_EQ(2, values(&self->db));
	ASSERT_EQ(0, vdfs_collection_delete(self->c, "a"));
	EXPECT_EQ(0, count(self->c, "{\"f\":\"x\"}", self->a));
	EXPECT_EQ(1, values(&self->db));
	/* None of an insert that fails. */
	EXPECT_EQ(-EEXIST, items_put(self->c, "c", origin, 1, "{\"f\":9}"));
	EXPECT_EQ(0, count(self->c, "{\"f\":9}", self->a));
	EXPECT_EQ(1, values(&self->db));
}

TEST_F(field, are_so_many)
{
	char name[8];
	int i;

	for (i = 0; i < VDFS_FIELDS_MAX; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		ASSERT_EQ(0, vdfs_collection_index_field(self->c, name));
	}
	EXPECT_EQ(-EDQUOT, vdfs_collection_index_field(self->c, "more"));
	EXPECT_EQ(0, vdfs_collection_index_field(self->c, "f3"));
}

TEST_HARNESS_MAIN
