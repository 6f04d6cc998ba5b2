// SPDX-License-Identifier: GPL-2.0-only
/*
 * One turn of a client: it is sent what it waits for, then its messages are
 * served. While its ring has no room no message is taken, so that what it has
 * to be told is bounded; nothing of that is ever dropped.
 */
#include <errno.h>

#include "serve_impl.h"

/* Messages of one turn, and their bytes. */
#define TURN_MAX 256
#define TURN_BYTES (2U << 20)

/* A value of so many bytes is taken though its user has too much memory. */
#define SMALL_MAX 65536

static void drop(struct client *client, int64_t slot)
{
	mathis_buf_put(&client->drops, (uint64_t)slot, 4);
}

/* With core->lock, or alone. */
static void drop_all(struct client *client, struct mathis_item *item)
{
	size_t parts = mathis_item_parts(item);

	if (item->kind == MATHIS_FUNC && item->i >= 0) {
		drop(client, item->i);
		item->i = -1;
	}
	for (size_t i = 0; i < parts; i++)
		drop_all(client, &item->items[i]);
}

/**
 * mathisd_drop_funcs() - let the client forget functions that no one has taken
 * @client: Session.
 * @item: A value of it.
 *
 * Context: Main thread.
 */
void mathisd_drop_funcs(struct client *client, struct mathis_item *item)
{
	pthread_mutex_lock(&client->md->core->lock);
	drop_all(client, item);
	pthread_mutex_unlock(&client->md->core->lock);
}

/* A function that the client may forget: 0 when there is none. */
static int send_drop(struct client *client, bool *sent)
{
	struct mathis_wire head = { .kind = MATHIS_WIRE_DROP };
	struct mathis_buf *b = &client->drops;
	uint32_t slot;

	/* Without memory the client keeps them. */
	if (b->bad)
		mathis_buf_fini(b);
	while (md_inbox_drop(client->md->inbox, &slot))
		drop(client, slot);
	if (b->bad || !b->size)
		return 0;
	b->size -= 4;
	for (int i = 0; i < 4; i++)
		head.arg |= (uint32_t)b->data[b->size + i] << (8 * i);
	*sent = true;
	return mathis_pipe_send(&client->pipe, &head, NULL);
}

static int send_error(struct client *client, struct md_call *c,
		      struct mathis_wire *head)
{
	struct mathis_pool pool;
	struct mathis_item item;
	int ret;

	mathis_pool_init(&pool, 65536);
	item = md_error_item(c, &pool);
	head->arg = (uint32_t)(c->by_core ? atomic_load(&c->stop) : c->code);
	ret = mathis_pipe_send(&client->pipe, head, &item);
	mathis_pool_fini(&pool);
	return ret;
}

/* Tell what a call came to, and put it. */
static int send_done(struct client *client, struct md_call *c)
{
	struct mathis_wire head = { .kind = MATHIS_WIRE_DONE,
				    .ticket = c->ticket };
	int ret = -EINVAL;

	mathisd_count(server_of(client), c);
	if (c->has_funcs) {
		for (unsigned int i = 0; i < c->argc; i++)
			mathisd_drop_funcs(client, &c->args[i]);
	}
	if (c->status == MD_DONE) {
		ret = mathis_pipe_send(&client->pipe, &head, &c->result);
		if (ret == -ENOMEM || ret == -E2BIG || ret == -EINVAL)
			md_fail(c,
				ret == -ENOMEM ? MATHIS_OUT_OF_MEMORY :
						 MATHIS_TOO_LARGE,
				"the result cannot be sent");
		/* It will not hear of a handle that the call opened. */
		if (c->code && c->opened.kind == MATHIS_HANDLE)
			md_handle_close(c, (enum md_kind)(c->opened.i >> 24),
					&c->opened);
	}
	if (ret == -ENOMEM || ret == -E2BIG || ret == -EINVAL)
		ret = send_error(client, c, &head);
	/* It will hear of nothing else without memory, so of its end. */
	md_call_put(c);
	return ret;
}

/* Send the next thing it waits for; *sent: there was one. */
static int send_next(struct client *client, bool *sent)
{
	struct md_call *c = TAILQ_FIRST(&client->done);
	int ret;

	*sent = false;
	if (c)
		TAILQ_REMOVE(&client->done, c, wait);
	else
		c = md_session_take(client->md);
	if (c) {
		*sent = true;
		return send_done(client, c);
	}
	ret = send_drop(client, sent);
	if (!ret && !*sent)
		ret = mathisd_upcall_send(client, sent);
	return ret;
}

/*
 * Send all that it waits for: 0, -EAGAIN without room, -EINPROGRESS when its turn
 * is over, or -EPROTO.
 */
static int flush(struct client *client, uint64_t until)
{
	bool sent = true;
	int ret;

	do {
		ret = mathis_pipe_flush(&client->pipe);
		if (!ret)
			ret = send_next(client, &sent);
	} while (!ret && sent && clock_ns() < until);
	return !ret && sent ? -EINPROGRESS : ret;
}

/*
 * Take a message: 0, -EAGAIN when there is none, -EINPROGRESS when the turn is
 * over, or another negative errno. The user is charged with all of it once its
 * head came.
 */
static int take(struct client *client, uint64_t until)
{
	uint64_t left = md_share_left(client->md->owner);
	struct mathis_wire head;
	const void *data;
	int ret;

	client->pipe.most = left > SMALL_MAX ? left : SMALL_MAX;
	ret = mathis_pipe_recv(&client->pipe, &head, &data);
	mathisd_channel_charge(client);
	if (!ret)
		ret = mathisd_message(client, &head, data);
	return !ret && clock_ns() >= until ? -EINPROGRESS : ret;
}

/**
 * mathisd_pump() - serve a client for a turn
 * @client: Session with a ring.
 * @until: When its turn is over.
 * @more: Out: there is more to do.
 *
 * Context: Main thread.
 * Return: 0; a negative errno when the session has to end.
 */
int mathisd_pump(struct client *client, uint64_t until, bool *more)
{
	unsigned int n = 0;
	int checked = 0;
	int ret;

	mathis_pipe_budget(&client->pipe, TURN_BYTES);
	do {
		ret = flush(client, until);
		/* A batch is told whole before the next one is taken. */
		for (unsigned int i = 0; i < BATCH_MAX && !ret; i++, n++)
			ret = take(client, until);
		checked = mathisd_run_batch(client);
	} while (!ret && !checked && n < TURN_MAX && clock_ns() < until);
	if (!checked && (!ret || ret == -EAGAIN))
		/* Send the results of the batch, unless the ring has no room. */
		ret = flush(client, until);
	mathisd_channel_charge(client);
	if (checked || (ret && ret != -EAGAIN && ret != -EINPROGRESS))
		return checked ? checked : ret;
	if (ret == -EINPROGRESS) {
		*more = true;
		return 0;
	}
	*more = phi_ring_arm(client->ring, ret ? PHI_RING_OUT : PHI_RING_IN) !=
		0;
	return 0;
}
