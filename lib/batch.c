// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The part of the wire format that client and batcher share: see phi/batch.h.
 */
#include <phi/batch.h>

#include "internal.h"

int phi_batch_tensor_get(const struct phi_batch_tensor *wire, uint64_t bytes,
			 struct phi_tensor *out)
{
	int64_t shape[PHI_TENSOR_NDIM_MAX] = { 0 };
	struct phi_tensor t;
	int ret;

	if (wire->pad || !wire->ndim || wire->ndim > PHI_TENSOR_NDIM_MAX)
		return -EINVAL;
	for (int i = 0; i < PHI_TENSOR_NDIM_MAX; i++) {
		if (i >= wire->ndim && wire->shape[i])
			return -EINVAL;
		shape[i] = wire->shape[i];
	}
	ret = phi_tensor_dense(&t, wire->dtype, wire->ndim, shape,
			       wire->offset);
	if (ret)
		return ret;
	ret = phi_tensor_check(&t, bytes);
	if (!ret)
		*out = t;
	return ret;
}

int phi_batch_tensor_put(const struct phi_tensor *t, uint32_t slot,
			 struct phi_batch_tensor *out)
{
	struct phi_batch_tensor wire = {
		.offset = t->offset,
		.slot = slot,
		.dtype = (uint8_t)t->dtype,
		.ndim = (uint8_t)t->ndim,
	};

	if (!t->ndim || phi_tensor_count(t) < 0 || !phi_tensor_contiguous(t))
		return -EINVAL;
	for (uint32_t i = 0; i < t->ndim; i++) {
		if (t->shape[i] > UINT32_MAX)
			return -EINVAL;
		wire.shape[i] = (uint32_t)t->shape[i];
	}
	*out = wire;
	return 0;
}
