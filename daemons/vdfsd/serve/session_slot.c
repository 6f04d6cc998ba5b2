// SPDX-License-Identifier: GPL-2.0-only
/* What sessions have: puts, open blobs, collections, maps and jobs. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "serve_impl.h"

/* An id: a serial number, the kind, the slot. */
#define ID_SLOT_BITS 12
#define ID_KIND_BITS 4
#define ID_BITS (ID_SLOT_BITS + ID_KIND_BITS)

static const uint32_t limits[KINDS] = {
	[KIND_PUT] = PHI_VDFS_PUTS,
	[KIND_BLOB] = PHI_VDFS_BLOBS,
	[KIND_COLLECTION] = PHI_VDFS_COLLECTIONS,
	[KIND_MAP] = PHI_VDFS_MAPS,
	[KIND_JOB] = PHI_VDFS_JOBS,
};

/**
 * slots_init() - make room for what a session may have
 * @session: New.
 *
 * Context: Main thread.
 * Return: 0 or -ENOMEM.
 */
int slots_init(struct session *session)
{
	uint32_t total = 0, i;
	struct slot *slots;

	for (i = 0; i < KINDS; i++)
		total += limits[i];
	slots = calloc(total, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	for (i = 0; i < KINDS; i++) {
		session->slots[i] = slots;
		slots += limits[i];
	}
	return 0;
}

/* Let go of what is in a slot. */
static void slot_release(struct session *session, enum kind kind, void *ptr)
{
	switch (kind) {
	case KIND_PUT:
		vdfs_put_abort(ptr);
		break;
	case KIND_BLOB:
		vdfs_blob_close(ptr);
		break;
	case KIND_COLLECTION:
		vdfs_collection_put(ptr);
		break;
	case KIND_MAP:
		map_release(session, ptr);
		break;
	default:
		job_free(ptr);
		break;
	}
}

/**
 * slots_fini() - let go of all that a session has
 * @session: Nobody uses it any more.
 *
 * Context: Any thread. May wait for the disk.
 */
void slots_fini(struct session *session)
{
	uint32_t kind, i;

	for (kind = 0; kind < KINDS; kind++) {
		for (i = 0; i < limits[kind]; i++) {
			struct slot *slot = &session->slots[kind][i];

			if (slot->id && slot->ptr)
				slot_release(session, kind, slot->ptr);
		}
	}
	free(session->slots[0]);
}

/**
 * slot_add() - give a session something
 * @session: Session.
 * @kind: What it is.
 * @ptr: It; the session's when this returns 0.
 * @id: Out, what the client calls it.
 *
 * Context: Any thread, without the lock.
 * Return: 0, or -ENOSPC when it has as many as it may.
 */
int slot_add(struct session *session, enum kind kind, void *ptr, __u64 *id)
{
	struct server *s = session->server;
	int ret = -ENOSPC;
	uint32_t i;

	pthread_mutex_lock(&s->lock);
	for (i = 0; ret && i < limits[kind]; i++) {
		struct slot *slot = &session->slots[kind][i];

		if (slot->id)
			continue;
		slot->id = ++session->serial << ID_BITS |
			   (uint64_t)kind << ID_SLOT_BITS | i;
		slot->ptr = ptr;
		slot->uses = 0;
		*id = slot->id;
		ret = 0;
	}
	pthread_mutex_unlock(&s->lock);
	return ret;
}

/* Under the lock. */
static struct slot *slot_find(struct session *session, enum kind kind,
			      uint64_t id)
{
	uint32_t i = id & ((1U << ID_SLOT_BITS) - 1);
	struct slot *slot;

	if (!id || i >= limits[kind])
		return NULL;
	slot = &session->slots[kind][i];
	return slot->id == id ? slot : NULL;
}

static int slot_use(struct session *session, enum kind kind, uint64_t id,
		    bool alone, void **out)
{
	struct server *s = session->server;
	struct slot *slot;
	int ret = 0;

	pthread_mutex_lock(&s->lock);
	slot = slot_find(session, kind, id);
	if (!slot) {
		ret = -EBADF;
	} else if (slot->uses == UINT32_MAX || (alone && slot->uses)) {
		ret = -EBUSY;
	} else {
		slot->uses = alone ? UINT32_MAX : slot->uses + 1;
		*out = slot->ptr;
	}
	pthread_mutex_unlock(&s->lock);
	return ret;
}

/**
 * slot_get() - use something that a session has, beside others
 * @session: Session.
 * @kind: What it must be.
 * @id: What the client calls it.
 * @out: Out, it; until slot_put().
 *
 * Context: Any thread, without the lock.
 * Return: 0, -EBADF, or -EBUSY while another uses it alone.
 */
int slot_get(struct session *session, enum kind kind, uint64_t id, void **out)
{
	return slot_use(session, kind, id, false, out);
}

/**
 * slot_get_alone() - use something that a session has, alone
 * @session: Session.
 * @kind: What it must be.
 * @id: What the client calls it.
 * @out: Out, it; until slot_put() or slot_remove().
 *
 * Context: Any thread, without the lock.
 * Return: 0, -EBADF, or -EBUSY while another uses it.
 */
int slot_get_alone(struct session *session, enum kind kind, uint64_t id,
		   void **out)
{
	return slot_use(session, kind, id, true, out);
}

/**
 * slot_put() - use something no more
 * @session: Session.
 * @kind: What it is.
 * @id: What the client calls it.
 *
 * Context: Any thread, without the lock.
 */
void slot_put(struct session *session, enum kind kind, uint64_t id)
{
	struct server *s = session->server;
	struct slot *slot;

	pthread_mutex_lock(&s->lock);
	slot = slot_find(session, kind, id);
	if (slot->uses == UINT32_MAX)
		slot->uses = 0;
	else
		slot->uses--;
	pthread_mutex_unlock(&s->lock);
}

/**
 * slot_remove() - take something from a session
 * @session: Session.
 * @kind: What it is; now the caller's.
 * @id: What the client called it; used alone by the caller.
 *
 * Context: Any thread, without the lock.
 */
void slot_remove(struct session *session, enum kind kind, uint64_t id)
{
	struct server *s = session->server;
	struct slot *slot;

	pthread_mutex_lock(&s->lock);
	slot = slot_find(session, kind, id);
	memset(slot, 0, sizeof(*slot));
	pthread_mutex_unlock(&s->lock);
}
