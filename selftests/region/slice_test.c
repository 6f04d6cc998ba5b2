// SPDX-License-Identifier: GPL-2.0-only
/* Slices: a capability to some pages of a region reaches no other page. */
#include <kselftest_harness.h>

#include "map.h"
#include "phi_message.h"

#define PAGES 8UL
#define MAY (PHI_RIGHT_READ | PHI_RIGHT_WRITE | PHI_RIGHT_MAP)

FIXTURE(slice)
{
	int phi;
	uint64_t cap;
	unsigned char *mem;
};

/* A region whose bytes say which page they are of. */
FIXTURE_SETUP(slice)
{
	touch_init();
	self->phi = do_open();
	ASSERT_LE(0, self->phi);
	ASSERT_EQ(0, do_region(self->phi, PAGES * PAGE, 0, &self->cap));
	ASSERT_EQ(0,
		  do_map(self->phi, self->cap, PAGES * PAGE, RW, &self->mem));
	for (unsigned long i = 0; i < PAGES * PAGE; i++)
		self->mem[i] = (unsigned char)(1 + i / PAGE);
}

FIXTURE_TEARDOWN(slice)
{
	close(self->phi);
}

TEST_F(slice, maps_its_own_pages)
{
	unsigned char *mem;
	uint64_t slice;

	ASSERT_EQ(0, do_slice(self->phi, self->cap, 3 * PAGE, 2 * PAGE, MAY,
			      &slice));
	EXPECT_EQ(-EINVAL, do_map(self->phi, slice, 3 * PAGE, RW, &mem));
	ASSERT_EQ(0, do_map(self->phi, slice, 2 * PAGE, RW, &mem));
	EXPECT_EQ(4, peek(mem));
	EXPECT_EQ(5, peek(mem + 2 * PAGE - 1));
	EXPECT_EQ(0, poke(mem + PAGE, 77));
	EXPECT_EQ(77, self->mem[4 * PAGE]);
	EXPECT_EQ(1, do_same(self->phi, slice, self->cap));
}

TEST_F(slice, tells_its_length)
{
	struct phi_region_info info;
	uint64_t slice;

	ASSERT_EQ(0, do_slice(self->phi, self->cap, 0, 2 * PAGE, PHI_RIGHT_READ,
			      &slice));
	ASSERT_EQ(0, do_info(self->phi, slice, &info));
	EXPECT_EQ(2 * PAGE, info.bytes);
	EXPECT_EQ(PHI_RIGHT_READ, info.rights);
	EXPECT_EQ(1, info.mappings);
}

/* Offsets count from the slice, and its end is the end. */
TEST_F(slice, of_a_slice_is_inside_of_it)
{
	uint64_t slice, inner, out;
	unsigned char *mem;

	ASSERT_EQ(0, do_slice(self->phi, self->cap, 2 * PAGE, 4 * PAGE, MAY,
			      &slice));
	ASSERT_EQ(0, do_slice(self->phi, slice, PAGE, 3 * PAGE, MAY, &inner));
	ASSERT_EQ(0, do_map(self->phi, inner, 3 * PAGE, PROT_READ, &mem));
	EXPECT_EQ(4, peek(mem));
	EXPECT_EQ(6, peek(mem + 2 * PAGE));
	EXPECT_EQ(-EINVAL,
		  do_slice(self->phi, slice, PAGE, 4 * PAGE, MAY, &out));
	EXPECT_EQ(-EINVAL,
		  do_slice(self->phi, inner, 3 * PAGE, PAGE, MAY, &out));
	EXPECT_EQ(0, do_slice(self->phi, inner, 2 * PAGE, PAGE, MAY, &out));
}

TEST_F(slice, must_fit)
{
	static const struct {
		uint64_t offset;
		uint64_t bytes;
	} bad[] = {
		{ 0, 0 },
		{ 0, (PAGES + 1) * PAGE },
		{ PAGE, PAGES * PAGE },
		{ PAGES * PAGE, PAGE },
		{ 1, PAGE },
		{ 0, PAGE + 1 },
		{ -PAGE, PAGE },
		{ PAGE, -PAGE },
		{ -PAGE, 2 * PAGE },
		{ 1ULL << 63, 1ULL << 63 },
		/* 2^32 pages, of which 32 bits are 0. */
		{ 0, 1ULL << 44 },
		{ 1ULL << 44, PAGE },
	};
	uint64_t out;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(-EINVAL, do_slice(self->phi, self->cap, bad[i].offset,
					    bad[i].bytes, MAY, &out))
		{
			TH_LOG("case %zu", i);
		}
	}
	EXPECT_EQ(0,
		  do_slice(self->phi, self->cap, 0, PAGES * PAGE, MAY, &out));
}

TEST_F(slice, has_no_more_rights)
{
	uint64_t slice, out, ep;
	void *mem;

	ASSERT_EQ(0, do_slice(self->phi, self->cap, 0, PAGE,
			      PHI_RIGHT_READ | PHI_RIGHT_MAP, &slice));
	EXPECT_EQ(-EPERM, do_map(self->phi, slice, PAGE, RW, &mem));
	EXPECT_EQ(-EPERM, do_slice(self->phi, slice, 0, PAGE, MAY, &out));
	EXPECT_EQ(-EPERM, do_slice(self->phi, self->cap, 0, PAGE,
				   PHI_RIGHT_RECV, &out));
	ASSERT_EQ(0, do_endpoint(self->phi, &ep));
	EXPECT_EQ(-EINVAL,
		  do_slice(self->phi, ep, 0, PAGE, PHI_RIGHT_SEND, &out));
	EXPECT_EQ(-EBADF, do_slice(self->phi, 99, 0, PAGE, MAY, &out));
}

/* A child, a token, a copy and a move in a message. */
TEST_F(slice, stays_one_on_every_road)
{
	uint64_t made[4], ep, slice;
	struct phi_token token;
	struct phi_recv in;
	unsigned char *mem;

	ASSERT_EQ(0, do_slice(self->phi, self->cap, 5 * PAGE, PAGE, RIGHTS,
			      &slice));
	ASSERT_EQ(0, do_derive(self->phi, slice, MAY, &made[0]));
	ASSERT_EQ(0, do_seal(self->phi, slice, MAY, 0, 0, &token));
	ASSERT_EQ(0, do_unseal(self->phi, &token, &made[1]));
	ASSERT_EQ(0, do_endpoint(self->phi, &ep));
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(0, do_send_cap(self->phi, ep, slice,
					 i ? PHI_XFER_MOVE : 0, MAY));
		ASSERT_EQ(0, do_recv(self->phi, ep, NULL, 0, &in));
		made[2 + i] = in.caps[0].cap;
	}
	for (size_t i = 0; i < ARRAY_SIZE(made); i++) {
		EXPECT_EQ(-EINVAL,
			  do_map(self->phi, made[i], 2 * PAGE, RW, &mem));
		ASSERT_EQ(0, do_map(self->phi, made[i], PAGE, RW, &mem));
		EXPECT_EQ(6, peek(mem));
	}
}

/* Its mappings go with it; those of the region and of another slice stay. */
TEST_F(slice, dies_by_itself)
{
	unsigned char *mem, *other_mem;
	uint64_t parent, slice, other;

	ASSERT_EQ(0, do_derive(self->phi, self->cap, RIGHTS, &parent));
	ASSERT_EQ(0, do_slice(self->phi, parent, PAGE, 2 * PAGE, MAY, &slice));
	ASSERT_EQ(0,
		  do_slice(self->phi, self->cap, PAGE, 2 * PAGE, MAY, &other));
	ASSERT_EQ(0, do_map(self->phi, slice, 2 * PAGE, RW, &mem));
	ASSERT_EQ(0, do_map(self->phi, other, 2 * PAGE, RW, &other_mem));
	EXPECT_EQ(2, peek(mem));
	EXPECT_EQ(2, peek(other_mem));
	ASSERT_EQ(0, do_revoke(self->phi, parent));
	EXPECT_EQ(-SIGBUS, peek(mem));
	EXPECT_EQ(-SIGBUS, peek(mem + PAGE));
	EXPECT_EQ(2, peek(other_mem));
	EXPECT_EQ(2, peek(self->mem + PAGE));
	EXPECT_EQ(2, mappings(self->phi, self->cap));
	ASSERT_EQ(0, do_drop(self->phi, other));
	EXPECT_EQ(-SIGBUS, peek(other_mem));
}

/* The rest of a slice that was unmapped in its middle is still in place. */
TEST_F(slice, may_be_cut)
{
	unsigned char *mem;
	uint64_t slice;

	ASSERT_EQ(0, do_slice(self->phi, self->cap, 2 * PAGE, 3 * PAGE, MAY,
			      &slice));
	ASSERT_EQ(0, do_map(self->phi, slice, 3 * PAGE, RW, &mem));
	ASSERT_EQ(0, munmap(mem + PAGE, PAGE));
	EXPECT_EQ(3, peek(mem));
	EXPECT_EQ(5, peek(mem + 2 * PAGE));
	ASSERT_EQ(0, do_drop(self->phi, slice));
	EXPECT_EQ(-SIGBUS, peek(mem));
	EXPECT_EQ(-SIGBUS, peek(mem + 2 * PAGE));
}

FIXTURE(huge)
{
	int phi;
	uint64_t cap;
};

FIXTURE_VARIANT(huge)
{
	unsigned long first; /* page of the slice */
	unsigned long nr;
	long most; /* faults that touching all of it may take */
};

/* Whole huge pages take a fault each, what is around them one for 16 pages. */
/* clang-format off */
FIXTURE_VARIANT_ADD(huge, aligned) { 512, 1024, 2 };
FIXTURE_VARIANT_ADD(huge, begins_in_one) { 500, 536, 1 + 2 + 1 };
FIXTURE_VARIANT_ADD(huge, ends_in_one) { 512, 520, 1 + 1 };
FIXTURE_VARIANT_ADD(huge, less_than_one) { 100, 64, 5 };
/* clang-format on */

FIXTURE_SETUP(huge)
{
	touch_init();
	self->phi = do_open();
	ASSERT_LE(0, self->phi);
	ASSERT_EQ(0, do_region(self->phi, 4 * HUGE, 0, &self->cap));
}

FIXTURE_TEARDOWN(huge)
{
	close(self->phi);
}

static void write_numbers(uint32_t *mem, unsigned long nr)
{
	for (unsigned long i = 0; i < nr; i++)
		mem[i * PAGE / sizeof(*mem)] = (uint32_t)i;
}

TEST_F(huge, pages_are_in_place)
{
	unsigned long i, wrong = 0;
	uint32_t *all, *mem;
	uint64_t slice;
	long before;

	ASSERT_EQ(0, do_map(self->phi, self->cap, 4 * HUGE, RW, &all));
	write_numbers(all, 4 * HUGE / PAGE);
	ASSERT_EQ(0, do_slice(self->phi, self->cap, variant->first * PAGE,
			      variant->nr * PAGE, MAY, &slice));
	ASSERT_EQ(0, do_map(self->phi, slice, variant->nr * PAGE, RW, &mem));
	before = faults();
	for (i = 0; i < variant->nr; i++)
		wrong += mem[i * PAGE / sizeof(*mem)] != variant->first + i;
	EXPECT_GE(variant->most, faults() - before);
	EXPECT_EQ(0, wrong);
	ASSERT_EQ(0, do_drop(self->phi, slice));
	EXPECT_EQ(-SIGBUS, peek(mem));
	EXPECT_EQ(-SIGBUS, peek((char *)mem + (variant->nr - 1) * PAGE));
}

TEST_HARNESS_MAIN
