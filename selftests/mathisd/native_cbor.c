// SPDX-License-Identifier: GPL-2.0-only
/*
 * 0x1310 and 0x1311: CBOR, by the examples of RFC 8949, appendix A.
 */
#include <kselftest_harness.h>
#include <math.h>

#include "hex.h"

FIXTURE(cbor)
{
	struct dispatch d;
};

FIXTURE_SETUP(cbor)
{
	ASSERT_TRUE(dispatch_init(&self->d));
}

FIXTURE_TEARDOWN(cbor)
{
	dispatch_fini(&self->d);
	hex_free();
}

#define DO(...) CALL(&self->d, __VA_ARGS__)

/* Decode with unknown tags passed over, then encode what came out. */
static int again(struct dispatch *d, const char *digits)
{
	struct mathis_item pair[] = { STR("tags"), BOOL(true) };
	struct mathis_item args[] = {
		hex(digits), { .kind = MATHIS_MAP, .n = 1, .items = pair }
	};
	struct md_call *c = dispatch_begin(d, "cbor_decode", args, 2);
	int ret = dispatch_wait(d, c);

	if (!ret)
		ret = CALL(d, "cbor_encode", c->result);
	else
		fprintf(stderr, "# %s: %s\n", digits, c->message);
	md_call_put(c);
	return ret;
}

/* Values that have one encoding, which is read and written. */
static const char *const same[] = {
	"00",
	"01",
	"0a",
	"17",
	"1818",
	"1819",
	"1864",
	"1903e8",
	"1a000f4240",
	"1b000000e8d4a51000",
	"1b7fffffffffffffff",
	"20",
	"29",
	"3863",
	"3903e7",
	"3b7fffffffffffffff",
	"fb3ff199999999999a",
	"fb7e37e43c8800759c",
	"fbc010666666666666",
	"f4",
	"f5",
	"f6",
	"40",
	"4401020304",
	"60",
	"6161",
	"6449455446",
	"62225c",
	"62c3bc",
	"63e6b0b4",
	"64f0908591",
	"80",
	"83010203",
	"8301820203820405",
	"98190102030405060708090a0b0c0d0e0f101112131415161718181819",
	"a0",
	"a201020304",
	"a26161016162820203",
	"826161a161626163",
	"a56161614161626142616361436164614461656145",
	/* Tuple, set and char of MATHIS. */
	"d94d01820102",
	"d901028301026161",
	"d94d066161",
	"d94d0664f0908591",
};

TEST_F(cbor, cbor_round_trips_appendix_a)
{
	static const char *const other[][2] = {
		{ "f90000", "fb0000000000000000" },
		{ "f98000", "fb8000000000000000" },
		{ "f93c00", "fb3ff0000000000000" },
		{ "f93e00", "fb3ff8000000000000" },
		{ "f97bff", "fb40effc0000000000" },
		{ "fa47c35000", "fb40f86a0000000000" },
		{ "fa7f7fffff", "fb47efffffe0000000" },
		{ "f90001", "fb3e70000000000000" },
		{ "f90400", "fb3f10000000000000" },
		{ "f9c400", "fbc010000000000000" },
		{ "f97c00", "fb7ff0000000000000" },
		{ "f97e00", "fb7ff8000000000000" },
		{ "fbfff8000000000001", "fb7ff8000000000000" },
		{ "faff800000", "fbfff0000000000000" },
		{ "f7", "f6" },
		{ "1800", "00" },
		{ "1b0000000000000001", "01" },
		{ "c11a514b67b0", "1a514b67b0" },
		{ "d74401020304", "4401020304" },
		{ "d9d9f700", "00" },
		{ "5f42010243030405ff", "450102030405" },
		{ "7f657374726561646d696e67ff", "6973747265616d696e67" },
		{ "9fff", "80" },
		{ "9f018202039f0405ffff", "8301820203820405" },
		{ "83018202039f0405ff", "8301820203820405" },
		{ "bf61610161629f0203ffff", "a26161016162820203" },
		{ "a203040102", "a201020304" },
		{ "bf6346756ef563416d7421ff", "a263416d74216346756ef5" },
	};

	for (size_t i = 0; i < sizeof(same) / sizeof(*same); i++) {
		EXPECT_EQ(0, again(&self->d, same[i]));
		EXPECT_TRUE(hex_is(&RESULT, same[i]))
		{
			TH_LOG("%s", same[i]);
		}
	}
	for (size_t i = 0; i < sizeof(other) / sizeof(*other); i++) {
		EXPECT_EQ(0, again(&self->d, other[i][0]));
		EXPECT_TRUE(hex_is(&RESULT, other[i][1]))
		{
			TH_LOG("%s", other[i][0]);
		}
	}
}

TEST_F(cbor, cbor_decode_refuses_what_is_not_well_formed)
{
	static const char *const bad[] = {
		"",
		"18",
		"1901",
		"1a010203",
		"1b01020304050607",
		"1c",
		"1f",
		"3f",
		"41",
		"6261",
		"61ff",
		"62c0af",
		"81",
		"8201",
		"a1",
		"a101",
		"a20102",
		"9f01",
		"bf01ff",
		"bf0102",
		"ff",
		"5f",
		"5f6161ff",
		"7f4161ff",
		"5f5f4101ffff",
		"7f61c361bcff",
		"df00",
		"0000",
		"9bffffffffffffffff",
		"bbffffffffffffffff",
		"5bffffffffffffffff",
		"a201020103",
		"a2616101616102",
		"d90102820101",
		"d9010201",
		"d94d0101",
		"d94d0660",
		"d94d06626162",
		"d94d0601",
		"d94d06",
		"81ff",
	};
	static const struct {
		const char *digits;
		int code;
	} other[] = {
		{ "1b8000000000000000", MATHIS_ARG_RANGE },
		{ "3b8000000000000000", MATHIS_ARG_RANGE },
		{ "c249010000000000000000", MATHIS_UNSUPPORTED },
		{ "c101", MATHIS_UNSUPPORTED },
		{ "f0", MATHIS_UNSUPPORTED },
		{ "f818", MATHIS_UNSUPPORTED },
		{ "a18001", MATHIS_UNSUPPORTED },
		{ "a1f93c0001", MATHIS_UNSUPPORTED },
		{ "d94d028100", MATHIS_UNSUPPORTED },
		{ "d94d0583000000", MATHIS_UNSUPPORTED },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		EXPECT_EQ(MATHIS_FORMAT, DO("cbor_decode", hex(bad[i])))
		{
			TH_LOG("%s", bad[i]);
		}
	}
	for (size_t i = 0; i < sizeof(other) / sizeof(*other); i++) {
		EXPECT_EQ(other[i].code,
			  DO("cbor_decode", hex(other[i].digits)))
		{
			TH_LOG("%s: %s", other[i].digits, MESSAGE);
		}
	}
}

TEST_F(cbor, cbor_has_limits)
{
	struct mathis_item deep = hex_repeat(0x81, 65), big;
	struct mathis_item handle = { .kind = MATHIS_STRUCT };

	((char *)deep.text)[64] = 0;
	EXPECT_EQ(0, DO("cbor_decode", deep));
	EXPECT_EQ(MATHIS_TOO_LARGE, DO("cbor_decode", hex_repeat(0x81, 66)));
	EXPECT_EQ(MATHIS_TOO_LARGE,
		  DO("cbor_decode", hex_repeat(0x9f, 1 << 20)));
	/* 16 MiB of items would take 256 MiB. */
	big = hex_repeat(0, 16 << 20);
	memcpy((char *)big.text, "\x9a\x00\xff\xff\xfb", 5);
	EXPECT_EQ(MATHIS_OUT_OF_MEMORY, DO("cbor_decode", big));
	EXPECT_EQ(MATHIS_TOO_LARGE, DO("cbor_encode", big));
	EXPECT_EQ(MATHIS_ARG_TYPE, DO("cbor_encode", handle));
}

TEST_HARNESS_MAIN
