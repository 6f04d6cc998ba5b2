// SPDX-License-Identifier: GPL-2.0-only

/* Pages of regions in memory cgroups. */

#include "kselftest_harness.h"

#include <limits.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "region/pins.h"

#define MIB (1UL << 20)

FIXTURE(memcg)
{
	struct phi_system_stats before;
	char path[64];
	int phi;
};

static int put(const char *dir, const char *file, const char *text)
{
	char path[PATH_MAX];
	int fd, ret = 0;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

/* A number from a file of a cgroup, after @key if that is given. */
static long figure(const char *dir, const char *file, const char *key)
{
	char path[PATH_MAX], name[64];
	long value = -1;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	f = fopen(path, "r");
	if (!f)
		return -1;
	if (!key) {
		if (fscanf(f, "%ld", &value) != 1)
			value = -1;
	} else {
		while (fscanf(f, "%63s %ld", name, &value) == 2) {
			if (!strcmp(name, key))
				break;
			value = -1;
		}
	}
	fclose(f);
	return value;
}

FIXTURE_SETUP(memcg)
{
	mkdir("/sys/fs/cgroup", 0755);
	if (access("/sys/fs/cgroup/cgroup.controllers", F_OK))
		ASSERT_EQ(0,
			  mount("none", "/sys/fs/cgroup", "cgroup2", 0, NULL));
	ASSERT_EQ(0,
		  put("/sys/fs/cgroup", "cgroup.subtree_control", "+memory"));
	snprintf(self->path, sizeof(self->path), "/sys/fs/cgroup/phi-%d",
		 getpid());
	ASSERT_EQ(0, mkdir(self->path, 0755));
	self->phi = do_open();
	ASSERT_LE(0, self->phi)
	{
		TH_LOG("is phi.ko loaded?");
	}
	ASSERT_EQ(0, do_stats(self->phi, &self->before));
}

FIXTURE_TEARDOWN(memcg)
{
	EXPECT_TRUE(do_settled(self->phi, &self->before));
	close(self->phi);
	/* The exit of the last process may lag behind its status. */
	for (int tries = 0; rmdir(self->path) && tries < 3000; tries++)
		usleep(10000);
	EXPECT_EQ(-1, access(self->path, F_OK));
}

static int enter(const char *path)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", getpid());
	return put(path, "cgroup.procs", text);
}

/* In the cgroup: a region that fits is charged to it; one that does not fails. */
static int charged(void *arg)
{
	const char *path = arg;
	long before, after;
	uint64_t cap;
	int phi, ret;

	if (enter(path))
		return -EIO;
	phi = do_open();
	if (phi < 0)
		return phi;
	before = figure(path, "memory.current", NULL);
	ret = do_region(phi, 16 * MIB, 0, &cap);
	if (ret)
		return ret;
	after = figure(path, "memory.current", NULL);
	if (before < 0 || after < before + 16 * (long)MIB)
		return -ERANGE;
	for (int i = 0; i < 3; i++) {
		ret = do_region(phi, 64 * MIB, i == 1 ? PHI_REGION_DMA : 0,
				&cap);
		if (ret != -ENOMEM)
			return ret ?: -EEXIST;
	}
	return 0;
}

TEST_F(memcg, a_limit_is_enomem_and_kills_nobody)
{
	ASSERT_EQ(0, put(self->path, "memory.max", "48M"));
	EXPECT_EQ(0, in_child(charged, self->path));
	EXPECT_EQ(0, figure(self->path, "memory.events", "oom_kill"));
}

/* What a child does in a cgroup that has no room for copies. */
struct revoker {
	const char *path;
	int phi;
	uint64_t root;
};

/* Nothing of the child is charged between the revoke and its leave. */
static int revoke_in(void *arg)
{
	int out = open("/sys/fs/cgroup/cgroup.procs", O_WRONLY | O_CLOEXEC);
	struct revoker *r = arg;
	int ret;

	if (out < 0 || mlockall(MCL_CURRENT))
		return -errno;
	ret = enter(r->path);
	if (ret)
		return ret;
	ret = do_revoke(r->phi, r->root);
	if (write(out, "0", 1) != 1)
		return -errno;
	return ret;
}

/*
 * Pinned pages that cannot be replaced leave the region all the same: what the
 * revoked holder has pinned is never the owner's.
 */
TEST_F(memcg, pages_without_a_copy_are_lost)
{
	const size_t pages = 2048;
	struct phi_cspace_share share = { .shared = 1 };
	struct revoker r = { .path = self->path, .phi = self->phi };
	struct phi_system_stats now;
	struct io_uring ring;
	unsigned char *own, *mem;
	size_t kept = 0, lost = 0;
	uint64_t cap;

	touch_init();
	ASSERT_EQ(0, io_uring_queue_init(4, &ring, 0));
	ASSERT_EQ(0, PHI_DO(self->phi, CSPACE_SHARE, &share));
	ASSERT_EQ(0,
		  do_region(self->phi, pages * PAGE, PHI_REGION_DMA, &r.root));
	ASSERT_EQ(0, do_derive(self->phi, r.root, PINNABLE, &cap));
	ASSERT_EQ(0, do_map(self->phi, r.root, pages * PAGE, RW, &own));
	ASSERT_EQ(0, do_map(self->phi, cap, pages * PAGE, RW, &mem));
	memset(own, 0x5a, pages * PAGE);
	ASSERT_EQ(0, pin(&ring, mem, pages * PAGE));
	ASSERT_EQ(0, put(self->path, "memory.max", "4M"));

	EXPECT_EQ(-ENOMEM, in_child(revoke_in, &r));
	EXPECT_EQ(0, figure(self->path, "memory.events", "oom_kill"));
	EXPECT_EQ(-SIGBUS, peek(mem));
	EXPECT_EQ((int)pages, pinned(self->phi, r.root));
	for (size_t i = 0; i < pages; i++) {
		int byte = peek(own + i * PAGE);

		kept += byte == 0x5a;
		lost += byte == -SIGBUS;
	}
	EXPECT_EQ(pages, kept + lost);
	EXPECT_LT(0, lost);
	/* The pinned pages and the copies are charged. */
	ASSERT_EQ(0, do_stats(self->phi, &now));
	EXPECT_EQ(self->before.used[PHI_QUOTA_PAGES] + pages + kept,
		  now.used[PHI_QUOTA_PAGES]);
	io_uring_queue_exit(&ring);
	ASSERT_EQ(0, munmap(own, pages * PAGE));
	ASSERT_EQ(0, munmap(mem, pages * PAGE));
	ASSERT_EQ(0, do_drop(self->phi, cap));
	ASSERT_EQ(0, do_drop(self->phi, r.root));
}

TEST_HARNESS_MAIN
