// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages: what each asks for, and the answers that need no batch.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "batchd.h"

/**
 * answer() - answer a call
 * @b: Daemon.
 * @reply: REPLY handle; gone afterwards.
 * @data: The answer.
 * @len: Its length.
 *
 * Who gave up waiting, or died, gets nothing and costs nothing.
 *
 * Context: Any thread, without the lock.
 */
void answer(struct batchd *b, uint64_t reply, const void *data, size_t len)
{
	struct phi_msg msg = { .data = data, .len = len };
	int ret = phi_reply(b->phi, reply, &msg);

	if (ret && ret != -EPIPE) {
		say("cannot reply: %s", strerror(-ret));
		phi_cap_drop(b->phi, reply);
	}
}

static void describe(const struct engine_tensor *row,
		     struct phi_batch_tensor *out)
{
	uint32_t i;

	out->dtype = row->dtype;
	out->ndim = row->ndim + 1;
	for (i = 0; i < row->ndim; i++)
		out->shape[i + 1] = row->dims[i];
}

/*
 * ATTACH: the only thing to ask of a MODEL capability. Returns whether the
 * session took the capability that came.
 */
static bool attach(struct batchd *b, const struct phi_msg_in *in,
		   struct model *model)
{
	const struct phi_batch_attach *req = (const void *)in->data;
	struct phi_batch_attached a = { .tag = req->head.tag };
	struct phi_msg msg = { .data = &a, .len = sizeof(a) };
	struct client *client = NULL;
	int ret;

	if (req->head.flags || req->pad)
		a.status = -EINVAL;
	else if (req->version != PHI_BATCH_VERSION)
		a.status = -EPROTONOSUPPORT;
	else if (b->stopping)
		a.status = -ECANCELED;
	else
		a.status = client_open(b, in, model, &client);
	if (a.status) {
		answer(b, in->reply, &a, sizeof(a));
		return false;
	}
	a.version = PHI_BATCH_VERSION;
	a.model = model->id;
	a.max_batch = model->max_batch;
	a.credits = client->credit.limit;
	describe(&model->info->in, &a.input);
	describe(&model->info->out, &a.output);
	msg.ncaps = 1;
	msg.caps[0].cap = client->session;
	msg.caps[0].rights = PHI_RIGHT_SEND;
	if (b->options.verbose)
		say("session %llu for %s: pid %u, uid %u",
		    (unsigned long long)client->badge, model->name, in->pid,
		    in->uid);
	ret = phi_reply(b->phi, in->reply, &msg);
	if (ret) {
		client_close(b, client, NULL);
		if (ret != -EPIPE)
			phi_cap_drop(b->phi, in->reply);
	}
	return true;
}

/* REGION; returns whether a slot took the capability that came. */
static bool region(struct batchd *b, const struct phi_msg_in *in,
		   struct client *client)
{
	const struct phi_batch_region *req = (const void *)in->data;
	struct phi_batch_slot a = { .tag = req->head.tag };

	if (req->head.flags || req->slot || req->pad || in->ncaps != 1)
		a.status = -EINVAL;
	else
		a.status = client_map(b, client, &in->caps[0], &a.slot);
	answer(b, in->reply, &a, sizeof(a));
	return !a.status;
}

static void forget(struct batchd *b, const struct phi_msg_in *in,
		   struct client *client)
{
	const struct phi_batch_region *req = (const void *)in->data;
	struct phi_batch_slot a = { .slot = req->slot, .tag = req->head.tag };

	if (req->head.flags || req->pad)
		a.status = -EINVAL;
	else
		a.status = client_forget(b, client, req->slot, in->reply,
					 req->head.tag);
	if (a.status)
		answer(b, in->reply, &a, sizeof(a));
}

/* RING; returns whether it took the capability that came. */
static bool ring(struct batchd *b, const struct phi_msg_in *in,
		 struct client *client)
{
	const struct phi_batch_ring *req = (const void *)in->data;
	struct phi_batch_slot a = { .tag = req->head.tag };

	a.status = channel_open(b, client, req, in);
	if (a.status)
		answer(b, in->reply, &a, sizeof(a));
	return !a.status;
}

/**
 * submit() - take a request, from a call or from a ring
 * @b: Daemon.
 * @client: Whose.
 * @data: The message; private.
 * @len: Its length.
 * @reply: Whom to answer, 0 = the ring.
 *
 * Context: Main thread.
 */
void submit(struct batchd *b, struct client *client, const void *data,
	    size_t len, uint64_t reply)
{
	struct phi_batch_answer a = { .unit = PHI_UNIT_UNKNOWN };
	struct phi_batch_request wire = {};
	uint64_t expected_ns = 0;

	memcpy(&wire, data, len < sizeof(wire) ? len : sizeof(wire));
	a.tag = wire.head.tag;
	if (len != sizeof(wire) || wire.head.op != PHI_BATCH_INFER)
		a.status = -EINVAL;
	else
		a.status =
			request_submit(b, client, &wire, reply, &expected_ns);
	if (!a.status)
		return;
	a.expected_ns = expected_ns;
	if (reply)
		answer(b, reply, &a, sizeof(a));
	else
		channel_send(client, &a);
}

/* A message that makes no sense still gets an answer, if it wants one. */
static void refuse(struct batchd *b, const struct phi_msg_in *in, int status)
{
	const struct phi_batch_head *head = (const void *)in->data;
	struct phi_batch_slot a = { .status = status };

	if (in->len >= sizeof(*head))
		a.tag = head->tag;
	if (in->reply)
		answer(b, in->reply, &a, sizeof(a));
}

/* Returns whether the message's capabilities found an owner. */
static bool serve_client(struct batchd *b, const struct phi_msg_in *in,
			 struct client *client, uint32_t op)
{
	switch (op) {
	case PHI_BATCH_REGION:
		if (in->len == sizeof(struct phi_batch_region))
			return region(b, in, client);
		break;
	case PHI_BATCH_FORGET:
		if (in->len == sizeof(struct phi_batch_region)) {
			forget(b, in, client);
			return false;
		}
		break;
	case PHI_BATCH_RING:
		if (in->len == sizeof(struct phi_batch_ring))
			return ring(b, in, client);
		break;
	case PHI_BATCH_INFER:
		submit(b, client, in->data, in->len, in->reply);
		return false;
	}
	refuse(b, in, -EINVAL);
	return false;
}

/**
 * dispatch() - do what a message asks for
 * @b: Daemon.
 * @in: The message; what it carries is taken or dropped.
 *
 * Who sent it is told by the badge, which the kernel vouches for: a model's
 * for its MODEL capability, a session's for the ENDPOINT it was given.
 *
 * Context: Main thread.
 */
void dispatch(struct batchd *b, const struct phi_msg_in *in)
{
	const struct phi_batch_head *head = (const void *)in->data;
	uint32_t op = in->len >= sizeof(*head) ? head->op : 0;
	struct client *client;
	bool taken = false;
	uint32_t i;

	if (!in->reply) {
		/* Nothing to be done for who waits for no answer. */
	} else if (in->type == PHI_TYPE_MODEL) {
		if (op == PHI_BATCH_ATTACH && in->badge - 1 < b->nmodels &&
		    in->len == sizeof(struct phi_batch_attach))
			taken = attach(b, in, b->models[in->badge - 1]);
		else
			refuse(b, in, -EINVAL);
	} else {
		client = client_find(b, in->badge);
		if (client)
			taken = serve_client(b, in, client, op);
		else
			refuse(b, in, -EPIPE);
	}
	for (i = 0; !taken && i < in->ncaps; i++)
		phi_cap_drop(b->phi, in->caps[i].cap);
}
