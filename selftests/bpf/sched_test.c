// SPDX-License-Identifier: GPL-2.0-only
/*
 * sched_trace, and phi_ai where the kernel has sched_ext.
 */

#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>

#include "kselftest_harness.h"

#include "infer_ioctl.h"

#include "policy.h"

#define MS 1000000ULL

FIXTURE(sched)
{
	int phi;
	uint64_t model;
	uint64_t unit;
};

FIXTURE_SETUP(sched)
{
	uint64_t model_id;
	uint32_t id;

	self->phi = do_open();
	ASSERT_LE(0, self->phi)
	{
		TH_LOG("is phi.ko loaded?");
	}
	ASSERT_EQ(0, do_model(self->phi, 1, 0, &model_id, &self->model));
	ASSERT_EQ(0, do_unit(self->phi, PHI_UNIT_CPU, 8, &id, &self->unit));
}

FIXTURE_TEARDOWN(sched)
{
	close(self->phi);
	EXPECT_EQ(0, policy_unload("sched_trace"));
	EXPECT_EQ(0, policy_unload("phi_ai"));
}

struct thread {
	uint64_t run_ns;
	uint64_t wait_ns;
	uint64_t switches;
	uint64_t infer_ns;
	uint64_t since_ns;
	uint32_t tgid;
	uint32_t runnable;
	uint32_t infers;
	uint32_t pad;
	char comm[16];
};

static uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return ts.tv_sec * 1000 * MS + ts.tv_nsec;
}

static void burn(uint64_t ns)
{
	uint64_t until = cpu_ns() + ns;

	while (cpu_ns() < until)
		;
}

/* What a thread did, told by the kernel's own clock of it. */
struct burner {
	int phi;
	uint64_t model;
	pid_t pid;
	uint64_t ran_ns;
	int error;
};

static void *burn_and_infer(void *arg)
{
	struct phi_infer_begin begin;
	struct burner *b = arg;

	b->pid = syscall(SYS_gettid);
	usleep(1000);
	burn(60 * MS);
	b->error = do_begin(b->phi, b->model, 1, &begin);
	burn(40 * MS);
	b->error = b->error ?: do_end(b->phi, begin.ticket, 0);
	b->ran_ns = cpu_ns();
	/* Leave the CPU, so that the last stretch is accounted. */
	usleep(1000);
	return NULL;
}

TEST_F_TIMEOUT(sched, trace_accounts_a_thread, SLOW)
{
	struct burner burner = { .phi = self->phi, .model = self->model };
	struct thread thread;
	uint32_t zero = 0, self_tgid = getpid();
	pthread_t handle;

	ASSERT_EQ(0, policy_load("sched_trace"));
	ASSERT_EQ(0, policy_set("sched_trace", "only", &zero, &self_tgid));
	ASSERT_EQ(0, pthread_create(&handle, NULL, burn_and_infer, &burner));
	pthread_join(handle, NULL);
	ASSERT_EQ(0, burner.error);
	ASSERT_EQ(0,
		  policy_get("sched_trace", "threads", &burner.pid, &thread));
	TH_LOG("ran %llu us, traced %llu us, in inference %llu us",
	       (unsigned long long)burner.ran_ns / 1000,
	       (unsigned long long)thread.run_ns / 1000,
	       (unsigned long long)thread.infer_ns / 1000);
	/* Interrupts are in the one figure, not always in the other. */
	EXPECT_LT(burner.ran_ns * 9 / 10, thread.run_ns);
	EXPECT_GT(burner.ran_ns * 3 / 2, thread.run_ns);
	EXPECT_LT(30 * MS, thread.infer_ns);
	EXPECT_GT(thread.run_ns - 40 * MS, thread.infer_ns);
	EXPECT_LT(1, thread.switches);
	EXPECT_EQ(getpid(), thread.tgid);
}

/* 1 when the file says enabled, 0 when disabled, -1 without sched_ext. */
static int scx_enabled(void)
{
	char state[32] = "";
	int fd = open("/sys/kernel/sched_ext/state", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	if (read(fd, state, sizeof(state) - 1) < 0)
		*state = 0;
	close(fd);
	return !strncmp(state, "enabled", 7);
}

static bool wait_for_scx(int wanted)
{
	int i;

	for (i = 0; i < 1000 && scx_enabled() != wanted; i++)
		usleep(10000);
	return scx_enabled() == wanted;
}

/* Threads that compete for one CPU. */
struct racer {
	pthread_t handle;
	int phi;
	uint64_t model;
	uint64_t ran_ns;
	const bool *stop;
	bool infers;
	bool classed;
	uint32_t class;
	int error;
};

/* Register the calling thread, and set its class. */
static int do_classed(int phi, uint32_t class)
{
	struct phi_thread_register reg = {};
	struct phi_thread_class set = { .class = class };

	return PHI_DO(phi, THREAD_REGISTER, &reg) ?:
		       PHI_DO(phi, THREAD_CLASS, &set);
}

static void *race(void *arg)
{
	struct phi_infer_begin begin = {};
	struct racer *r = arg;

	if (r->classed)
		r->error = do_classed(r->phi, r->class);
	if (r->error || (r->infers && do_begin(r->phi, r->model, 1, &begin)))
		return NULL;
	while (!__atomic_load_n(r->stop, __ATOMIC_RELAXED))
		burn(MS);
	r->ran_ns = cpu_ns();
	if (r->infers)
		do_end(r->phi, begin.ticket, 0);
	return NULL;
}

/* Hand the CPUs to phi_ai. */
static bool ai_begin(void)
{
	sh("mkdir -p " POLICY_DIR);
	return !policy_unload("phi_ai") &&
	       !policy_run("phi_ai", "mkdir", NULL) &&
	       !policy_run("phi_ai", "bpftool struct_ops register", NULL) &&
	       wait_for_scx(1);
}

/*
 * Let twice as many threads as there are CPUs compete, every second one of them
 * to run first. What those ran and the others did, or false.
 */
static bool run_race(struct racer *racers, int n, uint64_t *first,
		     uint64_t *other)
{
	bool stop = false, ret = true;
	int i;

	for (i = 0; i < n; i++) {
		racers[i].stop = &stop;
		if (pthread_create(&racers[i].handle, NULL, race, &racers[i]))
			return false;
	}
	sleep(4);
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < n; i++) {
		pthread_join(racers[i].handle, NULL);
		*(i % 2 ? first : other) += racers[i].ran_ns;
		ret = ret && !racers[i].error;
	}
	return ret;
}

/* As many that infer as there are CPUs, and as many again that do not. */
TEST_F_TIMEOUT(sched, ai_runs_inferences_first_and_starves_nobody, SLOW)
{
	int n = 2 * sysconf(_SC_NPROCESSORS_ONLN), i;
	struct racer racers[64] = {};
	uint64_t infer = 0, other = 0;

	if (scx_enabled() < 0)
		SKIP(return, "this kernel has no sched_ext");
	ASSERT_GE(64, n);
	ASSERT_TRUE(ai_begin());
	for (i = 0; i < n; i++) {
		racers[i].phi = self->phi;
		racers[i].model = self->model;
		racers[i].infers = i % 2;
	}
	ASSERT_TRUE(run_race(racers, n, &infer, &other));
	TH_LOG("inferences ran %llu ms, others %llu ms",
	       (unsigned long long)(infer / MS),
	       (unsigned long long)(other / MS));
	EXPECT_LT(other * 3 / 2, infer);
	EXPECT_LT(20 * MS, other);
	/* Not thrown out by the kernel's watchdog meanwhile. */
	EXPECT_EQ(1, scx_enabled());
	ASSERT_EQ(0, policy_unload("phi_ai"));
	EXPECT_TRUE(wait_for_scx(0));
	burn(MS);
}

/* The same by their classes: those that infer are background threads. */
TEST_F_TIMEOUT(sched, ai_goes_by_classes, SLOW)
{
	int n = 2 * sysconf(_SC_NPROCESSORS_ONLN), i;
	struct racer racers[64] = {};
	uint64_t first = 0, other = 0;

	if (scx_enabled() < 0)
		SKIP(return, "this kernel has no sched_ext");
	ASSERT_GE(64, n);
	ASSERT_TRUE(ai_begin());
	for (i = 0; i < n; i++) {
		racers[i].phi = self->phi;
		racers[i].model = self->model;
		racers[i].classed = true;
		racers[i].infers = !(i % 2);
		racers[i].class = i % 2 ? PHI_THREAD_INFER :
					  PHI_THREAD_BACKGROUND;
	}
	ASSERT_TRUE(run_race(racers, n, &first, &other));
	TH_LOG("first ran %llu ms, background %llu ms",
	       (unsigned long long)(first / MS),
	       (unsigned long long)(other / MS));
	EXPECT_LT(other * 3 / 2, first);
	EXPECT_LT(20 * MS, other);
	EXPECT_EQ(1, scx_enabled());
	ASSERT_EQ(0, policy_unload("phi_ai"));
	EXPECT_TRUE(wait_for_scx(0));
	burn(MS);
}

int main(int argc, char **argv)
{
	static const char *const used[] = { NULL };

	return policy_main(test_harness_run, argc, argv, used);
}
