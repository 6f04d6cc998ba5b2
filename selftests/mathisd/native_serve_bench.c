// SPDX-License-Identifier: GPL-2.0-only
/*
 * Processor time of a call that does almost nothing, time_mono: in this process,
 * and over a ring from another, where no module checks it.
 */
#include <errno.h>
#include <mathis/calls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "rig.h"

#define CALLS 2000000
#define ROUNDS 5
#define IN_FLIGHT 512

static double seconds(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int call_here(struct md_session *s, uint16_t id)
{
	struct md_call *c = md_call_new(s, id, 0);
	int ret = c && md_call_start(c) == MD_DONE ? 0 : -EIO;

	if (c)
		md_call_put(c);
	return ret;
}

/* Seconds of CALLS calls in this process, one after the other. */
static double measure_here(struct md_session *s, uint16_t id)
{
	double begin = seconds(CLOCK_THREAD_CPUTIME_ID);

	for (int i = 0; i < CALLS; i++) {
		if (call_here(s, id))
			return -1;
	}
	return seconds(CLOCK_THREAD_CPUTIME_ID) - begin;
}

/* The same over a ring, with many in flight. */
static double measure_ring(struct mathis_client *c, uint16_t id)
{
	struct mathis_reply reply;
	double begin = seconds(CLOCK_THREAD_CPUTIME_ID);
	uint64_t ticket;
	int sent = 0, told = 0, ret = 0;

	mathis_pool_init(&reply.pool, 0);
	while (told < CALLS && !ret) {
		while (sent < CALLS && sent - told < IN_FLIGHT &&
		       !mathis_client_submit(c, id, NULL, 0, 0, 0, &ticket))
			sent++;
		ret = mathis_client_wait(c, &reply, 0);
		told += !ret;
		while (!ret && told < sent) {
			ret = mathis_client_wait(c, &reply, 1);
			told += !ret;
		}
		ret = ret == -EAGAIN || ret == -ETIMEDOUT ? 0 : ret;
	}
	mathis_pool_fini(&reply.pool);
	return ret ? -1 : seconds(CLOCK_THREAD_CPUTIME_ID) - begin;
}

static void report(const char *what, double best)
{
	printf("%-28s %7.1f ns a call, %5.2f million a second\n", what,
	       best / CALLS * 1e9, CALLS / best / 1e6);
	fflush(stdout);
}

int main(void)
{
	int number = mathis_call_number("time_mono", 9);
	struct rig_client c;
	struct rig rig;
	double best = 1e9, server;
	clockid_t clock;
	int status = 1;

	if (!rig_init(&rig, "{}") || rig_open(&rig, 1000, 1024, 1 << 18, &c))
		return 1;
	for (int i = 0; i < ROUNDS; i++) {
		double t = measure_here(c.session->md, (uint16_t)number);

		if (t < 0)
			return 1;
		best = t < best ? t : best;
	}
	report("in this process", best);
	pthread_getcpuclockid(rig.thread, &clock);
	server = seconds(clock);
	if (!fork()) {
		best = 1e9;
		for (int i = 0; i < ROUNDS; i++) {
			double t = measure_ring(c.client, (uint16_t)number);

			if (t < 0)
				_exit(1);
			best = t < best ? t : best;
		}
		report("over a ring, the client", best);
		_exit(0);
	}
	wait(&status);
	report("over a ring, mathisd", (seconds(clock) - server) / ROUNDS);
	rig_close(&c);
	rig_fini(&rig);
	return status != 0;
}
