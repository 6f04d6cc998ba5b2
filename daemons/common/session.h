/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef COMMON_SESSION_H
#define COMMON_SESSION_H

#include <phi/phi.h>
#include <phi/service.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct daemon;
struct handle;
struct user;

/**
 * struct session - one client
 * @reap: In daemon.reap, after its last reference went.
 * @daemon: The daemon that serves it.
 * @refs: Its place in daemon.sessions, and each call and job.
 * @index: That place.
 * @dead: It ended; calls and jobs under way keep it.
 * @read_only: Calls that write are refused.
 * @badge: Badge of its messages; never used again.
 * @pid: Process that opened it, for the log.
 * @uid: User that opened it.
 * @user: The same, for fairness and limits.
 * @life: The client's own ENDPOINT; when that dies so does the session.
 * @life_fd: Hangs up then.
 * @life_source: Serves @life_fd.
 * @cap: Our node of the ENDPOINT it was given.
 * @calls: Calls under way.
 * @serial: Source of the ids of its handles.
 * @handles: Objects it holds, kind by kind.
 *
 * A daemon that keeps more for each session has a struct that begins with this
 * one, see daemon_kind.session_size.
 */
struct session {
	TAILQ_ENTRY(session) reap;
	struct daemon *daemon;
	uint32_t refs;
	uint32_t index;
	bool dead;
	bool read_only;
	uint64_t badge;
	uint32_t pid;
	uint32_t uid;
	struct user *user;
	uint64_t life;
	int life_fd;
	struct phi_source *life_source;
	uint64_t cap;
	uint32_t calls;
	uint64_t serial;
	struct handle *handles;
};

TAILQ_HEAD(session_list, session);

int session_open(struct daemon *d, const struct phi_msg_in *in,
		 struct session **out);
void session_welcome(struct session *session, uint64_t reply,
		     const void *answer, size_t len, const char *what);
struct session *session_find(struct daemon *d, uint64_t badge);
void session_close(struct session *session, const char *fault);
bool session_is_dead(struct session *session);
void session_put(struct session *session);
void session_free(struct session *session);

#endif /* COMMON_SESSION_H */
