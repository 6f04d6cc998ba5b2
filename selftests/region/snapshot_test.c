// SPDX-License-Identifier: GPL-2.0-only
/* Snapshots: two regions that share their pages until one is written. */
#include <kselftest_harness.h>
#include <pthread.h>
#include <stdatomic.h>

#include "map.h"

#define PAGES 40UL
#define MANY (RIGHTS & ~PHI_RIGHT_GRANT)
/* Mappings that may read shared pages; see region.h of the kernel. */
#define SHARERS 64
#define READERS 70

FIXTURE(snapshot)
{
	struct phi_system_stats before;
	int phi;
	uint64_t cap;
	unsigned char *mem;
};

/* A region whose bytes say which page they are of. */
FIXTURE_SETUP(snapshot)
{
	touch_init();
	self->phi = do_open();
	ASSERT_LE(0, self->phi);
	ASSERT_EQ(0, do_stats(self->phi, &self->before));
	ASSERT_EQ(0, do_region(self->phi, PAGES * PAGE, 0, &self->cap));
	ASSERT_EQ(0,
		  do_map(self->phi, self->cap, PAGES * PAGE, RW, &self->mem));
	for (unsigned long i = 0; i < PAGES * PAGE; i++)
		self->mem[i] = (unsigned char)(1 + i / PAGE);
}

FIXTURE_TEARDOWN(snapshot)
{
	close(self->phi);
	EXPECT_TRUE(do_restored(&self->before));
}

static uint64_t pages_used(int phi)
{
	struct phi_system_stats stats;

	return do_stats(phi, &stats) ? 0 : stats.used[PHI_QUOTA_PAGES];
}

/* Bytes of the first pages that are not as the fixture wrote them. */
static unsigned long wrong_bytes(const unsigned char *mem, unsigned long first,
				 unsigned long nr)
{
	unsigned long wrong = 0;

	for (unsigned long i = 0; i < nr * PAGE; i++)
		wrong += mem[i] != (unsigned char)(1 + first + i / PAGE);
	return wrong;
}

TEST_F(snapshot, refuses_bad_input)
{
	struct phi_region_snapshot arg = { .cap = self->cap, .flags = 1 };
	uint64_t weak, dma, out;

	EXPECT_EQ(-EOPNOTSUPP, PHI_DO(self->phi, REGION_SNAPSHOT, &arg));
	EXPECT_EQ(-EBADF, do_snapshot(self->phi, 99, &out));
	ASSERT_EQ(0, do_notify(self->phi, &out));
	EXPECT_EQ(-EINVAL, do_snapshot(self->phi, out, &out));
	ASSERT_EQ(0, do_region(self->phi, PAGE, PHI_REGION_DMA, &dma));
	EXPECT_EQ(-EOPNOTSUPP, do_snapshot(self->phi, dma, &out));
	ASSERT_EQ(0, do_derive(self->phi, self->cap, RIGHTS & ~PHI_RIGHT_READ,
			       &weak));
	EXPECT_EQ(-EPERM, do_snapshot(self->phi, weak, &out));
	ASSERT_EQ(0, do_derive(self->phi, self->cap, RIGHTS & ~PHI_RIGHT_ADMIN,
			       &weak));
	EXPECT_EQ(-EPERM, do_snapshot(self->phi, weak, &out));
	ASSERT_EQ(0, do_revoke(self->phi, self->cap));
	EXPECT_EQ(-EKEYREVOKED, do_snapshot(self->phi, weak, &out));
}

/* Neither sees what the other writes, wherever it was mapped before. */
TEST_F(snapshot, is_copied_both_ways)
{
	unsigned char *again, *clone;
	uint64_t out;

	ASSERT_EQ(0, do_map(self->phi, self->cap, PAGES * PAGE, RW, &again));
	EXPECT_EQ(1, peek(again));
	ASSERT_EQ(0, do_snapshot(self->phi, self->cap, &out));
	EXPECT_EQ(0, do_same(self->phi, self->cap, out));
	ASSERT_EQ(0, do_map(self->phi, out, PAGES * PAGE, RW, &clone));
	EXPECT_EQ(0, wrong_bytes(clone, 0, PAGES));

	/* Read by all, then written by one. */
	EXPECT_EQ(3, peek(self->mem + 2 * PAGE));
	EXPECT_EQ(3, peek(again + 2 * PAGE));
	EXPECT_EQ(0, poke(self->mem + 2 * PAGE, 100));
	EXPECT_EQ(100, peek(again + 2 * PAGE));
	EXPECT_EQ(3, peek(clone + 2 * PAGE));
	EXPECT_EQ(0, poke(clone + 2 * PAGE, 101));
	EXPECT_EQ(100, peek(self->mem + 2 * PAGE));

	/* Written before it was touched, by the other. */
	EXPECT_EQ(0, poke(clone + 20 * PAGE, 102));
	EXPECT_EQ(21, peek(self->mem + 20 * PAGE));
	EXPECT_EQ(21, peek(again + 20 * PAGE));
	EXPECT_EQ(0, poke(again + 20 * PAGE, 103));
	EXPECT_EQ(103, peek(self->mem + 20 * PAGE));
	EXPECT_EQ(102, peek(clone + 20 * PAGE));

	EXPECT_EQ(0, wrong_bytes(self->mem, 0, 2));
	EXPECT_EQ(0, wrong_bytes(clone, 0, 2));
	EXPECT_EQ(0, wrong_bytes(clone + 3 * PAGE, 3, 17));
}

/* An entry in the page table that was writable is not any more. */
TEST_F(snapshot, takes_what_was_mapped)
{
	unsigned char *clone;
	uint64_t out;

	EXPECT_EQ(0, poke(self->mem, 50));
	ASSERT_EQ(0, do_snapshot(self->phi, self->cap, &out));
	EXPECT_EQ(0, poke(self->mem, 51));
	ASSERT_EQ(0, do_map(self->phi, out, PAGES * PAGE, PROT_READ, &clone));
	EXPECT_EQ(50, peek(clone));
	EXPECT_EQ(51, peek(self->mem));
}

/* Either end lets the other write in place, with all its bytes. */
TEST_F(snapshot, outlives_the_other)
{
	unsigned char *clone;
	uint64_t out, third;

	ASSERT_EQ(0, do_snapshot(self->phi, self->cap, &out));
	ASSERT_EQ(0, do_map(self->phi, out, PAGES * PAGE, RW, &clone));
	EXPECT_EQ(4, peek(clone + 3 * PAGE));
	ASSERT_EQ(0, do_drop(self->phi, self->cap));
	EXPECT_EQ(-SIGBUS, peek(self->mem));
	EXPECT_EQ(0, poke(clone + 3 * PAGE, 60));
	EXPECT_EQ(60, peek(clone + 3 * PAGE));
	EXPECT_EQ(0, wrong_bytes(clone + 4 * PAGE, 4, PAGES - 4));

	ASSERT_EQ(0, do_snapshot(self->phi, out, &third));
	ASSERT_EQ(0, do_drop(self->phi, third));
	EXPECT_EQ(0, poke(clone + 3 * PAGE, 61));
	EXPECT_EQ(61, peek(clone + 3 * PAGE));
}

/* All of it is paid for at once, and given back by its end alone. */
TEST_F(snapshot, is_charged_whole)
{
	uint64_t before = pages_used(self->phi);
	unsigned char *clone;
	uint64_t out;

	ASSERT_EQ(0, do_snapshot(self->phi, self->cap, &out));
	EXPECT_EQ(before + PAGES, pages_used(self->phi));
	ASSERT_EQ(0, do_map(self->phi, out, PAGES * PAGE, RW, &clone));
	for (unsigned long i = 0; i < PAGES; i++)
		EXPECT_EQ(0, poke(clone + i * PAGE, 9));
	EXPECT_EQ(before + PAGES, pages_used(self->phi));
	ASSERT_EQ(0, munmap(clone, PAGES * PAGE));
	ASSERT_EQ(0, do_drop(self->phi, out));
	EXPECT_EQ(before, pages_used(self->phi));
}

TEST_F(snapshot, of_a_slice_has_its_pages)
{
	struct phi_region_info info;
	unsigned char *clone;
	uint64_t slice, out;

	ASSERT_EQ(0, do_slice(self->phi, self->cap, 7 * PAGE, 3 * PAGE, MANY,
			      &slice));
	ASSERT_EQ(0, do_snapshot(self->phi, slice, &out));
	ASSERT_EQ(0, do_info(self->phi, out, &info));
	EXPECT_EQ(3 * PAGE, info.bytes);
	EXPECT_EQ(RIGHTS, info.rights);
	ASSERT_EQ(0, do_map(self->phi, out, 3 * PAGE, RW, &clone));
	EXPECT_EQ(0, wrong_bytes(clone, 7, 3));
	EXPECT_EQ(0, poke(self->mem + 8 * PAGE, 70));
	EXPECT_EQ(9, peek(clone + PAGE));
	EXPECT_EQ(0, poke(clone + 2 * PAGE, 71));
	EXPECT_EQ(10, peek(self->mem + 9 * PAGE));
	/* It is no part of the other: a revoke there leaves it alone. */
	ASSERT_EQ(0, do_revoke(self->phi, self->cap));
	EXPECT_EQ(9, peek(clone + PAGE));
}

TEST_F(snapshot, of_snapshots_ends_at_a_depth)
{
	uint64_t cap = self->cap, out;
	unsigned char *mem;

	for (int i = 0; i < PHI_SNAPSHOT_DEPTH_MAX; i++) {
		ASSERT_EQ(0, do_snapshot(self->phi, cap, &out));
		ASSERT_EQ(0, do_map(self->phi, out, PAGES * PAGE, RW, &mem));
		EXPECT_EQ(1, peek(mem));
		EXPECT_EQ(1 + i, peek(mem + PAGE) - 1);
		EXPECT_EQ(0, poke(mem + PAGE, 3 + i));
		cap = out;
	}
	EXPECT_EQ(-ELOOP, do_snapshot(self->phi, cap, &out));
	EXPECT_EQ(2, peek(self->mem + PAGE));
	/* Of the first there may be more. */
	EXPECT_EQ(0, do_snapshot(self->phi, self->cap, &out));
}

/* Beyond the limit readers have copies too; all see the same. */
TEST_F(snapshot, has_any_number_of_readers)
{
	unsigned char *mem[READERS];
	unsigned char *clone;
	uint64_t out;

	ASSERT_EQ(0, do_snapshot(self->phi, self->cap, &out));
	ASSERT_EQ(0, do_map(self->phi, out, PAGES * PAGE, RW, &clone));
	for (int i = 0; i < READERS; i++) {
		ASSERT_EQ(0, do_map(self->phi, self->cap, PAGES * PAGE, RW,
				    &mem[i]));
		EXPECT_EQ(1, peek(mem[i]));
		EXPECT_EQ(40, peek(mem[i] + 39 * PAGE));
	}
	EXPECT_EQ(0, poke(self->mem, 80));
	EXPECT_EQ(0, poke(mem[SHARERS + 1] + 39 * PAGE, 81));
	for (int i = 0; i < READERS; i++) {
		EXPECT_EQ(80, peek(mem[i]));
		EXPECT_EQ(81, peek(mem[i] + 39 * PAGE));
		/* Makes room among the readers. */
		ASSERT_EQ(0, munmap(mem[i], PAGES * PAGE));
	}
	EXPECT_EQ(1, peek(clone));
	EXPECT_EQ(40, peek(clone + 39 * PAGE));
}

TEST_F(snapshot, follows_protection)
{
	unsigned char *clone;
	uint64_t out;

	ASSERT_EQ(0, do_snapshot(self->phi, self->cap, &out));
	ASSERT_EQ(0, do_map(self->phi, out, PAGES * PAGE, PROT_READ, &clone));
	EXPECT_EQ(1, peek(clone));
	EXPECT_EQ(-SIGSEGV, poke(clone, 90));
	ASSERT_EQ(0, mprotect(clone, PAGES * PAGE, RW));
	EXPECT_EQ(0, poke(clone, 90));
	EXPECT_EQ(1, peek(self->mem));
	/* Its own by now: read-only and writable again, in place. */
	ASSERT_EQ(0, mprotect(clone, PAGES * PAGE, PROT_READ));
	EXPECT_EQ(-SIGSEGV, poke(clone, 91));
	ASSERT_EQ(0, mprotect(clone, PAGES * PAGE, RW));
	ASSERT_EQ(0, do_snapshot(self->phi, out, &out));
	EXPECT_EQ(0, poke(clone, 92));
	ASSERT_EQ(0, do_map(self->phi, out, PAGES * PAGE, PROT_READ, &clone));
	EXPECT_EQ(90, peek(clone));
}

TEST_F(snapshot, dies_with_its_capability)
{
	unsigned char *clone;
	uint64_t out, child;

	ASSERT_EQ(0, do_snapshot(self->phi, self->cap, &out));
	ASSERT_EQ(0, do_derive(self->phi, out, MANY, &child));
	ASSERT_EQ(0, do_map(self->phi, child, PAGES * PAGE, RW, &clone));
	EXPECT_EQ(1, peek(clone));
	EXPECT_EQ(0, poke(clone + PAGE, 2));
	ASSERT_EQ(0, do_revoke(self->phi, out));
	EXPECT_EQ(-SIGBUS, peek(clone));
	EXPECT_EQ(-SIGBUS, poke(clone, 1));
	EXPECT_EQ(-SIGBUS, poke(clone + PAGE, 1));
	EXPECT_EQ(-SIGBUS, poke(clone + 5 * PAGE, 1));
	EXPECT_EQ(0, poke(self->mem, 1));
}

static uint64_t load(const void *at)
{
	return __atomic_load_n((const uint64_t *)at, __ATOMIC_SEQ_CST);
}

static void store(void *at, uint64_t value)
{
	__atomic_store_n((uint64_t *)at, value, __ATOMIC_SEQ_CST);
}

/* A thread counts in each page while snapshots are taken. */
struct race {
	unsigned char *mem;
	atomic_int stop;
};

static void *count(void *arg)
{
	struct race *race = arg;
	uint64_t n = 0;

	while (!atomic_load(&race->stop)) {
		n++;
		for (unsigned long i = 0; i < PAGES; i++)
			store(race->mem + i * PAGE, n);
	}
	return NULL;
}

/* What a snapshot holds stands still, while the other goes on. */
TEST_F(snapshot, stands_still)
{
	struct race race = { .mem = self->mem };
	pthread_t thread;

	memset(self->mem, 0, PAGES * PAGE);
	ASSERT_EQ(0, pthread_create(&thread, NULL, count, &race));
	for (int round = 0; round < 100; round++) {
		uint64_t out, first[PAGES], moved = 0, mixed = 0;
		unsigned char *clone;

		ASSERT_EQ(0, do_snapshot(self->phi, self->cap, &out));
		ASSERT_EQ(0, do_map(self->phi, out, PAGES * PAGE,
				    round % 2 ? RW : PROT_READ, &clone));
		for (unsigned long i = 0; i < PAGES; i++)
			first[i] = load(clone + i * PAGE);
		for (unsigned long i = 0; i < PAGES; i++) {
			moved += first[i] != load(clone + i * PAGE);
			/* One writer, in order: at most one step apart. */
			mixed += i && first[i] > first[i - 1];
			if (round % 2)
				store(clone + i * PAGE, 0);
		}
		EXPECT_EQ(0, moved);
		EXPECT_EQ(0, mixed);
		ASSERT_EQ(0, munmap(clone, PAGES * PAGE));
		ASSERT_EQ(0, do_drop(self->phi, out));
	}
	atomic_store(&race.stop, 1);
	pthread_join(thread, NULL);
}

static void *take(void *arg)
{
	struct phi_region_snapshot *snapshot = arg;

	return (void *)(long)PHI_DO((int)snapshot->out, REGION_SNAPSHOT,
				    snapshot);
}

/* What is written after a revoke is in no snapshot of what it revoked. */
TEST_F(snapshot, has_nothing_from_after_a_revoke)
{
	for (int i = 0; i < 200; i++) {
		struct phi_region_snapshot arg = { .out = (uint64_t)self->phi };
		unsigned char *clone;
		pthread_t thread;
		uint64_t child;
		void *failed;

		ASSERT_EQ(0, do_derive(self->phi, self->cap, MANY, &child));
		arg.cap = child;
		ASSERT_EQ(0, pthread_create(&thread, NULL, take, &arg));
		ASSERT_EQ(0, do_revoke(self->phi, self->cap));
		self->mem[0] = 200;
		ASSERT_EQ(0, pthread_join(thread, &failed));
		if (!failed) {
			ASSERT_EQ(0,
				  do_map(self->phi, arg.out, PAGE, RW, &clone));
			EXPECT_EQ(1, peek(clone));
			ASSERT_EQ(0, munmap(clone, PAGE));
			ASSERT_EQ(0, do_drop(self->phi, arg.out));
		}
		self->mem[0] = 1;
		ASSERT_EQ(0, do_drop(self->phi, child));
	}
}

FIXTURE(huge)
{
	int phi;
	uint64_t cap, out;
	uint32_t *mem, *clone;
};

FIXTURE_SETUP(huge)
{
	touch_init();
	self->phi = do_open();
	ASSERT_LE(0, self->phi);
	ASSERT_EQ(0, do_region(self->phi, 2 * HUGE, 0, &self->cap));
	ASSERT_EQ(0, do_map(self->phi, self->cap, 2 * HUGE, RW, &self->mem));
	for (unsigned long i = 0; i < 2 * HUGE / PAGE; i++)
		self->mem[i * PAGE / 4] = (uint32_t)i;
	ASSERT_EQ(0, do_snapshot(self->phi, self->cap, &self->out));
	ASSERT_EQ(0, do_map(self->phi, self->out, 2 * HUGE, RW, &self->clone));
}

FIXTURE_TEARDOWN(huge)
{
	close(self->phi);
}

/* Pages from @first on that do not hold their numbers. */
static unsigned long misplaced(const uint32_t *mem, unsigned long first,
			       unsigned long nr)
{
	unsigned long wrong = 0;

	for (unsigned long i = first; i < first + nr; i++)
		wrong += mem[i * PAGE / 4] != i;
	return wrong;
}

/* Reading takes a fault a huge page, before and after the other end. */
TEST_F(huge, pages_are_read_whole)
{
	long before = faults();

	EXPECT_EQ(0, misplaced(self->clone, 0, 1024));
	EXPECT_GE(2, faults() - before);
	before = faults();
	EXPECT_EQ(0, misplaced(self->mem, 0, 1024));
	EXPECT_GE(2, faults() - before);
	/* Alone again, it writes each of them after one more. */
	ASSERT_EQ(0, do_drop(self->phi, self->cap));
	before = faults();
	for (unsigned long i = 0; i < 1024; i++)
		self->clone[i * PAGE / 4] += 1;
	EXPECT_GE(2, faults() - before);
	EXPECT_EQ(1, self->clone[0]);
	EXPECT_EQ(1024, self->clone[1023 * PAGE / 4]);
}

/* A write copies its page; what is around it stays shared, and in place. */
TEST_F(huge, pages_split_where_written)
{
	long before;

	EXPECT_EQ(0, misplaced(self->clone, 0, 1024));
	self->clone[100 * PAGE / 4] = 7;
	EXPECT_EQ(100, self->mem[100 * PAGE / 4]);
	self->mem[101 * PAGE / 4] = 8;
	EXPECT_EQ(101, self->clone[101 * PAGE / 4]);
	EXPECT_EQ(0, misplaced(self->clone, 101, 923));
	EXPECT_EQ(0, misplaced(self->mem, 102, 922));
	EXPECT_EQ(0, misplaced(self->mem, 0, 101));
	/* The other huge page is one in both. */
	ASSERT_EQ(0, munmap(self->clone, 2 * HUGE));
	ASSERT_EQ(0, do_map(self->phi, self->out, 2 * HUGE, RW, &self->clone));
	before = faults();
	EXPECT_EQ(0, misplaced(self->clone, 512, 512));
	EXPECT_GE(1, faults() - before);
	EXPECT_EQ(7, self->clone[100 * PAGE / 4]);
}

/* The huge pages of a slice that begins in one do not fit its snapshot. */
TEST_F(huge, slice_is_unaligned)
{
	uint64_t slice, out;
	uint32_t *clone;

	ASSERT_EQ(0, do_slice(self->phi, self->cap, 100 * PAGE, 900 * PAGE,
			      MANY, &slice));
	ASSERT_EQ(0, do_snapshot(self->phi, slice, &out));
	ASSERT_EQ(0, do_map(self->phi, out, 900 * PAGE, RW, &clone));
	EXPECT_EQ(0, misplaced(clone - 100 * PAGE / 4, 100, 900));
	clone[5 * PAGE / 4] = 1;
	EXPECT_EQ(105, self->mem[105 * PAGE / 4]);
	EXPECT_EQ(105, self->clone[105 * PAGE / 4]);
	EXPECT_EQ(1, clone[5 * PAGE / 4]);
}

TEST_HARNESS_MAIN
