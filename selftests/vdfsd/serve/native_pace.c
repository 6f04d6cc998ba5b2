// SPDX-License-Identifier: GPL-2.0-only
/*
 * What takes long lets other users compute: each step of the test's clocks is a
 * long one, and sleeps are counted. The other user is a thread in its call.
 */
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "daemons/common/base/pace.h"
#include "daemons/vdfsd/collection/collection.h"
#include "vdfsd/items.h"
#include "vdfsd/store.h"

#define STEP_MS 3
#define MIB ((size_t)1 << 20)

static _Thread_local unsigned int sleeps;
static _Atomic uint64_t reads;

/* In the place of the C library's. */
int clock_gettime(clockid_t id, struct timespec *out)
{
	uint64_t ms = ++reads * STEP_MS;
	int ret = (int)syscall(SYS_clock_gettime, id, out);

	if (id != CLOCK_REALTIME) {
		out->tv_sec += (time_t)(ms / 1000);
		out->tv_nsec = (long)(ms % 1000) * 1000000;
	}
	return ret;
}

int clock_nanosleep(clockid_t id, int flags, const struct timespec *at,
		    struct timespec *left)
{
	(void)id;
	(void)flags;
	(void)at;
	(void)left;
	sleeps++;
	return 0;
}

int getrusage(__rusage_who_t who, struct rusage *out)
{
	static _Thread_local long taken;

	(void)who;
	*out = (struct rusage){ .ru_nivcsw = ++taken };
	return 0;
}

/* Another thread that serves a user. */
struct other {
	pthread_t thread;
	sem_t there;
	sem_t leave;
};

FIXTURE(pace)
{
	struct tree t;
	struct vdfs_db *db;
	struct vdfs_collection *c;
	struct items_answers *a;
	struct other other;
};

static void *serve(void *arg)
{
	struct other *other = arg;

	pace_enter(2);
	sem_post(&other->there);
	sem_wait(&other->leave);
	pace_leave();
	return NULL;
}

FIXTURE_SETUP(pace)
{
	struct vdfs_collection_params p = { .dim = 1 };
	char name[16];
	int i;

	self->a = items_answers();
	ASSERT_EQ(0, tree_make(&self->t, NULL));
	ASSERT_EQ(0, vdfs_db_open(vdfs_store_meta(self->t.store), self->t.dir,
				  1, &self->db));
	ASSERT_EQ(0, vdfs_collection_create(self->db, &bob, "c", &p));
	ASSERT_EQ(0, vdfs_collection_open(self->db, &bob, "c", NULL, NULL,
					  &self->c));
	for (i = 0; i < 40; i++) {
		float v = (float)i;

		snprintf(name, sizeof(name), "d/%d", i);
		ASSERT_EQ(0, items_put(self->c, name, &v, 1, "{\"n\":1}"));
		ASSERT_EQ(0, vdfs_name_mkdir(self->t.store, &bob, name, 0755));
	}
	sem_init(&self->other.there, 0, 0);
	sem_init(&self->other.leave, 0, 0);
	ASSERT_EQ(0, pthread_create(&self->other.thread, NULL, serve,
				    &self->other));
	sem_wait(&self->other.there);
	pace_enter(1);
	sleeps = 0;
}

FIXTURE_TEARDOWN(pace)
{
	pace_leave();
	sem_post(&self->other.leave);
	pthread_join(self->other.thread, NULL);
	vdfs_collection_put(self->c);
	vdfs_db_close(self->db);
	tree_remove(&self->t);
	items_forget(self->a);
}

static int count_item(void *arg, const struct vdfs_item *item, float dist)
{
	(void)item;
	(void)dist;
	++*(int *)arg;
	/* Whatever was slept for before is not for this. */
	sleeps = 0;
	return 0;
}

TEST_F(pace, of_filters)
{
	float v = 1;

	EXPECT_EQ(0, items_search(self->c, &v, 1, 3, "{\"n\":1}", self->a));
	EXPECT_LT(0, sleeps);
}

TEST_F(pace, of_one_search_after_the_other)
{
	float v = 1;
	int i;

	for (i = 0; i < 5; i++)
		EXPECT_EQ(0, items_search(self->c, &v, 1, 3, NULL, self->a));
	EXPECT_LE(4, sleeps);
}

TEST_F(pace, of_long_puts)
{
	uint8_t *data = random_bytes(8 * MIB, 1);
	struct vdfs_hash hash;

	EXPECT_EQ(0,
		  put_bytes(self->t.store, &bob, data, 8 * MIB, 0, "f", &hash));
	EXPECT_LE(2, sleeps);
	sleeps = 0;
	EXPECT_EQ(0, put_bytes(self->t.store, &bob, data, 1000, 0, "g", &hash));
	EXPECT_EQ(0, sleeps);
	free(data);
}

static int count(void *arg, const struct vdfs_hash *hash, uint64_t size)
{
	(void)hash;
	(void)size;
	++*(int *)arg;
	return 0;
}

TEST_F(pace, of_long_lists)
{
	struct vdfs_hash hash;
	int i, n = 0;

	for (i = 0; i < 600; i++)
		ASSERT_EQ(0, put_bytes(self->t.store, &bob, &i, sizeof(i), 0,
				       NULL, &hash));
	sleeps = 0;
	EXPECT_EQ(0, vdfs_blob_list(self->t.store, &bob, NULL, count, &n));
	EXPECT_EQ(600, n);
	EXPECT_LE(2, sleeps);
}

static unsigned int in_transaction;

static int compute(struct sqlite3 *db, void *arg)
{
	int i;

	(void)db;
	for (i = 0; i < *(int *)arg; i++)
		pace_step();
	in_transaction = sleeps;
	return 0;
}

/* What computes with a transaction, or a lock, sleeps behind it. */
TEST_F(pace, of_what_holds_something)
{
	struct vdfs_meta *meta = vdfs_store_meta(self->t.store);
	int steps = 20;

	EXPECT_EQ(0, vdfs_meta_read(meta, compute, &steps));
	EXPECT_EQ(0, in_transaction);
	EXPECT_EQ(0, sleeps);
	pace_step();
	EXPECT_LT(0, sleeps);
	sleeps = 0;
	pace_hold();
	pace_hold();
	for (; steps; steps--)
		pace_step();
	pace_release();
	pace_step();
	EXPECT_EQ(0, sleeps);
	pace_release();
	EXPECT_EQ(0, sleeps);
	pace_step();
	EXPECT_LT(0, sleeps);
}

/* Time after the last step is owed by the next call, and nobody is hurried. */
TEST_F(pace, of_the_end_of_a_call)
{
	struct timespec now;
	int i;

	pace_step();
	pace_step();
	sleeps = 0;
	for (i = 0; i < 50; i++)
		clock_gettime(CLOCK_MONOTONIC, &now);
	pace_leave();
	EXPECT_EQ(0, sleeps);
	pace_enter(1);
	pace_rush(true);
	pace_step();
	EXPECT_EQ(0, sleeps);
	pace_rush(false);
	pace_step();
	EXPECT_LT(0, sleeps);
}

/* An exact search has no step inside: all of it counts behind it. */
TEST_F(pace, of_scans)
{
	float v = 1;
	struct vdfs_search how = { .vector = &v, .dim = 1, .k = 3, .recall = 1 };
	int n = 0;

	pace_step();
	sleeps = 0;
	EXPECT_EQ(0, vdfs_collection_search(self->c, &how, count_item, &n));
	EXPECT_EQ(3, n);
	EXPECT_LT(0, sleeps);
}

/* Building an index, by hand or when a collection is opened. */
TEST_F(pace, of_builds)
{
	pace_step();
	sleeps = 0;
	EXPECT_EQ(0, vdfs_collection_rebuild(self->c, NULL, NULL));
	EXPECT_LT(0, sleeps);
}

TEST_F(pace, of_nobody_who_is_alone)
{
	struct timespec now;
	float v = 1;
	int i;

	pace_leave();
	sem_post(&self->other.leave);
	pthread_join(self->other.thread, NULL);
	/* It counts for some moments more. */
	for (i = 0; i < 10; i++)
		clock_gettime(CLOCK_MONOTONIC, &now);
	pace_enter(1);
	EXPECT_EQ(0, items_search(self->c, &v, 1, 3, "{\"n\":1}", self->a));
	EXPECT_EQ(0, sleeps);
	ASSERT_EQ(0, pthread_create(&self->other.thread, NULL, serve,
				    &self->other));
	sem_wait(&self->other.there);
}

TEST_HARNESS_MAIN
