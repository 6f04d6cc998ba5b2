// SPDX-License-Identifier: GPL-2.0-only
/* Threads that register: how they end, and who waits for it. */
#include <kselftest_harness.h>

#include <sys/mman.h>

#include "peer.h"

#define MANY 40

FIXTURE(thread)
{
	struct phi_system_stats before;
	struct peer peer;
	int phi;
};

FIXTURE_SETUP(thread)
{
	ASSERT_EQ(0, do_baseline(&self->before))
	{
		TH_LOG("is phi.ko loaded?");
	}
	self->phi = do_open();
	ASSERT_LE(0, self->phi);
}

FIXTURE_TEARDOWN(thread)
{
	close(self->phi);
	EXPECT_TRUE(do_restored(&self->before));
}

TEST_F(thread, leaves_a_status)
{
	struct phi_thread_query q;
	struct phi_thread_join j;
	struct phi_cap_query info;

	self->peer.status = -5000000000;
	ASSERT_EQ(0, peer_start(&self->peer, self->phi));
	ASSERT_EQ(0, do_query(self->phi, self->peer.cap, &info));
	EXPECT_EQ(PHI_TYPE_THREAD, info.type);
	EXPECT_EQ(PHI_RIGHT_READ | PHI_RIGHT_WRITE | PHI_RIGHT_EXEC |
			  PHI_RIGHT_ADMIN | PHI_RIGHT_GRANT,
		  info.rights);
	ASSERT_EQ(0, do_thread_query(self->phi, self->peer.cap, &q));
	EXPECT_EQ(PHI_THREAD_RUNS, q.how);
	EXPECT_EQ(getpid(), q.pid);
	EXPECT_NE(getpid(), q.tid);
	EXPECT_NE(0, q.tid);
	EXPECT_EQ(-EAGAIN,
		  do_join(self->phi, self->peer.cap, PHI_NONBLOCK, &j));
	peer_stop(&self->peer);
	ASSERT_EQ(0, do_join(self->phi, self->peer.cap, 0, &j));
	EXPECT_EQ(PHI_THREAD_EXITED, j.how);
	EXPECT_EQ(-5000000000, j.status);
	/* As often as one likes, and it stays so. */
	ASSERT_EQ(0, do_join(self->phi, self->peer.cap, PHI_NONBLOCK, &j));
	EXPECT_EQ(-5000000000, j.status);
	ASSERT_EQ(0, do_thread_query(self->phi, self->peer.cap, &q));
	EXPECT_EQ(PHI_THREAD_EXITED, q.how);
	EXPECT_EQ(-5000000000, q.status);
	EXPECT_EQ(0, q.tid);
	EXPECT_EQ(0, q.cpus);
}

TEST_F(thread, without_a_status)
{
	struct phi_thread_join j;

	ASSERT_EQ(0, peer_start(&self->peer, self->phi));
	peer_stop(&self->peer);
	ASSERT_EQ(0, do_join(self->phi, self->peer.cap, 0, &j));
	EXPECT_EQ(PHI_THREAD_EXITED, j.how);
	EXPECT_EQ(0, j.status);
}

/* A child in the shared cspace, which registers and then does as it is told. */
static pid_t child_start(int phi, uint64_t *cap, void (*end)(void))
{
	struct peer *peer = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int ready = eventfd(0, EFD_CLOEXEC);
	pid_t pid;

	if (peer == MAP_FAILED)
		return -1;
	pid = fork();
	if (!pid) {
		peer->ret = do_register(phi, 0, &peer->cap);
		gate_open(ready);
		end();
		_exit(99);
	}
	gate_pass(ready);
	*cap = peer->cap;
	if (peer->ret) {
		printf("# the child registers: %d\n", peer->ret);
		pid = -1;
	}
	munmap(peer, 4096);
	close(ready);
	return pid;
}

static void end_exit(void)
{
	_exit(7);
}

static void end_wait(void)
{
	pause();
}

static void end_exec(void)
{
	execl("/bin/sh", "sh", "-c", "exit 5", NULL);
}

static void *exec_thread(void *arg)
{
	execl("/bin/sh", "sh", "-c", "exit 5", NULL);
	return arg;
}

/* Another thread executes a program: this one, the first, is killed. */
static void end_exec_beside(void)
{
	pthread_t thread;

	if (!pthread_create(&thread, NULL, exec_thread, NULL))
		pause();
}

TEST_F(thread, of_a_process_that_exits)
{
	struct phi_thread_join j;
	uint64_t cap;
	pid_t pid;

	ASSERT_EQ(0, do_share(self->phi, 1));
	pid = child_start(self->phi, &cap, end_exit);
	ASSERT_LT(0, pid);
	ASSERT_EQ(0, do_join(self->phi, cap, 0, &j));
	EXPECT_EQ(PHI_THREAD_EXITED, j.how);
	EXPECT_EQ(7, j.status);
	EXPECT_EQ(pid, waitpid(pid, NULL, 0));
}

TEST_F(thread, of_a_process_that_is_killed)
{
	struct phi_thread_join j;
	uint64_t cap;
	pid_t pid;

	ASSERT_EQ(0, do_share(self->phi, 1));
	pid = child_start(self->phi, &cap, end_wait);
	ASSERT_LT(0, pid);
	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_EQ(0, do_join(self->phi, cap, 0, &j));
	EXPECT_EQ(PHI_THREAD_KILLED, j.how);
	EXPECT_EQ(SIGKILL, j.status);
	EXPECT_EQ(pid, waitpid(pid, NULL, 0));
}

TEST_F(thread, that_executes_a_program)
{
	struct phi_thread_query q;
	struct phi_thread_join j;
	uint64_t cap;
	pid_t pid;

	ASSERT_EQ(0, do_share(self->phi, 1));
	pid = child_start(self->phi, &cap, end_exec);
	ASSERT_LT(0, pid);
	ASSERT_EQ(0, do_join(self->phi, cap, 0, &j));
	EXPECT_EQ(PHI_THREAD_EXECED, j.how);
	EXPECT_EQ(0, j.status);
	EXPECT_EQ(pid, waitpid(pid, NULL, 0));
	ASSERT_EQ(0, do_thread_query(self->phi, cap, &q));
	EXPECT_EQ(PHI_THREAD_EXECED, q.how);
}

TEST_F(thread, beside_one_that_executes_a_program)
{
	struct phi_thread_join j;
	uint64_t cap;
	pid_t pid;

	ASSERT_EQ(0, do_share(self->phi, 1));
	pid = child_start(self->phi, &cap, end_exec_beside);
	ASSERT_LT(0, pid);
	ASSERT_EQ(0, do_join(self->phi, cap, 0, &j));
	EXPECT_NE(PHI_THREAD_EXECED, j.how);
	EXPECT_EQ(pid, waitpid(pid, NULL, 0));
}

TEST_F(thread, a_fork_is_another_one)
{
	uint64_t cap;
	pid_t pid;
	int status;

	ASSERT_EQ(0, do_share(self->phi, 1));
	ASSERT_EQ(0, do_register(self->phi, 0, &cap));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(do_exit(self->phi, 3) == -ENOENT ? 0 : 1);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

TEST_F(thread, registers_once)
{
	struct phi_thread_join j;
	uint64_t cap, child, again;

	EXPECT_EQ(-ENOENT, do_exit(self->phi, 1));
	ASSERT_EQ(0, do_register(self->phi, 0, &cap));
	EXPECT_EQ(0, do_exit(self->phi, 1));
	EXPECT_EQ(-EEXIST, do_register(self->phi, 0, &again));
	EXPECT_EQ(-EINVAL, do_join(self->phi, cap, 0, &j));
	/* While there is a capability. */
	ASSERT_EQ(0, do_derive(self->phi, cap, PHI_RIGHT_READ, &child));
	ASSERT_EQ(0, do_drop(self->phi, cap));
	EXPECT_EQ(-EEXIST, do_register(self->phi, 0, &again));
	ASSERT_EQ(0, do_drop(self->phi, child));
	ASSERT_EQ(0, do_register(self->phi, 0, &again));
}

struct joiner {
	pthread_t thread;
	int phi;
	uint64_t cap;
	int ret;
	struct phi_thread_join arg;
};

static void *joiner_main(void *arg)
{
	struct joiner *j = arg;

	j->ret = do_join(j->phi, j->cap, 0, &j->arg);
	return NULL;
}

static bool joiners_start(struct joiner *j, int n, int phi, uint64_t cap)
{
	for (int i = 0; i < n; i++) {
		j[i].phi = phi;
		j[i].cap = cap;
		if (pthread_create(&j[i].thread, NULL, joiner_main, &j[i]))
			return false;
	}
	return true;
}

static void joiners_end(struct joiner *j, int n)
{
	for (int i = 0; i < n; i++)
		pthread_join(j[i].thread, NULL);
}

TEST_F(thread, many_join)
{
	struct joiner j[MANY] = {};

	self->peer.status = 11;
	ASSERT_EQ(0, peer_start(&self->peer, self->phi));
	ASSERT_TRUE(joiners_start(j, MANY, self->phi, self->peer.cap));
	peer_stop(&self->peer);
	joiners_end(j, MANY);
	for (int i = 0; i < MANY; i++) {
		EXPECT_EQ(0, j[i].ret);
		EXPECT_EQ(11, j[i].arg.status);
	}
}

TEST_F(thread, wait_ends_with_the_capability)
{
	struct joiner j[MANY] = {};
	struct joiner other = {};
	uint64_t child, third;

	ASSERT_EQ(0, peer_start(&self->peer, self->phi));
	ASSERT_EQ(0,
		  do_derive(self->phi, self->peer.cap, PHI_RIGHT_READ, &child));
	ASSERT_EQ(0,
		  do_derive(self->phi, self->peer.cap, PHI_RIGHT_READ, &third));
	ASSERT_TRUE(joiners_start(j, MANY, self->phi, child));
	ASSERT_EQ(0, do_drop(self->phi, child));
	joiners_end(j, MANY);
	for (int i = 0; i < MANY; i++)
		EXPECT_EQ(-EBADF, j[i].ret);
	ASSERT_TRUE(joiners_start(&other, 1, self->phi, third));
	ASSERT_EQ(0, do_revoke(self->phi, self->peer.cap));
	joiners_end(&other, 1);
	EXPECT_EQ(-EKEYREVOKED, other.ret);
	peer_stop(&self->peer);
}

/* The thread runs on; all that was kept of it is gone. */
TEST_F(thread, dropped_while_it_runs)
{
	ASSERT_EQ(0, peer_start(&self->peer, self->phi));
	ASSERT_EQ(0, do_drop(self->phi, self->peer.cap));
	close(self->phi);
	EXPECT_TRUE(do_restored(&self->before));
	peer_stop(&self->peer);
}

static int join_foreign(void *arg)
{
	struct phi_thread_join j;
	struct peer *peer = arg;

	return do_join(peer->phi, peer->cap, PHI_NONBLOCK, &j);
}

TEST_F(thread, cspace_of_another_process)
{
	ASSERT_EQ(0, peer_start(&self->peer, self->phi));
	EXPECT_EQ(-EPERM, in_child(join_foreign, &self->peer));
	peer_stop(&self->peer);
}

TEST_F(thread, refuses_bad_input)
{
	struct phi_thread_register reg = { .flags = 1 };
	struct phi_thread_query query = { .flags = 1 };
	struct phi_thread_exit leave = { .flags = 1 };
	struct phi_thread_join join;
	uint64_t notify, weak;

	ASSERT_EQ(0, do_notify(self->phi, &notify));
	EXPECT_EQ(-EOPNOTSUPP, PHI_DO(self->phi, THREAD_REGISTER, &reg));
	reg = (struct phi_thread_register){ .pad = 1 };
	EXPECT_EQ(-EINVAL, PHI_DO(self->phi, THREAD_REGISTER, &reg));
	reg = (struct phi_thread_register){ .badge = 1 };
	EXPECT_EQ(-EINVAL, PHI_DO(self->phi, THREAD_REGISTER, &reg));
	reg = (struct phi_thread_register){ .signo = SIGUSR1 };
	EXPECT_EQ(-EINVAL, PHI_DO(self->phi, THREAD_REGISTER, &reg));
	EXPECT_EQ(-EINVAL, do_register(self->phi, notify, &weak));
	EXPECT_EQ(-EBADF, do_register(self->phi, 99, &weak));
	EXPECT_EQ(-EOPNOTSUPP, PHI_DO(self->phi, THREAD_EXIT, &leave));

	ASSERT_EQ(0, peer_start(&self->peer, self->phi));
	query.thread = self->peer.cap;
	EXPECT_EQ(-EOPNOTSUPP, PHI_DO(self->phi, THREAD_QUERY, &query));
	EXPECT_EQ(-EINVAL, do_thread_query(self->phi, notify, &query));
	EXPECT_EQ(-EBADF, do_thread_query(self->phi, 99, &query));
	EXPECT_EQ(-EOPNOTSUPP, do_join(self->phi, self->peer.cap, 2, &join));
	EXPECT_EQ(-EINVAL, do_join(self->phi, notify, 0, &join));
	join = (struct phi_thread_join){ .thread = self->peer.cap, .pad = 1 };
	EXPECT_EQ(-EINVAL, PHI_DO(self->phi, THREAD_JOIN, &join));
	join = (struct phi_thread_join){ .thread = self->peer.cap,
					 .deadline_ns = 1 };
	EXPECT_EQ(-ETIMEDOUT, PHI_DO(self->phi, THREAD_JOIN, &join));
	ASSERT_EQ(0,
		  do_derive(self->phi, self->peer.cap, PHI_RIGHT_WRITE, &weak));
	EXPECT_EQ(-EPERM, do_join(self->phi, weak, 0, &join));
	EXPECT_EQ(-EPERM, do_thread_query(self->phi, weak, &query));
	peer_stop(&self->peer);
}

TEST_F(thread, of_the_library)
{
	struct phi_thread_query q;
	int64_t status = 0;
	uint32_t how = 0;

	self->peer.status = 17;
	ASSERT_EQ(0, peer_start(&self->peer, self->phi));
	EXPECT_EQ(-EAGAIN, phi_thread_join(self->phi, self->peer.cap,
					   PHI_NONBLOCK, 0, NULL, NULL));
	EXPECT_EQ(0, phi_thread_query(self->phi, self->peer.cap, &q));
	EXPECT_EQ(PHI_THREAD_RUNS, q.how);
	peer_stop(&self->peer);
	EXPECT_EQ(0, phi_thread_join(self->phi, self->peer.cap, 0, 0, &how,
				     &status));
	EXPECT_EQ(PHI_THREAD_EXITED, how);
	EXPECT_EQ(17, status);
	EXPECT_EQ(-ENOENT, phi_thread_exit(self->phi, 1));
}

TEST_HARNESS_MAIN
