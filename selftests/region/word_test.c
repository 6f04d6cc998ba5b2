// SPDX-License-Identifier: GPL-2.0-only
/* Waits for words of regions: who is woken, and what ends a wait. */
#include <kselftest_harness.h>

#include <linux/futex.h>
#include <sys/syscall.h>

#include "map.h"
#include "phi_message.h"

#define MANY 40

FIXTURE(word)
{
	struct phi_system_stats before;
	int phi;
	uint64_t cap;
	uint32_t *mem;
};

FIXTURE_VARIANT(word)
{
	uint32_t flags;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(word, revocable) { 0 };
FIXTURE_VARIANT_ADD(word, dma) { PHI_REGION_DMA };
/* clang-format on */

FIXTURE_SETUP(word)
{
	touch_init();
	self->phi = do_open();
	ASSERT_LE(0, self->phi);
	ASSERT_EQ(0, do_stats(self->phi, &self->before));
	ASSERT_EQ(0,
		  do_region(self->phi, 4 * PAGE, variant->flags, &self->cap));
	ASSERT_EQ(0, do_map(self->phi, self->cap, 4 * PAGE, RW, &self->mem));
}

FIXTURE_TEARDOWN(word)
{
	close(self->phi);
	EXPECT_TRUE(do_restored(&self->before));
}

static int do_wait(int phi, uint64_t cap, uint64_t offset, uint32_t value)
{
	struct phi_region_wait arg = {
		.flags = PHI_NONBLOCK,
		.cap = cap,
		.offset = offset,
		.value = value,
	};

	return PHI_DO(phi, REGION_WAIT, &arg);
}

TEST_F(word, refuses_bad_input)
{
	struct phi_region_wait wait = { .cap = self->cap, .pad = 1 };
	uint64_t read, write, slice;

	EXPECT_EQ(-EINVAL, PHI_DO(self->phi, REGION_WAIT, &wait));
	wait = (struct phi_region_wait){ .cap = self->cap, .flags = 2 };
	EXPECT_EQ(-EOPNOTSUPP, PHI_DO(self->phi, REGION_WAIT, &wait));
	EXPECT_EQ(-EBADF, do_wait(self->phi, 99, 0, 1));
	EXPECT_EQ(-EINVAL, do_wait(self->phi, self->cap, 2, 1));
	EXPECT_EQ(-EINVAL, do_wait(self->phi, self->cap, 4 * PAGE, 1));
	EXPECT_EQ(-EINVAL, do_wait(self->phi, self->cap, -4, 1));
	EXPECT_EQ(-EINVAL, do_wake(self->phi, self->cap, 1, 1));
	EXPECT_EQ(-EINVAL, do_wake(self->phi, self->cap, 4 * PAGE, 1));
	EXPECT_EQ(-EINVAL, do_wake(self->phi, self->cap, 1ULL << 63, 1));
	EXPECT_EQ(-EINVAL, do_wake(self->phi, self->cap, 0, 0));
	EXPECT_EQ(0, do_wake(self->phi, self->cap, 4 * PAGE - 4, 1));

	ASSERT_EQ(0, do_derive(self->phi, self->cap, PHI_RIGHT_READ, &read));
	ASSERT_EQ(0, do_derive(self->phi, self->cap, PHI_RIGHT_WRITE, &write));
	EXPECT_EQ(-EPERM, do_wake(self->phi, read, 0, 1));
	EXPECT_EQ(-EPERM, do_wait(self->phi, write, 0, 1));
	ASSERT_EQ(0,
		  do_slice(self->phi, self->cap, PAGE, PAGE, RIGHTS, &slice));
	EXPECT_EQ(-EINVAL, do_wait(self->phi, slice, PAGE, 1));
	ASSERT_EQ(0, do_notify(self->phi, &slice));
	EXPECT_EQ(-EINVAL, do_wait(self->phi, slice, 0, 1));
	EXPECT_EQ(-EINVAL, do_wake(self->phi, slice, 0, 1));
}

TEST_F(word, is_compared)
{
	uint64_t slice;

	self->mem[PAGE / 4 + 1] = 7;
	EXPECT_EQ(-EAGAIN, do_wait(self->phi, self->cap, PAGE + 4, 7));
	EXPECT_EQ(0, do_wait(self->phi, self->cap, PAGE + 4, 8));
	EXPECT_EQ(0, do_wait(self->phi, self->cap, PAGE, 7));
	ASSERT_EQ(0,
		  do_slice(self->phi, self->cap, PAGE, PAGE, RIGHTS, &slice));
	EXPECT_EQ(-EAGAIN, do_wait(self->phi, slice, 4, 7));
	/* The wait is over: there is nobody to wake. */
	EXPECT_EQ(0, do_wake(self->phi, self->cap, PAGE + 4, 9));
}

TEST_F(word, ends_at_the_deadline)
{
	struct phi_region_wait wait = { .cap = self->cap, .deadline_ns = 1 };

	EXPECT_EQ(-ETIMEDOUT, PHI_DO(self->phi, REGION_WAIT, &wait));
	wait.value = 1;
	EXPECT_EQ(0, PHI_DO(self->phi, REGION_WAIT, &wait));
	EXPECT_EQ(0, do_wake(self->phi, self->cap, 0, 9));
}

/* By count, in the order of arrival, through any handle, and no other word. */
TEST_F(word, wakes_the_first)
{
	struct phi_region_wait wait[4] = {};
	struct job jobs[4];
	uint64_t slice;

	ASSERT_EQ(0,
		  do_slice(self->phi, self->cap, PAGE, PAGE, RIGHTS, &slice));
	for (int i = 0; i < 4; i++) {
		wait[i].cap = i == 1 ? slice : self->cap;
		wait[i].offset = i == 1 ? 8 : i == 3 ? PAGE + 12 : PAGE + 8;
		jobs[i] = JOB(self->phi, REGION_WAIT, &wait[i]);
		ASSERT_EQ(0, job_start(&jobs[i]));
	}
	EXPECT_EQ(0, do_wake(self->phi, self->cap, 8, 9));
	EXPECT_EQ(1, do_wake(self->phi, self->cap, PAGE + 8, 1));
	EXPECT_EQ(0, job_join(&jobs[0]));
	EXPECT_EQ(1, do_wake(self->phi, slice, 8, 1));
	EXPECT_EQ(0, job_join(&jobs[1]));
	EXPECT_EQ(1, do_wake(self->phi, self->cap, PAGE + 8, ~0U));
	EXPECT_EQ(0, job_join(&jobs[2]));
	EXPECT_EQ(0, do_wake(self->phi, self->cap, PAGE + 8, ~0U));
	EXPECT_EQ(1, do_wake(self->phi, self->cap, PAGE + 12, 5));
	EXPECT_EQ(0, job_join(&jobs[3]));
}

TEST_F(word, wakes_many)
{
	struct phi_region_wait wait[MANY] = {};
	struct job jobs[MANY];

	for (int i = 0; i < MANY; i++) {
		wait[i].cap = self->cap;
		jobs[i] = JOB(self->phi, REGION_WAIT, &wait[i]);
		ASSERT_EQ(0, job_start(&jobs[i]));
	}
	EXPECT_EQ(MANY - 1, do_wake(self->phi, self->cap, 0, MANY - 1));
	EXPECT_EQ(1, do_wake(self->phi, self->cap, 0, ~0U));
	for (int i = 0; i < MANY; i++)
		EXPECT_EQ(0, job_join(&jobs[i]));
}

/* A revoke and a drop end the waits through what they end, and no others. */
TEST_F(word, ends_with_the_capability)
{
	struct phi_region_wait wait[3] = {};
	struct job jobs[3];
	uint64_t parent;

	ASSERT_EQ(0, do_derive(self->phi, self->cap, RIGHTS, &parent));
	ASSERT_EQ(0, do_derive(self->phi, parent, PHI_RIGHT_READ,
			       (uint64_t *)&wait[0].cap));
	ASSERT_EQ(0, do_derive(self->phi, self->cap, PHI_RIGHT_READ,
			       (uint64_t *)&wait[1].cap));
	wait[2].cap = self->cap;
	for (int i = 0; i < 3; i++) {
		jobs[i] = JOB(self->phi, REGION_WAIT, &wait[i]);
		ASSERT_EQ(0, job_start(&jobs[i]));
	}
	ASSERT_EQ(0, do_revoke(self->phi, parent));
	EXPECT_EQ(-EKEYREVOKED, job_join(&jobs[0]));
	ASSERT_EQ(0, do_drop(self->phi, wait[1].cap));
	EXPECT_EQ(-EBADF, job_join(&jobs[1]));
	EXPECT_EQ(1, do_wake(self->phi, self->cap, 0, ~0U));
	EXPECT_EQ(0, job_join(&jobs[2]));
}

TEST_F(word, ends_when_it_expires)
{
	struct phi_region_wait wait = {};
	struct job job = JOB(self->phi, REGION_WAIT, &wait);

	ASSERT_EQ(0, do_derive_until(self->phi, self->cap, PHI_RIGHT_READ,
				     boottime_ns() + 50000000, 0,
				     (uint64_t *)&wait.cap));
	/* It may be over before it is seen to sleep. */
	job_start(&job);
	EXPECT_EQ(-EKEYEXPIRED, job_join(&job));
}

/* What one stores before it wakes, the other does not sleep over. */
struct turn {
	uint64_t cap;
	uint32_t *word;
	int phi;
	int error;
};

#define TURNS 2000

static void *take_turns(void *arg)
{
	struct turn *turn = arg;

	for (uint32_t i = 1; i < TURNS && !turn->error; i += 2) {
		while (__atomic_load_n(turn->word, __ATOMIC_ACQUIRE) != i) {
			struct phi_region_wait wait = { .cap = turn->cap,
							.value = i - 1 };

			turn->error = PHI_DO(turn->phi, REGION_WAIT, &wait);
			if (turn->error)
				return NULL;
		}
		__atomic_store_n(turn->word, i + 1, __ATOMIC_RELEASE);
		turn->error = do_wake(turn->phi, turn->cap, 0, 1) < 0;
	}
	return NULL;
}

TEST_F(word, loses_no_wake)
{
	struct turn turn = { .cap = self->cap,
			     .word = self->mem,
			     .phi = self->phi };
	pthread_t thread;
	int ret = 0;

	ASSERT_EQ(0, pthread_create(&thread, NULL, take_turns, &turn));
	for (uint32_t i = 0; i < TURNS && ret >= 0; i += 2) {
		__atomic_store_n(self->mem, i + 1, __ATOMIC_RELEASE);
		ret = do_wake(self->phi, self->cap, 0, 1);
		while (ret >= 0 &&
		       __atomic_load_n(self->mem, __ATOMIC_ACQUIRE) == i + 1) {
			struct phi_region_wait wait = { .cap = self->cap,
							.value = i + 1 };

			ret = PHI_DO(self->phi, REGION_WAIT, &wait);
		}
	}
	EXPECT_LE(0, ret);
	pthread_join(thread, NULL);
	EXPECT_EQ(0, turn.error);
	EXPECT_EQ(TURNS, *self->mem);
}

static int futex(uint32_t *at, int op, uint32_t value)
{
	struct timespec none = {};

	return syscall(SYS_futex, at, op, value, &none, NULL, 0) ? -errno : 0;
}

/* A shared futex belongs to a file or a process; region.h says what to use. */
TEST_F(word, is_no_shared_futex)
{
	EXPECT_EQ(-EFAULT, futex(self->mem, FUTEX_WAIT, 0));
	EXPECT_EQ(-ETIMEDOUT, futex(self->mem, FUTEX_WAIT_PRIVATE, 0));
	EXPECT_EQ(-EAGAIN, futex(self->mem, FUTEX_WAIT_PRIVATE, 1));
}

TEST_HARNESS_MAIN
