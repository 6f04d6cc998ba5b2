// SPDX-License-Identifier: GPL-2.0-only
/*
 * 0x0936, 0x0937: keys that are sent by ML-KEM; 0x0950 to 0x0954: ML-KEM,
 * ML-DSA, SLH-DSA and the hybrid of X25519 and ML-KEM-768, with keys as their
 * standards (FIPS 203, 204, 205) write them.
 */
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>

#include "crypto.h"

#define RAW_MAX 8192

static int return_encaps(struct md_call *c, unsigned char *text, size_t n_text,
			 unsigned char *secret, size_t n_secret, bool plain)
{
	struct mathis_item pair = mathis_item_seq(&c->pool, MATHIS_TUPLE, 2);

	if (crypto_return(c, secret, n_secret, plain))
		return MD_FAILED;
	mathis_item_add(&c->pool, &pair, md_bytes(c, text, n_text));
	mathis_item_add(&c->pool, &pair, c->result);
	return md_return(c, pair);
}

/* Whether a key is of a kind that sends keys. */
static bool is_kem(EVP_PKEY *key)
{
	const char *name = EVP_PKEY_get0_type_name(key) ?: "";

	return !strncmp(name, "ML-KEM-", 7) || !strcmp(name, "X25519MLKEM768");
}

static int no_kem(struct md_call *c)
{
	return crypto_fail(c, MATHIS_UNSUPPORTED,
			   "keys of this kind do not send keys");
}

int crypto_encaps(struct md_call *c, EVP_PKEY *key, bool plain)
{
	unsigned char text[RAW_MAX], secret[128];
	size_t n_text = sizeof(text), n_secret = sizeof(secret);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
	bool kem = is_kem(key);
	bool done =
		kem && ctx && EVP_PKEY_encapsulate_init(ctx, NULL) > 0 &&
		EVP_PKEY_encapsulate(ctx, text, &n_text, secret, &n_secret) > 0;

	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(key);
	if (!kem)
		return no_kem(c);
	return done ? return_encaps(c, text, n_text, secret, n_secret, plain) :
		      crypto_failed(c);
}

int crypto_decaps(struct md_call *c, EVP_PKEY *key,
		  const struct mathis_item *text, bool plain)
{
	const unsigned char *bytes = (const unsigned char *)text->text;
	unsigned char secret[128];
	size_t n = sizeof(secret);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
	bool kem = is_kem(key);
	bool done = kem && ctx && EVP_PKEY_decapsulate_init(ctx, NULL) > 0 &&
		    EVP_PKEY_decapsulate(ctx, secret, &n, bytes, text->n) > 0;

	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(key);
	if (!kem)
		return no_kem(c);
	return done ? crypto_return(c, secret, n, plain) :
		      crypto_fail(c, MATHIS_FORMAT,
				  "the text has another size");
}

int md_crypto_kem_encap(struct md_call *c)
{
	EVP_PKEY *key = crypto_pkey(c, &c->args[0], false);

	return key ? crypto_encaps(c, key, !c->args[1].i) : MD_FAILED;
}

int md_crypto_kem_decap(struct md_call *c)
{
	EVP_PKEY *key = crypto_pkey(c, &c->args[0], true);

	return key ? crypto_decaps(c, key, &c->args[1], !c->args[2].i) :
		     MD_FAILED;
}

/* The key that the first two arguments are, or NULL: reported. */
static EVP_PKEY *raw_key(struct md_call *c, bool private)
{
	const char *kind = crypto_pqc_kind(c, &c->args[0]);
	struct crypto_key raw;
	OSSL_PARAM params[2];
	EVP_PKEY_CTX *ctx;
	EVP_PKEY *key = NULL;

	if (!kind || crypto_key_get(c, &c->args[1], &raw))
		return NULL;
	params[0] = OSSL_PARAM_construct_octet_string(
		private ? OSSL_PKEY_PARAM_PRIV_KEY : OSSL_PKEY_PARAM_PUB_KEY,
		(void *)raw.data, raw.n);
	params[1] = OSSL_PARAM_construct_end();
	ctx = EVP_PKEY_CTX_new_from_name(NULL, kind, NULL);
	if (ctx && EVP_PKEY_fromdata_init(ctx) > 0 &&
	    EVP_PKEY_fromdata(ctx, &key,
			      private ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY,
			      params) <= 0) {
		EVP_PKEY_free(key);
		key = NULL;
	}
	EVP_PKEY_CTX_free(ctx);
	crypto_key_drop(&raw);
	if (!key)
		crypto_fail(c, MATHIS_FORMAT, "it is no key of this kind");
	return key;
}

int md_pqc_keypair(struct md_call *c)
{
	const char *kind = crypto_pqc_kind(c, &c->args[0]);
	EVP_PKEY *key = kind ? EVP_PKEY_Q_keygen(NULL, NULL, kind) : NULL;
	unsigned char private[RAW_MAX], *public = NULL;
	size_t n_private = 0, n_public;
	int ret;

	if (!kind)
		return MD_FAILED;
	n_public = key ? EVP_PKEY_get1_encoded_public_key(key, &public) : 0;
	/* Signing keys have no other form that is encoded. */
	if (key && !n_public &&
	    EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, NULL,
					    0, &n_public)) {
		public = OPENSSL_malloc(n_public);
		if (!public || !EVP_PKEY_get_octet_string_param(
				       key, OSSL_PKEY_PARAM_PUB_KEY, public,
				       n_public, NULL))
			n_public = 0;
	}
	if (n_public && EVP_PKEY_get_octet_string_param(
				key, OSSL_PKEY_PARAM_PRIV_KEY, private,
				sizeof(private), &n_private))
		ret = crypto_return_pair(c, private, n_private, public,
					 n_public, !c->args[1].i);
	else
		ret = crypto_failed(c);
	OPENSSL_free(public);
	EVP_PKEY_free(key);
	return ret;
}

int md_pqc_encaps(struct md_call *c)
{
	EVP_PKEY *key = raw_key(c, false);

	return key ? crypto_encaps(c, key, !c->args[2].i) : MD_FAILED;
}

int md_pqc_decaps(struct md_call *c)
{
	EVP_PKEY *key = raw_key(c, true);

	return key ? crypto_decaps(c, key, &c->args[2], !c->args[3].i) :
		     MD_FAILED;
}

int md_pqc_sign(struct md_call *c)
{
	EVP_PKEY *key = raw_key(c, true);

	return key ? crypto_sign_with(c, key, &c->args[2], NULL) : MD_FAILED;
}

int md_pqc_verify(struct md_call *c)
{
	EVP_PKEY *key = raw_key(c, false);

	return key ? crypto_verify_with(c, key, &c->args[2], &c->args[3],
					NULL) :
		     MD_FAILED;
}
