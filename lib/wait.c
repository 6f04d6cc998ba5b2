// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * How a service waits: io_uring with multishot polls, or epoll, edge
 * triggered, which tells the same events in the same way.
 */
#include <liburing.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "internal.h"
#include "service_impl.h"

/* user_data of requests whose outcome nobody asks for; no source has it. */
#define NOBODY UINT64_MAX

struct phi_wait {
	bool uring;
	struct io_uring ring;
	int epoll;
};

const char *phi_wait_name(const struct phi_wait *w)
{
	return w->uring ? "io_uring" : "epoll";
}

bool phi_wait_polls_free(const struct phi_wait *w)
{
	return w->uring;
}

int phi_wait_new(bool epoll, struct phi_wait **out)
{
	struct phi_wait *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	w->epoll = -1;
	/*
	 * Disabled, forbidden by seccomp, too old or short of locked memory:
	 * whatever it is, epoll does.
	 */
	w->uring = !epoll && !io_uring_queue_init(256, &w->ring, 0);
	if (w->uring && !(w->ring.features & IORING_FEAT_EXT_ARG)) {
		io_uring_queue_exit(&w->ring);
		w->uring = false;
	}
	if (!w->uring) {
		w->epoll = epoll_create1(EPOLL_CLOEXEC);
		if (w->epoll < 0) {
			free(w);
			return -errno;
		}
	}
	*out = w;
	return 0;
}

void phi_wait_free(struct phi_wait *w)
{
	if (!w)
		return;
	if (w->uring)
		io_uring_queue_exit(&w->ring);
	else
		close(w->epoll);
	free(w);
}

/* A free submission entry, for which full ones may have to go first. */
static struct io_uring_sqe *get_sqe(struct phi_wait *w)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&w->ring);

	if (!sqe) {
		io_uring_submit(&w->ring);
		sqe = io_uring_get_sqe(&w->ring);
	}
	return sqe;
}

static int uring_add(struct phi_wait *w, int fd, uint32_t events, uint64_t id)
{
	struct io_uring_sqe *sqe = get_sqe(w);

	if (!sqe)
		return -EBUSY;
	io_uring_prep_poll_multishot(sqe, fd, events);
	io_uring_sqe_set_data64(sqe, id);
	return 0;
}

/* The bits of poll(2) are those of epoll. */
int phi_wait_add(struct phi_wait *w, int fd, uint32_t events, uint64_t id)
{
	struct epoll_event e = { .events = events | EPOLLET, .data.u64 = id };

	if (w->uring)
		return uring_add(w, fd, events, id);
	return epoll_ctl(w->epoll, EPOLL_CTL_ADD, fd, &e) ? -errno : 0;
}

int phi_wait_again(struct phi_wait *w, int fd, uint32_t events, uint64_t id)
{
	return w->uring ? uring_add(w, fd, events, id) : 0;
}

void phi_wait_del(struct phi_wait *w, int fd, uint64_t id)
{
	struct io_uring_sqe *sqe;

	if (!w->uring) {
		epoll_ctl(w->epoll, EPOLL_CTL_DEL, fd, NULL);
		return;
	}
	sqe = get_sqe(w);
	if (!sqe)
		return;
	io_uring_prep_poll_remove(sqe, id);
	io_uring_sqe_set_data64(sqe, NOBODY);
	/* Now, since the caller may close the file and reuse its number. */
	io_uring_submit(&w->ring);
}

static int uring_events(struct phi_wait *w, struct phi_wait_event *events,
			uint64_t timeout_ns)
{
	struct __kernel_timespec ts = {
		.tv_sec = (long long)(timeout_ns / 1000000000),
		.tv_nsec = (long long)(timeout_ns % 1000000000),
	};
	struct io_uring_cqe *cqe = NULL;
	unsigned int head;
	int taken = 0;
	int seen = 0;
	int ret = 0;

	if (io_uring_cq_ready(&w->ring) || !timeout_ns) {
		if (io_uring_sq_ready(&w->ring) ||
		    io_uring_cq_has_overflow(&w->ring))
			ret = io_uring_submit_and_get_events(&w->ring);
	} else {
		ret = io_uring_submit_and_wait_timeout(
			&w->ring, &cqe, 1,
			timeout_ns == UINT64_MAX ? NULL : &ts, NULL);
	}
	if (ret < 0 && ret != -ETIME && ret != -EINTR && ret != -EBUSY &&
	    ret != -EAGAIN)
		return ret;

	io_uring_for_each_cqe(&w->ring, head, cqe) {
		if (taken == WAIT_EVENTS)
			break;
		seen++;
		if (cqe->user_data == NOBODY || cqe->res == -ECANCELED)
			continue;
		events[taken].id = cqe->user_data;
		if (cqe->res < 0)
			events[taken].events = POLLERR;
		else if (cqe->flags & IORING_CQE_F_MORE)
			events[taken].events = (uint32_t)cqe->res;
		else
			events[taken].events = (uint32_t)cqe->res | WAIT_ENDED;
		taken++;
	}
	io_uring_cq_advance(&w->ring, (unsigned int)seen);
	return taken;
}

static int epoll_events(struct phi_wait *w, struct phi_wait_event *events,
			uint64_t timeout_ns)
{
	struct epoll_event got[WAIT_EVENTS];
	struct timespec ts = {
		.tv_sec = (time_t)(timeout_ns / 1000000000),
		.tv_nsec = (long)(timeout_ns % 1000000000),
	};
	int n;

	n = epoll_pwait2(w->epoll, got, WAIT_EVENTS,
			 timeout_ns == UINT64_MAX ? NULL : &ts, NULL);
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	for (int i = 0; i < n; i++) {
		events[i].id = got[i].data.u64;
		events[i].events = got[i].events;
	}
	return n;
}

int phi_wait_events(struct phi_wait *w, struct phi_wait_event *events,
		    uint64_t timeout_ns)
{
	return w->uring ? uring_events(w, events, timeout_ns) :
			  epoll_events(w, events, timeout_ns);
}
