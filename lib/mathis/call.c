// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Calls by number: calls.def, and those that an embedder adds.
 */
#include <errno.h>
#include <stddef.h>

#include "verify.h"

static const struct {
	uint16_t id;
	uint8_t arity;
	const char *name;
} calls[] = {
#define MATHIS_CALL(_id, _name, _arity) { _id, _arity, #_name },
#include "calls.def"
#undef MATHIS_CALL
};

#define N_CALLS (sizeof(calls) / sizeof(*calls))

/* The values that a call takes by SYSCALL, or -ENOENT. */
int mathis_call_arity(const struct mathis_host *host, uint16_t id)
{
	int arity = -ENOENT;

	id &= CALL_NUMBER;
	if (host && host->arity)
		arity = host->arity(host->arg, id);
	for (size_t i = 0; i < N_CALLS && arity < 0; i++) {
		if (calls[i].id == id)
			arity = calls[i].arity;
	}
	return arity;
}

/* The name of a call, or NULL. */
const char *mathis_call_name(uint16_t id)
{
	for (size_t i = 0; i < N_CALLS; i++) {
		if (calls[i].id == (id & CALL_NUMBER))
			return calls[i].name;
	}
	return NULL;
}
