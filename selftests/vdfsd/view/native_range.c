// SPDX-License-Identifier: GPL-2.0-only
/* Sets of ranges find what a walk over all of them finds, and stay flat. */
#include <stdlib.h>

#include <kselftest_harness.h>

#include "daemons/vdfsd/view/range_impl.h"

#define N 4096
#define WIDE 1000
#define DEEP 60

FIXTURE(range)
{
	struct vdfs_range *all;
	struct vdfs_range *set;
	bool in[N];
	unsigned int seed;
};

FIXTURE_SETUP(range)
{
	self->seed = 1;
	self->all = calloc(N, sizeof(*self->all));
	ASSERT_NE(NULL, self->all);
}

FIXTURE_TEARDOWN(range)
{
	free(self->all);
}

static uint64_t draw(FIXTURE_DATA(range) * self)
{
	return (uint64_t)rand_r(&self->seed) << 31 ^
	       (uint64_t)rand_r(&self->seed);
}

static void add(FIXTURE_DATA(range) * self, int i, uint64_t start, uint64_t end)
{
	self->all[i] = (struct vdfs_range){ .start = start,
					    .end = end,
					    .rank = draw(self) };
	vdfs_range_add(&self->set, &self->all[i]);
	self->in[i] = true;
}

static void drop(FIXTURE_DATA(range) * self, int i)
{
	vdfs_range_remove(&self->set, &self->all[i]);
	self->in[i] = false;
}

static bool any(const struct vdfs_range *range, const void *arg)
{
	(void)range;
	(void)arg;
	return true;
}

static bool is_not(const struct vdfs_range *range, const void *arg)
{
	return range != arg;
}

/* Is there another than @but with bytes in common? */
static bool walk(FIXTURE_DATA(range) * self, uint64_t start, uint64_t end,
		 const struct vdfs_range *but)
{
	int i;

	for (i = 0; i < N; i++) {
		if (self->in[i] && &self->all[i] != but &&
		    self->all[i].start <= end && self->all[i].end >= start)
			return true;
	}
	return false;
}

static int depth(const struct vdfs_range *set)
{
	int left, right;

	if (!set)
		return 0;
	left = depth(set->left);
	right = depth(set->right);
	return 1 + (left > right ? left : right);
}

static int size(const struct vdfs_range *set)
{
	return set ? 1 + size(set->left) + size(set->right) : 0;
}

TEST_F(range, finds_what_a_walk_finds)
{
	struct vdfs_range *found;
	uint64_t start, end;
	int i, n = 0, round;

	for (round = 0; round < 20000; round++) {
		i = (int)(draw(self) % 64);
		start = draw(self) % WIDE;
		end = start + draw(self) % (round % 2 ? 3 : WIDE / 8);
		if (self->in[i])
			drop(self, i);
		else
			add(self, i, start, end);
		n += self->in[i] ? 1 : -1;
		ASSERT_EQ(n, size(self->set));
		start = draw(self) % WIDE;
		end = start + draw(self) % 4;
		found = vdfs_range_find(self->set, start, end, any, NULL);
		ASSERT_EQ(walk(self, start, end, NULL), !!found);
		if (!found)
			continue;
		ASSERT_LE(found->start, end);
		ASSERT_GE(found->end, start);
		/* Then the next one. */
		ASSERT_EQ(walk(self, start, end, found),
			  !!vdfs_range_find(self->set, start, end, is_not,
					    found));
	}
}

static bool count(const struct vdfs_range *range, const void *arg)
{
	(void)range;
	++*(int *)(uintptr_t)arg;
	return false;
}

/* In the order in which programs lock them, and out of it. */
TEST_F(range, stays_flat)
{
	int i, asked = 0;

	for (i = 0; i < N; i++)
		add(self, i, 2 * (uint64_t)i, 2 * (uint64_t)i);
	EXPECT_GT(DEEP, depth(self->set));
	EXPECT_EQ(N, size(self->set));
	EXPECT_EQ(NULL, vdfs_range_find(self->set, 1, 1, any, NULL));
	EXPECT_EQ(NULL, vdfs_range_find(self->set, 100, 109, count, &asked));
	EXPECT_EQ(5, asked);
	for (i = N - 1; i >= 0; i--) {
		if (i % 16)
			drop(self, i);
	}
	EXPECT_EQ(N / 16, size(self->set));
	EXPECT_GT(DEEP, depth(self->set));
}

TEST_F(range, ends_where_it_ends)
{
	add(self, 0, 10, UINT64_MAX);
	add(self, 1, 0, 4);
	EXPECT_EQ(NULL, vdfs_range_find(self->set, 5, 9, any, NULL));
	EXPECT_EQ(&self->all[1], vdfs_range_find(self->set, 4, 9, any, NULL));
	EXPECT_EQ(&self->all[0], vdfs_range_find(self->set, 5, 10, any, NULL));
	EXPECT_EQ(&self->all[0], vdfs_range_find(self->set, UINT64_MAX,
						 UINT64_MAX, any, NULL));
	drop(self, 0);
	EXPECT_EQ(NULL, vdfs_range_find(self->set, 5, UINT64_MAX, any, NULL));
}

TEST_HARNESS_MAIN
