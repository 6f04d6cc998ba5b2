/* SPDX-License-Identifier: GPL-2.0-only */
/* The calls of 0x13 share this: options, and memory of the call. */
#ifndef MATHISD_CALLS_SERIAL_SERIAL_H
#define MATHISD_CALLS_SERIAL_SERIAL_H

#include <mathis/buf.h>

#include "calls/calls.h"

#define SERIAL_DEPTH 64 /* containers inside of containers, as in CBOR */
#define SERIAL_MAX (16UL << 20) /* bytes of a text that is read or written */

/* Whether a map of options, or none, has an option that is true. */
static inline bool serial_flag(const struct mathis_item *opts, const char *key)
{
	const struct mathis_item *v =
		opts->kind == MATHIS_MAP ? mathis_item_get(opts, key) : NULL;

	return v && v->kind == MATHIS_BOOL && v->i;
}

/*
 * Leave the last entry of each key of a map or set, at the place of its first
 * one: whether there were others. Keys are bool, int, char, str or bytes.
 */
bool serial_unique(struct md_call *c, struct mathis_item *map);

/* Whether an item can be a key of a map or set. */
bool serial_is_key(const struct mathis_item *item);
/* The result of a call that wrote into a buffer, which is freed. */
int serial_return(struct md_call *c, uint32_t kind, struct mathis_buf *b,
		  int status);

#endif
