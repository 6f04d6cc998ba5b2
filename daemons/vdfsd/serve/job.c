// SPDX-License-Identifier: GPL-2.0-only
/* Calls that start jobs, and the one that asks how they are. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "job.h"
#include "serve_impl.h"

/**
 * struct vdfsd_job - a job of vdfsd
 * @base: As in every daemon.
 * @flags: Of the request.
 * @name: Of the collection to open.
 * @id: Handle of @collection, used until the end; 0 = none.
 * @collection: The one it works on, or opened.
 * @answer: Its results.
 */
struct vdfsd_job {
	struct job base;
	uint32_t flags;
	char name[VDFS_COLLECTION_NAME_MAX + 1];
	uint64_t id;
	struct vdfs_collection *collection;
	struct phi_vdfs_answer answer;
};

static struct vdfsd *server_of_job(const struct vdfsd_job *job)
{
	return (struct vdfsd *)job->base.session->daemon;
}

static void ran(struct job *base)
{
	struct vdfsd_job *job = (struct vdfsd_job *)base;

	if (job->id)
		handle_put(base->session, KIND_COLLECTION, job->id);
}

/**
 * vdfsd_job_free() - free a job that is finished, or never began
 * @session: Its session.
 * @ptr: The job.
 *
 * Context: Any thread, without the lock.
 */
void vdfsd_job_free(struct session *session, void *ptr)
{
	struct vdfsd_job *job = ptr;

	(void)session;
	/* Opened, and never given to the client. */
	if (job->collection && !job->id)
		vdfs_collection_put(job->collection);
	job_fini(&job->base);
	free(job);
}

/**
 * vdfsd_job_cancel() - ask a job to end soon
 * @ptr: The job.
 *
 * Context: Any thread.
 */
void vdfsd_job_cancel(void *ptr)
{
	struct vdfsd_job *job = ptr;

	job_cancel(&job->base);
}

/* Start a job on @collection, the session's @id, which is used until its end. */
static int start(struct vdfsd_call *c, int (*run)(struct job *job), uint64_t id,
		 struct vdfs_collection *collection)
{
	struct vdfsd_job *job = calloc(1, sizeof(*job));
	int ret;

	if (!job)
		return -ENOMEM;
	job_init(&job->base, c->base.session, run, ran);
	job->flags = c->req.flags;
	if (c->name)
		snprintf(job->name, sizeof(job->name), "%s", c->name);
	job->id = id;
	job->collection = collection;
	ret = handle_add(c->base.session, KIND_JOB, job, &c->answer.id);
	if (ret) {
		job->collection = NULL;
		vdfsd_job_free(c->base.session, job);
		return ret;
	}
	job_start(&job->base);
	return 0;
}

/* The end of a job: its results, and the collection it opened. */
static int end(struct vdfsd_job *job, struct vdfsd_call *c,
	       const struct job_news *news)
{
	uint64_t tag = c->answer.tag;
	int status = job->base.status;

	c->answer = job->answer;
	c->answer.tag = tag;
	c->answer.len = news->len;
	c->answer.done = news->done;
	c->answer.total = news->total;
	c->answer.id = 0;
	if (!status && job->collection && !job->id) {
		status = handle_add(c->base.session, KIND_COLLECTION,
				    job->collection, &c->answer.id);
		if (!status)
			job->collection = NULL;
	}
	vdfsd_job_free(c->base.session, job);
	return status;
}

/**
 * vdfsd_job_news() - serve JOB
 * @c: Call.
 *
 * Context: Worker.
 * Return: The job's status, -EINPROGRESS with news of it, CALL_PARKED until
 * there is news, -EBADF, or -EBUSY when another call waits for news.
 */
int vdfsd_job_news(struct vdfsd_call *c)
{
	struct session *session = c->base.session;
	struct job_news news = { .text = c->out, .room = c->room };
	/* A call that is parked may be answered, and freed, at once. */
	uint64_t id = c->req.id;
	struct vdfsd_job *job;
	void *ptr;
	int ret;

	ret = handle_get_alone(session, KIND_JOB, id, &ptr);
	if (ret == -EBUSY && c->parked) {
		pthread_mutex_lock(&session->daemon->lock);
		call_requeue(&c->base);
		pthread_mutex_unlock(&session->daemon->lock);
		return CALL_PARKED;
	}
	if (ret)
		return ret;
	/* Before it is parked: then it may be gone. */
	c->parked = true;
	job = ptr;
	if (c->req.flags & PHI_VDFS_CANCEL)
		job_cancel(&job->base);
	ret = job_wait(&job->base, &c->base, &news);
	if (!ret) {
		handle_remove(session, KIND_JOB, id);
		return end(job, c, &news);
	}
	if (ret == -EINPROGRESS) {
		c->answer.len = news.len;
		c->answer.done = news.done;
		c->answer.total = news.total;
	}
	handle_put(session, KIND_JOB, id);
	return ret;
}

static int run_gc(struct job *base)
{
	struct vdfsd_job *job = (struct vdfsd_job *)base;
	struct vdfs_gc_result r = {};
	int ret;

	ret = vdfs_gc(server_of_job(job)->store, job_progress, base, &r);
	job->answer.gc = (struct phi_vdfs_gc){ r.blobs, r.objects, r.bytes };
	return ret;
}

static int run_fsck(struct job *base)
{
	struct vdfsd_job *job = (struct vdfsd_job *)base;
	struct vdfs_fsck_result r = {};
	int ret;

	ret = vdfs_fsck(server_of_job(job)->store,
			job->flags & PHI_VDFS_REPAIR ? VDFS_FSCK_REPAIR : 0,
			job_report, job_progress, base, &r);
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

static int run_open(struct job *base)
{
	struct vdfsd_job *job = (struct vdfsd_job *)base;
	struct vdfsd_session *session = (struct vdfsd_session *)base->session;
	struct vdfs_collection *collection;
	int ret;

	ret = vdfs_collection_open(server_of_job(job)->db, &session->who,
				   job->name, job_progress, base, &collection);
	if (ret)
		return ret;
	vdfsd_collection_params(collection, &job->answer.params);
	job->collection = collection;
	return 0;
}

static int run_rebuild(struct job *base)
{
	struct vdfsd_job *job = (struct vdfsd_job *)base;

	return vdfs_collection_rebuild(job->collection, job_progress, base);
}

/**
 * vdfsd_gc() - serve GC
 * @c: Call.
 *
 * Context: Worker.
 * Return: 0 when it began, or a negative errno.
 */
int vdfsd_gc(struct vdfsd_call *c)
{
	if (!who_of(c)->admin)
		return -EACCES;
	return start(c, run_gc, 0, NULL);
}

/**
 * vdfsd_fsck() - serve FSCK
 * @c: Call.
 *
 * Context: Worker.
 * Return: 0 when it began, or a negative errno.
 */
int vdfsd_fsck(struct vdfsd_call *c)
{
	if (!who_of(c)->admin)
		return -EACCES;
	if (c->req.flags & PHI_VDFS_REPAIR && c->base.session->read_only)
		return -EROFS;
	return start(c, run_fsck, 0, NULL);
}

/**
 * vdfsd_collection_open() - serve COLLECTION_OPEN
 * @c: Call.
 *
 * Context: Worker.
 * Return: 0 when it began, or a negative errno.
 */
int vdfsd_collection_open(struct vdfsd_call *c)
{
	if (strlen(c->name) > VDFS_COLLECTION_NAME_MAX)
		return -EINVAL;
	return start(c, run_open, 0, NULL);
}

/**
 * vdfsd_collection_rebuild() - serve COLLECTION_REBUILD
 * @c: Call.
 *
 * Context: Worker.
 * Return: 0 when it began, or a negative errno.
 */
int vdfsd_collection_rebuild(struct vdfsd_call *c)
{
	struct vdfs_collection *collection;
	int ret;

	ret = vdfsd_collection_use(c, true, &collection);
	if (ret)
		return ret;
	ret = start(c, run_rebuild, c->req.id, collection);
	if (ret)
		handle_put(c->base.session, KIND_COLLECTION, c->req.id);
	return ret;
}
