// SPDX-License-Identifier: GPL-2.0-only

/* Making regions, and what mmap() and mprotect() give by which rights. */

#include <kselftest_harness.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "map.h"

FIXTURE(region)
{
	struct phi_system_stats before;
	int phi;
	uint64_t cap;
};

FIXTURE_SETUP(region)
{
	touch_init();
	self->phi = do_open();
	ASSERT_LE(0, self->phi)
	{
		TH_LOG("is phi.ko loaded?");
	}
	ASSERT_EQ(0, do_stats(self->phi, &self->before));
	ASSERT_EQ(0, do_region(self->phi, 4 * PAGE, 0, &self->cap));
}

FIXTURE_TEARDOWN(region)
{
	close(self->phi);
	EXPECT_TRUE(do_restored(&self->before));
}

TEST_F(region, refuses_bad_input)
{
	struct phi_region_info info = { .cap = self->cap, .flags = 1 };
	uint64_t out;

	EXPECT_EQ(-EINVAL, do_region(self->phi, 0, 0, &out));
	EXPECT_EQ(-EINVAL, do_region(self->phi, PAGE + 1, 0, &out));
	EXPECT_EQ(-EOPNOTSUPP, do_region(self->phi, PAGE, 2, &out));
	EXPECT_EQ(-EDQUOT, do_region(self->phi, 1ULL << 62, 0, &out));
	EXPECT_EQ(-EDQUOT, do_region(self->phi, -PAGE, 0, &out));

	EXPECT_EQ(-EOPNOTSUPP, PHI_DO(self->phi, REGION_INFO, &info));
	ASSERT_EQ(0, do_notify(self->phi, &out));
	EXPECT_EQ(-EINVAL, do_info(self->phi, out, &info));
	EXPECT_EQ(-EBADF, do_info(self->phi, 0, &info));
}

TEST_F(region, info_tells)
{
	struct phi_region_info info;
	uint64_t dma, weak;
	void *mem;

	ASSERT_EQ(0, do_info(self->phi, self->cap, &info));
	EXPECT_EQ(4 * PAGE, info.bytes);
	EXPECT_EQ(0, info.region_flags);
	EXPECT_EQ(RIGHTS, info.rights);
	EXPECT_EQ(offset_of(self->cap), (off_t)info.offset);
	EXPECT_EQ(0, info.mappings);

	ASSERT_EQ(0, do_region(self->phi, PAGE, PHI_REGION_DMA, &dma));
	ASSERT_EQ(0, do_derive(self->phi, dma, PHI_RIGHT_MAP, &weak));
	ASSERT_EQ(0, do_info(self->phi, weak, &info));
	EXPECT_EQ(PAGE, info.bytes);
	EXPECT_EQ(PHI_REGION_DMA, info.region_flags);
	EXPECT_EQ(PHI_RIGHT_MAP, info.rights);

	ASSERT_EQ(0, do_map(self->phi, self->cap, PAGE, RW, &mem));
	EXPECT_EQ(1, mappings(self->phi, self->cap));
	ASSERT_EQ(0, munmap(mem, PAGE));
	EXPECT_EQ(0, mappings(self->phi, self->cap));
}

TEST_F(region, is_zeroed_and_keeps_what_is_written)
{
	unsigned char *a, *b;

	ASSERT_EQ(0, do_map(self->phi, self->cap, 4 * PAGE, RW, &a));
	for (size_t i = 0; i < 4 * PAGE; i++) {
		ASSERT_EQ(0, a[i]);
	}
	for (size_t i = 0; i < 4 * PAGE; i++)
		a[i] = i * 7 + i / PAGE;
	ASSERT_EQ(0, do_map(self->phi, self->cap, 4 * PAGE, PROT_READ, &b));
	ASSERT_EQ(0, munmap(a, 4 * PAGE));
	for (size_t i = 0; i < 4 * PAGE; i++) {
		ASSERT_EQ((unsigned char)(i * 7 + i / PAGE), b[i]);
	}
}

/*
 * Open the device where PROT_EXEC is allowed: /dev may be mounted noexec,
 * which says no before we are asked.
 */
static int open_exec(void)
{
	struct stat st;
	int phi;

	if (stat("/dev/phi", &st) || unshare(CLONE_NEWNS) ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("phi", "/mnt", "tmpfs", 0, NULL) ||
	    mknod("/mnt/phi", S_IFCHR | 0600, st.st_rdev))
		return -errno;
	phi = open("/mnt/phi", O_RDWR | O_CLOEXEC);
	return phi < 0 ? -errno : phi;
}

/* Which rights a protection takes. */
static uint32_t wanted(int prot)
{
	uint32_t rights = prot ? PHI_RIGHT_READ : 0;

	if (prot & PROT_WRITE)
		rights |= PHI_RIGHT_WRITE;
	if (prot & PROT_EXEC)
		rights |= PHI_RIGHT_EXEC;
	return rights;
}

TEST_F(region, maps_by_rights)
{
	int phi = open_exec();
	uint64_t root;

	ASSERT_LE(0, phi);
	ASSERT_EQ(0, do_region(phi, PAGE, 0, &root));
	for (uint32_t rights = 0; rights < 16; rights++) {
		uint64_t cap;

		/* READ, WRITE, EXEC and MAP are the low four bits. */
		ASSERT_EQ(0, do_derive(phi, root, rights, &cap));
		for (int prot = 0; prot < 8; prot++) {
			uint32_t need = wanted(prot) | PHI_RIGHT_MAP;
			int expected = need & ~rights ? -EPERM : 0;
			void *mem;

			EXPECT_EQ(expected, do_map(phi, cap, PAGE, prot, &mem))
			{
				TH_LOG("rights %x, prot %x", rights, prot);
			}
			if (mem != MAP_FAILED)
				munmap(mem, PAGE);
		}
		ASSERT_EQ(0, do_drop(phi, cap));
	}
	close(phi);
}

TEST_F(region, mprotect_gives_no_more_than_rights)
{
	int phi = open_exec();
	uint64_t root;

	ASSERT_LE(0, phi);
	ASSERT_EQ(0, do_region(phi, PAGE, 0, &root));
	for (uint32_t rights = 0; rights < 8; rights++) {
		uint64_t cap;
		void *mem;

		ASSERT_EQ(0,
			  do_derive(phi, root, rights | PHI_RIGHT_MAP, &cap));
		ASSERT_EQ(0, do_map(phi, cap, PAGE, PROT_NONE, &mem));
		for (int prot = 0; prot < 8; prot++) {
			int expected = wanted(prot) & ~rights ? EACCES : 0;
			int ret = mprotect(mem, PAGE, prot) ? errno : 0;

			EXPECT_EQ(expected, ret)
			{
				TH_LOG("rights %x, prot %x", rights, prot);
			}
		}
		ASSERT_EQ(0, munmap(mem, PAGE));
		ASSERT_EQ(0, do_drop(phi, cap));
	}
	close(phi);
}

TEST_F(region, mprotect_takes_and_returns_access)
{
	unsigned char *mem;

	ASSERT_EQ(0, do_map(self->phi, self->cap, 2 * PAGE, RW, &mem));
	EXPECT_EQ(0, poke(mem, 1));
	ASSERT_EQ(0, mprotect(mem, PAGE, PROT_READ));
	EXPECT_EQ(-SIGSEGV, poke(mem, 2));
	EXPECT_EQ(1, peek(mem));
	EXPECT_EQ(0, poke(mem + PAGE, 3));
	ASSERT_EQ(0, mprotect(mem, PAGE, PROT_NONE));
	EXPECT_EQ(-SIGSEGV, peek(mem));
	ASSERT_EQ(0, mprotect(mem, 2 * PAGE, RW));
	EXPECT_EQ(1, peek(mem));
	EXPECT_EQ(3, peek(mem + PAGE));
	EXPECT_EQ(0, poke(mem, 4));
	EXPECT_EQ(1, mappings(self->phi, self->cap));
}

TEST_F(region, refuses_private_mappings)
{
	off_t offset = offset_of(self->cap);

	EXPECT_EQ(MAP_FAILED,
		  mmap(NULL, PAGE, RW, MAP_PRIVATE, self->phi, offset));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED,
		  mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, self->phi, offset));
	EXPECT_EQ(EINVAL, errno);
}

TEST_F(region, refuses_more_than_there_is)
{
	uint64_t caps[2] = { self->cap };

	ASSERT_EQ(0, do_region(self->phi, 4 * PAGE, PHI_REGION_DMA, &caps[1]));
	for (int i = 0; i < 2; i++) {
		char *mem;

		EXPECT_EQ(-EINVAL,
			  do_map(self->phi, caps[i], 5 * PAGE, RW, &mem));
		ASSERT_EQ(0, do_map(self->phi, caps[i], 4 * PAGE, RW, &mem));
		/* Nor later: neither longer nor a second time. */
		EXPECT_EQ(MAP_FAILED,
			  mremap(mem, 4 * PAGE, 5 * PAGE, MREMAP_MAYMOVE));
		EXPECT_EQ(MAP_FAILED, mremap(mem, 0, 4 * PAGE, MREMAP_MAYMOVE));
		EXPECT_EQ(1, mappings(self->phi, caps[i]));
	}
}

TEST_F(region, refuses_bad_handles)
{
	uint64_t stale, revoked, expired, notify;
	int other = do_open();
	void *mem;

	ASSERT_LE(0, other);
	EXPECT_EQ(-EBADF, do_map(other, self->cap, PAGE, RW, &mem));
	close(other);

	ASSERT_EQ(0, do_derive(self->phi, self->cap, RIGHTS, &stale));
	ASSERT_EQ(0, do_drop(self->phi, stale));
	EXPECT_EQ(-EBADF, do_map(self->phi, stale, PAGE, RW, &mem));

	ASSERT_EQ(0, do_derive(self->phi, self->cap, RIGHTS, &revoked));
	ASSERT_EQ(0, do_revoke(self->phi, self->cap));
	EXPECT_EQ(-EKEYREVOKED, do_map(self->phi, revoked, PAGE, RW, &mem));

	ASSERT_EQ(0, do_derive_until(self->phi, self->cap, RIGHTS,
				     boottime_ns() + 1, 0, &expired));
	EXPECT_EQ(-EKEYEXPIRED, do_map(self->phi, expired, PAGE, RW, &mem));

	ASSERT_EQ(0, do_notify(self->phi, &notify));
	EXPECT_EQ(-EINVAL, do_map(self->phi, notify, PAGE, PROT_NONE, &mem));

	/* The same bits with more above them are no offset of ours. */
	mem = mmap(NULL, PAGE, RW, MAP_SHARED, self->phi,
		   offset_of(self->cap) | 1LL << 60);
	EXPECT_EQ(MAP_FAILED, mem);
	EXPECT_EQ(EINVAL, errno);
}

TEST_F(region, a_read_only_file_gives_read_only_mappings)
{
	int phi = open("/dev/phi", O_RDONLY | O_CLOEXEC);
	uint64_t cap;
	void *mem;

	ASSERT_LE(0, phi);
	ASSERT_EQ(0, do_region(phi, PAGE, 0, &cap));
	EXPECT_EQ(-EACCES, do_map(phi, cap, PAGE, RW, &mem));
	ASSERT_EQ(0, do_map(phi, cap, PAGE, PROT_READ, &mem));
	EXPECT_EQ(0, peek(mem));
	EXPECT_EQ(-1, mprotect(mem, PAGE, RW));
	EXPECT_EQ(EACCES, errno);
	close(phi);
	EXPECT_EQ(-SIGBUS, peek(mem));
}

struct child {
	int phi;
	uint64_t cap;
	struct phi_token token;
};

/* Maps through the parent's cspace, adds 1 to the first word. */
static int add_one(void *arg)
{
	struct child *child = arg;
	unsigned char *mem;
	int ret = do_map(child->phi, child->cap, PAGE, RW, &mem);

	if (!ret)
		mem[100]++;
	return ret;
}

TEST_F(region, shares_data_through_a_shared_cspace)
{
	struct child child = { .phi = self->phi, .cap = self->cap };
	unsigned char *mem;

	ASSERT_EQ(0, do_map(self->phi, self->cap, PAGE, RW, &mem));
	mem[100] = 41;
	EXPECT_EQ(-EPERM, in_child(add_one, &child));
	EXPECT_EQ(41, mem[100]);
	ASSERT_EQ(0, do_share(self->phi, 1));
	EXPECT_EQ(0, in_child(add_one, &child));
	EXPECT_EQ(42, mem[100]);
}

static int unseal_and_add(void *arg)
{
	struct child *child = arg;
	int ret;

	child->phi = do_open();
	if (child->phi < 0)
		return child->phi;
	ret = do_unseal(child->phi, &child->token, &child->cap);
	return ret ?: add_one(child);
}

TEST_F(region, shares_data_through_a_token)
{
	struct child child = {};
	unsigned char *mem;

	ASSERT_EQ(0, do_map(self->phi, self->cap, PAGE, RW, &mem));
	mem[100] = 6;
	ASSERT_EQ(0, do_seal(self->phi, self->cap, RIGHTS, 0, 0, &child.token));
	EXPECT_EQ(0, in_child(unseal_and_add, &child));
	EXPECT_EQ(7, mem[100]);
}

/* The file that a mapping shows in /proc opens no second way in. */
TEST_F(region, has_no_other_way_in)
{
	char path[64];
	void *mem;
	int fd;

	ASSERT_EQ(0, do_map(self->phi, self->cap, 4 * PAGE, RW, &mem));
	EXPECT_EQ(0, peek(mem));
	snprintf(path, sizeof(path), "/proc/self/map_files/%lx-%lx",
		 (unsigned long)mem, (unsigned long)mem + 4 * PAGE);
	ASSERT_EQ(0, access(path, F_OK));
	fd = open(path, O_RDWR);
	if (fd >= 0) {
		EXPECT_EQ(MAP_FAILED, mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0));
		close(fd);
	}
}

TEST_F(region, maps_many_pages_at_a_fault)
{
	uint64_t cap;
	char *mem;
	long had;

	ASSERT_EQ(0, do_region(self->phi, 2 * HUGE + 3 * PAGE, 0, &cap));
	ASSERT_EQ(0, do_map(self->phi, cap, 2 * HUGE + 3 * PAGE, RW, &mem));
	EXPECT_EQ(0, (uintptr_t)mem % HUGE);
	had = faults();
	for (size_t at = 0; at < 2 * HUGE + 3 * PAGE; at += PAGE)
		mem[at] = 1;
	/* 16 pages at a time, or a huge page when the kernel had one. */
	EXPECT_GE(2 * HUGE / (16 * PAGE) + 1, faults() - had)
	{
		TH_LOG("%ld faults", faults() - had);
	}

	/* Off by a page, where no huge one can lie. */
	mem = mmap(mem + PAGE, HUGE, RW, MAP_SHARED | MAP_FIXED, self->phi,
		   offset_of(cap));
	ASSERT_NE(MAP_FAILED, mem);
	had = faults();
	for (size_t at = 0; at < HUGE; at += PAGE) {
		EXPECT_EQ(1, mem[at]);
	}
	EXPECT_GE(HUGE / (16 * PAGE) + 1, faults() - had)
	{
		TH_LOG("%ld faults", faults() - had);
	}
}

TEST_F(region, is_undone_when_the_handle_cannot_be_written)
{
	struct phi_region_create *arg;
	struct phi_system_stats before, after;

	arg = mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, arg);
	*arg = (struct phi_region_create){ .size = sizeof(*arg),
					   .bytes = PAGE };
	ASSERT_EQ(0, mprotect(arg, PAGE, PROT_READ));
	ASSERT_EQ(0, do_stats(self->phi, &before));
	EXPECT_EQ(-1, ioctl(self->phi, PHI_IOC_REGION_CREATE, arg));
	EXPECT_EQ(EFAULT, errno);
	ASSERT_EQ(0, do_stats(self->phi, &after));
	EXPECT_EQ(before.used[PHI_QUOTA_PAGES], after.used[PHI_QUOTA_PAGES]);
	EXPECT_EQ(before.objects[PHI_TYPE_MEMORY],
		  after.objects[PHI_TYPE_MEMORY]);
}

TEST_HARNESS_MAIN
