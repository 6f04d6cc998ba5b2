// SPDX-License-Identifier: GPL-2.0-only
/* SHA-256, by OpenSSL, and as text. */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include <openssl/evp.h>

#include "hash.h"

static struct evp_md_st *sha256;

static void fetch(void)
{
	/* Once for all: looking it up costs as much as hashing a page. */
	sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
}

static const EVP_MD *algorithm(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, fetch);
	return sha256;
}

/**
 * vdfs_hash_bytes() - hash what is in one piece
 * @data: Bytes.
 * @len: How many.
 * @out: Their SHA-256.
 *
 * Context: Any thread.
 * Return: 0 or -ENOMEM.
 */
int vdfs_hash_bytes(const void *data, size_t len, struct vdfs_hash *out)
{
	const EVP_MD *md = algorithm();

	if (!md || !EVP_Digest(data, len, out->bytes, NULL, md, NULL))
		return -ENOMEM;
	return 0;
}

/**
 * vdfs_hash_new() - begin a hash of several pieces
 *
 * Context: Any thread.
 * Return: Its state, or NULL when there is no memory.
 */
EVP_MD_CTX *vdfs_hash_new(void)
{
	const EVP_MD *md = algorithm();
	EVP_MD_CTX *ctx = md ? EVP_MD_CTX_new() : NULL;

	if (ctx && !EVP_DigestInit_ex2(ctx, md, NULL)) {
		EVP_MD_CTX_free(ctx);
		return NULL;
	}
	return ctx;
}

/**
 * vdfs_hash_more() - add a piece
 * @ctx: The hash.
 * @data: Bytes.
 * @len: How many.
 *
 * Context: One thread at a time.
 * Return: 0 or -ENOMEM.
 */
int vdfs_hash_more(EVP_MD_CTX *ctx, const void *data, size_t len)
{
	return EVP_DigestUpdate(ctx, data, len) ? 0 : -ENOMEM;
}

/**
 * vdfs_hash_end() - end a hash
 * @ctx: The hash; still to be freed.
 * @out: SHA-256 of all pieces.
 *
 * Context: One thread at a time.
 * Return: 0 or -ENOMEM.
 */
int vdfs_hash_end(EVP_MD_CTX *ctx, struct vdfs_hash *out)
{
	return EVP_DigestFinal_ex(ctx, out->bytes, NULL) ? 0 : -ENOMEM;
}

/**
 * vdfs_hash_free() - free the state of a hash
 * @ctx: NULL is nothing to do.
 *
 * Context: Any thread.
 */
void vdfs_hash_free(EVP_MD_CTX *ctx)
{
	EVP_MD_CTX_free(ctx);
}

/**
 * vdfs_hash_job() - hash some bytes, as a job
 * @job: Of a struct vdfs_hashing.
 *
 * Context: Any thread.
 * Return: 0 or -ENOMEM.
 */
int vdfs_hash_job(struct vdfs_job *job)
{
	struct vdfs_hashing *h = (struct vdfs_hashing *)job;

	if (h->ctx)
		return vdfs_hash_more(h->ctx, h->data, h->len);
	return vdfs_hash_bytes(h->data, h->len, h->out);
}

/**
 * vdfs_hash_equal() - compare two hashes
 * @a: One.
 * @b: The other.
 *
 * Context: Any.
 * Return: Whether they are the same.
 */
bool vdfs_hash_equal(const struct vdfs_hash *a, const struct vdfs_hash *b)
{
	return !memcmp(a, b, sizeof(*a));
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/**
 * vdfs_hash_parse() - read a hash
 * @text: 64 hexadecimal digits and nothing else.
 * @out: The hash.
 *
 * Context: Any.
 * Return: 0 or -EINVAL.
 */
int vdfs_hash_parse(const char *text, struct vdfs_hash *out)
{
	struct vdfs_hash hash;
	size_t i;

	for (i = 0; i < sizeof(hash.bytes); i++) {
		int high = digit(text[2 * i]);
		int low = high < 0 ? -1 : digit(text[2 * i + 1]);

		if (low < 0)
			return -EINVAL;
		hash.bytes[i] = high << 4 | low;
	}
	if (text[2 * i])
		return -EINVAL;
	*out = hash;
	return 0;
}

/**
 * vdfs_hash_print() - write a hash
 * @hash: The hash.
 * @text: Out, 64 lower-case hexadecimal digits and a NUL.
 *
 * Context: Any.
 */
void vdfs_hash_print(const struct vdfs_hash *hash, char text[VDFS_HASH_TEXT])
{
	static const char digits[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < sizeof(hash->bytes); i++) {
		text[2 * i] = digits[hash->bytes[i] >> 4];
		text[2 * i + 1] = digits[hash->bytes[i] & 15];
	}
	text[2 * i] = '\0';
}
