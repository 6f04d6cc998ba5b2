// SPDX-License-Identifier: GPL-2.0-only
/*
 * The queue of a stream, and the calls that wait for its next value.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "call.h"
#include "core.h"
#include "session.h"
#include "stream.h"

TAILQ_HEAD(event_list, md_event);
TAILQ_HEAD(waiter_list, waiter);

struct md_stream {
	struct md_object base;
	unsigned int max;
	void (*closed)(void *arg);
	void *arg;
	pthread_mutex_t lock; /* guards the rest */
	bool open; /* its reader has not closed it */
	bool ended;
	int code; /* of the end */
	char text[160];
	unsigned int n;
	uint64_t dropped;
	struct event_list events;
	struct waiter_list waiters;
};

/* A call of stream_next that waits. One thread takes it off the list, and ends it. */
struct waiter {
	TAILQ_ENTRY(waiter) link;
	struct md_stream *stream;
	struct md_call *call;
	bool listed;
	struct md_timer timer; /* has a reference to the call while it waits */
};

struct md_event *md_event_new(void)
{
	struct md_event *e = malloc(sizeof(*e));

	if (!e)
		return NULL;
	e->item = MATHIS_ITEM_NONE;
	mathis_pool_init(&e->pool, MD_EVENT_BYTES);
	return e;
}

static void free_event(struct md_event *e)
{
	mathis_pool_fini(&e->pool);
	free(e);
}

static void close_stream(struct md_object *object)
{
	struct md_stream *s = (struct md_stream *)object;
	bool was;

	pthread_mutex_lock(&s->lock);
	was = s->open;
	s->open = false;
	pthread_mutex_unlock(&s->lock);
	if (was && s->closed)
		s->closed(s->arg);
}

static void free_stream(struct md_object *object)
{
	struct md_stream *s = (struct md_stream *)object;
	struct md_event *e;

	while ((e = TAILQ_FIRST(&s->events))) {
		TAILQ_REMOVE(&s->events, e, link);
		free_event(e);
	}
	pthread_mutex_destroy(&s->lock);
	free(s);
}

struct md_stream *md_stream_new(unsigned int max, void (*closed)(void *arg),
				void *arg)
{
	struct md_stream *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	md_object_init(&s->base, free_stream);
	s->base.close = close_stream;
	pthread_mutex_init(&s->lock, NULL);
	s->max = max;
	s->closed = closed;
	s->arg = arg;
	s->open = true;
	TAILQ_INIT(&s->events);
	TAILQ_INIT(&s->waiters);
	return s;
}

void md_stream_put(struct md_stream *s)
{
	md_object_put(&s->base);
}

int md_return_stream(struct md_call *c, struct md_stream *s)
{
	atomic_fetch_add(&s->base.refs, 1);
	return md_return_handle(c, MD_KIND_stream, &s->base);
}

/* Take a waiter off the list: NULL when there is none. With the lock. */
static struct waiter *unlist(struct md_stream *s, struct waiter *w)
{
	if (!w || !w->listed)
		return NULL;
	TAILQ_REMOVE(&s->waiters, w, link);
	w->listed = false;
	return w;
}

/*
 * End a call whose waiter was taken off the list, without the lock: whether its
 * caller gets the result.
 */
static bool finish(struct waiter *w, enum md_status status)
{
	struct md_call *c = w->call;

	if (w->timer.fire && md_timer_remove(c->session->core, &w->timer))
		md_call_put(c);
	return md_finish(c, status);
}

static int no_more(struct md_call *c, const struct md_stream *s)
{
	return md_fail(c, s->code, "%s", s->text);
}

/* The value of an event becomes the result; the event is freed. */
static void give(struct md_call *c, struct md_event *e)
{
	md_return(c, mathis_item_copy(&c->pool, &e->item));
	free_event(e);
}

/* The event that counts those that were dropped, or NULL. With the lock. */
static struct md_event *drops(struct md_stream *s)
{
	struct md_event *e = s->dropped ? md_event_new() : NULL;

	if (!e)
		return NULL;
	e->item = mathis_item_seq(&e->pool, MATHIS_MAP, 2);
	mathis_item_put(&e->pool, &e->item, "dropped",
			mathis_item_int((int64_t)s->dropped));
	s->dropped = 0;
	return e;
}

bool md_stream_add(struct md_stream *s, struct md_event *e)
{
	struct waiter *w;
	bool open;

again:
	w = NULL;
	pthread_mutex_lock(&s->lock);
	open = s->open && !s->ended;
	if (open)
		w = unlist(s, TAILQ_FIRST(&s->waiters));
	if (open && !w && s->n < s->max) {
		TAILQ_INSERT_TAIL(&s->events, e, link);
		s->n++;
		e = NULL;
	} else if (open && !w) {
		s->dropped++;
	}
	pthread_mutex_unlock(&s->lock);
	if (w) {
		md_return(w->call, mathis_item_copy(&w->call->pool, &e->item));
		/* One that was stopped leaves it to the next. */
		if (!finish(w, MD_DONE))
			goto again;
	}
	if (e)
		free_event(e);
	return open;
}

void md_stream_end(struct md_stream *s, int code, const char *text)
{
	struct waiter *w;

	pthread_mutex_lock(&s->lock);
	if (!s->ended) {
		s->ended = true;
		s->code = code;
		snprintf(s->text, sizeof(s->text), "%s", text);
	}
	while ((w = unlist(s, TAILQ_FIRST(&s->waiters)))) {
		pthread_mutex_unlock(&s->lock);
		no_more(w->call, s);
		finish(w, MD_FAILED);
		pthread_mutex_lock(&s->lock);
	}
	pthread_mutex_unlock(&s->lock);
}

/* The call is freed: nothing can stop it any more. */
static void drop(struct md_call *c)
{
	struct waiter *w = c->own;

	md_object_put(&w->stream->base);
}

/* The call was stopped. */
static void cancel(struct md_call *c)
{
	struct waiter *w = c->own;
	struct md_stream *s = w->stream;

	pthread_mutex_lock(&s->lock);
	w = unlist(s, w);
	pthread_mutex_unlock(&s->lock);
	if (w)
		finish(w, MD_FAILED);
}

/* The time of a waiter has passed: its result is none. */
static void fire(struct md_timer *timer)
{
	struct waiter *w = (struct waiter *)((char *)timer -
					     offsetof(struct waiter, timer));
	struct md_call *c = w->call;
	struct md_stream *s = w->stream;

	pthread_mutex_lock(&s->lock);
	w = unlist(s, w);
	pthread_mutex_unlock(&s->lock);
	if (w) {
		w->timer.fire = NULL;
		md_finish(c, MD_DONE);
	}
	md_call_put(c);
}

/* Wait for the next event. With the lock, which it lets go of. */
static int wait(struct md_call *c, struct md_stream *s, int64_t ms)
{
	struct md_core *core = c->session->core;
	struct waiter *w = md_alloc(c, sizeof(*w));
	int ret;

	if (!w) {
		pthread_mutex_unlock(&s->lock);
		return MD_FAILED;
	}
	*w = (struct waiter){ .stream = s, .call = c };
	atomic_fetch_add(&s->base.refs, 1);
	c->own = w;
	c->drop = drop;
	ret = md_later(c, cancel, w);
	if (ret == MD_LATER && ms > 0) {
		w->timer.fire = fire;
		atomic_fetch_add(&c->refs, 1);
		if (md_timer_add(core, &w->timer,
				 md_now() + (uint64_t)ms * 1000000)) {
			md_call_put(c);
			w->timer.fire = NULL;
			ret = md_fail(c, MATHIS_OUT_OF_MEMORY, "no timer");
		}
	}
	if (ret == MD_LATER) {
		TAILQ_INSERT_TAIL(&s->waiters, w, link);
		w->listed = true;
	}
	pthread_mutex_unlock(&s->lock);
	return ret;
}

static int take(struct md_call *c, struct md_stream *s, int64_t ms)
{
	struct md_event *e;
	bool ended;

	pthread_mutex_lock(&s->lock);
	e = TAILQ_FIRST(&s->events);
	if (e) {
		TAILQ_REMOVE(&s->events, e, link);
		s->n--;
	} else {
		e = drops(s);
	}
	if (!e && !s->ended && ms)
		return wait(c, s, ms);
	ended = s->ended;
	if (!e && ended)
		no_more(c, s);
	pthread_mutex_unlock(&s->lock);
	if (e)
		give(c, e);
	return e || !ended ? MD_DONE : MD_FAILED;
}

int md_stream_take(struct md_call *c, int64_t ms)
{
	struct md_stream *s = (struct md_stream *)md_handle_get(
		c, MD_KIND_stream, &c->args[0]);
	int ret;

	if (!s)
		return MD_FAILED;
	ret = take(c, s, ms);
	md_object_put(&s->base);
	return ret;
}

int md_stream_shut(struct md_call *c)
{
	struct md_stream *s = (struct md_stream *)md_handle_get(
		c, MD_KIND_stream, &c->args[0]);
	int ret;

	if (!s)
		return MD_FAILED;
	ret = md_handle_close(c, MD_KIND_stream, &c->args[0]);
	if (!ret)
		md_stream_end(s, MATHIS_CLOSED, "the stream was closed");
	md_object_put(&s->base);
	return ret;
}
