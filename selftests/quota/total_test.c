// SPDX-License-Identifier: GPL-2.0-only

/* What all users together may have, however many they are. */

#include "kselftest_harness.h"

#include <sys/resource.h>

#include "infer_ioctl.h"

#define USERS 24
#define CROWD 4200 /* more than a total has steps */
#define FIRST_UID 5000
#define TOTAL 1600 /* of each kind, in these tests */
#define POOL (TOTAL - TOTAL / 8) /* of that for users other than root */

static const char *const kinds[PHI_QUOTAS] = {
	[PHI_QUOTA_CAPS] = "caps",	 [PHI_QUOTA_PAGES] = "pages",
	[PHI_QUOTA_BYTES] = "bytes",	 [PHI_QUOTA_OBJECTS] = "objects",
	[PHI_QUOTA_TICKETS] = "tickets",
};

static int set_param(const char *of, int what, uint64_t value)
{
	char name[32];

	snprintf(name, sizeof(name), "%s_%s", of, kinds[what]);
	return do_limit(name, value);
}

FIXTURE(total)
{
	struct phi_system_stats before;
	int root;
	int users[USERS];
};

FIXTURE_SETUP(total)
{
	self->root = do_open();
	ASSERT_LE(0, self->root)
	{
		TH_LOG("is phi.ko loaded?");
	}
	ASSERT_EQ(0, do_stats(self->root, &self->before));
	for (int i = 0; i < USERS; i++) {
		ASSERT_EQ(0, setresuid(FIRST_UID + i, FIRST_UID + i, 0));
		self->users[i] = do_open();
		ASSERT_EQ(0, setresuid(0, 0, 0));
		ASSERT_LE(0, self->users[i]);
	}
}

FIXTURE_TEARDOWN(total)
{
	for (int what = 0; what < PHI_QUOTAS; what++) {
		EXPECT_EQ(0, set_param("total", what, 0));
		EXPECT_EQ(0,
			  set_param("quota", what, self->before.quota[what]));
	}
	for (int i = 0; i < USERS; i++)
		close(self->users[i]);
	close(self->root);
	EXPECT_TRUE(do_restored(&self->before));
}

static uint64_t used(int phi, int what)
{
	struct phi_system_stats stats;

	return do_stats(phi, &stats) ? ~0ULL : stats.used[what];
}

static int make_cap(int phi, uint64_t from)
{
	uint64_t out;

	return do_derive(phi, from, 0, &out);
}

static int make_page(int phi, uint64_t from)
{
	uint64_t out;

	(void)from;
	return do_region(phi, getpagesize(), 0, &out);
}

static int make_object(int phi, uint64_t from)
{
	uint64_t out;

	(void)from;
	return do_notify(phi, &out);
}

static int make_ticket(int phi, uint64_t model)
{
	struct phi_infer_begin begin;

	return do_begin(phi, model, 1, &begin);
}

/* Until it is refused: 0, or what else went wrong. */
static int spend(int phi, int what)
{
	int (*const make[PHI_QUOTAS])(int phi, uint64_t from) = {
		[PHI_QUOTA_CAPS] = make_cap,
		[PHI_QUOTA_PAGES] = make_page,
		[PHI_QUOTA_OBJECTS] = make_object,
		[PHI_QUOTA_TICKETS] = make_ticket,
	};
	uint64_t from = 0, id;
	int ret = 0;

	if (what == PHI_QUOTA_CAPS)
		ret = do_notify(phi, &from);
	if (what == PHI_QUOTA_TICKETS)
		ret = do_model(phi, 1, 0, &id, &from);
	if (ret == -EDQUOT)
		return 0;
	for (int i = 0; !ret && i <= TOTAL; i++)
		ret = make[what](phi, from);
	return ret == -EDQUOT ? 0 : ret ?: -ERANGE;
}

/* Everybody takes all that it gets; users[0] comes first. */
static void everybody(struct __test_metadata *_metadata,
		      FIXTURE_DATA(total) * self, int what)
{
	uint64_t sum = 0, last = TOTAL, mine;
	struct phi_system_stats stats;
	uint64_t base;

	ASSERT_EQ(0, do_stats(self->root, &stats));
	base = stats.host_used[what];
	ASSERT_EQ(0, set_param("quota", what, 4 * TOTAL));
	ASSERT_EQ(0, set_param("total", what, TOTAL + base));
	for (int i = 0; i < USERS; i++) {
		ASSERT_EQ(0, spend(self->users[i], what));
		mine = used(self->users[i], what);
		/*
		 * The first had half of all; each leaves as much as it has.
		 * Root's eighth is one of base too, which grows with memory.
		 */
		if (!i) {
			EXPECT_LT(POOL / 2 - base / 16 - 20, mine);
			EXPECT_GT(POOL / 2 + base + 20, mine);
		}
		EXPECT_GE(last, mine);
		last = mine;
		sum += mine;
		ASSERT_EQ(0, do_stats(self->users[i], &stats));
		EXPECT_GE(stats.limit[what], mine);
		EXPECT_LE(stats.limit[what], mine + 1);
		EXPECT_LE(sum, stats.host_used[what]);
		EXPECT_EQ(TOTAL + base, stats.host_limit[what]);
		EXPECT_EQ(4 * TOTAL, stats.quota[what]);
	}
	EXPECT_GE(POOL + base, sum);
	/* The rest is root's, who does not go above it either. */
	ASSERT_EQ(0, spend(self->root, what));
	EXPECT_LE(TOTAL / 8, used(self->root, what));
	EXPECT_GE(TOTAL + base, sum + used(self->root, what));
	/* What one gives back, others get. */
	close(self->users[0]);
	self->users[0] = do_open();
	ASSERT_EQ(0, spend(self->users[USERS - 1], what));
	EXPECT_LT(last, used(self->users[USERS - 1], what));
}

TEST_F(total, caps)
{
	everybody(_metadata, self, PHI_QUOTA_CAPS);
}

TEST_F(total, pages)
{
	everybody(_metadata, self, PHI_QUOTA_PAGES);
}

TEST_F(total, objects)
{
	everybody(_metadata, self, PHI_QUOTA_OBJECTS);
}

/* On a unit that they share, each with a model of its own. */
TEST_F(total, tickets)
{
	uint64_t cap;
	uint32_t id;

	ASSERT_EQ(0, do_unit(self->root, PHI_UNIT_CPU, 1, &id, &cap));
	everybody(_metadata, self, PHI_QUOTA_TICKETS);
}

/* Bytes in flight: each user fills mailboxes of its own. */
TEST_F(total, bytes)
{
	char data[PHI_MSG_MAX] = {};
	uint64_t sum = 0, left = 1 << 20;
	struct phi_system_stats stats;

	ASSERT_EQ(0, do_stats(self->root, &stats));
	left += stats.host_used[PHI_QUOTA_BYTES];
	ASSERT_EQ(0, set_param("total", PHI_QUOTA_BYTES, left));
	for (int i = 0; i < USERS; i++) {
		struct phi_send send = {
			.flags = PHI_NONBLOCK,
			.data = (uintptr_t)data,
			.len = sizeof(data),
		};
		int ret = 0;

		/* A mailbox has a bound too. */
		for (int box = 0; ret != -EDQUOT; box++) {
			ASSERT_GT(1000, box);
			ASSERT_EQ(0, do_endpoint(self->users[i],
						 (uint64_t *)&send.endpoint));
			while (!(ret = PHI_DO(self->users[i], SEND, &send)))
				;
			ASSERT_TRUE(ret == -EDQUOT || ret == -EAGAIN);
		}
		sum += used(self->users[i], PHI_QUOTA_BYTES);
	}
	EXPECT_LT(left / 2, sum);
	EXPECT_GE(left - left / 8, sum);
}

/* What they may take in steps they do not take while they use one object. */
TEST_F_TIMEOUT(total, thousands_with_one_object_leave_room, 300)
{
	const struct rlimit files = { 2 * CROWD, 2 * CROWD };
	static int crowd[CROWD];
	uint64_t out;

	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &files));
	ASSERT_EQ(0, set_param("total", PHI_QUOTA_OBJECTS, 1 << 24));
	for (int i = 0; i < CROWD; i++) {
		uid_t uid = FIRST_UID + USERS + i;

		ASSERT_EQ(0, setresuid(uid, uid, 0));
		crowd[i] = do_open();
		ASSERT_EQ(0, setresuid(0, 0, 0));
		ASSERT_LE(0, crowd[i])
		{
			TH_LOG("%d users have a cspace", i);
		}
	}
	for (int i = 0; i < 1000; i++) {
		ASSERT_EQ(0, do_notify(self->users[0], &out));
	}
	for (int i = 0; i < CROWD; i++)
		close(crowd[i]);
}

/* By default, everything together leaves a third of the memory. */
TEST_F(total, the_defaults_leave_memory)
{
	static const uint64_t bytes[PHI_QUOTAS] = {
		[PHI_QUOTA_CAPS] = 256,	   [PHI_QUOTA_PAGES] = 4096,
		[PHI_QUOTA_BYTES] = 1,	   [PHI_QUOTA_OBJECTS] = 1024,
		[PHI_QUOTA_TICKETS] = 512,
	};
	uint64_t memory = sysconf(_SC_PHYS_PAGES) * 4096ULL;
	struct phi_system_stats stats;
	uint64_t sum = 0;

	ASSERT_EQ(0, do_stats(self->users[0], &stats));
	for (int what = 0; what < PHI_QUOTAS; what++) {
		EXPECT_LT(0, stats.limit[what]);
		EXPECT_GT(stats.host_limit[what], stats.limit[what]);
		sum += stats.host_limit[what] * bytes[what];
	}
	EXPECT_GE(memory / 3 * 2, sum);
}

TEST_HARNESS_MAIN
