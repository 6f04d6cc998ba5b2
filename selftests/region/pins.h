/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _SELFTESTS_REGION_PINS_H
#define _SELFTESTS_REGION_PINS_H

/* Pins of pages as the tests make them: by vmsplice() and by io_uring. */

#include <liburing.h>
#include <sys/uio.h>

#include "map.h"

#define PINNABLE (RIGHTS | PHI_RIGHT_PIN)

/* Refer to a page from a pipe: its length, or a negative errno. */
static inline int splice_out(int to, void *at)
{
	struct iovec iov = { at, PAGE };
	ssize_t ret = vmsplice(to, &iov, 1, SPLICE_F_NONBLOCK);

	return ret < 0 ? -errno : (int)ret;
}

/* Register a buffer: 0, or a negative errno. */
static inline int pin(struct io_uring *ring, void *at, size_t bytes)
{
	struct iovec iov = { at, bytes };

	return io_uring_register_buffers(ring, &iov, 1);
}

static inline int pin_io(struct io_uring *ring)
{
	struct io_uring_cqe *cqe;
	int ret;

	if (io_uring_submit(ring) != 1)
		return -EIO;
	ret = io_uring_wait_cqe(ring, &cqe);
	if (ret)
		return ret;
	ret = cqe->res;
	io_uring_cqe_seen(ring, cqe);
	return ret;
}

/* Write one page of the registered buffer to the pipe: the result. */
static inline int write_fixed(struct io_uring *ring, int to, void *at)
{
	io_uring_prep_write_fixed(io_uring_get_sqe(ring), to, at, PAGE, 0, 0);
	return pin_io(ring);
}

/* Read one page of the pipe into the registered buffer: the result. */
static inline int read_fixed(struct io_uring *ring, int from, void *at)
{
	io_uring_prep_read_fixed(io_uring_get_sqe(ring), from, at, PAGE, 0, 0);
	return pin_io(ring);
}

/* Pages that left a region and are pinned, or a negative errno. */
static inline int pinned(int phi, uint64_t cap)
{
	struct phi_region_info info;
	int ret = do_info(phi, cap, &info);

	return ret ?: (int)info.pinned;
}

#endif /* _SELFTESTS_REGION_PINS_H */
