// SPDX-License-Identifier: GPL-2.0-only

#include "kselftest_harness.h"

#include <signal.h>

#include "phi_message.h"

#define THREADS 4
#define MESSAGES 500

FIXTURE(stress)
{
	int server;
	uint64_t ep;
	struct phi_system_stats before;
};

FIXTURE_SETUP(stress)
{
	ASSERT_EQ(0, do_baseline(&self->before))
	{
		TH_LOG("is phi.ko loaded?");
	}
	self->server = do_open();
	ASSERT_LE(0, self->server);
	ASSERT_EQ(0, do_endpoint(self->server, &self->ep));
}

FIXTURE_TEARDOWN(stress)
{
	close(self->server);
	EXPECT_TRUE(do_restored(&self->before));
}

struct worker {
	pthread_t thread;
	int phi;
	uint64_t ep;
	uint64_t sum;
	int count;
	int ret;
};

static void *sender(void *arg)
{
	struct worker *w = arg;
	struct phi_send send = { .endpoint = w->ep };
	uint64_t n;

	send.data = (uintptr_t)&n;
	send.len = sizeof(n);
	for (n = 1; n <= MESSAGES; n++) {
		w->ret = PHI_DO(w->phi, SEND, &send);
		if (w->ret)
			break;
		w->sum += n;
		w->count++;
	}
	return NULL;
}

static void *receiver(void *arg)
{
	struct worker *w = arg;
	uint64_t n;

	for (;;) {
		struct phi_recv recv = {
			.endpoint = w->ep,
			.data = (uintptr_t)&n,
			.len = sizeof(n),
		};

		w->ret = PHI_DO(w->phi, RECV, &recv);
		if (w->ret || !recv.len)
			break;
		w->sum += n;
		__atomic_add_fetch(&w->count, 1, __ATOMIC_RELEASE);
	}
	return NULL;
}

/* Every message arrives once, however many send and receive. */
TEST_F_TIMEOUT(stress, nothing_is_lost_or_doubled, 120)
{
	struct worker in[THREADS] = {}, out[THREADS] = {};
	uint64_t sent = 0, received = 0;
	int count = 0;

	for (int i = 0; i < THREADS; i++) {
		out[i].phi = do_open();
		ASSERT_LE(0, out[i].phi);
		ASSERT_EQ(0, do_give(self->server, self->ep, PHI_RIGHT_SEND,
				     out[i].phi, &out[i].ep));
		in[i].phi = self->server;
		in[i].ep = self->ep;
		pthread_create(&in[i].thread, NULL, receiver, &in[i]);
		pthread_create(&out[i].thread, NULL, sender, &out[i]);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(out[i].thread, NULL);
		EXPECT_EQ(0, out[i].ret);
		EXPECT_EQ(MESSAGES, out[i].count);
		sent += out[i].sum;
	}
	/* Until all arrived: another sender's message may overtake them. */
	for (int tries = 0; count < THREADS * MESSAGES && tries < 3000;
	     tries++) {
		count = 0;
		for (int i = 0; i < THREADS; i++)
			count +=
				__atomic_load_n(&in[i].count, __ATOMIC_ACQUIRE);
		usleep(10000);
	}
	count = 0;
	/* One empty message for each, to end it. */
	for (int i = 0; i < THREADS; i++) {
		struct phi_send end = { .endpoint = self->ep };

		ASSERT_EQ(0, PHI_DO(self->server, SEND, &end));
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(in[i].thread, NULL);
		EXPECT_EQ(0, in[i].ret);
		received += in[i].sum;
		count += in[i].count;
		close(out[i].phi);
	}
	EXPECT_EQ(THREADS * MESSAGES, count);
	EXPECT_EQ(sent, received);
}

/* Calls against revokes: each ends with an answer or a reason. */
static void *caller(void *arg)
{
	struct worker *w = arg;
	uint64_t n, back;

	for (n = 0; n < MESSAGES; n++) {
		struct phi_call call = {
			.endpoint = w->ep,
			.data = (uintptr_t)&n,
			.len = sizeof(n),
			.reply_data = (uintptr_t)&back,
			.reply_len = sizeof(back),
		};

		w->ret = PHI_DO(w->phi, CALL, &call);
		if (w->ret)
			break;
		if (back != n + 1) {
			w->ret = -EBADMSG;
			break;
		}
		w->count++;
	}
	return NULL;
}

static void *answerer(void *arg)
{
	struct worker *w = arg;
	struct phi_reply_recv both = {};
	uint64_t n;
	int ret;

	both.recv.size = sizeof(both.recv);
	both.recv.endpoint = w->ep;
	both.recv.data = (uintptr_t)&n;
	both.recv.len = sizeof(n);
	ret = ioctl(w->phi, PHI_IOC_RECV, &both.recv) ? -errno : 0;
	while (!ret) {
		n++;
		both.reply = (struct phi_reply){
			.size = sizeof(both.reply),
			.reply = both.recv.reply,
			.data = (uintptr_t)&n,
			.len = sizeof(n),
		};
		both.recv.len = sizeof(n);
		w->count++;
		ret = PHI_DO(w->phi, REPLY_RECV, &both);
	}
	w->ret = ret;
	return NULL;
}

TEST_F_TIMEOUT(stress, calls_end_when_the_server_revokes_and_dies, 120)
{
	struct worker in[2] = {}, out[THREADS] = {};
	uint64_t lent, mine;
	int answers = 0;

	ASSERT_EQ(0,
		  do_derive(self->server, self->ep,
			    PHI_RIGHT_SEND | PHI_RIGHT_ADMIN | PHI_RIGHT_GRANT,
			    &lent));
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(0, do_derive(self->server, self->ep, PHI_RIGHT_RECV,
				       &mine));
		in[i].phi = self->server;
		in[i].ep = mine;
		pthread_create(&in[i].thread, NULL, answerer, &in[i]);
	}
	for (int i = 0; i < THREADS; i++) {
		out[i].phi = do_open();
		ASSERT_EQ(0, do_give(self->server, lent, PHI_RIGHT_SEND,
				     out[i].phi, &out[i].ep));
		pthread_create(&out[i].thread, NULL, caller, &out[i]);
	}
	usleep(150000);
	ASSERT_EQ(0, do_revoke(self->server, lent));
	for (int i = 0; i < THREADS; i++) {
		pthread_join(out[i].thread, NULL);
		if (out[i].count < MESSAGES) {
			EXPECT_EQ(-EKEYREVOKED, out[i].ret);
		}
		answers += out[i].count;
		close(out[i].phi);
	}
	ASSERT_EQ(0, do_revoke(self->server, self->ep));
	for (int i = 0; i < 2; i++) {
		pthread_join(in[i].thread, NULL);
		EXPECT_EQ(-EKEYREVOKED, in[i].ret);
		answers -= in[i].count;
	}
	/* A call may have failed though it was answered, never the reverse. */
	EXPECT_GE(0, answers);
}

/* Children that call, killed at any moment; what they had goes with them. */
TEST_F_TIMEOUT(stress, killed_callers_leave_nothing, 120)
{
	struct worker server = { .phi = self->server, .ep = self->ep };
	struct phi_token token;
	uint64_t mine;
	pid_t pid[8];

	ASSERT_EQ(0, do_seal(self->server, self->ep, PHI_RIGHT_SEND, 0, 0,
			     &token));
	ASSERT_EQ(0, do_derive(self->server, self->ep, PHI_RIGHT_RECV, &mine));
	server.ep = mine;
	pthread_create(&server.thread, NULL, answerer, &server);
	for (int i = 0; i < 8; i++) {
		pid[i] = fork();
		ASSERT_LE(0, pid[i]);
		if (!pid[i]) {
			struct worker w = { .phi = do_open() };

			if (do_unseal(w.phi, &token, &w.ep))
				_exit(1);
			for (;;)
				caller(&w);
		}
	}
	for (int i = 0; i < 8; i++) {
		usleep(30000 + 7000 * i);
		kill(pid[i], SIGKILL);
		ASSERT_EQ(pid[i], waitpid(pid[i], NULL, 0));
	}
	ASSERT_EQ(0, do_drop(self->server, mine));
	pthread_join(server.thread, NULL);
	EXPECT_EQ(-EBADF, server.ret);
	EXPECT_LT(0, server.count);
}

TEST_HARNESS_MAIN
