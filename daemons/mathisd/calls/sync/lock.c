// SPDX-License-Identifier: GPL-2.0-only
/*
 * 0x0510 to 0x0515: locks and semaphores, first come first served. A lock is a
 * semaphore of one that has a holder: the task that locked it.
 */
#include <stddef.h>
#include <stdlib.h>

#include "calls/calls.h"

TAILQ_HEAD(lock_waiters, lock_waiter);
TAILQ_HEAD(lock_list, lock);

/* The locks of a session that tasks hold. */
struct held {
	pthread_mutex_t lock; /* guards all locks and semaphores of the session */
	struct lock_list list;
	struct lock_waiters waiters; /* for any of them */
};

struct lock {
	struct md_object base;

	TAILQ_ENTRY(lock) link; /* of held->list, while a task holds it */
	struct held *held;
	bool is_mutex;
	bool abandoned; /* its holder ended */
	bool closed;
	uint64_t holder;
	int64_t count;
	struct lock_waiters waiters;
};

/* A call that waits; the thread that takes it off the list ends it. */
struct lock_waiter {
	TAILQ_ENTRY(lock_waiter) link; /* of lock->waiters */
	TAILQ_ENTRY(lock_waiter) all; /* of held->waiters */
	struct lock *lock;
	struct md_call *call;
	bool listed;
};

static void init(void *state)
{
	struct held *held = state;

	pthread_mutex_init(&held->lock, NULL);
	TAILQ_INIT(&held->list);
	TAILQ_INIT(&held->waiters);
}

static void fini(void *state)
{
	struct held *held = state;

	pthread_mutex_destroy(&held->lock);
}

static void task_ended(void *state, uint64_t task);
static void task_moved(void *state, uint64_t from, uint64_t to);

static const struct md_own_kind kind = {
	.size = sizeof(struct held),
	.init = init,
	.fini = fini,
	.task_ended = task_ended,
	.task_moved = task_moved,
};

static void free_lock(struct md_object *object)
{
	free((struct lock *)object);
}

/* Give a lock to a call: MD_DONE or MD_FAILED. With the lock of the session. */
static int give(struct lock *l, struct md_call *c)
{
	struct mathis_item map;

	if (l->is_mutex) {
		map = mathis_item_seq(&c->pool, MATHIS_MAP, 2);
		mathis_item_put(&c->pool, &map, "abandoned",
				mathis_item_bool(l->abandoned));
		if (c->pool.bad)
			return md_fail(c, MATHIS_OUT_OF_MEMORY, "no memory");
		l->holder = c->task;
		l->abandoned = false;
		TAILQ_INSERT_TAIL(&l->held->list, l, link);
		md_return(c, map);
	}
	l->count--;
	return MD_DONE;
}

/* The call that was given a lock does not get it. */
static void take_back(struct lock *l, bool abandoned)
{
	l->count++;
	if (l->is_mutex) {
		l->abandoned = abandoned;
		TAILQ_REMOVE(&l->held->list, l, link);
	}
}

/* Take one that waits off the lists. */
static void unlist(struct lock_waiter *w)
{
	TAILQ_REMOVE(&w->lock->waiters, w, link);
	TAILQ_REMOVE(&w->lock->held->waiters, w, all);
	w->listed = false;
}

/* The first of those that wait, off the list, or NULL. */
static struct md_call *next(struct lock *l)
{
	struct lock_waiter *w = TAILQ_FIRST(&l->waiters);

	if (!w || (!l->count && !l->closed))
		return NULL;
	unlist(w);
	return w->call;
}

/*
 * Give a lock to those that wait. The caller holds its mutex, so no thread sees
 * a stopped call as the holder.
 */
static void give_all(struct lock *l)
{
	struct md_call *c;

	atomic_fetch_add(&l->base.refs, 1);
	while ((c = next(l))) {
		bool abandoned = l->abandoned;
		int ret;

		if (l->closed)
			ret = md_fail(c, MATHIS_CLOSED,
				      "the session has ended");
		else
			ret = give(l, c);
		if (!md_finish(c, ret) && !ret)
			take_back(l, abandoned);
	}
	md_object_put(&l->base);
}

/* The session ends. */
static void close_lock(struct md_object *object)
{
	struct lock *l = (struct lock *)object;

	pthread_mutex_lock(&l->held->lock);
	l->closed = true;
	if (l->is_mutex && !l->count)
		TAILQ_REMOVE(&l->held->list, l, link);
	give_all(l);
	pthread_mutex_unlock(&l->held->lock);
}

/* A task ended: it waits for no lock. With the lock. */
static void stop_waiters(struct held *held, uint64_t task)
{
	struct lock_waiter *w = TAILQ_FIRST(&held->waiters);

	while (w) {
		struct lock_waiter *after = TAILQ_NEXT(w, all);
		struct md_call *c = w->call;

		if (w->lock->is_mutex && c->task == task) {
			unlist(w);
			md_fail(c, MATHIS_CANCELLED, "its task has ended");
			md_finish(c, MD_FAILED);
		}
		w = after;
	}
}

/* A task ended: the locks that it held go to the next ones. */
static void task_ended(void *state, uint64_t task)
{
	struct held *held = state;
	struct lock *l, *after;

	pthread_mutex_lock(&held->lock);
	stop_waiters(held, task);
	/* A lock that is given goes to the end of the list; no other one moves. */
	for (l = TAILQ_FIRST(&held->list); l; l = after) {
		after = TAILQ_NEXT(l, link);
		if (l->holder != task)
			continue;
		TAILQ_REMOVE(&held->list, l, link);
		l->abandoned = true;
		l->count = 1;
		give_all(l);
	}
	pthread_mutex_unlock(&held->lock);
}

/* A task goes on as another, which holds its locks now. */
static void task_moved(void *state, uint64_t from, uint64_t to)
{
	struct held *held = state;
	struct lock *l;

	pthread_mutex_lock(&held->lock);
	TAILQ_FOREACH(l, &held->list, link)
	{
		if (l->holder == from)
			l->holder = to;
	}
	pthread_mutex_unlock(&held->lock);
}

static int make(struct md_call *c, enum md_kind handle, int64_t count)
{
	struct held *held = md_session_own(c->session, &kind);
	struct lock *l = held ? calloc(1, sizeof(*l)) : NULL;

	if (!l)
		return md_fail(c, MATHIS_OUT_OF_MEMORY, "no memory");
	md_object_init(&l->base, free_lock);
	l->base.close = close_lock;
	l->held = held;
	l->is_mutex = handle == MD_KIND_mutex;
	l->count = count;
	TAILQ_INIT(&l->waiters);
	return md_return_handle(c, handle, &l->base);
}

static struct lock *get(struct md_call *c, enum md_kind handle)
{
	return (struct lock *)md_handle_get(c, handle, &c->args[0]);
}

static void drop(struct md_call *c)
{
	struct lock_waiter *w = c->own;

	md_object_put(&w->lock->base);
}

/* The call was stopped. */
static void cancel(struct md_call *c)
{
	struct lock_waiter *w = c->own;
	struct held *held = w->lock->held;
	bool listed;

	pthread_mutex_lock(&held->lock);
	listed = w->listed;
	if (listed)
		unlist(w);
	pthread_mutex_unlock(&held->lock);
	if (listed)
		md_finish(c, MD_FAILED);
}

/* Wait for a lock. With the lock of the session. */
static int wait(struct md_call *c, struct lock *l)
{
	struct lock_waiter *w = md_alloc(c, sizeof(*w));
	int ret;

	if (!w)
		return MD_FAILED;
	*w = (struct lock_waiter){ .lock = l, .call = c };
	atomic_fetch_add(&l->base.refs, 1);
	c->drop = drop;
	ret = md_later(c, cancel, w);
	if (ret == MD_LATER) {
		TAILQ_INSERT_TAIL(&l->waiters, w, link);
		TAILQ_INSERT_TAIL(&l->held->waiters, w, all);
		w->listed = true;
	}
	return ret;
}

static int acquire(struct md_call *c, enum md_kind handle)
{
	struct lock *l = get(c, handle);
	int ret = MD_DONE;

	if (!l)
		return MD_FAILED;
	pthread_mutex_lock(&l->held->lock);
	if (l->is_mutex && !l->count && l->holder == c->task)
		ret = md_fail(c, MATHIS_BAD_OPERATION, "the task holds it");
	else if (l->count && TAILQ_EMPTY(&l->waiters))
		ret = give(l, c);
	else
		ret = wait(c, l);
	c->tell = l->is_mutex;
	pthread_mutex_unlock(&l->held->lock);
	md_object_put(&l->base);
	return ret;
}

int md_mutex_new(struct md_call *c)
{
	return make(c, MD_KIND_mutex, 1);
}

int md_mutex_lock(struct md_call *c)
{
	return acquire(c, MD_KIND_mutex);
}

int md_mutex_unlock(struct md_call *c)
{
	struct lock *l = get(c, MD_KIND_mutex);
	int ret = MD_DONE;

	if (!l)
		return MD_FAILED;
	pthread_mutex_lock(&l->held->lock);
	if (l->count || l->holder != c->task) {
		ret = md_fail(c, MATHIS_BAD_OPERATION,
			      "the task does not hold it");
	} else {
		TAILQ_REMOVE(&l->held->list, l, link);
		l->count = 1;
		give_all(l);
	}
	pthread_mutex_unlock(&l->held->lock);
	md_object_put(&l->base);
	return ret;
}

int md_sem_new(struct md_call *c)
{
	return make(c, MD_KIND_sem, c->args[0].i);
}

int md_sem_acquire(struct md_call *c)
{
	return acquire(c, MD_KIND_sem);
}

int md_sem_release(struct md_call *c)
{
	struct lock *l = get(c, MD_KIND_sem);
	int ret = MD_DONE;

	if (!l)
		return MD_FAILED;
	pthread_mutex_lock(&l->held->lock);
	if (l->count + c->args[1].i > INT32_MAX) {
		ret = md_fail(c, MATHIS_ARG_RANGE,
			      "the count would be larger than %d", INT32_MAX);
	} else {
		l->count += c->args[1].i;
		give_all(l);
	}
	pthread_mutex_unlock(&l->held->lock);
	md_object_put(&l->base);
	return ret;
}
