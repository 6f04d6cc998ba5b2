// SPDX-License-Identifier: GPL-2.0-only
/* A wanted recall is that of queries which no one has seen. */
#include <stdlib.h>
#include <string.h>

#include <kselftest_harness.h>

#include "vdfsd/items.h"
#include "vdfsd/vectors.h"

#define DIM 40
#define N 3000
#define QUERIES 250
#define K 10

FIXTURE(recall)
{
	struct items_db db;
	struct vdfs_collection *c;
	struct items_answers *a;
	float *rows;
	float *queries;
	float limit[QUERIES];
};

FIXTURE_VARIANT(recall)
{
	enum vdfs_metric metric;
	enum vdfs_codes codes;
	size_t clusters;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(recall, l2) { VDFS_L2, VDFS_CODES_NONE, 60 };
FIXTURE_VARIANT_ADD(recall, spread) { VDFS_L2, VDFS_CODES_NONE, 1 };
FIXTURE_VARIANT_ADD(recall, codes4) { VDFS_COSINE, VDFS_CODES_4, 60 };
FIXTURE_VARIANT_ADD(recall, spread_codes4) { VDFS_L2, VDFS_CODES_4, 1 };
FIXTURE_VARIANT_ADD(recall, codes1) { VDFS_L2, VDFS_CODES_1, 60 };
/* clang-format on */

FIXTURE_SETUP(recall)
{
	struct vdfs_collection_params p = { .dim = DIM,
					    .metric = variant->metric,
					    .codes = variant->codes,
					    .ef_build = 60,
					    .m = 12 };
	size_t i;

	self->a = items_answers();
	self->rows = vectors_clustered(N, DIM, variant->clusters, 5);
	self->queries = vectors_clustered(QUERIES, DIM, variant->clusters, 6);
	ASSERT_EQ(0, items_make(&self->db));
	ASSERT_EQ(0, vdfs_collection_create(self->db.db, &items_me, "c", &p));
	ASSERT_EQ(0, vdfs_collection_open(self->db.db, &items_me, "c", NULL,
					  NULL, &self->c));
	ASSERT_EQ(0, items_fill(self->c, self->rows, DIM, 0, N));
	for (i = 0; i < QUERIES; i++) {
		ASSERT_EQ(0, items_search(self->c, self->queries + i * DIM, DIM,
					  K, NULL, self->a));
		self->limit[i] = self->a->dist[K - 1];
	}
}

FIXTURE_TEARDOWN(recall)
{
	vdfs_collection_put(self->c);
	items_remove(&self->db);
	items_forget(self->a);
	free(self->rows);
	free(self->queries);
}

static double reached(FIXTURE_DATA(recall) * self, float wanted)
{
	struct vdfs_search search = { .dim = DIM, .k = K, .recall = wanted };
	struct items_answers *a = self->a;
	size_t i, j, hit = 0;

	for (i = 0; i < QUERIES; i++) {
		search.vector = self->queries + i * DIM;
		a->n = 0;
		if (vdfs_collection_search(self->c, &search, items_collect, a))
			return -1;
		for (j = 0; j < a->n; j++)
			hit += a->dist[j] <= self->limit[i];
	}
	return (double)hit / (QUERIES * K);
}

TEST_F_TIMEOUT(recall, is_kept_for_queries_not_seen, 300)
{
	static const float wanted[] = { 0.9f, 0.95f, 0.98f, 0.99f, 0.999f };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(wanted); i++) {
		double r = reached(self, wanted[i]);

		EXPECT_LE((double)wanted[i], r)
		{
			TH_LOG("wanted %f, got %f", (double)wanted[i], r);
		}
	}
}

TEST_HARNESS_MAIN
