// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Maps and sets: entries in the order in which they came, and a table of
 * their indices by hash.
 */
#include <string.h>

#include "machine.h"

int mathis_map_find(struct mathis_map *map, struct mathis_value key,
		    uint32_t hash, uint64_t *left, struct mathis_entry **entry)
{
	size_t mask = map->n_slots - 1;

	*entry = NULL;
	if (!map->n_slots)
		return 0;
	for (size_t i = hash & mask; map->slots[i]; i = (i + 1) & mask) {
		struct mathis_entry *e = &map->entries[map->slots[i] - 1];
		int equal;

		if (*left < 16)
			return MATHIS_TOO_MUCH;
		*left -= 16;
		equal = e->hash == hash ? mathis_equal(e->key, key, 0, left) :
					  0;
		if (equal == 1)
			*entry = e;
		if (equal)
			return equal < 0 ? equal : 0;
	}
	return 0;
}

static void put_slot(struct mathis_map *map, uint32_t hash, uint32_t index)
{
	size_t mask = map->n_slots - 1;
	size_t i = hash & mask;

	while (map->slots[i])
		i = (i + 1) & mask;
	map->slots[i] = index + 1;
}

/* Make room for one entry more; half of the slots stay empty. */
static int grow(struct mathis_machine *m, struct mathis_map *map)
{
	size_t room = map->room ? map->room * 2 : 8;
	size_t n_slots = room * 2;
	struct mathis_entry *entries;
	uint32_t *slots;

	if (map->n < map->room)
		return 0;
	if (room > UINT32_MAX / 4)
		return mathis_throw(m, MATHIS_LIMIT, "too many entries");
	slots = mathis_resize(m, NULL, 0, n_slots * sizeof(*slots));
	if (!slots)
		return RUN_THROWS;
	entries = mathis_resize(m, map->entries, map->room * sizeof(*entries),
				room * sizeof(*entries));
	if (!entries) {
		mathis_resize(m, slots, n_slots * sizeof(*slots), 0);
		return RUN_THROWS;
	}
	mathis_resize(m, map->slots, map->n_slots * sizeof(*slots), 0);
	memset(slots, 0, n_slots * sizeof(*slots));
	map->entries = entries;
	map->room = room;
	map->slots = slots;
	map->n_slots = n_slots;
	for (size_t i = 0; i < map->n; i++)
		put_slot(map, entries[i].hash, i);
	return 0;
}

/* Find a key, and its hash: 0 and its entry, or NULL; or RUN_THROWS. */
static int find(struct mathis_machine *m, struct mathis_map *map,
		struct mathis_value key, uint32_t *hash,
		struct mathis_entry **entry)
{
	uint64_t most = mathis_most_work(m);
	uint64_t left = most;
	int ret = mathis_hash(key, 0, hash, &left);
	bool is_key = ret != MATHIS_TOO_DEEP;

	if (!ret)
		ret = mathis_map_find(map, key, *hash, &left, entry);
	mathis_charge(m, most - left);
	if (!ret)
		return 0;
	return is_key ? mathis_work_error(m, ret) :
			mathis_type_error(m, "a key", key);
}

/* Find a key: 0 and its entry, or NULL; RUN_THROWS for what is no key. */
int mathis_map_get(struct mathis_machine *m, struct mathis_map *map,
		   struct mathis_value key, struct mathis_entry **entry)
{
	uint32_t hash;

	return find(m, map, key, &hash, entry);
}

/* Set the value of a key. The map, key and value are reached. */
int mathis_map_set(struct mathis_machine *m, struct mathis_map *map,
		   struct mathis_value key, struct mathis_value value)
{
	struct mathis_entry *e;
	uint32_t hash;

	if (find(m, map, key, &hash, &e))
		return RUN_THROWS;
	if (e) {
		e->value = value;
		return 0;
	}
	if (grow(m, map))
		return RUN_THROWS;
	put_slot(map, hash, map->n);
	map->entries[map->n++] = (struct mathis_entry){ hash, key, value };
	return 0;
}

/* Set the value of a text. The map and the value are reached. */
int mathis_map_put(struct mathis_machine *m, struct mathis_map *map,
		   const char *key, struct mathis_value value)
{
	struct mathis_value text;
	int ret;

	if (mathis_make_text(m, KIND_STR, key, strlen(key), &text))
		return RUN_THROWS;
	mathis_pin(m, text);
	ret = mathis_map_set(m, map, text, value);
	m->n_pins--;
	return ret;
}

int mathis_make_map(struct mathis_machine *m, uint8_t kind,
		    struct mathis_value *v)
{
	struct mathis_map *map = mathis_alloc(m, sizeof(*map), kind);

	if (!map)
		return RUN_THROWS;
	*v = mathis_ref(kind, map);
	return 0;
}
