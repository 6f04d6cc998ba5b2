// SPDX-License-Identifier: GPL-2.0-only

/* Mappings that end while other threads are at them. */

#include <kselftest_harness.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "map.h"

#define THREADS 4
/* Rounds of a test at most, but no new one after so many nanoseconds. */
#define ROUNDS 100
#define ENOUGH_NS 2000000000ULL

FIXTURE(stress)
{
	struct phi_system_stats before;
	int phi;
	uint64_t root;
};

FIXTURE_VARIANT(stress)
{
	size_t bytes;
	uint32_t flags;
	int races; /* tries to hit a window of a few instructions */
};

/* clang-format off */
FIXTURE_VARIANT_ADD(stress, small) { .bytes = 64 * PAGE, .races = 3000 };
FIXTURE_VARIANT_ADD(stress, huge) { .bytes = HUGE, .races = 200 };
FIXTURE_VARIANT_ADD(stress, dma) { .bytes = 64 * PAGE, .races = 200,
				   .flags = PHI_REGION_DMA };
/* clang-format on */

FIXTURE_SETUP(stress)
{
	touch_init();
	self->phi = do_open();
	ASSERT_LE(0, self->phi)
	{
		TH_LOG("is phi.ko loaded?");
	}
	ASSERT_EQ(0, do_stats(self->phi, &self->before));
	ASSERT_EQ(0, do_region(self->phi, variant->bytes, variant->flags,
			       &self->root));
}

FIXTURE_TEARDOWN(stress)
{
	close(self->phi);
	EXPECT_TRUE(do_restored(&self->before));
}

/* What the threads of a test share. */
struct arena {
	int phi;
	size_t bytes;
	uint64_t root;
	uint64_t cap;
	atomic_uintptr_t mem;
	atomic_bool gone; /* the revoke has returned */
	atomic_bool stop;
	atomic_long touched; /* before it */
	atomic_long refused; /* SIGBUS, before or after */
	atomic_long late; /* touched after it: must stay 0 */
	atomic_long met; /* how often a thread came to meet() */
	uint64_t until; /* no new round after this */
};

/* Whether there is time for one more round; for three there always is. */
static bool go_on(const struct arena *arena, int round, int rounds)
{
	return round < rounds && (round < 3 || monotonic_ns() < arena->until);
}

static void *toucher(void *arg)
{
	struct arena *arena = arg;
	size_t at = 0;

	while (!atomic_load(&arena->stop)) {
		unsigned char *mem = (void *)atomic_load(&arena->mem);
		bool gone = atomic_load(&arena->gone);
		int ret;

		ret = at & PAGE ? peek(mem + at) : poke(mem + at, 1);
		if (ret < 0)
			atomic_fetch_add(&arena->refused, 1);
		else if (gone)
			atomic_fetch_add(&arena->late, 1);
		else
			atomic_fetch_add(&arena->touched, 1);
		at = (at + 5 * PAGE) % arena->bytes;
	}
	return NULL;
}

/* Wait until the threads have touched the memory some more. */
static bool wait_for(atomic_long *counter, long more)
{
	long target = atomic_load(counter) + more;

	for (int tries = 0; tries < 5000; tries++) {
		if (atomic_load(counter) >= target)
			return true;
		usleep(1000);
	}
	return false;
}

TEST_F_TIMEOUT(stress, revoke_against_faults, 120)
{
	struct arena arena = {
		.bytes = variant->bytes,
		.until = monotonic_ns() + ENOUGH_NS,
	};
	pthread_t threads[THREADS];
	unsigned char *mem = NULL;

	ASSERT_EQ(0, do_derive(self->phi, self->root, RIGHTS, &arena.cap));
	ASSERT_EQ(0, do_map(self->phi, arena.cap, arena.bytes, RW, &mem));
	atomic_store(&arena.mem, (uintptr_t)mem);
	for (int i = 0; i < THREADS; i++) {
		ASSERT_EQ(0,
			  pthread_create(&threads[i], NULL, toucher, &arena));
	}
	for (int round = 0; go_on(&arena, round, ROUNDS); round++) {
		EXPECT_TRUE(wait_for(&arena.touched, 20));
		ASSERT_EQ(0, do_revoke(self->phi, self->root));
		atomic_store(&arena.gone, true);
		EXPECT_TRUE(wait_for(&arena.refused, 20));

		/* The old area stays, so that a late touch hits it. */
		ASSERT_EQ(0, do_drop(self->phi, arena.cap));
		ASSERT_EQ(0,
			  do_derive(self->phi, self->root, RIGHTS, &arena.cap));
		ASSERT_EQ(0,
			  do_map(self->phi, arena.cap, arena.bytes, RW, &mem));
		atomic_store(&arena.gone, false);
		atomic_store(&arena.mem, (uintptr_t)mem);
	}
	atomic_store(&arena.stop, true);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	EXPECT_EQ(0, atomic_load(&arena.late));
	EXPECT_EQ(1, mappings(self->phi, self->root));
}

/* Two threads meet here; by spinning, so that they leave at the same time. */
static void meet(struct arena *arena)
{
	long turn = atomic_fetch_add(&arena->met, 1) / 2;

	while (atomic_load(&arena->met) / 2 == turn)
		sched_yield();
}

static void *dropper(void *arg)
{
	struct arena *arena = arg;

	for (int round = 0;; round++) {
		meet(arena);
		if (atomic_load(&arena->stop))
			break;
		/* At another moment of the mmap() each time. */
		for (int i = 0; i < round % 97 * 8; i++)
			atomic_signal_fence(memory_order_seq_cst);
		if (round % 2)
			do_drop(arena->phi, arena->cap);
		else
			do_revoke(arena->phi, arena->root);
		meet(arena);
	}
	return NULL;
}

/* A mapping that got in just before its capability went is found too. */
TEST_F_TIMEOUT(stress, drop_and_revoke_against_mmap, 120)
{
	struct arena arena = {
		.phi = self->phi,
		.root = self->root,
		.until = monotonic_ns() + ENOUGH_NS,
	};
	pthread_t thread;
	long won = 0;
	int round;

	ASSERT_EQ(0, pthread_create(&thread, NULL, dropper, &arena));
	for (round = 0; go_on(&arena, round, variant->races); round++) {
		unsigned char *mem;
		int ret;

		EXPECT_EQ(0,
			  do_derive(self->phi, self->root, RIGHTS, &arena.cap));
		meet(&arena);
		ret = do_map(self->phi, arena.cap, PAGE, RW, &mem);
		meet(&arena);
		if (ret) {
			EXPECT_TRUE(ret == -EBADF || ret == -EKEYREVOKED);
		} else {
			EXPECT_EQ(-SIGBUS, peek(mem));
			munmap(mem, PAGE);
			won++;
		}
		do_drop(self->phi, arena.cap);
		EXPECT_EQ(0, mappings(self->phi, self->root));
	}
	atomic_store(&arena.stop, true);
	meet(&arena);
	pthread_join(thread, NULL);
	TH_LOG("mmap came first %ld of %d times", won, round);
}

static void *revoker(void *arg)
{
	struct arena *arena = arg;

	for (;;) {
		meet(arena);
		if (atomic_load(&arena->stop))
			break;
		do_revoke(arena->phi, arena->root);
		if (peek((void *)atomic_load(&arena->mem)) >= 0)
			atomic_fetch_add(&arena->late, 1);
		meet(arena);
	}
	return NULL;
}

/* Each of two revokes returns only when the pages are gone. */
TEST_F_TIMEOUT(stress, two_revokes_at_once, 120)
{
	struct arena arena = {
		.phi = self->phi,
		.root = self->root,
		.until = monotonic_ns() + ENOUGH_NS,
	};
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, revoker, &arena));
	for (int round = 0; go_on(&arena, round, ROUNDS); round++) {
		unsigned char *mem = NULL;
		uint64_t mid, cap;

		EXPECT_EQ(0, do_derive(self->phi, self->root, RIGHTS, &mid));
		EXPECT_EQ(0, do_derive(self->phi, mid, RIGHTS, &cap));
		EXPECT_EQ(0, do_map(self->phi, cap, variant->bytes, RW, &mem));
		EXPECT_EQ(0, poke(mem, 1));
		atomic_store(&arena.mem, (uintptr_t)mem);
		meet(&arena);
		/* Its parent may be dead already, by the other one. */
		if (!do_revoke(self->phi, mid) && peek(mem) >= 0)
			atomic_fetch_add(&arena.late, 1);
		meet(&arena);
		do_drop(self->phi, cap);
		do_drop(self->phi, mid);
		munmap(mem, variant->bytes);
	}
	atomic_store(&arena.stop, true);
	meet(&arena);
	pthread_join(thread, NULL);
	EXPECT_EQ(0, atomic_load(&arena.late));
}

/* Areas are cut up and moved while the capability is revoked. */
static void *shuffler(void *arg)
{
	struct arena *arena = arg;
	unsigned char *mem, *spot;
	size_t half = arena->bytes / 2;

	while (!atomic_load(&arena->stop)) {
		spot = mmap(NULL, half, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0);
		if (do_map(arena->phi, arena->cap, arena->bytes, RW, &mem)) {
			munmap(spot, half);
			continue;
		}
		poke(mem + half, 1);
		mprotect(mem, half, PROT_READ);
		peek(mem);
		madvise(mem + half, half, MADV_DONTNEED);
		if (mremap(mem + half, half, half,
			   MREMAP_MAYMOVE | MREMAP_FIXED, spot) != spot)
			break;
		peek(spot);
		munmap(spot, half);
		munmap(mem, half);
		atomic_fetch_add(&arena->touched, 1);
	}
	return NULL;
}

TEST_F_TIMEOUT(stress, revoke_against_cutting_up, 120)
{
	struct arena arena = {
		.phi = self->phi,
		.bytes = variant->bytes,
		.until = monotonic_ns() + ENOUGH_NS,
	};
	pthread_t threads[THREADS];

	ASSERT_EQ(0, do_derive(self->phi, self->root, RIGHTS, &arena.cap));
	for (int i = 0; i < THREADS; i++) {
		ASSERT_EQ(0,
			  pthread_create(&threads[i], NULL, shuffler, &arena));
	}
	for (int round = 0; go_on(&arena, round, ROUNDS); round++) {
		uint64_t old = arena.cap;

		EXPECT_TRUE(wait_for(&arena.touched, 2));
		ASSERT_EQ(0, do_revoke(self->phi, self->root));
		ASSERT_EQ(0,
			  do_derive(self->phi, self->root, RIGHTS, &arena.cap));
		ASSERT_EQ(0, do_drop(self->phi, old));
	}
	atomic_store(&arena.stop, true);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	EXPECT_EQ(0, mappings(self->phi, self->root));
}

TEST_HARNESS_MAIN
