// SPDX-License-Identifier: GPL-2.0-only
/* Where threads run, and how urgent they are. */
#include <kselftest_harness.h>

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "file.h"
#include "peer.h"

#define CGROUPS "/sys/fs/cgroup"
#define CPUSET CGROUPS "/phi-place-test"

FIXTURE(place)
{
	struct phi_system_stats before;
	struct peer peer;
	int phi;
	cpu_set_t mine;
};

FIXTURE_SETUP(place)
{
	ASSERT_EQ(0, do_baseline(&self->before));
	ASSERT_EQ(0, sched_getaffinity(0, sizeof(self->mine), &self->mine));
	self->phi = do_open();
	ASSERT_LE(0, self->phi);
	ASSERT_EQ(0, peer_start(&self->peer, self->phi));
}

FIXTURE_TEARDOWN(place)
{
	peer_stop(&self->peer);
	close(self->phi);
	EXPECT_TRUE(do_restored(&self->before));
}

static int do_place(int phi, uint64_t thread, const void *cpus, uint32_t len)
{
	struct phi_thread_place arg = {
		.thread = thread,
		.cpus = (uintptr_t)cpus,
		.len = len,
	};

	return PHI_DO(phi, THREAD_PLACE, &arg);
}

static int do_class(int phi, uint64_t thread, uint32_t class,
		    uint64_t deadline_ns)
{
	struct phi_thread_class arg = {
		.thread = thread,
		.class = class,
		.deadline_ns = deadline_ns,
	};

	return PHI_DO(phi, THREAD_CLASS, &arg);
}

static int do_yield(int phi, uint64_t thread, uint32_t *yielded)
{
	struct phi_thread_yield arg = { .thread = thread };
	int ret = PHI_DO(phi, THREAD_YIELD, &arg);

	*yielded = arg.yielded;
	return ret;
}

static int do_unit(int phi, uint32_t node, uint64_t *cap)
{
	struct phi_unit_register arg = {
		.kind = PHI_UNIT_CPU,
		.node = node,
		.capacity = 1,
		.name = "place",
	};
	int ret = PHI_DO(phi, UNIT_REGISTER, &arg);

	*cap = arg.cap;
	return ret;
}

/* The thread's own view. */
static bool runs_on(struct peer *peer, const cpu_set_t *want)
{
	struct phi_thread_query q;
	cpu_set_t is;

	return !do_thread_query(peer->phi, peer->cap, &q) &&
	       !sched_getaffinity((pid_t)q.tid, sizeof(is), &is) &&
	       CPU_EQUAL(&is, want) && q.cpus == (uint32_t)CPU_COUNT(want);
}

/* A CPU that the test may use. */
static int cpu_first(const cpu_set_t *mine, cpu_set_t *one)
{
	int cpu = 0;

	while (!CPU_ISSET(cpu, mine))
		cpu++;
	CPU_ZERO(one);
	CPU_SET(cpu, one);
	return cpu;
}

TEST_F(place, on_some_cpus)
{
	uint64_t all[PHI_THREAD_CPUS_MAX / 8];
	cpu_set_t one, set;

	cpu_first(&self->mine, &one);
	memset(all, 0xff, sizeof(all));
	ASSERT_EQ(0, do_place(self->phi, self->peer.cap, all, sizeof(all)));
	EXPECT_TRUE(runs_on(&self->peer, &self->mine));
	ASSERT_EQ(0, phi_thread_place(self->phi, self->peer.cap, &one,
				      sizeof(one)));
	EXPECT_TRUE(runs_on(&self->peer, &one));
	/* None of its own. */
	CPU_ZERO(&set);
	EXPECT_EQ(-EINVAL,
		  do_place(self->phi, self->peer.cap, &set, sizeof(set)));
	EXPECT_TRUE(runs_on(&self->peer, &one));
}

/* Whoever set the mask: no placement adds to it. */
TEST_F(place, adds_no_cpu)
{
	struct phi_thread_query q;
	cpu_set_t first, all;
	uint64_t cap = self->peer.cap;
	int cpu = cpu_first(&self->mine, &first);

	if (CPU_COUNT(&self->mine) < 2)
		SKIP(return, "one CPU");
	memset(&all, 0xff, sizeof(all));
	ASSERT_EQ(0, do_place(self->phi, cap, &first, sizeof(first)));
	ASSERT_EQ(0, do_place(self->phi, cap, &all, sizeof(all)));
	EXPECT_TRUE(runs_on(&self->peer, &first));
	ASSERT_EQ(0, do_thread_query(self->phi, cap, &q));
	ASSERT_EQ(0, sched_setaffinity((pid_t)q.tid, sizeof(all), &all));
	EXPECT_TRUE(runs_on(&self->peer, &self->mine));
	/* The same mask as that of the placement, from its owner. */
	ASSERT_EQ(0, sched_setaffinity((pid_t)q.tid, sizeof(first), &first));
	ASSERT_EQ(0, do_place(self->phi, cap, &all, sizeof(all)));
	EXPECT_TRUE(runs_on(&self->peer, &first));
	all = self->mine;
	CPU_CLR(cpu, &all);
	EXPECT_EQ(-EINVAL, do_place(self->phi, cap, &all, sizeof(all)));
}

static int cpuset_enter(void)
{
	if (access(CGROUPS "/cgroup.procs", F_OK))
		mount("cgroup2", CGROUPS, "cgroup2", 0, NULL);
	rmdir(CPUSET);
	if (put_text(CGROUPS "/cgroup.subtree_control", "+cpuset") ||
	    mkdir(CPUSET, 0755))
		return -ENODEV;
	return put_text(CPUSET "/cgroup.procs", "0");
}

/* A thread that pins itself where its placement was stays in its cpuset. */
TEST_F(place, within_the_cpuset)
{
	uint64_t cap = self->peer.cap;
	struct phi_thread_query q;
	cpu_set_t first, narrow, last;

	if (!CPU_ISSET(0, &self->mine) || !CPU_ISSET(1, &self->mine) ||
	    !CPU_ISSET(2, &self->mine))
		SKIP(return, "fewer than three CPUs");
	if (cpuset_enter())
		SKIP(return, "no cpusets");
	CPU_ZERO(&first);
	CPU_SET(0, &first);
	narrow = first;
	CPU_SET(1, &narrow);
	CPU_ZERO(&last);
	CPU_SET(2, &last);
	EXPECT_EQ(0, do_thread_query(self->phi, cap, &q));
	EXPECT_EQ(0, do_place(self->phi, cap, &first, sizeof(first)));
	EXPECT_EQ(0, put_text(CPUSET "/cpuset.cpus", "0-1"));
	EXPECT_TRUE(runs_on(&self->peer, &narrow));
	EXPECT_EQ(0, sched_setaffinity((pid_t)q.tid, sizeof(first), &first));
	EXPECT_EQ(-EINVAL, do_place(self->phi, cap, &last, sizeof(last)));
	EXPECT_TRUE(runs_on(&self->peer, &first));
	EXPECT_EQ(0, put_text(CGROUPS "/cgroup.procs", "0"));
	EXPECT_EQ(0, rmdir(CPUSET));
}

TEST_F(place, near_a_unit)
{
	uint64_t near, anywhere, nowhere;

	ASSERT_EQ(0, do_unit(self->phi, 0, &near));
	ASSERT_EQ(0, do_unit(self->phi, PHI_UNIT_UNKNOWN, &anywhere));
	ASSERT_EQ(0, do_unit(self->phi, 99, &nowhere));
	ASSERT_EQ(0,
		  phi_thread_place_near(self->phi, self->peer.cap, anywhere));
	EXPECT_TRUE(runs_on(&self->peer, &self->mine));
	EXPECT_EQ(-EINVAL,
		  phi_thread_place_near(self->phi, self->peer.cap, nowhere));
	/* The machine of the tests has one node. */
	ASSERT_EQ(0, phi_thread_place_near(self->phi, self->peer.cap, near));
	EXPECT_TRUE(runs_on(&self->peer, &self->mine));
}

TEST_F(place, class_and_deadline)
{
	struct phi_thread_query q;

	ASSERT_EQ(0, do_class(self->phi, self->peer.cap, PHI_THREAD_INFER,
			      1234567));
	ASSERT_EQ(0, do_thread_query(self->phi, self->peer.cap, &q));
	EXPECT_EQ(PHI_THREAD_INFER, q.class);
	EXPECT_EQ(1234567, q.deadline_ns);
	ASSERT_EQ(0, phi_thread_class(self->phi, self->peer.cap,
				      PHI_THREAD_BACKGROUND, 0));
	ASSERT_EQ(0, do_thread_query(self->phi, self->peer.cap, &q));
	EXPECT_EQ(PHI_THREAD_BACKGROUND, q.class);
	EXPECT_EQ(0, q.deadline_ns);
}

TEST_F(place, class_of_the_caller)
{
	struct phi_thread_query q;
	uint64_t cap;

	EXPECT_EQ(-ENOENT, do_class(self->phi, 0, PHI_THREAD_NORMAL, 0));
	ASSERT_EQ(0, do_register(self->phi, 0, &cap));
	ASSERT_EQ(0, do_class(self->phi, 0, PHI_THREAD_BACKGROUND, 9));
	ASSERT_EQ(0, do_thread_query(self->phi, cap, &q));
	EXPECT_EQ(PHI_THREAD_BACKGROUND, q.class);
	EXPECT_EQ(9, q.deadline_ns);
}

/* A user without privilege may order its threads, not set them first. */
TEST_F(place, class_needs_privilege)
{
	uint64_t cap;
	int phi = do_open_as(1234);

	ASSERT_LE(0, phi);
	ASSERT_EQ(0, do_register(phi, 0, &cap));
	EXPECT_EQ(-EPERM, do_class(phi, cap, PHI_THREAD_INFER, 0));
	EXPECT_EQ(0, do_class(phi, cap, PHI_THREAD_BACKGROUND, 7));
	EXPECT_EQ(0, do_class(phi, cap, PHI_THREAD_NORMAL, 7));
	close(phi);
}

TEST_F(place, yields)
{
	uint32_t yielded = 9;
	int ret;

	/* It sleeps. */
	ASSERT_EQ(0, do_yield(self->phi, self->peer.cap, &yielded));
	EXPECT_EQ(0, yielded);
	EXPECT_EQ(0, phi_thread_yield(self->phi, self->peer.cap));
	ret = phi_thread_yield(self->phi, 99);
	EXPECT_EQ(-EBADF, ret);
}

static int spinning;

static void *spin_main(void *arg)
{
	struct peer *peer = arg;

	peer->ret = do_register(peer->phi, 0, &peer->cap);
	__atomic_store_n(&spinning, 1, __ATOMIC_RELEASE);
	while (__atomic_load_n(&spinning, __ATOMIC_ACQUIRE) != 2)
		;
	return NULL;
}

/* One that is ready on the caller's own CPU runs next. */
TEST_F(place, yields_to_one_that_is_ready)
{
	struct peer other = { .phi = self->phi };
	int yielded = 0;
	pthread_t thread;
	cpu_set_t one;
	int cpu = 0;

	while (!CPU_ISSET(cpu, &self->mine))
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	ASSERT_EQ(0, sched_setaffinity(0, sizeof(one), &one));
	__atomic_store_n(&spinning, 0, __ATOMIC_RELEASE);
	ASSERT_EQ(0, pthread_create(&thread, NULL, spin_main, &other));
	while (!__atomic_load_n(&spinning, __ATOMIC_ACQUIRE))
		sched_yield();
	ASSERT_EQ(0, other.ret);
	for (int i = 0; !yielded && i < 1000; i++)
		yielded = phi_thread_yield(self->phi, other.cap);
	EXPECT_EQ(1, yielded);
	__atomic_store_n(&spinning, 2, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	ASSERT_EQ(0, sched_setaffinity(0, sizeof(self->mine), &self->mine));
}

TEST_F(place, after_the_end)
{
	struct peer other = {};
	uint64_t cpus = UINT64_MAX;
	uint32_t yielded;

	ASSERT_EQ(0, peer_start(&other, self->phi));
	peer_stop(&other);
	EXPECT_EQ(-ESRCH, do_place(self->phi, other.cap, &cpus, 8));
	EXPECT_EQ(-ESRCH, do_yield(self->phi, other.cap, &yielded));
	EXPECT_EQ(-ESRCH, do_class(self->phi, other.cap, 0, 0));
}

TEST_F(place, refuses_bad_input)
{
	struct phi_thread_place place = { .flags = 1 };
	struct phi_thread_yield yield = { .flags = 1 };
	struct phi_thread_class class = { .flags = 1 };
	uint64_t cap = self->peer.cap;
	uint64_t cpus = UINT64_MAX;
	uint64_t weak, unit, blind;
	uint32_t yielded;

	EXPECT_EQ(-EOPNOTSUPP, PHI_DO(self->phi, THREAD_PLACE, &place));
	EXPECT_EQ(-EOPNOTSUPP, PHI_DO(self->phi, THREAD_YIELD, &yield));
	EXPECT_EQ(-EOPNOTSUPP, PHI_DO(self->phi, THREAD_CLASS, &class));
	place = (struct phi_thread_place){ .thread = cap, .pad = 1, .len = 8 };
	EXPECT_EQ(-EINVAL, PHI_DO(self->phi, THREAD_PLACE, &place));
	yield = (struct phi_thread_yield){ .thread = cap, .pad = 1 };
	EXPECT_EQ(-EINVAL, PHI_DO(self->phi, THREAD_YIELD, &yield));
	class = (struct phi_thread_class){ .thread = cap, .pad = 1 };
	EXPECT_EQ(-EINVAL, PHI_DO(self->phi, THREAD_CLASS, &class));
	EXPECT_EQ(-EINVAL, do_class(self->phi, cap, 3, 0));
	EXPECT_EQ(-EINVAL, do_place(self->phi, cap, &cpus, 0));
	EXPECT_EQ(-EINVAL, do_place(self->phi, cap, &cpus, 4));
	EXPECT_EQ(-EINVAL,
		  do_place(self->phi, cap, &cpus, PHI_THREAD_CPUS_MAX + 8));
	EXPECT_EQ(-EINVAL,
		  phi_thread_place(self->phi, cap, &cpus, (1ULL << 32) + 8));
	EXPECT_EQ(-EFAULT, do_place(self->phi, cap, (void *)8, 8));
	ASSERT_EQ(0, do_unit(self->phi, 0, &unit));
	place = (struct phi_thread_place){ .thread = cap,
					   .unit = unit,
					   .len = 8 };
	EXPECT_EQ(-EINVAL, PHI_DO(self->phi, THREAD_PLACE, &place));
	place = (struct phi_thread_place){ .thread = cap,
					   .unit = unit,
					   .cpus = 8 };
	EXPECT_EQ(-EINVAL, PHI_DO(self->phi, THREAD_PLACE, &place));
	ASSERT_EQ(0, do_derive(self->phi, unit, PHI_RIGHT_WRITE, &blind));
	EXPECT_EQ(-EPERM, phi_thread_place_near(self->phi, cap, blind));
	EXPECT_EQ(-EINVAL, phi_thread_place_near(self->phi, cap, cap));
	EXPECT_EQ(-EINVAL, do_place(self->phi, unit, &cpus, 8));
	EXPECT_EQ(-EINVAL, do_class(self->phi, unit, 0, 0));
	EXPECT_EQ(-EINVAL, do_yield(self->phi, unit, &yielded));
	EXPECT_EQ(-EBADF, do_place(self->phi, 99, &cpus, 8));
	EXPECT_EQ(-EBADF, do_class(self->phi, 99, 0, 0));
	ASSERT_EQ(0, do_derive(self->phi, cap, PHI_RIGHT_READ, &weak));
	EXPECT_EQ(-EPERM, do_place(self->phi, weak, &cpus, 8));
	EXPECT_EQ(-EPERM, do_class(self->phi, weak, 0, 0));
	EXPECT_EQ(-EPERM, do_yield(self->phi, weak, &yielded));
}

TEST_HARNESS_MAIN
