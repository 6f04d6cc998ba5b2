// SPDX-License-Identifier: LGPL-2.1-or-later
/* Agents: see uapi/phi/agent.h. */
#include "internal.h"

int phi_agent_register(int phi, int cgroup, const char *name, uint64_t parent,
		       uint64_t *id, uint64_t *cap)
{
	struct phi_agent_register arg = {
		.size = sizeof(arg),
		.cgroup = cgroup,
		.parent = parent,
	};
	int ret;

	ret = phi_name_copy(arg.name, name);
	if (ret)
		return ret;
	ret = phi_ioctl(phi, PHI_IOC_AGENT_REGISTER, &arg);
	if (ret)
		return ret;
	if (id)
		*id = arg.id;
	*cap = arg.cap;
	return 0;
}
