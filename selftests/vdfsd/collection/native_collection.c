// SPDX-License-Identifier: GPL-2.0-only
/* Collections: what they promise to one who uses them. */
#include <errno.h>
#include <float.h>
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kselftest_harness.h>

#include "vdfsd/items.h"
#include "vdfsd/vectors.h"

#define DIM 3

static const struct vdfs_who other = { .uid = 1001 };
static const struct vdfs_who admin = { .uid = 0, .admin = true };

FIXTURE(collection)
{
	struct items_db db;
	struct vdfs_collection *c;
	struct items_answers *a;
};

static int make(struct items_db *db, const char *name, uint32_t metric,
		uint32_t type, uint32_t mode)
{
	struct vdfs_collection_params p = {
		.dim = DIM,
		.metric = metric,
		.type = type,
		.mode = mode,
	};

	return vdfs_collection_create(db->db, &items_me, name, &p);
}

static int get(struct vdfs_collection *c, const char *key,
	       struct items_answers *a)
{
	a->n = 0;
	return vdfs_collection_get(c, key, items_collect, a);
}

FIXTURE_SETUP(collection)
{
	self->a = items_answers();
	ASSERT_EQ(0, items_make(&self->db));
	ASSERT_EQ(0, make(&self->db, "things", VDFS_L2, VDFS_F32,
			  VDFS_COLLECTION_MODE));
	ASSERT_EQ(0, vdfs_collection_open(self->db.db, &items_me, "things",
					  NULL, NULL, &self->c));
}

FIXTURE_TEARDOWN(collection)
{
	vdfs_collection_put(self->c);
	items_remove(&self->db);
	items_forget(self->a);
}

TEST_F(collection, finds_what_was_inserted)
{
	float v[DIM] = { 1, 2, 3 };
	float near[DIM] = { 1, 2, 4 };

	ASSERT_EQ(0, items_put(self->c, "one", v, DIM, "{\"a\": 1}"));
	ASSERT_EQ(0, items_search(self->c, near, DIM, 10, NULL, self->a));
	ASSERT_EQ(1, self->a->n);
	EXPECT_STREQ("one", self->a->key[0]);
	EXPECT_EQ(1.0f, self->a->dist[0]);
	EXPECT_STREQ("{\"a\": 1}", self->a->metadata);
	ASSERT_EQ(0, get(self->c, "one", self->a));
	EXPECT_EQ(0, memcmp(v, self->a->vector, sizeof(v)));
	EXPECT_EQ(-ENOENT, get(self->c, "two", self->a));
}

TEST_F(collection, all_or_none_are_inserted)
{
	float v[DIM] = { 1, 2, 3 };
	struct vdfs_item items[] = {
		{ "a", v, DIM, NULL },
		{ "b", v, DIM, NULL },
		{ "a", v, DIM, NULL },
	};
	struct vdfs_collection_stats stats;
	size_t failed = 77;

	EXPECT_EQ(-EEXIST,
		  vdfs_collection_insert(self->c, items, 3, 0, &failed));
	EXPECT_EQ(2, failed);
	ASSERT_EQ(0, vdfs_collection_stats(self->c, &stats));
	EXPECT_EQ(0, stats.items);
	EXPECT_EQ(0, stats.generation);
	ASSERT_EQ(0, items_search(self->c, v, DIM, 10, NULL, self->a));
	EXPECT_EQ(0, self->a->n);
	EXPECT_EQ(0, vdfs_collection_insert(self->c, items, 2, 0, &failed));
	EXPECT_EQ(-EEXIST,
		  vdfs_collection_insert(self->c, items + 1, 1, 0, &failed));
	EXPECT_EQ(0, failed);
}

TEST_F(collection, the_last_of_a_key_replaces)
{
	float v[DIM] = { 1, 2, 3 };
	float w[DIM] = { 9, 9, 9 };
	struct vdfs_item items[] = {
		{ "a", v, DIM, "{\"x\":1}" },
		{ "b", v, DIM, NULL },
		{ "a", w, DIM, "{\"x\":2}" },
	};

	ASSERT_EQ(0, items_put(self->c, "b", w, DIM, NULL));
	ASSERT_EQ(0, vdfs_collection_insert(self->c, items, 3,
					    VDFS_INSERT_REPLACE, NULL));
	ASSERT_EQ(0, items_search(self->c, w, DIM, 10, NULL, self->a));
	ASSERT_EQ(2, self->a->n);
	EXPECT_STREQ("a", self->a->key[0]);
	EXPECT_EQ(0.0f, self->a->dist[0]);
	EXPECT_STREQ("b", self->a->key[1]);
	ASSERT_EQ(0, get(self->c, "a", self->a));
	EXPECT_STREQ("{\"x\":2}", self->a->metadata);
	EXPECT_EQ(-EINVAL,
		  vdfs_collection_insert(self->c, items, 3, 0x80, NULL));
}

/* A tool that lists them has one a line. */
TEST_F(collection, has_a_name_of_one_line)
{
	struct vdfs_collection_params p = { .dim = 4 };

	EXPECT_EQ(-EINVAL,
		  vdfs_collection_create(self->db.db, &items_me, "a\nb", &p));
	EXPECT_EQ(-EINVAL,
		  vdfs_collection_create(self->db.db, &items_me, "\n", &p));
	EXPECT_EQ(-ENOENT,
		  vdfs_collection_drop(self->db.db, &items_me, "a\nb"));
}

static int forget_names(struct sqlite3 *db, void *arg)
{
	(void)arg;
	return sqlite3_exec(db, "UPDATE collection SET name = NULL", NULL, NULL,
			    NULL);
}

TEST_F(collection, a_check_stores_nothing)
{
	float v[DIM] = { 1, 2, 3 };
	float bad[DIM] = { NAN };
	struct vdfs_item items[] = {
		{ "a", v, DIM, NULL },
		{ "b", v, DIM, NULL },
		{ "c", bad, DIM, NULL },
	};
	struct vdfs_collection_stats stats;
	size_t failed = 9;

	EXPECT_EQ(0, vdfs_collection_insert(self->c, items, 2,
					    VDFS_INSERT_CHECK, &failed));
	EXPECT_EQ(-EDOM, vdfs_collection_insert(self->c, items, 3,
						VDFS_INSERT_CHECK, &failed));
	EXPECT_EQ(2, failed);
	ASSERT_EQ(0, vdfs_collection_stats(self->c, &stats));
	EXPECT_EQ(0, stats.items);
	EXPECT_EQ(0, stats.generation);
	ASSERT_EQ(0, items_put(self->c, "b", v, DIM, NULL));
	EXPECT_EQ(-EEXIST, vdfs_collection_insert(self->c, items, 2,
						  VDFS_INSERT_CHECK, &failed));
	EXPECT_EQ(1, failed);
	EXPECT_EQ(0, vdfs_collection_insert(
			     self->c, items, 2,
			     VDFS_INSERT_CHECK | VDFS_INSERT_REPLACE, &failed));
	ASSERT_EQ(0, vdfs_collection_stats(self->c, &stats));
	EXPECT_EQ(1, stats.items);
	EXPECT_EQ(1, stats.generation);
	/* It is gone from the database, and its index is not told yet. */
	ASSERT_EQ(0, vdfs_meta_write(self->db.meta, forget_names, NULL));
	EXPECT_EQ(-ENOENT, vdfs_collection_insert(self->c, items, 2,
						  VDFS_INSERT_CHECK |
							  VDFS_INSERT_REPLACE,
						  NULL));
}

TEST_F(collection, an_update_leaves_what_it_is_not_given)
{
	float v[DIM] = { 1, 2, 3 };
	float w[DIM] = { 9, 9, 9 };
	struct vdfs_item item = { .key = "a", .metadata = "{\"n\":2}" };

	EXPECT_EQ(-ENOENT, vdfs_collection_update(self->c, &item));
	ASSERT_EQ(0, items_put(self->c, "a", v, DIM, "{\"n\":1}"));
	ASSERT_EQ(0, vdfs_collection_update(self->c, &item));
	ASSERT_EQ(0, get(self->c, "a", self->a));
	EXPECT_STREQ("{\"n\":2}", self->a->metadata);
	EXPECT_EQ(0, memcmp(v, self->a->vector, sizeof(v)));
	item.metadata = NULL;
	item.vector = w;
	item.dim = DIM;
	ASSERT_EQ(0, vdfs_collection_update(self->c, &item));
	ASSERT_EQ(0, get(self->c, "a", self->a));
	EXPECT_STREQ("{\"n\":2}", self->a->metadata);
	EXPECT_EQ(0, memcmp(w, self->a->vector, sizeof(w)));
	ASSERT_EQ(0, items_search(self->c, w, DIM, 10, NULL, self->a));
	ASSERT_EQ(1, self->a->n);
	EXPECT_EQ(0.0f, self->a->dist[0]);
}

TEST_F(collection, refuses_bad_vectors)
{
	float v[DIM] = { 1, 2, 3 };
	const float bad[] = { NAN, INFINITY, -INFINITY, FLT_MAX };
	struct vdfs_item item = { .key = "a", .vector = v, .dim = DIM };
	struct vdfs_search search = { .vector = v, .dim = DIM, .k = 1 };
	size_t i;

	EXPECT_EQ(-EMSGSIZE, items_put(self->c, "x", v, DIM - 1, NULL));
	EXPECT_EQ(-EMSGSIZE, items_put(self->c, "x", v, DIM + 1, NULL));
	EXPECT_EQ(-EINVAL, items_put(self->c, "x", NULL, DIM, NULL));
	ASSERT_EQ(0, items_put(self->c, "a", v, DIM, NULL));
	for (i = 0; i < 4; i++) {
		v[1] = bad[i];
		EXPECT_EQ(-EDOM, items_put(self->c, "x", v, DIM, NULL));
		EXPECT_EQ(-EDOM, vdfs_collection_update(self->c, &item));
		EXPECT_EQ(-EDOM,
			  items_search(self->c, v, DIM, 1, NULL, self->a));
	}
	v[1] = 0;
	EXPECT_EQ(-EMSGSIZE, items_search(self->c, v, 2, 1, NULL, self->a));
	EXPECT_EQ(-EINVAL, items_search(self->c, NULL, DIM, 1, NULL, self->a));
	search.k = 0;
	EXPECT_EQ(-EINVAL, vdfs_collection_search(self->c, &search,
						  items_collect, self->a));
	search.k = VDFS_K_MAX + 1;
	EXPECT_EQ(-EINVAL, vdfs_collection_search(self->c, &search,
						  items_collect, self->a));
	search.k = 1;
	search.recall = 1.5f;
	EXPECT_EQ(-EINVAL, vdfs_collection_search(self->c, &search,
						  items_collect, self->a));
	search.recall = NAN;
	EXPECT_EQ(-EINVAL, vdfs_collection_search(self->c, &search,
						  items_collect, self->a));
	ASSERT_EQ(0, get(self->c, "a", self->a));
	EXPECT_EQ(2.0f, self->a->vector[1]);
}

TEST_F(collection, refuses_what_does_not_fit_its_type)
{
	const float bad[][DIM] = { { 0, 0, 128 },
				   { 0, 0, -129 },
				   { 0, 0, 0.5f } };
	float v[DIM] = { -128, 127, 0 };
	float query[DIM] = { -127.6f, 127.4f, 0 };
	struct vdfs_collection *c;
	size_t i;

	ASSERT_EQ(0, make(&self->db, "bytes", VDFS_L2, VDFS_I8, 0644));
	ASSERT_EQ(0, vdfs_collection_open(self->db.db, &items_me, "bytes", NULL,
					  NULL, &c));
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(-EDOM, items_put(c, "x", bad[i], DIM, NULL));
	}
	ASSERT_EQ(0, items_put(c, "x", v, DIM, NULL));
	ASSERT_EQ(0, items_search(c, query, DIM, 1, NULL, self->a));
	EXPECT_EQ(0.0f, self->a->dist[0]);
	EXPECT_EQ(-EDOM, items_search(c, bad[0], DIM, 1, NULL, self->a));
	vdfs_collection_put(c);
}

TEST_F(collection, refuses_what_half_precision_cannot_hold)
{
	const float bad[][DIM] = { { 0, 0, 65520 }, { -65520, 0, 0 } };
	float v[DIM] = { 65504, 0.1f, -1 };
	float tiny[DIM] = { ldexpf(1, -30), 0, 0 };
	struct vdfs_collection *c;

	ASSERT_EQ(0, make(&self->db, "halves", VDFS_L2, VDFS_F16, 0644));
	ASSERT_EQ(0, vdfs_collection_open(self->db.db, &items_me, "halves",
					  NULL, NULL, &c));
	EXPECT_EQ(-EDOM, items_put(c, "x", bad[0], DIM, NULL));
	EXPECT_EQ(-EDOM, items_put(c, "x", bad[1], DIM, NULL));
	EXPECT_EQ(-EDOM, items_search(c, bad[0], DIM, 1, NULL, self->a));
	ASSERT_EQ(0, items_put(c, "x", v, DIM, NULL));
	ASSERT_EQ(0, get(c, "x", self->a));
	EXPECT_EQ(65504.0f, self->a->vector[0]);
	EXPECT_NE(0.1f, self->a->vector[1]);
	EXPECT_LT(fabsf(0.1f - self->a->vector[1]), 0.0001f);
	vdfs_collection_put(c);
	ASSERT_EQ(0, make(&self->db, "angles", VDFS_COSINE, VDFS_F16, 0644));
	ASSERT_EQ(0, vdfs_collection_open(self->db.db, &items_me, "angles",
					  NULL, NULL, &c));
	EXPECT_EQ(-EDOM, items_put(c, "x", tiny, DIM, NULL));
	vdfs_collection_put(c);
}

TEST_F(collection, refuses_no_direction_under_cosine)
{
	float zero[DIM] = { 0, 0, 0 };
	float tiny[DIM] = { ldexpf(1, -100), 0, 0 };
	struct vdfs_collection *c;

	ASSERT_EQ(0, make(&self->db, "angles", VDFS_COSINE, VDFS_F32, 0644));
	ASSERT_EQ(0, vdfs_collection_open(self->db.db, &items_me, "angles",
					  NULL, NULL, &c));
	EXPECT_EQ(-EDOM, items_put(c, "x", zero, DIM, NULL));
	EXPECT_EQ(-EDOM, items_search(c, zero, DIM, 1, NULL, self->a));
	EXPECT_EQ(0, items_put(c, "x", tiny, DIM, NULL));
	EXPECT_EQ(0, items_put(self->c, "x", zero, DIM, NULL));
	vdfs_collection_put(c);
}

TEST_F(collection, refuses_bad_keys_and_metadata)
{
	float v[DIM] = { 1, 2, 3 };
	char key[VDFS_KEY_MAX + 2];
	char *long_text = malloc(VDFS_METADATA_MAX + 2);
	char deep[700] = "";
	const char *const bad[] = {
		"",
		"[]",
		"1",
		"\"x\"",
		"{",
		"{\"a\":1}x",
		"{\"a\":1,\"a\":2}",
		"null",
		"{\"a\":\"\xff\"}",
		"{\"a\":NaN}",
		"{'a':1}",
	};
	size_t i;

	ASSERT_NE(NULL, long_text);
	memset(key, 'k', sizeof(key));
	key[VDFS_KEY_MAX + 1] = '\0';
	EXPECT_EQ(-E2BIG, items_put(self->c, key, v, DIM, NULL));
	key[VDFS_KEY_MAX] = '\0';
	EXPECT_EQ(0, items_put(self->c, key, v, DIM, NULL));
	EXPECT_EQ(-EINVAL, items_put(self->c, "", v, DIM, NULL));
	EXPECT_EQ(-EINVAL, items_put(self->c, NULL, v, DIM, NULL));
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		EXPECT_EQ(-EINVAL, items_put(self->c, "x", v, DIM, bad[i]))
		{
			TH_LOG("%s", bad[i]);
		}
	}
	memset(long_text, ' ', VDFS_METADATA_MAX + 1);
	memcpy(long_text, "{}", 2);
	long_text[VDFS_METADATA_MAX + 1] = '\0';
	EXPECT_EQ(-E2BIG, items_put(self->c, "x", v, DIM, long_text));
	long_text[VDFS_METADATA_MAX] = '\0';
	EXPECT_EQ(0, items_put(self->c, "x", v, DIM, long_text));
	for (i = 0; i < 100; i++)
		strcat(deep, "{\"a\":");
	strcat(deep, "1");
	for (i = 0; i < 100; i++)
		strcat(deep, "}");
	EXPECT_EQ(0, items_put(self->c, "deep", v, DIM, deep));
	memmove(deep + 5, deep, strlen(deep) + 1);
	memcpy(deep, "{\"a\":", 5);
	strcat(deep, "}");
	EXPECT_EQ(-EINVAL, items_put(self->c, "y", v, DIM, deep));
	free(long_text);
}

TEST_F(collection, names_and_parameters_are_checked)
{
	const char *const bad[] = { "", "A", "a b", "a/b", "..", "\xc3\xa9" };
	struct vdfs_collection_params p = { .dim = DIM, .mode = 0644 };
	char name[VDFS_COLLECTION_NAME_MAX + 2];
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		EXPECT_EQ(-EINVAL, vdfs_collection_create(
					   self->db.db, &items_me, bad[i], &p));
	}
	memset(name, 'n', sizeof(name));
	name[VDFS_COLLECTION_NAME_MAX + 1] = '\0';
	EXPECT_EQ(-ENAMETOOLONG,
		  vdfs_collection_create(self->db.db, &items_me, name, &p));
	name[VDFS_COLLECTION_NAME_MAX] = '\0';
	EXPECT_EQ(0, vdfs_collection_create(self->db.db, &items_me, name, &p));
	/* The same again is no error, anything else is. */
	EXPECT_EQ(0, vdfs_collection_create(self->db.db, &items_me, name, &p));
	p.metric = VDFS_IP;
	EXPECT_EQ(-EEXIST,
		  vdfs_collection_create(self->db.db, &items_me, name, &p));
	p.dim = 0;
	EXPECT_EQ(-EINVAL,
		  vdfs_collection_create(self->db.db, &items_me, "n", &p));
	p.dim = VDFS_DIM_MAX + 1;
	EXPECT_EQ(-EINVAL,
		  vdfs_collection_create(self->db.db, &items_me, "n", &p));
	p.dim = VDFS_DIM_MAX;
	p.mode = 01000;
	EXPECT_EQ(-EINVAL,
		  vdfs_collection_create(self->db.db, &items_me, "n", &p));
	p.mode = 0;
	p.metric = 9;
	EXPECT_EQ(-EINVAL,
		  vdfs_collection_create(self->db.db, &items_me, "n", &p));
	p.metric = 0;
	EXPECT_EQ(0, vdfs_collection_create(self->db.db, &items_me, "n", &p));
}

TEST_F(collection, others_may_what_the_mode_says)
{
	float v[DIM] = { 1, 2, 3 };
	struct vdfs_collection_params p = { .dim = DIM };
	struct vdfs_collection *c;
	struct items_db *db = &self->db;

	ASSERT_EQ(0, items_put(self->c, "a", v, DIM, NULL));
	ASSERT_EQ(0, vdfs_collection_open(db->db, &other, "things", NULL, NULL,
					  &c));
	EXPECT_EQ(0, items_search(c, v, DIM, 1, NULL, self->a));
	EXPECT_EQ(-EACCES, items_put(c, "b", v, DIM, NULL));
	EXPECT_EQ(-EACCES, vdfs_collection_delete(c, "a"));
	EXPECT_EQ(-EACCES, vdfs_collection_index_field(c, "x", NULL, NULL));
	EXPECT_EQ(-EACCES, vdfs_collection_rebuild(c, NULL, NULL));
	EXPECT_EQ(-EACCES, vdfs_collection_save(c));
	EXPECT_EQ(-EACCES, vdfs_collection_drop(db->db, &other, "things"));
	vdfs_collection_put(c);

	ASSERT_EQ(0, make(db, "mine", VDFS_L2, VDFS_F32, 0600));
	EXPECT_EQ(-ENOENT,
		  vdfs_collection_open(db->db, &other, "mine", NULL, NULL, &c));
	EXPECT_EQ(-ENOENT, vdfs_collection_drop(db->db, &other, "mine"));
	EXPECT_EQ(-EEXIST, vdfs_collection_create(db->db, &other, "mine", &p));
	ASSERT_EQ(0,
		  vdfs_collection_open(db->db, &admin, "mine", NULL, NULL, &c));
	EXPECT_EQ(0, items_put(c, "a", v, DIM, NULL));
	vdfs_collection_put(c);

	ASSERT_EQ(0, make(db, "letters", VDFS_L2, VDFS_F32, 0602));
	ASSERT_EQ(0, vdfs_collection_open(db->db, &other, "letters", NULL, NULL,
					  &c));
	EXPECT_EQ(0, items_put(c, "a", v, DIM, NULL));
	EXPECT_EQ(-EACCES, items_search(c, v, DIM, 1, NULL, self->a));
	EXPECT_EQ(-EACCES, get(c, "a", self->a));
	EXPECT_EQ(-EACCES,
		  vdfs_collection_walk(c, NULL, items_collect, self->a));
	vdfs_collection_put(c);
	EXPECT_EQ(0, vdfs_collection_drop(db->db, &admin, "letters"));
}

static int count_list(void *arg, const char *name,
		      const struct vdfs_collection_params *params,
		      uint64_t items)
{
	char *out = arg;

	sprintf(out + strlen(out), "%s:%u:%u:%d ", name, params->dim,
		params->owner, (int)items);
	return 0;
}

TEST_F(collection, lists_what_a_user_may_see)
{
	float v[DIM] = { 1, 2, 3 };
	char text[200] = "";

	ASSERT_EQ(0, make(&self->db, "mine", VDFS_L2, VDFS_F32, 0600));
	ASSERT_EQ(0, items_put(self->c, "a", v, DIM, NULL));
	ASSERT_EQ(0, vdfs_collection_list(self->db.db, &items_me, count_list,
					  text));
	EXPECT_STREQ("mine:3:1000:0 things:3:1000:1 ", text);
	text[0] = '\0';
	ASSERT_EQ(0,
		  vdfs_collection_list(self->db.db, &other, count_list, text));
	EXPECT_STREQ("things:3:1000:1 ", text);
}

static int stop_at_three(void *arg, const struct vdfs_item *item, float dist)
{
	int *n = arg;

	(void)item;
	(void)dist;
	return ++*n == 3 ? 42 : 0;
}

TEST_F(collection, walks_by_key)
{
	float *rows = vectors_clustered(1000, DIM, 3, 1);
	int n = 0;

	ASSERT_EQ(0, items_fill(self->c, rows, DIM, 0, 1000));
	self->a->n = 0;
	ASSERT_EQ(0,
		  vdfs_collection_walk(self->c, NULL, items_collect, self->a));
	ASSERT_EQ(1000, self->a->n);
	EXPECT_STREQ("000000", self->a->key[0]);
	EXPECT_STREQ("000999", self->a->key[999]);
	self->a->n = 0;
	ASSERT_EQ(0, vdfs_collection_walk(self->c, "000400", items_collect,
					  self->a));
	EXPECT_EQ(599, self->a->n);
	EXPECT_EQ(42, vdfs_collection_walk(self->c, NULL, stop_at_three, &n));
	free(rows);
}

TEST_F(collection, are_limited_by_user)
{
	struct vdfs_collection_params p = { .dim = DIM };
	struct vdfs_db *db = self->db.db;
	uint32_t i, n;
	char name[32];

	for (i = 1; i < VDFS_COLLECTIONS_MAX; i++) {
		snprintf(name, sizeof(name), "c%u", i);
		ASSERT_EQ(0, make(&self->db, name, VDFS_L2, VDFS_F32, 0));
	}
	ASSERT_EQ(0, vdfs_collection_count(db, items_me.uid, &n));
	EXPECT_EQ(VDFS_COLLECTIONS_MAX, n);
	EXPECT_EQ(-EDQUOT, make(&self->db, "more", VDFS_L2, VDFS_F32, 0));
	/* One that is there is none more, and other users have their own. */
	EXPECT_EQ(0, make(&self->db, "c1", VDFS_L2, VDFS_F32, 0));
	EXPECT_EQ(0, vdfs_collection_create(db, &other, "others", &p));
	ASSERT_EQ(0, vdfs_collection_drop(db, &items_me, "c1"));
	EXPECT_EQ(0, make(&self->db, "more", VDFS_L2, VDFS_F32, 0));
}

TEST_HARNESS_MAIN
