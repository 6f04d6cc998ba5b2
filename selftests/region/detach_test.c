// SPDX-License-Identifier: GPL-2.0-only

/* What becomes of pinned pages when their holder is revoked. */

#include <kselftest_harness.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>

#include "phi_message.h"
#include "pins.h"

#define BYTES (16 * PAGE)
#define ENOUGH 3000 /* looks, 10 ms apart */

FIXTURE(detach)
{
	struct phi_system_stats before;
	struct io_uring ring;
	int phi;
	int pipe[2];
	uint64_t root;
	uint64_t cap;
	unsigned char *own; /* through root */
	unsigned char *mem; /* through cap */
};

FIXTURE_SETUP(detach)
{
	touch_init();
	self->phi = do_open();
	ASSERT_LE(0, self->phi)
	{
		TH_LOG("is phi.ko loaded?");
	}
	ASSERT_EQ(0, do_stats(self->phi, &self->before));
	ASSERT_EQ(0, io_uring_queue_init(4, &self->ring, 0));
	ASSERT_EQ(0, pipe(self->pipe));
	ASSERT_EQ(0, do_region(self->phi, BYTES, PHI_REGION_DMA, &self->root));
	ASSERT_EQ(0, do_derive(self->phi, self->root, PINNABLE, &self->cap));
	ASSERT_EQ(0, do_map(self->phi, self->root, BYTES, RW, &self->own));
	ASSERT_EQ(0, do_map(self->phi, self->cap, BYTES, RW, &self->mem));
	for (size_t i = 0; i < BYTES; i++)
		self->own[i] = i / PAGE + 1;
}

FIXTURE_TEARDOWN(detach)
{
	close(self->phi);
	close(self->pipe[0]);
	close(self->pipe[1]);
	io_uring_queue_exit(&self->ring);
	/* Every pin is gone, so every page is given back. */
	EXPECT_TRUE(do_restored(&self->before));
}

static uint64_t pages(int phi)
{
	struct phi_system_stats stats;

	return do_stats(phi, &stats) ? ~0ULL : stats.used[PHI_QUOTA_PAGES];
}

/* Bytes of a page that the pipe holds and that are not @value. */
static int drained(int from, unsigned char value)
{
	unsigned char page[PAGE];
	int odd = 0;

	if (read(from, page, PAGE) != PAGE)
		return -1;
	for (size_t i = 0; i < PAGE; i++)
		odd += page[i] != value;
	return odd;
}

/* Bytes of the owner's region that are not as the set-up left them. */
static int changed(const unsigned char *own)
{
	int odd = 0;

	for (size_t i = 0; i < BYTES; i++)
		odd += own[i] != i / PAGE + 1;
	return odd;
}

TEST_F(detach, a_pipe_shows_the_bytes_of_the_revoke)
{
	const uint64_t charged = pages(self->phi);

	ASSERT_EQ(PAGE, splice_out(self->pipe[1], self->mem + 3 * PAGE));
	ASSERT_EQ(PAGE, splice_out(self->pipe[1], self->mem + 7 * PAGE));
	ASSERT_EQ(0, do_revoke(self->phi, self->root));
	EXPECT_EQ(-SIGBUS, peek(self->mem));
	EXPECT_EQ(0, changed(self->own));
	EXPECT_EQ(2, pinned(self->phi, self->root));
	EXPECT_EQ(charged + 2, pages(self->phi));

	memset(self->own, 0xee, BYTES);
	EXPECT_EQ(0, drained(self->pipe[0], 4));
	EXPECT_EQ(0, drained(self->pipe[0], 8));
	ASSERT_EQ(0, do_revoke_wait(self->phi, self->root));
	EXPECT_EQ(0, pinned(self->phi, self->root));
	EXPECT_EQ(charged, pages(self->phi));
}

TEST_F(detach, a_registered_buffer_writes_into_the_old_page)
{
	char page[PAGE];

	ASSERT_EQ(0, pin(&self->ring, self->mem, BYTES));
	memset(page, 0x33, PAGE);
	ASSERT_EQ(PAGE, write(self->pipe[1], page, PAGE));
	ASSERT_EQ(0, do_revoke(self->phi, self->root));
	EXPECT_EQ(BYTES / PAGE, pinned(self->phi, self->root));
	/* The revoked holder overwrites what it pinned: only it sees that. */
	ASSERT_EQ(PAGE, read_fixed(&self->ring, self->pipe[0], self->mem));
	EXPECT_EQ(0, changed(self->own));
	/* And the owner writes: the holder does not see it. */
	memset(self->own, 0xee, BYTES);
	ASSERT_EQ(PAGE, write_fixed(&self->ring, self->pipe[1], self->mem));
	EXPECT_EQ(0, drained(self->pipe[0], 0x33));
	ASSERT_EQ(PAGE,
		  write_fixed(&self->ring, self->pipe[1], self->mem + PAGE));
	EXPECT_EQ(0, drained(self->pipe[0], 2));
	ASSERT_EQ(0, io_uring_unregister_buffers(&self->ring));
}

/* Mappings of all kinds that stay get the new page. */
TEST_F(detach, the_living_share_the_new_page)
{
	unsigned char *pin_too, *plain;
	uint64_t mid, live[2];

	ASSERT_EQ(0, do_derive(self->phi, self->root, PINNABLE, &mid));
	ASSERT_EQ(0, do_derive(self->phi, self->root, PINNABLE, &live[0]));
	ASSERT_EQ(0, do_derive(self->phi, self->root, RIGHTS, &live[1]));
	ASSERT_EQ(0, do_map(self->phi, live[0], BYTES, RW, &pin_too));
	ASSERT_EQ(0, do_map(self->phi, live[1], BYTES, RW, &plain));
	ASSERT_EQ(0, do_drop(self->phi, self->cap));
	ASSERT_EQ(0, do_derive(self->phi, mid, PINNABLE, &self->cap));
	ASSERT_EQ(0, do_map(self->phi, self->cap, BYTES, RW, &self->mem));
	EXPECT_EQ(5, peek(pin_too + 4 * PAGE));
	EXPECT_EQ(5, peek(plain + 4 * PAGE));
	ASSERT_EQ(PAGE, splice_out(self->pipe[1], self->mem + 4 * PAGE));

	ASSERT_EQ(0, do_revoke(self->phi, mid));
	EXPECT_EQ(-SIGBUS, peek(self->mem));
	EXPECT_EQ(5, peek(pin_too + 4 * PAGE));
	EXPECT_EQ(0, poke(self->own + 4 * PAGE, 77));
	EXPECT_EQ(77, peek(pin_too + 4 * PAGE));
	EXPECT_EQ(77, peek(plain + 4 * PAGE));
	EXPECT_EQ(0, poke(plain + 4 * PAGE, 78));
	EXPECT_EQ(78, peek(self->own + 4 * PAGE));
	EXPECT_EQ(0, drained(self->pipe[0], 5));
}

/* The mapping and the handle can go before the pin does. */
TEST_F(detach, a_pin_that_outlives_its_mapping)
{
	ASSERT_EQ(PAGE, splice_out(self->pipe[1], self->mem));
	ASSERT_EQ(0, munmap(self->mem, BYTES));
	ASSERT_EQ(0, do_revoke(self->phi, self->root));
	EXPECT_EQ(1, pinned(self->phi, self->root));
	memset(self->own, 0xee, BYTES);
	EXPECT_EQ(0, drained(self->pipe[0], 1));
}

TEST_F(detach, a_pin_that_outlives_its_handle)
{
	ASSERT_EQ(PAGE, splice_out(self->pipe[1], self->mem));
	ASSERT_EQ(0, do_drop(self->phi, self->cap));
	EXPECT_EQ(0, pinned(self->phi, self->root));
	ASSERT_EQ(0, do_revoke(self->phi, self->root));
	EXPECT_EQ(1, pinned(self->phi, self->root));
	memset(self->own, 0xee, BYTES);
	EXPECT_EQ(0, drained(self->pipe[0], 1));
}

/* Expiry does what a revoke does, mapped or not any more. */
TEST_F(detach, a_pin_that_outlives_the_time)
{
	for (int unmapped = 0; unmapped < 2; unmapped++) {
		int looks = 0;

		ASSERT_EQ(0, do_derive_until(self->phi, self->root, PINNABLE,
					     boottime_ns() + 2000000000, 0,
					     &self->cap));
		ASSERT_EQ(0,
			  do_map(self->phi, self->cap, BYTES, RW, &self->mem));
		ASSERT_EQ(PAGE, splice_out(self->pipe[1], self->mem));
		if (unmapped)
			ASSERT_EQ(0, munmap(self->mem, BYTES));
		while (pinned(self->phi, self->root) != 1) {
			ASSERT_GT(ENOUGH, looks++);
			usleep(10000);
		}
		EXPECT_EQ(0, changed(self->own));
		self->own[0] = 0xee;
		EXPECT_EQ(0, drained(self->pipe[0], 1));
		self->own[0] = 1;
		ASSERT_EQ(0, do_revoke_wait(self->phi, self->root));
	}
}

/* A region of ones without a child, whose first page a pipe pins. */
static int pinned_root(int phi, int pipe, bool unmap, uint64_t *root)
{
	char *mem;
	int ret = do_region(phi, BYTES, PHI_REGION_DMA, root) ?:
			  do_map(phi, *root, BYTES, RW, &mem);

	if (ret)
		return ret;
	memset(mem, 1, BYTES);
	if (splice_out(pipe, mem) != PAGE)
		return -EIO;
	return unmap ? munmap(mem, BYTES) : 0;
}

/* Revoke; what is written then must not show in the pipe. */
static int pins_left(int phi, uint64_t cap, const int *pipe)
{
	int odd, left;
	char *mem;
	int ret = do_revoke(phi, cap) ?: do_map(phi, cap, BYTES, RW, &mem);

	if (ret)
		return ret;
	odd = peek(mem) != 1;
	left = pinned(phi, cap);
	memset(mem, 0xee, BYTES);
	odd += drained(pipe[0], 1);
	munmap(mem, BYTES);
	return odd ? -EIO : left;
}

/* A sender loses a root by moving it, whether or not it is still mapped. */
TEST_F(detach, a_pin_of_who_moved_the_root_away)
{
	struct phi_recv got;
	uint64_t root, ep, to;
	int other = do_open();

	ASSERT_LE(0, other);
	ASSERT_EQ(0, do_endpoint(other, &ep));
	ASSERT_EQ(0, do_give(other, ep, PHI_RIGHT_SEND, self->phi, &to));
	for (int unmap = 0; unmap < 2; unmap++) {
		ASSERT_EQ(0,
			  pinned_root(self->phi, self->pipe[1], unmap, &root));
		ASSERT_EQ(0, do_send_cap(self->phi, to, root, PHI_XFER_MOVE,
					 PHI_RIGHT_ALL));
		ASSERT_EQ(0, do_recv(other, ep, NULL, 0, &got));
		ASSERT_EQ(1, got.ncaps);
		EXPECT_EQ(0, pinned(other, got.caps[0].cap));
		EXPECT_EQ(1, pins_left(other, got.caps[0].cap, self->pipe));
	}
	close(other);
}

/* A revoke by the holder of a child detaches the pinned pages too. */
TEST_F(detach, a_pin_of_who_dropped_the_root)
{
	uint64_t root, child;

	for (int unmap = 0; unmap < 2; unmap++) {
		ASSERT_EQ(0,
			  pinned_root(self->phi, self->pipe[1], unmap, &root));
		ASSERT_EQ(0, do_derive(self->phi, root, RIGHTS, &child));
		ASSERT_EQ(0, do_drop(self->phi, root));
		EXPECT_EQ(1, pins_left(self->phi, child, self->pipe));
	}
}

/* Nobody lost one that could pin: all that was pinned stays in the region. */
TEST_F(detach, a_pin_of_who_only_unmapped)
{
	uint64_t root, plain;
	char page[PAGE];

	ASSERT_EQ(0, do_derive(self->phi, self->root, RIGHTS, &plain));
	ASSERT_EQ(PAGE, splice_out(self->pipe[1], self->own));
	ASSERT_EQ(PAGE, splice_out(self->pipe[1], self->mem + PAGE));
	ASSERT_EQ(0, munmap(self->own, BYTES));
	ASSERT_EQ(0, munmap(self->mem, BYTES));
	ASSERT_EQ(0, do_revoke(self->phi, plain));
	EXPECT_EQ(0, pinned(self->phi, self->root));
	ASSERT_EQ(PAGE, read(self->pipe[0], page, PAGE));
	ASSERT_EQ(PAGE, read(self->pipe[0], page, PAGE));

	ASSERT_EQ(0, pinned_root(self->phi, self->pipe[1], true, &root));
	ASSERT_EQ(0, do_revoke(self->phi, root));
	EXPECT_EQ(0, pinned(self->phi, root));
}

/* Capabilities without PIN leave the owner's own pins alone. */
TEST_F(detach, a_revoke_of_others_leaves_the_owners_buffer)
{
	uint64_t plain, sub;
	char page[PAGE];
	char *mem;

	/* What could be pinned ends first, and a revoke looks once. */
	ASSERT_EQ(0, do_drop(self->phi, self->cap));
	ASSERT_EQ(0, do_derive(self->phi, self->root, RIGHTS, &plain));
	ASSERT_EQ(0, do_derive(self->phi, plain, RIGHTS, &sub));
	ASSERT_EQ(0, do_revoke(self->phi, plain));
	ASSERT_EQ(0, do_derive(self->phi, plain, RIGHTS, &sub));
	ASSERT_EQ(0, do_map(self->phi, sub, BYTES, RW, &mem));
	EXPECT_EQ(1, peek(mem));
	ASSERT_EQ(0, pin(&self->ring, self->own, BYTES));
	ASSERT_EQ(0, do_revoke(self->phi, plain));
	EXPECT_EQ(-SIGBUS, peek(mem));
	EXPECT_EQ(0, pinned(self->phi, self->root));
	memset(page, 0x33, PAGE);
	ASSERT_EQ(PAGE, write(self->pipe[1], page, PAGE));
	ASSERT_EQ(PAGE, read_fixed(&self->ring, self->pipe[0], self->own));
	EXPECT_EQ(0x33, self->own[0]);
	ASSERT_EQ(0, io_uring_unregister_buffers(&self->ring));
}

/* Who could pin two pages takes no others out of the region. */
TEST_F(detach, a_slice_leaves_pins_of_other_pages)
{
	uint64_t mid, slice;
	char page[PAGE];
	char *mem;

	/* What could pin all pages ends first, and a revoke looks once. */
	ASSERT_EQ(0, do_derive(self->phi, self->root, PINNABLE, &mid));
	ASSERT_EQ(0, do_drop(self->phi, self->cap));
	ASSERT_EQ(0, do_revoke(self->phi, mid));

	ASSERT_EQ(0, pin(&self->ring, self->own, 2 * PAGE));
	ASSERT_EQ(0, do_slice(self->phi, mid, 4 * PAGE, 2 * PAGE, PINNABLE,
			      &slice));
	ASSERT_EQ(0, do_map(self->phi, slice, 2 * PAGE, RW, &mem));
	ASSERT_EQ(PAGE, splice_out(self->pipe[1], mem + PAGE));
	ASSERT_EQ(0, do_revoke(self->phi, mid));
	EXPECT_EQ(-SIGBUS, peek(mem));
	EXPECT_EQ(1, pinned(self->phi, self->root));
	EXPECT_EQ(0, poke(self->own + 5 * PAGE, 99));
	EXPECT_EQ(0, drained(self->pipe[0], 6));

	memset(page, 0x44, PAGE);
	ASSERT_EQ(PAGE, write(self->pipe[1], page, PAGE));
	ASSERT_EQ(PAGE, read_fixed(&self->ring, self->pipe[0], self->own));
	EXPECT_EQ(0x44, self->own[0]);
	ASSERT_EQ(0, io_uring_unregister_buffers(&self->ring));
}

/* A thread that revokes and waits. */
struct waiter {
	pthread_t thread;
	int phi;
	uint64_t cap;
	pid_t tid;
	int done;
	int ret;
};

static void *wait_for_pins(void *arg)
{
	struct waiter *w = arg;

	__atomic_store_n(&w->tid, gettid(), __ATOMIC_SEQ_CST);
	w->ret = do_revoke_wait(w->phi, w->cap);
	__atomic_store_n(&w->done, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

/* Does the thread wait for the last pin? */
static bool sleeps(const struct waiter *w)
{
	char path[64], text[256] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/wchan",
		 __atomic_load_n(&w->tid, __ATOMIC_SEQ_CST));
	file = fopen(path, "r");
	if (!file)
		return false;
	if (!fgets(text, sizeof(text), file))
		text[0] = '\0';
	fclose(file);
	return strstr(text, "phi_pins_wait");
}

static bool waits(struct waiter *w)
{
	for (int looks = 0; looks < ENOUGH; looks++) {
		if (sleeps(w))
			return true;
		usleep(10000);
	}
	return false;
}

TEST_F(detach, a_revoke_can_wait_for_the_last_pin)
{
	struct waiter w = { .phi = self->phi, .cap = self->root };

	ASSERT_EQ(PAGE, splice_out(self->pipe[1], self->mem));
	ASSERT_EQ(PAGE, splice_out(self->pipe[1], self->mem + PAGE));
	ASSERT_EQ(0, pthread_create(&w.thread, NULL, wait_for_pins, &w));
	ASSERT_TRUE(waits(&w));
	/* What was to die is dead already. */
	EXPECT_EQ(-SIGBUS, peek(self->mem));
	EXPECT_EQ(2, pinned(self->phi, self->root));
	EXPECT_EQ(0, drained(self->pipe[0], 1));
	ASSERT_TRUE(waits(&w));
	EXPECT_EQ(0, __atomic_load_n(&w.done, __ATOMIC_SEQ_CST));
	EXPECT_EQ(0, drained(self->pipe[0], 2));
	ASSERT_EQ(0, pthread_join(w.thread, NULL));
	EXPECT_EQ(0, w.ret);
	EXPECT_EQ(0, pinned(self->phi, self->root));
	EXPECT_EQ(self->before.used[PHI_QUOTA_PAGES] + BYTES / PAGE,
		  pages(self->phi));
}

static void ignore(int sig)
{
	(void)sig;
}

TEST_F(detach, a_handler_ends_the_wait)
{
	struct waiter w = { .phi = self->phi, .cap = self->root };
	struct sigaction action = { .sa_handler = ignore };

	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	ASSERT_EQ(PAGE, splice_out(self->pipe[1], self->mem));
	ASSERT_EQ(0, pthread_create(&w.thread, NULL, wait_for_pins, &w));
	ASSERT_TRUE(waits(&w));
	ASSERT_EQ(0, pthread_kill(w.thread, SIGUSR1));
	ASSERT_EQ(0, pthread_join(w.thread, NULL));
	EXPECT_EQ(-EINTR, w.ret);
	EXPECT_EQ(1, pinned(self->phi, self->root));
	EXPECT_EQ(0, drained(self->pipe[0], 1));
	/* A second call waits for the same. */
	ASSERT_EQ(0, do_revoke_wait(self->phi, self->root));
	EXPECT_EQ(0, pinned(self->phi, self->root));
}

/*
 * A process that pins a page, kills the capability that it was mapped through
 * alone, by @itself or by its parent, and waits. It exits with the errno.
 */
static pid_t kill_one_and_wait(int pipe, bool itself)
{
	struct phi_cap_revoke arg = {
		.flags = PHI_REVOKE_ONE | PHI_REVOKE_WAIT,
	};
	unsigned char *mem;
	uint64_t root, cap;
	pid_t pid = fork();
	int phi;

	if (pid)
		return pid;
	phi = do_open();
	if (phi < 0 || do_region(phi, BYTES, PHI_REGION_DMA, &root) ||
	    do_derive(phi, root, PINNABLE, &cap) ||
	    do_map(phi, cap, BYTES, RW, &mem))
		_exit(100);
	memset(mem, 1, BYTES);
	if (splice_out(pipe, mem) != PAGE)
		_exit(101);
	arg.cap = itself ? cap : root;
	arg.child = cap;
	_exit(-PHI_DO(phi, CAP_REVOKE, &arg));
}

/* Have a process stop and go on. Return: 0, or a negative errno. */
static int stop_and_go(pid_t pid)
{
	int status;

	if (kill(pid, SIGSTOP) || waitpid(pid, &status, WUNTRACED) != pid)
		return -errno;
	if (!WIFSTOPPED(status) || kill(pid, SIGCONT))
		return -ECHILD;
	return 0;
}

TEST_F(detach, a_stop_does_not_end_the_wait)
{
	struct waiter w = {
		.tid = kill_one_and_wait(self->pipe[1], false),
	};
	int status;

	ASSERT_TRUE(waits(&w));
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(0, stop_and_go(w.tid));
		ASSERT_EQ(w.tid, waitpid(w.tid, &status, WCONTINUED));
		ASSERT_TRUE(WIFCONTINUED(status));
		ASSERT_TRUE(waits(&w));
	}
	EXPECT_EQ(0, drained(self->pipe[0], 1));
	ASSERT_EQ(w.tid, waitpid(w.tid, &status, 0));
	EXPECT_EQ(0, status);
}

/* Nothing is left to wait through, and the caller hears that it was cut. */
TEST_F(detach, a_stop_ends_the_wait_of_one_that_ended_itself)
{
	struct waiter w = {
		.tid = kill_one_and_wait(self->pipe[1], true),
	};
	int status;

	ASSERT_TRUE(waits(&w));
	ASSERT_EQ(0, stop_and_go(w.tid));
	ASSERT_EQ(w.tid, waitpid(w.tid, &status, 0));
	ASSERT_TRUE(WIFEXITED(status));
	EXPECT_EQ(EINTR, WEXITSTATUS(status));
	EXPECT_EQ(0, drained(self->pipe[0], 1));
}

/* Nothing to wait for, also where nothing can be pinned. */
TEST_F(detach, a_wait_without_pins_returns)
{
	uint64_t cap;

	ASSERT_EQ(0, do_revoke_wait(self->phi, self->root));
	ASSERT_EQ(0, do_region(self->phi, PAGE, 0, &cap));
	ASSERT_EQ(0, do_revoke_wait(self->phi, cap));
	ASSERT_EQ(0, do_endpoint(self->phi, &cap));
	ASSERT_EQ(0, do_revoke_wait(self->phi, cap));
}

TEST_HARNESS_MAIN
