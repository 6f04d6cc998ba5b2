// SPDX-License-Identifier: GPL-2.0-only
/*
 * infer_guard, infer_trace, select_least_loaded and select_deadline.
 */

#include "kselftest_harness.h"

#include "infer_ioctl.h"

#include "policy.h"

#define ANY ~0ULL
#define MS 1000000ULL

FIXTURE(infer)
{
	int phi;
	uint64_t model;
	uint64_t model_id;
	uint64_t units[2];
	uint32_t ids[2];
};

FIXTURE_SETUP(infer)
{
	self->phi = do_open();
	ASSERT_LE(0, self->phi)
	{
		TH_LOG("is phi.ko loaded?");
	}
	ASSERT_EQ(0, policy_use("infer_guard"));
	ASSERT_EQ(0,
		  do_model(self->phi, 64, 77, &self->model_id, &self->model));
	ASSERT_EQ(0, do_unit(self->phi, PHI_UNIT_CPU, 2, &self->ids[0],
			     &self->units[0]));
	ASSERT_EQ(0, do_unit(self->phi, PHI_UNIT_CPU, 2, &self->ids[1],
			     &self->units[1]));
}

FIXTURE_TEARDOWN(infer)
{
	close(self->phi);
	EXPECT_EQ(0, policy_unload("select_least_loaded"));
	EXPECT_EQ(0, policy_unload("select_deadline"));
}

static int cap_model(uint64_t model, uint32_t cap)
{
	return policy_set("infer_guard", "caps", &model, &cap);
}

static uint64_t guard_did(uint32_t what)
{
	uint64_t n = 0;

	policy_get("infer_guard", "done", &what, &n);
	return n;
}

TEST_F_TIMEOUT(infer, guard_caps_and_refuses, SLOW)
{
	struct phi_infer_begin begin;

	ASSERT_EQ(0, do_begin(self->phi, self->model, 40, &begin));
	EXPECT_EQ(40, begin.batch);
	ASSERT_EQ(0, cap_model(self->model_id, 8));
	ASSERT_EQ(0, do_begin(self->phi, self->model, 40, &begin));
	EXPECT_EQ(8, begin.batch);
	ASSERT_EQ(0, do_begin(self->phi, self->model, 3, &begin));
	EXPECT_EQ(3, begin.batch);
	ASSERT_EQ(0, cap_model(self->model_id, 0));
	EXPECT_EQ(-EPERM, do_begin(self->phi, self->model, 3, &begin));
	EXPECT_EQ(1, guard_did(0));
	EXPECT_EQ(1, guard_did(1));
	EXPECT_EQ(2, guard_did(2));
}

TEST_F_TIMEOUT(infer, guard_has_a_rule_for_the_rest, SLOW)
{
	struct phi_infer_begin begin;

	ASSERT_EQ(0, cap_model(ANY, 0));
	EXPECT_EQ(-EPERM, do_begin(self->phi, self->model, 1, &begin));
	ASSERT_EQ(0, cap_model(self->model_id, 5));
	ASSERT_EQ(0, do_begin(self->phi, self->model, 64, &begin));
	EXPECT_EQ(5, begin.batch);
	/* What is capped is charged as capped. */
	EXPECT_EQ(0, do_end(self->phi, begin.ticket, 0));
}

TEST_F_TIMEOUT(infer, guard_documented_example, SLOW)
{
	EXPECT_EQ(0, policy_run("infer_guard", "bpftool map update", NULL));
}

/* Through bpf_phi_call_cap(): the badge of the model's capability. */
TEST_F_TIMEOUT(infer, guard_sees_the_badge, SLOW)
{
	struct phi_infer_begin begin;
	uint64_t badge = 77, n = 0, weak;

	EXPECT_NE(0, policy_get("infer_guard", "badges", &badge, &n));
	ASSERT_EQ(0, do_begin(self->phi, self->model, 1, &begin));
	ASSERT_EQ(0, do_derive(self->phi, self->model, PHI_RIGHT_EXEC, &weak));
	ASSERT_EQ(0, do_begin(self->phi, weak, 1, &begin));
	EXPECT_EQ(0, policy_get("infer_guard", "badges", &badge, &n));
	EXPECT_EQ(2, n);
	/* No capability behind the handle, or a dead one: nothing to see. */
	EXPECT_EQ(-EBADF, do_begin(self->phi, 1, 1, &begin));
	ASSERT_EQ(0, do_revoke(self->phi, self->model));
	EXPECT_EQ(-EKEYREVOKED, do_begin(self->phi, weak, 1, &begin));
	EXPECT_EQ(0, policy_get("infer_guard", "badges", &badge, &n));
	EXPECT_EQ(2, n);
}

#define SLOTS 40

struct model_unit {
	uint64_t model;
	uint32_t unit;
	uint32_t pad;
};

struct hist {
	uint64_t batches;
	uint64_t items;
	uint64_t failed;
	uint64_t queue_sum_ns;
	uint64_t run_sum_ns;
	uint64_t queue[SLOTS];
	uint64_t run[SLOTS];
};

TEST_F_TIMEOUT(infer, trace_histograms_add_up, SLOW)
{
	struct model_unit key = { .model = self->model_id };
	uint64_t queue = 0, run = 0, run_ns = 0;
	struct hist hist;
	int i;

	ASSERT_EQ(0, policy_use("infer_trace"));
	for (i = 0; i < 10; i++) {
		struct phi_infer_begin begin = {
			.model = self->model,
			.batch = 3,
			.queued_ns = 1024 + i,
		};
		struct phi_infer_end end = { .result = i ? 0 : -EIO };

		ASSERT_EQ(0, PHI_DO(self->phi, INFER_BEGIN, &begin));
		EXPECT_EQ(self->ids[0], begin.unit);
		usleep(1000);
		end.ticket = begin.ticket;
		ASSERT_EQ(0, PHI_DO(self->phi, INFER_END, &end));
		run_ns += end.run_ns;
	}
	key.unit = self->ids[0];
	ASSERT_EQ(0, policy_get("infer_trace", "hist", &key, &hist));
	EXPECT_EQ(10, hist.batches);
	EXPECT_EQ(30, hist.items);
	EXPECT_EQ(1, hist.failed);
	EXPECT_EQ(10 * 1024 + 45, hist.queue_sum_ns);
	EXPECT_EQ(run_ns, hist.run_sum_ns);
	EXPECT_EQ(10, hist.queue[10]);
	for (i = 0; i < SLOTS; i++) {
		queue += hist.queue[i];
		run += hist.run[i];
	}
	EXPECT_EQ(10, queue);
	EXPECT_EQ(10, run);
	/* 1 ms is in slot 19, of 2^19 to 2^20 - 1 ns, or above. */
	for (i = 0; i < 19; i++)
		EXPECT_EQ(0, hist.run[i]);
	EXPECT_EQ(0, policy_run("infer_trace", "bpftool map dump", NULL));
}

TEST_F_TIMEOUT(infer, least_loaded_overrules_the_built_in, SLOW)
{
	struct phi_infer_begin begin;
	uint32_t differs = 1;
	uint64_t n = 0;

	ASSERT_EQ(0, do_begin(self->phi, self->model, 1, &begin));
	ASSERT_EQ(self->ids[0], begin.unit);
	/* The first unit still has a free place: built in, it stays there. */
	ASSERT_EQ(0, policy_load("select_least_loaded"));
	ASSERT_EQ(0, do_begin(self->phi, self->model, 1, &begin));
	EXPECT_EQ(self->ids[1], begin.unit);
	EXPECT_EQ(PHI_CHOSEN_POLICY, begin.why);
	EXPECT_EQ(MS, begin.score_ns);
	EXPECT_EQ(0, policy_get("select_least_loaded", "chosen", &differs, &n));
	EXPECT_EQ(1, n);
	/* Both have one; now the load decides. */
	ASSERT_EQ(0, do_unit_update(self->phi, self->units[0], 10, 0, 1));
	ASSERT_EQ(0, do_unit_update(self->phi, self->units[1], 9, 0, 1));
	ASSERT_EQ(0, do_begin(self->phi, self->model, 1, &begin));
	EXPECT_EQ(self->ids[1], begin.unit);
	/* What is closed is not chosen, however idle. */
	ASSERT_EQ(0, do_unit_update(self->phi, self->units[1], 0, 0, 0));
	ASSERT_EQ(0, do_begin(self->phi, self->model, 1, &begin));
	EXPECT_EQ(self->ids[0], begin.unit);
	ASSERT_EQ(0, policy_unload("select_least_loaded"));
	ASSERT_EQ(0, do_begin(self->phi, self->model, 1, &begin));
	EXPECT_EQ(PHI_CHOSEN_BUILTIN, begin.why);
}

/* Let a unit run one batch of one, so long. */
static int teach(int phi, uint64_t model, uint32_t unit, unsigned int us)
{
	struct phi_infer_begin begin;
	int ret = do_begin(phi, model, 1, &begin);

	usleep(us);
	ret = ret ?: do_end(phi, begin.ticket, 0);
	return ret ?: begin.unit == unit ? 0 : -EXDEV;
}

static int power(int phi, uint64_t cap, uint32_t power)
{
	struct phi_unit_update arg = {
		.cap = cap,
		.load = PHI_UNIT_UNKNOWN,
		.temperature = PHI_UNIT_UNKNOWN,
		.power = power,
		.healthy = 1,
	};

	return PHI_DO(phi, UNIT_UPDATE, &arg);
}

TEST_F_TIMEOUT(infer, deadline_spares_power_when_there_is_time, SLOW)
{
	struct phi_infer_select select = { .batch = 1 };
	uint64_t n = 0;
	uint32_t left = 1;

	/* The first unit takes some 2 ms, the second 1500. */
	ASSERT_EQ(0, do_unit_update(self->phi, self->units[1], 0, 0, 0));
	ASSERT_EQ(0, teach(self->phi, self->model, self->ids[0], 2000));
	ASSERT_EQ(0, do_unit_update(self->phi, self->units[0], 0, 0, 0));
	ASSERT_EQ(0, power(self->phi, self->units[1], 500));
	ASSERT_EQ(0, teach(self->phi, self->model, self->ids[1], 1500000));
	ASSERT_EQ(0, power(self->phi, self->units[0], 9000));

	ASSERT_EQ(0, policy_load("select_deadline"));
	select.model = self->model;
	ASSERT_EQ(0, PHI_DO(self->phi, INFER_SELECT, &select));
	EXPECT_EQ(self->ids[0], select.unit);
	EXPECT_EQ(PHI_CHOSEN_BUILTIN, select.why);
	/* Plenty of time: the thrifty one, against the built-in choice. */
	select.deadline_ns = monotonic_ns() + 10000 * MS;
	ASSERT_EQ(0, PHI_DO(self->phi, INFER_SELECT, &select));
	EXPECT_EQ(self->ids[1], select.unit);
	EXPECT_EQ(PHI_CHOSEN_POLICY, select.why);
	/* No time for that. */
	select.deadline_ns = monotonic_ns() + 1200 * MS;
	ASSERT_EQ(0, PHI_DO(self->phi, INFER_SELECT, &select));
	EXPECT_EQ(self->ids[0], select.unit);
	EXPECT_EQ(PHI_CHOSEN_POLICY, select.why);
	/* No time at all. */
	select.deadline_ns = 1;
	ASSERT_EQ(0, PHI_DO(self->phi, INFER_SELECT, &select));
	EXPECT_EQ(PHI_CHOSEN_BUILTIN, select.why);
	EXPECT_EQ(0, policy_get("select_deadline", "placed", &left, &n));
	EXPECT_EQ(1, n);
	EXPECT_EQ(0, policy_run("select_deadline", "bpftool map update", NULL));
}

TEST_F_TIMEOUT(infer, margin_of_deadlines_is_settable, SLOW)
{
	struct phi_infer_select select = { .batch = 1 };
	uint64_t margin = 1000000; /* a thousand times the run time */
	uint32_t zero = 0;

	ASSERT_EQ(0, teach(self->phi, self->model, self->ids[0], 10000));
	ASSERT_EQ(0, policy_load("select_deadline"));
	select.model = self->model;
	select.deadline_ns = monotonic_ns() + 5000 * MS;
	ASSERT_EQ(0, PHI_DO(self->phi, INFER_SELECT, &select));
	EXPECT_EQ(PHI_CHOSEN_POLICY, select.why);
	ASSERT_EQ(0, policy_set("select_deadline", "margin", &zero, &margin));
	ASSERT_EQ(0, PHI_DO(self->phi, INFER_SELECT, &select));
	EXPECT_EQ(PHI_CHOSEN_BUILTIN, select.why);
}

int main(int argc, char **argv)
{
	static const char *const used[] = { "infer_guard", "infer_trace",
					    NULL };

	return policy_main(test_harness_run, argc, argv, used);
}
