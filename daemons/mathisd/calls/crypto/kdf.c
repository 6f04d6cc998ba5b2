// SPDX-License-Identifier: GPL-2.0-only
/*
 * 0x0933 to 0x0935, 0x093C: keys of other keys and of passwords. A call that
 * asks for too much is refused before any work; all that one session derives at
 * a time has KDF_BYTES of memory.
 */
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "crypto.h"

#define KDF_BYTES (256UL << 20)
#define PBKDF2_WORK 10000000U /* iterations, of all blocks */
#define PBKDF2_SLICE 4096
#define KDF_WORK (4UL << 30) /* bytes that argon2 goes over */

static void init(void *state)
{
	atomic_init((atomic_ulong *)state, 0);
}

static const struct md_own_kind memory = {
	.size = sizeof(atomic_ulong),
	.init = init,
};

static int charge(struct md_call *c, uint64_t bytes, atomic_ulong **used)
{
	if (bytes > KDF_BYTES)
		return md_fail(c, MATHIS_ARG_RANGE,
			       "it would take more than %lu MiB",
			       KDF_BYTES >> 20);
	*used = md_session_own(c->session, &memory);
	if (!*used)
		return md_fail(c, MATHIS_OUT_OF_MEMORY, "no memory");
	if (atomic_fetch_add(*used, bytes) + bytes <= KDF_BYTES)
		return MD_DONE;
	atomic_fetch_sub(*used, bytes);
	c->retry_after_ms = 100;
	return md_fail(c, MATHIS_BUSY,
		       "the session derives keys with %lu MiB already",
		       KDF_BYTES >> 20);
}

static OSSL_PARAM octets(const char *name, const void *data, size_t n)
{
	return OSSL_PARAM_construct_octet_string(
		name, n ? (void *)data : (void *)"", n);
}

static OSSL_PARAM octets_of(const char *name, const struct mathis_item *item)
{
	return octets(name, item->text,
		      item->kind == MATHIS_NONE ? 0 : item->n);
}

/* Derive from the first argument that is a key, with @bytes of memory. */
static int derive(struct md_call *c, const char *name, const char *key_name,
		  const struct mathis_item *key_item, OSSL_PARAM *params,
		  int64_t len, bool secret, uint64_t bytes)
{
	size_t n = (size_t)len;
	atomic_ulong *used;
	struct crypto_key key;
	EVP_KDF_CTX *ctx;
	unsigned char *out;
	EVP_KDF *kdf;
	bool done;

	if (charge(c, bytes, &used))
		return MD_FAILED;
	out = md_alloc(c, n);
	if (!out || crypto_key_get(c, key_item, &key)) {
		atomic_fetch_sub(used, bytes);
		return MD_FAILED;
	}
	params[0] = octets(key_name, key.data, key.n);
	kdf = EVP_KDF_fetch(NULL, name, NULL);
	ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
	done = ctx && EVP_KDF_derive(ctx, out, n, params) > 0;
	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
	crypto_key_drop(&key);
	atomic_fetch_sub(used, bytes);
	return done ? crypto_return(c, out, n, !secret) : crypto_failed(c);
}

static OSSL_PARAM digest_of(const EVP_MD *md)
{
	return OSSL_PARAM_construct_utf8_string(
		OSSL_KDF_PARAM_DIGEST, (char *)EVP_MD_get0_name(md), 0);
}

int md_crypto_hkdf(struct md_call *c)
{
	const EVP_MD *md = crypto_md(c, &c->args[0]);
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_end(), /* the key */
		md ? digest_of(md) : OSSL_PARAM_construct_end(),
		octets_of(OSSL_KDF_PARAM_SALT, &c->args[2]),
		octets_of(OSSL_KDF_PARAM_INFO, &c->args[3]),
		OSSL_PARAM_construct_end(),
	};

	if (!md)
		return MD_FAILED;
	if (c->args[4].i > 255L * EVP_MD_get_size(md))
		return md_fail(c, MATHIS_ARG_RANGE,
			       "the digest gives at most %d bytes",
			       255 * EVP_MD_get_size(md));
	return derive(c, "HKDF", OSSL_KDF_PARAM_KEY, &c->args[1], params,
		      c->args[4].i, c->args[5].i, 0);
}

/*
 * Make a block of PBKDF2 with a keyed HMAC, which takes long: the call may be
 * stopped between slices.
 */
static int pbkdf2_block(struct md_call *c, EVP_MAC_CTX *mac, uint32_t number,
			unsigned char *out)
{
	const struct mathis_item *salt = &c->args[2];
	unsigned char u[EVP_MAX_MD_SIZE], be[4];
	int ret = MD_DONE;
	size_t n;

	for (int i = 0; i < 4; i++)
		be[i] = (unsigned char)(number >> (24 - 8 * i));
	if (!EVP_MAC_init(mac, NULL, 0, NULL) ||
	    !EVP_MAC_update(mac, (const unsigned char *)salt->text, salt->n) ||
	    !EVP_MAC_update(mac, be, sizeof(be)) ||
	    !EVP_MAC_final(mac, u, &n, sizeof(u)))
		return crypto_failed(c);
	memcpy(out, u, n);
	for (int64_t i = 1; i < c->args[3].i && !ret; i++) {
		if (!(i % PBKDF2_SLICE) && md_stopped(c))
			ret = MD_FAILED;
		else if (!EVP_MAC_init(mac, NULL, 0, NULL) ||
			 !EVP_MAC_update(mac, u, n) ||
			 !EVP_MAC_final(mac, u, &n, sizeof(u)))
			ret = crypto_failed(c);
		for (size_t k = 0; k < n; k++)
			out[k] ^= u[k];
	}
	OPENSSL_cleanse(u, sizeof(u));
	return ret;
}

/* HMAC with a password as its key, or NULL. */
static EVP_MAC_CTX *hmac(const EVP_MD *md, const struct crypto_key *key)
{
	OSSL_PARAM params[] = { digest_of(md), OSSL_PARAM_construct_end() };
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *ctx = mac ? EVP_MAC_CTX_new(mac) : NULL;
	const unsigned char *data = (const unsigned char *)"";

	EVP_MAC_free(mac);
	if (key->n)
		data = key->data;
	if (ctx && EVP_MAC_init(ctx, data, key->n, params))
		return ctx;
	EVP_MAC_CTX_free(ctx);
	return NULL;
}

int md_crypto_pbkdf2(struct md_call *c)
{
	const EVP_MD *md = crypto_md(c, &c->args[0]);
	size_t len = (size_t)c->args[4].i, size, blocks;
	struct crypto_key key;
	unsigned char *out;
	EVP_MAC_CTX *mac;
	int ret;

	if (!md)
		return MD_FAILED;
	size = (size_t)EVP_MD_get_size(md);
	blocks = (len + size - 1) / size;
	if (blocks * (size_t)c->args[3].i > PBKDF2_WORK)
		return md_fail(c, MATHIS_LIMIT,
			       "it would take more than %u iterations",
			       PBKDF2_WORK);
	out = md_alloc(c, blocks * size);
	if (!out || crypto_key_get(c, &c->args[1], &key))
		return MD_FAILED;
	mac = hmac(md, &key);
	crypto_key_drop(&key);
	ret = mac ? MD_DONE : crypto_failed(c);
	for (size_t i = 0; i < blocks && !ret; i++)
		ret = pbkdf2_block(c, mac, (uint32_t)i + 1, out + i * size);
	EVP_MAC_CTX_free(mac);
	if (!ret)
		ret = crypto_return(c, out, len, !c->args[5].i);
	OPENSSL_cleanse(out, blocks * size);
	return ret;
}

int md_crypto_scrypt(struct md_call *c)
{
	uint64_t n = (uint64_t)c->args[2].i, r = (uint64_t)c->args[3].i;
	uint64_t p = (uint64_t)c->args[4].i, most = KDF_BYTES + (1UL << 20);
	uint64_t bytes = 128 * r * (n + p + 2);
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_end(), /* the password */
		octets_of(OSSL_KDF_PARAM_SALT, &c->args[1]),
		OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_N, &n),
		OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_R, &r),
		OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_P, &p),
		OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_MAXMEM,
					    &most),
		OSSL_PARAM_construct_end(),
	};

	if (n & (n - 1))
		return md_fail(c, MATHIS_ARG_RANGE, "n is no power of two");
	return derive(c, "SCRYPT", OSSL_KDF_PARAM_PASSWORD, &c->args[0], params,
		      c->args[5].i, c->args[6].i, bytes);
}

int md_crypto_argon2id(struct md_call *c)
{
	const struct mathis_item *opts = &c->args[6];
	const struct mathis_item *secret = crypto_opt(opts, "secret");
	const struct mathis_item *ad = crypto_opt(opts, "ad");
	uint32_t passes = (uint32_t)c->args[2].i;
	uint32_t kib = (uint32_t)c->args[3].i, lanes = (uint32_t)c->args[4].i;
	const struct mathis_item *keep = crypto_opt(opts, "keep");
	OSSL_PARAM params[8] = {
		OSSL_PARAM_construct_end(), /* the password */
		octets_of(OSSL_KDF_PARAM_SALT, &c->args[1]),
		OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_ITER, &passes),
		OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_ARGON2_MEMCOST,
					    &kib),
		OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_ARGON2_LANES,
					    &lanes),
	};
	int n = 5;

	if (kib < 8 * lanes)
		return md_fail(c, MATHIS_ARG_RANGE,
			       "it takes 8 KiB for each lane");
	if ((uint64_t)kib * 1024 * passes > KDF_WORK)
		return md_fail(c, MATHIS_ARG_RANGE,
			       "passes over memory make more than %lu MiB",
			       KDF_WORK >> 20);
	if (secret)
		params[n++] = octets_of(OSSL_KDF_PARAM_SECRET, secret);
	if (ad)
		params[n++] = octets_of(OSSL_KDF_PARAM_ARGON2_AD, ad);
	params[n] = OSSL_PARAM_construct_end();
	return derive(c, "ARGON2ID", OSSL_KDF_PARAM_PASSWORD, &c->args[0],
		      params, c->args[5].i, keep && keep->i,
		      (uint64_t)kib * 1024);
}
