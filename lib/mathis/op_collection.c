// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Lists, maps, sets and texts: their elements. Indices begin with 0; those of
 * a str count its bytes.
 */
#include <string.h>

#include "buf.h"
#include "machine.h"

/* How many elements a value has; -1 for one that has none. */
static int64_t length(struct mathis_value v)
{
	switch (v.kind) {
	case KIND_STR:
	case KIND_BYTES:
		return mathis_str_of(v)->len;
	case KIND_LIST:
	case KIND_TUPLE:
		return mathis_seq_of(v)->n;
	case KIND_MAP:
	case KIND_SET:
		return mathis_map_of(v)->n;
	case KIND_CHANNEL:
		return ((struct mathis_channel *)v.o)->n;
	default:
		return -1;
	}
}

/* Check an index of a list, tuple or text. */
static int check_index(struct mathis_machine *m, struct mathis_value v,
		       struct mathis_value i)
{
	if (i.kind != KIND_INT)
		return mathis_type_error(m, "an index", i);
	if (i.i < 0 || i.i >= length(v))
		return mathis_throw(m, MATHIS_ARG_RANGE,
				    "index %lld of %lld elements",
				    (long long)i.i, (long long)length(v));
	return 0;
}

int op_index(struct mathis_machine *m, const uint8_t *arg)
{
	struct mathis_value v = TOP(1);
	struct mathis_value i = TOP(0);
	struct mathis_entry *e;
	uint8_t byte;

	(void)arg;
	switch (v.kind) {
	case KIND_LIST:
	case KIND_TUPLE:
		if (check_index(m, v, i))
			return RUN_THROWS;
		return mathis_replace(m, 2, mathis_seq_of(v)->items[i.i]);
	case KIND_STR:
	case KIND_BYTES:
		if (check_index(m, v, i))
			return RUN_THROWS;
		byte = mathis_str_of(v)->data[i.i];
		return mathis_replace(m, 2, MATHIS_V(KIND_INT, byte));
	case KIND_MAP:
		if (mathis_map_get(m, mathis_map_of(v), i, &e))
			return RUN_THROWS;
		if (!e)
			return mathis_throw(m, MATHIS_NOT_FOUND, "no such key");
		return mathis_replace(m, 2, e->value);
	default:
		return mathis_type_error(m, "a collection", v);
	}
}

int op_index_set(struct mathis_machine *m, const uint8_t *arg)
{
	struct mathis_value v = TOP(2);
	struct mathis_value i = TOP(1);

	(void)arg;
	if (v.kind == KIND_MAP) {
		if (mathis_map_set(m, mathis_map_of(v), i, TOP(0)))
			return RUN_THROWS;
	} else if (v.kind == KIND_LIST) {
		if (check_index(m, v, i))
			return RUN_THROWS;
		mathis_seq_of(v)->items[i.i] = TOP(0);
	} else {
		return mathis_type_error(m, "a list or map", v);
	}
	return mathis_replace(m, 3, v);
}

int op_len(struct mathis_machine *m, const uint8_t *arg)
{
	int64_t n = length(TOP(0));

	(void)arg;
	if (n < 0)
		return mathis_type_error(m, "a collection", TOP(0));
	return mathis_replace(m, 1, MATHIS_V(KIND_INT, n));
}

int op_push(struct mathis_machine *m, const uint8_t *arg)
{
	struct mathis_value v = TOP(1);

	(void)arg;
	if (v.kind == KIND_SET) {
		if (mathis_map_set(m, mathis_map_of(v), TOP(0),
				   MATHIS_V(KIND_NONE, 0)))
			return RUN_THROWS;
	} else if (v.kind == KIND_LIST) {
		if (mathis_seq_add(m, mathis_seq_of(v), TOP(0)))
			return RUN_THROWS;
	} else {
		return mathis_type_error(m, "a list or set", v);
	}
	return mathis_replace(m, 2, v);
}

int op_pop_back(struct mathis_machine *m, const uint8_t *arg)
{
	struct mathis_value v = TOP(0);
	struct mathis_seq *list = mathis_seq_of(v);

	(void)arg;
	if (v.kind != KIND_LIST)
		return mathis_type_error(m, "a list", v);
	if (!list->n)
		return mathis_throw(m, MATHIS_ARG_RANGE, "the list is empty");
	m->task->stack[m->task->sp++] = list->items[--list->n];
	return 0;
}

static int text_contains(struct mathis_machine *m, struct mathis_value v,
			 struct mathis_value part)
{
	struct mathis_str *s = mathis_str_of(v);

	if (v.kind == KIND_BYTES && part.kind == KIND_INT)
		return part.i >= 0 && part.i <= UINT8_MAX &&
		       memchr(s->data, part.i, s->len);
	if (part.kind != v.kind)
		return mathis_type_error(m, "a part", part);
	mathis_charge(m, s->len);
	return !!memmem(s->data, s->len, mathis_str_of(part)->data,
			mathis_str_of(part)->len);
}

static int seq_contains(struct mathis_machine *m, struct mathis_seq *s,
			struct mathis_value part)
{
	uint64_t most = mathis_most_work(m);
	uint64_t left = most;
	int found = 0;

	for (size_t i = 0; i < s->n && !found; i++)
		found = mathis_equal(s->items[i], part, 0, &left);
	mathis_charge(m, most - left);
	return found < 0 ? mathis_work_error(m, found) : found;
}

int op_contains(struct mathis_machine *m, const uint8_t *arg)
{
	struct mathis_value v = TOP(1);
	struct mathis_entry *e;
	int found;

	(void)arg;
	switch (v.kind) {
	case KIND_STR:
	case KIND_BYTES:
		found = text_contains(m, v, TOP(0));
		break;
	case KIND_LIST:
	case KIND_TUPLE:
		found = seq_contains(m, mathis_seq_of(v), TOP(0));
		break;
	case KIND_MAP:
	case KIND_SET:
		if (mathis_map_get(m, mathis_map_of(v), TOP(0), &e))
			return RUN_THROWS;
		found = !!e;
		break;
	default:
		return mathis_type_error(m, "a collection", v);
	}
	if (found < 0)
		return RUN_THROWS;
	return mathis_replace(m, 2, MATHIS_V(KIND_BOOL, found));
}

int op_iter_start(struct mathis_machine *m, const uint8_t *arg)
{
	struct mathis_iter *it;

	(void)arg;
	if (length(TOP(0)) < 0 || TOP(0).kind == KIND_CHANNEL)
		return mathis_type_error(m, "a collection", TOP(0));
	it = mathis_alloc(m, sizeof(*it), KIND_ITERATOR);
	if (!it)
		return RUN_THROWS;
	it->of = TOP(0);
	return mathis_replace(m, 1, mathis_ref(KIND_ITERATOR, it));
}

/* The next element: of a map, its key; none behind the last. */
int op_iter_next(struct mathis_machine *m, const uint8_t *arg)
{
	struct mathis_iter *it = (struct mathis_iter *)TOP(0).o;
	struct mathis_value v = MATHIS_V(KIND_NONE, 0);

	(void)arg;
	if (TOP(0).kind != KIND_ITERATOR)
		return mathis_type_error(m, "an iterator", TOP(0));
	it->done = it->at >= (size_t)length(it->of);
	if (!it->done) {
		switch (it->of.kind) {
		case KIND_LIST:
		case KIND_TUPLE:
			v = mathis_seq_of(it->of)->items[it->at];
			break;
		case KIND_MAP:
		case KIND_SET:
			v = mathis_map_of(it->of)->entries[it->at].key;
			break;
		default:
			v = MATHIS_V(
				KIND_INT,
				(uint8_t)mathis_str_of(it->of)->data[it->at]);
		}
		it->at++;
	}
	m->task->stack[m->task->sp++] = v;
	return 0;
}

int op_iter_end(struct mathis_machine *m, const uint8_t *arg)
{
	(void)arg;
	if (TOP(0).kind != KIND_ITERATOR)
		return mathis_type_error(m, "an iterator", TOP(0));
	m->task->sp--;
	return 0;
}

/* Jump when ITER_NEXT found nothing, and drop its none. */
int op_jump_if_done(struct mathis_machine *m, const uint8_t *arg)
{
	struct mathis_value v = TOP(1);
	int32_t by;

	if (v.kind != KIND_ITERATOR)
		return mathis_type_error(m, "an iterator", v);
	if (!((struct mathis_iter *)v.o)->done)
		return 0;
	by = (int32_t)(arg[0] | arg[1] << 8 | arg[2] << 16 |
		       (uint32_t)arg[3] << 24);
	mathis_top_frame(m->task)->ip += by;
	m->task->sp--;
	return 0;
}

static int slice_text(struct mathis_machine *m, struct mathis_value v,
		      int64_t from, int64_t n)
{
	const char *data = mathis_str_of(v)->data + from;
	struct mathis_value part;

	if (v.kind == KIND_STR && (((uint8_t)data[0] & 0xc0) == 0x80 ||
				   ((uint8_t)data[n] & 0xc0) == 0x80))
		return mathis_throw(m, MATHIS_ENCODING,
				    "a slice through a character");
	if (mathis_make_text(m, v.kind, data, n, &part))
		return RUN_THROWS;
	return mathis_replace(m, 3, part);
}

int op_slice(struct mathis_machine *m, const uint8_t *arg)
{
	struct mathis_value v = TOP(2);
	struct mathis_value from = TOP(1);
	struct mathis_value to = TOP(0);
	struct mathis_value part;

	(void)arg;
	if (from.kind != KIND_INT || to.kind != KIND_INT)
		return mathis_type_error(m, "an index",
					 from.kind == KIND_INT ? to : from);
	if (length(v) < 0 || v.kind == KIND_MAP || v.kind == KIND_SET ||
	    v.kind == KIND_CHANNEL)
		return mathis_type_error(m, "a list or text", v);
	if (from.i < 0 || from.i > to.i || to.i > length(v))
		return mathis_throw(m, MATHIS_ARG_RANGE,
				    "elements %lld to %lld of %lld",
				    (long long)from.i, (long long)to.i,
				    (long long)length(v));
	to.i -= from.i;
	if (v.kind == KIND_STR || v.kind == KIND_BYTES)
		return slice_text(m, v, from.i, to.i);
	if (mathis_make_seq(m, v.kind, to.i, &part))
		return RUN_THROWS;
	if (to.i)
		memcpy(mathis_seq_of(part)->items,
		       mathis_seq_of(v)->items + from.i,
		       to.i * sizeof(struct mathis_value));
	mathis_seq_of(part)->n = to.i;
	return mathis_replace(m, 3, part);
}

static int concat_maps(struct mathis_machine *m, struct mathis_value a,
		       struct mathis_value b)
{
	struct mathis_value v;
	int ret = 0;

	if (mathis_make_map(m, a.kind, &v))
		return RUN_THROWS;
	mathis_pin(m, v);
	for (int second = 0; second < 2 && !ret; second++) {
		struct mathis_map *from = mathis_map_of(second ? b : a);

		for (size_t i = 0; i < from->n && !ret; i++)
			ret = mathis_map_set(m, mathis_map_of(v),
					     from->entries[i].key,
					     from->entries[i].value);
	}
	m->n_pins--;
	return ret ?: mathis_replace(m, 2, v);
}

int op_concat(struct mathis_machine *m, const uint8_t *arg)
{
	struct mathis_value a = TOP(1);
	struct mathis_value b = TOP(0);
	struct mathis_value v;
	size_t n;

	(void)arg;
	if (a.kind != b.kind || length(a) < 0 || a.kind == KIND_CHANNEL)
		return mathis_throw(m, MATHIS_ARG_TYPE,
				    "%s and %s cannot be joined",
				    mathis_kind_name(a.kind),
				    mathis_kind_name(b.kind));
	if (a.kind == KIND_MAP || a.kind == KIND_SET)
		return concat_maps(m, a, b);
	n = length(a);
	if (a.kind == KIND_STR || a.kind == KIND_BYTES) {
		if (mathis_make_text(m, a.kind, NULL, n + length(b), &v))
			return RUN_THROWS;
		memcpy(mathis_str_of(v)->data, mathis_str_of(a)->data, n);
		memcpy(mathis_str_of(v)->data + n, mathis_str_of(b)->data,
		       length(b));
		return mathis_replace(m, 2, v);
	}
	if (mathis_make_seq(m, a.kind, n + length(b), &v))
		return RUN_THROWS;
	if (n)
		memcpy(mathis_seq_of(v)->items, mathis_seq_of(a)->items,
		       n * sizeof(v));
	if (length(b))
		memcpy(mathis_seq_of(v)->items + n, mathis_seq_of(b)->items,
		       length(b) * sizeof(v));
	mathis_seq_of(v)->n = n + length(b);
	return mathis_replace(m, 2, v);
}
