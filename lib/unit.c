// SPDX-License-Identifier: LGPL-2.1-or-later
/* Execution units: see uapi/phi/unit.h. */
#include "internal.h"

int phi_unit_register(int phi, const char *name, uint32_t kind, uint32_t node,
		      uint32_t capacity, unsigned int flags, uint32_t *id,
		      uint64_t *cap)
{
	struct phi_unit_register arg = {
		.size = sizeof(arg),
		.flags = flags,
		.kind = kind,
		.node = node,
		.capacity = capacity,
	};
	int ret;

	ret = phi_name_copy(arg.name, name);
	if (ret)
		return ret;
	ret = phi_ioctl(phi, PHI_IOC_UNIT_REGISTER, &arg);
	if (ret)
		return ret;
	if (id)
		*id = arg.id;
	*cap = arg.cap;
	return 0;
}

int phi_unit_update(int phi, uint64_t cap, uint32_t load, uint32_t temperature,
		    uint32_t power, bool healthy)
{
	struct phi_unit_update arg = {
		.size = sizeof(arg),
		.cap = cap,
		.load = load,
		.temperature = temperature,
		.power = power,
		.healthy = healthy,
	};

	return phi_ioctl(phi, PHI_IOC_UNIT_UPDATE, &arg);
}

int phi_unit_query(int phi, uint32_t id, struct phi_unit_query *out)
{
	struct phi_unit_query arg = { .size = sizeof(arg), .id = id };
	int ret = phi_ioctl(phi, PHI_IOC_UNIT_QUERY, &arg);

	if (!ret)
		*out = arg;
	return ret;
}
