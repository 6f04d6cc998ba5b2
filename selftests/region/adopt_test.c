// SPDX-License-Identifier: GPL-2.0-only
/* Regions of memory that exists already: of a memfd, and of the process. */
#include <kselftest_harness.h>

#include <fcntl.h>
#include <linux/memfd.h>
#include <pthread.h>
#include <sys/wait.h>

#include "pins.h"

#define PAGES 24UL
#define ADOPTED \
	(PHI_RIGHT_READ | PHI_RIGHT_MAP | PHI_RIGHT_ADMIN | PHI_RIGHT_GRANT)

FIXTURE(adopt)
{
	struct phi_system_stats before;
	int phi, memfd;
	unsigned char *own;
};

static int sealed(unsigned int flags, unsigned long pages, int seals)
{
	int fd = memfd_create("adopt", MFD_CLOEXEC | MFD_ALLOW_SEALING | flags);

	if (fd >= 0 &&
	    (ftruncate(fd, pages * PAGE) || fcntl(fd, F_ADD_SEALS, seals))) {
		close(fd);
		return -1;
	}
	return fd;
}

FIXTURE_SETUP(adopt)
{
	touch_init();
	self->phi = do_open();
	ASSERT_LE(0, self->phi);
	ASSERT_EQ(0, do_stats(self->phi, &self->before));
	self->memfd = sealed(0, PAGES, F_SEAL_SHRINK);
	ASSERT_LE(0, self->memfd);
	self->own = mmap(NULL, PAGES * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);
	ASSERT_NE(MAP_FAILED, self->own);
}

FIXTURE_TEARDOWN(adopt)
{
	close(self->memfd);
	close(self->phi);
	EXPECT_TRUE(do_restored(&self->before));
	munmap(self->own, PAGES * PAGE);
}

static int do_adopt(int phi, int fd, uint64_t start, uint64_t bytes,
		    uint64_t *cap)
{
	struct phi_region_adopt arg = {
		.flags = fd < 0 ? PHI_ADOPT_PRIVATE : 0,
		.start = start,
		.bytes = bytes,
		.fd = fd,
	};
	int ret = PHI_DO(phi, REGION_ADOPT, &arg);

	*cap = arg.cap;
	return ret;
}

static int adopt_own(int phi, void *at, uint64_t bytes, uint64_t *cap)
{
	return do_adopt(phi, -1, (uintptr_t)at, bytes, cap);
}

TEST_F(adopt, refuses_bad_input)
{
	struct phi_region_adopt arg = { .flags = 2, .bytes = PAGE, .fd = -1 };
	uint64_t out;

	EXPECT_EQ(-EOPNOTSUPP, PHI_DO(self->phi, REGION_ADOPT, &arg));
	arg = (struct phi_region_adopt){ .bytes = PAGE,
					 .fd = self->memfd,
					 .pad = 1 };
	EXPECT_EQ(-EINVAL, PHI_DO(self->phi, REGION_ADOPT, &arg));
	arg = (struct phi_region_adopt){ .flags = PHI_ADOPT_PRIVATE,
					 .start = (uintptr_t)self->own,
					 .bytes = PAGE,
					 .fd = self->memfd };
	EXPECT_EQ(-EINVAL, PHI_DO(self->phi, REGION_ADOPT, &arg));
	EXPECT_EQ(-EINVAL, do_adopt(self->phi, self->memfd, 0, 0, &out));
	EXPECT_EQ(-EINVAL, do_adopt(self->phi, self->memfd, 0, 1, &out));
	EXPECT_EQ(-EINVAL, do_adopt(self->phi, self->memfd, 1, PAGE, &out));
	EXPECT_EQ(-EINVAL,
		  do_adopt(self->phi, self->memfd, PAGE, PAGES * PAGE, &out));
	EXPECT_EQ(-EINVAL, do_adopt(self->phi, self->memfd, (PAGES + 1) * PAGE,
				    PAGE, &out));
	EXPECT_EQ(-EINVAL, do_adopt(self->phi, self->memfd, -PAGE, PAGE, &out));
	EXPECT_EQ(-EINVAL, do_adopt(self->phi, self->memfd, PAGE, -PAGE, &out));
	EXPECT_EQ(-EINVAL, adopt_own(self->phi, self->own + 1, PAGE, &out));
	EXPECT_EQ(-EINVAL, adopt_own(self->phi, self->own, 0, &out));
	EXPECT_EQ(-EBADF, do_adopt(self->phi, 999, 0, PAGE, &out));
}

/* Files that are no memfd, or may lose their pages. */
TEST_F(adopt, refuses_other_files)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	uint64_t out;

	EXPECT_EQ(-EINVAL, do_adopt(self->phi, fd, 0, PAGE, &out));
	close(fd);
	EXPECT_EQ(-EINVAL, do_adopt(self->phi, self->phi, 0, PAGE, &out));
	fd = sealed(0, 1, F_SEAL_GROW);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EINVAL, do_adopt(self->phi, fd, 0, PAGE, &out));
	close(fd);
	fd = sealed(MFD_HUGETLB | MFD_HUGE_2MB, 512, F_SEAL_SHRINK);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EINVAL, do_adopt(self->phi, fd, 0, HUGE, &out));
	close(fd);
}

/* Memory of the process that is not its own, or not there. */
TEST_F(adopt, refuses_other_memory)
{
	void *mem = mmap(NULL, PAGE, RW, MAP_SHARED, self->memfd, 0);
	uint64_t out;

	ASSERT_NE(MAP_FAILED, mem);
	EXPECT_EQ(-EINVAL, adopt_own(self->phi, mem, PAGE, &out));
	ASSERT_EQ(0, munmap(mem, PAGE));
	EXPECT_EQ(-EFAULT, adopt_own(self->phi, mem, PAGE, &out));
	ASSERT_EQ(0, mprotect(self->own, PAGE, PROT_READ));
	EXPECT_EQ(-EFAULT, adopt_own(self->phi, self->own, PAGE, &out));
	/* What was pinned before the hole goes back. */
	ASSERT_EQ(0, munmap(self->own + 20 * PAGE, PAGE));
	EXPECT_EQ(-EFAULT, adopt_own(self->phi, self->own + PAGE,
				     (PAGES - 1) * PAGE, &out));
	ASSERT_EQ(0, do_region(self->phi, PAGE, 0, &out));
	ASSERT_EQ(0, do_map(self->phi, out, PAGE, RW, &mem));
	EXPECT_EQ(-EFAULT, adopt_own(self->phi, mem, PAGE, &out));
}

TEST_F(adopt, shares_a_memfd)
{
	struct phi_region_info info;
	unsigned char *mem, *file;
	uint64_t cap, child;

	file = mmap(NULL, PAGES * PAGE, RW, MAP_SHARED, self->memfd, 0);
	ASSERT_NE(MAP_FAILED, file);
	for (unsigned long i = 0; i < PAGES; i += 2)
		file[i * PAGE] = (unsigned char)(1 + i);
	ASSERT_EQ(0,
		  do_adopt(self->phi, self->memfd, 4 * PAGE, 16 * PAGE, &cap));
	ASSERT_EQ(0, do_info(self->phi, cap, &info));
	EXPECT_EQ(16 * PAGE, info.bytes);
	EXPECT_EQ(PHI_REGION_ADOPTED, info.region_flags);
	EXPECT_EQ(ADOPTED | PHI_RIGHT_WRITE, info.rights);
	EXPECT_EQ(-EOPNOTSUPP, do_snapshot(self->phi, cap, &child));

	ASSERT_EQ(0,
		  do_derive(self->phi, cap, ADOPTED | PHI_RIGHT_WRITE, &child));
	ASSERT_EQ(0, do_map(self->phi, child, 16 * PAGE, RW, &mem));
	for (unsigned long i = 0; i < 16; i++)
		EXPECT_EQ(i % 2 ? 0 : 5 + i, peek(mem + i * PAGE));
	/* Both ways, holes too. */
	EXPECT_EQ(0, poke(mem + 3 * PAGE, 77));
	EXPECT_EQ(77, file[7 * PAGE]);
	file[8 * PAGE] = 78;
	EXPECT_EQ(78, peek(mem + 4 * PAGE));
	/* A revoke takes what was mapped through the region, and no more. */
	ASSERT_EQ(0, do_revoke(self->phi, cap));
	EXPECT_EQ(-SIGBUS, peek(mem));
	EXPECT_EQ(77, file[7 * PAGE]);
	/* The bytes stay when the region goes. */
	ASSERT_EQ(0, do_drop(self->phi, cap));
	EXPECT_EQ(77, file[7 * PAGE]);
	munmap(file, PAGES * PAGE);
}

/* The seals of the memfd, and how it is open, decide on WRITE. */
TEST_F(adopt, writes_as_the_memfd_allows)
{
	int fd = sealed(0, 1, F_SEAL_SHRINK | F_SEAL_WRITE);
	struct phi_region_info info;
	uint64_t cap;
	char path[32];
	void *mem;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, do_adopt(self->phi, fd, 0, PAGE, &cap));
	ASSERT_EQ(0, do_info(self->phi, cap, &info));
	EXPECT_EQ(ADOPTED, info.rights);
	EXPECT_EQ(-EPERM, do_map(self->phi, cap, PAGE, RW, &mem));
	ASSERT_EQ(0, do_map(self->phi, cap, PAGE, PROT_READ, &mem));
	EXPECT_EQ(0, peek(mem));
	close(fd);

	snprintf(path, sizeof(path), "/proc/self/fd/%d", self->memfd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, do_adopt(self->phi, fd, 0, PAGE, &cap));
	ASSERT_EQ(0, do_info(self->phi, cap, &info));
	EXPECT_EQ(ADOPTED, info.rights);
	close(fd);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EINVAL, do_adopt(self->phi, fd, 0, PAGE, &cap));
	close(fd);
}

/* A region may be written, so the promise of the seal cannot be made. */
TEST_F(adopt, keeps_a_seal_away)
{
	uint64_t cap;

	ASSERT_EQ(0, do_adopt(self->phi, self->memfd, 0, PAGE, &cap));
	EXPECT_EQ(-1, fcntl(self->memfd, F_ADD_SEALS, F_SEAL_WRITE));
	EXPECT_EQ(EBUSY, errno);
	ASSERT_EQ(0, do_drop(self->phi, cap));
	EXPECT_EQ(0, fcntl(self->memfd, F_ADD_SEALS, F_SEAL_WRITE));
}

/* The region has them to itself when the process has unmapped them. */
TEST_F(adopt, shares_memory_of_the_process)
{
	unsigned char *mem;
	uint64_t cap;
	int status;
	pid_t pid;

	self->own[PAGE] = 5;
	ASSERT_EQ(0, adopt_own(self->phi, self->own, 8 * PAGE, &cap));
	ASSERT_EQ(0, do_map(self->phi, cap, 8 * PAGE, RW, &mem));
	EXPECT_EQ(5, peek(mem + PAGE));
	EXPECT_EQ(0, poke(mem + 2 * PAGE, 6));
	EXPECT_EQ(6, self->own[2 * PAGE]);
	/* The copy is the child's. */
	pid = fork();
	if (!pid) {
		self->own[PAGE] = 9;
		_exit(self->own[2 * PAGE]);
	}
	self->own[2 * PAGE] = 7;
	EXPECT_EQ(7, peek(mem + 2 * PAGE));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(5, peek(mem + PAGE));
	ASSERT_EQ(0, munmap(self->own, 4 * PAGE));
	EXPECT_EQ(5, peek(mem + PAGE));
	EXPECT_EQ(0, poke(mem + PAGE, 8));
	EXPECT_EQ(8, peek(mem + PAGE));
}

/* Adopted pages cannot be pinned through the region. */
TEST_F(adopt, is_no_dma_memory)
{
	unsigned char *mem;
	int ends[2];
	uint64_t cap;

	ASSERT_EQ(0, pipe(ends));
	ASSERT_EQ(0, adopt_own(self->phi, self->own, PAGE, &cap));
	ASSERT_EQ(0, do_map(self->phi, cap, PAGE, RW, &mem));
	EXPECT_EQ(-EFAULT, splice_out(ends[1], mem));
	close(ends[0]);
	close(ends[1]);
}

/* Without CAP_IPC_LOCK: as much as the limit says, and back again. */
TEST_F(adopt, is_locked_memory)
{
	struct rlimit limit = { 8 * PAGE, 8 * PAGE };
	uint64_t cap;
	int phi;

	ASSERT_EQ(0, setrlimit(RLIMIT_MEMLOCK, &limit));
	ASSERT_EQ(0, setuid(7003));
	phi = do_open();
	ASSERT_LE(0, phi);
	EXPECT_EQ(-EDQUOT, adopt_own(phi, self->own, 9 * PAGE, &cap));
	for (int i = 0; i < 3; i++) {
		uint64_t other;

		ASSERT_EQ(0, adopt_own(phi, self->own, 6 * PAGE, &cap));
		EXPECT_EQ(-EDQUOT, adopt_own(phi, self->own + 8 * PAGE,
					     3 * PAGE, &other));
		ASSERT_EQ(0, adopt_own(phi, self->own + 8 * PAGE, 2 * PAGE,
				       &other));
		ASSERT_EQ(0, do_drop(phi, cap));
		ASSERT_EQ(0, do_drop(phi, other));
	}
	close(phi);
}

/* The limit that refused it is told. */
TEST_F(adopt, says_which_limit)
{
	struct phi_decision_query query = { .flags = PHI_DECISION_BEFORE |
						     PHI_DECISION_THREAD };
	struct rlimit limit = { 8 * PAGE, 8 * PAGE };
	uint64_t cap;
	int phi;

	ASSERT_EQ(0, setrlimit(RLIMIT_MEMLOCK, &limit));
	ASSERT_EQ(0, setuid(7003));
	phi = do_open();
	ASSERT_LE(0, phi);
	EXPECT_EQ(-EDQUOT, adopt_own(phi, self->own, 9 * PAGE, &cap));
	ASSERT_EQ(0, PHI_DO(phi, DECISION_QUERY, &query));
	EXPECT_EQ(PHI_DECIDED_QUOTA, query.decision.where);
	EXPECT_EQ(PHI_DECISION_MEMLOCK, query.decision.kind);
	EXPECT_EQ(9, query.decision.asked);
	EXPECT_EQ(0, query.decision.used);
	EXPECT_EQ(8, query.decision.limit);
	EXPECT_EQ(7003, query.decision.owner);
	close(phi);
}

/* One page of a huge page keeps all of it. */
TEST_F(adopt, pays_for_a_huge_page)
{
	unsigned char *own =
		mmap(NULL, 2 * HUGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct phi_system_stats stats;
	unsigned char *at;
	uint64_t cap;

	ASSERT_NE(MAP_FAILED, own);
	at = (unsigned char *)(((uintptr_t)own + HUGE - 1) & -HUGE);
	if (madvise(at, HUGE, MADV_HUGEPAGE))
		SKIP(return, "no huge pages");
	*at = 1;
	ASSERT_EQ(0, adopt_own(self->phi, at + PAGE, 2 * PAGE, &cap));
	ASSERT_EQ(0, do_stats(self->phi, &stats));
	EXPECT_EQ(self->before.used[PHI_QUOTA_PAGES] + 512,
		  stats.used[PHI_QUOTA_PAGES]);
	munmap(own, 2 * HUGE);
}

static void *add_seal(void *fd)
{
	return (void *)(long)fcntl((int)(long)fd, F_ADD_SEALS, F_SEAL_WRITE);
}

/* Either the seal or the right to write, however the two meet. */
TEST_F(adopt, races_with_a_seal)
{
	struct phi_region_info info;

	for (int i = 0; i < 200; i++) {
		int fd = sealed(0, 1, F_SEAL_SHRINK);
		pthread_t thread;
		uint64_t cap;
		void *failed;

		ASSERT_LE(0, fd);
		ASSERT_EQ(0, pthread_create(&thread, NULL, add_seal,
					    (void *)(long)fd));
		ASSERT_EQ(0, do_adopt(self->phi, fd, 0, PAGE, &cap));
		ASSERT_EQ(0, do_info(self->phi, cap, &info));
		ASSERT_EQ(0, pthread_join(thread, &failed));
		EXPECT_FALSE(!failed && info.rights & PHI_RIGHT_WRITE);
		ASSERT_EQ(0, do_drop(self->phi, cap));
		close(fd);
	}
}

/* More than is pinned at a time, in huge pages or not. */
TEST_F(adopt, is_of_any_length)
{
	unsigned long nr = 1500, wrong = 0;
	uint32_t *mem, *own;
	uint64_t cap;
	int fd;

	own = mmap(NULL, nr * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, own);
	fd = sealed(0, nr, F_SEAL_SHRINK);
	ASSERT_LE(0, fd);
	for (uint32_t i = 0; i < nr; i++) {
		own[i * PAGE / 4] = i;
		ASSERT_EQ(4, pwrite(fd, &i, 4, i * PAGE));
	}
	ASSERT_EQ(0, adopt_own(self->phi, own, nr * PAGE, &cap));
	ASSERT_EQ(0, do_map(self->phi, cap, nr * PAGE, RW, &mem));
	for (uint32_t i = 0; i < nr; i++)
		wrong += mem[i * PAGE / 4] != i;
	EXPECT_EQ(0, wrong);
	ASSERT_EQ(0, do_adopt(self->phi, fd, 0, nr * PAGE, &cap));
	ASSERT_EQ(0, do_map(self->phi, cap, nr * PAGE, RW, &mem));
	for (uint32_t i = 0; i < nr; i++)
		wrong += mem[i * PAGE / 4] != i;
	EXPECT_EQ(0, wrong);
	close(fd);
	munmap(own, nr * PAGE);
}

TEST_HARNESS_MAIN
