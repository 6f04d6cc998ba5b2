// SPDX-License-Identifier: GPL-2.0-only
/*
 * A heap of timers, the earliest first, and the thread that fires them.
 */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "core.h"
#include "timer.h"

static void put(struct md_timers *t, size_t i, struct md_timer *timer)
{
	t->heap[i] = timer;
	timer->at = i + 1;
}

static void rise(struct md_timers *t, size_t i)
{
	struct md_timer *timer = t->heap[i];

	while (i && t->heap[(i - 1) / 2]->when > timer->when) {
		put(t, i, t->heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	put(t, i, timer);
}

static void sink(struct md_timers *t, size_t i)
{
	struct md_timer *timer = t->heap[i];

	for (;;) {
		size_t child = 2 * i + 1;

		if (child >= t->n)
			break;
		if (child + 1 < t->n &&
		    t->heap[child + 1]->when < t->heap[child]->when)
			child++;
		if (t->heap[child]->when >= timer->when)
			break;
		put(t, i, t->heap[child]);
		i = child;
	}
	put(t, i, timer);
}

static void take(struct md_timers *t, struct md_timer *timer)
{
	size_t i = timer->at - 1;
	struct md_timer *last = t->heap[--t->n];

	timer->at = 0;
	if (last == timer)
		return;
	put(t, i, last);
	rise(t, i);
	sink(t, last->at - 1);
}

static void *run(void *arg)
{
	struct md_core *core = arg;
	struct md_timers *t = &core->timers;

	pthread_mutex_lock(&core->lock);
	while (!core->stop) {
		struct md_timer *first = t->n ? t->heap[0] : NULL;
		struct timespec until;

		if (!first) {
			pthread_cond_wait(&t->news, &core->lock);
			continue;
		}
		if (first->when > md_now()) {
			until.tv_sec = (time_t)(first->when / 1000000000);
			until.tv_nsec = (long)(first->when % 1000000000);
			pthread_cond_clockwait(&t->news, &core->lock,
					       CLOCK_MONOTONIC, &until);
			continue;
		}
		take(t, first);
		pthread_mutex_unlock(&core->lock);
		first->fire(first);
		pthread_mutex_lock(&core->lock);
	}
	pthread_mutex_unlock(&core->lock);
	return NULL;
}

/* With the lock. */
static int prepare(struct md_core *core)
{
	struct md_timers *t = &core->timers;
	int ret;

	if (!t->started) {
		ret = pthread_create(&t->thread, NULL, run, core);
		if (ret)
			return -ret;
		t->started = true;
	}
	if (t->n == t->room) {
		size_t room = t->room ? t->room * 2 : 64;
		struct md_timer **more = realloc(t->heap, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		t->heap = more;
		t->room = room;
	}
	return 0;
}

int md_timer_arm(struct md_core *core, struct md_timer *timer, uint64_t when)
{
	struct md_timers *t = &core->timers;
	int ret = prepare(core);

	if (ret)
		return ret;
	timer->when = when;
	put(t, t->n++, timer);
	rise(t, t->n - 1);
	if (timer->at == 1)
		pthread_cond_signal(&t->news);
	return 0;
}

int md_timer_add(struct md_core *core, struct md_timer *timer, uint64_t when)
{
	int ret;

	pthread_mutex_lock(&core->lock);
	ret = md_timer_arm(core, timer, when);
	pthread_mutex_unlock(&core->lock);
	return ret;
}

bool md_timer_remove(struct md_core *core, struct md_timer *timer)
{
	bool waits;

	pthread_mutex_lock(&core->lock);
	waits = timer->at;
	if (waits)
		take(&core->timers, timer);
	pthread_mutex_unlock(&core->lock);
	return waits;
}

/* core->stop is set. */
void md_timers_stop(struct md_core *core)
{
	struct md_timers *t = &core->timers;

	if (t->started) {
		pthread_mutex_lock(&core->lock);
		pthread_cond_signal(&t->news);
		pthread_mutex_unlock(&core->lock);
		pthread_join(t->thread, NULL);
	}
	free(t->heap);
}
