// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A program out of bytes that nobody has checked: objects first, empty, then
 * their values, then maps, whose keys need their values for a hash. The
 * machine relies on what is proved here as it does on the verifier.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "snapshot.h"

#define HASH_SHARE 64 /* bytes that keys may hash for a byte of the snapshot */
#define HASH_FREE 65536

int restore_bad(struct restore *s, const char *fmt, ...)
{
	va_list args;

	if (s->error) {
		memset(s->error, 0, sizeof(*s->error));
		s->error->code = MATHIS_FORMAT;
		va_start(args, fmt);
		vsnprintf(s->error->text, sizeof(s->error->text), fmt, args);
		va_end(args);
	}
	return -EBADMSG;
}

/* A request of the machine failed. */
int restore_no_room(struct restore *s)
{
	if (s->m->error.code == MATHIS_OUT_OF_MEMORY)
		return mathis_fail(s->error, -ENOMEM, MATHIS_OUT_OF_MEMORY,
				   "no memory");
	return mathis_fail(s->error, -E2BIG, MATHIS_LIMIT,
			   "the snapshot is above the limits");
}

/* An object of a kind; NULL when there is none, which @none may allow. */
struct mathis_object *restore_ref(struct restore *s, uint8_t kind, bool none)
{
	uint32_t i = mathis_get(&s->r, 4);

	if (i == SNAPSHOT_NONE && none)
		return NULL;
	if (i < s->n && s->objects[i]->kind == kind)
		return s->objects[i];
	s->r.bad = true;
	return NULL;
}

static void get_handle(struct restore *s, struct mathis_value *v)
{
	struct mathis_machine *m = s->m;

	v->i = mathis_get(&s->r, 8);
	v->aux = mathis_get(&s->r, 4);
	if (s->r.bad || !m->host.handle || m->host.handle(m->host.arg, v))
		*v = MATHIS_V(KIND_HANDLE, 0);
	v->kind = KIND_HANDLE;
}

static bool get_func(struct restore *s, struct mathis_value *v)
{
	struct mathis_closure *c;
	unsigned int captured;

	v->aux = mathis_get(&s->r, 4);
	c = (struct mathis_closure *)restore_ref(s, KIND_FUNC, true);
	v->o = c ? &c->base : NULL;
	if (s->r.bad || v->aux >= s->m->module->n_funcs)
		return false;
	captured = s->m->module->funcs[v->aux].captured;
	return c ? c->n == captured : !captured;
}

/* A value: 0, or -EBADMSG. */
int restore_value(struct restore *s, struct mathis_value *v)
{
	bool good = true;

	*v = MATHIS_V(mathis_get(&s->r, 1), 0);
	switch (v->kind) {
	case KIND_NONE:
		break;
	case KIND_BOOL:
		v->i = mathis_get(&s->r, 1);
		good = v->i <= 1;
		break;
	case KIND_CHAR:
		v->i = mathis_get(&s->r, 4);
		good = v->i <= 0x10ffff && (v->i & ~0x7ff) != 0xd800;
		break;
	case KIND_INT:
	case KIND_FLOAT:
		v->i = mathis_get(&s->r, 8);
		break;
	case KIND_HANDLE:
		get_handle(s, v);
		break;
	case KIND_FUNC:
		good = get_func(s, v);
		break;
	case KIND_PTR:
		v->aux = mathis_get(&s->r, 4);
		v->o = restore_ref(s, KIND_PTR, false);
		break;
	case KIND_STR:
	case KIND_BYTES:
	case KIND_LIST ... KIND_TUPLE:
	case KIND_STRUCT:
	case KIND_ENUM:
	case KIND_TASK ... KIND_ITERATOR:
		v->o = restore_ref(s, v->kind, false);
		break;
	default:
		good = false;
	}
	if (good && !s->r.bad)
		return 0;
	*v = MATHIS_V(KIND_NONE, 0);
	return restore_bad(s, "a value is wrong");
}

static int get_values(struct restore *s, struct mathis_value *v, size_t n)
{
	int ret = 0;

	for (size_t i = 0; i < n && !ret; i++)
		ret = restore_value(s, &v[i]);
	return ret;
}

/* An object without its values. */
static int make(struct restore *s, unsigned int kind, uint32_t n,
		struct mathis_object **o)
{
	struct mathis_machine *m = s->m;
	struct mathis_value v = { .kind = kind };
	struct mathis_task *t;
	int ret = 0;

	switch (kind) {
	case KIND_STR:
	case KIND_BYTES:
		ret = mathis_make_text(m, kind, NULL, n, &v);
		break;
	case KIND_LIST:
	case KIND_TUPLE:
	case KIND_STRUCT:
		ret = mathis_make_seq(m, kind, n, &v);
		break;
	case KIND_MAP:
	case KIND_SET:
		ret = mathis_make_map(m, kind, &v);
		break;
	case KIND_ENUM:
		ret = mathis_make_enum(m, KIND_RESULT, 0, &v);
		break;
	case KIND_FUNC:
		v.o = mathis_alloc(m,
				   sizeof(struct mathis_closure) +
					   n * sizeof(struct mathis_value),
				   kind);
		if (v.o)
			((struct mathis_closure *)v.o)->n = n;
		break;
	case KIND_PTR:
		v.o = mathis_alloc(m, sizeof(struct mathis_mem), kind);
		break;
	case KIND_ITERATOR:
		v.o = mathis_alloc(m, sizeof(struct mathis_iter), kind);
		break;
	case KIND_TASK:
		ret = mathis_new_task(m, &t);
		v.o = ret ? NULL : &t->base;
		break;
	case KIND_CHANNEL:
		ret = mathis_make_channel(m, MATHIS_V(KIND_INT, n), &v);
		break;
	default:
		return restore_bad(s, "an object of kind %#x", kind);
	}
	*o = v.o;
	if (ret || !v.o)
		return kind == KIND_CHANNEL &&
				       m->error.code == MATHIS_ARG_RANGE ?
			       restore_bad(s, "a channel of room %u", n) :
			       restore_no_room(s);
	return 0;
}

static int make_objects(struct restore *s)
{
	const uint8_t *kinds;
	uint32_t n = mathis_get(&s->r, 4);
	int ret = 0;

	kinds = n <= mathis_left(&s->r) / 5 ? mathis_take(&s->r, 5UL * n) :
					      NULL;
	if (!kinds)
		return restore_bad(s, "a count of objects is past the end");
	s->objects = calloc(n + 1UL, sizeof(*s->objects));
	s->waits = calloc(n + 1UL, sizeof(*s->waits));
	if (!s->objects || !s->waits)
		return mathis_fail(s->error, -ENOMEM, MATHIS_OUT_OF_MEMORY,
				   "no memory");
	for (uint32_t i = 0; i < n && !ret; i++) {
		struct mathis_reader r = { kinds + 5UL * i, kinds + 5UL * n,
					   false };
		unsigned int kind = mathis_get(&r, 1);
		uint32_t count = mathis_get(&r, 4);

		/* Each thing that it has takes a byte at least. */
		if (kind != KIND_CHANNEL && count > mathis_left(&s->r))
			return restore_bad(s, "object %u is past the end", i);
		/* Memory of a ptr, and entries of maps, come later. */
		ret = make(s, kind, count, &s->objects[i]);
		if (ret)
			return ret;
		s->n = i + 1;
		s->objects[i]->gray = (struct mathis_object *)(uintptr_t)count;
	}
	return ret;
}

static int get_text(struct restore *s, struct mathis_str *text)
{
	const uint8_t *data = mathis_take(&s->r, text->len);

	if (!data ||
	    (text->base.kind == KIND_STR && !mathis_utf8(data, text->len)))
		return restore_bad(s, "a text is wrong");
	memcpy(text->data, data, text->len);
	return 0;
}

static int get_struct(struct restore *s, struct mathis_seq *seq)
{
	uint32_t id = mathis_get(&s->r, 4);
	const struct mathis_type *type = mathis_find_type(s->m->module, id);

	if (!type || type->kind != TYPE_STRUCT || type->n_fields != seq->n)
		return restore_bad(s, "a struct has another type");
	seq->type = id;
	return get_values(s, seq->items, seq->n);
}

/* A list has its room; its count follows what was read. */
static int get_list(struct restore *s, struct mathis_seq *list, size_t n)
{
	int ret = get_values(s, list->items, n);

	list->n = ret ? 0 : n;
	return ret;
}

static int get_enum(struct restore *s, struct mathis_enum *e)
{
	unsigned int has;

	e->type = mathis_get(&s->r, 4);
	e->number = mathis_get(&s->r, 8);
	has = mathis_get(&s->r, 1);
	e->has = has == 1;
	if (has > 1 ||
	    !mathis_is_variant(s->m->module, e->type, e->number, e->has))
		return restore_bad(s, "an enum has another type");
	return has ? restore_value(s, &e->value) : 0;
}

static int get_iter(struct restore *s, struct mathis_iter *it)
{
	int ret = restore_value(s, &it->of);
	unsigned int done;

	if (ret)
		return ret;
	it->at = mathis_get(&s->r, 8);
	done = mathis_get(&s->r, 1);
	it->done = done;
	if (done > 1 || it->of.kind < KIND_STR || it->of.kind > KIND_TUPLE)
		return restore_bad(s, "an iterator is over nothing");
	return 0;
}

static int get_mem(struct restore *s, struct mathis_mem *mem, size_t n)
{
	const uint8_t *data = mathis_take(&s->r, n);

	if (!n)
		return 0;
	if (!data)
		return restore_bad(s, "memory is past the end");
	mem->data = mathis_resize(s->m, NULL, 0, n);
	if (!mem->data)
		return restore_no_room(s);
	mem->n = n;
	memcpy(mem->data, data, n);
	return 0;
}

static int get_channel(struct restore *s, struct mathis_channel *c)
{
	unsigned int closed = mathis_get(&s->r, 1);
	uint32_t n = mathis_get(&s->r, 4);
	int ret;

	if (closed > 1 || n > c->room)
		return restore_bad(s, "a channel is wrong");
	c->closed = closed;
	ret = get_values(s, c->items, n);
	c->n = ret ? 0 : n;
	return ret ?: restore_waiters(s, &c->base);
}

/* The entries of a map or set, without hashes. */
static int get_map(struct restore *s, struct mathis_map *map, size_t n)
{
	int ret = 0;

	if (!n)
		return 0;
	map->entries = mathis_resize(s->m, NULL, 0, n * sizeof(*map->entries));
	if (!map->entries)
		return restore_no_room(s);
	map->room = n;
	for (; map->n < n && !ret; map->n++) {
		struct mathis_entry *e = &map->entries[map->n];

		*e = (struct mathis_entry){ 0 };
		ret = restore_value(s, &e->key);
		if (!ret && map->base.kind == KIND_MAP)
			ret = restore_value(s, &e->value);
	}
	return ret;
}

/* Put the entries in again, now that their keys have all their values. */
static int index_map(struct restore *s, struct mathis_map *map)
{
	struct mathis_entry *entries = map->entries;
	size_t room = map->room;
	size_t n = map->n;
	int ret = 0;

	map->entries = NULL;
	map->room = 0;
	map->n = 0;
	for (size_t i = 0; i < n && !ret; i++) {
		if (mathis_map_set(s->m, map, entries[i].key, entries[i].value))
			ret = s->m->error.code == MATHIS_ARG_TYPE ?
				      restore_bad(s, "a key is wrong") :
				      restore_no_room(s);
		else if (s->m->fuel < 0)
			ret = restore_no_room(s);
	}
	mathis_resize(s->m, entries, room * sizeof(*entries), 0);
	return ret;
}

static int get_object(struct restore *s, struct mathis_object *o)
{
	size_t n = (uintptr_t)o->gray;

	o->gray = NULL;
	switch (o->kind) {
	case KIND_STR:
	case KIND_BYTES:
		return get_text(s, (struct mathis_str *)o);
	case KIND_LIST:
		return get_list(s, (struct mathis_seq *)o, n);
	case KIND_TUPLE:
		return get_values(s, ((struct mathis_seq *)o)->items, n);
	case KIND_STRUCT:
		return get_struct(s, (struct mathis_seq *)o);
	case KIND_MAP:
	case KIND_SET:
		return get_map(s, (struct mathis_map *)o, n);
	case KIND_ENUM:
		return get_enum(s, (struct mathis_enum *)o);
	case KIND_FUNC:
		return get_values(s, ((struct mathis_closure *)o)->captured, n);
	case KIND_PTR:
		return get_mem(s, (struct mathis_mem *)o, n);
	case KIND_ITERATOR:
		return get_iter(s, (struct mathis_iter *)o);
	case KIND_TASK:
		return restore_task(s, (struct mathis_task *)o);
	default:
		return get_channel(s, (struct mathis_channel *)o);
	}
}

/* Globals, the first task, and the queue of those that are ready. */
static int get_roots(struct restore *s)
{
	struct mathis_machine *m = s->m;
	int ret = get_values(s, m->globals, m->module->n_globals);
	uint32_t n;

	if (ret)
		return ret;
	m->main = (struct mathis_task *)restore_ref(s, KIND_TASK, false);
	n = mathis_get(&s->r, 4);
	if (!m->main || m->main->state == TASK_ENDED)
		return restore_bad(s, "the first task is none");
	while (n-- && !s->r.bad) {
		struct mathis_task *t =
			(struct mathis_task *)restore_ref(s, KIND_TASK, false);

		/* One that is in the queue already has a link, or is last. */
		if (!t || t->state != TASK_READY || t->next_ready ||
		    m->last_ready == &t->next_ready)
			return restore_bad(s, "a task is not ready");
		mathis_make_ready(m, t);
		s->n_ready--;
	}
	if (s->r.bad || mathis_left(&s->r) || s->n_ready)
		return restore_bad(s, "the ready tasks are not all");
	return 0;
}

static int get_head(struct restore *s, size_t size)
{
	const struct mathis_module *module = s->m->module;
	const uint8_t *magic = mathis_take(&s->r, 4);
	uint32_t version = mathis_get(&s->r, 4);
	uint32_t crc = mathis_get(&s->r, 4);
	uint64_t bytes = mathis_get(&s->r, 8);

	if (s->r.bad || size < SNAPSHOT_HEAD + 4 ||
	    memcmp(magic, SNAPSHOT_MAGIC, 4))
		return restore_bad(s, "no snapshot");
	if (version != SNAPSHOT_VERSION)
		return mathis_fail(s->error, -EOPNOTSUPP, MATHIS_UNSUPPORTED,
				   "version %u is unknown", version);
	s->r.end -= 4;
	if (mathis_crc32(s->begin, size - 4) !=
	    (uint32_t)(s->r.end[0] | s->r.end[1] << 8 | s->r.end[2] << 16 |
		       (uint32_t)s->r.end[3] << 24))
		return restore_bad(s, "wrong checksum");
	if (bytes != module->size ||
	    crc != mathis_crc32(module->data, module->size))
		return mathis_fail(s->error, -ESTALE, MATHIS_FORMAT,
				   "the snapshot is one of another module");
	return 0;
}

static int restore_all(struct restore *s, size_t size)
{
	struct mathis_machine *m = s->m;
	int ret = get_head(s, size);
	uint64_t last_id;
	int64_t fuel;

	if (ret)
		return ret;
	fuel = mathis_get(&s->r, 8);
	last_id = mathis_get(&s->r, 8);
	m->fuel = HASH_FREE + size * HASH_SHARE / FUEL_BYTES;
	m->threshold = UINT64_MAX; /* nothing is reached yet */
	ret = make_objects(s);
	m->last_id = last_id; /* each new task took one */
	for (uint32_t i = 0; i < s->n && !ret; i++)
		ret = get_object(s, s->objects[i]);
	if (!ret)
		ret = get_roots(s);
	for (uint32_t i = 0; i < s->n && !ret; i++) {
		if (s->objects[i]->kind == KIND_MAP ||
		    s->objects[i]->kind == KIND_SET)
			ret = index_map(s, (struct mathis_map *)s->objects[i]);
	}
	if (!ret)
		ret = restore_wait_lists(s);
	if (!ret)
		ret = restore_check_tasks(s);
	if (ret)
		return ret;
	ret = restore_cancel(s);
	m->threshold = 0; /* @s names objects that nothing may reach */
	if (fuel < INT64_MIN / 2)
		return restore_bad(s, "too little fuel");
	/* The embedder gives the fuel: a snapshot has no more of it. */
	if (m->limits.fuel && m->limits.fuel < (uint64_t)INT64_MAX &&
	    fuel > (int64_t)m->limits.fuel)
		fuel = m->limits.fuel;
	m->fuel = fuel;
	return ret;
}

int mathis_restore(const struct mathis_module *module,
		   const struct mathis_limits *limits,
		   const struct mathis_host *host, const void *data,
		   size_t size, struct mathis_machine **machine,
		   struct mathis_error *error)
{
	struct restore s = { .begin = data, .error = error };
	int ret = mathis_machine_new(module, limits, host, &s.m);

	*machine = NULL;
	if (ret)
		return mathis_fail(error, ret, MATHIS_BAD_OPERATION,
				   "the module cannot be run");
	s.r = (struct mathis_reader){ data, s.begin + size, false };
	s.states = calloc(module->n_funcs + 1UL, sizeof(*s.states));
	ret = s.states ? restore_all(&s, size) :
			 mathis_fail(error, -ENOMEM, MATHIS_OUT_OF_MEMORY,
				     "no memory");
	for (uint32_t i = 0; i < module->n_funcs && s.states; i++)
		free(s.states[i]);
	free(s.states);
	free(s.objects);
	free(s.waits);
	if (ret)
		mathis_machine_free(s.m);
	else
		*machine = s.m;
	return ret;
}
