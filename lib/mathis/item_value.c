// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Between values of a machine and items. The machine pays fuel for the bytes.
 */
#include <errno.h>
#include <string.h>

#include "item.h"
#include "machine.h"
#include "upcall.h"

struct out {
	struct mathis_machine *m;
	struct mathis_pool *pool;
	bool copy;
};

static int put(struct out *o, struct mathis_value v, int depth,
	       struct mathis_item *item);

static int put_text(struct out *o, struct mathis_value v,
		    struct mathis_item *item)
{
	struct mathis_str *s = mathis_str_of(v);

	if (s->len > UINT32_MAX)
		return -E2BIG;
	if (o->copy) {
		mathis_charge(o->m, s->len);
		*item = mathis_item_text(o->pool, v.kind, s->data, s->len);
		return o->pool->bad ? -ENOMEM : 0;
	}
	*item = (struct mathis_item){ .kind = v.kind,
				      .n = s->len,
				      .text = s->data };
	return 0;
}

static int put_seq(struct out *o, struct mathis_value v, int depth,
		   struct mathis_item *item)
{
	struct mathis_seq *s = mathis_seq_of(v);

	mathis_charge(o->m, s->n * sizeof(*item));
	*item = mathis_item_seq(o->pool, v.kind, s->n);
	item->aux = s->type;
	/* It counts what is in it on failure too: funcs have to be dropped. */
	for (size_t i = 0; i < s->n && !o->pool->bad; i++) {
		int ret;

		item->n++;
		ret = put(o, s->items[i], depth, &item->items[i]);
		if (ret)
			return ret;
	}
	return o->pool->bad ? -ENOMEM : 0;
}

static int put_map(struct out *o, struct mathis_value v, int depth,
		   struct mathis_item *item)
{
	struct mathis_map *map = mathis_map_of(v);
	size_t each = v.kind == KIND_MAP ? 2 : 1;
	int ret = 0;

	mathis_charge(o->m, map->n * each * sizeof(*item));
	*item = mathis_item_seq(o->pool, v.kind, map->n * each);
	for (size_t i = 0; i < map->n && !o->pool->bad && !ret; i++) {
		struct mathis_item *at = &item->items[i * each];

		item->n++;
		at[each - 1] = MATHIS_ITEM_NONE;
		ret = put(o, map->entries[i].key, depth, at);
		if (!ret && each == 2)
			ret = put(o, map->entries[i].value, depth, at + 1);
	}
	return o->pool->bad ? -ENOMEM : ret;
}

static int put_enum(struct out *o, struct mathis_value v, int depth,
		    struct mathis_item *item)
{
	struct mathis_enum *e = (struct mathis_enum *)v.o;

	*item = mathis_item_seq(o->pool, v.kind, 2);
	if (o->pool->bad)
		return -ENOMEM;
	item->aux = e->type;
	item->n = e->has ? 2 : 1;
	item->items[0] = mathis_item_int(e->number);
	item->items[1] = MATHIS_ITEM_NONE;
	return e->has ? put(o, e->value, depth, &item->items[1]) : 0;
}

static int put_func(struct out *o, struct mathis_value v,
		    struct mathis_item *item)
{
	uint32_t slot;

	if (mathis_hold(o->m, v, &slot))
		return -ENOMEM;
	item->kind = KIND_FUNC;
	item->aux = o->m->module->funcs[v.aux].arity;
	item->i = slot;
	return 0;
}

static int put(struct out *o, struct mathis_value v, int depth,
	       struct mathis_item *item)
{
	*item = MATHIS_ITEM_NONE;
	if (depth > MATHIS_NEST)
		return -E2BIG;
	switch (v.kind) {
	case KIND_NONE:
	case KIND_BOOL:
	case KIND_INT:
	case KIND_FLOAT:
	case KIND_CHAR:
	case KIND_HANDLE:
		item->kind = v.kind;
		item->aux = v.aux;
		item->i = v.i;
		return 0;
	case KIND_STR:
	case KIND_BYTES:
		return put_text(o, v, item);
	case KIND_LIST:
	case KIND_TUPLE:
	case KIND_STRUCT:
		return put_seq(o, v, depth + 1, item);
	case KIND_MAP:
	case KIND_SET:
		return put_map(o, v, depth + 1, item);
	case KIND_ENUM:
		return put_enum(o, v, depth + 1, item);
	case KIND_FUNC:
		return put_func(o, v, item);
	default:
		item->kind = v.kind;
		return -EINVAL;
	}
}

int mathis_to_item(struct mathis_machine *m, struct mathis_value value,
		   struct mathis_pool *pool, bool copy,
		   struct mathis_item *item)
{
	struct out o = { m, pool, copy };

	return put(&o, value, 0, item);
}

static int get(struct mathis_machine *m, const struct mathis_item *item,
	       struct mathis_value *v);

static int get_seq(struct mathis_machine *m, const struct mathis_item *item,
		   struct mathis_value *v)
{
	struct mathis_seq *s;
	int ret;

	if (mathis_make_seq(m, item->kind, item->n, v) || mathis_keep(m, *v))
		return -ENOMEM;
	s = mathis_seq_of(*v);
	s->type = item->aux;
	for (uint32_t i = 0; i < item->n; i++) {
		ret = get(m, &item->items[i], &s->items[i]);
		if (ret)
			return ret;
		/* A list has only what was made. */
		s->n = item->kind == KIND_LIST ? i + 1 : s->n;
	}
	return 0;
}

static int get_map(struct mathis_machine *m, const struct mathis_item *item,
		   struct mathis_value *v)
{
	size_t each = item->kind == KIND_MAP ? 2 : 1;

	if (mathis_make_map(m, item->kind, v) || mathis_keep(m, *v))
		return -ENOMEM;
	for (uint32_t i = 0; i < item->n; i++) {
		const struct mathis_item *at = &item->items[i * each];
		struct mathis_value key, value = MATHIS_V(KIND_NONE, 0);
		int ret = get(m, at, &key);

		if (!ret && each == 2)
			ret = get(m, at + 1, &value);
		if (ret)
			return ret;
		if (mathis_map_set(m, mathis_map_of(*v), key, value))
			return m->error.code == MATHIS_ARG_TYPE ? -EINVAL :
								  -ENOMEM;
	}
	return 0;
}

static int get_enum(struct mathis_machine *m, const struct mathis_item *item,
		    struct mathis_value *v)
{
	struct mathis_enum *e;

	if (mathis_make_enum(m, item->aux, item->items[0].i, v) ||
	    mathis_keep(m, *v))
		return -ENOMEM;
	e = (struct mathis_enum *)v->o;
	e->has = item->n == 2;
	return e->has ? get(m, &item->items[1], &e->value) : 0;
}

static int get(struct mathis_machine *m, const struct mathis_item *item,
	       struct mathis_value *v)
{
	switch (item->kind) {
	case KIND_STR:
	case KIND_BYTES:
		if (mathis_make_text(m, item->kind, item->text, item->n, v) ||
		    mathis_keep(m, *v))
			return -ENOMEM;
		mathis_charge(m, item->n);
		return 0;
	case KIND_LIST:
	case KIND_TUPLE:
	case KIND_STRUCT:
		return get_seq(m, item, v);
	case KIND_MAP:
	case KIND_SET:
		return get_map(m, item, v);
	case KIND_ENUM:
		return get_enum(m, item, v);
	case KIND_FUNC:
		return -EINVAL;
	default:
		*v = MATHIS_V(item->kind, item->i);
		v->aux = item->aux;
		return 0;
	}
}

int mathis_from_item(struct mathis_machine *m, const struct mathis_item *item,
		     struct mathis_value *value)
{
	*value = MATHIS_V(KIND_NONE, 0);
	return get(m, item, value);
}
