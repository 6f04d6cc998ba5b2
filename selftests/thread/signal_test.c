// SPDX-License-Identifier: GPL-2.0-only
/* Messages to threads, and what they interrupt. */
#include <kselftest_harness.h>

#include "peer.h"
#include "phi_message.h"

static int heard;

static void on_signal(int signo)
{
	heard = signo;
}

FIXTURE(signal)
{
	struct phi_system_stats before;
	struct peer peer;
	int phi;
	uint64_t mail;
};

FIXTURE_SETUP(signal)
{
	struct sigaction action = { .sa_handler = on_signal };

	heard = 0;
	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	ASSERT_EQ(0, do_baseline(&self->before));
	self->phi = do_open();
	ASSERT_LE(0, self->phi);
	ASSERT_EQ(0, do_endpoint(self->phi, &self->mail));
	self->peer.endpoint = self->mail;
}

FIXTURE_TEARDOWN(signal)
{
	close(self->phi);
	EXPECT_TRUE(do_restored(&self->before));
}

static int do_thread_signal(int phi, uint64_t thread, const void *data,
			    uint32_t len)
{
	struct phi_thread_signal arg = {
		.thread = thread,
		.data = (uintptr_t)data,
		.len = len,
	};

	return PHI_DO(phi, THREAD_SIGNAL, &arg);
}

TEST_F(signal, is_a_message)
{
	struct phi_recv recv;
	uint64_t weak;
	char text[8];

	self->peer.badge = 77;
	ASSERT_EQ(0, peer_start(&self->peer, self->phi));
	ASSERT_EQ(0,
		  do_derive(self->phi, self->peer.cap, PHI_RIGHT_SEND, &weak));
	ASSERT_EQ(0, do_thread_signal(self->phi, weak, "stop", 5));
	ASSERT_EQ(0, do_recv(self->phi, self->mail, text, 8, &recv));
	EXPECT_STREQ("stop", text);
	EXPECT_EQ(5, recv.len);
	EXPECT_EQ(77, recv.badge);
	EXPECT_EQ(PHI_TYPE_THREAD, recv.type);
	EXPECT_EQ(PHI_RIGHT_SEND, recv.rights);
	EXPECT_EQ(getpid(), recv.pid);
	/* Only signals go this way. */
	EXPECT_EQ(-EINVAL, do_send(self->phi, weak, "x", 1));
	peer_stop(&self->peer);
	EXPECT_EQ(-ESRCH, do_thread_signal(self->phi, weak, "stop", 5));
	EXPECT_EQ(-EAGAIN, do_take(self->phi, self->mail));
}

/* The thread waits for something else meanwhile. */
TEST_F(signal, interrupts)
{
	self->peer.signo = SIGUSR1;
	ASSERT_EQ(0, peer_start(&self->peer, self->phi));
	ASSERT_EQ(0, do_thread_signal(self->phi, self->peer.cap, NULL, 0));
	peer_stop(&self->peer);
	EXPECT_EQ(SIGUSR1, heard);
	EXPECT_EQ(0, do_take(self->phi, self->mail));
}

TEST_F(signal, interrupts_nothing_unasked)
{
	ASSERT_EQ(0, peer_start(&self->peer, self->phi));
	ASSERT_EQ(0, do_thread_signal(self->phi, self->peer.cap, NULL, 0));
	peer_stop(&self->peer);
	EXPECT_EQ(0, heard);
	EXPECT_EQ(0, do_take(self->phi, self->mail));
}

TEST_F(signal, never_waits)
{
	int ret = 0;
	int n;

	ASSERT_EQ(0, peer_start(&self->peer, self->phi));
	for (n = 0; !ret && n < 100000; n++)
		ret = do_thread_signal(self->phi, self->peer.cap, "x", 1);
	EXPECT_EQ(-EAGAIN, ret);
	EXPECT_LT(1, n);
	ASSERT_EQ(0, do_take(self->phi, self->mail));
	EXPECT_EQ(0, do_thread_signal(self->phi, self->peer.cap, "x", 1));
	peer_stop(&self->peer);
}

TEST_F(signal, dead_endpoint)
{
	struct phi_thread_join j;

	ASSERT_EQ(0, peer_start(&self->peer, self->phi));
	ASSERT_EQ(0, do_drop(self->phi, self->mail));
	EXPECT_EQ(-EPIPE, do_thread_signal(self->phi, self->peer.cap, "x", 1));
	peer_stop(&self->peer);
	EXPECT_EQ(0, do_join(self->phi, self->peer.cap, 0, &j));
}

/* The capability of the thread hangs below that of its endpoint. */
TEST_F(signal, revoked_with_the_endpoint)
{
	struct phi_recv recv;

	ASSERT_EQ(0, peer_start(&self->peer, self->phi));
	ASSERT_EQ(0, do_thread_signal(self->phi, self->peer.cap, "x", 1));
	ASSERT_EQ(0, do_revoke(self->phi, self->mail));
	EXPECT_EQ(-EKEYREVOKED,
		  do_thread_signal(self->phi, self->peer.cap, "x", 1));
	/* What was queued is gone too. */
	EXPECT_EQ(-EAGAIN, do_recv(self->phi, self->mail, NULL, 0, &recv));
	peer_stop(&self->peer);
}

struct waiter {
	int phi;
	uint64_t cap;
	int ret;
};

static void *join_main(void *arg)
{
	struct phi_thread_join j;
	struct waiter *w = arg;

	w->ret = do_join(w->phi, w->cap, 0, &j);
	return NULL;
}

/* Joiners of a thread with an endpoint end with their capability too. */
TEST_F(signal, join_ends_with_the_endpoint)
{
	struct waiter w = { .phi = self->phi };
	pthread_t thread;

	ASSERT_EQ(0, peer_start(&self->peer, self->phi));
	w.cap = self->peer.cap;
	ASSERT_EQ(0, pthread_create(&thread, NULL, join_main, &w));
	ASSERT_EQ(0, do_revoke(self->phi, self->mail));
	pthread_join(thread, NULL);
	EXPECT_EQ(-EKEYREVOKED, w.ret);
	peer_stop(&self->peer);
}

TEST_F(signal, refuses_bad_input)
{
	struct phi_thread_signal arg = { .flags = 1 };
	struct phi_thread_register reg = { .endpoint = self->mail };
	uint64_t weak, badged, plain;
	char big[PHI_MSG_MAX + 1] = {};

	static const uint32_t wrong[] = { SIGKILL, SIGSTOP, 32,
					  64,	   65,	    UINT32_MAX };

	for (unsigned int i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		reg.signo = wrong[i];
		EXPECT_EQ(-EINVAL, PHI_DO(self->phi, THREAD_REGISTER, &reg));
	}
	reg.signo = 0;
	ASSERT_EQ(0, do_derive(self->phi, self->mail, PHI_RIGHT_SEND, &weak));
	reg.endpoint = weak;
	EXPECT_EQ(-EPERM, PHI_DO(self->phi, THREAD_REGISTER, &reg));
	ASSERT_EQ(0, do_derive(self->phi, self->mail,
			       PHI_RIGHT_ADMIN | PHI_RIGHT_GRANT, &weak));
	reg.endpoint = weak;
	EXPECT_EQ(-EPERM, PHI_DO(self->phi, THREAD_REGISTER, &reg));
	ASSERT_EQ(0, do_derive_until(self->phi, self->mail,
				     PHI_RIGHT_SEND | PHI_RIGHT_ADMIN |
					     PHI_RIGHT_GRANT,
				     0, 5, &badged));
	reg.endpoint = badged;
	reg.badge = 6;
	EXPECT_EQ(-EPERM, PHI_DO(self->phi, THREAD_REGISTER, &reg));

	self->peer.endpoint = 0;
	ASSERT_EQ(0, peer_start(&self->peer, self->phi));
	EXPECT_EQ(-EPERM, do_thread_signal(self->phi, self->peer.cap, "x", 1));
	peer_stop(&self->peer);
	self->peer.endpoint = self->mail;
	plain = self->peer.cap;
	ASSERT_EQ(0, peer_start(&self->peer, self->phi));
	arg.thread = self->peer.cap;
	EXPECT_EQ(-EOPNOTSUPP, PHI_DO(self->phi, THREAD_SIGNAL, &arg));
	arg = (struct phi_thread_signal){ .thread = self->peer.cap, .pad = 1 };
	EXPECT_EQ(-EINVAL, PHI_DO(self->phi, THREAD_SIGNAL, &arg));
	EXPECT_EQ(-EINVAL, do_thread_signal(self->phi, self->mail, "x", 1));
	EXPECT_EQ(-EBADF, do_thread_signal(self->phi, 99, "x", 1));
	EXPECT_EQ(-EINVAL, do_thread_signal(self->phi, self->peer.cap, big,
					    sizeof(big)));
	EXPECT_EQ(-EFAULT,
		  do_thread_signal(self->phi, self->peer.cap, (void *)8, 8));
	EXPECT_EQ(-EINVAL, phi_thread_signal(self->phi, self->peer.cap, big,
					     1ULL << 32));
	EXPECT_EQ(0, phi_thread_signal(self->phi, self->peer.cap, "ok", 2));
	peer_stop(&self->peer);
	EXPECT_EQ(-EPERM, do_thread_signal(self->phi, plain, "x", 1));
}

TEST_HARNESS_MAIN
