// SPDX-License-Identifier: GPL-2.0-only
/*
 * call_filter and call_rate: verdicts on calls.
 */

#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "kselftest_harness.h"

#include "file.h"
#include "phi_ioctl.h"

#include "policy.h"

#define CGROUPS "/sys/fs/cgroup"
#define AGENT CGROUPS "/phi-bpf-test"
#define ANY 0xffffffffU
#define ANY_AGENT ~0ULL
#define NR(_cmd) _IOC_NR(PHI_IOC_##_cmd)

struct rule {
	uint32_t nr;
	uint32_t uid;
	uint64_t agent;
};

FIXTURE(call)
{
	int phi;
};

FIXTURE_SETUP(call)
{
	self->phi = do_open();
	ASSERT_LE(0, self->phi)
	{
		TH_LOG("is phi.ko loaded?");
	}
	ASSERT_EQ(0, policy_use("call_filter"));
	ASSERT_EQ(0, policy_use("call_rate"));
}

FIXTURE_TEARDOWN(call)
{
	close(self->phi);
}

static int refuse(uint32_t nr, uint32_t uid, uint64_t agent, uint32_t error)
{
	struct rule rule = { .nr = nr, .uid = uid, .agent = agent };

	return policy_set("call_filter", "rules", &rule, &error);
}

static int notify(int phi)
{
	uint64_t cap;

	return do_notify(phi, &cap);
}

static int notify_as(void *uid)
{
	int phi;

	if (become(*(uid_t *)uid))
		return -1000;
	phi = do_open();
	return phi < 0 ? phi : notify(phi);
}

/* The decision on the last call of this thread. */
static int why(int phi, struct phi_decision *out)
{
	struct phi_decision_query ask = {
		.flags = PHI_DECISION_BEFORE | PHI_DECISION_THREAD,
	};
	int ret = PHI_DO(phi, DECISION_QUERY, &ask);

	*out = ask.decision;
	return ret;
}

/* A decision has the errno, the program and the rule, whatever the errno. */
TEST_F_TIMEOUT(call, refusals_name_their_rule, SLOW)
{
	struct {
		uint64_t kind, id;
	} who = { 1, 0 };
	struct {
		uint64_t per_second, burst;
	} limit = { 1, 1 };
	struct phi_decision d;
	int tries = 0;

	ASSERT_EQ(0, refuse(NR(NOTIFY_CREATE), ANY, ANY_AGENT, EXDEV));
	ASSERT_EQ(-EXDEV, notify(self->phi));
	ASSERT_EQ(0, why(self->phi, &d));
	EXPECT_EQ(-EXDEV, d.error);
	EXPECT_EQ(PHI_DECIDED_HOOK, d.where);
	EXPECT_EQ(NR(NOTIFY_CREATE), d.call);
	EXPECT_STREQ("call_filter", (char *)d.program);
	EXPECT_EQ(7, d.rule);

	ASSERT_EQ(0, refuse(NR(NOTIFY_CREATE), 0, ANY_AGENT, EPERM));
	ASSERT_EQ(-EPERM, notify(self->phi));
	ASSERT_EQ(0, why(self->phi, &d));
	EXPECT_EQ(PHI_DECIDED_HOOK, d.where);
	EXPECT_EQ(5, d.rule);

	ASSERT_EQ(0, refuse(NR(NOTIFY_CREATE), 0, ANY_AGENT, 0));
	ASSERT_EQ(0, policy_set("call_rate", "limits", &who, &limit));
	while (notify(self->phi) != -EBUSY && tries < 100000)
		tries++;
	limit.per_second = 1000000000;
	limit.burst = 4294967295;
	ASSERT_EQ(0, policy_set("call_rate", "limits", &who, &limit));
	ASSERT_EQ(0, why(self->phi, &d));
	EXPECT_EQ(-EBUSY, d.error);
	EXPECT_EQ(PHI_DECIDED_HOOK, d.where);
	EXPECT_STREQ("call_rate", (char *)d.program);
	EXPECT_EQ(2, d.rule);
}

static int ask(int phi, uint64_t session, struct phi_check *checks)
{
	struct phi_call_check arg = {
		.session = session,
		.checks = (uintptr_t)checks,
		.count = 2,
	};
	int ret = PHI_DO(phi, CALL_CHECK, &arg);

	return ret ?: (int)arg.refused;
}

/* Foreign calls are refused by their number, and by the client's user. */
TEST_F_TIMEOUT(call, filter_foreign_calls, SLOW)
{
	struct phi_check checks[2] = { { .call = 3 }, { .call = 4 } };
	struct phi_session_create make = {};
	struct phi_decision d;
	struct phi_token token;
	uint64_t theirs;
	int other;

	ASSERT_EQ(0, refuse(PHI_CALL_FOREIGN + 3, ANY, ANY_AGENT, EXDEV));
	ASSERT_EQ(1, ask(self->phi, 0, checks));
	EXPECT_EQ(-EXDEV, checks[0].result);
	EXPECT_EQ(0, checks[1].result);
	ASSERT_EQ(0, why(self->phi, &d));
	EXPECT_EQ(PHI_CALL_FOREIGN + 3, d.call);
	EXPECT_EQ(PHI_DECIDED_HOOK, d.where);
	EXPECT_STREQ("call_filter", (char *)d.program);
	ASSERT_EQ(0, refuse(PHI_CALL_FOREIGN + 3, ANY, ANY_AGENT, 0));

	other = do_open_as(60105);
	ASSERT_LE(0, other);
	ASSERT_EQ(0, PHI_DO(other, SESSION_CREATE, &make));
	ASSERT_EQ(0, do_seal(other, make.cap, PHI_RIGHT_EXEC, 0, 0, &token));
	ASSERT_EQ(0, do_unseal(self->phi, &token, &theirs));
	ASSERT_EQ(0, refuse(PHI_CALL_FOREIGN + 4, 60105, ANY_AGENT, EACCES));
	EXPECT_EQ(0, ask(self->phi, 0, checks));
	EXPECT_EQ(1, ask(self->phi, theirs, checks));
	EXPECT_EQ(0, checks[0].result);
	EXPECT_EQ(-EACCES, checks[1].result);
	/* What is refused to the user of who asks is none of the client's. */
	ASSERT_EQ(0, refuse(PHI_CALL_FOREIGN + 4, ANY, ANY_AGENT, EACCES));
	ASSERT_EQ(0, refuse(PHI_CALL_FOREIGN + 4, 60105, ANY_AGENT, 0));
	EXPECT_EQ(1, ask(self->phi, 0, checks));
	EXPECT_EQ(0, ask(self->phi, theirs, checks));
	ASSERT_EQ(0, refuse(PHI_CALL_FOREIGN + 4, ANY, ANY_AGENT, 0));
	close(other);
}

/* A verdict that is lost lets the call through: no test below can pass then. */
TEST_F_TIMEOUT(call, filter_by_number, SLOW)
{
	uint64_t refused = 0;
	uint64_t cap;
	uint32_t nr = NR(NOTIFY_CREATE);

	EXPECT_EQ(0, notify(self->phi));
	ASSERT_EQ(0, refuse(nr, ANY, ANY_AGENT, EACCES));
	EXPECT_EQ(-EACCES, notify(self->phi));
	EXPECT_EQ(0, do_endpoint(self->phi, &cap));
	EXPECT_EQ(0, policy_get("call_filter", "refused", &nr, &refused));
	EXPECT_EQ(1, refused);
	ASSERT_EQ(0, refuse(nr, ANY, ANY_AGENT, 0));
	EXPECT_EQ(0, notify(self->phi));
	ASSERT_EQ(0, policy_unload("call_filter"));
	EXPECT_EQ(0, notify(self->phi));
}

TEST_F_TIMEOUT(call, filter_documented_example, SLOW)
{
	uint64_t cap;

	ASSERT_EQ(0, policy_run("call_filter", "bpftool map update", NULL));
	EXPECT_EQ(-EPERM, do_region(self->phi, 4096, 0, &cap));
	EXPECT_EQ(0, notify(self->phi));
}

TEST_F_TIMEOUT(call, filter_by_uid, SLOW)
{
	uid_t one = 60001, two = 60002;

	ASSERT_EQ(0, refuse(ANY, one, ANY_AGENT, EPERM));
	EXPECT_EQ(-EPERM, in_child(notify_as, &one));
	EXPECT_EQ(0, in_child(notify_as, &two));
	EXPECT_EQ(0, notify(self->phi));
}

/* A file that was opened as one user, in a process that became another. */
static int notify_after_setuid(void *arg)
{
	uid_t *uids = arg;
	int phi;

	if (seteuid(uids[0]))
		return -1000;
	phi = do_open();
	if (phi < 0)
		return phi;
	if (seteuid(0) || seteuid(uids[1]))
		return -1001;
	return notify(phi);
}

TEST_F_TIMEOUT(call, filter_by_uid_of_opener_and_caller, SLOW)
{
	uid_t uids[] = { 60001, 60002 }, back[] = { 60002, 60001 };
	uid_t third[] = { 60003, 60003 };

	ASSERT_EQ(0, refuse(ANY, 60001, ANY_AGENT, EACCES));
	EXPECT_EQ(-EACCES, in_child(notify_after_setuid, uids));
	EXPECT_EQ(-EACCES, in_child(notify_after_setuid, back));
	EXPECT_EQ(0, in_child(notify_after_setuid, third));
	/* A rule that lets the opener pass lets nobody else pass. */
	ASSERT_EQ(0, refuse(ANY, 60002, ANY_AGENT, 0));
	EXPECT_EQ(-EACCES, in_child(notify_after_setuid, uids));
	EXPECT_EQ(-EACCES, in_child(notify_after_setuid, back));
}

/* 0 or a negative errno. */
static int map_at(int phi, uint64_t offset)
{
	void *at = mmap(NULL, 4096, PROT_READ, MAP_SHARED, phi, offset);

	if (at == MAP_FAILED)
		return -errno;
	munmap(at, 4096);
	return 0;
}

TEST_F_TIMEOUT(call, filter_mmap, SLOW)
{
	struct phi_region_info info = {};
	uint64_t refused = 0;
	uint32_t nr = PHI_NR_REGION_MAP;

	ASSERT_EQ(0, do_region(self->phi, 4096, 0, (uint64_t *)&info.cap));
	ASSERT_EQ(0, PHI_DO(self->phi, REGION_INFO, &info));
	EXPECT_EQ(0, map_at(self->phi, info.offset));
	ASSERT_EQ(0, refuse(nr, ANY, ANY_AGENT, EHOSTDOWN));
	EXPECT_EQ(-EHOSTDOWN, map_at(self->phi, info.offset));
	EXPECT_EQ(0, PHI_DO(self->phi, REGION_INFO, &info));
	EXPECT_EQ(0, policy_get("call_filter", "refused", &nr, &refused));
	EXPECT_EQ(1, refused);
	/* All that is refused includes it. */
	ASSERT_EQ(0, refuse(nr, ANY, ANY_AGENT, 0));
	EXPECT_EQ(0, map_at(self->phi, info.offset));
	ASSERT_EQ(0, refuse(ANY, getuid(), ANY_AGENT, EACCES));
	EXPECT_EQ(-EACCES, map_at(self->phi, info.offset));
}

TEST_F_TIMEOUT(call, narrower_rules_count_first, SLOW)
{
	uid_t one = 60001, two = 60002;
	uint64_t cap;

	ASSERT_EQ(0, refuse(ANY, ANY, ANY_AGENT, EACCES));
	ASSERT_EQ(0, refuse(NR(NOTIFY_CREATE), ANY, ANY_AGENT, EPERM));
	ASSERT_EQ(0, refuse(NR(NOTIFY_CREATE), one, ANY_AGENT, 0));
	EXPECT_EQ(-EACCES, do_endpoint(self->phi, &cap));
	EXPECT_EQ(-EPERM, notify(self->phi));
	EXPECT_EQ(0, in_child(notify_as, &one));
	EXPECT_EQ(-EPERM, in_child(notify_as, &two));
}

/* The program returns what it is told, turned about; it clips from 512 on. */
TEST_F_TIMEOUT(call, verdicts_that_are_no_errno_refuse, SLOW)
{
	ASSERT_EQ(0, refuse(NR(NOTIFY_CREATE), ANY, ANY_AGENT, 511));
	EXPECT_EQ(-511, notify(self->phi));
	ASSERT_EQ(0, refuse(NR(NOTIFY_CREATE), ANY, ANY_AGENT, 512));
	EXPECT_EQ(-EPERM, notify(self->phi));
}

/* Make a cgroup, and an agent of it. */
static int make_agent(int phi, uint64_t *id)
{
	struct phi_agent_register arg = { .name = "agent" };
	int ret;

	if (access(CGROUPS "/cgroup.procs", F_OK))
		mount("cgroup2", CGROUPS, "cgroup2", 0, NULL);
	mkdir(AGENT, 0755);
	arg.cgroup = open(AGENT, O_RDONLY | O_CLOEXEC);
	ret = PHI_DO(phi, AGENT_REGISTER, &arg);
	close(arg.cgroup);
	*id = arg.id;
	return ret;
}

static int notify_as_agent(void *arg)
{
	int phi;

	(void)arg;
	if (put_text(AGENT "/cgroup.procs", "0"))
		return -1000;
	phi = do_open();
	return phi < 0 ? phi : notify(phi);
}

TEST_F_TIMEOUT(call, filter_by_agent, SLOW)
{
	uint64_t id;

	ASSERT_EQ(0, make_agent(self->phi, &id));
	EXPECT_EQ(0, in_child(notify_as_agent, NULL));
	ASSERT_EQ(0, refuse(NR(NOTIFY_CREATE), ANY, id, EHOSTDOWN));
	EXPECT_EQ(-EHOSTDOWN, in_child(notify_as_agent, NULL));
	EXPECT_EQ(0, notify(self->phi));
	rmdir(AGENT);
}

struct who {
	uint64_t kind;
	uint64_t id;
};

struct limit {
	uint64_t per_second;
	uint64_t burst;
};

static int allow(uint64_t kind, uint64_t id, uint64_t per_second,
		 uint64_t burst)
{
	struct who who = { .kind = kind, .id = id };
	struct limit limit = { .per_second = per_second, .burst = burst };

	return policy_set("call_rate", "limits", &who, &limit);
}

/* Calls that pass before one is refused, of at most 100. */
static int calls_that_pass(int phi)
{
	struct phi_system_info info;
	int n;

	for (n = 0; n < 100; n++) {
		info = (struct phi_system_info){};
		if (PHI_DO(phi, SYSTEM_INFO, &info) == -EBUSY)
			break;
	}
	return n;
}

/*
 * The most calls that a bucket of @burst tokens lets pass since @start_ns; it
 * gets one token a second.
 */
static int most_since(uint64_t start_ns, int burst)
{
	return burst + 1 + (int)((monotonic_ns() - start_ns) / 1000000000);
}

TEST_F_TIMEOUT(call, rate_bites_and_refills, SLOW)
{
	uint64_t refused = 0, start;
	uint32_t zero = 0;
	int n, more;

	EXPECT_EQ(100, calls_that_pass(self->phi));
	/* Ten at once, and one more every second. */
	start = monotonic_ns();
	ASSERT_EQ(0, allow(1, getuid(), 1, 10));
	n = calls_that_pass(self->phi);
	EXPECT_LE(10, n);
	n += calls_that_pass(self->phi);
	EXPECT_GE(most_since(start, 10), n);
	EXPECT_EQ(0, policy_get("call_rate", "refused", &zero, &refused));
	EXPECT_LE(2, refused);
	sleep(3);
	more = calls_that_pass(self->phi);
	EXPECT_LE(2, more);
	EXPECT_GE(most_since(start, 10), n + more);
}

TEST_F_TIMEOUT(call, rate_is_per_user, SLOW)
{
	uint64_t start = monotonic_ns();
	uid_t other = 60003;
	int n;

	ASSERT_EQ(0, allow(1, ANY_AGENT, 1, 5));
	n = calls_that_pass(self->phi);
	EXPECT_GE(most_since(start, 5), n);
	/* Opens and makes one call, from a bucket of its own. */
	EXPECT_EQ(0, in_child(notify_as, &other));
	/* A higher limit counts from the next call on. */
	ASSERT_EQ(0, allow(1, getuid(), 1000000, 1000));
	calls_that_pass(self->phi);
	usleep(10000);
	EXPECT_EQ(100, calls_that_pass(self->phi));
}

static int pass_as_agent(void *arg)
{
	int phi;

	(void)arg;
	if (put_text(AGENT "/cgroup.procs", "0"))
		return -1000;
	phi = do_open();
	return phi < 0 ? phi : calls_that_pass(phi);
}

TEST_F_TIMEOUT(call, rate_is_per_agent, SLOW)
{
	uint64_t id, start;
	int n;

	ASSERT_EQ(0, make_agent(self->phi, &id));
	start = monotonic_ns();
	ASSERT_EQ(0, allow(0, id, 1, 7));
	n = in_child(pass_as_agent, NULL);
	EXPECT_LE(7, n);
	EXPECT_GE(most_since(start, 7), n);
	/* The bucket is the agent's, not the process's. */
	n += in_child(pass_as_agent, NULL);
	EXPECT_GE(most_since(start, 7), n);
	EXPECT_EQ(100, calls_that_pass(self->phi));
	rmdir(AGENT);
}

TEST_F_TIMEOUT(call, rate_documented_example, SLOW)
{
	EXPECT_EQ(0, policy_run("call_rate", "bpftool map update", NULL));
}

int main(int argc, char **argv)
{
	static const char *const used[] = { "call_filter", "call_rate", NULL };

	return policy_main(test_harness_run, argc, argv, used);
}
