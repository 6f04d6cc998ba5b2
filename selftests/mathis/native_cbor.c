// SPDX-License-Identifier: GPL-2.0-only
/*
 * Values as CBOR: bytes that RFC 8949 lists in its appendix A, values of all
 * kinds there and back, and bytes that are refused.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kselftest_harness.h>

#include "cbor.h"
#include "sample.h"

FIXTURE(cbor)
{
	struct mathis_module *module;
	struct mathis_machine *m;
};

FIXTURE_SETUP(cbor)
{
	ASSERT_EQ(0,
		  sample_load(".types:\n.struct S\nx: i64\ny: i64 = 1\n.end\n"
			      ".enum E\nA = 5\nB(v: str)\n.end\n"
			      ".func main\nCONST_NONE RET\n.end",
			      &self->module));
	ASSERT_EQ(0, mathis_machine_new(self->module, NULL, NULL, &self->m));
}

FIXTURE_TEARDOWN(cbor)
{
	mathis_machine_free(self->m);
	mathis_unload(self->module);
}

static size_t from_hex(const char *hex, uint8_t *out)
{
	size_t n = 0;

	for (; hex[0] && hex[1]; hex += 2) {
		char byte[3] = { hex[0], hex[1] };

		out[n++] = strtoul(byte, NULL, 16);
	}
	return n;
}

/* Decode an exact copy, so that a read past it is seen. */
static int decode(struct mathis_machine *m, const uint8_t *data, size_t n,
		  struct mathis_value *v)
{
	uint8_t *copy = malloc(n ?: 1);
	int ret;

	memcpy(copy, data, n);
	ret = mathis_decode(m, copy, n, v);
	free(copy);
	return ret;
}

/* The item, and the value as mathis_show() prints it. */
static const char *const pairs[][2] = {
	{ "00", "0" },
	{ "17", "23" },
	{ "1818", "24" },
	{ "1903e8", "1000" },
	{ "1b000000e8d4a51000", "1000000000000" },
	{ "1b7fffffffffffffff", "9223372036854775807" },
	{ "20", "-1" },
	{ "3903e7", "-1000" },
	{ "3b7fffffffffffffff", "-9223372036854775808" },
	{ "fb3ff199999999999a", "1.1000000000000001" },
	{ "fb7ff0000000000000", "inf" },
	{ "f4", "false" },
	{ "f5", "true" },
	{ "f6", "none" },
	{ "4401020304", "bytes(4)" },
	{ "6449455446", "\"IETF\"" },
	{ "62c3bc", "\"\xc3\xbc\"" },
	{ "80", "[]" },
	{ "83010203", "[1, 2, 3]" },
	{ "8301820203820405", "[1, [2, 3], [4, 5]]" },
	{ "a0", "{}" },
	{ "a201020304", "{1: 2, 3: 4}" },
	{ "a26161016162820203", "{\"a\": 1, \"b\": [2, 3]}" },
	{ "d94d01820102", "(1, 2)" },
	{ "d90102820102", "{1, 2}" },
	{ "d94d02831901000708", "struct(7, 8)" },
	{ "d94d038219010105", "enum 5" },
	{ "d94d0383190101016161", "enum 1(\"a\")" },
	{ "d94d038318410007", "Ok(7)" },
	{ "d94d05830207182a", "handle" },
	{ "d94d06617a", "'\\u{7a}'" },
	{ "d94d0662c3a9", "'\\u{e9}'" },
};

TEST_F(cbor, goes_there_and_back)
{
	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
		struct mathis_value v;
		uint8_t data[64];
		char text[256];
		void *again;
		size_t n = from_hex(pairs[i][0], data);
		size_t size;

		self->m->stress = i & 1;
		ASSERT_EQ(0, decode(self->m, data, n, &v))
		{
			TH_LOG("%s", pairs[i][0]);
		}
		mathis_show(v, text, sizeof(text));
		EXPECT_STREQ(pairs[i][1], text);
		ASSERT_EQ(0, mathis_encode(v, &again, &size));
		EXPECT_EQ(n, size);
		EXPECT_EQ(0, memcmp(data, again, n));
		free(again);
		/* Every item that is cut off is refused. */
		while (n--)
			EXPECT_EQ(-EBADMSG, decode(self->m, data, n, &v));
	}
}

TEST_F(cbor, reads_shorter_floats)
{
	static const char *const shorter[][2] = {
		{ "f93e00", "1.5" },	 { "f90001", "5.9604644775390625e-08" },
		{ "f9c400", "-4.0" },	 { "f97c00", "inf" },
		{ "f97e00", "nan" },	 { "fa47c35000", "100000.0" },
		{ "f97bff", "65504.0" },
	};

	for (size_t i = 0; i < sizeof(shorter) / sizeof(*shorter); i++) {
		struct mathis_value v;
		uint8_t data[16];
		char text[64];

		ASSERT_EQ(0, decode(self->m, data,
				    from_hex(shorter[i][0], data), &v));
		mathis_show(v, text, sizeof(text));
		EXPECT_STREQ(shorter[i][1], text);
	}
}

TEST_F(cbor, refuses_all_else)
{
	static const char *const wrong[] = {
		"0000", /* two items */
		"1817", /* a head that could be shorter */
		"190018",
		"1a0000ffff",
		"1b00000000ffffffff",
		"1b8000000000000000", /* past an i64 */
		"3b8000000000000000",
		"1c", /* reserved */
		"5f4100ff", /* of no known length */
		"9fff",
		"bfff",
		"62c328", /* no UTF-8 */
		"f7", /* undefined */
		"f0",
		"f818",
		"a201020102", /* a key twice */
		"a203040102", /* keys out of order */
		"a1f600", /* no key */
		"a18000",
		"a1fb7ff800000000000000",
		"d90102820201", /* a set out of order */
		"c000", /* other tags */
		"d94d0700",
		"d94d0101", /* no array */
		"d94d028219010007", /* a struct of one field */
		"d94d028319010507",
		"d94d02831901010708",
		"d94d038219010106", /* no such variant */
		"d94d038219010101", /* a variant without its value */
		"d94d03831901010500",
		"d94d0382184100",
		"d94d038318410207",
		"d94d05820102",
		"d94d058319010007182a",
		"d94d0660",
		"d94d06626161",
		"9bffffffffffffffff", /* more than there is */
		"bbffffffffffffffff",
		"7bffffffffffffffff",
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		struct mathis_value v;
		uint8_t data[64];

		EXPECT_EQ(-EBADMSG,
			  decode(self->m, data, from_hex(wrong[i], data), &v))
		{
			TH_LOG("%s", wrong[i]);
		}
		EXPECT_EQ(MATHIS_NONE, v.kind);
	}
}

TEST_F(cbor, sorts_keys)
{
	struct mathis_value map, key;
	static const char *const keys[] = { "b", "aa", "a", "" };
	static const uint8_t want[] = { 0xa5, 0x09, 0, 0x60, 3,	  0x61, 'a', 2,
					0x61, 'b',  0, 0x62, 'a', 'a',	1 };
	void *data;
	size_t size;

	ASSERT_EQ(0, mathis_make_map(self->m, MATHIS_MAP, &map));
	mathis_keep(self->m, map);
	for (int i = 0; i < 4; i++) {
		mathis_new_str(self->m, keys[i], strlen(keys[i]), &key);
		mathis_map_set(self->m, mathis_map_of(map), key,
			       MATHIS_V(MATHIS_INT, i));
	}
	mathis_map_set(self->m, mathis_map_of(map), MATHIS_V(MATHIS_INT, 9),
		       MATHIS_V(MATHIS_INT, 0));
	ASSERT_EQ(0, mathis_encode(map, &data, &size));
	EXPECT_EQ(sizeof(want), size);
	EXPECT_EQ(0, memcmp(want, data, size));
	free(data);
}

TEST_F(cbor, limits_depth_and_size)
{
	struct mathis_value v;
	uint8_t deep[100];
	void *data;
	size_t size;

	memset(deep, 0x81, sizeof(deep));
	deep[64] = 0;
	ASSERT_EQ(0, decode(self->m, deep, 65, &v));
	EXPECT_EQ(0, mathis_encode(v, &data, &size));
	free(data);
	deep[64] = 0x81;
	deep[65] = 0;
	EXPECT_EQ(-EBADMSG, decode(self->m, deep, 66, &v));
	/* A list inside of itself. */
	ASSERT_EQ(0, mathis_new_list(self->m, &v));
	ASSERT_EQ(0, mathis_list_add(self->m, v, v));
	EXPECT_EQ(-E2BIG, mathis_encode(v, &data, &size));
	EXPECT_EQ(NULL, data);
	ASSERT_EQ(0, mathis_make_text(self->m, MATHIS_BYTES, NULL,
				      (16 << 20) + 1, &v));
	EXPECT_EQ(-E2BIG, mathis_encode(v, &data, &size));
	EXPECT_EQ(-E2BIG, mathis_decode(self->m, mathis_text(v, &size),
					(16 << 20) + 1, &v));
}

TEST_F(cbor, leaves_inner_things_inside)
{
	static const uint8_t kinds[] = { MATHIS_FUNC, MATHIS_PTR, MATHIS_TASK,
					 MATHIS_CHANNEL, MATHIS_ITERATOR };
	void *data;
	size_t size;

	for (size_t i = 0; i < sizeof(kinds); i++)
		EXPECT_EQ(-EINVAL,
			  mathis_encode(MATHIS_V(kinds[i], 0), &data, &size));
}

/* Bytes by chance, and items with a byte changed. */
TEST_F(cbor, bytes_by_chance_do_no_harm)
{
	uint64_t state = 1;
	unsigned int good = 0;

	self->m->limits.heap = 1 << 20;
	for (int i = 0; i < 20000; i++) {
		const char *hex =
			pairs[i % (sizeof(pairs) / sizeof(*pairs))][0];
		struct mathis_value v;
		uint8_t data[64];
		size_t n = from_hex(hex, data);
		size_t size;
		void *again;

		state = state * 6364136223846793005ULL + 1442695040888963407ULL;
		data[(state >> 33) % n] = state >> 45;
		if (decode(self->m, data, n, &v))
			continue;
		good++;
		ASSERT_EQ(0, mathis_encode(v, &again, &size));
		free(again);
		self->m->n_kept = 0;
	}
	EXPECT_LE(1000, good);
}

TEST_F(cbor, memory_that_runs_out_is_an_error)
{
	uint8_t data[64];
	struct mathis_value v;
	size_t n;
	int ret;

	n = from_hex("a36161d94d01820161626162d90102820102616443010203", data);
	EXPECT_EQ(0, decode(self->m, data, n, &v));
	for (unsigned long at = 1;; at++) {
		size_t size;
		void *again;

		sample_requests = 0;
		sample_fail_at = at;
		ret = mathis_decode(self->m, data, n, &v);
		if (!ret)
			ret = mathis_encode(v, &again, &size);
		sample_fail_at = 0;
		if (!ret)
			free(again);
		if (sample_requests < at)
			break;
		EXPECT_EQ(-ENOMEM, ret);
	}
	EXPECT_EQ(0, ret);
}

TEST_HARNESS_MAIN
