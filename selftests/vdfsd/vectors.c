// SPDX-License-Identifier: GPL-2.0-only
/* Vectors to test with, the same on every run. */
#include <math.h>
#include <stdlib.h>

#include "vectors.h"

/* xorshift64* */
uint64_t vectors_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dULL;
}

float vectors_uniform(uint64_t *state)
{
	return (float)(vectors_random(state) >> 40) / 16777216.0f;
}

static float normal(uint64_t *state)
{
	float u = vectors_uniform(state) + 0.0000001f;

	return sqrtf(-2 * logf(u)) * cosf(6.2831853f * vectors_uniform(state));
}

/* shape [n][dim]: points around centres, the way embeddings lie. */
float *vectors_clustered(size_t n, size_t dim, size_t clusters, uint64_t seed)
{
	float *centre = malloc(clusters * dim * sizeof(*centre));
	float *out = malloc(n * dim * sizeof(*out));
	uint64_t places = 42;
	size_t i, d;

	if (!centre || !out)
		abort();
	/* The centres are those of every seed. */
	for (i = 0; i < clusters * dim; i++)
		centre[i] = normal(&places);
	for (i = 0; i < n; i++) {
		const float *c =
			centre + vectors_random(&seed) % clusters * dim;

		for (d = 0; d < dim; d++)
			out[i * dim + d] = c[d] + 0.5f * normal(&seed);
	}
	free(centre);
	return out;
}

/* shape [n][dim]: integers of 8 bits. */
float *vectors_small_ints(size_t n, size_t dim, uint64_t seed)
{
	float *out = malloc(n * dim * sizeof(*out));
	size_t i;

	if (!out)
		abort();
	for (i = 0; i < n * dim; i++)
		out[i] = (float)(vectors_random(&seed) >> 56) - 128;
	return out;
}

/* Share of the true nearest that searching finds, against a full scan. */
double vectors_recall(struct vdfs_index *ix, const float *queries, size_t n,
		      const struct vdfs_query *how)
{
	size_t dim = vdfs_index_params(ix)->dim;
	uint64_t found[64], right[64];
	float dist[64], best[64];
	size_t hit = 0;
	size_t all = 0;
	size_t i;
	int a, b, got, have;

	for (i = 0; i < n; i++) {
		struct vdfs_query query = *how;

		query.vector = queries + i * dim;
		got = vdfs_index_search(ix, &query, found, dist);
		have = vdfs_index_scan(ix, &query, right, best);
		if (got < 0 || have < 0)
			return -1;
		all += (size_t)have;
		for (a = 0; a < have; a++)
			for (b = 0; b < got; b++)
				hit += found[b] == right[a];
	}
	return all ? (double)hit / (double)all : 1;
}
