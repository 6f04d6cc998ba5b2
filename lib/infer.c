// SPDX-License-Identifier: LGPL-2.1-or-later
/* Models and inferences: see uapi/phi/infer.h. */
#include "internal.h"

int phi_model_register(int phi, uint64_t endpoint, uint64_t badge,
		       const char *name, uint32_t max_batch, uint64_t *id,
		       uint64_t *cap)
{
	struct phi_model_register arg = {
		.size = sizeof(arg),
		.endpoint = endpoint,
		.badge = badge,
		.max_batch = max_batch,
	};
	int ret;

	ret = phi_name_copy(arg.name, name);
	if (ret)
		return ret;
	ret = phi_ioctl(phi, PHI_IOC_MODEL_REGISTER, &arg);
	if (ret)
		return ret;
	if (id)
		*id = arg.id;
	*cap = arg.cap;
	return 0;
}

int phi_model_query(int phi, uint64_t id, struct phi_model_query *out)
{
	struct phi_model_query arg = { .size = sizeof(arg), .id = id };
	int ret = phi_ioctl(phi, PHI_IOC_MODEL_QUERY, &arg);

	if (!ret)
		*out = arg;
	return ret;
}

int phi_infer_begin(int phi, struct phi_infer_begin *batch)
{
	batch->size = sizeof(*batch);
	batch->flags = 0;
	return phi_ioctl(phi, PHI_IOC_INFER_BEGIN, batch);
}

int phi_infer_end(int phi, uint64_t ticket, int result, uint64_t *run_ns)
{
	struct phi_infer_end arg = {
		.size = sizeof(arg),
		.ticket = ticket,
		.result = result,
	};
	int ret = phi_ioctl(phi, PHI_IOC_INFER_END, &arg);

	if (!ret && run_ns)
		*run_ns = arg.run_ns;
	return ret;
}

int phi_infer_select(int phi, struct phi_infer_select *batch)
{
	batch->size = sizeof(*batch);
	batch->flags = 0;
	return phi_ioctl(phi, PHI_IOC_INFER_SELECT, batch);
}
