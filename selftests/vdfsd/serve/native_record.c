// SPDX-License-Identifier: GPL-2.0-only
/*
 * Items off the wire: good ones are read as they were meant, and no others
 * are; what a hostile client may write is read within its bounds.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <kselftest_harness.h>

#include "daemons/vdfsd/serve/record_impl.h"

#define DIM 3
#define ROUNDS 200000

/* Write a record; returns its length. */
static size_t write_record(char *to, const char *key, uint32_t dim,
			   const char *metadata)
{
	struct phi_vdfs_record r = { .dim = dim };
	char *p = to + sizeof(r);
	uint32_t i;

	r.key_len = strlen(key);
	r.metadata_len = metadata ? strlen(metadata) : 0;
	r.bytes =
		(sizeof(r) + dim * 4 + r.key_len + 1 + r.metadata_len + 1 + 7) &
		~7U;
	memset(to, 0, r.bytes);
	memcpy(to, &r, sizeof(r));
	for (i = 0; i < dim; i++) {
		float f = (float)i;

		memcpy(p + 4 * i, &f, 4);
	}
	p += dim * 4;
	memcpy(p, key, r.key_len);
	p += r.key_len + 1;
	if (metadata)
		memcpy(p, metadata, r.metadata_len);
	return r.bytes;
}

TEST(good_ones_are_read)
{
	struct vdfs_item *items;
	char wire[256] __attribute__((aligned(8)));
	size_t len, n;

	len = write_record(wire, "key", DIM, "{\"a\":1}");
	len += write_record(wire + len, "k", 0, NULL);
	ASSERT_EQ(0, vdfsd_records_read(wire, len, &items, &n));
	ASSERT_EQ(2, n);
	EXPECT_STREQ("key", items[0].key);
	EXPECT_EQ(DIM, items[0].dim);
	EXPECT_EQ(2, items[0].vector[2]);
	EXPECT_STREQ("{\"a\":1}", items[0].metadata);
	EXPECT_STREQ("k", items[1].key);
	EXPECT_EQ(NULL, items[1].vector);
	EXPECT_EQ(NULL, items[1].metadata);
	free(items);
}

TEST(lengths_must_be_those_of_what_is_there)
{
	char good[128] __attribute__((aligned(8))), wire[128];
	size_t len = write_record(good, "key", DIM, "{}"), bytes, i;
	static const uint32_t wrong[] = {
		0, 1, 7, 8, 64, 1 << 30, UINT32_MAX - 7, UINT32_MAX
	};
	uint32_t *fields = (uint32_t *)wire;
	struct vdfs_item item;

	ASSERT_EQ(0, vdfsd_record_read(good, len, &item, &bytes));
	EXPECT_EQ(len, bytes);
	EXPECT_EQ(-EINVAL, vdfsd_record_read(good, len - 1, &item, &bytes));
	EXPECT_EQ(-EINVAL, vdfsd_record_read(good, 3, &item, &bytes));
	/* Each of the six numbers by itself. */
	for (i = 0; i < 6 * sizeof(wrong) / sizeof(*wrong); i++) {
		memcpy(wire, good, sizeof(wire));
		if (fields[i % 6] == wrong[i / 6])
			continue;
		fields[i % 6] = wrong[i / 6];
		EXPECT_EQ(-EINVAL, vdfsd_record_read(wire, len, &item, &bytes))
		{
			TH_LOG("field %zu is %u", i % 6, wrong[i / 6]);
		}
	}
	/* A NUL within, and none at an end. */
	memcpy(wire, good, sizeof(wire));
	wire[sizeof(struct phi_vdfs_record) + DIM * 4 + 1] = '\0';
	EXPECT_EQ(-EINVAL, vdfsd_record_read(wire, len, &item, &bytes));
	memcpy(wire, good, sizeof(wire));
	wire[sizeof(struct phi_vdfs_record) + DIM * 4 + 3] = 'x';
	EXPECT_EQ(-EINVAL, vdfsd_record_read(wire, len, &item, &bytes));
}

/* Use all of an item, so that a sanitizer sees where it reaches. */
static size_t use(const struct vdfs_item *item)
{
	size_t sum = strlen(item->key);
	uint32_t i;

	sum += item->metadata ? strlen(item->metadata) : 0;
	for (i = 0; item->vector && i < item->dim; i++)
		sum += item->vector[i] > 0;
	return sum;
}

TEST(noise_stays_within_its_bounds)
{
	unsigned int seed = 1, round, changes;
	struct vdfs_item *items;
	size_t len, n, i, sum = 0, good = 0;
	char *wire;

	for (round = 0; round < ROUNDS; round++) {
		/* Exactly as long as it is, so that one byte more is seen. */
		char draft[512] __attribute__((aligned(8)));

		len = write_record(draft, "key", rand_r(&seed) % 8,
				   "{\"a\":1}");
		len += write_record(draft + len, "other", 2, NULL);
		wire = malloc(len);
		memcpy(wire, draft, len);
		for (changes = rand_r(&seed) % 4; changes; changes--)
			wire[rand_r(&seed) % len] = (char)rand_r(&seed);
		n = 0;
		if (!vdfsd_records_read(wire, len, &items, &n)) {
			for (i = 0; i < n; i++)
				sum += use(&items[i]);
			free(items);
			good++;
		}
		free(wire);
	}
	EXPECT_LT(0, sum);
	/* Not all of it was noise, and not all was good. */
	EXPECT_LT(ROUNDS / 8, good);
	EXPECT_GT(ROUNDS, good);
}

TEST_HARNESS_MAIN
