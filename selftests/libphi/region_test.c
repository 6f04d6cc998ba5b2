// SPDX-License-Identifier: GPL-2.0-only
/* The functions of libphi on regions that have no test elsewhere here. */
#include <kselftest_harness.h>

#include <phi/phi.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096

FIXTURE(region)
{
	int phi;
	uint64_t cap;
};

FIXTURE_SETUP(region)
{
	self->phi = phi_open(0);
	ASSERT_LE(0, self->phi);
	ASSERT_EQ(0, phi_region_create(self->phi, PAGE, 0, &self->cap));
}

FIXTURE_TEARDOWN(region)
{
	phi_close(self->phi);
}

TEST_F(region, words)
{
	uint32_t woken = 7;

	EXPECT_EQ(0, phi_region_wait(self->phi, self->cap, 4, 1, 0, 0));
	EXPECT_EQ(-EAGAIN,
		  phi_region_wait(self->phi, self->cap, 4, 0, PHI_NONBLOCK, 0));
	EXPECT_EQ(-ETIMEDOUT,
		  phi_region_wait(self->phi, self->cap, 4, 0, 0, 1));
	EXPECT_EQ(-EINVAL,
		  phi_region_wait(self->phi, self->cap, PAGE, 0, 0, 1));
	EXPECT_EQ(0, phi_region_wake(self->phi, self->cap, 4, 1, &woken));
	EXPECT_EQ(0, woken);
	EXPECT_EQ(0, phi_region_wake(self->phi, self->cap, 4, 1, NULL));
	EXPECT_EQ(-EINVAL, phi_region_wake(self->phi, self->cap, 4, 0, NULL));
}

TEST_F(region, snapshots)
{
	char *old, *new;
	uint64_t out;

	ASSERT_EQ(0,
		  phi_region_map(self->phi, self->cap, PROT_READ | PROT_WRITE,
				 (void **)&old, NULL));
	memcpy(old, "before", 7);
	ASSERT_EQ(0, phi_region_snapshot(self->phi, self->cap, &out));
	memcpy(old, "after", 6);
	ASSERT_EQ(0, phi_region_map(self->phi, out, PROT_READ, (void **)&new,
				    NULL));
	EXPECT_STREQ("before", new);
	EXPECT_STREQ("after", old);
	EXPECT_EQ(-EBADF, phi_region_snapshot(self->phi, 99, &out));
}

TEST_HARNESS_MAIN
