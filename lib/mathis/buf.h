/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Bytes that grow at their end. A failed allocation marks the buffer bad and
 * drops what comes later; the caller looks at the mark once, at the end.
 */
#ifndef MATHIS_BUF_H
#define MATHIS_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mathis_buf {
	uint8_t *data; /* from malloc() */
	size_t size;
	size_t room;
	bool bad;
};

void mathis_buf_fini(struct mathis_buf *b);
void *mathis_buf_add(struct mathis_buf *b, const void *data, size_t n);
void mathis_buf_put(struct mathis_buf *b, uint64_t v, size_t n);
void mathis_buf_set(struct mathis_buf *b, size_t at, uint64_t v, size_t n);
void mathis_buf_print(struct mathis_buf *b, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
uint32_t mathis_crc32(const void *data, size_t n);
bool mathis_utf8(const void *data, size_t n);

#endif
