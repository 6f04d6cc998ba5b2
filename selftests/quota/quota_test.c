// SPDX-License-Identifier: GPL-2.0-only

#include "kselftest_harness.h"

#include <sys/mman.h>

#include "phi_ioctl.h"

#define SOMEBODY 4242
#define OTHER 4243

static const char *const names[PHI_QUOTAS] = {
	[PHI_QUOTA_CAPS] = "quota_caps",
	[PHI_QUOTA_PAGES] = "quota_pages",
	[PHI_QUOTA_BYTES] = "quota_bytes",
	[PHI_QUOTA_OBJECTS] = "quota_objects",
	[PHI_QUOTA_TICKETS] = "quota_tickets",
};

FIXTURE(quota)
{
	int phi;
	struct phi_system_stats before;
};

FIXTURE_SETUP(quota)
{
	self->phi = do_open();
	ASSERT_LE(0, self->phi)
	{
		TH_LOG("is phi.ko loaded?");
	}
	ASSERT_EQ(0, do_stats(self->phi, &self->before));
}

FIXTURE_TEARDOWN(quota)
{
	for (int what = 0; what < PHI_QUOTAS; what++) {
		EXPECT_EQ(0, do_limit(names[what], self->before.quota[what]));
	}
	EXPECT_TRUE(do_settled(self->phi, &self->before));
	close(self->phi);
}

static uint64_t used(int phi, int what)
{
	struct phi_system_stats stats;

	return do_stats(phi, &stats) ? ~0ULL : stats.used[what];
}

TEST_F(quota, limits_are_module_parameters)
{
	struct phi_system_stats stats;

	for (int what = 0; what < PHI_QUOTAS; what++) {
		EXPECT_LT(0, self->before.limit[what]);
		ASSERT_EQ(0, do_limit(names[what], 1234 + what));
		ASSERT_EQ(0, do_stats(self->phi, &stats));
		EXPECT_EQ(1234 + what, stats.limit[what]);
	}
}

/* A mapping is charged to the user who made it while it lives. */
TEST_F(quota, mappings_count_as_capabilities)
{
	uint64_t page = getpagesize(), root, cap, before;
	struct phi_region_info info = {};
	void *at[10];
	int other = do_open();

	ASSERT_LE(0, other);
	ASSERT_EQ(0, do_region(other, page, 0, &root));
	ASSERT_EQ(0,
		  do_derive(other, root, PHI_RIGHT_READ | PHI_RIGHT_MAP, &cap));
	info.cap = cap;
	ASSERT_EQ(0, PHI_DO(other, REGION_INFO, &info));
	before = used(other, PHI_QUOTA_CAPS);
	ASSERT_EQ(0, do_limit("quota_caps", before + 9));
	for (int i = 0; i < 10; i++) {
		errno = 0;
		at[i] = mmap(NULL, page, PROT_READ, MAP_SHARED, other,
			     (off_t)info.offset);
		ASSERT_EQ(i < 9 ? 0 : EDQUOT, errno);
	}
	EXPECT_EQ(before + 9, used(other, PHI_QUOTA_CAPS));
	for (int i = 0; i < 4; i++) {
		ASSERT_EQ(0, munmap(at[i], page));
		EXPECT_EQ(before + 8 - i, used(other, PHI_QUOTA_CAPS));
	}
	ASSERT_EQ(0, do_revoke(other, root));
	EXPECT_EQ(before, used(other, PHI_QUOTA_CAPS));
	for (int i = 4; i < 9; i++) {
		ASSERT_EQ(0, munmap(at[i], page));
		EXPECT_EQ(before, used(other, PHI_QUOTA_CAPS));
	}
	close(other);
}

/* 0 pages: half of the memory that the machine has. */
TEST_F(quota, pages_have_a_limit_by_default)
{
	struct phi_system_stats stats;
	uint64_t half = sysconf(_SC_PHYS_PAGES) / 2;

	ASSERT_EQ(0, do_limit(names[PHI_QUOTA_PAGES], 0));
	ASSERT_EQ(0, do_stats(self->phi, &stats));
	EXPECT_LT(half / 2, stats.limit[PHI_QUOTA_PAGES]);
	EXPECT_GT(half * 2, stats.limit[PHI_QUOTA_PAGES]);
}

TEST_F(quota, caps)
{
	uint64_t root, child[10], out;
	int other = do_open();

	ASSERT_LE(0, other);
	ASSERT_EQ(0, do_notify(other, &root));
	ASSERT_EQ(0, do_limit("quota_caps", used(other, PHI_QUOTA_CAPS) + 10));
	for (int i = 0; i < 10; i++) {
		ASSERT_EQ(0, do_derive(other, root, 0, &child[i]));
	}
	EXPECT_EQ(-EDQUOT, do_derive(other, root, 0, &out));
	EXPECT_EQ(-EDQUOT, do_notify(other, &out));
	ASSERT_EQ(0, do_drop(other, child[0]));
	EXPECT_EQ(0, do_derive(other, root, 0, &child[0]));
	EXPECT_EQ(-EDQUOT, do_derive(other, root, 0, &out));
	/* The object that had no room for its capability is gone. */
	EXPECT_EQ(self->before.used[PHI_QUOTA_OBJECTS] + 2,
		  used(other, PHI_QUOTA_OBJECTS));
	close(other);
}

/* Inner nodes of a chain are paid for until the last child goes. */
TEST_F(quota, inner_nodes_of_chains)
{
	uint64_t root, a, b, c;
	int other = do_open();

	ASSERT_LE(0, other);
	ASSERT_EQ(0, do_notify(other, &root));
	ASSERT_EQ(0, do_derive(other, root, 0, &a));
	ASSERT_EQ(0, do_derive(other, a, 0, &b));
	ASSERT_EQ(0, do_derive(other, b, 0, &c));
	ASSERT_EQ(0, do_drop(other, root));
	ASSERT_EQ(0, do_drop(other, b));
	ASSERT_EQ(0, do_drop(other, a));
	EXPECT_EQ(self->before.used[PHI_QUOTA_CAPS] + 4,
		  used(other, PHI_QUOTA_CAPS));
	ASSERT_EQ(0, do_drop(other, c));
	EXPECT_EQ(self->before.used[PHI_QUOTA_CAPS],
		  used(other, PHI_QUOTA_CAPS));
	close(other);
}

/* A cspace is an object, and so is each page of slots but its first. */
TEST_F(quota, cspaces_and_their_slots)
{
	uint64_t root, cap[512];
	int other = do_open(), more;

	ASSERT_LE(0, other);
	ASSERT_EQ(0, do_notify(other, &root));
	ASSERT_EQ(0, do_limit("quota_objects",
			      used(other, PHI_QUOTA_OBJECTS) + 1));
	more = do_open();
	ASSERT_LE(0, more);
	EXPECT_EQ(-EDQUOT, do_open());
	for (int i = 1; i < 256; i++)
		ASSERT_EQ(0, do_derive(other, root, 0, &cap[i]));
	EXPECT_EQ(-EDQUOT, do_derive(other, root, 0, &cap[256]));
	close(more);
	for (int i = 256; i < 512; i++)
		ASSERT_EQ(0, do_derive(other, root, 0, &cap[i]));
	EXPECT_EQ(self->before.used[PHI_QUOTA_OBJECTS] + 3,
		  used(other, PHI_QUOTA_OBJECTS));
	EXPECT_EQ(-EDQUOT, do_open());
	close(other);
}

TEST_F(quota, objects)
{
	uint64_t cap[5], out;
	int other = do_open();

	ASSERT_LE(0, other);
	ASSERT_EQ(0, do_limit("quota_objects",
			      used(other, PHI_QUOTA_OBJECTS) + 5));
	for (int i = 0; i < 5; i++) {
		ASSERT_EQ(0, i % 2 ? do_notify(other, &cap[i]) :
				     do_endpoint(other, &cap[i]));
	}
	EXPECT_EQ(-EDQUOT, do_notify(other, &out));
	EXPECT_EQ(-EDQUOT, do_endpoint(other, &out));
	EXPECT_EQ(-EDQUOT, do_region(other, getpagesize(), 0, &out));
	/* A child is not an object, and keeps the one it names. */
	ASSERT_EQ(0, do_derive(other, cap[0], 0, &out));
	ASSERT_EQ(0, do_drop(other, cap[0]));
	EXPECT_EQ(-EDQUOT, do_notify(other, &cap[0]));
	ASSERT_EQ(0, do_drop(other, out));
	EXPECT_EQ(0, do_notify(other, &cap[0]));
	close(other);
}

TEST_F(quota, pages)
{
	uint64_t page = getpagesize(), a, b, out;
	int other = do_open();

	ASSERT_LE(0, other);
	ASSERT_EQ(0,
		  do_limit("quota_pages", used(other, PHI_QUOTA_PAGES) + 100));
	EXPECT_EQ(-EDQUOT, do_region(other, 101 * page, 0, &out));
	ASSERT_EQ(0, do_region(other, 60 * page, 0, &a));
	ASSERT_EQ(0, do_region(other, 40 * page, PHI_REGION_DMA, &b));
	EXPECT_EQ(-EDQUOT, do_region(other, page, 0, &out));
	EXPECT_EQ(-EDQUOT, do_region(other, page, PHI_REGION_DMA, &out));
	EXPECT_EQ(self->before.used[PHI_QUOTA_PAGES] + 100,
		  used(other, PHI_QUOTA_PAGES));
	ASSERT_EQ(0, do_drop(other, a));
	EXPECT_EQ(0, do_region(other, 60 * page, 0, &a));
	EXPECT_EQ(-EDQUOT, do_region(other, 1ULL << 62, 0, &out));
	EXPECT_EQ(-EDQUOT, do_region(other, -page, 0, &out));
	close(other);
}

static int send_some(int phi, uint64_t endpoint)
{
	char data[PHI_MSG_MAX] = {};
	struct phi_send arg = {
		.flags = PHI_NONBLOCK,
		.endpoint = endpoint,
		.data = (uintptr_t)data,
		.len = sizeof(data),
	};

	return PHI_DO(phi, SEND, &arg);
}

static int recv_some(int phi, uint64_t endpoint)
{
	char data[PHI_MSG_MAX];
	struct phi_recv arg = {
		.flags = PHI_NONBLOCK,
		.endpoint = endpoint,
		.data = (uintptr_t)data,
		.len = sizeof(data),
	};

	return PHI_DO(phi, RECV, &arg);
}

TEST_F(quota, bytes)
{
	uint64_t endpoint;
	int other = do_open(), sent = 0, ret;

	ASSERT_LE(0, other);
	ASSERT_EQ(0, do_endpoint(other, &endpoint));
	ASSERT_EQ(0,
		  do_limit("quota_bytes", used(other, PHI_QUOTA_BYTES) + 4096));
	while (!(ret = send_some(other, endpoint)))
		sent++;
	EXPECT_EQ(-EDQUOT, ret);
	EXPECT_LT(4, sent);
	EXPECT_GE(16, sent);
	ASSERT_EQ(0, recv_some(other, endpoint));
	EXPECT_EQ(0, send_some(other, endpoint));
	EXPECT_EQ(-EDQUOT, send_some(other, endpoint));
	/* What was never received is given back with the endpoint. */
	ASSERT_EQ(0, do_drop(other, endpoint));
	EXPECT_EQ(self->before.used[PHI_QUOTA_BYTES],
		  used(other, PHI_QUOTA_BYTES));
	close(other);
}

TEST_F(quota, tickets)
{
	struct phi_unit_register unit = {
		.kind = PHI_UNIT_CPU,
		.node = PHI_UNIT_UNKNOWN,
		.capacity = 16,
		.name = "quota",
	};
	struct phi_model_register model = { .max_batch = 4, .name = "quota" };
	struct phi_infer_begin begin = {};
	struct phi_infer_end end = {};
	int other = do_open();

	ASSERT_LE(0, other);
	ASSERT_EQ(0, PHI_DO(other, UNIT_REGISTER, &unit));
	ASSERT_EQ(0, do_endpoint(other, (uint64_t *)&model.endpoint));
	ASSERT_EQ(0, PHI_DO(other, MODEL_REGISTER, &model));
	ASSERT_EQ(0, do_limit("quota_tickets",
			      used(other, PHI_QUOTA_TICKETS) + 3));
	for (int i = 0; i < 4; i++) {
		begin = (struct phi_infer_begin){ .model = model.cap,
						  .batch = 1 };
		ASSERT_EQ(i < 3 ? 0 : -EDQUOT,
			  PHI_DO(other, INFER_BEGIN, &begin));
		if (i < 3)
			end.ticket = begin.ticket;
	}
	ASSERT_EQ(0, PHI_DO(other, INFER_END, &end));
	begin = (struct phi_infer_begin){ .model = model.cap, .batch = 1 };
	EXPECT_EQ(0, PHI_DO(other, INFER_BEGIN, &begin));
	/* The others end with the file. */
	close(other);
}

TEST_F(quota, lowered_below_what_is_used)
{
	uint64_t cap, out;
	int other = do_open();

	ASSERT_LE(0, other);
	ASSERT_EQ(0, do_notify(other, &cap));
	ASSERT_EQ(0, do_limit("quota_caps", 0));
	EXPECT_EQ(-EDQUOT, do_derive(other, cap, 0, &out));
	EXPECT_EQ(0, do_probe(other, cap));
	EXPECT_EQ(0, do_drop(other, cap));
	close(other);
}

static int spend(int phi)
{
	uint64_t cap;
	int made = 0, ret;

	while (!(ret = do_notify(phi, &cap)))
		made++;
	return ret == -EDQUOT ? made : ret;
}

static int spend_as(void *arg)
{
	uid_t uid = *(uid_t *)arg;
	int ret = become(uid), phi, again;

	if (ret)
		return ret;
	phi = do_open();
	if (phi < 0)
		return phi;
	ret = spend(phi);
	/* A second cspace is the same account. */
	/* A second cspace is one object more. */
	again = do_open();
	return ret < 0 || again == -EDQUOT ? ret : -EIO;
}

/* Spends all that SOMEBODY has, and sees what OTHER has meanwhile. */
static int spend_both(void *arg)
{
	uid_t uid = OTHER;
	int phi, mine, theirs;

	(void)arg;
	if (setresuid(SOMEBODY, SOMEBODY, 0))
		return -errno;
	phi = do_open();
	if (phi < 0)
		return phi;
	mine = spend(phi);
	if (setresuid(0, 0, 0))
		return -errno;
	theirs = in_child(spend_as, &uid);
	uid = SOMEBODY;
	if (in_child(spend_as, &uid) != -EDQUOT)
		return -EIO;
	return mine == theirs ? mine : -ERANGE;
}

TEST_F_TIMEOUT(quota, each_user_has_an_account, 120)
{
	uid_t uid = SOMEBODY;

	ASSERT_EQ(0, do_limit("quota_objects", 50));
	EXPECT_EQ(49, in_child(spend_as, &uid));
	EXPECT_EQ(49, in_child(spend_both, NULL));
	/* What the dead ones had is there again. */
	EXPECT_EQ(49, in_child(spend_as, &uid));
}

/* Two cspaces of two users in one process, and a way from one to the other. */
struct pair {
	int mine;
	int theirs;
	uint64_t from; /* where theirs receives */
	uint64_t to; /* where mine sends */
};

static int make_pair(struct pair *pair)
{
	struct phi_token token;
	int ret;

	pair->mine = do_open();
	if (setresuid(SOMEBODY, SOMEBODY, 0))
		return -errno;
	pair->theirs = do_open();
	if (setresuid(0, 0, 0))
		return -errno;
	ret = do_endpoint(pair->theirs, &pair->from);
	if (!ret)
		ret = do_seal(pair->theirs, pair->from, PHI_RIGHT_SEND, 0, 0,
			      &token);
	return ret ?: do_unseal(pair->mine, &token, &pair->to);
}

static int give(struct pair *pair, uint64_t cap, uint32_t flags,
		uint32_t rights)
{
	struct phi_send arg = {
		.flags = PHI_NONBLOCK,
		.endpoint = pair->to,
		.ncaps = 1,
		.caps = { { cap, flags, rights } },
	};

	return PHI_DO(pair->mine, SEND, &arg);
}

static int take(struct pair *pair)
{
	struct phi_recv arg = { .flags = PHI_NONBLOCK, .endpoint = pair->from };

	return PHI_DO(pair->theirs, RECV, &arg);
}

#define MINE used(pair.mine, PHI_QUOTA_CAPS)
#define THEIRS used(pair.theirs, PHI_QUOTA_CAPS)

TEST_F(quota, the_sender_pays_in_flight_the_holder_then)
{
	uint64_t cap, child, mine, theirs;
	struct pair pair;

	ASSERT_EQ(0, make_pair(&pair));
	ASSERT_EQ(0, do_notify(pair.mine, &cap));
	mine = MINE;
	theirs = THEIRS;

	/* A copy. */
	ASSERT_EQ(0, give(&pair, cap, 0, PHI_RIGHT_ALL));
	EXPECT_EQ(mine + 1, MINE);
	EXPECT_EQ(theirs, THEIRS);
	ASSERT_EQ(0, take(&pair));
	EXPECT_EQ(mine, MINE);
	EXPECT_EQ(theirs + 1, THEIRS);

	/* A move. */
	ASSERT_EQ(0, do_derive(pair.mine, cap, PHI_RIGHT_GRANT, &child));
	ASSERT_EQ(0, give(&pair, child, PHI_XFER_MOVE, PHI_RIGHT_ALL));
	EXPECT_EQ(mine + 1, MINE);
	ASSERT_EQ(0, take(&pair));
	EXPECT_EQ(mine, MINE);
	EXPECT_EQ(theirs + 2, THEIRS);

	/* A move with fewer rights: what moved is in nobody's hands. */
	ASSERT_EQ(0, do_derive(pair.mine, cap, PHI_RIGHT_GRANT, &child));
	ASSERT_EQ(0, give(&pair, child, PHI_XFER_MOVE, 0));
	EXPECT_EQ(mine + 1, MINE);
	ASSERT_EQ(0, take(&pair));
	EXPECT_EQ(mine, MINE);
	EXPECT_EQ(theirs + 3, THEIRS);
	close(pair.mine);
	close(pair.theirs);
}

/*
 * A copy is a child: its dropped parent is paid for by who dropped that, until
 * the child goes. A move leaves nothing with the sender, whoever keeps it.
 */
TEST_F(quota, a_dropped_parent_is_paid_for)
{
	uint64_t cap, child, mine;
	struct pair pair;

	ASSERT_EQ(0, make_pair(&pair));
	ASSERT_EQ(0, do_notify(pair.mine, &cap));
	mine = MINE;
	for (int i = 0; i < 100; i++) {
		ASSERT_EQ(0,
			  do_derive(pair.mine, cap, PHI_RIGHT_GRANT, &child));
		ASSERT_EQ(0, give(&pair, child, PHI_XFER_MOVE,
				  i % 2 ? 0 : PHI_RIGHT_ALL));
		ASSERT_EQ(0, take(&pair));
		ASSERT_EQ(mine, MINE);
	}
	for (int i = 0; i < 100; i++) {
		ASSERT_EQ(0,
			  do_derive(pair.mine, cap, PHI_RIGHT_GRANT, &child));
		ASSERT_EQ(0, give(&pair, child, 0, PHI_RIGHT_ALL));
		ASSERT_EQ(0, take(&pair));
		ASSERT_EQ(0, do_drop(pair.mine, child));
		ASSERT_EQ(mine + i + 1, MINE);
	}
	/* A revoke is enough: the receiver may keep what is dead. */
	ASSERT_EQ(0, do_revoke(pair.mine, cap));
	EXPECT_EQ(mine, MINE);
	close(pair.mine);
	close(pair.theirs);
}

TEST_F(quota, a_receiver_without_quota_leaves_the_message)
{
	uint64_t cap, out, theirs;
	struct pair pair;

	ASSERT_EQ(0, make_pair(&pair));
	ASSERT_EQ(0, do_notify(pair.mine, &cap));
	for (int i = 0; i < 50; i++) {
		ASSERT_EQ(0, do_derive(pair.theirs, pair.from, 0, &out));
	}
	theirs = THEIRS;
	ASSERT_LT(MINE, theirs);
	ASSERT_EQ(0, do_limit("quota_caps", theirs));
	ASSERT_EQ(0, give(&pair, cap, 0, PHI_RIGHT_ALL));
	EXPECT_EQ(-EDQUOT, take(&pair));
	EXPECT_EQ(-EDQUOT, take(&pair));
	EXPECT_EQ(theirs, THEIRS);
	ASSERT_EQ(0, do_drop(pair.theirs, out));
	EXPECT_EQ(0, take(&pair));
	EXPECT_EQ(theirs, THEIRS);
	close(pair.mine);
	close(pair.theirs);
}

TEST_HARNESS_MAIN
