// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hashing on other processors. Of a large blob every byte is hashed twice,
 * with its piece and with the whole, which costs more than all else: threads
 * of the store do that while the put cuts and writes. They take puts in turn.
 * A put that waits for a hash hashes meanwhile, so it needs none of them.
 */
#include <stdlib.h>
#include <unistd.h>

#include "store_impl.h"

enum { WAITING, RUNNING, DONE };

/**
 * vdfs_hashers_init() - make a pool with no threads yet
 * @pool: The pool.
 *
 * Context: Before its first user.
 */
void vdfs_hashers_init(struct vdfs_hashers *pool)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->work, NULL);
	TAILQ_INIT(&pool->turns);
	/* One processor is the caller's. */
	pool->wanted = cpus > 1 ? (unsigned int)cpus - 1 : 0;
	if (pool->wanted > VDFS_HASHERS)
		pool->wanted = VDFS_HASHERS;
}

/**
 * vdfs_hashers_fini() - end the threads
 * @pool: The pool, in which nothing is left to do.
 *
 * Context: After its last user.
 */
void vdfs_hashers_fini(struct vdfs_hashers *pool)
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
static void take(struct vdfs_hashers *pool, struct vdfs_hash_queue *queue,
		 struct vdfs_hash_job *job)
{
	TAILQ_REMOVE(&queue->jobs, job, link);
	TAILQ_REMOVE(&pool->turns, queue, link);
	if (!TAILQ_EMPTY(&queue->jobs))
		TAILQ_INSERT_TAIL(&pool->turns, queue, link);
	job->state = RUNNING;
	queue->running++;
}

/* With the lock held, which is given up meanwhile. */
static void run(struct vdfs_hashers *pool, struct vdfs_hash_queue *queue,
		struct vdfs_hash_job *job)
{
	int err;

	take(pool, queue, job);
	pthread_mutex_unlock(&pool->lock);
	err = job->ctx ? vdfs_hash_more(job->ctx, job->data, job->len) :
			 vdfs_hash_bytes(job->data, job->len, job->out);
	pthread_mutex_lock(&pool->lock);
	job->err = err;
	job->state = DONE;
	queue->running--;
	if (queue->waits)
		pthread_cond_signal(&queue->done);
}

static void *hasher(void *arg)
{
	struct vdfs_hashers *pool = arg;
	struct vdfs_hash_queue *queue;

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
static void start_thread(struct vdfs_hashers *pool)
{
	if (pool->threads == pool->wanted)
		return;
	if (pthread_create(&pool->thread[pool->threads], NULL, hasher, pool))
		pool->wanted = pool->threads;
	else
		pool->threads++;
}

/**
 * vdfs_hash_queue_init() - make a queue
 * @queue: The queue.
 *
 * Context: Before its first job.
 */
void vdfs_hash_queue_init(struct vdfs_hash_queue *queue)
{
	TAILQ_INIT(&queue->jobs);
	pthread_cond_init(&queue->done, NULL);
	queue->running = 0;
	queue->waits = false;
}

/**
 * vdfs_hash_queue_fini() - forget what waits, wait for what runs
 * @pool: The pool.
 * @queue: The queue.
 *
 * Context: The owner of the queue.
 */
void vdfs_hash_queue_fini(struct vdfs_hashers *pool,
			  struct vdfs_hash_queue *queue)
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
 * vdfs_hash_start() - have something hashed
 * @pool: The pool.
 * @queue: The caller's.
 * @job: With all but its state and error; those of one @ctx one by one.
 *
 * Context: The owner of the queue.
 */
void vdfs_hash_start(struct vdfs_hashers *pool, struct vdfs_hash_queue *queue,
		     struct vdfs_hash_job *job)
{
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
 * vdfs_hash_wait() - wait until something is hashed
 * @pool: The pool.
 * @queue: The caller's.
 * @job: A job that was started; nothing is done twice.
 *
 * What nobody has begun is done here, and while another thread is at it,
 * other jobs of the queue are.
 *
 * Context: The owner of the queue.
 * Return: 0 or -ENOMEM.
 */
int vdfs_hash_wait(struct vdfs_hashers *pool, struct vdfs_hash_queue *queue,
		   struct vdfs_hash_job *job)
{
	struct vdfs_hash_job *next;

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
