// SPDX-License-Identifier: GPL-2.0-only

#include "kselftest_harness.h"

#include <pthread.h>

#include "phi_message.h"

#define RIGHTS \
	(PHI_RIGHT_READ | PHI_RIGHT_WRITE | PHI_RIGHT_ADMIN | PHI_RIGHT_GRANT)

FIXTURE(revoke)
{
	int phi;
	uint64_t root;
	struct phi_system_stats before;
};

FIXTURE_SETUP(revoke)
{
	self->phi = do_open();
	ASSERT_LE(0, self->phi)
	{
		TH_LOG("is phi.ko loaded?");
	}
	ASSERT_EQ(0, do_stats(self->phi, &self->before));
	ASSERT_EQ(0, do_notify(self->phi, &self->root));
}

FIXTURE_TEARDOWN(revoke)
{
	close(self->phi);
	EXPECT_TRUE(do_restored(&self->before));
}

TEST_F(revoke, kills_the_subtree_only)
{
	uint64_t a, aa, aaa, b, out;
	struct phi_cap_query query;

	ASSERT_EQ(0, do_derive(self->phi, self->root, RIGHTS, &a));
	ASSERT_EQ(0, do_derive(self->phi, a, RIGHTS, &aa));
	ASSERT_EQ(0, do_derive(self->phi, aa, RIGHTS, &aaa));
	ASSERT_EQ(0, do_derive(self->phi, self->root, RIGHTS, &b));

	ASSERT_EQ(0, do_revoke(self->phi, a));
	EXPECT_EQ(-EKEYREVOKED, do_probe(self->phi, aa));
	EXPECT_EQ(-EKEYREVOKED, do_probe(self->phi, aaa));
	EXPECT_EQ(-EKEYREVOKED, do_derive(self->phi, aa, 0, &out));
	EXPECT_EQ(-EKEYREVOKED, do_revoke(self->phi, aa));
	EXPECT_EQ(0, do_probe(self->phi, b));
	EXPECT_EQ(0, do_probe(self->phi, self->root));
	ASSERT_EQ(0, do_query(self->phi, a, &query));
	EXPECT_EQ(1, query.version);

	/* A child made after it is alive, until the next one. */
	ASSERT_EQ(0, do_derive(self->phi, a, RIGHTS, &out));
	EXPECT_EQ(0, do_probe(self->phi, out));
	EXPECT_EQ(-EKEYREVOKED, do_probe(self->phi, aa));
	ASSERT_EQ(0, do_revoke(self->phi, self->root));
	EXPECT_EQ(-EKEYREVOKED, do_probe(self->phi, out));
	EXPECT_EQ(-EKEYREVOKED, do_probe(self->phi, a));
	EXPECT_EQ(-EKEYREVOKED, do_probe(self->phi, b));
	/* A dead handle can still be dropped. */
	EXPECT_EQ(0, do_drop(self->phi, aa));
	EXPECT_EQ(-EBADF, do_probe(self->phi, aa));
}

TEST_F(revoke, refuses_bad_input)
{
	struct phi_cap_revoke arg = { .cap = self->root, .flags = 1 };
	uint64_t weak;

	EXPECT_EQ(-EOPNOTSUPP, PHI_DO(self->phi, CAP_REVOKE, &arg));
	EXPECT_EQ(-EBADF, do_revoke(self->phi, 0));
	EXPECT_EQ(-EBADF, do_revoke(self->phi, ~0ULL));
	ASSERT_EQ(0, do_derive(self->phi, self->root, RIGHTS & ~PHI_RIGHT_ADMIN,
			       &weak));
	EXPECT_EQ(-EPERM, do_revoke(self->phi, weak));
}

/* Sealing and unsealing carries a child into another cspace. */
TEST_F(revoke, reaches_other_cspaces)
{
	struct phi_token token;
	uint64_t far, farther;
	int other = do_open();

	ASSERT_LE(0, other);
	ASSERT_EQ(0, do_seal(self->phi, self->root, RIGHTS, 0, 0, &token));
	ASSERT_EQ(0, do_unseal(other, &token, &far));
	ASSERT_EQ(0, do_derive(other, far, RIGHTS, &farther));
	EXPECT_EQ(0, do_probe(other, farther));
	ASSERT_EQ(0, do_revoke(self->phi, self->root));
	EXPECT_EQ(-EKEYREVOKED, do_probe(other, far));
	EXPECT_EQ(-EKEYREVOKED, do_probe(other, farther));
	EXPECT_EQ(-EKEYREVOKED, do_revoke(other, far));
	close(other);
}

/* The root's slot is gone; what was derived before can still be killed. */
TEST_F(revoke, works_through_the_middle_after_the_root_is_dropped)
{
	uint64_t middle, leaf;

	ASSERT_EQ(0, do_derive(self->phi, self->root, RIGHTS, &middle));
	ASSERT_EQ(0, do_derive(self->phi, middle, RIGHTS, &leaf));
	ASSERT_EQ(0, do_drop(self->phi, self->root));
	EXPECT_EQ(0, do_probe(self->phi, leaf));
	ASSERT_EQ(0, do_revoke(self->phi, middle));
	EXPECT_EQ(-EKEYREVOKED, do_probe(self->phi, leaf));
	EXPECT_EQ(0, do_probe(self->phi, middle));
}

#define WORKERS 4
#define ROUNDS 400

/* What the threads of a race share. */
struct race {
	int phi;
	uint64_t root;
	uint64_t current; /* the child that is alive now */
	uint64_t doomed; /* revoked before it was published here */
	bool stop;
	unsigned long alive;
	unsigned long wrong;
};

static void *use(void *arg)
{
	struct race *race = arg;

	while (!__atomic_load_n(&race->stop, __ATOMIC_ACQUIRE)) {
		uint64_t dead =
			__atomic_load_n(&race->doomed, __ATOMIC_ACQUIRE);
		uint64_t cap =
			__atomic_load_n(&race->current, __ATOMIC_ACQUIRE);
		uint64_t out;
		int ret = do_derive(race->phi, cap, PHI_RIGHT_READ, &out);

		if (!ret) {
			__atomic_add_fetch(&race->alive, 1, __ATOMIC_RELAXED);
			ret = do_drop(race->phi, out);
			if (ret)
				__atomic_add_fetch(&race->wrong, 1,
						   __ATOMIC_RELAXED);
		} else if (ret != -EKEYREVOKED && ret != -EBADF) {
			__atomic_add_fetch(&race->wrong, 1, __ATOMIC_RELAXED);
		}
		/* A revoke that returned is seen by everybody. */
		if (dead && !do_probe(race->phi, dead))
			__atomic_add_fetch(&race->wrong, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

TEST_F_TIMEOUT(revoke, races_with_use, 120)
{
	struct race race = { .phi = self->phi, .root = self->root };
	pthread_t worker[WORKERS];

	ASSERT_EQ(0, do_derive(self->phi, self->root, RIGHTS, &race.current));
	for (int i = 0; i < WORKERS; i++) {
		ASSERT_EQ(0, pthread_create(&worker[i], NULL, use, &race));
	}
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t old = race.current, fresh;

		EXPECT_EQ(0, do_revoke(self->phi, self->root));
		__atomic_store_n(&race.doomed, old, __ATOMIC_RELEASE);
		EXPECT_EQ(0, do_derive(self->phi, self->root, RIGHTS, &fresh));
		__atomic_store_n(&race.current, fresh, __ATOMIC_RELEASE);
		if (i % 8 == 7)
			usleep(500);
		/* Its slot is used again at once, under the readers' eyes. */
		EXPECT_EQ(0, do_drop(self->phi, old));
	}
	while (!__atomic_load_n(&race.alive, __ATOMIC_RELAXED))
		usleep(1000);
	__atomic_store_n(&race.stop, true, __ATOMIC_RELEASE);
	for (int i = 0; i < WORKERS; i++) {
		pthread_join(worker[i], NULL);
	}
	EXPECT_EQ(0, race.wrong);
	EXPECT_LT(0, race.alive);
}

/* Threads derive, revoke, drop, seal and list at random on one cspace. */
#define POOL 64

struct churn {
	int phi;
	unsigned int seed;
	uint64_t *pool;
	uint64_t mailbox;
	unsigned long wrong;
};

static bool expected(int ret)
{
	switch (ret) {
	case 0:
	case 1:
	case -EBADF:
	case -EKEYREVOKED:
	case -EKEYEXPIRED:
	case -EPERM:
	case -ELOOP:
		return true;
	default:
		return false;
	}
}

/* Send it away, and take what comes, which another thread may have sent. */
static int move_through(int phi, uint64_t mailbox, uint64_t cap, bool weaker,
			uint64_t *out)
{
	struct phi_recv arg;
	int ret =
		do_send_cap(phi, mailbox, cap, PHI_XFER_MOVE,
			    weaker ? RIGHTS & ~PHI_RIGHT_WRITE : PHI_RIGHT_ALL);

	if (!ret)
		ret = do_recv(phi, mailbox, NULL, 0, &arg);
	*out = ret ? 0 : arg.caps[0].cap;
	return ret == -EAGAIN ? -EBADF : ret;
}

static int churn_once(struct churn *churn)
{
	uint64_t *slot = &churn->pool[rand_r(&churn->seed) % POOL];
	uint64_t cap = __atomic_load_n(slot, __ATOMIC_RELAXED), out = 0;
	struct phi_token token;
	int ret;

	switch (rand_r(&churn->seed) % 13) {
	case 0:
		return do_revoke(churn->phi, cap);
	case 1:
		return do_drop(churn->phi, cap);
	case 2:
		return do_same(churn->phi, cap, churn->pool[0]);
	case 3:
		ret = do_seal(churn->phi, cap, PHI_RIGHT_READ, 0, 0, &token);
		if (!ret)
			ret = do_unseal(churn->phi, &token, &out);
		break;
	case 4:
		ret = do_notify(churn->phi, &out);
		break;
	case 5:
		ret = do_region(churn->phi, getpagesize(), 0, &out);
		break;
	case 6:
		ret = do_derive_until(churn->phi, cap, RIGHTS,
				      boottime_ns() +
					      rand_r(&churn->seed) % 2000000,
				      0, &out);
		break;
	case 7:
		ret = move_through(churn->phi, churn->mailbox, cap,
				   rand_r(&churn->seed) % 2, &out);
		break;
	case 8:
		return do_revoke_one(churn->phi, cap, cap);
	default:
		ret = do_derive(churn->phi, cap, RIGHTS, &out);
	}
	if (!ret)
		__atomic_store_n(slot, out, __ATOMIC_RELAXED);
	return ret;
}

static void *churn_loop(void *arg)
{
	struct churn *churn = arg;

	for (int i = 0; i < 2000; i++) {
		if (!expected(churn_once(churn)))
			churn->wrong++;
	}
	return NULL;
}

/* Closing a cspace under its users must be as clean as a quiet one. */
TEST_F_TIMEOUT(revoke, churn_leaves_nothing, 120)
{
	struct churn churn[WORKERS];
	pthread_t worker[WORKERS];
	uint64_t pool[POOL] = {}, mailbox;
	int other = do_open();

	ASSERT_LE(0, other);
	ASSERT_EQ(0, do_endpoint(other, &mailbox));
	for (int i = 0; i < WORKERS; i++) {
		churn[i] = (struct churn){ other, i + 1, pool, mailbox, 0 };
		ASSERT_EQ(0, pthread_create(&worker[i], NULL, churn_loop,
					    &churn[i]));
	}
	for (int i = 0; i < WORKERS; i++) {
		pthread_join(worker[i], NULL);
		EXPECT_EQ(0, churn[i].wrong);
	}
	close(other);
}

TEST_HARNESS_MAIN
