// SPDX-License-Identifier: GPL-2.0-only
/*
 * Work for other processors. Of a large blob every byte is hashed twice, with
 * its piece and with the whole, which costs more than all else: threads of the
 * store do that while the put cuts and writes; and they read a part of what is
 * read at once. They serve their users in turn. A thread that waits for a job
 * does it, or another of its own, meanwhile, so nobody needs the helpers.
 */
#include <stdlib.h>
#include <unistd.h>

#include "pace.h"
#include "pool.h"

enum { WAITING, RUNNING, DONE };

/**
 * vdfs_helpers_init() - make a pool with no threads yet
 * @pool: The pool.
 *
 * Context: Before its first user.
 */
void vdfs_helpers_init(struct vdfs_helpers *pool)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->work, NULL);
	TAILQ_INIT(&pool->turns);
	/* One processor is the caller's. */
	pool->wanted = cpus > 1 ? (unsigned int)cpus - 1 : 0;
	if (pool->wanted > VDFS_HELPERS)
		pool->wanted = VDFS_HELPERS;
}

/**
 * vdfs_helpers_fini() - end the threads
 * @pool: The pool, in which nothing is left to do.
 *
 * Context: After its last user.
 */
void vdfs_helpers_fini(struct vdfs_helpers *pool)
{
	unsigned int i;

	pthread_mutex_lock(&pool->lock);
	pool->stop = true;
	pthread_cond_broadcast(&pool->work);
	pthread_mutex_unlock(&pool->lock);
	for (i = 0; i < pool->threads; i++)
		pthread_join(pool->thread[i], NULL);
	pthread_cond_destroy(&pool->work);
	pthread_mutex_destroy(&pool->lock);
}

/* With the lock held, take a job that waits. */
static void take(struct vdfs_helpers *pool, struct vdfs_jobs *queue,
		 struct vdfs_job *job)
{
	TAILQ_REMOVE(&queue->jobs, job, link);
	TAILQ_REMOVE(&pool->turns, queue, link);
	if (!TAILQ_EMPTY(&queue->jobs))
		TAILQ_INSERT_TAIL(&pool->turns, queue, link);
	job->state = RUNNING;
	queue->running++;
}

/* Charge processor time to the user whom the job is for. */
static int run_for(struct vdfs_job *job)
{
	uint64_t since;
	int err;

	if (job->uid == pace_user())
		return job->fn(job);
	since = pace_time();
	err = job->fn(job);
	pace_helped(job->uid, pace_time() - since);
	return err;
}

/* With the lock held, which is given up meanwhile. */
static void run(struct vdfs_helpers *pool, struct vdfs_jobs *queue,
		struct vdfs_job *job)
{
	int err;

	take(pool, queue, job);
	pthread_mutex_unlock(&pool->lock);
	err = run_for(job);
	pthread_mutex_lock(&pool->lock);
	job->err = err;
	job->state = DONE;
	queue->running--;
	if (queue->waits)
		pthread_cond_signal(&queue->done);
}

static void *helper(void *arg)
{
	struct vdfs_helpers *pool = arg;
	struct vdfs_jobs *queue;

	pthread_mutex_lock(&pool->lock);
	while (!pool->stop) {
		queue = TAILQ_FIRST(&pool->turns);
		if (queue) {
			run(pool, queue, TAILQ_FIRST(&queue->jobs));
			continue;
		}
		pool->idle++;
		pthread_cond_wait(&pool->work, &pool->lock);
		pool->idle--;
	}
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

/* With the lock held: one thread more, as long as there is work for it. */
static void start_thread(struct vdfs_helpers *pool)
{
	if (pool->threads == pool->wanted)
		return;
	if (pthread_create(&pool->thread[pool->threads], NULL, helper, pool))
		pool->wanted = pool->threads;
	else
		pool->threads++;
}

/**
 * vdfs_jobs_init() - make a queue
 * @queue: The queue.
 *
 * Context: Before its first job.
 */
void vdfs_jobs_init(struct vdfs_jobs *queue)
{
	TAILQ_INIT(&queue->jobs);
	pthread_cond_init(&queue->done, NULL);
	queue->running = 0;
	queue->waits = false;
}

/**
 * vdfs_jobs_fini() - forget what waits, wait for what runs
 * @pool: The pool.
 * @queue: The queue.
 *
 * Context: The owner of the queue.
 */
void vdfs_jobs_fini(struct vdfs_helpers *pool, struct vdfs_jobs *queue)
{
	pthread_mutex_lock(&pool->lock);
	if (!TAILQ_EMPTY(&queue->jobs))
		TAILQ_REMOVE(&pool->turns, queue, link);
	TAILQ_INIT(&queue->jobs);
	queue->waits = true;
	while (queue->running)
		pthread_cond_wait(&queue->done, &pool->lock);
	pthread_mutex_unlock(&pool->lock);
	pthread_cond_destroy(&queue->done);
}

/**
 * vdfs_job_start() - have something done
 * @pool: The pool.
 * @queue: The caller's.
 * @job: With all but its state and error.
 *
 * Context: The owner of the queue.
 */
void vdfs_job_start(struct vdfs_helpers *pool, struct vdfs_jobs *queue,
		    struct vdfs_job *job)
{
	job->uid = pace_user();
	pthread_mutex_lock(&pool->lock);
	job->state = WAITING;
	if (TAILQ_EMPTY(&queue->jobs))
		TAILQ_INSERT_TAIL(&pool->turns, queue, link);
	TAILQ_INSERT_TAIL(&queue->jobs, job, link);
	if (pool->idle)
		pthread_cond_signal(&pool->work);
	else
		start_thread(pool);
	pthread_mutex_unlock(&pool->lock);
}

/**
 * vdfs_job_wait() - wait until something is done
 * @pool: The pool.
 * @queue: The caller's.
 * @job: A job that was started; nothing is done twice.
 *
 * Runs the job if no thread has begun it; while another thread runs it, runs
 * other jobs of the queue.
 *
 * Context: The owner of the queue.
 * Return: The result of the job.
 */
int vdfs_job_wait(struct vdfs_helpers *pool, struct vdfs_jobs *queue,
		  struct vdfs_job *job)
{
	struct vdfs_job *next;

	pthread_mutex_lock(&pool->lock);
	while (job->state != DONE) {
		next = job->state == WAITING ? job : TAILQ_FIRST(&queue->jobs);
		if (next) {
			run(pool, queue, next);
			continue;
		}
		queue->waits = true;
		pthread_cond_wait(&queue->done, &pool->lock);
		queue->waits = false;
	}
	pthread_mutex_unlock(&pool->lock);
	return job->err;
}
