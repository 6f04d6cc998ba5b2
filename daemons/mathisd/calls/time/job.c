// SPDX-License-Identifier: GPL-2.0-only
/*
 * 0x0C12, 0x0C13: jobs, which run a function of the program at the times of a
 * cron. A job either waits for its timer or for the end of a run, with one
 * reference for both, until it stops.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>

#include "core/upcall.h"
#include "cron.h"

/* A step of the clock is seen after so long at the latest. */
#define LOOK_MS 60000

struct job {
	struct md_object base;
	struct md_core *core;
	struct md_object *cron;
	struct md_func *func;
	int64_t id;

	pthread_mutex_t lock; /* guards the rest */
	bool closed;
	int64_t scheduled; /* the next run, ms since 1970 */
	int64_t fired; /* the last run */
	struct md_timer timer;
};

/* Of a session. */
struct jobs {
	_Atomic int64_t last_id;
};

static const struct md_own_kind kind = { .size = sizeof(struct jobs) };

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void free_job(struct md_object *object)
{
	struct job *job = (struct job *)object;

	md_func_put(job->func);
	md_object_put(job->cron);
	pthread_mutex_destroy(&job->lock);
	free(job);
}

static void close_job(struct md_object *object)
{
	struct job *job = (struct job *)object;
	bool waited;

	pthread_mutex_lock(&job->lock);
	job->closed = true;
	waited = md_timer_remove(job->core, &job->timer);
	pthread_mutex_unlock(&job->lock);
	if (waited)
		md_object_put(object);
}

/* Wait for the next run; false: the job stops. With the lock. */
static bool arm(struct job *job)
{
	int64_t ms = job->scheduled - now_ms();

	if (job->closed)
		return false;
	if (ms < 0)
		ms = 0;
	if (ms > LOOK_MS)
		ms = LOOK_MS;
	return !md_timer_add(job->core, &job->timer,
			     md_now() + (uint64_t)ms * 1000000);
}

/* Find the time of the next run: one that has passed stands for all such. */
static bool go_on(struct job *job)
{
	bool goes;
	int64_t t;

	pthread_mutex_lock(&job->lock);
	t = job->fired > job->scheduled ? job->fired : job->scheduled;
	t = cron_after(job->cron, t / 1000);
	goes = t != CRON_NEVER;
	if (goes) {
		job->scheduled = t * 1000;
		goes = arm(job);
	}
	pthread_mutex_unlock(&job->lock);
	return goes;
}

static void ended(struct md_upcall *u)
{
	struct job *job = u->own;

	if (!go_on(job))
		md_object_put(&job->base);
}

/* Begin a run, whose end may come before this returns: 0 or -errno. */
static int run(struct job *job)
{
	struct md_upcall *u = md_upcall_new(job->func);
	struct mathis_item map;
	int ret;

	if (!u)
		return -ENOMEM;
	map = mathis_item_seq(&u->pool, MATHIS_MAP, 6);
	mathis_item_put(&u->pool, &map, "id", mathis_item_int(job->id));
	mathis_item_put(&u->pool, &map, "scheduled",
			mathis_item_int(job->scheduled));
	mathis_item_put(&u->pool, &map, "fired", mathis_item_int(job->fired));
	u->args[u->n++] = map;
	u->own = job;
	u->done = ended;
	ret = md_upcall_start(u, 0);
	md_upcall_put(u);
	return ret;
}

static void fire(struct md_timer *timer)
{
	struct job *job =
		(struct job *)((char *)timer - offsetof(struct job, timer));
	int64_t now = now_ms();
	bool due, goes;

	pthread_mutex_lock(&job->lock);
	due = now >= job->scheduled;
	if (due)
		job->fired = now;
	goes = due ? !job->closed : arm(job);
	pthread_mutex_unlock(&job->lock);
	if (goes && due) {
		int ret = run(job);

		if (!ret)
			return;
		/* Without room for it the run is left out. */
		goes = ret != -EPIPE && go_on(job);
	}
	if (!goes)
		md_object_put(&job->base);
}

/* Set up a job but for its times: 0, or MD_FAILED, which was reported. */
static int fill(struct md_call *c, struct job *job)
{
	struct jobs *jobs = md_session_own(c->session, &kind);

	job->cron = md_handle_get(c, MD_KIND_cron, &c->args[0]);
	if (!job->cron)
		return MD_FAILED;
	if (!jobs)
		return md_fail(c, MATHIS_OUT_OF_MEMORY, "no memory");
	if (c->args[1].aux != 1)
		return md_fail(c, MATHIS_ARITY,
			       "the function of a job takes one value");
	job->func = md_func_take(c, &c->args[1]);
	if (!job->func)
		return MD_FAILED;
	job->id = ++jobs->last_id;
	return 0;
}

int md_cron_schedule(struct md_call *c)
{
	struct job *job = calloc(1, sizeof(*job));
	int64_t t;
	bool armed;

	if (!job)
		return md_fail(c, MATHIS_OUT_OF_MEMORY, "no memory");
	md_object_init(&job->base, free_job);
	job->base.close = close_job;
	job->core = c->session->core;
	job->timer.fire = fire;
	pthread_mutex_init(&job->lock, NULL);
	if (fill(c, job)) {
		md_object_put(&job->base);
		return MD_FAILED;
	}
	t = cron_after(job->cron, now_ms() / 1000);
	if (t == CRON_NEVER) {
		md_object_put(&job->base);
		return md_fail(c, MATHIS_NOT_FOUND, "it never comes");
	}
	job->scheduled = t * 1000;
	atomic_fetch_add(&job->base.refs, 1);
	pthread_mutex_lock(&job->lock);
	armed = arm(job);
	pthread_mutex_unlock(&job->lock);
	if (!armed) {
		md_object_put(&job->base);
		md_object_put(&job->base);
		return md_fail(c, MATHIS_OUT_OF_MEMORY, "no timer");
	}
	return md_return_handle(c, MD_KIND_job, &job->base);
}

int md_cron_cancel(struct md_call *c)
{
	/* A handle that is not open is one of a job that was cancelled. */
	md_handle_close(c, MD_KIND_job, &c->args[0]);
	return MD_DONE;
}
