/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Loops in plain C, for the file of each instruction set to include: the
 * compiler makes of them what those instructions can do.
 */
#ifndef VDFS_KERNEL_PLAIN_H
#define VDFS_KERNEL_PLAIN_H

#include <math.h>

static inline uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15ULL;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

/*
 * Each pass adds and subtracts what differs in the highest bit of its number,
 * and makes that the lowest: after as many as there are bits all is in place.
 */
static void turn(float *o, size_t n, uint64_t seed)
{
	float norm = 1 / sqrtf((float)n);
	float room[VDFS_DIM_MAX];
	float *from = o;
	float *to = room;
	size_t i, j, step;

	for (i = 0; i < n; i += 64) {
		uint64_t signs = mix(seed + i / 64);

		for (j = 0; j < 64; j++)
			o[i + j] = signs >> j & 1 ? -o[i + j] : o[i + j];
	}
	for (step = 1; step < n; step *= 2) {
		float *was = from;

		for (i = 0; i < n / 2; i++) {
			to[2 * i] = from[i] + from[i + n / 2];
			to[2 * i + 1] = from[i] - from[i + n / 2];
		}
		from = to;
		to = was;
	}
	for (i = 0; i < n; i++)
		o[i] = from[i] * norm;
}

static void spread_u8(const uint8_t *row, int8_t *out, size_t n)
{
	size_t i;

	/* 128 lower: the top bit turned over. */
	for (i = 0; i < n; i++)
		out[i] = (int8_t)(row[i] ^ 0x80);
}

static void spread_u4(const uint8_t *row, int8_t *out, size_t n)
{
	size_t half = 64;
	size_t i, j;

	for (i = 0; i < n; i += 2 * half, row += 64) {
		if (i + half == n)
			half = 32;
		for (j = 0; j < half; j++)
			out[i + j] = (int8_t)((row[j] & 15) * 2 - 15);
		for (j = 0; j < half; j++)
			out[i + half + j] = (int8_t)((row[j] >> 4) * 2 - 15);
	}
}

/* 64 codes of 2 bits, twice each and less @middle. */
static inline void spread_twos(const uint8_t *row, int8_t *out, int middle)
{
	size_t j;

	for (j = 0; j < 16; j++)
		out[j] = (int8_t)((row[j] & 3) * 2 - middle);
	for (j = 0; j < 16; j++)
		out[16 + j] = (int8_t)((row[j] >> 2 & 3) * 2 - middle);
	for (j = 0; j < 16; j++)
		out[32 + j] = (int8_t)((row[j] >> 4 & 3) * 2 - middle);
	for (j = 0; j < 16; j++)
		out[48 + j] = (int8_t)((row[j] >> 6) * 2 - middle);
}

/* Add to each of 64 bytes @value where its bit is set. */
static inline void add_bits(const uint8_t *row, int8_t *out, int value)
{
	int8_t each[64];
	size_t j;

	for (j = 0; j < 64; j += 8) {
		uint64_t x = row[j / 8] * 0x0101010101010101ULL;

		/* Bit n of byte n, then of all the highest. */
		x = (x & 0x8040201008040201ULL) + 0x7f7f7f7f7f7f7f7fULL;
		__builtin_memcpy(each + j, &x, sizeof(x));
	}
	for (j = 0; j < 64; j++)
		out[j] = (int8_t)(out[j] + (each[j] < 0 ? value : 0));
}

static void spread_u3(const uint8_t *row, int8_t *out, size_t n)
{
	size_t i;

	for (i = 0; i < n; i += 64, row += 24) {
		spread_twos(row, out + i, 7);
		add_bits(row + 16, out + i, 8);
	}
}

static void spread_u2(const uint8_t *row, int8_t *out, size_t n)
{
	size_t i;

	for (i = 0; i < n; i += 64, row += 16)
		spread_twos(row, out + i, 3);
}

static void spread_u1(const uint8_t *row, int8_t *out, size_t n)
{
	size_t i;

	__builtin_memset(out, -1, n);
	for (i = 0; i < n; i += 64)
		add_bits(row + i / 8, out + i, 2);
}

static int32_t sum_of(const int8_t *from, size_t n)
{
	int32_t sum = 0;
	size_t i;

	for (i = 0; i < n; i++)
		sum += from[i];
	return sum;
}

static int32_t square_of(const int8_t *from, size_t n)
{
	int32_t sum = 0;
	size_t i;

	for (i = 0; i < n; i++)
		sum += from[i] * from[i];
	return sum;
}

#endif /* VDFS_KERNEL_PLAIN_H */
