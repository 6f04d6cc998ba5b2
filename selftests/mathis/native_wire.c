// SPDX-License-Identifier: GPL-2.0-only
/*
 * Items as CBOR between processes: all kinds there and back, and bytes that no
 * one has checked.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <kselftest_harness.h>

#include "buf.h"
#include "wire.h"

static struct mathis_item text(uint32_t kind, const char *t, uint32_t n)
{
	return (struct mathis_item){ .kind = kind, .n = n, .text = t };
}

static bool same(const struct mathis_item *a, const struct mathis_item *b)
{
	size_t parts = mathis_item_parts(a);
	bool equal = a->kind == b->kind && a->aux == b->aux && a->n == b->n;

	if (a->kind == MATHIS_STR || a->kind == MATHIS_BYTES)
		return equal && (!a->n || !memcmp(a->text, b->text, a->n));
	if (!parts)
		return equal &&
		       (a->n || a->kind >= MATHIS_LIST || a->i == b->i);
	for (size_t i = 0; i < parts && equal; i++)
		equal = same(&a->items[i], &b->items[i]);
	return equal;
}

/* One value with all kinds in it. */
static struct mathis_item sample(struct mathis_pool *p)
{
	static const struct mathis_item scalars[] = {
		{ .kind = MATHIS_NONE },
		{ .kind = MATHIS_BOOL, .i = 1 },
		{ .kind = MATHIS_BOOL },
		{ .kind = MATHIS_INT, .i = 23 },
		{ .kind = MATHIS_INT, .i = -1 },
		{ .kind = MATHIS_INT, .i = INT64_MAX },
		{ .kind = MATHIS_INT, .i = INT64_MIN },
		{ .kind = MATHIS_FLOAT, .f = -0.5 },
		{ .kind = MATHIS_CHAR, .i = 0x1f600 },
		{ .kind = MATHIS_CHAR, .i = 'a' },
		{ .kind = MATHIS_HANDLE, .aux = UINT32_MAX, .i = 9 << 24 | 7 },
		{ .kind = MATHIS_FUNC, .aux = 2, .i = 5 },
	};
	struct mathis_item list = mathis_item_seq(p, MATHIS_LIST, 0);
	struct mathis_item map = mathis_item_seq(p, MATHIS_MAP, 0);
	struct mathis_item part;

	for (size_t i = 0; i < sizeof(scalars) / sizeof(*scalars); i++)
		mathis_item_add(p, &list, scalars[i]);
	mathis_item_add(p, &list, text(MATHIS_STR, "z\xc3\xa4", 3));
	mathis_item_add(p, &list, text(MATHIS_BYTES, "\0\xff", 2));
	mathis_item_put(p, &map, "z", mathis_item_int(1));
	mathis_item_put(p, &map, "a", mathis_item_int(2));
	mathis_item_add(p, &list, map);
	for (unsigned int kind = MATHIS_LIST; kind <= MATHIS_ENUM; kind++) {
		if (kind > MATHIS_TUPLE && kind < MATHIS_STRUCT)
			continue;
		if (kind == MATHIS_MAP)
			continue;
		part = mathis_item_seq(p, kind, 0);
		part.aux = kind >= MATHIS_STRUCT ? 70000 : 0;
		mathis_item_add(p, &part, mathis_item_int(3));
		mathis_item_add(p, &part, text(MATHIS_STR, "", 0));
		mathis_item_add(p, &list, part);
	}
	return list;
}

FIXTURE(wire)
{
	struct mathis_pool pool;
	struct mathis_pool other;
	struct mathis_buf buf;
};

FIXTURE_SETUP(wire)
{
	struct mathis_item all;

	mathis_pool_init(&self->pool, 1 << 20);
	mathis_pool_init(&self->other, 1 << 20);
	memset(&self->buf, 0, sizeof(self->buf));
	all = sample(&self->pool);
	ASSERT_EQ(0, mathis_wire_put(&self->buf, &all));
}

FIXTURE_TEARDOWN(wire)
{
	mathis_pool_fini(&self->pool);
	mathis_pool_fini(&self->other);
	mathis_buf_fini(&self->buf);
}

TEST_F(wire, keeps_all_kinds)
{
	struct mathis_item all = sample(&self->pool), got;

	ASSERT_EQ(0, mathis_wire_get(self->buf.data, self->buf.size,
				     &self->other, &got));
	EXPECT_TRUE(same(&all, &got));
}

TEST_F(wire, refuses_every_beginning_of_a_value)
{
	struct mathis_item got;

	for (size_t n = 0; n < self->buf.size; n++) {
		uint8_t *part = malloc(n ?: 1);

		memcpy(part, self->buf.data, n);
		EXPECT_EQ(-EBADMSG,
			  mathis_wire_get(part, n, &self->other, &got));
		free(part);
	}
}

/* Whatever is read can be written, and is the same when read again. */
TEST_F(wire, reads_only_what_can_be_written)
{
	for (size_t bit = 0; bit < self->buf.size * 8; bit++) {
		struct mathis_buf again = { 0 };
		struct mathis_item got, twice;

		self->buf.data[bit / 8] ^= 1 << bit % 8;
		mathis_pool_fini(&self->other);
		mathis_pool_init(&self->other, 1 << 20);
		if (!mathis_wire_get(self->buf.data, self->buf.size,
				     &self->other, &got)) {
			ASSERT_EQ(0, mathis_wire_put(&again, &got));
			ASSERT_EQ(0, mathis_wire_get(again.data, again.size,
						     &self->other, &twice));
			EXPECT_TRUE(same(&got, &twice));
		}
		mathis_buf_fini(&again);
		self->buf.data[bit / 8] ^= 1 << bit % 8;
	}
}

static const struct {
	const char *data;
	size_t n;
} wrong[] = {
	{ "\xa2\x01\x02\x01\x03", 5 }, /* a key twice */
	{ "\xd9\x01\x02\x82\x05\x05", 6 }, /* in a set */
	{ "\x1b\x80\0\0\0\0\0\0\0", 9 }, /* more than an int has */
	{ "\x1c", 1 }, /* a head of no length */
	{ "\x9f\xff", 2 }, /* an end that is marked */
	{ "\x9b\0\0\0\x01\0\0\0\0", 9 }, /* 2^32 items */
	{ "\xbb\0\0\0\x01\0\0\0\0", 9 },
	{ "\x61\xff", 2 }, /* no UTF-8 */
	{ "\xd9\x4d\x06\x62\x61\x61", 6 }, /* two characters */
	{ "\xd9\x4d\x05\x82\x01\x01", 6 }, /* half a handle */
	{ "\xd9\x4d\x05\x83\x19\x01\0\x01\x01", 9 }, /* of kind 256 */
	{ "\xd9\x4d\x04\x82\x1a\x80\0\0\0\x01", 10 }, /* slot 2^31 */
	{ "\xd9\x4d\x03\x81\x01", 5 }, /* an enum without a number */
	{ "\xd9\x4d\x03\x82\x01\x61\x61", 7 }, /* or with a text for one */
	{ "\xd9\x4d\x02\x80", 4 }, /* a struct without a type */
	{ "\xc0\x01", 2 }, /* a tag that nothing has */
	{ "\xf7", 1 }, /* undefined */
	{ "\xf9\x3c\0", 3 }, /* a float of 16 bits */
	{ "\x01\x01", 2 }, /* two values */
};

TEST_F(wire, refuses_what_it_does_not_write)
{
	struct mathis_item got;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		EXPECT_EQ(-EBADMSG, mathis_wire_get(wrong[i].data, wrong[i].n,
						    &self->other, &got))
		{
			TH_LOG("value %zu", i);
		}
	}
}

TEST_F(wire, limits_depth_and_memory)
{
	struct mathis_item got;
	uint8_t deep[100];

	memset(deep, 0x81, sizeof(deep));
	deep[sizeof(deep) - 1] = 1;
	EXPECT_EQ(-E2BIG,
		  mathis_wire_get(deep, sizeof(deep), &self->other, &got));
	EXPECT_EQ(0, mathis_wire_get(deep + sizeof(deep) - 65, 65, &self->other,
				     &got));
	mathis_pool_fini(&self->other);
	mathis_pool_init(&self->other, 64);
	EXPECT_EQ(-ENOMEM, mathis_wire_get(self->buf.data, self->buf.size,
					   &self->other, &got));
}

TEST_HARNESS_MAIN
