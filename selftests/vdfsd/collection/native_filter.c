// SPDX-License-Identifier: GPL-2.0-only
/* Filters: what they refuse, and what they let through. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include <kselftest_harness.h>

#include <daemons/vdfsd/collection/filter_impl.h>

#include "vdfsd/filters.h"
#include "vdfsd/items.h"
#include "vdfsd/vectors.h"

#define ITEMS 300
#define FILTERS 300

static const float origin[1] = { 0 };

TEST(says_why_it_refuses)
{
	static const char *const bad[][2] = {
		{ "", "line 1" },
		{ "{\"a\": 1", "line 1" },
		{ "{\n\"a\": x}", "line 2, column" },
		{ "[]", "object" },
		{ "1", "expected" },
		{ "{\"a\":1,\"a\":2}", "duplicate" },
		{ "{\"a\":{}}", "operator is missing" },
		{ "{\"a\":{\"$foo\":1}}", "\"$foo\"" },
		{ "{\"a\":{\"b\":1}}", "\"b\"" },
		{ "{\"$nor\":[]}", "no such operator" },
		{ "{\"a\":[1]}", "lists" },
		{ "{\"a\":{\"$eq\":{}}}", "objects" },
		{ "{\"a\":{\"$ne\":[]}}", "lists" },
		{ "{\"a\":{\"$in\":1}}", "$in wants a list" },
		{ "{\"a\":{\"$in\":[1,[]]}}", "value 2" },
		{ "{\"a\":{\"$gt\":null}}", "number or a string" },
		{ "{\"a\":{\"$lte\":true}}", "number or a string" },
		{ "{\"$and\":{}}", "$and wants a list" },
		{ "{\"$or\":[]}", "at least one" },
		{ "{\"$or\":[1]}", "object" },
		{ "{\"\":1}", "1 to 255" },
		{ "{\"a..b\":1}", "empty" },
		{ "{\".a\":1}", "empty" },
		{ "{\"a.\":1}", "empty" },
		{ "{\"a\\\"b\":1}", "quotes" },
		{ "{\"a\\\\b\":1}", "backslashes" },
		{ "{\"a\\u0001\":1}", "control" },
		{ "{\"a\":\"\\u0000\"}", "line 1" },
	};
	char why[VDFS_WHY_MAX];
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		memset(why, 0, sizeof(why));
		EXPECT_EQ(-EINVAL,
			  vdfs_filter_check(bad[i][0], why, sizeof(why)))
		{
			TH_LOG("%s", bad[i][0]);
		}
		EXPECT_NE(NULL, strstr(why, bad[i][1]))
		{
			TH_LOG("%s: %s", bad[i][0], why);
		}
		EXPECT_EQ(-EINVAL, vdfs_filter_check(bad[i][0], NULL, 0));
	}
}

static char *repeat(const char *begin, const char *what, const char *end,
		    size_t n)
{
	char *out =
		malloc(strlen(begin) + n * (strlen(what) + strlen(end)) + 16);
	char *to = out;
	size_t i;

	if (!out)
		abort();
	to = stpcpy(to, begin);
	for (i = 0; i < n; i++)
		to = stpcpy(to, what);
	to = stpcpy(to, "{}");
	for (i = 0; i < n; i++)
		to = stpcpy(to, end);
	return out;
}

TEST(is_bounded)
{
	char *text = repeat("", "{\"$and\":[", "]}", VDFS_FILTER_DEPTH);

	EXPECT_EQ(0, vdfs_filter_check(text, NULL, 0));
	free(text);
	text = repeat("", "{\"$and\":[{\"a\":1},", "]}", VDFS_FILTER_DEPTH + 1);
	EXPECT_EQ(-EINVAL, vdfs_filter_check(text, NULL, 0));
	free(text);
	text = malloc(VDFS_FILTER_MAX + 2);
	ASSERT_NE(NULL, text);
	memset(text, ' ', VDFS_FILTER_MAX + 1);
	text[0] = '{';
	text[VDFS_FILTER_MAX - 1] = '}';
	text[VDFS_FILTER_MAX] = '\0';
	EXPECT_EQ(0, vdfs_filter_check(text, NULL, 0));
	text[VDFS_FILTER_MAX] = ' ';
	text[VDFS_FILTER_MAX + 1] = '\0';
	EXPECT_EQ(-E2BIG, vdfs_filter_check(text, NULL, 0));
	free(text);
}

FIXTURE(filter)
{
	struct items_db db;
	struct vdfs_collection *c;
	struct items_answers *a;
};

FIXTURE_SETUP(filter)
{
	struct vdfs_collection_params p = { .dim = 1 };

	self->a = items_answers();
	ASSERT_EQ(0, items_make(&self->db));
	ASSERT_EQ(0, vdfs_collection_create(self->db.db, &items_me, "f", &p));
	ASSERT_EQ(0, vdfs_collection_open(self->db.db, &items_me, "f", NULL,
					  NULL, &self->c));
}

FIXTURE_TEARDOWN(filter)
{
	vdfs_collection_put(self->c);
	items_remove(&self->db);
	items_forget(self->a);
}

/* How many filters let through others than they should. */
static int wrong_filters(struct vdfs_collection *c, json_t **metadata,
			 struct items_answers *a, uint64_t seed)
{
	int wrong = 0;
	int turn, i;

	for (turn = 0; turn < FILTERS; turn++) {
		json_t *filter = filters_random(&seed);
		char *text = json_dumps(filter, 0);
		char want[ITEMS] = { 0 };
		char got[ITEMS] = { 0 };

		for (i = 0; i < ITEMS; i++)
			want[i] = filters_match(metadata[i], filter);
		if (items_search(c, origin, 1, VDFS_K_MAX, text, a))
			wrong++;
		for (i = 0; i < (int)a->n; i++)
			got[atoi(a->key[i])] = 1;
		if (memcmp(want, got, sizeof(want))) {
			printf("# wrong: %s\n", text);
			wrong++;
		}
		free(text);
		json_decref(filter);
	}
	return wrong;
}

TEST_F(filter, lets_through_what_it_says)
{
	static const char *const field[] = { "a", "b", "it's", "x y", "in.n" };
	json_t *metadata[ITEMS];
	uint64_t state = 17;
	char key[16];
	char *text;
	int i;

	for (i = 0; i < ITEMS; i++) {
		metadata[i] = filters_metadata(&state);
		text = json_dumps(metadata[i], 0);
		snprintf(key, sizeof(key), "%d", i);
		ASSERT_EQ(0, items_put(self->c, key, origin, 1, text));
		free(text);
	}
	EXPECT_EQ(0, wrong_filters(self->c, metadata, self->a, 5));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, vdfs_collection_index_field(self->c, field[i],
							 NULL, NULL));
	EXPECT_EQ(0, wrong_filters(self->c, metadata, self->a, 7));
	for (i = 0; i < 5; i++) {
		ASSERT_EQ(0, vdfs_collection_index_field(self->c, field[i],
							 NULL, NULL));
		ASSERT_EQ(0, vdfs_collection_index_field(self->c, field[i],
							 NULL, NULL));
	}
	EXPECT_EQ(0, wrong_filters(self->c, metadata, self->a, 6));
	for (i = 0; i < ITEMS; i++)
		json_decref(metadata[i]);
}

static size_t count(struct vdfs_collection *c, const char *filter,
		    struct items_answers *a)
{
	int ret = items_search(c, origin, 1, 1000, filter, a);

	return ret ? (size_t)ret : a->n;
}

/* What is written as the same number is the same number. */
TEST_F(filter, reads_numbers_as_they_were_stored)
{
	char key[32], filter[64], metadata[64];
	uint64_t state = 3;
	int i;

	for (i = 0; i < 500; i++) {
		double x =
			((double)(vectors_random(&state) % 2000001) - 1000000) /
			1000000;

		snprintf(key, sizeof(key), "%d", i);
		snprintf(metadata, sizeof(metadata), "{\"x\":%g,\"i\":%d}", x,
			 i);
		snprintf(filter, sizeof(filter), "{\"x\":%g,\"i\":%d}", x, i);
		ASSERT_EQ(0, items_put(self->c, key, origin, 1, metadata));
		ASSERT_EQ(1, count(self->c, filter, self->a))
		{
			TH_LOG("%s", filter);
		}
	}
	ASSERT_EQ(0, items_put(self->c, "big", origin, 1,
			       "{\"n\":9223372036854775807}"));
	EXPECT_EQ(1, count(self->c, "{\"n\":9223372036854775807}", self->a));
	EXPECT_EQ(0, count(self->c, "{\"n\":9223372036854775806}", self->a));
	EXPECT_EQ(1, count(self->c, "{\"n\":{\"$gt\":9.2e18}}", self->a));
}

TEST_F(filter, is_never_taken_for_sql)
{
	static const char *const evil[] = {
		"{\"a') OR 1 --\": 1}",
		"{\"a')) OR ((1=1\": 1}",
		"{\"x\": \"' OR 1=1 --\"}",
		"{\"x\": {\"$in\": [\"') OR (1\"]}}",
		"{\"'; DROP TABLE item_1; --\": 1}",
		"{\"a'||'\": 1}",
		"{\"$.x\": 1}",
		"{\"x]\": 1}",
		"{\"%s%n\": 1}",
		"{\"?1\": 1}",
	};
	size_t i;

	ASSERT_EQ(0, items_put(self->c, "k", origin, 1, "{\"x\":1}"));
	for (i = 0; i < sizeof(evil) / sizeof(*evil); i++) {
		int ret =
			items_search(self->c, origin, 1, 10, evil[i], self->a);

		EXPECT_TRUE(ret == -EINVAL || (!ret && !self->a->n))
		{
			TH_LOG("%s", evil[i]);
		}
	}
	EXPECT_EQ(0, vdfs_collection_index_field(self->c,
						 "a'); DROP TABLE item_1; --",
						 NULL, NULL));
	EXPECT_EQ(-EINVAL,
		  vdfs_collection_index_field(self->c, "a\"b", NULL, NULL));
	EXPECT_EQ(-EINVAL,
		  vdfs_collection_index_field(self->c, "", NULL, NULL));
	EXPECT_EQ(1, count(self->c, "{\"x\":1}", self->a));
	EXPECT_EQ(1, count(self->c, "{}", self->a));
}

/* As wide as a filter can be: SQLite bounds depth, and marks. */
TEST_F(filter, may_be_wide)
{
	char *text = malloc(VDFS_FILTER_MAX + 64);
	char *to;

	ASSERT_NE(NULL, text);
	ASSERT_EQ(0, items_put(self->c, "k", origin, 1, "{\"a\":7}"));
	to = stpcpy(text, "{\"a\":{\"$in\":[7");
	while (to - text < VDFS_FILTER_MAX - 8)
		to = stpcpy(to, ",1");
	memcpy(to, "]}}", 4);
	EXPECT_EQ(1, count(self->c, text, self->a));
	to = stpcpy(text, "{\"$and\":[{\"a\":7}");
	while (to - text < VDFS_FILTER_MAX - 16)
		to = stpcpy(to, ",{\"a\":7}");
	memcpy(to, "]}", 3);
	EXPECT_EQ(1, count(self->c, text, self->a));
	free(text);
}

struct looks {
	unsigned int n;
	unsigned int last; /* the look that ends the search; 0 = none */
};

static bool over_at_last(void *of)
{
	struct looks *looks = of;

	return ++looks->n >= looks->last && looks->last;
}

/* A long one is asked now and then whether anybody wants the answers. */
TEST_F(filter, ends_when_it_is_over)
{
	char *text = repeat("{\"$and\":[", "{\"a\":7},", "", 1000);
	struct looks looks = { .last = 3 };
	struct vdfs_search how = { .vector = origin,
				   .dim = 1,
				   .k = 10,
				   .filter = text,
				   .over = over_at_last,
				   .of = &looks };
	char key[16];
	int i;

	strcat(text, "]}");
	for (i = 0; i < 300; i++) {
		snprintf(key, sizeof(key), "%d", i);
		ASSERT_EQ(0, items_put(self->c, key, origin, 1, "{\"a\":7}"));
	}
	EXPECT_EQ(-ECANCELED, vdfs_collection_search(self->c, &how,
						     items_collect, self->a));
	EXPECT_EQ(0, self->a->n);
	/* It is asked once more, for it was the database that said it. */
	EXPECT_EQ(4, looks.n);
	looks = (struct looks){};
	EXPECT_EQ(0, vdfs_collection_search(self->c, &how, items_collect,
					    self->a));
	EXPECT_EQ(10, self->a->n);
	EXPECT_LT(4, looks.n);
	/* Nobody looks after the search. */
	i = (int)looks.n;
	EXPECT_EQ(300, count(self->c, text, self->a));
	EXPECT_EQ(i, looks.n);
	free(text);
}

TEST_HARNESS_MAIN
