// SPDX-License-Identifier: GPL-2.0-only
/* The library's calls on capabilities that wrappers_test has no room for. */

#include <errno.h>
#include <phi/phi.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "kselftest_harness.h"

FIXTURE(calls)
{
	int phi;
};

FIXTURE_SETUP(calls)
{
	self->phi = phi_open(0);
	ASSERT_LE(0, self->phi)
	{
		TH_LOG("is phi.ko loaded?");
	}
}

FIXTURE_TEARDOWN(calls)
{
	EXPECT_EQ(0, phi_close(self->phi));
}

TEST_F(calls, watches)
{
	uint64_t root, lent, bell, bits;

	ASSERT_EQ(0, phi_endpoint_create(self->phi, &root));
	ASSERT_EQ(0,
		  phi_cap_derive(self->phi, root, PHI_RIGHT_SEND, 0, 0, &lent));
	ASSERT_EQ(0, phi_notify_create(self->phi, &bell));
	ASSERT_EQ(0, phi_cap_watch(self->phi, lent, bell, 1, 2, 4));
	EXPECT_EQ(-EINVAL, phi_cap_watch(self->phi, lent, bell, 0, 0, 0));
	EXPECT_EQ(0, phi_cap_revoke_one(self->phi, root, lent));
	EXPECT_EQ(0, phi_notify_wait(self->phi, bell, 7, 0, 0, &bits));
	EXPECT_EQ(1, bits);
}

TEST_F(calls, files_that_expire)
{
	struct phi_cap_query root, file;
	uint64_t ep, cap;

	ASSERT_EQ(0, phi_endpoint_create(self->phi, &ep));
	ASSERT_EQ(0, phi_cap_mint_until(self->phi, ep, PHI_TYPE_FILE,
					PHI_RIGHT_SEND, 7, UINT64_MAX, &cap));
	ASSERT_EQ(0, phi_cap_query(self->phi, ep, &root));
	ASSERT_EQ(0, phi_cap_query(self->phi, cap, &file));
	EXPECT_EQ(UINT64_MAX, file.expires_ns);
	EXPECT_EQ(7, file.badge);
	EXPECT_NE(0, root.ids[0]);
	EXPECT_EQ(root.ids[0], file.ids[1]);
	EXPECT_EQ(0, file.ids[2]);
}

TEST_F(calls, grants)
{
	int pidfd = syscall(SYS_pidfd_open, getpid(), 0);
	struct phi_xfer give = { .rights = PHI_RIGHT_ALL };
	uint64_t ep, bell;
	struct phi_msg_in in;

	ASSERT_LE(0, pidfd);
	ASSERT_EQ(0, phi_endpoint_create(self->phi, &ep));
	ASSERT_EQ(0, phi_notify_create(self->phi, &bell));
	give.cap = bell;
	EXPECT_EQ(-EPIPE, phi_cap_grant(self->phi, pidfd, &give, "hi", 2));
	EXPECT_EQ(-ENOENT, phi_cspace_inbox(self->phi, ep, PHI_INBOX_AGENT));
	ASSERT_EQ(0, phi_cspace_inbox(self->phi, ep, 0));
	ASSERT_EQ(0, phi_cap_grant(self->phi, pidfd, &give, "hi", 2));
	ASSERT_EQ(0, phi_recv(self->phi, ep, &in, PHI_NONBLOCK, 0));
	EXPECT_EQ(2, in.len);
	EXPECT_EQ(1, in.ncaps);
	EXPECT_EQ(1, phi_cap_same(self->phi, bell, in.caps[0].cap));
	EXPECT_EQ(-EINVAL, phi_cap_grant(self->phi, pidfd, &give, NULL,
					 PHI_MSG_MAX + 1));
	EXPECT_EQ(-EINVAL,
		  phi_cap_grant_agent(self->phi, bell, &give, NULL, 0));
	EXPECT_EQ(-EBADF, phi_cap_grant_agent(self->phi, 0, &give, NULL, 0));
	close(pidfd);
}

TEST_F(calls, invoke)
{
	struct {
		uint64_t offset, word;
	} put = { 8, 42 };
	uint64_t region, bell, word = 0, bits = 3;
	size_t len = sizeof(word);

	ASSERT_EQ(0, phi_region_create(self->phi, 4096, 0, &region));
	ASSERT_EQ(0, phi_notify_create(self->phi, &bell));
	ASSERT_EQ(0, phi_cap_invoke(self->phi, region, PHI_OP_WRITE, &put,
				    sizeof(put), NULL, NULL));
	ASSERT_EQ(0, phi_cap_invoke(self->phi, region, PHI_OP_READ, &put.offset,
				    sizeof(put.offset), &word, &len));
	EXPECT_EQ(42, word);
	EXPECT_EQ(sizeof(word), len);
	ASSERT_EQ(0, phi_cap_invoke(self->phi, bell, PHI_OP_SIGNAL, &bits, 8,
				    NULL, NULL));
	len = 7;
	EXPECT_EQ(-EMSGSIZE, phi_cap_invoke(self->phi, bell, PHI_OP_POLL, &bits,
					    8, &word, &len));
	EXPECT_EQ(-EINVAL, phi_cap_invoke(self->phi, bell, PHI_OP_POLL, &bits,
					  1ULL << 32, &word, &len));
	len = 8;
	ASSERT_EQ(0, phi_cap_invoke(self->phi, bell, PHI_OP_POLL, &bits, 8,
				    &word, &len));
	EXPECT_EQ(3, word);
}

TEST_HARNESS_MAIN
