// SPDX-License-Identifier: GPL-2.0-only
/* Functions of clients that calls run. */
#include <errno.h>
#include <stdlib.h>

#include "serve_impl.h"

static void forget(struct client *client, struct run *run)
{
	TAILQ_REMOVE(&client->runs, run, link);
	client->nruns--;
	md_upcall_put(run->upcall);
	free(run);
}

static void end(struct md_upcall *u, int code)
{
	if (md_upcall_claim(u))
		md_upcall_done(u, code);
}

/* Forget those that have ended by their deadline. */
static void sweep(struct client *client)
{
	struct md_core *core = client->md->core;
	struct run *run, *next;

	for (run = TAILQ_FIRST(&client->runs); run; run = next) {
		bool ended;

		next = TAILQ_NEXT(run, link);
		pthread_mutex_lock(&core->lock);
		ended = run->upcall->state == MD_UPCALL_ENDED;
		pthread_mutex_unlock(&core->lock);
		if (ended)
			forget(client, run);
	}
}

/* Tell the client to run one, which is kept until it answers. */
static int begin(struct client *client, struct md_upcall *u)
{
	struct mathis_item list = { .kind = MATHIS_LIST,
				    .n = u->n,
				    .items = u->args };
	struct mathis_wire head = { .kind = MATHIS_WIRE_UPCALL,
				    .id = (uint16_t)u->func->arity,
				    .arg = u->func->slot,
				    .ticket = client->number + 1 };
	struct run *run = malloc(sizeof(*run));
	int ret = run ? mathis_pipe_send(&client->pipe, &head, &list) : -ENOMEM;

	if (ret) {
		free(run);
		end(u, ret == -ENOMEM ? MATHIS_OUT_OF_MEMORY : MATHIS_ARG_TYPE);
		md_upcall_put(u);
		return ret == -ENOMEM || ret == -EINVAL || ret == -E2BIG ? 0 :
									   ret;
	}
	server_of(client)->stats.upcalls++;
	run->number = ++client->number;
	run->upcall = u;
	TAILQ_INSERT_TAIL(&client->runs, run, link);
	client->nruns++;
	return 0;
}

/**
 * mathisd_upcall_send() - tell the client to run the next upcall
 * @client: Session whose pipe is flushed.
 * @sent: Set when there was one.
 *
 * Context: Main thread.
 * Return: 0 or a negative errno.
 */
int mathisd_upcall_send(struct client *client, bool *sent)
{
	struct md_upcall *u = md_inbox_next(client->md->inbox);

	if (!u)
		return 0;
	*sent = true;
	if (client->nruns >= MD_UPCALLS_MAX)
		sweep(client);
	return begin(client, u);
}

/**
 * mathisd_upcall_answer() - what an upcall came to
 * @client: Session.
 * @head: Head of the message.
 * @data: The value, or the error as a map; NULL: the user has no room for it.
 *
 * An answer that comes too late is dropped.
 *
 * Context: Main thread.
 * Return: 0 or a negative errno.
 */
int mathisd_upcall_answer(struct client *client, const struct mathis_wire *head,
			  const void *data)
{
	struct md_upcall *u;
	struct run *run;
	int code;
	int ret;

	TAILQ_FOREACH(run, &client->runs, link)
	{
		if (run->number == head->ticket)
			break;
	}
	if (!run)
		return 0;
	u = run->upcall;
	if (md_upcall_claim(u)) {
		ret = !data && head->size ?
			      -E2BIG :
			      mathis_wire_get(data, head->size, &u->pool,
					      &u->result);
		if (!ret)
			mathisd_drop_funcs(client, &u->result);
		code = ret == -EBADMSG	      ? MATHIS_FORMAT :
		       ret		      ? MATHIS_LIMIT :
		       head->arg != MATHIS_OK ? MATHIS_HANDLER :
						MATHIS_OK;
		if (ret)
			u->result = MATHIS_ITEM_NONE;
		md_upcall_done(u, code);
	}
	forget(client, run);
	return 0;
}

/**
 * mathisd_upcalls_end() - fail those that the client runs
 * @client: Session that ends.
 *
 * Context: Main thread.
 */
void mathisd_upcalls_end(struct client *client)
{
	struct run *run;

	while ((run = TAILQ_FIRST(&client->runs))) {
		end(run->upcall, MATHIS_HANDLER);
		forget(client, run);
	}
}
