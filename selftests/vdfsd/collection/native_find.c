// SPDX-License-Identifier: GPL-2.0-only
/* What collections find, against looking at everything here. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <kselftest_harness.h>

#include "vdfsd/items.h"
#include "vdfsd/vectors.h"

#define DIM 24
#define N 3000
#define EXACT 40 /* queries that are compared one by one */
/* So many that one promise of .99 is not decided by a few answers. */
#define QUERIES 400
#define K 10
/* Distances here are in double precision; under cosine, f16 rows round. */
#define SLACK 0.0003

FIXTURE(find)
{
	struct items_db db;
	struct vdfs_collection *c;
	struct items_answers *a;
	float *rows;
	float *queries;
};

FIXTURE_VARIANT(find)
{
	enum vdfs_metric metric;
	enum vdfs_type type;
	enum vdfs_codes codes;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(find, l2) { VDFS_L2, VDFS_F32, VDFS_CODES_NONE };
FIXTURE_VARIANT_ADD(find, ip) { VDFS_IP, VDFS_F32, VDFS_CODES_NONE };
FIXTURE_VARIANT_ADD(find, cosine) { VDFS_COSINE, VDFS_F32, VDFS_CODES_NONE };
FIXTURE_VARIANT_ADD(find, l2_codes) { VDFS_L2, VDFS_F32, VDFS_CODES_8 };
FIXTURE_VARIANT_ADD(find, cosine_codes) { VDFS_COSINE, VDFS_F32, VDFS_CODES_8 };
FIXTURE_VARIANT_ADD(find, l2_codes3) { VDFS_L2, VDFS_F32, VDFS_CODES_3 };
FIXTURE_VARIANT_ADD(find, cosine_codes2) { VDFS_COSINE, VDFS_F32, VDFS_CODES_2 };
FIXTURE_VARIANT_ADD(find, l2_i8) { VDFS_L2, VDFS_I8, VDFS_CODES_NONE };
FIXTURE_VARIANT_ADD(find, l2_f16) { VDFS_L2, VDFS_F16, VDFS_CODES_4 };
FIXTURE_VARIANT_ADD(find, cosine_f16) { VDFS_COSINE, VDFS_F16, VDFS_CODES_NONE };
FIXTURE_VARIANT_ADD(find, cosine_i8) { VDFS_COSINE, VDFS_I8, VDFS_CODES_NONE };
/* clang-format on */

FIXTURE_SETUP(find)
{
	struct vdfs_collection_params p = {
		.dim = DIM,
		.metric = variant->metric,
		.type = variant->type,
		.codes = variant->codes,
		.ef_build = 60,
		.m = 12,
	};
	size_t i;

	self->a = items_answers();
	if (variant->type == VDFS_I8) {
		self->rows = vectors_small_ints(N, DIM, 5);
		self->queries = vectors_small_ints(QUERIES, DIM, 6);
	} else {
		self->rows = vectors_clustered(N, DIM, 50, 5);
		self->queries = vectors_clustered(QUERIES, DIM, 50, 6);
	}
	/* What half precision holds: a multiple of 1/64 below 32. */
	for (i = 0; variant->type == VDFS_F16 && i < N * DIM; i++)
		self->rows[i] = rintf(self->rows[i] * 64) / 64;
	ASSERT_EQ(0, items_make(&self->db));
	ASSERT_EQ(0, vdfs_collection_create(self->db.db, &items_me, "c", &p));
	ASSERT_EQ(0, vdfs_collection_open(self->db.db, &items_me, "c", NULL,
					  NULL, &self->c));
	ASSERT_EQ(0, items_fill(self->c, self->rows, DIM, 0, N / 2));
	ASSERT_EQ(0, items_fill(self->c, self->rows, DIM, N / 2, N));
}

FIXTURE_TEARDOWN(find)
{
	vdfs_collection_put(self->c);
	items_remove(&self->db);
	items_forget(self->a);
	free(self->rows);
	free(self->queries);
}

static double distance(enum vdfs_metric metric, const float *a, const float *b)
{
	double dot = 0, aa = 0, bb = 0, l2 = 0;
	int d;

	for (d = 0; d < DIM; d++) {
		dot += (double)a[d] * b[d];
		aa += (double)a[d] * a[d];
		bb += (double)b[d] * b[d];
		l2 += ((double)a[d] - b[d]) * ((double)a[d] - b[d]);
	}
	if (metric == VDFS_L2)
		return l2;
	return metric == VDFS_IP ? -dot : 1 - dot / sqrt(aa * bb);
}

static int rising(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Distances of all, the K nearest first. */
static const double *truth(enum vdfs_metric metric, const float *rows,
			   const float *query)
{
	static double all[N];
	size_t i;

	for (i = 0; i < N; i++)
		all[i] = distance(metric, rows + i * DIM, query);
	qsort(all, N, sizeof(*all), rising);
	return all;
}

TEST_F(find, is_exact_when_asked_to_be)
{
	size_t i, j;

	for (i = 0; i < EXACT; i++) {
		const float *query = self->queries + i * DIM;
		const double *want = truth(variant->metric, self->rows, query);

		ASSERT_EQ(0,
			  items_search(self->c, query, DIM, K, NULL, self->a));
		ASSERT_EQ(K, self->a->n);
		for (j = 0; j < K; j++) {
			double got = self->a->dist[j];
			const float *row =
				self->rows + atoi(self->a->key[j]) * DIM;

			EXPECT_LT(fabs(got - want[j]),
				  SLACK * (1 + fabs(want[j])));
			EXPECT_LT(fabs(distance(variant->metric, row, query) -
				       want[j]),
				  SLACK * (1 + fabs(want[j])));
		}
	}
}

static double recall(struct vdfs_collection *c, struct items_answers *a,
		     const float *rows, const float *queries,
		     enum vdfs_metric metric, uint32_t ef, float target)
{
	struct vdfs_search search = {
		.dim = DIM,
		.k = K,
		.ef = ef,
		.recall = target,
	};
	size_t hit = 0;
	size_t i, j;

	for (i = 0; i < QUERIES; i++) {
		const double *want;
		double limit;

		search.vector = queries + i * DIM;
		want = truth(metric, rows, search.vector);
		limit = want[K - 1] + SLACK * (1 + fabs(want[K - 1]));
		a->n = 0;
		if (vdfs_collection_search(c, &search, items_collect, a))
			return -1;
		for (j = 0; j < a->n; j++)
			hit += a->dist[j] <= limit;
	}
	return (double)hit / (QUERIES * K);
}

TEST_F(find, comes_to_the_recall_that_is_wanted)
{
	double r = recall(self->c, self->a, self->rows, self->queries,
			  variant->metric, 0, 0.9f);

	EXPECT_LE(0.9, r)
	{
		TH_LOG("%f", r);
	}
	r = recall(self->c, self->a, self->rows, self->queries, variant->metric,
		   0, 0.99f);
	EXPECT_LE(0.99, r)
	{
		TH_LOG("%f", r);
	}
	r = recall(self->c, self->a, self->rows, self->queries, variant->metric,
		   400, 0);
	EXPECT_LT(0.97, r)
	{
		TH_LOG("%f", r);
	}
}

/* Filters of every selectivity: never fewer than there are. */
TEST_F(find, filters_leave_the_nearest_of_what_matches)
{
	static const int modulo[] = { 2, 9, 40, 700 };
	char metadata[64], filter[64], key[16];
	struct vdfs_item item = { .key = key, .metadata = metadata };
	size_t i, j, m;

	for (i = 0; i < N; i++) {
		snprintf(key, sizeof(key), "%06zu", i);
		snprintf(metadata, sizeof(metadata),
			 "{\"m2\":%zu,\"m9\":%zu,\"m40\":%zu,\"m700\":%zu}",
			 i % 2, i % 9, i % 40, i % 700);
		ASSERT_EQ(0, vdfs_collection_update(self->c, &item));
	}
	for (m = 0; m < 4; m++) {
		for (i = 0; i < 10; i++) {
			const float *query = self->queries + i * DIM;
			double all[N];
			size_t n = 0;

			for (j = 1; j < N; j += (size_t)modulo[m])
				all[n++] = distance(variant->metric,
						    self->rows + j * DIM,
						    query);
			qsort(all, n, sizeof(*all), rising);
			snprintf(filter, sizeof(filter), "{\"m%d\":1}",
				 modulo[m]);
			ASSERT_EQ(0, items_search(self->c, query, DIM, K,
						  filter, self->a));
			ASSERT_EQ(n < K ? n : K, self->a->n);
			for (j = 0; j < self->a->n; j++) {
				EXPECT_LT(fabs(self->a->dist[j] - all[j]),
					  SLACK * (1 + fabs(all[j])));
			}
		}
	}
}

FIXTURE(ties)
{
	struct items_db db;
	struct vdfs_collection *c;
	struct items_answers *a;
};

FIXTURE_SETUP(ties)
{
	struct vdfs_collection_params p = { .dim = 2, .type = VDFS_I8 };

	self->a = items_answers();
	ASSERT_EQ(0, items_make(&self->db));
	ASSERT_EQ(0, vdfs_collection_create(self->db.db, &items_me, "c", &p));
	ASSERT_EQ(0, vdfs_collection_open(self->db.db, &items_me, "c", NULL,
					  NULL, &self->c));
}

FIXTURE_TEARDOWN(ties)
{
	vdfs_collection_put(self->c);
	items_remove(&self->db);
	items_forget(self->a);
}

/* @n equal items whose keys come in an order that is not that of ids. */
static int equal_items(struct vdfs_collection *c, size_t n, const float *v)
{
	struct vdfs_item *item = calloc(n, sizeof(*item));
	char(*key)[16] = calloc(n, sizeof(*key));
	size_t i;
	int ret;

	for (i = 0; i < n; i++) {
		snprintf(key[i], sizeof(key[i]), "k%06zu", i * 7919 % n);
		item[i].key = key[i];
		item[i].vector = v;
		item[i].dim = 2;
		item[i].metadata = i * 7919 % n % 2 ? "{\"odd\":1}" : NULL;
	}
	ret = vdfs_collection_insert(c, item, n, 0, NULL);
	free(item);
	free(key);
	return ret;
}

static size_t wrong_order(const struct items_answers *a, size_t from, int step,
			  int first)
{
	size_t wrong = 0;
	char key[16];
	size_t i;

	for (i = from; i < a->n; i++) {
		snprintf(key, sizeof(key), "k%06d",
			 first + (int)(i - from) * step);
		wrong += strcmp(key, a->key[i]) != 0;
	}
	return wrong;
}

TEST_F(ties, are_ordered_by_key)
{
	float v[2] = { 1, 1 };
	float near[2] = { 0, 0 };

	ASSERT_EQ(0, equal_items(self->c, 500, v));
	ASSERT_EQ(0, items_put(self->c, "zz", near, 2, NULL));
	ASSERT_EQ(0, items_search(self->c, near, 2, 20, NULL, self->a));
	ASSERT_EQ(20, self->a->n);
	EXPECT_STREQ("zz", self->a->key[0]);
	EXPECT_EQ(0, wrong_order(self->a, 1, 1, 0));
	ASSERT_EQ(0,
		  items_search(self->c, near, 2, 20, "{\"odd\":1}", self->a));
	ASSERT_EQ(20, self->a->n);
	EXPECT_EQ(0, wrong_order(self->a, 0, 2, 1));
}

/* More than the index can be asked for. */
TEST_F_TIMEOUT(ties, are_ordered_by_key_however_many, 200)
{
	float v[2] = { 1, 1 };
	float near[2] = { 0, 0 };
	char filter[1024], *to;
	int i;

	ASSERT_EQ(0, equal_items(self->c, 17000, v));
	ASSERT_EQ(0, items_put(self->c, "zz", near, 2, NULL));
	ASSERT_EQ(0, items_search(self->c, near, 2, 20, NULL, self->a));
	ASSERT_EQ(20, self->a->n);
	EXPECT_STREQ("zz", self->a->key[0]);
	EXPECT_EQ(0, wrong_order(self->a, 1, 1, 0));
	ASSERT_EQ(0, items_search(self->c, near, 2, VDFS_K_MAX, NULL, self->a));
	ASSERT_EQ(VDFS_K_MAX, self->a->n);
	EXPECT_EQ(0, wrong_order(self->a, 1, 1, 0));
	/* The first of them by key does not match a filter, a long one. */
	ASSERT_EQ(0, items_put(self->c, "a", v, 2, "{\"no\":1}"));
	to = stpcpy(filter, "{\"$or\":[{\"no\":{\"$ne\":1}}");
	for (i = 0; i < 30; i++)
		to += sprintf(to, ",{\"x\":%d}", i);
	stpcpy(to, "]}");
	ASSERT_EQ(0, items_search(self->c, near, 2, 20, filter, self->a));
	ASSERT_EQ(20, self->a->n);
	EXPECT_STREQ("zz", self->a->key[0]);
	EXPECT_EQ(0, wrong_order(self->a, 1, 1, 0));
}

/* The calls 0x0760 to 0x0764 ask no more than this. */
TEST_F(ties, suffices_for_mathis)
{
	struct vdfs_collection_params p = { .dim = 2,
					    .metric = VDFS_COSINE,
					    .mode = 0600 };
	float v[2] = { 1, 0 };
	float w[2] = { 0, 3 };
	float zero[2] = { 0, 0 };
	struct vdfs_item update = { .key = "b", .vector = w, .dim = 2 };
	struct vdfs_db *db = self->db.db;
	struct vdfs_collection *c;

	/* create: the same again is the same, other dims or metric are not */
	ASSERT_EQ(0, vdfs_collection_create(db, &items_me, "mem-1_a", &p));
	ASSERT_EQ(0, vdfs_collection_create(db, &items_me, "mem-1_a", &p));
	p.dim = 3;
	EXPECT_EQ(-EEXIST,
		  vdfs_collection_create(db, &items_me, "mem-1_a", &p));
	p.dim = 2;
	p.metric = VDFS_L2;
	EXPECT_EQ(-EEXIST,
		  vdfs_collection_create(db, &items_me, "mem-1_a", &p));
	EXPECT_EQ(-EINVAL, vdfs_collection_create(db, &items_me, "Mem", &p));
	ASSERT_EQ(0, vdfs_collection_open(db, &items_me, "mem-1_a", NULL, NULL,
					  &c));
	/* insert */
	ASSERT_EQ(0, items_put(c, "b", v, 2, "{\"tag\":\"x\",\"n\":1}"));
	ASSERT_EQ(0, items_put(c, "a", v, 2, "{\"tag\":\"x\",\"n\":2}"));
	ASSERT_EQ(0, items_put(c, "c", w, 2, "{\"tag\":\"y\"}"));
	EXPECT_EQ(-EEXIST, items_put(c, "a", v, 2, NULL));
	EXPECT_EQ(-EMSGSIZE, items_put(c, "d", v, 1, NULL));
	EXPECT_EQ(-EDOM, items_put(c, "d", zero, 2, NULL));
	/* search: exact, best first, ties by id */
	ASSERT_EQ(0, items_search(c, v, 2, 3, NULL, self->a));
	ASSERT_EQ(3, self->a->n);
	EXPECT_STREQ("a", self->a->key[0]);
	EXPECT_STREQ("b", self->a->key[1]);
	EXPECT_STREQ("c", self->a->key[2]);
	EXPECT_STREQ("{\"tag\":\"y\"}", self->a->metadata);
	ASSERT_EQ(0, items_search(c, v, 2, 3,
				  "{\"$or\":[{\"tag\":\"y\"},\n"
				  "{\"n\":{\"$gte\":2}}]}",
				  self->a));
	ASSERT_EQ(2, self->a->n);
	EXPECT_STREQ("a", self->a->key[0]);
	EXPECT_STREQ("c", self->a->key[1]);
	/* delete, twice; update */
	EXPECT_EQ(0, vdfs_collection_delete(c, "a"));
	EXPECT_EQ(0, vdfs_collection_delete(c, "a"));
	EXPECT_EQ(0, vdfs_collection_update(c, &update));
	update.key = "a";
	EXPECT_EQ(-ENOENT, vdfs_collection_update(c, &update));
	ASSERT_EQ(0, items_search(c, w, 2, 3, NULL, self->a));
	ASSERT_EQ(2, self->a->n);
	EXPECT_STREQ("b", self->a->key[0]);
	EXPECT_STREQ("c", self->a->key[1]);
	EXPECT_STREQ("{\"tag\":\"y\"}", self->a->metadata);
	vdfs_collection_put(c);
}

TEST_HARNESS_MAIN
