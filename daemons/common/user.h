/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef COMMON_USER_H
#define COMMON_USER_H

#include <stdint.h>
#include <sys/queue.h>

struct call;
struct daemon;
TAILQ_HEAD(call_list, call);

/* Sessions that one user may have open. */
#define USER_SESSIONS_MAX 64

/* A user of whom no call came for so long leaves its workers to others. */
#define USER_ACTIVE_NS 1000000000ULL

/**
 * struct user - one uid with sessions
 * @link: In daemon.users.
 * @turn: In daemon.turns, while calls of it wait.
 * @active: In daemon.active, while @seen is not 0.
 * @seen: When a call of it came last; 0 = longer ago than matters.
 * @uid: Its number.
 * @sessions: How many sessions it has.
 * @waiting: Its calls that no worker has taken.
 * @running: How many of its calls workers run.
 * @used: Nanoseconds that its calls held workers, at least daemon.used when it
 *        last came back.
 * @jobs: How many of its jobs run.
 *
 * Guarded by daemon.lock. A daemon that stores more for each user embeds this
 * struct as the first member of its own and sets daemon_kind.user_size.
 */
struct user {
	LIST_ENTRY(user) link;
	TAILQ_ENTRY(user) turn;
	TAILQ_ENTRY(user) active;
	uint64_t seen;
	uint32_t uid;
	uint32_t sessions;
	struct call_list waiting;
	uint32_t running;
	uint64_t used;
	uint32_t jobs;
};

LIST_HEAD(user_list, user);
TAILQ_HEAD(user_queue, user);

struct user *user_get(struct daemon *d, uint32_t uid);
void user_put(struct daemon *d, struct user *user);

#endif /* COMMON_USER_H */
