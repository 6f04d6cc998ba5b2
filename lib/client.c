// SPDX-License-Identifier: LGPL-2.1-or-later
/* State that a service keeps for each client, by badge. */
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "internal.h"
#include "service_impl.h"

struct client {
	struct client *next;
	struct phi_service *s;
	struct phi_source *life;
	uint64_t badge;
	void (*gone)(void *state);
	void *state;
};

static struct client **bucket(struct phi_service *s, uint64_t badge)
{
	/* Badges count up, so they spread by themselves. */
	return &s->clients[badge & (s->client_slots - 1)];
}

static struct client **find(struct phi_service *s, uint64_t badge)
{
	struct client **at;

	if (!s->client_slots)
		return NULL;
	at = bucket(s, badge);
	while (*at && (*at)->badge != badge)
		at = &(*at)->next;
	return *at ? at : NULL;
}

static int grow(struct phi_service *s)
{
	size_t slots = s->client_slots ? 2 * s->client_slots : 64;
	struct client **old = s->clients;
	size_t old_slots = s->client_slots;
	struct client **table;

	if (s->client_count < s->client_slots)
		return 0;
	table = calloc(slots, sizeof(*table));
	if (!table)
		return -ENOMEM;
	s->clients = table;
	s->client_slots = slots;
	for (size_t i = 0; i < old_slots; i++) {
		while (old[i]) {
			struct client *c = old[i];
			struct client **at = bucket(s, c->badge);

			old[i] = c->next;
			c->next = *at;
			*at = c;
		}
	}
	free(old);
	return 0;
}

static int on_life(void *arg, uint32_t events)
{
	struct client *c = arg;

	if (events & (POLLHUP | POLLERR))
		phi_service_part(c->s, c->badge);
	return 0;
}

int phi_service_client(struct phi_service *s, int life_fd,
		       void (*gone)(void *state), void *state, uint64_t *badge)
{
	struct client *c;
	int ret;

	ret = grow(s);
	if (ret)
		return ret;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	ret = phi_service_fd(s, life_fd, 0, on_life, c, &c->life);
	if (ret) {
		free(c);
		return ret;
	}
	c->life->own_fd = true;
	c->s = s;
	c->badge = ++s->last_badge;
	c->gone = gone;
	c->state = state;
	c->next = *bucket(s, c->badge);
	*bucket(s, c->badge) = c;
	s->client_count++;
	*badge = c->badge;
	return 0;
}

void *phi_service_find(struct phi_service *s, uint64_t badge)
{
	struct client **at = find(s, badge);

	return at ? (*at)->state : NULL;
}

void phi_service_part(struct phi_service *s, uint64_t badge)
{
	struct client **at = find(s, badge);
	struct client *c;

	if (!at)
		return;
	c = *at;
	*at = c->next;
	s->client_count--;
	phi_source_free(c->life);
	if (c->gone)
		c->gone(c->state);
	free(c);
}

void phi_service_clients_free(struct phi_service *s)
{
	for (size_t i = 0; i < s->client_slots; i++) {
		while (s->clients[i])
			phi_service_part(s, s->clients[i]->badge);
	}
	free(s->clients);
	s->clients = NULL;
	s->client_slots = 0;
}
