// SPDX-License-Identifier: GPL-2.0-only

#include "kselftest_harness.h"

#include <pthread.h>

#include "phi_message.h"

#define NOTIFY_RIGHTS \
	(PHI_RIGHT_READ | PHI_RIGHT_WRITE | PHI_RIGHT_ADMIN | PHI_RIGHT_GRANT)

FIXTURE(cap)
{
	int phi;
	uint64_t root;
	struct phi_system_stats before;
};

FIXTURE_SETUP(cap)
{
	self->phi = do_open();
	ASSERT_LE(0, self->phi)
	{
		TH_LOG("is phi.ko loaded?");
	}
	ASSERT_EQ(0, do_stats(self->phi, &self->before));
	ASSERT_EQ(0, do_notify(self->phi, &self->root));
}

/* Whatever a test did, closing gives it all back. */
FIXTURE_TEARDOWN(cap)
{
	close(self->phi);
	EXPECT_TRUE(do_restored(&self->before));
}

TEST_F(cap, query_tells_all)
{
	struct phi_cap_query query;

	ASSERT_EQ(0, do_query(self->phi, self->root, &query));
	EXPECT_EQ(PHI_TYPE_NOTIFY, query.type);
	EXPECT_EQ(NOTIFY_RIGHTS, query.rights);
	EXPECT_EQ(1, query.depth);
	EXPECT_EQ(0, query.version);
	EXPECT_EQ(0, query.expires_ns);
	EXPECT_EQ(0, query.badge);
	EXPECT_NE(0, self->root >> 32);
}

/* The way to the root: who is on it, and who left it. */
TEST_F(cap, query_shows_the_way)
{
	struct phi_cap_query root, query;
	uint64_t a, aa, far, ep;
	int other = do_open();
	struct phi_recv recv;

	ASSERT_LE(0, other);
	ASSERT_EQ(0, do_derive(self->phi, self->root, NOTIFY_RIGHTS, &a));
	ASSERT_EQ(0, do_derive(self->phi, a, NOTIFY_RIGHTS, &aa));
	ASSERT_EQ(0, do_query(self->phi, self->root, &root));
	EXPECT_NE(0, root.ids[0]);
	for (int i = 1; i < PHI_DEPTH_MAX; i++) {
		EXPECT_EQ(0, root.ids[i]);
	}
	ASSERT_EQ(0, do_query(self->phi, aa, &query));
	EXPECT_EQ(3, query.depth);
	EXPECT_EQ(root.ids[0], query.ids[2]);
	EXPECT_NE(query.ids[0], query.ids[1]);
	EXPECT_EQ(0, query.ids[3]);
	/* Seen from another cspace. */
	ASSERT_EQ(0, do_give(self->phi, aa, 0, other, &far));
	ASSERT_EQ(0, do_query(other, far, &query));
	EXPECT_EQ(root.ids[0], query.ids[3]);
	/* One that was dropped has no number; another cspace is another one. */
	ASSERT_EQ(0, do_drop(self->phi, a));
	ASSERT_EQ(0, do_query(self->phi, aa, &query));
	EXPECT_EQ(0, query.ids[1]);
	EXPECT_EQ(root.ids[0], query.ids[2]);
	ASSERT_EQ(0, do_endpoint(self->phi, &ep));
	ASSERT_EQ(0, do_send_cap(self->phi, ep, self->root, PHI_XFER_MOVE,
				 PHI_RIGHT_ALL));
	ASSERT_EQ(0, do_query(self->phi, aa, &query));
	EXPECT_EQ(0, query.ids[2]);
	ASSERT_EQ(0, do_recv(self->phi, ep, NULL, 0, &recv));
	ASSERT_EQ(0, do_query(self->phi, aa, &query));
	EXPECT_NE(0, query.ids[2]);
	EXPECT_NE(root.ids[0], query.ids[2]);
	close(other);
}

/* Numbers tell nothing of how many capabilities others make meanwhile. */
TEST_F(cap, numbers_are_not_counted)
{
	struct phi_cap_query query;
	uint64_t cap, last = 0;

	for (int i = 0; i < 64; i++) {
		ASSERT_EQ(0, do_derive(self->phi, self->root, 0, &cap));
		ASSERT_EQ(0, do_query(self->phi, cap, &query));
		/* One chance in 2^26 to fail in all rounds together. */
		EXPECT_LT(1ULL << 32, query.ids[0] - last);
		EXPECT_LT(1ULL << 32, last - query.ids[0]);
		last = query.ids[0];
		ASSERT_EQ(0, do_query(self->phi, cap, &query));
		EXPECT_EQ(last, query.ids[0]);
		ASSERT_EQ(0, do_drop(self->phi, cap));
	}
}

TEST_F(cap, derive_makes_a_weaker_child)
{
	struct phi_cap_query query;
	uint64_t child;

	ASSERT_EQ(0, do_derive(self->phi, self->root, PHI_RIGHT_READ, &child));
	EXPECT_NE(self->root, child);
	ASSERT_EQ(0, do_query(self->phi, child, &query));
	EXPECT_EQ(PHI_RIGHT_READ, query.rights);
	EXPECT_EQ(2, query.depth);
	EXPECT_EQ(1, do_same(self->phi, self->root, child));
	/* Even one with no rights at all names its object. */
	ASSERT_EQ(0, do_derive(self->phi, child, 0, &child));
	EXPECT_EQ(1, do_same(self->phi, self->root, child));
}

TEST_F(cap, rights_only_shrink)
{
	uint64_t child, out;

	ASSERT_EQ(0, do_derive(self->phi, self->root, PHI_RIGHT_READ, &child));
	for (uint32_t right = 1; right; right <<= 1) {
		int want = right & PHI_RIGHT_READ ? 0 : -EPERM;

		EXPECT_EQ(want, do_derive(self->phi, child, right, &out));
		want = right & NOTIFY_RIGHTS ? 0 : -EPERM;
		EXPECT_EQ(want, do_derive(self->phi, self->root, right, &out));
	}
	EXPECT_EQ(-EPERM, do_derive(self->phi, child,
				    PHI_RIGHT_READ | PHI_RIGHT_WRITE, &out));
	EXPECT_EQ(-EPERM, do_derive(self->phi, child, ~0U, &out));
}

TEST_F(cap, derive_refuses_bad_input)
{
	struct phi_cap_derive arg = { .cap = self->root, .flags = 1 };
	uint64_t out;

	EXPECT_EQ(-EOPNOTSUPP, PHI_DO(self->phi, CAP_DERIVE, &arg));
	arg = (struct phi_cap_derive){ .cap = self->root, .pad = 1 };
	EXPECT_EQ(-EINVAL, PHI_DO(self->phi, CAP_DERIVE, &arg));
	EXPECT_EQ(-EBADF, do_derive(self->phi, 0, 0, &out));
	EXPECT_EQ(-EBADF, do_derive(self->phi, ~0ULL, 0, &out));
	EXPECT_EQ(-EBADF, do_derive(self->phi, self->root + 1, 0, &out));
	EXPECT_EQ(-EBADF,
		  do_derive(self->phi, self->root + (1ULL << 32), 0, &out));
	EXPECT_EQ(-EBADF, do_derive(self->phi, self->root & ~0U, 0, &out));
	/* An index past the end that is this one modulo 2^16. */
	EXPECT_EQ(-EBADF, do_derive(self->phi, self->root + 0x10000, 0, &out));
}

TEST_F(cap, badge_is_given_once_to_an_endpoint)
{
	struct phi_cap_query query;
	uint64_t endpoint, badged, out;

	EXPECT_EQ(-EINVAL,
		  do_derive_until(self->phi, self->root, 0, 0, 7, &out));
	ASSERT_EQ(0, do_endpoint(self->phi, &endpoint));
	ASSERT_EQ(0, do_derive_until(self->phi, endpoint, PHI_RIGHT_SEND, 0, 7,
				     &badged));
	EXPECT_EQ(-EPERM, do_derive_until(self->phi, badged, PHI_RIGHT_SEND, 0,
					  8, &out));
	ASSERT_EQ(0, do_derive(self->phi, badged, PHI_RIGHT_SEND, &out));
	ASSERT_EQ(0, do_query(self->phi, out, &query));
	EXPECT_EQ(7, query.badge);
}

TEST_F(cap, chain_ends_at_the_limit)
{
	struct phi_cap_query query;
	uint64_t cap = self->root, out;

	for (int depth = 2; depth <= PHI_DEPTH_MAX; depth++) {
		ASSERT_EQ(0, do_derive(self->phi, cap, NOTIFY_RIGHTS, &cap));
		ASSERT_EQ(0, do_query(self->phi, cap, &query));
		EXPECT_EQ(depth, query.depth);
	}
	EXPECT_EQ(-ELOOP, do_derive(self->phi, cap, 0, &out));
	/* Too many rights at the limit are too many rights. */
	EXPECT_EQ(-EPERM, do_derive(self->phi, cap, ~0U, &out));
}

/* A caller, whom the main thread answers. */
struct caller {
	int phi;
	uint64_t endpoint;
	int ret;
};

static void *call_thread(void *arg)
{
	struct caller *caller = arg;
	struct phi_call call = { .endpoint = caller->endpoint };

	caller->ret = PHI_DO(caller->phi, CALL, &call);
	return NULL;
}

/* There is only ever one right to answer a call. */
TEST_F(cap, no_second_reply)
{
	struct caller caller = { .phi = self->phi };
	struct phi_recv recv = {};
	struct phi_reply reply = {};
	struct phi_token token;
	pthread_t thread;
	uint64_t out;

	ASSERT_EQ(0, do_endpoint(self->phi, &caller.endpoint));
	ASSERT_EQ(0, pthread_create(&thread, NULL, call_thread, &caller));
	recv.endpoint = caller.endpoint;
	ASSERT_EQ(0, PHI_DO(self->phi, RECV, &recv));
	ASSERT_NE(0, recv.reply);
	EXPECT_EQ(-EINVAL, do_derive(self->phi, recv.reply, 0, &out));
	EXPECT_EQ(-EINVAL, do_seal(self->phi, recv.reply, 0, 0, 0, &token));
	reply.reply = recv.reply;
	EXPECT_EQ(0, PHI_DO(self->phi, REPLY, &reply));
	pthread_join(thread, NULL);
	EXPECT_EQ(0, caller.ret);
}

TEST_F(cap, drop_forgets_one_handle)
{
	struct phi_cap_drop arg = { .cap = self->root, .flags = 1 };
	uint64_t child, grandchild;

	EXPECT_EQ(-EOPNOTSUPP, PHI_DO(self->phi, CAP_DROP, &arg));
	ASSERT_EQ(0, do_derive(self->phi, self->root, 3, &child));
	ASSERT_EQ(0, do_derive(self->phi, child, 1, &grandchild));
	ASSERT_EQ(0, do_drop(self->phi, child));
	EXPECT_EQ(-EBADF, do_probe(self->phi, child));
	EXPECT_EQ(-EBADF, do_drop(self->phi, child));
	/* What was derived from it lives, and dies with what is above. */
	EXPECT_EQ(0, do_probe(self->phi, grandchild));
	EXPECT_EQ(0, do_revoke(self->phi, self->root));
	EXPECT_EQ(-EKEYREVOKED, do_probe(self->phi, grandchild));
	EXPECT_EQ(-EBADF, do_drop(self->phi, 0));
	EXPECT_EQ(-EBADF, do_drop(self->phi, ~0ULL));
}

TEST_F(cap, handles_are_never_used_again)
{
	uint64_t last = 0, handle;

	for (int i = 0; i < 2000; i++) {
		ASSERT_EQ(0, do_derive(self->phi, self->root, 0, &handle));
		ASSERT_NE(last, handle);
		if (last) {
			/* The slot is the same, the generation a later one. */
			ASSERT_EQ((uint32_t)last, (uint32_t)handle);
			ASSERT_LT(last >> 32, handle >> 32);
			ASSERT_EQ(-EBADF, do_probe(self->phi, last));
			ASSERT_EQ(-EBADF, do_drop(self->phi, last));
		}
		ASSERT_EQ(0, do_probe(self->phi, handle));
		ASSERT_EQ(0, do_drop(self->phi, handle));
		last = handle;
	}
}

TEST_F(cap, same_compares_objects)
{
	struct phi_cap_same arg = { .a = self->root, .b = self->root };
	uint64_t child, other;

	ASSERT_EQ(0, do_derive(self->phi, self->root, 0, &child));
	ASSERT_EQ(0, do_notify(self->phi, &other));
	EXPECT_EQ(1, do_same(self->phi, self->root, self->root));
	EXPECT_EQ(1, do_same(self->phi, child, self->root));
	EXPECT_EQ(0, do_same(self->phi, other, self->root));
	EXPECT_EQ(-EBADF, do_same(self->phi, 0, self->root));
	EXPECT_EQ(-EBADF, do_same(self->phi, self->root, 0));
	EXPECT_EQ(0, do_revoke(self->phi, self->root));
	EXPECT_EQ(-EKEYREVOKED, do_same(self->phi, child, self->root));
	EXPECT_EQ(-EKEYREVOKED, do_same(self->phi, self->root, child));

	arg.flags = 1;
	EXPECT_EQ(-EOPNOTSUPP, PHI_DO(self->phi, CAP_SAME, &arg));
	arg.flags = 0;
	arg.pad = 1;
	EXPECT_EQ(-EINVAL, PHI_DO(self->phi, CAP_SAME, &arg));
}

TEST_F(cap, query_refuses_bad_input)
{
	struct phi_cap_query arg = { .cap = self->root, .flags = 1 };

	EXPECT_EQ(-EOPNOTSUPP, PHI_DO(self->phi, CAP_QUERY, &arg));
	EXPECT_EQ(-EBADF, do_probe(self->phi, 0));
}

TEST_F(cap, list_shows_every_handle)
{
	struct phi_cap_list arg = { .flags = 1 };
	uint64_t made[1000], seen[1100], dropped;
	uint32_t count, total;

	for (int i = 0; i < 1000; i++) {
		ASSERT_EQ(0, do_derive(self->phi, self->root, 0, &made[i]));
	}
	dropped = made[500];
	ASSERT_EQ(0, do_drop(self->phi, dropped));
	/* Dead ones are shown too. */
	ASSERT_EQ(0, do_revoke(self->phi, self->root));

	ASSERT_EQ(0, do_list(self->phi, seen, 1100, &count, &total));
	EXPECT_EQ(1000, count);
	EXPECT_EQ(1000, total);
	EXPECT_EQ(self->root, seen[0]);
	for (int i = 0, k = 1; i < 1000; i++) {
		if (made[i] != dropped) {
			ASSERT_EQ(made[i], seen[k++]);
		}
	}

	/* Short of room: the first ones, and how many there are. */
	memset(seen, 0xff, sizeof(seen));
	ASSERT_EQ(0, do_list(self->phi, seen, 33, &count, &total));
	EXPECT_EQ(33, count);
	EXPECT_EQ(1000, total);
	EXPECT_EQ(made[31], seen[32]);
	EXPECT_EQ(~0ULL, seen[33]);
	ASSERT_EQ(0, do_list(self->phi, NULL, 0, &count, &total));
	EXPECT_EQ(0, count);
	EXPECT_EQ(1000, total);

	EXPECT_EQ(-EFAULT,
		  do_list(self->phi, (uint64_t *)8, 5, &count, &total));
	EXPECT_EQ(-EOPNOTSUPP, PHI_DO(self->phi, CAP_LIST, &arg));
}

TEST_F(cap, expiry_counts_at_use)
{
	struct phi_cap_query query;
	uint64_t soon = boottime_ns() + 1500000000;
	uint64_t child, grandchild, past, out;
	int ret;

	ASSERT_EQ(0,
		  do_derive_until(self->phi, self->root, 3, soon, 0, &child));
	ASSERT_EQ(0, do_query(self->phi, child, &query));
	EXPECT_EQ(soon, query.expires_ns);
	/* The earlier of the two counts. */
	ASSERT_EQ(0, do_derive_until(self->phi, child, 1, soon + 1, 0,
				     &grandchild));
	ASSERT_EQ(0, do_query(self->phi, grandchild, &query));
	EXPECT_EQ(soon, query.expires_ns);
	ASSERT_EQ(0, do_derive(self->phi, child, 1, &out));
	ASSERT_EQ(0, do_query(self->phi, out, &query));
	EXPECT_EQ(soon, query.expires_ns);
	ASSERT_EQ(0, do_derive_until(self->phi, child, 1, soon - 1, 0, &out));
	ASSERT_EQ(0, do_query(self->phi, out, &query));
	EXPECT_EQ(soon - 1, query.expires_ns);

	ASSERT_EQ(0, do_derive_until(self->phi, self->root, 1, 1, 0, &past));
	EXPECT_EQ(-EKEYEXPIRED, do_probe(self->phi, past));

	while (boottime_ns() < soon)
		usleep(1000);
	EXPECT_EQ(-EKEYEXPIRED, do_probe(self->phi, child));
	EXPECT_EQ(-EKEYEXPIRED, do_probe(self->phi, grandchild));
	EXPECT_EQ(-EKEYEXPIRED, do_derive(self->phi, child, 0, &out));
	EXPECT_EQ(0, do_probe(self->phi, self->root));
	/* Dead of both: it says either, for expired ones are swept. */
	EXPECT_EQ(0, do_revoke(self->phi, self->root));
	ret = do_probe(self->phi, child);
	EXPECT_TRUE(ret == -EKEYREVOKED || ret == -EKEYEXPIRED);
	EXPECT_EQ(0, do_drop(self->phi, child));
}

TEST_HARNESS_MAIN
