// SPDX-License-Identifier: LGPL-2.1-or-later
/* Why calls were refused: see uapi/phi/decision.h. */
#include "internal.h"

int phi_decision_query(int phi, uint64_t id, unsigned int flags, uint64_t agent,
		       struct phi_decision *out, uint64_t *lost)
{
	struct phi_decision_query arg = {
		.size = sizeof(arg),
		.flags = flags,
		.id = id,
		.agent = agent,
	};
	int ret = phi_ioctl(phi, PHI_IOC_DECISION_QUERY, &arg);

	if (ret)
		return ret;
	*out = arg.decision;
	if (lost)
		*lost = arg.lost;
	return 0;
}

int phi_why(int phi, struct phi_decision *out)
{
	return phi_decision_query(phi, 0,
				  PHI_DECISION_BEFORE | PHI_DECISION_THREAD, 0,
				  out, NULL);
}
