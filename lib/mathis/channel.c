// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Channels: values go from task to task, in order; a full one lets senders
 * wait, an empty one receivers.
 */
#include "machine.h"

#define ROOM_MAX 65536

/* chan_new: a channel with room for so many values. */
int mathis_make_channel(struct mathis_machine *m, struct mathis_value room,
			struct mathis_value *v)
{
	struct mathis_channel *c;

	if (room.kind != KIND_INT)
		return mathis_type_error(m, "the room of a channel", room);
	if (room.i < 1 || room.i > ROOM_MAX)
		return mathis_throw(m, MATHIS_ARG_RANGE,
				    "a channel has room for 1 to %d values",
				    ROOM_MAX);
	c = mathis_alloc(m, sizeof(*c), KIND_CHANNEL);
	if (!c)
		return RUN_THROWS;
	*v = mathis_ref(KIND_CHANNEL, c);
	mathis_pin(m, *v);
	c->items = mathis_resize(m, NULL, 0, room.i * sizeof(*c->items));
	m->n_pins--;
	c->room = c->items ? room.i : 0;
	return c->items ? 0 : RUN_THROWS;
}

/* chan_close: no more values come; those that are in it stay. */
int mathis_close_channel(struct mathis_machine *m, struct mathis_value v)
{
	struct mathis_channel *c = (struct mathis_channel *)v.o;

	if (v.kind != KIND_CHANNEL)
		return mathis_type_error(m, "a channel", v);
	c->closed = true;
	mathis_wake(m, &c->waiters);
	return 0;
}

static struct mathis_value take(struct mathis_machine *m,
				struct mathis_channel *c)
{
	struct mathis_value v = c->items[c->first];

	c->first = (c->first + 1) % c->room;
	c->n--;
	mathis_wake(m, &c->waiters);
	return v;
}

static int is_closed(struct mathis_machine *m)
{
	return mathis_throw(m, MATHIS_CLOSED, "the channel is closed");
}

int op_send(struct mathis_machine *m, const uint8_t *arg)
{
	struct mathis_value v = TOP(1);
	struct mathis_channel *c = (struct mathis_channel *)v.o;

	(void)arg;
	if (v.kind != KIND_CHANNEL)
		return mathis_type_error(m, "a channel", v);
	if (c->closed)
		return is_closed(m);
	if (c->n == c->room)
		return mathis_park(m, (struct mathis_wait * *[]){ &c->waiters },
				   1);
	c->items[(c->first + c->n++) % c->room] = TOP(0);
	m->task->sp -= 2;
	mathis_wake(m, &c->waiters);
	return 0;
}

int op_recv(struct mathis_machine *m, const uint8_t *arg)
{
	struct mathis_value v = TOP(0);
	struct mathis_channel *c = (struct mathis_channel *)v.o;

	(void)arg;
	if (v.kind != KIND_CHANNEL)
		return mathis_type_error(m, "a channel", v);
	if (c->n)
		return mathis_replace(m, 1, take(m, c));
	if (c->closed)
		return is_closed(m);
	return mathis_park(m, (struct mathis_wait * *[]){ &c->waiters }, 1);
}

/* The first channel that has a value; closed ones are passed over. */
int op_select(struct mathis_machine *m, const uint8_t *arg)
{
	struct mathis_wait **lists[UINT8_MAX];
	unsigned int open = 0;
	unsigned int n = *arg;

	for (unsigned int i = 0; i < n; i++) {
		struct mathis_value v = TOP(n - 1 - i);
		struct mathis_channel *c = (struct mathis_channel *)v.o;

		if (v.kind != KIND_CHANNEL)
			return mathis_type_error(m, "a channel", v);
		if (c->n) {
			v = take(m, c);
			mathis_replace(m, n, MATHIS_V(KIND_INT, i));
			m->task->stack[m->task->sp++] = v;
			return 0;
		}
		if (!c->closed)
			lists[open++] = &c->waiters;
	}
	return open ? mathis_park(m, lists, open) : is_closed(m);
}
