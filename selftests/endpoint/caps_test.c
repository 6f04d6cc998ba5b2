// SPDX-License-Identifier: GPL-2.0-only

#include "kselftest_harness.h"

#include "phi_message.h"

#define NOTIFY_RIGHTS \
	(PHI_RIGHT_READ | PHI_RIGHT_WRITE | PHI_RIGHT_ADMIN | PHI_RIGHT_GRANT)

/* A receiver, and a sender with four capabilities to give. */
FIXTURE(caps)
{
	int server;
	int client;
	uint64_t ep;
	uint64_t to;
	uint64_t cap[PHI_MSG_CAPS_MAX];
	struct phi_system_stats before;
};

FIXTURE_SETUP(caps)
{
	ASSERT_EQ(0, do_baseline(&self->before))
	{
		TH_LOG("is phi.ko loaded?");
	}
	ASSERT_EQ(0,
		  do_ends(&self->server, &self->client, &self->ep, &self->to));
	for (int i = 0; i < PHI_MSG_CAPS_MAX; i++)
		ASSERT_EQ(0, do_notify(self->client, &self->cap[i]));
}

FIXTURE_TEARDOWN(caps)
{
	close(self->client);
	close(self->server);
	EXPECT_TRUE(do_restored(&self->before));
}

TEST_F(caps, copy_makes_a_child)
{
	struct phi_cap_query query;
	struct phi_recv arg;
	uint64_t bits;

	ASSERT_EQ(0, do_send_cap(self->client, self->to, self->cap[0], 0,
				 PHI_RIGHT_ALL));
	ASSERT_EQ(0, do_recv(self->server, self->ep, NULL, 0, &arg));
	ASSERT_EQ(1, arg.ncaps);
	EXPECT_EQ(PHI_TYPE_NOTIFY, arg.caps[0].type);
	EXPECT_EQ(NOTIFY_RIGHTS, arg.caps[0].rights);
	ASSERT_EQ(0, do_query(self->server, arg.caps[0].cap, &query));
	EXPECT_EQ(2, query.depth);
	/* The same notify; and the giver can take it back. */
	ASSERT_EQ(0, do_signal(self->server, arg.caps[0].cap, 4));
	ASSERT_EQ(0, do_bits(self->client, self->cap[0], 4, &bits));
	ASSERT_EQ(0, do_revoke(self->client, self->cap[0]));
	EXPECT_EQ(-EKEYREVOKED, do_signal(self->server, arg.caps[0].cap, 4));
}

TEST_F(caps, move_takes_it_away)
{
	struct phi_cap_query query;
	struct phi_recv arg;

	ASSERT_EQ(0, do_send_cap(self->client, self->to, self->cap[0],
				 PHI_XFER_MOVE, PHI_RIGHT_ALL));
	EXPECT_EQ(-EBADF, do_probe(self->client, self->cap[0]));
	ASSERT_EQ(0, do_recv(self->server, self->ep, NULL, 0, &arg));
	ASSERT_EQ(1, arg.ncaps);
	ASSERT_EQ(0, do_query(self->server, arg.caps[0].cap, &query));
	EXPECT_EQ(1, query.depth);
	EXPECT_EQ(NOTIFY_RIGHTS, query.rights);
	EXPECT_EQ(0, do_revoke(self->server, arg.caps[0].cap));
}

TEST_F(caps, mask_only_takes_rights_away)
{
	struct phi_cap_query query;
	struct phi_recv arg;

	for (uint32_t flags = 0; flags <= PHI_XFER_MOVE; flags++) {
		ASSERT_EQ(0,
			  do_send_cap(self->client, self->to, self->cap[flags],
				      flags, PHI_RIGHT_WRITE | PHI_RIGHT_SEND));
		ASSERT_EQ(0, do_recv(self->server, self->ep, NULL, 0, &arg));
		ASSERT_EQ(1, arg.ncaps);
		EXPECT_EQ(PHI_RIGHT_WRITE, arg.caps[0].rights);
		ASSERT_EQ(0, do_query(self->server, arg.caps[0].cap, &query));
		EXPECT_EQ(PHI_RIGHT_WRITE, query.rights);
		EXPECT_EQ(flags ? -EBADF : 0,
			  do_probe(self->client, self->cap[flags]));
	}
}

/* A weaker one that moves is no child: the sender keeps no inner node. */
TEST_F(caps, a_move_leaves_nothing_with_the_sender)
{
	struct phi_system_stats before, after;
	struct phi_cap_query query;
	struct phi_recv arg;
	uint64_t child;

	ASSERT_EQ(0, do_derive(self->client, self->cap[0],
			       PHI_RIGHT_READ | PHI_RIGHT_GRANT, &child));
	ASSERT_EQ(0, do_stats(self->client, &before));
	for (int i = 0; i < 2; i++) {
		/* A child first, which dies with its parent; then a root. */
		ASSERT_EQ(0, do_send_cap(self->client, self->to,
					 i ? self->cap[1] : child,
					 PHI_XFER_MOVE, PHI_RIGHT_READ));
		ASSERT_EQ(0, do_recv(self->server, self->ep, NULL, 0, &arg));
		ASSERT_EQ(0, do_query(self->server, arg.caps[0].cap, &query));
		EXPECT_EQ(PHI_RIGHT_READ, query.rights);
		EXPECT_EQ(i ? 1 : 2, query.depth);
		if (!i) {
			ASSERT_EQ(0, do_revoke(self->client, self->cap[0]));
			EXPECT_EQ(-EKEYREVOKED,
				  do_probe(self->server, arg.caps[0].cap));
		}
	}
	ASSERT_EQ(0, do_stats(self->client, &after));
	EXPECT_EQ(before.used[PHI_QUOTA_CAPS], after.used[PHI_QUOTA_CAPS]);
}

/* A child made after a revoke moves, weaker, and dies with the next one. */
TEST_F(caps, a_later_child_moves_alive)
{
	struct phi_recv arg;
	uint64_t child;

	ASSERT_EQ(0, do_revoke(self->client, self->cap[0]));
	ASSERT_EQ(0, do_derive(self->client, self->cap[0],
			       PHI_RIGHT_READ | PHI_RIGHT_GRANT, &child));
	ASSERT_EQ(0, do_send_cap(self->client, self->to, child, PHI_XFER_MOVE,
				 PHI_RIGHT_READ));
	ASSERT_EQ(0, do_recv(self->server, self->ep, NULL, 0, &arg));
	EXPECT_EQ(0, do_probe(self->server, arg.caps[0].cap));
	ASSERT_EQ(0, do_revoke(self->client, self->cap[0]));
	EXPECT_EQ(-EKEYREVOKED, do_probe(self->server, arg.caps[0].cap));
}

/*
 * Children that the sender made before the move live on; the receiver's revoke
 * kills them, unless it got a sibling with fewer rights.
 */
TEST_F(caps, children_outlive_the_move)
{
	const uint32_t masks[] = { PHI_RIGHT_ALL,
				   PHI_RIGHT_READ | PHI_RIGHT_ADMIN };
	const int kills[] = { -EKEYREVOKED, 0 };
	struct phi_token token;
	uint64_t child[2], bits;
	struct phi_recv arg;

	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(0, do_derive(self->client, self->cap[i],
				       PHI_RIGHT_WRITE, &child[0]));
		ASSERT_EQ(0, do_seal(self->client, self->cap[i],
				     PHI_RIGHT_WRITE, 0, 0, &token));
		ASSERT_EQ(0, do_unseal(self->client, &token, &child[1]));
		ASSERT_EQ(0, do_send_cap(self->client, self->to, self->cap[i],
					 PHI_XFER_MOVE, masks[i]));
		ASSERT_EQ(0, do_recv(self->server, self->ep, NULL, 0, &arg));
		for (int k = 0; k < 2; k++) {
			ASSERT_EQ(0, do_signal(self->client, child[k], 1 << k));
		}
		ASSERT_EQ(0,
			  do_bits(self->server, arg.caps[0].cap, ~0ULL, &bits));
		EXPECT_EQ(3, bits);
		ASSERT_EQ(0, do_revoke(self->server, arg.caps[0].cap));
		for (int k = 0; k < 2; k++) {
			EXPECT_EQ(kills[i],
				  do_signal(self->client, child[k], 1 << k));
		}
		EXPECT_EQ(-EKEYREVOKED, do_unseal(self->client, &token, &bits));
	}
}

TEST_F(caps, four_arrive_in_order)
{
	struct phi_send arg = { .endpoint = self->to, .ncaps = 4 };
	struct phi_recv recv;
	uint64_t bits;

	for (int i = 0; i < 4; i++) {
		arg.caps[i].cap = self->cap[i];
		arg.caps[i].rights = PHI_RIGHT_ALL;
		arg.caps[i].flags = i & 1 ? PHI_XFER_MOVE : 0;
		ASSERT_EQ(0, do_signal(self->client, self->cap[i], 1ULL << i));
	}
	ASSERT_EQ(0, PHI_DO(self->client, SEND, &arg));
	ASSERT_EQ(0, do_recv(self->server, self->ep, NULL, 0, &recv));
	ASSERT_EQ(4, recv.ncaps);
	for (int i = 0; i < 4; i++) {
		ASSERT_EQ(0, do_bits(self->server, recv.caps[i].cap, ~0ULL,
				     &bits));
		EXPECT_EQ(1ULL << i, bits);
	}
}

/* Whatever is wrong with one of four, none of them crosses. */
TEST_F(caps, all_or_nothing)
{
	struct phi_xfer bad[] = {
		{ 0, 0, PHI_RIGHT_ALL },
		{ 0xdeadbeef, PHI_XFER_MOVE, PHI_RIGHT_ALL },
		{ 0, PHI_XFER_MOVE, PHI_RIGHT_ALL }, /* no GRANT */
		{ self->cap[0], 2, PHI_RIGHT_ALL },
		{ self->cap[0], 0, 0x100 },
	};
	const int error[] = { -EBADF, -EBADF, -EPERM, -EOPNOTSUPP, -EINVAL };
	struct phi_send arg;
	uint64_t kept;

	ASSERT_EQ(0,
		  do_derive(self->client, self->cap[0], PHI_RIGHT_READ, &kept));
	bad[2].cap = kept;
	for (unsigned int b = 0; b < 5; b++) {
		for (int at = 0; at < 4; at++) {
			arg = (struct phi_send){ .endpoint = self->to,
						 .ncaps = 4 };
			for (int i = 0; i < 4; i++)
				arg.caps[i] =
					(struct phi_xfer){ self->cap[i],
							   PHI_XFER_MOVE,
							   PHI_RIGHT_ALL };
			arg.caps[at] = bad[b];
			EXPECT_EQ(error[b], PHI_DO(self->client, SEND, &arg));
			EXPECT_EQ(-EAGAIN, do_take(self->server, self->ep));
			for (int i = 0; i < 4; i++)
				EXPECT_EQ(0,
					  do_probe(self->client, self->cap[i]));
		}
	}
}

TEST_F(caps, moved_twice_is_refused)
{
	struct phi_send arg = {
		.endpoint = self->to,
		.ncaps = 2,
		.caps = { { self->cap[0], PHI_XFER_MOVE, PHI_RIGHT_ALL },
			  { self->cap[0], PHI_XFER_MOVE, PHI_RIGHT_ALL } },
	};

	EXPECT_EQ(-EINVAL, PHI_DO(self->client, SEND, &arg));
	EXPECT_EQ(0, do_probe(self->client, self->cap[0]));
	/* Copied and moved is fine: the copy is another capability. */
	arg.caps[0].flags = 0;
	EXPECT_EQ(0, PHI_DO(self->client, SEND, &arg));
}

TEST_F(caps, refused_send_leaves_moves_alone)
{
	while (!do_send(self->client, self->to, NULL, 0))
		;
	EXPECT_EQ(-EAGAIN, do_send_cap(self->client, self->to, self->cap[0],
				       PHI_XFER_MOVE, PHI_RIGHT_ALL));
	EXPECT_EQ(0, do_probe(self->client, self->cap[0]));
	ASSERT_EQ(0, do_drop(self->server, self->ep));
	EXPECT_EQ(-EPIPE, do_send_cap(self->client, self->to, self->cap[0],
				      PHI_XFER_MOVE, PHI_RIGHT_ALL));
	EXPECT_EQ(0, do_probe(self->client, self->cap[0]));
}

TEST_F(caps, receiver_may_refuse_them)
{
	struct phi_recv arg = {
		.flags = PHI_NONBLOCK | PHI_RECV_NOCAPS,
		.endpoint = self->ep,
	};
	uint32_t count, before, after;

	ASSERT_EQ(0, do_send_cap(self->client, self->to, self->cap[0],
				 PHI_XFER_MOVE, PHI_RIGHT_ALL));
	ASSERT_EQ(0, do_list(self->server, NULL, 0, &count, &before));
	memset(arg.caps, 0xff, sizeof(arg.caps));
	ASSERT_EQ(0, PHI_DO(self->server, RECV, &arg));
	EXPECT_EQ(0, arg.ncaps);
	EXPECT_EQ(0, arg.caps[0].cap);
	ASSERT_EQ(0, do_list(self->server, NULL, 0, &count, &after));
	EXPECT_EQ(before, after);
}

TEST_F(caps, revoked_on_the_way_arrives_dead)
{
	struct phi_recv arg;

	ASSERT_EQ(0, do_send_cap(self->client, self->to, self->cap[0], 0,
				 PHI_RIGHT_ALL));
	ASSERT_EQ(0, do_revoke(self->client, self->cap[0]));
	ASSERT_EQ(0, do_recv(self->server, self->ep, NULL, 0, &arg));
	EXPECT_EQ(-EKEYREVOKED, do_probe(self->server, arg.caps[0].cap));
}

/* Fill the receiver's table: the message waits, and comes without them. */
TEST_F_TIMEOUT(caps, no_slot_keeps_the_message, 200)
{
	struct phi_recv arg = {
		.flags = PHI_NONBLOCK | PHI_RECV_NOCAPS,
		.endpoint = self->ep,
	};
	uint64_t cap, spare = 0, last = 0;
	struct phi_recv recv;
	uint32_t count, total;
	int fd = open("/sys/module/phi/parameters/quota_caps", O_WRONLY);

	ASSERT_EQ(6, write(fd, "200000", 6));
	for (int i = 0; i < 2; i++) {
		struct phi_send send = {
			.endpoint = self->to,
			.ncaps = 2,
			.caps = { { self->cap[0], 0, PHI_RIGHT_ALL },
				  { self->cap[1], 0, PHI_RIGHT_ALL } },
		};

		ASSERT_EQ(0, PHI_DO(self->client, SEND, &send));
	}
	while (!do_derive(self->server, self->ep, 0, &cap)) {
		spare = last;
		last = cap;
	}
	EXPECT_EQ(-ENOSPC, do_derive(self->server, self->ep, 0, &cap));
	/* Room for one of two is not enough, and none of them stays. */
	ASSERT_EQ(0, do_drop(self->server, last));
	EXPECT_EQ(-ENOSPC, do_recv(self->server, self->ep, NULL, 0, &recv));
	ASSERT_EQ(0, do_list(self->server, NULL, 0, &count, &total));
	EXPECT_EQ(65535, total);
	EXPECT_EQ(0, PHI_DO(self->server, RECV, &arg));
	ASSERT_EQ(0, do_drop(self->server, spare));
	EXPECT_EQ(0, do_recv(self->server, self->ep, NULL, 0, &recv));
	EXPECT_EQ(2, recv.ncaps);
	close(self->server);
	self->server = -1;
	ASSERT_EQ(5, write(fd, "65536", 5));
	close(fd);
}

/* What only queues hold on to must go; the teardown looks. */
TEST_F(caps, queued_capabilities_keep_nothing_alive)
{
	uint64_t a, b, c;

	ASSERT_EQ(0, do_endpoint(self->client, &a));
	ASSERT_EQ(0, do_endpoint(self->client, &b));
	ASSERT_EQ(0, do_endpoint(self->client, &c));
	/* Its own, copied; each other's, moved and copied. */
	ASSERT_EQ(0, do_send_cap(self->client, a, a, 0, PHI_RIGHT_ALL));
	ASSERT_EQ(0, do_send_cap(self->client, b, c, 0, PHI_RIGHT_ALL));
	ASSERT_EQ(0, do_send_cap(self->client, c, b, 0, PHI_RIGHT_ALL));
	ASSERT_EQ(0, do_drop(self->client, a));
	ASSERT_EQ(0, do_send_cap(self->client, b, c, PHI_XFER_MOVE,
				 PHI_RIGHT_ALL));
	EXPECT_EQ(-EBADF, do_probe(self->client, c));
	ASSERT_EQ(0, do_drop(self->client, b));
}

TEST_F(caps, the_last_receiver_in_a_message_is_no_receiver)
{
	struct phi_recv arg;
	uint64_t ep, to;

	ASSERT_EQ(0, do_endpoint(self->client, &ep));
	ASSERT_EQ(0, do_derive(self->client, ep, PHI_RIGHT_SEND, &to));
	ASSERT_EQ(0, do_send_cap(self->client, self->to, ep, PHI_XFER_MOVE,
				 PHI_RIGHT_ALL));
	EXPECT_EQ(-EPIPE, do_send(self->client, to, "x", 1));
	ASSERT_EQ(0, do_recv(self->server, self->ep, NULL, 0, &arg));
	EXPECT_EQ(-EPIPE, do_take(self->server, arg.caps[0].cap));
}

/* A chain of endpoints, each in the queue of the next, ends without a stack. */
TEST_F(caps, a_long_chain_dies)
{
	uint64_t ep, next;

	ASSERT_EQ(0, do_endpoint(self->client, &ep));
	for (int i = 0; i < 1000; i++) {
		ASSERT_EQ(0, do_endpoint(self->client, &next));
		ASSERT_EQ(0, do_send_cap(self->client, next, ep, 0,
					 PHI_RIGHT_ALL));
		ASSERT_EQ(0, do_drop(self->client, ep));
		ep = next;
	}
}

TEST_HARNESS_MAIN
