// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Calls by number: calls.def, and those that an embedder adds.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "calls.h"
#include "verify.h"

#define ID_MAX 0x1400

static const struct mathis_call_info calls[] = {
#define CALLS_ROWS
#include "calls.def"
};

#define N_CALLS (sizeof(calls) / sizeof(*calls))

/* Two rows of one number are an error here. */
enum row {
#define CALLS_NAMES
#include "calls.def"
};

/* Row plus 1 by number. */
static const uint16_t index_of[ID_MAX] = {
#define CALLS_INDEX
#include "calls.def"
};

const struct mathis_call_info *mathis_calls(size_t *n)
{
	*n = N_CALLS;
	return calls;
}

const struct mathis_call_info *mathis_call_find(uint16_t id)
{
	id &= CALL_NUMBER;
	if (id >= ID_MAX || !index_of[id])
		return NULL;
	return &calls[index_of[id] - 1];
}

int mathis_call_number(const char *name, size_t size)
{
	for (size_t i = 0; i < N_CALLS; i++) {
		if (strlen(calls[i].name) == size &&
		    !memcmp(calls[i].name, name, size))
			return calls[i].id;
	}
	return -ENOENT;
}

unsigned int mathis_args_min(const char *args)
{
	unsigned int n = 0;
	int nest = 0;

	if (!*args)
		return 0;
	for (;; args++) {
		nest += !!strchr("<{[", *args) && *args;
		nest -= !!strchr(">}]", *args) && *args;
		/* It may be missing, and so may all that follow. */
		if (!nest && (*args == '?' || *args == '='))
			return n;
		n += !nest && (*args == ',' || !*args);
		if (!*args)
			return n;
	}
}

/* The values that a call takes by SYSCALL, or -ENOENT. */
int mathis_call_arity(const struct mathis_host *host, uint16_t id)
{
	static uint8_t known[N_CALLS]; /* arity plus 1 */
	const struct mathis_call_info *call;
	int arity = -ENOENT;
	uint8_t *k;

	id &= CALL_NUMBER;
	if (host && host->arity)
		arity = host->arity(host->arg, id);
	if (arity >= 0)
		return arity;
	call = mathis_call_find(id);
	if (!call)
		return -ENOENT;
	if (!call->args)
		return call->arity;
	/* Threads that come at once compute the same. */
	k = &known[call - calls];
	arity = __atomic_load_n(k, __ATOMIC_RELAXED);
	if (!arity) {
		arity = mathis_args_min(call->args) + 1;
		__atomic_store_n(k, arity, __ATOMIC_RELAXED);
	}
	return arity - 1;
}

/* The name of a call, or NULL. */
const char *mathis_call_name(uint16_t id)
{
	const struct mathis_call_info *call = mathis_call_find(id);

	return call ? call->name : NULL;
}
