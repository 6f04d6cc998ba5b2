/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PHI_SERVICE_IMPL_H
#define PHI_SERVICE_IMPL_H

#include <phi/service.h>
#include <stdatomic.h>
#include <stdbool.h>

/* Shared by the files of the service. */

struct phi_wait;

/* Messages, or calls of a handler, in one turn of one source. */
#define SERVICE_BUDGET 32

/* Events that one wait takes. */
#define WAIT_EVENTS 64

enum source_kind {
	SOURCE_FD,
	SOURCE_ENDPOINT,
	SOURCE_RING,
	SOURCE_TIMER,
	SOURCE_JOB,
};

/**
 * struct phi_source - something the loop serves
 * @s: Its loop.
 * @kind: Which of the handlers counts.
 * @id: Its number in @s->table, never used twice.
 * @fd: Descriptor to wait on, or -1.
 * @own_fd: Whether @fd is closed with it.
 * @events: EPOLL* events to wait for on @fd.
 * @revents: Events since the handler was called last.
 * @queued: It is on the list of those that have work.
 * @dead: Freed; memory goes at the end of the turn.
 * @gone: The endpoint died or the ring broke, and the handler knows.
 * @looks: Times a ring was found empty in a row.
 * @phi: Cspace of @endpoint.
 * @endpoint: Endpoint that an endpoint source receives from.
 * @ring: Ring that a ring source receives from.
 * @deadline_ns: When a timer is due, 0 = not set.
 * @woken: Set by phi_source_wake().
 * @next: In the list of work, of timers, or of the dead.
 * @on_fd: Handler.
 * @on_msg: Handler.
 * @on_ring: Handler.
 * @on_call: Handler of timers and jobs.
 * @arg: For the handler.
 */
struct phi_source {
	struct phi_service *s;
	enum source_kind kind;
	uint64_t id;
	int fd;
	bool own_fd;
	uint32_t events;
	uint32_t revents;
	bool queued;
	bool dead;
	bool gone;
	unsigned int looks;
	int phi;
	uint64_t endpoint;
	struct phi_ring *ring;
	uint64_t deadline_ns;
	atomic_int woken;
	struct phi_source *next;
	int (*on_fd)(void *arg, uint32_t events);
	int (*on_msg)(void *arg, struct phi_msg_in *in);
	int (*on_ring)(void *arg, const void *payload, uint32_t len);
	int (*on_call)(void *arg);
	void *arg;
};

/**
 * struct phi_service - a loop
 * @wait: io_uring or epoll.
 * @table: Sources by index, the low half of an id; NULL = free.
 * @gens: The high half of the next id at an index.
 * @room: Length of both.
 * @hint: No index below it is free.
 * @work: First source that has work.
 * @work_end: Where the next one is linked.
 * @timers: Timers that are set, soonest first.
 * @dead: Sources freed in this turn.
 * @wake_fd: Eventfd behind phi_source_wake().
 * @spin: Looks at an empty ring before its bell is asked for.
 * @busy: Something was done in this turn.
 * @turns: Turns since the kernel was last asked.
 * @running: False ends the loop.
 * @stopping: A stop was asked for.
 * @result: Of the loop.
 * @on_stop: See phi_service_on_stop().
 * @stop_arg: For @on_stop.
 * @grace_ns: From the stop until the end.
 * @reload: See phi_service_signals().
 * @reload_arg: For @reload.
 * @signal_fd: Or -1.
 */
struct phi_service {
	struct phi_wait *wait;
	struct phi_source **table;
	uint32_t *gens;
	uint32_t room;
	uint32_t hint;
	struct phi_source *work;
	struct phi_source **work_end;
	struct phi_source *timers;
	struct phi_source *dead;
	int wake_fd;
	unsigned int spin;
	bool busy;
	unsigned int turns;
	bool running;
	bool stopping;
	int result;
	void (*on_stop)(void *arg);
	void *stop_arg;
	uint64_t grace_ns;
	void (*reload)(void *arg);
	void *reload_arg;
	int signal_fd;
};

/**
 * struct phi_wait_event - something happened on a file
 * @id: As given to phi_wait_add().
 * @events: POLLIN and the like.
 */
struct phi_wait_event {
	uint64_t id;
	uint32_t events;
};

/**
 * phi_wait_new() - make the means of waiting
 * @epoll: Not io_uring.
 * @out: Out.
 *
 * Context: Any thread.
 * Return: 0 or a negative errno.
 */
int phi_wait_new(bool epoll, struct phi_wait **out);

/**
 * phi_wait_free() - undo phi_wait_new()
 * @w: May be NULL.
 *
 * Context: Any thread.
 */
void phi_wait_free(struct phi_wait *w);

/**
 * phi_wait_name() - say what it is
 * @w: Wait.
 *
 * Context: Any thread.
 * Return: A constant string.
 */
const char *phi_wait_name(const struct phi_wait *w);

/**
 * phi_wait_polls_free() - can a look without waiting do without a system call?
 * @w: Wait.
 *
 * Context: Any thread.
 * Return: Whether it can.
 */
bool phi_wait_polls_free(const struct phi_wait *w);

/**
 * phi_wait_add() - wait for events on a file
 * @w: Wait.
 * @fd: File.
 * @events: POLLIN and the like.
 * @id: Comes with the events.
 *
 * An event is told when it happens, and when it is there to begin with.
 *
 * Context: The loop's thread.
 * Return: 0 or a negative errno.
 */
int phi_wait_add(struct phi_wait *w, int fd, uint32_t events, uint64_t id);

/**
 * phi_wait_del() - wait on a file no more
 * @w: Wait.
 * @fd: File, still open.
 * @id: As given to phi_wait_add(); events of it may still come once.
 *
 * Context: The loop's thread.
 */
void phi_wait_del(struct phi_wait *w, int fd, uint64_t id);

/**
 * phi_wait_again() - go on after an event that ended the wait for a file
 * @w: Wait.
 * @fd: File.
 * @events: As before.
 * @id: As before.
 *
 * Context: The loop's thread.
 * Return: 0 or a negative errno.
 */
int phi_wait_again(struct phi_wait *w, int fd, uint32_t events, uint64_t id);

/* A struct phi_wait_event flag: the wait for this file ended with the event. */
#define WAIT_ENDED 0x80000000U

/**
 * phi_wait_events() - take what happened
 * @w: Wait.
 * @events: Out, room for WAIT_EVENTS.
 * @timeout_ns: How long to wait for the first; 0 = not; UINT64_MAX = for ever.
 *
 * Context: The loop's thread. May wait.
 * Return: Events taken; 0 also after a signal; or a negative errno.
 */
int phi_wait_events(struct phi_wait *w, struct phi_wait_event *events,
		    uint64_t timeout_ns);

/**
 * phi_service_now() - read the clock of deadlines
 *
 * Context: Any thread.
 * Return: CLOCK_MONOTONIC in nanoseconds.
 */
uint64_t phi_service_now(void);

#endif /* PHI_SERVICE_IMPL_H */
