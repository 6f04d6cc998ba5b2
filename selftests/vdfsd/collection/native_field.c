// SPDX-License-Identifier: GPL-2.0-only
/* Indexed fields: which filters they answer, and that they follow the items. */
#include <errno.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

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
	ASSERT_EQ(0, vdfs_collection_index_field(self->c, "f", NULL, NULL));
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
		ASSERT_EQ(0, vdfs_collection_index_field(self->c, name, NULL,
							 NULL));
	}
	EXPECT_EQ(-EDQUOT,
		  vdfs_collection_index_field(self->c, "more", NULL, NULL));
	EXPECT_EQ(0, vdfs_collection_index_field(self->c, "f3", NULL, NULL));
}

#define MANY 3500 /* more than three steps of a thousand */

static int put_many(struct vdfs_collection *c)
{
	struct vdfs_item *item = calloc(MANY, sizeof(*item));
	float *row = calloc(MANY, sizeof(*row));
	char(*text)[2][32] = calloc(MANY, sizeof(*text));
	int i, ret;

	for (i = 0; i < MANY; i++) {
		row[i] = (float)i;
		snprintf(text[i][0], 32, "k%04d", i);
		snprintf(text[i][1], 32, "{\"f\":%d}", i % 10);
		item[i] = (struct vdfs_item){ .key = text[i][0],
					      .vector = &row[i],
					      .dim = 1,
					      .metadata = text[i][1] };
	}
	ret = vdfs_collection_insert(c, item, MANY, 0, NULL);
	free(text);
	free(row);
	free(item);
	return ret;
}

#define CHARGED \
	"SELECT ifnull(sum(n), 0) FROM usage WHERE uid >= 0 AND kind = 4"
#define CHARGED_BYTES \
	"SELECT ifnull(sum(bytes), 0) FROM usage WHERE uid >= 0 AND kind = 4"

/* All of it is right: values, their charge, and what a filter finds. */
static int sound(FIXTURE_DATA(field) * self, int items, size_t ones)
{
	if (values(&self->db) != items ||
	    items_count(&self->db, CHARGED) != items)
		return 1;
	if (items_count(&self->db, CHARGED_BYTES) !=
	    items_count(&self->db, "SELECT sum(64 + octet_length(value))\n"
				   "FROM field_value"))
		return 2;
	if (items_count(&self->db, "SELECT count(*) FROM field_making"))
		return 3;
	return count(self->c, "{\"f\":1}", self->a) == ones ? 0 : 4;
}

/* Changes between two steps. */
struct between {
	FIXTURE_DATA(field) * self;
	int steps;
	int err;
};

static bool change(void *arg, uint64_t step, uint64_t steps)
{
	struct between *b = arg;
	struct vdfs_collection *c = b->self->c;
	struct vdfs_item first = { .key = "k0001", .metadata = "{\"f\":2}" };
	struct vdfs_item last = { .key = "k3491", .metadata = "{\"f\":2}" };

	(void)step;
	(void)steps;
	/* No filter uses what is not complete. */
	if (b->steps++ != 2)
		return true;
	b->err = vdfs_collection_update(c, &first);
	if (!b->err)
		b->err = vdfs_collection_update(c, &last);
	if (!b->err)
		b->err = vdfs_collection_delete(c, "k0011");
	if (!b->err)
		b->err = vdfs_collection_delete(c, "k3481");
	if (!b->err)
		b->err = items_put(c, "new", origin, 1, "{\"f\":1}");
	if (!b->err && count(c, "{\"f\":1}", b->self->a) != MANY / 10 - 3)
		b->err = -EILSEQ;
	return true;
}

/* Others write between the steps, behind what is made and before it. */
TEST_F(field, is_made_in_steps)
{
	struct between b = { .self = self };

	ASSERT_EQ(0, put_many(self->c));
	ASSERT_EQ(0, vdfs_collection_index_field(self->c, "f", change, &b));
	EXPECT_LE(4, b.steps);
	EXPECT_EQ(0, b.err);
	EXPECT_EQ(0, sound(self, MANY - 1, MANY / 10 - 3));
}

static bool stop_later(void *arg, uint64_t step, uint64_t steps)
{
	(void)step;
	(void)steps;
	return --*(int *)arg > 0;
}

TEST_F(field, is_given_up)
{
	int steps = 3;

	ASSERT_EQ(0, put_many(self->c));
	EXPECT_EQ(-ECANCELED, vdfs_collection_index_field(self->c, "f",
							  stop_later, &steps));
	EXPECT_EQ(0, sound(self, 0, MANY / 10));
	EXPECT_EQ(0, items_count(&self->db, "SELECT count(*) FROM field"));
	EXPECT_EQ(0, items_count(&self->db, "SELECT fields FROM collection"));
	ASSERT_EQ(0, vdfs_collection_index_field(self->c, "f", NULL, NULL));
	EXPECT_EQ(0, sound(self, MANY, MANY / 10));
}

static bool die_later(void *arg, uint64_t step, uint64_t steps)
{
	(void)step;
	(void)steps;
	if (!--*(int *)arg)
		raise(SIGKILL);
	return true;
}

/* Killed behind so many steps: no filter uses it, and it goes on from there. */
static int killed_after(FIXTURE_DATA(field) * self, int steps)
{
	pid_t pid;
	int status;

	vdfs_collection_put(self->c);
	self->c = NULL;
	items_shut(&self->db);
	pid = fork();
	if (!pid) {
		if (!items_open(&self->db) &&
		    !vdfs_collection_open(self->db.db, &items_me, "c", NULL,
					  NULL, &self->c))
			vdfs_collection_index_field(self->c, "f", die_later,
						    &steps);
		_exit(1);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status))
		return -ECHILD;
	return items_open(&self->db) ?:
		       vdfs_collection_open(self->db.db, &items_me, "c", NULL,
					    NULL, &self->c);
}

TEST_F(field, survives_a_kill)
{
	ASSERT_EQ(0, put_many(self->c));
	ASSERT_EQ(0, killed_after(self, 3));
	EXPECT_EQ(2000, values(&self->db));
	EXPECT_EQ(2000, items_count(&self->db, CHARGED));
	EXPECT_EQ(MANY / 10, count(self->c, "{\"f\":1}", self->a));
	ASSERT_EQ(0, items_put(self->c, "new", origin, 1, "{\"f\":1}"));
	EXPECT_EQ(MANY / 10 + 1, count(self->c, "{\"f\":1}", self->a));
	ASSERT_EQ(0, killed_after(self, 1));
	ASSERT_EQ(0, vdfs_collection_index_field(self->c, "f", NULL, NULL));
	EXPECT_EQ(0, sound(self, MANY + 1, MANY / 10 + 1));
}

/* One that is dropped takes all of it along. */
TEST_F(field, is_dropped_with_its_collection)
{
	ASSERT_EQ(0, put_many(self->c));
	ASSERT_EQ(0, killed_after(self, 2));
	ASSERT_EQ(0, vdfs_collection_drop(self->db.db, &items_me, "c"));
	while (items_count(&self->db, "SELECT count(*) FROM collection"))
		usleep(1000);
	EXPECT_EQ(0, values(&self->db));
	EXPECT_EQ(0, items_count(&self->db, CHARGED_BYTES));
	EXPECT_EQ(0, items_count(&self->db, "SELECT count(*) FROM field\n"));
	EXPECT_EQ(0,
		  items_count(&self->db, "SELECT count(*) FROM field_making"));
}

TEST_HARNESS_MAIN
