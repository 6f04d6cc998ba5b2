// SPDX-License-Identifier: GPL-2.0-only
/*
 * The simulated disk finds what is wrong with a program that forgets a sync,
 * and nothing wrong with one that does not.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "disk.h"
#include "run.h"

#define LEN 3000

FIXTURE(disk)
{
	struct run run;
	struct disk_log log;
};

FIXTURE_SETUP(disk)
{
	memset(&self->run, 0, sizeof(self->run));
	memset(&self->log, 0, sizeof(self->log));
	ASSERT_EQ(0, run_init(&self->run));
	self->run.record = true;
}

FIXTURE_TEARDOWN(disk)
{
	disk_log_free(&self->log);
	run_fini(&self->run);
}

static int start(struct run *run, struct disk_log *log, const char *how)
{
	int ret = run_prog(run, "tiny_prog", how);

	disk_log_free(log);
	return ret ? ret : disk_log_read(run->log, log);
}

/* 'o' or 'n': all of the file is that; '-': there is none; '?': a mixture. */
static int content(const char *dir)
{
	char path[128], buf[LEN + 1];
	ssize_t n;
	int fd, i;

	snprintf(path, sizeof(path), "%s/file", dir);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return '-';
	n = read(fd, buf, sizeof(buf));
	close(fd);
	for (i = 1; i < LEN && n == LEN; i++) {
		if (buf[i] != buf[0])
			return '?';
	}
	return n == LEN ? buf[0] : '?';
}

/* What may be left after this many notes. */
static bool allowed(int notes, int content)
{
	if (notes == 0)
		return true;
	return content == 'n' || (notes == 1 && content == 'o');
}

/* How many outcomes of power cuts break the promise; *tried counts all. */
static int broken(struct run *run, const struct disk_log *log,
		  const struct disk_rules *rules, int *tried)
{
	struct disk_cut cut;
	struct disk *disk;
	uint64_t hash;
	int bad = 0, notes = 0, i, ret;
	size_t at = 0;

	*tried = 0;
	if (disk_new(log, rules, &disk))
		return -1;
	do {
		for (i = 0; i < 40; i++) {
			memset(&cut, 0, sizeof(cut));
			cut.part = i < 2  ? (enum disk_part)i :
				   i < 20 ? DISK_SOME :
					    DISK_TORN;
			cut.seed = at * 64 + (unsigned int)i;
			run_clear(run->state);
			if (disk_cut(disk, &cut, run->state, &hash))
				return -1;
			bad += !allowed(notes, content(run->state));
			*tried += 1;
		}
		if (at < log->n)
			notes += log->ops[at++].op.kind == CRASH_NOTE;
		ret = disk_step(disk);
	} while (ret > 0);
	disk_free(disk);
	return ret ? -1 : bad;
}

TEST_F(disk, keeps_what_was_synced)
{
	static const char *const ways[] = { "good", "tmpfile" };
	size_t i;
	int tried;

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, start(&self->run, &self->log, ways[i]));
		EXPECT_EQ(0, broken(&self->run, &self->log, NULL, &tried))
		{
			TH_LOG("%s", ways[i]);
		}
		TH_LOG("%s: %d outcomes", ways[i], tried);
		ASSERT_LT(300, tried);
	}
}

TEST_F(disk, finds_forgotten_syncs)
{
	static const char *const ways[] = { "no-sync", "no-dir-sync",
					    "in-place" };
	size_t i;
	int tried;

	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, start(&self->run, &self->log, ways[i]));
		EXPECT_LT(0, broken(&self->run, &self->log, NULL, &tried))
		{
			TH_LOG("%s", ways[i]);
		}
	}
}

TEST_F(disk, can_leave_out_syncs)
{
	struct disk_rules dir = { .ignore = "" };
	struct disk_rules file = { .ignore = "new" };
	struct disk_rules order = { .late = "new" };
	struct disk_rules none = { .ignore = "other" };
	int tried;

	ASSERT_EQ(0, start(&self->run, &self->log, "good"));
	EXPECT_LT(0, broken(&self->run, &self->log, &dir, &tried));
	EXPECT_LT(0, broken(&self->run, &self->log, &file, &tried));
	EXPECT_EQ(0, broken(&self->run, &self->log, &none, &tried));
	/* The rename may be there before what it names. */
	EXPECT_LT(0, broken(&self->run, &self->log, &order, &tried));
}

TEST_F(disk, sees_everything)
{
	struct disk_cut all = { .part = DISK_ALL };
	struct disk *disk;
	uint64_t hash;

	ASSERT_EQ(0, start(&self->run, &self->log, "good"));
	ASSERT_EQ(0, disk_new(&self->log, NULL, &disk));
	while (disk_step(disk) > 0)
		;
	EXPECT_EQ(0, disk_pending(disk));
	ASSERT_EQ(0, disk_cut(disk, &all, self->run.state, &hash));
	EXPECT_TRUE(run_same_tree(self->run.root, self->run.state));
	EXPECT_EQ('n', content(self->run.state));
	disk_free(disk);
}

TEST_F(disk, kills_at_every_operation)
{
	unsigned int n, ops;

	self->run.record = false;
	ASSERT_EQ(0, run_prog(&self->run, "tiny_prog", "good"));
	ops = (unsigned int)self->run.count.ops;
	/* Twice make, two writes, sync, directory sync; once rename. */
	ASSERT_EQ(11, ops);
	for (n = 0; n < ops; n++) {
		snprintf(self->run.kill, sizeof(self->run.kill), "%u", n);
		EXPECT_EQ(128 + SIGKILL,
			  run_prog(&self->run, "tiny_prog", "good"));
		EXPECT_EQ(n + 1, self->run.count.ops);
	}
	snprintf(self->run.kill, sizeof(self->run.kill), "2t");
	EXPECT_EQ(128 + SIGKILL, run_prog(&self->run, "tiny_prog", "good"));
	EXPECT_EQ('?', content(self->run.root));
}

TEST_F(disk, fails_calls)
{
	self->run.kinds = 1U << CRASH_SYNC;
	snprintf(self->run.fail, sizeof(self->run.fail), "0:5");
	EXPECT_EQ(1, run_prog(&self->run, "tiny_prog", "good"));
	EXPECT_EQ(1, self->run.count.faults);
	EXPECT_EQ('o', content(self->run.root));
	/* tiny_prog takes half a write for an error. */
	self->run.kinds = 1U << CRASH_WRITE;
	snprintf(self->run.fail, sizeof(self->run.fail), "1:0");
	EXPECT_EQ(1, run_prog(&self->run, "tiny_prog", "good"));
	EXPECT_EQ(1, self->run.count.faults);
}

TEST_HARNESS_MAIN
