// SPDX-License-Identifier: GPL-2.0-only
/*
 * 0x0936, 0x0937, 0x0950 to 0x0954: keys that are sent, and signatures, against
 * which no quantum computer is known to help.
 */
#include <kselftest_harness.h>

#include "hex.h"

FIXTURE(pqc)
{
	struct dispatch d;
};

FIXTURE_SETUP(pqc)
{
	ASSERT_TRUE(dispatch_init(&self->d));
}

FIXTURE_TEARDOWN(pqc)
{
	dispatch_fini(&self->d);
	hex_free();
}

#define DO(...) CALL(&self->d, __VA_ARGS__)

TEST_F(pqc, crypto_kem_encap_and_decap)
{
	static const char *const kinds[] = { "ML-KEM-512", "ML-KEM-768",
					     "ML-KEM-1024" };
	struct mathis_item private, pub, text, shared;

	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(0, DO("crypto_keypair", STR(kinds[i]), BOOL(0)));
		private = hex_part(0);
		pub = hex_part(1);
		ASSERT_EQ(0, DO("crypto_kem_encap", pub));
		text = hex_part(0);
		shared = hex_part(1);
		EXPECT_EQ(32, shared.n);
		ASSERT_EQ(0, DO("crypto_kem_decap", private, text));
		EXPECT_TRUE(hex_same(&shared, &RESULT));
		/* openssl finds the same, from a key that it reads. */
		hex_save(&self->d, "key", private);
		hex_save(&self->d, "text", text);
		hex_save(&self->d, "shared", shared);
		EXPECT_EQ(
			0,
			dispatch_shell(
				&self->d,
				"openssl pkeyutl -decap -inkey key -in text \\\n"
				"-secret out && cmp out shared"));
		((char *)text.text)[5] ^= 1;
		ASSERT_EQ(0, DO("crypto_kem_decap", private, text));
		EXPECT_EQ(32, RESULT.n);
		EXPECT_FALSE(hex_same(&shared, &RESULT));
		text.n--;
		EXPECT_EQ(MATHIS_FORMAT, DO("crypto_kem_decap", private, text));
	}
	ASSERT_EQ(0, DO("crypto_keypair", STR("ed25519")));
	EXPECT_EQ(MATHIS_UNSUPPORTED,
		  DO("crypto_kem_decap", hex_part(0), text));
}

/* Sizes of FIPS 203, and of the hybrid's draft. */
TEST_F(pqc, pqc_keypair_and_encaps_and_decaps)
{
	static const struct {
		const char *kind;
		unsigned int private, pub, text, shared;
	} kems[] = {
		{ "ML-KEM-512", 1632, 800, 768, 32 },
		{ "ML-KEM-768", 2400, 1184, 1088, 32 },
		{ "ML-KEM-1024", 3168, 1568, 1568, 32 },
		{ "X25519MLKEM768", 2432, 1216, 1120, 64 },
	};
	struct mathis_item private, pub, text, shared;

	for (size_t i = 0; i < sizeof(kems) / sizeof(*kems); i++) {
		struct mathis_item kind = STR(kems[i].kind);

		ASSERT_EQ(0, DO("pqc_keypair", kind))
		{
			TH_LOG("%s: %s", kems[i].kind, MESSAGE);
		}
		private = hex_part(0);
		pub = hex_part(1);
		EXPECT_EQ(kems[i].private, private.n);
		EXPECT_EQ(kems[i].pub, pub.n);
		ASSERT_EQ(0, DO("pqc_encaps", kind, pub));
		text = hex_part(0);
		shared = hex_part(1);
		EXPECT_EQ(kems[i].text, text.n);
		EXPECT_EQ(kems[i].shared, shared.n);
		ASSERT_EQ(0, DO("pqc_decaps", kind, private, text));
		EXPECT_TRUE(hex_same(&shared, &RESULT));
		((char *)text.text)[5] ^= 1;
		ASSERT_EQ(0, DO("pqc_decaps", kind, private, text));
		EXPECT_FALSE(hex_same(&shared, &RESULT));
		EXPECT_EQ(MATHIS_FORMAT, DO("pqc_decaps", kind, private,
					    BYTES(text.text, text.n - 1)));
		EXPECT_EQ(MATHIS_FORMAT,
			  DO("pqc_encaps", kind, BYTES(pub.text, pub.n - 1)));
		EXPECT_EQ(MATHIS_FORMAT,
			  DO("pqc_decaps", kind,
			     BYTES(private.text, private.n - 1), text));
		ASSERT_EQ(0, DO("pqc_keypair", kind, BOOL(1)));
		private = hex_part(0);
		ASSERT_EQ(MATHIS_HANDLE, private.kind);
		ASSERT_EQ(0, DO("pqc_encaps", kind, hex_part(1), BOOL(1)));
		ASSERT_EQ(MATHIS_HANDLE, RESULT.items[1].kind);
		ASSERT_EQ(0, DO("pqc_decaps", kind, private, hex_part(0)));
		EXPECT_EQ(MATHIS_UNSUPPORTED,
			  DO("pqc_sign", kind, private, STR("x")));
	}
	EXPECT_EQ(MATHIS_UNSUPPORTED, DO("pqc_keypair", STR("RSA")));
	EXPECT_EQ(MATHIS_UNSUPPORTED, DO("pqc_keypair", STR("")));
}

/* A public key of ML-KEM whose numbers are not reduced (FIPS 203, 7.2). */
TEST_F(pqc, pqc_encaps_refuses_keys_that_are_not_reduced)
{
	struct mathis_item key = hex_repeat(0xff, 1184);

	EXPECT_EQ(MATHIS_FORMAT, DO("pqc_encaps", STR("ML-KEM-768"), key));
}

/* Sizes of FIPS 204 and 205. */
TEST_F(pqc, pqc_sign_and_verify)
{
	static const struct {
		const char *kind;
		unsigned int private, pub, sig;
	} dsas[] = {
		{ "ML-DSA-44", 2560, 1312, 2420 },
		{ "ML-DSA-65", 4032, 1952, 3309 },
		{ "ML-DSA-87", 4896, 2592, 4627 },
		{ "SLH-DSA-SHA2-128s", 64, 32, 7856 },
		{ "SLH-DSA-SHA2-128f", 64, 32, 17088 },
		{ "SLH-DSA-SHAKE-192f", 96, 48, 35664 },
		{ "SLH-DSA-SHAKE-256f", 128, 64, 49856 },
	};
	struct mathis_item private, pub, sig;

	for (size_t i = 0; i < sizeof(dsas) / sizeof(*dsas); i++) {
		struct mathis_item kind = STR(dsas[i].kind);

		ASSERT_EQ(0, DO("pqc_keypair", kind));
		private = hex_part(0);
		pub = hex_part(1);
		EXPECT_EQ(dsas[i].private, private.n);
		EXPECT_EQ(dsas[i].pub, pub.n);
		ASSERT_EQ(0, DO("pqc_sign", kind, private, STR("x")))
		{
			TH_LOG("%s: %s", dsas[i].kind, MESSAGE);
		}
		sig = hex_keep(&RESULT);
		EXPECT_EQ(dsas[i].sig, sig.n);
		ASSERT_EQ(0, DO("pqc_verify", kind, pub, STR("x"), sig));
		EXPECT_EQ(1, RESULT.i);
		ASSERT_EQ(0, DO("pqc_verify", kind, pub, STR("y"), sig));
		EXPECT_EQ(0, RESULT.i);
		ASSERT_EQ(0, DO("pqc_verify", kind, pub, STR("x"),
				BYTES(sig.text, sig.n - 1)));
		EXPECT_EQ(0, RESULT.i);
		((char *)sig.text)[sig.n / 2] ^= 4;
		ASSERT_EQ(0, DO("pqc_verify", kind, pub, STR("x"), sig));
		EXPECT_EQ(0, RESULT.i);
		EXPECT_EQ(MATHIS_FORMAT,
			  DO("pqc_sign", kind,
			     BYTES(private.text, private.n - 1), STR("x")));
		EXPECT_EQ(MATHIS_FORMAT,
			  DO("pqc_verify", kind, BYTES(pub.text, pub.n - 1),
			     STR("x"), sig));
		EXPECT_EQ(MATHIS_UNSUPPORTED, DO("pqc_encaps", kind, pub));
	}
}

TEST_HARNESS_MAIN
