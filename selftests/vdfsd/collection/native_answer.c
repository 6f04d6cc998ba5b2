// SPDX-License-Identifier: GPL-2.0-only
/* What an answer costs: transactions, and readings of a filter. */
#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include <kselftest_harness.h>

#include "vdfsd/items.h"
#include "vdfsd/vectors.h"

#define DIM 8
#define N 200
#define K 50

static _Atomic unsigned int begun;

static int note_begin(unsigned int type, void *arg, void *st, void *text)
{
	(void)type;
	(void)arg;
	(void)st;
	begun += !strncmp(text, "BEGIN", 5);
	return 0;
}

static int watch(sqlite3 *db, char **why, const sqlite3_api_routines *api)
{
	(void)why;
	(void)api;
	return sqlite3_trace_v2(db, SQLITE_TRACE_STMT, note_begin, NULL);
}

FIXTURE(answer)
{
	struct items_db db;
	struct vdfs_collection *c;
	struct items_answers *a;
	float *rows;
};

FIXTURE_SETUP(answer)
{
	struct vdfs_collection_params p = { .dim = DIM };

	ASSERT_EQ(SQLITE_OK, sqlite3_auto_extension((void (*)(void))watch));
	self->a = items_answers();
	self->rows = vectors_clustered(N, DIM, 5, 3);
	ASSERT_EQ(0, items_make(&self->db));
	ASSERT_EQ(0, vdfs_collection_create(self->db.db, &items_me, "c", &p));
	ASSERT_EQ(0, vdfs_collection_open(self->db.db, &items_me, "c", NULL,
					  NULL, &self->c));
	ASSERT_EQ(0, items_fill(self->c, self->rows, DIM, 0, N));
}

FIXTURE_TEARDOWN(answer)
{
	vdfs_collection_put(self->c);
	items_remove(&self->db);
	items_forget(self->a);
	free(self->rows);
	sqlite3_cancel_auto_extension((void (*)(void))watch);
}

TEST_F(answer, vectors_come_in_one_transaction)
{
	struct vdfs_search search = {
		.vector = self->rows, .dim = DIM, .k = K, .vectors = true
	};
	unsigned int before;
	const float *row;

	/* The first search may find other work to do. */
	ASSERT_EQ(0, vdfs_collection_search(self->c, &search, items_collect,
					    self->a));
	self->a->n = 0;
	before = begun;
	ASSERT_EQ(0, vdfs_collection_search(self->c, &search, items_collect,
					    self->a));
	EXPECT_EQ(1, begun - before);
	ASSERT_EQ(K, self->a->n);
	row = self->rows + atoi(self->a->key[K - 1]) * DIM;
	EXPECT_EQ(0, memcmp(row, self->a->vector, DIM * sizeof(*row)));
}

/* A filter that was read is not read again: what its text says is no matter. */
TEST_F(answer, a_filter_is_read_once)
{
	struct vdfs_search search = {
		.vector = self->rows, .dim = DIM, .k = 3, .filter = "no filter"
	};
	struct vdfs_filter *filter;
	char why[VDFS_WHY_MAX];

	EXPECT_EQ(-EINVAL, vdfs_collection_search(self->c, &search,
						  items_collect, self->a));
	ASSERT_EQ(0, vdfs_filter_new("{\"a\":{\"$gt\":1}}", why, sizeof(why),
				     &filter));
	search.read = filter;
	EXPECT_EQ(0, vdfs_collection_search(self->c, &search, items_collect,
					    self->a));
	EXPECT_EQ(0, self->a->n);
	vdfs_filter_free(filter);
}

TEST_HARNESS_MAIN
