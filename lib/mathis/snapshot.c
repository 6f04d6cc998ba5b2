// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A program as bytes: snapshot.h says which. Objects are left out that neither
 * a global nor a task that may go on reaches.
 */
#include <errno.h>
#include <string.h>

#include "buf.h"
#include "snapshot.h"

struct saver {
	struct mathis_machine *m;
	struct mathis_buf order; /* of struct mathis_object *, by index */
	struct mathis_buf kinds;
	struct mathis_buf bodies;
};

static size_t count_of(const struct mathis_object *o)
{
	switch (o->kind) {
	case KIND_STR:
	case KIND_BYTES:
		return ((const struct mathis_str *)o)->len;
	case KIND_LIST:
	case KIND_TUPLE:
	case KIND_STRUCT:
		return ((const struct mathis_seq *)o)->n;
	case KIND_MAP:
	case KIND_SET:
		return ((const struct mathis_map *)o)->n;
	case KIND_FUNC:
		return ((const struct mathis_closure *)o)->n;
	case KIND_PTR:
		return ((const struct mathis_mem *)o)->n;
	case KIND_CHANNEL:
		return ((const struct mathis_channel *)o)->room;
	}
	return 0;
}

/* Name an object; its index plus 1 stands where collections keep a link. */
static void put_ref(struct saver *s, struct mathis_object *o)
{
	uint32_t i = s->order.size / sizeof(o);

	if (!o) {
		mathis_buf_put(&s->bodies, SNAPSHOT_NONE, 4);
		return;
	}
	if (!o->gray) {
		o->gray = (struct mathis_object *)(uintptr_t)(i + 1UL);
		mathis_buf_add(&s->order, &o, sizeof(o));
		mathis_buf_put(&s->kinds, o->kind, 1);
		mathis_buf_put(&s->kinds, count_of(o), 4);
	}
	mathis_buf_put(&s->bodies, (uintptr_t)o->gray - 1, 4);
}

static void put_value(struct saver *s, struct mathis_value v)
{
	struct mathis_buf *b = &s->bodies;

	mathis_buf_put(b, v.kind, 1);
	switch (v.kind) {
	case KIND_NONE:
		break;
	case KIND_BOOL:
		mathis_buf_put(b, v.i, 1);
		break;
	case KIND_CHAR:
		mathis_buf_put(b, v.i, 4);
		break;
	case KIND_INT:
	case KIND_FLOAT:
		mathis_buf_put(b, v.i, 8);
		break;
	case KIND_HANDLE:
		mathis_buf_put(b, v.i, 8);
		mathis_buf_put(b, v.aux, 4);
		break;
	case KIND_FUNC:
	case KIND_PTR:
		mathis_buf_put(b, v.aux, 4);
		put_ref(s, v.o);
		break;
	default:
		put_ref(s, v.o);
	}
}

static void put_values(struct saver *s, const struct mathis_value *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		put_value(s, v[i]);
}

/* The tasks that wait for a thing, in order. */
static void put_waiters(struct saver *s, const struct mathis_wait *list)
{
	size_t at = s->bodies.size;
	uint32_t n = 0;

	mathis_buf_put(&s->bodies, 0, 4);
	for (; list; list = list->next, n++)
		put_ref(s, &list->task->base);
	mathis_buf_set(&s->bodies, at, n, 4);
}

static void put_map(struct saver *s, const struct mathis_map *map)
{
	for (size_t i = 0; i < map->n; i++) {
		put_value(s, map->entries[i].key);
		if (map->base.kind == KIND_MAP)
			put_value(s, map->entries[i].value);
	}
}

static void put_channel(struct saver *s, const struct mathis_channel *c)
{
	mathis_buf_put(&s->bodies, c->closed, 1);
	mathis_buf_put(&s->bodies, c->n, 4);
	for (size_t i = 0; i < c->n; i++)
		put_value(s, c->items[(c->first + i) % c->room]);
	put_waiters(s, c->waiters);
}

static void put_frame(struct saver *s, const struct mathis_frame *f)
{
	const struct mathis_module *module = s->m->module;
	struct mathis_buf *b = &s->bodies;

	mathis_buf_put(b, f->func - module->funcs, 4);
	mathis_buf_put(b, f->ip - module->fast - f->func->code, 4);
	put_ref(s, f->closure ? &f->closure->base : NULL);
	mathis_buf_put(b, f->base, 4);
	mathis_buf_put(b, f->ret, 4);
}

/* TRY blocks are left out: they follow from where each frame is. */
static void put_task(struct saver *s, const struct mathis_task *t)
{
	enum mathis_task_state state = t->state == TASK_RUNS ? TASK_READY :
							       t->state;
	struct mathis_buf *b = &s->bodies;

	mathis_buf_put(b, state, 1);
	mathis_buf_put(b, t->id, 8);
	mathis_buf_put(b,
		       (t->failed ? SNAPSHOT_FAILED : 0) |
			       (t->raise ? SNAPSHOT_RAISE : 0) |
			       (t->awaited ? SNAPSHOT_AWAITED : 0) |
			       (t->yielded ? SNAPSHOT_YIELDED : 0) |
			       (t->drop ? SNAPSHOT_DROP : 0) |
			       (t->deciding ? SNAPSHOT_DECIDING : 0) |
			       (t->merged ? SNAPSHOT_MERGED : 0),
		       1);
	mathis_buf_put(b, t->call, 2);
	mathis_buf_put(b, t->argc, 4);
	put_ref(s, t->resumer ? &t->resumer->base : NULL);
	put_value(s, t->caught);
	put_value(s, t->result);
	put_value(s, t->fork);
	mathis_buf_put(b, t->sp, 4);
	put_values(s, t->stack, t->sp);
	mathis_buf_put(b, t->n_frames, 4);
	for (size_t i = 0; i < t->n_frames; i++)
		put_frame(s, &t->frames[i]);
	put_waiters(s, t->waiters);
}

static void put_object(struct saver *s, struct mathis_object *o)
{
	struct mathis_enum *e = (struct mathis_enum *)o;
	struct mathis_iter *it = (struct mathis_iter *)o;
	struct mathis_buf *b = &s->bodies;

	switch (o->kind) {
	case KIND_STR:
	case KIND_BYTES:
		mathis_buf_add(b, ((struct mathis_str *)o)->data, count_of(o));
		break;
	case KIND_PTR:
		mathis_buf_add(b, ((struct mathis_mem *)o)->data, count_of(o));
		break;
	case KIND_STRUCT:
		mathis_buf_put(b, ((struct mathis_seq *)o)->type, 4);
		put_values(s, ((struct mathis_seq *)o)->items, count_of(o));
		break;
	case KIND_LIST:
	case KIND_TUPLE:
		put_values(s, ((struct mathis_seq *)o)->items, count_of(o));
		break;
	case KIND_MAP:
	case KIND_SET:
		put_map(s, (struct mathis_map *)o);
		break;
	case KIND_ENUM:
		mathis_buf_put(b, e->type, 4);
		mathis_buf_put(b, e->number, 8);
		mathis_buf_put(b, e->has, 1);
		if (e->has)
			put_value(s, e->value);
		break;
	case KIND_FUNC:
		put_values(s, ((struct mathis_closure *)o)->captured,
			   count_of(o));
		break;
	case KIND_ITERATOR:
		put_value(s, it->of);
		mathis_buf_put(b, it->at, 8);
		mathis_buf_put(b, it->done, 1);
		break;
	case KIND_TASK:
		put_task(s, (struct mathis_task *)o);
		break;
	case KIND_CHANNEL:
		put_channel(s, (struct mathis_channel *)o);
		break;
	}
}

static void put_roots(struct saver *s, struct mathis_buf *roots)
{
	struct mathis_machine *m = s->m;
	struct mathis_buf objects = s->bodies;
	uint32_t n = 0;
	size_t at;

	s->bodies = (struct mathis_buf){ 0 };
	put_values(s, m->globals, m->module->n_globals);
	put_ref(s, &m->main->base);
	at = s->bodies.size;
	mathis_buf_put(&s->bodies, 0, 4);
	if (m->task) {
		put_ref(s, &m->task->base);
		n++;
	}
	for (struct mathis_task *t = m->ready; t; t = t->next_ready) {
		if (t->state != TASK_READY)
			continue;
		put_ref(s, &t->base);
		n++;
	}
	mathis_buf_set(&s->bodies, at, n, 4);
	*roots = s->bodies;
	s->bodies = objects;
}

static void put_all(struct saver *s, struct mathis_buf *out,
		    const struct mathis_buf *roots)
{
	const struct mathis_module *module = s->m->module;

	mathis_buf_add(out, SNAPSHOT_MAGIC, 4);
	mathis_buf_put(out, SNAPSHOT_VERSION, 4);
	mathis_buf_put(out, mathis_crc32(module->data, module->size), 4);
	mathis_buf_put(out, module->size, 8);
	mathis_buf_put(out, s->m->fuel, 8);
	mathis_buf_put(out, s->m->last_id, 8);
	mathis_buf_put(out, s->order.size / sizeof(struct mathis_object *), 4);
	mathis_buf_add(out, s->kinds.data, s->kinds.size);
	mathis_buf_add(out, s->bodies.data, s->bodies.size);
	mathis_buf_add(out, roots->data, roots->size);
	if (!out->bad)
		mathis_buf_put(out, mathis_crc32(out->data, out->size), 4);
}

int mathis_snapshot(struct mathis_machine *m, void **data, size_t *size)
{
	struct saver s = { .m = m };
	struct mathis_buf out = { 0 };
	struct mathis_buf roots = { 0 };
	bool bad;

	*data = NULL;
	*size = 0;
	if (!m->main || m->state == MATHIS_DONE || m->state == MATHIS_FAILED)
		return -EINVAL;
	for (struct mathis_object *o = m->objects; o; o = o->next)
		o->gray = NULL;
	put_roots(&s, &roots);
	/* Tasks whose call is in progress go on without being reached. */
	for (struct mathis_task *t = m->tasks; t; t = t->next) {
		struct mathis_buf objects = s.bodies;

		if (t->state != TASK_CALLS)
			continue;
		s.bodies = (struct mathis_buf){ 0 };
		put_ref(&s, &t->base);
		mathis_buf_fini(&s.bodies);
		s.bodies = objects;
	}
	for (size_t i = 0; i < s.order.size / sizeof(void *); i++)
		put_object(&s, ((struct mathis_object **)s.order.data)[i]);
	put_all(&s, &out, &roots);
	bad = s.order.bad || s.kinds.bad || s.bodies.bad || roots.bad ||
	      out.bad;
	mathis_buf_fini(&s.order);
	mathis_buf_fini(&s.kinds);
	mathis_buf_fini(&s.bodies);
	mathis_buf_fini(&roots);
	if (bad) {
		mathis_buf_fini(&out);
		return -ENOMEM;
	}
	*data = out.data;
	*size = out.size;
	return 0;
}
