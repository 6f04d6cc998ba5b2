// SPDX-License-Identifier: GPL-2.0-only
/* Rows of originals, in the type the index keeps them in. */
#include <string.h>

#include "graph.h"

/**
 * vdfs_row_put() - write the row of a vector
 * @ix: Not of type VDFS_I8.
 * @slot: Whose.
 * @vector: f32, shape [dim_f32], padded with zeros.
 */
void vdfs_row_put(const struct vdfs_index *ix, uint32_t slot,
		  const float *vector)
{
	if (ix->params.type == VDFS_F16)
		ix->kernel->to_f16(vector, vdfs_row(ix, slot), ix->dim_f32);
	else
		memcpy(vdfs_row(ix, slot), vector, ix->row_bytes);
}

/**
 * vdfs_row_get() - read the row of a vector
 * @ix: Not of type VDFS_I8.
 * @slot: Whose.
 * @vector: Out, f32, shape [dim_f32].
 */
void vdfs_row_get(const struct vdfs_index *ix, uint32_t slot, float *vector)
{
	if (ix->params.type == VDFS_F16)
		ix->kernel->from_f16(vdfs_row(ix, slot), vector, ix->dim_f32);
	else
		memcpy(vector, vdfs_row(ix, slot), ix->row_bytes);
}
