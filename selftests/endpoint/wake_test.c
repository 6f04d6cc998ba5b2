// SPDX-License-Identifier: GPL-2.0-only

#include "kselftest_harness.h"

#include "phi_message.h"

/*
 * Who waits at an endpoint must hear of whatever makes the wait useless. The
 * server lends each side a capability that it can take back.
 */
FIXTURE(wake)
{
	int server;
	int client;
	uint64_t ep;
	uint64_t lent; /* parent of what the client has */
	uint64_t to;
	struct phi_system_stats before;
};

static void fill(int phi, uint64_t to)
{
	while (!do_send(phi, to, "x", 1))
		;
}

/* How the wait is ended, and what the waiter must be told. */
FIXTURE_VARIANT(wake)
{
	int (*end)(struct _test_data_wake *self);
	int receiver;
	int sender;
	int caller;
};

static int end_by_revoke(struct _test_data_wake *self)
{
	return do_revoke(self->server, self->lent);
}

static int end_by_drop(struct _test_data_wake *self)
{
	return do_drop(self->client, self->to);
}

/* The last who can receive goes; senders are left. */
static int end_by_death(struct _test_data_wake *self)
{
	uint64_t handles[16];
	uint32_t count, total;
	int ret = do_list(self->server, handles, 16, &count, &total);

	for (uint32_t i = 0; !ret && i < count; i++)
		ret = do_drop(self->server, handles[i]);
	return ret;
}

static int end_by_expiry(struct _test_data_wake *self)
{
	(void)self;
	return 0;
}

/* clang-format off */
FIXTURE_VARIANT_ADD(wake, revoke)
{
	.end = end_by_revoke,
	.receiver = -EKEYREVOKED,
	.sender = -EKEYREVOKED,
	.caller = -EKEYREVOKED,
};

FIXTURE_VARIANT_ADD(wake, drop)
{
	.end = end_by_drop,
	.receiver = -EBADF,
	.sender = -EBADF,
	.caller = -EBADF,
};

FIXTURE_VARIANT_ADD(wake, death)
{
	.end = end_by_death,
	.receiver = 0,
	.sender = -EPIPE,
	.caller = -EPIPE,
};

FIXTURE_VARIANT_ADD(wake, expiry)
{
	.end = end_by_expiry,
	.receiver = -EKEYEXPIRED,
	.sender = -EKEYEXPIRED,
	.caller = -EKEYEXPIRED,
};

/* clang-format on */

FIXTURE_SETUP(wake)
{
	ASSERT_EQ(0, do_baseline(&self->before))
	{
		TH_LOG("is phi.ko loaded?");
	}
	self->server = do_open();
	self->client = do_open();
	ASSERT_LE(0, self->client);
	ASSERT_EQ(0, do_endpoint(self->server, &self->ep));
	ASSERT_EQ(0, do_derive(self->server, self->ep,
			       PHI_RIGHT_SEND | PHI_RIGHT_RECV |
				       PHI_RIGHT_ADMIN | PHI_RIGHT_GRANT,
			       &self->lent));
	ASSERT_EQ(0, do_give(self->server, self->lent,
			     PHI_RIGHT_SEND | PHI_RIGHT_RECV, self->client,
			     &self->to));
}

FIXTURE_TEARDOWN(wake)
{
	close(self->client);
	close(self->server);
	EXPECT_TRUE(do_restored(&self->before));
}

/* What the client waits through, with only the rights it needs. */
static uint64_t waits_through(struct _test_data_wake *self, bool expires,
			      uint32_t rights)
{
	uint64_t expires_ns = expires ? boottime_ns() + 1500 * MS : 0;
	uint64_t cap = 0;

	if (do_derive_until(self->client, self->to, rights, expires_ns, 0,
			    &cap) ||
	    do_drop(self->client, self->to))
		return 0;
	self->to = cap;
	return cap;
}

TEST_F(wake, receiver)
{
	struct phi_recv arg = {};
	struct job job = JOB(self->client, RECV, &arg);

	if (!variant->receiver)
		return; /* One who receives keeps it alive. */
	arg.endpoint = waits_through(self, variant->end == end_by_expiry,
				     PHI_RIGHT_RECV);
	ASSERT_NE(0, arg.endpoint);
	ASSERT_EQ(0, job_start(&job));
	ASSERT_EQ(0, variant->end(self));
	EXPECT_EQ(variant->receiver, job_join(&job));
	/* It stole nothing. */
	ASSERT_EQ(0, do_send(self->server, self->ep, "x", 1));
	EXPECT_EQ(0, do_take(self->server, self->ep));
}

TEST_F(wake, sender)
{
	struct phi_send arg = {};
	struct job job = JOB(self->client, SEND, &arg);

	fill(self->client, self->to);
	arg.endpoint = waits_through(self, variant->end == end_by_expiry,
				     PHI_RIGHT_SEND);
	ASSERT_NE(0, arg.endpoint);
	ASSERT_EQ(0, job_start(&job));
	ASSERT_EQ(0, variant->end(self));
	EXPECT_EQ(variant->sender, job_join(&job));
}

TEST_F(wake, caller_in_the_queue)
{
	struct phi_call arg = {};
	struct job job = JOB(self->client, CALL, &arg);

	arg.endpoint = waits_through(self, variant->end == end_by_expiry,
				     PHI_RIGHT_SEND);
	ASSERT_NE(0, arg.endpoint);
	ASSERT_EQ(0, job_start(&job));
	ASSERT_EQ(0, variant->end(self));
	EXPECT_EQ(variant->caller, job_join(&job));
	if (variant->end != end_by_death) {
		EXPECT_EQ(-EAGAIN, do_take(self->server, self->ep));
	}
}

TEST_F(wake, caller_whose_message_was_taken)
{
	struct phi_call arg = {};
	struct job job = JOB(self->client, CALL, &arg);
	struct phi_recv recv;

	if (variant->end == end_by_death)
		return; /* Then the answer may still come. */
	arg.endpoint = waits_through(self, variant->end == end_by_expiry,
				     PHI_RIGHT_SEND);
	ASSERT_NE(0, arg.endpoint);
	ASSERT_EQ(0, job_start(&job));
	ASSERT_EQ(0, do_recv(self->server, self->ep, NULL, 0, &recv));
	ASSERT_EQ(0, variant->end(self));
	EXPECT_EQ(variant->caller, job_join(&job));
	EXPECT_EQ(-EPIPE, do_reply(self->server, recv.reply, "x", 1));
	EXPECT_EQ(-EBADF, do_probe(self->server, recv.reply));
}

/* A service object is no other way in. */
TEST_F(wake, caller_of_a_service_object)
{
	struct phi_call arg = {};
	struct job job = JOB(self->server, CALL, &arg);
	uint64_t file;

	if (variant->end != end_by_revoke && variant->end != end_by_death)
		return;
	ASSERT_EQ(0, do_mint(self->server, self->lent, PHI_TYPE_FILE,
			     PHI_RIGHT_SEND, 1, &file));
	ASSERT_EQ(0, do_drop(self->client, self->to));
	arg.endpoint = file;
	ASSERT_EQ(0, job_start(&job));
	if (variant->end == end_by_death) {
		ASSERT_EQ(0, do_drop(self->server, self->ep));
		ASSERT_EQ(0, do_drop(self->server, self->lent));
	} else {
		ASSERT_EQ(0, variant->end(self));
	}
	EXPECT_EQ(variant->caller, job_join(&job));
}

FIXTURE(gone)
{
	int phi;
	uint64_t ep;
	uint64_t notify;
};

FIXTURE_SETUP(gone)
{
	self->phi = do_open();
	ASSERT_LE(0, self->phi)
	{
		TH_LOG("is phi.ko loaded?");
	}
	ASSERT_EQ(0, do_endpoint(self->phi, &self->ep));
	ASSERT_EQ(0, do_notify(self->phi, &self->notify));
}

FIXTURE_TEARDOWN(gone)
{
	close(self->phi);
}

static int do_watch(int phi, uint64_t endpoint, uint64_t notify, uint64_t bits)
{
	struct phi_endpoint_watch arg = {
		.endpoint = endpoint,
		.notify = notify,
		.bits = bits,
	};

	return PHI_DO(phi, ENDPOINT_WATCH, &arg);
}

TEST_F(gone, queued_messages_of_a_revoked_sender_are_flushed)
{
	uint64_t lent, to;

	ASSERT_EQ(0, do_derive(self->phi, self->ep,
			       PHI_RIGHT_SEND | PHI_RIGHT_ADMIN, &lent));
	ASSERT_EQ(0, do_derive(self->phi, lent, PHI_RIGHT_SEND, &to));
	ASSERT_EQ(0, do_send(self->phi, to, "bad", 3));
	ASSERT_EQ(0, do_send(self->phi, lent, "good", 4));
	ASSERT_EQ(0, do_send(self->phi, to, "bad", 3));
	ASSERT_EQ(0, do_revoke(self->phi, lent));
	EXPECT_EQ(0, do_take(self->phi, self->ep));
	EXPECT_EQ(-EAGAIN, do_take(self->phi, self->ep));
}

TEST_F(gone, watchers_are_told_at_death)
{
	uint64_t to, bits;

	ASSERT_EQ(0, do_derive(self->phi, self->ep, PHI_RIGHT_SEND, &to));
	ASSERT_EQ(0, do_watch(self->phi, to, self->notify, 4));
	ASSERT_EQ(0, do_watch(self->phi, to, self->notify, 1));
	EXPECT_EQ(-EAGAIN, do_bits(self->phi, self->notify, ~0ULL, &bits));
	ASSERT_EQ(0, do_drop(self->phi, self->ep));
	ASSERT_EQ(0, do_all_bits(self->phi, self->notify, 5));
	/* Too late is at once. */
	ASSERT_EQ(0, do_watch(self->phi, to, self->notify, 2));
	ASSERT_EQ(0, do_bits(self->phi, self->notify, ~0ULL, &bits));
	EXPECT_EQ(2, bits);
}

TEST_F(gone, watch_ends_with_the_capability)
{
	uint64_t lent, to, weak, bits;

	ASSERT_EQ(0, do_derive(self->phi, self->ep,
			       PHI_RIGHT_SEND | PHI_RIGHT_ADMIN, &lent));
	ASSERT_EQ(0, do_derive(self->phi, lent, PHI_RIGHT_SEND, &to));
	ASSERT_EQ(0,
		  do_derive(self->phi, self->notify, PHI_RIGHT_WRITE, &weak));
	ASSERT_EQ(0, do_watch(self->phi, to, self->notify, 1));
	ASSERT_EQ(0, do_watch(self->phi, lent, self->notify, 2));
	ASSERT_EQ(0, do_watch(self->phi, self->ep, weak, 4));
	ASSERT_EQ(0, do_revoke(self->phi, lent));
	ASSERT_EQ(0, do_drop(self->phi, lent));
	ASSERT_EQ(0, do_derive(self->phi, self->ep, PHI_RIGHT_SEND, &to));
	ASSERT_EQ(0, do_watch(self->phi, to, weak, 8));
	ASSERT_EQ(0, do_watch(self->phi, to, self->notify, 16));
	ASSERT_EQ(0, do_revoke(self->phi, self->notify));
	ASSERT_EQ(0, do_drop(self->phi, self->ep));
	/* The last one is the last to signal. */
	ASSERT_EQ(0, do_all_bits(self->phi, self->notify, 16));
	EXPECT_EQ(-EAGAIN, do_bits(self->phi, self->notify, ~0ULL, &bits));
}

TEST_F(gone, watch_refuses_bad_input)
{
	struct phi_endpoint_watch arg = { .endpoint = self->ep, .flags = 1 };
	uint64_t mute;

	EXPECT_EQ(-EOPNOTSUPP, PHI_DO(self->phi, ENDPOINT_WATCH, &arg));
	EXPECT_EQ(-EINVAL, do_watch(self->phi, self->ep, self->notify, 0));
	EXPECT_EQ(-EBADF, do_watch(self->phi, 0, self->notify, 1));
	EXPECT_EQ(-EBADF, do_watch(self->phi, self->ep, 0, 1));
	EXPECT_EQ(-EINVAL, do_watch(self->phi, self->notify, self->notify, 1));
	EXPECT_EQ(-EINVAL, do_watch(self->phi, self->ep, self->ep, 1));
	ASSERT_EQ(0, do_derive(self->phi, self->notify, PHI_RIGHT_READ, &mute));
	EXPECT_EQ(-EPERM, do_watch(self->phi, self->ep, mute, 1));
}

/* A revoked handle that could receive keeps no endpoint alive. */
TEST_F(gone, dies_when_the_last_receiver_is_revoked)
{
	uint64_t lent, far, to, bits;
	int other = do_open();

	ASSERT_EQ(0, do_derive(self->phi, self->ep,
			       PHI_RIGHT_ADMIN | PHI_RIGHT_SEND, &to));
	ASSERT_EQ(0,
		  do_derive(self->phi, self->ep,
			    PHI_RIGHT_ADMIN | PHI_RIGHT_RECV | PHI_RIGHT_GRANT,
			    &lent));
	ASSERT_EQ(0, do_give(self->phi, lent, PHI_RIGHT_RECV, other, &far));
	ASSERT_EQ(0, do_watch(self->phi, to, self->notify, 1));
	ASSERT_EQ(0, do_send(self->phi, to, "x", 1));
	ASSERT_EQ(0, do_derive(self->phi, lent, PHI_RIGHT_ADMIN, &bits));
	ASSERT_EQ(0, do_drop(self->phi, self->ep));
	EXPECT_EQ(-EAGAIN, do_bits(self->phi, self->notify, 1, &bits));
	ASSERT_EQ(0, do_revoke(self->phi, lent));
	EXPECT_EQ(-EKEYREVOKED, do_take(other, far));
	EXPECT_EQ(0, do_take(self->phi, lent));
	EXPECT_EQ(0, do_send(self->phi, to, "x", 1));
	ASSERT_EQ(0, do_drop(self->phi, lent));
	EXPECT_EQ(-EPIPE, do_send(self->phi, to, "x", 1));
	ASSERT_EQ(0, do_all_bits(self->phi, self->notify, 1));
	close(other);
}

TEST_HARNESS_MAIN
