// SPDX-License-Identifier: GPL-2.0-only
/* Records of one segment: reserved, written, and given back. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <kselftest_harness.h>

#include "daemons/vdfsd/store/store_impl.h"
#include "vdfsd/store.h"

#define LEN 50001 /* of a record's content: several pages, and a part of one */

FIXTURE(segment)
{
	struct tree t;
	uint8_t *data[4];
	struct vdfs_hash hash[4];
	struct vdfs_record record[4];
};

FIXTURE_SETUP(segment)
{
	int i;

	ASSERT_EQ(0, tree_make(&self->t, NULL));
	memset(self->record, 0, sizeof(self->record));
	for (i = 0; i < 4; i++) {
		self->data[i] = random_bytes(LEN, i);
		ASSERT_EQ(0,
			  vdfs_hash_bytes(self->data[i], LEN, &self->hash[i]));
	}
}

FIXTURE_TEARDOWN(segment)
{
	int i;

	for (i = 4; i--;) {
		vdfs_record_end(self->t.store, &self->record[i], false);
		free(self->data[i]);
	}
	tree_remove(&self->t);
}

static int write_record(FIXTURE_DATA(segment) * self, int i)
{
	return vdfs_record_write(self->t.store, &self->hash[i], self->data[i],
				 LEN, &self->record[i]);
}

/* Read a record at @place of the first segment as the store would. */
static int read_record(FIXTURE_DATA(segment) * self, int i, uint64_t place)
{
	struct vdfs_object object = { .hash = self->hash[i],
				      .size = LEN,
				      .kind = VDFS_RECORD,
				      .segment = 1,
				      .place = place,
				      .stored = self->record[0].stored };
	uint8_t *buf = malloc(LEN);
	int err = vdfs_record_read(self->t.store, &object, buf);

	if (!err && memcmp(buf, self->data[i], LEN))
		err = -EILSEQ;
	free(buf);
	return err;
}

static struct stat file(FIXTURE_DATA(segment) * self)
{
	struct stat st = { 0 };

	fstat(self->t.store->packs.active->fd, &st);
	return st;
}

/* Between two others: only its whole pages go, and nothing takes its place. */
TEST_F(segment, given_back_between_others)
{
	struct vdfs_record middle;
	struct stat before;
	int i;

	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, write_record(self, i));
	}
	middle = self->record[1];
	ASSERT_EQ(self->record[2].place, middle.place + middle.stored);
	before = file(self);
	vdfs_record_end(self->t.store, &self->record[1], false);
	EXPECT_EQ(0, read_record(self, 0, self->record[0].place));
	EXPECT_EQ(0, read_record(self, 2, self->record[2].place));
	EXPECT_EQ(-EBADMSG, read_record(self, 1, middle.place));
	EXPECT_EQ(before.st_size, file(self).st_size);
	EXPECT_GT(before.st_blocks, file(self).st_blocks);
	/* The next one goes behind the last. */
	ASSERT_EQ(0, write_record(self, 3));
	EXPECT_EQ(self->record[2].place + self->record[2].stored,
		  self->record[3].place);
	for (i = 0; i < 4; i++) {
		EXPECT_EQ(i == 1 ? -EBADMSG : 0,
			  read_record(self, i,
				      i == 1 ? middle.place :
					       self->record[i].place));
	}
}

/* The last one: the next is written over it, behind what is still written. */
TEST_F(segment, given_back_at_the_end)
{
	struct vdfs_record last;
	struct stat before;

	ASSERT_EQ(0, write_record(self, 0));
	ASSERT_EQ(0, write_record(self, 1));
	last = self->record[1];
	before = file(self);
	vdfs_record_end(self->t.store, &self->record[1], false);
	EXPECT_EQ(last.place, self->record[0].segment->end);
	/* Another may write behind it already: the file stays as long. */
	EXPECT_EQ(before.st_size, file(self).st_size);
	EXPECT_EQ(0, read_record(self, 0, self->record[0].place));
	ASSERT_EQ(0, write_record(self, 2));
	EXPECT_EQ(last.place, self->record[2].place);
	EXPECT_EQ(0, read_record(self, 0, self->record[0].place));
	EXPECT_EQ(0, read_record(self, 2, last.place));
	/* Nothing is written any more: the file ends behind what is kept. */
	vdfs_record_end(self->t.store, &self->record[2], false);
	EXPECT_EQ(before.st_size, file(self).st_size);
	ASSERT_EQ(0, write_record(self, 3));
	last = self->record[3];
	vdfs_record_end(self->t.store, &self->record[0], true);
	vdfs_record_end(self->t.store, &self->record[3], false);
	EXPECT_EQ(last.place, self->t.store->packs.active->end);
	EXPECT_EQ(last.place, file(self).st_size);
}

TEST_HARNESS_MAIN
