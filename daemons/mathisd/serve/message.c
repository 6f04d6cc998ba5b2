// SPDX-License-Identifier: GPL-2.0-only
/* Messages of clients. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "serve_impl.h"

#define MS 1000000ULL
#define RULES_MAX 256 /* of a session, those of its manifest too */

static bool has_func(const struct mathis_item *item)
{
	size_t parts = mathis_item_parts(item);

	if (item->kind == MATHIS_FUNC)
		return true;
	for (size_t i = 0; i < parts; i++) {
		if (has_func(&item->items[i]))
			return true;
	}
	return false;
}

/* A call has ended here; it is told in its turn. */
static void done(struct client *client, struct md_call *c,
		 enum md_status status)
{
	c->status = status;
	TAILQ_INSERT_TAIL(&client->done, c, wait);
}

/* Read the list of arguments: 0 or -errno; -EBADMSG breaks a rule. */
static int read_args(struct md_call *c, const void *data, size_t size)
{
	unsigned int max = c->row ? c->row->max : 0;
	struct mathis_item list;
	int ret;

	if (!data && size)
		return -E2BIG;
	ret = mathis_wire_get(data, size, &c->pool, &list);
	if (ret)
		return ret;
	if (list.kind != MATHIS_LIST)
		return -EBADMSG;
	c->argc = list.n;
	c->has_funcs = has_func(&list);
	if (list.n > max)
		c->args = list.items;
	else if (list.n)
		memcpy(c->args, list.items, list.n * sizeof(*c->args));
	return 0;
}

static void drop_slot(void *arg, uint32_t slot)
{
	struct client *client = arg;

	mathis_buf_put(&client->drops, slot, 4);
}

static int take_call(struct client *client, const struct mathis_wire *head,
		     const void *data)
{
	struct batch *batch = &server_of(client)->batch;
	struct md_call *c = md_call_new(client->md, head->id, 0);
	int ret;

	if (!c)
		return -ENOMEM;
	c->ticket = head->ticket;
	c->task = head->task;
	if (head->arg)
		c->deadline = clock_ns() + head->arg * MS;
	ret = read_args(c, data, head->size);
	if (!ret && md_call_charge(c))
		ret = -E2BIG;
	if (ret == -ENOMEM || ret == -E2BIG) {
		if (data)
			mathis_wire_funcs(data, head->size, drop_slot, client);
		md_call_empty(c);
		if (!c->code)
			md_fail(c, MATHIS_LIMIT,
				"the arguments have more than %lu bytes or 64 levels, or memory is short",
				MD_CALL_BYTES);
		done(client, c, MD_FAILED);
		return 0;
	}
	if (ret) {
		md_call_put(c);
		return ret;
	}
	batch->calls[batch->n++] = c;
	return batch->n == BATCH_MAX ? mathisd_run_batch(client) : 0;
}

/**
 * mathisd_run_batch() - check the calls that were taken, and begin them
 * @client: Session that made them.
 *
 * Context: Main thread.
 * Return: 0; a negative errno when the session has to end.
 */
int mathisd_run_batch(struct client *client)
{
	struct batch *batch = &server_of(client)->batch;
	int ret;

	if (!batch->n)
		return 0;
	ret = mathisd_check(client, batch);
	for (unsigned int i = 0; i < batch->n; i++) {
		struct md_call *c = batch->calls[i];
		enum md_status status = ret || c->code ? MD_FAILED :
							 md_call_start(c);

		if (status != MD_LATER)
			done(client, c, status);
	}
	batch->n = 0;
	return ret;
}

/* Deny a right; no call is under way that might just look at them. */
static int narrow(struct md_call *c)
{
	char *text = strndup(c->args[0].text, c->args[0].n);
	int ret;

	if (!text)
		return md_fail(c, MATHIS_OUT_OF_MEMORY, "no memory");
	ret = md_rights_narrow(c, RULES_MAX, text);
	free(text);
	if (ret == -EDQUOT)
		return md_fail(c, MATHIS_LIMIT, "more than %d rules",
			       RULES_MAX);
	if (ret == -ENOENT)
		return md_fail(c, MATHIS_BAD_SPEC, "there is no such right");
	if (ret == -EINVAL)
		return md_fail(c, MATHIS_BAD_SPEC,
			       "the right takes no such parameter");
	return ret ? md_fail_errno(c, -ret, "the parameter") : MD_DONE;
}

static int take_narrow(struct client *client, const struct mathis_wire *head,
		       const void *data)
{
	bool busy = md_session_busy(client->md);
	struct md_call *c = md_call_new(client->md, 0, 1);
	int ret = -ENOMEM;

	if (c && !data && head->size) {
		c->ticket = head->ticket;
		done(client, c, md_fail(c, MATHIS_LIMIT, "memory is short"));
		return 0;
	}
	if (c)
		ret = mathis_wire_get(data, head->size, &c->pool, &c->args[0]);
	if (!ret && (c->args[0].kind != MATHIS_STR ||
		     memchr(c->args[0].text, 0, c->args[0].n)))
		ret = -EBADMSG;
	if (ret) {
		if (c)
			md_call_put(c);
		return ret;
	}
	c->ticket = head->ticket;
	done(client, c,
	     busy ? md_fail(c, MATHIS_BUSY, "calls are under way") :
		    (enum md_status)narrow(c));
	return 0;
}

/**
 * mathisd_message() - serve a message
 * @client: Session.
 * @head: Its head.
 * @data: Its value, private; NULL: the user has no room for it.
 *
 * Context: Main thread.
 * Return: 0; a negative errno when the session has to end.
 */
int mathisd_message(struct client *client, const struct mathis_wire *head,
		    const void *data)
{
	int ret;

	if (head->kind == MATHIS_WIRE_CALL)
		return take_call(client, head, data);
	/* The calls before it begin first. */
	ret = mathisd_run_batch(client);
	if (ret)
		return ret;
	switch (head->kind) {
	case MATHIS_WIRE_CANCEL:
		md_session_cancel(client->md, head->ticket);
		return 0;
	case MATHIS_WIRE_ANSWER:
		return mathisd_upcall_answer(client, head, data);
	case MATHIS_WIRE_NARROW:
		return take_narrow(client, head, data);
	case MATHIS_WIRE_ENDED:
		md_session_task_ended(client->md, head->task);
		return 0;
	case MATHIS_WIRE_MOVED:
		md_session_task_moved(client->md, head->task, head->ticket);
		return 0;
	default:
		return -EPROTO;
	}
}
