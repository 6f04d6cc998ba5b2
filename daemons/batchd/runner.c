// SPDX-License-Identifier: GPL-2.0-only
/*
 * A unit's thread: begins batches while the unit is free, and runs those that
 * the kernel gives to its unit, whoever began them.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "batch.h"
#include "batchd.h"

/* One batch in so many may be larger than what pays as far as is known. */
#define PROBE_EVERY 16

/* Give what left a line its answers. */
static void end_all(struct queue_line *ended)
{
	struct queue_item *item;

	while ((item = TAILQ_FIRST(ended))) {
		TAILQ_REMOVE(ended, item, link);
		request_end(item);
	}
}

static struct batch_verdict view_model(struct runner *r, struct model *model,
				       struct batch_view *view)
{
	struct queue_item *head = queue_head(&model->queue);

	memset(view, 0, sizeof(*view));
	if (model->queue.rows <= model->promised)
		return (struct batch_verdict){};
	view->now_ns = clock_ns();
	view->rows = model->queue.rows - model->promised;
	view->max = model->max_batch;
	view->oldest_ns = queue_oldest_ns(&model->queue);
	view->deadline_ns = head->deadline_ns;
	view->window_ns = r->b->options.window_ns;
	view->slack_ns = r->b->options.slack_ns;
	view->probe = model->batches % PROBE_EVERY == 0;
	view->curve = &model->curve[r->index];
	return batch_decide(view);
}

/* Until @until_ns, 0 = for ever, or until something changes; drops the lock. */
static void wait_for_work(struct batchd *b, uint64_t until_ns)
{
	struct timespec until = { .tv_sec = until_ns / 1000000000,
				  .tv_nsec = until_ns % 1000000000 };

	if (until_ns)
		pthread_cond_timedwait(&b->daemon.work, &b->daemon.lock,
				       &until);
	else
		pthread_cond_wait(&b->daemon.work, &b->daemon.lock);
}

/* A policy or the kernel said no: so the requests at hand get its errno. */
static void refuse_batch(struct batchd *b, struct model *model, uint32_t rows,
			 int status)
{
	struct queue_line ended = TAILQ_HEAD_INITIALIZER(ended);
	struct queue *q = &model->queue;
	struct queue_item *item;
	uint32_t gone = 0;

	while (gone < rows && (item = queue_head(q))) {
		gone += item->rows - item->bound;
		if (queue_fail(q, item, status))
			TAILQ_INSERT_TAIL(&ended, item, link);
	}
	pthread_mutex_unlock(&b->daemon.lock);
	end_all(&ended);
	pthread_mutex_lock(&b->daemon.lock);
}

static struct runner *runner_of(struct batchd *b, uint32_t unit)
{
	uint32_t i;

	for (i = 0; i < b->nrunners; i++) {
		if (b->runners[i]->unit == unit)
			return b->runners[i];
	}
	return NULL;
}

/*
 * Ask the kernel's leave for a batch. The rows are promised meanwhile, so
 * that no other runner asks for the same. A ticket for another of our units
 * goes to its runner; one for a unit of someone else is ours to run: the
 * processors are the same, and the kernel has charged that unit for them.
 */
static struct ticket *begin_batch(struct runner *r, struct model *model,
				  const struct batch_view *view, uint32_t rows)
{
	struct phi_infer_begin begin = {
		.model = model->cap,
		.batch = rows,
		.wanted = PHI_UNIT_ANY,
		.deadline_ns = view->deadline_ns,
		.queued_ns = view->now_ns - view->oldest_ns,
	};
	struct ticket *t = calloc(1, sizeof(*t));
	struct batchd *b = r->b;
	struct runner *other;
	int ret = -ENOMEM;

	if (t) {
		model->promised += rows;
		pthread_mutex_unlock(&b->daemon.lock);
		ret = phi_infer_begin(b->daemon.phi, &begin);
		pthread_mutex_lock(&b->daemon.lock);
	}
	if (ret) {
		if (t)
			model->promised -= rows;
		refuse_batch(b, model, rows, ret);
		free(t);
		return NULL;
	}
	t->model = model;
	t->ticket = begin.ticket;
	t->rows = begin.batch;
	t->promised = rows;
	t->unit = begin.unit;
	t->why = begin.why;
	other = runner_of(b, t->unit);
	/* When all stop, the other may be gone before it sees the ticket. */
	if (!other || other == r || b->daemon.stop)
		return t;
	STAILQ_INSERT_TAIL(&other->tickets, t, link);
	pthread_cond_broadcast(&b->daemon.work);
	return NULL;
}

/* Is a unit waiting for a batch that we would begin? One each is enough. */
static bool tickets_abound(struct batchd *b)
{
	struct ticket *t;
	uint32_t i, n = 0;

	for (i = 0; i < b->nrunners; i++) {
		STAILQ_FOREACH(t, &b->runners[i]->tickets, link)
		n++;
	}
	return n >= b->nrunners;
}

/* The next batch to run here, or NULL after a wait; under the lock. */
static struct ticket *next_batch(struct runner *r)
{
	struct batch_verdict verdict[BATCHD_MODELS_MAX];
	struct batch_view view[BATCHD_MODELS_MAX];
	struct queue *queues[BATCHD_MODELS_MAX];
	uint64_t cost[BATCHD_MODELS_MAX];
	struct batchd *b = r->b;
	uint64_t until = 0;
	struct ticket *t;
	uint32_t i;

	t = STAILQ_FIRST(&r->tickets);
	if (t) {
		STAILQ_REMOVE_HEAD(&r->tickets, link);
		return t;
	}
	for (i = 0; i < b->nmodels; i++) {
		verdict[i] = view_model(r, b->models[i], &view[i]);
		queues[i] = &b->models[i]->queue;
		cost[i] = 0;
		if (verdict[i].rows)
			cost[i] = 1 + curve_ns(&b->models[i]->curve[r->index],
					       verdict[i].rows);
		else if (verdict[i].until_ns &&
			 (!until || verdict[i].until_ns < until))
			until = verdict[i].until_ns;
	}
	i = tickets_abound(b) ? b->nmodels :
				queue_turn(queues, cost, b->nmodels, &b->turn);
	if (i < b->nmodels)
		return begin_batch(r, b->models[i], &view[i], verdict[i].rows);
	wait_for_work(b, until);
	return NULL;
}

/* Rows of a slice as memory to copy from (@out false) or to. */
static void slice_iov(const struct queue_slice *slice, bool out,
		      struct iovec *iov)
{
	const struct request *req = (const struct request *)slice->item;
	const struct engine_info *info = req->client->model->info;
	size_t row = out ? info->out.row_bytes : info->in.row_bytes;
	const struct slot *slot = out ? req->out : req->in;
	uint64_t at = out ? req->out_at : req->in_at;

	iov->iov_base = (char *)slot->addr + at + slice->first * row;
	iov->iov_len = slice->count * row;
}

/*
 * Copy in, run, copy out; without the lock, which the slices' requests do not
 * need: they hold their regions. Returns the status of the batch; what became
 * of a slice by itself is in @r->bad.
 */
static int run_batch(struct runner *r, struct ticket *t, uint32_t n,
		     uint32_t rows, uint64_t *run_ns)
{
	uint32_t m = 0, i;
	struct desk *desk;
	char why[128] = "";
	bool *late = r->bad + t->model->max_batch;
	int ret;

	while (r->b->models[m] != t->model)
		m++;
	desk = &r->desks[m];
	for (i = 0; i < n; i++)
		slice_iov(&r->slices[i], false, &r->iov[i]);
	stage_gather(&desk->stage, 0, r->iov, n, r->bad);
	ret = engine_run(desk->binding, rows, why, sizeof(why));
	phi_infer_end(r->b->daemon.phi, t->ticket, ret, run_ns);
	if (ret) {
		say("%s: a batch of %u failed: %s", t->model->name, rows, why);
		return -EIO;
	}
	/* A slice that was not read must not get others' rows. */
	for (i = 0; i < n; i++) {
		slice_iov(&r->slices[i], true, &r->iov[i]);
		if (r->bad[i])
			r->iov[i].iov_base = NULL;
	}
	stage_scatter(&desk->stage, desk->out_at, r->iov, n, late);
	for (i = 0; i < n; i++)
		r->bad[i] = r->bad[i] || late[i];
	return 0;
}

/* Take rows for a ticket; expired requests go to @ended. Under the lock. */
static uint32_t bind_rows(struct runner *r, struct ticket *t, uint32_t *n,
			  struct queue_line *ended)
{
	struct queue *q = &t->model->queue;
	struct queue_item *item;
	uint64_t now = clock_ns();
	uint32_t rows;

	t->model->promised -= t->promised;
	while ((item = queue_expire(q, now)))
		TAILQ_INSERT_TAIL(ended, item, link);
	rows = queue_bind(q, t->rows, now, r->slices, n);
	/* Heads that were hidden behind those may be too late as well. */
	while ((item = queue_expire(q, now)))
		TAILQ_INSERT_TAIL(ended, item, link);
	return rows;
}

/* Tell each request what its rows came to; under the lock. */
static void unbind_rows(struct runner *r, struct ticket *t, uint32_t n,
			uint32_t rows, int status, uint64_t run_ns,
			struct queue_line *ended)
{
	uint32_t i;

	for (i = 0; i < n; i++) {
		struct queue_slice *slice = &r->slices[i];
		struct request *req = (struct request *)slice->item;

		req->unit = t->unit;
		req->why = t->why;
		req->run_ns += run_ns;
		if (rows > req->batch)
			req->batch = rows;
		if (queue_unbind(&t->model->queue, slice,
				 status	   ? status :
				 r->bad[i] ? -EFAULT :
					     0))
			TAILQ_INSERT_TAIL(ended, &req->item, link);
	}
}

/* Run one batch; takes and drops the lock, which is held again at the end. */
static void run_ticket(struct runner *r, struct ticket *t)
{
	struct queue_line ended = TAILQ_HEAD_INITIALIZER(ended);
	struct model *model = t->model;
	struct batchd *b = r->b;
	uint64_t start, run_ns = 0;
	uint32_t n, rows;
	int status;

	rows = bind_rows(r, t, &n, &ended);
	start = clock_ns();
	if (rows)
		r->free_ns = start + curve_ns(&model->curve[r->index], rows);
	pthread_mutex_unlock(&b->daemon.lock);

	end_all(&ended);
	if (!rows) {
		phi_infer_end(b->daemon.phi, t->ticket, -ECANCELED, NULL);
		pthread_mutex_lock(&b->daemon.lock);
		return;
	}
	status = run_batch(r, t, n, rows, &run_ns);

	pthread_mutex_lock(&b->daemon.lock);
	r->free_ns = 0;
	if (!status) {
		curve_add(&model->curve[r->index], rows, clock_ns() - start);
		model->batches++;
		model->rows += rows;
	}
	unbind_rows(r, t, n, rows, status, run_ns, &ended);
	pthread_mutex_unlock(&b->daemon.lock);
	end_all(&ended);
	pthread_mutex_lock(&b->daemon.lock);
}

/*
 * Run one batch of each model through the kernel, of the size that will be
 * usual: its averages start with the first batch it sees, and say little about
 * much larger ones. All runners begin at once, so each unit gets one.
 */
static void prime(struct runner *r)
{
	struct batchd *b = r->b;
	uint32_t i;
	int ret;

	for (i = 0; i < b->nmodels; i++) {
		struct model *model = b->models[i];
		struct phi_infer_begin begin = { .model = model->cap };

		pthread_mutex_lock(&b->daemon.lock);
		begin.batch =
			curve_knee(&model->curve[r->index], model->max_batch);
		pthread_mutex_unlock(&b->daemon.lock);
		/* A policy may say no; then there is nothing to learn. */
		if (phi_infer_begin(b->daemon.phi, &begin))
			continue;
		ret = engine_run(r->desks[i].binding, begin.batch, NULL, 0);
		phi_infer_end(b->daemon.phi, begin.ticket, ret, NULL);
	}
}

static void *runner_main(void *arg)
{
	struct runner *r = arg;
	struct batchd *b = r->b;
	struct ticket *t;

	prime(r);
	pthread_mutex_lock(&b->daemon.lock);
	while (!b->daemon.stop || !STAILQ_EMPTY(&r->tickets)) {
		t = next_batch(r);
		if (!t)
			continue;
		run_ticket(r, t);
		free(t);
	}
	pthread_mutex_unlock(&b->daemon.lock);
	return NULL;
}

/* Buffers for one model's batches. */
static int desk_init(struct desk *desk, struct model *model)
{
	size_t in = model->max_batch * model->info->in.row_bytes;
	size_t out = model->max_batch * model->info->out.row_bytes;
	int ret;

	/* Engines like aligned tensors. */
	desk->out_at = (in + 4095) / 4096 * 4096;
	ret = stage_init(&desk->stage, desk->out_at + out);
	if (ret)
		return ret;
	ret = engine_bind(model->engine, desk->stage.mem,
			  (char *)desk->stage.mem + desk->out_at,
			  model->max_batch, &desk->binding);
	if (ret)
		stage_fini(&desk->stage);
	return ret;
}

/**
 * runner_new() - make a runner with buffers for all models
 * @b: Daemon; its models are loaded.
 * @cpu: Processor it will run on.
 * @out: Out, the runner.
 *
 * Context: Main thread.
 * Return: 0 or a negative errno.
 */
int runner_new(struct batchd *b, int cpu, struct runner **out)
{
	struct runner *r = calloc(1, sizeof(*r));
	uint32_t max = 0, i;
	int ret = 0;

	if (!r)
		return -ENOMEM;
	r->b = b;
	r->cpu = cpu;
	r->index = b->nrunners;
	STAILQ_INIT(&r->tickets);
	for (i = 0; i < b->nmodels && !ret; i++) {
		ret = desk_init(&r->desks[i], b->models[i]);
		if (b->models[i]->max_batch > max)
			max = b->models[i]->max_batch;
	}
	r->slices = calloc(max, sizeof(*r->slices));
	r->iov = calloc(max, sizeof(*r->iov));
	r->bad = calloc(2 * max, sizeof(*r->bad));
	if (!ret && (!r->slices || !r->iov || !r->bad))
		ret = -ENOMEM;
	if (ret) {
		runner_put(r);
		return ret;
	}
	*out = r;
	return 0;
}

/**
 * runner_start() - let a runner work
 * @runner: From runner_new(), with a unit.
 *
 * Context: Main thread, when all runners are there.
 * Return: 0 or a negative errno.
 */
int runner_start(struct runner *runner)
{
	pthread_attr_t attr;
	cpu_set_t cpus;
	char name[16];
	int ret;

	CPU_ZERO(&cpus);
	CPU_SET(runner->cpu, &cpus);
	pthread_attr_init(&attr);
	pthread_attr_setaffinity_np(&attr, sizeof(cpus), &cpus);
	ret = -pthread_create(&runner->thread, &attr, runner_main, runner);
	pthread_attr_destroy(&attr);
	if (!ret) {
		snprintf(name, sizeof(name), "unit-%u", runner->unit % 10000);
		pthread_setname_np(runner->thread, name);
	}
	return ret;
}

/**
 * runner_join() - wait for a runner's end
 * @runner: Started; batchd.stop is set.
 *
 * Context: Main thread, without the lock.
 */
void runner_join(struct runner *runner)
{
	pthread_join(runner->thread, NULL);
}

/**
 * runner_put() - free a runner
 * @runner: Ended or never started, or NULL.
 *
 * Context: Main thread.
 */
void runner_put(struct runner *runner)
{
	uint32_t i;

	if (!runner)
		return;
	for (i = 0; i < BATCHD_MODELS_MAX; i++) {
		if (!runner->desks[i].binding)
			continue;
		engine_unbind(runner->desks[i].binding);
		stage_fini(&runner->desks[i].stage);
	}
	free(runner->slices);
	free(runner->iov);
	free(runner->bad);
	free(runner);
}
