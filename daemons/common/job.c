// SPDX-License-Identifier: GPL-2.0-only
/* Jobs: work of minutes, each in a thread of its own. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/pace.h"
#include "call.h"
#include "clock.h"
#include "daemon.h"
#include "handle.h"
#include "job.h"
#include "session.h"

/* The shortest time between news, and the bytes of lines kept for a call. */
#define NEWS_NS 100000000ULL
#define TEXT_MAX (256 << 10)

/**
 * job_init() - set up a job
 * @job: Zeroed.
 * @session: The session that starts it.
 * @run: Does the work, see &struct job.
 * @ran: Runs after it; or NULL.
 *
 * Context: Any thread.
 */
void job_init(struct job *job, struct session *session,
	      int (*run)(struct job *job), void (*ran)(struct job *job))
{
	pthread_mutex_init(&job->lock, NULL);
	job->session = session;
	job->run = run;
	job->ran = ran;
	job->told_ns = clock_ns();
}

/**
 * job_fini() - undo job_init()
 * @job: A job that is finished, or was never started.
 *
 * Context: Any thread, without the lock.
 */
void job_fini(struct job *job)
{
	pthread_mutex_destroy(&job->lock);
	free(job->text);
}

/**
 * job_cancel() - ask a job to end soon
 * @job: Job.
 *
 * Context: Any thread.
 */
void job_cancel(struct job *job)
{
	atomic_store(&job->stop, true);
}

/* Queue the call that waits for news again. */
static void wake(struct job *job)
{
	struct daemon *d = job->session->daemon;
	struct call *waiter;

	pthread_mutex_lock(&job->lock);
	waiter = job->waiter;
	job->waiter = NULL;
	pthread_mutex_unlock(&job->lock);
	if (!waiter)
		return;
	pthread_mutex_lock(&d->lock);
	call_requeue(waiter);
	pthread_mutex_unlock(&d->lock);
}

/**
 * job_progress() - note how far a job is
 * @arg: The job.
 * @done: Work done.
 * @total: Of that; 0 = it only asks whether to go on.
 *
 * Context: The job's thread.
 * Return: Whether the job is to go on.
 */
bool job_progress(void *arg, uint64_t done, uint64_t total)
{
	struct job *job = arg;
	bool due;

	if (!total)
		return !atomic_load(&job->stop);
	pthread_mutex_lock(&job->lock);
	job->done = done;
	job->total = total;
	job->fresh = true;
	due = job->waiter && clock_ns() - job->told_ns >= NEWS_NS;
	pthread_mutex_unlock(&job->lock);
	if (due)
		wake(job);
	return !atomic_load(&job->stop);
}

/* Keep a line until a call gets it; without room, count it. */
static void keep_line(struct job *job, const char *line)
{
	size_t len = strlen(line);

	pthread_mutex_lock(&job->lock);
	if (!job->text)
		job->text = malloc(TEXT_MAX);
	if (!job->text || len + 1 > TEXT_MAX - job->text_len) {
		job->lost++;
	} else {
		memcpy(job->text + job->text_len, line, len);
		job->text_len += len;
		job->text[job->text_len++] = '\n';
	}
	pthread_mutex_unlock(&job->lock);
}

/**
 * job_report() - note a line for the client
 * @arg: The job.
 * @line: The line, without a newline.
 *
 * Context: The job's thread.
 */
void job_report(void *arg, const char *line)
{
	keep_line(arg, line);
	wake(arg);
}

/* Add the number of lost lines; whole lines make room for it, and are lost. */
static void say_lost(struct job *job)
{
	char text[64];

	pthread_mutex_lock(&job->lock);
	while (job->text_len > TEXT_MAX - sizeof(text)) {
		job->text_len--;
		while (job->text_len && job->text[job->text_len - 1] != '\n')
			job->text_len--;
		job->lost++;
	}
	pthread_mutex_unlock(&job->lock);
	snprintf(text, sizeof(text), "%llu more lines were lost",
		 (unsigned long long)job->lost);
	keep_line(job, text);
}

/* The end of a job; a call that sees @finished frees it. */
static struct call *finish(struct job *job, int status)
{
	struct call *waiter;

	pthread_mutex_lock(&job->lock);
	job->status = status;
	job->finished = true;
	waiter = job->waiter;
	job->waiter = NULL;
	pthread_mutex_unlock(&job->lock);
	return waiter;
}

static void *job_thread(void *arg)
{
	struct job *job = arg;
	struct session *session = job->session;
	struct daemon *d = session->daemon;
	struct call *waiter;
	int status;

	pace_enter(session->user->uid);
	status = job->run(job);
	pace_leave();
	if (job->lost)
		say_lost(job);
	if (job->ran)
		job->ran(job);
	waiter = finish(job, status);
	/* From here on the job may be freed. */
	pthread_mutex_lock(&d->lock);
	if (waiter)
		call_requeue(waiter);
	session->user->jobs--;
	pthread_mutex_unlock(&d->lock);
	session_put(session);
	/* Last: jobs_wait() is followed by the end of all sessions. */
	pthread_mutex_lock(&d->lock);
	d->jobs--;
	pthread_cond_signal(&d->jobs_done);
	pthread_mutex_unlock(&d->lock);
	return NULL;
}

static int start_thread(struct job *job)
{
	struct session *session = job->session;
	struct daemon *d = session->daemon;
	pthread_attr_t attr;
	pthread_t thread;
	int ret = 0;

	pthread_mutex_lock(&d->lock);
	if (d->stopping)
		ret = -ECANCELED;
	else if (d->jobs >= JOBS_MAX || session->user->jobs >= USER_JOBS_MAX)
		ret = -EAGAIN;
	if (!ret) {
		d->jobs++;
		session->user->jobs++;
		session->refs++;
	}
	pthread_mutex_unlock(&d->lock);
	if (ret)
		return ret;
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	ret = -pthread_create(&thread, &attr, job_thread, job);
	pthread_attr_destroy(&attr);
	if (!ret)
		return 0;
	pthread_mutex_lock(&d->lock);
	d->jobs--;
	session->user->jobs--;
	pthread_mutex_unlock(&d->lock);
	session_put(session);
	return ret;
}

/**
 * job_start() - start a job
 * @job: Job that its session holds: clients may already name it.
 *
 * A job that cannot start is finished at once, with the reason as its status.
 *
 * Context: A worker, for a call of the session.
 */
void job_start(struct job *job)
{
	struct daemon *d = job->session->daemon;
	/* Once it runs, a call that sees its end may free it. */
	int ret = start_thread(job);
	struct call *waiter;

	if (!ret)
		return;
	if (job->ran)
		job->ran(job);
	waiter = finish(job, ret);
	if (!waiter)
		return;
	pthread_mutex_lock(&d->lock);
	call_requeue(waiter);
	pthread_mutex_unlock(&d->lock);
}

/* Move as many whole lines as there is room for; under job.lock. */
static void move_text(struct job *job, struct job_news *news)
{
	size_t len = job->text_len;

	if (len > news->room) {
		for (len = news->room; len && job->text[len - 1] != '\n'; len--)
			;
	}
	if (!len)
		return;
	memcpy(news->text, job->text, len);
	memmove(job->text, job->text + len, job->text_len - len);
	job->text_len -= len;
	news->len = len;
}

/**
 * job_wait() - get the news of a job
 * @job: Job that the caller uses alone.
 * @c: Call that wants them; parked with the job when there are none.
 * @news: Out.
 *
 * Context: Worker.
 * Return: 0 when the job is finished and no line is left, so that nobody else
 * touches it; -EINPROGRESS with news; CALL_PARKED; or -EBUSY when another call
 * waits for news.
 */
int job_wait(struct job *job, struct call *c, struct job_news *news)
{
	int ret = -EINPROGRESS;
	uint64_t now = clock_ns();

	pthread_mutex_lock(&job->lock);
	if (job->text_len && news->room)
		move_text(job, news);
	news->done = job->done;
	news->total = job->total;
	if (job->finished && (!job->text_len || !news->len)) {
		ret = 0;
	} else if (news->len || job->finished ||
		   (job->fresh && now - job->told_ns >= NEWS_NS)) {
		job->told_ns = now;
		job->fresh = false;
	} else if (job->waiter) {
		ret = -EBUSY;
	} else {
		job->waiter = c;
		ret = CALL_PARKED;
	}
	pthread_mutex_unlock(&job->lock);
	return ret;
}

/**
 * jobs_wait() - end all jobs
 * @d: Daemon that refuses new ones.
 *
 * Context: Main thread, while workers run.
 */
void jobs_wait(struct daemon *d)
{
	uint32_t i;

	pthread_mutex_lock(&d->lock);
	for (i = 0; i < DAEMON_SESSIONS_MAX; i++) {
		if (d->sessions[i])
			handles_cancel(d->sessions[i]);
	}
	while (d->jobs)
		pthread_cond_wait(&d->jobs_done, &d->lock);
	pthread_mutex_unlock(&d->lock);
}
