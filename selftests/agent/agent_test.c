// SPDX-License-Identifier: GPL-2.0-only
/*
 * Agents. Which agent a process belongs to shows in the tracepoint of its
 * calls.
 */

#include <sys/mount.h>
#include <sys/stat.h>

#include "kselftest_harness.h"

#include "file.h"
#include "phi_message.h"

#define CGROUPS "/sys/fs/cgroup"
#define OUTER CGROUPS "/phi-test"
#define INNER OUTER "/inner"
#define CORE INNER "/core"
#define CHILD OUTER "/child"
#define BESIDE CGROUPS "/phi-test-beside"
#define TRACING "/sys/kernel/tracing"
#define EVENT TRACING "/events/phi/phi_call_exit"

FIXTURE(agent)
{
	int phi;
	struct phi_system_stats before;
};

static void remove_cgroups(void)
{
	put_text(CGROUPS "/cgroup.procs", "0");
	rmdir(CORE);
	rmdir(INNER);
	rmdir(CHILD);
	rmdir(OUTER);
	rmdir(BESIDE);
}

FIXTURE_SETUP(agent)
{
	self->phi = do_open();
	ASSERT_LE(0, self->phi)
	{
		TH_LOG("is phi.ko loaded?");
	}
	if (access(CGROUPS "/cgroup.procs", F_OK))
		mount("cgroup2", CGROUPS, "cgroup2", 0, NULL);
	if (access(EVENT, F_OK))
		mount("tracefs", TRACING, "tracefs", 0, NULL);
	remove_cgroups();
	ASSERT_EQ(0, mkdir(OUTER, 0755));
	ASSERT_EQ(0, mkdir(INNER, 0755));
	ASSERT_EQ(0, do_stats(self->phi, &self->before));
}

/* Whatever a test did, closing gives it all back. */
FIXTURE_TEARDOWN(agent)
{
	remove_cgroups();
	close(self->phi);
	EXPECT_TRUE(do_restored(&self->before));
}

static int do_agent_below(int phi, const char *path, uint64_t parent,
			  uint64_t *id, uint64_t *cap)
{
	struct phi_agent_register arg = { .name = "agent", .parent = parent };
	int ret;

	arg.cgroup = open(path, O_RDONLY | O_CLOEXEC);
	ret = PHI_DO(phi, AGENT_REGISTER, &arg);
	if (arg.cgroup >= 0)
		close(arg.cgroup);
	*id = arg.id;
	*cap = arg.cap;
	return ret;
}

static int do_agent(int phi, const char *path, uint64_t *id, uint64_t *cap)
{
	return do_agent_below(phi, path, 0, id, cap);
}

/*
 * Make a call and read from its trace which agent it was made by. -1 when the
 * trace does not show it.
 */
static long agent_of_call(int phi)
{
	struct phi_system_stats stats;
	char line[512], *at;
	long agent = -1;
	FILE *trace;

	put_text(TRACING "/trace", "");
	if (put_text(EVENT "/enable", "1"))
		return -1;
	do_stats(phi, &stats);
	put_text(EVENT "/enable", "0");
	trace = fopen(TRACING "/trace", "r");
	if (!trace)
		return -1;
	while (fgets(line, sizeof(line), trace)) {
		at = strstr(line, " agent=");
		if (at && strstr(line, "nr=0xf1"))
			agent = atol(at + 7);
	}
	fclose(trace);
	return agent;
}

TEST_F(agent, register_refuses_bad_input)
{
	struct phi_agent_register arg;
	uint64_t id, cap;
	int fd = open(OUTER, O_RDONLY | O_CLOEXEC);

	ASSERT_LE(0, fd);
	arg = (struct phi_agent_register){ .flags = 1,
					   .cgroup = fd,
					   .name = "a" };
	EXPECT_EQ(-EOPNOTSUPP, PHI_DO(self->phi, AGENT_REGISTER, &arg));
	arg = (struct phi_agent_register){ .cgroup = fd,
					   .pad = 1,
					   .name = "a" };
	EXPECT_EQ(-EINVAL, PHI_DO(self->phi, AGENT_REGISTER, &arg));
	arg = (struct phi_agent_register){ .cgroup = fd };
	EXPECT_EQ(-EINVAL, PHI_DO(self->phi, AGENT_REGISTER, &arg));
	close(fd);
	EXPECT_EQ(-EBADF, do_agent(self->phi, "/nowhere", &id, &cap));
	EXPECT_EQ(-EINVAL, do_agent(self->phi, "/", &id, &cap));
	EXPECT_EQ(-EINVAL,
		  do_agent(self->phi, OUTER "/cgroup.procs", &id, &cap));
}

TEST_F(agent, one_agent_a_cgroup)
{
	struct phi_cap_query query;
	uint64_t id, cap, again, other;

	ASSERT_EQ(0, do_agent(self->phi, OUTER, &id, &cap));
	EXPECT_NE(0, id);
	ASSERT_EQ(0, do_query(self->phi, cap, &query));
	EXPECT_EQ(PHI_TYPE_AGENT, query.type);
	EXPECT_EQ(PHI_RIGHT_READ | PHI_RIGHT_ADMIN | PHI_RIGHT_GRANT,
		  query.rights);
	EXPECT_EQ(-EEXIST, do_agent(self->phi, OUTER, &again, &other));
	ASSERT_EQ(0, do_drop(self->phi, cap));
	ASSERT_EQ(0, do_agent(self->phi, OUTER, &again, &other));
	EXPECT_LT(id, again);
}

/* Somebody keeps a handle that a revoke has killed. */
TEST_F(agent, dead_handles_leave_the_cgroup_free)
{
	uint64_t id, cap, kept, again, other;
	int keeper = do_open();

	ASSERT_LE(0, keeper);
	ASSERT_EQ(0, do_agent(self->phi, OUTER, &id, &cap));
	ASSERT_EQ(0, do_give(self->phi, cap, PHI_RIGHT_READ, keeper, &kept));
	ASSERT_EQ(0, do_drop(self->phi, cap));
	/* Alive it keeps the agent. */
	EXPECT_EQ(-EEXIST, do_agent(self->phi, OUTER, &again, &other));
	close(keeper);
	keeper = do_open();
	ASSERT_LE(0, keeper);
	ASSERT_EQ(0, do_agent(self->phi, OUTER, &id, &cap));
	ASSERT_EQ(0, do_give(self->phi, cap, PHI_RIGHT_READ, keeper, &kept));
	ASSERT_EQ(0, do_revoke(self->phi, cap));
	ASSERT_EQ(0, do_drop(self->phi, cap));
	EXPECT_EQ(0, do_agent(self->phi, OUTER, &again, &other));
	EXPECT_EQ(-EKEYREVOKED, do_probe(keeper, kept));
	close(keeper);
}

TEST_F(agent, removed_cgroup_is_refused)
{
	struct phi_agent_register arg = { .name = "agent" };

	arg.cgroup = open(INNER, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, arg.cgroup);
	ASSERT_EQ(0, rmdir(INNER));
	EXPECT_EQ(-ENOENT, PHI_DO(self->phi, AGENT_REGISTER, &arg));
	close(arg.cgroup);
}

static int register_as_nobody(void *arg)
{
	uint64_t id, cap;
	int phi;

	if (become(65534))
		return -1000;
	phi = do_open();
	return phi < 0 ? phi : do_agent(phi, arg, &id, &cap);
}

TEST_F(agent, register_needs_write_to_the_cgroup)
{
	EXPECT_EQ(-EPERM, in_child(register_as_nobody, OUTER));
	ASSERT_EQ(0, chown(INNER, 65534, 65534));
	EXPECT_EQ(0, in_child(register_as_nobody, INNER));
}

TEST_F(agent, calls_carry_the_innermost_agent)
{
	uint64_t outer, inner, a, b;

	EXPECT_EQ(0, agent_of_call(self->phi));
	ASSERT_EQ(0, do_agent(self->phi, OUTER, &outer, &a));
	EXPECT_EQ(0, agent_of_call(self->phi));
	ASSERT_EQ(0, put_text(OUTER "/cgroup.procs", "0"));
	EXPECT_EQ(outer, agent_of_call(self->phi));
	ASSERT_EQ(0, put_text(INNER "/cgroup.procs", "0"));
	EXPECT_EQ(outer, agent_of_call(self->phi));
	ASSERT_EQ(0, do_agent_below(self->phi, INNER, a, &inner, &b));
	EXPECT_EQ(inner, agent_of_call(self->phi));
	ASSERT_EQ(0, do_drop(self->phi, b));
	EXPECT_EQ(outer, agent_of_call(self->phi));
	ASSERT_EQ(0, do_drop(self->phi, a));
	EXPECT_EQ(0, agent_of_call(self->phi));
}

TEST_F(agent, only_its_holder_makes_one_inside)
{
	uint64_t outer, id, a, b, weak, other;

	ASSERT_EQ(0, mkdir(BESIDE, 0755));
	ASSERT_EQ(0, do_agent(self->phi, OUTER, &outer, &a));
	EXPECT_EQ(-EPERM, do_agent(self->phi, INNER, &id, &b));
	EXPECT_EQ(-EBADF, do_agent_below(self->phi, INNER, 1, &id, &b));
	ASSERT_EQ(0, do_derive(self->phi, a, PHI_RIGHT_READ, &weak));
	EXPECT_EQ(-EPERM, do_agent_below(self->phi, INNER, weak, &id, &b));
	ASSERT_EQ(0, do_notify(self->phi, &other));
	EXPECT_EQ(-EINVAL, do_agent_below(self->phi, INNER, other, &id, &b));
	/* Another agent's is no help, nor is one where none is needed. */
	EXPECT_EQ(-EPERM, do_agent_below(self->phi, BESIDE, a, &id, &b));
	ASSERT_EQ(0, do_agent(self->phi, BESIDE, &id, &other));
	EXPECT_EQ(-EPERM, do_agent_below(self->phi, INNER, other, &id, &b));
	ASSERT_EQ(0, do_derive(self->phi, a, PHI_RIGHT_ADMIN, &weak));
	EXPECT_EQ(0, do_agent_below(self->phi, INNER, weak, &id, &b));
}

/* Of three, each made by the holder of the one above, the middle one goes. */
TEST_F(agent, the_outer_counts_where_one_between_is_gone)
{
	uint64_t outer, inner, core, a, b, c;

	ASSERT_EQ(0, mkdir(CORE, 0755));
	ASSERT_EQ(0, do_agent(self->phi, OUTER, &outer, &a));
	ASSERT_EQ(0, do_agent_below(self->phi, INNER, a, &inner, &b));
	EXPECT_EQ(-EPERM, do_agent_below(self->phi, CORE, a, &core, &c));
	ASSERT_EQ(0, do_agent_below(self->phi, CORE, b, &core, &c));
	ASSERT_EQ(0, put_text(CORE "/cgroup.procs", "0"));
	EXPECT_EQ(core, agent_of_call(self->phi));
	ASSERT_EQ(0, do_drop(self->phi, b));
	EXPECT_EQ(outer, agent_of_call(self->phi));
	ASSERT_EQ(0, do_drop(self->phi, a));
	EXPECT_EQ(core, agent_of_call(self->phi));
}

/* Made while nothing was above, it hides nothing from what comes later. */
TEST_F(agent, an_outer_that_comes_later_counts)
{
	uint64_t outer, inner, a, b;

	ASSERT_EQ(0, do_agent(self->phi, INNER, &inner, &a));
	ASSERT_EQ(0, put_text(INNER "/cgroup.procs", "0"));
	EXPECT_EQ(inner, agent_of_call(self->phi));
	ASSERT_EQ(0, do_agent(self->phi, OUTER, &outer, &b));
	EXPECT_EQ(outer, agent_of_call(self->phi));
}

/*
 * An agent's process as another user, with the cgroup delegated to it: makes
 * a child there, registers it and moves. Tells what the registration gave, or
 * what went wrong, in one number.
 */
static int shed_as_owner(void *arg)
{
	uint64_t id, cap;
	int phi, ret;

	(void)arg;
	if (put_text(OUTER "/cgroup.procs", "0") || become(60001))
		return -1000;
	phi = do_open();
	if (phi < 0)
		return phi;
	if (mkdir(CHILD, 0755))
		return -1001;
	ret = do_agent(phi, CHILD, &id, &cap);
	if (put_text(CHILD "/cgroup.procs", "0"))
		ret = -1002;
	return ret;
}

TEST_F(agent, a_delegated_cgroup_is_no_way_out)
{
	uint64_t outer, cap;

	ASSERT_EQ(0, chown(OUTER, 60001, 60001));
	ASSERT_EQ(0, chown(OUTER "/cgroup.procs", 60001, 60001));
	ASSERT_EQ(0, do_agent(self->phi, OUTER, &outer, &cap));
	EXPECT_EQ(-EPERM, in_child(shed_as_owner, NULL));
	ASSERT_EQ(0, put_text(CHILD "/cgroup.procs", "0"));
	EXPECT_EQ(outer, agent_of_call(self->phi));
}

static int agent_of_new_file(void *arg)
{
	int phi = do_open();

	(void)arg;
	return phi < 0 ? phi : agent_of_call(phi);
}

/* As an agent's process would: give up root, then try to get out. */
static int leave_as_nobody(void *arg)
{
	if (become(65534))
		return -1000;
	return put_text(arg, "0");
}

TEST_F(agent, processes_cannot_shed_it)
{
	uint64_t id, cap;

	ASSERT_EQ(0, do_agent(self->phi, OUTER, &id, &cap));
	ASSERT_EQ(0, put_text(OUTER "/cgroup.procs", "0"));
	/* Neither by fork() nor by opening /dev/phi again. */
	EXPECT_EQ(id, in_child(agent_of_new_file, NULL));
	EXPECT_EQ(-EACCES, in_child(leave_as_nobody, CGROUPS "/cgroup.procs"));
	EXPECT_EQ(-EACCES, in_child(leave_as_nobody, INNER "/cgroup.procs"));
}

TEST_F(agent, outlives_its_cgroup)
{
	uint64_t id, cap;

	ASSERT_EQ(0, do_agent(self->phi, INNER, &id, &cap));
	ASSERT_EQ(0, rmdir(INNER));
	ASSERT_EQ(0, mkdir(INNER, 0755));
	ASSERT_EQ(0, put_text(INNER "/cgroup.procs", "0"));
	/* A new cgroup of the old name is another one. */
	EXPECT_EQ(0, agent_of_call(self->phi));
	EXPECT_EQ(0, do_drop(self->phi, cap));
}

TEST_HARNESS_MAIN
