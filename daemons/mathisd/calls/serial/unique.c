// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keys that come twice: sorted, for a hash could be attacked.
 */
#include <stdlib.h>

#include "serial.h"

static int by_key(const void *a, const void *b)
{
	const struct mathis_item *x = *(const struct mathis_item *const *)a;
	const struct mathis_item *y = *(const struct mathis_item *const *)b;
	uint32_t n = x->n < y->n ? x->n : y->n;
	int order = n ? memcmp(x->text, y->text, n) : 0;

	if (order || x->n != y->n)
		return order ?: (x->n > y->n) - (x->n < y->n);
	return (x > y) - (x < y);
}

bool serial_unique(struct md_call *c, struct mathis_item *map)
{
	struct mathis_item **keys;
	struct mathis_item *first;
	uint32_t left = 0;

	if (map->n < 2)
		return false;
	keys = md_alloc(c, map->n * sizeof(*keys));
	if (!keys)
		return false;
	for (uint32_t i = 0; i < map->n; i++)
		keys[i] = &map->items[2UL * i];
	qsort(keys, map->n, sizeof(*keys), by_key);
	first = keys[0];
	for (uint32_t i = 1; i < map->n; i++) {
		if (keys[i]->n != first->n ||
		    memcmp(keys[i]->text, first->text, first->n)) {
			first = keys[i];
			continue;
		}
		first[1] = keys[i][1];
		keys[i]->kind = MATHIS_NONE;
	}
	for (uint32_t i = 0; i < map->n; i++) {
		if (map->items[2UL * i].kind == MATHIS_NONE)
			continue;
		map->items[2UL * left] = map->items[2UL * i];
		map->items[2UL * left + 1] = map->items[2UL * i + 1];
		left++;
	}
	if (left == map->n)
		return false;
	map->n = left;
	return true;
}
