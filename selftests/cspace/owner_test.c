// SPDX-License-Identifier: GPL-2.0-only
/*
 * When a process ends, and when it does not: its peers hear of its end, who
 * else has its file or not, and of nothing else.
 */

#include "kselftest_harness.h"

#include <sched.h>
#include <signal.h>

#include "phi_message.h"

/* A process that owns an endpoint, and what the test talks to it with. */
FIXTURE(owner)
{
	int phi;
	uint64_t to;
	struct phi_system_stats before;
	int up[2]; /* from the owner: a token, then pids */
	int down[2]; /* to it: a byte to go on, or the end */
	struct phi_call arg;
	struct job job;
};

FIXTURE_SETUP(owner)
{
	self->phi = do_open();
	ASSERT_LE(0, self->phi)
	{
		TH_LOG("is phi.ko loaded?");
	}
	ASSERT_EQ(0, do_stats(self->phi, &self->before));
	ASSERT_EQ(0, pipe2(self->up, O_CLOEXEC));
	ASSERT_EQ(0, pipe(self->down));
}

FIXTURE_TEARDOWN(owner)
{
	close(self->down[1]);
	close(self->down[0]);
	close(self->up[0]);
	close(self->up[1]);
	if (self->to)
		EXPECT_EQ(0, do_drop(self->phi, self->to));
	EXPECT_TRUE(do_settled(self->phi, &self->before));
	close(self->phi);
}

/* In the owner: open a cspace, and send a token of an endpoint of it. */
static int own(int up, uint64_t *ep)
{
	struct phi_token token;
	int phi = do_open();

	if (phi < 0 || do_endpoint(phi, ep) ||
	    do_seal(phi, *ep, PHI_RIGHT_SEND, 0, 0, &token) ||
	    write(up, &token, sizeof(token)) != sizeof(token))
		_exit(1);
	return phi;
}

/* Wait for the byte that the test sends. */
static void pause_for(int down)
{
	char byte;

	if (read(down, &byte, 1) < 0)
		_exit(1);
}

static void tell(int up, pid_t pid)
{
	if (write(up, &pid, sizeof(pid)) != sizeof(pid))
		_exit(1);
}

#define GO_ON(_self) ASSERT_EQ(1, write((_self)->down[1], "", 1))

/* In the test: take the token, and have a thread call the owner. */
static int call_owner(FIXTURE_DATA(owner) * self)
{
	struct phi_token token;
	int ret;

	if (read(self->up[0], &token, sizeof(token)) != sizeof(token))
		return -EPIPE;
	ret = do_unseal(self->phi, &token, &self->to);
	if (ret)
		return ret;
	self->arg.endpoint = self->to;
	self->job = JOB(self->phi, CALL, &self->arg);
	return job_start(&self->job);
}

static pid_t told(int up)
{
	pid_t pid;

	return read(up, &pid, sizeof(pid)) == sizeof(pid) ? pid : -1;
}

/* End a process that is no child of this one. */
static void end(pid_t pid)
{
	if (pid > 0)
		kill(pid, SIGKILL);
}

static void *leave_with_files(void *arg)
{
	(void)arg;
	return (void *)(long)unshare(CLONE_FILES);
}

/* A thread ends and takes its own table of files along. */
TEST_F(owner, lives_when_a_thread_with_its_own_files_ends)
{
	pid_t pid = fork();

	if (!pid) {
		struct phi_recv recv;
		pthread_t thread;
		uint64_t ep;
		void *ret;
		int phi = own(self->up[1], &ep);

		for (int i = 0; i < 3; i++) {
			if (pthread_create(&thread, NULL, leave_with_files,
					   NULL) ||
			    pthread_join(thread, &ret) || ret)
				_exit(2);
		}
		pause_for(self->down[0]);
		if (do_recv(phi, ep, NULL, 0, &recv) ||
		    do_reply(phi, recv.reply, NULL, 0))
			_exit(3);
		_exit(0);
	}
	ASSERT_EQ(0, call_owner(self));
	GO_ON(self);
	EXPECT_EQ(0, job_join(&self->job));
	waitpid(pid, NULL, 0);
}

static void *answer_one(void *arg)
{
	struct phi_recv recv;
	int *fds = arg;
	uint64_t ep;
	int phi = own(fds[0], &ep);

	pause_for(fds[1]);
	if (do_recv(phi, ep, NULL, 0, &recv) ||
	    do_reply(phi, recv.reply, NULL, 0))
		_exit(3);
	pause_for(fds[1]);
	_exit(0);
}

/* The first thread of a process ends before the others. */
TEST_F(owner, lives_on_without_its_first_thread)
{
	pid_t pid = fork();

	if (!pid) {
		int fds[] = { self->up[1], self->down[0] };
		pthread_t thread;

		if (pthread_create(&thread, NULL, answer_one, fds))
			_exit(2);
		pthread_exit(NULL);
	}
	ASSERT_EQ(0, call_owner(self));
	while (process_state(pid) != 'Z')
		;
	GO_ON(self);
	EXPECT_EQ(0, job_join(&self->job));
	self->job = JOB(self->phi, CALL, &self->arg);
	ASSERT_EQ(0, job_start(&self->job));
	GO_ON(self);
	EXPECT_EQ(-EPIPE, job_join(&self->job));
	waitpid(pid, NULL, 0);
}

/* Somebody else still has the file, in a table that both share. */
TEST_F(owner, ends_though_its_table_of_files_lives)
{
	pid_t pid = fork();

	if (!pid) {
		uint64_t ep;
		pid_t child;

		own(self->up[1], &ep);
		child = syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
		if (!child) {
			for (;;)
				pause();
		}
		tell(self->up[1], child);
		pause_for(self->down[0]);
		_exit(0);
	}
	ASSERT_EQ(0, call_owner(self));
	GO_ON(self);
	EXPECT_EQ(-EPIPE, job_join(&self->job));
	waitpid(pid, NULL, 0);
	end(told(self->up[0]));
}

/* A child inherited the file, and the owner has closed its descriptor. */
TEST_F(owner, ends_without_its_descriptor)
{
	pid_t pid = fork();

	if (!pid) {
		uint64_t ep;
		pid_t child;
		int phi = own(self->up[1], &ep);

		child = fork();
		if (!child) {
			for (;;)
				pause();
		}
		close(phi);
		tell(self->up[1], child);
		pause_for(self->down[0]);
		_exit(0);
	}
	ASSERT_EQ(0, call_owner(self));
	GO_ON(self);
	EXPECT_EQ(-EPIPE, job_join(&self->job));
	waitpid(pid, NULL, 0);
	end(told(self->up[0]));
}

static void *execute(void *arg)
{
	char *const argv[] = { "cat", NULL };

	dup2(*(int *)arg, STDIN_FILENO);
	execvp("cat", argv);
	_exit(4);
}

/* Another thread than the first executes: the process stays the same. */
TEST_F(owner, ends_with_what_it_executes)
{
	pid_t child, pid = fork();

	if (!pid) {
		pthread_t thread;
		uint64_t ep;

		close(self->down[1]);
		own(self->up[1], &ep);
		child = fork();
		if (!child) {
			for (;;)
				pause();
		}
		tell(self->up[1], child);
		if (pthread_create(&thread, NULL, execute, &self->down[0]))
			_exit(2);
		for (;;)
			pause();
	}
	ASSERT_EQ(0, call_owner(self));
	child = told(self->up[0]);
	/* It reads until the pipe ends, so it runs now. */
	close(self->down[1]);
	self->down[1] = -1;
	EXPECT_EQ(-EPIPE, job_join(&self->job));
	waitpid(pid, NULL, 0);
	end(child);
}

/* A shared cspace is not its opener's alone. */
TEST_F(owner, leaves_a_shared_cspace)
{
	pid_t child, pid = fork();

	if (!pid) {
		uint64_t ep;
		int phi = own(self->up[1], &ep);

		if (do_share(phi, 1))
			_exit(1);
		child = fork();
		if (!child) {
			struct phi_recv recv;

			pause_for(self->down[0]);
			if (do_recv(phi, ep, NULL, 0, &recv) ||
			    do_reply(phi, recv.reply, NULL, 0))
				_exit(3);
			_exit(0);
		}
		_exit(0);
	}
	ASSERT_EQ(0, call_owner(self));
	waitpid(pid, NULL, 0);
	GO_ON(self);
	EXPECT_EQ(0, job_join(&self->job));
}

TEST_HARNESS_MAIN
