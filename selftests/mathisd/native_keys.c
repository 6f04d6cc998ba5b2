// SPDX-License-Identifier: GPL-2.0-only
/*
 * 0x0920 to 0x0935, 0x0938, 0x0939, 0x093C: pairs of keys, signatures, and keys
 * that are derived, by the vectors of their standards and with openssl
 * on the other side.
 */
#include <kselftest_harness.h>

#include "hex.h"

FIXTURE(keys)
{
	struct dispatch d;
};

FIXTURE_SETUP(keys)
{
	ASSERT_TRUE(dispatch_init(&self->d));
}

FIXTURE_TEARDOWN(keys)
{
	dispatch_fini(&self->d);
	hex_free();
}

#define DO(...) CALL(&self->d, __VA_ARGS__)
#define IS(...) hex_is(&RESULT, __VA_ARGS__)
#define SHELL(...) shell(&self->d, __VA_ARGS__)

__attribute__((format(printf, 2, 3))) static int shell(struct dispatch *d,
						       const char *fmt, ...)
{
	char command[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(command, sizeof(command), fmt, args);
	va_end(args);
	return dispatch_shell(d, command);
}

static struct mathis_item one(struct mathis_item room[2], const char *key,
			      const char *value)
{
	room[0] = STR(key);
	room[1] = STR(value);
	return (struct mathis_item){ .kind = MATHIS_MAP,
				     .n = 1,
				     .items = room };
}

/* RFC 8032, 7.1, tests 1 and 2. */
TEST_F(keys, crypto_ed25519_sign_and_verify)
{
	struct mathis_item key = hex("4ccd089b28ff96da9db6c346ec114e0f",
				     "5b8a319f35aba624da8cf6ed4fb8a6fb");
	struct mathis_item pub = hex("3d4017c3e843895a92b70aa74d1b7ebc",
				     "9c982ccf2ec4968cc0cd55f12af4660c");
	/* The order of the group, as S is written. */
	struct mathis_item order = hex("edd3f55c1a631258d69cf7a2def9de14",
				       "00000000000000000000000000000010");
	struct mathis_item sig;
	unsigned int carry = 0;

	ASSERT_EQ(0, DO("crypto_ed25519_sign",
			hex("9d61b19deffd5a60ba844af492ec2cc4",
			    "4449c5697b326919703bac031cae7f60"),
			STR("")));
	EXPECT_TRUE(IS("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e0",
		       "65224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595b",
		       "be24655141438e7a100b"));
	ASSERT_EQ(0, DO("crypto_ed25519_sign", key, STR("r")));
	EXPECT_TRUE(IS("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb37622",
		       "23ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb430",
		       "2aeeb00d291612bb0c00"));
	sig = hex_keep(&RESULT);
	ASSERT_EQ(0, DO("crypto_ed25519_verify", pub, STR("r"), sig));
	EXPECT_EQ(1, RESULT.i);
	ASSERT_EQ(0, DO("crypto_ed25519_verify", pub, STR("s"), sig));
	EXPECT_EQ(0, RESULT.i);
	for (unsigned int n = 0; n < 64; n++) {
		ASSERT_EQ(0, DO("crypto_ed25519_verify", pub, STR("r"),
				BYTES(sig.text, n)));
		EXPECT_EQ(0, RESULT.i);
	}
	/* S plus the order would be the same number: a second signature. */
	for (int i = 0; i < 32; i++) {
		carry += (unsigned char)sig.text[32 + i] +
			 (unsigned char)order.text[i];
		((char *)sig.text)[32 + i] = (char)carry;
		carry >>= 8;
	}
	ASSERT_EQ(0, DO("crypto_ed25519_verify", pub, STR("r"), sig));
	EXPECT_EQ(0, RESULT.i);
	EXPECT_EQ(MATHIS_ARG_RANGE,
		  DO("crypto_ed25519_sign", hex_repeat(1, 33), STR("r")));
}

TEST_F(keys, crypto_ed25519_keypair)
{
	struct mathis_item private, pub, sig;

	ASSERT_EQ(0, DO("crypto_ed25519_keypair"));
	private = hex_part(0);
	pub = hex_part(1);
	ASSERT_EQ(0, DO("crypto_ed25519_sign", private, STR("x")));
	sig = hex_keep(&RESULT);
	ASSERT_EQ(0, DO("crypto_ed25519_verify", pub, STR("x"), sig));
	EXPECT_EQ(1, RESULT.i);
	ASSERT_EQ(0, DO("crypto_ed25519_keypair", BOOL(1)));
	private = hex_part(0);
	ASSERT_EQ(MATHIS_HANDLE, private.kind);
	pub = hex_part(1);
	ASSERT_EQ(0, DO("crypto_ed25519_verify", pub, STR("x"), sig));
	EXPECT_EQ(0, RESULT.i);
	ASSERT_EQ(0, DO("crypto_ed25519_sign", private, STR("x")));
	sig = hex_keep(&RESULT);
	ASSERT_EQ(0, DO("crypto_ed25519_verify", pub, STR("x"), sig));
	EXPECT_EQ(1, RESULT.i);
}

/* RFC 7748, 5.2 and 6.1; the points of small order of Wycheproof. */
TEST_F(keys, crypto_x25519_keypair_and_derive)
{
	static const char *const small[] = {
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
		"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	};
	struct mathis_item bob = hex("5dab087e624a8a4b79e17f8b83800ee6",
				     "6f3bb1292618b6fd1c2f8b27ff88e0eb");
	struct mathis_item a, b, pub_a, pub_b;

	ASSERT_EQ(0, DO("crypto_x25519_derive",
			hex("a546e36bf0527c9d3b16154b82465edd",
			    "62144c0ac1fc5a18506a2244ba449ac4"),
			hex("e6db6867583030db3594c1a424b15f7c",
			    "726624ec26b3353b10a903a6d0ab1c4c")));
	EXPECT_TRUE(IS("c3da55379de9c6908e94ea4df28d084f",
		       "32eccf03491c71f754b4075577a28552"));
	ASSERT_EQ(0, DO("crypto_x25519_derive", bob,
			hex("8520f0098930a754748b7ddcb43ef75a",
			    "0dbf3a0d26381af4eba4a98eaa9b4e6a")));
	EXPECT_TRUE(IS("4a5d9d5ba4ce2de1728e3bf480350f25",
		       "e07e21c947d19e3376f09b3c1e161742"));
	for (size_t i = 0; i < sizeof(small) / sizeof(*small); i++) {
		EXPECT_EQ(MATHIS_VERIFY,
			  DO("crypto_x25519_derive", bob, hex(small[i])));
	}
	ASSERT_EQ(0, DO("crypto_x25519_keypair", BOOL(1)));
	a = hex_part(0);
	pub_a = hex_part(1);
	ASSERT_EQ(0, DO("crypto_x25519_keypair"));
	b = hex_part(0);
	pub_b = hex_part(1);
	ASSERT_EQ(0, DO("crypto_x25519_derive", a, pub_b));
	pub_b = hex_keep(&RESULT);
	ASSERT_EQ(0, DO("crypto_x25519_derive", b, pub_a));
	EXPECT_TRUE(hex_same(&pub_b, &RESULT));
}

/* What is signed here openssl finds good, and the other way round. */
static void exchange(struct __test_metadata *_metadata,
		     FIXTURE_DATA(keys) * self, const char *kind,
		     const char *sign, const char *verify, const char *flags,
		     struct mathis_item opts)
{
	struct mathis_item private, pub, sig;

	ASSERT_EQ(0, DO("crypto_keypair", STR(kind), BOOL(0)));
	private = hex_part(0);
	pub = hex_part(1);
	hex_save(&self->d, "key", private);
	hex_save(&self->d, "pub", pub);
	hex_save(&self->d, "text", BYTES("text", 4));
	ASSERT_EQ(0, DO(sign, private, STR("text"), opts));
	sig = hex_keep(&RESULT);
	ASSERT_EQ(0, DO(verify, pub, STR("text"), sig, opts));
	EXPECT_EQ(1, RESULT.i);
	hex_save(&self->d, "sig", sig);
	EXPECT_EQ(
		0,
		SHELL("openssl pkeyutl -verify -pubin -inkey pub -in text \\\n"
		      "-sigfile sig -rawin %s >log 2>&1 || { cat log; false; }",
		      flags))
	{
		TH_LOG("%s: openssl finds the signature bad", kind);
	}
	EXPECT_EQ(
		0,
		SHELL("openssl pkeyutl -sign -inkey key -in text -out sig \\\n"
		      "-rawin %s && openssl pkey -in key -out key.pem",
		      flags));
	sig = hex_load(&self->d, "sig");
	ASSERT_EQ(0, DO(verify, pub, STR("text"), sig, opts));
	EXPECT_EQ(1, RESULT.i)
	{
		TH_LOG("%s: the signature of openssl is bad", kind);
	}
	ASSERT_EQ(0, DO(verify, pub, STR("texu"), sig, opts));
	EXPECT_EQ(0, RESULT.i);
	for (unsigned int n = 0; n < sig.n; n += n < 80 ? 1 : 97) {
		ASSERT_EQ(0, DO(verify, pub, STR("text"), BYTES(sig.text, n),
				opts));
		EXPECT_EQ(0, RESULT.i);
	}
	for (unsigned int n = 0; n < sig.n; n += sig.n < 200 ? 1 : 37) {
		((char *)sig.text)[n] ^= 1;
		ASSERT_EQ(0, DO(verify, pub, STR("text"), sig, opts));
		EXPECT_EQ(0, RESULT.i);
		((char *)sig.text)[n] ^= 1;
	}
	/* The same key as PEM, and as a secret. */
	private = hex_load(&self->d, "key.pem");
	private.kind = MATHIS_STR;
	ASSERT_EQ(0, DO(sign, private, STR("text"), opts));
	ASSERT_EQ(0, DO("crypto_secret_import", private));
	private = RESULT;
	ASSERT_EQ(0, DO(sign, private, STR("text"), opts));
	sig = hex_keep(&RESULT);
	ASSERT_EQ(0, DO(verify, pub, STR("text"), sig, opts));
	EXPECT_EQ(1, RESULT.i);
	EXPECT_EQ(MATHIS_FORMAT,
		  DO(verify, STR("no key"), STR("text"), sig, opts));
}

TEST_F(keys, crypto_ecdsa_sign_and_verify)
{
	static const char *const flags[] = { "-digest sha256", "-digest sha384",
					     "-digest sha512" };
	static const char *const curves[] = { "p256", "p384", "p521" };

	for (int i = 0; i < 3; i++)
		exchange(_metadata, self, curves[i], "crypto_ecdsa_sign",
			 "crypto_ecdsa_verify", flags[i], NONE);
}

/* RFC 6979, A.2.5, and numbers that no signature may have. */
TEST_F(keys, crypto_ecdsa_p1363)
{
	struct mathis_item room[2], sig, good;
	struct mathis_item p1363 = one(room, "format", "p1363");
	struct mathis_item pub = hex(
		"3059301306072a8648ce3d020106082a8648ce3d03010703420004",
		"60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6",
		"7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299");
	/* The order of P-256. */
	struct mathis_item order = hex(
		"ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");

	sig = hex(
		"efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716",
		"f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8");
	good = hex_keep(&sig);
	ASSERT_EQ(0, DO("crypto_ecdsa_verify", pub, STR("sample"), sig, p1363));
	EXPECT_EQ(1, RESULT.i);
	ASSERT_EQ(0, DO("crypto_ecdsa_verify", pub, STR("sample"), sig));
	EXPECT_EQ(0, RESULT.i);
	for (int half = 0; half < 2; half++) {
		memset((char *)sig.text + 32L * half, 0, 32);
		ASSERT_EQ(0, DO("crypto_ecdsa_verify", pub, STR("sample"), sig,
				p1363));
		EXPECT_EQ(0, RESULT.i);
		memcpy((char *)sig.text + 32L * half, order.text, 32);
		ASSERT_EQ(0, DO("crypto_ecdsa_verify", pub, STR("sample"), sig,
				p1363));
		EXPECT_EQ(0, RESULT.i);
		memcpy((char *)sig.text, good.text, 64);
	}
	for (unsigned int n = 0; n < 64; n++) {
		ASSERT_EQ(0, DO("crypto_ecdsa_verify", pub, STR("sample"),
				BYTES(sig.text, n), p1363));
		EXPECT_EQ(0, RESULT.i);
	}
	ASSERT_EQ(0, DO("crypto_keypair", STR("p521")));
	pub = hex_part(1);
	ASSERT_EQ(0, DO("crypto_ecdsa_sign", hex_part(0), STR("x"), p1363));
	EXPECT_EQ(132, RESULT.n);
	sig = hex_keep(&RESULT);
	ASSERT_EQ(0, DO("crypto_ecdsa_verify", pub, STR("x"), sig, p1363));
	EXPECT_EQ(1, RESULT.i);
	p1363 = one(room, "format", "raw");
	EXPECT_EQ(MATHIS_UNSUPPORTED,
		  DO("crypto_ecdsa_verify", pub, STR("x"), sig, p1363));
}

TEST_F(keys, crypto_rsa_sign_and_verify)
{
	struct mathis_item room[2], pub, sig;

	exchange(_metadata, self, "rsa2048", "crypto_rsa_sign",
		 "crypto_rsa_verify",
		 "-digest sha256 -pkeyopt rsa_padding_mode:pss \\\n"
		 "-pkeyopt rsa_pss_saltlen:32",
		 NONE);
	exchange(_metadata, self, "rsa3072", "crypto_rsa_sign",
		 "crypto_rsa_verify",
		 "-digest sha256 -pkeyopt rsa_padding_mode:pkcs1",
		 one(room, "padding", "pkcs1"));
	exchange(_metadata, self, "rsa2048", "crypto_sign", "crypto_verify",
		 "-digest sha512 -pkeyopt rsa_padding_mode:pss \\\n"
		 "-pkeyopt rsa_pss_saltlen:32",
		 one(room, "hash", "sha512"));
	/* One way of padding is not the other. */
	ASSERT_EQ(0, DO("crypto_keypair", STR("rsa2048")));
	pub = hex_part(1);
	ASSERT_EQ(0, DO("crypto_rsa_sign", hex_part(0), STR("x")));
	sig = hex_keep(&RESULT);
	ASSERT_EQ(0, DO("crypto_rsa_verify", pub, STR("x"), sig,
			one(room, "padding", "pkcs1")));
	EXPECT_EQ(0, RESULT.i);
	EXPECT_EQ(MATHIS_UNSUPPORTED, DO("crypto_rsa_verify", pub, STR("x"),
					 sig, one(room, "padding", "none")));
	EXPECT_EQ(MATHIS_UNSUPPORTED, DO("crypto_rsa_verify", pub, STR("x"),
					 sig, one(room, "hash", "md5")));
}

TEST_F(keys, crypto_sign_and_verify_with_each_kind)
{
	static const char *const kinds[] = {
		"ed25519",   "ML-DSA-44",	  "ml-dsa-65",
		"ML-DSA-87", "SLH-DSA-SHA2-128f", "SLH-DSA-SHAKE-128f",
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		exchange(_metadata, self, kinds[i], "crypto_sign",
			 "crypto_verify", "", NONE);
}

/* Keys that are too small, of other curves, encrypted, or no keys at all. */
TEST_F(keys, refuses_other_keys)
{
	static const struct {
		const char *make;
		int code;
	} keys[] = {
		{ "openssl genrsa -out k.pem 1024", MATHIS_ARG_RANGE },
		{ "openssl ecparam -name secp256k1 -genkey -noout -out k.pem",
		  MATHIS_UNSUPPORTED },
		{ "openssl genrsa -aes128 -passout pass:x -out k.pem 2048",
		  MATHIS_FORMAT },
		{ "openssl genpkey -algorithm X25519 -out k.pem",
		  MATHIS_UNSUPPORTED },
		{ "openssl genpkey -algorithm ed25519 -outform DER -out k.pem;"
		  "echo >>k.pem",
		  MATHIS_FORMAT },
		{ "openssl genpkey -algorithm ed25519 -outform DER |\n"
		  "head -c 40 >k.pem",
		  MATHIS_FORMAT },
		{ "head -c 1000 /dev/zero >k.pem", MATHIS_FORMAT },
		{ "openssl genpkey -algorithm ed25519 |\n"
		  "openssl pkey -pubout -out k.pem",
		  MATHIS_FORMAT },
	};
	struct mathis_item room[2], pub;

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		ASSERT_EQ(0, SHELL("{ %s; } 2>log", keys[i].make));
		EXPECT_EQ(keys[i].code,
			  DO("crypto_sign", hex_load(&self->d, "k.pem"),
			     STR("x")))
		{
			TH_LOG("%s: %s", keys[i].make, MESSAGE);
		}
	}
	ASSERT_EQ(0, DO("crypto_keypair", STR("ed25519")));
	pub = hex_part(1);
	EXPECT_EQ(MATHIS_FORMAT,
		  DO("crypto_ecdsa_verify", pub, STR("x"), BYTES("", 0)));
	EXPECT_EQ(MATHIS_ARG_RANGE, DO("crypto_verify", pub, STR("x"),
				       BYTES("", 0), one(room, "hash", "a")));
	EXPECT_EQ(MATHIS_UNSUPPORTED, DO("crypto_kem_encap", pub));
	EXPECT_EQ(MATHIS_UNSUPPORTED, DO("crypto_keypair", STR("dsa")));
	EXPECT_EQ(MATHIS_UNSUPPORTED,
		  DO("crypto_keypair", STR("X25519MLKEM768")));
}

/* RFC 5869, A.1 and A.3. */
TEST_F(keys, crypto_hkdf)
{
	struct mathis_item key = hex_repeat(0x0b, 22);
	struct mathis_item salt = hex("000102030405060708090a0b0c");
	struct mathis_item info = hex("f0f1f2f3f4f5f6f7f8f9");

	ASSERT_EQ(0,
		  DO("crypto_hkdf", STR("sha256"), key, salt, info, INT(42)));
	EXPECT_TRUE(IS("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d",
		       "56ecc4c5bf34007208d5b887185865"));
	ASSERT_EQ(0, DO("crypto_hkdf", STR("sha256"), key, STR(""), STR(""),
			INT(42)));
	EXPECT_TRUE(IS("8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e",
		       "5f3c738d2d9d201395faa4b61a96c8"));
	EXPECT_EQ(MATHIS_ARG_RANGE, DO("crypto_hkdf", STR("sha256"), key, salt,
				       info, INT(255 * 32 + 1)));
	ASSERT_EQ(0, DO("crypto_hkdf", STR("sha256"), key, salt, info, INT(32),
			BOOL(1)));
	ASSERT_EQ(MATHIS_HANDLE, RESULT.kind);
	ASSERT_EQ(0, DO("crypto_hmac", STR("sha256"), RESULT, STR("x")));
	salt = hex_keep(&RESULT);
	ASSERT_EQ(0, DO("crypto_hmac", STR("sha256"),
			hex("3cb25f25faacd57a90434f64d0362f2a",
			    "2d2d0a90cf1a5a4c5db02d56ecc4c5bf"),
			STR("x")));
	EXPECT_TRUE(hex_same(&salt, &RESULT));
}

/* RFC 7914, 11 and 12; RFC 9106, 5.3. */
TEST_F(keys, crypto_pbkdf2_and_scrypt_and_argon2id)
{
	struct mathis_item room[4],
		opts = { .kind = MATHIS_MAP, .n = 2, .items = room };

	ASSERT_EQ(0, DO("crypto_pbkdf2", STR("sha256"), STR("passwd"),
			STR("salt"), INT(1), INT(64)));
	EXPECT_TRUE(IS(
		"55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc",
		"49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783"));
	ASSERT_EQ(0, DO("crypto_scrypt", STR(""), STR(""), INT(16), INT(1),
			INT(1), INT(64)));
	EXPECT_TRUE(IS(
		"77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442",
		"fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906"));
	room[0] = STR("secret");
	room[1] = hex_repeat(3, 8);
	room[2] = STR("ad");
	room[3] = hex_repeat(4, 12);
	ASSERT_EQ(0, DO("crypto_argon2id", hex_repeat(1, 32), hex_repeat(2, 16),
			INT(3), INT(32), INT(4), INT(32), opts));
	EXPECT_TRUE(IS("0d640df58d78766c08c037a34a8b53c9",
		       "d01ef0452d75b65eb52520e96b01e659"));
}

TEST_F(keys, refuses_to_derive_without_bounds)
{
	EXPECT_EQ(MATHIS_ARG_RANGE, DO("crypto_scrypt", STR(""), STR(""),
				       INT(1 << 20), INT(8), INT(1), INT(32)));
	EXPECT_EQ(MATHIS_ARG_RANGE, DO("crypto_scrypt", STR(""), STR(""),
				       INT(15), INT(1), INT(1), INT(32)));
	EXPECT_EQ(MATHIS_ARG_RANGE,
		  DO("crypto_argon2id", STR(""), STR("saltsalt"), INT(1),
		     INT(1 << 19), INT(1), INT(32)));
	EXPECT_EQ(MATHIS_ARG_RANGE,
		  DO("crypto_argon2id", STR(""), STR("saltsalt"), INT(64),
		     INT(1 << 18), INT(1), INT(32)));
	EXPECT_EQ(MATHIS_ARG_RANGE,
		  DO("crypto_argon2id", STR(""), STR("saltsalt"), INT(1),
		     INT(31), INT(4), INT(32)));
	EXPECT_EQ(MATHIS_ARG_RANGE, DO("crypto_pbkdf2", STR("sha256"), STR(""),
				       STR(""), INT(1 << 30), INT(32)));
}

TEST_F(keys, crypto_pbkdf2_can_be_stopped)
{
	struct mathis_item args[] = { STR("sha256"), STR("p"), STR("s"),
				      INT(10000), INT(32) };
	uint16_t id = (uint16_t)mathis_call_number("crypto_pbkdf2", 13);
	struct md_call *c = md_call_new(self->d.session, id, 5);

	memcpy(c->args, args, sizeof(args));
	atomic_store(&c->stop, MATHIS_CANCELLED);
	md_call_start(c);
	EXPECT_EQ(MATHIS_CANCELLED, dispatch_wait(&self->d, c));
	md_call_put(c);
	EXPECT_EQ(MATHIS_LIMIT, DO("crypto_pbkdf2", STR("sha256"), STR("p"),
				   STR("s"), INT(10000000), INT(33)));
}

TEST_F(keys, secrets_of_a_session_have_a_limit)
{
	static char data[65536];
	struct mathis_item first = NONE;
	int code, n = 0;

	while (n < 100 && !(code = DO("crypto_secret_import",
				      BYTES(data, sizeof(data))))) {
		first = RESULT;
		n++;
	}
	EXPECT_EQ(MATHIS_LIMIT, code);
	EXPECT_EQ(30, n);
	EXPECT_EQ(0, DO("crypto_secret_close", first));
	EXPECT_EQ(0, DO("crypto_secret_import", BYTES(data, sizeof(data))));
}

TEST_F(keys, derives_in_turns_when_memory_is_taken)
{
	struct mathis_item args[] = { STR("x"),	    STR("saltsalt"), INT(2),
				      INT(1 << 18), INT(1),	     INT(32) };
	struct md_call *c[3];
	int busy = 0, good = 0;

	for (int i = 0; i < 3; i++)
		c[i] = dispatch_begin(&self->d, "crypto_argon2id", args, 6);
	for (int i = 0; i < 3; i++) {
		int code = dispatch_wait(&self->d, c[i]);

		busy += code == MATHIS_BUSY;
		good += code == MATHIS_OK;
		md_call_put(c[i]);
	}
	EXPECT_LE(1, good);
	EXPECT_EQ(3, good + busy);
	/* The memory of all that ended is free again. */
	EXPECT_EQ(0, dispatch_call(&self->d, "crypto_argon2id", args, 6));
}

TEST_HARNESS_MAIN
