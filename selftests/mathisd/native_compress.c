// SPDX-License-Identifier: GPL-2.0-only
/*
 * 0x1328 and 0x1329: compression beside python3 and zstd(1), and bombs.
 */
#include <kselftest_harness.h>

#include "hex.h"

FIXTURE(compress)
{
	struct dispatch d;
};

FIXTURE_SETUP(compress)
{
	ASSERT_TRUE(dispatch_init(&self->d));
}

FIXTURE_TEARDOWN(compress)
{
	dispatch_fini(&self->d);
	hex_free();
}

#define DO(...) CALL(&self->d, __VA_ARGS__)

static const char *const kinds[] = { "gzip", "zlib", "deflate", "zstd",
				     "brotli" };
#define KINDS (sizeof(kinds) / sizeof(*kinds))

/* Bytes that no one can make shorter. */
static struct mathis_item noise(size_t n)
{
	struct mathis_item item = hex_repeat(0, n);
	uint32_t x = 1;

	for (size_t i = 0; i < n; i++) {
		x = x * 1664525 + 1013904223;
		((char *)item.text)[i] = (char)(x >> 24);
	}
	return item;
}

TEST_F(compress, compress_and_decompress_each_kind)
{
	struct mathis_item texts[] = { STR(""), STR("a"), hex_repeat('x', 5000),
				       noise(300000) };
	struct mathis_item packed;

	for (size_t k = 0; k < KINDS; k++) {
		for (size_t t = 0; t < 4; t++) {
			for (int level = 1; level <= 9; level += 4) {
				ASSERT_EQ(0, DO("compress", texts[t],
						STR(kinds[k]), INT(level)));
				packed = hex_keep(&RESULT);
				EXPECT_GE(texts[t].n + 5000, packed.n);
				ASSERT_EQ(0, DO("decompress", packed,
						STR(kinds[k])));
				EXPECT_TRUE(hex_same(&RESULT, &texts[t]));
			}
		}
		EXPECT_EQ(0, DO("compress", texts[2], STR(kinds[k])));
		EXPECT_GT(200, RESULT.n);
	}
	EXPECT_EQ(MATHIS_UNSUPPORTED, DO("compress", STR("a"), STR("lzma")));
	EXPECT_EQ(MATHIS_UNSUPPORTED,
		  DO("decompress", BYTES("a", 1), STR("lzma")));
}

TEST_F(compress, decompress_has_limits_of_bytes)
{
	struct mathis_item text = noise(70000), packed;

	for (size_t k = 0; k < KINDS; k++) {
		ASSERT_EQ(0, DO("compress", text, STR(kinds[k])));
		packed = hex_keep(&RESULT);
		EXPECT_EQ(0,
			  DO("decompress", packed, STR(kinds[k]), INT(70000)));
		EXPECT_EQ(MATHIS_TOO_LARGE,
			  DO("decompress", packed, STR(kinds[k]), INT(69999)));
		EXPECT_EQ(MATHIS_TOO_LARGE,
			  DO("decompress", packed, STR(kinds[k]), INT(0)));
		ASSERT_EQ(0, DO("compress", STR(""), STR(kinds[k])));
		packed = hex_keep(&RESULT);
		EXPECT_EQ(0, DO("decompress", packed, STR(kinds[k]), INT(0)));
	}
}

TEST_F(compress, decompress_refuses_bombs)
{
	struct mathis_item zeros = hex_repeat(0, 16 << 20), packed;

	for (size_t k = 0; k < KINDS; k++) {
		ASSERT_EQ(0, DO("compress", zeros, STR(kinds[k])));
		packed = hex_keep(&RESULT);
		EXPECT_GT(65536, packed.n);
		EXPECT_EQ(MATHIS_TOO_LARGE,
			  DO("decompress", packed, STR(kinds[k])));
		/* What is small is none. */
		ASSERT_EQ(0, DO("compress", BYTES(zeros.text, 65536),
				STR(kinds[k])));
		packed = hex_keep(&RESULT);
		EXPECT_EQ(0, DO("decompress", packed, STR(kinds[k])));
	}
}

TEST_F(compress, decompress_refuses_what_is_damaged)
{
	struct mathis_item text = noise(3000), packed;
	char *long_one;

	for (size_t k = 0; k < KINDS; k++) {
		ASSERT_EQ(0, DO("compress", text, STR(kinds[k])));
		packed = hex_keep(&RESULT);
		for (uint32_t n = 0; n < packed.n; n += n < 20 ? 1 : 500) {
			EXPECT_EQ(MATHIS_FORMAT,
				  DO("decompress", BYTES(packed.text, n),
				     STR(kinds[k])))
			{
				TH_LOG("%s cut to %u", kinds[k], n);
			}
		}
		long_one = (char *)hex_repeat(0x55, packed.n + 9UL).text;
		memcpy(long_one, packed.text, packed.n);
		EXPECT_EQ(MATHIS_FORMAT,
			  DO("decompress", BYTES(long_one, packed.n + 9),
			     STR(kinds[k])));
		/* The sums of gzip and zlib see a changed byte. */
		((char *)packed.text)[packed.n - 1] ^= 1;
		if (k < 2)
			EXPECT_EQ(MATHIS_FORMAT,
				  DO("decompress", packed, STR(kinds[k])));
	}
	/* A frame of zstd that wants a window of 2 GiB. */
	EXPECT_EQ(MATHIS_FORMAT,
		  DO("decompress", hex("28b52ffd00a8010000"), STR("zstd")));
}

TEST_F(compress, gzip_and_zstd_are_those_of_others)
{
	struct mathis_item text = noise(100000), packed;

	hex_save(&self->d, "in", text);
	ASSERT_EQ(0, DO("compress", text, STR("gzip")));
	packed = hex_keep(&RESULT);
	hex_save(&self->d, "out.gz", packed);
	EXPECT_EQ(0, dispatch_shell(&self->d, "gzip -dc out.gz | cmp - in"));
	ASSERT_EQ(0, DO("compress", text, STR("zstd")));
	packed = hex_keep(&RESULT);
	hex_save(&self->d, "out.zst", packed);
	EXPECT_EQ(0, dispatch_shell(&self->d, "zstd -qdc out.zst | cmp - in"));
	/* Two members, and two frames. */
	ASSERT_EQ(0, dispatch_shell(&self->d,
				    "(head -c 50000 in | gzip -c;"
				    " tail -c 50000 in | gzip -c) >two.gz"));
	packed = hex_load(&self->d, "two.gz");
	ASSERT_EQ(0, DO("decompress", packed, STR("gzip")));
	EXPECT_TRUE(hex_same(&RESULT, &text));
	ASSERT_EQ(0, dispatch_shell(&self->d,
				    "(head -c 50000 in | zstd -qc;"
				    " tail -c 50000 in | zstd -qc) >two.zst"));
	packed = hex_load(&self->d, "two.zst");
	ASSERT_EQ(0, DO("decompress", packed, STR("zstd")));
	EXPECT_TRUE(hex_same(&RESULT, &text));
	ASSERT_EQ(0, dispatch_shell(
			     &self->d,
			     "python3 -c 'import zlib\n"
			     "t = open(\"in\", \"rb\").read()\n"
			     "open(\"z\", \"wb\").write(zlib.compress(t))'"));
	packed = hex_load(&self->d, "z");
	ASSERT_EQ(0, DO("decompress", packed, STR("zlib")));
	EXPECT_TRUE(hex_same(&RESULT, &text));
}

TEST_HARNESS_MAIN
