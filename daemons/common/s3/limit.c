// SPDX-License-Identifier: GPL-2.0-only
/*
 * Time limits of requests. A short request has a fixed time for all its tries; a
 * long one must keep moving bytes. So a server that drips blocks no caller, and
 * every wait ends when the daemon is told to end.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "s3_impl.h"

#define SLICE 100 /* ms between two looks at whether to give up */

/**
 * vdfs_s3_clock() - a clock for how long things take
 *
 * Context: Any.
 * Return: Milliseconds.
 */
int64_t vdfs_s3_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* Lists are text, and have no more time than that. */
static bool is_small(const struct vdfs_s3_request *rq)
{
	if (rq->source)
		return rq->source->size <= VDFS_S3_SMALL;
	return !rq->sink || rq->sink->small;
}

/**
 * vdfs_s3_begin() - say when a request has to be over
 * @rq: The request, before its first try.
 *
 * Context: The thread of the request.
 */
void vdfs_s3_begin(struct vdfs_s3_request *rq)
{
	if (is_small(rq))
		rq->end = vdfs_s3_clock() + 1000LL * rq->s3->options.answer_s;
}

/**
 * vdfs_s3_start() - begin to measure how fast a try is
 * @rq: The request.
 *
 * Context: The thread of the request.
 */
void vdfs_s3_start(struct vdfs_s3_request *rq)
{
	const struct vdfs_s3_options *o = &rq->s3->options;

	rq->until = vdfs_s3_clock() + o->connect_ms + 1000LL * o->stall_s;
	rq->moved = 0;
}

/**
 * vdfs_s3_limit() - whether a request may go on
 * @rq: The request.
 *
 * Bytes that move give it time, and never more than it had at its start.
 *
 * Context: The thread of the request.
 * Return: 0, -ETIMEDOUT, or -ESHUTDOWN when the caller is to end.
 */
int vdfs_s3_limit(struct vdfs_s3_request *rq)
{
	const struct vdfs_s3_options *o = &rq->s3->options;
	int64_t now = vdfs_s3_clock(), most;
	uint64_t moved = rq->at + rq->got;

	if (o->stop && o->stop(o->stop_arg))
		return -ESHUTDOWN;
	if (rq->end)
		return now < rq->end ? 0 : -ETIMEDOUT;
	/* A body that is sent once more starts at 0 again. */
	if (moved > rq->moved)
		rq->until += (moved - rq->moved) * 1000 / VDFS_S3_RATE;
	rq->moved = moved;
	most = now + o->connect_ms + 1000LL * o->stall_s;
	if (rq->until > most)
		rq->until = most;
	return now < rq->until ? 0 : -ETIMEDOUT;
}

/**
 * vdfs_s3_wait() - wait before the next try
 * @rq: The request.
 * @ms: How long.
 *
 * Context: The thread of the request.
 * Return: 0, or why there is to be none, as vdfs_s3_limit().
 */
int vdfs_s3_wait(struct vdfs_s3_request *rq, unsigned int ms)
{
	struct timespec t = { .tv_nsec = SLICE * 1000000L };
	int64_t until = vdfs_s3_clock() + ms;
	int err;

	vdfs_s3_start(rq);
	do {
		nanosleep(&t, NULL);
		err = vdfs_s3_limit(rq);
	} while (!err && vdfs_s3_clock() < until);
	return err;
}
