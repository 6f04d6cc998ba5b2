// SPDX-License-Identifier: GPL-2.0-only

#include "kselftest_harness.h"

#include "infer_ioctl.h"

FIXTURE(unit)
{
	int phi;
	struct phi_system_stats before;
};

FIXTURE_SETUP(unit)
{
	self->phi = do_open();
	ASSERT_LE(0, self->phi)
	{
		TH_LOG("is phi.ko loaded?");
	}
	ASSERT_EQ(0, do_stats(self->phi, &self->before));
}

/* Whatever a test did, closing gives it all back. */
FIXTURE_TEARDOWN(unit)
{
	close(self->phi);
	EXPECT_TRUE(do_restored(&self->before));
}

static int reg(int phi, struct phi_unit_register *arg)
{
	return PHI_DO(phi, UNIT_REGISTER, arg);
}

TEST_F(unit, register_refuses_bad_input)
{
	struct phi_unit_register good = { UNIT_DEFAULTS }, arg;

	arg = good;
	arg.flags = 2;
	EXPECT_EQ(-EOPNOTSUPP, reg(self->phi, &arg));
	arg = good;
	arg.kind = 0;
	EXPECT_EQ(-EINVAL, reg(self->phi, &arg));
	arg.kind = PHI_UNIT_TPU + 1;
	EXPECT_EQ(-EINVAL, reg(self->phi, &arg));
	arg = good;
	arg.node = 0x7fffffff;
	EXPECT_EQ(-EINVAL, reg(self->phi, &arg));
	arg = good;
	arg.capacity = 0;
	EXPECT_EQ(-EINVAL, reg(self->phi, &arg));
	arg.capacity = 4097;
	EXPECT_EQ(-EINVAL, reg(self->phi, &arg));
}

TEST_F(unit, register_refuses_bad_names)
{
	struct phi_unit_register good = { UNIT_DEFAULTS }, arg;

	arg = good;
	memset(arg.name, 0, sizeof(arg.name));
	EXPECT_EQ(-EINVAL, reg(self->phi, &arg));
	memset(arg.name, 'x', sizeof(arg.name));
	EXPECT_EQ(-EINVAL, reg(self->phi, &arg));
	arg = good;
	arg.name[PHI_NAME_MAX - 1] = 'x';
	EXPECT_EQ(-EINVAL, reg(self->phi, &arg));
	memset(arg.name, 'x', sizeof(arg.name));
	arg.name[PHI_NAME_MAX - 1] = 0;
	EXPECT_EQ(0, reg(self->phi, &arg));
}

TEST_F(unit, query_tells_what_was_registered)
{
	struct phi_unit_register arg = {
		.kind = PHI_UNIT_GPU,
		.node = 0,
		.capacity = 7,
		.name = "a gpu",
	};
	struct phi_cap_query cap;
	struct phi_unit_query query;

	ASSERT_EQ(0, reg(self->phi, &arg));
	ASSERT_EQ(0, do_query(self->phi, arg.cap, &cap));
	EXPECT_EQ(PHI_TYPE_DEVICE, cap.type);
	EXPECT_EQ(UNIT_RIGHTS, cap.rights);
	ASSERT_EQ(0, do_unit_query(self->phi, arg.id, &query));
	EXPECT_EQ(PHI_UNIT_GPU, query.kind);
	EXPECT_EQ(0, query.node);
	EXPECT_EQ(7, query.capacity);
	EXPECT_EQ(0, query.in_flight);
	EXPECT_EQ(PHI_UNIT_UNKNOWN, query.load);
	EXPECT_EQ(PHI_UNIT_UNKNOWN, query.temperature);
	EXPECT_EQ(PHI_UNIT_UNKNOWN, query.power);
	EXPECT_EQ(1, query.healthy);
	EXPECT_EQ(0, query.unit_flags);
	EXPECT_EQ(getuid(), query.uid);
	EXPECT_EQ(0, query.batches);
	EXPECT_STREQ("a gpu", (char *)query.name);
}

TEST_F(unit, query_finds_the_next_and_refuses_bad_input)
{
	struct phi_unit_query query;
	uint32_t a, b;
	uint64_t cap;

	ASSERT_EQ(0, do_unit(self->phi, PHI_UNIT_CPU, 1, &a, &cap));
	ASSERT_EQ(0, do_unit(self->phi, PHI_UNIT_CPU, 1, &b, &cap));
	EXPECT_LT(a, b);
	query = (struct phi_unit_query){ .id = a + 1 };
	ASSERT_EQ(0, PHI_DO(self->phi, UNIT_QUERY, &query));
	EXPECT_EQ(b, query.id);
	query = (struct phi_unit_query){ .id = b + 1 };
	EXPECT_EQ(-ENOENT, PHI_DO(self->phi, UNIT_QUERY, &query));
	query = (struct phi_unit_query){ .id = 0xffffffff };
	EXPECT_EQ(-ENOENT, PHI_DO(self->phi, UNIT_QUERY, &query));
	query = (struct phi_unit_query){ .flags = 1 };
	EXPECT_EQ(-EOPNOTSUPP, PHI_DO(self->phi, UNIT_QUERY, &query));
	query = (struct phi_unit_query){ .pad = 1 };
	EXPECT_EQ(-EINVAL, PHI_DO(self->phi, UNIT_QUERY, &query));
}

TEST_F(unit, update_is_seen)
{
	struct phi_unit_query query;
	uint64_t cap;
	uint32_t id;

	ASSERT_EQ(0, do_unit(self->phi, PHI_UNIT_CPU, 1, &id, &cap));
	ASSERT_EQ(0, do_unit_update(self->phi, cap, 1500, 70000, 0));
	ASSERT_EQ(0, do_unit_query(self->phi, id, &query));
	EXPECT_EQ(1500, query.load);
	EXPECT_EQ(70000, query.temperature);
	EXPECT_EQ(PHI_UNIT_UNKNOWN, query.power);
	EXPECT_EQ(0, query.healthy);
}

TEST_F(unit, update_refuses_bad_input)
{
	struct phi_unit_update arg;
	uint64_t cap, weak, notify;
	uint32_t id;

	ASSERT_EQ(0, do_unit(self->phi, PHI_UNIT_CPU, 1, &id, &cap));
	ASSERT_EQ(0, do_derive(self->phi, cap, PHI_RIGHT_READ, &weak));
	ASSERT_EQ(0, do_notify(self->phi, &notify));
	arg = (struct phi_unit_update){ .flags = 1, .cap = cap };
	EXPECT_EQ(-EOPNOTSUPP, PHI_DO(self->phi, UNIT_UPDATE, &arg));
	EXPECT_EQ(-EINVAL, do_unit_update(self->phi, cap, 0, 0, 2));
	EXPECT_EQ(-EBADF, do_unit_update(self->phi, 0, 0, 0, 1));
	EXPECT_EQ(-EINVAL, do_unit_update(self->phi, notify, 0, 0, 1));
	EXPECT_EQ(-EPERM, do_unit_update(self->phi, weak, 0, 0, 1));
	ASSERT_EQ(0, do_derive(self->phi, cap, PHI_RIGHT_WRITE, &weak));
	EXPECT_EQ(0, do_unit_update(self->phi, weak, 0, 0, 1));
	ASSERT_EQ(0, do_revoke(self->phi, cap));
	EXPECT_EQ(-EKEYREVOKED, do_unit_update(self->phi, weak, 0, 0, 1));
}

TEST_F(unit, dies_with_its_last_handle)
{
	struct phi_unit_query query;
	uint64_t cap, child;
	uint32_t id, again;

	ASSERT_EQ(0, do_unit(self->phi, PHI_UNIT_CPU, 1, &id, &cap));
	ASSERT_EQ(0, do_derive(self->phi, cap, PHI_RIGHT_READ, &child));
	ASSERT_EQ(0, do_drop(self->phi, cap));
	EXPECT_EQ(0, do_unit_query(self->phi, id, &query));
	ASSERT_EQ(0, do_drop(self->phi, child));
	EXPECT_EQ(-ENOENT, do_unit_query(self->phi, id, &query));
	/* The lowest number that is free is used again. */
	ASSERT_EQ(0, do_unit(self->phi, PHI_UNIT_CPU, 1, &again, &cap));
	EXPECT_EQ(id, again);
}

TEST_F(unit, table_fills_up_and_empties)
{
	uint64_t caps[PHI_UNITS_MAX], cap;
	uint32_t id, n;

	for (n = 0; n < PHI_UNITS_MAX; n++) {
		if (do_unit(self->phi, PHI_UNIT_CPU, 1, &id, &caps[n]))
			break;
		EXPECT_GT(PHI_UNITS_MAX, id);
	}
	EXPECT_EQ(-ENOSPC, do_unit(self->phi, PHI_UNIT_CPU, 1, &id, &cap));
	ASSERT_LT(0, n);
	ASSERT_EQ(0, do_drop(self->phi, caps[0]));
	EXPECT_EQ(0, do_unit(self->phi, PHI_UNIT_CPU, 1, &id, &cap));
}

/* Register units for one user only until that fails: how many, and how. */
static uint32_t fill(int phi, int *error)
{
	struct phi_unit_register own = { UNIT_DEFAULTS };
	uint32_t n = 0;

	own.flags = 0;
	for (;;) {
		*error = reg(phi, &own);
		if (*error || n == PHI_UNITS_MAX)
			return n;
		n++;
	}
}

#define PER_USER 16
#define USERS ((PHI_UNITS_MAX - PHI_UNITS_RESERVED) / PER_USER)

TEST_F(unit, users_together_leave_room_for_root)
{
	int phi[USERS + 1], error, i;
	uint32_t id, n;
	uint64_t cap;

	for (i = 0; i < USERS; i++) {
		phi[i] = do_open_as(60100 + i);
		ASSERT_LE(0, phi[i]);
		EXPECT_EQ(PER_USER, fill(phi[i], &error));
		EXPECT_EQ(-EDQUOT, error);
	}
	phi[i] = do_open_as(60100 + i);
	ASSERT_LE(0, phi[i]);
	EXPECT_EQ(0, fill(phi[i], &error));
	EXPECT_EQ(-ENOSPC, error);
	for (n = 0; n < PHI_UNITS_RESERVED; n++) {
		ASSERT_EQ(0, do_unit(self->phi, PHI_UNIT_CPU, 1, &id, &cap));
		EXPECT_LE(PHI_UNITS_MAX - PHI_UNITS_RESERVED, id);
	}
	EXPECT_EQ(-ENOSPC, do_unit(self->phi, PHI_UNIT_CPU, 1, &id, &cap));
	/* What is given back is for all again. */
	close(phi[0]);
	EXPECT_EQ(PER_USER, fill(phi[USERS], &error));
	EXPECT_EQ(-EDQUOT, error);
	for (i = 1; i <= USERS; i++)
		close(phi[i]);
}

TEST_F(unit, the_limit_of_a_user_is_a_parameter)
{
	int phi = do_open_as(60100), error;

	ASSERT_LE(0, phi);
	ASSERT_EQ(0, do_limit("quota_units", 3));
	EXPECT_EQ(3, fill(phi, &error));
	EXPECT_EQ(-EDQUOT, error);
	ASSERT_EQ(0, do_limit("quota_units", 0));
	EXPECT_EQ(0, fill(phi, &error));
	EXPECT_EQ(-EDQUOT, error);
	EXPECT_EQ(0, do_limit("quota_units", PER_USER));
	close(phi);
}

static int share_as_nobody(void *arg)
{
	struct phi_unit_register shared = { UNIT_DEFAULTS };
	struct phi_unit_register own = { UNIT_DEFAULTS };
	struct phi_unit_query query;
	int phi, ret;

	(void)arg;
	if (become(65534))
		return -1000;
	phi = do_open();
	if (phi < 0)
		return phi;
	ret = reg(phi, &shared);
	own.flags = 0;
	if (ret == -EPERM)
		ret = reg(phi, &own) ? -1001 : ret;
	if (ret == -EPERM)
		ret = do_unit_query(phi, own.id, &query) || query.uid != 65534 ?
			      -1002 :
			      ret;
	return ret;
}

TEST_F(unit, sharing_needs_cap_sys_admin)
{
	EXPECT_EQ(-EPERM, in_child(share_as_nobody, NULL));
}

static int register_over_quota(void *arg)
{
	uint64_t cap;
	int phi, ret;

	(void)arg;
	if (become(60001))
		return -1000;
	phi = do_open();
	if (phi < 0)
		return phi;
	while (!(ret = do_notify(phi, &cap)))
		;
	if (ret == -EDQUOT) {
		struct phi_unit_register own = { UNIT_DEFAULTS };

		own.flags = 0;
		ret = reg(phi, &own);
	}
	return ret;
}

TEST_F(unit, register_is_charged)
{
	struct phi_system_stats stats;
	uint64_t limit, cap;
	uint32_t id;

	ASSERT_EQ(0, do_unit(self->phi, PHI_UNIT_CPU, 1, &id, &cap));
	ASSERT_EQ(0, do_stats(self->phi, &stats));
	EXPECT_EQ(self->before.used[PHI_QUOTA_OBJECTS] + 1,
		  stats.used[PHI_QUOTA_OBJECTS]);
	EXPECT_EQ(self->before.objects[PHI_TYPE_DEVICE] + 1,
		  stats.objects[PHI_TYPE_DEVICE]);
	limit = stats.limit[PHI_QUOTA_OBJECTS];
	ASSERT_EQ(0, do_limit("quota_objects", 16));
	EXPECT_EQ(-EDQUOT, in_child(register_over_quota, NULL));
	EXPECT_EQ(0, do_limit("quota_objects", limit));
}

TEST_HARNESS_MAIN
