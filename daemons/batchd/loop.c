// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stddef.h>
#include <unistd.h>

#include "loop.h"

/**
 * loop_init() - wait for nothing yet
 * @loop: What to set up.
 *
 * Context: The thread that will wait, as all below.
 * Return: 0 or a negative errno.
 */
int loop_init(struct loop *loop)
{
	loop->nready = 0;
	loop->fd = epoll_create1(EPOLL_CLOEXEC);
	return loop->fd < 0 ? -errno : 0;
}

/**
 * loop_fini() - undo loop_init()
 * @loop: What to take down.
 *
 * Context: The thread that waited.
 */
void loop_fini(struct loop *loop)
{
	close(loop->fd);
}

/**
 * loop_add() - wait for a file
 * @loop: Loop.
 * @source: The file and its handler; stays the caller's.
 * @events: EPOLL*; hang-up and error are told in any case.
 *
 * Context: The thread that waits.
 * Return: 0 or a negative errno.
 */
int loop_add(struct loop *loop, struct loop_source *source, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = source };

	return epoll_ctl(loop->fd, EPOLL_CTL_ADD, source->fd, &event) ? -errno :
									0;
}

/**
 * loop_remove() - wait for a file no more
 * @loop: Loop.
 * @source: Added; its file is still open. Its handler is not called again,
 *          also not for what this turn has found.
 *
 * Context: The thread that waits.
 */
void loop_remove(struct loop *loop, struct loop_source *source)
{
	int i;

	epoll_ctl(loop->fd, EPOLL_CTL_DEL, source->fd, NULL);
	for (i = 0; i < loop->nready; i++) {
		if (loop->ready[i].data.ptr == source)
			loop->ready[i].data.ptr = NULL;
	}
}

/**
 * loop_turn() - wait once and serve what is ready
 * @loop: Loop.
 *
 * Context: The thread that waits.
 * Return: 0 or a negative errno.
 */
int loop_turn(struct loop *loop)
{
	int i, n = epoll_wait(loop->fd, loop->ready, LOOP_READY, -1);

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	loop->nready = n;
	for (i = 0; i < n; i++) {
		struct loop_source *source = loop->ready[i].data.ptr;

		if (source)
			source->run(source->arg, loop->ready[i].events);
	}
	loop->nready = 0;
	return 0;
}
