// SPDX-License-Identifier: LGPL-2.1-or-later
/* A client's session with the batcher: see phi/batch.h. */
#include <phi/batch.h>
#include <phi/ring.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal.h"

#define ENTRIES_MIN 8U
#define ENTRIES_MAX 1024U

/* How long after its deadline a call still waits to be told so. */
#define LATE_NS 1000000000ULL

struct phi_batch {
	int phi;
	uint64_t life; /* endpoint whose death ends the session */
	uint64_t session; /* endpoint that requests go to */
	struct phi_batch_attached info;
	struct phi_ring *ring;
	void *mem;
	size_t len;
	int wait_fd; /* the batcher's bell adds to it */
	int session_fd; /* hangs up when the batcher is gone */
	uint64_t bell; /* notify behind wait_fd */
	uint64_t ring_cap;
	uint64_t peer_bell;
	unsigned int room; /* requests in flight at most */
	atomic_uint in_flight;
};

static void drop_caps(int phi, const struct phi_msg_in *in)
{
	for (uint32_t i = 0; i < in->ncaps; i++)
		phi_cap_drop(phi, in->caps[i].cap);
}

/*
 * Call the batcher with at most one capability. The answer begins with a
 * status, has @size bytes and, when the status is 0, @ncaps capabilities.
 */
static int ask(const struct phi_batch *b, uint64_t endpoint, const void *data,
	       uint32_t len, const struct phi_xfer *cap, uint64_t deadline_ns,
	       struct phi_msg_in *in, uint32_t size, uint32_t ncaps)
{
	struct phi_msg msg = { .data = data, .len = len };
	int32_t status;
	int ret;

	if (cap) {
		msg.ncaps = 1;
		msg.caps[0] = *cap;
	}
	ret = phi_call(b->phi, endpoint, &msg, in, 0, deadline_ns);
	if (ret)
		return ret;
	if (in->len < sizeof(status)) {
		ret = -EPROTO;
	} else {
		memcpy(&status, in->data, sizeof(status));
		if (status)
			ret = status < 0 ? status : -EPROTO;
		else if (in->len != size || in->ncaps != ncaps)
			ret = -EPROTO;
	}
	if (ret)
		drop_caps(b->phi, in);
	return ret;
}

static int is_shape(const struct phi_batch_tensor *t)
{
	return phi_dtype_size(t->dtype) && t->ndim >= 1 &&
	       t->ndim <= PHI_TENSOR_NDIM_MAX;
}

static int attach(struct phi_batch *b, uint64_t model, uint64_t deadline_ns)
{
	struct phi_batch_attach req = {
		.head.op = PHI_BATCH_ATTACH,
		.version = PHI_BATCH_VERSION,
	};
	struct phi_xfer life = { .cap = b->life, .rights = PHI_RIGHT_SEND };
	struct phi_msg_in in;
	int ret;

	ret = ask(b, model, &req, sizeof(req), &life, deadline_ns, &in,
		  sizeof(b->info), 1);
	if (ret)
		return ret;
	memcpy(&b->info, in.data, sizeof(b->info));
	b->session = in.caps[0].cap;
	if (in.caps[0].type != PHI_TYPE_ENDPOINT || !b->info.credits ||
	    !b->info.max_batch || !is_shape(&b->info.input) ||
	    !is_shape(&b->info.output))
		return -EPROTO;
	return 0;
}

static uint32_t entries_for(uint32_t credits)
{
	uint32_t entries = ENTRIES_MIN;

	while (entries < credits && entries < ENTRIES_MAX)
		entries *= 2;
	return entries;
}

/* The bell that the batcher rings here. */
static int bell_new(struct phi_batch *b)
{
	int ret;

	b->wait_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (b->wait_fd < 0)
		return -errno;
	ret = phi_notify_create(b->phi, &b->bell);
	if (ret)
		return ret;
	return phi_notify_bind(b->phi, b->bell, b->wait_fd);
}

static int ring_open(struct phi_batch *b, uint64_t deadline_ns)
{
	struct phi_batch_ring req = {
		.head.op = PHI_BATCH_RING,
		.entries = entries_for(b->info.credits),
	};
	struct phi_bell peer = { .phi = b->phi, .fd = -1 };
	struct phi_xfer bell;
	struct phi_msg_in in;
	int ret;

	ret = bell_new(b);
	if (ret)
		return ret;
	b->session_fd = phi_endpoint_fd(b->phi, b->session);
	if (b->session_fd < 0)
		return b->session_fd;
	bell = (struct phi_xfer){ .cap = b->bell, .rights = PHI_RIGHT_WRITE };
	ret = ask(b, b->session, &req, sizeof(req), &bell, deadline_ns, &in,
		  sizeof(struct phi_batch_slot), 2);
	if (ret)
		return ret;
	b->ring_cap = in.caps[0].cap;
	b->peer_bell = in.caps[1].cap;
	if (in.caps[0].type != PHI_TYPE_MEMORY ||
	    in.caps[1].type != PHI_TYPE_NOTIFY)
		return -EPROTO;
	ret = phi_region_map(b->phi, b->ring_cap, PROT_READ | PROT_WRITE,
			     &b->mem, &b->len);
	if (ret)
		return ret;
	peer.notify = b->peer_bell;
	ret = phi_ring_attach(b->mem, b->len, &peer, b->wait_fd, &b->ring);
	b->room = b->info.credits < req.entries ? b->info.credits : req.entries;
	return ret;
}

int phi_batch_open(int phi, uint64_t model, unsigned int flags,
		   uint64_t deadline_ns, struct phi_batch **out)
{
	struct phi_batch *b;
	int ret;

	if (flags & ~PHI_BATCH_OPEN_RING)
		return -EOPNOTSUPP;
	b = calloc(1, sizeof(*b));
	if (!b)
		return -ENOMEM;
	b->phi = phi;
	b->wait_fd = -1;
	b->session_fd = -1;
	ret = phi_endpoint_create(phi, &b->life);
	if (!ret)
		ret = attach(b, model, deadline_ns);
	if (!ret && flags & PHI_BATCH_OPEN_RING)
		ret = ring_open(b, deadline_ns);
	if (ret) {
		phi_batch_close(b);
		return ret;
	}
	*out = b;
	return 0;
}

void phi_batch_close(struct phi_batch *b)
{
	if (!b)
		return;
	phi_ring_free(b->ring);
	if (b->mem)
		phi_region_unmap(b->mem, b->len);
	if (b->ring_cap)
		phi_cap_drop(b->phi, b->ring_cap);
	if (b->peer_bell)
		phi_cap_drop(b->phi, b->peer_bell);
	if (b->session_fd >= 0)
		close(b->session_fd);
	if (b->session)
		phi_cap_drop(b->phi, b->session);
	if (b->bell)
		phi_cap_drop(b->phi, b->bell);
	if (b->wait_fd >= 0)
		close(b->wait_fd);
	/* Last, for this is what the batcher sees. */
	if (b->life)
		phi_cap_drop(b->phi, b->life);
	free(b);
}

const struct phi_batch_attached *phi_batch_info(const struct phi_batch *b)
{
	return &b->info;
}

int phi_batch_region(struct phi_batch *b, uint64_t cap, uint32_t rights,
		     uint64_t deadline_ns)
{
	struct phi_batch_region req = { .head.op = PHI_BATCH_REGION };
	struct phi_batch_slot slot;
	struct phi_msg_in in;
	struct phi_xfer give = {
		.cap = cap,
		.rights = rights | PHI_RIGHT_MAP,
	};
	int ret;

	if (!rights || rights & ~(PHI_RIGHT_READ | PHI_RIGHT_WRITE))
		return -EINVAL;
	ret = ask(b, b->session, &req, sizeof(req), &give, deadline_ns, &in,
		  sizeof(slot), 0);
	if (ret)
		return ret;
	memcpy(&slot, in.data, sizeof(slot));
	return slot.slot < PHI_BATCH_SLOTS ? (int)slot.slot : -EPROTO;
}

int phi_batch_forget(struct phi_batch *b, uint32_t slot, uint64_t deadline_ns)
{
	struct phi_batch_region req = {
		.head.op = PHI_BATCH_FORGET,
		.slot = slot,
	};
	struct phi_msg_in in;

	return ask(b, b->session, &req, sizeof(req), NULL, deadline_ns, &in,
		   sizeof(struct phi_batch_slot), 0);
}

int phi_batch_infer(struct phi_batch *b, const struct phi_batch_request *req,
		    struct phi_batch_answer *answer)
{
	struct phi_batch_request wire = *req;
	struct phi_msg msg = { .data = &wire, .len = sizeof(wire) };
	uint64_t deadline_ns = req->deadline_ns;
	struct phi_batch_answer got;
	struct phi_msg_in in;
	int ret;

	wire.head.op = PHI_BATCH_INFER;
	/* The batcher says that it is late; this is for when it does not. */
	if (deadline_ns &&
	    __builtin_add_overflow(deadline_ns, LATE_NS, &deadline_ns))
		deadline_ns = 0;
	ret = phi_call(b->phi, b->session, &msg, &in, 0, deadline_ns);
	/* The batcher takes the session back when it ends it. */
	if (ret == -EKEYREVOKED)
		return -EPIPE;
	if (ret)
		return ret;
	drop_caps(b->phi, &in);
	/* A batcher that no longer knows the session has a short answer. */
	if (in.len == sizeof(struct phi_batch_slot)) {
		struct phi_batch_slot slot;

		memcpy(&slot, in.data, sizeof(slot));
		return slot.status < 0 ? slot.status : -EPROTO;
	}
	if (in.len != sizeof(got))
		return -EPROTO;
	memcpy(&got, in.data, sizeof(got));
	if (got.tag != req->head.tag || got.status > 0)
		return -EPROTO;
	*answer = got;
	return 0;
}

int phi_batch_submit(struct phi_batch *b, const struct phi_batch_request *req)
{
	struct phi_batch_request *wire;
	void *payload;
	int ret;

	if (!b->ring)
		return -EINVAL;
	/* Only this thread adds, so the room that is seen stays. */
	if (atomic_load(&b->in_flight) >= b->room)
		return -EAGAIN;
	ret = phi_ring_reserve(b->ring, sizeof(*req), &payload);
	if (ret)
		return ret;
	wire = payload;
	*wire = *req;
	wire->head.op = PHI_BATCH_INFER;
	/* Before the answer can come. */
	atomic_fetch_add(&b->in_flight, 1);
	ret = phi_ring_commit(b->ring);
	/* A bell that is dead is the batcher's: phi_batch_reap() tells. */
	return ret == -EPIPE || ret == -EKEYREVOKED ? 0 : ret;
}

/* Take the answers that have come. */
static int take(struct phi_batch *b, struct phi_batch_answer *answers,
		unsigned int max)
{
	unsigned int n = 0;
	int ret = 0;

	while (n < max) {
		ret = phi_ring_recv(b->ring, &answers[n], sizeof(answers[n]));
		if (ret < 0)
			break;
		if (ret != sizeof(answers[n]) || !atomic_load(&b->in_flight))
			return -EPROTO;
		atomic_fetch_sub(&b->in_flight, 1);
		n++;
	}
	if (n)
		return (int)n;
	return ret == -EMSGSIZE ? -EPROTO : ret;
}

/* Sleep until the bell rings or the batcher dies. */
static int doze(struct phi_batch *b, uint64_t deadline_ns)
{
	struct pollfd pfd[2] = {
		{ .fd = b->wait_fd, .events = POLLIN },
		{ .fd = b->session_fd },
	};
	struct timespec ts;
	int ret;

	ret = ppoll(pfd, 2, phi_time_left(deadline_ns, &ts), NULL);
	if (ret < 0)
		return -errno;
	if (!ret)
		return -ETIMEDOUT;
	phi_ring_quiet(b->ring);
	return pfd[1].revents ? -EPIPE : 0;
}

int phi_batch_reap(struct phi_batch *b, struct phi_batch_answer *answers,
		   unsigned int max, uint64_t deadline_ns)
{
	int error = 0;
	int ret;

	if (!b->ring || !max)
		return -EINVAL;
	for (;;) {
		ret = take(b, answers, max);
		if (ret != -EAGAIN)
			return ret;
		if (!atomic_load(&b->in_flight))
			return 0;
		/* Answers that came count first, however the sleep ended. */
		if (error)
			return error;
		/* Spins for a while and leaves the ring armed. */
		ret = phi_ring_wait(b->ring, PHI_RING_IN, 1);
		if (ret > 0)
			continue;
		if (ret != -ETIMEDOUT)
			return ret;
		error = doze(b, deadline_ns);
	}
}

int phi_batch_fd(const struct phi_batch *b)
{
	return b->ring ? b->wait_fd : -EINVAL;
}
