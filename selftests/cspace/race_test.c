// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counts that one thread writes under a lock, and another reads without. A
 * kernel with KCSAN reports those that are not marked.
 */

#include "kselftest_harness.h"

#include <pthread.h>
#include <stdatomic.h>

#include "phi_ioctl.h"

#define ROUNDS 2000
#define PAGES 64
#define PAGE 4096ULL

/* The thread that reads. */
struct reader {
	pthread_t thread;
	int phi;
	uint64_t first;
	uint64_t pages;
	atomic_bool over;
	unsigned int reads;
	unsigned int wrong;
};

FIXTURE(race)
{
	struct phi_system_stats before;
	struct reader reader;
	int phi;
};

FIXTURE_SETUP(race)
{
	ASSERT_EQ(0, do_baseline(&self->before))
	{
		TH_LOG("is phi.ko loaded?");
	}
	/* Not root's, for the share of the totals that others have. */
	self->phi = do_open_as(60003);
	ASSERT_LE(0, self->phi);
	self->reader.phi = self->phi;
	self->reader.pages = self->before.host_used[PHI_QUOTA_PAGES];
	ASSERT_EQ(0, do_notify(self->phi, &self->reader.first));
}

FIXTURE_TEARDOWN(race)
{
	close(self->phi);
	EXPECT_TRUE(do_restored(&self->before));
}

/* One capability stays; whether there is another is anybody's guess. */
static void *list(void *arg)
{
	struct reader *r = arg;
	uint64_t handles[4];
	uint32_t count, total;

	while (!atomic_load(&r->over)) {
		if (do_list(r->phi, handles, 4, &count, &total) || !count ||
		    count > 2 || !total || total > 2 || handles[0] != r->first)
			r->wrong++;
		r->reads++;
	}
	return NULL;
}

/* Between what was there and that with the region and a step. */
static void *count(void *arg)
{
	struct reader *r = arg;
	struct phi_system_stats stats;
	uint64_t most, now;

	while (!atomic_load(&r->over)) {
		if (do_stats(r->phi, &stats))
			r->wrong++;
		now = stats.host_used[PHI_QUOTA_PAGES];
		most = PAGES + (stats.host_limit[PHI_QUOTA_PAGES] >> 12) + 1;
		if (now < r->pages || now - r->pages > most ||
		    stats.limit[PHI_QUOTA_PAGES] >
			    stats.host_limit[PHI_QUOTA_PAGES])
			r->wrong++;
		r->reads++;
	}
	return NULL;
}

TEST_F_TIMEOUT(race, a_list_beside_drops, 120)
{
	uint64_t other;

	ASSERT_EQ(0, pthread_create(&self->reader.thread, NULL, list,
				    &self->reader));
	for (int i = 0; i < ROUNDS; i++) {
		ASSERT_EQ(0, do_notify(self->phi, &other));
		ASSERT_EQ(0, do_drop(self->phi, other));
	}
	atomic_store(&self->reader.over, true);
	pthread_join(self->reader.thread, NULL);
	EXPECT_LT(0, self->reader.reads);
	EXPECT_EQ(0, self->reader.wrong);
}

TEST_F_TIMEOUT(race, statistics_beside_charges, 120)
{
	uint64_t region;

	ASSERT_EQ(0, pthread_create(&self->reader.thread, NULL, count,
				    &self->reader));
	for (int i = 0; i < ROUNDS; i++) {
		ASSERT_EQ(0, do_region(self->phi, PAGES * PAGE, 0, &region));
		ASSERT_EQ(0, do_drop(self->phi, region));
	}
	atomic_store(&self->reader.over, true);
	pthread_join(self->reader.thread, NULL);
	EXPECT_LT(0, self->reader.reads);
	EXPECT_EQ(0, self->reader.wrong);
}

TEST_HARNESS_MAIN
