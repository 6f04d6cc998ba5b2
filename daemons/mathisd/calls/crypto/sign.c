// SPDX-License-Identifier: GPL-2.0-only
/*
 * 0x0921 to 0x0926, 0x0938, 0x0939: signatures.
 */
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

#include "crypto.h"

#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 8192
#define PSS_SALT 32
#define SIG_MAX 65536

/* How a key signs. */
struct scheme {
	const char *md; /* NULL: the way of the key */
	bool pkcs1;
	bool pss;
	size_t p1363; /* bytes of a number; 0: DER */
};

static int option_text(struct md_call *c, const struct mathis_item *opts,
		       const char *key, const char *yes, const char *no,
		       bool *is)
{
	const struct mathis_item *v = crypto_opt(opts, key);

	*is = v && mathis_item_is(v, yes);
	if (!v || *is || mathis_item_is(v, no))
		return MD_DONE;
	return md_fail(c, MATHIS_UNSUPPORTED, "%s is %s or %s", key, yes, no);
}

static int scheme_ec(struct md_call *c, EVP_PKEY *key,
		     const struct mathis_item *opts, struct scheme *s)
{
	static const struct {
		const char *group;
		const char *md;
		size_t bytes;
	} curves[] = {
		{ "prime256v1", "SHA256", 32 },
		{ "secp384r1", "SHA384", 48 },
		{ "secp521r1", "SHA512", 66 },
	};
	char group[32] = "";
	size_t n;
	bool p1363;

	EVP_PKEY_get_group_name(key, group, sizeof(group), &n);
	if (option_text(c, opts, "format", "p1363", "der", &p1363))
		return MD_FAILED;
	for (int i = 0; i < 3; i++) {
		if (strcmp(group, curves[i].group))
			continue;
		s->md = curves[i].md;
		s->p1363 = p1363 ? curves[i].bytes : 0;
		return MD_DONE;
	}
	return crypto_fail(c, MATHIS_UNSUPPORTED,
			   "the curve is none of P-256, P-384 and P-521");
}

static int scheme_rsa(struct md_call *c, EVP_PKEY *key,
		      const struct mathis_item *opts, struct scheme *s)
{
	const struct mathis_item *hash = crypto_opt(opts, "hash");
	int bits = EVP_PKEY_get_bits(key);

	if (bits < RSA_BITS_MIN || bits > RSA_BITS_MAX)
		return md_fail(c, MATHIS_ARG_RANGE,
			       "the key has not %d to %d bits", RSA_BITS_MIN,
			       RSA_BITS_MAX);
	if (option_text(c, opts, "padding", "pkcs1", "pss", &s->pkcs1))
		return MD_FAILED;
	s->pss = !s->pkcs1;
	if (!hash || mathis_item_is(hash, "sha256"))
		s->md = "SHA256";
	else if (mathis_item_is(hash, "sha384"))
		s->md = "SHA384";
	else if (mathis_item_is(hash, "sha512"))
		s->md = "SHA512";
	else
		return md_fail(c, MATHIS_UNSUPPORTED,
			       "hash is sha256, sha384 or sha512");
	return MD_DONE;
}

static int find_scheme(struct md_call *c, EVP_PKEY *key,
		       const struct mathis_item *opts, struct scheme *s)
{
	const char *name = EVP_PKEY_get0_type_name(key) ?: "";

	*s = (struct scheme){ 0 };
	if (EVP_PKEY_is_a(key, "EC"))
		return scheme_ec(c, key, opts, s);
	if (EVP_PKEY_is_a(key, "RSA"))
		return scheme_rsa(c, key, opts, s);
	if (opts && opts->kind == MATHIS_MAP && opts->n)
		return md_fail(c, MATHIS_ARG_RANGE,
			       "this kind of keys has no options");
	if (EVP_PKEY_is_a(key, "ED25519") || !strncmp(name, "ML-DSA-", 7) ||
	    !strncmp(name, "SLH-DSA-", 8))
		return MD_DONE;
	return md_fail(c, MATHIS_UNSUPPORTED, "keys of this kind do not sign");
}

static bool set_padding(EVP_PKEY_CTX *ctx, const struct scheme *s)
{
	if (s->pkcs1)
		return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) > 0;
	return !s->pss ||
	       (EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) > 0 &&
		EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, PSS_SALT) > 0);
}

/* r and s, each of so many bytes, from DER. */
static int to_p1363(struct md_call *c, const unsigned char *der, size_t n,
		    size_t bytes)
{
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)n);
	unsigned char out[2 * 66];
	bool done = sig &&
		    BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, (int)bytes) > 0 &&
		    BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + bytes,
				 (int)bytes) > 0;

	ECDSA_SIG_free(sig);
	return done ? md_return_bytes(c, out, 2 * bytes) : crypto_failed(c);
}

/* DER of r and s: its bytes, which OPENSSL_free() frees, or 0. */
static int from_p1363(const struct mathis_item *sig, size_t bytes,
		      unsigned char **der)
{
	const unsigned char *p = (const unsigned char *)sig->text;
	BIGNUM *r, *s;
	ECDSA_SIG *ec;
	int n = 0;

	if (sig->n != 2 * bytes)
		return 0;
	r = BN_bin2bn(p, (int)bytes, NULL);
	s = BN_bin2bn(p + bytes, (int)bytes, NULL);
	ec = ECDSA_SIG_new();
	if (r && s && ec && ECDSA_SIG_set0(ec, r, s)) {
		n = i2d_ECDSA_SIG(ec, der);
	} else {
		BN_free(r);
		BN_free(s);
	}
	ECDSA_SIG_free(ec);
	return n > 0 ? n : 0;
}

int crypto_sign_with(struct md_call *c, EVP_PKEY *key,
		     const struct mathis_item *data,
		     const struct mathis_item *opts)
{
	const unsigned char *text = (const unsigned char *)data->text;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx = NULL;
	unsigned char *sig = NULL;
	struct scheme s;
	size_t n = SIG_MAX;
	int ret = MD_FAILED;

	if (find_scheme(c, key, opts, &s))
		goto out;
	sig = md_alloc(c, n);
	if (!sig)
		goto out;
	if (!ctx ||
	    EVP_DigestSignInit_ex(ctx, &pctx, s.md, NULL, NULL, key, NULL) <=
		    0 ||
	    !set_padding(pctx, &s) ||
	    EVP_DigestSign(ctx, sig, &n, text, data->n) <= 0)
		ret = crypto_failed(c);
	else if (s.p1363)
		ret = to_p1363(c, sig, n, s.p1363);
	else
		ret = md_return_own(c, MATHIS_BYTES, (char *)sig, n);
out:
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	return ret;
}

int crypto_verify_with(struct md_call *c, EVP_PKEY *key,
		       const struct mathis_item *data,
		       const struct mathis_item *sig,
		       const struct mathis_item *opts)
{
	const unsigned char *text = (const unsigned char *)data->text;
	const unsigned char *bytes = (const unsigned char *)sig->text;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx = NULL;
	unsigned char *der = NULL;
	size_t n = sig->n;
	struct scheme s;
	int ret = MD_FAILED;

	if (find_scheme(c, key, opts, &s))
		goto out;
	if (s.p1363) {
		n = (size_t)from_p1363(sig, s.p1363, &der);
		bytes = der;
	}
	if (!ctx ||
	    EVP_DigestVerifyInit_ex(ctx, &pctx, s.md, NULL, NULL, key, NULL) <=
		    0 ||
	    !set_padding(pctx, &s))
		ret = crypto_failed(c);
	else
		ret = md_return_bool(c,
				     n && EVP_DigestVerify(ctx, bytes, n, text,
							   data->n) == 1);
	ERR_clear_error();
	OPENSSL_free(der);
out:
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	return ret;
}

/* Sign with a key that has to be of a kind, or of any. */
static int sign_call(struct md_call *c, const char *type)
{
	EVP_PKEY *key = crypto_pkey(c, &c->args[0], true);

	if (key && type && !EVP_PKEY_is_a(key, type)) {
		EVP_PKEY_free(key);
		return md_fail(c, MATHIS_FORMAT, "it is no %s key", type);
	}
	return key ? crypto_sign_with(c, key, &c->args[1], &c->args[2]) :
		     MD_FAILED;
}

static int verify_call(struct md_call *c, const char *type)
{
	EVP_PKEY *key = crypto_pkey(c, &c->args[0], false);

	if (key && type && !EVP_PKEY_is_a(key, type)) {
		EVP_PKEY_free(key);
		return md_fail(c, MATHIS_FORMAT, "it is no %s key", type);
	}
	return key ? crypto_verify_with(c, key, &c->args[1], &c->args[2],
					&c->args[3]) :
		     MD_FAILED;
}

int md_crypto_ecdsa_sign(struct md_call *c)
{
	return sign_call(c, "EC");
}

int md_crypto_ecdsa_verify(struct md_call *c)
{
	return verify_call(c, "EC");
}

int md_crypto_rsa_sign(struct md_call *c)
{
	return sign_call(c, "RSA");
}

int md_crypto_rsa_verify(struct md_call *c)
{
	return verify_call(c, "RSA");
}

int md_crypto_sign(struct md_call *c)
{
	return sign_call(c, NULL);
}

int md_crypto_verify(struct md_call *c)
{
	return verify_call(c, NULL);
}
