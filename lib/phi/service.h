/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PHI_SERVICE_H
#define PHI_SERVICE_H

#include <phi/phi.h>
#include <phi/ring.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * DOC: The loop of a daemon
 *
 * A service waits in one place for everything a daemon serves: endpoints,
 * rings, files, timers and signals. It waits with io_uring, and with epoll
 * where that is disabled; handlers see no difference.
 *
 *  - All handlers run in the thread that calls phi_service_run(), and no
 *    other thread may call any function here, phi_source_wake() excepted.
 *  - Each source does a bounded amount of work, then it is the others' turn.
 *  - A handler may free any source, its own too.
 *  - A handler that returns a negative errno ends the loop with it.
 */

struct phi_service;
struct phi_source;

/* phi_service_new() flag: epoll even where there is io_uring. */
#define PHI_SERVICE_EPOLL 0x1U

/**
 * phi_service_new() - make a loop
 * @flags: 0 or PHI_SERVICE_EPOLL.
 * @out: Out.
 *
 * Context: Any thread.
 * Return: 0 or a negative errno.
 */
int phi_service_new(unsigned int flags, struct phi_service **out);

/**
 * phi_service_free() - take a loop down, with all its sources
 * @s: Service, or NULL.
 *
 * Context: Outside of handlers.
 */
void phi_service_free(struct phi_service *s);

/**
 * phi_service_backend() - say how it waits
 * @s: Service.
 *
 * Context: Any thread.
 * Return: "io_uring" or "epoll".
 */
const char *phi_service_backend(const struct phi_service *s);

/**
 * phi_service_run() - serve until told to stop
 * @s: Service.
 *
 * Context: The loop's thread.
 * Return: 0 after a stop, what phi_service_exit() was given, or the negative
 * errno that a handler returned or waiting failed with.
 */
int phi_service_run(struct phi_service *s);

/**
 * phi_service_on_stop() - finish work before the loop ends
 * @s: Service.
 * @fn: Called once when a stop is asked for; it refuses new work, and later
 *      something calls phi_service_exit().
 * @arg: For @fn.
 * @grace_ns: The loop ends this long after, in any case.
 *
 * Without it a stop ends the loop at once.
 *
 * Context: The loop's thread.
 */
void phi_service_on_stop(struct phi_service *s, void (*fn)(void *arg),
			 void *arg, uint64_t grace_ns);

/**
 * phi_service_stop() - ask for a graceful stop
 * @s: Service.
 *
 * Context: The loop's thread. SIGTERM and SIGINT do the same, see
 * phi_service_signals().
 */
void phi_service_stop(struct phi_service *s);

/**
 * phi_service_exit() - leave the loop after this handler
 * @s: Service.
 * @result: Return value of phi_service_run(), 0 or negative.
 *
 * Context: The loop's thread.
 */
void phi_service_exit(struct phi_service *s, int result);

/**
 * phi_service_signals() - take SIGTERM, SIGINT and SIGHUP into the loop
 * @s: Service.
 * @reload: Called on SIGHUP; NULL ignores it.
 * @arg: For @reload.
 *
 * Blocks the three in the calling thread: call it before others start.
 *
 * Context: The loop's thread.
 * Return: 0 or a negative errno.
 */
int phi_service_signals(struct phi_service *s, void (*reload)(void *arg),
			void *arg);

/**
 * phi_service_ready() - tell whoever started the daemon that it serves
 * @ready_fd: A file that gets a line and is closed, or -1.
 *
 * Tells systemd too where NOTIFY_SOCKET is set.
 *
 * Context: Any thread.
 * Return: 0, or the negative errno of what could not be told.
 */
int phi_service_ready(int ready_fd);

/**
 * phi_service_tell() - tell systemd something
 * @state: As sd_notify(3) takes it, such as "STOPPING=1".
 *
 * Context: Any thread.
 * Return: 1 when told, 0 without NOTIFY_SOCKET, or a negative errno.
 */
int phi_service_tell(const char *state);

/**
 * phi_service_fd() - serve a file
 * @s: Service.
 * @fd: File; stays the caller's, and open until the source is freed.
 * @events: POLLIN, POLLOUT, POLLPRI, POLLRDHUP; POLLHUP and POLLERR come
 *          unasked.
 * @fn: Called with what happened. Returns 0 when it has taken all there was;
 *      1 when there is more, and it is called again soon.
 * @arg: For @fn.
 * @out: Out; may be NULL.
 *
 * Readiness is told once: a handler that returns 0 and left something is not
 * called again for it.
 *
 * Context: The loop's thread.
 * Return: 0 or a negative errno.
 */
int phi_service_fd(struct phi_service *s, int fd, uint32_t events,
		   int (*fn)(void *arg, uint32_t events), void *arg,
		   struct phi_source **out);

/**
 * phi_service_endpoint() - serve an endpoint
 * @s: Service.
 * @phi: Cspace.
 * @endpoint: ENDPOINT handle with RECV.
 * @fn: Called with each message; its capabilities and REPLY handle are now
 *      the handler's. Called with NULL, once, when the endpoint is dead or
 *      the capability was revoked. Returns 0.
 * @arg: For @fn.
 * @out: Out; may be NULL.
 *
 * A message whose capabilities do not fit the cspace or the quota comes
 * without them, as with PHI_RECV_NOCAPS.
 *
 * Context: The loop's thread.
 * Return: 0 or a negative errno.
 */
int phi_service_endpoint(struct phi_service *s, int phi, uint64_t endpoint,
			 int (*fn)(void *arg, struct phi_msg_in *in), void *arg,
			 struct phi_source **out);

/**
 * phi_service_ring() - serve a ring
 * @s: Service.
 * @ring: Ring with a wait_fd; stays the caller's. The loop receives and waits
 *        on it; the caller sends.
 * @fn: Called with each message, which lies in shared memory. Returns 0 when
 *      it is done with it; -EAGAIN to leave it until phi_source_kick().
 *      Called with NULL, once, when the other side broke the ring.
 * @arg: For @fn.
 * @out: Out; may be NULL.
 *
 * Context: The loop's thread.
 * Return: 0, -EINVAL without a wait_fd, or another negative errno.
 */
int phi_service_ring(struct phi_service *s, struct phi_ring *ring,
		     int (*fn)(void *arg, const void *payload, uint32_t len),
		     void *arg, struct phi_source **out);

/**
 * phi_service_timer() - make a timer, not set
 * @s: Service.
 * @fn: Called when it is due; it is not set any more then. Returns 0.
 * @arg: For @fn.
 * @out: Out.
 *
 * Setting one looks at all that are set: have few.
 *
 * Context: The loop's thread.
 * Return: 0 or a negative errno.
 */
int phi_service_timer(struct phi_service *s, int (*fn)(void *arg), void *arg,
		      struct phi_source **out);

/**
 * phi_source_set() - set a timer
 * @t: Timer.
 * @deadline_ns: CLOCK_MONOTONIC; 0 = not at all.
 *
 * Context: The loop's thread.
 */
void phi_source_set(struct phi_source *t, uint64_t deadline_ns);

/**
 * phi_service_job() - make a handler that others can wake
 * @s: Service.
 * @fn: Called soon after each phi_source_kick() or phi_source_wake(), once
 *      for several. Returns 0, or 1 to be called again soon.
 * @arg: For @fn.
 * @out: Out.
 *
 * Context: The loop's thread.
 * Return: 0 or a negative errno.
 */
int phi_service_job(struct phi_service *s, int (*fn)(void *arg), void *arg,
		    struct phi_source **out);

/**
 * phi_source_kick() - let a source look for work in the next turn
 * @src: Source of any kind but a timer.
 *
 * Context: The loop's thread.
 */
void phi_source_kick(struct phi_source *src);

/**
 * phi_source_wake() - kick a job from another thread
 * @src: From phi_service_job(); may not be freed meanwhile.
 *
 * Context: Any thread, and signal handlers.
 */
void phi_source_wake(struct phi_source *src);

/**
 * phi_source_free() - serve a source no more
 * @src: Source, or NULL.
 *
 * Context: The loop's thread, handlers included; its own is not called again.
 */
void phi_source_free(struct phi_source *src);

#ifdef __cplusplus
}
#endif

#endif /* PHI_SERVICE_H */
