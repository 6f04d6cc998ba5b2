// SPDX-License-Identifier: GPL-2.0-only

/* Who may pin pages of a region, and what becomes of pinned pages. */

#include <kselftest_harness.h>
#include <linux/futex.h>
#include <sys/syscall.h>

#include "pins.h"

FIXTURE(pin)
{
	struct phi_system_stats before;
	struct io_uring ring;
	int phi;
	int pipe[2];
};

FIXTURE_SETUP(pin)
{
	touch_init();
	self->phi = do_open();
	ASSERT_LE(0, self->phi)
	{
		TH_LOG("is phi.ko loaded?");
	}
	ASSERT_EQ(0, do_stats(self->phi, &self->before));
	ASSERT_EQ(0, io_uring_queue_init(4, &self->ring, 0));
	ASSERT_EQ(0, pipe(self->pipe));
}

FIXTURE_TEARDOWN(pin)
{
	close(self->phi);
	close(self->pipe[0]);
	close(self->pipe[1]);
	io_uring_queue_exit(&self->ring);
	EXPECT_TRUE(do_restored(&self->before));
}

static int futex_wake_shared(void *at)
{
	long ret = syscall(SYS_futex, at, FUTEX_WAKE, 1, NULL, NULL, 0);

	return ret < 0 ? -errno : (int)ret;
}

/* Small pages and huge ones, touched and not. */
TEST_F(pin, a_revocable_region_cannot_be_pinned)
{
	static const size_t sizes[] = { PAGE, HUGE };
	char byte;

	for (int i = 0; i < 4; i++) {
		size_t bytes = sizes[i % 2];
		uint64_t cap;
		char *mem;

		ASSERT_EQ(0, do_region(self->phi, bytes, 0, &cap));
		ASSERT_EQ(0, do_map(self->phi, cap, bytes, RW, &mem));
		if (i < 2)
			memset(mem, 7, bytes);
		EXPECT_EQ(-EFAULT, futex_wake_shared(mem));
		EXPECT_EQ(-EFAULT, splice_out(self->pipe[1], mem));
		EXPECT_EQ(-EFAULT, pin(&self->ring, mem, bytes));
		/* Copying is what it is for. */
		EXPECT_EQ(1, write(self->pipe[1], mem, 1));
		EXPECT_EQ(1, read(self->pipe[0], &byte, 1));
		EXPECT_EQ(i < 2 ? 7 : 0, byte);
	}
}

TEST_F(pin, a_dma_region_can_be_pinned)
{
	uint64_t cap;
	char *mem;

	ASSERT_EQ(0, do_region(self->phi, HUGE, PHI_REGION_DMA, &cap));
	ASSERT_EQ(0, do_map(self->phi, cap, HUGE, RW, &mem));
	EXPECT_EQ(0, pin(&self->ring, mem, HUGE));
	EXPECT_EQ(PAGE, splice_out(self->pipe[1], mem));
	ASSERT_EQ(0, io_uring_unregister_buffers(&self->ring));
}

/* Make a region full of a pattern; tell how many of its bytes were not 0. */
static long churn(int phi, size_t bytes, unsigned char pattern)
{
	unsigned char *mem;
	uint64_t cap;
	long dirty = 0;

	if (do_region(phi, bytes, PHI_REGION_DMA, &cap))
		return -1;
	if (do_map(phi, cap, bytes, RW, &mem))
		return -1;
	for (size_t at = 0; at < bytes; at += 8)
		dirty += *(uint64_t *)(mem + at) != 0;
	memset(mem, pattern, bytes);
	if (munmap(mem, bytes) || do_drop(phi, cap))
		return -1;
	return dirty;
}

TEST_F(pin, a_pinned_page_is_not_used_again)
{
	const size_t bytes = 64 * PAGE;
	struct phi_system_stats now;
	unsigned char page[PAGE];
	uint64_t root, cap;
	char *mem;

	ASSERT_EQ(0, do_region(self->phi, bytes, PHI_REGION_DMA, &root));
	ASSERT_EQ(0, do_derive(self->phi, root, PINNABLE, &cap));
	ASSERT_EQ(0, do_map(self->phi, cap, bytes, RW, &mem));
	memset(mem, 0x5a, bytes);
	ASSERT_EQ(0, pin(&self->ring, mem, bytes));

	ASSERT_EQ(0, do_revoke(self->phi, root));
	EXPECT_EQ(-SIGBUS, peek(mem));
	EXPECT_EQ(-SIGBUS, poke(mem + PAGE, 1));
	EXPECT_EQ(-EFAULT, splice_out(self->pipe[1], mem));

	/* The region goes, the pinned pages and their charge stay. */
	ASSERT_EQ(0, do_drop(self->phi, cap));
	ASSERT_EQ(0, do_drop(self->phi, root));
	ASSERT_EQ(0, do_stats(self->phi, &now));
	EXPECT_EQ(self->before.used[PHI_QUOTA_PAGES] + bytes / PAGE,
		  now.used[PHI_QUOTA_PAGES]);
	for (int i = 0; i < 16; i++) {
		ASSERT_EQ(0, churn(self->phi, bytes, 0xa5));
		ASSERT_EQ(0, churn(self->phi, HUGE, 0xa5));
	}
	for (size_t at = 0; at < bytes; at += PAGE) {
		ASSERT_EQ(PAGE,
			  write_fixed(&self->ring, self->pipe[1], mem + at));
		ASSERT_EQ(PAGE, read(self->pipe[0], page, PAGE));
		for (size_t i = 0; i < PAGE; i++) {
			ASSERT_EQ(0x5a, page[i]);
		}
	}
	ASSERT_EQ(0, io_uring_unregister_buffers(&self->ring));
	EXPECT_EQ(-EFAULT, pin(&self->ring, mem, bytes));
}

/* Without a revoke too: pages are given back when they are unpinned. */
TEST_F(pin, a_pinned_page_stays_charged)
{
	struct phi_system_stats now;
	char page[PAGE];
	uint64_t root;
	char *mem;

	ASSERT_EQ(0, do_region(self->phi, 8 * PAGE, PHI_REGION_DMA, &root));
	ASSERT_EQ(0, do_map(self->phi, root, 8 * PAGE, RW, &mem));
	ASSERT_EQ(PAGE, splice_out(self->pipe[1], mem));
	ASSERT_EQ(PAGE, splice_out(self->pipe[1], mem + 5 * PAGE));
	ASSERT_EQ(0, do_drop(self->phi, root));
	ASSERT_EQ(0, do_stats(self->phi, &now));
	EXPECT_EQ(self->before.used[PHI_QUOTA_PAGES] + 2,
		  now.used[PHI_QUOTA_PAGES]);
	EXPECT_EQ(self->before.objects[PHI_TYPE_MEMORY],
		  now.objects[PHI_TYPE_MEMORY]);
	ASSERT_EQ(PAGE, read(self->pipe[0], page, PAGE));
	ASSERT_EQ(PAGE, read(self->pipe[0], page, PAGE));
	ASSERT_EQ(0, munmap(mem, 8 * PAGE));
	EXPECT_TRUE(do_settled(self->phi, &self->before));
}

/* MAP alone does not pin, whichever way it came. */
TEST_F(pin, a_pin_needs_the_right)
{
	uint64_t root, weak, weaker, given;
	struct phi_token token;
	char *mem;
	char byte;

	ASSERT_EQ(0, do_region(self->phi, HUGE, PHI_REGION_DMA, &root));
	ASSERT_EQ(0, do_derive(self->phi, root, RIGHTS, &weak));
	EXPECT_EQ(-EPERM, do_derive(self->phi, weak, PINNABLE, &weaker));
	EXPECT_EQ(-EPERM, do_seal(self->phi, weak, PINNABLE, 0, 0, &token));
	ASSERT_EQ(0, do_seal(self->phi, root, RIGHTS, 0, 0, &token));
	ASSERT_EQ(0, do_unseal(self->phi, &token, &given));
	for (int i = 0; i < 4; i++) {
		uint64_t cap = i % 2 ? weak : given;

		ASSERT_EQ(0, do_map(self->phi, cap, HUGE, RW, &mem));
		if (i < 2)
			memset(mem, 7, HUGE);
		EXPECT_EQ(-EFAULT, futex_wake_shared(mem));
		EXPECT_EQ(-EFAULT, splice_out(self->pipe[1], mem));
		EXPECT_EQ(-EFAULT, pin(&self->ring, mem, HUGE));
		EXPECT_EQ(1, write(self->pipe[1], mem, 1));
		EXPECT_EQ(1, read(self->pipe[0], &byte, 1));
		EXPECT_EQ(7, byte);
	}
	ASSERT_EQ(0, do_region(self->phi, PAGE, 0, &root));
	EXPECT_EQ(-EPERM, do_derive(self->phi, root, PINNABLE, &weak));
}

TEST_F(pin, a_page_is_zeroed_before_it_is_used_again)
{
	for (int i = 0; i < 20; i++) {
		ASSERT_EQ(0, churn(self->phi, 16 * PAGE, 0xff));
		ASSERT_EQ(0, churn(self->phi, HUGE, 0xff));
	}
}

TEST_HARNESS_MAIN
