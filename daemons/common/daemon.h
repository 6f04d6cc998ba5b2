/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef COMMON_DAEMON_H
#define COMMON_DAEMON_H

#include <phi/phi.h>
#include <phi/service.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "options.h"
#include "session.h"
#include "user.h"

/**
 * DOC: The floor under all daemons
 *
 * The main thread takes messages (call.c): it begins and ends sessions
 * (session.c), serves short calls itself, and queues the others. Workers run and
 * answer queued calls (worker.c), first those of the user whose calls have used
 * the least worker time. When all workers are busy and a waiting user has no
 * call running, another worker is started. Work of minutes runs in a thread of
 * its own, a job (job.c). A session holds objects by their handles (handle.c).
 *
 * All of them share the daemon under one lock, daemon.lock, which nobody holds
 * over a call into the kernel's phi, the disk or a copy. It may be taken with
 * nothing else held; job.lock is taken last.
 */

/* Places for sessions; daemon_kind.sessions says how many are taken. */
#define DAEMON_SESSIONS_MAX 16384

struct call;
struct daemon;
struct handle_kind;
struct op;
struct stage;
struct worker;

/* daemon_kind.run returns this when another thread answers the call. */
#define CALL_PARKED 1

/**
 * struct daemon_kind - what a daemon adds to the floor
 * @session_size: Size of its struct that begins with a struct session.
 * @user_size: The same for struct user.
 * @call_size: The same for struct call; 0 without workers.
 * @sessions: Sessions at most, up to DAEMON_SESSIONS_MAX; 0: 1024.
 * @user_sessions: Those of one user; 0: USER_SESSIONS_MAX.
 * @stage_len: Bytes of a worker's stage.
 * @credits: Calls that one session may have with the workers.
 * @handles: Kinds of handles, at most 16.
 * @nhandles: How many kinds.
 * @op: Finds the row of a call in the call table, or NULL.
 * @published: Did a message come through what is published, not by a session?
 * @attach: Serves the call of such a message, which op.attach allows: 0, or
 *          the negative errno to refuse it with; sets whether it took the
 *          capabilities that came.
 * @refuse: Answers a message that is not served; the row may be NULL.
 * @check: Is there anything else that forbids a call? 0 or a negative errno.
 * @begin: Sets a call's own fields from the message; under the lock.
 * @run: Serves a call: its status, or CALL_PARKED. Runs in a worker.
 * @answer: Answers a call and frees it by call_free(); without a stage the
 *          call was not run.
 * @fini: Drops what @begin took; or NULL.
 * @ended: Takes from a session that ends what its client must not keep, in
 *         the main thread; or NULL.
 * @freed: Frees the session's own fields, in any thread; or NULL.
 * @confine: Gives up all system calls but those that serving takes.
 */
struct daemon_kind {
	size_t session_size;
	size_t user_size;
	size_t call_size;
	uint32_t sessions;
	uint32_t user_sessions;
	size_t stage_len;
	uint32_t credits;
	const struct handle_kind *handles;
	uint32_t nhandles;
	const struct op *(*op)(uint32_t nr);
	bool (*published)(struct daemon *d, const struct phi_msg_in *in);
	int (*attach)(struct daemon *d, const struct phi_msg_in *in,
		      bool *taken);
	void (*refuse)(struct daemon *d, const struct op *op,
		       const struct phi_msg_in *in, int status);
	int (*check)(struct session *session, const struct op *op,
		     const struct phi_msg_in *in);
	void (*begin)(struct call *c, const struct phi_msg_in *in);
	int (*run)(struct call *c, struct stage *stage);
	void (*answer)(struct call *c, int status, struct stage *stage);
	void (*fini)(struct call *c);
	void (*ended)(struct session *session);
	void (*freed)(struct session *session);
	int (*confine)(struct daemon *d);
};

/**
 * struct daemon - the state that all daemons have
 * @kind: Its own part.
 * @phi: Its cspace, -1 without one.
 * @endpoint: Where all messages arrive.
 * @service: Loop of the main thread.
 * @uid: The user it runs as.
 * @verbose: Log each session.
 * @credits: As @kind says.
 * @lock: Guards all below, see "The floor under all daemons".
 * @work: There is something for workers.
 * @stopping: No new calls.
 * @stop: Workers end.
 * @sessions: By place; NULL where none is.
 * @nsessions: How many there are.
 * @place: Where the search for a free place begins.
 * @next_badge: Source of badges.
 * @users: Those with sessions.
 * @turns: Users whose calls wait, in the order in which they came or had one
 *         taken.
 * @active: Users of whom a call came a short time ago, the longest ago first.
 * @nactive: How many there are.
 * @used: user.used of the user whose call was taken last.
 * @reap: Sessions to be freed.
 * @workers: Room for WORKERS_MAX threads, or NULL.
 * @nworkers: How many of them run.
 * @idle: How many of these wait for work, or are about to look for it.
 * @keep: How many do not end when there is no work.
 * @share: How many one user may have at most, and fewer beside others: @keep
 *         are divided among those that are active.
 * @jobs: Jobs that run.
 * @jobs_done: A job ended.
 */
struct daemon {
	const struct daemon_kind *kind;
	int phi;
	uint64_t endpoint;
	struct phi_service *service;
	uint32_t uid;
	bool verbose;
	uint32_t credits;
	pthread_mutex_t lock; /* see "The floor under all daemons" */
	pthread_cond_t work;
	bool stopping;
	bool stop;
	struct session *sessions[DAEMON_SESSIONS_MAX];
	uint32_t nsessions;
	uint32_t place;
	uint64_t next_badge;
	struct user_list users;
	struct user_queue turns;
	struct user_queue active;
	uint32_t nactive;
	uint64_t used;
	struct session_list reap;
	struct worker *workers;
	uint32_t nworkers;
	uint32_t idle;
	uint32_t keep;
	uint32_t share;
	uint32_t jobs;
	pthread_cond_t jobs_done;
};

/* daemon.c */
void daemon_init(struct daemon *d, const struct daemon_kind *kind);
void daemon_refuse_new(struct daemon *d);
void daemon_end_sessions(struct daemon *d);

/* run.c */
int daemon_open(struct daemon *d, const char *hint);
int daemon_signals(struct daemon *d);
int daemon_listen(struct daemon *d);
int daemon_run(struct daemon *d, const struct daemon_options *o,
	       const char *what);
void daemon_close(struct daemon *d);

#endif /* COMMON_DAEMON_H */
