// SPDX-License-Identifier: GPL-2.0-only
/* Charges: what the processes of an agent do is paid for by its budget. */

#include "kselftest_harness.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "amounts.h"
#include "file.h"
#include "infer_ioctl.h"

#define CGROUPS "/sys/fs/cgroup"
#define OUTER CGROUPS "/phi-charge-test"
#define INNER OUTER "/inner"
#define MOVED PHI_BUDGET_MOVED
#define UNIT PHI_BUDGET_UNIT

FIXTURE(charge)
{
	int phi; /* of the supervisor, outside of the agent */
	uint64_t agent, budget;
	struct phi_system_stats before;
};

static int do_agent(int phi, const char *path, uint64_t parent, uint64_t *cap)
{
	struct phi_agent_register arg = { .name = "charge", .parent = parent };
	int ret;

	arg.cgroup = open(path, O_RDONLY | O_CLOEXEC);
	ret = PHI_DO(phi, AGENT_REGISTER, &arg);
	if (arg.cgroup >= 0)
		close(arg.cgroup);
	*cap = arg.cap;
	return ret;
}

static int do_charge(int phi, uint64_t agent, uint64_t budget)
{
	struct phi_agent_charge arg = { .agent = agent, .budget = budget };

	return PHI_DO(phi, AGENT_CHARGE, &arg);
}

static int do_amounts(int phi, uint64_t parent, uint64_t calls, uint64_t moved,
		      uint64_t unit, uint64_t *cap)
{
	struct phi_budget_create arg = { .parent = parent };
	int ret;

	arg.amount[CALLS] = calls;
	arg.amount[MOVED] = moved;
	arg.amount[UNIT] = unit;
	ret = PHI_DO(phi, BUDGET_CREATE, &arg);
	*cap = arg.cap;
	return ret;
}

/* Become a process of the agent that a cgroup is. */
static void go(const char *path)
{
	char file[128];

	snprintf(file, sizeof(file), "%s/cgroup.procs", path);
	if (put_text(file, "0"))
		_exit(99);
}

FIXTURE_SETUP(charge)
{
	self->phi = do_open();
	ASSERT_LE(0, self->phi)
	{
		TH_LOG("is phi.ko loaded?");
	}
	if (access(CGROUPS "/cgroup.procs", F_OK))
		mount("cgroup2", CGROUPS, "cgroup2", 0, NULL);
	rmdir(INNER);
	rmdir(OUTER);
	ASSERT_EQ(0, mkdir(OUTER, 0755));
	ASSERT_EQ(0, mkdir(INNER, 0755));
	ASSERT_EQ(0, do_stats(self->phi, &self->before));
	ASSERT_EQ(0, do_agent(self->phi, OUTER, 0, &self->agent));
	ASSERT_EQ(0, do_amounts(self->phi, 0, 10, 1000, 0, &self->budget));
}

FIXTURE_TEARDOWN(charge)
{
	close(self->phi);
	EXPECT_EQ(0, rmdir(INNER));
	EXPECT_EQ(0, rmdir(OUTER));
	EXPECT_TRUE(do_restored(&self->before));
}

TEST_F(charge, refuses_bad_input)
{
	uint64_t weak, kept, no_admin;

	ASSERT_EQ(0, do_derive(self->phi, self->budget,
			       PHI_RIGHT_READ | PHI_RIGHT_GRANT, &weak));
	ASSERT_EQ(0,
		  do_derive(self->phi, self->budget, PHI_RIGHT_WRITE, &kept));
	ASSERT_EQ(0,
		  do_derive(self->phi, self->agent, PHI_RIGHT_READ, &no_admin));
	EXPECT_EQ(-EPERM, do_charge(self->phi, self->agent, weak));
	EXPECT_EQ(-EPERM, do_charge(self->phi, self->agent, kept));
	EXPECT_EQ(-EPERM, do_charge(self->phi, no_admin, self->budget));
	EXPECT_EQ(-EINVAL, do_charge(self->phi, self->budget, self->budget));
	EXPECT_EQ(-EINVAL, do_charge(self->phi, self->agent, self->agent));
	EXPECT_EQ(-EBADF, do_charge(self->phi, self->agent, 0x777));
	EXPECT_EQ(0, do_charge(self->phi, self->agent, self->budget));
	EXPECT_EQ(0, do_charge(self->phi, self->agent, 0));
}

/* Ten calls pass, and the next one says why it does not. */
static int spend_calls(void *arg)
{
	struct phi_decision_query ask = { .flags = PHI_DECISION_BEFORE };
	uint64_t cap[10], more;
	int phi;

	go(arg);
	phi = do_open();
	for (int i = 0; i < 10; i++) {
		if (do_notify(phi, &cap[i]))
			return -i - 1;
	}
	if (do_notify(phi, &more) != -EDQUOT)
		return -20;
	if (PHI_DO(phi, DECISION_QUERY, &ask))
		return -21;
	if (ask.decision.where != PHI_DECIDED_BUDGET ||
	    ask.decision.kind != CALLS || ask.decision.asked != 1 ||
	    ask.decision.used != ask.decision.limit)
		return -22;
	/* It gives back all the same. */
	return do_drop(phi, cap[0]) ?: (int)ask.decision.limit;
}

TEST_F(charge, calls)
{
	ASSERT_EQ(0, do_charge(self->phi, self->agent, self->budget));
	ASSERT_EQ(10, in_child(spend_calls, OUTER));
	EXPECT_TRUE(has(self->phi, self->budget, CALLS, 10, 0, 10, 0));
	/* More of it lets more pass, and without a budget all does. */
	ASSERT_EQ(0, do_grant_of(self->phi, self->budget, self->budget, 10));
	ASSERT_EQ(20, in_child(spend_calls, OUTER));
	EXPECT_TRUE(has(self->phi, self->budget, CALLS, 20, 0, 20, 0));
	ASSERT_EQ(0, do_charge(self->phi, self->agent, 0));
	EXPECT_EQ(-20, in_child(spend_calls, OUTER));
}

static int fail_once(void *arg)
{
	int phi;

	go(arg);
	phi = do_open();
	return do_signal(phi, 0x777, 1) == -EBADF ? 0 : -1;
}

TEST_F(charge, calls_that_fail)
{
	ASSERT_EQ(0, do_charge(self->phi, self->agent, self->budget));
	ASSERT_EQ(0, in_child(fail_once, OUTER));
	EXPECT_TRUE(has(self->phi, self->budget, CALLS, 10, 0, 1, 0));
	EXPECT_TRUE(has(self->phi, self->budget, MOVED, 1000, 0, 0, 0));
}

/* 100 bytes go out and come in; what was only room is not spent. */
static int move(void *arg)
{
	char data[256] = {};
	struct phi_recv recv = { .flags = PHI_NONBLOCK,
				 .data = (uintptr_t)data,
				 .len = sizeof(data) };
	uint64_t ep;
	int phi;

	go(arg);
	phi = do_open();
	if (do_endpoint(phi, &ep) || do_send(phi, ep, data, 100))
		return -1;
	recv.endpoint = ep;
	if (PHI_DO(phi, RECV, &recv))
		return -2;
	/* Of 1000 bytes 800 are left, which is enough for three messages. */
	for (int i = 0; i < 3; i++) {
		if (do_send(phi, ep, data, 256))
			return -3;
	}
	return do_send(phi, ep, data, 256) == -EDQUOT ? 0 : -4;
}

TEST_F(charge, bytes)
{
	ASSERT_EQ(0, do_charge(self->phi, self->agent, self->budget));
	ASSERT_EQ(0, in_child(move, OUTER));
	EXPECT_TRUE(has(self->phi, self->budget, MOVED, 1000, 0, 968, 0));
	EXPECT_TRUE(has(self->phi, self->budget, CALLS, 10, 0, 6, 0));
}

/* A thread that serves another one of its process, which it may interrupt. */
struct server {
	int phi;
	uint64_t ep;
	pthread_t caller;
	int ret;
};

static void noted(int sig)
{
	(void)sig;
}

/* A signal that ends what a thread waits in. */
static void hear(void)
{
	const struct sigaction action = { .sa_handler = noted };

	sigaction(SIGUSR1, &action, NULL);
}

static int do_ask(int phi, uint64_t ep, void *data, uint32_t len)
{
	struct phi_call arg = { .endpoint = ep,
				.data = (uintptr_t)data,
				.len = len,
				.reply_data = (uintptr_t)data,
				.reply_len = 128 };

	return PHI_DO(phi, CALL, &arg);
}

static void *take_and_interrupt(void *arg)
{
	struct server *server = arg;
	struct phi_recv recv;
	char data[128];

	server->ret = do_recv_soon(server->phi, server->ep, data, sizeof(data),
				   &recv);
	pthread_kill(server->caller, SIGUSR1);
	return NULL;
}

/* The server has the message when a signal ends the call. */
static int ask_in_vain(void *arg)
{
	struct server server = { .caller = pthread_self() };
	char data[128] = {};
	pthread_t thread;
	int ret;

	go(arg);
	hear();
	server.phi = do_open();
	if (do_endpoint(server.phi, &server.ep) ||
	    pthread_create(&thread, NULL, take_and_interrupt, &server))
		return -1;
	ret = do_ask(server.phi, server.ep, data, 100);
	pthread_join(thread, NULL);
	return server.ret ? -2 : ret;
}

TEST_F(charge, bytes_of_a_call_that_fails)
{
	ASSERT_EQ(0, do_charge(self->phi, self->agent, self->budget));
	ASSERT_EQ(-EINTR, in_child(ask_in_vain, OUTER));
	/* Out and in. */
	EXPECT_TRUE(has(self->phi, self->budget, MOVED, 1000, 0, 200, 0));
	EXPECT_TRUE(has(self->phi, self->budget, CALLS, 10, 0, 3, 0));
}

static void *ask_and_interrupt(void *arg)
{
	struct server *server = arg;
	char data[128] = {};

	server->ret = do_ask(server->phi, server->ep, data, 40);
	pthread_kill(server->caller, SIGUSR1);
	return NULL;
}

/* An answer goes out, and nothing comes in. */
static int answer_and_wait(const char *path, uint32_t flags)
{
	struct server server = { .caller = pthread_self() };
	struct phi_reply_recv arg = {};
	char data[128] = {};
	pthread_t thread;
	int ret;

	go(path);
	hear();
	server.phi = do_open();
	if (do_endpoint(server.phi, &server.ep) ||
	    pthread_create(&thread, NULL, ask_and_interrupt, &server) ||
	    do_recv_soon(server.phi, server.ep, data, sizeof(data), &arg.recv))
		return -1;
	arg.reply = (struct phi_reply){ .size = sizeof(arg.reply),
					.reply = arg.recv.reply,
					.data = (uintptr_t)data,
					.len = 100 };
	arg.recv = (struct phi_recv){ .size = sizeof(arg.recv),
				      .flags = flags,
				      .endpoint = server.ep,
				      .data = (uintptr_t)data,
				      .len = sizeof(data) };
	ret = PHI_DO(server.phi, REPLY_RECV, &arg);
	pthread_join(thread, NULL);
	return server.ret ? -2 : ret;
}

static int answer_and_look(void *arg)
{
	return answer_and_wait(arg, PHI_NONBLOCK);
}

static int answer_and_sleep(void *arg)
{
	return answer_and_wait(arg, 0);
}

TEST_F(charge, bytes_of_an_answer)
{
	ASSERT_EQ(0, do_charge(self->phi, self->agent, self->budget));
	ASSERT_EQ(-EAGAIN, in_child(answer_and_look, OUTER));
	/* 40 out and in, 100 out and in. */
	EXPECT_TRUE(has(self->phi, self->budget, MOVED, 1000, 0, 280, 0));
	EXPECT_TRUE(has(self->phi, self->budget, CALLS, 10, 0, 4, 0));
	ASSERT_EQ(-EINTR, in_child(answer_and_sleep, OUTER));
	EXPECT_TRUE(has(self->phi, self->budget, MOVED, 1000, 0, 560, 0));
	EXPECT_TRUE(has(self->phi, self->budget, CALLS, 10, 0, 8, 0));
}

static int signal_itself(void *arg)
{
	struct phi_thread_register make = {};
	struct phi_thread_signal send = { .len = 50 };
	char data[64] = {};
	uint64_t ep;
	int phi;

	go(arg);
	phi = do_open();
	if (do_endpoint(phi, &ep))
		return -1;
	make.endpoint = ep;
	if (PHI_DO(phi, THREAD_REGISTER, &make))
		return -2;
	send.thread = make.cap;
	send.data = (uintptr_t)data;
	return PHI_DO(phi, THREAD_SIGNAL, &send);
}

TEST_F(charge, bytes_to_a_thread)
{
	ASSERT_EQ(0, do_charge(self->phi, self->agent, self->budget));
	ASSERT_EQ(0, in_child(signal_itself, OUTER));
	EXPECT_TRUE(has(self->phi, self->budget, MOVED, 1000, 0, 50, 0));
	EXPECT_TRUE(has(self->phi, self->budget, CALLS, 10, 0, 3, 0));
}

/* A process of the agent that asks the test, and is stopped meanwhile. */
static pid_t ask_and_stop(int phi, uint64_t *reply)
{
	struct phi_token token;
	struct phi_recv recv;
	char data[128] = {};
	uint64_t ep, cap;
	int status;
	pid_t pid;

	if (do_endpoint(phi, &ep) ||
	    do_seal(phi, ep, PHI_RIGHT_SEND, 0, 0, &token))
		return -1;
	pid = fork();
	if (!pid) {
		go(OUTER);
		phi = do_open();
		if (do_unseal(phi, &token, &cap))
			_exit(98);
		_exit(-do_ask(phi, cap, data, 100));
	}
	if (do_recv_soon(phi, ep, data, sizeof(data), &recv) ||
	    kill(pid, SIGSTOP) || waitpid(pid, &status, WUNTRACED) != pid)
		return -1;
	*reply = recv.reply;
	return pid;
}

/* What is interrupted by a stop is paid for once, when it ends. */
TEST_F(charge, a_call_that_is_stopped)
{
	uint64_t reply;
	int status;
	pid_t pid;

	ASSERT_EQ(0, do_charge(self->phi, self->agent, self->budget));
	pid = ask_and_stop(self->phi, &reply);
	ASSERT_LT(0, pid);
	ASSERT_EQ(0, do_reply(self->phi, reply, "answer", 6));
	ASSERT_EQ(0, kill(pid, SIGCONT));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_TRUE(has(self->phi, self->budget, MOVED, 1000, 0, 106, 0));
	EXPECT_TRUE(has(self->phi, self->budget, CALLS, 10, 0, 2, 0));

	pid = ask_and_stop(self->phi, &reply);
	ASSERT_LT(0, pid);
	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(has(self->phi, self->budget, MOVED, 1000, 0, 206, 0));
	EXPECT_TRUE(has(self->phi, self->budget, CALLS, 10, 0, 4, 0));
}

static int call_once(void *arg)
{
	uint64_t cap;
	int phi;

	go(arg);
	phi = do_open();
	return do_notify(phi, &cap);
}

/* Dropped it goes on, for the agent has its own below; revoked it ends. */
TEST_F(charge, ends_with_the_capability)
{
	uint64_t lent;

	ASSERT_EQ(0, do_derive(self->phi, self->budget,
			       PHI_RIGHT_WRITE | PHI_RIGHT_GRANT, &lent));
	ASSERT_EQ(0, do_charge(self->phi, self->agent, lent));
	ASSERT_EQ(0, do_drop(self->phi, lent));
	EXPECT_EQ(0, in_child(call_once, OUTER));
	EXPECT_TRUE(has(self->phi, self->budget, CALLS, 10, 0, 1, 0));
	ASSERT_EQ(0, do_revoke(self->phi, self->budget));
	EXPECT_EQ(-EKEYREVOKED, in_child(call_once, OUTER));
}

/* With the agent goes its purse, whoever still names the agent. */
TEST_F(charge, ends_with_the_agent)
{
	struct phi_agent_kill kill = { .agent = self->agent };
	uint64_t lent;

	ASSERT_EQ(0, do_amounts(self->phi, self->budget, 4, 0, 0, &lent));
	ASSERT_EQ(0, do_charge(self->phi, self->agent, lent));
	EXPECT_EQ(0, in_child(call_once, OUTER));
	ASSERT_EQ(0, do_drop(self->phi, lent));
	EXPECT_TRUE(has(self->phi, self->budget, CALLS, 10, 0, 0, 4));
	ASSERT_EQ(0, PHI_DO(self->phi, AGENT_KILL, &kill));
	EXPECT_TRUE(has(self->phi, self->budget, CALLS, 10, 0, 1, 0));
	EXPECT_EQ(-ESRCH, do_charge(self->phi, self->agent, self->budget));
	EXPECT_EQ(-ESRCH, do_charge(self->phi, self->agent, 0));
}

/* An agent below has its own only where that comes out of the outer one. */
TEST_F(charge, nested)
{
	uint64_t inner, below, beside;

	ASSERT_EQ(0, do_agent(self->phi, INNER, self->agent, &inner));
	ASSERT_EQ(0, do_charge(self->phi, self->agent, self->budget));
	EXPECT_EQ(0, in_child(call_once, INNER));
	EXPECT_TRUE(has(self->phi, self->budget, CALLS, 10, 0, 1, 0));

	ASSERT_EQ(0, do_amounts(self->phi, 0, 5, 0, 0, &beside));
	ASSERT_EQ(0, do_charge(self->phi, inner, beside));
	EXPECT_EQ(0, in_child(call_once, INNER));
	EXPECT_TRUE(has(self->phi, beside, CALLS, 5, 0, 0, 0));
	EXPECT_TRUE(has(self->phi, self->budget, CALLS, 10, 0, 2, 0));

	ASSERT_EQ(0, do_amounts(self->phi, self->budget, 1, 0, 0, &below));
	ASSERT_EQ(0, do_charge(self->phi, inner, below));
	EXPECT_EQ(0, in_child(call_once, INNER));
	EXPECT_EQ(-EDQUOT, in_child(call_once, INNER));
	EXPECT_TRUE(has(self->phi, below, CALLS, 1, 0, 1, 0));
	EXPECT_TRUE(has(self->phi, self->budget, CALLS, 10, 0, 2, 1));
}

/* A check is a call, and the bytes that it asks for are moved. */
static int ask_for_itself(void *arg)
{
	struct phi_check checks[3] = { { .bytes = 600 },
				       { .bytes = 600 },
				       { .bytes = 400 } };
	struct phi_call_check ask = { .checks = (uintptr_t)checks, .count = 3 };
	int phi;

	go(arg);
	phi = do_open();
	if (PHI_DO(phi, CALL_CHECK, &ask) || ask.refused != 1)
		return -1;
	return checks[1].result == -EDQUOT && !checks[2].result ? 0 : -2;
}

TEST_F(charge, checks)
{
	ASSERT_EQ(0, do_charge(self->phi, self->agent, self->budget));
	ASSERT_EQ(0, in_child(ask_for_itself, OUTER));
	EXPECT_TRUE(has(self->phi, self->budget, MOVED, 1000, 0, 1000, 0));
	EXPECT_TRUE(has(self->phi, self->budget, CALLS, 10, 0, 3, 0));
}

/* By a session, the agent of the client pays, and not who asks. */
TEST_F(charge, checks_for_a_client)
{
	struct phi_check check = { .bytes = 70 };
	struct phi_session_create make = {};
	struct phi_call_check ask = { .checks = (uintptr_t)&check, .count = 1 };

	ASSERT_EQ(0, PHI_DO(self->phi, SESSION_CREATE, &make));
	ASSERT_EQ(0, do_charge(self->phi, self->agent, self->budget));
	ask.session = make.cap;
	ASSERT_EQ(0, PHI_DO(self->phi, CALL_CHECK, &ask));
	EXPECT_TRUE(has(self->phi, self->budget, MOVED, 1000, 0, 0, 0));
	go(OUTER);
	ASSERT_EQ(0, PHI_DO(self->phi, CALL_CHECK, &ask));
	EXPECT_EQ(0, ask.refused);
	go(CGROUPS);
	/* The call itself is the asker's, the check the client's: both here. */
	EXPECT_TRUE(has(self->phi, self->budget, MOVED, 1000, 0, 70, 0));
	EXPECT_TRUE(has(self->phi, self->budget, CALLS, 10, 0, 2, 0));
}

/* The time of a batch: all that there is, when it takes longer. */
static int infer(void *arg)
{
	struct phi_infer_begin begin;
	uint64_t unit, model, id;
	uint32_t number;
	int phi, ret;

	go(arg);
	phi = do_open();
	if (do_unit(phi, PHI_UNIT_CPU, 2, &number, &unit) ||
	    do_model(phi, 8, 1, &id, &model))
		return -1;
	ret = do_begin(phi, model, 1, &begin);
	return ret ?: do_end(phi, begin.ticket, 0);
}

TEST_F(charge, time_of_units)
{
	uint64_t some;

	ASSERT_EQ(0, do_charge(self->phi, self->agent, self->budget));
	EXPECT_EQ(-EDQUOT, in_child(infer, OUTER));
	ASSERT_EQ(0, do_amounts(self->phi, 0, 100, 0, 1, &some));
	ASSERT_EQ(0, do_charge(self->phi, self->agent, some));
	EXPECT_EQ(0, in_child(infer, OUTER));
	EXPECT_TRUE(has(self->phi, some, UNIT, 1, 0, 1, 0));
	EXPECT_EQ(-EDQUOT, in_child(infer, OUTER));
}

TEST_HARNESS_MAIN
