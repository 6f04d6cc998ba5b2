// SPDX-License-Identifier: GPL-2.0-only
/* Equal vectors, nearly equal ones and equidistant ones hide no others. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "vdfsd/vectors.h"

#define DIM 24
#define OTHERS 1100
#define COPIES 220
#define ALL (OTHERS + COPIES)
#define QUERIES 50
#define NEAR 0.000001f

/* What the copies are copies of, and how they come among the others. */
enum order { FIRST, LAST, SCATTERED, ORDERS };

FIXTURE(twins)
{
	struct vdfs_params p;
	struct vdfs_index *ix;
	float *others;
	float *queries;
	float planted[DIM];
	uint64_t seed;
	double could; /* recall of the measure; negative = not known yet */
};

FIXTURE_VARIANT(twins)
{
	enum vdfs_metric metric;
	enum vdfs_type type;
	enum vdfs_codes codes;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(twins, l2) { VDFS_L2, VDFS_F32, VDFS_CODES_NONE };
FIXTURE_VARIANT_ADD(twins, ip) { VDFS_IP, VDFS_F32, VDFS_CODES_NONE };
FIXTURE_VARIANT_ADD(twins, cosine) { VDFS_COSINE, VDFS_F32, VDFS_CODES_NONE };
FIXTURE_VARIANT_ADD(twins, l2_codes8) { VDFS_L2, VDFS_F32, VDFS_CODES_8 };
FIXTURE_VARIANT_ADD(twins, l2_codes4) { VDFS_L2, VDFS_F32, VDFS_CODES_4 };
FIXTURE_VARIANT_ADD(twins, cosine_codes3) { VDFS_COSINE, VDFS_F32, VDFS_CODES_3 };
FIXTURE_VARIANT_ADD(twins, l2_codes2) { VDFS_L2, VDFS_F32, VDFS_CODES_2 };
FIXTURE_VARIANT_ADD(twins, l2_codes1) { VDFS_L2, VDFS_F32, VDFS_CODES_1 };
FIXTURE_VARIANT_ADD(twins, l2_f16) { VDFS_L2, VDFS_F16, VDFS_CODES_NONE };
FIXTURE_VARIANT_ADD(twins, cosine_f16_codes4) { VDFS_COSINE, VDFS_F16, VDFS_CODES_4 };
FIXTURE_VARIANT_ADD(twins, l2_i8) { VDFS_L2, VDFS_I8, VDFS_CODES_NONE };
FIXTURE_VARIANT_ADD(twins, ip_i8) { VDFS_IP, VDFS_I8, VDFS_CODES_NONE };
FIXTURE_VARIANT_ADD(twins, cosine_i8) { VDFS_COSINE, VDFS_I8, VDFS_CODES_NONE };
/* clang-format on */

/* Integers for int8 collections. */
static float fit(enum vdfs_type type, float x)
{
	return type == VDFS_I8 ? rintf(fmaxf(-128, fminf(127, 20 * x))) : x;
}

FIXTURE_SETUP(twins)
{
	size_t i;

	self->p = (struct vdfs_params){
		.dim = DIM,
		.metric = variant->metric,
		.type = variant->type,
		.codes = variant->codes,
		.m = 12,
		.ef_build = 100,
		.capacity = 4 * ALL,
		.seed = 1,
	};
	self->others = vectors_clustered(OTHERS, DIM, 30, 5);
	self->queries = vectors_clustered(QUERIES, DIM, 30, 6);
	for (i = 0; i < OTHERS * DIM; i++)
		self->others[i] = fit(variant->type, self->others[i]);
	for (i = 0; i < QUERIES * DIM; i++)
		self->queries[i] = fit(variant->type, self->queries[i]);
	/* Longer than the others, so that it is its own nearest by VDFS_IP. */
	for (i = 0; i < DIM; i++)
		self->planted[i] = fit(variant->type, i % 2 ? 2 : -2);
	self->seed = 9;
	self->could = -1;
	ASSERT_EQ(0, vdfs_index_new(&self->p, &self->ix));
}

FIXTURE_TEARDOWN(twins)
{
	vdfs_index_free(self->ix);
	free(self->others);
	free(self->queries);
}

/* Copies have the ids from OTHERS on. */
static int add_copy(FIXTURE_DATA(twins) * self, uint64_t i, float apart)
{
	float row[DIM];
	size_t d;

	for (d = 0; d < DIM; d++) {
		row[d] = self->planted[d];
		if (apart > 0)
			row[d] += apart * (vectors_uniform(&self->seed) - 0.5f);
	}
	return vdfs_index_add(self->ix, OTHERS + i, row);
}

static int add_other(FIXTURE_DATA(twins) * self, uint64_t i)
{
	return vdfs_index_add(self->ix, i, self->others + i * DIM);
}

static int fill(FIXTURE_DATA(twins) * self, enum order order, float apart)
{
	uint64_t i, other = 0, copy = 0;
	int ret = 0;

	for (i = 0; i < ALL && !ret; i++) {
		bool is_copy = order == FIRST ? i < COPIES :
			       order == LAST  ? i >= OTHERS :
						i % (ALL / COPIES) == 0;

		if (is_copy && copy < COPIES)
			ret = add_copy(self, copy++, apart);
		else
			ret = add_other(self, other++);
	}
	return ret;
}

/* How many of the nearest to the planted one are as near as they can be. */
static int copies_found(FIXTURE_DATA(twins) * self, int want)
{
	struct vdfs_query query = { .vector = self->planted,
				    .k = (uint32_t)want,
				    .ef = 64 };
	uint64_t *ids = calloc((size_t)want, sizeof(*ids));
	float *dist = calloc((size_t)want, sizeof(*dist));
	int n, hit = 0;

	n = vdfs_index_search(self->ix, &query, ids, dist);
	while (n-- > 0)
		hit += ids[n] >= OTHERS;
	free(ids);
	free(dist);
	return hit;
}

/*
 * An index with one copy is the measure: with codes of few bits, or a vector
 * that is the nearest to half of all by VDFS_IP, that misses some too.
 */
static double could(FIXTURE_DATA(twins) * self, const struct vdfs_query *how)
{
	struct vdfs_index *alone;
	double recall;
	uint64_t i;

	if (vdfs_index_new(&self->p, &alone))
		return 2;
	for (i = 0; i < OTHERS; i++)
		if (vdfs_index_add(alone, i, self->others + i * DIM))
			return 2;
	if (vdfs_index_add(alone, OTHERS, self->planted))
		return 2;
	recall = vectors_recall(alone, self->queries, QUERIES, how);
	vdfs_index_free(alone);
	return recall > 0.995 ? 1 : recall;
}

/* A test changes the planted one before it asks, or not at all. */
static double lost(FIXTURE_DATA(twins) * self)
{
	struct vdfs_query how = { .k = 10, .ef = 200, .rerank = 200 };

	if (self->could < 0)
		self->could = could(self, &how);
	return self->could -
	       vectors_recall(self->ix, self->queries, QUERIES, &how);
}

TEST_F(twins, copies_hide_no_others_in_any_order)
{
	enum order order;

	for (order = FIRST; order < ORDERS; order++) {
		ASSERT_EQ(0, fill(self, order, 0));
		EXPECT_GE(0.005, lost(self))
		{
			TH_LOG("order %d: %f", order, lost(self));
		}
		EXPECT_EQ(COPIES, copies_found(self, COPIES));
		vdfs_index_free(self->ix);
		ASSERT_EQ(0, vdfs_index_new(&self->p, &self->ix));
	}
}

/* The zero vector is one without direction, and refused, under cosine. */
TEST_F(twins, zero_vectors_hide_no_others)
{
	if (variant->metric == VDFS_COSINE)
		memcpy(self->planted, self->others, sizeof(self->planted));
	else
		memset(self->planted, 0, sizeof(self->planted));
	ASSERT_EQ(0, fill(self, FIRST, 0));
	EXPECT_GE(0.005, lost(self));
	if (variant->metric == VDFS_L2)
		EXPECT_EQ(COPIES, copies_found(self, COPIES));
}

/* By inner products the nearest of all is the longest, not a copy. */
static int copies_due(enum vdfs_metric metric)
{
	return metric == VDFS_IP ? 0 : COPIES;
}

/* From a rounding apart to nearly as far as the others are from each other. */
TEST_F_TIMEOUT(twins, near_copies_hide_no_others, 120)
{
	static const float aparts[] = { NEAR, 0.001f, 0.01f, 0.1f };
	enum order order;
	size_t i;

	if (variant->type == VDFS_I8)
		return;
	for (i = 0; i < 4 * ORDERS; i++) {
		order = (enum order)(i % ORDERS);
		ASSERT_EQ(0, fill(self, order, aparts[i / ORDERS]));
		EXPECT_GE(0.005, lost(self))
		{
			TH_LOG("order %d, %f apart: %f", order,
			       (double)aparts[i / ORDERS], lost(self));
		}
		EXPECT_LE(copies_due(variant->metric),
			  copies_found(self, COPIES))
		{
			TH_LOG("order %d, %f apart", order,
			       (double)aparts[i / ORDERS]);
		}
		vdfs_index_free(self->ix);
		ASSERT_EQ(0, vdfs_index_new(&self->p, &self->ix));
	}
}

TEST_F(twins, near_copies_churn)
{
	uint64_t i;

	if (variant->type == VDFS_I8)
		return;
	ASSERT_EQ(0, fill(self, SCATTERED, 0.01f));
	for (i = 0; i < COPIES; i += 2) {
		ASSERT_EQ(0, vdfs_index_delete(self->ix, OTHERS + i));
	}
	ASSERT_EQ(0, vdfs_index_repair(self->ix, NULL, NULL));
	EXPECT_LE(copies_due(variant->metric) / 2,
		  copies_found(self, COPIES / 2));
	EXPECT_GE(0.005, lost(self));
	for (i = 0; i < COPIES; i += 2) {
		ASSERT_EQ(0, add_copy(self, i, 0.01f));
	}
	EXPECT_LE(copies_due(variant->metric), copies_found(self, COPIES));
	EXPECT_GE(0.005, lost(self));
}

/* Each vector twice, the second time after all the others. */
TEST_F(twins, half_are_duplicates)
{
	struct vdfs_query query = { .k = 2, .ef = 64, .rerank = 64 };
	unsigned int found = 0, self_found = 0;
	uint64_t ids[2], i;
	float dist[2];

	for (i = 0; i < 2 * OTHERS; i++) {
		ASSERT_EQ(0, vdfs_index_add(self->ix, i,
					    self->others + i % OTHERS * DIM));
	}
	EXPECT_GE(0.005, lost(self));
	for (i = 0; i < OTHERS; i++) {
		query.vector = self->others + i * DIM;
		ASSERT_EQ(2, vdfs_index_search(self->ix, &query, ids, dist));
		self_found += ids[0] == i;
		found += ids[0] == i && ids[1] == i + OTHERS;
	}
	/* The one is found exactly when the other is. */
	if (variant->metric != VDFS_IP)
		EXPECT_EQ(self_found, found);
	if (variant->metric == VDFS_L2 && variant->type == VDFS_F32)
		EXPECT_LE(OTHERS * 99 / 100, found);
}

/* Heads go and their twins stay, twins go and their heads stay, all go. */
TEST_F(twins, churn)
{
	struct vdfs_index_stats stats;
	uint64_t i;

	ASSERT_EQ(0, fill(self, FIRST, 0));
	for (i = 0; i < COPIES; i += 2) {
		ASSERT_EQ(0, vdfs_index_delete(self->ix, OTHERS + i));
	}
	EXPECT_EQ(COPIES / 2, copies_found(self, COPIES / 2));
	ASSERT_EQ(0, vdfs_index_repair(self->ix, NULL, NULL));
	vdfs_index_stats(self->ix, &stats);
	EXPECT_EQ(0, stats.deleted);
	EXPECT_EQ(COPIES / 2, copies_found(self, COPIES / 2));
	EXPECT_GE(0.005, lost(self));
	for (i = 0; i < COPIES; i += 2) {
		ASSERT_EQ(0, add_copy(self, i, 0));
	}
	EXPECT_EQ(COPIES, copies_found(self, COPIES));
	for (i = 0; i < COPIES; i++) {
		ASSERT_EQ(0, vdfs_index_delete(self->ix, OTHERS + i));
	}
	EXPECT_EQ(0, copies_found(self, 10));
	ASSERT_EQ(0, vdfs_index_repair(self->ix, NULL, NULL));
	vdfs_index_stats(self->ix, &stats);
	EXPECT_EQ(0, stats.deleted);
	EXPECT_EQ(OTHERS, stats.live);
	for (i = 0; i < COPIES; i++) {
		ASSERT_EQ(0, add_copy(self, i, 0));
	}
	EXPECT_EQ(COPIES, copies_found(self, COPIES));
	/* Their slots were used again: the file of an index says it all. */
	EXPECT_GE(0.005, lost(self));
}

TEST_F(twins, subsets_have_single_twins)
{
	struct vdfs_query query = { .vector = self->planted, .k = 10 };
	struct vdfs_subset *subset;
	uint64_t *ids = malloc(ALL * sizeof(*ids));
	uint64_t found[10], i, n = 0;
	float dist[10];

	ASSERT_EQ(0, fill(self, SCATTERED, 0));
	/* Nearly all of them, so that it is walked, and few of the copies. */
	for (i = 0; i < OTHERS; i++)
		ids[n++] = i;
	for (i = COPIES - 7; i < COPIES; i++)
		ids[n++] = OTHERS + i;
	ASSERT_EQ(0, vdfs_subset_new(self->ix, ids, n, &subset));
	query.subset = subset;
	EXPECT_EQ(10, copies_found(self, 10));
	ASSERT_EQ(10, vdfs_index_search(self->ix, &query, found, dist));
	for (i = 0; i < 7; i++) {
		EXPECT_EQ(ALL - 7 + i, found[i]);
	}
	for (; i < 10; i++) {
		EXPECT_GT(OTHERS, found[i]);
	}
	vdfs_subset_free(subset);
	free(ids);
}

TEST_F(twins, are_saved)
{
	char path[] = "/tmp/twins-XXXXXX";
	struct vdfs_index *loaded;

	close(mkstemp(path));
	ASSERT_EQ(0, fill(self, FIRST, 0));
	ASSERT_EQ(0, vdfs_index_delete(self->ix, OTHERS));
	ASSERT_EQ(0, vdfs_index_repair(self->ix, NULL, NULL));
	ASSERT_EQ(0, vdfs_index_save(self->ix, path, 3));
	ASSERT_EQ(0, vdfs_index_load(path, 3, &loaded));
	unlink(path);
	vdfs_index_free(self->ix);
	self->ix = loaded;
	EXPECT_EQ(COPIES - 1, copies_found(self, COPIES - 1));
	/* A new copy finds the ghost of the first. */
	ASSERT_EQ(0, add_copy(self, 0, 0));
	EXPECT_EQ(COPIES, copies_found(self, COPIES));
	EXPECT_GE(0.005, lost(self));
}

/* A thousand copies of one vector say nothing of the others. */
TEST(codes_are_learnt_from_distinct_vectors)
{
	struct vdfs_params p = { .dim = DIM,
				 .codes = VDFS_CODES_4,
				 .m = 12,
				 .ef_build = 100,
				 .capacity = 3 * OTHERS };
	struct vdfs_query how = { .k = 10, .ef = 200, .rerank = 200 };
	float *rows = vectors_clustered(OTHERS, DIM, 30, 5);
	float *queries = vectors_clustered(QUERIES, DIM, 30, 6);
	struct vdfs_index_stats stats;
	struct vdfs_index *ix;
	uint64_t i;

	ASSERT_EQ(0, vdfs_index_new(&p, &ix));
	for (i = 0; i < OTHERS; i++) {
		ASSERT_EQ(0, vdfs_index_add(ix, OTHERS + i, rows));
	}
	vdfs_index_stats(ix, &stats);
	EXPECT_FALSE(stats.coded);
	for (i = 0; i < OTHERS; i++) {
		ASSERT_EQ(0, vdfs_index_add(ix, i, rows + i * DIM));
	}
	vdfs_index_stats(ix, &stats);
	EXPECT_TRUE(stats.coded);
	EXPECT_LE(0.99, vectors_recall(ix, queries, QUERIES, &how));
	vdfs_index_free(ix);
	free(rows);
	free(queries);
}

/* Codes say a direction: the long one must not hang from the short one. */
TEST(vectors_of_other_lengths_are_no_twins)
{
	struct vdfs_params p = { .dim = DIM,
				 .metric = VDFS_IP,
				 .codes = VDFS_CODES_4,
				 .m = 12,
				 .ef_build = 100,
				 .capacity = 2 * OTHERS };
	float *rows = vectors_clustered(OTHERS, DIM, 30, 5);
	float part[DIM], all[DIM];
	struct vdfs_query query = { .vector = all, .k = 1, .ef = 16 };
	struct vdfs_index *ix;
	uint64_t id, i;
	float dist;

	for (i = 0; i < DIM; i++) {
		all[i] = 8 * rows[i];
		part[i] = rows[i] / 128;
	}
	ASSERT_EQ(0, vdfs_index_new(&p, &ix));
	for (i = 1; i < OTHERS; i++) {
		ASSERT_EQ(0, vdfs_index_add(ix, i, rows + i * DIM));
	}
	ASSERT_EQ(0, vdfs_index_add(ix, OTHERS, part));
	ASSERT_EQ(0, vdfs_index_add(ix, OTHERS + 1, all));
	ASSERT_EQ(1, vdfs_index_search(ix, &query, &id, &dist));
	EXPECT_EQ(OTHERS + 1, id);
	vdfs_index_free(ix);
	free(rows);
}

/* No two are equal and all are as far from each other: no row may be full. */
TEST(equidistant_ones_hide_no_others)
{
	enum { SIDES = 200, MORE = 1500 };
	struct vdfs_params p = {
		.dim = SIDES, .m = 8, .ef_build = 60, .capacity = SIDES + MORE
	};
	struct vdfs_query how = { .k = 10, .ef = 100 };
	float *rows = vectors_clustered(MORE, SIDES, 30, 5);
	float *queries = vectors_clustered(QUERIES, SIDES, 30, 6);
	float side[SIDES] = { 0 };
	struct vdfs_index *ix;
	uint64_t i;

	ASSERT_EQ(0, vdfs_index_new(&p, &ix));
	for (i = 0; i < SIDES; i++) {
		side[i] = 0.1f;
		ASSERT_EQ(0, vdfs_index_add(ix, MORE + i, side));
		side[i] = 0;
	}
	for (i = 0; i < MORE; i++) {
		ASSERT_EQ(0, vdfs_index_add(ix, i, rows + i * SIDES));
	}
	EXPECT_LE(0.995, vectors_recall(ix, queries, QUERIES, &how));
	vdfs_index_free(ix);
	free(rows);
	free(queries);
}

/* The others that a search misses behind @copies of @planted, in thousandths. */
static int missed_of_many(const float *planted, uint64_t copies)
{
	enum { MANY = 10000 };
	struct vdfs_params p = {
		.dim = DIM, .m = 16, .ef_build = 100, .capacity = MANY + copies
	};
	struct vdfs_query how = { .k = 10, .ef = 100 };
	float *rows = vectors_clustered(MANY, DIM, 30, 5);
	float *queries = vectors_clustered(QUERIES, DIM, 30, 6);
	struct vdfs_index *ix;
	double recall = 0;
	uint64_t i;
	int ret;

	ret = vdfs_index_new(&p, &ix);
	for (i = 0; i < MANY + copies && !ret; i++)
		ret = vdfs_index_add(ix, i,
				     i < copies ? planted :
						  rows + (i - copies) * DIM);
	if (!ret)
		recall = vectors_recall(ix, queries, QUERIES, &how);
	vdfs_index_free(ix);
	free(rows);
	free(queries);
	return (int)(1000 - 1000 * recall);
}

TEST(a_hundred_zero_vectors_hide_none_of_ten_thousand)
{
	const float zero[DIM] = { 0 };

	EXPECT_GE(5, missed_of_many(zero, 100));
}

TEST(three_hundred_copies_hide_none_of_ten_thousand)
{
	float *row = vectors_clustered(1, DIM, 30, 7);

	EXPECT_GE(5, missed_of_many(row, 300));
	free(row);
}

TEST_HARNESS_MAIN
