// SPDX-License-Identifier: LGPL-2.1-or-later
/* Regions: see uapi/phi/region.h. */
#include <sys/mman.h>

#include "internal.h"

int phi_region_create(int phi, uint64_t bytes, unsigned int flags,
		      uint64_t *cap)
{
	struct phi_region_create arg = {
		.size = sizeof(arg),
		.flags = flags,
		.bytes = bytes,
	};
	int ret = phi_ioctl(phi, PHI_IOC_REGION_CREATE, &arg);

	if (!ret)
		*cap = arg.cap;
	return ret;
}

int phi_region_info(int phi, uint64_t cap, struct phi_region_info *out)
{
	struct phi_region_info arg = { .size = sizeof(arg), .cap = cap };
	int ret = phi_ioctl(phi, PHI_IOC_REGION_INFO, &arg);

	if (!ret)
		*out = arg;
	return ret;
}

int phi_region_map(int phi, uint64_t cap, int prot, void **addr, size_t *len)
{
	struct phi_region_info info;
	void *mem;
	int ret;

	ret = phi_region_info(phi, cap, &info);
	if (ret)
		return ret;
	if (info.bytes > SIZE_MAX)
		return -ENOMEM;
	mem = mmap(NULL, info.bytes, prot, MAP_SHARED, phi, (off_t)info.offset);
	if (mem == MAP_FAILED)
		return -errno;
	*addr = mem;
	if (len)
		*len = info.bytes;
	return 0;
}

int phi_region_slice(int phi, uint64_t cap, uint64_t offset, uint64_t bytes,
		     uint32_t rights, uint64_t expires_ns, uint64_t *out)
{
	struct phi_region_slice arg = {
		.size = sizeof(arg),
		.cap = cap,
		.offset = offset,
		.bytes = bytes,
		.rights = rights,
		.expires_ns = expires_ns,
	};
	int ret = phi_ioctl(phi, PHI_IOC_REGION_SLICE, &arg);

	if (!ret)
		*out = arg.out;
	return ret;
}

static int region_adopt(int phi, struct phi_region_adopt *arg, uint64_t *out)
{
	int ret;

	arg->size = sizeof(*arg);
	ret = phi_ioctl(phi, PHI_IOC_REGION_ADOPT, arg);
	if (!ret)
		*out = arg->cap;
	return ret;
}

int phi_region_adopt(int phi, int memfd, uint64_t offset, uint64_t bytes,
		     uint64_t *out)
{
	struct phi_region_adopt arg = {
		.start = offset,
		.bytes = bytes,
		.fd = memfd,
	};

	return region_adopt(phi, &arg, out);
}

int phi_region_adopt_private(int phi, void *addr, size_t len, uint64_t *out)
{
	struct phi_region_adopt arg = {
		.flags = PHI_ADOPT_PRIVATE,
		.start = (uintptr_t)addr,
		.bytes = len,
		.fd = -1,
	};

	return region_adopt(phi, &arg, out);
}

int phi_region_snapshot(int phi, uint64_t cap, uint64_t *out)
{
	struct phi_region_snapshot arg = { .size = sizeof(arg), .cap = cap };
	int ret = phi_ioctl(phi, PHI_IOC_REGION_SNAPSHOT, &arg);

	if (!ret)
		*out = arg.out;
	return ret;
}

int phi_region_wait(int phi, uint64_t cap, uint64_t offset, uint32_t value,
		    unsigned int flags, uint64_t deadline_ns)
{
	struct phi_region_wait arg = {
		.size = sizeof(arg),
		.flags = flags,
		.cap = cap,
		.offset = offset,
		.value = value,
		.deadline_ns = deadline_ns,
	};

	return phi_ioctl(phi, PHI_IOC_REGION_WAIT, &arg);
}

int phi_region_wake(int phi, uint64_t cap, uint64_t offset, uint32_t count,
		    uint32_t *woken)
{
	struct phi_region_wake arg = {
		.size = sizeof(arg),
		.cap = cap,
		.offset = offset,
		.count = count,
	};
	int ret = phi_ioctl(phi, PHI_IOC_REGION_WAKE, &arg);

	if (!ret && woken)
		*woken = arg.woken;
	return ret;
}

int phi_region_unmap(void *addr, size_t len)
{
	return munmap(addr, len) ? -errno : 0;
}
