/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef COMMON_JOB_H
#define COMMON_JOB_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct call;
struct daemon;
struct session;

/* Jobs of the daemon, and of one user. */
#define JOBS_MAX 64
#define USER_JOBS_MAX 16

/**
 * struct job - work of minutes, in a thread of its own
 * @session: The session that started it; its thread holds a reference.
 * @run: Does the work and returns the job's status.
 * @ran: Runs after @run, in the same thread; or NULL.
 * @stop: Set when it is to end soon.
 * @lock: Guards all below; taken last.
 * @waiter: Call to be queued again when there is news, or NULL.
 * @status: Its result, once @finished.
 * @finished: Its thread does not touch it any more.
 * @done: Progress, of @total.
 * @total: Amount of work, 0 = not known yet.
 * @told_ns: When a call last got news.
 * @fresh: There is progress since.
 * @text: Lines that no call has got yet.
 * @text_len: Their length.
 * @lost: Lines there was no room for.
 */
struct job {
	struct session *session;
	int (*run)(struct job *job);
	void (*ran)(struct job *job);
	atomic_bool stop;
	pthread_mutex_t lock; /* last, see "The floor under all daemons" */
	struct call *waiter;
	int status;
	bool finished;
	uint64_t done;
	uint64_t total;
	uint64_t told_ns;
	bool fresh;
	char *text;
	size_t text_len;
	uint64_t lost;
};

/**
 * struct job_news - what a call learns of a job
 * @text: Room for lines.
 * @room: Its length.
 * @len: Out, bytes of whole lines put there.
 * @done: Out, progress.
 * @total: Out, amount of work.
 */
struct job_news {
	char *text;
	size_t room;
	size_t len;
	uint64_t done;
	uint64_t total;
};

void job_init(struct job *job, struct session *session,
	      int (*run)(struct job *job), void (*ran)(struct job *job));
void job_fini(struct job *job);
void job_start(struct job *job);
void job_cancel(struct job *job);
bool job_progress(void *job, uint64_t done, uint64_t total);
void job_report(void *job, const char *line);
int job_wait(struct job *job, struct call *c, struct job_news *news);
void jobs_wait(struct daemon *d);

#endif /* COMMON_JOB_H */
