/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PHI_INTERNAL_H
#define PHI_INTERNAL_H

#include <errno.h>
#include <phi/phi.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* One ioctl; a signal is the caller's to see. */
static inline int phi_ioctl_once(int phi, unsigned long cmd, void *arg)
{
	int ret = ioctl(phi, cmd, arg);

	return ret < 0 ? -errno : ret;
}

/* One ioctl that never waits for another process: signals are not news. */
static inline int phi_ioctl(int phi, unsigned long cmd, void *arg)
{
	int ret;

	do {
		ret = phi_ioctl_once(phi, cmd, arg);
	} while (ret == -EINTR);
	return ret;
}

/* Copy a name into a zeroed field of PHI_NAME_MAX bytes. */
static inline int phi_name_copy(uint8_t *field, const char *name)
{
	size_t len = name ? strnlen(name, PHI_NAME_MAX) : 0;

	if (!len || len == PHI_NAME_MAX)
		return -EINVAL;
	memcpy(field, name, len);
	return 0;
}

/* Time left for ppoll(): NULL for ever, zero when the deadline is past. */
static inline struct timespec *phi_time_left(uint64_t deadline_ns,
					     struct timespec *ts)
{
	struct timespec now;
	uint64_t t;

	if (!deadline_ns)
		return NULL;
	clock_gettime(CLOCK_MONOTONIC, &now);
	t = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	t = deadline_ns > t ? deadline_ns - t : 0;
	ts->tv_sec = (time_t)(t / 1000000000);
	ts->tv_nsec = (long)(t % 1000000000);
	return ts;
}

#endif /* PHI_INTERNAL_H */
