// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The objects of a machine: memory that is counted, and a collection that
 * marks what the roots reach and frees the rest. Objects that are marked but
 * not scanned are linked, so that the collection needs neither memory nor a
 * deep stack.
 */
#include <stdlib.h>
#include <string.h>

#include "machine.h"

#define FIRST_COLLECTION (1U << 20)
#define OBJECTS_FUEL 16 /* that a collection visits for a unit of fuel */
#define LEAST_FREE 16

static void mark_object(struct mathis_object **gray, struct mathis_object *o)
{
	if (!o || o->marked)
		return;
	o->marked = true;
	o->gray = *gray;
	*gray = o;
}

static void mark(struct mathis_object **gray, struct mathis_value v)
{
	if (mathis_has_object(v))
		mark_object(gray, v.o);
}

static void mark_all(struct mathis_object **gray, struct mathis_value *v,
		     size_t n)
{
	for (size_t i = 0; i < n; i++)
		mark(gray, v[i]);
}

/* A thing that is reached may wake the tasks that wait for it. */
static void mark_waiters(struct mathis_object **gray, struct mathis_wait *w)
{
	for (; w; w = w->next)
		mark_object(gray, &w->task->base);
}

static void scan_task(struct mathis_object **gray, struct mathis_task *t)
{
	mark_all(gray, t->stack, t->sp);
	for (size_t i = 0; i < t->n_frames; i++) {
		if (t->frames[i].closure)
			mark_object(gray, &t->frames[i].closure->base);
	}
	mark(gray, t->caught);
	mark(gray, t->fork);
	if (t->resumer)
		mark_object(gray, &t->resumer->base);
	mark(gray, t->result);
	mark_waiters(gray, t->waiters);
}

static void scan_map(struct mathis_object **gray, struct mathis_map *map)
{
	for (size_t i = 0; i < map->n; i++) {
		mark(gray, map->entries[i].key);
		mark(gray, map->entries[i].value);
	}
}

static void scan_channel(struct mathis_object **gray, struct mathis_channel *c)
{
	for (size_t i = 0; i < c->n; i++)
		mark(gray, c->items[(c->first + i) % c->room]);
	mark_waiters(gray, c->waiters);
}

static void scan(struct mathis_object **gray, struct mathis_object *o)
{
	switch (o->kind) {
	case KIND_LIST:
	case KIND_TUPLE:
	case KIND_STRUCT:
		mark_all(gray, ((struct mathis_seq *)o)->items,
			 ((struct mathis_seq *)o)->n);
		break;
	case KIND_MAP:
	case KIND_SET:
		scan_map(gray, (struct mathis_map *)o);
		break;
	case KIND_ENUM:
		mark(gray, ((struct mathis_enum *)o)->value);
		break;
	case KIND_FUNC:
		mark_all(gray, ((struct mathis_closure *)o)->captured,
			 ((struct mathis_closure *)o)->n);
		break;
	case KIND_ITERATOR:
		mark(gray, ((struct mathis_iter *)o)->of);
		break;
	case KIND_TASK:
		scan_task(gray, (struct mathis_task *)o);
		break;
	case KIND_CHANNEL:
		scan_channel(gray, (struct mathis_channel *)o);
		break;
	}
}

static void mark_roots(struct mathis_machine *m, struct mathis_object **gray)
{
	mark_all(gray, m->consts, m->consts ? m->module->n_consts : 0);
	mark_all(gray, m->globals, m->globals ? m->module->n_globals : 0);
	mark_all(gray, m->pins, m->n_pins);
	mark_all(gray, m->kept, m->n_kept);
	mark_all(gray, m->holds, m->n_holds);
	if (m->has_thrown)
		mark(gray, m->thrown);
	/* Tasks that rest or wait go on only when one that is reached wakes them. */
	for (struct mathis_task *t = m->tasks; t; t = t->next) {
		if (t->state != TASK_RESTS && t->state != TASK_WAITS)
			mark_object(gray, &t->base);
	}
	for (struct mathis_task *t = m->ready; t; t = t->next_ready)
		mark_object(gray, &t->base);
	if (m->main)
		mark_object(gray, &m->main->base);
}

/* Take tasks that nothing can wake out of all lists, before they are freed. */
static void drop_tasks(struct mathis_machine *m)
{
	struct mathis_task *next;

	for (struct mathis_task *t = m->tasks; t; t = next) {
		next = t->next;
		if (t->base.marked)
			continue;
		mathis_unpark(t);
		mathis_forget(t);
	}
}

/*
 * Let the tasks that wait for a thing wait for nothing: those of a snapshot may
 * not reach what they wait for, if it was made by hand.
 */
static void drop_waiters(struct mathis_wait *w)
{
	while (w) {
		struct mathis_wait *next = w->next;

		w->prev = NULL;
		w = next;
	}
}

/* Free an object and what it alone has. */
static void free_object(struct mathis_machine *m, struct mathis_object *o)
{
	struct mathis_task *t = (struct mathis_task *)o;
	struct mathis_map *map = (struct mathis_map *)o;
	struct mathis_channel *c = (struct mathis_channel *)o;
	struct mathis_seq *list = (struct mathis_seq *)o;

	switch (o->kind) {
	case KIND_LIST:
		mathis_resize(m, list->items, list->room * sizeof(*list->items),
			      0);
		break;
	case KIND_MAP:
	case KIND_SET:
		mathis_resize(m, map->entries,
			      map->room * sizeof(*map->entries), 0);
		mathis_resize(m, map->slots, map->n_slots * sizeof(*map->slots),
			      0);
		break;
	case KIND_PTR:
		mathis_resize(m, ((struct mathis_mem *)o)->data,
			      ((struct mathis_mem *)o)->n, 0);
		break;
	case KIND_TASK:
		mathis_unpark(t);
		drop_waiters(t->waiters);
		mathis_resize(m, t->waits, t->n_waits * sizeof(*t->waits), 0);
		mathis_resize(m, t->stack, t->room * sizeof(*t->stack), 0);
		mathis_resize(m, t->frames, t->room_frames * sizeof(*t->frames),
			      0);
		mathis_resize(m, t->tries, t->room_tries * sizeof(*t->tries),
			      0);
		break;
	case KIND_CHANNEL:
		drop_waiters(c->waiters);
		mathis_resize(m, c->items, c->room * sizeof(*c->items), 0);
		break;
	}
	m->bytes -= o->size;
	free(o);
}

/* Free all objects that nothing refers to. */
void mathis_collect(struct mathis_machine *m)
{
	struct mathis_object **link = &m->objects;
	struct mathis_object *gray = NULL;
	uint64_t n = 0;

	m->fuel -= m->bytes / FUEL_BYTES;
	mark_roots(m, &gray);
	while (gray) {
		struct mathis_object *o = gray;

		gray = o->gray;
		scan(&gray, o);
	}
	drop_tasks(m);
	while (*link) {
		struct mathis_object *o = *link;

		n++;
		if (o->marked) {
			o->marked = false;
			link = &o->next;
		} else {
			*link = o->next;
			free_object(m, o);
		}
	}
	m->fuel -= n / OBJECTS_FUEL;
	m->threshold = m->bytes * 2;
	if (m->threshold < FIRST_COLLECTION)
		m->threshold = FIRST_COLLECTION;
	if (m->threshold > m->limits.heap)
		m->threshold = m->limits.heap;
}

/* Free all objects, when the machine goes. */
void mathis_free_objects(struct mathis_machine *m)
{
	struct mathis_object *o;

	/* Tasks first: they unlink from what they wait for. */
	for (o = m->objects; o; o = o->next) {
		if (o->kind == KIND_TASK)
			mathis_unpark((struct mathis_task *)o);
	}
	while (m->objects) {
		o = m->objects;
		m->objects = o->next;
		free_object(m, o);
	}
}

/*
 * Make room for @size more bytes: 0, or RUN_THROWS. A collection that leaves
 * less than 1 / LEAST_FREE of the heap free is a failure: else each of the
 * next few requests would collect again.
 */
static int reserve(struct mathis_machine *m, size_t size)
{
	uint64_t most = m->limits.heap;

	mathis_charge(m, size);
	if (size <= most && (m->stress || m->bytes + size > m->threshold)) {
		mathis_collect(m);
		if (m->bytes > most - most / LEAST_FREE)
			most = 0;
	}
	if (size <= most && m->bytes <= most - size)
		return 0;
	return mathis_throw(m, MATHIS_MEMORY_LIMIT,
			    "%zu bytes more than the limit of %llu allows",
			    size, (unsigned long long)m->limits.heap);
}

/*
 * A new object of zeros, or NULL after mathis_throw(). It may collect: a new
 * object is not reached until something that is refers to it.
 */
void *mathis_alloc(struct mathis_machine *m, size_t size, uint8_t kind)
{
	struct mathis_object *o;

	if (reserve(m, size))
		return NULL;
	o = calloc(1, size);
	if (!o) {
		mathis_throw(m, MATHIS_OUT_OF_MEMORY, "no memory");
		return NULL;
	}
	o->size = size;
	o->kind = kind;
	o->next = m->objects;
	m->objects = o;
	m->bytes += size;
	return o;
}

/*
 * Resize what an object alone has, as realloc() does; NULL after
 * mathis_throw(). @size 0 frees.
 */
void *mathis_resize(struct mathis_machine *m, void *p, size_t old, size_t size)
{
	void *more;

	if (!size) {
		free(p);
		m->bytes -= old;
		return NULL;
	}
	if (size > old && reserve(m, size - old))
		return NULL;
	more = realloc(p, size);
	if (!more) {
		mathis_throw(m, MATHIS_OUT_OF_MEMORY, "no memory");
		return NULL;
	}
	m->bytes += size;
	m->bytes -= old;
	return more;
}
