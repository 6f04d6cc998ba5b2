// SPDX-License-Identifier: GPL-2.0-only

/* What ends a mapping, and that nothing outlives its end. */

#include <kselftest_harness.h>
#include <pthread.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#include "map.h"

FIXTURE(revoke)
{
	struct phi_system_stats before;
	size_t bytes;
	int phi;
	uint64_t root; /* the region */
	uint64_t cap; /* derived from it */
	unsigned char *own; /* mapped by root */
	unsigned char *mem; /* mapped by cap; all pages touched */
};

FIXTURE_VARIANT(revoke)
{
	size_t bytes;
	uint32_t flags;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(revoke, small) { .bytes = 8 * PAGE };
FIXTURE_VARIANT_ADD(revoke, huge) { .bytes = HUGE };
FIXTURE_VARIANT_ADD(revoke, dma) { .bytes = 40 * PAGE,
				   .flags = PHI_REGION_DMA };
/* clang-format on */

FIXTURE_SETUP(revoke)
{
	touch_init();
	self->bytes = variant->bytes;
	self->phi = do_open();
	ASSERT_LE(0, self->phi)
	{
		TH_LOG("is phi.ko loaded?");
	}
	ASSERT_EQ(0, do_stats(self->phi, &self->before));
	ASSERT_EQ(0, do_region(self->phi, self->bytes, variant->flags,
			       &self->root));
	ASSERT_EQ(0, do_derive(self->phi, self->root,
			       RIGHTS | (variant->flags ? PHI_RIGHT_PIN : 0),
			       &self->cap));
	ASSERT_EQ(0,
		  do_map(self->phi, self->root, self->bytes, RW, &self->own));
	ASSERT_EQ(0, do_map(self->phi, self->cap, self->bytes, RW, &self->mem));
	for (size_t at = 0; at < self->bytes; at += PAGE) {
		ASSERT_EQ(0, poke(self->mem + at, at / PAGE + 1));
	}
}

FIXTURE_TEARDOWN(revoke)
{
	close(self->phi);
	EXPECT_TRUE(do_restored(&self->before));
}

/* The pages of a range: how many hold what the setup wrote there. */
static size_t intact(const unsigned char *mem, size_t from, size_t to)
{
	size_t n = 0;

	for (size_t at = from; at < to; at += PAGE)
		n += peek(mem + at) == (unsigned char)(at / PAGE + 1);
	return n;
}

/* The pages of a range: how many neither reads nor writes reach. */
static size_t gone(unsigned char *mem, size_t bytes)
{
	size_t n = 0;

	for (size_t at = 0; at < bytes; at += PAGE)
		n += peek(mem + at) == -SIGBUS && poke(mem + at, 9) == -SIGBUS;
	return n;
}

TEST_F(revoke, takes_the_pages)
{
	size_t pages = self->bytes / PAGE;
	void *again;

	EXPECT_EQ(pages, intact(self->own, 0, self->bytes));
	ASSERT_EQ(0, do_revoke(self->phi, self->root));
	EXPECT_EQ(pages, gone(self->mem, self->bytes));
	EXPECT_EQ(pages, intact(self->own, 0, self->bytes));
	EXPECT_EQ(0, poke(self->own, 77));
	EXPECT_EQ(77, peek(self->own));
	EXPECT_EQ(1, mappings(self->phi, self->root));
	EXPECT_EQ(-EKEYREVOKED, do_map(self->phi, self->cap, PAGE, RW, &again));
}

TEST_F(revoke, leaves_others_their_pages)
{
	uint64_t sibling, child;
	unsigned char *theirs, *kids;
	long had;

	ASSERT_EQ(0, do_derive(self->phi, self->root, RIGHTS, &sibling));
	ASSERT_EQ(0, do_derive(self->phi, self->cap, RIGHTS, &child));
	ASSERT_EQ(0, do_map(self->phi, sibling, self->bytes, RW, &theirs));
	ASSERT_EQ(0, do_map(self->phi, child, self->bytes, RW, &kids));
	EXPECT_EQ(self->bytes / PAGE, intact(theirs, 0, self->bytes));
	EXPECT_EQ(self->bytes / PAGE, intact(kids, 0, self->bytes));
	EXPECT_EQ(4, mappings(self->phi, self->root));

	ASSERT_EQ(0, do_revoke(self->phi, self->cap));
	EXPECT_EQ(self->bytes / PAGE, gone(kids, self->bytes));
	had = faults();
	EXPECT_EQ(self->bytes / PAGE, intact(theirs, 0, self->bytes));
	EXPECT_EQ(self->bytes / PAGE, intact(self->mem, 0, self->bytes));
	/* They were never taken away. */
	EXPECT_EQ(had, faults());
	EXPECT_EQ(3, mappings(self->phi, self->root));
}

TEST_F(revoke, takes_the_pages_of_one)
{
	unsigned char *theirs, *kids;
	uint64_t sibling, child;
	long had;

	ASSERT_EQ(0, do_derive(self->phi, self->root, RIGHTS, &sibling));
	ASSERT_EQ(0, do_derive(self->phi, self->cap, RIGHTS, &child));
	ASSERT_EQ(0, do_map(self->phi, sibling, self->bytes, RW, &theirs));
	ASSERT_EQ(0, do_map(self->phi, child, self->bytes, RW, &kids));
	EXPECT_EQ(self->bytes / PAGE, intact(theirs, 0, self->bytes));
	EXPECT_EQ(self->bytes / PAGE, intact(kids, 0, self->bytes));

	ASSERT_EQ(0, do_revoke_one(self->phi, self->root, self->cap));
	EXPECT_EQ(self->bytes / PAGE, gone(self->mem, self->bytes));
	EXPECT_EQ(self->bytes / PAGE, gone(kids, self->bytes));
	had = faults();
	EXPECT_EQ(self->bytes / PAGE, intact(theirs, 0, self->bytes));
	EXPECT_EQ(had, faults());
	EXPECT_EQ(2, mappings(self->phi, self->root));
}

TEST_F(revoke, drop_takes_the_pages)
{
	unsigned char *kids;
	uint64_t child;

	ASSERT_EQ(0, do_derive(self->phi, self->cap, RIGHTS, &child));
	ASSERT_EQ(0, do_map(self->phi, child, self->bytes, RW, &kids));
	ASSERT_EQ(0, do_drop(self->phi, self->cap));
	EXPECT_EQ(self->bytes / PAGE, gone(self->mem, self->bytes));
	EXPECT_EQ(self->bytes / PAGE, intact(kids, 0, self->bytes));
	EXPECT_EQ(self->bytes / PAGE, intact(self->own, 0, self->bytes));
	EXPECT_EQ(2, mappings(self->phi, self->root));
}

TEST_F(revoke, closing_the_cspace_takes_the_pages)
{
	close(self->phi);
	EXPECT_EQ(self->bytes / PAGE, gone(self->mem, self->bytes));
	EXPECT_EQ(self->bytes / PAGE, gone(self->own, self->bytes));
	self->phi = -1;
}

/* Moved away and back, it is held again; the mapping stays dead. */
TEST_F(revoke, a_move_takes_the_pages_for_good)
{
	struct phi_send send = {
		.flags = PHI_NONBLOCK,
		.ncaps = 1,
		.caps = { { .cap = self->cap,
			    .flags = PHI_XFER_MOVE,
			    .rights = PHI_RIGHT_ALL } },
	};
	struct phi_recv recv = { .flags = PHI_NONBLOCK };
	unsigned char *again;
	uint64_t endpoint;

	ASSERT_EQ(0, do_endpoint(self->phi, &endpoint));
	send.endpoint = endpoint;
	recv.endpoint = endpoint;
	ASSERT_EQ(0, PHI_DO(self->phi, SEND, &send));
	EXPECT_EQ(self->bytes / PAGE, gone(self->mem, self->bytes));
	ASSERT_EQ(0, PHI_DO(self->phi, RECV, &recv));
	ASSERT_EQ(1, recv.ncaps);
	EXPECT_EQ(self->bytes / PAGE, gone(self->mem, self->bytes));
	ASSERT_EQ(0,
		  do_map(self->phi, recv.caps[0].cap, self->bytes, RW, &again));
	EXPECT_EQ(self->bytes / PAGE, intact(again, 0, self->bytes));
	EXPECT_EQ(self->bytes / PAGE, gone(self->mem, self->bytes));
}

/* Wait until a page is gone, by reads alone, at most a minute. */
static uint64_t gone_at(const unsigned char *mem)
{
	uint64_t limit = boottime_ns() + 60000000000ULL;

	while (peek(mem) >= 0) {
		if (boottime_ns() > limit)
			return 0;
		usleep(1000);
	}
	return boottime_ns();
}

/* Mappings that expire one after the other. */
struct timed {
	uint64_t when[3];
	uint64_t caps[3];
	unsigned char *mem[3];
};

/*
 * Make and touch them all. The last to expire comes first, so that the next
 * has to move the timer, and the one in between last, so that the timer has to
 * be set again. Return: 0, -ETIME when one has expired already, or another
 * negative errno.
 */
static int map_timed(FIXTURE_DATA(revoke) * self, struct timed *t, uint64_t ms)
{
	const uint64_t after[] = { 1000 * ms, ms, 2 * ms };
	size_t n = 0;
	int ret = 0;

	*t = (struct timed){};
	for (int i = 0; i < 3 && !ret; i++) {
		t->when[i] = boottime_ns() + after[i] * 1000000;
		ret = do_derive_until(self->phi, self->root, RIGHTS, t->when[i],
				      0, &t->caps[i]);
		if (!ret)
			ret = do_map(self->phi, t->caps[i], self->bytes, RW,
				     &t->mem[i]);
		if (!ret)
			n = intact(t->mem[i], 0, self->bytes);
		if (!ret && n != self->bytes / PAGE)
			ret = -EFAULT;
	}
	return t->when[1] && boottime_ns() >= t->when[1] ? -ETIME : ret;
}

/* No call and no fault is needed for it: pages that are mapped go. */
TEST_F(revoke, expiry_takes_the_pages)
{
	struct timed t = {};
	int ret = -ETIME;

	/* Later and later, until there is time to make them. */
	for (uint64_t ms = 300; ret == -ETIME; ms *= 2) {
		ASSERT_GT(60000, ms);
		do_drop(self->phi, t.caps[0]);
		ret = map_timed(self, &t, ms);
	}
	ASSERT_EQ(0, ret);
	for (int i = 1; i < 3; i++) {
		EXPECT_LE(t.when[i], gone_at(t.mem[i] + self->bytes - PAGE));
		EXPECT_EQ(self->bytes / PAGE, gone(t.mem[i], self->bytes));
	}
	EXPECT_EQ(self->bytes / PAGE, intact(t.mem[0], 0, self->bytes));
	EXPECT_EQ(self->bytes / PAGE, intact(self->mem, 0, self->bytes));
	EXPECT_EQ(3, mappings(self->phi, self->root));
}

TEST_F(revoke, finds_every_piece_of_a_mapping)
{
	size_t part = self->bytes / 4;
	unsigned char *moved =
		mmap(NULL, part, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, moved);
	/* The second quarter goes, the third is read-only, the last moves. */
	ASSERT_EQ(0, munmap(self->mem + part, part));
	ASSERT_EQ(0, mprotect(self->mem + 2 * part, part, PROT_READ));
	ASSERT_EQ(moved, mremap(self->mem + 3 * part, part, part,
				MREMAP_MAYMOVE | MREMAP_FIXED, moved));
	EXPECT_EQ(2, mappings(self->phi, self->root));
	EXPECT_EQ(part / PAGE, intact(self->mem, 0, part));
	EXPECT_EQ(part / PAGE, intact(self->mem, 2 * part, 3 * part));
	EXPECT_EQ(-SIGSEGV, poke(self->mem + 2 * part, 1));
	EXPECT_EQ(part / PAGE, intact(moved - 3 * part, 3 * part, 4 * part));

	ASSERT_EQ(0, do_revoke(self->phi, self->root));
	EXPECT_EQ(part / PAGE, gone(self->mem, part));
	EXPECT_EQ(-SIGBUS, peek(self->mem + 2 * part));
	EXPECT_EQ(part / PAGE, gone(moved, part));
	EXPECT_EQ(1, mappings(self->phi, self->root));
	ASSERT_EQ(0, munmap(self->mem, part));
	ASSERT_EQ(0, munmap(self->mem + 2 * part, part));
	ASSERT_EQ(0, munmap(moved, part));
	EXPECT_EQ(1, mappings(self->phi, self->root));
}

static int child_reads(void *arg)
{
	touch_init();
	return peek(arg);
}

TEST_F(revoke, a_child_inherits_no_mapping)
{
	EXPECT_EQ(-SIGSEGV, in_child(child_reads, self->mem));
	EXPECT_EQ(1, peek(self->mem));
}

static int child_uses(void *arg)
{
	unsigned char *mem = arg;
	int ret;

	touch_init();
	/* Neither what was mapped nor what a fault would map. */
	ret = peek(mem) == -SIGBUS && poke(mem + PAGE, 1) == -SIGBUS;
	/* A grandchild neither, and cutting it up changes nothing. */
	ret = ret && in_child(child_reads, mem) != 1;
	ret = ret && !munmap(mem, PAGE) && peek(mem + PAGE) == -SIGBUS;
	return ret;
}

TEST_F(revoke, dofork_hands_no_mapping_on)
{
	if (madvise(self->mem, self->bytes, MADV_DOFORK)) {
		EXPECT_EQ(EINVAL, errno);
		EXPECT_EQ(-SIGSEGV, in_child(child_reads, self->mem));
	} else {
		EXPECT_EQ(1, in_child(child_uses, self->mem));
	}
	EXPECT_EQ(2, mappings(self->phi, self->root));
	EXPECT_EQ(self->bytes / PAGE, intact(self->mem, 0, self->bytes));
	ASSERT_EQ(0, do_revoke(self->phi, self->root));
	EXPECT_EQ(self->bytes / PAGE, gone(self->mem, self->bytes));
}

TEST_F(revoke, the_kernel_cannot_reach_the_pages_either)
{
	char byte = 5;
	int ends[2];

	ASSERT_EQ(0, pipe(ends));
	EXPECT_EQ(1, write(ends[1], self->mem, 1));
	EXPECT_EQ(1, read(ends[0], self->mem + PAGE, 1));
	EXPECT_EQ(1, peek(self->mem + PAGE));

	ASSERT_EQ(0, do_revoke(self->phi, self->root));
	EXPECT_EQ(-1, write(ends[1], self->mem, 1));
	EXPECT_EQ(EFAULT, errno);
	ASSERT_EQ(1, write(ends[1], &byte, 1));
	EXPECT_EQ(-1, read(ends[0], self->mem + PAGE, 1));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(1, peek(self->own + PAGE));
}

static ssize_t read_remote(pid_t pid, const void *at)
{
	char byte;
	struct iovec local = { &byte, 1 };
	struct iovec remote = { (void *)at, 1 };

	return process_vm_readv(pid, &local, 1, &remote, 1, 0) < 0 ? -errno :
								     byte;
}

/* A token's holder in another process, which a debugger looks into. */
struct holder {
	struct phi_token token;
	int ready[2];
	int leave[2];
	size_t bytes;
};

static void hold(struct holder *holder)
{
	unsigned char *mem = NULL;
	uint64_t cap;
	int phi = do_open();
	int ret = do_unseal(phi, &holder->token, &cap) ?:
			  do_map(phi, cap, holder->bytes, RW, &mem);

	touch_init();
	if (ret || peek(mem) != 1 || peek(mem + PAGE) != 2)
		mem = NULL;
	ret = write(holder->ready[1], &mem, sizeof(mem)) != sizeof(mem);
	if (read(holder->leave[0], &cap, 1) != 1)
		ret = 1;
	_exit(ret || peek(mem) != -SIGBUS || peek(mem + PAGE) != -SIGBUS);
}

TEST_F(revoke, reaches_another_process)
{
	struct holder holder = { .bytes = self->bytes };
	unsigned char *theirs;
	int status;
	pid_t pid;

	ASSERT_EQ(0, pipe(holder.ready));
	ASSERT_EQ(0, pipe(holder.leave));
	ASSERT_EQ(0, do_seal(self->phi, self->cap,
			     RIGHTS | (variant->flags ? PHI_RIGHT_PIN : 0), 0,
			     0, &holder.token));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		hold(&holder);
	ASSERT_EQ(sizeof(theirs),
		  read(holder.ready[0], &theirs, sizeof(theirs)));
	ASSERT_NE(NULL, theirs);
	EXPECT_EQ(3, mappings(self->phi, self->root));
	/* What a debugger sees: a DMA region only, and only while it lives. */
	EXPECT_EQ(variant->flags & PHI_REGION_DMA ? 1 : -EFAULT,
		  read_remote(pid, theirs));

	ASSERT_EQ(0, do_revoke(self->phi, self->root));
	EXPECT_EQ(1, mappings(self->phi, self->root));
	EXPECT_EQ(-EFAULT, read_remote(pid, theirs));
	ASSERT_EQ(0, ptrace(PTRACE_ATTACH, pid, NULL, NULL));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	errno = 0;
	EXPECT_EQ(-1, ptrace(PTRACE_PEEKDATA, pid, theirs, NULL));
	EXPECT_EQ(EIO, errno);
	EXPECT_EQ(-1, ptrace(PTRACE_POKEDATA, pid, theirs, NULL));
	EXPECT_EQ(EIO, errno);
	ASSERT_EQ(0, ptrace(PTRACE_DETACH, pid, NULL, NULL));

	ASSERT_EQ(1, write(holder.leave[1], "", 1));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

/* An area that is still there keeps no pages and no quota once it is dead. */
TEST_F(revoke, a_dead_mapping_keeps_nothing)
{
	struct phi_system_stats now;

	ASSERT_EQ(0, do_drop(self->phi, self->root));
	ASSERT_EQ(0, do_stats(self->phi, &now));
	EXPECT_EQ(self->before.used[PHI_QUOTA_PAGES] + self->bytes / PAGE,
		  now.used[PHI_QUOTA_PAGES]);
	ASSERT_EQ(0, do_drop(self->phi, self->cap));
	ASSERT_EQ(0, do_stats(self->phi, &now));
	EXPECT_EQ(self->before.used[PHI_QUOTA_PAGES],
		  now.used[PHI_QUOTA_PAGES]);
	EXPECT_EQ(self->before.objects[PHI_TYPE_MEMORY],
		  now.objects[PHI_TYPE_MEMORY]);
	EXPECT_EQ(self->bytes / PAGE, gone(self->mem, self->bytes));
	EXPECT_EQ(self->bytes / PAGE, gone(self->own, self->bytes));
}

TEST_HARNESS_MAIN
