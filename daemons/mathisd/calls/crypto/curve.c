// SPDX-License-Identifier: GPL-2.0-only
/*
 * 0x0920 to 0x0922, 0x0930, 0x0931: Ed25519 and X25519, whose keys are 32 bytes.
 */
#include <openssl/crypto.h>

#include "crypto.h"

#define RAW_BYTES 32

static int raw_pair(struct md_call *c, const char *type)
{
	unsigned char private[RAW_BYTES], public[RAW_BYTES];
	size_t n_private = RAW_BYTES, n_public = RAW_BYTES;
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, type);
	bool done = key &&
		    EVP_PKEY_get_raw_private_key(key, private, &n_private) &&
		    EVP_PKEY_get_raw_public_key(key, public, &n_public);

	EVP_PKEY_free(key);
	return done ? crypto_return_pair(c, private, n_private, public,
					 n_public, !c->args[0].i) :
		      crypto_failed(c);
}

/* The private key of an argument, or NULL: reported. */
static EVP_PKEY *raw_private(struct md_call *c, const char *type)
{
	struct crypto_key raw;
	EVP_PKEY *key;

	if (crypto_key_sized(c, &c->args[0], RAW_BYTES, &raw))
		return NULL;
	key = EVP_PKEY_new_raw_private_key_ex(NULL, type, NULL, raw.data,
					      raw.n);
	crypto_key_drop(&raw);
	if (!key)
		crypto_failed(c);
	return key;
}

static EVP_PKEY *raw_public(const struct mathis_item *item, const char *type)
{
	return EVP_PKEY_new_raw_public_key_ex(
		NULL, type, NULL, (const unsigned char *)item->text, item->n);
}

int md_crypto_ed25519_keypair(struct md_call *c)
{
	return raw_pair(c, "ED25519");
}

int md_crypto_ed25519_sign(struct md_call *c)
{
	EVP_PKEY *key = raw_private(c, "ED25519");

	return key ? crypto_sign_with(c, key, &c->args[1], NULL) : MD_FAILED;
}

int md_crypto_ed25519_verify(struct md_call *c)
{
	EVP_PKEY *key = raw_public(&c->args[0], "ED25519");

	if (!key)
		return crypto_fail(c, MATHIS_FORMAT, "it is no public key");
	return crypto_verify_with(c, key, &c->args[1], &c->args[2], NULL);
}

int md_crypto_x25519_keypair(struct md_call *c)
{
	return raw_pair(c, "X25519");
}

int md_crypto_x25519_derive(struct md_call *c)
{
	EVP_PKEY *key = raw_private(c, "X25519");
	EVP_PKEY *peer = key ? raw_public(&c->args[1], "X25519") : NULL;
	EVP_PKEY_CTX *ctx = key ? EVP_PKEY_CTX_new(key, NULL) : NULL;
	unsigned char out[RAW_BYTES];
	size_t n = sizeof(out);
	bool done = ctx && peer && EVP_PKEY_derive_init(ctx) > 0 &&
		    EVP_PKEY_derive_set_peer(ctx, peer) > 0 &&
		    EVP_PKEY_derive(ctx, out, &n) > 0;

	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(peer);
	EVP_PKEY_free(key);
	if (!key)
		return MD_FAILED;
	/* RFC 7748, 6.1: a point of small order gives zeros, for any key. */
	if (!done)
		return crypto_fail(c, MATHIS_VERIFY,
				   "the key of the peer is of small order");
	return crypto_return(c, out, n, !c->args[2].i);
}
