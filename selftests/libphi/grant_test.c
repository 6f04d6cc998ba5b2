// SPDX-License-Identifier: GPL-2.0-only
/* The library's calls that give capabilities to others. */

#include <errno.h>
#include <phi/phi.h>
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

TEST_HARNESS_MAIN
