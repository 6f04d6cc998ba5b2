// SPDX-License-Identifier: LGPL-2.1-or-later
/* Notifications: see uapi/phi/notify.h. */
#include "internal.h"

int phi_notify_create(int phi, uint64_t *cap)
{
	struct phi_notify_create arg = { .size = sizeof(arg) };
	int ret = phi_ioctl(phi, PHI_IOC_NOTIFY_CREATE, &arg);

	if (!ret)
		*cap = arg.cap;
	return ret;
}

int phi_notify_signal(int phi, uint64_t notify, uint64_t bits)
{
	struct phi_notify_signal arg = {
		.size = sizeof(arg),
		.notify = notify,
		.bits = bits,
	};

	return phi_ioctl(phi, PHI_IOC_NOTIFY_SIGNAL, &arg);
}

int phi_notify_wait(int phi, uint64_t notify, uint64_t mask, unsigned int flags,
		    uint64_t deadline_ns, uint64_t *bits)
{
	struct phi_notify_wait arg = {
		.size = sizeof(arg),
		.flags = flags,
		.notify = notify,
		.mask = mask,
		.deadline_ns = deadline_ns,
	};
	int ret = phi_ioctl_once(phi, PHI_IOC_NOTIFY_WAIT, &arg);

	if (!ret)
		*bits = arg.bits;
	return ret;
}

int phi_notify_bind(int phi, uint64_t notify, int eventfd)
{
	struct phi_notify_bind arg = {
		.size = sizeof(arg),
		.notify = notify,
		.eventfd = eventfd,
	};

	return phi_ioctl(phi, PHI_IOC_NOTIFY_BIND, &arg);
}
