/* SPDX-License-Identifier: GPL-2.0-only */
/* The calls of 0x09 share this: secrets, keys, and errors of OpenSSL. */
#ifndef MATHISD_CALLS_CRYPTO_CRYPTO_H
#define MATHISD_CALLS_CRYPTO_CRYPTO_H

#include <openssl/evp.h>

#include "calls/calls.h"

#define SECRET_MAX 65536 /* bytes of a secret */

/**
 * struct crypto_key - bytes of an argument that may be a secret
 * @data: The bytes, for as long as it is held.
 * @n: Their count.
 * @secret: The secret that they are of, or NULL.
 */
struct crypto_key {
	const unsigned char *data;
	size_t n;
	struct md_object *secret;
};

/*
 * The bytes of a str, bytes or secret: MD_DONE, and the caller drops it; or
 * MD_FAILED.
 */
int crypto_key_get(struct md_call *c, const struct mathis_item *item,
		   struct crypto_key *key);
void crypto_key_drop(struct crypto_key *key);
/* The same, and exactly @n bytes, else ArgRange. */
int crypto_key_sized(struct md_call *c, const struct mathis_item *item,
		     size_t n, struct crypto_key *key);

/*
 * Set the result of a call to bytes: a secret of them, or with @plain the bytes
 * themselves. Cleanses @data.
 */
int crypto_return(struct md_call *c, void *data, size_t n, bool plain);

/*
 * Read a key of a pair, PEM or DER: PKCS#8 or the older forms, or, without
 * @private, SubjectPublicKeyInfo. NULL: the call failed with Format.
 */
EVP_PKEY *crypto_pkey(struct md_call *c, const struct mathis_item *item,
		      bool private);
/* OpenSSL's name of a kind of PQC keys; NULL: the call failed. */
const char *crypto_pqc_kind(struct md_call *c, const struct mathis_item *name);
/*
 * Set the result of a call to a pair of keys: the private one as
 * crypto_return() does, and the public one.
 */
int crypto_return_pair(struct md_call *c, void *private, size_t n_private,
		       const void *public, size_t n_public, bool plain);

/*
 * Sign and check in the way of the key's kind; @opts is a map or none. They
 * take the key.
 */
int crypto_sign_with(struct md_call *c, EVP_PKEY *key,
		     const struct mathis_item *data,
		     const struct mathis_item *opts);
int crypto_verify_with(struct md_call *c, EVP_PKEY *key,
		       const struct mathis_item *data,
		       const struct mathis_item *sig,
		       const struct mathis_item *opts);
/* Make a shared secret for a key, and find it again. They take the key. */
int crypto_encaps(struct md_call *c, EVP_PKEY *key, bool plain);
int crypto_decaps(struct md_call *c, EVP_PKEY *key,
		  const struct mathis_item *text, bool plain);

/* A digest by its name, such as "sha256"; NULL: the call failed. */
const EVP_MD *crypto_md(struct md_call *c, const struct mathis_item *name);

/* Fail for a reason that only OpenSSL knows. */
int crypto_failed(struct md_call *c);
/* Fail, and forget what OpenSSL said. */
int crypto_fail(struct md_call *c, int code, const char *text);

/* An option of a map, or NULL. */
static inline const struct mathis_item *
crypto_opt(const struct mathis_item *opts, const char *key)
{
	const struct mathis_item *v = opts && opts->kind == MATHIS_MAP ?
					      mathis_item_get(opts, key) :
					      NULL;

	return v && v->kind != MATHIS_NONE ? v : NULL;
}

#endif
