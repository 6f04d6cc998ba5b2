/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFS_POOL_H
#define VDFS_POOL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct vdfs_job;
struct vdfs_jobs;

#define VDFS_HELPERS 8

TAILQ_HEAD(vdfs_job_list, vdfs_job);
TAILQ_HEAD(vdfs_job_turns, vdfs_jobs);

/**
 * struct vdfs_job - something to be done, part of what its owner is
 * @link: In its queue.
 * @fn: Does it, in any thread, and returns 0 or a negative errno.
 * @state: The pool's, as is the next.
 * @err: Result, 0 or a negative errno.
 * @uid: User whom the thread that started it serves, see pace_user().
 */
struct vdfs_job {
	TAILQ_ENTRY(vdfs_job) link;
	int (*fn)(struct vdfs_job *job);
	int state;
	int err;
	int64_t uid;
};

/**
 * struct vdfs_jobs - jobs of one owner
 * @link: In the pool, while it has any.
 * @jobs: Those that nobody has begun.
 * @running: How many somebody has.
 * @waits: The owner does.
 * @done: One is done.
 */
struct vdfs_jobs {
	TAILQ_ENTRY(vdfs_jobs) link;
	struct vdfs_job_list jobs;
	unsigned int running;
	bool waits;
	pthread_cond_t done;
};

/**
 * struct vdfs_helpers - threads that help
 * @lock: Of all that is here, of queues and of jobs; innermost.
 * @work: There is some, or it ends.
 * @turns: Queues that have jobs.
 * @wanted: Threads there may be,
 * @threads: there are,
 * @idle: and that have nothing to do.
 * @stop: They are to end.
 * @thread: Them.
 */
struct vdfs_helpers {
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct vdfs_job_turns turns;
	unsigned int wanted;
	unsigned int threads;
	unsigned int idle;
	bool stop;
	pthread_t thread[VDFS_HELPERS];
};

void vdfs_helpers_init(struct vdfs_helpers *pool);
void vdfs_helpers_fini(struct vdfs_helpers *pool);
void vdfs_jobs_init(struct vdfs_jobs *queue);
void vdfs_jobs_fini(struct vdfs_helpers *pool, struct vdfs_jobs *queue);
void vdfs_job_start(struct vdfs_helpers *pool, struct vdfs_jobs *queue,
		    struct vdfs_job *job);
int vdfs_job_wait(struct vdfs_helpers *pool, struct vdfs_jobs *queue,
		  struct vdfs_job *job);

#endif /* VDFS_POOL_H */
