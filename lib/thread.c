// SPDX-License-Identifier: LGPL-2.1-or-later
/* Threads: see uapi/phi/thread.h. */
#include <phi/threads.h>

#include "internal.h"

int phi_thread_register(int phi, uint64_t endpoint, uint64_t badge,
			unsigned int signo, uint64_t *cap)
{
	struct phi_thread_register arg = {
		.size = sizeof(arg),
		.endpoint = endpoint,
		.badge = badge,
		.signo = signo,
	};
	int ret = phi_ioctl(phi, PHI_IOC_THREAD_REGISTER, &arg);

	if (!ret)
		*cap = arg.cap;
	return ret;
}

int phi_thread_place(int phi, uint64_t thread, const void *cpus, size_t len)
{
	struct phi_thread_place arg = {
		.size = sizeof(arg),
		.thread = thread,
		.cpus = (uintptr_t)cpus,
		.len = (uint32_t)len,
	};

	if (len > PHI_THREAD_CPUS_MAX)
		return -EINVAL;
	return phi_ioctl(phi, PHI_IOC_THREAD_PLACE, &arg);
}

int phi_thread_place_near(int phi, uint64_t thread, uint64_t unit)
{
	struct phi_thread_place arg = {
		.size = sizeof(arg),
		.thread = thread,
		.unit = unit,
	};

	return phi_ioctl(phi, PHI_IOC_THREAD_PLACE, &arg);
}

int phi_thread_yield(int phi, uint64_t thread)
{
	struct phi_thread_yield arg = {
		.size = sizeof(arg),
		.thread = thread,
	};
	int ret = phi_ioctl(phi, PHI_IOC_THREAD_YIELD, &arg);

	return ret ? ret : (int)arg.yielded;
}

int phi_thread_signal(int phi, uint64_t thread, const void *data, size_t len)
{
	struct phi_thread_signal arg = {
		.size = sizeof(arg),
		.thread = thread,
		.data = (uintptr_t)data,
		.len = (uint32_t)len,
	};

	if (len > PHI_MSG_MAX)
		return -EINVAL;
	return phi_ioctl(phi, PHI_IOC_THREAD_SIGNAL, &arg);
}

int phi_thread_join(int phi, uint64_t thread, unsigned int flags,
		    uint64_t deadline_ns, uint32_t *how, int64_t *status)
{
	struct phi_thread_join arg = {
		.size = sizeof(arg),
		.flags = flags,
		.thread = thread,
		.deadline_ns = deadline_ns,
	};
	int ret = phi_ioctl_once(phi, PHI_IOC_THREAD_JOIN, &arg);

	if (ret)
		return ret;
	if (how)
		*how = arg.how;
	if (status)
		*status = arg.status;
	return 0;
}

int phi_thread_exit(int phi, int64_t status)
{
	struct phi_thread_exit arg = {
		.size = sizeof(arg),
		.status = status,
	};

	return phi_ioctl(phi, PHI_IOC_THREAD_EXIT, &arg);
}

int phi_thread_query(int phi, uint64_t thread, struct phi_thread_query *out)
{
	struct phi_thread_query arg = {
		.size = sizeof(arg),
		.thread = thread,
	};
	int ret = phi_ioctl(phi, PHI_IOC_THREAD_QUERY, &arg);

	if (!ret)
		*out = arg;
	return ret;
}

int phi_thread_class(int phi, uint64_t thread, uint32_t class_,
		     uint64_t deadline_ns)
{
	struct phi_thread_class arg = {
		.size = sizeof(arg),
		.thread = thread,
		.class = class_,
		.deadline_ns = deadline_ns,
	};

	return phi_ioctl(phi, PHI_IOC_THREAD_CLASS, &arg);
}
