/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The messages between clients and mathisd.
 *
 * A client calls ATTACH on the endpoint that mathisd publishes and gives an
 * ENDPOINT of its own: when that dies so does the session. It gets an ENDPOINT
 * whose badge is the session. SESSION on that gives mathisd a capability by which
 * the kernel's policies see the client's calls as its own, and RING gets a ring
 * in memory that mathisd made. All else goes over the ring, as messages that begin with
 * a struct mathis_wire. Behind it stands a value in CBOR, or its first bytes:
 * messages of kind PART have the rest, and no other message of that side stands
 * between them.
 *
 * Numbers are as the host lays them out; padding is 0. A client that
 * breaks a rule loses the session.
 */
#ifndef MATHIS_WIRE_H
#define MATHIS_WIRE_H

#include <mathis/item.h>

struct mathis_buf;

#define MATHIS_WIRE_VERSION 1

/* Bytes of a value: arguments, or a result. */
#define MATHIS_WIRE_MAX (64U << 20)

/* Bytes of a value that a message has at least, unless it has the last of them. */
#define MATHIS_WIRE_PART_MIN 512

/* Sizes of a ring, each way. */
#define MATHIS_WIRE_ENTRIES_MIN 8
#define MATHIS_WIRE_ENTRIES_MAX 4096
#define MATHIS_WIRE_BYTES_MIN 4096
#define MATHIS_WIRE_BYTES_MAX (1U << 20)

/* Requests by phi_call(). */
enum mathis_wire_op {
	MATHIS_OP_ATTACH = 1,
	MATHIS_OP_RING = 2,
	MATHIS_OP_SESSION = 3,
};

/**
 * struct mathis_wire_open - a request
 * @op: Of enum mathis_wire_op.
 * @flags: Must be 0.
 * @tag: Comes back with the answer.
 * @version: MATHIS_WIRE_VERSION, else -EPROTONOSUPPORT.
 * @entries: RING: messages in flight each way, a power of two; ATTACH: 0.
 * @bytes: RING: room for their bytes each way, a power of two; ATTACH: 0.
 * @pad: Must be 0.
 *
 * ATTACH comes with one ENDPOINT with SEND, SESSION with one SESSION with EXEC,
 * RING, which needs SESSION first, else -EPERM, with one NOTIFY with WRITE, which
 * mathisd signals.
 */
struct mathis_wire_open {
	uint32_t op;
	uint32_t flags;
	uint64_t tag;
	uint32_t version;
	uint32_t entries;
	uint32_t bytes;
	uint32_t pad;
};

/**
 * struct mathis_wire_opened - the answer
 * @status: 0 or a negative errno.
 * @calls: Calls that the session may have under way.
 * @tag: Of the request.
 *
 * ATTACH gives the ENDPOINT of the session; SESSION nothing; RING a MEMORY capability and the
 * NOTIFY that the client signals.
 */
struct mathis_wire_opened {
	int32_t status;
	uint32_t calls;
	uint64_t tag;
};

enum mathis_wire_kind {
	MATHIS_WIRE_PART = 1, /* more of a value */
	/* To mathisd. */
	MATHIS_WIRE_CALL = 2, /* a list of arguments */
	MATHIS_WIRE_CANCEL = 3, /* end the call of a ticket */
	MATHIS_WIRE_ANSWER = 4, /* what an upcall came to */
	MATHIS_WIRE_NARROW = 5, /* a text RIGHT[=PARAMETER,...]: deny it */
	MATHIS_WIRE_ENDED = 6, /* a task of the program ended */
	MATHIS_WIRE_MOVED =
		7, /* a task goes on as another: its number in @ticket */
	/* To the client. */
	MATHIS_WIRE_DONE = 16, /* the result, or the error as a map */
	MATHIS_WIRE_UPCALL = 17, /* a list of values for a function */
	MATHIS_WIRE_DROP = 18, /* no one has a function any more */
};

/**
 * struct mathis_wire - the head of a message
 * @kind: Of enum mathis_wire_kind.
 * @pad: Must be 0.
 * @id: CALL: number of the call; UPCALL: values of the function.
 * @arg: CALL: milliseconds that it may take, 0: as many as the session allows;
 *	DONE, ANSWER: of enum mathis_code; UPCALL, DROP: slot of the function.
 * @ticket: Names a call, until its DONE; names an upcall, until its ANSWER.
 * @task: CALL, ENDED, MOVED: the task of the program; 0: none.
 * @size: Bytes of the value, in this message and those that follow.
 * @pad2: Must be 0.
 */
struct mathis_wire {
	uint8_t kind;
	uint8_t pad;
	uint16_t id;
	uint32_t arg;
	uint64_t ticket;
	uint64_t task;
	uint32_t size;
	uint32_t pad2;
};

/**
 * mathis_wire_put() - write a value
 * @buf: Where to; buf.bad reports a lack of memory.
 * @item: The value.
 *
 * Return: 0; -EINVAL for what has a meaning inside of a machine alone; -E2BIG
 * for more than 64 levels, or more bytes than MATHIS_WIRE_MAX.
 */
int mathis_wire_put(struct mathis_buf *buf, const struct mathis_item *item);

/**
 * mathis_wire_get() - read a value that nobody has checked
 * @data: Its bytes, which do not change meanwhile.
 * @size: Their count.
 * @pool: Where the value goes, its texts too.
 * @item: Out, the value.
 *
 * Return: 0; -EBADMSG for anything but one whole value; -E2BIG for more than 64
 * levels; -ENOMEM, also where the pool may not grow.
 */
int mathis_wire_get(const void *data, size_t size, struct mathis_pool *pool,
		    struct mathis_item *item);

/**
 * mathis_wire_funcs() - find the functions in a value that cannot be read whole
 * @data: Its bytes.
 * @size: Their count.
 * @found: Hears of the slot of each, up to the end or what is no value.
 * @arg: For @found.
 */
void mathis_wire_funcs(const void *data, size_t size,
		       void (*found)(void *arg, uint32_t slot), void *arg);

#endif
