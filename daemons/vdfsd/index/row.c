// SPDX-License-Identifier: GPL-2.0-only
/* Rows of originals, in the type the index keeps them in. */
#include <string.h>

#include "graph.h"

/**
 * vdfs_row_put() - write the row of a vector
 * @ix: Not of type VDFS_I8.
 * @slot: Slot of the row.
 * @vector: f32, shape [dim_f32], padded with zeros.
 */
void vdfs_row_put(const struct vdfs_index *ix, uint32_t slot,
		  const float *vector)
{
	uint16_t *half = vdfs_row(ix, slot);
	float *row = vdfs_row(ix, slot);
	size_t d;

	/* Equal vectors are equal bytes: there is one zero. */
	if (ix->params.type == VDFS_F16) {
		ix->kernel->to_f16(vector, half, ix->dim_f32);
		for (d = 0; d < ix->dim_f32; d++)
			half[d] = half[d] == 0x8000 ? 0 : half[d];
		return;
	}
	for (d = 0; d < ix->dim_f32; d++)
		row[d] = vector[d] + 0.0f;
}

/**
 * vdfs_row_get() - read the row of a vector
 * @ix: Not of type VDFS_I8.
 * @slot: Slot of the row.
 * @vector: Out, f32, shape [dim_f32].
 */
void vdfs_row_get(const struct vdfs_index *ix, uint32_t slot, float *vector)
{
	if (ix->params.type == VDFS_F16)
		ix->kernel->from_f16(vdfs_row(ix, slot), vector, ix->dim_f32);
	else
		memcpy(vector, vdfs_row(ix, slot), ix->row_bytes);
}
