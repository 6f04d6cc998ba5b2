// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Calls in progress, by ticket: the number of their task.
 */
#include <stdlib.h>

#include "machine.h"

static struct mathis_task **find_slot(struct mathis_machine *m, uint64_t ticket)
{
	if (!m->room_calls)
		return &m->few_calls[ticket % FEW_CALLS];
	return &m->calls[ticket % m->room_calls];
}

static void link_call(struct mathis_machine *m, struct mathis_task *t)
{
	struct mathis_task **slot = find_slot(m, t->id);

	t->next_call = *slot;
	t->prev_call = slot;
	if (t->next_call)
		t->next_call->prev_call = &t->next_call;
	*slot = t;
}

/* Twice the slots. Without memory there are only fewer. */
static void grow(struct mathis_machine *m)
{
	size_t n = m->room_calls ?: FEW_CALLS;
	struct mathis_task **old = m->room_calls ? m->calls : m->few_calls;
	struct mathis_task **more = calloc(n * 2, sizeof(*more));

	if (!more)
		return;
	m->calls = more;
	m->room_calls = n * 2;
	for (size_t i = 0; i < n; i++) {
		struct mathis_task *next;

		for (struct mathis_task *t = old[i]; t; t = next) {
			next = t->next_call;
			link_call(m, t);
		}
	}
	if (old != m->few_calls)
		free(old);
}

/* The call of a task is in progress. */
void mathis_add_call(struct mathis_machine *m, struct mathis_task *t)
{
	if (m->n_calls >= (m->room_calls ?: FEW_CALLS))
		grow(m);
	t->state = TASK_CALLS;
	link_call(m, t);
	m->n_calls++;
}

/* It is no more: the task gets another state, or ends. */
void mathis_remove_call(struct mathis_machine *m, struct mathis_task *t)
{
	*t->prev_call = t->next_call;
	if (t->next_call)
		t->next_call->prev_call = t->prev_call;
	m->n_calls--;
}

/* The task whose call has a ticket, or NULL. */
struct mathis_task *mathis_find_call(struct mathis_machine *m, uint64_t ticket)
{
	struct mathis_task *t = *find_slot(m, ticket);

	while (t && t->id != ticket)
		t = t->next_call;
	return t;
}
