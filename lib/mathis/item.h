/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Items: values outside of any machine, for those who serve calls. They live
 * in a pool and die with it; nothing in them is shared, and any thread may
 * read them.
 */
#ifndef MATHIS_ITEM_H
#define MATHIS_ITEM_H

#include <mathis/mathis.h>

#define MATHIS_POOL_OWN 512

struct mathis_pool_chunk;

/**
 * struct mathis_pool - memory that is freed at once
 * @chunks: From malloc(), the newest first.
 * @used: Bytes that were given out.
 * @limit: The most bytes.
 * @at: Where the next bytes come from.
 * @left: Bytes left there.
 * @bad: A request failed; all later ones fail too.
 * @own: The first bytes.
 */
struct mathis_pool {
	struct mathis_pool_chunk *chunks;
	uint64_t used;
	uint64_t limit;
	char *at;
	size_t left;
	bool bad;
	char own[MATHIS_POOL_OWN] __attribute__((aligned(16)));
};

/**
 * struct mathis_item - a value
 * @kind: Of enum mathis_value_kind.
 * @aux: Generation of a handle, type of a struct or enum, count of values that
 *	a func takes.
 * @n: Bytes of a str or bytes; items of a container; pairs of a map; 1 for an
 *	enum without a value and 2 for one with a value.
 * @room: Items that @items has room for.
 * @i: An int; 0 or 1 of a bool; the code point of a char; kind << 24 | slot of
 *	a handle; the slot of mathis_hold() of a func, -1: it was taken.
 * @f: A float.
 * @text: The bytes of a str or bytes, not terminated.
 * @items: Items of a container: of a map, key and value in turn; of an enum,
 *	its number and its value.
 */
struct mathis_item {
	uint32_t kind;
	uint32_t aux;
	uint32_t n;
	uint32_t room;
	union {
		int64_t i;
		double f;
		const char *text;
		struct mathis_item *items;
	};
};

void mathis_pool_init(struct mathis_pool *pool, uint64_t limit);
void mathis_pool_fini(struct mathis_pool *pool);
/* Bytes, aligned to 16 and not cleared, or NULL and pool.bad. */
void *mathis_pool_alloc(struct mathis_pool *pool, size_t size);

/* Items; without memory they are none, and pool.bad tells. */
struct mathis_item mathis_item_text(struct mathis_pool *pool, uint32_t kind,
				    const void *data, size_t n);
struct mathis_item mathis_item_seq(struct mathis_pool *pool, uint32_t kind,
				   size_t room);
void mathis_item_add(struct mathis_pool *pool, struct mathis_item *seq,
		     struct mathis_item item);
void mathis_item_put(struct mathis_pool *pool, struct mathis_item *map,
		     const char *key, struct mathis_item value);
/* The value of a text of a map, or NULL. */
const struct mathis_item *mathis_item_get(const struct mathis_item *map,
					  const char *key);
bool mathis_item_is(const struct mathis_item *item, const char *text);
/* A copy in another pool. Functions in it become none: they have one owner. */
struct mathis_item mathis_item_copy(struct mathis_pool *pool,
				    const struct mathis_item *item);
/* How many items stand in @items. */
size_t mathis_item_parts(const struct mathis_item *item);

/**
 * mathis_to_item() - take a value out of a machine
 * @m: The machine of the value, which pays for it.
 * @value: The value.
 * @pool: Where the item goes.
 * @copy: Copy texts too; without it they live as long as the value.
 * @item: Out, the item.
 *
 * The machine holds each func: whoever owns the item has to drop it.
 *
 * Return: 0; -EINVAL for a ptr, task, channel or iterator, alone or inside;
 * -E2BIG for more than 64 levels; -ENOMEM.
 */
int mathis_to_item(struct mathis_machine *m, struct mathis_value value,
		   struct mathis_pool *pool, bool copy,
		   struct mathis_item *item);

/**
 * mathis_from_item() - make a value of an item
 * @m: The machine that gets the value, and pays for it.
 * @item: The item.
 * @value: Out, the value; it lives as one of mathis_new_str().
 *
 * Return: 0; -EINVAL for a map or set with a key that cannot be one, or a func;
 * -ENOMEM.
 */
int mathis_from_item(struct mathis_machine *m, const struct mathis_item *item,
		     struct mathis_value *value);

/* Items of what has no parts. */
#define MATHIS_ITEM_NONE ((struct mathis_item){ .kind = MATHIS_NONE })

static inline struct mathis_item mathis_item_int(int64_t i)
{
	return (struct mathis_item){ .kind = MATHIS_INT, .i = i };
}

static inline struct mathis_item mathis_item_bool(bool b)
{
	return (struct mathis_item){ .kind = MATHIS_BOOL, .i = b };
}

static inline struct mathis_item mathis_item_float(double f)
{
	return (struct mathis_item){ .kind = MATHIS_FLOAT, .f = f };
}

#endif
