// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Raw memory: a ptr is an object and an offset, so that each access is
 * checked against the object's size.
 */
#include <string.h>

#include "machine.h"

/* The bytes that a ptr leads to, @n of them, or NULL after mathis_throw(). */
static uint8_t *reach(struct mathis_machine *m, struct mathis_value p,
		      uint64_t n)
{
	struct mathis_mem *mem = (struct mathis_mem *)p.o;

	if (p.kind != KIND_PTR) {
		mathis_type_error(m, "a ptr", p);
		return NULL;
	}
	if (!mem->data) {
		mathis_throw(m, MATHIS_BAD_POINTER, "the memory was freed");
		return NULL;
	}
	if (p.aux > mem->n || n > mem->n - p.aux) {
		mathis_throw(m, MATHIS_BAD_ADDRESS,
			     "%llu bytes at %u of %zu bytes",
			     (unsigned long long)n, p.aux, mem->n);
		return NULL;
	}
	return mem->data + p.aux;
}

int op_mem_alloc(struct mathis_machine *m, const uint8_t *arg)
{
	struct mathis_value size = TOP(0);
	struct mathis_mem *mem;

	(void)arg;
	if (size.kind != KIND_INT)
		return mathis_type_error(m, "a size", size);
	if (size.i < 1 || size.i > UINT32_MAX)
		return mathis_throw(m, MATHIS_ARG_RANGE, "%lld bytes",
				    (long long)size.i);
	mem = mathis_alloc(m, sizeof(*mem), KIND_PTR);
	if (!mem)
		return RUN_THROWS;
	mathis_pin(m, mathis_ref(KIND_PTR, mem));
	mem->data = mathis_resize(m, NULL, 0, size.i);
	m->n_pins--;
	if (!mem->data)
		return RUN_THROWS;
	mem->n = size.i;
	memset(mem->data, 0, mem->n);
	return mathis_replace(m, 1, mathis_ref(KIND_PTR, mem));
}

int op_mem_free(struct mathis_machine *m, const uint8_t *arg)
{
	struct mathis_mem *mem = (struct mathis_mem *)TOP(0).o;

	(void)arg;
	if (!reach(m, TOP(0), 0))
		return RUN_THROWS;
	if (TOP(0).aux)
		return mathis_throw(m, MATHIS_BAD_POINTER,
				    "the ptr is not the one that ALLOC gave");
	mathis_resize(m, mem->data, mem->n, 0);
	mem->data = NULL;
	mem->n = 0;
	m->task->sp--;
	return 0;
}

/* A number of 1, 2, 4 or 8 bytes, little-endian; that of 8 has a sign. */
int op_mem_load(struct mathis_machine *m, const uint8_t *arg)
{
	const uint8_t *p = reach(m, TOP(0), *arg);
	uint64_t v = 0;

	if (!p)
		return RUN_THROWS;
	for (int i = *arg - 1; i >= 0; i--)
		v = v << 8 | p[i];
	return mathis_replace(m, 1, MATHIS_V(KIND_INT, (int64_t)v));
}

int op_mem_store(struct mathis_machine *m, const uint8_t *arg)
{
	uint8_t *p = reach(m, TOP(1), *arg);
	struct mathis_value v = TOP(0);

	if (!p)
		return RUN_THROWS;
	if (v.kind != KIND_INT)
		return mathis_type_error(m, "a number in memory", v);
	for (int i = 0; i < *arg; i++)
		p[i] = (uint64_t)v.i >> (8 * i);
	m->task->sp -= 2;
	return 0;
}

static int check_size(struct mathis_machine *m, struct mathis_value n)
{
	if (n.kind != KIND_INT)
		return mathis_type_error(m, "a size", n);
	if (n.i < 0 || n.i > UINT32_MAX)
		return mathis_throw(m, MATHIS_ARG_RANGE, "%lld bytes",
				    (long long)n.i);
	mathis_charge(m, n.i);
	return 0;
}

int op_mem_copy(struct mathis_machine *m, const uint8_t *arg)
{
	const uint8_t *from;
	uint8_t *to;

	(void)arg;
	if (check_size(m, TOP(0)))
		return RUN_THROWS;
	to = reach(m, TOP(2), TOP(0).i);
	from = to ? reach(m, TOP(1), TOP(0).i) : NULL;
	if (!from)
		return RUN_THROWS;
	memmove(to, from, TOP(0).i);
	m->task->sp -= 3;
	return 0;
}

int op_mem_zero(struct mathis_machine *m, const uint8_t *arg)
{
	uint8_t *p;

	(void)arg;
	if (check_size(m, TOP(0)))
		return RUN_THROWS;
	p = reach(m, TOP(1), TOP(0).i);
	if (!p)
		return RUN_THROWS;
	memset(p, 0, TOP(0).i);
	m->task->sp -= 2;
	return 0;
}
