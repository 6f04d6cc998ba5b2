// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests: from the wire into the line, and from its end to an answer.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "batch.h"
#include "batchd.h"

/* Does a tensor on the wire have the type and shape of @rows of @row? */
static bool fits(const struct phi_tensor *t, const struct engine_tensor *row,
		 int64_t rows)
{
	return t->dtype == row->dtype && t->ndim == row->ndim + 1 &&
	       t->shape[0] == rows &&
	       !memcmp(t->shape + 1, row->dims,
		       row->ndim * sizeof(t->shape[0]));
}

/* Find the region of a tensor and check all of it; under the lock. */
static int reach(struct client *client, const struct phi_batch_tensor *wire,
		 const struct engine_tensor *row, uint32_t rows,
		 uint32_t rights, struct slot **out)
{
	struct slot *slot = client_slot(client, wire->slot);
	struct phi_tensor t;
	int ret;

	if (!slot)
		return -EBADF;
	if ((slot->rights & rights) != rights)
		return -EPERM;
	ret = phi_batch_tensor_get(wire, slot->len, &t);
	if (ret == -EOVERFLOW)
		return -ERANGE;
	if (ret)
		return ret;
	if (!fits(&t, row, rows))
		return -EINVAL;
	*out = slot;
	return 0;
}

/* Until a unit is free, as far as is known; under the lock. */
static uint64_t busy_for_ns(struct batchd *b, uint64_t now)
{
	uint64_t least = UINT64_MAX;
	uint32_t i;

	for (i = 0; i < b->nrunners; i++) {
		uint64_t until = b->runners[i]->free_ns;

		if (until <= now)
			return 0;
		if (until - now < least)
			least = until - now;
	}
	return least;
}

/*
 * How long until a request at the end of its line is answered? The other
 * models take turns with this one: they delay it by what they have, but not
 * by more than its own time.
 */
static uint64_t expect_ns(struct batchd *b, struct request *req, uint64_t now)
{
	struct model *model = req->client->model;
	uint64_t own = 0, others = 0;
	uint32_t i;

	for (i = 0; i < b->nmodels; i++) {
		struct model *m = b->models[i];
		struct batch_view view = { .rows = m->queue.rows,
					   .max = m->max_batch,
					   .slack_ns = b->options.slack_ns,
					   .curve = &m->curve[0] };

		if (m != model) {
			if (view.rows)
				others += batch_expect_ns(&view, 0, b->nrunners,
							  0);
			continue;
		}
		view.rows = queue_ahead(&m->queue, req->item.level);
		own = batch_expect_ns(&view, req->item.rows, b->nrunners,
				      busy_for_ns(b, now));
	}
	return own + (others < own ? others : own);
}

/* Put a request that makes sense in line, if it can be in time. */
static int admit(struct batchd *b, struct request *req, uint64_t *expected_ns)
{
	struct queue *q = &req->client->model->queue;
	uint64_t now = clock_ns();
	int ret;

	if (b->daemon.stopping || req->client->base.dead)
		return -ECANCELED;
	if (req->item.deadline_ns) {
		uint64_t need = expect_ns(b, req, now);

		if (now + need >= req->item.deadline_ns) {
			*expected_ns = need;
			q->stats.refused++;
			return -ETIMEDOUT;
		}
	}
	ret = queue_push(q, &req->item, now);
	if (ret)
		return ret == -EDQUOT ? -EAGAIN : ret;
	req->in->uses++;
	req->out->uses++;
	req->client->base.refs++;
	pthread_cond_broadcast(&b->daemon.work);
	return 0;
}

/**
 * request_submit() - put a request in line
 * @client: Session that sent it.
 * @wire: A private copy of what it asks.
 * @reply: REPLY handle to answer, 0 = the ring; taken when this returns 0.
 * @expected_ns: Out, when it would be too late: how long it would take.
 *
 * Context: Main thread.
 * Return: 0, or the negative errno to answer, see &struct phi_batch_answer.
 */
int request_submit(struct client *client, const struct phi_batch_request *wire,
		   uint64_t reply, uint64_t *expected_ns)
{
	struct batchd *b = batchd_of(client);
	const struct engine_info *info = client->model->info;
	uint32_t rows = wire->input.shape[0];
	struct request *req;
	int ret;

	if (wire->head.flags || wire->pad || !rows ||
	    rows > client->model->max_batch ||
	    wire->priority > PHI_BATCH_PRIORITY_HIGH)
		return -EINVAL;
	req = calloc(1, sizeof(*req));
	if (!req)
		return -ENOMEM;
	req->client = client;
	req->tag = wire->head.tag;
	req->reply = reply;
	req->in_at = wire->input.offset;
	req->out_at = wire->output.offset;
	req->unit = PHI_UNIT_UNKNOWN;
	req->item.credit = &client->credit;
	req->item.share = &user_of(client)->share;
	req->item.rows = rows;
	req->item.level = PHI_BATCH_PRIORITY_HIGH - wire->priority;
	req->item.deadline_ns = wire->deadline_ns;

	pthread_mutex_lock(&b->daemon.lock);
	ret = reach(client, &wire->input, &info->in, rows, PHI_RIGHT_READ,
		    &req->in);
	if (!ret)
		ret = reach(client, &wire->output, &info->out, rows,
			    PHI_RIGHT_WRITE, &req->out);
	if (!ret)
		ret = admit(b, req, expected_ns);
	pthread_mutex_unlock(&b->daemon.lock);
	if (ret)
		free(req);
	return ret;
}

/**
 * request_end() - answer a request that left the line, and free it
 * @item: Of the request; it ended.
 *
 * Context: Any thread, without the lock.
 */
void request_end(struct queue_item *item)
{
	struct request *req = (struct request *)item;
	struct phi_batch_answer a = {
		.status = item->status,
		.unit = req->unit,
		.tag = req->tag,
		.run_ns = req->run_ns,
		.batch = req->batch,
		.why = req->why,
	};

	_Static_assert(offsetof(struct request, item) == 0, "item is first");
	a.queue_ns = (item->started_ns ? item->started_ns : clock_ns()) -
		     item->arrived_ns;
	client_slot_put(req->client, req->in);
	client_slot_put(req->client, req->out);
	if (req->reply)
		call_reply(req->client->base.daemon, req->reply, &a, sizeof(a));
	else
		channel_send(req->client, &a);
	session_put(&req->client->base);
	free(req);
}

/**
 * request_cancel_all() - take requests out of their lines
 * @b: Daemon.
 * @client: Session whose requests end, or NULL for all.
 *
 * Those of which rows run end with these.
 *
 * Context: Main thread, without the lock.
 */
void request_cancel_all(struct batchd *b, struct client *client)
{
	struct queue_line ended = TAILQ_HEAD_INITIALIZER(ended);
	struct queue_item *item, *next;
	uint32_t m, level;

	pthread_mutex_lock(&b->daemon.lock);
	for (m = 0; m < b->nmodels; m++) {
		struct queue *q = &b->models[m]->queue;

		for (level = 0; level < QUEUE_LEVELS; level++) {
			for (item = TAILQ_FIRST(&q->level[level]); item;
			     item = next) {
				struct request *req = (struct request *)item;

				next = TAILQ_NEXT(item, link);
				if (client && req->client != client)
					continue;
				if (queue_fail(q, item, -ECANCELED))
					TAILQ_INSERT_TAIL(&ended, item, link);
			}
		}
	}
	pthread_mutex_unlock(&b->daemon.lock);
	while ((item = TAILQ_FIRST(&ended))) {
		TAILQ_REMOVE(&ended, item, link);
		request_end(item);
	}
}
