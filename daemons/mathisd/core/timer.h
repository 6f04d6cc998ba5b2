/* SPDX-License-Identifier: GPL-2.0-only */
/* Timers: functions that a thread of the dispatcher calls at a time. */
#ifndef MATHISD_CORE_TIMER_H
#define MATHISD_CORE_TIMER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct md_core;

/**
 * struct md_timer - a function to be called once
 * @when: CLOCK_MONOTONIC, ns.
 * @fire: The function; runs in the thread of the timers, without a lock, and
 *	must not block. It may free the timer, or add it again.
 * @at: Its place among all that wait, plus 1; 0: it does not wait.
 */
struct md_timer {
	uint64_t when;
	void (*fire)(struct md_timer *timer);
	size_t at;
};

struct md_timers {
	struct md_timer **heap;
	size_t n;
	size_t room;
	pthread_t thread;
	pthread_cond_t news;
	bool started;
};

/* Add a timer that does not wait: 0; -ENOMEM, -EAGAIN without a thread. */
int md_timer_add(struct md_core *core, struct md_timer *timer, uint64_t when);
/* The same with core->lock. */
int md_timer_arm(struct md_core *core, struct md_timer *timer, uint64_t when);
/* Remove a timer; false: it does not wait, and may just be firing. */
bool md_timer_remove(struct md_core *core, struct md_timer *timer);
void md_timers_stop(struct md_core *core);

#endif
