// SPDX-License-Identifier: GPL-2.0-only
/*
 * 0x0900 to 0x0915, 0x093A, 0x0940 to 0x0943: digests, MACs, encryption, secrets
 * and randomness, by the vectors of their standards and beside openssl.
 */
#include <kselftest_harness.h>
#include <sys/resource.h>

#include "hex.h"

FIXTURE(crypto)
{
	struct dispatch d;
};

FIXTURE_SETUP(crypto)
{
	ASSERT_TRUE(dispatch_init(&self->d));
}

FIXTURE_TEARDOWN(crypto)
{
	dispatch_fini(&self->d);
	hex_free();
}

#define DO(...) CALL(&self->d, __VA_ARGS__)
#define IS(...) hex_is(&RESULT, __VA_ARGS__)

/* A map of two options; a key of NULL is left out. */
static struct mathis_item opts(struct mathis_item *room, const char *a,
			       struct mathis_item va, const char *b,
			       struct mathis_item vb)
{
	struct mathis_item map = { .kind = MATHIS_MAP, .items = room };

	if (a) {
		room[2 * map.n] = STR(a);
		room[2 * map.n++ + 1] = va;
	}
	if (b) {
		room[2 * map.n] = STR(b);
		room[2 * map.n++ + 1] = vb;
	}
	return map;
}

/* FIPS 180-4 examples: "abc", and nothing. */
TEST_F(crypto, digests)
{
	ASSERT_EQ(0, DO("crypto_sha256", STR("abc")));
	EXPECT_TRUE(IS("ba7816bf8f01cfea414140de5dae2223",
		       "b00361a396177a9cb410ff61f20015ad"));
	ASSERT_EQ(0, DO("crypto_sha256", BYTES("", 0)));
	EXPECT_TRUE(IS("e3b0c44298fc1c149afbf4c8996fb924",
		       "27ae41e4649b934ca495991b7852b855"));
	ASSERT_EQ(0, DO("crypto_sha384", STR("abc")));
	EXPECT_TRUE(IS("cb00753f45a35e8bb5a03d699ac65007272c32ab0eded163",
		       "1a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7"));
	ASSERT_EQ(0, DO("crypto_sha512", STR("abc")));
	EXPECT_TRUE(IS("ddaf35a193617abacc417349ae20413112e6fa4e89a97ea2",
		       "0a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd",
		       "454d4423643ce80e2a9ac94fa54ca49f"));
	ASSERT_EQ(0, DO("crypto_hash", STR("sha3-256"), STR("abc")));
	EXPECT_TRUE(IS("3a985da74fe225b2045c172d6bd390bd",
		       "855f086e3e9d525b46bfe24511431532"));
	ASSERT_EQ(0, DO("crypto_hash", STR("md5"), STR("abc")));
	EXPECT_TRUE(IS("900150983cd24fb0d6963f7d28e17f72"));
	EXPECT_EQ(MATHIS_UNSUPPORTED, DO("crypto_hash", STR("md4"), STR("x")));
	EXPECT_EQ(MATHIS_UNSUPPORTED, DO("crypto_hash", STR(""), STR("x")));
}

TEST_F(crypto, digests_as_openssl_does)
{
	static const char *const names[] = {
		"sha1",	      "sha224",	  "sha256",   "sha384",	  "sha512",
		"sha512-256", "sha3-224", "sha3-256", "sha3-384", "sha3-512"
	};
	struct mathis_item data = hex_repeat('x', 1000);
	char command[256];

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		ASSERT_EQ(0, DO("crypto_hash", STR(names[i]), data));
		ASSERT_EQ(0, DO("io_write_file_bin", STR("hash"),
				hex_keep(&RESULT)));
		snprintf(command, sizeof(command),
			 "head -c 1000 /dev/zero | tr '\\0' x |\n"
			 "openssl dgst -%s -binary | cmp - hash",
			 names[i]);
		EXPECT_EQ(0, dispatch_shell(&self->d, command))
		{
			TH_LOG("%s", names[i]);
		}
	}
}

/* test_vectors.json of BLAKE3: the first 32 bytes of the three outputs. */
static const struct {
	size_t n;
	const char *hash, *keyed, *derived;
} blake3[] = {
	{ 0, "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
	  "92b2b75604ed3c761f9d6f62392c8a9227ad0ea3f09573e783f1498a4ed60d26",
	  "2cc39783c223154fea8dfb7c1b1660f2ac2dcbd1c1de8277b0b0dd39b7e50d7d" },
	{ 1, "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213",
	  "6d7878dfff2f485635d39013278ae14f1454b8c0a3a2d34bc1ab38228a80c95b",
	  "b3e2e340a117a499c6cf2398a19ee0d29cca2bb7404c73063382693bf66cb06c" },
	{ 1023,
	  "10108970eeda3eb932baac1428c7a2163b0e924c9a9e25b35bba72b28f70bd11",
	  "c951ecdf03288d0fcc96ee3413563d8a6d3589547f2c2fb36d9786470f1b9d6e",
	  "74a16c1c3d44368a86e1ca6df64be6a2f64cce8f09220787450722d85725dea5" },
	{ 1024,
	  "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7",
	  "75c46f6f3d9eb4f55ecaaee480db732e6c2105546f1e675003687c31719c7ba4",
	  "7356cd7720d5b66b6d0697eb3177d9f8d73a4a5c5e968896eb6a689684302706" },
	{ 1025,
	  "d00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444",
	  "357dc55de0c7e382c900fd6e320acc04146be01db6a8ce7210b7189bd664ea69",
	  "effaa245f065fbf82ac186839a249707c3bddf6d3fdda22d1b95a3c970379bcb" },
	{ 2048,
	  "e776b6028c7cd22a4d0ba182a8bf62205d2ef576467e838ed6f2529b85fba24a",
	  "879cf1fa2ea0e79126cb1063617a05b6ad9d0b696d0d757cf053439f60a99dd1",
	  "7b2945cb4fef70885cc5d78a87bf6f6207dd901ff239201351ffac04e1088a23" },
	{ 3073,
	  "7124b49501012f81cc7f11ca069ec9226cecb8a2c850cfe644e327d22d3e1cd3",
	  "68dede9bef00ba89e43f31a6825f4cf433389fedae75c04ee9f0cf16a427c95a",
	  "72613c9ec9ff7e40f8f5c173784c532ad852e827dba2bf85b2ab4b76f7079081" },
	{ 7169,
	  "a003fc7a51754a9b3c7fae0367ab3d782dccf28855a03d435f8cfe74605e7817",
	  "ed9b1a922c046fdb3d423ae34e143b05ca1bf28b710432857bf738bcedbfa511",
	  "554b0a5efea9ef183f2f9b931b7497995d9eb26f5c5c6dad2b97d62fc5ac31d9" },
	{ 8192,
	  "aae792484c8efe4f19e2ca7d371d8c467ffb10748d8a5a1ae579948f718a2a63",
	  "dc9637c8845a770b4cbf76b8daec0eebf7dc2eac11498517f08d44c8fc00d58a",
	  "ad01d7ae4ad059b0d33baa3c01319dcf8088094d0359e5fd45d6aeaa8b2d0c3d" },
	{ 8193,
	  "bab6c09cb8ce8cf459261398d2e7aef35700bf488116ceb94a36d0f5f1b7bc3b",
	  "954a2a75420c8d6547e3ba5b98d963e6fa6491addc8c023189cc519821b4a1f5",
	  "af1e0346e389b17c23200270a64aa4e1ead98c61695d917de7d5b00491c9b0f1" },
	{ 16384,
	  "f875d6646de28985646f34ee13be9a576fd515f76b5b0a26bb324735041ddde4",
	  "9e9fc4eb7cf081ea7c47d1807790ed211bfec56aa25bb7037784c13c4b707b0d",
	  "160e18b5878cd0df1c3af85eb25a0db5344d43a6fbd7a8ef4ed98d0714c3f7e1" },
	{ 31744,
	  "62b6960e1a44bcc1eb1a611a8d6235b6b4b78f32e7abc4fb4c6cdcce94895c47",
	  "efa53b389ab67c593dba624d898d0f7353ab99e4ac9d42302ee64cbf9939a419",
	  "39772aef80e0ebe60596361e45b061e8f417429d529171b6764468c22928e28e" },
	{ 102400,
	  "bc3e3d41a1146b069abffad3c0d44860cf664390afce4d9661f7902e7943e085",
	  "1c35d1a5811083fd7119f5d5d1ba027b4d01c0c6c49fb6ff2cf75393ea5db4a7",
	  "4652cff7a3f385a6103b5c260fc1593e13c778dbe608efb092fe7ee69df6e9c6" }
};

#define CONTEXT "BLAKE3 2019-12-27 16:29:52 test vectors context"

TEST_F(crypto, crypto_blake3)
{
	struct mathis_item map, room[4];
	char *data = malloc(102400);

	ASSERT_NE(NULL, data);
	for (int i = 0; i < 102400; i++)
		data[i] = (char)(i % 251);
	for (size_t i = 0; i < sizeof(blake3) / sizeof(*blake3); i++) {
		struct mathis_item in = BYTES(data, blake3[i].n);

		ASSERT_EQ(0, DO("crypto_blake3", in));
		EXPECT_TRUE(IS(blake3[i].hash))
		{
			TH_LOG("%zu", blake3[i].n);
		}
		map = opts(room, "key",
			   hex("77686174732074686520456c766973682077",
			       "6f726420666f7220667269656e64"),
			   NULL, NONE);
		ASSERT_EQ(0, DO("crypto_blake3", in, map));
		EXPECT_TRUE(IS(blake3[i].keyed));
		map = opts(room, "context", STR(CONTEXT), "len", INT(32));
		ASSERT_EQ(0, DO("crypto_blake3", in, map));
		EXPECT_TRUE(IS(blake3[i].derived));
	}
	map = opts(room, "len", INT(131), NULL, NONE);
	ASSERT_EQ(0, DO("crypto_blake3", BYTES(data, 0), map));
	EXPECT_TRUE(IS("af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93",
		       "cae41f3262e00f03e7b69af26b7faaf09fcd333050338ddfe085b8",
		       "cc869ca98b206c08243a26f5487789e8f660afe6c99ef9e0c52b92",
		       "e7393024a80459cf91f476f9ffdbda7001c22e159b402631f277ca",
		       "96f2defdf1078282314e763699a31c5363165421cce14d"));
	map = opts(room, "key", hex_repeat(1, 32), "context", STR("x"));
	EXPECT_EQ(MATHIS_ARG_RANGE, DO("crypto_blake3", STR("x"), map));
	map = opts(room, "len", INT(1 << 21), NULL, NONE);
	EXPECT_EQ(MATHIS_ARG_RANGE, DO("crypto_blake3", STR("x"), map));
	map = opts(room, "key", hex_repeat(1, 31), NULL, NONE);
	EXPECT_EQ(MATHIS_ARG_RANGE, DO("crypto_blake3", STR("x"), map));
	free(data);
}

/* RFC 4231: test cases 1, 2, 6 and 7. */
TEST_F(crypto, crypto_hmac)
{
	const char *large =
		"Test Using Larger Than Block-Size Key - Hash Key First";

	ASSERT_EQ(0, DO("crypto_hmac", STR("sha256"), hex_repeat(0x0b, 20),
			STR("Hi There")));
	EXPECT_TRUE(IS("b0344c61d8db38535ca8afceaf0bf12b",
		       "881dc200c9833da726e9376c2e32cff7"));
	ASSERT_EQ(0, DO("crypto_hmac", STR("sha384"), hex_repeat(0x0b, 20),
			STR("Hi There")));
	EXPECT_TRUE(IS("afd03944d84895626b0825f4ab46907f15f9dadbe4101ec6",
		       "82aa034c7cebc59cfaea9ea9076ede7f4af152e8b2fa9cb6"));
	ASSERT_EQ(0, DO("crypto_hmac", STR("sha512"), STR("Jefe"),
			STR("what do ya want for nothing?")));
	EXPECT_TRUE(IS("164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd6",
		       "10270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fd",
		       "caeab1a34d4a6b4b636e070a38bce737"));
	ASSERT_EQ(0, DO("crypto_hmac", STR("sha256"), hex_repeat(0xaa, 131),
			STR(large)));
	EXPECT_TRUE(IS("60e431591ee0b67f0d8a26aacbf5b77f",
		       "8e0bc6213728c5140546040f0ee37f54"));
	/* An empty key is a key, not that of the call before. */
	ASSERT_EQ(0, DO("crypto_hmac", STR("sha256"), BYTES("", 0), STR("")));
	EXPECT_TRUE(IS("b613679a0814d9ec772f95d778c35fc5",
		       "ff1697c493715653c6c712144292c5ad"));
	EXPECT_EQ(MATHIS_UNSUPPORTED,
		  DO("crypto_hmac", STR("sha257"), STR("k"), STR("x")));
}

TEST_F(crypto, crypto_equal)
{
	ASSERT_EQ(0, DO("crypto_equal", STR("abc"), BYTES("abc", 3)));
	EXPECT_EQ(1, RESULT.i);
	ASSERT_EQ(0, DO("crypto_equal", STR("abc"), STR("abx")));
	EXPECT_EQ(0, RESULT.i);
	ASSERT_EQ(0, DO("crypto_equal", STR("abc"), STR("ab")));
	EXPECT_EQ(0, RESULT.i);
	ASSERT_EQ(0, DO("crypto_equal", STR(""), BYTES("", 0)));
	EXPECT_EQ(1, RESULT.i);
}

/* The GCM specification, test cases 13, 14 and 16. */
TEST_F(crypto, crypto_aes_encrypt_and_decrypt)
{
	struct mathis_item zero = hex_repeat(0, 32), nonce = hex_repeat(0, 12);
	struct mathis_item key = hex("feffe9928665731c6d6a8f9467308308",
				     "feffe9928665731c6d6a8f9467308308");
	struct mathis_item iv = hex("cafebabefacedbaddecaf888");
	struct mathis_item aad =
		hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
	struct mathis_item text = hex(
		"d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72",
		"1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39");

	ASSERT_EQ(0, DO("crypto_aes_encrypt", zero, nonce, BYTES("", 0)));
	EXPECT_TRUE(IS("530f8afbc74536b9a963b4f1c4cb738b"));
	ASSERT_EQ(0, DO("crypto_aes_encrypt", zero, nonce, hex_repeat(0, 16)));
	EXPECT_TRUE(IS("cea7403d4d606b6e074ec5d3baf39d18",
		       "d0d1c8a799996bf0265b98b5d48ab919"));
	ASSERT_EQ(0, DO("crypto_aes_encrypt", key, iv, text, aad));
	EXPECT_TRUE(IS(
		"522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa",
		"8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
		"76fc6ece0f4e1768cddf8853bb2d551b"));
	ASSERT_EQ(0, DO("crypto_aes_decrypt", key, iv, hex_keep(&RESULT), aad));
	EXPECT_TRUE(hex_same(&RESULT, &text));
}

/* RFC 8439, 2.8.2. */
TEST_F(crypto, crypto_chacha_encrypt_and_decrypt)
{
	struct mathis_item key = hex("808182838485868788898a8b8c8d8e8f",
				     "909192939495969798999a9b9c9d9e9f");
	struct mathis_item nonce = hex("070000004041424344454647");
	struct mathis_item aad = hex("50515253c0c1c2c3c4c5c6c7");
	struct mathis_item text = hex(
		"4c616469657320616e642047656e746c656d656e206f662074686520636c6173",
		"73206f66202739393a204966204920636f756c64206f6666657220796f75206f",
		"6e6c79206f6e652074697020666f7220746865206675747572652c2073756e73",
		"637265656e20776f756c642062652069742e");

	ASSERT_EQ(0, DO("crypto_chacha_encrypt", key, nonce, text, aad));
	EXPECT_TRUE(IS(
		"d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6",
		"3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36",
		"92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc",
		"3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd060",
		"0691"));
	ASSERT_EQ(0, DO("crypto_chacha_decrypt", key, nonce, hex_keep(&RESULT),
			aad));
	EXPECT_TRUE(hex_same(&RESULT, &text));
}

/* Each bit of a sealed text, each missing end, and what was not sealed with it. */
TEST_F(crypto, refuses_texts_that_were_changed)
{
	static const char *const calls[][2] = {
		{ "crypto_aes_encrypt", "crypto_aes_decrypt" },
		{ "crypto_chacha_encrypt", "crypto_chacha_decrypt" },
	};
	struct mathis_item key = hex_repeat(1, 32), nonce = hex_repeat(2, 12);
	struct mathis_item bad;

	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(0,
			  DO(calls[i][0], key, nonce, STR("text"), STR("a")));
		bad = hex_keep(&RESULT);
		ASSERT_EQ(20, bad.n);
		for (unsigned int bit = 0; bit < bad.n * 8; bit++) {
			((char *)bad.text)[bit / 8] ^= 1 << bit % 8;
			EXPECT_EQ(MATHIS_VERIFY,
				  DO(calls[i][1], key, nonce, bad, STR("a")));
			EXPECT_EQ(MATHIS_NONE, RESULT.kind);
			((char *)bad.text)[bit / 8] ^= 1 << bit % 8;
		}
		for (; bad.n > 0; bad.n--) {
			EXPECT_EQ(bad.n == 20 ? 0 : MATHIS_VERIFY,
				  DO(calls[i][1], key, nonce, bad, STR("a")));
		}
		bad.n = 20;
		EXPECT_EQ(MATHIS_VERIFY, DO(calls[i][1], key, nonce, bad));
		EXPECT_EQ(MATHIS_VERIFY, DO(calls[i][1], key, hex_repeat(3, 12),
					    bad, STR("a")));
		EXPECT_EQ(MATHIS_VERIFY, DO(calls[i][1], hex_repeat(3, 32),
					    nonce, bad, STR("a")));
		EXPECT_EQ(MATHIS_ARG_RANGE,
			  DO(calls[i][0], hex_repeat(1, 31), nonce, STR("x")));
		EXPECT_EQ(MATHIS_ARG_RANGE,
			  DO(calls[i][0], key, hex_repeat(1, 13), STR("x")));
	}
}

TEST_F(crypto, crypto_seal_and_open)
{
	struct mathis_item key = hex_repeat(1, 32), a, b;

	ASSERT_EQ(0, DO("crypto_seal", key, STR("text"), STR("aad")));
	a = hex_keep(&RESULT);
	EXPECT_EQ(32, a.n);
	ASSERT_EQ(0, DO("crypto_seal", key, STR("text"), STR("aad")));
	b = hex_keep(&RESULT);
	EXPECT_FALSE(hex_same(&a, &b));
	ASSERT_EQ(0, DO("crypto_open", key, a, STR("aad")));
	EXPECT_TRUE(IS("74657874"));
	EXPECT_EQ(MATHIS_VERIFY, DO("crypto_open", key, a));
	for (a.n--; a.n; a.n--)
		EXPECT_EQ(MATHIS_VERIFY, DO("crypto_open", key, a, STR("aad")));
	/* What it makes is nonce, text and tag of crypto_aes_encrypt. */
	ASSERT_EQ(0, DO("crypto_aes_decrypt", key, BYTES(b.text, 12),
			BYTES(b.text + 12, b.n - 12), STR("aad")));
	EXPECT_TRUE(IS("74657874"));
}

TEST_F(crypto, crypto_secret_import_and_close)
{
	struct mathis_item secret, plain, other;

	ASSERT_EQ(0, DO("crypto_secret_import", hex_repeat(1, 32)));
	secret = RESULT;
	ASSERT_EQ(0, DO("crypto_hmac", STR("sha256"), hex_repeat(1, 32),
			STR("x")));
	plain = hex_keep(&RESULT);
	ASSERT_EQ(0, DO("crypto_hmac", STR("sha256"), secret, STR("x")));
	EXPECT_TRUE(hex_same(&plain, &RESULT));
	ASSERT_EQ(0, DO("crypto_seal", secret, STR("text")));
	plain = hex_keep(&RESULT);
	ASSERT_EQ(0, DO("crypto_open", hex_repeat(1, 32), plain));
	EXPECT_TRUE(IS("74657874"));
	ASSERT_EQ(0, DO("crypto_secret_import", STR("short")));
	other = RESULT;
	EXPECT_EQ(MATHIS_ARG_RANGE, DO("crypto_seal", other, STR("text")));
	EXPECT_EQ(NULL, strstr(MESSAGE, "short"));
	EXPECT_EQ(0, DO("crypto_secret_close", secret));
	EXPECT_EQ(MATHIS_BAD_HANDLE, DO("crypto_secret_close", secret));
	EXPECT_EQ(MATHIS_BAD_HANDLE, DO("crypto_seal", secret, STR("text")));
	/* A file is no secret, and a secret no file. */
	ASSERT_EQ(0, DO("io_open", STR("f"), INT(0x103)));
	EXPECT_EQ(MATHIS_ARG_TYPE, DO("crypto_seal", RESULT, STR("text")));
	EXPECT_EQ(MATHIS_ARG_TYPE, DO("io_read", other, INT(5)));
	EXPECT_EQ(MATHIS_ARG_RANGE, DO("crypto_secret_import", BYTES("", 0)));
	EXPECT_EQ(MATHIS_ARG_RANGE,
		  DO("crypto_secret_import", hex_repeat(1, 65537)));
}

/* A core file has all pages but those whose flags leave them out. */
TEST_F(crypto, keeps_secrets_out_of_core_files)
{
	char command[128];

	snprintf(command, sizeof(command),
		 "grep -q '^VmFlags:.* lo .*wf dd' /proc/%d/smaps", getpid());
	EXPECT_NE(0, dispatch_shell(&self->d, command));
	ASSERT_EQ(0, DO("crypto_secret_import", STR("in no core file")));
	EXPECT_EQ(0, dispatch_shell(&self->d, command));
	EXPECT_EQ(0, DO("crypto_secret_close", RESULT));
	EXPECT_NE(0, dispatch_shell(&self->d, command));
}

TEST_F(crypto, refuses_secrets_that_cannot_be_locked)
{
	struct rlimit none = { 0, 0 };

	ASSERT_EQ(0, setrlimit(RLIMIT_MEMLOCK, &none));
	/* Whoever runs as root locks as much as it wants. */
	ASSERT_EQ(0, seteuid(getuid() ?: 65534));
	EXPECT_EQ(MATHIS_LIMIT, DO("crypto_secret_import", STR("x")));
	ASSERT_EQ(0, seteuid(getuid()));
}

TEST_F(crypto, crypto_random_bytes_and_int)
{
	unsigned int seen = 0;
	struct mathis_item a;

	ASSERT_EQ(0, DO("crypto_random_bytes", INT(1 << 20)));
	EXPECT_EQ(1 << 20, RESULT.n);
	ASSERT_EQ(0, DO("crypto_random_bytes", INT(0)));
	EXPECT_EQ(0, RESULT.n);
	ASSERT_EQ(0, DO("crypto_random_bytes", INT(32)));
	a = hex_keep(&RESULT);
	ASSERT_EQ(0, DO("crypto_random_bytes", INT(32)));
	EXPECT_FALSE(hex_same(&a, &RESULT));
	/* Each of three values comes: all but 1 in 10^80 runs see them all. */
	for (int i = 0; i < 500; i++) {
		ASSERT_EQ(0, DO("crypto_random_int", INT(-1), INT(1)));
		ASSERT_LE(-1, RESULT.i);
		ASSERT_GE(1, RESULT.i);
		seen |= 1U << (RESULT.i + 1);
	}
	EXPECT_EQ(7, seen);
	ASSERT_EQ(0, DO("crypto_random_int", INT(5), INT(5)));
	EXPECT_EQ(5, RESULT.i);
	ASSERT_EQ(0, DO("crypto_random_int", INT(INT64_MIN), INT(INT64_MAX)));
	ASSERT_EQ(0,
		  DO("crypto_random_int", INT(INT64_MIN), INT(INT64_MAX - 1)));
	EXPECT_EQ(MATHIS_ARG_RANGE, DO("crypto_random_int", INT(2), INT(1)));
}

/* Whether a text is a UUID of a version and of RFC 9562's variant. */
static bool is_uuid(const struct mathis_item *item, char version)
{
	bool good = item->n == 36;

	for (int i = 0; good && i < 36; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		good = dash ? item->text[i] == '-' :
			      !!strchr("0123456789abcdef", item->text[i]);
	}
	return good && item->text[14] == version &&
	       strchr("89ab", item->text[19]);
}

TEST_F(crypto, crypto_uuid_v4_and_v7)
{
	char last[36] = "";

	for (int i = 0; i < 100; i++) {
		ASSERT_EQ(0, DO("crypto_uuid_v4"));
		EXPECT_TRUE(is_uuid(&RESULT, '4'));
		EXPECT_NE(0, memcmp(last, RESULT.text, 36));
		memcpy(last, RESULT.text, 36);
	}
	memset(last, 0, sizeof(last));
	for (int i = 0; i < 10000; i++) {
		ASSERT_EQ(0, DO("crypto_uuid_v7"));
		ASSERT_TRUE(is_uuid(&RESULT, '7'));
		ASSERT_GT(0, memcmp(last, RESULT.text, 36));
		memcpy(last, RESULT.text, 36);
	}
}

TEST_HARNESS_MAIN
