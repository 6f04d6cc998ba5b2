// SPDX-License-Identifier: GPL-2.0-only
/*
 * While a command waits for somebody else it says so, once a second, to a
 * person who sits at a terminal. A thread does that: a signal would
 * interrupt the very call that waits.
 */
#include <pthread.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t over = PTHREAD_COND_INITIALIZER;
static pthread_t teller;
static bool running;
static bool ended;

static void *tell(void *data)
{
	const char *what = data;
	struct timespec next;
	unsigned int seconds;

	pthread_mutex_lock(&lock);
	clock_gettime(CLOCK_REALTIME, &next);
	for (seconds = 1; !ended; seconds++) {
		next.tv_sec++;
		while (!ended && !pthread_cond_timedwait(&over, &lock, &next))
			;
		if (!ended)
			fprintf(stderr,
				"\rwaiting for %s: %u s, Ctrl-C ends it ", what,
				seconds);
	}
	if (seconds > 2)
		fputs("\r\033[K", stderr);
	pthread_mutex_unlock(&lock);
	return NULL;
}

void wait_begin(const char *what)
{
	if (!isatty(STDERR_FILENO))
		return;
	ended = false;
	running = !pthread_create(&teller, NULL, tell, (void *)what);
}

void wait_end(void)
{
	if (!running)
		return;
	pthread_mutex_lock(&lock);
	ended = true;
	pthread_cond_signal(&over);
	pthread_mutex_unlock(&lock);
	pthread_join(teller, NULL);
	running = false;
}
