// SPDX-License-Identifier: GPL-2.0-only

#include "kselftest_harness.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "phi_ioctl.h"

#define RIGHTS \
	(PHI_RIGHT_READ | PHI_RIGHT_WRITE | PHI_RIGHT_ADMIN | PHI_RIGHT_GRANT)
#define SOMEBODY 4242

FIXTURE(cspace)
{
	int phi;
	uint64_t root;
	struct phi_system_stats before;
};

FIXTURE_SETUP(cspace)
{
	self->phi = do_open();
	ASSERT_LE(0, self->phi)
	{
		TH_LOG("is phi.ko loaded?");
	}
	ASSERT_EQ(0, do_stats(self->phi, &self->before));
	ASSERT_EQ(0, do_notify(self->phi, &self->root));
}

FIXTURE_TEARDOWN(cspace)
{
	close(self->phi);
	EXPECT_TRUE(do_restored(&self->before));
}

/* What a child process does with the file it inherited. */
struct visit {
	int phi;
	uint64_t cap;
};

static int visit_query(void *arg)
{
	struct visit *visit = arg;

	return do_probe(visit->phi, visit->cap);
}

static int visit_derive(void *arg)
{
	struct visit *visit = arg;
	uint64_t out;

	return do_derive(visit->phi, visit->cap, 0, &out);
}

static int visit_share(void *arg)
{
	struct visit *visit = arg;

	return do_share(visit->phi, 1);
}

static int visit_unshare(void *arg)
{
	struct visit *visit = arg;

	return do_share(visit->phi, 0);
}

static int visit_mmap(void *arg)
{
	struct visit *visit = arg;

	if (mmap(NULL, 4096, PROT_READ, MAP_SHARED, visit->phi, 0) ==
	    MAP_FAILED)
		return -errno;
	return 0;
}

static int visit_odd_number(void *arg)
{
	struct visit *visit = arg;

	return ioctl(visit->phi, _IO(PHI_IOC_MAGIC, 0xff), NULL) ? -errno : 0;
}

TEST_F(cspace, belongs_to_the_process)
{
	struct visit visit = { self->phi, self->root };

	EXPECT_EQ(0, do_probe(self->phi, self->root));
	EXPECT_EQ(-EPERM, in_child(visit_query, &visit));
	EXPECT_EQ(-EPERM, in_child(visit_derive, &visit));
	EXPECT_EQ(-EPERM, in_child(visit_share, &visit));
	EXPECT_EQ(-EPERM, in_child(visit_unshare, &visit));
	EXPECT_EQ(-EPERM, in_child(visit_mmap, &visit));
	EXPECT_EQ(-ENOTTY, in_child(visit_odd_number, &visit));
}

TEST_F(cspace, owner_may_share_and_unshare)
{
	struct visit visit = { self->phi, self->root };

	ASSERT_EQ(0, do_share(self->phi, 1));
	EXPECT_EQ(0, in_child(visit_query, &visit));
	EXPECT_EQ(0, in_child(visit_derive, &visit));
	/* A guest may use it, not decide who else does. */
	EXPECT_EQ(-EPERM, in_child(visit_share, &visit));
	EXPECT_EQ(-EPERM, in_child(visit_unshare, &visit));
	ASSERT_EQ(0, do_share(self->phi, 0));
	EXPECT_EQ(-EPERM, in_child(visit_query, &visit));
}

TEST_F(cspace, share_refuses_bad_input)
{
	struct phi_cspace_share arg = { .flags = 1 };

	EXPECT_EQ(-EOPNOTSUPP, PHI_DO(self->phi, CSPACE_SHARE, &arg));
	arg = (struct phi_cspace_share){ .pad = 1 };
	EXPECT_EQ(-EINVAL, PHI_DO(self->phi, CSPACE_SHARE, &arg));
	EXPECT_EQ(-EINVAL, do_share(self->phi, 2));
}

/* A child that takes the file from a socket instead. */
static int take_and_query(void *arg)
{
	struct visit *visit = arg;
	char control[CMSG_SPACE(sizeof(int))], byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	int phi;

	/* visit->phi is the socket here. */
	if (recvmsg(visit->phi, &msg, 0) != 1 || !CMSG_FIRSTHDR(&msg))
		return -EIO;
	memcpy(&phi, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(phi));
	return do_probe(phi, visit->cap);
}

static int pass(int socket, int phi)
{
	char control[CMSG_SPACE(sizeof(int))] = {}, byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &phi, sizeof(phi));
	return sendmsg(socket, &msg, 0) == 1 ? 0 : -errno;
}

TEST_F(cspace, passing_the_file_is_not_sharing)
{
	int pair[2];
	struct visit visit = { .cap = self->root };

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	visit.phi = pair[1];
	ASSERT_EQ(0, pass(pair[0], self->phi));
	EXPECT_EQ(-EPERM, in_child(take_and_query, &visit));
	ASSERT_EQ(0, do_share(self->phi, 1));
	ASSERT_EQ(0, pass(pair[0], self->phi));
	EXPECT_EQ(0, in_child(take_and_query, &visit));
	close(pair[0]);
	close(pair[1]);
}

static void *query_thread(void *arg)
{
	struct visit *visit = arg;

	return (void *)(intptr_t)do_probe(visit->phi, visit->cap);
}

TEST_F(cspace, threads_are_the_process)
{
	struct visit visit = { self->phi, self->root };
	pthread_t thread;
	void *ret;

	ASSERT_EQ(0, pthread_create(&thread, NULL, query_thread, &visit));
	ASSERT_EQ(0, pthread_join(thread, &ret));
	EXPECT_EQ(0, (intptr_t)ret);
}

/* In a child, since exec replaces the process: the cspace is the child's. */
static int exec_and_query(void *arg)
{
	bool keep = *(bool *)arg;
	char fd[16], handle[32];
	uint64_t cap;
	int phi = open("/dev/phi", keep ? O_RDWR : O_RDWR | O_CLOEXEC);
	int out = open("/tmp/phi-exec", O_RDWR | O_CREAT | O_TRUNC, 0600);

	if (phi < 0 || out < 0 || do_notify(phi, &cap))
		return -EIO;
	dup2(out, STDOUT_FILENO);
	snprintf(fd, sizeof(fd), "%d", phi);
	snprintf(handle, sizeof(handle), "%llu", (unsigned long long)cap);
	execl("../../build/selftests/cspace/probe_prog", "probe_prog", fd,
	      handle, NULL);
	return -errno;
}

static int result_of_exec(void)
{
	FILE *file = fopen("/tmp/phi-exec", "r");
	int ret = -1000;

	if (file) {
		if (fscanf(file, "%d", &ret) != 1)
			ret = -1000;
		fclose(file);
	}
	unlink("/tmp/phi-exec");
	return ret;
}

TEST_F(cspace, exec_keeps_the_owner)
{
	bool keep = true;

	EXPECT_EQ(-ECHILD, in_child(exec_and_query, &keep));
	EXPECT_EQ(0, result_of_exec());
	keep = false;
	EXPECT_EQ(-ECHILD, in_child(exec_and_query, &keep));
	EXPECT_EQ(-EBADF, result_of_exec());
}

TEST_F(cspace, handles_mean_nothing_elsewhere)
{
	int other = do_open();

	ASSERT_LE(0, other);
	EXPECT_EQ(-EBADF, do_probe(other, self->root));
	EXPECT_EQ(-EBADF, do_drop(other, self->root));
	EXPECT_EQ(-EBADF, do_revoke(other, self->root));
	EXPECT_EQ(0, do_probe(self->phi, self->root));
	close(other);
}

TEST_F(cspace, lives_until_the_last_file_is_closed)
{
	uint64_t cap;
	int other = do_open(), twin;

	ASSERT_LE(0, other);
	ASSERT_EQ(0, do_notify(other, &cap));
	twin = dup(other);
	ASSERT_LE(0, twin);
	close(other);
	EXPECT_EQ(0, do_probe(twin, cap));
	close(twin);
}

/* Checks go by who opened it, whatever that process has become since. */
static int rekey_after_giving_up(void *arg)
{
	int phi = do_open(), ret;
	uint32_t key;

	(void)arg;
	if (phi < 0)
		return phi;
	ret = become(SOMEBODY);
	return ret ?: do_rekey(phi, &key);
}

TEST_F(cspace, uses_the_openers_credentials)
{
	EXPECT_EQ(0, in_child(rekey_after_giving_up, NULL));
}

/* Root, handed the shared cspace of somebody else, is somebody there. */
static int rekey_as_guest(void *arg)
{
	uint32_t key;

	return do_rekey(*(int *)arg, &key);
}

static int open_as_somebody(void *arg)
{
	int phi;

	(void)arg;
	if (setresuid(SOMEBODY, SOMEBODY, 0))
		return -errno;
	phi = do_open();
	if (phi < 0 || do_share(phi, 1) || setresuid(0, 0, 0))
		return -EIO;
	return in_child(rekey_as_guest, &phi);
}

TEST_F(cspace, lends_no_privilege_to_the_opener)
{
	EXPECT_EQ(-EPERM, in_child(open_as_somebody, NULL));
}

/* Every slot taken: one more does not fit, until one is dropped. */
TEST_F_TIMEOUT(cspace, has_65536_slots, 120)
{
	uint64_t root, last = 0, out;
	uint32_t count, total;
	uint64_t limit = self->before.limit[PHI_QUOTA_CAPS];
	int other = do_open();

	ASSERT_LE(0, other);
	ASSERT_EQ(0, do_limit("quota_caps", 200000));
	ASSERT_EQ(0, do_notify(other, &root));
	for (int i = 1; i < 65536; i++) {
		ASSERT_EQ(0, do_derive(other, root, 0, &last))
		{
			TH_LOG("slot %d", i);
		}
	}
	EXPECT_EQ(-ENOSPC, do_derive(other, root, 0, &out));
	EXPECT_EQ(-ENOSPC, do_notify(other, &out));
	ASSERT_EQ(0, do_list(other, NULL, 0, &count, &total));
	EXPECT_EQ(65536, total);
	ASSERT_EQ(0, do_drop(other, last));
	EXPECT_EQ(0, do_derive(other, root, 0, &out));
	close(other);
	EXPECT_EQ(0, do_limit("quota_caps", limit));
}

TEST_HARNESS_MAIN
