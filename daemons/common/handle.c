// SPDX-License-Identifier: GPL-2.0-only
/* Handles: what a session holds, by numbers that are never used twice. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "daemon.h"
#include "handle.h"
#include "session.h"

/* An id: a serial number, the kind, the place among its kind. */
#define ID_PLACE_BITS 12
#define ID_KIND_BITS 4
#define ID_BITS (ID_PLACE_BITS + ID_KIND_BITS)

static const struct handle_kind *kind_of(const struct session *session,
					 uint32_t kind)
{
	return &session->daemon->kind->handles[kind];
}

/* The places of a kind: they lie behind those of the kinds before it. */
static struct handle *places(struct session *session, uint32_t kind)
{
	struct handle *at = session->handles;
	uint32_t i;

	for (i = 0; i < kind; i++)
		at += kind_of(session, i)->limit;
	return at;
}

/**
 * handles_init() - make room for what a session may hold
 * @session: New; its daemon is set.
 *
 * Context: Main thread.
 * Return: 0 or -ENOMEM.
 */
int handles_init(struct session *session)
{
	const struct daemon_kind *kind = session->daemon->kind;
	size_t total = 0;
	uint32_t i;

	for (i = 0; i < kind->nhandles; i++)
		total += kind->handles[i].limit;
	session->handles = NULL;
	if (total)
		session->handles = calloc(total, sizeof(*session->handles));
	return total && !session->handles ? -ENOMEM : 0;
}

/**
 * handles_fini() - release all that a session holds
 * @session: No call uses it any more.
 *
 * Context: Any thread, without the lock. May wait for the disk.
 */
void handles_fini(struct session *session)
{
	const struct daemon_kind *kind = session->daemon->kind;
	struct handle *h = session->handles;
	uint32_t i, j;

	for (i = 0; i < kind->nhandles; i++) {
		for (j = 0; j < kind->handles[i].limit; j++, h++) {
			if (h->id && h->ptr)
				kind->handles[i].release(session, h->ptr);
		}
	}
	free(session->handles);
}

/**
 * handles_cancel() - ask what a session holds and can be cancelled to end
 * @session: Session.
 *
 * Context: Under the lock.
 */
void handles_cancel(struct session *session)
{
	const struct daemon_kind *kind = session->daemon->kind;
	uint32_t i, j;

	for (i = 0; i < kind->nhandles; i++) {
		struct handle *h = places(session, i);

		if (!kind->handles[i].cancel)
			continue;
		for (j = 0; j < kind->handles[i].limit; j++, h++) {
			if (h->id)
				kind->handles[i].cancel(h->ptr);
		}
	}
}

/**
 * handle_add() - let a session hold an object
 * @session: Session.
 * @kind: The object's kind.
 * @ptr: The object; the session's when this returns 0.
 * @id: Out, its number.
 *
 * Context: Any thread, without the lock.
 * Return: 0, or -ENOSPC when it holds as many as it may.
 */
int handle_add(struct session *session, uint32_t kind, void *ptr, __u64 *id)
{
	struct daemon *d = session->daemon;
	uint32_t limit = kind_of(session, kind)->limit;
	struct handle *h = places(session, kind);
	int ret = -ENOSPC;
	uint32_t i;

	pthread_mutex_lock(&d->lock);
	for (i = 0; ret && i < limit; i++, h++) {
		if (h->id)
			continue;
		h->id = ++session->serial << ID_BITS |
			(uint64_t)kind << ID_PLACE_BITS | i;
		h->ptr = ptr;
		h->uses = 0;
		*id = h->id;
		ret = 0;
	}
	pthread_mutex_unlock(&d->lock);
	return ret;
}

/* Under the lock. */
static struct handle *find(struct session *session, uint32_t kind, uint64_t id)
{
	uint32_t i = id & ((1U << ID_PLACE_BITS) - 1);
	struct handle *h;

	if (!id || i >= kind_of(session, kind)->limit)
		return NULL;
	h = places(session, kind) + i;
	return h->id == id ? h : NULL;
}

static int use(struct session *session, uint32_t kind, uint64_t id, bool alone,
	       void **out)
{
	struct daemon *d = session->daemon;
	struct handle *h;
	int ret = 0;

	pthread_mutex_lock(&d->lock);
	h = find(session, kind, id);
	if (!h) {
		ret = -EBADF;
	} else if (h->uses == UINT32_MAX || (alone && h->uses)) {
		ret = -EBUSY;
	} else {
		h->uses = alone ? UINT32_MAX : h->uses + 1;
		*out = h->ptr;
	}
	pthread_mutex_unlock(&d->lock);
	return ret;
}

/**
 * handle_get() - use an object beside other calls
 * @session: Session.
 * @kind: The kind it must be of.
 * @id: Its number.
 * @out: Out, the object, until handle_put().
 *
 * Context: Any thread, without the lock.
 * Return: 0, -EBADF, or -EBUSY while a call uses it alone.
 */
int handle_get(struct session *session, uint32_t kind, uint64_t id, void **out)
{
	return use(session, kind, id, false, out);
}

/**
 * handle_get_alone() - use an object and keep other calls from it
 * @session: Session.
 * @kind: The kind it must be of.
 * @id: Its number.
 * @out: Out, the object, until handle_put() or handle_remove().
 *
 * Context: Any thread, without the lock.
 * Return: 0, -EBADF, or -EBUSY while a call uses it.
 */
int handle_get_alone(struct session *session, uint32_t kind, uint64_t id,
		     void **out)
{
	return use(session, kind, id, true, out);
}

/**
 * handle_put() - end the use of an object
 * @session: Session.
 * @kind: Its kind.
 * @id: Its number.
 *
 * Context: Any thread, without the lock.
 */
void handle_put(struct session *session, uint32_t kind, uint64_t id)
{
	struct daemon *d = session->daemon;
	struct handle *h;

	pthread_mutex_lock(&d->lock);
	h = find(session, kind, id);
	if (h->uses == UINT32_MAX)
		h->uses = 0;
	else
		h->uses--;
	pthread_mutex_unlock(&d->lock);
}

/**
 * handle_remove() - take an object from a session
 * @session: Session.
 * @kind: Its kind.
 * @id: Its number; the caller used it alone, and now owns the object.
 *
 * Context: Any thread, without the lock.
 */
void handle_remove(struct session *session, uint32_t kind, uint64_t id)
{
	struct daemon *d = session->daemon;

	pthread_mutex_lock(&d->lock);
	memset(find(session, kind, id), 0, sizeof(struct handle));
	pthread_mutex_unlock(&d->lock);
}
