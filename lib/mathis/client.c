// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The client's side of a session with mathisd: see wire.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <phi/phi.h>
#include <phi/ring.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "client.h"
#include "pipe.h"

#define ENTRIES 256
#define BYTES (256U << 10)

struct mathis_client {
	int phi; /* -1: ring and files are those of another */
	uint64_t life; /* endpoint whose death ends the session */
	uint64_t session; /* endpoint of the session */
	struct phi_ring *ring;
	void *mem;
	size_t len;
	int wait_fd; /* mathisd's bell adds to it */
	int session_fd; /* hangs up when the session is gone */
	uint64_t check; /* session of this process in the kernel */
	uint64_t bell; /* notify behind wait_fd */
	uint64_t ring_cap;
	uint64_t peer_bell;
	struct mathis_pipe pipe;
	uint64_t tickets;
	bool full; /* submit found no room */
};

static void drop_caps(int phi, const struct phi_msg_in *in)
{
	for (uint32_t i = 0; i < in->ncaps; i++)
		phi_cap_drop(phi, in->caps[i].cap);
}

/* Make a request with one capability, to get others of these types. */
static int ask(struct mathis_client *c, uint64_t endpoint,
	       const struct mathis_wire_open *req, const struct phi_xfer *cap,
	       uint64_t deadline_ns, struct phi_msg_in *in,
	       const uint32_t *types, uint32_t n)
{
	struct phi_msg msg = { .data = req, .len = sizeof(*req), .ncaps = 1 };
	struct mathis_wire_opened a;
	int ret;

	msg.caps[0] = *cap;
	ret = phi_call(c->phi, endpoint, &msg, in, 0, deadline_ns);
	if (ret)
		return ret;
	if (in->len != sizeof(a)) {
		drop_caps(c->phi, in);
		return -EPROTO;
	}
	memcpy(&a, in->data, sizeof(a));
	ret = a.status > 0 ? -EPROTO : a.status;
	if (!ret && in->ncaps != n)
		ret = -EPROTO;
	for (uint32_t i = 0; i < n && !ret; i++)
		ret = in->caps[i].type == types[i] ? 0 : -EPROTO;
	if (ret)
		drop_caps(c->phi, in);
	return ret;
}

static int attach(struct mathis_client *c, uint64_t endpoint,
		  uint64_t deadline_ns)
{
	static const uint32_t types[] = { PHI_TYPE_ENDPOINT };
	struct mathis_wire_open req = { .op = MATHIS_OP_ATTACH,
					.version = MATHIS_WIRE_VERSION };
	struct phi_xfer life = { .rights = PHI_RIGHT_SEND };
	struct phi_msg_in in;
	int ret = phi_endpoint_create(c->phi, &c->life);

	if (ret)
		return ret;
	life.cap = c->life;
	ret = ask(c, endpoint, &req, &life, deadline_ns, &in, types, 1);
	if (ret)
		return ret;
	c->session = in.caps[0].cap;
	c->session_fd = phi_endpoint_fd(c->phi, c->session);
	return c->session_fd < 0 ? c->session_fd : 0;
}

/* Give mathisd what the kernel checks the calls of this process by. */
static int vouch(struct mathis_client *c, uint64_t deadline_ns)
{
	struct mathis_wire_open req = { .op = MATHIS_OP_SESSION,
					.version = MATHIS_WIRE_VERSION };
	struct phi_xfer check = { .rights = PHI_RIGHT_EXEC };
	struct phi_msg_in in;
	int ret = phi_session_create(c->phi, &c->check);

	if (ret)
		return ret;
	check.cap = c->check;
	return ask(c, c->session, &req, &check, deadline_ns, &in, NULL, 0);
}

/* The bell that mathisd rings here. */
static int make_bell(struct mathis_client *c)
{
	int ret;

	c->wait_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (c->wait_fd < 0)
		return -errno;
	ret = phi_notify_create(c->phi, &c->bell);
	return ret ?: phi_notify_bind(c->phi, c->bell, c->wait_fd);
}

static int open_ring(struct mathis_client *c,
		     const struct mathis_client_size *size,
		     uint64_t deadline_ns)
{
	static const uint32_t types[] = { PHI_TYPE_MEMORY, PHI_TYPE_NOTIFY };
	struct mathis_wire_open req = {
		.op = MATHIS_OP_RING,
		.version = MATHIS_WIRE_VERSION,
		.entries = size && size->entries ? size->entries : ENTRIES,
		.bytes = size && size->bytes ? size->bytes : BYTES,
	};
	struct phi_bell peer = { .phi = c->phi, .fd = -1 };
	struct phi_xfer bell = { .rights = PHI_RIGHT_WRITE };
	struct phi_msg_in in;
	int ret = make_bell(c);

	if (ret)
		return ret;
	bell.cap = c->bell;
	ret = ask(c, c->session, &req, &bell, deadline_ns, &in, types, 2);
	if (ret)
		return ret;
	c->ring_cap = in.caps[0].cap;
	c->peer_bell = in.caps[1].cap;
	ret = phi_region_map(c->phi, c->ring_cap, PROT_READ | PROT_WRITE,
			     &c->mem, &c->len);
	if (ret)
		return ret;
	peer.notify = c->peer_bell;
	ret = phi_ring_attach(c->mem, c->len, &peer, c->wait_fd, &c->ring);
	if (!ret)
		mathis_pipe_init(&c->pipe, c->ring, req.bytes);
	return ret;
}

int mathis_client_open(int phi, uint64_t endpoint,
		       const struct mathis_client_size *size,
		       uint64_t deadline_ns, struct mathis_client **client)
{
	struct mathis_client *c = calloc(1, sizeof(*c));
	int ret;

	*client = NULL;
	if (!c)
		return -ENOMEM;
	c->phi = phi;
	c->wait_fd = -1;
	c->session_fd = -1;
	ret = attach(c, endpoint, deadline_ns);
	if (!ret)
		ret = vouch(c, deadline_ns);
	if (!ret)
		ret = open_ring(c, size, deadline_ns);
	if (ret)
		mathis_client_close(c);
	else
		*client = c;
	return ret;
}

int mathis_client_over(struct phi_ring *ring, uint32_t bytes, int peer_fd,
		       struct mathis_client **client)
{
	struct mathis_client *c = calloc(1, sizeof(*c));

	*client = c;
	if (!c)
		return -ENOMEM;
	c->phi = -1;
	c->ring = ring;
	c->wait_fd = phi_ring_fd(ring);
	c->session_fd = peer_fd;
	mathis_pipe_init(&c->pipe, ring, bytes);
	return 0;
}

int mathis_client_token(int phi, const char *path, uint64_t *endpoint)
{
	int fd = open(path ?: MATHIS_TOKEN, O_RDONLY | O_CLOEXEC);
	struct phi_token token;
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, &token, sizeof(token));
	close(fd);
	if (n != sizeof(token))
		return -EINVAL;
	return phi_cap_unseal(phi, &token, endpoint);
}

/* Give back what mathis_client_open() took. */
static void close_own(struct mathis_client *c)
{
	phi_ring_free(c->ring);
	if (c->mem)
		phi_region_unmap(c->mem, c->len);
	if (c->ring_cap)
		phi_cap_drop(c->phi, c->ring_cap);
	if (c->peer_bell)
		phi_cap_drop(c->phi, c->peer_bell);
	if (c->session_fd >= 0)
		close(c->session_fd);
	if (c->session)
		phi_cap_drop(c->phi, c->session);
	if (c->check) {
		phi_cap_revoke(c->phi, c->check);
		phi_cap_drop(c->phi, c->check);
	}
	if (c->bell)
		phi_cap_drop(c->phi, c->bell);
	if (c->wait_fd >= 0)
		close(c->wait_fd);
	/* Last, for this is what mathisd sees. */
	if (c->life)
		phi_cap_drop(c->phi, c->life);
}

void mathis_client_close(struct mathis_client *c)
{
	if (!c)
		return;
	mathis_pipe_fini(&c->pipe);
	if (c->phi >= 0)
		close_own(c);
	free(c);
}

/* Whether mathisd has ended the session. */
static bool gone(const struct mathis_client *c)
{
	struct pollfd pfd = { .fd = c->session_fd };

	return poll(&pfd, 1, 0) > 0;
}

static int send(struct mathis_client *c, const struct mathis_wire *head,
		const struct mathis_item *item)
{
	int ret = mathis_pipe_flush(&c->pipe);

	/* The rest of a message may go later; the next one has to wait. */
	if (!ret)
		ret = mathis_pipe_send(&c->pipe, head, item);
	c->full |= ret == -EAGAIN;
	return ret == -EAGAIN && gone(c) ? -EPIPE : ret;
}

int mathis_client_submit(struct mathis_client *c, uint16_t id,
			 const struct mathis_item *args, unsigned int argc,
			 uint32_t ms, uint64_t task, uint64_t *ticket)
{
	struct mathis_item list = { .kind = MATHIS_LIST,
				    .n = argc,
				    .items = (struct mathis_item *)args };
	struct mathis_wire head = {
		.kind = MATHIS_WIRE_CALL,
		.id = id,
		.arg = ms,
		.ticket = c->tickets + 1,
		.task = task,
	};
	int ret = send(c, &head, &list);

	if (!ret)
		*ticket = ++c->tickets;
	return ret;
}

int mathis_client_cancel(struct mathis_client *c, uint64_t ticket)
{
	return send(c,
		    &(struct mathis_wire){ .kind = MATHIS_WIRE_CANCEL,
					   .ticket = ticket },
		    NULL);
}

int mathis_client_answer(struct mathis_client *c, uint64_t ticket, int code,
			 const struct mathis_item *value)
{
	return send(c,
		    &(struct mathis_wire){ .kind = MATHIS_WIRE_ANSWER,
					   .arg = (uint32_t)code,
					   .ticket = ticket },
		    value);
}

int mathis_client_task_ended(struct mathis_client *c, uint64_t task)
{
	return send(c,
		    &(struct mathis_wire){ .kind = MATHIS_WIRE_ENDED,
					   .task = task },
		    NULL);
}

int mathis_client_task_moved(struct mathis_client *c, uint64_t from,
			     uint64_t to)
{
	return send(c,
		    &(struct mathis_wire){ .kind = MATHIS_WIRE_MOVED,
					   .ticket = to,
					   .task = from },
		    NULL);
}

int mathis_client_narrow(struct mathis_client *c, const char *rule,
			 uint64_t *ticket)
{
	struct mathis_item text = { .kind = MATHIS_STR,
				    .n = (uint32_t)strlen(rule),
				    .text = rule };
	struct mathis_wire head = { .kind = MATHIS_WIRE_NARROW,
				    .ticket = c->tickets + 1 };
	int ret = send(c, &head, &text);

	if (!ret)
		*ticket = ++c->tickets;
	return ret;
}

/* Take a reply: 0, -EAGAIN, or another negative errno. */
static int take(struct mathis_client *c, struct mathis_reply *reply)
{
	struct mathis_wire head;
	const void *data;
	int ret = mathis_pipe_recv(&c->pipe, &head, &data);

	if (ret)
		return ret;
	mathis_pool_fini(&reply->pool);
	mathis_pool_init(&reply->pool, 4UL * MATHIS_WIRE_MAX);
	reply->value = MATHIS_ITEM_NONE;
	reply->ticket = head.ticket;
	reply->code = MATHIS_OK;
	reply->slot = 0;
	switch (head.kind) {
	case MATHIS_WIRE_DONE:
		reply->kind = MATHIS_REPLY_DONE;
		reply->code = (int)head.arg;
		break;
	case MATHIS_WIRE_UPCALL:
		reply->kind = MATHIS_REPLY_UPCALL;
		reply->slot = head.arg;
		break;
	case MATHIS_WIRE_DROP:
		reply->kind = MATHIS_REPLY_DROP;
		reply->slot = head.arg;
		return 0;
	default:
		return -EPROTO;
	}
	ret = mathis_wire_get(data, head.size, &reply->pool, &reply->value);
	return ret == -EBADMSG ? -EPROTO : ret;
}

/* Time left for ppoll(), or NULL. */
static struct timespec *time_left(uint64_t deadline_ns, struct timespec *ts)
{
	uint64_t now;

	if (!deadline_ns)
		return NULL;
	clock_gettime(CLOCK_MONOTONIC, ts);
	now = (uint64_t)ts->tv_sec * 1000000000 + (uint64_t)ts->tv_nsec;
	now = deadline_ns > now ? deadline_ns - now : 0;
	ts->tv_sec = (time_t)(now / 1000000000);
	ts->tv_nsec = (long)(now % 1000000000);
	return ts;
}

/* Sleep until the bell rings or the session is gone. */
static int doze(struct mathis_client *c, uint64_t deadline_ns)
{
	struct pollfd pfd[2] = {
		{ .fd = c->wait_fd, .events = POLLIN },
		{ .fd = c->session_fd },
	};
	struct timespec ts;
	int ret = ppoll(pfd, 2, time_left(deadline_ns, &ts), NULL);

	if (ret < 0)
		return -errno;
	if (!ret)
		return -ETIMEDOUT;
	phi_ring_quiet(c->ring);
	return pfd[1].revents ? -EPIPE : 0;
}

/* Send what is left; there is room for more if that was waited for. */
static int push(struct mathis_client *c)
{
	int ret = mathis_pipe_flush(&c->pipe);

	return ret == -EAGAIN ? 0 : ret;
}

int mathis_client_wait(struct mathis_client *c, struct mathis_reply *reply,
		       uint64_t deadline_ns)
{
	int error = 0;

	for (;;) {
		unsigned int what = PHI_RING_IN;
		int ret = push(c);

		if (!ret)
			ret = take(c, reply);
		if (ret != -EAGAIN)
			return ret;
		if (c->full && !c->pipe.sending) {
			c->full = false;
			return -EAGAIN;
		}
		/* Replies that came count first, however the sleep ended. */
		if (error)
			return error;
		if (c->pipe.sending)
			what |= PHI_RING_OUT;
		if (!phi_ring_arm(c->ring, what))
			error = doze(c, deadline_ns);
	}
}

int mathis_client_call(struct mathis_client *c, uint16_t id,
		       const struct mathis_item *args, unsigned int argc,
		       struct mathis_reply *reply, uint64_t deadline_ns)
{
	uint64_t ticket;
	int ret = mathis_client_submit(c, id, args, argc, 0, 0, &ticket);

	while (!ret) {
		ret = mathis_client_wait(c, reply, deadline_ns);
		if (!ret && reply->kind == MATHIS_REPLY_DONE &&
		    reply->ticket == ticket)
			return 0;
		if (ret == -EAGAIN)
			ret = 0;
	}
	return ret;
}

void mathis_client_fds(const struct mathis_client *c, int fds[2])
{
	fds[0] = c->wait_fd;
	fds[1] = c->session_fd;
}
