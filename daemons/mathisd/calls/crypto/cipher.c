// SPDX-License-Identifier: GPL-2.0-only
/*
 * 0x0910 to 0x0915: encryption that shows each change: AES-256-GCM and
 * ChaCha20-Poly1305.
 */
#include <openssl/crypto.h>
#include <sys/random.h>

#include "crypto.h"

#define KEY_BYTES 32
#define NONCE_BYTES 12
#define TAG_BYTES 16

struct text {
	const unsigned char *data;
	size_t n;
};

static struct text text_of(const struct mathis_item *item)
{
	if (item->kind == MATHIS_NONE)
		return (struct text){ NULL, 0 };
	return (struct text){ (const unsigned char *)item->text, item->n };
}

/* Give a cipher data, and take what comes out: whether it did. */
static bool update(EVP_CIPHER_CTX *ctx, unsigned char *out, struct text in)
{
	int n;

	return !in.n || EVP_CipherUpdate(ctx, out, &n, in.data, (int)in.n);
}

static bool run(EVP_CIPHER_CTX *ctx, const EVP_CIPHER *cipher, bool encrypt,
		const struct crypto_key *key, const unsigned char *nonce,
		struct text aad, struct text in, unsigned char *out,
		unsigned char *tag)
{
	int n;

	return EVP_CipherInit_ex2(ctx, cipher, key->data, nonce, encrypt,
				  NULL) &&
	       (encrypt || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG,
					       TAG_BYTES, tag)) &&
	       update(ctx, NULL, aad) && update(ctx, out, in) &&
	       EVP_CipherFinal_ex(ctx, out + in.n, &n) &&
	       (!encrypt || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG,
						TAG_BYTES, tag));
}

/* Encrypt behind @lead bytes that hold the nonce, or anything. */
static int encrypt(struct md_call *c, const EVP_CIPHER *cipher,
		   const unsigned char *nonce, struct text in, struct text aad,
		   size_t lead)
{
	size_t n = lead + in.n + TAG_BYTES;
	unsigned char *out = md_alloc(c, n);
	EVP_CIPHER_CTX *ctx;
	struct crypto_key key;
	bool done;

	if (!out || crypto_key_sized(c, &c->args[0], KEY_BYTES, &key))
		return MD_FAILED;
	memcpy(out, nonce, lead);
	ctx = EVP_CIPHER_CTX_new();
	done = ctx && run(ctx, cipher, true, &key, nonce, aad, in, out + lead,
			  out + lead + in.n);
	EVP_CIPHER_CTX_free(ctx);
	crypto_key_drop(&key);
	return done ? md_return_own(c, MATHIS_BYTES, (char *)out, n) :
		      crypto_failed(c);
}

static int decrypt(struct md_call *c, const EVP_CIPHER *cipher,
		   const unsigned char *nonce, struct text in, struct text aad)
{
	unsigned char tag[TAG_BYTES];
	struct crypto_key key;
	EVP_CIPHER_CTX *ctx;
	unsigned char *out;
	bool done;

	if (in.n < TAG_BYTES)
		return md_fail(c, MATHIS_VERIFY, "the text is too short");
	in.n -= TAG_BYTES;
	memcpy(tag, in.data + in.n, TAG_BYTES);
	out = md_alloc(c, in.n + 1);
	if (!out || crypto_key_sized(c, &c->args[0], KEY_BYTES, &key))
		return MD_FAILED;
	ctx = EVP_CIPHER_CTX_new();
	done = ctx && run(ctx, cipher, false, &key, nonce, aad, in, out, tag);
	EVP_CIPHER_CTX_free(ctx);
	crypto_key_drop(&key);
	if (done)
		return md_return_own(c, MATHIS_BYTES, (char *)out, in.n);
	OPENSSL_cleanse(out, in.n);
	return crypto_fail(c, MATHIS_VERIFY,
			   "the text was changed, or the key is another one");
}

static int encrypt_call(struct md_call *c, const EVP_CIPHER *cipher)
{
	return encrypt(c, cipher, (const unsigned char *)c->args[1].text,
		       text_of(&c->args[2]), text_of(&c->args[3]), 0);
}

static int decrypt_call(struct md_call *c, const EVP_CIPHER *cipher)
{
	return decrypt(c, cipher, (const unsigned char *)c->args[1].text,
		       text_of(&c->args[2]), text_of(&c->args[3]));
}

int md_crypto_aes_encrypt(struct md_call *c)
{
	return encrypt_call(c, EVP_aes_256_gcm());
}

int md_crypto_aes_decrypt(struct md_call *c)
{
	return decrypt_call(c, EVP_aes_256_gcm());
}

int md_crypto_chacha_encrypt(struct md_call *c)
{
	return encrypt_call(c, EVP_chacha20_poly1305());
}

int md_crypto_chacha_decrypt(struct md_call *c)
{
	return decrypt_call(c, EVP_chacha20_poly1305());
}

int md_crypto_seal(struct md_call *c)
{
	unsigned char nonce[NONCE_BYTES];

	if (getrandom(nonce, sizeof(nonce), 0) != sizeof(nonce))
		return md_fail(c, MATHIS_IO, "no random bytes");
	return encrypt(c, EVP_aes_256_gcm(), nonce, text_of(&c->args[1]),
		       text_of(&c->args[2]), NONCE_BYTES);
}

int md_crypto_open(struct md_call *c)
{
	struct text in = text_of(&c->args[1]);

	if (in.n < NONCE_BYTES)
		return md_fail(c, MATHIS_VERIFY, "the text is too short");
	return decrypt(c, EVP_aes_256_gcm(), in.data,
		       (struct text){ in.data + NONCE_BYTES,
				      in.n - NONCE_BYTES },
		       text_of(&c->args[2]));
}
