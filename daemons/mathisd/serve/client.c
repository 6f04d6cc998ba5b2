// SPDX-License-Identifier: GPL-2.0-only
/* Sessions: what they get when they begin, and give back when they end. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "serve_impl.h"

static void wake(struct md_session *md)
{
	mathisd_news(md->arg);
}

static void wake_inbox(struct md_inbox *inbox)
{
	mathisd_news(inbox->arg);
}

/**
 * mathisd_client_init() - prepare a session
 * @client: Session that has its user.
 *
 * Context: Main thread.
 * Return: 0; -ENOMEM; -EMFILE.
 */
int mathisd_client_init(struct client *client)
{
	struct server *s = server_of(client);
	int ret;

	TAILQ_INIT(&client->done);
	TAILQ_INIT(&client->runs);
	if (!user_of(client)->ready.tqh_last)
		TAILQ_INIT(&user_of(client)->ready);
	client->md = md_session_new(s->core);
	if (!client->md)
		return -ENOMEM;
	ret = mathisd_manifest_apply(&s->manifests, client->base.uid,
				     client->md);
	if (ret) {
		md_session_end(client->md);
		client->md = NULL;
		return ret;
	}
	if (user_of(client)->owner)
		md_session_share(client->md, user_of(client)->owner);
	user_of(client)->owner = client->md->owner;
	user_of(client)->clients++;
	/* A handle of another session is none of this one. */
	if (getrandom(&client->md->handles.seed,
		      sizeof(client->md->handles.seed), 0) < 0)
		return -errno;
	s->stats.sessions++;
	client->md->arg = client;
	client->md->wake = wake;
	client->md->inbox->arg = client;
	client->md->inbox->wake = wake_inbox;
	return 0;
}

/**
 * mathisd_client_ended() - end what a session has under way
 * @client: Session that ends.
 *
 * Context: Main thread.
 */
void mathisd_client_ended(struct client *client)
{
	struct md_call *c;

	mathisd_channel_revoke(client);
	if (client->check)
		phi_cap_drop(client->base.daemon->phi, client->check);
	if (client->md) {
		mathisd_upcalls_end(client);
		while ((c = TAILQ_FIRST(&client->done))) {
			TAILQ_REMOVE(&client->done, c, wait);
			md_call_put(c);
		}
		md_share_give(client->md->owner, client->held);
		if (!--user_of(client)->clients)
			user_of(client)->owner = NULL;
		md_session_end(client->md);
	}
	mathisd_forget(client);
	mathis_buf_fini(&client->drops);
}
