// SPDX-License-Identifier: GPL-2.0-only

#include "kselftest_harness.h"

#include <sched.h>
#include <sys/mman.h>

#include "phi_message.h"

/*
 * What a receiver is told of a sender, when namespaces lie between them. The
 * token crosses by memory that a fork shares.
 */
FIXTURE(names)
{
	int phi;
	uint64_t ep;
	struct phi_token *token;
};

FIXTURE_SETUP(names)
{
	self->phi = do_open();
	ASSERT_LE(0, self->phi)
	{
		TH_LOG("is phi.ko loaded?");
	}
	ASSERT_EQ(0, do_endpoint(self->phi, &self->ep));
	self->token = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->token);
	ASSERT_EQ(0, do_seal(self->phi, self->ep, PHI_RIGHT_SEND, 0, 0,
			     self->token));
}

FIXTURE_TEARDOWN(names)
{
	munmap(self->token, 4096);
	close(self->phi);
}

static int send_as(const struct phi_token *token, uid_t uid)
{
	uint64_t to;
	int phi, ret;

	if (uid && become(uid))
		return -1;
	phi = do_open();
	if (phi < 0)
		return phi;
	ret = do_unseal(phi, token, &to);
	return ret ?: do_send(phi, to, NULL, 0);
}

static int send_as_user(void *arg)
{
	return send_as(arg, 4242);
}

TEST_F(names, sender_is_seen_from_outside)
{
	struct phi_recv arg;

	ASSERT_EQ(0, in_child(send_as_user, self->token));
	ASSERT_EQ(0, do_recv(self->phi, self->ep, NULL, 0, &arg));
	EXPECT_EQ(4242, arg.uid);
	EXPECT_NE(getpid(), (pid_t)arg.pid);
	EXPECT_LT(1, arg.pid);
}

/* The uid of the open counts, not that of the send. */
static int send_after_change(void *arg)
{
	uint64_t to;
	int phi = do_open();

	if (phi < 0 || become(4242))
		return -1;
	return do_unseal(phi, arg, &to) ?: do_send(phi, to, NULL, 0);
}

TEST_F(names, uid_is_that_of_the_open)
{
	struct phi_recv arg;

	ASSERT_EQ(0, in_child(send_after_change, self->token));
	ASSERT_EQ(0, do_recv(self->phi, self->ep, NULL, 0, &arg));
	EXPECT_EQ(0, arg.uid);
}

static int write_map(const char *file, pid_t pid, const char *map)
{
	char path[64];
	int fd, ret;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	fd = open(path, O_WRONLY);
	if (fd < 0)
		return -errno;
	ret = write(fd, map, strlen(map)) < 0 ? -errno : 0;
	close(fd);
	return ret;
}

/* A receiver in namespaces of its own: its child there, and one outside. */
struct inside {
	struct phi_token token;
	struct phi_recv child;
	struct phi_recv outside;
	pid_t child_pid;
};

static int child_inside(void *arg)
{
	struct inside *inside = arg;

	inside->child_pid = getpid();
	return send_as(&inside->token, 0);
}

/* Runs as pid 1 of a pid namespace, as uid 0 of a user namespace. */
static int receiver_inside(struct inside *inside, int ready, int go)
{
	uint64_t ep;
	char c = 0;
	int phi;

	/* The maps must be there before the open: it is those that count. */
	if (read(go, &c, 1) != 1)
		return 10;
	phi = do_open();
	if (phi < 0 || do_endpoint(phi, &ep) ||
	    do_seal(phi, ep, PHI_RIGHT_SEND, 0, 0, &inside->token))
		return 11;
	if (in_child(child_inside, inside))
		return 12;
	if (do_recv(phi, ep, NULL, 0, &inside->child))
		return 13;
	if (write(ready, &c, 1) != 1 || read(go, &c, 1) != 1)
		return 14;
	return do_recv(phi, ep, NULL, 0, &inside->outside) ? 15 : 0;
}

TEST_F(names, receiver_sees_its_own_namespaces)
{
	struct inside *inside = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int ready[2], go[2], status;
	char c = 0;
	pid_t pid;

	ASSERT_NE(MAP_FAILED, inside);
	ASSERT_EQ(0, pipe(ready));
	ASSERT_EQ(0, pipe(go));
	/* fork(), with the two namespaces. */
	pid = syscall(SYS_clone, CLONE_NEWUSER | CLONE_NEWPID | SIGCHLD, NULL,
		      NULL, NULL, NULL);
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(receiver_inside(inside, ready[1], go[0]));
	ASSERT_EQ(0, write_map("uid_map", pid, "0 5000 1\n7 0 1\n"));
	ASSERT_EQ(0, write_map("setgroups", pid, "deny"));
	ASSERT_EQ(0, write_map("gid_map", pid, "0 5000 1\n"));
	ASSERT_EQ(1, write(go[1], &c, 1));
	ASSERT_EQ(1, read(ready[0], &c, 1));
	ASSERT_EQ(0, send_as(&inside->token, 0));
	ASSERT_EQ(0, in_child(send_as_user, &inside->token));
	ASSERT_EQ(1, write(go[1], &c, 1));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, WEXITSTATUS(status));
	EXPECT_EQ(inside->child_pid, (pid_t)inside->child.pid);
	EXPECT_EQ(0, inside->outside.pid);
	/* uid 0 out here is 7 in there; the map decides, not the number. */
	EXPECT_EQ(7, inside->outside.uid);
	munmap(inside, 4096);
}

TEST_HARNESS_MAIN
