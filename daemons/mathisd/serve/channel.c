// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rings: made in memory of the daemon, so that nobody can take it away under it.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "serve_impl.h"

/* The client rang. */
static int rang(void *arg, uint32_t events)
{
	struct client *client = arg;

	(void)events;
	phi_ring_quiet(client->ring);
	mathisd_ready(client);
	return 0;
}

/* Make the ring in a region, mapped here. */
static int make(struct client *client, uint32_t entries, uint32_t bytes,
		uint64_t peer)
{
	int phi = client->base.daemon->phi;
	struct phi_bell bell = { .phi = phi, .fd = -1, .notify = peer };
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
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
static int make_bell(struct client *client)
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

/**
 * mathisd_channel_serve() - serve the ring of a session
 * @client: Session that has a ring and its bell's file.
 * @bytes: Room of the ring, each way.
 *
 * Context: Main thread.
 * Return: 0; -EDQUOT when the sessions of the user have too much memory; another
 * negative errno.
 */
int mathisd_channel_serve(struct client *client, uint32_t bytes)
{
	int ret;

	if (!md_share_take(client->md->owner, client->ring_len))
		return -EDQUOT;
	ret = phi_service_fd(client->base.daemon->service, client->ring_fd,
			     POLLIN, rang, client, &client->ring_source);
	if (ret) {
		md_share_give(client->md->owner, client->ring_len);
		return ret;
	}
	client->held = client->ring_len;
	mathis_pipe_init(&client->pipe, client->ring, bytes);
	/* Its first turn arms the bell. */
	mathisd_ready(client);
	return 0;
}

/**
 * mathisd_channel_charge() - charge the user with what its messages have now
 * @client: Session with a ring.
 *
 * Context: Main thread.
 */
void mathisd_channel_charge(struct client *client)
{
	uint64_t held = client->ring_len + mathis_pipe_bytes(&client->pipe);

	if (held == client->held)
		return;
	md_share_add(client->md->owner, held);
	md_share_give(client->md->owner, client->held);
	client->held = held;
}

static int check_size(uint32_t n, uint32_t min, uint32_t max)
{
	return n < min || n > max || (n & (n - 1)) ? -EINVAL : 0;
}

static int check(const struct client *client,
		 const struct mathis_wire_open *wire,
		 const struct phi_msg_in *in)
{
	if (wire->flags || wire->pad || wire->version != MATHIS_WIRE_VERSION ||
	    check_size(wire->entries, MATHIS_WIRE_ENTRIES_MIN,
		       MATHIS_WIRE_ENTRIES_MAX) ||
	    check_size(wire->bytes, MATHIS_WIRE_BYTES_MIN,
		       MATHIS_WIRE_BYTES_MAX))
		return -EINVAL;
	if (in->ncaps != 1 || in->caps[0].type != PHI_TYPE_NOTIFY)
		return -EINVAL;
	if (!(in->caps[0].rights & PHI_RIGHT_WRITE))
		return -EPERM;
	if (!client->check)
		return -EPERM;
	return client->ring ? -EEXIST : 0;
}

/**
 * mathisd_channel_open() - make a ring for a session
 * @client: Session.
 * @wire: A private copy of the request.
 * @in: The message; when this returns 0 it is answered, and the capability that
 *	came with it is the ring's.
 *
 * Context: Main thread.
 * Return: 0 or the negative errno to answer.
 */
int mathisd_channel_open(struct client *client,
			 const struct mathis_wire_open *wire,
			 const struct phi_msg_in *in)
{
	struct daemon *d = client->base.daemon;
	struct mathis_wire_opened a = { .tag = wire->tag,
					.calls = MD_CALLS_MAX };
	struct phi_msg msg = { .data = &a, .len = sizeof(a), .ncaps = 2 };
	int ret = check(client, wire, in);

	if (ret)
		return ret;
	ret = make_bell(client);
	if (ret)
		return ret;
	ret = make(client, wire->entries, wire->bytes, in->caps[0].cap);
	if (ret)
		goto drop_bell;
	ret = mathisd_channel_serve(client, wire->bytes);
	if (ret)
		goto drop_ring;
	client->ring_peer = in->caps[0].cap;
	msg.caps[0].cap = client->ring_cap;
	msg.caps[0].rights = PHI_RIGHT_MAP | PHI_RIGHT_READ | PHI_RIGHT_WRITE;
	msg.caps[1].cap = client->ring_bell;
	msg.caps[1].rights = PHI_RIGHT_WRITE;
	/* Without an answer the ring lies idle until the session ends. */
	call_send(d, in->reply, &msg);
	return 0;
drop_ring:
	phi_ring_free(client->ring);
	client->ring = NULL;
	phi_region_unmap(client->ring_mem, client->ring_len);
	phi_cap_drop(d->phi, client->ring_cap);
drop_bell:
	phi_cap_drop(d->phi, client->ring_bell);
	close(client->ring_fd);
	return ret;
}

/**
 * mathisd_channel_revoke() - take the ring from its client
 * @client: Session that ends.
 *
 * Context: Main thread.
 */
void mathisd_channel_revoke(struct client *client)
{
	struct daemon *d = client->base.daemon;

	if (!client->ring)
		return;
	phi_source_free(client->ring_source);
	/*
	 * The memory is charged to the daemon for as long as a client keeps it,
	 * so it is taken back; but a client that sees the daemon stop is spared
	 * the SIGBUS.
	 */
	if (d->stopping)
		return;
	phi_cap_revoke(d->phi, client->ring_cap);
	phi_cap_revoke(d->phi, client->ring_bell);
}

/**
 * mathisd_channel_close() - free the ring
 * @client: Session whose last reference went.
 *
 * Context: Any thread.
 */
void mathisd_channel_close(struct client *client)
{
	int phi = client->base.daemon->phi;

	mathis_pipe_fini(&client->pipe);
	if (!client->ring)
		return;
	phi_ring_free(client->ring);
	phi_region_unmap(client->ring_mem, client->ring_len);
	phi_cap_drop(phi, client->ring_cap);
	phi_cap_drop(phi, client->ring_bell);
	phi_cap_drop(phi, client->ring_peer);
	close(client->ring_fd);
}
