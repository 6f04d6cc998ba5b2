// SPDX-License-Identifier: GPL-2.0-only
/* Watches: bits of a notify when a capability comes to its end. */

#include "kselftest_harness.h"

#include <pthread.h>
#include <sys/mount.h>

#include "file.h"
#include "phi_message.h"

#define REVOKED 0x1
#define EXPIRED 0x2
#define GONE 0x4
#define ALSO 0x8
#define ANY (REVOKED | EXPIRED | GONE | ALSO)
#define SOMEBODY 4242
#define TRACING "/sys/kernel/tracing"
#define WAKING TRACING "/events/sched/sched_waking"

FIXTURE(watch)
{
	int phi;
	uint64_t root, bell;
	struct phi_system_stats before;
};

FIXTURE_SETUP(watch)
{
	self->phi = do_open();
	ASSERT_LE(0, self->phi)
	{
		TH_LOG("is phi.ko loaded?");
	}
	ASSERT_EQ(0, do_stats(self->phi, &self->before));
	ASSERT_EQ(0, do_region(self->phi, 4096, 0, &self->root));
	ASSERT_EQ(0, do_notify(self->phi, &self->bell));
}

FIXTURE_TEARDOWN(watch)
{
	close(self->phi);
	EXPECT_TRUE(do_restored(&self->before));
}

/* Revoke and expiry of a capability. */
static int watch_end(int phi, uint64_t cap, uint64_t bell)
{
	return do_watch_cap(phi, cap, bell, REVOKED, EXPIRED, 0);
}

/*
 * The bits that were signalled. Workers signal for each user in the order of
 * the events, so that all are there once a watch hears of a later one.
 */
static uint64_t rung(int phi, uint64_t bell)
{
	uint64_t last, cap, bits;

	if (do_notify(phi, &last) || do_derive(phi, last, 0, &cap) ||
	    watch_end(phi, cap, last) || do_revoke(phi, last) ||
	    do_all_bits(phi, last, REVOKED) || do_drop(phi, cap) ||
	    do_drop(phi, last))
		return ~0ULL;
	return do_bits(phi, bell, ANY, &bits) ? 0 : bits;
}

/* The bits that will be signalled next. */
static uint64_t rings(int phi, uint64_t bell)
{
	struct phi_notify_wait wait = {
		.notify = bell,
		.mask = ANY,
		.deadline_ns = monotonic_ns() + 100000 * MS,
	};

	return PHI_DO(phi, NOTIFY_WAIT, &wait) ? 0 : wait.bits;
}

TEST_F(watch, hears_of_a_revoke)
{
	uint64_t a, aa;

	ASSERT_EQ(0, do_derive(self->phi, self->root, PHI_RIGHT_ADMIN, &a));
	ASSERT_EQ(0, do_derive(self->phi, a, 0, &aa));
	ASSERT_EQ(0, watch_end(self->phi, aa, self->bell));
	EXPECT_EQ(0, rung(self->phi, self->bell));
	ASSERT_EQ(0, do_revoke(self->phi, self->root));
	EXPECT_EQ(REVOKED, rung(self->phi, self->bell));
	/* Once, whatever happens to it. */
	ASSERT_EQ(0, do_revoke(self->phi, self->root));
	ASSERT_EQ(0, do_drop(self->phi, aa));
	EXPECT_EQ(0, rung(self->phi, self->bell));

	/* And when it is killed alone. */
	ASSERT_EQ(0, do_derive(self->phi, self->root, 0, &a));
	ASSERT_EQ(0, watch_end(self->phi, a, self->bell));
	ASSERT_EQ(0, do_revoke_one(self->phi, self->root, a));
	EXPECT_EQ(REVOKED, rung(self->phi, self->bell));
}

/* A timer sees to it: nobody uses the capability when its time is up. */
TEST_F(watch, hears_of_the_expiry)
{
	uint64_t a, aa;

	ASSERT_EQ(0, do_derive_until(self->phi, self->root, 0,
				     boottime_ns() + 500 * MS, 0, &a));
	ASSERT_EQ(0, do_derive(self->phi, a, 0, &aa));
	ASSERT_EQ(0, watch_end(self->phi, aa, self->bell));
	EXPECT_EQ(EXPIRED, rings(self->phi, self->bell));
	EXPECT_EQ(-EKEYEXPIRED, do_probe(self->phi, aa));
	ASSERT_EQ(0, do_revoke(self->phi, self->root));
	EXPECT_EQ(0, rung(self->phi, self->bell));
}

/* Only the bits that were asked for. */
TEST_F(watch, keeps_silent_about_the_rest)
{
	uint64_t a, b, due;

	ASSERT_EQ(0, do_derive(self->phi, self->root, 0, &a));
	ASSERT_EQ(0, do_watch_cap(self->phi, a, self->bell, 0, EXPIRED, 0));
	ASSERT_EQ(0, do_notify(self->phi, &due));
	ASSERT_EQ(0, do_derive_until(self->phi, self->root, 0,
				     boottime_ns() + 500 * MS, 0, &b));
	ASSERT_EQ(0, do_watch_cap(self->phi, b, self->bell, REVOKED, 0, 0));
	ASSERT_EQ(0, do_watch_cap(self->phi, b, due, 0, EXPIRED, 0));
	/* It has ended for this reason, not for the next one. */
	EXPECT_EQ(EXPIRED, rings(self->phi, due));
	ASSERT_EQ(0, do_revoke(self->phi, self->root));
	EXPECT_EQ(0, rung(self->phi, self->bell));
}

TEST_F(watch, hears_of_an_endpoint)
{
	uint64_t ep, sender, file;

	ASSERT_EQ(0, do_endpoint(self->phi, &ep));
	ASSERT_EQ(0, do_derive(self->phi, ep, PHI_RIGHT_SEND, &sender));
	ASSERT_EQ(0, do_mint(self->phi, ep, PHI_TYPE_FILE, PHI_RIGHT_SEND, 7,
			     &file));
	ASSERT_EQ(0, do_watch_cap(self->phi, sender, self->bell, 0, 0, GONE));
	ASSERT_EQ(0,
		  do_watch_cap(self->phi, file, self->bell, REVOKED, 0, ALSO));
	EXPECT_EQ(0, rung(self->phi, self->bell));
	ASSERT_EQ(0, do_drop(self->phi, ep));
	ASSERT_EQ(0, do_all_bits(self->phi, self->bell, GONE | ALSO));
	/* It is dead already: at once, and the other watch is made as well. */
	ASSERT_EQ(0, do_watch_cap(self->phi, sender, self->bell, 0, EXPIRED,
				  GONE));
	EXPECT_EQ(GONE, rung(self->phi, self->bell));
	ASSERT_EQ(0, do_watch_cap(self->phi, file, self->bell, 0, 0, GONE));
	EXPECT_EQ(GONE, rung(self->phi, self->bell));
}

/* The endpoint died first: it is heard of, also by who drops the handle now. */
TEST_F(watch, hears_of_an_endpoint_before_a_drop)
{
	uint64_t ep, sender;

	for (int i = 0; i < 100; i++) {
		ASSERT_EQ(0, do_endpoint(self->phi, &ep));
		ASSERT_EQ(0, do_derive(self->phi, ep, PHI_RIGHT_SEND, &sender));
		ASSERT_EQ(0, do_watch_cap(self->phi, sender, self->bell, 0, 0,
					  GONE));
		ASSERT_EQ(0, do_drop(self->phi, ep));
		ASSERT_EQ(0, do_drop(self->phi, sender));
		ASSERT_EQ(GONE, rings(self->phi, self->bell));
	}
}

/* Bits for the death of the endpoint go with the capability. */
TEST_F(watch, ends_with_the_capability)
{
	uint64_t ep, sender, other;

	ASSERT_EQ(0, do_endpoint(self->phi, &ep));
	ASSERT_EQ(0, do_derive(self->phi, ep, PHI_RIGHT_SEND, &sender));
	ASSERT_EQ(0, do_derive(self->phi, ep, PHI_RIGHT_SEND, &other));
	ASSERT_EQ(0, do_watch_cap(self->phi, sender, self->bell, REVOKED, 0,
				  GONE));
	ASSERT_EQ(0, do_watch_cap(self->phi, other, self->bell, 0, 0, ALSO));
	ASSERT_EQ(0, do_revoke_one(self->phi, ep, sender));
	EXPECT_EQ(REVOKED, rung(self->phi, self->bell));
	ASSERT_EQ(0, do_drop(self->phi, ep));
	/* The last watch of the endpoint is the last to signal. */
	ASSERT_EQ(0, do_all_bits(self->phi, self->bell, ALSO));
	EXPECT_EQ(0, rung(self->phi, self->bell));
}

/* Who drops it, or moves it away, hears nothing, and pays no longer. */
TEST_F(watch, ends_with_the_handle)
{
	struct phi_system_stats with, after;
	uint64_t ep, a, b;
	struct phi_recv recv;

	ASSERT_EQ(0, do_endpoint(self->phi, &ep));
	ASSERT_EQ(0, do_derive(self->phi, self->root, PHI_RIGHT_GRANT, &a));
	ASSERT_EQ(0, do_derive(self->phi, self->root, PHI_RIGHT_GRANT, &b));
	ASSERT_EQ(0, do_stats(self->phi, &with));
	ASSERT_EQ(0, watch_end(self->phi, a, self->bell));
	ASSERT_EQ(0, watch_end(self->phi, b, self->bell));
	ASSERT_EQ(0, do_stats(self->phi, &after));
	EXPECT_EQ(with.used[PHI_QUOTA_CAPS] + 2, after.used[PHI_QUOTA_CAPS]);
	ASSERT_EQ(0, do_drop(self->phi, a));
	ASSERT_EQ(0,
		  do_send_cap(self->phi, ep, b, PHI_XFER_MOVE, PHI_RIGHT_ALL));
	ASSERT_EQ(0, do_recv(self->phi, ep, NULL, 0, &recv));
	ASSERT_EQ(0, do_revoke(self->phi, self->root));
	EXPECT_EQ(-EKEYREVOKED, do_probe(self->phi, recv.caps[0].cap));
	EXPECT_EQ(0, rung(self->phi, self->bell));
	ASSERT_EQ(0, do_drop(self->phi, recv.caps[0].cap));
	/* The first of them and its watch were given back too. */
	ASSERT_EQ(0, do_derive(self->phi, self->root, 0, &a));
	ASSERT_EQ(0, do_derive(self->phi, self->root, 0, &b));
	EXPECT_TRUE(do_settled(self->phi, &with));
}

/* A watcher of another user, who pays for it. */
TEST_F(watch, hears_across_users)
{
	int somebody = do_open_as(SOMEBODY);
	uint64_t lent, theirs, bell;

	ASSERT_LE(0, somebody);
	ASSERT_EQ(0, do_derive(self->phi, self->root, PHI_RIGHT_GRANT, &lent));
	ASSERT_EQ(0, do_give(self->phi, lent, 0, somebody, &theirs));
	ASSERT_EQ(0, do_notify(somebody, &bell));
	ASSERT_EQ(0, watch_end(somebody, theirs, bell));
	ASSERT_EQ(0, do_revoke_one(self->phi, self->root, lent));
	EXPECT_EQ(REVOKED, rung(somebody, bell));
	close(somebody);
}

/* How often a thread was woken, by a worker and by anybody else. */
struct wakers {
	int worker, other;
};

static int wakers_begin(pid_t woken)
{
	char filter[32];
	int ret;

	if (access(WAKING, F_OK))
		mount("tracefs", TRACING, "tracefs", 0, NULL);
	snprintf(filter, sizeof(filter), "pid == %d", woken);
	ret = put_text(WAKING "/filter", filter);
	ret = ret ?: put_text(TRACING "/trace", "");
	return ret ?: put_text(WAKING "/enable", "1");
}

static int wakers_end(struct wakers *who)
{
	FILE *trace = fopen(TRACING "/trace", "r");
	char line[512];

	*who = (struct wakers){};
	if (!trace)
		return -errno;
	while (fgets(line, sizeof(line), trace)) {
		if (!strstr(line, " sched_waking: "))
			continue;
		if (strstr(line, "kworker/"))
			who->worker++;
		else
			who->other++;
	}
	fclose(trace);
	return put_text(WAKING "/enable", "0") ?:
						 put_text(WAKING "/filter", "0");
}

struct waiting {
	int phi;
	uint64_t bell;
	uint64_t bits;
	pid_t tid;
};

static void *wait_for_bits(void *arg)
{
	struct waiting *w = arg;

	__atomic_store_n(&w->tid, gettid(), __ATOMIC_SEQ_CST);
	w->bits = rings(w->phi, w->bell);
	return NULL;
}

/*
 * Who revokes, or ends an endpoint, wakes nobody that watches, however many do:
 * a worker does that.
 */
TEST_F(watch, is_told_by_a_worker)
{
	struct waiting w = { .phi = self->phi, .bell = self->bell };
	struct wakers who;
	pthread_t thread;
	uint64_t a, ep, sender;

	ASSERT_EQ(0, do_derive(self->phi, self->root, 0, &a));
	ASSERT_EQ(0, watch_end(self->phi, a, self->bell));
	ASSERT_EQ(0, do_endpoint(self->phi, &ep));
	ASSERT_EQ(0, do_derive(self->phi, ep, PHI_RIGHT_SEND, &sender));
	ASSERT_EQ(0, do_watch_cap(self->phi, sender, self->bell, 0, 0, GONE));
	for (int way = 0; way < 2; way++) {
		w.tid = 0;
		ASSERT_EQ(0, pthread_create(&thread, NULL, wait_for_bits, &w));
		while (!__atomic_load_n(&w.tid, __ATOMIC_SEQ_CST) ||
		       thread_state(w.tid) != 'S')
			usleep(1000);
		ASSERT_EQ(0, wakers_begin(w.tid));
		EXPECT_EQ(0, way ? do_drop(self->phi, ep) :
				   do_revoke(self->phi, self->root));
		pthread_join(thread, NULL);
		ASSERT_EQ(0, wakers_end(&who));
		EXPECT_EQ(way ? GONE : REVOKED, w.bits);
		EXPECT_LE(1, who.worker);
		EXPECT_EQ(0, who.other);
	}
}

TEST_F(watch, is_bounded)
{
	uint64_t a, b;

	ASSERT_EQ(0, do_derive(self->phi, self->root, 0, &a));
	ASSERT_EQ(0, do_derive(self->phi, self->root, 0, &b));
	for (int i = 0; i < PHI_WATCHES_MAX; i++) {
		ASSERT_EQ(0, watch_end(self->phi, a, self->bell));
	}
	EXPECT_EQ(-ENOSPC, watch_end(self->phi, a, self->bell));
	EXPECT_EQ(0, watch_end(self->phi, b, self->bell));
	ASSERT_EQ(0, do_revoke(self->phi, self->root));
	EXPECT_EQ(REVOKED, rung(self->phi, self->bell));
}

/* Watches that can signal nothing any more make place. */
TEST_F(watch, does_not_count_when_its_notify_is_dead)
{
	uint64_t a, dropped, dead;
	struct phi_system_stats with, after;

	ASSERT_EQ(0, do_derive(self->phi, self->root, 0, &a));
	ASSERT_EQ(0, do_stats(self->phi, &with));
	ASSERT_EQ(0,
		  do_derive(self->phi, self->bell, PHI_RIGHT_WRITE, &dropped));
	ASSERT_EQ(0, do_derive(self->phi, self->bell, PHI_RIGHT_WRITE, &dead));
	/* One that lives between them, and last. */
	for (int i = 0; i < PHI_WATCHES_MAX - 2; i++) {
		ASSERT_EQ(0, watch_end(self->phi, a, i % 2 ? dead : dropped));
		if (i == 2) {
			ASSERT_EQ(0, watch_end(self->phi, a, self->bell));
		}
	}
	ASSERT_EQ(0, do_watch_cap(self->phi, a, self->bell, 0, EXPIRED, 0));
	EXPECT_EQ(-ENOSPC, watch_end(self->phi, a, self->bell));
	ASSERT_EQ(0, do_drop(self->phi, dropped));
	ASSERT_EQ(0, do_revoke_one(self->phi, self->bell, dead));
	ASSERT_EQ(0, do_drop(self->phi, dead));
	ASSERT_EQ(0, do_watch_cap(self->phi, a, self->bell, GONE, 0, 0));
	/* The three that live, and nobody pays for others. */
	ASSERT_EQ(0, do_stats(self->phi, &after));
	EXPECT_EQ(with.used[PHI_QUOTA_CAPS] + 3, after.used[PHI_QUOTA_CAPS]);
	for (int i = 0; i < PHI_WATCHES_MAX - 3; i++) {
		ASSERT_EQ(0, watch_end(self->phi, a, self->bell));
	}
	EXPECT_EQ(-ENOSPC, watch_end(self->phi, a, self->bell));
	ASSERT_EQ(0, do_revoke(self->phi, self->root));
	EXPECT_EQ(REVOKED | GONE, rung(self->phi, self->bell));
}

TEST_F(watch, is_paid_for)
{
	int somebody = do_open_as(SOMEBODY), ret = 0, n = 0;
	uint64_t ep, bell;

	ASSERT_LE(0, somebody);
	ASSERT_EQ(0, do_endpoint(somebody, &ep));
	ASSERT_EQ(0, do_notify(somebody, &bell));
	ASSERT_EQ(0, do_limit("quota_caps", 16));
	while (n < 100 && !ret)
		ret = do_watch_cap(somebody, ep, bell, 0, 0, 1ULL << n++ % 64);
	EXPECT_EQ(0, do_limit("quota_caps", 65536));
	EXPECT_EQ(-EDQUOT, ret);
	/* Two capabilities, and fourteen watches. */
	EXPECT_EQ(15, n);
	close(somebody);
}

/* What it would signal is dead: nothing happens. */
TEST_F(watch, needs_a_live_notify)
{
	uint64_t a, bell;

	ASSERT_EQ(0, do_derive(self->phi, self->root, 0, &a));
	ASSERT_EQ(0, do_derive(self->phi, self->bell, PHI_RIGHT_WRITE, &bell));
	ASSERT_EQ(0, watch_end(self->phi, a, bell));
	ASSERT_EQ(0, do_revoke(self->phi, self->bell));
	ASSERT_EQ(0, do_revoke(self->phi, self->root));
	EXPECT_EQ(0, rung(self->phi, self->bell));
	/* A notify that watches itself ends all the same. */
	ASSERT_EQ(0, watch_end(self->phi, self->bell, self->bell));
	ASSERT_EQ(0, do_drop(self->phi, self->bell));
}

TEST_F(watch, refuses_bad_input)
{
	struct phi_cap_watch arg = { .flags = 1 };
	uint64_t a, weak;

	ASSERT_EQ(0, do_derive(self->phi, self->root, 0, &a));
	ASSERT_EQ(0, do_derive(self->phi, self->bell, PHI_RIGHT_READ, &weak));
	EXPECT_EQ(-EOPNOTSUPP, PHI_DO(self->phi, CAP_WATCH, &arg));
	EXPECT_EQ(-EINVAL, do_watch_cap(self->phi, a, self->bell, 0, 0, 0));
	EXPECT_EQ(-EINVAL, do_watch_cap(self->phi, a, self->bell, 1, 1, GONE));
	EXPECT_EQ(-EINVAL, watch_end(self->phi, a, self->root));
	EXPECT_EQ(-EPERM, watch_end(self->phi, a, weak));
	EXPECT_EQ(-EBADF, watch_end(self->phi, 0, self->bell));
	EXPECT_EQ(-EBADF, watch_end(self->phi, a, 0));
	ASSERT_EQ(0, do_revoke(self->phi, self->root));
	EXPECT_EQ(-EKEYREVOKED, watch_end(self->phi, a, self->bell));
}

#define ROUNDS 300

/* A revoke comes when the time is up, before or after a worker sees that. */
TEST_F(watch, hears_of_an_expiry_that_a_revoke_overtakes)
{
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t due = boottime_ns() + 2 * MS, a;

		ASSERT_EQ(0, do_derive_until(self->phi, self->root, 0, due, 0,
					     &a));
		if (do_watch_cap(self->phi, a, self->bell, 0, EXPIRED, 0)) {
			ASSERT_EQ(0, do_drop(self->phi, a));
			continue;
		}
		while (boottime_ns() < due)
			;
		ASSERT_EQ(0, do_revoke(self->phi, self->root));
		ASSERT_EQ(EXPIRED, rings(self->phi, self->bell));
		ASSERT_EQ(0, do_drop(self->phi, a));
	}
}

/* A watch that is made while its capability is revoked. */
struct late {
	int phi;
	uint64_t cap, bell;
	int ret;
	pthread_barrier_t *barrier;
};

static void *watch_late(void *arg)
{
	struct late *late = arg;

	pthread_barrier_wait(late->barrier);
	late->ret = watch_end(late->phi, late->cap, late->bell);
	return NULL;
}

TEST_F(watch, is_refused_or_hears)
{
	pthread_barrier_t barrier;
	struct late late = { .phi = self->phi,
			     .bell = self->bell,
			     .barrier = &barrier };
	pthread_t thread;

	ASSERT_EQ(0, pthread_barrier_init(&barrier, NULL, 2));
	for (int i = 0; i < ROUNDS; i++) {
		ASSERT_EQ(0, do_derive(self->phi, self->root, 0, &late.cap));
		ASSERT_EQ(0, pthread_create(&thread, NULL, watch_late, &late));
		pthread_barrier_wait(&barrier);
		ASSERT_EQ(0, do_revoke(self->phi, self->root));
		pthread_join(thread, NULL);
		if (late.ret) {
			EXPECT_EQ(-EKEYREVOKED, late.ret);
			EXPECT_EQ(0, rung(self->phi, self->bell));
		} else {
			EXPECT_EQ(REVOKED, rung(self->phi, self->bell));
		}
		ASSERT_EQ(0, do_drop(self->phi, late.cap));
	}
	pthread_barrier_destroy(&barrier);
}

TEST_HARNESS_MAIN
