/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BATCHD_LOOP_H
#define BATCHD_LOOP_H

#include <stdint.h>
#include <sys/epoll.h>

/* Events taken from the kernel in one go. */
#define LOOP_READY 64

/**
 * struct loop_source - a file to wait for
 * @fd: Which.
 * @run: Called with EPOLL* events when it is ready; may remove any source.
 * @arg: For @run.
 */
struct loop_source {
	int fd;
	void (*run)(void *arg, uint32_t events);
	void *arg;
};

/**
 * struct loop - what a thread waits for
 * @fd: Its epoll file.
 * @ready: Events of this turn.
 * @nready: How many of them are to be served.
 */
struct loop {
	int fd;
	struct epoll_event ready[LOOP_READY];
	int nready;
};

int loop_init(struct loop *loop);
void loop_fini(struct loop *loop);
int loop_add(struct loop *loop, struct loop_source *source, uint32_t events);
void loop_remove(struct loop *loop, struct loop_source *source);
int loop_turn(struct loop *loop);

#endif /* BATCHD_LOOP_H */
