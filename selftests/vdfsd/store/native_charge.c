// SPDX-License-Identifier: GPL-2.0-only
/* The cost of puts to their users before they end, and after. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <kselftest_harness.h>

#include "daemons/vdfsd/store/charge.h"
#include "vdfsd/store.h"

#define MIB (1U << 20)
#define QUOTA (16 * MIB)

FIXTURE(charge)
{
	struct tree t;
	struct vdfs_store *store;
	uint8_t *data;
};

FIXTURE_SETUP(charge)
{
	struct vdfs_store_options options = { .quota = QUOTA };

	ASSERT_EQ(0, tree_make(&self->t, &options));
	self->store = self->t.store;
	self->data = random_bytes(QUOTA, 1);
	ASSERT_NE(NULL, self->data);
}

FIXTURE_TEARDOWN(charge)
{
	enum vdfs_charge_kind kind;

	for (kind = 0; kind < VDFS_CHARGES; kind++)
		EXPECT_EQ(0, vdfs_charged(self->store, bob.uid, kind));
	tree_remove(&self->t);
	free(self->data);
}

static uint64_t staged(FIXTURE_DATA(charge) * self)
{
	return vdfs_charged(self->store, bob.uid, VDFS_CHARGE_STAGED);
}

static uint64_t used(FIXTURE_DATA(charge) * self)
{
	uint64_t quota, bytes = ~0ULL;

	vdfs_quota_get(self->store, bob.uid, &quota, &bytes);
	return bytes;
}

FIXTURE_VARIANT(charge)
{
	uint32_t flags;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(charge, pieces) { .flags = 0 };
FIXTURE_VARIANT_ADD(charge, whole) { .flags = VDFS_PUT_WHOLE };
/* clang-format on */

/* Two that never end have one quota together. */
TEST_F(charge, puts_are_charged_as_they_come)
{
	struct vdfs_put *a, *b;
	struct vdfs_hash hash;

	ASSERT_EQ(0, vdfs_put_begin(self->store, &bob, variant->flags, &a));
	ASSERT_EQ(0, vdfs_put_begin(self->store, &bob, variant->flags, &b));
	EXPECT_EQ(0, vdfs_put_write(a, self->data, 12 * MIB));
	EXPECT_LE(8 * MIB, staged(self));
	EXPECT_GE(12 * MIB, staged(self));
	EXPECT_EQ(-EDQUOT, vdfs_put_write(b, self->data + MIB, 12 * MIB));
	EXPECT_GE(QUOTA, staged(self));
	/* Nor is there room for it all in what is stored at once. */
	EXPECT_EQ(-EDQUOT, put_bytes(self->store, &bob, self->data, 9 * MIB,
				     variant->flags, NULL, &hash));
	vdfs_put_abort(b);
	ASSERT_EQ(0, vdfs_put_commit(a, NULL, "a", &hash));
	EXPECT_EQ(0, staged(self));
	EXPECT_EQ(12 * MIB, used(self));
	EXPECT_EQ(-EDQUOT, put_bytes(self->store, &bob, self->data + 1, 5 * MIB,
				     variant->flags, "b", &hash));
	EXPECT_EQ(0, put_bytes(self->store, &bob, self->data + 1, 4 * MIB,
			       variant->flags, "b", &hash));
	EXPECT_EQ(QUOTA, used(self));
	/* Another user has a quota of its own for the same bytes. */
	EXPECT_EQ(0, put_bytes(self->store, &alice, self->data, 12 * MIB,
			       variant->flags, NULL, &hash));
}

/* Bytes that are staged are not there for other puts. */
TEST_F(charge, small_puts_leave_room_for_staged_ones)
{
	struct vdfs_hash hash;
	struct vdfs_put *put;
	unsigned int i;

	ASSERT_EQ(0, vdfs_put_begin(self->store, &bob, variant->flags, &put));
	ASSERT_EQ(0, vdfs_put_write(put, self->data, 15 * MIB));
	for (i = 0; staged(self) + used(self) + MIB / 2 <= QUOTA; i++)
		ASSERT_EQ(0, put_bytes(self->store, &bob, self->data + i,
				       MIB / 2, variant->flags, NULL, &hash));
	EXPECT_LT(0, i);
	EXPECT_EQ(-EDQUOT, put_bytes(self->store, &bob, self->data + i, MIB / 2,
				     variant->flags, NULL, &hash));
	vdfs_put_abort(put);
	EXPECT_EQ(0, put_bytes(self->store, &bob, self->data + i, MIB / 2,
			       variant->flags, NULL, &hash));
}

/* Small ones that never end take memory, of which there is so much a user. */
TEST_F(charge, unfinished_puts_are_limited)
{
	uint64_t n, limit = vdfs_charge_limit(self->store, VDFS_CHARGE_PUTS);
	struct vdfs_put **put = calloc(limit, sizeof(struct vdfs_put *)), *more;
	struct vdfs_hash hash;

	ASSERT_NE(NULL, put);
	for (n = 0; n < limit; n++) {
		ASSERT_EQ(0, vdfs_put_begin(self->store, &bob, variant->flags,
					    &put[n]));
		ASSERT_EQ(0, vdfs_put_write(put[n], self->data, 1000));
	}
	EXPECT_EQ(limit, vdfs_charged(self->store, bob.uid, VDFS_CHARGE_PUTS));
	EXPECT_LE(1000 * limit,
		  vdfs_charged(self->store, bob.uid, VDFS_CHARGE_MEMORY));
	EXPECT_EQ(0, staged(self));
	EXPECT_EQ(-EDQUOT, vdfs_put_begin(self->store, &bob, 0, &more));
	EXPECT_EQ(0,
		  put_bytes(self->store, &alice, "other", 5, 0, NULL, &hash));
	vdfs_put_abort(put[--n]);
	EXPECT_EQ(0, put_bytes(self->store, &bob, "mine", 4, 0, NULL, &hash));
	while (n--)
		vdfs_put_abort(put[n]);
	free(put);
}

TEST_HARNESS_MAIN
