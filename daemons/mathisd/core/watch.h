/* SPDX-License-Identifier: GPL-2.0-only */
/* Watches: functions that a thread of the dispatcher calls once a file is ready. */
#ifndef MATHISD_CORE_WATCH_H
#define MATHISD_CORE_WATCH_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct md_core;

/**
 * struct md_watch - a function to be called once
 * @fd: The file, which has no other watch.
 * @events: Of epoll_ctl().
 * @fire: The function; runs in the thread of the watches, without a lock, and
 *	must not block. The file need not be ready. It may free the watch, or
 *	add it again.
 */
struct md_watch {
	int fd;
	uint32_t events;
	void (*fire)(struct md_watch *watch);
};

struct md_watches {
	struct md_watch **by_fd;
	size_t room;
	pthread_t thread;
	int epoll;
	int stop_fd;
	bool started;
};

/* Add a watch that does not wait: 0 or -errno. */
int md_watch_add(struct md_core *core, struct md_watch *watch);
/* Remove a watch; false: it does not wait, and may just be firing. */
bool md_watch_remove(struct md_core *core, struct md_watch *watch);
void md_watches_stop(struct md_core *core);

#endif
