// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Pools, and the items in them.
 */
#include <stdlib.h>
#include <string.h>

#include "item.h"

#define CHUNK_MIN 4096
#define ALIGN 16

struct mathis_pool_chunk {
	struct mathis_pool_chunk *next;
	char data[] __attribute__((aligned(ALIGN)));
};

void mathis_pool_init(struct mathis_pool *pool, uint64_t limit)
{
	pool->chunks = NULL;
	pool->used = 0;
	pool->limit = limit;
	pool->at = pool->own;
	pool->left = sizeof(pool->own);
	pool->bad = false;
}

void mathis_pool_fini(struct mathis_pool *pool)
{
	struct mathis_pool_chunk *c;

	while ((c = pool->chunks)) {
		pool->chunks = c->next;
		free(c);
	}
}

static bool add_chunk(struct mathis_pool *pool, size_t size)
{
	size_t room = size > CHUNK_MIN ? size : CHUNK_MIN;
	struct mathis_pool_chunk *c = malloc(sizeof(*c) + room);

	if (!c)
		return false;
	c->next = pool->chunks;
	pool->chunks = c;
	pool->at = c->data;
	pool->left = room;
	return true;
}

void *mathis_pool_alloc(struct mathis_pool *pool, size_t size)
{
	size_t whole = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	void *p;

	if (pool->bad || whole < size || whole > pool->limit - pool->used ||
	    (whole > pool->left && !add_chunk(pool, whole))) {
		pool->bad = true;
		return NULL;
	}
	p = pool->at;
	pool->at += whole;
	pool->left -= whole;
	pool->used += whole;
	return p;
}

struct mathis_item mathis_item_text(struct mathis_pool *pool, uint32_t kind,
				    const void *data, size_t n)
{
	char *text = n > UINT32_MAX ? NULL : mathis_pool_alloc(pool, n);

	if (!text) {
		pool->bad = true;
		return MATHIS_ITEM_NONE;
	}
	if (n)
		memcpy(text, data, n);
	return (struct mathis_item){ .kind = kind, .n = n, .text = text };
}

struct mathis_item mathis_item_seq(struct mathis_pool *pool, uint32_t kind,
				   size_t room)
{
	struct mathis_item *items = NULL;

	if (room > UINT32_MAX)
		pool->bad = true;
	else if (room)
		items = mathis_pool_alloc(pool, room * sizeof(*items));
	if (pool->bad)
		return MATHIS_ITEM_NONE;
	return (struct mathis_item){ .kind = kind,
				     .room = room,
				     .items = items };
}

/* Room for @more items behind the first @n. */
static bool grow(struct mathis_pool *pool, struct mathis_item *seq, size_t n,
		 size_t more)
{
	size_t room = seq->room * 2UL > n + more ? seq->room * 2UL : n + more;
	struct mathis_item *items;

	if (n + more <= seq->room)
		return true;
	if (room > UINT32_MAX)
		pool->bad = true;
	items = mathis_pool_alloc(pool, room * sizeof(*items));
	if (!items)
		return false;
	if (n)
		memcpy(items, seq->items, n * sizeof(*items));
	seq->items = items;
	seq->room = room;
	return true;
}

void mathis_item_add(struct mathis_pool *pool, struct mathis_item *seq,
		     struct mathis_item item)
{
	if (!pool->bad && grow(pool, seq, seq->n, 1))
		seq->items[seq->n++] = item;
}

void mathis_item_put(struct mathis_pool *pool, struct mathis_item *map,
		     const char *key, struct mathis_item value)
{
	struct mathis_item name =
		mathis_item_text(pool, MATHIS_STR, key, strlen(key));

	if (pool->bad || !grow(pool, map, map->n * 2UL, 2))
		return;
	map->items[map->n * 2UL] = name;
	map->items[map->n * 2UL + 1] = value;
	map->n++;
}

bool mathis_item_is(const struct mathis_item *item, const char *text)
{
	return item->kind == MATHIS_STR && item->n == strlen(text) &&
	       !memcmp(item->text, text, item->n);
}

const struct mathis_item *mathis_item_get(const struct mathis_item *map,
					  const char *key)
{
	if (map->kind != MATHIS_MAP)
		return NULL;
	for (uint32_t i = 0; i < map->n; i++) {
		if (mathis_item_is(&map->items[2UL * i], key))
			return &map->items[2UL * i + 1];
	}
	return NULL;
}

size_t mathis_item_parts(const struct mathis_item *item)
{
	switch (item->kind) {
	case MATHIS_LIST:
	case MATHIS_SET:
	case MATHIS_TUPLE:
	case MATHIS_STRUCT:
	case MATHIS_ENUM:
		return item->n;
	case MATHIS_MAP:
		return item->n * 2UL;
	default:
		return 0;
	}
}

struct mathis_item mathis_item_copy(struct mathis_pool *pool,
				    const struct mathis_item *item)
{
	struct mathis_item copy = *item;
	size_t parts = mathis_item_parts(item);

	if (item->kind == MATHIS_FUNC)
		return MATHIS_ITEM_NONE;
	if (item->kind == MATHIS_STR || item->kind == MATHIS_BYTES)
		return mathis_item_text(pool, item->kind, item->text, item->n);
	if (!parts)
		return copy;
	copy.items = mathis_pool_alloc(pool, parts * sizeof(copy));
	if (!copy.items)
		return MATHIS_ITEM_NONE;
	copy.room = (uint32_t)parts;
	for (size_t i = 0; i < parts; i++)
		copy.items[i] = mathis_item_copy(pool, &item->items[i]);
	return copy;
}
