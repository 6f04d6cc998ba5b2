// SPDX-License-Identifier: GPL-2.0-only
/*
 * 0x0900 to 0x0906: digests, MACs, and comparison in constant time.
 */
#include <openssl/crypto.h>
#include <openssl/hmac.h>

#include "blake3.h"
#include "crypto.h"

static int digest(struct md_call *c, const EVP_MD *md,
		  const struct mathis_item *data)
{
	unsigned char out[EVP_MAX_MD_SIZE];
	unsigned int n;

	if (!md)
		return MD_FAILED;
	if (!EVP_Digest(data->text, data->n, out, &n, md, NULL))
		return crypto_failed(c);
	return md_return_bytes(c, out, n);
}

int md_crypto_sha256(struct md_call *c)
{
	return digest(c, EVP_sha256(), &c->args[0]);
}

int md_crypto_sha384(struct md_call *c)
{
	return digest(c, EVP_sha384(), &c->args[0]);
}

int md_crypto_sha512(struct md_call *c)
{
	return digest(c, EVP_sha512(), &c->args[0]);
}

const EVP_MD *crypto_md(struct md_call *c, const struct mathis_item *name)
{
	static const struct {
		const char *name;
		const EVP_MD *(*md)(void);
	} all[] = {
		{ "sha256", EVP_sha256 },     { "sha384", EVP_sha384 },
		{ "sha512", EVP_sha512 },     { "sha1", EVP_sha1 },
		{ "sha224", EVP_sha224 },     { "sha512-256", EVP_sha512_256 },
		{ "sha3-224", EVP_sha3_224 }, { "sha3-256", EVP_sha3_256 },
		{ "sha3-384", EVP_sha3_384 }, { "sha3-512", EVP_sha3_512 },
		{ "md5", EVP_md5 },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		if (mathis_item_is(name, all[i].name))
			return all[i].md();
	}
	md_fail(c, MATHIS_UNSUPPORTED, "no digest has this name");
	return NULL;
}

int md_crypto_hash(struct md_call *c)
{
	return digest(c, crypto_md(c, &c->args[0]), &c->args[1]);
}

int md_crypto_hmac(struct md_call *c)
{
	const EVP_MD *md = crypto_md(c, &c->args[0]);
	const struct mathis_item *data = &c->args[2];
	unsigned char out[EVP_MAX_MD_SIZE];
	struct crypto_key key;
	unsigned int n;
	bool done;

	if (!md || crypto_key_get(c, &c->args[1], &key))
		return MD_FAILED;
	/* Without a pointer HMAC() would take the key of before. */
	done = HMAC(md, key.n ? key.data : (const void *)"", (int)key.n,
		    (const unsigned char *)data->text, data->n, out, &n);
	crypto_key_drop(&key);
	return done ? md_return_bytes(c, out, n) : crypto_failed(c);
}

int md_crypto_equal(struct md_call *c)
{
	const struct mathis_item *a = &c->args[0], *b = &c->args[1];

	return md_return_bool(c, a->n == b->n && !CRYPTO_memcmp(a->text,
								b->text, a->n));
}

int md_crypto_blake3(struct md_call *c)
{
	const struct mathis_item *opts = &c->args[1];
	const struct mathis_item *key = crypto_opt(opts, "key");
	const struct mathis_item *context = crypto_opt(opts, "context");
	const struct mathis_item *len = crypto_opt(opts, "len");
	size_t n = len ? (size_t)len->i : BLAKE3_OUT;
	struct crypto_key held = { 0 };
	struct blake3 hash;
	unsigned char *out;

	if (key && context)
		return md_fail(c, MATHIS_ARG_RANGE,
			       "it takes a key or a context, not both");
	out = md_alloc(c, n);
	if (!out || (key && crypto_key_sized(c, key, BLAKE3_KEY, &held)))
		return MD_FAILED;
	if (context)
		blake3_init_context(&hash, context->text, context->n);
	else
		blake3_init(&hash, held.data);
	crypto_key_drop(&held);
	blake3_add(&hash, c->args[0].text, c->args[0].n);
	blake3_out(&hash, out, n);
	OPENSSL_cleanse(&hash, sizeof(hash));
	return md_return_own(c, MATHIS_BYTES, (char *)out, n);
}
