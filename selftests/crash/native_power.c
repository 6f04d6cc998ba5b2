// SPDX-License-Identifier: GPL-2.0-only
/*
 * Power cuts at every point of a workload: the store holds what it
 * acknowledged. And the other way round: a store whose syncs of one kind do
 * nothing, or come too late, does not, and this test notices.
 */
#include <signal.h>
#include <string.h>

#include <kselftest_harness.h>

#include "verify.h"

FIXTURE(power)
{
	struct run run;
	struct golden golden;
	struct disk_log log;
};

FIXTURE_SETUP(power)
{
	memset(self, 0, sizeof(*self));
	ASSERT_EQ(0, run_init(&self->run));
}

FIXTURE_TEARDOWN(power)
{
	disk_log_free(&self->log);
	golden_free(&self->golden);
	run_fini(&self->run);
}

FIXTURE_VARIANT(power)
{
	const char *load;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(power, blobs) { .load = "blobs" };
FIXTURE_VARIANT_ADD(power, files) { .load = "files" };
FIXTURE_VARIANT_ADD(power, items) { .load = "items" };
FIXTURE_VARIANT_ADD(power, mend) { .load = "mend" };
/* clang-format on */

static int prepare(struct run *run, const char *load, struct golden *golden,
		   struct disk_log *log)
{
	int ret;

	ret = golden_make(run, load, golden);
	if (ret)
		return ret;
	run->record = true;
	ret = run_prog(run, "work_prog", load);
	return ret ? ret : disk_log_read(run->log, log);
}

/* What escaped the shim would make the two differ. */
TEST_F_TIMEOUT(power, log_is_complete, 60)
{
	struct disk_cut all = { .part = DISK_ALL };
	struct disk *disk;
	uint64_t hash;
	int ret;

	ASSERT_EQ(0, prepare(&self->run, variant->load, &self->golden,
			     &self->log));
	ASSERT_EQ(0, disk_new(&self->log, NULL, &disk));
	do {
		ret = disk_step(disk);
	} while (ret > 0);
	ASSERT_EQ(0, ret);
	ASSERT_EQ(0, disk_cut(disk, &all, self->run.state, &hash));
	EXPECT_TRUE(run_same_tree(self->run.root, self->run.state));
	disk_free(disk);
}

TEST_F_TIMEOUT(power, loses_nothing, 3000)
{
	struct power power = { .some = run_deep() ? 64 : 1,
			       .singles = run_deep() ? 1000 : 2,
			       .every = run_deep() ? 1 : RUN_STRIDE };

	ASSERT_EQ(0, prepare(&self->run, variant->load, &self->golden,
			     &self->log));
	power.golden = &self->golden;
	power.log = &self->log;
	ASSERT_EQ(0, power_cuts(&self->run, &power, stdout));
	EXPECT_EQ(0, power.bad);
	TH_LOG("%s: %zu points, %zu power cuts, %zu different outcomes",
	       variant->load, power.points, power.tried, power.verified);
	ASSERT_LT(run_deep() ? 100 : 40, power.points);
}

/*
 * Kill a workload before a sync, if there is one of that number, and let
 * another process go on.
 */
static int kill_and_go_on(struct run *run, const struct workload *load,
			  size_t n, size_t *ops, size_t *kills)
{
	struct progress progress;
	struct disk_log log;
	char go_on[64];
	int ret;

	run->keep = false;
	snprintf(run->kill, sizeof(run->kill), "%zus", n);
	*kills += run_prog(run, "work_prog", load->name) == 128 + SIGKILL;
	ret = progress_read(&progress, run->notes);
	if (!ret)
		ret = disk_log_read(run->log, &log);
	if (ret)
		return ret;
	*ops = log.n;
	disk_log_free(&log);
	snprintf(go_on, sizeof(go_on), "%s@%zu%s", load->name, progress.acked,
		 progress.begun == progress.acked ? "b" : "");
	run->keep = true;
	run->kill[0] = 0;
	return progress.acked == load->n ? 0 :
					   run_prog(run, "work_prog", go_on);
}

/*
 * What a killed process had not synced is still not on the disk when the next
 * one finds it. That one goes on with the workload, and then power fails.
 */
TEST_F_TIMEOUT(power, loses_nothing_after_a_kill, 1200)
{
	struct power power = { .acks = true,
			       .some = 1,
			       .most = run_deep() ? 20 : 3 };
	struct disk_log first;
	size_t i, n = 0, rounds = 0, kills = 0;

	ASSERT_EQ(0, prepare(&self->run, variant->load, &self->golden,
			     &self->log));
	power.golden = &self->golden;
	power.log = &self->log;
	ASSERT_EQ(0, disk_log_read(self->run.log, &first));
	for (i = 0; i < first.n; i++) {
		if (first.ops[i].op.kind != CRASH_SYNC)
			continue;
		if (!run_deep() && n % RUN_STRIDE) {
			n++;
			continue;
		}
		ASSERT_EQ(0, kill_and_go_on(&self->run, self->golden.load, n,
					    &power.from, &kills))
		{
			TH_LOG("killed before sync %zu: cannot go on", n);
		}
		disk_log_free(&self->log);
		ASSERT_EQ(0, disk_log_read(self->run.log, &self->log));
		ASSERT_EQ(0, power_cuts(&self->run, &power, stdout));
		ASSERT_EQ(0, power.bad)
		{
			TH_LOG("killed before sync %zu", n);
		}
		rounds++;
		n++;
	}
	disk_log_free(&first);
	EXPECT_LE(rounds - rounds / 10, kills);
	EXPECT_LE(kills, power.tried);
	TH_LOG("%s: %zu power cuts, %zu different outcomes", variant->load,
	       power.tried, power.verified);
}

TEST_HARNESS_MAIN
