// SPDX-License-Identifier: GPL-2.0-only

#include <kunit/test.h>
#include <linux/mm.h>

#include "name.h"
#include "quota.h"
#include "region.h"

/* Users that nobody is. */
#define PHI_KUNIT_UID 4200000000U

static void phi_kunit_put(void *user)
{
	phi_user_put(user);
}

/* The account of the nth of these users; it ends with the test. */
static struct phi_user *phi_kunit_user(struct kunit *test, u32 n)
{
	struct phi_user *user = phi_user_get(KUIDT_INIT(PHI_KUNIT_UID + n));

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, user);
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, phi_kunit_put, user));
	return user;
}

static void phi_kunit_names(struct kunit *test)
{
	u8 name[PHI_NAME_MAX] = "";

	KUNIT_EXPECT_FALSE(test, phi_name_valid(name));
	name[0] = 'a';
	KUNIT_EXPECT_TRUE(test, phi_name_valid(name));
	name[PHI_NAME_MAX - 1] = 'z';
	KUNIT_EXPECT_FALSE(test, phi_name_valid(name));
	memset(name, 'a', PHI_NAME_MAX);
	KUNIT_EXPECT_FALSE(test, phi_name_valid(name));
	name[PHI_NAME_MAX - 1] = 0;
	KUNIT_EXPECT_TRUE(test, phi_name_valid(name));
}

/* One account is one for all who ask for it. */
static void phi_kunit_accounts(struct kunit *test)
{
	struct phi_user *a = phi_kunit_user(test, 0);

	KUNIT_EXPECT_PTR_EQ(test, a, phi_kunit_user(test, 0));
	KUNIT_EXPECT_PTR_NE(test, a, phi_kunit_user(test, 1));
}

static void phi_kunit_limit(struct kunit *test)
{
	struct phi_user *user = phi_kunit_user(test, 0);

	for (u32 what = 0; what < PHI_QUOTAS; what++) {
		u64 limit = phi_quota_limit(user, what);

		KUNIT_EXPECT_EQ(test, -EDQUOT,
				phi_quota_charge(user, what, limit + 1));
		KUNIT_EXPECT_EQ(test, 0, atomic64_read(&user->used[what]));
		KUNIT_EXPECT_EQ(test, 0, phi_quota_charge(user, what, limit));
		KUNIT_EXPECT_EQ(test, -EDQUOT, phi_quota_charge(user, what, 1));
		phi_quota_uncharge(user, what, limit);
		KUNIT_EXPECT_EQ(test, 0, atomic64_read(&user->used[what]));
	}
}

/* Each takes all that it can get: an eighth is left for root. */
static void phi_kunit_total(struct kunit *test)
{
	u64 total = phi_quota_total(PHI_QUOTA_PAGES);
	struct phi_user *users[5];
	u64 taken[5];
	u64 sum = 0;

	for (u32 i = 0; i < ARRAY_SIZE(users); i++) {
		users[i] = phi_kunit_user(test, i);
		taken[i] = phi_quota_limit(users[i], PHI_QUOTA_PAGES);
		KUNIT_EXPECT_NE(test, 0, taken[i]);
		KUNIT_EXPECT_EQ(test, 0,
				phi_quota_charge(users[i], PHI_QUOTA_PAGES,
						 taken[i]));
		sum += taken[i];
	}
	KUNIT_EXPECT_LE(test, sum, total - total / 8);
	KUNIT_EXPECT_GE(test, phi_quota_granted(PHI_QUOTA_PAGES), sum);
	for (u32 i = 0; i < ARRAY_SIZE(users); i++)
		phi_quota_uncharge(users[i], PHI_QUOTA_PAGES, taken[i]);
}

static void phi_kunit_force(struct kunit *test)
{
	struct phi_user *user = phi_kunit_user(test, 0);
	u64 limit = phi_quota_limit(user, PHI_QUOTA_CAPS);

	phi_quota_force(user, PHI_QUOTA_CAPS, limit + 1);
	KUNIT_EXPECT_EQ(test, limit + 1,
			(u64)atomic64_read(&user->used[PHI_QUOTA_CAPS]));
	KUNIT_EXPECT_EQ(test, -EDQUOT,
			phi_quota_charge(user, PHI_QUOTA_CAPS, 1));
	phi_quota_uncharge(user, PHI_QUOTA_CAPS, limit + 1);
	KUNIT_EXPECT_EQ(test, 0, phi_quota_charge(user, PHI_QUOTA_CAPS, 1));
	phi_quota_uncharge(user, PHI_QUOTA_CAPS, 1);
}

/* A reference that no region took does not share a page. */
static void phi_kunit_shared(struct kunit *test)
{
	struct phi_region *region =
		kunit_kzalloc(test, sizeof(*region), GFP_KERNEL);
	struct page *page = phi_region_alloc(__GFP_ZERO);

	KUNIT_ASSERT_NOT_NULL(test, region);
	KUNIT_ASSERT_NOT_NULL(test, page);
	region->shared = true;
	get_page(page);
	KUNIT_EXPECT_FALSE(test, phi_page_shared(region, page));
	atomic_long_inc(phi_page_sharers(page));
	KUNIT_EXPECT_TRUE(test, phi_page_shared(region, page));
	phi_share_put(page);
	KUNIT_EXPECT_FALSE(test, phi_page_shared(region, page));
	KUNIT_EXPECT_EQ(test, 1, page_count(page));
	phi_share_put(page);
}

static struct kunit_case phi_kunit_cases[] = {
	KUNIT_CASE(phi_kunit_names),
	KUNIT_CASE(phi_kunit_accounts),
	KUNIT_CASE(phi_kunit_limit),
	KUNIT_CASE(phi_kunit_total),
	KUNIT_CASE(phi_kunit_force),
	KUNIT_CASE(phi_kunit_shared),
	{},
};

static struct kunit_suite phi_kunit_suite = {
	.name = "phi",
	.test_cases = phi_kunit_cases,
};

kunit_test_suite(phi_kunit_suite);
