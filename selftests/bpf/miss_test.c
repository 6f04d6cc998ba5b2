// SPDX-License-Identifier: GPL-2.0-only
/*
 * No policy is ever skipped. The kernel skips a program on a CPU where another
 * task was preempted inside it. Threads call as fast as they can, and on each
 * CPU one of a higher class, which every model of preemption lets in at once,
 * wakes in their midst and calls too.
 */

#include <pthread.h>
#include <sched.h>

#include "kselftest_harness.h"

#include "infer_ioctl.h"

#include "policy.h"

#define ANY 0xffffffffU
#define ANY_AGENT ~0ULL
#define CPUS_MAX 8
#define THREADS_PER_CPU 2
/* Where programs can be skipped, one attempt in a hundred passes. */
#define ATTEMPTS 10000
/* Where the environment asks for few, for a kernel that checks all it does. */
#define ATTEMPTS_FEW 300
#define WAKE_NS 50000
#define NS_MAX 999999999 /* of nanosleep() */

struct rule {
	uint32_t nr;
	uint32_t uid;
	uint64_t agent;
};

FIXTURE(miss)
{
	int phi;
	int cpus;
	uint64_t model;
	uint64_t model_id;
	uint64_t units[2];
	uint32_t ids[2];
};

FIXTURE_SETUP(miss)
{
	self->phi = do_open();
	ASSERT_LE(0, self->phi)
	{
		TH_LOG("is phi.ko loaded?");
	}
	self->cpus = sysconf(_SC_NPROCESSORS_ONLN);
	if (self->cpus > CPUS_MAX)
		self->cpus = CPUS_MAX;
	ASSERT_EQ(0, do_model(self->phi, 8, 1, &self->model_id, &self->model));
	ASSERT_EQ(0, do_unit(self->phi, PHI_UNIT_CPU, 2, &self->ids[0],
			     &self->units[0]));
	ASSERT_EQ(0, do_unit(self->phi, PHI_UNIT_CPU, 2, &self->ids[1],
			     &self->units[1]));
}

FIXTURE_TEARDOWN(miss)
{
	close(self->phi);
	EXPECT_EQ(0, policy_unload("infer_guard"));
	EXPECT_EQ(0, policy_unload("infer_trace"));
	EXPECT_EQ(0, policy_unload("call_filter"));
	EXPECT_EQ(0, policy_unload("select_least_loaded"));
}

/* One thread of a storm; @attempt says 0 when the policy did its work. */
struct caller {
	pthread_t thread;
	int phi;
	uint64_t model;
	uint32_t unit;
	int cpu;
	int (*attempt)(const struct caller *caller);
	const bool *stop;
	uint64_t most;
	uint64_t attempts;
	uint64_t missed;
};

static void stay_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static void *hammer(void *arg)
{
	struct caller *c = arg;

	stay_on(c->cpu);
	for (; c->attempts < c->most; c->attempts++)
		c->missed += !!c->attempt(c);
	return NULL;
}

static void *interrupt(void *arg)
{
	struct sched_param param = { .sched_priority = 1 };
	struct timespec pause = { .tv_nsec = WAKE_NS };
	struct caller *c = arg;
	uint64_t begun, left;

	stay_on(c->cpu);
	if (sched_setscheduler(0, SCHED_FIFO, &param))
		c->missed++;
	for (; !__atomic_load_n(c->stop, __ATOMIC_RELAXED); c->attempts++) {
		nanosleep(&pause, NULL);
		begun = boottime_ns();
		c->missed += !!c->attempt(c);
		/* The others run for most of the time, however slow this is. */
		left = WAKE_NS + 4 * (boottime_ns() - begun);
		pause.tv_nsec = left < NS_MAX ? left : NS_MAX;
	}
	return NULL;
}

/* What all threads of a storm did, in @sum; @from says what they share. */
static int storm(const struct caller *from, int cpus, struct caller *sum)
{
	struct caller callers[CPUS_MAX * THREADS_PER_CPU];
	struct caller lords[CPUS_MAX];
	int n = cpus * THREADS_PER_CPU, i, ret = 0;
	bool stop = false;

	*sum = (struct caller){};
	for (i = 0; i < cpus; i++) {
		lords[i] = *from;
		lords[i].cpu = i;
		lords[i].stop = &stop;
		ret |= pthread_create(&lords[i].thread, NULL, interrupt,
				      &lords[i]);
	}
	for (i = 0; i < n; i++) {
		callers[i] = *from;
		callers[i].cpu = i % cpus;
		callers[i].most = getenv("PHI_FEW") ? ATTEMPTS_FEW : ATTEMPTS;
		ret |= pthread_create(&callers[i].thread, NULL, hammer,
				      &callers[i]);
	}
	/* A machine that starts no thread has no use for the rest. */
	if (ret)
		exit(KSFT_FAIL);
	for (i = 0; i < n; i++) {
		pthread_join(callers[i].thread, NULL);
		sum->attempts += callers[i].attempts;
		sum->missed += callers[i].missed;
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < cpus; i++) {
		pthread_join(lords[i].thread, NULL);
		sum->attempts += lords[i].attempts;
		sum->missed += lords[i].missed;
	}
	printf("# %llu of %llu attempts passed the policy\n",
	       (unsigned long long)sum->missed,
	       (unsigned long long)sum->attempts);
	return 0;
}

static int begin_is_refused(const struct caller *c)
{
	struct phi_infer_begin begin;
	int ret = do_begin(c->phi, c->model, 1, &begin);

	if (!ret)
		do_end(c->phi, begin.ticket, 0);
	return ret != -EPERM;
}

TEST_F_TIMEOUT(miss, a_rule_refuses_every_inference, SLOW)
{
	struct caller from = {
		.phi = self->phi,
		.model = self->model,
		.attempt = begin_is_refused,
	}, sum;
	uint64_t any = ~0ULL;
	uint32_t none = 0;

	ASSERT_EQ(0, policy_load("infer_guard"));
	ASSERT_EQ(0, policy_set("infer_guard", "caps", &any, &none));
	storm(&from, self->cpus, &sum);
	EXPECT_EQ(0, sum.missed);
	EXPECT_EQ(0, policy_misses("infer_guard"));
	/* The second program of the file is asked about each call too. */
	EXPECT_EQ(0, policy_misses("infer_badge"));
}

static int info_is_refused(const struct caller *c)
{
	struct phi_system_info info = {};

	return PHI_DO(c->phi, SYSTEM_INFO, &info) != -EACCES;
}

TEST_F_TIMEOUT(miss, a_rule_refuses_every_call, SLOW)
{
	struct rule rule = {
		.nr = _IOC_NR(PHI_IOC_SYSTEM_INFO),
		.uid = ANY,
		.agent = ANY_AGENT,
	};
	struct caller from = {
		.phi = self->phi,
		.attempt = info_is_refused,
	}, sum;
	uint32_t error = EACCES, nr = rule.nr;
	uint64_t refused = 0;

	ASSERT_EQ(0, policy_load("call_filter"));
	ASSERT_EQ(0, policy_set("call_filter", "rules", &rule, &error));
	storm(&from, self->cpus, &sum);
	EXPECT_EQ(0, sum.missed);
	EXPECT_EQ(0, policy_misses("call_filter"));
	EXPECT_EQ(0, policy_get("call_filter", "refused", &nr, &refused));
	EXPECT_EQ(sum.attempts, refused);
}

static int choice_is_pinned(const struct caller *c)
{
	struct phi_infer_select select;
	int ret = do_select(c->phi, c->model, 1, &select);

	return ret || select.unit != c->unit || select.why != PHI_CHOSEN_POLICY;
}

TEST_F_TIMEOUT(miss, a_policy_makes_every_choice, SLOW)
{
	struct caller from = {
		.phi = self->phi,
		.model = self->model,
		.unit = self->ids[1],
		.attempt = choice_is_pinned,
	}, sum;

	/* The built-in choice ignores a load this low, and takes the first. */
	ASSERT_EQ(0, do_unit_update(self->phi, self->units[0], 10, 0, 1));
	ASSERT_EQ(0, do_unit_update(self->phi, self->units[1], 9, 0, 1));
	ASSERT_NE(0, choice_is_pinned(&from));
	ASSERT_EQ(0, policy_load("select_least_loaded"));
	storm(&from, self->cpus, &sum);
	EXPECT_EQ(0, sum.missed);
	EXPECT_EQ(0, policy_misses("select_least_loaded"));
}

static int begin_and_end(const struct caller *c)
{
	struct phi_infer_begin begin;

	return do_begin(c->phi, c->model, 1, &begin) ?:
		       do_end(c->phi, begin.ticket, -EIO);
}

struct model_unit {
	uint64_t model;
	uint32_t unit;
	uint32_t pad;
};

struct hist {
	uint64_t batches;
	uint64_t rest[84];
};

/* An audit that loses events is none. */
TEST_F_TIMEOUT(miss, an_observer_sees_every_batch, SLOW)
{
	struct model_unit key = { .model = self->model_id };
	struct caller from = {
		.phi = self->phi,
		.model = self->model,
		.attempt = begin_and_end,
	}, sum;
	struct hist hist;
	uint64_t seen = 0;
	int i;

	ASSERT_EQ(0, policy_load("infer_trace"));
	storm(&from, self->cpus, &sum);
	EXPECT_EQ(0, sum.missed);
	EXPECT_EQ(0, policy_misses("infer_trace"));
	for (i = 0; i < 2; i++) {
		key.unit = self->ids[i];
		if (!policy_get("infer_trace", "hist", &key, &hist))
			seen += hist.batches;
	}
	EXPECT_EQ(sum.attempts, seen);
}

int main(int argc, char **argv)
{
	static const char *const used[] = { "infer_guard", "infer_trace",
					    "call_filter",
					    "select_least_loaded", NULL };

	return policy_main(test_harness_run, argc, argv, used);
}
