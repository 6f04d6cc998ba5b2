/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFS_TEST_VECTORS_H
#define VDFS_TEST_VECTORS_H

#include <stddef.h>
#include <stdint.h>

#include <daemons/vdfsd/index/index.h>

uint64_t vectors_random(uint64_t *state);
float vectors_uniform(uint64_t *state);
float *vectors_clustered(size_t n, size_t dim, size_t clusters, uint64_t seed);
float *vectors_small_ints(size_t n, size_t dim, uint64_t seed);
double vectors_recall(struct vdfs_index *ix, const float *queries, size_t n,
		      const struct vdfs_query *how);

#endif /* VDFS_TEST_VECTORS_H */
