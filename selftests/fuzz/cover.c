// SPDX-License-Identifier: GPL-2.0-only
/* Documentation/dev-tools/kcov.rst; the places of a call of this thread. */

#include "cover.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define KCOV_INIT_TRACE _IOR('c', 1, unsigned long)
#define KCOV_ENABLE _IO('c', 100)
#define KCOV_DISABLE _IO('c', 101)
#define KCOV_TRACE_PC 0
#define PCS 65536UL

bool cover_open(struct cover *cover)
{
	cover->fd = open("/sys/kernel/debug/kcov", O_RDWR | O_CLOEXEC);
	if (cover->fd < 0)
		return false;
	if (ioctl(cover->fd, KCOV_INIT_TRACE, PCS))
		goto fail;
	cover->pcs = mmap(NULL, PCS * sizeof(*cover->pcs),
			  PROT_READ | PROT_WRITE, MAP_SHARED, cover->fd, 0);
	if (cover->pcs == MAP_FAILED)
		goto fail;
	if (!ioctl(cover->fd, KCOV_ENABLE, KCOV_TRACE_PC))
		return true;
	munmap(cover->pcs, PCS * sizeof(*cover->pcs));
fail:
	close(cover->fd);
	cover->fd = -1;
	return false;
}

void cover_start(struct cover *cover)
{
	if (cover->fd >= 0)
		__atomic_store_n(cover->pcs, 0, __ATOMIC_RELAXED);
}

unsigned int cover_stop(struct cover *cover, uint8_t *seen)
{
	unsigned int fresh = 0;
	uint64_t n;

	if (cover->fd < 0)
		return 0;
	n = __atomic_load_n(cover->pcs, __ATOMIC_RELAXED);
	for (uint64_t i = 1; i <= n && i < PCS; i++) {
		uint64_t hash = cover->pcs[i] * 0x9e3779b97f4a7c15ULL;
		uint8_t *place = &seen[hash >> 48];

		if (!__atomic_exchange_n(place, 1, __ATOMIC_RELAXED))
			fresh++;
	}
	return fresh;
}

void cover_close(struct cover *cover)
{
	if (cover->fd < 0)
		return;
	ioctl(cover->fd, KCOV_DISABLE, 0);
	munmap(cover->pcs, PCS * sizeof(*cover->pcs));
	close(cover->fd);
}
