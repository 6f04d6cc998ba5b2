// SPDX-License-Identifier: GPL-2.0-only
/*
 * Regions as 32-bit programs map them: ioctl() and mmap2() by int $0x80.
 */

#include <setjmp.h>

#include "kselftest_harness.h"

#include "map.h"

#define NR32_IOCTL 54
#define NR32_MMAP2 192

/* A call of a 32-bit program; pointers must be below 4 GiB. */
static long call32(long nr, long a, long b, long c, long d, long e, long f)
{
	long ret;

	/* The sixth argument is in a register that the compiler keeps. */
	asm volatile("push %%rbp\n\t"
		     "mov %[f], %%rbp\n\t"
		     "int $0x80\n\t"
		     "pop %%rbp"
		     : "=a"(ret)
		     : "a"(nr), "b"(a), "c"(b), "d"(c), "S"(d),
		       "D"(e), [f] "r"(f)
		     : "memory", "r8", "r9", "r10", "r11");
	return (int)ret;
}

FIXTURE(compat)
{
	int phi;
	struct phi_region_info *info;
};

FIXTURE_SETUP(compat)
{
	self->phi = do_open();
	ASSERT_LE(0, self->phi)
	{
		TH_LOG("is phi.ko loaded?");
	}
	self->info = mmap(NULL, PAGE, RW,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	ASSERT_NE(MAP_FAILED, self->info);
	touch_init();
}

FIXTURE_TEARDOWN(compat)
{
	close(self->phi);
}

/* Where mmap2() finds a region, in pages, or a negative errno. */
static long info32(int phi, uint64_t cap, struct phi_region_info *info)
{
	long ret;

	*info = (struct phi_region_info){ .size = sizeof(*info), .cap = cap };
	ret = call32(NR32_IOCTL, phi, PHI_IOC_REGION_INFO, (long)info, 0, 0, 0);
	return ret ?: (long)(info->offset / PAGE);
}

/* Map a page: its address, below 4 GiB, or a negative errno. */
static long map32(int phi, long pgoff)
{
	long ret = call32(NR32_MMAP2, 0, PAGE, RW, MAP_SHARED, phi, pgoff);

	return ret < 0 && ret > -4096 ? ret : (long)(uint32_t)ret;
}

/* Use the slot of a handle up to its @n-th use. */
static int wear(int phi, uint64_t cap, uint32_t n, uint64_t *last)
{
	int ret = do_derive(phi, cap, RIGHTS, last);

	while (!ret && *last >> 32 < n) {
		ret = do_drop(phi, *last);
		ret = ret ?: do_derive(phi, cap, RIGHTS, last);
	}
	return ret;
}

TEST_F_TIMEOUT(compat, mmap2_reaches_a_slot_that_was_used_often, 120)
{
	uint64_t cap, last;
	long pgoff, at;

	ASSERT_EQ(0, do_region(self->phi, PAGE, 0, &cap));
	ASSERT_EQ(0, wear(self->phi, cap, 65536 + 7, &last));
	ASSERT_EQ(65536 + 7, last >> 32);
	pgoff = info32(self->phi, last, self->info);
	ASSERT_LT(0, pgoff);
	ASSERT_EQ(0, pgoff >> 32);
	at = map32(self->phi, pgoff);
	ASSERT_LT(0, at);
	EXPECT_EQ(0, poke((void *)at, 7));
	EXPECT_EQ(7, peek((void *)at));

	/* It stands for nothing else until the generation comes round. */
	ASSERT_EQ(0, do_drop(self->phi, last));
	EXPECT_EQ(-SIGBUS, peek((void *)at));
	EXPECT_EQ(-EBADF, map32(self->phi, pgoff));
	ASSERT_EQ(0, wear(self->phi, cap, 65536 + 8, &last));
	EXPECT_EQ(-EBADF, map32(self->phi, pgoff));
	EXPECT_EQ(-EBADF, map32(self->phi, pgoff & 0xffff));
}

TEST_F(compat, mmap2_reaches_a_fresh_slot)
{
	uint64_t cap;
	long pgoff, at;

	ASSERT_EQ(0, do_region(self->phi, PAGE, 0, &cap));
	pgoff = info32(self->phi, cap, self->info);
	ASSERT_LT(0, pgoff);
	at = map32(self->phi, pgoff);
	ASSERT_LT(0, at);
	EXPECT_EQ(0, poke((void *)at, 7));
	/* Nothing is behind the next slot. */
	EXPECT_EQ(-EBADF, map32(self->phi, pgoff + 1));
}

TEST_HARNESS_MAIN
