// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rings: many requests in flight for one session, without a system call each.
 * The memory is ours, so that nobody can take it away under us.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "batchd.h"

#define ENTRIES_MIN 8
#define ENTRIES_MAX 1024

/* Bytes for one entry, each way: a request, with room to wrap around. */
#define ENTRY_BYTES 256

_Static_assert(sizeof(struct phi_batch_request) * 3 / 2 <= ENTRY_BYTES,
	       "a request fits an entry");

/* A request came, or the ring is broken. */
static int channel_take(void *arg, const void *payload, uint32_t len)
{
	struct client *client = arg;
	struct phi_batch_request wire;

	if (!payload || len > sizeof(wire)) {
		session_close(&client->base, "it broke its ring");
		return 0;
	}
	/* The client can write there at any time. */
	memcpy(&wire, payload, len);
	batchd_submit(client, &wire, len, 0);
	return 0;
}

/* Make the ring in a region of our own, mapped here. */
static int channel_make(struct client *client, uint32_t entries, uint64_t peer)
{
	int phi = client->base.daemon->phi;
	struct phi_bell bell = { .phi = phi, .fd = -1, .notify = peer };
	uint32_t bytes = entries * ENTRY_BYTES;
	size_t page = sysconf(_SC_PAGESIZE);
	size_t len = phi_ring_size(entries, bytes);
	int ret;

	len = (len + page - 1) / page * page;
	ret = phi_region_create(phi, len, 0, &client->ring_cap);
	if (ret)
		return ret;
	ret = phi_region_map(phi, client->ring_cap, PROT_READ | PROT_WRITE,
			     &client->ring_mem, &client->ring_len);
	if (ret)
		goto drop_region;
	ret = phi_ring_create(client->ring_mem, len, entries, bytes, &bell,
			      client->ring_fd, &client->ring);
	if (!ret)
		return 0;
	phi_region_unmap(client->ring_mem, client->ring_len);
drop_region:
	phi_cap_drop(phi, client->ring_cap);
	return ret;
}

/* Make the bell that the client rings. */
static int channel_bell(struct client *client)
{
	int phi = client->base.daemon->phi;
	int ret;

	client->ring_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (client->ring_fd < 0)
		return -errno;
	ret = phi_notify_create(phi, &client->ring_bell);
	if (ret)
		goto close_fd;
	ret = phi_notify_bind(phi, client->ring_bell, client->ring_fd);
	if (!ret)
		return 0;
	phi_cap_drop(phi, client->ring_bell);
close_fd:
	close(client->ring_fd);
	return ret;
}

static void channel_drop(struct client *client)
{
	int phi = client->base.daemon->phi;

	phi_ring_free(client->ring);
	client->ring = NULL;
	phi_region_unmap(client->ring_mem, client->ring_len);
	phi_cap_drop(phi, client->ring_cap);
	phi_cap_drop(phi, client->ring_bell);
	phi_cap_drop(phi, client->ring_peer);
	close(client->ring_fd);
}

/**
 * channel_open() - make a ring for a session
 * @client: Session.
 * @wire: A private copy of the request.
 * @in: The message; when this returns 0 it is answered, and the capability it
 *      carries is the ring's.
 *
 * Context: Main thread.
 * Return: 0 or the negative errno to answer.
 */
int channel_open(struct client *client, const struct phi_batch_ring *wire,
		 const struct phi_msg_in *in)
{
	struct daemon *d = client->base.daemon;
	int phi = d->phi;
	struct phi_batch_slot a = { .tag = wire->head.tag };
	struct phi_msg msg = { .data = &a, .len = sizeof(a), .ncaps = 2 };
	uint32_t entries = wire->entries;
	int ret;

	if (wire->head.flags || wire->pad || entries < ENTRIES_MIN ||
	    entries > ENTRIES_MAX || (entries & (entries - 1)))
		return -EINVAL;
	if (in->ncaps != 1 || in->caps[0].type != PHI_TYPE_NOTIFY)
		return -EINVAL;
	if (!(in->caps[0].rights & PHI_RIGHT_WRITE))
		return -EPERM;
	if (client->ring)
		return -EEXIST;
	ret = channel_bell(client);
	if (ret)
		return ret;
	ret = channel_make(client, entries, in->caps[0].cap);
	if (ret) {
		phi_cap_drop(phi, client->ring_bell);
		close(client->ring_fd);
		return ret;
	}
	client->ring_peer = in->caps[0].cap;
	ret = phi_service_ring(d->service, client->ring, channel_take, client,
			       &client->ring_source);
	if (ret) {
		/* The message's capability goes with the message. */
		client->ring_peer = 0;
		channel_drop(client);
		return ret;
	}
	msg.caps[0].cap = client->ring_cap;
	msg.caps[0].rights = PHI_RIGHT_MAP | PHI_RIGHT_READ | PHI_RIGHT_WRITE;
	msg.caps[1].cap = client->ring_bell;
	msg.caps[1].rights = PHI_RIGHT_WRITE;
	ret = phi_reply(phi, in->reply, &msg);
	if (ret && ret != -EPIPE)
		phi_cap_drop(phi, in->reply);
	/* Without an answer the ring lies idle until the session ends. */
	return 0;
}

/**
 * channel_send() - answer a request that came over the ring
 * @client: Session.
 * @a: The answer.
 *
 * A client that lets its ring fill up breaks the contract and loses the
 * session.
 *
 * Context: Any thread, without daemon.lock.
 */
void channel_send(struct client *client, const struct phi_batch_answer *a)
{
	int ret = 0;

	pthread_mutex_lock(&client->ring_lock);
	if (!client->ring_broken)
		ret = phi_ring_send(client->ring, a, sizeof(*a));
	if (ret == -EAGAIN || ret == -EPROTO || ret == -EMSGSIZE)
		client->ring_broken = true;
	pthread_mutex_unlock(&client->ring_lock);
	if (ret == -EAGAIN || ret == -EPROTO || ret == -EMSGSIZE)
		phi_source_wake(batchd_of(client)->broken);
}

/**
 * channel_reap() - end a session whose ring could not be sent on
 * @arg: Daemon.
 *
 * Handler of batchd.broken.
 *
 * Context: Main thread, which alone begins and ends sessions.
 * Return: 1 when there may be another, 0 when there is none.
 */
int channel_reap(void *arg)
{
	struct batchd *b = arg;
	struct client *client;
	bool broken;
	int i;

	for (i = 0; i < DAEMON_SESSIONS_MAX; i++) {
		client = (struct client *)b->daemon.sessions[i];
		if (!client || !client->ring)
			continue;
		pthread_mutex_lock(&client->ring_lock);
		broken = client->ring_broken;
		pthread_mutex_unlock(&client->ring_lock);
		if (!broken)
			continue;
		session_close(&client->base, "it broke its ring");
		/* The others' turn first. */
		return 1;
	}
	return 0;
}

/**
 * channel_revoke() - take the ring from its client
 * @client: Session that ends.
 *
 * Context: Main thread.
 */
void channel_revoke(struct client *client)
{
	struct daemon *d = client->base.daemon;

	if (!client->ring)
		return;
	pthread_mutex_lock(&client->ring_lock);
	client->ring_broken = true;
	pthread_mutex_unlock(&client->ring_lock);
	phi_source_free(client->ring_source);
	/*
	 * The memory is charged to us for as long as a client keeps it, so it
	 * is taken back; but who only sees us stop is spared the SIGBUS.
	 */
	if (d->stopping)
		return;
	phi_cap_revoke(d->phi, client->ring_cap);
	phi_cap_revoke(d->phi, client->ring_bell);
}

/**
 * channel_close() - free the ring
 * @client: Session whose last reference went.
 *
 * Context: Any thread.
 */
void channel_close(struct client *client)
{
	if (client->ring)
		channel_drop(client);
}
