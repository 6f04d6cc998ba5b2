// SPDX-License-Identifier: GPL-2.0-only
/* The calls that carry messages, and the ways into the module without one. */

#include <poll.h>
#include <sys/mman.h>

#include "cost.h"

static int send_one(struct stage *s)
{
	return do_send(s->phi, s->ep, "hello", 5);
}

/* One of the other user's comes back when it is sent again. */
static int count_lost(struct stage *s, const struct phi_recv *recv)
{
	s->shared->lost += recv->badge == BADGE;
	return recv->reply ? do_drop(s->phi, recv->reply) : 0;
}

static int recv_one(struct stage *s)
{
	struct phi_recv recv;

	return do_recv(s->phi, s->ep, s->data, sizeof(s->data), &recv) ?:
		       count_lost(s, &recv);
}

/* Receive one unless another thread did. */
static int recv_any(struct stage *s)
{
	int ret = recv_one(s);

	return ret == -EAGAIN ? 0 : ret;
}

/* The endpoint takes the call back: nobody has received it. */
static int call_withdrawn(struct stage *s)
{
	struct phi_call arg = {
		.endpoint = s->ep,
		.data = (uintptr_t)"hello",
		.len = 5,
		.deadline_ns = 1,
		.reply_data = (uintptr_t)s->data,
		.reply_len = sizeof(s->data),
	};
	int ret = PHI_DO(s->phi, CALL, &arg);

	return ret == -ETIMEDOUT ? 0 : ret ?: -EPROTO;
}

static int reply(struct stage *s)
{
	if (s->answered == POOL)
		return -ENOSPC;
	return do_reply(s->phi, s->replies[s->answered++], "re", 2);
}

static int reply_recv(struct stage *s)
{
	struct phi_reply_recv arg = {
		.reply = { .size = sizeof(arg.reply),
			   .data = (uintptr_t)"re",
			   .len = 2 },
		.recv = { .size = sizeof(arg.recv),
			  .flags = PHI_NONBLOCK,
			  .endpoint = s->ep,
			  .data = (uintptr_t)s->data,
			  .len = sizeof(s->data) },
	};

	if (s->answered == POOL)
		return -ENOSPC;
	arg.reply.reply = s->replies[s->answered++];
	return PHI_DO(s->phi, REPLY_RECV, &arg) ?: count_lost(s, &arg.recv);
}

const struct row message_rows[] = {
	ROW("send", send_one, UNDO(recv_any)),
	ROW("recv", recv_one, NEEDS(send_one), .flags = TAKES),
	ROW("call", call_withdrawn, .flags = TAKES),
	ROW("reply", reply),
	ROW("reply_recv", reply_recv, NEEDS(send_one), .flags = TAKES),
	{},
};

static int open_phi(struct stage *s)
{
	s->fd = do_open();
	return s->fd < 0 ? s->fd : 0;
}

static int close_phi(struct stage *s)
{
	return close(s->fd) ? -errno : 0;
}

static int map(struct stage *s)
{
	s->at = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, s->phi, s->offset);
	return s->at == MAP_FAILED ? -errno : 0;
}

static int touch(struct stage *s)
{
	__atomic_load_n(s->at, __ATOMIC_RELAXED);
	return 0;
}

/* Map a page at the stage's offset, and have it in the page tables. */
int row_map(struct stage *s)
{
	return map(s) ?: touch(s);
}

int row_unmap(struct stage *s)
{
	return munmap(s->at, PAGE) ? -errno : 0;
}

static int poll_ep(struct stage *s)
{
	struct pollfd pollfd = { .fd = s->polled, .events = POLLIN | POLLOUT };

	return poll(&pollfd, 1, 0) < 0 ? -errno : 0;
}

const struct row way_rows[] = {
	ROW("(open)", open_phi, UNDO(close_phi)),
	ROW("(close)", close_phi, NEEDS(open_phi)),
	ROW("(mmap)", map, UNDO(row_unmap)),
	ROW("(fault)", touch, NEEDS(map), UNDO(row_unmap)),
	ROW("(munmap)", row_unmap, NEEDS(row_map)),
	ROW("(poll)", poll_ep),
	{},
};
