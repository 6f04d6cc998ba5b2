// SPDX-License-Identifier: GPL-2.0-only
/* The index as a file: the same answers, and no damage goes unseen. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "vdfsd/vectors.h"

#define DIM 20
#define N 1500

FIXTURE(file)
{
	char path[64];
	struct vdfs_index *ix;
	float *rows;
};

FIXTURE_VARIANT(file)
{
	enum vdfs_codes codes;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(file, codes8) { VDFS_CODES_8 };
FIXTURE_VARIANT_ADD(file, codes4) { VDFS_CODES_4 };
FIXTURE_VARIANT_ADD(file, codes3) { VDFS_CODES_3 };
FIXTURE_VARIANT_ADD(file, codes2) { VDFS_CODES_2 };
FIXTURE_VARIANT_ADD(file, codes1) { VDFS_CODES_1 };
/* clang-format on */

FIXTURE_SETUP(file)
{
	struct vdfs_params p = { .dim = DIM,
				 .codes = variant->codes,
				 .m = 8,
				 .ef_build = 40,
				 .capacity = 2 * N };
	int i;

	snprintf(self->path, sizeof(self->path), "/tmp/phi-index-XXXXXX");
	close(mkstemp(self->path));
	self->rows = vectors_clustered(N, DIM, 20, 3);
	ASSERT_EQ(0, vdfs_index_new(&p, &self->ix));
	ASSERT_EQ(0, vdfs_index_build(self->ix, NULL, self->rows, N, 1, NULL,
				      NULL));
	for (i = 0; i < N; i += 7) {
		ASSERT_EQ(0, vdfs_index_delete(self->ix, (uint64_t)i));
	}
	ASSERT_EQ(0, vdfs_index_repair(self->ix, NULL, NULL));
	ASSERT_EQ(0, vdfs_index_delete(self->ix, 1));
	ASSERT_EQ(0, vdfs_index_save(self->ix, self->path, 77));
}

FIXTURE_TEARDOWN(file)
{
	unlink(self->path);
	vdfs_index_free(self->ix);
	free(self->rows);
}

TEST_F(file, answers_as_before)
{
	struct vdfs_query query = { .k = 10, .ef = 50 };
	struct vdfs_index_stats was, is;
	struct vdfs_index *again;
	uint64_t a[10], b[10];
	float da[10], db[10];
	size_t i;

	ASSERT_EQ(0, vdfs_index_load(self->path, 77, &again));
	vdfs_index_stats(self->ix, &was);
	vdfs_index_stats(again, &is);
	EXPECT_EQ(was.live, is.live);
	EXPECT_EQ(was.deleted, is.deleted);
	EXPECT_EQ(was.levels, is.levels);
	for (i = 0; i < 200; i++) {
		query.vector = self->rows + i * DIM;
		ASSERT_EQ(10, vdfs_index_search(self->ix, &query, a, da));
		ASSERT_EQ(10, vdfs_index_search(again, &query, b, db));
		EXPECT_EQ(0, memcmp(a, b, sizeof(a)));
		EXPECT_EQ(0, memcmp(da, db, sizeof(da)));
	}
	/* It goes on living, and does not write to the file it came from. */
	for (i = 0; i < N; i += 7) {
		ASSERT_EQ(0, vdfs_index_add(again, i, self->rows + i * DIM));
	}
	query.vector = self->rows;
	ASSERT_EQ(10, vdfs_index_search(again, &query, a, da));
	EXPECT_EQ(0, a[0]);
	vdfs_index_free(again);
	ASSERT_EQ(0, vdfs_index_load(self->path, 77, &again));
	EXPECT_FALSE(vdfs_index_has(again, 0));
	vdfs_index_free(again);
}

TEST_F(file, refuses_another_generation)
{
	struct vdfs_index *ix;

	EXPECT_EQ(-ESTALE, vdfs_index_load(self->path, 78, &ix));
	EXPECT_EQ(-ENOENT, vdfs_index_load("/nowhere/at/all", 77, &ix));
}

/* How often an index may ask whether to go on, and how often it did. */
struct patience {
	int left;
	int asked;
};

static bool go_on(void *arg, uint64_t done, uint64_t total)
{
	struct patience *p = arg;

	p->asked++;
	return !done && !total && p->left-- > 0;
}

TEST_F(file, loading_can_be_stopped_at_each_step)
{
	struct patience all = { .left = INT_MAX };
	struct vdfs_index *ix = NULL;
	int i;

	ASSERT_EQ(0, vdfs_index_load_room(self->path, 77, 0, go_on, &all, &ix));
	vdfs_index_free(ix);
	/* Each section that has something, twice, and the graph. */
	EXPECT_LE(8, all.asked);
	for (i = 0; i < all.asked; i++) {
		struct patience p = { .left = i };

		ix = NULL;
		ASSERT_EQ(-ECANCELED, vdfs_index_load_room(self->path, 77, 0,
							   go_on, &p, &ix));
		ASSERT_EQ(i + 1, p.asked);
		ASSERT_EQ(NULL, ix);
	}
}

static int turn_over(const char *path, off_t at)
{
	int fd = open(path, O_RDWR);
	char c;

	if (fd < 0 || pread(fd, &c, 1, at) != 1)
		return -1;
	c ^= 0x10;
	if (pwrite(fd, &c, 1, at) != 1)
		return -1;
	return close(fd);
}

/* Every byte of the header, and some of each section. */
TEST_F(file, sees_damage)
{
	static const off_t mib = 1 << 20;
	struct vdfs_index *ix;
	struct stat st;
	off_t at;

	ASSERT_EQ(0, stat(self->path, &st));
	for (at = 0; at < 220; at++) {
		ASSERT_EQ(0, turn_over(self->path, at));
		EXPECT_GT(0, vdfs_index_load(self->path, 77, &ix))
		{
			TH_LOG("byte %ld", (long)at);
		}
		ASSERT_EQ(0, turn_over(self->path, at));
	}
	for (at = 2 * mib; at < st.st_size; at += 2 * mib) {
		ASSERT_EQ(0, turn_over(self->path, at + 40));
		EXPECT_EQ(-EBADMSG, vdfs_index_load(self->path, 77, &ix))
		{
			TH_LOG("section at %ld", (long)at);
		}
		ASSERT_EQ(0, turn_over(self->path, at + 40));
	}
	ASSERT_EQ(0, vdfs_index_load(self->path, 77, &ix));
	vdfs_index_free(ix);
}

TEST_F(file, sees_truncation)
{
	struct vdfs_index *ix;
	struct stat st;
	off_t size;

	ASSERT_EQ(0, stat(self->path, &st));
	for (size = st.st_size - 1; size > 0; size = size * 3 / 4) {
		ASSERT_EQ(0, truncate(self->path, size));
		/* Only what pads the last section may be missing. */
		if (size < st.st_size - (2 << 20)) {
			EXPECT_EQ(-EBADMSG,
				  vdfs_index_load(self->path, 77, &ix));
		} else if (!vdfs_index_load(self->path, 77, &ix)) {
			vdfs_index_free(ix);
		}
	}
}

TEST_F(file, keeps_the_old_one_when_it_cannot_write)
{
	struct vdfs_index *ix;

	EXPECT_GT(0, vdfs_index_save(self->ix, "/nowhere/index", 78));
	ASSERT_EQ(0, vdfs_index_load(self->path, 77, &ix));
	vdfs_index_free(ix);
}

TEST_F(file, has_room_for_more)
{
	struct vdfs_index *again;
	uint64_t i;

	ASSERT_EQ(0, vdfs_index_load_room(self->path, 77, 3 * N, NULL, NULL,
					  &again));
	EXPECT_LE(4 * N, vdfs_index_params(again)->capacity);
	for (i = 0; i < 3 * N; i++) {
		ASSERT_EQ(0, vdfs_index_add(again, N + i,
					    self->rows + i % N * DIM));
	}
	vdfs_index_free(again);
}

TEST_HARNESS_MAIN
