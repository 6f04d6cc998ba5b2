// SPDX-License-Identifier: GPL-2.0-only
/* What ends a call that the server has seen, and what does not. */

#include "kselftest_harness.h"

#include <liburing.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <unistd.h>

#include "phi_message.h"

/* A thread that calls, while io_uring waits for an event on its behalf. */
struct caller {
	pthread_t thread;
	pid_t tid;
	struct io_uring ring;
	int phi;
	int event;
	int result;
	unsigned int done;
	struct phi_call arg;
};

FIXTURE(interrupt)
{
	int server;
	uint64_t ep;
	struct caller caller;
	struct phi_recv recv;
	char data[16];
};

static void *call(void *arg)
{
	struct caller *c = arg;
	struct io_uring_sqe *sqe;

	c->tid = syscall(SYS_gettid);
	c->result = io_uring_queue_init(4, &c->ring, 0);
	if (c->result)
		return NULL;
	sqe = io_uring_get_sqe(&c->ring);
	io_uring_prep_poll_add(sqe, c->event, POLLIN);
	io_uring_submit(&c->ring);
	c->result = PHI_DO(c->phi, CALL, &c->arg);
	c->done = io_uring_cq_ready(&c->ring);
	io_uring_queue_exit(&c->ring);
	return NULL;
}

static void ignore(int sig)
{
	(void)sig;
}

FIXTURE_SETUP(interrupt)
{
	struct sigaction action = { .sa_handler = ignore };
	struct caller *c = &self->caller;
	uint64_t to;

	self->server = do_open();
	ASSERT_LE(0, self->server)
	{
		TH_LOG("is phi.ko loaded?");
	}
	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	c->phi = do_open();
	ASSERT_LE(0, c->phi);
	ASSERT_EQ(0, do_endpoint(self->server, &self->ep));
	ASSERT_EQ(0,
		  do_give(self->server, self->ep, PHI_RIGHT_SEND, c->phi, &to));
	c->arg.endpoint = to;
	c->arg.reply_data = (uintptr_t)self->data;
	c->arg.reply_len = sizeof(self->data);
	c->event = eventfd(0, EFD_CLOEXEC);
	ASSERT_LE(0, c->event);
	ASSERT_EQ(0, pthread_create(&c->thread, NULL, call, c));
	self->recv.endpoint = self->ep;
	ASSERT_EQ(0, PHI_DO(self->server, RECV, &self->recv));
}

FIXTURE_TEARDOWN(interrupt)
{
	close(self->caller.event);
	close(self->caller.phi);
	close(self->server);
}

/*
 * Let io_uring have something to do in the thread that calls, and see that it
 * is done: the thread goes for it and comes back to wait.
 */
static bool happen(struct caller *c)
{
	if (eventfd_write(c->event, 1))
		return false;
	while (!io_uring_cq_ready(&c->ring))
		sched_yield();
	return thread_sleeps(c->tid);
}

TEST_F(interrupt, work_of_io_uring_does_not_end_it)
{
	struct caller *c = &self->caller;

	ASSERT_TRUE(happen(c));
	EXPECT_EQ(0, do_reply(self->server, self->recv.reply, "answer", 6));
	ASSERT_EQ(0, pthread_join(c->thread, NULL));
	EXPECT_EQ(0, c->result);
	EXPECT_EQ(0, memcmp(self->data, "answer", 6));
	EXPECT_EQ(1, c->done);
}

TEST_F(interrupt, a_signal_ends_it_all_the_same)
{
	struct caller *c = &self->caller;

	ASSERT_TRUE(happen(c));
	ASSERT_EQ(0, pthread_kill(c->thread, SIGUSR1));
	ASSERT_EQ(0, pthread_join(c->thread, NULL));
	EXPECT_EQ(-EINTR, c->result);
	EXPECT_EQ(1, c->done);
	EXPECT_EQ(-EPIPE, do_reply(self->server, self->recv.reply, "late", 4));
}

/* The kernel does not send a message again that the server has received. */
TEST_F(interrupt, so_does_a_handler_that_lets_calls_go_on)
{
	struct sigaction action = {
		.sa_handler = ignore,
		.sa_flags = SA_RESTART,
	};
	struct caller *c = &self->caller;

	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	ASSERT_TRUE(thread_sleeps(c->tid));
	ASSERT_EQ(0, pthread_kill(c->thread, SIGUSR1));
	ASSERT_EQ(0, pthread_join(c->thread, NULL));
	EXPECT_EQ(-EINTR, c->result);
	EXPECT_EQ(-EAGAIN, do_take(self->server, self->ep));
}

TEST_F(interrupt, so_does_the_death_of_the_server)
{
	struct caller *c = &self->caller;

	ASSERT_TRUE(happen(c));
	ASSERT_EQ(0, do_drop(self->server, self->recv.reply));
	ASSERT_EQ(0, pthread_join(c->thread, NULL));
	EXPECT_EQ(-EPIPE, c->result);
	EXPECT_EQ(1, c->done);
}

/* A process that calls once; its exit status is 0 for the right answer. */
FIXTURE(halt)
{
	int server;
	uint64_t ep;
	pid_t pid;
	struct phi_recv recv;
	struct phi_system_stats before;
};

/* After a handler has ended the call: make another one, and stop. */
static int go_on(int phi, uint64_t cap)
{
	int ret = do_probe(phi, cap);

	raise(SIGSTOP);
	return ret ?: 255;
}

static int call_once(const struct phi_token *token)
{
	char data[16] = {};
	struct phi_call arg = {
		.data = (uintptr_t)"ask",
		.len = 3,
		.reply_data = (uintptr_t)data,
		.reply_len = sizeof(data),
	};
	int phi = do_open();

	signal(SIGUSR1, ignore);
	if (phi < 0 || do_unseal(phi, token, (uint64_t *)&arg.endpoint))
		return 1;
	if (PHI_DO(phi, CALL, &arg))
		return errno == EINTR ? go_on(phi, arg.endpoint) : errno;
	return arg.reply_len != 6 || memcmp(data, "answer", 6);
}

FIXTURE_SETUP(halt)
{
	struct phi_token token;

	self->server = do_open();
	ASSERT_LE(0, self->server)
	{
		TH_LOG("is phi.ko loaded?");
	}
	ASSERT_EQ(0, do_stats(self->server, &self->before));
	ASSERT_EQ(0, do_endpoint(self->server, &self->ep));
	ASSERT_EQ(0, do_seal(self->server, self->ep, PHI_RIGHT_SEND, 0, 0,
			     &token));
	self->pid = fork();
	if (!self->pid)
		_exit(call_once(&token));
	self->recv.endpoint = self->ep;
	self->recv.data = (uintptr_t)&token;
	self->recv.len = 16;
	ASSERT_EQ(0, PHI_DO(self->server, RECV, &self->recv));
	ASSERT_TRUE(process_sleeps(self->pid));
}

FIXTURE_TEARDOWN(halt)
{
	if (self->pid > 0) {
		kill(self->pid, SIGKILL);
		waitpid(self->pid, NULL, 0);
	}
	do_drop(self->server, self->ep);
	EXPECT_TRUE(do_settled(self->server, &self->before));
	close(self->server);
}

/* Answer it, and see that the answer arrives and no second question came. */
static int answered(FIXTURE_DATA(halt) * self)
{
	int status, ret = do_reply(self->server, self->recv.reply, "answer", 6);

	if (ret || waitpid(self->pid, &status, 0) != self->pid)
		return ret ?: -ECHILD;
	self->pid = 0;
	if (do_take(self->server, self->ep) != -EAGAIN)
		return -EALREADY;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -EINTR;
}

TEST_F(halt, stop_and_continue)
{
	int status;

	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(0, kill(self->pid, SIGSTOP));
		ASSERT_EQ(self->pid, waitpid(self->pid, &status, WUNTRACED));
		ASSERT_TRUE(WIFSTOPPED(status));
		ASSERT_EQ(0, kill(self->pid, SIGCONT));
		ASSERT_EQ(self->pid, waitpid(self->pid, &status, WCONTINUED));
		ASSERT_TRUE(process_sleeps(self->pid));
	}
	EXPECT_EQ(0, answered(self));
}

/* The answer comes while nobody can take it. */
TEST_F(halt, answered_while_stopped)
{
	int status;

	ASSERT_EQ(0, kill(self->pid, SIGSTOP));
	ASSERT_EQ(self->pid, waitpid(self->pid, &status, WUNTRACED));
	ASSERT_EQ(0, do_reply(self->server, self->recv.reply, "answer", 6));
	ASSERT_EQ(0, kill(self->pid, SIGCONT));
	ASSERT_EQ(self->pid, waitpid(self->pid, &status, 0));
	EXPECT_EQ(0, status);
	self->pid = 0;
}

TEST_F(halt, killed_while_stopped)
{
	int status;

	ASSERT_EQ(0, kill(self->pid, SIGSTOP));
	ASSERT_EQ(self->pid, waitpid(self->pid, &status, WUNTRACED));
	ASSERT_EQ(0, kill(self->pid, SIGKILL));
	ASSERT_EQ(self->pid, waitpid(self->pid, &status, 0));
	self->pid = 0;
	EXPECT_EQ(-EPIPE,
		  do_reply(self->server, self->recv.reply, "answer", 6));
}

/* What the server drops while the caller is stopped. */
TEST_F(halt, dropped_while_stopped)
{
	int status;

	ASSERT_EQ(0, kill(self->pid, SIGSTOP));
	ASSERT_EQ(self->pid, waitpid(self->pid, &status, WUNTRACED));
	ASSERT_EQ(0, do_drop(self->server, self->recv.reply));
	ASSERT_EQ(0, kill(self->pid, SIGCONT));
	ASSERT_EQ(self->pid, waitpid(self->pid, &status, 0));
	EXPECT_EQ(EPIPE, WEXITSTATUS(status));
	self->pid = 0;
}

/* A stopped caller keeps neither the endpoint nor its maker's quota. */
TEST_F(halt, revoked_while_stopped)
{
	struct phi_system_stats stats;
	int status;

	ASSERT_EQ(0, kill(self->pid, SIGSTOP));
	ASSERT_EQ(self->pid, waitpid(self->pid, &status, WUNTRACED));
	ASSERT_EQ(0, do_revoke(self->server, self->ep));
	ASSERT_EQ(0, do_drop(self->server, self->ep));
	ASSERT_EQ(0, do_stats(self->server, &stats));
	EXPECT_EQ(self->before.objects[PHI_TYPE_ENDPOINT],
		  stats.objects[PHI_TYPE_ENDPOINT]);
	EXPECT_EQ(-EPIPE,
		  do_reply(self->server, self->recv.reply, "answer", 6));
	ASSERT_EQ(0, kill(self->pid, SIGCONT));
	ASSERT_EQ(self->pid, waitpid(self->pid, &status, 0));
	EXPECT_EQ(EKEYREVOKED, WEXITSTATUS(status));
	self->pid = 0;
}

/* A handler runs before the call goes on: nobody waits for its answer. */
TEST_F(halt, handled_while_stopped)
{
	int status;

	ASSERT_EQ(0, kill(self->pid, SIGSTOP));
	ASSERT_EQ(self->pid, waitpid(self->pid, &status, WUNTRACED));
	ASSERT_EQ(0, kill(self->pid, SIGUSR1));
	ASSERT_EQ(0, kill(self->pid, SIGCONT));
	ASSERT_EQ(self->pid, waitpid(self->pid, &status, WUNTRACED));
	ASSERT_TRUE(WIFSTOPPED(status));
	EXPECT_EQ(-EPIPE,
		  do_reply(self->server, self->recv.reply, "answer", 6));
}

TEST_F(halt, a_debugger_comes_and_goes)
{
	int status;

	/* Without a signal, and with one. */
	ASSERT_EQ(0, ptrace(PTRACE_SEIZE, self->pid, 0, 0));
	ASSERT_EQ(0, ptrace(PTRACE_INTERRUPT, self->pid, 0, 0));
	ASSERT_EQ(self->pid, waitpid(self->pid, &status, __WALL));
	ASSERT_EQ(0, ptrace(PTRACE_DETACH, self->pid, 0, 0));
	ASSERT_TRUE(process_sleeps(self->pid));
	ASSERT_EQ(0, ptrace(PTRACE_ATTACH, self->pid, 0, 0));
	ASSERT_EQ(self->pid, waitpid(self->pid, &status, __WALL));
	ASSERT_EQ(0, ptrace(PTRACE_DETACH, self->pid, 0, 0));
	ASSERT_TRUE(process_sleeps(self->pid));
	EXPECT_EQ(0, answered(self));
}

static int put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int ret = fd < 0 ? -errno : 0;

	if (!ret && write(fd, text, strlen(text)) < 0)
		ret = -errno;
	if (fd >= 0)
		close(fd);
	return ret;
}

static bool freezes(const char *path, int want)
{
	char line[64];
	bool is = false;
	FILE *f = fopen(path, "r");

	while (f && fgets(line, sizeof(line), f))
		is |= !strncmp(line, "frozen ", 7) && line[7] - '0' == want;
	if (f)
		fclose(f);
	return is;
}

TEST_F(halt, frozen_and_thawed)
{
	char dir[] = "/tmp/haltXXXXXX", path[64], pid[16];

	ASSERT_NE(NULL, mkdtemp(dir));
	ASSERT_EQ(0, mount("cgroup2", dir, "cgroup2", 0, NULL));
	snprintf(path, sizeof(path), "%s/halt", dir);
	ASSERT_EQ(0, mkdir(path, 0755));
	snprintf(pid, sizeof(pid), "%d", self->pid);
	snprintf(path, sizeof(path), "%s/halt/cgroup.procs", dir);
	EXPECT_EQ(0, put(path, pid));
	for (int i = 1; i >= 0; i--) {
		snprintf(path, sizeof(path), "%s/halt/cgroup.freeze", dir);
		EXPECT_EQ(0, put(path, i ? "1" : "0"));
		snprintf(path, sizeof(path), "%s/halt/cgroup.events", dir);
		while (!freezes(path, i))
			sched_yield();
	}
	EXPECT_TRUE(process_sleeps(self->pid));
	EXPECT_EQ(0, answered(self));
	snprintf(path, sizeof(path), "%s/halt", dir);
	EXPECT_EQ(0, rmdir(path));
	EXPECT_EQ(0, umount(dir));
	EXPECT_EQ(0, rmdir(dir));
}

TEST_HARNESS_MAIN
