// SPDX-License-Identifier: GPL-2.0-only
/* The functions of libphi on regions that have no test elsewhere here. */
#include <kselftest_harness.h>

#include <fcntl.h>

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

TEST_F(region, adoptions)
{
	int memfd = memfd_create("adopt", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	char *mem, *own;
	uint64_t out;

	ASSERT_LE(0, memfd);
	ASSERT_EQ(0, ftruncate(memfd, PAGE));
	EXPECT_EQ(-EINVAL, phi_region_adopt(self->phi, memfd, 0, PAGE, &out));
	ASSERT_EQ(0, fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK));
	ASSERT_EQ(0, phi_region_adopt(self->phi, memfd, 0, PAGE, &out));
	ASSERT_EQ(1, pwrite(memfd, "m", 1, 9));
	ASSERT_EQ(0, phi_region_map(self->phi, out, PROT_READ, (void **)&mem,
				    NULL));
	EXPECT_EQ('m', mem[9]);

	own = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, own);
	ASSERT_EQ(0, phi_region_adopt_private(self->phi, own, PAGE, &out));
	own[7] = 'p';
	ASSERT_EQ(0, phi_region_map(self->phi, out, PROT_READ, (void **)&mem,
				    NULL));
	EXPECT_EQ('p', mem[7]);
	close(memfd);
}

TEST_HARNESS_MAIN
