// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sessions: who may ask, with which regions, and what goes when they go.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "batchd.h"

/* Sessions of one user at most. */
#define USER_SESSIONS 64

static struct user *user_get(struct batchd *b, uint32_t uid)
{
	struct user *user;

	LIST_FOREACH(user, &b->users, link)
	{
		if (user->uid == uid)
			break;
	}
	if (!user) {
		user = calloc(1, sizeof(*user));
		if (!user)
			return NULL;
		user->uid = uid;
		/* One user cannot keep all others out of a line. */
		user->share.limit = b->options.queue_rows / 2;
		LIST_INSERT_HEAD(&b->users, user, link);
	}
	user->sessions++;
	return user;
}

static void user_put(struct user *user)
{
	if (--user->sessions)
		return;
	LIST_REMOVE(user, link);
	free(user);
}

/* Give the session a place and a payer; under the lock. */
static int client_seat(struct batchd *b, struct client *client, uint32_t uid)
{
	uint32_t i;

	for (i = 0; i < BATCHD_CLIENTS_MAX && b->clients[i]; i++)
		;
	if (i == BATCHD_CLIENTS_MAX)
		return -ENOSPC;
	client->user = user_get(b, uid);
	if (!client->user)
		return -ENOMEM;
	if (client->user->sessions > USER_SESSIONS) {
		user_put(client->user);
		return -EDQUOT;
	}
	client->index = i;
	/* The place is in the low bits, so that a badge finds it. */
	client->badge = ++b->next_badge * BATCHD_CLIENTS_MAX + i;
	b->clients[i] = client;
	b->sessions++;
	return 0;
}

static void client_unseat(struct batchd *b, struct client *client)
{
	b->clients[client->index] = NULL;
	b->sessions--;
}

/* The client's own endpoint died, or was taken from us: it is gone. */
static int client_died(void *arg, uint32_t events)
{
	struct client *client = arg;

	if (events & (POLLHUP | POLLERR))
		client_close(client->b, client, NULL);
	return 0;
}

/**
 * client_open() - begin a session
 * @b: Daemon.
 * @in: The message that asks for it; its capability becomes the session's.
 * @model: What it wants to talk to.
 * @out: Out, the session.
 *
 * Context: Main thread.
 * Return: 0; -EINVAL without an ENDPOINT of its own; -ENOSPC; -EDQUOT; or
 * another negative errno.
 */
int client_open(struct batchd *b, const struct phi_msg_in *in,
		struct model *model, struct client **out)
{
	struct client *client;
	int ret;

	if (in->ncaps != 1 || in->caps[0].type != PHI_TYPE_ENDPOINT ||
	    !(in->caps[0].rights & PHI_RIGHT_SEND))
		return -EINVAL;
	client = calloc(1, sizeof(*client));
	if (!client)
		return -ENOMEM;
	client->b = b;
	client->refs = 1;
	client->pid = in->pid;
	client->life = in->caps[0].cap;
	client->model = model;
	client->credit.limit = b->options.credits;
	pthread_mutex_init(&client->ring_lock, NULL);

	client->life_fd = phi_endpoint_fd(b->phi, client->life);
	if (client->life_fd < 0) {
		ret = client->life_fd;
		free(client);
		return ret;
	}
	pthread_mutex_lock(&b->lock);
	ret = client_seat(b, client, in->uid);
	pthread_mutex_unlock(&b->lock);
	if (ret)
		goto close_life;
	/* With ADMIN, so that the end of the session takes it back. */
	ret = phi_cap_derive(b->phi, b->endpoint,
			     PHI_RIGHT_SEND | PHI_RIGHT_ADMIN | PHI_RIGHT_GRANT,
			     0, client->badge, &client->session);
	if (ret)
		goto unseat;
	/* Its death is told unasked. */
	ret = phi_service_fd(b->service, client->life_fd, 0, client_died,
			     client, &client->life_source);
	if (ret)
		goto drop_session;
	*out = client;
	return 0;
drop_session:
	phi_cap_drop(b->phi, client->session);
unseat:
	pthread_mutex_lock(&b->lock);
	client_unseat(b, client);
	user_put(client->user);
	pthread_mutex_unlock(&b->lock);
close_life:
	close(client->life_fd);
	free(client);
	return ret;
}

/**
 * client_find() - whose message is it?
 * @b: Daemon.
 * @badge: Badge of the message.
 *
 * Context: Main thread, which alone begins and ends sessions.
 * Return: The session, or NULL when it ended.
 */
struct client *client_find(struct batchd *b, uint64_t badge)
{
	struct client *client = b->clients[badge % BATCHD_CLIENTS_MAX];

	return client && client->badge == badge ? client : NULL;
}

/* Unmap a slot that nobody uses. Its fields were copied out of the lock. */
static void slot_unmap(struct batchd *b, const struct slot *slot)
{
	struct phi_batch_slot reply = { .tag = slot->tag };

	phi_region_unmap(slot->addr, slot->len);
	phi_cap_drop(b->phi, slot->cap);
	if (slot->reply)
		answer(b, slot->reply, &reply, sizeof(reply));
}

/* Empty the slot if it is to go and can; under the lock. */
static bool slot_take(struct slot *slot, struct slot *old)
{
	if (!slot->cap || !slot->forget || slot->uses)
		return false;
	*old = *slot;
	memset(slot, 0, sizeof(*slot));
	return true;
}

/**
 * slot_put() - a request needs a region no more
 * @b: Daemon.
 * @slot: Of a client that the caller holds.
 *
 * Context: Any thread, without the lock.
 */
void slot_put(struct batchd *b, struct slot *slot)
{
	struct slot old;
	bool gone;

	pthread_mutex_lock(&b->lock);
	slot->uses--;
	gone = slot_take(slot, &old);
	pthread_mutex_unlock(&b->lock);
	if (gone)
		slot_unmap(b, &old);
}

/**
 * client_slot() - look a slot up
 * @client: Session.
 * @index: From the wire.
 *
 * Context: Under the lock.
 * Return: The slot, or NULL when there is no region in it.
 */
struct slot *client_slot(struct client *client, uint32_t index)
{
	struct slot *slot;

	if (index >= PHI_BATCH_SLOTS)
		return NULL;
	slot = &client->slots[index];
	return slot->cap && !slot->forget ? slot : NULL;
}

/**
 * client_map() - take a region into a slot
 * @b: Daemon.
 * @client: Session.
 * @cap: What came; it is the slot's when this returns 0.
 * @index: Out, which slot.
 *
 * Context: Main thread.
 * Return: 0; -EINVAL when it is no region; -EPERM when it cannot be mapped
 * and read; -ENOSPC; or what mapping it fails with.
 */
int client_map(struct batchd *b, struct client *client,
	       const struct phi_xferred *cap, uint32_t *index)
{
	struct slot new = { .cap = cap->cap };
	int prot = PROT_READ;
	uint32_t i;
	int ret;

	if (cap->type != PHI_TYPE_MEMORY)
		return -EINVAL;
	if (!(cap->rights & PHI_RIGHT_READ) || !(cap->rights & PHI_RIGHT_MAP))
		return -EPERM;
	new.rights = cap->rights;
	new.rights &= PHI_RIGHT_READ | PHI_RIGHT_WRITE;
	if (new.rights & PHI_RIGHT_WRITE)
		prot |= PROT_WRITE;
	/* Only this thread fills slots, so a free one stays free. */
	pthread_mutex_lock(&b->lock);
	for (i = 0; i < PHI_BATCH_SLOTS && client->slots[i].cap; i++)
		;
	pthread_mutex_unlock(&b->lock);
	if (i == PHI_BATCH_SLOTS)
		return -ENOSPC;
	ret = phi_region_map(b->phi, cap->cap, prot, &new.addr, &new.len);
	if (ret)
		return ret;
	pthread_mutex_lock(&b->lock);
	client->slots[i] = new;
	pthread_mutex_unlock(&b->lock);
	*index = i;
	return 0;
}

/**
 * client_forget() - give a region back once no request needs it
 * @b: Daemon.
 * @client: Session.
 * @index: Which slot.
 * @reply: Whom to tell then, 0 = nobody; taken when this returns 0.
 * @tag: What to tell.
 *
 * Context: Main thread.
 * Return: 0 or -EBADF.
 */
int client_forget(struct batchd *b, struct client *client, uint32_t index,
		  uint64_t reply, uint64_t tag)
{
	struct slot *slot, old;
	bool gone = false;

	pthread_mutex_lock(&b->lock);
	slot = client_slot(client, index);
	if (slot) {
		slot->forget = true;
		slot->reply = reply;
		slot->tag = tag;
		gone = slot_take(slot, &old);
	}
	pthread_mutex_unlock(&b->lock);
	if (!slot)
		return -EBADF;
	if (gone)
		slot_unmap(b, &old);
	return 0;
}

/**
 * client_close() - end a session
 * @b: Daemon.
 * @client: Session.
 * @fault: What rule it broke, or NULL.
 *
 * What of it waits is taken out; what runs ends by itself, and frees the
 * rest.
 *
 * Context: Main thread.
 */
void client_close(struct batchd *b, struct client *client, const char *fault)
{
	uint32_t i;

	if (fault || b->options.verbose)
		say("session %llu of pid %u ends%s%s",
		    (unsigned long long)client->badge, client->pid,
		    fault ? ": " : "", fault ? fault : "");
	pthread_mutex_lock(&b->lock);
	client->dead = true;
	client_unseat(b, client);
	pthread_mutex_unlock(&b->lock);
	/* At the end of all it dies with the endpoint: EPIPE, not a revoke. */
	if (!b->stopping)
		phi_cap_revoke(b->phi, client->session);
	phi_cap_drop(b->phi, client->session);
	phi_source_free(client->life_source);
	close(client->life_fd);
	phi_cap_drop(b->phi, client->life);
	channel_revoke(b, client);
	request_cancel_all(b, client);
	for (i = 0; i < PHI_BATCH_SLOTS; i++)
		client_forget(b, client, i, 0, 0);
	client_put(b, client);
}

/**
 * client_put() - drop a reference to a session
 * @b: Daemon.
 * @client: Session.
 *
 * Context: Any thread, without the lock.
 */
void client_put(struct batchd *b, struct client *client)
{
	bool last;

	pthread_mutex_lock(&b->lock);
	last = !--client->refs;
	if (last)
		user_put(client->user);
	pthread_mutex_unlock(&b->lock);
	if (!last)
		return;
	channel_close(b, client);
	pthread_mutex_destroy(&client->ring_lock);
	free(client);
}
