// SPDX-License-Identifier: GPL-2.0-only
/* A wanted recall is that of queries which no one has seen. */
#include <stdlib.h>
#include <string.h>

#include <kselftest_harness.h>

#include <daemons/vdfsd/collection/collection_impl.h>

#include "vdfsd/items.h"
#include "vdfsd/vectors.h"

/* So many that chance misses no promise: of .999, 25 of 25 000 may be wrong. */
#define QUERIES 2500
#define K 10

FIXTURE(recall)
{
	struct items_db db;
	struct vdfs_collection *c;
	struct items_answers *a;
	float *rows;
	float *queries;
	uint32_t dim;
	float limit[QUERIES];
};

FIXTURE_VARIANT(recall)
{
	enum vdfs_metric metric;
	enum vdfs_codes codes;
	size_t clusters;
	size_t n;
	uint32_t dim;
	bool beyond; /* of what a walk is sure to reach: .999 */
};

/* clang-format off */
FIXTURE_VARIANT_ADD(recall, l2) { VDFS_L2, VDFS_CODES_NONE, 60, 3000, 40, false };
FIXTURE_VARIANT_ADD(recall, spread) { VDFS_L2, VDFS_CODES_NONE, 1, 3000, 40, false };
FIXTURE_VARIANT_ADD(recall, codes4) { VDFS_COSINE, VDFS_CODES_4, 60, 3000, 40, false };
FIXTURE_VARIANT_ADD(recall, spread_codes4) { VDFS_L2, VDFS_CODES_4, 1, 3000, 40, false };
FIXTURE_VARIANT_ADD(recall, codes1) { VDFS_L2, VDFS_CODES_1, 60, 3000, 40, false };
FIXTURE_VARIANT_ADD(recall, spread_codes1) { VDFS_L2, VDFS_CODES_1, 1, 1200, 100, true };
/* clang-format on */

FIXTURE_SETUP(recall)
{
	struct vdfs_collection_params p = { .dim = variant->dim,
					    .metric = variant->metric,
					    .codes = variant->codes,
					    .ef_build = 60,
					    .m = 12 };
	size_t i;

	self->dim = variant->dim;
	self->a = items_answers();
	self->rows =
		vectors_clustered(variant->n, self->dim, variant->clusters, 5);
	self->queries =
		vectors_clustered(QUERIES, self->dim, variant->clusters, 6);
	ASSERT_EQ(0, items_make(&self->db));
	ASSERT_EQ(0, vdfs_collection_create(self->db.db, &items_me, "c", &p));
	ASSERT_EQ(0, vdfs_collection_open(self->db.db, &items_me, "c", NULL,
					  NULL, &self->c));
	ASSERT_EQ(0, items_fill(self->c, self->rows, self->dim, 0, variant->n));
	for (i = 0; i < QUERIES; i++) {
		ASSERT_EQ(0,
			  items_search(self->c, self->queries + i * self->dim,
				       self->dim, K, NULL, self->a));
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
	struct vdfs_search search = { .dim = self->dim,
				      .k = K,
				      .recall = wanted };
	struct items_answers *a = self->a;
	size_t i, j, hit = 0;

	for (i = 0; i < QUERIES; i++) {
		search.vector = self->queries + i * self->dim;
		a->n = 0;
		if (vdfs_collection_search(self->c, &search, items_collect, a))
			return -1;
		for (j = 0; j < a->n; j++)
			hit += a->dist[j] <= self->limit[i];
	}
	return (double)hit / (QUERIES * K);
}

/* No point of the curve promises so much, with a quarter of the rest left. */
static bool is_beyond(FIXTURE_DATA(recall) * self, float wanted)
{
	const struct vdfs_curve *curve = &self->c->core->curve[0];
	float best = 0;

	for (uint32_t i = 0; i < curve->n; i++)
		best = curve->recall[i] > best ? curve->recall[i] : best;
	return best < (1 + 3 * wanted) / 4;
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
		/* A search scans all items where no walk reaches the recall. */
		if (is_beyond(self, wanted[i]))
			EXPECT_EQ(1.0, r);
	}
	EXPECT_EQ(1, !variant->beyond || is_beyond(self, 0.999f));
}

TEST_HARNESS_MAIN
