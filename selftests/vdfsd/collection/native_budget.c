// SPDX-License-Identifier: GPL-2.0-only
/* Memory of indexes: little for few items, and within a budget for many. */
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "vdfsd/items.h"
#include "vdfsd/vectors.h"

#define DIM 64
#define TEN 10
#define MANY 60
#define ALL 310
#define WARM 10 /* of which so many are made before memory is measured */
#define ROOM_FOR_TEN (64U << 10)
/* Of that the daemon has a part for handles and the like. */
#define NATIVE_ROOM (62U << 10)

FIXTURE(budget)
{
	struct items_db db;
	struct items_answers *a;
	float *rows;
};

FIXTURE_SETUP(budget)
{
	ASSERT_EQ(0, items_make(&self->db));
	self->a = items_answers();
	self->rows = vectors_clustered(ALL + TEN, DIM, 5, 3);
}

FIXTURE_TEARDOWN(budget)
{
	items_forget(self->a);
	items_remove(&self->db);
	free(self->rows);
}

static struct vdfs_collection *open_number(FIXTURE_DATA(budget) * self, int i)
{
	struct vdfs_collection *c;
	char name[16];

	snprintf(name, sizeof(name), "c%d", i);
	if (vdfs_collection_open(self->db.db, &items_me, name, NULL, NULL, &c))
		return NULL;
	return c;
}

static int make(FIXTURE_DATA(budget) * self, int i, uint32_t codes)
{
	struct vdfs_collection_params p = { .dim = DIM,
					    .codes = codes,
					    .mode = 0600 };
	struct vdfs_collection *c;
	char name[16];
	int ret;

	snprintf(name, sizeof(name), "c%d", i);
	ret = vdfs_collection_create(self->db.db, &items_me, name, &p);
	c = ret ? NULL : open_number(self, i);
	if (!c)
		return -1;
	/* Each has other vectors, so that no index is taken for another's. */
	ret = items_fill(c, self->rows + i * DIM, DIM, 0, TEN);
	vdfs_collection_put(c);
	return ret;
}

TEST_F(budget, ten_items_take_little)
{
	struct vdfs_collection_stats stats;
	struct vdfs_collection *c;
	uint64_t bytes;
	int i;

	/* One after the other, for the budget may let one go. */
	for (i = 0; i < VDFS_CODES_KINDS; i++) {
		ASSERT_EQ(0, make(self, i, (uint32_t)i));
		c = open_number(self, i);
		ASSERT_NE(NULL, c);
		ASSERT_EQ(0, vdfs_collection_stats(c, &stats));
		vdfs_collection_put(c);
		EXPECT_EQ(TEN, stats.items);
		EXPECT_GE(ROOM_FOR_TEN / 2, stats.index_bytes);
	}
	EXPECT_EQ(VDFS_CODES_KINDS, vdfs_db_loaded(self->db.db, &bytes));
	EXPECT_GE(ROOM_FOR_TEN * VDFS_CODES_KINDS, bytes);
}

#ifdef __SANITIZE_ADDRESS__
/* Its header comes with clang, the function with both compilers. */
size_t __sanitizer_get_current_allocated_bytes(void);

/* Bytes that are allocated, SQLite's among them; maps are not. */
static uint64_t allocated(void)
{
	return __sanitizer_get_current_allocated_bytes();
}
#else
static uint64_t allocated(void)
{
	return mallinfo2().uordblks;
}
#endif

/* What the maps of all indexes have in use, and a little more. */
static uint64_t mapped(FIXTURE_DATA(budget) * self, int n)
{
	struct vdfs_collection_stats stats;
	struct vdfs_collection *c;
	uint64_t bytes = 0;
	int i;

	for (i = 0; i < n; i++) {
		c = open_number(self, i);
		if (!c || vdfs_collection_stats(c, &stats))
			return UINT64_MAX;
		bytes += stats.index_bytes;
		vdfs_collection_put(c);
	}
	return bytes;
}

/*
 * What the index says of itself is not all that a collection takes: beside it
 * are locks, statements, and pages in the cache of the database.
 */
TEST_F(budget, hundreds_of_ten_items_take_little)
{
	uint64_t before = 0, heap, maps, bytes;
	int i;

	for (i = 0; i < ALL; i++) {
		if (i == WARM)
			before = allocated();
		ASSERT_EQ(0, make(self, i, 0));
	}
	EXPECT_EQ(ALL, vdfs_db_loaded(self->db.db, &bytes));
	maps = mapped(self, ALL) / ALL;
	vdfs_db_trim(self->db.db);
	heap = (allocated() - before) / (ALL - WARM);
	EXPECT_GE(NATIVE_ROOM, heap + maps)
	{
		TH_LOG("%" PRIu64 " bytes each, %" PRIu64 " of them in maps",
		       heap + maps, maps);
	}
}

TEST_F(budget, idle_ones_go_and_come_back)
{
	struct vdfs_collection *held, *c;
	uint64_t bytes, one;
	int i;

	ASSERT_EQ(0, make(self, 0, 0));
	ASSERT_EQ(1, vdfs_db_loaded(self->db.db, &one));
	held = open_number(self, 0);
	ASSERT_NE(NULL, held);
	for (i = 1; i < MANY; i++) {
		ASSERT_EQ(0, make(self, i, 0));
	}
	EXPECT_EQ(MANY, vdfs_db_loaded(self->db.db, &bytes));
	vdfs_db_set_budget(self->db.db, 10 * one);
	vdfs_db_trim(self->db.db);
	/* Indexes of ten items differ by a page: no more goes than must. */
	vdfs_db_loaded(self->db.db, &bytes);
	EXPECT_GE(10 * one, bytes);
	EXPECT_LE(10 * one, bytes + one + sysconf(_SC_PAGESIZE));
	/* What is open stayed; what went is read again, as it was. */
	for (i = 0; i < MANY; i++) {
		c = i ? open_number(self, i) : held;
		ASSERT_NE(NULL, c);
		ASSERT_EQ(0, items_search(c, self->rows + (i + 3) * DIM, DIM, 1,
					  NULL, self->a));
		ASSERT_EQ(1, self->a->n);
		EXPECT_EQ(0, self->a->dist[0]);
		vdfs_collection_put(c);
		vdfs_db_trim(self->db.db);
		vdfs_db_loaded(self->db.db, &bytes);
		EXPECT_GE(10 * one, bytes);
	}
}

/* However small the budget is, the one in use is not read for each search. */
TEST_F(budget, the_last_one_stays)
{
	uint64_t bytes;

	ASSERT_EQ(0, make(self, 0, 0));
	ASSERT_EQ(0, make(self, 1, 0));
	vdfs_db_set_budget(self->db.db, 1);
	vdfs_db_trim(self->db.db);
	EXPECT_EQ(1, vdfs_db_loaded(self->db.db, &bytes));
}

TEST_HARNESS_MAIN
