// SPDX-License-Identifier: GPL-2.0-only
/* Workers: they take calls, users in turn, run them and answer. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "serve_impl.h"

/* Where what a client gave lies in a worker's stage, and what it gets. */
#define TEXT_ROOM (PHI_VDFS_TEXT_MAX + 4096)
#define NAME_AT 0
#define MORE_AT TEXT_ROOM
#define DATA_AT (2 * TEXT_ROOM)
#define OUT_AT (DATA_AT + PHI_VDFS_SPAN_MAX)
#define STAGE_LEN (OUT_AT + PHI_VDFS_SPAN_MAX)

/* A stage that was used further than this gives its pages back. */
#define KEEP_LEN (1U << 20)

/**
 * stage_open() - make room for what a call takes and gives
 * @stage: What to set up.
 *
 * Context: Any thread.
 * Return: 0 or a negative errno.
 */
int stage_open(struct stage *stage)
{
	return stage_init(stage, STAGE_LEN);
}

static void stage_trim(struct stage *stage, off_t at, size_t len)
{
	if (len > KEEP_LEN)
		fallocate(stage->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			  at, len);
}

/* Copy a span in. */
static int take(struct call *c, struct stage *stage,
		const struct phi_vdfs_span *span, size_t at, size_t max)
{
	struct iovec iov;
	bool bad;

	if (!span->len)
		return 0;
	if (!c->region)
		return -EINVAL;
	if (span->len > max)
		return -EMSGSIZE;
	if (span->at > c->region->len || span->len > c->region->len - span->at)
		return -ERANGE;
	iov.iov_base = (char *)c->region->addr + span->at;
	iov.iov_len = span->len;
	stage_gather(stage, at, &iov, 1, &bad);
	return bad ? -EFAULT : 0;
}

static int take_text(struct call *c, struct stage *stage,
		     const struct phi_vdfs_span *span, size_t at, char **text)
{
	int ret;

	*text = NULL;
	if (!span->len)
		return 0;
	ret = take(c, stage, span, at, PHI_VDFS_TEXT_MAX);
	if (ret)
		return ret;
	*text = (char *)stage->mem + at;
	(*text)[span->len] = '\0';
	return strlen(*text) == span->len ? 0 : -EINVAL;
}

/* Copy all that a call points to, before anyone looks at it. */
static int call_take(struct call *c, struct stage *stage)
{
	const struct phi_vdfs_span *out = &c->req.out;
	int ret;

	ret = take_text(c, stage, &c->req.name, NAME_AT, &c->name);
	if (!ret)
		ret = take_text(c, stage, &c->req.more, MORE_AT, &c->more);
	if (!ret)
		ret = take(c, stage, &c->req.data, DATA_AT, PHI_VDFS_SPAN_MAX);
	if (ret)
		return ret;
	c->data = (char *)stage->mem + DATA_AT;
	c->out = (char *)stage->mem + OUT_AT;
	c->room = out->len < PHI_VDFS_SPAN_MAX ? out->len : PHI_VDFS_SPAN_MAX;
	if (!out->len)
		return 0;
	if (!c->region)
		return -EINVAL;
	if (out->at > c->region->len || out->len > c->region->len - out->at)
		return -ERANGE;
	return 0;
}

/**
 * call_answer() - answer a call and free it
 * @c: Call; answer.status is set.
 * @stage: Where its results lie, at OUT_AT.
 *
 * Context: Any thread, without the lock.
 */
void call_answer(struct call *c, struct stage *stage)
{
	struct phi_msg msg = { .data = &c->answer, .len = sizeof(c->answer) };
	struct server *s = c->session->server;
	struct iovec iov;
	bool bad;
	int ret;

	if (c->answer.len) {
		iov.iov_base = (char *)c->region->addr + c->req.out.at;
		iov.iov_len = c->answer.len;
		stage_scatter(stage, OUT_AT, &iov, 1, &bad);
		stage_trim(stage, OUT_AT, c->answer.len);
		if (bad) {
			c->answer.status = -EFAULT;
			c->answer.len = 0;
		}
	}
	if (c->give && !c->answer.status) {
		msg.ncaps = 1;
		msg.caps[0].cap = c->give;
		msg.caps[0].rights = PHI_RIGHT_READ | PHI_RIGHT_MAP;
	}
	ret = phi_reply(s->phi, c->reply, &msg);
	if (ret && ret != -EPIPE) {
		/* A client can bring that about as often as it likes. */
		if (s->options.verbose)
			say("cannot reply: %s", strerror(-ret));
		phi_cap_drop(s->phi, c->reply);
	}
	call_free(c);
}

/**
 * call_out() - where the results of a call go in a stage
 * @stage: Stage.
 *
 * Context: Any thread.
 * Return: Room for PHI_VDFS_SPAN_MAX bytes.
 */
char *call_out(struct stage *stage)
{
	return (char *)stage->mem + OUT_AT;
}

/**
 * call_cancel() - answer a call that was not served, and free it
 * @c: Call, in no line.
 * @status: Why.
 *
 * Context: Any thread, without the lock.
 */
void call_cancel(struct call *c, int status)
{
	c->answer.status = status;
	c->answer.len = 0;
	c->give = 0;
	call_answer(c, NULL);
}

/**
 * call_free() - forget a call that was answered
 * @c: Call.
 *
 * Context: Any thread, without the lock.
 */
void call_free(struct call *c)
{
	struct session *session = c->session;
	struct server *s = session->server;

	if (c->cap)
		phi_cap_drop(s->phi, c->cap);
	region_put(s, c->region);
	pthread_mutex_lock(&s->lock);
	session->calls--;
	pthread_mutex_unlock(&s->lock);
	free(c);
	session_put(session);
}

/* Under the lock. */
static void enqueue(struct server *s, struct call *c)
{
	struct user *user = c->session->user;

	if (TAILQ_EMPTY(&user->waiting))
		TAILQ_INSERT_TAIL(&s->turns, user, turn);
	TAILQ_INSERT_TAIL(&user->waiting, c, link);
	pthread_cond_signal(&s->work);
}

/**
 * call_queue() - put a call in line
 * @c: Call of a session that did not end.
 * @credits: Calls that it may have under way.
 *
 * Context: Main thread.
 * Return: 0, or -EAGAIN when it has.
 */
int call_queue(struct call *c, uint32_t credits)
{
	struct server *s = c->session->server;

	pthread_mutex_lock(&s->lock);
	if (c->session->calls >= credits) {
		pthread_mutex_unlock(&s->lock);
		return -EAGAIN;
	}
	c->session->refs++;
	c->session->calls++;
	c->region = c->session->region;
	if (c->region)
		c->region->refs++;
	enqueue(s, c);
	pthread_mutex_unlock(&s->lock);
	return 0;
}

/**
 * call_requeue() - put a call that was parked in line again
 * @c: Call.
 *
 * Context: Under the lock.
 */
void call_requeue(struct call *c)
{
	enqueue(c->session->server, c);
}

/**
 * call_unqueue() - take a call out of its line
 * @c: Call.
 *
 * Context: Under the lock.
 */
void call_unqueue(struct call *c)
{
	struct user *user = c->session->user;

	TAILQ_REMOVE(&user->waiting, c, link);
	if (TAILQ_EMPTY(&user->waiting))
		TAILQ_REMOVE(&c->session->server->turns, user, turn);
}

/*
 * The next call; under the lock. One user cannot keep all workers: whatever
 * it asks for, one is left for the others.
 */
static struct call *next_call(struct server *s)
{
	uint32_t most = s->nworkers > 1 ? s->nworkers - 1 : 1;
	struct user *user;
	struct call *c;

	TAILQ_FOREACH(user, &s->turns, turn)
	{
		if (user->running < most)
			break;
	}
	if (!user)
		return NULL;
	c = TAILQ_FIRST(&user->waiting);
	call_unqueue(c);
	if (!TAILQ_EMPTY(&user->waiting)) {
		TAILQ_REMOVE(&s->turns, user, turn);
		TAILQ_INSERT_TAIL(&s->turns, user, turn);
	}
	user->running++;
	return c;
}

static void run_call(struct worker *w, struct call *c)
{
	struct server *s = w->server;
	struct user *user = c->session->user;
	size_t data_len = c->req.data.len;
	int status;

	status = call_take(c, &w->stage);
	if (!status)
		status = c->op->run(c);
	/* One that is parked may be answered, and gone, by now. */
	stage_trim(&w->stage, DATA_AT, data_len);
	pthread_mutex_lock(&s->lock);
	/* It may have been what kept this user's next call waiting. */
	if (!TAILQ_EMPTY(&user->waiting))
		pthread_cond_signal(&s->work);
	user_done(user);
	pthread_mutex_unlock(&s->lock);
	if (status == CALL_PARKED)
		return;
	c->answer.status = status;
	call_answer(c, &w->stage);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct server *s = w->server;
	struct session *session;
	struct call *c;

	pthread_mutex_lock(&s->lock);
	for (;;) {
		session = TAILQ_FIRST(&s->reap);
		if (session) {
			TAILQ_REMOVE(&s->reap, session, reap);
			pthread_mutex_unlock(&s->lock);
			session_free(session);
			pthread_mutex_lock(&s->lock);
			continue;
		}
		c = next_call(s);
		if (c) {
			pthread_mutex_unlock(&s->lock);
			run_call(w, c);
			pthread_mutex_lock(&s->lock);
			continue;
		}
		if (s->stop)
			break;
		pthread_cond_wait(&s->work, &s->lock);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

/**
 * workers_start() - start the threads that run calls
 * @s: Daemon.
 *
 * Context: Main thread.
 * Return: 0 or a negative errno; workers_stop() ends what was started.
 */
int workers_start(struct server *s)
{
	uint32_t i;
	int ret;

	s->workers = calloc(s->options.threads, sizeof(*s->workers));
	if (!s->workers)
		return -ENOMEM;
	for (i = 0; i < s->options.threads; i++) {
		struct worker *w = &s->workers[i];

		w->server = s;
		ret = stage_open(&w->stage);
		if (ret)
			return ret;
		ret = -pthread_create(&w->thread, NULL, work, w);
		if (ret) {
			stage_fini(&w->stage);
			return ret;
		}
		pthread_mutex_lock(&s->lock);
		s->nworkers++;
		pthread_mutex_unlock(&s->lock);
	}
	return 0;
}

/**
 * workers_stop() - let the workers finish what is in line, and end
 * @s: Daemon.
 *
 * Context: Main thread.
 */
void workers_stop(struct server *s)
{
	uint32_t i;

	pthread_mutex_lock(&s->lock);
	s->stop = true;
	pthread_cond_broadcast(&s->work);
	pthread_mutex_unlock(&s->lock);
	for (i = 0; i < s->nworkers; i++) {
		pthread_join(s->workers[i].thread, NULL);
		stage_fini(&s->workers[i].stage);
	}
	s->nworkers = 0;
	free(s->workers);
	s->workers = NULL;
}
