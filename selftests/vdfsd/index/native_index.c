// SPDX-License-Identifier: GPL-2.0-only
/* The index against a full scan: what it finds, and what it never may. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <kselftest_harness.h>

#include "vdfsd/vectors.h"

#define DIM 24
#define N 3000
/* For tests that need no more. */
#define FEW 300
#define QUERIES 100

FIXTURE(index)
{
	struct vdfs_index *ix;
	float *rows;
	float *queries;
};

FIXTURE_VARIANT(index)
{
	enum vdfs_metric metric;
	enum vdfs_type type;
	enum vdfs_codes codes;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(index, l2) { VDFS_L2, VDFS_F32, VDFS_CODES_NONE };
FIXTURE_VARIANT_ADD(index, ip) { VDFS_IP, VDFS_F32, VDFS_CODES_NONE };
FIXTURE_VARIANT_ADD(index, cosine) { VDFS_COSINE, VDFS_F32, VDFS_CODES_NONE };
FIXTURE_VARIANT_ADD(index, l2_codes) { VDFS_L2, VDFS_F32, VDFS_CODES_8 };
FIXTURE_VARIANT_ADD(index, ip_codes) { VDFS_IP, VDFS_F32, VDFS_CODES_8 };
FIXTURE_VARIANT_ADD(index, cosine_codes) { VDFS_COSINE, VDFS_F32, VDFS_CODES_8 };
FIXTURE_VARIANT_ADD(index, l2_codes4) { VDFS_L2, VDFS_F32, VDFS_CODES_4 };
FIXTURE_VARIANT_ADD(index, ip_codes4) { VDFS_IP, VDFS_F32, VDFS_CODES_4 };
FIXTURE_VARIANT_ADD(index, cosine_codes4) { VDFS_COSINE, VDFS_F32, VDFS_CODES_4 };
FIXTURE_VARIANT_ADD(index, l2_codes3) { VDFS_L2, VDFS_F32, VDFS_CODES_3 };
FIXTURE_VARIANT_ADD(index, ip_codes3) { VDFS_IP, VDFS_F32, VDFS_CODES_3 };
FIXTURE_VARIANT_ADD(index, cosine_codes3) { VDFS_COSINE, VDFS_F32, VDFS_CODES_3 };
FIXTURE_VARIANT_ADD(index, l2_codes2) { VDFS_L2, VDFS_F32, VDFS_CODES_2 };
FIXTURE_VARIANT_ADD(index, ip_codes2) { VDFS_IP, VDFS_F32, VDFS_CODES_2 };
FIXTURE_VARIANT_ADD(index, cosine_codes2) { VDFS_COSINE, VDFS_F32, VDFS_CODES_2 };
FIXTURE_VARIANT_ADD(index, l2_codes1) { VDFS_L2, VDFS_F32, VDFS_CODES_1 };
FIXTURE_VARIANT_ADD(index, ip_codes1) { VDFS_IP, VDFS_F32, VDFS_CODES_1 };
FIXTURE_VARIANT_ADD(index, cosine_codes1) { VDFS_COSINE, VDFS_F32, VDFS_CODES_1 };
FIXTURE_VARIANT_ADD(index, l2_f16) { VDFS_L2, VDFS_F16, VDFS_CODES_NONE };
FIXTURE_VARIANT_ADD(index, ip_f16) { VDFS_IP, VDFS_F16, VDFS_CODES_NONE };
FIXTURE_VARIANT_ADD(index, cosine_f16_codes) { VDFS_COSINE, VDFS_F16, VDFS_CODES_4 };
FIXTURE_VARIANT_ADD(index, l2_i8) { VDFS_L2, VDFS_I8, VDFS_CODES_NONE };
FIXTURE_VARIANT_ADD(index, ip_i8) { VDFS_IP, VDFS_I8, VDFS_CODES_NONE };
FIXTURE_VARIANT_ADD(index, cosine_i8) { VDFS_COSINE, VDFS_I8, VDFS_CODES_NONE };
/* clang-format on */

static struct vdfs_params params(const FIXTURE_VARIANT(index) * variant)
{
	struct vdfs_params p = {
		.dim = DIM,
		.metric = variant->metric,
		.type = variant->type,
		.codes = variant->codes,
		.m = 12,
		.ef_build = 100,
		.capacity = 2 * N,
		.seed = 1,
	};

	return p;
}

FIXTURE_SETUP(index)
{
	struct vdfs_params p = params(variant);

	ASSERT_EQ(0, vdfs_index_new(&p, &self->ix));
	if (variant->type == VDFS_I8) {
		self->rows = vectors_small_ints(N, DIM, 5);
		self->queries = vectors_small_ints(QUERIES, DIM, 6);
	} else {
		self->rows = vectors_clustered(N, DIM, 50, 5);
		self->queries = vectors_clustered(QUERIES, DIM, 50, 6);
	}
}

FIXTURE_TEARDOWN(index)
{
	vdfs_index_free(self->ix);
	free(self->rows);
	free(self->queries);
}

TEST_F(index, finds_nearly_all)
{
	struct vdfs_query how = { .k = 10, .ef = 200, .rerank = 60 };

	ASSERT_EQ(0, vdfs_index_build(self->ix, NULL, self->rows, N, 1, NULL,
				      NULL));
	EXPECT_LT(0.97, vectors_recall(self->ix, self->queries, QUERIES, &how));
}

/* The same by adding one at a time, through the moment codes are learnt. */
TEST_F(index, finds_nearly_all_that_came_one_by_one)
{
	struct vdfs_query how = { .k = 10, .ef = 200, .rerank = 60 };
	size_t i;

	for (i = 0; i < N; i++) {
		ASSERT_EQ(0, vdfs_index_add(self->ix, i, self->rows + i * DIM));
	}
	EXPECT_LT(0.97, vectors_recall(self->ix, self->queries, QUERIES, &how));
}

TEST_F(index, distances_are_those_of_the_metric)
{
	struct vdfs_query query = { .k = 1, .ef = 50 };
	uint64_t id;
	float dist;
	size_t d;

	ASSERT_EQ(0, vdfs_index_build(self->ix, NULL, self->rows, 200, 1, NULL,
				      NULL));
	query.vector = self->queries;
	ASSERT_EQ(1, vdfs_index_scan(self->ix, &query, &id, &dist));

	double l2 = 0, ip = 0, a = 0, b = 0;

	for (d = 0; d < DIM; d++) {
		double x = self->rows[id * DIM + d];
		double y = self->queries[d];

		l2 += (x - y) * (x - y);
		ip += x * y;
		a += x * x;
		b += y * y;
	}
	if (variant->metric == VDFS_L2)
		EXPECT_GT(0.001 * l2 + 0.000001, fabs(l2 - (double)dist));
	if (variant->metric == VDFS_IP)
		EXPECT_GT(0.001 * fabs(ip) + 0.000001,
			  fabs(-ip - (double)dist));
	if (variant->metric == VDFS_COSINE)
		EXPECT_GT(0.0001, fabs(1 - ip / sqrt(a * b) - (double)dist));
}

/* What is built at once gets codes, however few: without, it is scanned. */
static int build_few(FIXTURE_DATA(index) * self)
{
	struct vdfs_index_stats stats;
	int ret = vdfs_index_build(self->ix, NULL, self->rows, FEW, 1, NULL,
				   NULL);

	vdfs_index_stats(self->ix, &stats);
	return ret ?: stats.coded ? 0 : -ENODATA;
}

TEST_F(index, deleted_ones_are_never_found)
{
	struct vdfs_query query = { .k = 10, .ef = 100 };
	uint64_t ids[10];
	float dist[10];
	int i, j;

	ASSERT_EQ(0, build_few(self));
	for (i = 0; i < FEW; i += 2) {
		ASSERT_EQ(0, vdfs_index_delete(self->ix, (uint64_t)i));
	}
	EXPECT_EQ(-ENOENT, vdfs_index_delete(self->ix, 0));
	EXPECT_EQ(-ENOENT, vdfs_index_delete(self->ix, FEW + 7));
	for (i = 0; i < QUERIES; i++) {
		query.vector = self->queries + i * DIM;
		ASSERT_EQ(10, vdfs_index_search(self->ix, &query, ids, dist));
		for (j = 0; j < 10; j++) {
			EXPECT_EQ(1, ids[j] % 2);
		}
	}
}

TEST_F(index, gives_k_when_k_exist)
{
	struct vdfs_query query = { .k = 20, .ef = 1, .rerank = 1 };
	uint64_t ids[20];
	float dist[20];
	int i;

	ASSERT_EQ(0, build_few(self));
	for (i = 20; i < FEW; i++) {
		ASSERT_EQ(0, vdfs_index_delete(self->ix, (uint64_t)i));
	}
	query.vector = self->queries;
	EXPECT_EQ(20, vdfs_index_search(self->ix, &query, ids, dist));
	ASSERT_EQ(0, vdfs_index_repair(self->ix, NULL, NULL));
	EXPECT_EQ(20, vdfs_index_search(self->ix, &query, ids, dist));
	ASSERT_EQ(0, vdfs_index_delete(self->ix, 3));
	EXPECT_EQ(19, vdfs_index_search(self->ix, &query, ids, dist));
}

/* Ten times over: a tenth goes and as many come, then a repair. */
TEST_F(index, turnovers_cost_no_recall)
{
	struct vdfs_query how = { .k = 10, .ef = 100, .rerank = 60 };
	struct vdfs_params p = params(variant);
	struct vdfs_index_stats stats;
	struct vdfs_index *fresh;
	float row[DIM];
	size_t turn, i, id;

	ASSERT_EQ(0, vdfs_index_build(self->ix, NULL, self->rows, N, 1, NULL,
				      NULL));
	for (turn = 0; turn < 10; turn++) {
		for (i = 0; i < N / 10; i++) {
			id = (turn * N / 10 + i) % N;
			ASSERT_EQ(0, vdfs_index_delete(self->ix, id));
		}
		ASSERT_EQ(0, vdfs_index_repair(self->ix, NULL, NULL));
		for (i = 0; i < N / 10; i++) {
			id = (turn * N / 10 + i) % N;
			ASSERT_EQ(0, vdfs_index_add(self->ix, id,
						    self->rows + id * DIM));
		}
	}
	vdfs_index_stats(self->ix, &stats);
	EXPECT_EQ(N, stats.live);
	EXPECT_EQ(0, stats.deleted);
	ASSERT_EQ(0, vdfs_index_get(self->ix, 17, row));
	ASSERT_EQ(0, vdfs_index_new(&p, &fresh));
	ASSERT_EQ(0,
		  vdfs_index_build(fresh, NULL, self->rows, N, 1, NULL, NULL));
	EXPECT_LT(vectors_recall(fresh, self->queries, QUERIES, &how) - 0.005,
		  vectors_recall(self->ix, self->queries, QUERIES, &how));
	vdfs_index_free(fresh);
}

TEST_F(index, subsets_of_every_size)
{
	static const int parts[] = { 1000, 100, 20, 9, 2, 1, 0 };
	struct vdfs_query how = { .k = 10, .ef = 150, .rerank = 60 };
	struct vdfs_subset *subset;
	uint64_t *ids = malloc((N + 1) * sizeof(*ids));
	uint64_t found[10];
	float dist[10];
	size_t i, n, part;
	int got;

	ASSERT_EQ(0, vdfs_index_build(self->ix, NULL, self->rows, N, 1, NULL,
				      NULL));
	for (part = 0; parts[part]; part++) {
		for (i = 0, n = 0; i < N; i += (size_t)parts[part])
			ids[n++] = i;
		ids[n] = ids[0];
		/* Named twice is in it once. */
		ASSERT_EQ(0, vdfs_subset_new(self->ix, ids, n + 1, &subset));
		EXPECT_EQ(n, vdfs_subset_size(subset));
		how.subset = subset;
		how.vector = self->queries;
		got = vdfs_index_search(self->ix, &how, found, dist);
		EXPECT_EQ(n < 10 ? (int)n : 10, got);
		while (got-- > 0) {
			EXPECT_EQ(0, found[got] % (uint64_t)parts[part]);
		}
		EXPECT_LT(0.95, vectors_recall(self->ix, self->queries, QUERIES,
					       &how));
		vdfs_subset_free(subset);
	}
	free(ids);
}

/* Most that a walk comes across is not in the subset then. */
TEST_F(index, subsets_far_from_the_query)
{
	struct vdfs_query how = { .k = 10, .ef = 20, .rerank = 60 };
	struct vdfs_query all = { .k = N };
	uint64_t *ids = malloc(N * sizeof(*ids));
	float *dist = malloc(N * sizeof(*dist));
	double recall = 0;
	int i;

	ASSERT_EQ(0, vdfs_index_build(self->ix, NULL, self->rows, N, 1, NULL,
				      NULL));
	for (i = 0; i < QUERIES; i++) {
		struct vdfs_subset *subset;

		all.vector = self->queries + (size_t)i * DIM;
		ASSERT_EQ(N, vdfs_index_scan(self->ix, &all, ids, dist));
		ASSERT_EQ(0, vdfs_subset_new(self->ix, ids + N / 2, N / 2,
					     &subset));
		how.subset = subset;
		recall += vectors_recall(self->ix, all.vector, 1, &how);
		vdfs_subset_free(subset);
	}
	EXPECT_LT(0.97, recall / QUERIES)
	{
		TH_LOG("%f", recall / QUERIES);
	}
	free(dist);
	free(ids);
}

TEST_F(index, subsets_grow_stale)
{
	uint64_t ids[2] = { 1, 1 };
	struct vdfs_query query = { .k = 2, .vector = self->queries };
	struct vdfs_subset *subset;
	uint64_t found[2];
	float dist[2];

	ASSERT_EQ(0, build_few(self));
	ASSERT_EQ(0, vdfs_subset_new(self->ix, ids, 2, &subset));
	EXPECT_EQ(1, vdfs_subset_size(subset));
	query.subset = subset;
	EXPECT_EQ(1, vdfs_index_search(self->ix, &query, found, dist));
	ASSERT_EQ(0, vdfs_index_delete(self->ix, 1));
	EXPECT_EQ(0, vdfs_index_search(self->ix, &query, found, dist));
	ASSERT_EQ(0, vdfs_index_repair(self->ix, NULL, NULL));
	EXPECT_EQ(-ESTALE, vdfs_index_search(self->ix, &query, found, dist));
	vdfs_subset_free(subset);
}

TEST_F(index, replaces_by_id)
{
	struct vdfs_query query = { .k = 2, .ef = 50 };
	struct vdfs_index_stats stats;
	uint64_t ids[2];
	float dist[2];

	ASSERT_EQ(0, build_few(self));
	ASSERT_EQ(0, vdfs_index_add(self->ix, 5, self->queries));
	vdfs_index_stats(self->ix, &stats);
	EXPECT_EQ(FEW, stats.live);
	EXPECT_EQ(1, stats.deleted);
	query.vector = self->queries;
	ASSERT_EQ(2, vdfs_index_search(self->ix, &query, ids, dist));
	if (variant->metric != VDFS_IP)
		EXPECT_EQ(5, ids[0]);
	EXPECT_NE(ids[0], ids[1]);
	EXPECT_TRUE(vdfs_index_has(self->ix, 5));
	EXPECT_FALSE(vdfs_index_has(self->ix, FEW));
}

TEST_F(index, equal_ones_come_by_id)
{
	struct vdfs_query query = { .k = 8, .ef = 64 };
	uint64_t ids[8];
	float dist[8];
	uint64_t i;

	for (i = 0; i < 40; i++) {
		ASSERT_EQ(0, vdfs_index_add(self->ix, 1000 - i, self->rows));
	}
	query.vector = self->rows;
	ASSERT_EQ(8, vdfs_index_search(self->ix, &query, ids, dist));
	for (i = 0; i < 8; i++) {
		EXPECT_EQ(961 + i, ids[i]);
		EXPECT_EQ(dist[0], dist[i]);
	}
}

TEST_F(index, refuses_what_is_no_vector)
{
	struct vdfs_query query = { .k = 1, .vector = self->rows };
	struct vdfs_index_stats stats;
	uint64_t id;
	float dist;
	float bad[DIM];

	memcpy(bad, self->rows, sizeof(bad));
	bad[DIM - 1] = NAN;
	EXPECT_EQ(-EINVAL, vdfs_index_add(self->ix, 1, bad));
	bad[DIM - 1] = -INFINITY;
	EXPECT_EQ(-EINVAL, vdfs_index_add(self->ix, 1, bad));
	query.vector = bad;
	EXPECT_EQ(-EINVAL, vdfs_index_search(self->ix, &query, &id, &dist));
	memset(bad, 0, sizeof(bad));
	EXPECT_EQ(variant->metric == VDFS_COSINE ? -EINVAL : 0,
		  vdfs_index_add(self->ix, 1, bad));
	bad[0] = 128;
	EXPECT_EQ(variant->type == VDFS_I8 ? -EINVAL : 0,
		  vdfs_index_add(self->ix, 2, bad));
	bad[0] = 0.5f;
	EXPECT_EQ(variant->type == VDFS_I8 ? -EINVAL : 0,
		  vdfs_index_add(self->ix, 3, bad));
	vdfs_index_stats(self->ix, &stats);
	EXPECT_EQ((variant->metric != VDFS_COSINE) +
			  2 * (variant->type != VDFS_I8),
		  stats.live);
	query.vector = self->rows;
	query.k = 0;
	EXPECT_EQ(-EINVAL, vdfs_index_search(self->ix, &query, &id, &dist));
	query.k = VDFS_INDEX_K_MAX + 1;
	EXPECT_EQ(-EINVAL, vdfs_index_search(self->ix, &query, &id, &dist));
}

TEST(an_empty_one_finds_nothing)
{
	struct vdfs_params p = {
		.dim = 3, .m = 8, .ef_build = 8, .capacity = 2
	};
	float v[3] = { 1, 2, 3 };
	struct vdfs_query query = { .k = 4, .vector = v };
	struct vdfs_index *ix;
	uint64_t ids[4];
	float dist[4];

	ASSERT_EQ(0, vdfs_index_new(&p, &ix));
	EXPECT_EQ(0, vdfs_index_search(ix, &query, ids, dist));
	EXPECT_EQ(0, vdfs_index_repair(ix, NULL, NULL));
	EXPECT_EQ(0, vdfs_index_add(ix, 7, v));
	EXPECT_EQ(1, vdfs_index_search(ix, &query, ids, dist));
	EXPECT_EQ(7, ids[0]);
	EXPECT_EQ(0, vdfs_index_add(ix, 8, v));
	EXPECT_EQ(-ENOSPC, vdfs_index_add(ix, 9, v));
	EXPECT_EQ(2, vdfs_index_search(ix, &query, ids, dist));
	/* All go, and it can be filled again. */
	EXPECT_EQ(0, vdfs_index_delete(ix, 7));
	EXPECT_EQ(0, vdfs_index_delete(ix, 8));
	EXPECT_EQ(0, vdfs_index_repair(ix, NULL, NULL));
	EXPECT_EQ(0, vdfs_index_search(ix, &query, ids, dist));
	EXPECT_EQ(0, vdfs_index_add(ix, 9, v));
	EXPECT_EQ(1, vdfs_index_search(ix, &query, ids, dist));
	vdfs_index_free(ix);
}

TEST(refuses_parameters_out_of_range)
{
	static const struct vdfs_params good = {
		.dim = 3, .m = 8, .ef_build = 8, .capacity = 2
	};
	struct vdfs_params p;
	struct vdfs_index *ix;

#define REFUSED(_field, _value)                              \
	do {                                                 \
		p = good;                                    \
		p._field = (_value);                         \
		EXPECT_EQ(-EINVAL, vdfs_index_new(&p, &ix)); \
	} while (0)
	REFUSED(dim, 0);
	REFUSED(dim, VDFS_DIM_MAX + 1);
	REFUSED(metric, VDFS_COSINE + 1);
	REFUSED(type, VDFS_F16 + 1);
	REFUSED(codes, VDFS_CODES_KINDS);
	REFUSED(m, 3);
	REFUSED(m, 65);
	REFUSED(ef_build, 7);
	REFUSED(ef_build, 2001);
	REFUSED(capacity, 0);
	REFUSED(capacity, 0x80000000U);
}

#define PIECE 1200
#define LONG 96

/* A graph is built on codes, which those that are in already lack. */
TEST(a_build_may_come_in_pieces)
{
	float *rows = vectors_clustered(2 * PIECE, LONG, 10, 3);
	float *queries = vectors_clustered(QUERIES, LONG, 10, 4);
	struct vdfs_query how = { .k = 10, .ef = 60 };
	struct vdfs_params p = {
		.dim = LONG, .m = 16, .ef_build = 100, .capacity = 2 * PIECE
	};
	static const uint32_t types[] = { VDFS_F32, VDFS_F16 };
	uint64_t ids[PIECE], i;
	struct vdfs_index *ix;
	size_t t;

	for (t = 0; t < ARRAY_SIZE(types); t++) {
		p.type = types[t];
		ASSERT_EQ(0, vdfs_index_new(&p, &ix));
		ASSERT_EQ(0, vdfs_index_build(ix, NULL, rows, PIECE, 1, NULL,
					      NULL));
		for (i = 0; i < PIECE; i += 3) {
			ASSERT_EQ(0, vdfs_index_delete(ix, i));
		}
		for (i = 0; i < PIECE; i++)
			ids[i] = PIECE + i;
		ASSERT_EQ(0, vdfs_index_build(ix, ids, rows + PIECE * LONG,
					      PIECE, 2, NULL, NULL));
		EXPECT_LT(0.97, vectors_recall(ix, queries, QUERIES, &how));
		vdfs_index_free(ix);
	}
	free(queries);
	free(rows);
}

#define WINDOW 2000
#define TURNOVERS 5
#define REGIONS 40
#define AXES 16

/* From -1 to 1, all alike. */
static float anywhere(uint64_t *seed)
{
	return (float)(vectors_random(seed) >> 40) / (1 << 23) - 1;
}

/* Each window has regions of its own, and fills one after the other. */
static float *drifting(void)
{
	float *rows = calloc(TURNOVERS * WINDOW * AXES, sizeof(*rows));
	float centre[AXES] = { 0 };
	uint64_t seed = 5;
	size_t i, d;

	if (!rows)
		abort();
	for (i = 0; i < TURNOVERS * WINDOW; i++)
		for (d = 0; d < AXES; d++) {
			if (i % (WINDOW / REGIONS) == 0)
				centre[d] = anywhere(&seed);
			rows[i * AXES + d] = centre[d] + 0.1F * anywhere(&seed);
		}
	return rows;
}

/* How many of a window are found by themselves. */
static unsigned int found(struct vdfs_index *ix, const float *rows,
			  uint64_t first)
{
	struct vdfs_query query = { .k = 1, .ef = 64 };
	unsigned int n = 0;
	float dist;
	uint64_t id, i;

	for (i = 0; i < WINDOW; i++) {
		query.vector = rows + i * AXES;
		n += vdfs_index_search(ix, &query, &id, &dist) == 1 &&
		     id == first + i;
	}
	return n;
}

/* What a repair leads around is whole regions that are gone. */
TEST(keeps_all_within_reach)
{
	struct vdfs_params p = {
		.dim = AXES, .m = 8, .ef_build = 100, .capacity = 3 * WINDOW
	};
	float *rows = drifting();
	struct vdfs_index *ix, *fresh;
	unsigned int kept, could;
	uint64_t i;

	ASSERT_EQ(0, vdfs_index_new(&p, &ix));
	ASSERT_EQ(0, vdfs_index_build(ix, NULL, rows, WINDOW, 1, NULL, NULL));
	for (i = WINDOW; i < TURNOVERS * WINDOW; i++) {
		ASSERT_EQ(0, vdfs_index_delete(ix, i - WINDOW));
		ASSERT_EQ(0, vdfs_index_add(ix, i, rows + i * AXES));
		if ((i + 1) % (WINDOW / 8) == 0) {
			ASSERT_EQ(0, vdfs_index_repair(ix, NULL, NULL));
		}
	}
	i -= WINDOW;
	kept = found(ix, rows + i * AXES, i);
	vdfs_index_free(ix);
	ASSERT_EQ(0, vdfs_index_new(&p, &fresh));
	ASSERT_EQ(0, vdfs_index_build(fresh, NULL, rows + i * AXES, WINDOW, 1,
				      NULL, NULL));
	could = found(fresh, rows + i * AXES, 0);
	vdfs_index_free(fresh);
	EXPECT_GE(kept * 100, could * 97)
	{
		TH_LOG("%u found, in a fresh index %u", kept, could);
	}
	free(rows);
}

TEST_HARNESS_MAIN
