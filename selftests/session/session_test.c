// SPDX-License-Identifier: GPL-2.0-only
/* Sessions: a dispatcher asks about calls that are not of this module. */

#include "kselftest_harness.h"

#include <linux/sched.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "file.h"
#include "phi_ioctl.h"

#define TRACING "/sys/kernel/tracing"
#define EVENTS TRACING "/events/phi/"
#define CGROUPS "/sys/fs/cgroup"
#define AGENT CGROUPS "/phi-session-test"
#define CLIENT 60321

FIXTURE(session)
{
	int phi;
	uint64_t session;
	struct phi_check checks[PHI_CHECKS_MAX + 1];
	struct phi_system_stats before;
};

static int do_session(int phi, uint64_t *cap)
{
	struct phi_session_create arg = {};
	int ret = PHI_DO(phi, SESSION_CREATE, &arg);

	*cap = arg.cap;
	return ret;
}

/* Refused checks, or why none was made. */
static int do_check(int phi, uint64_t session, struct phi_check *checks,
		    uint32_t count)
{
	struct phi_call_check arg = {
		.session = session,
		.checks = (uintptr_t)checks,
		.count = count,
		.refused = 77,
	};
	int ret = PHI_DO(phi, CALL_CHECK, &arg);

	return ret ?: (int)arg.refused;
}

/* The last decision, with flags. */
static int why(int phi, uint32_t flags, struct phi_decision *out)
{
	struct phi_decision_query ask = { .flags = PHI_DECISION_BEFORE |
						   flags };
	int ret = PHI_DO(phi, DECISION_QUERY, &ask);

	*out = ask.decision;
	return ret;
}

FIXTURE_SETUP(session)
{
	self->phi = do_open();
	ASSERT_LE(0, self->phi)
	{
		TH_LOG("is phi.ko loaded?");
	}
	ASSERT_EQ(0, do_stats(self->phi, &self->before));
	ASSERT_EQ(0, do_session(self->phi, &self->session));
	memset(self->checks, 0, sizeof(self->checks));
	self->checks[0].call = 0x120;
}

FIXTURE_TEARDOWN(session)
{
	close(self->phi);
	EXPECT_TRUE(do_restored(&self->before));
}

TEST_F(session, is_a_capability)
{
	struct phi_cap_query query = {};

	ASSERT_EQ(0, do_query(self->phi, self->session, &query));
	EXPECT_EQ(PHI_TYPE_SESSION, query.type);
	EXPECT_EQ(PHI_RIGHT_EXEC | PHI_RIGHT_ADMIN | PHI_RIGHT_GRANT,
		  query.rights);
}

TEST_F(session, lets_calls_pass)
{
	for (unsigned int i = 0; i < PHI_CHECKS_MAX; i++)
		self->checks[i].result = -1;
	EXPECT_EQ(0, do_check(self->phi, self->session, self->checks,
			      PHI_CHECKS_MAX));
	for (unsigned int i = 0; i < PHI_CHECKS_MAX; i++)
		EXPECT_EQ(0, self->checks[i].result);
	EXPECT_EQ(0, do_check(self->phi, 0, self->checks, 1));
}

TEST_F(session, refuses_bad_input)
{
	uint64_t weak, bell;
	struct phi_check *c = self->checks;

	ASSERT_EQ(0, do_notify(self->phi, &bell));
	ASSERT_EQ(0,
		  do_derive(self->phi, self->session, PHI_RIGHT_GRANT, &weak));
	EXPECT_EQ(-EINVAL, do_check(self->phi, self->session, c, 0));
	EXPECT_EQ(-EINVAL,
		  do_check(self->phi, self->session, c, PHI_CHECKS_MAX + 1));
	EXPECT_EQ(-EINVAL, do_check(self->phi, self->session, c, ~0U));
	EXPECT_EQ(-EBADF, do_check(self->phi, 0x777, c, 1));
	EXPECT_EQ(-EINVAL, do_check(self->phi, bell, c, 1));
	EXPECT_EQ(-EPERM, do_check(self->phi, weak, c, 1));
	EXPECT_EQ(-EFAULT, do_check(self->phi, self->session, NULL, 1));
	c[1].call = PHI_CALL_FOREIGN;
	EXPECT_EQ(-EINVAL, do_check(self->phi, self->session, c, 2));
	c[1] = (struct phi_check){ .rights = PHI_RIGHT_READ };
	EXPECT_EQ(-EINVAL, do_check(self->phi, self->session, c, 2));
	c[1] = (struct phi_check){ .type = PHI_TYPE_NOTIFY };
	EXPECT_EQ(-EINVAL, do_check(self->phi, self->session, c, 2));
	c[1] = (struct phi_check){ .cap = bell, .type = PHI_TYPE_SESSION + 1 };
	EXPECT_EQ(-EINVAL, do_check(self->phi, self->session, c, 2));
	c[1] = (struct phi_check){ .cap = bell, .rights = PHI_RIGHT_ALL + 1 };
	EXPECT_EQ(-EINVAL, do_check(self->phi, self->session, c, 2));
	c[1] = (struct phi_check){ .cap = bell };
	EXPECT_EQ(0, do_check(self->phi, self->session, c, 2));
	ASSERT_EQ(0, do_revoke(self->phi, self->session));
	EXPECT_EQ(-EKEYREVOKED, do_check(self->phi, weak, c, 1));
}

/* Results that cannot be written are no reason to make a check. */
TEST_F(session, checks_nothing_without_room)
{
	struct phi_decision before = {}, after = {};
	long page = sysconf(_SC_PAGESIZE);
	struct phi_check *c = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, c);
	c->cap = 0x777;
	ASSERT_EQ(1, do_check(self->phi, self->session, c, 1));
	ASSERT_EQ(0, why(self->phi, PHI_DECISION_THREAD, &before));
	ASSERT_EQ(0, mprotect(c, page, PROT_READ));
	EXPECT_EQ(-EFAULT, do_check(self->phi, self->session, c, 1));
	/* The last of them is on another page. */
	c = (void *)((char *)c + page - sizeof(*c));
	ASSERT_EQ(0, mprotect((char *)c + sizeof(*c) - page, 2 * page,
			      PROT_READ | PROT_WRITE));
	c->cap = 0x777;
	ASSERT_EQ(0, mprotect(c + 1, page, PROT_NONE));
	EXPECT_EQ(-EFAULT, do_check(self->phi, self->session, c, 2));
	ASSERT_EQ(0, why(self->phi, PHI_DECISION_THREAD, &after));
	EXPECT_EQ(before.id, after.id);
	munmap((char *)c + sizeof(*c) - page, 2 * page);
}

/* Each check ends as a call of the module would, and has its decision. */
TEST_F(session, judges_each_capability)
{
	uint64_t bell, weak, ep, dead, dropped;
	struct phi_decision d[5] = {};
	struct phi_check *c = self->checks;
	unsigned int first = 0x300;
	int at = 0;

	ASSERT_EQ(0, do_notify(self->phi, &bell));
	ASSERT_EQ(0, do_endpoint(self->phi, &ep));
	ASSERT_EQ(0, do_derive(self->phi, bell, PHI_RIGHT_READ, &weak));
	ASSERT_EQ(0, do_derive(self->phi, ep, PHI_RIGHT_SEND, &dead));
	ASSERT_EQ(0, do_revoke(self->phi, ep));
	ASSERT_EQ(0, do_notify(self->phi, &dropped));
	ASSERT_EQ(0, do_drop(self->phi, dropped));
	c[0] = (struct phi_check){ .cap = bell,
				   .type = PHI_TYPE_NOTIFY,
				   .rights = PHI_RIGHT_WRITE };
	c[1] = (struct phi_check){ .cap = bell, .type = PHI_TYPE_MEMORY };
	c[2] = (struct phi_check){ .cap = weak, .rights = PHI_RIGHT_WRITE };
	c[3] = (struct phi_check){ .cap = dropped };
	c[4] = (struct phi_check){ .cap = dead };
	c[5] = (struct phi_check){};
	for (unsigned int i = 0; i < 6; i++)
		c[i].call = first + i;
	ASSERT_EQ(4, do_check(self->phi, self->session, c, 6));
	EXPECT_EQ(0, c[0].result);
	EXPECT_EQ(-EINVAL, c[1].result);
	EXPECT_EQ(-EPERM, c[2].result);
	EXPECT_EQ(-EBADF, c[3].result);
	EXPECT_EQ(-EKEYREVOKED, c[4].result);
	EXPECT_EQ(0, c[5].result);

	for (int i = 4; i > 0; i--) {
		struct phi_decision_query ask = {
			.flags = PHI_DECISION_BEFORE,
			.id = i == 4 ? 0 : d[at - 1].id,
		};

		ASSERT_EQ(0, PHI_DO(self->phi, DECISION_QUERY, &ask));
		d[at] = ask.decision;
		EXPECT_EQ(PHI_CALL_FOREIGN + first + i, d[at].call);
		EXPECT_EQ(c[i].result, d[at].error);
		/* Of who asks the client learns no more than the need. */
		EXPECT_EQ(0, d[at].handle);
		EXPECT_EQ(0, d[at].rights);
		EXPECT_EQ(0, d[at].badge);
		at++;
	}
	EXPECT_EQ(PHI_DECIDED_REVOKED, d[0].where);
	EXPECT_EQ(PHI_DECIDED_HANDLE, d[1].where);
	EXPECT_EQ(PHI_DECIDED_RIGHT, d[2].where);
	EXPECT_EQ(PHI_RIGHT_WRITE, d[2].needs);
	EXPECT_EQ(PHI_DECIDED_TYPE, d[3].where);
	EXPECT_EQ(1U << PHI_TYPE_MEMORY, d[3].types);
}

/* How often a trace names a call. */
static int heard(const char *what)
{
	FILE *trace = fopen(TRACING "/trace", "r");
	char line[512];
	int n = 0;

	if (!trace)
		return -errno;
	while (fgets(line, sizeof(line), trace))
		n += !!strstr(line, what);
	fclose(trace);
	return n;
}

static int listen(const char *on)
{
	int ret;

	if (access(EVENTS, F_OK))
		mount("tracefs", TRACING, "tracefs", 0, NULL);
	ret = *on == '1' ? put_text(TRACING "/trace", "") : 0;
	ret = ret ?: put_text(EVENTS "phi_call_enter/enable", on);
	return ret ?: put_text(EVENTS "phi_call_exit/enable", on);
}

TEST_F(session, hooks_run_once_for_each)
{
	for (unsigned int i = 0; i < PHI_CHECKS_MAX; i++)
		self->checks[i].call = i % 2 ? 0x1 : 0x2;
	ASSERT_EQ(0, listen("1"));
	EXPECT_EQ(0, do_check(self->phi, self->session, self->checks, 63));
	ASSERT_EQ(0, listen("0"));
	EXPECT_EQ(2 * 31, heard(" nr=0x10001 "));
	EXPECT_EQ(2 * 32, heard(" nr=0x10002 "));
	EXPECT_EQ(2, heard(" nr=0xa0 "));
}

/* A client in a process of its own, which has sent a token of its session. */
struct client {
	pid_t pid;
	int ask[2], answer[2];
	uid_t uid;
	bool leaderless; /* its first thread ends */
};

static int client_main(struct client *c)
{
	struct phi_decision d = {};
	struct phi_token token;
	uint64_t session;
	int phi;
	char word;

	if (c->uid && become(c->uid))
		return 1;
	phi = do_open();
	if (phi < 0 || do_session(phi, &session) ||
	    do_seal(phi, session, PHI_RIGHT_EXEC, 0, 0, &token) ||
	    write(c->answer[1], &token, sizeof(token)) != sizeof(token))
		return 2;
	while (read(c->ask[0], &word, 1) == 1) {
		if (word == 'x') {
			dup2(c->ask[0], 0);
			dup2(c->answer[1], 1);
			execl("/bin/sh", "sh", "-c", "echo; read line", NULL);
			return 3;
		}
		if (word == 'w' && why(phi, PHI_DECISION_THREAD, &d))
			return 4;
		if (write(c->answer[1], &d, sizeof(d)) != sizeof(d))
			return 5;
	}
	return 0;
}

static void *client_thread(void *arg)
{
	_exit(client_main(arg));
}

static void client_run(struct client *c)
{
	pthread_t thread;

	if (!c->leaderless)
		_exit(client_main(c));
	if (pthread_create(&thread, NULL, client_thread, c))
		_exit(6);
	syscall(SYS_exit, 0);
}

/* Start a client, and get its session. */
static int client_start(struct client *c, int phi, uint64_t *session)
{
	struct phi_token token;

	if (pipe2(c->ask, O_CLOEXEC) || pipe2(c->answer, O_CLOEXEC))
		return -errno;
	c->pid = fork();
	if (c->pid < 0)
		return -errno;
	if (!c->pid) {
		close(c->ask[1]);
		close(c->answer[0]);
		client_run(c);
	}
	close(c->ask[0]);
	close(c->answer[1]);
	if (read(c->answer[0], &token, sizeof(token)) != sizeof(token))
		return -EPIPE;
	return do_unseal(phi, &token, session);
}

static int client_ask(struct client *c, char word, struct phi_decision *d)
{
	size_t want = word == 'x' ? 1 : sizeof(*d);

	if (write(c->ask[1], &word, 1) != 1)
		return -errno;
	return read(c->answer[0], d, want) == (ssize_t)want ? 0 : -EPIPE;
}

static int client_end(struct client *c)
{
	int status;

	close(c->ask[1]);
	close(c->answer[0]);
	return waitpid(c->pid, &status, 0) == c->pid ? status : -errno;
}

/* Who made the session is refused, whoever asks; and who asked is not. */
TEST_F(session, decisions_are_the_clients)
{
	struct phi_decision mine = {}, d = {};
	struct client c = { .uid = CLIENT };
	uint64_t session;

	self->checks[0].cap = 0x778;
	ASSERT_EQ(1, do_check(self->phi, 0, self->checks, 1));
	ASSERT_EQ(0, why(self->phi, 0, &mine));
	EXPECT_EQ((uint32_t)getpid(), mine.pid);
	EXPECT_EQ(0, mine.uid);
	EXPECT_EQ(0x778, mine.handle);

	ASSERT_EQ(0, client_start(&c, self->phi, &session));
	self->checks[0].cap = 0x779;
	ASSERT_EQ(1, do_check(self->phi, session, self->checks, 1));
	ASSERT_EQ(0, client_ask(&c, 'w', &d));
	EXPECT_EQ(PHI_CALL_FOREIGN + 0x120, d.call);
	EXPECT_EQ(-EBADF, d.error);
	EXPECT_EQ(0, d.handle);
	EXPECT_EQ(CLIENT, d.uid);
	EXPECT_EQ((uint32_t)c.pid, d.pid);
	EXPECT_EQ((uint32_t)c.pid, d.tid);
	/* Of the asker the last is still its own. */
	ASSERT_EQ(0, why(self->phi, 0, &d));
	EXPECT_EQ(mine.id, d.id);
	EXPECT_EQ(0, client_end(&c));
}

TEST_F(session, ends_with_the_process)
{
	struct client c = {};
	uint64_t session;

	ASSERT_EQ(0, client_start(&c, self->phi, &session));
	EXPECT_EQ(0, do_check(self->phi, session, self->checks, 1));
	ASSERT_EQ(0, client_end(&c));
	EXPECT_EQ(-ESRCH, do_check(self->phi, session, self->checks, 1));
}

/* The next program of the process has not asked for it. */
TEST_F(session, ends_with_the_program)
{
	struct phi_decision d;
	struct client c = {};
	uint64_t session;

	ASSERT_EQ(0, client_start(&c, self->phi, &session));
	EXPECT_EQ(0, do_check(self->phi, session, self->checks, 1));
	ASSERT_EQ(0, client_ask(&c, 'x', &d));
	EXPECT_EQ(-ESRCH, do_check(self->phi, session, self->checks, 1));
	client_end(&c);
}

static void follow_agent(struct __test_metadata *_metadata,
			 FIXTURE_DATA(session) * self, bool leaderless)
{
	struct phi_agent_register agent = { .name = "session" };
	struct phi_agent_kill kill = {};
	struct phi_decision d = {};
	struct client c = { .leaderless = leaderless };
	uint64_t session;
	char text[64];

	if (access(CGROUPS "/cgroup.procs", F_OK))
		mount("cgroup2", CGROUPS, "cgroup2", 0, NULL);
	rmdir(AGENT);
	ASSERT_EQ(0, mkdir(AGENT, 0755));
	agent.cgroup = open(AGENT, O_RDONLY | O_CLOEXEC);
	ASSERT_EQ(0, PHI_DO(self->phi, AGENT_REGISTER, &agent));
	close(agent.cgroup);
	ASSERT_EQ(0, client_start(&c, self->phi, &session));
	self->checks[0].cap = 0x77a;

	/* Not as it was when the session was made, but as it is. */
	snprintf(text, sizeof(text), "%d", c.pid);
	ASSERT_EQ(0, put_text(AGENT "/cgroup.procs", text));
	ASSERT_EQ(0, listen("1"));
	EXPECT_EQ(1, do_check(self->phi, session, self->checks, 1));
	ASSERT_EQ(0, listen("0"));
	snprintf(text, sizeof(text), " nr=0x10120 uid=0 agent=%llu ",
		 (unsigned long long)agent.id);
	EXPECT_EQ(2, heard(text));
	ASSERT_EQ(0, client_ask(&c, 'w', &d));
	EXPECT_EQ(agent.id, d.agent);
	EXPECT_EQ(-EBADF, d.error);

	kill.agent = agent.cap;
	ASSERT_EQ(0, PHI_DO(self->phi, AGENT_KILL, &kill));
	EXPECT_EQ(-ESRCH, do_check(self->phi, session, self->checks, 1));
	client_end(&c);
	EXPECT_EQ(0, do_drop(self->phi, agent.cap));
	EXPECT_EQ(0, rmdir(AGENT));
}

TEST_F(session, belongs_to_the_agent_of_its_process)
{
	follow_agent(_metadata, self, false);
}

/* The first thread, which has ended, stays behind in its cgroup. */
TEST_F(session, belongs_to_the_agent_of_a_process_without_leader)
{
	follow_agent(_metadata, self, true);
}

/* A thread that makes a session. */
struct maker {
	int phi;
	int ret;
	pid_t tid;
	uint64_t session;
};

static void *make_session(void *arg)
{
	struct maker *m = arg;

	m->tid = (pid_t)syscall(SYS_gettid);
	m->ret = do_session(m->phi, &m->session);
	return NULL;
}

/* Ask as a process that has the number of an ended thread. */
static int ask_as(pid_t tid, const int go[2], const int come[2])
{
	struct clone_args args = { .exit_signal = SIGCHLD,
				   .set_tid = (uintptr_t)&tid,
				   .set_tid_size = 1 };
	struct phi_decision d;
	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	char word = 0;
	int phi;

	if (pid)
		return pid < 0 ? -errno : pid;
	phi = do_open();
	if (phi < 0 || write(come[1], &word, 1) != 1 ||
	    read(go[0], &word, 1) != 1)
		_exit(1);
	_exit(why(phi, PHI_DECISION_THREAD, &d) == -ENOENT ? 0 : 2);
}

TEST_F(session, decisions_are_not_those_of_the_next_thread)
{
	struct maker m = { .phi = self->phi };
	int go[2], come[2], status;
	pthread_t thread;
	char word = 0;
	pid_t pid;

	ASSERT_EQ(0, pipe2(go, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(come, O_CLOEXEC));
	ASSERT_EQ(0, pthread_create(&thread, NULL, make_session, &m));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	ASSERT_EQ(0, m.ret);
	/* The kernel gives the number back a little after it tells. */
	do
		pid = ask_as(m.tid, go, come);
	while (pid == -EEXIST);
	ASSERT_EQ(m.tid, pid);
	ASSERT_EQ(1, read(come[0], &word, 1));
	self->checks[0].cap = 0x77b;
	EXPECT_EQ(1, do_check(self->phi, m.session, self->checks, 1));
	ASSERT_EQ(1, write(go[1], &word, 1));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	for (int i = 0; i < 2; i++) {
		close(go[i]);
		close(come[i]);
	}
}

TEST_HARNESS_MAIN
