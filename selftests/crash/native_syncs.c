// SPDX-License-Identifier: GPL-2.0-only
/*
 * That the tests of power cuts can fail: played with the syncs of one kind
 * left out, or coming after what they must come before, the same log leaves
 * a store that breaks its promises, and this is noticed. What is a cache may
 * lose its syncs without harm.
 */
#include <string.h>

#include <kselftest_harness.h>

#include "verify.h"

FIXTURE(syncs)
{
	struct run run;
	struct golden golden;
	struct disk_log log;
};

FIXTURE_VARIANT(syncs)
{
	const char *load;
	struct disk_rules rules;
	bool harmless;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(syncs, directory_above) {
	.load = "blobs", .rules.ignore = "" };
FIXTURE_VARIANT_ADD(syncs, directory) {
	.load = "blobs", .rules.ignore = "store" };
FIXTURE_VARIANT_ADD(syncs, wal) {
	.load = "blobs", .rules.ignore = "store/meta.db-wal" };
FIXTURE_VARIANT_ADD(syncs, database) {
	.load = "blobs", .rules.ignore = "store/meta.db" };
FIXTURE_VARIANT_ADD(syncs, segment) {
	.load = "blobs", .rules.ignore = "store/pack/*" };
FIXTURE_VARIANT_ADD(syncs, segment_after_commit) {
	.load = "blobs", .rules.late = "store/pack/*" };
FIXTURE_VARIANT_ADD(syncs, segments) {
	.load = "blobs", .rules.ignore = "store/pack" };
FIXTURE_VARIANT_ADD(syncs, object) {
	.load = "files", .rules.ignore = "store/object/#*" };
FIXTURE_VARIANT_ADD(syncs, object_after_commit) {
	.load = "files", .rules.late = "store/object/??" };
FIXTURE_VARIANT_ADD(syncs, objects) {
	.load = "files", .rules.ignore = "store/object/??" };
FIXTURE_VARIANT_ADD(syncs, folders) {
	.load = "files", .rules.ignore = "store/object" };
FIXTURE_VARIANT_ADD(syncs, items) {
	.load = "items", .rules.ignore = "store/meta.db-wal" };
FIXTURE_VARIANT_ADD(syncs, graph) {
	.load = "items", .rules.ignore = "store/graph*", .harmless = true };
/* clang-format on */

FIXTURE_SETUP(syncs)
{
	memset(self, 0, sizeof(*self));
	ASSERT_EQ(0, run_init(&self->run));
}

FIXTURE_TEARDOWN(syncs)
{
	disk_log_free(&self->log);
	golden_free(&self->golden);
	run_fini(&self->run);
}

TEST_F_TIMEOUT(syncs, are_needed, 600)
{
	struct power power = { .some = 2, .singles = 1000 };
	size_t i, n = 0;

	ASSERT_EQ(0, golden_make(&self->run, variant->load, &self->golden));
	self->run.record = true;
	ASSERT_EQ(0, run_prog(&self->run, "work_prog", variant->load));
	ASSERT_EQ(0, disk_log_read(self->run.log, &self->log));
	/* A kind of sync that there is none of would prove nothing. */
	for (i = 0; i < self->log.n; i++)
		n += disk_is_touched(&variant->rules, &self->log.ops[i]);
	ASSERT_LT(0, n);
	power.golden = &self->golden;
	power.log = &self->log;
	power.rules = &variant->rules;
	/* What is late is in time for that: only the order is wrong. */
	power.acks = !variant->rules.late;
	ASSERT_EQ(0, power_cuts(&self->run, &power, NULL));
	TH_LOG("%zu syncs, %zu power cuts, %zu different outcomes", n,
	       power.tried, power.verified);
	if (variant->harmless) {
		EXPECT_EQ(0, power.bad);
	} else {
		EXPECT_LT(0, power.bad);
	}
}

TEST_HARNESS_MAIN
