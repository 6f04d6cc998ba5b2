/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A session with mathisd, for programs in another process. Needs libphi. One
 * thread at a time.
 */
#ifndef MATHIS_CLIENT_H
#define MATHIS_CLIENT_H

#include <mathis/item.h>
#include <stdbool.h>

/* The token that mathisd publishes when its unit starts it. */
#define MATHIS_TOKEN "/run/mathisd/mathisd.token"

struct mathis_client;

/**
 * struct mathis_client_size - how large a session's ring is, each way
 * @entries: Messages in flight, a power of two from 8 to 4096; 0: 256.
 * @bytes: Room for their bytes, a power of two from 4096 to 1 MiB; 0: 256 KiB.
 */
struct mathis_client_size {
	uint32_t entries;
	uint32_t bytes;
};

enum mathis_reply_kind {
	MATHIS_REPLY_DONE, /* a call ended */
	MATHIS_REPLY_UPCALL, /* a function is to be run */
	MATHIS_REPLY_DROP, /* no one has a function any more */
};

/**
 * struct mathis_reply - something that mathisd says
 * @kind: Of enum mathis_reply_kind.
 * @code: DONE: of enum mathis_code.
 * @ticket: DONE: that of mathis_client_submit(); UPCALL: for
 *	mathis_client_answer().
 * @slot: UPCALL, DROP: slot of the function, mathis_item.i.
 * @value: DONE: the result, or the error as a map; UPCALL: the arguments as a
 *	list. It lives in @pool.
 * @pool: Begun by mathis_pool_init().
 */
struct mathis_reply {
	int kind;
	int code;
	uint64_t ticket;
	uint32_t slot;
	struct mathis_item value;
	struct mathis_pool pool;
};

/**
 * mathis_client_open() - begin a session
 * @phi: Cspace, which outlives it.
 * @endpoint: ENDPOINT handle with SEND that mathisd publishes.
 * @size: Of its ring, or NULL for the default.
 * @deadline_ns: CLOCK_MONOTONIC; 0: none.
 * @client: Out, the session, which the caller closes.
 *
 * Return: 0; -EPROTONOSUPPORT for another version; -EDQUOT or -ENOSPC with too
 * many sessions; -EINVAL for a size; -ENOMEM; or what phi_call() returns.
 */
int mathis_client_open(int phi, uint64_t endpoint,
		       const struct mathis_client_size *size,
		       uint64_t deadline_ns, struct mathis_client **client);

struct phi_ring;

/**
 * mathis_client_over() - begin a session over a ring that exists
 * @ring: The client's side, with a wait_fd; both stay the caller's.
 * @bytes: Room for bytes of messages, each way.
 * @peer_fd: Hangs up when the other side is gone; it stays the caller's.
 * @client: Out, the session, which the caller closes.
 *
 * Return: 0; -ENOMEM.
 */
int mathis_client_over(struct phi_ring *ring, uint32_t bytes, int peer_fd,
		       struct mathis_client **client);

/**
 * mathis_client_token() - the endpoint of a token in a file
 * @phi: Cspace.
 * @path: The file; NULL: MATHIS_TOKEN.
 * @endpoint: Out, the handle.
 *
 * Return: 0; -errno of opening the file; -EINVAL for another file; or what
 * phi_cap_unseal() returns.
 */
int mathis_client_token(int phi, const char *path, uint64_t *endpoint);

/* End a session: calls under way are cancelled, all handles closed. */
void mathis_client_close(struct mathis_client *client);

/**
 * mathis_client_submit() - make a call
 * @client: Session.
 * @id: Number of the call.
 * @args: Arguments, which are copied.
 * @argc: Their count.
 * @ms: Milliseconds that it may take; 0: as many as the session allows.
 * @task: Task of a program, that holds its locks; 0: none.
 * @ticket: Out, names the call until its reply comes.
 *
 * The reply always comes, but for -EPIPE of mathis_client_wait().
 *
 * Return: 0; -EAGAIN without room until mathis_client_wait() has waited; -EINVAL
 * or -E2BIG for arguments that cannot be sent; -EPIPE; -ENOMEM.
 */
int mathis_client_submit(struct mathis_client *client, uint16_t id,
			 const struct mathis_item *args, unsigned int argc,
			 uint32_t ms, uint64_t task, uint64_t *ticket);

/**
 * mathis_client_wait() - wait for the next reply
 * @client: Session.
 * @reply: Out; what its pool had is freed.
 * @deadline_ns: CLOCK_MONOTONIC; 0: none; 1: do not wait.
 *
 * Return: 0; -EAGAIN when there is room again after mathis_client_submit() found
 * none; -ETIMEDOUT; -EINTR; -EPIPE when mathisd has ended the session: no
 * reply will come any more; -EPROTO; -ENOMEM.
 */
int mathis_client_wait(struct mathis_client *client, struct mathis_reply *reply,
		       uint64_t deadline_ns);

/* Make a call and wait for its end; it alone is under way. As both of them. */
int mathis_client_call(struct mathis_client *client, uint16_t id,
		       const struct mathis_item *args, unsigned int argc,
		       struct mathis_reply *reply, uint64_t deadline_ns);

/* End a call with Cancelled, if it has not ended; as mathis_client_submit(). */
int mathis_client_cancel(struct mathis_client *client, uint64_t ticket);
/* Say what an upcall came to; as mathis_client_submit(). */
int mathis_client_answer(struct mathis_client *client, uint64_t ticket,
			 int code, const struct mathis_item *value);
/* A task ended, or goes on as another; as mathis_client_submit(). */
int mathis_client_task_ended(struct mathis_client *client, uint64_t task);
int mathis_client_task_moved(struct mathis_client *client, uint64_t from,
			     uint64_t to);

/**
 * mathis_client_narrow() - give up a right
 * @client: Session.
 * @rule: RIGHT or RIGHT=PARAMETER,...; "all" for each.
 * @ticket: Out, that of the reply: Busy while calls are under way, BadSpec for
 *	an unknown right.
 *
 * Return: As mathis_client_submit().
 */
int mathis_client_narrow(struct mathis_client *client, const char *rule,
			 uint64_t *ticket);

/*
 * Files for poll(), once mathis_client_wait() with a deadline of 1 has returned
 * -ETIMEDOUT: the first becomes readable when there may be a reply or room, the
 * second hangs up when mathisd has ended the session.
 */
void mathis_client_fds(const struct mathis_client *client, int fds[2]);

#endif
