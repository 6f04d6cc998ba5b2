// SPDX-License-Identifier: GPL-2.0-only

#include "kselftest_harness.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include "phi_ioctl.h"

FIXTURE(system)
{
	int phi;
};

FIXTURE_SETUP(system)
{
	self->phi = do_open();
	ASSERT_LE(0, self->phi)
	{
		TH_LOG("is phi.ko loaded?");
	}
}

FIXTURE_TEARDOWN(system)
{
	close(self->phi);
}

TEST_F(system, anyone_may_open_the_device)
{
	struct stat st;

	ASSERT_EQ(0, stat("/dev/phi", &st));
	EXPECT_TRUE(S_ISCHR(st.st_mode));
	EXPECT_EQ(0666, st.st_mode & 07777);
}

TEST_F(system, info_tells_version_and_features)
{
	struct phi_system_info info = {};

	ASSERT_EQ(0, PHI_DO(self->phi, SYSTEM_INFO, &info));
	EXPECT_EQ(PHI_ABI_VERSION, info.abi);
	EXPECT_LE(30, info.calls);
	EXPECT_TRUE(info.features & PHI_FEATURE_URING);
	EXPECT_TRUE(info.features & PHI_FEATURE_KFUNC);
	EXPECT_EQ(access("/sys/kernel/sched_ext", F_OK) == 0,
		  !!(info.features & PHI_FEATURE_SCHED_EXT));
	info.flags = 1;
	EXPECT_EQ(-EOPNOTSUPP, PHI_DO(self->phi, SYSTEM_INFO, &info));
}

/* The table has as many rows as there are numbers that are not ENOTTY. */
TEST_F(system, info_counts_the_calls)
{
	struct phi_system_info info = {};
	uint32_t calls = 0;

	ASSERT_EQ(0, PHI_DO(self->phi, SYSTEM_INFO, &info));
	for (int nr = 0; nr < 256; nr++) {
		ASSERT_EQ(-1, ioctl(self->phi, _IO(PHI_IOC_MAGIC, nr), NULL));
		ASSERT_TRUE(errno == EFAULT || errno == ENOTTY);
		calls += errno == EFAULT;
	}
	EXPECT_EQ(info.calls, calls);
}

TEST_F(system, stats_count_what_is_made)
{
	struct phi_system_stats before, after;
	uint64_t cap, child;
	int other;

	ASSERT_EQ(0, do_stats(self->phi, &before));
	EXPECT_LE(1, before.cspaces);
	ASSERT_EQ(0, do_notify(self->phi, &cap));
	ASSERT_EQ(0, do_derive(self->phi, cap, PHI_RIGHT_READ, &child));
	other = do_open();
	ASSERT_LE(0, other);

	ASSERT_EQ(0, do_stats(self->phi, &after));
	EXPECT_EQ(before.cspaces + 1, after.cspaces);
	EXPECT_EQ(before.objects[0] + 1, after.objects[0]);
	EXPECT_EQ(before.objects[PHI_TYPE_NOTIFY] + 1,
		  after.objects[PHI_TYPE_NOTIFY]);
	EXPECT_EQ(before.objects[PHI_TYPE_MEMORY],
		  after.objects[PHI_TYPE_MEMORY]);
	EXPECT_EQ(before.used[PHI_QUOTA_OBJECTS] + 2,
		  after.used[PHI_QUOTA_OBJECTS]);
	EXPECT_EQ(before.used[PHI_QUOTA_CAPS] + 2, after.used[PHI_QUOTA_CAPS]);

	close(other);
	ASSERT_EQ(0, do_drop(self->phi, cap));
	ASSERT_EQ(0, do_drop(self->phi, child));
	EXPECT_TRUE(do_settled(self->phi, &before));

	after.flags = 1;
	EXPECT_EQ(-EOPNOTSUPP, PHI_DO(self->phi, SYSTEM_STATS, &after));
}

TEST_F_TIMEOUT(system, closing_gives_everything_back, 120)
{
	struct phi_system_stats before;
	int other;

	ASSERT_EQ(0, do_stats(self->phi, &before));
	other = do_open();
	ASSERT_LE(0, other);
	for (int i = 0; i < 600; i++) {
		uint64_t cap, child;

		ASSERT_EQ(0, do_notify(other, &cap));
		ASSERT_EQ(0, do_derive(other, cap, PHI_RIGHT_READ, &child));
	}
	close(other);
	EXPECT_TRUE(do_settled(self->phi, &before));
}

/* A killed process leaves nothing either. */
static int make_and_die(void *arg)
{
	(void)arg;
	for (int phi = do_open(), i = 0; i < 300; i++) {
		uint64_t cap;

		if (do_endpoint(phi, &cap) || do_notify(phi, &cap))
			return 1;
	}
	return raise(SIGKILL);
}

TEST_F_TIMEOUT(system, death_gives_everything_back, 120)
{
	struct phi_system_stats before;

	ASSERT_EQ(0, do_stats(self->phi, &before));
	EXPECT_EQ(-ECHILD, in_child(make_and_die, NULL));
	EXPECT_TRUE(do_settled(self->phi, &before));
}

TEST_F(system, no_unload_while_open)
{
	EXPECT_NE(0, system("rmmod phi 2>/dev/null"));
	EXPECT_EQ(0, access("/dev/phi", F_OK));
}

/* mmap() without a region's offset maps nothing. */
TEST_F(system, mmap_of_nothing)
{
	EXPECT_EQ(MAP_FAILED,
		  mmap(NULL, 4096, PROT_READ, MAP_SHARED, self->phi, 0));
}

TEST_HARNESS_MAIN
