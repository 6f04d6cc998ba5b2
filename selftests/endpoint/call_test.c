// SPDX-License-Identifier: GPL-2.0-only

#include "kselftest_harness.h"

#include <signal.h>
#include <sys/mman.h>

#include "phi_message.h"

/* A server with an endpoint, and a client that may call it. */
FIXTURE(call)
{
	int server;
	int client;
	uint64_t ep;
	uint64_t to;
	struct phi_call arg;
	struct job job;
	char data[PHI_MSG_MAX];
	struct phi_system_stats before;
};

FIXTURE_SETUP(call)
{
	ASSERT_EQ(0, do_baseline(&self->before))
	{
		TH_LOG("is phi.ko loaded?");
	}
	ASSERT_EQ(0,
		  do_ends(&self->server, &self->client, &self->ep, &self->to));
	self->arg = (struct phi_call){
		.endpoint = self->to,
		.data = (uintptr_t)"ask",
		.len = 3,
		.reply_data = (uintptr_t)self->data,
		.reply_len = sizeof(self->data),
	};
	self->job = JOB(self->client, CALL, &self->arg);
}

FIXTURE_TEARDOWN(call)
{
	close(self->client);
	close(self->server);
	EXPECT_TRUE(do_restored(&self->before));
}

TEST_F(call, is_answered)
{
	struct phi_cap_query query;
	struct phi_recv recv;
	char data[16] = {};

	ASSERT_EQ(0, job_start(&self->job));
	ASSERT_EQ(0, do_recv(self->server, self->ep, data, 16, &recv));
	EXPECT_EQ(3, recv.len);
	EXPECT_STREQ("ask", data);
	ASSERT_EQ(0, do_query(self->server, recv.reply, &query));
	EXPECT_EQ(PHI_TYPE_REPLY, query.type);
	ASSERT_EQ(0, do_reply(self->server, recv.reply, "answer", 6));
	EXPECT_EQ(0, job_join(&self->job));
	EXPECT_EQ(6, self->arg.reply_len);
	EXPECT_EQ(0, self->arg.reply_ncaps);
	EXPECT_EQ(0, memcmp(self->data, "answer", 6));
	/* Once. */
	EXPECT_EQ(-EBADF, do_reply(self->server, recv.reply, "again", 5));
}

TEST_F(call, capabilities_go_both_ways)
{
	struct phi_reply reply = { .ncaps = 2 };
	struct phi_recv recv;
	uint64_t ours, theirs, bits;

	ASSERT_EQ(0, do_notify(self->client, &ours));
	ASSERT_EQ(0, do_notify(self->server, &theirs));
	self->arg.ncaps = 1;
	self->arg.caps[0] =
		(struct phi_xfer){ ours, PHI_XFER_MOVE, PHI_RIGHT_ALL };
	ASSERT_EQ(0, job_start(&self->job));
	ASSERT_EQ(0, do_recv(self->server, self->ep, self->data, 16, &recv));
	ASSERT_EQ(1, recv.ncaps);
	ASSERT_EQ(0, do_signal(self->server, recv.caps[0].cap, 2));
	reply.reply = recv.reply;
	reply.caps[0] = (struct phi_xfer){ recv.caps[0].cap, PHI_XFER_MOVE,
					   PHI_RIGHT_ALL };
	reply.caps[1] = (struct phi_xfer){ theirs, 0, PHI_RIGHT_READ };
	ASSERT_EQ(0, PHI_DO(self->server, REPLY, &reply));
	EXPECT_EQ(-EBADF, do_probe(self->server, recv.caps[0].cap));
	ASSERT_EQ(0, job_join(&self->job));
	ASSERT_EQ(2, self->arg.reply_ncaps);
	EXPECT_EQ(PHI_RIGHT_READ, self->arg.reply_caps[1].rights);
	EXPECT_EQ(PHI_TYPE_NOTIFY, self->arg.reply_caps[1].type);
	ASSERT_EQ(0,
		  do_bits(self->client, self->arg.reply_caps[0].cap, 2, &bits));
	EXPECT_EQ(2, bits);
}

TEST_F(call, reply_recv_answers_and_takes_the_next)
{
	struct phi_reply_recv arg = {};
	struct phi_call second = self->arg;
	struct job job = JOB(self->client, CALL, &second);
	struct phi_recv recv;
	char data[16];

	ASSERT_EQ(0, job_start(&self->job));
	ASSERT_EQ(0, do_recv(self->server, self->ep, data, 16, &recv));
	ASSERT_EQ(0, job_start(&job));
	arg.reply = (struct phi_reply){
		.size = sizeof(arg.reply),
		.reply = recv.reply,
		.data = (uintptr_t)"1st",
		.len = 3,
	};
	arg.recv = (struct phi_recv){
		.size = sizeof(arg.recv),
		.endpoint = self->ep,
		.data = (uintptr_t)data,
		.len = sizeof(data),
	};
	ASSERT_EQ(0, PHI_DO(self->server, REPLY_RECV, &arg));
	EXPECT_EQ(0, arg.reply_error);
	EXPECT_EQ(0, job_join(&self->job));
	EXPECT_EQ(0, memcmp(self->data, "1st", 3));
	ASSERT_NE(0, arg.recv.reply);

	/* The second caller is gone when its answer comes. */
	ASSERT_EQ(0, do_drop(self->client, self->to));
	EXPECT_EQ(-EBADF, job_join(&job));
	ASSERT_EQ(0, do_send(self->server, self->ep, "next", 4));
	arg.reply.reply = arg.recv.reply;
	arg.recv.len = sizeof(data);
	ASSERT_EQ(0, PHI_DO(self->server, REPLY_RECV, &arg));
	EXPECT_EQ(-EPIPE, arg.reply_error);
	EXPECT_EQ(0, memcmp(data, "next", 4));
	EXPECT_EQ(0, arg.recv.reply);
}

TEST_F(call, reply_recv_refuses_bad_input)
{
	struct phi_reply_recv arg = {};
	struct phi_recv recv;

	ASSERT_EQ(0, job_start(&self->job));
	ASSERT_EQ(0, do_recv(self->server, self->ep, self->data, 16, &recv));
	arg.reply.size = sizeof(arg.reply);
	arg.reply.reply = recv.reply;
	arg.recv.size = sizeof(arg.recv);
	arg.recv.endpoint = self->ep;
	arg.recv.flags = PHI_NONBLOCK;
	arg.flags = 1;
	EXPECT_EQ(-EOPNOTSUPP, PHI_DO(self->server, REPLY_RECV, &arg));
	arg.flags = 0;
	arg.pad = 1;
	EXPECT_EQ(-EINVAL, PHI_DO(self->server, REPLY_RECV, &arg));
	arg.pad = 0;
	arg.reply.size--;
	EXPECT_EQ(-EINVAL, PHI_DO(self->server, REPLY_RECV, &arg));
	arg.reply.size++;
	arg.recv.size++;
	EXPECT_EQ(-EINVAL, PHI_DO(self->server, REPLY_RECV, &arg));
	arg.recv.size--;
	arg.recv.flags = 8;
	EXPECT_EQ(-EOPNOTSUPP, PHI_DO(self->server, REPLY_RECV, &arg));
	arg.recv.flags = PHI_NONBLOCK;
	arg.recv.endpoint = recv.reply;
	EXPECT_EQ(-EINVAL, PHI_DO(self->server, REPLY_RECV, &arg));
	arg.recv.endpoint = self->ep;
	arg.reply.flags = 1;
	EXPECT_EQ(-EOPNOTSUPP, PHI_DO(self->server, REPLY_RECV, &arg));
	arg.reply.flags = 0;
	/* Nothing was answered so far. Now it is, and nothing comes. */
	EXPECT_EQ(0, do_probe(self->server, recv.reply));
	EXPECT_EQ(-EAGAIN, PHI_DO(self->server, REPLY_RECV, &arg));
	EXPECT_EQ(0, job_join(&self->job));
	EXPECT_EQ(0, arg.reply.reply);
	/* It is used up, and no handle at all answers nobody. */
	arg.reply.reply = recv.reply;
	EXPECT_EQ(-EBADF, PHI_DO(self->server, REPLY_RECV, &arg));
	arg.reply.reply = 0;
	EXPECT_EQ(-EAGAIN, PHI_DO(self->server, REPLY_RECV, &arg));
}

TEST_F(call, refuses_bad_input)
{
	uint64_t deaf, notify;

	self->arg.flags = 2;
	EXPECT_EQ(-EOPNOTSUPP, PHI_DO(self->client, CALL, &self->arg));
	self->arg.flags = PHI_NONBLOCK;
	self->arg.ncaps = 5;
	EXPECT_EQ(-EINVAL, PHI_DO(self->client, CALL, &self->arg));
	self->arg.ncaps = 0;
	self->arg.len = PHI_MSG_MAX + 1;
	EXPECT_EQ(-EINVAL, PHI_DO(self->client, CALL, &self->arg));
	self->arg.len = 1;
	self->arg.data = 8;
	EXPECT_EQ(-EFAULT, PHI_DO(self->client, CALL, &self->arg));
	ASSERT_EQ(0, do_notify(self->server, &notify));
	ASSERT_EQ(0, do_derive(self->server, self->ep, PHI_RIGHT_RECV, &deaf));
	self->arg.data = (uintptr_t)"x";
	self->arg.endpoint = notify;
	EXPECT_EQ(-EINVAL, PHI_DO(self->server, CALL, &self->arg));
	self->arg.endpoint = deaf;
	EXPECT_EQ(-EPERM, PHI_DO(self->server, CALL, &self->arg));
	self->arg.endpoint = 0;
	EXPECT_EQ(-EBADF, PHI_DO(self->server, CALL, &self->arg));
	/* A full queue, and no wish to wait for it. */
	while (!do_send(self->client, self->to, "x", 1))
		;
	self->arg.endpoint = self->to;
	EXPECT_EQ(-EAGAIN, PHI_DO(self->client, CALL, &self->arg));
}

TEST_F(call, reply_refuses_bad_input_and_can_be_tried_again)
{
	struct phi_reply arg = {};
	struct phi_recv recv;

	ASSERT_EQ(0, job_start(&self->job));
	ASSERT_EQ(0, do_recv(self->server, self->ep, self->data, 16, &recv));
	arg.reply = recv.reply;
	arg.flags = PHI_NONBLOCK;
	EXPECT_EQ(-EOPNOTSUPP, PHI_DO(self->server, REPLY, &arg));
	arg.flags = 0;
	arg.len = PHI_MSG_MAX + 1;
	EXPECT_EQ(-EINVAL, PHI_DO(self->server, REPLY, &arg));
	arg.len = 1;
	arg.data = 8;
	EXPECT_EQ(-EFAULT, PHI_DO(self->server, REPLY, &arg));
	arg.len = 0;
	arg.ncaps = 1;
	EXPECT_EQ(-EBADF, PHI_DO(self->server, REPLY, &arg));
	/* An answer that contains the right to give it. */
	arg.caps[0] =
		(struct phi_xfer){ recv.reply, PHI_XFER_MOVE, PHI_RIGHT_ALL };
	EXPECT_EQ(-EINVAL, PHI_DO(self->server, REPLY, &arg));
	EXPECT_EQ(-EINVAL, do_reply(self->server, self->ep, "x", 1));
	EXPECT_EQ(-EBADF, do_reply(self->client, recv.reply, "x", 1));
	EXPECT_EQ(-EBADF, do_reply(self->server, 0, "x", 1));
	EXPECT_EQ(0, do_reply(self->server, recv.reply, "x", 1));
	EXPECT_EQ(0, job_join(&self->job));
	EXPECT_EQ(1, self->arg.reply_len);
}

TEST_F(call, answer_longer_than_the_room_is_lost)
{
	struct phi_recv recv;

	self->arg.reply_len = 3;
	ASSERT_EQ(0, job_start(&self->job));
	ASSERT_EQ(0, do_recv(self->server, self->ep, self->data, 16, &recv));
	EXPECT_EQ(0, do_reply(self->server, recv.reply, "long", 4));
	EXPECT_EQ(-EMSGSIZE, job_join(&self->job));
}

TEST_F(call, server_drops_the_reply)
{
	struct phi_recv recv;

	ASSERT_EQ(0, job_start(&self->job));
	ASSERT_EQ(0, do_recv(self->server, self->ep, self->data, 16, &recv));
	ASSERT_EQ(0, do_drop(self->server, recv.reply));
	EXPECT_EQ(-EPIPE, job_join(&self->job));
}

TEST_F(call, server_refuses_the_message_by_dying)
{
	ASSERT_EQ(0, job_start(&self->job));
	close(self->server);
	EXPECT_EQ(-EPIPE, job_join(&self->job));
	EXPECT_EQ(-EPIPE, PHI_DO(self->client, CALL, &self->arg));
}

TEST_F(call, outlives_the_endpoint_once_it_is_taken)
{
	struct phi_recv recv;

	ASSERT_EQ(0, job_start(&self->job));
	ASSERT_EQ(0, do_recv(self->server, self->ep, self->data, 16, &recv));
	ASSERT_EQ(0, do_drop(self->server, self->ep));
	EXPECT_EQ(0, do_reply(self->server, recv.reply, "bye", 3));
	EXPECT_EQ(0, job_join(&self->job));
}

struct heir {
	struct phi_token token;
	pid_t pid;
};

/* Serves nobody, and leaves its file to a child that sleeps. */
static int die_with_an_heir(void *arg)
{
	struct heir *heir = arg;
	struct phi_recv recv;
	uint64_t ep;
	pid_t pid;
	int phi = do_open();

	if (phi < 0 || do_endpoint(phi, &ep) ||
	    do_seal(phi, ep, PHI_RIGHT_SEND, 0, 0, &heir->token))
		return -1;
	pid = fork();
	if (!pid) {
		pause();
		_exit(0);
	}
	__atomic_store_n(&heir->pid, pid, __ATOMIC_RELEASE);
	/* Until the call is there. */
	while (do_recv(phi, ep, NULL, 0, &recv) == -EAGAIN)
		usleep(1000);
	return 0;
}

TEST_F(call, server_dies_and_its_child_has_the_file)
{
	struct heir *heir = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t server;

	ASSERT_NE(MAP_FAILED, heir);
	server = fork();
	ASSERT_LE(0, server);
	if (!server)
		_exit(die_with_an_heir(heir));
	while (!__atomic_load_n(&heir->pid, __ATOMIC_ACQUIRE))
		usleep(1000);
	ASSERT_EQ(0, do_unseal(self->client, &heir->token, &self->to));
	self->arg = (struct phi_call){ .endpoint = self->to };
	EXPECT_EQ(-EPIPE, PHI_DO(self->client, CALL, &self->arg));
	EXPECT_EQ(server, waitpid(server, NULL, 0));
	EXPECT_EQ(0, kill(heir->pid, SIGKILL));
	munmap(heir, 4096);
}

TEST_F(call, late_answer_finds_nobody)
{
	struct phi_recv recv;
	uint64_t notify;
	struct phi_reply reply = { .ncaps = 1 };

	ASSERT_EQ(0, do_notify(self->server, &notify));
	/* Longer and longer, until the deadline leaves time to receive it. */
	for (uint64_t ms = 20;; ms *= 2) {
		self->arg.deadline_ns = monotonic_ns() + ms * MS;
		if (!job_start(&self->job) &&
		    !do_recv(self->server, self->ep, self->data, 16, &recv))
			break;
		ASSERT_EQ(-ETIMEDOUT, job_join(&self->job));
	}
	EXPECT_EQ(-ETIMEDOUT, job_join(&self->job));
	reply.reply = recv.reply;
	reply.caps[0] =
		(struct phi_xfer){ notify, PHI_XFER_MOVE, PHI_RIGHT_ALL };
	EXPECT_EQ(-EPIPE, PHI_DO(self->server, REPLY, &reply));
	/* Nothing crossed; the handle is gone. */
	EXPECT_EQ(0, do_probe(self->server, notify));
	EXPECT_EQ(-EBADF, do_reply(self->server, recv.reply, "x", 1));
}

TEST_F(call, message_of_one_who_left_is_withdrawn)
{
	self->arg.deadline_ns = monotonic_ns() + 20 * MS;
	EXPECT_EQ(-ETIMEDOUT, PHI_DO(self->client, CALL, &self->arg));
	EXPECT_EQ(-EAGAIN, do_take(self->server, self->ep));
}

TEST_F(call, what_moved_goes_on_without_its_caller)
{
	struct phi_recv recv;
	uint64_t notify;

	ASSERT_EQ(0, do_notify(self->client, &notify));
	self->arg.ncaps = 1;
	self->arg.caps[0] =
		(struct phi_xfer){ notify, PHI_XFER_MOVE, PHI_RIGHT_ALL };
	self->arg.deadline_ns = monotonic_ns() + 20 * MS;
	EXPECT_EQ(-ETIMEDOUT, PHI_DO(self->client, CALL, &self->arg));
	ASSERT_EQ(0, do_recv(self->server, self->ep, self->data, 16, &recv));
	EXPECT_EQ(1, recv.ncaps);
	EXPECT_EQ(0, do_probe(self->server, recv.caps[0].cap));
	EXPECT_EQ(-EPIPE, do_reply(self->server, recv.reply, "x", 1));
}

TEST_F(call, reply_can_move_but_not_be_copied)
{
	struct phi_recv recv, inner;
	uint64_t more, worker;
	int third = do_open();

	ASSERT_EQ(0, do_endpoint(third, &worker));
	ASSERT_EQ(0,
		  do_give(third, worker, PHI_RIGHT_SEND, self->server, &more));
	ASSERT_EQ(0, job_start(&self->job));
	ASSERT_EQ(0, do_recv(self->server, self->ep, self->data, 16, &recv));
	EXPECT_EQ(-EINVAL, do_send_cap(self->server, more, recv.reply, 0,
				       PHI_RIGHT_ALL));
	EXPECT_EQ(0, do_send_cap(self->server, more, recv.reply, PHI_XFER_MOVE,
				 PHI_RIGHT_ALL));
	ASSERT_EQ(0, do_recv(third, worker, self->data, 16, &inner));
	EXPECT_EQ(PHI_TYPE_REPLY, inner.caps[0].type);
	EXPECT_EQ(0, do_reply(third, inner.caps[0].cap, "third", 5));
	EXPECT_EQ(0, job_join(&self->job));
	EXPECT_EQ(0, memcmp(self->data, "third", 5));
	close(third);
}

TEST_F(call, reply_lost_in_a_queue_ends_the_call)
{
	struct phi_recv recv;
	uint64_t dump;

	ASSERT_EQ(0, do_endpoint(self->server, &dump));
	ASSERT_EQ(0, job_start(&self->job));
	ASSERT_EQ(0, do_recv(self->server, self->ep, self->data, 16, &recv));
	ASSERT_EQ(0, do_send_cap(self->server, dump, recv.reply, PHI_XFER_MOVE,
				 PHI_RIGHT_ALL));
	ASSERT_EQ(0, do_drop(self->server, dump));
	EXPECT_EQ(-EPIPE, job_join(&self->job));
}

TEST_F(call, service_objects_lead_to_the_endpoint)
{
	const uint64_t badge = PHI_NETWORK_BADGE(6, 80);
	const uint32_t types[] = { PHI_TYPE_FILE, PHI_TYPE_NETWORK };
	struct phi_recv recv;
	uint64_t service;

	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(0, do_mint(self->server, self->ep, types[i],
				     PHI_RIGHT_SEND | PHI_RIGHT_READ, badge,
				     &service));
		self->arg.endpoint = service;
		self->job.phi = self->server;
		ASSERT_EQ(0, job_start(&self->job));
		ASSERT_EQ(0, do_recv(self->server, self->ep, self->data, 16,
				     &recv));
		EXPECT_EQ(types[i], recv.type);
		EXPECT_EQ(badge, recv.badge);
		EXPECT_EQ(PHI_RIGHT_SEND | PHI_RIGHT_READ, recv.rights);
		EXPECT_EQ(0, do_reply(self->server, recv.reply, "", 0));
		EXPECT_EQ(0, job_join(&self->job));
	}
}

TEST_HARNESS_MAIN
