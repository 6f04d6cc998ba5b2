// SPDX-License-Identifier: GPL-2.0-only
/* Jobs: what may take minutes, each in a thread of its own. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "serve_impl.h"

#define JOBS_MAX 64
#define USER_JOBS_MAX 16

/* How often there is news, and how much text waits for who asks. */
#define NEWS_NS 100000000ULL
#define TEXT_MAX (256 << 10)

/**
 * struct job - something long
 * @session: Whose; the thread holds a reference.
 * @run: What it does; its result is @answer.status.
 * @flags: Of the request.
 * @name: Of a collection to be opened.
 * @id: The slot of @collection, used until the end; 0 = none.
 * @collection: What it works on, or opened.
 * @stop: It shall end.
 * @lock: Guards all below.
 * @waiter: Call to be told the news, or NULL.
 * @answer: What it will get.
 * @finished: The thread is at its end.
 * @told_ns: When there was news last.
 * @fresh: There is progress since.
 * @text: Lines not yet told.
 * @text_len: Their length.
 * @lost: Lines there was no room for.
 */
struct job {
	struct session *session;
	int (*run)(struct job *job);
	uint32_t flags;
	char name[VDFS_COLLECTION_NAME_MAX + 1];
	uint64_t id;
	struct vdfs_collection *collection;
	atomic_bool stop;
	pthread_mutex_t lock; /* last, see "Who does what" */
	struct call *waiter;
	struct phi_vdfs_answer answer;
	bool finished;
	uint64_t told_ns;
	bool fresh;
	char *text;
	size_t text_len;
	uint64_t lost;
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

/* Let whoever waits for news look for it. */
static void job_tell(struct job *job)
{
	struct server *s = job->session->server;
	struct call *waiter;

	pthread_mutex_lock(&job->lock);
	waiter = job->waiter;
	job->waiter = NULL;
	pthread_mutex_unlock(&job->lock);
	if (!waiter)
		return;
	pthread_mutex_lock(&s->lock);
	call_requeue(waiter);
	pthread_mutex_unlock(&s->lock);
}

static bool job_progress(void *arg, uint64_t done, uint64_t total)
{
	struct job *job = arg;
	bool due;

	pthread_mutex_lock(&job->lock);
	job->answer.done = done;
	job->answer.total = total;
	job->fresh = true;
	due = job->waiter && now_ns() - job->told_ns >= NEWS_NS;
	pthread_mutex_unlock(&job->lock);
	if (due)
		job_tell(job);
	return !atomic_load(&job->stop);
}

/* Keep a line until it is asked for; without room, count it. */
static void job_line(struct job *job, const char *line)
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

static void job_report(void *arg, const char *line)
{
	job_line(arg, line);
	job_tell(arg);
}

static void *job_thread(void *arg)
{
	struct job *job = arg;
	struct session *session = job->session;
	struct server *s = session->server;
	int status = job->run(job);
	struct call *waiter;
	char text[64];

	if (job->lost) {
		snprintf(text, sizeof(text), "%llu more lines were lost",
			 (unsigned long long)job->lost);
		/* Room for this one is made, if need be, of the last. */
		if (job->text_len > TEXT_MAX - sizeof(text))
			job->text_len = TEXT_MAX - sizeof(text);
		job_line(job, text);
	}
	if (job->id)
		slot_put(session, KIND_COLLECTION, job->id);
	pthread_mutex_lock(&job->lock);
	job->answer.status = status;
	job->finished = true;
	waiter = job->waiter;
	job->waiter = NULL;
	pthread_mutex_unlock(&job->lock);
	/* Whoever sees that it is finished frees it: no more of it here. */
	pthread_mutex_lock(&s->lock);
	if (waiter)
		call_requeue(waiter);
	session->user->jobs--;
	pthread_mutex_unlock(&s->lock);
	session_put(session);
	/* Last: who waits for jobs to end frees all sessions then. */
	pthread_mutex_lock(&s->lock);
	s->jobs--;
	pthread_cond_signal(&s->jobs_done);
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

static int job_thread_start(struct job *job)
{
	struct server *s = job->session->server;
	pthread_attr_t attr;
	pthread_t thread;
	int ret = 0;

	pthread_mutex_lock(&s->lock);
	if (s->stopping)
		ret = -ECANCELED;
	else if (s->jobs >= JOBS_MAX ||
		 job->session->user->jobs >= USER_JOBS_MAX)
		ret = -EAGAIN;
	if (!ret) {
		s->jobs++;
		job->session->user->jobs++;
		job->session->refs++;
	}
	pthread_mutex_unlock(&s->lock);
	if (ret)
		return ret;
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	ret = -pthread_create(&thread, &attr, job_thread, job);
	pthread_attr_destroy(&attr);
	if (!ret)
		return 0;
	pthread_mutex_lock(&s->lock);
	s->jobs--;
	job->session->user->jobs--;
	pthread_mutex_unlock(&s->lock);
	session_put(job->session);
	return ret;
}

/* Start a job on @collection, the session's @id, which is used until its end. */
static int job_start(struct call *c, int (*run)(struct job *job), uint64_t id,
		     struct vdfs_collection *collection)
{
	struct job *job = calloc(1, sizeof(*job));
	int ret;

	if (!job)
		return -ENOMEM;
	pthread_mutex_init(&job->lock, NULL);
	job->session = c->session;
	job->run = run;
	job->flags = c->req.flags;
	job->told_ns = now_ns();
	if (c->name)
		snprintf(job->name, sizeof(job->name), "%s", c->name);
	job->id = id;
	job->collection = collection;
	ret = slot_add(c->session, KIND_JOB, job, &c->answer.id);
	if (ret) {
		job->collection = NULL;
		job_free(job);
		return ret;
	}
	ret = job_thread_start(job);
	if (!ret)
		return 0;
	/* The client may have guessed its number: let it end as all do. */
	if (id)
		slot_put(c->session, KIND_COLLECTION, id);
	pthread_mutex_lock(&job->lock);
	job->answer.status = ret;
	job->finished = true;
	pthread_mutex_unlock(&job->lock);
	job_tell(job);
	return 0;
}

/**
 * job_cancel() - ask a job to end soon
 * @ptr: Job.
 *
 * Context: Any thread.
 */
void job_cancel(void *ptr)
{
	struct job *job = ptr;

	atomic_store(&job->stop, true);
}

/**
 * job_free() - forget a job that is at its end, or never began
 * @ptr: Job.
 *
 * Context: Any thread, without the lock.
 */
void job_free(void *ptr)
{
	struct job *job = ptr;

	/* Opened for a client that never came to take it. */
	if (job->collection && !job->id)
		vdfs_collection_put(job->collection);
	pthread_mutex_destroy(&job->lock);
	free(job->text);
	free(job);
}

/**
 * jobs_wait() - end all jobs
 * @s: Daemon, stopping.
 *
 * Context: Main thread, while workers run.
 */
void jobs_wait(struct server *s)
{
	uint32_t i, j;

	pthread_mutex_lock(&s->lock);
	for (i = 0; i < SERVER_SESSIONS_MAX; i++) {
		for (j = 0; s->sessions[i] && j < PHI_VDFS_JOBS; j++) {
			struct slot *slot = &s->sessions[i]->slots[KIND_JOB][j];

			if (slot->id)
				job_cancel(slot->ptr);
		}
	}
	while (s->jobs)
		pthread_cond_wait(&s->jobs_done, &s->lock);
	pthread_mutex_unlock(&s->lock);
}

/* Give as many whole lines as there is room for; under job.lock. */
static void job_give_text(struct job *job, struct call *c)
{
	size_t len = job->text_len;

	if (len > c->room) {
		for (len = c->room; len && job->text[len - 1] != '\n'; len--)
			;
	}
	if (!len)
		return;
	memcpy(c->out, job->text, len);
	memmove(job->text, job->text + len, job->text_len - len);
	job->text_len -= len;
	c->answer.len = len;
}

/* The end of a job: its result, and what it opened. */
static int job_end(struct job *job, struct call *c)
{
	uint64_t tag = c->answer.tag;
	uint32_t len = c->answer.len;
	int status = job->answer.status;

	c->answer = job->answer;
	c->answer.tag = tag;
	c->answer.len = len;
	c->answer.id = 0;
	if (!status && job->collection && !job->id) {
		status = slot_add(c->session, KIND_COLLECTION, job->collection,
				  &c->answer.id);
		if (!status)
			job->collection = NULL;
	}
	job_free(job);
	return status;
}

/**
 * job_news() - serve JOB
 * @c: Call.
 *
 * Context: Worker.
 * Return: The job's status, -EINPROGRESS with news of it, CALL_PARKED until
 * there is news, -EBADF, or -EBUSY when another call waits for news.
 */
int job_news(struct call *c)
{
	struct session *session = c->session;
	struct job *job;
	void *ptr;
	int ret;

	ret = slot_get_alone(session, KIND_JOB, c->req.id, &ptr);
	if (ret)
		return ret;
	job = ptr;
	if (c->req.flags & PHI_VDFS_CANCEL)
		job_cancel(job);
	pthread_mutex_lock(&job->lock);
	if (job->text_len && c->room)
		job_give_text(job, c);
	if (job->finished && (!job->text_len || !c->answer.len)) {
		pthread_mutex_unlock(&job->lock);
		slot_remove(session, KIND_JOB, c->req.id);
		return job_end(job, c);
	}
	ret = -EINPROGRESS;
	if (!c->answer.len && !job->finished &&
	    !(job->fresh && now_ns() - job->told_ns >= NEWS_NS)) {
		ret = -EBUSY;
		if (!job->waiter) {
			job->waiter = c;
			ret = CALL_PARKED;
		}
	} else {
		c->answer.done = job->answer.done;
		c->answer.total = job->answer.total;
		job->told_ns = now_ns();
		job->fresh = false;
	}
	pthread_mutex_unlock(&job->lock);
	slot_put(session, KIND_JOB, c->req.id);
	return ret;
}

static int run_gc(struct job *job)
{
	struct vdfs_gc_result r = {};
	int ret;

	ret = vdfs_gc(job->session->server->store, job_progress, job, &r);
	job->answer.gc = (struct phi_vdfs_gc){ r.blobs, r.objects, r.bytes };
	return ret;
}

static int run_fsck(struct job *job)
{
	struct vdfs_fsck_result r = {};
	int ret;

	ret = vdfs_fsck(job->session->server->store,
			job->flags & PHI_VDFS_REPAIR ? VDFS_FSCK_REPAIR : 0,
			job_report, job_progress, job, &r);
	job->answer.fsck = (struct phi_vdfs_fsck){
		.blobs = r.blobs,
		.bytes = r.bytes,
		.damaged = r.damaged,
		.garbage = r.garbage,
		.faults = r.faults,
		.repaired = r.repaired,
	};
	return ret;
}

static int run_open(struct job *job)
{
	struct session *session = job->session;
	struct vdfs_collection *collection;
	int ret;

	ret = vdfs_collection_open(session->server->db, &session->who,
				   job->name, job_progress, job, &collection);
	if (ret)
		return ret;
	collection_params(collection, &job->answer.params);
	job->collection = collection;
	return 0;
}

static int run_rebuild(struct job *job)
{
	return vdfs_collection_rebuild(job->collection, job_progress, job);
}

/**
 * job_gc() - serve GC
 * @c: Call.
 *
 * Context: Worker.
 * Return: 0 when it began, or a negative errno.
 */
int job_gc(struct call *c)
{
	if (!c->session->who.admin)
		return -EACCES;
	return job_start(c, run_gc, 0, NULL);
}

/**
 * job_fsck() - serve FSCK
 * @c: Call.
 *
 * Context: Worker.
 * Return: 0 when it began, or a negative errno.
 */
int job_fsck(struct call *c)
{
	if (!c->session->who.admin)
		return -EACCES;
	if (c->req.flags & PHI_VDFS_REPAIR && c->session->read_only)
		return -EROFS;
	return job_start(c, run_fsck, 0, NULL);
}

/**
 * job_collection_open() - serve COLLECTION_OPEN
 * @c: Call.
 *
 * Context: Worker.
 * Return: 0 when it began, or a negative errno.
 */
int job_collection_open(struct call *c)
{
	if (strlen(c->name) > VDFS_COLLECTION_NAME_MAX)
		return -EINVAL;
	return job_start(c, run_open, 0, NULL);
}

/**
 * job_collection_rebuild() - serve COLLECTION_REBUILD
 * @c: Call.
 *
 * Context: Worker.
 * Return: 0 when it began, or a negative errno.
 */
int job_collection_rebuild(struct call *c)
{
	struct vdfs_collection *collection;
	int ret;

	ret = collection_use(c, true, &collection);
	if (ret)
		return ret;
	ret = job_start(c, run_rebuild, c->req.id, collection);
	if (ret)
		slot_put(c->session, KIND_COLLECTION, c->req.id);
	return ret;
}
