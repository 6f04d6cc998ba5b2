// SPDX-License-Identifier: GPL-2.0-only
/* Grants: capabilities for a process, or an agent, that named an inbox. */

#include "kselftest_harness.h"

#include <sys/stat.h>
#include <sys/syscall.h>

#include "phi_message.h"

#define RIGHTS \
	(PHI_RIGHT_READ | PHI_RIGHT_WRITE | PHI_RIGHT_ADMIN | PHI_RIGHT_GRANT)
#define CGROUP "/sys/fs/cgroup/phi-grant"
#define BADGE 7
#define SOMEBODY 4242

FIXTURE(grant)
{
	int phi;
	uint64_t root;
	int self; /* pidfd of this process */
	struct phi_system_stats before;
};

static int pidfd_of(pid_t pid)
{
	return syscall(SYS_pidfd_open, pid, 0);
}

FIXTURE_SETUP(grant)
{
	self->phi = do_open();
	ASSERT_LE(0, self->phi)
	{
		TH_LOG("is phi.ko loaded?");
	}
	ASSERT_EQ(0, do_stats(self->phi, &self->before));
	ASSERT_EQ(0, do_notify(self->phi, &self->root));
	self->self = pidfd_of(getpid());
	ASSERT_LE(0, self->self);
}

FIXTURE_TEARDOWN(grant)
{
	close(self->self);
	close(self->phi);
	EXPECT_TRUE(do_restored(&self->before));
}

static int do_inbox(int phi, uint64_t endpoint, uint32_t flags)
{
	struct phi_cspace_inbox arg = { .flags = flags, .endpoint = endpoint };

	return PHI_DO(phi, CSPACE_INBOX, &arg);
}

static int do_grant(int phi, int pidfd, uint64_t cap, uint32_t flags,
		    uint32_t rights)
{
	struct phi_cap_grant arg = {
		.give = { cap, flags, rights },
		.data = (uintptr_t)"why",
		.len = 3,
		.pidfd = pidfd,
	};

	return PHI_DO(phi, CAP_GRANT, &arg);
}

static int grant_agent(int phi, uint64_t agent, uint64_t cap)
{
	struct phi_cap_grant arg = {
		.give = { cap, 0, PHI_RIGHT_ALL },
		.agent = agent,
		.pidfd = -1,
	};

	return PHI_DO(phi, CAP_GRANT, &arg);
}

/* An endpoint, and an inbox that reaches it with a badge. */
static int make_inbox(int phi, uint64_t *ep)
{
	uint64_t badged;
	int ret = do_endpoint(phi, ep);

	if (!ret)
		ret = do_derive_until(phi, *ep,
				      PHI_RIGHT_SEND | PHI_RIGHT_GRANT, 0,
				      BADGE, &badged);
	if (!ret)
		ret = do_inbox(phi, badged, 0);
	return ret ?: do_drop(phi, badged);
}

/* A receiver in a process of its own, which says through a pipe how it went. */
struct receiver {
	pid_t pid;
	int pidfd, tell, hear;
};

/* Return: 0 when the one grant that comes is as it should be. */
static int receive(int phi, uint64_t ep)
{
	char data[8] = "";
	struct phi_cap_query query;
	struct phi_recv in;
	int ret = do_recv_soon(phi, ep, data, sizeof(data), &in);

	if (ret)
		return ret;
	if (in.badge != BADGE || in.type != PHI_TYPE_ENDPOINT ||
	    in.rights != PHI_RIGHT_SEND || in.len != 3 ||
	    memcmp(data, "why", 3) || in.reply)
		return -EPROTO;
	if (in.pid != (uint32_t)getppid() || in.uid)
		return -EREMCHG;
	if (in.ncaps != 1 || in.caps[0].type != PHI_TYPE_NOTIFY ||
	    in.caps[0].rights != PHI_RIGHT_WRITE)
		return -EBADMSG;
	ret = do_query(phi, in.caps[0].cap, &query);
	return ret ?: query.rights == PHI_RIGHT_WRITE ? 0 : -EBADMSG;
}

static void be_receiver(int tell, int hear)
{
	int phi, ret = become(SOMEBODY);
	uint64_t ep;
	char go;

	phi = ret ? ret : do_open();
	ret = phi < 0 ? phi : make_inbox(phi, &ep);
	if (write(tell, &ret, sizeof(ret)) != sizeof(ret) || ret)
		_exit(1);
	ret = receive(phi, ep);
	if (write(tell, &ret, sizeof(ret)) != sizeof(ret))
		_exit(1);
	/* It lives on until it is told. */
	_exit(read(hear, &go, 1) != 0);
}

static int receiver_start(struct receiver *r)
{
	int tell[2], hear[2], ret;

	if (pipe2(tell, O_CLOEXEC) || pipe2(hear, O_CLOEXEC))
		return -errno;
	r->pid = fork();
	if (!r->pid) {
		close(hear[1]);
		be_receiver(tell[1], hear[0]);
	}
	close(tell[1]);
	close(hear[0]);
	r->tell = tell[0];
	r->hear = hear[1];
	r->pidfd = pidfd_of(r->pid);
	return read(r->tell, &ret, sizeof(ret)) == sizeof(ret) ? ret : -EIO;
}

TEST_F(grant, reaches_a_process)
{
	struct receiver r;
	int ret;

	ASSERT_EQ(0, receiver_start(&r));
	ASSERT_EQ(0,
		  do_grant(self->phi, r.pidfd, self->root, 0, PHI_RIGHT_WRITE));
	ASSERT_EQ(sizeof(ret), read(r.tell, &ret, sizeof(ret)));
	EXPECT_EQ(0, ret);
	/* It ends, and is there no more, before and after its parent knows. */
	close(r.hear);
	while (process_state(r.pid) != 'Z')
		usleep(1000);
	EXPECT_EQ(-ESRCH, do_grant(self->phi, r.pidfd, self->root, 0, 0));
	ASSERT_EQ(r.pid, waitpid(r.pid, NULL, 0));
	EXPECT_EQ(-ESRCH, do_grant(self->phi, r.pidfd, self->root, 0, 0));
	close(r.pidfd);
	close(r.tell);
}

/*
 * The same program once more, in the process that has set an inbox: it has none
 * of its own until it sets one. With the descriptors to tell and to hear by,
 * the one of the cspace that is still open, and the endpoint there.
 */
static int be_next(char *const *args)
{
	int tell = atoi(args[0]), hear = atoi(args[1]), old = atoi(args[2]);
	char byte, data[8];
	struct phi_recv in;
	uint64_t ep;
	int phi, ret;

	if (write(tell, "", 1) != 1 || read(hear, &byte, 1) != 1)
		return -EIO;
	phi = do_open();
	ret = phi < 0 ? phi : make_inbox(phi, &ep);
	if (write(tell, "", 1) != 1)
		return -EIO;
	ret = ret ?: do_recv_soon(phi, ep, data, sizeof(data), &in);
	if (!ret && in.ncaps != 1)
		ret = -EBADMSG;
	if (!ret && do_take(old, strtoull(args[3], NULL, 0)) != -EAGAIN)
		ret = -EPROTO;
	return ret;
}

__attribute__((constructor)) static void next_program(int argc, char **argv)
{
	if (argc == 6 && !strcmp(argv[1], "next"))
		_exit(-be_next(argv + 2));
}

static void become_next(int tell, int hear)
{
	char fd[3][16], handle[24], byte;
	int phi = open("/dev/phi", O_RDWR);
	uint64_t ep;

	if (phi < 0 || make_inbox(phi, &ep))
		_exit(100);
	snprintf(fd[0], sizeof(fd[0]), "%d", tell);
	snprintf(fd[1], sizeof(fd[1]), "%d", hear);
	snprintf(fd[2], sizeof(fd[2]), "%d", phi);
	snprintf(handle, sizeof(handle), "%#llx", (unsigned long long)ep);
	if (write(tell, "", 1) != 1 || read(hear, &byte, 1) != 1)
		_exit(101);
	/* Take the grant that was made before the exec. */
	if (do_take(phi, ep))
		_exit(103);
	execl("/proc/self/exe", "grant", "next", fd[0], fd[1], fd[2], handle,
	      NULL);
	_exit(102);
}

/* After an exec no grant reaches the inbox that the program before it named. */
TEST_F(grant, ends_with_the_program)
{
	int up[2], down[2], pidfd, status;
	char byte;
	pid_t pid;

	ASSERT_EQ(0, pipe(up));
	ASSERT_EQ(0, pipe(down));
	pid = fork();
	if (!pid) {
		close(down[1]);
		become_next(up[1], down[0]);
	}
	close(up[1]);
	pidfd = pidfd_of(pid);
	ASSERT_EQ(1, read(up[0], &byte, 1));
	EXPECT_EQ(0, do_grant(self->phi, pidfd, self->root, 0, 0));
	ASSERT_EQ(1, write(down[1], "", 1));
	ASSERT_EQ(1, read(up[0], &byte, 1));
	EXPECT_EQ(-EPIPE, do_grant(self->phi, pidfd, self->root, 0, 0));
	ASSERT_EQ(1, write(down[1], "", 1));
	ASSERT_EQ(1, read(up[0], &byte, 1));
	EXPECT_EQ(0, do_grant(self->phi, pidfd, self->root, 0, 0));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	close(pidfd);
	close(up[0]);
	close(down[0]);
	close(down[1]);
}

/* A process that uses the shared cspace of another one. */
static int be_sharer(void *arg)
{
	const uint64_t *ep = arg;

	if (do_inbox(ep[0], ep[1], 0) != -EPERM ||
	    do_inbox(ep[0], 0, 0) != -EPERM ||
	    do_inbox(ep[0], 0, PHI_INBOX_AGENT) != -EPERM)
		return -EPROTO;
	return 0;
}

TEST_F(grant, is_for_the_owner_to_arrange)
{
	uint64_t args[2] = { self->phi };
	int status;
	pid_t pid;

	ASSERT_EQ(0, do_share(self->phi, 1));
	ASSERT_EQ(0, make_inbox(self->phi, &args[1]));
	pid = fork();
	if (!pid)
		_exit(-be_sharer(args));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, do_grant(self->phi, self->self, self->root, 0, 0));
	EXPECT_EQ(0, do_take(self->phi, args[1]));
}

struct thread {
	pthread_t thread;
	pid_t tid;
	int go[2];
};

static void *be_thread(void *arg)
{
	struct thread *t = arg;
	char byte;

	__atomic_store_n(&t->tid, gettid(), __ATOMIC_RELEASE);
	if (read(t->go[0], &byte, 1) != 1)
		_exit(1);
	return NULL;
}

/* A pidfd of one thread names no process, unless it is the first. */
TEST_F(grant, reaches_no_thread)
{
	struct thread t = {};
	uint64_t ep;
	int pidfd;

	ASSERT_EQ(0, make_inbox(self->phi, &ep));
	pidfd = syscall(SYS_pidfd_open, getpid(), O_EXCL);
	ASSERT_LE(0, pidfd);
	EXPECT_EQ(0, do_grant(self->phi, pidfd, self->root, 0, 0));
	close(pidfd);
	ASSERT_EQ(0, pipe(t.go));
	ASSERT_EQ(0, pthread_create(&t.thread, NULL, be_thread, &t));
	while (!__atomic_load_n(&t.tid, __ATOMIC_ACQUIRE))
		usleep(1000);
	pidfd = syscall(SYS_pidfd_open, t.tid, O_EXCL); /* PIDFD_THREAD */
	ASSERT_LE(0, pidfd);
	EXPECT_EQ(-EINVAL, do_grant(self->phi, pidfd, self->root, 0, 0));
	ASSERT_EQ(1, write(t.go[1], "", 1));
	ASSERT_EQ(0, pthread_join(t.thread, NULL));
	/* The kernel lets go of it a moment later. */
	while (!syscall(SYS_tgkill, getpid(), t.tid, 0))
		usleep(1000);
	EXPECT_EQ(-ESRCH, do_grant(self->phi, pidfd, self->root, 0, 0));
	close(pidfd);
	close(t.go[0]);
	close(t.go[1]);
}

TEST_F(grant, moves)
{
	struct phi_recv in;
	char data[8];
	uint64_t ep;

	ASSERT_EQ(0, make_inbox(self->phi, &ep));
	ASSERT_EQ(0, do_grant(self->phi, self->self, self->root, PHI_XFER_MOVE,
			      PHI_RIGHT_ALL));
	EXPECT_EQ(-EBADF, do_probe(self->phi, self->root));
	ASSERT_EQ(0, do_recv(self->phi, ep, data, sizeof(data), &in));
	EXPECT_EQ(RIGHTS, in.caps[0].rights);
	EXPECT_EQ(getpid(), in.pid);
	EXPECT_EQ(0, do_probe(self->phi, in.caps[0].cap));
}

TEST_F(grant, may_be_refused)
{
	struct phi_recv in = {
		.flags = PHI_NONBLOCK | PHI_RECV_NOCAPS,
		.len = 8,
	};
	struct phi_system_stats with, after;
	char data[8];
	uint64_t ep;

	ASSERT_EQ(0, make_inbox(self->phi, &ep));
	ASSERT_EQ(0, do_stats(self->phi, &with));
	ASSERT_EQ(0, do_grant(self->phi, self->self, self->root, 0,
			      PHI_RIGHT_ALL));
	in.endpoint = ep;
	in.data = (uintptr_t)data;
	ASSERT_EQ(0, PHI_DO(self->phi, RECV, &in));
	EXPECT_EQ(0, in.ncaps);
	ASSERT_EQ(0, do_stats(self->phi, &after));
	EXPECT_EQ(with.used[PHI_QUOTA_CAPS], after.used[PHI_QUOTA_CAPS]);
}

TEST_F(grant, needs_an_inbox)
{
	uint64_t ep, other;
	int phi = do_open();

	ASSERT_LE(0, phi);
	EXPECT_EQ(-EPIPE, do_grant(self->phi, self->self, self->root, 0, 0));
	ASSERT_EQ(0, make_inbox(self->phi, &ep));
	EXPECT_EQ(0, do_grant(self->phi, self->self, self->root, 0, 0));
	/* A process has one. */
	ASSERT_EQ(0, do_endpoint(phi, &other));
	EXPECT_EQ(-EEXIST, do_inbox(phi, other, 0));
	/* Another one in its place, and none. */
	ASSERT_EQ(0, do_endpoint(self->phi, &other));
	ASSERT_EQ(0, do_inbox(self->phi, other, 0));
	ASSERT_EQ(0, do_grant(self->phi, self->self, self->root, 0, 0));
	EXPECT_EQ(-EAGAIN, do_take(self->phi, ep) ?: do_take(self->phi, ep));
	EXPECT_EQ(0, do_take(self->phi, other));
	ASSERT_EQ(0, do_inbox(self->phi, 0, 0));
	EXPECT_EQ(-EPIPE, do_grant(self->phi, self->self, self->root, 0, 0));
	/* It goes with its cspace. */
	ASSERT_EQ(0, make_inbox(phi, &other));
	EXPECT_EQ(0, do_grant(self->phi, self->self, self->root, 0, 0));
	close(phi);
	EXPECT_EQ(-EPIPE, do_grant(self->phi, self->self, self->root, 0, 0));
}

TEST_F(grant, hears_of_a_dead_inbox)
{
	uint64_t ep, lent;

	ASSERT_EQ(0, make_inbox(self->phi, &ep));
	ASSERT_EQ(0, do_drop(self->phi, ep));
	EXPECT_EQ(-EPIPE, do_grant(self->phi, self->self, self->root, 0, 0));
	ASSERT_EQ(0, do_endpoint(self->phi, &ep));
	ASSERT_EQ(0, do_derive(self->phi, ep, PHI_RIGHT_SEND | PHI_RIGHT_GRANT,
			       &lent));
	ASSERT_EQ(0, do_inbox(self->phi, lent, 0));
	ASSERT_EQ(0, do_grant(self->phi, self->self, self->root, 0, 0));
	ASSERT_EQ(0, do_revoke(self->phi, ep));
	EXPECT_EQ(-EPIPE, do_grant(self->phi, self->self, self->root, 0, 0));
	/* What was on its way is gone as well. */
	EXPECT_EQ(-EAGAIN, do_take(self->phi, ep));
}

/* All or nothing: what is refused changes nothing. */
TEST_F(grant, never_waits)
{
	uint64_t ep, cap;
	int ret = 0;

	ASSERT_EQ(0, make_inbox(self->phi, &ep));
	for (int i = 0; i < 10000 && !ret; i++)
		ret = do_grant(self->phi, self->self, self->root, 0, 0);
	EXPECT_EQ(-EAGAIN, ret);
	ASSERT_EQ(0, do_derive(self->phi, self->root, RIGHTS, &cap));
	EXPECT_EQ(-EAGAIN, do_grant(self->phi, self->self, cap, PHI_XFER_MOVE,
				    PHI_RIGHT_ALL));
	EXPECT_EQ(0, do_probe(self->phi, cap));
	ASSERT_EQ(0, do_take(self->phi, ep));
	EXPECT_EQ(0, do_grant(self->phi, self->self, cap, PHI_XFER_MOVE,
			      PHI_RIGHT_ALL));
}

TEST_F(grant, refuses_bad_input)
{
	struct phi_cap_grant arg = { .flags = 1 };
	struct phi_cspace_inbox inbox = { .flags = 1 };
	uint64_t ep, weak, mute;
	int other = open("/dev/null", O_RDONLY | O_CLOEXEC);

	ASSERT_EQ(0, make_inbox(self->phi, &ep));
	EXPECT_EQ(-EOPNOTSUPP, PHI_DO(self->phi, CAP_GRANT, &arg));
	EXPECT_EQ(-EOPNOTSUPP, PHI_DO(self->phi, CSPACE_INBOX, &inbox));
	EXPECT_EQ(-EINVAL, do_grant(self->phi, other, self->root, 0, 0));
	EXPECT_EQ(-EINVAL, do_grant(self->phi, self->phi, self->root, 0, 0));
	close(other);
	EXPECT_EQ(-EBADF, do_grant(self->phi, other, self->root, 0, 0));
	EXPECT_EQ(-EBADF, do_grant(self->phi, -1, self->root, 0, 0));
	EXPECT_EQ(-EBADF, do_grant(self->phi, self->self, 0, 0, 0));
	EXPECT_EQ(-EINVAL, do_grant(self->phi, self->self, self->root, 0,
				    PHI_RIGHT_ALL + 1));
	EXPECT_EQ(-EOPNOTSUPP,
		  do_grant(self->phi, self->self, self->root, 2, 0));
	ASSERT_EQ(0, do_derive(self->phi, self->root, RIGHTS & ~PHI_RIGHT_GRANT,
			       &weak));
	EXPECT_EQ(-EPERM, do_grant(self->phi, self->self, weak, 0, 0));
	EXPECT_EQ(-EINVAL, grant_agent(self->phi, self->root, self->root));
	arg = (struct phi_cap_grant){
		.give = { self->root, 0, 0 },
		.agent = self->root,
		.pidfd = self->self,
	};
	EXPECT_EQ(-EINVAL, PHI_DO(self->phi, CAP_GRANT, &arg));
	arg = (struct phi_cap_grant){
		.give = { self->root, 0, 0 },
		.len = PHI_MSG_MAX + 1,
		.pidfd = self->self,
	};
	EXPECT_EQ(-EINVAL, PHI_DO(self->phi, CAP_GRANT, &arg));
	EXPECT_EQ(-EINVAL, do_inbox(self->phi, self->root, 0));
	EXPECT_EQ(-EBADF, do_inbox(self->phi, 12345, 0));
	ASSERT_EQ(0, do_derive(self->phi, ep, PHI_RIGHT_SEND, &mute));
	EXPECT_EQ(-EPERM, do_inbox(self->phi, mute, 0));
	EXPECT_EQ(-ENOENT, do_inbox(self->phi, ep, PHI_INBOX_AGENT));
}

static int enter(const char *cgroup)
{
	char path[128];
	int fd, ret;

	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	ret = fd < 0 || write(fd, "0", 1) != 1 ? -errno : 0;
	close(fd);
	return ret;
}

/* In the agent's cgroup: 0 when the grants that were made have arrived. */
static int be_agent(void *arg)
{
	int phi = do_open(), other = do_open(), *sync = arg;
	uint64_t ep, second;
	struct phi_recv in;
	char byte = 1;
	int ret;

	ret = enter(CGROUP)			  ?:
		      do_endpoint(phi, &ep)	  ?:
		      do_endpoint(other, &second) ?:
		      do_inbox(phi, ep, PHI_INBOX_AGENT);
	if (ret)
		return ret;
	if (do_inbox(other, second, PHI_INBOX_AGENT) != -EEXIST)
		return -EPROTO;
	/* That of the agent is not that of the process. */
	ret = do_inbox(other, second, 0);
	if (ret)
		return ret;
	if (write(sync[1], &byte, 1) != 1)
		return -EIO;
	ret = do_recv_soon(phi, ep, NULL, 0, &in);
	if (!ret && (in.ncaps != 1 || in.caps[0].type != PHI_TYPE_NOTIFY))
		ret = -EBADMSG;
	return ret ?: do_take(other, second) == -EAGAIN ? 0 : -EPROTO;
}

TEST_F(grant, reaches_an_agent)
{
	struct phi_agent_register agent = { .name = "grantee" };
	struct phi_cap_grant arg = {};
	int sync[2], status;
	pid_t pid;
	char byte;

	ASSERT_EQ(0, mkdir(CGROUP, 0755));
	agent.cgroup = open(CGROUP, O_RDONLY | O_CLOEXEC);
	ASSERT_EQ(0, PHI_DO(self->phi, AGENT_REGISTER, &agent));
	EXPECT_EQ(-EPIPE, grant_agent(self->phi, agent.cap, self->root));
	ASSERT_EQ(0, pipe2(sync, O_CLOEXEC));
	pid = fork();
	if (!pid)
		_exit(-be_agent(sync));
	ASSERT_EQ(1, read(sync[0], &byte, 1));
	EXPECT_EQ(0, grant_agent(self->phi, agent.cap, self->root));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	/* With the process goes its inbox, before its parent knows. */
	EXPECT_EQ(-EPIPE, grant_agent(self->phi, agent.cap, self->root));
	arg.agent = agent.cap;
	arg.pidfd = self->self;
	EXPECT_EQ(-EINVAL, PHI_DO(self->phi, CAP_GRANT, &arg));
	close(sync[0]);
	close(sync[1]);
	close(agent.cgroup);
	ASSERT_EQ(0, do_drop(self->phi, agent.cap));
	for (int tries = 0; rmdir(CGROUP) && tries < 1000; tries++)
		usleep(10000);
}

TEST_HARNESS_MAIN
