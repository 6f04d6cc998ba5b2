/* SPDX-License-Identifier: GPL-2.0-only */
/* BLAKE3, which OpenSSL does not have. */
#ifndef MATHISD_CALLS_CRYPTO_BLAKE3_H
#define MATHISD_CALLS_CRYPTO_BLAKE3_H

#include <stddef.h>
#include <stdint.h>

#define BLAKE3_KEY 32
#define BLAKE3_OUT 32
#define BLAKE3_BLOCK 64
#define BLAKE3_CHUNK 1024
#define BLAKE3_DEPTH 54 /* 2^54 chunks are 2^64 bytes */

/**
 * struct blake3 - a hash under way
 * @key: The key, or what takes its place.
 * @flags: Flags of all blocks.
 * @chunks: Chunks that are in @stack.
 * @used: Bytes in @chunk.
 * @depth: Values in @stack.
 * @stack: Values of whole subtrees, the largest first.
 * @chunk: The chunk that has not ended.
 */
struct blake3 {
	uint32_t key[8];
	uint32_t flags;
	uint64_t chunks;
	size_t used;
	unsigned int depth;
	uint32_t stack[BLAKE3_DEPTH + 1][8];
	unsigned char chunk[BLAKE3_CHUNK];
};

/* Begin a hash; @key has BLAKE3_KEY bytes, or is NULL. */
void blake3_init(struct blake3 *h, const unsigned char *key);
/* Begin to derive a key of what is added, for a context. */
void blake3_init_context(struct blake3 *h, const void *context, size_t n);
void blake3_add(struct blake3 *h, const void *data, size_t n);
/* The first @n bytes of the output, which has no end. */
void blake3_out(const struct blake3 *h, unsigned char *out, size_t n);

#endif
