// SPDX-License-Identifier: GPL-2.0-only
/* In which order services start. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engine.h"

static int resolve(struct init_engine *e, uint32_t i, struct init_fault *fault)
{
	struct init_service *s = &e->services[i];
	uint32_t k;

	for (k = 0; k < s->config->nafter; k++) {
		const char *name = s->config->after[k].name;
		int other = init_engine_find(e, name);

		if (other < 0) {
			snprintf(fault->text, sizeof(fault->text),
				 "%s" INIT_SUFFIX
				 ": there is no service %s to come after",
				 s->config->name, name);
			return -ENOENT;
		}
		s->after[k] = (uint16_t)other;
	}
	return 0;
}

/* Do all that it comes after have their places? */
static bool placeable(const struct init_service *s, const bool *placed)
{
	uint32_t k;

	for (k = 0; k < s->config->nafter; k++) {
		if (!placed[s->after[k]])
			return false;
	}
	return true;
}

/* Name those that wait for each other, starting with one that waits. */
static void name_cycle(const struct init_engine *e, uint32_t i,
		       const bool *placed, struct init_fault *fault)
{
	size_t room = sizeof(fault->text);
	uint32_t steps;
	size_t n;

	/* After as many steps as there are services it is in the cycle. */
	for (steps = 0; steps < e->n; steps++) {
		uint32_t k = 0;

		while (placed[e->services[i].after[k]])
			k++;
		i = e->services[i].after[k];
	}
	n = (size_t)snprintf(fault->text, room,
			     "services come after each other: %s",
			     e->services[i].config->name);
	steps = i;
	do {
		uint32_t k = 0;

		while (placed[e->services[i].after[k]])
			k++;
		i = e->services[i].after[k];
		if (n < room)
			n += (size_t)snprintf(fault->text + n, room - n,
					      " after %s",
					      e->services[i].config->name);
	} while (i != steps);
}

/**
 * init_order() - find the services that others name, and an order of starts
 * @e: Engine; its services and their settings are there.
 * @fault: Out, when there is none.
 *
 * Context: The engine's thread.
 * Return: 0; -ENOENT for a name that is no service; -ELOOP.
 */
int init_order(struct init_engine *e, struct init_fault *fault)
{
	bool placed[INIT_SERVICES_MAX] = { false };
	uint32_t n = 0;
	uint32_t before;
	uint32_t i;
	int ret;

	for (i = 0; i < e->n; i++) {
		ret = resolve(e, i, fault);
		if (ret)
			return ret;
	}
	do {
		before = n;
		for (i = 0; i < e->n; i++) {
			if (placed[i] || !placeable(&e->services[i], placed))
				continue;
			placed[i] = true;
			e->order[n++] = (uint16_t)i;
		}
	} while (n > before);
	if (n == e->n)
		return 0;
	for (i = 0; placed[i]; i++)
		;
	name_cycle(e, i, placed, fault);
	return -ELOOP;
}
