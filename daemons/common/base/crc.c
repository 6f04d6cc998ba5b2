// SPDX-License-Identifier: GPL-2.0-only
/*
 * CRC-32C (Castagnoli). The processor's instruction takes three cycles and
 * one can start in each, so three stretches run side by side and are put
 * together by tables that say what so many zeros behind them would do.
 */
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "crc.h"

#define POLYNOMIAL 0x82f63b78U
#define STRETCH 1024 /* bytes, a multiple of 8 */

static uint32_t table[256];
static uint32_t shift[4][256];
static bool fast;

static uint32_t by_bytes(uint32_t crc, const uint8_t *p, size_t len)
{
	while (len--)
		crc = table[(crc ^ *p++) & 0xff] ^ crc >> 8;
	return crc;
}

static void fill_tables(void)
{
	static const uint8_t zeros[STRETCH];
	uint32_t i, k, crc;

	for (i = 0; i < 256; i++) {
		crc = i;
		for (k = 0; k < 8; k++)
			crc = crc & 1 ? crc >> 1 ^ POLYNOMIAL : crc >> 1;
		table[i] = crc;
	}
	for (k = 0; k < 4; k++) {
		for (i = 0; i < 256; i++)
			shift[k][i] = by_bytes(i << 8 * k, zeros, STRETCH);
	}
#ifdef __x86_64__
	fast = __builtin_cpu_supports("sse4.2");
#endif
}

#ifdef __x86_64__
static uint32_t behind_stretch(uint32_t crc)
{
	return shift[0][crc & 0xff] ^ shift[1][crc >> 8 & 0xff] ^
	       shift[2][crc >> 16 & 0xff] ^ shift[3][crc >> 24];
}

static uint64_t word(const uint8_t *p)
{
	uint64_t value;

	memcpy(&value, p, sizeof(value));
	return value;
}

__attribute__((target("sse4.2"))) static uint32_t
by_words(uint32_t start, const uint8_t *p, size_t len)
{
	uint64_t a = start, b, c;
	size_t i;

	for (; len >= 3 * STRETCH; len -= 3 * STRETCH, p += 3 * STRETCH) {
		b = 0;
		c = 0;
		for (i = 0; i < STRETCH; i += 8) {
			a = __builtin_ia32_crc32di(a, word(p + i));
			b = __builtin_ia32_crc32di(b, word(p + STRETCH + i));
			c = __builtin_ia32_crc32di(c,
						   word(p + 2 * STRETCH + i));
		}
		a = behind_stretch(behind_stretch(a) ^ (uint32_t)b) ^ c;
	}
	for (; len >= 8; len -= 8, p += 8)
		a = __builtin_ia32_crc32di(a, word(p));
	for (; len; len--)
		a = __builtin_ia32_crc32qi(a, *p++);
	return a;
}
#endif

/**
 * vdfs_crc32c() - CRC-32C of some bytes
 * @crc: Of what came before them; 0 to begin with.
 * @data: Bytes.
 * @len: How many.
 *
 * Context: Any thread.
 * Return: The checksum.
 */
uint32_t vdfs_crc32c(uint32_t crc, const void *data, size_t len)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, fill_tables);
#ifdef __x86_64__
	if (fast)
		return ~by_words(~crc, data, len);
#endif
	return ~by_bytes(~crc, data, len);
}
