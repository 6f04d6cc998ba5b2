/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _SELFTESTS_COST_H
#define _SELFTESTS_COST_H

#include "infer_ioctl.h"
#include "phi_message.h"

#define PAGE 4096
#define BYTES (16 * PAGE) /* of the measured user's region */

/* The most things of one kind. */
#define MOST 20000

/* How often each call is measured, and how often it runs before that. */
#define REPS 40
#define WARM 8
#define ROUNDS (WARM + REPS)

/* Calls that wait for an answer, for the rows that answer them. */
#define POOL (2 * ROUNDS)

#define MINE 7001 /* uid of the user whose calls are measured */
#define OTHER 7002 /* uid of the user who makes things beside it */
#define USERS 100000 /* first uid of the kind "users" */
#define BADGE 77 /* of the endpoint capability that the other user gets */

#define CGROUP_MINE "/sys/fs/cgroup/phi-cost-mine"
#define CGROUP_OTHER "/sys/fs/cgroup/phi-cost-other"

/* Rows in the table of calls at most. */
#define ROWS_MAX 80

/**
 * struct cost - what one call cost, median of REPS
 * @cpu: Time that the calling thread ran, in nanoseconds, which are
 *       instructions in a machine that counts them.
 * @wall: Time from its begin to its end, other threads' included.
 * @error: Why it could not be measured, a negative errno.
 */
struct cost {
	double cpu;
	double wall;
	int error;
};

/**
 * struct shared - memory of all three processes
 * @ep: Token of the measured user's endpoint, badge BADGE.
 * @region: Token of its region.
 * @notify: Token of its notify.
 * @model: Token of its model.
 * @unbadged: Token of the endpoint without a badge, for root.
 * @lost: Messages of the other user that the measured user has received since
 *        they were last sent again.
 * @costs: Results, by row.
 * @networks: Tokens of NETWORK objects that root minted for the other user.
 */
struct shared {
	struct phi_token ep;
	struct phi_token region;
	struct phi_token notify;
	struct phi_token model;
	struct phi_token unbadged;
	int lost;
	struct cost costs[ROWS_MAX];
	struct phi_token networks[MOST];
};

/**
 * struct stage - what the measured user has
 * @shared: Memory of all processes.
 * @phi: Cspace that all measured calls go through.
 * @server: Cspace that receives the calls of the other user.
 * @callers: Cspace of the threads that wait for an answer.
 * @ep: Endpoint, in @phi. The other user has a child of it, and of @region,
 *      @notify and @model.
 * @there: @ep, in @server.
 * @region: MEMORY handle of BYTES.
 * @notify: NOTIFY handle.
 * @model: MODEL handle behind @ep.
 * @unit: DEVICE handle.
 * @offset: What to give mmap() for @region.
 * @unit_id: Number of @unit.
 * @model_id: Number of @model.
 * @token: Of @notify.
 * @eventfd: For binding.
 * @cgroup: Directory for an agent.
 * @polled: File to poll @ep with.
 * @cap: Handle that the call in progress is about.
 * @made: Handle that was made for the call, or by it.
 * @ticket: Of an inference in progress.
 * @fd: File that a call made.
 * @at: Mapping that a call made.
 * @replies: REPLY handles that nobody has answered yet.
 * @answered: How many of @replies are used up.
 * @data: Room for a message.
 */
struct stage {
	struct shared *shared;
	int phi, server, callers;
	uint64_t ep, there, region, notify, model, unit, offset;
	uint32_t unit_id;
	uint64_t model_id;
	struct phi_token token;
	int eventfd, cgroup, polled;
	uint64_t cap, made, ticket;
	int fd;
	char *at;
	uint64_t replies[POOL];
	int answered;
	char data[PHI_MSG_MAX];
};

/* The row receives a message, which another thread must not take instead. */
#define TAKES (1U << 0)

/**
 * struct row - a call to measure
 * @name: Of the call, and after a point what is special.
 * @act: The call.
 * @before: Makes what it needs, or NULL.
 * @after: Takes back what it did, or NULL.
 * @flags: TAKES.
 *
 * All return 0 or a negative errno.
 */
struct row {
	const char *name;
	int (*act)(struct stage *s);
	int (*before)(struct stage *s);
	int (*after)(struct stage *s);
	unsigned int flags;
};

#define ROW(_name, _act, ...) { .name = (_name), .act = (_act), ##__VA_ARGS__ }
#define NEEDS(_before) .before = (_before)
#define UNDO(_after) .after = (_after)

/* Each table ends with a row that has no name. */
extern const struct row call_rows[];
extern const struct row message_rows[];
extern const struct row way_rows[];

int stage_make(struct stage *s, struct shared *shared);
int stage_take_calls(struct stage *s, int n);
int row_map(struct stage *s);
int row_unmap(struct stage *s);

/**
 * struct other - what the other user has
 * @shared: Memory of all processes.
 * @phi: Its cspace.
 * @ep: What the measured user gave it, in @phi: endpoint, region, notify,
 *      model.
 * @region: See @ep.
 * @notify: See @ep.
 * @model: See @ep.
 * @own: An endpoint of its own.
 * @bell: A notify of its own.
 * @n: Things made.
 * @fds: Files that @n things are, where they are files.
 * @eps: @ep in each of @fds, where they are cspaces.
 * @next: The thing that sends the next lost message again.
 */
struct other {
	struct shared *shared;
	int phi;
	uint64_t ep, region, notify, model, own, bell;
	int n;
	int fds[MOST];
	uint64_t eps[MOST];
	int next;
};

/* The other process stays root until it has made the things. */
#define AS_ROOT (1U << 0)
/* The things are calls: the measured user receives them, and answers none. */
#define CALLS (1U << 1)
/* The other process is stopped when it has made the things. */
#define STOPPED (1U << 2)
/* The things receive messages: rows that TAKE one are left out. */
#define STEALS (1U << 3)

/**
 * struct kind - a kind of thing that another user can make many of
 * @name: For the table.
 * @make: Makes n of them, in the process of the other user.
 * @refill: Sends one message of theirs again that was lost, or NULL.
 * @prepare: What root does before, or NULL.
 * @most: How many there can be, or 0 for no limit.
 * @flags: AS_ROOT, CALLS, STOPPED, STEALS.
 *
 * All return 0 or a negative errno.
 */
struct kind {
	const char *name;
	int (*make)(struct other *o, int n);
	int (*refill)(struct other *o);
	int (*prepare)(struct shared *shared, int root, int n);
	int most;
	unsigned int flags;
};

#define KIND(_name, _make, ...) \
	{ .name = #_name, .make = (_make), ##__VA_ARGS__ }

extern const struct kind cap_kinds[];
extern const struct kind object_kinds[];
extern const struct kind message_kinds[];
extern const struct kind thread_kinds[];

#endif /* _SELFTESTS_COST_H */
