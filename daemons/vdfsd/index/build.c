// SPDX-License-Identifier: GPL-2.0-only
/* Adding many vectors at once, on several processors. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/pace.h"
#include "graph.h"

#define THREADS_MAX 256
/* Vectors that a thread takes at a time. */
#define CHUNK 64
/* Vectors shorter, or fewer, than this are no faster to compare as codes. */
#define LEND_DIM 64
#define LEND_MIN 1000
/* Nor are they when so many times as many, that are there, need codes first. */
#define LEND_SHARE 16

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
 * @user: The user that all of its threads compute for, or -1.
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
	int64_t user;
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

/* The caller may have locks, and waits: it sleeps for all, when it has none. */
static void *worker(void *arg)
{
	struct vdfs_job *job = arg;
	uint64_t since = pace_time();

	take_turns(job, false);
	pace_helped(job->user, pace_time() - since);
	return NULL;
}

/* Learn codes from all that comes, which is better than the first few. */
static int train(struct vdfs_index *ix, const float *rows, size_t n)
{
	float *normal = NULL;
	int ret = 0;
	size_t i, d;
	size_t dim = ix->params.dim;

	if (ix->params.metric == VDFS_COSINE) {
		struct vdfs_scratch *s = vdfs_scratch_get(ix, 1);

		normal = malloc(n * dim * sizeof(*normal));
		if (!s || !normal)
			ret = -ENOMEM;
		if (s)
			s->codes = false;
		for (i = 0; i < n && !ret; i++) {
			ret = vdfs_slot_prepare(ix, s, rows + i * dim);
			for (d = 0; d < dim && !ret; d++)
				normal[i * dim + d] = s->probe.f32[d];
		}
		if (s)
			vdfs_scratch_put(ix, s);
	}
	if (!ret)
		ret = vdfs_quant_train(ix, normal ? normal : rows, n);
	free(normal);
	return ret;
}

/* Nobody may add a vector without a code while they are learnt. */
static int train_first(struct vdfs_index *ix, const float *rows, size_t n)
{
	int ret = 0;

	pthread_rwlock_wrlock(&ix->writers);
	if (!atomic_load(&ix->coded) && !atomic_load(&ix->slots) && n) {
		ret = train(ix, rows, n);
		if (!ret) {
			vdfs_twin_rehash(ix, ix->bits > 1);
			atomic_store(&ix->coded, true);
		}
	}
	pthread_rwlock_unlock(&ix->writers);
	return ret;
}

static void drop_codes(struct vdfs_index *ix)
{
	vdfs_quant_layout(ix, VDFS_CODES_NONE);
	vdfs_arena_fini(&ix->codes);
	memset(&ix->codes, 0, sizeof(ix->codes));
	memset(ix->mean, 0, ix->params.dim * sizeof(*ix->mean));
}

/* Codes for what is in already, deleted vectors too: walks pass them. */
static int encode_all(struct vdfs_index *ix)
{
	uint32_t slots = atomic_load(&ix->slots);
	float *row;
	uint32_t slot;
	int ret;

	ret = vdfs_arena_grow(&ix->codes, slots * ix->code_stride);
	if (ret)
		return ret;
	row = malloc(ix->dim_f32 * sizeof(*row));
	if (!row)
		return -ENOMEM;
	for (slot = 0; slot < slots; slot++) {
		vdfs_row_get(ix, slot, row);
		vdfs_quant_encode(ix, row, vdfs_code(ix, slot));
	}
	free(row);
	return 0;
}

/* Writers compare something else from now on. */
static void rehash(struct vdfs_index *ix)
{
	pthread_mutex_lock(&ix->grow);
	vdfs_twin_rehash(ix, ix->bits > 1);
	pthread_mutex_unlock(&ix->grow);
}

/*
 * A graph whose edges were chosen by codes of 8 bits is as good as one that
 * was built on the originals, and is built in half the time. So an index
 * without codes has some while many vectors are added, which only writers
 * look at. Where that does not work out, it goes without.
 */
static bool lend_codes(struct vdfs_index *ix, const float *rows, size_t n)
{
	bool lent = false;
	int ret;

	if (vdfs_has_codes(ix) || ix->params.dim < LEND_DIM || n < LEND_MIN)
		return false;
	/* Saving and repairing would not know what to make of it. */
	pthread_mutex_lock(&ix->repairing);
	pthread_rwlock_wrlock(&ix->writers);
	if (atomic_load(&ix->slots) / LEND_SHARE <= n) {
		vdfs_quant_layout(ix, VDFS_CODES_8);
		ret = vdfs_arena_init(&ix->codes,
				      ix->params.capacity * ix->code_stride);
		if (!ret)
			ret = train(ix, rows, n);
		if (!ret)
			ret = encode_all(ix);
		lent = !ret;
		if (ret)
			drop_codes(ix);
		else
			rehash(ix);
	}
	pthread_rwlock_unlock(&ix->writers);
	if (!lent)
		pthread_mutex_unlock(&ix->repairing);
	return lent;
}

static void take_codes_back(struct vdfs_index *ix)
{
	pthread_rwlock_wrlock(&ix->writers);
	pthread_mutex_lock(&ix->grow);
	drop_codes(ix);
	vdfs_twin_rehash(ix, ix->bits > 1);
	pthread_mutex_unlock(&ix->grow);
	pthread_rwlock_unlock(&ix->writers);
	pthread_mutex_unlock(&ix->repairing);
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
		.user = pace_user(),
	};
	pthread_t thread[THREADS_MAX];
	unsigned int started = 0;
	bool lent;
	int ret;

	if (!threads || threads > THREADS_MAX)
		return -EINVAL;
	ret = train_first(ix, rows, n);
	if (ret)
		return ret;
	lent = lend_codes(ix, rows, n);
	while (started + 1 < threads &&
	       !pthread_create(&thread[started], NULL, worker, &job))
		started++;
	take_turns(&job, true);
	while (started)
		pthread_join(thread[--started], NULL);
	if (lent)
		take_codes_back(ix);
	ret = atomic_load(&job.error);
	if (!ret && progress)
		progress(arg, n, n);
	return ret;
}
