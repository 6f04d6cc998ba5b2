// SPDX-License-Identifier: GPL-2.0-only
/*
 * kill -9 before every operation of a workload, and in the middle of every
 * write: the store holds what it acknowledged.
 */
#include <signal.h>
#include <string.h>

#include <kselftest_harness.h>

#include "verify.h"

FIXTURE(kill)
{
	struct run run;
	struct golden golden;
};

FIXTURE_SETUP(kill)
{
	memset(self, 0, sizeof(*self));
	ASSERT_EQ(0, run_init(&self->run));
}

FIXTURE_TEARDOWN(kill)
{
	golden_free(&self->golden);
	run_fini(&self->run);
}

FIXTURE_VARIANT(kill)
{
	const char *load;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(kill, blobs) { .load = "blobs" };
FIXTURE_VARIANT_ADD(kill, files) { .load = "files" };
FIXTURE_VARIANT_ADD(kill, items) { .load = "items" };
FIXTURE_VARIANT_ADD(kill, mend) { .load = "mend" };
/* clang-format on */

static int kill_at(struct run *run, const struct golden *golden, size_t n,
		   const char *how, char *why, size_t len)
{
	struct progress progress;
	int ret;

	snprintf(run->kill, sizeof(run->kill), "%zu%s", n, how);
	ret = run_prog(run, "work_prog", golden->load->name);
	/* Threads race; a run may have some operations less. */
	if (ret != 128 + SIGKILL && ret != 0) {
		snprintf(why, len, "exit status %d", ret);
		return -EIO;
	}
	ret = progress_read(&progress, run->notes);
	if (ret)
		return ret;
	return verify(golden, run->root, &progress, why, len);
}

TEST_F_TIMEOUT(kill, loses_nothing, 900)
{
	struct disk_log log = {};
	size_t i, n = 0, points = 0;
	char why[4096];

	ASSERT_EQ(0, golden_make(&self->run, variant->load, &self->golden));
	self->run.record = true;
	ASSERT_EQ(0, run_prog(&self->run, "work_prog", variant->load));
	ASSERT_EQ(0, disk_log_read(self->run.log, &log));
	self->run.record = false;
	for (i = 0; i < log.n; i++) {
		if (log.ops[i].op.kind == CRASH_NOTE)
			continue;
		if (!run_deep() && n % RUN_STRIDE) {
			n++;
			continue;
		}
		ASSERT_EQ(0, kill_at(&self->run, &self->golden, n, "", why,
				     sizeof(why)))
		{
			TH_LOG("killed before operation %zu: %s", n, why);
		}
		points++;
		if (log.ops[i].op.kind == CRASH_WRITE) {
			ASSERT_EQ(0, kill_at(&self->run, &self->golden, n, "t",
					     why, sizeof(why)))
			{
				TH_LOG("killed in the middle of write %zu: %s",
				       n, why);
			}
			points++;
		}
		n++;
	}
	TH_LOG("%s: killed at %zu points", variant->load, points);
	ASSERT_LT(run_deep() ? 100 : 30, points);
	disk_log_free(&log);
}

TEST_HARNESS_MAIN
