// SPDX-License-Identifier: GPL-2.0-only
/*
 * 0x0932: pairs of keys, and how keys are read.
 */
#include <openssl/crypto.h>
#include <openssl/decoder.h>
#include <openssl/err.h>
#include <openssl/x509.h>

#include "crypto.h"

/* Kinds of pairs, and what OpenSSL calls them. */
static const struct kind {
	const char *name;
	const char *type;
	const char *group;
	size_t bits;
} kinds[] = {
	{ "ed25519", "ED25519", NULL, 0 }, { "x25519", "X25519", NULL, 0 },
	{ "p256", "EC", "P-256", 0 },	   { "p384", "EC", "P-384", 0 },
	{ "p521", "EC", "P-521", 0 },	   { "rsa2048", "RSA", NULL, 2048 },
	{ "rsa3072", "RSA", NULL, 3072 },  { "rsa4096", "RSA", NULL, 4096 },
};

/* Kinds against which no quantum computer is known to help, and the hybrid. */
static const char *const pqc_kinds[] = {
	"ML-KEM-512",	      "ML-KEM-768",	    "ML-KEM-1024",
	"X25519MLKEM768",     "ML-DSA-44",	    "ML-DSA-65",
	"ML-DSA-87",	      "SLH-DSA-SHA2-128s",  "SLH-DSA-SHA2-128f",
	"SLH-DSA-SHA2-192s",  "SLH-DSA-SHA2-192f",  "SLH-DSA-SHA2-256s",
	"SLH-DSA-SHA2-256f",  "SLH-DSA-SHAKE-128s", "SLH-DSA-SHAKE-128f",
	"SLH-DSA-SHAKE-192s", "SLH-DSA-SHAKE-192f", "SLH-DSA-SHAKE-256s",
	"SLH-DSA-SHAKE-256f",
};

static bool same_name(const struct mathis_item *item, const char *name)
{
	return item->n == strlen(name) &&
	       !strncasecmp(item->text, name, item->n);
}

const char *crypto_pqc_kind(struct md_call *c, const struct mathis_item *name)
{
	for (size_t i = 0; i < sizeof(pqc_kinds) / sizeof(*pqc_kinds); i++) {
		if (same_name(name, pqc_kinds[i]))
			return pqc_kinds[i];
	}
	md_fail(c, MATHIS_UNSUPPORTED, "no kind of keys has this name");
	return NULL;
}

static EVP_PKEY *generate(struct md_call *c)
{
	const struct mathis_item *name = &c->args[0];
	const char *pqc;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		const struct kind *k = &kinds[i];

		if (!same_name(name, k->name))
			continue;
		if (k->bits)
			return EVP_PKEY_Q_keygen(NULL, NULL, k->type, k->bits);
		return EVP_PKEY_Q_keygen(NULL, NULL, k->type, k->group);
	}
	pqc = crypto_pqc_kind(c, name);
	/* Nothing says yet how the keys of the hybrid are written in DER. */
	if (pqc && !strcmp(pqc, "X25519MLKEM768")) {
		md_fail(c, MATHIS_UNSUPPORTED, "pqc_keypair() makes these");
		pqc = NULL;
	}
	return pqc ? EVP_PKEY_Q_keygen(NULL, NULL, pqc) : NULL;
}

int crypto_return_pair(struct md_call *c, void *private, size_t n_private,
		       const void *public, size_t n_public, bool plain)
{
	struct mathis_item pair = mathis_item_seq(&c->pool, MATHIS_TUPLE, 2);

	if (crypto_return(c, private, n_private, plain))
		return MD_FAILED;
	mathis_item_add(&c->pool, &pair, c->result);
	mathis_item_add(&c->pool, &pair, md_bytes(c, public, n_public));
	return md_return(c, pair);
}

/* The private key as PKCS#8: its bytes, or 0. */
static int write_private(EVP_PKEY *key, unsigned char **der)
{
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
	int n = info ? i2d_PKCS8_PRIV_KEY_INFO(info, der) : 0;

	PKCS8_PRIV_KEY_INFO_free(info);
	return n < 0 ? 0 : n;
}

int md_crypto_keypair(struct md_call *c)
{
	unsigned char *private = NULL, *public = NULL;
	int n_private, n_public, ret;
	EVP_PKEY *key;

	c->code = MATHIS_OK;
	key = generate(c);
	if (!key)
		return c->code ? MD_FAILED : crypto_failed(c);
	n_private = write_private(key, &private);
	n_public = i2d_PUBKEY(key, &public);
	EVP_PKEY_free(key);
	if (n_private <= 0 || n_public <= 0)
		ret = crypto_failed(c);
	else
		ret = crypto_return_pair(c, private, (size_t)n_private, public,
					 (size_t)n_public, !c->args[1].i);
	OPENSSL_clear_free(private, n_private > 0 ? (size_t)n_private : 0);
	OPENSSL_free(public);
	return ret;
}

EVP_PKEY *crypto_pkey(struct md_call *c, const struct mathis_item *item,
		      bool private)
{
	OSSL_DECODER_CTX *ctx;
	struct crypto_key key;
	EVP_PKEY *pkey = NULL;
	const unsigned char *p;
	size_t left;
	bool pem;

	if (crypto_key_get(c, item, &key))
		return NULL;
	p = key.data;
	left = key.n;
	pem = key.n && *p != 0x30; /* else a SEQUENCE */
	ctx = OSSL_DECODER_CTX_new_for_pkey(
		&pkey, pem ? "PEM" : "DER", NULL, NULL,
		private ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY, NULL, NULL);
	/* Without a passphrase an encrypted key is refused, not asked for. */
	if (ctx &&
	    (!OSSL_DECODER_from_data(ctx, &p, &left) || (!pem && left))) {
		EVP_PKEY_free(pkey);
		pkey = NULL;
	}
	OSSL_DECODER_CTX_free(ctx);
	crypto_key_drop(&key);
	if (!pkey)
		crypto_fail(c, MATHIS_FORMAT,
			    private ? "it is no private key in PEM or DER" :
				      "it is no public key in PEM or DER");
	return pkey;
}
