// SPDX-License-Identifier: GPL-2.0-only
/* The call table, sessions, and the answers that need no batch. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "batchd.h"
#include "confine.h"

static void describe(const struct engine_tensor *row,
		     struct phi_batch_tensor *out)
{
	uint32_t i;

	out->dtype = row->dtype;
	out->ndim = row->ndim + 1;
	for (i = 0; i < row->ndim; i++)
		out->shape[i + 1] = row->dims[i];
}

/* ATTACH: the only call on a MODEL capability. */
static int batchd_attach(struct daemon *d, const struct phi_msg_in *in,
			 bool *taken)
{
	const struct phi_batch_attach *req = (const void *)in->data;
	struct phi_batch_attached a = { .tag = req->head.tag };
	struct batchd *b = (struct batchd *)d;
	struct model *model;
	char what[PHI_NAME_MAX + 8];
	struct client *client;
	struct session *base;
	int ret;

	if (in->badge - 1 >= b->nmodels || req->head.flags || req->pad)
		return -EINVAL;
	model = b->models[in->badge - 1];
	if (req->version != PHI_BATCH_VERSION)
		return -EPROTONOSUPPORT;
	ret = session_open(d, in, &base);
	if (ret)
		return ret;
	*taken = true;
	client = (struct client *)base;
	client->model = model;
	client->credit.limit = b->options.credits;
	pthread_mutex_init(&client->ring_lock, NULL);
	/* One user cannot keep all others out of a line. */
	pthread_mutex_lock(&d->lock);
	user_of(client)->share.limit = b->options.queue_rows / 2;
	pthread_mutex_unlock(&d->lock);
	a.version = PHI_BATCH_VERSION;
	a.model = model->id;
	a.max_batch = model->max_batch;
	a.credits = client->credit.limit;
	describe(&model->info->in, &a.input);
	describe(&model->info->out, &a.output);
	snprintf(what, sizeof(what), ", for %s", model->name);
	session_welcome(base, in->reply, &a, sizeof(a), what);
	return 0;
}

/* REGION; returns whether a slot took the capability that came. */
static bool batchd_region(struct session *session, const struct phi_msg_in *in)
{
	const struct phi_batch_region *req = (const void *)in->data;
	struct phi_batch_slot a = { .tag = req->head.tag };

	if (req->head.flags || req->slot || req->pad)
		a.status = -EINVAL;
	else
		a.status = client_map((struct client *)session, &in->caps[0],
				      &a.slot);
	call_reply(session->daemon, in->reply, &a, sizeof(a));
	return !a.status;
}

static bool batchd_forget(struct session *session, const struct phi_msg_in *in)
{
	const struct phi_batch_region *req = (const void *)in->data;
	struct phi_batch_slot a = { .slot = req->slot, .tag = req->head.tag };

	if (req->head.flags || req->pad)
		a.status = -EINVAL;
	else
		a.status = client_forget((struct client *)session, req->slot,
					 in->reply, req->head.tag);
	if (a.status)
		call_reply(session->daemon, in->reply, &a, sizeof(a));
	return false;
}

/* RING; returns whether it took the capability that came. */
static bool batchd_ring(struct session *session, const struct phi_msg_in *in)
{
	const struct phi_batch_ring *req = (const void *)in->data;
	struct phi_batch_slot a = { .tag = req->head.tag };

	a.status = channel_open((struct client *)session, req, in);
	if (a.status)
		call_reply(session->daemon, in->reply, &a, sizeof(a));
	return !a.status;
}

/**
 * batchd_submit() - take a request, from a call or from a ring
 * @client: Session.
 * @data: The message; private.
 * @len: Its length.
 * @reply: REPLY handle, 0 = answer over the ring.
 *
 * Context: Main thread.
 */
void batchd_submit(struct client *client, const void *data, size_t len,
		   uint64_t reply)
{
	struct phi_batch_answer a = { .unit = PHI_UNIT_UNKNOWN };
	struct phi_batch_request wire = {};
	uint64_t expected_ns = 0;

	memcpy(&wire, data, len < sizeof(wire) ? len : sizeof(wire));
	a.tag = wire.head.tag;
	if (len != sizeof(wire) || wire.head.op != PHI_BATCH_INFER)
		a.status = -EINVAL;
	else
		a.status = request_submit(client, &wire, reply, &expected_ns);
	if (!a.status)
		return;
	a.expected_ns = expected_ns;
	if (reply)
		call_reply(client->base.daemon, reply, &a, sizeof(a));
	else
		channel_send(client, &a);
}

static bool batchd_infer(struct session *session, const struct phi_msg_in *in)
{
	batchd_submit((struct client *)session, in->data, in->len, in->reply);
	return false;
}

#define RIGHT_READ false
#define RIGHT_WRITE true
#define THREAD_ATTACH(...) .attach = true
#define THREAD_MAIN(_run) .now = (_run)

#define CALL(_nr, _right, _thread, _run, _request, _reply, _takes, ...) \
	[PHI_BATCH_##_nr] = {                                           \
		.request = sizeof(struct _request),                     \
		.reply = sizeof(struct _reply),                         \
		.writes = RIGHT_##_right,                               \
		.takes = (_takes),                                      \
		THREAD_##_thread(_run),                                 \
	},

static const struct op ops[] = {
#include "calls.def"
};

static const struct op *find_op(uint32_t nr)
{
	return nr < sizeof(ops) / sizeof(*ops) && ops[nr].request ? &ops[nr] :
								    NULL;
}

/* A model's badge is for its MODEL capability, a session's for its ENDPOINT. */
static bool published(struct daemon *d, const struct phi_msg_in *in)
{
	(void)d;
	return in->type == PHI_TYPE_MODEL;
}

static void refuse(struct daemon *d, const struct op *op,
		   const struct phi_msg_in *in, int status)
{
	const struct phi_batch_head *head = (const void *)in->data;
	union {
		struct phi_batch_attached attached;
		struct phi_batch_slot slot;
		struct phi_batch_answer answer;
	} a;

	_Static_assert(offsetof(struct phi_batch_attached, tag) ==
				       offsetof(struct phi_batch_slot, tag) &&
			       offsetof(struct phi_batch_answer, tag) ==
				       offsetof(struct phi_batch_slot, tag),
		       "status and tag of all answers are in one place");
	memset(&a, 0, sizeof(a));
	a.slot.status = status;
	if (in->len >= sizeof(*head))
		a.slot.tag = head->tag;
	if (op == &ops[PHI_BATCH_INFER])
		a.answer.unit = PHI_UNIT_UNKNOWN;
	/* The library knows by the short answer that its session ended. */
	call_reply(d, in->reply, &a,
		   op && status != -EPIPE ? op->reply : sizeof(a.slot));
}

static int check(struct session *session, const struct op *op,
		 const struct phi_msg_in *in)
{
	(void)session;
	(void)op;
	(void)in;
	return 0;
}

static void ended(struct session *session)
{
	struct client *client = (struct client *)session;

	channel_revoke(client);
	request_cancel_all((struct batchd *)session->daemon, client);
	client_forget_all(client);
}

static void freed(struct session *session)
{
	struct client *client = (struct client *)session;

	channel_close(client);
	pthread_mutex_destroy(&client->ring_lock);
}

static int confine(struct daemon *d)
{
	(void)d;
	return confine_calls(NULL, 0);
}

const struct daemon_kind batchd_kind = {
	.session_size = sizeof(struct client),
	.user_size = sizeof(struct batchd_user),
	.op = find_op,
	.published = published,
	.attach = batchd_attach,
	.refuse = refuse,
	.check = check,
	.ended = ended,
	.freed = freed,
	.confine = confine,
};
