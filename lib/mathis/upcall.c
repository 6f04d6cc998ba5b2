// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Functions that an embedder holds, and runs in tasks of their own.
 */
#include <errno.h>
#include <stdlib.h>

#include "machine.h"
#include "upcall.h"

#define HOLDS_MAX 65536

int mathis_hold(struct mathis_machine *m, struct mathis_value value,
		uint32_t *slot)
{
	if (m->n_held >= HOLDS_MAX)
		return -ENOMEM;
	if (m->free_hold) {
		*slot = m->free_hold - 1;
		m->free_hold = m->holds[*slot].aux;
	} else {
		if (m->n_holds == m->room_holds) {
			size_t room = m->room_holds ? m->room_holds * 2 : 8;
			struct mathis_value *more =
				realloc(m->holds, room * sizeof(*more));

			if (!more)
				return -ENOMEM;
			m->holds = more;
			m->room_holds = room;
		}
		*slot = m->n_holds++;
	}
	m->holds[*slot] = value;
	m->n_held++;
	return 0;
}

void mathis_drop(struct mathis_machine *m, uint32_t slot)
{
	/* A none remembers the next one that is free. */
	m->holds[slot] = MATHIS_V(KIND_NONE, 0);
	m->holds[slot].aux = m->free_hold;
	m->free_hold = slot + 1;
	m->n_held--;
}

int mathis_handle(struct mathis_machine *m, uint32_t slot,
		  const struct mathis_value *args, unsigned int argc,
		  uint64_t *task, uint32_t *task_slot)
{
	struct mathis_value func = m->holds[slot];
	struct mathis_task *was = m->task;
	struct mathis_task *t;
	int ret = 0;

	if (func.kind != KIND_FUNC || m->module->funcs[func.aux].arity != argc)
		return -EINVAL;
	m->task = NULL;
	if (mathis_new_task(m, &t)) {
		ret = -ENOMEM;
	} else if (mathis_hold(m, mathis_ref(KIND_TASK, t), task_slot)) {
		ret = -ENOMEM;
	} else if (mathis_begin(m, t, func, args, argc)) {
		mathis_drop(m, *task_slot);
		ret = -ENOMEM;
	} else {
		t->told = true;
		t->awaited = true;
		*task = t->id;
	}
	m->task = was;
	return ret;
}
