// SPDX-License-Identifier: GPL-2.0-only
/*
 * 0x0F20 to 0x0F22, 0x0F24: spans of tasks, as OpenTelemetry has them.
 */
#include <mathis/buf.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "calls/serial/json.h"
#include "observe.h"

#define OPEN_MAX 256
#define DONE_MAX 1024
#define SPAN_POOL 65536

TAILQ_HEAD(span_list, span);

/* Of a session: each span in a list has a reference there. */
struct spans {
	pthread_mutex_t lock; /* guards all spans of the session */
	struct span_list open; /* the last begun first */
	struct span_list done;
	unsigned int n_open;
	unsigned int n_done;
};

struct span {
	struct md_object base;

	TAILQ_ENTRY(span) link;
	struct spans *all;
	uint64_t task;
	bool open;
	bool has_parent;
	struct span_ids ids;
	char parent[2 * SPAN_BYTES + 1];
	int64_t began, ended; /* ns since 1970 */
	struct mathis_pool pool; /* of the next three */
	struct mathis_item name;
	struct mathis_item attributes; /* a map, or none */
	struct mathis_item error; /* a text, or none */
};

static void init(void *state)
{
	struct spans *all = state;

	pthread_mutex_init(&all->lock, NULL);
	TAILQ_INIT(&all->open);
	TAILQ_INIT(&all->done);
}

static void fini(void *state)
{
	struct spans *all = state;
	struct span *s;

	while ((s = TAILQ_FIRST(&all->open))) {
		TAILQ_REMOVE(&all->open, s, link);
		md_object_put(&s->base);
	}
	while ((s = TAILQ_FIRST(&all->done))) {
		TAILQ_REMOVE(&all->done, s, link);
		md_object_put(&s->base);
	}
	pthread_mutex_destroy(&all->lock);
}

static void task_ended(void *state, uint64_t task);
static void task_moved(void *state, uint64_t from, uint64_t to);

static const struct md_own_kind kind = {
	.size = sizeof(struct spans),
	.init = init,
	.fini = fini,
	.task_ended = task_ended,
	.task_moved = task_moved,
};

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void free_span(struct md_object *object)
{
	struct span *s = (struct span *)object;

	mathis_pool_fini(&s->pool);
	free(s);
}

/* Move an open span to those that have ended. With the lock. */
static void end(struct span *s, const struct mathis_item *error)
{
	struct spans *all = s->all;
	struct span *old;

	s->open = false;
	s->ended = now_ns();
	s->error = mathis_item_copy(&s->pool, error);
	TAILQ_REMOVE(&all->open, s, link);
	all->n_open--;
	TAILQ_INSERT_TAIL(&all->done, s, link);
	if (all->n_done++ < DONE_MAX)
		return;
	old = TAILQ_FIRST(&all->done);
	TAILQ_REMOVE(&all->done, old, link);
	all->n_done--;
	md_object_put(&old->base);
}

static void task_ended(void *state, uint64_t task)
{
	static const char text[] = "its task has ended";
	struct mathis_item error = { .kind = MATHIS_STR,
				     .n = sizeof(text) - 1,
				     .text = text };
	struct spans *all = state;
	struct span *s, *next;

	pthread_mutex_lock(&all->lock);
	for (s = TAILQ_FIRST(&all->open); s; s = next) {
		next = TAILQ_NEXT(s, link);
		if (s->task == task)
			end(s, &error);
	}
	pthread_mutex_unlock(&all->lock);
}

static void task_moved(void *state, uint64_t from, uint64_t to)
{
	struct spans *all = state;
	struct span *s;

	pthread_mutex_lock(&all->lock);
	TAILQ_FOREACH(s, &all->open, link)
	{
		if (s->task == from)
			s->task = to;
	}
	pthread_mutex_unlock(&all->lock);
}

/* The innermost open span of a task. With the lock. */
static struct span *innermost(struct spans *all, uint64_t task)
{
	struct span *s;

	TAILQ_FOREACH(s, &all->open, link)
	{
		if (s->task == task)
			break;
	}
	return s;
}

bool span_now(struct md_call *c, struct span_ids *ids)
{
	struct spans *all = md_session_own(c->session, &kind);
	struct span *s;

	if (!all)
		return false;
	pthread_mutex_lock(&all->lock);
	s = innermost(all, c->task);
	if (s)
		*ids = s->ids;
	pthread_mutex_unlock(&all->lock);
	return s;
}

static int random_hex(char *text, size_t bytes)
{
	uint8_t data[TRACE_BYTES];

	if (getrandom(data, bytes, 0) != (ssize_t)bytes)
		return -1;
	/* An id of zeros is none. */
	data[0] |= 1;
	for (size_t i = 0; i < bytes; i++)
		sprintf(text + 2 * i, "%02x", data[i]);
	return 0;
}

static bool is_id(const char *text, size_t n)
{
	return strspn(text, "0123456789abcdef") >= n && strspn(text, "0") < n;
}

/* Read "00-TRACE-SPAN-FLAGS": 0, or MD_FAILED, reported. */
static int read_parent(struct md_call *c, struct span *s)
{
	const char *text = md_cstr(c, 2);
	static const size_t trace = 2 * TRACE_BYTES, span = 2 * SPAN_BYTES;

	if (!text)
		return MD_FAILED;
	if (strlen(text) != 3 + trace + 1 + span + 3 ||
	    strncmp(text, "00-", 3) || !is_id(text + 3, trace) ||
	    text[3 + trace] != '-' || !is_id(text + 4 + trace, span) ||
	    text[4 + trace + span] != '-' ||
	    strspn(text + 5 + trace + span, "0123456789abcdef") != 2)
		return md_fail(c, MATHIS_FORMAT, "it is no traceparent");
	memcpy(s->ids.trace, text + 3, trace);
	memcpy(s->parent, text + 4 + trace, span);
	s->has_parent = true;
	return MD_DONE;
}

static int check_attributes(struct md_call *c, const struct mathis_item *map)
{
	for (uint32_t i = 0; map->kind == MATHIS_MAP && i < map->n; i++) {
		const struct mathis_item *pair = &map->items[2 * i];
		uint32_t value = pair[1].kind;

		if (pair->kind != MATHIS_STR ||
		    (value != MATHIS_STR && value != MATHIS_INT &&
		     value != MATHIS_FLOAT && value != MATHIS_BOOL))
			return md_fail(
				c, MATHIS_ARG_TYPE,
				"attributes are texts, numbers and bools by name");
	}
	return MD_DONE;
}

/* Set up a span but for its place: 0, or MD_FAILED, reported. */
static int fill(struct md_call *c, struct span *s)
{
	if (check_attributes(c, &c->args[1]) ||
	    (md_given(c, 2) && read_parent(c, s)))
		return MD_FAILED;
	s->name = mathis_item_copy(&s->pool, &c->args[0]);
	s->attributes = mathis_item_copy(&s->pool, &c->args[1]);
	if (s->pool.bad)
		return md_fail(c, MATHIS_LIMIT, "more than %d bytes",
			       SPAN_POOL);
	if (random_hex(s->ids.span, SPAN_BYTES) ||
	    (!s->has_parent && random_hex(s->ids.trace, TRACE_BYTES)))
		return md_fail(c, MATHIS_IO, "no random numbers");
	s->task = c->task;
	s->began = now_ns();
	return MD_DONE;
}

/* Put a span among the open ones, below the one of its task. */
static int open_span(struct md_call *c, struct span *s)
{
	struct spans *all = s->all;
	struct span *outer;
	bool full;

	pthread_mutex_lock(&all->lock);
	outer = s->has_parent ? NULL : innermost(all, s->task);
	if (outer) {
		memcpy(s->ids.trace, outer->ids.trace, sizeof(s->ids.trace));
		memcpy(s->parent, outer->ids.span, sizeof(s->parent));
		s->has_parent = true;
	}
	full = all->n_open == OPEN_MAX;
	if (!full) {
		s->open = true;
		all->n_open++;
		atomic_fetch_add(&s->base.refs, 1);
		TAILQ_INSERT_HEAD(&all->open, s, link);
	}
	pthread_mutex_unlock(&all->lock);
	return full ? md_fail(c, MATHIS_LIMIT, "more than %d open spans",
			      OPEN_MAX) :
		      MD_DONE;
}

int md_span_start(struct md_call *c)
{
	struct spans *all = md_session_own(c->session, &kind);
	struct span *s = all ? calloc(1, sizeof(*s)) : NULL;

	if (!s)
		return md_fail(c, MATHIS_OUT_OF_MEMORY, "no memory");
	md_object_init(&s->base, free_span);
	mathis_pool_init(&s->pool, SPAN_POOL);
	s->all = all;
	if (fill(c, s) || open_span(c, s)) {
		md_object_put(&s->base);
		return MD_FAILED;
	}
	c->tell = true;
	return md_return_handle(c, MD_KIND_span, &s->base);
}

int md_span_end(struct md_call *c)
{
	struct span *s =
		(struct span *)md_handle_get(c, MD_KIND_span, &c->args[0]);

	if (!s)
		return MD_FAILED;
	pthread_mutex_lock(&s->all->lock);
	if (s->open)
		end(s, &c->args[1]);
	pthread_mutex_unlock(&s->all->lock);
	md_object_put(&s->base);
	return md_handle_close(c, MD_KIND_span, &c->args[0]);
}

int md_trace_context(struct md_call *c)
{
	struct span_ids ids;
	char text[80];

	if (!span_now(c, &ids))
		return md_return(c, MATHIS_ITEM_NONE);
	snprintf(text, sizeof(text), "00-%s-%s-01", ids.trace, ids.span);
	return md_return_str(c, text, strlen(text));
}

static yyjson_mut_val *attribute_value(yyjson_mut_doc *doc,
				       const struct mathis_item *v)
{
	yyjson_mut_val *o = yyjson_mut_obj(doc);
	char text[24];

	if (v->kind == MATHIS_STR) {
		yyjson_mut_obj_add_strn(doc, o, "stringValue", v->text, v->n);
	} else if (v->kind == MATHIS_INT) {
		snprintf(text, sizeof(text), "%lld", (long long)v->i);
		yyjson_mut_obj_add_strcpy(doc, o, "intValue", text);
	} else if (v->kind == MATHIS_BOOL) {
		yyjson_mut_obj_add_bool(doc, o, "boolValue", v->i);
	} else if (__builtin_isfinite(v->f)) {
		yyjson_mut_obj_add_real(doc, o, "doubleValue", v->f);
	} else {
		yyjson_mut_obj_add_str(doc, o, "doubleValue",
				       __builtin_isnan(v->f) ? "NaN" :
				       v->f > 0		     ? "Infinity" :
							       "-Infinity");
	}
	return o;
}

static void put_attributes(yyjson_mut_doc *doc, yyjson_mut_val *to,
			   const struct mathis_item *map)
{
	yyjson_mut_val *list = yyjson_mut_obj_add_arr(doc, to, "attributes");

	for (uint32_t i = 0; map->kind == MATHIS_MAP && i < map->n; i++) {
		yyjson_mut_val *one = yyjson_mut_arr_add_obj(doc, list);
		const struct mathis_item *pair = &map->items[2 * i];

		yyjson_mut_obj_add_strn(doc, one, "key", pair->text, pair->n);
		yyjson_mut_obj_add_val(doc, one, "value",
				       attribute_value(doc, &pair[1]));
	}
}

static void put_ns(yyjson_mut_doc *doc, yyjson_mut_val *to, const char *key,
		   int64_t ns)
{
	char text[24];

	snprintf(text, sizeof(text), "%lld", (long long)ns);
	yyjson_mut_obj_add_strcpy(doc, to, key, text);
}

static void put_span(yyjson_mut_doc *doc, yyjson_mut_val *list,
		     const struct span *s)
{
	yyjson_mut_val *o = yyjson_mut_arr_add_obj(doc, list), *status;

	yyjson_mut_obj_add_strcpy(doc, o, "traceId", s->ids.trace);
	yyjson_mut_obj_add_strcpy(doc, o, "spanId", s->ids.span);
	if (s->has_parent)
		yyjson_mut_obj_add_strcpy(doc, o, "parentSpanId", s->parent);
	yyjson_mut_obj_add_strncpy(doc, o, "name", s->name.text, s->name.n);
	yyjson_mut_obj_add_int(doc, o, "kind", 1);
	put_ns(doc, o, "startTimeUnixNano", s->began);
	put_ns(doc, o, "endTimeUnixNano", s->ended);
	put_attributes(doc, o, &s->attributes);
	if (s->error.kind == MATHIS_STR) {
		status = yyjson_mut_obj_add_obj(doc, o, "status");
		yyjson_mut_obj_add_int(doc, status, "code", 2);
		yyjson_mut_obj_add_strn(doc, status, "message", s->error.text,
					s->error.n);
	}
}

/* The list of spans in a new request, or NULL without memory. */
static yyjson_mut_val *make_request(yyjson_mut_doc *doc)
{
	yyjson_mut_val *top = yyjson_mut_obj(doc), *o, *service;
	static const char name[] = "mathis";
	struct mathis_item text = { .kind = MATHIS_STR,
				    .n = sizeof(name) - 1,
				    .text = name };

	yyjson_mut_doc_set_root(doc, top);
	o = yyjson_mut_arr_add_obj(
		doc, yyjson_mut_obj_add_arr(doc, top, "resourceSpans"));
	service = yyjson_mut_arr_add_obj(
		doc, yyjson_mut_obj_add_arr(
			     doc, yyjson_mut_obj_add_obj(doc, o, "resource"),
			     "attributes"));
	yyjson_mut_obj_add_str(doc, service, "key", "service.name");
	yyjson_mut_obj_add_val(doc, service, "value",
			       attribute_value(doc, &text));
	o = yyjson_mut_arr_add_obj(doc, yyjson_mut_obj_add_arr(doc, o,
							       "scopeSpans"));
	yyjson_mut_obj_add_str(doc, yyjson_mut_obj_add_obj(doc, o, "scope"),
			       "name", name);
	return yyjson_mut_obj_add_arr(doc, o, "spans");
}

int md_otlp_text(struct md_call *c)
{
	struct spans *all = md_session_own(c->session, &kind);
	struct span_list done = TAILQ_HEAD_INITIALIZER(done);
	yyjson_alc memory = json_memory(c);
	yyjson_mut_doc *doc = yyjson_mut_doc_new(&memory);
	yyjson_mut_val *list;
	struct span *s;
	char *text;
	size_t n;

	if (!all || !doc)
		return md_fail(c, MATHIS_OUT_OF_MEMORY, "no memory");
	list = make_request(doc);
	pthread_mutex_lock(&all->lock);
	TAILQ_CONCAT(&done, &all->done, link);
	all->n_done = 0;
	pthread_mutex_unlock(&all->lock);
	TAILQ_FOREACH(s, &done, link)
	put_span(doc, list, s);
	text = yyjson_mut_write_opts(doc, 0, &memory, &n, NULL);
	while ((s = TAILQ_FIRST(&done))) {
		TAILQ_REMOVE(&done, s, link);
		md_object_put(&s->base);
	}
	if (!text)
		return md_fail(c, MATHIS_OUT_OF_MEMORY, "no memory");
	return md_return_own(c, MATHIS_STR, text, n);
}
