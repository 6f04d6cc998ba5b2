// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keys of maps, and results. Keys that come twice are found by sorting, for a
 * hash could be attacked.
 */
#include <stdlib.h>

#include "serial.h"

static int compare(const struct mathis_item *x, const struct mathis_item *y)
{
	uint32_t n = x->n < y->n ? x->n : y->n;
	int order = 0;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (x->kind != MATHIS_STR && x->kind != MATHIS_BYTES)
		return (x->i > y->i) - (x->i < y->i);
	if (n)
		order = memcmp(x->text, y->text, n);
	return order ?: (x->n > y->n) - (x->n < y->n);
}

static int by_key(const void *a, const void *b)
{
	const struct mathis_item *x = *(const struct mathis_item *const *)a;
	const struct mathis_item *y = *(const struct mathis_item *const *)b;
	int order = compare(x, y);

	return order ?: (x > y) - (x < y);
}

bool serial_is_key(const struct mathis_item *item)
{
	return item->kind == MATHIS_BOOL || item->kind == MATHIS_INT ||
	       item->kind == MATHIS_CHAR || item->kind == MATHIS_STR ||
	       item->kind == MATHIS_BYTES;
}

int serial_return(struct md_call *c, uint32_t kind, struct mathis_buf *b,
		  int status)
{
	if (!status && b->bad)
		status = md_fail(c, MATHIS_OUT_OF_MEMORY, "no memory");
	if (!status && b->size > SERIAL_MAX)
		status = md_fail(c, MATHIS_TOO_LARGE, "more than 16 MiB");
	if (!status)
		status = md_return(c, mathis_item_text(&c->pool, kind, b->data,
						       b->size));
	mathis_buf_fini(b);
	return status;
}

bool serial_unique(struct md_call *c, struct mathis_item *map)
{
	struct mathis_item **keys;
	struct mathis_item *first;
	size_t each = map->kind == MATHIS_MAP ? 2 : 1;
	uint32_t left = 0;

	if (map->n < 2)
		return false;
	keys = md_alloc(c, map->n * sizeof(*keys));
	if (!keys)
		return false;
	for (uint32_t i = 0; i < map->n; i++)
		keys[i] = &map->items[each * i];
	qsort(keys, map->n, sizeof(*keys), by_key);
	first = keys[0];
	for (uint32_t i = 1; i < map->n; i++) {
		if (compare(keys[i], first)) {
			first = keys[i];
			continue;
		}
		if (each == 2)
			first[1] = keys[i][1];
		keys[i]->kind = MATHIS_NONE;
	}
	for (uint32_t i = 0; i < map->n; i++) {
		if (map->items[each * i].kind == MATHIS_NONE)
			continue;
		memmove(&map->items[each * left], &map->items[each * i],
			each * sizeof(*first));
		left++;
	}
	if (left == map->n)
		return false;
	map->n = left;
	return true;
}
