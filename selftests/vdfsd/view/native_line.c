// SPDX-License-Identifier: GPL-2.0-only
/* Lines of those who wait are left in the order in which these came. */
#include <stdlib.h>
#include <string.h>

#include <kselftest_harness.h>

#include "daemons/vdfsd/view/line_impl.h"

#define N 4096

FIXTURE(line)
{
	struct vdfs_waiter *all;
	struct vdfs_waiter *line[2];
	unsigned int seed;
};

FIXTURE_SETUP(line)
{
	int i;

	self->seed = 1;
	self->all = calloc(N, sizeof(*self->all));
	ASSERT_NE(NULL, self->all);
	for (i = 0; i < N; i++)
		self->all[i].came = (uint64_t)i + 1;
}

FIXTURE_TEARDOWN(line)
{
	free(self->all);
}

/* Line all up, in an order by chance; those of odd numbers in the other line. */
static void add_all(FIXTURE_DATA(line) * self)
{
	int *order = malloc(N * sizeof(*order)), i, other, swap;

	for (i = 0; i < N; i++)
		order[i] = i;
	for (i = N - 1; i > 0; i--) {
		other = rand_r(&self->seed) % (i + 1);
		swap = order[i];
		order[i] = order[other];
		order[other] = swap;
	}
	for (i = 0; i < N; i++)
		vdfs_line_add(&self->line[order[i] & 1], &self->all[order[i]]);
	free(order);
}

/* Whether the first line has just those of @in, in order. It is empty then. */
static bool leave_in_order(FIXTURE_DATA(line) * self, const bool *in)
{
	struct vdfs_waiter **line = &self->line[0], *first;
	int i;

	for (i = 0; i < N; i++) {
		if (!in[i])
			continue;
		first = *line;
		if (first != &self->all[i])
			return false;
		vdfs_line_remove(line, first);
	}
	return !*line;
}

/* Places that are not what they were. */
static int changed(FIXTURE_DATA(line) * self, const struct vdfs_waiter *before)
{
	int i, n = 0;

	for (i = 0; i < N; i++)
		n += memcmp(&before[i], &self->all[i], sizeof(*before)) != 0;
	return n;
}

/* All of a lock that is let go join those of another one in a step. */
TEST_F(line, of_two_becomes_one)
{
	struct vdfs_waiter *before = malloc(N * sizeof(*before));
	bool in[N];

	add_all(self);
	memcpy(before, self->all, N * sizeof(*before));
	vdfs_line_join(&self->line[0], &self->line[1]);
	EXPECT_EQ(NULL, self->line[1]);
	EXPECT_GE(3, changed(self, before));
	memset(in, 1, sizeof(in));
	EXPECT_TRUE(leave_in_order(self, in));
	free(before);
}

/* One that is interrupted leaves from anywhere, and may come back. */
TEST_F(line, is_left_from_anywhere)
{
	bool in[N];
	int i, n;

	memset(in, 1, sizeof(in));
	add_all(self);
	vdfs_line_join(&self->line[0], &self->line[1]);
	for (n = 0; n < 3 * N; n++) {
		i = rand_r(&self->seed) % N;
		if (in[i])
			vdfs_line_remove(&self->line[0], &self->all[i]);
		else
			vdfs_line_add(&self->line[0], &self->all[i]);
		in[i] = !in[i];
	}
	EXPECT_TRUE(leave_in_order(self, in));
}

TEST_F(line, of_nobody)
{
	vdfs_line_join(&self->line[0], &self->line[1]);
	EXPECT_EQ(NULL, self->line[0]);
	vdfs_line_add(&self->line[1], &self->all[0]);
	vdfs_line_join(&self->line[0], &self->line[1]);
	EXPECT_EQ(&self->all[0], self->line[0]);
	EXPECT_EQ(NULL, self->line[1]);
	vdfs_line_remove(&self->line[0], &self->all[0]);
	EXPECT_EQ(NULL, self->line[0]);
}

TEST_HARNESS_MAIN
