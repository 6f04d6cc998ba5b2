/* SPDX-License-Identifier: GPL-2.0-only */
/* Bytes of published vectors, which are written in hexadecimal. */
#ifndef HEX_H
#define HEX_H

#include "dispatch.h"

/* Bytes of digits, in one text or more; they live until hex_free(). */
#define hex(...) hex_bytes((const char *const[]){ __VA_ARGS__, NULL })
struct mathis_item hex_bytes(const char *const *digits);
/* The same bytes again and again. */
struct mathis_item hex_repeat(int byte, size_t n);
void hex_free(void);
/* Whether an item is these bytes. */
#define hex_is(_item, ...) \
	hex_are(_item, (const char *const[]){ __VA_ARGS__, NULL })
bool hex_are(const struct mathis_item *item, const char *const *digits);
/* Whether two items have the same bytes. */
bool hex_same(const struct mathis_item *a, const struct mathis_item *b);
/* A copy of an item that outlives its call, until hex_free(). */
struct mathis_item hex_keep(const struct mathis_item *item);

/* A part of a tuple that the last call returned, as hex_keep(). */
struct mathis_item hex_part(unsigned int i);
/* Whole files in the folder of the test. */
struct mathis_item hex_load(struct dispatch *d, const char *name);
void hex_save(struct dispatch *d, const char *name, struct mathis_item data);

#endif
