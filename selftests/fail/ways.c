// SPDX-License-Identifier: GPL-2.0-only
/*
 * Scenes of the ways into the module that are no calls.
 */

#include <liburing.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/uio.h>

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

/* A page that a pipe pins through a child of a DMA region's root. */
static int set_pinned(struct stage *s)
{
	const uint32_t rights = PHI_RIGHT_READ | PHI_RIGHT_WRITE |
				PHI_RIGHT_MAP | PHI_RIGHT_PIN;
	struct iovec iov = { .iov_len = 4096 };
	int pipes[2], ret;
	uint64_t root;

	ret = do_region(s->phi, STAGE_BYTES, PHI_REGION_DMA, &root);
	if (!ret)
		ret = do_derive(s->phi, root, rights, &s->region);
	if (!ret)
		ret = set_fault(s);
	if (ret)
		return ret;
	if (pipe2(pipes, O_CLOEXEC))
		return -errno;
	memset(s->map, 3, STAGE_BYTES);
	iov.iov_base = s->map;
	ret = vmsplice(pipes[1], &iov, 1, SPLICE_F_NONBLOCK) == 4096 ? 0 :
								       -errno;
	close(pipes[1]);
	close(s->file);
	s->file = pipes[0];
	s->handles[0] = root;
	return ret;
}

static int revoke_root(struct stage *s, uint32_t flags)
{
	struct phi_cap_revoke arg = {
		.size = sizeof(arg),
		.flags = flags,
		.cap = s->handles[0],
	};
	int ret = ioctl(s->phi, PHI_IOC_CAP_REVOKE, &arg) ? -errno : 0;

	/* What the first one said about the memory. */
	if (!s->handles[1])
		s->handles[1] = 1 - ret;
	return ret;
}

static int act_revoke_pinned(struct stage *s)
{
	return revoke_root(s, 0);
}

/*
 * Whatever was refused, the child is dead and the pipe has what it had. The
 * owner has a copy, or was told ENOMEM.
 */
static bool seen_revoke_pinned(struct stage *s)
{
	char *own = MAP_FAILED, byte = 0;
	bool good = do_probe(s->phi, s->region) == -EKEYREVOKED &&
		    !do_probe(s->phi, s->handles[0]);

	munmap(s->map, STAGE_BYTES);
	s->map = MAP_FAILED;
	s->region = s->handles[0];
	if (set_fault(s))
		return false;
	own = s->map;
	if (act_fault(s))
		return good && s->handles[1] == 1 + ENOMEM;
	good = good && *own == 3;
	*own = 4;
	return good && read(s->file, &byte, 1) == 1 && byte == 3;
}

/* Let the pin go when the revoke is on its way. */
static void *unpin(void *arg)
{
	struct stage *s = arg;
	char page[4096];

	while (!__atomic_load_n(&s->stop, __ATOMIC_ACQUIRE))
		usleep(100);
	if (read(s->file, page, sizeof(page)) != sizeof(page))
		abort();
	return NULL;
}

static int set_revoke_wait(struct stage *s)
{
	return set_pinned(s) ?: -pthread_create(&s->server, NULL, unpin, s);
}

static int act_revoke_wait(struct stage *s)
{
	__atomic_store_n(&s->stop, true, __ATOMIC_RELEASE);
	return revoke_root(s, PHI_REVOKE_WAIT);
}

/* It returned, so no page is pinned. */
static bool seen_revoke_wait(struct stage *s)
{
	struct phi_region_info info = { .cap = s->handles[0] };

	return do_probe(s->phi, s->region) == -EKEYREVOKED &&
	       !PHI_DO(s->phi, REGION_INFO, &info) && !info.pinned;
}

static void end_revoke_wait(struct stage *s)
{
	pthread_join(s->server, NULL);
}

const struct scene way_scenes[] = {
	WAY(open),
	WAY(mmap, .set = set_mmap, SEEN(mmap)),
	WAY(fault, .set = set_fault),
	WAY(poll, .set = set_polled),
	WAY(epoll, .set = set_polled),
	WAY(uring, .set = set_cap_derive),
	WAY(revoke_pinned, .set = set_pinned, SEEN(revoke_pinned),
	    .once = true),
	WAY(revoke_wait, .set = set_revoke_wait, SEEN(revoke_wait),
	    .end = end_revoke_wait, .once = true),
	{},
};
