// SPDX-License-Identifier: GPL-2.0-only

/* Who pays for a region, and what is left when its users are gone. */

#include <kselftest_harness.h>
#include <sys/syscall.h>

#include "map.h"

FIXTURE(life)
{
	struct phi_system_stats before;
	int phi;
};

FIXTURE_SETUP(life)
{
	touch_init();
	self->phi = do_open();
	ASSERT_LE(0, self->phi)
	{
		TH_LOG("is phi.ko loaded?");
	}
	ASSERT_EQ(0, do_stats(self->phi, &self->before));
}

FIXTURE_TEARDOWN(life)
{
	if (self->phi >= 0)
		close(self->phi);
	EXPECT_TRUE(do_restored(&self->before));
}

/* One of the module's numbers, or a negative errno. */
static long module_number(const char *name, const char *value)
{
	char text[32] = "";
	char path[64];
	long ret = 0;
	int fd;

	snprintf(path, sizeof(path), "/sys/module/phi/%s", name);
	fd = open(path, value ? O_RDWR : O_RDONLY);
	if (fd < 0)
		return -errno;
	if (read(fd, text, sizeof(text) - 1) < 0)
		ret = -errno;
	if (!ret && value &&
	    pwrite(fd, value, strlen(value), 0) != (ssize_t)strlen(value))
		ret = -errno;
	close(fd);
	return ret ?: strtol(text, NULL, 10);
}

TEST_F(life, is_paid_from_the_quota)
{
	const __u64 *used = &self->before.used[PHI_QUOTA_PAGES];
	struct phi_system_stats now;
	char limit[32], old[32];
	long had;
	uint64_t cap, more;

	had = module_number("parameters/quota_pages", NULL);
	ASSERT_LE(0, had);
	snprintf(old, sizeof(old), "%ld", had);
	snprintf(limit, sizeof(limit), "%llu", *used + 10);
	ASSERT_LE(0, module_number("parameters/quota_pages", limit));

	EXPECT_EQ(-EDQUOT, do_region(self->phi, 11 * PAGE, 0, &more));
	EXPECT_EQ(0, do_region(self->phi, 7 * PAGE, 0, &cap));
	EXPECT_EQ(-EDQUOT, do_region(self->phi, 4 * PAGE, 0, &more));
	EXPECT_EQ(0, do_stats(self->phi, &now));
	EXPECT_EQ(*used + 7, now.used[PHI_QUOTA_PAGES]);
	EXPECT_EQ(0, do_region(self->phi, 3 * PAGE, PHI_REGION_DMA, &more));
	EXPECT_EQ(0, do_drop(self->phi, cap));
	EXPECT_EQ(0, do_drop(self->phi, more));
	EXPECT_EQ(0, do_stats(self->phi, &now));
	EXPECT_EQ(*used, now.used[PHI_QUOTA_PAGES]);

	ASSERT_LE(0, module_number("parameters/quota_pages", old));
}

TEST_F(life, costs_nothing_when_there_is_no_memory)
{
	struct phi_system_stats now;
	char old[32];
	uint64_t cap;
	long had;

	had = module_number("parameters/quota_pages", NULL);
	ASSERT_LE(0, had);
	snprintf(old, sizeof(old), "%ld", had);
	ASSERT_LE(0, module_number("parameters/quota_pages",
				   "4611686018427387904"));
	ASSERT_LE(0, module_number("parameters/total_pages",
				   "4611686018427387904"));
	EXPECT_EQ(-ENOMEM, do_region(self->phi, 1ULL << 45, 0, &cap));
	EXPECT_EQ(0, do_stats(self->phi, &now));
	EXPECT_EQ(self->before.used[PHI_QUOTA_PAGES],
		  now.used[PHI_QUOTA_PAGES]);
	EXPECT_EQ(self->before.used[PHI_QUOTA_OBJECTS],
		  now.used[PHI_QUOTA_OBJECTS]);
	ASSERT_LE(0, module_number("parameters/quota_pages", old));
	ASSERT_LE(0, module_number("parameters/total_pages", "0"));
}

/* Regions, mappings and handles of every kind, then wait to be killed. */
static void live(int ready)
{
	int phi = do_open();

	for (int i = 0; i < 8; i++) {
		uint64_t root, cap;
		char *a, *b;

		if (do_region(phi, i % 2 ? HUGE : 9 * PAGE,
			      i % 4 < 2 ? 0 : PHI_REGION_DMA, &root) ||
		    do_derive_until(phi, root, RIGHTS,
				    boottime_ns() + 3600000000000ULL, 0,
				    &cap) ||
		    do_map(phi, root, 9 * PAGE, RW, &a) ||
		    do_map(phi, cap, 8 * PAGE, RW, &b))
			_exit(1);
		memset(a, 1, 9 * PAGE);
		memset(b, 2, 8 * PAGE);
		munmap(a + PAGE, PAGE);
		if (i == 3)
			do_drop(phi, root);
		if (i == 4)
			do_revoke(phi, root);
	}
	if (write(ready, "", 1) == 1)
		pause();
	_exit(1);
}

TEST_F(life, a_killed_process_leaves_nothing)
{
	struct phi_system_stats now;
	int ready[2], status;
	char byte;
	pid_t pid;

	ASSERT_EQ(0, pipe(ready));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		live(ready[1]);
	close(ready[1]);
	ASSERT_EQ(1, read(ready[0], &byte, 1));
	ASSERT_EQ(0, do_stats(self->phi, &now));
	EXPECT_EQ(self->before.objects[PHI_TYPE_MEMORY] + 8,
		  now.objects[PHI_TYPE_MEMORY]);
	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_TRUE(do_settled(self->phi, &self->before));
}

/* Wait until the module is used so many times; tell how many times it is. */
static long used(long expected)
{
	long n = -1;

	for (int tries = 0; tries < 3000; tries++) {
		n = module_number("refcnt", NULL);
		if (n == expected)
			break;
		usleep(10000);
	}
	return n;
}

/* The code that handles faults cannot go while an area may fault. */
TEST_F(life, a_mapping_keeps_the_module_loaded)
{
	uint64_t cap;
	void *mem;
	long base;

	close(self->phi);
	base = used(0);
	self->phi = do_open();
	ASSERT_EQ(base + 1, used(base + 1));
	ASSERT_EQ(0, do_region(self->phi, PAGE, 0, &cap));
	ASSERT_EQ(0, do_map(self->phi, cap, PAGE, RW, &mem));
	close(self->phi);
	self->phi = -1;
	EXPECT_EQ(base + 1, used(base + 1));
	EXPECT_EQ(-1, syscall(SYS_delete_module, "phi", O_NONBLOCK));
	EXPECT_EQ(EWOULDBLOCK, errno);
	EXPECT_EQ(-SIGBUS, peek(mem));
	ASSERT_EQ(0, munmap(mem, PAGE));
	EXPECT_EQ(base, used(base));
}

TEST_HARNESS_MAIN
