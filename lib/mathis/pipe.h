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
 * @in_at: How many bytes of it came.
 * @receiving: There is one.
 * @skipping: It is longer than @most was when it began, and is dropped.
 * @most: Bytes that a value may have; the owner of the pipe may change it.
 * @left: The rest of the budget.
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
	size_t in_at;
	bool receiving;
	bool skipping;
	uint64_t most;
	uint64_t left;
};

/* @bytes: of the ring, each way. */
void mathis_pipe_init(struct mathis_pipe *p, struct phi_ring *ring,
		      uint32_t bytes);
void mathis_pipe_fini(struct mathis_pipe *p);

/**
 * mathis_pipe_budget() - say how much may move until this is called again
 * @p: A pipe; at first there is no limit.
 * @bytes: Both ways together. A message costs 4096 at least, and one may exceed
 *	what is left.
 */
void mathis_pipe_budget(struct mathis_pipe *p, uint64_t bytes);

/* Bytes of memory that values have which are under way, or are yet to come. */
size_t mathis_pipe_bytes(const struct mathis_pipe *p);

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
 * Return: 0 when nothing is left; -EAGAIN without room; -EINPROGRESS when
 * the budget is spent; -EPROTO.
 */
int mathis_pipe_flush(struct mathis_pipe *p);

/**
 * mathis_pipe_recv() - take a message
 * @p: A pipe.
 * @head: Out, its head, in which the size is right, and nothing else was looked
 *	at but the padding.
 * @data: Out, the bytes of its value, until the next call; NULL when it had more
 *	than p->most.
 *
 * Return: 0; -EAGAIN when there is none yet; -EINPROGRESS when the budget is
 * spent, perhaps in the middle of one; -EPROTO when the other side broke
 * a rule; -ENOMEM.
 */
int mathis_pipe_recv(struct mathis_pipe *p, struct mathis_wire *head,
		     const void **data);

#endif
