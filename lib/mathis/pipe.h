/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Messages of wire.h over one side of a ring, in parts where they are long.
 * Needs libphi. One thread at a time.
 */
#ifndef MATHIS_PIPE_H
#define MATHIS_PIPE_H

#include <mathis/buf.h>
#include <mathis/wire.h>
#include <stdbool.h>

struct phi_ring;

/**
 * struct mathis_pipe - a side of a ring
 * @ring: The side; it stays the caller's.
 * @part: Bytes of a message at most.
 * @out: The value that is being sent.
 * @out_at: How much of it was.
 * @head: The head of its next message.
 * @sending: There is one.
 * @in: The value that is being received.
 * @in_head: Its head.
 * @receiving: There is one.
 */
struct mathis_pipe {
	struct phi_ring *ring;
	uint32_t part;
	struct mathis_buf out;
	size_t out_at;
	struct mathis_wire head;
	bool sending;
	struct mathis_buf in;
	struct mathis_wire in_head;
	bool receiving;
};

/* @bytes: of the ring, each way. */
void mathis_pipe_init(struct mathis_pipe *p, struct phi_ring *ring,
		      uint32_t bytes);
void mathis_pipe_fini(struct mathis_pipe *p);

/**
 * mathis_pipe_send() - send a message, now or by mathis_pipe_flush()
 * @p: A pipe on which mathis_pipe_flush() has returned 0.
 * @head: Its head; the size is filled in.
 * @item: Its value, or NULL.
 *
 * Return: 0, also where only a part was sent; -EINVAL, -E2BIG or -ENOMEM, and
 * nothing was; or another negative errno of a ring that is broken.
 */
int mathis_pipe_send(struct mathis_pipe *p, const struct mathis_wire *head,
		     const struct mathis_item *item);

/**
 * mathis_pipe_flush() - send what is left of a message
 * @p: A pipe.
 *
 * Return: 0 when nothing is left; -EAGAIN without room; -EPROTO.
 */
int mathis_pipe_flush(struct mathis_pipe *p);

/**
 * mathis_pipe_recv() - take a message
 * @p: A pipe.
 * @head: Out, its head, in which the size is right, and nothing else was looked
 *	at but the padding.
 * @data: Out, the bytes of its value, until the next call.
 *
 * Return: 0; -EAGAIN when there is none yet; -EPROTO when the other side broke
 * a rule; -ENOMEM.
 */
int mathis_pipe_recv(struct mathis_pipe *p, struct mathis_wire *head,
		     const void **data);

#endif
