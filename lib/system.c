// SPDX-License-Identifier: LGPL-2.1-or-later
/* The device and its figures: see uapi/phi/system.h. */
#include <fcntl.h>
#include <unistd.h>

#include "internal.h"

int phi_open(unsigned int flags)
{
	int mode = O_RDWR | (flags & PHI_OPEN_SHARED ? 0 : O_CLOEXEC);
	int phi;
	int ret;

	if (flags & ~PHI_OPEN_SHARED)
		return -EOPNOTSUPP;
	do {
		phi = open("/dev/phi", mode);
	} while (phi < 0 && errno == EINTR);
	if (phi < 0)
		return -errno;
	if (!(flags & PHI_OPEN_SHARED))
		return phi;

	ret = phi_cspace_share(phi, true);
	if (ret) {
		close(phi);
		return ret;
	}
	return phi;
}

int phi_close(int phi)
{
	/* Linux frees the number even when close() is interrupted. */
	if (close(phi) && errno != EINTR)
		return -errno;
	return 0;
}

int phi_system_info(int phi, struct phi_system_info *out)
{
	struct phi_system_info arg = { .size = sizeof(arg) };
	int ret = phi_ioctl(phi, PHI_IOC_SYSTEM_INFO, &arg);

	if (!ret)
		*out = arg;
	return ret;
}

int phi_system_stats(int phi, struct phi_system_stats *out)
{
	struct phi_system_stats arg = { .size = sizeof(arg) };
	int ret = phi_ioctl(phi, PHI_IOC_SYSTEM_STATS, &arg);

	if (!ret)
		*out = arg;
	return ret;
}
