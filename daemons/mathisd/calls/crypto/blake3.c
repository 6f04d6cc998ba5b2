// SPDX-License-Identifier: GPL-2.0-only
/*
 * BLAKE3, of its specification of 2020: chunks of 1024 bytes are the leaves of a
 * binary tree whose left subtrees are whole. Eight chunks that follow each other
 * are hashed at once, in vectors which the compiler maps to the processor's.
 */
#include <stdbool.h>
#include <string.h>

#include "blake3.h"

enum {
	CHUNK_START = 1,
	CHUNK_END = 2,
	PARENT = 4,
	ROOT = 8,
	KEYED_HASH = 16,
	DERIVE_KEY_CONTEXT = 32,
	DERIVE_KEY_MATERIAL = 64,
};

#define LANES 8

typedef uint32_t lanes __attribute__((vector_size(4 * LANES)));

static const uint32_t iv[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
				0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };

/* Which word of the message each step of each round takes. */
static const uint8_t order[7][16] = {
	{ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
	{ 2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8 },
	{ 3, 4, 10, 12, 13, 2, 7, 14, 6, 5, 9, 0, 11, 15, 8, 1 },
	{ 10, 7, 12, 9, 14, 3, 13, 15, 4, 0, 11, 2, 5, 8, 1, 6 },
	{ 12, 13, 9, 11, 15, 10, 14, 8, 7, 2, 5, 3, 0, 1, 6, 4 },
	{ 9, 14, 11, 5, 8, 12, 15, 1, 13, 3, 0, 10, 2, 6, 4, 7 },
	{ 11, 15, 5, 0, 1, 9, 8, 6, 14, 10, 2, 12, 3, 4, 7, 13 },
};

/* A block that is not compressed yet: the last of a chunk, or a parent. */
struct node {
	uint32_t in[8];
	uint32_t block[16];
	uint64_t counter;
	uint32_t size;
	uint32_t flags;
};

#define WORD uint32_t
#define MIX mix
#define ROUNDS rounds
#include "blake3_impl.h"
#define WORD lanes
#define MIX mix_lanes
#define ROUNDS rounds_lanes
#include "blake3_impl.h"

static uint32_t load32(const unsigned char *p)
{
	return p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24;
}

static void load_block(uint32_t block[16], const unsigned char *p, size_t n)
{
	unsigned char whole[BLAKE3_BLOCK] = { 0 };

	memcpy(whole, p, n);
	for (int i = 0; i < 16; i++)
		block[i] = load32(whole + 4UL * i);
}

static void compress(const struct node *node, uint64_t counter, uint32_t flags,
		     uint32_t out[16])
{
	uint32_t v[16];

	memcpy(v, node->in, sizeof(node->in));
	memcpy(v + 8, iv, 16);
	v[12] = (uint32_t)counter;
	v[13] = (uint32_t)(counter >> 32);
	v[14] = node->size;
	v[15] = flags;
	rounds(v, node->block);
	for (int i = 0; i < 8; i++) {
		out[i] = v[i] ^ v[i + 8];
		out[i + 8] = v[i + 8] ^ node->in[i];
	}
}

/* The value of a node that is not the root. */
static void value(const struct node *node, uint32_t out[8])
{
	uint32_t all[16];

	compress(node, node->counter, node->flags, all);
	memcpy(out, all, 32);
}

static void chunk_node(const struct blake3 *h, struct node *node,
		       const unsigned char *data, size_t n)
{
	uint32_t start = CHUNK_START;

	memcpy(node->in, h->key, sizeof(node->in));
	node->counter = h->chunks;
	for (; n > BLAKE3_BLOCK; n -= BLAKE3_BLOCK, data += BLAKE3_BLOCK) {
		node->size = BLAKE3_BLOCK;
		node->flags = h->flags | start;
		load_block(node->block, data, BLAKE3_BLOCK);
		value(node, node->in);
		start = 0;
	}
	node->size = (uint32_t)n;
	node->flags = h->flags | start | CHUNK_END;
	load_block(node->block, data, n);
}

static void parent_node(const struct blake3 *h, struct node *node,
			const uint32_t left[8], const uint32_t right[8])
{
	memcpy(node->in, h->key, sizeof(node->in));
	memcpy(node->block, left, 32);
	memcpy(node->block + 8, right, 32);
	node->counter = 0;
	node->size = BLAKE3_BLOCK;
	node->flags = h->flags | PARENT;
}

/* Add the value of a whole chunk to the tree. */
static void add_value(struct blake3 *h, const uint32_t chunk[8])
{
	struct node node;

	memcpy(h->stack[h->depth++], chunk, 32);
	h->chunks++;
	/* Each zero at the end of the count is a subtree that is whole now. */
	for (uint64_t n = h->chunks; !(n & 1); n >>= 1) {
		parent_node(h, &node, h->stack[h->depth - 2],
			    h->stack[h->depth - 1]);
		value(&node, h->stack[h->depth - 2]);
		h->depth--;
	}
}

static void add_chunk(struct blake3 *h, const unsigned char *data)
{
	struct node node;

	chunk_node(h, &node, data, BLAKE3_CHUNK);
	value(&node, node.in);
	add_value(h, node.in);
}

/* The values of LANES chunks. */
__attribute__((target_clones("avx2", "default"))) static void
hash_lanes(const struct blake3 *h, const unsigned char *data,
	   uint32_t out[LANES][8])
{
	static const lanes zeros;
	lanes in[8], m[16], v[16];

	for (int i = 0; i < 8; i++)
		in[i] = zeros + h->key[i];
	for (int b = 0; b < BLAKE3_CHUNK / BLAKE3_BLOCK; b++) {
		uint32_t flags = h->flags | (b ? 0 : CHUNK_START) |
				 (b == 15 ? CHUNK_END : 0);

		for (int i = 0; i < 16; i++) {
			for (int l = 0; l < LANES; l++)
				m[i][l] = load32(data + BLAKE3_CHUNK * l +
						 BLAKE3_BLOCK * b + 4 * i);
		}
		memcpy(v, in, sizeof(in));
		for (int i = 0; i < 4; i++)
			v[8 + i] = zeros + iv[i];
		for (int l = 0; l < LANES; l++) {
			v[12][l] = (uint32_t)(h->chunks + l);
			v[13][l] = (uint32_t)((h->chunks + l) >> 32);
		}
		v[14] = zeros + BLAKE3_BLOCK;
		v[15] = zeros + flags;
		rounds_lanes(v, m);
		for (int i = 0; i < 8; i++)
			in[i] = v[i] ^ v[i + 8];
	}
	for (int l = 0; l < LANES; l++) {
		for (int i = 0; i < 8; i++)
			out[l][i] = in[i][l];
	}
}

void blake3_add(struct blake3 *h, const void *data, size_t n)
{
	const unsigned char *p = data;
	uint32_t out[LANES][8];

	/* The last chunk stays, for it may be the root. */
	while (n) {
		size_t some = BLAKE3_CHUNK - h->used;

		if (!some) {
			add_chunk(h, h->chunk);
			h->used = 0;
			continue;
		}
		while (!h->used && n > LANES * BLAKE3_CHUNK) {
			hash_lanes(h, p, out);
			for (int l = 0; l < LANES; l++)
				add_value(h, out[l]);
			p += LANES * BLAKE3_CHUNK;
			n -= LANES * BLAKE3_CHUNK;
		}
		if (some > n)
			some = n;
		memcpy(h->chunk + h->used, p, some);
		h->used += some;
		p += some;
		n -= some;
	}
}

void blake3_out(const struct blake3 *h, unsigned char *out, size_t n)
{
	struct node node, right;
	uint32_t words[16];

	chunk_node(h, &node, h->chunk, h->used);
	for (unsigned int i = h->depth; i; i--) {
		right = node;
		value(&right, words);
		parent_node(h, &node, h->stack[i - 1], words);
	}
	for (uint64_t counter = 0; n; counter++) {
		unsigned char bytes[BLAKE3_BLOCK];
		size_t some = n < sizeof(bytes) ? n : sizeof(bytes);

		compress(&node, counter, node.flags | ROOT, words);
		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = (unsigned char)(words[i / 4] >> 8 * (i % 4));
		memcpy(out, bytes, some);
		out += some;
		n -= some;
	}
}

static void init(struct blake3 *h, const uint32_t key[8], uint32_t flags)
{
	memset(h, 0, sizeof(*h));
	memcpy(h->key, key, sizeof(h->key));
	h->flags = flags;
}

void blake3_init(struct blake3 *h, const unsigned char *key)
{
	uint32_t words[8];

	for (int i = 0; key && i < 8; i++)
		words[i] = load32(key + 4UL * i);
	init(h, key ? words : iv, key ? KEYED_HASH : 0);
}

void blake3_init_context(struct blake3 *h, const void *context, size_t n)
{
	unsigned char key[BLAKE3_KEY];
	uint32_t words[8];

	init(h, iv, DERIVE_KEY_CONTEXT);
	blake3_add(h, context, n);
	blake3_out(h, key, sizeof(key));
	for (int i = 0; i < 8; i++)
		words[i] = load32(key + 4UL * i);
	init(h, words, DERIVE_KEY_MATERIAL);
}
