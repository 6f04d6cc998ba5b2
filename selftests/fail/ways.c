// SPDX-License-Identifier: GPL-2.0-only
/*
 * Scenes of the ways into the module that are no calls.
 */

#include <liburing.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/mman.h>

#include "scene.h"

SET(cap_derive, cap_derive)
{
	arg->cap = s->ep;
	arg->rights = PHI_RIGHT_SEND;
}

static int act_open(struct stage *s)
{
	int phi = do_open();

	(void)s;
	return phi < 0 ? phi : close(phi);
}

static uint64_t map_offset(struct stage *s)
{
	struct phi_region_info info = { .cap = s->region };

	return PHI_DO(s->phi, REGION_INFO, &info) ? 0 : info.offset;
}

static int set_mmap(struct stage *s)
{
	s->arg[0] = map_offset(s);
	return s->arg[0] ? 0 : -EINVAL;
}

static int act_mmap(struct stage *s)
{
	s->map = mmap(NULL, STAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
		      s->phi, s->arg[0]);
	return s->map == MAP_FAILED ? -errno : 0;
}

static bool seen_mmap(struct stage *s)
{
	memset(s->map, 3, STAGE_BYTES);
	return s->map[STAGE_BYTES - 1] == 3;
}

static int set_fault(struct stage *s)
{
	return set_mmap(s) ?: act_mmap(s);
}

/* The kernel reads the page, so that a refused fault is an errno. */
static int act_fault(struct stage *s)
{
	int pipes[2], ret;

	if (pipe2(pipes, O_CLOEXEC))
		return -errno;
	ret = write(pipes[1], s->map, 1) == 1 ? 0 : -errno;
	close(pipes[0]);
	close(pipes[1]);
	return ret;
}

static int set_polled(struct stage *s)
{
	close(s->file);
	s->file = do_endpoint_fd(s->phi, s->ep);
	return s->file < 0 ? s->file : 0;
}

static int act_poll(struct stage *s)
{
	struct pollfd pollfd = { .fd = s->file, .events = POLLIN | POLLOUT };

	return poll(&pollfd, 1, 0) < 0 ? -errno : 0;
}

static int act_epoll(struct stage *s)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int epoll = epoll_create1(EPOLL_CLOEXEC), ret;

	if (epoll < 0)
		return -errno;
	ret = epoll_ctl(epoll, EPOLL_CTL_ADD, s->file, &event) ? -errno : 0;
	close(epoll);
	return ret;
}

static int act_uring(struct stage *s)
{
	uint64_t arg = (uintptr_t)s->out;
	struct io_uring ring;
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
	int ret;

	memcpy(s->out, s->arg, sizeof(s->out));
	ret = io_uring_queue_init(4, &ring, 0);
	if (ret)
		return ret;
	sqe = io_uring_get_sqe(&ring);
	if (!sqe)
		abort();
	io_uring_prep_rw(IORING_OP_URING_CMD, sqe, s->phi, NULL, 0, 0);
	sqe->cmd_op = PHI_IOC_CAP_DERIVE;
	memcpy(sqe->cmd, &arg, sizeof(arg));
	ret = io_uring_submit(&ring);
	if (ret == 1)
		ret = io_uring_wait_cqe(&ring, &cqe) ?: cqe->res;
	io_uring_queue_exit(&ring);
	return ret;
}

const struct scene way_scenes[] = {
	WAY(open),
	WAY(mmap, .set = set_mmap, SEEN(mmap)),
	WAY(fault, .set = set_fault),
	WAY(poll, .set = set_polled),
	WAY(epoll, .set = set_polled),
	WAY(uring, .set = set_cap_derive),
	{},
};
