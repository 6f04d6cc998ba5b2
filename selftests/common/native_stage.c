// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rows whose pages go away. A mapped file that is cut short faults as a
 * revoked region does.
 */
#include <stdatomic.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "stage.h"

#define ROW 784
#define ROWS 3000

FIXTURE(stage)
{
	struct stage stage;
	struct iovec iov[ROWS];
	bool bad[ROWS];
	size_t page;
	int fd;
	unsigned char *region;
	unsigned char *mine;
};

FIXTURE_SETUP(stage)
{
	self->page = sysconf(_SC_PAGESIZE);
	ASSERT_EQ(0, stage_init(&self->stage, ROW * ROWS));
	self->fd = memfd_create("region", MFD_CLOEXEC);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, ftruncate(self->fd, 4 * self->page));
	self->region = mmap(NULL, 4 * self->page, PROT_READ | PROT_WRITE,
			    MAP_SHARED, self->fd, 0);
	ASSERT_NE(MAP_FAILED, self->region);
	memset(self->region, 0x11, 4 * self->page);
	self->mine = malloc(ROW * ROWS);
	memset(self->mine, 0x22, ROW * ROWS);
}

FIXTURE_TEARDOWN(stage)
{
	stage_fini(&self->stage);
	munmap(self->region, 4 * self->page);
	close(self->fd);
	free(self->mine);
}

static bool all(const unsigned char *p, unsigned char c, size_t n)
{
	while (n--) {
		if (*p++ != c)
			return false;
	}
	return true;
}

TEST_F(stage, copies_more_pieces_than_one_call_takes)
{
	unsigned char *mem = self->stage.mem;
	int i;

	for (i = 0; i < ROWS; i++) {
		memset(self->mine + i * ROW, i, ROW);
		self->iov[i].iov_base = self->mine + i * ROW;
		self->iov[i].iov_len = ROW;
	}
	stage_gather(&self->stage, 0, self->iov, ROWS, self->bad);
	for (i = 0; i < ROWS; i++) {
		ASSERT_FALSE(self->bad[i]);
		ASSERT_TRUE(all(mem + i * ROW, i, ROW));
		mem[i * ROW] = ~i;
	}
	stage_scatter(&self->stage, 0, self->iov, ROWS, self->bad);
	for (i = 0; i < ROWS; i++) {
		ASSERT_FALSE(self->bad[i]);
		ASSERT_EQ((unsigned char)~i, self->mine[i * ROW]);
	}
}

TEST_F(stage, a_lost_page_costs_only_its_own_row)
{
	unsigned char *mem = self->stage.mem;
	int i;

	memset(mem, 0x33, 5 * ROW);
	for (i = 0; i < 5; i++) {
		self->iov[i].iov_base = self->mine + i * ROW;
		self->iov[i].iov_len = ROW;
	}
	/* One row lies across the new end of the region, one past it. */
	self->iov[1].iov_base = self->region + self->page - 100;
	self->iov[3].iov_base = self->region + 2 * self->page;
	ASSERT_EQ(0, ftruncate(self->fd, self->page));

	stage_gather(&self->stage, 0, self->iov, 5, self->bad);
	for (i = 0; i < 5; i++) {
		EXPECT_EQ(i == 1 || i == 3, self->bad[i]);
		EXPECT_TRUE(all(mem + i * ROW, self->bad[i] ? 0 : 0x22, ROW));
	}

	memset(mem, 0x44, 5 * ROW);
	stage_scatter(&self->stage, 0, self->iov, 5, self->bad);
	for (i = 0; i < 5; i++) {
		EXPECT_EQ(i == 1 || i == 3, self->bad[i]);
		EXPECT_TRUE(all(self->mine + i * ROW,
				self->bad[i] ? 0x22 : 0x44, ROW));
	}
}

TEST_F(stage, all_lost_is_no_trouble_either)
{
	int i;

	for (i = 0; i < ROWS; i++) {
		self->iov[i].iov_base = self->region + i % 4 * self->page;
		self->iov[i].iov_len = ROW;
	}
	ASSERT_EQ(0, ftruncate(self->fd, 0));
	stage_gather(&self->stage, 0, self->iov, ROWS, self->bad);
	for (i = 0; i < ROWS; i++) {
		ASSERT_TRUE(self->bad[i]);
	}
}

struct revoker {
	atomic_bool stop;
	int fd;
	size_t page;
};

static void *revoke_and_restore(void *arg)
{
	struct revoker *r = arg;

	while (!atomic_load(&r->stop)) {
		if (ftruncate(r->fd, 0) || ftruncate(r->fd, 4 * r->page))
			break;
	}
	return NULL;
}

TEST_F(stage, survives_pages_that_come_and_go)
{
	struct revoker r = { .fd = self->fd, .page = self->page };
	unsigned char *mem = self->stage.mem;
	pthread_t thread;
	int i, n;

	for (i = 0; i < 32; i++) {
		self->iov[i].iov_base = i % 2 ? self->mine + i * ROW :
						self->region + i * 100;
		self->iov[i].iov_len = ROW;
	}
	ASSERT_EQ(0, pthread_create(&thread, NULL, revoke_and_restore, &r));
	for (n = 0; n < 3000; n++) {
		stage_gather(&self->stage, 0, self->iov, 32, self->bad);
		for (i = 1; i < 32; i += 2) {
			ASSERT_FALSE(self->bad[i]);
			ASSERT_TRUE(all(mem + i * ROW, 0x22, ROW));
		}
	}
	atomic_store(&r.stop, true);
	pthread_join(thread, NULL);
}

TEST_HARNESS_MAIN
