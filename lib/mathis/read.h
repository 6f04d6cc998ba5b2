/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Numbers out of bytes that nobody has checked. A read past the end yields 0
 * and marks the reader bad; the caller looks at the mark once, at the end.
 */
#ifndef MATHIS_READ_H
#define MATHIS_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mathis_reader {
	const uint8_t *p;
	const uint8_t *end;
	bool bad;
};

static inline size_t mathis_left(const struct mathis_reader *r)
{
	return r->end - r->p;
}

/* Skip @n bytes and return where they begin; NULL when fewer are left. */
static inline const uint8_t *mathis_take(struct mathis_reader *r, size_t n)
{
	const uint8_t *p = r->p;

	if (n > mathis_left(r)) {
		r->bad = true;
		r->p = r->end;
		return NULL;
	}
	r->p += n;
	return p;
}

/* A little-endian number of @n bytes, at most 8. */
static inline uint64_t mathis_get(struct mathis_reader *r, size_t n)
{
	const uint8_t *p = mathis_take(r, n);
	uint64_t v = 0;

	if (!p)
		return 0;
	while (n--)
		v = v << 8 | p[n];
	return v;
}

#endif
