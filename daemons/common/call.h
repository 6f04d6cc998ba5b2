/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef COMMON_CALL_H
#define COMMON_CALL_H

#include <phi/phi.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "user.h"

struct daemon;
struct session;

/**
 * struct op - one row of a daemon's call table
 * @request: Length of a message of this call; the message begins with a
 *           struct wire_head.
 * @reply: Length of its answer.
 * @attach: Begins a session: made through what the daemon publishes, and by
 *          no session.
 * @writes: A session that is read-only may not make it.
 * @takes: One capability comes with it.
 * @now: Serves it in the main thread, answers it, and returns whether it took
 *       the capability that came; NULL = a worker serves it.
 *
 * A daemon whose rows have more has a struct that begins with this one.
 */
struct op {
	uint32_t request;
	uint32_t reply;
	bool attach;
	bool writes;
	bool takes;
	bool (*now)(struct session *session, const struct phi_msg_in *in);
};

/**
 * struct wire_head - how each message to a daemon begins
 * @op: Number of the call.
 * @flags: Of the call.
 * @tag: Comes back with the answer.
 */
struct wire_head {
	uint32_t op;
	uint32_t flags;
	uint64_t tag;
};

/**
 * struct call - one request under way
 * @link: In user.waiting, or in the list of those that it is parked with.
 * @session: Session that made it; holds a reference.
 * @op: Its row of the call table.
 * @reply: REPLY handle.
 * @cap: Capability that came with it, 0 = none; dropped with the call.
 * @type: Type of @cap.
 * @rights: Rights of @cap.
 *
 * A daemon with workers has a struct that begins with this one, see
 * daemon_kind.call_size.
 */
struct call {
	TAILQ_ENTRY(call) link;
	struct session *session;
	const struct op *op;
	uint64_t reply;
	uint64_t cap;
	uint32_t type;
	uint32_t rights;
};

void dispatch(struct daemon *d, const struct phi_msg_in *in);
int call_send(struct daemon *d, uint64_t reply, const struct phi_msg *msg);
void call_reply(struct daemon *d, uint64_t reply, const void *data, size_t len);
void call_free(struct call *c);
void call_requeue(struct call *c);
void call_unqueue(struct call *c);
struct call *call_next(struct daemon *d);
void call_ran(struct session *session, uint64_t ns);

#endif /* COMMON_CALL_H */
