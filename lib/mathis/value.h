/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Values and the objects that they refer to. Each object stands in the list
 * of its machine, which frees those that a collection does not reach.
 */
#ifndef MATHIS_VALUE_H
#define MATHIS_VALUE_H

#include "module.h"

#define KIND_INT KIND_I64
#define KIND_FLOAT KIND_F64
#define MATHIS_NEST 64 /* containers inside of containers, where they count */

struct mathis_object {
	struct mathis_object *next; /* of the machine */
	struct mathis_object *gray; /* to be scanned by the collection */
	size_t size; /* bytes of the object itself */
	uint8_t kind;
	bool marked;
};

/* Of str and bytes. It never changes. */
struct mathis_str {
	struct mathis_object base;
	size_t len;
	char data[]; /* and a zero */
};

/* Of list, tuple, struct. The items of a list move when it grows. */
struct mathis_seq {
	struct mathis_object base;
	uint32_t type; /* of a struct */
	size_t n;
	size_t room;
	struct mathis_value *items;
	struct mathis_value own[]; /* items of tuple and struct */
};

struct mathis_enum {
	struct mathis_object base;
	uint32_t type; /* KIND_RESULT, or of the module */
	bool has; /* a value */
	int64_t number;
	struct mathis_value value;
};

struct mathis_entry {
	uint32_t hash;
	struct mathis_value key;
	struct mathis_value value;
};

/* Of map and set. Entries stand in the order in which they were added. */
struct mathis_map {
	struct mathis_object base;
	size_t n;
	size_t room;
	struct mathis_entry *entries;
	uint32_t *slots; /* index of an entry plus 1, or 0; a power of two */
	size_t n_slots;
};

struct mathis_closure {
	struct mathis_object base;
	unsigned int n;
	struct mathis_value captured[];
};

/* Memory that a ptr leads to. */
struct mathis_mem {
	struct mathis_object base;
	size_t n;
	uint8_t *data; /* NULL once it is freed */
};

struct mathis_iter {
	struct mathis_object base;
	struct mathis_value of;
	size_t at;
	bool done;
};

#define MATHIS_V(_kind, _i) \
	((struct mathis_value){ .kind = (_kind), .i = (_i) })

static inline struct mathis_value mathis_float(double f)
{
	return (struct mathis_value){ .kind = KIND_FLOAT, .f = f };
}

static inline struct mathis_value mathis_ref(uint32_t kind, void *o)
{
	return (struct mathis_value){ .kind = kind, .o = o };
}

/* Whether a value refers to an object that a collection has to see. */
static inline bool mathis_has_object(struct mathis_value v)
{
	return v.kind >= KIND_STR && v.kind != KIND_HANDLE && v.o;
}

static inline struct mathis_str *mathis_str_of(struct mathis_value v)
{
	return (struct mathis_str *)v.o;
}

static inline struct mathis_seq *mathis_seq_of(struct mathis_value v)
{
	return (struct mathis_seq *)v.o;
}

static inline struct mathis_map *mathis_map_of(struct mathis_value v)
{
	return (struct mathis_map *)v.o;
}

const char *mathis_kind_name(uint32_t kind);
/*
 * A comparison, a search or a hash subtracts from @left the bytes that it reads,
 * and fails when @left is spent or containers nest too deep. The limit is
 * needed because a container that occurs twice in another is read twice: the
 * work can double with each level.
 */
#define MATHIS_TOO_DEEP (-1) /* a hash: or no key */
#define MATHIS_TOO_MUCH (-2)

/* 1, 0, or an error. */
int mathis_equal(struct mathis_value a, struct mathis_value b, int depth,
		 uint64_t *left);
/* The entry of a key, or NULL: 0, or an error. */
int mathis_map_find(struct mathis_map *map, struct mathis_value key,
		    uint32_t hash, uint64_t *left, struct mathis_entry **entry);
/* A hash of what can be a key: 0, or an error. */
int mathis_hash(struct mathis_value v, int depth, uint32_t *hash,
		uint64_t *left);

#endif
