// SPDX-License-Identifier: GPL-2.0-only
/*
 * A disk that is full, or fails, at every single operation of a workload:
 * the step says so and has changed nothing, and once the disk has been seen
 * to, the store goes on, if need be after it was opened again.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <kselftest_harness.h>

#include "verify.h"

#define MAKES                                                         \
	(1U << CRASH_CREATE | 1U << CRASH_MKDIR | 1U << CRASH_WRITE | \
	 1U << CRASH_TRUNCATE | 1U << CRASH_ZERO | 1U << CRASH_LINK | \
	 1U << CRASH_RENAME)

#define STRIDE 7

FIXTURE(fail)
{
	struct run run;
	struct golden golden;
	struct disk_log log;
	unsigned int errors;
	unsigned int reopened;
};

FIXTURE_VARIANT(fail)
{
	const char *load;
	const char *how;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(fail, blobs) { .load = "blobs", .how = "blobs!" };
FIXTURE_VARIANT_ADD(fail, files) { .load = "files", .how = "files!" };
FIXTURE_VARIANT_ADD(fail, items) { .load = "items", .how = "items!" };
FIXTURE_VARIANT_ADD(fail, mend) { .load = "mend", .how = "mend!" };
/* clang-format on */

FIXTURE_SETUP(fail)
{
	memset(self, 0, sizeof(*self));
	ASSERT_EQ(0, run_init(&self->run));
}

FIXTURE_TEARDOWN(fail)
{
	disk_log_free(&self->log);
	golden_free(&self->golden);
	run_fini(&self->run);
}

/*
 * What a step that failed left must be what was there before it; 0 is for a
 * store that could not be opened.
 */
static int check_state(const struct golden *golden, size_t step, long hash)
{
	if (!hash)
		return golden->load->steps[step].fn == work_open ||
				       golden->load->steps[step].fn ==
					       work_reopen ?
			       0 :
			       -EIO;
	return golden_is_before(golden, step, hash) ? 0 : -EIO;
}

/*
 * Read the notes of a run. @reopen: It may have had to open the store again.
 */
static int check_notes(struct __test_metadata *_metadata,
		       FIXTURE_DATA(fail) * self, int injected, bool reopen)
{
	FILE *in = fopen(self->run.notes, "r");
	size_t step;
	char what[8];
	long value;
	int ret = in ? 0 : -errno;

	while (!ret && fscanf(in, "%7s %zu %ld\n", what, &step, &value) == 3) {
		if (*what == 'e') {
			self->errors++;
			if (value != injected && value != EIO)
				ret = -EIO;
		} else if (*what == 'd') {
			ret = check_state(&self->golden, step, value);
		} else if (*what == 'r') {
			self->reopened++;
			ret = reopen ? 0 : -EIO;
		} else if (*what == 'z') {
			if (!golden_is(&self->golden, step, value))
				ret = -EIO;
		} else if (*what == 'f') {
			ret = -EIO;
		}
		if (ret)
			TH_LOG("notes say: %s %zu %ld", what, step, value);
	}
	if (in)
		fclose(in);
	return ret;
}

/*
 * Let each operation of some kinds fail once, or from then on; in make check
 * every STRIDEth, from @first on.
 */
static int each(struct __test_metadata *_metadata, FIXTURE_DATA(fail) * self,
		const char *how, const char *fault, unsigned int kinds,
		int injected, unsigned int first)
{
	struct progress progress;
	char why[4096] = "";
	unsigned int n;
	int ret;

	self->errors = 0;
	self->reopened = 0;
	self->run.kinds = kinds;
	for (n = run_deep() ? 0 : first;; n += run_deep() ? 1 : STRIDE) {
		snprintf(self->run.fail, sizeof(self->run.fail), "%u:%s", n,
			 fault);
		ret = run_prog(&self->run, "work_prog", how);
		if (!self->run.count.faults && !ret)
			break;
		if (!ret)
			ret = check_notes(_metadata, self, injected,
					  injected == EIO);
		if (!ret)
			ret = progress_read(&progress, self->run.notes);
		if (!ret)
			ret = verify(&self->golden, self->run.root, &progress,
				     why, sizeof(why));
		if (ret) {
			TH_LOG("fault %s at operation %u of kinds %#x: status %d: %s",
			       fault, n, kinds, ret, why);
			return ret;
		}
	}
	TH_LOG("%s %s: up to %u faults, %u errors, opened again %u times", how,
	       fault, n, self->errors, self->reopened);
	return n > 20 ? 0 : -ENODATA;
}

TEST_F_TIMEOUT(fail, disk_is_full_once, 1200)
{
	ASSERT_EQ(0, golden_make(&self->run, variant->load, &self->golden));
	ASSERT_EQ(0,
		  each(_metadata, self, variant->how, "28", MAKES, ENOSPC, 0));
	EXPECT_LT(10, self->errors);
}

TEST_F_TIMEOUT(fail, disk_is_full, 1200)
{
	ASSERT_EQ(0, golden_make(&self->run, variant->load, &self->golden));
	ASSERT_EQ(0, each(_metadata, self, variant->how, "28:1000000", MAKES,
			  ENOSPC, 1));
	EXPECT_LT(10, self->errors);
}

TEST_F_TIMEOUT(fail, disk_fails_once, 1200)
{
	ASSERT_EQ(0, golden_make(&self->run, variant->load, &self->golden));
	ASSERT_EQ(0, each(_metadata, self, variant->how, "5", ~0U, EIO, 2));
	EXPECT_LT(10, self->errors);
}

TEST_F_TIMEOUT(fail, writes_are_short, 1200)
{
	ASSERT_EQ(0, golden_make(&self->run, variant->load, &self->golden));
	ASSERT_EQ(0, each(_metadata, self, variant->how, "0", 1U << CRASH_WRITE,
			  EIO, 0));
}

/*
 * A sync that fails has lost what it was for. What is acknowledged later
 * must not depend on it: after a power cut it is there all the same.
 */
TEST_F_TIMEOUT(fail, failed_sync_is_not_trusted, 1200)
{
	struct power power = { .acks = true, .most = 5 };
	unsigned int n;
	size_t i;

	ASSERT_EQ(0, golden_make(&self->run, variant->load, &self->golden));
	self->run.record = true;
	self->run.kinds = 1U << CRASH_SYNC;
	power.golden = &self->golden;
	power.log = &self->log;
	for (n = 0;; n += run_deep() ? 1 : 4) {
		snprintf(self->run.fail, sizeof(self->run.fail), "%u:5", n);
		ASSERT_EQ(0, run_prog(&self->run, "work_prog", variant->how))
		{
			TH_LOG("sync %u failed", n);
		}
		if (!self->run.count.faults)
			break;
		disk_log_free(&self->log);
		ASSERT_EQ(0, disk_log_read(self->run.log, &self->log));
		for (i = 0; i < self->log.n && !self->log.ops[i].op.error;)
			i++;
		power.from = i;
		ASSERT_EQ(0, power_cuts(&self->run, &power, stdout));
		ASSERT_EQ(0, power.bad)
		{
			TH_LOG("sync %u failed", n);
		}
	}
	TH_LOG("%s: up to %u syncs failed, %zu power cuts, %zu different outcomes",
	       variant->load, n, power.tried, power.verified);
	ASSERT_LT(5, n);
}

TEST_HARNESS_MAIN
