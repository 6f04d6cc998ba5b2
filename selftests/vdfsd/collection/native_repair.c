// SPDX-License-Identifier: GPL-2.0-only
/* The background thread: what it could not do, it does later. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include <daemons/vdfsd/collection/collection_impl.h>

#include "vdfsd/items.h"
#include "vdfsd/vectors.h"

#define DIM 16
#define N 2000

/* Let the background thread see a collection, or pass it over. */
static void show(struct vdfs_core *core, bool shown)
{
	struct vdfs_db *db = core->db;

	pthread_mutex_lock(&db->lock);
	core->state = !shown;
	pthread_cond_broadcast(&db->changed);
	pthread_mutex_unlock(&db->lock);
}

static bool failed(struct vdfs_core *core)
{
	bool late = false;
	int i;

	for (i = 0; i < 20000 && !late; i++) {
		usleep(1000);
		pthread_mutex_lock(&core->db->lock);
		late = core->late;
		pthread_mutex_unlock(&core->db->lock);
	}
	return late;
}

static uint64_t deleted(struct vdfs_collection *c)
{
	struct vdfs_collection_stats stats = { .deleted = ~0ULL };

	vdfs_collection_stats(c, &stats);
	return stats.deleted;
}

/* Nobody has to delete more for that. */
TEST(a_rebuild_that_failed_is_tried_again)
{
	struct vdfs_collection_params p = { .dim = DIM,
					    .m = 8,
					    .ef_build = 40 };
	float *rows = vectors_clustered(N, DIM, 40, 5);
	struct vdfs_collection *c;
	struct vdfs_core *core;
	struct items_db db;
	char key[24];
	int i;

	ASSERT_EQ(0, items_make(&db));
	ASSERT_EQ(0, vdfs_collection_create(db.db, &items_me, "c", &p));
	ASSERT_EQ(0,
		  vdfs_collection_open(db.db, &items_me, "c", NULL, NULL, &c));
	ASSERT_EQ(0, items_fill(c, rows, DIM, 0, N));
	core = c->core;
	show(core, false);
	for (i = 0; i < N / 2; i++) {
		snprintf(key, sizeof(key), "%06d", i);
		ASSERT_EQ(0, vdfs_collection_delete(c, key));
	}
	EXPECT_EQ(N / 2, deleted(c));
	/* No index can be made with this. */
	core->params.m = 0;
	show(core, true);
	EXPECT_TRUE(failed(core));
	EXPECT_EQ(N / 2, deleted(c));
	core->params.m = p.m;
	for (i = 0; i < 20000 && deleted(c); i++)
		usleep(1000);
	EXPECT_EQ(0, deleted(c));
	vdfs_collection_put(c);
	items_remove(&db);
	free(rows);
}

TEST_HARNESS_MAIN
