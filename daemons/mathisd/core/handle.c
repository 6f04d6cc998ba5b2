// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table of handles of a session.
 */
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "handle.h"
#include "session.h"

static const char *const kinds[UINT8_MAX + 1] = {
#include "kinds.def"
};

/* The most of those that take more than memory; 0: MD_HANDLES_MAX. */
static const uint32_t most[UINT8_MAX + 1] = {
	[MD_KIND_file] = MD_FILES_MAX,
	[MD_KIND_cron] = MD_CRONS_MAX,
};

const char *md_kind_name(unsigned int kind)
{
	return kind <= UINT8_MAX && kinds[kind] ? kinds[kind] : "?";
}

unsigned int md_kind_find(const char *name, unsigned int n)
{
	for (unsigned int i = 1; i <= UINT8_MAX; i++) {
		if (kinds[i] && strlen(kinds[i]) == n &&
		    !memcmp(kinds[i], name, n))
			return i;
	}
	return 0;
}

void md_object_init(struct md_object *object,
		    void (*free)(struct md_object *object))
{
	atomic_init(&object->refs, 1);
	object->free = free;
	object->close = NULL;
}

void md_object_put(struct md_object *object)
{
	if (object && atomic_fetch_sub(&object->refs, 1) == 1)
		object->free(object);
}

static void close_object(struct md_object *object)
{
	if (object && object->close)
		object->close(object);
	md_object_put(object);
}

/* A free slot, or NULL. With the lock of the session. */
static struct md_slot *free_slot(struct md_handles *h)
{
	struct md_slot *slot;

	if (h->free) {
		slot = &h->slots[h->free - 1];
		h->free = slot->next;
		return slot;
	}
	if (h->n == h->room) {
		uint32_t room = h->room ? h->room * 2 : 8;
		struct md_slot *more =
			realloc(h->slots, room * sizeof(*h->slots));

		if (!more)
			return NULL;
		h->slots = more;
		h->room = room;
	}
	slot = &h->slots[h->n++];
	memset(slot, 0, sizeof(*slot));
	slot->generation = h->seed;
	return slot;
}

int md_return_handle(struct md_call *c, enum md_kind kind,
		     struct md_object *object)
{
	struct md_session *s = c->session;
	struct md_handles *h = &s->handles;
	uint32_t max = most[kind] ?: MD_HANDLES_MAX;
	struct md_slot *slot = NULL;
	bool full;

	pthread_mutex_lock(&s->lock);
	full = h->open >= MD_HANDLES_MAX || h->of_kind[kind] >= max;
	if (!full && !s->dead)
		slot = free_slot(h);
	if (slot) {
		slot->object = object;
		slot->kind = kind;
		slot->generation++;
		h->open++;
		h->of_kind[kind]++;
		c->result = (struct mathis_item){
			.kind = MATHIS_HANDLE,
			.aux = slot->generation,
			.i = (int64_t)kind << 24 | (slot - h->slots),
		};
		c->opened = c->result;
	}
	pthread_mutex_unlock(&s->lock);
	if (slot)
		return 0;
	close_object(object);
	if (full)
		return md_fail(c, MATHIS_LIMIT,
			       "more than %u handles, or %u of a %s",
			       MD_HANDLES_MAX, max, md_kind_name(kind));
	return md_fail(c, s->dead ? MATHIS_CANCELLED : MATHIS_OUT_OF_MEMORY,
		       s->dead ? "the session has ended" : "no memory");
}

/* The slot of a handle, or NULL. With the lock of the session. */
static struct md_slot *find(struct md_handles *h, enum md_kind kind,
			    const struct mathis_item *handle)
{
	uint64_t slot = handle->i & 0xffffff;

	if (handle->kind != MATHIS_HANDLE || handle->i >> 24 != kind ||
	    slot >= h->n || h->slots[slot].kind != kind ||
	    h->slots[slot].generation != handle->aux || !h->slots[slot].object)
		return NULL;
	return &h->slots[slot];
}

static int invalid(struct md_call *c)
{
	return md_fail(c, MATHIS_BAD_HANDLE, "no such handle is open");
}

struct md_object *md_handle_get(struct md_call *c, enum md_kind kind,
				const struct mathis_item *handle)
{
	struct md_session *s = c->session;
	struct md_object *object = NULL;
	struct md_slot *slot;

	pthread_mutex_lock(&s->lock);
	slot = find(&s->handles, kind, handle);
	if (slot) {
		object = slot->object;
		atomic_fetch_add(&object->refs, 1);
	}
	pthread_mutex_unlock(&s->lock);
	if (!object)
		invalid(c);
	return object;
}

/* Empty a slot. With the lock of the session. */
static struct md_object *empty(struct md_handles *h, struct md_slot *slot)
{
	struct md_object *object = slot->object;

	slot->object = NULL;
	h->open--;
	h->of_kind[slot->kind]--;
	/* A generation that would come again ends the slot. */
	if (slot->generation + 1 == h->seed)
		return object;
	slot->next = h->free;
	h->free = slot - h->slots + 1;
	return object;
}

int md_handle_close(struct md_call *c, enum md_kind kind,
		    const struct mathis_item *handle)
{
	struct md_session *s = c->session;
	struct md_object *object = NULL;
	struct md_slot *slot;

	pthread_mutex_lock(&s->lock);
	slot = find(&s->handles, kind, handle);
	if (slot)
		object = empty(&s->handles, slot);
	pthread_mutex_unlock(&s->lock);
	if (!object)
		return invalid(c);
	close_object(object);
	return 0;
}

/* Close all of them, when no call can open another. */
void md_handles_fini(struct md_handles *handles)
{
	for (uint32_t i = 0; i < handles->n; i++)
		close_object(handles->slots[i].object);
	free(handles->slots);
	memset(handles, 0, sizeof(*handles));
}
