// SPDX-License-Identifier: GPL-2.0-only
/* What a parent puts into the cspace of a child, and into whose it may not. */

#include "kselftest_harness.h"

#include <sys/prctl.h>
#include <sys/syscall.h>

#include "phi_message.h"

#define RW (PHI_RIGHT_READ | PHI_RIGHT_WRITE)
#define SOMEBODY 4343

/* A child that waits for a descriptor of its parent, and uses that. */
struct child {
	pid_t pid;
	int pidfd, tell, hear;
};

FIXTURE(endow)
{
	int phi;
	uint64_t notify, ep;
	struct child child;
	struct phi_system_stats before;
};

/* Return: rights of what is there in one number, a byte each, or an errno. */
static int64_t report(int phi)
{
	struct phi_cap_query query;
	uint64_t handles[8];
	int64_t rights = 0;
	uint32_t count, total;
	int ret = do_list(phi, handles, 8, &count, &total);

	if (ret)
		return ret;
	for (uint32_t i = 0; i < count; i++) {
		if (handles[i] != PHI_ENDOWED(i))
			return -EILSEQ;
		if (do_query(phi, handles[i], &query))
			return -EIO;
		rights |= (int64_t)query.rights << 8 * i;
	}
	return rights;
}

/* Take each descriptor that the parent names, and tell what is there. */
static void be_child(int tell, int hear, uid_t uid)
{
	int parent = syscall(SYS_pidfd_open, getppid(), 0);
	int64_t ready = uid ? become(uid) : 0;
	int fd;

	if (write(tell, &ready, sizeof(ready)) != sizeof(ready))
		_exit(1);
	while (read(hear, &fd, sizeof(fd)) == sizeof(fd)) {
		int phi = syscall(SYS_pidfd_getfd, parent, fd, 0);
		int64_t said = phi < 0 ? -errno : report(phi);

		if (write(tell, &said, sizeof(said)) != sizeof(said))
			break;
	}
	_exit(0);
}

static int64_t child_hear(struct child *child)
{
	int64_t said;

	if (read(child->tell, &said, sizeof(said)) != sizeof(said))
		return -EPIPE;
	return said;
}

static int child_start(struct child *child, uid_t uid)
{
	int up[2], down[2];

	if (pipe2(up, O_CLOEXEC) || pipe2(down, O_CLOEXEC))
		return -errno;
	child->pid = fork();
	if (!child->pid) {
		close(up[0]);
		close(down[1]);
		be_child(up[1], down[0], uid);
	}
	close(up[1]);
	close(down[0]);
	child->tell = up[0];
	child->hear = down[1];
	child->pidfd = syscall(SYS_pidfd_open, child->pid, 0);
	return child->pid < 0 || child->pidfd < 0 ? -errno : 0;
}

static int64_t child_ask(struct child *child, int fd)
{
	if (write(child->hear, &fd, sizeof(fd)) != sizeof(fd))
		return -EPIPE;
	return child_hear(child);
}

/* It ends, and is not waited for. */
static void child_end(struct child *child)
{
	close(child->hear);
	child->hear = -1;
	while (process_state(child->pid) != 'Z')
		usleep(1000);
}

FIXTURE_SETUP(endow)
{
	ASSERT_EQ(0, do_baseline(&self->before));
	self->phi = do_open();
	ASSERT_LE(0, self->phi)
	{
		TH_LOG("is phi.ko loaded?");
	}
	ASSERT_EQ(0, do_notify(self->phi, &self->notify));
	ASSERT_EQ(0, do_endpoint(self->phi, &self->ep));
	ASSERT_EQ(0, child_start(&self->child, 0));
	ASSERT_EQ(0, child_hear(&self->child));
}

FIXTURE_TEARDOWN(endow)
{
	if (self->child.hear >= 0)
		close(self->child.hear);
	close(self->child.tell);
	close(self->child.pidfd);
	waitpid(self->child.pid, NULL, 0);
	close(self->phi);
	EXPECT_TRUE(do_restored(&self->before));
}

static int do_endow(int phi, int pidfd, const struct phi_endowment *caps,
		    uint32_t ncaps, uint32_t flags)
{
	struct phi_process_endow arg = {
		.flags = flags,
		.pidfd = pidfd,
		.ncaps = ncaps,
		.caps = (uintptr_t)caps,
	};

	return PHI_DO(phi, PROCESS_ENDOW, &arg) ?: arg.fd;
}

static int endow_one(int phi, int pidfd, uint64_t cap, uint32_t rights)
{
	struct phi_endowment give = { .cap = cap, .rights = rights };

	return do_endow(phi, pidfd, &give, 1, 0);
}

TEST_F(endow, gives_what_is_listed)
{
	struct phi_endowment caps[] = {
		{ .cap = self->notify, .rights = PHI_RIGHT_WRITE },
		{ .cap = self->ep, .rights = PHI_RIGHT_SEND, .badge = 7 },
	};
	int fd = do_endow(self->phi, self->child.pidfd, caps, 2, 0);

	ASSERT_LE(0, fd);
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	EXPECT_EQ(PHI_RIGHT_WRITE | PHI_RIGHT_SEND << 8,
		  child_ask(&self->child, fd));
	/* It is not the parent's, who can end it all the same. */
	EXPECT_EQ(-EPERM, do_probe(fd, PHI_ENDOWED(0)));
	ASSERT_EQ(0, do_revoke(self->phi, self->notify));
	close(fd);
}

TEST_F(endow, shared_if_asked)
{
	struct phi_endowment give = { .cap = self->notify, .rights = RW };
	int fd = do_endow(self->phi, self->child.pidfd, &give, 1,
			  PHI_ENDOW_SHARED);

	ASSERT_LE(0, fd);
	EXPECT_EQ(RW, child_ask(&self->child, fd));
	EXPECT_EQ(0, do_probe(fd, PHI_ENDOWED(0)));
	ASSERT_EQ(0, do_revoke(self->phi, self->notify));
	EXPECT_EQ(-EKEYREVOKED, do_probe(fd, PHI_ENDOWED(0)));
	close(fd);
}

TEST_F(endow, an_empty_cspace)
{
	int fd = do_endow(self->phi, self->child.pidfd, NULL, 0, 0);

	ASSERT_LE(0, fd);
	EXPECT_EQ(0, child_ask(&self->child, fd));
	close(fd);
}

TEST_F(endow, ends_with_the_child)
{
	struct phi_system_stats before;
	int fd;

	ASSERT_EQ(0, do_stats(self->phi, &before));
	fd = endow_one(self->phi, self->child.pidfd, self->notify, RW);
	ASSERT_LE(0, fd);
	ASSERT_EQ(RW, child_ask(&self->child, fd));
	child_end(&self->child);
	/* The cspace itself goes with the file. */
	before.cspaces++;
	before.used[PHI_QUOTA_OBJECTS]++;
	EXPECT_TRUE(do_settled(self->phi, &before));
	close(fd);
}

TEST_F(endow, no_longer_than_it_says)
{
	struct phi_endowment give = { .cap = self->notify,
				      .rights = RW,
				      .expires_ns = 1 };
	int fd = do_endow(self->phi, self->child.pidfd, &give, 1,
			  PHI_ENDOW_SHARED);

	ASSERT_LE(0, fd);
	EXPECT_EQ(-EKEYEXPIRED, do_probe(fd, PHI_ENDOWED(0)));
	close(fd);
}

TEST_F(endow, refuses_bad_arguments)
{
	struct phi_endowment caps[PHI_ENDOW_MAX + 1] = {
		{ .cap = self->notify, .rights = RW },
	};
	struct phi_process_endow arg = { .pidfd = self->child.pidfd, .pad = 1 };
	int pidfd = self->child.pidfd;
	uint64_t weak, badged;

	EXPECT_EQ(-EINVAL, PHI_DO(self->phi, PROCESS_ENDOW, &arg));
	EXPECT_EQ(-EOPNOTSUPP, do_endow(self->phi, pidfd, caps, 1, 1));
	EXPECT_EQ(-EINVAL,
		  do_endow(self->phi, pidfd, caps, PHI_ENDOW_MAX + 1, 0));
	EXPECT_EQ(-EFAULT, do_endow(self->phi, pidfd, (void *)8, 1, 0));
	EXPECT_EQ(-EBADF, endow_one(self->phi, pidfd, 1, RW));
	EXPECT_EQ(-EINVAL, endow_one(self->phi, pidfd, self->notify, 0x100));
	EXPECT_EQ(-EPERM, endow_one(self->phi, pidfd, self->notify,
				    RW | PHI_RIGHT_MAP));
	ASSERT_EQ(0, do_derive(self->phi, self->notify, RW, &weak));
	EXPECT_EQ(-EPERM, endow_one(self->phi, pidfd, weak, RW));
	caps[0].pad = 1;
	EXPECT_EQ(-EINVAL, do_endow(self->phi, pidfd, caps, 1, 0));
	caps[0].pad = 0;
	caps[0].badge = 1;
	EXPECT_EQ(-EINVAL, do_endow(self->phi, pidfd, caps, 1, 0));
	ASSERT_EQ(0, do_derive_until(self->phi, self->ep,
				     PHI_RIGHT_SEND | PHI_RIGHT_GRANT, 0, 9,
				     &badged));
	caps[0] = (struct phi_endowment){ .cap = badged, .badge = 1 };
	EXPECT_EQ(-EPERM, do_endow(self->phi, pidfd, caps, 1, 0));
	ASSERT_EQ(0, do_revoke(self->phi, self->ep));
	caps[0].badge = 0;
	EXPECT_EQ(-EKEYREVOKED, do_endow(self->phi, pidfd, caps, 1, 0));
}

/* Of a REPLY there is only ever one. */
TEST_F(endow, no_reply)
{
	struct phi_call call = { .endpoint = self->ep };
	struct job job = JOB(self->phi, CALL, &call);
	struct phi_recv in;

	ASSERT_EQ(0, job_start(&job));
	ASSERT_EQ(0, do_recv_soon(self->phi, self->ep, NULL, 0, &in));
	EXPECT_EQ(-EINVAL, endow_one(self->phi, self->child.pidfd, in.reply,
				     PHI_RIGHT_SEND));
	EXPECT_EQ(0, do_reply(self->phi, in.reply, NULL, 0));
	EXPECT_EQ(0, job_join(&job));
}

TEST_F(endow, all_or_nothing)
{
	struct phi_endowment caps[] = {
		{ .cap = self->notify, .rights = RW },
		{ .cap = self->ep, .rights = RW },
	};
	struct phi_system_stats before;

	ASSERT_EQ(0, do_stats(self->phi, &before));
	EXPECT_EQ(-EPERM, do_endow(self->phi, self->child.pidfd, caps, 2, 0));
	EXPECT_TRUE(do_settled(self->phi, &before));
}

TEST_F(endow, refuses_other_processes)
{
	struct phi_endowment give = { .cap = self->notify, .rights = RW };
	int self_fd = syscall(SYS_pidfd_open, getpid(), 0);
	int init = syscall(SYS_pidfd_open, 1, 0);
	int other = do_open();

	EXPECT_EQ(-EBADF, do_endow(self->phi, -1, &give, 1, 0));
	EXPECT_EQ(-EINVAL, do_endow(self->phi, self->phi, &give, 1, 0));
	EXPECT_EQ(-EPERM, do_endow(self->phi, self_fd, &give, 1, 0));
	EXPECT_EQ(-EPERM, do_endow(self->phi, init, &give, 1, 0));
	child_end(&self->child);
	EXPECT_EQ(-ESRCH, do_endow(self->phi, self->child.pidfd, &give, 1, 0));
	ASSERT_EQ(self->child.pid, waitpid(self->child.pid, NULL, 0));
	EXPECT_EQ(-ESRCH, do_endow(self->phi, self->child.pidfd, &give, 1, 0));
	close(self_fd);
	close(init);
	close(other);
}

/* Whoever has executed a program may trust what it finds. */
TEST_F(endow, refuses_what_has_executed)
{
	int gone[2], pidfd;
	char byte;
	pid_t pid;

	ASSERT_EQ(0, pipe2(gone, O_CLOEXEC));
	pid = fork();
	if (!pid) {
		execl("/bin/sleep", "sleep", "1000", NULL);
		_exit(1);
	}
	close(gone[1]);
	pidfd = syscall(SYS_pidfd_open, pid, 0);
	/* The pipe closes when it executes. */
	EXPECT_EQ(0, read(gone[0], &byte, 1));
	EXPECT_EQ(-EPERM, endow_one(self->phi, pidfd, self->notify, RW));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(pidfd);
	close(gone[0]);
}

TEST_F(endow, refuses_a_grandchild)
{
	int up[2], pidfd;
	pid_t child, below;

	ASSERT_EQ(0, pipe2(up, O_CLOEXEC));
	child = fork();
	if (!child) {
		below = fork();
		if (!below) {
			pause();
			_exit(0);
		}
		if (write(up[1], &below, sizeof(below)) < 0)
			_exit(1);
		waitpid(below, NULL, 0);
		_exit(0);
	}
	ASSERT_EQ(sizeof(below), read(up[0], &below, sizeof(below)));
	pidfd = syscall(SYS_pidfd_open, below, 0);
	EXPECT_EQ(-EPERM, endow_one(self->phi, pidfd, self->notify, RW));
	kill(below, SIGKILL);
	waitpid(child, NULL, 0);
	close(pidfd);
	close(up[0]);
	close(up[1]);
}

TEST_F(endow, the_child_pays)
{
	struct phi_system_stats stats;
	struct child other;
	int fd, theirs;

	ASSERT_EQ(0, child_start(&other, SOMEBODY));
	ASSERT_EQ(0, child_hear(&other)); /* it is somebody else now */
	fd = endow_one(self->phi, other.pidfd, self->notify, RW);
	ASSERT_LE(0, fd);
	theirs = do_open_as(SOMEBODY);
	ASSERT_LE(0, theirs);
	ASSERT_EQ(0, do_stats(theirs, &stats));
	/* Two cspaces, and a capability in one. */
	EXPECT_EQ(2, stats.used[PHI_QUOTA_OBJECTS]);
	EXPECT_EQ(1, stats.used[PHI_QUOTA_CAPS]);
	close(theirs);
	close(fd);
	close(other.hear);
	close(other.tell);
	close(other.pidfd);
	waitpid(other.pid, NULL, 0);
}

/*
 * Try to endow a child, adopted or not, from the process of a user. Return: the
 * result of the call, when that is an errno.
 */
static int endow_as(uid_t uid, int pidfd)
{
	uint64_t notify;
	int phi, ret;

	if (become(uid))
		return -ECHILD;
	phi = do_open();
	if (phi < 0 || do_notify(phi, &notify))
		return -ECHILD;
	ret = endow_one(phi, pidfd, notify, RW);
	return ret < 0 ? ret : 0;
}

/* Whoever becomes somebody else leaves a stronger child behind. */
static int endow_stronger(void *arg)
{
	struct child child;

	(void)arg;
	if (child_start(&child, 0) || child_hear(&child))
		return -ECHILD;
	return endow_as(SOMEBODY, child.pidfd);
}

/* As the child of a setuid program, when its parent has ended. */
static int endow_adopted(void *arg)
{
	int up[2], down[2], pidfd, ret;
	pid_t child, below;

	if (prctl(PR_SET_CHILD_SUBREAPER, 1) || pipe2(up, O_CLOEXEC) ||
	    pipe2(down, O_CLOEXEC))
		return -ECHILD;
	child = fork();
	if (!child) {
		below = fork();
		if (!below) {
			if (*(uid_t *)arg && become(*(uid_t *)arg))
				_exit(1);
			below = getpid();
			if (write(up[1], &below, sizeof(below)) < 0)
				_exit(1);
			close(down[1]);
			_exit(read(down[0], &below, 1) != 0);
		}
		_exit(0);
	}
	if (read(up[0], &below, sizeof(below)) != sizeof(below) ||
	    waitpid(child, NULL, 0) != child)
		return -ECHILD;
	pidfd = syscall(SYS_pidfd_open, below, 0);
	ret = endow_as(SOMEBODY, pidfd);
	close(down[1]);
	waitpid(below, NULL, 0);
	return ret;
}

TEST_F(endow, refuses_who_can_do_more)
{
	uid_t root = 0, same = SOMEBODY, other = SOMEBODY + 1;

	EXPECT_EQ(-EPERM, in_child(endow_stronger, NULL));
	EXPECT_EQ(-EPERM, in_child(endow_adopted, &root));
	EXPECT_EQ(-EPERM, in_child(endow_adopted, &other));
	EXPECT_EQ(0, in_child(endow_adopted, &same));
}

/* The caller was refused; who had too little is another matter. */
TEST_F(endow, says_whose_quota)
{
	struct phi_decision_query query = {
		.flags = PHI_DECISION_BEFORE | PHI_DECISION_THREAD,
	};
	const struct phi_decision *d = &query.decision;
	struct child other;
	int limited, ret = 0;

	ASSERT_EQ(0, child_start(&other, SOMEBODY));
	ASSERT_EQ(0, child_hear(&other));
	limited = do_limit("quota_caps", 0);
	if (!limited)
		ret = endow_one(self->phi, other.pidfd, self->notify, RW);
	EXPECT_EQ(0, do_limit("quota_caps", 65536));
	EXPECT_EQ(0, limited);
	EXPECT_EQ(-EDQUOT, ret);
	ASSERT_EQ(0, PHI_DO(self->phi, DECISION_QUERY, &query));
	EXPECT_EQ(PHI_DECIDED_QUOTA, d->where);
	EXPECT_EQ(0, d->uid);
	EXPECT_EQ(SOMEBODY, d->owner);
	EXPECT_EQ(PHI_QUOTA_CAPS, d->kind);
	EXPECT_EQ(1, d->asked);
	close(other.hear);
	close(other.tell);
	close(other.pidfd);
	waitpid(other.pid, NULL, 0);
}

TEST_HARNESS_MAIN
