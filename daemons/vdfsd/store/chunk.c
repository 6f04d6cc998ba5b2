// SPDX-License-Identifier: GPL-2.0-only
/*
 * Content-defined pieces by FastCDC with normalised chunking (Xia et al.,
 * "The design of fast content-defined chunking", 2020): a hash of the last
 * 64 bytes decides where a piece ends, harder to please before the wanted
 * length than behind it. The table decides what two stores can share: it
 * and the numbers here are for ever.
 */
#include <pthread.h>

#include "store_impl.h"

#define CHUNK_MIN ((size_t)16 << 10)
#define CHUNK_AVG ((size_t)64 << 10)
/* High bits: they depend on all of the last 64 bytes. 2^-18 and 2^-14. */
#define MASK_HARD 0xffffc00000000000ULL
#define MASK_EASY 0xfffc000000000000ULL
#define SEED 0x564446535eed0001ULL

static uint64_t gear[256];

/* SplitMix64. */
static void fill_gear(void)
{
	uint64_t state = SEED, z;
	int i;

	for (i = 0; i < 256; i++) {
		state += 0x9e3779b97f4a7c15ULL;
		z = state;
		z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
		z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
		gear[i] = z ^ z >> 31;
	}
}

/**
 * vdfs_chunk_cut() - where the first piece ends
 * @data: Bytes.
 * @len: How many; at least VDFS_CHUNK_MAX, or all that are left.
 *
 * Context: Any thread.
 * Return: Length of the piece, 1 to VDFS_CHUNK_MAX, or 0 when @len is.
 */
size_t vdfs_chunk_cut(const uint8_t *data, size_t len)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	size_t wanted = CHUNK_AVG, i = CHUNK_MIN;
	uint64_t hash = 0;

	pthread_once(&once, fill_gear);
	if (len <= CHUNK_MIN)
		return len;
	if (len > VDFS_CHUNK_MAX)
		len = VDFS_CHUNK_MAX;
	if (wanted > len)
		wanted = len;
	for (; i < wanted; i++) {
		hash = (hash << 1) + gear[data[i]];
		if (!(hash & MASK_HARD))
			return i + 1;
	}
	for (; i < len; i++) {
		hash = (hash << 1) + gear[data[i]];
		if (!(hash & MASK_EASY))
			return i + 1;
	}
	return len;
}
