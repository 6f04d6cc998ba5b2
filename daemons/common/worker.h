/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef COMMON_WORKER_H
#define COMMON_WORKER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "stage.h"

struct daemon;

#define WORKERS_MAX 256

/**
 * struct worker - a thread that runs calls
 * @daemon: The daemon.
 * @thread: Runs worker.c.
 * @started: @thread is to be joined.
 * @over: It ends, or has ended.
 * @stage: Private copies of what clients gave, and results, while a call runs.
 */
struct worker {
	struct daemon *daemon;
	pthread_t thread;
	bool started;
	bool over;
	struct stage stage;
};

int workers_start(struct daemon *d, uint32_t n);
void workers_suffice(struct daemon *d);
void workers_stop(struct daemon *d);

#endif /* COMMON_WORKER_H */
