// SPDX-License-Identifier: GPL-2.0-only
/*
 * Long filters, for which a clause of SQL would look through each item once a
 * test: what is compared field by field gives the answers that SQL gives.
 */
#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include <kselftest_harness.h>

#include <daemons/vdfsd/collection/filter_impl.h>

#include "vdfsd/filters.h"
#include "vdfsd/items.h"
#include "vdfsd/vectors.h"

#define ITEMS 200
#define FILTERS 300

FIXTURE(match)
{
	sqlite3 *db;
};

FIXTURE_SETUP(match)
{
	ASSERT_EQ(0, sqlite3_open(":memory:", &self->db));
	ASSERT_EQ(0, sqlite3_exec(self->db,
				  "CREATE TABLE item(id INTEGER PRIMARY KEY,\n"
				  " metadata TEXT NOT NULL)",
				  NULL, NULL, NULL));
}

FIXTURE_TEARDOWN(match)
{
	sqlite3_close(self->db);
}

/* Item 0 is the first one. */
static int add(sqlite3 *db, const char *metadata)
{
	sqlite3_stmt *st;
	int ret;

	ret = sqlite3_prepare_v2(db, "INSERT INTO item(metadata) VALUES(?)", -1,
				 &st, NULL);
	if (!ret)
		ret = sqlite3_bind_text(st, 1, metadata, -1, SQLITE_STATIC);
	if (!ret)
		ret = sqlite3_step(st) != SQLITE_DONE;
	sqlite3_finalize(st);
	return ret;
}

/* The items that the clause lets through, and those that the matcher does. */
static void both_ways(sqlite3 *db, struct vdfs_filter *filter, bool *sql,
		      bool *match)
{
	struct vdfs_matcher *m;
	sqlite3_stmt *st;
	char *text;

	text = sqlite3_mprintf("SELECT (%s) IS TRUE, metadata FROM item\n"
			       "ORDER BY id",
			       vdfs_filter_sql(filter));
	if (sqlite3_prepare_v2(db, text, -1, &st, NULL) ||
	    vdfs_filter_bind(filter, st, 1))
		abort();
	if (filter->exact && vdfs_filter_fields(filter))
		abort();
	filter->exact = false;
	if (vdfs_matcher_new(filter, db, &m))
		abort();
	while (sqlite3_step(st) == SQLITE_ROW) {
		int ret = vdfs_matcher_matches(
			m, (const char *)sqlite3_column_text(st, 1));

		if (ret < 0)
			abort();
		*sql++ = sqlite3_column_int(st, 0);
		*match++ = ret;
	}
	vdfs_matcher_free(m);
	sqlite3_finalize(st);
	sqlite3_free(text);
}

static struct vdfs_filter *filter_of(const char *json)
{
	struct vdfs_filter *filter;

	if (vdfs_filter_new(json, NULL, 0, &filter))
		abort();
	return filter;
}

TEST_F(match, any_filter_gives_the_answers_of_sql)
{
	json_t *metadata[ITEMS];
	uint64_t state = 11;
	int turn, i, exact = 0;
	char *text;

	for (i = 0; i < ITEMS; i++) {
		metadata[i] = filters_metadata(&state);
		text = json_dumps(metadata[i], 0);
		ASSERT_EQ(0, add(self->db, text));
		free(text);
	}
	for (turn = 0; turn < FILTERS; turn++) {
		bool sql[ITEMS] = {}, match[ITEMS] = {};
		json_t *json = filters_random(&state);
		struct vdfs_filter *filter;
		bool was_exact;

		text = json_dumps(json, 0);
		filter = filter_of(text);
		was_exact = filter->exact;
		exact += was_exact;
		both_ways(self->db, filter, sql, match);
		for (i = 0; i < ITEMS; i++) {
			EXPECT_EQ(filters_match(metadata[i], json), match[i])
			{
				TH_LOG("%s", text);
			}
			EXPECT_TRUE(was_exact ? sql[i] == match[i] :
						sql[i] >= match[i])
			{
				TH_LOG("%s", text);
			}
		}
		vdfs_filter_free(filter);
		free(text);
		json_decref(json);
	}
	/* There were both, filters that a clause has room for and longer ones. */
	EXPECT_LT(FILTERS / 10, exact);
	EXPECT_GT(FILTERS - FILTERS / 10, exact);
	for (i = 0; i < ITEMS; i++)
		json_decref(metadata[i]);
}

/* A number in any of the ways to write it, near the limits of its type. */
static void write_number(char *to, size_t room, uint64_t *state)
{
	static const char *const edge[] = {
		"9223372036854775807",
		"-9223372036854775808",
		"9223372036854775807.0",
		"9223372036854775808.0",
		"-9223372036854775808.0",
		"9.3e18",
		"-9.3e18",
		"1e300",
		"-1e-300",
		"0",
		"-0",
		"0.0",
		"-0.0",
		"9007199254740993",
		"9007199254740992",
		"9007199254740992.0",
		"0.1",
		"0.10",
		"0.1000000000000000055511151231257827",
		"100000",
		"1e5",
		"1E+5",
	};
	const size_t edges = sizeof(edge) / sizeof(*edge);
	uint64_t kind = vectors_random(state) % 4;
	double x = (double)(int64_t)vectors_random(state) / (1LL << 61);

	if (kind == 0)
		snprintf(to, room, "%s", edge[vectors_random(state) % edges]);
	else if (kind == 1)
		snprintf(to, room, "%d", (int)(vectors_random(state) >> 61));
	else if (kind == 2)
		snprintf(to, room, "%.17g", x);
	else
		snprintf(to, room, "%.1f", x);
}

TEST_F(match, numbers_compare_as_sql_compares_them)
{
	static const char *const op[] = { "$eq",  "$ne", "$gt",
					  "$gte", "$lt", "$lte" };
	char number[64], text[256];
	uint64_t state = 7;
	int turn, i;

	for (i = 0; i < ITEMS; i++) {
		write_number(number, sizeof(number), &state);
		snprintf(text, sizeof(text), "{\"x\":%s}", number);
		ASSERT_EQ(0, add(self->db, text));
	}
	for (turn = 0; turn < FILTERS; turn++) {
		bool sql[ITEMS] = {}, match[ITEMS] = {};
		struct vdfs_filter *filter;

		write_number(number, sizeof(number), &state);
		snprintf(text, sizeof(text), "{\"x\":{\"%s\":%s}}",
			 op[turn % 6], number);
		if (turn % 7 == 0)
			snprintf(text, sizeof(text),
				 "{\"x\":{\"$in\":[%s,1,1.0]}}", number);
		filter = filter_of(text);
		ASSERT_TRUE(filter->exact);
		both_ways(self->db, filter, sql, match);
		EXPECT_EQ(0, memcmp(sql, match, sizeof(sql)))
		{
			TH_LOG("%s", text);
		}
		vdfs_filter_free(filter);
	}
}

TEST_F(match, fields_are_found_where_sql_finds_them)
{
	static const char *const metadata[] = {
		"{}",
		"{\"\":1}",
		"{\"a\":1}",
		"{\"a\":{\"\":1}}",
		"{\"a\":{\"b\":1}}",
		"{\"a\":{\"b\":{\"c\":1}}}",
		"{\"a\":[{\"b\":1}]}",
		"{\"a\":[1],\"0\":1}",
		"{\"b\":{\"a\":{\"b\":1}}}",
		"{\"x\":{\"y\":[[],{}]},\"a\":{\"z\":[1,{\"b\":2}],\"b\":1}}",
		"{\"a.b\":1}",
		"{\"\\u0061\":1}",
		"{\"a\":\"1\"}",
		"{\"a\":\"\\u0031\"}",
		"{\"a\":true,\"b\":false,\"c\":null}",
		"{\"a\":\"x\\\"y\"}",
		"{\"\xc3\xa9\":1,\"it's\":1}",
		"{\"$.a\":1,\"[0]\":1}",
	};
	static const char *const filter[] = {
		"{\"a\":1}",
		"{\"a\":{\"$ne\":1}}",
		"{\"a.b\":1}",
		"{\"a.b.c\":1}",
		"{\"a.0\":1}",
		"{\"0\":1}",
		"{\"b.a.b\":1}",
		"{\"a\":\"1\"}",
		"{\"a\":{\"$in\":[\"1\",1,true,null]},\"a.b\":{\"$ne\":1}}",
		"{\"a\":{\"$gt\":\"\"}}",
		"{\"a\":\"x\\\"y\"}",
		"{\"\xc3\xa9\":1}",
		"{\"it's\":1}",
		"{\"[0]\":1}",
		"{\"b\":false,\"c\":null}",
		"{\"c\":{\"$ne\":null}}",
		"{\"a\":{\"$in\":[]}}",
		"{}",
	};
	const size_t items = sizeof(metadata) / sizeof(*metadata);
	size_t i, k;

	for (i = 0; i < items; i++)
		ASSERT_EQ(0, add(self->db, metadata[i]));
	for (i = 0; i < sizeof(filter) / sizeof(*filter); i++) {
		bool sql[ITEMS] = {}, match[ITEMS] = {};
		struct vdfs_filter *f = filter_of(filter[i]);

		ASSERT_TRUE(f->exact);
		both_ways(self->db, f, sql, match);
		for (k = 0; k < items; k++) {
			EXPECT_EQ(sql[k], match[k])
			{
				TH_LOG("%s, %s", filter[i], metadata[k]);
			}
		}
		vdfs_filter_free(f);
	}
}

TEST_F(match, metadata_that_is_no_json_is_an_error)
{
	struct vdfs_filter *filter = filter_of("{\"a\":1}");
	struct vdfs_matcher *m;

	ASSERT_EQ(0, vdfs_matcher_new(filter, self->db, &m));
	EXPECT_EQ(NULL, m);
	ASSERT_EQ(0, vdfs_filter_fields(filter));
	filter->exact = false;
	ASSERT_EQ(0, vdfs_matcher_new(filter, self->db, &m));
	EXPECT_GT(0, vdfs_matcher_matches(m, "{\"a\":1"));
	EXPECT_EQ(1, vdfs_matcher_matches(m, "{\"a\":1}"));
	vdfs_matcher_free(m);
	vdfs_filter_free(filter);
}

/* @begin, as often as there is room @what with a number in it, @end. */
static char *fill(const char *begin, const char *what, const char *end)
{
	char *out = malloc(VDFS_FILTER_MAX + 1);
	char *to = out;
	int i;

	if (!out)
		abort();
	to = stpcpy(to, begin);
	for (i = 0; to - out < VDFS_FILTER_MAX - 64; i++)
		to += sprintf(to, what, i);
	stpcpy(to, end);
	return out;
}

/* How often the clause has SQLite look for a field in an item. */
static size_t looks(const struct vdfs_filter *filter)
{
	const char *at = vdfs_filter_sql(filter);
	size_t n = 0;

	while ((at = strstr(at, "(metadata,"))) {
		at++;
		n++;
	}
	return n;
}

TEST(the_clause_of_a_long_filter_is_short)
{
	static const char *const shape[][3] = {
		{ "{", "\"f%d\":1,", "\"z\":1}" },
		{ "{\"z\":1,\"$and\":[", "{\"f%d\":1},", "{}]}" },
		{ "{\"z\":1,\"$or\":[", "{\"f%d\":{\"$ne\":1}},", "{}]}" },
		{ "{\"z\":1,\"$or\":[", "{\"$and\":[{\"f%d\":1},{}]},",
		  "{}]}" },
		{ "{\"z\":1,\"$and\":[", "{\"$or\":[{\"f%d\":1},{}]},",
		  "{}]}" },
		{ "{\"z\":1,\"$and\":[", "{},{},{},{},{},{},{},{\"f%d\":1},",
		  "{}]}" },
		{ "{\"z\":1,\"$or\":[",
		  "{\"f\":{\"$in\":[%d,true,null,\"\"]}},", "{}]}" },
	};
	size_t i;

	for (i = 0; i < sizeof(shape) / sizeof(*shape); i++) {
		char *text = fill(shape[i][0], shape[i][1], shape[i][2]);
		struct vdfs_filter *filter = filter_of(text);

		EXPECT_FALSE(filter->exact);
		EXPECT_GE(2 * VDFS_FILTER_CLAUSE, looks(filter))
		{
			TH_LOG("shape %zu: %zu", i, looks(filter));
		}
		EXPECT_GT(4096, strlen(vdfs_filter_sql(filter)));
		vdfs_filter_free(filter);
		free(text);
	}
}

/* What has to hold is in it, so that an index of the field is of use. */
TEST(the_clause_of_a_long_filter_has_what_has_to_hold)
{
	char *text = fill("{\"$or\":[", "{\"f%d\":1},", "{}],\"z\":1}");
	struct vdfs_filter *filter = filter_of("{\"z\":{\"$in\":[null]}}");

	/* Without any value to compare with. */
	EXPECT_EQ(2, looks(filter));
	vdfs_filter_free(filter);
	filter = filter_of(text);
	EXPECT_EQ(2, looks(filter));
	EXPECT_NE(NULL, strstr(vdfs_filter_sql(filter),
			       "json_extract(metadata,'$.\"z\"')=?"));
	vdfs_filter_free(filter);
	free(text);
	text = fill("{\"z\":{\"$in\":[", "%d,", "1]},\"a\":true}");
	filter = filter_of(text);
	EXPECT_TRUE(filter->exact);
	EXPECT_EQ(4, looks(filter));
	vdfs_filter_free(filter);
	free(text);
}

/* A search asks the clause, and then each item. */
TEST(a_search_by_a_long_filter_finds_what_matches)
{
	static const float origin[1] = { 0 };
	struct vdfs_collection_params p = { .dim = 1 };
	struct items_answers *a = items_answers();
	char key[16], metadata[64], *text;
	struct vdfs_collection *c;
	struct items_db db;
	int i;

	ASSERT_EQ(0, items_make(&db));
	ASSERT_EQ(0, vdfs_collection_create(db.db, &items_me, "c", &p));
	ASSERT_EQ(0,
		  vdfs_collection_open(db.db, &items_me, "c", NULL, NULL, &c));
	for (i = 0; i < 60; i++) {
		snprintf(key, sizeof(key), "%02d", i);
		snprintf(metadata, sizeof(metadata), "{\"n\":%d,\"odd\":%s}", i,
			 i % 2 ? "true" : "false");
		ASSERT_EQ(0, items_put(c, key, origin, 1, metadata));
	}
	text = fill("{\"odd\":true,\"n\":{\"$lt\":50},\"$or\":[",
		    "{\"n\":{\"$gte\":1%04d}},",
		    "{\"n\":{\"$gt\":40.5}},{\"n\":7}]}");
	ASSERT_EQ(0, items_search(c, origin, 1, 60, text, a));
	ASSERT_EQ(6, a->n);
	EXPECT_STREQ("07", a->key[0]);
	for (i = 1; i < 6; i++)
		EXPECT_EQ(39 + 2 * i, atoi(a->key[i]));
	free(text);
	vdfs_collection_put(c);
	items_remove(&db);
	items_forget(a);
}

TEST_HARNESS_MAIN
