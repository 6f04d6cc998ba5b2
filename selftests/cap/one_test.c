// SPDX-License-Identifier: GPL-2.0-only
/*
 * A revoke of one capability: it dies with all that is below it, and nothing
 * else does.
 */

#include "kselftest_harness.h"

#include <pthread.h>

#include "phi_message.h"

#define RIGHTS \
	(PHI_RIGHT_READ | PHI_RIGHT_WRITE | PHI_RIGHT_ADMIN | PHI_RIGHT_GRANT)

FIXTURE(one)
{
	int phi;
	uint64_t root;
	struct phi_system_stats before;
};

FIXTURE_SETUP(one)
{
	self->phi = do_open();
	ASSERT_LE(0, self->phi)
	{
		TH_LOG("is phi.ko loaded?");
	}
	ASSERT_EQ(0, do_stats(self->phi, &self->before));
	ASSERT_EQ(0, do_notify(self->phi, &self->root));
}

FIXTURE_TEARDOWN(one)
{
	close(self->phi);
	EXPECT_TRUE(do_restored(&self->before));
}

TEST_F(one, kills_it_with_what_is_below)
{
	uint64_t a, aa, aaa, ab, b, out;
	struct phi_cap_query query;

	ASSERT_EQ(0, do_derive(self->phi, self->root, RIGHTS, &a));
	ASSERT_EQ(0, do_derive(self->phi, a, RIGHTS, &aa));
	ASSERT_EQ(0, do_derive(self->phi, aa, RIGHTS, &aaa));
	ASSERT_EQ(0, do_derive(self->phi, a, RIGHTS, &ab));
	ASSERT_EQ(0, do_derive(self->phi, self->root, RIGHTS, &b));

	ASSERT_EQ(0, do_revoke_one(self->phi, a, aa));
	EXPECT_EQ(-EKEYREVOKED, do_probe(self->phi, aa));
	EXPECT_EQ(-EKEYREVOKED, do_probe(self->phi, aaa));
	EXPECT_EQ(-EKEYREVOKED, do_derive(self->phi, aa, 0, &out));
	EXPECT_EQ(0, do_probe(self->phi, ab));
	EXPECT_EQ(0, do_probe(self->phi, a));
	EXPECT_EQ(0, do_probe(self->phi, b));
	/* The parent was not revoked, and has children as before. */
	ASSERT_EQ(0, do_query(self->phi, a, &query));
	EXPECT_EQ(0, query.version);
	EXPECT_EQ(0, do_derive(self->phi, a, RIGHTS, &out));
	EXPECT_EQ(0, do_probe(self->phi, out));

	/* A revoke of the parent finds what one of a child has left. */
	ASSERT_EQ(0, do_revoke(self->phi, a));
	EXPECT_EQ(-EKEYREVOKED, do_probe(self->phi, ab));
	EXPECT_EQ(-EKEYREVOKED, do_probe(self->phi, out));
	/* And what it has killed stays dead. */
	EXPECT_EQ(-EKEYREVOKED, do_probe(self->phi, aa));
	ASSERT_EQ(0, do_derive(self->phi, a, RIGHTS, &ab));
	ASSERT_EQ(0, do_revoke_one(self->phi, a, ab));
	EXPECT_EQ(-EKEYREVOKED, do_probe(self->phi, ab));
	EXPECT_EQ(0, do_drop(self->phi, aa));
	EXPECT_EQ(-EBADF, do_probe(self->phi, aa));
}

TEST_F(one, names_what_is_far_below)
{
	uint64_t a, aa, b;

	ASSERT_EQ(0, do_derive(self->phi, self->root, 0, &a));
	ASSERT_EQ(0, do_derive(self->phi, a, 0, &aa));
	ASSERT_EQ(0, do_derive(self->phi, a, 0, &b));
	/* None of them has ADMIN. */
	EXPECT_EQ(-EPERM, do_revoke_one(self->phi, a, aa));
	EXPECT_EQ(-EPERM, do_revoke_one(self->phi, aa, aa));
	ASSERT_EQ(0, do_revoke_one(self->phi, self->root, aa));
	EXPECT_EQ(-EKEYREVOKED, do_probe(self->phi, aa));
	EXPECT_EQ(0, do_probe(self->phi, b));
	EXPECT_EQ(0, do_probe(self->phi, a));
}

TEST_F(one, refuses_bad_input)
{
	struct phi_cap_revoke arg = { .cap = self->root };
	uint64_t a, b, ba, stranger;

	ASSERT_EQ(0, do_derive(self->phi, self->root, RIGHTS, &a));
	ASSERT_EQ(0, do_derive(self->phi, self->root, RIGHTS, &b));
	ASSERT_EQ(0, do_derive(self->phi, b, RIGHTS, &ba));
	ASSERT_EQ(0, do_notify(self->phi, &stranger));
	arg.child = a;
	EXPECT_EQ(-EINVAL, PHI_DO(self->phi, CAP_REVOKE, &arg));
	EXPECT_EQ(-EBADF, do_revoke_one(self->phi, self->root, 0));
	EXPECT_EQ(-EBADF, do_revoke_one(self->phi, 0, a));
	/* A sibling, a nephew, the parent, another object. */
	EXPECT_EQ(-EINVAL, do_revoke_one(self->phi, a, b));
	EXPECT_EQ(-EINVAL, do_revoke_one(self->phi, a, ba));
	EXPECT_EQ(-EINVAL, do_revoke_one(self->phi, a, self->root));
	EXPECT_EQ(-EINVAL, do_revoke_one(self->phi, a, stranger));
	EXPECT_EQ(0, do_probe(self->phi, a));
	EXPECT_EQ(0, do_probe(self->phi, ba));
	ASSERT_EQ(0, do_revoke_one(self->phi, self->root, b));
	EXPECT_EQ(-EKEYREVOKED, do_revoke_one(self->phi, self->root, b));
	EXPECT_EQ(-EKEYREVOKED, do_revoke_one(self->phi, b, ba));
	/* There is something to wait for, so that one is no error. */
	arg.flags = PHI_REVOKE_ONE | PHI_REVOKE_WAIT;
	arg.child = b;
	EXPECT_EQ(0, PHI_DO(self->phi, CAP_REVOKE, &arg));
	EXPECT_EQ(0, do_probe(self->phi, a));
}

TEST_F(one, ends_itself)
{
	uint64_t a, b;

	ASSERT_EQ(0, do_derive(self->phi, self->root, RIGHTS, &a));
	ASSERT_EQ(0, do_derive(self->phi, self->root, RIGHTS, &b));
	ASSERT_EQ(0, do_revoke_one(self->phi, a, a));
	EXPECT_EQ(-EKEYREVOKED, do_probe(self->phi, a));
	EXPECT_EQ(0, do_probe(self->phi, b));
	/* The root, of which there is no parent. */
	ASSERT_EQ(0, do_revoke_one(self->phi, self->root, self->root));
	EXPECT_EQ(-EKEYREVOKED, do_probe(self->phi, self->root));
	EXPECT_EQ(-EKEYREVOKED, do_probe(self->phi, b));
	EXPECT_EQ(-EKEYREVOKED, do_derive(self->phi, self->root, 0, &a));
	EXPECT_EQ(0, do_drop(self->phi, self->root));
}

TEST_F(one, reaches_one_receiver)
{
	uint64_t ep, mine[2], theirs[3];
	struct phi_token token[2];
	struct phi_recv recv;
	int other = do_open();

	ASSERT_LE(0, other);
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(0,
			  do_derive(self->phi, self->root, RIGHTS, &mine[i]));
		ASSERT_EQ(0,
			  do_seal(self->phi, mine[i], RIGHTS, 0, 0, &token[i]));
		ASSERT_EQ(0, do_unseal(other, &token[i], &theirs[i]));
	}
	/* A copy in a message that nobody has received. */
	ASSERT_EQ(0, do_endpoint(self->phi, &ep));
	ASSERT_EQ(0, do_send_cap(self->phi, ep, mine[0], 0, PHI_RIGHT_ALL));

	ASSERT_EQ(0, do_revoke_one(self->phi, self->root, mine[0]));
	EXPECT_EQ(-EKEYREVOKED, do_probe(other, theirs[0]));
	EXPECT_EQ(-EKEYREVOKED, do_unseal(other, &token[0], &theirs[2]));
	ASSERT_EQ(0, do_recv(self->phi, ep, NULL, 0, &recv));
	EXPECT_EQ(-EKEYREVOKED, do_probe(self->phi, recv.caps[0].cap));
	EXPECT_EQ(0, do_probe(other, theirs[1]));
	EXPECT_EQ(0, do_unseal(other, &token[1], &theirs[2]));
	close(other);
}

/*
 * A sender that waits for credit has made the weaker one that will arrive; the
 * one it gives is still in its slot, and is killed there.
 */
TEST_F(one, reaches_what_is_about_to_move)
{
	uint64_t ep, a;
	struct phi_recv recv;
	struct phi_send send = {
		.ncaps = 1,
		.caps = { { .flags = PHI_XFER_MOVE,
			    .rights = PHI_RIGHT_READ } },
	};
	struct job job = JOB(self->phi, SEND, &send);

	ASSERT_EQ(0, do_endpoint(self->phi, &ep));
	ASSERT_EQ(0, do_derive(self->phi, self->root, RIGHTS, &a));
	while (!do_send(self->phi, ep, NULL, 0))
		;
	send.endpoint = ep;
	send.caps[0].cap = a;
	ASSERT_EQ(0, job_start(&job));
	ASSERT_EQ(0, do_revoke_one(self->phi, self->root, a));
	ASSERT_EQ(0, do_take(self->phi, ep));
	EXPECT_EQ(0, job_join(&job));
	do {
		ASSERT_EQ(0, do_recv(self->phi, ep, NULL, 0, &recv));
	} while (!recv.ncaps);
	EXPECT_EQ(-EKEYREVOKED, do_probe(self->phi, recv.caps[0].cap));
	EXPECT_EQ(-EBADF, do_probe(self->phi, a));
}

/* Threads that wait on a notify, each by a capability of its own. */
static void wait_through(struct phi_notify_wait *wait, uint64_t cap)
{
	wait->notify = cap;
	wait->mask = 1;
}

TEST_F(one, wakes_who_waits_through_it)
{
	struct phi_notify_wait wait[2] = {};
	struct job dead = JOB(self->phi, NOTIFY_WAIT, &wait[0]);
	struct job alive = JOB(self->phi, NOTIFY_WAIT, &wait[1]);
	uint64_t a, aa, b;

	ASSERT_EQ(0, do_derive(self->phi, self->root, PHI_RIGHT_READ, &a));
	ASSERT_EQ(0, do_derive(self->phi, a, PHI_RIGHT_READ, &aa));
	ASSERT_EQ(0, do_derive(self->phi, self->root, PHI_RIGHT_READ, &b));
	wait_through(&wait[0], aa);
	wait_through(&wait[1], b);
	ASSERT_EQ(0, job_start(&dead));
	ASSERT_EQ(0, job_start(&alive));
	ASSERT_EQ(0, do_revoke_one(self->phi, self->root, a));
	EXPECT_EQ(-EKEYREVOKED, job_join(&dead));
	ASSERT_EQ(0, do_signal(self->phi, self->root, 1));
	EXPECT_EQ(0, job_join(&alive));
}

/* The pages and their charge go in the call, though the handle stays. */
TEST_F(one, gives_memory_back_at_once)
{
	struct phi_system_stats with, after;
	uint64_t region, child;

	ASSERT_EQ(0, do_region(self->phi, 64 * 4096, 0, &region));
	ASSERT_EQ(0, do_derive(self->phi, region, PHI_RIGHT_ADMIN, &child));
	ASSERT_EQ(0, do_drop(self->phi, region));
	ASSERT_EQ(0, do_stats(self->phi, &with));
	ASSERT_EQ(0, do_revoke_one(self->phi, child, child));
	ASSERT_EQ(0, do_stats(self->phi, &after));
	EXPECT_EQ(with.used[PHI_QUOTA_PAGES], after.used[PHI_QUOTA_PAGES] + 64);
	EXPECT_EQ(with.objects[PHI_TYPE_MEMORY],
		  after.objects[PHI_TYPE_MEMORY] + 1);
	EXPECT_EQ(-EKEYREVOKED, do_probe(self->phi, child));
}

/* An endpoint dies with its last receiver, also when that is killed alone. */
TEST_F(one, ends_an_endpoint)
{
	uint64_t ep, sender;

	ASSERT_EQ(0, do_endpoint(self->phi, &ep));
	ASSERT_EQ(0, do_derive(self->phi, ep, PHI_RIGHT_SEND, &sender));
	ASSERT_EQ(0, do_send(self->phi, sender, "x", 1));
	ASSERT_EQ(0, do_revoke_one(self->phi, ep, ep));
	EXPECT_EQ(-EKEYREVOKED, do_send(self->phi, sender, "x", 1));
}

#define ROUNDS 300

/* Two threads kill what overlaps; each one's is dead when it returns. */
struct pair {
	int phi;
	uint64_t parent, child;
	bool all; /* by a revoke of the parent */
	unsigned long wrong;
	pthread_barrier_t *barrier;
};

static void *kill_one(void *arg)
{
	struct pair *p = arg;
	int ret;

	pthread_barrier_wait(p->barrier);
	if (p->all)
		ret = do_revoke(p->phi, p->parent);
	else
		ret = do_revoke_one(p->phi, p->parent, p->child);
	/* The other thread may have been first. */
	if (ret && ret != -EKEYREVOKED)
		p->wrong++;
	if (do_probe(p->phi, p->child) != -EKEYREVOKED)
		p->wrong++;
	return NULL;
}

TEST_F(one, races_with_a_revoke_of_the_parent)
{
	pthread_barrier_t barrier;
	struct pair two[2] = { { .phi = self->phi, .barrier = &barrier },
			       { .phi = self->phi, .barrier = &barrier } };
	pthread_t thread[2];

	ASSERT_EQ(0, pthread_barrier_init(&barrier, NULL, 2));
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t a, aa, b;

		ASSERT_EQ(0, do_derive(self->phi, self->root, RIGHTS, &a));
		ASSERT_EQ(0, do_derive(self->phi, a, RIGHTS, &aa));
		ASSERT_EQ(0, do_derive(self->phi, aa, RIGHTS, &b));
		/* The same one, one below it, or all. */
		two[0].parent = self->root;
		two[0].child = a;
		two[1].parent = i % 3 ? a : self->root;
		two[1].child = i % 3 ? aa : a;
		two[1].all = i % 3 == 1;
		for (int k = 0; k < 2; k++) {
			ASSERT_EQ(0, pthread_create(&thread[k], NULL, kill_one,
						    &two[k]));
		}
		pthread_join(thread[0], NULL);
		pthread_join(thread[1], NULL);
		EXPECT_EQ(-EKEYREVOKED, do_probe(self->phi, b));
		ASSERT_EQ(0, do_drop(self->phi, a));
		ASSERT_EQ(0, do_drop(self->phi, aa));
		ASSERT_EQ(0, do_drop(self->phi, b));
	}
	pthread_barrier_destroy(&barrier);
	EXPECT_EQ(0, two[0].wrong);
	EXPECT_EQ(0, two[1].wrong);
}

TEST_HARNESS_MAIN
