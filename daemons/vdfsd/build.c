// SPDX-License-Identifier: GPL-2.0-only
/* Adding many vectors at once, on several processors. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "graph.h"

#define THREADS_MAX 256
/* Vectors that a thread takes at a time. */
#define CHUNK 64

/**
 * struct vdfs_job - one vdfs_index_build()
 * @ix: Where.
 * @ids: shape [n], or NULL for 0 to n - 1.
 * @rows: f32, shape [n][dim].
 * @n: How many.
 * @next: The first that no thread has taken.
 * @done: How many are in.
 * @error: The first that went wrong.
 * @progress: Called by the first thread.
 * @arg: For it.
 */
struct vdfs_job {
	struct vdfs_index *ix;
	const uint64_t *ids;
	const float *rows;
	size_t n;
	atomic_size_t next;
	atomic_size_t done;
	atomic_int error;
	vdfs_progress_fn *progress;
	void *arg;
};

static void take_turns(struct vdfs_job *job, bool reports)
{
	size_t dim = job->ix->params.dim;
	size_t from, i;
	int ret;

	while (!atomic_load(&job->error)) {
		from = atomic_fetch_add(&job->next, CHUNK);
		if (from >= job->n)
			return;
		for (i = from; i < job->n && i < from + CHUNK; i++) {
			ret = vdfs_index_add(job->ix,
					     job->ids ? job->ids[i] : i,
					     job->rows + i * dim);
			if (ret)
				atomic_store(&job->error, ret);
			if (ret)
				return;
			atomic_fetch_add(&job->done, 1);
		}
		if (reports && job->progress &&
		    !job->progress(job->arg, atomic_load(&job->done), job->n))
			atomic_store(&job->error, -ECANCELED);
	}
}

static void *worker(void *arg)
{
	take_turns(arg, false);
	return NULL;
}

/* Codes learnt from all that comes are better than from the first few. */
static int train_first(struct vdfs_index *ix, const float *rows, size_t n)
{
	float *normal = NULL;
	int ret = 0;
	size_t i, d;
	size_t dim = ix->params.dim;

	if (atomic_load(&ix->coded) || atomic_load(&ix->slots) || !n)
		return 0;
	if (ix->params.metric == VDFS_COSINE) {
		struct vdfs_scratch *s = vdfs_scratch_get(ix, 1, true);

		normal = malloc(n * dim * sizeof(*normal));
		if (!s || !normal)
			ret = -ENOMEM;
		for (i = 0; i < n && !ret; i++) {
			ret = vdfs_slot_prepare(ix, &s->probe, rows + i * dim);
			for (d = 0; d < dim && !ret; d++)
				normal[i * dim + d] = s->probe.f32[d];
		}
		if (s)
			vdfs_scratch_put(ix, s);
	}
	if (!ret)
		ret = vdfs_quant_train(ix, normal ? normal : rows, n);
	free(normal);
	if (!ret)
		atomic_store(&ix->coded, true);
	return ret;
}

/**
 * vdfs_index_build() - add many vectors
 * @ix: Where; empty or not.
 * @ids: shape [n], or NULL for 0 to n - 1.
 * @rows: f32, shape [n][dim].
 * @n: How many.
 * @threads: How many work at it, 1 to 256.
 * @progress: NULL, or called now and then from the calling thread.
 * @arg: For @progress.
 *
 * Return: 0; -ECANCELED when @progress said so, or the error of the first
 * vector that could not be added: those before it are in, some after it too.
 */
int vdfs_index_build(struct vdfs_index *ix, const uint64_t *ids,
		     const float *rows, size_t n, unsigned int threads,
		     vdfs_progress_fn *progress, void *arg)
{
	struct vdfs_job job = {
		.ix = ix,
		.ids = ids,
		.rows = rows,
		.n = n,
		.progress = progress,
		.arg = arg,
	};
	pthread_t thread[THREADS_MAX];
	unsigned int started = 0;
	int ret;

	if (!threads || threads > THREADS_MAX)
		return -EINVAL;
	ret = train_first(ix, rows, n);
	if (ret)
		return ret;
	while (started + 1 < threads &&
	       !pthread_create(&thread[started], NULL, worker, &job))
		started++;
	take_turns(&job, true);
	while (started)
		pthread_join(thread[--started], NULL);
	ret = atomic_load(&job.error);
	if (!ret && progress)
		progress(arg, n, n);
	return ret;
}
