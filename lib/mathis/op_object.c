// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Structs, tuples, and the making of lists, maps and sets.
 */
#include <string.h>

#include "machine.h"

/* The value of a constant; none for MATHIS_NONE_IDX. */
static struct mathis_value constant(struct mathis_machine *m, uint32_t i)
{
	return i == MATHIS_NONE_IDX ? MATHIS_V(KIND_NONE, 0) : m->consts[i];
}

int op_make_struct(struct mathis_machine *m, const uint8_t *arg)
{
	const struct mathis_type *type =
		mathis_find_type(m->module, mathis_arg16(arg));
	unsigned int n = arg[2];
	struct mathis_value v;
	struct mathis_seq *s;

	if (mathis_make_seq(m, KIND_STRUCT, type->n_fields, &v))
		return RUN_THROWS;
	s = mathis_seq_of(v);
	s->type = type->id;
	if (n)
		memcpy(s->items, m->task->stack + m->task->sp - n,
		       n * sizeof(v));
	for (unsigned int i = n; i < type->n_fields; i++)
		s->items[i] = constant(m, type->fields[i].init);
	return mathis_replace(m, n, v);
}

/* MAKE_TUPLE, MAKE_LIST */
int op_make_seq(struct mathis_machine *m, const uint8_t *arg)
{
	bool tuple = arg[-1] == OP_MAKE_TUPLE;
	unsigned int n = tuple ? *arg : mathis_arg16(arg);
	struct mathis_value v;

	if (mathis_make_seq(m, tuple ? KIND_TUPLE : KIND_LIST, n, &v))
		return RUN_THROWS;
	if (n)
		memcpy(mathis_seq_of(v)->items,
		       m->task->stack + m->task->sp - n, n * sizeof(v));
	mathis_seq_of(v)->n = n;
	return mathis_replace(m, n, v);
}

/* MAKE_MAP, MAKE_SET */
int op_make_map(struct mathis_machine *m, const uint8_t *arg)
{
	bool set = arg[-1] == OP_MAKE_SET;
	unsigned int n = mathis_arg16(arg);
	unsigned int step = set ? 1 : 2;
	struct mathis_value v;
	int ret = 0;

	if (mathis_make_map(m, set ? KIND_SET : KIND_MAP, &v))
		return RUN_THROWS;
	mathis_pin(m, v);
	for (unsigned int i = 0; i < n && !ret; i++) {
		unsigned int at = n * step - 1 - i * step;

		ret = mathis_map_set(m, mathis_map_of(v), TOP(at),
				     set ? MATHIS_V(KIND_NONE, 0) :
					   TOP(at - 1));
	}
	m->n_pins--;
	return ret ?: mathis_replace(m, (size_t)n * step, v);
}

int op_unpack(struct mathis_machine *m, const uint8_t *arg)
{
	struct mathis_value v = TOP(0);
	unsigned int n = *arg;

	if (v.kind != KIND_TUPLE)
		return mathis_type_error(m, "a tuple", v);
	if (mathis_seq_of(v)->n != n)
		return mathis_throw(m, MATHIS_ARITY,
				    "a tuple of %zu values, not %u",
				    mathis_seq_of(v)->n, n);
	m->task->sp--;
	if (n)
		memcpy(m->task->stack + m->task->sp, mathis_seq_of(v)->items,
		       n * sizeof(v));
	m->task->sp += n;
	return 0;
}

/* The index of a field by its name: 0 or RUN_THROWS. */
static int find_field(struct mathis_machine *m, struct mathis_value object,
		      struct mathis_value name, size_t *i)
{
	const struct mathis_type *type =
		mathis_find_type(m->module, mathis_seq_of(object)->type);

	if (name.kind != KIND_STR)
		return mathis_type_error(m, "the name of a field", name);
	mathis_charge(m, type->n_fields * sizeof(*type->fields));
	for (*i = 0; *i < type->n_fields; ++*i) {
		struct mathis_span field =
			mathis_const_str(m->module, type->fields[*i].name);

		if (field.len != mathis_str_of(name)->len)
			continue;
		mathis_charge(m, field.len);
		if (!memcmp(field.data, mathis_str_of(name)->data, field.len))
			return 0;
	}
	return mathis_throw(m, MATHIS_NOT_FOUND, "no field %.200s",
			    mathis_str_of(name)->data);
}

/* Fields of an enum: "variant", or 0, and "value", or 1. */
static int enum_field(struct mathis_machine *m, struct mathis_value v,
		      struct mathis_value name, size_t i, unsigned int pops)
{
	struct mathis_enum *e = (struct mathis_enum *)v.o;

	if (name.kind == KIND_STR)
		i = !strcmp(mathis_str_of(name)->data, "variant") ? 0 :
		    !strcmp(mathis_str_of(name)->data, "value")	  ? 1 :
								    2;
	if (!i)
		return mathis_replace(m, pops, MATHIS_V(KIND_INT, e->number));
	if (i == 1)
		return mathis_replace(m, pops, e->value);
	return mathis_throw(m, MATHIS_NOT_FOUND,
			    "an enum has the fields variant and value");
}

/* A map's fields are its keys. */
static int map_field(struct mathis_machine *m, struct mathis_value v,
		     struct mathis_value name)
{
	struct mathis_entry *e;

	if (mathis_map_get(m, mathis_map_of(v), name, &e))
		return RUN_THROWS;
	return e ? mathis_replace(m, 2, e->value) :
		   mathis_throw(m, MATHIS_NOT_FOUND, "no such key");
}

static int check_field(struct mathis_machine *m, struct mathis_value v,
		       size_t i)
{
	if (i < mathis_seq_of(v)->n)
		return 0;
	return mathis_throw(m, MATHIS_ARG_RANGE, "field %zu of %zu", i,
			    mathis_seq_of(v)->n);
}

/* GET_FIELD, GET_FIELD_DYN */
int op_get_field(struct mathis_machine *m, const uint8_t *arg)
{
	bool by_name = arg[-1] == OP_GET_FIELD_DYN;
	struct mathis_value name = by_name ? TOP(0) : MATHIS_V(KIND_NONE, 0);
	struct mathis_value v = by_name ? TOP(1) : TOP(0);
	size_t i = by_name ? 0 : mathis_arg16(arg);

	if (v.kind == KIND_ENUM)
		return enum_field(m, v, name, by_name ? 2 : i, 1 + by_name);
	if (v.kind == KIND_MAP && by_name)
		return map_field(m, v, name);
	if (v.kind != KIND_STRUCT)
		return mathis_type_error(m, "a struct", v);
	if ((by_name && find_field(m, v, name, &i)) || check_field(m, v, i))
		return RUN_THROWS;
	return mathis_replace(m, 1 + by_name, mathis_seq_of(v)->items[i]);
}

/* SET_FIELD, SET_FIELD_DYN: the object stays */
int op_set_field(struct mathis_machine *m, const uint8_t *arg)
{
	bool by_name = arg[-1] == OP_SET_FIELD_DYN;
	struct mathis_value v = by_name ? TOP(2) : TOP(1);
	size_t i = by_name ? 0 : mathis_arg16(arg);

	if (v.kind == KIND_MAP && by_name) {
		if (mathis_map_set(m, mathis_map_of(v), TOP(1), TOP(0)))
			return RUN_THROWS;
		return mathis_replace(m, 3, v);
	}
	if (v.kind != KIND_STRUCT)
		return mathis_type_error(m, "a struct", v);
	if ((by_name && find_field(m, v, TOP(1), &i)) || check_field(m, v, i))
		return RUN_THROWS;
	mathis_seq_of(v)->items[i] = TOP(0);
	return mathis_replace(m, 2 + by_name, v);
}
