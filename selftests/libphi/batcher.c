// SPDX-License-Identifier: GPL-2.0-only
/*
 * A batcher for the tests of its clients: it adds up bytes, and does one
 * thing wrong when told to.
 */
#include "batcher.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

static int reply(struct batcher *b, const struct phi_msg_in *in,
		 const void *data, uint32_t len, const struct phi_xfer *caps,
		 uint32_t ncaps)
{
	struct phi_msg msg = { .data = data, .len = len, .ncaps = ncaps };
	int ret;

	if (ncaps)
		memcpy(msg.caps, caps, ncaps * sizeof(*caps));
	ret = phi_reply(b->phi, in->reply, &msg);
	return ret == -EPIPE ? 0 : ret;
}

/* The client's own endpoint died: so does its session. */
static int session_died(void *arg, uint32_t events)
{
	struct life *life = arg;

	(void)events;
	phi_source_free(life->source);
	life->source = NULL;
	close(life->fd);
	life->b->gone++;
	return 0;
}

static int on_attach(struct batcher *b, const struct phi_msg_in *in)
{
	const struct phi_batch_attach *req = (const void *)in->data;
	struct phi_batch_attached a = {
		.tag = req->head.tag,
		.version = PHI_BATCH_VERSION,
		.model = 1,
		.max_batch = 16,
		.credits = b->vice == NO_CREDIT ? 0 : CREDITS,
		.input = { .dtype = PHI_DTYPE_U8,
			   .ndim = b->vice == NO_SHAPE ? 9 : 2,
			   .shape = { 0, 784 } },
		.output = { .dtype = PHI_DTYPE_F32,
			    .ndim = 2,
			    .shape = { 0, SIDES } },
	};
	struct phi_xfer cap = { .rights = PHI_RIGHT_SEND };
	struct life *life = &b->lives[b->badge];
	uint64_t session = 0;
	int ret;

	if (in->len != sizeof(*req) || in->ncaps != 1 ||
	    in->caps[0].type != PHI_TYPE_ENDPOINT ||
	    req->version != PHI_BATCH_VERSION || b->badge == LIVES)
		return -EBADMSG;
	life->b = b;
	life->fd = phi_endpoint_fd(b->phi, in->caps[0].cap);
	if (life->fd < 0)
		return life->fd;
	/* The badge of a session is one more than its place. */
	b->badge++;
	ret = phi_service_fd(b->s, life->fd, 0, session_died, life,
			     &life->source);
	if (!ret)
		ret = phi_cap_derive(b->phi, b->ep,
				     PHI_RIGHT_SEND | PHI_RIGHT_GRANT, 0,
				     b->badge, &session);
	if (!ret && b->vice == WRONG_TYPE)
		ret = phi_notify_create(b->phi, &session);
	if (ret)
		return ret;
	cap.cap = session;
	if (b->vice == WRONG_TYPE)
		cap.rights = PHI_RIGHT_ALL;
	return reply(b, in, &a, sizeof(a) - (b->vice == WRONG_LENGTH), &cap,
		     b->vice != NO_CAP);
}

static int on_region(struct batcher *b, const struct phi_msg_in *in)
{
	const struct phi_batch_region *req = (const void *)in->data;
	struct phi_batch_slot a = { .tag = req->head.tag };

	if (in->len != sizeof(*req))
		return -EBADMSG;
	if (req->head.op == PHI_BATCH_FORGET) {
		a.slot = req->slot;
		if (req->slot >= PHI_BATCH_SLOTS || !b->slot[req->slot].cap) {
			a.status = -EBADF;
		} else {
			phi_region_unmap(b->slot[a.slot].mem,
					 b->slot[a.slot].len);
			phi_cap_drop(b->phi, b->slot[a.slot].cap);
			b->slot[a.slot].cap = 0;
		}
		return reply(b, in, &a, sizeof(a), NULL, 0);
	}
	while (a.slot < PHI_BATCH_SLOTS && b->slot[a.slot].cap)
		a.slot++;
	if (in->ncaps != 1 || a.slot == PHI_BATCH_SLOTS) {
		a.status = -ENOSPC;
		return reply(b, in, &a, sizeof(a), NULL, 0);
	}
	a.status = phi_region_map(b->phi, in->caps[0].cap,
				  PROT_READ | PROT_WRITE,
				  (void **)&b->slot[a.slot].mem,
				  &b->slot[a.slot].len);
	if (!a.status)
		b->slot[a.slot].cap = in->caps[0].cap;
	return reply(b, in, &a, sizeof(a), NULL, 0);
}

/* The "model": each output is the sum of the input's bytes plus its index. */
static void run(struct batcher *b, const struct phi_batch_request *wire,
		struct phi_batch_answer *a)
{
	struct phi_batch_request req = *wire;
	struct phi_tensor in, out;

	*a = (struct phi_batch_answer){ .tag = req.head.tag, .batch = 1 };
	if (req.input.slot >= PHI_BATCH_SLOTS || !b->slot[req.input.slot].cap ||
	    req.output.slot >= PHI_BATCH_SLOTS ||
	    !b->slot[req.output.slot].cap) {
		a->status = -EBADF;
		return;
	}
	a->status = phi_batch_tensor_get(&req.input,
					 b->slot[req.input.slot].len, &in);
	if (!a->status)
		a->status = phi_batch_tensor_get(
			&req.output, b->slot[req.output.slot].len, &out);
	if (a->status)
		return;
	for (int64_t row = 0; row < in.shape[0]; row++) {
		const uint8_t *px = (uint8_t *)b->slot[req.input.slot].mem +
				    in.offset + row * 784;
		float *to =
			(float *)(b->slot[req.output.slot].mem + out.offset) +
			row * SIDES;
		int sum = 0;

		for (int i = 0; i < 784; i++)
			sum += px[i];
		for (int i = 0; i < SIDES; i++)
			to[i] = (float)(sum + i);
	}
}

static int on_request(void *arg, const void *payload, uint32_t len)
{
	struct batcher *b = arg;
	struct phi_batch_answer a;

	if (!payload || len != sizeof(struct phi_batch_request))
		return -EBADMSG;
	if (b->vice == RING_DIES) {
		phi_service_exit(b->s, 0);
		return 0;
	}
	run(b, payload, &a);
	if (b->vice == RING_UNASKED)
		phi_ring_send(b->ring, &a, sizeof(a));
	return phi_ring_send(b->ring, &a, sizeof(a) - (b->vice == RING_LENGTH));
}

static int on_ring(struct batcher *b, const struct phi_msg_in *in)
{
	const struct phi_batch_ring *req = (const void *)in->data;
	struct phi_batch_slot a = { .tag = req->head.tag };
	struct phi_bell peer = { .phi = b->phi, .fd = -1 };
	struct phi_xfer caps[2];
	size_t len;
	void *mem;
	int ret;

	if (in->len != sizeof(*req) || in->ncaps != 1 ||
	    req->entries < CREDITS || req->entries > 2 * CREDITS)
		return -EBADMSG;
	len = (phi_ring_size(req->entries, req->entries * 256) + 4095) & ~4095;
	peer.notify = in->caps[0].cap;
	b->bell_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	ret = phi_region_create(b->phi, len, 0, &b->ring_cap);
	if (!ret)
		ret = phi_region_map(b->phi, b->ring_cap,
				     PROT_READ | PROT_WRITE, &mem, NULL);
	if (!ret)
		ret = phi_ring_create(mem, len, req->entries,
				      req->entries * 256, &peer, b->bell_fd,
				      &b->ring);
	if (!ret)
		ret = phi_notify_create(b->phi, &b->bell);
	if (!ret)
		ret = phi_notify_bind(b->phi, b->bell, b->bell_fd);
	if (!ret)
		ret = phi_service_ring(b->s, b->ring, on_request, b, NULL);
	if (ret)
		return ret;
	caps[0] = (struct phi_xfer){
		.cap = b->ring_cap,
		.rights = PHI_RIGHT_MAP | PHI_RIGHT_READ | PHI_RIGHT_WRITE,
	};
	caps[1] =
		(struct phi_xfer){ .cap = b->bell, .rights = PHI_RIGHT_WRITE };
	return reply(b, in, &a, sizeof(a), caps, 2);
}

static int on_message(void *arg, struct phi_msg_in *in)
{
	struct batcher *b = arg;
	struct phi_batch_answer a;
	struct phi_batch_head head;

	if (!in || in->len < sizeof(head))
		return -EBADMSG;
	memcpy(&head, in->data, sizeof(head));
	if (in->type == PHI_TYPE_MODEL)
		return head.op == PHI_BATCH_ATTACH ? on_attach(b, in) :
						     -EBADMSG;
	if (in->badge - 1 >= b->badge || !b->lives[in->badge - 1].source)
		return -EBADMSG;
	switch (head.op) {
	case PHI_BATCH_REGION:
	case PHI_BATCH_FORGET:
		return on_region(b, in);
	case PHI_BATCH_RING:
		return on_ring(b, in);
	case PHI_BATCH_INFER:
		if (b->vice == SILENT)
			return 0;
		run(b, (const void *)in->data, &a);
		return reply(b, in, &a, sizeof(a), NULL, 0);
	default:
		return -EBADMSG;
	}
}

static int on_quit(void *arg)
{
	phi_service_stop(arg);
	return 0;
}

void *batcher(void *arg)
{
	struct batcher *b = arg;
	int ret;

	b->phi = phi_open(0);
	ret = phi_service_new(0, &b->s);
	if (!ret)
		ret = phi_endpoint_create(b->phi, &b->ep);
	if (!ret)
		ret = phi_model_register(b->phi, b->ep, 1, "sums", 16, NULL,
					 &b->model);
	if (!ret)
		ret = phi_cap_seal(b->phi, b->model,
				   PHI_RIGHT_SEND | PHI_RIGHT_EXEC, 0, 0,
				   &b->token);
	if (!ret)
		ret = phi_service_endpoint(b->s, b->phi, b->ep, on_message, b,
					   NULL);
	if (!ret)
		ret = phi_service_job(b->s, on_quit, b->s, &b->quit);
	pthread_barrier_wait(&b->ready);
	if (!ret)
		ret = phi_service_run(b->s);
	/* All capabilities go, as if the process died. */
	close(b->phi);
	b->result = ret;
	return NULL;
}
