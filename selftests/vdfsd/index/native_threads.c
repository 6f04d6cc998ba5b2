// SPDX-License-Identifier: GPL-2.0-only
/* Searching while others add, delete and repair. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <kselftest_harness.h>

#include "vdfsd/vectors.h"

#define DIM 16
#define STAY 1000
#define COME 1500

struct shared {
	struct vdfs_index *ix;
	float *rows;
	atomic_int stop;
	atomic_int wrong;
	atomic_int searches;
	atomic_int missed;
};

/* What stays is found, whatever else comes and goes. */
static void *searcher(void *arg)
{
	struct shared *sh = arg;
	struct vdfs_query query = { .k = 3, .ef = 60 };
	uint64_t ids[3];
	float dist[3];
	uint64_t i = 0;

	while (!atomic_load(&sh->stop)) {
		uint64_t want = i++ % STAY;

		query.vector = sh->rows + want * DIM;
		if (vdfs_index_search(sh->ix, &query, ids, dist) != 3)
			atomic_fetch_add(&sh->wrong, 1);
		if (ids[0] != want)
			atomic_fetch_add(&sh->missed, 1);
		else if (dist[0] > 0.001f)
			atomic_fetch_add(&sh->wrong, 1);
		atomic_fetch_add(&sh->searches, 1);
	}
	return NULL;
}

static void *changer(void *arg)
{
	struct shared *sh = arg;
	uint64_t i;
	int turn;

	for (turn = 0; turn < 2; turn++) {
		for (i = STAY; i < STAY + COME; i++)
			if (vdfs_index_add(sh->ix, i, sh->rows + i * DIM))
				atomic_fetch_add(&sh->wrong, 1);
		for (i = STAY; i < STAY + COME; i++)
			if (vdfs_index_delete(sh->ix, i))
				atomic_fetch_add(&sh->wrong, 1);
	}
	return NULL;
}

static void *repairer(void *arg)
{
	struct shared *sh = arg;

	while (!atomic_load(&sh->stop))
		if (vdfs_index_repair(sh->ix, NULL, NULL))
			atomic_fetch_add(&sh->wrong, 1);
	return NULL;
}

TEST(searches_find_what_stays)
{
	struct vdfs_params p = { .dim = DIM,
				 .codes = VDFS_CODES_8,
				 .m = 8,
				 .ef_build = 60,
				 .capacity = STAY + 8 * COME };
	struct shared sh = { 0 };
	pthread_t search[2], change, repair;
	struct vdfs_index_stats stats;

	sh.rows = vectors_clustered(STAY + COME, DIM, 30, 9);
	ASSERT_EQ(0, vdfs_index_new(&p, &sh.ix));
	ASSERT_EQ(0,
		  vdfs_index_build(sh.ix, NULL, sh.rows, STAY, 2, NULL, NULL));
	ASSERT_EQ(0, pthread_create(&search[0], NULL, searcher, &sh));
	ASSERT_EQ(0, pthread_create(&search[1], NULL, searcher, &sh));
	ASSERT_EQ(0, pthread_create(&repair, NULL, repairer, &sh));
	ASSERT_EQ(0, pthread_create(&change, NULL, changer, &sh));
	pthread_join(change, NULL);
	atomic_store(&sh.stop, 1);
	pthread_join(search[0], NULL);
	pthread_join(search[1], NULL);
	pthread_join(repair, NULL);
	EXPECT_EQ(0, atomic_load(&sh.wrong));
	/* It is approximate: one in a hundred may be missed, no more. */
	EXPECT_LT(atomic_load(&sh.missed) * 100, atomic_load(&sh.searches))
	{
		TH_LOG("%d of %d missed", sh.missed, sh.searches);
	}
	ASSERT_EQ(0, vdfs_index_repair(sh.ix, NULL, NULL));
	vdfs_index_stats(sh.ix, &stats);
	EXPECT_EQ(STAY, stats.live);
	EXPECT_EQ(0, stats.deleted);
	vdfs_index_free(sh.ix);
	free(sh.rows);
}

#define LONG_DIM 72
#define LONG_N 2500

/* Whatever is there already is right, and nothing stands in the way. */
static void *busybody(void *arg)
{
	struct shared *sh = arg;
	struct vdfs_query query = { .k = 3, .ef = 60 };
	uint64_t ids[3];
	float dist[3];
	uint64_t i;
	int n;

	for (i = 0; !atomic_load(&sh->stop); i++) {
		uint64_t mine = LONG_N + i % 50;

		if (vdfs_index_add(sh->ix, mine, sh->rows + mine * LONG_DIM))
			atomic_fetch_add(&sh->wrong, 1);
		query.vector = sh->rows + mine * LONG_DIM;
		n = vdfs_index_search(sh->ix, &query, ids, dist);
		if (n < 1 || dist[0] < 0)
			atomic_fetch_add(&sh->wrong, 1);
		if (i % 50 == 49 && vdfs_index_repair(sh->ix, NULL, NULL))
			atomic_fetch_add(&sh->wrong, 1);
	}
	return NULL;
}

/* Codes that only the build has must not show, and must be gone after it. */
TEST(others_go_on_during_a_build)
{
	struct vdfs_params p = {
		.dim = LONG_DIM, .m = 8, .ef_build = 60, .capacity = 40 * LONG_N
	};
	struct shared sh = { 0 };
	struct vdfs_index_stats stats;
	struct vdfs_query query = { .k = 1, .ef = 60 };
	pthread_t other;
	uint64_t i, id, found = 0;
	float dist;

	sh.rows = vectors_clustered(LONG_N + 50, LONG_DIM, 30, 9);
	ASSERT_EQ(0, vdfs_index_new(&p, &sh.ix));
	ASSERT_EQ(0, pthread_create(&other, NULL, busybody, &sh));
	ASSERT_EQ(0, vdfs_index_build(sh.ix, NULL, sh.rows, LONG_N, 2, NULL,
				      NULL));
	atomic_store(&sh.stop, 1);
	pthread_join(other, NULL);
	EXPECT_EQ(0, atomic_load(&sh.wrong));
	for (i = 0; i < LONG_N; i++) {
		query.vector = sh.rows + i * LONG_DIM;
		ASSERT_EQ(1, vdfs_index_search(sh.ix, &query, &id, &dist));
		found += id == i;
	}
	EXPECT_GE(found, LONG_N * 99 / 100);
	vdfs_index_free(sh.ix);

	ASSERT_EQ(0, vdfs_index_new(&p, &sh.ix));
	vdfs_index_stats(sh.ix, &stats);
	i = stats.bytes;
	ASSERT_EQ(0, vdfs_index_build(sh.ix, NULL, sh.rows, LONG_N, 2, NULL,
				      NULL));
	vdfs_index_stats(sh.ix, &stats);
	/* Rows, edges, nodes, in steps of 2 MiB each; and no codes. */
	EXPECT_LE(stats.bytes - i, 5 * (2U << 20));
	vdfs_index_free(sh.ix);
	free(sh.rows);
}

TEST_HARNESS_MAIN
