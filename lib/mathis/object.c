// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Texts, lists, tuples, structs and enums, as instructions and embedders make
 * them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "machine.h"

/* A str, whose bytes are UTF-8, or bytes; zeros where @data is NULL. */
int mathis_make_text(struct mathis_machine *m, uint8_t kind, const void *data,
		     size_t n, struct mathis_value *v)
{
	struct mathis_str *s = mathis_alloc(m, sizeof(*s) + n + 1, kind);

	if (!s)
		return RUN_THROWS;
	s->len = n;
	if (data && n)
		memcpy(s->data, data, n);
	*v = mathis_ref(kind, s);
	return 0;
}

/* A list with room for @n items, or a tuple or struct of @n times none. */
int mathis_make_seq(struct mathis_machine *m, uint8_t kind, size_t n,
		    struct mathis_value *v)
{
	size_t own = kind == KIND_LIST ? 0 : n;
	struct mathis_seq *s;

	s = mathis_alloc(m, sizeof(*s) + own * sizeof(*s->own), kind);
	if (!s)
		return RUN_THROWS;
	*v = mathis_ref(kind, s);
	s->items = s->own;
	s->n = own;
	if (kind != KIND_LIST)
		return 0;
	s->items = NULL;
	if (!n)
		return 0;
	mathis_pin(m, *v);
	s->items = mathis_resize(m, NULL, 0, n * sizeof(*s->items));
	m->n_pins--;
	s->room = s->items ? n : 0;
	return s->items ? 0 : RUN_THROWS;
}

int mathis_make_enum(struct mathis_machine *m, uint32_t type, int64_t number,
		     struct mathis_value *v)
{
	struct mathis_enum *e = mathis_alloc(m, sizeof(*e), KIND_ENUM);

	if (!e)
		return RUN_THROWS;
	e->type = type;
	e->number = number;
	*v = mathis_ref(KIND_ENUM, e);
	return 0;
}

/* Append to a list. The list and the value are reached. */
int mathis_seq_add(struct mathis_machine *m, struct mathis_seq *list,
		   struct mathis_value v)
{
	if (list->n == list->room) {
		size_t room = list->room ? list->room * 2 : 4;
		struct mathis_value *items;

		items = mathis_resize(m, list->items,
				      list->room * sizeof(*items),
				      room * sizeof(*items));
		if (!items)
			return RUN_THROWS;
		list->items = items;
		list->room = room;
	}
	list->items[list->n++] = v;
	return 0;
}

/* Keep what an embedder made: 0 or -ENOMEM. */
int mathis_keep(struct mathis_machine *m, struct mathis_value v)
{
	if (m->n_kept == m->room_kept) {
		size_t room = m->room_kept ? m->room_kept * 2 : 16;
		struct mathis_value *more =
			realloc(m->kept, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		m->kept = more;
		m->room_kept = room;
	}
	m->kept[m->n_kept++] = v;
	return 0;
}

int mathis_new_str(struct mathis_machine *m, const char *data, size_t size,
		   struct mathis_value *value)
{
	if (!mathis_utf8(data, size))
		return -EILSEQ;
	if (mathis_make_text(m, KIND_STR, data, size, value))
		return -ENOMEM;
	return mathis_keep(m, *value);
}

int mathis_new_list(struct mathis_machine *m, struct mathis_value *value)
{
	if (mathis_make_seq(m, KIND_LIST, 0, value))
		return -ENOMEM;
	return mathis_keep(m, *value);
}

int mathis_list_add(struct mathis_machine *m, struct mathis_value list,
		    struct mathis_value value)
{
	if (list.kind != KIND_LIST)
		return -EINVAL;
	return mathis_seq_add(m, mathis_seq_of(list), value) ? -ENOMEM : 0;
}
