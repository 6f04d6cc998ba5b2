/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The rounds of BLAKE3 over words of type WORD, a number or a vector; blake3.c
 * includes it for each, which gets the functions MIX and ROUNDS.
 */
static inline __attribute__((always_inline)) void
MIX(WORD v[16], int a, int b, int c, int d, const WORD m[16], int x, int y)
{
	v[a] += v[b] + m[x];
	v[d] ^= v[a];
	v[d] = v[d] >> 16 | v[d] << 16;
	v[c] += v[d];
	v[b] ^= v[c];
	v[b] = v[b] >> 12 | v[b] << 20;
	v[a] += v[b] + m[y];
	v[d] ^= v[a];
	v[d] = v[d] >> 8 | v[d] << 24;
	v[c] += v[d];
	v[b] ^= v[c];
	v[b] = v[b] >> 7 | v[b] << 25;
}

/* Seven rounds over 16 words of state with a message. */
static inline __attribute__((always_inline)) void ROUNDS(WORD v[16],
							 const WORD m[16])
{
	for (int r = 0; r < 7; r++) {
		const uint8_t *o = order[r];

		MIX(v, 0, 4, 8, 12, m, o[0], o[1]);
		MIX(v, 1, 5, 9, 13, m, o[2], o[3]);
		MIX(v, 2, 6, 10, 14, m, o[4], o[5]);
		MIX(v, 3, 7, 11, 15, m, o[6], o[7]);
		MIX(v, 0, 5, 10, 15, m, o[8], o[9]);
		MIX(v, 1, 6, 11, 12, m, o[10], o[11]);
		MIX(v, 2, 7, 8, 13, m, o[12], o[13]);
		MIX(v, 3, 4, 9, 14, m, o[14], o[15]);
	}
}

#undef ROUNDS
#undef MIX
#undef WORD
