// SPDX-License-Identifier: GPL-2.0-only
/* Decisions: what the record of each kind of refusal says, and to whom. */

#include "kselftest_harness.h"

#include <linux/capability.h>
#include <phi/phi.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "ask.h"
#include "file.h"
#include "phi_message.h"

#define NR(_call) _IOC_NR(PHI_IOC_##_call)
#define EP_RIGHTS \
	(PHI_RIGHT_SEND | PHI_RIGHT_RECV | PHI_RIGHT_ADMIN | PHI_RIGHT_GRANT)

#define CGROUPS "/sys/fs/cgroup"
#define AGENT CGROUPS "/phi-decision-test"

FIXTURE(decision)
{
	int phi;
	uint64_t ep, weak;
	struct phi_decision d;
};

FIXTURE_SETUP(decision)
{
	self->phi = do_open();
	ASSERT_LE(0, self->phi)
	{
		TH_LOG("is phi.ko loaded?");
	}
	ASSERT_EQ(0, do_endpoint(self->phi, &self->ep));
	ASSERT_EQ(0,
		  do_derive(self->phi, self->ep, PHI_RIGHT_SEND, &self->weak));
}

FIXTURE_TEARDOWN(decision)
{
	close(self->phi);
}

TEST_F(decision, right)
{
	uint64_t before = boottime_ns(), out;

	ASSERT_EQ(-EPERM, do_derive(self->phi, self->weak,
				    PHI_RIGHT_SEND | PHI_RIGHT_RECV, &out));
	ASSERT_EQ(0, do_why(self->phi, &self->d));
	EXPECT_NE(0, self->d.id);
	EXPECT_LE(before, self->d.time_ns);
	EXPECT_GE(boottime_ns(), self->d.time_ns);
	EXPECT_EQ(NR(CAP_DERIVE), self->d.call);
	EXPECT_EQ(-EPERM, self->d.error);
	EXPECT_EQ(PHI_DECIDED_RIGHT, self->d.where);
	EXPECT_EQ(self->weak, self->d.handle);
	EXPECT_EQ(PHI_TYPE_ENDPOINT, self->d.type);
	EXPECT_EQ(PHI_RIGHT_SEND, self->d.rights);
	EXPECT_EQ(PHI_RIGHT_SEND | PHI_RIGHT_RECV, self->d.needs);
	EXPECT_EQ(1U << PHI_TYPE_ENDPOINT, self->d.types);
	EXPECT_EQ(0, self->d.uid);
	EXPECT_EQ((uint32_t)getpid(), self->d.pid);
	EXPECT_EQ((uint32_t)syscall(SYS_gettid), self->d.tid);
	EXPECT_EQ(0, self->d.agent);
	EXPECT_EQ(0, self->d.rule);
	EXPECT_EQ(0, self->d.program[0]);
}

TEST_F(decision, of_the_library)
{
	uint64_t lost = UINT64_MAX, id;

	ASSERT_EQ(-EPERM, do_revoke(self->phi, self->weak));
	ASSERT_EQ(0, phi_why(self->phi, &self->d));
	EXPECT_EQ(self->weak, self->d.handle);
	id = self->d.id;
	ASSERT_EQ(0, phi_decision_query(self->phi, id, 0, 0, &self->d, &lost));
	EXPECT_EQ(id, self->d.id);
	EXPECT_NE(UINT64_MAX, lost);
}

TEST_F(decision, right_of_a_handle)
{
	ASSERT_EQ(-EPERM, do_revoke(self->phi, self->weak));
	ASSERT_EQ(0, do_why(self->phi, &self->d));
	EXPECT_EQ(NR(CAP_REVOKE), self->d.call);
	EXPECT_EQ(PHI_DECIDED_RIGHT, self->d.where);
	EXPECT_EQ(PHI_RIGHT_ADMIN, self->d.needs);
	EXPECT_EQ(UINT32_MAX, self->d.types);
}

TEST_F(decision, handle)
{
	ASSERT_EQ(0, do_drop(self->phi, self->weak));
	ASSERT_EQ(-EBADF, do_probe(self->phi, self->weak));
	ASSERT_EQ(0, do_why(self->phi, &self->d));
	EXPECT_EQ(-EBADF, self->d.error);
	EXPECT_EQ(PHI_DECIDED_HANDLE, self->d.where);
	EXPECT_EQ(self->weak, self->d.handle);
	EXPECT_EQ(0, self->d.type);
}

TEST_F(decision, type)
{
	ASSERT_EQ(-EINVAL, do_signal(self->phi, self->ep, 1));
	ASSERT_EQ(0, do_why(self->phi, &self->d));
	EXPECT_EQ(-EINVAL, self->d.error);
	EXPECT_EQ(PHI_DECIDED_TYPE, self->d.where);
	EXPECT_EQ(PHI_TYPE_ENDPOINT, self->d.type);
	EXPECT_EQ(1U << PHI_TYPE_NOTIFY, self->d.types);
	EXPECT_EQ(PHI_RIGHT_WRITE, self->d.needs);
}

TEST_F(decision, badge)
{
	uint64_t badged, out;

	ASSERT_EQ(0, do_derive_until(self->phi, self->ep, EP_RIGHTS, 0, 7,
				     &badged));
	ASSERT_EQ(-EPERM,
		  do_derive_until(self->phi, badged, EP_RIGHTS, 0, 8, &out));
	ASSERT_EQ(0, do_why(self->phi, &self->d));
	EXPECT_EQ(PHI_DECIDED_BADGE, self->d.where);
	EXPECT_EQ(7, self->d.badge);
	EXPECT_EQ(badged, self->d.handle);
}

TEST_F(decision, revoked_and_expired)
{
	uint64_t brief;

	ASSERT_EQ(0, do_revoke(self->phi, self->ep));
	ASSERT_EQ(-EKEYREVOKED, do_probe(self->phi, self->weak));
	ASSERT_EQ(0, do_why(self->phi, &self->d));
	EXPECT_EQ(PHI_DECIDED_REVOKED, self->d.where);
	EXPECT_EQ(self->weak, self->d.handle);

	ASSERT_EQ(0, do_derive_until(self->phi, self->ep, PHI_RIGHT_SEND, 1, 0,
				     &brief));
	ASSERT_EQ(-EKEYEXPIRED, do_probe(self->phi, brief));
	ASSERT_EQ(0, do_why(self->phi, &self->d));
	EXPECT_EQ(PHI_DECIDED_EXPIRED, self->d.where);
	EXPECT_EQ(brief, self->d.handle);
}

struct waiter {
	int phi;
	uint64_t notify;
	int ret;
	struct phi_decision d;
};

static void *wait_for_bits(void *arg)
{
	struct waiter *w = arg;
	struct phi_notify_wait wait = { .notify = w->notify, .mask = 1 };

	w->ret = PHI_DO(w->phi, NOTIFY_WAIT, &wait);
	if (do_why(w->phi, &w->d))
		w->d.where = UINT32_MAX;
	return NULL;
}

/* Whether the revoke comes before or while the thread waits. */
TEST_F(decision, revoked_while_waiting)
{
	struct waiter w = { .phi = self->phi };
	pthread_t thread;
	uint64_t notify;

	ASSERT_EQ(0, do_notify(self->phi, &notify));
	ASSERT_EQ(0, do_derive(self->phi, notify, PHI_RIGHT_READ, &w.notify));
	ASSERT_EQ(0, pthread_create(&thread, NULL, wait_for_bits, &w));
	ASSERT_EQ(0, do_revoke(self->phi, notify));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(-EKEYREVOKED, w.ret);
	EXPECT_EQ(PHI_DECIDED_REVOKED, w.d.where);
	EXPECT_EQ(NR(NOTIFY_WAIT), w.d.call);
	EXPECT_EQ(w.notify, w.d.handle);
	EXPECT_NE((uint32_t)syscall(SYS_gettid), w.d.tid);
}

TEST_F(decision, token)
{
	struct phi_token token;
	uint64_t out;

	ASSERT_EQ(0,
		  do_seal(self->phi, self->ep, PHI_RIGHT_SEND, 0, 0, &token));
	ASSERT_EQ(0, do_drop(self->phi, self->ep));
	ASSERT_EQ(-EKEYREVOKED, do_unseal(self->phi, &token, &out));
	ASSERT_EQ(0, do_why(self->phi, &self->d));
	EXPECT_EQ(PHI_DECIDED_REVOKED, self->d.where);
	EXPECT_EQ(1U << PHI_TYPE_ENDPOINT, self->d.types);
	EXPECT_EQ(PHI_RIGHT_SEND, self->d.needs);

	token.rights = PHI_RIGHT_ALL;
	ASSERT_EQ(-EKEYREJECTED, do_unseal(self->phi, &token, &out));
	ASSERT_EQ(0, do_why(self->phi, &self->d));
	EXPECT_EQ(PHI_DECIDED_TOKEN, self->d.where);
	EXPECT_EQ(NR(CAP_UNSEAL), self->d.call);
}

TEST_F(decision, mmap)
{
	uint64_t region, blind;
	struct phi_region_info info = {};

	ASSERT_EQ(0, do_region(self->phi, 4096, 0, &region));
	ASSERT_EQ(0, do_derive(self->phi, region,
			       PHI_RIGHT_MAP | PHI_RIGHT_READ, &blind));
	info.cap = blind;
	ASSERT_EQ(0, PHI_DO(self->phi, REGION_INFO, &info));
	ASSERT_EQ(MAP_FAILED, mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				   MAP_SHARED, self->phi, info.offset));
	ASSERT_EQ(EPERM, errno);
	ASSERT_EQ(0, do_why(self->phi, &self->d));
	EXPECT_EQ(PHI_NR_REGION_MAP, self->d.call);
	EXPECT_EQ(PHI_DECIDED_RIGHT, self->d.where);
	EXPECT_EQ(blind, self->d.handle);
	EXPECT_EQ(PHI_RIGHT_MAP | PHI_RIGHT_READ | PHI_RIGHT_WRITE,
		  self->d.needs);
}

/* In a child: use the cspace of the parent, and ask why not through an own. */
static int use_foreign(void *arg)
{
	struct phi_decision d;
	int phi;

	if (do_probe(*(int *)arg, 1) != -EPERM)
		return -1;
	phi = do_open();
	if (phi < 0 || do_why(phi, &d))
		return -2;
	return d.where == PHI_DECIDED_CSPACE && d.call == NR(CAP_QUERY) ? 0 :
									  -3;
}

TEST_F(decision, foreign_cspace)
{
	EXPECT_EQ(0, in_child(use_foreign, &self->phi));
}

static int lack_privilege(void *arg)
{
	struct phi_decision_query ask;
	struct phi_decision d;
	uint32_t id;
	int phi;

	if (become(*(uid_t *)arg))
		return -1;
	phi = do_open();
	if (phi < 0 || do_rekey(phi, &id) != -EPERM || do_why(phi, &d))
		return -2;
	if (d.where != PHI_DECIDED_PRIVILEGE || d.kind != CAP_SYS_ADMIN ||
	    d.uid != *(uid_t *)arg)
		return -3;
	if (do_ask(phi, PHI_DECISION_ALL | PHI_DECISION_BEFORE, 0, 0, &ask) !=
		    -EPERM ||
	    do_why(phi, &d) || d.call != NR(DECISION_QUERY))
		return -4;
	return d.where == PHI_DECIDED_PRIVILEGE ? 0 : -5;
}

TEST_F(decision, privilege)
{
	uid_t uid = SOMEBODY;

	EXPECT_EQ(0, in_child(lack_privilege, &uid));
}

static int exceed_quota(void *arg)
{
	struct phi_decision d;
	uint64_t cap;
	int phi;

	if (become(*(uid_t *)arg))
		return -1;
	phi = do_open();
	if (phi < 0 || do_region(phi, 1ULL << 42, 0, &cap) != -EDQUOT ||
	    do_why(phi, &d))
		return -2;
	if (d.where != PHI_DECIDED_QUOTA || d.kind != PHI_QUOTA_PAGES ||
	    d.owner != *(uid_t *)arg || d.asked != (1ULL << 42) / 4096)
		return -3;
	return d.used || d.limit >= d.asked ? -4 : 0;
}

TEST_F(decision, quota)
{
	uid_t uid = SOMEBODY;

	EXPECT_EQ(0, in_child(exceed_quota, &uid));
}

/* What is no refusal makes no decision, nor does a call that succeeds. */
TEST_F(decision, none)
{
	struct phi_recv recv = { .flags = PHI_NONBLOCK, .endpoint = self->ep };
	struct phi_region_create region = { .flags = 1U << 31 };
	uint64_t before, out;

	ASSERT_EQ(-EPERM, do_revoke(self->phi, self->weak));
	before = last_id(self->phi);
	EXPECT_EQ(-EAGAIN, PHI_DO(self->phi, RECV, &recv));
	EXPECT_EQ(-EOPNOTSUPP, PHI_DO(self->phi, REGION_CREATE, &region));
	EXPECT_EQ(-EINVAL, do_region(self->phi, 1, 0, &out));
	EXPECT_EQ(-EFAULT,
		  ioctl(self->phi, PHI_IOC_CAP_DROP, NULL) ? -errno : 0);
	EXPECT_EQ(0, do_probe(self->phi, self->ep));
	EXPECT_EQ(before, last_id(self->phi));
}

TEST_F(decision, bad_questions)
{
	struct phi_decision_query ask;

	EXPECT_EQ(-EOPNOTSUPP, do_ask(self->phi, 1U << 4, 0, 0, &ask));
	EXPECT_EQ(-EINVAL,
		  do_ask(self->phi, PHI_DECISION_AFTER | PHI_DECISION_BEFORE, 0,
			 0, &ask));
	EXPECT_EQ(-EINVAL,
		  do_ask(self->phi, PHI_DECISION_AFTER, 0, self->ep, &ask));
	EXPECT_EQ(-EBADF, do_ask(self->phi, PHI_DECISION_AFTER, 0, 1, &ask));
	EXPECT_EQ(-ENOENT, do_ask(self->phi, 0, UINT64_MAX, 0, &ask));
	EXPECT_EQ(-ENOENT, do_ask(self->phi, 0, 0, 0, &ask));
}

TEST_F(decision, by_number_and_in_order)
{
	struct phi_decision_query ask;
	uint64_t first, second;

	ASSERT_EQ(-EPERM, do_revoke(self->phi, self->weak));
	first = last_id(self->phi);
	ASSERT_EQ(-EBADF, do_probe(self->phi, 1));
	second = last_id(self->phi);
	ASSERT_NE(first, second);

	ASSERT_EQ(0, do_ask(self->phi, 0, first, 0, &ask));
	EXPECT_EQ(-EPERM, ask.decision.error);
	ASSERT_EQ(0, do_ask(self->phi, PHI_DECISION_AFTER, first, 0, &ask));
	EXPECT_EQ(second, ask.decision.id);
	EXPECT_EQ(-ENOENT,
		  do_ask(self->phi, PHI_DECISION_AFTER, second, 0, &ask));
	ASSERT_EQ(0, do_ask(self->phi, PHI_DECISION_BEFORE, second, 0, &ask));
	EXPECT_EQ(first, ask.decision.id);
	ASSERT_EQ(0, do_ask(self->phi, PHI_DECISION_BEFORE, 0, 0, &ask));
	EXPECT_EQ(second, ask.decision.id);
	ASSERT_EQ(0, do_ask(self->phi, PHI_DECISION_BEFORE | PHI_DECISION_ALL,
			    second, 0, &ask));
	EXPECT_EQ(first, ask.decision.id);
}

/* As a user: be refused @n times. Returns the number of the last decision. */
struct storm {
	uid_t uid;
	int n;
	uint64_t last;
	uint64_t lost;
};

static int refused_often(void *arg)
{
	struct storm *storm = arg;
	struct phi_decision_query ask;
	int phi, ret;

	if (become(storm->uid))
		return -1;
	phi = do_open();
	if (phi < 0)
		return phi;
	for (int i = 0; i < storm->n; i++) {
		if (do_probe(phi, 1) != -EBADF)
			return -2;
	}
	ret = do_ask(phi, PHI_DECISION_BEFORE, 0, 0, &ask);
	storm->last = ask.decision.id;
	storm->lost = ask.lost;
	return ret;
}

static int refused_as(struct storm *storm)
{
	struct storm *shared = mmap(NULL, sizeof(*shared),
				    PROT_READ | PROT_WRITE,
				    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int ret;

	if (shared == MAP_FAILED)
		return -errno;
	*shared = *storm;
	ret = in_child(refused_often, shared);
	*storm = *shared;
	munmap(shared, sizeof(*shared));
	return ret;
}

/* A storm replaces decisions on its own user, and none of another. */
TEST_F(decision, storm)
{
	struct storm victim = { .uid = SOMEBODY_ELSE, .n = 1 };
	struct storm storm = { .uid = SOMEBODY, .n = PHI_DECISIONS_KEPT };
	struct storm again = { .uid = SOMEBODY, .n = PHI_DECISIONS_KEPT + 9 };
	const uint32_t all = PHI_DECISION_ALL;
	struct phi_decision_query ask;
	unsigned int kept = 0;

	ASSERT_EQ(0, refused_as(&victim));
	ASSERT_EQ(0, refused_as(&storm));
	ASSERT_EQ(0, refused_as(&again));
	EXPECT_EQ(storm.last + PHI_DECISIONS_KEPT + 9, again.last);
	EXPECT_EQ(storm.lost + PHI_DECISIONS_KEPT + 9, again.lost);
	EXPECT_EQ(-ENOENT, do_ask(self->phi, all, storm.last, 0, &ask));
	EXPECT_EQ(0, do_ask(self->phi, all, victim.last, 0, &ask));
	EXPECT_EQ(SOMEBODY_ELSE, ask.decision.uid);
	/* No process of the user is left; nobody else without ALL. */
	EXPECT_EQ(-ENOENT, do_ask(self->phi, 0, victim.last, 0, &ask));

	ask.decision.id = 0;
	while (!do_ask(self->phi, all | PHI_DECISION_AFTER, ask.decision.id, 0,
		       &ask))
		kept += ask.decision.uid == SOMEBODY;
	EXPECT_EQ(PHI_DECISIONS_KEPT, kept);
	ask.decision.id = 0;
	kept = 0;
	while (!do_ask(self->phi, all | PHI_DECISION_BEFORE, ask.decision.id, 0,
		       &ask))
		kept += ask.decision.uid == SOMEBODY;
	EXPECT_EQ(PHI_DECISIONS_KEPT, kept);
}

/* In a child: be refused as an agent, which sees its own decisions alone. */
static int refused_agent(void *arg)
{
	struct phi_decision_query ask;
	uint64_t before = *(uint64_t *)arg;
	int phi;

	if (put_text(AGENT "/cgroup.procs", "0"))
		return -1;
	phi = do_open();
	if (phi < 0)
		return phi;
	if (do_probe(phi, 0x123) != -EBADF)
		return -2;
	if (do_ask(phi, PHI_DECISION_BEFORE, 0, 0, &ask) ||
	    ask.decision.handle != 0x123 || !ask.decision.agent)
		return -3;
	if (do_ask(phi, 0, before, 0, &ask) != -ENOENT)
		return -4;
	/* Its user has lost some, which is nothing that an agent learns. */
	if (do_ask(phi, PHI_DECISION_BEFORE, 0, 0, &ask))
		return -5;
	return ask.lost ? -6 : 0;
}

TEST_F(decision, of_an_agent)
{
	struct phi_agent_register agent = { .name = "agent" };
	struct phi_decision_query ask;
	uint64_t before, weak;

	if (access(CGROUPS "/cgroup.procs", F_OK))
		mount("cgroup2", CGROUPS, "cgroup2", 0, NULL);
	ASSERT_EQ(0, mkdir(AGENT, 0755));
	agent.cgroup = open(AGENT, O_RDONLY | O_CLOEXEC);
	ASSERT_EQ(0, PHI_DO(self->phi, AGENT_REGISTER, &agent));
	close(agent.cgroup);
	ASSERT_EQ(-EBADF, do_probe(self->phi, 0x122));
	for (int i = 0; i < PHI_DECISIONS_KEPT; i++)
		ASSERT_EQ(-EBADF, do_probe(self->phi, 0x122));
	ASSERT_EQ(0, do_ask(self->phi, PHI_DECISION_BEFORE, 0, 0, &ask));
	EXPECT_LT(0, ask.lost);
	before = ask.decision.id;
	EXPECT_EQ(0, in_child(refused_agent, &before));

	ASSERT_EQ(0,
		  do_ask(self->phi, PHI_DECISION_BEFORE, 0, agent.cap, &ask));
	EXPECT_EQ(agent.id, ask.decision.agent);
	EXPECT_EQ(0, ask.lost);
	EXPECT_EQ(0x123, ask.decision.handle);
	EXPECT_EQ(-ENOENT, do_ask(self->phi, PHI_DECISION_BEFORE,
				  ask.decision.id, agent.cap, &ask));
	ASSERT_EQ(0, do_derive(self->phi, agent.cap, PHI_RIGHT_READ, &weak));
	EXPECT_EQ(-EPERM,
		  do_ask(self->phi, PHI_DECISION_BEFORE, 0, weak, &ask));
	for (int tries = 0; rmdir(AGENT) && tries < 3000; tries++)
		usleep(10000);
}

/* In a pid namespace of its own: how does it know itself? */
static int refused_inside(void *arg)
{
	struct phi_decision d;
	int phi = do_open();

	(void)arg;
	if (phi < 0 || do_probe(phi, 0x124) != -EBADF || do_why(phi, &d))
		return -1;
	return d.handle == 0x124 && d.pid == 1 && d.tid == 1 ? 0 : -2;
}

/* A sibling namespace sees no number of it. */
static int read_inside(void *arg)
{
	struct phi_decision_query ask;
	int phi = do_open();

	if (phi < 0 || do_ask(phi, 0, *(uint64_t *)arg, 0, &ask))
		return -1;
	return ask.decision.pid || ask.decision.tid ? -2 : 0;
}

static int enter_and_read(void *arg)
{
	if (unshare(CLONE_NEWPID))
		return -10;
	return in_child(read_inside, arg);
}

static int enter_and_fail(void *arg)
{
	if (unshare(CLONE_NEWPID))
		return -10;
	return in_child(refused_inside, arg);
}

/* The host sees all numbers, also of a namespace that has ended. */
TEST_F(decision, of_a_pid_namespace)
{
	struct phi_decision_query ask;

	ASSERT_EQ(0, in_child(enter_and_fail, NULL));
	ASSERT_EQ(0, do_ask(self->phi, PHI_DECISION_BEFORE, 0, 0, &ask));
	EXPECT_EQ(0x124, ask.decision.handle);
	EXPECT_LT(1, ask.decision.pid);
	EXPECT_EQ(ask.decision.pid, ask.decision.tid);
	ASSERT_EQ(-EBADF, do_probe(self->phi, 0x125));
	ASSERT_EQ(0, do_ask(self->phi, PHI_DECISION_BEFORE, 0, 0, &ask));
	EXPECT_EQ(0, in_child(enter_and_read, &ask.decision.id));
}

TEST_HARNESS_MAIN
