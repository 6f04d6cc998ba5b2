// SPDX-License-Identifier: LGPL-2.1-or-later
/* Sessions and foreign calls: see uapi/phi/session.h. */
#include "internal.h"

int phi_session_create(int phi, uint64_t *cap)
{
	struct phi_session_create arg = { .size = sizeof(arg) };
	int ret = phi_ioctl(phi, PHI_IOC_SESSION_CREATE, &arg);

	if (!ret)
		*cap = arg.cap;
	return ret;
}

int phi_call_check(int phi, uint64_t session, struct phi_check *checks,
		   uint32_t n)
{
	struct phi_call_check arg = {
		.size = sizeof(arg),
		.session = session,
		.checks = (uintptr_t)checks,
		.count = n,
	};
	int ret = phi_ioctl(phi, PHI_IOC_CALL_CHECK, &arg);

	return ret ? ret : (int)arg.refused;
}
