// SPDX-License-Identifier: GPL-2.0-only
/*
 * The crews of agents: what their processes start with, make of it and pass
 * on, and how all of that ends with them.
 */

#include "kselftest_harness.h"

#include <phi/agents.h>
#include <phi/phi.h>
#include <phi/spawn.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "file.h"
#include "phi_message.h"

#define CGROUPS "/sys/fs/cgroup"
#define OUTER CGROUPS "/phi-crew"
#define INNER OUTER "/inner"
#define BESIDE CGROUPS "/phi-crew-beside"
#define LENT (PHI_RIGHT_READ | PHI_RIGHT_MAP | PHI_RIGHT_GRANT)

/* The capabilities of a process, in this order. */
enum { REGION, NOTIFY, ENDPOINT, NCAPS };

/* A process of an agent. */
struct member {
	pid_t pid;
	int pidfd, tell, hear;
};

FIXTURE(crew)
{
	int phi;
	uint64_t region, notify, ep;
	int outer, inner; /* directories */
	uint64_t id, agent;
	struct phi_system_stats before;
};

static void remove_cgroups(void)
{
	put_text(CGROUPS "/cgroup.procs", "0");
	rmdir(INNER);
	rmdir(OUTER);
	rmdir(BESIDE);
}

FIXTURE_SETUP(crew)
{
	ASSERT_EQ(0, do_baseline(&self->before));
	self->phi = do_open();
	ASSERT_LE(0, self->phi)
	{
		TH_LOG("is phi.ko loaded?");
	}
	if (access(CGROUPS "/cgroup.procs", F_OK))
		mount("cgroup2", CGROUPS, "cgroup2", 0, NULL);
	remove_cgroups();
	ASSERT_EQ(0, mkdir(OUTER, 0755));
	ASSERT_EQ(0, mkdir(INNER, 0755));
	self->outer = open(OUTER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	self->inner = open(INNER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ASSERT_EQ(0, phi_agent_register(self->phi, self->outer, "outer", 0,
					&self->id, &self->agent));
	ASSERT_EQ(0, do_region(self->phi, 4096, 0, &self->region));
	ASSERT_EQ(0, do_notify(self->phi, &self->notify));
	ASSERT_EQ(0, do_endpoint(self->phi, &self->ep));
}

FIXTURE_TEARDOWN(crew)
{
	put_text(OUTER "/cgroup.kill", "1");
	while (waitpid(-1, NULL, 0) > 0)
		;
	close(self->outer);
	close(self->inner);
	close(self->phi);
	remove_cgroups();
	EXPECT_TRUE(do_restored(&self->before));
}

static void say(int tell, int64_t value)
{
	if (write(tell, &value, sizeof(value)) != sizeof(value))
		_exit(1);
}

static int64_t hear(int from)
{
	int64_t value;

	return read(from, &value, sizeof(value)) == sizeof(value) ? value :
								    -EPIPE;
}

static int map_region(int phi, uint64_t cap)
{
	size_t len;
	void *mem;

	return phi_region_map(phi, cap, PROT_READ, &mem, &len);
}

/* Send the region on: a copy of the capability, or all but a right of it. */
static int lend_on(int phi, bool move)
{
	return do_send_cap(phi, PHI_ENDOWED(ENDPOINT), PHI_ENDOWED(REGION),
			   move ? PHI_XFER_MOVE : 0,
			   move ? PHI_RIGHT_READ : LENT);
}

/* Name an inbox of the agent. */
static int name_inbox(void)
{
	uint64_t ep;
	int phi = do_open();

	return do_endpoint(phi, &ep) ?:
				       phi_cspace_inbox(phi, ep, PHI_INBOX_AGENT);
}

/*
 * A process: it joins the cgroup, takes its cspace, does as it is told by
 * letters, and tells how each went.
 */
static void be_member(const char *cgroup, int tell, int from)
{
	int parent = syscall(SYS_pidfd_open, getppid(), 0);
	struct phi_notify_wait wait = { .notify = PHI_ENDOWED(NOTIFY),
					.mask = 1 };
	int phi, again;

	say(tell, put_text(cgroup, "0"));
	phi = syscall(SYS_pidfd_getfd, parent, (int)hear(from), 0);
	say(tell, phi < 0 ? -errno : 0);
	for (;;) {
		switch (hear(from)) {
		case 'm':
			say(tell, map_region(phi, PHI_ENDOWED(REGION)));
			break;
		case 'l':
			say(tell, lend_on(phi, false));
			break;
		case 'v':
			say(tell, lend_on(phi, true));
			break;
		case 'w':
			say(tell, PHI_DO(phi, NOTIFY_WAIT, &wait));
			break;
		case 'p':
			say(tell, do_probe(phi, PHI_ENDOWED(NOTIFY)));
			break;
		case 'o':
			again = do_open();
			say(tell, again < 0 ? again : close(again));
			break;
		case 'i':
			say(tell, name_inbox());
			break;
		default:
			_exit(0);
		}
	}
}

static int64_t ask(struct member *m, int64_t what)
{
	if (write(m->hear, &what, sizeof(what)) != sizeof(what))
		return -EPIPE;
	return hear(m->tell);
}

/* Start a process of the agent with the three capabilities. */
static int join(int phi, uint64_t region, uint64_t notify, uint64_t ep,
		const char *cgroup, struct member *m)
{
	const struct phi_endowment caps[NCAPS] = {
		{ .cap = region, .rights = LENT },
		{ .cap = notify, .rights = PHI_RIGHT_READ },
		{ .cap = ep, .rights = PHI_RIGHT_SEND },
	};
	int up[2], down[2], fd, ret;

	if (pipe2(up, O_CLOEXEC) || pipe2(down, O_CLOEXEC))
		return -errno;
	m->pid = fork();
	if (!m->pid) {
		close(up[0]);
		close(down[1]);
		be_member(cgroup, up[1], down[0]);
	}
	close(up[1]);
	close(down[0]);
	m->tell = up[0];
	m->hear = down[1];
	m->pidfd = syscall(SYS_pidfd_open, m->pid, 0);
	ret = hear(m->tell);
	if (ret)
		return ret;
	fd = phi_process_endow(phi, m->pidfd, caps, NCAPS, 0);
	if (fd < 0)
		return fd;
	ret = ask(m, fd);
	close(fd);
	return ret;
}

#define JOIN(_cgroup, _m)                                     \
	join(self->phi, self->region, self->notify, self->ep, \
	     _cgroup "/cgroup.procs", _m)

/* The one capability that a message brings. */
static int receive(int phi, uint64_t ep, uint64_t *cap)
{
	struct phi_recv in;
	int ret = do_recv_soon(phi, ep, NULL, 0, &in);

	*cap = in.caps[0].cap;
	return ret;
}

static void leave(struct member *m)
{
	kill(m->pid, SIGKILL);
	waitpid(m->pid, NULL, 0);
	close(m->pidfd);
	close(m->tell);
	close(m->hear);
}

/* Wait until bits are signalled. */
static int await(int phi, uint64_t notify, uint64_t mask)
{
	struct phi_notify_wait wait = { .notify = notify, .mask = mask };

	return PHI_DO(phi, NOTIFY_WAIT, &wait);
}

TEST_F(crew, a_kill_ends_what_it_was_given_and_gave_on)
{
	struct phi_agent_kill receipt;
	int64_t wait = 'w';
	uint64_t lent;
	struct member m;

	ASSERT_EQ(0, JOIN(OUTER, &m));
	ASSERT_EQ(0, ask(&m, 'm'));
	ASSERT_EQ(0, ask(&m, 'l'));
	ASSERT_EQ(0, receive(self->phi, self->ep, &lent));
	EXPECT_EQ(0, do_probe(self->phi, lent));
	ASSERT_EQ(sizeof(wait), write(m.hear, &wait, sizeof(wait)));
	while (!process_sleeps(m.pid))
		usleep(1000);
	ASSERT_EQ(0, phi_agent_kill(self->phi, self->agent, -1, 0, &receipt));
	EXPECT_EQ(1, receipt.agents);
	EXPECT_EQ(1, receipt.cspaces);
	EXPECT_EQ(NCAPS, receipt.handles);
	EXPECT_EQ(NCAPS, receipt.given);
	EXPECT_EQ(1, receipt.mappings);
	EXPECT_EQ(1, receipt.calls);
	EXPECT_EQ(0, receipt.endpoints);
	EXPECT_EQ(-EKEYREVOKED, do_probe(self->phi, lent));
	EXPECT_EQ(0, do_probe(self->phi, self->region));
	/* The process goes on, and can do nothing. */
	EXPECT_EQ(-EKEYREVOKED, hear(m.tell));
	EXPECT_EQ(-ESRCH, ask(&m, 'p'));
	EXPECT_EQ(-ESRCH, ask(&m, 'o'));
	/* Again it finds nothing. */
	ASSERT_EQ(0, phi_agent_kill(self->phi, self->agent, -1, 0, &receipt));
	EXPECT_EQ(0, receipt.agents + receipt.cspaces + receipt.given);
	leave(&m);
}

TEST_F(crew, a_kill_ends_processes_and_endpoints)
{
	struct phi_agent_kill receipt;
	struct member m;
	int status;

	ASSERT_EQ(0, JOIN(OUTER, &m));
	ASSERT_EQ(0, ask(&m, 'i'));
	ASSERT_EQ(0, phi_agent_kill(self->phi, self->agent, self->outer, 0,
				    &receipt));
	EXPECT_EQ(2, receipt.cspaces);
	EXPECT_EQ(1, receipt.endpoints);
	ASSERT_EQ(m.pid, waitpid(m.pid, &status, WNOHANG));
	EXPECT_EQ(SIGKILL, WTERMSIG(status));
}

TEST_F(crew, a_move_with_fewer_rights_is_no_way_out)
{
	struct member m;
	uint64_t moved;

	ASSERT_EQ(0, JOIN(OUTER, &m));
	ASSERT_EQ(0, ask(&m, 'v'));
	ASSERT_EQ(0, receive(self->phi, self->ep, &moved));
	EXPECT_EQ(0, do_probe(self->phi, moved));
	ASSERT_EQ(0, phi_agent_kill(self->phi, self->agent, -1, 0, NULL));
	EXPECT_EQ(-EKEYREVOKED, do_probe(self->phi, moved));
	leave(&m);
}

TEST_F(crew, its_last_process_ends_a_run)
{
	struct phi_agent_query query;
	struct member first, last;
	uint64_t lent, later;

	ASSERT_EQ(0,
		  phi_agent_watch(self->phi, self->agent, self->notify, 2, 0));
	ASSERT_EQ(0, JOIN(OUTER, &first));
	ASSERT_EQ(0, JOIN(INNER, &last));
	ASSERT_EQ(0, ask(&first, 'l'));
	ASSERT_EQ(0, receive(self->phi, self->ep, &lent));
	/* What the one gave on outlives it while the other lives. */
	leave(&first);
	ASSERT_EQ(0, phi_agent_query(self->phi, self->id, 0, NULL, 0, &query));
	EXPECT_EQ(PHI_AGENT_RUNS, query.state);
	EXPECT_EQ(0, query.runs);
	EXPECT_EQ(0, do_probe(self->phi, lent));
	leave(&last);
	ASSERT_EQ(0, await(self->phi, self->notify, 2));
	EXPECT_EQ(-EKEYREVOKED, do_probe(self->phi, lent));
	ASSERT_EQ(0, phi_agent_query(self->phi, self->id, 0, NULL, 0, &query));
	EXPECT_EQ(PHI_AGENT_EMPTY, query.state);
	EXPECT_EQ(1, query.runs);
	EXPECT_EQ(0, query.gifts);
	/* Whoever comes too late to watch that run hears of it at once. */
	ASSERT_EQ(0,
		  phi_agent_watch(self->phi, self->agent, self->notify, 4, 0));
	EXPECT_EQ(0, await(self->phi, self->notify, 4));
	/* Another run has what it is given. */
	ASSERT_EQ(0, JOIN(OUTER, &first));
	ASSERT_EQ(0, ask(&first, 'l'));
	ASSERT_EQ(0, receive(self->phi, self->ep, &later));
	EXPECT_EQ(0, do_probe(self->phi, later));
	leave(&first);
}

TEST_F(crew, the_end_of_the_registration_revokes)
{
	struct member m;
	uint64_t lent;

	ASSERT_EQ(0, JOIN(OUTER, &m));
	ASSERT_EQ(0, ask(&m, 'l'));
	ASSERT_EQ(0, receive(self->phi, self->ep, &lent));
	EXPECT_EQ(0, do_probe(self->phi, lent));
	ASSERT_EQ(0, do_drop(self->phi, self->agent));
	while (!do_probe(self->phi, lent))
		usleep(1000);
	EXPECT_EQ(-EKEYREVOKED, do_probe(self->phi, lent));
	leave(&m);
}

TEST_F(crew, a_kill_takes_those_below)
{
	struct phi_agent_kill receipt;
	struct phi_agent_query query;
	uint64_t inner, id, other;
	struct member m;

	ASSERT_EQ(0, phi_agent_register(self->phi, self->inner, "inner",
					self->agent, &id, &inner));
	ASSERT_EQ(0, JOIN(INNER, &m));
	ASSERT_EQ(0, phi_agent_kill(self->phi, self->agent, -1, 0, &receipt));
	EXPECT_EQ(2, receipt.agents);
	EXPECT_EQ(1, receipt.cspaces);
	EXPECT_EQ(-ESRCH, ask(&m, 'p'));
	ASSERT_EQ(0, phi_agent_query(self->phi, id, 0, NULL, 0, &query));
	EXPECT_EQ(PHI_AGENT_KILLED, query.state);
	EXPECT_EQ(self->id, query.parent);
	/* Nothing new begins there. */
	ASSERT_EQ(0, do_drop(self->phi, inner));
	EXPECT_EQ(-ESRCH, phi_agent_register(self->phi, self->inner, "inner",
					     self->agent, &id, &other));
	leave(&m);
	EXPECT_EQ(-ESRCH, JOIN(OUTER, &m));
	leave(&m);
}

/* An agent inside has a life of its own. */
TEST_F(crew, a_kill_leaves_those_above)
{
	struct member above, below;
	uint64_t inner;

	ASSERT_EQ(0, phi_agent_register(self->phi, self->inner, "inner",
					self->agent, NULL, &inner));
	ASSERT_EQ(0, JOIN(OUTER, &above));
	ASSERT_EQ(0, JOIN(INNER, &below));
	ASSERT_EQ(0, phi_agent_kill(self->phi, inner, -1, 0, NULL));
	EXPECT_EQ(0, ask(&above, 'p'));
	EXPECT_EQ(-ESRCH, ask(&below, 'p'));
	leave(&above);
	leave(&below);
}

static int open_as_nobody(void *arg)
{
	uint64_t cap;
	int phi;

	if (become(65534))
		return -1000;
	phi = do_open();
	return phi_agent_open(phi, *(int *)arg, NULL, &cap);
}

/* In a process of the outer agent. */
static int open_from_inside(void *arg)
{
	uint64_t cap;
	int phi;

	if (put_text(OUTER "/cgroup.procs", "0"))
		return -1000;
	phi = do_open();
	return phi_agent_open(phi, *(int *)arg, NULL, &cap);
}

TEST_F(crew, opened_by_whoever_may_write)
{
	uint64_t id, again, inner;
	int other;

	EXPECT_EQ(-ENOENT, phi_agent_open(self->phi, self->inner, &id, &again));
	EXPECT_EQ(-EBADF, phi_agent_open(self->phi, -1, &id, &again));
	EXPECT_EQ(-EINVAL, phi_agent_open(self->phi, 0, &id, &again));
	EXPECT_EQ(-EPERM, in_child(open_as_nobody, &self->outer));
	ASSERT_EQ(0, phi_agent_open(self->phi, self->outer, &id, &again));
	EXPECT_EQ(self->id, id);
	EXPECT_EQ(1, do_same(self->phi, again, self->agent));
	/* Nobody opens the agent that he is in, nor one beside it. */
	EXPECT_EQ(-EPERM, in_child(open_from_inside, &self->outer));
	ASSERT_EQ(0, phi_agent_register(self->phi, self->inner, "inner",
					self->agent, NULL, &inner));
	EXPECT_EQ(0, in_child(open_from_inside, &self->inner));
	ASSERT_EQ(0, mkdir(BESIDE, 0755));
	other = open(BESIDE, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ASSERT_EQ(0, phi_agent_register(self->phi, other, "beside", 0, NULL,
					&inner));
	EXPECT_EQ(-EPERM, in_child(open_from_inside, &other));
	close(other);
}

/* In a cgroup namespace whose root is beside the agent. */
static int query_from_beside(void *arg)
{
	struct phi_agent_query query;
	int phi, ret;

	if (put_text(BESIDE "/cgroup.procs", "0") || unshare(CLONE_NEWCGROUP))
		return -1000;
	phi = do_open();
	ret = phi_agent_query(phi, *(uint64_t *)arg, 0, NULL, 0, &query);
	return ret ?: query.state == PHI_AGENT_HIDDEN && !query.name[0];
}

TEST_F(crew, query_tells_who_it_is)
{
	struct phi_agent_query query;
	struct member m;
	char path[64];

	EXPECT_EQ(-ENOENT,
		  phi_agent_query(self->phi, self->id + 1, 0, NULL, 0, &query));
	EXPECT_EQ(-EMSGSIZE,
		  phi_agent_query(self->phi, self->id, 0, path, 4, &query));
	ASSERT_EQ(0, JOIN(OUTER, &m));
	ASSERT_EQ(0, phi_agent_query(self->phi, 1, PHI_AGENT_NEXT, path,
				     sizeof(path), &query));
	EXPECT_EQ(self->id, query.id);
	EXPECT_STREQ("/phi-crew", path);
	EXPECT_STREQ("outer", (char *)query.name);
	EXPECT_EQ(PHI_AGENT_RUNS, query.state);
	EXPECT_EQ(0, query.parent);
	EXPECT_EQ(0, query.uid);
	EXPECT_EQ(1, query.cspaces);
	EXPECT_EQ(NCAPS, query.gifts);
	EXPECT_EQ(-ENOENT, phi_agent_query(self->phi, self->id + 1,
					   PHI_AGENT_NEXT, NULL, 0, &query));
	ASSERT_EQ(0, mkdir(BESIDE, 0755));
	EXPECT_EQ(1, in_child(query_from_beside, &self->id));
	leave(&m);
}

TEST_F(crew, evicted_inboxes_take_nothing)
{
	struct phi_xfer give = { self->region, 0, PHI_RIGHT_READ };
	struct member m;

	EXPECT_EQ(-ENOENT, phi_agent_evict(self->phi, self->agent));
	ASSERT_EQ(0, JOIN(OUTER, &m));
	ASSERT_EQ(0, ask(&m, 'i'));
	EXPECT_EQ(0,
		  phi_cap_grant_agent(self->phi, self->agent, &give, NULL, 0));
	EXPECT_EQ(0, phi_agent_evict(self->phi, self->agent));
	EXPECT_EQ(-EPIPE,
		  phi_cap_grant_agent(self->phi, self->agent, &give, NULL, 0));
	EXPECT_EQ(-ENOENT, phi_agent_evict(self->phi, self->agent));
	leave(&m);
}

TEST_F(crew, refuses_bad_arguments)
{
	struct phi_agent_kill kill = { .agent = self->agent, .pad = 1 };
	struct phi_agent_watch watch = { .agent = self->agent,
					 .notify = self->notify,
					 .bits = 1,
					 .pad = 1 };
	uint64_t weak;

	EXPECT_EQ(-EINVAL, PHI_DO(self->phi, AGENT_KILL, &kill));
	EXPECT_EQ(-EINVAL, PHI_DO(self->phi, AGENT_WATCH, &watch));
	EXPECT_EQ(-EINVAL,
		  phi_agent_watch(self->phi, self->agent, self->notify, 0, 0));
	EXPECT_EQ(-EINVAL,
		  phi_agent_watch(self->phi, self->agent, self->ep, 1, 0));
	EXPECT_EQ(-EINVAL,
		  phi_agent_watch(self->phi, self->notify, self->notify, 1, 0));
	EXPECT_EQ(-EINVAL,
		  phi_agent_kill(self->phi, self->notify, -1, 0, NULL));
	EXPECT_EQ(-EINVAL, phi_agent_evict(self->phi, self->notify));
	ASSERT_EQ(0, do_derive(self->phi, self->agent, 0, &weak));
	EXPECT_EQ(-EPERM, phi_agent_watch(self->phi, weak, self->notify, 1, 0));
	ASSERT_EQ(0, do_derive(self->phi, self->agent, PHI_RIGHT_READ, &weak));
	EXPECT_EQ(-EPERM, phi_agent_kill(self->phi, weak, -1, 0, NULL));
	EXPECT_EQ(-EPERM, phi_agent_evict(self->phi, weak));
	for (int i = 0; i < PHI_WATCHES_MAX; i++) {
		ASSERT_EQ(0,
			  phi_agent_watch(self->phi, weak, self->notify, 1, 0));
	}
	EXPECT_EQ(-ENOSPC,
		  phi_agent_watch(self->phi, weak, self->notify, 1, 0));
}

TEST_HARNESS_MAIN
